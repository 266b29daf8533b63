"""Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017): 70,000 grey images of clothes, 28 x 28 pixels, in ten classes."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradlab.data import fashion_synthetic
from gradlab.data.download import Remote, cache, fetch
from gradlab.data.idx import read_images, read_labels
from gradlab.data.source import DataSet, Part, Parts, choose
from gradlab.data.split import Sizes, split

__all__ = ["FASHION_MNIST_CLASSES", "get_FashionMNIST_data"]

FASHION_MNIST_CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
"""The names of the ten classes; label 8 is FASHION_MNIST_CLASSES[8]."""

FOLDER = "fashion-mnist"
_SITE = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"  # plain http: the hashes verify the files
REMOTES = (
    Remote(
        f"{_SITE}/train-images-idx3-ubyte.gz",
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    ),
    Remote(
        f"{_SITE}/train-labels-idx1-ubyte.gz",
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    ),
    Remote(
        f"{_SITE}/t10k-images-idx3-ubyte.gz",
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    ),
    Remote(
        f"{_SITE}/t10k-labels-idx1-ubyte.gz",
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    ),
)


def get_FashionMNIST_data(
    num_training: int | None = None,
    num_validation: int = 0,
    num_test: int | None = None,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    download: bool = False,
) -> dict[str, NDArray[Any]]:
    """Return Fashion-MNIST, split and preprocessed for training, or synthetic data in its place.

    The images come from the first of these that is given: `data_dir`; the folder in the environment variable
    GRADLAB_DATA; a download. Without any of them **you get synthetic data, not Fashion-MNIST**: images that gradlab
    draws itself (see `gradlab.data.fashion_synthetic`), of the same shapes and about as hard for fully-connected
    networks. A printed line says so. For the real images, call `get_FashionMNIST_data(download=True)` (31 MB, once),
    or put the four .gz files in a folder and pass it.

    Parameters
    ----------
    num_training : int or None
        Number of training images, the first ones; None for all that validation leaves (60,000 if there is none).
    num_validation : int
        Number of validation images: those that follow in the training part of the data set.
    num_test : int or None
        Number of test images, the first ones; None for all (10,000).
    data_dir : path, optional
        The folder fashion-mnist, or the folder that contains it.
    download : bool
        Whether to download the real files if no folder has them.

    Returns
    -------
    dict
        `X_train`, `X_val`, `X_test`: float32, shape (N, 784), pixels from 0 to 1, row by row.
        `y_train`, `y_val`, `y_test`: int64, shape (N,), labels from 0 to 9.

    Raises
    ------
    DataError
        If more images are requested than there are, or a file is missing, corrupt or cannot be downloaded. It is also
        a ValueError.
    """
    sets = split(choose(FASHION_MNIST, data_dir, download), Sizes(num_training, num_validation, num_test))
    data: dict[str, NDArray[Any]] = {}
    for name, (pictures, labels) in (("train", sets.train), ("val", sets.val), ("test", sets.test)):
        pixels = pictures.reshape(len(pictures), 28 * 28).astype(np.float32)
        pixels /= 255
        data[f"X_{name}"], data[f"y_{name}"] = pixels, labels.copy()
    return data


def _read(folder: Path) -> Parts:
    def part(images: Remote, labels: Remote) -> Part:
        pictures = read_images(folder / images.name)
        return Part.of(pictures, read_labels(folder / labels.name, len(pictures)))

    return Parts(part(*REMOTES[:2]), part(*REMOTES[2:]))


def _fetch() -> Path:
    folder = cache() / FOLDER
    for remote in REMOTES:
        fetch(remote, folder)
    return folder


FASHION_MNIST = DataSet(
    name="Fashion-MNIST",
    loader="get_FashionMNIST_data",
    folder=FOLDER,
    files=tuple(remote.name for remote in REMOTES),
    read=_read,
    fetch=_fetch,
    synthetic=fashion_synthetic.parts,
)
