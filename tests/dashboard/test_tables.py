"""Whatever stands in a table's rows, each of its columns is of one type and reaches the browser."""

from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from dashboard.ui import tables

THROWN: list[Any] = [
    *(None, float("nan"), float("inf"), -0.0, 0, -3, 7, 2**53, 2**70, 0.05, 1e-300, True, False),
    *("0.2 → 100", "", "None", "–", "a\x00b", "ß" * 500, "linear", b"bytes"),
    *([], ["a"], [1, None, "x"], ("t",), {"a": 1}, {1, 2}, object()),
    *(np.float32(1.5), np.int64(4), np.bool_(True), datetime(2026, 1, 2), pd.Timestamp("2026-01-02"), pd.NaT),
]


@pytest.mark.parametrize("seed", range(200))
def test_any_column_is_of_one_type(seed: int) -> None:
    """Draws of all kinds together, and of two or three kinds: what runs of several versions put into one column."""
    rng = np.random.default_rng(seed)
    pool = [
        THROWN[i] for i in rng.permutation(len(THROWN))[: rng.integers(1, 4 if seed % 2 else len(THROWN))]
    ]
    values = [pool[i] for i in rng.integers(0, len(pool), rng.integers(1, 12))]
    column = tables.column(values)
    assert len(column) == len(values)
    pa.array(column, from_pandas=True)  # raises where the types differ
    kinds = {type(value) for value in column if not tables.missing(value)}
    assert len(kinds) <= 1, kinds
    assert [tables.missing(value) for value in values] == [
        tables.missing(value) or (isinstance(value, list) and tables.missing(thrown))
        for value, thrown in zip(column, values, strict=True)
    ], "a value was lost or made up"


def test_a_number_is_written_as_people_read_it() -> None:
    values = [
        11000,
        11000.0,
        np.int64(1_234_567),
        -20_000,
        0.05,
        1e-05,
        5.0,
        0.0,
        2.5e20,
        True,
        "linear",
        None,
    ]
    assert [tables.words(value) for value in values] == [
        "11,000", "11,000", "1,234,567", "−20,000", "0.05", "1e−05", "5", "0", "2.5e+20", "yes", "linear", "None"
    ]  # fmt: skip


def test_a_setting_that_was_changed_makes_its_column_one_of_words() -> None:
    made = tables.frame([{"learning_rate": 0.2}, {"learning_rate": "0.2 → 100"}, {"learning_rate": None}, {}])
    assert made["learning_rate"].tolist() == ["0.2", "0.2 → 100", None, None]
    assert tables.frame([{"k": 1}, {"k": None}])["k"].dtype == float
    assert tables.frame([{"k": 1}, {"k": 5}])["k"].dtype == "int64"
    assert tables.frame([{"centred": True}, {"centred": False}])["centred"].tolist() == ["yes", "no"]
