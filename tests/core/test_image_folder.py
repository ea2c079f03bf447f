"""A folder of images becomes a data set: sizes, classes, colours; what is no image is named."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rbm_core.datasets import DatasetError, load, look
from tests.core.image_files import grey, save


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
    with pytest.raises(DatasetError, match=f"{path}: its pixels must be finite and in"):
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


def test_a_folder_is_not_walked_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "_MOST_ENTRIES", 20)
    for n in range(30):
        (tmp_path / f"{n}.txt").touch()
    with pytest.raises(DatasetError, match="holds more than 20 files and folders; name the one"):
        load(str(tmp_path))
