"""Inspect: one hidden unit, one pixel or one image of a recorded moment, taken apart."""

from collections.abc import Callable
from typing import Any

import numpy as np
import streamlit as st

from dashboard import components, data, run_images
from dashboard.components import cellmap, mosaic
from dashboard.components.blob import pack
from dashboard.figures import dissection, moment
from dashboard.ui import link, run_choice, snapshot_choice
from dashboard.ui.about import GUIDE, INTRODUCTION, about
from dashboard.ui.charts import chart, choose_format, file_name, is_dark, table_button
from dashboard.ui.texts import sentence
from rbm_core import rbm_numpy
from rbm_core.runs import RunError, RunReader, Snapshot, SnapshotError

LOOKS = {"unit": "A hidden unit", "pixel": "A pixel", "image": "An image"}
LOOK_HELP = (
    "*A hidden unit*: what it looks for and which images switch it on. *A pixel*: which units it is "
    "wired to. "
    "*An image*: which units answer to it, what they add up to, and its energy."
)
IMAGES_SHOWN = 49
EXTREMES = 25
STANDING = 2000
SHORT_SHELF = 256  # up to so many units their tiles leave room in their column for the nearest ones


def main() -> None:
    components.feed_afresh()
    name = run_choice.chosen()
    if name is None:
        st.info("There is no run yet, so nothing to open up. Start one on the Train page.")
        return
    try:
        reader = data.reader(name)
        fields = reader.config()["config"]
        snapshot = snapshot_choice.choose(reader, "inspect-step")
        if snapshot is None:
            st.info("This run has no snapshot yet. Its first one comes within seconds of the start.")
            return
        shape = moment.image_shape(
            len(snapshot.vbias), (reader.config().get("data") or {}).get("image_shape")
        )
        st.caption("Open the machine up: what one of its parts has learnt, and how it came to that.")
        look = choose_look()
        show = {"unit": show_unit, "pixel": show_pixel, "image": show_image}[look]
        with st.container(key="stack-inspect"):
            show(reader, fields, snapshot, shape)
    except RunError as error:
        st.error(f"{sentence(error)} Choose another moment or run in the sidebar.")


# --- what is looked at: the link first, then what this session looked at last ---


def kept(name: str) -> Any:
    last = st.session_state.setdefault("inspect-kept", {})
    if name in st.query_params or name not in last:
        last[name] = link.field(name)
    return last[name]


def keep(name: str, value: Any) -> None:
    st.session_state.setdefault("inspect-kept", {})[name] = value
    link.remember(name, value)


def choose_look() -> str:
    st.session_state["inspect-look"] = kept("look")
    look = st.segmented_control(
        "Open up",
        list(LOOKS),
        key="inspect-look",
        required=True,
        format_func=lambda key: LOOKS[key],
        help=LOOK_HELP,
        on_change=lambda: keep("look", st.session_state["inspect-look"]),
    )
    keep("look", look)
    choose_format()
    return str(look)


def open_from(key: str, name: str, look: str) -> Callable[[], None]:
    """A callback: the reader clicked unit, pixel or image `open` in the component `key`."""

    def clicked() -> None:
        number = st.session_state[key].get("open")
        if isinstance(number, int) and not isinstance(number, bool) and number >= 0:
            keep(name, number)
            keep("look", look)

    return clicked


def number_of(name: str, count: int, chosen_otherwise: Callable[[], int], noun: str) -> int:
    """The number in the link if this run has it, else the one the page chooses; says so if it fell back."""
    value = kept(name)
    if isinstance(value, int) and value < count:
        return value
    number = chosen_otherwise()
    if isinstance(value, int):
        st.warning(
            f"This run has {count:,} {noun}, numbered from 0; there is no number {value:,}, showing {number}."
        )
        keep(name, number)
    return number


# --- a hidden unit ---


