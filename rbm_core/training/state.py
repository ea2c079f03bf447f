"""Learning: the state of a run in memory, one parameter update, and what is measured along the way.

Nothing here touches a file or a clock. The same config, data and device give bit-identical parameters, and so does
`state_dict` → `load_state_dict` at any step: every random number comes from a named stream with a saved position.
"""

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from rbm_core import gibbs, pixels
from rbm_core.compute import Rng, captured, means_and_softplus, pick_precision, resolve_device
from rbm_core.config import ConfigError, RunConfig, make_config
from rbm_core.datasets import Dataset
from rbm_core.gradient import Gradient, Phases
from rbm_core.likelihood.ais import base_rate
from rbm_core.likelihood.online import OnlineLogZ
from rbm_core.rbm import RBM
from rbm_core.runs.vocabulary import DEAD, MONITORED, PROBED, SATURATED, SETTABLE

__all__ = ["StepInfo", "Training"]

_HISTOGRAM_BINS = 64
# Averaged weights are a mean over at least so many updates of their window, of which every tenth counts at most: five,
# ten apart, left a landscape so rough that young models were 3 to 4 nats worse and short annealings misjudged them.
_IN_WINDOW, _STRIDE = 50, 10
# Data and particles further apart than so many nats, and so many more a visible unit: no model that learns gets there.
_EXPLODED = (2000.0, 20.0)


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


@dataclass(frozen=True)
class StepInfo:
    """What one update saw: its number, and mean free energies of batch and particles before it, in nats.

    energies: (2,), read from the device only when asked for.
    """

    step: int
    energies: Tensor

    @property
    def free_energy_data(self) -> float:
        return float(self.energies[0])

    @property
    def free_energy_model(self) -> float:
        return float(self.energies[1])


