"""IPython syntax (magics, shell commands, help) in a cell, turned into plain Python with the same line numbers."""

from __future__ import annotations

import re
import warnings

__all__ = ["MAX_SOURCE_CHARS", "plain_python", "syntax_fault"]

MAX_SOURCE_CHARS = 32 << 10
"""The longest cell that is compiled: nobody writes a longer one, and compilation can take time quadratic in length."""

_MAX_LINES = 100
_RUN_BODY = {"capture", "memit", "prun", "snakeviz", "time", "timeit"}
_CELL_MAGIC = re.compile(r"\s*%%(\w+)")
_ASSIGNED = re.compile(r"([^=!%]*[^=!%<>:\s]\s*=\s*)[%!]")
_TIMED = re.compile(r"(\s*)%time\s+(.+)")
_ESCAPED = re.compile(r"\s*([%!?]|[\w.*\[\]'\"]+\?{1,2}\s*(#.*)?$)")


def syntax_fault(source: str, filename: str = "<cell>") -> SyntaxError | None:
    """Return the error with which Python refuses to compile `source`, or None; nothing is run."""
    if len(source) > MAX_SOURCE_CHARS:
        return SyntaxError(f"the cell is longer than {MAX_SOURCE_CHARS} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a student's "\d" must not print a warning while grading
            compile(source, filename, "exec", dont_inherit=True)
    except SyntaxError as fault:
        return fault
    except (MemoryError, RecursionError):
        return SyntaxError("the code is nested too deeply")
    except (OverflowError, ValueError) as error:  # null bytes, and integers of too many digits
        return SyntaxError(str(error))
    return None


def plain_python(source: str) -> str | None:
    """Return `source` without IPython syntax; None for a cell in another language (``%%bash``).

    Only lines at which Python reports a syntax error are changed, so that text inside a string literal is kept.

    >>> plain_python("%matplotlib inline\\nx = !ls\\ny = 1")
    'pass\\nx = None\\ny = 1'
    """
    changed = _without_cell_magics(source)
    if changed is None:
        return None
    changed = _without_leading_indent(changed)
    for _ in range(_MAX_LINES):
        fault = syntax_fault(changed)
        line = _replaced(changed, fault.lineno) if fault and fault.lineno else None
        if line is None:
            return changed
        changed = line
    return changed


def _without_cell_magics(source: str) -> str | None:
    lines = source.split("\n")
    for number, line in enumerate(lines):
        magic = _CELL_MAGIC.match(line)
        if magic and magic[1] not in _RUN_BODY:
            return None
        if magic:
            lines[number] = "pass"
        elif line.strip():
            break
    return "\n".join(lines)


def _without_leading_indent(source: str) -> str:
    """Return `source` without the indentation of its first line of code, as IPython does."""
    first = next((line for line in source.split("\n") if line.strip()), "")
    indent = first[: len(first) - len(first.lstrip())]
    return "\n".join(line.removeprefix(indent) for line in source.split("\n")) if indent else source


def _replaced(source: str, number: int) -> str | None:
    """Return `source` with the IPython syntax in line `number` replaced; None if that line has none."""
    lines = source.split("\n")
    if number > len(lines) or (plain := _plain_line(lines[number - 1])) is None:
        return None
    while lines[number - 1].endswith("\\") and number < len(lines):
        lines[number - 1] = plain
        plain, number = "", number + 1
    lines[number - 1] = plain
    return "\n".join(lines)


def _plain_line(line: str) -> str | None:
    if timed := _TIMED.fullmatch(line):
        return f"{timed[1]}{timed[2]}"
    if assigned := _ASSIGNED.match(line):
        return f"{assigned[1]}None"
    if _ESCAPED.match(line):
        return line[: len(line) - len(line.lstrip())] + "pass"
    return None
