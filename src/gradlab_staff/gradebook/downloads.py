"""``nbgrader zip_collect`` for downloads from Canvas and Moodle: files sorted by student, within intake's bounds."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from gradlab_staff.errors import CourseError
from gradlab_staff.gradebook import _nbgrader as nbgrader
from gradlab_staff.gradebook.collecting import copy_work
from gradlab_staff.gradebook.folders import SECRET, STAMP
from gradlab_staff.gradebook.students import read_students
from gradlab_staff.gradebook.zip_names import Named, Version, name_of, newest
from gradlab_staff.intake.archives import files_in, open_zip
from gradlab_staff.intake.files import MAX_NOTEBOOK_BYTES, Folder, HandedIn, copy_file
from gradlab_staff.intake.ids import fault_of_id
from gradlab_staff.text import one_line

__all__ = ["LmsCollector", "LmsExtractor"]

_STUDENTS = "students.csv"
_AGAIN = re.compile(r" ?\((\d{1,4})\)$")
_MAX_NAMED = 20
_MAX_PLAIN_BYTES = 8 << 30  # of all that is unpacked for an instructor's own collector
_PACKED = (".gz", ".tar", ".7z", ".rar", ".bz2", ".xz", ".tgz")

Found = tuple[PurePosixPath, HandedIn]
"""The download that a file was in, and the file; the path of the download is empty for files that lie loose."""


class LmsExtractor(nbgrader.ExtractorPlugin):  # type: ignore[misc]  # nbgrader has no types
    """Sorts the files of downloads into a folder for each student; `LmsCollector` then says whose each is.

    Where the instructor set a ``named_regexp`` or a collector of their own, it only unpacks, as nbgrader's does.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.placed: dict[str, tuple[str, str]] = {}

    def extract(self, archive_path: str, extracted_path: str) -> None:
        """Sort, or unpack, what lies in the folder of downloads.

        Raises
        ------
        SystemExit
            Where ``students.csv`` is wrong, or copies cannot be written: as nbgrader ends a command.
        """
        collector = self.parent.collector_plugin_inst
        is_ours = isinstance(collector, LmsCollector) and not collector.named_regexp
        try:
            with contextlib.ExitStack() as opened:
                folder = opened.enter_context(Folder.open(Path(archive_path).resolve()))
                if is_ours:
                    files = _oldest_first(folder.files(), Path(archive_path))
                    self._sort(self._found(files, opened), Path(extracted_path))
                else:
                    _Unpacking(Path(extracted_path), self._refuse).lay(folder.files(), opened)
        except CourseError as error:
            self.parent.fail(str(error))
        except OSError as error:
            self.parent.fail(f"{extracted_path}: expected to write what was downloaded, got: {error}. Free some space.")

    def _refuse(self, what: object, why: str) -> None:
        self.log.error("%s: %s", one_line(what, 300), why)

    def _found(self, files: Iterable[HandedIn], opened: contextlib.ExitStack) -> Iterator[Found]:
        """Yield the files of the downloads, and those that lie loose; a zip that a student handed in is one file."""
        for file in files:
            is_zip = file.path.suffix.lower() == ".zip" and not file.fault
            inside = _inside(file, opened) if is_zip else ""
            if is_zip and name_of(file.path):
                if isinstance(inside, list) and any(name_of(one.path) for one in inside):
                    self._refuse(
                        file.path,
                        "expected a download or what one student handed in, got a zip that may be either. Did not "
                        "collect it. If it is a download, rename it to download.zip.",
                    )
                else:
                    yield PurePosixPath(), file
            elif isinstance(inside, list):
                yield from ((file.path, one) for one in inside)
            elif inside:
                self._refuse(file.path, f"expected a zip of Canvas or Moodle, got: {inside}. Collected none of it.")
            else:
                yield PurePosixPath(), file

    def _sort(self, found: Iterable[Found], extracted: Path) -> None:
        ids = read_students(Path(self.parent.coursedir.root, _STUDENTS))
        taken: dict[str, str] = {}
        people = self._people(found)
        for number in sorted(people, key=lambda number: (number not in ids, number)):
            student = self._student(number, people[number], ids, taken)
            if student:
                taken[student] = number
                self._lay(student, people[number], extracted / student)

    def _people(self, found: Iterable[Found]) -> dict[str, dict[Named, HandedIn]]:
        """Return the files by the number of their student; what neither Canvas nor Moodle names so is refused."""
        people: dict[str, dict[Named, HandedIn]] = {}
        odd, before = [], dict[Named, PurePosixPath]()
        for download, file in found:
            named = name_of(file.path)
            if named is None:
                odd.append(download / file.path)
                continue
            files = people.setdefault(named.number, {})
            if named in files and not named.order:
                by = "the number in its name" if _base(download) == _base(before[named]) else "the time of the file"
                self._refuse(
                    download / file.path,
                    f"is in two downloads. Took the one of {download.name}, and not of {before[named].name or '.'}: it "
                    f"is newer, by {by}.",
                )
            files[named], before[named] = file, download
        for path in odd[:_MAX_NAMED]:
            self._refuse(path, "expected a name that Canvas or Moodle gives, got another. Did not collect it.")
        if len(odd) > _MAX_NAMED:
            self._refuse(f"and {len(odd) - _MAX_NAMED} more", "did not collect them.")
        return people

    def _student(self, number: str, files: dict[Named, HandedIn], ids: dict[str, str], taken: dict[str, str]) -> str:
        """Return the student's id, or nothing where it is not clear whose the files are."""
        names = sorted({named.who for named in files})
        if len(names) > 1:  # Canvas lets students choose a name that reads like a name with another's number
            who = ", ".join(one_line(name, 60) for name in names[:5])
            self._refuse(number, f"expected one student by this number, got {who}. Collected nothing of theirs.")
            return ""
        student = ids.get(number, number)
        if ids and number not in ids:
            self._refuse(number, f"is not in {_STUDENTS} ({one_line(names[0], 60)}). Collected under its number.")
        if student in taken and student != number:
            self._refuse(number, f"is {student} in {_STUDENTS}, as {taken[student]} is. Collected under its number.")
            student = number
        if fault := "it is another's" if student in taken else fault_of_id(student):
            self._refuse(student, f"expected the id of a student: {fault}. Collected nothing of theirs.")
            return ""
        if any(named.is_late for named in files):
            self.log.warning(
                "%s: LATE, says Canvas, but not since when. For a late penalty, write the time to submitted/%s/%s/%s.",
                *(student, student, self.parent.coursedir.assignment_id, STAMP),
            )
        return student

    def _lay(self, student: str, files: dict[Named, HandedIn], into: Path) -> None:
        """Lay a student's files, each under its own name, and say which of several versions was taken."""
        chosen = []
        for version in newest(files, f"{self.parent.coursedir.assignment_id}.ipynb"):
            if version.path.parts in ((STAMP,), (SECRET,)):
                self._refuse(f"{student}: {version.path}", "is not a student's to hand in. Did not collect it.")
                continue
            if version.older:
                self.log.warning("%s: %s", student, _about(version))
            chosen.append(replace(files[version.of], path=version.path))
        for line in copy_work(chosen, into):
            self._refuse(student, f"expected a file, got {line}. Did not collect it.")
        for file in chosen:
            self.placed[os.path.normpath(into / file.path)] = student, str(file.path)


