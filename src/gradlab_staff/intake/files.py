"""Untrusted files: opened without following links, counted and measured before they are read, copied within bounds."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import IO

from gradlab_staff.text import one_line

__all__ = [
    "IGNORED",
    "MAX_LOOKED_AT",
    "MAX_NOTEBOOK_BYTES",
    "Folder",
    "HandedIn",
    "copy_file",
    "is_skipped",
    "kind_of",
    "read_file",
]

MAX_NOTEBOOK_BYTES = 512 << 20
"""The largest notebook that is read: twice what the largest real ones hold."""

MAX_LOOKED_AT = 50_000
"""How many names of a submission are looked at: a folder of data hides no notebook, a million files hold up nobody."""
_CHUNK_BYTES = 1 << 20
_ODD_NAMES = (errno.ENAMETOOLONG, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.EILSEQ, errno.EINVAL)
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC
IGNORED = (".ipynb_checkpoints", "__pycache__", "__MACOSX", "feedback")
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

    @property
    def name(self) -> str:
        """Return its path for people; in quotation marks where a blank at an end would not be seen."""
        blank = any(part != part.strip() for part in self.path.parts)
        return one_line(f"“{self.path}”" if blank else self.path)


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


def is_skipped(folder: PurePosixPath) -> bool:
    """Return whether a folder is hidden, or in a hidden one, or of nobody's work."""
    return any(part in IGNORED or part.startswith(".") for part in folder.parts)


def kind_of(mode: int) -> str:
    """Return what something is that is no regular file, in a word.

    >>> kind_of(stat.S_IFIFO)
    'a pipe'
    """
    kinds = {stat.S_IFLNK: "a symbolic link", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket",
             stat.S_IFDIR: "a folder"}  # fmt: skip
    return kinds.get(stat.S_IFMT(mode), "a device")


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
    def open(cls, path: Path, untrusted: int = 2) -> Folder:
        """Open ``<anything>/<student>/<assignment>``; of the path's parts, the last two, or so many, may be no links.

        Raises
        ------
        OSError
            Where there is no such folder, or it is a link.
        """
        below = PurePosixPath(*path.parts[len(path.parts) - untrusted :])
        trusted = Path(*path.parts[: len(path.parts) - untrusted])
        top = cls(os.open(trusted, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        try:
            return cls(top._open(below, _FOLDER))
        finally:
            top.close()

    def __enter__(self) -> Folder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it: the files that it gave cannot be opened any more."""
        os.close(self._descriptor)

    @property
    def is_empty(self) -> bool:
        """Return whether nothing at all lies in it."""
        return next(self._entries(PurePosixPath()), None) is None

    def file(self, name: str) -> HandedIn:
        """Return the file of that name at its top, not opened; its `fault` says what else it is.

        Raises
        ------
        OSError
            Where there is none.
        """
        status = os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)
        fault = "" if stat.S_ISREG(status.st_mode) else kind_of(status.st_mode)
        return self._handed_in(PurePosixPath(name), status.st_size, fault)

    def entries(self, limit: int) -> list[tuple[HandedIn, os.stat_result]]:
        """Return what lies at its top, sorted, each with its status; hidden ones and nobody's work are left out."""
        entries = islice(self._entries(PurePosixPath()), limit)
        found = [(path, status) for path, status in entries if path.name not in IGNORED and path.name[0] != "."]
        return [
            (self._handed_in(path, status.st_size), status) for path, status in sorted(found, key=lambda one: one[0])
        ]

    def hidden_folders(self, limit: int) -> list[str]:
        """Return the names of the folders at its top that begin with a dot, sorted."""
        entries = islice(self._entries(PurePosixPath()), limit)
        found = [path.name for path, status in entries if path.name[0] == "." and stat.S_ISDIR(status.st_mode)]
        return sorted(set(found) - set(IGNORED))

    def files(self, *, hidden: bool = False) -> Iterator[HandedIn]:
        """Yield its files, level by level from the top, sorted; links are named and not followed.

        Hidden folders and those of nobody's work are left out; `hidden`: only what lies in these.
        """
        seen = 0
        level = [PurePosixPath()]
        while level:
            below: list[PurePosixPath] = []
            entries = (entry for parent in level for entry in self._entries(parent))
            found = sorted(islice(entries, MAX_LOOKED_AT - seen), key=lambda entry: entry[0])
            seen += len(found)
            for path, status in found:
                skipped = is_skipped(path if stat.S_ISDIR(status.st_mode) else path.parent)
                if stat.S_ISDIR(status.st_mode) and path.suffix.lower() == ".ipynb" and not hidden:
                    yield self._handed_in(path, 0, "a folder")
                elif stat.S_ISDIR(status.st_mode):
                    below += [path] if hidden or not skipped else []
                elif skipped == hidden:
                    fault = "" if stat.S_ISREG(status.st_mode) else kind_of(status.st_mode)
                    yield self._handed_in(path, 0 if fault else status.st_size, fault)
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


def copy_file(file: HandedIn, to: Path, limit: int) -> str:
    """Copy a file of at most `limit` bytes; return why it cannot be read, or nothing.

    Raises
    ------
    OSError
        Where the copy cannot be written.
    """
    too_large = f"it has {file.size >> 20} MiB, and {limit >> 20} MiB are read at most"
    if file.size > limit:
        return too_large
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        copy = to.open("wb")
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno not in _ODD_NAMES:
            raise
        return "its name cannot be used"
    with copy:
        try:
            left = limit
            with file.open() as source:
                while chunk := source.read(_CHUNK_BYTES):
                    left -= len(chunk)
                    if left < 0:  # it grew, or a zip states too little
                        break
                    _write(copy.fileno(), chunk)
            os.truncate(copy.fileno(), max(limit - left, 0))  # where it ends in a hole
            why = too_large if left < 0 else ""
        except _NoRoomError as error:
            raise error.reason from None
        except Exception as error:  # noqa: BLE001 (whatever the reader of a student's file or archive raises)
            why = getattr(error, "strerror", None) or one_line(error) or type(error).__name__
    if why:
        to.unlink()
    return why


class _NoRoomError(Exception):
    """The copy cannot be written: our trouble, and not the file's."""

    def __init__(self, reason: OSError) -> None:
        super().__init__(reason)
        self.reason = reason


def _write(descriptor: int, chunk: bytes) -> None:
    try:
        if chunk.count(0) == len(chunk):  # a hole stays one: a sparse file fills no disk by being copied
            os.lseek(descriptor, len(chunk), os.SEEK_CUR)
            return
        view = memoryview(chunk)
        while view:
            view = view[os.write(descriptor, view) :]
    except OSError as error:
        raise _NoRoomError(error) from None
