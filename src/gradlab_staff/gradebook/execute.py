"""nbgrader's own commands, plugged into gradlab: ``nbgrader autograde`` grades in the sandbox, feedback is our page."""

from __future__ import annotations

import contextlib
import glob
import os
import sys
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from gradlab_staff.course import Assignment, Course
from gradlab_staff.errors import GradebookError, GraderError
from gradlab_staff.gradebook import _nbgrader as nbgrader
from gradlab_staff.gradebook.arriving import Arriving
from gradlab_staff.gradebook.autograded import autograded_notebook
from gradlab_staff.gradebook.book import Gradebook
from gradlab_staff.gradebook.folders import SECRET, STAMP, exchange_files
from gradlab_staff.gradebook.rows import marks_of
from gradlab_staff.grading import batch
from gradlab_staff.grading.batch import Graded
from gradlab_staff.grading.run import GradeOptions
from gradlab_staff.grading.verdict import Verdict
from gradlab_staff.intake.inbox import open_inbox
from gradlab_staff.intake.received import Received
from gradlab_staff.pages.feedback import feedback_page

__all__ = ["FeedbackExporter", "GradlabExecute", "UnreadExporter"]


class UnreadExporter(nbgrader.NotebookExporter):  # type: ignore[misc]  # nbgrader has no types
    """Writes notebooks, and has nbgrader work on the private copies of what was handed in.

    nbgrader makes its exporter when it has listed the notebooks, and before it copies or reads anything: from then on
    its list, and the folder that it takes for ``submitted/``, are ours. So it reads no link and no pipe of a student's,
    and takes a notebook that was renamed, lies in a folder or in a zip as `gradlab grade` does. (Where no student of a
    run has a notebook at the top, nbgrader ends it before that.) The preprocessors are handed an empty notebook:
    nbformat fails on many that gradlab can read.
    """

    received: dict[str, Received]
    """By student: the private copies that have been made."""

    def __init__(self, parent: Any = None, **options: Any) -> None:
        super().__init__(parent=parent, **options)
        self.received = {}
        if isinstance(parent, nbgrader.Autograde):
            closing = contextlib.ExitStack()
            weakref.finalize(self, closing.close)
            inbox = closing.enter_context(open_inbox(Course(Path(parent.coursedir.root))))
            arriving = Arriving(parent, inbox.folder, self.received)
            closing.callback(arriving.put_back)
            parent.assignments, parent.coursedir = arriving, arriving.coursedir
            parent.convert_notebooks = _closing(parent.convert_notebooks, closing)

    def from_filename(self, filename: str, resources: Any = None, **kw: Any) -> Any:
        """Return what the preprocessors make of an empty notebook."""
        empty = nbgrader.from_dict({"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": []})
        return self.from_notebook_node(empty, resources=resources, **kw)


def _closing(convert: Callable[[], None], closing: contextlib.ExitStack) -> Callable[[], None]:
    """Return `convert`, after which the private copies are gone: formgrader's server keeps its objects for long."""

    def convert_and_close() -> None:
        with closing:
            convert()

    return convert_and_close


class GradlabExecute(nbgrader.NbGraderPreprocessor):  # type: ignore[misc]  # nbgrader has no types
    """In the place of nbgrader's Execute: grades the submission in the sandbox, and fills the grade cells."""

    def preprocess(self, nb: Any, resources: Any) -> Any:
        """Return the notebook as ``gradlab grade`` leaves it in ``autograded/``, ready for nbgrader's SaveAutoGrades.

        Raises
        ------
        GradlabError
            Where the kit failed: nbgrader then reports the submission as failed, and writes no score.
        """
        about = resources["nbgrader"]
        assignment = Course.find(Path.cwd()).assignment(about["assignment"])  # nbgrader works in the course's folder
        graded = self._graded(assignment, about["student"])
        verdict = graded.verdict
        if verdict is None:
            raise GraderError(graded.error)
        received = getattr(self.parent, "received", {}).get(about["student"])
        with Gradebook.open(assignment) as book:
            if received is not None and received.undated:
                book.clear_time(about["student"])
            notebook = autograded_notebook(book.released, graded.notebook, verdict)
        return nbgrader.from_dict(notebook), resources

    def _graded(self, assignment: Assignment, student: str) -> Graded:
        """Grade the private copy that the exporter has made; without that exporter, what lies in ``submitted/``."""
        received = getattr(self.parent, "received", {}).get(student)
        with _light_workers():
            if received is not None:
                return batch.grade_received(assignment, student, received, GradeOptions())
            folder = assignment.course.root / "submitted" / student / assignment.name
            (graded,) = batch.grade_all(assignment, {student: folder}, GradeOptions(), workers=1)
        return graded


