"""CIFAR-10: the genuine format, the published preprocessing, and every way a file can be bad."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from genuine_format import CIFAR_FILES, cifar_batch, make_cifar

from gradlab.data import get_CIFAR10_data
from gradlab.errors import DataError


def raw(folder: Path) -> tuple[np.ndarray, list[int]]:
    """The training images and labels of a folder, read by pickle itself."""
    whole = [(folder / name).read_bytes() for name in CIFAR_FILES[:5]]
    batches = [pickle.loads(one, encoding="bytes") for one in whole]  # noqa: S301 - files that we trust
    return np.concatenate([b[b"data"] for b in batches]), [label for b in batches for label in b[b"labels"]]


def test_genuine_files_give_the_course_split(genuine_data: Path) -> None:
    """5,000 / 1,000 / 1,000 images, float64, the mean image of the training images taken off all of them."""
    data = get_CIFAR10_data(5000, 1000, 1000, data_dir=genuine_data)
    pixels, labels = raw(genuine_data / "cifar-10-batches-py")
    mean = pixels[:5000].mean(axis=0)
    assert {name: array.shape for name, array in data.items()} == {
        "X_train": (5000, 3, 32, 32), "y_train": (5000,), "X_val": (1000, 3, 32, 32), "y_val": (1000,),
        "X_test": (1000, 3, 32, 32), "y_test": (1000,),
    }  # fmt: skip
    np.testing.assert_allclose(data["X_train"].reshape(5000, -1)[::500], pixels[:5000:500] - mean, atol=1e-9)
    np.testing.assert_allclose(data["X_val"].reshape(1000, -1)[::100], pixels[5000:6000:100] - mean, atol=1e-9)
    assert data["y_val"].tolist() == labels[5000:6000]


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
def test_reads_every_protocol_and_both_names_of_numpy(tmp_path: Path, protocol: int) -> None:
    """Files pickled by an old or a new numpy, in any protocol without out-of-band buffers, read alike."""
    folder = make_cifar(tmp_path)
    dumped = pickle.dumps(cifar_batch(4), protocol=protocol)
    (folder / "data_batch_1").write_bytes(dumped)
    expected = get_CIFAR10_data(20, 0, 4, data_dir=tmp_path)
    pixels, labels = raw(folder)
    np.testing.assert_allclose(expected["X_train"].reshape(20, -1), pixels - pixels.mean(axis=0), atol=1e-9)
    assert expected["y_train"].tolist() == labels
    if protocol < 4:  # from 4 on, a name's length stands before it
        (folder / "data_batch_1").write_bytes(dumped.replace(b"numpy._core.", b"numpy.core."))
        again = get_CIFAR10_data(20, 0, 4, data_dir=tmp_path)
        np.testing.assert_array_equal(again["X_train"], expected["X_train"])


def test_folder_may_be_named_three_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """data_dir is the folder or its parent; GRADLAB_DATA stands in for it."""
    folder = make_cifar(tmp_path)
    by_parent = get_CIFAR10_data(10, 2, 3, data_dir=str(tmp_path))
    by_folder = get_CIFAR10_data(10, 2, 3, data_dir=folder)
    monkeypatch.setenv("GRADLAB_DATA", str(tmp_path))
    by_variable = get_CIFAR10_data(10, 2, 3)
    for name in by_parent:
        np.testing.assert_array_equal(by_parent[name], by_folder[name])
        np.testing.assert_array_equal(by_parent[name], by_variable[name])


def test_dtypes_and_mean(tmp_path: Path) -> None:
    """Pixels are float64, labels int64, and the training images' mean is zero."""
    make_cifar(tmp_path)
    data = get_CIFAR10_data(None, 5, None, data_dir=tmp_path)
    assert {str(array.dtype) for name, array in data.items() if name[0] == "X"} == {"float64"}
    assert {str(array.dtype) for name, array in data.items() if name[0] == "y"} == {"int64"}
    assert (len(data["X_train"]), len(data["X_val"]), len(data["X_test"])) == (15, 5, 4)
    np.testing.assert_allclose(data["X_train"].mean(axis=0), 0, atol=1e-12)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((18, 3, 1), r"at most 20 together.*got 18 \+ 3.*Pass num_training=17, or None"),
        ((None, 20, 1), r"at most 20 together.*Pass num_validation below 20"),
        ((5, 2, 5), r"num_test: expected at most 4.*Pass num_test=4"),
        ((5, -1, 1), "num_validation: expected a whole number of at least 0, got -1"),
        ((0, 1, 1), "num_training: expected a whole number of at least 1, got 0"),
        ((5.0, 1, 1), r"num_training: expected a whole number of at least 1, got 5\.0"),
        ((5, 1, "3"), "num_test: expected a whole number of at least 0, got '3'"),
    ],
)
def test_impossible_sizes_are_explained(tmp_path: Path, sizes: tuple, message: str) -> None:
    """The error says how many images there are and what to pass."""
    make_cifar(tmp_path)
    with pytest.raises(DataError, match=message) as caught:
        get_CIFAR10_data(*sizes, data_dir=tmp_path)
    assert isinstance(caught.value, ValueError)


