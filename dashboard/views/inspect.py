"""Inspect: one hidden unit, one pixel or one image of a recorded moment, taken apart."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import streamlit as st

from dashboard import components, data, images, snapshot_choice, view_state
from dashboard.charts import chart, choose_format, is_dark, table_button
from dashboard.components import cellmap, mosaic
from dashboard.components.blob import pack
from dashboard.figures import dissection, moment
from dashboard.words import sentence
from rbm_core import closed_form
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


def main() -> None:
    components.feed_afresh()
    name = st.session_state.get("run")
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
        look = choose_look()
        if look == "unit":
            show_unit(reader, fields, snapshot, shape)
        elif look == "pixel":
            show_pixel(reader, fields, snapshot, shape)
        else:
            show_image(reader, fields, snapshot, shape)
    except RunError as error:
        st.error(f"{sentence(error)} Choose another moment or run in the sidebar.")


# --- what is looked at: the link first, then what this session looked at last ---


def kept(name: str) -> Any:
    last = st.session_state.setdefault("inspect-kept", {})
    if name in st.query_params or name not in last:
        last[name] = view_state.field(name)
    return last[name]


def keep(name: str, value: Any) -> None:
    st.session_state.setdefault("inspect-kept", {})[name] = value
    view_state.remember(name, value)


def choose_look() -> str:
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    st.session_state["inspect-look"] = kept("look")
    look = left.segmented_control(
        "Open up",
        list(LOOKS),
        key="inspect-look",
        required=True,
        format_func=lambda key: LOOKS[key],
        help=LOOK_HELP,
        on_change=lambda: keep("look", st.session_state["inspect-look"]),
    )
    keep("look", look)
    with right.container(horizontal=True, horizontal_alignment="right"):
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
    left, right = st.columns([4, 7], gap="large")
    with right:
        unit_head(unit, H, snapshot, norms)
        unit_history(reader, snapshot, shape, unit)
    with left:
        pick_unit(snapshot, shape, unit)
    pool = images.of(reader)
    if pool is None:
        st.info(
            "This machine has neither the run's data nor its probe images, so what the unit answers to "
            "is unknown."
        )
        return
    model = dissection.parameters(snapshot)
    logits = closed_form.hidden_logits(
        model, images.as_seen(pool.images, fields, reader.probe()), np.array([unit])
    )[:, 0]
    p = closed_form.sigmoid(logits)
    most, least = dissection.extremes(p, logits, min(EXTREMES, len(p) // 2 or 1))
    st.subheader(f"What unit {unit} answers to", anchor=False)
    st.caption(f"Among {pool.source}{seen_words(fields)}.")
    left, middle, right = st.columns([5, 4, 4], gap="medium")
    with left:
        chart(
            dissection.activation_by_class(p, pool.labels, unit, is_dark()),
            f"unit-{unit}-by-class",
            f"Histograms of unit {unit}'s probability of being on, one for each class.",
        )
    for place, which, key, top in ((middle, most, "most", True), (right, least, "least", False)):
        with place:
            header, arrays = dissection.exciting(pool.images, pool.labels, shape, p, which, top)
            mount_mosaic(key, header, arrays, open_from(key, "image", "image"))
    (header, arrays), cosine = dissection.neighbours(snapshot, shape, unit)
    mount_mosaic("neighbours", header, arrays, open_from("neighbours", "unit", "unit"))
    about_unit()
    with st.container(horizontal=True):
        pixels = [divmod(i, shape[1]) for i in range(len(snapshot.vbias))]
        table_button(
            "The filter",
            f"unit-{unit}-filter",
            ("row", "column", "weight"),
            lambda: ((r, c, w) for (r, c), w in zip(pixels, snapshot.W[:, unit], strict=True)),
        )
        labels = pool.labels if pool.labels is not None else np.full(len(p), -1)
        table_button(
            "Its answers",
            f"unit-{unit}-answers",
            ("image", "class", "p(h=1|v)"),
            lambda: zip(range(len(p)), labels, p, strict=True),
        )
        table_button(
            "Its neighbours",
            f"unit-{unit}-neighbours",
            ("unit", "cosine", "norm", "bias", "mean_activation"),
            lambda: zip(range(H), cosine, norms, snapshot.hbias, snapshot.mean_hidden, strict=True),
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


def pick_unit(snapshot: Snapshot, shape: tuple[int, int], unit: int) -> None:
    sort = view_state.field("sort")
    sort = sort if sort != "change" else "index"
    header, arrays = dissection.unit_mosaic(snapshot, shape, sort, unit)

    def sorted_anew() -> None:
        asked = st.session_state["units"].get("sort")
        if asked in view_state.FILTER_ORDERS:
            view_state.remember("sort", asked)

    mount_mosaic("units", header, arrays, open_from("units", "unit", "unit"), on_sort_change=sorted_anew)


def unit_history(reader: RunReader, snapshot: Snapshot, shape: tuple[int, int], unit: int) -> None:
    """The filter film: played in the browser; where it is left, the whole page follows."""
    moments = [s for s in all_snapshots(reader) if s.step != snapshot.step and s.W.shape == snapshot.W.shape]
    moments = sorted([*moments, snapshot], key=lambda s: s.step)
    at = next(i for i, s in enumerate(moments) if s.step == snapshot.step)

    def left_at() -> None:
        frame = st.session_state["history"].get("moment")
        if isinstance(frame, int) and 0 <= frame < len(moments):
            newest = frame == len(moments) - 1
            view_state.remember("step", "live" if newest else moments[frame].step)

    header, arrays = dissection.history(moments, shape, unit, at)
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
    run, step = st.session_state.run, st.query_params.get("step", "live")
    version = f"{run} {step} {header['title']} {header.get('chosen')} {header.get('sort')} "
    f"{hash(arrays['tiles'].tobytes())}"
    components.feed(
        mosaic.mount,
        key,
        version,
        lambda: pack({**header, "version": version}, arrays),
        on_open_change=opened,
        **more,
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
    pool = images.of(reader)
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
    for place, key, (header, arrays), opened in (
        (
            left,
            "pixels",
            dissection.pixel_map(means, shape, pixel, what),
            open_from("pixels", "pixel", "pixel"),
        ),
        (
            middle_place,
            "incoming",
            dissection.incoming(snapshot, pixel, shape),
            open_from("incoming", "unit", "unit"),
        ),
        (
            right,
            "kinship",
            dissection.kinship(snapshot, pixel, shape),
            open_from("kinship", "pixel", "pixel"),
        ),
    ):
        with place:
            cellmap.mount(key=key, data=pack(header, arrays), on_open_change=opened)
    header, arrays = dissection.strongest_at(snapshot, pixel, shape)
    mount_mosaic("drivers", header, arrays, open_from("drivers", "unit", "unit"))
    about_pixel()
    table_button(
        "Its weights",
        f"pixel-{pixel}-weights",
        ("unit", "weight", "unit_bias", "unit_mean_activation"),
        lambda: zip(range(len(weights)), weights, snapshot.hbias, snapshot.mean_hidden, strict=True),
    )


# --- an image ---


def show_image(reader: RunReader, fields: dict[str, Any], snapshot: Snapshot, shape: tuple[int, int]) -> None:
    pool = images.of(reader)
    if pool is None:
        st.info(
            "This machine has neither the run's data nor its probe images, so there is no image to take "
            "apart."
        )
        return
    probe = reader.probe()
    image = number_of("image", len(pool), lambda: 0, "images")
    left, right = st.columns([4, 7], gap="large")
    with left:
        pick_image(pool, shape, image)
    v = images.as_seen(pool.images[image : image + 1], fields, probe)[0]
    model = dissection.parameters(snapshot)
    built = closed_form.build_up(model, v)
    with right:
        label = "" if pool.labels is None else f", class {pool.labels[image]}"
        shown, original = images.as_shown(built.means, fields, probe), images.as_shown(v, fields, probe)
        words = f"image {image}{label}{seen_words(fields)}"
        header, arrays = dissection.build_up_film(
            built, shown, original, shape, f"image {image}", words, model.gaussian
        )
        cellmap.mount(key="build-up", data=pack(header, arrays))
    header, arrays = dissection.answering(snapshot, built, shape)
    mount_mosaic("answering", header, arrays, open_from("answering", "unit", "unit"))
    terms = closed_form.energy_terms(model, v)
    st.subheader("Its energy", anchor=False)
    left, right = st.columns(2, gap="large")
    with left:
        chart(
            dissection.energy_figure(terms, model.gaussian, is_dark()),
            f"image-{image}-energy",
            f"The terms of the energy; free energy {terms.free_energy:.1f} nats.",
        )
    with right:
        others = closed_form.free_energies(model, images.as_seen(pool.images[:STANDING], fields, probe))
        fantasies = closed_form.free_energies(model, snapshot.particles_v.astype(np.float32))
        chart(
            dissection.standing(terms.free_energy, others, fantasies, is_dark(), pool.source),
            f"image-{image}-standing",
            "Free energies of data and fantasies, and where this image stands among them.",
        )
    chart(
        dissection.softplus_figure(terms, is_dark()),
        f"image-{image}-softplus",
        "The softplus term of each hidden unit, the largest first.",
    )
    about_image()
    with st.container(horizontal=True):
        table_button(
            "Units and terms",
            f"image-{image}-units",
            ("unit", "p(h=1|v)", "push", "softplus_nats"),
            lambda: zip(range(len(built.p)), built.p, built.strength, terms.softplus, strict=True),
        )
        table_button(
            "Energy",
            f"image-{image}-energy",
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


def pick_image(pool: images.Pictures, shape: tuple[int, int], image: int) -> None:
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
        f"From {pool.source}. Click one to take it apart.",
    )
    place = np.flatnonzero(shown == image)
    header |= {"opens": True, "chosen": int(place[0]) if len(place) else None}
    arrays |= {"units": shown.astype(np.int32)}
    mount_mosaic("images", header, arrays, open_from("images", "image", "image"))


# --- the mathematics beside the pictures ---


def about(formulas: Sequence[tuple[str, str]], source: str) -> None:
    with st.expander("About these pictures", icon=":material/info:"):
        for words, formula in formulas:
            st.markdown(words)
            if formula:
                st.latex(formula)
        st.caption(source)


SOURCE = (
    "Sources: Hinton, *A Practical Guide to Training Restricted Boltzmann Machines* (2010), §§2, 13, 15; "
    "Fischer and Igel, *Training restricted Boltzmann machines* (2014), §4."
)


def about_unit() -> None:
    about(
        (
            (
                "**Filter.** Hidden unit $j$ sees the picture through one column of $W$. It is on with "
                "probability",
                r"p(h_j = 1 \mid v) = \sigma\Bigl(c_j + \sum_i v_i W_{ij}\Bigr), \qquad \sigma(x) = "
                r"\frac{1}{1 + e^{-x}}",
            ),
            (
                "**What it answers to.** That probability for every image; a row's bars are the square "
                "roots of the "
                "share of the class's images, so that rare answers stay visible. A unit on for half of "
                "one class and "
                "nothing else has specialised; one on for all images alike tells nothing.",
                "",
            ),
            (
                "**Nearest units.** Two units that point the same way do one job twice:",
                r"\cos(j, k) = \frac{W_j \cdot W_k}{\lVert W_j\rVert\,\lVert W_k\rVert}",
            ),
            (
                "**Its training.** Norm, bias and mean activation at every kept snapshot; leave the "
                "film anywhere "
                "and the whole page moves to that moment.",
                "",
            ),
        ),
        SOURCE,
    )


def about_pixel() -> None:
    about(
        (
            (
                "**Weights.** Pixel $i$ listens to the hidden units through one row of $W$:",
                r"p(v_i = 1 \mid h) = \sigma\Bigl(b_i + \sum_j W_{ij} h_j\Bigr)",
            ),
            (
                "**Wired like it.** The cosine between row $i$ and every other row. No unit of the "
                "visible layer is "
                "wired to another, so all that the machine knows about neighbouring pixels lies in "
                "these rows.",
                r"\cos(i, k) = \frac{W_{i\cdot} \cdot W_{k\cdot}}{\lVert W_{i\cdot}\rVert\,\lVert "
                r"W_{k\cdot}\rVert}",
            ),
        ),
        SOURCE,
    )


def about_image() -> None:
    about(
        (
            (
                "**Adding up.** With $p_j = p(h_j=1\\mid v)$, units are added in the order of "
                "$p_j\\lVert W_j\\rVert$; after $n$ of them the picture is",
                r"\sigma\Bigl(b + \sum_{j \in \text{first } n} p_j W_j\Bigr)",
            ),
            (
                "**Energy.** Averaged over the hidden units as this image sets them, and then the free "
                "energy, which "
                "counts every hidden state with its weight:",
                r"\langle E\rangle_{p(h\mid v)} = -b\cdot v - c\cdot p - v^{\mathsf T} W p, \qquad "
                r"F(v) = \langle E\rangle - \sum_j H(p_j) = -b\cdot v - \sum_j \log\bigl(1 + e^{\,c_j + "
                r"(vW)_j}\bigr)",
            ),
            (
                "**Where it stands.** $\\log p(v) = -F(v) - \\log Z$: of two images, the one that lies "
                "ten nats further "
                "left is $e^{10}$ times likelier. Data and fantasies should overlap.",
                "",
            ),
        ),
        SOURCE,
    )


main()
