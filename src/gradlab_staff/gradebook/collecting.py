"""What is collected of a submission: regular files within the bounds of intake; what is refused is named."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from gradlab_staff.gradebook.folders import MAX_SMALL_BYTES, SECRET, STAMP
from gradlab_staff.intake.archives import MAX_ZIP_BYTES
from gradlab_staff.intake.bounds import MAX_ALL_BYTES, MAX_FILE_BYTES, MAX_FILES
from gradlab_staff.intake.files import MAX_NOTEBOOK_BYTES, HandedIn, copy_file
from gradlab_staff.text import one_line

__all__ = ["copy_work", "owned_by"]

_MAX_NAMED = 20  # refused files of a submission that get a line of their own


@dataclass
class _Room:
    """What there is still room for, in files and in bytes of each kind."""

    files: int = MAX_FILES
    bytes: dict[str, int] = field(
        default_factory=lambda: {".ipynb": MAX_NOTEBOOK_BYTES, ".zip": MAX_ZIP_BYTES, "": MAX_ALL_BYTES}
    )

    def copy(self, file: HandedIn, to: Path) -> str:
        """Copy a file, and return why it is refused, or nothing."""
        if file.fault:
            return f"it is {file.fault}"
        if file.path.parts in ((STAMP,), (SECRET,)):  # crowded out by nothing: a late penalty depends on them
            return copy_file(file, to, MAX_SMALL_BYTES)
        if not self.files:
            return f"{MAX_FILES} files are collected at most"
        kind = file.path.suffix.lower()
        kind = kind if kind in self.bytes else ""
        limit = self.bytes[kind] if kind else min(self.bytes[kind], MAX_FILE_BYTES)
        if why := copy_file(file, to, limit):
            return why
        self.files -= 1
        self.bytes[kind] -= to.stat().st_size
        return ""


def copy_work(files: Iterable[HandedIn], into: Path) -> list[str]:
    """Copy a submission's files to a new folder; return what was refused, a line each.

    No link is followed, no pipe waited for. A file counts with the size that it states, so that a sparse one fills no
    disk. The bounds are those of intake: what is more would not be graded either.

    Raises
    ------
    OSError
        Where the copies cannot be written.
    """
    into.mkdir(parents=True)
    room, refused = _Room(), []
    for file in sorted(files, key=_urgency):
        if why := room.copy(file, into / file.path):
            refused.append(f"{one_line(file.path)}: {why}")
    more = len(refused) - _MAX_NAMED
    return refused if more <= 0 else [*refused[:_MAX_NAMED], f"and {more} more"]


def _urgency(file: HandedIn) -> tuple[bool, int, int]:
    """Return what is copied first: the exchange's two files, then notebooks and zips, from the top down."""
    return file.path.parts not in ((STAMP,), (SECRET,)), len(file.path.parts), file.path.suffix.lower() != ".ipynb"


def owned_by(file: HandedIn, owner: int) -> HandedIn:
    """Return the file, to be refused where it is a hard link to a file of someone else than `owner`.

    Where the kernel lets anyone link any file (``fs.protected_hardlinks=0``), a student could have the staff collect
    what the staff may read and the student may not.
    """

    def checked() -> IO[bytes]:
        opened = file.open()
        status = os.fstat(opened.fileno())
        if status.st_nlink > 1 and status.st_uid != owner:
            opened.close()
            raise ValueError("it is a hard link to another's file")
        return opened

    return replace(file, open=checked)
