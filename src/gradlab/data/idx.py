"""Fashion-MNIST's files: IDX (a magic number, the sizes, then unsigned bytes), packed by gzip."""

import gzip
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gradlab.errors import DataError

__all__ = ["read_images", "read_labels"]

SIDE = 28
MOST = 60_000  # items in the largest genuine file; nothing longer is unpacked
UNSIGNED_BYTES = 0x08  # IDX's code of the type


def read_images(path: Path) -> NDArray[np.uint8]:
    """The pictures of an IDX file, shape (N, 28, 28); DataError where the file is not one."""
    return _read(path, (SIDE, SIDE))


def read_labels(path: Path, count: int) -> NDArray[np.int64]:
    """The `count` labels, 0 to 9, of an IDX file, shape (count,); DataError where the file is not one."""
    labels = _read(path, ())
    if len(labels) != count:
        raise _bad(path, f"{count:,} labels, as many as pictures", f"{len(labels):,}")
    if labels.max() > 9:
        raise _bad(path, "labels from 0 to 9", str(labels.max()))
    return labels.astype(np.int64)


def _read(path: Path, item: tuple[int, ...]) -> NDArray[np.uint8]:
    """The items of an IDX file, shape (N, *item)."""
    magic = bytes([0, 0, UNSIGNED_BYTES, 1 + len(item)])
    try:
        with gzip.open(path) as file:
            head = file.read(4)
            if head != magic:
                raise _bad(path, f"the magic number {magic.hex()}", head.hex() or "an empty file")
            sizes = [int.from_bytes(file.read(4), "big") for _ in range(1 + len(item))]
            count, shape = sizes[0], tuple(sizes[1:])
            if not 0 < count <= MOST or shape != item:
                raise _bad(path, f"1 to {MOST:,} items of shape {item}", f"{count:,} of shape {shape}")
            length = count * int(np.prod(item, dtype=np.int64))
            raw = file.read(length + 1)  # one more than there should be, and never more than that
    except DataError:
        raise
    except (OSError, EOFError, zlib.error) as error:
        raise _bad(path, "a whole gzip file", f"{type(error).__name__}: {error}") from error
    if len(raw) != length:
        raise _bad(path, f"{length:,} bytes of data", "more" if len(raw) > length else f"{len(raw):,}")
    return np.frombuffer(raw, dtype=np.uint8).reshape(count, *item)


def _bad(path: Path, expected: str, got: str) -> DataError:
    return DataError(
        f"{path}: expected {expected}, got {got}. Nothing was loaded. "
        f"Delete the file and download Fashion-MNIST again: get_FashionMNIST_data(..., download=True)"
    )
