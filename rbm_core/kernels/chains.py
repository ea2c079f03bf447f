"""Flip-driven chains: sweeps that add and subtract the rows of units that changed, in place of matrix products.

Units are 0 or 1 and few of them change in a sweep: 4 % of the pixels and 14 % of the hidden units of a trained model
of MNIST. So the sums vW and hWᵀ follow from the last ones by a few rows of W and of Wᵀ, which are kept side by side.
Where more units changed than are on, the sum starts anew from those that are on; and it does so every 256 sweeps, so
that float32 rounding does not pile up; whole numbers have none. Where many units are wanted either way, as in chains
that start from noise, sums of four rows are made once for all chains. All this is decided by counts: the same call
gives the same bits, on any number of threads and however the chains are grouped.

Up to 200 chains go together, so that what they read of W stays in the caches; no group waits for another. Draws use the
random numbers that `draws.draw_from_logits` would use for the same calls, so that these chains are those of dense
float32 products up to rounding.
"""

from typing import NamedTuple

import numpy as np
from numba import float32, int64, njit, uint32, uint64

from rbm_core.kernels.bernoulli import draw_row, packed, random_for, unpack
from rbm_core.kernels.primitives import _FAST, INNER, _clip, _exp, bits_set, copy_row, inner, lowest_bit
from rbm_core.kernels.rows import ALL, add_rows, new_lists, new_totals, put_transposed, sum_rows
from rbm_core.kernels.threads import next_piece

__all__ = ["Stream", "follow_hidden", "run_sweeps", "transpose"]

_RENEWED = 256  # sweeps after which a sum starts anew


class Stream(NamedTuple):
    """The calls of a random stream that a kernel uses up: `call`, `call` + 1, …; see `compute.Rng`.

    first: the number of the first chain, where chains are shared out among processes.
    """

    key0: int
    key1: int
    call: int
    rank: int
    stream: int
    first: int


class Layer(NamedTuple):
    """One layer of a group of chains.

    x: (G, n and more), the sums of rows of W that its logits come from, of the type of W. shift: (n,), the bias at the
    chains' temperature; −1e9 beyond n, as far as the state's bits go. state: (G, words) uint64, a bit a unit. fired:
    (words,), one chain's newest draw. bytes_: room for it, a byte a unit. random: room for its random numbers.
    """

    x: np.ndarray
    shift: np.ndarray
    state: np.ndarray
    fired: np.ndarray
    bytes_: np.ndarray
    random: np.ndarray


@inner
def new_layer(chains, bias, rows):
    """A layer of this many chains with these biases (n,), all units 0 and all sums, of rows of this type, 0."""
    n = bias.shape[0]
    words = (n + 63) // 64
    shift = np.full(64 * words, np.float32(-1e9))
    copy_row(bias, shift[:n])
    return Layer(
        new_totals(chains, n, rows),
        shift,
        np.zeros((chains, words), np.uint64),
        np.zeros(words, np.uint64),
        np.zeros(64 * words, np.uint8),
        random_for(n),
    )


@inner
def _take_up(layer, chain, renew, lists):
    """The state becomes what fired; the chain's list says which rows its next sum gains and loses.

    Returns whether that sum starts at 0, because `renew` says so, because fewer units are on than have changed, or
    because either are so many that `sum_rows` is to sum.
    """
    state, flips, lit = layer.state[chain], 0, 0
    for w in range(state.shape[0]):
        new: int = layer.fired[w]
        flips += bits_set(new ^ state[w])
        lit += bits_set(new)
    renew = renew or flips > lit
    if min(flips, lit) > lists.longest:
        for w in range(state.shape[0]):
            state[w] = layer.fired[w]
        lists.counts[chain, 0], lists.counts[chain, 1] = ALL, 0
        return True
    numbers, gained, lost = lists.numbers[chain], 0, 0
    for w in range(state.shape[0]):
        new = layer.fired[w]
        changed = new if renew else new ^ state[w]
        state[w] = new
        while changed:
            bit: int = lowest_bit(changed)
            on = int64((new >> uint64(bit)) & uint64(1))
            # Into both places, of which one counts: a branch for either would be guessed wrong half the time.
            numbers[gained] = numbers[numbers.shape[0] - 1 - lost] = 64 * w + bit
            gained += on
            lost += 1 - on
            changed &= changed - uint64(1)
    lists.counts[chain, 0], lists.counts[chain, 1] = gained, lost
    return renew


