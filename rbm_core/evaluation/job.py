"""Evaluate a recorded run: `python -m rbm_core.evaluation FOLDER --estimator bracket`, or `evaluate(...)`.

Reads a snapshot, never the trainer's own state, so a run may go on training meanwhile. What is worked out is
saved every few seconds under evaluations/ in the run's folder; the same question asked again after an
interruption goes on from there, bit for bit. The answer is one line of likelihood.jsonl.
"""

import argparse
import math
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rbm_core import datasets
from rbm_core.compute import Rng
from rbm_core.diagnostics import (
    adversarial_accuracy,
    autocorrelation,
    autocorrelation_time,
    effective_sample_size,
    nearest_case,
)
from rbm_core.likelihood.ais import (
    Bracket,
    adaptive_betas,
    base_rate,
    prepare_ais,
    prepare_reverse_ais,
    sweeps,
    temperatures,
    tempered_samples,
)
from rbm_core.likelihood.annealing import AISResult, Annealing, Direction
from rbm_core.likelihood.exact import exact_log_z
from rbm_core.likelihood.pseudo import stochastic_pseudo_log_likelihood
from rbm_core.pixels import PixelScale, as_bytes, cut
from rbm_core.rbm import RBM
from rbm_core.runs.evaluation_record import ESTIMATORS, evaluation_folder, evaluation_id, read_evaluation
from rbm_core.runs.files import (
    RunError,
    SnapshotError,
    hold_lock,
    one_line,
    read_tensors,
    tensor_bytes,
    write_bytes,
    write_json,
)
from rbm_core.runs.reader import RunReader
from rbm_core.runs.recorder import Recorder
from rbm_core.runs.snapshot import Snapshot, read_snapshot, snapshot_file

__all__ = ["Interrupted", "evaluate", "main"]

OnProgress = Callable[[dict[str, Any]], None]

SAVE_S = 5.0  # how often the state is saved: as much as a killed evaluation computes again
SHOW_S = 0.5  # how often progress.json is replaced
_MOST_CHAINS = 10_000
_CHUNK = 250  # temperatures or sweeps between two looks at the clock
_SETTLE = 1000  # sweeps of the run's persistent chains before reverse AIS begins at them
_SHOWN_CASES = 400  # free energies of each kind kept for the histogram
_TRACE = 160  # points of the log-weights' curve


class Interrupted(Exception):
    """An evaluation stopped on request, its state saved; the same call goes on from there."""


