"""Grading one submission: a pure function, notebook in, verdict out."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gradlab_staff.course import Assignment
from gradlab_staff.errors import GraderError
from gradlab_staff.grading.checks import run_checks
from gradlab_staff.grading.diagnosis import diagnose
from gradlab_staff.grading.rivals import rivals_of
from gradlab_staff.grading.run import CHECK_S, Run
from gradlab_staff.grading.verdict import ExerciseResult, Misconception, Verdict
from gradlab_staff.intake.cells import plan, read_submission
from gradlab_staff.sandbox.session import Session

__all__ = ["GradeOptions", "grade", "new_seed"]


UNSAFE = "graded with --unsafe-no-sandbox: nothing protected the machine, and this verdict can be forged."


@dataclass(frozen=True)
class GradeOptions:
    """How to grade: the seed (None: a fresh one), the time limit of a check, whether a sandbox is a must."""

    seed: int | None = None
    timeout_s: float | None = None
    unsafe_no_sandbox: bool = False


def new_seed() -> int:
    """A seed that nobody can foresee."""
    return secrets.randbits(53)


def grade(
    assignment: Assignment, notebook: Path | None, student: str, *, options: GradeOptions | None = None
) -> Verdict:
    """The verdict on a student's notebook (None: there is none).

    Raises
    ------
    GraderError
        Where a hidden grader broke: the kit's fault, so there is no verdict.
    SandboxError
        Where no sandbox can be built here.
    """
    options = options or GradeOptions()
    received = read_submission(notebook) if notebook else None
    planned = plan(assignment, (received.cells if received else None) or ())
    session = Session(planned.code, unsafe=options.unsafe_no_sandbox, hidden=(assignment.course.root,))
    seed = new_seed() if options.seed is None else options.seed
    run = Run(assignment, session, seed, check_s=options.timeout_s or CHECK_S, untouched=planned.unchanged)
    try:
        run_checks(run, student)
    finally:
        session.stop()  # before the diagnosis: whatever still runs there must not slow it down
    causes, unnamed = {}, ""
    try:
        causes = diagnose(run.results, rivals_of(assignment, seed, run.check_s, session.unsafe))
    except GraderError:  # a misconception broke a grader: no reason to lose the verdict
        unnamed = "likely causes were not looked for: a misconception of the course's own breaks a grader."
    return Verdict(
        assignment=assignment.name,
        student=student,
        notebook=notebook.name if notebook else "",
        seed=seed,
        exercises=tuple(_exercises(run, causes)),
        remarks=(
            *((UNSAFE,) if session.unsafe else ()),
            *(received.remarks if received else ()),
            *planned.remarks,
            *session.remarks,
            *([unnamed] if unnamed else ()),
        ),
        sandbox=session.in_force,
        cpu_s=round(session.cpu_s, 3),
    )


def _exercises(run: Run, causes: dict[str, Misconception]) -> Iterable[ExerciseResult]:
    for exercise in run.assignment.exercises:
        yield ExerciseResult(
            id=exercise.id,
            points=exercise.points,
            checks=tuple(run.results.get(exercise.name, ())),
            misconception=causes.get(exercise.name),
            stood_in=run.stood_in.get(exercise.name, ()),
        )
