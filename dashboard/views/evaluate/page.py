"""The Evaluate page: how probable the model finds images it has never seen, and whether to believe the
number.
"""

import time
from typing import Any, TypeGuard

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import data
from dashboard.figures import animation
from dashboard.figures import likelihood as figures
from dashboard.processes import evaluators
from dashboard.ui import link, run_choice
from dashboard.ui.about import about
from dashboard.ui.charts import chart, choose_format, file_name, is_dark, plain_number, table_button
from dashboard.ui.texts import duration, plain, sentence
from rbm_core.runs import RunError, RunReader
from rbm_core.runs.evaluation_record import ESTIMATORS

TITLES = {
    "bracket": "Log-likelihood, from both sides",
    "mixing": "Mixing and sample quality",
    "ais": "Forward AIS alone",
    "reverse": "Reverse AIS alone",
    "exact": "Exact, by counting",
    "pseudo": "Pseudo-likelihood",
}
LENGTHS = {
    "1000": "1,000 temperatures: a quick look",
    "adaptive": "5,000, placed with care: some 10 s",
    "salakhutdinov-murray": "14,500, the usual: some 20 s",
}
# How the estimate is made, and which way it errs, by annealed importance sampling.
WAYS = {
    "bracket": "(forward; errs low), and again on the way back (reverse; errs high). Where both agree, believe it.",
    "ais": "(forward AIS). It errs low, so the likelihood looks better than it is.",
    "reverse": "(here on the way back: reverse AIS). It errs high, so the likelihood looks worse than it is.",
}
KINDS = {
    "bracket": "AIS, both sides",
    "ais": "AIS, forward",
    "reverse": "AIS, reverse",
    "exact": "exact",
    "pseudo": "pseudo-likelihood",
    "mixing": "mixing",
}
# Columns of the table, with the digits after the point.
DIGITS = {"step": 0, "test": 2, "train": 2, "valid": 2, "stderr": 2, "log Z": 2, "ess": 0, "pseudo test": 2}
DIGITS |= {"chains": 0, "seconds": 0}
EXACT_UNITS = 28
REFRESH_S = 1.0
SHEET, SHEET_WIDTH = 16, 108  # samples on each sheet, and its width in css pixels


def main() -> None:
    name = run_choice.chosen()
    if name is None:
        st.info("There is no run to evaluate yet. Start one on the Train page.")
        return
    if st.session_state.setdefault("evaluate-run", name) != name:  # another run has other evaluations
        st.session_state["evaluate-run"] = name
        link.remember("evaluation", "")
    choose_format()
    try:
        with st.container(key="stack-evaluate"):
            show(name)
    except RunError as error:  # a run can go away under the page
        st.error(sentence(plain(str(error))))
    table()


def show(name: str) -> None:
    """One run: its best answer, what to ask, what is under way, what was found."""
    reader = data.reader(name)
    config, steps = reader.config()["config"], reader.snapshot_steps()
    seen = "digits" if _digits(config) else "data"
    st.caption(
        f"How probable does this model find {seen} it has never seen, and is the number to be believed?"
    )
    if not steps:
        st.info("This run has no snapshot yet: its trainer writes the first one when training begins.")
        return
    best = headline(reader, config.get("visible") == "gaussian", busy(name))
    ask(name, reader, config, steps)
    watch(name)
    shown = choose(name)
    if shown is not None:
        draw(name, config, shown, best)


def _digits(config: dict[str, Any]) -> bool:
    return str(config.get("dataset", "")).startswith("mnist")


# The answer


