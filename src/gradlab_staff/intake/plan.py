"""A submission's cells, matched to the assignment's: what is run for grading, and in which order."""

from __future__ import annotations

import ast
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from gradlab_staff.course import Assignment
from gradlab_staff.course.magics import plain_python, syntax_fault
from gradlab_staff.course.template import Template, bound, exercise_of, functions, statements, variables
from gradlab_staff.intake.matching import Kind, Matched, MatchedCell
from gradlab_staff.text import one_line

__all__ = ["Code", "Plan", "plan"]


@dataclass(frozen=True)
class Code:
    """One piece of code to run; the label is for people: ``cell 7 (dropout_forward_solution)``."""

    label: str
    source: str
    kind: Kind
    id: str = ""


@dataclass(frozen=True)
class Plan:
    """What is run for grading, in order, and what there is to say about the submission.

    `solutions` maps the name of an exercise to what stands in its solution cells, where there are any; `unchanged`
    holds the exercises whose cells are as released.
    """

    code: tuple[Code, ...]
    warnings: tuple[str, ...] = ()
    solutions: Mapping[str, str] = field(default_factory=dict)
    unchanged: frozenset[str] = frozenset()


def plan(assignment: Assignment, matched: Matched) -> Plan:
    """Return what is run of a submission: the student's cells as written, the given ones as the assignment has them."""
    template = Template(assignment)
    placed = [_Placed.of(cell) for cell in matched.cells if cell.is_code and not cell.spare]
    written, faults = _python(placed)
    given = [*_given(template, placed, _needed_demos(template, written))]
    solutions = {exercise_of(id): copies for id, copies in _copies(placed, Kind.SOLUTION).items()}
    return Plan(
        code=tuple(_ordered(template, placed, [*written, *given])),
        warnings=(*_warnings(template, matched, placed), *faults, *_demo_warnings(template, given)),
        solutions={name: "\n\n\n".join(cell.source for cell in copies) for name, copies in solutions.items()},
        unchanged=_unchanged(template, placed),
    )


@dataclass(frozen=True)
class _Placed:
    """A code cell: its place (in a submission: its number), and the assignment's cell that it is, or none."""

    place: float
    source: str
    id: str = ""
    kind: Kind = Kind.OWN
    released: bool = False

    @classmethod
    def of(cls, cell: MatchedCell) -> _Placed:
        """Return a submission's cell, at its own place."""
        place, source = float(cell.number), cell.cell.source
        return cls(place, source, cell.id, cell.kind, cell.released) if cell.fits else cls(place, source)

    @property
    def label(self) -> str:
        """Return what people call the cell."""
        where = f"cell {self.place:g}" if self.place >= 1 and self.place.is_integer() else "given cell"
        return f"{where} ({self.id})" if self.id else where


def _copies(placed: Iterable[_Placed], kind: Kind) -> dict[str, list[_Placed]]:
    """Return the cells of one kind, by id."""
    copies = defaultdict(list)
    for cell in placed:
        if cell.kind is kind:
            copies[cell.id].append(cell)
    return dict(copies)


def _unchanged(template: Template, placed: Sequence[_Placed]) -> frozenset[str]:
    """Return the exercises whose cells are as released, and that no other cell of the student's solves."""
    solved = {id for cell in placed if not cell.released for id in template.solved_in(cell.source)}
    copies = _copies(placed, Kind.SOLUTION).items()
    return frozenset(
        exercise_of(id) for id, cells in copies if id not in solved and all(cell.released for cell in cells)
    )


# --- what is run, and in which order


def _python(placed: Iterable[_Placed]) -> tuple[list[_Placed], list[str]]:
    """Return the student's cells as Python that compiles, and warnings on those changed for it or skipped."""
    cells, warnings, changed = [], [], []
    for cell in placed:
        if cell.kind is Kind.GIVEN or _only_checks(cell.source):
            continue
        source, fault = _plain(cell.source)
        if fault:
            got = f'"{one_line(fault.msg)}"' + (f" in line {fault.lineno}" if fault.lineno else "")
            warnings.append(f"{cell.label}: expected Python 3, got {got}. Skipped the cell.")
            continue
        cells.append(replace(cell, source=source))
        if source != cell.source:
            changed.append(cell.label)
    if changed:
        warnings.append(f"{', '.join(changed)}: expected Python, got IPython commands too. Skipped the commands.")
    return cells, warnings


def _plain(source: str) -> tuple[str, SyntaxError | None]:
    """Return `source` as Python alone (nothing where it is in another language), and why it does not compile."""
    if syntax_fault(source) is None:
        return source, None
    plain = plain_python(source) or ""
    return plain, syntax_fault(plain)


def _only_checks(source: str) -> bool:
    """Return whether a cell consists of calls of ``check`` alone."""
    if "check" not in source:
        return False
    nodes = statements(source)
    return bool(nodes) and all(map(_is_check, nodes))


def _is_check(node: ast.stmt) -> bool:
    call = node.value if isinstance(node, ast.Expr) else None
    return isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "check"


