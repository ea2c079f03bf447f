"""The Gibbs page: the chain of a snapshot, half step by half step."""

import hashlib
import time
from typing import Any

import numpy as np
import streamlit as st

from dashboard import chains, components, data, drawn, sampler, view_state
from dashboard.components.blob import pack
from rbm_core.runs import RunError, RunReader, Snapshot

STARTS = {
    "noise": "Noise",
    "gaussian": "Gaussian noise",
    "digits": "Digits",
    "particles": "Particles",
    "drawing": "Drawing",
}
START_HELP = (
    "Where the chains begin. *Noise*: every pixel on or off by a fair coin. *Gaussian noise*: N(0, 1), as the "
    "notebook this began from does. *Digits*: test images of the data. *Particles*: the fantasy particles, the "
    "chains that trained the run, where training left them. *Drawing*: a picture of your own."
)
PICTURED = (
    "digits",
    "particles",
    "drawing",
)  # starts that are pictures: these can be spoilt, and held in part
BESIDE = {"nothing": "nothing", "ages": "other ages", "whatif": "what if"}
RULES = {"sample": "a sample", "mean": "its mean"}

film_player = components.load("film")
pad = components.load("drawing")


@st.cache_resource(show_spinner=False)
def _films() -> chains.Films:
    return chains.Films()


# --- settings: the URL first, then what this session used last, then the default ---


def _kept(name: str) -> Any:
    if name in st.query_params:
        return view_state.field(name)
    return st.session_state.get("gibbs-kept", {}).get(name, view_state.FIELDS[name].default)


def _begin(name: str) -> str:
    """The widget key of a setting, its value in place before the widget is made."""
    key = f"gibbs-{name}"
    if key not in st.session_state:
        st.session_state[key] = _kept(name)
    return key


def _end(name: str, value: Any) -> Any:
    """The widget's value, written into the URL and kept for when this page is opened again."""
    st.session_state.setdefault("gibbs-kept", {})[name] = value
    view_state.remember(name, value)
    return value


# --- the machine ---


def _choose_snapshot(reader: RunReader, top: Any) -> Snapshot | None:
    """The snapshot that runs the chains: the newest, or one the reader chose; None where there is none yet."""
    steps = reader.snapshot_steps()
    asked = view_state.field("step")
    live = reader.live() if reader.status()["state"] in data.LIVE_STATES else None
    if not steps and live is None:
        return None
    newest = max(live.step if live else 0, steps[-1] if steps else 0)
    if asked != "live" and asked not in steps and asked != newest:
        nearest = reader.nearest_step(asked)
        top.warning(f"This run has no snapshot at step {asked:,}; showing the nearest, step {nearest:,}.")
        asked = nearest
    options = [*(step for step in steps if step != newest), "live"]
    if asked == newest or asked is None:
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
            help="How far training had come, in parameter updates: the chain runs in the machine of that "
            "moment. The same seed meets every snapshot with the same random numbers.",
        )
    view_state.remember("step", chosen)
    st.session_state["gibbs-step-shown"] = chosen
    if chosen != "live":
        return data.snapshot(reader.name, chosen)
    return live if live is not None and live.step >= newest else data.snapshot(reader.name, newest)


# --- where the chains begin ---


def _choose_start(options: list[str], classes: list[int], place: Any) -> dict[str, Any]:
    """The row above the player: the start, and for digits their class."""
    key = _begin("start")
    if st.session_state[key] not in options:
        asked, st.session_state[key] = STARTS[st.session_state[key]], options[0]
        place.warning(
            f"This run cannot start from {asked.lower()}; starting from {STARTS[options[0]].lower()}."
        )
    start = place.segmented_control(
        "Start from", options, required=True, key=key, format_func=lambda name: STARTS[name], help=START_HELP
    )
    _end("start", start)
    if start != "digits" or not classes:
        return {"start": start}
    key = _begin("digit")
    if st.session_state[key] != "any" and int(st.session_state[key]) not in classes:
        st.session_state[key] = "any"
    digit = place.selectbox(
        "Class",
        ["any", *map(str, classes)],
        key=key,
        width=130,
        label_visibility="collapsed",
        format_func=lambda name: "any class" if name == "any" else f"class {name}",
        help="Only pictures with this label, or all of them.",
    )
    return {"start": start, "digit": _end("digit", digit)}


