"""The gradebook of a class, open for one assignment: verdicts go in, as nbgrader's own autograder would enter them."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.exc import OperationalError, SQLAlchemyError

from gradlab.cells import find_notebook, read_submission
from gradlab.course import Assignment
from gradlab.errors import GradebookError
from gradlab.feedback import Mark, Marks, feedback_page
from gradlab.gradebook import _nbgrader as nbgrader
from gradlab.gradebook.autograded import Released, ReleasedCell, StudentCell, Work, autograded_notebook, earned
from gradlab.gradebook.folders import fill_folder, supporting_files
from gradlab.gradebook.release import nbgrader_app, save_cells
from gradlab.grading.verdict import Verdict
from gradlab.outputs import outputs_of
from gradlab.template import Template

__all__ = ["Gradebook"]

LOCK_WAIT_S = 60.0
"""How long to wait for another program, such as formgrader, that is writing to the gradebook."""

_NO_RESPONSE = "No response."  # nbgrader's word
_BUSY_S = 5.0


@dataclass
class Gradebook:
    """The gradebook of a course, for one assignment: one session for the class, one transaction a submission."""

    assignment: Assignment
    app: Any
    rows: Any
    released: Released

    @classmethod
    @contextlib.contextmanager
    def open(cls, assignment: Assignment) -> Iterator[Gradebook]:
        """The open gradebook. Where it does not know the assignment yet, its cells are entered first.

        Raises
        ------
        GradebookError
            Where it cannot be opened, stays locked, or knows the assignment with other cells or points.
        CourseError
            Where nbgrader refuses the notebook or the settings.
        """
        app = nbgrader_app(assignment.course)
        where = app.coursedir.db_url
        rows = _patiently(lambda: _connect(where, app.coursedir.course_id), where)
        try:
            released = _patiently(lambda: _released(rows, assignment), where)
            if released is None:
                save_cells(assignment)
                released = _patiently(lambda: _released(rows, assignment), where) or Released({})
            _check_points(assignment, released)
            yield cls(assignment, app, rows, released)
        finally:
            rows.close()

    def record(self, verdict: Verdict, folder: Path) -> None:
        """Enter `verdict` on the submission in `folder`: gradebook rows, ``autograded/`` and ``feedback/``.

        Scores, marks and comments given by hand stay. Nothing is entered where anything fails.

        Raises
        ------
        GradebookError
            Where the gradebook stays locked or cannot be written.
        """
        work = read_work(self.assignment, folder)
        notebook = autograded_notebook(self.released, work, verdict)
        _patiently(lambda: self._enter(verdict, work, notebook, folder), self.app.coursedir.db_url)

    def _enter(self, verdict: Verdict, work: Work, notebook: dict[str, Any], folder: Path) -> None:
        db = self.rows.db
        try:
            submitted = self._submission(verdict.student, _timestamp(folder))
            self._score(submitted, verdict, work, _unchanged(notebook))
            db.flush()
            self._penalise(submitted, verdict.student)
            db.flush()
            page = feedback_page(notebook, verdict, marks_of(submitted))
            # Files first: where the commit fails, the gradebook still says that the submission is to be graded.
            self._write_folders(verdict.student, notebook, page, folder)
            db.commit()
        except BaseException:
            db.rollback()
            raise

    def _submission(self, student: str, timestamp: Any) -> Any:
        """The row of the student's notebook, made with what is above and below it where there is none."""
        db, name = self.rows.db, self.assignment.name
        if db.get(nbgrader.Student, student) is None:
            db.add(nbgrader.Student(id=student))
            db.flush()
        try:
            submission = self.rows.find_submission(name, student)
        except nbgrader.MissingEntry:
            submission = nbgrader.SubmittedAssignment(
                assignment=self.rows.find_assignment(name), student=self.rows.find_student(student)
            )
            db.add(submission)
        if timestamp is not None:
            submission.timestamp = timestamp
        db.flush()
        return _notebook_row(db, self.rows.find_notebook(name, name), submission)

    def _score(self, submitted: Any, verdict: Verdict, work: Work, unchanged: set[str]) -> None:
        """Scores and automatic comments, by the rules of nbgrader's SaveAutoGrades."""
        scores = {result.name: earned(result) for result in verdict.exercises}
        scores |= dict.fromkeys(unchanged - scores.keys(), 0.0)
        unread = work.cells is None
        for grade in submitted.grades:
            grade.auto_score = scores.get(grade.name)
            grade.needs_manual_grade = grade.manual_score is not None or grade.auto_score is None or unread
        remarks = "\n".join(verdict.remarks) if unread else ""
        for comment in submitted.comments:
            comment.auto_comment = remarks or (_NO_RESPONSE if comment.name in unchanged else None)

    def _penalise(self, submitted: Any, student: str) -> None:
        """The late penalty, from the course's plugin, as nbgrader's AssignLatePenalties asks for it."""
        submitted.late_submission_penalty = None
        late_s = submitted.assignment.total_seconds_late
        if late_s > 0:
            assign = nbgrader.AssignLatePenalties(parent=self.app)
            assign.init_plugin()
            penalty = assign.plugin_inst.late_submission_penalty(student, submitted.score, late_s)
            if penalty is not None:
                submitted.late_submission_penalty = assign._check_late_penalty(submitted, penalty)

    def _write_folders(self, student: str, notebook: dict[str, Any], page: str, folder: Path) -> None:
        coursedir, name = self.app.coursedir, self.assignment.name
        text = json.dumps(notebook, ensure_ascii=False, indent=1)
        autograded = Path(coursedir.format_path(coursedir.autograded_directory, student, name))
        feedback = Path(coursedir.format_path(coursedir.feedback_directory, student, name))
        files = {**supporting_files(folder), **supporting_files(self.assignment.notebook.parent)}
        fill_folder(autograded, {**files, f"{name}.ipynb": text}, mode=0o444)
        stamp = {path: source for path, source in files.items() if path == "timestamp.txt"}
        fill_folder(feedback, {**stamp, f"{name}.html": page}, mode=0o644)


