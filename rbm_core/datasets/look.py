"""What a file or folder of one's own holds: pictures, a folder or zip of them, .npy, .npz, .csv, .tsv and idx files.

Nothing in them is believed: bytes are counted before they are unpacked, names lead nowhere, and nothing is ever run.
"""

import gzip
import io
import math
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np

from rbm_core import picture_files
from rbm_core.datasets.dataset import DatasetError
from rbm_core.datasets.published import idx_array

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "AS_FOUND",
    "MOST_BYTES",
    "SUFFIXES",
    "Choices",
    "Found",
    "Grey",
    "decoded",
    "look",
    "look_at",
    "may_hold_data",
]

SUFFIXES = (*picture_files.SUFFIXES, ".zip", ".npy", ".npz", ".csv", ".tsv", ".idx", ".gz")
"""How the names of files end that `look` reads; an idx file may also end in -ubyte."""
MOST_BYTES = 2_000_000_000
"""Bytes that are read, unpacked, of a file; and values (four bytes each) that are kept."""
_BLOCK = 1 << 20
_LABELS = ("label", "labels", "class", "target")  # a column or array of this name holds the classes
_ARRAYS = ("images", "x", "data", "x_train", "train", "train_images", "features")
_ARRAY_LABELS = (*_LABELS, "y", "y_train", "train_labels", "targets")
_MOST_COLUMNS = 1 << 16  # of a table: 256 × 256 pixels; more take pandas longer than anybody waits
_LARGEST = 1e30  # of an array's or a table's values: differences of larger ones are infinite in float32
_MOST_PIXELS = 4_000_000_000  # of the pictures of one upload: half a minute of decoding
_MOST_PICTURES = 500_000
_MOST_ENTRIES = 2_000_000  # of a folder and those below it: half a minute of looking
_T = TypeVar("_T")

Grey = Literal["luminance", "red", "green", "blue"]


@dataclass(frozen=True)
class Choices:
    """What is made of the cases found. size: (width, height) of pictures; None: as found, or 28 × 28. whole: a picture
    of another shape keeps all of itself and gets a margin; else it is cut. grey: what of a coloured picture. inverted:
    black for white. labels: the column of a table with the classes; None: the one named so. table: whether rows of
    numbers are a table, and no pictures; None: as they look.
    """

    size: tuple[int, int] | None = None
    whole: bool = False
    grey: Grey = "luminance"
    inverted: bool = False
    labels: str | None = None
    table: bool | None = None


AS_FOUND = Choices()
"""No choice made by a person."""


@dataclass(frozen=True, eq=False)
class Found:
    """What a file holds, before any choice.

    values: (N, height, width[, channels]) pictures of one size, (N, V) rows of numbers, or None where pictures are yet
    to be decoded: `picture` then gives each. classes: a name a case, where folders or labels name them. columns: names
    of a table's columns. row_names: whether its first column numbered or named the rows, and was left out. sizes: how
    many pictures there are of each (width, height).
    """

    title: str
    n: int
    values: np.ndarray | None = None
    picture: Callable[[int], bytes | Path] | None = None
    classes: tuple[str, ...] | None = None
    columns: tuple[str, ...] | None = None
    row_names: bool = False
    sizes: Counter[tuple[int, int]] | None = None
    names: tuple[str, ...] = ()


# --- looking ---------------------------------------------------------------------------------------------------


def look(path: Path | str, choices: Choices = AS_FOUND) -> Found:
    """What this file or folder holds. Raises DatasetError in one sentence with the way out."""
    path = Path(path).expanduser()
    try:
        if path.is_dir():
            return _folder(path)
        if path.exists() and not path.is_file():
            raise DatasetError(f"{path} is a pipe or a device, and data are read from plain files alone")
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise DatasetError(
                f"{path} has {size:,} bytes, and at most {MOST_BYTES:,} are read; take a part of it"
            )
        return look_at([(path.name, path.read_bytes())], choices)
    except OSError as error:
        raise DatasetError(f"cannot read {path}: {error.strerror or error}") from error


def look_at(files: list[tuple[str, bytes]], choices: Choices = AS_FOUND) -> Found:
    """What these files hold, (name, content) each: one of any kind, or any number of pictures. Raises DatasetError."""
    files = [(_brief(name), content) for name, content in files]
    if len(files) == 1:
        try:
            found = _file(*files[0], choices)
        except MemoryError:
            raise DatasetError(
                f"{files[0][0]} does not fit into this machine's memory; take a part of it"
            ) from None
    else:
        paths = [PurePosixPath(name) for name, _ in files]
        others = [path.name for path in paths if path.suffix.lower() not in picture_files.SUFFIXES]
        if others:
            raise DatasetError(
                f"{others[0]} is no picture: several files at once must all be pictures; remove the others"
            )
        found = _pictures("pictures", paths, lambda k: files[k][1])
    pixels = sum(width * height * n for (width, height), n in (found.sizes or {}).items())
    if pixels > _MOST_PIXELS:
        raise DatasetError(
            f"{found.title} holds {pixels:,} pixels, and at most {_MOST_PIXELS:,} are decoded; make them smaller"
        )
    return found


