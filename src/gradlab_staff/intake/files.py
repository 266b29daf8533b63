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

__all__ = ["MAX_NOTEBOOK_BYTES", "Folder", "HandedIn", "files_in_zip", "open_zip", "read_file"]

MAX_NOTEBOOK_BYTES = 512 << 20
"""The largest notebook that is read: twice what the largest real ones hold."""

_MAX_LOOKED_AT = 50_000
"""How many names of a submission are looked at: a folder of data hides no notebook, a million files hold up nobody."""
_MAX_DIRECTORY_BYTES = 4 << 20  # of a zip: Python makes a hundred times as much of it
_ECD_SIZE = 5  # where the end record, as zipfile reads it, says how large the directory is
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC
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


def read_file(path: Path, limit: int) -> bytes:
    """Return what an untrusted file holds: a regular one of at most `limit` bytes, and neither a link nor a pipe.

    Raises
    ------
    OSError, ValueError
        Where it is anything else.
    """
    with _regular(os.open(path, _FILE)) as file:
        size = os.fstat(file.fileno()).st_size
        if size > limit:
            raise ValueError(f"it has {size >> 20} MiB, and {limit >> 20} MiB are read at most")
        return file.read(limit)


def _regular(descriptor: int) -> IO[bytes]:
    file = open(descriptor, "rb")  # noqa: SIM115 (the caller closes it)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        file.close()
        raise ValueError("it is not a regular file")
    return file


class Folder:
    """A folder as handed in, held open: what is asked of it later is found in it, by steps that follow no link.

    A folder that is swapped for a link while it is read would lead elsewhere, were its files opened by their paths.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def open(cls, path: Path) -> Folder:
        """Open ``<anything>/<student>/<assignment>``; neither of the two may be a link.

        Raises
        ------
        OSError
            Where there is no such folder, or it is a link.
        """
        top = cls(os.open(path.parent.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        try:
            return cls(top._open(PurePosixPath(path.parent.name, path.name), _FOLDER))
        finally:
            top.close()

    def __enter__(self) -> Folder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it: the files that it gave cannot be opened any more."""
        os.close(self._descriptor)

    def files(self) -> Iterator[HandedIn]:
        """Yield its files, level by level from the top, sorted; links are named and not followed."""
        seen = 0
        level = [PurePosixPath()]
        while level:
            below: list[PurePosixPath] = []
            entries = (entry for parent in level for entry in self._entries(parent))
            found = sorted(islice(entries, _MAX_LOOKED_AT - seen), key=lambda entry: entry[0])
            seen += len(found)
            for path, status in found:
                if stat.S_ISDIR(status.st_mode) and path.suffix.lower() == ".ipynb":
                    yield self._handed_in(path, 0, "a folder")
                elif stat.S_ISDIR(status.st_mode):
                    below += [] if path.name in _IGNORED or path.name.startswith(".") else [path]
                elif stat.S_ISREG(status.st_mode):
                    yield self._handed_in(path, status.st_size)
                else:
                    what = "a symbolic link" if stat.S_ISLNK(status.st_mode) else "something else"
                    yield self._handed_in(path, 0, what)
            level = below

    def _entries(self, folder: PurePosixPath) -> Iterator[tuple[PurePosixPath, os.stat_result]]:
        try:
            descriptor = self._open(folder, _FOLDER)
        except OSError:  # one that may not be opened holds nothing
            return
        try:
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    with contextlib.suppress(OSError):  # it has just been deleted
                        yield folder / entry.name, entry.stat(follow_symlinks=False)
        finally:
            os.close(descriptor)

    def _handed_in(self, path: PurePosixPath, size: int, fault: str = "") -> HandedIn:
        return HandedIn(path, size, lambda: _regular(self._open(path, _FILE)), fault)

    def _open(self, path: PurePosixPath, flags: int) -> int:
        """Open what lies below, step by step: ``O_NOFOLLOW`` alone minds the last step only."""
        at = os.dup(self._descriptor)
        for step, name in enumerate(path.parts, 1):
            try:
                below = os.open(name, flags if step == len(path.parts) else _FOLDER, dir_fd=at)
            finally:
                os.close(at)
            at = below
        return at


def open_zip(file: IO[bytes]) -> zipfile.ZipFile:
    """Open a zip archive whose list of members is of a size that can be read.

    Raises
    ------
    ValueError, zipfile.BadZipFile
        Where it is larger, or the file is no archive.
    """
    end = zipfile._EndRecData(file)  # type: ignore[attr-defined]  # the very record that ZipFile goes by
    if end is not None and end[_ECD_SIZE] > _MAX_DIRECTORY_BYTES:
        raise ValueError("it has too many members")
    return zipfile.ZipFile(file)


def files_in_zip(archive: zipfile.ZipFile) -> Iterator[HandedIn]:
    """Yield the files of a zip archive, in the order of `files_in`; what would lie outside of it is skipped.

    The sizes that it states are checked again when a file is read. The archive stays open as long as they are needed.
    """
    members = [member for member in archive.infolist()[:_MAX_LOOKED_AT] if not member.is_dir()]
    for member in sorted(members, key=lambda member: (member.filename.count("/"), member.filename)):
        path = PurePosixPath(member.filename)
        if not path.parts:
            continue
        # "../x", "/x" and links would be written, or read, elsewhere
        outside = path.is_absolute() or ".." in path.parts or "\\" in member.filename or ":" in path.parts[0]
        hidden = any(part in _IGNORED or part.startswith(".") for part in path.parts)
        hidden = hidden or any(part.lower().endswith(".ipynb") for part in path.parts[:-1])
        kind = stat.S_IFMT(member.external_attr >> 16)
        if not outside and not hidden:
            fault = "an encrypted file" if member.flag_bits & 1 else ""
            fault = fault if kind in (0, stat.S_IFREG) else "something else"
            yield HandedIn(path, member.file_size, _opener(archive, member), fault)


def _opener(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Callable[[], IO[bytes]]:
    return lambda: archive.open(member)
