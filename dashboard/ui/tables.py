"""Tables on a page: a frame in which every column is of one type, whatever the records hold."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from dashboard.figures.numbers import minus

_LARGEST = 2**53  # whole numbers beyond are not told apart by a browser


def frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """The rows as a frame; a value that a row lacks, None and NaN are shown as the table's placeholder."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pd.DataFrame({name: column([row.get(name) for row in rows]) for name in names})


def column(values: Sequence[Any]) -> pd.Series:
    """The values as one type: whole numbers, numbers, moments, lists of words, or else words, each as `words` says.

    Arrow, by which Streamlit sends a table to the browser, takes no column of several types.
    """
    known = [value for value in values if not missing(value)]
    if known and all(isinstance(value, (list, tuple)) for value in known):
        return pd.Series(
            [[] if missing(value) else [words(one) for one in value] for value in values], dtype=object
        )
    if known and all(isinstance(value, datetime) for value in known):
        return pd.Series(pd.to_datetime([None if missing(value) else value for value in values]))
    if known and all(map(_is_number, known)):
        whole = len(known) == len(values) and all(isinstance(value, (int, np.integer)) for value in known)
        kept = [math.nan if missing(value) else float(value) for value in values]
        return pd.Series(kept, dtype=float).astype("int64" if whole else float)
    return pd.Series([None if missing(value) else words(value) for value in values], dtype=object)


def words(value: Any) -> str:
    """A value as a cell writes it: `0.05`, `1e−05`, `−3`, `11,000`, `yes`, `linear`."""
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if not isinstance(value, (int, float, np.number)):
        return str(value)
    whole = math.isfinite(value) and int(value) == value and abs(int(value)) <= _LARGEST
    return minus(f"{int(value):,}" if whole else f"{float(value):g}")


def missing(value: Any) -> bool:
    return value is None or value is pd.NaT or (isinstance(value, (float, np.floating)) and math.isnan(value))


def _is_number(value: Any) -> bool:
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.number)):
        return False
    return isinstance(value, (float, np.floating)) or abs(int(value)) <= _LARGEST
