"""Two ranks learn what one process learns; a run goes on when one of them is gone, on another number of them."""

import multiprocessing
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch

from rbm_core import datasets
from rbm_core.cli import main
from rbm_core.compute import Rng
from rbm_core.config import ConfigError, make_config
from rbm_core.flips import flip_sweeps, flipped_rows
from rbm_core.runs import RunError, RunReader, control, create_run
from rbm_core.training import Training
from rbm_core.training.ranks import Ranks, check_shares, connected
from tests.live import REPO, until

SMALL = {
    "n_hidden": 12,
    "n_valid": 0,
    "batch_size": 8,
    "n_chains": 12,
    "updates": 100,
    "dataset": "bars-and-stripes",
}
CASES: dict[str, dict[str, Any]] = {
    "rows of weights": {"precision": "differences", "k": 3, "averaging": 0.1, "weight_decay": 1e-3},
    "rows of whole numbers": {"precision": "int16", "k": 3, "averaging": 0.1},
    "products": {"precision": "float32", "k": 2, "momentum": 0.5, "sparsity_cost": 0.1},
    "CD, clipped": {"precision": "float32", "algorithm": "cd", "max_grad_norm": 0.5, "k": 1},
    # Adam divides a gradient by its own size, and so makes rounding large where that is small: hence the small rate.
    "CD, Adam": {
        "precision": "float32",
        "algorithm": "cd",
        "optimizer": "adam",
        "learning_rate": 0.01,
        "k": 1,
    },
    "grey pixels": {"precision": "differences", "dataset": "digits-8", "n_hidden": 70},
    "labels": {"dataset": "digits-8", "labels": True, "discriminative": 0.3},
    "real pixels": {
        "visible": "gaussian",
        "binarisation": "none",
        "learning_rate": 0.01,
        "learn_variance": True,
    },
}
ALONE, SHARED = 10, 40


def new(fields: dict[str, Any], state: tuple[Any, Any] | None, ranks: Ranks | None) -> Training:
    config = make_config(**{**SMALL, **fields})
    training = Training(config, datasets.load(config.dataset, n_valid=0), device="cpu", ranks=ranks)
    if state is not None:
        training.load_state_dict(*state)
    return training


def updated(training: Training, n: int) -> Training:
    for _ in range(n):
        training.update()
    return training


def trained(fields: dict[str, Any], ranks: Ranks | None) -> dict[str, torch.Tensor]:
    """The state after 60 updates, of which the ranks share the 40 in the middle; empty on the others than rank 0."""
    begun = updated(new(fields, None, None), ALONE).state_dict()
    training = new(fields, begun, ranks)
    if ranks is not None and ranks.rank:
        ranks.follow(training)
        return {}
    updated(training, SHARED // 2)
    training.set("learning_rate", 0.02)
    updated(training, SHARED // 2)
    shared = training.state_dict()
    energies = training.state.energies.clone()
    if ranks is not None:
        ranks.tell("end")
    return updated(new(fields, shared, None), ALONE).state_dict()[0] | {"energies": energies}


def two_ranks(life: Callable[[int, str], None], folder: Path) -> None:
    """Runs life(rank, folder) in two processes that torch.distributed can connect; both must end well."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=_in_its_place, args=(life, n, port, str(folder))) for n in (0, 1)]
    for process in both:
        process.start()
    for process in both:
        process.join(300)
    assert [process.exitcode for process in both] == [0, 0]


def _in_its_place(life: Callable[[int, str], None], number: int, port: str, folder: str) -> None:
    os.environ |= {"RANK": str(number), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    torch.set_num_threads(1)
    life(number, folder)


def every_case(number: int, folder: str) -> None:
    with connected() as ranks:
        for name, fields in CASES.items():
            found = trained(fields, ranks)
            if number == 0:
                torch.save(found, f"{folder}/{name}.pt")


@pytest.fixture(scope="module")
def of_two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what two ranks arrived at in each case."""
    folder = tmp_path_factory.mktemp("ranks")
    two_ranks(every_case, folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_two_ranks_follow_one_process(of_two: Path, case: str) -> None:
    alone, shared = trained(CASES[case], None), torch.load(of_two / f"{case}.pt", weights_only=True)
    assert set(alone) == set(shared)
    for name, expected in alone.items():
        torch.testing.assert_close(
            shared[name], expected, rtol=2e-4, atol=2e-5, msg=lambda m, n=name: f"{n}: {m}"
        )


@pytest.mark.parametrize("first", [0, 3])
def test_rows_drawn_apart_are_those_of_one_call(first: int) -> None:
    rows, n = 7, 300
    logits = 3 * torch.randn(rows, n, generator=torch.Generator().manual_seed(1))
    images = torch.arange(rows * n).remainder(256).to(torch.uint8).view(rows, n)
    W = torch.randn(n, 70, generator=torch.Generator().manual_seed(2)) / 10

    def drawn(own: slice, shared: bool) -> list[torch.Tensor]:
        rng = Rng(5, "test")
        if shared:
            rng.share_rows(own.start, rows)
        x, count = logits[own], len(logits[own])
        v = (x > 0).to(torch.uint8)
        swept = flip_sweeps(flipped_rows(W), torch.zeros(n), torch.zeros(70), v, 3, rng)
        return [
            *(rng.bernoulli(x.to(dtype)) for dtype in (torch.float32, torch.bfloat16, torch.float64)),
            rng.binarise(images, torch.arange(rows)[own], torch.empty(count, n)),
            rng.uniform((count, n)),
            rng.normal((count, n)),
            *swept,
        ]

    own = slice(first, first + 4)
    for whole, part in zip(drawn(slice(0, rows), False), drawn(own, True), strict=True):
        assert torch.equal(whole[own], part)


def no_memory_on_rank_0(number: int, folder: str) -> None:
    def without_memory(k: int) -> None:
        raise MemoryError("in the middle")

    def life() -> None:
        with connected() as ranks:
            training = new(CASES["products"], None, ranks)
            if number:
                ranks.follow(training)
            training.update()
            training.state.phases.run = without_memory  # type: ignore[method-assign]
            training.update()

    expected = (RunError, "a rank of the 2 has ended") if number else (MemoryError, "in the middle")
    with pytest.raises(expected[0], match=expected[1]):
        life()


@pytest.mark.slow
def test_a_rank_that_fails_in_the_middle_of_an_update_ends_the_others(tmp_path: Path) -> None:
    """They wait for its part of a sum; to be told of the end would never reach them."""
    two_ranks(no_memory_on_rank_0, tmp_path)


def test_what_cannot_be_shared_evenly_is_refused() -> None:
    for fields, sentence in (
        ({"batch_size": 10}, "batch_size 10 cannot be shared evenly among 3 ranks; choose a multiple of 3"),
        ({"batch_size": 9, "n_chains": 10}, "n_chains 10 cannot be shared evenly among 3 ranks"),
        (
            {"batch_size": 9, "n_chains": 9, "algorithm": "pt"},
            "algorithm 'pt' exchanges chains with a ladder",
        ),
        (
            {"batch_size": 9, "n_chains": 9, "ordered": True},
            "ordered hidden units grow by the chains of one process",
        ),
    ):
        with pytest.raises(ConfigError, match=re.escape(sentence)):
            check_shares(make_config(**{**SMALL, **fields}), 3)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["runs"], "3 processes can share a training, not 'runs'; start it without torchrun"),
        (["evaluate", "whole"], "not 'evaluate'; start it without torchrun"),
        (
            ["train", "--dataset", "bars-and-stripes", "--set", "batch_size=10"],
            "batch_size 10 cannot be shared",
        ),
        (["train", "--resume", "whole"], "n_chains 10 cannot be shared evenly among 3 ranks"),
        (["train", "--dataset", "bars-and-stripes", "--set", "algorithm=ptt"], "which 3 ranks cannot share"),
    ],
)
def test_what_ranks_cannot_do_is_said_before_anything_is_made(
    arguments: list[str],
    sentence: str,
    runs_root: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole = create_run(runs_root, "whole", make_config(**{**SMALL, "batch_size": 9, "n_chains": 10}))
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "any")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "3")
    before = {path: path.stat().st_mtime_ns for path in whole.rglob("*")}
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("Error") == 1
    assert list(runs_root.iterdir()) == [whole]
    assert {path: path.stat().st_mtime_ns for path in whole.rglob("*")} == before


