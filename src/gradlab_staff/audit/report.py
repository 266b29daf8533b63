"""What an audit found, as plain data, and what of it falls short."""

from __future__ import annotations

from collections.abc import Sized
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["NAMED_RIGHT", "TRIVIAL_SHARE", "AuditReport", "Flip", "Survivor", "TrivialTried", "WrongTried"]


NAMED_RIGHT = 0.8
"""Which share of the causes that are named must be right."""
TRIVIAL_SHARE = 0.02
"""Which share of an exercise a trivial answer may earn."""


@dataclass(frozen=True)
class WrongTried:
    """A wrong solution, graded: a mutant, or a misconception (`kind`)."""

    id: str
    kind: str
    exercise: str
    lost: bool
    checks: tuple[str, ...] = ()
    """The checks that failed."""
    others: tuple[str, ...] = ()
    """The checks of other exercises that failed: there should be none."""
    cause: str = ""
    """The misconception that the diagnosis named."""
    cause_right: bool = False


@dataclass(frozen=True)
class TrivialTried:
    """A trivial answer, graded: which share of the points of an exercise it earned, and the checks that count."""

    id: str
    exercise: str
    share: float
    checks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Survivor:
    """A mutant that lost no point: what was done, the difference, and why that is right (or nothing: a hole)."""

    id: str
    exercise: str
    operator: str
    diff: str
    reason: str = ""


@dataclass(frozen=True)
class Flip:
    """Runs of one submission that did not end as most did, or not as they should, and the checks that differed."""

    submission: str
    runs: int
    flips: int
    checks: tuple[str, ...] = ()


@dataclass(frozen=True)
class AuditReport:
    """The audit of one assignment's graders."""

    assignment: str
    seed: int
    wrong: tuple[WrongTried, ...] = ()
    survivors: tuple[Survivor, ...] = ()
    trivial: tuple[TrivialTried, ...] = ()
    variants: int = 0
    rejected: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By variant: the checks that failed, which is a bug of theirs."""
    steady: tuple[Flip, ...] = ()
    diagnosed: bool = True
    """Whether causes were looked for."""
    coverage: dict[str, tuple[str, ...]] = field(default_factory=dict)
    stale: tuple[str, ...] = ()
    """Recorded as equivalent, and made no more."""
    contradictions: tuple[str, ...] = ()
    """Recorded as equivalent, but lost points."""
    errors: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def mutants(self) -> tuple[WrongTried, ...]:
        """Return the mutants that were graded."""
        return tuple(one for one in self.wrong if one.kind == "mutant")

    @property
    def misconceptions(self) -> tuple[WrongTried, ...]:
        """Return the misconceptions that were graded."""
        return tuple(one for one in self.wrong if one.kind == "misconception")

    @property
    def paid(self) -> tuple[TrivialTried, ...]:
        """Return the trivial answers that earned more than they may."""
        return tuple(one for one in self.trivial if one.share > TRIVIAL_SHARE)

    @property
    def holes(self) -> tuple[Survivor, ...]:
        """Return the survivors that nobody has justified."""
        return tuple(one for one in self.survivors if not one.reason)

    @property
    def missed(self) -> tuple[WrongTried, ...]:
        """Return the misconceptions that lost no point."""
        return tuple(one for one in self.misconceptions if not one.lost)

    @property
    def doubly(self) -> tuple[WrongTried, ...]:
        """Return what cost points in an exercise of others too."""
        return tuple(one for one in self.wrong if one.others)

    @property
    def misnamed(self) -> tuple[WrongTried, ...]:
        """Return whose named cause is not the right one, where these are more than may be."""
        named = [one for one in self.wrong if one.lost and one.cause]
        wrong = tuple(one for one in named if not one.cause_right)
        return wrong if len(named) - len(wrong) < NAMED_RIGHT * len(named) else ()

    @property
    def unnamed(self) -> tuple[WrongTried, ...]:
        """Return the misconceptions that lost points under another name or none, where causes were looked for."""
        return tuple(one for one in self.misconceptions if self.diagnosed and one.lost and not one.cause_right)

    @property
    def flips(self) -> int:
        """Return runs that ended otherwise than they should."""
        return sum(one.flips for one in self.steady)

    @property
    def faults(self) -> int:
        """Return how many things are to be fixed."""
        found: tuple[Sized, ...] = (
            *(self.holes, self.missed, self.doubly, self.unnamed, self.misnamed, self.paid),
            *(self.rejected, self.contradictions, self.stale, self.errors),
        )
        return sum(map(len, found)) + self.flips

    def exercises(self) -> dict[str, dict[str, int]]:
        """Return the numbers of each exercise."""
        table: dict[str, dict[str, int]] = {}
        for one in self.wrong:
            row = table.setdefault(one.exercise, dict.fromkeys(("mutants", "killed", "justified", "holes"), 0))
            if one.kind == "mutant":
                row["mutants"] += 1
                row["killed"] += one.lost
        for survivor in self.survivors:
            table[survivor.exercise]["justified" if survivor.reason else "holes"] += 1
        return table

    def causes(self, kind: str) -> dict[str, int]:
        """Count, of the wrong solutions of a kind that lost points, those whose cause was named, and named rightly."""
        killed = [one for one in self.wrong if one.kind == kind and one.lost]
        named = [one for one in killed if one.cause]
        return {"lost": len(killed), "named": len(named), "right": sum(one.cause_right for one in named)}

    def summary(self) -> dict[str, Any]:
        """Return the audit in numbers."""
        return {
            "mutants": len(self.mutants),
            "killed": sum(one.lost for one in self.mutants),
            "justified": len(self.survivors) - len(self.holes),
            "holes": len(self.holes),
            "misconceptions": len(self.misconceptions),
            "misconceptions_missed": len(self.missed),
            "double_jeopardy": len(self.doubly),
            "trivial": len(self.trivial),
            "trivial_paid": len(self.paid),
            "variants": self.variants,
            "rejected": len(self.rejected),
            "runs": sum(one.runs for one in self.steady),
            "flips": self.flips,
            "causes": {kind: self.causes(kind) for kind in ("mutant", "misconception")},
            "seed": self.seed,
            "seconds": round(self.seconds, 1),
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the whole report as JSON holds it."""
        return {
            **self.summary(),
            "exercises": self.exercises(),
            "survivors": [asdict(one) for one in self.survivors],
            "double_jeopardy_of": {one.id: list(one.others) for one in self.doubly},
            "missed_of": [one.id for one in self.missed],
            "unnamed_of": [one.id for one in self.unnamed],
            "misnamed_of": {one.id: one.cause for one in self.misnamed},
            "trivial_paid_of": [asdict(one) for one in self.paid],
            "rejected_of": {name: list(checks) for name, checks in self.rejected.items()},
            "steady": [asdict(one) for one in self.steady],
            "coverage": (coverage := {name: list(others) for name, others in self.coverage.items()}),
            "reach": coverage,  # its earlier name
            "stale": list(self.stale),
            "contradictions": list(self.contradictions),
            "errors": list(self.errors),
        }
