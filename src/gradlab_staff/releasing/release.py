"""The student version of an assignment: cross-checked, made by nbgrader, checked for leaks, tried, then published."""

from __future__ import annotations

import ast
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
from gradlab_staff.errors import CourseError
from gradlab_staff.grading.diagnosis import load_misconceptions
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
        or a student could not run it. The message names every cell and line.
    """
    _refuse(assignment, faults(assignment), "Fix them")
    from gradlab_staff.gradebook import make_release, save_cells, swap  # nbgrader takes seconds to import

    parent = assignment.release.parent
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent, prefix=".making-") as workspace:
        staged = _Staged(assignment.course, assignment.name, folder=Path(workspace) / assignment.name)
        make_release(staged)
        _refuse(assignment, leaks(assignment, staged.release), "Reword the release or the solution")
        tried = trial(staged)
        save_cells(assignment)
        swap(staged.release, assignment.release, Path(workspace) / "old")
    files = tuple(sorted(str(path.relative_to(assignment.release)) for path in assignment.release.rglob("*")))
    exercises = {exercise.id: exercise.points for exercise in (*assignment.exercises, *assignment.questions)}
    return ReleaseReport(assignment.release, files, exercises, tried)


def _refuse(assignment: Assignment, wrong: list[str], remedy: str) -> None:
    if wrong:
        lines = "\n".join(f"- {line}" for line in wrong)
        raise CourseError(
            f"{assignment.name}: expected an assignment that can be released, got {len(wrong)} faults:\n{lines}\n"
            f"Released nothing. {remedy}, then run: gradlab release {assignment.name}"
        )


# --- before: do the files agree?


def faults(assignment: Assignment) -> list[str]:
    """Return the contradictions in notebook, graders and misconceptions, one line each, which names the cell."""
    return [*assignment.faults(), *_bad_graders(assignment), *_bad_misconceptions(assignment)]


def _bad_graders(assignment: Assignment) -> Iterator[str]:
    for path in sorted(assignment.graders.glob("test_*.py")):
        where = f"{assignment.name}/{path.stem.removeprefix('test_')}"
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except SyntaxError as error:
            yield f"{where}: expected Python in {path.name}, got {error.msg} in line {error.lineno}. Fix it."
            continue
        if not any(isinstance(node, ast.FunctionDef) and node.name.startswith("test_") for node in ast.walk(tree)):
            yield f"{where}: expected checks in {path.name}, got no function test_…. Write one."
        for line, value in _weights(tree):
            if not value > 0:
                yield f"{where}: expected a weight above 0, got {value:g} in {path.name} line {line}. Set it."


def _weights(tree: ast.Module) -> Iterator[tuple[int, float]]:
    """Yield line and value of each ``weight(n)``; values that are not literals are checked when the grader runs."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and _name(node.func) == "weight":
            try:
                yield node.lineno, float(ast.literal_eval(node.args[0]))
            except (TypeError, ValueError):
                continue


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _bad_misconceptions(assignment: Assignment) -> Iterator[str]:
    try:
        load_misconceptions(assignment)
    except CourseError as error:
        yield str(error)


# --- after: does it run?


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
        f"got:\n{what}\nReleased nothing. Fix the cell, then run: gradlab release {assignment.name}"
    )


def _first_cells(assignment: Assignment) -> Iterator[tuple[str, str]]:
    """Yield label and source of the released code cells up to the first grade cell."""
    for number, cell in enumerate(read_notebook(assignment.release / f"{assignment.name}.ipynb"), 1):
        if cell.cell_type == "code":
            yield f"cell {number} ({cell.id})" if cell.id else f"cell {number}", plain_python(cell.source) or ""
            if cell.is_grade:
                return
