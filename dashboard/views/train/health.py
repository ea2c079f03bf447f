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
HELP = f"{len(doctor.RULES)} checks of this run, each with its evidence, its threshold, what to try, and the source."


def draw(run: Run) -> None:
    findings = examine(run)
    with st.container(horizontal=True, vertical_alignment="center", key="train.doctor"):
        with st.popover("Doctor", icon=":material/stethoscope:", type="tertiary", help=HELP):
            st.markdown(report(findings))
        st.markdown(summary(findings))


def summary(findings: list[doctor.Finding]) -> str:
    said = doctor.headline(findings)
    if ill := [finding for finding in findings if not finding.well]:
        more = f" &nbsp; … and {len(ill) - 1} more" if len(ill) > 1 else ""
        return f":orange-badge[{said}] &nbsp; {sentence(ill[0].evidence)}{more}"
    if findings:
        waiting = doctor.waiting(findings)
        return f":green-badge[{said}] &nbsp; {waiting}" if waiting else f":green-badge[{said}]"
    return f":grey-badge[{said}]"


def report(findings: list[doctor.Finding]) -> str:
    """Every finding as a line of a list, with what it is held to; the advice where it is not well."""
    if not findings:
        return doctor.TOO_EARLY
    lines = []
    for finding in findings:
        said = f"**{finding.rule}:** {plain(finding.evidence)} ({plain(doctor.threshold(finding))})"
        lines.append(
            f"- :green[✓] {said}" if finding.well else f"- :orange[●] {said}. **{plain(finding.advice)}**"
        )
    return "\n".join([*lines, "", f":small[{plain(doctor.SOURCES)}]"])


def examine(run: Run) -> list[doctor.Finding]:
    """The findings of the last PERIOD_S, else new ones; none where the record cannot be read."""
    watched, now = state.watched(), time.monotonic()
    if watched.examination is not None and now - watched.examination.at < PERIOD_S:
        return watched.examination.findings
    try:
        record = doctor.record_of(run.reader, snapshot=lambda step: data.snapshot(run.name, step))
        findings = doctor.examine(record)
    except RunError:
        return []
    watched.examination = state.Examination(now, findings)
    return findings
