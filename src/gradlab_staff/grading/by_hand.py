"""Hidden graders by hand: ``pytest tests/graders/dropout --submission PATH`` judges one notebook.

Without ``--submission`` the instructor's own is judged, so that the graders are part of the tests.
"""

from __future__ import annotations

import contextlib
import re
import resource
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

import pytest

from gradlab_staff.course import Assignment, Course
from gradlab_staff.errors import CourseError, GradlabError
from gradlab_staff.grading.plugin import GraderPlugin
from gradlab_staff.grading.run import GradeOptions, Run, open_run
from gradlab_staff.intake.inbox import Inbox, open_inbox
from gradlab_staff.intake.matching import Matched, match
from gradlab_staff.intake.notebook import open_notebook
from gradlab_staff.intake.received import receive_notebook, supporting_files
from gradlab_staff.pool import limit_memory
from gradlab_staff.text import clean

__all__ = ["RunsByHand"]

_CODE = "(?:0?[0-257]|[349][0-79])"  # of the colours that pytest writes; 8 would hide what follows
_COLOUR = re.compile(rf"(\x1b\[{_CODE}(?:;{_CODE}){{0,3}}m|\A\r)")  # and to write over its last line
_NONE = re.compile("((?!))")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of a run by hand."""
    group = parser.getgroup("gradlab", "hidden graders")
    group.addoption("--submission", metavar="PATH", help="the notebook to judge (default: the instructor's own)")
    group.addoption("--grading-seed", type=int, metavar="N", help="the seed of a verdict, to reproduce it")
    group.addoption("--check-timeout-s", type=float, metavar="S", help="how much CPU time one check may use")
    group.addoption("--unsafe-no-sandbox", action="store_true", help="run the submission's code unprotected")


@pytest.hookimpl(trylast=True)  # the reporter is there
def pytest_configure(config: pytest.Config) -> None:
    """Register the graders' plug-in, with runs that are opened as they are needed."""
    if config.getoption("--submission") and config.getoption("numprocesses", None):
        # what its checks found is told when all have been asked, and pytest -n waits for each
        raise pytest.UsageError("--submission: expected one process, got pytest -n. Leave out -n.")
    runs = RunsByHand(config)
    config.pluginmanager.register(runs, "gradlab-runs")
    config.pluginmanager.register(GraderPlugin(runs.run_of), "gradlab-graders")
    if config.getoption("--submission"):
        runs.protect()


class RunsByHand:
    """The runs of one call of pytest, one for each folder of graders."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.runs: dict[Path, Run] = {}
        self._received: dict[Path, Matched] = {}
        self._inbox: Inbox | None = None
        self._held = contextlib.ExitStack()

    def protect(self) -> None:
        """Bound this process's memory as a worker's, and print nothing that acts on a terminal, until pytest ends.

        Tracebacks, captured output and warnings quote what the submission sent: an escape sequence could retitle the
        TA's terminal or type into it. Under ``--pdb`` what the TA asks for is printed as it is.
        """
        before = limit_memory()
        self._held.callback(resource.setrlimit, resource.RLIMIT_AS, before)
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter._tw._file = _Cleaned(reporter._tw._file, _COLOUR if reporter.hasmarkup else _NONE)
        if self.config.getoption("capture") == "no" and not self.config.getoption("usepdb"):
            self._held.enter_context(contextlib.redirect_stdout(_Cleaned(sys.stdout)))
            self._held.enter_context(contextlib.redirect_stderr(_Cleaned(sys.stderr)))

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Take the private copy of the submission before anything is run.

        Raises
        ------
        pytest.UsageError
            Where there is no notebook of the name that was given, or a link, or no room for a copy.
        """
        folders = {item.path.parent for item in items if "submission" in getattr(item, "fixturenames", ())}
        for folder in sorted(folders) if self.config.getoption("--submission") else ():
            try:
                self._received[folder] = self._receive(Course.find(folder).assignment(folder.name))
            except (GradlabError, OSError) as error:
                raise pytest.UsageError(clean(error)) from error

    def run_of(self, folder: Path) -> Run:
        """Return the run for a folder of graders, opened when it is first asked for."""
        if folder not in self.runs:
            self.runs[folder] = self._open(folder)
        return self.runs[folder]

    def _open(self, folder: Path) -> Run:
        assignment = Course.find(folder).assignment(folder.name)
        option = self.config.getoption
        options = GradeOptions(
            seed=option("--grading-seed"),
            timeout_s=option("--check-timeout-s"),
            unsafe_no_sandbox=option("--unsafe-no-sandbox"),
        )
        matched = self._received.get(folder) or match(assignment, open_notebook(assignment.notebook.resolve()))
        run = open_run(assignment, matched, options)
        run.in_secret = folder in self._received  # what is told at once fits the instructor's own, and pytest -n
        return run

    def _receive(self, assignment: Assignment) -> Matched:
        """Return the notebook that was named: its private copy, with what lies beside it in ``submitted/``."""
        path, course = Path(self.config.getoption("--submission")), assignment.course
        self._inbox = self._inbox or self._held.enter_context(open_inbox(course))
        try:
            received = receive_notebook(path, course.root / "submitted", self._inbox.place())
        except ValueError as error:
            raise CourseError(
                f"--submission {path}: expected a notebook, got {error}. Opened nothing: no link is followed. "
                "Name the .ipynb itself."
            ) from error
        assert received.notebook is not None
        matched = match(assignment, open_notebook(received.notebook))
        beside = {**supporting_files(assignment), **received.beside}
        return replace(matched, warnings=(*received.warnings, *matched.warnings), beside=beside)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Clean what a check printed or logged: it may quote the submission."""
        report.sections = [(clean(name), clean(content)) for name, content in report.sections]

    @pytest.hookimpl(tryfirst=True)
    def pytest_warning_recorded(self, warning_message: warnings.WarningMessage) -> None:
        """Clean a warning of a library's, which may quote the submission."""
        if self.config.getoption("--submission"):
            warning_message.message = clean(warning_message.message)

    def pytest_unconfigure(self) -> None:
        """End the hosts that this call of pytest started."""
        for run in self.runs.values():
            run.close()
        self._held.close()

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the score of each exercise, and the seed that reproduces it."""
        for folder, run in self.runs.items():
            terminalreporter.section(f"{folder.name}, --grading-seed {run.seed}, {run.session.protections}")
            for warning in (*run.warnings, *run.session.warnings):
                terminalreporter.line(f"warning: {clean(warning)}")
            for exercise in run.assignment.exercises:
                if exercise.name in run.results:
                    score = run.result(exercise.name).score
                    terminalreporter.line(f"{exercise.id}: {score:g} of {exercise.points:g}")
            for error in run.kit_errors:
                terminalreporter.line(f"no verdict: a grader broke: {clean(error)}", red=True)


class _Cleaned:
    """A stream to a terminal that passes on text and what is `kept`, and nothing else that a terminal acts upon."""

    def __init__(self, stream: TextIO, kept: re.Pattern[str] = _NONE) -> None:
        self._stream = stream
        self._kept = kept

    def write(self, text: str) -> int:
        parts = self._kept.split(text)
        self._stream.write("".join(part if place % 2 else clean(part) for place, part in enumerate(parts)))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
