"""The sidebar's form for a new run: a preset first, the data set, a few settings, the rest folded.

What cannot be trained is said under the field that is wrong, in its label's words, before Start is pressed.
"""

from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import streamlit as st

from dashboard import data
from dashboard.processes import trainers
from dashboard.ui import run_choice
from dashboard.ui.texts import plain, sentence
from rbm_core import datasets
from rbm_core.config import PRESET_NOTES, PRESETS, ConfigError, RunConfig, make_config
from rbm_core.runs import RunError, store

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
SPLIT = (
    "mnist",
    "fashion-mnist",
    "kmnist",
)  # come with a training set of which the validation images are taken
OWN_FOLDER = "a folder of images"
LIKE = "as this run"
# Presets are made for MNIST's 55,000 training images. On a smaller set the same number of epochs would be
# too few updates to learn anything, so the form offers as many epochs as make about as many updates.
UPDATES_PER_EPOCH = {"mnist-5k": 40, "bars-and-stripes": 1, "bars-and-stripes-3": 1}
MNIST_UPDATES_PER_EPOCH = 550


def label(field: str) -> str:
    return LABELS.get(field, field.replace("_", " ").capitalize())


def offer_to_go_on() -> None:
    """Opens the form with the run's own settings and its weights: how a finished run is trained further."""
    st.session_state.new_open = True
    st.session_state.new_preset = LIKE
    st.session_state.new_fork = True


def sidebar() -> None:
    """Draws the form; a press of Start leaves the new run chosen and reruns the page."""
    run = run_choice.chosen()
    st.session_state.setdefault("new_open", run is None)
    with st.sidebar, st.expander("New run", icon=":material/add:", key="new_open", on_change="rerun"):
        preset, recipe = _recipe(run)
        form = f"{preset}_{run}" if preset == LIKE else preset
        given = _fork(run)
        dataset = (
            given["dataset"] if given else _dataset(recipe, recipe.dataset if preset == LIKE else None, form)
        )
        fields: dict[str, Any] = {"dataset": dataset}
        for name in MAIN:
            if name not in given:
                fields[name] = _field(form, recipe, name, dataset)
        fields |= _folded(form, recipe, dataset) | given
        wrong = _wrong(fields) if dataset is not None else None
        called = st.text_input(
            "Name",
            key="new_name",
            placeholder=_suggested(preset, recipe, fields, bool(given)) if wrong is None else "",
            help="What the run is called in every list, and its folder too. Left empty, it gets the name "
            "suggested, with four more signs to tell it from others; *changed* in it says that a setting is not "
            "the preset's own.",
        ).strip()
        misnamed = _misnamed(called)
        if misnamed:
            st.caption(f":red[{plain(misnamed)}]")
        if wrong and wrong[0] not in MAIN:  # the field itself may be folded away
            st.caption(f":red[{plain(wrong[1])}]")
        st.button(
            "Start",
            key="new_start",
            type="primary",
            icon=":material/play_arrow:",
            width="stretch",
            disabled=dataset is None or wrong is not None or misnamed is not None,
            on_click=_start,
            args=(preset, recipe, fields, run if given else None, called),
            help="Train in a process of its own; closing this page does not stop it.",
        )
        if st.session_state.get("new_error"):
            st.error(st.session_state.pop("new_error"))


def _recipe(run: str | None) -> tuple[str, RunConfig]:
    """The preset chosen and its settings; the run on the page is one more preset."""
    recipes = dict(PRESETS)
    if run is not None:
        try:
            recorded = data.reader(run).config()["config"]
            recipes[LIKE] = make_config(**{k: v for k, v in recorded.items() if k in RunConfig.model_fields})
        except (RunError, ConfigError):
            pass  # a run that cannot be read is not offered as an example
    if st.session_state.get("new_preset") not in recipes:
        st.session_state.new_preset = "quick"
    preset = st.selectbox(
        "Preset",
        list(recipes),
        key="new_preset",
        help="A complete recipe that is known to work; every setting below starts from it.",
    )
    st.caption(PRESET_NOTES.get(preset, f"The settings of {plain(str(run))}."))
    return preset, recipes[preset]


