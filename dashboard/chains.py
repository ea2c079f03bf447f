"""From a page's settings to a film: the request that the sampler answers, and the films made last."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dashboard import drawn, sampler
from dashboard.components.blob import pack
from rbm_core.runs.reader import RunReader, Snapshot

_FILM_BYTES_KEPT = 96_000_000


@dataclass(frozen=True)
class ChainSettings:
    """What a reader chose. hot: the temperature to cool down from, 0 for none. corrupt: per cent of the pixels.

    drawing, held: bits as base64, the picture drawn and the pixels held fixed; empty for none.
    """

    start: str
    chains: int
    sweeps: int
    seed: int
    digit: str = "any"
    drawing: str = ""
    held: str = ""
    corrupt: int = 0
    temperature: float = 1.0
    hot: float = 0.0
    rule: str = "sample"

    def betas(self) -> np.ndarray:
        """(sweeps,): 1/T of each sweep; from hot to cold by equal factors."""
        if not self.hot:
            return np.full(self.sweeps, 1 / self.temperature)
        return 1 / np.geomspace(self.hot, self.temperature, self.sweeps)

    def caption(self, run: str, step: int) -> str:
        """Which run, step and seed a picture shows."""
        heat = f"{self.temperature:g}" if not self.hot else f"{self.hot:g} → {self.temperature:g}"
        return (
            f"run {run} · step {step:,} · {self.chains} chain{'s' * (self.chains > 1)} · {self.sweeps:,} sweeps"
            f" · temperature {heat} · seed {self.seed}"
        )


@dataclass(frozen=True, eq=False)
class Shown:
    """A film as the player takes it, and the picture its first chain starts from, (V,) uint8."""

    blob: bytes
    clean: np.ndarray


class Films:
    """The films made last, newest use last, bounded in bytes: a link opened twice is computed once."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple, Shown] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple, make: Callable[[], Shown]) -> Shown:
        """The film of this key; made, outside the lock, where it is not kept."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        shown = make()
        with self._lock:
            self._kept[key] = shown
            while len(self._kept) > 1 and sum(len(s.blob) for s in self._kept.values()) > _FILM_BYTES_KEPT:
                self._kept.popitem(last=False)
        return shown


def make_film(
    reader: RunReader,
    snapshot: Snapshot,
    settings: ChainSettings,
    on_progress: sampler.Progress | None = None,
) -> Shown:
    """The film of these settings in the machine of this snapshot. Raises SamplerError or DrawingError."""
    film = sampler.SHARED.film(request(reader, snapshot, settings), on_progress)
    header = {
        **film.header,
        "image_shape": image_shape(reader, snapshot),
        "caption": settings.caption(reader.name, snapshot.step),
        "seed": settings.seed,
    }
    return Shown(pack(header, film.arrays), film.arrays["clean"])


def image_shape(reader: RunReader, snapshot: Snapshot) -> tuple[int, int]:
    """(rows, columns) of the pictures of this run; one row where the run does not say."""
    rows, columns = (reader.config().get("data") or {}).get("image_shape") or (1, len(snapshot.vbias))
    return int(rows), int(columns)


def request(reader: RunReader, snapshot: Snapshot, settings: ChainSettings) -> sampler.FilmRequest:
    """What the sampler is asked for. Raises SamplerError for settings out of bounds, DrawingError for a drawing
    that does not fit this machine.
    """
    fields, probe = reader.config()["config"], reader.probe()
    shape = image_shape(reader, snapshot)
    images, images_are = None, ""
    if settings.start == "particles":
        images = snapshot.particles_v.astype(np.float32)
        images_are = "the run's fantasy particles, where training left them"
        if probe is not None and probe.pixel_mean is not None and probe.pixel_std is not None:
            images = images * probe.pixel_std + probe.pixel_mean
    elif settings.start == "drawing":
        if settings.drawing:
            images = drawn.bits_from_text(settings.drawing, shape[0] * shape[1])[None].astype(np.float32)
            images_are = "your drawing"
        else:
            images = np.zeros((1, shape[0] * shape[1]), np.float32)
            images_are = "an empty picture, since nothing is drawn yet"
    held = drawn.bits_from_text(settings.held, shape[0] * shape[1]) if settings.held else None
    starts = {"noise": "bernoulli", "particles": "images", "drawing": "images"}
    return sampler.FilmRequest(
        W=snapshot.W,
        vbias=snapshot.vbias,
        hbias=snapshot.hbias,
        log_var=snapshot.log_var,
        visible=fields.get("visible", "bernoulli"),
        start=starts.get(settings.start, settings.start),
        images=images,
        images_are=images_are,
        n_chains=settings.chains,
        betas=settings.betas(),
        seed=settings.seed,
        digit=None if settings.digit == "any" else int(settings.digit),
        dataset=fields.get("dataset", ""),
        binarisation=fields.get("binarisation", "none"),
        probe=None if probe is None else probe.v,
        probe_labels=None if probe is None else probe.labels,
        mean_field=settings.rule == "mean",
        held=held,
        flipped=settings.corrupt / 100,
        pixel_mean=None if probe is None else probe.pixel_mean,
        pixel_std=None if probe is None else probe.pixel_std,
    )
