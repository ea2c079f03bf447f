"""One compiled kernel on every thread, each taking the next piece of the work until none is left.

A kernel takes (queue, pieces, …) and calls `next_piece(queue)` until it answers `pieces` or more. No thread waits for
another before the end, so a core that is busy elsewhere delays its own piece alone. What a piece computes must not
depend on which thread takes it.

A `Standing` kernel is for many calls with the same arrays, an update again and again: its helpers stay in the compiled
code between two calls, for a moment, and begin the next one when they are told so, without Python. Its work has stages
that need each other, each with its row of the queue: the kernel says `end_piece` after each piece and asks whether the
`stage_ended` before it goes on. Whoever ends the last piece goes on at once.
"""

import os
import platform
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from rbm_core.kernels.primitives import inner

__all__ = [
    "Standing",
    "asked_again",
    "end_piece",
    "group_size",
    "next_piece",
    "on_all_threads",
    "one_thread_of_torch",
    "stage_ended",
]

MOST_TOGETHER = 200  # chains of a group: W is read once for all of them, their own sums once for all its rows

# How often a thread without work looks for some before it sleeps: about 0.1 ms. An update calls two kernels with less
# than that between them, and a thread that sleeps begins 40 µs late and is waited for as long again.
_LOOKS = 4000
_PATIENCE = (
    20_000  # looks within a standing kernel: about 0.5 ms, in which an update follows another or ends a stage
)
_NAP_S = 5e-5  # how long a thread sleeps before it looks again whether others have ended a stage
_LINE = 8  # numbers of a cache line: a row of the queue has its counter of pieces taken, then that of pieces ended
_NEVER = 2**62  # more pieces than any stage has
_AWAY, _WAITS, _ASKED, _BUSY = range(4)  # the helper of a seat; asked, and has not noticed yet

_I64 = ir.IntType(64)


def _counter(place: int, ordering: str) -> Callable[..., Any]:
    """An intrinsic that adds 1 to a number of an array int64 that all threads share, and gives what it was."""

    @intrinsic
    def counter(typing_context, queue):
        def codegen(context, builder, signature, args):
            array = context.make_array(signature.args[0])(context, builder, args[0])
            return builder.atomic_rmw("add", builder.gep(array.data, [_I64(place)]), _I64(1), ordering)

        return types.int64(queue), codegen

    return counter


