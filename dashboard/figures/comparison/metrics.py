"""The quantities that runs can be compared by, in the order in which the page offers them."""

from dataclasses import dataclass

from rbm_core.runs.vocabulary import DEAD, SATURATED
from rbm_core.visible import ORDERED_PART

_GUIDE = "Hinton, *A Practical Guide to Training Restricted Boltzmann Machines* (2010)"
_SM = "Salakhutdinov and Murray, *On the quantitative analysis of deep belief networks* (2008)"
_BGS = "Burda, Grosse and Salakhutdinov, *Accurate and conservative estimates of MRF log-likelihood* (2015)"
_LB = "Larochelle and Bengio, *Classification using discriminative restricted Boltzmann machines* (2008)."
_LOG_P = r"\log p(v) = -F(v) - \log Z"
_PSEUDO = r"\sum_i \log p(v_i \mid v_{-i}) = \sum_i \log \sigma\bigl(F(\tilde v^{(i)}) - F(v)\bigr)"
_FREE = r"F(v) = -b\cdot v - \sum_j \log\bigl(1 + e^{\,c_j + (vW)_j}\bigr)"
_MEAN = r"\bar p_j = \tfrac1N \sum_n p(h_j = 1 \mid v^{(n)})"


@dataclass(frozen=True)
class Metric:
    """A quantity that every run records: its name, its unit, what it tells, its formula and source."""

    name: str
    unit: str
    tells: str
    formula: str
    source: str


