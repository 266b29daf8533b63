"""The limits of an assignment: the kit's own, and what ``gradlab.toml`` sets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gradlab_staff.course.model import Assignment
from gradlab_staff.course.settings import tables_of
from gradlab_staff.errors import CourseError
from gradlab_staff.sandbox.limits import Limits

__all__ = ["RANGES", "limits_of"]

RANGES = {
    "cpu_s": (10, 86_400),
    "wall_s": (20, 86_400),
    "check_s": (1, 3_600),
    "cell_s": (1, 3_600),
    "memory_mib": (512, 1 << 20),
    "processes": (8, 4_096),
    "file_mib": (1, 1 << 20),
    "open_files": (64, 65_536),
    "scratch_mib": (80, 1 << 20),
}
"""What may be set, and from where to where. With less than the least, not every honest notebook would run: NumPy and
Matplotlib alone need so much memory, and 64 MiB of the scratch are for what was handed in beside the notebook."""


def limits_of(assignment: Assignment) -> Limits:
    """Return the limits of an assignment's submissions.

    Raises
    ------
    CourseError
        Where ``gradlab.toml`` cannot be read, or sets what is no limit or is out of its range.
    """
    limits = Limits()
    for where, table in tables_of(assignment, "limits"):
        for name, value in table.items():
            _refuse(where, name, value)
        limits = replace(limits, **table)
        if limits.wall_s < limits.cpu_s:  # one core's wall time would end before its CPU time
            raise CourseError(
                f"{where}: expected wall_s of at least cpu_s, got {limits.wall_s} and {limits.cpu_s}. Fix it."
            )
    return limits


def _refuse(where: str, name: str, value: Any) -> None:
    if name not in RANGES:
        raise CourseError(f"{where}: expected the limits {', '.join(RANGES)}, got {name}. Fix it.")
    least, most = RANGES[name]
    whole = isinstance(getattr(Limits, name), int)
    kinds = (int,) if whole else (int, float)
    # no bool, which is an int, and no nan, which is in no range
    if type(value) not in kinds or not least <= value <= most:
        kind = "a whole number" if whole else "a number"
        raise CourseError(f"{where}: expected {name} = {kind} from {least} to {most}, got {value!r}. Fix it.")
