"""The pytest plugin of hidden graders.

``pytest tests/graders/dropout --submission PATH`` judges one notebook; without ``--submission`` the instructor's own is
judged. `gradlab grade` runs the same plugin in process, with a `Run` of its own.
"""

from __future__ import annotations

import inspect
import json
import secrets
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from _pytest.runner import runtestprotocol

from gradlab_staff.course import Assignment, Course
from gradlab_staff.errors import CourseError
from gradlab_staff.grading.evidence import collect
from gradlab_staff.grading.marks import MARKS
from gradlab_staff.grading.run import AFTER_TIME_OUT_S, CHECK_S, Failure, Run
from gradlab_staff.grading.submission import Submission
from gradlab_staff.grading.verdict import CheckResult, Outcome
from gradlab_staff.intake.cells import plan, read_submission
from gradlab_staff.sandbox.failures import clean
from gradlab_staff.sandbox.session import Session

__all__ = ["RUN"]

RUN = "gradlab-run"
"""The name under which `gradlab_staff.grading.checks` registers its own run."""

_OWN = pytest.StashKey[bool]()
_LIMIT = pytest.StashKey[float]()
_FAILURE = pytest.StashKey[Failure | None]()
_EVIDENCE = pytest.StashKey[dict[str, Any]]()
_RUNS = pytest.StashKey[dict[str, Run]]()


# -- options ---


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of a run by hand."""
    group = parser.getgroup("gradlab", "hidden graders")
    group.addoption("--submission", metavar="PATH", help="the notebook to judge (default: the instructor's own)")
    group.addoption("--grading-seed", type=int, metavar="N", help="the seed of a verdict, to reproduce it")
    group.addoption("--check-timeout-s", type=float, default=CHECK_S, metavar="S", help="how long one check may take")
    group.addoption("--unsafe-no-sandbox", action="store_true", help="run the submission's code unprotected")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marks of graders."""
    for line in MARKS:
        config.addinivalue_line("markers", line)
    config.stash[_RUNS] = {}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the checks in the notebook's order, so that those of an exercise know how the exercises before it fared."""
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


def _exercises_of(folder: Path) -> dict[str, int]:
    """The places in the notebook of the exercises that a folder of graders judges."""
    exercises = Course.find(folder).assignment(folder.name).exercises
    return {exercise.name: place for place, exercise in enumerate(exercises)}


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the hosts that this run started."""
    for run in config.stash.get(_RUNS, {}).values():
        run.session.stop()


# -- what a check sees ---


@pytest.fixture
def submission(request: pytest.FixtureRequest) -> Iterator[Submission]:
    """The student's notebook, in its sandbox."""
    item = request.node
    run, exercise = _run_of(item), _exercise(item)
    item.stash[_LIMIT] = AFTER_TIME_OUT_S
    limit_s = item.stash[_LIMIT] = run.limit_s(exercise, _mark(item, "time_limit", None))
    names = () if item.stash.get(_OWN, False) else _stand_ins(item)
    with run.check(f"{exercise}::{item.name}", names, limit_s) as ready:
        yield ready


@pytest.fixture
def reference(request: pytest.FixtureRequest) -> Any:
    """The instructor notebook's own names, on the trusted side."""
    return _run_of(request.node).reference


@pytest.fixture
def recorded(request: pytest.FixtureRequest) -> Any:
    """The recorded outputs of the assignment."""
    return json.loads(_run_of(request.node).assignment.recorded.read_text(encoding="utf-8"))


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """Where a check draws its inputs from."""
    return _run_of(request.node).generator(f"{_exercise(request.node)}::{request.node.name}")


