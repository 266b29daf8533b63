"""Functions for hidden graders of code that draws random numbers: test proportions, and read masks from outputs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from gradlab_staff.grading.evidence import about, is_numeric, observe
from gradlab_staff.grading.judge import Floats, Mask, array, expect
from gradlab_staff.grading.notes import fail

__all__ = ["binomial_tail", "expect_share", "mask_in", "read_mask", "read_ratio"]

_MAX_NESTING = 8


def binomial_tail(k: int, n: int, p: float) -> float:
    """Return the exact two-sided tail probability of `k` successes in `n` trials: twice the smaller tail, at most 1.

    A check that fails if this is at most α fails a correct solution with a probability of at most α.

    Parameters
    ----------
    k, n : int
        Number of successes and of trials.
    p : float
        Probability of a success.

    Returns
    -------
    float
        Probability from 0 to 1; 0 if `k` is impossible.

    Examples
    --------
    >>> binomial_tail(0, 4, 0.5)
    0.125
    """
    if not 0 <= k <= n:
        return 0.0
    if p <= 0.0 or p >= 1.0:
        return 1.0 if k == (n if p >= 1.0 else 0) else 0.0
    if k < n * p:  # count failures instead, so that the sum below always runs away from the mean
        k, p = n - k, 1.0 - p
    log_first = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    log_first += k * math.log(p) + (n - k) * math.log1p(-p)
    j = np.arange(k, n, dtype=np.float64)
    steps = np.cumsum(np.log((n - j) / (j + 1.0)) + (math.log(p) - math.log1p(-p)))
    first = math.exp(log_first)
    upper = first * (1.0 + float(np.sum(np.exp(steps))))
    return min(1.0, 2.0 * min(upper, 1.0 - upper + first))


def expect_share(kept: npt.ArrayLike, p: float, what: str, *, alpha: float = 1e-10, hint: str = "") -> None:
    """Fail the check if a share as extreme as this one has a probability of at most `alpha`.

    The share is kept as evidence, with its standard deviation.

    Parameters
    ----------
    kept : boolean array of any shape
        Outcomes of independent draws.
    p : float
        Probability with which each should be True.
    what : str
        Name of the share, in messages and as evidence.
    alpha : float
        Probability of failing a correct solution, at most; see `binomial_tail`.
    hint : str
        Appended to the message.

    Raises
    ------
    CheckFailed
        If the tail probability is at most `alpha`.
    """
    flags = np.asarray(kept, dtype=bool)
    k, n = int(flags.sum()), flags.size
    observe(**{what: about(k / n, math.sqrt(p * (1 - p) / n))})
    if binomial_tail(k, n, p) <= alpha:
        fail(f"{what}: expected about {p:.4g}, got {k / n:.4g} ({k} of {n}).{' ' + hint if hint else ''}")


def read_ratio(out: object, x: npt.ArrayLike, what: str = "out") -> Floats:
    """Return ``out / x``, elementwise.

    Parameters
    ----------
    out
        The untrusted reply, which should be an array of the shape of `x`.
    x : array of any shape
        The input.
    what : str
        Name of the reply in messages.

    Returns
    -------
    float64 array of the shape of `x`
        NaN where `x` is 0.

    Raises
    ------
    CheckFailed
        If `out` is not such an array, or is not 0 where `x` is 0.
    """
    given = np.asarray(x, dtype=np.float64)
    have = array(out, given.shape, what)
    expect(not have[given == 0].any(), f"{what}: expected 0 where the input is 0, got other values.")
    ratio = np.full(given.shape, np.nan)
    np.divide(have, given, out=ratio, where=given != 0)
    return ratio


def read_mask(out: object, x: npt.ArrayLike, p: float, what: str = "out", rtol: float = 1e-6) -> Mask:
    """Return the mask of kept entries; fail the check unless each output is 0 or the input divided by `p`.

    The median scale of the kept entries, relative to 1 / p, is kept as evidence.

    Parameters
    ----------
    out
        The untrusted reply, which should be an array of the shape of `x`.
    x : array of any shape
        The input.
    p : float
        Probability of keeping an entry.
    what : str
        Name of the reply in messages.
    rtol : float
        Relative tolerance of the scale.

    Returns
    -------
    boolean array of the shape of `x`
        True where an entry was kept. Entries where `x` is 0 cannot be read and count as dropped.

    Raises
    ------
    CheckFailed
        If `out` is not such an array.
    """
    ratio = read_ratio(out, x, what)
    kept: Mask = np.nan_to_num(ratio) != 0
    scale = float(np.median(ratio[kept])) if kept.any() else 0.0
    observe(**{f"scale of {what}": scale * p})
    wrong = kept & ~(np.abs(ratio * p - 1.0) <= rtol)
    if wrong.any():
        fail(
            f"{what}: with p = {p:g}, expected each entry to be 0 or {1 / p:.6g} times that of the input; "
            f"{int(wrong.sum())} of {wrong.size} are not. The median scale of the nonzero entries is {scale:.6g}."
        )
    return kept


def mask_in(cache: object, kept: npt.ArrayLike) -> bool | None:
    """Return whether a cache holds an array that distinguishes kept from dropped entries.

    Parameters
    ----------
    cache
        The untrusted reply; dicts, tuples and lists are searched.
    kept : boolean array of any shape
        The mask to find. Its complement counts too, as does any array that is nonzero in the same entries.

    Returns
    -------
    bool or None
        None if the cache may hold the mask in another form: indices, the draws, an object.
    """
    pattern = np.asarray(kept, dtype=bool)
    leaves = list(_leaves(cache))
    arrays = [leaf for leaf in leaves if isinstance(leaf, np.ndarray) and leaf.size == pattern.size]
    for leaf in arrays:
        flags = np.reshape(leaf != 0, pattern.shape)
        if np.array_equal(flags, pattern) or np.array_equal(flags, ~pattern):
            return True
    # numbers, strings and another mask cannot hold it; indices, the draws or an object of the student's may
    plain = all(leaf is None or isinstance(leaf, bool | int | float | str | np.generic) for leaf in leaves)
    other_masks = bool(arrays) and all(_is_mask(leaf) for leaf in arrays)
    return False if plain or other_masks else None


def _is_mask(leaf: npt.NDArray[Any]) -> bool:
    """Return whether an array has a single value, or two of which one is 0."""
    values = np.unique(leaf)
    return len(values) == 1 or (len(values) == 2 and bool((values == 0).any()))


def _leaves(value: object, depth: int = 0) -> Iterator[object]:
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, list) and value and (rows := _as_array(value)) is not None:
        yield rows
    elif isinstance(value, list | tuple) and depth < _MAX_NESTING:
        for part in value:
            yield from _leaves(part, depth + 1)
    else:
        yield value


def _as_array(value: list[Any]) -> npt.NDArray[Any] | None:
    """Return a (nested) list of numbers as an array; None if it is anything else."""
    first = value
    while isinstance(first, list) and first:
        first = first[0]
    if not isinstance(first, bool | int | float) or not is_numeric(value):
        return None
    try:
        return np.array(value)
    except (ValueError, OverflowError):  # rows of several lengths
        return None
