"""What grading has come to before: verdicts and failures, each used again while what it was made of stays the same."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradlab_staff.course import Assignment
from gradlab_staff.grading.verdict import Verdict

__all__ = ["Kept"]

_BEGUN = "begun"
"""Beside a verdict's own fields: the run that has come to none yet."""


@dataclass(frozen=True)
class Kept:
    """The file of a submission: the verdict on it; of a run that has come to none, that it began, and how it failed.

    A failure is kept too: a submission that takes its worker down, ten minutes each time, would do so in each run of
    the class (an attack that costs one file). A verdict outlives it: what was found out about the same submission is no
    less true where a later run, with ``--force``, breaks off.
    """

    assignment: Assignment
    student: str

    @property
    def path(self) -> Path:
        """Return where it lies."""
        return self.assignment.course.root / ".gradlab" / "verdicts" / self.assignment.name / f"{self.student}.json"

    def verdict(self, digest: str) -> Verdict | None:
        """Return the verdict on what has this digest; None if there is none."""
        try:
            verdict = Verdict.from_dict({name: value for name, value in self._read().items() if name != _BEGUN})
        except (ValueError, KeyError, TypeError):
            return None
        return verdict if verdict.digest == digest else None

    def failure(self, digest: str) -> str:
        """Return how grading what has this digest failed; nothing if it did not."""
        begun = self._begun()
        return str(begun.get("error", "")) if begun.get("digest") == digest else ""

    def put(self, verdict: Verdict) -> None:
        """Keep a verdict, in the place of all that was before."""
        self._write(verdict.to_dict())

    def begin(self, digest: str, run: str) -> None:
        """Keep that a run has begun, for who hears that its worker ended: what it was at, only the worker knew."""
        self._write({**self._read(), _BEGUN: {"digest": digest, "run": run}})

    def fail(self, run: str, error: str) -> None:
        """Keep that grading failed, if it was this run that had begun it."""
        begun = self._begun()
        if begun.get("run") == run:
            self._write({**self._read(), _BEGUN: {**begun, "error": error}})

    def _begun(self) -> dict[str, Any]:
        begun = self._read().get(_BEGUN)
        return begun if isinstance(begun, dict) else {}

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _write(self, content: dict[str, Any]) -> None:
        """Write it; where the disk has no room or no such name, it will be found out again."""
        name = hashlib.sha256(self.student.encode()).hexdigest()[:16]
        partial = self.path.with_name(f".{os.getpid()}-{name}.partial")
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                partial.write_text(json.dumps(content, indent=1), encoding="utf-8")
                partial.replace(self.path)
            finally:
                partial.unlink(missing_ok=True)
