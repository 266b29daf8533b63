"""Functions for hidden graders: turn an untrusted reply into numbers, compare it, and keep the evidence.

What is wrong is noted, and the check goes on to its last request (see `notes`): so each function returns something to
go on with. A wrong array is NaN of the shape that was asked for, a wrong number NaN, and of anything else `NOTHING` is
left. Inside `attempt` they raise `CheckFailed` instead.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gradlab_staff.course.reference import is_reference
from gradlab_staff.grading.evidence import describe, is_numeric, observe
from gradlab_staff.grading.notes import CheckFailed, fail, raising
from gradlab_staff.sandbox.remote import NOTHING, Remote

__all__ = [
    "CheckFailed",
    "Floats",
    "Mask",
    "array",
    "attempt",
    "central_differences",
    "entries",
    "expect",
    "expect_close",
    "expect_one_of",
    "fail",
    "function",
    "instance",
    "number",
    "rel_error",
    "unpack",
]

MAX_ENTRIES = 1 << 23
"""No check asks for more, and widened to float64 a reply may be eight times as large as it came."""
Floats = npt.NDArray[np.float64]
Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]


def expect(condition: object, message: str) -> None:
    """Fail the check with this message unless the condition holds.

    Raises
    ------
    CheckFailed
        If it does not hold, inside `attempt`.
    """
    if not condition:
        fail(message)


# --- Replies are data to judge ---------------------------------------------------------------------------


def array(value: object, shape: tuple[int, ...] | None = None, what: str = "the answer", *,
          finite: bool = True, dtype: npt.DTypeLike | None = np.float64) -> Array:  # fmt: skip
    """Return the reply as a plain array of real numbers.

    Parameters
    ----------
    value
        The untrusted reply. Numbers and regular nested lists of numbers count as arrays: a history may be either.
    shape : tuple of int, optional
        The shape that it must have; by default any.
    what : str
        Name of the reply in messages.
    finite : bool
        Whether NaN and infinity fail the check.
    dtype : dtype or None
        The dtype of the result. By default booleans, integers and narrow floats are widened to float64, so that
        nothing overflows; None keeps the dtype of the reply.

    Returns
    -------
    array
        A copy.

    Raises
    ------
    CheckFailed
        If the reply is anything else, inside `attempt`; the message describes it.
    """
    try:
        plain = _plain(value, shape, what, dtype)
    except CheckFailed as error:
        fail(str(error))
        return np.full(_shape_of(value) if shape is None else shape, np.nan)
    if finite and not np.isfinite(plain).all():
        fail(f"{what}: {_not_finite(plain)}")
    return plain


def _plain(value: Any, shape: tuple[int, ...] | None, what: str, dtype: npt.DTypeLike | None) -> Array:
    asked = f"an array of shape {shape}" if shape is not None else "an array of numbers"
    if not is_numeric(value):
        raise CheckFailed(f"{what}: expected {asked}, got {describe(value)}.")
    if isinstance(value, np.ndarray) and value.size > MAX_ENTRIES:  # booleans become eight times as large
        raise CheckFailed(f"{what}: expected {asked}, got one of shape {value.shape}.")
    if shape is not None and isinstance(value, np.ndarray) and value.shape != shape:  # before a huge array is widened
        raise CheckFailed(f"{what}: expected shape {shape}, got shape {value.shape}.")
    try:
        plain = np.array(value, dtype=dtype, order="C")
    except (ValueError, TypeError, OverflowError):
        raise CheckFailed(f"{what}: expected {asked}, got a list whose rows have different lengths.") from None
    if plain.dtype.kind not in "biuf":
        raise CheckFailed(f"{what}: expected real numbers, got {describe(value)}.")
    if shape is not None and plain.shape != shape:
        raise CheckFailed(f"{what}: expected shape {shape}, got shape {plain.shape}.")
    return plain


def _shape_of(value: object) -> tuple[int, ...]:
    return value.shape if isinstance(value, np.ndarray) and value.size <= MAX_ENTRIES else (1,)


def _not_finite(plain: Array) -> str:
    bad = ~np.isfinite(plain)
    where = tuple(int(i) for i in np.unravel_index(int(bad.argmax()), bad.shape))
    return f"expected finite numbers, got {plain[where]} at {_index(where)} ({int(bad.sum())} of {plain.size})."


def number(value: object, what: str = "the answer", *, finite: bool = True) -> float:
    """Return the reply as a float; arrays of one entry count as numbers.

    Raises
    ------
    CheckFailed
        If the reply is not a number, or with `finite` not a finite one.
    """
    single = isinstance(value, np.ndarray | np.generic) and value.size == 1 and value.dtype.kind in "iuf"
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    if not (single or plain):
        fail(f"{what}: expected a number, got {describe(value)}.")
        return math.nan
    try:
        result = float(np.asarray(value, dtype=np.float64).reshape(()))
    except OverflowError:
        result = math.inf
    expect(math.isfinite(result) or not finite, f"{what}: expected a finite number, got {result}.")
    return result


def unpack(value: object, names: Sequence[str], what: str) -> tuple[Any, ...]:
    """Return the parts of a reply that should be a tuple, such as ``(out, cache)``.

    Raises
    ------
    CheckFailed
        If the reply is not a tuple or list of as many parts as `names`.
    """
    asked = f"({', '.join(names)})"
    if not isinstance(value, tuple | list):
        fail(f"{what}: expected {asked}, got {describe(value)}.")
        return (NOTHING,) * len(names)
    expect(len(value) == len(names), f"{what}: expected {asked}, got {len(value)} values.")
    return (*value, *(NOTHING,) * len(names))[: len(names)]


def entries(value: object, what: str, names: Iterable[str] = ()) -> dict[Any, Any]:
    """Return a reply that should be a dictionary with at least the keys `names`.

    Raises
    ------
    CheckFailed
        If the reply is not a dictionary or lacks a key.
    """
    names = tuple(names)
    if not isinstance(value, dict):
        fail(f"{what}: expected a dictionary, got {describe(value)}.")
        return dict.fromkeys(names, NOTHING)
    missing = [name for name in names if name not in value]
    expect(not missing, f"{what}: expected the keys {', '.join(missing)}, got {_listing(value)}.")
    return {**value, **dict.fromkeys(missing, NOTHING)}


def _listing(names: Iterable[object]) -> str:
    shown = [repr(name)[:30] for name in list(names)[:12]]
    return ", ".join(shown) or "nothing"


def function(value: object, what: str) -> Callable[..., Any]:
    """Return a reply that should be callable: a function or class of the submission, or a method of a given object.

    Raises
    ------
    CheckFailed
        If the reply is not callable, or is a function or class of the reference.
    """
    if is_reference(value) and (inspect.isfunction(value) or inspect.isclass(value)):
        fail(f"{what}: expected a function or a class of your own, got the stand-in of another exercise.")
        return NOTHING  # type: ignore[no-any-return]
    if not callable(value):
        fail(f"{what}: expected a function or a class, got {describe(value)}.")
        return NOTHING  # type: ignore[no-any-return]
    return value


def instance(value: object, what: str) -> Any:
    """Return a reply that should be an object with attributes, not plain data, a function or a class.

    Raises
    ------
    CheckFailed
        If the reply is anything else.
    """
    stand_in = is_reference(value) and not inspect.isroutine(value) and not inspect.isclass(value)
    if not (isinstance(value, Remote) or stand_in):
        fail(f"{what}: expected an object, got {describe(value)}.")
        return NOTHING
    return value


def attempt(call: Callable[..., Any], *args: object) -> tuple[Any, Exception | None]:
    """Call a part of the submission that this exercise does not judge; return its result and the exception.

    What is wrong in it is raised, and not noted.

    Returns
    -------
    result : anything
        None if the call raised an exception.
    error : Exception or None
    """
    try:
        with raising():
            return call(*args), None
    except Exception as error:  # noqa: BLE001 (an error in another exercise's code must not fail this check)
        return None, error


# --- Comparing ------------------------------------------------------------------------------------------


def rel_error(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Return the largest relative error, ``max |x − y| / max(1e-8, |x| + |y|)``, as `gradlab.rel_error` computes it.

    Parameters
    ----------
    x, y : arrays of the same shape

    Returns
    -------
    float
        0 for empty arrays.
    """
    a, b = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    return float(np.max(np.abs(a - b) / np.maximum(1e-8, np.abs(a) + np.abs(b)), initial=0.0))


