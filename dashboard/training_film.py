"""The training as a film to take away: one frame a kept snapshot, made in a thread while the page goes on."""

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dashboard import films
from dashboard.figures import moment
from rbm_core.runs import RunError, RunReader

SUBJECTS = ("filters", "fantasies")
FORMATS: tuple[films.Format, ...] = ("gif", "webp")
MOST_FRAMES = 48
_MOST_FRAME_PIXELS = 60_000_000  # of all frames: leaves room for captions within films.MOST_PIXELS


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
        format: films.Format,
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
        arguments = (reader, name, list(steps), subject, format, order)
        self.thread = threading.Thread(
            target=self._make, args=arguments, name=f"film-{Path(self.file).stem}", daemon=True
        )
        self.thread.start()

    @property
    def ended(self) -> bool:
        return self.data is not None or self.error is not None

    def _make(
        self,
        reader: RunReader,
        name: str,
        steps: list[int],
        subject: str,
        format: films.Format,
        order: np.ndarray,
    ) -> None:
        try:
            frames, captions = self._frames(reader, name, steps, subject, order)
            self.words = "writing"
            fps = min(12.0, max(2.0, len(frames) / 8))
            self.data = films.animation(frames, fps=fps, captions=captions, format=format)
        except (RunError, films.FilmError, OSError, ValueError, IndexError, MemoryError) as error:
            self.error = f"No film could be made: {error}"

    def _frames(
        self, reader: RunReader, name: str, steps: list[int], subject: str, order: np.ndarray
    ) -> tuple[list[np.ndarray], list[str]]:
        recorded = reader.config()
        last = reader.snapshot(steps[-1])
        shape = moment.image_shape(last.W.shape[0], (recorded.get("data") or {}).get("image_shape"))
        scale = moment.common_scale(last.W)  # one scale for the whole film, so that weights are seen to grow
        frame = moment.film_frame(last, shape, subject, order, scale)
        many = max(2, min(MOST_FRAMES, _MOST_FRAME_PIXELS // (frame.shape[0] * frame.shape[1])))
        if len(steps) > many:
            steps = [steps[round(i * (len(steps) - 1) / (many - 1))] for i in range(many)]
        what = f"filters, red +{scale:.2g} to blue -{scale:.2g}" if subject == "filters" else "fantasies"
        frames, captions = [], []
        for number, step in enumerate(steps, 1):
            snapshot = reader.snapshot(step)
            frames.append(moment.film_frame(snapshot, shape, subject, order, scale))
            epoch = snapshot.meta.get("epoch")
            at = f"step {step:,}" + (f" · epoch {epoch:.3g}" if isinstance(epoch, (int, float)) else "")
            captions.append(f"{name} · {at} · seed {recorded['config'].get('seed', '?')} · {what}")
            self.words = f"{round(50 * number / len(steps))} %"
        return frames, captions