def _fork(run: str | None) -> dict[str, Any]:
    """The settings that come with the weights of the run on the page, if it is to start from them; else none."""
    if run is None:
        return {}
    wanted = st.checkbox(
        "Start from the moment shown",
        key="new_fork",
        help="Copy the weights of the run on this page, at the slider's moment, instead of starting from random ones.",
    )
    if not wanted:
        return {}
    try:
        recorded = data.reader(run).config()["config"]
        given = {name: recorded[name] for name in ("dataset", "n_hidden", "visible")}
    except (RunError, KeyError) as error:
        st.caption(f":red[{plain(sentence(error))}]")
        return {}
    st.caption(
        f"{plain(run)} gives its weights, so its data set ({plain(Path(given['dataset']).name)}) and its "
        f"{given['n_hidden']:,} hidden units come along."
    )
    return given


def _dataset(recipe: RunConfig, first: str | None, form: str) -> str | None:
    """The chosen data set's name or folder; None while no usable folder is named."""
    names = [*datasets.NAMES, OWN_FOLDER]
    start = first or ("mnist" if datasets.available("mnist") else "mnist-5k")
    chosen = st.selectbox(
        "Data set",
        names,
        index=names.index(start if start in names else OWN_FOLDER),
        key=f"new_dataset_{form}" if first else "new_dataset",
        help=RunConfig.model_fields["dataset"].description,
    )
    if chosen == OWN_FOLDER:
        folder = st.text_input(
            "Folder",
            value=first if first not in names and first else "",
            key=f"new_folder_{form}" if first else "new_folder",
            help="A folder on this machine with the images to learn from.",
        ).strip()
        if not folder:
            return None
        try:
            st.caption(datasets.describe(folder))
        except datasets.DatasetError as error:
            st.warning(sentence(error))
            return None
        return folder
    aside = (
        f" {recipe.n_valid:,} of the training images are set aside to validate." if chosen in SPLIT else ""
    )
    st.caption(datasets.describe(chosen) + aside)
    if datasets.available(chosen):
        return chosen
    st.info(
        f"{chosen} is not on this machine yet: Start downloads it first, once, into "
        f"{datasets.data_dir()}; or choose mnist-5k, which is bundled."
    )
    return chosen


def _folded(form: str, recipe: RunConfig, dataset: str | None) -> dict[str, Any]:
    """The other settings. Their widgets are made only while they are looked at: 28 of them would cost every
    run of the page 40 % of its time. What was set stays set while they are folded away.
    """
    kept = st.session_state.setdefault("new_kept", {}).setdefault(form, {})
    with st.expander("All settings", icon=":material/tune:", key="new_all", on_change="rerun") as folded:
        if folded.open:
            for name in FOLDED:
                kept[name] = _field(form, recipe, name, dataset, kept.get(name))
    return {name: kept.get(name, getattr(recipe, name)) for name in FOLDED}


def _field(form: str, recipe: RunConfig, name: str, dataset: str | None, kept: Any = None) -> Any:
    """A field's widget, and beneath it what is wrong with its value or needs a word."""
    value = _control(form, recipe, name, dataset, kept)
    wrong = _wrong({**recipe.model_dump(), name: value})
    if wrong:
        st.caption(f":red[{plain(wrong[1])}]")
    elif name == "epochs" and dataset and _epochs(recipe, dataset) != recipe.epochs:
        st.caption(
            f"The preset's {recipe.epochs} are for MNIST; {_epochs(recipe, dataset):,} make as many updates here."
        )
    return value