def _draw(shape: tuple[int, int]) -> str:
    """The pad and the upload in the sidebar; returns the drawing's bits as base64."""
    kept = _kept("drawing")
    pad_place, place = st.sidebar.container(), st.sidebar.container()
    uploaded = st.sidebar.file_uploader(
        "Or a picture of yours",
        type=["png", "jpg", "jpeg", "webp", "bmp", "gif"],
        key="gibbs-upload",
        help="Dark strokes on light paper or the reverse. It is shrunk and centred as MNIST's digits are.",
        on_change=_forget_upload,
    )
    if uploaded is not None:
        content = uploaded.getvalue()
        mark = hashlib.sha256(content).hexdigest()[:12]
        if st.session_state.get("gibbs-upload-read") != mark:
            st.session_state["gibbs-upload-read"] = mark
            try:
                kept = drawn.bits_to_text(drawn.placed(drawn.picture_from_file(content), shape))
                st.session_state["gibbs-pad-version"] = mark
                st.session_state.pop("gibbs-pad-complaint", None)
            except drawn.DrawingError as error:
                st.session_state["gibbs-pad-complaint"] = str(error)
    try:
        bits = (
            drawn.bits_from_text(kept, shape[0] * shape[1]) if kept else np.zeros(shape[0] * shape[1], bool)
        )
    except drawn.DrawingError as error:
        kept, bits = "", np.zeros(shape[0] * shape[1], bool)
        st.session_state["gibbs-pad-complaint"] = str(error)
    side = drawn.PAD_SIDE
    rows, columns = np.arange(side) * shape[0] // side, np.arange(side) * shape[1] // side
    marks = bits.reshape(shape)[rows][:, columns].astype(np.uint8) * 255
    header = {
        "mode": "draw",
        "rows": shape[0],
        "columns": shape[1],
        "title": "Your drawing",
        "note": "Draw; the chains start over at the end of each stroke.",
        "version": st.session_state.setdefault("gibbs-pad-version", "first"),
    }
    # A pad that is already on the page keeps its own strokes: only a new version replaces them.
    first = st.session_state.setdefault("gibbs-pad-first", {})
    if header["version"] not in first:
        first.clear()
        first[header["version"]] = pack(header, {"marks": marks})
    with pad_place:
        pad(key="gibbs-pad", data=first[header["version"]], on_picture_change=_drawn(shape))
    if complaint := st.session_state.get("gibbs-pad-complaint"):
        place.warning(_sentence(complaint))
    return _end("drawing", kept)


def _forget_upload() -> None:
    st.session_state.pop("gibbs-upload-read", None)


def _drawn(shape: tuple[int, int]) -> Any:
    """What to do with a finished stroke: before the page runs, make it the drawing."""

    def take() -> None:
        st.session_state.pop("gibbs-pad-complaint", None)
        try:
            picture = drawn.picture_from_pad(st.session_state["gibbs-pad"]["picture"])
            bits = drawn.bits_to_text(drawn.placed(picture, shape)) if picture.max() > 0 else ""
        except drawn.DrawingError as error:
            bits = ""
            st.session_state["gibbs-pad-complaint"] = str(error)
        _end("drawing", bits)

    return take


