"""Mutation operators for expressions: functions that map a node of the syntax tree to wrong replacements."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["ARITHMETIC", "EXPRESSIONS", "Scope"]


@dataclass(frozen=True)
class Scope:
    """The context of a mutated node: the names and strings of its blank, and the attributes of each name, in order."""

    names: tuple[str, ...]
    texts: tuple[str, ...]
    attributes: dict[str, tuple[str, ...]]

    @classmethod
    def of(cls, nodes: list[ast.stmt]) -> Scope:
        """Return the scope of a blank's statements."""
        every = [node for statement in nodes for node in ast.walk(statement)]
        stored = [node.id for node in every if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
        texts = [node.value for node in every if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        attributes: dict[str, list[str]] = {}
        for node in every:
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                attributes.setdefault(node.value.id, []).append(node.attr)
        unique = {name: tuple(dict.fromkeys(found)) for name, found in attributes.items()}
        return cls(tuple(dict.fromkeys(stored)), tuple(dict.fromkeys(texts)), unique)


Wrong = Iterator[ast.expr]


def _next(known: tuple[str, ...], one: str) -> str | None:
    """Return the entry after `one`, cyclically; None if there is no other."""
    if one not in known or len(known) < 2:
        return None
    return known[(known.index(one) + 1) % len(known)]


def _changed(node: ast.expr, **fields: Any) -> Any:
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new


# --- arithmetic and conditions ---

ARITHMETIC: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div, ast.Add),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Div, ast.Mult),
    ast.Mod: (ast.FloorDiv,),
    ast.Pow: (ast.Mult,),
    ast.MatMult: (ast.Mult,),
}
"""By operator, those that are written for it by mistake, the likeliest first."""

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}


def operator_swapped(node: ast.expr, scope: Scope) -> Wrong:
    """Replace an operator: ``−`` by ``+``, ``<`` by ``<=`` or ``>``, ``or`` by ``and``."""
    if isinstance(node, ast.BinOp):
        yield from (_changed(node, op=other()) for other in ARITHMETIC.get(type(node.op), ()))
    elif isinstance(node, ast.Compare):
        for i, op in enumerate(node.ops):
            for other in _COMPARISONS[type(op)]:
                yield _changed(node, ops=[*node.ops[:i], other(), *node.ops[i + 1 :]])
    elif isinstance(node, ast.BoolOp):
        yield _changed(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())


def operand_dropped(node: ast.expr, scope: Scope) -> Wrong:
    """Drop an operand or a unary operator: ``x / p`` becomes ``x``, ``reg * W`` ``W``, ``not x`` ``x``."""
    if isinstance(node, ast.BinOp):
        yield node.left
        if isinstance(node.op, ast.Add | ast.Sub | ast.Mult | ast.MatMult):
            yield node.right
    elif isinstance(node, ast.BoolOp):
        for i in range(len(node.values)):
            rest = node.values[:i] + node.values[i + 1 :]
            yield rest[0] if len(rest) == 1 else _changed(node, values=rest)
    elif isinstance(node, ast.UnaryOp):
        yield node.operand


def operands_swapped(node: ast.expr, scope: Scope) -> Wrong:
    """Swap the operands where the order matters: ``a − b`` becomes ``b − a``."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub | ast.Div | ast.Pow | ast.MatMult):
        yield _changed(node, left=node.right, right=node.left)


def branch_forced(node: ast.expr, scope: Scope) -> Wrong:
    """Replace a conditional expression by one of its branches; drop the condition of a comprehension."""
    if isinstance(node, ast.IfExp):
        yield node.body
        yield node.orelse
    elif isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
        for i, part in enumerate(node.generators):
            if part.ifs:
                bare = ast.comprehension(part.target, part.iter, [], part.is_async)
                yield _changed(node, generators=[*node.generators[:i], bare, *node.generators[i + 1 :]])


# --- constants and names ---

_WORDS = {"train": "test", "test": "train"}


def constant_changed(node: ast.expr, scope: Scope) -> Wrong:
    """Change a constant: a number slightly, by a factor, to 0 or 1; a boolean or a string to another one."""
    value = node.value if isinstance(node, ast.Constant) else None
    others: list[Any] = []
    if isinstance(value, bool):
        others = [not value]
    elif isinstance(value, int):
        others = [value + 1, value - 1, 2 * value]
    elif isinstance(value, float):
        others = [value * 2, value / 2, value * 10, 0.0, 1.0]
    elif isinstance(value, str):
        others = [_WORDS.get(value) or _next(scope.texts, value)]
    for other in dict.fromkeys(others):
        if other is not None and (other != value or type(other) is not type(value)):
            yield from [ast.Constant(other)] if not isinstance(other, int | float) or other >= 0 else [_minus(-other)]


def _minus(value: float) -> ast.expr:
    return ast.UnaryOp(ast.USub(), ast.Constant(value))


def name_swapped(node: ast.expr, scope: Scope) -> Wrong:
    """Replace a variable by another one of the blank, or an attribute by another one of the same object."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        other = _next(scope.names, node.id)
        if other:
            yield ast.Name(other, ast.Load())
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id != "np":
        other = _next(scope.attributes.get(node.value.id, ()), node.attr)
        if other and isinstance(node.ctx, ast.Load):
            yield _changed(node, attr=other)


