"""The doctor's line on Train: whether the run looks well, and every check with its evidence behind it."""

import time

import streamlit as st

from dashboard import data
from dashboard.ui.texts import plain, sentence
from dashboard.views.train import state
from dashboard.views.train.recorded import Run
from rbm_core import doctor
from rbm_core.runs import RunError

PERIOD_S = 4.0
HELP = "Ten checks of this run, each with its evidence, its threshold, what to try, and the source."


def draw(run: Run, steps: list[int]) -> None:
    findings = examine(run, steps)
    with st.container(horizontal=True, vertical_alignment="center", key="train.doctor"):
        with st.popover("Doctor", icon=":material/stethoscope:", type="tertiary", help=HELP):
            st.markdown(report(findings))
        st.markdown(summary(findings))


def summary(findings: list[doctor.Finding]) -> str:
    ill = [finding for finding in findings if not finding.well]
    if ill:
        more = f" &nbsp; … and {len(ill) - 1} more" if len(ill) > 1 else ""
        return f":orange-badge[{len(ill)} to look at] &nbsp; {plain(sentence(ill[0].evidence))}{more}"
    if findings:
        waiting = len(doctor.RULES) - len(findings)
        more = f" &nbsp; {waiting} more cannot be told yet" if waiting else ""
        return f":green-badge[{len(findings)} checks fine]{more}"
    return ":grey-badge[too early to say]"


def report(findings: list[doctor.Finding]) -> str:
    """Every finding as a line of a list, with what it is held to; the advice where it is not well."""
    if not findings:
        return "The checks begin after the first epoch and 500 updates."
    lines = []
    for finding in findings:
        held_to = f"healthy is {plain(finding.healthy)}; {plain(finding.source)}"
        said = f"**{finding.rule}:** {plain(finding.evidence)} ({held_to})"
        lines.append(
            f"- :green[✓] {said}" if finding.well else f"- :orange[●] {said}. **{plain(finding.advice)}**"
        )
    return "\n".join([*lines, "", f":small[{plain(doctor.SOURCES)}]"])


def examine(run: Run, steps: list[int]) -> list[doctor.Finding]:
    """The findings of the last PERIOD_S, else new ones; none where the record cannot be read."""
    watched, now = state.watched(), time.monotonic()
    if watched.examination is not None and now - watched.examination.at < PERIOD_S:
        return watched.examination.findings
    try:
        findings = doctor.examine(_record(run, steps))
    except RunError:
        return []
    watched.examination = state.Examination(now, findings)
    return findings


def _record(run: Run, steps: list[int]) -> doctor.Record:
    metrics, probe = run.reader.metrics(), run.reader.probe()
    newest = data.snapshot(run.name, steps[-1]) if steps else None
    earlier = [step for step in steps if step <= 0.9 * steps[-1]]
    return doctor.Record(
        metrics=metrics,
        config=run.settings,
        n_hidden=int(run.settings.get("n_hidden") or (newest.W.shape[1] if newest else 1)),
        newest=newest,
        before=data.snapshot(run.name, earlier[-1]) if earlier else None,
        probe=probe,
    )