# -- running ---


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Run a check; where it fails with stand-ins, once more without them: nobody pays for not fitting a stand-in."""
    if not _is_check(item):
        return None
    started = time.perf_counter()
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = _attempt(item, nextitem, own=False)
    failure, evidence = item.stash.get(_FAILURE, None), item.stash.get(_EVIDENCE, {})
    run = _run_of(item)
    stood_in, with_own = bool(_stand_ins(item)), False
    if stood_in and run.fallback and failure and failure.outcome in (Outcome.FAILED, Outcome.CRASHED):
        again = _attempt(item, nextitem, own=True)
        if item.stash.get(_FAILURE, None) is None:
            reports, failure, stood_in, with_own = again, None, False, True
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    if failure and _exercise(item) in run.untouched:
        failure = Failure(Outcome.NOT_ATTEMPTED, "Not attempted: the cell is as it was released.")
    result = _result(item, failure, evidence, time.perf_counter() - started, with_own=with_own)
    run.results.setdefault(_exercise(item), []).append(result)
    if stood_in:
        run.stood_in[_exercise(item)] = _stand_ins(item)
    if run.kit_errors or not run.go_on(_exercise(item), result):
        item.session.shouldstop = "enough is known"
    return True


def _attempt(item: pytest.Item, nextitem: pytest.Item | None, *, own: bool) -> list[pytest.TestReport]:
    if own:
        item._initrequest()  # type: ignore[attr-defined]  # fresh fixtures, as a test that is run again needs
    item.stash[_OWN] = own
    item.stash[_FAILURE] = None
    item.stash[_EVIDENCE] = {}
    return runtestprotocol(item, nextitem=nextitem, log=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Keep the evidence that the check observes."""
    with collect() as evidence:
        try:
            return (yield)
        finally:
            item.stash[_EVIDENCE] = evidence


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Sort an exception: the student's failure is data, ours is an error of the run."""
    report = yield
    if call.excinfo is not None and _is_check(item) and not item.stash.get(_FAILURE, None):
        failure = Failure.of(call.excinfo.value, item.stash.get(_LIMIT, CHECK_S))
        if failure:
            item.stash[_FAILURE] = failure
            report.sections.append((f"verdict: {failure.outcome}", failure.message))
        else:
            _run_of(item).kit_errors.append(f"{_exercise(item)}::{item.name}: {clean(call.excinfo.exconly())}")
    return report


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
    )


# -- what an item is ---


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


def _run_of(item: pytest.Item) -> Run:
    """The run that an item belongs to: the one that was handed in, or one made for the item's folder."""
    given = item.config.pluginmanager.get_plugin(RUN)
    if given is not None:
        return given.run  # type: ignore[no-any-return]
    runs = item.config.stash[_RUNS]
    name = item.path.parent.name
    if name not in runs:
        runs[name] = _new_run(Course.find(item.path.parent).assignment(name), item.config)
    return runs[name]


def _new_run(assignment: Assignment, config: pytest.Config) -> Run:
    path = Path(config.getoption("--submission") or assignment.notebook).resolve()
    if not path.is_file():
        raise CourseError(f"--submission {path}: expected a notebook, got no file. Name the .ipynb itself.")
    received = read_submission(path)
    unsafe = config.getoption("--unsafe-no-sandbox")
    planned = plan(assignment, received.cells or ())
    session = Session(planned.code, unsafe=unsafe, hidden=(assignment.course.root,))
    asked = config.getoption("--grading-seed")
    seed = secrets.randbits(63) if asked is None else asked
    return Run(assignment, session, seed, check_s=config.getoption("--check-timeout-s"), untouched=planned.unchanged)


# -- the summary of a run by hand ---


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """The score of each exercise, and the seed that reproduces it."""
    for name, run in config.stash.get(_RUNS, {}).items():
        terminalreporter.section(f"{name}, --grading-seed {run.seed}, {run.session.in_force}")
        for remark in run.session.remarks:
            terminalreporter.line(f"remark: {remark}")
        for exercise in run.assignment.exercises:
            checks = run.results.get(exercise.name, [])
            total = sum(check.weight for check in checks)
            passed = sum(check.weight for check in checks if check.outcome is Outcome.PASSED)
            if checks:
                terminalreporter.line(
                    f"{exercise.id}: {round(exercise.points * passed / total, 2):g} of {exercise.points:g}"
                )
