"""The step from a gradient: costs, clipping, then SGD, momentum or Adam; and the mean over the latest parameters."""

from typing import Any

import torch
from torch import Tensor

from rbm_core.config import RunConfig
from rbm_core.gradient import Gradient
from rbm_core.rbm import RBM
from rbm_core.sparse import SparsePhases

__all__ = ["Optimiser", "learning_rate", "momentum"]

# Averaged weights are a mean over at least _IN_WINDOW updates of their window, at most every _STRIDE-th of which
# counts. Means over five updates, ten apart, left a landscape so rough that young models were 3 to 4 nats worse and
# short annealings misjudged them.
_IN_WINDOW, _STRIDE = 50, 10
# Share by which the moving mean of hidden probabilities follows a batch, for the sparsity cost.
_ACTIVITY_RATE = 0.05
_ADAM_STATE = ("exp_avg", "exp_avg_sq", "step")


def learning_rate(config: RunConfig, base: float, step: int, per_epoch: int) -> float:
    """The learning rate of update number step + 1, by the schedule. base: the rate before any decay."""
    if config.lr_schedule == "linear":
        return base * max(0.0, 1 - step / config.n_updates(per_epoch))
    if config.lr_schedule == "step":
        return base * config.lr_gamma ** (int(step / per_epoch) // config.lr_step_epochs)
    return base


def momentum(config: RunConfig, full: float, step: int, per_epoch: int) -> float:
    """The momentum of update number step + 1, on its ramp from 0.5 to `full` (Hinton 2010, §9)."""
    ramp, start = config.momentum_ramp_epochs, min(0.5, full)
    return start + (full - start) * min(1.0, step / per_epoch / ramp) if ramp else full


class Optimiser:
    """What an update does with its gradient, and the tensors it keeps for that.

    A captured CUDA graph goes on reading and writing the memory that was there when it was captured. So every tensor
    below is made once, `apply` and `average` change it in place, and `rate` and `momentum`, which differ from update
    to update, are tensors too. What is a plain number (the costs, the clipping norm) is baked into the graph: whoever
    changes one captures anew.

    rate (float64), momentum: of the update under way. activity (H,): moving mean of hidden probabilities. averages: the
    parameters' mean over the latest share of the run, where averaging is on. averaged: the last step that `ascend` took
    into it. velocity: the last step of each parameter, where momentum is used. before: each parameter before the last
    step, where Adam makes it.
    """

    def __init__(self, config: RunConfig, model: RBM) -> None:
        self.config, self.model, device = config, model, model.device
        self.parameters = [t for t in (model.W, model.vbias, model.hbias, model.log_var) if t is not None]
        self.rate = torch.zeros((), dtype=torch.float64, device=device)
        self.momentum = torch.zeros((), device=device)
        self._rate_here = self.rate.numpy() if device.type == "cpu" else None
        self.activity = torch.full((model.n_hidden,), 0.5, device=device)
        self.velocity: list[Tensor] | None = None
        self.averages = [p.clone() for p in self.parameters] if config.averaging else None
        self.averaged = 0
        self.adam: torch.optim.Adam | None = None
        self.before: list[Tensor] | None = None
        if config.optimizer == "adam":
            on_gpu = device.type == "cuda"
            lr = self.rate if on_gpu else config.learning_rate
            self.adam = torch.optim.Adam(self.parameters, lr=lr, capturable=on_gpu)
            self.before = [p.clone() for p in self.parameters]
        if config.momentum:
            self.use_momentum()

    def begin(self, rate: float, momentum: float) -> None:
        """The rate and the momentum of the update that begins."""
        if self._rate_here is None:
            self.rate.fill_(rate)
        else:
            self._rate_here[()] = rate  # in a tenth of the time
        if self.velocity is not None:
            self.momentum.fill_(momentum)

    def use_momentum(self) -> None:
        """Keeps the last step of each parameter from now on."""
        if self.velocity is None:
            self.velocity = [torch.zeros_like(p) for p in self.parameters]

    def apply(self, grad: Gradient, v_mean: Tensor, h_mean: Tensor, weight_decay: float) -> None:
        """One step along the gradient after costs and clipping, which change `grad` in place.

        v_mean (V,), h_mean (H,): the batch's mean visible states and hidden probabilities.
        """
        self._add_costs(grad, v_mean, h_mean, weight_decay)
        gradients = grad.tensors()
        if self.config.max_grad_norm:
            norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g) for g in gradients]))
            shrink = torch.clamp(self.config.max_grad_norm / (norm + 1e-12), max=1.0)
            for g in gradients:
                g.mul_(shrink)
        if self.adam is not None:
            self._adam_step(self.adam, gradients)
        elif self.velocity is not None:
            for parameter, velocity, g in zip(self.parameters, self.velocity, gradients, strict=True):
                self._add(velocity.mul_(self.momentum), g)
                parameter.add_(velocity)
        else:
            for parameter, g in zip(self.parameters, gradients, strict=True):
                self._add(parameter, g)

    def _add_costs(self, grad: Gradient, v_mean: Tensor, h_mean: Tensor, weight_decay: float) -> None:
        config = self.config
        if config.sparsity_cost:
            # The derivative of the cross-entropy between target and mean activity by a unit's input
            # (Hinton 2010, §11).
            self.activity.lerp_(h_mean, _ACTIVITY_RATE)
            pull = config.sparsity_cost * (config.sparsity_target - self.activity)
            grad.hbias.add_(pull)
            grad.W.addr_(v_mean, pull)
        if weight_decay:
            grad.W.add_(self.model.W, alpha=-weight_decay)
        if config.l1:
            grad.W.add_(torch.sign(self.model.W), alpha=-config.l1)

    def _adam_step(self, adam: torch.optim.Adam, gradients: list[Tensor]) -> None:
        assert self.before is not None
        torch._foreach_copy_(self.before, self.parameters)
        if self.rate.device.type == "cpu":
            adam.param_groups[0]["lr"] = self.rate.item()
        for parameter, g in zip(self.parameters, gradients, strict=True):
            parameter.grad = g.neg()  # torch descends
        adam.step()

    def _add(self, target: Tensor, direction: Tensor) -> None:
        """target += rate · direction, the rate read on the device it is needed on."""
        if self.rate.device.type == "cpu":
            target.add_(direction, alpha=self.rate.item())
        else:
            target.addcmul_(direction, self.rate)

    def average(self, step: int) -> None:
        """Takes the parameters after this step into their mean over the latest share of the run, however long it is."""
        share = self._share(step)
        if self.averages is not None and share:
            torch._foreach_lerp_(self.averages, self.parameters, share)

    def _share(self, step: int) -> float:
        """How far the averages move towards the parameters after this step: polynomial decay (Shamir & Zhang 2013)."""
        if self.averages is None:
            return 0.0
        window = self.config.averaging * step
        stride = min(max(1, int(window / _IN_WINDOW)), _STRIDE)
        return min(1.0, stride / window) if step % stride == 0 else 0.0

    @property
    def plain(self) -> bool:
        """Whether a step is the learning rate times the gradient less weight decay, and nothing else."""
        costs = self.config.sparsity_cost or self.config.l1 or self.config.max_grad_norm
        return self.adam is None and self.velocity is None and not costs

    def ascend(self, phases: SparsePhases, step: int, **update: Any) -> None:
        """The phases' `run`, and `apply` and `average` of a `plain` step in one pass over the weights.

        It becomes number `step`. update: what else `SparsePhases.ascend` is to do.
        """
        assert self._rate_here is not None  # the phases are the CPU's
        phases.ascend(self._rate_here.item(), averages=self.averages, share=self._share(step), **update)
        self.averaged = step

    def last_increments(self, gradients: list[Tensor]) -> list[Tensor]:
        """What the last update added to each parameter. gradients: as `apply` left them."""
        if self.before is not None:
            return [p - before for p, before in zip(self.parameters, self.before, strict=True)]
        return self.velocity if self.velocity is not None else [self.rate * g for g in gradients]

    def tensors(self) -> dict[str, Tensor]:
        """What a saved state holds, by name: the tensors themselves. Adam's own are apart, in `adam_tensors`."""
        lists = {
            "parameter": self.parameters,
            "velocity": self.velocity,
            "average": self.averages,
            "before": self.before,
        }
        named = {f"{name}.{i}": t for name, group in lists.items() for i, t in enumerate(group or [])}
        return named | {"activity": self.activity}

    def adam_tensors(self) -> dict[str, Tensor]:
        """Adam's moments and counts by name; empty before its first step."""
        if self.adam is None:
            return {}
        states = [self.adam.state[p] for p in self.parameters]
        return {f"{name}.{i}": s[name] for i, s in enumerate(states) for name in _ADAM_STATE if name in s}

    def load_adam(self, tensors: dict[str, Tensor]) -> None:
        """Takes up what `adam_tensors` gave, in place where Adam has begun: a captured graph writes to that memory."""
        if self.adam is None:
            return
        for i, p in enumerate(self.parameters):
            state = self.adam.state[p]
            for name in _ADAM_STATE:
                saved = tensors.get(f"{name}.{i}")
                if name in state:
                    state[name].zero_() if saved is None else state[name].copy_(saved)
                elif saved is not None:
                    counts_on_cpu = name == "step" and p.device.type == "cpu"
                    state[name] = saved.to("cpu" if counts_on_cpu else p.device)
