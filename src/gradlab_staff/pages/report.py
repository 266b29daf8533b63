"""What a run of ``gradlab grade`` came to: a table for people, JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gradlab_staff.course import Assignment
from gradlab_staff.grading.verdict import Verdict
from gradlab_staff.intake.submitted import Misplaced, quoted
from gradlab_staff.text import clean, one_line

__all__ = ["Entry", "print_report", "to_json"]

_MIN_WIDTH = 160  # of a table that goes to a file


@dataclass(frozen=True)
class Entry:
    """One submission: its verdict, or why there is none in the gradebook.

    `misplaced` is what was handed in elsewhere, or without a notebook; a student may have a submission besides.
    """

    student: str
    verdict: Verdict | None
    error: str = ""
    cached: bool = False
    misplaced: Misplaced | None = None
    unread: tuple[str, ...] = ()
    """Where the notebook is as released: other files, which may hold the work, and were not read."""

    @classmethod
    def of(cls, misplaced: Misplaced) -> Entry:
        """Return the line on something that is not graded."""
        return cls(misplaced.student, None, str(misplaced), misplaced=misplaced)

    @property
    def state(self) -> str:
        """Return what happened, in a few words."""
        if self.misplaced:
            return f"not graded: {one_line(quoted(self.misplaced.path))}"
        if self.error:
            return "not graded"
        count = len(self.verdict.warnings) if self.verdict else 0
        graded = "unchanged" if self.cached else "graded"
        if self.unread:
            graded += f" as released; not read: {one_line(', '.join(self.unread), 60)}"
        words = [graded, f"{count} warning{'s' * (count > 1)}" if count else ""]
        return ", ".join(filter(None, words))


def to_json(assignment: Assignment, entries: Sequence[Entry]) -> str:
    """Return the run as one JSON object: scores, states, and the verdicts in full.

    What was misplaced comes first: who makes a table of the scores by student keeps those of the submissions.
    """
    entries = sorted(entries, key=lambda entry: entry.misplaced is None)
    submissions = [
        {
            "student": entry.student,
            "state": entry.state,
            "score": entry.verdict.score if entry.verdict and not entry.error else None,
            "max_score": entry.verdict.max_score if entry.verdict and not entry.error else None,
            "error": entry.error,
            "path": entry.misplaced.path if entry.misplaced else "",
            "command": entry.misplaced.command if entry.misplaced else "",
            "cached": entry.cached,
            "unread": entry.unread,
            "verdict": entry.verdict.to_dict() if entry.verdict else None,
        }
        for entry in entries
    ]
    return json.dumps({"assignment": assignment.name, "submissions": submissions}, indent=1)


def print_report(assignment: Assignment, entries: Sequence[Entry], console: Console) -> None:
    """Print the closing table, the warnings, and where to look next."""
    if not console.is_terminal:
        console.width = max(console.width, _MIN_WIDTH)
    console.print(_table(assignment, entries))
    for line in _notes(entries):
        console.print(line, highlight=False, soft_wrap=True)
    console.print(_summary(assignment, entries), highlight=False, soft_wrap=True)


def _table(assignment: Assignment, entries: Sequence[Entry]) -> Table:
    table = Table(title=f"{assignment.name}: points by exercise", title_justify="left", header_style="bold")
    table.add_column("student", no_wrap=True)
    for exercise in assignment.exercises:
        table.add_column(f"{exercise.name.replace('_', chr(10))}\n/{exercise.points:g}", justify="right")
    table.add_column(f"total\n/{sum(exercise.points for exercise in assignment.exercises):g}", justify="right")
    table.add_column("state")
    for entry in sorted(entries, key=lambda entry: entry.student):
        table.add_row(
            Text(one_line(entry.student) or "?"),
            *_scores(assignment, entry),
            Text(entry.state, "red" if entry.error else "bold yellow" if entry.unread else ""),
        )
    return table


def _scores(assignment: Assignment, entry: Entry) -> Iterator[Text]:
    results = {result.id: result for result in entry.verdict.exercises} if entry.verdict and not entry.error else {}
    for exercise in assignment.exercises:
        result = results.get(exercise.id)
        full = result is not None and result.score >= result.points
        yield Text(f"{result.score:g}" if result else "–", "green" if full else "")
    yield Text(f"{entry.verdict.score:g}" if entry.verdict and results else "–", "bold")


def _notes(entries: Sequence[Entry]) -> Iterator[Text]:
    """Yield the kit's own errors in full, then the warnings on submissions."""
    for entry in entries:
        if entry.error:
            yield Text(f"✗ {one_line(entry.student) or '?'}: {clean(entry.error)}", "red")
    for entry in sorted(entries, key=lambda entry: entry.student):
        for warning in entry.verdict.warnings if entry.verdict and not entry.error else ():
            yield Text(f"· {one_line(entry.student)}: {clean(warning)}")


def _summary(assignment: Assignment, entries: Sequence[Entry]) -> Text:
    misplaced = sum(bool(entry.misplaced) for entry in entries)
    failed = sum(bool(entry.error) for entry in entries) - misplaced
    graded = len(entries) - failed - misplaced
    lines = [f"{graded} of {len(entries)} submissions graded and entered in the gradebook."]
    if misplaced:
        lines.append(
            f"{misplaced} not graded, and given no score: elsewhere than expected, or no notebook that can be read. "
            "Run what is named above, then this command again."
        )
    if unread := sum(bool(entry.unread) for entry in entries):
        lines.append(f"{unread} graded as released, beside files that may hold the work. Look into these.")
    if failed:
        lines.append(
            f"{failed} not graded: no fault of the students' work. Fix what is named above, and run the command again."
        )
    if questions := len(assignment.questions):
        asked = f"{questions} question{'s' * (questions > 1)} of each submission still to be marked by hand"
        lines.append(f"{asked}: jupyter lab, then Nbgrader → Formgrader.")
    lines.append(f"For students: feedback/<student>/{assignment.name}/{assignment.name}.html. Grades: nbgrader export")
    return Text("\n".join(lines))
