"""The Gibbs player in a real browser: its frames, its probabilities, its pace."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from rbm_core.rbm import RBM
from rbm_core.runs.reader import RunReader
from tests.live import App, settle, shoot
from tests.small_run import train_small

# The player, reached through the shadow root that Streamlit mounts components in.
PLAYER = """const host = [...document.querySelectorAll('*')].find((e) => e.shadowRoot?.querySelector('.film'));
const player = host.shadowRoot.__view;"""
PIXELS = "(canvas) => canvas.toDataURL()"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run; beside it stands an older one, "grey", with Gaussian visible units."""
    root = tmp_path_factory.mktemp("gibbs-browser") / "checkpoints"
    train_small(root, "grey", visible="gaussian", learning_rate=0.01)
    return train_small(root)


@pytest.fixture(scope="module")
def app(trained: Path, tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[App]:
    """One app for all, its sampler awake and its map at hand: on a busy machine that takes a while."""
    one = App(tmp_path_factory.mktemp("app") / "app.log", {"RBM_RUNS_DIR": str(trained.parent)})
    try:
        one.wait_until_it_answers()
        with chromium.new_context() as context:
            page = context.new_page()
            page.goto(f"{one.url}/gibbs?chains=2&sweeps=2")
            page.wait_for_selector(".film.mapped", timeout=120_000)
        yield one
    finally:
        one.end()


@pytest.fixture
def open_film(app: App, open_page: Callable[..., Page]) -> Callable[..., Page]:
    def open_it(query: str = "", **window: object) -> Page:
        page = open_page(f"{app.url}/gibbs?{query}", **window)
        page.wait_for_selector(".film[data-frame]", timeout=60_000)
        settle(page)
        return page

    return open_it


def at_frame(page: Page, frame: int) -> None:
    expect(page.locator(f".film[data-frame='{frame}']")).to_be_attached(timeout=15_000)


def pictures(page: Page) -> list[str]:
    """What every canvas of the stage shows."""
    return [canvas.evaluate(PIXELS) for canvas in page.locator(".stage canvas").all()]


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
    page = open_film("chains=4&sweeps=10")
    for key, frame in (
        ("End", 20),
        ("ArrowLeft", 19),
        ("Shift+ArrowLeft", 17),
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
    page.locator(".curve.energy canvas").scroll_into_view_if_needed()
    box = page.locator(".curve.energy canvas").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 80)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 3, box["y"] + 80, steps=4)
    page.mouse.up()
    at_frame(page, 20)


def test_clicking_a_cell_of_the_grid_enlarges_that_chain(open_film: Callable[..., Page]) -> None:
    page = open_film("chains=9&sweeps=10&start=digits")
    before = page.locator(".panel.v canvas").evaluate(PIXELS)
    box = page.locator(".grid").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.5)
    expect(page.locator(".film[data-chain='4']")).to_be_attached()
    assert page.locator(".panel.v canvas").evaluate(PIXELS) != before, (
        "the large chain is still the first one"
    )


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
        page.wait_for_timeout(100)
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


def test_probabilities_in_the_browser_are_the_engine_s(open_film: Callable[..., Page], trained: Path) -> None:
    """Exact ones of the large chain to 1e-4, table look-ups of the grid to one shade in 255."""
    page = open_film("chains=3&sweeps=12&temperature=1.3")
    reader = RunReader(trained)
    newest = reader.snapshot(reader.snapshot_steps()[-1])
    rbm = RBM.from_numpy(newest.W, newest.vbias, newest.hbias)
    seen = page.evaluate(
        f"""() => {{ {PLAYER}
        const f = player.film;
        return {{ before: [...f.v(8, 2)], ph: [...f.meanH(9, 2)], h: [...f.h(9, 2)], pv: [...f.meanV(9, 2)],
                 grey: [...f.shades("pv", 18, 2)], energy: f.a.free_energy[8 * 3 + 2] }} }}"""
    )
    v, h = torch.tensor([seen["before"]]).float(), torch.tensor([seen["h"]]).float()
    expected_v = rbm.mean_v_from_h(h, 1 / 1.3).numpy()[0]
    assert np.allclose(seen["ph"], rbm.mean_h_from_v(v, 1 / 1.3).numpy()[0], atol=1e-4), "p(h|v)"
    assert np.allclose(seen["pv"], expected_v, atol=1e-4), "p(v|h)"
    assert np.abs(np.array(seen["grey"]) - 255 * expected_v).max() <= 1.01, "p(v|h) in the grid"
    assert np.isclose(seen["energy"], rbm.free_energy(v).item(), rtol=1e-5), "the film's free energy"


