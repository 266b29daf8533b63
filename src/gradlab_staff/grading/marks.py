"""The marks of graders (weights, time limits, stand-ins) and the decorator of misconceptions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pytest

__all__ = [
    "CALLS",
    "MARKS",
    "Spec",
    "StoodIn",
    "misconception",
    "misconceptions_of",
    "stands_in",
    "time_limit",
    "weight",
]

Source = Callable[[], str]
Dummies = Mapping[str, Callable[..., Any]]
CALLS = 1000
"""How many calls of a stand-in a check answers, unless it is marked with another number."""

MARKS = (
    "weight(n, needs=()): weight of the check within its exercise [default: 1], and checks without which it is nothing",
    "time_limit(seconds): CPU time that the check may use",
    "stands_in(*names, calls, dummies): names that are bound to the reference while this module runs",
)
"""The lines that register the marks with pytest."""


@dataclass(frozen=True)
class Spec:
    """A misconception: its exercise, the explanation and hint for the student, and the wrong solution."""

    name: str
    exercise: str
    explanation: str
    hint: str
    source: str


@dataclass(frozen=True)
class StoodIn:
    """What a check's mark `stands_in` says."""

    names: tuple[str, ...] = ()
    calls: int = CALLS
    dummies: Dummies = field(default_factory=dict)

    @classmethod
    def of(cls, item: pytest.Item) -> StoodIn:
        """Return what stands in while a check runs."""
        mark = item.get_closest_marker("stands_in")
        return cls(mark.args, **mark.kwargs) if mark else cls()


def weight(n: float, *, needs: tuple[str, ...] = ()) -> pytest.MarkDecorator:
    """Mark a check with its weight; the points of an exercise are divided among its checks by weight.

    Parameters
    ----------
    n
        The weight.
    needs
        Names of checks of the same module: this one counts only if all of them passed. A parametrised check is
        named without its brackets, and then all its cases have to pass.

    Raises
    ------
    ValueError
        If `n` is not positive, or `needs` is no tuple of names.
    """
    if n <= 0:
        raise ValueError(f"weight: expected a positive number, got {n}")
    if not (isinstance(needs, tuple) and all(isinstance(name, str) for name in needs)):
        raise ValueError(f"weight: expected needs to be a tuple of names of checks, got {needs!r}")
    return pytest.mark.weight(n, needs=needs)


def time_limit(seconds: float) -> pytest.MarkDecorator:
    """Mark a check with its time limit.

    Raises
    ------
    ValueError
        If `seconds` is not positive.
    """
    if seconds <= 0:
        raise ValueError(f"time_limit: expected a positive number of seconds, got {seconds}")
    return pytest.mark.time_limit(seconds)


def stands_in(*names: str, calls: int = CALLS, dummies: Dummies | None = None) -> pytest.MarkDecorator:
    """Mark a module whose checks run with these names bound to the reference, not to the submission.

    Parameters
    ----------
    names
        What the exercise's solution, or a right variant of it, calls of the exercises before it.
    calls
        How many calls of each name a check answers: well above what any right solution makes.
    dummies
        Functions in the place of later exercises' that code around the solution calls; they return what has the right
        form and knows nothing, such as zeros.
    """
    return pytest.mark.stands_in(*names, calls=calls, dummies=dummies or {})


def misconception(*, exercise: str, explanation: str, hint: str) -> Callable[[Source], Source]:
    """Register a wrong solution; the decorated function returns the source of the exercise's solution cell.

    Parameters
    ----------
    exercise
        Name of the exercise.
    explanation, hint
        Shown to a student whose solution gives the same evidence.
    """

    def register(source: Source) -> Source:
        spec = Spec(source.__name__, exercise, explanation, hint, source().strip("\n") + "\n")
        source.misconception = spec  # type: ignore[attr-defined]  # functions may carry attributes
        return source

    return register


def misconceptions_of(module: ModuleType) -> dict[str, Spec]:
    """Return the misconceptions of a module by name, in the order of their definition."""
    found = (getattr(value, "misconception", None) for value in vars(module).values())
    return {spec.name: spec for spec in found if isinstance(spec, Spec)}
