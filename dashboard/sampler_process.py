"""The far end of the sampler's pipe: the process that imports torch, runs chains and packs them into films.

A film of S sweeps of B chains (V visible, H hidden units) holds
  v_bits (S + 1, B, ⌈V/8⌉) and h_bits (S, B, ⌈H/8⌉): the states, np.packbits rows; v_bits[0] is the start
  v_half, h_half: the same in half precision, in their place where states are real numbers
  v_start (B, V): the start in half precision where it is not made of zeros and ones
  free_energy (S + 1, B): F(v) in nats at temperature 1
  distance (S + 1, B): pixels that differ from `reference`, cut at one half where they are not 0/1
  clean (V,) uint8: the picture that the first chain starts from, before anything was inverted or let loose
  map_points (N, 2), map_labels (N,), map_path (S + 1, B, 2), if asked for: training images and the chains' states,
  both as p(h|v), on the first two principal components of the training images'
  beta (S,); held (⌈V/8⌉,) where pixels are held; pixel_mean, pixel_std (V,) of Gaussian visible units
Half precision travels as its uint16 bit pattern, which a browser can read.
"""

import hashlib
import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dashboard.sampler import encode, read_message
from rbm_core import datasets, gibbs
from rbm_core.compute import Rng
from rbm_core.rbm import RBM

Arrays = dict[str, np.ndarray]
Report = Callable[[int, int], None]


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
    around = _map_of(rbm, meta, arrays, scale) if meta["with_map"] else None
    path = np.empty((n_sweeps + 1, n_chains, 2), np.float32)

    def keep(t: int, v: Tensor) -> None:
        vs.keep(t, v)
        free_energy[t] = rbm.free_energy(v).numpy()  # of the machine that drew v
        if around is not None:
            path[t] = around.place(rbm.mean_h_from_v(v))
        distance[t] = ((scale.picture(v) > 0.5) != reference).sum(1).numpy()

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
        "clean": np.round(255 * scale.picture(clean[:1])[0].clamp(0, 1).numpy()).astype(np.uint8),
        **scale.arrays,
    }
    if not real_v and not bool(((v_start := vs.first) == (v_start > 0.5)).all()):
        out["v_start"] = _half(v_start)
    if held is not None:
        out["held"] = np.packbits(held.numpy())
    if around is not None:
        out |= {"map_points": around.points, "map_labels": around.labels, "map_path": path}
    header = {
        "map": None if around is None else around.words,
        "n_chains": n_chains,
        "n_sweeps": n_sweeps,
        "n_visible": rbm.n_visible,
        "n_hidden": rbm.n_hidden,
        "visible": rbm.visible,
        "mean_field": mean_field,
        "start_sentence": sentence,
        "band": _band(first, meta, arrays),
        "reference": "the clean picture" if (held is not None or meta["flipped"] > 0) else "its own start",
    }
    return header, out


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


class _Map:
    """Training images as points in a plane: PCA of their hidden probabilities in this machine."""

    fitted, shown = 2000, 700

    def __init__(self, rbm: RBM, meta: dict[str, Any], arrays: Arrays, scale: "_Scale") -> None:
        from sklearn.decomposition import PCA  # a second to import: only when a map is asked for

        images, labels, source = _known_images(meta, arrays, len(arrays["vbias"]), "train")
        pictures = torch.from_numpy(images[: self.fitted])
        if rbm.visible == "bernoulli":
            pictures = _binary(pictures, meta["binarisation"], Rng(0, "gibbs map"))
        hidden = rbm.mean_h_from_v(scale.units(pictures)).numpy()
        pca = PCA(2, random_state=0).fit(hidden)
        self.mean, self.axes = pca.mean_, pca.components_.T
        self.points = self.place(torch.from_numpy(hidden[: self.shown]))
        known = np.full(len(images), 255) if labels is None else labels
        self.labels = known[: self.shown].astype(np.uint8)
        share = 100 * float(pca.explained_variance_ratio_.sum())
        self.words = f"{len(hidden):,} {source}; the plane holds {share:.0f} % of their variance"

    def place(self, hidden: Tensor) -> np.ndarray:
        """(N, H) hidden probabilities -> (N, 2) float32."""
        return ((hidden.numpy() - self.mean) @ self.axes).astype(np.float32)


_maps: dict[tuple, _Map] = {}  # of the machines met last: seeds and temperatures change more often than these


def _map_of(rbm: RBM, meta: dict[str, Any], arrays: Arrays, scale: "_Scale") -> _Map:
    weights = hashlib.sha256(b"".join(arrays[k].tobytes() for k in ("W", "vbias", "hbias"))).digest()
    key = (weights, meta["dataset"], meta["binarisation"], meta["visible"])
    if key not in _maps:
        while len(_maps) >= 8:
            del _maps[next(iter(_maps))]
        _maps[key] = _Map(rbm, meta, arrays, scale)
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
        images, _, source = _known_images(meta, arrays, n_visible, "test")
        return images, source
    for images, labels, source in _sources(meta, arrays, n_visible, "test"):
        if labels is not None and (labels == digit).any():
            return images[labels == digit], f"{source}, class {digit}"
    raise ValueError(
        f"there are no pictures of class {digit} of this run's data on this machine; start from noise instead"
    )


def _known_images(
    meta: dict[str, Any], arrays: Arrays, n_visible: int, part: str
) -> tuple[np.ndarray, np.ndarray | None, str]:
    """(images, labels, what they are) of the first source there is."""
    for found in _sources(meta, arrays, n_visible, part):
        return found
    raise ValueError("there are no pictures of this run's data on this machine; start from noise instead")


def _sources(
    meta: dict[str, Any], arrays: Arrays, n_visible: int, part: str
) -> Iterator[tuple[np.ndarray, np.ndarray | None, str]]:
    for images, labels, source in (_data_images(meta["dataset"], part), _probe(arrays)):
        if images is not None and images.shape[1] == n_visible:
            yield images, labels, source


@cache
def _data_images(name: str, part: str) -> tuple[np.ndarray | None, np.ndarray | None, str]:
    try:
        data = datasets.load(name, n_valid=0)
    except (ValueError, OSError):
        return None, None, ""
    # Copies, so that the rest can be forgotten.
    if part == "test":
        return data.test.copy(), data.test_labels, f"test images of {data.name}"
    some = slice(0, _Map.fitted)
    labels = None if data.train_labels is None else data.train_labels[some].copy()
    return data.train[some].copy(), labels, f"training images of {data.name}"


def _probe(arrays: Arrays) -> tuple[np.ndarray | None, np.ndarray | None, str]:
    if "probe" not in arrays:
        return None, None, ""
    return arrays["probe"].astype(np.float32) / 255, arrays.get("probe_labels"), "the run's own probe images"


def _band(rbm: RBM, meta: dict[str, Any], arrays: Arrays) -> dict[str, Any] | None:
    """Where the free energies of real data lie: 5 %, 50 % and 95 % of the probe cases."""
    images, _, _ = _probe(arrays)
    if images is None or images.shape[1] != rbm.n_visible or rbm.visible != "bernoulli":
        return None
    v = _binary(torch.from_numpy(images), meta["binarisation"], Rng(0, "gibbs band"))
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
    while True:
        meta, arrays = requests.get()
        _answer(meta, arrays, answers, cancelled)


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
