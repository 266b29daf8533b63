"""Candidate causes: the misconceptions on the inputs that a submission got, run as far as a diagnosis asks, and once
for all submissions that a worker grades on one seed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from gradlab_staff.course import Assignment
from gradlab_staff.grading.checks import run_checks
from gradlab_staff.grading.diagnosis import Candidate, load_misconceptions, same_result
from gradlab_staff.grading.marks import Spec
from gradlab_staff.grading.run import GradeOptions, open_run
from gradlab_staff.grading.verdict import CheckResult, Outcome
from gradlab_staff.intake.matching import with_solutions
from gradlab_staff.sandbox.budget import Budget

__all__ = ["CandidateRun", "candidates_of"]

STEADY = (Outcome.PASSED, Outcome.FAILED)
"""How a check ends on every machine, where it ends so on one."""


def candidates_of(
    assignment: Assignment, seed: int, options: GradeOptions, budget: Budget | None = None
) -> tuple[Candidate, ...]:
    """Return the misconceptions of an assignment; what they come to on this seed is kept for the next submission.

    What has to be run for this submission is counted to its `budget`.
    """
    return tuple(_Within(run, budget or Budget()) for run in _runs_of(assignment, seed, options))


@dataclass(frozen=True)
class _Within:
    """A candidate, run within the budget of the submission that asks."""

    run: CandidateRun
    budget: Budget

    @property
    def spec(self) -> Spec:
        return self.run.spec

    def results(self, checks: Iterable[CheckResult], *, alike: bool) -> Mapping[str, CheckResult]:
        return {} if self.budget.used_up else self.run.results(checks, alike=alike, budget=self.budget)


@lru_cache(maxsize=8)
def _runs_of(assignment: Assignment, seed: int, options: GradeOptions) -> tuple[CandidateRun, ...]:
    options = replace(options, seed=seed, fallback=False)
    return tuple(CandidateRun(spec, assignment, options) for spec in load_misconceptions(assignment).values())


@dataclass
class CandidateRun:
    """A misconception under its exercise's checks, each run when it is first asked for."""

    spec: Spec
    assignment: Assignment
    options: GradeOptions
    _found: dict[str, CheckResult] = field(default_factory=dict)

    def results(self, checks: Iterable[CheckResult], *, alike: bool, budget: Budget) -> dict[str, CheckResult]:
        """Return by name what the misconception gives in these checks of a submission.

        Where only what is `alike` matters, the first check that ends otherwise may be the last that is run.

        Raises
        ------
        GraderError
            Where the misconception breaks a grader.
        """
        asked = {check.name: check for check in checks}

        def go_on(exercise: str, result: CheckResult) -> bool:
            return not alike or same_result(result, asked[result.name])

        missing = [name for name in asked if name not in self._found]
        if missing and all(go_on("", self._found[name]) for name in asked if name not in missing):
            found = self._run(missing, go_on, budget)
            # what was late or crashed may have been the machine's trouble: it is tried again for the next submission
            self._found |= {name: result for name, result in found.items() if result.outcome in STEADY}
        return self._found

    def _run(
        self, names: list[str], go_on: Callable[[str, CheckResult], bool], budget: Budget
    ) -> dict[str, CheckResult]:
        notebook = with_solutions(self.assignment, {self.spec.exercise: self.spec.source})
        file = f"test_{self.spec.exercise}.py"
        with open_run(self.assignment, notebook, self.options, budget) as run:
            run.go_on, run.in_secret = go_on, False
            run_checks(run, self.spec.name, [f"{file}::{name}" for name in names])
        return {result.name: result for result in run.results.get(self.spec.exercise, ())}
