"""The tour at the head of the Learn page: one lesson at a time, with its buttons."""

import time
from typing import Any

import streamlit as st

from dashboard.ui import pages
from dashboard.views.learn import lessons
from dashboard.views.learn.settings import suit
from dashboard.views.learn.state import learn


def show() -> Any:
    """A few sentences, a formula, a button. Returns the place where the progress of a training is shown."""
    settings = learn().settings
    number = settings.use("lesson", st.session_state[settings.key("lesson")])
    lesson = lessons.LESSONS[number - 1]
    with st.container(border=True, key="learn.tour"):
        row = st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center")
        row.markdown(f"**{number} of {len(lessons.LESSONS)} · {lesson.title}**", width="content")
        with row.container(horizontal=True, gap="small", width="content", key="learn.turn"):
            _buttons(number, lesson)
        formula = " &emsp; ".join(f"${part}$" for part in lesson.formula.split(r" \qquad "))
        st.markdown(f"{lesson.text} &emsp; {formula}")
        return st.container(key="learn.progress").empty()


def _buttons(number: int, lesson: lessons.Lesson) -> None:
    last = number == len(lessons.LESSONS)
    if last:
        st.page_link(pages.script("train"), label="On to the Train page", icon=":material/arrow_forward:")
    st.button("Back", disabled=number == 1, on_click=_turn, args=(number - 1,), key="learn.back")
    st.button(lesson.press, key="learn.press", type="primary", on_click=_press, args=(number,))
    st.button(
        "Restart" if last else "Next step",
        on_click=_turn,
        args=(1 if last else number + 1,),
        key="learn.next",
        type="tertiary" if last else "secondary",
    )


def _turn(number: int) -> None:
    """Goes to another lesson: the player shows its machine, and waits until the lesson's button is pressed.

    The link gets all of it at once, up to the moment at which the player comes to rest: the browser's Back then goes
    from lesson to lesson.
    """
    lesson = lessons.LESSONS[number - 1]
    still = {name: value for name, value in lesson.command.items() if name not in lessons.PRESSED}
    learn().settings.set("lesson", number)
    _set_up(lesson, {**still, "stage": 0, "many": 0})


def _press(number: int) -> None:
    """The lesson's button: the player does what the lesson says."""
    lesson = lessons.LESSONS[number - 1]
    _set_up(lesson, lesson.command)


def _set_up(lesson: lessons.Lesson, command: dict[str, Any]) -> None:
    """The lesson's machine and method, and a command for the player."""
    page = learn()
    page.settings.set("method", lesson.method)
    suit(lesson.machine, view=command["view"], update=command["at"])
    page.command = {**command, "nonce": time.time()}
