"""The far end of the sampler's pipe: the process that imports torch, runs chains and packs them into films.

A film of S sweeps of B chains (V visible, H hidden units) holds
  v_bits (S + 1, B, ⌈V/8⌉) and h_bits (S, B, ⌈H/8⌉): the states, np.packbits rows; v_bits[0] is the start
  v_half, h_half: the same in half precision, in their place where states are real numbers
  v_start (B, V): the start in half precision where it is not made of zeros and ones
  free_energy (S + 1, B): F(v) in nats at temperature 1
  distance (S + 1, B): pixels that differ from `reference`, cut at one half where they are not 0/1
  clean (B, V) uint8: the pictures that the chains start from, before anything was inverted or let loose
  map_points (N, 2), map_labels (N,), map_path (S + 1, B, 2), if asked for: training images and the chains' states,
  both as p(h|v), on the first two principal components of the training images'
  near_distance (K, B) uint16, near_number (K, B) uint32, if asked for: how many pixels the state after every
  `every`-th sweep (header.nearest) differs from the nearest training image cut at one half, and which one that is;
  near_numbers (U,), near_bits (U, ⌈V/8⌉), near_labels (U,): the images met, by number, 255 for no label
  beta (S,); held (⌈V/8⌉,) where pixels are held; pixel_mean, pixel_std (V,) of Gaussian visible units
Half precision travels as its uint16 bit pattern, which a browser can read.
"""

import hashlib
import io
import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dashboard.processes.sampler import FilmRequest, encode, read_message
from rbm_core import datasets, gibbs
from rbm_core.compute import Rng
from rbm_core.rbm import RBM

Arrays = dict[str, np.ndarray]
Report = Callable[[int, int], None]


PROBE_IMAGES = "the run's own probe images"


class Cancelled(Exception):
    """Nobody waits for this film any more."""


def film(
    meta: dict[str, Any], arrays: Arrays, report: Report = lambda done, total: None
) -> tuple[dict, Arrays]:
    """The film of a FilmRequest: header and arrays. A function of the request alone.

    The chain uses the random stream "gibbs page" of the request's seed and the start the stream "gibbs start", so
    equal seeds meet different models with the same random numbers.
    """
    rbm = RBM.from_numpy(
        arrays["W"], arrays["vbias"], arrays["hbias"], visible=meta["visible"], log_var=arrays.get("log_var")
    )
    first, rng = rbm, Rng(meta["seed"], "gibbs page")
    v, clean, sentence = _start(rbm, meta, arrays)
    held = torch.from_numpy(arrays["held"]) if "held" in arrays else None
    clamp = None if held is None else (held, v)
    betas, mean_field = arrays["betas"], meta["mean_field"]
    n_sweeps, n_chains = len(betas), len(v)
    real_v, real_h = mean_field or rbm.visible == "gaussian", mean_field
    vs, hs = (
        _Layer(n_sweeps + 1, n_chains, rbm.n_visible, real_v),
        _Layer(n_sweeps, n_chains, rbm.n_hidden, real_h),
    )
    free_energy = np.empty((n_sweeps + 1, n_chains), np.float32)
    distance = np.empty((n_sweeps + 1, n_chains), np.uint16)

    chain = gibbs.from_images(rbm, v)
    scale = _Scale(rbm, arrays)
    reference = scale.picture(clean) > 0.5
    # The data set is loaded only for a film that needs it: the first film of a visit has none to wait for.
    known = next(_sources(meta, arrays, rbm.n_visible, "train"), None) if meta["with_map"] else None
    around = _map_of(rbm, meta, scale, known) if known else None
    path = np.empty((n_sweeps + 1, n_chains, 2), np.float32)
    near = None
    if meta["with_nearest"] and (cases := _training_bits(meta, arrays, rbm.n_visible)):
        near = _Nearest(*cases, n_sweeps + 1, n_chains)

    def keep(t: int, v: Tensor) -> None:
        vs.keep(t, v)
        free_energy[t] = rbm.free_energy(v).numpy()  # of the machine that drew v
        if around is not None:
            path[t] = around.place(rbm.mean_h_from_v(v))
        pixels = scale.picture(v) > 0.5
        distance[t] = (pixels != reference).sum(1).numpy()
        if near is not None:
            near.keep(t, pixels.numpy())

    keep(0, chain.v)
    for t, beta in enumerate(betas.tolist()):
        if t == meta["fork_at"]:
            rng = rng if meta["fork_seed"] is None else Rng(meta["fork_seed"], "gibbs page")
            rbm = _forked(rbm, arrays)
        if mean_field:
            h = rbm.mean_h_from_v(chain.v, beta)
            v = rbm.mean_v_from_h(h, beta)
            chain = gibbs.Chain(v if held is None else torch.where(held, clamp[1], v), h, sweep=t + 1)  # type: ignore[index]
        else:
            chain = gibbs.half_step(rbm, chain, rng, beta=beta, clamp=clamp)
            chain = gibbs.half_step(rbm, chain, rng, beta=beta, clamp=clamp)
        hs.keep(t, chain.h)
        keep(t + 1, chain.v)
        report(t + 1, n_sweeps)

    out: Arrays = {
        **vs.named("v"),
        **hs.named("h"),
        "free_energy": free_energy,
        "distance": distance,
        "beta": betas.astype(np.float32),
        "clean": np.round(255 * scale.picture(clean).clamp(0, 1).numpy()).astype(np.uint8),
        **scale.arrays,
    }
    if not real_v and not bool(((v_start := vs.first) == (v_start > 0.5)).all()):
        out["v_start"] = _half(v_start)
    if held is not None:
        out["held"] = np.packbits(held.numpy())
    if around is not None:
        out |= {"map_points": around.points, "map_labels": around.labels, "map_path": path}
    if near is not None:
        out |= near.find(lambda: report(n_sweeps, n_sweeps))
    header = {
        "map": None if around is None else around.words,
        "nearest": None if near is None else {"source": near.source, "every": near.every, "noun": near.noun},
        "n_chains": n_chains,
        "n_sweeps": n_sweeps,
        "n_visible": rbm.n_visible,
        "n_hidden": rbm.n_hidden,
        "visible": rbm.visible,
        "mean_field": mean_field,
        "start_sentence": sentence,
        "band": _band(first, meta, arrays),
        "reference": _reference(meta, arrays),
    }
    return header, out


