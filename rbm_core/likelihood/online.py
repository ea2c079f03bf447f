"""log Z while a model learns: short annealings as anchors, the likelihood held between them, a bar that
grows.

While log Z climbs by hundreds of nats, the training data's free energy falls by nearly as much: their sum,
the log-likelihood, moves slowly. So between two annealings it is the likelihood that is held, and log Z
follows from the free energy of the training subset, which the curves measure anyway. How far that may be off
is learned from how far it was off at each anchor: a scalar Kalman filter with a random walk for the
likelihood.

The other way, tried first, carries importance weights exp(F_old(v) − F_new(v)) along the trajectory
(Desjardins, Courville & Bengio 2011; resampled as in Del Moral, Doucet & Jasra 2006). Measured over 13,750
updates of centred PCD-5 with 500 hidden units against AIS with 14,500 temperatures: weighing the chains that
drive learning, which are pushed away from wherever they are by the very update they are weighed for, ends
10,000 nats off; 100 chains that only watch, 19 to 75 nats, lost while the learning rate is high and the model
outruns any chain; one fresh annealing of 5,000 adaptive temperatures ends right to 0.3 nats, for a second of
work. So all of the time goes to annealing.
"""

import math
import time

import numpy as np
import torch
from torch import Tensor

from rbm_core.likelihood.ais import Betas, adaptive_betas, base_rate, prepare_ais
from rbm_core.rbm import RBM

__all__ = ["OnlineLogZ"]

_FIRST_STEPS, _FEWEST_STEPS, _MOST_STEPS = 200, 500, 5000  # temperatures of an anchor
_PILOTED = 1500  # below this a pilot that places the temperatures costs more than it gains
_STEPS_PER_SECOND = 100  # young runs are anchored roughly and often, older ones carefully
_FLOOR = 0.05  # nats that so few chains cannot know about their own spread


class OnlineLogZ:
    """log Z of a model that changes between calls of `observe`, with an error bar, at a bounded share of the
    time.

    n_chains: of each annealing. base_vbias: (V,), as in `ais`; None asks the first model seen. seed: of its
    own streams, so that training does not notice that it is watched. dtype: of the products, float32 or
    bfloat16. share: of the training time that this may cost. Nothing of it needs saving: a resumed run begins
    with an anchor.

    What is estimated is log Z as annealing sees it: while the learning rate is high and chains do not mix, a
    single AIS of any length can be nats too low, and so can this.
    """

    def __init__(
        self,
        *,
        n_chains: int = 30,
        base_vbias: Tensor | np.ndarray | None = None,
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
        share: float = 0.05,
    ) -> None:
        self.n_chains, self.seed, self.dtype, self.share = n_chains, seed, dtype, share
        self._base = base_vbias
        self.anchors = 0
        self.seconds = 0.0  # spent here so far, the first anchor apart
        self._likelihood, self._variance = 0.0, math.inf
        self._drift = 1.0  # nats² of variance that an observation adds, learned from anchor to anchor
        self._since = 0  # observations since the last anchor
        self._pilot = self._per_temperature = math.inf  # seconds, the fastest yet

    def observe(
        self, rbm: RBM, free_energy: float, training_seconds: float, *, final: bool = False
    ) -> tuple[float, float]:
        """(log Z, standard error) in nats of the model now; anneals afresh where the time allows.

        free_energy: mean F of a fixed set of training cases under this model. training_seconds: how long the
        run has trained. final: anneal with all temperatures, whatever the time. −free_energy − log Z is the
        likelihood.
        """
        self._since += 1
        if self.anchors == 0:
            if self._base is None:
                self._base = base_rate(rbm, seed=self.seed)
            self._anchor(rbm, free_energy, 2)  # compiles, and tells nothing
            self._variance, self._pilot, self._per_temperature = math.inf, math.inf, math.inf
            self._anchor(rbm, free_energy, _FIRST_STEPS)
            return self._estimate(free_energy)
        begun = time.perf_counter()
        wanted = int(min(max(_FEWEST_STEPS, _STEPS_PER_SECOND * training_seconds), _MOST_STEPS))
        # The first pilot's price is not known yet: about a fifth of the annealing it is for.
        pilot = self._pilot if math.isfinite(self._pilot) else 0.2 * self._per_temperature * wanted
        price = self._per_temperature * wanted + (pilot if wanted >= _PILOTED else 0.0)
        if final:
            self._anchor(rbm, free_energy, _MOST_STEPS)
        elif self.seconds + price < self.share * training_seconds:
            self._anchor(rbm, free_energy, wanted)
        self.seconds += time.perf_counter() - begun
        return self._estimate(free_energy)

    def _anchor(self, rbm: RBM, free_energy: float, n_steps: int) -> None:
        """Measure log Z by a short annealing, and join it to what was expected."""
        begun = time.perf_counter()
        seed = self.seed + 7919 * (self.anchors + 1)
        precision = str(self.dtype if rbm.visible == "bernoulli" else torch.float32).removeprefix("torch.")
        betas: Betas = n_steps
        if n_steps >= _PILOTED:
            betas = adaptive_betas(rbm, n_steps, base_vbias=self._base, seed=seed, precision=precision)
        placed = time.perf_counter()
        annealing = prepare_ais(
            rbm, betas=betas, n_chains=self.n_chains, base_vbias=self._base, seed=seed, precision=precision
        )
        annealing.advance(n_steps)
        measured = annealing.result()
        likelihood, noise = -free_energy - measured.log_z, measured.stderr**2 + _FLOOR**2
        if math.isinf(self._variance):
            self._likelihood, self._variance = likelihood, noise
        else:
            surprise = likelihood - self._likelihood
            excess = max(surprise**2 - noise - self._variance, 0.0)
            self._drift = 0.5 * self._drift + 0.5 * excess / self._since
            prior = self._variance + max(excess, self._drift * self._since)  # a surprise is not averaged away
            gain = prior / (prior + noise)
            self._likelihood += gain * surprise
            self._variance = gain * noise
        self.anchors, self._since = self.anchors + 1, 0
        if n_steps >= _PILOTED:
            self._pilot = min(self._pilot, placed - begun)
        self._per_temperature = min(self._per_temperature, (time.perf_counter() - placed) / n_steps)

    def _estimate(self, free_energy: float) -> tuple[float, float]:
        variance = self._variance + self._drift * self._since
        return -free_energy - self._likelihood, math.sqrt(variance)
