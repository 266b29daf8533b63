"""How much an answer has in common with the right one: for gates, which slips pass and answers without work do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["alignment", "centred", "chance_along", "follow"]

Arrays = Mapping[str, npt.NDArray[np.float64]]


def alignment(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Return how much two arrays point along one line, whatever their lengths and signs: the absolute cosine.

    Parameters
    ----------
    a, b : arrays of the same number of entries

    Returns
    -------
    float
        1 where one is a multiple of the other; 0 where they are orthogonal, one is zero, or not all is finite. Of an
        array at random and another of n entries it is about 1 / √n.

    Examples
    --------
    >>> alignment([1.0, 2.0], [-3.0, -6.0])
    1.0
    >>> alignment([1.0, 2.0], [0.0, 0.0])
    0.0
    """
    x, y = (np.asarray(one, dtype=np.float64).ravel() for one in (a, b))
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return 0.0
    x, y = (one / (np.abs(one).max(initial=0.0) or 1.0) for one in (x, y))  # so that no square overflows
    lengths = float(np.linalg.norm(x) * np.linalg.norm(y))
    return round(min(abs(float(x @ y)) / lengths, 1.0), 12) if lengths else 0.0


def centred(scores: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return scores less the mean of each example and of each class: what is left depends on both.

    Parameters
    ----------
    scores : array (N, C)
    """
    plain: npt.NDArray[np.float64] = np.array(scores, dtype=np.float64)
    plain -= plain.mean(axis=1, keepdims=True)
    plain -= plain.mean(axis=0)
    return plain


def chance_along(move: npt.ArrayLike, grad: npt.ArrayLike) -> float:
    """Return at most how likely a move at random is as much along a gradient, or against it, as this one.

    Parameters
    ----------
    move, grad : arrays of the same number of entries
    """
    return float((1 - alignment(move, grad) ** 2) ** ((np.size(grad) - 1) / 2))


def follow(moves: Sequence[Arrays], grads: Sequence[Arrays], alpha: float = 1e-10) -> bool:
    """Return whether some parameter, or all together, once move along or against the sum of the latest gradients.

    A slip in the step does so somewhere: one parameter left out, momentum, gradients of the minibatch before, a step
    an epoch. Noise does at one of some thousand comparisons with a chance of `alpha` each.

    Parameters
    ----------
    moves, grads : sequences of dicts of arrays
        How each step moved the parameters, and the gradients that it was told, by the parameters' names.
    alpha : float
        The chance below which a move is no coincidence.
    """
    moved, told = ([{**one, "": _flat(one)} for one in some] for some in (moves, grads))
    return any(
        chance_along(move[name], sum(grad[name] for grad in told[first:last])) < alpha
        for step, move in enumerate(moved, start=1)
        for last in (step - 1, step)
        for first in range(last)
        for name in move
    )


def _flat(arrays: Arrays) -> npt.NDArray[np.float64]:
    return np.concatenate([np.ravel(arrays[name]) for name in sorted(arrays)])
