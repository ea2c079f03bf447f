"""What was found: the evaluations that did not finish, and one that did, with its numbers and pictures."""

from typing import Any

import streamlit as st

from dashboard.processes import evaluators
from dashboard.ui import link, run_choice
from dashboard.ui.texts import plain, sentence
from dashboard.views.evaluate import pictures, texts, under_way
from dashboard.views.evaluate.answer import verdict
from dashboard.views.evaluate.texts import are_numbers, is_number, nats

CHOSEN = "evaluate.chosen"
Told = list[tuple[str, str, str]]  # label, value and what it means


def choose(run: str, best: dict[str, Any] | None) -> dict[str, Any] | None:
    """The evaluation that is shown: the run's best answer unless another is picked. It stays until another is done."""
    found = [one for one in evaluators.of_run(run) if one["state"] != "running"]
    busy = under_way.busy(run)
    for one in found:
        if one["state"] == "failed":
            reason = sentence(one.get("message", "it failed"))
            st.warning(f"{plain(texts.title(one))}, step {one['step']:,}: {reason}")
        elif one["state"] == "interrupted" and not busy:  # it may be the one that goes on just now
            offer_to_go_on(run, one)
    finished = {one["id"]: one for one in found if one["state"] == "finished"}
    asked = link.field("evaluation")
    if asked and asked not in finished:
        st.warning(f"This run has no finished evaluation {plain(asked)}; showing its best one.")
        link.remember("evaluation", "")
    if not finished:
        return None
    otherwise = next(iter(finished)) if best is None or best.get("id") not in finished else str(best["id"])
    if len(finished) == 1:
        return finished[otherwise]
    return finished[pick(finished, asked, otherwise)]


def offer_to_go_on(run: str, one: dict[str, Any]) -> None:
    share = float(one.get("done", 0)) / max(float(one.get("total", 0)), 1.0)
    words, button = st.columns([6, 1.2], vertical_alignment="center")
    words.info(
        f"{plain(texts.title(one))} at step {one['step']:,} was interrupted at {share:.0%}. What is done is kept.",
        icon=":material/pause_circle:",
    )
    button.button(
        "Go on",
        key=f"evaluate.go-on-{one['id']}",
        icon=":material/play_arrow:",
        width="stretch",
        on_click=under_way.go_on,
        args=(run, one),
        help="Goes on from where it was interrupted.",
    )


def pick(finished: dict[str, dict[str, Any]], asked: str, otherwise: str) -> str:
    st.session_state[CHOSEN] = asked if asked in finished else otherwise

    def picked() -> None:
        chosen = st.session_state[CHOSEN]
        link.remember("evaluation", "" if chosen == otherwise else chosen)

    return st.selectbox(
        "Evaluation shown",
        list(finished),
        format_func=lambda i: texts.question(finished[i]),
        key=CHOSEN,
        on_change=picked,
        help="Every finished evaluation of this run, newest first.",
    )


def draw(run: str, config: dict[str, Any], one: dict[str, Any], on_top: bool) -> None:
    """An evaluation: its numbers and figures; its verdict too, unless that stands on top of the page."""
    row = one.get("row") or {}
    if not on_top:
        st.markdown(f"**{plain(texts.question(one))}**")
        verdict(row)
    with st.container(horizontal=True, gap="medium"):
        for label, value, meaning in (
            *likelihoods(row, on_top),
            *normaliser(row),
            *directions(row),
            *walks(row),
            *mixing(row),
        ):
            st.metric(run_choice.said(label), value, help=run_choice.said(meaning), width="content")
    pictures.draw(run, config, one, one["id"])


def likelihoods(row: dict[str, Any], on_top: bool) -> Told:
    told: Told = []
    if is_number(row.get("test_nats")) and not on_top:
        told.append(("Test, nats", nats(row["test_nats"]), "Mean log p of the test images."))
    if are_numbers(row, "pseudo_test_nats", "pseudo_train_nats"):
        told.append(("Pseudo-likelihood, test, nats", nats(row["pseudo_test_nats"]), "Summed over pixels."))
        told.append(("… training", nats(row["pseudo_train_nats"]), "Summed over pixels."))
    return told


def normaliser(row: dict[str, Any]) -> Told:
    if not is_number(row.get("log_z")):
        return []
    meaning = "The logarithm of the normalising constant."
    if row.get("forward") and row.get("reverse"):
        meaning += " Both directions joined by Bennett's acceptance ratio: nearer to the one whose chains agree more."
    return [("log Z, nats", nats(row["log_z"]), meaning)]


def directions(row: dict[str, Any]) -> Told:
    chains = row.get("settings", {}).get("n_chains", "?")
    return [
        (
            f"{direction} AIS, log Z",
            f"{nats(part['log_z'])} ± {part['stderr']:.2f}",
            f"Errs {errs} on average. {part['ess']:.0f} of {chains} chains carry it.",
        )
        for direction, errs in (("forward", "low"), ("reverse", "high"))
        if are_numbers(part := row.get(direction) or {}, "log_z", "stderr", "ess")
    ]


def walks(row: dict[str, Any]) -> Told:
    if not are_numbers(row, "round_trips", "rungs"):
        return []
    weakest = min(row.get("acceptance") or [0.0])
    return [
        (
            "Models between",
            f"{row['rungs']:,}",
            "Rungs from independent pixels to the model, placed by acceptance.",
        ),
        (
            "Weakest exchange",
            f"{100 * weakest:.0f} %",
            "The share of exchanges accepted between the two neighbours that exchange least.",
        ),
        (
            "Walks there and back",
            f"{row['round_trips']:,}",
            "Chains that went from independent pixels to the model and back: each may have changed its mode.",
        ),
    ]


def mixing(row: dict[str, Any]) -> Told:
    measured = (
        "autocorrelation_time",
        "aa_synthetic",
        "aa_truth",
        "nearest_train_samples",
        "nearest_train_test",
    )
    if not are_numbers(row, *measured):
        return []
    return [
        (
            "Memory, sweeps",
            f"{row['autocorrelation_time']:,.0f}",
            "Autocorrelation time: how many sweeps are worth one independent sample, by the free energy.",
        ),
        (
            "Samples near samples",
            f"{row['aa_synthetic']:.2f}",
            "AA_TS, samples' half: ½ is perfect; above, samples are bunched or off the data; below, copied.",
        ),
        (
            "Data near data",
            f"{row['aa_truth']:.2f}",
            "AA_TS, data's half: ½ is perfect; above, samples miss part of the data.",
        ),
        (
            "To nearest training image",
            f"{row['nearest_train_samples']:.0f} (test: {row['nearest_train_test']:.0f})",
            "Pixels that differ; median over samples, and over test images. Much nearer than those: remembered.",
        ),
    ]
