"""Verdict: what grading one submission yields, as plain data that survives a trip through JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

__all__ = ["CheckResult", "ExerciseResult", "Misconception", "Outcome", "Verdict"]


class Outcome(StrEnum):
    """How one check ended."""

    PASSED = "passed"
    FAILED = "failed"
    CRASHED = "crashed"
    TIMED_OUT = "timed_out"
    NOT_ATTEMPTED = "not_attempted"


@dataclass(frozen=True)
class Misconception:
    """A named wrong solution: its name, two sentences that explain it, a hint that gives nothing away."""

    name: str
    explanation: str
    hint: str


@dataclass(frozen=True)
class CheckResult:
    """What one check found: its outcome, the reason as the student reads it, and the evidence in numbers."""

    name: str
    title: str
    weight: float
    outcome: Outcome
    message: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)
    duration_s: float = 0.0
    with_own: bool = False
    """Whether it was judged at the second try, with the student's own names in the place of stand-ins."""
    needs: tuple[str, ...] = ()
    """Names of the checks without which it counts nothing; a parametrised one without its brackets."""

    @property
    def family(self) -> str:
        """Return the name without the brackets of a parametrised check's case."""
        return self.name.split("[", 1)[0]

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> CheckResult:
        """Return the result that `asdict` made plain data of."""
        return cls(**{**data, "outcome": Outcome(data["outcome"]), "needs": tuple(data.get("needs", ()))})


@dataclass(frozen=True)
class ExerciseResult:
    """The checks of one exercise (id such as ``dropout/solver``), and the score that follows from them."""

    id: str
    points: float
    checks: tuple[CheckResult, ...]
    misconception: Misconception | None = None
    stood_in: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Return the id of the grade cell: what follows the slash."""
        return self.id.split("/", 1)[1]

    @property
    def score(self) -> float:
        """Return the points earned, to two decimals, at most all."""
        return min(round(self.points * self.share, 2), self.points)

    @property
    def share(self) -> float:
        """Return the share of the weights that count."""
        total = sum(check.weight for check in self.checks)
        counting = self.counting
        return sum(check.weight for check in self.checks if check.name in counting) / total if total else 0.0

    @property
    def counting(self) -> frozenset[str]:
        """Return the names of the checks that count: they passed, and what they need is there and counts, too."""
        counting = {check.name for check in self.checks if check.outcome is Outcome.PASSED}
        while lacking := {one.name for one in self.checks if one.name in counting and self._lacks(one, counting)}:
            counting -= lacking
        return frozenset(counting)

    def _lacks(self, check: CheckResult, counting: set[str]) -> bool:
        cases = [self._cases(name) for name in check.needs]
        return not all(some and all(case.name in counting for case in some) for some in cases)

    def _cases(self, name: str) -> list[CheckResult]:
        return [check for check in self.checks if check.family == name]

    def lacking(self, check: CheckResult) -> tuple[str, ...]:
        """Return the titles of the checks because of which one that passed does not count, each once."""
        titles: dict[str, None] = {}
        waiting, seen = list(check.needs), set(check.needs)
        while waiting:
            name = waiting.pop(0)
            cases = self._cases(name)
            failed = [case.title for case in cases if case.outcome is not Outcome.PASSED]
            titles |= dict.fromkeys(failed if cases else [name])
            passed = [case for case in cases if case.outcome is Outcome.PASSED]
            more = [need for case in passed for need in case.needs if need not in seen]
            seen.update(more)
            waiting += more
        return tuple(titles)


@dataclass(frozen=True)
class Verdict:
    """Everything that grading one submission found out, with what it takes to reproduce it."""

    assignment: str
    student: str
    notebook: str
    seed: int
    exercises: tuple[ExerciseResult, ...]
    warnings: tuple[str, ...] = ()
    sandbox: str = ""
    cpu_s: float = 0.0
    """CPU time of all that grading it took: sandboxes, second tries, the diagnosis, and the worker itself."""
    digest: str = ""

    @property
    def score(self) -> float:
        """Return the points earned over all exercises that are graded by machine."""
        return round(sum(exercise.score for exercise in self.exercises), 2)

    @property
    def max_score(self) -> float:
        """Return the points that the machine-graded exercises are worth together."""
        return sum(exercise.points for exercise in self.exercises)

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as JSON-ready plain data; `remarks` is an earlier name of `warnings`, for old readers."""
        return {**asdict(self), "remarks": list(self.warnings)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Verdict:
        """Return the verdict that `to_dict` wrote, in this version or an earlier one."""
        data = dict(data)
        warnings = data.pop("remarks", ())
        exercises = tuple(
            ExerciseResult(
                id=exercise["id"],
                points=exercise["points"],
                checks=tuple(map(CheckResult.from_dict, exercise["checks"])),
                misconception=Misconception(**exercise["misconception"]) if exercise["misconception"] else None,
                stood_in=tuple(exercise["stood_in"]),
            )
            for exercise in data["exercises"]
        )
        return cls(**{**data, "exercises": exercises, "warnings": tuple(data.get("warnings", warnings))})
