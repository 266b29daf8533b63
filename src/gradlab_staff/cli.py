"""The commands of the staff: each parses, builds one config, and calls one function."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gradlab_staff.course import Assignment, Course
from gradlab_staff.errors import CourseError, GradebookError, GradlabError
from gradlab_staff.text import clean

if TYPE_CHECKING:  # imported where they are used: help answers at once
    from gradlab_staff.gradebook import Gradebook
    from gradlab_staff.grading.batch import Graded
    from gradlab_staff.grading.run import GradeOptions
    from gradlab_staff.intake.submitted import Misplaced, Submitted
    from gradlab_staff.pages.report import Entry

__all__ = ["main"]


class _Group(click.Group):
    """Commands that end with one clear message, and no traceback, where the kit cannot do what was asked."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands, each with the first sentence of its help as a whole: click cuts it at 45 characters."""
        commands = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        rows = [(name, command.get_short_help_str(limit=1000)) for name, command in commands.items() if command]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an error of ours ends it with exit code 1.

        Raises
        ------
        click.ClickException
            Where the kit cannot do what was asked.
        """
        try:
            return super().invoke(ctx)
        except GradlabError as error:
            raise click.ClickException(clean(str(error))) from error  # it may name a folder that a student named


@click.group(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 something failed, 2 wrong usage.",
)
@click.option("--course", type=click.Path(path_type=Path), help="The course's folder, or one in it.  [default: here]")
@click.version_option(package_name="gradlab")
@click.pass_context
def main(ctx: click.Context, course: Path | None) -> None:
    """Release, grade and record the assignments of a course."""
    ctx.obj = course


def _course(ctx: click.Context) -> Course:
    try:
        return Course.find(ctx.obj)
    except CourseError as error:
        raise click.UsageError(str(error), ctx) from error


def _assignment(ctx: click.Context, name: str) -> Assignment:
    """Return the assignment that was asked for; an unknown name is wrong usage."""
    course = _course(ctx)
    try:
        return course.assignment(name)
    except CourseError as error:
        raise click.UsageError(str(error), ctx) from error


@main.command(epilog="Example: gradlab new linear_regression")
@click.argument("name")
@click.pass_context
def new(ctx: click.Context, name: str) -> None:
    """Make a working assignment NAME of one exercise, recorded and released, to be rewritten."""
    course = _course(ctx)
    from gradlab_staff.releasing.new import new as make
    from gradlab_staff.releasing.new import why_no_name

    if why := why_no_name(name):
        raise click.UsageError(why, ctx)
    made = make(course, name)
    for path in (*made.written, *made.made):
        click.echo(path)
    click.echo(f"It works as it stands: pytest tests/graders/{name} && pytest tests/course -k {name}")
    click.echo(f"Rewrite it: jupyter lab {made.written[0]}   (how: docs/new-assignment.md)")


@main.command(epilog="Example: gradlab release dropout")
@click.argument("name")
@click.pass_context
def release(ctx: click.Context, name: str) -> None:
    """Make the student version of assignment NAME, and prove that it leaks nothing and runs."""
    assignment = _assignment(ctx, name)
    from gradlab_staff.releasing.release import release as make

    report = make(assignment)
    for exercise, points in report.exercises.items():
        click.echo(f"{points:6g} points  {exercise}")
    click.echo(f"release/{name}/ ({', '.join(report.files)}): made, leaks nothing, runs up to the first stub.")
    if report.not_graded:
        click.echo(f"The hidden graders did not run on your own solution: {report.not_graded}", err=True)
    else:
        click.echo("The hidden graders pass on your own solution.")
    click.echo(f"Work through it as a student would: jupyter lab release/{name}/{name}.ipynb")


@main.command(epilog="Example: gradlab record dropout")
@click.argument("name")
@click.pass_context
def record(ctx: click.Context, name: str) -> None:
    """Record the reference outputs of assignment NAME from the instructor notebook."""
    assignment = _assignment(ctx, name)
    from gradlab_staff.releasing.record import record as make

    make(assignment)
    click.echo(f"reference/{name}.json: recorded. See what changed: git diff reference/{name}.json")


@dataclass(frozen=True)
class GradeRun:
    """What ``gradlab grade`` was asked for."""

    assignment: Assignment
    submissions: dict[str, Path]
    options: GradeOptions
    workers: int | None = None
    force: bool = False
    misplaced: tuple[Misplaced, ...] = ()


@main.command(epilog="Example: gradlab grade dropout --student student_01 --student student_02")
@click.argument("name")
@click.option("--student", "students", multiple=True, metavar="ID", help="Only this student; may be given again.")
@click.option("--json", "as_json", is_flag=True, help="Print the verdicts as JSON instead of a table.")
@click.option("--force", is_flag=True, help="Grade again what has not changed since it was graded.")
@click.option("--workers", type=click.IntRange(1), metavar="N", help="Submissions at once.  [default: one a core]")
@click.option(
    "--timeout-s",
    type=click.FloatRange(0, min_open=True),
    metavar="S",
    help="CPU time of a check, in seconds, unless it sets its own.  [default: as in gradlab.toml, or 20]",
)
@click.option("--seed", type=click.IntRange(0), metavar="N", help="Draw the hidden inputs from this seed.")
@click.option("--unsafe-no-sandbox", is_flag=True, help="Run students' code without bubblewrap: only for your own.")
@click.pass_context
def grade(ctx: click.Context, name: str, students: tuple[str, ...], as_json: bool, force: bool, workers: int | None,
          timeout_s: float | None, seed: int | None, unsafe_no_sandbox: bool) -> None:  # fmt: skip
    """Grade the submissions of assignment NAME: every folder submitted/*/NAME/.

    Scores go into the gradebook as they come, beside marks and comments given by hand, which stay. An interrupted run
    keeps what it did, and the next one goes on from there.
    """
    assignment = _assignment(ctx, name)
    submitted = _submitted(ctx, assignment, students)
    from gradlab_staff.grading.run import GradeOptions

    options = GradeOptions(seed=seed, timeout_s=timeout_s, unsafe_no_sandbox=unsafe_no_sandbox)
    _finish(ctx, GradeRun(assignment, submitted.folders, options, workers, force, submitted.misplaced), as_json)


@main.command(epilog="Example: gradlab demo dropout")
@click.argument("name", default="dropout")
@click.pass_context
def demo(ctx: click.Context, name: str) -> None:
    """Release assignment NAME, make a class of 16 in submitted/, and grade it into the gradebook."""
    assignment = _assignment(ctx, name)
    from gradlab_staff.grading.run import GradeOptions
    from gradlab_staff.releasing.demo import make_class
    from gradlab_staff.releasing.release import release as make

    make(assignment)
    made = make_class(assignment, assignment.course.root / "submitted")
    for student in made:
        click.echo(f"{student.student}: {student.story}")
    submissions = {student.student: student.notebook.parent for student in made}
    _finish(ctx, GradeRun(assignment, submissions, GradeOptions()), as_json=False)


@main.command(epilog="Example: gradlab audit dropout --exercise solver --quick")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--exercise", metavar="NAME", help="Only this exercise, and its own graders.")
@click.option("--sample", type=click.IntRange(1), metavar="N", help="Only N mutants, N misconceptions, N variants.")
@click.option("--flips", type=click.IntRange(0), default=0, metavar="N", help="Repeat right and wrong runs N times.")
@click.option("--quick", is_flag=True, help="Stop at the first check that fails; name no causes.")
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True, metavar="N", help="Runs at once.")
@click.option("--seed", type=click.IntRange(0), metavar="N", help="Draw the hidden inputs from this seed.")
@click.option("--restart", is_flag=True, help="Discard the results of an interrupted audit.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON instead of a table.")
@click.option("--html", "page", type=click.Path(dir_okay=False, path_type=Path), help="Write them as a page, too.")
@click.pass_context
def audit(ctx: click.Context, /, names: tuple[str, ...], as_json: bool, page: Path | None, **options: Any) -> None:
    """Test the hidden graders of assignments NAME (default: all).

    Wrong solutions must lose points, right ones must not, and each verdict must be the same every time.
    """
    chosen = [_assignment(ctx, name) for name in names or _course(ctx).assignments]
    from gradlab_staff.audit.command import run_audits

    if not run_audits(chosen, options, as_json=as_json, page=page):
        ctx.exit(1)


@main.command(epilog="Example: gradlab data --download")
@click.option("--download", is_flag=True, help="Download what is in no folder yet (about 200 MB in all).")
@click.pass_context
def data(ctx: click.Context, download: bool) -> None:
    """Show which pictures notebooks load, and download the real ones: the command that students have."""
    from gradlab.command import main as run_as_student

    ctx.exit(run_as_student(["data", *(["--download"] if download else [])]))


def _finish(ctx: click.Context, run: GradeRun, as_json: bool) -> None:
    """Grade, print what came of it, and end with exit code 1 where the kit failed."""
    try:
        entries = _grade_class(run)
    except KeyboardInterrupt:
        raise click.ClickException("interrupted. What was entered stays; run it again to go on from there.") from None
    _print(run.assignment, entries, as_json)
    if any(entry.error for entry in entries):
        ctx.exit(1)


def _submitted(ctx: click.Context, assignment: Assignment, students: tuple[str, ...]) -> Submitted:
    """Return the folder of each submission, and what lies elsewhere; of the `students` alone where any are named."""
    from gradlab_staff.intake.submitted import look_through

    every = look_through(assignment, assignment.course.root / "submitted")
    found = every.of(students) if students else every
    seen = {*found.folders, *(item.student for item in found.misplaced)}
    if unknown := [student for student in students if student not in seen]:
        known = ", ".join(list(every.folders)[:20]) or "none"
        raise click.UsageError(
            f"{', '.join(unknown)}: expected submitted/<student>/{assignment.name}/, got none. Known: {known}.",
            ctx,
        )
    if not found.folders and not found.misplaced:
        raise CourseError(
            f"submitted/*/{assignment.name}/: expected submissions, got none. Graded nothing. Put each into "
            f"submitted/<student>/{assignment.name}/{assignment.name}.ipynb, or run: nbgrader collect {assignment.name}"
        )
    return found


