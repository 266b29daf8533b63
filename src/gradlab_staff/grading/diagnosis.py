"""Naming the cause: which misconception, on the same inputs, gives what the submission gave."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from gradlab_staff.course import Assignment
from gradlab_staff.course.modules import load_module
from gradlab_staff.errors import CourseError
from gradlab_staff.grading.evidence import same_evidence
from gradlab_staff.grading.marks import Spec, misconceptions_of
from gradlab_staff.grading.verdict import CheckResult, Misconception, Outcome
from gradlab_staff.intake.cells import Code, plan

__all__ = ["Results", "Rival", "diagnose", "load_misconceptions", "same_result", "with_solutions"]

Results = Mapping[str, Sequence[CheckResult]]
"""By exercise, what its checks found."""


class Rival(Protocol):
    """A misconception, and what its exercise's checks find in it on the inputs that the submission got."""

    @property
    def spec(self) -> Spec: ...
    def results(self, checks: Iterable[CheckResult], *, alike: bool) -> Mapping[str, CheckResult]:
        """By name, what comes in these checks of a submission; no more than the first that is not `alike`, if asked."""


def load_misconceptions(assignment: Assignment) -> dict[str, Spec]:
    """The named wrong solutions of an assignment, by name.

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


def with_solutions(assignment: Assignment, sources: dict[str, str]) -> tuple[Code, ...]:
    """The code of the instructor notebook, with other solution cells for the exercises in `sources`."""
    cells = [
        replace(cell, source=sources.get(cell.id.removesuffix("_solution"), cell.source)) if cell.is_solution else cell
        for cell in assignment.cells
    ]
    return plan(assignment, cells).code


def diagnose(results: Results, rivals: Sequence[Rival]) -> dict[str, Misconception]:
    """The cause of each failed exercise: the misconception with the same outcome and evidence in each failed check,
    which passes all that the submission passed on the same inputs, the stand-ins among them.
    """
    causes = {}
    for exercise, checks in results.items():
        right = [check for check in checks if check.outcome is Outcome.PASSED and not check.with_own]
        wrong = [check for check in checks if check.outcome is not Outcome.PASSED]
        if wrong and all(check.outcome is Outcome.FAILED for check in wrong):
            own = (rival for rival in rivals if rival.spec.exercise == exercise)
            same = next((rival for rival in own if _fails_alike(wrong, rival) and _passes(right, rival)), None)
            if same is not None:
                causes[exercise] = Misconception(same.spec.name, same.spec.explanation, same.spec.hint)
    return causes


def _fails_alike(wrong: Sequence[CheckResult], rival: Rival) -> bool:
    found = rival.results(wrong, alike=True)
    return all(check.name in found and same_result(found[check.name], check) for check in wrong)


def _passes(right: Sequence[CheckResult], rival: Rival) -> bool:
    found = rival.results(right, alike=False)
    return all(check.name in found and found[check.name].outcome is Outcome.PASSED for check in right)


def same_result(a: CheckResult, b: CheckResult) -> bool:
    """Whether two checks ended alike: the same outcome, the same evidence, and where there is none, the same words."""
    if a.outcome is not b.outcome or not same_evidence(a.evidence, b.evidence):
        return False
    return bool(a.evidence) or a.message == b.message
