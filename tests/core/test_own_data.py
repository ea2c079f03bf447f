"""Data of one's own: every kind of file is understood, and damaged, lying and oversized ones are one sentence."""

import gzip
import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from PIL import Image

from rbm_core import cli, datasets
from rbm_core.datasets import DatasetError, load, look, own
from rbm_core.datasets.look import Choices
from rbm_core.pixels import PixelScale
from rbm_core.runs import RunReader
from tests.core.image_files import grey, save

RNG = np.random.default_rng(3)
BYTES = RNG.integers(0, 256, (30, 6, 5), dtype=np.uint8)
CLASSES = np.arange(30) % 3


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npz(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def picture(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


def zipped(**members: bytes) -> bytes:
    return zipped_names(
        {name.replace("__", "/").replace("_dot_", "."): body for name, body in members.items()}
    )


def zipped_names(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return file.getvalue()


def found(folder: Path, name: str, content: bytes, choices: Choices = look.AS_FOUND) -> look.Found:
    path = folder / name
    path.write_bytes(content)
    return look.look(path, choices)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.npy", npy(BYTES)),
        ("a.npy", npy(BYTES.astype(np.int64))),
        ("a.npy", npy(BYTES.astype(np.float32))),
        ("a.npy", npy(BYTES / 255)),
        ("a.npy", npy(BYTES[..., None])),
        ("a.npy", npy(np.repeat(BYTES[..., None], 3, axis=3))),
        ("a.npz", npz(images=BYTES)),
        ("a.npz", npz(other=np.zeros(3), whatever=BYTES)),
        ("a.idx", idx(BYTES)),
        ("a-images-idx3-ubyte", idx(BYTES)),
        ("a.idx3-ubyte.gz", gzip.compress(idx(BYTES))),
        ("a.zip", zipped(a_dot_npy=npy(BYTES))),
        ("a.zip", zipped_names({f"{k:02d}.png": picture(image) for k, image in enumerate(BYTES)})),
    ],
)
def test_the_same_pictures_come_out_of_every_kind_of_file(tmp_path: Path, name: str, content: bytes) -> None:
    made = own.cases(found(tmp_path, name, content))
    values = made.images if made.images.dtype == np.uint8 else 255 * made.images
    np.testing.assert_allclose(values, BYTES, atol=1e-4)
    assert made.columns is None


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.npz", npz(x=BYTES, y=CLASSES)),
        ("a.npz", npz(x_train=BYTES, y_train=CLASSES)),
        (
            "a.zip",
            zipped_names({f"d/{c}/{k:02d}.png": picture(BYTES[k]) for k, c in enumerate(CLASSES)}),
        ),
    ],
)
def test_classes_come_from_an_array_or_from_folders_at_any_depth(
    tmp_path: Path, name: str, content: bytes
) -> None:
    made = own.cases(found(tmp_path, name, content))
    assert made.labels is not None
    pairs = {(image.tobytes(), int(label)) for image, label in zip(made.images, made.labels, strict=True)}
    assert pairs == {(image.tobytes(), int(label)) for image, label in zip(BYTES, CLASSES, strict=True)}


def test_the_same_class_in_two_branches_is_one(tmp_path: Path) -> None:
    for branch in ("train", "test"):
        for kind in ("cat", "dog"):
            save(tmp_path, f"{branch}/{kind}/1.png", grey(1))
    assert own.cases(look.look(tmp_path)).labels is not None
    assert set(look.look(tmp_path).classes or ()) == {"cat", "dog"}


TABLE = "height,age,class\n1.5,30,b\n2.5,40,a\n2.0,80,b\n"


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_table_keeps_its_names_and_says_what_0_and_1_stand_for(tmp_path: Path, separator: str) -> None:
    seen = found(tmp_path, "people.csv", TABLE.replace(",", separator).encode())
    made = own.cases(seen)
    assert made.columns == ("height", "age")
    assert made.labels is not None
    assert made.labels.tolist() == [1, 0, 1]
    assert made.ranges is not None
    assert made.ranges.tolist() == [[1.5, 30], [2.5, 80]]
    np.testing.assert_allclose(made.images[:, 0], [[0, 0], [1, 0.2], [0.5, 1]])
    back = made.ranges[0] + made.images[:, 0] * (made.ranges[1] - made.ranges[0])
    np.testing.assert_allclose(back, [[1.5, 30], [2.5, 40], [2.0, 80]], rtol=1e-6)
    assert "3 rows of 2 columns" in own.said(seen)


