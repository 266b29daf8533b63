"""Course, assignment, exercise and cell: read from the folders and cross-checked."""

from __future__ import annotations

import json
import keyword
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from gradlab_staff.errors import CourseError

__all__ = ["Assignment", "Cell", "Course", "Exercise", "is_name", "read_notebook"]

_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")  # nbgrader's own rule; it is part of file names too
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,80}")


@dataclass(frozen=True)
class Cell:
    """One cell of a notebook: its type, its source, its nbgrader metadata (or none); of a submission, its outputs.

    Attachments are the pictures that were pasted into it: base64 by MIME type, by name.
    """

    cell_type: str
    source: str
    metadata: dict[str, Any] = field(default_factory=dict)
    outputs: tuple[dict[str, Any], ...] = ()
    attachments: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def nbgrader(self) -> dict[str, Any]:
        """Return the cell's nbgrader metadata; empty if it has none."""
        found = self.metadata.get("nbgrader", {})
        return found if isinstance(found, dict) else {}

    @property
    def id(self) -> str:
        """Return the nbgrader id, or an empty string."""
        return str(self.nbgrader.get("grade_id", ""))

    @property
    def is_grade(self) -> bool:
        """Return whether the cell is worth points."""
        return bool(self.nbgrader.get("grade"))

    @property
    def is_solution(self) -> bool:
        """Return whether students write in the cell."""
        return bool(self.nbgrader.get("solution"))

    @property
    def is_given(self) -> bool:
        """Return whether the cell is read-only and worth no points: imports, given definitions, demonstrations."""
        return bool(self.nbgrader) and not self.is_grade and not self.is_solution

    @property
    def is_demo(self) -> bool:
        """Return whether the cell is a demonstration, which no exercise needs."""
        return bool(self.metadata.get("gradlab", {}).get("demo"))

    @property
    def points(self) -> float:
        """Return the points of a grade cell; 0 for any other cell, and where what stands there is no number."""
        return _number(self.nbgrader.get("points", 0)) if self.is_grade else 0.0


