"""One parameter update by rows instead of products: both phases, the gradient, and the step along it.

The chains are those of `chains`. The gradient ⟨vhᵀ⟩ is summed from the hidden means of the cases in which a pixel is
on, 13 % of them, or differs from the one before it; each pixel's row of it is centred and added to W, Wᵀ and the
running average while it is in the cache. Every number is a function of its own chain, or of its own row of W, so that
the bits do not depend on the threads. All of an update is one call, in stages: see `learn`.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import float32, float64, njit, uint64

from rbm_core.kernels.chains import Stream, get_states, new_layer, set_states, sweep_group
from rbm_core.kernels.draws import draw_from_bytes
from rbm_core.kernels.primitives import _FAST, INNER, bits_set, copy_row, inner, lowest_bit
from rbm_core.kernels.rows import add_rows, add_up_rows, new_lists, new_totals, put_row, put_transposed
from rbm_core.kernels.steps import centre_row, mean_row, round_row, step_row
from rbm_core.kernels.threads import asked_again, end_piece, next_piece, stage_ended


class Statistics(NamedTuple):
    """What the phases leave for the gradient, the batch's B cases first, then the N particles.

    states: (B + N, words) uint64, the visible units, a bit each. h: (B + N, H) float32 in panels, p(h = 1 | v) over
    the number of cases in its phase. softplus: (B + N,) float64, Σⱼ log(1 + exp(cⱼ + (vW)ⱼ)).
    """

    states: np.ndarray
    h: np.ndarray
    softplus: np.ndarray


@inner
def _leave(visible, hidden, scale, units, share, statistics, first):
    """The statistics of a group, whose first case or particle has the number `first`. units: hidden ones, H."""
    x, shift, n = hidden.x, hidden.shift, hidden.shift.shape[0]
    h = np.zeros(x.shape[1], np.float32)
    for chain in range(x.shape[0]):
        copy_row(visible.state[chain], statistics.states[first + chain])
        growth = 0.0
        for start in range(0, n, 512):
            parts: tuple[float, float] = mean_row(
                x, chain, scale, shift, share, h, start, min(start + 512, n)
            )
            growth += parts[0] + math.log(parts[1])
        statistics.softplus[first + chain] = growth
        for j in range(units, n):  # those that are none: not quite 0
            h[j] = float32(0.0)
        put_row(h, first + chain, statistics.h)


class Chains(NamedTuple):
    """What the phases begin with and where they leave their states.

    W, WT: the matrices in panels, in whole numbers of a unit or in float32. persistent: whether chains go on from their
    hidden states (PCD) or start at their case of the batch (CD). v_offset μ (V,), h_offset λ (H,): what centring takes
    off. images (·, V), rows (B,): the probabilities, in bytes, that a batch is drawn from, and which of them. v_batch
    (B, V), v (N, V), h (N, H): uint8, the last two overwritten.
    """

    W: np.ndarray
    WT: np.ndarray
    vbias: np.ndarray
    hbias: np.ndarray
    persistent: bool
    v_offset: np.ndarray
    h_offset: np.ndarray
    images: np.ndarray
    rows: np.ndarray
    v_batch: np.ndarray
    v: np.ndarray
    h: np.ndarray


# The numbers of a call: the pieces of each stage; chains and cases of a group; sweeps and the stream of their draws, as
# in `chains`; whether the batch is to be drawn, and the counter and first row of that, as in `draws.draw_from_bytes`;
# what 1 stands for in the panels, and its inverse for those to be made; then those of `Step`.
ORDER = np.dtype(
    [
        *((name, np.int64) for name in ("phases", "means", "weights", "biases", "group", "cases", "k")),
        *((name, np.int64) for name in Stream._fields),
        *((name, np.int64) for name in ("tossed", "c0", "c1", "c2", "c3", "c4", "row")),
        *((name, np.float32) for name in ("unit", "per_unit", "rate", "decay", "share", "centring_rate")),
    ]
)


@inner
def _phase_piece(piece, order, chains, statistics):
    """The groups of chains, the longer work, are the first pieces; then, for PCD, come those of the batch."""
    W, WT, vbias, hbias, persistent, _, _, images, rows, v_batch, v, h = chains
    batch, unit = v_batch.shape[0], order.unit
    of_chains = (v.shape[0] + order.group - 1) // order.group
    of_batch = piece >= of_chains
    first = (piece - of_chains) * order.cases if of_batch else piece * order.group
    last = min(first + order.cases, batch) if of_batch else min(first + order.group, v.shape[0])
    visible, hidden = new_layer(last - first, vbias, W), new_layer(last - first, hbias, W)
    if of_batch or not persistent:
        cases = v_batch[first:last]
        if order.tossed:
            key0, key1, c1, c2, c3 = order.c0, order.c1, order.c2, order.c3, order.c4
            draw_from_bytes(images, rows[first:last], cases, key0, key1, c1, c2, c3, order.row + first)
        set_states(visible, hidden, W, cases, new_lists(last - first, W.shape[1], batch))
        _leave(visible, hidden, unit, hbias.shape[0], float32(1.0) / float32(batch), statistics, first)
    else:
        set_states(hidden, visible, WT, h[first:last], new_lists(last - first, WT.shape[1], v.shape[0]))
    if not of_batch:
        stream = Stream(order.key0, order.key1, order.call, order.rank, order.stream, order.first)
        held, values = np.empty(0, np.bool_), np.empty((1, 0), np.uint8)
        together = v.shape[0]
        sweep_group(
            visible,
            hidden,
            W,
            WT,
            order.k,
            persistent,
            unit,
            held,
            values,
            not persistent,
            stream,
            first,
            together,
        )
        get_states(visible, v[first:last])
        get_states(hidden, h[first:last])
        _leave(
            visible, hidden, unit, hbias.shape[0], float32(1.0) / float32(together), statistics, batch + first
        )


class Means(NamedTuple):
    """The layers' means over each phase, float32: v_data (V,), v_model (V,), h_data (H,), h_model (H,).

    free_energy (2,): the phases' mean F in nats, float64.
    """

    v_data: np.ndarray
    v_model: np.ndarray
    h_data: np.ndarray
    h_model: np.ndarray
    free_energy: np.ndarray


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
def _add_up_rows(panel, first, last, totals):
    """totals = Σ of the rows `first` to `last` of a panel, in their order."""
    totals[:] = float32(0.0)
    for b in range(first, last):
        for i in range(totals.shape[0]):
            totals[i] += panel[b, i]


@inner
def _free_energy(vbias, v_mean, softplus):
    """Mean F = −b·⟨v⟩ − ⟨Σⱼ softplus⟩ of a phase."""
    own = 0.0
    for i in range(vbias.shape[0]):
        own += float64(vbias[i]) * float64(v_mean[i])
    return -own - softplus.sum() / softplus.shape[0]


@inner
def _visible_means(chains, statistics, means, centring):
    """The visible units' means, their difference, and the phases' mean F that follows from them; μ is taken up."""
    batch, vbias = chains.v_batch.shape[0], chains.vbias
    copy_row(chains.v_offset, centring.v_offset)
    _mean_of_bytes(chains.v_batch, means.v_data)
    _mean_of_bytes(chains.v, means.v_model)
    for i in range(vbias.shape[0]):
        centring.v_difference[i] = means.v_data[i] - means.v_model[i]
    means.free_energy[0] = _free_energy(vbias, means.v_data, statistics.softplus[:batch])
    means.free_energy[1] = _free_energy(vbias, means.v_model, statistics.softplus[batch:])


@inner
def _hidden_means_of(panel, chains, statistics, means, centring):
    """The means over each phase of the hidden units of a panel, and their difference; λ is taken up."""
    rows, batch = statistics.h[panel], chains.v_batch.shape[0]
    first, last = 32 * panel, min(32 * panel + 32, means.h_data.shape[0])
    data, model = means.h_data[first:last], means.h_model[first:last]
    _add_up_rows(rows, 0, batch, data)
    _add_up_rows(rows, batch, rows.shape[0], model)
    for j in range(last - first):
        centring.h_difference[first + j] = data[j] - model[j]
        centring.h_offset[first + j] = chains.h_offset[first + j]


class Centring(NamedTuple):
    """The rank-one terms of the centred gradient ∇W = Δ⟨vhᵀ⟩ − μ Δ⟨h⟩ᵀ − Δ⟨v⟩ λᵀ, and where its products go.

    v_offset μ (V,), h_offset λ (H,), v_difference Δ⟨v⟩ (V,), h_difference Δ⟨h⟩ (H,), all float32. grad_h_offset (V,):
    ∇W λ. v_offset_grad (blocks, H): the parts of ∇Wᵀ μ from every 64 rows. H here is padded with zeros.
    """

    v_offset: np.ndarray
    h_offset: np.ndarray
    v_difference: np.ndarray
    h_difference: np.ndarray
    grad_h_offset: np.ndarray
    v_offset_grad: np.ndarray


@inner
def _correlations(first, batch, statistics, lists, x):
    """x[i] = Δ⟨vᵢ h⟩ for the pixels from block `first` on, as many as x has rows; `lists` is room for the cases that
    make them.

    A pixel is mostly on where the one before it is. So its sum is that of the one before and the cases in which the two
    differ; or, where fewer cases are on than differ in all, its own cases alone.
    """
    states, h, _ = statistics
    numbers, counts, _ = lists
    counts[:] = 0
    last = min(first + counts.shape[0] // 64, states.shape[1])
    lit, differ = 0, 0
    for b in range(states.shape[0]):
        for block in range(first, last):
            on = states[b, block]
            lit += bits_set(on)
            differ += bits_set(on ^ _before(states, b, block, first))
    by_difference = differ < lit
    for b in range(states.shape[0]):
        for block in range(first, last):
            on = states[b, block]
            left = on ^ _before(states, b, block, first) if by_difference else on
            # Where a case of the batch adds, a particle takes away; and the other way round where its pixel goes off.
            for_batch = on if b < batch else ~on
            while left:
                bit: int = lowest_bit(left)
                i = 64 * (block - first) + bit
                if (for_batch >> uint64(bit)) & uint64(1):
                    numbers[i, counts[i, 0]] = b
                    counts[i, 0] += 1
                else:
                    counts[i, 1] += 1
                    numbers[i, numbers.shape[1] - counts[i, 1]] = b
                left &= left - uint64(1)
    if by_difference:
        x[0] = float32(0.0)
        add_up_rows(x, h, lists)
    else:
        x[:] = float32(0.0)
        add_rows(x, h, lists)


@inner
def _before(states, b, block, first):
    """The bits of a block, each in the place of the pixel after it; those before block `first` count as 0."""
    carried = states[b, block - 1] >> uint64(63) if block > first else uint64(0)
    return states[b, block] << uint64(1) | carried


@njit(cache=True, nogil=True)
def weight_gradient(queue, pieces, batch, statistics, centring, grad):
    """grad (V, H) = the centred gradient; a piece is 64 pixels."""
    V, H = grad.shape
    x, lists = new_totals(64, H, grad), new_lists(64, statistics.states.shape[0], 1)
    while True:
        block: int = next_piece(queue)
        if block >= pieces:
            return
        _correlations(block, batch, statistics, lists, x)
        mu_grad = centring.v_offset_grad
        mu_grad[block, :] = float32(0.0)
        for i in range(64 * block, min(64 * block + 64, V)):
            row, mu, difference = i - 64 * block, centring.v_offset[i], centring.v_difference[i]
            centring.grad_h_offset[i] = centre_row(
                x, row, centring.h_difference, centring.h_offset, mu_grad, block, mu, difference
            )
            copy_row(x[row, :H], grad[i])


@njit(fastmath=_FAST, **INNER)
def _follow(average, w, share):
    """The average moves towards w by share."""
    for j in range(w.shape[0]):
        average[j] += share * (w[j] - average[j])


class Norms(NamedTuple):
    """Of which signs the weights are, in float32: their sums and the sums of |W|, over each row (V,), and over the 64
    rows of each block (blocks, H padded with zeros). Of weights in 16 bits alone.
    """

    row_sums: np.ndarray
    row_sizes: np.ndarray
    sums: np.ndarray
    sizes: np.ndarray


@inner
def _largest_sum(norms):
    """The largest sum of weights of one sign in a row or column: no sum over units that are on goes beyond it.

    NaN where a weight is not finite.
    """
    largest, everything = float32(0.0), float32(0.0)
    for i in range(norms.row_sums.shape[0]):
        largest = max(largest, norms.row_sizes[i] + abs(norms.row_sums[i]))
        everything += norms.row_sizes[i]
    totals, sizes = np.zeros(norms.sums.shape[1], np.float32), np.zeros(norms.sums.shape[1], np.float32)
    for block in range(norms.sums.shape[0]):
        for j in range(totals.shape[0]):
            totals[j] += norms.sums[block, j]
            sizes[j] += norms.sizes[block, j]
    for j in range(totals.shape[0]):
        largest = max(largest, sizes[j] + abs(totals[j]))
    return largest / 2 + 0 * everything


class Step(NamedTuple):
    """Where a step leads: W (V, H), vbias, hbias += rate · (gradient − decay · W), and what follows from W.

    panels: W and Wᵀ as the chains read them, per_unit · W in their type. norms and largest (1,): see `Norms` and
    `_largest_sum`. averages: of the three parameters, which they follow by share; anything where share is 0. rate: 0
    asks for the panels alone. h_offset (H,): the λ of the next step: it follows the batch's means by centring_rate.
    energies (2,), float64: the phases' mean F as they were, in nats, whose difference is added to loss_total (). The
    numbers are the call's `ORDER`.
    """

    W: np.ndarray
    vbias: np.ndarray
    hbias: np.ndarray
    panels: tuple[np.ndarray, np.ndarray]
    norms: Norms
    largest: np.ndarray
    averages: tuple[np.ndarray, np.ndarray, np.ndarray]
    h_offset: np.ndarray
    energies: np.ndarray
    loss_total: np.ndarray


@inner
def _step_block(block, at, order, centring, step, x, some):
    """One step of 64 rows of W along the centred gradient less its weight decay; panels and average follow.

    x, some: from the number `at` on what `_correlations` made of the block, and room for its rows as the panels hold
    them.
    """
    W, rate, norms = step.W, order.rate, step.norms
    own, transposed = step.panels
    columns, mu_grad = own.shape[2], centring.v_offset_grad
    if rate != float32(0.0):
        mu_grad[block, :] = float32(0.0)
    norms.sums[block, :], norms.sizes[block, :] = float32(0.0), float32(0.0)
    first, last = 64 * block, min(64 * block + 64, W.shape[0])
    for i in range(first, last):
        row = at + i - first
        if rate != float32(0.0):
            centring.grad_h_offset[i], norms.row_sums[i], norms.row_sizes[i] = step_row(
                x,
                row,
                centring.h_difference,
                centring.h_offset,
                mu_grad,
                block,
                centring.v_offset[i],
                centring.v_difference[i],
                W,
                i,
                rate,
                order.decay,
                some,
                order.per_unit,
                norms.sums,
                norms.sizes,
            )
        else:
            norms.row_sums[i], norms.row_sizes[i] = round_row(
                W, i, some, row, order.per_unit, norms.sums, norms.sizes, block
            )
        if order.share > float32(0.0):
            _follow(step.averages[0][i], W[i], order.share)
        put_row(some[row], i, own)
    for i in range(at + last - first, at + 64):
        some[i] = 0
    of_block = 64 // columns
    for panel in range(of_block * block, min(of_block * (block + 1), transposed.shape[0])):
        put_transposed(some[at + columns * panel - first :], panel, transposed)


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


@inner
def _end_step(order, means, centring, step):
    """The step of the biases, and what else follows from an update."""
    step_biases(centring, order.rate, step.vbias, step.hbias)
    if order.share > float32(0.0):
        _follow(step.averages[1], step.vbias, order.share)
        _follow(step.averages[2], step.hbias, order.share)
    if order.centring_rate > float32(0.0):
        _follow(step.h_offset, means.h_data, order.centring_rate)
    data, model = means.free_energy[0], means.free_energy[1]
    step.energies[0], step.energies[1] = data, model
    step.loss_total[()] += data - model


STAGES = PHASES, MEANS, WEIGHTS, BIASES = range(4)


@inner
def _stages(queue, order, chains, statistics, means, centring, step):
    """Works through the stages of a call; returns whether all have ended."""
    batch = chains.v_batch.shape[0]
    while True:
        piece: int = next_piece(queue[PHASES])
        if piece >= order.phases:
            break
        _phase_piece(piece, order, chains, statistics)
        end_piece(queue[PHASES])
    if not stage_ended(queue[PHASES], order.phases):
        return False
    while True:
        piece = next_piece(queue[MEANS])
        if piece >= order.means:
            break
        if piece:
            _hidden_means_of(piece - 1, chains, statistics, means, centring)
        else:
            _visible_means(chains, statistics, means, centring)
        end_piece(queue[MEANS])
    if not stage_ended(queue[MEANS], order.means):
        return False
    H = step.W.shape[1]
    blocks = statistics.states.shape[1]
    together = (blocks + order.weights - 1) // order.weights if order.weights else 1
    x, lists = new_totals(64 * together, H, step.W), new_lists(64 * together, statistics.states.shape[0], 1)
    some = new_totals(64 * together, H, step.panels[0])
    while True:
        piece = next_piece(queue[WEIGHTS])
        if piece >= order.weights:
            break
        first = together * piece
        if order.rate != float32(0.0):
            _correlations(first, batch, statistics, lists, x)
        for block in range(first, min(first + together, blocks)):
            _step_block(block, 64 * (block - first), order, centring, step, x, some)
        end_piece(queue[WEIGHTS])
    if not stage_ended(queue[WEIGHTS], order.weights):
        return False
    if next_piece(queue[BIASES]) < order.biases:
        step.largest[0] = _largest_sum(step.norms)
        if order.rate != float32(0.0):
            _end_step(order, means, centring, step)
        end_piece(queue[BIASES])
    return stage_ended(queue[BIASES], order.biases)


@njit(cache=True, nogil=True)
def learn(queue, seats, seat, orders, chains, statistics, means, centring, step):
    """An update, or as many of its stages as have pieces; see `threads.Standing`. orders: (1,) `ORDER`.

    PHASES: k sweeps of the chains and the statistics of both phases, a piece for each group of either. MEANS: of the
    visible units, one piece, and of each panel of hidden units. WEIGHTS: the step of W and of what follows from it, a
    piece for each 64 rows, or for more where there are fewer pieces. BIASES: theirs and what is left, one piece.
    """
    while True:
        if not _stages(queue, orders[0], chains, statistics, means, centring, step):
            return False
        if seat < 0 or not asked_again(seats, seat):
            return True
