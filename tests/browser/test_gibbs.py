"""The Gibbs player in a real browser: its frames, what they hold, and how one moves through them."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from playwright.sync_api import Page, expect

from rbm_core.rbm import RBM
from rbm_core.runs.reader import RunReader
from tests.browser.gibbs_player import PIXELS, PLAYER, VIEWS, at_frame, pictures, until_player
from tests.live import box_of, click_at, drag, painted, shoot


def test_stepping_forward_and_back_returns_to_the_same_pictures(open_film: Callable[..., Page]) -> None:
    page = open_film("chains=9&sweeps=20")
    seen = [pictures(page)]
    for frame in (1, 2, 3):
        page.get_by_label("One half step forward").click()
        at_frame(page, frame)
        seen.append(pictures(page))
    assert len({str(s) for s in seen}) == 4, "a half step changed no picture"
    expect(page.locator(".sentence")).to_contain_text("Sweep 2 of 20, first half: each hidden unit looked")
    shoot(page, "gibbs-half-step")
    for frame in (2, 1, 0):
        page.get_by_label("One half step back").click()
        at_frame(page, frame)
        assert pictures(page) == seen[frame], f"frame {frame} looks different on the way back"
    expect(page.locator(".sentence")).to_contain_text("Start: 9 chains start from noise")


def test_lit_half_step_is_the_one_just_made(open_film: Callable[..., Page]) -> None:
    page = open_film("chains=4&sweeps=10")
    lit = ".panel.lit"
    page.keyboard.press("ArrowRight")
    at_frame(page, 1)
    assert [p.get_attribute("data-panel") for p in page.locator(lit).all()] == ["ph", "h"]
    page.keyboard.press("ArrowRight")
    at_frame(page, 2)
    assert [p.get_attribute("data-panel") for p in page.locator(lit).all()] == ["v", "pv"]


def test_keyboard_reaches_every_frame(open_film: Callable[..., Page]) -> None:
    page = open_film("chains=4&sweeps=200")
    for key, frame in (
        ("End", 400),
        ("ArrowLeft", 399),
        ("Shift+ArrowLeft", 397),
        ("Home", 0),
        ("ArrowRight", 1),
    ):
        page.keyboard.press(key)
        at_frame(page, frame)
    page.keyboard.press("Space")
    expect(page.get_by_label("Pause (space)")).to_be_visible()
    page.keyboard.press("Space")
    expect(page.get_by_label("Play (space)")).to_be_visible()


def test_dragging_shows_any_frame(open_film: Callable[..., Page]) -> None:
    page = open_film("chains=4&sweeps=10")
    page.locator(".scrub").fill("7")
    at_frame(page, 7)
    curve = page.locator(".curve.energy canvas")
    wide = box_of(curve)["width"]
    drag(curve, (0.3 * wide, 80), (wide - 3, 80))
    at_frame(page, 20)


def test_clicking_a_cell_of_the_grid_enlarges_that_chain(open_film: Callable[..., Page]) -> None:
    page = open_film("chains=9&sweeps=10&start=digits")
    before = page.locator(".panel.v canvas").evaluate(PIXELS)
    click_at(page.locator(".grid"), 0.5, 0.5)
    expect(page.locator(".film[data-chain='4']")).to_be_attached()
    assert page.locator(".panel.v canvas").evaluate(PIXELS) != before, (
        "the large chain is still the first one"
    )
    page.keyboard.press("ArrowRight")  # who clicked goes on through the film
    at_frame(page, 1)
    expect(page.locator(".film[data-chain='4']")).to_be_attached()


def test_arrow_keys_choose_a_chain_where_the_grid_has_the_keyboard(open_film: Callable[..., Page]) -> None:
    page = open_film("chains=9&sweeps=4")
    page.locator(".grid").focus()
    for key, chain in (("ArrowRight", 1), ("ArrowDown", 4), ("ArrowLeft", 3), ("ArrowUp", 0), ("ArrowUp", 0)):
        page.keyboard.press(key)
        expect(page.locator(f".film[data-chain='{chain}']")).to_be_attached()
    at_frame(page, 0)


def test_all_chains_stand_alone_and_stay_where_they_are_for_either_layer(
    open_film: Callable[..., Page],
) -> None:
    page = open_film("chains=10&sweeps=10")
    page.get_by_role("button", name="all chains").click()
    expect(page.locator("[data-figure=cycle]")).to_be_hidden()
    page.keyboard.press("End")
    at_frame(page, 20)
    place = "() => ['.cells', '.time'].map((s) => player.$(s).getBoundingClientRect().toJSON())"
    places = []
    for layer in ("pv", "h"):
        page.locator(".layer").select_option(layer)
        painted(page)
        places.append(page.evaluate(f"() => {{ {PLAYER} return ({place})() }}"))
    assert places[0] == places[1], "the page jumps when the cells show the other layer"


def test_its_mean_draws_nothing_and_says_so(open_film: Callable[..., Page]) -> None:
    page = open_film("chains=2&sweeps=4&rule=mean")
    expect(page.locator(".panel.v .count")).to_have_text(re.compile(r"\d+ of 784 on"))
    page.keyboard.press("End")
    at_frame(page, 8)
    expect(page.locator(".arrow.up small")).to_have_text("copy")
    for layer in ("v", "h"):
        expect(page.locator(f".panel.{layer} .count")).to_have_text(re.compile(r"\d+ expected"))


def test_probabilities_in_the_browser_are_the_engine_s(
    open_film: Callable[..., Page], gibbs_run: Path
) -> None:
    """Exact ones of the large chain to 1e-4, table look-ups of the grid to one shade in 255."""
    page = open_film("chains=3&sweeps=12&temperature=1.3")
    reader = RunReader(gibbs_run)
    newest = reader.snapshot(reader.snapshot_steps()[-1])
    rbm = RBM.from_numpy(newest.W, newest.vbias, newest.hbias)
    seen = page.evaluate(
        f"""() => {{ {PLAYER}
        const f = player.film;
        return {{ before: [...f.v(8, 2)], ph: [...f.meanH(9, 2)], h: [...f.h(9, 2)], pv: [...f.meanV(9, 2)],
                 grey: [...player.shades.of("pv", 18, 2)], energy: f.a.free_energy[8 * 3 + 2] }} }}"""
    )
    v, h = torch.tensor([seen["before"]]).float(), torch.tensor([seen["h"]]).float()
    expected_v = rbm.mean_v_from_h(h, 1 / 1.3).numpy()[0]
    assert np.allclose(seen["ph"], rbm.mean_h_from_v(v, 1 / 1.3).numpy()[0], atol=1e-4), "p(h|v)"
    assert np.allclose(seen["pv"], expected_v, atol=1e-4), "p(v|h)"
    assert np.abs(np.array(seen["grey"]) - 255 * expected_v).max() <= 1.01, "p(v|h) in the grid"
    assert np.isclose(seen["energy"], rbm.free_energy(v).item(), rtol=1e-5), "the film's free energy"


def test_gaussian_pixels_are_the_data_s_grey_values(open_film: Callable[..., Page], gibbs_run: Path) -> None:
    """Every picture of the film is mean + std · v, cut at black and white: no frame has a scale of its own."""
    page = open_film("run=grey&chains=3&sweeps=12")
    probe = RunReader(gibbs_run.parent / "grey").probe()
    assert probe is not None
    seen = page.evaluate(
        f"""() => {{ {PLAYER}
        const f = player.film, canvas = player.panels.v.querySelector("canvas");
        const out = {{ v: [...f.v(7, 2)], mean: [...f.meanV(7, 2)] }};
        out.cell = [...player.shades.of("v", 14, 2)];
        out.means = [...player.shades.of("pv", 14, 2)];
        player.chain = 2; player.frame = 14; player.paintNow();
        const {{ cell, columns, rows }} = player.sizes.v, c = canvas.getContext("2d");
        const at = (x, y) => c.getImageData((x + 0.5) * cell, (y + 0.5) * cell, 1, 1).data[0];
        out.panel = Array.from({{ length: rows * columns }}, (_, i) => at(i % columns, Math.floor(i / columns)));
        return out }}"""
    )
    for values, shades in (("v", "cell"), ("mean", "means"), ("v", "panel")):
        expected = 255 * np.clip(probe.scale.mean + probe.scale.std * np.array(seen[values]), 0, 1)
        assert np.abs(np.array(seen[shades]) - expected).max() <= 1.01, shades
    expect(page.locator("[data-panel=pv] .label")).to_contain_text("E(v|h)")


def test_plays_a_hundred_chains_by_the_clock_without_a_rerun(open_film: Callable[..., Page]) -> None:
    """A browser that is too busy to draw each frame leaves some out, and the film is not late.

    The clock is cut at 250 ms between two frames. What a frame of a hundred cells takes to draw is held against what
    this browser takes to copy a picture of as many pixels: 3 ms and 1 ms where 60 frames a second leave 16.7 ms.
    """
    page = open_film("chains=100&sweeps=200")
    seen = page.evaluate(
        f"""async () => {{ {PLAYER}
        const took = [], at = [], paint = player.paint;
        player.paint = function () {{
          const began = performance.now();
          paint.call(this);
          took.push(performance.now() - began);
          at.push([began, this.frame]);
        }};
        player.speed = 60;
        player.play();
        await new Promise((done) => {{
          const waiting = setInterval(() => {{ if (at.length > 40) {{ clearInterval(waiting); done(); }} }}, 50);
        }});
        player.pause();
        const grid = player.$(".grid"), pen = grid.getContext("2d"), copies = [];
        for (let k = 0; k < 40; k++) {{
          const began = performance.now();
          pen.putImageData(pen.getImageData(0, 0, grid.width, grid.height), 0, 0);
          copies.push(performance.now() - began);
        }}
        const quick = (times) => times.sort((a, b) => a - b)[times.length >> 3];
        const clock = at.slice(1).reduce((sum, [now], k) => sum + Math.min(now - at[k][0], 250), 0);
        return {{ frame: quick(took), copy: quick(copies), due: 0.06 * clock, shown: at.at(-1)[1] - at[0][1] }} }}"""
    )
    shoot(page, "gibbs-hundred-chains")
    assert abs(seen["shown"] - seen["due"]) < 5 + 0.1 * seen["due"], seen
    assert seen["frame"] <= 12 * max(seen["copy"], 1), seen
    assert page.evaluate("window.__rbmMounts") == VIEWS, "the player was mounted again"


def test_what_is_not_known_yet_leaves_no_stale_picture(open_film: Callable[..., Page]) -> None:
    page = open_film("chains=2&sweeps=6")
    until_player(page, "player.film.map && player.film.nearest")
    empty = page.evaluate(
        f"""() => {{ {PLAYER}
        const ink = (selector) => player.$(selector).getContext("2d").getImageData(0, 0, 9999, 999).data.some((x) => x);
        const all = () => [".map canvas", ".curve.nearest canvas", ".tiles canvas"].map(ink);
        player.hidden.clear();
        player.paintNow();
        const before = all();
        Object.assign(player.film, {{ map: null, nearest: null }});
        for (const name of ["map_points", "map_path", "near_distance"]) delete player.film.a[name];
        player.paintNow();
        return [before, all()] }}"""
    )
    assert empty == [[True, True, True], [False, False, False]]


def test_arrows_tell_the_temperature(open_film: Callable[..., Page]) -> None:
    page = open_film("chains=2&sweeps=4&temperature=1")
    page.keyboard.press("ArrowRight")
    at_frame(page, 1)
    formula = page.locator(".arrow.right math")
    expect(formula).to_have_text("σ(c+vW)")
    page.get_by_role("spinbutton", name="Temperature").fill("3")
    page.keyboard.press("Enter")
    expect(formula).to_have_text("σ(c+vWT)")
    tall = formula.evaluate(
        "(f) => [...f.querySelectorAll('.tall, mfrac')].map((e) => e.getBoundingClientRect().height)"
    )
    assert min(tall[0], tall[2]) >= 0.9 * tall[1] > 0, "the brackets do not embrace the fraction"
    expect(page.locator(".where")).to_contain_text("T 3.00")


def test_a_free_energy_far_above_the_settled_chain_is_said_to_lie_above_the_chart(
    open_film: Callable[..., Page],
) -> None:
    """The chart reaches as far as chains go that have settled; the start of this film is put far above that."""
    page = open_film("chains=2&sweeps=40")
    value, slider = page.locator(".curve.energy output"), page.locator(".scrub")
    page.keyboard.press("End")
    at_frame(page, 80)
    page.locator(".curve.energy").scroll_into_view_if_needed()  # what is out of sight is not painted
    expect(value).to_contain_text("nats")
    expect(value).not_to_contain_text("above")
    place = slider.bounding_box()
    page.evaluate(
        f"""() => {{ {PLAYER}
        const energies = player.film.a.free_energy;
        energies[0] = Math.max(...energies) + 10000 }}"""
    )
    page.keyboard.press("Home")
    at_frame(page, 0)
    expect(value).to_contain_text("(above the chart)")
    assert slider.bounding_box() == place, "the slider moves under the mouse"
    page.keyboard.press("End")
    expect(value).not_to_contain_text("above")