class Attack:
    """Unpickling it with pickle itself writes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.target),)


def test_a_pickle_that_runs_code_does_not(tmp_path: Path) -> None:
    """A file whose pickle calls os.mkdir is an error, and no folder appears."""
    folder, target = make_cifar(tmp_path), tmp_path / "owned"
    for content in (Attack(target), cifar_batch(4) | {b"labels": Attack(target)}):
        (folder / "data_batch_3").write_bytes(pickle.dumps(content, protocol=2))
        with pytest.raises(DataError, match=r"data_batch_3: expected .* got .*mkdir, which CIFAR-10 does not use"):
            get_CIFAR10_data(5, 1, 1, data_dir=tmp_path)
        assert not target.exists()
    pickle.loads(pickle.dumps(Attack(target)))  # noqa: S301 - to prove that the attack works elsewhere
    assert target.exists(), "the attack is no attack"


@pytest.mark.parametrize(
    "program",
    [
        b"cnumpy\ndtype\n(S'u1'\ntR(S'a'\nS'b'\ntR.",  # calls what a call gave
        b"cnumpy\ndtype\n(I1\ntR.",
        b"c_codecs\nencode\n(I1\nI2\ntR.",
        b"cnumpy\nndarray\n(I1\ntR.",
        b"cnumpy\ndtype\n}S'find_class'\nI1\nsb.",  # gives a name new attributes
        b"cnumpy\nndarray.dump\n.",
        b"c__builtin__\neval\n.",
        b"\x80\x04cnumpy.core.multiarray\nfromfile\n.",
    ],
)
def test_the_allowed_names_cannot_be_abused(tmp_path: Path, program: bytes) -> None:
    """Hand-written pickle programs end in DataError."""
    folder = make_cifar(tmp_path)
    (folder / "test_batch").write_bytes(program)
    with pytest.raises(DataError, match="test_batch: expected"):
        get_CIFAR10_data(5, 1, 1, data_dir=tmp_path)


def bad_batches() -> dict[str, tuple[object, str]]:
    """Contents that are no batch, and what the error says of each."""
    batch = cifar_batch(4)
    return {
        "a list": ([1, 2], "a dict with the keys"),
        "no labels": ({b"data": batch[b"data"]}, "a dict with the keys"),
        "text keys": ({"data": 1, "labels": 2}, "a dict with the keys"),
        "a list of pixels": (batch | {b"data": [1, 2]}, r"uint8 data of shape \(N, 3072\)"),
        "float pixels": (batch | {b"data": np.zeros((4, 3072))}, r"uint8 data of shape"),
        "narrow": (batch | {b"data": np.zeros((4, 3000), np.uint8)}, r"shape \(N, 3072\), got \(4, 3000\)"),
        "no images": (batch | {b"data": np.zeros((0, 3072), np.uint8)}, r"got \(0, 3072\)"),
        "one axis": (batch | {b"data": np.zeros(3072, np.uint8)}, "uint8 data of shape"),
        "few labels": (batch | {b"labels": [1, 2]}, "a list of 4 labels, got 2"),
        "an array of labels": (batch | {b"labels": np.zeros(4, np.uint8)}, "a list of 4 labels, got _Array"),
        "label 10": (batch | {b"labels": [0, 1, 2, 10]}, "labels from 0 to 9, got 10"),
        "float label": (batch | {b"labels": [0, 1, 2, 3.5]}, r"labels from 0 to 9, got 3\.5"),
    }


@pytest.mark.parametrize("case", bad_batches())
def test_a_batch_of_another_content_is_refused(tmp_path: Path, case: str) -> None:
    """The error names the file, what was expected, what came, and the remedy."""
    content, message = bad_batches()[case]
    folder = make_cifar(tmp_path)
    (folder / "data_batch_2").write_bytes(pickle.dumps(content, protocol=3))
    with pytest.raises(DataError, match=f"data_batch_2: expected .*{message}.*Delete the file and download"):
        get_CIFAR10_data(5, 1, 1, data_dir=tmp_path)


@pytest.mark.parametrize("keep", [0, 1, 40, 5000])
def test_a_truncated_batch_is_refused(tmp_path: Path, keep: int) -> None:
    """A file that ends early names itself."""
    folder = make_cifar(tmp_path)
    (folder / "data_batch_5").write_bytes((folder / "data_batch_5").read_bytes()[:keep])
    with pytest.raises(DataError, match="data_batch_5: expected a complete pickle"):
        get_CIFAR10_data(5, 1, 1, data_dir=tmp_path)


def test_damaged_bytes_never_surprise(tmp_path: Path) -> None:
    """With its program's bytes changed, a file is read, or is a DataError: never another exception."""
    folder = make_cifar(tmp_path, count=1)
    whole = (folder / "data_batch_1").read_bytes()
    program = [place for place in range(len(whole)) if not 200 < place < len(whole) - 150]  # not the pixels
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(400):
        damaged = bytearray(whole)
        damaged[rng.choice(program)] = rng.integers(256)
        (folder / "data_batch_1").write_bytes(damaged)
        try:
            get_CIFAR10_data(2, 1, 1, data_dir=tmp_path)
        except DataError:
            refused += 1
    assert refused > 50


