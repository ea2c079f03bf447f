"""The Learn page in a real browser: what it shows is the engine's, it plays without reloading, keys work."""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from dashboard.figures import learn
from dashboard.views.learn import lessons
from rbm_core import enumerable
from tests.live import App, box_of, painted, settle, shoot

SEED = 7
VIEWS = {
    "distribution": "Distribution",
    "update": "Update in stages",
    "gradients": "Gradients",
    "landscape": "Landscape",
}
VIEW = """[...document.querySelectorAll('*')].find((e) => e.shadowRoot?.querySelector('.learn')).shadowRoot.__view"""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    runs = tmp_path_factory.mktemp("runs")
    one = App(tmp_path_factory.mktemp("app") / "app.log", {"RBM_RUNS_DIR": str(runs)})
    one.wait_until_it_answers()
    yield one
    one.end()


@pytest.fixture
def open_learn(app: App, open_page: Callable[..., Page]) -> Callable[..., Page]:
    def open_it(query: str = "", **window: Any) -> Page:
        page = open_page(f"{app.url}/learn?{query}", **window)
        page.wait_for_selector(".learn[data-drawn]")
        settle(page)
        painted(page)
        return page

    return open_it


def number_of(title: str) -> int:
    return next(n for n, lesson in enumerate(lessons.LESSONS, start=1) if lesson.title == title)


# When the command was given that the player or the network obeyed last: s, by the app's clock.
OBEYED = """Math.max(0, ...[...document.querySelectorAll('[data-testid=stBidiComponentIsolated]')]
    .map((host) => Number(host.shadowRoot?.__view?.nonce) || 0))"""


def press(page: Page, button: Locator) -> None:
    """Presses a button of the tour and waits until its command is obeyed, which would undo what is chosen before."""
    before = page.evaluate(OBEYED)
    button.click()
    page.wait_for_function(f"(before) => {OBEYED} > before", arg=before)


def show_me(page: Page) -> None:
    """Asks to see what the lesson shows, without a guess."""
    press(page, page.get_by_role("button", name="just show me"))


def guess(page: Page, option: int) -> None:
    press(page, page.locator(f".st-key-learn-option{option} button"))


def turn(page: Page, name: str = "Next step") -> None:
    """Goes to another lesson."""
    press(page, page.get_by_role("button", name=name))


OF = f"of {len(lessons.LESSONS)}"
WALK = number_of("Asking the machine for pictures")
PRICE = number_of("The price of the short cut")
KL = number_of("What is missing: the divergence")


def shown(page: Page) -> dict[str, str]:
    return page.locator(".learn").evaluate("(e) => ({...e.dataset})")


def wait_for(page: Page, **data: object) -> None:
    wanted = "".join(f"[data-{name}='{value}']" for name, value in data.items())
    expect(page.locator(f".learn{wanted}")).to_be_attached()


def pixels(page: Page, selector: str) -> str:
    return page.locator(selector).first.evaluate("(canvas) => canvas.toDataURL()")


def machine_after(machine: str, method: str, updates: int) -> enumerable.TinyRBM:
    plan = learn.MACHINES[machine]
    data = learn.cases(machine)
    for state, _ in enumerable.learn(data, plan.n_hidden, method, plan.rate, plan.n_updates, SEED):
        if state.step == updates:
            return state.rbm
    raise AssertionError


@pytest.mark.parametrize(("machine", "method", "at"), [("pair", "exact", 120), ("4x4", "pcd", 300)])
def test_what_is_shown_is_the_engines(
    open_learn: Callable[..., Page], machine: str, method: str, at: int
) -> None:
    page = open_learn(f"machine={machine}&method={method}&update={at}&seed={SEED}")
    wait_for(page, at=at)
    rbm, data = machine_after(machine, method, at), learn.cases(machine)
    kl = -enumerable.entropy(data) - enumerable.log_likelihood(rbm, data)
    assert float(shown(page)["kl"]) == pytest.approx(kl, abs=1e-6)
    p = np.exp(rbm.log_p_v())
    on_data = p[np.unique(enumerable.numbers(data))].sum()
    # The browser works from the film's float32 parameters.
    assert float(shown(page)["mass"]) == pytest.approx(on_data, abs=1e-4)
    page.get_by_role("tab", name="Landscape").click()
    wait_for(page, view="landscape")
    landscape = page.evaluate(f"Array.from(({VIEW}).landscape.F)")
    np.testing.assert_allclose(landscape, rbm.free_energy(enumerable.states(data.shape[1])), atol=1e-3)


