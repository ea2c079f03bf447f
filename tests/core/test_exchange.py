"""Models of other programs become runs, runs become files, and what comes back is what went out."""

import io
import json
import os
import pickle
import struct
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from scipy.io import loadmat, savemat

from rbm_core import BernoulliRBM
from rbm_core.cli import main
from rbm_core.exchange import arrays as arrays_module
from rbm_core.exchange.arrays import ExchangeError, read_arrays
from rbm_core.exchange.importing import import_model
from rbm_core.exchange.parameters import of_object, understood
from rbm_core.pixels import PixelScale
from rbm_core.rbm import RBM
from rbm_core.runs import RunReader

RNG = np.random.default_rng(0)
W, B, C = (RNG.normal(size=shape).astype(np.float32) for shape in ((16, 6), 16, 6))


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    """(exit code, all that was printed, on one line) of a command line."""
    code = main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    return code, " ".join((printed.out + printed.err).split())


# What is written by others


def a_module() -> torch.nn.Module:
    module = torch.nn.Module()
    module.W = torch.nn.Parameter(torch.tensor(W.T))  # (hidden, visible), and it requires grad
    module.v_bias, module.h_bias = (torch.nn.Parameter(torch.tensor(x)[None]) for x in (B, C))  # (1, n)
    return module


