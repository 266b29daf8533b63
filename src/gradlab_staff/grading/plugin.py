"""The pytest plug-in of hidden graders: what a check sees, how it is run, and what its exceptions mean.

It is handed its run. `gradlab grade` runs it in process (the module `checks`); where somebody runs pytest by hand, the
module `by_hand` opens one.
"""

from __future__ import annotations

import inspect
import json
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from _pytest.runner import runtestprotocol

from gradlab_staff.course import Course
from gradlab_staff.errors import CourseError
from gradlab_staff.grading.evidence import collect
from gradlab_staff.grading.gates import expect_gates, needs_of
from gradlab_staff.grading.marks import MARKS
from gradlab_staff.grading.run import AFTER_TIME_OUT_S, CHECK_S, Failure, Run
from gradlab_staff.grading.submission import Submission
from gradlab_staff.grading.verdict import CheckResult, Outcome
from gradlab_staff.text import clean

__all__ = ["GraderPlugin"]

_OWN = pytest.StashKey[bool]()
_LIMIT = pytest.StashKey[float]()
_FAILURE = pytest.StashKey[Failure | None]()
_EVIDENCE = pytest.StashKey[dict[str, Any]]()


class GraderPlugin:
    """Runs the hidden graders; `run_of` gives the run for a folder of them."""

    def __init__(self, run_of: Callable[[Path], Run]) -> None:
        self._run_of = run_of

    def pytest_configure(self, config: pytest.Config) -> None:
        """Register the marks of graders."""
        for line in MARKS:
            config.addinivalue_line("markers", line)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Put the checks in the notebook's order: those of an exercise know how the exercises before it fared.

        Raises
        ------
        pytest.UsageError
            Where the graders belong to no assignment.
        """
        places = [index for index, item in enumerate(items) if _is_check(item)]
        folders = {items[index].path.parent for index in places}
        try:
            order = {folder: _exercises_of(folder) for folder in folders}
        except CourseError as error:
            raise pytest.UsageError(str(error)) from error
        checks = sorted(
            (items[index] for index in places),
            key=lambda item: (item.path.parent, order[item.path.parent].get(_exercise(item), -1)),
        )
        for index, item in zip(places, checks, strict=True):
            items[index] = item
        expect_gates(checks)

    # -- what a check sees ---

    @pytest.fixture
    def submission(self, request: pytest.FixtureRequest) -> Iterator[Submission]:
        """Give the student's notebook, in its sandbox."""
        item = request.node
        run, exercise = self._run(item), _exercise(item)
        item.stash[_LIMIT] = AFTER_TIME_OUT_S
        limit_s = item.stash[_LIMIT] = run.limit_s(exercise, _mark(item, "time_limit", None))
        names = () if item.stash.get(_OWN, False) else _stand_ins(item)
        with run.check(f"{exercise}::{item.name}", names, limit_s) as ready:
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
        return self._run(request.node).generator(f"{_exercise(request.node)}::{request.node.name}")

    # -- running ---

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """Run a check; where it fails with stand-ins, once more without: not fitting a stand-in costs nothing."""
        if not _is_check(item):
            return None
        started = time.perf_counter()
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        reports = _attempt(item, nextitem, own=False)
        failure, evidence = item.stash.get(_FAILURE, None), item.stash.get(_EVIDENCE, {})
        run = self._run(item)
        stood_in, with_own = bool(_stand_ins(item)), False
        if stood_in and run.options.fallback and failure and failure.outcome in (Outcome.FAILED, Outcome.CRASHED):
            again = _attempt(item, nextitem, own=True)
            if item.stash.get(_FAILURE, None) is None:
                reports, failure, stood_in, with_own = again, None, False, True
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        if failure and _exercise(item) in run.unchanged:
            failure = Failure(Outcome.NOT_ATTEMPTED, "Not attempted: the cell is as it was released.")
        result = _result(item, failure, evidence, time.perf_counter() - started, with_own=with_own)
        run.results.setdefault(_exercise(item), []).append(result)
        if stood_in:
            run.stood_in[_exercise(item)] = _stand_ins(item)
        if run.kit_errors or not run.go_on(_exercise(item), result):
            item.session.shouldstop = "enough is known"
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Keep the evidence that the check observes."""
        with collect() as evidence:
            try:
                return (yield)
            finally:
                item.stash[_EVIDENCE] = evidence

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, Any, pytest.TestReport]:
        """Sort an exception: the student's failure is data, ours is an error of the run."""
        report: pytest.TestReport = yield
        if call.excinfo is None or not _is_check(item):
            return report
        # a traceback quotes what came from the submission, and is read in a terminal
        report.longrepr = clean(report.longreprtext)
        if not item.stash.get(_FAILURE, None):
            failure = Failure.of(call.excinfo.value, item.stash.get(_LIMIT, CHECK_S))
            if failure:
                item.stash[_FAILURE] = failure
                report.sections.append((f"verdict: {failure.outcome}", clean(failure.message)))
            else:
                what = clean(call.excinfo.exconly(), 2000)
                self._run(item).kit_errors.append(f"{_exercise(item)}::{item.name}: {what}")
        return report

    def _run(self, item: pytest.Item) -> Run:
        return self._run_of(item.path.parent)


def _exercises_of(folder: Path) -> dict[str, int]:
    """Return the places in the notebook of the exercises that a folder of graders judges."""
    exercises = Course.find(folder).assignment(folder.name).exercises
    return {exercise.name: place for place, exercise in enumerate(exercises)}


def _attempt(item: pytest.Item, nextitem: pytest.Item | None, *, own: bool) -> list[pytest.TestReport]:
    if own:
        item._initrequest()  # type: ignore[attr-defined]  # fresh fixtures, as a test that is run again needs
    item.stash[_OWN] = own
    item.stash[_FAILURE] = None
    item.stash[_EVIDENCE] = {}
    return runtestprotocol(item, nextitem=nextitem, log=False)


def _result(
    item: pytest.Item, failure: Failure | None, evidence: dict[str, Any], duration_s: float, *, with_own: bool
) -> CheckResult:
    function = getattr(item, "function", None)
    title = (inspect.getdoc(function) or item.name).split("\n\n")[0].replace("\n", " ")
    if callspec := getattr(item, "callspec", None):  # parametrized: each has a title of its own
        title += f" ({', '.join(f'{name} = {value}' for name, value in callspec.params.items())})"
    return CheckResult(
        name=item.name,
        title=title,
        weight=_mark(item, "weight", 1.0),
        outcome=failure.outcome if failure else Outcome.PASSED,
        message=failure.message if failure else "",
        evidence=evidence,
        duration_s=round(duration_s, 4),
        with_own=with_own,
        needs=needs_of(item),
    )


# --- what an item is


def _is_check(item: pytest.Item) -> bool:
    return "graders" in item.path.parts and "submission" in getattr(item, "fixturenames", ())


def _exercise(item: pytest.Item) -> str:
    return item.path.stem.removeprefix("test_")


def _stand_ins(item: pytest.Item) -> tuple[str, ...]:
    mark = item.get_closest_marker("stands_in")
    return tuple(mark.args) if mark else ()


def _mark(item: pytest.Item, name: str, default: Any) -> Any:
    mark = item.get_closest_marker(name)
    return mark.args[0] if mark else default