def _spoil(shape: tuple[int, int]) -> dict[str, Any]:
    """For starts that are pictures: hold some pixels and let the rest go, or invert a share of them."""
    bar = st.sidebar
    n = shape[0] * shape[1]
    key = "gibbs-hold"
    if key not in st.session_state:
        st.session_state[key] = bool(_kept("held"))
    hold = bar.toggle(
        "Hold some pixels",
        key=key,
        help="Inpainting: the pixels you paint keep their value (the clamped units), the others begin as noise "
        "and are drawn by the chain, which completes the picture.",
    )
    if not hold:
        _end("held", "")
        corrupt = bar.slider(
            "Corrupt, % of pixels",
            0,
            50,
            key=_begin("corrupt"),
            help="Each pixel of the start is inverted with this probability; watch the chain repair it. "
            "It knows nothing of the clean picture, so after the repair it wanders off to others.",
        )
        return {"corrupt": _end("corrupt", corrupt)}
    held = _kept("held")
    try:
        if held:
            drawn.bits_from_text(held, n)
    except drawn.DrawingError:
        bar.warning("The held pixels in the link belong to pictures of another size; holding the upper half.")
        held = ""
    if not held:
        held = drawn.bits_to_text(np.arange(n) < n // 2)
    return {"held": _end("held", held)}


def _hold_pad(place: Any, shape: tuple[int, int], held: str, clean: np.ndarray) -> None:
    """The pad that paints held pixels over the first chain's picture."""
    bits = drawn.bits_from_text(held, shape[0] * shape[1])
    header = {
        "mode": "hold",
        "rows": shape[0],
        "columns": shape[1],
        "title": "Held pixels",
        "note": f"{int(bits.sum())} of {len(bits)} keep their value, tinted here over the first chain's picture.",
        "version": f"{shape}",
    }
    with place:
        pad(
            key="gibbs-hold-pad",
            data=pack(header, {"marks": bits.astype(np.uint8) * 255, "under": clean}),
            on_held_change=_held,
        )


def _held() -> None:
    text = st.session_state["gibbs-hold-pad"]["held"].replace("+", "-").replace("/", "_").rstrip("=")
    _end("held", text)


# --- what runs beside them ---


def _choose_beside(reader: RunReader, n_sweeps: int, place: Any, bar: Any) -> dict[str, Any]:
    """Above the player: what to compare with; in the sidebar: what is otherwise in the other world."""
    key = _begin("beside")
    beside = place.segmented_control(
        "Beside it",
        list(BESIDE),
        required=True,
        key=key,
        format_func=lambda name: BESIDE[name],
        help="*Other ages*: the same start and the same random numbers in snapshots from early to late, a film of "
        "learning. *What if*: the same chains, but from some sweep on at another temperature, with other random "
        "numbers or in another snapshot.",
    )
    chosen: dict[str, Any] = {"beside": _end("beside", beside)}
    if beside != "whatif":
        return chosen
    bar = bar.container(border=True)
    bar.markdown(
        "**What if**", help="Everything not changed here stays the same, down to the random numbers."
    )
    key = _begin("fork")
    st.session_state[key] = min(st.session_state[key], n_sweeps - 1)
    fork = bar.number_input(
        "from sweep",
        0,
        n_sweeps - 1,
        key=key,
        help="Until this sweep both are the same; the player can set it.",
    )
    temperature = bar.number_input(
        "at temperature",
        0.05,
        20.0,
        step=0.1,
        format="%.2f",
        key=_begin("if_temperature"),
        help="The temperature of the other chains from then on.",
    )
    steps: list[Any] = ["same", *reader.snapshot_steps()]
    key = _begin("if_step")
    if st.session_state[key] not in steps:
        st.session_state[key] = "same"
    step = bar.selectbox(
        "in snapshot",
        steps,
        key=key,
        format_func=lambda step: "the same" if step == "same" else f"{step:,}",
        help="The machine that runs the other chains from then on.",
    )
    seed = bar.toggle(
        "with other random numbers", key=_begin("if_seed"), help="From then on, those of the next seed."
    )
    chosen["fork"] = _end("fork", fork)
    chosen["if_temperature"] = _end("if_temperature", temperature)
    chosen["if_step"] = None if _end("if_step", step) == "same" else step
    chosen["if_seed"] = _end("if_seed", seed)
    return chosen


def _fork_here() -> None:
    """The player's button: fork the chains at the sweep it shows."""
    sweep = st.session_state["film"].get("fork")
    if isinstance(sweep, int) and 0 <= sweep < sampler.MAX_SWEEPS:
        for name, value in (("beside", "whatif"), ("fork", sweep)):
            st.session_state[f"gibbs-{name}"] = value
            _end(name, value)


# --- how the chains run ---


def _chain_settings() -> dict[str, Any]:
    """The sidebar's controls of the chains."""
    bar = st.sidebar
    left, right = bar.columns(2)
    n_chains = left.number_input(
        "Chains",
        1,
        sampler.MAX_CHAINS,
        key=_begin("chains"),
        help="Independent chains that run side by side, each from its own start.",
    )
    n_sweeps = right.number_input(
        "Sweeps",
        1,
        sampler.MAX_SWEEPS,
        step=50,
        key=_begin("sweeps"),
        help="A sweep is two half steps: v → h → v. Look past the number used in training: "
        "a good machine goes on drawing digits.",
    )
    temperature = bar.number_input(
        "Temperature",
        0.05,
        20.0,
        step=0.1,
        format="%.2f",
        key=_begin("temperature"),
        help="Divides every energy. At 1 the chain draws from the model; colder, it settles into likely "
        "pictures; hotter, it wanders and blurs into noise.",
    )
    rule = bar.segmented_control(
        "Each unit takes",
        list(RULES),
        required=True,
        key=_begin("rule"),
        format_func=lambda name: RULES[name],
        help="*A sample*: on with its probability; this is Gibbs sampling. *Its mean*: the "
        "probability itself is passed on; no chance is left, and the chain falls into the nearest valley "
        "(mean field).",
    )
    hot = _anneal()
    left, right = bar.columns([3, 2], vertical_alignment="bottom")
    seed = left.number_input(
        "Seed",
        0,
        2**32 - 1,
        key=_begin("seed"),
        help="Where all chance comes from: the same seed gives the same film, frame for frame.",
    )
    right.button(
        "Next",
        icon=":material/casino:",
        on_click=_next_seed,
        help="The next seed: other chances, all else equal.",
        width="stretch",
    )
    chosen = {"chains": n_chains, "sweeps": n_sweeps, "temperature": temperature, "rule": rule, "seed": seed}
    return {name: _end(name, value) for name, value in chosen.items()} | {"hot": hot}


def _anneal() -> float:
    """The temperature to cool down from, 0 where it stays as it is."""
    if "gibbs-anneal" not in st.session_state:
        st.session_state["gibbs-anneal"] = bool(_kept("hot"))
    annealed = st.sidebar.toggle(
        "Cool down",
        key="gibbs-anneal",
        help="Simulated annealing: begin hot, where the chain moves freely, and cool by equal factors to the "
        "temperature above, so that it finds deep valleys instead of the nearest one.",
    )
    if not annealed:
        return _end("hot", 0.0)
    if "gibbs-hot" not in st.session_state:
        st.session_state["gibbs-hot"] = _kept("hot") or 5.0
    hot = st.sidebar.number_input(
        "from temperature", 0.05, 20.0, step=0.5, format="%.2f", key="gibbs-hot", help="Where cooling begins."
    )
    return _end("hot", hot)


def _next_seed() -> None:
    st.session_state["gibbs-seed"] = (st.session_state["gibbs-seed"] + 1) % 2**32


def _show_progress(place: Any, while_waiting: str) -> sampler.Progress:
    began = time.monotonic()

    def show(done: int, total: int) -> None:
        passed = time.monotonic() - began
        if passed < 0.4:
            return
        if done:
            left = passed * (total - done) / done
            place.progress(done / total, f"Sweep {done:,} of {total:,}, {left:.0f} s left")
        else:
            place.progress(0.0, while_waiting)

    return show


ABOUT = r"""
A restricted Boltzmann machine gives every pair of a picture $v$ and hidden units $h$ an energy, in nats:

$$
E(v,h) = -b\cdot v - c\cdot h - v^{\mathsf T} W h, \qquad p(v,h) = \frac{e^{-E(v,h)}}{Z}.
$$

No unit is wired to another of its own layer, so a whole layer can be drawn at once when the other is known. One
**sweep** of the Gibbs chain is two **half steps**, at temperature $T$:

$$
p(h_j{=}1 \mid v) = \sigma\!\Big(\tfrac1T\big(c_j + \textstyle\sum_i v_i W_{ij}\big)\Big), \qquad
p(v_i{=}1 \mid h) = \sigma\!\Big(\tfrac1T\big(b_i + \textstyle\sum_j W_{ij} h_j\big)\Big).
$$

The **free energy** says how likely the machine finds a picture, whatever the hidden units do:
$F(v) = -b\cdot v - \sum_j \log\big(1 + e^{c_j + (vW)_j}\big)$ and $\log p(v) = -F(v) - \log Z$; ten nats lower is
$e^{10}$ times likelier. A chain that has forgotten its start moves among the free energies of real pictures (the
band) and keeps moving.

The **map** lays the hidden probabilities $p(h \mid v)$ of training images in the plane of their first two principal
components, each image as its digit, and the chains among them: a machine that mixes well sends its chains from class
to class. Two dimensions hold only a part of the variance, so neighbours on the map need not be neighbours.

States, free energies and distances were computed by the engine; the probabilities are worked out in the browser
from the very same weights. Sources: Hinton, *A Practical Guide to
Training Restricted Boltzmann Machines* (2010), §§2–3; Fischer and Igel, *Training restricted Boltzmann machines*
(2014), §4.
"""


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:] + ("" if words.endswith(".") else ".")