def _wrong(fields: dict[str, Any]) -> tuple[str, str] | None:
    """(field, sentence in its label's words) where these settings cannot be trained."""
    try:
        make_config(**fields)
    except ConfigError as error:
        name, _, rest = str(error).partition(" ")
        return name, sentence(f"{label(name)} {rest}" if name in RunConfig.model_fields else error)
    return None


def _epochs(recipe: RunConfig, dataset: str) -> int:
    """As many passes over `dataset` as make about as many updates as the recipe's over its own data set."""
    own = UPDATES_PER_EPOCH.get(recipe.dataset, MNIST_UPDATES_PER_EPOCH)
    return max(1, recipe.epochs * own // UPDATES_PER_EPOCH.get(dataset, MNIST_UPDATES_PER_EPOCH))


def _control(form: str, recipe: RunConfig, name: str, dataset: str | None, kept: Any = None) -> Any:
    """The widget for one field of RunConfig, at first at the preset's value; its help is the field's own.

    Each preset has widgets of its own, so that choosing another one shows its values.
    """
    field = RunConfig.model_fields[name]
    value, key, kind = getattr(recipe, name), f"new_{form}_{name}", field.annotation
    if name == "epochs" and dataset and _epochs(recipe, dataset) != recipe.epochs:
        value, key = _epochs(recipe, dataset), f"{key}_{dataset}"
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


def _misnamed(name: str) -> str | None:
    """Why no new run can be called so, in one sentence; None where it can, or where it is to be named for one."""
    if not name:
        return None
    try:
        store.check_name(name)
    except RunError as error:
        return sentence(error)
    return f"There is a run {name!r} already." if (store.runs_root() / name).exists() else None


def _changed(preset: str, recipe: RunConfig, config: RunConfig, fork: bool) -> bool:
    offered = {"dataset": config.dataset, "epochs": _epochs(recipe, config.dataset)}
    return preset == LIKE or fork or config != recipe.model_copy(update=offered)


def _kind(preset: str, recipe: RunConfig, config: RunConfig, fork: bool) -> str:
    """What a run's own name says of it beside its data set."""
    kind = f"{config.algorithm}{config.k}" if preset == LIKE else preset
    changed = preset != LIKE and _changed(preset, recipe, config, fork)
    return kind + ("-fork" if fork else "-changed" if changed else "")


def _suggested(preset: str, recipe: RunConfig, fields: dict[str, Any], fork: bool) -> str:
    """The name that the run gets if it is given none, without its last four signs, which are drawn at the start."""
    if fields["dataset"] is None:
        return ""
    config = make_config(**fields)
    return store.new_name(config, _kind(preset, recipe, config, fork)).rpartition("-")[0]


def _start(preset: str, recipe: RunConfig, fields: dict[str, Any], fork: str | None, called: str) -> None:
    try:
        origin = _moment_of(fork) if fork is not None else None
        config = make_config(**fields)
        forked = origin is not None
        changed = _changed(preset, recipe, config, forked)
        name = trainers.start(
            config,
            called or store.new_name(config, _kind(preset, recipe, config, forked)),
            preset=None if changed else preset,
            origin=origin,
            download=not datasets.available(config.dataset),
        )
    except ValueError as error:  # ConfigError, DatasetError and RunError are all one sentence
        st.session_state.new_error = sentence(error)
        return
    st.session_state.new_fork = st.session_state.new_open = False
    st.session_state.new_name = ""
    run_choice.choose(name)
    st.query_params.clear()
    st.query_params["run"] = name


def _moment_of(run: str) -> dict[str, Any]:
    """The kept snapshot that the page shows, or the last before it; RunError where the run has none yet."""
    steps, shown = data.reader(run).snapshot_steps(), st.session_state.get("moment", "live")
    kept = [step for step in steps if shown == "live" or step <= shown]
    if not kept:
        raise RunError(f"run {run!r} has no snapshot to start from yet; wait for its first")
    return {"run": run, "step": kept[-1]}
