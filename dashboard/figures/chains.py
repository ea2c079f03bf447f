"""Gibbs chains to save: the film of the Gibbs page in; frames, animations and sheets of samples out.

A film of S sweeps has 2S + 1 frames: frame 0 is the start, 2t − 1 the first half of sweep t (hidden units from
pixels), 2t its second half (pixels from hidden units). See rbm_core/trajectory for the arrays.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from dashboard.figures import animation
from dashboard.figures.palette import HIDDEN_STOPS, LINES_LIGHT, colour_table
from rbm_core.pixels import PixelScale, grey_values
from rbm_core.rbm_numpy import taking_part
from rbm_core.strips import strips
from rbm_core.visible import sigmoid, units_of

Layer = Literal["pv", "v"]
MOST_FRAMES = 240
FRAMES_PER_SECOND = 12
_BLANK = 70  # grey of a layer that has not been drawn yet


@dataclass(frozen=True, eq=False)
class Chains:
    """The states of a film, and the conditional probabilities from which they were drawn, one sweep at a time."""

    header: dict[str, Any]
    arrays: dict[str, np.ndarray]

    def v(self, t: int) -> np.ndarray:
        """(B, V) float32: the visible units after t sweeps."""
        if t == 0 and "v_start" in self.arrays:
            return _single(self.arrays["v_start"])
        return self._layer("v", t, self.header["n_visible"])

    def h(self, t: int) -> np.ndarray:
        """(B, H) float32: the hidden units of sweep t ≥ 1."""
        return self._layer("h", t - 1, self.header["n_hidden"])

    def mean_h(self, t: int) -> np.ndarray:
        """(B, H): p(h|v), which h of sweep t was drawn from; given the label too where labels are drawn."""
        out, biases = [], []
        for v, beta, k in self._groups(self.v(t - 1), t):
            gain = self.arrays["h_gain"][k] if "h_gain" in self.arrays else 1.0
            out.append(beta * ((v * gain) @ _single(self.arrays["W"][k]) + self.arrays["hbias"][k]))
            biases.append(beta * self.arrays["hbias"][k])
        if "y_half" in self.arrays:
            labels = self._groups(_single(self.arrays["y_half"][t - 1]), t)
            for x, (y, beta, k) in zip(out, labels, strict=True):
                x += beta * (y @ self.arrays["label_W"][k])
        if (penalty := self.header.get("penalty")) is None:
            return sigmoid(np.concatenate(out))
        parts = [sigmoid(x) * taking_part(x, c, penalty) for x, c in zip(out, biases, strict=True)]
        return np.concatenate(parts)

    def mean_v(self, t: int) -> np.ndarray:
        """(B, V): p(v|h), which v after t sweeps was drawn from; the start stands for itself, as held pixels do."""
        if t == 0:
            return self.v(0)
        out = []
        for h, beta, k in self._groups(self.h(t), t):
            x = h @ _single(self.arrays["W"][k]).T + self.arrays["vbias"][k]
            out.append(units_of(self.header).mean(x, beta))
        mean = np.concatenate(out)
        if "held" in self.arrays:
            held = np.unpackbits(self.arrays["held"], count=mean.shape[1]).astype(bool)
            mean[:, held] = self.v(0)[:, held]
        return mean

    def pixels(self, t: int, layer: Layer) -> np.ndarray:
        """(B, h, w) uint8: the probabilities ("pv") or samples ("v") of the visible units after t sweeps."""
        x = self.mean_v(t) if layer == "pv" else self.v(t)
        x = grey_values(x, PixelScale.found_in(self.arrays))
        return _shades(x).reshape(len(x), *self.header["image_shape"])

    @property
    def mean_pixels(self) -> str:
        """What mean_v is called, as a symbol."""
        return units_of(self.header).mean_symbol

    def _layer(self, name: str, t: int, units: int) -> np.ndarray:
        if f"{name}_half" in self.arrays:
            return _single(self.arrays[f"{name}_half"][t])
        return np.unpackbits(self.arrays[f"{name}_bits"][t], axis=1, count=units).astype(np.float32)

    def _groups(self, x: np.ndarray, t: int) -> list[tuple[np.ndarray, float, int]]:
        """(rows of x, inverse temperature, number of the model) of each group in sweep t."""
        parts = np.split(x, len(self.header["groups"]))
        machine, beta = self.arrays["machine"][:, t - 1], self.arrays["beta"][:, t - 1]
        return [(part, float(b), int(k)) for part, b, k in zip(parts, beta, machine, strict=True)]


def grid(chains: Chains, t: int, layer: Layer) -> np.ndarray:
    """(H, W) uint8: every chain after t sweeps, near a square; groups stand side by side.

    Rows of a table are strips below their columns' names, and groups stand below one another.
    """
    groups = np.split(chains.pixels(t, layer), len(chains.header["groups"]))
    if table := chains.header.get("table"):
        return np.vstack([strips(rows[:, 0], table["columns"]) for rows in groups])
    columns = max(1, round(np.sqrt(len(groups[0]) / len(groups))))
    blocks = [animation.tiled(tiles, columns, gap=2) for tiles in groups]
    between = np.full((len(blocks[0]), 10), 255, np.uint8)
    return np.hstack([part for block in blocks for part in (between, block)][1:])


def cycle(chains: Chains, frame: int, chain: int) -> np.ndarray:
    """(H, W, 3) uint8: v and p(h|v) above p(v|h) and h of one chain, the half step just made framed."""
    tv, th = frame // 2, (frame + 1) // 2
    wide = int(np.ceil(np.sqrt(chains.header["n_hidden"])))
    blue, orange = (
        colour_table(HIDDEN_STOPS),
        [int(LINES_LIGHT["vermillion"][k : k + 2], 16) for k in (1, 3, 5)],
    )
    pixels = {name: chains.pixels(tv, name)[chain] for name in ("v", "pv")}
    hidden = {"ph": chains.mean_h(th)[chain], "h": chains.h(th)[chain]} if th else {}
    rows, columns = (max(a, b) for a, b in zip(chains.header["image_shape"], (wide, wide), strict=True))

    def panel(name: str, lit: bool) -> np.ndarray:
        if name in pixels and (name == "v" or tv):
            picture = pixels[name][:, :, None].repeat(3, 2)
            if chains.header.get("table"):  # a strip as high as it can be seen
                picture = picture.repeat(max(1, columns // 8), 0)
        elif name in hidden:
            units = np.zeros(wide * wide, np.uint8)
            units[: len(hidden[name])] = _shades(hidden[name])
            picture = blue[units.reshape(wide, wide)][: -(-len(hidden[name]) // wide)]
        else:
            picture = np.full((rows, columns, 3), _BLANK, np.uint8)
        h, w = picture.shape[:2]
        out = np.full((rows + 4, columns + 4, 3), 255, np.uint8)
        top, left = (rows + 4 - h) // 2, (columns + 4 - w) // 2
        if lit:
            out[top - 1 : top + h + 1, left - 1 : left + w + 1] = orange
        out[top : top + h, left : left + w] = picture
        return out

    lit = ("v",) if frame == 0 else ("ph", "h") if frame % 2 else ("v", "pv")
    return np.vstack(
        [np.hstack([panel(name, name in lit) for name in row]) for row in (("v", "ph"), ("pv", "h"))]
    )


def animated(chains: Chains, *, chain: int | None, layer: Layer, format: animation.Format) -> bytes:
    """The chains as an animation: all of them, or both half steps of one (chain counted from 0).

    Of a film with more than MOST_FRAMES frames only every second sweep is kept, or fewer.
    """
    n_sweeps = chains.header["n_sweeps"]
    per_sweep = 1 if chain is None else 2
    every = -(-(per_sweep * n_sweeps + 1) // MOST_FRAMES)
    shown = [0] + [
        2 * t - half
        for t in range(every, n_sweeps + 1, every)
        for half in ((0,) if chain is None else (1, 0))
    ]
    pictures = [grid(chains, f // 2, layer) if chain is None else cycle(chains, f, chain) for f in shown]
    return animation.animation(
        pictures,
        fps=FRAMES_PER_SECOND if chain is None else FRAMES_PER_SECOND / 2,
        captions=[caption(chains, f, chain) for f in shown],
        format=format,
    )


def sheet(chains: Chains, t: int, layer: Layer) -> bytes:
    """Every chain after t sweeps as a PNG with its caption."""
    return animation.picture(grid(chains, t, layer), caption(chains, 2 * t, None))


def caption(chains: Chains, frame: int, chain: int | None) -> str:
    """The caption of a frame: run, step, seed, sweep, and what is drawn."""
    of, sweep = chains.header["of"], (frame + 1) // 2
    which = "" if chain is None else f" · chain {chain + 1} · v, p(h|v) above {chains.mean_pixels}, h"
    moment = f"{len(steps)} moments" if (steps := chains.header.get("steps")) else f"step {of['step']:,}"
    groups = [name for name in chains.header["groups"] if name]
    beside = f"\n{' | '.join(groups)}" if groups else ""
    return (
        f"run {of['run']} · {moment} · seed {of['seed']} · sweep {sweep} of {chains.header['n_sweeps']:,}"
        f"\n{of['more']}{which}{beside}"
    )


def _single(x: np.ndarray) -> np.ndarray:
    return x if x.dtype == np.float32 else x.view(np.float16).astype(np.float32)


def _shades(x: np.ndarray) -> np.ndarray:
    """[0, 1] in 256 shades."""
    return np.round(255 * x).astype(np.uint8)
