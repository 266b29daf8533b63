"""Public checks: immediate feedback in the notebook. Each property gets ✓ or ✗, expected, got and a hint.

An assignment's `public_checks.py` holds one generator function per exercise. It takes the notebook's names
and yields `Line`s:

    def dropout_forward(nb):
        yield close("mean of the output", nb.dropout_forward(x, param)[0].mean(), 10.0, tolerance=0.1)
"""

import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradlab.errors import CourseError

__all__ = ["Line", "Names", "attempt", "check", "close", "failed", "holds", "passed", "same_shape"]

CHECKS_FILE = "public_checks.py"
_SEED = 231
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


class Names:
    """The names that the notebook defines, as attributes: `nb.dropout_forward`."""

    def __init__(self, namespace: Mapping[str, Any]) -> None:
        self._namespace = namespace

    def __getattr__(self, name: str) -> Any:
        try:
            return self._namespace[name]
        except KeyError:
            raise _Missing(name) from None


class _Missing(Exception):
    """The notebook does not define this name."""


def attempt(title: str, lines: Callable[[], Iterable[Line]] | Iterable[Line]) -> Iterator[Line]:
    """Yield the lines; if the student's code raises an exception, end with a line that describes it.

    Parameters
    ----------
    title : str
        Name of the checked function or property, for that last line.
    lines : iterable of Line, or a function that returns one

    Yields
    ------
    Line
    """
    try:
        yield from lines() if callable(lines) else lines
    except NotImplementedError as error:
        yield Line(f"{title}: not attempted yet", False, hint=str(error), attempted=False)
    except _Missing as error:
        yield Line(
            f"{title}: not attempted yet, or its cell has not run",
            False,
            got=f"no {error} in this notebook",
            attempted=False,
        )
    except (Exception, SystemExit) as error:  # noqa: BLE001 - an error of the student's code is a result, not a crash
        yield failed(
            f"{title}: your code raised an error before this check finished",
            got=f"{type(error).__name__}: {error}",
            hint=_where(error.__traceback__),
        )


def check(exercise: str) -> None:
    """Run the public checks of an exercise on the notebook's solution and print the results.

    Reads `public_checks.py` beside the notebook. Errors of the solution are printed, not raised, and the state of
    `np.random` is restored.

    Parameters
    ----------
    exercise : str
        Name of the exercise, as in its grade cell: `check("dropout_forward")`.

    Raises
    ------
    CourseError
        If there is no `public_checks.py` in the working directory, or it has no such exercise.
    """
    lines = _public_check(exercise)
    caller = sys._getframe(1).f_globals
    state = np.random.get_state()
    np.random.seed(_SEED)
    try:
        results = []
        for line in attempt(exercise, lambda: lines(Names(caller))):
            print(line)
            results.append(line)
        print(_summary(exercise, results))
    finally:
        np.random.set_state(state)


def _public_check(exercise: str) -> Callable[[Names], Iterable[Line]]:
    path = Path.cwd() / CHECKS_FILE
    if not path.is_file():
        raise CourseError(
            f"check({exercise!r}): expected {CHECKS_FILE} beside the notebook, found none. "
            "Nothing was checked. Put the notebook back into its folder, or copy the file there."
        )
    found = getattr(_load(path), exercise, None)
    if not callable(found):
        raise CourseError(
            f"check({exercise!r}): expected a function of this name in {CHECKS_FILE}, found none. "
            "Nothing was checked. Restore the check cell's text, or download the assignment again."
        )
    return found  # type: ignore[no-any-return]  # a module's attribute has no type


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("public_checks", path)
    if spec is None or spec.loader is None:
        raise CourseError(
            f"{path.name}: expected a Python file, got one that cannot be imported. Nothing was checked. "
            "Download the assignment again."
        )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _summary(exercise: str, lines: list[Line]) -> str:
    done = sum(line.ok for line in lines)
    if lines and done == len(lines):
        return f"{exercise}: " + (f"all {done} checks passed." if done > 1 else "the check passed.")
    if not any(line.attempted for line in lines):
        return f"{exercise}: not attempted yet."
    return f"{exercise}: {done} of {len(lines)} checks passed. Fix the first ✗, run its cell, then this one."


def _where(tb: TracebackType | None) -> str:
    """Return the line of the notebook that raised the error: the last frame whose file is not on disk is a cell."""
    frames = [frame for frame in traceback.extract_tb(tb) if not Path(frame.filename).exists()]
    if not frames:
        return "call it in a cell of your own and look at what it returns"
    return f"it happened in {frames[-1].name}, line {frames[-1].lineno} of its cell: {frames[-1].line}"


def _span(values: Array, tolerance: float, digits: int = 4) -> str:
    return _numbers(values, digits) + (f" ± {tolerance:g}" if tolerance >= 1e-4 else "")


def _numbers(values: Array, digits: int = 4) -> str:
    """Return a number, or a few in brackets, with `digits` significant digits."""
    texts = [f"{value:.{digits}g}" for value in np.ravel(values)]
    return texts[0] if np.ndim(values) == 0 else f"[{', '.join(texts)}]"
