"""A reader's own pictures: laid out as MNIST's digits are, and refused in one sentence."""

import io

import numpy as np
import pytest
from PIL import Image

from dashboard.figures import drawings


def strokes() -> np.ndarray:
    picture = np.zeros((140, 140), np.float32)
    picture[20:60, 90:100] = 1
    picture[50:60, 60:100] = 1
    return picture


def test_drawing_is_centred_as_mnist_is() -> None:
    image = drawings.placed(strokes(), (28, 28), as_mnist=True).reshape(28, 28)
    rows, columns = np.nonzero(image)
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20, "the ink does not fill 20 pixels"
    assert abs(rows.mean() - 13.5) < 1, "the centre of mass lies off the middle row"
    assert abs(columns.mean() - 13.5) < 1, "the centre of mass lies off the middle column"
    moved = np.roll(strokes(), (30, -40), (0, 1))
    assert np.array_equal(drawings.placed(moved, (28, 28), as_mnist=True), image.ravel()), (
        "the place on the pad matters"
    )


def test_a_drawing_for_other_data_keeps_its_place_on_the_pad() -> None:
    image = drawings.placed(strokes(), (28, 28), as_mnist=False).reshape(28, 28)
    rows, columns = np.nonzero(image)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (4, 11, 12, 19)
    assert "shrunk to 20 × 30 pixels" in drawings.words((30, 20), as_mnist=False)
    assert "MNIST" in drawings.words((28, 28), as_mnist=True)


@pytest.mark.parametrize("ink", [0, 255])
def test_upload_reads_dark_on_light_and_light_on_dark(ink: int) -> None:
    picture = np.where(strokes() > 0, ink, 255 - ink).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    seen = drawings.placed(drawings.picture_from_file(file.getvalue()), (28, 28), as_mnist=True)
    assert (seen != drawings.placed(strokes(), (28, 28), as_mnist=True)).mean() < 0.02


def test_uploads_that_are_no_picture_cost_one_sentence() -> None:
    def png(image: Image.Image) -> bytes:
        file = io.BytesIO()
        image.save(file, "PNG")
        return file.getvalue()

    for content, words in (
        (b"not an image", "cannot be read as a picture"),
        (png(Image.new("1", (20_000, 20_000))), "pixels"),
        (png(Image.new("L", (7_000, 7_000))), "pixels"),
        (png(Image.new("L", (50, 50), 200)), "all of one shade"),
    ):
        with pytest.raises(drawings.DrawingError, match=words):
            drawings.picture_from_file(content)
    with pytest.raises(drawings.DrawingError, match="empty"):
        drawings.placed(np.zeros((140, 140), np.float32), (28, 28), as_mnist=True)


def test_upload_twenty_thousand_pixels_wide_is_read() -> None:
    picture, file = np.zeros((300, 20_000), np.uint8), io.BytesIO()
    picture[50:250, 6_000:14_000] = 255
    Image.fromarray(picture).save(file, "PNG")
    image = drawings.placed(drawings.picture_from_file(file.getvalue()), (28, 28), as_mnist=True).reshape(
        28, 28
    )
    assert image.sum(1).max() == 20, "a broad stroke does not fill the box"
