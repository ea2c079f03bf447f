"""A timelapse of the training to save as an animation, one frame for each kept snapshot, made by its own process.

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

from dashboard.figures import animation, moment
from rbm_core.runs import RunError, RunReader

REPO = Path(__file__).resolve().parents[2]
SUBJECTS = ("filters", "fantasies")
FORMATS: tuple[animation.Format, ...] = ("gif", "webp")
MOST_FRAMES = 48
_MOST_FRAME_PIXELS = 60_000_000  # of all frames: leaves room for captions within animation.MOST_PIXELS


class Export:
    """One timelapse that is being made. `words` is its progress; then `data` holds the file, or `error` a sentence why
    there is none.

    number: the browser's name for this export. order: the hidden units in the order of the page, (n,) int.
    Raises ValueError for a subject or a format that does not exist.
    """

    def __init__(
        self,
        number: int,
        reader: RunReader,
        name: str,
        steps: Sequence[int],
        subject: str,
        format: animation.Format,
        order: np.ndarray,
    ) -> None:
        if subject not in SUBJECTS or format not in FORMATS:
            raise ValueError(
                f"a timelapse shows {' or '.join(SUBJECTS)} as {' or '.join(FORMATS)}, "
                f"got {subject!r}, {format!r}"
            )
        self.number = number
        self.file = f"{name}-{subject}.{format}"
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
            self.error = f"No animation could be made: {error}"
        if not self.ended:
            self.error = (
                f"No animation could be made: its process ended early (exit code {child.returncode})."
            )

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
    format: animation.Format,
    order: np.ndarray,
    say: Callable[[str], None],
) -> bytes:
    """The animation's file; `say` is called with its progress in a word or two.

    RunError, animation.AnimationError or OSError where none can be made.
    """
    frames, captions = _frames(reader, list(steps), subject, order, say)
    say("writing")
    fps = min(12.0, max(2.0, len(frames) / 8))
    return animation.animation(frames, fps=fps, captions=captions, format=format)


def _frames(
    reader: RunReader, steps: list[int], subject: str, order: np.ndarray, say: Callable[[str], None]
) -> tuple[list[np.ndarray], list[str]]:
    recorded = reader.config()
    last = reader.snapshot(steps[-1])
    shape = moment.image_shape(last.W.shape[0], (recorded.get("data") or {}).get("image_shape"))
    scale = moment.common_scale(last.W)  # one scale for all frames, so that the weights are seen to grow
    probe = reader.probe()
    frame = moment.timelapse_frame(last, shape, subject, order, scale, probe)
    most = max(2, min(MOST_FRAMES, _MOST_FRAME_PIXELS // (frame.shape[0] * frame.shape[1])))
    steps = moment.evenly(steps, most)
    what = f"filters, red +{scale:.2g} to blue -{scale:.2g}" if subject == "filters" else "fantasies"
    frames, captions = [], []
    for number, step in enumerate(steps, 1):
        snapshot = reader.snapshot(step)
        frames.append(moment.timelapse_frame(snapshot, shape, subject, order, scale, probe))
        epoch = snapshot.meta.get("epoch")
        at = f"step {step:,}" + (f" · epoch {epoch:.3g}" if isinstance(epoch, (int, float)) else "")
        captions.append(f"{reader.path.name} · {at} · seed {recorded['config'].get('seed', '?')} · {what}")
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
        answer("error", f"No animation could be made: {error}")
        return
    answer("file", len(file))
    answers.write(file)
    answers.flush()


if __name__ == "__main__":
    _main(sys.stdin.buffer, sys.stdout.buffer)