def headline(reader: RunReader, gaussian: bool, asked: bool) -> dict[str, Any] | None:
    """The newest believable answer, in one line a stranger can read; returns its row.

    asked: whether an answer is already on its way.
    """
    try:
        rows = [row for row in reader.likelihood() if _is_number(row.get("test_nats"))]
    except RunError as error:
        st.error(sentence(plain(str(error))))
        return None
    if not rows:
        begun = (
            "The first answer is on its way"
            if asked
            else "Nobody has asked yet. Press **Evaluate** for an answer"
        )
        st.markdown(
            f"{begun}: the log-likelihood of the test data, in nats per image (higher is better), with an error bar "
            "and a verdict whether to believe it."
        )
        return None
    best = max(rows, key=_weight)
    left, right = st.columns([1, 2], vertical_alignment="center")
    left.metric(
        "Test log-likelihood, nats per image",
        f"{_signed(best['test_nats'])} ± {float(best.get('stderr') or 0.0):.2f}",
        help="The mean of log p(v) over all test images: higher, that is nearer to zero, is better. ± is one "
        "standard error of the estimate of log Z.",
    )
    with right:
        verdict(best)
        train = best.get("train_nats")
        beside = f"Training images get {_signed(train)}. " if _is_number(train) else ""
        if gaussian:
            beside += "A density of standardised grey values: not comparable with on-off pixels. "
        st.caption(f"{beside}{TITLES.get(best['estimator'], best['estimator'])}, step {best['step']:,}.")
    return best


def _weight(row: dict[str, Any]) -> tuple[float, ...]:
    """Which answer stands on top: of the newest step, a believable one, an exact one, the newest one."""
    return (
        float(row.get("step", 0)),
        row.get("trusted") is True,
        row.get("estimator") == "exact",
        float(row.get("time", 0.0)),
    )


def verdict(row: dict[str, Any]) -> None:
    text = plain(str(row.get("verdict", "")))
    if row.get("trusted") is True:
        st.success(text, icon=":material/verified:")
    elif row.get("trusted") is False:
        st.error(text, icon=":material/report:")
    elif text:
        st.warning(text, icon=":material/help:")


def _signed(x: float) -> str:
    return f"{x:.2f}".replace("-", "−")


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and bool(np.isfinite(value))


# The question


def ask(name: str, reader: RunReader, config: dict[str, Any], steps: list[int]) -> None:
    said = st.session_state.pop("evaluate-said", None)
    if said:
        st.error(said)
    smaller = config["n_hidden"]
    if config.get("visible") != "gaussian":
        smaller = min(
            smaller, int(np.prod((reader.config().get("data") or {}).get("image_shape") or [smaller]))
        )
    estimators = [e for e in TITLES if e != "exact" or smaller <= EXACT_UNITS]
    left, middle, right, button = st.columns([3, 2, 3, 1.4], vertical_alignment="bottom")
    estimator = left.selectbox(
        "What to measure",
        estimators,
        format_func=lambda e: TITLES[e],
        key="evaluate-estimator",
        help="\n\n".join(f"**{TITLES[e]}** — {ESTIMATORS[e]}" for e in estimators),
    )
    asked = link.field("step")
    nearest = steps[-1] if asked == "live" else reader.nearest_step(asked)
    if asked not in ("live", nearest):
        st.warning(f"This run has no snapshot at step {asked:,}; showing the nearest, step {nearest:,}.")
        link.remember("step", nearest)
    st.session_state["evaluate-step"] = nearest

    def moved() -> None:
        chosen = st.session_state["evaluate-step"]
        link.remember("step", "live" if chosen == steps[-1] else chosen)

    step = middle.selectbox(
        "At step",
        steps,
        format_func=lambda s: f"{s:,}" + " (newest)" * (s == steps[-1]),
        key="evaluate-step",
        on_change=moved,
        help="Which snapshot of the run: the last one is the finished model.",
    )
    chains, temperatures, sweeps = 100, "salakhutdinov-murray", 100_000
    if estimator in ("bracket", "ais", "reverse"):
        if "evaluate-length" not in st.session_state:  # forgotten while another page is open
            st.session_state["evaluate-length"] = st.session_state.get("evaluate-length-kept", temperatures)
        temperatures = right.selectbox(
            "How carefully",
            list(LENGTHS),
            format_func=lambda t: LENGTHS[t],
            key="evaluate-length",
            help="Chains are led from a model without weights to this one through many temperatures. More of them "
            "make a truer estimate, and cost time in proportion: the seconds are those of 784 × 500 units on 2 cores. "
            "A quick look is often not to be trusted; 14,500 are what Salakhutdinov and Murray (2008) used.",
        )
        st.session_state["evaluate-length-kept"] = temperatures
    elif estimator == "mixing":
        sweeps = right.select_slider(
            "Longest sampling time, sweeps",
            [1_000, 10_000, 100_000],
            value=10_000,
            format_func=lambda n: f"{n:,}",
            key="evaluate-sweeps",
            help="How long the chains are watched. A model trained with chains that were too short looks right at "
            "k sweeps and wrong long after: only long chains show it.",
        )
    button.button(
        "Evaluate",
        type="primary",
        icon=":material/straighten:",
        disabled=busy(name),
        width="stretch",
        help="Runs in a process of its own; you may close this page. Asked again, an interrupted one goes on.",
        on_click=begin,
        args=(name, step, estimator),
        kwargs={"temperatures": temperatures, "n_chains": chains, "sweeps": sweeps},
    )
    st.caption(
        "The likelihood is log p(v) = −F(v) − log Z, and Z is a sum over more states than can be added up. So chains "
        "walk from a model without weights, whose Z is known, to this one: what they gather on the way is log Z "
        + WAYS[estimator]
        if estimator in WAYS
        else ESTIMATORS[estimator]
    )


