"""Every press of a button of the Train page is seen at once, obeyed once, and answered for."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from streamlit.proto.ClientState_pb2 import ClientState

from rbm_core.runs import control
from rbm_core.runs.files import locked
from tests.browser.line import Line
from tests.browser.train_page import TIMELINE, open_train, refresh
from tests.live import ARTIFACTS, App, settle, shoot, until
from tests.small_run import train_small
from tests.stand_in import StandIn

RUN = "pressed-of-a-long-name-as-some-have"


@pytest.fixture(scope="module")
def trainer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with StandIn(train_small(tmp_path_factory.mktemp("pressed") / "checkpoints", RUN)) as trainer:
        yield trainer


@pytest.fixture
def app(trainer: StandIn, serve: Callable[[Path], App]) -> App:
    return serve(trainer.path.parent)


@pytest.fixture
def page(trainer: StandIn, app: App, open_page: Callable[..., Page]) -> Iterator[Page]:
    """The paused run's page."""
    trainer.hold()
    yield open_train(open_page, app, f"run={RUN}")
    app.process.send_signal(signal.SIGCONT)


def button(page: Page, name: str) -> Locator:
    return page.locator(".st-key-train-controls").get_by_role("button", name=name)


def pump(page: Page) -> bool:
    """Lets the page's messages through, which the test's own thread carries; True."""
    page.wait_for_timeout(1)
    return True


def marked(page: Page) -> Locator:
    """The buttons that say that they were pressed: each stands in the page twice, once for each width."""
    return page.locator("[data-asked]:visible")


# Withholds from the page which presses the app has heard, until window.__answer().
WITHHOLD = f"""() => {{
    const {{ presses }} = {TIMELINE};
    presses.answer = () => {{}};
    window.__answer = () => {{ delete presses.answer; }};
}}"""


def test_presses_that_overtake_their_answers_leave_no_button_marked(page: Page, trainer: StandIn) -> None:
    page.evaluate(WITHHOLD)
    for name, obeyed in (("1 step", 1), ("10 steps", 2)):
        button(page, name).click()
        until(lambda obeyed=obeyed: len(trainer.obeyed) == obeyed, 60, f"{name} was lost")
    expect(marked(page)).to_have_count(2)
    page.evaluate("window.__answer()")
    expect(marked(page)).to_have_count(0)


def test_a_button_that_comes_back_is_not_marked_for_an_earlier_press(page: Page, trainer: StandIn) -> None:
    """Pause and Resume take turns in one place, and Streamlit puts a button's old element back into the page."""
    for turn in range(3):
        page.evaluate(WITHHOLD)
        for n, name in enumerate(("Resume", "Pause"), 1):
            button(page, name).click()
            until(lambda n=n: len(trainer.obeyed) == 2 * turn + n, 60, f"{name} was lost")  # noqa: B023
        expect(button(page, "Resume")).to_be_visible()
        page.evaluate("window.__answer()")
        expect(marked(page)).to_have_count(0)
    assert trainer.obeyed == ["resume", "pause"] * 3


def test_one_press_is_obeyed_once_where_the_page_s_timer_falls_into_it(page: Page, trainer: StandIn) -> None:
    """Streamlit sends a click a moment after it; held back here until the page's timer has sent it too."""
    page.evaluate(
        "(() => { const at = window.setTimeout; window.setTimeout = (f, ms, ...a) => at(f, ms || 700, ...a); })()"
    )
    for n in (1, 2):
        button(page, "1 step").click()
        until(lambda n=n: len(trainer.obeyed) >= n, 60, "the press was lost")
        expect(marked(page)).to_have_count(0)
        refresh(page, 4)  # the message that comes again would come with one of them
        assert trainer.obeyed == ["step"] * n


def overtaken(question: ClientState) -> list[ClientState]:
    """A press, between a refresh that is still at work and a wish for the whole page, as a new connection sends it."""
    refresh, whole = ClientState(), ClientState()
    for other in (refresh, whole):
        other.CopyFrom(question)
        other.widget_states.Clear()
    whole.fragment_id = ""
    return [refresh, question, whole]


@pytest.mark.parametrize("carried", [overtaken, lambda question: []], ids=["overtaken", "dropped"])
def test_a_press_that_is_lost_on_its_way_is_named_again_and_obeyed_once(
    trainer: StandIn,
    app: App,
    open_page: Callable[..., Page],
    carried: Callable[[ClientState], list[ClientState]],
) -> None:
    trainer.hold()
    line = Line()
    page = open_train(open_page, app, f"run={RUN}", prepare=line.lay)
    lost: list[ClientState] = []

    def lose(question: ClientState) -> list[ClientState]:
        if lost or question.is_auto_rerun:
            return [question]
        lost.append(question)
        return carried(question)

    button(page, "Change").click()
    page.get_by_label("New value").fill("0.07")
    page.get_by_label("New value").press("Enter")
    settle(page)
    line.carries = lose
    presses = {
        "set": page.get_by_role("button", name="Set it"),
        "speed": page.locator(".st-key-train-do_speed [role=radio]", has_text="10/s"),
        "step": button(page, "1 step"),
    }
    for n, (command, place) in enumerate(presses.items(), 1):
        lost.clear()
        place.press("Enter")  # as a press of the mouse
        obeyed = list(presses)[:n]
        until(
            lambda obeyed=obeyed: pump(page) and trainer.obeyed == obeyed,
            20,
            f"the press of {command} was lost",
        )
        assert lost
        expect(marked(page)).to_have_count(0)
    refresh(page, 4)
    assert trainer.obeyed == list(presses)


