"""The synthetic data sets: the same on every machine, announced, and about as hard as the genuine ones."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest

import gradlab.data
from gradlab.data import (
    CIFAR10_CLASSES,
    FASHION_MNIST_CLASSES,
    cifar10_synthetic,
    fashion_synthetic,
    get_CIFAR10_data,
    get_FashionMNIST_data,
)
from gradlab.data.glyphs import CLOTHES, SIZE, THINGS
from gradlab.errors import DataError


def checksum(*arrays: np.ndarray) -> str:
    """The first half of the arrays' SHA-256."""
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()[:32]


def test_pictures_are_the_same_on_every_machine() -> None:
    """Their bytes are pinned: a course's figures stay, whatever numpy or processor draws them."""
    cifar, fashion = cifar10_synthetic.parts(), fashion_synthetic.parts()
    assert {
        "cifar train": checksum(*cifar.train.take(0, 250)),
        "cifar test": checksum(*cifar.test.take(9_950, 10_000)),
        "fashion train": checksum(*fashion.train.take(59_850, 60_000)),
        "fashion test": checksum(*fashion.test.take(0, 250)),
    } == {
        "cifar train": "770751299147be163d5e39a8d3be8fa0",
        "cifar test": "990ccb2f7d66ab445fa66a8e14f057ca",
        "fashion train": "6539420d7349d18ab17306b441c53347",
        "fashion test": "e478483688ed48f92630148f5d79287b",
    }


def test_a_picture_does_not_depend_on_how_many_are_asked_for() -> None:
    """Any range of the training images is a cut of the whole, across blocks and within one."""
    train = cifar10_synthetic.parts().train
    whole, labels = train.take(0, 420)
    for start, stop in ((0, 1), (99, 101), (150, 420), (200, 300), (250, 250), (100, 100)):
        pictures, some = train.take(start, stop)
        np.testing.assert_array_equal(pictures, whole[start:stop])
        np.testing.assert_array_equal(some, labels[start:stop])


def test_synthetic_data_has_the_shapes_of_cifar10(capsys: pytest.CaptureFixture) -> None:
    """Shapes, dtypes and classes are CIFAR-10's, the pixels' spread too; and one line says what they are."""
    data = get_CIFAR10_data(500, 100, 0)
    assert data["X_train"].shape == (500, 3, 32, 32)
    assert data["X_val"].shape == (100, 3, 32, 32)
    assert data["X_test"].shape == (0, 3, 32, 32)
    assert (data["X_train"].dtype, data["y_train"].dtype) == (np.float64, np.int64)
    assert set(data["y_train"].tolist()) == set(range(10))
    assert data["X_train"].std() == pytest.approx(63, abs=2)
    assert capsys.readouterr().out == (
        "Synthetic data, not CIFAR-10: pictures that gradlab draws itself.\n"
        "For the real ones: set GRADLAB_DATA, or call get_CIFAR10_data(..., download=True) in a cell of your own\n"
    )


def test_synthetic_data_has_the_shapes_of_fashion_mnist(capsys: pytest.CaptureFixture) -> None:
    """Shapes, dtypes and range are Fashion-MNIST's; and one line says what they are."""
    data = get_FashionMNIST_data(300, 100, 200)
    assert [data[f"X_{part}"].shape for part in ("train", "val", "test")] == [(300, 784), (100, 784), (200, 784)]
    assert (data["X_train"].dtype, data["y_train"].dtype) == (np.float32, np.int64)
    assert (data["X_train"].min(), data["X_train"].max()) == (0, 1)
    assert capsys.readouterr().out == (
        "Synthetic data, not Fashion-MNIST: pictures that gradlab draws itself.\n"
        "For the real ones: set GRADLAB_DATA, or call get_FashionMNIST_data(..., download=True) in a cell of your own\n"
    )


def test_synthetic_pictures_are_as_many_as_the_genuine_pictures() -> None:
    """50,000 + 10,000 and 60,000 + 10,000; one more is an error, at once."""
    with pytest.raises(DataError, match=r"at most 50,000 together.*got 50,000 \+ 1,000.*num_training=49000"):
        get_CIFAR10_data(num_training=50_000)
    with pytest.raises(DataError, match=r"num_test: expected at most 10,000.*got 10,001"):
        get_CIFAR10_data(num_test=10_001)
    with pytest.raises(DataError, match=r"at most 60,000 together.*got 60,000 \+ 1"):
        get_FashionMNIST_data(60_000, 1)