def test_gaussian_pixels_are_the_data_s_grey_values(open_film: Callable[..., Page], trained: Path) -> None:
    """Every picture of the film is mean + std · v, cut at black and white: no frame has a scale of its own."""
    page = open_film("run=grey&chains=3&sweeps=12")
    probe = RunReader(trained.parent / "grey").probe()
    assert probe is not None
    seen = page.evaluate(
        f"""() => {{ {PLAYER}
        const f = player.film, canvas = player.panels.v.querySelector("canvas");
        const out = {{ v: [...f.v(7, 2)], mean: [...f.meanV(7, 2)] }};
        out.cell = [...f.shades("v", 14, 2)];
        out.means = [...f.shades("pv", 14, 2)];
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


def test_map_and_nearest_images_come_to_a_visitor_of_other_pages(
    app: App, open_page: Callable[..., Page]
) -> None:
    """What the player says must be heard whatever other pages keep in the session's state."""
    page = open_page(app.url)
    page.get_by_role("link", name="Gibbs").click()
    page.wait_for_selector(".film[data-frame]", timeout=60_000)
    page.wait_for_function(
        f"() => {{ {PLAYER} return player.film.map && player.film.nearest }}", timeout=60_000
    )


def test_plays_a_hundred_chains_at_speed_without_a_rerun(open_film: Callable[..., Page]) -> None:
    """A frame is drawn in less than the 16.7 ms that 60 frames a second leave; on a quiet machine 58 are drawn.

    The fastest frames' own times are what a machine shared with other work can still show.
    """
    page = open_film("chains=100&sweeps=200")
    seen = page.evaluate(
        f"""async () => {{ {PLAYER}
        const took = [], paint = player.paint;
        player.paint = function () {{
          const began = performance.now();
          paint.call(this);
          took.push(performance.now() - began);
        }};
        player.speed = 60;
        player.play();
        await new Promise((done) => setTimeout(done, 2000));
        player.pause();
        took.sort((a, b) => a - b);
        return {{ quick: took[took.length >> 3], at: player.frame }} }}"""
    )
    shoot(page, "gibbs-hundred-chains")
    assert seen["quick"] < 12, f"all but an eighth of the frames take {seen['quick']:.1f} ms or more"
    assert seen["at"] > 60, f"frame {seen['at']} after 2 s at 60 half steps/s"
    assert page.evaluate("window.__rbmMounts") == 1, "the player was mounted again"


def test_new_film_keeps_player_and_place(open_film: Callable[..., Page]) -> None:
    page = open_film("chains=9&sweeps=20")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    at_frame(page, 3)
    before = pictures(page)
    page.get_by_role("button", name="Next").click()
    page.wait_for_url("**seed=8**")
    settle(page)
    page.wait_for_function(f"() => {{ {PLAYER} return player.film.of.seed === 8 }}")
    at_frame(page, 3)
    page.wait_for_timeout(200)
    assert pictures(page) != before, "the new seed shows the old film"
    assert page.evaluate("window.__rbmMounts") == 1, "the player was mounted again"


def test_every_picture_tells_its_formula_and_source(open_film: Callable[..., Page]) -> None:
    page = open_film("chains=2&sweeps=2")
    for picture in ("the chain", "the free energy", "the distances", "the map"):
        page.get_by_role("button", name=f"About {picture}").click()
        words = page.get_by_test_id("stPopoverBody")
        expect(words.locator(".katex-display")).not_to_have_count(0)
        expect(words).to_contain_text("Source:")
        expect(page.locator(".katex-error")).to_have_count(0)
        page.keyboard.press("Escape")


def test_a_stroke_on_the_pad_starts_the_chains_from_it(open_film: Callable[..., Page]) -> None:
    page = open_film("chains=4&sweeps=10&start=drawing")
    expect(page.locator(".sentence")).to_contain_text("nothing is drawn yet")
    box = page.locator(".pad canvas").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 60, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 180, box["y"] + 45, steps=6)
    page.mouse.move(box["x"] + 110, box["y"] + 200, steps=6)
    page.mouse.up()
    expect(page.locator(".sentence")).to_contain_text("your drawing")
    shoot(page, "gibbs-drawing")
    on = page.evaluate(f"() => {{ {PLAYER} return player.film.v(0, 0).reduce((a, b) => a + b) }}")
    assert 20 < on < 200, f"{on} pixels of the start are on"
    page.keyboard.press("End")
    at_frame(page, 20)
    page.mouse.move(box["x"] + 60, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 180, box["y"] + 200, steps=6)
    page.mouse.up()
    at_frame(page, 0)  # one more stroke: another start, which is to be seen
    page.get_by_role("button", name="clear").click()
    expect(page.locator(".sentence")).to_contain_text("nothing is drawn yet")
    explained = page.evaluate(
        f"""() => {{ {PLAYER}
        const {{ band, a }} = player.film;
        return [band.low - 1, band.low + 1].map((F) => {{ a.free_energy[0] = F; return player.emptiness(0); }}) }}"""
    )
    assert explained == [", likelier than most single pictures of the data, but those are ever so many", ""]


