"""A submission's cells, matched to the assignment's: what is run for grading, and in which order."""

from __future__ import annotations

import ast
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from gradlab_staff.course import Assignment
from gradlab_staff.course.magics import Plain, plain_python, read_cell
from gradlab_staff.course.template import Template, binds, bound, exercise_of, statements
from gradlab_staff.intake.demonstrations import building_blocks, needed_demonstrations
from gradlab_staff.intake.matching import Kind, Matched
from gradlab_staff.intake.placed import Placed, by_id
from gradlab_staff.intake.plan_warnings import demo_warnings, reading_warnings, warnings

__all__ = ["Code", "Plan", "plan"]


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
    placed = [Placed.of(cell) for cell in matched.cells if cell.is_code and not cell.spare]
    read = [(cell, read_cell(cell.source)) for cell in placed if not _only_checks(cell.source)]
    written = _needed(template, [_written(template, cell, plain) for cell, plain in read if plain.source])
    demos = needed_demonstrations(template, ((_solution(cell), cell.run) for cell in written))
    given = [*_given(template, placed, demos)]
    return Plan(
        code=tuple(_ordered(template, [*written, *given])),
        warnings=(
            *warnings(template, matched, placed, written),
            *reading_warnings(matched, read),
            *demo_warnings(template, given),
        ),
        unchanged=_unchanged(template, placed),
    )


def _unchanged(template: Template, placed: Sequence[Placed]) -> frozenset[str]:
    """Return the exercises whose cells are as released, and that no other cell of the student's solves."""
    solved = {id for cell in placed if not cell.released for id in template.solved_in(cell.source)}
    copies = by_id(placed, Kind.SOLUTION).items()
    return frozenset(
        exercise_of(id) for id, cells in copies if id not in solved and all(cell.released for cell in cells)
    )


# --- what is run, and in which order


def _written(template: Template, cell: Placed, plain: Plain) -> Placed:
    """Return a cell of the student's as it is run: Python alone, and of a locked cell what they added to it.

    A solution cell as released is a stub: it gives a name to what nobody has solved, and takes none from a solution.
    """
    cell = replace(cell, source=plain.source)
    if cell.kind is Kind.GIVEN:
        return replace(cell, kind=Kind.OWN, only=() if cell.released else _added(template, cell))
    shared = Counter(name for names in template.defines.values() for name in names)
    alone = all(shared[name] == 1 for name in template.defines.get(cell.id, ()))
    return replace(cell, kind=Kind.STUB) if cell.kind is Kind.SOLUTION and cell.released and alone else cell


def _needed(template: Template, written: list[Placed]) -> list[Placed]:
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


def _solves(template: Template, cell: Placed) -> bool:
    return any(template.solved_in(cell.source))


def _solution(cell: Placed) -> str:
    return cell.id if cell.kind is Kind.SOLUTION else ""


def _added(template: Template, cell: Placed) -> tuple[int, ...]:
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


def _ordered(template: Template, cells: Sequence[Placed]) -> Iterator[Code]:
    """Yield the code to run, in order: at one place, the assignment's own comes first."""
    ours = (Kind.GIVEN, Kind.STUB)
    code = sorted(cells, key=lambda cell: (cell.place, cell.kind not in ours, template.order.get(cell.id, 0)))
    return (
        Code(cell.label, cell.source, cell.kind, cell.id, cell.only)
        for cell in code
        if cell.source.strip() and cell.only != ()
    )


def _given(template: Template, placed: Sequence[Placed], demos: set[str]) -> Iterator[Placed]:
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
            yield Placed(place, plain_python(cell.source) or "", id, kind)
