"""Learning: one parameter update, again and again. Nothing here touches a file or a clock.

The same configuration, data, device and way to sweep give bit-identical parameters, and so does a run that goes on from
a saved state: every random number comes from a named stream with a saved position. Where plain CD or PCD sweeps by
differences, any number of threads gives them; elsewhere torch's products and steps do, whose last bits depend on it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from rbm_core.compute import Tossed, captured, resolve_device
from rbm_core.config import ConfigError, RunConfig, make_config
from rbm_core.datasets import Dataset
from rbm_core.growing import GrowingPhases
from rbm_core.labels import discriminative_gradient
from rbm_core.rbm import RBM
from rbm_core.runs.vocabulary import SETTABLE
from rbm_core.sparse import SparsePhases
from rbm_core.training.batches import Batches
from rbm_core.training.monitor import Monitor, divergence, snapshot_schedule
from rbm_core.training.optimiser import learning_rate, momentum
from rbm_core.training.ranks import Ranks
from rbm_core.training.state import TrainState, check_memory
from rbm_core.training.stopping import EarlyStopping

__all__ = ["StepInfo", "Training"]


@dataclass(frozen=True)
class StepInfo:
    """What one update saw: its number, and mean free energies of batch and particles before it, in nats.

    energies: (2,), read from a GPU only when asked for.
    """

    step: int
    energies: Tensor | list[float]

    @property
    def free_energy_data(self) -> float:
        """Mean F over the batch, in nats."""
        return float(self.energies[0])

    @property
    def free_energy_model(self) -> float:
        """Mean F over the particles, in nats."""
        return float(self.energies[1])


class _Here(NamedTuple):
    """The memory of two tensors on the CPU: after a kernel a call of torch takes 5 to 15 µs, one of numpy 1."""

    rows: np.ndarray
    energies: np.ndarray


class Training:
    """A run in memory: its batches, its state, its monitor, and the update that moves the state.

    config: what to do. dataset: images in [0, 1]. device: overrides config.device. initial: parameters to start
    from instead of random ones. batches: the training cases where they are not dataset.train, which then holds some of
    them. ranks: the processes that share batches and chains; each makes the same calls.
    Raises ConfigError or DeviceError in one sentence for what cannot work.
    """

    def __init__(
        self,
        config: RunConfig,
        dataset: Dataset,
        *,
        device: str | torch.device | None = None,
        initial: RBM | None = None,
        batches: Batches | None = None,
        ranks: Ranks | None = None,
    ) -> None:
        self.config, self.ranks = config, ranks
        self.device = device if isinstance(device, torch.device) else resolve_device(device or config.device)
        check_memory(config, dataset.train_kept.shape[1], self.device, ranks.here if ranks else 1)
        self.batches = batches or Batches(config, dataset, self.device)
        self.steps_per_epoch = self.batches.per_epoch
        self.n_steps = config.n_updates(self.steps_per_epoch)
        self.snapshot_steps = snapshot_schedule(self.n_steps, config.max_snapshots)
        self.state = TrainState(config, self.batches, self.device, initial, ranks)
        self.monitor = Monitor(config, dataset, self.batches, self.state, self.snapshot_steps)
        self.stopping = EarlyStopping(config.patience)
        self._cases = ranks.own(config.batch_size) if ranks else slice(None)
        own = len(range(config.batch_size)[self._cases])
        self._rows = torch.zeros(own, dtype=torch.int64, device=self.device)
        self._recorded = self.state.trajectory.steps
        on_cpu = self.device.type == "cpu"
        self._here = _Here(self._rows.numpy(), self.state.energies.numpy()) if on_cpu else None
        self._work: Callable[[], object] | None = None  # `_compute`, or a captured graph of it

    # One update

    def update(self) -> StepInfo:
        """One parameter update: data, chains, gradient, step. Returns its free energies."""
        state, optimiser = self.state, self.state.optimiser
        if self.ranks:
            self.ranks.tell("update")
        rows = self.batches.rows(state.step)[self._cases]
        if self._here is None:
            self._rows.copy_(torch.as_tensor(rows))
        else:
            self._here.rows[:] = rows
        state.climb()
        optimiser.begin(self.learning_rate(), self.momentum())
        if self._work is None:
            self._work = self._captured()
        self._work()
        state.step += 1
        state.loss_count += 1
        if optimiser.averaged != state.step:
            optimiser.average(state.step)
        if state.climbed is state.trajectory:
            self.observe()
        energies = state.energies.clone() if self._here is None else self._here.energies.tolist()
        return StepInfo(state.step, energies)

    def _batch(self, phases: SparsePhases) -> Tossed | None:
        """What the phases' own threads make the batch of; None where it stands in v_batch."""
        rng = self.state.streams.binarise
        batch = self.batches.toss(self._rows, rng)
        if not batch:
            self.batches.fill(self._rows, rng, phases.v_batch)
        return batch

    def _compute_by_rows(self) -> None:
        """`_compute` where one kernel can make all of it: `SparsePhases` and a `plain` step of them."""
        config, state, phases = self.config, self.state, self.state.phases
        assert isinstance(phases, SparsePhases)
        state.optimiser.ascend(
            phases,
            state.step + 1,
            k=int(state.settings["k"]),
            batch=self._batch(phases),
            v_offset=state.v_offset if config.centred else None,
            h_offset=state.h_offset if config.centred else None,
            centring_rate=config.centring_rate,
            weight_decay=float(state.settings["weight_decay"]),
            energies=state.energies,
            loss_total=state.loss_total,
        )

    def _compute(self) -> None:
        """The part of an update that runs on the device alone, and so can be captured as a CUDA graph.

        Parameters, chains and offsets change here, or in `_compute_by_rows`, while a run learns: always in the same
        memory.
        """
        config, state, phases = self.config, self.state, self.state.phases
        k = int(state.settings["k"])
        v_offset, h_offset = (state.v_offset, state.h_offset) if config.centred else (None, None)
        weight_decay = float(state.settings["weight_decay"])
        if isinstance(phases, SparsePhases):
            phases.run(k, self._batch(phases))
        else:
            self.batches.fill(self._rows, state.streams.binarise, phases.v_batch)
            phases.run(k)
        gradient = phases.gradient(v_offset, h_offset)
        v_mean, h_mean, energies = phases.v_mean_data, phases.h_mean_data, phases.free_energies()
        if config.discriminative:
            told_apart = discriminative_gradient(state.model, phases.v_batch)
            torch._foreach_lerp_(gradient.tensors(), told_apart.tensors(), config.discriminative)
        if self.ranks:  # all are means over cases, and so are the ranks' means
            shared = torch.stack([torch.as_tensor(x, device=self.device) for x in energies])
            self.ranks.average([*gradient.tensors(), v_mean, h_mean, shared])
            energies = shared[0], shared[1]
        state.energies[0], state.energies[1] = energies
        state.loss_total += energies[0] - energies[1]
        state.optimiser.apply(gradient, v_mean, h_mean, weight_decay)
        phases.sync()
        if h_offset is not None:
            h_offset.lerp_(h_mean, config.centring_rate)

    def _captured(self) -> Callable[[], object]:
        state, phases = self.state, self.state.phases
        if isinstance(phases, SparsePhases) and state.optimiser.plain and not self.ranks:
            return self._compute_by_rows
        if self.ranks:  # a rank that dies while a graph holds its part of a sum would hang the others
            return self._compute
        if isinstance(phases, GrowingPhases):
            return self._compute  # how many columns it multiplies changes as the layer grows
        # capturing runs a few updates to warm up
        saved = state.save() if self.device.type == "cuda" else None
        return captured(
            self._compute,
            list(state.streams.named().values()),
            self.device,
            lambda: state.load(*saved) if saved else None,
        )

    # Progress and settings

    @property
    def step(self) -> int:
        """Updates so far."""
        return self.state.step

    @property
    def epoch(self) -> float:
        """Passes over the data so far."""
        return self.step / self.steps_per_epoch

    @property
    def finished(self) -> bool:
        """Whether all updates are made."""
        return self.step >= self.n_steps

    @property
    def rbm(self) -> RBM:
        """The model to show, sample and judge: the averaged parameters where averaging is on. Shares memory."""
        return self.state.shown

    def learning_rate(self) -> float:
        """The learning rate of the next update, by the schedule."""
        return learning_rate(
            self.config, self.state.settings["learning_rate"], self.step, self.steps_per_epoch
        )

    def momentum(self) -> float:
        """The momentum of the next update, on its ramp."""
        return momentum(self.config, self.state.settings["momentum"], self.step, self.steps_per_epoch)

    def set(self, name: str, value: float) -> None:
        """Change one of SETTABLE from the next update on. Raises ConfigError for other names and bad values."""
        if name not in SETTABLE:
            raise ConfigError(f"{name!r} cannot be changed while training; what can: {', '.join(SETTABLE)}")
        changed = make_config(**{**self.config.model_dump(), name: value})
        if self.ranks:
            self.ranks.tell("set", name, value)
        self.state.settings[name] = getattr(changed, name)
        if changed.momentum and name == "momentum" and changed.optimizer == "sgd":
            self.state.optimiser.use_momentum()
        self._work = None

    # What is shown and kept

    def should_log(self) -> bool:
        """Whether the step just done belongs in the curves."""
        return self.monitor.due(self.step)

    def metrics(self) -> dict[str, Any]:
        """One row of the curves; see `Monitor.metrics`."""
        return self.monitor.metrics()

    def diverged(self, info: StepInfo | None = None) -> str | None:
        """Why the run cannot go on, in a clause; None while all is well.

        info: the last update's, for a check that costs nothing; without it the parameters themselves are looked at.
        """
        apart = None if info is None else info.free_energy_data - info.free_energy_model
        return divergence(self.state, apart)

    def snapshot(self) -> dict[str, Any]:
        """The state of this moment as the fields of rbm_core.runs.Snapshot."""
        return self.monitor.snapshot()

    def observe(self) -> None:
        """Keeps the model as a rung of the run's trajectory if it is due and far enough from the last one.

        For whoever records the run, after each update; a second call at the same step does nothing.
        """
        state = self.state
        if state.trajectory.looks(state.step):
            state.trajectory.observe(state.shown, state.step)

    def new_past_models(self) -> dict[str, Any] | None:
        """The run's ladder as the fields of rbm_core.runs.past_models.PastModels; None if no rung is new since it was
        last asked for.
        """
        steps = self.state.trajectory.steps
        if steps == self._recorded:
            return None
        self._recorded = steps
        parameters = {name: t.numpy() for name, t in self.state.trajectory.parameters().items()}
        return {"steps": tuple(steps), **parameters}

    def probe_arrays(self) -> dict[str, np.ndarray]:
        """The probe batch whose hidden probabilities the snapshots hold; see `Monitor.probe_arrays`."""
        return self.monitor.probe_arrays()

    def state_dict(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Everything a bit-exact resume needs: (tensors on the CPU, JSON-able rest)."""
        tensors, meta = self.state.save()
        online = self.monitor.online
        rest = {"online": online and online.state(), "stopping": self.stopping.state()}
        return tensors, {**meta, **rest}

    def load_state_dict(self, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
        """Continue exactly where `state_dict` was taken. Raises ConfigError if it is of other settings than these."""
        self.state.load(tensors, meta)
        if self.monitor.online is not None:
            self.monitor.online.load(meta["online"])
        self.stopping.load(meta.get("stopping", {}))
        self._work = None