def _brief(name: str) -> str:
    """A file's or a column's name as sentences show it; its end says of what kind it is."""
    return name if len(name) <= 120 else f"{name[:60]}…{name[-59:]}"


def may_hold_data(path: Path) -> bool:
    """Whether the names promise data: a file of a kind that is read, or a folder with a picture in it."""
    if path.is_dir():
        return any(True for _ in _picture_files(path))
    return path.name.lower().endswith((*SUFFIXES, "-ubyte"))


def count(path: Path) -> int:
    """The cases of a file or folder, without decoding a picture. Raises DatasetError."""
    return sum(1 for _ in _picture_files(path)) if path.is_dir() else look(path).n


def _file(name: str, data: bytes, choices: Choices) -> Found:
    lower = name.lower()
    if lower.endswith(".gz.gz"):
        raise DatasetError(f"{name} is packed more than once; unpack it first")
    if lower.endswith(".gz"):
        return _file(name[:-3], _unzipped(name, data), choices)
    if lower.endswith(picture_files.SUFFIXES):
        return _pictures(PurePosixPath(name).stem, [PurePosixPath(name)], lambda _: data)
    if lower.endswith(".zip"):
        return _zip(name, data, choices)
    if lower.endswith(".npy"):
        return _rows(name, _array(name, io.BytesIO(data)), None)
    if lower.endswith(".npz"):
        return _npz(name, data)
    if lower.endswith((".csv", ".tsv", ".txt")):
        return _table(name, data, choices)
    if lower.endswith((".idx", "-ubyte")) or re.search(r"\.idx\d(-ubyte)?$", lower):
        array = idx_array(np.frombuffer(data, np.uint8))
        if array is None or array.ndim < 2:
            raise DatasetError(f"{name} is no whole idx file of images in bytes; export it anew, or use .npy")
        return _rows(name, array, None)
    raise DatasetError(f"{name} is of no kind that is read here; it may end in {', '.join(SUFFIXES)}")


def _unzipped(name: str, data: bytes) -> bytes:
    content = io.BytesIO()
    try:
        with gzip.open(io.BytesIO(data)) as file:
            # In blocks: the memory for all that is asked for at once is taken first, and refused where it is bounded.
            while content.tell() <= MOST_BYTES and (block := file.read(_BLOCK)):
                content.write(block)
    except MemoryError:
        raise
    except (OSError, EOFError, ValueError) as error:
        raise DatasetError(f"{name} is damaged: it cannot be unpacked") from error
    except Exception as error:  # zlib's own class
        raise DatasetError(f"{name} is damaged: it cannot be unpacked") from error
    if content.tell() > MOST_BYTES:
        raise DatasetError(f"{name} unpacks to more than {MOST_BYTES:,} bytes; take a part of it")
    return content.getvalue()


def _picture_files(folder: Path) -> Iterator[Path]:
    """Picture files in the folder and below it, at any depth, but for what is hidden."""
    for n, path in enumerate(folder.rglob("*")):
        if n >= _MOST_ENTRIES:
            raise DatasetError(
                f"{folder} holds more than {_MOST_ENTRIES:,} files and folders; name the one that holds the pictures"
            )
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() in picture_files.SUFFIXES and not hidden and path.is_file():
            yield path


def _folder(folder: Path) -> Found:
    files = sorted(_picture_files(folder))
    if not files:
        raise DatasetError(
            f"no images in {folder}: it needs files that end in {', '.join(picture_files.SUFFIXES)}"
        )
    inner = [PurePosixPath(path.relative_to(folder).as_posix()) for path in files]
    return _pictures(folder.name, inner, files.__getitem__, tuple(map(str, files)))


def _pictures(
    title: str,
    inner: list[PurePosixPath],
    content: Callable[[int], bytes | Path],
    names: tuple[str, ...] = (),
) -> Found:
    """Pictures by their paths inside a folder or archive; where all lie in folders, these are the classes."""
    if len(inner) > _MOST_PICTURES:
        raise DatasetError(f"{title} holds {len(inner):,} pictures, and at most {_MOST_PICTURES:,} are read")
    names = names or tuple(map(str, inner))
    sizes = Counter(decoded(picture_files.size, content(k), names[k]) for k in range(len(inner)))
    in_folders = all(len(path.parts) > 1 for path in inner)
    classes = tuple(path.parent.name for path in inner) if in_folders else None
    return Found(title, len(inner), picture=content, classes=classes, sizes=sizes, names=names)


