"""Picture files that others made: any file is read, or costs one sentence, within its limits and at once."""

import io
import os
import struct
import subprocess
import sys
import time
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageFile, PngImagePlugin, WebPImagePlugin

from dashboard.figures import drawings
from rbm_core import picture_files
from rbm_core.picture_files import PictureError

CASES = 10_000 if os.environ.get("RBM_SOAK") else 400
AT_MOST_S = 2.0  # of processor time: others may have the cores
FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "PPM")


def encoded(format: str, mode: str = "RGB", size: tuple[int, int] = (40, 30), **more: object) -> bytes:
    grey = np.random.default_rng(0).integers(0, 256, (size[1], size[0]), np.uint8)
    file = io.BytesIO()
    Image.fromarray(grey).convert(mode).save(file, format, **more)
    return file.getvalue()


def originals() -> list[bytes]:
    told = PngImagePlugin.PngInfo()
    told.add_itxt("note", "x" * 200, zip=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    frames = [Image.new("P", (20, 20), n) for n in range(3)]
    film = io.BytesIO()
    frames[0].save(film, "GIF", save_all=True, append_images=frames[1:], transparency=0)
    return [
        *(encoded(format) for format in FORMATS),
        encoded("PNG", "P", pnginfo=told), encoded("PNG", "RGBA", exif=exif), encoded("PNG", "I;16"),
        encoded("JPEG", "CMYK"), encoded("JPEG", progressive=True, exif=exif), encoded("TIFF", "F"),
        encoded("TIFF", "1", compression="group4"), encoded("TIFF", compression="tiff_lzw"),
        encoded("TIFF", compression="jpeg"), encoded("WEBP", "RGBA", lossless=True), film.getvalue(),
    ]  # fmt: skip


ORIGINALS = originals()
# Numbers that a decoder may take for a size, a count or a place.
EVIL = [struct.pack(kind, n) for kind in ("<I", ">I") for n in (0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 0x10000)]
EVIL += [
    b"\0",
    b"\xff",
    b"\xff\xff",
    b"IEND",
    b"IDAT",
    b"acTL",
    b"\xff\xd9",
    b"\xff\xd8",
    b"VP8X",
    b"\x3b",
    b"\x2c",
]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A picture file with some bytes overwritten, cut out, doubled or moved."""
    content = bytearray(draw(st.sampled_from(ORIGINALS)))
    for _ in range(draw(st.integers(1, 6))):
        # Most of what a decoder believes stands in the first bytes.
        at = draw(st.one_of(st.integers(0, min(64, len(content))), st.integers(0, len(content))))
        piece = draw(st.one_of(st.sampled_from(EVIL), st.binary(max_size=8)))
        match draw(st.sampled_from(("overwrite", "insert", "cut", "end", "double"))):
            case "overwrite":
                content[at : at + len(piece)] = piece
            case "insert":
                content[at:at] = piece
            case "cut":
                del content[at : at + draw(st.integers(1, 200))]
            case "end":
                del content[at:]
            case "double":
                content[at:at] = content[: draw(st.integers(0, len(content)))]
    return bytes(content)


def whole_png(content: bytes) -> bytes:
    """The PNG with the right checksum behind each chunk, as a careful stranger would send it."""
    out, at = content[:8], 8
    while at + 12 <= len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        body = content[at + 4 : at + 8 + length]
        out += content[at : at + 4] + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + length
    return out


@pytest.mark.slow
@settings(max_examples=CASES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(mutated(), st.booleans())
@example(b"", False)
@example(b"\x89PNG\r\n\x1a\n", False)
def test_a_mutated_file_is_read_or_costs_one_sentence(content: bytes, mend: bool) -> None:
    if mend and content.startswith(b"\x89PNG"):
        content = whole_png(content)
    began = time.process_time()
    for read in (picture_files.size, picture_files.grey, drawings.picture_from_file):
        with suppress(PictureError, drawings.DrawingError):
            read(content)
    assert time.process_time() - began < 3 * AT_MOST_S


@pytest.mark.parametrize("format", ["PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_a_large_upload_is_refused_by_its_head(format: str) -> None:
    file = io.BytesIO()
    # method: WebP's encoder, not its reader, would take seconds
    Image.new("L", (6300, 6300)).save(file, format, **({"method": 0} if format == "WEBP" else {}))
    content, began = file.getvalue(), time.process_time()
    with pytest.raises(drawings.DrawingError, match="6,300 × 6,300 pixels"):
        drawings.picture_from_file(content)
    assert time.process_time() - began < AT_MOST_S / 4, "its pixels were decoded first"


def test_the_size_of_a_picture_is_read_from_its_head(monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive of thousands of large pictures is measured, and refused, before a pixel is decoded."""
    for format in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM"):
        file = io.BytesIO()
        picture = Image.new("L", (400, 300))
        exif = picture.getexif()
        exif[ExifTags.Base.Orientation] = 6
        turned = format in ("PNG", "JPEG", "WEBP", "TIFF")
        picture.save(file, format, **({"exif": exif} if turned else {}))
        with monkeypatch.context() as patch:
            for kind in (ImageFile.ImageFile, PngImagePlugin.PngImageFile, WebPImagePlugin.WebPImageFile):
                patch.setattr(kind, "load", lambda self: pytest.fail("pixels are decoded"))
            assert picture_files.size(file.getvalue()) == ((300, 400) if turned else (400, 300)), format


def test_a_photograph_of_a_telephone_is_read_at_once() -> None:
    """A JPEG of 50 million pixels is decoded at an eighth of its size."""
    file = io.BytesIO()
    picture = Image.new("L", (8160, 6120), 255)
    picture.paste(0, (2000, 2000, 4000, 3000))
    picture.save(file, "JPEG")
    began = time.process_time()
    assert drawings.picture_from_file(file.getvalue()).max() == 1
    assert time.process_time() - began < AT_MOST_S


def test_the_largest_upload_that_is_read_takes_less_than_the_limit() -> None:
    file = io.BytesIO()
    picture = Image.new("RGBA", (3000, 2999), "white")
    picture.paste("black", (500, 500, 1500, 1000))
    picture.save(file, "PNG")
    began = time.process_time()
    drawings.picture_from_file(file.getvalue())
    assert time.process_time() - began < AT_MOST_S


def test_of_an_animation_the_first_frame_is_read_and_no_other() -> None:
    frames = [Image.new("L", (50, 50), n % 256) for n in range(1, 1500)]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    began = time.process_time()
    assert picture_files.grey(file.getvalue()).max() == 1
    assert time.process_time() - began < AT_MOST_S / 4


def test_text_chunks_that_swell_are_refused() -> None:
    swollen = zlib.compress(b"\0" * 200_000_000, 9)
    body = b"zTXtnote\0\0" + swollen
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    png = encoded("PNG")
    with pytest.raises(PictureError):
        picture_files.grey(png[:33] + chunk + png[33:])


def test_a_file_is_refused_by_its_bytes_before_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    with path.open("wb") as file:
        file.truncate(300_000_000)
    with pytest.raises(PictureError, match="300,000,000 bytes"):
        picture_files.grey(path)


def test_a_format_that_starts_a_program_is_not_tried() -> None:
    script = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n"
    with pytest.raises(PictureError, match="no picture of a format"):
        picture_files.grey(script)


@pytest.mark.slow
def test_a_head_that_promises_a_huge_canvas_takes_no_memory() -> None:
    """A WebP of 16,383 × 16,383 pixels: its decoder makes room for the canvas as soon as it is opened."""
    content = bytearray(encoded("WEBP", lossless=True))
    at = content.index(b"VP8L") + 9  # width and height less one, in 14 bits each
    content[at : at + 4] = struct.pack("<I", 16382 | 16382 << 14)
    program = (
        "import re, sys; from rbm_core.picture_files import *\n"
        "try: grey(sys.stdin.buffer.read(), most_pixels=9_000_000)\n"
        "except PictureError as error: print(error)\n"
        # Not ru_maxrss: a process inherits that from the one that started it, which is as large as the tests are.
        "print(int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]) // 1000)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], input=bytes(content), capture_output=True, check=True
    )
    said, megabytes = done.stdout.decode().splitlines()
    assert "pixels" in said
    assert int(megabytes) < 250


@pytest.mark.parametrize("room", ["rbm_core", "dashboard"])
def test_pictures_are_decoded_in_one_place(room: str) -> None:
    root = Path(picture_files.__file__).parent.parent / room
    opening = [path.name for path in sorted(root.rglob("*.py")) if "Image.open(" in path.read_text()]
    assert opening == (["picture_files.py"] if room == "rbm_core" else [])
