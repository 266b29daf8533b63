"""``make twins``: does a submission see, from what it is asked and when, how it fares?

Each wrong solution has a twin, the instructor's own, which gets the same inputs. What the host of each is asked is
written down, with the times: the requests are to be the same, and the gaps between them too.
"""

# It reports by printing.
# ruff: noqa: T201

import contextlib
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gradlab_staff.audit.variants import load_mistakes
from gradlab_staff.course import Assignment, Course
from gradlab_staff.grading.checks import run_checks
from gradlab_staff.grading.diagnosis import load_misconceptions
from gradlab_staff.grading.run import GradeOptions, Run, open_run
from gradlab_staff.intake.matching import with_solutions
from gradlab_staff.sandbox.failures import HostDiedError, HostTimedOutError, SubmissionError
from gradlab_staff.sandbox.session import Session

CHECKS = 1000
"""How many checks of wrong solutions are compared, at most, in each assignment."""


@dataclass
class Trace:
    """What a host was asked, check by check: what, how deep in a call back, from when to when."""

    asked: dict[str, list[tuple[str, str, int]]] = field(default_factory=dict)
    times: list[tuple[float, float]] = field(default_factory=list)
    broke_off: set[str] = field(default_factory=set)
    """The checks in which it raised, crashed or was late, and knows that it did."""

    @property
    def gaps(self) -> list[float]:
        """How long the host waited for each next request, in seconds."""
        return [start - end for (_, end), (start, _) in zip(self.times, self.times[1:], strict=False)]


@contextlib.contextmanager
def writing(trace: Trace) -> Iterator[None]:
    """Write down what a session asks, on its way to the host."""
    request, check = Session._request, Run.check
    now = [""]

    def written(session: Session, message: dict[str, Any]) -> Any:
        name = str(message.get("name", "")) if message["op"] in ("name", "get", "set") else ""
        trace.asked.setdefault(now[0], []).append((message["op"], name, session._depth))
        top, started = session._depth == 0, time.perf_counter()
        try:
            return request(session, message)
        except (SubmissionError, HostDiedError, HostTimedOutError):
            trace.broke_off.add(now[0])
            raise
        finally:
            if top:
                trace.times.append((started, time.perf_counter()))

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


def traced(assignment: Assignment, exercise: str, sources: dict[str, str], seed: int) -> Trace:
    """What the host of a solution is asked by the checks of an exercise."""
    trace = Trace()
    with open_run(assignment, with_solutions(assignment, sources), GradeOptions(seed=seed, fallback=False)) as run:
        run.session.start()
        with writing(trace):
            run_checks(run, "twin", [f"test_{exercise}.py"])
    return trace


def wrong_solutions(assignment: Assignment) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Name, exercise and source of the misconceptions, and of the mistakes that the audit knows."""
    for spec in load_misconceptions(assignment).values():
        yield spec.name, spec.exercise, {spec.exercise: spec.source}
    for one in load_mistakes(assignment):
        yield one.name, one.exercise, dict(one.sources)


def told(right: Trace, wrong: Trace) -> list[str]:
    """The checks that asked a wrong solution something else than its twin, though it answered all that it was asked."""
    known = right.broke_off | wrong.broke_off
    return [name for name, asked in right.asked.items() if asked != wrong.asked.get(name) and name not in known]


def main() -> int:
    """Compare all wrong solutions with their twins, and print what came of it."""
    course, seed, failed = Course.find(Path(__file__)), time.time_ns() % 2**32, False
    for assignment in map(course.assignment, sys.argv[1:] or course.assignments):
        rights: dict[str, Trace] = {}
        count, apart, gaps, ended = 0, 0, [], 0
        for name, exercise, sources in wrong_solutions(assignment):
            if exercise not in rights:
                rights[exercise] = traced(assignment, exercise, {}, seed)
            right = rights[exercise]
            wrong = traced(assignment, exercise, sources, seed)
            ended += len(wrong.broke_off)
            for check in told(right, wrong):
                apart += 1
                print(f"✗ {assignment.name} {name}: {check} asked it something else than its twin")
            if right.asked == wrong.asked:
                gaps += [b - a for a, b in zip(right.gaps, wrong.gaps, strict=True)]
            count += len(right.asked)
            if count >= CHECKS:
                break
        median = statistics.median(gaps)
        failed = failed or bool(apart) or abs(median) > 1e-3
        print(
            f"{assignment.name}: {count} checks of wrong solutions, {apart} asked otherwise than their twins', {ended} "
            f"broke off in their code; {len(gaps)} gaps, at the median {1e6 * median:+.0f} µs longer (seed {seed})"
        )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
