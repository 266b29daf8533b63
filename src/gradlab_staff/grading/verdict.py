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
    """Whether it passed at the second try only, with the student's own names in the place of stand-ins."""

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> CheckResult:
        """Return the result that `asdict` made plain data of."""
        return cls(**{**data, "outcome": Outcome(data["outcome"])})


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
        """Return the points earned: the share of the weights that passed, to two decimals, at most all."""
        total = sum(check.weight for check in self.checks)
        passed = sum(check.weight for check in self.checks if check.outcome is Outcome.PASSED)
        return min(round(self.points * passed / total, 2), self.points) if total else 0.0


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
