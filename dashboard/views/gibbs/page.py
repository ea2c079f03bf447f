"""The Gibbs page: the chain of a snapshot, half step by half step."""

import hashlib
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from dashboard import components, data
from dashboard.components.blob import pack
from dashboard.figures import animation
from dashboard.figures import chains as pictures
from dashboard.processes import gibbs_films, sampler
from dashboard.ui import drawn, link, run_choice, snapshot_choice
from dashboard.ui.about import about
from dashboard.ui.texts import sentence
from rbm_core.runs import RunError, RunReader, Snapshot

STARTS = {
    "noise": "Noise",
    "gaussian": "Gaussian noise",
    "digits": "Digits",
    "particles": "Particles",
    "drawing": "Drawing",
}
START_HELP = (
    "Where the chains begin. *Noise*: every pixel on or off by a fair coin. *Gaussian noise*: values "
    "drawn from N(0, 1), which are no picture; the first half step alone sees them. *Digits*: test images of the "
    "data. *Particles*: the fantasy particles, the chains that trained the run, where training left them, or those of "
    "another run. *Drawing*: a picture of your own."
)
PICTURED = (
    "digits",
    "particles",
    "drawing",
)  # starts that are pictures: these can be spoilt, and held in part
BESIDE = {"nothing": "nothing", "ages": "earlier moments", "whatif": "what if…"}
PLACE = ("frame", "chain", "show", "layer")  # what of the film the player is left at
PLAYER = "gibbs-player"  # its key in the session's state, which all pages share
RULES = {"sample": "a sample", "mean": "its mean"}

# On a phone all starts stand in one row.
TIGHT = (
    "<style>@media (max-width: 640px) { .st-key-gibbs-start button { padding: 0.25rem 0.42rem; } }</style>"
)

film_player = components.load("film")
pad = components.load("drawing")


@st.cache_resource(show_spinner=False)
def _films() -> gibbs_films.Films:
    return gibbs_films.Films()


# --- settings: the URL first, then what this session used last, then the default ---


def _kept(name: str) -> Any:
    if name in st.query_params:
        return link.field(name)
    return st.session_state.get("gibbs-kept", {}).get(name, link.FIELDS[name].default)


def _begin(name: str) -> str:
    """The widget key of a setting, its value in place before the widget is made."""
    key = f"gibbs-{name}"
    if key not in st.session_state:
        st.session_state[key] = _kept(name)
    return key


def _end(name: str, value: Any) -> Any:
    """The widget's value, written into the URL and kept for when this page is opened again."""
    st.session_state.setdefault("gibbs-kept", {})[name] = value
    link.remember(name, value)
    return value


# --- the machine ---


def _choose_snapshot(reader: RunReader) -> Snapshot | None:
    """The snapshot that runs the chains; None where there is none yet.

    The newest one of a run that is still training stays the one taken: a film must not change under the eye.
    """
    chosen = snapshot_choice.choose(reader, "gibbs")
    kept = st.session_state.pop("gibbs-taken", None)
    if chosen is None or link.field("step") != "live":
        return chosen
    live = _is_live(reader)
    taken = kept[1] if kept and kept[0] == _mark(reader) else chosen
    if not live and taken.step == chosen.step:
        return chosen
    st.session_state["gibbs-taken"] = (_mark(reader), taken)
    _tell_how_old(reader.name, taken.step)
    return taken


def _mark(reader: RunReader) -> tuple[str, int]:
    """Tells this run from one that was made anew under its name."""
    return str(reader.path), (reader.path / "config.json").stat().st_mtime_ns


def _is_live(reader: RunReader) -> bool:
    return reader.status()["state"] in data.LIVE_STATES