@inner
def counter_of(stream, call):
    """(key0, key1, c1, c2, c3) of a stream's call; see `compute.Rng.next_counter`."""
    number = uint64(stream.call) + uint64(call)
    return (
        uint32(stream.key0),
        uint32(stream.key1),
        uint32(number),
        uint32(number >> uint64(32)) | uint32(stream.rank << 16),
        uint32(stream.stream),
    )


@inner
def draw_chain(layer, chain, scale, stream, call, first):
    """The layer's newest draw, of a chain from its sums. scale, call, first: as in `half_sweep`."""
    key0, key1, c1, c2, c3 = counter_of(stream, call)
    x, row = layer.x[chain], stream.first + first + chain
    draw_row(x, layer.shift, scale, layer.random, row, key0, key1, c1, c2, c3, layer.fired)


@inner
def pack(layer):
    """The layer's newest draw from its bytes."""
    for w in range(layer.fired.shape[0]):
        layer.fired[w] = packed(layer.bytes_, w)


@inner
def _add(layer, other, rows, lists):
    """Adds to the other layer's sums what the lists say."""
    add_rows(other.x, rows, lists)
    sum_rows(other.x, rows, layer.state, lists)


@inner
def half_sweep(layer, other, rows, scale, held, values, renew, stream, call, first, lists):
    """Draws a layer of every chain and, where `rows` has any, brings the other layer's sums up to date.

    rows: (units of the layer, units of the other) in panels. scale: of the sums in the logits, the inverse temperature
    times what 1 stands for in the rows. held: (n,) bool, the units that take their byte of
    `values` (chains or 1, n) instead; empty where none is held. call, first: which of the stream's calls, and the
    number of the group's first chain, which say what random numbers are used.
    """
    for chain in range(layer.x.shape[0]):
        draw_chain(layer, chain, scale, stream, call, first)
        for i in range(held.shape[0]):
            if held[i]:
                bit, on = uint64(i % 64), uint64(values[(first + chain) % values.shape[0], i])
                layer.fired[i // 64] = layer.fired[i // 64] & ~(uint64(1) << bit) | on << bit
        if _take_up(layer, chain, renew, lists) and rows.shape[0]:
            other.x[chain] = 0
    _add(layer, other, rows, lists)


@inner
def set_states(layer, other, rows, states, lists):
    """The layer's states from bytes (chains, n), and the other layer's sums that follow."""
    for chain in range(states.shape[0]):
        copy_row(states[chain], layer.bytes_[: states.shape[1]])
        pack(layer)
        _take_up(layer, chain, True, lists)
    other.x[:] = 0
    _add(layer, other, rows, lists)


@inner
def load_layer(layer, states, x):
    """The layer as it was left: states in bytes (chains, n), sums (chains, n)."""
    lists = new_lists(states.shape[0], states.shape[1], 1)
    for chain in range(states.shape[0]):
        copy_row(states[chain], layer.bytes_[: states.shape[1]])
        pack(layer)
        _take_up(layer, chain, True, lists)
        copy_row(x[chain], layer.x[chain, : x.shape[1]])


@inner
def get_states(layer, states):
    """The layer's states as bytes (chains, n)."""
    whole = states.shape[1] // 64
    for chain in range(states.shape[0]):
        for w in range(whole):
            unpack(layer.state, chain, w, states)
        for i in range(64 * whole, states.shape[1]):
            states[chain, i] = (layer.state[chain, i // 64] >> uint64(i % 64)) & uint64(1)


@inner
def sweep_group(visible, hidden, W, WT, k, from_hidden, scale, held, values, settle, stream, first, together):
    """k sweeps of a group whose first layer to be drawn has its sums: the visible one if from_hidden.

    settle: whether the sums of the layer that is drawn first follow the very last draw too. together: the chains of
    all groups.
    """
    chains = visible.x.shape[0]
    lists_v, lists_h = new_lists(chains, W.shape[1], together), new_lists(chains, WT.shape[1], together)
    nothing_held, no_values = np.empty(0, np.bool_), np.empty((1, 0), np.uint8)
    for t in range(2 * k):
        renew = t % (2 * _RENEWED) >= 2 * _RENEWED - 2
        up_to_date = settle or t < 2 * k - 1
        if (t % 2 == 0) == from_hidden:
            rows = W if up_to_date else W[:0]
            half_sweep(visible, hidden, rows, scale, held, values, renew, stream, t, first, lists_v)
        else:
            rows = WT if up_to_date else WT[:0]
            half_sweep(
                hidden, visible, rows, scale, nothing_held, no_values, renew, stream, t, first, lists_h
            )


@njit(fastmath=_FAST, **INNER)
def _means(x, shift, scale, out):
    """out[i] = σ(scale · x[i] + shift[i])."""
    for i in range(out.shape[0]):
        out[i] = float32(1.0) / (float32(1.0) + _exp(-_clip(scale * x[i] + shift[i])))


@njit(cache=True, nogil=True)
def run_sweeps(queue, pieces, group, model, k, scale, held, values, stream, v, h, mean_v, mean_h):
    """k sweeps v → h → v of chains that start at v, in place, with what the newest draws were drawn from.

    model: (W, Wᵀ, vbias, hbias), the matrices in panels, the biases times the inverse temperature. v (N, V) and
    h (N, H): uint8. mean_v, mean_h: the same in float32. held: (V,) bool, or empty, the pixels that keep their values
    (N or 1, V).
    """
    W, WT, vbias, hbias = model
    while True:
        piece: int = next_piece(queue)
        if piece >= pieces:
            return
        first, last = piece * group, min((piece + 1) * group, v.shape[0])
        visible, hidden = new_layer(last - first, vbias, W), new_layer(last - first, hbias, W)
        set_states(visible, hidden, W, v[first:last], new_lists(last - first, v.shape[1], v.shape[0]))
        sweep_group(visible, hidden, W, WT, k, False, scale, held, values, False, stream, first, v.shape[0])
        get_states(visible, v[first:last])
        get_states(hidden, h[first:last])
        for chain in range(last - first):
            _means(visible.x[chain], vbias, scale, mean_v[first + chain])
            _means(hidden.x[chain], hbias, scale, mean_h[first + chain])


@njit(cache=True, nogil=True)
def transpose(queue, pieces, W, panels):
    """panels = Wᵀ in panels, from W (V, H) of their type; a piece is a panel."""
    (V, H), columns = W.shape, panels.shape[2]
    some = np.zeros((columns, H), W.dtype)
    while True:
        panel: int = next_piece(queue)
        if panel >= pieces:
            return
        first, last = columns * panel, min(columns * (panel + 1), V)
        for i in range(first, last):
            copy_row(W[i], some[i - first])
        for i in range(last - first, columns):
            some[i] = 0
        put_transposed(some, panel, panels)


@njit(cache=True, nogil=True)
def follow_hidden(queue, pieces, group, WT, renew, h, states, sums, out):
    """out (N, V) = hWᵀ for h (N, H) float32 of zeros and ones, by the rows of the units that changed.

    states (N, words) uint64, sums (N, `padded`): h and its sums as the last call left them. renew: start anew.
    """
    while True:
        piece: int = next_piece(queue)
        if piece >= pieces:
            return
        first, last = piece * group, min((piece + 1) * group, h.shape[0])
        layer, lists = new_layer(last - first, h[0], WT), new_lists(last - first, h.shape[1], h.shape[0])
        for chain in range(first, last):
            copy_row(states[chain], layer.state[chain - first])
            for j in range(h.shape[1]):
                layer.bytes_[j] = h[chain, j] > float32(0.5)
            pack(layer)
            if _take_up(layer, chain - first, renew, lists):
                sums[chain] = float32(0.0)
            copy_row(layer.state[chain - first], states[chain])
        add_rows(sums[first:last], WT, lists)
        sum_rows(sums[first:last], WT, layer.state, lists)
        for chain in range(first, last):
            copy_row(sums[chain, : out.shape[1]], out[chain])
