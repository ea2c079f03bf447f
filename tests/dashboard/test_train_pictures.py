"""Train's curves are the recorded rows, the doctor names its evidence, and every picture has its words."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from dashboard.figures.curves import ABOUT
from dashboard.ui.link import CURVE_GROUPS
from dashboard.views.train import health, spectrum
from dashboard.views.train.moment import Moment
from dashboard.views.train.recorded import Run
from rbm_core import doctor
from rbm_core.runs import RunReader
from tests.dashboard.opened import fed, open_page
from tests.dashboard.small_train import RUN, text
from tests.live import App
from tests.small_run import train_small
from tests.tab import Tab

N_FIGURES = 6  # curves, fantasies, filters, hidden units, spectrum, histograms


@pytest.fixture
def run(runs_root: Path) -> Path:
    return train_small(runs_root, RUN)


def test_curves_are_the_recorded_rows(run: Path) -> None:
    metrics = RunReader(run).metrics()
    header, arrays = fed(open_page(run=RUN), "curves")
    assert header["from"] == 0
    for name in ("step", "free_energy_train", "free_energy_valid", "reconstruction_error"):
        assert np.array_equal(arrays["rows"][:, header["columns"].index(name)], metrics[name]), name


def test_the_likelihood_a_run_followed_reaches_the_curves_with_its_error(run: Path) -> None:
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    for n, row in enumerate(rows):
        known = n % 2 == 1  # an estimate now and then, null in between
        values = {"log_likelihood_train": -90.0 - n, "log_likelihood_valid": -92.0 - n, "log_z": 400.0}
        row |= {key: value if known else None for key, value in {**values, "log_z_stderr": 0.5}.items()}
    (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (run / "likelihood.jsonl").write_text(
        json.dumps({"step": 40, "estimator": "ais", "train_nats": -99.0, "valid_nats": None, "stderr": 0.25})
        + "\n"
    )
    header, arrays = fed(open_page(run=RUN), "curves")
    for name, first in (("log_likelihood_train", -91.0), ("log_z_stderr", 0.5)):
        column = arrays["rows"][:, header["columns"].index(name)]
        assert column[1] == first
        assert np.isnan(column[::2]).all(), "a row without an estimate is drawn"
    assert arrays["estimates"][0].tolist()[:2] == [40.0, -99.0]
    assert np.isnan(arrays["estimates"][0, 2])
    assert arrays["estimates"][0, 4] == 0.25


def test_the_caption_of_the_curves_says_what_the_doctor_found_of_the_fantasies(run: Path) -> None:
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    high = {**rows[-1], "epoch": 5.0, "free_energy_fantasy": rows[-1]["free_energy_train"] + 30}
    with (run / "metrics.jsonl").open("a") as file:
        file.writelines(json.dumps({**high, "step": 1000 + n}) + "\n" for n in range(30))
    header, _ = fed(open_page(run=RUN), "curves")
    found = doctor.fantasies(doctor.record_of(RunReader(run)))
    assert found is not None
    assert "30.0 nats above" in found.evidence
    assert header["fantasies"] == f"{doctor.FANTASIES}. Now {found.evidence}."


def test_the_doctors_line_does_not_repeat_what_the_page_says_above(run: Path) -> None:
    said = "Data and fantasy particles are 111,251 nats apart at step 794; start again with a smaller rate."
    status = json.loads((run / "status.json").read_text())
    (run / "status.json").write_text(json.dumps({**status, "state": "diverged", "message": said}))
    findings = doctor.examine(doctor.record_of(RunReader(run)))
    assert "111,251" in health.summary(findings, "")
    line = health.summary(findings, said)
    assert "111,251" not in line
    assert doctor.headline(findings) in line


def test_the_spectrum_of_a_run_that_trains_is_worked_out_every_few_seconds(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, now = RunReader(run), [100.0]
    monkeypatch.setattr(spectrum, "time", SimpleNamespace(monotonic=lambda: now[0]))
    steps = reader.snapshot_steps()[-3:]
    one, two, three = (Moment(reader.snapshot(step), str(step)) for step in steps)
    watched = Run(RUN, reader, reader.config(), reader.status())
    assert spectrum.lately(watched, one) is one
    now[0] += 0.5
    assert spectrum.lately(watched, two) is one, "the picture says which step it shows"
    now[0] += spectrum.LIVE_EVERY_S
    assert spectrum.lately(watched, three) is three
    assert spectrum.lately(watched, one) is one, "a run begun anew under its name"


def test_the_doctor_waits_for_evidence_and_then_names_it(run: Path) -> None:
    described = json.loads((run / "config.json").read_text())
    described["config"]["epochs"] = 200  # of which two are recorded
    (run / "config.json").write_text(json.dumps(described))
    assert "too early to say" in text(open_page(run=RUN))
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    sick = [{**rows[-1], "step": 1000 + n, "epoch": 5.0, "dead_units": 40} for n in range(30)]
    with (run / "metrics.jsonl").open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in sick)
    app = open_page(run=RUN)
    assert "40 of 64 hidden units never fire" in text(app)
    assert "to look at" in text(app)


def test_every_picture_has_its_own_words_formula_and_source(run: Path) -> None:
    app = open_page(run=RUN)
    for group in CURVE_GROUPS:
        app.query_params["curves"] = group
        said = [e.value for e in app.run().markdown if "Source:" in e.value]
        assert len(said) == N_FIGURES
        assert len(set(said)) == N_FIGURES
        assert all(s.count("$$") == 2 for s in said), "a picture without its formula"


@pytest.mark.slow
def test_the_words_below_the_curves_follow_the_group_that_is_chosen(run: Path, tmp_path: Path) -> None:
    def told(tab: Tab) -> set[str]:
        return {group for group, words in ABOUT.items() if any(words["text"] in text for text in tab.texts)}

    with App(tmp_path / "app.log", {}) as app, Tab(app.port, run=RUN) as tab:
        assert told(tab) == {"energy"}
        fragment = tab.fastest
        tab.texts.clear()
        chosen = {"view": {"group": "likelihood", "axis": "epoch"}}
        tab.rerun(fragment, {tab.components["train.curves"]: {"json_value": json.dumps(chosen)}})
        assert told(tab) == {"likelihood"}
        assert tab.errors == []
