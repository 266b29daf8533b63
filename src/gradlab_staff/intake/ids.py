"""The ids of students: which folder names of ``submitted/`` can be one, and a plain one for those that cannot."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

__all__ = ["MAX_ID_CHARS", "fault_of_id", "plain_id"]

MAX_ID_CHARS = 128
"""The longest student id: what nbgrader's gradebook holds."""


def fault_of_id(student: str) -> str:
    """Return why this cannot be the id of a student, or nothing.

    nbgrader reads ``[``, ``]``, ``*`` and ``?`` in an id as a pattern, which may be another student's, and strips
    blanks around it, so that ``--student`` and formgrader's buttons would never find such a student; ``..`` leads out
    of ``submitted/``.

    >>> fault_of_id("student_01"), fault_of_id("a[b]")
    ('', 'it holds one of / * ? [ ]')
    """
    if not student.strip():
        return "it is empty"
    if student != student.strip():
        return "it begins or ends with a blank"
    if student.startswith("."):
        return "it begins with a dot"
    if set(student) & set("/*?[]"):
        return "it holds one of / * ? [ ]"
    if any(unicodedata.category(char)[0] == "C" for char in student):
        return "it holds a control character, or bytes that are no text"
    return f"it has more than {MAX_ID_CHARS} characters" if len(student) > MAX_ID_CHARS else ""


def plain_id(student: str, folder: Path) -> str:
    """Return an id without what makes this one no id, and that nothing in the folder has as its name.

    >>> plain_id(" a[b]", Path("nowhere"))
    'a_b'
    """
    plain = re.sub(r"[^\w.@+,'% -]+", "_", student).strip("_. ")[: MAX_ID_CHARS - 4] or "student"
    names = (plain, *(f"{plain}_{number}" for number in range(2, 1000)))
    return next(name for name in names if not (folder / name).exists())
