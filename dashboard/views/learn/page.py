"""Learn: a machine small enough that everything is exact, and ten short lessons with something to press."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import streamlit as st

from dashboard import components
from dashboard.components import learn as player
from dashboard.components.blob import pack
from dashboard.figures import learn as figures
from dashboard.ui import link, pages
from dashboard.ui.about import about
from dashboard.ui.texts import sentence
from dashboard.views.learn import lessons

METHOD_HELP = (
    "Where the machine's half of the gradient comes from. *Exact*: all pictures are counted. *CD-1*, "
    "*CD-10*: chains start at the data and make 1 or 10 sweeps. *PCD*: chains go on from update to update."
)
FILMS_KEPT = 16
PAPER = f"light-dark({st.get_option('theme.light.backgroundColor')}, {st.get_option('theme.dark.backgroundColor')})"
# The lesson, its buttons and what they move share one screen; the buttons keep their place from lesson to lesson.
LAYOUT = """<style>
.st-key-learn-tour { padding: 0.6rem 1rem; }
.st-key-learn-tour, [data-testid="stMainBlockContainer"] .st-key-learn-tour { gap: 0.35rem; }
.st-key-learn-tour [data-testid="stMarkdownContainer"] { margin-bottom: 0; }
.st-key-learn-tour p { font-size: 0.95rem; line-height: 1.42; margin: 0; }
.st-key-learn-turn { justify-content: flex-end; align-items: center; gap: 0.5rem; }
.st-key-learn-turn button { min-height: 2.2rem; padding: 0.2rem 0.8rem; }
.st-key-learn-turn [data-testid="stPageLink"] a { border: 1px solid; border-radius: 0.5rem; padding: 0.2rem 0.8rem; }
.st-key-learn-which { column-gap: 1.5rem; row-gap: 0.4rem; }
.st-key-learn-which [data-testid="stButtonGroup"] {
  display: flex; flex-wrap: wrap; align-items: center; gap: 0.2rem 0.6rem;
}
.st-key-learn-which [data-testid="stButtonGroup"] label { margin: 0; width: auto; }
.st-key-learn-press p { white-space: normal; font-weight: 600; }
.st-key-learn-progress { position: fixed; bottom: 1.5rem; left: 50%; width: min(26rem, 70vw); z-index: 999; }
.st-key-learn-progress [data-testid="stProgress"] {
  padding: 0.8rem 1rem; border-radius: 0.5rem; background: PAPER;
  box-shadow: 0 2px 14px rgb(0 0 0 / 30%);
}
</style>""".replace("PAPER", PAPER)
# While another machine is made, the one on the page stands still and steps back: it is not what the controls say.
# The empty div keeps this style in its place, from which it is taken away again.
WAITING = (
    "<div></div><style>.st-key-learn { --waiting: 1; filter: opacity(0.25); pointer-events: none; }</style>"
)
# What the first lessons do not need yet.
PLAIN_LESSONS = 3
PLAIN = "<style>.st-key-learn-which { display: none; }</style>"


class _Films:
    """The trainings made last, newest use last: a machine seen before is there at once."""

    def __init__(self) -> None:
        self.kept: OrderedDict[tuple, figures.Blob] = OrderedDict()
        self.lock = threading.Lock()

    def get(self, key: tuple) -> figures.Blob | None:
        with self.lock:
            if key in self.kept:
                self.kept.move_to_end(key)
            return self.kept.get(key)

    def put(self, key: tuple, film: figures.Blob) -> None:
        with self.lock:
            self.kept[key] = film
            while len(self.kept) > FILMS_KEPT:
                self.kept.popitem(last=False)


@st.cache_resource(show_spinner=False)
def _films() -> _Films:
    return _Films()


def _film(chosen: dict[str, Any], place: Any) -> figures.Blob:
    """The training with these settings; while it is made, `place` shows how far it is."""
    key = tuple(chosen.values())
    film = _films().get(key)
    if film is not None:
        return film
    began = time.monotonic()
    title = figures.MACHINES[chosen["machine"]].title
    made = f"{title} learn by {figures.METHOD_NAMES[chosen['method']]}"
    with place.container():
        st.html(WAITING)
        bar = st.progress(0.0, made)

    def show(done: int, total: int) -> None:
        passed = time.monotonic() - began
        if done and passed > 0.5:
            left = passed * (total - done) / done
            bar.progress(done / total, f"{made}: update {done:,} of {total:,}, {left:.0f} s left")

    try:
        film = figures.film(**chosen, progress=show)
    finally:
        place.empty()
    _films().put(key, film)
    return film


# --- settings: the URL first, then what this session used last, then the default ---


def _kept() -> dict[str, Any]:
    return st.session_state.setdefault("learn-kept", {})


def _begin(name: str, default: Any = None) -> str:
    """The widget key of a setting, its value in place before the widget is made."""
    key = f"learn-{name}"
    if key not in st.session_state:
        default = link.FIELDS[name].default if default is None else default
        value = link.field(name) if name in st.query_params else _kept().get(name, default)
        st.session_state[key] = default if value == "auto" else value
    return key


def _end(name: str, value: Any, default: Any = None) -> Any:
    """The widget's value, kept for when this page is opened again and written into the URL."""
    _kept()[name] = value
    link.remember(name, "auto" if default is not None and value == default else value)
    return value


