"""Which cells hold words, and not a program: what a student writes, in whatever kind of cell."""

from __future__ import annotations

import ast
import re
import textwrap
from collections import Counter

from gradlab_staff.course.magics import MAX_SOURCE_CHARS
from gradlab_staff.course.template import statements

__all__ = ["fenced", "is_program", "is_prose", "says_words", "words_of"]

_MAX_WORDS_CHARS = 20_000
_PROSE_MAGIC = re.compile(r"\s*%%(?:markdown|latex|html)\b", re.IGNORECASE)
_MAGIC = re.compile(r"^[ \t]*[%!?]|=[ \t]*[%!]|^[ \t]*[\w.]+\?{1,2}[ \t]*$", re.MULTILINE)  # of IPython: not words
_COMMENT = re.compile(r"^[ \t]*#[ \t]?", re.MULTILINE)
_REMARK = re.compile(r"#(.*)")
_SENTENCE_WORDS = 3
_PROGRAM = ast.Assign | ast.AugAssign | ast.AnnAssign | ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom


def words_of(text: str) -> Counter[str]:
    """Return how often each word stands in a text."""
    return Counter(re.findall(r"\w+", text[:_MAX_WORDS_CHARS].lower()))


def fenced(source: str) -> str:
    """Return code as markdown."""
    longest = max((len(ticks) for ticks in re.findall(r"`+", source)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{source}\n{fence}"


def is_prose(source: str) -> bool:
    """Return whether a code cell is no program: comments and strings, or words that are no Python."""
    if len(source) > MAX_SOURCE_CHARS:
        return False
    if _PROSE_MAGIC.match(source):
        return True
    if _MAGIC.search(source):
        return False
    found = _parsed(textwrap.dedent(source))
    if found is None:
        return True
    if found:
        return all(isinstance(node, ast.Expr) and _is_text(node.value) for node in found)
    return not is_program(_COMMENT.sub("", source))


def says_words(source: str) -> bool:
    """Return whether a program says something in words, in its strings and comments.

    >>> says_words('print("Because units co-adapt")'), says_words('x = data["train"]  # looks fine')
    (True, False)
    """
    if len(source) > MAX_SOURCE_CHARS:
        return False
    nodes = [part for node in statements(source) for part in ast.walk(node)]
    strings = [part.value for part in nodes if isinstance(part, ast.Constant) and isinstance(part.value, str)]
    remarks = [text for text in _REMARK.findall(source) if not statements(text.strip())]  # not code switched off
    return any(words_of(text).total() >= _SENTENCE_WORDS for text in (*strings, *remarks))


def _parsed(source: str) -> list[ast.stmt] | None:
    """Return the statements; None where it is no Python."""
    if found := statements(source):
        return found
    return None if any(line.strip() and not line.lstrip().startswith("#") for line in source.split("\n")) else []


def _is_text(value: ast.expr) -> bool:
    return isinstance(value, ast.JoinedStr) or (isinstance(value, ast.Constant) and isinstance(value.value, str))


def is_program(source: str) -> bool:
    """Return whether text is code that was switched off, and no sentence."""
    found = [part for node in statements(source) for part in ast.walk(node)]
    return any(isinstance(node, _PROGRAM | ast.Call) for node in found)
