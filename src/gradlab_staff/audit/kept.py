"""What an audit has found so far, kept as it comes: one that was interrupted goes on where it stopped."""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gradlab_staff.course import Assignment
from gradlab_staff.grading.fingerprint import fingerprint_of_course
from gradlab_staff.grading.run import new_seed

__all__ = ["Kept", "open_kept"]


@dataclass
class Kept:
    """The results of one assignment's audit by what was tried: a line each in a file, after a line with the seed."""

    path: Path
    seed: int
    results: dict[str, Any] = field(default_factory=dict)

    def get(self, tried: Any) -> Any:
        """Return what was kept of `tried` (plain data that says all that matters of it), or None."""
        return self.results.get(_digest(tried))

    def put(self, tried: Any, result: Any) -> None:
        """Keep the result of `tried`: plain data. Where the disk has no room, the audit goes on without."""
        key = _digest(tried)
        self.results[key] = result
        with contextlib.suppress(OSError), self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps([key, result]) + "\n")

    def discard(self) -> None:
        """Delete the file: the audit has come to its end."""
        self.path.unlink(missing_ok=True)


def open_kept(assignment: Assignment, seed: int | None = None, *, restart: bool = False) -> Kept:
    """Return the results kept from an interrupted audit, or a fresh start.

    A fresh start is made where there is nothing, where graders, notebook or package have changed since, where another
    `seed` is asked for, and on `restart`.
    """
    path = assignment.course.root / ".gradlab" / "audit" / f"{assignment.name}.jsonl"
    judged_by = fingerprint_of_course(assignment)
    if not restart and (kept := _read(path, judged_by)) is not None and seed in (None, kept.seed):
        return kept
    fresh = Kept(path, new_seed() if seed is None else seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"seed": fresh.seed, "judged_by": judged_by}) + "\n", encoding="utf-8")
    return fresh


def _read(path: Path, judged_by: str) -> Kept | None:
    try:
        first, *lines = path.read_text(encoding="utf-8").split("\n")
        head = json.loads(first)
        if head["judged_by"] != judged_by:
            return None
        kept = Kept(path, int(head["seed"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    for line in lines:
        with contextlib.suppress(ValueError, TypeError):  # the last line may be half of one
            key, result = json.loads(line)
            kept.results[key] = result
    if lines and lines[-1]:  # what follows begins a line of its own
        with path.open("a", encoding="utf-8") as file:
            file.write("\n")
    return kept


def _digest(tried: Any) -> str:
    return hashlib.sha256(json.dumps(tried, sort_keys=True).encode()).hexdigest()[:32]
