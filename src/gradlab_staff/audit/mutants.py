"""Mutants: the instructor's solution with one thing wrong, made by syntax, inside the blanks alone, or by hand."""

from __future__ import annotations

import ast
import difflib
import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise, zip_longest
from typing import Protocol, TypeVar

from gradlab_staff.audit.operators import EXPRESSIONS, Scope
from gradlab_staff.audit.variants import Variant, load_mistakes
from gradlab_staff.course import Assignment
from gradlab_staff.course.template import BLANK, exercise_of
from gradlab_staff.errors import CourseError

__all__ = ["Mutant", "in_turns", "make_mutants", "mutants_of"]

_INDENT = "    "


@dataclass(frozen=True)
class Mutant:
    """A wrong solution cell: which exercise's, what was done to it, and the difference to the right one."""

    id: str
    exercise: str
    operator: str
    source: str
    diff: str


def make_mutants(assignment: Assignment) -> list[Mutant]:
    """The mutants of all solution cells, in the notebook's order, and the mistakes that were written by hand.

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
    if len(one.sources) != 1 or _tree(source) in ("", _tree(right)):
        raise CourseError(
            f"mistake {one.name}: expected one cell of Python that differs from the solution, got "
            f"{'several cells' if len(one.sources) != 1 else 'none'}. It would prove nothing. Mend it."
        )
    return Mutant(f"{one.exercise}-{one.name}", one.exercise, f"by hand: {one.title}", source, _diff(right, source))


class _OfExercise(Protocol):
    @property
    def exercise(self) -> str: ...


T = TypeVar("T", bound=_OfExercise)


def in_turns(found: Sequence[T], count: int | None) -> list[T]:
    """`count` of them (None: all), one of each exercise after the other."""
    columns: dict[str, list[T]] = defaultdict(list)
    for one in found:
        columns[one.exercise].append(one)
    turns = chain.from_iterable(zip_longest(*columns.values()))
    return [one for one in turns if one is not None][:count]


def mutants_of(exercise: str, source: str) -> Iterator[Mutant]:
    """The mutants of one solution cell, each different from the others and from the solution as a syntax tree."""
    seen = {_tree(source)}
    ids: set[str] = set()
    for operator, wrong in _Cell(source).rewrites():
        tree = _tree(wrong)
        if tree and tree not in seen:
            seen.add(tree)
            diff = _diff(source, wrong)
            id = _fingerprint(exercise, diff, ids)
            ids.add(id)
            yield Mutant(id, exercise, operator, wrong, diff)


def _tree(source: str) -> str:
    """The syntax tree as a text; nothing where there is none."""
    try:
        compile(source, "<mutant>", "exec", dont_inherit=True)
        return ast.dump(ast.parse(source))
    except (SyntaxError, ValueError):
        return ""


def _diff(right: str, wrong: str) -> str:
    lines = difflib.unified_diff(right.splitlines(), wrong.splitlines(), "solution", "mutant", n=2, lineterm="")
    return "\n".join(lines)


def _fingerprint(exercise: str, diff: str, taken: set[str]) -> str:
    """The same for the same change in the same surroundings, wherever it stands in the cell."""
    lines = [line for line in diff.splitlines()[2:] if not line.startswith("@@")]
    digest = hashlib.sha256("\n".join([exercise, *lines]).encode()).hexdigest()[:8]
    id = f"{exercise}-{digest}"
    copies = sum(other.startswith(id) for other in taken)
    return f"{id}-{copies + 1}" if copies else id


class _Cell:
    """A solution cell, and the ways to rewrite the code in its blanks."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.lines = source.splitlines(keepends=True)
        self.tree = ast.parse(source)
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line.encode()))
        self.strings = {
            inner: node for node in ast.walk(self.tree) if isinstance(node, ast.JoinedStr) for inner in ast.walk(node)
        }
        self.blanks = [
            (source.count("\n", 0, blank.start(3)) + 1, source.count("\n", 0, blank.end(3)))
            for blank in BLANK.finditer(source)
        ]

    def rewrites(self) -> Iterator[tuple[str, str]]:
        """Each rewriting: the operator's name, and the whole cell."""
        for block in self._blocks(self.tree):
            inside = [statement for statement in block if self._blank(statement)]
            for statement in inside:
                yield from self._of_statement(statement, inside)
        for blank in self.blanks:
            nodes = [node for node in ast.walk(self.tree) if isinstance(node, ast.stmt) and self._blank(node) == blank]
            scope = Scope.of(nodes)
            for parent in ast.walk(self.tree):
                yield from self._of_children(parent, blank, scope)

    def _blank(self, node: ast.AST) -> tuple[int, int] | None:
        """The blank that a node lies in."""
        first, last = getattr(node, "lineno", 0), getattr(node, "end_lineno", 0)
        return next((blank for blank in self.blanks if blank[0] <= first and last <= blank[1]), None)

    def _blocks(self, root: ast.AST) -> Iterator[list[ast.stmt]]:
        for node in ast.walk(root):
            for name in ("body", "orelse", "finalbody"):
                block = getattr(node, name, None)
                if isinstance(block, list) and block:
                    yield block

    # -- statements: whole lines are moved ---

    def _of_statement(self, one: ast.stmt, block: list[ast.stmt]) -> Iterator[tuple[str, str]]:
        first, last = one.lineno - 1, one.end_lineno or one.lineno
        lines, own = self.lines, self.lines[first:last]
        indent = own[0][: len(own[0]) - len(own[0].lstrip())]
        instead = [f"{indent}pass\n"] if len(block) == 1 else []
        yield "statement dropped", "".join([*lines[:first], *instead, *lines[last:]])
        for before, after in pairwise(block):
            if before is one and not _commute(before, after):
                yield "statements swapped", self._swapped(before, after)
            elif after is one and hasattr(before, "body") and not hasattr(one, "body"):
                yield "moved into the block above", self._shifted(first, last, _INDENT)
        if isinstance(one, ast.If | ast.While | ast.For) and not one.orelse and len(one.body) > 1:
            bottom = one.body[-1]
            yield "moved out of the block", self._shifted(bottom.lineno - 1, bottom.end_lineno or 0, "")
        yield from self._of_header(one)

    def _swapped(self, before: ast.stmt, after: ast.stmt) -> str:
        a, b = before.lineno - 1, before.end_lineno or 0
        c, d = after.lineno - 1, after.end_lineno or 0
        lines = self.lines
        return "".join([*lines[:a], *lines[c:d], *lines[b:c], *lines[a:b], *lines[d:]])

    def _shifted(self, first: int, last: int, indent: str) -> str:
        moved = [indent + line if indent else line.removeprefix(_INDENT) for line in self.lines[first:last]]
        return "".join([*self.lines[:first], *moved, *self.lines[last:]])

    def _of_header(self, one: ast.stmt) -> Iterator[tuple[str, str]]:
        if isinstance(one, ast.If | ast.While):
            test = ast.unparse(one.test)
            for wrong in (f"not ({test})", "True", "False") if isinstance(one, ast.If) else (f"not ({test})", "False"):
                yield "condition forced", self._with(one.test, wrong)
        elif isinstance(one, ast.Return) and one.value is not None:
            yield "nothing returned", self._with(one.value, "None")
        elif isinstance(one, ast.Break | ast.Continue):
            yield "break and continue swapped", self._with(one, "continue" if isinstance(one, ast.Break) else "break")
        elif isinstance(one, ast.AugAssign):
            target, value = ast.unparse(one.target), ast.unparse(one.value)
            signs = {ast.Add: "-=", ast.Sub: "+=", ast.Mult: "/=", ast.Div: "*="}
            for sign in ("=", signs.get(type(one.op), "=")):
                yield "assignment changed", self._with(one, f"{target} {sign} {value}")

    # -- expressions: the text of a node is replaced ---

    def _of_children(self, parent: ast.AST, blank: tuple[int, int], scope: Scope) -> Iterator[tuple[str, str]]:
        for name, value in ast.iter_fields(parent):
            for index, child in enumerate(value if isinstance(value, list) else [value]):
                if isinstance(child, ast.expr) and self._blank(child) == blank:
                    for operator in EXPRESSIONS:
                        for wrong in operator(child, scope):
                            source = self._replaced(parent, name, index, child, wrong)
                            yield operator.__name__.replace("_", " "), source

    def _replaced(self, parent: ast.AST, name: str, index: int, child: ast.expr, wrong: ast.expr) -> str:
        """The cell with `wrong` for `child`; in parentheses where it would be read otherwise without."""
        _put(parent, name, index, wrong)
        try:
            expected = ast.dump(self.tree)
            anchor = self.strings.get(parent, child)  # what stands in an f-string has no place of its own
            text = ast.unparse(wrong if anchor is child else anchor)
        finally:
            _put(parent, name, index, child)
        quoted = text if '"' in text else text.replace("'", '"')
        for candidate in (quoted, text, f"({text})"):
            source = self._with(anchor, candidate)
            if _tree(source) == expected:
                return source
        return ""

    def _with(self, node: ast.expr | ast.stmt, text: str) -> str:
        start = self.starts[node.lineno - 1] + node.col_offset
        end = self.starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
        whole = self.source.encode()
        return (whole[:start] + text.encode() + whole[end:]).decode()


