"""What one submission costs: the numerics alone in a warm process, and gradlab's total CPU time.

The numerics are the same graders on the instructor's functions, called directly, with no sandbox in between: the least
that any autograder with these checks has to compute. The total is a fresh process that grades one notebook, children
included.
"""

from __future__ import annotations

import argparse
import inspect
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import gradlab_staff.grading
from gradlab_staff.course import Assignment, Course
from gradlab_staff.course.reference import reference_namespace
from gradlab_staff.grading import judge
from gradlab_staff.grading.checks import run_checks
from gradlab_staff.grading.grade import grade
from gradlab_staff.grading.run import GradeOptions, Run
from gradlab_staff.grading.submission import open_submission
from gradlab_staff.grading.verdict import Outcome
from gradlab_staff.sandbox.failures import SubmissionError


class Direct:
    """The instructor's functions in place of a submission."""

    printed = 0

    def __init__(self, assignment: Assignment) -> None:
        self._names = reference_namespace(assignment)
        self.calls: list[Any] = []
        self.judged: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        thing = getattr(self._names, name)
        return as_submission(thing) if inspect.isfunction(thing) else thing

    def keep(self, value: Any) -> Any:
        return value

    def borrow(self, name: str, *args: Any) -> Any:
        return getattr(self._names, name)(*args)

    @contextmanager
    def standing_in(self, names: Mapping[str, Any]) -> Any:
        own = {name: getattr(self._names, name) for name in names}
        vars(self._names).update(names)
        try:
            yield
        finally:
            vars(self._names).update(own)

    def stand_in(self, trusted: Any, state: Any = (), methods: Any = ()) -> Any:
        return trusted


def as_submission(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose exceptions are a submission's."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            raise SubmissionError(type(error).__name__, str(error), ()) from error

    return call


class DirectRun(Run):
    """A run without a host."""

    @contextmanager
    def check(self, name: str, names: tuple[str, ...], limit_s: float) -> Any:
        direct = Direct(self.assignment)
        with direct.standing_in({name: getattr(self.reference, name) for name in names}):
            yield direct


def numerics_s(assignment: Assignment) -> float:
    """CPU time of the checks alone, in a process of their own, after a warm-up."""
    done = subprocess.run(
        [sys.executable, __file__, "--numerics", assignment.name], check=True, stdout=subprocess.PIPE, text=True
    )
    return float(done.stdout)


def numerics_here_s(assignment: Assignment) -> float:
    """The same, for this process, which is good for nothing else afterwards.

    The instructor's functions are taken for the student's own here: a check refuses what stands in for them elsewhere.
    """
    judge.is_reference = lambda thing: not (inspect.isroutine(thing) or inspect.isclass(thing))
    gradlab_staff.grading.instance = lambda value, what: value
    for _ in range(2):
        run = DirectRun(assignment, open_submission(()), GradeOptions(), seed=1)
        started = time.process_time()
        run_checks(run, "direct")
        whole = time.process_time() - started
        checks = [check for found in run.results.values() for check in found]
        if wrong := [f"{check.name}: {check.message}" for check in checks if check.outcome is not Outcome.PASSED]:
            sys.exit(f"{assignment.name}: expected every check to pass, or nothing is measured, got {wrong[0]}")
        inside = sum(check.duration_s for check in checks)
    return min(inside, whole)


def total_s(assignment: Assignment) -> float:
    """CPU time of a fresh process that grades the instructor notebook, with all its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, __file__, "--grade-once", assignment.name], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def warm_s(assignment: Assignment, times: int = 3) -> float:
    """CPU time of one more submission in a process that has graded one, with its host."""
    grade(assignment, assignment.notebook, "warm-up")
    spent = [time.process_time() + sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])]
    for _ in range(times):
        verdict = grade(assignment, assignment.notebook, "instructor")
        assert verdict.score == verdict.max_score
        spent.append(time.process_time() + sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]))
    return (spent[-1] - spent[0]) / times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("assignments", nargs="*")
    parser.add_argument("--grade-once", metavar="NAME")
    parser.add_argument("--numerics", metavar="NAME")
    options = parser.parse_args()
    course = Course.find(Path(__file__))
    if options.grade_once:
        assignment = course.assignment(options.grade_once)
        grade(assignment, assignment.notebook, "instructor")
        return
    if options.numerics:
        print(numerics_here_s(course.assignment(options.numerics)))
        return
    for name in options.assignments or course.assignments:
        assignment = course.assignment(name)
        numerics, total, warm = numerics_s(assignment), total_s(assignment), warm_s(assignment)
        print(f"{name}: numerics alone {numerics:.2f} s CPU")
        print(f"{name}: gradlab, fresh process {total:.2f} s CPU ({total / numerics:.1f} × the numerics)")
        print(f"{name}: gradlab, one more in a warm worker {warm:.2f} s CPU ({warm / numerics:.1f} × the numerics)")


if __name__ == "__main__":
    main()
