"""nbgrader's own commands, plugged into gradlab: ``nbgrader autograde`` grades in the sandbox, feedback is our page."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from gradlab_staff.course import Assignment, Course
from gradlab_staff.errors import GradebookError, GraderError
from gradlab_staff.gradebook import _nbgrader as nbgrader
from gradlab_staff.gradebook.autograded import autograded_notebook
from gradlab_staff.gradebook.book import Gradebook
from gradlab_staff.gradebook.rows import marks_of
from gradlab_staff.grading import batch
from gradlab_staff.grading.batch import Graded
from gradlab_staff.grading.run import GradeOptions
from gradlab_staff.grading.verdict import Verdict
from gradlab_staff.pages.feedback import feedback_page

__all__ = ["FeedbackExporter", "GradlabExecute", "UnreadExporter"]


class UnreadExporter(nbgrader.NotebookExporter):  # type: ignore[misc]  # nbgrader has no types
    """Writes notebooks, and hands an empty one to the preprocessors: nbformat fails on many that gradlab can read."""

    def from_filename(self, filename: str, resources: Any = None, **kw: Any) -> Any:
        """Return what the preprocessors make of an empty notebook."""
        empty = nbgrader.from_dict({"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": []})
        return self.from_notebook_node(empty, resources=resources, **kw)


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
        folder = assignment.course.root / "submitted" / about["student"] / assignment.name
        graded = _graded(assignment, folder, about["student"])
        verdict = graded.verdict
        if verdict is None:
            raise GraderError(graded.error)
        if not graded.notebook.readable:  # nbgrader would enter a plain zero; reported as failed, a person looks at it
            raise GradebookError(f"{assignment.name} submission={verdict.student}: {' '.join(verdict.warnings)}")
        with Gradebook.open(assignment) as book:
            notebook = autograded_notebook(book.released, graded.notebook, verdict)
        return nbgrader.from_dict(notebook), resources


def _graded(assignment: Assignment, folder: Path, student: str) -> Graded:
    with _light_workers():
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
        with nbgrader.NbgraderGradebook(about["db_url"]) as rows:
            submitted = rows.find_submission_notebook(about["notebook"], about["assignment"], about["student"])
            return feedback_page(nb, Verdict.from_dict(data), marks_of(submitted)), resources
