"""Numerical gradients by central differences, and the relative error to compare them with analytic gradients."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["eval_numerical_gradient", "eval_numerical_gradient_array", "rel_error"]

Array = NDArray[Any]


def rel_error(x: ArrayLike, y: ArrayLike) -> float:
    """Return the largest relative error, `max |x − y| / max(1e-8, |x| + |y|)`.

    Parameters
    ----------
    x, y : arrays of the same shape

    Returns
    -------
    float
        0 for empty arrays.

    Raises
    ------
    ValueError
        If the shapes differ: broadcasting would hide a wrong gradient.

    Examples
    --------
    >>> rel_error([1.0, 2.0], [1.0, 2.0])
    0.0
    >>> round(rel_error(1.0, 1.1), 3)
    0.048
    """
    x, y = np.asarray(x), np.asarray(y)
    if x.shape != y.shape:
        raise ValueError(f"rel_error: expected two arrays of one shape, got {x.shape} and {y.shape}")
    error = np.abs(x - y) / np.maximum(1e-8, np.abs(x) + np.abs(y))
    return float(error.max()) if error.size else 0.0


def eval_numerical_gradient(f: Callable[[Array], float], x: Array, *, h: float = 1e-5) -> Array:
    """Return the numerical gradient of a scalar function at `x`, by central differences.

    Parameters
    ----------
    f : function of one array, returning one number
    x : float array of any shape
        Point at which to take the gradient. Each entry is changed by ±h in place and then restored.
    h : float
        Step size.

    Returns
    -------
    grad : array of the shape of `x`

    Examples
    --------
    >>> x = np.array([1.0, -3.0])
    >>> eval_numerical_gradient(lambda x: float((x**2).sum()), x).round(6).tolist()
    [2.0, -6.0]
    """
    grad = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        above, below = _either_side(f, x, i, h)
        grad[i] = (above - below) / (2 * h)
    return grad


def eval_numerical_gradient_array(f: Callable[[Array], Array], x: Array, df: Array, *, h: float = 1e-5) -> Array:
    """Return the numerical gradient of a loss with respect to `x`, given its gradient with respect to `f(x)`.

    Parameters
    ----------
    f : function of one array, returning one array
    x : float array of any shape
        Point at which to take the gradient. Each entry is changed by ±h in place and then restored.
    df : array of the shape of `f(x)`
        Gradient of the loss with respect to `f(x)` (the upstream gradient).
    h : float
        Step size.

    Returns
    -------
    grad : array of the shape of `x`

    Examples
    --------
    >>> x = np.array([1.0, -3.0])
    >>> eval_numerical_gradient_array(lambda x: x**2, x, np.array([1.0, 10.0])).round(6).tolist()
    [2.0, -60.0]
    """
    grad = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        above, below = _either_side(f, x, i, h)
        grad[i] = np.sum((above - below) * df) / (2 * h)
    return grad


def _either_side(f: Callable[[Array], Any], x: Array, i: tuple[int, ...], h: float) -> tuple[Any, Any]:
    """Return f(x) with entry i increased and decreased by h. Copies, because f may return x itself, as dropout does."""
    here = x[i]
    try:
        x[i] = here + h
        above = np.array(f(x))
        x[i] = here - h
        below = np.array(f(x))
    finally:
        x[i] = here
    return above, below
