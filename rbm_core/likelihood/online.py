"""log Z while a model learns: short annealings as anchors, importance weights along training's own path
between.

Between two anchors a population of chains of its own follows the parameters. Before each move its weights
take exp(F_old(v) − F_new(v)), after it every chain makes a sweep of the new model, and when the weights get
uneven the population is resampled: annealed importance sampling along the trajectory (Neal 2001; Del Moral,
Doucet & Jasra 2006). Desjardins, Courville & Bengio (2011) weigh the chains that also drive learning; those
are pushed away from wherever they are by the very update they are weighed for, a bias of one sign at every
step. Measured here on 13,750 updates of centred PCD-5 with 500 hidden units, against AIS with 14,500
temperatures: those chains end 10,000 nats off, chains that only watch 19 to 75 nats, all of it lost while the
learning rate is high and the model outruns any chain; a fresh annealing of 5,000 adaptive temperatures at the
end is right to 0.3 nats. So the anchors carry the level, the trajectory only what happens between them, and
how far it is believed is learned from how far it was off at the last anchors: a scalar Kalman filter, whose
error bar grows until the next anchor.
"""

import math
import time

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import softplus

from rbm_core.compute import Rng, as_array
from rbm_core.likelihood import kernels
from rbm_core.likelihood.ais import adaptive_betas, base_rate, prepare_ais
from rbm_core.likelihood.annealing import AISResult
from rbm_core.rbm import RBM

__all__ = ["OnlineLogZ"]

# Weights are resampled when fewer than this share of the chains carry them.
_RESAMPLE_BELOW = 0.5
_FIRST_STEPS, _FEWEST_STEPS, _MOST_STEPS = 200, 500, 5000  # temperatures of an anchor
_STEPS_PER_SECOND = 100  # young runs are anchored roughly and often, older ones carefully


