"""What a page remembers from run to run of its script: one dataclass a page, all under one session key.

    @dataclass
    class Inspect:                       # in a module that the page imports, not in the page's script
        page_of_images: int = 0

    state = state_of(Inspect)            # this browser tab's instance; change its fields in place
    state.page_of_images += 1

Three rules keep pages apart:

- A state class belongs to one page or to one module of `ui/`. Only that page's folder, or that module, imports it;
  what two pages need is a function of `ui/`, such as `run_choice.chosen()`.
- A widget's key is `page.widget`, such as `inspect.unit`: AppTest finds the widget by it, and its CSS class is
  `st-key-inspect-unit`. `st.session_state` is used with such keys alone. Streamlit forgets a widget's value when the
  page no longer shows the widget; what must outlive that is a field of the page's state.
- A field has a default, so that a new tab needs no set-up.
"""

from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

import streamlit as st

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

KEY = "page_states"

State = TypeVar("State", bound="DataclassInstance")


def state_of(page: type[State]) -> State:
    """This tab's instance of the dataclass `page`, made with its defaults the first time.

    If the class was defined anew meanwhile, because its module was loaded again, a new instance takes over the fields
    that the old class had too.
    """
    states: dict[str, Any] = st.session_state.setdefault(KEY, {})
    name = f"{page.__module__}.{page.__qualname__}"
    if type(states.get(name)) is not page:
        old = vars(states[name]) if name in states else {}
        states[name] = page(**{field.name: old[field.name] for field in fields(page) if field.name in old})
    return states[name]
