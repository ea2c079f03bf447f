"""A timelapse of the training to save as an animation, one frame for each kept snapshot, or one moment of it as a
still, made by its own process.

A thread of the page's server would hold up every page and every command for seconds. The process reads one line of
JSON, the wish, and answers in lines: `words 40 %` while it works, then `file BYTES` followed by that many bytes, or
`error SENTENCE`.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from dashboard.figures import animation, moment, slide
from dashboard.figures.cases import columns_of
from rbm_core.runs import Probe, RunError, RunReader, Snapshot
from rbm_core.runs.files import rounded

REPO = Path(__file__).resolve().parents[2]
SUBJECTS = ("both", "filters", "fantasies")
FORMATS = ("png", "gif", "webp")
MOST_FRAMES = 48
# Pixels a side of each of two pictures, in a still and in an animation: whole multiples of ten tiles of 28 pixels with
# gaps of one, so that the commonest picture is not blurred, and the animation small. 1,860 and 1,240 wide.
_SLIDE, _FRAME = 3 * 289, 2 * 289
_MOST_FRAME_PIXELS = 60_000_000  # of all frames: leaves room for captions within animation.MOST_PIXELS


class Export:
    """One timelapse, or still, that is being made. `words` is its progress; then `data` holds the file, or `error` a
    sentence why there is none.

    number: the browser's name for this export. steps: see make. order: the hidden units in the order of the page,
    (n,) int. Raises ValueError for a subject or a format that does not exist.
    """

    def __init__(
        self,
        number: int,
        reader: RunReader,
        name: str,
        steps: Sequence[int],
        subject: str,
        format: str,
        order: np.ndarray,
    ) -> None:
        if subject not in SUBJECTS or format not in FORMATS:
            raise ValueError(
                f"a picture of the training shows {', '.join(SUBJECTS)} as {', '.join(FORMATS)}, "
                f"got {subject!r}, {format!r}"
            )
        self.number = number
        what = "filters-and-fantasies" if subject == "both" else subject
        at = f"-step-{steps[-1]}" if format == "png" and steps else ""
        self.file = f"{name}{at}-{what}.{format}"
        self.words = "reading"
        self.data: bytes | None = None
        self.error: str | None = None
        wish = {
            "path": str(reader.path.absolute()),
            "steps": [int(step) for step in steps],
            "subject": subject,
            "format": format,
            "order": order.tolist(),
        }
        self.thread = threading.Thread(
            target=self._follow, args=(wish,), name=f"timelapse-{Path(self.file).stem}", daemon=True
        )
        self.thread.start()

    @property
    def ended(self) -> bool:
        return self.data is not None or self.error is not None

    def _follow(self, wish: dict[str, Any]) -> None:
        """Starts the process and takes its answers."""
        places = os.pathsep.join(filter(None, [str(REPO), os.environ.get("PYTHONPATH", "")]))
        try:
            with subprocess.Popen(
                [sys.executable, "-m", "dashboard.processes.timelapse"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": places},
            ) as child:
                assert child.stdin is not None
                assert child.stdout is not None
                child.stdin.write(json.dumps(wish).encode())
                child.stdin.close()
                self._take(child.stdout)
        except OSError as error:
            self.error = f"No picture could be made: {error}"
        if not self.ended:
            self.error = f"No picture could be made: its process ended early (exit code {child.returncode})."

    def _take(self, answers: IO[bytes]) -> None:
        for line in answers:
            kind, _, words = line.decode().rstrip("\n").partition(" ")
            if kind == "words":
                self.words = words
            elif kind == "error":
                self.error = words
            elif kind == "file":
                file = answers.read(int(words))
                self.data = file if len(file) == int(words) else None


def make(
    reader: RunReader,
    steps: Sequence[int],
    subject: str,
    format: str,
    order: np.ndarray,
    say: Callable[[str], None],
) -> bytes:
    """The file; `say` is called with its progress in a word or two.

    steps: of the snapshots of a timelapse; of a still the last one, or none for the newest state.
    RunError, animation.AnimationError or OSError where none can be made.
    """
    if format == "png":
        return still(reader, steps[-1] if steps else None, subject, order)
    frames, captions = _frames(reader, list(steps), subject, order, say)
    say("writing")
    fps = min(12.0, max(2.0, len(frames) / 8))
    kind: animation.Format = "webp" if format == "webp" else "gif"
    return animation.animation(frames, fps=fps, captions=captions, format=kind)


def still(reader: RunReader, step: int | None, subject: str, order: np.ndarray) -> bytes:
    """One snapshot, or the newest state, as a PNG with its caption. Raises as `make`."""
    snapshot = reader.snapshot(step) if step is not None else _newest(reader)
    draw = _Pen(reader, snapshot, subject, order)
    return animation.picture(draw.page(snapshot, _SLIDE), draw.caption(snapshot))


def _newest(reader: RunReader) -> Snapshot:
    steps, live = reader.snapshot_steps(), reader.live()
    if live is not None and (not steps or live.step >= steps[-1]):
        return live
    if not steps:
        raise RunError(f"run {reader.name!r} has no state yet; wait for its first seconds of training")
    return reader.snapshot(steps[-1])


class _Pen:
    """Draws moments of one run alike: one shape, one order, and the scale of `last`: weights are seen to grow."""

    def __init__(self, reader: RunReader, last: Snapshot, subject: str, order: np.ndarray) -> None:
        recorded = reader.config()
        self.name, self.seed = reader.path.name, recorded["config"].get("seed", "?")
        self.shape = moment.image_shape(last.W.shape[0], (recorded.get("data") or {}).get("image_shape"))
        self.scale = moment.common_scale(last.W)
        self.probe: Probe | None = reader.probe()
        self.columns = columns_of(recorded)
        self.subject, self.order = subject, order

    def frame(self, snapshot: Snapshot) -> np.ndarray:
        """Of an animation: one picture in pixels of its own, or both as on the page."""
        if self.subject == "both":
            return self.page(snapshot, _FRAME)
        return self._picture(snapshot, self.subject)

    def page(self, snapshot: Snapshot, side: int) -> np.ndarray:
        """The pictures side by side under their names, each in a square of `side` pixels."""
        kinds = ("filters", "fantasies") if self.subject == "both" else (self.subject,)
        return slide.beside([(kind.capitalize(), self._picture(snapshot, kind)) for kind in kinds], side)

    def _picture(self, snapshot: Snapshot, kind: str) -> np.ndarray:
        return moment.timelapse_frame(
            snapshot, self.shape, kind, self.order, self.scale, self.probe, self.columns
        )

    def caption(self, snapshot: Snapshot) -> str:
        """`mnist-500 · step 1,200 · epoch 2 · seed 0 · filters, red +0.5 to blue -0.5`."""
        words = [self.name, f"step {snapshot.step:,}"]
        epoch = snapshot.meta.get("epoch")
        if isinstance(epoch, (int, float)):
            words.append(f"epoch {rounded(epoch)}")
        words.append(f"seed {self.seed}")
        if self.subject == "fantasies":
            return " · ".join([*words, "fantasies"])
        return " · ".join([*words, f"filters, red +{self.scale:.2g} to blue -{self.scale:.2g}"])


def _frames(
    reader: RunReader, steps: list[int], subject: str, order: np.ndarray, say: Callable[[str], None]
) -> tuple[list[np.ndarray], list[str]]:
    last = reader.snapshot(steps[-1])
    draw = _Pen(reader, last, subject, order)
    frame = draw.frame(last)
    most = max(2, min(MOST_FRAMES, _MOST_FRAME_PIXELS // (frame.shape[0] * frame.shape[1])))
    steps = moment.evenly(steps, most)
    frames, captions = [], []
    for number, step in enumerate(steps, 1):
        snapshot = reader.snapshot(step)
        frames.append(draw.frame(snapshot))
        captions.append(draw.caption(snapshot))
        say(f"{round(90 * number / len(steps))} %")
    return frames, captions


def _main(wish: IO[bytes], answers: IO[bytes]) -> None:
    if hasattr(os, "nice"):
        os.nice(10)  # the page and the trainer come first

    def answer(kind: str, words: object) -> None:
        answers.write(f"{kind} {' '.join(str(words).split())}\n".encode())
        answers.flush()

    asked = json.loads(wish.read())
    try:
        file = make(
            RunReader(Path(asked["path"])),
            asked["steps"],
            asked["subject"],
            asked["format"],
            np.array(asked["order"], dtype=np.int64),
            lambda words: answer("words", words),
        )
    except (RunError, animation.AnimationError, OSError, ValueError, IndexError, MemoryError) as error:
        answer("error", f"No picture could be made: {error}")
        return
    answer("file", len(file))
    answers.write(file)
    answers.flush()


if __name__ == "__main__":
    _main(sys.stdin.buffer, sys.stdout.buffer)
