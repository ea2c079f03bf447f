"""log Z while a model learns: short annealings (anchors), and between them the likelihood, extrapolated, with a bar.

While log Z rises by hundreds of nats, the free energy of the training data falls by nearly as much. Their sum, the
log-likelihood L = −F − log Z, moves slowly: it is nearly a straight line over log(step), and flattens. So between two
anchors L is extrapolated at 0.75 of its last slope over log(step), and log Z = −F − L follows from the free energy F of
the training subset, which the curves measure anyway. A scalar Kalman filter joins every new anchor to what was
extrapolated. How fast its variance grows between anchors, per unit of log(step), is learned from how far the
extrapolation was off at the anchors.

Rejected: importance weights exp(F_old(v) − F_new(v)) carried along the trajectory (Desjardins, Courville & Bengio 2011;
resampled as in Del Moral, Doucet & Jasra 2006). Measured over 13,750 updates of centred PCD-5 with 500 hidden units
against AIS with 14,500 temperatures: with the chains that training learns from, the end is 10,000 nats off, because
each update lowers the probability of the very states that are weighed; with 100 chains that training does not use, it
is 19 to 75 nats off, lost while the learning rate is high and the model changes faster than chains mix. An annealing
starts afresh, so an anchor's error does not add up.

Annealings can be short because the weights are averaged and because both directions are used. The weights of a single
moment have local minima that the chains of the last few updates have cut, and AIS of any length misjudges them by nats;
averaged weights have none. A mode that annealing hardly enters shows in reverse AIS from the run's own chains: 30
chains and 670 temperatures are off by 0.8 to 1.2 nats if all run forward, and by 0.6 to 0.7 if shared between both
directions (RMS over 19 moments of each of three default runs; reference: 100 chains × 3,000 temperatures each way).
"""

import math
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import numpy as np
from torch import Tensor

from rbm_core.likelihood.ais import AISResult, Bracket, ais, reverse_ais, sweeps, temperatures
from rbm_core.likelihood.exact import enumerated_units, exact_log_z
from rbm_core.rbm import RBM

__all__ = ["OnlineLogZ"]

_SHARE = 0.04  # share of training's counted work that anchors may take; in time it is less than a twentieth
_CHAINS = 30  # chains of each direction
# Share of an anchor's work spent on sweeps of the run's chains before reverse AIS starts at them: the chains follow the
# weights of the moment, while the model that is judged has averaged weights.
_SETTLE = 1 / 6
_ANCHORS = 14  # the most anchors of a run
_FEWEST, _MOST = 400, 4500  # bounds of the mean number of temperatures and sweeps of an anchor
_TOO_FEW = 20  # a run that can afford fewer temperatures in all has no anchors
_FIRST = 250  # the first anchor lies at 1/250 of the run's steps or later
# Costs in multiply-adds: of calling an update, and of calling a temperature. A temperature's draws and sums cost as
# much as its products, which is the factor of 2.
_UPDATE, _TEMPERATURE, _REST = 1.1e8, 2e6, 2.0
_EXACT_UNITS = (
    12  # a model with at most this many enumerated units is enumerated: that costs less than annealing
)
_FLATTENS = 0.75  # the extrapolated slope over log(step) is this share of the last measured one
_UNTRAINED = (
    100  # temperatures for the model of step 0; until a second anchor the slope from there is the only one
)
_FLOOR = 0.1  # nats added to an anchor's error: 30 chains do not know their own spread better


