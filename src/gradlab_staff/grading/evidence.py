"""Evidence: what a check observed, in numbers that JSON can hold and that can be compared with another run's."""

from __future__ import annotations

import contextlib
import inspect
import math
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import numpy as np
import numpy.typing as npt

from gradlab_staff.grading.notes import failed

__all__ = ["about", "collect", "describe", "is_numeric", "observe", "same_evidence"]

_evidence: ContextVar[dict[str, Any] | None] = ContextVar("evidence", default=None)
_WHOLE = 32  # arrays of up to so many entries are kept in full; larger ones are sketched
_MANY_SD = 6.0  # two correct estimates differ by more than this once in 5e8 comparisons
_LARGE = 1 << 20  # entries; no check asks for more, and a sketch of more would take minutes
_MAX_DEPTH = 8  # nested lists deeper than this are not arrays of numbers


@contextlib.contextmanager
def collect() -> Iterator[dict[str, Any]]:
    """Collect the evidence that is observed in the block; yield it as a dictionary that JSON can hold.

    numpy's floating-point warnings are switched off in the block: if untrusted numbers overflow or become NaN in a
    check's arithmetic, the check must judge the result and not raise an error.
    """
    evidence: dict[str, Any] = {}
    token = _evidence.set(evidence)
    try:
        with np.errstate(all="ignore"):
            yield evidence
    finally:
        _evidence.reset(token)


def observe(**evidence: object) -> None:
    """Keep values as evidence of the running check, by name.

    Arrays of more than 32 entries are reduced to a sketch, and values that are not numeric or strings to a description.
    What comes after a check's first failure may follow from it, and is no evidence.
    """
    held = _evidence.get()
    if held is not None:
        plain = {name: _plain(value) for name, value in evidence.items()}  # made either way: how long it takes may tell
        if not failed():
            held.update(plain)


def about(value: float, sd: float) -> dict[str, float]:
    """Return an estimate with its standard deviation, which `same_evidence` compares as such."""
    return {"about": float(value), "sd": float(sd)}


def _plain(value: object) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value[:200].encode("utf-8", "replace").decode("utf-8")  # a lone surrogate is not valid UTF-8
    if isinstance(value, dict) and value.keys() == {"about", "sd"}:
        return {name: _plain(part) for name, part in value.items()}
    if not is_numeric(value) or (isinstance(value, np.ndarray) and value.size > _LARGE):
        return describe(value)
    try:
        flat = np.array(value, dtype=np.float64)
    except (ValueError, OverflowError):
        return describe(value)
    if flat.ndim == 0:
        return _json_float(float(flat))
    return [_json_float(entry) for entry in flat.ravel()] if flat.size <= _WHOLE else _sketch(flat)


def _json_float(value: float) -> float | str:
    # plain floats only; JSON has no NaN or infinity
    return float(value) if math.isfinite(value) else str(value)


def _sketch(values: npt.NDArray[np.float64]) -> dict[str, Any]:
    """Reduce a large array to its shape and four numbers: equal arrays have equal sketches, others hardly ever do."""
    flat = np.nan_to_num(values.ravel())
    waves = (np.cos(step * np.arange(flat.size)) for step in (0.0, 1.0, math.e))
    with np.errstate(over="ignore", invalid="ignore"):
        sums = [float(flat @ wave) for wave in waves] + [float(np.linalg.norm(flat))]
    return {"shape": list(values.shape), "sketch": [_json_float(entry) for entry in sums]}


def same_evidence(a: object, b: object, rtol: float = 1e-6) -> bool:
    """Return whether two checks observed the same.

    Numbers are compared with the relative tolerance `rtol`, estimates within six standard deviations, strings exactly.
    """
    if isinstance(a, dict) and isinstance(b, dict):
        if a.keys() != b.keys():
            return False
        if a.keys() == {"about", "sd"}:
            return _same_estimate(a, b)
        if a.keys() == {"shape", "sketch"}:
            return bool(a["shape"] == b["shape"]) and _same_numbers(a["sketch"], b["sketch"], rtol)
        return all(same_evidence(a[name], b[name], rtol) for name in a)
    if isinstance(a, list) and isinstance(b, list):
        return _same_numbers(a, b, rtol)
    if isinstance(a, str | bool | None) or isinstance(b, str | bool | None):
        return type(a) is type(b) and a == b
    return _same_numbers([a], [b], rtol)


def _same_estimate(a: dict[str, Any], b: dict[str, Any]) -> bool:
    try:
        sd = math.hypot(float(a["sd"]), float(b["sd"]))
        return abs(float(a["about"]) - float(b["about"])) <= _MANY_SD * sd + 1e-12
    except (TypeError, ValueError):
        return False


def _same_numbers(a: list[Any], b: list[Any], rtol: float) -> bool:
    if len(a) != len(b):
        return False
    try:
        x, y = np.array(a, dtype=np.float64), np.array(b, dtype=np.float64)
    except (TypeError, ValueError):
        return a == b
    # the largest entry sets the absolute tolerance: rounding leaves noise where the exact answer is zero
    scale = max(np.max(np.abs(x), initial=0.0, where=np.isfinite(x)), 1e-6)
    return bool(np.allclose(x, y, rtol=rtol, atol=rtol * 1e-3 * scale, equal_nan=True))


def is_numeric(value: object, depth: int = 0) -> bool:
    """Return whether a reply is a real number, a numeric array, or (nested) lists of such."""
    if isinstance(value, np.ndarray | np.generic):
        return value.dtype.kind in "biuf"
    if isinstance(value, list | tuple):
        return depth < _MAX_DEPTH and all(is_numeric(entry, depth + 1) for entry in value)
    return isinstance(value, bool | int | float)


def describe(value: object) -> str:
    """Return a description of a value for messages, never its own ``repr``, which a student may have written."""
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    if isinstance(value, int | float | complex | str | bytes | list | tuple | dict | set | np.generic):
        size = f" of {len(value)}" if isinstance(value, list | tuple | dict | set) else ""
        return f"a value of type {type(value).__name__}{size}"
    if inspect.isroutine(value) or inspect.isclass(value):
        return "a function or a class"
    return "an object that is neither a number nor an array"
