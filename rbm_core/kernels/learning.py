"""One parameter update by rows instead of products: both phases, the gradient, and the step along it.

The chains are those of `chains`. The gradient ⟨vhᵀ⟩ is summed from the hidden means of the cases in which a pixel is
on, 13 % of them; each pixel's row of it is centred and added to W, Wᵀ and the running average while it is in the cache.
Every number is a function of its own chain, or of its own row of W, so that the bits do not depend on the threads.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import float32, float64, njit, uint64

from rbm_core.kernels.chains import get_states, new_layer, set_states, sweep_group
from rbm_core.kernels.draws import draw_from_bytes
from rbm_core.kernels.primitives import _FAST, INNER, _exp, _store, copy_row, inner, lowest_bit
from rbm_core.kernels.rows import add_rows, new_lists, padded, put_row, put_transposed
from rbm_core.kernels.threads import next_piece


class Statistics(NamedTuple):
    """What the phases leave for the gradient, the batch's B cases first, then the N particles.

    states: (B + N, words) uint64, the visible units, a bit each. h: (B + N, H) float32 in panels, p(h = 1 | v) over
    the number of cases in its phase. softplus: (B + N,) float64, Σⱼ log(1 + exp(cⱼ + (vW)ⱼ)).
    """

    states: np.ndarray
    h: np.ndarray
    softplus: np.ndarray


@njit(fastmath=_FAST, **INNER)
def _hidden_means(x, scale, bias, share, h, rest):
    """h = share · σ(scale · x + bias); returns Σ softplus(scale · x + bias). rest: room for as many numbers."""
    total, n = 0.0, bias.shape[0]
    for i in range(n):
        h[i] = scale * float32(x[i]) + bias[i]
        rest[i] = _exp(max(-abs(h[i]), float32(-80.0)))
    # Σ log(1 + e) by one logarithm for 64 factors of at most 2; nothing is written here, as `total_of` explains.
    for start in range(0, n, 64):
        positive, product = float32(0.0), float32(1.0)
        for i in range(start, min(start + 64, n)):
            positive += max(h[i], float32(0.0))
            product *= float32(1.0) + rest[i]
        total += float64(positive) + math.log(float64(product))
    for i in range(n):
        p = share / (float32(1.0) + rest[i])
        h[i] = p if h[i] >= float32(0.0) else rest[i] * p
    return total


@inner
def _leave(visible, hidden, scale, bias, share, statistics, first):
    """The statistics of a group, whose first case or particle has the number `first`. bias: (H,)."""
    h = np.zeros(hidden.x.shape[1], np.float32)
    rest = np.empty(bias.shape[0], np.float32)
    for chain in range(visible.state.shape[0]):
        copy_row(visible.state[chain], statistics.states[first + chain])
        statistics.softplus[first + chain] = _hidden_means(hidden.x[chain], scale, bias, share, h, rest)
        put_row(h, first + chain, statistics.h)


@inner
def _chains_piece(first, visible, hidden, model, persistent, k, stream, v, h, statistics, batch):
    """k sweeps of the chains `first`, `first` + 1, …, whose statistics follow those of the batch."""
    held, values = np.empty(0, np.bool_), np.empty((1, 0), np.uint8)
    last = first + visible.x.shape[0]
    sweep_group(
        visible,
        hidden,
        model[0],
        model[1],
        k,
        persistent,
        model[4],
        held,
        values,
        not persistent,
        stream,
        first,
        v.shape[0],
    )
    get_states(visible, v[first:last])
    get_states(hidden, h[first:last])
    _leave(visible, hidden, model[4], model[3], float32(1.0) / float32(v.shape[0]), statistics, batch + first)


@njit(cache=True, nogil=True)
def both_phases(queue, pieces, groups, persistent, model, k, stream, tossed, v_batch, v, h, statistics):
    """Both phases of an update: the statistics of the batch, and k sweeps of the chains with theirs.

    persistent: whether chains go on from their hidden states (PCD) or start at their case of the batch (CD). groups:
    (chains of a group, cases of a group). model: (W, Wᵀ, vbias, hbias, unit), the matrices in panels, in whole numbers
    of the unit or in float32. tossed: (images, rows, counter, first) as in `draws.draw_from_bytes`, of which the batch
    is drawn; no rows: v_batch holds it. v_batch (B, V), v (N, V), h (N, H): uint8, the last two overwritten. Pieces are
    the groups of chains, the longer work, then, for PCD, those of the batch.
    """
    (W, WT, vbias, hbias, unit), batch = model, v_batch.shape[0]
    images, rows, (key0, key1, c1, c2, c3), row = tossed
    of_chains = (v.shape[0] + groups[0] - 1) // groups[0]
    while True:
        piece: int = next_piece(queue)
        if piece >= pieces:
            return
        of_batch = piece >= of_chains
        first = (piece - of_chains) * groups[1] if of_batch else piece * groups[0]
        last = min(first + groups[1], batch) if of_batch else min(first + groups[0], v.shape[0])
        visible, hidden = new_layer(last - first, vbias, W), new_layer(last - first, hbias, W)
        if of_batch or not persistent:
            if rows.shape[0]:
                draw_from_bytes(
                    images, rows[first:last], v_batch[first:last], key0, key1, c1, c2, c3, row + first
                )
            set_states(visible, hidden, W, v_batch[first:last], new_lists(last - first, W.shape[1], batch))
            _leave(visible, hidden, unit, hbias, float32(1.0) / float32(batch), statistics, first)
        else:
            set_states(hidden, visible, WT, h[first:last], new_lists(last - first, WT.shape[1], v.shape[0]))
        if not of_batch:
            _chains_piece(first, visible, hidden, model, persistent, k, stream, v, h, statistics, batch)


class Means(NamedTuple):
    """The layers' means over each phase, float32: v_data (V,), v_model (V,), h_data (H,), h_model (H,)."""

    v_data: np.ndarray
    v_model: np.ndarray
    h_data: np.ndarray
    h_model: np.ndarray