def _suit(machine: str) -> None:
    """Another machine comes with the hidden units and the learning rate that suit it."""
    plan = figures.MACHINES[machine]
    st.session_state["learn-hidden"] = _kept()["hidden"] = plan.n_hidden
    st.session_state["learn-rate"] = _kept()["rate"] = plan.rate


def _machine_chosen() -> None:
    _suit(st.session_state["learn-machine"])


def _next_seed() -> None:
    st.session_state["learn-seed"] = (st.session_state["learn-seed"] + 1) % 2**32


def _choice(
    row: Any,
    name: str,
    label: str,
    words: dict[str, str],
    told: str,
    changed: Callable[[], None] | None = None,
) -> str:
    """One of a few, all in sight; `words` names each."""
    key = _begin(name)
    value = row.segmented_control(
        label, list(words), required=True, key=key, format_func=words.get, on_change=changed, help=told
    )
    return str(_end(name, value))


def settings(row: Any) -> dict[str, Any]:
    """The machine and method above the picture, the rest in the sidebar."""
    chosen: dict[str, Any] = {
        "machine": _choice(
            row,
            "machine",
            "Machine",
            {name: plan.title for name, plan in figures.MACHINES.items()},
            "What it learns: two pixels that mostly agree, or pictures of whole bars or stripes.",
            _machine_chosen,
        ),
        "method": _choice(row, "method", "Learns by", figures.METHOD_NAMES, METHOD_HELP),
    }
    plan, bar = figures.MACHINES[chosen["machine"]], st.sidebar
    key = _begin("hidden", plan.n_hidden)
    if st.session_state[key] > plan.most_hidden:
        st.warning(
            f"{plan.title} has at most {plan.most_hidden} hidden units here, not {st.session_state[key]}; "
            f"showing {plan.n_hidden}."
        )
        st.session_state[key] = plan.n_hidden
    chosen["n_hidden"] = _end(
        "hidden",
        bar.number_input(
            "Hidden units",
            1,
            plan.most_hidden,
            key=key,
            help="More hidden units can tell more pictures apart; with too few the KL stays above zero.",
        ),
        plan.n_hidden,
    )
    chosen["rate"] = _end(
        "rate",
        bar.number_input(
            "Learning rate",
            0.01,
            5.0,
            step=0.1,
            format="%.2f",
            key=_begin("rate", plan.rate),
            help="How far one update moves along the gradient at first; it falls to zero at the last update. "
            "Too large, and the machine leaps over the valleys.",
        ),
        plan.rate,
    )
    left, right = bar.columns([3, 2], vertical_alignment="bottom")
    chosen["seed"] = _end(
        "seed",
        left.number_input(
            "Seed",
            0,
            2**32 - 1,
            key=_begin("seed"),
            help="Where all chance comes from, first weights and chains alike: the same seed, the same film.",
        ),
    )
    right.button(
        "Next",
        icon=":material/casino:",
        on_click=_next_seed,
        width="stretch",
        help="The next seed: other chances, all else equal.",
    )
    return chosen


