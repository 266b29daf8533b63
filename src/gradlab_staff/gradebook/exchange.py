"""nbgrader's exchange: submissions collected as intake would take them, and pages that go back to whom they concern.

The exchange's inbound folder is open to all students: names, dates, links and pipes in it are theirs.
"""

from __future__ import annotations

import fnmatch
import glob
import os
import pwd
import re
import shutil
import stat
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from gradlab_staff.course import Course
from gradlab_staff.errors import GradlabError
from gradlab_staff.gradebook import _nbgrader as nbgrader
from gradlab_staff.gradebook.collecting import copy_work, owned_by
from gradlab_staff.gradebook.folders import MAX_SMALL_BYTES, SECRET, STAMP
from gradlab_staff.intake.files import Folder, HandedIn, read_file
from gradlab_staff.intake.ids import fault_of_id
from gradlab_staff.intake.inbox import open_inbox
from gradlab_staff.intake.stamps import read_stamp
from gradlab_staff.text import one_line

__all__ = ["Collect", "ReleaseFeedback"]

_MAX_NAMES = 20  # of one student's notebooks
_NOT_DATES = (ValueError, ArithmeticError, TypeError)  # what dateutil raises for text that is none


class Collect(nbgrader.ExchangeCollect):  # type: ignore[misc]  # nbgrader has no types
    """``nbgrader collect`` that follows no link, waits for no pipe, fills no disk, and loses no class to one student.

    Every student may write any name into the inbound folder: one that nbgrader cannot read is named and skipped.
    """

    src_records: list[dict[str, Any]]

    def init_src(self) -> None:
        """Find the newest submission of each student among those that can be read."""
        super().init_src()
        self.src_records = [record for record in self.src_records if record["username"]]

    def _path_to_record(self, path: str) -> dict[str, Any]:
        """Return student and time by a folder's name; a record of nobody, which `init_src` drops, where it has none."""
        try:
            record: dict[str, Any] = super()._path_to_record(path)
            fault = fault_of_id(record["username"])
            name = one_line(record["username"]) or "an empty name"
            fault = f"{name} is no id of a student: {fault}" if fault else ""
            fault = fault or ("" if stat.S_ISDIR(os.lstat(path).st_mode) else "it is a link, or no folder")
        except (OSError, nbgrader.ExchangeError, *_NOT_DATES):
            fault = "its name holds no date"
        if not fault:
            return record
        self.log.error("%s: expected a student's submission, got none: %s. Skipped it.", one_line(path, 300), fault)
        return {"username": "", "filename": "", "timestamp": nbgrader.parse_utc("1970-01-01")}

    def copy_files(self) -> None:
        """Collect the submissions, one after the other, and say at the end which could not be.

        Raises
        ------
        ExchangeError
            Where a copy cannot be written. What could be collected is.
        """
        self.log.info("Processing %d submissions of '%s'", len(self.src_records), self.coursedir.assignment_id)
        failed = []
        try:
            with open_inbox(Course(Path(self.coursedir.root))) as inbox:
                for record in self.src_records:
                    try:
                        self._collect(record, inbox.place())
                    except OSError as error:
                        self.log.error("%s: expected to copy the submission, got: %s.", record["username"], error)
                        failed.append(record["username"])
        except GradlabError as error:
            self.fail(str(error))
        if failed:
            self.fail(f"Not collected: {', '.join(failed)}. Free some space or fix permissions, and collect again.")

    def _collect(self, record: dict[str, Any], place: Path) -> None:
        student, assignment = record["username"], self.coursedir.assignment_id
        source = Path(os.path.realpath(self.inbound_path), record["filename"])
        status = os.lstat(source)
        if self.check_owner:
            self._check_owner(source, student, status.st_uid)
        dest = Path(self.coursedir.format_path(self.coursedir.submitted_directory, student, assignment))
        if os.path.lexists(dest) and not self._is_wanted(dest, record["timestamp"]):
            self.log.info("Submission already exists, use --update to get a newer one: %s %s", student, assignment)
            return
        self.log.info("Collecting submission: %s %s", student, assignment)
        with Folder.open(source) as folder:
            refused = copy_work((owned_by(file, status.st_uid) for file in self._included(folder)), place)
        for line in refused:
            self.log.error("%s %s: expected a file, got %s. Did not collect it.", student, assignment, line)
        self._stamp(place / STAMP, record)
        self._lay(place, dest)

    def _check_owner(self, source: Path, student: str, uid: int) -> None:
        try:
            owner = pwd.getpwuid(uid).pw_name
        except KeyError:
            owner = "unknown id"
        if owner != student:
            self.log.warning(
                "%s claims to be submitted by %s but is owned by %s; cheating attempt? On a hub where all have one "
                "account, set c.ExchangeCollect.check_owner = False",
                *(source, student, owner),
            )

    def _is_wanted(self, dest: Path, timestamp: Any) -> bool:
        """Return whether a submission takes the place of the one that has been collected, by nbgrader's rules."""
        existing = _date_in(dest / STAMP)
        newer = existing is None or timestamp > existing
        return bool((self.update and newer) or (self.before_duedate and existing != timestamp))

    def _included(self, folder: Folder) -> Iterator[HandedIn]:
        """Yield the files that nbgrader's settings let through; the sizes in them give way to intake's bounds."""
        ignore, include = self.coursedir.ignore, self.coursedir.include
        for file in folder.files():
            ignored = any(fnmatch.fnmatch(part, pattern) for part in file.path.parts for pattern in ignore)
            if not ignored and any(fnmatch.fnmatch(file.path.name, pattern) for pattern in include):
                yield file

    def _stamp(self, stamp: Path, record: dict[str, Any]) -> None:
        """See that there is a time stamp: where the file does not say when, the folder's name in the exchange does."""
        said, name = _date_in(stamp), record["filename"].rsplit("+", 3)[2]
        if said is None:
            stamp.write_text(name, encoding="utf-8")
        if said != record["timestamp"]:
            got = "no date" if said is None else f"{said} UTC. Kept that"
            self.log.warning(
                "%s: expected %s to say %s, as the exchange does, got %s.", record["username"], STAMP, name, got
            )

    def _lay(self, place: Path, dest: Path) -> None:
        """Move a whole submission into place: one that is interrupted is collected by the next run."""
        shared = self.coursedir.groupshared
        self.set_perms(place, 0o664 if shared else 0o644, 0o2775 if shared else 0o755)
        dest.parent.mkdir(parents=True, exist_ok=True)
        if dest.is_symlink():
            dest.unlink()
        elif dest.is_dir():
            shutil.rmtree(dest)
        shutil.move(place, dest)