def test_the_chain_hops_as_the_engines_does(open_learn: Callable[..., Page]) -> None:
    page = open_learn(f"machine=3x3&update=500&view=landscape&seed={SEED}")
    wait_for(page, at=500, view="landscape")
    rbm = machine_after("3x3", "exact", 500)
    start = enumerable.begin(9, 8, SEED).carried[:1]
    h, v = enumerable.walk(rbm, start, enumerable.walk_chance(9, 8, 40, SEED)[:, None, :])
    want = [int(enumerable.numbers(start)[0])]
    for sweep in range(40):
        want += [int(enumerable.numbers(h[sweep])[0]), int(enumerable.numbers(v[sweep])[0])]
    assert page.evaluate(f"({VIEW}).landscape.path.slice(0, 81)") == want
    for _ in range(4):
        page.get_by_role("button", name="Draw one layer from the other").click()
    wait_for(page, hop=4)
    assert int(shown(page)["chainState"]) == want[4]


# Writes down the updates that are shown while it plays.
FOLLOW_PLAYING = f"""() => {{
    window.__played = [];
    const {{ box }} = ({VIEW});
    new MutationObserver(() => {{ if (box.dataset.playing === 'true') window.__played.push(box.dataset.at); }})
        .observe(box, {{ attributeFilter: ['data-drawn'] }});
}}"""


def test_learning_plays_to_its_end_without_a_remount_or_a_shift(open_learn: Callable[..., Page]) -> None:
    page = open_learn()
    before = shown(page)
    bars = pixels(page, ".bars canvas")
    mounts = page.evaluate("window.__rbmMounts")
    box = page.locator(".learn").bounding_box()
    page.evaluate(FOLLOW_PLAYING)
    guess(page, 1)
    wait_for(page, at=400, playing="false")
    settle(page)
    assert len(page.evaluate("window.__played")) > 5, "it jumps to its end"
    assert float(before["kl"]) > 0.2
    assert float(shown(page)["kl"]) < 0.01
    assert pixels(page, ".bars canvas") != bars
    assert page.evaluate("window.__rbmMounts") == mounts
    assert page.locator(".learn").bounding_box() == box
    shoot(page, "learn-two-pixels")


def test_slow_motion_goes_through_six_stages_and_makes_the_update(open_learn: Callable[..., Page]) -> None:
    page = open_learn("machine=3x3&method=cd1&update=300&view=update")
    wait_for(page, at=300, stage=0)
    for stage in range(1, 6):
        page.locator(".stages .next").click()
        wait_for(page, at=300, stage=stage)
        assert page.locator(".card.later").count() < 7
    assert page.locator(".card.later").count() == 0
    shoot(page, "learn-one-update", full_page=True)
    page.locator(".stages .next").click()
    wait_for(page, at=301, stage=0)


def test_gradients_show_the_films_angles(open_learn: Callable[..., Page]) -> None:
    page = open_learn(f"machine=3x3&method=cd1&update=700&view=gradients&seed={SEED}")
    wait_for(page, view="gradients", at=700)
    page.get_by_role("button", name="960 chains").click()
    plan = learn.MACHINES["3x3"]
    _, arrays = learn.training("3x3", plan.n_hidden, "cd1", plan.rate, SEED)
    moment = int(np.flatnonzero(arrays["moments"] <= 700)[-1])
    wait_for(page, moment=int(arrays["moments"][moment]))
    for guess, angle in zip(page.locator(".guess").all()[1:], arrays["angles"][1, :, moment], strict=True):
        expect(guess).to_have_attribute("data-degrees", f"{angle:.3f}")
    shoot(page, "learn-gradients")


