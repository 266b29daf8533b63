"""Many submissions at once: worker processes, kept verdicts, and no submission lost to another's trouble."""

from __future__ import annotations

import hashlib
import os
import secrets
import shlex
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from gradlab_staff.course import Assignment, Course
from gradlab_staff.errors import CourseError, DataError, GradlabError, SandboxError
from gradlab_staff.grading.fingerprint import fingerprint_of_course
from gradlab_staff.grading.grade import grade_notebook
from gradlab_staff.grading.kept import Kept
from gradlab_staff.grading.run import GradeOptions, new_seed
from gradlab_staff.grading.verdict import Verdict
from gradlab_staff.intake.ids import fault_of_id
from gradlab_staff.intake.inbox import open_inbox
from gradlab_staff.intake.matching import Matched, match
from gradlab_staff.intake.notebook import open_notebook
from gradlab_staff.intake.received import Received, receive, supporting_files
from gradlab_staff.intake.submitted import Misplaced, without_work
from gradlab_staff.pool import Pool, Worker, WorkerDiedError, WorkerError, WorkerTimedOutError
from gradlab_staff.sandbox.budget import Budget
from gradlab_staff.sandbox.limits import Limits
from gradlab_staff.sandbox.settings import limits_of
from gradlab_staff.text import one_line

__all__ = ["Graded", "grade_all", "grade_received", "match_received"]

SPARE_S = 60.0
"""A worker that has used up its submission's wall time has so long to come to a verdict, before it is ended."""
_NO_SCORE = "No score was written. Look at the notebook."
_MACHINES = (OSError, SandboxError, CourseError, DataError)
"""Errors of the machine or the course: told at once, and gone as soon as somebody has put that right."""
_REMEDY = "Fix its permissions or free some space, and run it again."


@dataclass(frozen=True)
class Graded:
    """One submission, graded: a verdict, what it was made of, and its private copy; or why there is none.

    That is an error of the kit's, or there was nothing to grade (`misplaced`).
    """

    student: str
    verdict: Verdict | None = None
    error: str = ""
    misplaced: Misplaced | None = None
    cached: bool = False
    notebook: Matched = field(default_factory=Matched)
    received: Received | None = None


def grade_all(
    assignment: Assignment,
    submissions: Mapping[str, Path],
    options: GradeOptions,
    *,
    workers: int | None = None,
    force: bool = False,
    on_start: Callable[[str], None] = lambda student: None,
) -> Iterator[Graded]:
    """Yield the graded submissions, as they come. `submissions` maps each student to the folder of the submission.

    A verdict is reused where neither the submission nor anything that it was judged by has changed, unless `force`.
    All others are judged on the same inputs, new in each run: a worker finds out once what a misconception gives.
    The private copy of a submission is deleted when the next result is asked for.

    Raises
    ------
    GradlabError
        Where private copies cannot be written, or ``gradlab.toml`` sets what is no limit.
    """
    plan = _Plan.of(assignment, options, force=force)
    with open_inbox(assignment.course) as inbox:

        def one(worker: Worker, item: tuple[str, Path]) -> Graded:
            student, folder = item
            on_start(student)
            if fault := fault_of_id(student):
                return Graded(student, error=f"{one_line(ascii(student))}: expected the id of a student: {fault}.")
            return _called(worker, plan.job(student, (folder, inbox.place())))

        with Pool(min(workers or os.cpu_count() or 1, max(len(submissions), 1))) as pool:
            for graded in pool.map(one, submissions.items()):
                yield graded
                if graded.received is not None:
                    graded.received.discard()


def grade_received(assignment: Assignment, student: str, received: Received, options: GradeOptions) -> Graded:
    """Return one submission, graded as `grade_all` does, whose private copy has been made already."""
    job = _Plan.of(assignment, options).job(student, received)
    with Pool(1) as pool:
        (graded,) = pool.map(_called, [job])
    return graded


def _called(worker: Worker, job: _Job) -> Graded:
    """Have a worker grade; one that dies is tried once more, with what the first has left of wall time.

    Else a submission that takes its workers down at the last moment would hold up the class twice as long as it may.
    """
    begun_s = time.monotonic()
    for tries_left in (1, 0):
        limit_s = job.limits.wall_s + SPARE_S - (time.monotonic() - begun_s)
        try:
            return worker.call(grade_folder, job, limit_s=limit_s, tries=1)
        except WorkerDiedError as error:
            if not tries_left:
                return job.kept_failure(f"{error}, twice. {_NO_SCORE}")
            job = replace(job, died_s=time.monotonic() - begun_s)
        except WorkerTimedOutError as error:
            return job.kept_failure(f"{error}. {_NO_SCORE}")
        except WorkerError as error:  # the machine's trouble, or the run is over
            if not tries_left:
                return job.failed(f"{error}. {_NO_SCORE} Run it again.")
        except Exception as error:  # noqa: BLE001 (what one handed in must not end the class's grading)
            return job.failed(
                f"expected a result, got {type(error).__name__}: {error}. No score was written. Run it again."
            )
    raise AssertionError("the second try returns")


@dataclass(frozen=True)
class _Plan:
    """What the jobs of a run have in common: plain data."""

    root: Path
    name: str
    judged_by: str
    options: GradeOptions
    limits: Limits
    force: bool

    @classmethod
    def of(cls, assignment: Assignment, options: GradeOptions, *, force: bool = False) -> _Plan:
        judged_by = fingerprint_of_course(assignment, repr(options))
        seed = new_seed() if options.seed is None else options.seed
        limits = options.limits or limits_of(assignment)
        return cls(assignment.course.root, assignment.name, judged_by, replace(options, seed=seed), limits, force)

    def job(self, student: str, source: Received | tuple[Path, Path]) -> _Job:
        return _Job(**vars(self), student=student, source=source)