def begin(name: str, step: int, estimator: str, **settings: Any) -> None:
    """Starts the evaluation, and has the page show it when it is done."""
    since = time.time()
    try:
        evaluators.start(name, step, estimator, **settings)
    except RunError as error:
        st.session_state["evaluate-said"] = sentence(error)
        return
    st.session_state["evaluate-since"] = (name, since)
    link.remember("evaluation", "")


def go_on(name: str, one: dict[str, Any]) -> None:
    """Asks an interrupted evaluation's own question again: it goes on from where it was."""
    settings = one.get("settings", {})
    ours = {"betas": "temperatures", "n_chains": "n_chains", "sweeps": "sweeps", "seed": "seed"}
    given = {ours[key]: value for key, value in settings.items() if key in ours}
    begin(name, one["step"], one["estimator"], **given)


def watch(name: str) -> None:
    """Progress of the evaluation under way; when it ends the whole page is drawn with its result."""
    if busy(name):
        _progress(name)


def busy(name: str) -> bool:
    """Whether an evaluation of the run is under way, or about to be."""
    begun = st.session_state.get("evaluate-since")
    return evaluators.running(name) is not None or (begun is not None and begun[0] == name)


@st.fragment(run_every=REFRESH_S)
def _progress(name: str) -> None:
    begun = st.session_state.get("evaluate-since")
    since = begun[1] if begun and begun[0] == name else None
    try:
        running = evaluators.running(name)
    except RunError as error:
        st.error(sentence(plain(str(error))))
        return
    if running is None:
        if since is not None:
            ended = [one for one in evaluators.of_run(name) if float(one.get("updated", 0.0)) >= since]
            if not ended:
                words = evaluators.last_words(name, since)
                if words is not None:
                    st.session_state["evaluate-said"] = sentence(plain(words))
                elif time.time() - since < 30:
                    st.progress(0.0, text="Starting: the engine and the data are being loaded.")
                    return
                else:
                    st.session_state["evaluate-said"] = "The evaluation did not start within half a minute."
            st.session_state.pop("evaluate-since", None)
        st.rerun()
    done, total = float(running.get("done", 0)), float(running.get("total", 0))
    share = min(done / total, 1.0) if total else 0.0
    left = running.get("seconds_left")
    tail = f" About {duration(left)} left." if _is_number(left) and left > 1 else ""
    bar, stop = st.columns([6, 1], vertical_alignment="center")
    bar.progress(share, text=f"{TITLES[running['estimator']]}: {running.get('stage', 'Starting.')}{tail}")
    if stop.button(
        "Interrupt", icon=":material/pause:", help="Saves what is done; Evaluate goes on from there."
    ):
        evaluators.interrupt(running)
    # Redrawn at most ten times: a figure that changes is mounted afresh.
    tenth = int(10 * share)
    seen = st.session_state.get("evaluate-seen")
    if seen is None or seen[0] != (running["id"], tenth):
        seen = st.session_state["evaluate-seen"] = ((running["id"], tenth), running)
    pictures(running["run"], {}, seen[1], f"live-{running['id']}")


# What was found