def test_another_method_keeps_the_moment_and_the_other_curve(open_learn: Callable[..., Page]) -> None:
    page = open_learn("machine=3x3&update=500")
    wait_for(page, at=500)
    page.get_by_role("radio", name="PCD").click()
    wait_for(page, method="pcd", at=500)
    assert page.evaluate(f"Object.keys(({VIEW}).curves).sort()") == ["exact", "pcd"]


def test_the_keyboard_moves_through_time_and_views(open_learn: Callable[..., Page]) -> None:
    page = open_learn()
    page.get_by_role("slider", name="Update").focus()
    page.keyboard.press("ArrowRight")
    wait_for(page, at=1)
    page.keyboard.press("Shift+ArrowRight")
    wait_for(page, at=11)
    page.keyboard.press("ArrowLeft")
    wait_for(page, at=10)
    page.keyboard.press("End")
    wait_for(page, at=400)
    page.get_by_role("tab", name="Distribution").focus()
    page.keyboard.press("ArrowRight")
    wait_for(page, view="energies")
    page.get_by_role("slider", name="Update").focus()
    page.keyboard.press("Home")
    page.keyboard.press(" ")
    wait_for(page, playing="true")


def test_a_reload_brings_the_moment_back(open_learn: Callable[..., Page]) -> None:
    page = open_learn("machine=3x3")
    page.get_by_role("tab", name="Landscape").click()
    page.get_by_role("button", name="Make ten updates").click()
    wait_for(page, at=10, view="landscape")
    page.wait_for_url("**update=10*")
    page.reload()
    wait_for(page, at=10, view="landscape", machine="3x3")


def test_a_lesson_pressed_once_is_not_played_again(open_learn: Callable[..., Page]) -> None:
    page = open_learn(f"lesson={WALK}")
    show_me(page)
    wait_for(page, machine="3x3", view="landscape", at=600)
    turn(page)
    wait_for(page, method="cd1", view="update", at=300)
    page.get_by_role("tab", name="Distribution").click()
    page.get_by_role("radio", name="CD-10").click()
    wait_for(page, method="cd10", view="distribution", at=300)


@pytest.mark.parametrize(("width", "scheme"), [(420, "light"), (1280, "dark"), (1920, "light")])
def test_no_view_is_wider_than_its_window(open_learn: Callable[..., Page], width: int, scheme: str) -> None:
    page = open_learn("machine=4x4&method=cd10&update=400", width=width, height=900, scheme=scheme)
    for view, title in VIEWS.items():
        page.get_by_role("tab", name=title).click()
        wait_for(page, view=view)
        assert page.get_by_test_id("stMain").evaluate("(e) => e.scrollWidth <= e.clientWidth")
        wide = page.locator(".learn").evaluate(
            "(e) => [...e.querySelectorAll('canvas')].filter((c) => c.offsetWidth > e.clientWidth + 1).length"
        )
        assert wide == 0, view
        shoot(page, f"learn-{view}-{width}-{scheme}")


