"""Estimator "mixing": whether chains from noise and chains from data come to look alike, and how long they remember.

A model that is right only after exactly the k sweeps of its training shows here: its samples get worse beyond k
(Decelle, Furtlehner & Seoane 2021).
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rbm_core.compute import Rng
from rbm_core.diagnostics import (
    adversarial_accuracy,
    autocorrelation,
    autocorrelation_time,
    effective_sample_size,
    moment_distance,
    nearest_case,
)
from rbm_core.evaluation.job import Job, State
from rbm_core.evaluation.subject import Subject
from rbm_core.likelihood.ais import each_sweep, sweeps
from rbm_core.runs.files import halved, tensor_bytes, write_bytes

__all__ = ["mixing"]

_CHUNK = 250  # sweeps between two pause points, at most
_RECORDED = 1000  # sweeps over which the autocorrelation is measured
_PIXELS = 64  # pixels whose autocorrelation times are measured, evenly spaced
_KEPT_IMAGES = 16  # chains whose images are kept at each sampling time
_APART = (
    0.25  # distance of the two medians, in mean widths of their 5 % to 95 % ranges, beyond which they differ
)


def mixing(subject: Subject, settings: Mapping[str, Any], job: Job) -> dict[str, Any]:
    """Two groups of chains, from noise and from test cases, judged at growing sampling times, then their memory."""
    test, seed = subject.cases["test"], settings["seed"]
    n = min(settings["n_chains"], len(test) // 2)
    times = _sampling_times(settings["sweeps"], int(subject.config["k"]))
    v, images = _sampled(subject, job, times, n, seed)
    job.progress["free_energies"] = subject.energy_histogram(v[:n])
    job.progress["moments_of_data"] = round(moment_distance(test[:n], test[n : 2 * n]), 6)
    job.show("Measuring how long the chains remember.", force=True)
    memory = _memory(subject, job, v, seed)
    _write_images(subject, job, images, times)
    end = job.progress["curve"][-1]
    train = subject.pixels(subject.cases["train"])
    _, nearest = nearest_case(subject.pixels(v[:n]), train)
    _, nearest_test = nearest_case(subject.pixels(test[:n]), train)
    return {
        **memory,
        "aa_truth": end["aa_truth"],
        "aa_synthetic": end["aa_synthetic"],
        "nearest_train_samples": float(nearest.median()),
        "nearest_train_test": float(nearest_test.median()),
        **_moments(job.progress),
        "log_z": None,
        "stderr": None,
        **_verdict(end, memory["autocorrelation_time"], settings["sweeps"]),
    }


def _sampling_times(last: int, k: int) -> list[int]:
    """0, 1, 2, 5, 10, … up to `last`, and the k of training among them."""
    marks = {0, k, last} | {a * 10**p for p in range(8) for a in (1, 2, 5)}
    return sorted(t for t in marks if t <= last)


def _sampled(subject: Subject, job: Job, times: list[int], n: int, seed: int) -> tuple[Tensor, list[Tensor]]:
    """The chains (2n, V) after the last of these sweeps, n from noise first, and images at each of the times."""
    test = subject.cases["test"]
    job.progress["total"] = times[-1]
    saved = job.saved()
    if saved is None:
        v, done, first = torch.cat([subject.noise(n, Rng(seed, "mixing-noise")), test[:n]]), 0, 0
        images: list[Tensor] = []
        job.progress |= {"curve": [], "done": 0}
    else:
        tensors, meta = saved
        v, done, first = tensors["v"], int(meta["sweeps"]), int(meta["next"])
        images = [tensors[f"image{i}"] for i in range(int(meta["n_images"]))]
        ours = v.shape == (2 * n, test.shape[1]) and len(images) == len(job.progress["curve"]) == first
        if not (ours and 0 <= first < len(times) and 0 <= done <= times[first]):
            raise ValueError("the saved chains are not those of this evaluation")

    def state() -> State:
        named = {f"image{i}": image for i, image in enumerate(images)}
        return {"v": v, **named}, {"sweeps": done, "next": number, "n_images": len(images)}

    for number in range(first, len(times)):
        while done < times[number]:
            ahead = min(_CHUNK, times[number] - done)
            v = sweeps(subject.rbm, v, ahead, seed=seed, stream=f"mixing-{done}")
            done += ahead
            job.progress["done"] = done
            job.show(f"Sweep {done:,} of {times[-1]:,}.")
            job.pause_point(state)
        job.progress["curve"].append({"sweeps": done, **_judged(subject, v, test[n : 2 * n])})
        images.append(v[: min(n, _KEPT_IMAGES)].clone())
    return v, images


def _judged(subject: Subject, v: Tensor, truth: Tensor) -> dict[str, Any]:
    """Free energies of both groups of chains, and against test cases the first group's adversarial accuracy and
    its distance of second moments.
    """
    n, energies = len(truth), subject.free_energies(v)
    aa_truth, aa_synthetic = adversarial_accuracy(v[:n], truth)
    return {
        "noise": _range(energies[:n]),
        "data": _range(energies[n:]),
        "aa_truth": aa_truth,
        "aa_synthetic": aa_synthetic,
        "moments": round(moment_distance(v[:n], truth), 6),
    }


def _moments(progress: Mapping[str, Any]) -> dict[str, Any]:
    """The least distance of second moments and the sweeps it came after, the last one, and that between two sets of
    test cases; none where an earlier version began the evaluation, which measured none.
    """
    curve = progress["curve"]
    if not all("moments" in one for one in curve):
        return {}
    best = min(curve, key=lambda one: one["moments"])
    return {
        "moments_best": best["moments"],
        "moments_best_sweeps": best["sweeps"],
        "moments_end": curve[-1]["moments"],
        "moments_of_data": progress["moments_of_data"],
    }


def _range(x: np.ndarray) -> list[float]:
    return [round(float(q), 3) for q in np.quantile(x, (0.05, 0.5, 0.95))]


def _memory(subject: Subject, job: Job, v: Tensor, seed: int) -> dict[str, Any]:
    """Autocorrelation times, in sweeps, of the free energy and of single pixels over 1,000 more sweeps."""
    n_pixels = subject.rbm.n_pixels
    pixels = torch.linspace(0, n_pixels - 1, min(_PIXELS, n_pixels)).long()
    energies, values = [], []
    for t, now in enumerate(each_sweep(subject.rbm, v, _RECORDED, seed=seed, stream="correlation")):
        energies.append(subject.free_energies(now))
        values.append(now[:, pixels].numpy())
        if t % 50 == 0:
            job.show(f"Measuring how long the chains remember: sweep {t:,} of {_RECORDED:,}.")
    series, moving = np.stack(energies), np.stack(values)
    pixel_times = [autocorrelation_time(moving[:, :, i]) for i in range(moving.shape[2])]
    pixel_times = [tau for tau in pixel_times if math.isfinite(tau)]
    lags = np.unique(np.geomspace(1, _RECORDED // 2, 60).astype(int))
    rho = autocorrelation(series)
    job.progress["autocorrelation"] = {
        "lag": [0, *lags.tolist()],
        "free_energy": np.round(rho[np.concatenate([[0], lags])], 4).tolist(),
    }
    return {
        "autocorrelation_time": autocorrelation_time(series),
        "effective_samples": effective_sample_size(series),
        "autocorrelation_time_pixels": float(np.median(pixel_times)) if pixel_times else None,
        "recorded_sweeps": _RECORDED,
    }


def _write_images(subject: Subject, job: Job, images: list[Tensor], times: list[int]) -> None:
    packed = torch.stack([subject.pixels(v) for v in images]).numpy()
    packed = halved(packed) if subject.rbm.law.units.real else packed.astype(np.uint8)
    write_bytes(
        job.folder / "samples.safetensors", tensor_bytes({"v": packed, "sweeps": np.array(times)}, {})
    )


def _verdict(end: dict[str, Any], tau: float, last: int) -> dict[str, Any]:
    """Whether noise and data have met after all these sweeps, in one sentence."""
    (low_n, mid_n, high_n), (low_d, mid_d, high_d) = end["noise"], end["data"]
    width = max((high_n - low_n) + (high_d - low_d), 1e-9) / 2
    mixed = abs(mid_n - mid_d) / width <= _APART
    words = (
        f"Mixed: after {last:,} sweeps chains from noise and from data look alike"
        if mixed
        else f"Not mixed: after {last:,} sweeps chains still show where they began"
    )
    return {
        "trusted": mixed,
        "verdict": f"{words}; a chain forgets its free energy in about {tau:,.0f} sweeps.",
    }