def expect_close(got: object, expected: npt.ArrayLike, what: str = "the answer", *, rtol: float = 1e-6,
                 atol: float = 1e-9, hint: str = "", evidence: bool = True) -> Array:  # fmt: skip
    """Fail the check unless ``|got − expected| ≤ atol + rtol |expected|`` in every entry; return `got` as an array.

    Parameters
    ----------
    got
        The untrusted reply.
    expected : number or array
    what : str
        Name of the reply, in messages and as evidence.
    rtol, atol : float
        Relative and absolute tolerance.
    hint : str
        Appended to the message.
    evidence : bool
        Whether to keep `got` as evidence; switch it off if the answer depends on a mask drawn in this run only.

    Returns
    -------
    float64 array of the shape of `expected`

    Raises
    ------
    CheckFailed
        If the reply has another shape, is not numeric and finite, or differs.
    """
    want = np.asarray(expected, dtype=np.float64)
    if evidence:
        observe(**{what: got})
    have = array(np.reshape(number(got, what), ()) if want.ndim == 0 else got, want.shape, what)
    wrong = np.abs(have - want) > atol + rtol * np.abs(want)
    if wrong.any():
        kept = have.copy(), want.copy()  # the grader may work on both in place until the message is made
        fail(lambda: f"{what}: {_difference(*kept, wrong)}{' ' + hint if hint else ''}")
    return have


