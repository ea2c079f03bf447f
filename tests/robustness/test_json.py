"""The reader of JSON admits what is finite, bounded and of its type, and nothing else."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.figures.comparison.records import as_trained
from dashboard.figures.curves import marks
from rbm_core import pace
from rbm_core.config import ConfigError, RunConfig, make_config
from rbm_core.runs import RunError, RunReader, SnapshotError, create_run, list_runs
from rbm_core.runs.files import tensor_bytes
from rbm_core.runs.json_input import DamagedError, parse
from rbm_core.runs.recorder import Recorder
from rbm_core.runs.snapshot import decode, encode
from tests.core.run_record import CONFIG, moment
from tests.robustness.damage import DEEP, DIGITS, json_values, one_sentence, one_wrong

LINES = ("metrics.jsonl", "events.jsonl", "likelihood.jsonl")
ROOT = Path(__file__).parents[2]


def finite(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(finite, value.values()))
    if isinstance(value, list):
        return all(map(finite, value))
    return not isinstance(value, (int, float)) or (math.isfinite(value) and abs(value) < 1e309)


@given(st.one_of(st.binary(max_size=80), json_values.map(lambda value: json.dumps(value).encode())))
def test_what_is_admitted_is_finite_and_what_is_not_costs_a_few_words(text: bytes) -> None:
    try:
        value = parse(text)
    except DamagedError as error:
        said = str(error)
    else:
        said = "sound"
        assert finite(value)
        json.dumps(value, allow_nan=False).encode()
    assert one_sentence(said)


@pytest.mark.parametrize(
    "text",
    [
        b"NaN",
        b"1e999",
        b"-1e999",
        DIGITS,
        DEEP,
        b'"\\ud800"',
        b"\xff",
        b"{",
        b"[1,]",
        b"[" * 40 + b"]" * 40,
    ],
)
def test_numbers_that_are_none_are_refused_wherever_they_stand(text: bytes) -> None:
    for whole in (text, b'{"a": ' + text + b"}", b"[[" + text + b"]]"):
        with pytest.raises(DamagedError):
            parse(whole)


settings_like = st.dictionaries(
    st.sampled_from([*CONFIG, "epochs", "learning_rate", "visible", "seed"]), json_values
)
config_like = st.fixed_dictionaries(
    {"schema": st.one_of(st.just(1), json_values), "config": st.one_of(settings_like, json_values)},
    optional=dict.fromkeys(("data", "preset", "created", "origin", "device", "precision"), json_values),
)
status_like = st.dictionaries(
    st.sampled_from(
        ["state", "step", "n_steps", "epoch", "seconds", "heartbeat", "pid", "message", "learning_rate"]
    ),
    st.one_of(json_values, st.sampled_from(["running", "finished", 3, 0.5])),
)
rows_like = st.lists(
    st.dictionaries(st.sampled_from(["step", "epoch", "time", "log_z", "value", "settings"]), json_values),
    max_size=4,
)


@given(config_like, status_like, rows_like)
def test_a_run_of_any_content_is_listed_and_read_and_its_neighbour_is_not_touched(
    shared_run: Path, config: Any, status: Any, rows: list[Any]
) -> None:
    neighbour = shared_run.parent / "neighbour"
    if not neighbour.exists():
        create_run(shared_run.parent, "neighbour", CONFIG)
    for name, content in (
        ("config.json", json.dumps(config)),
        ("status.json", json.dumps(status)),
        *(
            (f"{name}.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
            for name in ("metrics", "events", "likelihood")
        ),
    ):
        (shared_run / name).write_text(content)
    infos = {info.name: info for info in list_runs(shared_run.parent)}
    assert infos["neighbour"].error is None
    reader = RunReader(shared_run)
    for read in (
        reader.config,
        reader.status,
        reader.metrics,
        reader.events,
        reader.likelihood,
        reader.latest,
    ):
        try:
            found: Any = read()
        except RunError as error:
            found = str(error)
            said = found
        else:
            said = "read"
        assert one_sentence(said)
        if read == reader.status and isinstance(found, dict):
            assert all(isinstance(found[name], int) and found[name] >= 0 for name in ("step", "n_steps"))


values_like = json_values | st.dictionaries(
    st.sampled_from(["name", "value", "updates_per_second", "n", "epochs", "step", "nats"]), json_values
)


@given(st.sampled_from(["set", "speed", "step", "extend", "stop early", "pause", "x"]), values_like)
def test_an_event_of_any_value_is_drawn_or_its_line_is_damaged(
    shared_run: Path, command: str, value: Any
) -> None:
    row = {"step": 1, "command": command, "value": value}
    (shared_run / "events.jsonl").write_text(json.dumps(row) + "\n")
    try:
        events = RunReader(shared_run).events()
    except RunError as error:
        said = [str(error)]
    else:
        said = [mark["label"] for mark in marks(events)]
        assert as_trained(CONFIG, events)
    assert all(map(one_sentence, said))


def test_every_value_that_a_trainer_records_is_read_back(run: Path) -> None:
    record = Recorder(run)
    given: list[tuple[str, Any]] = [
        ("start", None),
        ("set", {"name": "k", "value": 2}),
        ("step", {"n": 3}),
        ("speed", {"updates_per_second": 0.5}),
        ("speed", {"updates_per_second": None}),
        ("extend", {"epochs": 9}),
        ("stop early", {"step": 4, "nats": float("nan")}),
    ]
    for command, value in given:
        record.append_event(1, command, value, "page")
    *rows, last = RunReader(run).events()
    assert [(row["command"], row.get("value")) for row in rows] == given[:-1]
    assert last["value"] == {"step": 4, "nats": None}


TRIAL = {"config": {"n_hidden": 8}, "n_train": 9, "n_visible": 16, "seconds_per_update": 0.5}


def test_a_trial_of_the_pace_with_one_wrong_entry_is_passed_over_or_used(tmp_path: Path) -> None:
    pace.keep_trial(tmp_path, TRIAL)
    file = tmp_path / pace.TRIALS_FILE
    for what, spoilt in one_wrong(json.loads(file.read_bytes())):
        file.write_text(json.dumps(spoilt))
        found = pace.estimate(tmp_path, RunConfig(dataset="bars-and-stripes"))
        assert found is not None, what
        assert found.seconds is None or found.seconds >= 0, what
        pace.keep_trial(tmp_path, TRIAL)


WHOLE = encode(moment(7))


@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 255), st.integers(0, len(WHOLE)))
def test_a_snapshot_with_any_byte_changed_is_sound_or_refused(place: int, byte: int, length: int) -> None:
    changed = bytearray(WHOLE)
    changed[place] = byte
    for data in (bytes(changed), bytes(changed[:length])):
        try:
            snapshot = decode(data)
        except SnapshotError as error:
            said = str(error)
        else:
            said = "sound"
            assert snapshot.W.shape == (len(snapshot.vbias), len(snapshot.hbias))
        assert one_sentence(said)


@given(
    st.dictionaries(st.sampled_from(["step", "epoch", "seconds", "visible", "learning_rate"]), json_values)
)
def test_a_snapshot_with_any_description_is_sound_or_refused(meta: dict[str, Any]) -> None:
    from rbm_core.runs.files import tensors_from

    arrays, _ = tensors_from(WHOLE)
    try:
        snapshot = decode(tensor_bytes(arrays, meta))
    except (SnapshotError, ValueError) as error:
        said = str(error)
    else:
        said = "sound"
        assert snapshot.step >= 0
    assert one_sentence(said)


def test_the_format_in_words_names_every_entry_that_is_typed() -> None:
    from rbm_core.runs import layout

    told = (ROOT / "docs" / "run-format.md").read_text()
    for shape in (layout.Event, layout.Likelihood, layout.Command, layout.Notes, layout.Meta):
        missing = [
            name for name in shape.__annotations__ if f"`{name}`" not in told and f'"{name}"' not in told
        ]
        assert not missing, f"docs/run-format.md does not say what {missing} is"


@given(
    st.dictionaries(
        st.sampled_from(list(RunConfig.model_fields)) | st.text(max_size=8),
        json_values | st.sampled_from(["pcd", "gaussian", "mnist-5k", "/", "\0", "x" * 5000]),
        max_size=4,
    )
)
def test_settings_of_any_values_are_a_config_or_cost_one_sentence(fields: dict[str, Any]) -> None:
    try:
        config = make_config(**{name.replace("\0", "0"): value for name, value in fields.items()})
    except ConfigError as error:
        said = str(error)
    else:
        said = "it is one"
        assert finite(json.loads(config.model_dump_json()))
    assert one_sentence(said)
