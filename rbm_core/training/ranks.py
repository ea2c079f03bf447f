"""One run on several processes: `torchrun --nproc-per-node N -m rbm_core train …`.

Every process, a rank, has all parameters, its share of each batch and its share of the chains. The gradient is a
difference of two means over cases, so the mean of the ranks' gradients is the whole one: after one all-reduce an update
every rank makes the same step. On the CPU a chain's random numbers follow from its own number, whichever rank holds it,
so that N ranks learn what one process learns, up to the rounding of sums in another order.

Rank 0 leads: it alone reads commands and writes the run, and tells the others each thing that all must do. They follow
until it tells them to end or is gone.
"""

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch import Tensor

from rbm_core.compute import resolve_device
from rbm_core.config import ConfigError, RunConfig, make_config
from rbm_core.runs.files import RunError, one_line
from rbm_core.runs.vocabulary import SETTABLE

if TYPE_CHECKING:
    from rbm_core.training.update import Training

__all__ = ["Ranks", "check_shares", "connected", "follow"]

# A dead rank is seen by its closed connection, at once. A paused run keeps the others waiting for as long as it likes.
_PATIENCE = timedelta(days=30)
_WORDS = ("begin", "update", "chains", "set", "end")


def check_shares(config: RunConfig, size: int) -> None:
    """Raises ConfigError for a run that cannot be shared among `size` ranks."""
    if config.algorithm in ("pt", "ptt"):
        raise ConfigError(
            f"algorithm {config.algorithm!r} exchanges chains with a ladder, which {size} ranks cannot "
            "share; choose pcd or cd, or train in one process"
        )
    chains = config.batch_size if config.algorithm == "cd" else config.n_chains
    for name, n in (("batch_size", config.batch_size), ("n_chains", chains)):
        if n % size:
            raise ConfigError(
                f"{name} {n} cannot be shared evenly among {size} ranks; choose a multiple of {size}"
            )


class Ranks:
    """This process among those of the run, once they are connected.

    Sums go through NCCL on CUDA and gloo on the CPU; what rank 0 tells goes through gloo.
    """

    def __init__(self) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self.device = torch.device("cpu")
        self._sums: Any = None
        self._flat = torch.empty(0)

    @classmethod
    def of_this_process(cls) -> "Ranks | None":
        """None for a process alone."""
        return cls() if dist.is_available() and dist.is_initialized() else None

    def own_device(self, kind: str) -> torch.device:
        """This rank's device of a kind: one GPU a rank, by its number on its computer."""
        local = int(os.environ.get("LOCAL_RANK", "0"))
        device = resolve_device(kind)
        self.device = resolve_device(f"cuda:{local}") if device.type == "cuda" else device
        return self.device

    def open_sums(self) -> None:
        """Where the ranks compute on GPUs: opens the way between these. All ranks do it at the same point."""
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)
            with _explained(self):
                self._sums = dist.new_group(backend="nccl", timeout=timedelta(minutes=10))

    def own(self, n: int) -> slice:
        """This rank's of n rows."""
        each = n // self.size
        return slice(self.rank * each, (self.rank + 1) * each)

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Each tensor becomes its mean over the ranks, the same bits on all, in one message of float32."""
        n = sum(t.numel() for t in tensors)
        if self._flat.numel() != n:
            self._flat = torch.empty(n, device=self.device)
        parts = self._flat.split([t.numel() for t in tensors])
        for part, tensor in zip(parts, tensors, strict=True):
            part.copy_(tensor.reshape(-1))
        with _explained(self):
            dist.all_reduce(self._flat, group=self._sums)
        self._flat /= self.size
        for part, tensor in zip(parts, tensors, strict=True):
            tensor.copy_(part.view_as(tensor))

    def gathered(self, own: Tensor) -> Tensor:
        """The rows of all ranks, in their order, on this rank's device."""
        mine = own.to("cpu", torch.float32).contiguous()
        rows = [torch.empty_like(mine) for _ in range(self.size)]
        with _explained(self):
            dist.all_gather(rows, mine)
        return torch.cat(rows).to(own)

    # What rank 0 tells

    def lead(
        self, training: "Training", fingerprint: str, initial: dict[str, Any] | None, saved: Any | None
    ) -> None:
        """On rank 0: brings the others to where this training is. initial: what it started from, as the arguments of
        `RBM.from_numpy`; saved: the arguments of `load_state_dict` that it was given.
        """
        self.tell("begin")
        config = training.config.model_dump(mode="json") | {"precision": training.state.precision}
        kind = training.device.type
        self.share(
            {"config": config, "device": kind, "fingerprint": fingerprint, "initial": initial, "saved": saved}
        )
        self.open_sums()

    def tell(self, word: str, name: str = "", value: float = 0.0) -> None:
        """On rank 0: has every other rank do the same next. On the others nothing: they have been told."""
        if self.rank == 0:
            number = SETTABLE.index(name) if name else 0
            message = torch.tensor([_WORDS.index(word), number, float(value)], dtype=torch.float64)
            with _explained(self):
                dist.broadcast(message, 0)

    def share(self, what: Any = None) -> Any:
        """What rank 0 gives here, on every rank."""
        box = [what]
        with _explained(self):
            dist.broadcast_object_list(box, 0)
        return box[0]

    def told(self) -> tuple[str, str, float]:
        """On another rank than 0: waits for what rank 0 tells: (word, name, value)."""
        message = torch.zeros(3, dtype=torch.float64)
        with _explained(self):
            dist.broadcast(message, 0)
        return _WORDS[int(message[0])], SETTABLE[int(message[1])], float(message[2])

    def follow(self, training: "Training") -> None:
        """On another rank than 0: does what rank 0 tells, until it says that this is the end."""
        while True:
            word, name, value = self.told()
            if word == "end":
                return
            if word == "update":
                training.update()
            elif word == "chains":
                training.state.chains()
            else:
                training.set(name, int(value) if name == "k" else value)


