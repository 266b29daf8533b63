"""A course of one tiny assignment, for the tests of everything around nbgrader: two exercises and one question."""

import json
import shutil
from pathlib import Path
from typing import Any

from gradlab_staff.course import Assignment, Course
from gradlab_staff.grading.verdict import CheckResult, ExerciseResult, Misconception, Outcome, Verdict

ROOT = Path(__file__).resolve().parents[2]

SOLUTION = """\
def {name}(x):
    \"\"\"{name} x.\"\"\"
    ### BEGIN SOLUTION {name} it
    return {body}
    ### END SOLUTION
"""


def code(source: str, id: str = "", outputs: list[dict[str, Any]] | None = None, **nbgrader: Any) -> dict[str, Any]:
    """A code cell as Jupyter writes it."""
    return {
        "cell_type": "code",
        "metadata": _metadata(id, nbgrader),
        "source": source,
        "outputs": outputs or [],
        "execution_count": None,
    }


def prose(source: str, id: str = "", **nbgrader: Any) -> dict[str, Any]:
    """A markdown cell."""
    return {"cell_type": "markdown", "metadata": _metadata(id, nbgrader), "source": source}


def _metadata(id: str, nbgrader: dict[str, Any]) -> dict[str, Any]:
    plain = {"schema_version": 3, "grade": False, "solution": False, "locked": False, "task": False}
    return {"nbgrader": {**plain, "grade_id": id, **nbgrader}} if id else {}


def notebook(cells: list[dict[str, Any]]) -> dict[str, Any]:
    """A notebook of these cells."""
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"nbformat": 4, "nbformat_minor": 4, "metadata": {"kernelspec": kernel}, "cells": cells}


def instructor_cells() -> list[dict[str, Any]]:
    """The instructor notebook's cells."""
    return [
        prose("# Tiny"),
        code("from gradlab import check", "setup", locked=True),
        code(SOLUTION.format(name="double", body="2 * x"), "double_solution", solution=True),
        code('check("double")', "double", grade=True, locked=True, points=4),
        code(SOLUTION.format(name="halve", body="x / 2"), "halve_solution", solution=True),
        code('check("halve")', "halve", grade=True, locked=True, points=2),
        prose(
            "**Why?**\n\n### BEGIN SOLUTION\nBecause.\n### END SOLUTION",
            "inline_question_1",
            grade=True,
            solution=True,
            points=3,
        ),
    ]


def make_course(root: Path) -> Assignment:
    """The course, in an empty folder, with the settings of this repository."""
    cells = instructor_cells()
    write(root / "source" / "tiny" / "tiny.ipynb", notebook(cells))
    (root / "source" / "tiny" / "public_checks.py").write_text("def double(nb):\n    yield from ()\n")
    graders = root / "tests" / "graders" / "tiny"
    graders.mkdir(parents=True)
    for name, value in (("double", 6.0), ("halve", 1.5)):
        (graders / f"test_{name}.py").write_text(
            "from gradlab_staff.grading import expect_close\n\n\n"
            f'def test_three(submission):\n    """{name} 3 is {value:g}."""\n'
            f'    expect_close(submission.{name}(3.0), {value}, what="{name}(3)")\n'
        )
    (graders / "misconceptions.py").write_text("")
    shutil.copy(ROOT / "nbgrader_config.py", root)
    return Course(root).assignment("tiny")


def write(path: Path, content: dict[str, Any] | str) -> Path:
    """Write a notebook, or any text in its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def submit(assignment: Assignment, student: str, content: dict[str, Any] | str, timestamp: str = "") -> Path:
    """Hand in a notebook; the folder of the submission."""
    folder = assignment.course.root / "submitted" / student / assignment.name
    write(folder / f"{assignment.name}.ipynb", content)
    if timestamp:
        write(folder / "timestamp.txt", timestamp)
    return folder


def released_cells(assignment: Assignment) -> list[dict[str, Any]]:
    """The cells of the student version."""
    cells: list[dict[str, Any]] = json.loads((assignment.release / f"{assignment.name}.ipynb").read_text())["cells"]
    return cells


def solve(cells: list[dict[str, Any]], answers: dict[str, str]) -> dict[str, Any]:
    """The released notebook with these cells filled in."""
    return notebook([{**cell, "source": answers.get(_id(cell), cell["source"])} for cell in cells])


def _id(cell: dict[str, Any]) -> str:
    return str(cell["metadata"].get("nbgrader", {}).get("grade_id", ""))


DOUBLED = "def double(x):\n    return x + x\n"
HALVED = "def halve(x):\n    return x * 0.5\n"
WHY = "**Why?**\n\nBecause it is so."
SOLVED = {"double_solution": DOUBLED, "halve_solution": HALVED, "inline_question_1": WHY}


def verdict(student: str = "student_01", double: float = 1.0, halve: float = 1.0, **more: Any) -> Verdict:
    """A verdict on the tiny assignment; `double` and `halve` are the shares of the checks that passed."""
    forgot = Misconception("forgot_to_double", "You return x itself.", "What is twice x?")
    return Verdict(
        assignment="tiny",
        student=student,
        notebook="tiny.ipynb",
        seed=231,
        exercises=(
            ExerciseResult("tiny/double", 4, _checks(double), forgot if double < 1 else None),
            ExerciseResult("tiny/halve", 2, _checks(halve), stood_in=("double",)),
        ),
        sandbox="bubblewrap",
        **more,
    )


def _checks(share: float) -> tuple[CheckResult, ...]:
    failed = CheckResult("test_b", "It works for -1.", 1 - share, Outcome.FAILED, "out: expected -2, got <b>-1</b>.")
    passed = CheckResult("test_a", "It works for 3.", share, Outcome.PASSED)
    return tuple(check for check in (passed, failed) if check.weight)