def evaluate(
    path: Path | str,
    *,
    step: int | None = None,
    estimator: str = "bracket",
    betas: str | int = "salakhutdinov-murray",
    n_chains: int = 100,
    seed: int = 0,
    precision: str = "auto",
    sweeps_max: int = 100_000,
    on_progress: OnProgress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> dict[str, Any]:
    """The row appended to the run's likelihood.jsonl: log_z, stderr, train/valid/test nats, verdict and
    settings.

    step: a snapshot's, the newest if None. estimator: one of ESTIMATORS. betas: "salakhutdinov-murray",
    "adaptive" or a number of equal steps. sweeps_max: the longest sampling time of estimator "mixing".
    on_progress: called with the content of progress.json. Raises RunError in one sentence for what cannot be
    evaluated, Interrupted when should_stop says so; nothing is lost then.
    """
    path = Path(path)
    if estimator not in ESTIMATORS:
        raise RunError(f"no estimator {estimator!r}; there are: {', '.join(ESTIMATORS)}")
    reader = RunReader(path)
    config = reader.config()["config"]
    steps = reader.snapshot_steps()
    if not steps:
        raise RunError(f"run {path.name!r} has no snapshot yet; wait until its trainer has written one")
    step = steps[-1] if step is None else step
    settings: dict[str, Any] = {"seed": seed}
    if not 0 <= seed < 2**64:
        raise RunError(f"seed must lie in 0 … 2^64 − 1, got {seed}")
    if estimator in ("bracket", "ais", "reverse", "mixing") and not 2 <= n_chains <= _MOST_CHAINS:
        raise RunError(f"n_chains must be at least 2 and at most {_MOST_CHAINS:,}, got {n_chains:,}")
    if estimator in ("bracket", "ais", "reverse"):
        if betas != "adaptive":
            temperatures(betas)
        settings |= {"betas": betas, "n_chains": n_chains, "precision": precision}
    elif estimator == "mixing":
        if sweeps_max < 1:
            raise RunError(f"sweeps must be at least 1, got {sweeps_max:,}")
        settings |= {"n_chains": n_chains, "sweeps": sweeps_max}
    name = evaluation_id(step, estimator, settings)
    folder = evaluation_folder(path, name)
    kept = folder / "snapshot.safetensors"
    try:
        snapshot = read_snapshot(kept)
    except (FileNotFoundError, SnapshotError):
        snapshot = reader.snapshot(step)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{folder} cannot be made: {error.strerror or error}") from error
    lock = hold_lock(folder)
    if lock is None:
        raise RunError(
            f"this evaluation of run {path.name!r} is already under way; watch it on the page Evaluate"
        )
    work = _Evaluation(path, folder, snapshot, config, estimator, settings, on_progress, should_stop)
    try:
        if not kept.exists():
            # A run that goes on training may thin its snapshots out before an interrupted evaluation goes on.
            with suppress(FileNotFoundError):
                write_bytes(kept, snapshot_file(path, step).read_bytes())
        return work.run()
    finally:
        if work.progress["state"] != "interrupted":
            kept.unlink(missing_ok=True)
        lock.release()


class _Evaluation:
    """One question about one snapshot: its stages, their saved state, and what is shown meanwhile."""

    def __init__(
        self,
        path: Path,
        folder: Path,
        snapshot: Snapshot,
        config: dict[str, Any],
        estimator: str,
        settings: dict[str, Any],
        on_progress: OnProgress | None,
        should_stop: Callable[[], bool] | None,
    ) -> None:
        self.path, self.folder, self.snapshot, self.config = path, folder, snapshot, config
        self.settings, self.on_progress, self.should_stop = settings, on_progress, should_stop
        before = read_evaluation(folder) or {}
        resumable = (folder / "state.safetensors").exists()
        self.progress: dict[str, Any] = {
            **(before if resumable else {}),
            "id": folder.name,
            "run": path.name,
            "step": snapshot.step,
            "estimator": estimator,
            "settings": settings,
            "state": "running",
            "message": "",
            "pid": os.getpid(),
        }
        self.progress.setdefault("started", time.time())
        self.before = float(before.get("seconds", 0.0)) if resumable else 0.0
        self.clock = time.perf_counter()
        self.next_save, self.next_show = self.clock + SAVE_S, self.clock
        self.fresh_from = float(self.progress.get("done", 0)) if resumable else 0.0

    def run(self) -> dict[str, Any]:
        try:
            self._show("Loading the data.", force=True)
            self.rbm = RBM.from_numpy(
                self.snapshot.W,
                self.snapshot.vbias,
                self.snapshot.hbias,
                visible=self.config["visible"],
                log_var=self.snapshot.log_var,
            )
            self._load()
            row = getattr(self, f"_{self.progress['estimator']}")()
        except Interrupted:
            self.progress |= {"state": "interrupted", "message": "Interrupted; start it again to go on."}
            self._show(force=True)
            raise
        except Exception as error:
            self.progress |= {"state": "failed", "message": one_line(error)}
            self._show(force=True)
            raise
        row = {
            "step": self.snapshot.step,
            "epoch": self.snapshot.meta.get("epoch"),
            "estimator": self.progress["estimator"],
            "settings": self.settings,
            **row,
            "seconds": self._seconds(),
            "binarisation": self.binarisation,
            "id": self.folder.name,
        }
        self._append_once(row)
        self.progress |= {"state": "finished", "row": row, "done": self.progress.get("total", 1)}
        self._show("Done.", force=True)
        (self.folder / "state.safetensors").unlink(missing_ok=True)
        return row

    def _append_once(self, row: dict[str, Any]) -> None:
        """A process killed between the row and its last word does not write the row twice."""
        begun = float(self.progress["started"])
        for known in RunReader(self.path).likelihood():
            if known.get("id") == row["id"] and float(known.get("time", 0.0)) >= begun:
                return
        Recorder(self.path).append_likelihood(row)

    # Progress and saved state

    def _seconds(self) -> float:
        return self.before + time.perf_counter() - self.clock

    def _show(self, stage: str | None = None, *, force: bool = False) -> None:
        now = time.perf_counter()
        if stage is not None:
            self.progress["stage"] = stage
        if not force and now < self.next_show:
            return
        self.next_show = now + SHOW_S
        done, total = float(self.progress.get("done", 0)), float(self.progress.get("total", 0))
        gained, spent = done - self.fresh_from, now - self.clock
        left = spent * (total - done) / gained if gained > 0 else None
        self.progress |= {"seconds": self._seconds(), "updated": time.time(), "seconds_left": left}
        # One line: indented, each of its thousands of numbers would have a line of its own.
        write_json(self.folder / "progress.json", self.progress, durable=False, indent=None)
        if self.on_progress is not None:
            self.on_progress(self.progress)

    def _pause_point(self, state: Callable[[], tuple[dict[str, Tensor], dict[str, Any]]]) -> None:
        """Between two chunks of work: show, save, stop if asked to."""
        self._show()
        stopping = self.should_stop is not None and self.should_stop()
        if stopping or time.perf_counter() >= self.next_save:
            tensors, meta = state()
            arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
            meta = {**meta, "progress": self.progress}
            write_bytes(self.folder / "state.safetensors", tensor_bytes(arrays, meta))
            self.next_save = time.perf_counter() + SAVE_S
        if stopping:
            raise Interrupted

    def _saved(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        try:
            arrays, meta = read_tensors(self.folder / "state.safetensors")
        except FileNotFoundError:
            return None
        except RunError:
            return None  # damaged: the work is done again
        kept = meta.pop("progress")
        for key in ("rounds", "log_weights", "trace", "curve", "done", "total"):
            self.progress.pop(key, None)
            if key in kept:
                self.progress[key] = kept[key]
        self.fresh_from = float(self.progress.get("done", 0))
        return {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}, meta

    # Data

    def _load(self) -> None:
        """The three parts as visible states, binarised as in training, always with the same coin tosses."""
        config = self.config
        data = datasets.load(config["dataset"], n_valid=config["n_valid"])
        if data.train.shape[1] != self.rbm.n_visible:
            raise RunError(
                f"the snapshot has {self.rbm.n_visible} visible units and {config['dataset']} "
                f"{data.train.shape[1]} pixels; was the data folder changed?"
            )
        known = RunReader(self.path).config().get("data") or {}
        if known.get("fingerprint") not in (None, data.fingerprint):
            raise RunError(
                f"the data set {config['dataset']!r} on this machine is not the one the run was trained on "
                f"({data.fingerprint} instead of {known['fingerprint']})"
            )
        parts = {"train": data.train, "valid": data.valid, "test": data.test}
        if config["visible"] == "gaussian":
            probe = RunReader(self.path).probe()
            # A run's own scale: what its units' values stand for does not depend on today's arithmetic.
            scale = probe.scale if probe and probe.scale else PixelScale.of(data.train)
            self.binarisation = "none"
            self.cases = {name: torch.from_numpy(scale.standardised(x)) for name, x in parts.items()}
        else:
            # Grey pixels have no probability under binary units: binarised here even if training did not.
            self.binarisation = "threshold" if config["binarisation"] == "threshold" else "stochastic"
            self.cases = {name: self._binary(x, name) for name, x in parts.items()}
        self.base = base_rate(self.rbm, self.cases["train"].double().mean(0))

    def _binary(self, images: np.ndarray, part: str) -> Tensor:
        if self.binarisation == "threshold":
            return torch.from_numpy(cut(images))
        grey = torch.from_numpy(as_bytes(images))
        return Rng(0, f"evaluate-{part}").binarise(grey, torch.arange(len(grey)), torch.empty(grey.shape))

    def _energies(self) -> dict[str, np.ndarray]:
        return {name: _free_energy(self.rbm, v) for name, v in self.cases.items()}

    def _nats(self, log_z: float, stderr: float) -> dict[str, Any]:
        """Mean log p of each part, in nats; _stderr is of the mean over cases alone, stderr that of log Z."""
        row: dict[str, Any] = {"log_z": log_z, "stderr": stderr}
        energies = self._energies()
        for name, energy in energies.items():
            row[f"{name}_nats"] = float(-energy.mean() - log_z)
            row[f"{name}_nats_stderr"] = float(energy.std() / math.sqrt(len(energy)))
        return row

    def _keep_free_energies(self, samples: Tensor) -> None:
        """What the page's histograms are drawn from."""
        n = _SHOWN_CASES
        noise = Rng(0, "evaluate-noise")
        if self.rbm.visible == "gaussian":
            random = noise.normal((n, self.rbm.n_visible))
        else:
            random = (noise.uniform((n, self.rbm.n_visible)) < 0.5).float()
        kinds = {"train": self.cases["train"][:n], "test": self.cases["test"][:n], "samples": samples[:n]}
        kinds["noise"] = random
        self.progress["free_energies"] = {
            name: np.round(_free_energy(self.rbm, v), 2).tolist() for name, v in kinds.items()
        }

    # Annealing

    def _bracket(self) -> dict[str, Any]:
        return self._anneal(("forward", "reverse"))

    def _ais(self) -> dict[str, Any]:
        return self._anneal(("forward",))

    def _reverse(self) -> dict[str, Any]:
        return self._anneal(("reverse",))

    def _anneal(self, directions: tuple[Direction, ...]) -> dict[str, Any]:
        """A hundredth, a tenth and all of the temperatures, so that one sees the estimates converge."""
        betas = self.settings["betas"]
        if betas == "adaptive":
            self._show("Placing the temperatures.", force=True)
            full = adaptive_betas(self.rbm, base_vbias=self.base, seed=self.settings["seed"])
        else:
            full = temperatures(betas)
        rounds = _rounds(full)
        self.progress["total"] = len(directions) * sum(len(path) - 1 for path in rounds)
        stages = [(path, direction) for path in rounds for direction in directions]
        saved = self._saved()
        first = int(saved[1]["stage"]) if saved else 0
        if not saved:
            self.progress |= {"rounds": [], "log_weights": {}, "trace": {}, "done": 0}
        starts = saved[0]["starts"] if saved and "starts" in saved[0] else None
        if "reverse" in directions and starts is None:
            self._show("Settling the chains that reverse AIS begins at.", force=True)
            starts = self._starts()
        self._keep_free_energies(starts if starts is not None else self._particles())
        results: dict[Direction, AISResult] = {}
        for number, (path, direction) in enumerate(stages):
            if number < first:
                kept = self.progress["log_weights"].get(direction)
                if kept is not None:
                    results[direction] = AISResult.from_log_weights(np.array(kept), direction=direction)
                continue
            annealing = self._prepare(path, direction, starts)
            if saved and number == first:
                tensors = {
                    key.removeprefix("ais."): t for key, t in saved[0].items() if key.startswith("ais.")
                }
                annealing.load_state_dict(tensors, saved[1]["annealing"])
            results[direction] = self._carry(annealing, number, starts)
            self._note_round(path, direction, results)
        return self._verdict(results, directions)

    def _particles(self) -> Tensor:
        return torch.from_numpy(self.snapshot.particles_v.astype(np.float32))

    def _starts(self) -> Tensor:
        """The run's persistent chains, swept on; where they are too few, annealed ones as well."""
        n, seed = self.settings["n_chains"], self.settings["seed"]
        v = self._particles()[:n]
        if self.config["algorithm"] == "cd":
            v = v[:0]  # chains that begin at the data each time never went anywhere
        if len(v):
            v = sweeps(self.rbm, v, _SETTLE, seed=seed, stream="reverse-starts")
        if len(v) < n:
            more = tempered_samples(self.rbm, n - len(v), base_vbias=self.base, seed=seed)
            v = torch.cat([v, more.float()])
        return v

    def _prepare(self, path: np.ndarray, direction: Direction, starts: Tensor | None) -> Annealing:
        common: dict[str, Any] = {
            "betas": path,
            "n_chains": self.settings["n_chains"],
            "base_vbias": self.base,
            "seed": self.settings["seed"] + 1000 * len(path),
            "precision": self.settings["precision"],
        }
        if direction == "forward":
            return prepare_ais(self.rbm, **common)
        return prepare_reverse_ais(self.rbm, starts=starts, **common)

    def _carry(self, annealing: Annealing, number: int, starts: Tensor | None) -> AISResult:
        steps, direction = len(annealing.betas) - 1, annealing.direction
        stage = f"{direction.capitalize()} AIS, {steps:,} temperatures."
        done_before = float(self.progress["done"]) - annealing.position
        trace = self.progress["trace"].setdefault(direction, {"beta": [], "quantiles": []})
        if annealing.position == 0:
            trace["beta"], trace["quantiles"] = [], []
        every = max(1, min(_CHUNK, steps // _TRACE + 1))
        chunk = max(every, min(_CHUNK, steps))

        def state() -> tuple[dict[str, Tensor], dict[str, Any]]:
            tensors, meta = annealing.state_dict()
            named = {f"ais.{key}": tensor for key, tensor in tensors.items()}
            if starts is not None:
                named["starts"] = starts
            return named, {"stage": number, "annealing": meta}

        while not annealing.done:
            annealing.advance(min(chunk, every))
            spread = np.quantile(annealing.log_weights.numpy(), (0.05, 0.25, 0.5, 0.75, 0.95))
            if direction == "reverse":
                spread = -spread
            trace["beta"].append(round(annealing.beta, 6))
            trace["quantiles"].append(np.round(spread + annealing.log_z_base, 3).tolist())
            self.progress["done"] = done_before + annealing.position
            self._show(stage)
            self._pause_point(state)
        result = annealing.result()
        self.progress["log_weights"][direction] = result.log_weights.tolist()
        return result

    def _note_round(
        self, path: np.ndarray, direction: Direction, results: dict[Direction, AISResult]
    ) -> None:
        rounds, n = self.progress["rounds"], len(path) - 1
        if not rounds or rounds[-1]["n_temperatures"] != n:
            rounds.append({"n_temperatures": n})
        rounds[-1][direction] = _numbers(results[direction])
        self._show(force=True)

    def _verdict(
        self, results: dict[Direction, AISResult], directions: tuple[Direction, ...]
    ) -> dict[str, Any]:
        if len(directions) == 1:
            (result,) = results.values()
            side = "high" if directions[0] == "forward" else "low"
            verdict = f"Unconfirmed: alone this errs towards too {side} a likelihood, by an unknown amount."
            extra = {"ess": result.ess, "trusted": None, "verdict": verdict}
            return {**self._nats(result.log_z, result.stderr), **extra}
        bracket = Bracket(results["forward"], results["reverse"])
        return {
            **self._nats(bracket.log_z, bracket.stderr),
            "ess": min(bracket.forward.ess, bracket.reverse.ess),
            "forward": _numbers(bracket.forward),
            "reverse": _numbers(bracket.reverse),
            "trusted": bracket.trusted,
            "verdict": bracket.verdict,
        }

    # The other estimators

    def _exact(self) -> dict[str, Any]:
        self._keep_free_energies(self._particles())

        def shown(done: int, total: int) -> None:
            self.progress |= {"done": done, "total": total}
            self._show("Enumerating the smaller layer.")
            if self.should_stop is not None and self.should_stop():
                raise Interrupted

        log_z = exact_log_z(self.rbm, progress=shown)
        return {**self._nats(log_z, 0.0), "trusted": True, "verdict": "Exact: every state was counted."}

    def _pseudo(self) -> dict[str, Any]:
        self._keep_free_energies(self._particles())
        rng, row = Rng(self.settings["seed"], "pseudo"), {}
        self.progress |= {"done": 0, "total": len(self.cases)}
        for name, v in self.cases.items():
            self._show("Asking pixels about their neighbours.", force=True)
            values = stochastic_pseudo_log_likelihood(self.rbm, v, rng)
            row[f"pseudo_{name}_nats"] = float(values.mean())
            row[f"pseudo_{name}_stderr"] = float(values.std() / math.sqrt(len(values)))
            self.progress["done"] += 1
        verdict = "Pseudo-likelihood, summed over pixels: it compares models of one data set."
        return {"log_z": None, "stderr": None, "trusted": None, "verdict": verdict, **row}

    def _mixing(self) -> dict[str, Any]:
        """Chains from noise and from test cases at growing sampling times; then their correlations."""
        n, last, seed = self.settings["n_chains"], self.settings["sweeps"], self.settings["seed"]
        n = min(n, len(self.cases["test"]) // 2)
        times = _sampling_times(last, int(self.config["k"]))
        self.progress["total"] = last
        saved = self._saved()
        test = self.cases["test"]
        if saved:
            v, done, first = saved[0]["v"], int(saved[1]["sweeps"]), int(saved[1]["next"])
            images = [saved[0][f"image{i}"] for i in range(int(saved[1]["n_images"]))]
        else:
            noise = Rng(seed, "mixing-noise")
            if self.rbm.visible == "gaussian":
                random = noise.normal((n, self.rbm.n_visible))
            else:
                random = (noise.uniform((n, self.rbm.n_visible)) < 0.5).float()
            v, done, first, images = torch.cat([random, test[:n]]), 0, 0, []
            self.progress |= {"curve": [], "done": 0}
        truth = test[n : 2 * n]

        def state() -> tuple[dict[str, Tensor], dict[str, Any]]:
            named = {f"image{i}": image for i, image in enumerate(images)}
            return {"v": v, **named}, {"sweeps": done, "next": number, "n_images": len(images)}

        for number in range(first, len(times)):
            while done < times[number]:
                ahead = min(_CHUNK, times[number] - done)
                v = sweeps(self.rbm, v, ahead, seed=seed, stream=f"mixing-{done}")
                done += ahead
                self.progress["done"] = done
                self._show(f"Sweep {done:,} of {last:,}.")
                self._pause_point(state)
            energies = _free_energy(self.rbm, v)
            truth_half, synthetic_half = adversarial_accuracy(v[:n], truth)
            self.progress["curve"].append(
                {
                    "sweeps": done,
                    "noise": _spread(energies[:n]),
                    "data": _spread(energies[n:]),
                    "aa_truth": truth_half,
                    "aa_synthetic": synthetic_half,
                }
            )
            images.append(v[: min(n, 16)].clone())
        self._keep_free_energies(v[:n])
        self._show("Measuring how long the chains remember.", force=True)
        row = self._correlations(v, seed)
        packed = torch.stack(images).numpy()
        packed = packed.astype(np.float16 if self.rbm.visible == "gaussian" else np.uint8)
        write_bytes(
            self.folder / "samples.safetensors", tensor_bytes({"v": packed, "sweeps": np.array(times)}, {})
        )
        end = self.progress["curve"][-1]
        _, nearest = nearest_case(v[:n], self.cases["train"])
        _, nearest_test = nearest_case(test[:n], self.cases["train"])
        row |= {
            "aa_truth": end["aa_truth"],
            "aa_synthetic": end["aa_synthetic"],
            "nearest_train_samples": float(nearest.median()),
            "nearest_train_test": float(nearest_test.median()),
            "log_z": None,
            "stderr": None,
        }
        return {**row, **_mixing_verdict(end, row, last)}

    def _correlations(self, v: Tensor, seed: int, n_sweeps: int = 1000) -> dict[str, Any]:
        pixels = torch.linspace(0, self.rbm.n_visible - 1, min(64, self.rbm.n_visible)).long()
        energies, values = [], []
        for t in range(n_sweeps):
            v = sweeps(self.rbm, v, 1, seed=seed, stream=f"correlation-{t}")
            energies.append(_free_energy(self.rbm, v))
            values.append(v[:, pixels].numpy())
            if t % 50 == 0:
                self._show(f"Measuring how long the chains remember: sweep {t:,} of {n_sweeps:,}.")
        series = np.stack(energies)
        moving = np.stack(values)
        pixel_times = [autocorrelation_time(moving[:, :, i]) for i in range(moving.shape[2])]
        pixel_times = [tau for tau in pixel_times if math.isfinite(tau)]
        lags = np.unique(np.geomspace(1, n_sweeps // 2, 60).astype(int))
        rho = autocorrelation(series)
        self.progress["autocorrelation"] = {
            "lag": [0, *lags.tolist()],
            "free_energy": np.round(rho[np.concatenate([[0], lags])], 4).tolist(),
        }
        return {
            "autocorrelation_time": autocorrelation_time(series),
            "effective_samples": effective_sample_size(series),
            "autocorrelation_time_pixels": float(np.median(pixel_times)) if pixel_times else None,
            "recorded_sweeps": n_sweeps,
        }


def _free_energy(rbm: RBM, v: Tensor) -> np.ndarray:
    """F (B,) float64 of many cases, a few thousand at a time."""
    return torch.cat([rbm.free_energy(part) for part in v.split(5000)]).double().numpy()


def _rounds(full: np.ndarray) -> list[np.ndarray]:
    """Every hundredth, every tenth, and all of the temperatures, as far as that leaves some."""
    steps = len(full) - 1
    found = []
    for every in (100, 10):
        if steps // every >= 10:
            thinned = full[::every]
            found.append(thinned if thinned[-1] == 1 else np.append(thinned, 1.0))
    return [*found, full]


def _numbers(result: AISResult) -> dict[str, float]:
    return {"log_z": result.log_z, "stderr": result.stderr, "ess": result.ess}


def _spread(x: np.ndarray) -> list[float]:
    return [round(float(q), 3) for q in np.quantile(x, (0.05, 0.5, 0.95))]


def _sampling_times(last: int, k: int) -> list[int]:
    """0, 1, 2, 5, 10, … up to `last`, and the k of training among them."""
    marks = {0, k, last} | {a * 10**p for p in range(8) for a in (1, 2, 5)}
    return sorted(t for t in marks if t <= last)


def _mixing_verdict(end: dict[str, Any], row: dict[str, Any], last: int) -> dict[str, Any]:
    """Whether noise and data have met after all these sweeps, in one sentence."""
    (low_n, mid_n, high_n), (low_d, mid_d, high_d) = end["noise"], end["data"]
    width = max((high_n - low_n) + (high_d - low_d), 1e-9) / 2
    apart = abs(mid_n - mid_d) / width
    tau = row["autocorrelation_time"]
    remember = f"a chain forgets its free energy in about {tau:,.0f} sweeps"
    if apart > 0.25:
        return {
            "trusted": False,
            "verdict": f"Not mixed: after {last:,} sweeps chains still show where they began; {remember}.",
        }
    return {
        "trusted": True,
        "verdict": f"Mixed: after {last:,} sweeps chains from noise and from data look alike; {remember}.",
    }


# The process


def main(arguments: list[str] | None = None) -> int:
    """The process: exit code 0 when done, 2 for a wrong question, 130 when interrupted (go on by asking
    again).
    """
    parser = argparse.ArgumentParser(prog="python -m rbm_core.evaluation", description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--snapshot", type=int, default=None)
    parser.add_argument("--estimator", default="bracket")
    parser.add_argument("--temperatures", default="salakhutdinov-murray")
    parser.add_argument("--chains", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--sweeps", type=int, default=100_000)
    asked = parser.parse_args(arguments)
    stop = {"asked": False}

    def on_signal(number: int, frame: Any) -> None:
        stop["asked"] = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    try:
        evaluate(
            asked.folder,
            step=asked.snapshot,
            estimator=asked.estimator,
            betas=int(asked.temperatures) if asked.temperatures.isdecimal() else asked.temperatures,
            n_chains=asked.chains,
            seed=asked.seed,
            precision=asked.precision,
            sweeps_max=asked.sweeps,
            should_stop=lambda: stop["asked"],
        )
    except Interrupted:
        return 130
    except ValueError as error:
        sys.stderr.write(f"{one_line(error)}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
