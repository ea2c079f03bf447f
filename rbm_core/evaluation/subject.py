"""What is judged: the model of one snapshot, and its run's data as states of its visible units."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rbm_core import datasets
from rbm_core.compute import Rng
from rbm_core.labels import beside, free_energy_of_pixels, log_p_label
from rbm_core.likelihood.ais import base_rate
from rbm_core.pixels import PixelScale, as_bytes, cut, visible_states
from rbm_core.rbm import RBM
from rbm_core.runs.files import RunError
from rbm_core.runs.reader import RunReader
from rbm_core.runs.snapshot import Snapshot

__all__ = ["Subject", "load_subject"]

_SHOWN_CASES = 400  # free energies of each kind that progress.json keeps for the histogram
_ROWS = 5000  # cases whose hidden logits are worked out at once


@dataclass(frozen=True, eq=False)
class Subject:
    """A model and its data. config: the fields of the run's RunConfig.

    cases: "train", "valid" and "test", each (N, V) float32, with their labels behind the pixels where the model has
    label units. binarisation: how grey values became states:
    "stochastic", "threshold" or "none". base: (V,), the biases of the base model that annealing starts from.
    """

    rbm: RBM
    snapshot: Snapshot
    config: dict[str, Any]
    cases: dict[str, Tensor]
    binarisation: str
    base: Tensor

    def particles(self) -> Tensor:
        """The run's chains as the snapshot recorded them, (n, V) float32."""
        return torch.from_numpy(self.snapshot.particles())

    def pixels(self, v: Tensor) -> Tensor:
        """The visible states (N, V) without their label units."""
        return v[:, : self.rbm.n_pixels]

    def free_energies(self, v: Tensor) -> np.ndarray:
        """F(v) in nats, (N,) float64, of any number of cases; with label units that of their pixels."""
        rbm = self.rbm
        if rbm.n_labels:
            parts = [free_energy_of_pixels(rbm, part) for part in self.pixels(v).split(_ROWS)]
        else:
            parts = [rbm.free_energy(part) for part in v.split(_ROWS)]
        return torch.cat(parts).double().numpy()

    def nats(self, log_z: float, stderr: float) -> dict[str, Any]:
        """The mean of log p(v) = −F(v) − log Z over each part of the data, in nats.

        "stderr" is the standard error of log Z; "<part>_nats_stderr" is that of the mean over the cases alone.
        """
        row: dict[str, Any] = {"log_z": log_z, "stderr": stderr}
        for name, v in self.cases.items():
            energy = self.free_energies(v)
            row[f"{name}_nats"] = float(-energy.mean() - log_z)
            row[f"{name}_nats_stderr"] = float(energy.std() / math.sqrt(len(energy)))
            row |= self._of_labels(name, v, energy + log_z)
        return row

    def _of_labels(self, name: str, v: Tensor, minus_log_p: np.ndarray) -> dict[str, float]:
        """Of a part of the data under a model with label units: the share of labels named wrongly, and the means of
        log p(y | v) and of log p(v, y) = log p(v) + log p(y | v), each with its standard error over the cases.

        minus_log_p: −log p(v) of each case (N,).
        """
        rbm = self.rbm
        if not rbm.n_labels:
            return {}
        pixels, label = self.pixels(v), v[:, rbm.n_pixels :].argmax(1)
        log_p = torch.cat([log_p_label(rbm, part) for part in pixels.split(_ROWS)])
        wrong = (log_p.argmax(1) != label).double().numpy()
        told = log_p.gather(1, label[:, None])[:, 0].numpy()
        means = {"error": wrong, "label_nats": told, "joint_nats": told - minus_log_p}
        row = {f"{name}_{what}": float(x.mean()) for what, x in means.items()}
        return row | {
            f"{name}_{what}_stderr": float(x.std() / math.sqrt(len(x))) for what, x in means.items()
        }

    def noise(self, n: int, rng: Rng) -> Tensor:
        """n states (n, V) without any structure: fair coins, or N(0, 1) for Gaussian units."""
        law = self.rbm.law
        return law.at_means(law.mean(torch.zeros(self.rbm.n_visible)), n, rng)

    def energy_histogram(self, samples: Tensor) -> dict[str, list[float]]:
        """Free energies in nats of data, of these samples of the model and of noise, for the page's histogram."""
        n = _SHOWN_CASES
        kinds = {
            "train": self.cases["train"][:n],
            "test": self.cases["test"][:n],
            "samples": samples[:n],
            "noise": self.noise(n, Rng(0, "evaluate-noise")),
        }
        return {name: np.round(self.free_energies(v), 2).tolist() for name, v in kinds.items()}


def load_subject(path: Path, snapshot: Snapshot, config: dict[str, Any]) -> Subject:
    """The snapshot's model and its run's data, binarised with the same random numbers at every call.

    path: the run's folder. Raises RunError if the data on this computer are not those of the run.
    """
    rbm = _model(snapshot, config)
    reader = RunReader(path)
    data = datasets.load(config["dataset"], n_valid=config["n_valid"])
    if data.train.shape[1] != rbm.n_pixels:
        raise RunError(
            f"the snapshot has {rbm.n_pixels} visible units and {config['dataset']} "
            f"{data.train.shape[1]} pixels; was the data folder changed?"
        )
    known = reader.config().get("data") or {}
    if known.get("fingerprint") not in (None, data.fingerprint):
        raise RunError(
            f"the data set {config['dataset']!r} on this machine is not the one the run was trained on "
            f"({data.fingerprint} instead of {known['fingerprint']})"
        )
    parts = {"train": data.train, "valid": data.valid, "test": data.test}
    if rbm.law.units.real:
        binarisation = "none"
        # The scale the run recorded: recomputed today, it could differ in its last digits.
        probe = reader.probe()
        scale = (
            probe.scale
            if probe and probe.scale
            else PixelScale.of(data.train, columns=data.ranges is not None)
        )
        cases = {name: torch.from_numpy(visible_states(x, config, scale)) for name, x in parts.items()}
    else:
        # Binary units give grey values no probability, so these are binarised even if training used them as they are.
        binarisation = "threshold" if config["binarisation"] == "threshold" else "stochastic"
        cases = {name: _binarised(x, binarisation, f"evaluate-{name}") for name, x in parts.items()}
        if rbm.n_labels:
            if data.n_labels != rbm.n_labels:
                raise RunError(
                    f"the snapshot has {rbm.n_labels} label units and {config['dataset']} {data.n_labels} classes; "
                    "was the data folder changed?"
                )
            cases = {
                name: beside(v, torch.from_numpy(data.labels_in(name)), rbm.n_labels)
                for name, v in cases.items()
            }
    return Subject(
        rbm, snapshot, config, cases, binarisation, base_rate(rbm, cases["train"].double().mean(0))
    )


def _model(snapshot: Snapshot, config: dict[str, Any]) -> RBM:
    return RBM.from_numpy(**{**snapshot.parameters(), "visible": config["visible"]})


def _binarised(images: np.ndarray, binarisation: str, stream: str) -> Tensor:
    if binarisation == "threshold":
        return torch.from_numpy(cut(images))
    grey = torch.from_numpy(as_bytes(images))
    return Rng(0, stream).binarise(grey, torch.arange(len(grey)), torch.empty(grey.shape))
