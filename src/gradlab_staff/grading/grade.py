"""Grading one submission: a pure function, notebook in, verdict out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gradlab_staff.course import Assignment
from gradlab_staff.errors import GraderError
from gradlab_staff.grading.candidates import candidates_of
from gradlab_staff.grading.checks import run_checks
from gradlab_staff.grading.diagnosis import diagnose
from gradlab_staff.grading.run import GradeOptions, Run, open_run
from gradlab_staff.grading.verdict import ExerciseResult, Misconception, Outcome, Verdict
from gradlab_staff.intake.matching import Matched, match
from gradlab_staff.intake.notebook import open_notebook
from gradlab_staff.sandbox.budget import Budget

__all__ = ["grade", "grade_notebook"]


def grade(
    assignment: Assignment, notebook: Path | None, student: str, *, options: GradeOptions | None = None
) -> Verdict:
    """Return the verdict on a student's notebook file (None: there is none).

    Raises
    ------
    GraderError
        Where a hidden grader broke: the kit's fault, so there is no verdict.
    SandboxError
        Where no sandbox can be built here.
    """
    matched = match(assignment, open_notebook(notebook)) if notebook else Matched()
    return grade_notebook(assignment, matched, student, options, name=notebook.name if notebook else "")


def grade_notebook(assignment: Assignment, notebook: Matched, student: str, options: GradeOptions | None = None, *,
                   name: str = "", budget: Budget | None = None) -> Verdict:  # fmt: skip
    """Return the verdict on a notebook whose cells have been matched; `name` is that of its file.

    All that it costs is counted to one `budget`: where that is used up, the checks that are left time out.

    Raises
    ------
    GraderError, SandboxError
        As `grade` does.
    """
    with open_run(assignment, notebook, options, budget) as run, run.budget.running():
        run_checks(run, student)
        run.close()  # before the diagnosis: whatever still runs there must not slow it down
        causes, unnamed = _causes(run)
    return Verdict(
        assignment=assignment.name,
        student=student,
        notebook=name,
        seed=run.seed,
        exercises=tuple(_exercises(run, causes)),
        warnings=(*run.warnings, *run.session.warnings, *unnamed),
        sandbox=run.session.protections,
        cpu_s=round(run.budget.cpu_s - run.budget.left_cpu_s, 3),
    )


def _causes(run: Run) -> tuple[dict[str, Misconception], tuple[str, ...]]:
    """Return the likely cause of each failed exercise; a warning where they could not be looked for."""
    try:
        causes = diagnose(run.results, candidates_of(run.assignment, run.seed, run.options, run.budget))
        if not run.budget.used_up:
            return causes, ()
        # a candidate that had no time is unlike the submission, and the next one may be like it
        failed = any(check.outcome is Outcome.FAILED for checks in run.results.values() for check in checks)
        what = f"likely causes were not looked for: the submission used up its {run.budget.what}."
        return {}, (what,) if failed else ()
    except GraderError:  # a misconception broke a grader: no reason to lose the verdict
        return {}, ("likely causes were not looked for: one of the course's misconceptions breaks a grader.",)


def _exercises(run: Run, causes: dict[str, Misconception]) -> Iterator[ExerciseResult]:
    for exercise in run.assignment.exercises:
        yield ExerciseResult(
            id=exercise.id,
            points=exercise.points,
            checks=tuple(run.results.get(exercise.name, ())),
            misconception=causes.get(exercise.name),
            stood_in=run.stood_in.get(exercise.name, ()),
        )
