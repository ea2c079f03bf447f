"""The map: training images as points in a plane, by the principal components of their hidden probabilities."""

import hashlib
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rbm_core.compute import Rng
from rbm_core.labels import with_drawn_labels
from rbm_core.rbm import RBM
from rbm_core.trajectory.cases import MAPPED, Cases, binarised
from rbm_core.trajectory.states import Scale

__all__ = ["Plane", "plane_of"]

_SHOWN = 700  # images drawn as points
_REMEMBERED = 8  # planes kept; most films differ from the last in seed or temperature, not in the model


class Plane:
    """The plane of one model: points (N, 2) and labels (N,) of training images, and where any state lies."""

    def __init__(self, rbm: RBM, binarisation: str, scale: Scale, known: Cases) -> None:
        from sklearn.decomposition import PCA  # takes a second to import, so it is imported only for a map

        images = known.images[:MAPPED]
        if not rbm.law.units.real:
            images = binarised(images, binarisation, Rng(0, "gibbs map"))
        v = scale.units(images)
        if rbm.n_labels:
            v = with_drawn_labels(rbm, v, Rng(0, "gibbs map labels"))
        hidden = rbm.mean_h_from_v(v).numpy()
        with np.errstate(invalid="ignore"):  # the shares are 0/0 if all images have the same p(h|v)
            pca = PCA(2, random_state=0).fit(hidden)
        self._mean, self._axes = pca.mean_, pca.components_.T
        self.points = self.place(torch.from_numpy(hidden[:_SHOWN]))
        self.labels = known.small_labels[:_SHOWN]
        share = 100 * float(np.nan_to_num(pca.explained_variance_ratio_).sum())
        variance = f"their first two principal components hold {share:.0f} % of the variance"
        self.words = f"{known.counted(len(hidden))}; {variance}"

    def place(self, hidden: Tensor) -> np.ndarray:
        """(N, H) hidden probabilities -> (N, 2) float32."""
        return ((hidden.numpy() - self._mean) @ self._axes).astype(np.float32)


_planes: dict[tuple[Any, ...], Plane] = {}


def plane_of(rbm: RBM, binarisation: str, scale: Scale, known: Cases) -> Plane:
    """The plane of this model and these images, from memory if it is one of those made last."""
    weights = hashlib.sha256(b"".join(x.numpy().tobytes() for x in (rbm.W, rbm.vbias, rbm.hbias))).digest()
    key = (weights, known.source, binarisation, rbm.visible, rbm.penalty)
    if key not in _planes:
        while len(_planes) >= _REMEMBERED:
            del _planes[next(iter(_planes))]
        _planes[key] = Plane(rbm, binarisation, scale, known)
    return _planes[key]