# --- the tour ---


def _set_up(lesson: lessons.Lesson, command: dict[str, Any]) -> None:
    """The lesson's machine and method, and the picture that does what the command says."""
    st.session_state["learn-machine"] = lesson.machine
    st.session_state["learn-method"] = lesson.method
    _suit(lesson.machine)
    st.session_state["learn-command"] = {**command, "nonce": time.time()}


def _press(number: int) -> None:
    """A lesson's button: has the picture play its part."""
    lesson = lessons.LESSONS[number - 1]
    _set_up(lesson, lesson.command)


def _turn(number: int) -> None:
    """Another lesson: its machine stands below its words at once; its button does the rest."""
    st.session_state["learn-lesson"] = number
    _kept()["lesson"] = number
    lesson = lessons.LESSONS[number - 1]
    still = {name: value for name, value in lesson.command.items() if name not in lessons.PRESSED}
    _set_up(lesson, {**still, "stage": 0, "many": 0})


def tour() -> Any:
    """One lesson at a time: a few sentences, a formula, a button. Returns the place to show progress."""
    number = _end("lesson", st.session_state[_begin("lesson")])
    lesson, last = lessons.LESSONS[number - 1], len(lessons.LESSONS)
    more = ("Next step", number + 1) if number < last else ("Restart", 1)
    with st.container(border=True, key="learn-tour"):
        row = st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center")
        row.markdown(f"**{number} of {last} · {lesson.title}**", width="content")
        with row.container(horizontal=True, gap="small", width="content", key="learn-turn"):
            if number == last:
                st.page_link(
                    pages.script("train"), label="On to the Train page", icon=":material/arrow_forward:"
                )
            st.button("Back", disabled=number == 1, on_click=_turn, args=(number - 1,), key="learn-back")
            st.button(lesson.press, key="learn-press", type="primary", on_click=_press, args=(number,))
            st.button(
                more[0],
                on_click=_turn,
                args=more[1:],
                key="learn-next",
                type="tertiary" if number == last else "secondary",
            )
        formula = " &emsp; ".join(f"${part}$" for part in lesson.formula.split(r" \qquad "))
        st.markdown(f"{lesson.text} &emsp; {formula}")
        return st.container(key="learn-progress").empty()


# --- the picture ---


@st.fragment
def picture(chosen: dict[str, Any], place: Any) -> None:
    """The player with its film. What it reports when it comes to rest goes into the link."""
    try:
        header, arrays = _film(chosen, place)
    except ValueError as error:
        st.error(sentence(error))
        return
    version = " ".join(map(str, chosen.values()))
    note = {"command": st.session_state.get("learn-command"), "plain": _plain(chosen)}
    whole = {
        **header,
        **note,
        "version": version,
        "at": link.field("update") if "update" in st.query_params else _kept().get("update", 0),
        "view": link.field("view") if "view" in st.query_params else _kept().get("view"),
    }
    components.feed(
        player.mount,
        "learn",
        version,
        lambda: pack(whole, arrays),
        note,
        on_moment_change=_rested,
        on_done_change=_obeyed,
    )


def _plain(chosen: dict[str, Any]) -> bool:
    """Whether the page still does without words and controls that a later lesson explains."""
    first = chosen["machine"] == "pair" and chosen["method"] == "exact"
    return first and st.session_state["learn-lesson"] <= PLAIN_LESSONS


def _rested() -> None:
    moment = (st.session_state.get("learn") or {}).get("moment") or {}
    if moment.get("view") in link.LEARN_VIEWS and isinstance(moment.get("at"), int):
        _end("view", moment["view"])
        _end("update", moment["at"])
        for name in (
            "lesson",
            "machine",
            "method",
        ):  # said before a quick Next came: it brought the old link along
            link.remember(name, _kept()[name])


