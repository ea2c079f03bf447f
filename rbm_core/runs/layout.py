"""What each JSON file of a run holds: the types that readers rely on, and the bound on each file's size.

docs/run-format.md says the same in words. Entries that are not named here are kept as they are, so that a file of
another version opens. A number that was NaN when it was written is null, so most numbers may be missing.
"""

from typing import Annotated, Any, Literal, NotRequired, Required

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, create_model, with_config
from typing_extensions import TypedDict

from rbm_core.config import RunConfig
from rbm_core.runs.json_input import DamagedError, typed
from rbm_core.runs.vocabulary import STATES

__all__ = [
    "COMMAND",
    "CONFIG",
    "EVENT",
    "LIKELIHOOD",
    "LONGEST_LINE",
    "META",
    "MOST_BYTES",
    "NOTES",
    "PROGRESS",
    "STATUS",
    "TRIAL",
    "Count",
    "recorded_settings",
]

MOST_BYTES = {
    "config.json": 1 << 20,
    "status.json": 1 << 16,
    "control.json": 1 << 20,
    "notes.json": 1 << 17,
    "progress.json": 1 << 25,
    "again.json": 1 << 25,
    ".pace.json": 1 << 20,
}
"""A longer file of this name is damaged; the longest that was ever written has a tenth of this."""

LONGEST_LINE = 1 << 16
"""Bytes of a line of metrics.jsonl, events.jsonl and likelihood.jsonl, at most."""

MOST_OF_LINES = 32 << 20
"""Bytes of events.jsonl and likelihood.jsonl, whose rows are all kept; 10,000 evaluations have a tenth of this."""

_RULES = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)
_LARGEST = 2**53  # integers up to here are exact as float64, in Python and in JavaScript

Count = Annotated[int, Field(ge=0, le=_LARGEST)]
Number = float | None
Time = Annotated[float, Field(ge=0, le=9e9)]  # Unix time; the last second that pandas knows is 9.2e9
Part = Annotated[float, Field(ge=-1e300, le=1e300)]  # differences of two of them are finite
Amount = Annotated[float, Field(ge=0, le=1e300)]
Text = Annotated[str, Field(max_length=10_000)]


@with_config(_RULES)
class _Data(TypedDict, total=False):
    name: Text
    fingerprint: Text
    n_train: Count
    n_valid: Count
    n_test: Count
    image_shape: Annotated[list[Annotated[int, Field(ge=1, le=2**16)]], Field(min_length=2, max_length=2)]
    columns: list[Text]
    ranges: Annotated[list[list[Part]], Field(min_length=2, max_length=2)]
    classes: Annotated[list[Text], Field(min_length=2, max_length=255)]


@with_config(_RULES)
class _Origin(TypedDict, total=False):
    run: Text
    step: Count
    file: Text  # of an imported model, in place of run and step


@with_config(_RULES)
class _Device(TypedDict, total=False):
    name: Text
    kind: Text


@with_config(_RULES)
class Config(TypedDict, total=False):
    """config.json without "schema" and "config", which the reader checks first."""

    name: Text
    created: Text
    preset: Text | None
    versions: dict[str, Any] | None
    device: _Device | None
    precision: Text | None
    precision_note: Text | None
    data: _Data | None
    origin: _Origin | None


@with_config(_RULES)
class Status(TypedDict, total=False):
    state: Literal[STATES]  # type: ignore[valid-type]
    pid: Count | None
    pid_started: Time | None
    heartbeat: Time | None
    step: Count | None
    n_steps: Count | None
    epoch: Annotated[float, Field(ge=0, le=_LARGEST)] | None
    n_epochs: Count | None
    steps_per_epoch: Count | None
    steps_per_s: Annotated[float, Field(ge=0, le=1e12)] | None
    steady: bool
    updates_per_second: Annotated[float, Field(gt=0, le=1e6)] | None
    seconds: Annotated[float, Field(ge=0, le=1e12)] | None
    learning_rate: Part | None
    message: Text | None


