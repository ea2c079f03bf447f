"""Files of numbers and archives that a visitor drops: read, or refused in one sentence, and what is read is finite."""

import gzip
import io
import os
import time
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from rbm_core.datasets import DatasetError, look, own
from rbm_core.datasets.look import Choices
from rbm_core.exchange.arrays import ExchangeError, read_arrays
from rbm_core.exchange.bundle import open_bundle, write_bundle
from rbm_core.exchange.parameters import understood
from rbm_core.runs import RunError, RunReader, list_runs, store
from rbm_core.runs.notes import Notes, read_notes, write_notes
from rbm_core.runs.past_models import read_past_models
from rbm_core.runs.recorder import check_resume
from tests.core.test_exchange import WRITERS as MODELS
from tests.robustness.damage import one_sentence
from tests.small_run import train_small

T = TypeVar("T")
SOAK = bool(os.environ.get("RBM_SOAK"))

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


SHARE = st.floats(0, 1, exclude_max=True)  # where in a file, whatever its length
NO_NUMBER = st.just(b"\xff" * 8)  # NaN as a float of any size
PLACES = st.lists(st.tuples(SHARE, st.binary(min_size=1, max_size=1) | NO_NUMBER), min_size=1, max_size=3)
CUT = st.tuples(SHARE, SHARE)
Change = list[tuple[float, bytes]] | tuple[float, float]


def changed(content: bytes, change: Change) -> bytes:
    """The content with up to three places changed, or without the stretch between two."""
    made = bytearray(content)
    if isinstance(change, tuple):
        begin, end = sorted(int(share * (len(made) + 1)) for share in change)
        del made[begin:end]
        return bytes(made)
    for share, others in change:
        at = int(share * len(made))
        made[at : at + len(others)] = others
    return bytes(made)


@pytest.mark.slow
@given(
    st.sampled_from(sorted(WHOLE)),
    st.none() | st.sampled_from(list(WHOLE)),
    PLACES | CUT,
    st.sampled_from(CHOICES),
)
def test_a_mutated_file_is_read_whole_or_costs_one_sentence(
    name: str, other_name: str | None, change: Change, choices: Choices
) -> None:
    began = time.process_time()
    assert sound(taken(other_name or name, changed(WHOLE[name], change), choices))
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


def tried(read: Callable[[], T]) -> T | None:
    """What this reads; None where it is refused, which costs one sentence."""
    try:
        return read()
    except (ExchangeError, RunError) as error:
        refused = str(error)
    assert one_sentence(refused), refused
    return None


class Files(dict[str, bytes]):
    """Contents by name, which hypothesis names in few words where a case fails."""

    def __repr__(self) -> str:
        return f"{len(self)} files"


@pytest.fixture(scope="module")
def models(place: Path) -> dict[str, bytes]:
    """A model's file of every kind that is imported, by name."""
    for name, write in MODELS.items():
        write(place / name)
    return Files({name: (place / name).read_bytes() for name in MODELS})


@pytest.mark.slow
@given(st.sampled_from(sorted(MODELS)), st.none() | st.sampled_from(sorted(MODELS)), PLACES | CUT)
def test_a_mutated_model_is_understood_whole_or_costs_one_sentence(
    place: Path, models: dict[str, bytes], name: str, other_name: str | None, change: Change
) -> None:
    file = place / (other_name or name)
    file.write_bytes(changed(models[name], change))
    began = time.process_time()
    found = tried(lambda: understood(read_arrays(file)))
    if found is not None:
        assert found.W.shape == (len(found.vbias), len(found.hbias))
        assert all(np.isfinite(one).all() for one in (found.W, found.vbias, found.hbias))
    assert time.process_time() - began < 2


@pytest.fixture(scope="module")
def bundle(place: Path) -> dict[str, bytes]:
    """The files of a whole bundle, by name."""
    run = train_small(place / "whole", "run", dataset="bars-and-stripes", n_hidden=6, epochs=4, n_valid=0)
    write_notes(run, Notes(("tag",), "note"))
    write_bundle(run, place / "whole.zip")
    with zipfile.ZipFile(place / "whole.zip") as archive:
        return Files({name: archive.read(name) for name in archive.namelist()})


@pytest.mark.slow
@settings(max_examples=1500 if SOAK else 60)
@given(SHARE, PLACES | CUT)
def test_a_whole_bundle_with_a_mutated_file_in_it_opens_as_a_run_that_reads_or_not_at_all(
    place: Path, bundle: dict[str, bytes], which: float, change: Change
) -> None:
    name = sorted(bundle)[int(which * len(bundle))]
    # Stored anew, so that no checksum of the archive finds it.
    (place / "run.zip").write_bytes(zipped(**bundle | {name: changed(bundle[name], change)}))
    root, began = place / "opened", time.process_time()
    run = tried(lambda: open_bundle(place / "run.zip", root, "new"))
    if run is not None:
        reader = RunReader(run)
        for step in reader.snapshot_steps():
            reader.snapshot(step)
        for read in (read_notes, read_past_models, check_resume, store.resumable):
            tried(partial(read, run))
        (info,) = [one for one in list_runs(root) if one.name == "new"]
        assert info.error is None
        store.delete_run(root, "new")
    assert list(root.glob("*")) == []
    assert time.process_time() - began < 2


def test_a_letter_that_ends_beyond_the_first_glance_is_no_damage() -> None:
    head = b"x" * 65_535 + "é".encode()
    cases = taken("letters.csv", head + b",b\n1,2\n3,4\n", Choices())
    assert cases is not None
    assert len(cases.images) == 2
