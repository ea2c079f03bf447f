"""The Gibbs page: the chain of a snapshot, half step by half step."""

import threading
import time
from collections import OrderedDict
from typing import Any

import numpy as np
import streamlit as st

from dashboard import components, data, sampler, view_state
from dashboard.components.blob import pack
from rbm_core.runs.files import RunError

STARTS = {
    "noise": "Noise",
    "gaussian": "Gaussian noise",
    "digits": "Digits",
    "particles": "Particles",
}
START_HELP = (
    "Where the chains begin. *Noise*: every pixel on or off by a fair coin. *Gaussian noise*: N(0, 1), as the notebook "
    "this began from does. *Digits*: test images of the data. *Particles*: the fantasy particles, the chains that trained the run, "
    "where training left them."
)
_FILM_BYTES_KEPT = 96_000_000

film_player = components.load("film")


class _Films:
    """The films made last, newest use last, bounded in bytes: a link opened twice is computed once."""

    def __init__(self) -> None:
        self.kept: OrderedDict[tuple, bytes] = OrderedDict()
        self.lock = threading.Lock()

    def get(self, key: tuple) -> bytes | None:
        with self.lock:
            if key in self.kept:
                self.kept.move_to_end(key)
            return self.kept.get(key)

    def put(self, key: tuple, blob: bytes) -> None:
        with self.lock:
            self.kept[key] = blob
            while len(self.kept) > 1 and sum(map(len, self.kept.values())) > _FILM_BYTES_KEPT:
                self.kept.popitem(last=False)


@st.cache_resource(show_spinner=False)
def _films() -> _Films:
    return _Films()


# --- settings: the URL first, then what this session used last, then the default ---


def _begin(name: str) -> str:
    """The widget key of a setting, its value in place before the widget is made."""
    key = f"gibbs-{name}"
    if key not in st.session_state:
        kept = st.session_state.get("gibbs-kept", {})
        st.session_state[key] = (
            view_state.field(name)
            if name in st.query_params
            else kept.get(name, view_state.FIELDS[name].default)
        )
    return key


def _end(name: str, value: Any) -> Any:
    """The widget's value, written into the URL and kept for when this page is opened again."""
    st.session_state.setdefault("gibbs-kept", {})[name] = value
    view_state.remember(name, value)
    return value


def _choose_snapshot(reader: Any) -> Any:
    """The snapshot that runs the chains: the newest, or one the reader chose."""
    steps = reader.snapshot_steps()
    asked = view_state.field("step")
    live = reader.live() if reader.status()["state"] in data.LIVE_STATES else None
    newest = max(live.step if live else 0, steps[-1] if steps else 0)
    if not steps and live is None:
        st.info(
            "This run has no snapshot yet. Its first one comes within seconds of the start; then press R."
        )
        st.stop()
    if asked != "live" and asked not in steps:
        nearest = reader.nearest_step(asked)
        st.warning(f"This run has no snapshot at step {asked:,}; showing the nearest, step {nearest:,}.")
        asked = nearest
    options = [*(step for step in steps if step != newest), "live"]
    if asked == newest:
        asked = "live"
    key = "gibbs-step"
    if st.session_state.get(key) not in options or asked != st.session_state.get("gibbs-step-shown"):
        st.session_state[key] = asked
    chosen = asked
    if len(options) > 1:
        chosen = st.sidebar.select_slider(
            "Snapshot",
            options,
            key=key,
            format_func=lambda step: f"newest · {newest:,}" if step == "live" else f"{step:,}",
            help="How far training had come, in parameter updates: the chain runs in the machine of that moment. "
            "The same seed meets every snapshot with the same random numbers.",
        )
    view_state.remember("step", chosen)
    st.session_state["gibbs-step-shown"] = chosen
    if chosen == "live":
        return live if live is not None and live.step >= newest else data.snapshot(reader.name, newest)
    return data.snapshot(reader.name, chosen)


