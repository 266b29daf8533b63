"""Fashion-MNIST: the genuine format, and every way a file can be bad."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from genuine_format import idx, make_fashion

from gradlab.data import get_FashionMNIST_data
from gradlab.errors import DataError

IMAGES, LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"


def test_genuine_files_are_whole(genuine_data: Path) -> None:
    """60,000 training and 10,000 test images; the mean and spread of the pixels are the published ones."""
    data = get_FashionMNIST_data(data_dir=genuine_data)
    assert data["X_train"].shape == (60_000, 784)
    assert data["X_val"].shape == (0, 784)
    assert data["X_test"].shape == (10_000, 784)
    assert data["X_train"].mean() == pytest.approx(0.2860, abs=1e-4)
    assert data["X_train"].std() == pytest.approx(0.3530, abs=1e-4)
    assert np.bincount(data["y_train"]).tolist() == [6000] * 10


def test_pixels_and_labels_are_read_as_they_stand(tmp_path: Path) -> None:
    """float32 from 0 to 1, row by row, and int64 labels; validation follows training."""
    pictures = np.arange(12 * 784).reshape(12, 28, 28) % 256
    folder = make_fashion(tmp_path)
    (folder / IMAGES).write_bytes(gzip.compress(idx(pictures)))
    (folder / LABELS).write_bytes(gzip.compress(idx(np.arange(12) % 10)))
    data = get_FashionMNIST_data(8, 3, 2, data_dir=folder)
    assert (data["X_train"].dtype, data["y_train"].dtype) == (np.float32, np.int64)
    np.testing.assert_allclose(data["X_val"] * 255, pictures[8:11].reshape(3, 784), rtol=1e-6)
    assert data["y_val"].tolist() == [8, 9, 0]
    assert data["X_test"].shape == (2, 784)


def test_default_takes_all_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without sizes, everything in the files; the folder may come from GRADLAB_DATA."""
    make_fashion(tmp_path)
    monkeypatch.setenv("GRADLAB_DATA", str(tmp_path))
    data = get_FashionMNIST_data()
    assert [len(data[f"y_{part}"]) for part in ("train", "val", "test")] == [12, 0, 5]


def packed(array: np.ndarray) -> bytes:
    """An IDX file's bytes, gzipped."""
    return gzip.compress(idx(array))


GOOD = packed(np.zeros((12, 28, 28)))
RAW = idx(np.zeros((12, 28, 28)))
CASES = {
    "no gzip": (IMAGES, b"plain text", "a complete gzip file, got BadGzipFile"),
    "empty": (IMAGES, b"", "magic number 00000803, got an empty file"),
    "gzip cut short": (IMAGES, GOOD[:-20], "a complete gzip file, got EOFError"),
    "gzip damaged": (IMAGES, GOOD[:12] + b"\xff" * 8 + GOOD[20:], "a complete gzip file"),
    "checksum wrong": (IMAGES, GOOD[:-8] + b"0000" + GOOD[-4:], "a complete gzip file, got BadGzipFile: CRC"),
    "labels for images": (IMAGES, packed(np.zeros(12)), "magic number 00000803, got 00000801"),
    "other size": (IMAGES, packed(np.zeros((12, 32, 32))), r"items of shape \(28, 28\), got 12 of shape \(32, 32\)"),
    "no images": (IMAGES, packed(np.zeros((0, 28, 28))), "1 to 60,000 items"),
    "far too many": (IMAGES, gzip.compress(RAW[:4] + b"\xff" * 4 + RAW[8:]), "got 4,294,967,295 of shape"),
    "data cut short": (IMAGES, gzip.compress(RAW[:-100]), "9,408 bytes of data, got 9,308"),
    "data too long": (IMAGES, gzip.compress(RAW + b"\0" * 10**7), "9,408 bytes of data, got more"),
    "header cut short": (IMAGES, gzip.compress(RAW[:6]), "1 to 60,000 items"),
    "few labels": (LABELS, packed(np.zeros(11)), "12 labels, one per image, got 11"),
    "label 10": (LABELS, packed(np.full(12, 10)), "labels from 0 to 9, got 10"),
    "images for labels": (LABELS, GOOD, "magic number 00000801, got 00000803"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_bad_file_is_refused(tmp_path: Path, case: str) -> None:
    """The error names the file, what was expected, what came, and the remedy."""
    file, content, message = CASES[case]
    (make_fashion(tmp_path) / file).write_bytes(content)
    with pytest.raises(DataError, match=f"{file}: expected .*{message}.*Delete the file and download"):
        get_FashionMNIST_data(data_dir=tmp_path)


def test_a_missing_file_names_itself(tmp_path: Path) -> None:
    """A folder without one of its four files is an error."""
    (make_fashion(tmp_path) / LABELS).unlink()
    with pytest.raises(DataError, match=f"{LABELS}: expected a file of Fashion-MNIST, got none"):
        get_FashionMNIST_data(data_dir=tmp_path)
