"""What one submission costs: the numerics alone in a warm process, and gradlab's total CPU time.

The numerics are the same graders on the instructor's functions, called directly, with no sandbox in between: the least
that any autograder with these checks has to compute. The total is a fresh process that grades one notebook, children
included.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gradlab.course import Assignment, Course
from gradlab.grading.checks import run_checks
from gradlab.grading.grade import grade
from gradlab.grading.run import Run
from gradlab.reference import reference_namespace
from gradlab.sandbox.session import Session


class Direct:
    """The instructor's functions in place of a submission."""

    printed = 0

    def __init__(self, assignment: Assignment) -> None:
        self._names = reference_namespace(assignment)
        self.calls: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._names, name)

    def borrow(self, name: str, *args: Any) -> Any:
        return getattr(self._names, name)(*args)

    @contextmanager
    def standing_in(self, names: Any) -> Any:
        yield

    def stand_in(self, trusted: Any, state: Any = (), methods: Any = ()) -> Any:
        return trusted


class DirectRun(Run):
    """A run without a host."""

    @contextmanager
    def check(self, name: str, names: tuple[str, ...], limit_s: float) -> Any:
        yield Direct(self.assignment)


def numerics_s(assignment: Assignment) -> float:
    """CPU time of the checks alone, in this process, after a warm-up."""
    for _ in range(2):
        run = DirectRun(assignment, Session(()), seed=1)
        started = time.process_time()
        run_checks(run, "direct")
        whole = time.process_time() - started
        inside = sum(check.duration_s for checks in run.results.values() for check in checks)
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
        grade(assignment, assignment.notebook, "instructor")
        spent.append(time.process_time() + sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]))
    return (spent[-1] - spent[0]) / times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("assignments", nargs="*")
    parser.add_argument("--grade-once", metavar="NAME")
    options = parser.parse_args()
    course = Course.find(Path(__file__))
    if options.grade_once:
        assignment = course.assignment(options.grade_once)
        grade(assignment, assignment.notebook, "instructor")
        return
    for name in options.assignments or course.assignments:
        assignment = course.assignment(name)
        numerics, total, warm = numerics_s(assignment), total_s(assignment), warm_s(assignment)
        print(f"{name}: numerics alone {numerics:.2f} s CPU")
        print(f"{name}: gradlab, fresh process {total:.2f} s CPU ({total / numerics:.1f} × the numerics)")
        print(f"{name}: gradlab, one more in a warm worker {warm:.2f} s CPU ({warm / numerics:.1f} × the numerics)")


if __name__ == "__main__":
    main()
