"""The code cells of an assignment as released to students, and the matching of a submission's cells to them."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from gradlab_staff.course import Assignment, Cell
from gradlab_staff.course.magics import parse

__all__ = [
    "BLANK",
    "UNANSWERED",
    "Template",
    "binds",
    "bound",
    "exercise_of",
    "functions",
    "normal",
    "released_text",
    "statements",
    "stub",
    "variables",
]

_DEFINITIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_BINDING = _DEFINITIONS | ast.Import | ast.ImportFrom
_SCOPES = ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
BLANK = re.compile(
    r"^([ \t]*)### BEGIN SOLUTION[ \t]*([^\n]*)\n(.*?)^[ \t]*### END SOLUTION[^\n]*", re.DOTALL | re.MULTILINE
)
"""A blank (nbgrader: solution region) of the instructor notebook: its indentation, its hint, the solution."""

UNANSWERED = "*Your answer here.*"
"""What a question is released with, as nbgrader_config.py has it."""

_STUB_COLUMNS = 88
_DEFINITION = re.compile(r"^(?:async\s+def|def|class)\s+(\w+)", re.MULTILINE)


def stub(source: str, exercise: str) -> str:
    """Return the source of a solution cell as released: each blank raises NotImplementedError with its hint.

    >>> print(stub("def f(x):\\n    ### BEGIN SOLUTION double x\\n    ...\\n    ### END SOLUTION", "a/f"))
    def f(x):
        raise NotImplementedError("a/f: double x")
    """

    def raising(blank: re.Match[str]) -> str:
        indent, message = blank[1], f"{exercise}: {blank[2].strip()}"
        line = f"{indent}raise NotImplementedError({_quoted(message)})"
        if len(line) <= _STUB_COLUMNS:
            return line
        # Several short literals, so that students can read the hint without scrolling.
        parts = textwrap.wrap(message, _STUB_COLUMNS - len(indent) - 8, drop_whitespace=False, break_on_hyphens=False)
        return "\n".join(
            [f"{indent}raise NotImplementedError(", *(f"{indent}    {_quoted(part)}" for part in parts), f"{indent})"]
        )

    return BLANK.sub(raising, source)


def _quoted(text: str) -> str:
    return repr(text) if '"' in text or "\\" in text else f'"{text}"'


def normal(source: str) -> str:
    """Return `source` without blank lines and trailing whitespace, which editors change when they save a cell."""
    return "\n".join(line.rstrip() for line in source.split("\n") if line.strip())


def released_text(assignment: Assignment, cell: Cell) -> str:
    """Return the source of an instructor's cell as students get it."""
    if cell.cell_type == "code":
        return stub(cell.source, f"{assignment.name}/{exercise_of(cell.id)}")
    return BLANK.sub(UNANSWERED, cell.source)


def exercise_of(id: str) -> str:
    """Return the name of the exercise that a solution cell belongs to."""
    return id.removesuffix("_solution")


@dataclass(frozen=True)
class Template:
    """The code cells of an assignment as released, and the matching of other cells to them."""

    assignment: Assignment

    @cached_property
    def cells(self) -> dict[str, Cell]:
        """Return the code cells that have an id, by id, in order."""
        return {
            cell.id: replace(cell, source=released_text(self.assignment, cell))
            for cell in self.assignment.cells
            if cell.id and cell.cell_type == "code"
        }

    @cached_property
    def order(self) -> dict[str, int]:
        """Return the position of each of these cells, by id."""
        return {id: place for place, id in enumerate(self.cells)}

    @cached_property
    def defines(self) -> dict[str, set[str]]:
        """Return the functions and classes of each solution cell, or its variables if it has none, by id."""
        return {
            cell.id: functions(cell.source) or variables(cell.source)
            for cell in self.assignment.cells
            if cell.id and cell.is_solution and cell.cell_type == "code"
        }

    @cached_property
    def functions(self) -> frozenset[str]:
        """Return the functions and classes of all exercises."""
        return frozenset(name for id in self.defines for name in functions(self._sources[id]))

    def solved_in(self, source: str) -> Iterator[str]:
        """Yield the ids of the solution cells of which `source` defines a function or class, or all variables.

        Who imports a function from a file of their own defines it, too, or gives it another's name. A value by its name
        (``dropout = 0.5``) is none.
        """
        nodes = statements(source)
        named = functions(source).union(*map(_defined, nodes))
        assigned = set().union(*map(binds, nodes))
        for id, names in self.defines.items():
            variables = not functions(self._sources[id])
            if names & named or (variables and names and names <= named | assigned):
                yield id

    @cached_property
    def _sources(self) -> dict[str, str]:
        return {cell.id: cell.source for cell in self.assignment.cells if cell.id}

    def is_run(self, id: str) -> bool:
        """Return whether grading runs the released source of the cell, not the submitted one."""
        cell = self.cells[id]
        return cell.is_given and not cell.is_demo

    @cached_property
    def demos(self) -> dict[str, set[str]]:
        """Return the names that each demonstration binds, by id."""
        return {
            id: variables(cell.source).union(*map(bound, statements(cell.source)))
            for id, cell in self.cells.items()
            if cell.is_demo
        }


def functions(source: str) -> set[str]:
    """Return the names of top-level functions and classes, even if the cell does not parse."""
    return set(_DEFINITION.findall(source))


def variables(source: str) -> set[str]:
    """Return the names that top-level statements bind other than by ``def`` and ``class``."""
    return set().union(*(binds(node) for node in statements(source) if not isinstance(node, _BINDING)))


def statements(source: str) -> list[ast.stmt]:
    """Return the top-level statements; none if `source` does not parse."""
    try:
        return parse(source).body
    except SyntaxError:
        return []


def binds(node: ast.stmt) -> set[str]:
    """Return the names that a statement binds: an import, a definition, or whatever else; not those of inner scopes."""
    found: set[str] = set()
    left: list[ast.AST] = [node]
    while left:
        part = left.pop()
        if isinstance(part, _BINDING):
            found |= bound(part)
        elif isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            found.add(part.id)
        elif not isinstance(part, _SCOPES):
            left += ast.iter_child_nodes(part)
    return found


def _defined(node: ast.stmt) -> set[str]:
    """Return the names that a statement binds to a function or a class: it defines, imports or assigns one."""
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda | ast.Name | ast.Attribute):
        return binds(node)
    return set().union(*(bound(part) for part in ast.walk(node) if isinstance(part, ast.stmt))) & binds(node)


def bound(node: ast.stmt) -> set[str]:
    """Return the names that an import or a definition binds; none for any other statement."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name for alias in node.names}
    return {node.name} if isinstance(node, _DEFINITIONS) else set()
