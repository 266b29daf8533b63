"""The student version of an assignment, made by nbgrader with the settings that its own commands read."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from gradlab_staff.course import Assignment, Course
from gradlab_staff.course.attachments import is_shown
from gradlab_staff.course.handouts import LITTER
from gradlab_staff.course.template import exercise_of, stub
from gradlab_staff.errors import CourseError
from gradlab_staff.gradebook._nbgrader import ClearSolutions, GenerateAssignment, NbGrader, capture_log
from gradlab_staff.text import one_line

__all__ = ["ReleaseBlanks", "make_release", "nbgrader_app", "save_cells", "swap"]

_MARK = re.compile(r"(BEGIN|END) SOLUTION")
_ERROR = re.compile(r"^[ \t]*((?:\w+\.)*\w*(?:Error|Exception)\b.*)", re.MULTILINE)  # the last line of a traceback
_HINTLESS = re.compile(r"### BEGIN SOLUTION[ \t]*$", re.MULTILINE)


class ReleaseBlanks(ClearSolutions):  # type: ignore[misc]  # nbgrader has no types
    """nbgrader's ClearSolutions, with stubs that fail loudly: ``NotImplementedError("dropout/solver: the hint")``."""

    def preprocess(self, nb: Any, resources: Any) -> Any:
        """Return the notebook without its solutions."""
        self._assignment = resources["nbgrader"]["assignment"]
        nb, resources = super().preprocess(nb, resources)
        for cell in nb.cells:
            if kept := cell.get("attachments"):  # a picture of a model answer goes with it
                cell.attachments = {name: kept[name] for name in kept if is_shown(name, cell.source)}
        return nb, resources

    def _replace_solution_region(self, cell: Any, language: str) -> bool:
        """Replace the blanks of `cell` and return whether there were any."""
        if cell.cell_type != "code" or not _MARK.search(cell.source):
            return bool(super()._replace_solution_region(cell, language))
        where = f"{self._assignment}/{exercise_of(cell.metadata.get('nbgrader', {}).get('grade_id', ''))}"
        if _HINTLESS.search(cell.source):
            raise CourseError(f"{where}: expected a hint after `### BEGIN SOLUTION`, got none. Write one on that line.")
        cell.source = stub(cell.source, where)
        if _MARK.search(cell.source):
            raise CourseError(
                f"{where}: expected each `### BEGIN SOLUTION` with its `### END SOLUTION`, got one alone. "
                "Add the other."
            )
        return True


def nbgrader_app(course: Course) -> Any:
    """Return an nbgrader application with the course's settings, from every file that nbgrader's commands read.

    Raises
    ------
    CourseError
        If ``nbgrader_config.py`` cannot be read.
    """
    path = list(sys.path)
    app = NbGrader(log_level="CRITICAL")
    app.raise_config_file_errors = True  # nbgrader's commands would continue without the settings
    try:
        app.initialize([], root=str(course.root))
    except (Exception, SystemExit) as error:  # the file is code
        config = course.root / "nbgrader_config.py"
        raise CourseError(f"{config}: expected nbgrader's settings, got {error!r}. Fix the file.") from error
    finally:
        sys.path[:] = path  # nbgrader puts the working directory first
    return app


def make_release(assignment: Assignment) -> None:
    """Make ``release/<assignment>/``, replacing an old one, and leave the gradebook unchanged.

    Raises
    ------
    CourseError
        If nbgrader refuses the notebook; the message holds its last error, and where its log is.
    """
    release = assignment.release
    with tempfile.TemporaryDirectory(dir=_made(assignment.course.root / ".gradlab"), prefix="release-") as folder:
        _generate(assignment, Path(folder), db_url=f"sqlite:///{folder}/gradebook.db")
        swap(Path(folder) / assignment.name, release, Path(folder) / "old")


def swap(new: Path, place: Path, old: Path) -> None:
    """Move `new` to `place` and what was there to `old`; if that fails, move it back."""
    if _made(place.parent) and place.exists():
        place.rename(old)
    try:
        new.rename(place)
    except OSError:
        if old.exists():
            old.rename(place)
        raise


def save_cells(assignment: Assignment) -> None:
    """Enter the assignment's cells in the gradebook, as a release does, and leave ``release/`` unchanged.

    Raises
    ------
    CourseError
        If nbgrader refuses the notebook; the message holds its last error, and where its log is.
    """
    with tempfile.TemporaryDirectory() as folder:
        _generate(assignment, Path(folder))


def _generate(assignment: Assignment, into: Path, db_url: str = "") -> None:
    app = nbgrader_app(assignment.course)
    app.coursedir.db_url = db_url or app.coursedir.db_url
    app.coursedir.assignment_id = assignment.name
    app.coursedir.ignore = [*app.coursedir.ignore, *LITTER]
    app.coursedir.release_directory = str(into.resolve())
    converter = GenerateAssignment(coursedir=app.coursedir, parent=app)
    converter.preprocessors = [_ours(preprocessor) for preprocessor in converter.preprocessors]
    result = capture_log(converter)
    if not result["success"]:
        raise CourseError(
            f"{assignment.name}: expected nbgrader to make the student version, got {_trouble(assignment, result)} "
            f"Nothing was changed in release/. Fix that, then run: gradlab release {assignment.name}"
        )


def _ours(preprocessor: Any) -> Any:
    """Return the preprocessor, or ReleaseBlanks for nbgrader's ClearSolutions, if the course's settings keep that."""
    return ReleaseBlanks if preprocessor is ClearSolutions else preprocessor


def _trouble(assignment: Assignment, result: dict[str, Any]) -> str:
    """Return our own error message if there is one, else nbgrader's last, and where all of its log is."""
    log = str(result.get("log", "")) + str(result.get("error", ""))
    if ours := re.search(r"gradlab\.errors\.\w+: (.*)", log):
        return ours[1]
    path = _made(assignment.course.root / ".gradlab") / f"release-{assignment.name}.log"
    path.write_text(log, encoding="utf-8")
    found = _ERROR.findall(log)
    errors = [error for error in found if "traceback for details" not in error] or found or log.strip().split("\n")
    return f"`{one_line(errors[-1], 300)}` (all of its log: {path})."


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
