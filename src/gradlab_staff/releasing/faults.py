"""The contradictions between notebook, public checks, graders and misconceptions, found before anything is made."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from urllib.parse import unquote

from gradlab.check import CHECKS_FILE, exercises_in
from gradlab_staff.course import Assignment, Cell
from gradlab_staff.course.magics import plain_python
from gradlab_staff.course.model import is_name
from gradlab_staff.errors import CourseError
from gradlab_staff.grading.diagnosis import load_misconceptions

__all__ = ["faults"]

_MARKER = re.compile(r"^[ \t]*### (?P<kind>BEGIN|END) SOLUTION(?!\w)(?P<hint>.*)")
_NEARLY = re.compile(r"\b(BEGIN|END) SOLUTION\b|#\s*((?i:begin|end))[\s_-]*(?i:solution)")
"""What is meant as a marker, in any writing, and what nbgrader takes for one wherever it stands."""
_ATTACHMENT = re.compile(r"""(?:[(<"']|\]:)\s*attachment:([^)>"'\n]+?)(?=[)>"'\n]|\s+["'(]|$)""", re.IGNORECASE)


def faults(assignment: Assignment) -> list[str]:
    """Return the contradictions in notebook, graders and misconceptions, one line each, which names the cell."""
    found = [
        *assignment.faults(),
        *_bad_blanks(assignment),
        *_lost_pictures(assignment),
        *_bad_checks(assignment),
        *_bad_graders(assignment),
        *_bad_misconceptions(assignment),
    ]
    return list(dict.fromkeys(found))


def _place(assignment: Assignment, number: int, cell: Cell) -> str:
    return f"{assignment.name}/{cell.id}" if cell.id else f"{assignment.name} cell {number}"


# --- blanks


def _bad_blanks(assignment: Assignment) -> Iterator[str]:
    """Yield what is wrong with the blanks: nbgrader finds it too, in seconds, one at a time and without the line."""
    for number, cell in enumerate(assignment.cells, 1):
        where, found = _place(assignment, number, cell), list(_markers(cell.source))
        for line, fault in _unpaired(cell, found):
            yield f"{where}: {fault} (line {line} of the cell)"
        if found and not cell.is_solution:
            yield f"{where}: expected a blank in a solution cell, got one in another. Set the cell's type."
        if cell.is_solution and cell.cell_type == "code" and not found:
            yield f"{where}: expected a blank (### BEGIN SOLUTION <hint>, ### END SOLUTION), got none. Add it."


def _markers(source: str) -> Iterator[tuple[int, str, str]]:
    """Yield line number, kind (BEGIN or END) and text of what is a marker, or is meant as one."""
    for number, line in enumerate(source.split("\n"), 1):
        if found := _NEARLY.search(line):
            yield number, (found[1] or found[2]).upper(), line.strip()


def _unpaired(cell: Cell, markers: list[tuple[int, str, str]]) -> Iterator[tuple[int, str]]:
    begun = 0
    for line, kind, text in markers:
        marker = _MARKER.match(text)
        if not marker:
            yield line, f"expected `### {kind} SOLUTION` alone on its line, got `{text[:60]}`. Write it so."
        elif kind == "BEGIN" and cell.cell_type == "code" and not marker["hint"].strip():
            yield line, "expected a hint after `### BEGIN SOLUTION`, got none. Write one on that line."
        if kind == "BEGIN" and begun:
            yield begun, f"expected `### END SOLUTION` before the next blank in line {line}, got none. Add it."
        elif kind == "END" and not begun:
            yield line, "expected `### BEGIN SOLUTION` before `### END SOLUTION`, got none. Add it."
        begun = line if kind == "BEGIN" else 0
    if begun:
        yield begun, "expected each `### BEGIN SOLUTION` with its `### END SOLUTION`, got one alone. Add the other."


# --- pictures


def _lost_pictures(assignment: Assignment) -> Iterator[str]:
    """Yield the pictures that prose shows and that are not pasted into its cell: formgrader fails on such a page."""
    for number, cell in enumerate(assignment.cells, 1):
        shown = set(_ATTACHMENT.findall(unquote(cell.source))) if cell.cell_type == "markdown" else set()
        for name in sorted(shown - {unquote(name) for name in cell.attachments}):
            yield (
                f"{_place(assignment, number, cell)}: expected the picture {name} to be pasted into the cell, got a "
                "link to it alone. Paste it again."
            )


# --- public checks


def _bad_checks(assignment: Assignment) -> Iterator[str]:
    """Yield the calls of `check` that students could not run, or that check another exercise than their cell's."""
    path = assignment.notebook.parent / CHECKS_FILE
    if not path.is_file():
        yield f"{assignment.name}: expected {CHECKS_FILE} beside the notebook, got none. Write it."
        return
    try:
        known = list(exercises_in(path))
    except (Exception, SystemExit) as error:  # noqa: BLE001 (the file is code)
        yield f"{CHECKS_FILE}: expected it to run, got {type(error).__name__}: {error}. Fix the file."
        return
    names = {exercise.name for exercise in assignment.exercises if is_name(exercise.name)}
    for number, cell in enumerate(assignment.cells, 1):
        where = _place(assignment, number, cell)
        for called in _called(cell):
            if cell.id in names and called != cell.id:
                yield f"{where}: expected check({cell.id!r}) in this cell, got check({called!r}). Write the cell's id."
            elif called not in known:
                yield (
                    f"{where}: expected a function `{called}` in {CHECKS_FILE} for check({called!r}), got none. "
                    f"It has: {', '.join(known) or 'none'}. Write it, or correct the name."
                )


def _called(cell: Cell) -> Iterator[str]:
    """Yield what a code cell calls `check` with; without quotes, it is the name."""
    if cell.cell_type != "code" or cell.is_solution:
        return
    try:
        tree = ast.parse(plain_python(cell.source) or "")
    except SyntaxError:
        return  # the trial, or the reference, shows it
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "check":
            given = node.args[0] if node.args else ast.Constant("")
            if isinstance(given, ast.Name):
                yield given.id
            elif isinstance(given, ast.Constant):
                yield str(given.value)


# --- graders and misconceptions


def _bad_graders(assignment: Assignment) -> Iterator[str]:
    for path in sorted(assignment.graders.glob("test_*.py")):
        where = f"{assignment.name}/{path.stem.removeprefix('test_')}"
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except SyntaxError as error:
            yield f"{where}: expected Python in {path.name}, got {error.msg} in line {error.lineno}. Fix it."
            continue
        if not any(isinstance(node, ast.FunctionDef) and node.name.startswith("test_") for node in ast.walk(tree)):
            yield f"{where}: expected checks in {path.name}, got no function test_…. Write one."
        for line, value in _weights(tree):
            if not value > 0:
                yield f"{where}: expected a weight above 0, got {value:g} in {path.name} line {line}. Set it."


def _weights(tree: ast.Module) -> Iterator[tuple[int, float]]:
    """Yield line and value of each ``weight(n)``; values that are not literals are checked when the grader runs."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and _name(node.func) == "weight":
            try:
                yield node.lineno, float(ast.literal_eval(node.args[0]))
            except (TypeError, ValueError):
                continue


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _bad_misconceptions(assignment: Assignment) -> Iterator[str]:
    try:
        load_misconceptions(assignment)
    except CourseError as error:
        yield str(error)
