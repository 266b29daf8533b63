"""The lines of a public check: a property of the solution, whether it holds, expected, got and a hint."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Line", "close", "failed", "holds", "passed", "same_shape"]

_FEW = 5  # arrays of up to so many entries are printed in full

Array = NDArray[Any]


@dataclass(frozen=True)
class Line:
    """The result of one check: a property of the solution, whether it holds, and whether it was attempted."""

    title: str
    ok: bool
    expected: str = ""
    got: str = ""
    hint: str = ""
    attempted: bool = True

    def __str__(self) -> str:
        """Return the line as printed; if the property fails, a second line holds the hint."""
        facts = [f"expected {self.expected}"] if self.expected and (self.expected != self.got) else []
        facts += [f"got {self.got}" if facts or not self.ok else self.got] if self.got else []
        text = f"{'✓' if self.ok else '✗'} {self.title}" + (f": {', '.join(facts)}" if facts else "")
        return text if self.ok or not self.hint else f"{text}\n    hint: {self.hint}"


def passed(title: str, *, expected: str = "", got: str = "") -> Line:
    """Return a line for a property that holds."""
    return Line(title, True, expected, got)


def failed(title: str, *, expected: str = "", got: str = "", hint: str = "") -> Line:
    """Return a line for a property that does not hold."""
    return Line(title, False, expected, got, hint)


def holds(title: str, condition: object, *, expected: str = "", got: str = "", hint: str = "") -> Line:
    """Return a line for a property that holds if `condition` is true.

    Examples
    --------
    >>> print(holds("no entry is zero", False, expected="0 zeros", got="3 zeros", hint="this is test mode"))
    ✗ no entry is zero: expected 0 zeros, got 3 zeros
        hint: this is test mode
    """
    return Line(title, bool(condition), expected, got, hint)


def close(title: str, got: Any, expected: Any, *, tolerance: float, hint: str = "") -> Line:
    """Return a line for a number or array that must be within `tolerance` of the expected one.

    Parameters
    ----------
    title : str
    got : number or array
        Result of the student's code; anything else fails the check.
    expected : number or array of the same shape
    tolerance : float
        Largest absolute difference allowed per entry, in the units of `expected`.
    hint : str
        Printed if the check fails.

    Returns
    -------
    Line
        Names the entry with the largest error if the arrays are too large to print.

    Examples
    --------
    >>> print(close("mean of the output", 10.02, 10.0, tolerance=0.1))
    ✓ mean of the output: expected 10 ± 0.1, got 10.02
    """
    want = np.asarray(expected, dtype=float)
    try:
        have = np.asarray(got, dtype=float)
    except (TypeError, ValueError):
        return failed(title, expected="numbers", got=f"a {type(got).__name__}", hint=hint)
    if _is_text(got):
        return failed(title, expected="numbers", got=f"text, {_short(got)}", hint=hint)
    if have.shape != want.shape:
        return failed(title, expected=f"shape {want.shape}", got=f"shape {have.shape}", hint=hint)
    off = np.abs(have - want)
    if np.all(off <= tolerance):
        if have.size > _FEW:
            return passed(title)
        return passed(title, expected=_span(want, tolerance), got=_numbers(have))
    if have.size <= _FEW:
        digits = 4 if _numbers(want) != _numbers(have) else 12
        return failed(title, expected=_span(want, tolerance, digits), got=_numbers(have, digits), hint=hint)
    worst = np.unravel_index(np.argmax(off), off.shape)  # the first NaN, if there is one
    where = f" at {tuple(map(int, worst))}"
    return failed(title, expected=_span(want[worst], tolerance) + where, got=_numbers(have[worst]), hint=hint)


def _is_text(got: Any) -> bool:
    """Return whether there is text among what should be numbers: NumPy reads "5.667" as one."""
    have = np.asarray(got)
    return have.dtype.kind in "SU" or (
        have.dtype.kind == "O" and any(isinstance(one, str | bytes) for one in have.flat)
    )


def _short(got: Any) -> str:
    text = repr(got)
    return text if len(text) <= 60 else f"{text[:60]}…"


def same_shape(title: str, got: Any, shape: tuple[int, ...], *, hint: str = "") -> Line:
    """Return a line for an array that must have this shape; anything but an array fails the check.

    Parameters
    ----------
    title : str
    got : array
        Result of the student's code.
    shape : tuple of int
    hint : str
        Printed if the check fails.

    Examples
    --------
    >>> print(same_shape("shape of dx", np.zeros((2, 3)), (2, 3)))
    ✓ shape of dx: (2, 3)
    """
    have = np.shape(got) if isinstance(got, np.ndarray) else f"a {type(got).__name__}"
    return holds(title, have == shape, expected=str(shape), got=str(have), hint=hint)


def _span(values: Array, tolerance: float, digits: int = 4) -> str:
    return _numbers(values, digits) + (f" ± {tolerance:g}" if tolerance >= 1e-4 else "")


def _numbers(values: Array, digits: int = 4) -> str:
    """Return a number, or a few in brackets, with `digits` significant digits."""
    texts = [f"{value:.{digits}g}" for value in np.ravel(values)]
    return texts[0] if np.ndim(values) == 0 else f"[{', '.join(texts)}]"
