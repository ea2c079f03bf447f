"""The button beside every picture: named after it, and holding words, formula and source."""

from streamlit.testing.v1 import AppTest

from tests.dashboard.opened import abouts


def page() -> None:
    from dashboard.ui.about import about

    about("the filters", "One tile a unit.", formula=r"\sigma(x)", source="Hinton 2010, §15")
    about("the norms", "How large they are.", formula=r"a, \qquad b")


def test_every_picture_has_its_own_button_with_its_words_its_formula_and_its_source() -> None:
    app = AppTest.from_function(page).run()
    assert not app.exception
    told = abouts(app)
    assert list(told) == ["the filters", "the norms"]
    assert told["the filters"] == "One tile a unit.\n\n$$\n\\sigma(x)\n$$\n\n:small[Source: Hinton 2010, §15]"


def test_formulas_beside_one_another_stand_below_one_another() -> None:
    told = abouts(AppTest.from_function(page).run())
    assert "\\begin{gathered} a, \\\\[4pt] b \\end{gathered}" in told["the norms"]
