"""Many submissions at once: worker processes, kept verdicts, and no submission lost to another's trouble."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from gradlab_staff.course import Assignment, Course
from gradlab_staff.errors import GradlabError
from gradlab_staff.grading.fingerprint import fingerprint_of_course
from gradlab_staff.grading.grade import grade_notebook
from gradlab_staff.grading.run import GradeOptions, new_seed
from gradlab_staff.grading.verdict import Verdict
from gradlab_staff.intake.ids import fault_of_id
from gradlab_staff.intake.inbox import open_inbox
from gradlab_staff.intake.matching import Matched, match
from gradlab_staff.intake.notebook import open_notebook
from gradlab_staff.intake.received import Received, receive, supporting_files
from gradlab_staff.intake.submitted import Misplaced, without_work
from gradlab_staff.pool import Pool, Worker, WorkerError
from gradlab_staff.text import one_line

__all__ = ["Graded", "grade_all", "grade_received", "match_received"]

SUBMISSION_S = 1800
"""How long one submission may take as a whole, before its worker is ended."""
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
        Where private copies cannot be written.
    """
    judged_by = fingerprint_of_course(assignment, repr(options))
    options = replace(options, seed=new_seed() if options.seed is None else options.seed)
    with open_inbox(assignment.course) as inbox:

        def one(worker: Worker, item: tuple[str, Path]) -> Graded:
            student, folder = item
            on_start(student)
            if fault := fault_of_id(student):
                return Graded(student, error=f"{one_line(ascii(student))}: expected the id of a student: {fault}.")
            source = folder, inbox.place()
            job = _Job(assignment.course.root, assignment.name, student, judged_by, force, source)
            return _called(worker, job, options)

        with Pool(min(workers or os.cpu_count() or 1, max(len(submissions), 1))) as pool:
            for graded in pool.map(one, submissions.items()):
                yield graded
                if graded.received is not None:
                    graded.received.discard()


def grade_received(assignment: Assignment, student: str, received: Received, options: GradeOptions) -> Graded:
    """Return one submission, graded as `grade_all` does, whose private copy has been made already."""
    judged_by = fingerprint_of_course(assignment, repr(options))
    job = _Job(assignment.course.root, assignment.name, student, judged_by, False, received)
    options = replace(options, seed=new_seed() if options.seed is None else options.seed)
    with Pool(1) as pool:
        (graded,) = pool.map(lambda worker, job: _called(worker, job, options), [job])
    return graded


def _called(worker: Worker, job: _Job, options: GradeOptions) -> Graded:
    try:
        return worker.call(grade_folder, job, options, limit_s=SUBMISSION_S)
    except WorkerError as error:
        return job.failed(f"{error}. No score was written. Look at the notebook, and run it again.")
    except Exception as error:  # noqa: BLE001 (what one handed in must not end the class's grading)
        return job.failed(
            f"expected a result, got {type(error).__name__}: {error}. No score was written. Run it again."
        )


@dataclass(frozen=True)
class _Job:
    """What a worker has to know to grade one submission: plain data."""

    root: Path
    name: str
    student: str
    judged_by: str
    force: bool
    source: Received | tuple[Path, Path]
    """The private copy; or the folder that was handed in, and where to copy it."""

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


def grade_folder(job: _Job, options: GradeOptions) -> Graded:
    """Grade what was handed in, in a worker: receive it, reuse the kept verdict on it or find out a new one, keep that.

    What is wrong with the kit comes back as the error, never as a score.
    """
    try:
        return _grade(Course(job.root).assignment(job.name), job, options)
    except GradlabError as error:
        return Graded(job.student, error=str(error))
    except OSError as error:
        return job.failed(f"expected to copy it, got: {error}. No score was written. {_REMEDY}")
    except Exception as error:  # noqa: BLE001 (an error of ours must neither cost a point nor stop the class)
        return Graded(job.student, error=f"{type(error).__name__}: {error} (a fault of gradlab; please report it)")


def _grade(assignment: Assignment, job: _Job, options: GradeOptions) -> Graded:
    received = job.receive(assignment)
    if not received.has_work:
        return job.without_work(assignment, received)
    notebook = match_received(assignment, received)
    digest = hashlib.sha256(f"{job.judged_by} {received.digest}".encode()).hexdigest()
    verdict = None if job.force else _kept(assignment, job.student, digest)
    cached = verdict is not None
    if verdict is None:
        verdict = grade_notebook(assignment, notebook, job.student, options, name=received.name)
        verdict = replace(verdict, digest=digest)
        _keep(assignment, verdict)
    return Graded(job.student, verdict, cached=cached, notebook=notebook, received=received)


def match_received(assignment: Assignment, received: Received) -> Matched:
    """Open the notebook of a private copy that has one, and match its cells."""
    assert received.notebook is not None, "there is nothing to grade"
    matched = match(assignment, open_notebook(received.notebook))
    beside = {**supporting_files(assignment), **received.beside}
    return replace(matched, warnings=(*received.warnings, *matched.warnings), beside=beside)


# --- what has been graded before


def _verdict_file(assignment: Assignment, student: str) -> Path:
    return assignment.course.root / ".gradlab" / "verdicts" / assignment.name / f"{student}.json"


def _kept(assignment: Assignment, student: str, digest: str) -> Verdict | None:
    try:
        verdict = Verdict.from_dict(json.loads(_verdict_file(assignment, student).read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return verdict if verdict.digest == digest else None


def _keep(assignment: Assignment, verdict: Verdict) -> None:
    """Keep a verdict for the next run; where the disk has no room or no such name, it will be found out again."""
    path = _verdict_file(assignment, verdict.student)
    partial = path.with_name(f".{os.getpid()}-{hashlib.sha256(verdict.student.encode()).hexdigest()[:16]}.partial")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.write_text(json.dumps(verdict.to_dict(), indent=1), encoding="utf-8")
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
