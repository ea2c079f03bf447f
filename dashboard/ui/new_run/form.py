"""The form from top to bottom: preset, weights to start from, data set, settings, name, Start."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard import data
from dashboard.ui import answers, run_choice
from dashboard.ui.answers import Answer
from dashboard.ui.new_run import data_set, length
from dashboard.ui.new_run import fields as run_fields
from dashboard.ui.new_run.state import Begins, Proposal, key, key_here, state
from dashboard.ui.new_run.wish import LIKE, AtStep, Wish, misnamed
from dashboard.ui.texts import plain, sentence
from rbm_core.config import OF_THE_MODEL, PRESET_NOTES, PRESETS, ConfigError, RunConfig, make_config
from rbm_core.runs import RunError


def offer_to_go_on() -> None:
    """Opens the form with the run's own settings and its weights: how a finished run is trained further."""
    _begin(LIKE, open=True, fork=True)


def propose(run: str, changes: Mapping[str, Any], step: int | None) -> None:
    """Opens the form filled in with the settings of `run` but for `changes`, and the weights at `step`, if any."""
    _begin(LIKE, open=True, fork=step is not None, proposal=Proposal(run, changes, step))
    st.toast(
        "The form in the sidebar is filled in; **Start** there begins the new run.", icon=":material/add:"
    )


def _begin(preset: str, *, open: bool, fork: bool, proposal: Proposal | None = None) -> None:
    """Another form, with widgets of its own: a question that the browser asked before it heard of this one says what
    the old widgets held, and must not be taken for an answer.
    """
    state().begins = Begins(state().begins.number + 1, preset, open, fork, proposal)
    state().refusal = None


def opened_by_button() -> int:
    """The number of the form that a button of the page opened last, while it is the newest; else 0."""
    begins = state().begins
    return begins.number if begins.open else 0


def is_open() -> bool:
    """Whether the form is open, as it is where there is no run yet."""
    return bool(st.session_state.get(key_here("open"), _opens()))


def _opens() -> bool:
    """Whether the form is open as long as nobody opens or folds it; settled when it is first asked for."""
    begins = state().begins
    if begins.open is None:
        state().begins = begins = replace(begins, open=run_choice.chosen() is None)
    return bool(begins.open)


def sidebar(step: AtStep) -> None:
    """Draws the form; a press of Start leaves the new run chosen and reruns the page.

    step: where the page's time slider stands when Start is pressed; a fork starts from there.
    """
    run = run_choice.chosen()
    proposal = state().proposed(run)
    folded = st.sidebar.expander(
        "New run", expanded=_opens(), icon=":material/add:", key=key_here("open"), on_change="rerun"
    )
    with folded:
        wish = _settings(run)
        wrong = run_fields.wrong(wish.fields) if wish.fields["dataset"] is not None else None
        called = _name(wish, sound=wrong is None)
        bad_name = misnamed(called)
        if bad_name:
            st.caption(f":red[{bad_name}]")
        if wrong:  # the field itself may be folded away, or scrolled out of sight
            st.caption(f":red[{wrong[1]}]")
        if folded.open and wish.fields["dataset"] is not None and wrong is None:
            length.show(wish.config, wish.watched_at)
        st.button(
            "Start",
            key=key("start"),
            type="primary",
            icon=":material/play_arrow:",
            width="stretch",
            disabled=wish.fields["dataset"] is None or wrong is not None or bad_name is not None,
            on_click=_start,
            args=(wish, called, step if proposal is None or proposal.step is None else lambda: proposal.step),
            help="Train in a process of its own; closing this page does not stop it.",
        )
        answers.show(state().refusal)


def _settings(run: str | None) -> Wish:
    """Everything above the name; the data set is None while no usable one is chosen."""
    preset, recipe = _recipe(run)
    proposal = state().proposed(run)
    form = f"{preset}_{run}" if preset == LIKE else preset
    if preset == LIKE and proposal is not None:
        form += f"_{state().begins.number}"
    given = _fork(run)
    example = recipe.dataset if preset == LIKE else None
    dataset = given["dataset"] if given else data_set.choose(recipe, example, form)
    fields: dict[str, Any] = {"dataset": dataset}
    length = {"updates": recipe.updates, "epochs": recipe.epochs}
    unit = "updates" if recipe.updates else "epochs"
    for name in ("n_hidden", unit, "learning_rate", "k"):
        if name not in given:
            fields[name] = run_fields.draw(form, recipe, name)
    fields = length | fields
    offered = st.container()  # above the other settings, and filled after them: they decide its words
    fields |= _folded(form, recipe) | given
    with offered:
        known = data_set.length(fields)
        fields["patience"] = run_fields.draw_patience(form, recipe, known[0] if known else 0)
        data_set.in_epochs(fields)
    return Wish(preset, recipe, fields, run if given else None)


