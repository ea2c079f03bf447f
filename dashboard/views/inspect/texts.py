"""The texts about the pictures of the Inspect page: words, formula, source."""

from dashboard.ui.about import GUIDE, INTRODUCTION
from rbm_core.visible import ORDERED_TOTAL, Formulas, units_of

# --- a hidden unit ---

FILTERS = {
    "text": "Every hidden unit's weights, one tile each, all on one scale: red pixels switch it on, blue ones off, "
    "and where a tile has the page's own colour, the pixel does not matter. Colours saturate at the value "
    "that 99.5 % of all weights stay below.",
    "formula": r"W_{\cdot j} = (W_{1j}, \dots, W_{Vj})",
    "source": f"{GUIDE}, §15.",
}
UNIT_HISTORY = {
    "text": "The filter is one column of $W$: the weights through which this hidden unit sees the picture. The "
    "curves follow its length, its bias and how often it is on through every kept moment of training. "
    "Leave the slider anywhere, and the whole page moves to that moment.",
    "formula": r"p(h_j = 1 \mid v) = \sigma\Bigl(c_j + \sum_i v_i W_{ij}\Bigr), \qquad "
    r"\sigma(x) = \frac{1}{1 + e^{-x}}",
    "source": f"{GUIDE}, §§2, 15.",
}
UNIT_BY_CLASS = {
    "text": "The unit's probability of being on, for every image, class by class; at the right its mean. Bars are "
    "square roots of the share of the class's images, so that rare answers stay visible. A unit on for one "
    "class and nothing else has specialised; one on for all images alike tells nothing.",
    "formula": r"p(h_j = 1 \mid v) = \sigma\bigl(c_j + (vW)_j\bigr)",
    "source": f"{GUIDE}, §11.",
}
LABEL = {
    "text": "Each tile is a hidden unit's filter; its label weight, which a tile tells when pointed at, is what the "
    "unit adds to the label's input when it is on, and what the label adds to the unit's. Units that speak for a label "
    "see strokes of such images; units that speak against it see strokes that tell others apart from them.",
    "formula": r"p(y \mid h) \propto e^{\,d_y + \sum_j U_{yj} h_j}, \qquad "
    r"p(h_j = 1 \mid v, y) = \sigma\bigl(c_j + (vW)_j + U_{yj}\bigr)",
    "source": "Larochelle and Bengio, *Classification using discriminative restricted Boltzmann machines* (2008).",
}
UNIT_NEIGHBOURS = {
    "text": "Two units whose weights point the same way do one job twice; two that point opposite ways answer to "
    "each other's negative.",
    "formula": r"\cos(j, k) = \frac{W_j \cdot W_k}{\lVert W_j\rVert\,\lVert W_k\rVert}",
    "source": f"{INTRODUCTION}, §5.",
}


def exciting(n: int, most: bool) -> dict[str, str]:
    return {
        "text": f"The {n} images with the {'highest' if most else 'lowest'} input to this unit; the input "
        "ranks them even where the probability rounds to one or to nought.",
        "formula": r"x_j(v) = c_j + (vW)_j",
        "source": f"{GUIDE}, §15.",
    }


# --- a pixel ---

PIXELS = {
    "text": "How bright each pixel is on average in the data. A bias alone, without any weight, would reproduce "
    "exactly this and nothing more.",
    "formula": r"\sigma(b_i) = \tfrac{1}{N} \sum_n v_i^{(n)}",
    "source": f"{GUIDE}, §8.",
}
INCOMING = {
    "text": "A pixel listens to the hidden units through one row of $W$; each cell is one unit.",
    "formula": r"p(v_i = 1 \mid h) = \sigma\Bigl(b_i + \sum_j W_{ij} h_j\Bigr)",
    "source": f"{INTRODUCTION}, §4.",
}
KINSHIP = {
    "text": "The cosine between this pixel's row of weights and every other row. No two pixels are joined, so all "
    "that the machine knows about neighbouring pixels lies in these rows.",
    "formula": r"\cos(i, k) = \frac{W_{i\cdot} \cdot W_{k\cdot}}{\lVert W_{i\cdot}\rVert\,\lVert "
    r"W_{k\cdot}\rVert}",
    "source": f"{INTRODUCTION}, §4.",
}
DRIVERS = {
    "text": "The whole filters of the units with the largest weights at this pixel: where they are red they would "
    "have it on, where blue off. Together with the bias they decide about it.",
    "formula": r"b_i + \sum_j W_{ij} h_j",
    "source": f"{INTRODUCTION}, §4.",
}

