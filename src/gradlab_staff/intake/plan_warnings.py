"""What there is to say about a submission's cells: what is not as released, and what of them is not run."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from gradlab_staff.course.magics import MAX_SOURCE_CHARS, Plain
from gradlab_staff.course.template import Template
from gradlab_staff.intake.matched import Kind, Matched
from gradlab_staff.intake.placed import Placed, by_id
from gradlab_staff.text import one_line

__all__ = ["demo_warnings", "reading_warnings", "warnings"]

_FEW = 5


def warnings(
    template: Template, matched: Matched, placed: Sequence[Placed], written: Sequence[Placed]
) -> Iterator[str]:
    """Yield what differs from the release, a line each."""
    if not any(cell.id for cell in placed):
        yield "expected the assignment's cells, got none of them. All exercises count as not attempted."
        return
    yield from _missing(template, matched, {cell.id for cell in placed}, written)
    for id, copies in by_id(written, Kind.SOLUTION).items():
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


def _lines(cell: Placed) -> str:
    numbers = [str(node.lineno) for node in cell.run]
    shown = ", ".join(numbers[:_FEW]) + (" …" if len(numbers) > _FEW else "")
    return f"line{'s' * (len(numbers) > 1)} {shown}"


def _missing(template: Template, matched: Matched, found: set[str], written: Sequence[Placed]) -> Iterator[str]:
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


def reading_warnings(matched: Matched, read: Iterable[tuple[Placed, Plain]]) -> Iterator[str]:
    """Yield what is not run because Python cannot read it: cells, and lines that are IPython's commands."""
    lines: list[str] = []
    for cell, plain in read:
        if cell.is_answer and not plain.source:
            continue
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


def demo_warnings(template: Template, given: Iterable[Placed]) -> Iterator[str]:
    if demos := [cell.id for cell in given if template.cells[cell.id].is_demo]:
        yield f"{', '.join(demos)}: a solution uses names from these demonstration cells, so they were run as well."