def test_every_view_can_be_taken_away_as_picture_and_as_numbers(
    open_learn: Callable[..., Page], tmp_path: Path
) -> None:
    page = open_learn(f"machine=3x3&method=cd1&update=300&seed={SEED}")
    wait_for(page, at=300)

    def table(saves: Locator) -> dict[str, np.ndarray]:
        with page.expect_download() as caught:
            saves.get_by_role("button", name="CSV").click()
        caught.value.save_as(tmp_path / "numbers.csv")
        rows = list(csv.DictReader((tmp_path / "numbers.csv").read_text().splitlines()))
        return {name: np.array([row[name] for row in rows]) for name in rows[0]}

    def picture(saves: Locator) -> tuple[str, tuple[int, int]]:
        with page.expect_download() as caught:
            saves.get_by_role("button", name="PNG").click()
        caught.value.save_as(tmp_path / "picture.png")
        with Image.open(tmp_path / "picture.png") as image:
            assert len(set(image.convert("RGB").get_flattened_data())) > 20
            return caught.value.suggested_filename, image.size

    view, curve = page.locator(".bar .saves"), page.locator(".time .saves")
    rbm = machine_after("3x3", "cd1", 300)
    numbers = table(view)
    assert [int(bits, 2) for bits in numbers["picture"]] == list(range(512))
    np.testing.assert_allclose(numbers["p_machine"].astype(float), np.exp(rbm.log_p_v()), atol=1e-5)
    assert numbers["p_data"].astype(float).sum() == pytest.approx(1)
    assert float(table(curve)["kl_cd1_nats"][300]) == pytest.approx(float(shown(page)["kl"]), abs=1e-6)
    names, sizes = zip(picture(curve), strict=True)
    for name, title in VIEWS.items():
        page.get_by_role("tab", name=title).click()
        wait_for(page, view=name)
        file, size = picture(view)
        assert file == f"learn-3x3-cd1-seed-{SEED}-update-300-{name}.png"
        assert min(size) > 300
        names, sizes = (*names, file), (*sizes, size)
    assert len(set(names)) == 5
    page.get_by_role("tab", name=VIEWS["update"]).click()
    wait_for(page, view="update")
    update = table(view)
    rate = learn.MACHINES["3x3"].rate * (1 - 300 / learn.MACHINES["3x3"].n_updates)
    moved = update["before"].astype(float) + rate * update["difference"].astype(float)
    np.testing.assert_allclose(update["after"].astype(float), moved, atol=1e-5)


# The canvases of the view that is shown, those of a later stage left out: [name, top, bottom] in css pixels.
SHOWN = f"""() => {{
    const view = ({VIEW}), panel = view.panels[view.view];
    return [...panel.querySelectorAll('canvas')].filter((c) => c.offsetParent && !c.closest('.later'))
        .map((c) => [c.getAttribute('aria-label'), c.getBoundingClientRect().top, c.getBoundingClientRect().bottom]);
}}"""


# Counts, by lesson, the frames in which its words stand above the picture of another machine.
FOLLOW_PICTURES = """(wanted) => {
    window.__strange = {};
    const inside = (selector) => [...document.querySelectorAll('[data-testid=stBidiComponentIsolated]')]
        .map((host) => host.shadowRoot?.querySelector(selector))
        .find((one) => one?.offsetParent && getComputedStyle(one).visibility === 'visible');
    const look = () => {
        const said = document.querySelector('.st-key-learn-head p')?.innerText ?? '1';
        const [network, machine, method] = wanted[parseInt(said) - 1];
        const learn = inside('.learn[data-drawn]'), net = inside('.network[data-drawn]');
        const strange = network ? learn || (net && net.dataset.kind !== network)
            : net || (learn && (learn.dataset.machine !== machine || learn.dataset.method !== method));
        if (strange) window.__strange[said] = (window.__strange[said] ?? 0) + 1;
        requestAnimationFrame(look);
    };
    look();
}"""


def check_network_fits(page: Page, lesson: lessons.Lesson) -> None:
    page.wait_for_selector(f".network[data-kind='{lesson.network}']")
    low = page.locator(".network").evaluate(
        "(e) => Math.max(...[...e.querySelectorAll('canvas')].map((c) => c.getBoundingClientRect().bottom))"
    )
    assert low <= 800, lesson.title
    shoot(page, f"learn-lesson-{number_of(lesson.title)}")


