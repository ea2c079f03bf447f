"""Pictures that the command line exports are drawn by the app's own figures, in a process of their own."""

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from dashboard.export import single_page
from dashboard.export.__main__ import main as export_main
from rbm_core.cli.export import SUBJECTS
from rbm_core.runs import RunReader
from tests.core.test_exchange import said

SHIPPED = Path("checkpoints/mnist-default").absolute()


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_still_shows_the_step_asked_for(subject: str, tmp_path: Path) -> None:
    for step in (39, 49500):
        target = tmp_path / f"{step}.png"
        assert export_main([str(SHIPPED), str(target), "--subject", subject, "--step", str(step)]) == 0
    early, late = (Image.open(tmp_path / f"{step}.png") for step in (39, 49500))
    assert early.size == late.size
    assert min(early.size) > 280
    assert early.tobytes() != late.tobytes()


@pytest.mark.slow
def test_an_animation_has_a_frame_a_snapshot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, printed = said(
        capsys, "export", "mnist-default", "--out", tmp_path / "t.gif", "--subject", "fantasies"
    )
    assert code == 0, printed
    assert "fantasies through 13 snapshots, run mnist-default" in printed
    assert Image.open(BytesIO((tmp_path / "t.gif").read_bytes())).n_frames == 13


def test_what_cannot_be_drawn_is_one_sentence(
    tmp_path: Path, runs_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export_main([str(SHIPPED), str(tmp_path / "x.png"), "--step", "5"]) == 2
    assert "has no snapshot at step 5; the nearest is" in capsys.readouterr().err
    assert export_main([str(tmp_path / "none"), str(tmp_path / "x.png")]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_long_run_keeps_its_page_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(single_page, "_MOST_BYTES", 2_000_000)
    monkeypatch.setattr(single_page, "_film", lambda *_: (None, "left out"))
    content, words = single_page.single_page(RunReader(SHIPPED))
    assert "timelapse of 3 snapshots" in words
    assert b"none: left out" in content
    assert b'data-player="film"' not in content
