"""Naming the cause: which misconception, on the same inputs, gives what the submission gave."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from gradlab.cells import Code, plan
from gradlab.course import Assignment
from gradlab.errors import CourseError
from gradlab.grading.evidence import same_evidence
from gradlab.grading.marks import Spec, misconceptions_of
from gradlab.grading.run import Run
from gradlab.grading.verdict import CheckResult, Misconception, Outcome
from gradlab.sandbox.session import Session

__all__ = ["diagnose", "load_misconceptions", "with_solutions"]

RunChecks = Callable[[Run, str, Iterable[str]], None]


def load_misconceptions(assignment: Assignment) -> dict[str, Spec]:
    """The named wrong solutions of an assignment, by name.

    Raises
    ------
    CourseError
        Where one belongs to an exercise that the assignment has not.
    """
    path = assignment.graders / "misconceptions.py"
    specs = misconceptions_of(_module(path)) if path.is_file() else {}
    names = {exercise.name for exercise in assignment.exercises}
    for spec in specs.values():
        if spec.exercise not in names:
            raise CourseError(
                f"{path.name}: {spec.name}: expected an exercise of {assignment.name}, got {spec.exercise!r}. "
                f"Known: {', '.join(sorted(names))}."
            )
    return specs


@functools.cache
def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"misconceptions_{path.parent.name}", path)
    if spec is None or spec.loader is None:
        raise CourseError(f"{path}: expected a Python module, got something else.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def with_solutions(assignment: Assignment, sources: dict[str, str]) -> tuple[Code, ...]:
    """The code of the instructor notebook, with other solution cells for the exercises in `sources`."""
    cells = [
        replace(cell, source=sources.get(cell.id.removesuffix("_solution"), cell.source)) if cell.is_solution else cell
        for cell in assignment.cells
    ]
    return plan(assignment, cells).code


def diagnose(run: Run, run_checks: RunChecks) -> dict[str, Misconception]:
    """The cause of each failed exercise, where a misconception's own run looks the same."""
    specs = load_misconceptions(run.assignment)
    causes = {}
    for exercise, results in run.results.items():
        wrong = {result.name: result for result in results if result.outcome is not Outcome.PASSED}
        answered = all(result.outcome is Outcome.FAILED for result in wrong.values())
        rivals = [spec for spec in specs.values() if spec.exercise == exercise]
        if wrong and answered and rivals:
            spec = _match(run, run_checks, rivals, results)
            if spec:
                causes[exercise] = Misconception(spec.name, spec.explanation, spec.hint)
    return causes


def _match(run: Run, run_checks: RunChecks, rivals: list[Spec], results: list[CheckResult]) -> Spec | None:
    """The rival with the same outcome and evidence in each failed check; of several, the nearest in the others."""
    alike = [(spec, score) for spec in rivals if (score := _likeness(run, run_checks, spec, results)) is not None]
    return max(alike, key=lambda pair: pair[1])[0] if alike else None


def _likeness(run: Run, run_checks: RunChecks, spec: Spec, results: list[CheckResult]) -> float | None:
    """The share of the passed checks that the misconception passes too; None where it fails otherwise."""
    seen = {result.name: result for result in results}
    wrong = [name for name, result in seen.items() if result.outcome is not Outcome.PASSED]
    right = [name for name in seen if name not in wrong]
    session = Session(with_solutions(run.assignment, {spec.exercise: spec.source}), unsafe=run.session.unsafe)
    rival = Run(run.assignment, session, run.seed, check_s=run.check_s, fallback=False)
    rival.go_on = lambda exercise, result: result.name in right or _same(result, seen[result.name])
    file = f"test_{spec.exercise}.py"
    try:
        run_checks(rival, spec.name, [f"{file}::{name}" for name in wrong + right])
    finally:
        session.stop()
    found = {result.name: result for result in rival.results.get(spec.exercise, ())}
    if not all(name in found and _same(found[name], seen[name]) for name in wrong):
        return None
    same = sum(found[name].outcome is Outcome.PASSED for name in right if name in found)
    return same / len(right) if right else 1.0


def _same(a: CheckResult, b: CheckResult) -> bool:
    """Whether two checks ended alike: the same outcome, the same evidence, and where there is none, the same words."""
    if a.outcome is not b.outcome or not same_evidence(a.evidence, b.evidence):
        return False
    return bool(a.evidence) or a.message == b.message
