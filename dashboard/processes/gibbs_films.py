"""Gibbs films: from a page's settings to requests of the sampler, and from its answers to one film for the player.

A film of chains in the model of one snapshot is one request. The same chains can be shown beside it in the models of
earlier snapshots, or with another temperature, seed or model from some sweep on. Each of these is a request of its own,
and their films are joined into one, side by side.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import numpy as np

from dashboard.figures import cases, drawings
from dashboard.processes import sampler
from rbm_core.pixels import PixelScale
from rbm_core.runs import RunReader, Snapshot
from rbm_core.runs.files import halved
from rbm_core.visible import units_of

_SIDE_BY_SIDE = (
    *("v_bits", "v_half", "v_start", "y_half", "h_bits", "h_half", "free_energy", "distance", "map_path"),
    *("near_distance", "near_number"),
)
_SHARED = (
    "clean",
    "held",
    *PixelScale.ARRAYS,
    "map_points",
    "map_labels",
)  # arrays that are the same in all of them
_START = ("start", "digit", "particles_of", "drawing", "held", "corrupt")  # what the chains begin with
AGES = 6  # snapshots side by side


@dataclass(frozen=True)
class ChainSettings:
    """The chains that a reader chose.

    label: the label that is held, of a run with label units; None: it is drawn with the pixels. particles_of: another
    run whose particles the chains start from, with their step; None for this run's. drawing, held: the picture drawn
    and the pixels held fixed, bits as base64; empty for none. corrupt: the share of pixels inverted at the start, in
    per cent. hot: the temperature from which the chains are cooled; 0: they are not cooled. beside: "nothing"; "ages":
    the same start and random numbers in earlier snapshots; "whatif": the same chains, which from sweep `fork` on run
    at if_temperature, with other random numbers if if_seed, and in the model of if_step unless that is None.
    """

    start: str
    chains: int
    sweeps: int
    seed: int
    digit: str = "any"
    label: int | None = None
    particles_of: tuple[str, int] | None = None
    drawing: str = ""
    held: str = ""
    corrupt: int = 0
    temperature: float = 1.0
    hot: float = 0.0
    rule: str = "sample"
    beside: str = "nothing"
    fork: int = 0
    if_temperature: float = 1.5
    if_seed: bool = False
    if_step: int | None = None

    @property
    def has_map(self) -> bool:
        """Whether one map can show all chains: its axes are hidden units, and each model has its own."""
        return self.beside == "nothing" or (self.beside == "whatif" and self.if_step is None)

    def betas(self) -> np.ndarray:
        """1/T of each sweep, (sweeps,); chains that are cooled go from hot to cold by equal factors."""
        if not self.hot:
            return np.full(self.sweeps, 1 / self.temperature)
        return 1 / np.geomspace(self.hot, self.temperature, self.sweeps)

    def words(self) -> str:
        """What determines the chains besides run, step and seed, in words."""
        heat = f"{self.temperature:g}" if not self.hot else f"{self.hot:g} → {self.temperature:g}"
        return (
            f"{self.chains} chain{'s' * (self.chains > 1)} · {self.sweeps:,} sweep{'s' * (self.sweeps > 1)}"
            f" · temperature {heat}{' · mean field' * (self.rule == 'mean')}"
            + ("" if self.label is None else f" · label {self.label} held")
        )


@dataclass(frozen=True, eq=False)
class Shown:
    """A film as the player takes it: header["version"] tells it from every other film.

    The arrays are those of rbm_core/trajectory, of the groups side by side, and W (M, V, H) in the
    bit pattern of half precision, vbias (M, V) and hbias (M, H), the M models that ran them, with label_W (M, K, H)
    where labels are drawn; machine (G, S): the
    number of the model of each sweep of each group; beta (G, S): its inverse temperature.
    """

    header: dict[str, Any]
    arrays: dict[str, np.ndarray]

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in self.arrays.values())


def ages(steps: list[int], chosen: int) -> list[int]:
    """At most AGES of the kept steps up to the chosen one, evenly spaced among them: the first, ..., the chosen."""
    until = [step for step in steps if step < chosen] + [chosen]
    return [until[k] for k in sorted({round(k) for k in np.linspace(0, len(until) - 1, AGES)})]


def make_film(
    reader: RunReader,
    snapshot: Snapshot,
    settings: ChainSettings,
    snapshot_at: Callable[[int], Snapshot],
    on_progress: sampler.Progress | None = None,
    *,
    other: RunReader | None = None,
    with_map: bool = True,
    with_nearest: bool = True,
) -> Shown:
    """The film of these settings in the model of this snapshot, with the chains that are shown beside it.

    snapshot_at: reads the run's snapshot of a step. other: the run of settings.particles_of. with_map: lay the chains
    among training images too, where settings.has_map. with_nearest: find the training image nearest to each state
    too. Raises SamplerError, DrawingError or RunError.
    """
    alone = replace(
        request(reader, snapshot, settings, other),
        with_map=with_map and settings.has_map,
        with_nearest=with_nearest,
    )
    steps = ages(reader.snapshot_steps(), snapshot.step) if settings.beside == "ages" else []
    if steps:
        parts = _at_each_age(alone, steps, snapshot, settings, snapshot_at)
    elif settings.beside == "whatif":
        parts = {"as it was": alone, "what if": _what_if(alone, snapshot, settings, snapshot_at)}
    else:
        parts = {"as it was": alone}
    if alone.penalty is not None:
        parts = _without_empty_places(parts)
    _check_size(list(parts.values()))
    made = [
        sampler.SHARED.film(part, _share(on_progress, done, len(parts)))
        for done, part in enumerate(parts.values())
    ]
    header, arrays = _side_by_side(list(parts), list(parts.values()), made)
    header |= {
        "version": uuid4().hex,
        "image_shape": image_shape(reader, snapshot),
        "of": {"run": reader.name, "step": snapshot.step, "seed": settings.seed, "more": settings.words()},
        "labels": list(reader.class_names() or map(str, range(snapshot.n_labels))),
        "start": [getattr(settings, name) for name in _START],
        "steps": steps,
        "fork": settings.fork if settings.beside == "whatif" else None,
        "map_pending": settings.has_map and not with_map,
        "nearest_pending": not with_nearest,
    }
    return Shown(cases.dressed(header, reader.config()), arrays)


def _at_each_age(
    alone: sampler.FilmRequest,
    steps: list[int],
    chosen: Snapshot,
    settings: ChainSettings,
    snapshot_at: Callable[[int], Snapshot],
) -> dict[str, sampler.FilmRequest]:
    """The same start and random numbers in the model of each step, with as many chains as fit side by side."""
    n_chains = min(alone.n_chains, sampler.MAX_FILM_CHAINS // len(steps))
    parts = {}
    for step in steps:
        aged = chosen if step == chosen.step else snapshot_at(step)
        parts[f"step {step:,}"] = replace(alone, n_chains=n_chains, **_model_of(aged, settings.label))
    return parts


def _model_of(snapshot: Snapshot, label: int | None) -> dict[str, Any]:
    """The model in a FilmRequest's fields: the weights of a label that is held join the hidden biases."""
    model = {name: getattr(snapshot, name) for name in ("W", "vbias", "hbias", "log_var")}
    if snapshot.label_W is None:
        return model
    if label is None:
        return {**model, "label_W": snapshot.label_W, "label_bias": snapshot.label_bias}
    return {**model, "hbias": snapshot.hbias + snapshot.label_W[label]}


