"""One compiled kernel on every thread, each taking the next piece of the work until none is left.

A kernel takes (queue, pieces, …) and calls `next_piece(queue)` until it answers `pieces` or more. No thread waits for
another before the end, so a core that is busy elsewhere delays its own piece alone. What a piece computes must not
depend on which thread takes it.
"""

import os
import platform
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = ["group_size", "next_piece", "on_all_threads", "one_thread_of_torch"]

MOST_TOGETHER = 64  # chains of a group: the sums of so many stay in the second cache

# How often a thread without work looks for some before it sleeps: about 0.1 ms. An update calls two kernels with less
# than that between them, and a thread that sleeps begins 40 µs late and is waited for as long again.
_LOOKS = 4000


@intrinsic
def next_piece(typing_context, queue):
    """The number of the next piece, from a counter (1,) int64 that all threads share."""

    def codegen(context, builder, signature, args):
        counter = context.make_array(signature.args[0])(context, builder, args[0])
        return builder.atomic_rmw("add", counter.data, ir.Constant(ir.IntType(64), 1), "monotonic")

    return types.int64(queue), codegen


@contextmanager
def one_thread_of_torch() -> Iterator[None]:
    """torch computes on this thread alone: the last bits of its products and sums depend on how many share them."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def group_size(n: int) -> int:
    """How many of n chains go together, so that every thread has as many groups and none has more than 64 chains."""
    threads = torch.get_num_threads()
    rounds = -(-n // (MOST_TOGETHER * threads))
    return -(-n // (rounds * threads))


@intrinsic
def _count(typing_context, counter):
    """A counter (1,) int64 that another thread raises, as it is now."""

    def codegen(context, builder, signature, args):
        array = context.make_array(signature.args[0])(context, builder, args[0])
        if platform.machine() in ("x86_64", "AMD64"):  # leaves a core to its other thread meanwhile
            pause = ir.FunctionType(ir.VoidType(), [])
            builder.call(cgutils.get_or_insert_function(builder.module, pause, "llvm.x86.sse2.pause"), [])
        return builder.load_atomic(array.data, "acquire", 8)

    return types.int64(counter), codegen


@njit(cache=True, nogil=True)
def _look(counter, count):
    """Waits until the counter has reached this count, but for _LOOKS looks at most."""
    for _ in range(_LOOKS):
        if _count(counter) >= count:
            return


class _Call:
    """A kernel call that a helper is given. Whoever takes it makes it, or leaves it out."""

    def __init__(self, call: Callable[[], object]) -> None:
        self._untaken = [call]
        self.end: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()

    def take(self) -> Callable[[], object] | None:
        """The call, once: to the first who asks."""
        try:
            return self._untaken.pop()
        except IndexError:
            return None


class _Helper(threading.Thread):
    """A thread that makes kernel calls for another one.

    What is said goes through queues; the counters of calls given and done are there to be looked at for a moment,
    before either side sleeps.
    """

    def __init__(self) -> None:
        super().__init__(name="rbm-kernel", daemon=True)
        self._calls: queue.SimpleQueue[_Call] = queue.SimpleQueue()
        self._given, self._done = np.zeros(1, np.int64), np.zeros(1, np.int64)
        self.start()

    def begin(self, call: Callable[[], object]) -> _Call:
        given = _Call(call)
        self._calls.put(given)
        self._given[0] += 1
        return given

    def finish(self, given: _Call) -> None:
        """Waits for the call, unless it has not begun: then it is left out. Raises what it raised."""
        if given.take() is None:
            _look(self._done, self._given[0])
            if error := given.end.get():
                raise error

    def run(self) -> None:
        while True:
            _look(self._given, self._done[0] + 1)
            given, error = self._calls.get(), None
            if call := given.take():
                try:
                    call()
                except BaseException as raised:
                    error = raised
            self._done[0] += 1
            given.end.put(error)


_crew: list[_Helper] = []

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_crew.clear)  # threads do not survive a fork


def on_all_threads(kernel: Callable[..., object], pieces: int, *arguments: object) -> None:
    """kernel(queue, pieces, *arguments) on up to torch.get_num_threads() threads, this one among them."""
    taken = np.zeros(1, np.int64)

    def call() -> None:
        kernel(taken, pieces, *arguments)

    helpers = min(torch.get_num_threads(), pieces) - 1
    _crew.extend(_Helper() for _ in range(helpers - len(_crew)))
    given = [(helper, helper.begin(call)) for helper in _crew[: max(helpers, 0)]]
    call()
    for helper, its_call in given:
        helper.finish(its_call)
