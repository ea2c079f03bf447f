"""The settings of the Learn page: machine and method above the picture, the rest in the sidebar."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from dashboard.figures import learn as figures
from dashboard.views.learn.state import learn

METHOD_HELP = (
    "Where the machine's half of the gradient comes from. *Exact*: all pictures are counted. *CD-1*, "
    "*CD-10*: chains start at the data and make 1 or 10 sweeps. *PCD*: chains go on from update to update."
)


def choose(row: Any) -> dict[str, Any]:
    """The arguments of figures.training, from the controls in `row` and in the sidebar; they go into the link."""
    titles = {name: plan.title for name, plan in figures.MACHINES.items()}
    machine = _choice(
        row,
        "machine",
        "Machine",
        titles,
        "What it learns: two pixels that mostly agree, or pictures of whole bars or stripes.",
        _machine_chosen,
    )
    method = _choice(row, "method", "Learns by", figures.METHOD_NAMES, METHOD_HELP)
    plan = figures.MACHINES[machine]
    chosen = {
        "machine": machine,
        "method": method,
        "n_hidden": _choose_hidden(plan),
        "rate": _choose_rate(plan),
        "seed": _choose_seed(),
    }
    learn().settings.write_link()
    return chosen


def suit(machine: str, **moment: Any) -> None:
    """Sets this machine, with the hidden units and the learning rate that suit it, and writes the link.

    moment: more settings that change with it, such as `update`.
    """
    plan, settings = figures.MACHINES[machine], learn().settings
    settings.set("machine", machine)
    for name, value in (("hidden", plan.n_hidden), ("rate", plan.rate)):
        st.session_state[settings.widget(name)] = value
        settings.use(name, "auto")
    settings.use_all(moment)
    settings.write_link()


def _machine_chosen() -> None:
    # The player shows another machine from its first update on.
    suit(st.session_state[learn().settings.widget("machine")], update=0)


def _choice(
    row: Any,
    name: str,
    label: str,
    words: dict[str, str],
    explained: str,
    changed: Callable[[], None] | None = None,
) -> str:
    """One of a few values, all in sight; `words` names each."""
    settings = learn().settings
    value = row.segmented_control(
        label,
        list(words),
        required=True,
        key=settings.key(name),
        format_func=words.get,
        on_change=changed,
        help=explained,
    )
    return str(settings.use(name, value))


def _choose_hidden(plan: figures.Machine) -> int:
    key = _suited("hidden", plan.n_hidden)
    if st.session_state[key] > plan.most_hidden:
        st.warning(
            f"{plan.title} has at most {plan.most_hidden} hidden units here, not {st.session_state[key]}; "
            f"showing {plan.n_hidden}."
        )
        st.session_state[key] = plan.n_hidden
    value = learn().settings.number(
        st.sidebar,
        "hidden",
        "Hidden units",
        (1, plan.most_hidden),
        help="More hidden units can tell more pictures apart; with too few the KL stays above zero.",
    )
    return _used("hidden", value, plan.n_hidden)


def _choose_rate(plan: figures.Machine) -> float:
    _suited("rate", plan.rate)
    value = learn().settings.number(
        st.sidebar,
        "rate",
        "Learning rate",
        (0.01, 5.0),
        step=0.1,
        format="%.2f",
        help="How far one update moves along the gradient at first; it falls to zero at the last update. "
        "Too large, and the machine leaps over the valleys.",
    )
    return _used("rate", value, plan.rate)


def _suited(name: str, suits: Any) -> str:
    """The widget key of a setting whose "auto" stands for the value that suits the machine."""
    settings = learn().settings
    value = settings.value(name)
    return settings.key(name, suits if value == "auto" else value)


def _used(name: str, value: Any, suits: Any) -> Any:
    learn().settings.use(name, "auto" if value == suits else value)
    return value


def _choose_seed() -> int:
    settings = learn().settings
    left, right = st.sidebar.columns([3, 2], vertical_alignment="bottom")
    seed = settings.number(
        left,
        "seed",
        "Seed",
        (0, 2**32 - 1),
        help="Where all chance comes from, first weights and chains alike: the same seed, the same training.",
    )
    right.button(
        "Next",
        key="learn.next_seed",
        icon=":material/casino:",
        on_click=_next_seed,
        width="stretch",
        help="The next seed: other chances, all else equal.",
    )
    return int(settings.use("seed", seed))


def _next_seed() -> None:
    settings = learn().settings
    settings.set("seed", (settings.value("seed") + 1) % 2**32)
