"""A notebook's cells as a session runs them, and what a host says of them, which may be anything."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from gradlab_staff.course.magics import MAX_SOURCE_CHARS
from gradlab_staff.sandbox.failures import HostDiedError, HostTimedOutError, SubmissionError, submission_error
from gradlab_staff.sandbox.setup import Setup
from gradlab_staff.text import clean

__all__ = ["CellToRun", "Cells", "Failed", "failures_in", "place_in", "places_before"]

BAD_CELLS = 3
"""After so many cells that hung or ended the process, others of the student's own get less time; after twice as many,
none."""
AFTER_BAD_S = 3.0
_LATE = ("NameError", "ModuleNotFoundError", "FileNotFoundError")
"""How a statement fails that may need a cell further down: it is tried again after that."""
_QUOTED = re.compile(r"'(\w+)'")
_MAX_TOLD = 100  # of what a host says that failed in one cell

Ask = Callable[[dict[str, Any], float], Any]
"""Returns the host's answer to a request that is held to so much CPU time."""


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


class Cells:
    """The cells of one submission, as they are run in each host that it has; it `warn`s of what they leave undone."""

    def __init__(self, cells: Sequence[CellToRun], setup: Setup, warn: Callable[[str], None]) -> None:
        self.cells, self.setup, self._warn = cells, setup, warn
        self.at = (0, 0)
        """Place and line of the statement that runs, as the host has said."""
        self._ends: dict[int, int] = {}
        """Of the cells, by their numbers, that hung or ended the process: how many of their statements are run."""
        self._not_again: set[int] = set()
        """The cells that hung or ended the process when they were tried again: they are not tried again any more."""
        self._running, self._again = 0, False

    def run(self, ask: Ask, cell_s: float) -> None:
        """Run the cells in a fresh host, `cell_s` of CPU time each, up to one that ends it.

        That one is known and shorter the next time.

        Raises
        ------
        HostTimedOutError
            Where the submission has used up its time, which is no fault of one cell's alone.
        """
        try:
            self._run_all(ask, cell_s)
        except HostTimedOutError as error:
            if error.for_good:
                raise
            self._end(f"did not end within {error.within}")
        except HostDiedError as error:
            self._end("ended the process that ran it" + (f" ({error})" if error.limit_exceeded else ""))

    def _run_all(self, ask: Ask, cell_s: float) -> None:
        again = {number: late for number in range(len(self.cells)) if (late := self._run_cell(ask, cell_s, number))}
        for number, late in again.items():
            self._run_cell(ask, cell_s, number, late)
            id = self.cells[number].id
            for other in range(number + 1, len(self.cells)) if id else ():
                if self.cells[other].id == id and other not in again:
                    self._run_cell(ask, cell_s, other)  # once more: its definitions come last and count

    def _run_cell(self, ask: Ask, cell_s: float, number: int, repeated: Sequence[int] = ()) -> list[int]:
        """Run a cell, or `repeated` some of its statements; return those to try again after the cells below it."""
        cell = self.cells[number]
        bad = len(self._ends) >= BAD_CELLS and not cell.id
        only = places_before(repeated or cell.only, self._ends.get(number))
        keeps = sorted(self.setup.defined) if cell.kind == "own" else []
        request = {"label": cell.label, "source": cell.source, "only": only, "kind": str(cell.kind), "keeps": keeps}
        self.at, self._running, self._again = (0, 0), number, bool(repeated)
        try:
            failed, missing = failures_in(ask({"op": "run", **request}, min(cell_s, AFTER_BAD_S) if bad else cell_s))
        except SubmissionError as error:
            self._warn(f"{cell.label}: {error.kind}: {error.message}. Skipped the cell.")
            return []
        self._report_missing(cell, missing)
        late = any(one.error.kind in _LATE for one in failed)
        if late and not repeated and number not in self._not_again:
            return [one.place for one in failed]
        self._report(cell, [one for one in failed if not one.error.stub])
        return []

    def _report_missing(self, cell: CellToRun, missing: Sequence[str]) -> None:
        """Warn of what a module beside the notebook imports and grading has not."""
        for text in missing:
            self._warn(f"{cell.label}: {text}. Went on without it. Grading has {self.setup.packages.listed}.")

    def _report(self, cell: CellToRun, failed: Sequence[Failed]) -> None:
        """Warn of the statements of a cell that failed: of the first, with its reason, and where the others are."""
        if not failed:
            return
        first, *others = failed
        reason = ": ".join(filter(None, (first.error.kind, first.error.message))).removesuffix(".")
        if first.error.kind == "NameError" and (name := _QUOTED.search(reason)) and name[1] in self.setup.shown:
            reason += " (a demonstration defines it, and grading runs none that no solution needs)"
        has = f" Grading has {self.setup.packages.listed}." if first.error.kind == "ModuleNotFoundError" else ""
        lines = ", ".join(dict.fromkeys(str(other.line) for other in others if other.line != first.line))
        more = f" Also skipped, line{'s' * (',' in lines)} {lines}: what failed there." if lines else ""
        self._warn(f"{cell.label}, line {first.line}: {reason}. Skipped this statement.{has}{more}")

    def _end(self, what: str) -> None:
        """Leave out the statement that hung or ended the process, and what comes after it in its cell.

        Where it did so when it was tried again, it is not any more. Which statement it was, the host says: it is
        believed as long as fewer are left each time.
        """
        number, (place, line) = self._running, self.at
        where = self.cells[number].label + (f", line {line}" if line else "")
        if self._again:
            self._not_again.add(number)
            self._warn(f"{where}: {what} when it was tried again, after the cells below. Did not repeat it.")
            return
        self._ends[number] = place if place < self._ends.get(number, MAX_SOURCE_CHARS) else 0
        self._warn(f"{where}: {what}. Skipped the cell from there on.")
        if len(self._ends) >= 2 * BAD_CELLS:
            self._leave_out_later(number)

    def _leave_out_later(self, number: int) -> None:
        """Leave out the student's own cells below this one: too many have hung or ended the process."""
        below = range(number + 1, len(self.cells))
        later = [other for other in below if not self.cells[other].id and other not in self._ends]
        if later:
            labels = ", ".join(self.cells[other].label for other in later)
            self._warn(f"{labels}: skipped too, after {2 * BAD_CELLS} cells that hung or ended the process.")
        self._ends |= dict.fromkeys(later, 0)
