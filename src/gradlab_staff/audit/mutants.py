"""Mutants: the instructor's solution with one thing wrong, made by syntax, inside the blanks alone, or by hand."""

from __future__ import annotations

import ast
import difflib
import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Protocol, TypeVar

from gradlab_staff.audit.operators import EXPRESSIONS, Scope
from gradlab_staff.audit.statements import Change, Rewriting, rewritings_of_block
from gradlab_staff.audit.variants import Variant, load_mistakes
from gradlab_staff.course import Assignment
from gradlab_staff.course.template import BLANK, exercise_of
from gradlab_staff.errors import CourseError

__all__ = ["Mutant", "in_turns", "make_mutants", "mutants_of"]


@dataclass(frozen=True)
class Mutant:
    """A wrong solution cell: which exercise's, what was done to it, and the difference to the right one.

    The difference is between the two as `ast.unparse` writes them: without comments, in one style.
    """

    id: str
    exercise: str
    operator: str
    source: str
    diff: str


def make_mutants(assignment: Assignment) -> list[Mutant]:
    """Return the mutants of all solution cells, in the notebook's order, and the mistakes that were written by hand.

    Raises
    ------
    CourseError
        Where a mistake belongs to no exercise, is no Python, or is the solution itself.
    """
    cells = [cell for cell in assignment.cells if cell.is_solution and cell.cell_type == "code"]
    right = {exercise_of(cell.id): cell.source for cell in cells}
    by_syntax = [mutant for exercise, source in right.items() for mutant in mutants_of(exercise, source)]
    by_hand = [
        _by_hand(one, right.get(exercise, ""), source)
        for one in load_mistakes(assignment)
        for exercise, source in one.sources.items()
    ]
    return [*by_syntax, *by_hand]


def _by_hand(one: Variant, right: str, source: str) -> Mutant:
    if len(one.sources) != 1 or _program(source) in ("", _program(right)):
        raise CourseError(
            f"mistake {one.name}: expected one cell of Python that differs from the solution, got "
            f"{'several cells' if len(one.sources) != 1 else 'none'}. It would prove nothing. Fix it."
        )
    diff = _diff(*(ast.unparse(ast.parse(cell)) for cell in (right, source)))
    return Mutant(f"{one.exercise}-{one.name}", one.exercise, f"by hand: {one.title}", source, diff)


class _OfExercise(Protocol):
    @property
    def exercise(self) -> str: ...


T = TypeVar("T", bound=_OfExercise)


def in_turns(found: Sequence[T], count: int | None) -> list[T]:
    """Return `count` of them (None: all), one of each exercise after the other."""
    columns: dict[str, list[T]] = defaultdict(list)
    for one in found:
        columns[one.exercise].append(one)
    turns = chain.from_iterable(zip_longest(*columns.values()))
    return [one for one in turns if one is not None][:count]


def mutants_of(exercise: str, source: str) -> Iterator[Mutant]:
    """Yield the mutants of one solution cell, each another program than the others and than the solution."""
    tree = ast.parse(source)
    right = ast.unparse(tree)
    seen = {"", _program(right)}
    ids: set[str] = set()
    for operator, changes in _rewritings(tree, _scopes(source, tree)):
        wrong = _written(tree, changes)
        program = _program(wrong)
        if program not in seen:
            seen.add(program)
            diff = _diff(right, wrong)
            id = _fingerprint(exercise, diff, ids)
            ids.add(id)
            yield Mutant(id, exercise, operator, wrong, diff)


def _scopes(source: str, tree: ast.Module) -> dict[ast.AST, Scope]:
    """Map the statements and expressions inside a blank to its scope; by lines, for a tree has no comments."""
    scopes: dict[ast.AST, Scope] = {}
    located = [node for node in ast.walk(tree) if isinstance(node, ast.stmt | ast.expr)]
    for blank in BLANK.finditer(source):
        first, last = source.count("\n", 0, blank.start(3)) + 1, source.count("\n", 0, blank.end(3))
        inside = [node for node in located if first <= node.lineno and (node.end_lineno or node.lineno) <= last]
        scopes |= dict.fromkeys(inside, Scope.of([node for node in inside if isinstance(node, ast.stmt)]))
    return scopes


def _rewritings(tree: ast.Module, scopes: dict[ast.AST, Scope]) -> Iterator[Rewriting]:
    for node in ast.walk(tree):
        for name, value in ast.iter_fields(node):
            if isinstance(value, list):
                yield from rewritings_of_block(node, name, scopes)
            for i, child in enumerate(value if isinstance(value, list) else [value]):
                if isinstance(child, ast.expr) and child in scopes:
                    for operator, wrong in _wrong_ones(child, scopes[child]):
                        whole = wrong if child is value else [*value[:i], wrong, *value[i + 1 :]]
                        yield operator, [(node, name, whole)]


def _wrong_ones(node: ast.expr, scope: Scope) -> Iterator[tuple[str, ast.expr]]:
    for operator in EXPRESSIONS:
        for wrong in operator(node, scope):
            yield operator.__name__.replace("_", " "), wrong


def _written(tree: ast.Module, changes: list[Change]) -> str:
    """Return the source of the tree with the changes, which are undone; nothing where Python cannot write it."""
    right = [getattr(node, name) for node, name, _ in changes]
    try:
        for node, name, wrong in changes:
            setattr(node, name, wrong)
        return ast.unparse(tree)
    except ValueError:  # before Python 3.12 no expression in an f-string may hold a backslash
        return ""
    finally:
        for (node, name, _), value in zip(changes, right, strict=True):
            setattr(node, name, value)


def _program(source: str) -> str:
    """Return the syntax tree as a text; nothing where `source` is empty or does not compile."""
    try:
        tree = ast.parse(source)
        compile(tree, "<mutant>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return ""
    return ast.dump(tree) if tree.body else ""


def _diff(right: str, wrong: str) -> str:
    lines = difflib.unified_diff(right.splitlines(), wrong.splitlines(), "solution", "mutant", n=2, lineterm="")
    return "\n".join(lines)


def _fingerprint(exercise: str, diff: str, taken: set[str]) -> str:
    """Return an id: the same for the same change in the same surroundings, wherever it stands in the cell."""
    lines = [line for line in diff.splitlines()[2:] if not line.startswith("@@")]
    digest = hashlib.sha256("\n".join([exercise, *lines]).encode()).hexdigest()[:8]
    id = f"{exercise}-{digest}"
    copies = sum(other.startswith(id) for other in taken)
    return f"{id}-{copies + 1}" if copies else id
