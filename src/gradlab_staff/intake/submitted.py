"""What lies in ``submitted/``: the folders that are graded, and what lies elsewhere and would be missed.

A student whose folder is called ``Inverted_Dropout`` must not be forgotten in silence: each such thing is named, with
the command that puts it right. Looks are bounded and follow no link.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import stat
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import islice
from pathlib import Path, PurePosixPath

from gradlab_staff.course import Assignment
from gradlab_staff.intake.archives import notebooks_in
from gradlab_staff.intake.candidates import choose
from gradlab_staff.intake.files import Folder, HandedIn
from gradlab_staff.intake.ids import fault_of_id, plain_id
from gradlab_staff.intake.traces import MAX_TRACED_BYTES, Traces, is_alike
from gradlab_staff.text import one_line

__all__ = ["Misplaced", "Submitted", "look_through", "quoted", "without_work"]

_MAX_ENTRIES = 20_000  # of submitted/ and of a student's folder
_MAX_FILES = 2000  # of a folder that is no submission
_MAX_LOOKED_INTO = 20  # of these
_MAX_BYTES = 2 << 30  # of all that are looked into
_ANYONE = "STUDENT_ID"
_MAX_NAMED = 20
_STAMPS = ("timestamp.txt", "submission_secret.txt")
"""What the exchange lays beside a notebook: they stay with the folder."""


class _State(IntEnum):
    """What a place holds: nothing at all, no notebook that can be read, one as released, one that was worked on."""

    EMPTY = 0
    NONE = 1
    RELEASED = 2
    WORKED = 3


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
        search.look_at_hidden(folder)
    search.name_empty()
    return Submitted(search.folders, tuple(search.found))


def without_work(assignment: Assignment, student: str, folder: Path, warnings: Iterable[str]) -> Misplaced:
    """Return the line on a submission's folder that holds no notebook that can be read."""
    path = os.path.relpath(folder, assignment.course.root)
    said = f"{_shown(path)}: {' '.join(warnings)}"
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
    empty: list[str] = field(default_factory=list)
    """Students whose folder of the assignment is empty: something else of theirs may be moved there."""
    states: dict[str, _State | None] = field(default_factory=dict)
    """By student: what is in the right folder, or will be by the commands that have been named."""

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
            self.look_at_id(name)

    def look_at_hidden(self, folder: Folder) -> None:
        """Look at hidden folders of ``submitted/``: a student's id may begin with a dot."""
        for name in folder.hidden_folders(_MAX_ENTRIES):
            if (self.submitted / name / self.name).is_dir():
                self.look_at_id(name)

    def look_at_id(self, student: str) -> None:
        """Look at a student's folder whose name can be an id; name another, with the command that gives it a plain one.

        nbgrader takes ``a[b]`` for a pattern, and would grade, or write, ``ab``.
        """
        if fault := fault_of_id(student):
            path, plain = self.path(student), self.path(plain_id(student, self.submitted))
            message = f"{_shown(path)}: expected the id of a student, got a name that is none: {fault}."
            self.found.append(Misplaced(student, path, message, f"mv {quoted(path)} {quoted(plain)}"))
        else:
            self.look_at_student(student)

    def name_empty(self) -> None:
        """Name the empty folders of students of whom there is nothing else."""
        for student in self.empty:
            if not any(item.student == student for item in self.found):
                parts = (student, self.name)
                self.say(student, parts, "an empty folder", f"rmdir {quoted(self.path(*parts))}")

    def look_at_swapped(self, name: str) -> None:
        """Look at a folder of ``submitted/`` that has the assignment's name: the students may be in it."""
        with contextlib.suppress(OSError), Folder.open(self.submitted / name, untrusted=1) as folder:
            for entry, status in folder.entries(_MAX_ENTRIES):
                parts = (name, entry.path.name)
                if stat.S_ISDIR(status.st_mode):
                    got = f"student and assignment swapped{self.compared(parts, parts[1])}"
                    self.say(parts[1], parts, got, self.moving(parts, parts[1]))
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
            is_empty, files = folder.is_empty, list(islice(folder.files(), _MAX_FILES))
            if not places and student not in self.folders and not self.is_of_others(entries, files):
                names = [*files, *(file for file in islice(folder.files(hidden=True), _MAX_FILES))][:_MAX_NAMED]
                self.name_unknown(student, names, is_empty=is_empty)
            with contextlib.suppress(OSError), Folder.open(self.submitted / student / self.name) as right:
                if right.is_empty:
                    del self.folders[student]
                    self.empty.append(student)
        top = self.submitted / student
        deeper = [place for place in places if len(place) == 2 and is_alike(place[1], self.name)]
        sections = [place for place in deeper if top.joinpath(*place).is_dir()]
        choice = len(places) > 1 or (bool(places) and self.state_of(student) is not None)
        states = {place: self.state((student, *place)) if choice else _State.NONE for place in places}
        for place in sorted(places, key=lambda place: -states[place]):  # what was worked on comes first
            # submitted/section/student/assignment, where it is so for several
            owner = place[0] if len(sections) > 1 and place in sections else student
            self.name_place(owner, (student, *place))
        return None

    def name_unknown(self, student: str, files: Sequence[HandedIn], *, is_empty: bool) -> None:
        """Name a student's folder in which nothing is recognised, of this assignment or another."""
        if is_empty:
            return self.say(student, (student,), "an empty folder", f"rmdir {quoted(self.path(student))}")
        names = one_line(", ".join(file.name for file in files), 300) or "empty folders"
        got = f"nothing that is recognised, but {names}. Look whether it is the work, and put it there"
        return self.say(student, (student,), got, "")

    def is_of_others(self, entries: Sequence[tuple[HandedIn, os.stat_result]], files: Sequence[HandedIn]) -> bool:
        """Return whether a student's folder holds other assignments: then it is no fault of this one."""
        names = {part for file in (*(entry for entry, _ in entries), *files) for part in file.path.parts}
        if any(is_alike(name, other) for name in names for other in self.others):
            return True
        notebooks = [file for file in files if _is_notebook(file) and not file.fault]
        return any(self.owners.of(file) in self.others for file in notebooks[:_MAX_LOOKED_INTO])

    def name_place(self, student: str, parts: tuple[str, ...]) -> None:
        """Name a place where this assignment lies; in another's folder, only what is missing in the right one."""
        here = self.state_of(student)
        elsewhere = parts[1] in self.others if len(parts) > 2 else False
        if elsewhere and here is not None and not (self.state(parts) is _State.WORKED and here < _State.WORKED):
            return
        got = f"it in the folder of {parts[1]}" if elsewhere else self.got(parts)
        self.say(student, parts, f"{got}{self.compared(parts, student)}", self.moving(parts, student))

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
        if name in self.others:
            return self.place_in_others(student, name)
        if name == self.name:
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

    def place_in_others(self, student: str, name: str) -> tuple[str, ...]:
        """Return where in another assignment's folder a notebook of this one lies; a zip may be of both."""
        with contextlib.suppress(OSError), Folder.open(self.submitted / student / name) as folder:
            files = [file for file in islice(folder.files(), _MAX_FILES) if file.is_notebook and not file.fault]
            for file in files[:_MAX_LOOKED_INTO]:
                if self.owners.of(file) == self.name:
                    return (name, *file.path.parts)
        return ()

    # --- what puts it right

    def state(self, parts: tuple[str, ...]) -> _State:
        """Return what a folder or file holds, by the look that grading takes."""
        is_dir = self.submitted.joinpath(*parts).is_dir()
        folder = parts if is_dir else parts[:-1]
        with contextlib.ExitStack() as opened, contextlib.suppress(OSError):
            into = Path(opened.enter_context(tempfile.TemporaryDirectory()), "copy")
            top = opened.enter_context(Folder.open(self.submitted.joinpath(*folder), untrusted=len(folder)))
            if is_dir and top.is_empty:
                return _State.EMPTY
            found = [file for file in top.files() if is_dir or file.path.parts == parts[-1:]]
            chosen = choose(self.assignment, found, into, opened)
            if chosen.file is not None and not chosen.why:
                return _State.WORKED if chosen.changed else _State.RELEASED
        return _State.NONE

    def state_of(self, student: str) -> _State | None:
        """Return what is in the folder where a student's submission belongs; None where there is no such folder."""
        if student not in self.states:
            right = self.submitted / student / self.name
            is_there = right.is_dir() and not (right.is_symlink() or right.parent.is_symlink())
            self.states[student] = self.state((student, self.name)) if is_there else None
        return self.states[student]

    def compared(self, parts: tuple[str, ...], student: str) -> str:
        """Return which was worked on, of this and of what is where it belongs."""
        here = self.state_of(student)
        if here is None or here is _State.EMPTY or self.submitted.joinpath(*parts).is_symlink():
            return ""
        worked = self.state(parts) is _State.WORKED
        if here is _State.WORKED:
            return ", worked on as well: look which is to be graded" if worked else "; the one there was worked on"
        return ", which was worked on; what is there was not" if worked else ""

    def moving(self, parts: tuple[str, ...], student: str) -> str:
        """Return the command that moves it to where it belongs, or out of the way where work is already.

        What was worked on is never set aside for what was not, and nothing is deleted.
        """
        path, right = self.submitted.joinpath(*parts), self.submitted / student / self.name
        source, target = quoted(self.path(*parts)), quoted(self.path(student, self.name))
        if path.is_symlink():  # a copy of what it leads to could be the instructor's notebook
            return f"rm {source}"
        here, move = self.state_of(student), f"mv --backup=numbered {source} {target}"
        if here is None:
            self.states[student] = self.state(parts)
            if path == right:  # a file where the folder should be
                file = quoted(self.path(student, f"{self.name}.file"))
                return f"mv {source} {file} && mkdir {target} && mv {file} {target}"
            if not path.is_dir():
                return f"mkdir -p {target} && mv {source} {target}"
            make = "" if (self.submitted / student).is_dir() else f"mkdir -p {quoted(self.path(student))} && "
            return f"{make}mv {source} {target}"
        state = self.state(parts)
        if here >= _State.RELEASED and (state is _State.RELEASED or here is _State.WORKED):
            aside = quoted(PurePosixPath("set_aside", *parts[:-1]))
            return f"mkdir -p {aside} && mv --backup=numbered {source} {aside}"
        self.states[student] = max(here, state)
        if here is _State.EMPTY:
            return f"rmdir {target} && mv {source} {target}" if path.is_dir() else move
        if state is not _State.WORKED:
            return move
        return self.replacing(path, student)

    def replacing(self, path: Path, student: str) -> str:
        """Return the command that sets aside what is in the right folder, and moves in what was worked on."""
        source, target = quoted(os.path.relpath(path, self.assignment.course.root)), self.path(student, self.name)
        aside, right = PurePosixPath("set_aside", student), quoted(target)
        make = "" if path.is_dir() else f"mkdir {right} && "
        stamps = [name for name in _STAMPS if (self.submitted / student / self.name / name).is_file()]
        kept = "".join(f" && cp -n {quoted(aside / self.name / name)} {right}" for name in stamps)
        first = f"mkdir -p {quoted(aside)} && mv --backup=numbered {right} {quoted(aside)}"
        return f"{first} && {make}mv {source} {right}{kept}"


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