def _without_empty_places(parts: dict[str, sampler.FilmRequest]) -> dict[str, sampler.FilmRequest]:
    """The requests without the columns of ordered units that none of their models uses: the chains' laws are the same,
    and no coins are shown that nothing depends on.
    """
    models = [model for part in parts.values() for model in (part.model(), part.model("fork_")) if model]
    used = np.any([model["W"].any(axis=0) | (model["hbias"] != 0) for model in models], axis=0)
    n = max(1, int(np.flatnonzero(used).max(initial=-1)) + 1)
    # By its memory: a model that several parts share stays one.
    kept: dict[int, Any] = {
        id(model[name]): model[name][..., :n] for model in models for name in ("W", "hbias")
    }

    def narrowed(part: sampler.FilmRequest) -> sampler.FilmRequest:
        names = ("W", "hbias", "fork_W", "fork_hbias")
        cut: dict[str, Any] = {name: kept.get(id(getattr(part, name))) for name in names}
        return replace(part, **cut)

    return {label: narrowed(part) for label, part in parts.items()}


def _check_size(parts: list[sampler.FilmRequest]) -> None:
    size = sum(part.film_bytes() for part in parts)
    if size > sampler.MAX_FILM_BYTES:
        raise sampler.SamplerError(
            f"{len(parts)} films side by side would be {size / 1e6:.0f} MB, and the player takes "
            f"{sampler.MAX_FILM_BYTES / 1e6:.0f} MB: choose fewer chains or sweeps"
        )


