"""A check that was run: how it ended, and what there is to tell of it when the submission has made its last request."""

from __future__ import annotations

import inspect
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from gradlab_staff.errors import SandboxError
from gradlab_staff.grading.gates import needs_of
from gradlab_staff.grading.marks import StoodIn
from gradlab_staff.grading.notes import Notes
from gradlab_staff.grading.run import Failure, Run
from gradlab_staff.grading.verdict import CheckResult, Outcome
from gradlab_staff.sandbox.failures import HostTimedOutError
from gradlab_staff.text import clean

__all__ = ["EVIDENCE", "NOTES", "RAISED", "RUN", "Performed", "did_not_fit", "exercise_of_item", "perform"]

RUN = pytest.StashKey[Run]()
NOTES = pytest.StashKey[Notes]()
RAISED = pytest.StashKey[BaseException | None]()
EVIDENCE = pytest.StashKey[dict[str, Any]]()


@dataclass
class Performed:
    """A check that was run, in its run."""

    item: pytest.Item
    run: Run
    reports: list[pytest.TestReport]
    result: CheckResult
    notes: Notes
    raised: BaseException | None
    broken: bool = False
    """Whether the grader broke, or the machine: then there is no result."""

    @property
    def exercise(self) -> str:
        """Return the name of the exercise."""
        return exercise_of_item(self.item)

    def tell(self) -> None:
        """Make the messages, now that it may take its time, and tell pytest how the check ended."""
        if self.notes.failed and not self.broken:
            told = replace(self.result, message=self.notes.message)
            results = self.run.results[self.exercise]
            results[results.index(self.result)] = self.result = told
        item = self.item
        failed = self.broken or self.result.outcome is not Outcome.PASSED
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in self.reports:
            if report.when == "call" and report.passed and failed:
                self._describe(report)
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)

    def _describe(self, report: pytest.TestReport) -> None:
        report.outcome = "failed"
        if self.broken and self.raised is not None:
            told = str(self.item.repr_failure(pytest.ExceptionInfo.from_exception(self.raised)))
        else:  # where in the grader, and why: our own frames say nothing
            told = f"{self.notes.where or self._place()}: {self.result.outcome}: {self.result.message}"
        report.longrepr = clean(told)  # it quotes what came from the submission, and is read in a terminal

    def _place(self) -> str:
        """Return file and line of the grader where the exception came by."""
        frames = traceback.extract_tb(self.raised.__traceback__ if self.raised else None)
        lines = [frame.lineno for frame in frames if frame.filename == str(self.item.path)]
        return f"{self.item.path.name}:{lines[-1]}" if lines else self.item.path.name


def perform(item: pytest.Item, nextitem: pytest.Item | None, run: Run) -> Performed:
    """Run a check in a run, and return how it ended; the run keeps its result. An error of ours is the run's, too."""
    item.stash[RUN], item.stash[NOTES], item.stash[RAISED], item.stash[EVIDENCE] = run, Notes(), None, {}
    started = time.perf_counter()
    reports = runtestprotocol(item, nextitem=nextitem, log=False)
    seconds = time.perf_counter() - started
    exercise, notes, raised = exercise_of_item(item), item.stash[NOTES], item.stash[RAISED]
    failure = None if raised is None else Failure.of(raised)
    broken = raised is not None and failure is None and not notes.failed
    if raised is not None and broken:
        what = clean(f"{type(raised).__name__}: {raised}", 2000)
        run.kit_errors.append(f"{exercise}::{item.name}: {what}")
        run.transient = run.transient or isinstance(raised, OSError | SandboxError)
    if isinstance(raised, HostTimedOutError):  # that it was late is what counts from here on, and why
        notes = Notes()
    elif notes.failed:  # what came after the first failure is no news
        failure = Failure(Outcome.FAILED, "")
    if failure and exercise in run.unchanged:
        failure, notes = Failure(Outcome.NOT_ATTEMPTED, "Not attempted: the cell is as it was released."), Notes()
    result = _result(item, failure, item.stash[EVIDENCE], seconds, with_own=run.with_own)
    if not broken:
        run.results.setdefault(exercise, []).append(result)
    if (names := StoodIn.of(item).names) and not run.with_own:
        run.stood_in[exercise] = names
    return Performed(item, run, reports, result, notes, raised, broken)


def did_not_fit(checks: Sequence[Performed]) -> bool:
    """Return whether an exercise did not fit the stand-ins: its code broke off beside them, and gave nothing wrong.

    A wrong answer is one: a second try after it would be a second guess, of whoever answers otherwise where no stand-in
    is to be seen. What was late would be late again.
    """
    broke_off = [check for check in checks if check.result.outcome in (Outcome.FAILED, Outcome.CRASHED)]
    late = any(check.result.outcome is Outcome.TIMED_OUT for check in checks)
    wrong = any(check.notes.failed or isinstance(check.raised, AssertionError) for check in broke_off)
    fits = late or wrong
    return not fits and any(StoodIn.of(check.item).names for check in broke_off)


def _result(
    item: pytest.Item, failure: Failure | None, evidence: dict[str, Any], duration_s: float, *, with_own: bool
) -> CheckResult:
    function = getattr(item, "function", None)
    title = (inspect.getdoc(function) or item.name).split("\n\n")[0].replace("\n", " ")
    if callspec := getattr(item, "callspec", None):  # parametrized: each has a title of its own
        title += f" ({', '.join(f'{name} = {value}' for name, value in callspec.params.items())})"
    weight = item.get_closest_marker("weight")
    return CheckResult(
        name=item.name,
        title=title,
        weight=weight.args[0] if weight else 1.0,
        outcome=failure.outcome if failure else Outcome.PASSED,
        message=failure.message if failure else "",
        evidence=evidence,
        duration_s=round(duration_s, 4),
        with_own=with_own,
        needs=needs_of(item),
    )


def exercise_of_item(item: pytest.Item) -> str:
    """Return the name of the exercise that a check belongs to."""
    return item.path.stem.removeprefix("test_")
