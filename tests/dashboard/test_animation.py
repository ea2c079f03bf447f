"""Animations to take away are read back from their own bytes: frames, time, pixels, captions, bounds."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageSequence

from dashboard.figures import animation


def noise(n: int, *shape: int) -> list[np.ndarray]:
    draws = np.random.default_rng(5)
    return [draws.integers(0, 256, shape, dtype=np.uint8) for _ in range(n)]


def read(content: bytes) -> tuple[list[np.ndarray], list[float]]:
    """(RGB frames, milliseconds of each)."""
    with Image.open(io.BytesIO(content)) as moving:
        pages = [
            (np.asarray(page.convert("RGB")), page.info["duration"])
            for page in ImageSequence.Iterator(moving)
        ]
    return [page for page, _ in pages], [time for _, time in pages]


@pytest.mark.parametrize("format", ["gif", "webp"])
def test_an_animation_holds_every_frame_for_its_time_and_loops(format: Any) -> None:
    content = animation.animation(noise(7, 28, 28), fps=12, captions="seed 7", format=format)
    pages, times = read(content)
    assert len(pages) == 7
    assert sum(times) == pytest.approx(7 / 12 * 1000, abs=5 if format == "gif" else 1)
    assert max(times) - min(times) <= (10 if format == "gif" else 1), "some frames stand longer than others"
    with Image.open(io.BytesIO(content)) as moving:
        assert moving.format == format.upper()
        assert moving.info["loop"] == 0, "it does not loop for ever"


@pytest.mark.parametrize(("format", "shape"), [("gif", (28, 28)), ("webp", (28, 28)), ("webp", (30, 20, 3))])
def test_pixels_survive_exactly_and_blown_up_by_a_whole_number(format: Any, shape: tuple[int, ...]) -> None:
    frames = noise(3, *shape)
    pages, _ = read(animation.animation(frames, fps=4, captions="run a · step 10 · seed 7", format=format))
    zoom = round(560 / max(shape[:2]))
    left = (pages[0].shape[1] - zoom * shape[1]) // 2
    for frame, page in zip(frames, pages, strict=True):
        seen = page[: zoom * shape[0], left : left + zoom * shape[1]]
        wanted = frame if frame.ndim == 3 else np.stack([frame] * 3, 2)
        assert np.array_equal(seen[::zoom, ::zoom], wanted)
        assert np.array_equal(seen, wanted.repeat(zoom, 0).repeat(zoom, 1)), "a cell is not blown up evenly"


def test_a_gif_of_few_colours_is_exact_and_of_many_is_near() -> None:
    few = [np.array([[[255, 0, 0], [0, 90, 255]]], np.uint8), np.array([[[0, 90, 255], [9, 9, 9]]], np.uint8)]
    pages, _ = read(animation.animation(few, fps=2, captions="", format="gif"))
    assert [page[5, 5].tolist() for page in pages] == [[255, 0, 0], [0, 90, 255]]
    ramp = np.stack([np.linspace(0, 255, 300), np.linspace(255, 0, 300), np.full(300, 60)], 1)
    many = np.round(ramp)[None].repeat(4, 0).astype(np.uint8)
    page = read(animation.animation([many], fps=2, captions="", format="gif"))[0][0]
    assert np.abs(page[0, ::2].astype(int) - many[0]).max() < 16, "256 colours hold a ramp of 300 badly"


def test_captions_are_written_beneath_each_frame() -> None:
    black = [np.zeros((28, 28), np.uint8)] * 2
    pages, _ = read(animation.animation(black, fps=2, captions=["step 1", "step 66,000"], format="webp"))
    strips = [page[560:, :, 0] for page in pages]
    assert all(strip.min() < 80 and strip.max() == 255 for strip in strips), "no dark letters on white"
    assert not np.array_equal(*strips), "two captions look alike"
    assert (strips[1] < 128).sum() > (strips[0] < 128).sum(), "the longer caption has less ink"


def test_a_long_caption_is_broken_into_lines_within_the_picture() -> None:
    words = "run with-a-rather-long-name · step 66,000 · seed 7 · " * 6
    page = read(animation.animation(noise(1, 28, 28), fps=2, captions=words, format="webp"))[0][0]
    strip = page[560:, :, 0]
    assert (strip[:, -5:] == 255).all(), "letters run over the edge"
    rows = (strip < 128).any(1)
    lines = int((rows[1:] & ~rows[:-1]).sum())
    assert lines >= 4, f"{lines} lines hold {len(words)} letters"


def test_a_picture_is_one_frame_with_its_caption() -> None:
    frame = noise(1, 14, 28)[0]
    with Image.open(io.BytesIO(animation.picture(frame, "seed 7"))) as image:
        page = np.asarray(image)
        assert image.format == "PNG"
    assert np.array_equal(page[: 14 * 20 : 20, ::20], frame)
    assert page[14 * 20 :].min() < 80


def test_tiles_lie_in_rows_with_a_gap() -> None:
    tiles = np.stack(noise(5, 4, 6))
    grid = animation.tiled(tiles, 3, gap=2)
    assert grid.shape == (10, 22)
    assert np.array_equal(grid[6:, 8:14], tiles[4])
    assert (grid[4:6] == 128).all()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"frames": []}, "at least one frame"),
        ({"frames": [np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8)]}, "one shape"),
        ({"frames": [np.zeros(4, np.uint8)]}, "one shape"),
        ({"frames": [np.zeros((2, 2), np.uint8)] * 601}, "at most 600 frames, got 601"),
        ({"frames": [np.zeros((1200, 1200), np.uint8)] * 100}, "90 million pixels"),
        ({"fps": 0}, "at most 50 frames a second, got 0"),
        ({"captions": ["a", "b"]}, "takes one caption or 1, got 2"),
    ],
)
def test_what_is_no_animation_costs_one_sentence(changes: dict[str, Any], sentence: str) -> None:
    fields: dict[str, Any] = {"frames": noise(1, 2, 2), "fps": 4, "captions": "", "format": "gif", **changes}
    with pytest.raises(animation.AnimationError, match=sentence):
        animation.animation(fields.pop("frames"), **fields)


@pytest.mark.slow
def test_size_is_bounded_by_a_smaller_zoom_before_anything_is_refused() -> None:
    pages, _ = read(animation.animation(noise(600, 28, 28), fps=50, captions="", format="gif"))
    assert len(pages) == 600
    assert len(pages) * pages[0].shape[0] * pages[0].shape[1] <= animation.MOST_PIXELS