def test_every_lessons_button_and_what_it_moves_are_seen_together(open_learn: Callable[..., Page]) -> None:
    page = open_learn()
    page.evaluate(FOLLOW_PICTURES, [[one.network, one.machine, one.method] for one in lessons.LESSONS])
    for number, lesson in enumerate(lessons.LESSONS, start=1):
        at_lesson(page, number, f" · {lesson.title}")
        expect(page.get_by_text(lesson.question)).to_be_visible()
        guess(page, 1)
        button = page.locator(".st-key-learn-press button")
        expect(button).to_contain_text(lesson.press)
        if lesson.network:
            check_network_fits(page, lesson)
            turn(page)
            continue
        wait_for(page, machine=lesson.machine, method=lesson.method, view=lesson.command["view"])
        if lesson.command.get("stages"):  # the last of the stages that it plays
            page.get_by_role("button", name="6 New weights").click()
            wait_for(page, stage=5)
        settle(page)
        painted(page)
        place = button.bounding_box()
        assert place is not None
        assert place["y"] >= 0
        drawn = page.evaluate(SHOWN)
        assert drawn
        hidden = [name for name, top, bottom in drawn if top < 0 or bottom > 800]
        assert hidden == [], f"lesson {number}"
        shoot(page, f"learn-lesson-{number}")
        turn(page, "Next step" if number < len(lessons.LESSONS) else "Restart")
    strange = page.evaluate("window.__strange")  # the browser draws words and picture a few frames apart
    assert max(strange.values(), default=0) <= 5, strange


def test_in_a_narrow_window_the_page_goes_to_what_was_asked_for(open_learn: Callable[..., Page]) -> None:
    page = open_learn(f"lesson={PRICE}", width=420, height=900)
    show_me(page)
    wait_for(page, view="gradients", machine="3x3")
    page.wait_for_function(f"() => ({SHOWN})()[0][1] < 900 && ({SHOWN})()[0][2] > 0")


def test_letters_and_lines_grow_with_the_text_of_the_page(open_learn: Callable[..., Page]) -> None:
    page = open_learn("machine=3x3&view=gradients&update=500")
    time, dial = page.locator(".time canvas"), page.locator(".guess canvas + canvas").first
    before = [one.bounding_box() for one in (time, dial)]
    page.add_style_tag(content="html:root:root:root { font-size: 24px; }")
    page.set_viewport_size({"width": 1300, "height": 800})
    for one, was in zip((time, dial), before, strict=True):
        assert was is not None
        expect(one).to_have_css("height", f"{1.5 * was['height']:g}px")
    for update in (1500, 500):
        wide = box_of(time)["width"]
        time.click(position={"x": 66 + update / 2000 * (wide - 78), "y": 30})
        page.wait_for_function(f"() => Math.abs(({VIEW}).at - {update}) < 12")
    room = page.evaluate(f"({VIEW}).fitted")
    page.add_style_tag(content=".st-key-learn-tour { padding-bottom: 90px !important; }")
    page.wait_for_function(
        f"(room) => ({VIEW}).fitted < room - 20", arg=room
    )  # words that come late leave less room
    shoot(page, "learn-gradients-24px")


# Keeps the next training from the player until window.__hand(): as long as a slow server would.
WITHHOLD = f"""() => {{
    const view = ({VIEW}), receive = view.receive, held = [];
    view.receive = (blob) => held.push(blob);
    window.__hand = () => {{
        view.receive = receive;
        for (const blob of held) view.receive(blob);
        view.draw();
    }};
}}"""
# Whether the player shows this machine, so much of its colour, and whether it plays.
LOOKS = f"""([machine, filter, playing]) => {{
    const view = ({VIEW}), host = document.querySelector('.st-key-learn-player');
    return view.h.machine === machine && getComputedStyle(host).filter === filter && view.playing === playing;
}}"""


def test_a_machine_that_is_being_replaced_steps_back_and_stands_still(
    open_learn: Callable[..., Page],
) -> None:
    page = open_learn("machine=3x3&seed=4321")
    page.get_by_label("Updates per second").select_option("2")
    page.get_by_role("button", name="Let the machine learn").click()
    wait_for(page, playing="true")
    page.evaluate(WITHHOLD)
    page.get_by_role("radio", name="4 × 4 pixels").click()
    page.wait_for_function(LOOKS, arg=["3x3", "opacity(0.25)", False])
    page.evaluate("window.__hand()")
    page.wait_for_function(LOOKS, arg=["4x4", "none", False])


