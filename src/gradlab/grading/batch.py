"""Many submissions at once: worker processes, cached verdicts, and no submission lost to another's trouble."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import resource
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path

from gradlab.cells import find_notebook
from gradlab.course import Assignment, Course
from gradlab.errors import GradlabError
from gradlab.grading.grade import GradeOptions, grade
from gradlab.grading.verdict import Verdict

__all__ = ["Graded", "grade_all", "grade_folder"]

WORKER_MEMORY_MIB = 6144
"""Bounds what a submission can make the trusted side spend through calls back."""


@dataclass(frozen=True)
class Graded:
    """One submission, graded: a verdict, or the kit's own error and no score."""

    student: str
    verdict: Verdict | None
    error: str = ""
    cached: bool = False


def grade_all(
    assignment: Assignment,
    submissions: Mapping[str, Path],
    options: GradeOptions,
    *,
    workers: int | None = None,
    force: bool = False,
    on_start: Callable[[str], None] = lambda student: None,
) -> Iterator[Graded]:
    """The graded submissions, as they come. `submissions` maps each student to the folder of the submission.

    A verdict is reused where neither the submission nor anything that it was judged by has changed, unless `force`.
    """
    course_digest = digest_of_course(assignment, options)
    waiting: dict[str, tuple[Path, str]] = {}
    for student, folder in submissions.items():
        digest = digest_of_submission(folder, course_digest)
        kept = None if force else _kept(assignment, student, digest)
        if kept is not None:
            yield Graded(student, kept, cached=True)
        else:
            waiting[student] = (folder, digest)
    for graded in _grade(assignment, waiting, options, workers or os.cpu_count() or 1, on_start):
        if graded.verdict is not None:
            _keep(assignment, graded.verdict)
        yield graded


def _grade(
    assignment: Assignment,
    waiting: Mapping[str, tuple[Path, str]],
    options: GradeOptions,
    workers: int,
    on_start: Callable[[str], None],
) -> Iterator[Graded]:
    """Grade in worker processes. Where one dies, those that it had in hand are graded once more, each on its own."""
    left = dict(waiting)
    for attempt_workers in (workers, *(1 for _ in waiting)):
        if not left:
            return
        with _pool(min(attempt_workers, len(left))) as pool:
            batch = (
                left if attempt_workers == workers and len(left) == len(waiting) else dict([next(iter(left.items()))])
            )
            futures: dict[Future[Graded], str] = {}
            for student, (folder, digest) in batch.items():
                on_start(student)
                futures[
                    pool.submit(grade_folder, assignment.course.root, assignment.name, student, folder, digest, options)
                ] = student
            for future in as_completed(futures):
                student = futures[future]
                try:
                    graded = future.result()
                except BrokenProcessPool:
                    if len(batch) > 1:
                        continue
                    graded = Graded(
                        student, None, "the worker process died twice on this submission; no score was written"
                    )
                del left[student]
                yield graded


def _pool(workers: int) -> ProcessPoolExecutor:
    # Each worker is a fresh interpreter: a fork would share the parent's locks and its open gradebook.
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), initializer=_bound_memory)


def _bound_memory() -> None:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    limit = WORKER_MEMORY_MIB << 20
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


def grade_folder(root: Path, name: str, student: str, folder: Path, digest: str, options: GradeOptions) -> Graded:
    """Grade the submission in `folder`; what is wrong with the kit comes back as the error, never as a score."""
    assignment = Course(root).assignment(name)
    notebook, remarks = find_notebook(folder, assignment)
    try:
        verdict = grade(assignment, notebook, student, options=options)
    except GradlabError as error:
        return Graded(student, None, str(error))
    except Exception as error:  # noqa: BLE001 (an error of ours must neither cost a point nor stop the class)
        return Graded(student, None, f"{type(error).__name__}: {error} (a fault of gradlab; please report it)")
    return Graded(student, replace(verdict, remarks=(*remarks, *verdict.remarks), digest=digest))


# -- what has been graded before ---


def digest_of_course(assignment: Assignment, options: GradeOptions) -> str:
    """A fingerprint of what submissions are judged by: notebook, graders, recorded outputs, this package, options."""
    package = Path(__file__).resolve().parent.parent
    files = [assignment.notebook, assignment.recorded, *sorted(assignment.graders.glob("*.py"))]
    files += sorted(package.rglob("*.py"))
    return _digest(files, repr(options))


def digest_of_submission(folder: Path, course_digest: str) -> str:
    """A fingerprint of a submission and of what it is judged by."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return _digest(files, course_digest, relative_to=folder)


def _digest(files: list[Path], *words: str, relative_to: Path | None = None) -> str:
    whole = hashlib.sha256()
    for word in words:
        whole.update(word.encode())
    for path in files:
        if path.is_file():
            name = path.relative_to(relative_to) if relative_to else Path(path.name)
            with path.open("rb") as stream:
                whole.update(os.fsencode(name) + b"\0" + hashlib.file_digest(stream, "sha256").digest())
    return whole.hexdigest()


def _verdict_file(assignment: Assignment, student: str) -> Path:
    return assignment.course.root / ".gradlab" / "verdicts" / assignment.name / f"{student}.json"


def _kept(assignment: Assignment, student: str, digest: str) -> Verdict | None:
    try:
        verdict = Verdict.from_dict(json.loads(_verdict_file(assignment, student).read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return verdict if verdict.digest == digest else None


def _keep(assignment: Assignment, verdict: Verdict) -> None:
    path = _verdict_file(assignment, verdict.student)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(verdict.to_dict(), indent=1), encoding="utf-8")
    partial.replace(path)
