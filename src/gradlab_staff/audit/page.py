"""An audit for people: a table on the console, and one HTML page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from gradlab_staff.audit.report import AuditReport

__all__ = ["print_audit", "write_page"]

_COLUMNS = ("mutants", "killed", "justified", "holes")


def write_page(reports: Sequence[AuditReport], path: Path) -> None:
    """Write the HTML page of some audits."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    path.write_text(environment.get_template("page.html").render(reports=reports, columns=_COLUMNS), encoding="utf-8")


def print_audit(report: AuditReport, console: Console) -> None:
    """Print the table of the exercises, each hole as a diff, and what else falls short."""
    if not console.is_terminal:
        console.width = max(console.width, 120)
    for hole in report.holes:
        console.print(Text(f"hole {hole.id}: {hole.operator}, and no check noticed", "red"))
        console.print(Syntax(hole.diff, "diff", theme="ansi_dark", background_color="default"))
    for line in _faults(report):
        console.print(Text(f"✗ {line}", "red"), soft_wrap=True)
    console.print(_table(report))
    for line in _summary(report):
        console.print(line, highlight=False, soft_wrap=True)


def _faults(report: AuditReport) -> Iterator[str]:
    for one in report.missed:
        yield f"{one.id}: expected this misconception to lose a point of {one.exercise}, it lost none"
    for one in report.doubly:
        yield f"{one.id}: expected to lose points in {one.exercise} alone, lost {', '.join(one.others)}"
    for one in report.unnamed:
        yield f"{one.id}: expected the diagnosis to name this misconception, it named {one.cause or 'none'}"
    for one in report.misnamed:
        yield f"{one.id}: the cause that is named, {one.cause}, is not the right one"
    for paid in report.paid:
        earned = f"it earned {paid.share:.0%} by {', '.join(paid.checks)}"
        yield f"{paid.id}: expected this trivial answer to earn nothing of {paid.exercise}, {earned}"
    for name, checks in report.rejected.items():
        yield f"variant {name}: expected full marks, lost {', '.join(checks)}"
    for line in report.contradictions:
        yield f"recorded as equivalent, but lost points: {line}"
    for id in report.stale:
        yield f"{id}: recorded as equivalent, but no mutant has this id. Delete the entry."
    for one_steady in report.steady:
        if one_steady.flips:
            what = f"{one_steady.flips} of {one_steady.runs} runs differ in {', '.join(one_steady.checks)}"
            yield f"{one_steady.submission}: {what}"
    yield from report.errors


def _table(report: AuditReport) -> Table:
    table = Table(title=f"{report.assignment}: the audit", title_justify="left", header_style="bold")
    table.add_column("exercise")
    for name in (*_COLUMNS, "lost points"):
        table.add_column(name, justify="right")
    for exercise, row in report.exercises().items():
        share = f"{100 * row['killed'] / row['mutants']:.1f} %" if row["mutants"] else "–"
        table.add_row(exercise, *(str(row[name]) for name in _COLUMNS), share)
    return table


def _summary(report: AuditReport) -> Iterator[str]:
    numbers = report.summary()
    lost = numbers["misconceptions"] - numbers["misconceptions_missed"]
    yield f"{lost} of {numbers['misconceptions']} misconceptions lose points."
    yield f"{numbers['trivial'] - numbers['trivial_paid']} of {numbers['trivial']} trivial answers earn nothing."
    yield f"{numbers['variants'] - numbers['rejected']} of {numbers['variants']} right variants get full marks."
    yield f"{numbers['double_jeopardy']} wrong solutions cost points in an exercise of others."
    if numbers["runs"]:
        yield f"{numbers['flips']} of {numbers['runs']} repeated runs changed their verdict."
    for kind, causes in numbers["causes"].items():
        named = f"{causes['named']} named, {causes['right']} rightly"
        yield f"Causes: of {causes['lost']} {kind}s that lost points {named}."
    yield f"Seed {report.seed}; {report.seconds:.0f} s; {report.faults} to fix."
