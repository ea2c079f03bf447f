"""Files that go out of the store, to wherever a person names."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rbm_core.runs.files import RunError

__all__ = ["replacing"]


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A file to write to, which takes the target's place once it is whole.

    Where it cannot be written (the disk is full), the target stays as it was and nothing else is left.
    Raises RunError in one sentence then.
    """
    real = Path(os.path.realpath(target))  # a link stays one
    aside = real.with_name(
        f".{secrets.token_hex(4)}.tmp"
    )  # short, so that it is a name wherever the target has one
    try:
        yield aside
        os.replace(aside, real)
    except OSError as error:
        raise RunError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            aside.unlink()
