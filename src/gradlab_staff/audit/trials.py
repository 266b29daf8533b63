"""Trials: a solution other than the instructor's, put under the hidden graders, in worker processes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from gradlab_staff.audit.kept import Kept
from gradlab_staff.course import Assignment, Course
from gradlab_staff.errors import GradlabError
from gradlab_staff.grading.checks import run_checks
from gradlab_staff.grading.run import GradeOptions, Run, open_run
from gradlab_staff.grading.verdict import CheckResult, Outcome
from gradlab_staff.intake.matching import with_solutions
from gradlab_staff.pool import Pool, Worker, WorkerError
from gradlab_staff.sandbox.settings import limits_of

__all__ = ["Found", "Trial", "Trials", "Tried", "lost", "try_out"]

Found = dict[str, list[CheckResult]]
"""By exercise, what its checks found."""

WRONG_CHECK_S = 5.0
"""Time limit of a check of a wrong solution: longer than a right one takes by far, and short enough to wait for."""
TRIAL_S = 1800
"""Time limit of a trial as a whole: then its worker is ended."""


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
class _Going:
    """Whether to go on after a check; an object, so that each trial has its own."""

    stop: str

    def __call__(self, exercise: str, result: CheckResult) -> bool:
        if self.stop == "first":
            return result.outcome is Outcome.PASSED
        return self.stop != "late" or result.outcome is not Outcome.TIMED_OUT


def lost(results: Iterable[CheckResult]) -> bool:
    """Return whether these checks of an exercise cost points."""
    return any(result.outcome is not Outcome.PASSED for result in results)


def try_out(root: Path, name: str, trial: Trial, options: GradeOptions | None = None) -> Tried:
    """Grade the trial on each of its seeds, in one host; in a worker process."""
    assignment = Course(root).assignment(name)
    options = options or GradeOptions(fallback=trial.fallback)
    limits = options.limits or limits_of(assignment)
    # one host and its budget are here for many seeds, and not for one submission
    options = replace(options, limits=replace(limits, cpu_s=TRIAL_S, wall_s=TRIAL_S))
    try:
        with open_run(assignment, with_solutions(assignment, dict(trial.sources)), options) as run:
            if trial.stop != "never":
                run.session.cell_s = 4 * WRONG_CHECK_S
            return Tried(trial, tuple(_results(run, trial, seed) for seed in trial.seeds))
    except GradlabError as error:
        return Tried(trial, error=str(error))


def _results(run: Run, trial: Trial, seed: int) -> Found:
    """Return what the graders find, exercise by exercise, so that one that ends early leaves the others be."""
    found: Found = {}
    for exercise in trial.exercises:
        one = run.again(seed)
        if trial.stop != "never" and exercise in trial.sources:
            one.hurry(WRONG_CHECK_S, longest_s=4 * WRONG_CHECK_S)
        one.go_on = _Going(trial.stop)
        run_checks(one, trial.name, [f"test_{exercise}.py"])
        found |= one.results
    return found


# --- in worker processes


@dataclass(frozen=True)
class Trials:
    """Tries out solutions in a pool of worker processes, and keeps what comes of each."""

    assignment: Assignment
    pool: Pool
    kept: Kept

    def try_all(self, trials: Iterable[Trial]) -> Iterator[Tried]:
        """Yield the results of the trials, as they come: first those that an audit before this one has kept."""
        waiting = []
        for trial in trials:
            known = self.kept.get(_key(trial))
            if known is None:
                waiting.append(trial)
            else:
                yield Tried(trial, tuple(map(_found, known)))
        for tried in self.pool.map(self._try, waiting):
            if not tried.error:  # what failed is tried again by the next audit
                self.kept.put(_key(tried.trial), [_plain(found) for found in tried.results])
            yield tried

    def _try(self, worker: Worker, trial: Trial) -> Tried:
        try:
            return worker.call(try_out, self.assignment.course.root, self.assignment.name, trial, limit_s=TRIAL_S)
        except WorkerError as error:
            return Tried(trial, error=str(error))
        except Exception as error:  # noqa: BLE001 (one trial must not end an audit of hours)
            return Tried(trial, error=f"{type(error).__name__}: {error}")


def _key(trial: Trial) -> list[Any]:
    return ["trial", dict(trial.sources), trial.exercises, trial.seeds, trial.stop, trial.fallback]


def _plain(found: Found) -> dict[str, Any]:
    return {exercise: [asdict(result) for result in results] for exercise, results in found.items()}


def _found(data: dict[str, Any]) -> Found:
    return {exercise: [CheckResult.from_dict(result) for result in results] for exercise, results in data.items()}
