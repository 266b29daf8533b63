"""Which demonstrations a submission needs: no exercise does, but nothing forbids a student to build on one."""

from __future__ import annotations

import ast
import symtable
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gradlab_staff.course.template import Template, binds, functions

__all__ = ["building_blocks", "needed_demonstrations"]

_COMPREHENSIONS = {"dictcomp", "genexpr", "listcomp", "setcomp"}


@dataclass(frozen=True)
class _Statement:
    """A statement of the student's: whether it is part of a solution, the names it binds, and those that it reads.

    What it reads in functions (`inner`), it does not need yet where it stands.
    """

    solution: str
    binds: set[str]
    top: set[str]
    inner: set[str]


def needed_demonstrations(template: Template, cells: Iterable[tuple[str, Sequence[ast.stmt]]]) -> set[str]:
    """Return the ids of the demonstrations without which a statement would fail that a solution builds on.

    `cells` are the student's: the id of the solution cell, or nothing for one of their own, and what is run of it.
    A look at a demonstration's names (``print(data.shape)``) asks for none: it defines nothing, and demonstrations take
    seconds. For names that are read inside functions, only the functions of a demonstration count: a variable that is
    read there is one that the student forgot to define.
    """
    cells = list(cells)
    shown = {name for names in template.demos.values() for name in names}
    if not any(shown & _names(node) for _, nodes in cells for node in nodes):
        return set()
    written = _written(cells)
    own = {name for statement in written for name in statement.binds}
    helpers = {name for demo in template.demos for name in functions(template.cells[demo].source)}
    found: set[str] = set()
    for statement in (written[place] for place in _needed(written)):
        found |= _binding(template, statement.solution, statement.top | (statement.inner & helpers), own)
    return found


def building_blocks(cells: Iterable[tuple[str, Sequence[ast.stmt]]]) -> set[ast.stmt]:
    """Return the statements that define something of a solution's, or something that such a statement reads."""
    cells = list(cells)
    nodes = [node for _, found in cells for node in found]
    return {nodes[place] for place in _needed(_written(cells))}


def _written(cells: Iterable[tuple[str, Sequence[ast.stmt]]]) -> list[_Statement]:
    return [_statement(id, node) for id, nodes in cells for node in nodes]


def _needed(written: Sequence[_Statement]) -> list[int]:
    """Return the places of the statements that define something of a solution's, or something that these read."""
    binding = defaultdict(list)
    for place, statement in enumerate(written):
        for name in statement.binds:
            binding[name].append(place)
    asked = [name for statement in written if statement.solution for name in statement.top | statement.inner]
    needed = {place for place, statement in enumerate(written) if statement.solution and statement.binds}
    while asked:
        for place in binding.pop(asked.pop(), ()):
            if place not in needed:
                needed.add(place)
                asked += written[place].top | written[place].inner
    return sorted(needed)


def _binding(template: Template, id: str, names: set[str], known: set[str]) -> set[str]:
    """Return the last demonstrations before the cell `id` that bind `names`, with those that these need themselves."""
    found: set[str] = set()
    end = template.order.get(id, len(template.order))
    for name in names - known:
        before = [demo for demo, bound in template.demos.items() if name in bound and template.order[demo] < end]
        if before and before[-1] not in found:
            demo = before[-1]
            reads = set().union(*_read(template.cells[demo].source))
            found |= {demo} | _binding(template, demo, reads, known | template.demos[demo])
    return found


def _names(node: ast.stmt) -> set[str]:
    return {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}


def _statement(id: str, node: ast.stmt) -> _Statement:
    try:
        top, inner = _read(ast.unparse(node))
    except (RecursionError, ValueError):  # nested too deeply, or integers of more digits than Python prints
        top, inner = set(), set()
    return _Statement(id, binds(node), top, inner)


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
