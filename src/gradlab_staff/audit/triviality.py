"""Trivial answers: right in their form, without any work in them. They have to earn nothing.

Most are made of the instructor's solution: its answers made None, zeros, ones or random numbers, its training undone.
Of a choice each answer but the right one is tried. What no rule makes stands in ``trivial*.py`` beside the graders.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, combinations
from pathlib import Path

from gradlab_staff.audit.hollow import HOW
from gradlab_staff.audit.variants import load_trivial
from gradlab_staff.course import Assignment
from gradlab_staff.course.template import exercise_of

__all__ = ["Trivial", "trivial_answers"]

_HOLLOW = """

import types

_hollow = types.ModuleType("_hollow")
exec({text!r}, vars(_hollow))
_hollow.hollow(globals(), {defined!r}, {how!r})
"""


@dataclass(frozen=True)
class Trivial:
    """A trivial answer: a name, the exercise that it is sorted under, and the sources of solution cells by exercise."""

    name: str
    exercise: str
    sources: Mapping[str, str]


def trivial_answers(assignment: Assignment) -> list[Trivial]:
    """Return the trivial answers of all exercises: of each by itself, and of all together.

    Raises
    ------
    CourseError
        Where one that was written by hand belongs to no exercise.
    """
    cells = [cell for cell in assignment.cells if cell.is_solution and cell.cell_type == "code"]
    right = {exercise_of(cell.id): cell.source for cell in cells}
    hollow = {how: _hollow_cells(right, how) for how in HOW}
    by_rule = [
        Trivial(f"{name}-{how}", name, {name: source})
        for how, sources in hollow.items()
        for name, source in sources.items()
        if how != "none"  # which all together show as well: of None nothing can be made
    ]
    together = [Trivial(f"all-{how}", next(iter(sources)), sources) for how, sources in hollow.items() if sources]
    choices = [choice for name, source in right.items() for choice in _choices(name, source)]
    by_hand = [Trivial(f"{one.exercise}-{one.name}", one.exercise, one.sources) for one in load_trivial(assignment)]
    return [*together, *by_rule, *choices, *by_hand]


def _hollow_cells(right: Mapping[str, str], how: str) -> dict[str, str]:
    return {
        name: _hollow(source, how)
        for name, source in right.items()
        if how != "untrained" or _asks_what_it_is_given(source)
    }


def _asks_what_it_is_given(source: str) -> bool:
    """Return whether a cell calls an argument, a method of one or of its own object: then it may train something."""
    for function in ast.walk(ast.parse(source)):
        if isinstance(function, ast.FunctionDef):
            given = {argument.arg for argument in ast.walk(function.args) if isinstance(argument, ast.arg)}
            called = (node.func for node in ast.walk(function) if isinstance(node, ast.Call))
            if any(isinstance(name, ast.Name) and name.id in given for call in called for name in ast.walk(call)):
                return True
    return False


def _hollow(source: str, how: str) -> str:
    text = Path(__file__).with_name("hollow.py").read_text(encoding="utf-8")
    return source + _HOLLOW.format(text=text, defined=_defined(source), how=how)


def _defined(source: str) -> list[str]:
    """Return the names that a cell defines at its top."""
    names: dict[str, None] = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names[node.name] = None
        if isinstance(node, ast.Assign):
            names |= dict.fromkeys(target.id for target in node.targets if isinstance(target, ast.Name))
    return list(names)


def _choices(exercise: str, source: str) -> Iterator[Trivial]:
    """Yield each answer to a choice but the right one: a cell that sets a name to a set of numbers from 1 on."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Set):
            right = ast.literal_eval(node.value)
            every = range(1, max(right) + 2)
            subsets = chain.from_iterable(combinations(every, count) for count in range(len(every) + 1))
            for chosen in (set(one) for one in subsets):
                if chosen != right:
                    name = "".join(map(str, sorted(chosen))) or "nothing"
                    text = f"{ast.unparse(node.targets[0])} = {chosen!r}\n"
                    yield Trivial(f"{exercise}-chosen-{name}", exercise, {exercise: text})
