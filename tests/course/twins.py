"""``make twins``: does a submission see, from what it is asked and when, how it fares?

Each wrong solution has a twin, the instructor's own, which gets the same inputs. What the host of each is asked is
written down, with the times: the requests are to be the same, in its own exercise and in those after it, and the gaps
between them too. The same holds of the instructor's own where the grader reads other numbers than it sent.
"""

# It reports by printing.
# ruff: noqa: T201

import contextlib
import itertools
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gradlab_staff.audit.variants import load_mistakes
from gradlab_staff.course import Assignment, Course
from gradlab_staff.grading.checks import run_checks
from gradlab_staff.grading.diagnosis import load_misconceptions
from gradlab_staff.grading.run import GradeOptions, Run, open_run
from gradlab_staff.grading.verdict import Outcome
from gradlab_staff.intake.matching import with_solutions
from gradlab_staff.sandbox.failures import HostDiedError, HostTimedOutError, SubmissionError
from gradlab_staff.sandbox.session import Session

CHECKS = 1000
"""How many checks of wrong solutions are compared, at most, in each assignment."""
LONGER_S = 1e-3
"""By how much a gap may be longer, at the median."""

Garbling = Callable[[np.ndarray], np.ndarray]
GARBLED: dict[str, Garbling] = {
    "not a number": lambda value: np.full(value.shape, np.nan),
    "zeros": np.zeros_like,
    "negated": lambda value: -np.asarray(value, np.float64),
    "an entry less": lambda value: np.asarray(value, np.float64)[1:] if value.ndim else value + 7.0,
    "nothing": lambda value: np.asarray(value, np.float64)[:0] if value.ndim else value + 7.0,
}
"""What the grader reads in the place of the numbers that the host sent."""


@dataclass(frozen=True)
class Request:
    """When the host was asked something, and when it had answered; ``leave`` is the last of a check."""

    check: str
    leave: bool
    start_s: float
    end_s: float


@dataclass
class Trace:
    """What a host was asked, check by check: what, how deep in a call back, from when to when."""

    asked: dict[str, list[tuple[str, str, int]]] = field(default_factory=dict)
    times: list[Request] = field(default_factory=list)
    broke_off: set[str] = field(default_factory=set)
    """The checks in which it raised, crashed or was late, and knows that it did."""
    failed: set[str] = field(default_factory=set)

    @property
    def gaps(self) -> dict[str, list[float]]:
        """How long the host waited for each next request of a check, in seconds."""
        found: dict[str, list[float]] = {}
        for one, other in itertools.pairwise(self.times):
            if one.check == other.check:
                found.setdefault(one.check, []).append(other.start_s - one.end_s)
        return found

    @property
    def ends(self) -> dict[str, float]:
        """How long it waited from the last answer of each check to the first request of the next, in seconds."""
        own = [one for one in self.times if not one.leave]
        borders = [(one, other) for one, other in itertools.pairwise(own) if one.check != other.check]
        return {one.check: other.start_s - one.end_s for one, other in borders}


@contextlib.contextmanager
def writing(trace: Trace, garbling: Garbling | None = None) -> Iterator[None]:
    """Write down what a session asks, on its way to the host; garble what the grader gets to read."""
    request, check = Session._request, Run.check
    now = [""]

    def written(session: Session, message: dict[str, Any]) -> Any:
        op, name = message["op"], now[0]
        what = str(message.get("name", "")) if op in ("name", "get", "set") else ""
        trace.asked.setdefault(name, []).append((op, what, session._depth))
        top, started = session._depth == 0, time.perf_counter()
        try:
            reply = request(session, message)
        except (SubmissionError, HostDiedError, HostTimedOutError):
            trace.broke_off.add(name)
            raise
        finally:
            if top:
                trace.times.append(Request(name, op == "uncover", started, time.perf_counter()))
        return garbled(reply, garbling) if garbling and top and op in ("call", "get", "name") else reply

    @contextlib.contextmanager
    def named(run: Run, name: str, *args: Any) -> Iterator[Any]:
        now[0] = name
        with check(run, name, *args) as submission:
            yield submission

    Session._request, Run.check = written, named  # type: ignore[method-assign]
    try:
        yield
    finally:
        Session._request, Run.check = request, check  # type: ignore[method-assign]


