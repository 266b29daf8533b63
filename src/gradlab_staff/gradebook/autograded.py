"""The notebook of ``autograded/``: the student's cells, the locked ones restored, the verdict in the grade cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gradlab_staff.grading.verdict import ExerciseResult, Verdict
from gradlab_staff.intake.matching import Matched, MatchedCell
from gradlab_staff.intake.outputs import safe_prose, stream
from gradlab_staff.pages.feedback import exercise_report
from gradlab_staff.text import clean

__all__ = ["Released", "ReleasedCell", "autograded_notebook", "earned"]


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
    results = {result.name: result for result in verdict.exercises}
    cells = [_rendered(cell, id, released, results) for cell, id in _placed(released, work.cells)]
    if not work.readable:
        cells.insert(0, _unreadable(verdict))
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


def _placed(released: Released, cells: Sequence[MatchedCell]) -> list[tuple[MatchedCell | None, str]]:
    """Return each cell of the submission with the id that it carries on, each id once.

    Missing cells (None) come after the one they followed.
    """
    placed: list[tuple[MatchedCell | None, str]] = [
        (cell, cell.id if cell.main and cell.id in released.cells else "") for cell in cells
    ]
    place = 0
    for id in released.cells:
        found = next((index for index, (_, known) in enumerate(placed) if known == id), None)
        if found is None:
            placed.insert(place, (None, id))
        place = (place if found is None else found) + 1
    return placed


def _rendered(item: MatchedCell | None, id: str, released: Released,
              results: Mapping[str, ExerciseResult]) -> dict[str, Any]:  # fmt: skip
    """Return one cell as nbformat has it."""
    known = released.cells.get(id)
    if known is None:
        assert item is not None
        return _own(item)
    source = known.source if item is None or known.locked else item.cell.source
    if known.cell_type != "code":
        text = source if source == known.source else safe_prose(source)  # the assignment's own may hold HTML
        return {"cell_type": known.cell_type, "metadata": known.metadata, "source": text}
    outputs = list(item.cell.outputs) if item else []
    if known.grade and not known.solution and id in results:
        outputs = grade_outputs(results[id])
    return _code(source, known.metadata, outputs)


def _own(item: MatchedCell) -> dict[str, Any]:
    """Return a cell that the student added."""
    if item.cell.cell_type == "code":
        return _code(item.cell.source, {}, list(item.cell.outputs))
    kind = "markdown" if item.cell.cell_type == "markdown" else "raw"
    return {"cell_type": kind, "metadata": {}, "source": safe_prose(item.cell.source)}


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


def _unreadable(verdict: Verdict) -> dict[str, Any]:
    warnings = "\n".join(f"- {safe_prose(clean(warning))}" for warning in verdict.warnings)
    text = f"**The notebook could not be read; the cells below are the assignment's.**\n\n{warnings}"
    return {"cell_type": "markdown", "metadata": {}, "source": text}
