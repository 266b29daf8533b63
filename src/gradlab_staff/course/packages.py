"""Grading's packages: what students install, what JupyterLab brings, SciPy, and what ``gradlab.toml`` adds."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from gradlab_staff.course.model import Assignment, Course
from gradlab_staff.errors import CourseError

__all__ = ["SETTINGS_FILE", "Packages", "packages_of"]

SETTINGS_FILE = "gradlab.toml"
_STUDENTS = "gradlab"
_BESIDE = ("ipython", "ipywidgets", "scipy")
_KEYS = ("add", "without")


@dataclass(frozen=True)
class Packages:
    """The packages that a submission may import, by name; with each comes what it requires itself."""

    names: tuple[str, ...]

    @property
    def listed(self) -> str:
        """Return the names as people read them: in notebooks, in ``docs/`` and in warnings."""
        return ", ".join(self.names)

    @property
    def installed(self) -> Mapping[str, Distribution]:
        """Return these packages and all that they require, by name.

        Raises
        ------
        CourseError
            Where one is not installed.
        """
        return _closure(self.names)


def packages_of(assignment: Assignment | Course) -> Packages:
    """Return the packages of an assignment, or those of the course for all assignments.

    Raises
    ------
    CourseError
        Where ``gradlab.toml`` cannot be read, names a package that is not installed, or leaves out one that another
        requires.
    """
    course = assignment if isinstance(assignment, Course) else assignment.course
    path = course.root / SETTINGS_FILE
    settings = _settings(path, course)
    names = frozenset((*_students_own(), *_BESIDE))
    tables = ("",) if isinstance(assignment, Course) else ("", assignment.name)
    for asked in (settings.get(table, _NONE) for table in tables):
        if unknown := sorted(asked.without - names):
            raise CourseError(f"{path}: expected packages on the list in `without`, got {', '.join(unknown)}. Fix it.")
        names = (names | asked.add) - asked.without
        try:
            needed = sorted(asked.without & _closure(tuple(sorted(names))).keys())
        except CourseError as error:
            raise CourseError(f"{path}: {error}") from error
        if needed:
            raise CourseError(
                f"{path}: expected packages in `without` that no other requires, got {', '.join(needed)}. Fix it."
            )
    return Packages(tuple(sorted(names)))


@dataclass(frozen=True)
class _Asked:
    add: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()


_NONE = _Asked()


def _settings(path: Path, course: Course) -> dict[str, _Asked]:
    """Return what ``gradlab.toml`` asks for, by assignment; by the empty name, for all of them."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise CourseError(f"{path}: expected settings in TOML, got: {error}. Fix the file.") from error
    return {name: _asked(f"{path}: [{table}]", found) for name, table, found in _tables(path, data, course)}


def _tables(path: Path, data: dict[str, Any], course: Course) -> Iterator[tuple[str, str, Any]]:
    """Yield assignment, table and what stands in it."""
    for key, found in data.items():
        if key == "packages":
            yield "", key, found
        elif key in course.assignments:
            if not isinstance(found, dict) or set(found) - {"packages"}:
                raise CourseError(f"{path}: [{key}]: expected a table [{key}.packages], got {found!r}. Fix it.")
            yield key, f"{key}.packages", found.get("packages", {})
        else:
            known = ", ".join(("packages", *(f"{name}.packages" for name in course.assignments)))
            raise CourseError(f"{path}: expected the tables {known}, got [{key}]. Fix it.")


def _asked(where: str, found: Any) -> _Asked:
    if not isinstance(found, dict) or set(found) - set(_KEYS):
        raise CourseError(f"{where}: expected the keys {' and '.join(_KEYS)}, got {found!r}. Fix it.")
    for key, names in found.items():
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise CourseError(f"{where}: expected {key} = a list of packages' names, got {names!r}. Fix it.")
    return _Asked(*(frozenset(map(canonicalize_name, found.get(key, ()))) for key in _KEYS))


def _students_own() -> set[str]:
    """Return what the students' package requires itself."""
    return set(_required(distribution(_STUDENTS)))


def _required(package: Distribution) -> Iterator[str]:
    for text in package.requires or ():
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield canonicalize_name(requirement.name)


@lru_cache(maxsize=32)
def _closure(names: Iterable[str]) -> dict[str, Distribution]:
    found: dict[str, Distribution] = {}
    asked = list(names)
    while asked:
        name = asked.pop()
        if name not in found:
            try:
                found[name] = distribution(name)
            except PackageNotFoundError:
                raise CourseError(
                    f"expected the package {name} to be installed, it is not. Run: pip install {name}"
                ) from None
            asked += _required(found[name])
    return found