def show_unit(reader: RunReader, fields: dict[str, Any], snapshot: Snapshot, shape: tuple[int, int]) -> None:
    H = snapshot.W.shape[1]
    norms = moment.norms(snapshot.W)
    unit = number_of("unit", H, lambda: int(np.argmax(norms)), "hidden units")
    # The unit first, the shelf of all units beside it: in a narrow window the shelf comes last.
    opened, shelf = st.columns([7, 4], gap="large")
    with shelf:
        pick_unit(reader, snapshot, shape, unit)
    with opened:
        unit_head(unit, H, snapshot, norms)
        if kept("unit") == "strongest":
            st.caption(
                f"The unit with the strongest weights of all {H:,}. Pick another among all hidden units."
            )
        unit_history(reader, snapshot, shape, unit)
        about(
            f"unit {unit} and its training",
            "The filter is one column of $W$: the weights through which this hidden unit sees the picture. The "
            "curves follow its length, its bias and how often it is on through every kept moment of training. "
            "Leave the film anywhere, and the whole page moves to that moment.",
            formula=r"p(h_j = 1 \mid v) = \sigma\Bigl(c_j + \sum_i v_i W_{ij}\Bigr), \qquad "
            r"\sigma(x) = \frac{1}{1 + e^{-x}}",
            source=f"{GUIDE}, §§2, 15.",
        )
        unit_answers(reader, fields, snapshot, shape, unit)
    with shelf if H <= SHORT_SHELF else opened:
        unit_neighbours(reader, snapshot, shape, unit, norms)


