"""Grading one submission: a pure function, notebook in, verdict out."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import pytest
from threadpoolctl import threadpool_limits

from gradlab.cells import plan, read_submission
from gradlab.course import Assignment
from gradlab.errors import GraderError
from gradlab.grading.diagnosis import diagnose, load_misconceptions, with_solutions
from gradlab.grading.marks import Spec
from gradlab.grading.plugin import RUN
from gradlab.grading.run import CHECK_S, Run
from gradlab.grading.verdict import CheckResult, ExerciseResult, Misconception, Verdict
from gradlab.sandbox.session import Session

__all__ = ["GradeOptions", "grade", "new_seed", "run_checks"]


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


@dataclass
class _Carrier:
    """How a run gets into pytest: as a plug-in by the name of `RUN`."""

    run: Run


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
        rival = partial(_rival, assignment, seed, run.check_s, session.unsafe)
        causes = diagnose(run.results, load_misconceptions(assignment).values(), rival)
    finally:
        session.stop()
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
        ),
        sandbox=session.in_force,
        cpu_s=round(session.cpu_s, 3),
    )


@lru_cache(maxsize=256)
def _rival(assignment: Assignment, seed: int, check_s: float, unsafe: bool, spec: Spec) -> tuple[CheckResult, ...]:
    """What a misconception's own checks find in it; run once for all submissions that are graded on one seed."""
    session = Session(with_solutions(assignment, {spec.exercise: spec.source}), unsafe=unsafe)
    run = Run(assignment, session, seed, check_s=check_s, fallback=False)
    try:
        run_checks(run, spec.name, [f"test_{spec.exercise}.py"])
    finally:
        session.stop()
    return tuple(run.results.get(spec.exercise, ()))


def _exercises(run: Run, causes: dict[str, Misconception]) -> Iterable[ExerciseResult]:
    for exercise in run.assignment.exercises:
        yield ExerciseResult(
            id=exercise.id,
            points=exercise.points,
            checks=tuple(run.results.get(exercise.name, ())),
            misconception=causes.get(exercise.name),
            stood_in=run.stood_in.get(exercise.name, ()),
        )


def run_checks(run: Run, student: str = "", checks: Iterable[str] | None = None) -> None:
    """Fill `run` with the results of the hidden graders, or of `checks` (``test_solver.py::test_x``) alone.

    Raises
    ------
    GraderError
        Where a grader broke, or none ran.
    """
    folder = run.assignment.graders
    targets = [f"{folder}/{check}" for check in checks] if checks is not None else [str(folder)]
    said = io.StringIO()
    # One thread: the arrays of graders are small, and workers already use every core.
    with (
        _no_settings_of_the_shell(),
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(said),
        threadpool_limits(1),
    ):
        code = pytest.main(
            [
                *targets,
                *("--disable-plugin-autoload", "-p", "gradlab.grading.plugin"),
                *("-p", "no:cacheprovider", "-p", "no:faulthandler", "-p", "no:unraisableexception"),
                *("-q", "--no-header", "--no-summary", "--tb=short", "--capture=no", "--import-mode=importlib"),
                *("--rootdir", str(run.assignment.course.root), "-c", os.devnull, "-W", "ignore"),
            ],
            plugins=[_Named(_Carrier(run))],
        )
    ended = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED)
    missing = [] if checks is not None else [e.id for e in run.assignment.exercises if e.name not in run.results]
    if run.kit_errors or code not in ended or missing:
        what = run.kit_errors[0] if run.kit_errors else f"no result for {', '.join(missing)}. {said.getvalue()[-2000:]}"
        raise GraderError(
            f"{run.assignment.name} submission={student}: expected the hidden graders to come to a result, got {what}. "
            f"No score was written. See it: pytest {folder} --submission PATH --grading-seed {run.seed} --pdb"
        )


@contextlib.contextmanager
def _no_settings_of_the_shell() -> Iterator[None]:
    """Grade alike in every shell: an ``-x`` in PYTEST_ADDOPTS would end the graders at the first check that fails."""
    settings = {name: os.environ.pop(name) for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS") if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(settings)


class _Named:
    """Registers a carrier under the name by which the plug-in looks for it."""

    def __init__(self, carrier: _Carrier) -> None:
        self.carrier = carrier

    def pytest_configure(self, config: pytest.Config) -> None:
        config.pluginmanager.register(self.carrier, RUN)
