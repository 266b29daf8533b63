"""The instructor's own solution under the hidden graders: where they fail, one of the two is wrong."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import suppress

from gradlab_staff.course import Assignment
from gradlab_staff.errors import CourseError, GraderError
from gradlab_staff.grading.checks import run_checks
from gradlab_staff.grading.run import Run, open_run
from gradlab_staff.grading.verdict import Outcome
from gradlab_staff.intake.matching import match
from gradlab_staff.intake.notebook import open_notebook
from gradlab_staff.sandbox.failures import HostTimedOutError
from gradlab_staff.text import one_line

__all__ = ["failures"]

_TOLD = 3  # checks that are named for each exercise


def failures(assignment: Assignment) -> list[str]:
    """Return where the hidden graders fail on the instructor's solution, one line each; empty if nowhere.

    Raises
    ------
    SandboxError
        If no sandbox can be built here: nothing was judged.
    """
    try:
        with open_run(assignment, match(assignment, open_notebook(assignment.notebook))) as run:
            with suppress(HostTimedOutError):  # the checks say so, each in its words
                run.session.start()  # here, so that it is no fault of the first grader if there is no sandbox
            run_checks(run, "instructor")
            return list(_failures(run))
    except CourseError as error:
        return [str(error)]
    except GraderError as error:
        return [str(error).replace("--submission PATH", f"--submission {shlex.quote(str(assignment.notebook))}")]


def _failures(run: Run) -> Iterator[str]:
    wrong = False
    for exercise in run.assignment.exercises:
        found = [check for check in run.results[exercise.name] if check.outcome is not Outcome.PASSED]
        for check in found[:_TOLD]:
            wrong = True
            yield (
                f"{exercise.id}: expected {check.name} to pass on your own solution, got {check.outcome}: "
                f"{one_line(check.message)}"
            )
        if len(found) > _TOLD:
            yield f"{exercise.id}: {len(found) - _TOLD} more of {len(run.results[exercise.name])} checks fail on it."
    if wrong:
        yield from (f"{run.assignment.name}: {one_line(warning)}" for warning in run.warnings)
