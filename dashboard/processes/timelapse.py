"""The training as a film to take away: one frame a kept snapshot, made by a process of its own.

Beside the page's server, in a thread, the work would hold up every page and every command for seconds.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

import numpy as np

from dashboard.figures import animation, moment
from rbm_core.runs import RunError, RunReader

REPO = Path(__file__).resolve().parents[2]
SUBJECTS = ("filters", "fantasies")
FORMATS: tuple[animation.Format, ...] = ("gif", "webp")
MOST_FRAMES = 48
_MOST_FRAME_PIXELS = 60_000_000  # of all frames: leaves room for captions within animation.MOST_PIXELS


class Filming:
    """One film in the making. `words` says how far it is; then `data` holds the file, or `error` why there is none.

    order: the hidden units in the order of the page, (n,) int.
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
                f"a film shows {' or '.join(SUBJECTS)} as {' or '.join(FORMATS)}, got {subject!r}, {format!r}"
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
            target=self._wait, args=(wish,), name=f"film-{Path(self.file).stem}", daemon=True
        )
        self.thread.start()

    @property
    def ended(self) -> bool:
        return self.data is not None or self.error is not None

    def _wait(self, wish: dict[str, object]) -> None:
        """Follows the process: lines of words, then the film or why there is none."""
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
                for line in child.stdout:
                    kind, _, words = line.decode().rstrip("\n").partition(" ")
                    if kind == "words":
                        self.words = words
                    elif kind == "error":
                        self.error = words
                    elif kind == "film":
                        film = child.stdout.read(int(words))
                        self.data = film if len(film) == int(words) else None
        except OSError as error:
            self.error = f"No film could be made: {error}"
        if not self.ended:
            self.error = f"No film could be made: its process ended early (exit code {child.returncode})."


def make(
    reader: RunReader,
    steps: Sequence[int],
    subject: str,
    format: animation.Format,
    order: np.ndarray,
    say: Callable[[str], None],
) -> bytes:
    """The file, its progress said in a word or two. RunError, FilmError or OSError where there is none to make."""
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
    scale = moment.common_scale(last.W)  # one scale for the whole film, so that weights are seen to grow
    probe = reader.probe()
    frame = moment.film_frame(last, shape, subject, order, scale, probe)
    many = max(2, min(MOST_FRAMES, _MOST_FRAME_PIXELS // (frame.shape[0] * frame.shape[1])))
    if len(steps) > many:
        steps = [steps[round(i * (len(steps) - 1) / (many - 1))] for i in range(many)]
    what = f"filters, red +{scale:.2g} to blue -{scale:.2g}" if subject == "filters" else "fantasies"
    frames, captions = [], []
    for number, step in enumerate(steps, 1):
        snapshot = reader.snapshot(step)
        frames.append(moment.film_frame(snapshot, shape, subject, order, scale, probe))
        epoch = snapshot.meta.get("epoch")
        at = f"step {step:,}" + (f" · epoch {epoch:.3g}" if isinstance(epoch, (int, float)) else "")
        captions.append(f"{reader.path.name} · {at} · seed {recorded['config'].get('seed', '?')} · {what}")
        say(f"{round(90 * number / len(steps))} %")
    return frames, captions


def _main(wish: IO[bytes], answers: IO[bytes]) -> None:
    if hasattr(os, "nice"):
        os.nice(10)  # the page and the trainer come first

    def tell(kind: str, words: object) -> None:
        answers.write(f"{kind} {' '.join(str(words).split())}\n".encode())
        answers.flush()

    asked = json.loads(wish.read())
    try:
        order = np.array(asked["order"], dtype=np.int64)
        reader = RunReader(Path(asked["path"]))
        film = make(
            reader,
            asked["steps"],
            asked["subject"],
            asked["format"],
            order,
            lambda words: tell("words", words),
        )
    except (RunError, animation.FilmError, OSError, ValueError, IndexError, MemoryError) as error:
        tell("error", f"No film could be made: {error}")
        return
    tell("film", len(film))
    answers.write(film)
    answers.flush()


if __name__ == "__main__":
    _main(sys.stdin.buffer, sys.stdout.buffer)
