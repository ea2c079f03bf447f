"""The Gibbs page: its film is that of the link and the controls, and what goes wrong costs one sentence."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from dashboard.components.blob import unpack
from dashboard.processes import gibbs_films
from dashboard.views.gibbs import player
from dashboard.views.gibbs.state import gibbs as page_state
from rbm_core import gibbs
from rbm_core.compute import Rng
from rbm_core.rbm import RBM
from rbm_core.runs.files import hold_lock
from rbm_core.runs.reader import RunReader
from tests.dashboard.gibbs_film import bits, film_of
from tests.dashboard.opened import as_read, fed, open_page
from tests.live import App, until
from tests.tab import Tab


def test_page_shows_the_newest_snapshot_s_chain(open_gibbs: Callable[..., AppTest], small_run: Path) -> None:
    header, arrays = film_of(open_gibbs())
    reader = RunReader(small_run)
    newest = reader.snapshot(reader.snapshot_steps()[-1])
    assert np.array_equal(arrays["W"][0].view(np.float16).astype(np.float32), newest.W), (
        "another snapshot's weights"
    )
    assert (header["n_chains"], header["n_sweeps"]) == (25, 200)
    rbm = RBM.from_numpy(newest.W, newest.vbias, newest.hbias)
    last = torch.from_numpy(bits(arrays["v_bits"][-1], 784)).float()
    assert np.allclose(arrays["free_energy"][-1], rbm.free_energy(last), rtol=1e-5), (
        "not this model's free energies"
    )


def test_link_reproduces_the_film(open_gibbs: Callable[..., AppTest], small_run: Path) -> None:
    link = {
        "chains": "3",
        "sweeps": "10",
        "temperature": "1.5",
        "seed": "11",
        "start": "digits",
        "digit": "4",
    }
    header, arrays = film_of(open_gibbs(**link))
    again = film_of(open_gibbs(**link))[1]
    assert (header["n_chains"], header["n_sweeps"]) == (3, 10)
    assert np.allclose(arrays["beta"], 1 / 1.5)
    assert "class 4" in header["start_sentence"]
    assert np.array_equal(arrays["v_bits"], again["v_bits"])


def test_a_number_falls_back_to_its_setting_and_not_to_the_least(open_gibbs: Callable[..., AppTest]) -> None:
    """A browser that hears of a new widget only from a later run of the page has its default alone."""
    app = open_gibbs(chains="2", sweeps="4", temperature="2", beside="whatif", fork="1")
    for one in app.number_input:
        assert one.proto.default == one.value, one.label


def test_controls_change_the_film_and_the_link(open_gibbs: Callable[..., AppTest]) -> None:
    app = open_gibbs(chains="4", sweeps="8")
    before = film_of(app)[1]["v_bits"]
    app.number_input(key="gibbs.seed").set_value(99).run()
    after = film_of(app)[1]["v_bits"]
    assert not np.array_equal(before, after), "a new seed changed nothing"
    assert app.query_params["seed"] == "99"
    app.number_input(key="gibbs.chains").set_value(2).run()
    assert film_of(app)[0]["n_chains"] == 2


def test_link_leads_to_the_very_frame_chain_and_layer(open_gibbs: Callable[..., AppTest]) -> None:
    app = open_gibbs(chains="3", sweeps="10", frame="7", chain="2", show="one", layer="h")
    assert film_of(app)[0]["place"] == {"frame": 7, "chain": 2, "show": "one", "layer": "h"}
    assert not app.warning


def test_a_place_the_film_does_not_have_falls_back_and_is_said_once(
    open_gibbs: Callable[..., AppTest],
) -> None:
    app = open_gibbs(chains="3", sweeps="10", frame="900", chain="9")
    assert film_of(app)[0]["place"] == {"frame": 20, "chain": 3, "show": "both", "layer": "pv"}
    said = [warning.value for warning in app.warning]
    assert said == [
        "The link says frame 900, but this film has 0 to 20; showing 20.",
        "The link says chain 9, but this film has 1 to 3; showing 3.",
    ]
    assert (app.query_params["frame"], app.query_params["chain"]) == ("20", "3")
    app.number_input(key="gibbs.sweeps").set_value(4).run()
    assert not app.warning, "a film made shorter by hand is no fault of the link"


@pytest.mark.parametrize(("chain", "chains", "left"), [(7, 4, 3), (8, 4, 4), (5, 4, 1), (8, 3, 3), (6, 3, 2)])
def test_the_chain_enlarged_is_the_one_that_began_alike_where_those_beside_it_go(
    open_gibbs: Callable[..., AppTest], chain: int, chains: int, left: int
) -> None:
    app = open_gibbs(chains="4", sweeps="4", beside="whatif", chain=str(chain))
    assert film_of(app)[0]["place"]["chain"] == chain
    app.number_input(key="gibbs.chains").set_value(chains)
    app.segmented_control(key="gibbs.beside").set_value("nothing").run()
    assert film_of(app)[0]["place"]["chain"] == left
    assert not app.warning


@pytest.mark.slow
def test_a_place_of_the_film_before_that_comes_late_is_put_into_this_one(
    small_run: Path, tmp_path: Path
) -> None:
    env = {"RBM_RUNS_DIR": str(small_run.parent)}
    with (
        App(tmp_path / "app.log", env) as app,
        Tab(app.port, "gibbs", chains=4, sweeps=6, beside="whatif") as tab,
    ):
        part = tab.fragments[player.PLAYER]
        for frame, chain, at, enlarged in ((99, 18, 12, 6), (3, 20, 3, 8), (2, 7, 2, 7)):
            left = {"frame": frame, "chain": chain, "show": "both", "layer": "pv"}
            tab.trigger(player.PLAYER, "place", left, part)
            tab.trigger(player.PLAYER, "need", 1, part)  # a player that was mounted anew wants the whole film
            place = unpack(tab.sent[player.PLAYER])[0]["place"]
            assert (place["frame"], place["chain"]) == (at, enlarged), left
        assert tab.errors == []


@pytest.mark.slow
def test_the_chains_fork_though_the_player_asks_for_its_map_in_the_same_moment(
    small_run: Path, tmp_path: Path
) -> None:
    env = {"RBM_RUNS_DIR": str(small_run.parent)}
    with App(tmp_path / "app.log", env) as app, Tab(app.port, "gibbs", chains=4, sweeps=6) as tab:
        part = tab.fragments[player.PLAYER]
        version = unpack(tab.sent[player.PLAYER])[0]["version"]
        for name, value in (("rest", version), ("fork", 3), ("rest", version), ("need", 1)):
            tab.ask(part, tab.said_once(player.PLAYER, name, value))
        until(
            lambda: tab.next(0.2) and len(unpack(tab.sent[player.PLAYER])[0].get("groups", ())) == 2,
            30,
            "two films",
        )
        assert tab.errors == []


def test_the_newest_machine_of_a_living_run_stays_until_another_is_asked_for(
    open_gibbs: Callable[..., AppTest], small_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = shutil.copytree(small_run, tmp_path / "checkpoints" / "living")
    monkeypatch.setenv("RBM_RUNS_DIR", str(run.parent))
    steps = RunReader(run).snapshot_steps()
    status = json.loads((run / "status.json").read_text())

    def trained_until(step: int) -> None:
        (run / "live.safetensors").write_bytes((run / "snapshots" / f"{step:09d}.safetensors").read_bytes())
        (run / "status.json").write_text(json.dumps({**status, "state": "running", "step": step}))

    kept = {step: (run / "snapshots" / f"{step:09d}.safetensors") for step in steps}
    last = kept[steps[-1]].read_bytes()
    kept[steps[-1]].unlink()
    lock = hold_lock(run)
    assert lock is not None
    try:
        trained_until(steps[-2])
        app = open_gibbs(chains="2", sweeps="3")
        assert film_of(app)[0]["of"]["step"] == steps[-2]
        kept[steps[-1]].write_bytes(last)
        trained_until(steps[-1])
        app.number_input(key="gibbs.seed").set_value(8).run()
        assert film_of(app)[0]["of"]["step"] == steps[-2], "the machine was exchanged under the eye"
        assert any(f"machine of step {steps[-2]:,}" in m.value for m in app.markdown), "nor is it said"
        next(button for button in app.button if button.label == "Take the newest").click().run()
        assert film_of(app)[0]["of"]["step"] == steps[-1]
    finally:
        lock.release()


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"chains": "0"}, "chains must be a whole number from 1 to 100"),
        ({"temperature": "nan"}, "temperature must be a number"),
        ({"sweeps": "many"}, "sweeps must be a whole number"),
        ({"start": "moon"}, "start must be one of"),
        ({"step": "999999"}, "no snapshot at step 999,999"),
    ],
)
def test_bad_link_falls_back_and_says_so(
    open_gibbs: Callable[..., AppTest], query: dict[str, str], words: str
) -> None:
    app = open_gibbs(**query)
    assert any(words in warning.value for warning in app.warning), [w.value for w in app.warning]
    film_of(app)


def test_ages_run_the_same_chance_through_every_snapshot(
    open_gibbs: Callable[..., AppTest], small_run: Path
) -> None:
    reader = RunReader(small_run)
    header, arrays = film_of(open_gibbs(beside="ages", chains="3", sweeps="5"))
    steps = reader.snapshot_steps()
    shown = [int(label.removeprefix("step ").replace(",", "")) for label in header["groups"]]
    assert shown == gibbs_films.ages(steps, steps[-1])
    assert (shown[0], shown[-1]) == (steps[0], steps[-1])
    v, h = bits(arrays["v_bits"], 784), bits(arrays["h_bits"], 64)
    for g, step in enumerate(shown):
        aged = reader.snapshot(step)
        assert np.array_equal(v[0, 3 * g : 3 * g + 3], v[0, :3]), "the groups do not start alike"
        rbm = RBM.from_numpy(aged.W, aged.vbias, aged.hbias)
        first = gibbs.half_step(
            rbm, gibbs.from_images(rbm, torch.from_numpy(v[0, :3]).float()), Rng(7, "gibbs page")
        )
        assert np.array_equal(h[0, 3 * g : 3 * g + 3], first.h.numpy()), (
            f"step {step} met other random numbers"
        )
        weights = arrays["W"][arrays["machine"][g, 0]].view(np.float16).astype(np.float32)
        assert np.array_equal(weights, aged.W), f"the player has other weights for step {step}"


def test_what_if_is_the_same_film_until_the_fork(open_gibbs: Callable[..., AppTest]) -> None:
    link = {"chains": "3", "sweeps": "20", "beside": "whatif", "fork": "8"}
    alone = film_of(open_gibbs(chains="3", sweeps="20"))[1]["v_bits"]
    for changes in (
        {"if_temperature": "3"},
        {"if_temperature": "1", "if_seed": "1"},
        {"if_temperature": "1", "if_step": "0"},
    ):
        v = film_of(open_gibbs(**link, **changes))[1]["v_bits"]
        assert np.array_equal(v[:, :3], alone), "the chains as they were are not the film alone"
        assert np.array_equal(v[:9, 3:], alone[:9]), f"{changes} changed the time before the fork"
        assert not np.array_equal(v[9, 3:], alone[9]), f"{changes} changed nothing at the fork"
    v = film_of(open_gibbs(**link, if_temperature="1"))[1]["v_bits"]
    assert np.array_equal(v[:, 3:], alone), "with nothing changed the fork leads elsewhere"


def test_cooling_ends_at_the_temperature_asked_for(open_gibbs: Callable[..., AppTest]) -> None:
    beta = film_of(open_gibbs(sweeps="10", chains="2", hot="8", temperature="0.5"))[1]["beta"][0]
    assert np.allclose(beta[[0, -1]], [1 / 8, 2])
    assert np.allclose(beta[1:] / beta[:-1], 16 ** (1 / 9)), "the steps of cooling are not equal factors"


def test_a_player_that_went_away_before_it_was_heard_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamlit.session_state", {player.PLAYER: None})
    page = page_state()
    before = {**vars(page), "settings": {**vars(page.settings)}}
    for heard in (player._fork_here, player._left_at, player._rest_asked):
        heard()
    assert {**vars(page), "settings": {**vars(page.settings)}} == before


def test_a_stranger_is_told_what_the_page_is_for_and_finds_clamp(open_gibbs: Callable[..., AppTest]) -> None:
    app = open_gibbs(start="digits", chains="2", sweeps="3")
    assert "Watch the machine make pictures" in app.caption[0].value
    assert any("clamp" in toggle.label for toggle in app.sidebar.toggle)


def test_unknown_run_in_the_link_shows_another_and_says_so(open_gibbs: Callable[..., AppTest]) -> None:
    app = open_gibbs(run="nobody")
    assert any("nobody" in warning.value for warning in app.warning)
    film_of(app)


def test_no_run_is_told_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RBM_RUNS_DIR", str(tmp_path))
    app = open_page("gibbs")
    assert not app.exception
    assert any("no run yet" in info.value for info in app.info)


def test_corrupt_snapshot_costs_one_sentence(
    open_gibbs: Callable[..., AppTest], small_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torn = shutil.copytree(small_run, tmp_path / "checkpoints" / "torn")
    newest = sorted((torn / "snapshots").iterdir())[-1]
    newest.write_bytes(newest.read_bytes()[:1000])
    monkeypatch.setenv("RBM_RUNS_DIR", str(torn.parent))
    app = open_gibbs(chains="2", sweeps="3")
    assert not app.exception
    assert not app.error
    (said,) = [as_read(warning.value) for warning in app.warning if newest.name in as_read(warning.value)]
    others = [int(path.stem) for path in sorted((torn / "snapshots").iterdir())[:-1]]
    assert said.endswith(f"Showing step {others[-1]:,} instead; the slider has the others."), said
    header, _ = fed(app, "player")
    assert header["of"]["step"] == others[-1], "the chains of another moment than the sentence says"


def test_a_run_whose_every_snapshot_is_damaged_costs_one_sentence(
    open_gibbs: Callable[..., AppTest], small_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torn = shutil.copytree(small_run, tmp_path / "checkpoints" / "torn")
    for snapshot in (torn / "snapshots").iterdir():
        snapshot.write_bytes(b"half of it")
    monkeypatch.setenv("RBM_RUNS_DIR", str(torn.parent))
    app = open_gibbs(chains="2", sweeps="3")
    assert not app.exception
    assert ["damaged" in as_read(error.value) for error in app.error] == [True]
    (torn / "config.json").write_text("{")
    app = open_gibbs(chains="2", sweeps="3")
    assert not app.exception
    assert not any("no snapshot yet" in one.value for one in app.info), "damaged is not young"


def test_a_run_deleted_while_watched_costs_one_sentence(
    open_gibbs: Callable[..., AppTest], small_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    doomed = shutil.copytree(small_run, tmp_path / "checkpoints" / "doomed")
    shutil.copytree(small_run, tmp_path / "checkpoints" / "other")
    monkeypatch.setenv("RBM_RUNS_DIR", str(doomed.parent))
    app = open_gibbs(run="doomed", chains="2", sweeps="3")
    film_of(app)
    shutil.rmtree(doomed)
    app.number_input(key="gibbs.seed").set_value(99).run()
    assert [w.value for w in app.warning if "doomed" in w.value], "nothing is said of the run that is gone"
    assert film_of(app)[0]["of"] == {**film_of(app)[0]["of"], "run": "other", "seed": 99}


def test_a_snapshot_removed_under_the_page_costs_one_sentence(
    open_gibbs: Callable[..., AppTest], small_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = shutil.copytree(small_run, tmp_path / "checkpoints" / "thinned")
    monkeypatch.setenv("RBM_RUNS_DIR", str(run.parent))
    steps = RunReader(run).snapshot_steps()
    app = open_gibbs(step=str(steps[1]), chains="2", sweeps="3")
    assert film_of(app)[0]["of"]["step"] == steps[1]
    (run / "snapshots" / f"{steps[1]:09d}.safetensors").unlink()
    app.number_input(key="gibbs.seed").set_value(99).run()
    assert film_of(app)[0]["of"]["step"] in steps
    assert [w.value for w in app.warning if f"no snapshot at step {steps[1]:,}" in w.value]
