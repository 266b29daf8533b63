"""Calls of `check` in the notebook: each grade cell checks its own exercise, and no cell one that there is not."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from gradlab.check import CHECKS_FILE, exercises_in
from gradlab_staff.course import Assignment, Cell
from gradlab_staff.course.magics import parse, plain_python
from gradlab_staff.course.model import is_name
from gradlab_staff.course.template import statements
from gradlab_staff.text import one_line

__all__ = ["bad_calls"]


@dataclass
class _Names:
    """The names under which the notebook's cells have `check`, and the package that it is in."""

    functions: set[str] = field(default_factory=lambda: {"check"})
    packages: set[str] = field(default_factory=lambda: {"gradlab"})

    def add(self, node: ast.AST) -> None:
        """Take in what an import binds."""
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "gradlab":
            self.functions |= {alias.asname or alias.name for alias in node.names if alias.name == "check"}
        elif isinstance(node, ast.Import):
            self.packages |= {a.asname for a in node.names if a.asname and a.name.split(".")[0] == "gradlab"}

    def calls(self, tree: ast.Module) -> Iterator[ast.Call]:
        """Yield the calls of `check`."""
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and self._is_check(node.func):
                yield node

    def _is_check(self, function: ast.expr) -> bool:
        if isinstance(function, ast.Attribute):
            return function.attr == "check" and ast.unparse(function.value).split(".")[0] in self.packages
        return isinstance(function, ast.Name) and function.id in self.functions


def bad_calls(assignment: Assignment, places: list[str]) -> Iterator[str]:
    """Yield the calls of `check` that students could not run, or that check another exercise than their cell's.

    Parameters
    ----------
    assignment
        The assignment, whose public checks are run.
    places
        The names of the notebook's cells, in their order.
    """
    path = assignment.notebook.parent / CHECKS_FILE
    if not path.is_file():
        yield f"{assignment.name}: expected {CHECKS_FILE} beside the notebook, got none. Write it."
        return
    try:
        known = list(exercises_in(path))
    except (Exception, SystemExit) as error:  # noqa: BLE001 (the file is code)
        yield f"{CHECKS_FILE}: expected it to run, got {type(error).__name__}: {error}. Fix the file."
        return
    names = _Names()
    for cell in assignment.cells:
        for node in (part for statement in _statements(cell) for part in ast.walk(statement)):
            names.add(node)
    for where, cell in zip(places, assignment.cells, strict=True):
        if cell.cell_type == "code" and not cell.is_solution:
            yield from (f"{where}: {fault}" for fault in _faults(cell, names, known))


def _statements(cell: Cell) -> list[ast.stmt]:
    return statements(plain_python(cell.source) or "") if cell.cell_type == "code" else []


def _faults(cell: Cell, names: _Names, known: list[str]) -> Iterator[str]:
    own = cell.id if cell.is_grade and is_name(cell.id) else ""
    try:
        calls = list(names.calls(parse(plain_python(cell.source) or "")))
    except SyntaxError as error:
        if own:  # of other cells the trial shows it, or the reference
            told = f"{error.msg} in line {error.lineno}"
            yield f"expected check({own!r}) in this cell, got no Python: {told}. Write it."
        return
    if own and not calls:
        yield f"expected check({own!r}) in this cell, got no call of it. Write it."
    for call in calls:
        name, told = _called(call, {*known, own}), one_line(ast.unparse(call))[:80]
        if own and name != own:
            yield f"expected check({own!r}) in this cell, got {told}. Write the cell's id, in quotes."
        elif name is None:
            yield f"expected the name of an exercise in quotes, got {told}. Write one of: {', '.join(known) or 'none'}."
        elif name not in known:
            yield (
                f"expected a function `{name}` in {CHECKS_FILE} for {told}, got none. "
                f"It has: {', '.join(known) or 'none'}. Write it, or correct the name."
            )


def _called(call: ast.Call, known: set[str]) -> str | None:
    """Return the exercise that is checked; without quotes, it is the name; None where that is computed."""
    given = next(iter((*call.args, *(word.value for word in call.keywords if word.arg == "exercise"))), None)
    if isinstance(given, ast.Constant) and isinstance(given.value, str):
        return given.value
    return given.id if isinstance(given, ast.Name) and given.id in known else None
