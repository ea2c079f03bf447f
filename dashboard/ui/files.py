"""In the sidebar: open a model or a run from a file, and take the shown run away as files."""

from dataclasses import dataclass
from functools import partial
from pathlib import PurePath

import streamlit as st

from dashboard import data
from dashboard.processes import exchange
from dashboard.ui import run_choice
from dashboard.ui.page_state import state_of
from dashboard.ui.texts import plain, sentence
from rbm_core import datasets
from rbm_core.runs import RunError
from rbm_core.runs.vocabulary import LIVE_STATES

_OPENED = ("npz", "npy", "safetensors", "pt", "pth", "bin", "ckpt", "mat", "h5", "hdf5", "zip")
_REFUSED = ("pkl", "pickle", "joblib")  # let in, so that the sentence with the way out is read
MOST_MB = 200
_LIKELY = "the first with as many pixels"
TAKEN = {
    ".html": (
        "One page (HTML)",
        "Timelapse, curves and a Gibbs film in one file that opens anywhere, without us.",
    ),
    ".zip": ("Whole run (bundle)", "Everything recorded; another installation opens it here."),
    ".npz": ("Parameters, NumPy", "W (visible, hidden), vbias, hbias of the newest snapshot."),
    ".safetensors": ("Parameters, safetensors", "The same for torch and others."),
    ".csv": ("Curves, CSV", "Every row that was recorded while it trained."),
}


@dataclass
class _Files:
    """refused: what could not be opened (the file, the name of its run, its data), and why."""

    refused: tuple[tuple[str, str, str], str] | None = None


def sidebar() -> None:
    with st.sidebar, st.expander("Open or take away", icon=":material/folder_open:", key="files.open"):
        _open()
        if (run := run_choice.chosen()) is not None:
            _take_away(run)


def _open() -> None:
    upload = st.file_uploader(
        "A model, or a bundle of a run",
        type=[*_OPENED, *_REFUSED],
        max_upload_size=MOST_MB,
        key="files.upload",
        help="Weights and biases of another program (NumPy, safetensors, torch, MATLAB, rbms' HDF5) under any usual "
        f"names, or a .zip that *Whole run* made; at most {MOST_MB} MB. No file is unpickled.",
    )
    if upload is None:
        return
    stem = data.name_from(PurePath(upload.name).stem)[:60]
    name = data.name_from(
        st.text_input("Name of the new run", value=stem, key=f"files.name_{upload.file_id}").strip()
    )
    dataset = _LIKELY
    if not upload.name.lower().endswith(".zip"):
        names = [name for name in datasets.NAMES if datasets.available(name)]
        dataset = st.selectbox(
            "It learned from",
            [_LIKELY, *names],
            key="files.dataset",
            help="The data that the run is shown, measured and trained on with.",
        )
    asked = (upload.file_id, name, dataset)
    if st.button("Open it", key="files.go", type="primary", width="stretch"):
        try:
            with st.spinner("Reading …"):
                exchange.imported(
                    upload.getvalue(), upload.name, name, None if dataset == _LIKELY else dataset
                )
        except RunError as error:
            state_of(_Files).refused = (asked, str(error))
        else:
            run_choice.lead_to(name, opened=True)
            st.rerun()
    refused = state_of(_Files).refused
    if refused is not None and refused[0] == asked:
        st.warning(sentence(refused[1]))


def _take_away(run: str) -> None:
    st.caption(f"Take **{plain(run)}** away as")
    try:
        living = data.reader(run).status()["state"] in LIVE_STATES
    except RunError:
        living = True
    for ending, (label, words) in TAKEN.items():
        st.download_button(
            label,
            partial(exchange.exported, run, ending),
            file_name=f"{run}{ending}",
            key=f"files.take{ending}",
            help=words + (" Stop the run first." if living and ending == ".zip" else ""),
            on_click="ignore",
            width="stretch",
            type="tertiary",
            disabled=living and ending == ".zip",
        )