def _recipe(run: str | None) -> tuple[str, RunConfig]:
    """The preset chosen and its settings; the run on the page is one more preset."""
    recipes = dict(PRESETS)
    if run is not None:
        try:
            recorded = data.reader(run).config()["config"]
            proposal = state().proposed(run)
            asked = {**recorded, **(proposal.changes if proposal else {})}
            recipes[LIKE] = make_config(**{k: v for k, v in asked.items() if k in RunConfig.model_fields})
        except (RunError, ConfigError):
            pass  # a run that cannot be read is not offered as an example
    names, begins = list(recipes), state().begins.preset
    if st.session_state.get(key_here("preset")) not in names:  # it was as a run that is not on the page now
        st.session_state.pop(key_here("preset"), None)
    preset = st.selectbox(
        "Preset",
        names,
        index=names.index(begins if begins in names else "quick"),
        key=key_here("preset"),
        help="A complete recipe that is known to work; every setting below starts from it.",
    )
    st.caption(PRESET_NOTES.get(preset) or _what_it_repeats(str(run)))
    return preset, recipes[preset]


def _what_it_repeats(run: str) -> str:
    proposal = state().proposed(run)
    changed = ", ".join(
        f"{run_fields.label(name)}: {value}" for name, value in (proposal.changes if proposal else {}).items()
    )
    return f"The settings of {plain(run)}" + (f", but for **{plain(changed)}**." if changed else ".")


def _fork(run: str | None) -> dict[str, Any]:
    """The settings that come with the weights of the run on the page, if it is to start from them; else none."""
    if run is None:
        return {}
    proposal = state().proposed(run)
    asked = None if proposal is None else proposal.step
    wanted = st.checkbox(
        "Start from the moment shown" if asked is None else f"Start from step {asked:,}",
        value=state().begins.fork,
        key=key_here("fork"),
        help="Copy the weights of the run on this page, at the slider's moment, instead of starting from random ones."
        if asked is None
        else "Copy the weights of the run on this page, at this step, instead of starting from random ones.",
    )
    if not wanted:
        return {}
    try:
        recorded = data.reader(run).config()["config"]
        given = {name: recorded[name] for name in ("dataset", "n_hidden")}
        given |= {name: recorded[name] for name in OF_THE_MODEL if name in recorded}
    except (RunError, KeyError) as error:
        st.caption(f":red[{sentence(error)}]")
        return {}
    st.caption(
        f"{plain(run)} gives its weights, so its data set ({plain(Path(given['dataset']).name)}) and its "
        f"{given['n_hidden']:,} hidden units come along."
    )
    return given


def _folded(form: str, recipe: RunConfig) -> dict[str, Any]:
    """The other settings. Their widgets are made only while they are looked at: 28 of them would cost every
    run of the page 40 % of its time. What was set stays set while they are folded away.
    """
    kept = state().folded.setdefault(form, {})
    with st.expander("All settings", icon=":material/tune:", key=key("all"), on_change="rerun") as folded:
        if folded.open:
            for name in run_fields.FOLDED:
                kept[name] = run_fields.draw(form, recipe, name, kept.get(name))
    return {name: kept.get(name, getattr(recipe, name)) for name in run_fields.FOLDED}


def _name(wish: Wish, sound: bool) -> str:
    """The name that the run gets from what the reader typed, or "". sound: whether these settings can be trained."""
    suggested = ""
    if sound and wish.fields["dataset"] is not None:
        suggested = wish.new_name().rpartition("-")[0]  # its last four characters are drawn at the start
    typed = st.text_input(
        "Name",
        key=key_here("name"),
        placeholder=suggested,
        help="What the run is called in every list, and its folder too. Left empty, it gets the name "
        "suggested, with four more signs to tell it from others; *changed* in it says that a setting is not "
        "the preset's own. Spaces become dashes.",
    ).strip()
    name = data.name_from(typed)
    if name != typed and misnamed(name) is None:
        st.caption(f"It will be called **{plain(name)}**.")
    return name


def _start(wish: Wish, called: str, step: AtStep) -> None:
    try:
        name = wish.start(called, step)
    except ValueError as error:  # ConfigError, DatasetError and RunError are all one sentence
        state().refusal = Answer(sentence(error))
        return
    _begin(wish.preset, open=False, fork=False)
    run_choice.lead_to(name)
