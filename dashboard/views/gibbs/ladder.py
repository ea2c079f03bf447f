"""The ladder on the Gibbs page: from independent pixels over a run's past machines to the chosen one."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from dashboard import components
from dashboard.components.blob import pack
from dashboard.components.ladder import mount as ladder_player
from dashboard.components.messages import heard
from dashboard.processes import sampler
from dashboard.processes.gibbs_films import Shown
from dashboard.processes.ladder_films import make_ladder_film
from dashboard.ui.about import about
from dashboard.views.gibbs import moment
from dashboard.views.gibbs.player import films
from dashboard.views.gibbs.settings import choose_beside, choose_seed
from dashboard.views.gibbs.state import settings
from rbm_core.runs import RunReader, Snapshot

PLAYER = "gibbs.ladder"


def show(
    reader: RunReader, snapshot: Snapshot, top: Any, progress: Callable[[Any], sampler.Progress]
) -> None:
    """The ladder that leads to this snapshot. top: takes the control that leads back to the chains. progress: shows
    in a place how far a film is.

    Raises SamplerError where there is none, RunError for models that cannot be read.
    """
    choose_beside(reader, 1, top, st.sidebar)
    rounds = settings().number(
        st.sidebar,
        "rounds",
        "Rounds",
        (10, sampler.MAX_ROUNDS),
        step=100,
        help="A round is a sweep of every machine and an exchange between every second pair of neighbours; 10 to "
        f"{sampler.MAX_ROUNDS:,}. A picture needs hundreds to come up from noise and go back.",
    )
    chosen = {"rounds": rounds, **choose_seed(st.sidebar)}
    settings().use_all(chosen)
    settings().write_link()
    waiting = st.empty()
    shown = films().get(
        ("ladder", *moment.identity(reader), snapshot.step, *chosen.values()),
        lambda: make_ladder_film(reader, snapshot, rounds, chosen["seed"], progress(waiting)),
    )
    waiting.empty()
    _play(shown)


@st.fragment
def _play(shown: Shown) -> None:
    frame = settings().use("frame", min(settings().value("frame"), 2 * shown.header["n_rounds"]))
    components.feed(
        ladder_player,
        PLAYER,
        shown.header["version"],
        lambda: pack({**shown.header, "frame": frame}, shown.arrays),
        on_moment_change=_left_at,
    )
    about(
        "the ladder",
        "A chain that draws one kind of picture in a trained machine can stay with it for thousands of sweeps. An "
        "early machine of the same run hardly holds it. So every machine the run has been gets a picture of its "
        "own, and after each sweep neighbours $k$ and $k+1$ exchange their pictures $v$ and $v'$ with the "
        "probability below, which leaves every machine's own law as it is. A picture walks down to where it forgets"
        " itself and comes up as another one: learning, run backwards and forwards. Rungs are placed so that about "
        "three exchanges in ten succeed; where two kept machines are further apart than that, machines with "
        "interpolated weights stand between them. The plain chain beside it makes as many sweeps as the whole "
        "ladder.",
        formula=r"\min\Big(1,\; e^{F_k(v) + F_{k+1}(v') - F_k(v') - F_{k+1}(v)}\Big)",
        source="Béreux, Decelle, Furtlehner, Rosset and Seoane, *Fast training and sampling of Restricted Boltzmann "
        "Machines* (2024), arXiv 2405.15376.",
    )


def _left_at() -> None:
    """The player came to rest at a frame, which goes into the link."""
    frame = heard(PLAYER, "moment")
    if isinstance(frame, int) and frame <= 2 * sampler.MAX_ROUNDS:
        settings().use("frame", frame)
        settings().write_link()
