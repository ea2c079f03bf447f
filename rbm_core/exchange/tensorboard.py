"""A run mirrored for TensorBoard while it trains, by torch's own writer; the trainer does not know of it."""

from pathlib import Path
from typing import Any

import numpy as np

from rbm_core.runs.files import RunError, SnapshotError
from rbm_core.runs.reader import RunReader
from rbm_core.strips import strips

__all__ = ["Mirror"]

_NO_SCALARS = ("step", "time", "seconds")
_MOST_FILTERS = 400


class Mirror:
    """Writes the rows of the curves as scalars, and of every kept snapshot the histograms of W, vbias and hbias and the
    filters as one image. A run that goes on is mirrored from its first row, so a folder shows it whole.

    Raises RunError where the package tensorboard is missing or the folder cannot be written.
    """

    def __init__(self, run: Path, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise RunError("--tensorboard needs the package tensorboard: pip install tensorboard") from None
        self._reader = RunReader(run)
        self._rows = 0
        self._steps: set[int] = set()
        try:
            self._writer = SummaryWriter(str(folder / run.name))
        except OSError as error:
            raise RunError(f"cannot write {folder}: {error.strerror or error}") from error

    def __enter__(self) -> "Mirror":
        return self

    def __exit__(self, *_: object) -> None:
        self.show({}, {})
        self._writer.close()

    def show(self, status: dict[str, Any], row: dict[str, Any]) -> None:
        """Brings the mirror up to what the run's folder holds; called at each report of the trainer."""
        try:
            self._scalars(self._reader.metrics())
            for step in self._reader.snapshot_steps():
                if step not in self._steps:
                    self._steps.add(step)
                    self._snapshot(step)
        except (RunError, SnapshotError):
            return  # what cannot be read now is read at the next report

    def _scalars(self, metrics: dict[str, np.ndarray]) -> None:
        n = len(metrics.get("step", ()))
        for i in range(self._rows, n):
            step, time = int(metrics["step"][i]), float(metrics["time"][i])
            for name, column in metrics.items():
                if name not in _NO_SCALARS and np.isfinite(column[i]):
                    self._writer.add_scalar(name, column[i], step, walltime=time)
        self._rows = n

    def _snapshot(self, step: int) -> None:
        snapshot = self._reader.snapshot(step)
        for name in ("W", "vbias", "hbias"):
            values = getattr(snapshot, name)
            self._writer.add_histogram(name, values, step)
        data = self._reader.config().get("data") or {}
        shape = data.get("image_shape") or [1, len(snapshot.vbias)]
        tiles = _shades(snapshot.W[:, :_MOST_FILTERS])
        columns = data.get("columns")
        image = strips(tiles, columns) if columns else _tiled(tiles.reshape(len(tiles), *shape))
        self._writer.add_image("filters", image, step, dataformats="HW")


def _shades(W: np.ndarray) -> np.ndarray:
    """The filters (V, n) on one scale, (n, V) uint8: grey is no weight, white positive, black negative."""
    scale = float(np.quantile(np.abs(W), 0.995)) or 1.0
    return np.round(127.5 + 127.5 * np.clip(W.T / scale, -1, 1)).astype(np.uint8)


def _tiled(tiles: np.ndarray) -> np.ndarray:
    """Tiles (n, height, width) in a nearly square grid."""
    n, height, width = tiles.shape
    columns = int(np.ceil(np.sqrt(n)))
    rows = -(-n // columns)
    grid = np.full((rows, height + 1, columns, width + 1), 127, np.uint8)
    for i, tile in enumerate(tiles):
        grid[i // columns, :height, i % columns, :width] = tile
    return grid.reshape(rows * (height + 1), columns * (width + 1))
