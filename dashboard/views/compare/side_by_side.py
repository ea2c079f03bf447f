"""The runs' filters and fantasies side by side at equal step."""

from collections.abc import Callable

import streamlit as st

from dashboard import components, data
from dashboard.components import mosaic
from dashboard.components.blob import pack
from dashboard.figures import moment
from dashboard.figures.cases import dressed
from dashboard.figures.comparison import look, moments
from dashboard.figures.moment import Blob
from dashboard.ui import fantasy, link
from dashboard.ui.about import GUIDE, about
from dashboard.ui.charts import is_dark
from dashboard.ui.texts import plain, sentence
from rbm_core.runs import Probe, RunError, RunReader, Snapshot, SnapshotError
from rbm_core.runs.files import rounded

STEP = "compare.step"
MOST_BESIDE = 4
CHAINS_SHOWN = 36


def draw(readers: dict[str, RunReader], steps: dict[str, list[int]], common: list[int], at: int) -> None:
    """The first few runs, each at its last snapshot up to step `at`, which is one of `common`."""
    beside = list(readers)[:MOST_BESIDE]
    st.subheader("Side by side at equal step", anchor=False)
    if len(common) > 1:
        choose_step(common, at)
    if len(readers) > len(beside):
        st.caption(f"The first {len(beside)} of the {len(readers)} runs ticked.")
    taken = snapshots(beside, steps, at)
    if any(one.step < at for one in taken.values()):
        st.caption(f"Each run stands at its last snapshot up to step {at:,}.")
    scale = max((moment.common_scale(one.W) for one in taken.values()), default=1.0)
    for place, (column, name) in enumerate(zip(st.columns(len(beside), gap="medium"), beside, strict=True)):
        with column:
            colour = look.colour_of(place, is_dark())
            st.html(f'<div style="border-top: 4px solid {colour}; margin-bottom: -0.4rem"></div>')
            st.markdown(f"**{plain(name)}**")
            if tags := tags_of(name):  # of a sweep: the settings that tell its runs apart
                st.caption(plain(" · ".join(tags)))
            if name in taken:
                draw_run(place, readers[name], taken[name], scale)
            else:
                st.caption(f"No snapshot up to step {at:,}.")
    explain()


def tags_of(name: str) -> tuple[str, ...]:
    """The run's tags; none where they cannot be read, which the table says."""
    try:
        return data.notes(name).tags
    except RunError:
        return ()


def choose_step(common: list[int], at: int) -> None:
    st.session_state[STEP] = at
    st.select_slider(
        "Step",
        common,
        key=STEP,
        format_func=lambda step: f"step {step:,}",
        on_change=lambda: link.remember("step", st.session_state[STEP]),
        help="Each run is shown as it was after so many parameter updates: its newest snapshot up to "
        "there. The slider ends where the shortest run does.",
    )


def snapshots(names: list[str], steps: dict[str, list[int]], at: int) -> dict[str, Snapshot]:
    """Each run's last snapshot up to step `at`; one that cannot be read costs a sentence."""
    taken = {}
    for name in names:
        step = moments.snapshot_up_to(steps[name], at)
        try:
            if step is not None:
                taken[name] = data.snapshot(name, step)
        except SnapshotError as error:
            st.warning(sentence(error))
    return taken


def draw_run(place: int, reader: RunReader, snapshot: Snapshot, scale: float) -> None:
    epoch = snapshot.meta.get("epoch")
    st.caption(f"step {snapshot.step:,}" + (f" · epoch {rounded(epoch)}" if epoch is not None else ""))
    config = reader.config()
    shape = moment.image_shape(len(snapshot.vbias), (config.get("data") or {}).get("image_shape"))
    source = {"run": reader.name, "step": snapshot.step, "seed": config["config"].get("seed")}
    filters = moments.strongest_filters(snapshot, shape, scale)
    particles = moment.particles(snapshot, shape, CHAINS_SHOWN, probe_of(reader))
    filters, particles = ((dressed(header, config), arrays) for header, arrays in (filters, particles))
    version = f"{reader.name} {snapshot.step}"
    mount(f"filters-{place}", f"{version} {scale}", filters, {"name": "strongest-filters", "of": source})
    mount(
        f"samples-{place}",
        version,
        particles,
        {"name": "fantasies", "of": source, **fantasy.OPENS},
        fantasy.opener(f"compare.samples-{place}", reader.name, snapshot.step),
    )


def probe_of(reader: RunReader) -> Probe | None:
    try:
        return reader.probe()
    except RunError:
        return None


def mount(
    widget: str,
    version: str,
    blob: Blob,
    more: dict[str, object],
    opened: Callable[[], None] = lambda: None,
) -> None:
    header, arrays = blob

    def build() -> bytes:
        return pack({**header, **more, "version": version}, arrays)

    components.feed(mosaic.mount, f"compare.{widget}", version, build, on_open_change=opened)


def explain() -> None:
    with st.container(horizontal=True):
        about(
            "the filters side by side",
            "Each run's units with the largest weights, all on one scale, so that a run whose weights are small looks "
            "pale. Units of different runs do not correspond: each run numbers them as it likes.",
            formula=r"\lVert W_j \rVert = \Bigl(\sum_i W_{ij}^2\Bigr)^{1/2}",
            source=f"{GUIDE}, §15.",
        )
        about(
            "the fantasies side by side",
            "What each run's own chains had reached at that moment: what the next half step would draw, or, for runs "
            "with Gaussian pixels, its mean.",
            formula=r"p(v_i = 1 \mid h) = \sigma\Bigl(b_i + \sum_j W_{ij} h_j\Bigr)",
            source=f"{GUIDE}, §15.",
        )