next_piece = _counter(0, "monotonic")  # (queue, or the row of a stage) -> the number of the next piece
end_piece = _counter(
    _LINE, "release"
)  # (row): a piece is made, and who asks `stage_ended` sees what it wrote


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
    """How many of n chains go together: at most 200, in as many groups for every thread."""
    threads = torch.get_num_threads()
    rounds = -(-n // (MOST_TOGETHER * threads))
    return -(-n // (rounds * threads))


@intrinsic
def _count(typing_context, counter, place):
    """A number of an array int64 that another thread changes, as it is now."""

    def codegen(context, builder, signature, args):
        array = context.make_array(signature.args[0])(context, builder, args[0])
        if platform.machine() in ("x86_64", "AMD64"):  # leaves a core to its other thread meanwhile
            pause = ir.FunctionType(ir.VoidType(), [])
            builder.call(cgutils.get_or_insert_function(builder.module, pause, "llvm.x86.sse2.pause"), [])
        return builder.load_atomic(builder.gep(array.data, [args[1]]), "acquire", 8)

    return types.int64(counter, types.int64), codegen


@intrinsic
def _exchange(typing_context, array, place, before, after):
    """Whether a number of an array int64 was `before`; then it is `after` now."""

    def codegen(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        at = builder.gep(data, [args[1]])
        return builder.extract_value(builder.cmpxchg(at, args[2], args[3], "acq_rel", "acquire"), 1)

    return types.boolean(array, types.int64, types.int64, types.int64), codegen


@njit(cache=True, nogil=True)
def _look(counter, count):
    """Waits until the counter has reached this count, but for _LOOKS looks at most."""
    for _ in range(_LOOKS):
        if _count(counter, 0) >= count:
            return


@inner
def stage_ended(row, pieces):
    """Whether all pieces of a stage are made; where others are at some still, after a look at how they get on."""
    for _ in range(_PATIENCE):
        if _count(row, _LINE) >= pieces:
            return True
    return False


@inner
def asked_again(seats, seat):
    """For a helper that has ended its call of a standing kernel: whether there is another one before long."""
    _exchange(seats[seat], 0, _BUSY, _WAITS)
    looks = 0
    while True:
        state: int = _count(seats[seat], 0)
        if state == _ASKED and _exchange(seats[seat], 0, _ASKED, _BUSY):
            return True
        looks += 1
        if looks > _PATIENCE:
            _exchange(seats[seat], 0, _WAITS, _AWAY)
        if state == _AWAY:
            return False


@njit(cache=True, nogil=True)
def _send_away(seat):
    """The helper waits at this seat no longer, if it did."""
    _exchange(seat, 0, _WAITS, _AWAY)


@njit(cache=True, nogil=True)
def _rest(seats):
    """Whether all helpers have ended their calls, after a look at how they get on; who has not noticed is not asked."""
    for seat in range(seats.shape[0]):
        _exchange(seats[seat], 0, _ASKED, _WAITS)
        looks = 0
        while _count(seats[seat], 0) == _BUSY:
            looks += 1
            if looks > _PATIENCE:
                return False
    return True


@njit(cache=True, nogil=True)
def _ask(queue, seats, helpers):
    """The pieces of the queue are there to be taken, by helpers that wait; returns whether all these are such."""
    for stage in range(queue.shape[0]):
        for i in range(queue.shape[1]):
            queue[stage, i] = 0
    all_wait = True
    for seat in range(helpers):
        all_wait &= _exchange(seats[seat], 0, _WAITS, _ASKED)
    return all_wait


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
        self.seat = np.full(_LINE, _AWAY)  # where it waits, or waited, in a standing kernel
        self.start()

    def begin(self, call: Callable[[], object]) -> _Call:
        given = _Call(call)
        self._calls.put(given)
        self._given[0] += 1
        _send_away(self.seat)
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


class Standing:
    """A kernel that is called again and again with the same arrays, in which numbers alone change.

    kernel(queue, seats, seat, *arguments) works through its stages, by the rows of the queue, and returns whether all
    have ended; it is called again where they have not. A helper, whose seat is not −1, then begins anew as long as it
    is `asked_again`. One thread at a time may `call`.
    """

    def __init__(self, kernel: Callable[..., object], stages: int, *arguments: object) -> None:
        self._kernel, self._arguments = kernel, arguments
        self._queue = np.zeros((stages, 2 * _LINE), np.int64)
        self._seats = np.full((0, _LINE), _AWAY)
        self._given: list[_Call | None] = []
        self._error: BaseException | None = None
        self._process = os.getpid()

    def call(self, most: int) -> None:
        """One call, on up to torch.get_num_threads() threads, this one too. most: pieces of its longest stage."""
        helpers = max(0, min(torch.get_num_threads(), most) - 1)
        if helpers > len(self._seats) or os.getpid() != self._process:
            self._take_seats(helpers)
        self._wait()  # for nobody, unless an interrupt ended the last call while it waited
        if not _ask(self._queue, self._seats, helpers):
            self._begin(helpers)
        try:
            self._work(-1)
        finally:
            for seat, given in enumerate(self._given):
                if given is not None and given.take() is not None:  # has not begun: it is left out
                    self._seats[seat, 0] = _AWAY
            self._wait()
        if error := self._error:
            self._error = None
            raise error

    def _take_seats(self, helpers: int) -> None:
        """Seats for this many. Helpers that wait at those of before, or that a fork left behind, count no more."""
        self._process = os.getpid()
        self._seats, self._given = np.full((helpers, _LINE), _AWAY), [None] * helpers
        _crew.extend(_Helper() for _ in range(helpers - len(_crew)))

    def _begin(self, helpers: int) -> None:
        """Has those begin that do not wait in the kernel."""
        for seat in range(helpers):
            if self._seats[seat, 0] == _AWAY:
                self._seats[seat, 0] = _BUSY
                self._given[seat] = _crew[seat].begin(partial(self._work, seat))
                _crew[seat].seat = self._seats[seat]

    def _work(self, seat: int) -> None:
        seats = self._seats
        try:
            while not self._kernel(self._queue, seats, seat, *self._arguments):
                time.sleep(_NAP_S)
        except BaseException as error:
            self._queue[:] = _NEVER  # a piece that failed will not end: nobody is to wait for it
            if seat < 0:
                raise
            self._error, seats[seat, 0] = error, _AWAY

    def _wait(self) -> None:
        """Waits for all helpers to end their calls."""
        while not _rest(self._seats):
            time.sleep(_NAP_S)
