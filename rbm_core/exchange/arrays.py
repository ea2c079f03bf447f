"""Named arrays from a model's file: NumPy, safetensors, torch, MATLAB and HDF5. No file is unpickled.

Sizes are read and checked before contents: a header that promises more than the file holds, or more than MOST_BYTES,
is refused before memory is taken for it.
"""

import math
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from rbm_core.runs.files import one_line

__all__ = ["ENDINGS", "MOST_BYTES", "ExchangeError", "Named", "npy_array", "npz_arrays", "read_arrays"]

MOST_BYTES = 4 * 2**30
"""No file and no array larger than this is read."""
Named = dict[str, np.ndarray]
_MOST_ARRAYS = 10_000
_MOST_NUMBERS_A_BYTE = 1024  # zeros compress by less
# Endings of files that hold Python objects, and why none is opened here.
_OBJECTS = {
    **dict.fromkeys(
        (".pkl", ".pickle", ".joblib", ".sav", ".dill"),
        "is a pickle, and a pickle runs whatever code it holds when it is opened; where you trust it, open it yourself",
    ),
    ".skops": "holds Python objects and not arrays alone; open it yourself with skops.io.load",
}


class ExchangeError(ValueError):
    """A file or an object that holds no RBM; the message is one sentence with what was found and the way out, whatever
    names it quotes.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


def read_arrays(path: Path) -> Named:
    """Every numeric array in the file, by name. Raises ExchangeError in one sentence."""
    ending = path.suffix.lower()
    if ending in _OBJECTS:
        raise ExchangeError(
            f"{path.name} {_OBJECTS[ending]} and save the arrays: np.savez('model.npz', components=m.components_, "
            "intercept_hidden=m.intercept_hidden_, intercept_visible=m.intercept_visible_)"
        )
    if ending not in _READERS:
        raise ExchangeError(f"{path.name} is none of the files that can be imported: {', '.join(ENDINGS)}")
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise ExchangeError(f"{path} is not a file")
        if size > MOST_BYTES:
            raise ExchangeError(
                f"{path.name} has {size / 2**30:.1f} GiB; at most {MOST_BYTES / 2**30:.0f} are read"
            )
        return _READERS[ending](path)
    except ExchangeError:
        raise
    except OSError as error:
        # HDF5's and zip's own errors are OSErrors too; only those of the system have a number.
        reason = (
            error.strerror if error.errno else f"it is damaged or no {ending} file ({one_line(error)[:120]})"
        )
        raise ExchangeError(f"cannot read {path.name}: {reason}") from error
    except MemoryError as error:
        raise ExchangeError(f"{path.name} needs more memory than there is") from error
    except Exception as error:  # each library has its own classes for damage
        raise ExchangeError(
            f"cannot read {path.name}: it is damaged or no {ending} file ({one_line(error)[:160]})"
        ) from error


def _check_promise(name: str, shape: tuple[int, ...], held: int) -> None:
    """Raises ExchangeError for an array that is far larger than what a file holds of it: `held` bytes.

    What was never written, and one number repeated without end, take no room in a file and could fill all memory.
    """
    if math.prod(shape) > _MOST_NUMBERS_A_BYTE * max(held, 1):
        raise ExchangeError(
            f"{name} promises {shape} numbers and holds {held:,} bytes of them; save it whole"
        )


def _numeric(name: str, value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in "fiub"


# NumPy


def npy_array(file: IO[bytes], n_bytes: int, name: str) -> np.ndarray:
    """The array of a .npy file of n_bytes, whose header must promise exactly what follows it."""
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ExchangeError(f"{name} is a .npy file of version {version}, and versions 1 and 2 are read")
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = header(file)
    if dtype.hasobject:
        raise ExchangeError(
            f"{name} holds Python objects, which run code when they are opened; save numbers alone"
        )
    promised, held = math.prod(shape) * dtype.itemsize, n_bytes - file.tell()
    if promised != held or promised > MOST_BYTES:
        raise ExchangeError(
            f"{name} is damaged: its header promises {promised:,} bytes of numbers, it holds {held:,}"
        )
    flat = np.frombuffer(file.read(promised), dtype=dtype)
    return flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)


def npz_arrays(path: Path | IO[bytes], name: str) -> Named:
    """The arrays of a .npz file. Nothing larger than MOST_BYTES is unpacked, whatever the archive says of itself."""
    with zipfile.ZipFile(path) as archive:
        members = [m for m in archive.infolist() if m.filename.endswith(".npy")]
        total = sum(m.file_size for m in members)
        if total > MOST_BYTES or len(members) > _MOST_ARRAYS:
            raise ExchangeError(
                f"{name} unpacks to {total / 2**30:.1f} GiB in {len(members):,} arrays; "
                f"at most {MOST_BYTES / 2**30:.0f} GiB are read"
            )
        arrays = {}
        for member in members:
            with archive.open(member) as file:
                arrays[member.filename[:-4]] = npy_array(
                    file, member.file_size, f"{member.filename} in {name}"
                )
        return arrays


def _npy(path: Path) -> Named:
    with open(path, "rb") as file:
        return {"W": npy_array(file, path.stat().st_size, path.name)}


# torch


def _safetensors(path: Path) -> Named:
    from safetensors.torch import load_file

    return _from_torch(load_file(path))


def _torch(path: Path) -> Named:
    import torch

    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            total = sum(m.file_size for m in archive.infolist())
        if total > MOST_BYTES:
            raise ExchangeError(f"{path.name} unpacks to {total / 2**30:.1f} GiB; at most 4 are read")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about formats of old versions
        try:
            found = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:
            text = one_line(error)
            if "weights_only" not in text and "Unsupported" not in text:
                raise
            raise ExchangeError(
                f"{path.name} holds more than tensors, and opening the rest would run its code; save the tensors "
                f"alone: torch.save(model.state_dict(), {path.name!r})"
            ) from None
    return _from_torch(found)


def _from_torch(found: Any, prefix: str = "") -> Named:
    """The tensors of a state dict, also of one inside others, as float32 arrays; detached, wherever they lie."""
    import torch

    if isinstance(found, torch.Tensor):
        found = {"W": found}
    if not isinstance(found, Mapping):
        raise ExchangeError(f"it holds a {type(found).__name__}, not a state dict of tensors")
    arrays: Named = {}
    for key, value in found.items():
        if isinstance(value, Mapping):
            arrays |= _from_torch(value, f"{prefix}{key}.")
        elif isinstance(value, torch.Tensor) and not value.is_complex() and value.layout == torch.strided:
            _check_promise(f"{prefix}{key}", tuple(value.shape), value.untyped_storage().nbytes())
            value = value.detach().cpu()
            wide = value.float() if value.dtype in (torch.bfloat16, torch.float16) else value
            arrays[f"{prefix}{key}"] = wide.numpy()
        elif isinstance(value, np.ndarray):
            arrays[f"{prefix}{key}"] = value
    return arrays


# MATLAB and HDF5

_MATLAB_NUMBERS = (
    *("double", "single", "logical"),
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
)
# Version 5: how numbers lie in the file, and what a matrix of each class is.
_MATLAB_STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_MATLAB_CLASSES = dict(enumerate(("f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"), 6))
_MATLAB_MATRIX, _MATLAB_PACKED, _MATLAB_COMPLEX = 14, 15, 0x0800


def _matlab(path: Path) -> Named:
    with open(path, "rb") as file:
        head = file.read(128)
        if b"MATLAB 7.3" in head:
            return {name: array.T for name, array in _hdf5(path).items()}  # MATLAB stores columns first
        if 0 not in head[:4]:
            order = ">" if head[126:128] == b"MI" else "<"
            return _matlab_5(memoryview(file.read()), order, path.name)
    return _matlab_4(path)


def _matlab_4(path: Path) -> Named:
    from scipy.io import loadmat, whosmat

    wanted = []
    for name, shape, kind in whosmat(path):
        if kind in _MATLAB_NUMBERS:
            if math.prod(shape) * 8 > MOST_BYTES:
                raise ExchangeError(f"{path.name} is damaged: {name} promises {math.prod(shape):,} numbers")
            _check_promise(f"{name} in {path.name}", shape, path.stat().st_size)
            wanted.append(name)
    found = loadmat(path, variable_names=wanted, squeeze_me=False)
    return {name: found[name] for name in wanted if _numeric(name, found.get(name))}


def _matlab_5(content: memoryview, order: str, file: str) -> Named:
    """The matrices of real numbers in what follows the header. SciPy's reader ends the process on a damaged file."""
    arrays: Named = {}
    room = MOST_BYTES
    while content:
        kind, element, content = _matlab_element(content, order)
        if kind == _MATLAB_PACKED:
            unpacked = zlib.decompressobj().decompress(element, max(room, 1))
            room -= len(unpacked)
            kind, element, _ = _matlab_element(memoryview(unpacked), order)
        if kind != _MATLAB_MATRIX:
            raise ValueError(f"it holds an element of kind {kind}, and each should be a matrix")
        _, flags, element = _matlab_element(element, order)
        (flag,) = struct.unpack_from(order + "I", flags)
        if flag & 0xFF not in _MATLAB_CLASSES or flag & _MATLAB_COMPLEX:
            continue
        _, sides, element = _matlab_element(element, order)
        _, name, element = _matlab_element(element, order)
        shape = tuple(np.frombuffer(sides, order + "i4").tolist())
        stored, numbers, _ = _matlab_element(element, order)
        flat = np.frombuffer(numbers, order + _MATLAB_STORED[stored])
        if min(shape) < 0 or math.prod(shape) != flat.size:
            raise ExchangeError(
                f"{file} is damaged: {bytes(name)!r} promises {shape} numbers and holds {flat.size:,}"
            )
        arrays[bytes(name).decode("latin-1")] = flat.reshape(shape, order="F").astype(
            _MATLAB_CLASSES[flag & 0xFF]
        )
    return arrays


