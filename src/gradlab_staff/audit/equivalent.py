"""Equivalent mutants: those that are as good as the solution, recorded with a reason beside the graders."""

from __future__ import annotations

import json
from dataclasses import dataclass

from gradlab_staff.course import Assignment
from gradlab_staff.errors import CourseError

__all__ = ["Equivalent", "load_equivalents"]


@dataclass(frozen=True)
class Equivalent:
    """A mutant that may keep all points, and the reason; with `either`, it may also lose some."""

    id: str
    reason: str
    either: bool = False


def load_equivalents(assignment: Assignment) -> dict[str, Equivalent]:
    """Return the entries of ``equivalent.json`` by the mutant's id.

    The file holds a list of groups, ``{"reason": …, "mutants": {id: change}}``. In a group with ``"either": true`` it
    depends on chance whether a mutant is right, for example on how well a training goes with these numbers.

    Raises
    ------
    CourseError
        If the file holds anything else, a reason is missing, or a mutant is listed twice.
    """
    path = assignment.graders / "equivalent.json"
    if not path.is_file():
        return {}
    found: dict[str, Equivalent] = {}
    try:
        groups = json.loads(path.read_text(encoding="utf-8"))
        entries = [
            Equivalent(id, str(group["reason"]).strip(), group.get("either") is True)
            for group in groups
            for id in group["mutants"]
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CourseError(f"{path}: expected groups of a reason and mutants, got {error!r}. Fix the file.") from error
    for entry in entries:
        if not entry.reason or entry.id in found:
            raise CourseError(f"{path}: {entry.id}: expected one entry with a reason, got two or no reason. Fix it.")
        found[entry.id] = entry
    return found