class OnlineLogZ:
    """log Z of a model that changes between calls of `observe`, with an error bar, for a bounded share of the work.

    rbm: a model of the shape and device of those to come. moments: the run's steps at which it may anneal, ascending,
    the last one the run's end; training passes the steps of its snapshots, which the pages show.
    rows: the number of rows of V or H units that an update multiplies by W. base_vbias: (V,), as in `ais`. seed: of
    random streams that training does not use, so that observing changes nothing. The steps of the anchors follow from
    counted work and not from a clock, so that a repeated run has the same curve; `state` and `load` carry the rest
    over a resume.

    The error of annealing itself remains: of weights that are not averaged, at a high learning rate, AIS of any length
    can be nats too low, and so can this estimate.
    """

    def __init__(
        self, rbm: RBM, moments: Sequence[int], rows: int, *, base_vbias: Tensor, seed: int = 0
    ) -> None:
        self._base, self._seed = base_vbias, seed
        updates, size = moments[-1], rbm.n_visible * rbm.n_hidden
        update, temperature = rows * size + _UPDATE, _REST * 2 * _CHAINS * size + _TEMPERATURE
        if rbm.device.type == "cuda":
            temperature = max(
                temperature, update
            )  # a temperature's launches take as long as a captured update
        affordable = _SHARE * updates * update / temperature
        # Learning is fast at first and slow at the end, so anchors are about equally spaced in log(step). Models are
        # easy to anneal at first and again at the end, when the learning rate has fallen: the middle gets most work.
        n = max(1, min(_ANCHORS, int(affordable / _FEWEST)))
        kept = np.array([step for step in moments if step > 0])
        wanted = np.geomspace(updates, updates / min(_FIRST, 2.0 ** (n - 1)), n)
        chosen = sorted({int(kept[np.abs(kept - step).argmin()]) for step in wanted})
        x = (np.arange(len(chosen)) + 0.5) / len(chosen)
        shares = 0.5 + 3 * x * (1 - x)
        work = min(affordable / len(chosen), _MOST) * shares / shares.mean()  # temperatures and sweeps
        self.plan = (
            dict(zip(chosen, work.astype(int).tolist(), strict=True)) if affordable >= _TOO_FEW else {}
        )
        self._step = -1  # the last step observed
        self._begun: float | None = None  # the likelihood at step 0
        self._passed: list[list[float]] = []  # [step, likelihood] of each anchor, the newest last
        self._variance = 0.0  # nats², of the newest anchor's likelihood
        self._drift = 4.0  # nats² of variance added per unit of log(step); every anchor corrects it

    def observe(
        self,
        rbm: RBM,
        free_energy: float,
        step: int,
        *,
        particles: Tensor | None = None,
        precision: str = "float32",
    ) -> tuple[float, float] | None:
        """(log Z, standard error) in nats of the model after this step.

        None before the first anchor, if the model is no longer finite, and while the line would give units that are on
        or off a likelihood above 0, which no chance reaches. free_energy: the mean F of a fixed set of
        training cases under this model. particles: (N, V), the run's persistent chains, where reverse AIS starts;
        without them only forward AIS runs. precision: of the annealing, as in `ais`.
        """
        if not math.isfinite(free_energy):
            return None  # the trainer says so; ais and exact_log_z would refuse
        if enumerated_units(rbm) <= _EXACT_UNITS:
            return exact_log_z(rbm), 0.0
        if step == 0 and self.plan:
            young = ais(
                rbm,
                betas=_UNTRAINED,
                n_chains=_CHAINS,
                base_vbias=self._base,
                seed=self._seed,
                precision=precision,
            )
            self._begun = -free_energy - young.log_z
        due = [n for at, n in self.plan.items() if self._step < at <= step]
        self._step = step
        if due:
            self._anchor(rbm, free_energy, due[-1], particles, precision)
        if not self._passed:
            return None
        likelihood, variance = self._expected()
        if likelihood > 0 and not rbm.law.units.real:
            return None  # a run that learns too fast for so few anchors: the next one is believed again
        return -free_energy - likelihood, math.sqrt(variance)

    def _expected(self) -> tuple[float, float]:
        """The extrapolated likelihood at the present step in nats, and its variance in nats²."""
        *earlier, (last, likelihood) = self._passed
        if self._begun is not None and last > 1:
            earlier.insert(0, [1, self._begun])  # step 0 counts as step 1, since log 0 is infinite
        gone = math.log(self._step / last)
        variance = self._variance + self._drift * gone
        if not earlier:
            return likelihood, variance
        before = next((anchor for anchor in reversed(earlier) if anchor[0] <= last / 2), earlier[-1])
        slope = (likelihood - before[1]) / math.log(last / before[0])
        return likelihood + _FLATTENS * slope * gone, variance

    def _anchor(
        self, rbm: RBM, free_energy: float, work: int, particles: Tensor | None, precision: str
    ) -> None:
        """Measures log Z at the present step, and joins the likelihood to the extrapolated one (Kalman update)."""
        measured = self._measure(rbm, work, particles, precision)
        likelihood, noise = -free_energy - measured.log_z, measured.stderr**2 + _FLOOR**2
        if not math.isfinite(likelihood):
            return  # the model is no longer finite; the trainer stops and says so
        if self._passed:
            expected, prior = self._expected()
            surprise = likelihood - expected
            excess = max(surprise**2 - noise - self._variance, 0.0)
            if len(self._passed) > 1:
                gone = math.log(self._step / self._passed[-1][0])
                self._drift = 0.5 * self._drift + 0.5 * excess / gone
            prior = max(
                prior, self._variance + excess
            )  # a large deviation is believed, not averaged with the past
            gain = prior / (prior + noise)
            likelihood, noise = expected + gain * surprise, gain * noise
        self._passed.append([self._step, likelihood])
        self._variance = noise

    def _measure(self, rbm: RBM, work: int, particles: Tensor | None, precision: str) -> AISResult | Bracket:
        """Both directions joined by Bennett if there are particles, since one alone is nats off; else forward AIS."""
        both = particles is not None and len(particles) >= _CHAINS
        path = temperatures("salakhutdinov-murray")
        settle = int(_SETTLE * work)
        n = (work - settle) // 2 if both else work
        common: dict[str, Any] = {
            "betas": np.interp(np.linspace(0, len(path) - 1, n + 1), np.arange(len(path)), path),
            "n_chains": _CHAINS,
            "base_vbias": self._base,
            "seed": self._seed + self._step,
            "precision": precision,
        }
        forward = ais(rbm, **common)
        if particles is None or not both:
            return forward
        starts = sweeps(rbm, particles[:_CHAINS], settle, seed=self._seed + self._step)
        return Bracket(forward, reverse_ais(rbm, starts=starts, **common))

    def state(self) -> dict[str, Any]:
        """What `load` needs, as JSON; the estimates after it are the same numbers."""
        return deepcopy(
            {name: vars(self)[name] for name in ("_step", "_begun", "_passed", "_variance", "_drift")}
        )

    def load(self, state: dict[str, Any]) -> None:
        """Continues from what `state` returned."""
        vars(self).update(deepcopy(state))
