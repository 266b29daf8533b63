"""formgrader's list of submissions, which reads the time stamps in ``submitted/`` by itself."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from gradlab_staff.gradebook import _nbgrader as nbgrader
from gradlab_staff.intake.files import read_file
from gradlab_staff.intake.stamps import read_stamp

__all__ = ["set_up_formgrader"]


def set_up_formgrader() -> None:
    """Have formgrader read time stamps as grading does; ``nbgrader_config.py`` calls it.

    By nbgrader's own reading, one stamp with a byte-order mark breaks the page of the whole class (HTTP 500), and one
    with an offset looks like a submission that is still to be graded. There is no setting for it: so one method of
    nbgrader's class is replaced.
    """
    nbgrader.NbGraderAPI.get_submitted_timestamp = _submitted_timestamp


def _submitted_timestamp(self: Any, assignment_id: str, student_id: str) -> datetime | None:
    """Return when a submission was handed in, in UTC; None where it has no time stamp, or one that does not say."""
    coursedir = self.coursedir
    folder = coursedir.format_path(coursedir.submitted_directory, student_id, assignment_id)
    try:
        return read_stamp(read_file(Path(folder, "timestamp.txt"), 1000)).time
    except (OSError, ValueError):  # none, or a link
        return None
