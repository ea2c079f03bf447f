"""Both halves of a visible law say the same: its mathematics on torch, and what follows from it without."""

import ast
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

from rbm_core.compute import Rng
from rbm_core.laws import LAWS
from rbm_core.visible import UNITS, Visible, units_of
from tests.sources import parsed

V = 6
NAMES = list(UNITS)


def y_of(seed: int, n: int = 1) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(0, 1.5, (n, V)))


def test_every_name_of_a_law_has_both_halves() -> None:
    assert list(get_args(Visible)) == list(UNITS) == list(LAWS)
    for name in NAMES:
        assert UNITS[name].name == name
        assert LAWS[name].units is UNITS[name]


@pytest.mark.parametrize("name", NAMES)
def test_means_and_own_energies_are_the_same_with_and_without_torch(name: Visible) -> None:
    law, units, y, b = LAWS[name], UNITS[name], y_of(1, 5), y_of(2)[0]
    np.testing.assert_allclose(units.mean(y.numpy(), 0.7), law.mean(y, 0.7).numpy(), rtol=1e-12)
    np.testing.assert_allclose(
        units.own_energy(y.numpy(), b.numpy(), None), law.own_energy(y, b, None).numpy(), rtol=1e-12
    )
    if units.variance:
        log_var = y_of(3)[0]
        np.testing.assert_allclose(
            units.own_energy(y.numpy(), b.numpy(), log_var.numpy()),
            law.own_energy(y, b, torch.exp(-log_var)).numpy(),
            rtol=1e-12,
        )


@pytest.mark.parametrize("name", NAMES)
def test_draws_have_the_laws_means(name: Visible) -> None:
    law, y, n = LAWS[name], y_of(4)[0].float(), 20_000
    drawn = law.draw(y.expand(n, V).contiguous(), Rng(5, "draws"))
    apart = law.at_means(law.mean(y), n, Rng(5, "apart"))
    for states in (drawn, apart):
        error = (states.mean(0) - law.mean(y)) / (states.std(0) / n**0.5)
        assert error.abs().max() < 5


@pytest.mark.parametrize("name", NAMES)
def test_biases_from_means_give_those_means_back(name: Visible) -> None:
    mean = LAWS[name].mean(y_of(6)[0])
    np.testing.assert_allclose(LAWS[name].mean(LAWS[name].bias_of(mean)), mean, rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_growth_is_the_difference_of_two_own_energies(name: Visible) -> None:
    law, v, base, b = LAWS[name], y_of(7, 5), y_of(8)[0], y_of(9)[0]
    ones = torch.ones_like(b)
    expected = law.own_energy(v, base, ones) - law.own_energy(v, b, ones)
    np.testing.assert_allclose(law.growth(v, base, b, ones), expected, rtol=1e-10)


@pytest.mark.parametrize(
    "record", [{}, {"visible": None}, {"visible": ["gaussian"]}, {"visible": "unheard of"}]
)
def test_a_record_that_names_no_law_is_read_as_one_of_bernoulli_units(record: dict[str, object]) -> None:
    assert units_of(record) is UNITS["bernoulli"]


def asks_for_a_name(source: str) -> list[int]:
    """The lines that compare something called "visible" with the name of a law."""
    lines = []
    for node in ast.walk(parsed(source)):
        if isinstance(node, ast.Compare):
            names = {one.value for one in ast.walk(node) if isinstance(one, ast.Constant)}
            if names & set(NAMES) and "visible" in ast.unparse(node):
                lines.append(node.lineno)
    return lines


def test_no_module_but_the_laws_asks_for_the_name_of_a_law() -> None:
    repo = Path(__file__).parents[2]
    asked = {
        str(path.relative_to(repo)): lines
        for room in ("rbm_core", "dashboard")
        for path in (repo / room).rglob("*.py")
        if (lines := asks_for_a_name(path.read_text()))
    }
    assert not asked, f"ask `units_of(...)` or `rbm.law` instead: {asked}"


@pytest.mark.parametrize(
    "line", ['rbm.visible == "gaussian"', 'config.get("visible") != "gaussian"', 'visible in ("bernoulli",)']
)
def test_a_question_for_the_name_of_a_law_is_seen(line: str) -> None:
    assert asks_for_a_name(line) == [1]