def marks_of(submitted: Any) -> Marks:
    """What the gradebook holds on a submitted notebook: scores, comments, and the late penalty."""
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


def _notebook_row(db: Any, notebook: Any, submission: Any) -> Any:
    """The submitted notebook, with a grade and a comment for each cell that has one."""
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


def _unchanged(notebook: dict[str, Any]) -> set[str]:
    """The ids of the solution cells and questions that are as released, by nbgrader's checksum."""
    cells = [cell for cell in nbgrader.from_dict(notebook).cells if cell.metadata.get("nbgrader", {}).get("solution")]
    return {c.metadata.nbgrader.grade_id for c in cells if nbgrader.compute_checksum(c) == c.metadata.nbgrader.checksum}


def _timestamp(folder: Path) -> Any:
    """When the submission was handed in, in UTC; None where ``timestamp.txt`` does not say."""
    try:
        text = (folder / "timestamp.txt").read_text(encoding="utf-8").strip()
        return nbgrader.parse_utc(text) if text else None
    except (OSError, ValueError, OverflowError):
        return None


def read_work(assignment: Assignment, folder: Path) -> Work:
    """What was handed in, with the assignment's cells recognised as grading recognises them."""
    path, _ = find_notebook(folder, assignment)
    cells = read_submission(path).cells if path else None
    if cells is None:
        return Work(None)
    template = Template(assignment)
    taken_for = [template.recognise(cell) if cell.cell_type == "code" else "" for cell in cells]
    outputs = [*outputs_of(path), *([] for _ in cells)]
    return Work(tuple(map(StudentCell, cells, taken_for, outputs)))


def _connect(url: str, course_id: str) -> Any:
    return nbgrader.NbgraderGradebook(url, course_id)


def _released(rows: Any, assignment: Assignment) -> Released | None:
    """The assignment's cells as the gradebook knows them; None where it does not know the assignment."""
    try:
        notebook = rows.find_notebook(assignment.name, assignment.name)
    except nbgrader.MissingEntry:
        return None
    points = {cell.name: float(cell.max_score) for cell in notebook.grade_cells}
    solutions = {cell.name for cell in notebook.solution_cells}
    sources = {cell.name: cell for cell in notebook.source_cells}
    ids = [cell.id for cell in assignment.cells if cell.id in sources]
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
        )
        for id in [*ids, *(name for name in sources if name not in ids)]
    }
    return Released(cells, json.loads(notebook.kernelspec or "{}"))


def _check_points(assignment: Assignment, released: Released) -> None:
    expected = {exercise.name: exercise.points for exercise in (*assignment.exercises, *assignment.questions)}
    got = {cell.id: cell.points for cell in released.cells.values() if cell.grade}
    if expected != got:
        odd = ", ".join(sorted(name for name in {*expected, *got} if expected.get(name) != got.get(name)))
        raise GradebookError(
            f"{assignment.name}: expected the notebook's exercises and points in the gradebook, got others "
            f"for {odd}. Graded nothing. Run: gradlab release {assignment.name}"
        )


def _patiently(do: Callable[[], Any], url: str) -> Any:
    """What `do` gives; tried again for a minute while another program holds the gradebook."""
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
        except (SQLAlchemyError, OSError) as error:
            raise _broken(url, error) from error


def _is_locked(error: OperationalError) -> bool:
    return any(word in str(error.orig) for word in ("locked", "busy", "lock timeout", "could not obtain lock"))


def _broken(url: str, error: Exception) -> GradebookError:
    reason = str(getattr(error, "orig", None) or error)
    return GradebookError(
        f"{url}: expected nbgrader's gradebook, got: {reason}. Wrote nothing for this submission. If nbgrader was "
        "upgraded, copy the file to a safe place and run: nbgrader db upgrade"
    )