def _date_in(stamp: Path) -> datetime | None:
    """Return what a file says of when a submission came, in UTC, as intake will read it; None where it does not."""
    try:
        return read_stamp(read_file(stamp, MAX_SMALL_BYTES)).time
    except (OSError, ValueError):
        return None


class ReleaseFeedback(nbgrader.ExchangeReleaseFeedback):  # type: ignore[misc]  # nbgrader has no types
    """``nbgrader release_feedback`` that releases gradlab's page and no other file, and ends with no single student.

    nbgrader gives each page a name made of the submission's secret and the notebook's name. ``fetch_feedback`` asks for
    the names that the student gave the notebooks, so that the page is released under each of these.
    """

    def copy_files(self) -> None:
        """Release the page of each student, and name those who cannot fetch theirs."""
        coursedir = self.coursedir
        assignment, excluded = coursedir.assignment_id, coursedir.student_id_exclude.split(",")
        folders = coursedir.format_path(coursedir.feedback_directory, "(?P<id>.*)", assignment, escape=True)
        named = re.compile(folders, re.DOTALL)
        for folder in sorted(glob.glob(self.src_path)):
            match = named.fullmatch(folder)
            if match is None or match["id"] in excluded:
                continue
            page = Path(folder, f"{assignment}.html")
            if not page.is_file():
                self.log.error("%s: expected a page, got none. Released none. Run: gradlab grade %s", page, assignment)
                continue
            try:
                why = self._release(match["id"], page)
            except (OSError, ValueError) as error:
                why = str(error)
            if why:
                self.log.error(
                    "%s %s: expected feedback that can be fetched, got %s. Hand over %s yourself.",
                    *(match["id"], assignment, why, page),
                )

    def _release(self, student: str, page: Path) -> str:
        """Release a page; return why its student cannot fetch it, or nothing."""
        handed_in = self._handed_in(student)
        if not (handed_in is None or SECRET in handed_in) or not os.path.lexists(page.with_name(SECRET)):
            return f"no {SECRET}, as of what was not handed in through the exchange"
        secret = read_file(page.with_name(SECRET), MAX_SMALL_BYTES).decode().replace("\r\n", "\n")
        if not secret.strip():
            return f"an empty {SECRET}"
        names = [os.path.splitext(name)[0] for name in handed_in or () if name.endswith(".ipynb")][:_MAX_NAMES]
        for name in {page.stem, *names}:
            to = Path(self.dest_path, f"{nbgrader.notebook_hash(secret=secret, notebook_id=name)}.html")
            shutil.copy(page, to.with_name(f"{to.stem}-tmp.html"))
            os.replace(to.with_name(f"{to.stem}-tmp.html"), to)  # whoever fetches finds the old page or the new one
        self.log.info("Released feedback: %s %s", student, page.stem)
        if names or handed_in is None:
            return ""
        return "no notebook at the top of what was handed in, where fetch_feedback looks"

    def _handed_in(self, student: str) -> list[str] | None:
        """Return the names at the top of the submission; None where it was moved away after grading."""
        coursedir = self.coursedir
        submitted = Path(coursedir.format_path(coursedir.submitted_directory, student, coursedir.assignment_id))
        try:
            with Folder.open(submitted) as folder:
                return [file.path.name for file in folder.files() if len(file.path.parts) == 1]
        except OSError:
            return None
