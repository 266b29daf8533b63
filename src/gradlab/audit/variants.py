"""Variants: right solutions in other styles, which must all get full marks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gradlab.course import Assignment
from gradlab.errors import CourseError
from gradlab.modules import load_module

__all__ = ["Variant", "load_variants", "variant"]

Source = Callable[[], str | dict[str, str]]


@dataclass(frozen=True)
class Variant:
    """A right solution: its name, what is special about it, and the solution cells that it replaces."""

    name: str
    title: str
    sources: Mapping[str, str]

    @property
    def exercise(self) -> str:
        """The first exercise that it solves."""
        return next(iter(self.sources))


def variant(*, exercise: str = "") -> Callable[[Source], Source]:
    """Mark a right solution; the function returns the source that replaces the exercise's solution cell.

    Without `exercise` it returns the sources of several cells, by exercise: a cache and who reads it, say.
    """

    def register(source: Source) -> Source:
        made = source()
        cells = {exercise: made} if isinstance(made, str) else made
        title = (source.__doc__ or source.__name__.replace("_", " ")).strip()
        sources = {name: cell.strip("\n") + "\n" for name, cell in cells.items()}
        source.variant = Variant(source.__name__, title, sources)  # type: ignore[attr-defined]  # as misconceptions do
        return source

    return register


def load_variants(assignment: Assignment) -> list[Variant]:
    """The variants of ``variants.py`` and of every ``variants*.py`` beside it.

    Raises
    ------
    CourseError
        Where one belongs to an exercise that the assignment has not, or two have one name.
    """
    names = {exercise.name for exercise in assignment.exercises}
    found: dict[str, Variant] = {}
    for path in sorted(assignment.graders.glob("variants*.py")):
        marked = (getattr(value, "variant", None) for value in vars(load_module(path)).values())
        for one in (one for one in marked if isinstance(one, Variant)):
            if one.name in found:
                raise CourseError(
                    f"{path.name}: {one.name}: expected a name of its own, got one that is taken. Rename it."
                )
            if unknown := set(one.sources) - names:
                raise CourseError(
                    f"{path.name}: {one.name}: expected exercises of {assignment.name}, "
                    f"got {', '.join(sorted(unknown))}. Known: {', '.join(sorted(names))}."
                )
            found[one.name] = one
    return list(found.values())