def torchrun(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["-m", "rbm_core", "train", *arguments]
    return subprocess.Popen(command, cwd=REPO, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def others_of(leader: int) -> list[int]:
    """The processes that the same torchrun started beside this one."""
    parent = Path(f"/proc/{leader}/stat").read_text().rpartition(")")[2].split()[1]
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(child) for child in children if int(child) != leader]


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds the ranks in /proc")
def test_a_killed_rank_ends_a_run_that_then_goes_on_alone(runs_root: Path) -> None:
    settings = [f"{name}={value}" for name, value in SMALL.items() if name != "updates"]
    settings += ["updates=5000000", "precision=float32", "max_snapshots=4"]
    process = torchrun("--name", "two", *(part for one in settings for part in ("--set", one)))
    run = runs_root / "two"

    def status() -> dict[str, Any]:
        return RunReader(run).status() if (run / "status.json").exists() else {"state": "", "step": 0}

    until(lambda: status()["state"] == "running" and status()["step"] > 0, 60, "the ranks do not train")
    control.send(run, "set", {"name": "learning_rate", "value": 0.02})
    control.send(run, "pause")
    until(lambda: status()["state"] == "paused", 20, "a pause does not reach the ranks")
    saved = status()["step"]
    control.send(run, "resume")
    until(lambda: status()["step"] > saved, 20, "the ranks do not go on after a pause")
    leader = status()["pid"]
    os.kill(others_of(leader)[0], signal.SIGKILL)

    while (
        process.poll() is None
    ):  # as torchrun asks rank 0 to end, but again and again: it says why it ends all the same
        with suppress(ProcessLookupError):
            os.kill(leader, signal.SIGTERM)
        time.sleep(0.002)
    said = process.communicate(timeout=120)[0]
    assert process.returncode != 0
    assert status()["state"] in ("failed", "stopped")
    assert status()["message"].startswith("A rank of the 2 has ended")
    assert "Error: A rank of the 2 has ended" in said

    again = torchrun("--resume", "two")
    until(lambda: status()["state"] == "running" and status()["step"] > saved, 60, "the ranks do not resume")
    control.send(run, "stop")
    said = again.communicate(timeout=120)[0]
    assert again.returncode == 0, said
    assert status()["state"] == "stopped"
    saved = status()["step"]
    command = [sys.executable, "-m", "rbm_core", "train", "--resume", "two"]
    alone = subprocess.Popen(command, cwd=REPO, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: status()["state"] == "running" and status()["step"] > saved, 60, "it does not go on alone")
    control.send(run, "stop")
    assert alone.wait(120) == 0
    assert (
        RunReader(run).snapshot(RunReader(run).snapshot_steps()[-1]).particles_v.shape[0] == SMALL["n_chains"]
    )
