"""Through the sidebar: a model of another program opens as a run, and a run is taken away and opened again."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, expect

from rbm_core.runs import RunReader
from tests.live import App, until


def test_a_model_is_opened_and_its_run_taken_away(
    runs_root: Path, tmp_path: Path, start_app: Callable[..., App], open_page: Callable[..., Page]
) -> None:
    W = np.random.default_rng(0).normal(size=(16, 6)).astype(np.float32)
    np.savez(tmp_path / "their model.npz", W=W)
    (tmp_path / "broken.npz").write_bytes(b"noise" * 100)
    (tmp_path / "fitted.joblib").write_bytes(b"noise" * 100)
    app = start_app(RBM_RUNS_DIR=str(runs_root))
    page = open_page(app.url)
    sidebar = page.get_by_test_id("stSidebar")
    sidebar.get_by_text("Open or take away").click()
    upload = sidebar.get_by_test_id("stFileUploaderDropzoneInput").first

    for file, words in (
        ("broken.npz", "Cannot read broken.npz: it is damaged"),
        ("fitted.joblib", "save the arrays: np.savez("),
    ):
        upload.set_input_files(tmp_path / file)
        expect(sidebar.locator(f"input[value='{Path(file).stem}']")).to_be_visible()
        sidebar.get_by_role("button", name="Open it").click()
        expect(sidebar.get_by_text(words)).to_be_visible()
    assert not [path for path in runs_root.iterdir() if not path.name.startswith(".")]

    upload.set_input_files(tmp_path / "their model.npz")
    expect(sidebar.locator("input[value='their-model']")).to_be_visible()
    sidebar.get_by_role("button", name="Open it").click()
    expect(page.get_by_text("16 visible").or_(page.get_by_text("their-model")).first).to_be_visible()
    expect(page.get_by_text("their-model is open: this page shows it now.")).to_be_visible()
    expect(page.get_by_text("● imported")).to_be_visible()
    page.wait_for_function("new URLSearchParams(location.search).get('run') === 'their-model'")
    until(lambda: (runs_root / "their-model" / "status.json").exists(), 20, "no run is made")
    assert RunReader(runs_root / "their-model").status()["message"].startswith("Imported from their")
    np.testing.assert_array_equal(RunReader(runs_root / "their-model").snapshot(0).W, W)

    with page.expect_download() as taken:
        sidebar.get_by_role("button", name="Whole run (bundle)").click()
    taken.value.save_as(tmp_path / "taken.zip")
    upload.set_input_files(tmp_path / "taken.zip")
    expect(sidebar.locator("input[value='taken']")).to_be_visible()
    sidebar.get_by_role("button", name="Open it").click()
    until(lambda: (runs_root / "taken" / "config.json").exists(), 20, "the bundle is not opened")
    np.testing.assert_array_equal(RunReader(runs_root / "taken").snapshot(0).W, W)
