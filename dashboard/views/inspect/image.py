"""The view of one image or drawing: the units that it switches on, the picture that these make, and its energy."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import streamlit as st

from dashboard import data
from dashboard.figures.dissection import image as figures
from dashboard.figures.dissection.parts import image_tiles
from dashboard.figures.numbers import minus
from dashboard.ui import run_choice
from dashboard.ui.about import about
from dashboard.ui.charts import chart, is_dark, table_button
from dashboard.ui.page_state import state_of
from dashboard.ui.texts import plain
from dashboard.views.inspect import texts
from dashboard.views.inspect.opened import Opened, choose, mount_map, mount_mosaic, number_of
from dashboard.views.inspect.state import Inspect
from rbm_core import rbm_numpy
from rbm_core.rbm_numpy import BuildUp, EnergyTerms

CLASS = "inspect.class"
IMAGES_SHOWN = 49
STANDING = 2000  # images whose free energies are shown beside this one's
WHAT_IT_COSTS = (
    "What the picture costs by itself, what the hidden units and their weights give back, and what is left: the "
    "free energy. *Entropy of h* is how undecided the hidden units are; *softplus* is log(1 + eˣ) of a unit's "
    "input x: about x where the unit fits, about nought where it does not."
)


@dataclass(frozen=True, eq=False)
class Subject:
    """What is taken apart: v (V,), a state of the visible units; its name in words and in files' names."""

    v: np.ndarray
    name: str
    words: str
    file: tuple[object, ...]

    @property
    def key(self) -> str:
        return "-".join(map(str, self.file))


def show(opened: Opened) -> None:
    pool = opened.pool
    if pool is None:
        st.info(
            "This machine has neither the run's data nor its probe images, so there is no image to take "
            "apart."
        )
        return
    image = number_of("image", len(pool), lambda: 0, "images")
    label = "" if pool.labels is None else f", class {pool.labels[image]}"
    v = opened.seen(pool.grey[image : image + 1])[0]
    words = f"image {image}{label}{texts.seen_as(opened.fields)}"
    subject = Subject(v, f"image {image}", words, ("image", image))
    left, right = st.columns([4, 7], gap="large")
    with left:
        pick(opened, pool, image)
    take_apart(opened, subject, right)


def take_apart(opened: Opened, subject: Subject, place: Any) -> None:
    """How its units add up, in `place`; below, which units answer, and its energy."""
    if opened.snapshot.n_labels:
        opened = named(opened, subject, place)
    built = rbm_numpy.build_up(opened.model, subject.v)
    terms = rbm_numpy.energy_terms(opened.model, subject.v)
    with place:
        build_up(opened, subject, built)
    answering(opened, subject, built, terms)
    energy(opened, subject, terms)


def named(opened: Opened, subject: Subject, place: Any) -> Opened:
    """Says how the label units name it; returns the moment with the model of pixels given the most probable label."""
    p = np.exp(rbm_numpy.log_p_label(opened.model, subject.v[None])[0])
    names = opened.reader.class_names() or tuple(map(str, range(len(p))))
    best = np.argsort(-p)[:3]
    likely = ", ".join(f"**{plain(names[k])}** {100 * p[k]:.1f} %" for k in best)
    place.markdown(
        f"The label units take {plain(subject.name)} for {likely}. Below, the label {plain(names[best[0]])} is held.",
        help="p(y | v) of the three most probable labels. With a label held, each hidden unit's bias is cⱼ + U_yj.",
    )
    return replace(opened, given=int(best[0]))


