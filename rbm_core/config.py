"""RunConfig: one frozen, validated description of a run, and the presets.

Every field's description is the sentence a page shows beside its control.
"""

import os
from difflib import get_close_matches
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from rbm_core.visible import UNITS, Visible

__all__ = [
    "MOST_PENALTY",
    "OF_THE_MODEL",
    "PRECISIONS",
    "PRESETS",
    "PRESET_NOTES",
    "ConfigError",
    "RunConfig",
    "forced_precision",
    "make_config",
    "no_setting",
    "preset",
]


MOST_PENALTY = 10.0
OF_THE_MODEL = ("visible", "learn_variance", "labels", "ordered", "penalty")
"""Settings that a model's parameters fix: a run that starts from another one's takes them along."""
PRECISIONS = ("int16", "differences", "float32", "bfloat16")


class ConfigError(ValueError):
    """A run description that cannot be trained; the message is one sentence."""


class RunConfig(BaseModel):
    """What to train, on what, and how. Two runs with equal configs on the same device end bit-identical."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    dataset: str = Field(
        "mnist",
        min_length=1,
        description="What the machine learns to imitate: a data set's name, a file (pictures in a .zip, .npy, .npz, .csv, .idx), or a folder of images.",
    )
    n_valid: int = Field(
        5000,
        ge=0,
        le=30000,
        description="Training images held out to watch for overfitting; 0 watches the test set instead.",
    )
    binarisation: Literal["stochastic", "threshold", "none"] = Field(
        "stochastic",
        description="How grey pixels become 0 or 1: a fresh coin toss with the grey value as its odds, a cut at one half, or not at all.",
    )
    visible: Visible = Field(
        "bernoulli",
        description="The law of the visible units: on/off pixels, or real numbers with Gaussian noise (data standardised).",
    )
    learn_variance: bool = Field(
        False,
        description="Gaussian visible units only: learn each pixel's noise variance instead of fixing it at 1.",
    )
    labels: bool = Field(
        False,
        description="Label units beside the pixels: the machine learns which label goes with which image, so that it can name an image and draw one by name.",
    )
    discriminative: float = Field(
        0.0,
        ge=0,
        le=1,
        description="With label units: the share of each step that goes up log p(label | image) and not log p(image, label); 1 only tells labels apart.",
    )
    n_hidden: int = Field(
        500,
        ge=1,
        le=65536,
        description="Hidden units: more of them can say finer things about the data, and cost time in proportion.",
    )
    ordered: bool = Field(
        False,
        description="Hidden units in an order, of which the machine uses as many as an image needs: the layer begins empty and grows as it learns, up to the number of hidden units.",
    )
    penalty: float = Field(
        1.01,
        gt=1,
        le=MOST_PENALTY,
        description="With ordered hidden units: what a unit costs that takes part. The closer to 1, the faster the layer grows.",
    )
    algorithm: Literal["cd", "pcd", "pt", "ptt"] = Field(
        "pcd",
        description="Where the chains of the negative phase start: at the data each time (CD), or where they were left last time (persistent CD), with fresh states coming up by exchange from copies of the model at other temperatures (PT) or from the run's own past models (PTT).",
    )
    k: int = Field(
        1,
        ge=1,
        le=10000,
        description="Gibbs sweeps per update: more give a truer gradient, and cost time in proportion.",
    )
    n_chains: int = Field(
        100,
        ge=1,
        le=100000,
        description="Persistent chains (fantasy particles) that stand for what the model believes; CD uses one per image of the batch.",
    )
    batch_size: int = Field(100, ge=1, le=100000, description="Images averaged for one update.")
    updates: int = Field(
        0,
        ge=0,
        le=10**9,
        description="Parameter updates of the whole run: learning takes so many whatever the size of the data; 0 makes as many as the epochs hold.",
    )
    epochs: int = Field(
        20, ge=1, le=100000, description="Passes over the training data, where the updates are not given."
    )
    patience: int = Field(
        0,
        ge=0,
        le=10**9,
        description="Early stopping: end the run once the validation likelihood has not risen for so many updates, and keep the best moment; 0 trains to the end.",
    )
    learning_rate: float = Field(
        0.05, gt=0, le=100, description="Step size of an update: too small learns slowly, too large blows up."
    )
    lr_schedule: Literal["constant", "step", "linear"] = Field(
        "linear",
        description="How the learning rate changes: never, by a factor every few epochs, or in a straight line down to zero.",
    )
    lr_step_epochs: int = Field(10, ge=1, description="Schedule 'step': epochs between two reductions.")
    lr_gamma: float = Field(0.5, gt=0, le=1, description="Schedule 'step': the factor of each reduction.")
    optimizer: Literal["sgd", "adam"] = Field(
        "sgd",
        description="How the gradient becomes a step: plain stochastic gradient (with momentum), or Adam's rescaled one.",
    )
    momentum: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="The share of the last step that is carried into the next: smooths the path, and acts like a larger learning rate.",
    )
    momentum_ramp_epochs: float = Field(
        0.0,
        ge=0,
        description="Epochs over which momentum rises from 0.5 (or its value, if lower) to its full value; 0 starts in full.",
    )
    weight_decay: float = Field(
        0.0,
        ge=0,
        le=10,
        description="L2 cost: pulls every weight towards zero in proportion to its size, against overfitting and stuck chains.",
    )
    l1: float = Field(
        0.0,
        ge=0,
        le=10,
        description="L1 cost: pulls every weight towards zero by a constant amount, so that most become exactly small.",
    )
    sparsity_target: float = Field(
        0.05,
        gt=0,
        lt=1,
        description="How often a hidden unit should be on, when the sparsity cost is above zero.",
    )
    sparsity_cost: float = Field(
        0.0,
        ge=0,
        le=10,
        description="How hard hidden units are pushed towards the sparsity target; 0 leaves them alone.",
    )
    centred: bool = Field(
        True,
        description="Subtract running means from both layers in the gradient: learning then does not care whether a pixel is coded 0/1 or 1/0.",
    )
    centring_rate: float = Field(
        0.01,
        gt=0,
        le=1,
        description="How fast the hidden means that centring subtracts follow the data's: slow is stable.",
    )
    averaging: float = Field(
        0.0,
        ge=0,
        le=1,
        description="The latest share of the run over which the weights are averaged for what is shown and shipped: takes the chains' noise out of them; 0 is off.",
    )
    max_grad_norm: float = Field(
        0.0, ge=0, description="Scale an update's gradient down to this norm where it is longer; 0 is off."
    )
    weight_std: float = Field(
        0.01,
        ge=0,
        le=10,
        description="Spread of the first random weights; small ones start every unit undecided. Ordered units begin at 0.",
    )
    data_bias: bool = Field(
        True,
        description="Start the visible biases at the data's pixel means, so that learning begins with structure instead of brightness.",
    )
    seed: int = Field(
        0, ge=0, lt=2**63, description="Where all random numbers come from: the same seed gives the same run."
    )
    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|cuda(:\d+)?)$",
        description="Where to compute: auto takes a CUDA GPU if there is one.",
    )
    precision: Literal["auto", "int16", "differences", "float32", "bfloat16"] = Field(
        "auto",
        description="How sweeps are computed: by adding what changed (differences; of grey or real pixels in one direction), from weights rounded to 16 bits if so wished (int16), or by matrix products in float32 or bfloat16. Auto takes the fastest here; the weights that are learned stay float32.",
    )
    log_every: int = Field(100, ge=1, description="Updates between two points of the curves.")
    max_snapshots: int = Field(64, ge=4, le=1000, description="Moments of the run kept for the time slider.")

    def updates_per_epoch(self, n_train: int) -> int:
        """Updates of one pass over n_train images; a last incomplete batch is left out."""
        return max(1, n_train // self.batch_size)

    def n_updates(self, per_epoch: int) -> int:
        """Updates of the whole run. per_epoch: those of one pass over its data."""
        return self.updates or self.epochs * per_epoch

    def rows_per_update(self) -> int:
        """Rows multiplied by W in an update: two a sweep and chain, and those of the two phases and the gradient."""
        chains = self.batch_size if self.algorithm == "cd" else self.n_chains
        return 2 * self.k * chains + 2 * self.batch_size + chains

    @model_validator(mode="after")
    def _fits_together(self) -> "RunConfig":
        units = UNITS[self.visible]
        if self.learn_variance and not units.variance:
            raise ValueError(f"learn_variance needs visible 'gaussian', got {self.visible!r}")
        if units.real and self.precision == "bfloat16":
            raise ValueError(
                "precision bfloat16 rounds real-valued pixels too coarsely; Gaussian units need float32"
            )
        if self.labels and units.real:
            raise ValueError(
                f"labels stand beside pixels of 0 and 1: set visible to bernoulli, got {self.visible!r}"
            )
        if self.precision == "int16" and (units.real or self.binarisation == "none"):
            raise ValueError(
                "precision int16 adds up pixels of 0 and 1; choose auto for pixels that have shades"
            )
        if self.labels and self.precision not in ("auto", "float32"):
            raise ValueError(f"labels need precision float32 or auto, got {self.precision!r}")
        self._check_ordered()
        if self.discriminative and not self.labels:
            raise ValueError(
                f"discriminative needs label units: set labels to true, or discriminative to 0, got {self.discriminative:g}"
            )
        if self.patience and not self.n_valid:
            raise ValueError(
                "patience needs validation images, and n_valid is 0: hold some out, or set patience to 0"
            )
        if self.patience and not units.real and self.binarisation == "none":
            raise ValueError(
                "patience needs a likelihood, and grey pixels have none under a model of 0 and 1: set binarisation to "
                "stochastic or threshold, or patience to 0"
            )
        return self

    def _check_ordered(self) -> None:
        """Raises ValueError for a setting that ordered hidden units cannot have."""
        if not self.ordered:
            return
        wrong = {
            "visible": (UNITS[self.visible].real, "bernoulli", self.visible),
            "labels": (self.labels, "false", "true"),
            "algorithm": (self.algorithm in ("pt", "ptt"), "pcd or cd", self.algorithm),
            "precision": (self.precision not in ("auto", "float32"), "auto or float32", self.precision),
            "sparsity_cost": (self.sparsity_cost > 0, "0", f"{self.sparsity_cost:g}"),
        }
        for name, (bad, needed, got) in wrong.items():
            if bad:
                raise ValueError(f"ordered hidden units need {name} {needed}, got {got}")


def forced_precision() -> str | None:
    """What RBM_PRECISION puts in the place of a timing for precision "auto"; None where it is not set.

    Raises ConfigError if it is none of PRECISIONS.
    """
    forced = os.environ.get("RBM_PRECISION") or None
    if forced not in (None, *PRECISIONS):
        raise ConfigError(
            f"RBM_PRECISION must be {', '.join(PRECISIONS[:-1])} or {PRECISIONS[-1]}, got {forced!r}; "
            "unset it to have it timed"
        )
    return forced


def make_config(**fields: Any) -> RunConfig:
    """A RunConfig of these fields. Raises ConfigError whose one sentence names field, value and expectation."""
    try:
        return RunConfig(**fields)
    except ValidationError as error:
        raise ConfigError(_one_sentence(error)) from None


def _one_sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    name = str(first["loc"][0]) if first["loc"] else ""
    context = first.get("ctx", {})
    got = f", got {_brief(first['input'])}" if name else ""
    match first["type"]:
        case "greater_than_equal":
            return f"{name} must be at least {context['ge']:g}{got}"
        case "greater_than":
            return f"{name} must be greater than {context['gt']:g}{got}"
        case "less_than_equal":
            return f"{name} must be at most {context['le']:g}{got}"
        case "less_than":
            return f"{name} must be less than {context['lt']:g}{got}"
        case "literal_error":
            return f"{name} must be {context['expected']}{got}"
        case "extra_forbidden":
            return no_setting(name)
        case "value_error":
            return str(context["error"])
        case "finite_number":
            return f"{name} must be a finite number{got}"
        case "string_pattern_mismatch":
            return f"{name} must be auto, cpu, cuda or cuda:N{got}"
    return f"{name}: {first['msg'][0].lower()}{first['msg'][1:]}{got}"


def no_setting(name: str) -> str:
    """Why there is no such setting, and which may have been meant, in one sentence."""
    meant = get_close_matches(name, RunConfig.model_fields, n=3)
    return f"there is no setting {_brief(name)}; " + (
        f"did you mean {' or '.join(meant)}?" if meant else "'train --help' lists them all"
    )


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:79] + "…"


PRESETS: dict[str, RunConfig] = {
    "default": RunConfig(k=5, updates=49_500, learning_rate=0.2, averaging=0.05, log_every=200),
    "best": RunConfig(n_hidden=1000, k=5, updates=192_500, learning_rate=0.2, averaging=0.05, log_every=200),
    "quick": RunConfig(n_hidden=200, k=1, updates=2_750, learning_rate=0.05, averaging=0.05, log_every=50),
    "reference": RunConfig(
        n_valid=0,
        binarisation="none",
        n_hidden=250,
        algorithm="cd",
        k=5,
        batch_size=100,
        updates=18_000,
        learning_rate=1e-4,
        lr_schedule="constant",
        optimizer="adam",
        centred=False,
        data_bias=False,
        precision="float32",
    ),
}

PRESET_NOTES: dict[str, str] = {
    "default": "500 hidden units: the highest likelihood for its time.",
    "best": "1,000 hidden units and nearly four times as many updates: the highest likelihood of all.",
    "quick": "200 hidden units and few updates: recognisable digits soon.",
    "reference": "The notebook this began from: 250 hidden units, CD-5, Adam, grey pixels, 30 epochs of MNIST.",
}


def preset(name: str, **changes: Any) -> RunConfig:
    """The preset of this name with some fields changed; `epochs` among them replaces the preset's updates.

    Raises ConfigError for a name or value that is wrong.
    """
    if name not in PRESETS:
        raise ConfigError(f"there is no preset {name!r}; the presets are: {', '.join(PRESETS)}")
    length = {"updates": 0} if "epochs" in changes else {}
    return make_config(**{**PRESETS[name].model_dump(), **length, **changes})
