"""The small run that the tests of the Train page look at, and what the page says about it."""

import json
import time
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

from rbm_core.runs.files import hold_lock
from tests.dashboard.opened import as_read

RUN = "small-run"


def text(app: AppTest) -> str:
    """Every title, paragraph and caption of the page."""
    return "\n".join(
        as_read(element.value) for kind in ("title", "markdown", "caption") for element in app.get(kind)
    )


def live(run: Path, **status: Any) -> Any:
    """The run as a living trainer would leave it; returns the lock that says so."""
    now = json.loads((run / "status.json").read_text())
    (run / "status.json").write_text(json.dumps({**now, "heartbeat": time.time(), **status}))
    return hold_lock(run)
