"""What ``nbgrader autograde`` works on: private copies of what was handed in, made as it asks for them."""

from __future__ import annotations

import contextlib
import fnmatch
import os
import shutil
from pathlib import Path
from typing import Any

from gradlab_staff.course import Course
from gradlab_staff.gradebook import _nbgrader as nbgrader
from gradlab_staff.intake.received import Received, receive
from gradlab_staff.intake.submitted import Submitted, look_through, without_work
from gradlab_staff.text import clean

__all__ = ["Arriving"]


class Arriving(dict[str, list[str]]):
    """The notebooks of each submission, as nbgrader asks for them: that is when the private copy is made.

    `coursedir` is nbgrader's course directory with another ``submitted/``: formgrader goes on using its own.

    nbgrader deletes a submission's folder of ``autograded/`` before it grades it again, and where that fails. A copy is
    kept meanwhile, and put back where nothing came in its place. Where there is nothing to grade, it is not begun.
    """

    def __init__(self, converter: Any, folder: Path, received: dict[str, Received]) -> None:
        super().__init__()
        theirs = converter.coursedir
        self.log, self.received = converter.log, received
        self.assignment = Course(Path(theirs.root)).assignment(theirs.assignment_id)
        self.coursedir = _with_submitted(theirs, folder / "submitted")
        self.excluded = theirs.student_id_exclude
        self.kept = folder / "autograded"
        self.graded: Path | None = None
        self.handed_in: dict[str, tuple[str, Path]] = {}
        seen = look_through(self.assignment, Path(theirs.root, theirs.submitted_directory))
        wanted = _wanted(theirs, seen)
        for student, path in seen.folders.items():
            if student not in wanted:
                continue
            place = self._path(self.coursedir.submitted_directory, student)
            self.handed_in[place] = student, path
            self[place] = []
        for item in seen.misplaced:
            if item.student in wanted or not item.student:
                self.log.warning("%s", clean(str(item)))

    def _path(self, step: str, student: str) -> str:
        return str(self.coursedir.format_path(step, student, self.assignment.name))

    def __getitem__(self, place: str) -> list[str]:
        student, path = self.handed_in[place]
        self.put_back()
        for before in self.received.values():
            before.discard()
        self._keep(Path(self._path(self.coursedir.autograded_directory, student)))
        notebook, skipped = Path(place, f"{self.assignment.name}.ipynb"), ""
        with contextlib.suppress(Exception):  # nbgrader would end the run: GradlabExecute tries again, and says why
            received = self.received[student] = receive(self.assignment, path, Path(place))
            if received.has_work:
                notebook.touch()  # nbgrader enters a zero at once where there is no such file
                for warning in received.warnings:
                    self.log.warning("%s: %s", clean(student), clean(warning))
            else:
                skipped = student
                named = without_work(self.assignment, student, path, received.warnings)
                self.log.warning("%s", clean(str(named)))
        self.coursedir.student_id_exclude = ",".join(filter(None, [self.excluded, skipped]))
        return [str(notebook)]

    def _keep(self, graded: Path) -> None:
        self.graded = graded
        if graded.is_dir():
            shutil.copytree(graded, self.kept, symlinks=True)

    def put_back(self) -> None:
        """Put what was kept of ``autograded/`` back where it is gone; else forget it."""
        if self.graded is not None and self.kept.is_dir():
            if self.graded.exists():
                shutil.rmtree(self.kept)
            else:
                self.graded.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(self.kept, self.graded)
        self.graded = None


def _wanted(coursedir: Any, seen: Submitted) -> set[str]:
    """Return the students that nbgrader was asked for, of those that have handed in anything.

    It takes what it is given for a pattern. Where that is the name of a folder, only that is meant: formgrader's button
    for ``a[b]`` must not grade ``ab``.
    """
    students = {*seen.folders, *(item.student for item in seen.misplaced)} - {""}
    asked, excluded = coursedir.student_id, coursedir.student_id_exclude.split(",")
    if asked in students:
        return {asked}
    return {name for name in students if fnmatch.fnmatchcase(name, asked) and name not in excluded}


def _with_submitted(coursedir: Any, folder: Path) -> Any:
    values = {name: getattr(coursedir, name) for name in coursedir.trait_names(config=True)}
    relative = os.path.relpath(folder, coursedir.root)  # nbgrader escapes its root in patterns, and nothing else
    return nbgrader.CourseDirectory(**{**values, "submitted_directory": relative})
