"""Runs on tables: strips with the columns' names, values in the data's own units, words about rows and columns."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dashboard.components import page
from dashboard.components.blob import unpack
from dashboard.figures import cases
from rbm_core.cli import main
from rbm_core.strips import strips
from tests.dashboard.opened import fed, open_page

COLUMNS = ["alcohol", "malic_acid", "ash"]
WINE: dict[str, Any] = {
    "data": {"image_shape": [1, 3], "columns": COLUMNS, "ranges": [[11.0, 0.7, 1.4], [14.8, 5.8, 3.2]]}
}


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"data": None},
        {"data": {"image_shape": [1, 3]}},
        {"data": {"image_shape": [28, 28], "columns": COLUMNS}},
        {"data": {"columns": COLUMNS}},
        {"data": {"image_shape": [1, 3], "columns": COLUMNS[:2]}},
    ],
)
def test_what_is_no_table_stays_about_pictures(config: dict[str, Any]) -> None:
    header = {"title": "Images", "facts": [["mean pixel", ""]]}
    assert cases.table_of(config) is None
    assert cases.columns_of(config) is None
    assert cases.dressed(header, config) is header


def test_a_table_names_its_columns_and_their_own_units() -> None:
    table = cases.table_of(WINE)
    assert table is not None
    assert table["columns"] == COLUMNS
    assert (table["low"][0], table["high"][0]) == (11.0, 14.8)


@pytest.mark.parametrize("ranges", [None, [], [[0.0], [1.0]]])
def test_without_ranges_that_fit_values_stand_for_themselves(ranges: Any) -> None:
    table = cases.table_of({"data": {**WINE["data"], "ranges": ranges}})
    assert table is not None
    assert (table["low"], table["high"]) == ([0.0] * 3, [1.0] * 3)


@pytest.mark.parametrize(
    ("said", "then"),
    [
        ("An image of 784 pixels", "A row of 784 columns"),
        ("Images and pixels; Pixel; PICTURES.", "Rows and columns; Column; Rows."),
        ("an image, the picture's pixel", "a row, the row's column"),
        ("Test images of the digits", "Test rows of the rows"),
        ("each written as its digit; grey pixels", "each written as its class; columns"),
        ("imagery, pixelated, spicturesque", "imagery, pixelated, spicturesque"),
    ],
)
def test_texts_about_pictures_become_texts_about_rows(said: str, then: str) -> None:
    assert cases.in_words(said) == then


def test_no_word_about_pictures_is_left_in_what_a_player_shows() -> None:
    header = {
        "kind": "particles",
        "title": "An image",
        "note": "Images that the model's own chains have reached.",
        "hint": "Click an image.",
        "noun": "pixel",
        "unit": "grey value",
        "facts": [["mean pixel", "of images"]],
        "curves": [{"name": "Mean squared error", "unit": "per pixel"}],
        "frames": ["biases alone, no pixel yet"],
        "of": {"run": "image-run"},
    }
    dressed = cases.dressed(header, WINE)
    assert dressed["of"] == header["of"], "names stay as they are"
    shown = repr({key: value for key, value in dressed.items() if key not in ("of", "table")})
    assert not re.search(r"image|pixel|picture|grey", shown)
    assert header["noun"] == "pixel", "what was given is not changed"


@pytest.mark.parametrize(("n", "V"), [(1, 1), (5, 3), (100, 13), (32, 300), (1000, 30), (3, 2000)])
@pytest.mark.parametrize("colours", [(), (3,)])
def test_strips_show_every_row_once_in_its_own_shade(n: int, V: int, colours: tuple[int, ...]) -> None:
    rows = (np.arange(n) % 100 + 10).astype(np.uint8).reshape(n, 1, *[1] * len(colours))
    rows = np.broadcast_to(rows, (n, V, *colours)).copy()
    picture = strips(rows, [f"column {i} with a long name and an ümlaut 水" for i in range(V)])
    assert picture.ndim == 2 + len(colours)
    assert picture.nbytes < 40_000_000
    grey = picture if picture.ndim == 2 else picture[..., 0]
    assert set(range(10, 10 + min(n, 100))) <= set(np.unique(grey).tolist())


@pytest.fixture
def wine(runs_root: Path, tmp_path: Path) -> str:
    """A run on a small table of real values, its name."""
    rows = np.random.default_rng(0).normal([13, 2.3, 2.4], [0.8, 1.1, 0.3], (60, 3))
    np.savetxt(tmp_path / "wine.csv", rows, delimiter=",", header=",".join(COLUMNS), comments="")
    settings = ["--set", "visible=gaussian", "--n-hidden", "5", "--epochs", "2", "--set", "batch_size=10"]
    assert main(["train", "--dataset", str(tmp_path / "wine.csv"), "--name", "wine", *settings]) == 0
    return "wine"


@pytest.mark.parametrize("look", ["unit", "pixel", "image"])
def test_inspect_shows_a_table_by_its_columns_names(wine: str, look: str) -> None:
    app = open_page("inspect", run=wine, look=look)
    assert not app.exception
    headers = [unpack(element.proto.bytes)[0] for element in app.main.get("bidi_component")]
    assert headers
    for header in headers:
        assert header["table"]["columns"] == COLUMNS
        shown = " ".join(str(header.get(key, "")) for key in ("title", "note", "hint", "noun", "facts"))
        assert not re.search(r"(?i)\b(pixels?|images?|pictures?)\b", shown)


# Of the page itself, of another subject, or of the form of a new run, which is for any data.
ELSEWHERE = re.compile(
    r"camera button|Every picture on the page|Letters, digits|Your drawing|Data set|folder of images|shipped|"
    r"recognisable digits soon|passes over|What the machine learns to imitate"
)
ABOUT_PICTURES = re.compile(r"(?i)\b(pixels?|images?|pictures?|digits?|strokes?|grey)\b")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "query"),
    [("train", {}), ("gibbs", {}), ("evaluate", {})]
    + [("inspect", {"look": look}) for look in ("unit", "pixel", "image")],
)
def test_no_text_of_a_tables_page_is_about_pictures(wine: str, page: str, query: dict[str, str]) -> None:
    if page == "evaluate":
        assert main(["evaluate", wine, "--estimator", "exact"]) == 0
    app = open_page(page, run=wine, **query)
    assert not app.exception
    told = re.compile(r"^\s*(?:body|label|help|text|caption|content): (\".*\")$", re.MULTILINE)
    texts = [text for element in app.main for text in told.findall(str(getattr(element, "proto", "")))]
    assert len(texts) > 20
    assert [t for t in texts if ABOUT_PICTURES.search(t) and not ELSEWHERE.search(t)] == []
    if page == "train":  # the player of the curves says its own texts in these words
        assert fed(app, "curves")[0]["table"]["columns"] == COLUMNS


def test_the_single_page_of_a_table_speaks_of_rows() -> None:
    texts = {
        said: page.page(
            name="wine",
            summary="",
            notice="",
            facts={},
            timeline={},
            payloads={"curves": b"", "film": b""},
            said=said,
        ).decode()
        for said in (str, cases.in_words)
    }
    assert "from the picture, then the picture from" in texts[str]
    assert "from the row, then the row from" in texts[cases.in_words]


def test_inspect_says_that_a_row_cannot_be_drawn(wine: str) -> None:
    app = open_page("inspect", run=wine, look="drawing")
    assert not app.exception
    assert "cannot be drawn" in app.info[0].value


def test_a_mean_of_a_column_is_in_its_own_unit(wine: str) -> None:
    app = open_page("inspect", run=wine, look="pixel", pixel="0")
    mean = next(element.value for element in app.get("metric") if element.label == "Mean in the data")
    assert 12 < float(mean) < 14
    assert next(box for box in app.selectbox if box.label == "Column").options == COLUMNS
