"""Grading's packages: what students install, what JupyterLab brings, SciPy, and what ``gradlab.toml`` adds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from gradlab_staff.course.model import Assignment, Course
from gradlab_staff.course.settings import tables_of
from gradlab_staff.errors import CourseError

__all__ = ["Packages", "packages_of"]

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
    names = frozenset((*_students_own(), *_BESIDE))
    for where, table in tables_of(assignment, "packages"):
        asked = _asked(where, table)
        if unknown := sorted(asked.without - names):
            raise CourseError(f"{where}: expected packages on the list in `without`, got {', '.join(unknown)}. Fix it.")
        names = (names | asked.add) - asked.without
        try:
            needed = sorted(asked.without & _closure(tuple(sorted(names))).keys())
        except CourseError as error:
            raise CourseError(f"{where}: {error}") from error
        if needed:
            raise CourseError(
                f"{where}: expected packages in `without` that no other requires, got {', '.join(needed)}. Fix it."
            )
    return Packages(tuple(sorted(names)))


@dataclass(frozen=True)
class _Asked:
    add: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()


def _asked(where: str, found: dict[str, Any]) -> _Asked:
    if set(found) - set(_KEYS):
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
