"""A run as one zip: another installation opens it, and what is no run is refused before it is in the store."""

import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rbm_core.cli import main
from rbm_core.exchange import bundle as bundles
from rbm_core.exchange.arrays import ExchangeError
from rbm_core.exchange.bundle import open_bundle, write_bundle
from rbm_core.runs import RunError, RunReader, list_runs
from rbm_core.training import process as training_process
from tests.core.test_exchange import said
from tests.core.training_runs import make_run

SHIPPED = Path("checkpoints/mnist-default")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("bundle") / "run.zip"
    write_bundle(SHIPPED, file)
    return file


def test_a_bundle_opens_elsewhere_as_the_same_run(
    whole: Path, runs_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, printed = said(capsys, "import", whole, "--name", "from-the-lab")
    assert code == 0, printed
    ours, theirs = RunReader(SHIPPED), RunReader(runs_root / "from-the-lab")
    assert theirs.config()["name"] == "from-the-lab"
    assert theirs.snapshot_steps() == ours.snapshot_steps()
    np.testing.assert_array_equal(theirs.snapshot(49500).W, ours.snapshot(49500).W)
    for name in ("metrics.jsonl", "likelihood.jsonl", "probe.safetensors"):
        assert (runs_root / "from-the-lab" / name).read_bytes() == (SHIPPED / name).read_bytes()
    assert [info.error for info in list_runs(runs_root)] == [None]
    code, printed = said(capsys, "import", whole, "--name", "from-the-lab")
    assert (code, "already a run" in printed) == (2, True)


def test_a_bundled_run_that_was_stopped_goes_on_where_it_stood(
    runs_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    training_process.run(make_run(runs_root, "here", epochs=4, lr_schedule="constant"))
    assert main(["export", "here", "--out", str(tmp_path / "here.zip")]) == 0
    assert main(["import", str(tmp_path / "here.zip"), "--name", "there"]) == 0
    assert main(["train", "--resume", "there", "--epochs", "6"]) == 0
    assert RunReader(runs_root / "there").status()["state"] == "finished"


@pytest.mark.parametrize(
    "option", [("--dataset", "mnist"), ("--preset", "quick"), ("--set", "k=2"), ("--download",)]
)
def test_a_bundle_is_opened_as_it_is_and_settings_that_would_be_ignored_are_refused(
    option: tuple[str, ...], whole: Path, runs_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, printed = said(capsys, "import", whole, "--name", "other", *option)
    assert (code, f"so {option[0]} would be ignored" in printed) == (2, True), printed
    assert list(runs_root.iterdir()) == []


def test_a_run_that_is_being_trained_is_not_bundled(runs_root: Path, tmp_path: Path) -> None:
    path = make_run(runs_root, "young")
    with pytest.raises(RunError, match="'young' is being trained; stop it before"):
        write_bundle(path, tmp_path / "young.zip")
    assert list(tmp_path.glob("*.zip")) == []


def changed(whole: Path, target: Path, change: Callable[[dict[str, bytes]], dict[str, bytes]]) -> Path:
    """The bundle with other members: change gets and gives their contents by name."""
    with zipfile.ZipFile(whole) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in change(members).items():
            archive.writestr(name, content)
    return target


R = "mnist-default"


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda m: {n: c for n, c in m.items() if "config" not in n}, "no run bundle: it needs one folder"),
        (lambda m: {n: c for n, c in m.items() if "snapshots" not in n}, "holds no snapshot"),
        (lambda m: {"x": b"y"}, "no run bundle"),
        (
            lambda m: m | {f"{R}/config.json": b"{"},
            "holds a run that cannot be read: config.json of run 'new'",
        ),
        (lambda m: m | {f"{R}/status.json": b"[1]"}, "holds a run that cannot be read"),
        (lambda m: m | {f"{R}/metrics.jsonl": b"no line\n"}, "holds a run that cannot be read"),
        (
            lambda m: m | {f"{R}/snapshots/000000001.safetensors": b"noise" * 99},
            "holds a run that cannot be read",
        ),
        (lambda m: m | {f"other/{n}.json": b"{}" for n in ("config",)}, "holds config.json twice"),
        (lambda m: m | {f"{R}/f{i}": b"" for i in range(5000)}, "a run has at most 1,100"),
    ],
)
def test_what_is_no_run_is_refused_in_one_sentence(
    change: Callable, words: str, whole: Path, tmp_path: Path, runs_root: Path
) -> None:
    file = changed(whole, tmp_path / "bad.zip", change)
    with pytest.raises(ExchangeError, match=words) as caught:
        open_bundle(file, runs_root, "new")
    assert "\n" not in str(caught.value)
    assert list(runs_root.iterdir()) == []


