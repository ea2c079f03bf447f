"""How pages write sentences, durations and names, and the one door of text that others wrote.

Streamlit renders most of what it is given as Markdown. A run's name in a link, a message in a file, a folder's name:
what this project did not write goes through `plain`, or through `sentence`, which is `plain` of a whole sentence.
tests/robustness/test_texts.py looks for a place that shows such text without them.
"""

import re

# The sentence itself, for a place that renders no Markdown, such as a cell of a table.
from rbm_core.runs.files import sentence as unformatted

_MARKUP = re.compile(r"[\\`*_{}\[\]()#+\-.!:$~<>|&^=]")
# Streamlit looks for these in the text that is left when the escapes are resolved, and makes links, icons, emoji
# and arrows of them. A word joiner, which no font draws, keeps each apart.
_FOUND_LATER = re.compile(r"(?<=:)(?=\S)|(?<=@)(?=\S)|(?<=www)(?=\.)|(?<=[-<>!=])(?=[-<>=])", re.IGNORECASE)
_JOINER = "\u2060"
# Control characters, and the marks that let a line be read in another order than it is written in.
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
_MOST = 2000  # characters: more of a message is not read, and would bury the page


class _Plain(str):
    """Markdown made by `plain`."""


def plain(text: object) -> str:
    """Markdown that shows exactly this text, on one line: no link, picture, formula or icon comes of it.

    Control characters are shown as \ufffd, and what is longer than 2,000 characters is cut. What `plain` or `sentence`
    returned is returned as it is: escaped twice it would show backslashes.
    """
    if isinstance(text, _Plain):
        return text
    line = _UNSEEN.sub("\ufffd", " ".join(str(text).split()))
    line = line if len(line) <= _MOST else line[: _MOST - 1] + "…"
    return _Plain(_MARKUP.sub(r"\\\g<0>", _FOUND_LATER.sub(_JOINER, line)))


def sentence(error: object) -> str:
    """An error's message as Markdown that shows a sentence."""
    return error if isinstance(error, _Plain) else plain(unformatted(error))


def duration(seconds: float) -> str:
    """`45 s`, `1 min 20 s`, `25 min`, `2 h 5 min`: seconds below ten minutes, minutes above."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 3600:
        return f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def unbroken_duration(seconds: float) -> str:
    """`duration`, with spaces at which no line breaks."""
    return duration(seconds).replace(" ", "\u00a0")
