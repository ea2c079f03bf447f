"""The sampler: its process answers, is replaced when it dies, and bad input costs one sentence."""

import os
import signal
import threading
from typing import Any

import numpy as np
import pytest

from dashboard.processes import sampler
from dashboard.processes.sampler import Sampler, SamplerError
from tests.dashboard.gibbs_film import H, in_process, request


@pytest.fixture(scope="module")
def helper() -> Any:
    one = Sampler()
    yield one
    one.close()


def test_same_request_gives_the_same_film_through_the_process(helper: Sampler) -> None:
    _, here = in_process(request())
    there = helper.film(request()).arrays
    again = helper.film(request()).arrays
    other = helper.film(request(seed=5)).arrays
    for name in here:
        assert np.array_equal(here[name], there[name]), f"{name} depends on where the film is made"
        assert np.array_equal(there[name], again[name]), f"{name} differs between two films of one seed"
    assert not np.array_equal(other["v_bits"], here["v_bits"]), "another seed gave the same film"


@pytest.mark.slow
def test_dead_sampler_is_replaced(helper: Sampler) -> None:
    helper.film(request())
    first = helper.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    film = helper.film(request())
    assert film.header["n_chains"] == 5
    assert helper.pid not in (None, first), "the film came from the process that was killed"


@pytest.mark.slow
def test_sampler_that_does_not_end_when_asked_is_ended(
    helper: Sampler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampler, "END_WITHIN_S", 0.2)
    helper.film(request())
    stuck = helper.pid
    assert stuck is not None
    os.kill(stuck, signal.SIGSTOP)
    helper.close()
    with pytest.raises(ProcessLookupError):
        os.kill(stuck, 0)


@pytest.mark.slow
def test_sampler_that_dies_at_work_is_asked_once_more(helper: Sampler) -> None:
    helper.film(request())
    victim = helper.pid
    assert victim is not None
    killed = threading.Event()

    def kill_once(done: int, total: int) -> None:
        if done and not killed.is_set():
            killed.set()
            os.kill(victim, signal.SIGKILL)

    film = helper.film(
        request(
            n_chains=100,
            betas=np.ones(2000),
            W=np.zeros((784, 64), np.float32),
            vbias=np.zeros(784, np.float32),
            hbias=np.zeros(64, np.float32),
        ),
        kill_once,
    )
    assert killed.is_set(), "the film was done before its process could be killed: make it longer"
    assert film.header["n_sweeps"] == 2000


def test_a_film_nobody_waits_for_is_dropped(helper: Sampler) -> None:
    class Left(Exception):
        pass

    def leave(done: int, total: int) -> None:
        if done:
            raise Left

    long = request(
        n_chains=100,
        betas=np.ones(2000),
        W=np.zeros((784, 64), np.float32),
        vbias=np.zeros(784, np.float32),
        hbias=np.zeros(64, np.float32),
    )
    helper.film(request())
    pid = helper.pid
    with pytest.raises(Left):
        helper.film(long, leave)
    assert helper.film(request()).header["n_sweeps"] == 12, "the next film did not come"
    assert helper.pid == pid, "the process was replaced although a cancellation would do"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"n_chains": 0}, "number of chains must be from 1 to 100, got 0"),
        ({"n_chains": 101}, "number of chains must be from 1 to 100, got 101"),
        ({"betas": np.ones(0)}, "number of sweeps must be from 1 to 2000, got 0"),
        ({"betas": np.array([np.nan])}, "temperature must be a number above zero"),
        ({"betas": np.array([np.inf])}, "temperature must be a number above zero"),
        ({"seed": -1}, "seed must be"),
        (
            {
                "mean_field": True,
                "betas": np.ones(2000),
                "n_chains": 100,
                "W": np.zeros((784, 500), np.float32),
            },
            "MB",
        ),
    ],
)
def test_what_cannot_be_filmed_costs_one_sentence(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SamplerError, match=sentence):
        request(**changes)


def test_weights_that_are_not_numbers_cost_one_sentence(helper: Sampler) -> None:
    with pytest.raises(SamplerError, match="not finite"):
        helper.film(request(hbias=np.full(H, np.nan, np.float32)))


def test_the_shared_sampler_starts_no_process_before_it_is_asked() -> None:
    assert Sampler().pid is None
    assert isinstance(sampler.SHARED, Sampler)
