"""The command line: python -m rbm_core train | sample | runs | export | evaluate | doctor; each is a module here."""

import typer

# Importing a command adds it to the app; the help lists them in this order.
from rbm_core.cli import train, sample, runs, export, evaluate, doctor  # isort: skip
from rbm_core.cli.console import app, err
from rbm_core.config import ConfigError
from rbm_core.runs.files import RunError

__all__ = ["app", "doctor", "evaluate", "export", "main", "runs", "sample", "train"]


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code; an error that a user can cause prints one line and returns 2."""
    try:
        app(arguments, standalone_mode=False)
    except (ConfigError, RunError, ValueError) as error:
        err.print(f"Error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        return 2
    except typer.Exit as stop:
        return stop.exit_code
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        # click's errors about options, printed without its usage block.
        err.print(
            f"Error: {error.format_message()}", style="red", markup=False, highlight=False, soft_wrap=True
        )
        return 2
    except KeyboardInterrupt:
        return 130
    return 0