def decoded(read: Callable[[bytes | Path], _T], content: bytes | Path, name: str) -> _T:
    """What this reads of a picture file; DatasetError with its name if it cannot be read."""
    try:
        return read(content)
    except picture_files.PictureError as error:
        raise DatasetError(f"cannot read the image {name}: {error}; mend or remove it") from error


@contextmanager
def _members(name: str, data: bytes) -> Iterator[tuple[zipfile.ZipFile, list[zipfile.ZipInfo]]]:
    """The archive and what is in it, its sizes counted before anything is unpacked."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            inside = [
                info
                for info in archive.infolist()
                if not info.is_dir()
                and not any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(info.filename).parts)
            ]
            total = sum(info.file_size for info in inside)
            if total > MOST_BYTES:
                raise DatasetError(f"{name} unpacks to {total:,} bytes, and at most {MOST_BYTES:,} are read")
            if any(info.flag_bits & 1 for info in inside):
                raise DatasetError(f"{name} is locked with a password; unpack it first")
            yield archive, inside
    except DatasetError:
        raise
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError) as error:
        raise DatasetError(f"{name} is damaged: it cannot be unpacked") from error


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> bytes:
    """One member. Its size is not believed either: no more is read than it says."""
    try:
        with archive.open(info) as file:
            content = file.read(info.file_size + 1)
    except Exception as error:  # zlib's, bz2's and lzma's own classes among them
        raise DatasetError(f"{info.filename} in {name} is damaged: it cannot be unpacked") from error
    if len(content) > info.file_size:
        raise DatasetError(f"{info.filename} in {name} is longer than the archive says")
    return content


def _zip(name: str, data: bytes, choices: Choices) -> Found:
    with _members(name, data) as (archive, inside):
        paths = [PurePosixPath(info.filename) for info in inside]
        pictures = [k for k, path in enumerate(paths) if path.suffix.lower() in picture_files.SUFFIXES]
        if pictures:
            contents = {k: _unpacked(archive, inside[k], name) for k in pictures}
            order = sorted(pictures, key=lambda k: paths[k])
            return _pictures(
                PurePosixPath(name).stem, [paths[k] for k in order], lambda n: contents[order[n]]
            )
        others = [info for info in inside if info.filename.lower().endswith(SUFFIXES + ("-ubyte",))]
        if len(others) == 1 and not others[0].filename.lower().endswith(".zip"):
            inner = PurePosixPath(others[0].filename).name
            return _file(inner, _unpacked(archive, others[0], name), choices)
        held = ", ".join(str(path) for path in paths[:3]) or "nothing"
        raise DatasetError(f"{name} holds {held}: it needs pictures, or one file of numbers")


def _array(name: str, file: io.BytesIO) -> np.ndarray:
    """The array of a .npy file; its header says how large it is before it is read."""
    try:
        version = np.lib.format.read_magic(file)
        read = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read(file)
        size = math.prod(shape) * dtype.itemsize
        if dtype.hasobject:
            raise DatasetError(f"{name} holds Python objects, not numbers; save an array of numbers")
        if size > MOST_BYTES:
            raise DatasetError(
                f"{name} holds {size:,} bytes, and at most {MOST_BYTES:,} are read; take a part of it"
            )
        file.seek(0)
        return np.lib.format.read_array(file, allow_pickle=False)
    except DatasetError:
        raise
    except Exception as error:  # numpy raises what the damage makes it raise
        raise DatasetError(f"{name} is no whole .npy file; save it anew with numpy.save") from error


def _npz(name: str, data: bytes) -> Found:
    arrays: dict[str, np.ndarray] = {}
    with _members(name, data) as (archive, inside):
        for info in inside:
            if info.filename.endswith(".npy"):
                member = io.BytesIO(_unpacked(archive, info, name))
                arrays[info.filename.removesuffix(".npy")] = _array(f"{info.filename} in {name}", member)
    many = {key: a for key, a in arrays.items() if a.ndim >= 2 and a.dtype.kind in "biuf"}
    if not many:
        shapes = ", ".join(f"{key} {a.shape}" for key, a in arrays.items()) or "no arrays"
        raise DatasetError(f"{name} holds {shapes}: it needs an array with a case a row")
    named = [key for key in many if key.lower() in _ARRAYS]
    chosen = named[0] if named else max(many, key=lambda key: many[key].size)
    labels = [
        a for key, a in arrays.items() if key.lower() in _ARRAY_LABELS and a.shape == (len(many[chosen]),)
    ]
    return _rows(name, many[chosen], labels[0] if labels else None)


def _rows(name: str, values: np.ndarray, labels: np.ndarray | None) -> Found:
    """An array with a case a row: (N, V), (N, height, width) or (N, height, width, 1, 3 or 4)."""
    if values.dtype.kind not in "biuf":
        raise DatasetError(f"{name} holds {values.dtype}, not real numbers; save an array of numbers")
    fits = values.ndim in (2, 3) or (values.ndim == 4 and values.shape[3] in (1, 3, 4))
    if not fits or 0 in values.shape:
        raise DatasetError(
            f"{name} has shape {values.shape}: it needs (cases, values), (cases, height, width) or "
            "(cases, height, width, 3), none of them 0"
        )
    _finite(name, values, None)
    classes = None if labels is None else tuple(str(label) for label in labels.tolist())
    return Found(PurePosixPath(name).stem, len(values), values=values, classes=classes)


def _finite(name: str, values: np.ndarray, columns: tuple[str, ...] | None) -> None:
    if values.dtype.kind != "f":
        return
    most = values.dtype.type(min(_LARGEST, float(np.finfo(values.dtype).max)))
    wrong = ~(np.abs(values) <= most)
    if not wrong.any():
        return
    row, *rest = np.argwhere(wrong)[0]
    where = f"row {row + 1}" + (f", column {_brief(columns[rest[0]])!r}" if columns and rest else "")
    bad = float(values[(row, *rest)])
    raise DatasetError(
        f"{name} holds {bad:g} in {where}: every value must be a number between −1e30 and 1e30; fill or drop it"
    )


def _table(name: str, data: bytes, choices: Choices) -> Found:
    """A table with or without a line of column names, separated by commas, semicolons or tabs.

    Where commas do not separate, they may stand for decimal points, as spreadsheets write in much of Europe. A first
    column without a name, as pandas and R write, numbers or names the rows.
    """
    try:
        # A letter may be cut in two there; what is no UTF-8 at all pandas refuses.
        first = data[:65536].decode("utf-8-sig", "replace").splitlines()[:1]
        separator = max(",;\t", key=(first[0] if first else "").count)
        cells = (first[0] if first else "").split(separator)
        wide = data.partition(b"\n")[0].count(separator.encode())
        if wide >= _MOST_COLUMNS:
            raise DatasetError(
                f"{name} has {wide + 1:,} columns, and at most {_MOST_COLUMNS:,} are read; save it as .npy"
            )
        numbers = [cell.replace(",", ".") for cell in cells]
        header = 0 if any(_number(cell) is None for cell in numbers) else None
        frame = _frame(data, separator, ".", header)
        if separator != "," and _words(frame):
            frame = min(frame, _frame(data, separator, ",", header), key=_words)
    except DatasetError:
        raise
    except UnicodeDecodeError as error:
        raise DatasetError(f"{name} is no text in UTF-8; save it as CSV in UTF-8") from error
    except Exception as error:  # pandas has classes of its own, and passes others on
        raise DatasetError(f"{name} is no table: every line needs the same number of values") from error
    columns = (
        [str(column).strip() for column in frame.columns]
        if header == 0
        else [f"column {k + 1}" for k in range(frame.shape[1])]
    )
    row_names = header == 0 and len(columns) > 1 and not cells[0].strip(' "')
    kept = list(range(int(row_names), len(columns)))  # by place: two columns may have one name
    classes = None
    label = choices.labels or next((c for c in columns if c.lower() in _LABELS), None)
    if choices.labels and choices.labels not in columns:
        raise DatasetError(
            f"{name} has no column {_brief(choices.labels)!r}; it has {_brief(', '.join(columns[:20]))}"
        )
    if label is not None:
        kept = [k for k in kept if k != columns.index(label)]
        classes = tuple(str(value) for value in frame.iloc[:, columns.index(label)].tolist())
    if not kept or frame.empty:
        raise DatasetError(f"{name} holds no values; it needs a case a line")
    for k in kept:
        if frame.dtypes.iloc[k].kind not in "biuf":
            example = next((str(v) for v in frame.iloc[:, k] if _number(str(v)) is None), "")
            raise DatasetError(
                f"column {_brief(columns[k])!r} of {name} holds {example[:40]!r}, which is no number; "
                "name it as the column of classes, or drop it"
            )
    values = frame.iloc[:, kept].to_numpy(np.float64)
    names = tuple(columns[k] for k in kept)
    _finite(name, values, names)
    return Found(
        PurePosixPath(name).stem,
        len(values),
        values=values,
        classes=classes,
        columns=names,
        row_names=row_names,
    )


def _frame(data: bytes, separator: str, decimal: str, header: int | None) -> "pd.DataFrame":
    import pandas as pd  # takes half a second to load, which the app's first page has not got

    return pd.read_csv(
        io.BytesIO(data),
        sep=separator,
        decimal=decimal,
        header=header,
        encoding="utf-8-sig",
        low_memory=False,
        comment="#",
    )


def _words(frame: "pd.DataFrame") -> int:
    """How many of its columns hold more than numbers."""
    return sum(dtype.kind not in "biuf" for dtype in frame.dtypes)


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None
