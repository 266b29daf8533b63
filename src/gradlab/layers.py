"""The given layers: a forward pass returns its output and a cache, a backward pass takes the cache.

`N` is the number of examples, `D` of input features, `M` of output features, `C` of classes. Arrays are floats of any
precision unless stated otherwise.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "affine_backward",
    "affine_forward",
    "affine_relu_backward",
    "affine_relu_forward",
    "relu_backward",
    "relu_forward",
    "softmax_loss",
]

Array = NDArray[Any]
AffineCache = tuple[Array, Array, Array]
AffineReluCache = tuple[AffineCache, Array]


def affine_forward(x: Array, w: Array, b: Array) -> tuple[Array, AffineCache]:
    """Return `x @ w + b`, with each example flattened to one row.

    Parameters
    ----------
    x : array of shape (N, d_1, …, d_k)
        Examples; D = d_1 × … × d_k.
    w : array of shape (D, M)
        Weights.
    b : array of shape (M,)
        Biases.

    Returns
    -------
    out : array of shape (N, M)
    cache : (x, w, b), for `affine_backward`

    Examples
    --------
    >>> out, cache = affine_forward(np.ones((2, 3)), np.ones((3, 1)), np.array([0.5]))
    >>> out.tolist()
    [[3.5], [3.5]]
    """
    out = x.reshape(x.shape[0], -1) @ w + b
    return out, (x, w, b)


def affine_backward(dout: Array, cache: AffineCache) -> tuple[Array, Array, Array]:
    """Return the gradients of the loss with respect to the input, the weights and the biases of an affine layer.

    Parameters
    ----------
    dout : array of shape (N, M)
        Gradient of the loss with respect to the layer's output.
    cache : (x, w, b) from `affine_forward`

    Returns
    -------
    dx : array of shape (N, d_1, …, d_k)
    dw : array of shape (D, M)
    db : array of shape (M,)
    """
    x, w, _ = cache
    dx = (dout @ w.T).reshape(x.shape)
    dw = x.reshape(x.shape[0], -1).T @ dout
    db = dout.sum(axis=0)
    return dx, dw, db


def relu_forward(x: Array) -> tuple[Array, Array]:
    """Return `max(x, 0)`, elementwise.

    Parameters
    ----------
    x : array of any shape

    Returns
    -------
    out : array of the shape of `x`
    cache : `x`, for `relu_backward`

    Examples
    --------
    >>> relu_forward(np.array([-1.0, 0.0, 2.0]))[0].tolist()
    [0.0, 0.0, 2.0]
    """
    return np.maximum(x, 0), x


def relu_backward(dout: Array, cache: Array) -> Array:
    """Return the gradient through ReLU: `dout` where the input was positive, else 0.

    Parameters
    ----------
    dout : array of any shape
        Gradient of the loss with respect to the output.
    cache : array of the same shape
        Input of the layer, from `relu_forward`.

    Returns
    -------
    dx : array of the same shape
    """
    return dout * (cache > 0)


def affine_relu_forward(x: Array, w: Array, b: Array) -> tuple[Array, AffineReluCache]:
    """Return `max(x @ w + b, 0)`: an affine layer followed by ReLU.

    Parameters
    ----------
    x : array of shape (N, d_1, …, d_k)
    w : array of shape (D, M)
    b : array of shape (M,)

    Returns
    -------
    out : array of shape (N, M)
    cache : for `affine_relu_backward`
    """
    scores, affine_cache = affine_forward(x, w, b)
    out, relu_cache = relu_forward(scores)
    return out, (affine_cache, relu_cache)


def affine_relu_backward(dout: Array, cache: AffineReluCache) -> tuple[Array, Array, Array]:
    """Return the gradients of the loss through an affine layer followed by ReLU.

    Parameters
    ----------
    dout : array of shape (N, M)
        Gradient of the loss with respect to the output of ReLU.
    cache : from `affine_relu_forward`

    Returns
    -------
    dx : array of shape (N, d_1, …, d_k)
    dw : array of shape (D, M)
    db : array of shape (M,)
    """
    affine_cache, relu_cache = cache
    return affine_backward(relu_backward(dout, relu_cache), affine_cache)


def softmax_loss(x: Array, y: Array) -> tuple[float, Array]:
    """Return the mean softmax cross-entropy loss and its gradient.

    Parameters
    ----------
    x : array of shape (N, C)
        Scores (logits).
    y : integer array of shape (N,)
        Labels, 0 ≤ y < C.

    Returns
    -------
    loss : float
        Mean over the examples, in nats.
    dx : array of shape (N, C)
        Gradient of the loss with respect to the scores.

    Examples
    --------
    Equal scores for ten classes give a loss of ln 10:

    >>> loss, dx = softmax_loss(np.zeros((2, 10)), np.array([3, 7]))
    >>> round(loss, 4)
    2.3026
    """
    rows = np.arange(x.shape[0])
    shifted = x - x.max(axis=1, keepdims=True)  # exp cannot overflow, and the result is the same
    log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    loss = float(-log_probs[rows, y].sum() / x.shape[0])
    dx = np.exp(log_probs)
    dx[rows, y] -= 1
    dx /= x.shape[0]
    return loss, dx
