"""The measurements while a run learns: the curves, divergence, the probe batch, histograms.

Nothing here changes what is learned: the measurements draw from a random stream of their own.
"""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rbm_core import gibbs, pixels
from rbm_core.compute import Rng, means_and_softplus
from rbm_core.config import RunConfig
from rbm_core.datasets import Dataset
from rbm_core.diagnostics import dead_units, flips_per_sweep, saturated_units
from rbm_core.labels import free_energy_of_pixels, log_p_label, set_apart
from rbm_core.likelihood.ais import base_rate
from rbm_core.likelihood.online import OnlineLogZ
from rbm_core.likelihood.pseudo import stochastic_pseudo_log_likelihood
from rbm_core.precision import torch_dtype, unrounded
from rbm_core.runs.vocabulary import MONITORED, PROBED
from rbm_core.training.batches import Batches
from rbm_core.training.optimiser import learning_rate, momentum
from rbm_core.training.state import TrainState

__all__ = ["Monitor", "divergence", "snapshot_schedule"]

_HISTOGRAM_BINS = 64
_MOST_ROWS = 20_000  # of the curves by updates, and as many at epoch ends, whatever the length of the run
_FIRST_LOGGED = (0, 1, 2, 5, 10, 20, 50)  # steps with a row of the curves whatever log_every says
_CHUNK = 1000  # validation cases whose chains are run at once
# Diverged if |F(data) − F(particles)| > 2000 + 20 V nats; healthy runs stay far below.
_APART, _APART_A_UNIT = 2000.0, 20.0


def snapshot_schedule(n_steps: int, max_snapshots: int) -> list[int]:
    """The steps of a run of n_steps updates that are kept as snapshots, ascending: 0, ever sparser ones, n_steps.

    sᵢ = c((1 + n_steps/c)^(i/m) − 1) with c = n_steps/1000, i = 0..m: geometric over three decades, so that the first
    gap is about 1/8000 of the run and the last about 1/8. One in eight of max_snapshots is left for snapshots asked
    for by hand and for those of a stop. A function of the configuration alone: a run killed and resumed keeps the same
    steps.
    """
    if n_steps <= 0:
        return [0]
    bound = max(2, max_snapshots)
    m = bound - bound // 8 - 1
    c = n_steps / 1000
    steps = {round(c * ((1 + n_steps / c) ** (i / m) - 1)) for i in range(m + 1)}
    return sorted(steps | {0, n_steps})


