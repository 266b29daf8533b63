"""Expressions of a solution that stand elsewhere: printed, assigned, in a lambda, with other spaces and quotes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from gradlab_staff.course.magics import parse, plain_python
from gradlab_staff.course.template import BLANK

__all__ = ["expressions", "repeated"]

_LEAST = 20  # a shorter expression is one that many write
_STEPS = 2  # calls, operators, subscripts: `forward_backward(params, X, y)` has one, and tells nothing
_TOKEN = re.compile(r"\w+|[^\w\s]")
_STEP = ast.Call | ast.BinOp | ast.UnaryOp | ast.BoolOp | ast.Compare | ast.Subscript | ast.IfExp | ast.comprehension


def repeated(texts: Iterable[str], source: str) -> list[tuple[int, str]]:
    """Return which of these expressions `source`, code or prose, holds, each with the number of its first line there.

    >>> repeated(["np.mean((y_hat - y) ** 2)"], "a = 1\\nprint(np.mean(((y_hat-y)**2)))  # the same")
    [(2, 'np.mean((y_hat - y) ** 2)')]
    """
    coded = _coded(source)
    found = ((coded.get(text) or _written(text, source), text) for text in texts)
    return sorted((line, text) for line, text in found if line)


def _coded(source: str) -> dict[str, int]:
    """Return the expressions in code, as Python writes them, and their lines; none if it is no code."""
    try:
        nodes = ast.walk(parse(plain_python(source) or ""))
    except SyntaxError:
        return {}
    return {ast.unparse(node): node.lineno for node in nodes if isinstance(node, ast.expr) and _tells(node)}


def _written(text: str, source: str) -> int:
    """Return the line at which any text holds the expression, in whatever spaces, line breaks and quotes; 0 if none."""
    tokens = (r"\\?['\"]" if token in "'\"" else re.escape(token) for token in _TOKEN.findall(text))
    found = re.search(r"(?<![\w.])" + r"\s*".join(tokens) + r"(?!\w)", source)
    return source.count("\n", 0, found.start()) + 1 if found else 0


def expressions(source: str) -> list[str]:
    """Return what the blanks of a solution cell compute, as far as it is long enough to tell something.

    >>> expressions("def f(x):\\n    ### BEGIN SOLUTION it\\n    return np.mean((x - 1) ** 2)\\n    ### END SOLUTION")
    ['np.mean((x - 1) ** 2)']
    """
    spans = [(source.count("\n", 0, m.start()) + 1, source.count("\n", 0, m.end()) + 1) for m in BLANK.finditer(source)]
    try:
        tree = parse(plain_python(source) or "")
    except SyntaxError:
        return []
    values = [
        value
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt) and any(first <= node.lineno <= last for first, last in spans)
        for value in _values(node)
    ]
    return [text for text in dict.fromkeys(map(ast.unparse, filter(_tells, values))) if len(text) >= _LEAST]


def _values(node: ast.stmt) -> Iterator[ast.expr]:
    """Yield what a statement computes and returns, assigns or prints; what it tests or goes over tells little."""
    value = getattr(node, "value", None)
    if isinstance(value, ast.Call) and ast.unparse(value.func) == "print":
        yield from value.args
    elif isinstance(value, ast.expr):
        yield value


def _tells(value: ast.expr) -> bool:
    return sum(isinstance(node, _STEP) for node in ast.walk(value)) >= _STEPS