def garbled(value: Any, garbling: Garbling) -> Any:
    """The same reply with other numbers in it."""
    if isinstance(value, dict):
        return {name: garbled(one, garbling) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(garbled(one, garbling) for one in value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return garbling(np.asarray(value)).item()
    return garbling(value) if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "iuf" else value


def traced(
    assignment: Assignment,
    sources: dict[str, str],
    seed: int,
    exercises: Sequence[str] | None = None,
    garbling: Garbling | None = None,
) -> Trace:
    """What the host of a solution is asked by the checks of some exercises, or of all."""
    trace = Trace()
    checks = None if exercises is None else [f"test_{exercise}.py" for exercise in exercises]
    with open_run(assignment, with_solutions(assignment, sources), GradeOptions(seed=seed, fallback=False)) as run:
        run.session.start()
        with writing(trace, garbling):
            run_checks(run, "twin", checks)
        results = {f"{name}::{one.name}": one.outcome for name, ones in run.results.items() for one in ones}
        trace.failed = {name for name, outcome in results.items() if outcome is not Outcome.PASSED}
    return trace


def wrong_solutions(assignment: Assignment) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Name, exercise and source of the misconceptions, and of the mistakes that the audit knows."""
    for spec in load_misconceptions(assignment).values():
        yield spec.name, spec.exercise, {spec.exercise: spec.source}
    for one in load_mistakes(assignment):
        yield one.name, one.exercise, dict(one.sources)


def told(right: Trace, wrong: Trace) -> list[str]:
    """The checks that asked a wrong solution something else than its twin, though it answered all that it was asked."""
    known = wrong.broke_off - right.broke_off
    return [name for name, asked in wrong.asked.items() if asked != right.asked.get(name) and name not in known]


def longer(right: Trace, wrong: Trace) -> tuple[list[float], list[float]]:
    """By how much the gaps of a wrong solution are longer: within its checks, and after each that failed."""
    known = wrong.broke_off | {name for name in wrong.asked if wrong.asked[name] != right.asked[name]}
    within = [
        b - a
        for name, gaps in wrong.gaps.items()
        if name not in known
        for a, b in zip(right.gaps[name], gaps, strict=True)
    ]
    ends = right.ends
    after = [gap - ends[name] for name, gap in wrong.ends.items() if name in wrong.failed - known and name in ends]
    return within, after


def main() -> int:
    """Compare all wrong solutions with their twins, and print what came of it."""
    course, seed, failed = Course.find(Path(__file__)), time.time_ns() % 2**32, False
    for assignment in map(course.assignment, sys.argv[1:] or course.assignments):
        failed = compare(assignment, seed) or failed
    return int(failed)


def compare(assignment: Assignment, seed: int) -> bool:
    """Compare the wrong solutions of an assignment; return whether one of them could tell how it fares."""
    right, order = traced(assignment, {}, seed), [exercise.name for exercise in assignment.exercises]
    count, ended, apart, seen = 0, 0, 0, set()
    within, after = [], []
    for how, garbling in GARBLED.items():
        apart += report(assignment, f"replies made {how}", right, traced(assignment, {}, seed, None, garbling))
    for name, exercise, sources in wrong_solutions(assignment):
        # the first of each exercise is followed to the end: what comes after it may build on it
        exercises = [exercise] if exercise in seen else order[order.index(exercise) :]
        seen.add(exercise)
        wrong = traced(assignment, sources, seed, exercises)
        apart += report(assignment, name, right, wrong)
        ended += len(wrong.broke_off)
        count += len(wrong.asked)
        within, after = (all_ + more for all_, more in zip((within, after), longer(right, wrong), strict=True))
        if count >= CHECKS:
            break
    medians = [statistics.median(gaps) for gaps in (within, after)]
    print(
        f"{assignment.name}: {count} checks of wrong solutions, {apart} asked otherwise than their twins', {ended} "
        f"broke off in their code; {len(within)} gaps within checks, at the median {1e6 * medians[0]:+.0f} µs longer, "
        f"and {len(after)} after a check that failed, {1e6 * medians[1]:+.0f} µs (seed {seed})"
    )
    return bool(apart) or max(map(abs, medians)) > LONGER_S


def report(assignment: Assignment, name: str, right: Trace, wrong: Trace) -> int:
    """Print which checks asked a solution something else than its twin; return how many did."""
    found = told(right, wrong)
    for check in found:
        print(f"✗ {assignment.name} {name}: {check} asked it something else than its twin")
    return len(found)


if __name__ == "__main__":
    sys.exit(main())
