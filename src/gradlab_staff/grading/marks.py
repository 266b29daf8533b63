"""How graders are marked: weights, time limits, stand-ins; and how wrong solutions are named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

import pytest

__all__ = ["MARKS", "Spec", "misconception", "misconceptions_of", "stands_in", "time_limit", "weight"]

Source = Callable[[], str]

MARKS = (
    "weight(n): how much of its exercise this check is worth (1 unless told)",
    "time_limit(seconds): how long this check may take",
    "stands_in(*names): the reference answers for these names while this module runs",
)
"""The lines that register the marks with pytest."""


@dataclass(frozen=True)
class Spec:
    """A misconception: its exercise, what to tell a student who has it, and the wrong solution."""

    name: str
    exercise: str
    explanation: str
    hint: str
    source: str


def weight(n: float) -> pytest.MarkDecorator:
    """Mark a check as worth `n` shares of its exercise."""
    if n <= 0:
        raise ValueError(f"weight: expected a positive number, got {n}")
    return pytest.mark.weight(n)


def time_limit(seconds: float) -> pytest.MarkDecorator:
    """Mark a check as allowed to take this long."""
    if seconds <= 0:
        raise ValueError(f"time_limit: expected a positive number of seconds, got {seconds}")
    return pytest.mark.time_limit(seconds)


def stands_in(*names: str) -> pytest.MarkDecorator:
    """Mark a module as graded with the reference answering for these names."""
    return pytest.mark.stands_in(*names)


def misconception(*, exercise: str, explanation: str, hint: str) -> Callable[[Source], Source]:
    """Name a wrong solution; the function returns the source that replaces the exercise's solution cell."""

    def register(source: Source) -> Source:
        spec = Spec(source.__name__, exercise, explanation, hint, source().strip("\n") + "\n")
        source.misconception = spec  # type: ignore[attr-defined]  # a function carries what was said of it
        return source

    return register


def misconceptions_of(module: ModuleType) -> dict[str, Spec]:
    """The misconceptions that a module names, in the order in which it names them."""
    found = (getattr(value, "misconception", None) for value in vars(module).values())
    return {spec.name: spec for spec in found if isinstance(spec, Spec)}
