"""Ready-made layers, a net of them, and a trainer: the blocks of the concise version of a net.

Gradients come from HIPS autograd, so that no layer has a backward pass. A layer is any object with `params` (a dict of
arrays, empty where there is nothing to learn) that can be called: `layer(X, params, training)`.

Not imported by `gradlab` itself, because only one assignment needs autograd: `from gradlab.blocks import Dense`.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import autograd.numpy as np  # NumPy, with every function made differentiable
from autograd import grad_and_aux
from numpy.typing import NDArray

__all__ = ["Dense", "Dropout", "Layer", "Sequential", "Trainer"]

Array = NDArray[Any]
Params = dict[str, Array]


class Layer(Protocol):
    """What `Sequential` is made of."""

    params: Params

    def __call__(self, X: Array, params: Params, training: bool) -> Array:
        """Return the layer's output for `X`, computed with `params`."""
        ...


class Dense:
    """A fully-connected layer: `X @ W + b`, then the activation.

    Parameters
    ----------
    in_units, units : int
        Features that come in, and that go out.
    activation : "relu" or None
        What follows `X @ W + b`: max(0, ·), or nothing.
    sd : float
        Standard deviation of the initial weights, drawn from a normal distribution; biases start at 0.

    Attributes
    ----------
    params : {"W": float32 of shape (in_units, units), "b": float32 of shape (units,)}
    """

    def __init__(self, in_units: int, units: int, activation: str | None = None, sd: float = 0.01) -> None:
        if activation not in ("relu", None):
            raise ValueError(f"Dense: expected the activation 'relu' or None, got {activation!r}.")
        W = (sd * np.random.randn(in_units, units)).astype(np.float32)
        self.params: Params = {"W": W, "b": np.zeros(units, dtype=np.float32)}
        self.activation = activation

    def __call__(self, X: Array, params: Params, training: bool) -> Array:
        """Return an array of shape (N, units) for one of shape (N, in_units)."""
        out: Array = np.dot(X, params["W"]) + params["b"]
        if self.activation == "relu":
            out = np.maximum(out, 0)
        return out


class Dropout:
    """While training, drops each entry with probability `drop_prob`; otherwise changes nothing.

    The entries that stay are rescaled, so that expected values do not change.
    """

    def __init__(self, drop_prob: float) -> None:
        if not 0 <= drop_prob <= 1:
            raise ValueError(f"Dropout: expected a probability from 0 to 1, got {drop_prob}.")
        self.params: Params = {}
        self.drop_prob = drop_prob

    def __call__(self, X: Array, params: Params, training: bool) -> Array:
        """Return an array of the shape of `X`."""
        if not training or self.drop_prob == 0:
            return X
        stay: Array = np.random.binomial(1, 1 - self.drop_prob, size=X.shape).astype(np.float32)
        return X * (stay / max(1 - self.drop_prob, 1e-12))  # nothing stays where this is 0 / 1e-12


class Sequential:
    """A net whose layers come one after the other.

    Attributes
    ----------
    layers : tuple of layers
    params : dict
        All parameters by their numbered names: W1 and b1 are the first layer's that has any, W2 and b2 the second's.

    Examples
    --------
    >>> net = Sequential(Dense(4, 3, activation="relu"), Dropout(0.5), Dense(3, 2))
    >>> {name: value.shape for name, value in net.params.items()}
    {'W1': (4, 3), 'b1': (3,), 'W2': (3, 2), 'b2': (2,)}
    >>> net(np.ones((5, 4))).shape
    (5, 2)
    """

    def __init__(self, *layers: Layer) -> None:
        self.layers = layers
        self.params: Params = {}
        for number, layer in self._numbered():
            self.params |= {f"{name}{number}": value for name, value in layer.params.items()}

    def __call__(self, X: Array, training: bool = False, params: Params | None = None) -> Array:
        """Return the scores, shape (N, units of the last layer), for `X` of shape (N, features).

        `params` stands in for the net's own where it is given: that is how autograd gets its hands on them.
        """
        given = self.params if params is None else params
        for number, layer in self._numbered():
            X = layer(X, {name: given[f"{name}{number}"] for name in layer.params}, training)
        return X

    def _numbered(self) -> list[tuple[int, Layer]]:
        """The layers, each with the number that its parameters have: only layers with parameters count."""
        counts = [sum(bool(layer.params) for layer in self.layers[: i + 1]) for i in range(len(self.layers))]
        return list(zip(counts, self.layers, strict=True))


class Trainer:
    """Trains a net by minibatch stochastic gradient descent on the softmax cross-entropy.

    A step is −lr times the sum of the pictures' gradients over batch_size: the mean, but for a smaller minibatch at the
    end of an epoch, whose step is smaller. (Noisier, it would spoil the net just before its accuracy is taken.)

    Parameters
    ----------
    net : Sequential
        Its `params` are replaced by better ones.
    lr : float
        The learning rate.
    batch_size : int

    Attributes
    ----------
    loss_history, train_acc_history, test_acc_history : lists of float, an entry an epoch
        Means over the minibatches, as the net answered while it learned (with dropout); the accuracy on the test set at
        the end of the epoch (without).
    """

    def __init__(self, net: Sequential, lr: float, batch_size: int) -> None:
        self.net, self.lr, self.batch_size = net, lr, batch_size
        self.loss_history: list[float] = []
        self.train_acc_history: list[float] = []
        self.test_acc_history: list[float] = []

    def fit(self, data: Mapping[str, Array], num_epochs: int) -> None:
        """Train for so many epochs: every training image once an epoch, in a random order.

        Parameters
        ----------
        data : dict of X_train, y_train, X_test, y_test
            Images, shape (N, features), and labels, shape (N,).
        num_epochs : int
        """
        X, y = data["X_train"], data["y_train"]
        for _ in range(num_epochs):
            order = np.random.permutation(len(y))
            starts = range(0, len(y), self.batch_size)
            steps = [self._step(X[rows], y[rows]) for rows in (order[i : i + self.batch_size] for i in starts)]
            loss, right, count = np.sum(steps, axis=0)
            self.loss_history.append(float(loss / count))
            self.train_acc_history.append(float(right / count))
            self.test_acc_history.append(float(np.mean(self.net(data["X_test"]).argmax(axis=1) == data["y_test"])))

    def _step(self, X: Array, y: Array) -> tuple[float, int, int]:
        """Move the parameters once; return the sum of the losses, how many answers were right, and of how many."""

        def loss(params: Params) -> tuple[Any, Array]:
            scores = self.net(X, training=True, params=params)
            return _cross_entropy(scores, y), scores

        grads, scores = grad_and_aux(loss)(self.net.params)
        lr = self.lr * len(y) / self.batch_size
        self.net.params = {name: value - lr * grads[name] for name, value in self.net.params.items()}
        return len(y) * float(_cross_entropy(scores, y)), int(np.sum(scores.argmax(axis=1) == y)), len(y)


def _cross_entropy(scores: Array, y: Array) -> Any:
    """Return the mean of −log softmax at the labels."""
    shifted = scores - np.max(scores, axis=1, keepdims=True)  # exp cannot overflow, and the result is the same
    log_probs = shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
    return -np.mean(log_probs[np.arange(len(y)), y])