def unit_answers(
    reader: RunReader, fields: dict[str, Any], snapshot: Snapshot, shape: tuple[int, int], unit: int
) -> None:
    """How probable each class makes the unit, and the images that excite it most and least."""
    st.subheader(f"What unit {unit} answers to", anchor=False)
    pool = run_images.of(reader)
    if pool is None:
        st.info(
            "This machine has neither the run's data nor its probe images, so what the unit answers to is unknown."
        )
        return
    model = dissection.parameters(snapshot)
    logits = rbm_numpy.hidden_logits(
        model, run_images.as_seen(pool.images, fields, reader.probe()), np.array([unit])
    )[:, 0]
    p = rbm_numpy.sigmoid(logits)
    st.caption(f"Among {pool.source}{seen_words(fields)}.")
    chart(
        dissection.activation_by_class(p, pool.labels, unit, is_dark()),
        f"unit-{unit}-by-class",
        f"Histograms of unit {unit}'s probability of being on, one for each class.",
        file_name(reader.name, "step", snapshot.step, "unit", unit, "by-class"),
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        about(
            "these histograms",
            "The unit's probability of being on, for every image, class by class; at the right its mean. Bars are "
            "square roots of the share of the class's images, so that rare answers stay visible. A unit on for one "
            "class and nothing else has specialised; one on for all images alike tells nothing.",
            formula=r"p(h_j = 1 \mid v) = \sigma\bigl(c_j + (vW)_j\bigr)",
            source=f"{GUIDE}, §11.",
        )
        labels = pool.labels if pool.labels is not None else np.full(len(p), -1)
        table_button(
            "Its answers",
            file_name(reader.name, "step", snapshot.step, "unit", unit, "answers"),
            ("image", "class", "p(h=1|v)"),
            lambda: zip(range(len(p)), labels, p, strict=True),
        )
    most, least = dissection.extremes(p, logits, min(EXTREMES, len(p) // 2 or 1))
    for place, which, key, top in zip(
        st.columns(2, gap="medium"), (most, least), ("most", "least"), (True, False), strict=True
    ):
        with place:
            header, arrays = dissection.exciting(pool.images, pool.labels, shape, p, which, top)
            header |= {"name": f"unit-{unit}-{key}", "of": source(reader, snapshot)}
            mount_mosaic(key, header, arrays, open_from(key, "image", "image"))
            about(
                f"the {key} exciting",
                f"The {len(which)} images with the {'highest' if top else 'lowest'} input to this unit; the input "
                "ranks them even where the probability rounds to one or to nought.",
                formula=r"x_j(v) = c_j + (vW)_j",
                source=f"{GUIDE}, §15.",
            )


def unit_neighbours(
    reader: RunReader, snapshot: Snapshot, shape: tuple[int, int], unit: int, norms: np.ndarray
) -> None:
    (header, arrays), cosine = dissection.neighbours(snapshot, shape, unit)
    header |= {"name": f"unit-{unit}-nearest", "of": source(reader, snapshot)}
    mount_mosaic("neighbours", header, arrays, open_from("neighbours", "unit", "unit"))
    with st.container(horizontal=True, vertical_alignment="center"):
        about(
            "the nearest units",
            "Two units whose weights point the same way do one job twice; two that point opposite ways answer to "
            "each other's negative.",
            formula=r"\cos(j, k) = \frac{W_j \cdot W_k}{\lVert W_j\rVert\,\lVert W_k\rVert}",
            source=f"{INTRODUCTION}, §5.",
        )
        table_button(
            "All units",
            file_name(reader.name, "step", snapshot.step, "unit", unit, "neighbours"),
            ("unit", "cosine", "norm", "bias", "mean_activation"),
            lambda: zip(range(len(norms)), cosine, norms, snapshot.hbias, snapshot.mean_hidden, strict=True),
        )


def unit_head(unit: int, H: int, snapshot: Snapshot, norms: np.ndarray) -> None:
    """Which unit, how to get to another, and its four numbers."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.session_state["inspect-unit"] = unit
        st.number_input(
            "Hidden unit",
            0,
            H - 1,
            key="inspect-unit",
            on_change=lambda: keep("unit", int(st.session_state["inspect-unit"])),
            width=160,
            help=f"It switches on when the picture fits its weights. Click a tile, or type 0 to {H - 1}.",
        )
        rank = int((norms > norms[unit]).sum()) + 1
        for label, value, tip in (
            ("Norm", dissection.signed_number(float(norms[unit])), f"‖Wⱼ‖: rank {rank} of {H} by strength."),
            (
                "Bias",
                dissection.signed_number(float(snapshot.hbias[unit])),
                "cⱼ, the logit it starts from on a blank picture.",
            ),
            (
                "On for",
                f"{100 * snapshot.mean_hidden[unit]:.1f} %",
                "Mean of p(h=1|v) over the run's training subset.",
            ),
        ):
            st.metric(label, value, help=tip, width="content")


def pick_unit(reader: RunReader, snapshot: Snapshot, shape: tuple[int, int], unit: int) -> None:
    sort = link.field("sort")
    sort = sort if sort != "change" else "index"
    header, arrays = dissection.unit_mosaic(snapshot, shape, sort, unit)

    def sorted_anew() -> None:
        asked = st.session_state["units"].get("sort")
        if asked in link.FILTER_ORDERS:
            link.remember("sort", asked)

    header |= {"name": "filters", "of": source(reader, snapshot)}
    mount_mosaic("units", header, arrays, open_from("units", "unit", "unit"), on_sort_change=sorted_anew)
    about(
        "the filters",
        "Every hidden unit's weights, one tile each, all on one scale: red pixels switch it on, blue ones off, "
        "and where a tile has the page's own colour, the pixel does not matter. Colours saturate at the value "
        "that 99.5 % of all weights stay below.",
        formula=r"W_{\cdot j} = (W_{1j}, \dots, W_{Vj})",
        source=f"{GUIDE}, §15.",
    )


def unit_history(reader: RunReader, snapshot: Snapshot, shape: tuple[int, int], unit: int) -> None:
    """The filter film: played in the browser; where it is left, the whole page follows."""
    moments = [s for s in all_snapshots(reader) if s.step != snapshot.step and s.W.shape == snapshot.W.shape]
    moments = sorted([*moments, snapshot], key=lambda s: s.step)
    at = next(i for i, s in enumerate(moments) if s.step == snapshot.step)

    def left_at() -> None:
        frame = st.session_state["history"].get("moment")
        if isinstance(frame, int) and 0 <= frame < len(moments):
            newest = frame == len(moments) - 1
            link.remember("step", "live" if newest else moments[frame].step)

    header, arrays = dissection.history(moments, shape, unit, at)
    header |= {"of": source(reader, snapshot)}
    cellmap.mount(
        key="history",
        data=pack(header, arrays),
        on_moment_change=left_at,
        on_open_change=open_from("history", "pixel", "pixel"),
    )


def all_snapshots(reader: RunReader) -> list[Snapshot]:
    """Every kept moment that can be read; a damaged one does not hide the others."""
    found = []
    for step in reader.snapshot_steps():
        try:
            found.append(data.snapshot(reader.name, step))
        except SnapshotError:
            continue
    return found


def mount_mosaic(
    key: str, header: dict[str, Any], arrays: dict[str, np.ndarray], opened: Any, **more: Any
) -> None:
    version = f"{header['of']} {header['title']} {header.get('chosen')} {header.get('sort')} "
    version += str(hash(arrays["tiles"].tobytes()))
    components.feed(
        mosaic.mount,
        key,
        version,
        lambda: pack({**header, "version": version}, arrays),
        on_open_change=opened,
        **more,
    )


def source(reader: RunReader, snapshot: Snapshot) -> dict[str, Any]:
    """What a picture says, once saved, about where it comes from."""
    return {"run": reader.name, "step": snapshot.step, "seed": reader.config()["config"].get("seed")}


def as_seen_words(fields: dict[str, Any]) -> tuple[str, str]:
    """How the machine sees a grey image x: a sentence and its formula."""
    if fields.get("visible") == "gaussian":
        return "The machine sees each pixel less its mean, in its standard deviations.", (
            r"v_i = (x_i - \mu_i) / s_i"
        )
    if fields.get("binarisation") == "none":
        return "The machine sees the grey values themselves, as if they were probabilities.", "v_i = x_i"
    return (
        "Here the machine sees each pixel off or on.",
        r"v_i = 1 \text{ if } x_i > \tfrac12, \text{ else } 0",
    )


def seen_words(fields: dict[str, Any]) -> str:
    if fields.get("visible") == "gaussian":
        return ", standardised as the machine sees them"
    if fields.get("binarisation") == "none":
        return ", grey values as the machine sees them"
    return ", grey pixels cut at one half to be on or off"


# --- a pixel ---


def show_pixel(reader: RunReader, fields: dict[str, Any], snapshot: Snapshot, shape: tuple[int, int]) -> None:
    V = len(snapshot.vbias)
    middle = (shape[0] // 2) * shape[1] + shape[1] // 2
    pixel = number_of("pixel", V, lambda: middle, "pixels")
    pool = run_images.of(reader)
    means = (
        snapshot.particles_v.astype(np.float32).mean(axis=0)
        if pool is None
        else pool.images.mean(axis=0) / 255
    )
    what = "Mean over the fantasy particles." if pool is None else f"Mean grey value over {pool.source}."
    row, column = divmod(pixel, shape[1])
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.session_state["inspect-row"], st.session_state["inspect-column"] = row, column

        def typed() -> None:
            keep(
                "pixel",
                int(st.session_state["inspect-row"]) * shape[1] + int(st.session_state["inspect-column"]),
            )

        for label, top, key in (("Row", shape[0], "inspect-row"), ("Column", shape[1], "inspect-column")):
            st.number_input(
                f"{label}, 0 to {top - 1}", 0, top - 1, key=key, on_change=typed, width=150,
                help="Counted from the top left. Click in the picture below instead, if you like.",
            )  # fmt: skip
        weights = snapshot.W[pixel]
        for label, value, tip in (
            ("Mean in the data", f"{means[pixel]:.2f}", what),
            (
                "Bias",
                dissection.signed_number(float(snapshot.vbias[pixel])),
                "bᵢ: how much the pixel wants to be on before any unit speaks.",
            ),
            (
                "Norm of its weights",
                dissection.signed_number(float(np.linalg.norm(weights))),
                "‖Wᵢ‖: how strongly the hidden units can move it.",
            ),
            (
                "Units for / against",
                f"{int((weights > 0).sum())} / {int((weights < 0).sum())}",
                "How many units push the pixel on, and how many off.",
            ),
        ):
            st.metric(label, value, help=tip, width="content")
    left, middle_place, right = st.columns(3, gap="large")
    with left:
        mount_map("pixels", dissection.pixel_map(means, shape, pixel, what), "pixel", reader, snapshot)
        about(
            "the map of pixels",
            "How bright each pixel is on average in the data. A bias alone, without any weight, would reproduce "
            "exactly this and nothing more.",
            formula=r"\sigma(b_i) = \tfrac{1}{N} \sum_n v_i^{(n)}",
            source=f"{GUIDE}, §8.",
        )
    with middle_place:
        mount_map("incoming", dissection.incoming(snapshot, pixel, shape), "unit", reader, snapshot)
        about(
            "the weights of one pixel",
            "A pixel listens to the hidden units through one row of $W$; each cell is one unit.",
            formula=r"p(v_i = 1 \mid h) = \sigma\Bigl(b_i + \sum_j W_{ij} h_j\Bigr)",
            source=f"{INTRODUCTION}, §4.",
        )
    with right:
        mount_map("kinship", dissection.kinship(snapshot, pixel, shape), "pixel", reader, snapshot)
        about(
            "the pixels wired like it",
            "The cosine between this pixel's row of weights and every other row. No two pixels are joined, so all "
            "that the machine knows about neighbouring pixels lies in these rows.",
            formula=r"\cos(i, k) = \frac{W_{i\cdot} \cdot W_{k\cdot}}{\lVert W_{i\cdot}\rVert\,\lVert "
            r"W_{k\cdot}\rVert}",
            source=f"{INTRODUCTION}, §4.",
        )
    header, arrays = dissection.strongest_at(snapshot, pixel, shape)
    header |= {"name": f"pixel-{pixel}-units", "of": source(reader, snapshot)}
    mount_mosaic("drivers", header, arrays, open_from("drivers", "unit", "unit"))
    with st.container(horizontal=True, vertical_alignment="center"):
        about(
            "the units that drive it",
            "The whole filters of the units with the largest weights at this pixel: where they are red they would "
            "have it on, where blue off. Together with the bias they decide about it.",
            formula=r"b_i + \sum_j W_{ij} h_j",
            source=f"{INTRODUCTION}, §4.",
        )
        table_button(
            "Its weights",
            file_name(reader.name, "step", snapshot.step, "pixel", pixel, "weights"),
            ("unit", "weight", "unit_bias", "unit_mean_activation"),
            lambda: zip(range(len(weights)), weights, snapshot.hbias, snapshot.mean_hidden, strict=True),
        )


def mount_map(key: str, blob: moment.Blob, opens: str, reader: RunReader, snapshot: Snapshot) -> None:
    """A map of cells; a click on one opens its pixel or unit, as `opens` says."""
    header, arrays = blob
    header |= {"of": source(reader, snapshot)}
    cellmap.mount(key=key, data=pack(header, arrays), on_open_change=open_from(key, opens, opens))


# --- an image ---


def show_image(reader: RunReader, fields: dict[str, Any], snapshot: Snapshot, shape: tuple[int, int]) -> None:
    pool = run_images.of(reader)
    if pool is None:
        st.info(
            "This machine has neither the run's data nor its probe images, so there is no image to take "
            "apart."
        )
        return
    probe = reader.probe()
    image = number_of("image", len(pool), lambda: 0, "images")

    def named(what: str) -> str:
        return file_name(reader.name, "step", snapshot.step, "image", image, what)

    left, right = st.columns([4, 7], gap="large")
    with left:
        pick_image(reader, snapshot, pool, shape, image)
    v = run_images.as_seen(pool.images[image : image + 1], fields, probe)[0]
    model = dissection.parameters(snapshot)
    built = rbm_numpy.build_up(model, v)
    with right:
        label = "" if pool.labels is None else f", class {pool.labels[image]}"
        shown, original = (
            run_images.as_shown(built.means, fields, probe),
            run_images.as_shown(v, fields, probe),
        )
        words = f"image {image}{label}{seen_words(fields)}"
        header, arrays = dissection.build_up_film(
            built, shown, original, shape, f"image {image}", words, model.gaussian
        )
        header |= {"name": f"image-{image}-build-up", "of": source(reader, snapshot)}
        cellmap.mount(key="build-up", data=pack(header, arrays))
        squash = r"\Bigl(b + \sum_{j \in \text{first } n} p_j W_j\Bigr)"
        about(
            "how the units add up",
            "Each hidden unit answers to the image with its probability $p_j = p(h_j=1\\mid v)$. Units are added in "
            "the order of $p_j\\lVert W_j\\rVert$, the strongest first; after $n$ of them the picture is",
            formula=squash if model.gaussian else r"\sigma" + squash,
            source=f"{INTRODUCTION}, §4.",
        )
    header, arrays = dissection.answering(snapshot, built, shape)
    header |= {"name": f"image-{image}-units", "of": source(reader, snapshot)}
    mount_mosaic("answering", header, arrays, open_from("answering", "unit", "unit"))
    terms = rbm_numpy.energy_terms(model, v)
    with st.container(horizontal=True, vertical_alignment="center"):
        about(
            "the units that answer",
            "A unit counts as much as it is likely to be on and as its weights are strong.",
            formula=r"p_j \lVert W_j\rVert, \qquad p_j = p(h_j = 1 \mid v)",
            source=f"{INTRODUCTION}, §4.",
        )
        table_button(
            "Units and terms",
            named("units"),
            ("unit", "p(h=1|v)", "push", "softplus_nats"),
            lambda: zip(range(len(built.p)), built.p, built.strength, terms.softplus, strict=True),
        )
    st.subheader("Its energy", anchor=False)
    st.caption(
        "What the picture costs by itself, what the hidden units and their weights give back, and what is left: the "
        "free energy. *Entropy of h* is how undecided the hidden units are; *softplus* is log(1 + eˣ) of a unit's "
        "input x: about x where the unit fits, about nought where it does not."
    )
    left, right = st.columns(2, gap="large")
    with left:
        chart(
            dissection.energy_figure(terms, model.gaussian, is_dark()),
            f"image-{image}-energy",
            f"The terms of the energy; free energy {terms.free_energy:.1f} nats.",
            named("energy"),
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            about_energy(model.gaussian)
            table_button(
                "Energy",
                named("energy"),
                ("term", "nats"),
                lambda: (
                    ("visible", terms.visible),
                    ("hidden", terms.hidden),
                    ("pairs", terms.pairs),
                    ("mean_energy", terms.mean_energy),
                    ("entropy", terms.entropy),
                    ("free_energy", terms.free_energy),
                ),
            )
    with right:
        others = rbm_numpy.free_energies(model, run_images.as_seen(pool.images[:STANDING], fields, probe))
        fantasies = rbm_numpy.free_energies(model, snapshot.particles_v.astype(np.float32))
        chart(
            dissection.standing(terms.free_energy, others, fantasies, is_dark(), pool.source),
            f"image-{image}-standing",
            "Free energies of data and fantasies, and where this image stands among them.",
            named("standing"),
        )
        about(
            "where it stands",
            "Of two images, the one that lies ten nats further left is $e^{10}$ times likelier: $\\log Z$ is the same "
            "for both. Data and the model's own fantasies should overlap.",
            formula=r"\log p(v) = -F(v) - \log Z",
            source=f"{GUIDE}, §6.",
        )
    chart(
        dissection.softplus_figure(terms, is_dark()),
        f"image-{image}-softplus",
        "The softplus term of each hidden unit, the largest first.",
        named("softplus"),
    )
    about(
        "what each unit takes off",
        "The free energy is the visible term less one softplus a unit: a unit that fits the image well makes it "
        "likelier by about its input, one that does not fit changes next to nothing.",
        formula=r"F(v) = \text{visible} - \sum_j \log\bigl(1 + e^{\,c_j + (vW)_j}\bigr)",
        source=f"{INTRODUCTION}, §4.",
    )


def about_energy(gaussian: bool) -> None:
    visible = r"\sum_i \frac{(v_i - b_i)^2}{2\sigma_i^2}" if gaussian else r"-b\cdot v"
    seen = r"(v/\sigma^2)" if gaussian else "v"
    about(
        "the terms of the energy",
        "Averaged over the hidden units as this image sets them, and then the free energy, which counts every "
        "hidden state with its weight: it is lower by how undecided the hidden units are, their entropy $H$.",
        formula=rf"\langle E\rangle_{{p(h\mid v)}} = {visible} - c\cdot p - {seen}^{{\mathsf T}} W p, \qquad "
        r"F(v) = \langle E\rangle - \sum_j H(p_j)",
        source=f"{INTRODUCTION}, §4.",
    )


def pick_image(
    reader: RunReader, snapshot: Snapshot, pool: run_images.Pictures, shape: tuple[int, int], image: int
) -> None:
    """A class, then one of its images."""
    which = np.arange(len(pool))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if pool.labels is not None:
            classes = ["any", *map(str, np.unique(pool.labels))]
            digit = kept("digit") if kept("digit") in classes else "any"
            st.session_state["inspect-class"] = digit

            def chosen() -> None:
                wanted = st.session_state["inspect-class"]
                keep("digit", wanted)
                st.session_state["inspect-page"] = 0
                if wanted != "any":
                    keep("image", int(np.flatnonzero(pool.labels == int(wanted))[0]))

            st.selectbox(
                "Class",
                classes,
                key="inspect-class",
                on_change=chosen,
                width=110,
                help="Only images with this label.",
            )
            keep("digit", digit)
            if digit != "any":
                which = np.flatnonzero(pool.labels == int(digit))
        pages = max(1, -(-len(which) // IMAGES_SHOWN))
        page = st.session_state.setdefault("inspect-page", 0) % pages

        def other() -> None:
            st.session_state["inspect-page"] = (page + 1) % pages

        if pages > 1:
            st.button(
                "Others", icon=":material/refresh:", on_click=other, help="The next images of this class."
            )
    shown = which[page * IMAGES_SHOWN : (page + 1) * IMAGES_SHOWN]
    facts = [] if pool.labels is None else [("class", pool.labels[shown])]
    header, arrays = dissection.image_tiles(
        pool.images[shown],
        shape,
        [("number", shown), *facts],
        "Pick an image",
        f"From {pool.source}.",
    )
    place = np.flatnonzero(shown == image)
    header |= {"opens": True, "chosen": int(place[0]) if len(place) else None}
    header |= {"name": "images", "of": source(reader, snapshot)}
    arrays |= {"units": shown.astype(np.int32)}
    mount_mosaic("images", header, arrays, open_from("images", "image", "image"))
    seen, formula = as_seen_words(reader.config()["config"])
    about(
        "the images to pick from",
        f"Images of the run's own data, in grey as they are stored. {seen}",
        formula=formula,
        source=f"{GUIDE}, §§3, 13.",
    )


main()
