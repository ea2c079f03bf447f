"""A page's settings: the link decides, then what this session used last, then the default of ui/link.py."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard.ui import link


class Settings:
    """The settings of one page, which outlive its widgets: Streamlit forgets a widget when its page is left.

    A setting has the name of its link field. Its widget has the key `<page>.<name>`: `key()` puts the value in place
    before the widget is made, `use()` takes what the widget returned. `write_link()` then writes all that changed in
    one step of the browser's history.
    """

    def __init__(self, page: str) -> None:
        self._page = page
        self._used: dict[str, Any] = {}
        self._unwritten: set[str] = set()
        self._due: dict[str, Any] = {}

    def widget(self, name: str) -> str:
        """The key of the setting's widget."""
        return f"{self._page}.{name}"

    def value(self, name: str) -> Any:
        """What the setting is now."""
        if name in self._unwritten or name not in link.query():
            return self._used.get(name, link.FIELDS[name].default)
        return link.field(name)

    def key(self, name: str, value: Any = None) -> str:
        """The widget's key, with its first value in place: the setting's own, or `value` where one is given.

        What was set for it since it was last made is put in place again: where a part of the page then asked for the
        whole, the browser's next question may have come first, and says what the widget held before.
        """
        key = self.widget(name)
        if name in self._due:
            st.session_state[key] = self._due.pop(name)
        elif key not in st.session_state:
            st.session_state[key] = self.value(name) if value is None else value
        return key

    def number(
        self, place: Any, name: str, label: str, span: tuple[Any, Any], *, first: Any = None, **look: Any
    ) -> Any:
        """A number field in `place`, from and to the ends of its span; its first value as for `key`.

        Of two runs of the page that follow at once a browser draws the second, and never hears of a value that the
        first wrote for a new widget: it takes the widget's default, which is the least number unless one is given.
        """
        key = self.key(name, first)
        return place.number_input(label, *span, value=st.session_state[key], key=key, **look)

    def use(self, name: str, value: Any) -> Any:
        """Takes the value, and gives it back."""
        if name not in self._used or self._used[name] != value:
            self._unwritten.add(name)
        self._used[name] = value
        return value

    def use_all(self, values: Mapping[str, Any]) -> None:
        """Takes several values."""
        for name, value in values.items():
            self.use(name, value)

    def set(self, name: str, value: Any) -> None:
        """Takes the value and puts it into the widget, from a callback or before the widget is made."""
        self._due[name] = st.session_state[self.widget(name)] = self.use(name, value)

    def forget(self) -> None:
        """Drops every value and every widget's, so that the link alone decides."""
        for name in self._used:
            st.session_state.pop(self.widget(name), None)
        self._used.clear()
        self._unwritten.clear()
        self._due.clear()

    def follow_link(self, *switches: str) -> bool:
        """At the page's beginning: where Back or Forward led here, the link decides every setting. Returns whether.

        switches: widgets of the page, by their names, whose values follow from the settings and have no link field.
        """
        if not link.gone_back():
            return False
        self.forget()
        for name in switches:
            st.session_state.pop(self.widget(name), None)
        return True

    def write_link(self) -> None:
        """Writes the settings into the link."""
        link.remember_all(self._used)
        self._unwritten.clear()