_TWINS = {
    "max": "min",
    "min": "max",
    "maximum": "minimum",
    "argmax": "argmin",
    "sum": "mean",
    "mean": "sum",
    "zeros": "ones",
    "ones": "zeros",
    "zeros_like": "ones_like",
    "ones_like": "zeros_like",
    "sqrt": "square",
    "rand": "randn",
    "randn": "rand",
    "exp": "log",
    "log": "exp",
    "float32": "float64",
    "float64": "float32",
    "permutation": "arange",
    "copy": "view",
    "dot": "multiply",
    "vstack": "hstack",
    "hstack": "vstack",
    "float": "int",
}


def twin_called(node: ast.expr, scope: Scope) -> Wrong:
    """Replace a library function or dtype by a similar one: ``max`` by ``min``, ``sum`` by ``mean``."""
    if isinstance(node, ast.Attribute) and node.attr in _TWINS and isinstance(node.ctx, ast.Load):
        yield _changed(node, attr=_TWINS[node.attr])
    elif isinstance(node, ast.Name) and node.id in _TWINS and isinstance(node.ctx, ast.Load):
        yield ast.Name(_TWINS[node.id], ast.Load())


# --- calls, indices, tuples ---


def argument_dropped(node: ast.expr, scope: Scope) -> Wrong:
    """Drop one of a call's keyword arguments, or its last positional argument."""
    if isinstance(node, ast.Call):
        for i in range(len(node.keywords)):
            yield _changed(node, keywords=node.keywords[:i] + node.keywords[i + 1 :])
        if len(node.args) > 1:
            yield _changed(node, args=node.args[:-1])


def arguments_swapped(node: ast.expr, scope: Scope) -> Wrong:
    """Swap two adjacent arguments of a call."""
    if isinstance(node, ast.Call):
        for i in range(len(node.args) - 1):
            yield _changed(node, args=[*node.args[:i], node.args[i + 1], node.args[i], *node.args[i + 2 :]])


def call_dropped(node: ast.expr, scope: Scope) -> Wrong:
    """Drop a call or a transposition: ``x.copy()``, ``np.sqrt(x)`` and ``x.T`` become ``x``."""
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute) and not _is_module(node.func.value):
            yield node.func.value
        if node.args and not isinstance(node.args[0], ast.Starred | ast.GeneratorExp):
            yield node.args[0]
    elif isinstance(node, ast.Attribute) and node.attr == "T":
        yield node.value


def _is_module(node: ast.expr) -> bool:
    return any(isinstance(part, ast.Name) and part.id in ("np", "self") for part in ast.walk(node))


def bound_shifted(node: ast.expr, scope: Scope) -> Wrong:
    """Shift a bound of a slice or a range, or an index, by one; drop a bound of a slice."""
    if isinstance(node, ast.Slice):
        for name in ("lower", "upper", "step"):
            bound = getattr(node, name)
            if bound is not None:
                yield _changed(node, **{name: None})
                yield from (_changed(node, **{name: moved}) for moved in _moved(bound))
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range":
        for i, arg in enumerate(node.args):
            yield from (_changed(node, args=[*node.args[:i], moved, *node.args[i + 1 :]]) for moved in _moved(arg))
    elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Name) and isinstance(node.ctx, ast.Load):
        yield from (_changed(node, slice=moved) for moved in _moved(node.slice))


def _moved(bound: ast.expr) -> Wrong:
    if not isinstance(bound, ast.Constant):  # `constant_changed` changes constants
        yield ast.BinOp(bound, ast.Add(), ast.Constant(1))
        yield ast.BinOp(bound, ast.Sub(), ast.Constant(1))


def parts_swapped(node: ast.expr, scope: Scope) -> Wrong:
    """Swap two adjacent entries of a tuple or list, or drop an entry."""
    if isinstance(node, ast.Tuple | ast.List) and len(node.elts) > 1:
        for i in range(len(node.elts) - 1):
            yield _changed(node, elts=[*node.elts[:i], node.elts[i + 1], node.elts[i], *node.elts[i + 2 :]])
        if isinstance(node.ctx, ast.Load):
            yield from (_changed(node, elts=node.elts[:i] + node.elts[i + 1 :]) for i in range(len(node.elts)))


EXPRESSIONS: tuple[Callable[[ast.expr, Scope], Wrong], ...] = (
    operator_swapped,
    operand_dropped,
    operands_swapped,
    branch_forced,
    constant_changed,
    name_swapped,
    twin_called,
    argument_dropped,
    arguments_swapped,
    call_dropped,
    bound_shifted,
    parts_swapped,
)
