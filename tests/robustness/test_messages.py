"""Messages of the components: whatever a browser tab sends, the page hears its shape or nothing, and raises nothing."""

import ast
import json
import math
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from websockets.exceptions import ConnectionClosed

from dashboard.components import messages
from dashboard.ui import link
from tests.live import REPO, App
from tests.small_run import train_small
from tests.sources import parsed
from tests.tab import Tab, json_values

THIN = 1 if os.environ.get("RBM_SOAK") else 20  # every twentieth value, others for each message
COMPONENTS = REPO / "dashboard" / "components"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=300),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(list("ab")) | st.text(), inner)
    ),
)
FIELDS = ("step", "nonce", "group", "axis", "subject", "format", "number", "take", "got", "frame", "chain", "show",
          "layer", "view", "at")  # fmt: skip


@given(st.sampled_from(list(messages.SHAPES)), JSON | st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_what_is_heard_has_its_shape(name: str, message: Any) -> None:
    found = messages.taken(name, message)
    if found is None:
        return
    parts = found if isinstance(found, list) else [found]
    for value in [one for part in parts for one in (part.values() if isinstance(part, dict) else [part])]:
        assert isinstance(value, str | int | float | bool)
        assert not isinstance(value, str) or len(value) <= 30_000
        assert not isinstance(value, float) or math.isfinite(value)
    assert json.loads(json.dumps(found)) == found


@given(st.sampled_from(list(link.FIELDS)), JSON)
def test_a_value_that_no_link_can_say_is_refused_without_an_error(key: str, value: Any) -> None:
    assert link.can_say(key, value) in (True, False)


@given(
    st.sampled_from(list(link.FIELDS)),
    st.text(max_size=40)
    | st.integers().map(str)
    | st.floats().map(str)
    | st.sampled_from(
        ["9" * 4000, "-0", "1_0", "٣", " 7", "1e999", "live", "auto", "\0", "../x", "[", "x" * 9000]
    ),
)
def test_what_a_link_says_is_within_the_fields_bounds_and_can_be_said_again(key: str, text: str) -> None:
    field = link.FIELDS[key]
    try:
        value = field.parse(text)
    except ValueError:
        return
    assert link.can_say(key, value)
    assert not isinstance(value, int) or abs(value) < 2**53
    assert not isinstance(value, float) or math.isfinite(value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("at", {"step": 7, "nonce": "7#1", "playing": True}), ("at", {"step": "live", "nonce": "live#2"}),
        ("press", [{"run": "a", "command": "pause_", "name": "1 0.5"}]),
        ("export", {"subject": "filters", "format": "gif", "number": 1795495450000}),
        ("export", {"take": 1795495450000}), ("view", {"group": "energy", "axis": "step"}), ("open", 3),
        ("moment", 5), ("moment", {"view": "update", "at": 3, "guess": 2, "film": "pair exact"}),
        ("moment", {"guess": 1}), ("done", 1795495450.5),
        ("place", {"frame": 4, "chain": 1, "show": "both", "layer": "pv"}), ("slim", True), ("held", "AA+/"),
    ],
)  # fmt: skip
def test_what_the_views_send_is_heard_whole(name: str, message: Any) -> None:
    found = messages.taken(name, message)
    known = {key: value for key, value in message.items() if key != "playing" and key != "film"} if isinstance(
        message, dict) else message  # fmt: skip
    assert found == known


def test_every_message_of_a_view_has_a_shape() -> None:
    sent = set()
    for script in COMPONENTS.rglob("*.js"):
        sent |= set(re.findall(r"\.(?:say|ask)\(\s*\"(\w+)\"", script.read_text()))
    nothing_to_hear = {"need", "wake", "frames", "dark"}  # the question itself is all that they say
    assert sent - nothing_to_hear == set(messages.SHAPES)


MOUNTED = {"FILTERS", "PAD", "PLAYER", "SHELF", "SPECTRUM", "TIMELAPSE", "TIMELINE"}


def past_the_door(source: str) -> set[str]:
    """The names of components whose keys the source looks up in session state."""
    nodes = list(ast.walk(parsed(source)))
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    mounted = MOUNTED | {ast.unparse(call.args[0]) for call in calls if ast.unparse(call.func) == "heard"}
    looked_up = [
        node.slice if isinstance(node, ast.Subscript) else node.args[0]
        for node in nodes
        if isinstance(node, ast.Subscript) or (isinstance(node, ast.Call) and node.args)
        if ast.unparse(node.value if isinstance(node, ast.Subscript) else node.func).startswith(
            "st.session_state"
        )
    ]
    return mounted & {ast.unparse(key).rpartition(".")[2] for key in looked_up}