# When the next click was, when a button first said that it was pressed, and when the step shown changed: ms apart.
TIME_PRESS = """() => {
    const shown = () => document.querySelector('.st-key-train-head').innerText, before = shown();
    const times = window.__times = {};
    document.addEventListener('click', () => {
        times.press = performance.now();
        // The page's own listener stands before this one: the mark is there in the same turn of the browser.
        times.asked = Boolean(document.querySelector('.st-key-train-controls [data-asked]'));
    }, { capture: true, once: true });
    const look = () => {
        if (shown() !== before) times.shown = performance.now() - times.press; else setTimeout(look, 5);
    };
    look();
}"""


def test_a_press_is_seen_at_once_even_while_the_app_is_held_up(
    page: Page, trainer: StandIn, app: App
) -> None:
    page.evaluate(TIME_PRESS)
    button(page, "1 step").click()
    page.wait_for_function("window.__times.shown")
    at_rest = page.evaluate("window.__times")
    expect(marked(page)).to_have_count(0)
    app.process.send_signal(signal.SIGSTOP)
    page.evaluate(TIME_PRESS)
    button(page, "1 step").click()
    expect(marked(page)).to_have_count(1)
    assert trainer.obeyed == ["step"]
    app.process.send_signal(signal.SIGCONT)
    until(lambda: trainer.obeyed == ["step", "step"], 60, "the press was lost while the app was held up")
    expect(marked(page)).to_have_count(0)
    assert at_rest["asked"]
    assert page.evaluate("window.__times.asked")
    shoot(page, "train-pressed")
    (ARTIFACTS / "train-pressed.txt").write_text(f"1 step: shown after {at_rest['shown']:.0f} ms\n")


def test_a_press_that_does_not_reach_the_app_is_said_to_be_lost(page: Page) -> None:
    refresh(page, 2)  # a run at rest is refreshed all the same, and each refresh is heard
    assert not page.get_by_text("No word from the app for").is_visible()
    button(page, "1 step").evaluate(
        "(b) => b.addEventListener('click', (event) => event.stopImmediatePropagation(), true)"
    )
    page.evaluate(f"{TIMELINE}.presses.tell = () => {{}}")
    button(page, "1 step").click()
    expect(page.get_by_text("“1 step” did not reach the app: press it again.")).to_be_visible()
    expect(marked(page)).to_have_count(0)


def test_an_app_that_falls_silent_is_said_to_be_silent_and_the_page_goes_on_after_it(
    page: Page, trainer: StandIn, app: App
) -> None:
    app.process.send_signal(signal.SIGSTOP)
    said = page.get_by_text("No word from the app for")

    def later(seconds: int) -> None:
        """Puts the page's clock forward, and lets the page look at it, which it does every second."""
        page.evaluate(
            """(seconds) => new Promise((done) => {
                const now = performance.now.bind(performance);
                performance.now = () => now() + 1000 * seconds;
                setTimeout(done, 2500);
            })""",
            seconds,
        )

    later(12)  # a busy computer may well be silent for so long
    expect(said).not_to_be_visible()
    later(20)
    expect(said).to_be_visible()
    shoot(page, "train-silent")
    step = trainer.status["step"]
    trainer.advance(1)
    app.process.send_signal(signal.SIGCONT)
    expect(said).not_to_be_visible()
    expect(page.locator(".st-key-train-head")).to_contain_text(f"step {step + 1:,}")


# Notes where every button of the run's line stands, at each frame, until window.__moved() tells which moved, and where.
WATCH_PLACES = """() => {
    const seen = {}, main = document.querySelector('[data-testid=stMain]');
    const look = () => {
        for (const button of document.querySelectorAll('.st-key-train-controls button')) {
            const { x, y, width, height } = button.getBoundingClientRect();
            if (!width) continue; // each stands in the page twice, once for each width
            const place = [x, y + main.scrollTop, width, height].map(Math.round).join(' ');
            (seen[button.innerText.trim()] ??= new Set()).add(place);
        }
        requestAnimationFrame(look);
    };
    look();
    window.__moved = () => Object.fromEntries(
        Object.entries(seen).filter(([, places]) => places.size > 1).map(([name, places]) => [name, [...places]]));
}"""


@pytest.mark.parametrize("width", [1600, 1208, 853])
def test_no_button_moves_away_under_the_pointer(
    trainer: StandIn, app: App, open_page: Callable[..., Page], width: int
) -> None:
    """A click that begins on a button and ends where it stood is none: the press would be lost."""
    trainer.hold()
    page = open_train(open_page, app, f"run={RUN}", width=width)
    page.evaluate(WATCH_PLACES)
    trainer.slow = 0.6  # so that the page says "resuming …"
    for n, name in enumerate(("Resume", "Pause", "1 step", "Resume", "Pause"), 1):
        button(page, name).click()
        until(lambda n=n: len(trainer.obeyed) == n, 60, f"{name} was lost")
        refresh(page, 2)
    lock = locked(trainer.path / control.LOCK, 5, poll_interval=0.01)
    assert lock is not None
    button(page, "1 step").click()
    expect(page.get_by_text("keeps").first).to_be_visible()
    shoot(page, f"train-unmoved-{width}")
    lock.release()
    assert page.evaluate("window.__moved()") == {}