def _chain_settings() -> dict[str, Any]:
    """The sidebar's controls of the chains."""
    bar = st.sidebar
    settings: dict[str, Any] = {}
    left, right = bar.columns(2)
    settings["chains"] = _end(
        "chains",
        left.number_input(
            "Chains",
            1,
            sampler.MAX_CHAINS,
            key=_begin("chains"),
            help="Independent chains that run side by side, each from its own start.",
        ),
    )
    settings["sweeps"] = _end(
        "sweeps",
        right.number_input(
            "Sweeps",
            1,
            sampler.MAX_SWEEPS,
            step=50,
            key=_begin("sweeps"),
            help="A sweep is two half steps: v → h → v. Look past the number used in training: "
            "a good machine goes on drawing digits.",
        ),
    )
    settings["temperature"] = _end(
        "temperature",
        bar.number_input(
            "Temperature",
            0.05,
            20.0,
            step=0.1,
            format="%.2f",
            key=_begin("temperature"),
            help="Divides every energy. At 1 the chain draws from the model; colder, it settles into likely pictures; "
            "hotter, it wanders and blurs into noise.",
        ),
    )
    settings["rule"] = _end(
        "rule",
        bar.segmented_control(
            "Each unit",
            ["sample", "mean"],
            required=True,
            key=_begin("rule"),
            format_func={"sample": "tosses a coin", "mean": "takes its mean"}.get,
            help="*Tosses a coin*: on with its probability; this is Gibbs sampling. *Takes its mean*: the probability "
            "itself is passed on; no chance is left, and the chain falls into the nearest valley (mean field).",
        ),
    )
    left, right = bar.columns([3, 2], vertical_alignment="bottom")
    settings["seed"] = _end(
        "seed",
        left.number_input(
            "Seed",
            0,
            2**32 - 1,
            key=_begin("seed"),
            help="Where all chance comes from: the same seed gives the same film, frame for frame.",
        ),
    )
    right.button(
        "Next",
        icon=":material/casino:",
        on_click=_next_seed,
        help="The next seed: other chances, all else equal.",
        width="stretch",
    )
    return settings


def _next_seed() -> None:
    st.session_state["gibbs-seed"] = (st.session_state["gibbs-seed"] + 1) % 2**32


def _choose_start(has_particles: bool, classes: list[int], place: Any) -> dict[str, Any]:
    """Where the chains begin: the row above the player."""
    options = [start for start in STARTS if start != "particles" or has_particles]
    key = _begin("start")
    if st.session_state[key] not in options:
        place.warning("This snapshot holds no fantasy particles; starting from noise instead.")
        st.session_state[key] = "noise"
    start = place.segmented_control(
        "Start from", options, required=True, key=key, format_func=STARTS.get, help=START_HELP
    )
    _end("start", start)
    digit = "any"
    if start == "digits" and classes:
        key = _begin("digit")
        if st.session_state[key] != "any" and int(st.session_state[key]) not in classes:
            st.session_state[key] = "any"
        digit = place.selectbox(
            "Class",
            ["any", *map(str, classes)],
            key=key,
            width=110,
            help="Only pictures with this label, or all of them.",
        )
        _end("digit", digit)
    return {"start": start, "digit": digit}


def _film(reader: Any, snapshot: Any, settings: dict[str, Any], place: Any) -> bytes:
    """The blob for the player: from the films kept, or made now with the progress shown at `place`."""
    config = reader.config()
    born = (reader.path / "config.json").stat().st_mtime_ns
    key = (str(reader.path), born, snapshot.step, *sorted(settings.items()))
    blob = _films().get(key)
    if blob is None:
        film = sampler.SHARED.film(_request(reader, config, snapshot, settings), _show_progress(place))
        place.empty()
        shape = (config.get("data") or {}).get("image_shape") or [1, len(snapshot.vbias)]
        caption = (
            f"run {reader.name} · step {snapshot.step:,} · {settings['chains']} chains · {settings['sweeps']:,} sweeps"
            f" · temperature {settings['temperature']:g} · seed {settings['seed']}"
        )
        blob = pack({**film.header, "image_shape": shape, "caption": caption, "seed": settings["seed"]}, film.arrays)
        _films().put(key, blob)
    return blob


