"""Many submissions at once: worker processes, kept verdicts, and no submission lost to another's trouble."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from gradlab_staff.course import Assignment, Course
from gradlab_staff.errors import GradlabError
from gradlab_staff.grading.fingerprint import fingerprint_of_course
from gradlab_staff.grading.grade import grade_notebook
from gradlab_staff.grading.run import GradeOptions, new_seed
from gradlab_staff.grading.verdict import Verdict
from gradlab_staff.intake.matching import Matched, match
from gradlab_staff.intake.notebook import open_notebook
from gradlab_staff.intake.received import Received, open_inbox
from gradlab_staff.pool import Pool, Worker, WorkerError
from gradlab_staff.text import one_line

__all__ = ["Graded", "grade_all", "match_received"]

SUBMISSION_S = 1800
"""How long one submission may take as a whole, before its worker is ended."""
MAX_ID_CHARS = 128
"""The longest student id: what nbgrader's gradebook holds."""


@dataclass(frozen=True)
class Graded:
    """One submission, graded: a verdict, what it was made of, and its private copy; or an error of the kit's."""

    student: str
    verdict: Verdict | None = None
    error: str = ""
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
    """
    batch = _Batch(assignment, replace(options, seed=new_seed() if options.seed is None else options.seed), force)
    batch.judged_by = fingerprint_of_course(assignment, repr(options))
    with open_inbox(assignment.course) as inbox:

        def one(worker: Worker, item: tuple[str, Path]) -> Graded:
            student, folder = item
            on_start(student)
            if fault := _fault_of_id(student):
                return Graded(student, error=fault)
            try:
                return batch.grade(worker, student, inbox.receive(assignment, folder))
            except OSError as error:
                return Graded(student, error=batch.error(student, f"expected to copy what was handed in, got: {error}"))

        with Pool(min(workers or os.cpu_count() or 1, max(len(submissions), 1))) as pool:
            for graded in pool.map(one, submissions.items()):
                yield graded
                if graded.received is not None:
                    graded.received.discard()


@dataclass
class _Batch:
    """What all submissions of a run have in common."""

    assignment: Assignment
    options: GradeOptions
    force: bool
    judged_by: str = ""

    def grade(self, worker: Worker, student: str, received: Received) -> Graded:
        """Return the kept verdict on a submission, or have the worker grade it and keep what comes."""
        digest = hashlib.sha256(f"{self.judged_by} {received.digest}".encode()).hexdigest()
        kept = None if self.force else _kept(self.assignment, student, digest)
        if kept is not None:
            return Graded(
                student, kept, cached=True, notebook=match_received(self.assignment, received), received=received
            )
        root, name = self.assignment.course.root, self.assignment.name
        try:
            graded = worker.call(grade_received, root, name, student, received, self.options, limit_s=SUBMISSION_S)
        except WorkerError as error:
            return Graded(student, error=self.error(student, str(error)), received=received)
        if graded.verdict is None:
            return replace(graded, received=received)
        verdict = replace(graded.verdict, digest=digest)
        _keep(self.assignment, verdict)
        return replace(graded, verdict=verdict, received=received)

    def error(self, student: str, what: str) -> str:
        """Return an error of the kit's on one submission."""
        return f"{self.assignment.name} submission={student}: {what}. No score was written. Look at the notebook."


def match_received(assignment: Assignment, received: Received) -> Matched:
    """Open the notebook of a private copy and match its cells; none where there is no notebook that can be read."""
    if received.notebook is None:
        return Matched((), received.warnings, readable=False)
    matched = match(assignment, open_notebook(received.notebook))
    return replace(matched, warnings=(*received.warnings, *matched.warnings))


def grade_received(root: Path, name: str, student: str, received: Received, options: GradeOptions) -> Graded:
    """Grade a private copy, in a worker; what is wrong with the kit comes back as the error, never as a score."""
    assignment = Course(root).assignment(name)
    try:
        notebook = match_received(assignment, received)
        verdict = grade_notebook(assignment, notebook, student, options, name=received.name)
    except GradlabError as error:
        return Graded(student, error=str(error))
    except Exception as error:  # noqa: BLE001 (an error of ours must neither cost a point nor stop the class)
        return Graded(student, error=f"{type(error).__name__}: {error} (a fault of gradlab; please report it)")
    return Graded(student, verdict, notebook=notebook)


# --- what has been graded before


def _fault_of_id(student: str) -> str:
    """Return why nobody can have this folder's name as an id in the gradebook; empty where all is well."""
    try:
        student.encode()
        fits = len(student) <= MAX_ID_CHARS
    except UnicodeEncodeError:  # bytes of a file system that are no text
        fits = False
    asked = f"expected a folder of submitted/ that is named by an id of at most {MAX_ID_CHARS} characters in UTF-8"
    return "" if fits else f"{asked}, got {one_line(ascii(student))}. Not graded. Rename it, and run it again."


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
