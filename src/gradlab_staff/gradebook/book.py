"""The gradebook of a class, open for one assignment: verdicts go in, as nbgrader's own autograder would enter them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradlab_staff.course import Assignment
from gradlab_staff.errors import GradebookError
from gradlab_staff.gradebook import _nbgrader as nbgrader
from gradlab_staff.gradebook.autograded import Released, autograded_notebook, earned
from gradlab_staff.gradebook.folders import exchange_files, fill_folder, laid_over
from gradlab_staff.gradebook.release import nbgrader_app, save_cells
from gradlab_staff.gradebook.rows import (
    marks_of,
    notebook_row,
    patiently,
    released_cells,
    unchanged_cells,
)
from gradlab_staff.grading.verdict import Verdict
from gradlab_staff.intake.matching import Matched
from gradlab_staff.intake.received import Received, supporting_files
from gradlab_staff.pages.feedback import feedback_page

__all__ = ["Gradebook"]

_NO_RESPONSE = "No response."  # nbgrader's word


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
        """Open the gradebook. Where it does not know the assignment yet, its cells are entered first.

        Raises
        ------
        GradebookError
            Where it cannot be opened, stays locked, or knows the assignment with other cells or points.
        CourseError
            Where nbgrader refuses the notebook or the settings.
        """
        app = nbgrader_app(assignment.course)
        where = app.coursedir.db_url
        rows = patiently(lambda: nbgrader.NbgraderGradebook(where, app.coursedir.course_id), where)
        try:
            released = patiently(lambda: released_cells(rows, assignment), where)
            if released is None:
                save_cells(assignment)
                released = patiently(lambda: released_cells(rows, assignment), where) or Released({})
            _check_points(assignment, released)
            yield cls(assignment, app, rows, released)
        finally:
            rows.close()

    def record(self, verdict: Verdict, work: Matched, received: Received) -> None:
        """Enter the verdict on a submission: gradebook rows, ``autograded/`` and ``feedback/``, from its private copy.

        Scores, marks and comments given by hand stay. Nothing is entered where anything fails.

        Raises
        ------
        GradebookError
            Where the gradebook stays locked or cannot be written.
        """
        notebook = autograded_notebook(self.released, work, verdict)
        try:
            patiently(lambda: self._enter(verdict, notebook, received), self.app.coursedir.db_url)
        except OSError as error:
            raise GradebookError(
                f"{self.assignment.name} submission={verdict.student}: expected to write autograded/ and feedback/, "
                f"got: {error}. Entered nothing. Fix the folder's permissions or free some space, and run it again."
            ) from error

    def clear_time(self, student: str) -> None:
        """Enter that it is not known when a submission was handed in: an earlier time must not stand for it.

        Raises
        ------
        GradebookError
            Where the gradebook stays locked or cannot be written.
        """

        def clear() -> None:
            self.rows.find_submission(self.assignment.name, student).timestamp = None
            self.rows.db.commit()

        patiently(clear, self.app.coursedir.db_url)

    def _enter(self, verdict: Verdict, notebook: dict[str, Any], received: Received) -> None:
        db = self.rows.db
        before = self._autograded_mark(verdict.student)
        try:
            submitted = self._submission(verdict.student, received)
            self._score(submitted, verdict, notebook)
            db.flush()
            self._penalise(submitted, verdict.student)
            db.flush()
            page = feedback_page(notebook, verdict, marks_of(submitted))
            # Files first: where the commit fails, the gradebook still says that the submission is to be graded.
            self._write_folders(verdict.student, notebook, page, received)
            db.commit()
        except BaseException:
            db.rollback()
            if self._autograded_mark(verdict.student) != before:  # the next run sees from it what has been entered
                self._autograded_notebook(verdict.student).unlink(missing_ok=True)
            raise

    def _submission(self, student: str, received: Received) -> Any:
        """Return the row of the student's notebook, made with what is above and below it where there is none."""
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
        if received.time is not None or received.undated:
            submission.timestamp = received.time
        db.flush()
        return notebook_row(db, self.rows.find_notebook(name, name), submission)

    def _score(self, submitted: Any, verdict: Verdict, notebook: dict[str, Any]) -> None:
        """Set scores and automatic comments, by the rules of nbgrader's SaveAutoGrades.

        One thing is kinder: what a person has looked at is shown again only where it, or its verdict, has changed.
        """
        unchanged = unchanged_cells(notebook)
        scores = {result.name: earned(result) for result in verdict.exercises}
        scores |= dict.fromkeys(unchanged - scores.keys(), 0.0)
        seen = self._is_entered(verdict.student, notebook)
        for grade in submitted.grades:
            auto_score = scores.get(grade.name)
            if not seen or grade.auto_score != auto_score:
                grade.needs_manual_grade = grade.manual_score is not None or auto_score is None
            grade.auto_score = auto_score
        for comment in submitted.comments:
            comment.auto_comment = _NO_RESPONSE if comment.name in unchanged else None

    def _penalise(self, submitted: Any, student: str) -> None:
        """Set the late penalty, from the course's plugin, as nbgrader's AssignLatePenalties asks for it."""
        submitted.late_submission_penalty = None
        late_s = submitted.assignment.total_seconds_late
        if late_s > 0:
            assign = nbgrader.AssignLatePenalties(parent=self.app)
            assign.init_plugin()
            penalty = assign.plugin_inst.late_submission_penalty(student, submitted.score, late_s)
            if penalty is not None:
                submitted.late_submission_penalty = assign._check_late_penalty(submitted, penalty)

    def _autograded(self, student: str) -> Path:
        coursedir = self.app.coursedir
        return Path(coursedir.format_path(coursedir.autograded_directory, student, self.assignment.name))

    def _autograded_notebook(self, student: str) -> Path:
        return self._autograded(student) / f"{self.assignment.name}.ipynb"

    def _autograded_mark(self, student: str) -> int:
        """Return a number that changes when the notebook in ``autograded/`` is written."""
        try:
            return self._autograded_notebook(student).stat().st_ino
        except OSError:
            return 0

    def _is_entered(self, student: str, notebook: dict[str, Any]) -> bool:
        """Return whether ``autograded/`` already holds this very notebook, with this verdict."""
        try:
            return self._autograded_notebook(student).read_text(encoding="utf-8") == _text(notebook)
        except (OSError, ValueError):
            return False

    def _write_folders(self, student: str, notebook: dict[str, Any], page: str, received: Received) -> None:
        coursedir, name = self.app.coursedir, self.assignment.name
        feedback = Path(coursedir.format_path(coursedir.feedback_directory, student, name))
        files = laid_over(received.files, supporting_files(self.assignment))
        fill_folder(self._autograded(student), {**files, f"{name}.ipynb": _text(notebook)}, mode=0o444)
        fill_folder(feedback, {**exchange_files(received.files, feedback), f"{name}.html": page}, mode=0o644)


def _check_points(assignment: Assignment, released: Released) -> None:
    expected = {exercise.name: exercise.points for exercise in (*assignment.exercises, *assignment.questions)}
    got = {cell.id: cell.points for cell in released.cells.values() if cell.grade}
    if expected != got:
        odd = ", ".join(sorted(name for name in {*expected, *got} if expected.get(name) != got.get(name)))
        raise GradebookError(
            f"{assignment.name}: expected the notebook's exercises and points in the gradebook, got others "
            f"for {odd}. Graded nothing. Run: gradlab release {assignment.name}"
        )


def _text(notebook: dict[str, Any]) -> str:
    return json.dumps(notebook, ensure_ascii=False)  # an indent would take json ten times as long