@contextmanager
def _explained(ranks: Ranks) -> Iterator[None]:
    """A failed exchange becomes one sentence."""
    try:
        yield
    except RuntimeError as error:
        raise RunError(
            f"a rank of the {ranks.size} has ended, so the others cannot go on; "
            "the run goes on from its last saved state, with any number of ranks"
        ) from error


@contextmanager
def connected() -> Iterator[Ranks]:
    """This process among all that torchrun has started, once they are there. Rank 0 lets the others go at the end,
    however it ends, as far as they are still there. Raises RunError in one sentence if they do not find each other.
    """
    try:
        dist.init_process_group("gloo", timeout=_PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise RunError(
            f"the ranks do not find each other ({one_line(error)}); start them by torchrun"
        ) from error
    ranks = Ranks()
    try:
        yield ranks
    finally:
        with suppress(RunError):
            ranks.tell("end")
        dist.destroy_process_group()


def follow() -> None:
    """The whole life of a rank other than 0. Raises an error in one sentence where it cannot take part."""
    with connected() as ranks:
        # Rank 0 hears a request to end, saves the run with the help of all, and lets them go.
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), signal.SIG_IGN)
        if ranks.told()[0] == "begin":
            ranks.follow(_same_training(ranks))


def _same_training(ranks: Ranks) -> "Training":
    """The training that rank 0 leads, where that one is."""
    from rbm_core import datasets
    from rbm_core.rbm import RBM
    from rbm_core.training.update import Training

    told = ranks.share()
    config = make_config(**told["config"])
    dataset = datasets.load(config.dataset, n_valid=config.n_valid)
    if dataset.fingerprint != told["fingerprint"]:
        raise RunError(f"the data {dataset.name!r} of rank {ranks.rank} are not those of rank 0")
    initial = None if told["initial"] is None else RBM.from_numpy(**told["initial"])
    training = Training(
        config, dataset, device=ranks.own_device(told["device"]), initial=initial, ranks=ranks
    )
    if told["saved"] is not None:
        training.load_state_dict(*told["saved"])
    ranks.open_sums()
    return training