@dataclass(frozen=True)
class _Job(_Plan):
    """What a worker has to know to grade one submission: plain data."""

    student: str
    source: Received | tuple[Path, Path]
    """The private copy; or the folder that was handed in, and where to copy it."""
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    died_s: float = 0.0
    """How long a worker that died had it in hand; 0 at the first try."""

    @property
    def budget(self) -> Budget:
        """Return what this try may cost. What a dead worker used of CPU time nobody knows, and wall time bounds it."""
        budget = Budget.of(self.limits)
        budget.spend(wall_s=self.died_s)
        return budget

    def receive(self, assignment: Assignment) -> Received:
        """Return the private copy, made now if it has not been yet."""
        if isinstance(self.source, Received):
            return self.source
        handed_in, place = self.source
        shutil.rmtree(place, ignore_errors=True)  # a worker before this one may have died over it
        return receive(assignment, handed_in, place)

    def without_work(self, assignment: Assignment, received: Received) -> Graded:
        """Return that there was nothing to grade: no score is due before a person has looked."""
        folder = assignment.course.root / "submitted" / self.student / assignment.name
        handed_in = folder if isinstance(self.source, Received) else self.source[0]
        misplaced = without_work(assignment, self.student, handed_in, received.warnings)
        return Graded(self.student, error=str(misplaced), misplaced=misplaced, received=received)

    def failed(self, why: str) -> Graded:
        """Return an error of the kit's on this submission."""
        return Graded(self.student, error=f"{self.name} submission={self.student}: {why}")

    def kept_failure(self, why: str) -> Graded:
        """Return the same, and keep it for the next run."""
        failed = self.failed(why)
        Kept(Course(self.root).assignment(self.name), self.student).fail(self.id, failed.error)
        return replace(failed, error=f"{failed.error} {self.again}")

    def failed_before(self, error: str) -> str:
        """Return what to say of a failure that was kept."""
        return f"{error} Did not try it again: nothing has changed since that run. {self.again}"

    @property
    def again(self) -> str:
        """Return how to have it tried again."""
        return f"To try it again: gradlab grade {self.name} --student {shlex.quote(self.student)} --force"


def grade_folder(job: _Job) -> Graded:
    """Grade what was handed in, in a worker: receive it, reuse the kept verdict on it or find out a new one, keep that.

    What is wrong with the kit comes back as the error, never as a score.
    """
    try:
        return _grade(Course(job.root).assignment(job.name), job)
    except GradlabError as error:
        return Graded(job.student, error=str(error))
    except OSError as error:
        return job.failed(f"expected to copy it, got: {error}. No score was written. {_REMEDY}")
    except Exception as error:  # noqa: BLE001 (an error of ours must neither cost a point nor stop the class)
        return job.failed(_fault(error))


def _fault(error: Exception) -> str:
    return f"{type(error).__name__}: {error} (a fault of gradlab; please report it). No score was written."


def _grade(assignment: Assignment, job: _Job) -> Graded:
    received = job.receive(assignment)
    if not received.has_work:
        return job.without_work(assignment, received)
    digest = hashlib.sha256(f"{job.judged_by} {received.digest}".encode()).hexdigest()
    kept = Kept(assignment, job.student)
    if not job.force and (verdict := kept.verdict(digest)):
        return Graded(
            job.student, verdict, cached=True, notebook=match_received(assignment, received), received=received
        )
    if not job.force and (error := kept.failure(digest)):
        return Graded(job.student, error=job.failed_before(error), cached=True, received=received)
    kept.begin(digest, job.id)
    try:
        return _graded_now(assignment, received, digest, job)
    except _MACHINES:
        raise
    except Exception as error:
        if not getattr(error, "transient", False):
            kept.fail(job.id, str(error) if isinstance(error, GradlabError) else job.failed(_fault(error)).error)
        raise


def _graded_now(assignment: Assignment, received: Received, digest: str, job: _Job) -> Graded:
    """Return the verdict that is found out now, and keep it.

    Where a worker died over the submission, and its time ran out in the second try, there is none: who has the machine
    run out of memory may be another, and checks that had no time would cost this one its points.
    """
    notebook, budget = match_received(assignment, received), job.budget
    options = replace(job.options, limits=job.limits)
    found = grade_notebook(assignment, notebook, job.student, options, name=received.name, budget=budget)
    if job.died_s and budget.used_up:
        return job.kept_failure(
            f"expected a verdict, but a worker process died after {job.died_s:.0f} s, and the second try used up what "
            f"was left of the submission's {budget.what}. {_NO_SCORE}"
        )
    verdict = replace(found, digest=digest)
    Kept(assignment, job.student).put(verdict)
    return Graded(job.student, verdict, notebook=notebook, received=received)


def match_received(assignment: Assignment, received: Received) -> Matched:
    """Open the notebook of a private copy that has one, and match its cells."""
    assert received.notebook is not None, "there is nothing to grade"
    matched = match(assignment, open_notebook(received.notebook))
    beside = {**supporting_files(assignment), **received.beside}
    return replace(matched, warnings=(*received.warnings, *matched.warnings), beside=beside)
