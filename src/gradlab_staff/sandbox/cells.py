"""A notebook's cells as a session runs them, and what a host says of them, which may be anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from gradlab_staff.course.magics import MAX_SOURCE_CHARS
from gradlab_staff.sandbox.failures import SubmissionError, submission_error
from gradlab_staff.text import clean

__all__ = ["CellToRun", "Failed", "failures_in", "place_in", "places_before"]

_MAX_TOLD = 100  # of what a host says that failed in one cell


class CellToRun(Protocol):
    """What a session needs to know of a cell."""

    @property
    def id(self) -> str:
        """Return the id of one of the assignment's cells; nothing for the student's own."""

    @property
    def label(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def kind(self) -> str:
        """Return "given" for the assignment's own code, "stub" for a solution cell as released, else another word."""

    @property
    def only(self) -> tuple[int, ...] | None:
        """Return the places of the statements to run; None for all of them."""


@dataclass(frozen=True)
class Failed:
    """A statement of a cell that failed: its place in the cell, its line, and how."""

    place: int
    line: int
    error: SubmissionError


def failures_in(answer: Any) -> tuple[list[Failed], list[str]]:
    """Return the statements that failed, and what was missing beside, from an answer that may hold anything."""
    fields = answer if type(answer) is dict else {}
    failed, missing = (value if type(value := fields.get(key)) is list else [] for key in ("failed", "missing"))
    items = [item for item in failed if type(item) is list and len(item) == 3]
    return (
        [Failed(*place_in(item[:2]), submission_error(item[2])) for item in items[:_MAX_TOLD]],
        [clean(text, 300) for text in missing[:_MAX_TOLD] if type(text) is str],
    )


def place_in(pair: Any) -> tuple[int, int]:
    """Return place and line of a statement, from a message that may hold anything."""
    if (
        type(pair) is list
        and [type(part) for part in pair] == [int, int]
        and all(0 <= part <= MAX_SOURCE_CHARS for part in pair)
    ):
        return pair[0], pair[1]
    return 0, 0


def places_before(only: Sequence[int] | None, end: int | None) -> list[int] | None:
    """Return the places of the statements to run, before the `end`; None for all of them."""
    if end is None:
        return None if only is None else list(only)
    return list(range(end)) if only is None else [place for place in only if place < end]
