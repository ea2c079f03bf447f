"""A run with label units from the command line: trained, drawn from by name, judged, exported, imported, refused."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rbm_core import labels, rbm_numpy
from rbm_core.cli import main
from rbm_core.datasets import own
from rbm_core.datasets.look import look
from rbm_core.rbm import RBM
from rbm_core.runs import snapshot as snapshots
from rbm_core.runs.files import SnapshotError
from rbm_core.runs.reader import RunReader
from rbm_core.runs.snapshot import Snapshot

TRAIN = ["train", "--preset", "quick", "--dataset", "digits-8", "--n-hidden", "12", "--set", "labels=true"]
SETTINGS = ("updates=800", "discriminative=0.7", "learning_rate=0.5", "max_snapshots=6", "log_every=400")
SHORT = [part for setting in SETTINGS for part in ("--set", setting)]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the run "named", which no test changes."""
    store = tmp_path_factory.mktemp("labelled")
    assert main([*TRAIN, *SHORT, "--name", "named", "--runs", str(store)]) == 0
    return store


@pytest.fixture(scope="module")
def newest(root: Path) -> Snapshot:
    reader = RunReader(root / "named")
    return reader.snapshot(reader.snapshot_steps()[-1])


def test_the_record_holds_the_label_units_and_how_well_they_name(root: Path, newest: Snapshot) -> None:
    reader = RunReader(root / "named")
    assert reader.class_names() == tuple("0123456789")
    assert (newest.W.shape, newest.label_W.shape, newest.label_bias.shape) == ((64, 12), (10, 12), (10,))
    assert newest.particles_y.shape == (len(newest.particles_v),)
    errors = reader.metrics()["label_error_valid"]
    assert errors[-1] < 0.6 < errors[0]


def test_numpy_and_torch_say_the_same_of_labels(newest: Snapshot) -> None:
    rbm, model = RBM.from_numpy(**newest.parameters()), rbm_numpy.Parameters.of(newest)
    v = newest.particles_v[:20].astype(np.float32)
    wide = torch.from_numpy(v)
    np.testing.assert_allclose(
        rbm_numpy.log_p_label(model, v), labels.log_p_label(rbm, wide), rtol=1e-4, atol=1e-4
    )
    np.testing.assert_allclose(
        rbm_numpy.free_energies(model, v), labels.free_energy_of_pixels(rbm, wide), rtol=1e-4
    )
    given = labels.given_label(rbm, 3)
    np.testing.assert_allclose(rbm_numpy.free_energies(model.given(3), v), given.free_energy(wide), rtol=1e-4)
    p = torch.exp(labels.log_p_label(rbm, wide)).float()
    marginal = sum(p[:, y, None] * labels.given_label(rbm, y).mean_h_from_v(wide) for y in range(10))
    np.testing.assert_allclose(rbm_numpy.mean_hidden(model, v), marginal, rtol=1e-3, atol=1e-5)


def damaged(data: bytes, **arrays: np.ndarray) -> bytes:
    from safetensors.numpy import load, save

    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return save({**load(data), **arrays}, metadata=header["__metadata__"])


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"label_W": np.zeros((10, 11), np.float16)}, "do not fit 12 hidden units"),
        ({"label_bias": np.zeros(9, np.float32)}, "do not fit"),
        ({"particles_y": np.full(100, 10, np.uint8)}, "names label 10"),
        ({"particles_y": np.zeros(3, np.uint8)}, "a byte a chain"),
    ],
)
def test_a_snapshot_whose_labels_do_not_fit_is_refused(newest: Snapshot, arrays: dict, says: str) -> None:
    whole = snapshots.encode(newest)
    assert snapshots.decode(whole).n_labels == 10
    with pytest.raises(SnapshotError, match=says):
        snapshots.decode(damaged(whole, **arrays))


