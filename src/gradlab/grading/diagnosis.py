"""Naming the cause: which misconception, on the same inputs, gives what the submission gave."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from gradlab.cells import Code, plan
from gradlab.course import Assignment
from gradlab.errors import CourseError
from gradlab.grading.evidence import same_evidence
from gradlab.grading.marks import Spec, misconceptions_of
from gradlab.grading.verdict import CheckResult, Misconception, Outcome
from gradlab.modules import load_module

__all__ = ["diagnose", "load_misconceptions", "with_solutions"]

Results = Mapping[str, Sequence[CheckResult]]
"""By exercise, what its checks found."""

Rival = Callable[[Spec], Iterable[CheckResult]]
"""What the checks of its exercise find in a misconception, on the inputs that the submission got."""


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


def diagnose(results: Results, specs: Iterable[Spec], rival: Rival) -> dict[str, Misconception]:
    """The cause of each failed exercise: the misconception that comes to the same, by what `rival` says of each.

    It has the same outcome and evidence in each failed check; of several, the one that passes most of what was passed.
    """
    causes = {}
    for exercise, checks in results.items():
        wrong = [check for check in checks if check.outcome is not Outcome.PASSED]
        if not wrong or any(check.outcome is not Outcome.FAILED for check in wrong):
            continue
        alike = [(spec, rival(spec)) for spec in specs if spec.exercise == exercise]
        likeness = {spec: score for spec, found in alike if (score := _likeness(checks, found)) is not None}
        if likeness:
            spec = max(likeness, key=likeness.__getitem__)
            causes[exercise] = Misconception(spec.name, spec.explanation, spec.hint)
    return causes


def _likeness(checks: Iterable[CheckResult], rival: Iterable[CheckResult]) -> float | None:
    """The share of the passed checks that the rival passes too; None where it fails otherwise."""
    found = {result.name: result for result in rival}
    right = [check.name for check in checks if check.outcome is Outcome.PASSED]
    wrong = [check for check in checks if check.outcome is not Outcome.PASSED]
    if not all(check.name in found and _same(found[check.name], check) for check in wrong):
        return None
    same = sum(found[name].outcome is Outcome.PASSED for name in right if name in found)
    return same / len(right) if right else 1.0


def _same(a: CheckResult, b: CheckResult) -> bool:
    """Whether two checks ended alike: the same outcome, the same evidence, and where there is none, the same words."""
    if a.outcome is not b.outcome or not same_evidence(a.evidence, b.evidence):
        return False
    return bool(a.evidence) or a.message == b.message
