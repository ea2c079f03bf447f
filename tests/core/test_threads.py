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
from rbm_core.kernels.threads import next_piece, on_all_threads


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
