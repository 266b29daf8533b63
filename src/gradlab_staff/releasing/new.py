"""``gradlab new``: a working assignment with one exercise, as a skeleton to rewrite."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from gradlab_staff.course import Assignment, Course
from gradlab_staff.course.packages import packages_of
from gradlab_staff.errors import CourseError

__all__ = ["New", "new", "why_no_name"]

_MAX_CHARS = 40  # the name is part of folders, ids and headings
_TEMPLATES = {
    "notebook.ipynb": "source/{name}/{name}.ipynb",
    "public_checks.py.txt": "source/{name}/public_checks.py",
    "test_mean_squared_error.py.txt": "tests/graders/{name}/test_mean_squared_error.py",
    "misconceptions.py.txt": "tests/graders/{name}/misconceptions.py",
    "recordings.py.txt": "tests/graders/{name}/recordings.py",
    "variants.py.txt": "tests/graders/{name}/variants.py",
    "equivalent.json": "tests/graders/{name}/equivalent.json",
}


@dataclass(frozen=True)
class New:
    """The result of `new`: the assignment, the files to rewrite, and those made from them; paths within the course."""

    assignment: Assignment
    written: tuple[str, ...]
    made: tuple[str, ...]


def new(course: Course, name: str) -> New:
    """Write the skeleton of an assignment, record its reference outputs, and release it.

    Raises
    ------
    CourseError
        If `name` is not a valid name, or files of that name exist. Nothing is written then.
    """
    if why := why_no_name(name):
        raise CourseError(why)
    assignment = Assignment(course, name)
    _refuse_existing(assignment)
    words = {"name": name, "title": name.replace("_", " ").capitalize(), "packages": packages_of(course).listed}
    written = tuple(_write(course.root, template, words) for template in _TEMPLATES)
    from gradlab_staff.releasing.record import record
    from gradlab_staff.releasing.release import release

    recorded = record(assignment).relative_to(course.root)
    released = release(assignment).folder.relative_to(course.root)
    return New(assignment, written, (str(recorded), f"{released}/"))


def why_no_name(name: str) -> str:
    """Return why `name` is not a valid name for an assignment; empty if it is.

    >>> why_no_name("linear_regression")
    ''
    """
    if re.fullmatch(r"[a-z][a-z0-9_]*", name) and len(name) <= _MAX_CHARS and not keyword.iskeyword(name):
        return ""
    return (
        f"{name}: expected a name of at most {_MAX_CHARS} lowercase letters, digits and _ that starts with a letter "
        "and is not a Python keyword, got another. Wrote nothing. Try: gradlab new linear_regression"
    )


def _refuse_existing(assignment: Assignment) -> None:
    places = (assignment.notebook.parent, assignment.graders, assignment.recorded, assignment.release)
    taken = [str(path.relative_to(assignment.course.root)) for path in places if path.exists()]
    if taken:
        raise CourseError(
            f"{assignment.name}: expected an unused name, got one with {', '.join(taken)}. Wrote nothing. "
            "Choose another name, or move these files elsewhere."
        )


def _write(root: Path, template: str, words: Mapping[str, str]) -> str:
    """Write one file of the skeleton and return its path within the course."""
    text = files("gradlab_staff.releasing").joinpath("skeleton", template).read_text(encoding="utf-8")
    path = _TEMPLATES[template].format(name=words["name"])
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    for word, value in words.items():
        text = text.replace(f"{{{{{word}}}}}", value)
    (root / path).write_text(text, encoding="utf-8")
    return path
