"""The folder of a run's private copies: below ``.gradlab/received/``, and gone when the run is over."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gradlab_staff.course import Course
from gradlab_staff.errors import GradlabError

__all__ = ["Inbox", "open_inbox"]


@dataclass
class Inbox:
    """The private copies of one run of grading, each in a folder of its own."""

    folder: Path
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def place(self) -> Path:
        """Return a place for one private copy."""
        return self.folder / str(next(self._numbers))


@contextlib.contextmanager
def open_inbox(course: Course) -> Iterator[Inbox]:
    """Open a folder below ``.gradlab/received/`` for the copies of this run; it is deleted when the run is over.

    Folders of runs that were killed are deleted first: a run holds a lock on its own, which dies with it.

    Raises
    ------
    GradlabError
        Where the course's folder cannot be written.
    """
    root = course.root / ".gradlab" / "received"
    try:
        root.mkdir(parents=True, exist_ok=True)
        with _locked(root / "making.lock"):  # lest another run sweeps the folder away before it is locked
            _sweep(root)
            folder = Path(tempfile.mkdtemp(dir=root, prefix="run-"))
            held = contextlib.ExitStack()
            held.enter_context(_locked(_lock_of(folder)))
    except OSError as error:
        raise GradlabError(
            f"{root}: expected to write private copies of submissions, got: {error}. Graded nothing. Fix the folder's "
            "permissions or free some space, and run it again."
        ) from error
    with held:
        try:
            yield Inbox(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            _lock_of(folder).unlink(missing_ok=True)


def _lock_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")


@contextlib.contextmanager
def _locked(file: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock on a file; raise `BlockingIOError` where another process does and we do not wait for it."""
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except PermissionError:  # another TA's: to lock it, it need not be written
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _sweep(root: Path) -> None:
    """Delete the folders of runs that have ended without doing so."""
    for folder in root.glob("run-*/"):
        with contextlib.suppress(OSError), _locked(_lock_of(folder), wait=False):
            shutil.rmtree(folder, ignore_errors=True)
            _lock_of(folder).unlink(missing_ok=True)
