"""Text from a submission, made fit for pages, JSON and terminals: the one place that does so."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["CONTROL", "MAX_CHARS", "clean", "one_line"]

MAX_CHARS = 64 << 10
_MAX_LINES = 1000  # as nbgrader's LimitOutput

_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])|\x9b[0-?]*[ -/]*[@-~]")
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters but for tab and newline, marks that reverse writing, halves of surrogate pairs."""


def clean(text: object, max_chars: int = MAX_CHARS) -> str:
    """Return `text` without terminal escapes, control characters and reversed writing, cut to 1000 lines.

    An escape sequence could retitle a TA's terminal or type into it; U+202E shows a message backwards.
    """
    raw = text if isinstance(text, str) else str(text)
    plain = CONTROL.sub("", _ESCAPE.sub("", raw[: 4 * max_chars].replace("\r\n", "\n").replace("\r", "\n")))
    lines = plain.split("\n")
    if len(lines) <= _MAX_LINES and len(plain) <= max_chars and len(raw) <= 4 * max_chars:
        return plain
    return "\n".join(lines[: _MAX_LINES - 1])[:max_chars] + "\n... Output truncated ..."


def one_line(text: object, max_chars: int = 120) -> str:
    """Return `text` on one line, without control characters or lone surrogates, cut to `max_chars`."""
    cut = str(text)[: 4 * max_chars]
    line = "".join(char if unicodedata.category(char)[0] != "C" else " " for char in cut)
    line = " ".join(line.split())
    return line if len(line) <= max_chars else f"{line[: max_chars - 1]}…"
