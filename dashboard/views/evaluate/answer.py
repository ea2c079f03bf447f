"""The answer on top of the page: a log-likelihood with its error bar, whether to believe it, and how good it is."""

import math
from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard import data
from dashboard.figures import likelihood as figures
from dashboard.figures.likelihood_words import WORDS
from dashboard.figures.numbers import minus
from dashboard.ui import run_choice, tables
from dashboard.ui.about import about
from dashboard.ui.charts import chart, file_name, is_dark
from dashboard.ui.texts import plain, sentence
from dashboard.views.evaluate.texts import are_numbers, because, estimates, file_words, is_number, nats, title
from rbm_core.runs import RunError, RunReader
from rbm_core.runs.evaluation_record import BASES, STARTS
from rbm_core.visible import VisibleUnits


def best(reader: RunReader) -> dict[str, Any] | None:
    """The run's best answer: of the newest step, and there the most believable; None where it has none."""
    try:
        rows = [row for row in reader.likelihood() if is_number(row.get("test_nats"))]
    except RunError as error:
        st.error(sentence(error))
        return None
    return max(rows, key=weight, default=None)


def headline(
    reader: RunReader,
    units: VisibleUnits,
    asked: bool,
    best: dict[str, Any] | None,
    shown: dict[str, Any] | None,
) -> bool:
    """The answer of the evaluation shown below, else the run's best, in words a stranger can read.

    asked: whether an answer is already on its way. Returns whether the verdict of `shown` stands here.
    """
    row = _recorded(reader, shown)
    on_top = is_number(row.get("test_nats"))
    answer = row if on_top else best
    if answer is None:
        begun = (
            "The first answer is on its way"
            if asked
            else "Nobody has asked yet. Press **Evaluate** for an answer"
        )
        st.markdown(
            run_choice.said(
                f"{begun}: the log-likelihood of the test data, in nats per image, with an error bar and a verdict "
                "whether to believe it. Higher is better: one nat more is 2.7 times (e) as likely."
            )
        )
        return False
    left, right = st.columns([1, 2], vertical_alignment="center")
    with left:
        _number(answer)
    with right:
        verdict(answer)
        st.caption(_beside(answer, units))
        if best is not None and on_top and best.get("id") != answer.get("id"):
            st.caption(
                f"This run's best answer is another one, **{_with_error(best)}** nats: {plain(title(best))}, step "
                f"{best['step']:,}. {plain(because(best))}"
            )
    labels(answer)
    scale(reader, answer, units)
    return on_top


def labels(row: Mapping[str, Any]) -> None:
    """The error of a run with label units and its three log-likelihoods, each from what it is made of."""
    names = ("test_nats", "test_label_nats", "test_joint_nats", "test_error", "log_z")
    if not are_numbers(row, *names, "test_error_stderr", "test_label_nats_stderr"):
        return
    v, y, both, log_z = (
        float(row[name]) for name in ("test_nats", "test_label_nats", "test_joint_nats", "log_z")
    )
    shown = [
        (
            "Named wrongly",
            f"{100 * row['test_error']:.2f} ± {100 * row['test_error_stderr']:.2f} %",
            "The share of test images that get another label than the data give them; ± is one standard error.",
        ),
        (
            "log p(v): the image",
            f"{v:.2f}",
            f"Mean of −F(v) less log Z, {v + log_z:.2f} − {log_z:.2f}: the label is summed out, so that runs without "
            "labels compare. Its error bar is that of log Z.",
        ),
        (
            "log p(y | v): its label",
            f"{y:.3f} ± {row['test_label_nats_stderr']:.3f}",
            "The mean logarithm of the right label's share among all labels. No Z is in it: it is exact but for the "
            "test images being a sample.",
        ),
        (
            "log p(v, y): both",
            f"{both:.2f}",
            f"The sum of the two before it, {v:.2f} + ({y:.3f}): what a generative step climbs.",
        ),
    ]
    with st.container(horizontal=True):
        for name, value, tip in shown:
            st.metric(name, minus(value), help=minus(tip), width="content")
    st.caption("Of the test images, log-likelihoods in nats per image.")


def _recorded(reader: RunReader, shown: Mapping[str, Any] | None) -> dict[str, Any]:
    """The row of likelihood.jsonl that an evaluation led to, else the one in its own progress; {} where none is."""
    if shown is None:
        return {}
    try:
        rows = [row for row in reader.likelihood() if row.get("id") == shown["id"]]
    except RunError:
        rows = []
    return rows[-1] if rows else dict(shown.get("row") or {})