@pytest.mark.parametrize(
    "line",
    ["st.session_state[PLAYER]", "st.session_state.get(x.PAD, {})", 'heard(k, "a"); st.session_state[k]'],
)
def test_the_reading_finds_a_look_past_the_door(line: str) -> None:
    assert past_the_door(line)


def test_pages_hear_components_through_the_door_alone() -> None:
    """A mounted component's key stands in session state, where a page might read it past the door."""
    for folder in ("views", "ui"):
        for path in sorted((REPO / "dashboard" / folder).rglob("*.py")):
            assert past_the_door(path.read_text()) == set(), path


# --- over the wire ---


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_small(tmp_path_factory.mktemp("messages") / "checkpoints").parent


def said_by(key: str) -> Iterator[str]:
    """The messages that the component with this key may send."""
    known = {
        "train.timeline": ("at", "press", "export"),
        "train.curves": ("view",),
        "train.filters": ("open", "sort", "base"),
        "gibbs.player": ("fork", "place", "rest", "slim"),
        "gibbs.pad": ("picture",),
        "gibbs.hold_pad": ("held",),
        "train.spectrum": ("modes", "open"),
        "inspect.units": ("open", "sort"),
        "inspect.history": ("open", "moment"),
    }
    yield from known.get(key, ("open", "moment", "done"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "query"),
    [
        ("", {}),
        ("gibbs", {"start": "drawing", "chains": 2, "sweeps": 2}),
        ("gibbs", {"start": "digits", "held": "_" * 131, "chains": 2, "sweeps": 2}),
        ("inspect", {}),
        ("compare", {}),
        ("learn", {}),
    ],
)
def test_no_message_raises(
    serve: Callable[[Path], App], store: Path, page: str, query: dict[str, Any]
) -> None:
    app = serve(store)
    with Tab(app.port, page, run="small", **query) as tab:
        asked = 0
        for key in list(tab.components):
            for name in said_by(key):
                for value in list(json_values())[asked % THIN :: THIN]:
                    (tab.trigger if asked % 2 else tab.say)(key, name, value)
                    asked += 1
        assert asked > 0
        assert tab.errors == []
    assert "Traceback" not in app.output()


NO_FRAMES = {
    "text": "hello",
    "nothing": b"",
    "bytes": bytes(range(256)),
    "half a message": BackMsg(rerun_script=ClientState(query_string="x" * 100)).SerializeToString()[:50],
    "an unknown field": b"\xf2\x3f\x03abc",
    **{
        f"{kind}: {said[:9]}": BackMsg(
            rerun_script=ClientState(widget_states={"widgets": [{"id": "$$ID-1-x", kind: said}]})
        ).SerializeToString()
        for kind in ("json_value", "json_trigger_value")
        for said in ("", "{", "x", "[" * 100_000 + "]" * 100_000, "9" * 5000)
    },
}
OTHER_KINDS: list[dict[str, Any]] = [
    {"trigger_value": True}, {"bool_value": True}, {"double_value": math.nan}, {"int_value": -5}, {"string_value": "x"},
    {"double_array_value": {"data": [math.inf]}}, {"string_array_value": {"data": ["x"]}}, {"bytes_value": b"\xff"},
    {"string_trigger_value": {"data": "x"}}, {"json_value": "[1]"}, {"json_trigger_value": "7"},
]  # fmt: skip


@pytest.mark.slow
def test_a_frame_that_no_page_sends_ends_its_tab_alone_and_leaves_no_word(
    serve: Callable[[Path], App], store: Path
) -> None:
    app = serve(store)
    with Tab(app.port, run="small") as other:
        before = app.output()
        for name, frame in NO_FRAMES.items():
            with Tab(app.port, "learn") as tab:
                tab.socket.send(frame)
                with pytest.raises(ConnectionClosed):
                    tab.read()
            other.rerun()
            assert other.errors == [], name
        assert app.output() == before


@pytest.mark.slow
def test_a_value_of_another_kind_than_its_component_has_is_its_tabs_trouble_alone(
    serve: Callable[[Path], App], store: Path
) -> None:
    """Streamlit itself unpacks values, by the kinds that they say they are, and shows its error in that tab."""
    app = serve(store)
    with Tab(app.port, run="small") as other:
        for kind in OTHER_KINDS:
            with Tab(app.port, run="small") as tab:
                for element in tab.components.values():
                    tab.rerun(states={element: kind})
            other.rerun()
            assert other.errors == []
    with Tab(app.port, run="small") as again:
        assert again.errors == []
