"""Compiled CPU kernels of annealing: a draw and the log-weight it implies, in one pass over the logits.

Like `rbm_core.kernels.draws`, from which the random numbers and the elementary functions come: row-major (B, N)
arrays, bfloat16 as uint16 bit patterns, float32 as it is.
"""

import math

import numpy as np
from llvmlite import ir
from numba import float32, float64, int64, njit, types, uint32, uint64
from numba.extending import intrinsic

from rbm_core.kernels.chains import (
    _add,
    _take_up,
    counter_of,
    draw_chain,
    get_states,
    half_sweep,
    load_layer,
    new_layer,
    pack,
    set_states,
)
from rbm_core.kernels.primitives import (
    _FAST,
    _LANES,
    INNER,
    _exp,
    _fires,
    _load,
    _log1p_unit,
    _philox_row,
    _store,
    _unit,
    copy_row,
    inner,
    lowest_bit,
    total_of,
)
from rbm_core.kernels.rows import new_lists
from rbm_core.kernels.threads import next_piece

__all__ = ["anneal_chains", "anneal_hidden", "anneal_visible", "enumerate_rows", "softplus_rows"]

_RENEWED = 256  # temperatures after which the sums of flip-driven chains start anew


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def anneal_hidden(x, bias, beta, beta_next, weights, h, key0, key1, c1, c2, c3):
    """weights[b] += Σⱼ softplus(β′z) − softplus(βz) with z = x[b, j] + bias[j], then h[b, j] ~
    Bernoulli(σ(β′z)).

    The first moves a chain's log-weight from temperature β to β′, the second is the first half of the sweep
    at β′: both need the same logits. h may be x itself.
    """
    rows, n = x.shape
    padded = (n + _LANES - 1) // _LANES * _LANES
    random = np.empty(padded, np.uint32)
    hot, growths = np.empty(n, np.float32), np.empty(n, np.float32)
    step = beta_next - beta
    for b in range(rows):
        _philox_row(random, uint32(b * (padded // 4)), key0, key1, c1, c2, c3)
        for i in range(n):
            z = _load(x[b, i]) + bias[i]
            size = -abs(z)
            e = _exp(max(beta_next * size, float32(-80.0)))
            growths[i] = step * max(z, float32(0.0)) + (
                _log1p_unit(e) - _log1p_unit(_exp(max(beta * size, float32(-80.0))))
            )
            # u < σ(β′z), with the exponential that is already there.
            u = _unit(random[i])
            fires = u + u * e < (float32(1.0) if z >= float32(0.0) else e)
            hot[i] = float32(1.0) if fires else float32(0.0)
        for i in range(n):
            h[b, i] = _store(h[b, i], hot[i])
        weights[b] += float64(total_of(growths))


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def anneal_visible(y, bias, beta, slope, v, field, key0, key1, c1, c2, c3):
    """v[b, i] ~ Bernoulli(σ(β y[b, i] + bias[i])) and field[b] = Σᵢ slope[i] v[b, i]. v may be y itself."""
    rows, n = y.shape
    padded = (n + _LANES - 1) // _LANES * _LANES
    random = np.empty(padded, np.uint32)
    hot = np.empty(n, np.float32)
    for b in range(rows):
        _philox_row(random, uint32(b * (padded // 4)), key0, key1, c1, c2, c3)
        for i in range(n):
            hot[i] = float32(1.0) if _fires(random[i], beta * _load(y[b, i]) + bias[i]) else float32(0.0)
        total = float32(0.0)
        for i in range(n):
            total += slope[i] * hot[i]
        for i in range(n):
            v[b, i] = _store(v[b, i], hot[i])
        field[b] = float64(total)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def softplus_rows(x, bias, out):
    """out[b] = Σⱼ softplus(x[b, j] + bias[j])."""
    rows, n = x.shape
    for b in range(rows):
        total = float32(0.0)
        for i in range(n):
            z = _load(x[b, i]) + bias[i]
            total += max(z, float32(0.0)) + _log1p_unit(_exp(max(-abs(z), float32(-80.0))))
        out[b] = float64(total)


@njit(fastmath=_FAST, **INNER)
def _growth(x, bias, beta, beta_next):
    """Σⱼ softplus(β′zⱼ) − softplus(βzⱼ) with z = x + bias."""
    step, total = beta_next - beta, float32(0.0)
    for i in range(bias.shape[0]):
        z = x[i] + bias[i]
        size = -abs(z)
        # log(1 + e′) − log(1 + e) = log(1 + (e′ − e) / (1 + e)) with e = e^−β|z|.
        e = _exp(max(beta * size, float32(-80.0)))
        ratio = (_exp(max(beta_next * size, float32(-80.0))) - e) / (float32(1.0) + e)
        total += step * max(z, float32(0.0)) + _log1p_unit(ratio)
    return float64(total)


@njit(fastmath=_FAST, **INNER)
def _draw_growing(x, bias, beta, beta_next, random, fired, growths):
    """`_growth`, and fired[i] = 1 with probability σ(β′z), by one exponential a unit. For |β′ − β| ≤ 0.02 β′.

    growths: room for a number a unit.

    With p = σ(−β′|z|) the growth is (β′ − β) max(z, 0) − log(1 + p (e^(β′−β)|z| − 1)), and p is small where the inner
    exponent is not: its series and that of the logarithm, as far as they are taken, err by less than 1e-9.
    """
    step = beta_next - beta
    for i in range(bias.shape[0]):
        z = x[i] + bias[i]
        size = abs(z)
        e = _exp(max(-beta_next * size, float32(-80.0)))
        p = e / (float32(1.0) + e)
        u = _unit(random[i])
        fired[i] = u < p if z < float32(0.0) else u + p < float32(1.0)
        s = min(max(step * size, float32(-4.0)), float32(4.0))  # beyond, p < 1e-34
        s = s + s * s * (float32(1 / 2) + s * (float32(1 / 6) + s * float32(1 / 24)))
        s = p * s
        growths[i] = step * max(z, float32(0.0)) - s + s * s * (float32(1 / 2) - s * float32(1 / 3))
    return float64(total_of(growths))


@inner
def _field(state, slope):
    """Σᵢ slope[i] over the units that are on."""
    total = 0.0
    for w in range(state.shape[0]):
        left = state[w]
        while left:
            total += slope[64 * w + lowest_bit(left)]
            left &= left - uint64(1)
    return total


@inner
def _weigh_and_draw_h(
    hidden, visible, WT, hbias, beta, beta_next, renew, stream, call, first, lists, weights, random, growths
):
    """The weights' step from β to β′, and the hidden half of the sweep at β′, from the same sums."""
    near = abs(beta_next - beta) <= float32(0.02) * beta_next
    if not near:
        for j in range(hbias.shape[0]):
            hidden.shift[j] = beta_next * hbias[j]
    for chain in range(weights.shape[0]):
        x = hidden.x[chain]
        if near:
            key0, key1, c1, c2, c3 = counter_of(stream, call)
            row = stream.first + first + chain
            _philox_row(random, uint32(row * (random.shape[0] // 4)), key0, key1, c1, c2, c3)
            weights[chain] += _draw_growing(x, hbias, beta, beta_next, random, hidden.bytes_, growths)
            pack(hidden)
        else:
            weights[chain] += _growth(x, hbias, beta, beta_next)
            draw_chain(hidden, chain, beta_next, stream, call, first)
        if _take_up(hidden, chain, renew, lists):
            visible.x[chain] = float32(0.0)
    _add(hidden, visible, WT, lists)


@inner
def _anneal_group(visible, hidden, path, betas, start, stop, stream, first, together, weights, field):
    """A group's way from temperature number `start` to number `stop`; the last of all is weighed and not drawn at."""
    W, WT, vbias, hbias, base, slope = path
    held, values = np.empty(0, np.bool_), np.empty((1, 0), np.uint8)
    chains, random = weights.shape[0], np.empty(hidden.bytes_.shape[0], np.uint32)
    growths = np.empty(hbias.shape[0], np.float32)
    lists_v, lists_h = new_lists(chains, W.shape[1], together), new_lists(chains, WT.shape[1], together)
    for k in range(start, stop):
        beta, beta_next = float32(betas[k]), float32(betas[k + 1])
        renew, call = k % _RENEWED == _RENEWED - 1, 2 * (k - start)
        for chain in range(weights.shape[0]):
            weights[chain] += (betas[k + 1] - betas[k]) * field[chain]
        _weigh_and_draw_h(
            hidden,
            visible,
            WT,
            hbias,
            beta,
            beta_next,
            renew,
            stream,
            call,
            first,
            lists_h,
            weights,
            random,
            growths,
        )
        if k + 2 < betas.shape[0]:
            for i in range(vbias.shape[0]):
                visible.shift[i] = (float32(1.0) - beta_next) * base[i] + beta_next * vbias[i]
            half_sweep(visible, hidden, W, beta_next, held, values, renew, stream, call + 1, first, lists_v)
            for chain in range(weights.shape[0]):
                field[chain] = _field(visible.state[chain], slope)


@njit(cache=True, nogil=True)
def anneal_chains(queue, pieces, group, path, betas, start, stop, stream, v, h, x_v, x_h, weights, field):
    """Flip-driven chains on from temperature number `start` to number `stop`, each group all the way by itself.

    path: (W, Wᵀ, vbias, hbias, base, slope): the model, its matrices in panels, the base model's biases a, and
    vbias − a in float64. betas: float64. v (N, V), h (N, H): uint8, and x_v (N, V) = hWᵀ, x_h (N, H) = vW, float32:
    where the chains stand; at start 0 v alone. weights, field (N,) float64: log-weights and (vbias − a)·v.
    """
    while True:
        piece: int = next_piece(queue)
        if piece >= pieces:
            return
        first, last = piece * group, min((piece + 1) * group, v.shape[0])
        visible, hidden = new_layer(last - first, path[2], path[0]), new_layer(last - first, path[3], path[0])
        if start == 0:
            set_states(
                visible, hidden, path[0], v[first:last], new_lists(last - first, v.shape[1], v.shape[0])
            )
        else:
            load_layer(visible, v[first:last], x_v[first:last])
            load_layer(hidden, h[first:last], x_h[first:last])
        _anneal_group(
            visible,
            hidden,
            path,
            betas,
            start,
            stop,
            stream,
            first,
            v.shape[0],
            weights[first:last],
            field[first:last],
        )
        get_states(visible, v[first:last])
        get_states(hidden, h[first:last])
        for chain in range(last - first):
            copy_row(visible.x[chain], x_v[first + chain])
            copy_row(hidden.x[chain], x_h[first + chain])


@intrinsic
def _double_from_bits(typing_context, x):
    """The float64 with this int64 bit pattern."""

    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.int64), codegen


@njit(inline="always")
def _exp64(y):
    """exp(y) for −700 ≤ y ≤ 0, relative error below 1e-15 (Cephes exp), in a form that LLVM vectorises."""
    k = np.floor(y * 1.4426950408889634 + 0.5)
    g = (y - k * 6.93145751953125e-1) - k * 1.42860682030941723212e-6
    g2 = g * g
    # exp(g) = 1 + 2 g P(g²) / (Q(g²) − g P(g²)).
    p = g * ((1.26177193074810590878e-4 * g2 + 3.02994407707441961300e-2) * g2 + 1.0)
    q = (
        (3.00198505138664455042e-6 * g2 + 2.52448340349684104192e-3) * g2 + 2.27265548208155028766e-1
    ) * g2 + 2.0
    return (1.0 + 2.0 * p / (q - p)) * _double_from_bits((int64(k) + int64(1023)) << int64(52))


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "nsz"})
def enumerate_rows(low, high, low_bias, high_bias, out):
    """out[a, b] = low_bias[a] + high_bias[b] + Σⱼ softplus(low[a, j] + high[b, j]), all float64.

    low (A, N) and high (B, N) are the logits that two halves of the enumerated layer give to the other layer.
    """
    n = low.shape[1]
    for a in range(low.shape[0]):
        for b in range(high.shape[0]):
            total = 0.0
            product = 1.0
            for start in range(0, n, 512):
                # One logarithm for 512 factors of at most 2.
                part, product = 0.0, 1.0
                for j in range(start, min(start + 512, n)):
                    z = low[a, j] + high[b, j]
                    part += max(z, 0.0)
                    product *= 1.0 + _exp64(max(-abs(z), -700.0))
                total += part + math.log(product)
            out[a, b] = low_bias[a] + high_bias[b] + total