def _page(reader: RunReader, top: Any) -> None:
    snapshot = _choose_snapshot(reader, top)
    if snapshot is None:
        st.info(
            "This run has no snapshot yet; its first one comes within seconds of the start. Then press R."
        )
        return
    row = top.container(horizontal=True, vertical_alignment="bottom")
    beside_place = st.sidebar.container()
    probe = reader.probe()
    classes = [] if probe is None or probe.labels is None else sorted({int(k) for k in probe.labels})
    particles = len(snapshot.particles_v) > 0
    shape = chains.image_shape(reader, snapshot)
    chosen = _choose_start([s for s in STARTS if s != "particles" or particles], classes, row)
    if chosen["start"] == "drawing":
        chosen["drawing"] = _draw(shape)
    if chosen["start"] in PICTURED:
        chosen |= _spoil(shape)
    hold_place = st.sidebar.container()
    chosen |= _chain_settings()
    settings = chains.ChainSettings(**chosen, **_choose_beside(reader, chosen["sweeps"], row, beside_place))
    place = row.empty()
    born = (reader.path / "config.json").stat().st_mtime_ns
    key = (str(reader.path), born, snapshot.step, settings)

    def film(with_map: bool, while_waiting: str) -> chains.Shown:
        return chains.make_film(
            reader,
            snapshot,
            settings,
            lambda step: data.snapshot(reader.name, step),
            _show_progress(place, while_waiting),
            with_map=with_map,
        )

    # The first map takes seconds to prepare: until then the film is shown without it.
    shown = _films().find((key, True))
    later = shown is None and settings.has_map and not sampler.SHARED.maps_are_quick
    if shown is None:
        shown = _films().get(
            (key, not later), lambda: film(not later, "The sampler is waking up: a few seconds, once.")
        )
    place.empty()
    if settings.held:
        _hold_pad(hold_place, shape, settings.held, shown.clean)
    film_player(key="film", data=shown.blob, on_fork_change=_fork_here)
    with st.expander("About this picture", icon=":material/info:"):
        st.markdown(ABOUT)
    if later:
        _films().get((key, True), lambda: film(True, "The map is being prepared: a few seconds, once."))
        st.rerun()


def main() -> None:
    name = st.session_state.get("run")
    if name is None:
        st.info("There is no run yet, so no machine to run a chain in. Start one on the Train page.")
        return
    top = st.container()
    try:
        _page(data.reader(name), top)
    except (RunError, sampler.SamplerError, drawn.DrawingError, OSError) as error:
        st.error(_sentence(str(error)))
    for sentence in view_state.complaints():
        top.warning(sentence)


main()