def _grade_class(run: GradeRun) -> list[Entry]:
    """Grade, and enter each verdict as it comes; after them, what was misplaced."""
    from gradlab_staff.pages.report import Entry

    misplaced = [Entry.of(item) for item in run.misplaced]
    if not run.submissions:
        return misplaced
    from gradlab_staff.gradebook import Gradebook
    from gradlab_staff.grading.batch import grade_all

    with _progress(len(run.submissions)) as (on_start, on_done), Gradebook.open(run.assignment) as book:
        graded = grade_all(
            run.assignment, run.submissions, run.options, workers=run.workers, force=run.force, on_start=on_start
        )
        return [*(on_done(entry) for entry in _entered(graded, book)), *misplaced]


def _entered(graded: Iterator[Graded], book: Gradebook) -> Iterator[Entry]:
    """Yield each submission once its verdict is in the gradebook; an error of ours concerns that one alone."""
    from gradlab_staff.pages.report import Entry

    failed_before = False
    for result in graded:
        error = result.error
        try:
            if result.verdict is not None and result.received is not None:
                book.record(result.verdict, result.notebook, result.received)
                failed_before = False
        except GradebookError as fault:
            if failed_before:  # twice running: no submission is to blame, and the verdicts are kept for the next run
                raise
            failed_before, error = True, str(fault)
        except Exception as fault:  # noqa: BLE001 (what one handed in must not end the class's grading)
            error = f"{type(fault).__name__}: {fault} (a fault of gradlab; please report it)"
        unread = result.received.unread if result.received else ()
        yield Entry(result.student, result.verdict, error, result.cached, result.misplaced, unread)


@contextlib.contextmanager
def _progress(total: int) -> Iterator[tuple[Callable[[str], None], Callable[[Entry], Entry]]]:
    """Show a bar on stderr; yield what to call when a submission is begun, and when it is done."""
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from gradlab_staff.text import one_line

    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("opening the gradebook", total=total)
        running: list[str] = []

        def show() -> None:
            progress.update(task, description=escape(one_line(", ".join(running[:4]))))

        def on_start(student: str) -> None:
            running.append(student)
            show()

        def on_done(entry: Entry) -> Entry:
            if entry.student in running:
                running.remove(entry.student)
            progress.advance(task)
            show()
            return entry

        yield on_start, on_done


def _print(assignment: Assignment, entries: list[Entry], as_json: bool) -> None:
    from rich.console import Console

    from gradlab_staff.pages.report import print_report, to_json

    if as_json:
        click.echo(to_json(assignment, entries))
    else:
        print_report(assignment, entries, Console())
