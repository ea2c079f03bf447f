"""The Gibbs page: the chains of a snapshot, half step by half step.

From top to bottom: the snapshot (moment.py), where the chains begin (starts.py, drawing.py, spoiling.py), how they
run and what runs beside them (settings.py), the player (player.py), what its pictures are (texts.py), and what can be
taken away (export.py). Beside a ladder of the run's past stands a player of its own (ladder.py).
"""

import time
from typing import Any

import streamlit as st

from dashboard import data
from dashboard.figures import drawings
from dashboard.processes import gibbs_films, sampler
from dashboard.ui import run_choice
from dashboard.ui.texts import plain, sentence
from dashboard.views.gibbs import ladder, moment, player, settings, spoiling, starts
from dashboard.views.gibbs.state import gibbs
from rbm_core.runs import RunError, RunReader, Snapshot


def main() -> None:
    name = run_choice.chosen()
    if name is None:
        st.info("There is no run yet, so no machine to run a chain in. Start one on the Train page.")
        return
    if gibbs().settings.follow_link("cool", "hold"):
        gibbs().opened = False
    top = st.container()
    try:
        _page(data.reader(name), top)
    except (RunError, sampler.SamplerError, drawings.DrawingError) as error:
        st.error(sentence(error))
    except OSError as error:
        st.error(
            f"The files of {plain(name)} can no longer be read ({plain(error.strerror)}); choose another run."
        )


def _page(reader: RunReader, top: Any) -> None:
    sampler.SHARED.wake()
    reader.config()  # a run whose description is damaged says so, rather than that it has no snapshot yet
    with top:
        st.caption(
            run_choice.said("Watch the machine make pictures: pixels and hidden units are drawn in turn.")
        )
        snapshot = moment.choose(reader)
    if snapshot is None:
        moment.wait_for_the_first(reader.name)
        return
    if settings.beside() == "ladder":
        ladder.show(reader, snapshot, top, _progress)
        return
    shape = gibbs_films.image_shape(reader, snapshot)
    chosen, hold_place = _choose(reader, snapshot, shape, top)
    key = (*moment.identity(reader), snapshot.step, chosen)

    def make(on_progress: sampler.Progress, with_map: bool, with_nearest: bool) -> gibbs_films.Shown:
        return gibbs_films.make_film(
            reader,
            snapshot,
            chosen,
            lambda step: data.snapshot(reader.name, step),
            on_progress,
            other=data.reader(chosen.particles_of[0]) if chosen.particles_of else None,
            with_map=with_map,
            with_nearest=with_nearest,
        )

    # The chains come first. The nearest training images and the first map take seconds: they come when the player
    # has shown the chains and asks for them.
    early = sampler.SHARED.maps_are_quick
    waiting = st.empty()
    shown = player.films().find((key, "whole")) or player.films().get(
        (key, early), lambda: make(_progress(waiting), early, False)
    )
    waiting.empty()
    if chosen.held:
        spoiling.show_pad(hold_place, shape, chosen.held, shown.arrays["clean"])
    _check_place(shown.header, top)
    gibbs().settings.write_link()
    gibbs().with_page = True
    whole = (key, "whole")
    player.show(whole, shown, lambda listen: player.films().get(whole, lambda: make(listen, True, True)))


def _choose(
    reader: RunReader, snapshot: Snapshot, shape: tuple[int, int], top: Any
) -> tuple[gibbs_films.ChainSettings, Any]:
    """The settings, from the controls above the player and in the sidebar; and the place of the pad for held pixels."""
    row = top.container(horizontal=True, vertical_alignment="bottom")
    what_if_place = st.sidebar.container()
    # A narrow window has its sidebar shut: there the pad stands above the player.
    pad_place = (top if gibbs().narrow else st.sidebar).container()
    above_pad = pad_place.container()
    start = starts.choose(reader, snapshot, shape, row, pad_place)
    hold_place = st.sidebar.container()
    has_pad = start["start"] == "drawing" or "held" in start
    chains = settings.choose_chains(settings.folded(above_pad) if has_pad else st.sidebar)
    beside = settings.choose_beside(reader, chains["sweeps"], row, what_if_place)
    gibbs().settings.write_link()
    return gibbs_films.ChainSettings(**start, **chains, **beside), hold_place


def _progress(place: Any) -> sampler.Progress:
    """Shows how far a film is that takes longer than 0.4 s."""
    began = time.monotonic()

    def show(done: int, total: int) -> None:
        passed = time.monotonic() - began
        if passed < 0.4:
            return
        if done:
            left = passed * (total - done) / done
            place.progress(done / total, f"Sweep {done:,} of {total:,}, {left:.0f} s left")
        else:
            place.progress(0.0, "The sampler is waking up: a few seconds, once.")

    return show


def _check_place(header: dict[str, Any], top: Any) -> None:
    """Keeps frame and chain within this film; says so where the link named others."""
    outside = player.keep_within(header)
    n_sweeps: int = header["n_sweeps"]
    n_chains: int = header["n_chains"]
    for name, low, high in (("frame", 0, 2 * n_sweeps), ("chain", 1, n_chains)):
        if name in outside and not gibbs().opened:
            asked: int = outside[name]
            top.warning(
                f"The link says {name} {asked:,}, but this film has {low} to {high:,}; showing {high:,}."
            )
    gibbs().opened = True


main()
