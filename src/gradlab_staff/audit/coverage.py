"""Coverage: whose checks run the code of which exercise. Where none does, no mutant of it can cost the other a point.

Every function and method of a solution cell gets a line that counts; then the hidden graders judge that notebook, and
after each check the counts are read. A blank at the top of a cell runs before any check: it is covered by all.
"""

from __future__ import annotations

import ast
import contextlib
from dataclasses import dataclass, field
from pathlib import Path

from gradlab_staff.course import Assignment, Course
from gradlab_staff.course.template import BLANK, exercise_of
from gradlab_staff.errors import GraderError
from gradlab_staff.grading.checks import run_checks
from gradlab_staff.grading.run import GradeOptions, open_run
from gradlab_staff.grading.verdict import CheckResult, Outcome
from gradlab_staff.intake.matching import with_solutions
from gradlab_staff.sandbox.failures import SubmissionError
from gradlab_staff.sandbox.session import Session

__all__ = ["coverage", "coverage_of"]

_COUNT = "gradlab_count_{}"


def coverage_of(root: Path, name: str, seeds: tuple[int, ...]) -> dict[str, frozenset[str]]:
    """Measure the `coverage`, in a worker process."""
    return coverage(Course(root).assignment(name), seeds)


def coverage(assignment: Assignment, seeds: tuple[int, ...]) -> dict[str, frozenset[str]]:
    """Return by exercise the other exercises whose checks run, or read, what stands in its solution cell.

    Raises
    ------
    GraderError
        Where the counting notebook does not get full marks.
    """
    solutions = [cell for cell in assignment.cells if cell.is_solution and cell.cell_type == "code"]
    sources = {exercise_of(cell.id): cell.source for cell in solutions if BLANK.search(cell.source)}
    counting = {name: _counting(_COUNT.format(name), source) for name, source in sources.items()}
    # without a second try: a check that the right solution passes only so is wrong, and would count what it ran
    with open_run(assignment, with_solutions(assignment, counting), GradeOptions(fallback=False)) as run:
        counts = _Counts(run.session, dict.fromkeys(sources, 0))
        run.go_on = counts
        for seed in seeds:
            run_checks(run.again(seed), "counting")
    if counts.failed:
        raise GraderError(
            f"{assignment.name}: expected the instructor's solution to pass, it failed {', '.join(counts.failed)}. "
            f"Audited nothing. See it: pytest {assignment.graders}"
        )
    every = frozenset(exercise.name for exercise in assignment.exercises)
    return {
        name: (every if _at_top(source) else frozenset(counts.covered.get(name, ()))) - {name}
        for name, source in sources.items()
    }


def _counting(count: str, source: str) -> str:
    """Return the cell with a line at the start of each function that counts."""
    tree = ast.parse(source)
    line = ast.parse(f'globals()["{count}"] = globals().get("{count}", 0) + 1').body[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.body.insert(0, line)
    return ast.unparse(ast.fix_missing_locations(tree))


def _at_top(source: str) -> bool:
    return any(not blank[1] for blank in BLANK.finditer(source))


@dataclass
class _Counts:
    """Asked after each check: reads which blanks were run since the last."""

    session: Session
    seen: dict[str, int]
    covered: dict[str, set[str]] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def __call__(self, exercise: str, result: CheckResult) -> bool:
        if result.outcome is not Outcome.PASSED:
            self.failed.append(f"{exercise}::{result.name}")
        for name, before in self.seen.items():
            with contextlib.suppress(SubmissionError):
                now = int(self.session.request("name", name=_COUNT.format(name)))
                self.seen[name] = now
                if now != before:
                    self.covered.setdefault(name, set()).add(exercise)
        return True