# --- an image ---

ANSWERING = {
    "text": "A unit counts as much as it is likely to be on and as its weights are strong.",
    "formula": r"p_j \lVert W_j\rVert, \qquad p_j = p(h_j = 1 \mid v)",
    "source": f"{INTRODUCTION}, §4.",
}
STANDING = {
    "text": "Of two images, the one that lies ten nats further left is $e^{10}$ times likelier: $\\log Z$ is the same "
    "for both. Data and the model's own fantasies should overlap.",
    "formula": r"\log p(v) = -F(v) - \log Z",
    "source": f"{GUIDE}, §6.",
}
SOFTPLUS = {
    "text": "The free energy is the visible term less one softplus a unit: a unit that fits the image well makes it "
    "likelier by about its input, one that does not fit changes next to nothing.",
    "formula": r"F(v) = \text{visible} - \sum_j \log\bigl(1 + e^{\,c_j + (vW)_j}\bigr)",
    "source": f"{INTRODUCTION}, §4.",
}
ORDERED_SOFTPLUS = {
    "text": "Of ordered units each takes off its softplus less its penalty, times its chance of taking part in this "
    "image; how undecided it is how many take part, the entropy of $z$, takes off the rest.",
    "formula": rf"F(v) = \text{{visible}} - {ORDERED_TOTAL}",
    "source": "Côté and Larochelle, *An infinite restricted Boltzmann machine* (2016).",
}


def build_up(tex: Formulas) -> dict[str, str]:
    squash = r"\Bigl(b + \sum_{j \in \text{first } n} p_j W_j\Bigr)"
    return {
        "text": "Each hidden unit answers to the image with its probability $p_j = p(h_j=1\\mid v)$. Units are added "
        "in the order of $p_j\\lVert W_j\\rVert$, the strongest first; after $n$ of them the picture is",
        "formula": tex.mean % squash,
        "source": f"{INTRODUCTION}, §4.",
    }


def energy(tex: Formulas, ordered: bool) -> dict[str, str]:
    """ordered: of ordered hidden units, whose penalties are a term, and whose number has an entropy of its own."""
    penalties, order = (
        (r" + \sum_j q_j P \log(1 + e^{c_j})", r"H(z) + \sum_j q_j") if ordered else ("", r"\sum_j")
    )
    return {
        "text": "Averaged over the hidden units as this image sets them, and then the free energy, which counts every "
        "hidden state with its weight: it is lower by how undecided the hidden units are, their entropy $H$."
        + (" A unit takes part with the chance $q_j = p(z \\ge j \\mid v)$." if ordered else ""),
        "formula": rf"\langle E\rangle_{{p(h\mid v)}} = {tex.own_energy_terms} - c\cdot p "
        rf"- {tex.seen}^{{\mathsf T}} W p{penalties}, \qquad "
        rf"F(v) = \langle E\rangle - \bigl({order} H(p_j)\bigr)",
        "source": f"{INTRODUCTION}, §4.",
    }


def images(fields: dict[str, str]) -> dict[str, str]:
    """fields: the run's config, which says how its visible units see a grey image x."""
    units = units_of(fields)
    if units.standardised:
        seen = "The machine sees each pixel less its mean, in its standard deviations."
        formula = r"v_i = (x_i - \mu_i) / s_i"
    elif units.real or fields.get("binarisation") == "none":
        seen = "The machine sees the grey values themselves, as if they were probabilities."
        formula = "v_i = x_i"
    else:
        seen = "Here the machine sees each pixel off or on."
        formula = r"v_i = 1 \text{ if } x_i > \tfrac12, \text{ else } 0"
    return {
        "text": f"Images of the run's own data, in grey as they are stored. {seen}",
        "formula": formula,
        "source": f"{GUIDE}, §§3, 13.",
    }


def seen_as(fields: dict[str, str]) -> str:
    """How the run's visible units see a grey image, as the end of a sentence about it."""
    units = units_of(fields)
    if units.standardised:
        return ", standardised as the machine sees them"
    if units.real or fields.get("binarisation") == "none":
        return ", grey values as the machine sees them"
    return ", grey pixels cut at one half to be on or off"
