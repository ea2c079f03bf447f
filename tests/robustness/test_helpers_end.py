"""The sampler is killed in the middle of a film, the server with a run under way."""

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from dashboard.processes import trainers
from dashboard.processes.sampler import Sampler, SamplerError
from rbm_core.runs import RunError, RunReader, files, list_runs
from tests.dashboard.gibbs_film import in_process, request
from tests.live import App, until
from tests.robustness.damage import one_sentence
from tests.tab import Tab


@pytest.mark.slow
def test_a_sampler_killed_in_every_film_costs_a_sentence_and_the_next_film_is_whole() -> None:
    big = request(  # many seconds of work, so that no kill comes too late
        n_chains=100,
        betas=np.ones(2000),
        W=np.zeros((784, 500), np.float32),
        vbias=np.zeros(784, np.float32),
        hbias=np.zeros(500, np.float32),
    )
    helper, killed = Sampler(), set()
    listeners = {thread for thread in threading.enumerate() if thread.name == "sampler"}  # of other samplers

    def kill(done: int, total: int) -> None:
        pid = helper.pid
        if done and pid is not None and pid not in killed:
            killed.add(pid)
            os.kill(pid, signal.SIGKILL)

    try:
        with pytest.raises(SamplerError, match="stopped twice") as refused:
            helper.film(big, kill)
        assert one_sentence(str(refused.value))
        assert len(killed) == 2
        _, expected = in_process(request())
        arrays = helper.film(request()).arrays
        assert all(np.array_equal(arrays[name], expected[name]) for name in expected)
        now = {thread for thread in threading.enumerate() if thread.name == "sampler"}
        assert len(now - listeners) <= 1, "a listener is left"
    finally:
        helper.close()


@pytest.mark.slow
def test_servers_that_end_take_no_run_along_and_the_next_one_commands_it(
    runs_root: Path, start_app: Callable[..., App]
) -> None:
    """One run goes on while its server is interrupted, and again while the next server is killed."""
    app = start_app()
    with Tab(app.port) as tab:
        tab.press("Start")
        assert tab.errors == []
    (info,) = list_runs(runs_root)
    reader = RunReader(info.path)
    try:
        trainers.send(info.name, "speed", {"updates_per_second": 50})  # the servers need the cores
        until(lambda: reader.status()["state"] == "running", 60, "the run is not running")
        for how, label, state in ((signal.SIGINT, "Pause", "paused"), (signal.SIGKILL, "Stop", "stopped")):
            trainers.send(info.name, "resume")
            app.process.send_signal(how)
            until(lambda app=app: app.process.poll() is not None, 10, "the server does not end")
            step = reader.status()["step"]
            until(lambda step=step: reader.status()["step"] > step, 10, "the run ended with its server")
            app = start_app()
            with Tab(app.port, run=info.name) as tab:
                assert tab.shown_runs == {info.name}
                tab.press(label)
                assert tab.errors == []
            until(lambda state=state: reader.status()["state"] == state, 10, f"{label} is not carried out")
    finally:
        with suppress(RunError):
            trainers.send(info.name, "stop")
        until(lambda: not files.lock_is_held(info.path), 30, "the trainer lives on")