def test_a_picture_can_be_drawn_with_the_keyboard(open_film: Callable[..., Page]) -> None:
    page = open_film("chains=2&sweeps=4&start=drawing")
    page.locator(".pad canvas").focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.down("Shift")
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    assert page.evaluate(f"() => {{ {PLAYER} return player.frame }}") == 0, "the film was stepped as well"
    page.keyboard.up("Shift")
    expect(page.locator(".sentence")).to_contain_text("your drawing")


def test_painted_pixels_are_held(open_film: Callable[..., Page]) -> None:
    page = open_film("chains=4&sweeps=10&start=digits")
    page.get_by_text("Hold some pixels (clamp)").click()
    expect(page.locator(".pad .note")).to_contain_text("392 of 784 keep their value")
    page.get_by_role("button", name="all but the middle").click()
    expect(page.locator(".pad .note")).not_to_contain_text("392 of")
    settle(page)
    page.keyboard.press("End")
    at_frame(page, 20)
    shoot(page, "gibbs-held")
    moved = page.evaluate(
        f"""() => {{ {PLAYER}
        const f = player.film, a = f.v(0, 1), b = f.v(10, 1);
        const moved = (held) => a.filter((x, i) => Boolean(f.isHeld(i)) === held && x !== b[i]).length;
        return [moved(false), moved(true)] }}"""
    )
    assert moved[1] == 0, "held pixels moved"
    assert moved[0] > 0, "free pixels did not move"
    page.evaluate(f"() => {{ {PLAYER} player.choose(2) }}")
    expect(page.locator(".pad .note")).to_contain_text("over the picture of chain 3")
    expect(page.get_by_role("button", name="all but the middle")).to_have_attribute("aria-pressed", "true")
    page.locator(".pad").get_by_role("button", name="nothing").click()
    expect(page.locator(".pad .note")).to_contain_text("None is held")
    same = page.evaluate(
        f"""() => {{ {PLAYER}
        const holder = [...document.querySelectorAll('*')].find((e) => e.shadowRoot?.querySelector('.pad'));
        const pad = holder.shadowRoot.__view;
        const v = player.film.v(0, 2);
        return v.every((x, i) => pad.under[i] === 255 * x) }}"""
    )
    assert same, "the pad shows another picture than the chosen chain starts from"