@inner
def _mean_of_bytes(rows, means):
    """means = the mean of rows of 0/1 bytes, which are counted in bytes while a byte can hold the count."""
    n, counts = rows.shape[0], np.empty(means.shape[0], np.uint8)
    means[:] = float32(0.0)
    for first in range(0, n, 255):
        counts[:] = 0
        for b in range(first, min(first + 255, n)):
            for i in range(counts.shape[0]):
                counts[i] += rows[b, i]
        for i in range(counts.shape[0]):
            means[i] += float32(counts[i])
    for i in range(means.shape[0]):
        means[i] *= float32(1.0) / float32(n)


@njit(fastmath=_FAST, **INNER)
def _add_up_rows(panels, first, last, totals):
    """totals = Σ of the rows `first` to `last` of a matrix in panels, in their order."""
    totals[:] = float32(0.0)
    for panel in range(panels.shape[0]):
        start = 32 * panel
        for b in range(first, last):
            for i in range(min(32, totals.shape[0] - start)):
                totals[start + i] += panels[panel, b, i]


@inner
def _free_energy(vbias, v_mean, softplus):
    """Mean F = −b·⟨v⟩ − ⟨Σⱼ softplus⟩ of a phase."""
    own = 0.0
    for i in range(vbias.shape[0]):
        own += float64(vbias[i]) * float64(v_mean[i])
    return -own - softplus.sum() / softplus.shape[0]


@njit(cache=True, nogil=True)
def phase_means(v_batch, v, vbias, statistics, means, centring):
    """Fills `means` from the states (B, V) and (N, V), uint8, and the statistics, and with them the differences in
    `centring`; returns the phases' mean F.
    """
    batch, chains = v_batch.shape[0], v.shape[0]
    _mean_of_bytes(v_batch, means.v_data)
    _mean_of_bytes(v, means.v_model)
    _add_up_rows(statistics.h, 0, batch, means.h_data)
    _add_up_rows(statistics.h, batch, batch + chains, means.h_model)
    for i in range(vbias.shape[0]):
        centring.v_difference[i] = means.v_data[i] - means.v_model[i]
    for j in range(means.h_data.shape[0]):
        centring.h_difference[j] = means.h_data[j] - means.h_model[j]
    data = _free_energy(vbias, means.v_data, statistics.softplus[:batch])
    return data, _free_energy(vbias, means.v_model, statistics.softplus[batch:])


