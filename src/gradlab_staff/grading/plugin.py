"""The pytest plug-in of hidden graders: what a check sees, how it is run, and what its exceptions mean.

It is handed its run. `gradlab grade` runs it in process (the module `checks`); where somebody runs pytest by hand, the
module `by_hand` opens one.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradlab_staff.course import Course
from gradlab_staff.course.dependence import Dependence, dependence_of
from gradlab_staff.errors import CourseError
from gradlab_staff.grading.evidence import collect
from gradlab_staff.grading.gates import expect_gates
from gradlab_staff.grading.marks import MARKS, StoodIn
from gradlab_staff.grading.notes import noting
from gradlab_staff.grading.performed import (
    EVIDENCE,
    NOTES,
    RAISED,
    RUN,
    Performed,
    did_not_fit,
    exercise_of_item,
    perform,
)
from gradlab_staff.grading.run import Run
from gradlab_staff.grading.submission import Submission
from gradlab_staff.grading.verdict import Outcome
from gradlab_staff.text import clean

__all__ = ["GraderPlugin"]


class GraderPlugin:
    """Runs the hidden graders; `run_of` gives the run for a folder of them."""

    def __init__(self, run_of: Callable[[Path], Run]) -> None:
        self._run_of = run_of
        self._performed: dict[str, Performed] = {}
        """The checks of which nothing has been told yet, by their ids."""
        self._failed = 0

    def pytest_configure(self, config: pytest.Config) -> None:
        """Register the marks of graders."""
        for line in MARKS:
            config.addinivalue_line("markers", line)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Put the checks in the notebook's order: those of an exercise know how the exercises before it fared.

        Raises
        ------
        pytest.UsageError
            Where the graders belong to no assignment, or put the reference in the place of what does not come before.
        """
        places = [index for index, item in enumerate(items) if _is_check(item)]
        folders = {items[index].path.parent for index in places}
        try:
            order = {folder: dependence_of(Course.find(folder).assignment(folder.name)) for folder in folders}
        except CourseError as error:
            raise pytest.UsageError(str(error)) from error
        for index in places:
            _refuse_oracles(items[index], order[items[index].path.parent])
        checks = sorted(
            (items[index] for index in places),
            key=lambda item: (item.path.parent, order[item.path.parent].place(exercise_of_item(item))),
        )
        for index, item in zip(places, checks, strict=True):
            items[index] = item
        expect_gates(checks)

    # -- what a check sees ---

    @pytest.fixture
    def submission(self, request: pytest.FixtureRequest) -> Iterator[Submission]:
        """Give the student's notebook, in its sandbox."""
        item = request.node
        run, exercise = item.stash[RUN], exercise_of_item(item)
        asked = item.get_closest_marker("time_limit")
        limit_s = run.limit_s(exercise, asked.args[0] if asked else None)
        with run.check(f"{exercise}::{item.name}", StoodIn.of(item), limit_s) as ready:
            yield ready

    @pytest.fixture
    def reference(self, request: pytest.FixtureRequest) -> Any:
        """Give the instructor notebook's own names, on the trusted side."""
        return self._run(request.node).reference

    @pytest.fixture
    def recorded(self, request: pytest.FixtureRequest) -> Any:
        """Give the recorded outputs of the assignment."""
        return json.loads(self._run(request.node).assignment.recorded.read_text(encoding="utf-8"))

    @pytest.fixture
    def rng(self, request: pytest.FixtureRequest) -> np.random.Generator:
        """Give the source of a check's random inputs."""
        return self._run(request.node).generator(f"{exercise_of_item(request.node)}::{request.node.name}")

    # -- running ---

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, Any, Any]:
        """Run the checks; then those once more that did not fit the stand-ins; then tell how they ended.

        Nothing is told before the submission's last request: a traceback takes its time, and what takes time where a
        check failed tells the submission that it did.
        """
        try:
            done = yield
            self._try_again()
            return done
        finally:
            for performed in self._performed.values():
                performed.tell()
            self._performed.clear()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """Run a check."""
        if not _is_check(item):
            return None
        run = self._run_of(item.path.parent)
        performed = perform(item, nextitem, run)
        if run.in_secret:
            self._performed[item.nodeid] = performed
        else:
            performed.tell()
        self._failed += performed.broken or performed.result.outcome is not Outcome.PASSED
        if run.kit_errors or not run.go_on(performed.exercise, performed.result):
            item.session.shouldstop = "enough is known"
        elif 0 < (item.config.getoption("maxfail") or 0) <= self._failed:  # None in a worker of pytest -n
            item.session.shouldstop = f"stopping after {self._failed} failures"
        return True

    def _try_again(self) -> None:
        """Judge each exercise that does not fit the stand-ins once more, as a whole, in a sandbox of its own.

        The better of the two counts, and never the best of each check: whoever answers otherwise at the second time has
        one answer or the other, and not the right parts of both.
        """
        exercises: dict[tuple[int, str], list[Performed]] = {}
        for one in self._performed.values():
            exercises.setdefault((id(one.run), one.exercise), []).append(one)
        for firsts in exercises.values():
            first = firsts[0].run
            if first.options.fallback and not first.kit_errors and did_not_fit(firsts):
                first.close()  # what it has left running must not watch the second
                with first.second_try() as second:
                    again = [perform(one.item, None, second) for one in firsts]
                if first.take_better(firsts[0].exercise, second):
                    self._performed |= {one.item.nodeid: one for one in again}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Note how a check fails, and keep the evidence that it observes.

        Nothing is raised to pytest, which would describe it at once; unless somebody wants to look, with ``--pdb``.
        """
        if not _is_check(item) or item.config.getoption("usepdb", False):
            return (yield)
        with collect() as item.stash[EVIDENCE], _failures_of(item):
            try:
                return (yield)
            except Exception as error:  # noqa: BLE001 (sorted below, when the check is over)
                item.stash[RAISED] = error
                return None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, Any, pytest.TestReport]:
        """Remember what fails before a check begins, and clean what is told of it."""
        report: pytest.TestReport = yield
        if call.excinfo is not None and _is_check(item):
            item.stash[RAISED] = item.stash[RAISED] or call.excinfo.value
            if report.failed:  # a traceback quotes what came from the submission, and is read in a terminal
                report.longrepr = clean(report.longreprtext)
        return report

    def _run(self, item: pytest.Item) -> Run:
        """Return the run that a check belongs to now: at a second try it is another."""
        return item.stash.get(RUN, None) or self._run_of(item.path.parent)


def _refuse_oracles(item: pytest.Item, dependence: Dependence) -> None:
    """Refuse a check in which the reference would answer for the exercise itself, or for a later one.

    Raises
    ------
    pytest.UsageError
        Where it would.
    """
    exercise = exercise_of_item(item)
    for name in StoodIn.of(item).names:
        if later := dependence.later(name, exercise):
            raise pytest.UsageError(
                f"{item.path.name}: stands_in({name!r}): expected a name of the exercises before {exercise}, got one "
                f"that needs {', '.join(later)}. The reference must not answer what is asked here or later: give a "
                f"dummy that knows nothing, stands_in(…, dummies={{{name!r}: …}})."
            )


@contextlib.contextmanager
def _failures_of(item: pytest.Item) -> Iterator[None]:
    """Note the failures of a check; where nobody must be kept from knowing, the first is raised, which is faster."""
    if item.stash[RUN].in_secret:
        with noting() as item.stash[NOTES]:
            yield
    else:
        yield


def _is_check(item: pytest.Item) -> bool:
    return "graders" in item.path.parts and "submission" in getattr(item, "fixturenames", ())
