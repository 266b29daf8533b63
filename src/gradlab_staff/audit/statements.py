"""Ways to get a block of statements wrong: one is dropped, swapped, moved, or another stands in its place."""

from __future__ import annotations

import ast
from collections.abc import Container, Iterator
from itertools import pairwise
from typing import Any

from gradlab_staff.audit.operators import ARITHMETIC

__all__ = ["Change", "Rewriting", "rewritings_of_block"]

Change = tuple[ast.AST, str, Any]
"""A node of the syntax tree, the name of one of its fields, and what this is to hold."""
Rewriting = tuple[str, list[Change]]
"""The operator's name, and what it changes."""


def rewritings_of_block(node: ast.AST, name: str, inside: Container[ast.AST]) -> Iterator[Rewriting]:
    """Yield the rewritings of a block's statements, of those that are `inside`.

    The block is the list in the field `name` of the node; one that holds no statements has none.
    """
    block = getattr(node, name)

    def put(first: int, end: int, *new: ast.stmt) -> Change:
        return node, name, [*block[:first], *new, *block[end:]]

    mine = [i for i, one in enumerate(block) if isinstance(one, ast.stmt) and one in inside]
    for i in mine:
        one = block[i]
        yield "statement dropped", [put(i, i + 1, *([] if len(mine) > 1 else [ast.Pass()]))]
        if isinstance(one, ast.If | ast.While | ast.For) and not one.orelse and len(one.body) > 1:
            yield "moved out of the block", [(one, "body", one.body[:-1]), put(i + 1, i + 1, one.body[-1])]
        for operator, other in _others(one):
            yield operator, [put(i, i + 1, other)]
    for i, j in pairwise(mine):
        above, one = block[i], block[j]
        if not _commute(above, one):
            yield "statements swapped", [put(i, j + 1, one, *block[i + 1 : j], above)]
        if j == i + 1 and hasattr(above, "body") and not hasattr(one, "body"):
            owner, suite = _last_suite(above)
            yield "moved into the block above", [put(j, j + 1), (owner, suite, [*getattr(owner, suite), one])]


def _others(one: ast.stmt) -> Iterator[tuple[str, ast.stmt]]:
    """Yield what may stand in a statement's place: the operator's name, and the other statement."""
    if isinstance(one, ast.If | ast.While):
        forced = (True, False) if isinstance(one, ast.If) else (False,)  # a loop without an end is not worth the wait
        for test in (ast.UnaryOp(ast.Not(), one.test), *map(ast.Constant, forced)):
            yield "condition forced", type(one)(test, one.body, one.orelse)
    elif isinstance(one, ast.Return) and one.value is not None:
        yield "nothing returned", ast.Return(ast.Constant(None))
    elif isinstance(one, ast.Break | ast.Continue):
        yield "break and continue swapped", ast.Continue() if isinstance(one, ast.Break) else ast.Break()
    elif isinstance(one, ast.AugAssign):
        plain = ast.Assign([one.target], one.value)
        yield "assignment changed", ast.copy_location(plain, one)  # unparse looks for the comment of its line
        for opposite in ARITHMETIC.get(type(one.op), ())[:1]:
            yield "assignment changed", ast.AugAssign(one.target, opposite(), one.value)


def _last_suite(one: ast.stmt) -> tuple[ast.AST, str]:
    """Return which block a line below a statement joins when it is indented: a node, and a field's name."""
    if getattr(one, "finalbody", None):
        return one, "finalbody"
    if orelse := getattr(one, "orelse", None):
        # an elif is an If in the column of its if; what an else holds stands further in
        return _last_suite(orelse[0]) if orelse[0].col_offset == one.col_offset else (one, "orelse")
    handlers = getattr(one, "handlers", None)
    return handlers[-1] if handlers else one, "body"


def _commute(one: ast.stmt, other: ast.stmt) -> bool:
    """Return whether two assignments do the same in either order: no calls, and nothing that one sets and both use."""
    if not all(isinstance(statement, ast.Assign | ast.AugAssign) for statement in (one, other)):
        return False
    (used, set_), (also_used, also_set) = _places(one), _places(other)
    every = used | also_used
    bare = {place.split("[")[0] for place in every if "[" in place} & every
    return "" not in every and not bare and not (set_ & also_used or also_set & used)


def _places(node: ast.AST) -> tuple[set[str], set[str]]:
    """Return the names, and the entries of dictionaries by a written key, that are used, and those that are set.

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
