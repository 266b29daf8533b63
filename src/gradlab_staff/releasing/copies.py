"""Copies: lines of a solution that stand elsewhere too, and names that code uses."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from itertools import pairwise

from gradlab_staff.course.magics import plain_python
from gradlab_staff.course.template import statements

__all__ = ["copies", "names_in"]

_LONG = 20  # a line of so many characters is no coincidence; of shorter ones, two in a row are none
_COMMENT = re.compile(r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|\s*#.*""")  # a string is kept: group 1
_PLAIN = re.compile(
    r"pass|else:|try:|finally:|break|continue|return( None| True| False)?|[\W_]*"  # says nothing of what it does
    r"|(from\s+\S+\s+)?import\s.*|plt\.\w+\(\)|print\(\)"
)


@dataclass(frozen=True)
class _Line:
    """A line of code: its number from 1, its text, and what is compared of it: all but whitespace and comments."""

    number: int
    text: str
    compared: str


def copies(blank: str, source: str) -> list[tuple[int, str]]:
    """Return the lines of a blank that `source` repeats, with their numbers there: long ones, or two in a row.

    >>> copies("total = 0\\nfor x in X:\\n    total += x", "total=0\\nfor x in X:  # all\\n    pass")
    [(1, 'total=0'), (2, 'for x in X:')]
    """
    solution, lines = _telling(blank), _telling(source)
    long = {line.compared for line in solution if len(line.text) >= _LONG}
    pairs = {(a.compared, b.compared) for a, b in pairwise(solution)}
    found = {line for line in lines if line.compared in long}
    for one, after in pairwise(lines):
        if (one.compared, after.compared) in pairs:
            found |= {one, after}
    return [(line.number, line.text) for line in sorted(found, key=lambda line: line.number)]


def _telling(source: str) -> list[_Line]:
    """Return the lines of code that say what it does: neither comments, imports nor a bare ``else:``."""
    found = []
    for number, line in enumerate(source.split("\n"), 1):
        text = _COMMENT.sub(lambda found: found[1] or "", line).strip()
        if not _PLAIN.fullmatch(text):
            found.append(_Line(number, text, "".join(text.split())))
    return found


def names_in(source: str) -> set[str]:
    """Return the names that code uses: variables, attributes, arguments, keys. One that it only defines is not used."""
    found: set[str | None] = set()
    for statement in statements(plain_python(source) or ""):
        for node in ast.walk(statement):
            if isinstance(node, ast.Name):
                found.add(node.id)
            elif isinstance(node, ast.Attribute):
                found.add(node.attr)
            elif isinstance(node, ast.arg | ast.keyword):
                found.add(node.arg)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return {name for name in found if name}