def _what_if(
    was: sampler.FilmRequest,
    snapshot: Snapshot,
    settings: ChainSettings,
    snapshot_at: Callable[[int], Snapshot],
) -> sampler.FilmRequest:
    """The same film, whose temperature, random numbers or model change after sweep `fork`."""
    betas = was.betas.copy()
    betas[settings.fork :] = 1 / settings.if_temperature
    changed = replace(was, betas=betas, fork_at=settings.fork)
    if settings.if_seed:
        changed = replace(changed, fork_seed=settings.seed + 1)
    if settings.if_step is not None and settings.if_step != snapshot.step:
        other = _model_of(snapshot_at(settings.if_step), settings.label)
        changed = replace(changed, **{f"fork_{name}": array for name, array in other.items()})
    return changed


def _share(on_progress: sampler.Progress | None, done: int, parts: int) -> sampler.Progress | None:
    """Progress through all parts, reported while one of them is made."""
    if on_progress is None:
        return None
    return lambda sweep, total: on_progress(done * total + sweep if sweep or done else 0, parts * total)


def _side_by_side(
    labels: list[str], requests: list[sampler.FilmRequest], made: list[sampler.Film]
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Several films of equal size as one, the groups' chains one after another: header and arrays of a Shown."""
    first = made[0]
    arrays: dict[str, np.ndarray] = {
        name: np.concatenate([film.arrays[name] for film in made], axis=0 if name == "v_start" else 1)
        for name in _SIDE_BY_SIDE
        if name in first.arrays
    }
    arrays |= _nearest_of_all(made)
    arrays |= {name: first.arrays[name] for name in _SHARED if name in first.arrays}
    arrays |= _models(requests)
    arrays["beta"] = np.stack([film.arrays["beta"] for film in made])
    header = {
        **first.header,
        "groups": labels if len(labels) > 1 else [""],
        "n_chains": len(made) * first.header["n_chains"],
    }
    if len(arrays["W"]) > 1:
        header["band"] = None  # free energies of different models differ by their log Z
    return header, arrays


def _nearest_of_all(made: list[sampler.Film]) -> dict[str, np.ndarray]:
    """The nearest training images of all films, each once; empty where the requests did not want them."""
    if "near_numbers" not in made[0].arrays:
        return {}
    numbers, at = np.unique(np.concatenate([film.arrays["near_numbers"] for film in made]), return_index=True)
    rest = {
        name: np.concatenate([film.arrays[name] for film in made])[at]
        for name in ("near_bits", "near_labels")
    }
    return {"near_numbers": numbers, **rest}


def _models(requests: list[sampler.FilmRequest]) -> dict[str, np.ndarray]:
    """The models of these films, each once, and `machine`: the number of the model of each sweep of each film."""
    met: list[dict[str, np.ndarray]] = []

    def number(model: dict[str, np.ndarray]) -> int:
        for k, known in enumerate(met):
            if known["W"] is model["W"]:
                return k
        met.append(model)
        return len(met) - 1

    schedule = np.zeros((len(requests), len(requests[0].betas)), np.uint8)
    for g, part in enumerate(requests):
        schedule[g] = number(part.model())
        if part.fork_W is not None:
            schedule[g, part.fork_at :] = number(part.model("fork_"))
    W = halved(np.stack([model["W"] for model in met]))
    arrays: dict[str, np.ndarray] = {
        "W": W if W.dtype == np.float32 else W.view(np.uint16),
        "vbias": np.stack([model["vbias"].astype(np.float32) for model in met]),
        "hbias": np.stack([model["hbias"].astype(np.float32) for model in met]),
        "machine": schedule,
    }
    if all("label_W" in model for model in met):
        arrays["label_W"] = np.stack([model["label_W"].astype(np.float32) for model in met])
    if all("log_var" in model for model in met):
        arrays["h_gain"] = np.stack([np.exp(-model["log_var"]).astype(np.float32) for model in met])
    return arrays


def image_shape(reader: RunReader, snapshot: Snapshot) -> tuple[int, int]:
    """(rows, columns) of this run's pictures; one row where the run does not record them."""
    rows, columns = (reader.config().get("data") or {}).get("image_shape") or (1, len(snapshot.vbias))
    return int(rows), int(columns)


def request(
    reader: RunReader, snapshot: Snapshot, settings: ChainSettings, other: RunReader | None = None
) -> sampler.FilmRequest:
    """The request to the sampler. other: the run of settings.particles_of.

    Raises SamplerError for settings out of bounds, DrawingError for a drawing that does not fit this model,
    Raises RunError for particles that cannot be read.
    """
    config, probe = reader.config(), reader.probe()
    fields = config["config"]
    rows, columns = image_shape(reader, snapshot)
    images, images_are = _start_images(reader, snapshot, settings, other)
    held = drawings.bits_from_text(settings.held, rows * columns) if settings.held else None
    if held is not None and not held.any():
        held = None  # then the chains start from the whole picture
    starts = {"noise": "bernoulli", "particles": "images", "drawing": "images"}
    return sampler.FilmRequest(
        **_model_of(snapshot, settings.label),
        visible=units_of(fields).name,
        penalty=snapshot.meta.get("penalty"),
        start=starts.get(settings.start, settings.start),
        images=images,
        images_are=images_are,
        n_chains=settings.chains,
        betas=settings.betas(),
        seed=settings.seed,
        digit=None if settings.digit == "any" else int(settings.digit),
        dataset=fields.get("dataset", ""),
        n_valid=int(fields.get("n_valid") or 0),
        fingerprint=str((config.get("data") or {}).get("fingerprint") or ""),
        binarisation=fields.get("binarisation", "none"),
        probe=None if probe is None else probe.v,
        probe_labels=None if probe is None else probe.labels,
        mean_field=settings.rule == "mean",
        held=held,
        flipped=settings.corrupt / 100,
        scale=None if probe is None else probe.scale,
    )


def _start_images(
    reader: RunReader, snapshot: Snapshot, settings: ChainSettings, other: RunReader | None
) -> tuple[np.ndarray | None, str]:
    """(images (n, V), what they are) for a start from particles or from a drawing; (None, "") for another one."""
    if settings.start == "particles":
        images, images_are = (
            _particles(reader, snapshot),
            "the run's fantasy particles, where training left them",
        )
        if other is not None and settings.particles_of is not None:
            name, step = settings.particles_of
            images = _particles(other, other.snapshot(step))
            images_are = f"the fantasy particles of run {name}, step {step:,}"
        return images if units_of(reader.config()["config"]).real else np.clip(images, 0, 1), images_are
    if settings.start != "drawing":
        return None, ""
    rows, columns = image_shape(reader, snapshot)
    if not settings.drawing:
        empty = np.zeros((1, rows * columns), np.float32)
        return empty, "an empty picture, since nothing is drawn yet"
    bits = drawings.bits_from_text(settings.drawing, rows * columns)
    return bits[None].astype(np.float32), "your drawing"


def _particles(reader: RunReader, snapshot: Snapshot) -> np.ndarray:
    """(n, V) float32: the particles of a run as pixels; those of Gaussian units may lie beyond black and white."""
    v, probe = snapshot.particles_v.astype(np.float32), reader.probe()
    return v if probe is None or probe.scale is None else probe.scale.grey(v)
