"""How much an answer has in common with the right one: for gates, which slips pass and answers without work do not."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["alignment"]


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
