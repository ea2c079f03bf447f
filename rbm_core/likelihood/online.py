"""log Z while a model learns: importance weights carried along the training's own path.

Annealing needs a path from a model whose Z is known to the one in question. Training is such a path: it
starts near independent pixels and moves in small steps. A population of chains of its own follows the
parameters; before each move its weights take exp(F_old(v) − F_new(v)), after it every chain makes a sweep of
the new model, and when the weights get uneven the population is resampled. That is annealed importance
sampling (Neal 2001) along the trajectory, with Del Moral, Doucet & Jasra's (2006) resampling: an unbiased
estimate of Z at every step.

Desjardins, Courville & Bengio (2011) weigh the chains that also drive learning. Those are pushed away from
wherever they are by the very update they are weighed for, so each step adds a bias of the same sign; chains
that only watch do not have it.
"""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import softplus

from rbm_core.compute import Rng, as_array
from rbm_core.likelihood import kernels
from rbm_core.likelihood.ais import adaptive_betas, prepare_ais
from rbm_core.likelihood.annealing import AISResult
from rbm_core.rbm import RBM

__all__ = ["OnlineLogZ"]

# Weights are resampled when fewer than this share of the chains carry them.
_RESAMPLE_BELOW = 0.5


class OnlineLogZ:
    """log Z of a model that changes a little between calls of `update`.

    rbm: the model to begin with. n_chains: the population. n_steps: temperatures of the annealing that starts
    it. base_vbias: (V,), as in `ais`. seed: of its own streams, so that training does not notice that it is
    watched. dtype: of the products; float32 or bfloat16.
    """

    def __init__(
        self,
        rbm: RBM,
        *,
        n_chains: int = 100,
        n_steps: int = 1000,
        base_vbias: Tensor | np.ndarray | None = None,
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.dtype = dtype if rbm.visible == "bernoulli" else torch.float32
        self._compiled = rbm.device.type == "cpu" and rbm.visible == "bernoulli"
        self.rng = Rng(seed, "online", rbm.device)
        betas = adaptive_betas(rbm, n_steps, base_vbias=base_vbias, seed=seed)
        start = prepare_ais(rbm, betas=betas, n_chains=n_chains, base_vbias=base_vbias, seed=seed)
        start.advance(len(betas))
        self._v = start.visible_states().to(self.dtype).contiguous()
        self._log_w = start.log_weights.cpu().numpy() + start.log_z_base
        self._log_z, self._variance = 0.0, 0.0  # of the generations before the last resampling
        self._take(rbm)
        self._free_energy = self._energies()

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
            field = (
                torch.mv(self._v, self._rbm.vbias.to(self.dtype))
                if self.dtype == torch.float32
                else (self._v.float() @ self._rbm.vbias)
            )
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

    def _resample(self) -> None:
        now = AISResult.from_log_weights(self._log_w)
        self._log_z += now.log_z
        self._variance += now.stderr**2
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
        return self._log_z + now.log_z, math.sqrt(self._variance + now.stderr**2)