def pick(opened: Opened, pool: data.Images, image: int) -> None:
    """A class, then one of its images."""
    which = np.arange(len(pool))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if pool.labels is not None:
            digit = pick_class(pool.labels)
            if digit != "any":
                which = np.flatnonzero(pool.labels == int(digit))
        pages = max(1, -(-len(which) // IMAGES_SHOWN))
        page = state_of(Inspect).images_page % pages

        def turn() -> None:
            state_of(Inspect).images_page = (page + 1) % pages

        if pages > 1:
            st.button(
                "Others",
                icon=":material/refresh:",
                on_click=turn,
                help=run_choice.said("The next images of this class."),
            )
    shown = which[page * IMAGES_SHOWN : (page + 1) * IMAGES_SHOWN]
    facts = [] if pool.labels is None else [("class", pool.labels[shown])]
    header, arrays = image_tiles(
        pool.grey[shown],
        opened.shape,
        [("number", shown), *facts],
        "Pick an image",
        f"From {pool.source}.",
    )
    place = np.flatnonzero(shown == image)
    header |= {"opens": True, "chosen": int(place[0]) if len(place) else None}
    arrays |= {"units": shown.astype(np.int32)}
    mount_mosaic(opened, "images", (header, arrays), "images", "image")
    about("the images to pick from", **texts.images(opened.fields))


def pick_class(labels: np.ndarray) -> str:
    """The class whose images are offered, or "any"."""
    state = state_of(Inspect)
    classes = ["any", *map(str, np.unique(labels))]
    digit = state.settings.value("digit")
    st.session_state[CLASS] = digit if digit in classes else "any"

    def chosen() -> None:
        wanted = st.session_state[CLASS]
        state.images_page = 0
        first = {} if wanted == "any" else {"image": int(np.flatnonzero(labels == int(wanted))[0])}
        choose({"digit": wanted, **first})

    digit = st.selectbox(
        "Class",
        classes,
        key=CLASS,
        on_change=chosen,
        width=110,
        help=run_choice.said("Only images with this label."),
    )
    return str(state.settings.use("digit", digit))


def build_up(opened: Opened, subject: Subject, built: BuildUp) -> None:
    """The picture that the strongest units make when they are added one by one."""
    header, arrays = figures.build_up(
        built,
        opened.shown(built.means),
        opened.shown(subject.v),
        opened.shape,
        subject.name,
        subject.words,
        opened.model.units.mean_of_unit,
    )
    header |= {"name": f"{subject.key}-build-up"}
    mount_map(opened, "build-up", (header, arrays))
    about("how the units add up", **texts.build_up(opened.model.units.tex))


def answering(opened: Opened, subject: Subject, built: BuildUp, terms: EnergyTerms) -> None:
    """The units that shape the image most."""
    blob = figures.answering(opened.snapshot, built, opened.shape)
    mount_mosaic(opened, "answering", blob, f"{subject.key}-units", "unit")
    with st.container(horizontal=True, vertical_alignment="center"):
        about("the units that answer", **texts.ANSWERING)
        table_button(
            "Units and terms",
            opened.file(*subject.file, "units"),
            ("unit", "p(h=1|v)", "push", "softplus_nats"),
            lambda: zip(range(len(built.p)), built.p, built.strength, terms.softplus, strict=True),
        )


def energy(opened: Opened, subject: Subject, terms: EnergyTerms) -> None:
    """The image's energy, term by term, among other images, and unit by unit."""
    st.subheader("Its energy", anchor=False)
    st.caption(run_choice.said(WHAT_IT_COSTS))
    left, right = st.columns(2, gap="large")
    with left:
        energy_terms(opened, subject, terms)
    with right:
        pool = opened.pool
        seen = (
            np.zeros((0, len(subject.v)), np.float32) if pool is None else opened.seen(pool.grey[:STANDING])
        )
        others = rbm_numpy.free_energies(opened.model, seen)
        fantasies = rbm_numpy.free_energies(opened.model, opened.snapshot.particles_v.astype(np.float32))
        chart(
            figures.standing(
                terms.free_energy, others, fantasies, is_dark(), "" if pool is None else pool.source
            ),
            f"{subject.key}-standing",
            "Free energies of data and fantasies, and where this one stands among them.",
            opened.file(*subject.file, "standing"),
        )
        about("where it stands", **texts.STANDING)
    chart(
        figures.softplus_figure(terms, is_dark()),
        f"{subject.key}-softplus",
        "The softplus term of each hidden unit, the largest first.",
        opened.file(*subject.file, "softplus"),
    )
    ordered = opened.model.penalty is not None
    about("what each unit takes off", **(texts.ORDERED_SOFTPLUS if ordered else texts.SOFTPLUS))


def energy_terms(opened: Opened, subject: Subject, terms: EnergyTerms) -> None:
    file = opened.file(*subject.file, "energy")
    chart(
        figures.energy_figure(terms, opened.model.units.energy_label, is_dark()),
        f"{subject.key}-energy",
        minus(f"The terms of the energy; free energy {terms.free_energy:.1f} nats."),
        file,
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        about(
            "the terms of the energy",
            **texts.energy(opened.model.units.tex, opened.model.penalty is not None),
        )
        names = ("visible", "hidden", "pairs", "penalty", "mean_energy", "entropy", "free_energy")
        table_button(
            "Energy", file, ("term", "nats"), lambda: ((name, getattr(terms, name)) for name in names)
        )
