"""The notebook of ``autograded/``: the student's cells, the locked ones restored, the verdict in the grade cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gradlab_staff.course import Assignment, Cell
from gradlab_staff.course.template import Template, normal
from gradlab_staff.grading.verdict import ExerciseResult, Verdict
from gradlab_staff.intake.cells import find_notebook, read_submission
from gradlab_staff.pages.feedback import exercise_report
from gradlab_staff.pages.outputs import clean, outputs_of, safe_outputs, safe_prose, stream

__all__ = ["Released", "ReleasedCell", "StudentCell", "Work", "autograded_notebook", "earned", "read_work"]


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
        """The metadata that nbgrader writes for such a cell."""
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


@dataclass(frozen=True)
class StudentCell:
    """A cell as submitted, the assignment's cell that grading took it for, and its raw outputs."""

    cell: Cell
    taken_for: str = ""
    outputs: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Work:
    """What a student handed in; `cells` is None where no notebook could be read."""

    cells: tuple[StudentCell, ...] | None


def read_work(assignment: Assignment, folder: Path) -> Work:
    """What was handed in, with the assignment's cells recognised as grading recognises them."""
    path, _ = find_notebook(folder, assignment)
    received = read_submission(path) if path else None
    if received is None or not received.readable:
        return Work(None)
    cells = received.cells
    template = Template(assignment)
    taken_for = [template.recognise(cell) if cell.cell_type == "code" else "" for cell in cells]
    outputs = [*outputs_of(path), *([] for _ in cells)]
    return Work(tuple(map(StudentCell, cells, taken_for, outputs)))


def earned(result: ExerciseResult) -> float:
    """The score as nbgrader takes it: never above the points, which rounding could exceed by half a cent."""
    return min(result.score, result.points)


def autograded_notebook(released: Released, work: Work, verdict: Verdict) -> dict[str, Any]:
    """The notebook, as plain data: nbformat 4.4, valid for nbgrader whatever was submitted."""
    results = {result.name: result for result in verdict.exercises}
    cells = [_rendered(cell, id, released, results) for cell, id in _placed(released, work.cells or ())]
    if work.cells is None:
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


def _placed(released: Released, cells: Sequence[StudentCell]) -> list[tuple[StudentCell | None, str]]:
    """Each cell of the submission with the id that it carries on; missing cells (None) after the one they followed."""
    placed: list[tuple[StudentCell | None, str]] = list(zip(cells, _ids(released, cells), strict=True))
    place = 0
    for id in released.cells:
        found = next((index for index, (_, known) in enumerate(placed) if known == id), None)
        if found is None:
            placed.insert(place, (None, id))
        place = (place if found is None else found) + 1
    return placed


def _ids(released: Released, cells: Sequence[StudentCell]) -> list[str]:
    """The id of each cell, each id once: of copies the last that is not as released, for that one counts.

    A cell that lost its metadata is known by what grading took it for, or by its text.
    """
    by_source = {normal(cell.source): id for id, cell in released.cells.items()}
    ids = [item.cell.id if item.cell.id in released.cells else "" for item in cells]
    for index, item in enumerate(cells):
        id = item.taken_for or by_source.get(normal(item.cell.source), "")
        if not ids[index] and id not in ids:
            ids[index] = id
    for id in {id for id in ids if ids.count(id) > 1 and id}:
        main = _main(id, ids, cells, released)
        ids = ["" if known == id and index != main else known for index, known in enumerate(ids)]
    return ids


def _main(id: str, ids: Sequence[str], cells: Sequence[StudentCell], released: Released) -> int:
    copies = [index for index, known in enumerate(ids) if known == id]
    untouched = normal(released.cells[id].source)
    changed = [index for index in copies if normal(cells[index].cell.source) != untouched]
    return (changed or copies)[-1]


def _rendered(item: StudentCell | None, id: str, released: Released,
              results: Mapping[str, ExerciseResult]) -> dict[str, Any]:  # fmt: skip
    """One cell as nbformat has it."""
    known = released.cells.get(id)
    if known is None:
        assert item is not None
        return _own(item)
    source = known.source if item is None or known.locked else item.cell.source
    if known.cell_type != "code":
        text = source if source == known.source else safe_prose(source)  # the assignment's own may hold HTML
        return {"cell_type": known.cell_type, "metadata": known.metadata, "source": text}
    outputs = safe_outputs(item.outputs) if item else []
    if known.grade and not known.solution and id in results:
        outputs = grade_outputs(results[id])
    return _code(source, known.metadata, outputs)


def _own(item: StudentCell) -> dict[str, Any]:
    """A cell that the student added."""
    if item.cell.cell_type == "code":
        return _code(item.cell.source, {}, safe_outputs(item.outputs))
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
    """What a grade cell shows: the report, and the score as nbgrader reads it (the first result is decisive)."""
    score = {"text/plain": repr(earned(result))}
    return [
        stream(exercise_report(result) + "\n"),
        {"output_type": "execute_result", "execution_count": None, "metadata": {}, "data": score},
    ]


def _unreadable(verdict: Verdict) -> dict[str, Any]:
    remarks = "\n".join(f"- {safe_prose(clean(remark))}" for remark in verdict.remarks)
    text = f"**The notebook could not be read; the cells below are the assignment's.**\n\n{remarks}"
    return {"cell_type": "markdown", "metadata": {}, "source": text}