def test_the_first_lessons_do_without_words_that_later_ones_explain(open_learn: Callable[..., Page]) -> None:
    page = open_learn()
    words = page.get_by_text("log-likelihood")
    methods = page.get_by_role("radio", name="CD-10")
    for number in (1, 2, number_of("From energies to chances")):
        page.goto(page.url.split("?")[0] + f"?lesson={number}")
        page.wait_for_selector(".learn[data-drawn]")
        at_lesson(page, number)
        settle(page)
        expect(words.locator("visible=true")).to_have_count(0)
        expect(methods).not_to_be_visible()
    turn(page)
    expect(methods).to_be_visible()
    expect(page.locator(".drive .numbers").first).to_contain_text("log-likelihood")


def at_lesson(page: Page, number: int, title: str = "") -> None:
    """Waits until the tour shows this lesson."""
    expect(page.get_by_text(f"{number} {OF}{title}")).to_be_visible()


def back(page: Page, to: str) -> None:
    """One press of the browser's Back, after which the address ends with `to`."""
    _go(page, page.go_back, to)


def forward(page: Page, to: str) -> None:
    """One press of the browser's Forward, after which the address ends with `to`."""
    _go(page, page.go_forward, to)


def _go(page: Page, press: Callable[[], object], to: str) -> None:
    settle(page)
    press()
    page.wait_for_url(f"**/learn{to}")
    settle(page)


def test_back_goes_back_a_lesson_whatever_was_played_in_between(open_learn: Callable[..., Page]) -> None:
    """A turn is one step of the history; where the player comes to rest by itself is none."""
    page = open_learn()
    guess(page, 1)
    wait_for(page, at=400, playing="false")
    page.wait_for_url("**update=400&guess=1")
    turn(page)
    at_lesson(page, 2)
    guess(page, 2)
    page.wait_for_url("**guess=2")  # the player now shows the answer, and would undo a tab chosen before
    page.get_by_role("tab", name="Distribution").click()
    wait_for(page, view="distribution")
    page.wait_for_url(lambda url: "guess=2" in url and "view=landscape" not in url)
    turn(page)
    at_lesson(page, 3)
    page.wait_for_selector(".network[data-drawn]")
    guess(page, 3)
    page.wait_for_url("**lesson=3**guess=3")
    turn(page)
    at_lesson(page, 4)
    back(page, "?lesson=3&guess=3")
    at_lesson(page, 3)
    expect(page.get_by_text(lessons.LESSONS[2].answer[:20])).to_be_visible()
    _one_back_to_lesson(page, 2, "guess=2")
    wait_for(page, view="distribution")
    _one_back_to_lesson(page, 1, "?update=400&guess=1")
    wait_for(page, view="distribution", at=400)
    _go(page, page.go_forward, "?lesson=2**")
    at_lesson(page, 2)


def _one_back_to_lesson(page: Page, number: int, end: str) -> None:
    settle(page)
    page.go_back()
    page.wait_for_url(f"**{end}")
    at_lesson(page, number)
    settle(page)


def test_back_goes_back_a_machine_a_method_a_seed_or_a_link(open_learn: Callable[..., Page]) -> None:
    page = open_learn(
        f"lesson={KL}&machine=pair&update=7"
    )  # a link that spells out a default is left as it is
    page.get_by_role("radio", name="3 × 3 pixels").click()
    wait_for(page, machine="3x3", at=0)
    page.get_by_role("radio", name="CD-1", exact=True).click()
    wait_for(page, machine="3x3", method="cd1")
    page.get_by_role("button", name="Next", exact=True).click()
    page.wait_for_url("**seed=8**")
    wait_for(page, machine="3x3", method="cd1")
    page.goto(page.url.split("?")[0] + f"?lesson={PRICE}&machine=pair&method=pcd")
    wait_for(page, machine="pair", method="pcd")
    back(page, f"?seed=8&lesson={KL}&machine=3x3&method=cd1")
    wait_for(page, machine="3x3", method="cd1")
    back(page, f"?lesson={KL}&machine=3x3&method=cd1")
    back(page, f"?lesson={KL}&machine=3x3")
    wait_for(page, machine="3x3", method="exact")
    back(page, f"?lesson={KL}&machine=pair&update=7")
    wait_for(page, machine="pair", at=7)
