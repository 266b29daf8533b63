"""A run of hidden graders on one submission: what the pytest plug-in fills, and what a verdict is made of."""

from __future__ import annotations

import hashlib
import re
import secrets
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from gradlab_staff.course import Assignment
from gradlab_staff.course.packages import packages_of
from gradlab_staff.course.reference import is_reference, reference_namespace
from gradlab_staff.course.template import Template
from gradlab_staff.grading.marks import StoodIn
from gradlab_staff.grading.submission import Submission, open_submission
from gradlab_staff.grading.verdict import CheckResult, ExerciseResult, Outcome
from gradlab_staff.intake.matching import Matched
from gradlab_staff.intake.plan import plan
from gradlab_staff.intake.received import supporting_files
from gradlab_staff.sandbox.budget import Budget
from gradlab_staff.sandbox.failures import HostDiedError, HostTimedOutError, SubmissionError
from gradlab_staff.sandbox.limits import Limits
from gradlab_staff.sandbox.session import Session
from gradlab_staff.sandbox.settings import limits_of
from gradlab_staff.sandbox.setup import Setup

__all__ = ["UNSAFE", "Failure", "GradeOptions", "Run", "new_seed", "open_run"]

AFTER_TIME_OUT_S = 3.0
"""CPU time of a further check of an exercise that has timed out before."""
SEED_BITS = 53
TIME_OUTS = 3
"""After so many time-outs the other checks of an exercise are not run."""

UNSAFE = "graded with --unsafe-no-sandbox: nothing protected the machine, and this verdict can be forged."

_NOT_CALLABLE = re.compile(r"'([\w.]+)' object is not callable")  # a check calls what should be a function


@dataclass(frozen=True)
class Failure:
    """How a check ended that did not pass, and the reason as the student reads it."""

    outcome: Outcome
    message: str

    @classmethod
    def of(cls, error: BaseException) -> Failure | None:
        """Return the failure that an exception stands for; None where the exception is the kit's own."""
        if isinstance(error, SubmissionError):
            if error.stub:
                return cls(Outcome.NOT_ATTEMPTED, f"Not attempted: {error.message}")
            return cls(Outcome.FAILED, f"Your code raised {error}")
        if isinstance(error, HostDiedError):
            hint = "Does your code call exit, end processes, or need very much memory?"
            return cls(Outcome.CRASHED, f"The process that ran your code ended: {error}. {hint}")
        if isinstance(error, HostTimedOutError):
            return cls(Outcome.TIMED_OUT, str(error))
        if isinstance(error, AssertionError):
            return cls(Outcome.FAILED, str(error) or "The answer is not what was asked for.")
        if isinstance(error, TypeError) and (kind := _NOT_CALLABLE.fullmatch(str(error))):
            return cls(Outcome.FAILED, f"Expected a function or a class, got a value of type {kind[1]}.")
        if isinstance(error, AttributeError) and is_reference(error.obj):  # a stand-in where another thing should be
            other = type(error.obj).__name__
            return cls(Outcome.FAILED, f"Expected an object with the attribute {error.name}, got one of type {other}.")
        if isinstance(error, MemoryError):  # our own needs are small: what does not fit came from the submission
            return cls(Outcome.CRASHED, "Expected an answer that fits in memory, got more.")
        return None


@dataclass(frozen=True)
class GradeOptions:
    """How to grade: the seed (None: a fresh one), the time limits of checks, what holds the sandbox."""

    seed: int | None = None
    timeout_s: float | None = None
    """CPU time of a check that sets no limit of its own."""
    unsafe_no_sandbox: bool = False
    fallback: bool = True
    """Whether an exercise whose code breaks off beside stand-ins is tried once more, with the student's own names."""
    limits: Limits | None = None
    """Limits in the place of the assignment's own, as the audit has them."""


def new_seed() -> int:
    """Return a seed that nobody can foresee: 53 bits, which JSON keeps exactly."""
    return secrets.randbits(SEED_BITS)


