"""Links: each field reads what it wrote, and a bad value is refused with its bounds."""

import json
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import NumberInput

from dashboard.ui import link
from dashboard.ui.link import FIELDS
from tests.dashboard.opened import open_page


@pytest.mark.parametrize("key", sorted(FIELDS))
def test_every_default_reads_back_from_its_own_text(key: str) -> None:
    spec = FIELDS[key]
    assert spec.parse(spec.text(spec.default)) == spec.default


@pytest.mark.parametrize(
    ("spec", "bad"),
    [
        (link.whole(5, 1, 9), ["0", "10", "2.5", "", "many"]),
        (link.number(0.5, 0.0, 1.0), ["-0.1", "1.1", "nan", "inf", "x"]),
        (link.choice("a", ("a", "b")), ["c", "A", ""]),
        (link.switch(True), ["yes", "2", ""]),
        (FIELDS["step"], ["-1", "last", "1.5", ""]),
    ],
)
def test_values_out_of_bounds_are_refused(spec: link.Field, bad: list[str]) -> None:
    for text in bad:
        with pytest.raises(ValueError):  # noqa: PT011  any ValueError: the page words it from `expects`
            spec.parse(text)


def page() -> None:
    import streamlit as st

    from dashboard.ui import link

    st.write("axis", link.field("axis"))
    for sentence in link.complaints():
        st.warning(sentence)
    if st.button("go"):
        link.remember("axis", "epoch")
    if st.button("back"):
        link.remember("axis", "step")


def test_a_bad_link_falls_back_and_says_so_once() -> None:
    app = AppTest.from_function(page)
    app.query_params["axis"] = "fortnight"
    app.run()
    assert "step" in app.markdown[0].value
    assert app.warning[0].value == (
        "The link says axis='fortnight', but axis must be one of step, epoch, time; showing 'step'."
    )
    app.run()
    assert not app.warning, "the sentence is repeated at every refresh"


def test_the_link_holds_what_differs_from_the_default_and_nothing_else() -> None:
    app = AppTest.from_function(page).run()
    app.button[0].click().run()
    assert app.query_params["axis"] == "epoch"
    app.button[1].click().run()
    assert "axis" not in app.query_params


def page_of_several() -> None:
    import streamlit as st
    from streamlit.runtime.scriptrunner import get_script_run_ctx

    from dashboard.ui import link

    ctx, sent = get_script_run_ctx(), []
    assert ctx is not None
    enqueue = ctx.enqueue

    def listen(message: object) -> None:
        if message.WhichOneof("type") == "page_info_changed":  # type: ignore[attr-defined]
            sent.append(message.page_info_changed.query_string)  # type: ignore[attr-defined]
        enqueue(message)  # type: ignore[arg-type]

    ctx.enqueue = listen  # type: ignore[method-assign, assignment]
    link.remember_all({"update": 10, "view": "landscape", "machine": "pair", "lesson": 3})
    ctx.enqueue = enqueue  # type: ignore[method-assign]
    st.write(sent)


@pytest.mark.parametrize(
    ("query", "sent"),
    [
        ({}, ["lesson=3&view=landscape&update=10"]),
        ({"update": "7", "run": "a", "machine": "3x3"}, ["run=a&lesson=3&view=landscape&update=10"]),
        ({"machine": "pair", "lesson": "03", "view": "landscape", "update": "10"}, []),
        ({"lesson": "none", "view": "landscape", "update": "10"}, ["lesson=3&view=landscape&update=10"]),
    ],
)
def test_several_values_are_one_step_of_the_history_and_the_same_ones_none(
    query: dict[str, str], sent: list[str]
) -> None:
    app = AppTest.from_function(page_of_several)
    app.query_params.update(query)
    app.run()
    assert not app.exception
    assert json.loads(app.json[0].value) == sent


def other_value(control: Any) -> Any:
    """A value that the control does not hold; None where it has no other."""
    if isinstance(control, NumberInput):
        return control.value + 1 if control.max is None or control.value < control.max else control.value - 1
    others = [option for option in control.options if option != control.format_func(control.value)]
    return control.options.index(others[0]) if others else None


@pytest.mark.parametrize("page", ["inspect", "gibbs", "compare", "evaluate"])
def test_a_choice_holds_though_the_browser_asks_before_it_heard_of_the_new_link(
    small_run: Path, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    """Every control of the page that the link knows: its next question brings the link of before."""
    monkeypatch.setenv("RBM_RUNS_DIR", str(small_run.parent))
    app = open_page(page, run=small_run.name)
    held = []
    for key in [one.key for one in (*app.selectbox, *app.radio, *app.number_input) if one.key]:
        found = [one for one in (*app.selectbox, *app.radio, *app.number_input) if one.key == key]
        if not found or (value := other_value(found[0])) is None:
            continue
        before = dict(app.query_params)
        control = found[0]
        app = (
            control.set_value(value) if isinstance(control, NumberInput) else control.select_index(value)
        ).run()
        if dict(app.query_params) == before:
            continue
        chosen = [one.value for one in (*app.selectbox, *app.radio, *app.number_input) if one.key == key]
        app.query_params.clear()
        app.query_params.update(before)
        app.run()
        assert not app.exception
        now = [one.value for one in (*app.selectbox, *app.radio, *app.number_input) if one.key == key]
        assert now == chosen, f"{key} went back"
        held.append(key)
    assert held, "no control is in the link"
