"""Chains that start from a drawing, and pixels that are held, in a real browser."""

from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.gibbs_player import PLAYER, at_frame
from tests.browser.line import Line
from tests.live import App, box_of, drag, settle, shoot, until


def test_a_stroke_on_the_pad_starts_the_chains_from_it(open_film: Callable[..., Page]) -> None:
    page = open_film("chains=4&sweeps=10&start=drawing")
    expect(page.locator(".sentence")).to_contain_text("nothing is drawn yet")
    pad = page.locator(".pad canvas")
    drag(pad, (60, 40), (180, 45), (110, 200))
    expect(page.locator(".sentence")).to_contain_text("your drawing")
    shoot(page, "gibbs-drawing")
    on = page.evaluate(f"() => {{ {PLAYER} return player.film.v(0, 0).reduce((a, b) => a + b) }}")
    assert 20 < on < 200, f"{on} pixels of the start are on"
    page.keyboard.press("End")
    at_frame(page, 20)
    low = 0.8 * box_of(pad)["height"]
    drag(pad, (60, low), (180, low))
    at_frame(page, 0)  # one more stroke: another start, which is to be seen
    page.get_by_role("button", name="clear").click()
    expect(page.locator(".sentence")).to_contain_text("nothing is drawn yet")
    explained = page.evaluate(
        f"""() => {{ {PLAYER}
        const {{ band, a }} = player.film;
        return [band.low - 1, band.low + 1].map((F) => {{
          a.free_energy[0] = F;
          player.tell();
          return player.$(".sentence").textContent;
        }}) }}"""
    )
    why = ", likelier than most single pictures of the data; but there is one empty picture"
    assert [why in words for words in explained] == [True, False]


def test_a_stroke_holds_though_the_page_asks_again_before_it_heard_of_it(
    gibbs_app: App, open_page: Callable[..., Page]
) -> None:
    line = Line()
    page = open_page(f"{gibbs_app.url}/gibbs?chains=4&sweeps=10&start=drawing", prepare=line.lay)
    expect(page.locator(".sentence")).to_contain_text("nothing is drawn yet")
    settle(page)
    line.carries = lambda question: [question, question]
    pad = page.locator(".pad canvas")
    drag(pad, (60, 40), (180, 45), (110, 200))
    expect(page.locator(".sentence")).to_contain_text("your drawing")
    settle(page)
    page.keyboard.press("End")
    at_frame(page, 20)
    low = 0.8 * box_of(pad)["height"]
    drag(pad, (60, low), (180, low))
    at_frame(page, 0)


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
    # The pad says so at once; the chains' new start comes with their next film.
    same = f"""() => {{ {PLAYER}
        const holder = [...document.querySelectorAll('*')].find((e) => e.shadowRoot?.querySelector('.pad'));
        const pad = holder.shadowRoot.__view;
        const v = player.film.v(0, 2);
        return v.every((x, i) => pad.under[i] === 255 * x) }}"""
    until(lambda: page.evaluate(same), 10, "the pad shows another picture than the chosen chain starts from")


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
    for name, words in (
        ("words.png", "it is damaged, or no picture"),
        ("huge.png", "more pixels than are read"),
    ):
        page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(tmp_path / name)
        expect(warning).to_contain_text(words)
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(tmp_path / "one.png")
    expect(page.locator(".sentence")).to_contain_text("your drawing")
    expect(warning).to_have_count(0)
