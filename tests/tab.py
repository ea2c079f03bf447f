"""A browser tab without a browser: it speaks Streamlit's protocol over a websocket, and can say what no browser would.

`with Tab(app.port, "gibbs?run=a") as tab:` opens a page and reads it to the end of its script. `tab.components` and
`tab.reruns` are what the page has; `tab.send` answers for its components; `tab.follow` lives on as a browser does.
"""

import json
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlencode

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState, ContextInfo
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.util import calc_hash
from websockets.sync.client import ClientConnection, connect

from dashboard.components.blob import unpack
from tests.live import PATIENCE_MS

ANSWERS_WITHIN_S = PATIENCE_MS / 1000
_SURROUNDINGS = ContextInfo(timezone="UTC", locale="en-US", url="http://127.0.0.1/", color_scheme="light")


class Tab:
    """components: key → id of the canvas components that the page mounted. fragments: key → id of the fragment that one
    stands in. sent: key → the blob sent last. buttons: label → id of the buttons that the page has.

    auto: fragment's id → its period in seconds. refreshes: the times (monotonic) at which runs of pictures ended.
    """

    def __init__(
        self,
        port: int,
        page: str = "",
        headers: Mapping[str, str] | None = None,
        origin: str | None = "",
        patience: float = ANSWERS_WITHIN_S,
        **query: object,
    ) -> None:
        self.patience = patience
        self.page, self.query = page, urlencode(query)
        self.page_hash = calc_hash(page) if page else ""  # until the app names the page that it shows
        self.components: dict[str, str] = {}
        self.fragments: dict[str, str] = {}
        self.buttons: dict[str, str] = {}
        self.sent: dict[str, bytes] = {}
        self.auto: dict[str, float] = {}
        self.refreshes: list[float] = []
        self._drew = False
        self.received = 0
        self.shown_runs: set[str] = set()  # the runs whose pictures were sent
        self.errors: list[str] = []
        self.texts: deque[str] = deque(maxlen=500)  # of Markdown, the newest last
        self.session = ""
        self._open = ExitStack()
        connection = connect(
            f"ws://127.0.0.1:{port}/_stcore/stream",
            subprotocols=["streamlit"],  # type: ignore[list-item]
            origin=f"http://127.0.0.1:{port}" if origin == "" else origin,  # type: ignore[arg-type]
            additional_headers=dict(headers or {}),
            max_size=None,
            compression=None,
        )
        self.socket: ClientConnection = self._open.enter_context(connection)

    def __enter__(self) -> "Tab":
        self.rerun()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def rerun(self, fragment: str = "", states: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        """Runs the page, or one of its fragments, with these widgets' states, and reads until it has ended."""
        self.ask(fragment, states)
        self.read()

    def ask(
        self,
        fragment: str = "",
        states: Mapping[str, Mapping[str, Any]] | None = None,
        by_clock: bool = False,
    ) -> None:
        if not fragment:
            self.auto.clear()  # the page names its fragments anew
        wish = ClientState(
            query_string=self.query,
            page_script_hash=self.page_hash,
            fragment_id=fragment,
            is_auto_rerun=by_clock,
            context_info=_SURROUNDINGS,
        )
        for name, value in (states or {}).items():
            wish.widget_states.widgets.add(id=name, **value)
        self.socket.send(BackMsg(rerun_script=wish).SerializeToString())

    @property
    def fastest(self) -> str:
        """The fragment that is refreshed most often: the one with the pictures."""
        return min(self.auto, key=lambda fragment: self.auto[fragment])

    def say(self, key: str, name: str, value: Any) -> None:
        """A component's message that stays, as `say` in lib/view.js sends it."""
        self.rerun(states={self.components[key]: {"json_value": json.dumps({name: value})}})

    def trigger(self, key: str, name: str, value: Any, fragment: str = "") -> None:
        """A component's message that is heard once, as `ask` in lib/view.js sends it."""
        self.rerun(fragment, self.said_once(key, name, value))

    def said_once(self, key: str, name: str, value: Any) -> dict[str, dict[str, str]]:
        """The states with which a component says this once."""
        said = json.dumps([{"event": name, "value": value}])
        return {f"$$STREAMLIT_INTERNAL_KEY_{self.components[key]}__events": {"json_trigger_value": said}}

    def press(self, label: str) -> None:
        self.rerun(states={self.buttons[label]: {"trigger_value": True}})

    def read(self, seconds: float | None = None) -> None:
        """Takes messages until the script has ended, for `patience` seconds at most unless told otherwise."""
        seconds = self.patience if seconds is None else seconds
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            message = self.next(deadline - time.monotonic())
            if message is not None and ended(message):
                return
        raise AssertionError(f"{self.page}: no answer within {seconds:g} s")

    def next(self, seconds: float) -> ForwardMsg | None:
        """The next message, None where none comes in this time."""
        try:
            content = self.socket.recv(timeout=max(seconds, 0))
        except TimeoutError:
            return None
        assert isinstance(content, bytes)
        self.received += len(content)
        message = ForwardMsg.FromString(content)
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self.page_hash = message.new_session.page_script_hash
            self.session = message.new_session.initialize.session_id
            self._drew = False
        elif kind == "navigation":
            self.page_hash = message.navigation.page_script_hash
        elif kind == "auto_rerun":
            self.auto[message.auto_rerun.fragment_id] = message.auto_rerun.interval
        elif kind == "stop_auto_rerun":
            self.auto.clear()
        elif ended(message) and self._drew:
            self.refreshes.append(time.monotonic())
        elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            element = message.delta.new_element
            if element.WhichOneof("type") == "bidi_component":
                self._drew = True
                key = element.bidi_component.id.rpartition("-")[2]
                self.components[key] = element.bidi_component.id
                self.fragments[key] = message.delta.fragment_id
                self.sent[key] = element.bidi_component.bytes
                if of := unpack(self.sent[key])[0].get("of"):
                    self.shown_runs.add(of["run"])
            elif element.WhichOneof("type") == "button":
                self.buttons[element.button.label] = element.button.id
            elif element.WhichOneof("type") == "markdown":
                self.texts.append(element.markdown.body)
            elif element.WhichOneof("type") == "exception":
                self.errors.append(f"{element.exception.type}: {element.exception.message}")
        return message

    def follow(self, seconds: float) -> None:
        """Lives for this long as a browser does: runs each fragment again a period after it has begun."""
        until, due = time.monotonic() + seconds, dict.fromkeys(self.auto, 0.0)
        busy = False
        while (now := time.monotonic()) < until:
            due = {one: due.get(one, now + period) for one, period in self.auto.items()}
            if not busy and due:
                one = min(due, key=lambda name: due[name])
                if due[one] <= now:
                    self.ask(one, by_clock=True)
                    due[one], busy = now + self.auto[one], True
            message = self.next(min([until, *due.values()]) - now if not busy else until - now)
            busy = busy and not (message and ended(message))


def ended(message: ForwardMsg) -> bool:
    """Whether the script has ended, and not to begin again at once."""
    early = message.script_finished == ForwardMsg.FINISHED_EARLY_FOR_RERUN
    return message.WhichOneof("type") == "script_finished" and not early


def json_values() -> Iterator[Any]:
    """Values of every JSON type, small and large, that a careless or hostile sender may send."""
    yield from (
        None,
        True,
        False,
        0,
        -1,
        1,
        10**30,
        -(10**400),
        1e308,
        0.5,
        "",
        "a",
        "live",
        "since",
        "since x",
    )
    yield from (
        "x" * 100_000,
        "![p](http://evil.example/p.png)",
        "\x00",
        "é" * 300,
        [],
        [1],
        [[[]]],
        {},
        {"step": 1},
    )
    yield from ({"step": -1, "nonce": 1}, {"step": "live"}, {"step": [], "nonce": {}}, {"view": 1, "at": "x"})
    yield from ({"frame": -1, "chain": 0, "show": [], "layer": 7}, {"group": [], "axis": {}}, {"subject": 1})
    yield from (
        {"take": {}},
        {"got": None},
        {"subject": "filters", "format": "exe", "number": "x"},
        {"a" * 300: 1},
    )
