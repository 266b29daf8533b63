"""The contradictions between notebook, public checks, graders and misconceptions, found before anything is made."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Iterator

from gradlab_staff.course import Assignment, Cell
from gradlab_staff.errors import CourseError
from gradlab_staff.grading.diagnosis import load_misconceptions
from gradlab_staff.releasing.calls import bad_calls
from gradlab_staff.releasing.markers import bad_blanks, bad_lines, bad_markers
from gradlab_staff.releasing.pictures import bad_attachments, bad_files, lost_files, lost_pictures
from gradlab_staff.text import one_line

__all__ = ["faults"]

_CELL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")  # nbformat's own rule
_TOLD = 3  # of the cells with an id that is none


def faults(assignment: Assignment) -> list[str]:
    """Return the contradictions in notebook, graders and misconceptions, one line each, which names the cell."""
    found = [
        *assignment.faults(),
        *_bad_cell_ids(assignment),
        *bad_files(assignment),
        *_of_cells(assignment),
        *bad_lines(assignment),
        *_bad_graders(assignment),
        *_bad_misconceptions(assignment),
    ]
    return list(dict.fromkeys(found))


def _of_cells(assignment: Assignment) -> Iterator[str]:
    """Yield what is wrong in the cells, in their order."""
    places = [_place(assignment, number, cell) for number, cell in enumerate(assignment.cells, 1)]
    for where, cell in zip(places, assignment.cells, strict=True):
        yield from bad_blanks(where, cell)
        yield from bad_markers(assignment, where, cell)
        for fault in (*lost_pictures(cell), *lost_files(assignment, cell), *bad_attachments(cell)):
            yield f"{where}: {fault}"
    yield from bad_calls(assignment, places)


def _place(assignment: Assignment, number: int, cell: Cell) -> str:
    return f"{assignment.name}/{cell.id}" if cell.id else f"{assignment.name} cell {number}"


def _bad_cell_ids(assignment: Assignment) -> Iterator[str]:
    """Yield the ids of cells that nbformat, and with it nbgrader, refuses; one line for all of them."""
    cells = json.loads(assignment.notebook.read_text(encoding="utf-8"))["cells"]
    ids = {number: cell["id"] for number, cell in enumerate(cells, 1) if "id" in cell}
    counts = Counter(map(repr, ids.values()))
    good = {id for id in ids.values() if isinstance(id, str) and _CELL_ID.fullmatch(id) and counts[repr(id)] == 1}
    bad = {number: id for number, id in ids.items() if not isinstance(id, str) or id not in good}
    if bad:
        told = ", ".join(f"{one_line(repr(id), 40)} in cell {number}" for number, id in [*bad.items()][:_TOLD])
        more = f" and {len(bad) - _TOLD} more" if len(bad) > _TOLD else ""
        yield (
            f"{assignment.name}: expected an `id` of its own for each cell, of letters, digits, - and _, at most 64 "
            f"(Jupyter's, not nbgrader's), got {told}{more}. Delete these `id` lines from "
            f"{assignment.notebook.name} in a text editor, then open and save it in Jupyter, which writes new ones."
        )


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