def _oldest_first(files: Iterable[HandedIn], folder: Path) -> list[HandedIn]:
    """Return files that lie loose, then the downloads with the newest last.

    Browsers number what they download again: ``x (1).zip`` is newer than ``x.zip``. Of others, the file's time tells.
    """
    found = list(files)
    zips = [file for file in found if file.path.suffix.lower() == ".zip"]
    times = {file.path: os.lstat(folder / file.path).st_mtime for file in zips}
    newest: dict[PurePosixPath, float] = {}
    for path, time in times.items():
        newest[_base(path)] = max(time, newest.get(_base(path), time))
    zips.sort(key=lambda file: (newest[_base(file.path)], _base(file.path), _number(file.path)))
    return [*(file for file in found if file not in zips), *zips]


def _base(download: PurePosixPath) -> PurePosixPath:
    return download.with_name(_AGAIN.sub("", download.stem)) if download.name else download


def _number(download: PurePosixPath) -> int:
    match = _AGAIN.search(download.stem)
    return int(match[1]) if match else 0


def _about(version: Version) -> str:
    times, older = len(version.older) + 1, ", ".join(one_line(named.path) for named in version.older)
    return f"handed in {one_line(version.path)} {times} times. Took {one_line(version.of.path)}, not {older}."


class LmsCollector(nbgrader.FileNameCollectorPlugin):  # type: ignore[misc]  # nbgrader has no types
    """Says whose each file is that `LmsExtractor` sorted; by ``named_regexp``, as nbgrader's, where that is set."""

    def collect(self, submitted_file: str) -> Any:
        """Return student and file; None where the file is to be skipped."""
        placed = getattr(self.parent.extractor_plugin_inst, "placed", None)
        if self.named_regexp or placed is None:
            return super().collect(submitted_file)
        student, file = placed.get(os.path.normpath(submitted_file), ("", ""))
        return {"student_id": student, "file_id": file} if student else None


def _inside(file: HandedIn, opened: contextlib.ExitStack) -> list[HandedIn] | str:
    """Return what is in a zip, open as long as `opened` is, or why it cannot be read."""
    try:
        archive = opened.enter_context(open_zip(opened.enter_context(file.open())))
        inside = list(files_in(archive))
        seen = {one.path for one in inside}
        paths = {PurePosixPath(member.filename) for member in archive.infolist() if not member.is_dir()} - seen
        others = [path for path in sorted(paths) if path.parts and not _is_macs(path)]
        return [*inside, *(HandedIn(path, 0, file.open, "hidden, or leads out of the folder") for path in others)]
    except Exception as error:  # noqa: BLE001 (whatever an archive makes its reader raise)
        return str(error) if isinstance(error, ValueError) else "no zip archive"


def _is_macs(path: PurePosixPath) -> bool:
    """Return whether macOS has written it, and nobody knows."""
    return path.parts[0] == "__MACOSX" or path.name.startswith("._") or path.name == ".DS_Store"


class _Unpacking:
    """Unpacks downloads where an instructor's own collector reads the names: zips, and zips in them, bounded."""

    def __init__(self, into: Path, refuse: Any) -> None:
        self.into = into
        self.refuse = refuse
        self.room = _MAX_PLAIN_BYTES

    def lay(self, files: Iterable[HandedIn], opened: contextlib.ExitStack, below: str = "", depth: int = 0) -> None:
        """Copy the files below a folder, and what is in zips into a folder of the zip's name."""
        for file in files:
            inside = _inside(file, opened) if file.path.suffix.lower() == ".zip" and depth < 2 else None
            if isinstance(inside, list):
                self.lay(inside, opened, str(PurePosixPath(below, file.path.with_suffix(""))), depth + 1)
                continue
            to = self.into / below / file.path
            why = file.fault or inside or copy_file(file, to, min(self.room, MAX_NOTEBOOK_BYTES))
            if why:
                self.refuse(PurePosixPath(below, file.path), f"expected a file, got: {why}. Did not unpack it.")
                continue
            self.room -= to.stat().st_size
            if file.path.suffix.lower() in _PACKED:
                self.refuse(file.path, "only zips are unpacked. Unpack it yourself, or set nbgrader's own extractor.")
