"""Attacks on the trusted side by text alone: what takes a compiler, a parser or a page too long, or too much memory.

Their solutions are right, and must be graded: what is odd stands in cells of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from target import code

from .attack import Attack

__all__ = ["TRUSTED"]


def _with_cells(*sources: str, kind: str = "code") -> Callable[[dict[str, Any]], Any]:
    def finish(content: dict[str, Any]) -> dict[str, Any]:
        for source in sources:
            markdown = {"cell_type": "markdown", "metadata": {}, "source": source}
            content["cells"].append(code(source) if kind == "code" else markdown)
        return content

    return finish


def _text(name: str, tries: str, *sources: str, kind: str = "code") -> Attack:
    return Attack(name, tries, solved=True, finish=_with_cells(*sources, kind=kind))


def _nested(begin: str, middle: str, depth: int, last: str) -> str:
    """A block in a block, `depth` levels deep."""
    lines = [f"{' ' * level}{line}" for level in range(depth) for line in begin.split("\n")]
    lines += [f"{' ' * (depth - 1)} {middle}"] if middle else []
    return "\n".join([*lines, " " * depth + last])


def _finally(depth: int) -> str:
    out = "def f():\n"
    for level in range(1, depth + 1):
        pad = " " * level
        out += f"{pad}try:\n{pad} if x: return 1\n{pad}finally:\n"
    return out + " " * (depth + 1) + "y()\n"


def _twins(content: dict[str, Any]) -> dict[str, Any]:
    """Cells that differ in one letter of a thousand, and have the ids of others."""
    content["cells"] += [code("x = 1\n" * 150 + f"y = {k}", "scale_solution", solution=True) for k in range(200)]
    return content


def _lines(content: dict[str, Any]) -> dict[str, Any]:
    content["cells"] += [code("\n".join(f"a{k % 7} = {j}" for k in range(1500))) for j in range(8)]
    return content


def _many(content: dict[str, Any]) -> dict[str, Any]:
    content["cells"] += [code(f"x{k} = {k}") for k in range(5000)]
    return content


TRUSTED = [
    _text(
        "nested_finally",
        "nest try and finally 16 deep: a compiler copies the last block twice at each level",
        _finally(16),
    ),
    _text(
        "nested_finally_loops",
        "nest try and finally in loops with break and continue",
        "def f():\n while 1:\n"
        + _nested("try:\n if x: break\n if y: continue\nfinally:", "", 15, " y()")
        .replace("\n", "\n  ")
        .replace("try:", "  try:", 1),
    ),
    _text(
        "nested_with",
        "nest 19 context managers, each of which may swallow what another raises",
        "def f():\n"
        + "\n".join(" " * (k + 1) + f"with a{k}() as b{k}:" for k in range(19))
        + "\n"
        + " " * 20
        + "return 1",
    ),
    _text(
        "nested_literals",
        "nest lists and dicts 90 deep, a hundred times",
        *["x = " + "[{1:(" * 30 + ")}]" * 30 + "\n"] * 100,
    ),
    _text(
        "huge_integers",
        "write integers of 4,300 digits and more, in every base",
        "x = " + "9" * 4299,
        "x = " + "9" * 30_000,
        "x = 0x" + "f" * 30_000,
        "x = 0b" + "1" * 30_000,
        "x = 1e" + "9" * 10_000,
    ),
    _text(
        "folded_constants",
        "have constants that unfold to gigabytes",
        "x = 1 << 10 ** 9",
        "x = 'a' * 10 ** 10",
        "x = (0,) * 10 ** 9",
        "x = 2 ** 10 ** 8",
        "x = 10 ** 10 ** 7 % 3",
        "x = '%0999999999d' % 1",
        "x = f'{1:0999999999}'",
    ),
    _text(
        "long_chains",
        "chain operators, attributes, elifs and decorators",
        "x = " + " + ".join(["y"] * 3000),
        "x = y" + "[0]" * 3000,
        "if x: pass\n" + "elif x: pass\n" * 2000,
        "@d\n" * 2000 + "def f(): pass",
        "x = " + "a if b else " * 2000 + "c",
        "x = " + "not " * 3000 + "y",
        "x = " + "lambda: " * 900 + "1",
    ),
    _text(
        "nested_scopes",
        "nest comprehensions, lambdas and classes in each other",
        "x = " + "[" * 18 + "a" + " for a in b]" * 18,
        _nested("class A:", "", 80, "pass"),
        _nested("def f():", "", 80, "pass"),
        "x = " + "(lambda a=" * 60 + "1" + ": a)" * 60,
    ),
    _text(
        "f_strings",
        "nest f-strings, and write text with a thousand holes",
        "x = f'" + "{a}" * 3000 + "'",
        "x = f'{" + 'f"{' * 1 + "a" + '}"' * 1 + "}'",
        "x = f'{a:" + "{b}" * 2000 + "}'",
    ),
    _text(
        "odd_lines",
        "end lines by everything that ends one, and continue them 10,000 times",
        "x = 1" + "\\\n" * 10_000 + "+ 1",
        "x = 1\r\r\r\f\v\x1c\x1d\x85\u2028\u2029y = 2" * 500,
        "\f" * 20_000 + "x = 1",
        "\t \t" * 5000 + "x",
    ),
    _text(
        "open_brackets",
        "open brackets and texts that nothing closes",
        "(" * 30_000,
        "'''" + "x\n" * 10_000,
        "[" + "(\n" * 190,
        "x = '" + "\\" * 30_000,
    ),
    _text(
        "backslashes_and_magics",
        "write what looks like magics, help and shell lines, and is none",
        *[
            "?" * 10_000,
            "%" * 10_000,
            "!" * 10_000,
            "%%" + "a" * 20_000,
            "x = " + "%a " * 5000,
            "a" + ".a" * 5000 + "?",
            ";" * 10_000,
            "," * 10_000,
            "/" * 10_000,
            "get_ipython()." * 1500,
        ],
    ),
    _text(
        "identifiers",
        "have names that normalise to one another, of one letter with 10,000 accents",
        "x" + "\u0301" * 10_000 + " = 1",
        "\N{MATHEMATICAL BOLD SMALL X}" * 5000 + " = 1",
        "\N{ARABIC LIGATURE SALLALLAHOU ALAYHE WASALLAM}" * 1500 + " = 1",
    ),
    _text(
        "bytes_that_are_none",
        "write zero bytes, surrogates, a coding line",
        "x = 1\0",
        "x = '\ud800'",
        "# -*- coding: utf-7 -*-\nx = 1",
        "# coding: punycode\nx = 1",
        "# vim: set fileencoding=zip :\nx",
    ),
    _text(
        "markdown_emphasis",
        "open emphasis, links and quotes that are never closed",
        "*a **a " * 4000,
        "[" * 20_000,
        "![](" * 6000,
        ">" * 20_000,
        "_" * 20_000 + "a",
        "`" * 15_000 + "a",
        "<!--" * 6000,
        "&" * 20_000,
        kind="markdown",
    ),
    _text(
        "markdown_tables",
        "have tables of 5,000 columns, footnotes and references to each other",
        "|a" * 5000 + "\n" + "|-" * 5000 + "\n|" * 3,
        "".join(f"[{k}]: [{k + 1}]\n" for k in range(2500)),
        "- " * 8000 + "a",
        "\n".join(" " * k + "- a" for k in range(250)),
        "1. a\n" * 5000,
        kind="markdown",
    ),
    _text(
        "markdown_html",
        "nest HTML and mathematics 5,000 deep",
        "<div>" * 6000,
        "<a " + "a=" * 10_000,
        "$" * 20_000,
        "$$\\frac{" * 3000,
        "\\(" * 10_000,
        "<" * 20_000,
        "<svg>" * 5000,
        kind="markdown",
    ),
    Attack(
        "cells_alike", "have 200 solution cells of one id that differ in their last line", solved=True, finish=_twins
    ),
    Attack(
        "lines_alike",
        "have cells whose 1,500 lines repeat: comparing them by lines takes the square",
        solved=True,
        finish=_lines,
    ),
    Attack("cells_by_the_thousand", "have 5,000 cells", solved=True, finish=_many),
]