def choose(name: str) -> dict[str, Any] | None:
    """The evaluation whose figures are shown: the newest, or one picked."""
    found = [one for one in evaluators.of_run(name) if one["state"] != "running"]
    running = busy(name)
    for one in found:
        if one["state"] == "failed":
            st.warning(
                f"{TITLES.get(one['estimator'], one['estimator'])}, step {one['step']:,}: "
                f"{sentence(plain(one.get('message', 'it failed')))}"
            )
        elif one["state"] == "interrupted" and not running:  # it may be the one that goes on just now
            share = float(one.get("done", 0)) / max(float(one.get("total", 0)), 1.0)
            words, button = st.columns([6, 1.2], vertical_alignment="center")
            words.info(
                f"{TITLES.get(one['estimator'], one['estimator'])} at step {one['step']:,} was interrupted at "
                f"{share:.0%}. What is done is kept.",
                icon=":material/pause_circle:",
            )
            button.button(
                "Go on",
                key=f"go-on-{one['id']}",
                icon=":material/play_arrow:",
                width="stretch",
                on_click=go_on,
                args=(name, one),
                help="Goes on from where it was interrupted.",
            )
    finished = {one["id"]: one for one in found if one["state"] == "finished"}
    asked = link.field("evaluation")
    if asked and asked not in finished:
        st.warning(f"This run has no finished evaluation {plain(asked)}; showing the newest.")
        link.remember("evaluation", "")
    if not finished or running:
        return None
    if len(finished) == 1:
        return next(iter(finished.values()))
    newest = next(iter(finished))
    st.session_state["evaluate-chosen"] = asked if asked in finished else newest

    def picked() -> None:
        chosen = st.session_state["evaluate-chosen"]
        link.remember("evaluation", "" if chosen == newest else chosen)

    return finished[
        st.selectbox(
            "Shown below",
            list(finished),
            format_func=lambda i: _label(finished[i]),
            key="evaluate-chosen",
            on_change=picked,
            help="Every finished evaluation of this run, newest first.",
        )
    ]


def _label(one: dict[str, Any]) -> str:
    """What was asked, in a few words."""
    settings, words = one.get("settings", {}), [TITLES.get(one["estimator"], one["estimator"])]
    words.append(f"step {one['step']:,}")
    if "betas" in settings:
        asked = {"adaptive": "5,000 adaptive", "salakhutdinov-murray": "14,500"}.get(settings["betas"])
        words.append(f"{asked or format(settings['betas'], ',')} temperatures")
    if "sweeps" in settings:
        words.append(f"{settings['sweeps']:,} sweeps")
    return " · ".join(words)


def draw(name: str, config: dict[str, Any], one: dict[str, Any], best: dict[str, Any] | None) -> None:
    """An evaluation: its verdict, unless that stands on top of the page, its numbers, its figures."""
    row = one.get("row") or {}
    on_top = best is not None and best.get("id") == one["id"]
    if not on_top:
        verdict(row)
    numbers({**row, "test_nats": None} if on_top else row)
    pictures(name, config, one, one["id"])


def numbers(row: dict[str, Any]) -> None:
    """The row's numbers, each with its unit and what it means."""
    told: list[tuple[str, str, str]] = []
    if _is_number(row.get("test_nats")):
        told.append(("Test, nats", _signed(row["test_nats"]), "Mean log p of the test images."))
    if _is_number(row.get("pseudo_test_nats")):
        told.append(
            ("Pseudo-likelihood, test, nats", _signed(row["pseudo_test_nats"]), "Summed over pixels.")
        )
        told.append(("… training", _signed(row["pseudo_train_nats"]), "Summed over pixels."))
    if _is_number(row.get("log_z")):
        told.append(
            (
                "log Z, nats",
                _signed(row["log_z"]),
                "The logarithm of the normalising constant."
                + (
                    " Both directions joined by Bennett's acceptance ratio: nearer to the one whose chains agree more."
                    if row.get("forward") and row.get("reverse")
                    else ""
                ),
            )
        )
    for direction, errs in (("forward", "low"), ("reverse", "high")):
        part = row.get(direction)
        if part:
            told.append(
                (
                    f"{direction} AIS, log Z",
                    f"{_signed(part['log_z'])} ± {part['stderr']:.2f}",
                    f"Errs {errs} on average. {part['ess']:.0f} of {row['settings']['n_chains']} chains carry it.",
                )
            )
    if _is_number(row.get("autocorrelation_time")):
        told.append(
            (
                "Memory, sweeps",
                f"{row['autocorrelation_time']:,.0f}",
                "Autocorrelation time: how many sweeps are worth one independent sample, by the free energy.",
            )
        )
        told.append(
            (
                "Samples near samples",
                f"{row['aa_synthetic']:.2f}",
                "AA_TS, samples' half: ½ is perfect; above, samples are bunched or off the data; below, copied.",
            )
        )
        told.append(
            (
                "Data near data",
                f"{row['aa_truth']:.2f}",
                "AA_TS, data's half: ½ is perfect; above, samples miss part of the data.",
            )
        )
        told.append(
            (
                "To nearest training image",
                f"{row['nearest_train_samples']:.0f} (test: {row['nearest_train_test']:.0f})",
                "Pixels that differ; median over samples, and over test images. Much nearer than those: remembered.",
            )
        )
    with st.container(horizontal=True, gap="medium"):
        for label, value, help_text in told:
            st.metric(label, value, help=help_text, width="content")


