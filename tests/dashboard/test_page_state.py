"""What a page remembers: apart from other pages, across runs of the script, and across reloads of its module."""

from dataclasses import make_dataclass
from typing import Any

from streamlit.testing.v1 import AppTest

from dashboard.ui import page_state


def script() -> None:
    from dataclasses import dataclass, field

    import streamlit as st

    from dashboard.ui.page_state import state_of

    @dataclass
    class Page:  # defined anew at every run of the script, as a class in a reloaded module is
        pressed: int = 0
        seen: list[int] = field(default_factory=list)

    @dataclass
    class Other:
        pressed: int = 100

    if st.button("Press", key="page.press"):
        state_of(Page).pressed += 1
        state_of(Page).seen.append(state_of(Page).pressed)
    st.write(f"{state_of(Page).pressed} {state_of(Page).seen} {state_of(Other).pressed}")
    st.write(*sorted(map(str, st.session_state)))


def test_a_page_keeps_its_fields_from_run_to_run_and_each_class_its_own() -> None:
    app = AppTest.from_function(script).run()
    assert app.markdown[0].value == "0 [] 100"
    for _ in range(2):
        app.button(key="page.press").click().run()
    assert not app.exception
    assert app.markdown[0].value == "2 [1, 2] 100"
    assert app.markdown[1].value == f"page.press {page_state.KEY}", "the states stand under one key"


def test_a_class_with_other_fields_takes_over_those_it_shares(monkeypatch: Any) -> None:
    session: dict[str, Any] = {}
    monkeypatch.setattr(page_state.st, "session_state", session)
    old = make_dataclass("Page", [("gone", int, 1), ("stays", int, 2)])
    new = make_dataclass("Page", [("stays", int, 0), ("added", int, 3)])
    page_state.state_of(old).stays = 20
    state = page_state.state_of(new)
    assert (state.stays, state.added) == (20, 3)
    assert page_state.state_of(new) is state
