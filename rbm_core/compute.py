"""Where the engine computes, and where its random numbers come from.

On the CPU draws come from a counter-based generator in compiled kernels (kernels/draws.py); on CUDA from torch's own
device generator. Callers see one class, `Rng`, and never a global seed.
"""

import zlib
from collections.abc import Callable
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from rbm_core.kernels import draws
from rbm_core.kernels.bernoulli import SECOND_CALL
from rbm_core.kernels.primitives import DRAW_RESOLUTION
from rbm_core.machine import processor_name

__all__ = [
    "DRAW_RESOLUTION",
    "DeviceError",
    "Rng",
    "Tossed",
    "as_array",
    "device_name",
    "resolve_device",
]

_MASK32 = 0xFFFFFFFF

Tossed = tuple[Tensor, Tensor, tuple[int, int, int, int, int], int]
"""(images (N, V) uint8, rows (B,), counter, number of the first row): a batch that a kernel is to draw."""


class DeviceError(ValueError):
    """A device that was asked for and is not there."""


def as_array(x: Tensor) -> np.ndarray:
    """The memory of a contiguous CPU tensor as numpy sees it; bfloat16 as its uint16 bit patterns."""
    return x.view(torch.uint16).numpy() if x.dtype == torch.bfloat16 else x.numpy()


