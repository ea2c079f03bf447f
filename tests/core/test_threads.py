"""The crew: every piece is taken once, whoever is late, whoever calls at the same time, and whatever raises."""

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from numba import njit

from rbm_core.kernels import threads
from rbm_core.kernels.threads import (
    Standing,
    asked_again,
    end_piece,
    next_piece,
    on_all_threads,
    stage_ended,
)


@njit(nogil=True)
def note(queue, pieces, taken):
    """A kernel that counts how often each piece was taken."""
    while True:
        piece: int = next_piece(queue)
        if piece >= pieces:
            return
        taken[piece] += 1


@pytest.fixture(autouse=True)
def three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def noted(pieces: int) -> np.ndarray:
    taken = np.zeros(pieces, np.int64)
    on_all_threads(note, pieces, taken)
    return taken


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_every_piece_is_taken_once_call_after_call(n: int) -> None:
    torch.set_num_threads(n)
    for call in range(1500):
        assert (noted(1 + call % 7) == 1).all()


def test_two_callers_at_once_each_have_all_their_pieces() -> None:
    with ThreadPoolExecutor(4) as pool:
        for taken in pool.map(lambda call: noted(1 + call % 5), range(2000)):
            assert (taken == 1).all()


def test_a_helper_that_has_not_begun_is_not_waited_for() -> None:
    noted(3)
    held, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        held.set()
        let_go.wait()

    holding = [helper.begin(hold) for helper in threads._crew]
    held.wait()
    assert (noted(3) == 1).all()  # by this thread alone: it would wait for ever
    let_go.set()
    for helper, call in zip(threads._crew, holding, strict=True):
        helper.finish(call)
    assert (noted(3) == 1).all()


