"""The recorded metrics as rows for the curves component, and the texts about each group of curves."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rbm_core.visible import ORDERED_PART, ORDERED_TOTAL

# The columns of the rows sent, in this order; the three x axes stand first.
COLUMNS = (
    "step",
    "epoch",
    "seconds",
    "free_energy_train",
    "free_energy_valid",
    "free_energy_fantasy",
    "free_energy_gap",
    "cd_loss_train",
    "pseudo_likelihood_train",
    "pseudo_likelihood_valid",
    "log_likelihood_train",
    "log_likelihood_valid",
    "log_likelihood_test",
    "log_likelihood_train_stderr",
    "log_likelihood_valid_stderr",
    "log_likelihood_test_stderr",
    "log_z_stderr",
    "reconstruction_error",
    "weight_norm",
    "update_ratio",
    "mean_activation",
    "flips_per_sweep",
    "dead_units",
    "saturated_units",
    "learning_rate",
    "steps_per_s",
    "label_error_train",
    "label_error_valid",
    "label_error_test",
    "label_log_p_train",
    "label_log_p_valid",
    "label_log_p_test",
    "units_in_use",
    "units_taking_part",
    "exchanges_least",
    "exchanges_model",
)


# The text, the formula and the source of each group of curves.
ABOUT = {
    "energy": {
        "text": "Every pair of visible units $v$ (the pixels) and hidden units $h$ has an energy; summed over all $h$ "
        "it gives the image its free energy $F(v)$, and the lower that is, the more probable the image. The curves "
        "are means over a fixed part of the training images, as many validation images, and the model's own "
        "samples. $Z$ is unknown but the same for all three, so differences mean something and heights do not: a "
        "gap that keeps growing between validation and training is overfitting.",
        "formula": r"""\begin{gathered} E(v,h) = -b^\top v - c^\top h - v^\top W h \\
F(v) = -b^\top v - \sum_j \log\bigl(1 + e^{\,c_j + (vW)_j}\bigr), \qquad p(v) = \frac{e^{-F(v)}}{Z} \end{gathered}""",
        "source": "Hinton, *A Practical Guide to Training Restricted Boltzmann Machines* (2010), §6.",
    },
    "likelihood": {
        "text": "What training really climbs. $\\log Z$ sums over every possible image and can only be estimated: "
        "an error of the estimate moves all lines together. The band is one standard error, of the estimate and of "
        "the mean over the images watched; older runs have that of the estimate alone. While "
        "training it is measured at some of the saved moments by short annealings from both sides, and continued "
        "between them, where the band widens; the page Evaluate takes a long look at one moment. Choose between "
        "models by the validation line and leave the test line for the end. The pseudo-likelihood asks how well each "
        "pixel is told from all the others, one pixel drawn at a time, scaled to the whole image.",
        "formula": r"\log p(v) = -F(v) - \log Z, \qquad \mathrm{PL}(v) = \sum_i \log p(v_i \mid v_{-i})",
        "source": "Salakhutdinov and Murray (2008); Burda, Grosse and Salakhutdinov (2015); Bennett (1976); "
        "Besag (1975).",
    },
    "reconstruction": {
        "text": "Images of the training subset go down to the hidden units and up again; this is how far they come "
        "back from where they were. It falls when the model is good, and also when the chain hardly moves.",
        "formula": r"\frac{1}{V}\,\bigl\lVert v - \sigma(b + W h) \bigr\rVert^2, \qquad h \sim p(h \mid v)",
        "source": "Hinton (2010), §5, where the warning stands too.",
    },
    "weights": {
        "text": "The length of all weights taken as one vector, and the length of the last update beside it.",
        "formula": r"\lVert W \rVert = \Bigl(\sum_{ij} W_{ij}^2\Bigr)^{1/2}, \qquad "
        r"\frac{\lVert \Delta W \rVert}{\lVert W \rVert} \approx 10^{-3}",
        "source": "Hinton (2010), §7.",
    },
    "activity": {
        "text": "Mean activation: how often a hidden unit is on for an image of the training subset, averaged over the "
        "units. Dead units never answer, those always on only shift the biases. Pixels flipped: the share of "
        "visible units that one sweep of the fantasy chains changes; near zero, the chains stand still.",
        "formula": r"q = \frac{1}{NH} \sum_{n,j} \sigma\bigl(c_j + (v^{(n)} W)_j\bigr)",
        "source": "Hinton (2010), §11 and §15.",
    },
    "labels": {
        "text": "A run with label units says of each image which label it finds most probable; the error is the share "
        "of images that it names wrongly. Below, how probable it finds the right label, which needs no $Z$. Choose "
        "between models by the validation line and leave the test line for the end.",
        "formula": r"""\begin{gathered} p(y \mid v) = \frac{e^{s_y(v)}}{\sum_{k} e^{s_k(v)}} \\