# by column of metrics.jsonl; "log_likelihood" is what the evaluations found
METRICS: dict[str, Metric] = {
    **{
        f"log_likelihood_{part}": Metric(
            f"Log-likelihood while training, {words}",
            "nats",
            "Estimated now and then while the run learned, too quickly to be exact, and carried on in between; the "
            "band is one standard error. The Evaluate page takes its time and knows better.",
            _LOG_P,
            f"{_SM}; {_BGS}.",
        )
        for part, words in (("valid", "validation"), ("test", "test"))
    },
    "log_likelihood": Metric(
        "Log-likelihood, as evaluated",
        "nats",
        "What all this is for, wherever it has been evaluated, on data held out; bars are one standard error of log "
        "Z, hollow marks are not to be trusted.",
        _LOG_P,
        f"{_SM}.",
    ),
    "free_energy_gap": Metric(
        "Free-energy gap (validation − training)",
        "nats",
        "Rises when the machine finds training images likelier than unseen ones, which is overfitting. Both have the "
        "same log Z, so their difference needs no estimate of it.",
        r"\bar F_{\text{validation}} - \bar F_{\text{training}} = "
        r"\langle \log p\rangle_{\text{training}} - \langle \log p\rangle_{\text{validation}}",
        f"{_GUIDE}, §6.",
    ),
    **{
        f"label_error_{part}": Metric(
            f"Labels named wrongly, {words}",
            "share",
            "The error of runs with label units: the share of images to which they give another label than the data.",
            r"\tfrac1N \sum_n \mathbf 1\bigl[\arg\max_y p(y \mid v^{(n)}) \ne y^{(n)}\bigr]",
            _LB,
        )
        for part, words in (("valid", "validation"), ("test", "test"))
    },
    "pseudo_likelihood_valid": Metric(
        "Pseudo-likelihood, validation",
        "nats",
        "How well each pixel is foretold from all others; cheap, and comparable within one data set.",
        _PSEUDO,
        "Besag, *Statistical analysis of non-lattice data* (1975).",
    ),
    "pseudo_likelihood_train": Metric(
        "Pseudo-likelihood, training subset",
        "nats",
        "How well each pixel is foretold from all others, on images that were trained on.",
        _PSEUDO,
        "Besag, *Statistical analysis of non-lattice data* (1975).",
    ),
    "reconstruction_error": Metric(
        "Reconstruction error",
        "mean square per pixel",
        "Falls as mixing slows, too, and does not see divergence: a low value alone proves nothing.",
        r"\tfrac1V \bigl\lVert v - p(v = 1 \mid h)\bigr\rVert^2, \qquad h \sim p(h \mid v)",
        f"{_GUIDE}, §5.",
    ),
    **{
        f"free_energy_{part}": Metric(
            f"Free energy, {words}",
            "nats",
            "Comparable only within one run: log Z differs.",
            _FREE,
            f"{_GUIDE}, §6.",
        )
        for part, words in (("train", "training subset"), ("valid", "validation"), ("fantasy", "fantasies"))
    },
    "cd_loss_train": Metric(
        "Free energy, data − fantasies",
        "nats",
        "The loss whose gradient contrastive divergence follows; near zero when data and fantasies agree.",
        r"\bar F_{\text{data}} - \bar F_{\text{fantasies}}",
        "Hinton, *Training products of experts by minimizing contrastive divergence* (2002).",
    ),
    "weight_norm": Metric(
        "Norm of all weights ‖W‖",
        "",
        "Grows while the machine commits itself.",
        r"\lVert W \rVert = \Bigl(\sum_{ij} W_{ij}^2\Bigr)^{1/2}",
        f"{_GUIDE}, §10.",
    ),
    "update_ratio": Metric(
        "Update / weights ‖ΔW‖ / ‖W‖",
        "",
        "About a thousandth is a healthy pace.",
        r"\lVert \Delta W\rVert \,/\, \lVert W\rVert",
        f"{_GUIDE}, §7.",
    ),
    "mean_activation": Metric(
        "Mean hidden activation",
        "",
        "The share of hidden units that are on.",
        r"\tfrac1H \sum_j \bar p_j, \qquad " + _MEAN,
        f"{_GUIDE}, §11.",
    ),
    "dead_units": Metric(
        "Dead units",
        "units",
        "Hidden units that are almost never on.",
        rf"\#\{{j : \bar p_j < {DEAD:g}\}}, \qquad " + _MEAN,
        f"{_GUIDE}, §11.",
    ),
    "saturated_units": Metric(
        "Saturated units",
        "units",
        "Hidden units that are almost always on.",
        rf"\#\{{j : \bar p_j > {SATURATED:g}\}}, \qquad " + _MEAN,
        f"{_GUIDE}, §11.",
    ),
    "units_in_use": Metric(
        "Hidden units in use",
        "units",
        "How far a layer of ordered hidden units has grown; only runs with such a layer record it.",
        rf"p(z \mid v) \propto \exp \sum_{{j \le z}} \Bigl[{ORDERED_PART}\Bigr]",
        "Côté and Larochelle, *An infinite restricted Boltzmann machine* (2016).",
    ),
    "exchanges_least": Metric(
        "Exchanges accepted, where least",
        "share",
        "How often neighbours on the ladder of the chains exchange, where least; only runs by pt or ptt record it.",
        r"\min_k \Bigl\langle \min\bigl(1, "
        r"e^{F_k(v) + F_{k+1}(v') - F_k(v') - F_{k+1}(v)}\bigr) \Bigr\rangle",
        "Béreux et al., *Fast training and sampling of restricted Boltzmann machines* (2024).",
    ),
    "flips_per_sweep": Metric(
        "Pixels flipped per sweep",
        "share",
        "How much one sweep changes the chains: mixing.",
        r"\tfrac{1}{NV} \sum_{n,i} \mathbf 1\bigl[v_i^{(n)}(t+1) \ne v_i^{(n)}(t)\bigr]",
        f"{_GUIDE}, §15.",
    ),
    "learning_rate": Metric(
        "Learning rate",
        "",
        "The size of a step.",
        r"W \leftarrow W + \varepsilon\, \bigl(\langle v h^{\mathsf T}\rangle_{\text{data}} - "
        r"\langle v h^{\mathsf T}\rangle_{\text{fantasies}}\bigr)",
        f"{_GUIDE}, §7.",
    ),
    "steps_per_s": Metric(
        "Speed",
        "updates/s",
        "Updates per second of training; what a machine makes of it, not the recipe.",
        r"\text{updates} \,/\, \text{seconds}",
        "the trainer's own clock, pauses excluded.",
    ),
}
AXES = {"step": "Parameter updates", "epoch": "Epochs", "time": "Training time, s"}
