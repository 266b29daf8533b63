"""Equivalent mutants: those that are no worse than the solution, recorded with the reason beside the graders."""

from __future__ import annotations

import json
from dataclasses import dataclass

from gradlab.course import Assignment
from gradlab.errors import CourseError

__all__ = ["Equivalent", "load_equivalents"]


@dataclass(frozen=True)
class Equivalent:
    """A mutant that may keep all points, and why."""

    id: str
    reason: str


def load_equivalents(assignment: Assignment) -> dict[str, Equivalent]:
    """By the mutant's id, what ``equivalent.json`` records: a list of ``{"reason": …, "mutants": {id: change}}``.

    Raises
    ------
    CourseError
        Where the file holds anything else, a reason is missing, or a mutant stands in it twice.
    """
    path = assignment.graders / "equivalent.json"
    if not path.is_file():
        return {}
    found: dict[str, Equivalent] = {}
    try:
        groups = json.loads(path.read_text(encoding="utf-8"))
        pairs = [(id, str(group["reason"]).strip()) for group in groups for id in group["mutants"]]
    except (ValueError, KeyError, TypeError) as error:
        raise CourseError(f"{path}: expected groups of a reason and mutants, got {error!r}. Mend it.") from error
    for id, reason in pairs:
        if not reason or id in found:
            raise CourseError(f"{path}: {id}: expected one entry with a reason, got another or none. Mend it.")
        found[id] = Equivalent(id, reason)
    return found
