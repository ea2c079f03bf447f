"""How the chains run, and what runs beside them for comparison."""

from typing import Any

import streamlit as st

from dashboard.processes import sampler
from dashboard.ui import run_choice
from dashboard.views.gibbs.state import settings, use_all
from rbm_core.runs import RunReader

RULES = {"sample": "a sample", "mean": "its mean"}
BESIDE = {"nothing": "nothing", "ages": "earlier moments", "whatif": "what if…", "ladder": "a ladder"}
COOLING_FROM = 5.0  # the temperature at which cooling begins unless the reader says otherwise


def choose_chains(place: Any) -> dict[str, Any]:
    """The part of gibbs_films.ChainSettings that says how the chains run, from the controls in `place`."""
    return use_all(
        {
            **_choose_size(place),
            **_choose_temperature(place),
            "rule": _choose_rule(place),
            **_choose_cooling(place),
            **choose_seed(place),
        }
    )


def folded(place: Any) -> Any:
    """The place for the chains' controls behind one button that says their numbers: a pad below takes the room."""
    chains, sweeps = (st.session_state[settings().key(name)] for name in ("chains", "sweeps"))
    return place.popover(
        f"{chains:,} chains, {sweeps:,} sweeps", icon=":material/tune:", width="stretch", key="gibbs.folded"
    )


def _choose_size(place: Any) -> dict[str, Any]:
    left, right = place.columns(2)
    chains = settings().number(
        left,
        "chains",
        "Chains",
        (1, sampler.MAX_CHAINS),
        help=f"Independent chains that run side by side, each from its own start: 1 to {sampler.MAX_CHAINS}.",
    )
    sweeps = settings().number(
        right,
        "sweeps",
        "Sweeps",
        (1, sampler.MAX_SWEEPS),
        step=50,
        help=f"A sweep is two half steps: v → h → v; 1 to {sampler.MAX_SWEEPS:,} of them. Look past the number used "
        "in training: a good machine goes on drawing what looks like the data.",
    )
    return {"chains": chains, "sweeps": sweeps}


def _choose_temperature(place: Any) -> dict[str, Any]:
    temperature = settings().number(
        place,
        "temperature",
        "Temperature (0.05 to 20)",
        (0.05, 20.0),
        step=0.1,
        format="%.2f",
        help=run_choice.said(
            "Divides every energy. At 1 the chain draws from the model; colder, it settles into likely "
            "pictures; hotter, it wanders and blurs into noise."
        ),
    )
    return {"temperature": temperature}


def _choose_rule(place: Any) -> str | None:
    return place.segmented_control(
        "Each unit takes",
        list(RULES),
        required=True,
        key=settings().key("rule"),
        format_func=lambda name: RULES[name],
        help="*A sample*: on with its probability; this is Gibbs sampling. *Its mean*: the "
        "probability itself is passed on; no chance is left, and the chain falls into the nearest valley "
        "(mean field).",
    )


def _choose_cooling(place: Any) -> dict[str, Any]:
    """The temperature to cool down from, 0 where it stays as it is."""
    cool = settings().widget("cool")
    hot = settings().value("hot")
    if cool not in st.session_state:
        st.session_state[cool] = bool(hot)
    cooling = place.toggle(
        "Cool down",
        key=cool,
        help="Simulated annealing: begin hot, where the chain moves freely, and cool by equal factors to the "
        "temperature above, so that it finds deep valleys instead of the nearest one.",
    )
    if not cooling:
        return {"hot": 0.0}
    return {
        "hot": settings().number(
            place,
            "hot",
            "from temperature",
            (0.05, 20.0),
            first=hot or COOLING_FROM,
            step=0.5,
            format="%.2f",
            help="Where cooling begins, 0.05 to 20.",
        )
    }


def choose_seed(place: Any) -> dict[str, Any]:
    """The seed, from a number and a button for the next one."""
    left, right = place.columns([3, 2], vertical_alignment="bottom")
    seed = settings().number(
        left,
        "seed",
        "Seed",
        (0, 2**32 - 1),
        help="Where all chance comes from: the same seed gives the same film, frame for frame.",
    )
    right.button(
        "Next",
        key="gibbs.next_seed",
        icon=":material/casino:",
        on_click=_next_seed,
        help="The next seed: other chances, all else equal.",
        width="stretch",
    )
    return {"seed": seed}


def _next_seed() -> None:
    settings().set("seed", (st.session_state[settings().widget("seed")] + 1) % 2**32)


def beside() -> str:
    """What runs beside the chains, before its control is made."""
    return str(st.session_state[settings().key("beside")])


def choose_beside(reader: RunReader, n_sweeps: int, row: Any, what_if_place: Any) -> dict[str, Any]:
    """The part of gibbs_films.ChainSettings that says what the chains are compared with.

    row: takes the choice, above the player; what a "what if" changes stands in `what_if_place`.
    """
    beside = row.segmented_control(
        "Compare with",
        list(BESIDE),
        required=True,
        key=settings().key("beside"),
        format_func=lambda name: BESIDE[name],
        help=run_choice.said(
            "*Earlier moments*: the same start and the same random numbers in the machines of earlier moments of "
            "training, a film of learning. *What if…*: the same chains a second time, but from some sweep on at "
            "another temperature, with other random numbers or in another machine. *A ladder*: all machines that "
            "this run has been at once, which exchange their pictures; a plain chain runs beside them."
        ),
        wrap=True,
    )
    settings().use("beside", beside)
    if beside != "whatif":
        return {"beside": beside}
    return {"beside": beside, **_choose_what_if(reader, n_sweeps, what_if_place.container(border=True))}


def _choose_what_if(reader: RunReader, n_sweeps: int, box: Any) -> dict[str, Any]:
    box.markdown(
        "**What if**", help="Everything not changed here stays the same, down to the random numbers."
    )
    key = settings().key("fork")
    st.session_state[key] = min(st.session_state[key], n_sweeps - 1)
    fork = settings().number(
        box,
        "fork",
        "from sweep",
        (0, n_sweeps - 1),
        help="Until this sweep both are the same; *fork here* in the player sets it.",
    )
    temperature = settings().number(
        box,
        "if_temperature",
        "at temperature",
        (0.05, 20.0),
        step=0.1,
        format="%.2f",
        help="The temperature of the other chains from then on, 0.05 to 20.",
    )
    step = _choose_other_snapshot(reader, box)
    other_chance = box.toggle(
        "with other random numbers",
        key=settings().key("if_seed"),
        help="From then on, those of the next seed.",
    )
    return use_all({"fork": fork, "if_temperature": temperature, "if_seed": other_chance}) | {"if_step": step}


def _choose_other_snapshot(reader: RunReader, box: Any) -> int | None:
    """The step of another snapshot; None for the same one."""
    steps: list[Any] = ["same", *reader.snapshot_steps()]
    key = settings().key("if_step")
    if st.session_state[key] not in steps:
        st.session_state[key] = "same"
    step = box.selectbox(
        "in snapshot",
        steps,
        key=key,
        format_func=lambda step: "the same" if step == "same" else f"{step:,}",
        help="The machine that runs the other chains from then on.",
    )
    return None if settings().use("if_step", step) == "same" else step
