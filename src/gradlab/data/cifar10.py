"""CIFAR-10 (Krizhevsky, 2009): 60,000 colour images of 32 x 32 pixels in ten classes."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradlab.data import cifar10_synthetic
from gradlab.data.download import Remote, cache, fetch, unpack
from gradlab.data.pickles import read_batch
from gradlab.data.source import DataSet, Images, Part, Parts, choose
from gradlab.data.split import Sizes, split

__all__ = ["CIFAR10_CLASSES", "get_CIFAR10_data"]

CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
"""The names of the ten classes; label 3 is CIFAR10_CLASSES[3]."""

FOLDER = "cifar-10-batches-py"
TRAIN = tuple(f"data_batch_{number}" for number in range(1, 6))
TEST = "test_batch"
ARCHIVE = Remote(
    "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
)


def get_CIFAR10_data(
    num_training: int | None = 49_000,
    num_validation: int = 1_000,
    num_test: int | None = 1_000,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    download: bool = False,
) -> dict[str, NDArray[Any]]:
    """Return CIFAR-10, split and preprocessed for training, or synthetic data in its place.

    The images come from the first of these that is given: `data_dir`; the folder in the environment variable
    GRADLAB_DATA; a download. Without any of them **you get synthetic data, not CIFAR-10**: images that gradlab draws
    itself (see `gradlab.data.cifar10_synthetic`), of the same shapes and about as hard for fully-connected networks.
    A printed line says so. For the real images, call `get_CIFAR10_data(download=True)` (170 MB, once), or unpack
    cifar-10-python.tar.gz yourself and pass its folder.

    Parameters
    ----------
    num_training : int or None
        Number of training images, the first ones; None for all that validation leaves.
    num_validation : int
        Number of validation images: those that follow in the training part of the data set.
    num_test : int or None
        Number of test images, the first ones; None for all.
    data_dir : path, optional
        The folder cifar-10-batches-py, or the folder that contains it.
    download : bool
        Whether to download the real files if no folder has them.

    Returns
    -------
    dict
        `X_train`, `X_val`, `X_test`: float64, shape (N, 3, 32, 32), pixels from 0 to 255 minus the mean training
        image. `y_train`, `y_val`, `y_test`: int64, shape (N,), labels from 0 to 9.

    Raises
    ------
    DataError
        If more images are requested than there are, or a file is missing, corrupt or cannot be downloaded. It is also
        a ValueError.

    Examples
    --------
    >>> data = get_CIFAR10_data(num_training=500, num_validation=100, num_test=10)  # doctest: +SKIP
    Synthetic data, not CIFAR-10: pictures that gradlab draws itself. For the real ones: ...
    >>> data["X_train"].shape  # doctest: +SKIP
    (500, 3, 32, 32)
    """
    sets = split(choose(CIFAR10, data_dir, download), Sizes(num_training, num_validation, num_test))
    data: dict[str, NDArray[Any]] = {}
    for name, (pictures, labels) in (("train", sets.train), ("val", sets.val), ("test", sets.test)):
        data[f"X_{name}"], data[f"y_{name}"] = pictures.astype(np.float64), labels.copy()
    mean_image = data["X_train"].mean(axis=0)
    for name in ("X_train", "X_val", "X_test"):
        data[name] -= mean_image  # in place: 49,000 images take 1.2 GB
    return data


def _read(folder: Path) -> Parts:
    return Parts(_joined([read_batch(folder / file) for file in TRAIN]), Part.of(*read_batch(folder / TEST)))


def _joined(batches: list[Images]) -> Part:
    pictures, labels = zip(*batches, strict=True)
    return Part.of(np.concatenate(pictures), np.concatenate(labels))


def _fetch() -> Path:
    return unpack(fetch(ARCHIVE, cache()), cache() / FOLDER, (*TRAIN, TEST))


CIFAR10 = DataSet(
    name="CIFAR-10",
    loader="get_CIFAR10_data",
    folder=FOLDER,
    files=(*TRAIN, TEST),
    read=_read,
    fetch=_fetch,
    synthetic=cifar10_synthetic.parts,
)