class Monitor:
    """The fixed cases of a run that are measured, and what is measured on them.

    train, valid, test: (at most 1,000, V) visible states, binarised once, so that a curve moves with the model alone.
    probe: (at most 100, V), the cases whose hidden probabilities every snapshot holds; probe_images: the same as grey
    values. online: log Z while learning; None where a likelihood means nothing.
    """

    def __init__(
        self,
        config: RunConfig,
        dataset: Dataset,
        batches: Batches,
        state: TrainState,
        snapshot_steps: list[int],
    ) -> None:
        self.config, self.dataset, self.batches, self.state = config, dataset, batches, state
        self._snapshot_steps = set(snapshot_steps)
        n_steps = snapshot_steps[-1]
        self._every = config.log_every * max(1, math.ceil(n_steps / (config.log_every * _MOST_ROWS)))
        self._every_epochs = max(1, math.ceil(n_steps / (batches.per_epoch * _MOST_ROWS)))
        rng = Rng(config.seed, "monitor", state.device)
        self.probe_images = pixels.from_bytes(dataset.valid_kept[:PROBED])
        labels = dataset.valid_labels
        self.probe_labels = None if labels is None else labels[:PROBED]
        # One stream for all four, in this order: another order would be another run's curves.
        self.train = self._states(batches.images[:MONITORED], dataset.train_labels, rng)
        self.valid = self._states(batches.prepared(dataset.valid_kept[:MONITORED]), dataset.valid_labels, rng)
        self.probe = self._states(batches.prepared(self.probe_images), dataset.valid_labels, rng)
        self.test = self._states(batches.prepared(dataset.test_kept[:MONITORED]), dataset.test_labels, rng)
        self.online = self._online_log_z(snapshot_steps)

    def _states(self, prepared: Tensor, labels: np.ndarray | None, rng: Rng) -> Tensor:
        """Visible states of the first cases of a part of the data. labels: of all cases of the part."""
        own = None if labels is None else labels[: len(prepared)]
        return self.batches.states(prepared, rng, self.batches.labels_of(own))

    def _online_log_z(self, snapshot_steps: list[int]) -> OnlineLogZ | None:
        config, model = self.config, self.state.model
        # Log-probabilities of grey pixels mean nothing to a model of 0 and 1.
        if not model.law.units.real and config.binarisation == "none":
            return None
        rows = config.rows_per_update()
        base = base_rate(model, self.state.v_offset)
        return OnlineLogZ(model, snapshot_steps, rows, base_vbias=base, seed=config.seed)

    def due(self, step: int) -> bool:
        """Whether the curves get a row after this step: the first few, log_every-th, epoch ends and snapshots.

        In a run of more than 20,000 × log_every updates rows lie further apart, so that it records no more than 20,000
        of them; of more than 20,000 epochs every second ends with a row, or every third, and so on.
        """
        if step in _FIRST_LOGGED or step in self._snapshot_steps:
            return True
        epochs, inside = divmod(step, self.batches.per_epoch)
        return step % self._every == 0 or (inside == 0 and epochs % self._every_epochs == 0)

    def metrics(self) -> dict[str, Any]:
        """One row of the curves, in nats unless the name says otherwise; docs/run-format.md describes every column.

        Draws from the stream "measure", and begins the mean over updates of `cd_loss_train` anew.
        """
        state, config, per_epoch = self.state, self.config, self.batches.per_epoch
        chains_v, chains_h = state.chains()
        particles = chains_v.float()
        cases = {"train": self.train, "valid": self.valid, "fantasy": particles}
        seen = {name: self._free_energy(v) for name, v in cases.items()}
        row: dict[str, Any] = {
            "step": state.step,
            "epoch": state.step / per_epoch,
            "learning_rate": learning_rate(config, state.settings["learning_rate"], state.step, per_epoch),
            "momentum": momentum(config, state.settings["momentum"], state.step, per_epoch),
            "k": int(state.settings["k"]),
        }
        row |= {f"free_energy_{name}": float(f.mean()) for name, (f, _, _) in seen.items()}
        row["free_energy_gap"] = row["free_energy_valid"] - row["free_energy_train"]
        row |= self._labels_told()
        row |= self._losses()
        row |= self._pseudo_likelihoods({name: (cases[name], seen[name][1]) for name in ("train", "valid")})
        _, logits, hidden = seen["train"]
        row["reconstruction_error"] = self._reconstruction_error(logits)
        row |= self._weights()
        row |= self._likelihoods({name: seen[name][0] for name in ("train", "valid")}, particles)
        row |= self._layer()
        row |= self._exchanges()
        mean_hidden = hidden.mean(0)[: max(state.shown.in_use, 1)]
        row["mean_activation"] = float(mean_hidden.mean())
        row["dead_units"] = dead_units(mean_hidden)
        row["saturated_units"] = saturated_units(mean_hidden)
        if not state.model.law.units.real:
            logits_v = self._visible_logits(chains_h)
            moved = state.streams.measure.bernoulli(logits_v, state.shown.vbias)
            row["flips_per_sweep"] = flips_per_sweep(particles, moved.float())
        return row

    def _layer(self) -> dict[str, float]:
        """Of ordered hidden units: how many are in use, and how many take part in a training case on average."""
        rbm = self.state.shown
        if rbm.penalty is None:
            return {}
        reached = rbm.reached(rbm.logits_h_from_v(self.train))
        return {
            "units_in_use": rbm.in_use,
            "units_taking_part": float(reached[:, : rbm.in_use].sum(1).mean()),
        }

    def _exchanges(self) -> dict[str, float]:
        """Of chains on a ladder: the share of exchanges that succeed, of the pair of neighbours where it is least, and
        of the last rung with the model. Moving means; none before the first climb.
        """
        climbed = self.state.climbed
        known = [] if climbed is None else [share for share in climbed.accepted if not math.isnan(share)]
        if climbed is None or not known:
            return {}
        last = climbed.accepted[-1]
        return {
            "exchanges_least": min(known),
            **({} if math.isnan(last) else {"exchanges_model": last}),
        }

    def _labels_told(self) -> dict[str, float]:
        """How well labels follow from pixels: the share named wrongly, and the mean log p(label | v) in nats."""
        rbm, row = self.state.shown, {}
        if rbm.n_labels:
            for part, v in {"train": self.train, "valid": self.valid, "test": self.test}.items():
                log_p, label = log_p_label(rbm, v[:, : rbm.n_pixels]), v[:, rbm.n_pixels :].argmax(1)
                row[f"label_error_{part}"] = float((log_p.argmax(1) != label).double().mean())
                row[f"label_log_p_{part}"] = float(log_p.gather(1, label[:, None]).mean())
        return row

    def _losses(self) -> dict[str, float]:
        """The loss that CD shows, mean F(data) − F(particles): over every update since the last row, and, at the ends
        of epochs of CD, over all validation cases.
        """
        state, row = self.state, {}
        if state.loss_count:
            row["cd_loss_train"] = float(state.loss_total) / state.loss_count
            state.loss_total.zero_()
            state.loss_count = 0
        if self.config.algorithm == "cd" and state.step and state.step % self.batches.per_epoch == 0:
            row["cd_loss_valid"] = self._validation_loss()
        return row

    def _validation_loss(self) -> float:
        """Mean F(v) − F(v after k sweeps from v) over all validation cases."""
        losses, rbm, rng = [], self.state.model, self.state.streams.measure
        labels = self.dataset.valid_labels
        prepared = self.batches.prepared(self.dataset.valid_kept)
        for start in range(0, len(prepared), _CHUNK):
            chunk = slice(start, start + _CHUNK)
            v = self._states(prepared[chunk], None if labels is None else labels[chunk], rng)
            chain = gibbs.sweep(rbm, gibbs.from_images(rbm, v), rng, int(self.state.settings["k"]))
            losses.append((rbm.free_energy(v) - rbm.free_energy(chain.v)).sum())
        return float(torch.stack(losses).sum()) / len(prepared)

    def _pseudo_likelihoods(self, cases: dict[str, tuple[Tensor, Tensor]]) -> dict[str, float]:
        """Σᵢ log p(vᵢ | v₋ᵢ) estimated from one random pixel a case. cases: states and their hidden logits."""
        # The conditionals of real units are integrals, which take too long for every row.
        if self.online is None or self.state.model.law.units.real:
            return {}
        rbm, rng = self.state.shown, self.state.streams.measure
        return {
            f"pseudo_likelihood_{name}": float(
                stochastic_pseudo_log_likelihood(rbm, v, rng, logits=logits.float() + rbm.hbias).mean()
            )
            for name, (v, logits) in cases.items()
        }

    def _reconstruction_error(self, logits: Tensor) -> float:
        """Mean squared difference between the training cases and E[v | h], h drawn given them."""
        rbm = self.state.shown
        rng = self.state.streams.measure
        ordered = rbm.penalty is not None
        h = rbm.draw_h(logits + rbm.hbias, rng) if ordered else rng.bernoulli(logits, rbm.hbias)
        mean_v = rbm.law.mean(self._visible_logits(h).float() + rbm.vbias)
        return float(((mean_v - self.train)[:, : rbm.n_pixels] ** 2).mean())

    def _weights(self) -> dict[str, float]:
        """‖W‖ of the learning model, and the size of the last update beside it."""
        norm = float(torch.linalg.vector_norm(self.state.model.W))
        if not self.state.step or norm == 0:
            return {"weight_norm": norm}
        return {
            "weight_norm": norm,
            "update_ratio": float(torch.linalg.vector_norm(self.state.last_increments()[0])) / norm,
        }

    def _likelihoods(self, free_energies: dict[str, Tensor], chains: Tensor) -> dict[str, float]:
        """Mean log p(v) of the monitored cases in nats, as far as log Z is known while training, each with its standard
        error √(σ²(log Z) + s²(F)/n): n cases stand for all of their part.

        free_energies: (n,) of the parts that were measured already. chains: (N, V), all of them.
        """
        if self.online is None:
            return {}
        state = self.state
        # Chains that begin at the data at every update are not near the model's distribution.
        particles = None if self.config.algorithm == "cd" else chains
        estimate = self.online.observe(
            state.shown,
            float(free_energies["train"].mean()),
            state.step,
            particles=particles,
            precision="float32" if state.model.law.units.real else unrounded(state.precision),
        )
        if estimate is None:
            return {}
        log_z, stderr = estimate
        if len(self.test):
            free_energies = {**free_energies, "test": self._free_energy(self.test)[0]}
        nats = {}
        for part, f in free_energies.items():
            nats[f"log_likelihood_{part}"] = -float(f.mean()) - log_z
            of_the_mean = float(f.std(correction=0)) / math.sqrt(len(f))
            nats[f"log_likelihood_{part}_stderr"] = math.hypot(stderr, of_the_mean)
        return {**nats, "log_z": log_z, "log_z_stderr": stderr}

    def _free_energy(self, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """F (B,) of the shown model in the run's precision, with what it was made from: vW before the bias, and
        p(h = 1 | v), both (B, H). With label units F is that of the pixels alone, p that given the label too.
        """
        rbm, dtype = self.state.shown, torch_dtype(self.state.precision)
        scaled = v if rbm.inverse_var is None else v * rbm.inverse_var
        logits = torch.mm(scaled.to(dtype), rbm.W.to(dtype))
        if rbm.penalty is not None:
            x = logits + rbm.hbias
            return rbm.visible_energy(v) - rbm.hidden_sum(x), logits, rbm.mean_h(x)
        means, softplus = means_and_softplus(logits, rbm.hbias)
        if rbm.n_labels:
            return free_energy_of_pixels(rbm, v[:, : rbm.n_pixels]).float(), logits, means
        return rbm.visible_energy(v) - softplus.float(), logits, means

    def _visible_logits(self, h: Tensor) -> Tensor:
        """hWᵀ (B, V) of the shown model, before the bias, in the run's precision."""
        dtype = torch_dtype(self.state.precision)
        return torch.mm(h.to(dtype), self.state.shown.W.to(dtype).T)

    def snapshot(self) -> dict[str, Any]:
        """The state of this moment as the fields of rbm_core.runs.Snapshot, in float32 and uint8."""
        state, config = self.state, self.config
        chains_v, chains_h = state.chains()
        v, h = chains_v.float().cpu().numpy(), chains_h.to(torch.uint8).cpu().numpy()
        v = v if state.model.law.units.real else v.astype(np.uint8)
        counts, edges = zip(*(_histogram(t) for t in state.last_increments()[:3]), strict=True)
        rate = learning_rate(config, state.settings["learning_rate"], state.step, self.batches.per_epoch)
        return {
            "log_var": None,
            **set_apart(state.shown.to_numpy(), v, state.model.n_labels),
            "step": state.step,
            "particles_h": h,
            "probe_hidden": np.round(255 * self._free_energy(self.probe)[2].cpu().numpy()).astype(np.uint8),
            "mean_hidden": self._free_energy(self.train)[2].mean(0).cpu().numpy(),
            "increment_counts": np.stack(counts),
            "increment_edges": np.stack(edges),
            "meta": {
                "epoch": state.step / self.batches.per_epoch,
                "learning_rate": rate,
                "n_particles": len(v),
                "visible": config.visible,
                **({} if state.model.penalty is None else {"penalty": state.model.penalty}),
            },
        }

    def probe_arrays(self) -> dict[str, np.ndarray]:
        """The probe batch as people see it (uint8 grey values), its labels, and the scale of Gaussian units."""
        arrays = {"v": pixels.as_bytes(self.probe_images)}
        if self.probe_labels is not None:
            arrays["labels"] = np.asarray(self.probe_labels, np.int64)
        if self.state.model.law.units.standardised:
            arrays |= self.batches.scale.arrays()
        return arrays


def divergence(state: TrainState, apart: float | None = None) -> str | None:
    """Why the run cannot go on, in a clause without its way out; None while all is well.

    apart: F(data) − F(particles) of the last update, in nats, for a check that costs nothing; without it the
    parameters themselves are looked at.
    """
    if apart is None:
        if all(bool(torch.isfinite(p).all()) for p in state.optimiser.parameters):
            return None
        return f"parameters are no longer finite at step {state.step:,}"
    if not math.isfinite(apart):
        return f"the free energies are no longer finite at step {state.step:,}"
    limit = _APART + _APART_A_UNIT * state.model.n_visible
    if abs(apart) > limit:
        return (
            f"data and fantasy particles are {abs(apart):,.0f} nats apart at step {state.step:,}, "
            f"more than the {limit:,.0f} any learning model shows"
        )
    return None


def _histogram(t: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """(counts int32 (64,), edges float32 (65,)), symmetric about zero."""
    values = t.flatten().float()
    bound = float(values.abs().max()) if values.numel() else 0.0
    bound = bound if math.isfinite(bound) and bound > 0 else 1.0
    counts = torch.histc(values, _HISTOGRAM_BINS, -bound, bound)
    edges = np.linspace(-bound, bound, _HISTOGRAM_BINS + 1, dtype=np.float32)
    return counts.cpu().numpy().astype(np.int32), edges
