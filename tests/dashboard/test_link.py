"""Links: each field reads what it wrote, and a bad value is refused with its bounds."""

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.ui import link
from dashboard.ui.link import FIELDS


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