class Training:
    """A run in memory: model, chains, optimiser, data order and random streams.

    config: what to do. dataset: images in [0, 1]. device: overrides config.device. initial: parameters to start
    from instead of random ones. Raises ConfigError or DeviceError in one sentence for what cannot work.
    """

    def __init__(
        self,
        config: RunConfig,
        dataset: Dataset,
        *,
        device: str | torch.device | None = None,
        initial: RBM | None = None,
    ) -> None:
        self.config, self.dataset = config, dataset
        self.device = device if isinstance(device, torch.device) else resolve_device(device or config.device)
        self.settings: dict[str, float] = {name: getattr(config, name) for name in SETTABLE}
        self.step = 0
        self.batch_size = config.batch_size
        self.n_chains = config.batch_size if config.algorithm == "cd" else config.n_chains
        self.steps_per_epoch = max(1, len(dataset.train) // self.batch_size)
        self.n_steps = self.steps_per_epoch * config.epochs
        self.snapshot_steps = snapshot_schedule(self.n_steps, config.max_snapshots)
        self._load_data()
        self._choose_precision()
        self._build(initial)
        self._loss_count = 0
        self._epoch_order: tuple[int, Tensor] = (-1, torch.empty(0, dtype=torch.int64))

    # What is trained on ------------------------------------------------------------------------------------------

    def _load_data(self) -> None:
        config, train = self.config, self.dataset.train
        self.scale = pixels.PixelScale.of(train)
        self._bytes = config.visible == "bernoulli" and config.binarisation != "none"
        self.images = self._prepared(train)
        binarise = Rng(config.seed, "monitor", self.device)
        self.monitor_train = self._binary(self.images[:MONITORED], binarise)
        self.monitor_valid = self._binary(self._prepared(self.dataset.valid[:MONITORED]), binarise)
        self.probe_images = self.dataset.valid[:PROBED]
        labels = self.dataset.valid_labels
        self.probe_labels = None if labels is None else labels[:PROBED]
        self.probe = self._binary(self._prepared(self.probe_images), binarise)
        self.monitor_test = self._binary(self._prepared(self.dataset.test[:MONITORED]), binarise)

    def _prepared(self, images: np.ndarray) -> Tensor:
        """Images as training keeps them: uint8 grey values, {0, 255} if thresholded, or real numbers."""
        fields = {"visible": self.config.visible, "binarisation": self.config.binarisation}
        return torch.from_numpy(pixels.prepared(images, fields, self.scale)).to(self.device)

    def _binary(self, prepared: Tensor, rng: Rng) -> Tensor:
        """All of these cases as visible states, float32."""
        if not self._bytes:
            return prepared
        out = torch.empty(prepared.shape, device=self.device)
        return rng.binarise(prepared, torch.arange(len(prepared), device=self.device), out)

    def _choose_precision(self) -> None:
        config = self.config
        if config.precision == "auto" and config.visible == "bernoulli" and config.binarisation != "none":
            rows = max(self.batch_size, self.n_chains)
            self.dtype, self.precision_note = pick_precision(
                self.images.shape[1], config.n_hidden, rows, self.device
            )
        else:
            # Real-valued pixels would be rounded to 8 bits in bfloat16; 0/1 ones are exact.
            self.dtype = torch.bfloat16 if config.precision == "bfloat16" else torch.float32
            self.precision_note = str(self.dtype).removeprefix("torch.")

    def _check_memory(self) -> None:
        """Raises ConfigError before any work, where the system would end the process in the middle of it."""
        (V, H), (B, N) = (self.images.shape[1], self.config.n_hidden), (self.batch_size, self.n_chains)
        # Bytes: parameters in their copies, both layers, draws.
        need = 32 * V * H + 8 * (B + N) * (V + H) + 4 * N * H
        if self.device.type == "cuda":
            have = torch.cuda.mem_get_info(self.device)[0]
        elif hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
            have = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        else:
            return
        if need > have:
            raise ConfigError(
                f"n_hidden {H} with {max(B, N)} chains needs about {need / 2**30:.0f} GiB of memory and there are "
                f"{have / 2**30:.0f}; choose fewer"
            )

    def _build(self, initial: RBM | None) -> None:
        self._check_memory()
        config, V = self.config, self.images.shape[1]
        if initial is None:
            mean = None
            if config.visible == "gaussian":
                mean = torch.zeros(V, device=self.device)
            elif config.data_bias:
                mean = torch.from_numpy(self.scale.mean).to(self.device)
            model = RBM.initial(
                V,
                config.n_hidden,
                Rng(config.seed, "weights", self.device),
                weight_std=config.weight_std,
                data_mean=mean,
                visible=config.visible,
            )
        else:
            if (initial.n_visible, initial.n_hidden) != (V, config.n_hidden):
                raise ConfigError(
                    f"the starting model has {initial.n_visible} × {initial.n_hidden} units, "
                    f"the run {V} × {config.n_hidden}; they must agree"
                )
            if initial.visible != config.visible:
                raise ConfigError(
                    f"the starting model has {initial.visible} visible units, the run {config.visible}; they must agree"
                )
            model = initial.to(self.device, torch.float32)
        log_var = model.log_var
        if config.learn_variance and log_var is None:
            log_var = torch.zeros(V, device=self.device)
        # Own memory: updates are made in place.
        self.model = RBM(
            model.W.clone(),
            model.vbias.clone(),
            model.hbias.clone(),
            config.visible,
            None if log_var is None else log_var.clone(),
        )
        self._parameters = [
            t for t in (self.model.W, self.model.vbias, self.model.hbias, self.model.log_var) if t is not None
        ]
        self._chains_rng = Rng(config.seed, "chains", self.device)
        self._binarise_rng = Rng(config.seed, "binarise", self.device)
        self._monitor_rng = Rng(config.seed, "measure", self.device)
        self.phases = self._new_phases()
        # Chains begin as independent pixels at the data's means, the model without any hidden unit.
        start = Rng(config.seed, "start", self.device).uniform((self.n_chains, V))
        if config.visible == "gaussian":
            self.phases.v_chains.copy_(Rng(config.seed, "start", self.device).normal((self.n_chains, V)))
        else:
            self.phases.v_chains.copy_(start < torch.from_numpy(self.scale.mean).to(self.device))
        begun = gibbs.half_step(
            self.model, gibbs.from_images(self.model, self.phases.v_chains.float()), self._chains_rng
        )
        self.phases.chains_h.copy_(begun.h)

        mean = torch.from_numpy(self.scale.mean).to(self.device)
        self._v_offset = torch.zeros_like(mean) if config.visible == "gaussian" else mean
        # What changes from update to update lies in tensors of its own, where a captured graph finds it.
        self._batch_rows = torch.zeros(self.batch_size, dtype=torch.int64, device=self.device)
        self._rate = torch.zeros((), dtype=torch.float64, device=self.device)
        self._momentum = torch.zeros((), device=self.device)
        self._energies = torch.zeros(2, dtype=torch.float64, device=self.device)
        self._loss_total = torch.zeros((), dtype=torch.float64, device=self.device)
        self._work: Callable[[], object] | None = None
        self._h_offset = torch.full((config.n_hidden,), 0.5, device=self.device)
        self._activity = self._h_offset.clone()  # moving mean of hidden probabilities, for the sparsity cost
        self._velocity = [torch.zeros_like(p) for p in self._parameters] if config.momentum else None
        on_gpu = self.device.type == "cuda"
        self._adam = None
        if config.optimizer == "adam":
            lr = self._rate if on_gpu else config.learning_rate
            self._adam = torch.optim.Adam(self._parameters, lr=lr, capturable=on_gpu)
        self._average = [p.clone() for p in self._parameters] if config.averaging else None
        self._before = [p.clone() for p in self._parameters] if self._adam else None
        # Log-probabilities of grey pixels mean nothing to a model of 0 and 1: no likelihood for them.
        self._online = None
        if config.visible == "gaussian" or config.binarisation != "none":
            shown = torch.zeros_like(mean) if config.visible == "gaussian" else mean
            # Rows multiplied by W in an update: two a half step and chain, the positive phase, the gradient.
            rows = 2 * config.k * self.n_chains + 2 * self.batch_size + self.n_chains
            base = base_rate(self.model, shown)
            self._online = OnlineLogZ(
                self.model, self.snapshot_steps, rows, base_vbias=base, seed=config.seed
            )

    def _new_phases(self) -> Phases:
        return Phases(
            self.model,
            self.batch_size,
            self.n_chains,
            dtype=self.dtype,
            rng=self._chains_rng,
            algorithm=self.config.algorithm,
        )

    # Where it stands ---------------------------------------------------------------------------------------------

    @property
    def epoch(self) -> float:
        """Passes over the data so far."""
        return self.step / self.steps_per_epoch

    @property
    def finished(self) -> bool:
        return self.step >= self.n_steps

    @property
    def rbm(self) -> RBM:
        """The model to show, sample and judge: the averaged parameters where averaging is on. Shares memory."""
        if self._average is None:
            return self.model
        return RBM(
            self._average[0], self._average[1], self._average[2], self.model.visible, *self._average[3:]
        )

    def learning_rate(self) -> float:
        """The learning rate of the next update, by the schedule."""
        config, base = self.config, float(self.settings["learning_rate"])
        if config.lr_schedule == "linear":
            return base * max(0.0, 1 - self.step / self.n_steps)
        if config.lr_schedule == "step":
            return base * config.lr_gamma ** (int(self.epoch) // config.lr_step_epochs)
        return base

    def momentum(self) -> float:
        """The momentum of the next update, on its ramp from 0.5 (Hinton 2010, §9)."""
        full, ramp = float(self.settings["momentum"]), self.config.momentum_ramp_epochs
        start = min(0.5, full)
        return start + (full - start) * min(1.0, self.epoch / ramp) if ramp else full

    def set(self, name: str, value: float) -> None:
        """Change one of SETTABLE from the next update on. Raises ConfigError for other names and bad values."""
        if name not in SETTABLE:
            raise ConfigError(f"{name!r} cannot be changed while training; what can: {', '.join(SETTABLE)}")
        changed = make_config(**{**self.config.model_dump(), name: value})
        self.settings[name] = getattr(changed, name)
        self._work = None
        if name == "momentum" and self._velocity is None and changed.momentum and self._adam is None:
            self._velocity = [torch.zeros_like(p) for p in self._parameters]

    def should_log(self) -> bool:
        """Whether the step just done belongs in the curves: the first few, log_every-th, epoch ends, snapshots."""
        step = self.step
        if step in (0, 1, 2, 5, 10, 20, 50) or step in self.snapshot_steps:
            return True
        return step % self.config.log_every == 0 or step % self.steps_per_epoch == 0

    # One update --------------------------------------------------------------------------------------------------

    def _rows(self) -> Tensor:
        """The training cases of the next batch. Every epoch has its own order, from the seed and its number alone."""
        epoch, position = divmod(self.step, self.steps_per_epoch)
        if self._epoch_order[0] != epoch:
            n, rng = len(self.images), Rng(self.config.seed, "order")
            rng.calls = epoch << 16
            repeats = -(-self.batch_size // n)  # tiny data sets fill a batch by coming round again
            order = torch.cat([rng.permutation(n) for _ in range(repeats)])
            self._epoch_order = (epoch, order.to(self.device))
        return self._epoch_order[1][position * self.batch_size : (position + 1) * self.batch_size]

    def update(self) -> StepInfo:
        """One parameter update: batch, chains, gradient, step. Returns what it saw."""
        self._batch_rows.copy_(self._rows())
        self._rate.fill_(self.learning_rate())
        self._momentum.fill_(self.momentum())
        if self._work is None:
            tensors, meta = self.state_dict() if self.device.type == "cuda" else ({}, {})
            self._work = captured(
                self._compute, list(self._rngs().values()), self.device, lambda: self._restore(tensors, meta)
            )
        self._work()
        self.step += 1
        self._loss_count += 1
        if self._average is not None:
            # Polynomial-decay averaging (Shamir & Zhang 2013): a mean over the latest share of the run, however long.
            window = self.config.averaging * self.step
            stride = min(max(1, int(window / _IN_WINDOW)), _STRIDE)
            if self.step % stride == 0:
                torch._foreach_lerp_(self._average, self._parameters, min(1.0, stride / window))
        return StepInfo(self.step, self._energies.clone())

    def _compute(self) -> None:
        """The part of an update that runs on the device alone: fixed tensors in, the same tensors out."""
        phases, config = self.phases, self.config
        if self._bytes:
            self._binarise_rng.binarise(self.images, self._batch_rows, phases.v_batch)
        else:
            phases.v_batch.copy_(self.images[self._batch_rows])
        phases.run(int(self.settings["k"]))
        if config.centred:
            grad = phases.gradient(self._v_offset, self._h_offset)
        else:
            grad = phases.gradient()
        data, model = phases.free_energies()
        self._energies[0].copy_(data)
        self._energies[1].copy_(model)
        self._loss_total.add_(data - model)
        self._apply(grad)
        phases.sync()

    def _apply(self, grad: Gradient) -> None:
        """The costs that join the gradient, and the step it leads to."""
        config = self.config
        h_mean = self.phases.h_total_data / self.batch_size
        if config.centred:
            self._h_offset.lerp_(h_mean, config.centring_rate)
        if config.sparsity_cost:
            # The derivative of the cross-entropy between target and mean activity by a unit's input
            # (Hinton 2010, §11).
            self._activity.lerp_(h_mean, 0.05)
            pull = config.sparsity_cost * (config.sparsity_target - self._activity)
            grad.hbias.add_(pull)
            grad.W.addr_(self.phases.v_total_data / self.batch_size, pull)
        if self.settings["weight_decay"]:
            grad.W.add_(self.model.W, alpha=-float(self.settings["weight_decay"]))
        if config.l1:
            grad.W.add_(torch.sign(self.model.W), alpha=-config.l1)
        gradients = grad.tensors()
        if config.max_grad_norm:
            norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g) for g in gradients]))
            shrink = torch.clamp(config.max_grad_norm / (norm + 1e-12), max=1.0)
            for g in gradients:
                g.mul_(shrink)
        if self._adam is not None and self._before is not None:
            torch._foreach_copy_(self._before, self._parameters)
            if self.device.type == "cpu":
                self._adam.param_groups[0]["lr"] = self._rate.item()
            for parameter, g in zip(self._parameters, gradients, strict=True):
                parameter.grad = g.neg()  # torch descends
            self._adam.step()
        elif self._velocity is not None:
            for parameter, velocity, g in zip(self._parameters, self._velocity, gradients, strict=True):
                self._add(velocity.mul_(self._momentum), g)
                parameter.add_(velocity)
        else:
            for parameter, g in zip(self._parameters, gradients, strict=True):
                self._add(parameter, g)

    def _add(self, target: Tensor, direction: Tensor) -> None:
        """target += learning rate · direction, the rate read on the device it is needed on."""
        if self.device.type == "cpu":
            target.add_(direction, alpha=self._rate.item())
        else:
            target.addcmul_(direction, self._rate)

    def _restore(self, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
        if meta:
            self.load_state_dict(tensors, meta)

    def last_increments(self) -> list[Tensor]:
        """What the last update added to W, vbias, hbias (and log_var)."""
        if self.step == 0:
            return [torch.zeros_like(p) for p in self._parameters]
        if self._before is not None:
            return [p - before for p, before in zip(self._parameters, self._before, strict=True)]
        if self._velocity is not None:
            return self._velocity
        return [self._rate * g for g in self.phases.grad.tensors()]

    # What is measured --------------------------------------------------------------------------------------------

    def _hidden_logits(self, v: Tensor) -> Tensor:
        """vW (B, H) of the shown model, before the bias, in the run's precision."""
        rbm = self.rbm
        scaled = v if rbm.inverse_var is None else v * rbm.inverse_var
        return torch.mm(scaled.to(self.dtype), rbm.W.to(self.dtype))

    def _free_energy(self, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """F (B,) of the shown model, with what it was made from: vW and p(h = 1 | v), both (B, H)."""
        logits = self._hidden_logits(v)
        means, softplus = means_and_softplus(logits, self.rbm.hbias)
        return self.rbm.visible_energy(v) - softplus.float(), logits, means

    def metrics(self) -> dict[str, Any]:
        """One row of the curves, in nats unless the name says otherwise; see the README for every column."""
        rbm, config = self.rbm, self.config
        particles = self.phases.v_chains.float()
        cases = {"train": self.monitor_train, "valid": self.monitor_valid, "fantasy": particles}
        seen = {name: self._free_energy(v) for name, v in cases.items()}
        row: dict[str, Any] = {
            "step": self.step,
            "epoch": self.epoch,
            "learning_rate": self.learning_rate(),
            "momentum": self.momentum(),
            "k": int(self.settings["k"]),
        }
        row |= {f"free_energy_{name}": float(f.mean()) for name, (f, _, _) in seen.items()}
        row["free_energy_gap"] = row["free_energy_valid"] - row["free_energy_train"]
        if self._loss_count:
            row["cd_loss_train"] = float(self._loss_total) / self._loss_count
            self._loss_total.zero_()
            self._loss_count = 0
        if config.algorithm == "cd" and self.step and self.step % self.steps_per_epoch == 0:
            row["cd_loss_valid"] = self._validation_loss()
        if rbm.visible == "bernoulli" and config.binarisation != "none":
            for name in ("train", "valid"):
                f, logits, _ = seen[name]
                row[f"pseudo_likelihood_{name}"] = self._pseudo_likelihood(cases[name], logits, f)
        _, logits, hidden = seen["train"]
        h = self._monitor_rng.bernoulli(logits, rbm.hbias)
        row["reconstruction_error"] = float(((self._mean_v(h) - self.monitor_train) ** 2).mean())
        weight_norm = float(torch.linalg.vector_norm(self.model.W))
        row["weight_norm"] = weight_norm
        if self.step and weight_norm > 0:
            row["update_ratio"] = float(torch.linalg.vector_norm(self.last_increments()[0])) / weight_norm
        row |= self._likelihood(row)
        mean_hidden = hidden.mean(0)
        row["mean_activation"] = float(mean_hidden.mean())
        row["dead_units"] = int((mean_hidden < DEAD).sum())
        row["saturated_units"] = int((mean_hidden > SATURATED).sum())
        if rbm.visible == "bernoulli":
            moved = self._monitor_rng.bernoulli(self._visible_logits(self.phases.chains_h), rbm.vbias)
            row["flips_per_sweep"] = float((moved.float() != particles).float().mean())
        return row

    def _likelihood(self, row: dict[str, Any]) -> dict[str, float]:
        """Mean log p(v) of the monitored cases in nats, as far as log Z is known while training."""
        if self._online is None:
            return {}
        # Chains that begin at the data each time never went anywhere.
        particles = self.phases.v_chains.float() if self.config.algorithm == "pcd" else None
        estimate = self._online.observe(
            self.rbm, row["free_energy_train"], self.step, particles=particles, dtype=self.dtype
        )
        if estimate is None:
            return {}
        log_z, stderr = estimate
        nats = {f"log_likelihood_{part}": -row[f"free_energy_{part}"] - log_z for part in ("train", "valid")}
        if len(self.monitor_test):
            nats["log_likelihood_test"] = -float(self._free_energy(self.monitor_test)[0].mean()) - log_z
        return {**nats, "log_z": log_z, "log_z_stderr": stderr}

    def _visible_logits(self, h: Tensor) -> Tensor:
        """hWᵀ (B, V) of the shown model, before the bias, in the run's precision."""
        return torch.mm(h.to(self.dtype), self.rbm.W.to(self.dtype).T)

    def _mean_v(self, h: Tensor) -> Tensor:
        logits = self._visible_logits(h).float() + self.rbm.vbias
        return logits if self.rbm.visible == "gaussian" else logits.sigmoid_()

    def _pseudo_likelihood(self, v: Tensor, logits: Tensor, energy: Tensor) -> float:
        """Σᵢ log p(vᵢ | v₋ᵢ), estimated from one random pixel a case; nats, the sum over visible units."""
        n, units = v.shape
        flipped = self._monitor_rng.integers(units, (n,))
        cases = torch.arange(n, device=v.device)
        change = 1 - 2 * v[cases, flipped]  # +1 or −1: what the flip adds to that pixel
        rbm = self.rbm
        _, softplus = means_and_softplus(
            torch.addcmul(logits.float(), change[:, None], rbm.W[flipped]), rbm.hbias
        )
        difference = rbm.visible_energy(v) - change * rbm.vbias[flipped] - softplus - energy
        return float(units * logsigmoid(difference).mean())

    def _validation_loss(self) -> float:
        """Mean F(v) − F(v after k sweeps from v) over all validation cases: the loss CD shows, on unseen data."""
        losses, rbm = [], self.model
        prepared = self._prepared(self.dataset.valid)
        for start in range(0, len(prepared), 1000):
            v = self._binary(prepared[start : start + 1000], self._monitor_rng)
            chain = gibbs.sweep(rbm, gibbs.from_images(rbm, v), self._monitor_rng, int(self.settings["k"]))
            losses.append((rbm.free_energy(v) - rbm.free_energy(chain.v)).sum())
        return float(torch.stack(losses).sum()) / len(prepared)

    def diverged(self, info: StepInfo | None = None) -> str | None:
        """Why the run cannot go on, with the way out, in one sentence; None while all is well.

        info: the last update's, for a check that costs nothing; without it the parameters themselves are looked at.
        """
        advice = "start again from a snapshot with a smaller learning rate"
        if info is None:
            if all(bool(torch.isfinite(p).all()) for p in self._parameters):
                return None
            return f"parameters are no longer finite at step {self.step:,}; {advice}"
        gap = info.free_energy_data - info.free_energy_model
        if not math.isfinite(gap):
            return f"the free energies are no longer finite at step {info.step:,}; {advice}"
        limit = _EXPLODED[0] + _EXPLODED[1] * self.model.n_visible
        if abs(gap) > limit:
            return (
                f"data and fantasy particles are {abs(gap):,.0f} nats apart at step {info.step:,}, "
                f"more than the {limit:,.0f} any learning model shows; {advice}"
            )
        return None

    def snapshot(self) -> dict[str, Any]:
        """The state of this moment as the fields of rbm_core.runs.Snapshot, in float32 and uint8."""
        rbm, phases = self.rbm, self.phases
        v, h = phases.v_chains.float().cpu().numpy(), phases.chains_h.to(torch.uint8).cpu().numpy()
        counts, edges = zip(*(_histogram(t) for t in self.last_increments()[:3]), strict=True)
        return {
            "log_var": None,
            **rbm.to_numpy(),
            "step": self.step,
            "particles_v": v if rbm.visible == "gaussian" else v.astype(np.uint8),
            "particles_h": h,
            "probe_hidden": np.round(255 * self._free_energy(self.probe)[2].cpu().numpy()).astype(np.uint8),
            "mean_hidden": self._free_energy(self.monitor_train)[2].mean(0).cpu().numpy(),
            "increment_counts": np.stack(counts),
            "increment_edges": np.stack(edges),
            "meta": {
                "epoch": self.epoch,
                "learning_rate": self.learning_rate(),
                "n_particles": self.n_chains,
                "visible": rbm.visible,
            },
        }

    def probe_arrays(self) -> dict[str, np.ndarray]:
        """The probe batch as people see it (uint8 grey values), its labels, and how Gaussian pixels were scaled."""
        arrays = {"v": pixels.as_bytes(self.probe_images)}
        if self.probe_labels is not None:
            arrays["labels"] = np.asarray(self.probe_labels, np.int64)
        if self.config.visible == "gaussian":
            arrays |= self.scale.arrays()
        return arrays

    # To disk and back --------------------------------------------------------------------------------------------

    def state_dict(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Everything a bit-exact resume needs: (tensors on the CPU, JSON-able rest)."""
        tensors = self._tensors()
        if self._adam is not None and self.step:
            states = [self._adam.state[p] for p in self._parameters]
            for name in ("exp_avg", "exp_avg_sq", "step"):
                tensors |= {f"{name}.{i}": state[name] for i, state in enumerate(states)}
        meta = {
            "step": self.step,
            "settings": self.settings,
            "loss": [float(self._loss_total), self._loss_count],
            "rate": float(self._rate),
            "rngs": {name: rng.state() for name, rng in self._rngs().items()},
            "dtype": str(self.dtype).removeprefix("torch."),
            "precision_note": self.precision_note,
            "online": self._online and self._online.state(),
        }
        return {name: t.detach().cpu().clone() for name, t in tensors.items()}, meta

    def _tensors(self) -> dict[str, Tensor]:
        """What a saved state holds whatever the optimiser, by name: the tensors themselves."""
        lists = {
            "parameter": self._parameters,
            "gradient": self.phases.grad.tensors(),
            "velocity": self._velocity,
            "average": self._average,
            "before": self._before,
        }
        tensors = {f"{name}.{i}": t for name, group in lists.items() for i, t in enumerate(group or [])}
        return tensors | {
            "chains_v": self.phases.v_chains,
            "chains_h": self.phases.chains_h,
            "h_offset": self._h_offset,
            "activity": self._activity,
        }

    def _rngs(self) -> dict[str, Rng]:
        return {"chains": self._chains_rng, "binarise": self._binarise_rng, "measure": self._monitor_rng}

    def load_state_dict(self, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
        """Continue exactly where `state_dict` was taken. Raises ConfigError if it is of other settings than these."""
        for name, ours in self._tensors().items():
            theirs = tensors.get(name)
            if theirs is None or theirs.shape != ours.shape:
                what = {"parameter.0": "weights", "chains_v": "chains"}.get(name, name)
                found = f"no {what}" if theirs is None else f"{what} of shape {tuple(theirs.shape)}"
                raise ConfigError(
                    f"the saved state has {found}, this run {tuple(ours.shape)}; it goes on only with the settings "
                    "it was saved with"
                )
        if meta["dtype"] != str(self.dtype).removeprefix("torch."):
            # The timing behind 'auto' may fall the other way today; the run goes on in what it began with.
            self.dtype = getattr(torch, meta["dtype"])
            self.precision_note = meta["precision_note"]
            self.phases = self._new_phases()
        self.step = int(meta["step"])
        self.settings = dict(meta["settings"])
        self._loss_total.fill_(float(meta["loss"][0]))
        self._loss_count = int(meta["loss"][1])
        self._rate.fill_(float(meta["rate"]))
        if self._online is not None:
            self._online.load(meta["online"])
        if any(name.startswith("velocity.") for name in tensors) and self._velocity is None:
            self._velocity = [torch.zeros_like(p) for p in self._parameters]
        for name, ours in self._tensors().items():
            ours.copy_(tensors[name])
        if self._adam is not None:
            self._load_adam(tensors)
        for name, rng in self._rngs().items():
            rng.load(meta["rngs"][name])
        self._epoch_order = (-1, self._epoch_order[1])
        self.phases.sync()

    def _load_adam(self, tensors: dict[str, Tensor]) -> None:
        """Adam's moments, in place where they exist: a captured graph goes on writing to the same memory."""
        assert self._adam is not None
        for i, p in enumerate(self._parameters):
            state = self._adam.state[p]
            for name in ("step", "exp_avg", "exp_avg_sq"):
                saved = tensors.get(f"{name}.{i}")
                if name in state:
                    state[name].zero_() if saved is None else state[name].copy_(saved)
                elif saved is not None:
                    counts_on_cpu = name == "step" and p.device.type == "cpu"
                    state[name] = saved.to("cpu" if counts_on_cpu else p.device)


def _histogram(t: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """(counts int32 (64,), edges float32 (65,)), symmetric about zero."""
    values = t.flatten().float()
    bound = float(values.abs().max()) if values.numel() else 0.0
    bound = bound if math.isfinite(bound) and bound > 0 else 1.0
    counts = torch.histc(values, _HISTOGRAM_BINS, -bound, bound)
    return counts.cpu().numpy().astype(np.int32), np.linspace(
        -bound, bound, _HISTOGRAM_BINS + 1, dtype=np.float32
    )
