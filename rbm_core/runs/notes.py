"""Tags and a note that a person gives a run, in notes.json of its folder. Training reads neither."""

from dataclasses import dataclass
from pathlib import Path

from rbm_core.runs import layout
from rbm_core.runs.files import RunError, read_typed, write_json

MOST_TAGS = 12
LONGEST_TAG = 40
LONGEST_NOTE = 4000


@dataclass(frozen=True)
class Notes:
    """tags: short words to find runs by, each once, in the order given. note: any text."""

    tags: tuple[str, ...] = ()
    note: str = ""


def read_notes(run: Path) -> Notes:
    """The run's tags and note, empty if there is no notes.json. Raises RunError if the file is damaged."""
    try:
        found = read_typed(Path(run) / "notes.json", layout.NOTES)
    except FileNotFoundError:
        return Notes()
    return Notes(tuple(found.get("tags", ())), found.get("note", ""))


def write_notes(run: Path, notes: Notes) -> Notes:
    """Replaces the run's tags and note by these, and returns them as kept: blanks trimmed, each tag once.

    A trainer may be at work meanwhile, since it does not touch the file. Raises RunError for more than 12 tags, a
    tag of more than 40 characters and a note of more than 4,000.
    """
    tags = tuple(dict.fromkeys(" ".join(tag.split()) for tag in notes.tags if tag.strip()))
    if len(tags) > MOST_TAGS:
        raise RunError(f"a run can have at most {MOST_TAGS} tags, got {len(tags)}")
    long = next((tag for tag in tags if len(tag) > LONGEST_TAG), None)
    if long is not None:
        raise RunError(f"a tag can have at most {LONGEST_TAG} characters, got {len(long)}: {long[:20]!r} …")
    if len(notes.note) > LONGEST_NOTE:
        raise RunError(f"a note can have at most {LONGEST_NOTE:,} characters, got {len(notes.note):,}")
    kept = Notes(tags, notes.note.strip())
    write_json(Path(run) / "notes.json", {"tags": list(kept.tags), "note": kept.note})
    return kept
