"""The course's own settings: ``gradlab.toml``, with tables for all assignments and for each."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gradlab_staff.course.model import Assignment, Course
from gradlab_staff.errors import CourseError

__all__ = ["SETTINGS_FILE", "TABLES", "tables_of"]

SETTINGS_FILE = "gradlab.toml"
TABLES = ("packages", "limits")


def tables_of(assignment: Assignment | Course, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the tables `name` that hold for an assignment, the course's first, each after where it stands.

    For a course, that is its own alone.

    Raises
    ------
    CourseError
        Where ``gradlab.toml`` cannot be read, or holds what is no table of these.
    """
    course = assignment if isinstance(assignment, Course) else assignment.course
    path = course.root / SETTINGS_FILE
    found = _read(path)
    _refuse_unknown(path, found, course)
    yield f"{path}: [{name}]", found.get(name, {})
    if isinstance(assignment, Assignment):
        yield f"{path}: [{assignment.name}.{name}]", found.get(assignment.name, {}).get(name, {})


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise CourseError(f"{path}: expected settings in TOML, got: {error}. Fix the file.") from error


def _refuse_unknown(path: Path, found: dict[str, Any], course: Course) -> None:
    for key, value in found.items():
        if key in TABLES:
            _refuse_no_table(f"{path}: [{key}]", value)
        elif key not in course.assignments:
            of_each = (f"{name}.{table}" for name in course.assignments for table in TABLES)
            raise CourseError(f"{path}: expected the tables {', '.join((*TABLES, *of_each))}, got [{key}]. Fix it.")
        elif not isinstance(value, dict) or set(value) - set(TABLES):
            tables = " and ".join(f"[{key}.{table}]" for table in TABLES)
            raise CourseError(f"{path}: [{key}]: expected no more than the tables {tables}, got {value!r}. Fix it.")
        else:
            for table, held in value.items():
                _refuse_no_table(f"{path}: [{key}.{table}]", held)


def _refuse_no_table(where: str, value: Any) -> None:
    if not isinstance(value, dict):
        raise CourseError(f"{where}: expected a table, got {value!r}. Fix it.")
