"""Which exercises build on which: read from the instructor's code, and bound to the order of the notebook.

A hidden grader may put the reference in the place of what comes before its exercise, and of nothing else. Were the loss
given to whoever is asked for gradients, and the gradients to whoever is asked for the loss, each could be found from
the other, by differences and by integration.
"""

from __future__ import annotations

import ast
import symtable
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from gradlab_staff.course.model import Assignment
from gradlab_staff.course.template import binds, exercise_of, statements

__all__ = ["Dependence", "dependence_of"]


@dataclass(frozen=True)
class Dependence:
    """What an assignment's names need: by name, the exercises whose solutions run where it is called."""

    order: tuple[str, ...]
    """The exercises, as they come in the notebook."""
    exercises: Mapping[str, frozenset[str]]

    def place(self, exercise: str) -> int:
        """Return the place of an exercise in the notebook; -1 where there is none of that name."""
        return self.order.index(exercise) if exercise in self.order else -1

    def later(self, name: str, exercise: str) -> list[str]:
        """Return the exercises that a name needs, and that do not come before `exercise`; in the notebook's order."""
        needed = self.exercises.get(name, frozenset())
        return [other for other in self.order[max(self.place(exercise), 0) :] if other in needed]

    @property
    def faults(self) -> list[str]:
        """Return a line for each solution that builds on a later exercise's: with none, there is no circle."""
        return [
            f"{exercise}: expected its solution to build on earlier exercises alone, got the use of {other}. "
            "Move the cell up, or have it defined in a cell that is given."
            for exercise in self.order
            for other in self.order[self.order.index(exercise) + 1 :]
            if other in self.exercises.get(f"{exercise}_solution", frozenset())
        ]


def dependence_of(assignment: Assignment) -> Dependence:
    """Return what the names of the instructor notebook need."""
    cells = (
        (cell.id, cell.source, cell.is_solution)
        for cell in assignment.cells
        if cell.cell_type == "code" and cell.id and (cell.is_solution or (cell.is_given and not cell.is_demo))
    )
    return Dependence(tuple(exercise.name for exercise in assignment.exercises), _needs(tuple(cells)))


@lru_cache(maxsize=16)
def _needs(cells: tuple[tuple[str, str, bool], ...]) -> Mapping[str, frozenset[str]]:
    uses: dict[str, set[str]] = {}
    owner: dict[str, str] = {}
    for id, source, is_solution in cells:
        for node in statements(source):
            used = _globals(symtable.symtable(ast.unparse(node), id, "exec"))
            for name in {id, *binds(node)}:
                uses.setdefault(name, set()).update(used)
                if is_solution:
                    owner[name] = exercise_of(id)
    return {name: frozenset(owner[one] for one in _reached(name, uses) if one in owner) for name in uses}


def _globals(table: symtable.SymbolTable) -> set[str]:
    """Return the notebook's names that a statement uses, also inside what it defines."""
    top = table.get_type() == "module"
    own = {
        symbol.get_name() for symbol in table.get_symbols() if symbol.is_referenced() and (top or symbol.is_global())
    }
    return own.union(*map(_globals, table.get_children()))


def _reached(name: str, uses: Mapping[str, set[str]]) -> set[str]:
    found, left = set(), [name]
    while left:
        one = left.pop()
        if one not in found:
            found.add(one)
            left += uses.get(one, ())
    return found