def _obeyed() -> None:
    st.session_state.pop("learn-command", None)


def told() -> None:
    """What the component's five pictures are, each behind its own button."""
    with st.container(horizontal=True):
        about(
            "the curve",
            "The divergence is what the machine's log-likelihood lacks to the best possible, the negative entropy of "
            "the data; in nats per picture. Every point is exact: all pictures are counted. The curves of other "
            "methods stay as long as machine, hidden units, rate and seed do.",
            formula=r"\mathrm{KL} = \sum_v p_{\text{data}}(v) \log \frac{p_{\text{data}}(v)}{p(v)} "
            r"\qquad \phantom{\mathrm{KL}} = -H(p_{\text{data}}) - \sum_v p_{\text{data}}(v) \log p(v)",
            source="Hinton, *Training products of experts by minimizing contrastive divergence* (2002).",
        )
        about(
            "the distribution",
            "Amber: how often a picture is in the data. Blue: how likely the machine finds it; $Z$ is summed over "
            "all states of the smaller layer. Bars and stripes are made by tossing a coin for the direction, then one "
            "for each row or column.",
            formula=r"\log p(v) = -F(v) - \log Z, \qquad "
            r"F(v) = -b\cdot v - \sum_j \log\bigl(1 + e^{c_j + (vW)_j}\bigr)",
            source="bars and stripes after MacKay, *Information Theory, Inference, and Learning Algorithms* (2003), "
            "chapter 43.",
        )
        about(
            "one update",
            "The same for every weight and bias; the last half step enters as $p(h\\mid v)$, not as a draw, which "
            "lowers the noise. The rate $\\varepsilon_t$ falls linearly to zero. Every update sees all data; CD and "
            "PCD run 96 chains.",
            formula=r"\Delta w_{ij} = \varepsilon_t\,\bigl(\langle v_i h_j\rangle_{\text{data}} - "
            r"\langle v_i h_j\rangle_{\text{machine}}\bigr)",
            source="Hinton (2002); Tieleman, *Training restricted Boltzmann machines using approximations to the "
            "likelihood gradient* (2008).",
        )
        about(
            "the gradients",
            "The angle is taken over all weights and biases at once. PCD's chains are carried along at one sweep an "
            "update, whichever method is learning. Where the gradient is nearly zero any estimate is mostly noise, "
            "and its angle says little.",
            formula=r"\angle(g, g') = \arccos \frac{g\cdot g'}{\lVert g\rVert\,\lVert g'\rVert}",
            source="Fischer and Igel, *Bounding the bias of contrastive divergence learning* (2011).",
        )
        about(
            "the landscape",
            "Rows and columns count in Gray code, so that neighbouring cells differ by one pixel. The chain meets the "
            "same random numbers in a machine of any age, so what changes is the landscape alone.",
            formula=r"F(v) = -\log \sum_h e^{-E(v,h)}, \qquad h \sim p(h \mid v), \qquad v \sim p(v \mid h)",
            source="Geman and Geman, *Stochastic relaxation, Gibbs distributions, and the Bayesian restoration of "
            "images* (1984).",
        )


def _go_back() -> None:
    """Takes every setting from the link anew, and has the player go where it says."""
    for name in ("lesson", "machine", "method", "hidden", "rate", "seed"):
        st.session_state.pop(f"learn-{name}", None)
    _kept().clear()
    where = {"view": link.field("view"), "at": link.field("update")}
    st.session_state["learn-command"] = {**where, "nonce": time.time()}


def main() -> None:
    st.html(LAYOUT)
    if link.gone_back():
        _go_back()
    place = tour()
    row = st.container(horizontal=True, vertical_alignment="center", key="learn-which")
    chosen = settings(row)
    if _plain(chosen):
        st.html(PLAIN)
    picture(chosen, place)
    told()


main()