def expect_one_of(got: object, accepted: Sequence[npt.ArrayLike], what: str = "the answer", *,
                  rtol: float = 1e-6, atol: float = 1e-9, hint: str = "",
                  evidence: bool = True) -> Array:  # fmt: skip
    """Fail the check unless `got` equals one of several right answers; the message compares it with the first.

    Parameters
    ----------
    got
        The untrusted reply.
    accepted : sequence of numbers or arrays
        The right answers, all of the same shape.
    what, rtol, atol, hint, evidence
        As for `expect_close`.

    Returns
    -------
    float64 array of that shape

    Raises
    ------
    CheckFailed
        If the reply has another shape, is not numeric and finite, or equals none of the answers.
    """
    if evidence:
        observe(**{what: got})
    have = array(got, np.shape(accepted[0]), what)
    for other in accepted[1:]:
        if np.allclose(have, other, rtol=rtol, atol=atol):
            return have
    return expect_close(have, accepted[0], what, rtol=rtol, atol=atol, hint=hint, evidence=False)


def _difference(have: Array, want: Floats, wrong: Mask) -> str:
    if want.ndim == 0:
        error = rel_error(have, want)
        return f"expected {float(want):.8g}, got {float(have):.8g} (relative error {error:.2e})."
    where = tuple(int(i) for i in np.argwhere(wrong)[0])
    return (
        f"shape {have.shape}, {int(wrong.sum())} of {wrong.size} entries differ, "
        f"largest relative error {rel_error(have, want):.2e}; the first is at {_index(where)}: "
        f"expected {want[where]:.8g}, got {have[where]:.8g}."
    )


def _index(where: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, where))}]"


def central_differences(f: Callable[[Floats], float], x: npt.ArrayLike, h: float = 1e-5,
                        at: Iterable[tuple[int, ...]] | None = None) -> Floats:  # fmt: skip
    """Return the numerical gradient of `f` at `x` by central differences, ``(f(x + h) − f(x − h)) / 2h``.

    Parameters
    ----------
    f : function of a float64 array, returning a number
    x : array of any shape
        Not changed.
    h : float
        Step size.
    at : iterable of indices, optional
        The entries to compute; by default all.

    Returns
    -------
    float64 array of the shape of `x`
        NaN in entries that are not computed.
    """
    point = np.array(x, dtype=np.float64)
    slope = np.full_like(point, np.nan)
    for where in np.ndindex(*point.shape) if at is None else at:
        kept = point[where]
        point[where] = kept + h
        above = f(point.copy())
        point[where] = kept - h
        slope[where] = (above - f(point.copy())) / (2 * h)
        point[where] = kept
    return slope