class Centring(NamedTuple):
    """The rank-one terms of the centred gradient ∇W = Δ⟨vhᵀ⟩ − μ Δ⟨h⟩ᵀ − Δ⟨v⟩ λᵀ, and where its products go.

    v_offset μ (V,), h_offset λ (H,), v_difference Δ⟨v⟩ (V,), h_difference Δ⟨h⟩ (H,), all float32. grad_h_offset (V,):
    ∇W λ. v_offset_grad (blocks, H): the parts of ∇Wᵀ μ from every 64 rows.
    """

    v_offset: np.ndarray
    h_offset: np.ndarray
    v_difference: np.ndarray
    h_difference: np.ndarray
    grad_h_offset: np.ndarray
    v_offset_grad: np.ndarray


@inner
def _correlations(block, batch, statistics, lists, x):
    """x[i] = Δ⟨vᵢ h⟩ for the 64 pixels of a block; `lists` takes the cases in which each is on."""
    states, h, _ = statistics
    numbers, counts, _ = lists
    counts[:] = 0
    for b in range(states.shape[0]):
        on = states[b, block]
        while on:
            i: int = lowest_bit(on)
            if b < batch:
                numbers[i, counts[i, 0]] = b
                counts[i, 0] += 1
            else:
                counts[i, 1] += 1
                numbers[i, numbers.shape[1] - counts[i, 1]] = b
            on &= on - uint64(1)
    x[:] = float32(0.0)
    add_rows(x, h, lists)


@njit(fastmath=_FAST, **INNER)
def _centre(x, i, centring, mu_grad):
    """x, the correlations of pixel i, becomes its row of the gradient; its products with the offsets are noted."""
    mu, difference, total = centring.v_offset[i], centring.v_difference[i], float32(0.0)
    h_offset, h_difference = centring.h_offset, centring.h_difference
    for j in range(h_offset.shape[0]):
        x[j] -= mu * h_difference[j] + difference * h_offset[j]
    for j in range(h_offset.shape[0]):
        mu_grad[j] += mu * x[j]
    for j in range(h_offset.shape[0]):  # by itself, as `total_of` explains
        total += x[j] * h_offset[j]
    centring.grad_h_offset[i] = total


@njit(cache=True, nogil=True)
def weight_gradient(queue, pieces, batch, statistics, centring, grad):
    """grad (V, H) = the centred gradient; a piece is 64 pixels."""
    V, H = grad.shape
    x, lists = np.empty((64, padded(H)), np.float32), new_lists(64, statistics.states.shape[0], 1)
    while True:
        block: int = next_piece(queue)
        if block >= pieces:
            return
        _correlations(block, batch, statistics, lists, x)
        mu_grad = centring.v_offset_grad[block]
        mu_grad[:] = float32(0.0)
        for i in range(64 * block, min(64 * block + 64, V)):
            row = x[i - 64 * block]
            _centre(row, i, centring, mu_grad)
            copy_row(row, grad[i])


@njit(fastmath=_FAST, **INNER)
def _step(w, gradient, rate, decay):
    """w += rate · (gradient − decay · w)."""
    for j in range(w.shape[0]):
        w[j] += rate * (gradient[j] - decay * w[j])


@njit(fastmath=_FAST, **INNER)
def _follow(average, w, share):
    """The average moves towards w by share."""
    for j in range(w.shape[0]):
        average[j] += share * (w[j] - average[j])


class Norms(NamedTuple):
    """Of which signs the weights are, in float32: Σ W and Σ |W| over each row (2, V), and over the 64 rows of each
    block (blocks, 2, H).
    """

    rows: np.ndarray
    columns: np.ndarray


