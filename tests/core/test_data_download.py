"""Where data are looked for, and the download: only whole files are kept, and a failure is one sentence."""

import gzip
import hashlib
import io
import stat
import subprocess
import sys
import urllib.error
from pathlib import Path

import pytest

from rbm_core import datasets
from rbm_core.datasets import DatasetError, load
from rbm_core.datasets.published import RAW_FILES
from tests.live import REPO


def test_missing_data_name_the_folder_and_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as raised:
        load("fashion-mnist", root=tmp_path)
    sentence = str(raised.value)
    assert sentence.startswith(f"Fashion-MNIST is not in {tmp_path}: ")
    for way_out in ("--download", "RBM_DATA_DIR", "mnist-5k"):
        assert way_out in sentence
    assert "\n" not in sentence
    assert list(tmp_path.iterdir()) == []


def test_the_data_folder_is_the_argument_then_the_variable_then_the_user_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RBM_DATA_DIR", str(tmp_path / "variable"))
    assert datasets.data_dir(tmp_path / "argument") == tmp_path / "argument"
    assert datasets.data_dir() == tmp_path / "variable"
    monkeypatch.delenv("RBM_DATA_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for platform, expected in (
        ("linux", tmp_path / "cache" / "rbm-observatory"),
        ("darwin", Path.home() / "Library" / "Caches" / "rbm-observatory"),
    ):
        monkeypatch.setattr(sys, "platform", platform)
        assert datasets.data_dir() == expected


class Web:
    """urlopen for a web that serves these bodies by file name; what it lacks is out of reach."""

    def __init__(self, bodies: dict[str, bytes]) -> None:
        self.bodies = bodies
        self.asked: list[str] = []

    def __call__(self, address: str, timeout: float) -> io.BytesIO:
        self.asked.append(address)
        name = address.rsplit("/", 1)[-1]
        if name not in self.bodies:
            raise urllib.error.URLError(OSError(-2, "Name or service not known"))
        answer = io.BytesIO(self.bodies[name])
        answer.headers = {"Content-Length": str(len(self.bodies[name]))}  # type: ignore[attr-defined]
        return answer


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch, small_mnist: Path) -> Web:
    """small_mnist's four files as published archives, whose checksums torchvision is given."""
    from torchvision.datasets import MNIST

    raw = small_mnist / "MNIST" / "raw"
    bodies = {f"{path.name}.gz": gzip.compress(path.read_bytes()) for path in raw.iterdir()}
    checksums = [(name, hashlib.md5(body).hexdigest()) for name, body in bodies.items()]
    monkeypatch.setattr(MNIST, "resources", checksums)
    monkeypatch.setattr(MNIST, "mirrors", ["https://first.invalid/", "https://second.invalid/"])
    web = Web(bodies)
    monkeypatch.setattr("urllib.request.urlopen", web)
    return web


def test_a_download_reports_progress_and_leaves_only_whole_files(
    published: Web, small_mnist: Path, tmp_path: Path
) -> None:
    root, seen = tmp_path / "new", []
    data = load("mnist", root=root, n_valid=1, download=True, progress=lambda *step: seen.append(step))
    assert data.fingerprint == load("mnist", root=small_mnist, n_valid=1).fingerprint
    assert [(name, done, total) for name, done, total in seen if done == total] == [
        (name, len(body), len(body)) for name, body in published.bodies.items()
    ]
    files = sorted((root / "MNIST" / "raw").iterdir())
    assert [path.name for path in files] == sorted(RAW_FILES)
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o644}
    published.asked.clear()
    load("mnist", root=root, n_valid=1, download=True)
    assert published.asked == []


def test_a_download_without_a_network_is_one_sentence_with_the_way_out(
    published: Web, tmp_path: Path
) -> None:
    published.bodies.clear()
    with pytest.raises(DatasetError) as raised:
        load("mnist", root=tmp_path / "new", download=True)
    sentence = str(raised.value)
    assert sentence.startswith(
        f"cannot download MNIST to {tmp_path}/new/MNIST/raw (Name or service not known): "
    )
    assert "mnist-5k" in sentence
    assert "\n" not in sentence
    assert [address.split("/")[2] for address in published.asked] == ["first.invalid", "second.invalid"]


def test_an_archive_with_another_checksum_is_never_kept(published: Web, tmp_path: Path) -> None:
    published.bodies["train-labels-idx1-ubyte.gz"] = gzip.compress(b"something else")
    with pytest.raises(DatasetError, match="is not the published file"):
        load("mnist", root=tmp_path / "new", download=True)
    assert not (tmp_path / "new" / "MNIST" / "raw" / "train-labels-idx1-ubyte").exists()
    assert not datasets.available("mnist", root=tmp_path / "new")


def test_a_data_folder_that_cannot_be_written_is_one_sentence(published: Web, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DatasetError, match=r"cannot download MNIST to .*/file/MNIST/raw \(Not a directory\)"):
        load("mnist", root=tmp_path / "file", download=True)


def test_reading_what_is_there_needs_no_torch(small_mnist: Path) -> None:
    program = (
        "import sys; from rbm_core.datasets import load; "
        f"load('mnist', root={str(small_mnist)!r}, n_valid=1); load('mnist-5k'); "
        "print('torch' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=REPO, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "False"
