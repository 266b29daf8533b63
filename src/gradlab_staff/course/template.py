"""The code cells of an assignment as released to students, and the matching of a submission's cells to them."""

from __future__ import annotations

import ast
import re
import symtable
import textwrap
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from gradlab_staff.course import Assignment, Cell
from gradlab_staff.course.magics import MAX_SOURCE_CHARS

__all__ = [
    "BLANK",
    "UNANSWERED",
    "Template",
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
BLANK = re.compile(
    r"^([ \t]*)### BEGIN SOLUTION[ \t]*([^\n]*)\n(.*?)^[ \t]*### END SOLUTION[^\n]*", re.DOTALL | re.MULTILINE
)
"""A blank (nbgrader: solution region) of the instructor notebook: its indentation, its hint, the solution."""

UNANSWERED = "*Your answer here.*"
"""What a question is released with, as nbgrader_config.py has it."""

_STUB_COLUMNS = 88
_COMPREHENSIONS = {"dictcomp", "genexpr", "listcomp", "setcomp"}
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

    def solved_in(self, source: str) -> Iterator[str]:
        """Yield the ids of the solution cells of which `source` defines a function or class, or all variables."""
        named, assigned = functions(source), variables(source)
        for id, names in self.defines.items():
            if names & named or (names and names <= named | assigned):
                yield id

    def is_run(self, id: str) -> bool:
        """Return whether grading runs the released source of the cell, not the submitted one."""
        cell = self.cells[id]
        return cell.is_given and not cell.is_demo

    def demos_for(self, id: str, source: str, known: set[str]) -> set[str]:
        """Return the demonstrations that the cell `id` needs: those that bind names that it reads and `known` lacks.

        For names that are read inside functions, only the functions of a demonstration count: a variable that is read
        there is one that the student forgot to define.
        """
        top, inner = _read(source)
        helpers = {name for demo in self.demos for name in functions(self.cells[demo].source)}
        return self._binding(id, top | (inner & helpers), known)

    def _binding(self, id: str, names: set[str], known: set[str]) -> set[str]:
        found: set[str] = set()
        for name in names - known:
            before = [demo for demo, bound in self.demos.items() if name in bound and self.order[demo] < self.order[id]]
            if before and before[-1] not in found:
                demo = before[-1]
                reads = set().union(*_read(self.cells[demo].source))
                found |= {demo} | self._binding(demo, reads, known | self.demos[demo])
        return found

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
    plain = [node for node in statements(source) if not isinstance(node, _DEFINITIONS)]
    nodes = [node for statement in plain for node in ast.walk(statement)]
    return {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def statements(source: str) -> list[ast.stmt]:
    """Return the top-level statements; none if `source` does not parse."""
    if len(source) > MAX_SOURCE_CHARS:
        return []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source).body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return []


def bound(node: ast.stmt) -> set[str]:
    """Return the names that an import or a definition binds; none for any other statement."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name for alias in node.names}
    return {node.name} if isinstance(node, _DEFINITIONS) else set()


def _read(source: str) -> tuple[set[str], set[str]]:
    """Return the global names that a cell reads at top level and in functions; none if it does not compile."""
    try:
        top = symtable.symtable(source, "<cell>", "exec")
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return set(), set()
    read = {symbol.get_name() for symbol in top.get_symbols() if symbol.is_referenced()}
    tables = top.get_children()
    inner: set[str] = set()
    while tables:
        table = tables.pop()
        tables += table.get_children()
        names = read if table.get_name() in _COMPREHENSIONS else inner
        names |= {symbol.get_name() for symbol in table.get_symbols() if symbol.is_global()}
    return read, inner
