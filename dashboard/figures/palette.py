"""The colours of every page: Okabe-Ito for lines, grey or diverging about zero for images.

All of them can be distinguished with the common forms of colour blindness
(Okabe & Ito 2008, https://jfly.uni-koeln.de/color/; diverging ends after Brewer's RdBu).
"""

import json

import numpy as np

OKABE_ITO = {
    "blue": "#0072B2",
    "orange": "#E69F00",
    "green": "#009E73",
    "vermillion": "#D55E00",
    "sky": "#56B4E9",
    "purple": "#CC79A7",
    "yellow": "#F0E442",
    "grey": "#8A8F98",
}

# Black on dark paper and blue on dark paper are hard to read, so each line colour has a lighter twin.
LINES_LIGHT = {**OKABE_ITO, "orange": "#C98500", "yellow": "#B8A800", "sky": "#3D9BD6"}
LINES_DARK = {**OKABE_ITO, "blue": "#4FA8E0", "green": "#2BC496", "vermillion": "#FF7F3A", "grey": "#A0A6B0"}

# Blue is negative everywhere, red positive; zero is the page: white on light paper, black on dark.
DIVERGING_LIGHT = ("#0B4F8A", "#4393C3", "#F7F7F7", "#D6604D", "#9A1B2B")
DIVERGING_DARK = ("#9CD2FF", "#2176B8", "#0B0D12", "#C0392B", "#FFB0A0")
GREY_STOPS = ("#000000", "#FFFFFF")
HIDDEN_STOPS = (
    "#000000",
    "#14507F",
    "#4FA8E0",
    "#C9E8FF",
)  # hidden units, so that nobody takes them for pixels


def _rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], dtype=np.float64)


def colour_table(stops: tuple[str, ...]) -> np.ndarray:
    """(256, 3) uint8: the stops, evenly spaced, joined by straight lines in RGB."""
    where = np.linspace(0, 255, len(stops))
    colours = np.stack([_rgb(stop) for stop in stops])
    table = [np.interp(np.arange(256), where, colours[:, channel]) for channel in range(3)]
    return np.stack(table, axis=1).round().astype(np.uint8)


def javascript() -> str:
    """The same colours for the canvas components, as a module that exports PALETTE."""
    palette = {
        "light": {"lines": LINES_LIGHT, "diverging": DIVERGING_LIGHT},
        "dark": {"lines": LINES_DARK, "diverging": DIVERGING_DARK},
        "grey": GREY_STOPS,
        "hidden": HIDDEN_STOPS,
    }
    return f"export const PALETTE = {json.dumps(palette)};\n"