def _request(
    reader: Any, config: dict[str, Any], snapshot: Any, settings: dict[str, Any]
) -> sampler.FilmRequest:
    probe = reader.probe()
    fields = config["config"]
    particles = settings["start"] == "particles"
    return sampler.FilmRequest(
        W=snapshot.W,
        vbias=snapshot.vbias,
        hbias=snapshot.hbias,
        log_var=snapshot.log_var,
        visible=fields.get("visible", "bernoulli"),
        start={"noise": "bernoulli", "particles": "images"}.get(settings["start"], settings["start"]),
        images=snapshot.particles_v.astype(np.float32) if particles else None,
        images_are="the run's fantasy particles, where training left them" if particles else "",
        n_chains=settings["chains"],
        betas=np.full(settings["sweeps"], 1 / settings["temperature"]),
        seed=settings["seed"],
        digit=None if settings["digit"] == "any" else int(settings["digit"]),
        dataset=fields.get("dataset", ""),
        binarisation=fields.get("binarisation", "none"),
        probe=None if probe is None else probe.v,
        probe_labels=None if probe is None else probe.labels,
        mean_field=settings["rule"] == "mean",
    )


def _show_progress(place: Any) -> sampler.Progress:
    began = time.monotonic()

    def show(done: int, total: int) -> None:
        passed = time.monotonic() - began
        if passed < 0.4:
            return
        if not done:
            place.progress(0.0, "The sampler is waking up: about 3 s, once.")
        else:
            place.progress(
                done / total, f"Sweep {done:,} of {total:,}, {passed * (total - done) / done:.0f} s left"
            )

    return show


ABOUT = r"""
A restricted Boltzmann machine gives every pair of a picture $v$ and hidden units $h$ an energy, in nats:

$$E(v,h) = -b\cdot v - c\cdot h - v^{\mathsf T} W h, \qquad p(v,h) = \frac{e^{-E(v,h)}}{Z}.$$

No unit is wired to another of its own layer, so a whole layer can be drawn at once when the other is known. One
**sweep** of the Gibbs chain is two **half steps**, at temperature $T$:

$$p(h_j{=}1 \mid v) = \sigma\!\Big(\tfrac1T\big(c_j + \textstyle\sum_i v_i W_{ij}\big)\Big), \qquad
p(v_i{=}1 \mid h) = \sigma\!\Big(\tfrac1T\big(b_i + \textstyle\sum_j W_{ij} h_j\big)\Big).$$

The **free energy** says how likely the machine finds a picture, whatever the hidden units do:
$F(v) = -b\cdot v - \sum_j \log\big(1 + e^{c_j + (vW)_j}\big)$ and $\log p(v) = -F(v) - \log Z$; ten nats lower is $e^{10}$ times
likelier. A chain that has forgotten its start moves among the free energies of real pictures (the band) and keeps moving.

States, free energies and distances were computed by the engine; the probabilities are worked out in the browser from
the same weights, to which the snapshot's half precision is exact. Sources: Hinton, *A Practical Guide to Training
Restricted Boltzmann Machines* (2010), §§2–3; Fischer and Igel, *Training restricted Boltzmann machines* (2014), §4.
"""


def main() -> None:
    name = st.session_state.get("run")
    if name is None:
        st.info("There is no run yet, so no machine to run a chain in. Start one on the Train page.")
        return
    top = st.container()
    try:
        reader = data.reader(name)
        snapshot = _choose_snapshot(reader)
        row = top.container(horizontal=True, vertical_alignment="bottom")
        probe = reader.probe()
        classes = (
            [] if probe is None or probe.labels is None else sorted({int(label) for label in probe.labels})
        )
        settings = _choose_start(len(snapshot.particles_v) > 0, classes, row)
        settings |= _chain_settings()
        blob = _film(reader, snapshot, settings, row.empty())
    except RunError as error:
        st.error(_sentence(error))
        return
    except sampler.SamplerError as error:
        st.error(_sentence(error))
        return
    finally:
        for sentence in view_state.complaints():
            top.warning(sentence)
    film_player(key="film", data=blob)
    with st.expander("About this picture", icon=":material/info:"):
        st.markdown(ABOUT)


def _sentence(error: Exception) -> str:
    text = str(error)
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


main()
