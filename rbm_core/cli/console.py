"""What the commands share: the app, the two consoles, common options, examples in the help, and durations."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from rbm_core.runs import inside, store
from rbm_core.runs.files import RunError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Train, sample and measure Restricted Boltzmann Machines. Every run is a folder that the dashboard "
    f"({store.app_command()}) can watch, live or years later.",
)
# Control characters, which a terminal would obey, and halves of characters, which cannot be printed.
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class Terminal(Console):
    """A console that prints text as it is written: a name in square brackets is no markup, and nothing is obeyed.

    traceback: whether an unexpected error shows where it came from.
    """

    traceback = False

    def __init__(self, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False, highlight=False)
        if not self.width:  # COLUMNS=0, as some editors set it, would leave no room for a letter
            self.width = 80

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(shown(text), **options)

    def say(self, text: str, style: str | None = None) -> None:
        """Prints one line, however wide the terminal is."""
        self.print(" ".join(text.split("\n")), style=style, soft_wrap=True)


def shown(text: str) -> str:
    """The text without what a terminal would obey."""
    return _UNSEEN.sub("\ufffd", text)


out, err = Terminal(), Terminal(stderr=True)


def rank_and_number() -> tuple[int, int]:
    """(this process's rank, how many torchrun has started for one work); (0, 1) for a process started without it."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:  # RANK alone may be there for other reasons
        return 0, 1
    return int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])


@app.callback()
def _options(
    context: typer.Context,
    traceback: Annotated[
        bool,
        typer.Option("--traceback", help="Before the command: show where an unexpected error came from."),
    ] = False,
) -> None:
    err.traceback = traceback
    ranks = rank_and_number()[1]
    if ranks > 1 and context.invoked_subcommand != "train":
        raise RunError(
            f"{ranks} processes can share a training, not {context.invoked_subcommand!r}; start it without torchrun"
        )


def columns(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> Iterator[str]:
    """The rows as lines, two spaces between the columns; those in `right` end below one another.

    rich's table takes 3 ms a row, which 2,000 runs do not wait for.
    """
    cells = [[shown(cell) for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        padded = []
        for n, (cell, width) in enumerate(zip(row, widths, strict=True)):
            space = " " * (width - cell_len(cell))
            padded.append(space + cell if n in right else cell + space)
        yield "  ".join(padded).rstrip()


Runs = Annotated[Path | None, typer.Option(help="Folder of runs; default $RBM_RUNS_DIR or checkpoints/.")]
RunName = Annotated[str, typer.Argument(help="Name of a run; 'runs' lists them.")]
Step = Annotated[int | None, typer.Option(help="Snapshot to take, by step; default the newest.")]
Seed = Annotated[int, typer.Option(min=0, help="Where all random numbers come from.")]


def examples(*lines: str) -> str:
    """Command lines as the epilog of a command's help. typer joins lines unless a blank line lies between them."""
    return "\n\n".join(["[bold]Examples[/bold]", *(f"  python -m rbm_core {line}" for line in lines)])


def counted(n: int, what: str) -> str:
    """`1 sweep`, `1,000 sweeps`."""
    return f"{n:,} {what}{'s' * (n != 1)}"


def check_writable(file: Path) -> None:
    """Raises RunError, before any work, if the file could not be written after it."""
    folder = file.absolute().parent
    if not folder.is_dir():
        raise RunError(f"cannot write {file}: there is no folder {folder}")
    if file.is_dir():
        raise RunError(f"cannot write {file}: it is a folder")
    if file.exists() and not file.is_file():
        raise RunError(f"cannot write {file}: it is a pipe or a device; name a file")
    run = inside.run_of(Path(os.path.realpath(file)))  # a link's target is what is replaced
    if (run / "config.json").exists() and (run / "snapshots").exists():
        raise RunError(f"cannot write {file}: there are the files of run {run.name!r}; name another folder")
    if not (os.access(folder, os.W_OK) and (not file.exists() or os.access(file, os.W_OK))):
        raise RunError(f"cannot write {file}: no permission")


def duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


def model_of(run: str, step: int | None, runs: Path | None) -> tuple[Any, Any, Any]:
    """The run's reader, its snapshot at `step` (None: the newest), and its model. Raises RunError if there is none."""
    from rbm_core.rbm import RBM
    from rbm_core.runs.reader import RunReader

    reader = RunReader(store.resolve(runs or store.runs_root(), run))
    reader.config()  # a run of a newer version, or one without a sound description, is refused first
    steps = reader.snapshot_steps()
    if not steps:
        raise RunError(f"run {run!r} has no snapshot yet; wait for its first seconds of training")
    snapshot = reader.snapshot(steps[-1] if step is None else step)
    return reader, snapshot, RBM.from_numpy(**snapshot.parameters())