def train_two_layers(data: dict, keep: float, epochs: int = 25) -> tuple[float, float, float]:
    """First loss, training and validation accuracy of 3072-500-10, Adam 5e-4, batches of 100, inverted dropout."""
    rng = np.random.default_rng(0)
    X, X_val = (data[name].reshape(-1, 3072).astype(np.float32) for name in ("X_train", "X_val"))
    y = data["y_train"]
    shapes = ((3072, 500), (500,), (500, 10), (10,))
    params = [np.float32(0.01 if len(shape) == 2 else 0) * rng.standard_normal(shape, np.float32) for shape in shapes]
    mean, square = ([np.zeros_like(param) for param in params] for _ in range(2))
    losses = []
    for step in range(1, epochs * len(X) // 100 + 1):
        batch = rng.choice(len(X), 100)
        W1, b1, W2, b2 = params
        hidden = np.maximum(X[batch] @ W1 + b1, 0)
        mask = (rng.random(hidden.shape) < keep).astype(np.float32) / np.float32(keep)
        scores = (hidden * mask) @ W2 + b2
        chances = np.exp(scores - scores.max(axis=1, keepdims=True))
        chances /= chances.sum(axis=1, keepdims=True)
        losses.append(-np.log(chances[range(100), y[batch]] + 1e-30).mean())
        chances[range(100), y[batch]] -= 1
        dscores = chances / 100
        dhidden = dscores @ W2.T * mask * (hidden > 0)
        grads = [X[batch].T @ dhidden, dhidden.sum(axis=0), (hidden * mask).T @ dscores, dscores.sum(axis=0)]
        for param, grad, m, v in zip(params, grads, mean, square, strict=True):
            m += np.float32(0.1) * (grad - m)
            v += np.float32(0.001) * (grad * grad - v)
            param -= np.float32(5e-4) * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)

    def accuracy(pixels: np.ndarray, labels: np.ndarray) -> float:
        W1, b1, W2, b2 = params
        return float(((np.maximum(pixels @ W1 + b1, 0) @ W2 + b2).argmax(axis=1) == labels).mean())

    return float(losses[0]), accuracy(X, y), accuracy(X_val, data["y_val"])


@pytest.mark.slow
def test_synthetic_cifar10_is_as_hard_as_cifar10() -> None:
    """On 500 images a net learns them by heart and guesses a third of the others; dropout slows the first."""
    data = get_CIFAR10_data(500, 1000, 0)
    first, train, val = train_two_layers(data, keep=1.0)
    assert 5 < first < 12  # published for CIFAR-10: 7.9
    assert train >= 0.97  # 0.996
    assert 0.25 <= val <= 0.40  # 0.30
    first, slowed, val = train_two_layers(data, keep=0.25)
    assert 12 < first < 22  # 17.3
    assert 0.85 <= slowed < train  # 0.918
    assert 0.25 <= val <= 0.42  # 0.31


def test_synthetic_fashion_can_be_learnt_but_not_solved() -> None:
    """The nearest of ten mean images is right for more than half, and far from all."""
    data = get_FashionMNIST_data(2000, 0, 1000)
    means = np.stack([data["X_train"][data["y_train"] == label].mean(axis=0) for label in range(10)])
    distances = (means**2).sum(axis=1) - 2 * data["X_test"] @ means.T
    assert 0.5 < (distances.argmin(axis=1) == data["y_test"]).mean() < 0.9


def test_silhouettes_are_whole() -> None:
    """Ten silhouettes a data set, all different, each filling a good part of its 12 x 12 cells."""
    for glyphs in (THINGS, CLOTHES):
        assert glyphs.shape == (10, SIZE, SIZE)
        assert len({glyph.tobytes() for glyph in glyphs}) == 10
        assert (glyphs.mean(axis=(1, 2)) > 0.2).all()


def test_public_names_are_pinned() -> None:
    """What a student may import; ten class names a data set."""
    assert gradlab.data.__all__ == [
        "CIFAR10_CLASSES",
        "FASHION_MNIST_CLASSES",
        "get_CIFAR10_data",
        "get_FashionMNIST_data",
    ]
    assert len(CIFAR10_CLASSES) == len(FASHION_MNIST_CLASSES) == 10


def test_import_is_light() -> None:
    """Importing the loaders loads neither pooch nor requests: only a download needs them."""
    program = "import sys, gradlab.data; print(sorted({'pooch', 'requests', 'matplotlib'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