@pytest.mark.parametrize("names", ["height;age;class\n", ""])
def test_commas_stand_for_decimal_points_where_they_do_not_separate(tmp_path: Path, names: str) -> None:
    content = names + "1,5;30;1\n-2,25;40,5;0\n2;8e1;1\n"
    label = "class" if names else "column 3"
    made = own.cases(found(tmp_path, "a.csv", content.encode(), Choices(labels=label)))
    assert made.ranges is not None
    assert made.ranges.tolist() == [[-2.25, 30], [2, 80]]
    points = own.cases(found(tmp_path, "b.csv", b"a;note\n1.5;x,y 1,2\n2.5;z\n", Choices(labels="note")))
    assert points.ranges is not None
    assert points.ranges.tolist() == [[1.5], [2.5]], "a comma in a word changes no number"


@pytest.mark.parametrize("row_names", [("0", "1", "2"), ("anna", "ben", "cleo")])
@pytest.mark.parametrize("corner", ["", '""'])
def test_a_first_column_without_a_name_names_the_rows_and_is_not_learned(
    tmp_path: Path, row_names: tuple[str, ...], corner: str
) -> None:
    lines = zip((corner, *row_names), TABLE.splitlines(), strict=True)
    seen = found(tmp_path, "a.csv", "\n".join(map(",".join, lines)).encode())
    made, plain = own.cases(seen), own.cases(found(tmp_path, "b.csv", TABLE.encode()))
    assert made.columns == plain.columns
    np.testing.assert_array_equal(made.images, plain.images)
    assert "names the rows: it is left out" in own.said(seen)


def test_a_table_of_0_and_1_is_taken_as_it_is(tmp_path: Path) -> None:
    made = own.cases(found(tmp_path, "a.csv", b"x,y\n0,1\n1,1\n"))
    assert made.ranges is None
    assert made.images.tolist() == [[[0, 1]], [[1, 1]]]


def test_a_constant_column_is_no_division_by_zero(tmp_path: Path) -> None:
    made = own.cases(found(tmp_path, "a.csv", b"x,y\n7,1\n7,5\n"))
    assert made.images[:, 0].tolist() == [[0, 0], [0, 1]]


def test_numbers_without_names_that_make_a_square_are_pictures_unless_one_says_no(tmp_path: Path) -> None:
    content = "\n".join(",".join(map(str, row)) for row in BYTES.reshape(-1, 25)[:20]).encode()
    seen = found(tmp_path, "a.csv", content)
    assert own.cases(seen).images.shape == (20, 5, 5)
    table = own.cases(seen, Choices(table=True))
    assert table.images.shape == (20, 1, 25)
    assert table.columns is not None
    assert table.columns[0] == "column 1"


def test_every_choice_does_what_it_says(tmp_path: Path) -> None:
    colours = np.zeros((4, 6, 6, 3), np.uint8)
    colours[..., 0], colours[..., 2] = 200, 50
    seen = found(tmp_path, "a.npy", npy(colours))
    for channel, value in (
        ("red", 200),
        ("green", 0),
        ("blue", 50),
        ("luminance", round(0.299 * 200 + 0.114 * 50)),
    ):
        made = own.cases(seen, Choices(grey=channel))
        assert made.images.dtype == np.uint8
        assert set(made.images.ravel().tolist()) == {value}, channel
    assert set(own.cases(seen, Choices(grey="red", inverted=True)).images.ravel().tolist()) == {55}
    assert own.cases(seen, Choices(size=(3, 4))).images.shape == (4, 4, 3)
    one = found(tmp_path, "b.png", picture(colours[0]))
    assert own.cases(one, Choices(grey="blue")).images.max() == 50
    numbered = TABLE.replace("b\n", "1\n").replace("a\n", "2\n").encode()
    by_age = own.cases(found(tmp_path, "c.csv", numbered, Choices(labels="age")))
    assert by_age.columns == ("height", "class")


