"""Naming the cause: which misconception, on the same inputs, gives what the submission gave."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from gradlab_staff.course import Assignment
from gradlab_staff.course.modules import load_module
from gradlab_staff.errors import CourseError
from gradlab_staff.grading.evidence import same_evidence
from gradlab_staff.grading.marks import Spec, misconceptions_of
from gradlab_staff.grading.verdict import CheckResult, Misconception, Outcome

__all__ = ["Candidate", "Results", "diagnose", "load_misconceptions", "same_result"]

Results = Mapping[str, Sequence[CheckResult]]
"""By exercise, what its checks found."""


class Candidate(Protocol):
    """A misconception, and what its exercise's checks find in it on the inputs that the submission got."""

    @property
    def spec(self) -> Spec: ...
    def results(self, checks: Iterable[CheckResult], *, alike: bool) -> Mapping[str, CheckResult]:
        """Return by name what comes in these checks; no more than the first that is not `alike`, if asked."""


def load_misconceptions(assignment: Assignment) -> dict[str, Spec]:
    """Return the named wrong solutions of an assignment, by name.

    Raises
    ------
    CourseError
        Where one belongs to an exercise that the assignment has not.
    """
    path = assignment.graders / "misconceptions.py"
    specs = misconceptions_of(load_module(path)) if path.is_file() else {}
    names = {exercise.name for exercise in assignment.exercises}
    for spec in specs.values():
        if spec.exercise not in names:
            raise CourseError(
                f"{path.name}: {spec.name}: expected an exercise of {assignment.name}, got {spec.exercise!r}. "
                f"Known: {', '.join(sorted(names))}."
            )
    return specs


def diagnose(results: Results, candidates: Sequence[Candidate]) -> dict[str, Misconception]:
    """Return the cause of each failed exercise.

    That is the misconception with the same outcome and evidence in each failed check, which passes all that the
    submission passed on the same inputs, the stand-ins among them.
    """
    causes = {}
    for exercise, checks in results.items():
        if any(check.with_own for check in checks):
            continue  # on other inputs, and beside other functions, than the misconceptions
        right = [check for check in checks if check.outcome is Outcome.PASSED]
        wrong = [check for check in checks if check.outcome is not Outcome.PASSED]
        if wrong and all(check.outcome is Outcome.FAILED for check in wrong):
            own = (one for one in candidates if one.spec.exercise == exercise)
            same = next((one for one in own if _fails_alike(wrong, one) and _passes(right, one)), None)
            if same is not None:
                causes[exercise] = Misconception(same.spec.name, same.spec.explanation, same.spec.hint)
    return causes


def _fails_alike(wrong: Sequence[CheckResult], candidate: Candidate) -> bool:
    found = candidate.results(wrong, alike=True)
    return all(check.name in found and same_result(found[check.name], check) for check in wrong)


def _passes(right: Sequence[CheckResult], candidate: Candidate) -> bool:
    found = candidate.results(right, alike=False)
    return all(check.name in found and found[check.name].outcome is Outcome.PASSED for check in right)


def same_result(a: CheckResult, b: CheckResult) -> bool:
    """Return whether two checks ended alike: by outcome and evidence; where there is none, by their words."""
    if a.outcome is not b.outcome or not same_evidence(a.evidence, b.evidence):
        return False
    return bool(a.evidence) or a.message == b.message