@with_config(_RULES)
class Event(TypedDict, total=False):
    time: Time
    step: Count
    command: Text
    value: Any  # of a command in _VALUES, in the shape that stands there
    by: Text


@with_config(_RULES)
class _Setting(TypedDict):
    name: Text
    value: Part


@with_config(_RULES)
class _Updates(TypedDict):
    n: Count


@with_config(_RULES)
class _Limit(TypedDict):
    updates_per_second: Annotated[float, Field(gt=0, le=1e6)] | None


@with_config(_RULES)
class _Length(TypedDict):
    epochs: Count


@with_config(_RULES)
class _Best(TypedDict):
    step: Count
    nats: Part | None


_VALUES: dict[str, TypeAdapter[Any]] = {
    "set": TypeAdapter(_Setting),
    "step": TypeAdapter(_Updates),
    "speed": TypeAdapter(_Limit),
    "extend": TypeAdapter(_Length),
    "stop early": TypeAdapter(_Best),
}


def _as_commanded(event: Any) -> Any:
    """Raises ValueError unless the event's value is one that its command takes."""
    if (shape := _VALUES.get(event.get("command", ""))) is not None:
        try:
            typed(shape, event.get("value"))
        except DamagedError as error:
            raise ValueError(f"value of {event['command']}: {error}") from None
    return event


@with_config(_RULES)
class _Estimate(TypedDict):
    log_z: Part | None
    stderr: Part | None
    ess: Part | None


@with_config(_RULES)
class _Evidence(TypedDict, total=False):
    """What evaluation_record.py says of "evidence"; an evaluation under way has no "weak" yet."""

    method: Text
    origin: Text
    log_z: Part | None
    stderr: Part | None
    ess: Part | None
    chains: Count
    weak: bool
    doubt: Text | None
    differs: bool


@with_config(_RULES)
class _Settings(TypedDict, total=False):
    seed: Annotated[int, Field(ge=0, lt=2**64)]
    betas: Text | Count
    n_chains: Count
    sweeps: Count
    rounds: Count
    precision: Text


@with_config(_RULES)
class Likelihood(TypedDict, total=False):
    """A row of likelihood.jsonl; `step` alone is in every one."""

    step: Required[Count]
    time: Time
    epoch: Part | None
    estimator: Text
    settings: _Settings
    seconds: Part | None
    id: Text
    log_z: Part | None
    stderr: Part | None
    ess: Part | None
    train_nats: Part | None
    valid_nats: Part | None
    test_nats: Part | None
    train_nats_stderr: Part | None
    valid_nats_stderr: Part | None
    test_nats_stderr: Part | None
    train_error: Part | None
    valid_error: Part | None
    test_error: Part | None
    train_label_nats: Part | None
    valid_label_nats: Part | None
    test_label_nats: Part | None
    train_joint_nats: Part | None
    valid_joint_nats: Part | None
    test_joint_nats: Part | None
    moments_best: Part | None
    moments_best_sweeps: Count
    moments_end: Part | None
    moments_of_data: Part | None
    pseudo_train_nats: Part | None
    pseudo_valid_nats: Part | None
    pseudo_test_nats: Part | None
    forward: _Estimate | None
    reverse: _Estimate | None
    evidence: list[_Evidence]
    trusted: bool | None
    verdict: Text | None
    binarisation: Text | None
    acceptance: list[Part]
    round_trips: Count | None
    rungs: Count
    autocorrelation_time: Part | None


@with_config(_RULES)
class _Round(TypedDict, total=False):
    n_temperatures: Required[Annotated[int, Field(ge=1, le=_LARGEST)]]
    forward: _Estimate
    reverse: _Estimate


@with_config(_RULES)
class _Path(TypedDict):
    beta: list[Part]
    quantiles: list[Annotated[list[Part], Field(min_length=5, max_length=5)]]


@with_config(_RULES)
class _Mixed(TypedDict):
    sweeps: Count
    noise: Annotated[list[Part], Field(min_length=3, max_length=3)]
    data: Annotated[list[Part], Field(min_length=3, max_length=3)]
    aa_truth: Part
    aa_synthetic: Part
    moments: NotRequired[Part]