def test_a_picture_of_another_shape_is_cut_or_kept_whole_in_a_margin_of_its_edges_grey(
    tmp_path: Path,
) -> None:
    wide = np.full((20, 60), 240, np.uint8)  # light paper, with a dark mark at either end
    wide[8:12, 2:8] = wide[8:12, -8:-2] = 10
    seen = found(tmp_path, "a.png", picture(wide))
    cut, whole = (own.cases(seen, Choices(size=(20, 20), whole=whole)).images[0] for whole in (False, True))
    assert cut.shape == whole.shape == (20, 20)
    assert cut.min() > 200, "the marks at the ends are beyond the square that is left"
    assert (whole[:, :4].min() < 120, whole[:, -4:].min() < 120) == (True, True), "both marks are there"
    assert whole[0].tolist() == whole[-1].tolist() == [240] * 20, "the margin is paper, not black"
    assert "cut to the shape" in own.said(seen, Choices(size=(20, 20)))
    assert "kept whole, with a margin" in own.said(seen, Choices(size=(20, 20), whole=True))
    assert own.other_shapes(seen, Choices(size=(20, 20)))
    assert not own.other_shapes(seen, Choices(size=(30, 10))), "smaller, but of its shape"
    line = found(tmp_path, "b.png", picture(np.zeros((1, 900), np.uint8)))
    assert own.cases(line, Choices(size=(8, 8), whole=True)).images.shape == (1, 8, 8)
    array = found(tmp_path, "c.npy", npy(np.stack([wide, wide])))
    np.testing.assert_array_equal(own.cases(array, Choices(size=(20, 20), whole=True)).images[1], whole)


