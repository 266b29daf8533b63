"""What ``gradlab audit`` does: audits with a bar on stderr, findings on stdout."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from gradlab_staff.audit.audit import AuditOptions, audit, forget
from gradlab_staff.audit.page import print_audit, write_page
from gradlab_staff.course import Assignment
from gradlab_staff.errors import CourseError

__all__ = ["run_audits"]


def run_audits(
    assignments: Sequence[Assignment], options: Mapping[str, Any], *, as_json: bool, page: Path | None
) -> bool:
    """Audit each, print what was found, and return whether there is nothing to fix.

    Raises
    ------
    CourseError
        Where the exercise that was asked for does not exist.
    """
    asked = AuditOptions(**options)
    known = [exercise.name for assignment in assignments for exercise in assignment.exercises]
    if asked.exercise is not None and asked.exercise not in known:
        raise CourseError(f"{asked.exercise}: expected an exercise, got an unknown name. Known: {', '.join(known)}.")
    reports = []
    for assignment in assignments:
        with _bar(assignment.name) as (progress, on_finding):
            reports.append(audit(assignment, asked, progress, on_finding))
        if not as_json:
            print_audit(reports[-1], Console())
    if as_json:
        sys.stdout.write(json.dumps({report.assignment: report.to_dict() for report in reports}, indent=1) + "\n")
    if page is not None:
        write_page(reports, page)
    for assignment in assignments:  # not before: one that is run again goes on with the assignment that it was at
        forget(assignment)
    return not any(report.faults for report in reports)


@contextlib.contextmanager
def _bar(name: str) -> Iterator[tuple[Callable[[str, int, int], None], Callable[[str], None]]]:
    """Show a bar on stderr (in a log a line for each tenth of a stage), and give what to call as the audit goes on.

    What is found is written at once: an audit of an hour that is ended from outside has not been for nothing.
    """
    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    logged: set[tuple[str, int]] = set()
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(name)

        def progress(stage: str, done: int, total: int) -> None:
            bar.update(task, description=f"{name}: {stage}", completed=done, total=total)
            tenth = stage, 10 * done // max(total, 1)
            if not console.is_terminal and tenth not in logged:
                logged.add(tenth)
                console.print(f"{name}: {stage}, {done} of {total}", highlight=False)

        def on_finding(finding: str) -> None:
            bar.console.print(f"{name}: {finding}", highlight=False, markup=False, soft_wrap=True)

        yield progress, on_finding
