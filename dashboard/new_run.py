"""The sidebar's form for a new run: a preset first, the data set, a few settings, the rest folded."""

from typing import Any, Literal, get_args, get_origin

import streamlit as st

from dashboard import data, trainers
from dashboard.words import sentence
from rbm_core import datasets
from rbm_core.config import PRESET_NOTES, PRESETS, RunConfig, make_config
from rbm_core.runs import RunError

MAIN = ("n_hidden", "epochs", "learning_rate", "k")
FOLDED = tuple(name for name in RunConfig.model_fields if name not in MAIN and name != "dataset")
LABELS = {
    "n_hidden": "Hidden units",
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
}
OWN_FOLDER = "a folder of images"
# Presets are made for MNIST's 55,000 training images. On a smaller set the same number of epochs would be
# too few updates to learn anything, so the form offers as many epochs as make about as many updates.
UPDATES_PER_EPOCH = {"mnist-5k": 40, "bars-and-stripes": 1, "bars-and-stripes-3": 1}
MNIST_UPDATES_PER_EPOCH = 550


def label(field: str) -> str:
    return LABELS.get(field, field.replace("_", " ").capitalize())


def sidebar() -> None:
    """Draws the form; a press of Start leaves the new run chosen and reruns the page."""
    run = st.session_state.get("run")
    with st.sidebar, st.expander("New run", icon=":material/add:", expanded=run is None):
        preset = st.selectbox(
            "Preset",
            list(PRESETS),
            index=list(PRESETS).index("quick") if "quick" in PRESETS else 0,
            key="new_preset",
            help="A complete recipe that is known to work; every setting below starts from it.",
        )
        st.caption(PRESET_NOTES.get(preset, ""))
        dataset = _dataset()
        fields: dict[str, Any] = {"dataset": dataset}
        for name in MAIN:
            fields[name] = _control(preset, name, dataset)
        fields |= _folded(preset, dataset)
        fork = False
        if run is not None:
            fork = st.checkbox(
                "Start from the moment shown",
                key="new_fork",
                help="Copy the weights of the run on this page, at the slider's moment, instead of starting from "
                "random ones. Its data set and number of hidden units come with them.",
            )
        st.button(
            "Start",
            key="new_start",
            type="primary",
            icon=":material/play_arrow:",
            width="stretch",
            disabled=dataset is None,
            on_click=_start,
            args=(preset, fields, run if fork else None),
            help="Train in a process of its own; closing this page does not stop it.",
        )
        if st.session_state.get("new_error"):
            st.error(st.session_state.pop("new_error"))


def _dataset() -> str | None:
    """The chosen data set's name or folder; None while no usable folder is named."""
    names = [*datasets.NAMES, OWN_FOLDER]
    first = "mnist" if datasets.available("mnist") else "mnist-5k"
    chosen = st.selectbox(
        "Data set",
        names,
        index=names.index(first),
        key="new_dataset",
        help=RunConfig.model_fields["dataset"].description,
    )
    if chosen == OWN_FOLDER:
        folder = st.text_input(
            "Folder", key="new_folder", help="A folder on this machine with the images to learn from."
        ).strip()
        if not folder:
            return None
        try:
            st.caption(datasets.describe(folder))
        except datasets.DatasetError as error:
            st.warning(sentence(error))
            return None
        return folder
    st.caption(datasets.describe(chosen))
    if datasets.available(chosen):
        return chosen
    st.info(
        f"{chosen} is not on this machine yet: Start downloads it first, once, into "
        f"{datasets.data_dir()}; or choose mnist-5k, which is bundled."
    )
    return chosen


def _folded(preset: str, dataset: str | None) -> dict[str, Any]:
    """The other settings. Their widgets are made only while they are looked at: 28 of them would cost every
    run of the page 40 % of its time. What was set stays set while they are folded away.
    """
    kept = st.session_state.setdefault("new_kept", {}).setdefault(preset, {})
    with st.popover(
        "All settings", icon=":material/tune:", width="stretch", key="new_all", on_change="rerun"
    ) as folded:
        if folded.open:
            for name in FOLDED:
                kept[name] = _control(preset, name, dataset, kept.get(name))
    return {name: kept.get(name, getattr(PRESETS[preset], name)) for name in FOLDED}


def _epochs(preset: str, dataset: str) -> int:
    epochs = PRESETS[preset].epochs
    return epochs * MNIST_UPDATES_PER_EPOCH // UPDATES_PER_EPOCH.get(dataset, MNIST_UPDATES_PER_EPOCH)


def _control(preset: str, name: str, dataset: str | None, kept: Any = None) -> Any:
    """The widget for one field of RunConfig, at first at the preset's value; its help is the field's own.

    Each preset has widgets of its own, so that choosing another one shows its values.
    """
    field = RunConfig.model_fields[name]
    value, key, kind = getattr(PRESETS[preset], name), f"new_{preset}_{name}", field.annotation
    if name == "epochs" and dataset in UPDATES_PER_EPOCH:
        value, key = _epochs(preset, dataset), f"{key}_{dataset}"
    value = value if kept is None else kept
    if get_origin(kind) is Literal:
        options = list(get_args(kind))
        return st.selectbox(label(name), options, index=options.index(value), key=key, help=field.description)
    if kind is bool:
        return st.checkbox(label(name), value=value, key=key, help=field.description)
    if kind is int:
        return st.number_input(label(name), value=value, step=1, key=key, help=field.description)
    if kind is float:
        return st.number_input(
            label(name), value=value, step=_stride(value), format="%g", key=key, help=field.description
        )
    return st.text_input(label(name), value=value, key=key, help=field.description)


def _stride(value: float) -> float:
    """A step of the arrows that suits the size of the value: a tenth of its power of ten."""
    return float(f"1e{int(f'{value:e}'.split('e')[1]) - 1}") if value > 0 else 0.001


def _start(preset: str, fields: dict[str, Any], fork: str | None) -> None:
    origin = None
    try:
        if fork is not None:
            origin = _moment_of(fork)
            recorded = data.reader(fork).config()["config"]
            fields = {**fields, **{name: recorded[name] for name in ("dataset", "n_hidden", "visible")}}
        config = make_config(**fields)
        offered = {"dataset": config.dataset, "epochs": _epochs(preset, config.dataset)}
        changed = fork is not None or config != PRESETS[preset].model_copy(update=offered)
        name = trainers.start(
            config,
            preset=None if changed else preset,
            origin=origin,
            download=not datasets.available(config.dataset),
        )
    except ValueError as error:  # ConfigError, DatasetError and RunError are all one sentence
        st.session_state.new_error = sentence(error)
        return
    st.session_state.run = name
    st.query_params.clear()
    st.query_params["run"] = name


def _moment_of(run: str) -> dict[str, Any]:
    """The kept snapshot that the page shows, or the last before it; RunError where the run has none yet."""
    steps, shown = data.reader(run).snapshot_steps(), st.session_state.get("moment", "live")
    kept = [step for step in steps if shown == "live" or step <= shown]
    if not kept:
        raise RunError(f"run {run!r} has no snapshot to start from yet; wait for its first")
    return {"run": run, "step": kept[-1]}