def test_what_if_forks_at_the_frame_shown(open_film: Callable[..., Page]) -> None:
    page = open_film("chains=4&sweeps=20")
    page.locator(".scrub").fill("13")
    at_frame(page, 13)
    page.locator("[data-do=fork]").click()
    page.wait_for_url("**fork=6**")
    expect(page.locator(".labels span")).to_have_text(["as it was", "what if"])
    expect(page.locator("[data-figure=chains] b")).to_have_text("4 chains, twice")
    inks = page.evaluate(f"() => {{ {PLAYER} return [player.now, ...player.groupInks].map(String) }}")
    assert len(set(inks)) == len(inks) == 7, "a group has the colour of the layer just drawn"
    at_frame(page, 13)
    page.get_by_label("One half step forward").click()
    expect(page.locator(".sentence")).to_contain_text(
        re.compile(r"It differs from the same chain in “what if” in \d+ pixels\.")
    )
    shoot(page, "gibbs-what-if")


@pytest.mark.parametrize(
    ("scheme", "width", "height"), [("light", 1280, 800), ("dark", 1920, 1080), ("light", 480, 900)]
)
def test_player_fits_its_window(open_film: Callable[..., Page], scheme: str, width: int, height: int) -> None:
    page = open_film("chains=25&sweeps=200&start=gaussian", width=width, height=height, scheme=scheme)
    page.locator(".scrub").fill("121")
    at_frame(page, 121)
    shoot(page, f"gibbs-{scheme}-{width}")
    sizes = page.evaluate(f"() => {{ {PLAYER} return [player.box.scrollWidth, player.box.clientWidth] }}")
    assert sizes[0] <= sizes[1], "the player is wider than its place"
    play = page.get_by_label("Play (space)").bounding_box()
    assert play is not None
    assert play["y"] + play["height"] <= height, "the play button lies below the window"


def test_a_narrow_window_shows_the_grid_whole_and_the_pad_on_the_page(open_film: Callable[..., Page]) -> None:
    page = open_film("chains=25&sweeps=40", width=420, height=800)
    page.wait_for_function(f"() => {{ {PLAYER} return player.box.classList.contains('narrow') }}")
    grid, controls = page.locator(".grid").bounding_box(), page.locator(".controls").bounding_box()
    assert grid is not None
    assert controls is not None
    assert grid["width"] > 250, "the grid is too small to see"
    assert grid["y"] + grid["height"] <= controls["y"], "the controls lie over the grid"
    page.get_by_text("Drawing", exact=True).click()
    pad = page.locator(".pad canvas")
    expect(pad).to_be_in_viewport()
    settle(page)
    box = pad.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 60, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 100, box["y"] + 150, steps=6)
    page.mouse.up()
    expect(page.locator(".sentence")).to_contain_text("your drawing")
    shoot(page, "gibbs-narrow-drawing")


def test_play_brings_the_pictures_into_sight_at_a_zoom_of_150_per_cent(
    open_film: Callable[..., Page],
) -> None:
    page = open_film("chains=25&sweeps=40", width=853, height=533)
    page.get_by_label("Play (space)").click()
    page.wait_for_function(
        f"""() => {{ {PLAYER}
        const grid = player.$(".grid").getBoundingClientRect();
        return grid.top >= 38 && grid.bottom <= player.$(".controls").getBoundingClientRect().top }}"""
    )


