"""The batch files of CIFAR-10. A pickle is a program; this reader lets it build plain data and nothing else."""

import io
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradlab.data.source import Images
from gradlab.errors import DataError

__all__ = ["read_batch"]

PIXELS = 3 * 32 * 32
LARGEST_BYTES = 64 * 2**20  # twice the size of a real batch

# The exceptions that a corrupt or hostile pickle can raise.
BROKEN = (
    pickle.UnpicklingError, EOFError, AttributeError, IndexError, KeyError, TypeError, ValueError,
    OverflowError, MemoryError, RecursionError, ImportError, AssertionError, struct.error,
)  # fmt: skip


def read_batch(path: Path) -> Images:
    """Return the images and labels of one batch, without running code that the file may contain.

    Returns
    -------
    images : uint8 array of shape (N, 3, 32, 32)
    labels : int64 array of shape (N,)
        From 0 to 9.

    Raises
    ------
    DataError
        If the file cannot be read, would run code, or does not hold N images and N labels.
    """
    try:
        size = path.stat().st_size
        if size > LARGEST_BYTES:
            raise _bad(path, f"at most {LARGEST_BYTES:,} bytes", f"{size:,}")
        content = _Reader(io.BytesIO(path.read_bytes()), encoding="bytes").load()
    except OSError as error:
        raise _bad(path, "a readable file", str(error)) from error
    except DataError:
        raise
    except BROKEN as error:
        raise _bad(path, "a complete pickle of arrays and lists", f"{type(error).__name__}: {error}") from error
    if not isinstance(content, dict) or not {b"data", b"labels"} <= content.keys():
        raise _bad(path, "a dict with the keys b'data' and b'labels'", type(content).__name__)
    pictures = _pictures(path, content[b"data"])
    return pictures, _labels(path, content[b"labels"], len(pictures))


def _bad(path: Path, expected: str, got: str) -> DataError:
    return DataError(
        f"{path}: expected {expected}, got {got}. Nothing was loaded. "
        f"Delete the file and download CIFAR-10 again: get_CIFAR10_data(..., download=True)"
    )


def _pictures(path: Path, array: object) -> NDArray[np.uint8]:
    match array:
        case _Array(state=(_, (int(count), int(width)), _Dtype(code="u1"), order, bytes(raw))):
            if count > 0 and width == PIXELS and len(raw) == count * width:
                flat = np.frombuffer(raw, dtype=np.uint8)
                return flat.reshape(count, width, order="F" if order else "C").reshape(count, 3, 32, 32)
            raise _bad(path, f"uint8 data of shape (N, {PIXELS})", f"{(count, width)} in {len(raw):,} bytes")
    raise _bad(path, f"uint8 data of shape (N, {PIXELS})", f"something else ({type(array).__name__})")


def _labels(path: Path, labels: object, count: int) -> NDArray[np.int64]:
    if not isinstance(labels, list) or len(labels) != count:
        got = f"{len(labels):,}" if isinstance(labels, list) else type(labels).__name__
        raise _bad(path, f"a list of {count:,} labels", got)
    for label in labels:
        if type(label) is not int or not 0 <= label <= 9:
            raise _bad(path, "labels from 0 to 9", repr(label)[:40])
    return np.array(labels, dtype=np.int64)


class _Reader(pickle._Unpickler):
    """An unpickler that resolves the names in real files to our own records, so that numpy itself is out of reach.

    It is the standard library's implementation in Python: the one in C allocates gigabytes if a damaged byte says so.
    """

    def find_class(self, module: str, name: str, /) -> Any:
        if name == "_reconstruct":
            module = module.replace("numpy._core.", "numpy.core.")  # the module's name since numpy 2
        if f"{module}.{name}" not in _Name.KNOWN:
            raise pickle.UnpicklingError(f"the name {module}.{name}, which CIFAR-10 does not use")
        return _Name(f"{module}.{name}")


class _Name:
    """A name in the pickle, with the result of calling it. Created for each use, so that a pickle cannot alter it."""

    __slots__ = ("dotted",)
    KNOWN = ("numpy.core.multiarray._reconstruct", "numpy.ndarray", "numpy.dtype", "_codecs.encode")

    def __init__(self, dotted: str) -> None:
        self.dotted = dotted

    def __call__(self, *args: Any) -> Any:
        match self.dotted, args:
            case "numpy.core.multiarray._reconstruct", _:
                return _Array()
            case "numpy.dtype", (bytes() | str() as code, *_):
                return _Dtype(code if isinstance(code, str) else code.decode("latin1"))
            case "_codecs.encode", (str(text), _):  # Python 3 writes bytes like this in an old protocol
                return text.encode("latin1")
        raise pickle.UnpicklingError(f"a call of {self.dotted} that CIFAR-10 does not make")


class _Array:
    """The state of a pickled array: (version, shape, dtype, whether in Fortran order, raw bytes)."""

    def __init__(self) -> None:
        self.state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state


class _Dtype:
    """The code of a pickled dtype; byte order and fields do not matter for bytes."""

    def __init__(self, code: str) -> None:
        self.code = code

    def __setstate__(self, state: object) -> None:
        pass
