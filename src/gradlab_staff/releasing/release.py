"""The student version of an assignment: cross-checked, made by nbgrader, checked for leaks, tried, published."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gradlab_staff.course import Assignment, read_notebook
from gradlab_staff.course.magics import plain_python
from gradlab_staff.errors import CourseError, SandboxError
from gradlab_staff.releasing.faults import faults
from gradlab_staff.releasing.leaks import leaks

__all__ = ["ReleaseReport", "faults", "release", "trial"]

_TRIAL_S = 120.0
_RUN = """
import json, sys, traceback
for label, source in json.load(sys.stdin):
    try:
        exec(compile(source, label, "exec"), globals())
    except NotImplementedError:
        pass  # a stub at the top of a cell
    except BaseException:
        traceback.print_exc()
        sys.exit(f"failed in {label}")
"""


@dataclass(frozen=True)
class ReleaseReport:
    """The result of a release: its folder and files, the points of each exercise by id, and the cells that were run."""

    folder: Path
    files: tuple[str, ...]
    exercises: dict[str, float]
    tried: tuple[str, ...]
    not_graded: str = ""
    """Why the hidden graders did not run on the instructor's own solution; empty where they did, and passed."""


@dataclass(frozen=True)
class _Staged(Assignment):
    """The assignment, with its release in another folder."""

    folder: Path = field(kw_only=True)

    @property
    def release(self) -> Path:
        """Return the folder of the release."""
        return self.folder


def release(assignment: Assignment) -> ReleaseReport:
    """Make ``release/<assignment>/`` and enter its cells in the gradebook; an old release is kept on any error.

    Raises
    ------
    CourseError
        If notebook, graders and misconceptions contradict each other, the release would leak a solution or a grader,
        a student could not run it, or the hidden graders fail on the instructor's own solution. The message names
        every cell and line.
    """
    _refuse(assignment, faults(assignment))
    from gradlab_staff.gradebook import make_release, save_cells, swap  # nbgrader takes seconds to import

    parent = assignment.release.parent
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent, prefix=".making-") as workspace:
        staged = _Staged(assignment.course, assignment.name, folder=Path(workspace) / assignment.name)
        make_release(staged)
        tried, untried = _tried(staged)
        failed, not_graded = _judged(assignment)
        _refuse(assignment, [*leaks(assignment, staged.release), *untried, *failed])
        save_cells(assignment)
        swap(staged.release, assignment.release, Path(workspace) / "old")
    files = tuple(
        sorted(str(path.relative_to(assignment.release)) for path in assignment.release.rglob("*") if path.is_file())
    )
    exercises = {exercise.id: exercise.points for exercise in (*assignment.exercises, *assignment.questions)}
    return ReleaseReport(assignment.release, files, exercises, tried, not_graded)


def _refuse(assignment: Assignment, wrong: list[str]) -> None:
    if not wrong:
        return
    lines = "\n".join(f"- {line}" for line in wrong)
    one = len(wrong) == 1
    raise CourseError(
        f"{assignment.name}: expected an assignment that can be released, got "
        f"{'one fault' if one else f'{len(wrong)} faults'}:\n{lines}\n"
        f"Released nothing. Fix {'it' if one else 'them'}, then run: gradlab release {assignment.name}"
    )


def _tried(staged: Assignment) -> tuple[tuple[str, ...], list[str]]:
    """Return the labels of the cells that were run, and what is wrong with them."""
    try:
        return trial(staged), []
    except CourseError as error:
        return (), [str(error)]


def _judged(assignment: Assignment) -> tuple[list[str], str]:
    """Return where the hidden graders fail on the instructor's solution, and why they did not run if they did not."""
    if (assignment.graders / "recordings.py").is_file() and not assignment.recorded.is_file():
        name = assignment.name
        return [], f"expected reference/{name}.json, which they may read, got none. Run: gradlab record {name}"
    from gradlab_staff.releasing.solution import failures  # pytest and the sandbox, once nothing simpler is wrong

    try:
        return failures(assignment), ""
    except SandboxError as error:
        return [], str(error)


# --- does it run?


def trial(assignment: Assignment) -> tuple[str, ...]:
    """Run the released cells up to the first stub and its check, as a student would; return their labels.

    Raises
    ------
    CourseError
        If a cell fails, or the check does not report the exercise as not attempted.
    """
    cells = list(_first_cells(assignment))
    try:
        done = subprocess.run(
            [sys.executable, "-c", _RUN],
            input=json.dumps(cells),
            cwd=assignment.release,
            env={**os.environ, "MPLBACKEND": "Agg", "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=_TRIAL_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        trouble = f"the cells up to {cells[-1][0]} took more than {_TRIAL_S:g} s"
        raise CourseError(_trouble(assignment, trouble)) from error
    if done.returncode:
        raise CourseError(_trouble(assignment, done.stderr.strip()))
    if "not attempted" not in done.stdout:
        printed = done.stdout[-500:].strip() or "nothing"
        raise CourseError(_trouble(assignment, f"{cells[-1][0]} printed for the stub: {printed}"))
    return tuple(label for label, _ in cells)


def _trouble(assignment: Assignment, what: str) -> str:
    return (
        f"{assignment.name}: expected every cell up to the first stub to run, and its check to print `not attempted`, "
        f"got:\n{what}"
    )


def _first_cells(assignment: Assignment) -> Iterator[tuple[str, str]]:
    """Yield label and source of the released code cells up to the first grade cell."""
    for number, cell in enumerate(read_notebook(assignment.release / f"{assignment.name}.ipynb"), 1):
        if cell.cell_type == "code":
            yield f"cell {number} ({cell.id})" if cell.id else f"cell {number}", plain_python(cell.source) or ""
            if cell.is_grade:
                return