def test_an_enormous_file_is_not_read(tmp_path: Path) -> None:
    """A file far larger than a genuine batch is refused by its size."""
    folder = make_cifar(tmp_path)
    with (folder / "data_batch_1").open("wb") as file:
        file.truncate(65 * 2**20)
    with pytest.raises(DataError, match=r"data_batch_1: expected at most 67,108,864 bytes, got 68,157,440"):
        get_CIFAR10_data(5, 1, 1, data_dir=tmp_path)


def test_an_unreadable_file_names_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the system says of the file is passed on."""
    make_cifar(tmp_path)

    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(DataError, match=r"data_batch_1: expected a readable file, got .*Permission denied"):
        get_CIFAR10_data(5, 1, 1, data_dir=tmp_path)


def test_a_missing_file_names_itself(tmp_path: Path) -> None:
    """A folder without one of its files is an error, even where that file's images are not asked for."""
    (make_cifar(tmp_path) / "data_batch_4").unlink()
    with pytest.raises(DataError, match=r"data_batch_4: expected a file of CIFAR-10, got none.*Put it back"):
        get_CIFAR10_data(5, 1, 1, data_dir=tmp_path)


def test_a_wrong_folder_is_no_excuse_for_synthetic_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is named but does not hold the data is an error, by argument and by variable."""
    with pytest.raises(DataError, match=r"data_dir=.*holds cifar-10-batches-py/, got one without it"):
        get_CIFAR10_data(5, 1, 1, data_dir=tmp_path)
    monkeypatch.setenv("GRADLAB_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match=r"GRADLAB_DATA=.*got no such folder.*download=True"):
        get_CIFAR10_data(5, 1, 1)
