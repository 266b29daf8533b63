"""A submission's code cells and the assignment's, each at its place: what a plan is made of."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from gradlab_staff.course.template import statements
from gradlab_staff.intake.matched import Kind, MatchedCell
from gradlab_staff.intake.words import is_prose

__all__ = ["Placed", "by_id"]


@dataclass(frozen=True)
class Placed:
    """A code cell: its place (in a submission: its number), and the assignment's cell that it is, or none."""

    place: float
    source: str
    id: str = ""
    kind: Kind = Kind.OWN
    released: bool = False
    only: tuple[int, ...] | None = None
    is_answer: bool = False
    """Whether it holds words, which a person reads, and not code."""

    @classmethod
    def of(cls, cell: MatchedCell) -> Placed:
        """Return a submission's cell, at its own place."""
        place, source = float(cell.number), cell.cell.source
        words = bool(cell.written) and is_prose(source)
        if not cell.fits:
            return cls(place, source, is_answer=words)
        return cls(place, source, cell.id, cell.kind, cell.released, is_answer=words)

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


def by_id(placed: Iterable[Placed], kind: Kind) -> dict[str, list[Placed]]:
    """Return the cells of one kind, by id."""
    copies = defaultdict(list)
    for cell in placed:
        if cell.kind is kind:
            copies[cell.id].append(cell)
    return dict(copies)
