"""What lies in ``submitted/``: the folders that are graded, and what lies elsewhere and would be missed.

A student whose folder is called ``Inverted_Dropout`` must not be forgotten in silence: each such thing is named, with
the command that puts it right. Looks are bounded and follow no link.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath

from gradlab_staff.course import Assignment
from gradlab_staff.intake.archives import notebooks_in
from gradlab_staff.intake.files import Folder, HandedIn
from gradlab_staff.intake.traces import MAX_TRACED_BYTES, Traces, is_alike
from gradlab_staff.text import one_line

__all__ = ["Misplaced", "Submitted", "look_through", "quoted", "without_work"]

_MAX_ENTRIES = 20_000  # of submitted/ and of a student's folder
_MAX_FILES = 2000  # of a folder that is no submission
_MAX_LOOKED_INTO = 20  # of these
_MAX_BYTES = 2 << 30  # of all that are looked into
_ANYONE = "STUDENT_ID"


@dataclass(frozen=True)
class Misplaced:
    """Something handed in that is not graded: whose it is (if that is known), where it lies, and what puts it right."""

    student: str
    path: str
    message: str
    command: str = ""

    def __str__(self) -> str:
        """Return it as one message."""
        return f"{self.message} Not graded.{f' Run: {self.command}' if self.command else ''}"


@dataclass(frozen=True)
class Submitted:
    """The folders of the submissions, by student, and what is not graded."""

    folders: dict[str, Path]
    misplaced: tuple[Misplaced, ...] = ()

    def of(self, students: Sequence[str]) -> Submitted:
        """Return what is of these students alone, and files of nobody's that are named after one of them."""
        mine = [
            item
            for item in self.misplaced
            if item.student in students or (not item.student and any(student in item.path for student in students))
        ]
        return Submitted({name: path for name, path in self.folders.items() if name in students}, tuple(mine))


def quoted(path: str | Path | PurePosixPath) -> str:
    """Return a path as a shell takes it, in characters that a terminal can print.

    >>> print(quoted("a b"), quoted("a\\x1b"))
    'a b' $'a\\x1b'
    """
    text = str(path)
    if text.isprintable():
        return shlex.quote(text)
    plain = {byte: chr(byte) for byte in range(32, 127) if chr(byte) not in "\\'"}
    escaped = (plain.get(byte) or f"\\x{byte:02x}" for byte in os.fsencode(text))
    return f"$'{''.join(escaped)}'"


def look_through(assignment: Assignment, submitted: Path) -> Submitted:
    """Return what lies in the folder `submitted`: what is graded of this assignment, and what of it lies elsewhere."""
    search = _Search(assignment, submitted)
    with contextlib.suppress(FileNotFoundError), Folder.open(submitted, untrusted=0) as folder:
        for entry, status in folder.entries(_MAX_ENTRIES):
            search.look_at(entry, status)
    return Submitted(search.folders, tuple(search.found))


def without_work(assignment: Assignment, student: str, folder: Path, warnings: Iterable[str]) -> Misplaced:
    """Return the line on a submission's folder that holds no notebook."""
    path = os.path.relpath(folder, assignment.course.root)
    said = f"{_shown(path)}: {' '.join(warnings)}"
    with contextlib.suppress(OSError), Folder.open(folder) as opened:
        if opened.is_empty:
            return Misplaced(student, path, said, f"rmdir {quoted(path)}")
    ask = f"Ask for the notebook itself, and put it to {_shown(f'{path}/{assignment.name}.ipynb')}."
    again = f"gradlab grade {quoted(assignment.name)} --student {quoted(student)}"
    return Misplaced(student, path, f"{said} {ask}", again)


