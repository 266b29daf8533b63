"""Public checks: immediate feedback in the notebook. Each property gets ✓ or ✗, expected, got and a hint.

An assignment's `public_checks.py` holds one generator function per exercise. It takes the notebook's names
and yields `Line`s:

    def dropout_forward(nb):
        yield close("mean of the output", nb.dropout_forward(x, param)[0].mean(), 10.0, tolerance=0.1)
"""

import difflib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from gradlab.errors import ChecksFailedError, CourseError
from gradlab.lines import Line, close, failed, holds, passed, same_shape
from gradlab.notebook import errors_as_output, folders, is_validated, line_of, show

__all__ = ["Line", "Names", "attempt", "check", "close", "exercises_in", "failed", "holds", "passed", "same_shape"]

CHECKS_FILE = "public_checks.py"
_SEED = 231
_TOLD = 5  # lines of a failed check that an exception holds

_PublicCheck = Callable[["Names"], Iterable[Line]]


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


_checked: ContextVar[Mapping[str, Any] | None] = ContextVar("names of the notebook that is checked", default=None)


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
        yield Line(f"{title}: not attempted yet", False, hint=_said(error), attempted=False)
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
            got=f"{type(error).__name__}: {_said(error)}",
            hint=_where(error),
        )


def _said(error: BaseException) -> str:
    """Return the message of an exception, whose class may be the student's own."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - see above
        return "its message cannot be shown"


def _where(error: BaseException) -> str:
    found = line_of(error.__traceback__, _checked.get())
    if found is None:
        return "call it in a cell of your own and look at what it returns"
    return f"it happened in {found.name}, line {found.lineno} of its cell: {found.line}"


def check(exercise: object = None) -> None:
    """Run the public checks of an exercise on the notebook's solution and print the results.

    Reads `public_checks.py` beside the notebook. Errors of the solution are printed, not raised, and the state of
    `np.random` is restored. What the solution writes to stderr, such as warnings, is shown as ordinary output.

    Parameters
    ----------
    exercise : str
        Name of the exercise, as in its grade cell: `check("dropout_forward")`. A function of that name will do.

    Raises
    ------
    CourseError
        If there is no `public_checks.py` beside the notebook, or it has no such exercise.
    ChecksFailedError
        If a line is ✗ and Jupyter's Validate button runs the notebook. Nowhere else.
    """
    caller = sys._getframe(1).f_globals
    name, lines = _public_check(exercise, caller)
    state, token = np.random.get_state(), _checked.set(caller)
    np.random.seed(_SEED)
    try:
        with errors_as_output():
            results = list(_shown(attempt(name, lambda: lines(Names(caller)))))
            show(_summary(name, results))
    finally:
        np.random.set_state(state)
        _checked.reset(token)
    if is_validated() and not all(line.ok for line in results):
        raise ChecksFailedError(_failure(name, results))


def _shown(lines: Iterable[Line]) -> Iterator[Line]:
    for line in lines:
        show(str(line))
        yield line


def _public_check(exercise: object, names: Mapping[str, Any]) -> tuple[str, _PublicCheck]:
    """Return the name of the exercise that was asked for, and its function in `public_checks.py`."""
    call = f"check({_short(exercise)})"
    places = list(folders(names))
    path = next((folder / CHECKS_FILE for folder in places if (folder / CHECKS_FILE).is_file()), None)
    if path is None:
        raise CourseError(
            f"{call}: expected {CHECKS_FILE} beside the notebook, found none. "
            "Nothing was checked. Put the notebook back into its folder, or copy the file there."
        )
    known = exercises_in(path)
    name = _name_of(exercise, known, names)
    if name in known:
        return name, known[name]
    wrong = {True: "expected a function of this name", False: "expected the name of an exercise in quotes"}
    raise CourseError(
        f"{call}: {wrong[isinstance(exercise, str)]} in {CHECKS_FILE}, found none. Nothing was checked. "
        f"{_suggestion(name, known)}Restore the check cell's text, or download the assignment again."
    )


def _short(exercise: object) -> str:
    """Return how the argument of `check` looks in a message: an array would fill a page."""
    if exercise is None:
        return ""
    if isinstance(exercise, str):
        return repr(exercise if len(exercise) <= 60 else f"{exercise[:60]}…")
    return str(getattr(exercise, "__name__", f"a {type(exercise).__name__}"))


def _name_of(exercise: object, known: Mapping[str, object], names: Mapping[str, Any]) -> str:
    """Return the name that was meant: `check(dropout)` passes the function itself."""
    if exercise is None or isinstance(exercise, str):
        return exercise or ""
    called = [name for name in known if names.get(name) is exercise]
    return called[0] if called else str(getattr(exercise, "__name__", ""))


def _suggestion(name: str, known: Iterable[str]) -> str:
    plain = {_letters(one): one for one in known}
    near = difflib.get_close_matches(_letters(name.split("/")[-1]), plain, n=1)
    meant = f'Did you mean check("{plain[near[0]]}")? ' if near else ""
    return f"{meant}The exercises are: {', '.join(plain.values()) or 'none'}. "


def _letters(name: str) -> str:
    """Return the letters and digits of a name: `FullyConnectedNet` is near `fully_connected_net`."""
    return "".join(char for char in name.lower() if char.isalnum())


def exercises_in(path: Path) -> dict[str, _PublicCheck]:
    """Return the exercises of a `public_checks.py`: the functions of one argument that it defines itself, by name.

    Parameters
    ----------
    path : Path
        The file; it is run.

    Raises
    ------
    CourseError
        If it is no Python file. An error that it raises itself comes as it is.
    """
    module = _load(path)
    return {name: value for name, value in vars(module).items() if _is_exercise(name, value, module.__name__)}


def _is_exercise(name: str, value: Any, module: str) -> bool:
    """Return whether this is an exercise, and not imported (`close`), nor a class or a helper of the checks."""
    if name.startswith("_") or not callable(value) or isinstance(value, type):
        return False
    if getattr(getattr(value, "func", value), "__module__", "") != module:  # func: of a functools.partial
        return False
    try:
        inspect.signature(value).bind(None)
    except TypeError:
        return False
    return True


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
    done, total = sum(line.ok for line in lines), len(lines)
    if not lines:
        return f"{exercise}: nothing to check here."
    if done == total:
        return f"{exercise}: " + (f"all {done} checks passed." if done > 1 else "the check passed.")
    if not any(line.attempted for line in lines):
        return f"{exercise}: not attempted yet."
    passed = f"{done} of {total} checks passed" if total > 1 else "the check did not pass"
    return f"{exercise}: {passed}. Fix the first ✗, run its cell, then this one."


def _failure(exercise: str, lines: list[Line]) -> str:
    """Return what the Validate button shows of a failed cell, which is not what the cell printed."""
    tried = any(line.attempted for line in lines)
    wrong = [str(line) for line in lines if not line.ok][: None if tried else 1]  # the same hint each time
    more = [f"… and {len(wrong) - _TOLD} more ✗"] if len(wrong) > _TOLD else []
    return "\n".join([*wrong[:_TOLD], *more, _summary(exercise, lines)])
