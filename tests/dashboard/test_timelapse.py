"""The training as an animation: one frame a snapshot, on one scale, in the order of the page, made beside the page."""

import io
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dashboard.figures import moment, palette
from dashboard.processes import timelapse
from dashboard.processes.timelapse import Export
from rbm_core.runs import RunReader
from tests.live import PATIENCE_MS
from tests.small_run import train_small

RUN = "lapsed"


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> RunReader:
    return RunReader(train_small(tmp_path_factory.mktemp("timelapse") / "checkpoints", RUN))


def export(reader: RunReader, subject: str = "filters", format: str = "gif") -> Export:
    made = Export(1, reader, RUN, reader.snapshot_steps(), subject, format, np.arange(64))
    made.thread.join(PATIENCE_MS / 1000)
    assert made.ended
    return made


@pytest.mark.slow
@pytest.mark.parametrize("subject", timelapse.SUBJECTS)
@pytest.mark.parametrize("format", ["gif", "webp"])
def test_an_animation_has_one_frame_a_snapshot(reader: RunReader, subject: str, format: str) -> None:
    made = export(reader, subject, format)
    assert made.error is None
    assert made.data is not None
    image = Image.open(io.BytesIO(made.data))
    assert image.format == format.upper()
    assert image.n_frames == len(reader.snapshot_steps())
    what = "filters-and-fantasies" if subject == "both" else subject
    assert made.file == f"{RUN}-{what}.{format}"


def test_a_still_shows_both_pictures_of_the_moment_beside_each_other(reader: RunReader) -> None:
    step = reader.snapshot_steps()[1]
    made = Export(1, reader, RUN, [step], "both", "png", np.arange(64))
    made.thread.join(PATIENCE_MS / 1000)
    assert made.data is not None, made.error
    assert made.file == f"{RUN}-step-{step}-filters-and-fantasies.png"
    with Image.open(io.BytesIO(made.data)) as image:
        assert image.width > 1800, "too small for a slide"
        page = np.asarray(image.convert("RGB")).astype(int)
    coloured = np.ptp(page, axis=2) > 40
    columns = np.flatnonzero(coloured.any(axis=0))
    assert columns.max() < page.shape[1] / 2, "the filters, in colour, fill the left half"
    right = page[:, page.shape[1] // 2 + 20 : -40]
    assert (right.min(axis=(1, 2)) < 60).sum() > 800, "the fantasies fill the right half"


def test_a_still_of_the_newest_state_needs_no_step(reader: RunReader) -> None:
    newest = timelapse.make(reader, [], "both", "png", np.arange(64), lambda _: None)
    last = timelapse.make(reader, reader.snapshot_steps(), "both", "png", np.arange(64), lambda _: None)
    assert newest == last


def test_a_frame_shows_the_recorded_weights_in_the_order_of_the_page(reader: RunReader) -> None:
    snapshot = reader.snapshot(reader.snapshot_steps()[-1])
    order = np.arange(64)[::-1]
    frame = moment.timelapse_frame(snapshot, (28, 28), "filters", order, scale=0.5)
    table = palette.colour_table(palette.DIVERGING_LIGHT).astype(int)
    shade = np.rint(15 * np.clip(snapshot.W[:, 63] / 0.5, -1, 1)) / 15
    wanted = table[np.rint(127.5 + 127.5 * shade).astype(int)].reshape(28, 28, 3)
    assert np.array_equal(frame[:28, :28], wanted)


def test_every_picture_says_of_which_run_step_and_seed_it_is(
    reader: RunReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A timelapse beneath each frame, a still beneath its one."""
    written: list[str] = []

    def frames(*_: Any, captions: list[str], **__: Any) -> bytes:
        written.extend(captions)
        return b""

    monkeypatch.setattr(timelapse.animation, "animation", frames)
    monkeypatch.setattr(timelapse.animation, "picture", lambda _, caption: written.append(caption) or b"")
    steps, seed = reader.snapshot_steps(), reader.config()["config"]["seed"]
    for subject in timelapse.SUBJECTS:
        for format, shown in (("gif", steps), ("png", steps[1:2])):
            written.clear()
            timelapse.make(reader, shown, subject, format, np.arange(64), lambda _: None)
            assert len(written) == len(shown)
            for step, words in zip(shown, written, strict=True):
                said = words.split(" · ")
                assert said[:2] == [RUN, f"step {step:,}"]
                assert f"seed {seed}" in said


def test_many_snapshots_are_thinned_evenly_and_keep_both_ends(
    reader: RunReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timelapse, "MOST_FRAMES", 3)
    words: list[str] = []
    made = timelapse.make(reader, reader.snapshot_steps(), "filters", "gif", np.arange(64), words.append)
    assert Image.open(io.BytesIO(made)).n_frames == 3
    assert words == ["30 %", "60 %", "90 %", "writing"]


def test_the_server_is_free_while_an_animation_is_made(reader: RunReader) -> None:
    def children() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    own, before = time.process_time(), children()
    made = export(reader, "filters", "webp")
    own, others = time.process_time() - own, children() - before
    assert made.data is not None
    assert own < others / 4, "the animation is made by the server itself"


def test_a_process_that_dies_is_answered_for(reader: RunReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timelapse.sys, "executable", "/bin/false")
    made = export(reader)
    assert made.data is None
    assert made.error is not None
    assert "No picture could be made" in made.error


def test_a_run_deleted_meanwhile_costs_one_sentence(tmp_path: Path) -> None:
    path = train_small(tmp_path, "gone", epochs=1)
    reader = RunReader(path)
    steps = reader.snapshot_steps()
    for file in (path / "snapshots").iterdir():
        file.unlink()
    made = Export(1, reader, "gone", steps, "filters", "gif", np.arange(64))
    made.thread.join(PATIENCE_MS / 1000)
    assert made.data is None
    assert made.error is not None
    assert "\n" not in made.error
    assert "No picture could be made" in made.error


@pytest.mark.parametrize(("subject", "format"), [("weights", "gif"), ("filters", "exe")])
def test_a_subject_or_a_format_that_does_not_exist_is_refused(
    reader: RunReader, subject: str, format: str
) -> None:
    with pytest.raises(ValueError, match="shows both, filters, fantasies as png, gif, webp"):
        Export(1, reader, RUN, [0], subject, format, np.arange(3))