@pytest.mark.parametrize(
    "name",
    [
        "../../evil.json",
        "/tmp/evil.json",
        f"{R}/../../config.json",
        "snapshots/config.json",
        f"{R}/run.lock",
        "..\\evil",
    ],
)
def test_no_member_leaves_the_run_or_becomes_another_file(
    name: str, whole: Path, tmp_path: Path, runs_root: Path
) -> None:
    file = changed(whole, tmp_path / "slip.zip", lambda m: m | {name: b"evil"})
    path = open_bundle(file, runs_root, "new")
    names = {p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file()}
    assert not any("evil" in n or "lock" in n for n in names)
    assert [p.name for p in runs_root.iterdir()] == ["new"]


def test_a_link_in_a_bundle_becomes_no_link(whole: Path, tmp_path: Path, runs_root: Path) -> None:
    file = changed(whole, tmp_path / "link.zip", lambda m: {n: c for n, c in m.items() if "notes" not in n})
    with zipfile.ZipFile(file, "a") as archive:
        link = zipfile.ZipInfo(f"{R}/notes.json")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    path = open_bundle(file, runs_root, "new")
    assert not (path / "notes.json").is_symlink()


def test_bombs_and_lying_sizes_are_refused(
    whole: Path, tmp_path: Path, runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundles, "_MOST_BYTES", 50_000_000)
    bomb = changed(whole, tmp_path / "bomb.zip", lambda m: m | {f"{R}/metrics.jsonl": bytes(60_000_000)})
    assert bomb.stat().st_size < 15_000_000
    with pytest.raises(ExchangeError, match=r"unpacks to 0\.1 GiB"):
        open_bundle(bomb, runs_root, "new")
    # The directory at the archive's end says that the member is small; its data say otherwise.
    lying = bytearray(bomb.read_bytes())
    at = lying.rfind(f"{R}/metrics.jsonl".encode()) - 46
    assert lying[at : at + 4] == b"PK\1\2"
    lying[at + 24 : at + 28] = struct.pack("<I", 1000)
    (tmp_path / "lying.zip").write_bytes(lying)
    with pytest.raises(ExchangeError, match="damaged"):
        open_bundle(tmp_path / "lying.zip", runs_root, "new")
    assert list(runs_root.iterdir()) == []


@pytest.mark.parametrize(
    "damage", [lambda b: b[: len(b) // 2], lambda b: b[:5000] + b"\0" * 4000 + b[9000:], lambda b: b""]
)
def test_a_damaged_archive_is_refused(
    damage: Callable[[bytes], bytes],
    whole: Path,
    tmp_path: Path,
    runs_root: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "cut.zip").write_bytes(damage(whole.read_bytes()))
    code, printed = said(capsys, "import", tmp_path / "cut.zip", "--name", "new")
    assert (code, "Traceback" in printed) == (2, False)
    assert list(runs_root.iterdir()) == []
    code, printed = said(capsys, "import", tmp_path / "none.zip", "--name", "new")
    assert (code, "cannot read" in printed) == (2, True), printed


def test_a_full_disk_is_said_and_nothing_is_left(
    whole: Path, runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bundles, "_unpack", full)
    with pytest.raises(RunError, match="the disk is full"):
        open_bundle(whole, runs_root, "new")
    assert list(runs_root.iterdir()) == []
