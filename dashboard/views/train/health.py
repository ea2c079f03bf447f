"""The doctor's line on Train: whether the run looks well, and every check with its evidence behind it."""

import time
from contextlib import suppress
from weakref import WeakKeyDictionary

import streamlit as st

from dashboard import data
from dashboard.ui import new_run, run_choice
from dashboard.ui.texts import plain, sentence
from dashboard.views.train import recorded, state
from dashboard.views.train.recorded import Run
from rbm_core import doctor
from rbm_core.runs import RunError, RunReader

# What it looks for builds up over hundreds of updates, and an examination takes 12 ms of processor time.
PERIOD_S = 8.0
LOOK_S = 4.0  # its five elements were a sixth of what a refresh of the pictures sent
_living: WeakKeyDictionary[RunReader, state.Examination] = WeakKeyDictionary()  # the last one of each run
HELP = f"{len(doctor.RULES)} checks of this run, each with its evidence, its threshold, what to try, and the source."


@st.fragment(run_every=LOOK_S)
def watch(name: str) -> None:
    """The doctor's line, refreshed by itself and less often than the pictures. Of a run that cannot be read the page
    says so above.
    """
    with suppress(RunError):
        draw(recorded.read(name))


def draw(run: Run) -> None:
    examined = _examination(run)
    findings = [] if examined is None else examined.findings
    with st.container(horizontal=True, vertical_alignment="center", key="train.doctor"):
        with st.popover(
            "Doctor",
            icon=":material/stethoscope:",
            type="tertiary",
            help=HELP,
            key=state.DOCTOR,
            on_change="rerun",  # so that it can be closed
        ):
            with st.container(key="train.findings"):
                report(run.name, examined)
        st.markdown(summary(findings, str(run.status["message"])), width="content")
        first = next((remedy for finding in findings for remedy in finding.remedies), None)
        if first is not None:
            offer(run.name, first, "now")


def summary(findings: list[doctor.Finding], told: str) -> str:
    """The doctor's line. told: what the page says of the run above; it is not said twice."""
    said = doctor.headline(findings)
    ill = [finding for finding in findings if not finding.well]
    if len(ill) == 1 and ill[0].evidence in told:
        return f":orange-badge[{said}]"
    if ill := [finding for finding in ill if finding.evidence not in told]:
        more = f" &nbsp; … and {len(ill) - 1} more" if len(ill) > 1 else ""
        return f":orange-badge[{said}] &nbsp; {run_choice.said(sentence(ill[0].evidence))}{more}"
    if hints := [finding for finding in findings if finding.hint]:
        return f":green-badge[{said}] &nbsp; {run_choice.said(sentence(hints[0].evidence))}"
    if findings:
        waiting = doctor.waiting(findings)
        return f":green-badge[{said}] &nbsp; {waiting}" if waiting else f":green-badge[{said}]"
    return f":grey-badge[{said}]"


def report(run: str, examined: state.Examination | None) -> None:
    """Every finding with what it is held to; where something can be done better, the advice and its buttons."""
    if examined is None or not examined.findings:
        st.markdown(doctor.TOO_EARLY)
        return
    findings = examined.findings
    open_ones = [number for number, finding in enumerate(findings) if not finding.well or finding.hint]
    for place, number in enumerate(open_ones):
        finding = findings[number]
        mark = ":orange[●]" if not finding.well else ":blue[○]"
        st.markdown(f"- {mark} {examined.words[number]}. **{run_choice.said(plain(finding.advice))}**")
        if finding.remedies:
            with st.container(horizontal=True, gap="small"):
                for which, remedy in enumerate(finding.remedies):
                    offer(run, remedy, f"{place}_{which}")
    rest = [f"- :green[✓] {examined.words[n]}" for n in range(len(findings)) if n not in open_ones]
    st.markdown("\n".join([*rest, "", f":small[{plain(doctor.SOURCES)}]"]))


def _words(finding: doctor.Finding) -> str:
    return run_choice.said(
        f"**{finding.rule}:** {plain(finding.evidence)} ({plain(doctor.threshold(finding))})"
    )


def offer(run: str, remedy: doctor.Remedy, place: str) -> None:
    """A button that opens the form of a new run with the remedy filled in."""
    if st.button(
        run_choice.said(remedy.label),
        key=f"train.remedy_{place}",
        icon=":material/fork_right:",
        help="Opens the form of a new run, filled in. This run stays as it is.",
        on_click=_take_up,
        args=(run, remedy),
    ):
        st.rerun()  # the form is not part of what refreshes


def _take_up(run: str, remedy: doctor.Remedy) -> None:
    new_run.propose(run, remedy.changes, remedy.step)
    st.session_state[state.DOCTOR] = False  # its report would stand over the form on a phone


def caption(run: Run) -> str:
    """What the curve of the fantasies should do, and what the same examination found it doing."""
    examined = _examination(run)
    return f"{doctor.FANTASIES}." if examined is None else examined.caption


def _examination(run: Run) -> state.Examination | None:
    """This tab's last one, or any tab's of a living run, while it is no older than PERIOD_S; else a new one."""
    watched, now = state.watched(), time.monotonic()
    if watched.examination is not None and now - watched.examination.at < PERIOD_S:
        return watched.examination
    found = _living.get(run.reader) if run.alive else None
    if found is None or now - found.at >= PERIOD_S:
        try:
            record = doctor.record_of(run.reader, snapshot=lambda step: data.snapshot(run.name, step))
            findings = doctor.examine(record)
            words = [_words(finding) for finding in findings]
            found = state.Examination(now, findings, words, doctor.caption(record))
        except RunError:
            return None
        _living[run.reader] = found
    watched.examination = found
    return found
