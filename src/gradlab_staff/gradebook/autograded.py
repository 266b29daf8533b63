"""The notebook of ``autograded/``: the student's cells, the locked ones restored, the verdict in the grade cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gradlab_staff.course.template import UNANSWERED, normal
from gradlab_staff.grading.verdict import ExerciseResult, Verdict
from gradlab_staff.intake.matched import Kind, Matched, MatchedCell
from gradlab_staff.intake.outputs import stream
from gradlab_staff.intake.pictures import Album
from gradlab_staff.intake.prose import SafeProse, safe_prose
from gradlab_staff.pages.feedback import exercise_report

__all__ = ["Released", "ReleasedCell", "autograded_notebook", "earned"]

_MAX_UNPLACED = 20  # cells, and characters of them, that are repeated with each question
_MAX_UNPLACED_CHARS = 16 << 10
_PERHAPS = "---\n\n**Nothing was written here. What was written elsewhere, and may answer it:**"


@dataclass(frozen=True)
class ReleasedCell:
    """A cell of the assignment as the gradebook knows it."""

    id: str
    cell_type: str
    source: str
    checksum: str
    locked: bool
    grade: bool
    solution: bool
    points: float
    attachments: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def is_question(self) -> bool:
        """Return whether a person marks it."""
        return self.grade and self.solution and self.cell_type != "code"

    @property
    def metadata(self) -> dict[str, Any]:
        """Return the metadata that nbgrader writes for such a cell."""
        nbgrader = {
            "schema_version": 3,
            "grade_id": self.id,
            "grade": self.grade,
            "solution": self.solution,
            "locked": self.locked,
            "task": False,
            "cell_type": self.cell_type,
            "checksum": self.checksum,
            **({"points": self.points} if self.grade else {}),
        }
        return {"deletable": False, **({} if self.solution else {"editable": False}), "nbgrader": nbgrader}


@dataclass(frozen=True)
class Released:
    """The cells of an assignment by id, in the notebook's order, and the notebook's kernel."""

    cells: Mapping[str, ReleasedCell]
    kernelspec: dict[str, Any] = field(default_factory=dict)


def earned(result: ExerciseResult) -> float:
    """Return the score as nbgrader takes it: never above the points, which rounding could exceed by half a cent."""
    return min(result.score, result.points)


def autograded_notebook(released: Released, work: Matched, verdict: Verdict) -> dict[str, Any]:
    """Return the notebook as plain data: nbformat 4.4, valid for nbgrader whatever was submitted."""
    writing = _Writing(released, work, {result.name: result for result in verdict.exercises})
    cells = [writing.cell(item, id) for item, id in _placed(released, work)]
    return {
        "nbformat": 4,
        "nbformat_minor": 4,
        "metadata": {
            "kernelspec": released.kernelspec or {"name": "python3", "display_name": "Python 3", "language": "python"},
            "language_info": {"name": "python"},
            "gradlab": {"verdict": verdict.to_dict()},
        },
        "cells": cells,
    }


def _placed(released: Released, work: Matched) -> list[tuple[MatchedCell | None, str]]:
    """Return each cell of the submission with the id that it carries on, each id once, less what moves into a question.

    Missing cells (None) come after the one they followed; a question's, after the words that answer it.
    """
    placed: list[tuple[MatchedCell | None, str]] = [
        (cell, cell.id if cell.main and cell.id in released.cells else "") for cell in work.cells if not cell.moves
    ]
    place = 0
    for id in released.cells:
        found = next((index for index, (_, known) in enumerate(placed) if known == id), None)
        if found is None:
            found = next((at for at, (cell, _) in enumerate(placed, 1) if cell and cell.answers == id), place)
            placed.insert(found, (None, id))
        place = found + 1
    return placed


@dataclass
class _Writing:
    """The notebook's cells, written as nbformat has them."""

    released: Released
    work: Matched
    results: Mapping[str, ExerciseResult]
    album: Album = field(default_factory=Album)

    def cell(self, item: MatchedCell | None, id: str) -> dict[str, Any]:
        """Return one cell: of the submission, of the assignment, or both."""
        known = self.released.cells.get(id)
        if known is None:
            assert item is not None
            return self._own(item)
        if known.is_question:
            return self._question(known, item)
        source = known.source if item is None or known.locked else item.cell.source
        if known.cell_type != "code":
            return _prose(known.cell_type, known.metadata, *self._text(known, item, source))
        outputs = list(item.cell.outputs) if item else []
        if known.grade and not known.solution and id in self.results:
            outputs = grade_outputs(self.results[id])
        return _code(source, known.metadata, outputs)

    def _own(self, item: MatchedCell) -> dict[str, Any]:
        """Return a cell that the student added, or the assignment's own prose."""
        if item.cell.cell_type == "code":
            return _code(item.cell.source, {}, list(item.cell.outputs))
        if item.cell.cell_type != "markdown":
            return _prose("raw", {}, safe_prose(item.cell.source))
        if item.kind is Kind.GIVEN and item.released:  # the instructor's may hold HTML
            return _prose("markdown", {}, item.cell.source, item.cell.attachments)
        prose = SafeProse(self.work.beside, self.album)
        source = prose.add(item.cell.source, item.cell.attachments)
        metadata = {} if item.kind is Kind.GIVEN else {"gradlab": {"own": True}}
        return _prose("markdown", metadata, source, prose.attachments)

    def _text(self, known: ReleasedCell, item: MatchedCell | None, source: str) -> tuple[str, dict[str, Any]]:
        if item is None or source == known.source:
            return known.source, known.attachments
        prose = SafeProse(self.work.beside, self.album)
        return prose.add(source, {**known.attachments, **item.cell.attachments}), prose.attachments

    def _question(self, known: ReleasedCell, own: MatchedCell | None) -> dict[str, Any]:
        """Return a question's cell with all that may be its answer, so that nbgrader sees that it was answered.

        nbgrader enters a zero, "No response.", where the cell is as released.
        """
        parts = self.work.answer(known.id)
        answered = own is not None and own.written
        if not answered and not parts:
            return self._unanswered(known)
        prose = SafeProse(self.work.beside, self.album)
        texts = []
        if own is not None and not answered and normal(known.source) != UNANSWERED:  # the question itself is in it
            prose.attachments.update(known.attachments)
            texts.append(known.source)
        for part in sorted([*([own] if own is not None and answered else []), *parts], key=lambda cell: cell.number):
            texts.append(prose.add(part.written, {**known.attachments, **part.cell.attachments}))
        return _prose("markdown", known.metadata, "\n\n".join(dict.fromkeys(texts)), prose.attachments)

    def _unanswered(self, known: ReleasedCell) -> dict[str, Any]:
        """Return a question's cell as released, with what was written elsewhere and may answer it, if anything."""
        prose = SafeProse(self.work.beside, self.album, dict(known.attachments))
        unplaced = self.work.perhaps(known.id)
        if not unplaced:
            return _prose("markdown", known.metadata, known.source, known.attachments)
        texts, room = [known.source, _PERHAPS], _MAX_UNPLACED_CHARS
        for cell in unplaced[:_MAX_UNPLACED]:
            if room > 0:
                written = cell.written if len(cell.written) <= room else f"{cell.written[:room]} …"
                room -= len(written)
                quoted = prose.add(written, cell.cell.attachments).replace("\n", "\n> ")
                texts.append(f"Cell {cell.number}:\n\n> {quoted}")
        if len(texts) - 2 < len(unplaced):
            texts.append(f"and {len(unplaced) - len(texts) + 2} more of the cells below and above.")
        return _prose("markdown", known.metadata, "\n\n".join(texts), prose.attachments)


def _prose(kind: str, metadata: dict[str, Any], source: str,
           attachments: Mapping[str, dict[str, str]] | None = None) -> dict[str, Any]:  # fmt: skip
    cell = {"cell_type": kind, "metadata": metadata, "source": source}
    return {**cell, "attachments": dict(attachments)} if attachments else cell


def _code(source: str, metadata: dict[str, Any], outputs: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "metadata": metadata,
        "source": source,
        "outputs": outputs,
        "execution_count": None,
    }


def grade_outputs(result: ExerciseResult) -> list[dict[str, Any]]:
    """Return what a grade cell shows: the report, and the score as nbgrader reads it (the first result is decisive)."""
    score = {"text/plain": repr(earned(result))}
    return [
        stream(exercise_report(result) + "\n"),
        {"output_type": "execute_result", "execution_count": None, "metadata": {}, "data": score},
    ]