@with_config(_RULES)
class _Rung(TypedDict):
    step: Part
    log_z: Part
    stderr: Part


@with_config(_RULES)
class _Correlation(TypedDict):
    lag: list[Part]
    free_energy: list[Part | None]


def _paired(lists: Any) -> Any:
    """Raises ValueError unless both lists are of one length."""
    if len({len(entry) for entry in lists.values() if isinstance(entry, list)}) > 1:
        raise ValueError("should have lists of one length")
    return lists


_Trace = Annotated[_Path, AfterValidator(_paired)]
_Memory = Annotated[_Correlation, AfterValidator(_paired)]


@with_config(_RULES)
class Progress(TypedDict, total=False):
    """progress.json of an evaluation; which curves it holds depends on the estimator."""

    id: Required[Text]
    run: Required[Text]
    step: Required[Count]
    estimator: Required[Text]
    settings: Required[_Settings]
    state: Required[Literal["running", "interrupted", "finished", "failed"]]
    message: Text
    stage: Text
    pid: Annotated[int, Field(ge=1, lt=2**31)]
    started: Time
    updated: Time
    seconds: Amount
    seconds_left: Part | None
    done: Amount
    total: Amount
    rounds: list[_Round]
    evidence: list[_Evidence]
    log_weights: dict[Literal["forward", "reverse"], list[Part]]
    trace: dict[Literal["forward", "reverse"], _Trace]
    curve: list[_Mixed]
    moments_of_data: Part
    along: list[_Rung]
    autocorrelation: _Memory
    free_energies: dict[str, list[Part]]
    row: Likelihood


@with_config(_RULES)
class Command(TypedDict, total=False):
    """An entry of "commands" in control.json; control.check says which values a command takes."""

    id: Text
    time: Time
    command: Required[Text]
    value: Any
    by: Text


@with_config(_RULES)
class Notes(TypedDict, total=False):
    tags: list[Text]
    note: Text


@with_config(_RULES)
class Trial(TypedDict):
    """An entry of "trials" in .pace.json, which lies in the store beside the runs."""

    config: dict[str, Any]
    processor: Text
    n_train: Annotated[int, Field(ge=1, le=_LARGEST)]
    n_visible: Annotated[int, Field(ge=1, le=_LARGEST)]
    seconds_per_update: Annotated[float, Field(ge=0, le=1e12)]


@with_config(_RULES)
class Meta(TypedDict, total=False):
    """The description in a snapshot's header."""

    step: Required[Count]
    epoch: Annotated[float, Field(ge=0, le=_LARGEST)]
    seconds: Annotated[float, Field(ge=0, le=1e12)]
    learning_rate: Part | None
    n_particles: Count
    visible: Text
    penalty: Annotated[float, Field(gt=1, le=1e6)]


def _dict_of(shape: Any) -> TypeAdapter[dict[str, Any]]:
    return TypeAdapter(shape)


CONFIG, STATUS, EVENT, LIKELIHOOD = map(
    _dict_of, (Config, Status, Annotated[Event, AfterValidator(_as_commanded)], Likelihood)
)
PROGRESS, COMMAND, NOTES, META, TRIAL = map(_dict_of, (Progress, Command, Notes, Meta, Trial))

_Recorded: type[BaseModel] = create_model(  # type: ignore[call-overload]
    "_Recorded",
    __config__=ConfigDict(extra="allow", allow_inf_nan=False),
    **{name: (field.annotation, field) for name, field in RunConfig.model_fields.items()},
)

_RECORDED = TypeAdapter(_Recorded)


def recorded_settings(fields: dict[str, Any]) -> dict[str, Any]:
    """The settings of a recorded run, each within its bounds; those that its version did not know at their default.

    Only rules about a single field apply: a combination that is no longer trained can still be looked at. Raises
    DamagedError.
    """
    return typed(_RECORDED, fields).model_dump()
