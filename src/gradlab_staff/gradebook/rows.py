"""The rows of nbgrader's gradebook: what they say, those that are missing, and how to wait for them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy.exc import OperationalError, SQLAlchemyError

from gradlab_staff.course import Assignment
from gradlab_staff.errors import GradebookError
from gradlab_staff.gradebook import _nbgrader as nbgrader
from gradlab_staff.gradebook.autograded import Released, ReleasedCell
from gradlab_staff.pages.feedback import Mark, Marks

__all__ = ["marks_of", "notebook_row", "patiently", "released_cells", "unchanged_cells"]

LOCK_WAIT_S = 60.0
"""How long to wait for another program, such as formgrader, that is writing to the gradebook."""

T = TypeVar("T")


def marks_of(submitted: Any) -> Marks:
    """Return what the gradebook holds on a submitted notebook: scores, comments, and the late penalty."""
    comments = {comment.name: str(comment.comment or "") for comment in submitted.comments}
    cells = {
        grade.name: Mark(
            score=None if grade.manual_score is None and grade.auto_score is None else grade.score,
            points=grade.max_score,
            by_hand=grade.manual_score is not None or bool(grade.extra_credit),
            comment=comments.pop(grade.name, ""),
        )
        for grade in submitted.grades
    }
    return Marks(cells, {name: text for name, text in comments.items() if text}, submitted.late_submission_penalty or 0)


def notebook_row(db: Any, notebook: Any, submission: Any) -> Any:
    """Return the row of the submitted notebook, with a grade and a comment for each cell that has one."""
    row = next((row for row in submission.notebooks if row.notebook is notebook), None)
    if row is None:
        row = nbgrader.SubmittedNotebook(notebook=notebook, assignment=submission)
        db.add(row)
    graded = {grade.cell_id for grade in row.grades}
    commented = {comment.cell_id for comment in row.comments}
    db.add_all(nbgrader.Grade(cell_id=cell.id, notebook=row) for cell in notebook.grade_cells if cell.id not in graded)
    db.add_all(
        nbgrader.Comment(cell_id=cell.id, notebook=row) for cell in notebook.solution_cells if cell.id not in commented
    )
    db.flush()
    return row


def unchanged_cells(notebook: dict[str, Any]) -> set[str]:
    """Return the ids of the solution cells and questions that are as released, by nbgrader's checksum."""
    cells = [cell for cell in nbgrader.from_dict(notebook).cells if cell.metadata.get("nbgrader", {}).get("solution")]
    return {c.metadata.nbgrader.grade_id for c in cells if nbgrader.compute_checksum(c) == c.metadata.nbgrader.checksum}


def released_cells(rows: Any, assignment: Assignment) -> Released | None:
    """Return the assignment's cells as the gradebook knows them; None where it does not know the assignment."""
    try:
        notebook = rows.find_notebook(assignment.name, assignment.name)
    except nbgrader.MissingEntry:
        return None
    points = {cell.name: float(cell.max_score) for cell in notebook.grade_cells}
    solutions = {cell.name for cell in notebook.solution_cells}
    sources = {cell.name: cell for cell in notebook.source_cells}
    ids = [cell.id for cell in assignment.cells if cell.id in sources]
    attachments = {cell.id: cell.attachments for cell in assignment.cells if cell.id}
    cells = {
        id: ReleasedCell(
            id=id,
            cell_type=sources[id].cell_type,
            source=sources[id].source or "",
            checksum=sources[id].checksum or "",
            locked=bool(sources[id].locked),
            grade=id in points,
            solution=id in solutions,
            points=points.get(id, 0.0),
            attachments=attachments.get(id, {}),
        )
        for id in [*ids, *(name for name in sources if name not in ids)]
    }
    return Released(cells, json.loads(notebook.kernelspec or "{}"))


def patiently(do: Callable[[], T], url: str) -> T:
    """Return what `do` gives; try again for a minute while another program holds the gradebook at `url`.

    Raises
    ------
    GradebookError
        Where it stays locked, or is no gradebook of this version of nbgrader's.
    """
    deadline = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            return do()
        except OperationalError as error:
            if not _is_locked(error):
                raise _broken(url, error) from error
            if time.monotonic() > deadline:
                raise GradebookError(
                    f"{url}: expected to write within {LOCK_WAIT_S:g} s, but another program holds the gradebook. "
                    "Wrote nothing for this submission. Close formgrader and other nbgrader commands, and run it again."
                ) from error
            time.sleep(0.2)
        except (SQLAlchemyError, nbgrader.InvalidEntry) as error:
            raise _broken(url, error) from error


def _is_locked(error: OperationalError) -> bool:
    return any(word in str(error.orig) for word in ("locked", "busy", "lock timeout", "could not obtain lock"))


def _broken(url: str, error: Exception) -> GradebookError:
    reason = str(getattr(error, "orig", None) or error)
    return GradebookError(
        f"{url}: expected nbgrader's gradebook, got: {reason}. Wrote nothing for this submission. If nbgrader was "
        "upgraded, copy the file to a safe place and run: nbgrader db upgrade"
    )
