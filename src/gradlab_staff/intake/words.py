"""Which cells hold words, and not a program: what a student writes, in whatever kind of cell."""

from __future__ import annotations

import ast
import contextlib
import html
import io
import re
import textwrap
import tokenize
from collections import Counter
from collections.abc import Iterator

from gradlab_staff.course.magics import MAX_SOURCE_CHARS, plain_python
from gradlab_staff.course.template import statements

__all__ = ["fenced", "is_code", "is_prose", "may_answer", "says", "words_in", "words_of"]

_MAX_WORDS_CHARS = 20_000
_CJK = "\u3040-\u30ff\u3400-\u9fff"  # written without blanks: each sign is counted as a word
_WORD = re.compile(rf"[{_CJK}]|[^\W{_CJK}]+")

# What a tool put there, with nothing of the student's: it is looked for at the start of a cell alone, to take no time
_BADGE = re.compile(
    r"""\s*(?:<a\s[^>]{0,2000}?(?:colab\.research\.google\.com|deepnote\.com|mybinder\.org|kaggle\.com)[^>]{0,2000}>
        (?:(?!</a>).){0,20000}</a>
    |\[!\[[^\]]{0,100}\]\([^)\s]{0,500}(?:badge|open-in-kaggle)[^)\s]{0,100}\)\]\([^)\s]{0,1000}\)
    |<h1>[^<]{0,100}<span\ class="tocSkip"></span></h1>\s*<div\ class="toc".{0,20000}</div>\s*$)""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_LAYOUT = re.compile(r"</?(?:br|hr|p|div|span|center|font|a|h[1-6])(?:\s[^<>]{0,1000})?/?>", re.IGNORECASE)
_SAYS = re.compile(r"[^\W_]|!\[|<img|[^\x00-\x7f\s\u200b-\u200f\ufeff]", re.IGNORECASE)

_PROSE_MAGIC = re.compile(r"\s*%%(?:markdown|latex|html)\b", re.IGNORECASE)
_FILE_MAGIC = re.compile(r"\s*%%(?:write)?file\b[^\n]*\n(.*)", re.DOTALL)
_SHELL_CELL = re.compile(r"\s*%%(?:bash|sh|script|system|sx|cmd|!)")
_WRITES = r"\b(?:echo|printf|cat[ \t]*<<)"
_ECHO, _ECHO_LINE = re.compile(_WRITES), re.compile(rf"^[ \t]*!.*{_WRITES}", re.MULTILINE)
_MAGIC = re.compile(r"^[ \t]*[%!?]|=[ \t]*[%!]|^[ \t]*[\w.]+\?{1,2}[ \t]*$", re.MULTILINE)  # of IPython: not words
_COMMENT = re.compile(r"^[ \t]*#[ \t]?", re.MULTILINE)
_OF_TOOLS = re.compile(r"[ \t]*(?:[%!]|@(?:title|param)\b|(?:TODO|FIXME|XXX)\b\W*$|YOUR CODE HERE)", re.IGNORECASE)
_QUOTED = re.compile(r'"""[\s\S]*?"""|' + r"'''[\s\S]*?'''" + r'|"[^"\n]*"|' + r"'[^'\n]*'")
_QUOTED_OR_COMMENT = re.compile(_QUOTED.pattern + r"|#(?P<comment>.*)")
_KEYWORD = re.compile(
    r"\b(?:and|as|assert|async|await|case|class|def|del|elif|else|except|finally|for|from|global|if|import|in|is|lambda"
    r"|match|nonlocal|not|or|print|raise|return|try|type|while|with|yield)\b"
)
_CODE = re.compile(r"\w[(\[]|=|^[ \t]*(?:def|class|for|while|if|import|from|return|with|try)\b", re.MULTILINE)
_TWO_WORDS = re.compile(rf"\b[^\W\d]\w*[ \t]+[^\W\d]|[{_CJK}]")  # side by side: never in a program
_ASIDE = re.compile(r"\w[ \t]\(")  # "Noise (in training)", which parses as a call
_PROGRAM = ast.Assign | ast.AugAssign | ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom | ast.Call
_BARE = (ast.Name, ast.Constant, ast.expr_context, ast.Tuple, ast.List, ast.Set, ast.BoolOp, ast.BinOp, ast.UnaryOp,
         ast.Compare, ast.boolop, ast.operator, ast.unaryop, ast.cmpop)  # fmt: skip


def words_of(text: str) -> Counter[str]:
    """Return how often each word stands in a text."""
    return Counter(_WORD.findall(text[:_MAX_WORDS_CHARS].lower()))


def fenced(source: str) -> str:
    """Return code as markdown."""
    longest = max((len(ticks) for ticks in re.findall(r"`+", source)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{source}\n{fence}"


def says(source: str) -> bool:
    """Return whether markdown shows anything of the student's: no rule, no blank of HTML's, nor what a tool added.

    >>> says("B"), says("🦓"), says("<br>&nbsp;"), says("---")
    (True, True, False, False)
    """
    if badge := _BADGE.match(source):
        source = source[badge.end() :]
    return bool(_SAYS.search(html.unescape(_LAYOUT.sub(" ", source))))


def is_prose(source: str) -> bool:
    """Return whether a code cell is no program: comments and strings, or words that are no Python."""
    if len(source) > MAX_SOURCE_CHARS:
        return False
    if _PROSE_MAGIC.match(source):
        return True
    if _MAGIC.search(source):
        return False
    if found := statements(textwrap.dedent(source)):
        return all(isinstance(node, ast.Expr) and _is_text(node.value) for node in found)
    if _has_code_lines(source):
        return not _looks_like_code(source)
    return not is_code(_COMMENT.sub("", source))


def is_code(text: str) -> bool:
    """Return whether text is code, also where it is broken or another Python's, or for a tool: no sentence.

    >>> is_code("plt.plot("), is_code("type X = int"), is_code("!pip install x"), is_code("x = 3 because it is")
    (True, True, True, False)
    """
    left = _less_tools(text)
    return not left or _is_program(left) or _looks_like_code(left)


def may_answer(source: str) -> bool:
    """Return whether a program may hold an answer, however short: asked of what stands below an open question.

    Strings (less those that index), comments, names that nothing is done with; files and lines that a command writes.

    >>> may_answer('print("B")'), may_answer("noise and averaging"), may_answer('x = data["train"]\\nprint(x)')
    (True, True, False)
    """
    if len(source) > MAX_SOURCE_CHARS:
        return True
    if file := _FILE_MAGIC.match(source):
        return bool(words_of(file[1])) and not _is_program(file[1])
    plain = plain_python(source)
    if _ECHO_LINE.search(source) or (_SHELL_CELL.match(source) and _ECHO.search(source)):
        return True
    if plain is None:  # another language
        return False
    found = statements(plain)
    if not found and _has_code_lines(plain):
        return bool(words_of(plain))
    if any(_is_remark(text) for text in _comments(plain, parses=bool(found))):
        return True
    return any(words_of(text) for text in _strings(found)) or _are_bare(found, plain)


def words_in(source: str) -> list[str]:
    """Return the strings and comments of a program, less code that is switched off."""
    plain = plain_python(source) if len(source) <= MAX_SOURCE_CHARS else None
    if plain is None:
        return []
    found = statements(plain)
    comments = _comments(plain, parses=bool(found))
    return [*_strings(found), *(_less_tools(text) for text in comments if not is_code(text))]


def _has_code_lines(source: str) -> bool:
    return any(line.strip() and not line.lstrip().startswith("#") for line in source.split("\n"))


def _is_text(value: ast.expr) -> bool:
    return isinstance(value, ast.JoinedStr) or (isinstance(value, ast.Constant) and isinstance(value.value, str))


def _are_bare(nodes: list[ast.stmt], source: str) -> bool:
    return bool(nodes and words_of(source)) and all(map(_is_bare, nodes))


def _is_bare(node: ast.stmt) -> bool:
    """Return whether a statement does nothing: words that parse, ``Dropout, averaging``, ``Answer: noise``."""
    parts = [node.annotation] if isinstance(node, ast.AnnAssign) and node.value is None else []
    parts += [node.value] if isinstance(node, ast.Expr) else []
    return bool(parts) and all(isinstance(part, _BARE) for value in parts for part in ast.walk(value))


def _is_program(text: str) -> bool:
    """Return whether text is Python that does something, or looks something up (``data.shape``)."""
    found = [] if _ASIDE.search(_KEYWORD.sub(";", text)) else statements(text)
    first = found[0] if len(found) == 1 and not re.search(r"\s", text.strip()) else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Attribute | ast.Subscript):
        return True
    return any(isinstance(part, _PROGRAM) for node in found for part in ast.walk(node)) or any(
        isinstance(node, ast.AnnAssign) and node.value for node in found
    )


def _looks_like_code(text: str) -> bool:
    """Return whether text that is no Python is code all the same: in code no two names stand side by side."""
    bare = _QUOTED.sub('""', text)
    bare = _KEYWORD.sub(";", re.sub("#.*", "", bare))
    return bool(_CODE.search(text)) and not _TWO_WORDS.search(bare)


def _less_tools(text: str) -> str:
    """Return text less the lines that are for a tool, or marks: ``!pip``, ``@title``, ``%%``, ``TODO``."""
    lines = (line for line in text.split("\n") if not _OF_TOOLS.match(line))
    return textwrap.dedent("\n".join(lines)).strip()


def _is_remark(text: str) -> bool:
    left = _less_tools(text)
    return bool(words_of(left)) and not _is_program(left)


def _strings(nodes: list[ast.stmt]) -> Iterator[str]:
    """Yield the strings of a program, but for keys (``data["train"]``) and formats (``{x:.2f}``)."""
    left: list[ast.AST] = list(reversed(nodes))
    while left:
        node = left.pop()
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        without = {ast.Subscript: "slice", ast.FormattedValue: "format_spec"}.get(type(node), "")
        skipped = getattr(node, without, None)
        left += [child for child in reversed(list(ast.iter_child_nodes(node))) if child is not skipped]


def _comments(source: str, *, parses: bool) -> list[str]:
    """Return the comments of a program; those on lines that follow each other are one."""
    found = list(_tokenized(source) if parses else _searched(source))
    texts: list[str] = []
    for at, (row, text) in enumerate(found):
        follows = at > 0 and found[at - 1][0] == row - 1
        texts[-1:] = [f"{texts[-1]}\n{text}"] if follows else [*texts[-1:], text]
    return [textwrap.dedent(text).strip() for text in texts]


def _tokenized(source: str) -> Iterator[tuple[int, str]]:
    """Yield each comment, with its line."""
    with contextlib.suppress(tokenize.TokenError, SyntaxError):
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string.lstrip("#")


def _searched(source: str) -> Iterator[tuple[int, str]]:
    """Yield each comment of a program that does not parse: `tokenize` takes a blank before an error for one, each time.

    32 KiB of blanks took it a minute.
    """
    row, end = 1, 0
    for found in _QUOTED_OR_COMMENT.finditer(source):
        row, end = row + source.count("\n", end, found.start()), found.start()
        if found["comment"] is not None:
            yield row, found["comment"].lstrip("#")
