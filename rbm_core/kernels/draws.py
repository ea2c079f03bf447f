"""Compiled CPU kernels: what torch does in several passes over memory, done in one.

Drawing a layer from its logits takes torch a sigmoid, a Bernoulli draw and a copy: 0.77 ms for 100 × 784 units
where the matrix product before it takes 0.12 ms in bfloat16. Here the bias, the sigmoid, the random number and
the comparison are one loop that LLVM vectorises: about 0.04 ms on one core.

Arrays of bfloat16 travel as their uint16 bit patterns; float32 ones as they are. Every kernel reads row-major
(B, N) arrays. None of them is called by users: `compute.Rng` and `training` are the doors.
"""

import numpy as np
from numba import float32, float64, njit, uint32, uint64

from rbm_core.kernels.bernoulli import another_byte, draw_row, packed, random_for
from rbm_core.kernels.primitives import (
    _FAST,
    _LANES,
    _exp,
    _load,
    _log1p_unit,
    _philox_row,
    _store,
    _unit,
    copy_row,
    lowest_bit,
    total_of,
)


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def draw_from_logits(x, bias, scale, out, key0, key1, c1, c2, c3, first):
    """out[b, n] = 1 with probability σ(scale · (x[b, n] + bias[n])), else 0. out must not overlap x.

    first: the number of row 0, where the rows of one call are shared out among processes.
    """
    rows, n = x.shape
    words = (n + 63) // 64
    z, shift = np.zeros(64 * words, np.float32), np.full(64 * words, np.float32(-1e9))
    shift[:n] = float32(0.0)
    random, fired = random_for(n), np.zeros(words, np.uint64)
    for b in range(rows):
        for i in range(n):
            z[i] = _load(x[b, i]) + bias[i]
        draw_row(z, shift, scale, random, first + b, key0, key1, c1, c2, c3, fired)
        for i in range(n):
            on = (fired[i // 64] >> uint64(i % 64)) & uint64(1)
            out[b, i] = _store(out[b, i], float32(on))


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def draw_from_bytes(images, rows, out, key0, key1, c1, c2, c3, first):
    """out[b, n] = 1 with probability images[rows[b], n] / 255, else 0: stochastic binarisation of uint8 pixels.

    A random byte below 255 is one of 255 numbers, equally likely, as many of which lie below a pixel's value as that
    value says; one that is 255 is drawn again where the pixel is neither 0 nor 255. first: as in `draw_from_logits`.
    """
    n = images.shape[1]
    random, again = np.empty((n + 255) // 256 * 64, np.uint32), np.zeros((n + 63) // 64 * 64, np.uint8)
    bytes_, image, on = random.view(np.uint8), np.zeros(n, np.uint8), np.zeros(n, np.uint8)
    for b in range(rows.shape[0]):
        row = first + b
        _philox_row(random, uint32(row * (random.shape[0] // 4)), key0, key1, c1, c2, c3)
        copy_row(images[rows[b]], image)
        for i in range(n):
            again[i] = (bytes_[i] == 255) & (image[i] != 0) & (image[i] != 255)
        for w in range(again.shape[0] // 64):
            left: int = packed(again, w)
            while left:
                i = 64 * w + lowest_bit(left)
                bytes_[i] = another_byte(uint32(row * bytes_.shape[0] + i), key0, key1, c1, c2, c3)
                left &= left - uint64(1)
        for i in range(n):
            on[i] = (bytes_[i] < image[i]) | (image[i] == 255)
        for i in range(n):
            out[b, i] = _store(out[b, i], float32(on[i]))


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def uniform(out, key0, key1, c1, c2, c3):
    """Fill out (B, N) float32 with the mid-cell uniforms the draws use, for tests and for other laws."""
    rows, n = out.shape
    padded = (n + _LANES - 1) // _LANES * _LANES
    random = np.empty(padded, np.uint32)
    for b in range(rows):
        _philox_row(random, uint32(b * (padded // 4)), key0, key1, c1, c2, c3)
        for i in range(n):
            out[b, i] = _unit(random[i])


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def hidden_statistics(x, bias, offset, sign, h, totals, softplus):
    """What one phase needs of the hidden layer, from its logits x (B, H) before the bias.

    h = sign · (σ(x + bias) − offset), totals (H,) = Σ_b σ(x + bias), softplus (B,) = Σⱼ log(1 + exp(x + bias)).
    h may be x itself.
    """
    rows, n = x.shape
    totals[:] = float32(0.0)
    means, growths = np.empty(n, np.float32), np.empty(n, np.float32)
    for b in range(rows):
        # Two short loops: one with every array in it is not vectorised, for fear that they overlap.
        for i in range(n):
            z = _load(x[b, i]) + bias[i]
            e = _exp(max(-abs(z), float32(-80.0)))
            p = float32(1.0) / (float32(1.0) + e)
            means[i] = p if z >= float32(0.0) else e * p
            growths[i] = max(z, float32(0.0)) + _log1p_unit(e)
        for i in range(n):
            totals[i] += means[i]
            h[b, i] = _store(h[b, i], sign * (means[i] - offset[i]))
        softplus[b] = float64(total_of(growths))


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def column_totals(x, totals):
    """totals (N,) = Σ_b x[b, n] in float32."""
    totals[:] = float32(0.0)
    for b in range(x.shape[0]):
        for i in range(x.shape[1]):
            totals[i] += _load(x[b, i])


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def finish_gradient(raw, scale, v_offset, h_difference, h_offset, grad, grad_h_offset, v_offset_grad):
    """The centred weight gradient and the two products that the bias gradients need, in one pass.

    grad = scale · raw − v_offset h_differenceᵀ, grad_h_offset (V,) = grad · h_offset,
    v_offset_grad (H,) = gradᵀ · v_offset. raw: (V, H) float32 or bfloat16; grad: (V, H) float32.
    """
    rows, n = raw.shape
    v_offset_grad[:] = float32(0.0)
    for i in range(rows):
        mu = v_offset[i]
        total = float32(0.0)
        for j in range(n):
            g = scale * _load(raw[i, j]) - mu * h_difference[j]
            grad[i, j] = g
            v_offset_grad[j] += mu * g
        for j in range(n):  # by itself, as `total_of` explains
            total += grad[i, j] * h_offset[j]
        grad_h_offset[i] = total