def _commute(one: ast.stmt, other: ast.stmt) -> bool:
    """Whether two assignments plainly do the same in either order: no calls, and nothing that one sets and both use."""
    if not all(isinstance(statement, ast.Assign | ast.AugAssign) for statement in (one, other)):
        return False
    (used, set_), (also_used, also_set) = _places(one), _places(other)
    every = used | also_used
    bare = {place.split("[")[0] for place in every if "[" in place} & every
    return "" not in every and not bare and not (set_ & also_used or also_set & used)


def _places(node: ast.AST) -> tuple[set[str], set[str]]:
    """The names, and the entries of dictionaries by a written key, that are used, and those that are set.

    An empty text stands for what may do anything else.
    """
    if isinstance(node, ast.Name) or (
        isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and isinstance(node.slice, ast.Constant)
    ):
        place = {ast.unparse(node)}
        return place, place if isinstance(node.ctx, ast.Store) else set()
    if isinstance(node, ast.Call | ast.Attribute | ast.Subscript | ast.Starred):
        return {""}, set()
    parts = [_places(child) for child in ast.iter_child_nodes(node)]
    return set().union(*(used for used, _ in parts)), set().union(*(set_ for _, set_ in parts))


def _put(parent: ast.AST, name: str, index: int, node: ast.expr) -> None:
    value = getattr(parent, name)
    if isinstance(value, list):
        value[index] = node
    else:
        setattr(parent, name, node)
