"""What the cases of a run are: pictures, or rows of a table with named columns; and the words for them.

Texts are written about pictures. `in_words` says them of a table: a text about images and pixels becomes one about rows
and columns, by one list of words that the players of the browser get too.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["are_digits", "columns_of", "dressed", "in_words", "table_of"]

_WORDS = {
    "as its digit": "as its class",
    "own grey, 0 black to 1 white": "own values, from black, the smallest of a column, to white, the largest",
    "grey values": "values",
    "grey value": "value",
    "in grey": "as values",
    "grey pixels": "columns",
    "grey pixel": "column",
    "grey image": "row",
    "test images": "test rows",
    "images": "rows",
    "image": "row",
    "pictures": "rows",
    "picture": "row",
    "pixels": "columns",
    "pixel": "column",
    "digits": "rows",
    "digit": "row",
    "strokes": "patterns",
    "stroke": "pattern",
    "brightness": "value",
    "bright": "large",
}
_TEXTS = ("title", "note", "hint", "noun", "unit", "picks_words", "play_words", "start_sentence", "reference")
_FOUND = re.compile(rf"\b([Aa]n )?({'|'.join(map(re.escape, _WORDS))})\b", re.IGNORECASE)


def table_of(config: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a player needs of a run on a table: `columns`, their names, and `low` and `high`, the values that stand at 0
    and 1 of each, and the `words`; None for a run on pictures. config: the run's config.json.
    """
    data = config.get("data") or {}
    columns = data.get("columns")
    shape = data.get("image_shape")
    if not columns or not shape or list(shape) != [1, len(columns)]:
        return None
    ranges = np.asarray(data.get("ranges") or [], np.float64)
    if ranges.shape != (2, len(columns)):
        ranges = np.stack([np.zeros(len(columns)), np.ones(len(columns))])
    low, high = ranges.tolist()
    return {"columns": list(columns), "low": low, "high": high, "words": list(_WORDS.items())}


def are_digits(config: Mapping[str, Any]) -> bool:
    """Whether the run learns handwritten digits laid out as MNIST's are."""
    return config["config"].get("dataset") in ("mnist", "mnist-5k")


def columns_of(config: Mapping[str, Any]) -> list[str] | None:
    """The names of the table's columns; None for a run on pictures."""
    table = table_of(config)
    return None if table is None else list(table["columns"])


def in_words(text: str) -> str:
    """The text in the words for a table."""

    def said(found: re.Match[str]) -> str:
        article, word = found[1] or "", found[2]
        new = _WORDS[word.lower()]
        if article and new[0] not in "aeiou":
            article = f"{article[0]} "
        return article + (new.capitalize() if word[0].isupper() else new)

    return _FOUND.sub(said, text)


def dressed(header: dict[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """The header of a player's picture, with the table and in its words where the run learns one."""
    table = table_of(config)
    if table is None:
        return header
    worded: dict[str, Any] = {
        key: in_words(header[key]) for key in _TEXTS if isinstance(header.get(key), str)
    }
    if "facts" in header:
        worded["facts"] = [[in_words(word) for word in fact] for fact in header["facts"]]
    if header.get("curves"):
        worded["curves"] = [
            {**curve, "name": in_words(curve["name"]), "unit": in_words(curve["unit"])}
            for curve in header["curves"]
        ]
    if header.get("frames"):
        worded["frames"] = [in_words(frame) for frame in header["frames"]]
    return {**header, **worded, "table": table}