@st.fragment(run_every=2.0)
def _tell_how_old(name: str, taken: int) -> None:
    """How far training has gone on since the machine of the film was taken, and the way to the newest."""
    try:
        reader = data.reader(name)
        now = reader.status()["step"] if _is_live(reader) else None
    except (RunError, OSError):
        now = None
    with st.container(horizontal=True, vertical_alignment="center", key="gibbs-age"):
        if now is None:
            st.markdown(f":material/history: These chains run in the machine of step {taken:,}.")
        else:
            st.markdown(
                f":material/model_training: This run is training, now at step {now:,}. "
                f"These chains run in the machine of step {taken:,}."
            )
        if st.button(
            "Take the newest",
            disabled=now == taken,
            help="Runs the same chains in the machine of this moment.",
        ):
            st.session_state.pop("gibbs-taken", None)
            st.rerun(scope="app")


# --- where the chains begin ---


def _choose_start(
    reader: RunReader, n_visible: int, options: list[str], classes: list[int], place: Any
) -> dict[str, Any]:
    """Above the player: the start; in the sidebar: the class of digits, or the run that particles are taken from."""
    key = _begin("start")
    if st.session_state[key] not in options:
        asked, st.session_state[key] = STARTS[st.session_state[key]], options[0]
        place.warning(
            f"This run cannot start from {asked.lower()}; starting from {STARTS[options[0]].lower()}."
        )
    start = place.segmented_control(
        "Start from",
        options,
        required=True,
        key=key,
        format_func=lambda name: STARTS[name],
        help=START_HELP,
        wrap=True,
    )
    _end("start", start)
    if start == "particles":
        return {"start": start, "particles_of": _choose_particles(reader, n_visible, place)}
    if start != "digits" or not classes:
        return {"start": start}
    key = _begin("digit")
    if st.session_state[key] != "any" and int(st.session_state[key]) not in classes:
        st.session_state[key] = "any"
    digit = st.sidebar.selectbox(
        "Class",
        ["any", *map(str, classes)],
        key=key,
        format_func=lambda name: "any" if name == "any" else f"only {name}",
        help="Only pictures with this label, or all of them.",
    )
    return {"start": start, "digit": _end("digit", digit)}


def _choose_particles(reader: RunReader, n_visible: int, place: Any) -> tuple[str, int] | None:
    """Another run with particles of as many pixels, and its newest step; None for this run's own."""
    others: dict[str, int] = {}
    for name in data.run_names():
        if name != reader.name and (step := _last_step(name, n_visible)) is not None:
            others[name] = step
    key = _begin("particles_of")
    if st.session_state[key] not in ("", *others):
        asked, st.session_state[key] = st.session_state[key], ""
        place.warning(f"No run {asked!r} has particles of this size; starting from those of {reader.name}.")
    name = st.sidebar.selectbox(
        "Particles of",
        ["", *others],
        key=key,
        format_func=lambda name: name or "this run",
        help="Whose fantasy particles the chains start from: a machine can go on from where another one was left.",
    )
    _end("particles_of", name)
    return (name, others[name]) if name else None


def _last_step(name: str, n_visible: int) -> int | None:
    """The newest snapshot of a run whose pictures have as many pixels; None where it has none."""
    try:
        other = data.reader(name)
        rows, columns = (other.config().get("data") or {}).get("image_shape") or (1, 0)
        steps = other.snapshot_steps()
    except (RunError, OSError):
        return None
    return steps[-1] if steps and rows * columns == n_visible else None


