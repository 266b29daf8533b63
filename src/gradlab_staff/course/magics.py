"""IPython syntax (magics, shell commands, help) in a cell, turned into plain Python with the same line numbers."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["MAX_SOURCE_CHARS", "Plain", "parse", "plain_python", "read_cell", "syntax_fault"]

MAX_SOURCE_CHARS = 32 << 10
"""The longest cell that is compiled: nobody writes a longer one, and compilation can take time quadratic in length."""

_MAX_LINES = 100
_MAX_TIMES = 20
"""How often a cell is parsed while its IPython syntax is looked for: at each line the statement around it."""
_OTHER_LANGUAGES = frozenset(
    (
        *("!", "bash", "sh", "script", "system", "sx", "cmd", "powershell", "perl", "ruby", "R", "julia", "fortran"),
        *("javascript", "js", "html", "HTML", "svg", "SVG", "latex", "markdown", "sql", "bigquery", "cpp", "cython"),
        *("python", "python2", "python3", "pypy", "file", "writefile"),
    )
)
"""Cell magics whose body is not run in the notebook's own namespace, if it is Python at all; any other's is."""
_SHELL = frozenset(("run", "env", "set_env", "cd", "pylab", "file", "writefile"))
"""Magics that the host's own shell knows (`host.shell`)."""
_QUIET = frozenset(
    (
        *("matplotlib", "load_ext", "reload_ext", "autoreload", "config", "precision", "xmode", "colors", "automagic"),
        *("time", "timeit", "prun", "lprun", "memit", "mprun", "debug", "pdb", "who", "whos", "history"),
    )
)
"""Line magics that show or measure something: to skip them is worth no word."""

_CELL_MAGIC = re.compile(r"\s*%%(!|\w+)(.*)")
_LINE_MAGIC = re.compile(r"(\s*)%(\w+)\s*(.*)")
_ASSIGNED = re.compile(r"([^=!%]*[^=!%<>:\s]\s*=\s*)[%!]")
_TIMED = re.compile(r"(\s*)%time\s+(.+)")
_COMMAND = re.compile(r"\s*[%!]")
_FOLLOWING = re.compile(r"\s|else\b|elif\b|except\b|finally\b|$")  # no statement begins so, in the first column
# Python joins the names of ``import a.a.a`` one by one: 32 KiB of them are a quarter of a GiB for each time
_NAMES = re.compile(r"\b(?:import|from)[\s\\]++(?:\w++[\s\\]*+\.[\s\\]*+){200}")
_ESCAPED = re.compile(r"\s*([%!?]|[\w.*\[\]'\"]+\?{1,2}\s*(#.*)?$)")


@dataclass(frozen=True)
class Plain:
    """A cell as Python that parses; empty where it is in another `language` (a cell magic), or has a `fault`.

    `skipped` are the lines, by number, that held commands which grading does not run.
    """

    source: str = ""
    language: str = ""
    skipped: tuple[tuple[int, str], ...] = ()
    fault: SyntaxError | None = None


def read_cell(source: str) -> Plain:
    """Return a student's cell as the sandbox runs it: what its shell knows (`%run`, `%%writefile`) as calls of that."""
    skipped: dict[int, str] = {}

    def replaced(line: str, number: int) -> str | None:
        if (call := _called(line)) is not None:
            return call
        plain = _plain_line(line)
        if plain is not None and not _is_quiet(line):
            skipped[number] = line.strip()
        return plain

    language, body = _without_cell_magics(source)
    if language:
        return Plain(body, "" if body else language)
    plain = _parsing(body, replaced)
    fault = syntax_fault(plain)
    return Plain("", fault=fault) if fault else Plain(plain, skipped=tuple(sorted(skipped.items())))


def plain_python(source: str) -> str | None:
    """Return `source` without IPython syntax; None for a cell in another language (``%%bash``).

    Only lines at which Python reports a syntax error are changed, so that text inside a string literal is kept.

    >>> plain_python("%matplotlib inline\\nx = !ls\\ny = 1")
    'pass\\nx = None\\ny = 1'
    """
    language, body = _without_cell_magics(source)
    return None if language else _parsing(body, lambda line, number: _plain_line(line))


def parse(source: str, filename: str = "<cell>") -> ast.Module:
    """Return the syntax tree of a cell, as IPython parses it: ``await`` may stand at its top level.

    It is not compiled: twenty ``try: … finally:`` in each other, 800 characters, take Python's compiler 6 s and 1.5
    GiB, and twice as much for each more. What only the compiler refuses, the host does, within its limits.

    Raises
    ------
    SyntaxError
        Where it does not parse, or is too long or too deeply nested to try.
    """
    if len(source) > MAX_SOURCE_CHARS:
        raise SyntaxError(f"the cell is longer than {MAX_SOURCE_CHARS} characters")
    if _NAMES.search(source):
        raise SyntaxError("the code is nested too deeply")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a student's "\d" must not print a warning while grading
            return ast.parse(source, filename)
    except (MemoryError, RecursionError):
        raise SyntaxError("the code is nested too deeply") from None
    except (OverflowError, ValueError) as error:  # null bytes, and integers of too many digits
        raise SyntaxError(str(error)) from None