def _number(value: object) -> float:
    """Return a finite number as it is, and 0 for anything else that JSON can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    try:
        return float(value) if math.isfinite(value) else 0.0
    except OverflowError:  # an integer of more than 308 digits
        return 0.0


@dataclass(frozen=True)
class Exercise:
    """An exercise: its id such as ``dropout/solver``, its points, and its hidden grader or None."""

    id: str
    points: float
    grader: Path | None

    @property
    def name(self) -> str:
        """Return the id of the grade cell: the part after the slash."""
        return self.id.split("/", 1)[1]


@dataclass(frozen=True)
class Assignment:
    """An assignment: a folder of ``source/``, and the files of the course that belong to it."""

    course: Course
    name: str

    @property
    def notebook(self) -> Path:
        """Return the path of the instructor notebook."""
        return self.course.root / "source" / self.name / f"{self.name}.ipynb"

    @property
    def release(self) -> Path:
        """Return the folder of the student version."""
        return self.course.root / "release" / self.name

    @property
    def graders(self) -> Path:
        """Return the folder of the hidden graders and misconceptions."""
        return self.course.root / "tests" / "graders" / self.name

    @property
    def recorded(self) -> Path:
        """Return the path of the recorded reference outputs."""
        return self.course.root / "reference" / f"{self.name}.json"

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """Return the cells of the instructor notebook."""
        return read_notebook(self.notebook)

    @cached_property
    def exercises(self) -> tuple[Exercise, ...]:
        """Return the autograded exercises, in the order of the notebook."""
        return tuple(
            Exercise(f"{self.name}/{cell.id}", cell.points, self._grader(cell.id))
            for cell in self.cells
            if cell.is_grade and not cell.is_solution
        )

    @cached_property
    def questions(self) -> tuple[Exercise, ...]:
        """Return the manually graded exercises, in the order of the notebook."""
        return tuple(
            Exercise(f"{self.name}/{cell.id}", cell.points, None)
            for cell in self.cells
            if cell.is_grade and cell.is_solution
        )

    def _grader(self, exercise: str) -> Path | None:
        path = self.graders / f"test_{exercise}.py"
        return path if is_name(exercise) and path.is_file() else None

    def faults(self) -> list[str]:
        """Return the contradictions in the notebook and its graders, one line each, which names the cell."""
        return [
            *self._bad_ids(),
            *self._duplicate_ids(),
            *self._bad_points(),
            *self._cells_without_grader(),
            *self._graders_without_cell(),
            *self._missing_solution_cells(),
        ]

    def _bad_ids(self) -> Iterator[str]:
        """Yield the ids that nbgrader, or the files of an exercise, cannot have; nothing else is said of these."""
        for number, cell in enumerate(self.cells, 1):
            got = cell.nbgrader.get("grade_id")
            if cell.is_grade and not cell.is_solution and not is_name(cell.id):
                wanted = "the name of a Python function, as check(…), public_checks.py and test_….py need it"
            elif cell.nbgrader and not (isinstance(got, str) and _ID.fullmatch(got)):
                wanted = "letters, digits, _ and -, at most 100"
            else:
                continue
            told = repr(got)[:80] if got else "none"
            yield f"{self.name} cell {number}: expected an id ({wanted}), got {told}. Set it in Create Assignment."

    def _duplicate_ids(self) -> list[str]:
        counts = Counter(cell.id for cell in self.cells if cell.id)
        return [
            f"{self.name}/{id}: expected one cell with this id, got {n}. Give each cell a unique id."
            for id, n in counts.items()
            if n > 1
        ]

    def _bad_points(self) -> list[str]:
        return [
            f"{self.name}/{cell.id}: expected points above 0, got {_told(cell)}. Set the points of the cell."
            for cell in self.cells
            if cell.is_grade and not cell.points > 0
        ]

    def _cells_without_grader(self) -> list[str]:
        return [
            f"{exercise.id}: expected a hidden grader, got none. "
            f"Write tests/graders/{self.name}/test_{exercise.name}.py."
            for exercise in self.exercises
            if exercise.grader is None and is_name(exercise.name)
        ]

    def _graders_without_cell(self) -> list[str]:
        names = {exercise.name for exercise in self.exercises}
        if not all(map(is_name, names)):
            return []  # a grader without a cell is that of the cell with the bad id
        return [
            f"{self.name}/{path.stem.removeprefix('test_')}: expected a grade cell with this id for the grader "
            f"{path.name}, got none. Add the cell, or delete the grader."
            for path in sorted(self.graders.glob("test_*.py"))
            if path.stem.removeprefix("test_") not in names
        ]

    def _missing_solution_cells(self) -> list[str]:
        ids = {cell.id for cell in self.cells if cell.is_solution}
        return [
            f"{exercise.id}: expected a cell `{exercise.name}_solution`, got none. Add it before the grade cell."
            for exercise in self.exercises
            if f"{exercise.name}_solution" not in ids and is_name(exercise.name)
        ]


def is_name(exercise: str) -> bool:
    """Return whether an exercise can be called so: a function, a file, and a cell of the gradebook bear its name."""
    return bool(_NAME.fullmatch(exercise)) and not keyword.iskeyword(exercise)


def _told(cell: Cell) -> str:
    """Return what stands in place of points, for a message."""
    points = cell.nbgrader.get("points", "none")
    return "none" if points == "none" else repr(points)[:60]


@dataclass(frozen=True)
class Course:
    """The repository of a course: the folder with ``source/``, ``tests/graders/`` and the folders of nbgrader."""

    root: Path

    @classmethod
    def find(cls, start: Path | None = None) -> Course:
        """Return the course that contains `start` (default: the working directory).

        Raises
        ------
        CourseError
            If neither `start` nor a folder above it holds ``source/`` and ``nbgrader_config.py``.
        """
        here = (start or Path.cwd()).resolve()
        for folder in (here, *here.parents):
            if (folder / "source").is_dir() and (folder / "nbgrader_config.py").is_file():
                return cls(folder)
        raise CourseError(
            f"{here}: expected a course (a folder with source/ and nbgrader_config.py) here or above, got none. "
            "Run the command inside the course, or pass its folder: gradlab --course PATH …"
        )

    @property
    def assignments(self) -> tuple[str, ...]:
        """Return the names of the assignments, sorted."""
        return tuple(
            sorted(path.parent.name for path in self.root.glob("source/*/*.ipynb") if path.stem == path.parent.name)
        )

    def assignment(self, name: str) -> Assignment:
        """Return the assignment called `name`.

        Raises
        ------
        CourseError
            If there is no such assignment.
        """
        if name not in self.assignments:
            known = ", ".join(self.assignments) or "none"
            raise CourseError(f"{name}: expected an assignment of this course, got an unknown name. Known: {known}.")
        return Assignment(self, name)


def read_notebook(path: Path) -> tuple[Cell, ...]:
    """Return the cells of a trusted notebook file.

    Raises
    ------
    CourseError
        If the file is missing or is not a notebook.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return tuple(
            Cell(
                cell["cell_type"],
                "".join(cell["source"]),
                cell.get("metadata", {}),
                attachments=cell.get("attachments", {}),
            )
            for cell in content["cells"]
        )
    except FileNotFoundError as error:
        raise CourseError(f"{path}: expected a notebook, got no file. Check the assignment's name.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CourseError(
            f"{path}: expected a notebook (JSON, nbformat 4), got {_trouble(error)}. "
            "Restore it from git or a backup, or fix that place in a text editor."
        ) from error


def _trouble(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"no JSON: {error.msg} in line {error.lineno}, column {error.colno}"
    return "another encoding than UTF-8" if isinstance(error, UnicodeDecodeError) else repr(error)
