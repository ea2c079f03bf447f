"""The button beside every picture: named after it, and holding words, formula and source."""

from streamlit.testing.v1 import AppTest


def page() -> None:
    from dashboard.about import about

    about("the filters", "One tile a unit.", formula=r"\sigma(x)", source="Hinton 2010, §15")
    about("the norms", "How large they are.")


def test_every_picture_has_its_own_button_with_its_words_its_formula_and_its_source() -> None:
    app = AppTest.from_function(page).run()
    assert not app.exception
    filters, norms = app.get("popover")
    assert "About the filters" in filters.proto.popover.label
    assert "About the norms" in norms.proto.popover.label
    told = filters.markdown[0].value
    assert told == "One tile a unit.\n\n$$\n\\sigma(x)\n$$\n\n:small[Source: Hinton 2010, §15]"
    assert norms.markdown[0].value == "How large they are."
