"""One run on several processes: `torchrun --nproc-per-node N -m rbm_core train …`.

Every process, a rank, has all parameters, its share of each batch and its share of the chains. The gradient is a
difference of two means over cases, so the mean of the ranks' gradients is the whole one: after one all-reduce an update
every rank makes the same step. On the CPU a chain's random numbers follow from its own number, whichever rank holds it,
so that N ranks learn what one process learns, up to the rounding of sums in another order.

Rank 0 leads: it alone reads commands and writes the run, and tells the others each thing that all must do. They follow
until it tells them to end or is gone.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch import Tensor

from rbm_core.compute import DeviceError, resolve_device
from rbm_core.config import ConfigError, RunConfig, make_config
from rbm_core.runs.files import RunError, one_line
from rbm_core.runs.vocabulary import SETTABLE
from rbm_core.training.signals import ignore_signals

if TYPE_CHECKING:
    from rbm_core.rbm import RBM
    from rbm_core.training.update import Training

__all__ = ["Ranks", "check_shares", "connected", "follow"]

# A dead rank is seen by its closed connection, at once. A paused run keeps the others waiting for as long as it likes.
_PATIENCE = timedelta(days=30)
# GPUs wait for one another without seeing a connection: after this time NCCL ends their processes. A paused run has
# nothing for them to wait for.
_PATIENCE_OF_GPUS = timedelta(seconds=25)
_WORDS = ("begin", "update", "chains", "set", "end")
_SHARED = _WORDS[:3]  # what goes on with an exchange to which every rank gives its part


def check_shares(config: RunConfig, size: int) -> None:
    """Raises ConfigError for a run that cannot be shared among `size` ranks."""
    if config.algorithm in ("pt", "ptt"):
        raise ConfigError(
            f"algorithm {config.algorithm!r} exchanges chains with a ladder, which {size} ranks cannot "
            "share; choose pcd or cd, or train in one process"
        )
    if config.ordered:
        raise ConfigError(
            f"ordered hidden units grow by the chains of one process, which {size} ranks cannot share; train in one "
            "process"
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
    size: how many they are. here: how many of them share this computer.
    """

    def __init__(self) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self.here = int(os.environ.get("LOCAL_WORLD_SIZE", self.size))
        self.device = torch.device("cpu")
        self._sums: Any = None
        self._flat = torch.empty(0)
        self._awaited = False  # on rank 0: the others are in the middle of what it told last

    def own_device(self, kind: str) -> torch.device:
        """This rank's device of a kind: one GPU a rank, by its number on its computer. DeviceError for too few GPUs."""
        self.device = resolve_device(kind)
        if self.device.type == "cuda":
            if self.here > torch.cuda.device_count():
                raise DeviceError(
                    f"{self.here} ranks on one computer need as many GPUs, and there are "
                    f"{torch.cuda.device_count()}; start fewer ranks, or set device=cpu"
                )
            self.device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        return self.device

    def open_sums(self) -> None:
        """Where the ranks compute on GPUs: opens the way between these. All ranks do it at the same point."""
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)
            with _explained(self):
                self._sums = dist.new_group(backend="nccl", timeout=_PATIENCE_OF_GPUS)

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
        self._awaited = False
        self._flat /= self.size
        for part, tensor in zip(parts, tensors, strict=True):
            tensor.copy_(part.view_as(tensor))

    def gathered(self, v: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """The rows of all ranks, in their order, on this rank's device: (N / size, V) and (N / size, H) become (N, V)
        and (N, H).
        """
        mine = torch.cat([v.to("cpu", torch.float32), h.to("cpu", torch.float32)], 1)
        rows = [torch.empty_like(mine) for _ in range(self.size)]
        with _explained(self):
            dist.all_gather(rows, mine)
        self._awaited = False
        of_v, of_h = torch.cat(rows).split([v.shape[1], h.shape[1]], 1)
        return of_v.contiguous().to(v), of_h.contiguous().to(h)

    # What rank 0 tells

    def lead(
        self,
        training: "Training",
        fingerprint: str,
        initial: "RBM | None",
        saved: tuple[dict[str, Tensor], dict[str, Any]] | None,
    ) -> None:
        """On rank 0: brings the others to where this training is.

        fingerprint: of its data. initial: the parameters it started from, on the CPU. saved: what `load_state_dict` was
        given. Each None where there was none.
        """
        config = training.config.model_dump(mode="json") | {"precision": training.state.precision}
        self.tell("begin")
        self.share(
            {
                "config": config,
                "device": training.device.type,
                "fingerprint": fingerprint,
                "initial": initial,
                "saved": saved,
            }
        )
        self._awaited = False
        self.open_sums()

    def tell(self, word: str, name: str = "", value: float = 0.0) -> None:
        """On rank 0: has every other rank do the same next. On the others nothing: they have been told."""
        if self.rank == 0:
            number = SETTABLE.index(name) if name else 0
            message = torch.tensor([_WORDS.index(word), number, float(value)], dtype=torch.float64)
            with _explained(self):
                dist.broadcast(message, 0)
            self._awaited = word in _SHARED

    def let_go(self) -> None:
        """On rank 0: tells the others that this is the end. Where they wait for its part of something that it has not
        done, nothing: they see its connection close.
        """
        if not self._awaited:
            with suppress(RunError):
                self.tell("end")

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
        ignore_signals()  # torchrun now asks every rank to end; this one has to say first why it does
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
        ranks.let_go()
        dist.destroy_process_group()


def follow() -> None:
    """The whole life of a rank other than 0. Raises an error in one sentence where it cannot take part."""
    with connected() as ranks:
        # Rank 0 hears a request to end, saves the run with the help of all, and lets them go.
        ignore_signals()
        if ranks.told()[0] == "begin":
            ranks.follow(_same_training(ranks))


def _same_training(ranks: Ranks) -> "Training":
    """The training that rank 0 leads, where that one is."""
    from rbm_core import datasets
    from rbm_core.training.update import Training

    told = ranks.share()
    config = make_config(**told["config"])
    dataset = datasets.load(config.dataset, n_valid=config.n_valid)
    if dataset.fingerprint != told["fingerprint"]:
        raise RunError(f"the data {dataset.name!r} of rank {ranks.rank} are not those of rank 0")
    device = ranks.own_device(told["device"])
    training = Training(config, dataset, device=device, initial=told["initial"], ranks=ranks)
    if told["saved"] is not None:
        training.load_state_dict(*told["saved"])
    ranks.open_sums()
    return training