@contextlib.contextmanager
def _light_workers() -> Iterator[None]:
    """Keep worker processes that start in the block from importing the main program, which is nbgrader."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


class FeedbackExporter(nbgrader.Exporter):  # type: ignore[misc]  # nbgrader has no types
    """Makes the feedback page of a graded notebook, with the marks and comments that the gradebook holds now."""

    file_extension = ".html"
    output_mimetype = "text/html"

    def __init__(self, parent: Any = None, **options: Any) -> None:
        """Add the students whose folders nbgrader takes for patterns, as of ``a[b]``, to those that it has listed.

        Where it was asked for one of these, only that is meant, and not the ``ab`` that it lists.
        """
        super().__init__(parent=parent, **options)
        if isinstance(parent, nbgrader.GenerateFeedback):
            coursedir = parent.coursedir
            named = coursedir.format_path(
                coursedir.autograded_directory, glob.escape(coursedir.student_id), coursedir.assignment_id
            )
            if glob.has_magic(coursedir.student_id) and glob.glob(named):
                parent.assignments = {}
                coursedir.student_id = glob.escape(coursedir.student_id)
            name = f"{coursedir.notebook_id}.ipynb"
            for place in glob.glob(
                coursedir.format_path(coursedir.autograded_directory, coursedir.student_id, coursedir.assignment_id)
            ):
                if place not in parent.assignments and (found := glob.glob(os.path.join(glob.escape(place), name))):
                    parent.assignments[place] = found

    def from_notebook_node(self, nb: Any, resources: Any = None, **_: Any) -> tuple[str, Any]:
        """Return the page, and nbconvert's resources.

        Raises
        ------
        GradebookError
            Where the notebook was not graded by gradlab.
        """
        nb, resources = super().from_notebook_node(nb, resources)
        about = resources["nbgrader"]
        data = nb.metadata.get("gradlab", {}).get("verdict")
        if data is None:
            raise GradebookError(
                f"{about['assignment']} submission={about['student']}: expected a notebook graded by gradlab, got "
                f"another. Run: gradlab grade {about['assignment']} --student {about['student']}"
            )
        resources.setdefault("outputs", {}).update(self._missing(about["assignment"], about["student"]))
        with nbgrader.NbgraderGradebook(about["db_url"]) as rows:
            submitted = rows.find_submission_notebook(about["notebook"], about["assignment"], about["student"])
            return feedback_page(nb, Verdict.from_dict(data), marks_of(submitted)), resources

    def _missing(self, assignment: str, student: str) -> dict[str, bytes]:
        """Return what the exchange asks for beside the page, and nbgrader does not copy there: it was not handed in."""
        if not isinstance(self.parent, nbgrader.GenerateFeedback):
            return {}
        coursedir = self.parent.coursedir
        graded, feedback = (
            Path(coursedir.format_path(step, student, assignment))
            for step in (coursedir.autograded_directory, coursedir.feedback_directory)
        )
        copied = {name: graded / name for name in (STAMP, SECRET) if (graded / name).is_file()}
        files = exchange_files(copied, feedback)
        return {name: content.encode() for name, content in files.items() if isinstance(content, str)}