class Rng:
    """One stream of random numbers, named by (seed, stream, rank); the same name gives the same numbers.

    On the CPU the numbers are Philox4x32-10 of (key = seed, counter = (index, call, rank, number of the stream)), so
    two streams that differ in seed, rank or number never share a random number, and the whole state is one call
    counter. The number of a stream is the CRC-32 of its name; recorded runs rely on it. 32 bits cannot tell all names
    apart: of two names with the same number a process can use one. Every name that the engine itself uses has a number
    of its own, those that count on (`mixing-250`) up to 100,000: a test goes through them.
    Bernoulli draws fire with p to within 2⁻²³ (`DRAW_RESOLUTION`); 0 and 1 are exact.

    seed: 0 … 2⁶⁴ − 1. stream: any name. rank: 0 … 65,535, the process or device. Raises ValueError for others, and for
    a name that would share its numbers with another one.
    """

    _names: ClassVar[dict[int, str]] = {}  # number -> name, of every stream in this process

    def __init__(self, seed: int, stream: str, device: str | torch.device = "cpu", rank: int = 0) -> None:
        if not 0 <= seed < 2**64:
            raise ValueError(f"seed must lie in 0 … 2^64 − 1, got {seed}")
        if not 0 <= rank < 2**16:
            raise ValueError(f"rank must lie in 0 … 65535, got {rank}")
        self.seed, self.stream, self.rank = int(seed), stream, int(rank)
        self.device = torch.device(device)
        self.calls = 0
        self.first_row = 0
        self._all_rows: int | None = None
        self._stream_id = zlib.crc32(stream.encode())
        other = self._names.setdefault(self._stream_id, stream)
        if other != stream:
            raise ValueError(
                f"stream {stream!r} would give the same numbers as {other!r}; choose another name for one of them"
            )
        self.generator: torch.Generator | None = None
        if self.device.type != "cpu":
            name = np.random.SeedSequence([self.seed, self._stream_id, self.rank])
            self.generator = torch.Generator(self.device)
            self.generator.manual_seed(int(name.generate_state(1, np.uint64)[0] >> 1))

    def share_rows(self, first: int, of: int) -> None:
        """From now on a call's rows are the rows `first`, `first` + 1, … of a call of `of` rows, made by processes of
        which each draws its own: on the CPU the numbers are those that one process would draw for them. On CUDA each
        process has a stream of its own.
        """
        self.first_row, self._all_rows = first, of
        self._leave_the_others()

    def _leave_the_others(self) -> None:
        """Gives a CUDA generator that does not begin at row 0 numbers of its own, by its position and first row."""
        if self.generator is None or not self.first_row:
            return
        position = int.from_bytes(bytes(self.generator.get_state().numpy()), "little")
        name = np.random.SeedSequence([position, self.first_row])
        self.generator.manual_seed(int(name.generate_state(1, np.uint64)[0] >> 1))

    def _own_rows(self, draw: Callable[[tuple[int, ...]], np.ndarray], shape: tuple[int, ...]) -> Tensor:
        """This process's rows of what `draw` makes for all of them."""
        if self._all_rows is None:
            return torch.from_numpy(draw(shape))
        whole = draw((self._all_rows, *shape[1:]))
        return torch.from_numpy(whole[self.first_row : self.first_row + shape[0]])

    def state(self) -> dict:
        """All there is to know, ready for JSON; `Rng.from_state` continues exactly here."""
        state = {"seed": self.seed, "stream": self.stream, "rank": self.rank, "calls": self.calls}
        if self.generator is not None:
            state["generator"] = bytes(self.generator.get_state().numpy()).hex()
        return state

    @classmethod
    def from_state(cls, state: dict, device: str | torch.device = "cpu") -> "Rng":
        """The stream that `state` was taken of, continuing exactly there."""
        rng = cls(state["seed"], state["stream"], device, state["rank"])
        rng.load(state)
        return rng

    def load(self, state: dict) -> None:
        """Take up the position of a `state` of the same stream."""
        assert (state["seed"], state["stream"], state["rank"]) == (self.seed, self.stream, self.rank)
        self.calls = int(state["calls"])
        if self.generator is not None and "generator" in state:
            raw = np.frombuffer(bytes.fromhex(state["generator"]), np.uint8).copy()
            self.generator.set_state(torch.from_numpy(raw))
            self._leave_the_others()

    def next_calls(self, n: int) -> tuple[int, int, int, int, int, int]:
        """(key0, key1, first of n calls, rank, stream number, first row), for kernels that use up n calls at once."""
        call = self.calls
        self.calls += n
        if self.calls > SECOND_CALL:
            raise OverflowError(
                f"stream {self.stream!r} has used up its 2^47 calls; start another with a new name"
            )
        return self.seed & _MASK32, self.seed >> 32, call, self.rank, self._stream_id, self.first_row

    def next_counter(self) -> tuple[int, int, int, int, int]:
        """(key0, key1, c1, c2, c3) of the next call; c0 counts within the call."""
        key0, key1, call, rank, stream, _ = self.next_calls(1)
        return key0, key1, call & _MASK32, (call >> 32) | (rank << 16), stream

    def bernoulli(
        self, logits: Tensor, bias: Tensor | None = None, *, scale: float = 1.0, out: Tensor | None = None
    ) -> Tensor:
        """0/1 draws, each 1 with probability σ(scale · (logits + bias)).

        logits: (B, N). bias: (N,), added in float32 when logits are bfloat16. out: like logits, may be logits
        itself. Returns out, of logits' dtype.
        """
        out = torch.empty_like(logits) if out is None else out
        if self.generator is None and logits.dtype in (torch.bfloat16, torch.float32) and logits.dim() == 2:
            shift = torch.zeros(logits.shape[1]) if bias is None else bias.float()
            source = logits.contiguous()
            # Drawn in place, the kernel would not be vectorised.
            apart = out.is_contiguous() and out.data_ptr() != source.data_ptr()
            target = out if apart else torch.empty_like(source)
            draws.draw_from_logits(
                as_array(source),
                shift.numpy(),
                np.float32(scale),
                as_array(target),
                *self.next_counter(),
                self.first_row,
            )
            return target if target is out else out.copy_(target)
        shifted = logits if bias is None else logits + bias
        p = torch.sigmoid(shifted * scale if scale != 1.0 else shifted)
        return torch.lt(self.uniform(logits.shape, dtype=p.dtype), p, out=out)

    def binarise(self, images: Tensor, rows: Tensor, out: Tensor) -> Tensor:
        """out[b] = a stochastic binarisation of images[rows[b]]: each pixel is 1 with probability value / 255.

        images: (N, V) uint8. rows: (B,) int64. out: (B, V) float32 or bfloat16, filled and returned.
        """
        if self.generator is None:
            counter, first = self.next_counter(), self.first_row
            draws.draw_from_bytes(images.numpy(), rows.numpy(), as_array(out), *counter, first)
            return out
        p = images[rows].to(torch.float32) / 255
        return torch.lt(self.uniform(p.shape), p, out=out)

    def tossed(self, images: Tensor, rows: Tensor) -> Tossed:
        """What a kernel makes the next `binarise` of, on the CPU."""
        return images, rows, self.next_counter(), self.first_row

    def _numpy(self) -> np.random.Generator:
        """A numpy generator of this call's own, for the laws that need no speed."""
        name = [self.seed & _MASK32, self.seed >> 32, self._stream_id, self.rank, self.calls]
        self.calls += 1
        return np.random.Generator(np.random.SFC64(np.random.SeedSequence(name)))

    def uniform(self, shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Tensor:
        """Uniform numbers in [0, 1), of this shape."""
        if self.generator is not None:
            return torch.rand(shape, generator=self.generator, device=self.device, dtype=dtype)
        wide = np.float64 if dtype == torch.float64 else np.float32
        return self._own_rows(lambda of: self._numpy().random(of, dtype=wide), tuple(shape)).to(dtype)

    def normal(self, shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Tensor:
        """Standard normal numbers, of this shape."""
        if self.generator is not None:
            return torch.randn(shape, generator=self.generator, device=self.device, dtype=dtype)
        wide = np.float64 if dtype == torch.float64 else np.float32
        return self._own_rows(lambda of: self._numpy().standard_normal(of, dtype=wide), tuple(shape)).to(
            dtype
        )

    def integers(self, high: int, shape: tuple[int, ...]) -> Tensor:
        """Integers in 0 … high − 1, int64, of this shape."""
        if self.generator is not None:
            return torch.randint(high, shape, generator=self.generator, device=self.device)
        return torch.from_numpy(self._numpy().integers(0, high, tuple(shape)))

    def permutation(self, n: int) -> Tensor:
        """A random order of 0 … n − 1: (n,) int64."""
        if self.generator is not None:
            return torch.randperm(n, generator=self.generator, device=self.device)
        return torch.from_numpy(self._numpy().permutation(n))


def means_and_softplus(logits: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """σ(logits + bias), (B, N) float32, and Σₙ softplus(logits + bias), (B,) float64, in one pass on the CPU.

    logits: (B, N) float32 or bfloat16. bias: (N,) float32.
    """
    if logits.device.type != "cpu":
        z = logits.float() + bias
        return torch.sigmoid(z), torch.nn.functional.softplus(z).sum(1, dtype=torch.float64)
    rows, n = logits.shape
    means, softplus = np.empty((rows, n), np.float32), np.empty(rows)
    nothing, totals = np.zeros(n, np.float32), np.empty(n, np.float32)
    draws.hidden_statistics(
        as_array(logits.contiguous()), bias.numpy(), nothing, np.float32(1.0), means, totals, softplus
    )
    return torch.from_numpy(means), torch.from_numpy(softplus)


def resolve_device(name: str) -> torch.device:
    """The torch device for auto, cpu, cuda or cuda:N. Raises DeviceError, one sentence, if it is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise DeviceError(f"device must be auto, cpu or cuda, got {name!r}") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise DeviceError(f"device {name!r} was asked for, but torch sees no CUDA GPU here; use cpu or auto")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise DeviceError(
            f"device {name!r} was asked for, but torch sees {torch.cuda.device_count()} CUDA GPU(s)"
        )
    if device.type not in ("cpu", "cuda"):
        raise DeviceError(f"device must be auto, cpu or cuda, got {name!r}")
    return device


def device_name(device: torch.device) -> str:
    """What a person calls it: the GPU's or the processor's name."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return processor_name()


def captured(
    step: Callable[[], None], rngs: list[Rng], device: torch.device, restore: Callable[[], None]
) -> Callable[[], object]:
    """step itself on the CPU; on CUDA one graph of all its kernels, replayed with a single launch.

    An update of a small model is dozens of kernels that each last less than their launch. step must read and write
    the same tensors each time and never wait for the device. restore: undoes what the warm-up calls of step did.
    Where capturing fails, step runs as it is.
    """
    if device.type != "cuda":
        return step
    # Warm-up on a side stream, generators registered before the capture (PyTorch's notes on CUDA graphs); the capture's
    # own stream is made on the current device.
    with torch.cuda.device(device):
        side = torch.cuda.Stream(device)
        side.wait_stream(torch.cuda.current_stream(device))
        try:
            with torch.cuda.stream(side):
                for _ in range(3):
                    step()
            torch.cuda.current_stream(device).wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            for rng in rngs:
                graph.register_generator_state(rng.generator)
            with torch.cuda.graph(graph):
                step()
            replay: Callable[[], object] = graph.replay
        except RuntimeError:
            torch.cuda.synchronize(device)
            replay = step
        restore()
    return replay