def pictures(name: str, config: dict[str, Any], one: dict[str, Any], key: str) -> None:
    """Every figure that the evaluation has something to show in, two to a row, with what it means."""
    dark, drawn, k = is_dark(), [], config.get("k")
    log_z = (one.get("row") or {}).get("log_z")
    if one.get("rounds"):
        drawn.append(("convergence", figures.convergence(one["rounds"], log_z, dark)))
    if one.get("log_weights"):
        drawn.append(("weights", figures.weights(one["log_weights"], log_z, dark)))
    if one.get("trace"):
        drawn.append(("spread", figures.spread(one["trace"], dark)))
    if one.get("curve"):
        drawn.append(("mixing", figures.mixing(one["curve"], k, dark)))
        drawn.append(("accuracy", figures.accuracy(one["curve"], k, dark)))
    if one.get("autocorrelation"):
        drawn.append(("autocorrelation", figures.autocorrelation(one["autocorrelation"], dark)))
    if one.get("free_energies"):
        drawn.append(("free-energies", figures.free_energies(one["free_energies"], dark)))
    for first in range(0, len(drawn), 2):
        for column, (what, figure) in zip(st.columns(2), drawn[first : first + 2], strict=False):
            told = figures.TOLD[what]
            with column.container(border=True):
                chart(figure, f"{key}-{what}", told.caption, file_name(name, _words_of_file(one), what))
                st.caption(told.caption)
                about(told.picture, told.text, formula=told.formula, source=told.source)
    sampled(name, one, config)


def _words_of_file(one: dict[str, Any]) -> str:
    return f"step-{one['step']}-{one['estimator']}-seed-{one.get('settings', {}).get('seed', 0)}"