def syntax_fault(source: str, filename: str = "<cell>") -> SyntaxError | None:
    """Return the error with which Python refuses to parse `source`, or None; nothing is run."""
    try:
        parse(source, filename)
    except SyntaxError as fault:
        return fault
    return None


def _without_cell_magics(source: str) -> tuple[str, str]:
    """Return the other language of a cell and nothing; or nothing, and the cell with its cell magics as ``pass``.

    Of ``%%writefile`` the body is a call of the host's shell.
    """
    lines = source.split("\n")
    for number, line in enumerate(lines):
        magic = _CELL_MAGIC.match(line)
        if magic and magic[1] in _OTHER_LANGUAGES:
            body = "\n".join(lines[number + 1 :])
            known = magic[1] in _SHELL
            return f"%%{magic[1]}", _call("cell", magic[1], magic[2].strip(), body) if known else ""
        if magic:
            lines[number] = "pass"
        elif line.strip():
            break
    return "", _without_leading_indent("\n".join(lines))


def _without_leading_indent(source: str) -> str:
    """Return `source` without the indentation of its first line of code, as IPython does."""
    first = next((line for line in source.split("\n") if line.strip()), "")
    indent = first[: len(first) - len(first.lstrip())]
    return "\n".join(line.removeprefix(indent) for line in source.split("\n")) if indent else source


def _parsing(source: str, plain_line: Callable[[str, int], str | None]) -> str:
    """Return `source` with each line replaced at which it does not parse, as far as `plain_line` knows another.

    The statements above are not parsed again for each line: a long cell with a hundred commands took seconds, and a
    notebook of such cells minutes, on the trusted side. Commands inside one long statement are read up to a bound.
    """
    lines, done = source.split("\n"), 0
    left = _MAX_TIMES * max(len(source), _MAX_LINES)
    for _ in range(_MAX_LINES):
        fault = syntax_fault("\n".join(lines[done:]))
        number = done + (fault.lineno or 0) if fault else done
        left -= _length(lines[done:number])
        if number == done or left < 0 or not _replace(lines, number, plain_line):
            break
        # below a command that is whole a statement begins, and no line of a string
        while lines[number - 1].strip() == "pass" and _COMMAND.match("".join(lines[number : number + 1])):
            number += 1
            _replace(lines, number, plain_line)
        done = _parsed(lines, done, number)
    return "\n".join(lines)


def _parsed(lines: list[str], done: int, number: int) -> int:
    """Return up to which line above line `number` there are whole statements, which nothing below belongs to."""
    start = next((at for at in range(number - 1, done, -1) if not _FOLLOWING.match(lines[at])), done)
    return done if syntax_fault("\n".join([*lines[done:start], ""])) else start


def _length(lines: list[str]) -> int:
    return sum(len(line) + 1 for line in lines)


def _replace(lines: list[str], number: int, plain_line: Callable[[str, int], str | None]) -> bool:
    """Replace the IPython syntax in line `number`, with the lines that continue it; return whether there is any."""
    if number > len(lines) or (plain := plain_line(lines[number - 1], number)) is None:
        return False
    while lines[number - 1].endswith("\\") and number < len(lines):
        lines[number - 1] = plain
        plain, number = "", number + 1
    lines[number - 1] = plain
    return True


def _plain_line(line: str) -> str | None:
    if timed := _TIMED.fullmatch(line):
        return f"{timed[1]}{timed[2]}"
    if assigned := _ASSIGNED.match(line):
        return f"{assigned[1]}None"
    if _ESCAPED.match(line):
        return line[: len(line) - len(line.lstrip())] + "pass"
    return None


def _called(line: str) -> str | None:
    """Return the call of the host's shell that a line stands for; None where its shell does not know it."""
    magic = _LINE_MAGIC.fullmatch(line)
    return magic[1] + _call("line", magic[2], magic[3]) if magic and magic[2] in _SHELL else None


def _call(kind: str, name: str, *words: str) -> str:
    return f"get_ipython().run_{kind}_magic({', '.join(map(repr, (name, *words)))})"


def _is_quiet(line: str) -> bool:
    magic = _LINE_MAGIC.match(line)
    return "?" in line[-2:] or line.lstrip().startswith("?") or bool(magic and magic[2] in _QUIET)