def _draw(shape: tuple[int, int], bar: Any) -> str:
    """The pad and the upload; returns the drawing's bits as base64."""
    kept = _kept("drawing")
    pad_place, place = bar.container(), bar.container()
    uploaded = bar.file_uploader(
        "Or a picture of yours",
        type="image",
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
        "note": "Draw; the chains start over at the end of each stroke. The drawing is shrunk and centred first, "
        "as MNIST's digits are.",
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
        place.warning(sentence(complaint))
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
    holding = st.session_state[key]
    corrupt = bar.slider(
        "Corrupt, off while holding" if holding else "Corrupt, % of pixels",
        0,
        50,
        key=_begin("corrupt"),
        disabled=holding,
        help="Each pixel of the start is inverted with this probability; watch the chain repair it. "
        "It knows nothing of the clean picture, so after the repair it wanders off to others: *repaired* is "
        "counted against the picture you started from, and a fine other digit counts as damage.",
    )
    _end("corrupt", corrupt)
    hold = bar.toggle(
        "Hold some pixels (clamp)",
        key=key,
        help="Inpainting: the pixels you paint keep their value (the clamped units), the others begin as noise "
        "and are drawn by the chain, which completes the picture.",
    )
    if not hold:
        _end("held", "")
        return {"corrupt": corrupt}
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
    """The pad that paints held pixels over the chosen chain's picture, one of clean (B, V)."""
    bits = drawn.bits_from_text(held, shape[0] * shape[1])
    chain = (_kept("chain") - 1) % len(clean)
    kept = f"{int(bits.sum())} of {len(bits)} keep their value, tinted here over the picture of chain {chain + 1}."
    header = {
        "mode": "hold",
        "rows": shape[0],
        "columns": shape[1],
        "title": "Held pixels",
        "note": kept if bits.any() else "None is held: the chains start from the whole picture.",
        "version": f"{shape}",
    }
    with place:
        pad(
            key="gibbs-hold-pad",
            data=pack(header, {"marks": bits.astype(np.uint8) * 255, "under": clean[chain]}),
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
        "Compare with",
        list(BESIDE),
        required=True,
        key=key,
        format_func=lambda name: BESIDE[name],
        help="*Earlier moments*: the same start and the same random numbers in the machines of earlier moments of "
        "training, a film of learning. *What if…*: the same chains a second time, but from some sweep on at "
        "another temperature, with other random numbers or in another machine.",
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
        help="Until this sweep both are the same; *fork here* in the player sets it.",
    )
    temperature = bar.number_input(
        "at temperature",
        0.05,
        20.0,
        step=0.1,
        format="%.2f",
        key=_begin("if_temperature"),
        help="The temperature of the other chains from then on, 0.05 to 20.",
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


def _said() -> dict[str, Any]:
    """What the player last said; nothing where it went away before it was heard."""
    return st.session_state.get(PLAYER) or {}


def _fork_here() -> None:
    """The player's button: fork the chains at the sweep it shows."""
    sweep = _said().get("fork")
    if isinstance(sweep, int) and 0 <= sweep < sampler.MAX_SWEEPS:
        for name, value in (("beside", "whatif"), ("fork", sweep)):
            st.session_state[f"gibbs-{name}"] = value
            _end(name, value)
        st.session_state["gibbs-page-anew"] = True


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
        help=f"Independent chains that run side by side, each from its own start: 1 to {sampler.MAX_CHAINS}.",
    )
    n_sweeps = right.number_input(
        "Sweeps",
        1,
        sampler.MAX_SWEEPS,
        step=50,
        key=_begin("sweeps"),
        help=f"A sweep is two half steps: v → h → v; 1 to {sampler.MAX_SWEEPS:,} of them. Look past the number used "
        "in training: a good machine goes on drawing digits.",
    )
    temperature = bar.number_input(
        "Temperature (0.05 to 20)",
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
        "from temperature",
        0.05,
        20.0,
        step=0.5,
        format="%.2f",
        key="gibbs-hot",
        help="Where cooling begins, 0.05 to 20.",
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


# --- what the pictures are ---

GUIDE = "Hinton, *A Practical Guide to Training Restricted Boltzmann Machines* (2010)"
FISCHER_IGEL = "Fischer and Igel, *Training restricted Boltzmann machines* (2014)"


def _about_pictures(header: dict[str, Any]) -> None:
    """One quiet button a picture of the player, in the order they stand in."""
    gaussian = header["visible"] == "gaussian"
    pixels = (
        r"v_i \mid h \sim \mathcal N\Big(b_i + \textstyle\sum_j W_{ij} h_j,\; T\sigma_i^2\Big)"
        if gaussian
        else r"p(v_i{=}1 \mid h) = \sigma\Big(\tfrac1T\big(b_i + \textstyle\sum_j W_{ij} h_j\big)\Big)"
    )
    seen = r"\textstyle\sum_i (v_i/\sigma_i^2)\, W_{ij}" if gaussian else r"\textstyle\sum_i v_i W_{ij}"
    energy = (
        r"\textstyle\sum_i (v_i - b_i)^2 / 2\sigma_i^2 - "
        r"\sum_j \log\Big(1 + e^{c_j + \sum_i (v_i/\sigma_i^2) W_{ij}}\Big)"
        if gaussian
        else r"-b\cdot v - \textstyle\sum_j \log\big(1 + e^{c_j + (vW)_j}\big)"
    )
    greys = (
        " Pixels are real numbers here: the machine sees each one standardised, and what you see is the data's own "
        "grey, 0 black to 1 white in every frame."
        if gaussian
        else ""
    )
    with st.container(horizontal=True, gap="small"):
        about(
            "the chain",
            "No unit is wired to another of its own layer, so a whole layer can be drawn at once when the other is "
            "known. One **sweep** is two **half steps**: every hidden unit looks at the picture and is switched on "
            "with its probability, then every pixel looks at the hidden units. $T$ is the temperature. States come "
            f"from the engine; the probabilities are worked out in the browser from the very same weights.{greys}",
            formula=rf"p(h_j{{=}}1 \mid v) = \sigma\Big(\tfrac1T\big(c_j + {seen}\big)\Big), \qquad {pixels}",
            source=f"{GUIDE}, §§2–3; {FISCHER_IGEL}, §4.",
        )
        about(
            "the free energy",
            "How likely the machine finds a picture, whatever the hidden units do: ten nats lower is $e^{10}$ times "
            "likelier. The empty picture can lie lower than any digit and still hardly ever be drawn: it is one "
            "single picture, and of digits there are ever so many. A chain that has forgotten its start moves among "
            "the free energies of real pictures (the band: the middle 90 % of the run's probe images) and keeps "
            "moving. One line a chain, the chosen one in colour; click a line or a cell to choose another.",
            formula=rf"F(v) = {energy}, \qquad \log p(v) = -F(v) - \log Z",
            source=f"{GUIDE}, §6.",
        )
        about(
            "the distances",
            "How many pixels differ, counted on pixels cut at one half. From the start: how far a chain has moved, "
            "or how much of a spoilt picture is repaired. From the nearest training image: a machine that had learnt "
            "its data by heart would come down to 0 here; one that draws digits of its own stays as far off as "
            "one person's digit is from another's.",
            formula=r"d(v, x) = \sum_i \big|\,[v_i > \tfrac12] - [x_i > \tfrac12]\,\big|, \qquad "
            r"d_{\text{near}}(v) = \min_{n} d(v, x^{(n)})",
            source="Hamming, *Error detecting and error correcting codes* (1950).",
        )
        if header["map"] or header["map_pending"]:
            about(
                "the map",
                "Training images, each written as its digit, where their hidden probabilities fall in the plane of "
                "their first two principal components, and the chains among them: a machine that mixes well sends "
                "its chains from class to class. Two dimensions hold only a part of the variance, so neighbours on "
                "the map need not be neighbours.",
                formula=r"z(v) = A^{\mathsf T}\big(p(h \mid v) - \overline{p(h \mid x)}\big), \qquad A = "
                r"\text{the first two principal axes of } p(h \mid x^{(n)})",
                source="Pearson, *On lines and planes of closest fit* (1901); fitted by scikit-learn's `PCA`.",
            )


# --- take away ---

LAYERS_TAKEN: tuple[pictures.Layer, ...] = ("pv", "v")

FORMATS: dict[animation.Format, str] = {
    "gif": "GIF: plays everywhere",
    "webp": "WebP: every pixel exact, for browsers and slides",
}


def _take_away(shown: gibbs_films.Shown, place: dict[str, Any]) -> None:
    """Films of all chains or of the chosen one, and the sheet of all chains at the frame shown."""
    film = pictures.Chains(shown.header, shown.arrays)
    of, many = shown.header["of"], shown.header["n_chains"] > 1
    means = f"{'means' if shown.header['visible'] == 'gaussian' else 'probabilities'} {film.mean_pixels}"
    with st.popover("Take away", icon=":material/download:", type="tertiary"):
        what = {"all": "all chains", "one": f"chain {place['chain']}, both half steps"}
        taken = st.segmented_control(
            "Film of",
            list(what),
            default="all" if many else "one",
            required=True,
            format_func=lambda name: what[name],
            key="gibbs-take-film",
            help="All chains side by side, a frame a sweep; or v, p(h|v), h and "
            f"{film.mean_pixels} of the chosen chain, a frame a half step. A film has at most "
            f"{pictures.MOST_FRAMES} frames: of a longer chain only every second sweep, or fewer.",
        )
        layer = st.segmented_control(
            "Pixels",
            LAYERS_TAKEN,
            default="pv",
            required=True,
            format_func=lambda name: means if name == "pv" else "samples v",
            key="gibbs-take-layer",
            help="What the cells of all chains show: what each pixel's coin was weighted with, or how it fell.",
        )
        chain = None if taken == "all" else place["chain"] - 1
        name = f"{of['run']}-step-{of['step']}-seed-{of['seed']}"
        which = "chains" if chain is None else f"chain-{place['chain']}"
        with st.container(horizontal=True):
            for kind, words in FORMATS.items():
                st.download_button(
                    f"Film, {words.partition(':')[0]}",
                    partial(pictures.film, film, chain=chain, layer=layer, format=kind),
                    file_name=f"{name}-{which}.{kind}",
                    mime=f"image/{kind}",
                    on_click="ignore",
                    key=f"gibbs-take-{kind}",
                    help=f"{words}. Run, step, seed and sweep stand beneath every frame; it takes some seconds.",
                )
            sweep = place["frame"] // 2
            st.download_button(
                f"Sheet of sweep {sweep}, PNG",
                partial(pictures.sheet, film, sweep, layer),
                file_name=f"{name}-sweep-{sweep}.png",
                mime="image/png",
                on_click="ignore",
                key="gibbs-take-sheet",
                help="All chains after the sweep at which the player stands, with run, step and seed beneath.",
            )
        st.caption(
            "The address of this page is a link to this very view: run, step, seed, settings and frame."
        )


# --- the page ---


def _left_at() -> None:
    """The player says where it was left: for the link, and for when this page is opened again."""
    left = _said().get("place") or {}
    if "held" in st.query_params and left.get("chain", _kept("chain")) != _kept("chain"):
        st.session_state["gibbs-page-anew"] = True  # held pixels are painted over the chosen chain's picture
    for name in PLACE:
        if name in left:
            _end(name, left[name])


def _check_place(header: dict[str, Any], top: Any) -> None:
    """Keeps frame and chain within this film; says so where the link named others."""
    for name, low, high in (("frame", 0, 2 * header["n_sweeps"]), ("chain", 1, header["n_chains"])):
        if (asked := _kept(name)) > high:
            if not st.session_state.get("gibbs-opened"):
                top.warning(
                    f"The link says {name} {asked:,}, but this film has {low} to {high:,}; showing {high:,}."
                )
            _end(name, high)
    st.session_state["gibbs-opened"] = True


def _page(reader: RunReader, top: Any) -> None:
    sampler.SHARED.wake()
    with top:
        st.caption(
            "Watch the machine make pictures: its pixels and its hidden units are drawn from one another, again and "
            "again."
        )
        snapshot = _choose_snapshot(reader)
    if snapshot is None:
        st.info(
            "This run has no snapshot yet; its first one comes within seconds of the start. Then press R."
        )
        return
    st.html(TIGHT)
    row = top.container(horizontal=True, vertical_alignment="bottom")
    beside_place = st.sidebar.container()
    probe = reader.probe()
    classes = [] if probe is None or probe.labels is None else sorted({int(k) for k in probe.labels})
    particles = len(snapshot.particles_v) > 0
    shape = gibbs_films.image_shape(reader, snapshot)
    starts = [s for s in STARTS if s != "particles" or particles]
    chosen = _choose_start(reader, len(snapshot.vbias), starts, classes, row)
    if chosen["start"] == "drawing":
        # A narrow window has its sidebar shut: there the pad stands above the player.
        slim = st.session_state.get("gibbs-slim", False)
        chosen["drawing"] = _draw(shape, top.container() if slim else st.sidebar)
    if chosen["start"] in PICTURED and chosen.get("drawing") != "":  # an empty picture cannot be spoilt
        chosen |= _spoil(shape)
    hold_place = st.sidebar.container()
    chosen |= _chain_settings()
    settings = gibbs_films.ChainSettings(
        **chosen, **_choose_beside(reader, chosen["sweeps"], row, beside_place)
    )
    waiting = st.empty()
    key = (*_mark(reader), snapshot.step, settings)

    def film(on_progress: sampler.Progress, with_map: bool, with_nearest: bool) -> gibbs_films.Shown:
        return gibbs_films.make_film(
            reader,
            snapshot,
            settings,
            lambda step: data.snapshot(reader.name, step),
            on_progress,
            other=data.reader(settings.particles_of[0]) if settings.particles_of else None,
            with_map=with_map,
            with_nearest=with_nearest,
        )

    # The chains first; what takes seconds, the nearest training images and the first map, comes when the player
    # has shown them and asks for the rest.
    early = sampler.SHARED.maps_are_quick
    shown = _films().find((key, "whole")) or _films().get(
        (key, early),
        lambda: film(_show_progress(waiting, "The sampler is waking up: a few seconds, once."), early, False),
    )
    waiting.empty()
    if settings.held:
        _hold_pad(hold_place, shape, settings.held, shown.arrays["clean"])
    _check_place(shown.header, top)
    st.session_state["gibbs-afresh"] = True
    _player(key, shown, lambda listen: _films().get((key, "whole"), lambda: film(listen, True, True)))


@st.fragment
def _player(
    key: tuple, shown: gibbs_films.Shown, make_whole: Callable[[sampler.Progress], gibbs_films.Shown]
) -> None:
    """The player and what belongs to it; what it says concerns this part of the page alone."""
    if st.session_state.pop("gibbs-page-anew", False):
        st.rerun()
    alone = not st.session_state.pop("gibbs-afresh", False)  # run by itself, not with the page
    whole = _films().find((key, "whole"))
    shown = whole or shown
    version, place = shown.header["version"], {name: _kept(name) for name in PLACE}
    asked = alone and st.session_state.get("gibbs-rest") == version
    # A number, since the player hears only what differs from what it heard last.
    ask = time.monotonic_ns() * (
        whole is None and not asked and st.session_state.get("gibbs-no-rest") != version
    )
    components.feed(
        film_player,
        PLAYER,
        version,
        partial(shown.blob, place=place, ask=ask, slim=st.session_state.get("gibbs-slim", False)),
        {"ask": ask},
        on_fork_change=_fork_here,
        on_place_change=_left_at,
        on_rest_change=_rest_asked,
        on_slim_change=_window_changed,
    )
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        _about_pictures(shown.header)
        _take_away(shown, place)
    if whole is None and asked:
        waiting = st.empty()

        def listen(done: int, total: int) -> None:
            waiting.empty()  # whatever is sent to the page lets a control that moved break in

        try:
            make_whole(listen)
        except sampler.SamplerError as error:
            st.session_state["gibbs-no-rest"] = version
            waiting.warning(f"Neither map nor nearest training images: {sentence(error)}")
            return
        st.rerun(scope="fragment")


def _rest_asked() -> None:
    """The player shows the film of this version: now there is time for its map and its nearest training images."""
    if asked := _said().get("rest"):
        st.session_state["gibbs-rest"] = asked


def _window_changed() -> None:
    """The player says whether the window is so narrow that the sidebar is shut at first."""
    st.session_state["gibbs-slim"] = bool(_said().get("slim"))
    st.session_state["gibbs-page-anew"] = st.session_state.get("gibbs-start") == "drawing"


def main() -> None:
    name = run_choice.chosen()
    if name is None:
        st.info("There is no run yet, so no machine to run a chain in. Start one on the Train page.")
        return
    top = st.container()
    try:
        _page(data.reader(name), top)
    except (RunError, sampler.SamplerError, drawn.DrawingError) as error:
        st.error(sentence(error))
    except OSError as error:
        st.error(f"The files of {name} can no longer be read ({error.strerror}); choose another run.")


main()