def sampled(name: str, one: dict[str, Any], config: dict[str, Any]) -> None:
    """Samples from noise at growing sampling times, as rows of small images."""
    if one["estimator"] != "mixing" or one["state"] != "finished":
        return
    try:
        v, times = evaluators.images(name, one["id"])
    except (RunError, OSError, KeyError, TypeError):
        return  # drawn by a version that kept none, or on a run that lost its description
    k = int(config.get("k", 1))
    wanted = [t for t in sorted({0, 1, k, 100, 1000, 10_000, 100_000}) if t in times]
    sheets = [_mosaic(v[times.index(t)][:SHEET]) for t in wanted]
    with st.container(border=True):
        st.markdown("**Samples against sampling time**")
        with st.container(horizontal=True):
            for t, sheet in zip(wanted, sheets, strict=True):
                with st.container(width=SHEET_WIDTH):
                    st.image(sheet.repeat(3, 0).repeat(3, 1), width="stretch", output_format="PNG")
                    st.caption(_after(t, k))
        st.caption(
            "The same sixteen chains from noise. A good model's samples get better with time and stay varied; if "
            "they turn blank or all alike long after k sweeps, the digits at k were an accident of the start."
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            about(
                "the samples",
                "Chains begin at noise and make Gibbs sweeps with the finished model. Training only ever looks as far "
                "as its own chains run; what comes after is the model's own, and only it counts for the likelihood.",
                formula=r"h^{(t)} \sim p(h \mid v^{(t)}), \qquad v^{(t+1)} \sim p(v \mid h^{(t)})",
                source=figures.TOLD["mixing"].source,
            )
            caption = (
                f"{name}, step {one['step']:,}, seed {one.get('settings', {}).get('seed', 0)}: from noise, "
            )
            caption += ", ".join(_after(t, k) for t in wanted)
            st.download_button(
                ":small[These samples as PNG]",
                lambda: animation.picture(_beside(sheets), caption),
                file_name(name, _words_of_file(one), "samples") + ".png",
                "image/png",
                icon=":material/image:",
                type="tertiary",
                on_click="ignore",
                key="csv-samples",
            )


def _after(t: int, k: int) -> str:
    return f"{t:,} sweep{'s' * (t != 1)}" + (" (k of training)" if t == k else "")


def _mosaic(v: np.ndarray) -> np.ndarray:
    """(n, h, w) -> one grey image of tiles in a square, on the scale of these images if it passes 0 to 1."""
    low, high = (0.0, 1.0) if v.min() >= 0 and v.max() <= 1 else (float(v.min()), float(v.max()))
    grey = np.round(255 * (v - low) / max(high - low, 1e-9)).astype(np.uint8)
    return animation.tiled(grey, max(1, int(np.ceil(np.sqrt(len(v))))))


def _beside(sheets: list[np.ndarray]) -> np.ndarray:
    """Sheets of one shape, side by side on white."""
    gap = np.full((len(sheets[0]), 8), 255, np.uint8)
    return np.hstack([part for sheet in sheets for part in (sheet, gap)][:-1])


# Every evaluation of every run


def table() -> None:
    rows = []
    for info in data.runs():
        if info.error:
            continue
        try:
            found = data.reader(info.name).likelihood()
        except RunError as error:
            st.warning(sentence(plain(str(error))))
            continue
        for row in found:
            settings = row.get("settings") or {}
            rows.append(
                {
                    "run": info.name,
                    "step": row.get("step"),
                    "estimator": KINDS.get(str(row.get("estimator")), row.get("estimator")),
                    "test": row.get("test_nats"),
                    "stderr": row.get("stderr"),
                    "believed": {"True": "yes", "False": "no"}.get(str(row.get("trusted")), "–"),
                    "train": row.get("train_nats"),
                    "valid": row.get("valid_nats"),
                    "log Z": row.get("log_z"),
                    "ess": row.get("ess"),
                    "verdict": row.get("verdict"),
                    "pseudo test": row.get("pseudo_test_nats"),
                    "temperatures": str(settings.get("betas", "")).replace("salakhutdinov-murray", "14500")
                    or None,
                    "chains": settings.get("n_chains"),
                    "seconds": row.get("seconds"),
                    "binarisation": row.get("binarisation"),
                    "when": pd.to_datetime(row.get("time"), unit="s"),
                }
            )
    if not rows:
        return
    st.markdown("**Every evaluation of every run**")
    frame = pd.DataFrame(rows).sort_values("when", ascending=False)
    nats = st.column_config.NumberColumn
    st.dataframe(
        frame.style.format({name: plain_number(digits) for name, digits in DIGITS.items()}),
        hide_index=True,
        height=min(38 + 35 * len(frame) + 3, 390),
        placeholder="–",
        column_config={
            "run": st.column_config.TextColumn(width="medium", pinned=True),
            "test": nats("test, nats", help="Mean log p of the test images."),
            "believed": st.column_config.TextColumn("trust it?"),
            "train": nats("train, nats"),
            "valid": nats("valid, nats"),
            "stderr": nats("± nats", help="One standard error of log Z."),
            "log Z": nats("log Z, nats"),
            "ess": nats(
                "chains that count",
                width="medium",
                help="Of all chains, how many really carry the estimate: the effective sample size of the weaker "
                "direction.",
            ),
            "verdict": st.column_config.TextColumn(width="large"),
            "pseudo test": nats("pseudo, test, nats"),
            "seconds": nats("took, s"),
            "when": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm"),
        },
    )
    table_button("All evaluations", "evaluations", list(frame.columns), lambda: frame.itertuples(index=False))


main()