def _ordered(template: Template, placed: Sequence[_Placed], cells: Sequence[_Placed]) -> Iterator[Code]:
    """Yield the code to run, in order: at one place, the assignment's own comes first."""
    edited = [cell for cell in placed if cell.kind is Kind.GIVEN and not cell.released]
    stale = _stale(template, cells)
    code = [*(cell for cell in cells if cell not in stale), *(_addition(template, cell) for cell in edited)]
    code.sort(key=lambda cell: (cell.place, cell.kind is not Kind.GIVEN, template.order.get(cell.id, 0)))
    return (Code(cell.label, cell.source, cell.kind, cell.id) for cell in code if cell.source.strip())


def _stale(template: Template, cells: Sequence[_Placed]) -> list[_Placed]:
    """Return the solution cells as released whose exercise is solved in others: run last, they would undo it."""
    stale = []
    for id, copies in _copies(cells, Kind.SOLUTION).items():
        solved = [functions(cell.source) | variables(cell.source) for cell in copies if not cell.released]
        if solved and template.defines[id] <= set().union(*solved):
            stale += [cell for cell in copies if cell.released]
    return stale


def _addition(template: Template, cell: _Placed) -> _Placed:
    """Return what the student added to a locked cell: imports, and definitions of names that it does not define."""
    known = {name for node in statements(template.cells[cell.id].source) for name in bound(node)}
    added = [node for node in statements(cell.source) if bound(node) - known]
    return replace(cell, source="\n".join(map(_unparsed, added)), kind=Kind.OWN)


def _unparsed(node: ast.stmt) -> str:
    """Return the statement as text; nothing where it is nested more deeply than Python can write it."""
    try:
        return ast.unparse(node)
    except (RecursionError, ValueError):  # integers of more digits than Python prints
        return ""


def _given(template: Template, placed: Sequence[_Placed], demos: set[str]) -> Iterator[_Placed]:
    """Yield the assignment's own cells: where they stand, or where missing or late, before the first that follows.

    The stub of a missing solution cell is one of them: whatever calls it learns that it was not attempted.
    """
    places = {cell.id: cell.place for cell in reversed(placed) if cell.id}
    last = max(places.values(), default=0.0)
    for id, cell in template.cells.items():
        if template.is_run(id) or id in demos or (cell.is_solution and id not in places):
            following = [at for other, at in places.items() if template.order[other] > template.order[id]]
            place = min(places.get(id, last + 0.5), *(at - 0.5 for at in following), math.inf)
            yield _Placed(place, plain_python(cell.source) or "", id, Kind.GIVEN)


def _needed_demos(template: Template, written: Iterable[_Placed]) -> set[str]:
    """Return the demonstrations whose names a solution uses: no exercise needs them, but nothing forbids it."""
    solutions = [cell for cell in written if cell.kind is Kind.SOLUTION and not cell.released]
    own = {name for cell in written for name in functions(cell.source) | variables(cell.source)}
    return {demo for cell in solutions for demo in template.demos_for(cell.id, cell.source, own)}


# --- what there is to say


def _warnings(template: Template, matched: Matched, placed: Sequence[_Placed]) -> Iterator[str]:
    """Yield what differs from the release, a line each."""
    if not any(cell.id for cell in placed):
        yield "expected the assignment's cells, got none of them. All exercises count as not attempted."
        return
    yield from _missing(template, matched, {cell.id for cell in placed})
    for id, copies in _copies(placed, Kind.SOLUTION).items():
        if len(copies) > 1:
            numbers = ", ".join(f"{cell.place:g}" for cell in copies)
            yield f"{id}: expected one cell, got cells {numbers}. Ran them all: the last definition counts."
    for cell in placed:
        if cell.kind is Kind.GIVEN and not cell.released and not template.cells[cell.id].is_demo:
            yield f"{cell.label}: expected a locked cell as released, got it edited. Used the released text."
    for before, after in pairwise(cell for cell in placed if cell.id and not template.cells[cell.id].is_demo):
        if template.order[after.id] < template.order[before.id]:
            yield f"{after.label}: expected it before {before.id}, got it after. Kept the submission's order."
            return


def _missing(template: Template, matched: Matched, found: set[str]) -> Iterator[str]:
    types = {cell.id: cell.cell.cell_type for cell in matched.cells}
    missing = [cell for id, cell in template.cells.items() if id not in found and not cell.is_demo]
    for cell in missing:
        if cell.is_solution:
            kind = one_line(types.get(cell.id, "code"), 20)
            got = "none" if kind == "code" else f"a {kind} cell"
            yield f"{cell.id}: expected a code cell, got {got}. The exercise counts as not attempted."
    if given := [cell.id for cell in missing if not cell.is_solution]:
        yield f"{', '.join(given)}: expected locked cells as released, got none. Used the assignment's own."


def _demo_warnings(template: Template, given: Iterable[_Placed]) -> Iterator[str]:
    if demos := [cell.id for cell in given if template.cells[cell.id].is_demo]:
        yield f"{', '.join(demos)}: a solution uses names from these demonstration cells, so they were run as well."
