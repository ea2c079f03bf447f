"""`python -m rbm_core`: train | sweep | sample | runs | import | export | evaluate | doctor; each is a module here."""

import os
import sys
from contextlib import suppress
from traceback import format_exception

import typer

# Importing a command adds it to the app; the help lists them in this order.
from rbm_core.cli import train, sweep, sample, runs, import_, export, evaluate, doctor  # isort: skip
from rbm_core.cli.console import app, err
from rbm_core.config import ConfigError
from rbm_core.machine import QUIET, lacks_memory
from rbm_core.runs.files import RunError, one_line
from rbm_core.streams import shielded

__all__ = ["app", "doctor", "evaluate", "export", "import_", "main", "runs", "sample", "sweep", "train"]


_LONGEST = 2000  # characters of an error's line
_TOO_LARGE = (
    "not enough memory for that: ask for less (fewer chains, a smaller batch, fewer units), stop other programs, or "
    "raise the limit (ulimit -v)"
)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code.

    An error that a user can cause prints one line and returns 2; any other prints one line too and returns 1, with
    its traceback above it after `--traceback`.
    """
    err.traceback = False
    os.environ.update(QUIET | os.environ)  # before a command loads torch; what a person has set stays
    lost = shielded()
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError):  # a stream that a program put in their place
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        code = app(arguments, standalone_mode=False)  # a command's Exit comes back as its number
    except (ConfigError, RunError, ValueError) as error:
        return _failed(error, str(error), 2)
    except typer.Exit as stop:
        return stop.exit_code
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if lacks_memory(error):
            return _failed(error, _TOO_LARGE, 1)
        if hasattr(error, "format_message"):  # click's errors about options, printed without its usage block
            return _failed(error, error.format_message(), 2)
        if isinstance(error, OSError):
            return _failed(error, ": ".join(filter(None, (error.strerror or str(error), error.filename))), 1)
        hint = "" if err.traceback else "; python -m rbm_core --traceback … shows where"
        return _failed(error, f"{type(error).__name__}: {one_line(error)}{hint}", 1)
    code = code if isinstance(code, int) else 0
    if not lost or code:
        return code
    if isinstance(lost[0], BrokenPipeError):  # whoever read has read enough
        return 1
    return _failed(lost[0], f"done, but what it prints cannot be written: {lost[0].strerror}", 1)


def _failed(error: Exception, text: str, code: int) -> int:
    """Prints the error's line; returns the exit code."""
    if err.traceback:
        err.print("".join(format_exception(error)), soft_wrap=True)
    line = " ".join(text.split())
    err.say(f"Error: {line if len(line) <= _LONGEST else line[:_LONGEST] + '…'}", style="red")
    return code
