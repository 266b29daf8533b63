"""Which of the assignment's cells each cell of a submission is: decided once, for grading and for what people see."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gradlab_staff.course import Assignment, Cell
from gradlab_staff.course.template import Template, normal, released_text
from gradlab_staff.intake.answers import with_answers
from gradlab_staff.intake.matched import Kind, Matched, MatchedCell
from gradlab_staff.intake.notebook import Notebook

__all__ = ["Kind", "Matched", "MatchedCell", "match", "with_solutions"]


def match(assignment: Assignment, notebook: Notebook) -> Matched:
    """Match the cells of a submission: by their ids, else by their text as released, else by what they define.

    What was written in words belongs to a question by where it stands.
    """
    known = _Known(assignment, notebook)
    cells = [known.matched(number, cell) for number, cell in enumerate(notebook.cells, 1)]
    cells = with_answers(assignment, cells)
    kept = tuple(_with_main(_with_spares(cells)))
    return Matched(kept, notebook.warnings, python=notebook.python)


def with_solutions(assignment: Assignment, sources: Mapping[str, str]) -> Matched:
    """Return the instructor notebook as a submission, with other solution cells for the exercises in `sources`."""
    cells = [
        replace(cell, source=sources.get(cell.id.removesuffix("_solution"), cell.source)) if cell.is_solution else cell
        for cell in assignment.cells
    ]
    return match(assignment, Notebook(tuple(cells)))


@dataclass
class _Known:
    """The assignment's cells, and which of them have been seen in the submission so far."""

    assignment: Assignment
    notebook: Notebook
    seen: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.template = Template(self.assignment)
        self.cells = {cell.id: cell for cell in self.assignment.cells if cell.id}
        self.released = {id: normal(released_text(self.assignment, cell)) for id, cell in self.cells.items()}
        self.by_text = defaultdict(list)
        for id, text in self.released.items():
            self.by_text[self.cells[id].cell_type, text].append(id)
        named = {cell.id for cell in self.notebook.cells}
        unnamed = (cell for cell in self.notebook.cells if cell.id not in self.cells)
        self.unnamed = Counter((cell.cell_type, normal(cell.source)) for cell in unnamed)
        self.missing = {key: [id for id in ids if id not in named] for key, ids in self.by_text.items()}

    def matched(self, number: int, cell: Cell) -> MatchedCell:
        id = self._id(cell)
        self.seen.add(id)
        if not id:
            return MatchedCell(number, cell)
        kind = Kind.SOLUTION if self.cells[id].is_solution else Kind.GIVEN
        fits = cell.cell_type == self.cells[id].cell_type
        return MatchedCell(number, cell, id, kind, fits, released=normal(cell.source) == self.released[id])

    def _id(self, cell: Cell) -> str:
        if cell.id in self.cells:
            return cell.id
        text = normal(cell.source)
        if not text:
            return ""
        key = cell.cell_type, text
        alike = self.by_text.get(key, [])
        if len(alike) == 1:
            return alike[0]
        # questions are all released with one text: without ids they are known by their order, if none was answered
        if alike and self.unnamed[key] == len(self.missing[key]):
            return next((id for id in self.missing[key] if id not in self.seen), "")
        if alike:
            return ""
        return next(self.template.solved_in(cell.source), "") if cell.cell_type == "code" else ""


def _with_spares(cells: Sequence[MatchedCell]) -> Iterator[MatchedCell]:
    """Yield one cell for each locked one; a copy that was written over is the student's own.

    Jupyter copies the metadata with a cell, so that the student's code may carry the id of a locked cell.
    """
    copies = _copies(cell for cell in cells if cell.id and cell.kind is Kind.GIVEN)
    kept = {id: next((cell for cell in found if cell.released), found[0]) for id, found in copies.items()}
    for cell in cells:
        if not cell.id or cell.kind is not Kind.GIVEN or cell is kept[cell.id]:
            yield cell
        else:
            yield MatchedCell(cell.number, cell.cell, spare=cell.released)


def _with_main(cells: Iterable[MatchedCell]) -> Iterator[MatchedCell]:
    """Yield the cells, one of each set of copies marked: of the right type, changed, by its id, the last."""
    every = list(cells)

    def counts(cell: MatchedCell) -> tuple[bool, bool, bool, int]:
        return cell.fits, not cell.released, cell.id == cell.cell.id, cell.number

    main = {max(found, key=counts).number for found in _copies(cell for cell in every if cell.id).values()}
    return (replace(cell, main=True) if cell.number in main else cell for cell in every)


def _copies(cells: Iterable[MatchedCell]) -> dict[str, list[MatchedCell]]:
    """Return the cells by the assignment's cell that they are."""
    copies = defaultdict(list)
    for cell in cells:
        copies[cell.id].append(cell)
    return dict(copies)
