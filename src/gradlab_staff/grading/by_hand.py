"""Hidden graders by hand: ``pytest tests/graders/dropout --submission PATH`` judges one notebook.

Without ``--submission`` the instructor's own is judged, so that the graders are part of the tests.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gradlab_staff.course import Course
from gradlab_staff.errors import CourseError
from gradlab_staff.grading.plugin import GraderPlugin
from gradlab_staff.grading.run import GradeOptions, Run, open_run
from gradlab_staff.grading.verdict import ExerciseResult
from gradlab_staff.intake.matching import match
from gradlab_staff.intake.notebook import open_notebook
from gradlab_staff.intake.received import files_beside, supporting_files
from gradlab_staff.text import clean

__all__ = ["RunsByHand"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of a run by hand."""
    group = parser.getgroup("gradlab", "hidden graders")
    group.addoption("--submission", metavar="PATH", help="the notebook to judge (default: the instructor's own)")
    group.addoption("--grading-seed", type=int, metavar="N", help="the seed of a verdict, to reproduce it")
    group.addoption("--check-timeout-s", type=float, metavar="S", help="how much CPU time one check may use")
    group.addoption("--unsafe-no-sandbox", action="store_true", help="run the submission's code unprotected")


def pytest_configure(config: pytest.Config) -> None:
    """Register the graders' plug-in, with runs that are opened as they are needed."""
    runs = RunsByHand(config)
    config.pluginmanager.register(runs, "gradlab-runs")
    config.pluginmanager.register(GraderPlugin(runs.run_of), "gradlab-graders")


class RunsByHand:
    """The runs of one call of pytest, one for each folder of graders."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.runs: dict[Path, Run] = {}

    def run_of(self, folder: Path) -> Run:
        """Return the run for a folder of graders, opened when it is first asked for.

        Raises
        ------
        CourseError
            Where there is no notebook of the name that was given.
        """
        if folder not in self.runs:
            self.runs[folder] = self._open(folder)
        return self.runs[folder]

    def _open(self, folder: Path) -> Run:
        assignment = Course.find(folder).assignment(folder.name)
        option = self.config.getoption
        path = Path(option("--submission") or assignment.notebook).resolve()
        if not path.is_file():
            raise CourseError(f"--submission {path}: expected a notebook, got no file. Name the .ipynb itself.")
        options = GradeOptions(
            seed=option("--grading-seed"),
            timeout_s=option("--check-timeout-s"),
            unsafe_no_sandbox=option("--unsafe-no-sandbox"),
        )
        matched = match(assignment, open_notebook(path))
        if path.is_relative_to(assignment.course.root / "submitted"):  # elsewhere they may be anyone's
            matched = replace(matched, beside={**supporting_files(assignment), **files_beside(path)})
        return open_run(assignment, matched, options)

    def pytest_unconfigure(self) -> None:
        """End the hosts that this call of pytest started."""
        for run in self.runs.values():
            run.close()

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the score of each exercise, and the seed that reproduces it."""
        for folder, run in self.runs.items():
            terminalreporter.section(f"{folder.name}, --grading-seed {run.seed}, {run.session.protections}")
            for warning in (*run.warnings, *run.session.warnings):
                terminalreporter.line(f"warning: {clean(warning)}")
            for exercise in run.assignment.exercises:
                if checks := run.results.get(exercise.name):
                    score = ExerciseResult(exercise.id, exercise.points, tuple(checks)).score
                    terminalreporter.line(f"{exercise.id}: {score:g} of {exercise.points:g}")
