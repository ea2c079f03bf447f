"""The training as an animation or a still to take away: the browser's wish, its progress, the finished file."""

from typing import Any

import numpy as np

from dashboard import data
from dashboard.figures import moment as pictures
from dashboard.processes import timelapse
from dashboard.ui.texts import sentence
from dashboard.views.train import state
from rbm_core.runs import RunError


def payload() -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """(header, arrays) for the time slider's view; both empty while nothing is exported."""
    watched = state.watched()
    export = watched.export
    if export is None:
        return {"export": watched.export_refused} if watched.export_refused else {}, {}
    header = {
        "number": export.number,
        "words": export.words,
        "file": export.file,
        "made": export.data is not None,
        "failed": export.error or "",
    }
    if export.data is None or not watched.export_wanted:
        return {"export": header}, {}
    watched.export_wanted = False
    return {"export": header}, {"export": np.frombuffer(export.data, dtype=np.uint8)}


def wished() -> None:
    """The reader wishes for a picture, or the browser for the finished file, or the browser has the file.

    The browser repeats a wish until it is answered: a busy app may miss one that another follows closely.
    """
    watched, message = state.watched(), state.said("export") or {}
    number = watched.export.number if watched.export is not None else None
    if "got" in message:
        watched.export = None
    elif "take" in message:
        watched.export_wanted = number is not None and number == message["take"]
    elif {"subject", "format", "number"} <= message.keys() and number != message["number"]:
        watched.export = watched.export_refused = None
        try:
            watched.export = _begin(message)
        except (RunError, ValueError, IndexError) as error:
            watched.export_refused = {"number": message["number"], "failed": sentence(error)}


def _begin(wish: dict[str, Any]) -> timelapse.Export:
    """Begins an animation of every snapshot, or a still of the moment shown, its filters in the page's order."""
    watched = state.watched()
    assert watched.run is not None
    reader = data.reader(watched.run)
    steps = reader.snapshot_steps()
    if watched.order is not None:
        units = watched.order.units
    else:
        units = pictures.order_of_units("index", data.snapshot(watched.run, steps[-1]), None)
    if wish["format"] == "png":
        steps = [wish["step"]] if "step" in wish else []
    return timelapse.Export(
        wish["number"], reader, watched.run, steps, wish["subject"], wish["format"], units
    )
