"""A click on a fantasy opens Gibbs at that chain; a message of another shape opens nothing."""

from typing import Any

import pytest
import streamlit as st

from dashboard.ui import fantasy, link, pages


@pytest.fixture
def went(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, str]]]:
    """The pages that were gone to, with their links; the tab's state is a plain one."""
    tab, gone = fantasy._Clicked(), []
    monkeypatch.setattr(fantasy, "state_of", lambda _: tab)
    monkeypatch.setattr(st, "switch_page", lambda page, query_params: gone.append((page, query_params)))
    return gone


@pytest.mark.parametrize(("chain", "chains"), [(0, 25), (24, 25), (25, 26), (99, 100)])
@pytest.mark.parametrize("step", [None, 0, 49_500])
def test_the_link_names_run_chain_and_moment_within_the_pages_bounds(
    went: list[tuple[str, dict[str, str]]],
    monkeypatch: pytest.MonkeyPatch,
    chain: int,
    chains: int,
    step: int | None,
) -> None:
    monkeypatch.setattr(fantasy, "heard", lambda key, name: chain)
    fantasy.opener("train.particles", "a-run", step)()
    fantasy.follow()
    fantasy.follow()
    ((page, where),) = went
    assert page == pages.script("gibbs")
    assert (where["run"], where["start"]) == ("a-run", "particles")
    assert link.FIELDS["chains"].parse(where["chains"]) == chains
    assert link.FIELDS["chain"].parse(where["chain"]) == chain + 1 <= chains
    assert ("step" in where) == (step is not None)


@pytest.mark.parametrize("message", [None, 100, 10**9])
def test_what_is_no_chain_opens_nothing(
    went: list[tuple[str, dict[str, str]]], monkeypatch: pytest.MonkeyPatch, message: Any
) -> None:
    monkeypatch.setattr(fantasy, "heard", lambda key, name: message)
    fantasy.opener("train.particles", "a-run", None)()
    fantasy.follow()
    assert went == []