def test_what_a_helper_raises_reaches_the_caller_and_the_next_call_is_whole() -> None:
    caller, began = threading.current_thread(), threading.Event()

    def kernel(queue: np.ndarray, pieces: int) -> None:
        if threading.current_thread() is caller:
            began.wait()  # so that a helper has begun
        else:
            began.set()
            raise MemoryError("no room")

    with pytest.raises(MemoryError, match="no room"):
        on_all_threads(kernel, 2)
    assert (noted(3) == 1).all()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_process_has_a_crew_of_its_own() -> None:
    noted(3)
    child = os.fork()
    if not child:
        whole = (noted(3) == 1).all()
        os._exit(0 if whole and len(threads._crew) == 2 and all(t.is_alive() for t in threads._crew) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert (noted(3) == 1).all()


# Standing kernels ---------------------------------------------------------------------------------------------------

STAGES = 3


@njit(nogil=True)
def staged(queue, seats, seat, pieces, done, early):
    """A kernel of three stages: done counts how often each piece was made, early those begun before their time."""
    while True:
        for stage in range(STAGES):
            while True:
                piece: int = next_piece(queue[stage])
                if piece >= pieces[stage]:
                    break
                if stage and done[stage - 1].sum() < pieces[stage - 1]:
                    early[0] += 1
                done[stage, piece] += 1
                end_piece(queue[stage])
            if not stage_ended(queue[stage], pieces[stage]):
                return False
        if seat < 0 or not asked_again(seats, seat):
            return True


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_every_piece_of_a_stage_is_made_once_and_after_the_stage_before(n: int) -> None:
    torch.set_num_threads(n)
    pieces, done, early = np.zeros(STAGES, np.int64), np.zeros((STAGES, 9), np.int64), np.zeros(1, np.int64)
    standing = Standing(staged, STAGES, pieces, done, early)
    for call in range(1500):
        done[:] = 0
        pieces[:] = call % 8, 1 + call % 3, call % 2
        standing.call(8)
        for stage in range(STAGES):
            np.testing.assert_array_equal(done[stage], np.arange(9) < pieces[stage])
        if call % 500 == 250:
            torch.set_num_threads(1 + (n + call) % 4)
    assert early[0] == 0


def test_a_helper_that_waits_in_a_standing_kernel_comes_at_once_to_another_call() -> None:
    torch.set_num_threads(2)
    done, early = np.zeros((STAGES, 9), np.int64), np.zeros(1, np.int64)
    standing = Standing(staged, STAGES, np.array([4, 4, 4]), done, early)
    both, began = 0, threading.Event()

    def met(queue: np.ndarray, pieces: int) -> None:
        if threading.current_thread() is threading.main_thread():
            began.wait(10)
        else:
            began.set()

    for call in range(200):
        standing.call(4)
        began.clear()
        on_all_threads(met, 2)  # waits for the helper to begin
        both += began.is_set()
        assert (done[:, :4] == call + 1).all()
    assert both == 200


def test_a_helper_that_is_busy_elsewhere_is_not_waited_for_by_a_standing_kernel() -> None:
    noted(3)
    held, let_go = threading.Barrier(3), threading.Event()

    def hold() -> None:
        held.wait()
        let_go.wait()

    holding = [helper.begin(hold) for helper in threads._crew[:2]]
    held.wait()
    done, early = np.zeros((STAGES, 9), np.int64), np.zeros(1, np.int64)
    standing = Standing(staged, STAGES, np.array([4, 4, 4]), done, early)
    for call in range(3):
        standing.call(4)
        assert (done[:, :4] == call + 1).all()
    let_go.set()
    for helper, call in zip(threads._crew, holding, strict=False):
        helper.finish(call)
    standing.call(4)
    assert (done[:, :4] == 4).all()


def test_a_helper_that_waits_and_does_not_notice_that_it_is_asked_is_not_waited_for() -> None:
    """Its core may be another process's for a while."""
    torch.set_num_threads(2)
    done, early = np.zeros((STAGES, 9), np.int64), np.zeros(1, np.int64)
    standing = Standing(staged, STAGES, np.array([4, 4, 4]), done, early)
    standing._take_seats(1)
    standing._seats[0, 0] = threads._WAITS  # and nobody is there
    for call in range(3):
        standing.call(4)
        assert (done[:, :4] == call + 1).all()
    assert standing._seats[0, 0] == threads._WAITS


@pytest.mark.parametrize("who", ["a helper", "the caller"])
def test_what_is_raised_in_a_standing_kernel_reaches_the_caller_and_the_next_call_is_whole(who: str) -> None:
    """Whoever raises has taken a piece that never ends; the others are not to wait for it."""
    torch.set_num_threads(2)
    done, early, caller = np.zeros((STAGES, 9), np.int64), np.zeros(1, np.int64), threading.current_thread()
    fails, began = True, threading.Event()

    def kernel(queue: np.ndarray, seats: np.ndarray, seat: int, *arrays: np.ndarray) -> bool:
        called = threading.current_thread() is caller
        if fails and called == (who == "the caller"):
            queue[0, 0] += 1
            began.set()
            raise MemoryError("no room")
        if fails:
            began.wait(10)
        return staged(queue, seats, seat, *arrays)

    standing = Standing(kernel, STAGES, np.array([4, 4, 4]), done, early)
    with pytest.raises(MemoryError, match="no room"):
        standing.call(4)
    fails = False
    for _ in range(3):
        done[:] = 0
        standing.call(4)
        assert (done[:, :4] == 1).all()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_standing_kernel_is_called_in_a_forked_process_by_helpers_of_its_own() -> None:
    done, early = np.zeros((STAGES, 9), np.int64), np.zeros(1, np.int64)
    standing = Standing(staged, STAGES, np.array([4, 4, 4]), done, early)
    standing.call(4)
    child = os.fork()
    if not child:
        standing.call(4)
        os._exit(0 if (done[:, :4] == 2).all() and len(threads._crew) == 2 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    standing.call(4)
    assert (done[:, :4] == 2).all()
