"""The tour at the head of the Learn page: one lesson at a time, with its question, its answer and its buttons."""

import time
from typing import Any

import streamlit as st

from dashboard.ui import link, pages
from dashboard.views.learn import lessons
from dashboard.views.learn.settings import suit
from dashboard.views.learn.state import learn

ANY = "learn.any"
UNGUESSED = 4  # the guess of a reader who only wants to see; options are numbered from 1


def number() -> int:
    """The lesson that is open."""
    settings = learn().settings
    return int(settings.use("lesson", st.session_state[settings.key("lesson")]))


def show(number: int) -> None:
    """A few sentences, a question, then its answer."""
    lesson = lessons.LESSONS[number - 1]
    with st.container(border=True, key="learn.tour"):
        row = st.container(
            horizontal=True,
            horizontal_alignment="distribute",
            vertical_alignment="center",
            key="learn.head",
        )
        row.markdown(f"**{number} of {len(lessons.LESSONS)} · {lesson.title}**", width="content")
        with row.container(horizontal=True, gap="small", width="content", key="learn.turn"):
            _buttons(number)
        words, slot = st.columns(2, gap="medium")
        words.markdown(lesson.text)
        guess = learn().guesses.get(number)
        with slot.container(key="learn.slot"):
            if guess:
                st.markdown(f"{_verdict(lesson, guess)} {lesson.answer}")
            else:
                _ask(number, lesson)
        with st.container(horizontal=True, vertical_alignment="center", key="learn.symbols"):
            if guess:
                _symbols(number, lesson)
            else:
                st.caption("Press what you expect; a wrong guess teaches most.")
                st.button(
                    "just show me",
                    on_click=_guess,
                    args=(number, UNGUESSED),
                    key="learn.show",
                    type="tertiary",
                )


def take_guess_from_link() -> None:
    """What was predicted in the lesson of the link, at its first sight and after the browser's Back or Forward."""
    if link.field("guess"):
        learn().guesses[link.field("lesson")] = link.field("guess")


def begin_from_link() -> None:
    """A link that names a lesson and nothing of the player opens as the lesson's own button does."""
    of_player = {"machine", "method", "hidden", "rate", "seed", "view", "update", "guess"}
    if "lesson" in link.query() and not of_player & set(link.query()):
        _turn(link.field("lesson"))


def _all_lessons(number: int) -> None:
    """The list of the lessons, to go to any of them. In a narrow window the button is its icon alone."""
    st.session_state[ANY] = number
    with st.popover("All lessons", icon=":material/list:", type="tertiary", key=f"learn.list-{number}"):
        st.radio(
            "Go to",
            list(range(1, len(lessons.LESSONS) + 1)),
            key=ANY,
            format_func=lambda n: f"{int(n)} · {lessons.LESSONS[n - 1].title}",
            on_change=lambda: _turn(st.session_state[ANY]),
        )


def _buttons(number: int) -> None:
    _all_lessons(number)
    last = number == len(lessons.LESSONS)
    if last:
        st.page_link(pages.script("train"), label="On to the Train page", icon=":material/arrow_forward:")
    st.button("Back", disabled=number == 1, on_click=_turn, args=(number - 1,), key="learn.back")
    st.button(
        "Restart" if last else "Next step",
        on_click=_turn,
        args=(1 if last else number + 1,),
        key="learn.next",
        type="primary" if learn().guesses.get(number) and not last else "secondary",
    )


def _ask(number: int, lesson: lessons.Lesson) -> None:
    """The question, and what can be predicted: each prediction is a button that also shows what happens."""
    st.markdown(f"**Your guess first:** {lesson.question}")
    with st.container(horizontal=True, gap="small", key="learn.options"):
        for k, option in enumerate(lesson.options, start=1):
            st.button(option, on_click=_guess, args=(number, k), key=f"learn.option{k}", type="primary")


def _verdict(lesson: lessons.Lesson, guess: int) -> str:
    """What was predicted, and whether it came true; the question itself where nothing was predicted."""
    if not 1 <= guess <= len(lesson.options):
        return f"**{lesson.question}**"
    said = lesson.options[guess - 1]
    if guess - 1 == lesson.right:
        return f":green-badge[:material/check: {said}] **Right.**"
    return f":orange-badge[{said}] **Not quite.**"


def _symbols(number: int, lesson: lessons.Lesson) -> None:
    """The lesson in symbols, and the button that shows it again."""
    formula = " &emsp; ".join(f"${part}$" for part in lesson.formula.split(r" \qquad "))
    st.markdown(f"In symbols: &ensp; {formula}", width="content")
    st.button(
        lesson.press,
        icon=":material/replay:",
        on_click=_press,
        args=(number,),
        key="learn.press",
        type="tertiary",
    )


def _turn(number: int) -> None:
    """Goes to another lesson: the player shows its machine, and waits until something is predicted.

    The link gets all of it at once, up to the moment at which the player comes to rest: the browser's Back then goes
    from lesson to lesson.
    """
    lesson = lessons.LESSONS[number - 1]
    still = {name: value for name, value in lesson.command.items() if name not in lessons.PRESSED}
    learn().settings.set("lesson", number)
    learn().settings.use("guess", learn().guesses.get(number, 0))
    _set_up(lesson, {**still, "stage": 0})


def _guess(number: int, option: int) -> None:
    """Something is predicted: the player shows what happens. The player writes the guess into the link."""
    learn().guesses[number] = option
    _press(number)


def _press(number: int) -> None:
    """The player does what the lesson says."""
    lesson = lessons.LESSONS[number - 1]
    _set_up(lesson, lesson.command)


def _set_up(lesson: lessons.Lesson, command: dict[str, Any]) -> None:
    """The lesson's machine and method, and a command for the player or the network."""
    page = learn()
    page.command = {**command, "nonce": time.time()}
    if lesson.network:  # without views and updates
        page.settings.use_all({"view": "distribution", "update": 0})
        page.settings.write_link()
        return
    page.settings.set("method", lesson.method)
    suit(lesson.machine, view=command["view"], update=command["at"])
