"""Files of numbers and archives that a visitor drops: read, or refused in one sentence, and what is read is finite."""

import gzip
import io
import os
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from rbm_core.datasets import DatasetError, look, own
from rbm_core.datasets.look import Choices
from rbm_core.exchange.arrays import ExchangeError
from rbm_core.exchange.bundle import open_bundle
from rbm_core.runs import RunError
from tests.robustness.damage import one_sentence

CHOICES = [Choices(), Choices(table=True), Choices(table=False), Choices(size=(8, 8)), Choices(inverted=True)]


def saved(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def zipped(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


GREY = np.arange(9 * 16, dtype=np.uint8).reshape(9, 4, 4)
TABLE = b"height,label,width\n" + b"".join(b"%d,%s,0.%d\n" % (n, b"ab"[n % 2 :][:1], n) for n in range(9))
WHOLE = {
    "a.npy": saved(GREY),
    "b.npy": saved(np.linspace(-3, 5, 40).reshape(10, 4)),
    "c.npz": zipped(**{"x.npy": saved(GREY), "y.npy": saved(np.arange(9))}),
    "d.csv": TABLE,
    "e.csv.gz": gzip.compress(TABLE, mtime=0),
    "f.idx": b"\0\0\x08\x03\0\0\0\x09\0\0\0\x04\0\0\0\x04" + GREY.tobytes(),
    "g.zip": zipped(**{"inner/d.csv": TABLE}),
}


def taken(name: str, content: bytes, choices: Choices) -> own.Cases | None:
    """What a run would learn from; None where the file is refused, which costs one sentence."""
    try:
        return own.cases(look.look_at([(name, content)], choices), choices)
    except DatasetError as error:
        refused = str(error)
    assert one_sentence(refused), refused
    return None


def sound(cases: own.Cases | None) -> bool:
    """Cases of a run: bytes, or float32 in [0, 1]."""
    if cases is None or cases.images.dtype == np.uint8:
        return True
    images = cases.images
    return images.dtype == np.float32 and bool(((images >= 0) & (images <= 1)).all())


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, bytes]:
    """One of the files with bytes changed, a stretch cut out, or under another's name."""
    name, content = draw(st.sampled_from(sorted(WHOLE.items())))
    changed = bytearray(content)
    for _ in range(draw(st.integers(0, 4))):
        changed[draw(st.integers(0, len(changed) - 1))] = draw(st.integers(0, 255))
    begin, end = sorted(draw(st.lists(st.integers(0, len(changed)), min_size=2, max_size=2)))
    if draw(st.booleans()):
        del changed[begin:end]
    return draw(st.sampled_from([name, name, name, *WHOLE])), bytes(changed)


@pytest.mark.slow
@given(mutated(), st.sampled_from(CHOICES))
def test_a_mutated_file_is_read_whole_or_costs_one_sentence(
    file: tuple[str, bytes], choices: Choices
) -> None:
    began = time.process_time()
    assert sound(taken(*file, choices))
    assert time.process_time() - began < 2


cells = st.one_of(
    st.integers(-5, 300).map(str),
    st.floats().map(repr),
    st.sampled_from(
        ["", " ", "1e308", "-1e308", "9" * 400, "nan", "label", " label", "label ", '"', "é", "#", "=1+1"]
    ),
    st.text(max_size=5),
)


@pytest.mark.slow
@given(st.lists(st.lists(cells, min_size=1, max_size=5), min_size=1, max_size=6), st.sampled_from(CHOICES))
@example([["a", " a"], ["1", "2"]], Choices())  # two columns of one name
@example([["label", " label"], ["1", "2"]], Choices())
@example([["1e308", "-1e308"], ["-1e308", "1e308"]], Choices())
@example([["", "9" * 400], ["0"]], Choices())  # names of columns longer than a sentence
@example([["9" * 400, "b"], ["word", "1"]], Choices(table=True))
@example([[f"{n}" * 300 for n in range(9)], ["1"] * 9], Choices(labels="x" * 300))
def test_a_table_of_any_cells_is_read_whole_or_costs_one_sentence(
    rows: list[list[str]], choices: Choices
) -> None:
    text = "\n".join(",".join(row) for row in rows)
    assert sound(taken("table.csv", text.encode("utf-8", "surrogatepass"), choices))


@pytest.mark.parametrize(
    "dtype", ["f2", "f4", "f8", "g", "i1", "i8", "u8", "?", "c8", "U3", "V4", "M8[s]", ">f4"]
)
@pytest.mark.parametrize(
    "shape", [(4,), (3, 4), (3, 5), (2, 3, 3), (2, 3, 3, 3), (2, 3, 3, 2), (0, 4), (3, 0)]
)
def test_an_array_of_any_type_and_shape_is_learned_from_or_refused(
    dtype: str, shape: tuple[int, ...]
) -> None:
    array = np.zeros(shape, np.dtype(dtype))
    if array.size and array.dtype.kind in "iuf":
        limits = np.finfo(array.dtype) if array.dtype.kind == "f" else np.iinfo(array.dtype)
        array.flat[0], array.flat[-1] = limits.max, limits.min
    for choices in CHOICES:
        assert sound(taken("array.npy", saved(array), choices))


def test_what_would_take_minutes_or_all_memory_is_refused_at_once() -> None:
    wide = b",".join([b"1"] * 3_000_000)
    deep = TABLE
    for _ in range(50):
        deep = gzip.compress(deep, mtime=0)
    claims = b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f8', 'fortran_order': False, 'shape': (999999999, 784), }"
    file = io.BytesIO()
    Image.new("1", (3000, 2999)).save(file, "PNG")
    many = zipped(**{f"{n}.png": file.getvalue() for n in range(500)})
    for name, content in (
        ("many.zip", many),
        ("long" * 2000 + ".csv", b"no,numbers\nat,all"),
        ("wide.csv", wide), ("deep.csv" + ".gz" * 50, deep), ("claims.npy", claims.ljust(128) + bytes(64)),
    ):  # fmt: skip
        began = time.process_time()
        assert taken(name, content, Choices()) is None, name
        assert time.process_time() - began < 2, name


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
@pytest.mark.parametrize("name", ["a.csv", "a.npy", "a.idx", "a.zip", "folder"])
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_a_pipe_or_a_device_is_refused_and_not_waited_for(tmp_path: Path, name: str, kind: str) -> None:
    path = tmp_path / name
    inside = path / "a.png" if name == "folder" else path
    inside.parent.mkdir(exist_ok=True)
    if kind == "pipe":
        os.mkfifo(inside)
    else:
        inside.symlink_to("/dev/zero")
    with pytest.raises(DatasetError, match=r"a pipe or a device|no images in") as refused:
        look.look(path)
    assert one_sentence(str(refused.value))
    if name == "a.zip":
        with pytest.raises(ExchangeError, match="is not a file"):
            open_bundle(path, tmp_path / "store", "new")


PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bundles")


@given(
    st.sampled_from(PACKED),
    st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.sampled_from([0, 1, 9, 14, 93, 99, 255])), max_size=5
    ),
)
def test_a_damaged_bundle_of_a_run_costs_one_sentence_and_leaves_nothing(
    place: Path, how: int, changes: list[tuple[float, int]]
) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", how) as archive:
        archive.writestr("run/config.json", b'{"schema": 1}' * 20)
        archive.writestr("run/status.json", b"x" * 100)
    content = bytearray(file.getvalue())
    for share, byte in changes:
        content[int(share * len(content))] = byte
    (place / "run.zip").write_bytes(content)
    with pytest.raises((ExchangeError, RunError)) as refused:
        open_bundle(place / "run.zip", place / "store", "new")
    assert one_sentence(str(refused.value))
    assert list((place / "store").glob("*")) == []


def test_a_letter_that_ends_beyond_the_first_glance_is_no_damage() -> None:
    head = b"x" * 65_535 + "é".encode()
    cases = taken("letters.csv", head + b",b\n1,2\n3,4\n", Choices())
    assert cases is not None
    assert len(cases.images) == 2
