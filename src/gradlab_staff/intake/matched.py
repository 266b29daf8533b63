"""A submission's cells, each with the assignment's cell that it is: what matching finds out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from gradlab_staff.course import Cell

__all__ = ["Kind", "Matched", "MatchedCell"]


class Kind(StrEnum):
    """Whose a cell is: the assignment's own, or the student's in a solution cell or elsewhere.

    A stub is a solution cell as released.
    """

    GIVEN = "given"
    STUB = "stub"
    SOLUTION = "solution"
    OWN = "own"


@dataclass(frozen=True)
class MatchedCell:
    """A cell of a submission, the assignment's cell that it is (or none), and whether it reads as released.

    Of several that are one cell of the assignment's, `main` is the one that counts; a `spare` copy of a locked cell is
    not run.
    """

    number: int
    cell: Cell
    id: str = ""
    kind: Kind = Kind.OWN
    fits: bool = True
    """Whether it is of that cell's type: code, or markdown."""
    released: bool = False
    main: bool = False
    spare: bool = False
    written: str = ""
    """What the student wrote here in words, as markdown; of the assignment's own prose, only what was added to it."""
    answers: str = ""
    """The question of which that is a part of the answer; none where it cannot be told."""
    perhaps: frozenset[str] = frozenset()
    """Further questions that it may answer: shown with those of them that were left open."""
    stays: bool = False
    """Whether it stands below code of the student's, which it may be about."""

    @property
    def is_code(self) -> bool:
        """Return whether it is a code cell that holds anything."""
        return self.cell.cell_type == "code" and bool(self.cell.source.strip())

    @property
    def moves(self) -> bool:
        """Return whether the whole cell goes into the question's; else what is written in it is repeated there."""
        return bool(self.answers) and self.kind is Kind.OWN and not self.stays


@dataclass(frozen=True)
class Matched:
    """A submission's notebook, its cells matched to the assignment's.

    `beside` holds the files that lie in its folder, by their paths; `python` is the version that it was written with,
    where it says so.
    """

    cells: tuple[MatchedCell, ...] = ()
    warnings: tuple[str, ...] = ()
    beside: Mapping[str, Path] = field(default_factory=dict)
    python: str = ""

    def answer(self, question: str) -> list[MatchedCell]:
        """Return the cells that belong to the answer of a question, besides its own, in order."""
        return [cell for cell in self.cells if cell.answers == question]

    def perhaps(self, question: str) -> list[MatchedCell]:
        """Return the cells that may answer a question that was left open: those beside it first, then the unplaced."""
        return [*(cell for cell in self.cells if cell.written and question in cell.perhaps), *self.unplaced]

    @property
    def unplaced(self) -> list[MatchedCell]:
        """Return the cells with text of the student's that might answer any question."""
        placed = {cell.number for cell in self.cells if cell.answers or cell.perhaps or cell.kind is Kind.SOLUTION}
        return [cell for cell in self.cells if cell.written and cell.number not in placed]
