"""The files of Fashion-MNIST: IDX (a magic number, the sizes, then unsigned bytes), compressed by gzip."""

import gzip
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gradlab.errors import DataError

__all__ = ["read_images", "read_labels"]

SIDE = 28
MOST = 60_000  # items in the largest real file; nothing longer is decompressed
UNSIGNED_BYTES = 0x08  # the data type's code in IDX


def read_images(path: Path) -> NDArray[np.uint8]:
    """Return the images of an IDX file.

    Returns
    -------
    uint8 array of shape (N, 28, 28)

    Raises
    ------
    DataError
        If the file is not an IDX file of such images.
    """
    return _read(path, (SIDE, SIDE))


def read_labels(path: Path, count: int) -> NDArray[np.int64]:
    """Return the labels of an IDX file.

    Returns
    -------
    int64 array of shape (count,)
        Labels from 0 to 9.

    Raises
    ------
    DataError
        If the file is not an IDX file of `count` such labels.
    """
    labels = _read(path, ())
    if len(labels) != count:
        raise _bad(path, f"{count:,} labels, one per image", f"{len(labels):,}")
    if labels.max() > 9:
        raise _bad(path, "labels from 0 to 9", str(labels.max()))
    return labels.astype(np.int64)


def _read(path: Path, item: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return the items of an IDX file, shape (N, *item)."""
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
            raw = file.read(length + 1)  # one byte more than expected shows that there is more
    except DataError:
        raise
    except (OSError, EOFError, zlib.error) as error:
        raise _bad(path, "a complete gzip file", f"{type(error).__name__}: {error}") from error
    if len(raw) != length:
        raise _bad(path, f"{length:,} bytes of data", "more" if len(raw) > length else f"{len(raw):,}")
    return np.frombuffer(raw, dtype=np.uint8).reshape(count, *item)


def _bad(path: Path, expected: str, got: str) -> DataError:
    return DataError(
        f"{path}: expected {expected}, got {got}. Nothing was loaded. "
        f"Delete the file and download Fashion-MNIST again: get_FashionMNIST_data(..., download=True)"
    )