def test_letters_in_the_pictures_grow_with_the_reader_s_text(open_film: Callable[..., Page]) -> None:
    """Map, curves and empty panels: every font asked for at 24 px is half as large again as at 16."""
    page = open_film("chains=2&sweeps=4")
    page.wait_for_function(f"() => {{ {PLAYER} return player.film.map }}", timeout=60_000)
    sizes = page.evaluate(
        rf"""async () => {{ {PLAYER}
        const pen = CanvasRenderingContext2D.prototype, write = pen.fillText;
        const drawn = (size) => {{
          const found = {{}};
          document.documentElement.style.setProperty("font-size", size, "important");
          pen.fillText = function (words, ...where) {{
            const px = Number(this.font.match(/[\d.]+(?=px)/)[0]) * this.getTransform().a;
            found[words.replace(/[\d−.]+/, "1")] = px;
            write.call(this, words, ...where);
          }};
          player.hidden.clear();
          player.arrange();
          player.paintNow();
          pen.fillText = write;
          return found;
        }};
        return [drawn("16px"), drawn("24px")] }}"""
    )
    common = sizes[0].keys() & sizes[1].keys()
    assert {"1st principal component →", "sweep 1", "step"} <= common, sizes  # map, curve, empty panel
    for words in common:
        assert abs(sizes[1][words] / sizes[0][words] - 1.5) < 0.02, (words, sizes)


def test_keys_of_the_player_work_after_a_button_of_the_page_was_pressed(
    open_film: Callable[..., Page],
) -> None:
    page = open_film("chains=2&sweeps=6&start=digits")
    page.get_by_text("earlier moments", exact=True).click()
    expect(page.locator(".labels span")).not_to_have_count(0)
    for key, frame in (("End", 12), ("Home", 0)):
        page.keyboard.press(key)
        at_frame(page, frame)
    assert page.get_by_test_id("stMain").evaluate("(e) => e.scrollTop") == 0, "the page was scrolled"


def test_what_is_not_known_yet_leaves_no_stale_picture(open_film: Callable[..., Page]) -> None:
    page = open_film("chains=2&sweeps=6")
    page.wait_for_function(
        f"() => {{ {PLAYER} return player.film.map && player.film.nearest }}", timeout=60_000
    )
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


def test_arrows_tell_the_temperature_and_the_chart_what_lies_beyond_it(
    open_film: Callable[..., Page],
) -> None:
    page = open_film("chains=2&sweeps=40&temperature=1")
    formula = page.locator(".arrow.right math")
    expect(formula).to_have_text("σ(c+vW)")
    expect(page.locator(".curve.energy output")).to_contain_text("(above the chart)")
    length = page.locator(".scrub").bounding_box()
    page.keyboard.press("End")
    at_frame(page, 80)
    expect(page.locator(".curve.energy output")).not_to_contain_text("above")
    assert page.locator(".scrub").bounding_box() == length, "the slider moved under the mouse"
    page.get_by_role("spinbutton", name="Temperature").fill("3")
    page.keyboard.press("Enter")
    expect(formula).to_have_text("σ(c+vWT)")
    tall = formula.evaluate(
        "(f) => [...f.querySelectorAll('.tall, mfrac')].map((e) => e.getBoundingClientRect().height)"
    )
    assert min(tall[0], tall[2]) >= 0.9 * tall[1] > 0, "the brackets do not embrace the fraction"
    expect(page.locator(".where")).to_contain_text("T 3.00")


def test_link_follows_the_player_and_leads_back_to_the_very_view(open_film: Callable[..., Page]) -> None:
    """Written where the player is left, not while it plays; opened elsewhere the link shows the same pictures."""
    page = open_film("chains=9&sweeps=40&seed=5")
    page.get_by_label("Play (space)").click()
    page.wait_for_timeout(1200)
    assert "frame=" not in page.url, "the link is written while the film plays"
    page.get_by_label("Pause (space)").click()
    page.wait_for_url("**frame=**")
    page.keyboard.press("ArrowRight")
    page.locator(".grid").click(position={"x": 20, "y": 20})
    page.get_by_role("button", name="one chain").click()
    page.locator(".grid").wait_for(state="hidden")
    page.get_by_role("button", name="both").click()
    box = page.locator(".grid").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.5)
    page.wait_for_url("**chain=5**")
    settle(page)
    page.mouse.move(2, 2)
    frame = page.locator(".film").get_attribute("data-frame")
    page.wait_for_timeout(300)
    there = pictures(page)
    assert page.evaluate("window.__rbmMounts") == 1, "the player was mounted again"
    again = open_film(page.url.split("?")[1])
    at_frame(again, int(frame or -1))
    expect(again.locator(".film[data-chain='4']")).to_be_attached()
    assert pictures(again) == there


