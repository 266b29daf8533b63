"""Equivalent mutants: those that are no worse than the solution, recorded with the reason beside the graders."""

from __future__ import annotations

import json
from dataclasses import dataclass

from gradlab_staff.course import Assignment
from gradlab_staff.errors import CourseError

__all__ = ["Equivalent", "load_equivalents"]


@dataclass(frozen=True)
class Equivalent:
    """A mutant that may keep all points, and why; where it lies on a border, it may also lose some (`either`)."""

    id: str
    reason: str
    either: bool = False


def load_equivalents(assignment: Assignment) -> dict[str, Equivalent]:
    """By the mutant's id, what ``equivalent.json`` records: a list of ``{"reason": …, "mutants": {id: change}}``.

    A group with ``"either": true`` holds what is right by chance: how well a training goes with these numbers, say.

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
        entries = [
            Equivalent(id, str(group["reason"]).strip(), group.get("either") is True)
            for group in groups
            for id in group["mutants"]
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CourseError(f"{path}: expected groups of a reason and mutants, got {error!r}. Mend it.") from error
    for entry in entries:
        if not entry.reason or entry.id in found:
            raise CourseError(f"{path}: {entry.id}: expected one entry with a reason, got another or none. Mend it.")
        found[entry.id] = entry
    return found
