"""Train: start a run, watch it learn, and scrub through what it has learned."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from dashboard import components, data
from dashboard.components import activity, curves, histograms, mosaic, timeline
from dashboard.components.blob import pack
from dashboard.figures import curves as curve_rows
from dashboard.figures import moment as pictures
from dashboard.processes import trainers
from dashboard.processes.timelapse import Filming
from dashboard.ui import link, new_run, pages, run_choice, styles
from dashboard.ui.about import about
from dashboard.ui.texts import duration, plain, sentence
from rbm_core import doctor
from rbm_core.runs import Probe, RunError, RunReader, Snapshot, SnapshotError
from rbm_core.runs.vocabulary import SETTABLE

LIVE_PERIOD_S = 0.5
REST_PERIOD_S = 2.0
DOCTOR_PERIOD_S = 4.0
DOCTOR_HELP = "Ten checks of this run, each with its evidence, its threshold, what to try, and the source."
STATE_COLOURS = {
    "starting": "orange",
    "running": "green",
    "paused": "orange",
    "finished": "blue",
    "stopped": "grey",
    "interrupted": "red",
    "diverged": "red",
    "failed": "red",
}
# What a command should lead to, and how to say that it is on its way.
UNDERWAY = {
    "pause": ("paused", "pausing"),
    "resume": ("running", "resuming"),
    "stop": ("stopped", "stopping"),
    "restart": ("running", "starting again"),
}
UNDERWAY_FOR_S = 20.0
# A quiet trainer obeys within a tenth of a second: then a press and its effect are one refresh.
ANSWER_WITHIN_S = 0.3
PRESSES_KEPT = 16  # more than anyone presses between two refreshes
COMPLAINT_FOR_S = 8.0  # long enough to be read on a page that refreshes twice a second
# Every button keeps its place whatever the run does; one that was pressed says so until the app has heard it.
LAYOUT = """<style>
.st-key-top [data-testid="stMarkdownContainer"] p { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.st-key-top .stMarkdownBadge { display: inline-block; min-width: 6rem; }
.st-key-top { justify-content: flex-start; }
.st-key-controls { gap: 0.4rem; }
:is(.st-key-do_pause_, .st-key-do_resume_) button { min-width: 6.6rem; }
@media (min-width: 75em) { .st-key-top, .st-key-controls { flex-wrap: nowrap; } }
@media (max-width: 75em) { .st-key-controls { flex: 1 0 100%; } }
@media (max-width: 60em) { .st-key-controls:has(.st-key-do_stop_) { min-height: 4.75rem; align-content: flex-start; } }
.st-key-controls button[data-asked] { position: relative; opacity: 0.6; pointer-events: none; }
.st-key-controls button[data-asked]::after {
  content: ""; position: absolute; inset: auto 0.4rem 0.15rem; height: 2px; background: currentColor;
  animation: asked 0.7s ease-in-out infinite alternate;
}
@keyframes asked { from { opacity: 0.2; } }
@media (prefers-reduced-motion: reduce) { .st-key-controls button[data-asked]::after { animation: none; } }
.st-key-purpose { justify-content: space-between; }
.st-key-purpose p { margin: 0; }
.st-key-doctor.st-key-doctor > :last-child { margin-left: 0; }
[data-testid="stPopoverBody"] { min-height: min(14rem, 50vh); }
</style>"""


@dataclass(frozen=True)
class Moment:
    """What the page shows: a snapshot, a key that changes exactly when the picture does, and how it came."""

    snapshot: Snapshot
    key: str
    note: str = ""


def main() -> None:
    styles.use("train")
    st.html(LAYOUT)
    components.feed_afresh()
    name = run_choice.chosen()
    new_run.sidebar()
    if name is None:
        st.title("RBM Observatory")
        st.markdown(
            "There is no run to show yet. **Start one in the sidebar**: the *quick* preset shows "
            "recognisable digits in well under a minute."
        )
        newcomers()
        return
    if st.session_state.get("watched") != name or link.gone_back():
        st.session_state.watched = name
        st.session_state.moment = link.field("step")
        st.session_state.answers = None
        st.session_state.order = {}
        st.session_state.filter_base = "0"
        st.session_state.filter_sort = link.field("sort")
        st.session_state.underway = None
        st.session_state.film = st.session_state.complaint = None
    with st.container(horizontal=True, vertical_alignment="center", key="purpose"):
        st.caption(
            "Watch a restricted Boltzmann machine learn: the slider goes to any saved moment.",
            width="content",
        )
        newcomers()
    alive = _alive(name)
    st.session_state.watched_alive = alive
    st.fragment(run_every=LIVE_PERIOD_S if alive else REST_PERIOD_S)(watch)(name)


def _alive(name: str) -> bool:
    try:
        return data.reader(name).status()["state"] in data.LIVE_STATES
    except RunError:
        return False


def watch(name: str) -> None:
    """One refresh of everything that follows the run. What cannot be read says so, and the rest stays."""
    unit = st.session_state.pop("unit_to_inspect", None)
    if unit is not None:
        at = str(st.session_state.moment)
        where = {"run": name, "look": "unit", "unit": str(unit), **({} if at == "live" else {"step": at})}
        st.switch_page(pages.script("inspect"), query_params=where)
    try:
        reader = data.reader(name)
        config, status = reader.config(), reader.status()
    except RunError as error:
        st.error(f"{sentence(error)} Choose another run in the sidebar.")
        return
    alive = status["state"] in data.LIVE_STATES
    if alive != st.session_state.watched_alive:
        st.rerun()  # the refresh period belongs to the whole page
    header(name, config, status)
    try:
        steps = reader.snapshot_steps()
        shown = current_moment(name, reader, steps, alive)
    except RunError as error:
        steps, shown = [], None
        st.warning(sentence(error))
    events = _events(reader)
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", key="head"
    ):
        st.markdown(progress_words(status, shown), width="content")
        caption(shown)
    time_slider(steps, shown, status, alive, events)
    if shown is not None and shown.note:
        st.warning(shown.note)
    see_doctor(name, reader, config, steps)
    left, right = st.container(key="stack-now").columns([5, 3], gap="medium")
    with left:
        draw_curves(name, reader, shown, status, events)
        about("these curves", **curve_rows.ABOUT[link.field("curves")])
    if shown is None:
        with right:
            st.caption("The first pictures appear as soon as the trainer has written its first state.")
        return
    shape = pictures.image_shape(shown.snapshot.W.shape[0], (config.get("data") or {}).get("image_shape"))
    with right:
        draw_particles(name, reader, shown, shape)
        about("the fantasies", **pictures.ABOUT["particles"])
    order = _order(name, steps, shown)
    draw_filters(name, steps, shown, shape, order)
    about("the filters", **pictures.ABOUT["filters"])
    left, right = st.container(key="stack-inside").columns(2, gap="medium")
    with left:
        draw_activity(name, reader, shown, order)
        about("the hidden units", **pictures.ABOUT["activity"])
    with right:
        draw_histograms(name, shown)
        about("the histograms", **pictures.ABOUT["histograms"])


# Header and controls


def header(name: str, config: dict[str, Any], status: dict[str, Any]) -> None:
    state, underway = status["state"], _underway(status["state"])
    words = underway or state
    badge = f":{STATE_COLOURS.get(state, 'grey')}-badge[● {words}]"
    with st.container(horizontal=True, vertical_alignment="center", key="top"):
        st.markdown(f"**{plain(name)}** &nbsp; {badge}", width="content")
        with st.container(
            horizontal=True, vertical_alignment="center", gap="small", width="content", key="controls"
        ):
            controls(name, status, disabled=underway is not None)
    if status["message"] and state in ("running", "paused", "diverged", "failed", "interrupted"):
        st.warning(sentence(status["message"]))


def progress_words(status: dict[str, Any], shown: Moment | None) -> str:
    """`epoch 7.2 of 40 · step 4,210 · 312 steps/s · 1 min 20 s left`; the last only where it can be told.

    The trainer writes its state once a second and its pictures twice: what is shown may be the newer word.
    """
    if not status["n_steps"]:
        return sentence(status["message"] or "The trainer is waking up")
    step, epoch = int(status["step"]), status["epoch"]
    if shown is not None and shown.snapshot.step > step:
        step, epoch = shown.snapshot.step, shown.snapshot.meta.get("epoch", epoch)
    if status["state"] == "starting" and not step:
        return sentence(status["message"] or "The trainer is waking up")
    words = [f"epoch **{epoch:.3g}** of {status['n_epochs']:,g}"]
    words.append(f"step **{step:,}**")
    pace = status["steps_per_s"] if status["state"] == "running" else 0.0
    if pace >= 0.5:
        words.append(f"{pace:,.0f} steps/s")
        # Far below the run's own mean the machine is busy with something else: nobody knows for how long.
        if pace * status["seconds"] >= step / 4:
            words.append(f"{_unbroken((status['n_steps'] - step) / pace)} left")
    elif step:
        words.append(f"trained {_unbroken(status['seconds'])}")
    return " · ".join(words)


def _unbroken(seconds: float) -> str:
    return duration(seconds).replace(" ", "\u00a0")


def controls(name: str, status: dict[str, Any], disabled: bool) -> None:
    state = status["state"]

    def button(
        label: str, icon: str | None, command: str, value: Any = None, help: str = "", **look: Any
    ) -> None:
        key = f"do_{command}_{value['n'] if value else ''}"
        st.button(
            label,
            key=key,
            icon=icon and f":material/{icon}:",
            help=help,
            disabled=disabled,
            on_click=_pressed,
            args=(name, key, command, value),
            **look,
        )

    # What comes and goes stands last: nothing moves away under the pointer.
    if state == "running":
        button("Pause", "pause", "pause", help="Hold after the current update; nothing is lost.")
    elif state == "paused":
        button("Resume", "play_arrow", "resume", help="Go on training.", type="primary")
    elif state in ("stopped", "interrupted"):
        button(
            "Resume", "play_arrow", "restart", help="Start a trainer that goes on from the last saved state."
        )
    if state in ("running", "paused"):
        button("Stop", "stop", "stop", help="End the run here and save its state; it can be resumed later.")
        change_settings(name, status)
    if state == "paused":
        epoch = max(1, int(status["steps_per_epoch"] or 1))
        button("1 step", None, "step", {"n": 1}, help="Make one parameter update, then hold again.")
        button("10 steps", None, "step", {"n": 10}, help="Make ten updates, then hold again.")
        button("1 epoch", None, "step", {"n": epoch}, help="Train one pass over the data, then hold again.")
    if state in ("finished", "stopped"):
        what_next(name)


def what_next(name: str) -> None:
    """What one does with a machine that has learned."""
    where = {"run": name}
    st.page_link(pages.script("gibbs"), label="Play its chain", icon=":material/casino:", query_params=where)
    st.page_link(
        pages.script("evaluate"), label="Evaluate it", icon=":material/straighten:", query_params=where
    )
    if st.button(
        "Train longer",
        key="train_longer",
        icon=":material/fork_right:",
        help="A new run that starts from this one's weights, with its settings to change first.",
        on_click=new_run.offer_to_go_on,
    ):
        st.rerun()  # the form is not part of what refreshes


def newcomers() -> None:
    st.page_link(pages.script("learn"), label="New to this? Start with Learn", icon=":material/school:")


def change_settings(name: str, status: dict[str, Any]) -> None:
    """The settings that may change while it trains. Its widgets are made when it is opened and start at the
    values of that moment, so that what arrives meanwhile does not change them under the reader's fingers.
    """
    with st.popover(
        "Change",
        icon=":material/tune:",
        key="change",
        on_change="rerun",
    ) as opened:
        if not opened.open:
            st.session_state.pop("change_from", None)
            st.session_state.pop("change_sent", None)
            return
        reader = data.reader(name)
        begun = st.session_state.setdefault("change_from", {})
        what = st.selectbox(
            "Setting",
            SETTABLE,
            format_func=lambda field: field.replace("_", " "),
            key="change_what",
            help="Changed while it trains; the curves mark when, and the run's record keeps it.",
        )
        settings = reader.config()["config"]
        set_before = [event["value"] for event in _all_events(reader) if event.get("command") == "set"]
        now = next((one["value"] for one in reversed(set_before) if one["name"] == what), settings.get(what))
        begun.setdefault(what, float(now or 0))
        new = st.number_input("New value", value=begun[what], format="%g", key=f"change_{what}")
        if what == "learning_rate" and settings.get("lr_schedule") != "constant" and now:
            st.caption(
                f"The run's {settings['lr_schedule']} schedule scales it down as training goes on: set to "
                f"{new:g}, it is {new * status['learning_rate'] / now:.3g} at this step."
            )
        value = int(new) if what == "k" else new
        wish = {"name": what, "value": value}
        st.button("Set it", key="change_do", on_click=_set, args=(name, wish, len(set_before)))
        sent = st.session_state.get("change_sent")
        if sent and len(set_before) > sent[1]:
            st.markdown(f":green[✓ {plain(what.replace('_', ' '))} is set to {set_before[-1]['value']:g}.]")
        elif sent:
            st.caption("Passed on: the trainer takes it before its next update.")


def _set(name: str, wish: dict[str, Any], before: int) -> None:
    """Passes a changed setting on. before: how many were changed until then."""
    st.session_state.change_sent = (wish, before)
    _command(name, "set", wish)


def _pressed(name: str, key: str, command: str, value: Any) -> None:
    """The button `key` was pressed, or the message that it was has come again: the browser names every press."""
    press = ((st.session_state.get("timeline") or {}).get("press") or {}).get(key)
    heard = st.session_state.setdefault("presses_heard", [])
    if press is None or press not in heard:
        st.session_state.presses_heard = [*heard, press][-PRESSES_KEPT:]
        _command(name, command, value)


def _command(name: str, command: str, value: Any) -> None:
    """Passes a command on, and remembers it, so that the page shows at once that it was heard."""
    try:
        step = data.reader(name).status()["step"]
        if command == "restart":
            trainers.resume(name)
        else:
            trainers.send(name, command, value)
    except ValueError as error:
        _complain(error)
        return
    if command == "step" and st.session_state.moment != "live":
        _go("live")
        st.toast("The page follows the newest state again, to show the step.")
    if command in UNDERWAY:
        st.session_state.underway = (command, time.monotonic())
        _wait(name, lambda status: status["state"] == UNDERWAY[command][0])
    elif command == "step":
        _wait(name, lambda status: status["step"] > step)


def _wait(name: str, done: Callable[[dict[str, Any]], bool]) -> None:
    """Gives a trainer that has nothing else to do the time to obey, so that this refresh shows what it did."""
    until = time.monotonic() + ANSWER_WITHIN_S
    try:
        while time.monotonic() < until and not done(data.reader(name).status()):
            time.sleep(0.03)
    except RunError:
        pass  # the page says what became of the run


def _complain(error: object) -> None:
    """Says on the page, for some seconds, what could not be done."""
    st.session_state.complaint = (sentence(error), time.monotonic())


def _underway(state: str) -> str | None:
    """What was asked and has not happened yet, as a word; also shows what could not be done."""
    said = st.session_state.get("complaint")
    if said and time.monotonic() - said[1] < COMPLAINT_FOR_S:
        st.error(said[0])
    asked = st.session_state.get("underway")
    if not asked:
        return None
    target, word = UNDERWAY[asked[0]]
    if (
        state == target
        or state in ("finished", "failed", "diverged")
        or time.monotonic() - asked[1] > UNDERWAY_FOR_S
    ):
        st.session_state.underway = None
        return None
    return f"{word} …"


# The moment


def current_moment(name: str, reader: RunReader, steps: list[int], alive: bool) -> Moment | None:
    """The snapshot at the slider, or the newest state; None before the first. RunError if unreadable."""
    wanted = st.session_state.moment
    if wanted != "live":
        return _kept(name, reader, steps, int(wanted))
    live = reader.live() if alive or not steps else None
    if live is not None and (not steps or live.step >= steps[-1]):
        return Moment(live, f"{name} live {live.step} {live.meta.get('seconds')}")
    if not steps:
        return None
    for step in reversed(steps):  # a damaged newest snapshot does not hide the others
        try:
            note = (
                ""
                if step == steps[-1]
                else f"The snapshot at step {steps[-1]:,} cannot be read; showing step {step:,}."
            )
            return Moment(data.snapshot(name, step), f"{name} {step}", note)
        except SnapshotError as error:
            failure = error
    raise failure


def _kept(name: str, reader: RunReader, steps: list[int], wanted: int) -> Moment | None:
    try:
        return Moment(data.snapshot(name, wanted), f"{name} {wanted}")
    except SnapshotError as error:
        others = sorted((s for s in steps if s != wanted), key=lambda s: (abs(s - wanted), s))
        for step in others[:3]:
            try:
                note = f"{sentence(error)} Showing step {step:,} instead."
                return Moment(data.snapshot(name, step), f"{name} {step}", note)
            except SnapshotError:
                continue
        raise


def time_slider(
    steps: list[int],
    shown: Moment | None,
    status: dict[str, Any],
    alive: bool,
    events: list[dict[str, Any]],
) -> None:
    newest = max([status["step"], *steps[-1:], shown.snapshot.step if shown else 0])
    header = {
        "steps": steps,
        "newest": newest,
        "n_steps": status["n_steps"],
        "steps_per_epoch": _steps_per_epoch(status, shown),
        "shown": shown.snapshot.step if shown else None,
        "follows": st.session_state.moment == "live",
        "alive": alive,
        "moving": status["state"] == "running",
        "events": events,
        "answers": st.session_state.answers,
        "heard": st.session_state.get("presses_heard", []),
        "beat": time.monotonic(),  # what is the same twice is not passed on: silence would look like rest
    }
    film, arrays = st.session_state.get("film"), {}
    if film is not None:
        header["film"] = {
            "number": film.number,
            "words": film.words,
            "file": film.file,
            "made": film.data is not None,
            "failed": film.error is not None,
        }
        if film.error and st.session_state.get("film_mourned") != film.number:
            st.session_state.film_mourned = film.number
            _complain(film.error)
        if film.data is not None and st.session_state.pop("film_wanted", False):
            arrays["film"] = np.frombuffer(film.data, dtype=np.uint8)
    timeline.mount(
        key="timeline",
        data=pack(header, arrays),
        on_at_change=_moved,
        on_film_change=_film_asked,
        on_wake_change=lambda: None,  # being asked is enough: it is a refresh
        on_press_change=lambda: None,  # read where the button's own callback asks for it
    )


def _film_asked() -> None:
    """The reader wants a film, asks for its file once it is made, or has got it. The view asks again where no
    answer came: a busy page may pass over a wish that another followed closely.
    """
    asked = st.session_state["timeline"].get("film") or {}
    film = st.session_state.get("film")
    if "got" in asked:
        st.session_state.film = None
    elif "take" in asked:
        st.session_state.film_wanted = film is not None and film.number == asked["take"]
    elif "subject" in asked and (film is None or film.number != asked.get("number")):
        name = st.session_state.watched
        try:
            reader = data.reader(name)
            steps, last = reader.snapshot_steps(), data.snapshot(name, reader.snapshot_steps()[-1])
            order = st.session_state.order.get("order", pictures.order_of_units("index", last, None))
            st.session_state.film = Filming(
                int(asked["number"]), reader, name, steps, asked["subject"], asked["format"], order
            )
        except (RunError, ValueError, KeyError, IndexError) as error:
            _complain(error)


def _moved() -> None:
    """The reader moved the slider, or the film did."""
    at = st.session_state["timeline"].get("at") or {}
    step = at.get("step")
    if step == "live" or (isinstance(step, int) and not isinstance(step, bool) and step >= 0):
        _go(step)
        st.session_state.answers = at.get("nonce")
        st.session_state.moved = time.monotonic()


def _go(step: int | str) -> None:
    st.session_state.moment = step


def caption(shown: Moment | None) -> None:
    """Which moment every picture below belongs to; once the slider rests, the link holds it too."""
    if shown is None:
        return
    if time.monotonic() - st.session_state.get("moved", 0.0) > 0.4:
        link.remember("step", st.session_state.moment)
    meta = shown.snapshot.meta
    words = [f"Shown below: step **{shown.snapshot.step:,}**"]
    if isinstance(meta.get("epoch"), (int, float)):
        words.append(f"epoch {meta['epoch']:.3g}")
    if isinstance(meta.get("seconds"), (int, float)):
        words.append(f"after {_unbroken(meta['seconds'])}")
    st.caption(" · ".join(words), width="content")


# The doctor


def see_doctor(name: str, reader: RunReader, config: dict[str, Any], steps: list[int]) -> None:
    """One line about the run's health, and every check with its evidence behind it."""
    findings = _findings(name, reader, config, steps)
    ill = [finding for finding in findings if not finding.well]
    with st.container(horizontal=True, vertical_alignment="center", key="doctor"):
        with st.popover("Doctor", icon=":material/stethoscope:", type="tertiary", help=DOCTOR_HELP):
            st.markdown(doctor_report(findings))
        if ill:
            more = f" &nbsp; … and {len(ill) - 1} more" if len(ill) > 1 else ""
            st.markdown(
                f":orange-badge[{len(ill)} to look at] &nbsp; {plain(sentence(ill[0].evidence))}{more}"
            )
        elif findings:
            waiting = len(doctor.RULES) - len(findings)
            more = f" &nbsp; {waiting} more cannot be told yet" if waiting else ""
            st.markdown(f":green-badge[{len(findings)} checks fine]{more}")
        else:
            st.markdown(":grey-badge[too early to say]")


def doctor_report(findings: list[doctor.Finding]) -> str:
    if not findings:
        return "The checks begin after the first epoch and 500 updates."
    lines = []
    for finding in findings:
        held_to = f"healthy is {plain(finding.healthy)}; {plain(finding.source)}"
        if finding.well:
            lines.append(f"- :green[✓] **{finding.rule}:** {plain(finding.evidence)} ({held_to})")
        else:
            lines.append(
                f"- :orange[●] **{finding.rule}:** {plain(finding.evidence)} ({held_to}). "
                f"**{plain(finding.advice)}**"
            )
    return "\n".join([*lines, "", f":small[{plain(doctor.SOURCES)}]"])


def _findings(name: str, reader: RunReader, config: dict[str, Any], steps: list[int]) -> list[doctor.Finding]:
    """Worked out anew where the record has grown, and at most every few seconds."""
    seen = st.session_state.get("doctor")
    now = time.monotonic()
    if seen and seen["run"] == name and now - seen["at"] < DOCTOR_PERIOD_S:
        return seen["findings"]
    try:
        metrics, probe = reader.metrics(), reader.probe()
        fields = config["config"]
        newest = data.snapshot(name, steps[-1]) if steps else None
        earlier = [step for step in steps if step <= 0.9 * steps[-1]]
        before = data.snapshot(name, earlier[-1]) if earlier else None
    except RunError:
        return []
    record = doctor.Record(
        metrics=metrics,
        config=fields,
        n_hidden=int(fields.get("n_hidden") or (newest.W.shape[1] if newest else 1)),
        newest=newest,
        before=before,
        probe=probe,
    )
    findings = doctor.examine(record)
    st.session_state.doctor = {"run": name, "at": now, "findings": findings}
    return findings


# The pictures


def draw_curves(
    name: str, reader: RunReader, shown: Moment | None, status: dict[str, Any], events: list[dict[str, Any]]
) -> None:
    """Sends the rows that this tab has not had yet; the chart keeps the others, its zoom and its legend."""
    try:
        metrics = reader.metrics()
    except RunError as error:
        st.warning(sentence(error))
        metrics = {}
    steps: Any = metrics.get("step", ())
    version = f"{name} {int(steps[0]) if len(steps) else ''}"
    fed = st.session_state["_fed"].get("curves")
    start = fed[1] if fed and fed[0] == version and fed[1] <= len(steps) else 0
    st.session_state["_fed"]["curves"] = (version, len(steps))
    header = {
        "version": version,
        "from": start,
        "columns": curve_rows.COLUMNS,
        "cursor": shown.snapshot.step if shown else None,
        "events": events,
        "steps_per_epoch": _steps_per_epoch(status, shown),
        "view": {"group": link.field("curves"), "axis": link.field("axis")},
        "of": _source(name, shown),
        "alive": status["state"] in data.LIVE_STATES,
    }
    try:
        estimates = curve_rows.estimates(reader.likelihood())
    except RunError:
        estimates = curve_rows.estimates([])
    arrays = {"rows": curve_rows.rows_of(metrics, start), "estimates": estimates}
    curves.mount(
        key="curves", data=pack(header, arrays), on_view_change=_curves_chosen, on_need_change=_curves_needed
    )


def _curves_needed() -> None:
    st.session_state["_fed"].pop("curves", None)


def _curves_chosen() -> None:
    view = st.session_state["curves"].get("view") or {}
    if view.get("group") in link.CURVE_GROUPS:
        link.remember("curves", view["group"])
    if view.get("axis") in link.CURVE_AXES:
        link.remember("axis", view["axis"])


def _order(name: str, steps: list[int], shown: Moment) -> Any:
    """The units' order, worked out once for a choice and then kept: each unit keeps its place in time."""
    sort = st.session_state.filter_sort
    kept = st.session_state.order
    units = shown.snapshot.W.shape[1]
    if kept.get("sort") != sort or kept.get("units") != units:
        earlier = None
        before = [step for step in steps if step < shown.snapshot.step]
        if sort == "change" and before:
            try:
                earlier = data.snapshot(name, before[-1])
            except SnapshotError:
                earlier = None
        order = pictures.order_of_units(sort, shown.snapshot, earlier)
        st.session_state.order = kept = {"sort": sort, "units": units, "order": order, "made": shown.key}
    return kept["order"]


def draw_filters(name: str, steps: list[int], shown: Moment, shape: tuple[int, int], order: Any) -> None:
    base, chosen = None, st.session_state.filter_base
    if chosen != "0":
        try:
            base = data.snapshot(name, int(chosen.removeprefix("since ")))
        except SnapshotError as error:
            st.warning(sentence(error))
    version = f"{shown.key} {st.session_state.order['made']} {st.session_state.filter_sort} {chosen} {shape}"

    def build() -> bytes:
        header, arrays = pictures.filters(shown.snapshot, shape, order, base)
        few = steps if len(steps) <= 12 else [steps[round(i * (len(steps) - 1) / 11)] for i in range(12)]
        header |= {
            "version": version,
            "sort": st.session_state.filter_sort,
            "sorts": pictures.SORTS,
            "bases": few,
            "base": chosen if base is not None else "0",
            "inspect": True,
            "of": _source(name, shown),
        }
        return pack(header, arrays)

    components.feed(
        mosaic.mount,
        "filters",
        version,
        build,
        on_sort_change=_sort_chosen,
        on_base_change=_base_chosen,
        on_open_change=_unit_opened,
    )


def _unit_opened() -> None:
    unit = st.session_state["filters"].get("open")
    if isinstance(unit, int) and not isinstance(unit, bool) and unit >= 0:
        st.session_state.unit_to_inspect = unit


def _sort_chosen() -> None:
    sort = st.session_state["filters"].get("sort")
    if sort in link.FILTER_ORDERS:
        st.session_state.filter_sort = sort
        st.session_state.order = {}
        link.remember("sort", sort)


def _base_chosen() -> None:
    base = str(st.session_state["filters"].get("base"))
    st.session_state.filter_base = base if base.removeprefix("since ").isdigit() else "0"


def draw_particles(name: str, reader: RunReader, shown: Moment, shape: tuple[int, int]) -> None:
    version = f"{shown.key} {shape}"

    def build() -> bytes:
        header, arrays = pictures.particles(shown.snapshot, shape, probe=_probe(reader))
        return pack({**header, "version": version, "of": _source(name, shown)}, arrays)

    components.feed(mosaic.mount, "particles", version, build)


def draw_activity(name: str, reader: RunReader, shown: Moment, order: Any) -> None:
    version = f"{shown.key} {st.session_state.order['made']} {st.session_state.filter_sort}"

    def build() -> bytes:
        probe = _probe(reader)
        labels = probe.labels if probe is not None else None
        header, arrays = pictures.activity(shown.snapshot, order, labels)
        return pack({**header, "version": version, "of": _source(name, shown)}, arrays)

    components.feed(activity.mount, "activity", version, build)


def draw_histograms(name: str, shown: Moment) -> None:
    def build() -> bytes:
        header, arrays = pictures.histograms(shown.snapshot)
        return pack({**header, "version": shown.key, "of": _source(name, shown)}, arrays)

    components.feed(histograms.mount, "histograms", shown.key, build)


# Small things


def _source(name: str, shown: Moment | None) -> dict[str, Any]:
    """What a saved figure says about where it comes from."""
    try:
        seed = data.reader(name).config()["config"].get("seed")
    except RunError:
        seed = None
    return {"run": name, "step": shown.snapshot.step if shown else None, "seed": seed}


def _probe(reader: RunReader) -> Probe | None:
    try:
        return reader.probe()
    except RunError:
        return None


def _events(reader: RunReader) -> list[dict[str, Any]]:
    return curve_rows.marks(_all_events(reader))


def _all_events(reader: RunReader) -> list[dict[str, Any]]:
    try:
        return reader.events()
    except RunError:
        return []


def _steps_per_epoch(status: dict[str, Any], shown: Moment | None) -> float:
    if status["steps_per_epoch"]:
        return float(status["steps_per_epoch"])
    if shown is not None and shown.snapshot.meta.get("epoch"):
        return shown.snapshot.step / float(shown.snapshot.meta["epoch"])
    return 1.0


main()