def _matlab_element(content: memoryview, order: str) -> tuple[int, memoryview, memoryview]:
    """(kind, content, what follows) of the element that begins here. Raises ValueError if it is not whole."""
    kind, size = struct.unpack_from(order + "II", content)
    begin = 8
    if kind >> 16:  # up to four bytes lie beside their kind and size
        begin, kind, size = 4, kind & 0xFFFF, kind >> 16
    end = begin + size
    if end > len(content):
        raise ValueError("it ends in the middle of a matrix")
    return kind, content[begin:end], content[end if kind == _MATLAB_PACKED else end + -end % 8 :]


def _hdf5(path: Path) -> Named:
    """Every data set of numbers in the file, without following links to other files.

    A file of the package `rbms` holds a group `update_<n>` for each saved moment: the newest is taken.
    """
    import h5py

    arrays: Named = {}
    with h5py.File(path, "r", locking=False) as file:
        updates = [name for name in file if name.startswith("update_") and name[7:].isdigit()]
        root = file
        if updates:
            newest = max(updates, key=lambda name: int(name[7:]))
            for name in (newest, "params"):
                # To read a link is to follow it, also to a pipe that nobody writes to.
                if not isinstance(root.get(name, getlink=True), h5py.HardLink | None):
                    raise ExchangeError(
                        f"{path.name} keeps {newest} behind a link, and only whole files are read"
                    )
                if root.get(name, getclass=True) is not h5py.Group:
                    raise ExchangeError(f"{path.name} holds no parameters in {newest}")
                root = root[name]

        def take(name: str, item: Any) -> None:
            if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "fiub":
                return
            if item.is_virtual or item.external:
                raise ExchangeError(
                    f"{path.name} keeps {name} in another file, and only whole files are read"
                )
            if item.nbytes > MOST_BYTES or len(arrays) >= _MOST_ARRAYS:
                raise ExchangeError(f"{path.name} promises {item.nbytes / 2**30:,.1f} GiB for {name}")
            _check_promise(f"{name} in {path.name}", item.shape, item.id.get_storage_size())
            arrays[name.replace("/", ".")] = item[()] if item.shape else np.asarray(item[()])

        root.visititems(take)
    return arrays


_READERS: dict[str, Callable[[Path], Named]] = {
    ".npz": lambda path: npz_arrays(path, path.name),
    ".npy": _npy,
    ".safetensors": _safetensors,
    **dict.fromkeys((".pt", ".pth", ".bin", ".ckpt"), _torch),
    ".mat": _matlab,
    **dict.fromkeys((".h5", ".hdf5"), _hdf5),
}
ENDINGS = tuple(_READERS)
"""The endings of files that `read_arrays` reads."""
