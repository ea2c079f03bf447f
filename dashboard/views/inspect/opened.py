"""What the views of a unit, a pixel and an image share: the snapshot that is open, its pictures, and clicks on them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import streamlit as st

from dashboard import components, data
from dashboard.components import cellmap, mosaic
from dashboard.components.blob import pack
from dashboard.components.messages import heard
from dashboard.figures.cases import dressed
from dashboard.figures.moment import Blob
from dashboard.ui import link
from dashboard.ui.charts import file_name
from dashboard.ui.page_state import state_of
from dashboard.views.inspect.state import Inspect
from rbm_core import pixels, rbm_numpy
from rbm_core.runs import RunReader, Snapshot


@dataclass(frozen=True)
class Opened:
    """A recorded moment of a run, whose images are `shape` pixels in size. given: the label that is held, if any."""

    reader: RunReader
    snapshot: Snapshot
    shape: tuple[int, int]
    given: int | None = None

    @cached_property
    def fields(self) -> dict[str, Any]:
        """The run's config."""
        return self.reader.config()["config"]

    @cached_property
    def model(self) -> rbm_numpy.Parameters:
        model = rbm_numpy.Parameters.of(self.snapshot)
        return model if self.given is None else model.given(self.given)

    @cached_property
    def scale(self) -> pixels.PixelScale | None:
        """How values of standardised visible units stand for grey values; None for others."""
        probe = self.reader.probe()
        return probe.scale if probe and self.model.units.standardised else None

    @cached_property
    def pool(self) -> data.Images | None:
        """Images of the run's own data; None where this machine has none."""
        return data.images(self.reader)

    @property
    def source(self) -> dict[str, Any]:
        """The source that a saved picture names."""
        return {"run": self.reader.name, "step": self.snapshot.step, "seed": self.fields.get("seed")}

    def file(self, *parts: object) -> str:
        """A name for a file with something of this moment."""
        return file_name(self.reader.name, "step", self.snapshot.step, *parts)

    def seen(self, images: np.ndarray) -> np.ndarray:
        """(N, V) grey images as states of the run's visible units."""
        return pixels.visible_states(images, self.fields, self.scale)

    def shown(self, v: np.ndarray) -> np.ndarray:
        """(…, V) states or means of the visible units as grey values."""
        return pixels.grey_values(v, self.scale)


def number_of(name: str, count: int, chosen_otherwise: Callable[[], int], noun: str) -> int:
    """The number in the link if this run has it, else the one the page chooses; a sentence says so if it has not."""
    settings = state_of(Inspect).settings
    value = settings.use(name, settings.value(name))
    if isinstance(value, int) and value < count:
        return value
    number = chosen_otherwise()
    if isinstance(value, int):
        st.warning(
            f"This run has {count:,} {noun}, numbered from 0; there is no number {value:,}, showing {number}."
        )
        settings.use(name, number)
    return number


def open_from(key: str, what: str) -> Callable[[], None]:
    """A callback of the component `key`: the unit, pixel or image (`what`) that was clicked in it is opened."""

    def clicked() -> None:
        number = heard(key, "open")
        if number is not None and link.can_say(what, number):
            choose({what: number, "look": what})

    return clicked


def choose(values: Mapping[str, Any]) -> None:
    """Opens something else: one step of the browser's history."""
    settings = state_of(Inspect).settings
    settings.use_all(values)
    settings.write_link()


def mount_mosaic(opened: Opened, widget: str, blob: Blob, name: str, opens: str, **callbacks: Any) -> None:
    """Tiles, sent only when they changed; a click on one opens its unit or image, as `opens` says."""
    key = f"inspect.{widget}"
    header, arrays = blob
    header = dressed(header | {"name": name, "of": opened.source}, opened.reader.config())
    version = f"{header['of']} {header['title']} {header.get('chosen')} {header.get('sort')} "
    version += str(hash(arrays["tiles"].tobytes()))
    components.feed(
        mosaic.mount,
        key,
        version,
        lambda: pack({**header, "version": version}, arrays),
        on_open_change=open_from(key, opens),
        **callbacks,
    )


def mount_map(opened: Opened, widget: str, blob: Blob, opens: str = "", **callbacks: Any) -> None:
    """A map of cells; a click on one opens its pixel or unit, if `opens` says which."""
    key = f"inspect.{widget}"
    header, arrays = blob
    header = dressed(header | {"of": opened.source}, opened.reader.config())
    if opens:
        callbacks["on_open_change"] = open_from(key, opens)
    cellmap.mount(key=key, data=pack(header, arrays), **callbacks)


def metrics(shown: list[tuple[str, str, str]]) -> None:
    """Numbers in a row: label, value and what it means."""
    for label, value, tip in shown:
        st.metric(label, value, help=tip, width="content")
