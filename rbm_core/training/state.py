"""The state of a run in memory: everything that an update changes, and everything that a bit-exact resume needs."""

import os
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from rbm_core import gibbs, tempering
from rbm_core.compute import Rng
from rbm_core.config import ConfigError, RunConfig
from rbm_core.gradient import Phases
from rbm_core.growing import GrowingPhases
from rbm_core.kernels.threads import one_thread_of_torch
from rbm_core.precision import MOST_WHOLE, pick_precision, pick_way_down, torch_dtype
from rbm_core.rbm import RBM
from rbm_core.runs.vocabulary import SETTABLE
from rbm_core.sparse import SparsePhases
from rbm_core.training.batches import Batches
from rbm_core.training.optimiser import Optimiser
from rbm_core.training.ranks import Ranks, check_shares
from rbm_core.training.rungs import Rungs, Temperatures, Trajectory
from rbm_core.visible import UNITS

__all__ = ["Streams", "TrainState", "check_memory", "chosen_precision", "n_chains"]


# Updates between two climbs of the ladder; a climb costs a sweep and an exchange for every rung. At a rate of 0.02 a
# climb after every eighth update lost clusters of the data, one after every fourth lost none: docs/measurements.md.
_CLIMB_EVERY = 4


@dataclass(frozen=True)
class Streams:
    """The random numbers of a run, a stream for each use, so that draws from one leave the others where they are.

    chains: of the negative phase. binarise: of the batches' pixels. measure: of the curves.
    """

    chains: Rng
    binarise: Rng
    measure: Rng

    @classmethod
    def of(cls, seed: int, device: torch.device) -> "Streams":
        """The streams of a run with this seed, at their beginning."""
        return cls(*(Rng(seed, name, device) for name in ("chains", "binarise", "measure")))

    def named(self) -> dict[str, Rng]:
        """The streams by the names that a saved state knows them by."""
        return {"chains": self.chains, "binarise": self.binarise, "measure": self.measure}


def n_chains(config: RunConfig) -> int:
    """The chains of the negative phase: CD starts one at each image of the batch."""
    return config.batch_size if config.algorithm == "cd" else config.n_chains


