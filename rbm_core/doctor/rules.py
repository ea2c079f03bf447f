"""All rules, in their order: each looks at one thing in a record and says whether it is well, by what evidence.

A rule that lacks what it needs returns None. Thresholds are published ones, bounds that follow from what is measured,
or three standard errors of it; tests hold them to runs that are good and to runs broken on purpose.
"""

from collections.abc import Callable

from rbm_core.doctor import learning, likelihood, sampling, setup
from rbm_core.doctor.finding import Finding
from rbm_core.doctor.record import Record

__all__ = ["RULES", "SOURCES"]

SOURCES = (
    "Hinton 2010: A Practical Guide to Training Restricted Boltzmann Machines. "
    "Fischer & Igel 2010: Empirical Analysis of the Divergence of Gibbs Sampling Based Learning Algorithms. "
    "Decelle, Furtlehner & Seoane 2021: Equilibrium and Non-Equilibrium Regimes in the Learning of RBMs."
)

RULES: tuple[Callable[[Record], Finding | None], ...] = (
    setup.ended_well,
    setup.images_differ,
    setup.likelihood_exists,
    setup.chains,
    setup.sparsity,
    setup.first_weights,
    setup.updates,
    likelihood.beats_pixels,
    learning.update_ratio,
    learning.dead_units,
    learning.saturated_units,
    likelihood.overfitting,
    sampling.frozen_fantasies,
    sampling.collapsed_fantasies,
    likelihood.exploding,
    sampling.fantasies,
    sampling.mixing,
    likelihood.false_comfort,
)
