"""`train --resume` refuses what it would ignore, makes a run longer where that is sound, and `--from` starts anew."""

from pathlib import Path

import numpy as np
import pytest

from rbm_core.runs import RunReader
from rbm_core.training import process as training_process
from tests.core.test_exchange import said
from tests.core.training_runs import final_state, make_run


@pytest.mark.parametrize(
    "options, named",
    [
        (["--set", "nosuch=1"], "nosuch"),
        (["--set", "k=3", "--seed", "4"], "k, seed"),
        (["--preset", "quick"], "--preset"),
        (["--name", "other"], "--name"),
        (["--dataset", "mnist-5k"], "dataset"),
        (["--epochs", "120", "--learning-rate", "0.1"], "learning_rate"),
    ],
)
def test_options_that_a_resume_would_ignore_are_refused(
    options: list[str], named: str, runs_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(runs_root, "mine", epochs=2)
    before = (runs_root / "mine" / "config.json").read_bytes()
    code, printed = said(capsys, "train", "--resume", "mine", *options)
    assert code == 2
    assert f"so {named} would be ignored; start a new run" in printed
    assert (runs_root / "mine" / "config.json").read_bytes() == before


@pytest.mark.parametrize("schedule", ["constant", "step"])
def test_an_extended_run_equals_one_that_was_begun_as_long(
    schedule: str, runs_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {"lr_schedule": schedule, "lr_step_epochs": 2, "optimizer": "adam", "learning_rate": 0.01}
    for name, epochs in (("short", 3), ("long", 7)):
        training_process.run(make_run(runs_root, name, epochs=epochs, **settings))
    code, printed = said(capsys, "train", "--resume", "short", "--epochs", 7)
    assert code == 0, printed
    how = "stays constant" if schedule == "constant" else "goes on falling by a factor of 0.5 every 2 epochs"
    assert f"Run short goes on from epoch 3 of its plan to 7: the learning rate {how}." in printed
    ours, theirs = (final_state(runs_root / name)[0] for name in ("short", "long"))
    for name in ("parameter.0", "parameter.1", "chains_h", "exp_avg.0"):
        np.testing.assert_array_equal(ours[name], theirs[name])
    reader = RunReader(runs_root / "short")
    assert reader.status()["n_epochs"] == 7
    assert reader.snapshot_steps()[-1] == 7 * 16
    extended = [event for event in reader.events() if event["command"] == "extend"]
    assert [event["value"] for event in extended] == [{"epochs": 7}]


def test_run_planned_in_updates_is_made_longer_by_epochs_too(
    runs_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {"lr_schedule": "constant", "learning_rate": 0.01}
    training_process.run(make_run(runs_root, "counted", updates=48, **settings))
    code, printed = said(capsys, "train", "--resume", "counted", "--epochs", 7)
    assert code == 0, printed
    status = RunReader(runs_root / "counted").status()
    assert (status["step"], status["n_epochs"]) == (7 * status["steps_per_epoch"], 7)


@pytest.mark.parametrize(
    "schedule, epochs, words",
    [
        (
            "linear",
            9,
            "lowers its learning rate in a straight line to zero at epoch 3.*train --from mine --epochs 6",
        ),
        ("constant", 2, "planned for 3 epochs, and --epochs 2 would cut it"),
        ("constant", 0, "epochs must be at least 1, got 0"),
    ],
)
def test_a_run_that_cannot_be_made_longer_says_why_and_how_else(
    schedule: str, epochs: int, words: str, runs_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import re

    make_run(runs_root, "mine", epochs=3, lr_schedule=schedule)
    code, printed = said(capsys, "train", "--resume", "mine", "--epochs", epochs)
    assert code == 2
    assert re.search(words, printed), printed
    assert RunReader(runs_root / "mine").config()["config"]["epochs"] == 3


def test_a_new_run_starts_at_the_newest_parameters_of_another(
    runs_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    training_process.run(make_run(runs_root, "old", epochs=3, learning_rate=0.2))
    code, printed = said(
        capsys, "train", "--from", "old", "--preset", "quick", "--epochs", 2, "--name", "new"
    )
    assert code == 0, printed
    old, new = RunReader(runs_root / "old"), RunReader(runs_root / "new")
    assert new.config()["config"]["n_hidden"] == 12
    np.testing.assert_array_equal(new.snapshot(0).W, old.snapshot(old.snapshot_steps()[-1]).W)
    code, printed = said(capsys, "train", "--from", "none", "--name", "other")
    assert (code, "no run 'none'" in printed) == (2, True)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_tensorboard_shows_scalars_histograms_and_filters_of_a_run(
    runs_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    tiny = ["train", "--preset", "quick", "--dataset", "bars-and-stripes", "--epochs", 4, "--n-hidden", 5]
    code, printed = said(capsys, *tiny, "--name", "mirrored", "--tensorboard", tmp_path / "tb")
    assert code == 0, printed
    mirror = EventAccumulator(str(tmp_path / "tb" / "mirrored"), size_guidance={"images": 0, "histograms": 0})
    mirror.Reload()
    reader = RunReader(runs_root / "mirrored")
    metrics = reader.metrics()
    known = [(event.step, event.value) for event in mirror.Scalars("free_energy_train")]
    assert [step for step, _ in known] == metrics["step"].tolist()
    np.testing.assert_allclose([value for _, value in known], metrics["free_energy_train"], rtol=1e-6)
    tags = mirror.Tags()
    assert set(tags["histograms"]) == {"W", "vbias", "hbias"}
    assert [event.step for event in mirror.Images("filters")] == reader.snapshot_steps()
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)
    code, printed = said(capsys, *tiny, "--name", "other", "--tensorboard", tmp_path / "tb")
    assert (code, "--tensorboard needs the package tensorboard: pip install tensorboard" in printed) == (
        2,
        True,
    )
