"""Every evaluation of every run, in one table."""

from typing import Any

import pandas as pd
import streamlit as st

from dashboard import data
from dashboard.ui import tables
from dashboard.ui.charts import plain_number, table_button
from dashboard.ui.texts import sentence
from rbm_core.runs import RunError
from rbm_core.runs.evaluation_record import ESTIMATORS

# columns of numbers, with their digits after the point
DIGITS = {"step": 0, "test": 2, "train": 2, "valid": 2, "stderr": 2, "log Z": 2, "ess": 0, "pseudo test": 2}
DIGITS |= {"chains": 0, "seconds": 0}


def draw() -> None:
    rows = [row for info in data.runs() if not info.error for row in rows_of(info.name)]
    if not rows:
        return
    st.markdown("**Every evaluation of every run**")
    frame = tables.frame(rows).sort_values("when", ascending=False)
    numbers = {name: n for name, n in DIGITS.items() if pd.api.types.is_numeric_dtype(frame[name])}
    st.dataframe(
        frame.style.format({name: plain_number(digits) for name, digits in numbers.items()}),
        hide_index=True,
        height=min(38 + 35 * len(frame) + 3, 390),
        placeholder="–",
        column_config=heads(),
    )
    table_button("All evaluations", "evaluations", list(frame.columns), lambda: frame.itertuples(index=False))


def rows_of(run: str) -> list[dict[str, Any]]:
    try:
        return [cells(run, row) for row in data.reader(run).likelihood()]
    except RunError as error:
        st.warning(sentence(error))
        return []


def cells(run: str, row: dict[str, Any]) -> dict[str, Any]:
    settings = row.get("settings") or {}
    estimator = str(row.get("estimator", ""))
    temperatures = str(settings.get("betas", "")).replace("salakhutdinov-murray", "14500")
    return {
        "run": run,
        "step": row.get("step"),
        "estimator": ESTIMATORS[estimator].short if estimator in ESTIMATORS else estimator,
        "test": row.get("test_nats"),
        "stderr": row.get("stderr"),
        "believed": {"True": "yes", "False": "no"}.get(str(row.get("trusted")), "–"),
        "train": row.get("train_nats"),
        "valid": row.get("valid_nats"),
        "log Z": row.get("log_z"),
        "ess": row.get("ess"),
        "verdict": row.get("verdict"),
        "pseudo test": row.get("pseudo_test_nats"),
        "temperatures": temperatures or None,
        "chains": settings.get("n_chains"),
        "seconds": row.get("seconds"),
        "binarisation": row.get("binarisation"),
        "when": pd.to_datetime(row.get("time"), unit="s"),
    }


def heads() -> dict[str, Any]:
    nats = st.column_config.NumberColumn
    return {
        "run": st.column_config.TextColumn(width="medium", pinned=True),
        "test": nats("test, nats", help="Mean log p of the test images."),
        "believed": st.column_config.TextColumn("trust it?"),
        "train": nats("train, nats"),
        "valid": nats("valid, nats"),
        "stderr": nats("± nats", help="One standard error of log Z."),
        "log Z": nats("log Z, nats"),
        "ess": nats(
            "chains that count",
            width="medium",
            help="Of all chains, how many really carry the estimate: the effective sample size of the weaker "
            "direction.",
        ),
        "verdict": st.column_config.TextColumn(width="large"),
        "pseudo test": nats("pseudo, test, nats"),
        "seconds": nats("took, s"),
        "when": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm"),
    }