@dataclass
class Run:
    """One submission under the hidden graders of its assignment, on one seed."""

    assignment: Assignment
    submission: Submission
    options: GradeOptions
    seed: int
    warnings: tuple[str, ...] = ()
    in_secret: bool = True
    """Whether the submission must not learn how it fares. Those that we wrote ourselves may: a check ends at its first
    failure then."""
    with_own: bool = False
    """Whether this is a second try, with the student's own names in the place of stand-ins."""
    unchanged: frozenset[str] = frozenset()
    """The exercises whose cells are as released: what fails there was not attempted."""
    go_on: Callable[[str, CheckResult], bool] = lambda exercise, result: True
    """Asked after each check; the run stops where it says no."""
    longest_s: float = float("inf")
    """CPU time of any check, whatever it sets itself."""
    results: dict[str, list[CheckResult]] = field(default_factory=dict)
    stood_in: dict[str, tuple[str, ...]] = field(default_factory=dict)
    kit_errors: list[str] = field(default_factory=list)
    transient: bool = False
    """Whether one of these was the machine's trouble, and may be gone next time."""

    def __post_init__(self) -> None:
        self.submission.judged = self.results

    def again(self, seed: int) -> Run:
        """Return a run of the same submission, in the same host, on another seed."""
        return replace(self, seed=seed, results={}, stood_in={}, kit_errors=[])

    def second_try(self) -> Run:
        """Return a run of the same submission with its own names in the place of stand-ins.

        It has a sandbox of its own, and inputs that nobody can know from the first: what the first left behind in
        memory, files or processes is gone, and no answer from there fits.
        """
        submission = open_submission(self.session.cells, self.session.setup, self.session.budget)
        seed = self._derived("second try", bits=SEED_BITS)
        second = replace(self, submission=submission, seed=seed, with_own=True, results={}, stood_in={}, kit_errors=[])
        submission.judged = self.results
        return second

    def hurry(self, check_s: float, *, longest_s: float) -> None:
        """Give a check no more CPU time than `check_s`, or `longest_s` where it sets more itself."""
        self.options = replace(self.options, timeout_s=check_s)
        self.longest_s = longest_s

    def take_better(self, exercise: str, other: Run) -> bool:
        """Take the results of another run where an exercise fared better in it; return whether it did."""
        self.kit_errors += other.kit_errors
        self.transient = self.transient or other.transient
        self.session.cpu_s += other.session.cpu_s
        better = not other.kit_errors and other.result(exercise).score > self.result(exercise).score
        if better:
            self.results[exercise] = other.results[exercise]
            self.stood_in.pop(exercise, None)
        return better

    def result(self, exercise: str) -> ExerciseResult:
        """Return what the checks of an exercise found, and what they earn."""
        points = next(one.points for one in self.assignment.exercises if one.name == exercise)
        checks, stood_in = self.results.get(exercise, ()), self.stood_in.get(exercise, ())
        return ExerciseResult(f"{self.assignment.name}/{exercise}", points, tuple(checks), stood_in=stood_in)

    @property
    def session(self) -> Session:
        """Return the session with the submission's host."""
        return self.submission._session

    @property
    def budget(self) -> Budget:
        """Return what is left of what the submission may cost in all."""
        return self.session.budget

    @property
    def check_s(self) -> float:
        """Return the CPU time of a check that sets no limit of its own, in seconds."""
        return self.options.timeout_s or self.session.setup.limits.check_s

    def close(self) -> None:
        """End the submission's host."""
        self.session.stop()

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @cached_property
    def reference(self) -> Any:
        """Return the instructor notebook's own names, made for this run alone."""
        return reference_namespace(self.assignment)

    def generator(self, check: str) -> np.random.Generator:
        """Return the source of a check's random inputs."""
        return np.random.default_rng([self.seed, zlib.crc32(check.encode())])

    def _derived(self, purpose: str, bits: int = 32) -> int:
        """Return a seed that reveals nothing of the run's own: the submission sees it, and must foresee no inputs."""
        digest = hashlib.blake2b(f"{self.seed} {purpose}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "little") & (1 << bits) - 1

    def limit_s(self, exercise: str, asked_s: float | None) -> float:
        """Return the CPU seconds that the next check of `exercise` may use; `asked_s` is what it sets itself.

        Raises
        ------
        HostTimedOutError
            Where too many checks of the exercise have timed out, or the submission's budget is used up.
        """
        self.session.check_budget()
        late = sum(result.outcome is Outcome.TIMED_OUT for result in self.results.get(exercise, ()))
        if late >= TIME_OUTS:
            raise HostTimedOutError(f"Not run: {TIME_OUTS} checks of this exercise timed out. Does a loop never end?")
        limit_s = AFTER_TIME_OUT_S if late else max(self.check_s, asked_s or 0.0)
        return min(limit_s, self.longest_s)

    @contextmanager
    def check(self, name: str, stood_in: StoodIn, limit_s: float) -> Iterator[Submission]:
        """Make the submission ready for one check: seeded, the stand-ins in place, the clock running."""
        self.session.request("seed", seed=self._derived(f"submission {name}"))
        np.random.seed(self._derived(f"reference {name}"))  # the reference's own draws, where it stands in
        self.submission._stand_ins.begin()
        trusted: dict[str, Any] = {}
        if not self.with_own:
            reference = self.reference if stood_in.names else None
            trusted = {**{name: getattr(reference, name) for name in stood_in.names}, **stood_in.dummies}
        with self.submission.standing_in(trusted, stood_in.calls), self.session.limited(limit_s):
            yield self.submission


def open_run(
    assignment: Assignment, notebook: Matched, options: GradeOptions | None = None, budget: Budget | None = None
) -> Run:
    """Return a run of the hidden graders on a submission's notebook, ready to begin; close it in the end.

    The `budget` is what is left of another run's on the same submission; a fresh one if there is none.
    """
    options = options or GradeOptions()
    planned = plan(assignment, notebook)
    template = Template(assignment)
    setup = Setup(
        packages=packages_of(assignment),
        files={**supporting_files(assignment), **notebook.beside},
        limits=options.limits or limits_of(assignment),
        hidden=(assignment.course.root,),
        shown=frozenset(name for names in template.demos.values() for name in names),
        defined=template.functions,
        unsafe=options.unsafe_no_sandbox,
    )
    submission = open_submission(planned.code, setup, budget)
    warnings = (*((UNSAFE,) if setup.unsafe else ()), *notebook.warnings, *planned.warnings)
    seed = new_seed() if options.seed is None else options.seed
    return Run(assignment, submission, options, seed, warnings, unchanged=planned.unchanged)