def test_films_and_sheets_can_be_taken_away(open_film: Callable[..., Page], tmp_path: Path) -> None:
    page = open_film("chains=4&sweeps=6&frame=6")
    page.get_by_role("button", name="Take away").click()
    for name, kind, frames in (
        ("Animation, GIF", "GIF", 7),
        ("Animation, WebP", "WEBP", 7),
        ("Sheet of sweep 3", "PNG", 1),
    ):
        with page.expect_download() as download:
            page.get_by_role("button", name=name).click()
        with Image.open(download.value.path()) as image:
            assert (image.format, getattr(image, "n_frames", 1)) == (kind, frames)
        assert download.value.suggested_filename.startswith("small-step-")


def test_every_figure_can_be_saved_as_picture_and_numbers(open_film: Callable[..., Page]) -> None:
    page = open_film("chains=4&sweeps=6&frame=5")
    page.wait_for_selector(".film.neared", timeout=60_000)
    page.wait_for_function(f"() => {{ {PLAYER} return player.film.nearest !== null }}")
    rows = {
        "chains": 4,
        "cycle": 784 + 64,
        "energy": 7,
        "distance": 7,
        "nearest": 7,
        "map": 700 + 4,
        "twin": 0,
    }
    for figure, count in rows.items():
        saves = page.locator(f'[data-figure="{figure}"] .save')
        with page.expect_download() as download:
            saves.first.click()
        with Image.open(download.value.path()) as image:
            assert image.format == "PNG"
            assert len(image.convert("RGB").getcolors(10**6) or []) > 3, f"{figure}: an empty picture"
        expect(saves).to_have_count(2 if count else 1)
        if count:
            with page.expect_download() as download:
                saves.nth(1).click()
            lines = Path(download.value.path()).read_text().splitlines()
            assert len(lines) == count + 1, f"{figure}: {lines[:2]}"
    at_frame(page, 5)


def test_a_run_deleted_while_watched_leaves_the_page_alive(
    open_film: Callable[..., Page], trained: Path
) -> None:
    doomed = shutil.copytree(trained, trained.parent / "doomed")
    page = open_film("run=doomed&chains=4&sweeps=6")
    shutil.rmtree(doomed)
    page.keyboard.press("ArrowRight")
    at_frame(page, 1)
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_text("There is no run 'doomed'")).to_be_visible()
    expect(page.locator(".caption")).to_contain_text("run small")
    at_frame(page, 1)
    assert page.evaluate("window.__rbmMounts") == 1, "the player was mounted again"


def test_arrow_keys_choose_a_chain_where_the_grid_has_the_keyboard(open_film: Callable[..., Page]) -> None:
    page = open_film("chains=9&sweeps=4")
    page.locator(".grid").focus()
    for key, chain in (("ArrowRight", 1), ("ArrowDown", 4), ("ArrowLeft", 3), ("ArrowUp", 0), ("ArrowUp", 0)):
        page.keyboard.press(key)
        expect(page.locator(f".film[data-chain='{chain}']")).to_be_attached()
    at_frame(page, 0)


def test_uploads_that_are_no_drawing_cost_one_sentence_and_the_page_lives_on(
    open_film: Callable[..., Page], tmp_path: Path
) -> None:
    page = open_film("chains=2&sweeps=4&start=drawing")
    (tmp_path / "words.png").write_text("these are words")
    Image.new("1", (20_000, 20_000)).save(tmp_path / "huge.png")
    digit = Image.new("L", (200, 200), 255)
    digit.paste(0, (90, 30, 110, 170))
    digit.save(tmp_path / "one.png")
    warning = page.get_by_test_id("stAlert")
    for name, words in (("words.png", "not an image"), ("huge.png", "more pixels than are read")):
        page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(tmp_path / name)
        expect(warning).to_contain_text(words)
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(tmp_path / "one.png")
    expect(page.locator(".sentence")).to_contain_text("your drawing")
    expect(warning).to_have_count(0)