class OnlineLogZ:
    """log Z of a model that changes between calls of `observe`, with an error bar, at a bounded share of the
    time.

    rbm: the model to begin with; hardly trained, so that a short annealing is right. n_chains: the
    population. base_vbias: (V,), as in `ais`. seed: of its own streams, so that training does not notice that
    it is watched. dtype: of the products, float32 or bfloat16. share: of the training time that this may
    cost. Nothing of it needs saving: a resumed run begins with an anchor.
    """

    def __init__(
        self,
        rbm: RBM,
        *,
        n_chains: int = 30,
        base_vbias: Tensor | np.ndarray | None = None,
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
        share: float = 0.05,
    ) -> None:
        self.dtype = dtype if rbm.visible == "bernoulli" else torch.float32
        self.n_chains, self.seed, self.share = n_chains, seed, share
        self._compiled = rbm.device.type == "cpu" and rbm.visible == "bernoulli"
        self._base = base_rate(rbm, seed=seed) if base_vbias is None else torch.as_tensor(base_vbias)
        self.rng = Rng(seed, "online", rbm.device)
        self.anchors = 0
        self.seconds = 0.0  # spent here so far
        self._drift = 25.0  # nats² of variance an update adds, learned from anchor to anchor
        self._updates = 0  # since the last anchor
        self._pilot, self._per_temperature = 0.0, 0.0  # seconds
        self._level, self._variance = 0.0, math.inf
        self.anchor(rbm, _FIRST_STEPS)

    def observe(self, rbm: RBM, training_seconds: float, *, final: bool = False) -> tuple[float, float]:
        """(log Z, standard error) in nats of the model now; anchors itself where the time allows.

        training_seconds: how long this run has trained. final: anchor with all temperatures, whatever the
        time.
        """
        begun = time.perf_counter()
        self.update(rbm)
        wanted = int(min(max(_FEWEST_STEPS, _STEPS_PER_SECOND * training_seconds), _MOST_STEPS))
        allowed = self.share * training_seconds - self.seconds
        if final:
            self.anchor(rbm, _MOST_STEPS)
        elif allowed > self._pilot + self._per_temperature * wanted:
            self.anchor(rbm, wanted)
        self.seconds += time.perf_counter() - begun
        return self.estimate()

    def anchor(self, rbm: RBM, n_steps: int) -> None:
        """Measure log Z by a short annealing of n_steps temperatures, and go on from its chains."""
        begun = time.perf_counter()
        seed = self.seed + 7919 * (self.anchors + 1)
        precision = str(self.dtype).removeprefix("torch.")
        betas = adaptive_betas(rbm, n_steps, base_vbias=self._base, seed=seed, precision=precision)
        self._pilot = time.perf_counter() - begun
        chains = prepare_ais(
            rbm,
            betas=betas,
            n_chains=self.n_chains,
            base_vbias=self._base,
            seed=seed,
            precision=precision,
        )
        chains.advance(len(betas))
        measured = chains.result()
        # Five hundredths of a nat for what so few chains cannot know about their own spread.
        noise = measured.stderr**2 + 0.05**2
        if math.isinf(self._variance):
            self._level, self._variance = measured.log_z, noise
        else:
            predicted, stderr = self.estimate()
            surprise = measured.log_z - predicted
            excess = max(surprise**2 - noise - stderr**2 + self._drift * self._updates, 0.0)
            self._drift = 0.5 * self._drift + 0.5 * excess / max(self._updates, 1)
            prior = stderr**2 + max(surprise**2 - stderr**2 - noise, 0.0)  # a surprise is not averaged away
            gain = prior / (prior + noise)
            self._level, self._variance = predicted + gain * surprise, gain * noise
        self._v = chains.visible_states().to(self.dtype).contiguous()
        self._log_w = chains.log_weights.cpu().numpy().copy()
        self._start = AISResult.from_log_weights(self._log_w).log_z
        self._gained, self._spent = 0.0, 0.0
        self._take(rbm)
        self._free_energy = self._energies()
        self.anchors, self._updates = self.anchors + 1, 0
        self._per_temperature = (time.perf_counter() - begun - self._pilot) / n_steps

    def _take(self, rbm: RBM) -> None:
        """Keep the parameters, in the products' precision."""
        scaled = rbm.W if rbm.inverse_var is None else rbm.W * rbm.inverse_var[:, None]
        self._W = scaled.to(self.dtype).clone()
        self._rbm = RBM(rbm.W, rbm.vbias.clone(), rbm.hbias.clone(), rbm.visible, rbm.log_var)
        if rbm.log_var is not None:
            self._W_back = rbm.W.to(self.dtype).clone()
            self._rbm = RBM(
                rbm.W.clone(), rbm.vbias.clone(), rbm.hbias.clone(), rbm.visible, rbm.log_var.clone()
            )

    def _energies(self) -> np.ndarray:
        """F(v) (N,) float64 of the kept parameters; leaves the hidden logits, less the bias, in _x."""
        self._x = torch.mm(self._v, self._W)
        if self._compiled:
            total = np.empty(len(self._v))
            kernels.softplus_rows(as_array(self._x), self._rbm.hbias.numpy(), total)
            field = self._v.float() @ self._rbm.vbias
            return -field.double().numpy() - total
        z = self._x.double() + self._rbm.hbias
        return (self._rbm.visible_energy(self._v.float()).double() - softplus(z).sum(1)).cpu().numpy()

    def update(self, rbm: RBM) -> None:
        """Follow the model to its new parameters: weigh, resample if need be, sweep. Costs three products."""
        before = self._free_energy
        self._take(rbm)
        self._log_w += before - self._energies()
        ess = AISResult.from_log_weights(self._log_w).ess
        if ess < _RESAMPLE_BELOW * len(self._v):
            self._resample()
        self._sweep()
        self._free_energy = self._energies()
        self._updates += 1

    def _resample(self) -> None:
        now = AISResult.from_log_weights(self._log_w)
        self._gained += now.log_z
        self._spent += now.stderr**2
        w = np.exp(self._log_w - self._log_w.max())
        n = len(w)
        picks = (np.arange(n) + float(self.rng.uniform((1,)))) / n
        chosen = np.searchsorted(np.cumsum(w / w.sum()), picks).clip(max=n - 1)
        index = torch.from_numpy(chosen).to(self._v.device)
        self._v, self._x = self._v[index].contiguous(), self._x[index].contiguous()
        self._log_w = np.zeros(n)

    def _sweep(self) -> None:
        """v → h → v from the hidden logits at hand."""
        rbm = self._rbm
        h = self.rng.bernoulli(self._x, rbm.hbias, out=self._x)
        W = self._W if rbm.log_var is None else self._W_back
        y = torch.mm(h, W.t())
        if rbm.visible == "bernoulli":
            self._v = self.rng.bernoulli(y, rbm.vbias, out=y)
        else:
            noise = self.rng.normal(tuple(y.shape))
            self._v = y + rbm.vbias + (noise if rbm.log_var is None else noise * torch.exp(rbm.log_var / 2))

    def estimate(self) -> tuple[float, float]:
        """(log Z, standard error) in nats, of the model last seen."""
        now = AISResult.from_log_weights(self._log_w)
        moved = self._gained + now.log_z - self._start
        if self._updates == 0:
            return self._level, math.sqrt(self._variance)
        variance = self._variance + self._spent + now.stderr**2 + self._drift * self._updates
        return self._level + moved, math.sqrt(variance)