def write_rbms(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["parallel_chains"] = np.zeros((5, 16), np.float32)
        file["model_type"] = "BBRBM"
        for number in (9, 100, 20):
            group = file.create_group(f"update_{number}/params")
            for name, value in (("weight_matrix", W), ("vbias", B), ("hbias", C)):
                group[name] = value if number == 100 else 0 * value
                file[f"update_{number}"][name] = group[name]


WRITERS = {
    "plain.npz": lambda path: np.savez(path, W=W, vbias=B, hbias=C),
    "transposed.npz": lambda path: np.savez(path, weights=W.T, visible_bias=B[None], hidden_bias=C[:, None]),
    "letters.npz": lambda path: np.savez(path, w=W.astype(np.float64), a=B, b=C),
    "sklearn.npz": lambda path: np.savez(path, components_=W.T, intercept_visible_=B, intercept_hidden_=C),
    "plain.safetensors": lambda path: save_file(
        {"rbm.W": torch.tensor(W), "rbm.v_bias": torch.tensor(B), "rbm.h_bias": torch.tensor(C)}, path
    ),
    "module.pt": lambda path: torch.save(a_module().state_dict(), path),
    "checkpoint.pth": lambda path: torch.save(
        {"epoch": 3, "model": dict(a_module().named_parameters())}, path
    ),
    "hinton.mat": lambda path: savemat(path, {"vishid": W, "visbiases": B, "hidbiases": C, "maxepoch": 50}),
    "rbms.h5": write_rbms,
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_usual_file_is_understood(name: str, tmp_path: Path) -> None:
    WRITERS[name](tmp_path / name)
    found = understood(read_arrays(tmp_path / name))
    for ours, theirs in ((found.W, W), (found.vbias, B), (found.hbias, C)):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of the package itself, as it is imported
def test_a_file_of_the_package_rbms_is_understood_as_it_writes_it(tmp_path: Path) -> None:
    from rbms.bernoulli_bernoulli.classes import BBRBM
    from rbms.io import save_model

    model = BBRBM(torch.tensor(W), torch.tensor(B), torch.tensor(C))
    save_model(str(tmp_path / "theirs.h5"), model, {"visible": torch.zeros(3, 16)}, 7, 1.0)
    found = understood(read_arrays(tmp_path / "theirs.h5"))
    np.testing.assert_array_equal(found.W, W)
    np.testing.assert_array_equal(found.hbias, C)


def test_objects_in_memory_are_understood() -> None:
    fitted = BernoulliRBM(3, n_iter=1, random_state=0).fit(np.eye(9))
    np.testing.assert_allclose(of_object(fitted).W, fitted.components_.T.astype(np.float32))
    for model in (a_module(), {"W": W.tolist(), "vbias": B, "hbias": C}, RBM.from_numpy(W, B, C)):
        np.testing.assert_array_equal(of_object(model).W, W)
    with pytest.raises(ExchangeError, match="a list holds no RBM"):
        of_object([1, 2])
    # The engine itself takes parameters that require grad.
    np.testing.assert_array_equal(
        RBM.from_numpy(*(torch.nn.Parameter(torch.tensor(x)) for x in (W, B, C))).W, W
    )


def test_what_is_missing_or_turned_is_said() -> None:
    found = understood({"w": W})
    assert found.notes == (
        "no visible biases were found, so the 16 of them are 0",
        "no hidden biases were found, so the 6 of them are 0",
    )
    assert understood({"W": W.T, "hbias": C}).notes[0] == "W (6, 16) was read as (hidden, visible)"
    assert understood({"foo": W}).notes[0] == (
        "foo (16, 6) was taken for the weights, the only array that can be them"
    )
    assert understood({"W": W.T}, n_visible=16).W.shape == (16, 6)
    by_length = understood({"foo": W.T, "first": B, "second": C}, n_visible=16)
    np.testing.assert_array_equal(by_length.vbias, B)
    np.testing.assert_array_equal(by_length.hbias, C)
    assert by_length.notes[2:] == (
        "first (16,) was taken for the visible biases, by its length",
        "second (6,) was taken for the hidden biases, by its length",
    )
    two = understood({"W": W, "first": B, "velocity": B, "log_var": B})
    assert two.notes == (
        "no visible biases were found, so the 16 of them are 0",
        "no hidden biases were found, so the 6 of them are 0",
        "left out, since no bias of this model has its shape: first (16,), velocity (16,)",
    )
    short = understood({"W": W, "b": B[1:], "hbias": C})
    assert short.notes[-1] == "left out, since no bias of this model has its shape: b (15,)"
    linear = understood({"fc.weight": W.T, "fc.bias": C, "b_out": B})
    np.testing.assert_array_equal(linear.W, W)
    np.testing.assert_array_equal(linear.hbias, C)
    np.testing.assert_array_equal(linear.vbias, B)
    assert understood({"weight": W, "optimizer.step": np.array(3)}).W.shape == (16, 6)


@pytest.mark.parametrize(
    "given, words",
    [
        (
            {"W": W, "vbias": B[:5], "hbias": C},
            r"do not fit together .*: W \(16, 6\), vbias \(5,\), hbias \(6,\)",
        ),
        ({"W": W, "U": W}, None),
        ({"first": W, "second": W}, r"2 of them could be it among: first \(16, 6\), second \(16, 6\)"),
        ({"vbias": B}, r"none of them is it among: vbias \(16,\)"),
        ({}, "none of them is it among: no array of numbers"),
        ({"W": np.full((16, 6), np.nan)}, "W has 96 numbers that are not finite in 32 bits"),
        ({"W": np.full((16, 6), 1e300)}, "W has 96 numbers that are not finite in 32 bits"),
        ({"W": W.astype(complex)}, "none of them is it"),
        ({"W": np.zeros((0, 6))}, "none of them is it among"),
    ],
)
def test_arrays_that_are_no_model_are_refused_with_their_shapes(given: Any, words: str | None) -> None:
    if words is None:  # called so, W is W whatever lies beside it
        assert understood(given).W.shape == (16, 6)
        return
    with pytest.raises(ExchangeError, match=words) as caught:
        understood(given)
    assert "\n" not in str(caught.value)


# What is damaged, lies or is too large


def lying_npy(shape: tuple[int, ...], content: bytes) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return file.getvalue() + content


def zipped(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return file.getvalue()


def pickled() -> bytes:
    return pickle.dumps({"W": W})


def evil_pt() -> bytes:
    class Evil:
        def __reduce__(self):
            return (print, ("code was run",))

    file = io.BytesIO()
    torch.save({"W": torch.tensor(W), "extra": Evil()}, file)
    return file.getvalue()


def hdf5_with(write: Any) -> Any:
    def content() -> bytes:
        file = io.BytesIO()
        with h5py.File(file, "w") as made:
            write(made)
        return file.getvalue()

    return content


def safetensors_header(header: dict[str, Any], content: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + content


WRONG: dict[str, tuple[str, Any, str]] = {
    "pickle": ("m.pkl", pickled, "is a pickle, and a pickle runs whatever code"),
    "joblib": ("m.joblib", pickled, "np.savez"),
    "skops": ("m.skops", lambda: zipped(W=b""), r"open it yourself with skops.io.load .* np.savez"),
    "other ending": ("m.txt", lambda: b"x", "none of the files that can be imported: .npz"),
    "empty npz": ("m.npz", lambda: b"", "damaged or no .npz file"),
    "noise": ("m.npz", lambda: RNG.bytes(3000), "damaged or no .npz file"),
    "promises 4 TiB": ("m.npz", lambda: zipped(W=lying_npy((2**20, 2**20), b"1234")), "its header promises"),
    "promises too little": (
        "m.npz",
        lambda: zipped(W=lying_npy((2, 2), b"x" * 400)),
        "its header promises 16",
    ),
    "objects": ("m.npz", lambda: zipped(W=pickled_npy()), "holds Python objects"),
    "cut npz": ("m.npz", lambda: zipped(W=lying_npy((16, 6), W.tobytes()))[:-60], "damaged"),
    "code in a state dict": (
        "m.pt",
        evil_pt,
        "holds more than tensors, and opening the rest would run its code",
    ),
    "noise as torch": ("m.pt", lambda: RNG.bytes(3000), "damaged or no .pt file|holds more than tensors"),
    "pickle as torch": ("m.pt", pickled, "damaged or no .pt|holds more than tensors"),
    "list in torch": ("m.pt", lambda: saved_by_torch([1, 2]), "it holds a list, not a state dict"),
    "safetensors header": ("m.safetensors", lambda: b"\xff" * 64, "damaged or no .safetensors"),
    "safetensors offsets": (
        "m.safetensors",
        lambda: safetensors_header(
            {"W": {"dtype": "F32", "shape": [2**20, 2**20], "data_offsets": [0, 2**42]}}
        ),
        "damaged or no .safetensors",
    ),
    "noise as MATLAB": ("m.mat", lambda: RNG.bytes(3000), "damaged or no .mat"),
    "cut MATLAB": ("m.mat", lambda: matlab()[:300], "damaged or no .mat"),
    "noise as HDF5": ("m.h5", lambda: RNG.bytes(3000), "damaged or no .h5"),
    "cut HDF5": (
        "m.h5",
        lambda: hdf5_with(lambda f: f.create_dataset("W", data=W))()[:900],
        "damaged or no .h5",
    ),
    "HDF5 of nothing": (
        "m.h5",
        hdf5_with(lambda f: f.create_dataset("W", shape=(20000, 20000), dtype="f4")),
        "W in m.h5 promises .* numbers and holds 0 bytes",
    ),
    "HDF5 too large": (
        "m.h5",
        hdf5_with(lambda f: f.create_dataset("W", shape=(2**20, 2**20), dtype="f4", chunks=(64, 64))),
        "promises 4,096.0 GiB for W",
    ),
    "HDF5 of chunks that were never written": (
        "m.h5",
        hdf5_with(lambda f: f.create_dataset("W", (20000, 20000), "f4", chunks=(64, 64), compression="gzip")),
        "W in m.h5 promises .* numbers and holds 0 bytes",
    ),
    "one number repeated": (
        "m.pt",
        lambda: saved_by_torch({"W": torch.ones(1).expand(100_000, 100_000)}),
        r"W promises \(100000, 100000\) numbers and holds 4 bytes",
    ),
    "HDF5 links": (
        "m.h5",
        hdf5_with(lambda f: f.__setitem__("W", h5py.ExternalLink("/etc/hostname", "/W"))),
        "no array of numbers",
    ),
    "MATLAB 7.3 of nothing": (
        "m.mat",
        lambda: b"MATLAB 7.3 MAT-file".ljust(512) + b"\x89HDF\r\n\x1a\n" + bytes(40),
        "damaged or no .mat",
    ),
    "safetensors that overlap": (
        "m.safetensors",
        lambda: safetensors_header(
            {
                "W": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
                "vbias": {"dtype": "F32", "shape": [2], "data_offsets": [8, 16]},
            },
            bytes(16),
        ),
        "damaged or no .safetensors",
    ),
    "safetensors header of 1 EiB": ("m.safetensors", lambda: struct.pack("<Q", 2**60) + b"{}", "damaged"),
    "not finite": (
        "m.pt",
        lambda: saved_by_torch({"W": torch.full((4, 3), float("nan"))}),
        "12 numbers that are not finite",
    ),
    "HDF5 elsewhere": (
        "m.h5",
        hdf5_with(lambda f: f.create_dataset("W", (4, 4), "f4", external=[("/etc/hostname", 0, 64)])),
        "keeps W in another file",
    ),
    "HDF5 moment elsewhere": (
        "m.h5",
        hdf5_with(lambda f: f.__setitem__("update_7", h5py.ExternalLink("/etc/hostname", "/"))),
        "keeps update_7 behind a link",
    ),
    "HDF5 parameters elsewhere": (
        "m.h5",
        hdf5_with(lambda f: f.__setitem__("update_7/params", h5py.ExternalLink("/etc/hostname", "/"))),
        "keeps update_7 behind a link",
    ),
    "HDF5 moment without parameters": (
        "m.h5",
        hdf5_with(lambda f: f.create_group("update_7")),
        "m.h5 holds no parameters in update_7",
    ),
}


def pickled_npy() -> bytes:
    file = io.BytesIO()
    np.save(file, np.array([{"a": 1}], object), allow_pickle=True)
    return file.getvalue()


def saved_by_torch(value: Any) -> bytes:
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def matlab() -> bytes:
    file = io.BytesIO()
    savemat(file, {"vishid": W})
    return file.getvalue()


@pytest.mark.parametrize("settings", [{}, {"do_compression": True}, {"format": "4"}])
def test_matrices_of_matlab_are_read_as_scipy_reads_them(tmp_path: Path, settings: dict[str, Any]) -> None:
    numbers = {"doubles": np.arange(12.0).reshape(3, 4) / 7, "a_longer_name": B, "one": np.array([[3.5]])}
    if "format" not in settings:
        for kind in ("f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "?"):
            numbers[f"of_{np.dtype(kind).name}"] = np.arange(30).reshape(5, 2, 3).astype(kind)
        numbers["empty"] = np.zeros((0, 3))
    others = {"words": "text", "complex": np.ones((2, 2)) * 1j}
    savemat(tmp_path / "m.mat", {**numbers, **others}, **settings)
    found, expected = read_arrays(tmp_path / "m.mat"), loadmat(tmp_path / "m.mat")
    assert found.keys() == numbers.keys()
    for name, array in found.items():
        np.testing.assert_array_equal(array, expected[name])


def test_whatever_byte_of_a_matlab_file_is_another_it_is_read_or_refused(tmp_path: Path) -> None:
    """SciPy's reader ends the process where the kind of the numbers is none."""
    whole = matlab()
    for at in range(len(whole)):
        for other in (b"\0", b"\x0e", b"\x0f", b"\x14", b"\x80", b"\xff", b"\xff" * 8):
            (tmp_path / "m.mat").write_bytes(whole[:at] + other + whole[at + len(other) :])
            with suppress(ExchangeError):
                read_arrays(tmp_path / "m.mat")


@pytest.mark.parametrize("case", WRONG)
def test_damaged_and_lying_files_are_refused_in_one_sentence(
    case: str, tmp_path: Path, runs_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, content, words = WRONG[case]
    (tmp_path / name).write_bytes(content())
    with pytest.raises(ExchangeError, match=words):
        understood(read_arrays(tmp_path / name))
    code, printed = said(capsys, "import", tmp_path / name, "--name", "theirs")
    assert code == 2
    assert printed.startswith("Error: ")
    assert "Traceback" not in printed
    assert "code was run" not in printed
    assert list(runs_root.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
@pytest.mark.parametrize("ending", [*arrays_module.ENDINGS, ".zip"])
def test_a_pipe_that_nobody_writes_to_is_not_waited_for(
    ending: str, tmp_path: Path, runs_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / f"m{ending}")
    code, printed = said(capsys, "import", tmp_path / f"m{ending}", "--name", "theirs")
    assert code == 2
    assert printed == f"Error: {tmp_path / f'm{ending}'} is not a file"
    assert list(runs_root.iterdir()) == []


def test_a_file_beyond_the_bound_is_not_even_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    WRITERS["plain.npz"](tmp_path / "large.npz")
    monkeypatch.setattr(arrays_module, "MOST_BYTES", 100)
    with pytest.raises(ExchangeError, match=r"large.npz has .* GiB; at most"):
        read_arrays(tmp_path / "large.npz")
    with pytest.raises(ExchangeError, match=r"cannot read nothing.npz: No such file"):
        read_arrays(tmp_path / "nothing.npz")


# As runs


def test_an_imported_model_is_a_run_that_is_sampled_evaluated_and_trained_on(
    tmp_path: Path, runs_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "theirs.npz", W=W, hbias=C)
    code, printed = said(
        capsys,
        "import",
        tmp_path / "theirs.npz",
        "--name",
        "theirs",
        "--preset",
        "quick",
        "--set",
        "epochs=3",
    )
    assert code == 0, printed
    assert "16 visible and 6 hidden units" in printed
    assert "no visible biases were found, so the 16 of them are 0" in printed
    assert "its data were taken to be bars-and-stripes" in printed
    reader = RunReader(runs_root / "theirs")
    assert reader.status()["state"] == "stopped"
    message = reader.status()["message"]
    assert message.startswith("Imported from theirs.npz; no visible biases were found"), message
    assert message.endswith("Resume trains on from here.")
    np.testing.assert_array_equal(reader.snapshot(0).W, W)  # every bit of it, not in half precision
    assert said(capsys, "sample", "theirs", "--out", tmp_path / "s.png", "--start", "particles")[0] == 0
    assert said(capsys, "evaluate", "theirs", "--estimator", "exact")[0] == 0
    assert said(capsys, "export", "theirs", "--out", tmp_path / "back.npz")[0] == 0
    with np.load(tmp_path / "back.npz") as back:
        np.testing.assert_array_equal(back["W"], W)
        np.testing.assert_array_equal(back["hbias"], C)
    code, printed = said(capsys, "train", "--resume", "theirs")
    assert code == 0, printed
    assert reader.status()["state"] == "finished"
    assert len(reader.snapshot_steps()) > 1
    code, printed = said(capsys, "import", tmp_path / "theirs.npz", "--name", "theirs")
    assert (code, "already a run 'theirs'" in printed) == (2, True)


def test_the_chains_of_an_imported_model_look_like_it_and_not_like_noise(runs_root: Path) -> None:
    strong = {"W": np.zeros((16, 2)), "vbias": np.where(np.arange(16) < 8, 9.0, -9.0), "hbias": np.zeros(2)}
    path, _ = import_model(strong, "strong", dataset="bars-and-stripes")
    assert RunReader(path).snapshot(0).particles_v.mean(0).round(1).tolist() == [1.0] * 8 + [0.0] * 8


def test_a_model_whose_data_nobody_knows_asks_for_them(runs_root: Path) -> None:
    with pytest.raises(
        ExchangeError, match=r"W \(1,234, 5\)|W \(1234, 5\) has 1,234 visible units.*--dataset"
    ):
        import_model({"W": np.zeros((1234, 5))}, "odd")
    with pytest.raises(ExchangeError, match="do not fit together as an RBM for 9 visible units"):
        import_model({"W": W}, "odd", dataset="bars-and-stripes-3")
    assert list(runs_root.iterdir()) == []


def test_a_gaussian_model_keeps_its_law_on_another_scale(runs_root: Path) -> None:
    """Free energies, as densities of the grey values, differ by the constant Σ log s'/s alone."""
    mean, std = RNG.random(16).astype(np.float32), 0.2 + RNG.random(16).astype(np.float32)
    given = {"W": 0.3 * W, "vbias": B, "hbias": C, "pixel_mean": mean, "pixel_std": std}
    path, _ = import_model(given, "grey", dataset="bars-and-stripes")
    snapshot, scale = RunReader(path).snapshot(0), RunReader(path).probe().scale
    x = RNG.random((20, 16)).astype(np.float32)
    theirs = RBM.from_numpy(0.3 * W, B, C, visible="gaussian")
    ours = RBM.from_numpy(
        snapshot.W, snapshot.vbias, snapshot.hbias, visible="gaussian", log_var=snapshot.log_var
    )
    before = theirs.free_energy(torch.from_numpy((x - mean) / std))
    after = ours.free_energy(torch.from_numpy(scale.standardised(x)))
    np.testing.assert_allclose(before - before[0], after - after[0], atol=2e-3)


# Out and back


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITERS)
def test_a_model_of_every_format_is_a_run_that_is_used_and_goes_out_as_it_came(
    name: str, tmp_path: Path, runs_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    WRITERS[name](tmp_path / name)
    settings = ["--dataset", "bars-and-stripes", "--preset", "quick", "--set", "epochs=2"]
    used = (
        ["import", tmp_path / name, "--name", "theirs", *settings],
        ["export", "theirs", "--out", tmp_path / "out.npz"],
        ["export", "theirs", "--out", tmp_path / "out.safetensors"],
        ["sample", "theirs", "--sweeps", 5, "--chains", 4, "--out", tmp_path / "s.png"],
        ["evaluate", "theirs", "--estimator", "exact"],
        ["train", "--resume", "theirs"],
    )
    for command in used:
        code, printed = said(capsys, *command)
        assert code == 0, printed
    for ending in ("npz", "safetensors"):
        arrays = read_arrays(tmp_path / f"out.{ending}")
        for key, theirs in (("W", W), ("vbias", B), ("hbias", C)):
            np.testing.assert_array_equal(arrays[key], theirs)
    reader = RunReader(runs_root / "theirs")
    assert reader.status()["state"] == "finished"
    moved = reader.snapshot(reader.snapshot_steps()[-1]).W - W
    assert 0 < np.abs(moved).max() < 1, "training did not go on from this model"


@pytest.mark.parametrize("ending", [".npz", ".safetensors"])
def test_what_is_exported_and_imported_again_is_equal(
    ending: str, tmp_path: Path, runs_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for visible in ("bernoulli", "gaussian"):
        settings = ["--set", f"visible={visible}", "--set", "binarisation=none"]
        if visible == "gaussian":
            settings += ["--set", "learn_variance=true", "--set", "learning_rate=0.01"]
        tiny = ["--preset", "quick", "--dataset", "bars-and-stripes", "--epochs", 2, "--n-hidden", 5]
        assert said(capsys, "train", *tiny, *settings, "--name", f"{visible}-1")[0] == 0
        file = tmp_path / f"{visible}{ending}"
        assert said(capsys, "export", f"{visible}-1", "--out", file)[0] == 0
        code, printed = said(
            capsys, "import", file, "--name", f"{visible}-2", "--dataset", "bars-and-stripes"
        )
        assert code == 0, printed
        reader = RunReader(runs_root / f"{visible}-1")
        before, after = (
            reader.snapshot(reader.snapshot_steps()[-1]),
            RunReader(runs_root / f"{visible}-2").snapshot(0),
        )
        for name in ("W", "vbias", "hbias", "log_var"):
            np.testing.assert_array_equal(getattr(before, name), getattr(after, name))


@pytest.mark.parametrize("visible", ["bernoulli", "gaussian"])
def test_both_conditionals_as_onnx_give_what_the_engine_gives(visible: str, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    from rbm_core.exchange.exporting import onnx_models
    from rbm_core.pixels import PixelScale

    scale, log_var = None, None
    if visible == "gaussian":
        scale = PixelScale(RNG.random(16).astype(np.float32), 0.1 + RNG.random(16).astype(np.float32))
        log_var = 0.1 * B
    rbm = RBM.from_numpy(W, B, C, visible=visible, log_var=log_var)
    x, h = RNG.random((7, 16)).astype(np.float32), (RNG.random((7, 6)) < 0.5).astype(np.float32)
    sessions = {name: onnxruntime.InferenceSession(model) for name, model in onnx_models(rbm, scale).items()}
    v = x if scale is None else scale.standardised(x)
    (p,) = sessions["h_from_v"].run(None, {"x": x})
    np.testing.assert_allclose(p, rbm.mean_h_from_v(torch.from_numpy(v)), atol=1e-5)
    (mean,) = sessions["v_from_h"].run(None, {"h": h})
    expected = rbm.mean_v_from_h(torch.from_numpy(h)).numpy()
    np.testing.assert_allclose(mean, expected if scale is None else scale.grey(expected), atol=1e-5)


def test_the_curves_as_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import pandas

    assert said(capsys, "export", "mnist-default", "--out", tmp_path / "curves.csv")[0] == 0
    table, metrics = (
        pandas.read_csv(tmp_path / "curves.csv"),
        RunReader("checkpoints/mnist-default").metrics(),
    )
    assert list(table) == list(metrics)
    for name, column in metrics.items():
        np.testing.assert_allclose(table[name], column)


def test_export_refuses_what_it_would_ignore_or_cannot_write(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments, words in (
        (["--out", "model.docx"], "--out must end in .npz"),
        (["--out", tmp_path / "no" / "m.npz"], "there is no folder"),
        (
            ["--out", tmp_path / "c.csv", "--step", 446],
            "--step would be ignored: a .csv file is of the whole run",
        ),
        (["--out", tmp_path / "c.png", "--subject", "dreams"], "--subject must be both, filters, fantasies"),
    ):
        code, printed = said(capsys, "export", "mnist-default", *arguments)
        assert (code, words in printed) == (2, True), printed


@pytest.mark.parametrize("ending", [".npz", ".safetensors"])
def test_a_model_of_a_table_with_an_outlier_comes_back_equal(
    ending: str, tmp_path: Path, runs_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One far value leaves its column a deviation below that of any picture's pixel."""
    table = RNG.normal(size=(600, 3)) * [1, 50, 0.01]
    table[7, 1] = 1e5
    np.savetxt(tmp_path / "mine.csv", table, delimiter=",", header="a,b,c", comments="")
    settings = ["--set", "visible=gaussian", "--epochs", 2, "--n-hidden", 5, "--set", "batch_size=10"]
    code, printed = said(capsys, "train", "--dataset", tmp_path / "mine.csv", *settings, "--name", "before")
    assert code == 0, printed
    before = RunReader(runs_root / "before")
    assert before.probe().scale.std.min() < 0.05
    file = tmp_path / f"model{ending}"
    assert said(capsys, "export", "before", "--out", file)[0] == 0
    kept = before.config()["config"]["dataset"]
    code, printed = said(capsys, "import", file, "--name", "after", "--dataset", kept)
    assert code == 0, printed
    one, other = before.snapshot(before.snapshot_steps()[-1]), RunReader(runs_root / "after").snapshot(0)
    for name in ("W", "vbias", "hbias"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert other.log_var is None


def test_onnx_models_of_a_table_take_its_own_values() -> None:
    low, high = np.array([10.0, 5.0, 0.0]), np.array([30.0, 5.0, 1.0])  # the second column is constant
    scale = PixelScale(np.array([0.5, 0.0, 0.25], np.float32), np.array([0.1, 0.001, 0.2], np.float32))
    share = RNG.random((4, 3))
    own = low + share * (high - low)
    share[:, 1] = 0
    np.testing.assert_allclose(
        scale.of_values(low.tolist(), high.tolist()).standardised(own), scale.standardised(share), atol=1e-4
    )
