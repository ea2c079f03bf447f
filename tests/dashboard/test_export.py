"""Pictures that the command line exports are drawn by the app's own figures, in a process of their own."""

import json
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from dashboard.export import single_page
from dashboard.export.__main__ import main as export_main
from rbm_core.cli.export import SUBJECTS
from rbm_core.runs import RunReader
from tests.core.test_exchange import said
from tests.small_run import train_small

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


def test_a_page_says_that_its_run_diverged_and_what_was_changed(
    runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(single_page, "_film", lambda *_: (None, "left out"))
    path = train_small(runs_root, "mine")

    def page(**status: object) -> str:
        now = json.loads((path / "status.json").read_text())
        (path / "status.json").write_text(json.dumps({**now, **status}))
        return single_page.single_page(RunReader(path))[0].decode()

    assert 'class="notice"' not in page()
    said = "The weights grew without bound; start again with a smaller learning rate."
    set_to = {"step": 3, "time": 1, "command": "set", "value": {"name": "learning_rate", "value": 50}}
    with (path / "events.jsonl").open("a") as events:
        events.write(json.dumps(set_to) + "\n")
    content = page(state="diverged", message=said)
    step, n_steps = (RunReader(path).status()[name] for name in ("step", "n_steps"))
    assert f'<p class="notice">The run diverged at step {step:,} of {n_steps:,}. {said}</p>' in content
    assert "→ 50" in content
    assert "finished model" not in content
    assert "The run was stopped at step" in page(state="stopped", message="Stopped by page.")
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps({**config, "origin": {"file": "theirs.npz"}}))
    content = page(state="stopped", step=0)
    assert "A model of the file theirs.npz; nothing was trained here." in content
    assert "learning_rate" not in content.split("<dt>settings</dt>")[1].split("</dd>")[0]