def _reference(meta: dict[str, Any], arrays: Arrays) -> str:
    """What distances are measured from: what the start was before it was spoilt."""
    if "held" in arrays:
        return "the whole picture"
    return "the clean picture" if meta["flipped"] > 0 else "its own start"


def _forked(rbm: RBM, arrays: Arrays) -> RBM:
    """The machine that takes over at a fork: the same one where no other is given."""
    if "fork_W" not in arrays:
        return rbm
    W, vbias, hbias = (arrays[f"fork_{name}"] for name in ("W", "vbias", "hbias"))
    return RBM.from_numpy(W, vbias, hbias, visible=rbm.visible, log_var=arrays.get("fork_log_var"))


class _Layer:
    """The states of one layer through the film, packed as they come."""

    def __init__(self, n: int, n_chains: int, units: int, real: bool) -> None:
        self.real = real
        width, dtype = (units, np.float16) if real else (-(-units // 8), np.uint8)
        self.states = np.empty((n, n_chains, width), dtype)
        self.first: Tensor = torch.empty(0)

    def keep(self, t: int, x: Tensor) -> None:
        if t == 0:
            self.first = x
        self.states[t] = x.numpy() if self.real else np.packbits(x.numpy() > 0.5, axis=1)

    def named(self, layer: str) -> Arrays:
        return {f"{layer}_half": self.states.view(np.uint16)} if self.real else {f"{layer}_bits": self.states}


class _Nearest:
    """The training image nearest to each state of a film: the one that fewest pixels differ from."""

    most_states, block = 5100, 8192  # some 2 s of one core with 55,000 images; a block stays in its cache

    def __init__(self, bits: np.ndarray, labels: np.ndarray, source: str, n: int, n_chains: int) -> None:
        self.bits, self.labels, self.source = bits, labels, source
        self.noun = "training image" if "training" in source else "probe image"
        self.every = -(-n * n_chains // self.most_states)
        self.states = np.empty((-(-n // self.every), n_chains, bits.shape[1]), np.uint8)

    def keep(self, t: int, pixels: np.ndarray) -> None:
        if t % self.every == 0:
            self.states[t // self.every] = np.packbits(pixels, axis=1)

    def find(self, report: Callable[[], None]) -> Arrays:
        """The film's arrays named near_…, by counting the bits in which packed rows differ."""
        known, asked = _words(self.bits).T, _words(self.states.reshape(-1, self.states.shape[2]))
        distance, number = np.full(len(asked), 0xFFFF, np.uint16), np.zeros(len(asked), np.uint32)
        for low in range(0, known.shape[1], self.block):
            some = np.ascontiguousarray(known[:, low : low + self.block])
            differ, counts, sums = (
                np.empty_like(some),
                np.empty(some.shape, np.uint8),
                np.empty(some.shape[1], np.uint16),
            )
            for i, state in enumerate(asked):
                np.bitwise_xor(some, state[:, None], out=differ)
                np.bitwise_count(differ, out=counts)
                np.add.reduce(counts, axis=0, dtype=np.uint16, out=sums)
                k = int(sums.argmin())
                if sums[k] < distance[i]:
                    distance[i], number[i] = sums[k], low + k
                if i % 256 == 0:
                    report()
        numbers = np.unique(number)
        return {
            "near_distance": distance.reshape(self.states.shape[:2]),
            "near_number": number.reshape(self.states.shape[:2]),
            "near_numbers": numbers,
            "near_bits": self.bits[numbers],
            "near_labels": self.labels[numbers],
        }


def _words(rows: np.ndarray) -> np.ndarray:
    """Packed rows (N, bytes) as whole 64-bit words (N, W), padded with zeros."""
    padded = np.zeros((len(rows), -(-rows.shape[1] // 8) * 8), np.uint8)
    padded[:, : rows.shape[1]] = rows
    return padded.view(np.uint64)


class _Map:
    """Training images as points in a plane: PCA of their hidden probabilities in this machine."""

    fitted, shown = 2000, 700

    def __init__(self, rbm: RBM, meta: dict[str, Any], scale: "_Scale", known: "_Cases") -> None:
        from sklearn.decomposition import PCA  # a second to import: only when a map is asked for

        images, labels, source = known
        pictures = torch.from_numpy(images[: self.fitted])
        if rbm.visible == "bernoulli":
            pictures = _binary(pictures, meta["binarisation"], Rng(0, "gibbs map"))
        hidden = rbm.mean_h_from_v(scale.units(pictures)).numpy()
        with np.errstate(
            invalid="ignore"
        ):  # units that answer alike to everything leave no variance to share out
            pca = PCA(2, random_state=0).fit(hidden)
        self.mean, self.axes = pca.mean_, pca.components_.T
        self.points = self.place(torch.from_numpy(hidden[: self.shown]))
        self.labels = _small(labels, len(images))[: self.shown]
        share = 100 * float(np.nan_to_num(pca.explained_variance_ratio_).sum())
        plane = f"their first two principal components hold {share:.0f} % of the variance"
        self.words = f"{_counted(len(hidden), source)}; {plane}"

    def place(self, hidden: Tensor) -> np.ndarray:
        """(N, H) hidden probabilities -> (N, 2) float32."""
        return ((hidden.numpy() - self.mean) @ self.axes).astype(np.float32)


_maps: dict[tuple, _Map] = {}  # of the machines met last: seeds and temperatures change more often than these


def _map_of(rbm: RBM, meta: dict[str, Any], scale: "_Scale", known: "_Cases") -> _Map:
    weights = hashlib.sha256(b"".join(x.numpy().tobytes() for x in (rbm.W, rbm.vbias, rbm.hbias))).digest()
    key = (weights, known[2], meta["binarisation"], meta["visible"])
    if key not in _maps:
        while len(_maps) >= 8:
            del _maps[next(iter(_maps))]
        _maps[key] = _Map(rbm, meta, scale, known)
    return _maps[key]


class _Scale:
    """How visible units stand for grey values: as they are, or standardised where they are Gaussian."""

    def __init__(self, rbm: RBM, arrays: Arrays) -> None:
        known = rbm.visible == "gaussian" and "pixel_mean" in arrays and "pixel_std" in arrays
        self.arrays = {k: arrays[k].astype(np.float32) for k in ("pixel_mean", "pixel_std")} if known else {}
        self.mean = torch.from_numpy(self.arrays["pixel_mean"]) if known else torch.zeros(rbm.n_visible)
        self.std = torch.from_numpy(self.arrays["pixel_std"]) if known else torch.ones(rbm.n_visible)

    def picture(self, v: Tensor) -> Tensor:
        return v * self.std + self.mean

    def units(self, picture: Tensor) -> Tensor:
        return (picture - self.mean) / self.std


def _half(x: Tensor) -> np.ndarray:
    return x.numpy().astype(np.float16).view(np.uint16)


def _start(rbm: RBM, meta: dict[str, Any], arrays: Arrays) -> tuple[Tensor, Tensor, str]:
    """(the start (B, V), what distances are measured from (B, V), one sentence about it)."""
    rng, n = Rng(meta["seed"], "gibbs start"), meta["n_chains"]
    scale = _Scale(rbm, arrays)
    chains = "one chain starts" if n == 1 else f"{n} chains start"
    if meta["start"] == "gaussian":
        v = gibbs.from_gaussian_noise(rbm, n, rng).v
        seen = (
            "which only the first half step sees" if rbm.visible == "bernoulli" else "a value for each unit"
        )
        return v, v, f"Start: {chains} from Gaussian noise N(0, 1), {seen}."
    if meta["start"] == "bernoulli":
        v = scale.units(gibbs.from_bernoulli_noise(rbm, n, rng).v)
        return v, v, f"Start: {chains} from noise, each pixel on or off by the toss of a fair coin."
    if meta["start"] == "digits":
        images, source = _digits(meta, arrays)
        order = rng.permutation(len(images))[torch.arange(n) % len(images)]
        picture, sentence = torch.from_numpy(images[order.numpy()]), f"Start: {chains} from {source}."
    else:
        images = arrays["images"]
        picture = torch.from_numpy(images[np.arange(n) % len(images)].astype(np.float32))
        sentence = f"Start: {chains} from {meta['images_are']}."
    binarisation = "none" if rbm.visible == "gaussian" else meta["binarisation"]
    picture = clean = _binary(picture, binarisation, rng)
    if meta["flipped"] > 0:
        flips = rng.uniform(tuple(clean.shape)) < meta["flipped"]
        picture = torch.where(flips, 1 - clean, clean)
        sentence = sentence[:-1] + f", with {100 * meta['flipped']:.0f} % of the pixels inverted at random."
    if "held" in arrays:
        held = torch.from_numpy(arrays["held"])
        picture = torch.where(held, picture, (rng.uniform(tuple(clean.shape)) < 0.5).to(picture.dtype))
        sentence = sentence[:-1] + f"; {int(held.sum())} pixels are held fixed, the others begin as noise."
    return scale.units(picture), scale.units(clean), sentence


def _binary(images: Tensor, binarisation: str, rng: Rng) -> Tensor:
    """Images as the run saw them in training: grey pixels tossed, cut at one half, or left grey."""
    if binarisation == "stochastic":
        return (rng.uniform(tuple(images.shape)) < images).to(images.dtype)
    return (images >= 0.5).to(images.dtype) if binarisation == "threshold" else images


def _digits(meta: dict[str, Any], arrays: Arrays) -> tuple[np.ndarray, str]:
    """Test images of the run's data where they are on this machine, else the run's own probe cases."""
    digit, n_visible = meta["digit"], len(arrays["vbias"])
    if digit is None:
        for images, _, source in _sources(meta, arrays, n_visible, "test"):
            return images, source
        raise ValueError("there are no pictures of this run's data on this machine; start from noise instead")
    for images, labels, source in _sources(meta, arrays, n_visible, "test"):
        if labels is not None and (labels == digit).any():
            return images[labels == digit], f"{source}, class {digit}"
    raise ValueError(
        f"there are no pictures of class {digit} of this run's data on this machine; start from noise instead"
    )


_Cases = tuple[np.ndarray, np.ndarray | None, str]
"""Images (N, V) in [0, 1], their labels or None, and what they are."""


def _sources(meta: dict[str, Any], arrays: Arrays, n_visible: int, part: str) -> Iterator[_Cases]:
    if (data := _data(meta, n_visible)) is not None:
        yield data.test if part == "test" else data.train
    if (probe := _probe(arrays)) is not None and probe[0].shape[1] == n_visible:
        yield probe


@dataclass(frozen=True, eq=False)
class _Data:
    """What films need of a data set: the test set and some training images, and every training image cut at one
    half, packed, with its label.
    """

    test: _Cases
    train: _Cases
    bits: np.ndarray
    labels: np.ndarray
    fingerprint: str


def _data(meta: dict[str, Any], n_visible: int) -> _Data | None:
    """The run's own data where this machine has the very same, else None."""
    data = _loaded(meta["dataset"], meta["n_valid"])
    if data is None or data.test[0].shape[1] != n_visible:
        return None
    return data if meta["fingerprint"] in ("", data.fingerprint) else None


@cache
def _loaded(name: str, n_valid: int) -> _Data | None:
    try:
        data = datasets.load(name, n_valid=n_valid)
    except (ValueError, OSError):
        return None
    # Copies, so that the rest can be forgotten.
    some = slice(0, _Map.fitted)
    return _Data(
        test=(data.test.copy(), data.test_labels, f"test images of {data.name}"),
        train=(
            data.train[some].copy(),
            None if data.train_labels is None else data.train_labels[some].copy(),
            f"training images of {data.name}",
        ),
        bits=np.packbits(data.train >= 0.5, axis=1),
        labels=_small(data.train_labels, len(data.train)),
        fingerprint=data.fingerprint,
    )


def _training_bits(
    meta: dict[str, Any], arrays: Arrays, n_visible: int
) -> tuple[np.ndarray, np.ndarray, str] | None:
    """(packed images, labels, what they are): the run's training set, else its probe images, else None."""
    if (data := _data(meta, n_visible)) is not None:
        return data.bits, data.labels, _counted(len(data.bits), data.train[2])
    probe = _probe(arrays)
    if probe is None or probe[0].shape[1] != n_visible:
        return None
    images, labels, source = probe
    missing = f", since its data ({meta['dataset']}) are not on this machine"
    return (
        np.packbits(images >= 0.5, axis=1),
        _small(labels, len(images)),
        _counted(len(images), source) + missing,
    )


def _counted(n: int, source: str) -> str:
    """So many of these images: "2,000 training images of mnist", "the run's own 100 probe images"."""
    return PROBE_IMAGES.replace("probe", f"{n:,} probe") if source == PROBE_IMAGES else f"{n:,} {source}"


def _small(labels: np.ndarray | None, n: int) -> np.ndarray:
    """Labels as uint8, 255 where there are none."""
    return np.full(n, 255, np.uint8) if labels is None else labels.astype(np.uint8)


def _probe(arrays: Arrays) -> _Cases | None:
    if "probe" not in arrays:
        return None
    return arrays["probe"].astype(np.float32) / 255, arrays.get("probe_labels"), PROBE_IMAGES


def _band(rbm: RBM, meta: dict[str, Any], arrays: Arrays) -> dict[str, Any] | None:
    """Where the free energies of real data lie: 5 %, 50 % and 95 % of the probe cases."""
    probe = _probe(arrays)
    if probe is None or probe[0].shape[1] != rbm.n_visible or rbm.visible != "bernoulli":
        return None
    v = _binary(torch.from_numpy(probe[0]), meta["binarisation"], Rng(0, "gibbs band"))
    low, middle, high = np.quantile(rbm.free_energy(v).numpy(), [0.05, 0.5, 0.95])
    return {
        "low": float(low),
        "middle": float(middle),
        "high": float(high),
        "label": f"{len(v)} images of the data",
    }


def main() -> None:
    """Answers requests until the pipe ends, which it does when the app goes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the app's terminal is the app's to obey
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # a stray print must not end up among the answers
    requests: queue.SimpleQueue = queue.SimpleQueue()
    cancelled: set[int] = set()

    def listen() -> None:
        while (message := read_message(sys.stdin.buffer)) is not None:
            if message[0]["kind"] == "cancel":
                cancelled.add(message[0]["id"])
            else:
                requests.put(message)
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    if requests.empty():
        _warm_up()
    while True:
        meta, arrays = requests.get()
        _answer(meta, arrays, answers, cancelled)


def _warm_up() -> None:
    """One sweep of a small machine, so that what is loaded at its first use is there before the first request."""
    few = np.zeros(8, np.float32)
    small = FilmRequest(np.zeros((8, 8), np.float32), few, few, "bernoulli", 1, np.ones(1), 0)
    request = read_message(io.BytesIO(small.message(0)))
    assert request is not None
    film(*request)


def _answer(meta: dict[str, Any], arrays: Arrays, answers: Any, cancelled: set[int]) -> None:
    number, said = meta["id"], time.monotonic()

    def send(message: dict[str, Any], arrays: Arrays | None = None) -> None:
        answers.write(encode({"id": number, **message}, arrays))
        answers.flush()

    def report(done: int, total: int) -> None:
        nonlocal said
        if number in cancelled:
            raise Cancelled
        if time.monotonic() - said > 0.2:
            said = time.monotonic()
            send({"kind": "progress", "done": done, "total": total})

    try:
        if number in cancelled:
            return
        header, film_arrays = film(meta, arrays, report)
        json.dumps(header, allow_nan=False)
        send({"kind": "film", "header": header}, film_arrays)
    except Cancelled:
        return
    except (ValueError, MemoryError) as error:
        send(
            {
                "kind": "error",
                "sentence": " ".join(str(error).split()) or "there was not enough memory for this film",
            }
        )
    except Exception as error:  # the process must outlive a request it cannot serve
        send(
            {
                "kind": "error",
                "sentence": f"the sampler could not make this film: {type(error).__name__}: {error}",
            }
        )
        traceback.print_exception(error)
    finally:
        cancelled.discard(number)


if __name__ == "__main__":
    main()
