"""Pictures of a run as files, drawn by a process of its own: `python -m dashboard.export RUN FILE`.

The command line's `export` starts it. It prints a sentence about the file, or one on stderr about why there is none.
"""

import argparse
import sys
from pathlib import Path

from dashboard.figures import animation, moment
from dashboard.processes import timelapse
from rbm_core.exchange.outside import replacing
from rbm_core.runs import RunError, RunReader

__all__ = ["main"]


def _written(reader: RunReader, file: Path, subject: str, step: int | None) -> str:
    steps = reader.snapshot_steps()
    if not steps:
        raise RunError(f"run {reader.name!r} has no snapshot yet; wait for its first seconds of training")
    match file.suffix.lower():
        case ".html":
            from dashboard.export.single_page import single_page

            content, words = single_page(reader)
        case ".png":
            step = steps[-1] if step is None else step
            snapshot = reader.snapshot(step)
            content = timelapse.still(reader, step, subject, moment.order_of_units("index", snapshot, None))
            words = f"{_named(subject)} at step {step:,}"
        case ending:
            order = moment.order_of_units("index", reader.snapshot(steps[-1]), None)
            content = timelapse.make(reader, steps, subject, ending[1:], order, lambda _: None)
            words = f"{_named(subject)} through {len(steps)} snapshots"
    with replacing(file) as aside:
        aside.write_bytes(content)
    return f"{words}, run {reader.name}, {len(content) / 1e6:.1f} MB"


def _named(subject: str) -> str:
    return "filters and fantasies" if subject == "both" else subject


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m dashboard.export")
    parser.add_argument("run", type=Path, help="the run's folder")
    parser.add_argument("file", type=Path, help="what to write: .html, .png, .gif or .webp")
    parser.add_argument("--subject", choices=timelapse.SUBJECTS, default="filters")
    parser.add_argument("--step", type=int)
    asked = parser.parse_args(arguments)
    try:
        sys.stdout.write(f"{_written(RunReader(asked.run), asked.file, asked.subject, asked.step)}\n")
    except OSError as error:
        sys.stderr.write(f"cannot write {asked.file}: {error.strerror or error}\n")
        return 2
    except (RunError, animation.AnimationError, ValueError, MemoryError) as error:
        sys.stderr.write(f"{' '.join(str(error).split())}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