@njit(fastmath=_FAST, **INNER)
def _put_rounded(w, per_unit, some, i, norms, block):
    """some = per_unit · w in its own type; row i is entered in the norms."""
    H, total, size = norms.columns.shape[2], float32(0.0), float32(0.0)
    for j in range(H):
        some[j] = _store(some[j], per_unit * w[j])
    sums, sizes = norms.columns[block, 0], norms.columns[block, 1]
    for j in range(H):
        sums[j] += w[j]
        sizes[j] += abs(w[j])
    for j in range(H):
        total += w[j]
        size += abs(w[j])
    norms.rows[0, i], norms.rows[1, i] = total, size


@njit(cache=True, nogil=True)
def largest_sum(norms):
    """The largest sum of weights of one sign in a row or column: no sum over units that are on goes beyond it.

    NaN where a weight is not finite.
    """
    largest, everything = float32(0.0), float32(0.0)
    for i in range(norms.rows.shape[1]):
        largest = max(largest, norms.rows[1, i] + abs(norms.rows[0, i]))
        everything += norms.rows[1, i]
    columns = np.zeros(norms.columns.shape[1:], np.float32)
    for block in range(norms.columns.shape[0]):
        for sign in range(2):
            for j in range(columns.shape[1]):
                columns[sign, j] += norms.columns[block, sign, j]
    for j in range(columns.shape[1]):
        largest = max(largest, columns[1, j] + abs(columns[0, j]))
    return largest / 2 + 0 * everything


@njit(cache=True, nogil=True)
def ascend(
    queue, pieces, batch, statistics, centring, W, panels, per_unit, norms, rate, decay, average, share
):
    """One step of W (V, H) along the centred gradient less its weight decay; its panels and the average follow.

    panels: W and Wᵀ as the chains read them, per_unit · W in their type. rate: 0 asks for the panels alone. average:
    (V, H), or anything where share is 0.
    """
    V, H = W.shape
    x, lists = np.empty((64, padded(H)), np.float32), new_lists(64, statistics.states.shape[0], 1)
    own, transposed = panels
    some, columns = np.zeros((64, padded(H)), own.dtype), own.shape[2]
    while True:
        block: int = next_piece(queue)
        if block >= pieces:
            return
        mu_grad = centring.v_offset_grad[block]
        if rate != float32(0.0):
            _correlations(block, batch, statistics, lists, x)
            mu_grad[:] = float32(0.0)
        norms.columns[block, :, :] = float32(0.0)
        first, last = 64 * block, min(64 * block + 64, V)
        for i in range(first, last):
            if rate != float32(0.0):
                _centre(x[i - first], i, centring, mu_grad)
                _step(W[i], x[i - first], rate, decay)
            if share > float32(0.0):
                _follow(average[i], W[i], share)
            _put_rounded(W[i], per_unit, some[i - first], i, norms, block)
            put_row(some[i - first], i, own)
        for i in range(last - first, 64):
            some[i] = 0
        of_block = 64 // columns
        for panel in range(of_block * block, min(of_block * (block + 1), transposed.shape[0])):
            put_transposed(some[columns * panel - first :], panel, transposed)


@njit(cache=True, nogil=True, fastmath=_FAST)
def step_biases(centring, rate, vbias, hbias):
    """vbias += rate (Δ⟨v⟩ − ∇W λ) and hbias += rate (Δ⟨h⟩ − ∇Wᵀ μ), from what the pass over W left in `centring`."""
    for i in range(vbias.shape[0]):
        vbias[i] += rate * (centring.v_difference[i] - centring.grad_h_offset[i])
    total = np.zeros(hbias.shape[0], np.float32)
    for block in range(centring.v_offset_grad.shape[0]):
        for j in range(total.shape[0]):
            total[j] += centring.v_offset_grad[block, j]
    for j in range(hbias.shape[0]):
        hbias[j] += rate * (centring.h_difference[j] - total[j])
