"""Inspect: one hidden unit, one pixel or one image of a recorded moment, taken apart."""

import streamlit as st

from dashboard import components, data
from dashboard.figures import moment
from dashboard.ui import run_choice, snapshot_choice
from dashboard.ui.charts import choose_format
from dashboard.ui.page_state import state_of
from dashboard.ui.texts import sentence
from dashboard.views.inspect import drawing, image, label, pixel, unit
from dashboard.views.inspect.opened import Opened, choose
from dashboard.views.inspect.state import Inspect
from rbm_core.runs import RunError

LOOK = "inspect.look"
LOOKS = {
    "unit": "A hidden unit",
    "pixel": "A pixel",
    "image": "An image",
    "drawing": "Your drawing",
    "label": "A label",
}
SHOW = {
    "unit": unit.show,
    "pixel": pixel.show,
    "image": image.show,
    "drawing": drawing.show,
    "label": label.show,
}
LOOK_HELP = (
    "*A hidden unit*: what it looks for and which images switch it on. *A pixel*: which units it is "
    "wired to. "
    "*An image*: which units answer to it, what they add up to, and its energy. "
    "*Your drawing*: the same for what you draw. *A label*, in runs with label units: the hidden units it leans on."
)


def main() -> None:
    components.feed_afresh()
    name = run_choice.chosen()
    if name is None:
        st.info("There is no run yet, so nothing to open up. Start one on the Train page.")
        return
    try:
        opened = open_moment(name)
        if opened is None:
            st.info("This run has no snapshot yet. Its first one comes within seconds of the start.")
            return
        st.caption("Take the machine apart: what each part has learnt, and how it came to it.")
        look = choose_look(opened.snapshot.n_labels > 0)
        choose_format()
        # Three columns need a wide window; two stand beside one another until it is a phone's.
        with st.container(key="stack-inspect" if look == "pixel" else "inspect-two"):
            SHOW[look](opened)
        state_of(Inspect).settings.write_link()
    except RunError as error:
        st.error(f"{sentence(error)} Choose another moment or run in the sidebar.")


def open_moment(name: str) -> Opened | None:
    """The moment of the run that the sidebar or the link asks for; None where the run has none yet."""
    reader = data.reader(name)
    recorded = reader.config().get("data") or {}
    snapshot = snapshot_choice.choose(reader, "inspect")
    if snapshot is None:
        return None
    return Opened(reader, snapshot, moment.image_shape(len(snapshot.vbias), recorded.get("image_shape")))


def choose_look(has_labels: bool) -> str:
    settings = state_of(Inspect).settings
    st.session_state[LOOK] = settings.value("look")
    look = st.segmented_control(
        "Open up",
        [look for look in LOOKS if has_labels or look != "label" or settings.value("look") == "label"],
        key=LOOK,
        required=True,
        format_func=lambda key: run_choice.said(LOOKS[key]),
        help=run_choice.said(LOOK_HELP),
        on_change=lambda: choose({"look": st.session_state[LOOK]}),
    )
    return str(settings.use("look", look))


main()
