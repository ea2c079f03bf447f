"""log Z while a model learns: short annealings as anchors, the likelihood continued between them, a bar that grows.

While log Z climbs by hundreds of nats, the training data's free energy falls by nearly as much: their sum, the
log-likelihood, moves slowly, in a line over the logarithm of the step that flattens slowly. So between two annealings
it is the likelihood that is continued, a little less steeply than since half as many steps, and log Z follows from the
free energy of the training subset, which the curves measure anyway. How far that may be off is learned from how far it
was off at each anchor, by the same logarithm: a scalar Kalman filter.

The other way, tried first, carries importance weights exp(F_old(v) − F_new(v)) along the trajectory (Desjardins,
Courville & Bengio 2011; resampled as in Del Moral, Doucet & Jasra 2006). Measured over 13,750 updates of centred PCD-5
with 500 hidden units against AIS with 14,500 temperatures: weighing the chains that drive learning, which are pushed
away from wherever they are by the very update they are weighed for, ends 10,000 nats off; 100 chains that only watch,
19 to 75 nats, lost while the learning rate is high and the model outruns any chain. Annealing afresh forgets its
mistakes.

What makes annealing short enough is weight averaging and both directions. The weights of one moment carry a rough
landscape dug by the chains since the last few updates, which AIS of any length misjudges by nats; their average does
not. And a mode that annealing hardly enters shows in reverse AIS from the run's own chains: 30 chains and 670
temperatures err by 0.8 to 1.2 nats when all go forward and by 0.6 to 0.7 when shared between the directions (RMS over
19 moments of each of three default runs; the truth 100 chains × 3,000 each way).
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

_SHARE = 0.04  # of the counted work of training; of its time, with what is not counted, less than a twentieth
_CHAINS = 30  # in each direction
# Of an anchor's work: sweeps of the particles, which have followed the weights of the moment and not their mean.
_SETTLE = 1 / 6
_ANCHORS = 14  # at most
_FEWEST, _MOST = 400, 4500  # temperatures and sweeps of an anchor, in the mean over all of them
_TOO_FEW = 20  # in all: a run so short is not judged
_FIRST = 250  # the first anchor is at most so many times earlier than the end of the run
# In multiply-adds of an update's products, what else takes time: the calls of an update and of a temperature, and the
# draws and sums of a temperature, which cost as much again as its products.
_UPDATE, _TEMPERATURE, _REST = 1.1e8, 2e6, 2.0
_EXACT_UNITS = 12  # up to here enumeration costs less than annealing
_FLATTENS = 0.75  # of the last slope over the logarithm of the step goes on
_UNTRAINED = 100  # temperatures that judge the model of step 0, whose slope up to the first anchor is all there is then
_FLOOR = 0.1  # nats that so few chains cannot know about their own spread


class OnlineLogZ:
    """log Z of a model that changes between calls of `observe`, with an error bar, for a bounded share of the work.

    rbm: a model of the shape and device to come. moments: steps of the run at which to anneal if the work allows,
    ascending, the last its end: the snapshots', so that what is looked at most is known best. rows: how many rows of V
    or H units an update multiplies by W. base_vbias: (V,), as in `ais`. seed: of its own streams, so that training does
    not notice that it is watched. When to anneal follows from counted work, not from a clock, so that a run repeats its
    curve exactly; `state` and `load` carry it over a resume.

    What is estimated is log Z as annealing sees it: of weights that are not averaged, at a high learning rate, a single
    AIS of any length can be nats too low, and so can this.
    """

    def __init__(
        self, rbm: RBM, moments: Sequence[int], rows: int, *, base_vbias: Tensor, seed: int = 0
    ) -> None:
        self._base, self._seed = base_vbias, seed
        updates, size = moments[-1], rbm.n_visible * rbm.n_hidden
        update, temperature = rows * size + _UPDATE, _REST * 2 * _CHAINS * size + _TEMPERATURE
        if rbm.device.type == "cuda":
            temperature = max(temperature, update)  # so many launches take about as long as a captured update
        affordable = _SHARE * updates * update / temperature
        # Learning is fast at first and slow in the end: anchors at about equal steps of the logarithm. Young models are
        # easily judged and so are those in the end, when the learning rate has fallen; most work goes to the middle.
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
        self._step = -1  # the last one observed
        self._begun: float | None = None  # the likelihood at step 0
        self._passed: list[list[float]] = []  # [step, likelihood] at each anchor, the newest last
        self._variance = 0.0  # nats², of the newest
        self._drift = 4.0  # nats² of variance that an e-fold of steps adds, learned from anchor to anchor

    def observe(
        self,
        rbm: RBM,
        free_energy: float,
        step: int,
        *,
        particles: Tensor | None = None,
        precision: str = "float32",
    ) -> tuple[float, float] | None:
        """(log Z, standard error) in nats of the model after this step; None until the first annealing is due, and of a
        model that blows up.

        free_energy: mean F of a fixed set of training cases under this model; −free_energy − log Z is their likelihood.
        particles: (N, V), the run's persistent chains, where reverse AIS begins; without them AIS stands alone.
        precision: of the annealing, as in `ais`.
        """
        if not math.isfinite(free_energy):
            return None  # the trainer says so; ais and exact_log_z would refuse
        if enumerated_units(rbm) <= _EXACT_UNITS:
            return exact_log_z(rbm), 0.0
        if step == 0 and self.plan:
            young = ais(rbm, betas=_UNTRAINED, n_chains=_CHAINS, base_vbias=self._base, seed=self._seed)
            self._begun = -free_energy - young.log_z
        due = [n for at, n in self.plan.items() if self._step < at <= step]
        self._step = step
        if due:
            self._anchor(rbm, free_energy, due[-1], particles, precision)
        if not self._passed:
            return None
        likelihood, variance = self._expected()
        return -free_energy - likelihood, math.sqrt(variance)

    def _expected(self) -> tuple[float, float]:
        """The likelihood now by the anchors so far, nats, and its variance."""
        *earlier, (last, likelihood) = self._passed
        if self._begun is not None and last > 1:
            earlier.insert(0, [1, self._begun])  # the logarithm of step 0 is out of reach
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
        """Measure log Z by short annealings from both sides, and join it to what was expected."""
        measured = self._measure(rbm, work, particles, precision)
        likelihood, noise = -free_energy - measured.log_z, measured.stderr**2 + _FLOOR**2
        if not math.isfinite(likelihood):
            return  # a model that blows up; the trainer says so
        if self._passed:
            expected, prior = self._expected()
            surprise = likelihood - expected
            excess = max(surprise**2 - noise - self._variance, 0.0)
            if len(self._passed) > 1:
                gone = math.log(self._step / self._passed[-1][0])
                self._drift = 0.5 * self._drift + 0.5 * excess / gone
            prior = max(prior, self._variance + excess)  # a surprise is not averaged away
            gain = prior / (prior + noise)
            likelihood, noise = expected + gain * surprise, gain * noise
        self._passed.append([self._step, likelihood])
        self._variance = noise

    def _measure(self, rbm: RBM, work: int, particles: Tensor | None, precision: str) -> AISResult | Bracket:
        """Bennett's joint estimate where there are particles: either direction alone errs by nats in so few steps."""
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
        """What `load` needs to go on exactly, JSON-able."""
        return deepcopy(
            {name: vars(self)[name] for name in ("_step", "_begun", "_passed", "_variance", "_drift")}
        )

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        vars(self).update(deepcopy(state))