@dataclass
class _Search:
    """A look through ``submitted/`` for one assignment."""

    assignment: Assignment
    submitted: Path
    folders: dict[str, Path] = field(default_factory=dict)
    found: list[Misplaced] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.name = self.assignment.name
        self.owners = _Owners(Traces.of(self.assignment.course), self.name)
        self.others = {*self.owners.traces.names} - {self.name}

    def path(self, *parts: str) -> str:
        return os.path.relpath(self.submitted.joinpath(*parts), self.assignment.course.root)

    def say(self, student: str, parts: tuple[str, ...], got: str, command: str) -> None:
        path, expected = self.path(*parts), self.path(student or _ANYONE, self.name)
        message = f"{_shown(path)}: expected {_shown(expected)}, got {got}."
        self.found.append(Misplaced(student, path, message, command))

    # --- submitted/ itself

    def look_at(self, entry: HandedIn, status: os.stat_result) -> None:
        """Look at an entry of ``submitted/``: a student's folder, or what should not be there."""
        name, path = entry.path.name, self.submitted / entry.path
        if stat.S_ISLNK(status.st_mode):
            if path.is_dir():
                self.say(name, (name,), self.got((name,)), self.moving((name,), name))
        elif not stat.S_ISDIR(status.st_mode):
            if self.owners.of(entry, status) == self.name:
                self.say("", (name,), "a file without a student", self.moving((name,), _ANYONE))
        elif is_alike(name, self.name) and not (path / self.name).is_dir():
            self.look_at_swapped(name)
        elif name not in self.others or (path / self.name).is_dir():
            self.look_at_student(name)

    def look_at_swapped(self, name: str) -> None:
        """Look at a folder of ``submitted/`` that has the assignment's name: the students may be in it."""
        with contextlib.suppress(OSError), Folder.open(self.submitted / name, untrusted=1) as folder:
            for entry, status in folder.entries(_MAX_ENTRIES):
                parts = (name, entry.path.name)
                if stat.S_ISDIR(status.st_mode):
                    self.say(parts[1], parts, "student and assignment swapped", self.moving(parts, parts[1]))
                elif self.owners.of(entry, status) == self.name:
                    self.say("", parts, "a file without a student", self.moving(parts, _ANYONE))

    # --- a student's folder

    def look_at_student(self, student: str) -> None:
        """Look at a student's folder: the submission, what is named like it, and what holds it elsewhere."""
        try:
            folder = Folder.open(self.submitted / student, untrusted=1)
        except OSError as error:
            why = (error.strerror or "an error").lower()
            return self.say(student, (student,), why, f"chmod -R u+rX {quoted(self.path(student))}")
        with folder:
            entries = folder.entries(_MAX_ENTRIES)
            if any(entry.path.name == self.name and stat.S_ISDIR(status.st_mode) for entry, status in entries):
                self.folders[student] = self.submitted / student / self.name
            places = [place for entry, status in entries if (place := self.place_of(student, entry, status))]
        if not entries:
            self.say(student, (student,), "an empty folder", f"rmdir {quoted(self.path(student))}")
        top = self.submitted / student
        deeper = [place for place in places if len(place) == 2 and is_alike(place[1], self.name)]
        sections = [place for place in deeper if top.joinpath(*place).is_dir()]
        for place in places:
            # submitted/section/student/assignment, where it is so for several
            owner = place[0] if len(sections) > 1 and place in sections else student
            parts = (student, *place)
            self.say(owner, parts, self.got(parts), self.moving(parts, owner))
        return None

    def got(self, parts: tuple[str, ...]) -> str:
        path = self.submitted.joinpath(*parts)
        if path.is_symlink():
            return f"a symbolic link to {_shown(os.readlink(path))}; ask for the files themselves"
        if len(parts) > 2:
            return "it deeper in folders"
        return "another name" if path.is_dir() else "a file outside of that folder"

    def place_of(self, student: str, entry: HandedIn, status: os.stat_result) -> tuple[str, ...]:
        """Return where in an entry of a student's folder this assignment lies, other than where it belongs."""
        name = entry.path.name
        if stat.S_ISLNK(status.st_mode):
            return (name,) if is_alike(name, self.name) else ()
        if not stat.S_ISDIR(status.st_mode):
            owner = self.owners.of(entry, status)
            lost = not owner and _is_notebook(entry) and student not in self.folders
            return (name,) if owner == self.name or lost else ()
        if name in (self.name, *self.others):
            return ()
        return (name,) if is_alike(name, self.name) else self.place_in(student, name)

    def place_in(self, student: str, name: str) -> tuple[str, ...]:
        """Return where in another folder this assignment lies: the folder named like it, or that of the notebook."""
        with contextlib.suppress(OSError), Folder.open(self.submitted / student / name) as folder:
            files = [file for file in islice(folder.files(), _MAX_FILES) if _is_notebook(file) and not file.fault]
            owners = {file.path: self.owners.of(file) for file in files[:_MAX_LOOKED_INTO]}
            for path in (path for path, owner in owners.items() if owner == self.name):
                if self.others.isdisjoint(path.parts):
                    alike = [at for at, part in enumerate(path.parts[:-1], 1) if is_alike(part, self.name)]
                    if alike:
                        return (name, *path.parts[: alike[-1]])
                    beside = {owner for other, owner in owners.items() if path.parent in other.parents}
                    return (name, *(path.parent.parts if beside <= {"", self.name} else path.parts))
        return ()

    # --- what puts it right

    def moving(self, parts: tuple[str, ...], student: str) -> str:
        """Return the command that moves it to where it belongs, or out of the way where a submission is already."""
        path = self.submitted.joinpath(*parts)
        source, target = quoted(self.path(*parts)), quoted(self.path(student, self.name))
        if path.is_symlink():  # a copy of what it leads to could be the instructor's notebook
            return f"rm {source}"
        if student in self.folders:
            aside = quoted(PurePosixPath("set_aside", *parts[:-1]))
            return f"mkdir -p {aside} && mv --backup=numbered {source} {aside}"
        if not path.is_dir():
            return f"mkdir -p {target} && mv {source} {target}"
        make = "" if (self.submitted / student).is_dir() else f"mkdir -p {quoted(self.path(student))} && "
        return f"{make}mv {source} {target}"


@dataclass
class _Owners:
    """Which assignment files belong to; how much is read of them in all is bounded."""

    traces: Traces
    wanted: str
    bytes_left: int = _MAX_BYTES

    def of(self, file: HandedIn, status: os.stat_result | None = None) -> str:
        """Return the assignment that a file belongs to, by what it or the zip holds, or by its name.

        Where a zip holds several assignments' notebooks, it is the wanted one's.
        """
        names = [self.traces.owner(b"", file.path.name)]
        if _is_notebook(file) and (status is None or stat.S_ISREG(status.st_mode)):
            with contextlib.ExitStack() as opened:
                inside = notebooks_in(file, opened) if _is_zip(file) else [file]
                found = [self.traces.owner(self._read(one), one.path.name) for one in inside[:_MAX_LOOKED_INTO]]
            names = [*filter(None, found), *names]
        return self.wanted if self.wanted in names[:-1] else names[0]

    def _read(self, file: HandedIn) -> bytes:
        with contextlib.suppress(Exception), file.open() as stream:  # whatever a student's file or archive raises
            content = stream.read(min(MAX_TRACED_BYTES, self.bytes_left))
            self.bytes_left -= len(content)
            return content
        return b""


def _shown(path: str) -> str:
    """Return a path for people, as a shell takes it: a blank at its end is seen."""
    return one_line(quoted(path), 300)


def _is_zip(file: HandedIn) -> bool:
    return file.path.suffix.lower() == ".zip"


def _is_notebook(file: HandedIn) -> bool:
    return ".ipynb" in file.path.name.lower() or _is_zip(file)
