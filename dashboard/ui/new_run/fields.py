"""One widget for each field of a RunConfig, and what is wrong with its value."""

from typing import Any, Literal, get_args, get_origin

import streamlit as st

from dashboard.ui.new_run.state import key
from dashboard.ui.texts import sentence
from rbm_core.config import ConfigError, RunConfig, make_config

MAIN = ("n_hidden", "updates", "epochs", "patience", "learning_rate", "k")  # one of updates and epochs
FOLDED = tuple(name for name in RunConfig.model_fields if name not in MAIN and name != "dataset")
MUCH = 10  # times a learning rate that is known to work: more is offered with a warning
PATIENCE = 10  # a run that stops early waits for this share of its updates: a tenth
LABELS = {
    "n_hidden": "Hidden units",
    "patience": "Early stopping",
    "k": "Gibbs sweeps per update (k)",
    "n_valid": "Validation images",
    "lr_schedule": "Learning-rate schedule",
    "lr_step_epochs": "Schedule: epochs per step",
    "lr_gamma": "Schedule: factor per step",
    "n_chains": "Fantasy particles (chains)",
    "l1": "L1 cost",
    "weight_decay": "Weight decay (L2)",
    "weight_std": "Initial weight spread",
    "data_bias": "Visible biases from the data",
    "log_every": "Updates between points of the curves",
    "max_snapshots": "Snapshots kept",
    "max_grad_norm": "Largest gradient norm",
    "centred": "Centred gradient",
    "labels": "Label units",
    "discriminative": "Discriminative share",
    "ordered": "Ordered hidden units",
    "penalty": "Penalty of an ordered unit",
}


def label(field: str) -> str:
    """The words for a field of RunConfig wherever a page names it."""
    return LABELS.get(field, field.replace("_", " ").capitalize())


def draw(form: str, recipe: RunConfig, name: str, kept: Any = None) -> Any:
    """A field's widget, and beneath it what is wrong with its value or needs a word. Returns the value.

    form: each preset has widgets of its own, so that choosing another preset shows that preset's values.
    kept: the value the widget starts at in place of the recipe's.
    """
    value = _control(name, key(f"{form}_{name}"), getattr(recipe, name) if kept is None else kept)
    problem = wrong({**recipe.model_dump(), name: value})
    if problem:
        st.caption(f":red[{problem[1]}]")
    elif warning := daring(name, value, getattr(recipe, name)):
        st.caption(f":orange[{warning}]")
    return value


def daring(field: str, value: float, usual: float) -> str:
    """A sentence where this learning rate is far above the usual one; else "". A zero too many is easily typed."""
    if field != "learning_rate" or usual <= 0 or value <= MUCH * usual:
        return ""
    times = f"{value / usual:,.0f} times {usual:g}"
    return f"{times}: the weights may grow without bound, and the run then ends as diverged."


def draw_patience(form: str, recipe: RunConfig, updates: int) -> int:
    """Whether to stop early, as one choice; returns the updates that the run then waits for a better moment."""
    stops = st.checkbox(
        "Stop early",
        value=bool(recipe.patience),
        key=key(f"{form}_patience"),
        help=RunConfig.model_fields["patience"].description,
    )
    return (recipe.patience or max(1, updates // PATIENCE)) if stops else 0


def wrong(fields: dict[str, Any]) -> tuple[str, str] | None:
    """(field, sentence in its label's words) where these settings cannot be trained."""
    try:
        make_config(**fields)
    except ConfigError as error:
        name, _, rest = str(error).partition(" ")
        return name, sentence(f"{label(name)} {rest}" if name in RunConfig.model_fields else error)
    return None


def _control(name: str, widget: str, value: Any) -> Any:
    """The widget that suits the field's type; its help is the field's own description."""
    field = RunConfig.model_fields[name]
    kind, help = field.annotation, field.description
    if get_origin(kind) is Literal:
        options = list(get_args(kind))
        return st.selectbox(label(name), options, index=options.index(value), key=widget, help=help)
    if kind is bool:
        return st.checkbox(label(name), value=value, key=widget, help=help)
    if kind is int:
        return st.number_input(label(name), value=value, step=1, key=widget, help=help)
    if kind is float:
        return st.number_input(
            label(name), value=value, step=_stride(value), format="%g", key=widget, help=help
        )
    return st.text_input(label(name), value=value, key=widget, help=help)


def _stride(value: float) -> float:
    """What one press of a field's arrows adds: a tenth of the value's power of ten."""
    return float(f"1e{int(f'{value:e}'.split('e')[1]) - 1}") if value > 0 else 0.001
