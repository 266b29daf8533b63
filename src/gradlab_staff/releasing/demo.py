"""A demo class of sixteen submissions, made from the instructor notebook: right, wrong, empty and hostile ones."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

from gradlab_staff.audit.variants import load_variants
from gradlab_staff.course import Assignment
from gradlab_staff.course.template import BLANK
from gradlab_staff.errors import CourseError
from gradlab_staff.grading.diagnosis import load_misconceptions
from gradlab_staff.grading.marks import Spec

__all__ = ["DemoStudent", "make_class"]

_MISCONCEPTIONS = 10
_MEGABYTE = "x" * 999_999 + "\n"
_ANSWER = "It keeps the expected value of each unit as it is, so that both modes fit together. (Mark me by hand.)"

Cells = list[dict[str, Any]]


@dataclass(frozen=True)
class DemoStudent:
    """A student of the demo class: name, story of the submission, exercises that lose points, and the file."""

    student: str
    story: str
    loses: tuple[str, ...]
    notebook: Path


@dataclass(frozen=True)
class _Submission:
    """A submission: its story, the exercises that lose points, solutions by exercise, a final change of the cells."""

    story: str
    loses: tuple[str, ...]
    solutions: Mapping[str, str]
    finish: Callable[[Cells], None] = lambda cells: None


def make_class(assignment: Assignment, folder: Path) -> list[DemoStudent]:
    """Write the submissions of ``student_01`` to ``student_16`` into `folder` and return the students.

    Parameters
    ----------
    assignment
        A released assignment.
    folder
        The course's ``submitted`` folder.

    Raises
    ------
    CourseError
        If the assignment is not released, has too few misconceptions, or there is a submission of one of these names
        that is not of the demo. Nothing is written then.
    """
    released = _released(assignment)
    handed_in = list(_class(assignment))
    students = [
        DemoStudent(f"student_{number:02}", submission.story, submission.loses, _path(assignment, folder, number))
        for number, submission in enumerate(handed_in, 1)
    ]
    _refuse_others(assignment, students)
    for student, submission in zip(students, handed_in, strict=True):
        _write(student.notebook, _filled(released, submission))
    return students


def _path(assignment: Assignment, folder: Path, number: int) -> Path:
    return folder / f"student_{number:02}" / assignment.name / f"{assignment.name}.ipynb"


def _released(assignment: Assignment) -> dict[str, Any]:
    path = assignment.release / f"{assignment.name}.ipynb"
    if not path.is_file():
        name = assignment.name
        raise CourseError(f"{name}: expected a release, got none. Made no class. Run: gradlab release {name}")
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


# --- the class


def _class(assignment: Assignment) -> Iterator[_Submission]:
    """Yield the sixteen submissions, in order."""
    sources = {cell.id.removesuffix("_solution"): cell.source for cell in assignment.cells if cell.is_solution}
    exercises = tuple(exercise.name for exercise in assignment.exercises)
    solved = {name: BLANK.sub(lambda blank: blank[3].rstrip(), sources[name]) for name in exercises}
    first, second = (exercises * 2)[:2]  # the same one if there is only one
    yield _Submission("solved as the instructor does", (), solved)
    yield _Submission("solved in another style", (), solved | _style(assignment))
    yield _Submission("untouched", exercises, {})
    for spec in _spread(assignment):
        yield _Submission(f"misconception {spec.name}", (spec.exercise,), solved | {spec.exercise: spec.source})
    endless = BLANK.sub(r"\1while True:\n\1    pass", sources[first])
    yield _Submission("endless loop", (first,), solved | {first: endless})
    killing = BLANK.sub(r"\1import os\n\1os.kill(os.getpid(), 9)", sources[second])
    yield _Submission("kills its process", (second,), solved | {second: killing})
    yield _Submission("prints 100 MB", (), solved, _print_much)


def _style(assignment: Assignment) -> dict[str, str]:
    """Return other right solutions by exercise, from the variants; variants of several exercises take precedence."""
    style: dict[str, str] = {}
    for variant in sorted(load_variants(assignment), key=lambda variant: -len(variant.sources)):
        if not variant.sources.keys() & style.keys():
            style.update(variant.sources)
    return style


def _spread(assignment: Assignment) -> list[Spec]:
    """Return ten misconceptions: the first of each exercise, then the second of each, and so on."""
    specs = load_misconceptions(assignment).values()
    columns = [[spec for spec in specs if spec.exercise == exercise.name] for exercise in assignment.exercises]
    rows = zip_longest(*columns)
    chosen = list(islice((spec for row in rows for spec in row if spec), _MISCONCEPTIONS))
    if len(chosen) < _MISCONCEPTIONS:
        raise CourseError(
            f"{assignment.name}: expected at least {_MISCONCEPTIONS} misconceptions for a class, got {len(chosen)}. "
            "Made no class. Add more to misconceptions.py."
        )
    return chosen


def _print_much(cells: Cells) -> None:
    """Insert a cell that prints 100 MB after the first code cell, with its output."""
    first = next(index for index, cell in enumerate(cells) if cell["cell_type"] == "code")
    output = {"output_type": "stream", "name": "stdout", "text": _MEGABYTE * 100}
    source = 'for _ in range(100):\n    print("x" * 999_999)'
    cells.insert(first + 1, {**copy.deepcopy(cells[first]), "metadata": {}, "source": source, "outputs": [output]})
    cells[first + 1]["id"] = "prints-much"


# --- the files


def _filled(released: dict[str, Any], submission: _Submission) -> dict[str, Any]:
    """Return the release with the solutions filled in, marked as a submission of the demo."""
    content = copy.deepcopy(released)
    content["metadata"]["gradlab"] = {"demo": submission.story}
    for cell in content["cells"]:
        nbgrader = cell["metadata"].get("nbgrader", {})
        name = str(nbgrader.get("grade_id", "")).removesuffix("_solution")
        if nbgrader.get("solution") and name in submission.solutions:
            cell["source"] = submission.solutions[name].strip("\n")
        elif nbgrader.get("solution") and nbgrader.get("grade") and submission.solutions:
            cell["source"] = _ANSWER
    submission.finish(content["cells"])
    return content


def _refuse_others(assignment: Assignment, students: list[DemoStudent]) -> None:
    """Raise an error if a file would be lost that the demo did not write."""
    folders = {student.student: student.notebook.parent for student in students}
    foreign = [name for name, folder in folders.items() if any(not _is_demo(path) for path in _entries(folder))]
    if foreign:
        raise CourseError(
            f"{assignment.name}: expected only submissions of the demo, got others of {', '.join(foreign)}. "
            "Changed nothing. Move them elsewhere, or make the demo in another course."
        )


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _is_demo(path: Path) -> bool:
    try:
        return bool(json.loads(path.read_bytes())["metadata"]["gradlab"]["demo"])
    except (OSError, ValueError, LookupError, TypeError):
        return False


def _write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    fresh.replace(path)
