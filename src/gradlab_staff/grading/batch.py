"""Many submissions at once: worker processes, cached verdicts, and no submission lost to another's trouble."""

from __future__ import annotations

import contextlib
import hashlib
import json
import multiprocessing
import os
import queue
import resource
import signal
import stat
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import gradlab
from gradlab_staff.course import Assignment, Course
from gradlab_staff.errors import GradlabError
from gradlab_staff.grading.grade import GradeOptions, grade, new_seed
from gradlab_staff.grading.verdict import Verdict
from gradlab_staff.grading.worker import be_a_worker
from gradlab_staff.intake.cells import find_notebook
from gradlab_staff.intake.received import MAX_NOTEBOOK_BYTES, printable

__all__ = ["Graded", "grade_all", "grade_folder"]

SUBMISSION_S = 1800
"""How long one submission may take as a whole, before its worker is ended."""
MAX_FILES = 10_000
"""How many files of a submission are looked at to see whether it has changed."""
MAX_ID_CHARS = 128
"""The longest student id: what nbgrader's gradebook holds."""
WORKER_MEMORY_MIB = 4096
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
    All others are judged on the same inputs, new in each run: a worker finds out once what a misconception gives.
    """
    course_digest = _digest_of_course(assignment, options)
    options = replace(options, seed=new_seed() if options.seed is None else options.seed)
    waiting: dict[str, tuple[Path, str]] = {}
    for student, folder in submissions.items():
        if fault := _fault_of_id(student):
            yield Graded(student, None, fault)
            continue
        digest = _digest_of_submission(folder, course_digest)
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
    """Grade in worker processes, each led by a thread, so that the death of one concerns what it had in hand alone."""
    idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
    crew = [_Worker() for _ in range(min(workers, len(waiting)))]
    for worker in crew:
        idle.put(worker)

    def one(student: str, folder: Path, digest: str) -> Graded:
        on_start(student)
        worker = idle.get()
        try:
            return worker.grade(assignment.course.root, assignment.name, student, folder, digest, options)
        finally:
            idle.put(worker)

    with ThreadPoolExecutor(max(len(crew), 1)) as threads:
        futures = [threads.submit(one, student, *where) for student, where in waiting.items()]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            for future in futures:
                future.cancel()
            for worker in crew:
                worker.stop()


class _Worker:
    """One worker process, replaced when it dies or hangs."""

    def __init__(self) -> None:
        self.pool: ProcessPoolExecutor | None = None
        self.dismissed = False
        self._ending = threading.Lock()

    def grade(self, root: Path, name: str, student: str, folder: Path, digest: str, options: GradeOptions) -> Graded:
        """What `grade_folder` gives in the worker process; a submission that ends it twice gets an error, no score."""
        error = ""
        for _ in range(0 if self.dismissed else 2):
            try:
                if self.pool is None:
                    # A fresh interpreter: a fork would share the parent's locks and its open gradebook.
                    self.pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _bound_memory)
                return self.pool.submit(grade_folder, root, name, student, folder, digest, options).result(SUBMISSION_S)
            except BrokenProcessPool:
                error = "expected a verdict, but the worker process died twice"
            except TimeoutError:  # once is enough: it would hold up the class as long again
                self._end()
                error = f"expected a verdict within {SUBMISSION_S} s, none came"
                break
            except OSError as failure:  # no process or no memory to be had now
                error = f"expected a worker process, got: {failure}"
            self._end()
            if self.dismissed:
                break
        return Graded(
            student, None, f"{name} submission={student}: {error}. No score was written. Look at the notebook."
        )

    def stop(self) -> None:
        """End the process, whatever it does, for good."""
        self.dismissed = True
        self._end()

    def _end(self) -> None:
        with self._ending:  # both the thread that leads the worker and the one that dismisses it come here
            pool, self.pool = self.pool, None
            if pool is not None:
                for process in list((pool._processes or {}).values()):
                    process.kill()
                pool.shutdown(cancel_futures=True)


def _bound_memory() -> None:
    be_a_worker()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    limit = WORKER_MEMORY_MIB << 20
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


def grade_folder(root: Path, name: str, student: str, folder: Path, digest: str, options: GradeOptions) -> Graded:
    """Grade the submission in `folder`; what is wrong with the kit comes back as the error, never as a score."""
    assignment = Course(root).assignment(name)
    try:
        notebook, remarks = find_notebook(folder, assignment)
        verdict = grade(assignment, notebook, student, options=options)
    except GradlabError as error:
        return Graded(student, None, str(error))
    except Exception as error:  # noqa: BLE001 (an error of ours must neither cost a point nor stop the class)
        return Graded(student, None, f"{type(error).__name__}: {error} (a fault of gradlab; please report it)")
    return Graded(student, replace(verdict, remarks=(*remarks, *verdict.remarks), digest=digest))


# -- what has been graded before ---


def _digest_of_course(assignment: Assignment, options: GradeOptions) -> str:
    """A fingerprint of what submissions are judged by: notebook, graders, recorded outputs, this package, options."""
    packages = [Path(gradlab.__file__).resolve().parent, Path(__file__).resolve().parent.parent]
    files = [assignment.notebook, assignment.recorded, *sorted(assignment.graders.glob("*.py"))]
    files += [file for package in packages for file in sorted(package.rglob("*.py"))]
    return _digest(files, repr(options))


def _digest_of_submission(folder: Path, course_digest: str) -> str:
    """A fingerprint of a submission and of what it is judged by.

    Notebooks count by what they hold, then the other files, up to `MAX_NOTEBOOK_BYTES` in all; what is beyond, by size
    and date.
    """
    small, words, room = [], [], MAX_NOTEBOOK_BYTES
    for path, status in sorted(_regular_files(folder), key=lambda found: (found[0].suffix != ".ipynb", found[0])):
        room -= status.st_size
        if room >= 0:
            small.append(path)
        else:
            words.append(f"{os.fsencode(path.relative_to(folder))!r} {status.st_size} {status.st_mtime_ns}")
    return _digest(small, course_digest, *words, relative_to=folder)


def _regular_files(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """The first files of a submission that are neither links nor pipes, nor lie deeper than the system can name."""
    names = (Path(root, name) for root, _, files in os.walk(folder) for name in files)
    for path in islice(names, MAX_FILES):
        with contextlib.suppress(OSError):
            if stat.S_ISREG((status := path.lstat()).st_mode):
                yield path, status


def _digest(files: list[Path], *words: str, relative_to: Path | None = None) -> str:
    whole = hashlib.sha256()
    for word in words:
        whole.update(word.encode())
    for path in files:
        whole.update(os.fsencode(path.relative_to(relative_to) if relative_to else path.name) + b"\0")
        with contextlib.suppress(OSError), path.open("rb") as stream:  # one that cannot be read judges nothing
            whole.update(hashlib.file_digest(stream, "sha256").digest())
    return whole.hexdigest()


def _fault_of_id(student: str) -> str:
    """Why nobody can have this folder's name as an id in the gradebook; empty where all is well."""
    try:
        student.encode()
        fits = len(student) <= MAX_ID_CHARS
    except UnicodeEncodeError:  # bytes of a file system that are no text
        fits = False
    asked = f"expected a folder of submitted/ that is named by an id of at most {MAX_ID_CHARS} characters in UTF-8"
    return "" if fits else f"{asked}, got {printable(ascii(student))}. Not graded. Rename it, and run it again."


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
    partial = path.with_name(f".{os.getpid()}.partial")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.write_text(json.dumps(verdict.to_dict(), indent=1), encoding="utf-8")
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