s_y(v) = d_y + \sum_j \log\bigl(1 + e^{\,c_j + (vW)_j + U_{yj}}\bigr) \end{gathered}""",
        "source": "Larochelle and Bengio, *Classification using discriminative restricted Boltzmann machines* (2008).",
    },
    "ladder": {
        "text": "The chains of this run exchange states with a ladder of simpler machines below them, so that new ones "
        "come up from noise. An exchange is accepted with a probability that leaves every machine's law as it is. The "
        "share that succeeds is shown for the two neighbours where it is least, and for the last rung with the machine "
        "that learns. About three in ten is good; where it stays near zero, no state passes there.",
        "formula": r"\min\Bigl(1,\; e^{F_k(v) + F_{k+1}(v') - F_k(v') - F_{k+1}(v)}\Bigr)",
        "source": "Béreux, Decelle, Furtlehner, Rosset and Seoane, *Fast training and sampling of restricted Boltzmann "
        "machines* (2024).",
    },
    "layer": {
        "text": "Ordered hidden units take part one after the other: how many, $z$, is drawn anew for each image. The "
        "layer begins empty. Where one of the fantasies draws a $z$ beyond the last unit in use, that unit is in use "
        "from then on and learns. The upper line is how many are in use, the lower one how many of them take part in "
        "an image of the training subset, on average.",
        "formula": rf"p(z \mid v) \propto \exp \sum_{{j \le z}} \Bigl[{ORDERED_PART}\Bigr]",
        "source": "Côté and Larochelle, *An infinite restricted Boltzmann machine* (2016).",
    },
    "pace": {
        "text": "The learning rate $\\varepsilon$ scales every update. While it is high, the parameters jitter about "
        "the best they could be; letting it fall to zero collects what that costs.",
        "formula": r"W \leftarrow W + \varepsilon\,\bigl(\langle v h^\top \rangle_{\text{data}} "
        r"- \langle v h^\top \rangle_{\text{fantasies}}\bigr)",
        "source": "Hinton (2010), §7.",
    },
}
ABOUT_ORDERED = {
    "energy": ABOUT["energy"]
    | {
        "formula": rf"F(v) = -b^\top v - {ORDERED_TOTAL}, \qquad p(v) = \frac{{e^{{-F(v)}}}}{{Z}}",
        "source": "Côté and Larochelle, *An infinite restricted Boltzmann machine* (2016).",
    }
}
"""The same of groups that differ for a run with ordered hidden units."""


def rows_of(metrics: Mapping[str, np.ndarray], start: int = 0) -> np.ndarray:
    """(n, len(COLUMNS)) float64: the rows from `start` on; NaN where a row has no value."""
    n = len(metrics["step"]) if "step" in metrics else 0
    table = np.full((max(0, n - start), len(COLUMNS)), np.nan)
    for place, name in enumerate(COLUMNS):
        if name in metrics and len(metrics[name]) == n:
            table[:, place] = metrics[name][start:]
    return table


def estimates(likelihood: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """(m, 5) float64: step; training, validation and test nats; standard error, of every estimate recorded."""
    rows = []
    for row in likelihood:
        values = [row.get(key) for key in ("step", "train_nats", "valid_nats", "test_nats", "stderr")]
        rows.append([float(v) if isinstance(v, (int, float)) else np.nan for v in values])
    table = np.array(rows, dtype=np.float64).reshape(-1, 5)
    return table[np.argsort(table[:, 0], kind="stable")]


# What the marks in the curves call a command.
WORDS = {
    "pause": "paused",
    "resume": "resumed",
    "stop": "stopped",
    "snapshot": "snapshot taken",
    "step": "stepped by hand",
    "speed": "full speed",
    "full": "commands no longer recorded",
}


def marks(events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The commands that a run obeyed, as marks {"step", "label"} for the curves and the time slider."""
    found = []
    for event in events:
        value, label = event.get("value"), WORDS.get(str(event.get("command")))
        if event.get("command") == "set" and isinstance(value, Mapping):
            label = f"{str(value.get('name')).replace('_', ' ')} set to {value.get('value'):g}"
        elif event.get("command") == "speed" and isinstance(value, Mapping):
            limit = value.get("updates_per_second")
            label = label if limit is None else f"watched at {limit:g} updates a second"
        elif event.get("command") == "extend" and isinstance(value, Mapping):
            label = f"extended to {value.get('epochs')} epochs"
        elif event.get("command") == "stop early" and isinstance(value, Mapping):
            label = f"stopped early, best at step {value.get('step', 0):,}"
        step = event.get("step")
        if label is not None and isinstance(step, int):
            found.append({"step": step, "label": label})
    return found
