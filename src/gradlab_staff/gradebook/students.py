"""``students.csv`` in the course's root: which student has which number in the learning management system."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from gradlab_staff.errors import CourseError
from gradlab_staff.intake.ids import fault_of_id

__all__ = ["read_students"]

_COLUMNS = ("lms_id", "id")


def read_students(file: Path) -> dict[str, str]:
    """Return the students' ids by the numbers in Canvas or Moodle; nothing where there is no such file.

    A spreadsheet's commas, semicolons or tabs, its byte order mark and further columns do no harm.

    Raises
    ------
    CourseError
        Where a column is missing, a number stands there twice, or an id cannot be one.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise CourseError(
            f"{file}: expected a table in UTF-8, got: {error}. Collected nothing. Save it as “CSV UTF-8”, and run it "
            "again."
        ) from error
    try:
        return _read(file, text)
    except csv.Error as error:
        raise CourseError(
            f"{file}: expected a table, got: {error}. Collected nothing. Is a quotation mark not closed?"
        ) from error


def _read(file: Path, text: str) -> dict[str, str]:
    head = next((line for line in text.split("\n") if line.strip()), "")
    rows = csv.reader(io.StringIO(text, newline=None), delimiter=max(",;\t", key=head.count), strict=True)
    columns = [column.strip().lower() for column in next((row for row in rows if any(map(str.strip, row))), [])]
    if missing := [name for name in _COLUMNS if columns.count(name) != 1]:
        raise CourseError(
            f"{file}: expected the columns lms_id and id, got {', '.join(columns) or 'none'}: {' and '.join(missing)} "
            "must stand there once. Collected nothing. Put them right, and run it again."
        )
    ids: dict[str, str] = {}
    for row in rows:
        cells = dict(zip(columns, (cell.strip() for cell in row), strict=False))
        if any(cells.values()):
            _add(ids, f"{file}, line {rows.line_num}", cells.get("lms_id", ""), cells.get("id", ""))
    return ids


def _add(ids: dict[str, str], where: str, lms_id: str, student: str) -> None:
    fault = f"{lms_id} twice" if lms_id in ids else "" if lms_id else "no lms_id"
    if not fault and (why := fault_of_id(student)):
        fault = f"the id {student!r}: {why}"
    if fault:
        raise CourseError(f"{where}: expected a number and an id, got {fault}. Collected nothing. Put it right.")
    ids[lms_id] = student
