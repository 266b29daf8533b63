"""The reference: the names that the instructor notebook defines, run on the trusted side."""

from __future__ import annotations

import contextlib
import inspect
import io
import linecache
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from gradlab_staff.course import Assignment
from gradlab_staff.course.magics import plain_python
from gradlab_staff.course.template import exercise_of
from gradlab_staff.errors import CourseError

__all__ = ["Namespace", "is_reference", "reference_namespace", "with_solution"]

_MODULE = "reference_"  # followed by the assignment: `__module__` of the functions and classes of a reference


class Namespace:
    """The names that a notebook defines, as attributes: ``reference.dropout_forward(x, {...})``."""

    def __init__(self, names: dict[str, Any]) -> None:
        self.__dict__ = names  # the globals of the functions: they see what is set here

    def __contains__(self, name: str) -> bool:
        return name in self.__dict__

    def __iter__(self) -> Iterator[str]:
        return iter(name for name in self.__dict__ if not name.startswith("__"))

    def __getattr__(self, name: str) -> Any:  # called only for names that are not in the dict
        raise AttributeError(f"the reference has no {name!r}; it has: {', '.join(sorted(self))}")


def reference_namespace(assignment: Assignment) -> Namespace:
    """Run the instructor notebook's given cells, except demonstrations, and its solution cells; return its names.

    The cells are run again at each call, which takes a few milliseconds, so that a submission that changes a function
    or a class does not affect the next one. Output is discarded, and the state of NumPy's global generator is restored.

    Raises
    ------
    CourseError
        If a cell fails; the message names the cell.
    """
    return with_solution(assignment, {})


def with_solution(assignment: Assignment, solutions: Mapping[str, str]) -> Namespace:
    """Return the reference, with the solution cells of some exercises replaced.

    Parameters
    ----------
    assignment
        The assignment.
    solutions
        Sources of solution cells, by the name or id of the exercise.

    Raises
    ------
    CourseError
        If an exercise has no solution cell, or a cell fails.
    """
    cells = {cell.id: cell for cell in assignment.cells if cell.id and cell.cell_type == "code"}
    sources = {
        id: cell.source for id, cell in cells.items() if cell.is_solution or (cell.is_given and not cell.is_demo)
    }
    for name, source in solutions.items():
        id = f"{name.removeprefix(f'{assignment.name}/')}_solution"
        if id not in sources:
            known = ", ".join(exercise_of(id) for id, cell in cells.items() if cell.is_solution)
            raise CourseError(f"{name}: expected an exercise with a solution cell, got none. Known: {known}.")
        sources[id] = source
    return _run(assignment.name, sources)


def is_reference(thing: object) -> bool:
    """Return whether `thing` is a function or class that a reference defines, or an instance of such a class."""
    own = thing if inspect.isroutine(thing) or inspect.isclass(thing) else type(thing)
    return str(getattr(own, "__module__", "")).startswith(_MODULE)


def _run(assignment: str, sources: Mapping[str, str]) -> Namespace:
    names: dict[str, Any] = {"__name__": _MODULE + assignment}
    state = np.random.get_state()
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            for id, source in sources.items():
                _run_cell(f"{assignment}/{id}", source, names)
    finally:
        np.random.set_state(state)
    return Namespace(names)


def _run_cell(id: str, source: str, names: dict[str, Any]) -> None:
    plain = plain_python(source) or ""
    filename = f"<{id} {zlib.crc32(plain.encode()):08x}>"
    linecache.cache[filename] = (len(plain), None, plain.splitlines(keepends=True), filename)  # for tracebacks
    try:
        exec(compile(plain, filename, "exec", dont_inherit=True), names)  # noqa: S102 (the instructor's own code)
    except Exception as error:
        reason = error.msg if isinstance(error, SyntaxError) else error
        raise CourseError(
            f"{id}{_line(error, filename)}: expected the cell to run, got {type(error).__name__}: {reason}. "
            "Fix the cell, then restart the kernel in Jupyter and run all cells."
        ) from error


def _line(error: BaseException, filename: str) -> str:
    """Return the line of the cell that raised the error, such as `` line 3``; empty if unknown."""
    if isinstance(error, SyntaxError):
        return f" line {error.lineno}"
    found, frames = 0, error.__traceback__
    while frames is not None:
        found = frames.tb_lineno if frames.tb_frame.f_code.co_filename == filename else found
        frames = frames.tb_next
    return f" line {found}" if found else ""