def test_mixed_sizes_are_said(tmp_path: Path) -> None:
    for k in range(3):
        save(tmp_path, f"{k}.png", grey(k, (30 + k // 2, 40)))
    sentence = own.said(look.look(tmp_path))
    assert "3 pictures, 28 × 28" in sentence
    assert "of 2 sizes (2 are 30 × 40)" in sentence


def test_what_is_kept_is_found_again_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text(TABLE)
    name = datasets.brought_in(tmp_path / "people.csv", root=tmp_path / "data")
    assert name == datasets.brought_in(tmp_path / "people.csv", root=tmp_path / "data")
    (tmp_path / "people.csv").unlink()
    data = load(name, root=tmp_path / "data")
    assert data.columns == ("height", "age")
    assert data.image_shape == (1, 2)
    assert data.ranges is not None
    assert datasets.available(name, root=tmp_path / "data")
    kept = tmp_path / "data" / "own" / f"{name}.safetensors"
    content = bytearray(kept.read_bytes())
    content[-1] ^= 1
    kept.write_bytes(content)
    with pytest.raises(DatasetError, match="is damaged"):
        load(name, root=tmp_path / "data")


DESCRIBED = (
    "x",
    "{}",
    '"x"',
    "3",
    "[1]",
    "[null]",
    "[[]]",
    "[NaN]",
    "[" * 100_000,
    "[" * 40 + "]" * 40,
    "[1e999]",
)


@pytest.mark.parametrize("what", ["columns", "classes"])
def test_what_is_kept_with_any_description_is_data_or_one_sentence(tmp_path: Path, what: str) -> None:
    (tmp_path / "people.csv").write_text(TABLE)
    name = datasets.brought_in(tmp_path / "people.csv", root=tmp_path)
    file = tmp_path / "own" / f"{name}.safetensors"
    arrays = safetensors.numpy.load(file.read_bytes())
    for text in DESCRIBED:
        described = {"columns": '["height", "age"]', "classes": "null", "title": "people", what: text}
        file.write_bytes(safetensors.numpy.save(arrays, metadata=described))
        with pytest.raises(DatasetError, match="is damaged") as refusal:
            load(name, root=tmp_path)
        assert "\n" not in str(refusal.value)


def lying_npy() -> bytes:
    whole = npy(np.zeros((2, 2), np.float32))
    return whole.replace(b"(2, 2)", b"(9, 9)")


def bomb() -> bytes:
    """A zip whose members say that they unpack to 3 GB."""
    content = bytearray(zipped(a_dot_png=b"x" * 100))
    central = content.rindex(b"PK\x01\x02")
    content[central + 24 : central + 28] = struct.pack("<I", 3_000_000_000)
    return bytes(content)


def understated() -> bytes:
    """A zip whose member is longer than its directory says."""
    content = bytearray(zipped(a_dot_csv=b"1,2\n" * 1000))
    central = content.rindex(b"PK\x01\x02")
    content[central + 24 : central + 28] = struct.pack("<I", 10)
    return bytes(content)


def huge_npy() -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": "<f4", "fortran_order": False, "shape": (10**6, 10**6)}
    )
    return file.getvalue()


def linked() -> bytes:
    """A zip whose only picture is a symbolic link to a file of the system."""
    file, link = io.BytesIO(), zipfile.ZipInfo("a.png")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    return file.getvalue()


def objects() -> bytes:
    return npy(np.array([{"a": 1}, [2]], dtype=object))


BAD: list[tuple[str, Callable[[], bytes], str]] = [
    ("a.npy", lambda: b"", "no whole .npy"),
    ("a.npy", lambda: b"\x93NUMPY\x01\x00", "no whole .npy"),
    ("a.npy", lambda: npy(BYTES)[:-7], "no whole .npy"),
    ("a.npy", lying_npy, "no whole .npy"),
    ("a.npy", huge_npy, "at most"),
    ("a.npy", objects, "Python objects"),
    ("a.npy", lambda: npy(np.array(["a", "b"])), "not real numbers"),
    ("a.npy", lambda: npy(np.zeros((3, 2), complex)), "not real numbers"),
    ("a.npy", lambda: npy(np.zeros(5)), "has shape"),
    ("a.npy", lambda: npy(np.zeros((0, 5, 5))), "has shape"),
    ("a.npy", lambda: npy(np.zeros((2, 2, 2, 7))), "has shape"),
    ("a.npy", lambda: npy(np.array([[1.0, np.nan]])), "nan in row 1"),
    ("a.npy", lambda: npy(np.array([[1.0, np.inf]])), "inf in row 1"),
    ("a.npz", lambda: npz(x=np.zeros(3)), "it needs an array with a case a row"),
    ("a.npz", lambda: npz(x=np.array([[None]], object)), "Python objects"),
    ("a.npz", lambda: b"PK\x03\x04 half", "damaged"),
    ("a.zip", lambda: b"", "damaged"),
    ("a.zip", lambda: zipped(a_dot_txt=b"hello"), "it needs pictures"),
    ("a.zip", lambda: zipped(a_dot_zip=zipped(b_dot_npy=npy(BYTES))), "it needs pictures"),
    ("a.zip", lambda: zipped(a_dot_png=b"no picture"), "cannot read the image"),
    ("a.zip", lambda: zipped_names({}), "it needs pictures"),
    ("a.zip", bomb, "at most"),
    ("a.zip", understated, "a.csv"),
    ("a.gz", lambda: b"no gzip", "cannot be unpacked"),
    ("a.npy.gz", lambda: gzip.compress(npy(BYTES))[:-20], "cannot be unpacked"),
    ("a.csv", lambda: b"", "no table"),
    ("a.csv", lambda: b"\xff\xfe\x00\x01", "CSV in UTF-8"),
    ("a.csv", lambda: b"1,2\n3,4,5\n", "no table"),
    ("a.csv", lambda: b"a,b\n", "no values"),
    ("a.csv", lambda: b"a,b\n1,\n", "nan in row 1, column 'b'"),
    ("a.csv", lambda: b"a,b\n1,red\n2,blue\n", "column 'b' of a.csv holds 'red'"),
    ("a.csv", lambda: b"a,b\n1,1e999\n", "inf in row 1"),
    ("a.csv", lambda: b",".join([b"1"] * 100_000) + b"\n", "100,000 columns, and at most 65,536"),
    ("a.csv", lambda: "größe,b\n1,2\n".encode("latin-1"), "CSV in UTF-8"),
    ("a.csv", lambda: "a,b\n1,2\n".encode("utf-16"), "CSV in UTF-8"),
    ("a.csv", lambda: b'a,b\n"1,2\n3,4\n', "no table"),
    ("a.csv", lambda: b"a,b\n1,\0\n2,3\n", "which is no number"),
    ("a.csv", lambda: b"class\na\nb\n", "no values"),
    (
        "a.npy",
        lambda: npy(np.array([[1e308, -1e308], [-1e308, 1e308]])),
        "between −1e30 and 1e30",
    ),
    ("a.npy", lambda: npy(np.zeros(3, [("a", "f4"), ("b", "i4")])), "not real numbers"),
    ("a.npy", lambda: npy(np.float64(3)), "has shape ()"),
    ("a.zip", lambda: linked(), "cannot read the image a.png"),
    ("a.zip", lambda: zipped_names({"../../a.png": b"x", ".hidden/b.png": b"x"}), "it needs pictures"),
    ("a.idx", lambda: struct.pack(">BBBB", 0, 0, 8, 200), "no whole idx"),
    ("a.idx", lambda: idx(BYTES)[:-1], "no whole idx"),
    ("a.idx", lambda: b"\x00\x00\x0d\x03" + bytes(40), "no whole idx"),
    ("a.idx", lambda: idx(BYTES)[:4] + b"\xff" * 12, "no whole idx"),
    ("a.png", lambda: b"\x89PNG\r\n\x1a\n1234", "cannot read the image"),
    ("a.doc", lambda: b"hello", "of no kind that is read here"),
    ("a.pkl", lambda: b"cos\nsystem\n", "of no kind that is read here"),
]


@pytest.mark.parametrize(("name", "content", "said"), BAD, ids=[f"{name} {said}" for name, _, said in BAD])
def test_a_file_that_cannot_be_used_is_one_sentence(
    tmp_path: Path, name: str, content: Callable[[], bytes], said: str
) -> None:
    with pytest.raises(DatasetError) as raised:
        own.cases(found(tmp_path, name, content()))
    sentence = str(raised.value)
    assert said in sentence
    assert "\n" not in sentence
    assert len(sentence) < 400


def test_more_than_fits_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "MOST_BYTES", 1000)
    for name, content in (
        ("a.npy", npy(BYTES)),
        ("a.zip", zipped(a_dot_npy=npy(BYTES))),
        ("a.npy.gz", gzip.compress(npy(np.zeros((900, 5, 5), np.uint8)))),
    ):
        with pytest.raises(DatasetError, match=r"(at most|more than) 1,000"):
            found(tmp_path, name, content)


@pytest.mark.parametrize("name", ["digits-8", "digits-16"])
def test_the_small_digits_are_digits_in_their_size(name: str) -> None:
    data = load(name)
    side = int(name.split("-")[1])
    assert data.image_shape == (side, side)
    assert datasets.sizes(name, 500) == (len(load(name, n_valid=500).train), side * side)
    assert data.train_labels is not None
    assert set(data.train_labels.tolist()) == set(range(10))
    # A digit lights the middle more than the border.
    mean = data.train.mean(0).reshape(side, side)
    assert mean[side // 4 : -side // 4, side // 4 : -side // 4].mean() > 4 * mean[:, 0].mean()


def test_letters_are_turned_upright_and_numbered_from_0(tmp_path: Path) -> None:
    raw = tmp_path / "EMNIST" / "raw"
    raw.mkdir(parents=True)
    lying = np.zeros((25, 28, 28), np.uint8)
    lying[:, 3, 20] = 255
    for part in ("train", "test"):
        (raw / f"emnist-letters-{part}-images-idx3-ubyte").write_bytes(idx(lying))
        (raw / f"emnist-letters-{part}-labels-idx1-ubyte").write_bytes(idx(np.arange(1, 26, dtype=np.uint8)))
    data = load("emnist-letters", n_valid=5, root=tmp_path)
    assert data.train.reshape(-1, 28, 28)[0].nonzero() == (np.array([20]), np.array([3]))
    assert data.test_labels is not None
    assert sorted(data.test_labels.tolist()) == list(range(25))


def test_a_table_trains_from_the_command_line_and_goes_on_without_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RBM_DATA_DIR", str(tmp_path / "data"))
    lines = ["height,weight,constant"]
    lines += [f"{1.7 + 0.1 * x:.4f},{70 + 10 * y:.3f},3" for x, y in RNG.normal(size=(200, 2))]
    file = tmp_path / "people.csv"
    file.write_text("\n".join(lines))
    command = [
        "train",
        "--preset",
        "quick",
        "--dataset",
        str(file),
        "--runs",
        str(tmp_path / "runs"),
        "--name",
        "people",
    ]
    settings = {
        "visible": "gaussian",
        "learning_rate": 0.01,
        "n_hidden": 5,
        "batch_size": 20,
        "precision": "float32",
    }
    assert (
        cli.main(
            [*command, "--epochs", "3", *(x for k, v in settings.items() for x in ("--set", f"{k}={v}"))]
        )
        == 0
    )
    file.unlink()
    reader = RunReader(tmp_path / "runs" / "people")
    data = reader.config()["data"]
    assert data["columns"] == ["height", "weight", "constant"]
    assert data["ranges"][0][2] == data["ranges"][1][2] == 3
    assert load(reader.config()["config"]["dataset"]).fingerprint == data["fingerprint"]
    probe = reader.probe()
    assert probe is not None
    assert probe.scale is not None
    # Standardised by their own deviation, which the floor for pictures would have replaced.
    assert probe.scale.std[2] == np.float32(0.001)


def test_the_deviation_of_a_column_with_an_outlier_is_its_own() -> None:
    column = np.concatenate([RNG.normal(0, 1, 999), [1000.0]])[:, None]
    unit = (column - column.min()) / (column.max() - column.min())
    assert PixelScale.of(unit).std[0] == np.float32(0.1)
    assert PixelScale.of(unit, columns=True).std[0] == pytest.approx(unit.std(), rel=1e-5)


def test_train_says_what_it_understood_and_takes_the_column_of_classes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = (f"{1 + k % 7},{k % 5},{('red', 'white')[k % 2]}" for k in range(40))
    (tmp_path / "wine.csv").write_text("alcohol,ash,kind\n" + "\n".join(rows))
    train = [
        "train",
        "--preset",
        "quick",
        "--n-hidden",
        "4",
        "--epochs",
        "1",
        "--runs",
        str(tmp_path / "runs"),
    ]
    wine = ["--dataset", str(tmp_path / "wine.csv"), "--label-column", "kind"]

    def said(*more: str) -> str:
        code = cli.main([*train, *more])
        assert code == (0 if "--name" in more else 2)
        return " ".join(capsys.readouterr().err.split())

    words = said(*wine, "--set", "labels=true", "--name", "wine")
    assert "wine.csv: A table: 40 rows of 2 columns." in words
    assert "2 classes" in words
    assert "--set visible=gaussian learns the values" in words
    assert RunReader(tmp_path / "runs" / "wine").config()["data"]["classes"] == ["red", "white"]
    assert "no column 'sort'" in said(*wine[:2], "--label-column", "sort")
    for other in (["--dataset", "digits-8"], ["--from", "wine"], []):
        assert "--dataset names no file; give both" in said(*other, *wine[2:])
    np.save(tmp_path / "a.npy", np.zeros((20, 3)))
    assert "a.npy is no table" in said("--dataset", str(tmp_path / "a.npy"), *wine[2:])


def test_a_file_that_is_refused_leaves_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.csv").write_bytes(b"a,b\n1,red\n")
    runs = tmp_path / "runs"
    assert cli.main(["train", "--dataset", str(tmp_path / "a.csv"), "--runs", str(runs)]) == 2
    assert "column 'b' of a.csv holds 'red'" in " ".join(capsys.readouterr().err.split())
    assert not runs.exists() or not any(runs.iterdir())
