"""Handwritten solutions: variants (right, in other styles), mistakes (wrong in ways that no mutation makes), and
trivial answers (without any work, in ways that no rule makes)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gradlab_staff.course import Assignment, Course
from gradlab_staff.course.modules import load_module
from gradlab_staff.errors import CourseError

__all__ = ["Variant", "changed", "load_mistakes", "load_trivial", "load_variants", "mistake", "trivial", "variant"]

Source = Callable[[], str | dict[str, str]]


@dataclass(frozen=True)
class Variant:
    """A handwritten solution: its name, a descriptive title, and the sources of its solution cells by exercise."""

    name: str
    title: str
    sources: Mapping[str, str]

    @property
    def exercise(self) -> str:
        """Return the first exercise that it solves."""
        return next(iter(self.sources))


def variant(*, exercise: str = "") -> Callable[[Source], Source]:
    """Mark a right solution; the decorated function returns the source of the exercise's solution cell.

    Without `exercise`, it returns the sources of several cells by exercise, for solutions that depend on each other.
    """
    return _marking("variant", exercise)


def mistake(*, exercise: str) -> Callable[[Source], Source]:
    """Mark a wrong solution, as `variant` does a right one; its docstring describes the mistake."""
    return _marking("mistake", exercise)


def trivial(*, exercise: str = "") -> Callable[[Source], Source]:
    """Mark an answer without any work, as `variant` does a right one; its docstring says what it pretends."""
    return _marking("trivial", exercise)


def changed(beside: str, exercise: str, *changes: tuple[str, str]) -> str:
    """Return the instructor's solution cell of an exercise with some text replaced.

    Parameters
    ----------
    beside
        A file among the assignment's graders: ``__file__``.
    exercise
        Name of the exercise.
    changes
        Pairs of old text, which must occur exactly once in the cell, and new text.

    Raises
    ------
    CourseError
        If there is no such cell, or an old text does not occur exactly once.
    """
    folder = Path(beside).resolve().parent
    cells = Course.find(folder).assignment(folder.name).cells
    source = next((cell.source for cell in cells if cell.is_solution and cell.id == f"{exercise}_solution"), None)
    if source is None:
        raise CourseError(f"{Path(beside).name}: expected an exercise with a solution cell, got {exercise!r}.")
    for old, new in changes:
        if source.count(old) != 1:
            found = f"{exercise}: expected {old.strip()[:60]!r} in the instructor's solution once, got it"
            raise CourseError(f"{Path(beside).name}: {found} {source.count(old)} times. Adapt it to the notebook.")
        source = source.replace(old, new)
    return source


def _marking(kind: str, exercise: str) -> Callable[[Source], Source]:
    def register(source: Source) -> Source:
        made = source()
        cells = {exercise: made} if isinstance(made, str) else made
        title = (source.__doc__ or source.__name__.replace("_", " ")).strip()
        sources = {name: cell.strip("\n") + "\n" for name, cell in cells.items()}
        setattr(source, kind, Variant(source.__name__, title, sources))  # as for misconceptions
        return source

    return register


def load_variants(assignment: Assignment) -> list[Variant]:
    """Return the variants of ``variants.py`` and every ``variants*.py`` beside it.

    Raises
    ------
    CourseError
        If one belongs to an exercise that the assignment does not have, or two have the same name.
    """
    return _load(assignment, "variant")


def load_mistakes(assignment: Assignment) -> list[Variant]:
    """Return the mistakes of every ``mistakes*.py`` beside the graders.

    Raises
    ------
    CourseError
        As for `load_variants`.
    """
    return _load(assignment, "mistake")


def load_trivial(assignment: Assignment) -> list[Variant]:
    """Return the trivial answers of every ``trivial*.py`` beside the graders.

    Raises
    ------
    CourseError
        As for `load_variants`.
    """
    return _load(assignment, "trivial", "trivial*.py")


def _load(assignment: Assignment, kind: str, files: str = "") -> list[Variant]:
    names = {exercise.name for exercise in assignment.exercises}
    found: dict[str, Variant] = {}
    for path in sorted(assignment.graders.glob(files or f"{kind}s*.py")):
        marked = (getattr(value, kind, None) for value in vars(load_module(path)).values())
        for one in (one for one in marked if isinstance(one, Variant)):
            if one.name in found:
                raise CourseError(
                    f"{path.name}: {one.name}: expected a unique name, got one that is in use. Rename it."
                )
            if unknown := set(one.sources) - names:
                raise CourseError(
                    f"{path.name}: {one.name}: expected exercises of {assignment.name}, "
                    f"got {', '.join(sorted(unknown))}. Known: {', '.join(sorted(names))}."
                )
            found[one.name] = one
    return list(found.values())
