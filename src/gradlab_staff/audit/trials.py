"""Trials: a solution other than the instructor's, put under the hidden graders, in worker processes."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gradlab_staff.course import Assignment, Course
from gradlab_staff.errors import GradlabError
from gradlab_staff.grading.checks import run_checks
from gradlab_staff.grading.diagnosis import with_solutions
from gradlab_staff.grading.run import CHECK_S, Run
from gradlab_staff.grading.verdict import CheckResult, Outcome
from gradlab_staff.grading.worker import be_a_worker
from gradlab_staff.sandbox.session import Session

__all__ = ["Crew", "Found", "Trial", "Tried", "crew", "lost", "try_out"]

Found = dict[str, list[CheckResult]]
"""By exercise, what its checks found."""

WRONG_CHECK_S = 5.0
"""How long a check of a wrong solution may take: longer than a right one's by far, and short enough to wait for."""


@dataclass(frozen=True)
class Trial:
    """Solution cells to judge: by which exercises' graders, on which seeds, and how long to go on.

    `stop` ends a trial at the first failed check (``first``), at the first time-out (``late``), or not (``never``).
    """

    name: str
    sources: Mapping[str, str]
    exercises: tuple[str, ...]
    seeds: tuple[int, ...]
    stop: str = "never"
    fallback: bool = True


@dataclass(frozen=True)
class Tried:
    """What a trial found on each seed; or the kit's own error."""

    trial: Trial
    results: tuple[Found, ...] = ()
    error: str = ""


@dataclass
class _Run(Run):
    """A run that waits for no check longer than it was told, whatever the check asks for itself."""

    def limit_s(self, exercise: str, asked_s: float | None) -> float:
        limit_s = super().limit_s(exercise, asked_s)
        return limit_s if self.check_s >= CHECK_S else min(limit_s, 4 * self.check_s)


@dataclass
class _Going:
    """Whether to go on after a check; an object, so that each trial has its own."""

    stop: str

    def __call__(self, exercise: str, result: CheckResult) -> bool:
        if self.stop == "first":
            return result.outcome is Outcome.PASSED
        return self.stop != "late" or result.outcome is not Outcome.TIMED_OUT


def lost(results: Iterable[CheckResult]) -> bool:
    """Whether these checks of an exercise cost points."""
    return any(result.outcome is not Outcome.PASSED for result in results)


def try_out(root: Path, name: str, trial: Trial) -> Tried:
    """Grade the trial on each of its seeds, in one host; in a worker process."""
    assignment = Course(root).assignment(name)
    try:
        session = Session(with_solutions(assignment, dict(trial.sources)))
        if trial.stop != "never":
            session.cell_s = 4 * WRONG_CHECK_S
        try:
            return Tried(trial, tuple(_results(assignment, session, trial, seed) for seed in trial.seeds))
        finally:
            session.stop()
    except GradlabError as error:
        return Tried(trial, error=str(error))


def _results(assignment: Assignment, session: Session, trial: Trial, seed: int) -> Found:
    """What each exercise's checks found; exercise by exercise, so that one that ends early leaves the others be."""
    found: Found = {}
    for exercise in trial.exercises:
        wrong = trial.stop != "never" and exercise in trial.sources
        run = _Run(assignment, session, seed, check_s=WRONG_CHECK_S if wrong else CHECK_S)
        run.fallback, run.go_on = trial.fallback, _Going(trial.stop)
        run_checks(run, trial.name, [f"test_{exercise}.py"])
        found |= run.results
    return found


# -- workers ---


class Crew:
    """Worker processes that try out many trials."""

    def __init__(self, assignment: Assignment, pool: ProcessPoolExecutor) -> None:
        self.assignment, self.pool = assignment, pool

    def try_all(self, trials: Iterable[Trial]) -> Iterator[Tried]:
        """The trials' results, as they come; of one whose process ended, the error."""
        where = self.assignment.course.root, self.assignment.name
        futures = {self.pool.submit(try_out, *where, trial): trial for trial in trials}
        try:
            for future in as_completed(futures):
                try:
                    yield future.result()
                except BrokenProcessPool:
                    yield Tried(futures[future], error="expected a result, but a worker process died")
        finally:
            for future in futures:
                future.cancel()


@contextmanager
def crew(assignment: Assignment, workers: int) -> Iterator[Crew]:
    """A crew of fresh interpreters, ended afterwards."""
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), be_a_worker) as pool:
        yield Crew(assignment, pool)
