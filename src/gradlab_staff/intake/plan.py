"""A submission's cells, matched to the assignment's: what is run for grading, and in which order."""

from __future__ import annotations

import ast
import math
import platform
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from gradlab_staff.course import Assignment
from gradlab_staff.course.magics import MAX_SOURCE_CHARS, Plain, plain_python, read_cell
from gradlab_staff.course.template import Template, binds, bound, exercise_of, statements
from gradlab_staff.intake.demonstrations import building_blocks, needed_demonstrations
from gradlab_staff.intake.matching import Kind, Matched, MatchedCell
from gradlab_staff.text import one_line

__all__ = ["Code", "Plan", "plan"]

_FEW = 5


@dataclass(frozen=True)
class Code:
    """One piece of code to run; the label is for people: ``cell 7 (dropout_forward_solution)``.

    `only` holds the places of the statements that are run, where it is not all of them.
    """

    label: str
    source: str
    kind: Kind
    id: str = ""
    only: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Plan:
    """What is run for grading, in order, and what there is to say about the submission.

    `unchanged` holds the exercises whose cells are as released.
    """

    code: tuple[Code, ...]
    warnings: tuple[str, ...] = ()
    unchanged: frozenset[str] = frozenset()


def plan(assignment: Assignment, matched: Matched) -> Plan:
    """Return what is run of a submission: the student's cells as written, the given ones as the assignment has them."""
    template = Template(assignment)
    placed = [_Placed.of(cell) for cell in matched.cells if cell.is_code and not cell.spare]
    read = [(cell, read_cell(cell.source)) for cell in placed if not _only_checks(cell.source)]
    written = _needed(template, [_written(template, cell, plain) for cell, plain in read if plain.source])
    demos = needed_demonstrations(template, ((_solution(cell), cell.run) for cell in written))
    given = [*_given(template, placed, demos)]
    return Plan(
        code=tuple(_ordered(template, [*written, *given])),
        warnings=(
            *_warnings(template, matched, placed, written),
            *_reading_warnings(matched, read),
            *_demo_warnings(template, given),
        ),
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
    only: tuple[int, ...] | None = None

    @classmethod
    def of(cls, cell: MatchedCell) -> _Placed:
        """Return a submission's cell, at its own place."""
        place, source = float(cell.number), cell.cell.source
        return cls(place, source, cell.id, cell.kind, cell.released) if cell.fits else cls(place, source)

    @property
    def run(self) -> list[ast.stmt]:
        """Return the statements that are run of it."""
        return [node for place, node in enumerate(statements(self.source)) if self.only is None or place in self.only]

    @property
    def label(self) -> str:
        """Return what people call the cell."""
        where = f"cell {self.place:g}" if self.place >= 1 and self.place.is_integer() else "given cell"
        edited = ", edited" if self.only is not None else ""
        return f"{where} ({self.id}{edited})" if self.id else where


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


def _written(template: Template, cell: _Placed, plain: Plain) -> _Placed:
    """Return a cell of the student's as it is run: Python alone, and of a locked cell what they added to it.

    A solution cell as released is a stub: it gives a name to what nobody has solved, and takes none from a solution.
    """
    cell = replace(cell, source=plain.source)
    if cell.kind is Kind.GIVEN:
        return replace(cell, kind=Kind.OWN, only=() if cell.released else _added(template, cell))
    shared = Counter(name for names in template.defines.values() for name in names)
    alone = all(shared[name] == 1 for name in template.defines.get(cell.id, ()))
    return replace(cell, kind=Kind.STUB) if cell.kind is Kind.SOLUTION and cell.released and alone else cell


def _needed(template: Template, written: list[_Placed]) -> list[_Placed]:
    """Return the cells; of what was added to demonstrations, only definitions and what a solution builds on.

    Demonstrations are not run, so that what else was tried in them would fail.
    """
    tried = [cell for cell in written if cell.only and template.cells[cell.id].is_demo and not _solves(template, cell)]
    if not tried:
        return written
    nodes = {id(cell): cell.run for cell in written}
    blocks = building_blocks((_solution(cell), nodes[id(cell)]) for cell in written)
    kept = {
        id(cell): tuple(
            place for place, node in zip(cell.only or (), nodes[id(cell)], strict=True) if bound(node) or node in blocks
        )
        for cell in tried
    }
    return [replace(cell, only=kept[id(cell)]) if id(cell) in kept else cell for cell in written]


def _solves(template: Template, cell: _Placed) -> bool:
    return any(template.solved_in(cell.source))


def _solution(cell: _Placed) -> str:
    return cell.id if cell.kind is Kind.SOLUTION else ""


def _added(template: Template, cell: _Placed) -> tuple[int, ...]:
    """Return the places of the statements that the student added to a locked cell, and that undo nothing of it.

    Where a solution was merged into the cell, they are the whole of that.
    """
    known = statements(plain_python(template.cells[cell.id].source) or "")
    texts, names = set(map(_text, known)), {name: _imported(node).get(name) for node in known for name in binds(node)}
    added = [(place, node) for place, node in enumerate(statements(cell.source)) if _text(node) not in texts]
    if not _solves(template, cell):
        added = [(place, node) for place, node in added if not _undoes(node, names)]
    return tuple(place for place, _ in added)


def _undoes(node: ast.stmt, known: Mapping[str, object]) -> bool:
    """Return whether a statement binds one of the `known` names to something else than the import that it is."""
    imported = _imported(node)
    return any(imported.get(name, node) != known[name] for name in binds(node) & known.keys())


def _imported(node: ast.stmt) -> dict[str, object]:
    """Return what an import binds, by name: the module and what is taken of it."""
    if not isinstance(node, ast.Import | ast.ImportFrom):
        return {}
    source = (node.module, node.level) if isinstance(node, ast.ImportFrom) else ()
    return {alias.asname or alias.name: (*source, alias.name) for alias in node.names}


def _text(node: ast.stmt) -> str:
    """Return a statement without its layout; nothing where it is nested more deeply than Python can write it."""
    try:
        return ast.dump(node)
    except (RecursionError, ValueError):  # integers of more digits than Python prints
        return ""


def _only_checks(source: str) -> bool:
    """Return whether a cell consists of calls of ``check`` alone."""
    if "check" not in source:
        return False
    nodes = statements(source)
    return bool(nodes) and all(map(_is_check, nodes))


def _is_check(node: ast.stmt) -> bool:
    call = node.value if isinstance(node, ast.Expr) else None
    return isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "check"


def _ordered(template: Template, cells: Sequence[_Placed]) -> Iterator[Code]:
    """Yield the code to run, in order: at one place, the assignment's own comes first."""
    ours = (Kind.GIVEN, Kind.STUB)
    code = sorted(cells, key=lambda cell: (cell.place, cell.kind not in ours, template.order.get(cell.id, 0)))
    return (
        Code(cell.label, cell.source, cell.kind, cell.id, cell.only)
        for cell in code
        if cell.source.strip() and cell.only != ()
    )


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
            kind = Kind.STUB if cell.is_solution else Kind.GIVEN
            yield _Placed(place, plain_python(cell.source) or "", id, kind)


# --- what there is to say


def _warnings(
    template: Template, matched: Matched, placed: Sequence[_Placed], written: Sequence[_Placed]
) -> Iterator[str]:
    """Yield what differs from the release, a line each."""
    if not any(cell.id for cell in placed):
        yield "expected the assignment's cells, got none of them. All exercises count as not attempted."
        return
    yield from _missing(template, matched, {cell.id for cell in placed}, written)
    for id, copies in _copies(written, Kind.SOLUTION).items():
        numbers = [f"{cell.place:g}" for cell in copies if id in template.solved_in(cell.source)]
        if len(numbers) > 1:
            yield f"{id}: expected one cell, got cells {', '.join(numbers)}. Ran them all: the last definition counts."
    added = {cell.place: _lines(cell) for cell in written if cell.only}
    for cell in placed:
        if cell.kind is Kind.GIVEN and not cell.released and not template.cells[cell.id].is_demo:
            then = f", and ran what was added in {added[cell.place]}" if cell.place in added else ""
            yield f"{cell.label}: expected a locked cell as released, got it edited. Used the released text{then}."
    for before, after in pairwise(cell for cell in placed if cell.id and not template.cells[cell.id].is_demo):
        if template.order[after.id] < template.order[before.id]:
            yield f"{after.label}: expected it before {before.id}, got it after. Kept the submission's order."
            return


def _lines(cell: _Placed) -> str:
    numbers = [str(node.lineno) for node in cell.run]
    shown = ", ".join(numbers[:_FEW]) + (" …" if len(numbers) > _FEW else "")
    return f"line{'s' * (len(numbers) > 1)} {shown}"


def _missing(template: Template, matched: Matched, found: set[str], written: Sequence[_Placed]) -> Iterator[str]:
    types = {cell.id: cell.cell.cell_type for cell in matched.cells}
    missing = [cell for id, cell in template.cells.items() if id not in found and not cell.is_demo]
    for cell in missing:
        if cell.is_solution:
            kind = one_line(types.get(cell.id, "code"), 20)
            got = "none" if kind == "code" else f"a {kind} cell"
            where = [one.label for one in written if cell.id in template.solved_in(one.source)]
            then = f"Graded what {', '.join(where)} defines" if where else "The exercise counts as not attempted"
            yield f"{cell.id}: expected a code cell, got {got}. {then}."
    if given := [cell.id for cell in missing if not cell.is_solution]:
        yield f"{', '.join(given)}: expected locked cells as released, got none. Used the assignment's own."


def _reading_warnings(matched: Matched, read: Iterable[tuple[_Placed, Plain]]) -> Iterator[str]:
    """Yield what is not run because Python cannot read it: cells, and lines that are IPython's commands."""
    lines: list[str] = []
    for cell, plain in read:
        if plain.language:
            yield f"{cell.label}: expected Python, got a cell for {plain.language}. Skipped the cell."
        elif plain.fault and len(cell.source) > MAX_SOURCE_CHARS:
            got = f"expected at most {MAX_SOURCE_CHARS} characters, got {len(cell.source)}"
            yield f"{cell.label}: {got}. Skipped the cell."
        elif plain.fault:
            yield f"{cell.label}{_unread(plain.fault, matched.python)} Skipped the cell."
        if cell.kind is Kind.GIVEN and cell.released:
            continue
        lines += [f"{cell.label}, line {line} ({one_line(text, 60)})" for line, text in plain.skipped]
    if lines:
        more = f", and {len(lines) - _FEW} more" if len(lines) > _FEW else ""
        yield f"{', '.join(lines[:_FEW])}{more}: expected Python, got commands of IPython. Skipped the lines."


def _unread(fault: SyntaxError, written_with: str) -> str:
    """Return why Python cannot read a cell: that it is newer Python than grading's, where that may be the reason."""
    ours = platform.python_version()
    line = f", line {fault.lineno}" if fault.lineno else ""
    said = f'{line}: Python {".".join(ours.split(".")[:2])} cannot read this ("{one_line(fault.msg)}").'
    if not written_with and line:
        return f"{said} Is it newer Python? Grading has Python {ours}."
    if _version(written_with) > _version(ours):
        return f"{said} It was written with Python {written_with}, and grading has Python {ours}: use what both know."
    return said


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2] if part.isdecimal())


def _demo_warnings(template: Template, given: Iterable[_Placed]) -> Iterator[str]:
    if demos := [cell.id for cell in given if template.cells[cell.id].is_demo]:
        yield f"{', '.join(demos)}: a solution uses names from these demonstration cells, so they were run as well."
