"""The student version of an assignment, made by nbgrader; and nbgrader's settings as its own commands read them."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from gradlab_staff.course import Assignment, Course
from gradlab_staff.course.template import exercise_of, stub
from gradlab_staff.errors import CourseError
from gradlab_staff.gradebook._nbgrader import ClearSolutions, GenerateAssignment, NbGrader, capture_log

__all__ = ["ReleaseBlanks", "make_release", "nbgrader_app", "save_cells", "swap"]

_MARK = re.compile(r"(BEGIN|END) SOLUTION")
_HINTLESS = re.compile(r"### BEGIN SOLUTION[ \t]*$", re.MULTILINE)


class ReleaseBlanks(ClearSolutions):  # type: ignore[misc]  # nbgrader has no types
    """nbgrader's ClearSolutions, with stubs that fail loudly: ``NotImplementedError("dropout/solver: the hint")``."""

    def preprocess(self, nb: Any, resources: Any) -> Any:
        """The notebook without its solutions."""
        self._assignment = resources["nbgrader"]["assignment"]
        return super().preprocess(nb, resources)

    def _replace_solution_region(self, cell: Any, language: str) -> bool:
        """Replace the blanks of `cell`; whether there were any."""
        if cell.cell_type != "code" or not _MARK.search(cell.source):
            return bool(super()._replace_solution_region(cell, language))
        where = f"{self._assignment}/{exercise_of(cell.metadata.get('nbgrader', {}).get('grade_id', ''))}"
        if _HINTLESS.search(cell.source):
            raise CourseError(f"{where}: expected a hint after `### BEGIN SOLUTION`, got none. Write one on that line.")
        cell.source = stub(cell.source, where)
        if _MARK.search(cell.source):
            raise CourseError(
                f"{where}: expected each `### BEGIN SOLUTION` with its `### END SOLUTION`, got one alone. Add one."
            )
        return True


def nbgrader_app(course: Course) -> Any:
    """An nbgrader application with the settings of the course, from every file that nbgrader's commands read.

    Raises
    ------
    CourseError
        Where ``nbgrader_config.py`` cannot be read.
    """
    path = list(sys.path)
    app = NbGrader(log_level="CRITICAL")
    app.raise_config_file_errors = True  # nbgrader's commands go on without the settings
    try:
        app.initialize([], root=str(course.root))
    except (Exception, SystemExit) as error:  # the file is code
        config = course.root / "nbgrader_config.py"
        raise CourseError(f"{config}: expected nbgrader's settings, got {error!r}. Mend the file.") from error
    finally:
        sys.path[:] = path  # nbgrader puts the working directory first
    return app


def make_release(assignment: Assignment) -> None:
    """Make ``release/<assignment>/``, in the place of an old one, and leave the gradebook as it is.

    Raises
    ------
    CourseError
        With nbgrader's log, where nbgrader refuses the notebook.
    """
    release = assignment.release
    with tempfile.TemporaryDirectory(dir=_made(assignment.course.root / ".gradlab"), prefix="release-") as folder:
        _generate(assignment, Path(folder), db_url=f"sqlite:///{folder}/gradebook.db")
        swap(Path(folder) / assignment.name, release, Path(folder) / "old")


def swap(new: Path, place: Path, old: Path) -> None:
    """Put `new` in `place`; what was there goes to `old`, and comes back if that fails."""
    if _made(place.parent) and place.exists():
        place.rename(old)
    try:
        new.rename(place)
    except OSError:
        if old.exists():
            old.rename(place)
        raise


def save_cells(assignment: Assignment) -> None:
    """Enter the assignment's cells in the gradebook, as a release does; ``release/`` stays as it is."""
    with tempfile.TemporaryDirectory() as folder:
        _generate(assignment, Path(folder))


def _generate(assignment: Assignment, into: Path, db_url: str = "") -> None:
    app = nbgrader_app(assignment.course)
    app.coursedir.db_url = db_url or app.coursedir.db_url
    app.coursedir.assignment_id = assignment.name
    app.coursedir.release_directory = str(into.resolve())
    converter = GenerateAssignment(coursedir=app.coursedir, parent=app)
    converter.preprocessors = [_ours(preprocessor) for preprocessor in converter.preprocessors]
    result = capture_log(converter)
    if not result["success"]:
        raise CourseError(
            f"{assignment.name}: expected nbgrader to make the student version, and it refused. Nothing was changed in "
            f"release/. Mend what it names, and run it again:\n{_told(result)}"
        )


def _ours(preprocessor: Any) -> Any:
    """The preprocessor; ReleaseBlanks in the place of nbgrader's own, should the course's settings not say so."""
    return ReleaseBlanks if preprocessor is ClearSolutions else preprocessor


def _told(result: dict[str, Any]) -> str:
    """What an instructor needs of nbgrader's log: our own message where there is one, else its errors."""
    log = str(result.get("log", "")) + str(result.get("error", ""))
    if ours := re.search(r"gradlab\.errors\.\w+: (.*)", log):
        return ours[1]
    return log.strip()


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
