"""Ready-made layers, a network of them, and a trainer: building blocks for the concise version of a network.

Gradients come from HIPS autograd, so that no layer has a backward pass. A layer is any callable object with `params` (a
dict of arrays, empty if there is nothing to learn): `layer(X, params, training)`.

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
    """A layer of a `Sequential`: its parameters, and a call that computes its output."""

    params: Params

    def __call__(self, X: Array, params: Params, training: bool) -> Array:
        """Return the layer's output for `X`, computed with `params`.

        Parameters
        ----------
        X : array of shape (N, features)
        params : dict of arrays
            Used in place of `self.params`; same keys and shapes.
        training : bool
            Whether the call is part of training.
        """
        ...


class Dense:
    """A fully-connected layer: `X @ W + b`, followed by the activation.

    Parameters
    ----------
    in_units, units : int
        Number of input features and of output features.
    activation : "relu" or None
        Applied to `X @ W + b`: max(0, ·), or nothing.
    sd : float
        Standard deviation of the initial weights, drawn from a normal distribution with `np.random`; biases are
        initialised to 0.

    Raises
    ------
    ValueError
        If `activation` is neither "relu" nor None.

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
        """Return the output, shape (N, units), for `X` of shape (N, in_units)."""
        out: Array = np.dot(X, params["W"]) + params["b"]
        if self.activation == "relu":
            out = np.maximum(out, 0)
        return out


class Dropout:
    """Inverted dropout: in training, each entry is set to 0 with probability `drop_prob`; otherwise the identity.

    The entries that are kept are divided by `1 - drop_prob`, so that their expected values do not change
    (Srivastava et al., 2014, JMLR 15).

    Parameters
    ----------
    drop_prob : float
        From 0 to 1.

    Raises
    ------
    ValueError
        If `drop_prob` is outside [0, 1].
    """

    def __init__(self, drop_prob: float) -> None:
        if not 0 <= drop_prob <= 1:
            raise ValueError(f"Dropout: expected a probability from 0 to 1, got {drop_prob}.")
        self.params: Params = {}
        self.drop_prob = drop_prob

    def __call__(self, X: Array, params: Params, training: bool) -> Array:
        """Return the output, an array of the shape of `X`; the mask is drawn with `np.random`."""
        if not training or self.drop_prob == 0:
            return X
        stay: Array = np.random.binomial(1, 1 - self.drop_prob, size=X.shape).astype(np.float32)
        return X * (stay / max(1 - self.drop_prob, 1e-12))  # 0 / 1e-12 if everything is dropped


class Sequential:
    """A network whose layers are applied one after the other.

    Attributes
    ----------
    layers : tuple of layers
    params : dict
        All parameters by their numbered names: W1 and b1 belong to the first layer that has parameters, W2 and b2 to
        the second.

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

        `params` replaces the network's own parameters if given, so that autograd can differentiate by them.
        """
        given = self.params if params is None else params
        for number, layer in self._numbered():
            X = layer(X, {name: given[f"{name}{number}"] for name in layer.params}, training)
        return X

    def _numbered(self) -> list[tuple[int, Layer]]:
        """Return the layers, each with the number of its parameters' names; only layers with parameters are counted."""
        counts = [sum(bool(layer.params) for layer in self.layers[: i + 1]) for i in range(len(self.layers))]
        return list(zip(counts, self.layers, strict=True))


class Trainer:
    """Minibatch stochastic gradient descent on the softmax cross-entropy.

    A step is −lr times the sum of the gradients of the examples, divided by batch_size: their mean, except for a
    smaller last minibatch, whose step is smaller. (Its gradient is noisier, and a full step would perturb the network
    just before its accuracy is measured.)

    Parameters
    ----------
    net : Sequential
        The network to train; its `params` are replaced at each step.
    lr : float
        Learning rate.
    batch_size : int

    Attributes
    ----------
    loss_history, train_acc_history, test_acc_history : lists of float, one entry per epoch
        Loss (nats) and accuracy (fraction) averaged over the epoch's minibatches, in training mode (with dropout), and
        the accuracy on the test set at the end of the epoch (without dropout).
    """

    def __init__(self, net: Sequential, lr: float, batch_size: int) -> None:
        self.net, self.lr, self.batch_size = net, lr, batch_size
        self.loss_history: list[float] = []
        self.train_acc_history: list[float] = []
        self.test_acc_history: list[float] = []

    def fit(self, data: Mapping[str, Array], num_epochs: int) -> None:
        """Train for `num_epochs` epochs, each a pass over all training images in a random order.

        Parameters
        ----------
        data : dict of X_train, y_train, X_test, y_test
            Images, float, shape (N, features), and labels, integer, shape (N,).
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
        """Update the parameters once; return the summed loss, the number of correct predictions and the batch size."""

        def loss(params: Params) -> tuple[Any, Array]:
            scores = self.net(X, training=True, params=params)
            return _cross_entropy(scores, y), scores

        grads, scores = grad_and_aux(loss)(self.net.params)
        lr = self.lr * len(y) / self.batch_size
        self.net.params = {name: value - lr * grads[name] for name, value in self.net.params.items()}
        return len(y) * float(_cross_entropy(scores, y)), int(np.sum(scores.argmax(axis=1) == y)), len(y)


def _cross_entropy(scores: Array, y: Array) -> Any:
    """Return the mean cross-entropy, −log softmax at the labels."""
    shifted = scores - np.max(scores, axis=1, keepdims=True)  # exp cannot overflow, and the result is the same
    log_probs = shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
    return -np.mean(log_probs[np.arange(len(y)), y])
