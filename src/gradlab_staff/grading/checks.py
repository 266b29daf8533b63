"""The hidden graders, run on one submission: pytest inside this process, alike in every shell."""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import sys
import traceback
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from threadpoolctl import threadpool_limits

from gradlab_staff.errors import GraderError, SandboxError
from gradlab_staff.grading.performed import RAISED
from gradlab_staff.grading.plugin import GraderPlugin
from gradlab_staff.grading.run import Run
from gradlab_staff.text import one_line

__all__ = ["run_checks"]


def run_checks(run: Run, student: str = "", checks: Iterable[str] | None = None) -> None:
    """Fill `run` with the results of the hidden graders, or of `checks` (``test_solver.py::test_x``) alone.

    Raises
    ------
    GraderError
        Where a grader broke, or none ran.
    KeyboardInterrupt
        Where somebody pressed Ctrl-C.
    """
    folder = run.assignment.graders
    targets = [f"{folder}/{check}" for check in checks] if checks is not None else [str(folder)]
    _forget_others(folder, run.assignment.course.root)
    said = io.StringIO()
    # As many threads as the host has, which is one: the arrays are small, and workers already use every core.
    with (
        _no_settings_of_the_shell(),
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(said),
        threadpool_limits(run.session.setup.limits.threads),
    ):
        code = pytest.main(
            [
                *targets,
                *(
                    "--disable-plugin-autoload",
                    "-p",
                    "no:cacheprovider",
                    "-p",
                    "no:faulthandler",
                    "-p",
                    "no:unraisableexception",
                ),
                *("-q", "--no-header", "--no-summary", "--tb=short", "--capture=no", "--import-mode=importlib"),
                *("--rootdir", str(run.assignment.course.root), "-c", os.devnull, "-W", "ignore"),
            ],
            plugins=[
                GraderPlugin(lambda folder: run),
                interruption := _Interruption(),
                machine := _Machine(),
                _Imports(run),
            ],
        )
    if interruption.came:
        raise KeyboardInterrupt
    ended = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED)
    missing = [] if checks is not None else [e.id for e in run.assignment.exercises if e.name not in run.results]
    if run.kit_errors or code not in ended or missing:
        what = run.kit_errors[0] if run.kit_errors else f"no result for {', '.join(missing)}. {said.getvalue()[-2000:]}"
        error = GraderError(
            f"{run.assignment.name} submission={student}: expected the hidden graders to come to a result, got {what}. "
            f"No score was written. See it: pytest {shlex.quote(str(folder))} --submission PATH "
            f"--grading-seed {run.seed} --pdb"
        )
        # where no host was started, no time was lost on the submission: the next run may try at once
        error.transient = machine.failed or run.session.generation == 0
        raise error


_imported: dict[Path, int] = {}
"""The grader modules that this process has imported last, and when they were written."""


def _forget_others(folder: Path, root: Path) -> None:
    """Have graders imported anew where they are another course's, or edited since: pytest knows them by name alone."""
    written = {path: path.stat().st_mtime_ns for path in folder.glob("*.py")}
    if written != _imported:
        for path in written:
            sys.modules.pop(".".join(path.relative_to(root).with_suffix("").parts), None)
        _imported.clear()
        _imported.update(written)


@contextlib.contextmanager
def _no_settings_of_the_shell() -> Iterator[None]:
    """Grade alike in every shell: an ``-x`` in PYTEST_ADDOPTS would end the graders at the first check that fails."""
    settings = {name: os.environ.pop(name) for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS") if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(settings)


class _Imports:
    """Keeps why a grader cannot be imported, which pytest prints at length, or dies of."""

    def __init__(self, run: Run) -> None:
        self._run = run

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Generator[None, Any, Any]:
        """Name the file and the error."""
        try:
            report = yield
        except SystemExit as error:
            self._keep(collector, error)
            raise
        if report.failed:
            self._keep(collector, report.call.excinfo.value)
        return report

    def _keep(self, collector: pytest.Collector, error: BaseException) -> None:
        cause = error.__cause__ or error
        frames = traceback.extract_tb(cause.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == str(collector.path)]
        where = f"{collector.path.name} line {lines[-1]}" if lines else collector.path.name
        self._run.kit_errors.append(f"{where}: {type(cause).__name__}: {one_line(cause, 300)}")


class _Machine:
    """Hears of what is the machine's trouble, and no grader's."""

    failed = False

    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        """Remember it; what is raised in a check is noted with it, and pytest does not hear of it."""
        raised = call.excinfo.value if call.excinfo else item.stash.get(RAISED, None)
        self.failed = self.failed or isinstance(raised, (OSError, SandboxError))

    def pytest_exception_interact(self, call: pytest.CallInfo[None]) -> None:
        """Remember it, where a grader cannot even be imported."""
        if call.excinfo is not None and isinstance(call.excinfo.value, (OSError, SandboxError)):
            self.failed = True


class _Interruption:
    """Hears of Ctrl-C, which pytest keeps to itself."""

    came = False

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Remember Ctrl-C; a run that the plug-in stops ends in a subclass of it."""
        self.came = type(excinfo.value) is KeyboardInterrupt