class TrainState:
    """Parameters, chains, optimiser, offsets, averages and streams of a run after `step` updates.

    Its tensors are changed in place, by `rbm_core.training.update` alone: a captured CUDA graph works in the memory
    they had when it was captured.

    model: the parameters, float32. precision: how sweeps are computed, one of `rbm_core.precision.PRECISIONS`. phases:
    chains and gradient, computed that way. settings: the values that a
    person may change, by the names in SETTABLE. v_offset (V,), h_offset (H,): what centring subtracts.
    ranks: the processes that share the chains, where there are more than one; phases then holds this one's.
    trajectory: the run's past models. climbed: the rungs that the chains exchange with, where the algorithm has any.
    energies (2,): mean free energy of batch and particles before the last update, in nats. loss_total, loss_count:
    sum of their differences and number of updates since the last row of the curves.
    """

    def __init__(
        self,
        config: RunConfig,
        batches: Batches,
        device: torch.device,
        initial: RBM | None = None,
        ranks: Ranks | None = None,
    ) -> None:
        units, n_labels = UNITS[config.visible], batches.n_labels
        mean = torch.from_numpy(batches.mean).to(device)
        if units.standardised:
            mean = torch.zeros_like(mean)
        self.config, self.device, self.ranks = config, device, ranks
        self.step = 0
        self.settings: dict[str, float] = {name: getattr(config, name) for name in SETTABLE}
        self.model = (
            _own_copy(initial, config, mean, n_labels, device)
            if initial
            else _random(config, mean, n_labels, device)
        )
        self.streams = Streams.of(config.seed, device)
        self._own_chains = slice(0, n_chains(config))
        if ranks is not None:
            check_shares(config, ranks.size)
            self._own_chains = ranks.own(n_chains(config))
            self.streams.chains.share_rows(self._own_chains.start, n_chains(config))
            self.streams.binarise.share_rows(ranks.own(config.batch_size).start, config.batch_size)
        self.precision, self.precision_note = chosen_precision(
            config, len(mean), device, ranks.size if ranks else 1
        )
        self.phases = self._new_phases()
        self._begin_chains(mean)
        self.trajectory, self.climbed = self._new_rungs(mean)
        self.optimiser = Optimiser(config, self.model)
        self.v_offset = mean
        self.h_offset = torch.full((config.n_hidden,), 0.5, device=device)
        self.energies = torch.zeros(2, dtype=torch.float64, device=device)
        self.loss_total = torch.zeros((), dtype=torch.float64, device=device)
        self.loss_count = 0

    def _new_phases(self) -> Phases | SparsePhases | GrowingPhases:
        config, size = self.config, self.ranks.size if self.ranks else 1
        sizes = (config.batch_size // size, n_chains(config) // size)
        common: dict[str, Any] = {
            "rng": self.streams.chains,
            "algorithm": "cd" if config.algorithm == "cd" else "pcd",
        }
        if config.ordered:
            return GrowingPhases(self.model, *sizes, **common)
        by_rows = self.precision in ("int16", "differences")
        if by_rows and not _shades(config):
            dtype = torch.int16 if self.precision == "int16" else torch.float32
            return SparsePhases(self.model, *sizes, dtype=dtype, **common)
        common["by_flips"] = by_rows
        return Phases(self.model, *sizes, dtype=torch_dtype(self.precision), **common)

    def _begin_chains(self, mean: Tensor) -> None:
        """Chains start as independent pixels with the data's means: samples of the model without hidden units."""
        rng = Rng(self.config.seed, "start", self.device)
        self.phases.v_chains.copy_(
            self.model.law.at_means(mean, n_chains(self.config), rng)[self._own_chains]
        )
        begun = gibbs.from_images(self.model, self.phases.v_chains.float())
        with one_thread_of_torch():  # the same chains on any number of threads
            self.phases.chains_h.copy_(gibbs.half_step(self.model, begun, self.streams.chains).h)

    def _new_rungs(self, mean: Tensor) -> tuple[Trajectory, Rungs | None]:
        config, law = self.config, self.model.law
        base = tempering.independent(self.model, law.bias_of(mean))
        rng = Rng(config.seed, "rungs", self.device)
        v = law.at_means(mean, n_chains(config), rng)
        trajectory = Trajectory(base, v, rng, climbed=config.algorithm == "ptt")
        if config.algorithm == "pt":
            return trajectory, Temperatures(base, v, Rng(config.seed, "temperatures", self.device))
        return trajectory, trajectory if config.algorithm == "ptt" else None

    def climb(self) -> None:
        """Exchanges of the chains with the rungs below, where the algorithm has any; done between two updates, every
        few of them. A chain that exchanged goes on from its new visible state.
        """
        if self.climbed is None or self.step % _CLIMB_EVERY:
            return
        phases = self.phases
        v, accepted = self.climbed.climb(self.model, phases.v_chains.float())
        h = gibbs.half_step(self.model, gibbs.from_images(self.model, v), self.streams.chains).h
        phases.v_chains.copy_(v)
        phases.chains_h.copy_(torch.where(accepted[:, None], h, phases.chains_h.float()))

    def chains(self) -> tuple[Tensor, Tensor]:
        """(visible, hidden) states of all chains; where ranks share them, gathered on all."""
        own = (self.phases.v_chains, self.phases.chains_h)
        if self.ranks is None:
            return own
        self.ranks.tell("chains")
        return self.ranks.gathered(*own)

    @property
    def shown(self) -> RBM:
        """The model to show, sample and judge: the averaged parameters where averaging is on. Shares memory."""
        averages = self.optimiser.averages
        if averages is None:
            return self.model
        W, vbias, hbias, *log_var = averages
        return replace(self.model, W=W, vbias=vbias, hbias=hbias, log_var=log_var[0] if log_var else None)

    def last_increments(self) -> list[Tensor]:
        """What the last update added to W, vbias, hbias (and log_var)."""
        if self.step == 0:
            return [torch.zeros_like(p) for p in self.optimiser.parameters]
        return self.optimiser.last_increments(self.phases.grad.tensors())

    # To disk and back

    def save(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Everything that `load` needs to go on bit for bit: (copies of the tensors on the CPU, JSON-able rest)."""
        tensors = self._tensors() | self.optimiser.adam_tensors()
        tensors["chains_v"], tensors["chains_h"] = self.chains()
        rungs: dict[str, Any] = {}
        for kind, each in self._rungs().items():
            own, rungs[kind] = each.state()
            tensors |= {f"{kind}.{name}": t for name, t in own.items()}
        meta = {
            "rungs": rungs,
            "step": self.step,
            "settings": dict(self.settings),
            "loss": [float(self.loss_total), self.loss_count],
            "rate": float(self.optimiser.rate),
            "rngs": {name: rng.state() for name, rng in self.streams.named().items()},
            "dtype": self.precision,  # the key by which states of the first format know it
            "precision_note": self.precision_note,
        }
        return {name: t.detach().cpu().clone() for name, t in tensors.items()}, meta

    def load(self, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
        """Continue exactly where `save` was taken. ConfigError, with nothing changed, for a state of other settings."""
        self._check(tensors)
        if meta["dtype"] != self.precision:
            # Timed again, 'auto' might choose another precision; the run goes on in the one it began with.
            self.precision = meta["dtype"]
            self.precision_note = meta["precision_note"]
            self.phases = self._new_phases()
        self.step = int(meta["step"])
        self.settings = dict(meta["settings"])
        self.loss_total.fill_(float(meta["loss"][0]))
        self.loss_count = int(meta["loss"][1])
        self.optimiser.rate.fill_(float(meta["rate"]))
        if any(
            name.startswith("velocity.") for name in tensors
        ):  # a person switched momentum on while the run trained
            self.optimiser.use_momentum()
        for name, ours in self._tensors().items():
            ours.copy_(tensors[name])
        self.phases.v_chains.copy_(tensors["chains_v"][self._own_chains])
        self.phases.chains_h.copy_(tensors["chains_h"][self._own_chains])
        self.optimiser.load_adam(tensors)
        for name, rng in self.streams.named().items():
            rng.load(meta["rngs"][name])
        for kind, each in self._rungs().items():
            if kind in meta.get(
                "rungs", {}
            ):  # states of the first versions hold none: those runs begin a trajectory
                own = {
                    name.removeprefix(f"{kind}."): t
                    for name, t in tensors.items()
                    if name.startswith(f"{kind}.")
                }
                each.load(own, meta["rungs"][kind])
        self.phases.sync()
        if isinstance(self.phases, GrowingPhases):
            self.phases.recount()

    def _rungs(self) -> dict[str, Rungs]:
        """The ladders by their kind."""
        temperatures = {"temperatures": self.climbed} if isinstance(self.climbed, Temperatures) else {}
        return {"trajectory": self.trajectory, **temperatures}

    def _tensors(self) -> dict[str, Tensor]:
        """What a saved state holds whatever the optimiser, but for the chains, by name: the tensors themselves."""
        gradients = {f"gradient.{i}": g for i, g in enumerate(self.phases.grad.tensors())}
        return {**self.optimiser.tensors(), **gradients, "h_offset": self.h_offset}

    def _check(self, tensors: dict[str, Tensor]) -> None:
        shapes = {name: ours.shape for name, ours in self._tensors().items()}
        n, (V, H) = n_chains(self.config), self.model.W.shape
        shapes |= {"chains_v": torch.Size((n, V)), "chains_h": torch.Size((n, H))}
        for name, expected in shapes.items():
            theirs = tensors.get(name)
            if theirs is None or theirs.shape != expected:
                what = {"parameter.0": "weights", "chains_v": "chains"}.get(name, name)
                found = f"no {what}" if theirs is None else f"{what} of shape {tuple(theirs.shape)}"
                raise ConfigError(
                    f"the saved state has {found}, this run {tuple(expected)}; it goes on only with the settings "
                    "it was saved with"
                )


def _shades(config: RunConfig) -> bool:
    """Whether the visible units see shades, not 0 and 1: v → h then takes matrix products."""
    return UNITS[config.visible].real or config.binarisation == "none"


def chosen_precision(
    config: RunConfig, n_visible: int, device: torch.device, ranks: int = 1
) -> tuple[str, str]:
    """The precision of the sweeps, and a line that says why it was chosen. ranks: how many share the chains.

    Raises ConfigError for one not allowed.
    """
    if config.precision in ("int16", "differences") and device.type != "cpu":
        raise ConfigError(
            f"precision {config.precision!r} runs on the CPU alone; choose auto, float32 or bfloat16 on a GPU"
        )
    if config.precision == "int16" and (largest := max(n_visible, config.n_hidden)) > MOST_WHOLE:
        raise ConfigError(
            f"precision 'int16' is for layers of at most {MOST_WHOLE} units, got {largest}: their sums would not fit "
            "into 16 bits; choose auto or differences"
        )
    if config.precision != "auto":
        return config.precision, config.precision
    if config.labels or config.ordered:  # compiled kernels draw neither
        return "float32", "float32"
    if _shades(config):  # bfloat16 would round them to 8 bits
        return pick_way_down(n_visible, config.n_hidden, n_chains(config) // ranks, config.k, device)
    rows = max(config.batch_size, n_chains(config)) // ranks
    return pick_precision(n_visible, config.n_hidden, rows, config.k, device)


def check_memory(config: RunConfig, n_visible: int, device: torch.device, processes: int = 1) -> None:
    """Raises ConfigError if the run needs more memory than there is: the system would end the process later.

    processes: how many share the memory of this computer, each with parameters of its own.
    """
    V, H, B, N = n_visible, config.n_hidden, config.batch_size, n_chains(config)
    # bytes: the copies of the parameters, the states of both layers, the random numbers
    need = 32 * V * H * (1 if device.type == "cuda" else processes) + 8 * (B + N) * (V + H) + 4 * N * H
    if device.type == "cuda":
        have = torch.cuda.mem_get_info(device)[0]
    elif hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        have = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    else:
        return
    if need > have:
        raise ConfigError(
            f"n_hidden {H} with {max(B, N)} chains needs about {need / 2**30:.0f} GiB of memory and there are "
            f"{have / 2**30:.0f}; choose fewer"
        )


def _random(config: RunConfig, mean: Tensor, n_labels: int, device: torch.device) -> RBM:
    """Random weights, and visible biases from the data's means, as the configuration says."""
    return _with_variances(
        RBM.initial(
            len(mean),
            config.n_hidden,
            Rng(config.seed, "weights", device),
            weight_std=config.weight_std,
            data_mean=mean if config.data_bias else None,
            visible=config.visible,
            n_labels=n_labels,
            penalty=config.penalty if config.ordered else None,
        ),
        config,
    )


def _own_copy(initial: RBM, config: RunConfig, mean: Tensor, n_labels: int, device: torch.device) -> RBM:
    """The given parameters in memory of the run's own; ConfigError if they are of another shape or law."""
    if initial.n_labels != n_labels:
        raise ConfigError(
            f"the starting model has {initial.n_labels or 'no'} label units, the run {n_labels or 'none'}; they must "
            "agree: set labels as the starting model has them"
        )
    penalty = config.penalty if config.ordered else None
    if initial.penalty != penalty:
        raise ConfigError(
            f"the starting model has {_layer(initial.penalty)}, the run {_layer(penalty)}; "
            "they must agree: set ordered and penalty as the starting model has them"
        )
    if (initial.n_visible, initial.n_hidden) != (len(mean), config.n_hidden):
        raise ConfigError(
            f"the starting model has {initial.n_visible} × {initial.n_hidden} units, "
            f"the run {len(mean)} × {config.n_hidden}; they must agree"
        )
    if initial.visible != config.visible:
        raise ConfigError(
            f"the starting model has {initial.visible} visible units, the run {config.visible}; they must agree"
        )
    return _with_variances(initial.to(device, torch.float32), config)


def _layer(penalty: float | None) -> str:
    return (
        "hidden units without an order" if penalty is None else f"ordered hidden units of penalty {penalty:g}"
    )


def _with_variances(model: RBM, config: RunConfig) -> RBM:
    """A copy, since updates are made in place; with log σ² = 0 to start from if the run learns variances."""
    log_var = model.log_var
    if config.learn_variance and log_var is None:
        log_var = torch.zeros_like(model.vbias)
    return replace(
        model,
        W=model.W.clone(),
        vbias=model.vbias.clone(),
        hbias=model.hbias.clone(),
        log_var=None if log_var is None else log_var.clone(),
    )
