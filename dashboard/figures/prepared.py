"""What the lessons' default machines draw by chance, computed ahead so that no lesson waits.

`python -m dashboard.figures.prepared` computes it anew and writes prepared.npz (about half a minute on two cores). The
file holds, by the name of a training, the arrays of `learn.drawn` or `networks.trained`. tests/dashboard/test_learn.py
holds it to what the engine computes; a training that the file lacks is computed when it is asked for.
"""

import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

FILE = Path(__file__).with_name("prepared.npz")


@cache
def _names() -> dict[str, list[str]]:
    """By training, the names of its arrays."""
    found: dict[str, list[str]] = {}
    try:
        with zipfile.ZipFile(FILE) as file:
            for member in file.namelist():
                training, name = member.removesuffix(".npy").split("/")
                found.setdefault(training, []).append(name)
    except (OSError, zipfile.BadZipFile):
        return {}
    return found


def arrays(training: str) -> dict[str, np.ndarray] | None:
    """The arrays kept of a training; None where the file does not have it."""
    names = _names().get(training)
    if names is None:
        return None
    with np.load(FILE, allow_pickle=False) as file:
        return {name: file[f"{training}/{name}"] for name in names}


def main() -> None:
    from dashboard.figures import learn, networks

    kept = {f"{m}-{method}": learn.drawn(m, method) for m in learn.MACHINES for method in learn.METHOD_NAMES}
    kept |= {kind: networks.trained(kind) for kind in networks.TRAINED}
    flat: dict[str, Any] = {
        f"{training}/{name}": array for training, of in kept.items() for name, array in of.items()
    }
    np.savez_compressed(FILE, **flat)


if __name__ == "__main__":
    main()