def test_draw_me_a_3(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "threes.png"
    common = ["--chains", "4", "--sweeps", "20", "--runs", str(root), "--out", str(out)]
    assert main(["sample", "named", "--label", "3", *common]) == 0
    held = out.read_bytes()
    assert np.asarray(Image.open(out)).shape == (2 * 9 + 1, 2 * 9 + 1)
    assert main(["sample", "named", *common]) == 0
    assert out.read_bytes() != held
    for start in ("data", "particles", "gaussian"):
        assert main(["sample", "named", "--start", start, *common]) == 0
        assert main(["sample", "named", "--label", "7", "--start", start, *common]) == 0
    capsys.readouterr()
    assert main(["sample", "named", "--label", "three", *common]) == 2
    assert "no label 'three'; its labels are: 0, 1, 2" in capsys.readouterr().err.replace("\n", " ")


def test_evaluate_says_the_error_and_three_likelihoods_that_add_up(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "named", "--estimator", "exact", "--runs", str(root)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "named wrongly; log p(v) = mean(−F(v)) − log Z" in said
    row = RunReader(root / "named").likelihood()[-1]
    for part in ("train", "valid", "test"):
        total = row[f"{part}_nats"] + row[f"{part}_label_nats"]
        assert row[f"{part}_joint_nats"] == pytest.approx(total, abs=1e-6)
        assert 0 <= row[f"{part}_error"] < 0.6
    assert re.search(r"test: \d+\.\d\d ± \d\.\d\d %", said)


def test_annealing_brackets_what_enumeration_counts(root: Path) -> None:
    exact = RunReader(root / "named").likelihood()[-1]["log_z"]
    assert main(["evaluate", "named", "--temperatures", "300", "--runs", str(root)]) == 0
    found = RunReader(root / "named").likelihood()[-1]
    assert found["log_z"] == pytest.approx(exact, abs=max(5 * found["stderr"], 0.3))


def test_export_and_import_keep_the_labels(root: Path, newest: Snapshot, tmp_path: Path) -> None:
    out = tmp_path / "named.npz"
    assert main(["export", "named", "--out", str(out), "--runs", str(root)]) == 0
    arrays = np.load(out)
    assert (arrays["W"].shape, arrays["label_W"].shape) == ((64, 12), (10, 12))
    store = str(tmp_path / "runs")
    assert main(["import", str(out), "--name", "again", "--dataset", "digits-8", "--runs", store]) == 0
    again = RunReader(tmp_path / "runs" / "again").snapshot(0)
    np.testing.assert_array_equal(again.label_W, newest.label_W)
    np.testing.assert_array_equal(again.label_bias, newest.label_bias)


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return " ".join(said.split())


def test_what_does_not_fit_is_refused_in_a_sentence(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = ["--runs", str(tmp_path)]
    assert "'bars-and-stripes' has none" in refused(
        ["train", "--dataset", "bars-and-stripes", "--set", "labels=true", *store], capsys
    )
    assert "--resume goes on with the run's own settings" in refused(
        ["train", "--resume", "named", "--set", "labels=false", "--runs", str(root)], capsys
    )
    W, c = np.zeros((64, 5), np.float32), np.zeros(5, np.float32)
    np.savez(tmp_path / "three.npz", W=W, hbias=c, label_W=np.zeros((3, 5)), label_bias=np.zeros(3))
    np.savez(tmp_path / "odd.npz", W=W, hbias=c, label_W=np.zeros((10, 4)), label_bias=np.zeros(10))
    named = ["--dataset", "digits-8", "--name", "new", *store]
    assert "3 label units, the run 10" in refused(["import", str(tmp_path / "three.npz"), *named], capsys)
    assert "must fit 5 hidden units" in refused(["import", str(tmp_path / "odd.npz"), *named], capsys)
    assert "has no label units" in refused(
        ["sample", "mnist-default", "--label", "3", "--out", str(tmp_path / "a.png")], capsys
    )


def test_classes_of_a_table_keep_their_names(tmp_path: Path) -> None:
    rows = "".join(f"{k % 2},{(k + 1) % 2},{'cat' if k % 2 else 'dog'}\n" for k in range(40))
    (tmp_path / "pets.csv").write_text(f"soft,loud,class\n{rows}")
    made = own.cases(look(tmp_path / "pets.csv"))
    assert made.classes == ("cat", "dog")
    name = own.keep("pets", made, tmp_path)
    assert own.kept(name, tmp_path).classes == ("cat", "dog")
