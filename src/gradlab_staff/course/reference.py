"""The reference: the instructor notebook's own names, run on the trusted side."""

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

_MODULE = "reference_"  # and the assignment: the module of what a reference defines


class Namespace:
    """The names of a notebook that was run, as attributes: ``reference.dropout_forward(x, {...})``."""

    def __init__(self, names: dict[str, Any]) -> None:
        self.__dict__ = names  # the dict that the functions use as globals: what is set here, they see

    def __contains__(self, name: str) -> bool:
        return name in self.__dict__

    def __iter__(self) -> Iterator[str]:
        return iter(name for name in self.__dict__ if not name.startswith("__"))

    def __getattr__(self, name: str) -> Any:  # only for names that are not there
        raise AttributeError(f"the reference has no {name!r}; it has: {', '.join(sorted(self))}")


def reference_namespace(assignment: Assignment) -> Namespace:
    """What the instructor notebook defines: its given cells that are no demonstrations, and its solution cells.

    Run anew each time, in a few milliseconds, so that nothing that a submission does to a function or a class meets the
    next one; with what the cells print swallowed and NumPy's global generator left as it was.

    Raises
    ------
    CourseError
        Where a cell fails; the message names it.
    """
    return with_solution(assignment, {})


def with_solution(assignment: Assignment, solutions: Mapping[str, str]) -> Namespace:
    """The reference with the solution cells of some exercises (by name) replaced by other sources.

    Raises
    ------
    CourseError
        Where an exercise has no solution cell, or a cell fails.
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
    """Whether this is a function or a class that a reference defines, or an instance of such a class."""
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
            "Mend the cell, then run the notebook from the top in Jupyter."
        ) from error


def _line(error: BaseException, filename: str) -> str:
    """`` line 3``: where in the cell the error arose."""
    if isinstance(error, SyntaxError):
        return f" line {error.lineno}"
    found, frames = 0, error.__traceback__
    while frames is not None:
        found = frames.tb_lineno if frames.tb_frame.f_code.co_filename == filename else found
        frames = frames.tb_next
    return f" line {found}" if found else ""
