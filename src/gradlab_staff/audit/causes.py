"""Causes: which misconception the diagnosis names for a wrong solution, and whether it is the right one.

The diagnosis is the one that students get.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gradlab_staff.audit.trials import Found
from gradlab_staff.grading.diagnosis import diagnose
from gradlab_staff.grading.marks import Spec
from gradlab_staff.grading.verdict import CheckResult, Outcome

__all__ = ["Diagnosis"]


@dataclass(frozen=True)
class _KnownCandidate:
    """A misconception that has been run."""

    spec: Spec
    found: dict[str, CheckResult]

    def results(self, checks: Iterable[CheckResult], *, alike: bool) -> dict[str, CheckResult]:
        return self.found


@dataclass(frozen=True)
class Diagnosis:
    """Names causes on the inputs of two seeds; `candidates` holds what each misconception gave on both."""

    specs: tuple[Spec, ...]
    candidates: dict[str, tuple[Found, ...]]

    def cause(self, exercise: str, results: Found, which: int = 0) -> str:
        """Return the name of the cause of what an exercise lost on the seed number `which`, or nothing."""
        run = [spec for spec in self.specs if spec.name in self.candidates]
        known = [
            _KnownCandidate(spec, _by_name(self.candidates[spec.name][which].get(spec.exercise, ()))) for spec in run
        ]
        found = diagnose({exercise: results[exercise]}, known).get(exercise)
        return found.name if found else ""

    def is_right(self, exercise: str, name: str, again: Found) -> bool:
        """Return whether a wrong solution behaves as the misconception `name` on the second seed too.

        The same checks fail, and the diagnosis, which compares what they saw, names it again.
        """
        candidate = self.candidates[name][1].get(exercise, [])
        return _failed(again[exercise]) == _failed(candidate) and self.cause(exercise, again, 1) == name


def _by_name(results: Iterable[CheckResult]) -> dict[str, CheckResult]:
    return {result.name: result for result in results}


def _failed(results: Iterable[CheckResult]) -> set[str]:
    return {result.name for result in results if result.outcome is not Outcome.PASSED}
