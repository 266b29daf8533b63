"""Untrusted files: opened without following links, counted and measured before they are read."""

from __future__ import annotations

import contextlib
import os
import stat
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import IO

__all__ = ["MAX_NOTEBOOK_BYTES", "HandedIn", "files_in", "files_in_zip", "is_linked", "open_file", "read_file"]

MAX_NOTEBOOK_BYTES = 512 << 20
"""The largest notebook that is read: twice what the largest real ones hold."""

_MAX_LOOKED_AT = 50_000
"""How many names of a submission are looked at: a folder of data hides no notebook, a million files hold up nobody."""
_IGNORED = (".ipynb_checkpoints", "__pycache__", "__MACOSX", "feedback")
"""Folders of nobody's work; nbgrader ignores most of them, too."""


@dataclass(frozen=True)
class HandedIn:
    """A file that a student handed in, by its path in the folder or zip; `fault` says why it is not opened."""

    path: PurePosixPath
    size: int
    open: Callable[[], IO[bytes]]
    fault: str = ""

    @property
    def is_notebook(self) -> bool:
        """Return whether it is named like a notebook."""
        return self.path.suffix.lower() == ".ipynb" and not self.path.name.startswith(".")


def is_linked(folder: Path) -> bool:
    """Return whether a submission's folder, or the student's around it, is a link: to another student's, say."""
    return folder.is_symlink() or folder.parent.is_symlink()


def open_file(path: Path) -> IO[bytes]:
    """Open a regular file, and neither a link nor a pipe.

    Raises
    ------
    OSError, ValueError
        Where it is anything else.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    file = open(descriptor, "rb")  # noqa: SIM115 (the caller closes it)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        file.close()
        raise ValueError("it is not a regular file")
    return file


def read_file(path: Path, limit: int) -> bytes:
    """Return what an untrusted file holds: a regular one of at most `limit` bytes.

    Raises
    ------
    OSError, ValueError
        Where it is anything else.
    """
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > limit:
            raise ValueError(f"it has {size >> 20} MiB, and {limit >> 20} MiB are read at most")
        return file.read(limit)


def files_in(folder: Path) -> Iterator[HandedIn]:
    """Yield the files of a folder, level by level from the top, sorted; links are named and not followed."""
    seen = 0
    level = [folder]
    while level:
        below: list[Path] = []
        paths = sorted(islice((path for parent in level for path in _names(parent)), _MAX_LOOKED_AT - seen))
        seen += len(paths)
        for path in paths:
            try:
                status = path.lstat()
            except OSError as error:  # a path that is longer than the system allows
                yield _handed_in(folder, path, 0, error.strerror or "an error")
                continue
            if stat.S_ISDIR(status.st_mode) and path.suffix.lower() == ".ipynb":
                yield _handed_in(folder, path, 0, "a folder")
            elif stat.S_ISDIR(status.st_mode):
                below += [] if path.name in _IGNORED or path.name.startswith(".") else [path]
            elif stat.S_ISREG(status.st_mode):
                yield _handed_in(folder, path, status.st_size)
            else:
                yield _handed_in(folder, path, 0, "a symbolic link" if path.is_symlink() else "something else")
        level = below


def _names(folder: Path) -> Iterator[Path]:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:  # one that may not be opened holds nothing
        for entry in entries:
            yield folder / entry.name


def _handed_in(folder: Path, path: Path, size: int, fault: str = "") -> HandedIn:
    return HandedIn(PurePosixPath(path.relative_to(folder)), size, lambda: open_file(path), fault)


def files_in_zip(archive: zipfile.ZipFile) -> Iterator[HandedIn]:
    """Yield the files of a zip archive, in the order of `files_in`; what would lie outside of it is skipped.

    The sizes that it states are checked again when a file is read. The archive stays open as long as they are needed.
    """
    members = [member for member in archive.infolist()[:_MAX_LOOKED_AT] if not member.is_dir()]
    for member in sorted(members, key=lambda member: (member.filename.count("/"), member.filename)):
        path = PurePosixPath(member.filename)
        # "../x", "/x" and links would be written, or read, elsewhere
        outside = path.is_absolute() or ".." in path.parts or "\\" in member.filename or ":" in path.parts[0]
        hidden = any(part in _IGNORED or part.startswith(".") for part in path.parts)
        kind = stat.S_IFMT(member.external_attr >> 16)
        if not outside and not hidden:
            fault = "an encrypted file" if member.flag_bits & 1 else ""
            fault = fault if kind in (0, stat.S_IFREG) else "something else"
            yield HandedIn(path, member.file_size, _opener(archive, member), fault)


def _opener(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Callable[[], IO[bytes]]:
    return lambda: archive.open(member)