def _number(row: Mapping[str, Any]) -> None:
    of_z, of_sample = float(row.get("stderr") or 0.0), float(row.get("test_nats_stderr") or 0.0)
    st.metric(
        run_choice.said("Test log-likelihood, nats per image"),
        _with_error(row),
        help=run_choice.said(
            "The mean of log p(v) over all test images: higher, that is nearer to zero, is better; one nat more is 2.7 "
            f"times (e) as likely. ± is one standard error: {of_z:.2f} of the estimate of log Z and {of_sample:.2f} of "
            "the test images being a sample."
        ),
    )


def _with_error(row: Mapping[str, Any]) -> str:
    error = math.hypot(float(row.get("stderr") or 0.0), float(row.get("test_nats_stderr") or 0.0))
    return f"{nats(row['test_nats'])} ± {error:.2f}"


def _beside(row: Mapping[str, Any], units: VisibleUnits) -> str:
    train = row.get("train_nats")
    beside = run_choice.said(f"Training images get {nats(train)}. ") if is_number(train) else ""
    if units.real:
        values = "standardised grey values" if units.standardised else "grey values"
        beside += run_choice.said(f"A density of {values}: not comparable with on-off pixels. ")
    return f"{beside}{plain(title(dict(row)))}, step {row['step']:,}."


def weight(row: dict[str, Any]) -> tuple[float, ...]:
    """The rank of an answer for the top of the page: by newest step, then trusted, then exact, then newest."""
    return (
        float(row.get("step", 0)),
        row.get("trusted") is True,
        row.get("estimator") == "exact",
        float(row.get("time", 0.0)),
    )


def verdict(row: Mapping[str, Any]) -> None:
    """Whether to believe the answer, in plain words; behind "Why?" what the estimator itself said, chains counted."""
    said, full = because(row), str(row.get("verdict") or "")
    if not said:
        return
    if row.get("trusted") is True:
        st.success(run_choice.said(plain(said)), icon=":material/verified:")
    elif row.get("trusted") is False:
        st.error(run_choice.said(plain(said)), icon=":material/report:")
    else:
        st.warning(run_choice.said(plain(said)), icon=":material/help:")
    if full and full != said:
        with st.popover(":small[Why?]", type="tertiary", key=f"evaluate.why-{row.get('id', '')}"):
            st.markdown(run_choice.said(plain(full)))
            evidence(row)


def evidence(row: Mapping[str, Any]) -> None:
    """Every estimate of log Z that the verdict rests on, where its chains began, and which of them agreed."""
    found = estimates(row)
    if not found:
        return
    doubted = [one for one in found if one.get("doubt")]
    silent = [one for one in found if one.get("weak") and not one.get("doubt")]
    if doubted:
        st.markdown(f"{len(doubted)} of {len(found)} estimates speak against the others.")
    elif silent:
        st.markdown(
            f"{len(found) - len(silent)} estimates agree; {len(silent)} of {len(found)} could not be counted: too few "
            "chains carry the weight."
        )
    else:
        st.markdown(f"All {len(found)} estimates agree.")
    rows = [
        {
            "way": {"forward": "errs low", "reverse": "errs high"}.get(
                str(one.get("method")), one.get("method")
            ),
            "chains began at": {**BASES, **STARTS}.get(str(one.get("origin")), one.get("origin")),
            "log Z, nats": f"{nats(one['log_z'])} ± {float(one.get('stderr') or 0.0):.2f}",
            "chains that count": f"{float(one.get('ess') or 0.0):.0f} of {one.get('chains', '?')}",
            "doubt": one.get("doubt") or ("not counted" if one.get("weak") else None),
        }
        for one in found
    ]
    if not doubted and not silent:
        rows = [{name: value for name, value in one.items() if name != "doubt"} for one in rows]
    st.dataframe(
        tables.frame(rows), hide_index=True, placeholder="–", key=f"evaluate.evidence-{row.get('id', '')}"
    )


def scale(reader: RunReader, row: Mapping[str, Any], units: VisibleUnits) -> None:
    """Where the number stands between models that know nothing and published ones."""
    known = data.yardsticks(reader)
    if known is None:
        return
    coins, pixels = known
    fields = reader.config()["config"]
    comparable = (
        fields.get("dataset") == "mnist" and row.get("binarisation") == "stochastic" and not units.real
    )
    figure = figures.scale(
        coins, pixels, (f"this run,<br>step {row['step']:,}", float(row["test_nats"])), comparable, is_dark()
    )
    words = WORDS["scale"]
    chart(figure, "evaluate-scale", words.caption, file_name(reader.name, file_words(dict(row)), "scale"))
    about(words.picture, words.text, formula=words.formula, source=words.source)
