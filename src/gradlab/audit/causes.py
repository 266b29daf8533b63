"""Causes: which misconception the diagnosis names for a wrong solution, and whether it is the right one.

The diagnosis is the one that students get. It runs each misconception on the inputs of the submission; here all wrong
solutions have the same inputs, so that each misconception is run once, and what it gave is handed out again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gradlab.audit.trials import Results
from gradlab.course import Assignment
from gradlab.grading.diagnosis import diagnose
from gradlab.grading.run import Run
from gradlab.grading.verdict import CheckResult, Outcome
from gradlab.sandbox.session import Session

__all__ = ["Diagnosis"]


@dataclass(frozen=True)
class Diagnosis:
    """Names causes on the inputs of `seeds`, for which `rivals` holds what each misconception gave in its exercise."""

    assignment: Assignment
    seeds: tuple[int, ...]
    rivals: dict[str, tuple[Results, ...]]

    def cause(self, exercise: str, results: Results, which: int = 0) -> str:
        """The name of the cause of what an exercise lost on the seed number `which`; empty where none is named."""
        run = Run(self.assignment, Session(()), self.seeds[which])
        run.results = {exercise: results[exercise]}

        def run_checks(rival: Run, name: str, checks: Iterable[str]) -> None:
            asked = {check.split("::", 1)[1] for check in checks}
            given = self.rivals[name][which].get(exercise, []) if name in self.rivals else []
            rival.results[exercise] = [result for result in given if result.name in asked]

        found = diagnose(run, run_checks).get(exercise)
        return found.name if found else ""

    def is_right(self, exercise: str, name: str, again: Results) -> bool:
        """Whether a wrong solution behaves as the misconception `name` on the second seed too.

        The same checks fail, and the diagnosis, which compares what they saw, names it again.
        """
        rival = self.rivals[name][1].get(exercise, [])
        return _failed(again[exercise]) == _failed(rival) and self.cause(exercise, again, 1) == name


def _failed(results: Iterable[CheckResult]) -> set[str]:
    return {result.name for result in results if result.outcome is not Outcome.PASSED}
