"""The source of a data set: a folder with its files, a download, or synthetic data."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gradlab.errors import DataError

__all__ = ["VARIABLE", "DataSet", "Images", "Part", "Parts", "choose", "folder_of"]

VARIABLE = "GRADLAB_DATA"  # the environment variable that holds the folder

Images = tuple[NDArray[np.uint8], NDArray[np.int64]]
"""Images, shape (N, ...), and their labels, shape (N,)."""


@dataclass(frozen=True)
class Part:
    """The training or the test part: its number of images, and a function that takes images start .. stop - 1."""

    count: int
    take: Callable[[int, int], Images]

    @classmethod
    def of(cls, pictures: NDArray[np.uint8], labels: NDArray[np.int64]) -> "Part":
        """Return a part made of two arrays."""
        return cls(len(labels), lambda start, stop: (pictures[start:stop], labels[start:stop]))


@dataclass(frozen=True)
class Parts:
    """The two parts of a data set."""

    train: Part
    test: Part


@dataclass(frozen=True)
class DataSet:
    """One data set: its names and files, and the functions that read, download or synthesise it."""

    name: str
    loader: str  # the function that students call, for messages
    folder: str  # the name of its folder
    files: tuple[str, ...]  # the files that must be in it
    read: Callable[[Path], Parts]
    fetch: Callable[[], Path]  # download, and return the folder
    synthetic: Callable[[], Parts]


def choose(data_set: DataSet, data_dir: str | os.PathLike[str] | None, download: bool) -> Parts:
    """Return the data set's parts, from the first of: `data_dir`, $GRADLAB_DATA, a download, synthetic data.

    Raises
    ------
    DataError
        If a folder is given that does not hold the data set (and `download` is false), or a file is invalid.
    """
    folder = folder_of(data_set, data_dir, download)
    if folder is not None:
        return data_set.read(folder)
    print(  # noqa: T201 - the notebook's output must show which data these are
        f"Synthetic data, not {data_set.name}: pictures that gradlab draws itself.\n"
        f"For the real ones: set {VARIABLE}, or call {data_set.loader}(..., download=True) in a cell of your own"
    )
    return data_set.synthetic()


def folder_of(data_set: DataSet, data_dir: str | os.PathLike[str] | None, download: bool) -> Path | None:
    """Return the folder with the data set's files, downloaded if requested; None to use synthetic data.

    Raises
    ------
    DataError
        If a folder is given that does not hold the data set (and `download` is false), or a file is missing.
    """
    folder = _named_folder(data_set, data_dir, download)
    if folder is None and download:
        folder = data_set.fetch()
    if folder is not None:
        _expect_files(data_set, folder)
    return folder


def _named_folder(data_set: DataSet, data_dir: str | os.PathLike[str] | None, download: bool) -> Path | None:
    """Return the folder given for the data set; None if none is given or the files are to be downloaded instead."""
    named, by = (data_dir, "data_dir") if data_dir is not None else (os.environ.get(VARIABLE), VARIABLE)
    if not named:
        return None
    root = Path(named).expanduser()
    if (root / data_set.folder).is_dir():
        return root / data_set.folder
    if any((root / file).exists() for file in data_set.files):
        return root
    if download:
        return None
    raise DataError(
        f"{by}={root}: expected a folder that holds {data_set.folder}/, got "
        f"{'one without it' if root.is_dir() else 'no such folder'}. Nothing was loaded. "
        f"Correct {by}, omit it to use synthetic data, or call {data_set.loader}(..., download=True)"
    )


def _expect_files(data_set: DataSet, folder: Path) -> None:
    for file in data_set.files:
        if not (folder / file).is_file():
            raise DataError(
                f"{folder / file}: expected a file of {data_set.name}, got none. Nothing was loaded. "
                f"Put it back, or point {VARIABLE} elsewhere and call {data_set.loader}(..., download=True)"
            )
