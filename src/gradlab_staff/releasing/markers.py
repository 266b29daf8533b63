"""Markers: what begins and ends a blank, in any writing; and nbgrader's others, for which gradlab has other places."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from gradlab.check import CHECKS_FILE
from gradlab_staff.course import Assignment, Cell
from gradlab_staff.course.template import BLANK, exercise_of
from gradlab_staff.text import clean

__all__ = ["bad_blanks", "bad_markers"]

_MARKER = re.compile(r"^[ \t]*### (?P<kind>BEGIN|END) SOLUTION(?!\w)(?P<hint>.*)")
_ANYWHERE = re.compile(r"\b(BEGIN|END) (SOLUTION|HIDDEN TEST|MARK SCHEME)")  # nbgrader looks inside lines, too
_MEANT = re.compile(r"#+|^\s*(?:={2,}|<!-+|/{2,}|-{2,}|%)")  # what is after it may be meant as a marker
_KINDS = {"begin": "BEGIN", "start": "BEGIN", "end": "END"}
_WHATS = {
    "solution": "SOLUTION",
    "hiddentest": "HIDDEN TEST",
    "hiddentests": "HIDDEN TEST",
    "markscheme": "MARK SCHEME",
    "markingscheme": "MARK SCHEME",
}
_NEAR = 0.85  # letters that agree: a slip or two in `soluton`


@dataclass(frozen=True)
class _Marker:
    """A line that is a marker, or is meant as one: its number from 1, BEGIN, END or nothing, of what, its text."""

    line: int
    kind: str
    what: str
    text: str


def bad_blanks(where: str, cell: Cell) -> Iterator[str]:
    """Yield what is wrong with the blanks of a cell: nbgrader finds it too, one at a time and without the line."""
    found = [marker for marker in _markers_of(cell) if marker.what == "SOLUTION"]
    for line, fault in _unpaired(cell, found):
        yield f"{where}: {fault} (line {line} of the cell)"
    if found and not cell.is_solution:
        yield f"{where}: expected a blank in a solution cell, got one in another. Set the cell's type."
    if cell.is_solution and cell.cell_type == "code" and not found:
        yield f"{where}: expected a blank (### BEGIN SOLUTION <hint>, ### END SOLUTION), got none. Add it."


def bad_markers(assignment: Assignment, where: str, cell: Cell) -> Iterator[str]:
    """Yield nbgrader's other markers in a cell, one line each: what they mean would be released, or lost."""
    found = {marker.what: marker for marker in reversed(_markers_of(cell))}
    exercise = exercise_of(cell.id) if cell.id in {e.name for e in assignment.exercises} else "<exercise>"
    if marker := found.get("HIDDEN TEST"):
        yield (
            f"{where}: expected no hidden tests in a cell, got `{_quoted(marker)}` (line {marker.line} of the cell). "
            f"gradlab's are in tests/graders/{assignment.name}/test_{exercise}.py. Move them there."
        )
    if marker := found.get("MARK SCHEME"):
        yield (
            f"{where}: expected no mark scheme in a cell, got `{_quoted(marker)}` (line {marker.line} of the cell). "
            "Write it into the blank of its question, as the rubric."
        )


def bad_lines(assignment: Assignment) -> Iterator[str]:
    """Yield the markers in the public checks, which are handed out as they are."""
    path = assignment.notebook.parent / CHECKS_FILE
    if path.is_file():
        for marker in _markers(path.read_text(encoding="utf-8", errors="replace"), is_code=True):
            yield (
                f"{CHECKS_FILE}: expected no marker, got `{_quoted(marker)}` in line {marker.line}. "
                "Students read this file: take out what they must not."
            )


def _quoted(marker: _Marker) -> str:
    return clean(marker.text)[:60]


# --- what is a marker


def _markers_of(cell: Cell) -> list[_Marker]:
    """Return the markers of a cell; what is inside a blank is taken out with it, be it headed MARK SCHEME."""
    inside: set[int] = set()
    for blank in BLANK.finditer(cell.source):
        inside.update(range(cell.source.count("\n", 0, blank.start()) + 2, cell.source.count("\n", 0, blank.end()) + 1))
    found = _markers(cell.source, cell.cell_type == "code")
    return [one for one in found if one.line not in inside or (one.kind and one.what == "SOLUTION")]


def _markers(source: str, is_code: bool) -> Iterator[_Marker]:
    """Yield the lines that are markers, or are meant as markers."""
    for number, line in enumerate(source.split("\n"), 1):
        if found := _ANYWHERE.search(line):
            yield _Marker(number, found[1], found[2], line.strip())
        elif meant := next(filter(None, (_meant(line, at, is_code) for at in _MEANT.finditer(line))), None):
            yield _Marker(number, *meant, line.strip())


def _meant(line: str, sign: re.Match[str], is_code: bool) -> tuple[str, str] | None:
    """Return kind and what of the marker that is meant after a `#` or the like: slips, other words, no BEGIN at all."""
    text = line[sign.end() :]
    words = [word for word in re.findall("[a-z]+", text.lower()) if word not in ("of", "the")]
    if not words or (not text.isupper() and {"start", "solution"} <= {*words}):  # optimizers have a start solution
        return None
    whole = _what("".join(words)) if len(words) <= 2 else ""
    shouted = text.isupper() and len(sign[0].strip()) > 1
    if whole and (shouted or (is_code and whole != "SOLUTION")):
        return "", whole
    if words[-1] in _KINDS and len(words) <= 3 and (what := _what("".join(words[:-1]))):  # SOLUTION END
        return _KINDS[words[-1]], what
    kind, rest = _kind(words)
    what = next(filter(None, (_what("".join(rest[:count])) for count in (1, 2))), "") if kind else ""
    return (kind, what) if what else None


def _kind(words: list[str]) -> tuple[str, list[str]]:
    """Return whether words begin or end something, and the words of what; `endsolution` is two."""
    if glued := re.fullmatch("(begin|start|end)(.+)", words[0]):
        return _KINDS[glued[1]], [glued[2], *words[1:]]
    near = difflib.get_close_matches(words[0], _KINDS, n=1, cutoff=_NEAR)
    return (_KINDS[near[0]] if near else ""), words[1:]


def _what(word: str) -> str:
    near = difflib.get_close_matches(word, _WHATS, n=1, cutoff=_NEAR)
    return _WHATS[near[0]] if near else ""


# --- blanks


def _unpaired(cell: Cell, markers: list[_Marker]) -> Iterator[tuple[int, str]]:
    begun = 0
    for found in markers:
        marker = _MARKER.match(found.text)
        line, kind = found.line, found.kind or ("END" if begun else "BEGIN")
        if not marker:
            yield line, f"expected `### {kind} SOLUTION` alone on its line, got `{_quoted(found)}`. Write it so."
        elif kind == "BEGIN" and cell.cell_type == "code" and not marker["hint"].strip():
            yield line, "expected a hint after `### BEGIN SOLUTION`, got none. Write one on that line."
        if kind == "BEGIN" and begun:
            yield begun, f"expected `### END SOLUTION` before the next blank in line {line}, got none. Add it."
        elif kind == "END" and not begun:
            yield line, "expected `### BEGIN SOLUTION` before `### END SOLUTION`, got none. Add it."
        begun = line if kind == "BEGIN" else 0
    if begun:
        yield begun, "expected each `### BEGIN SOLUTION` with its `### END SOLUTION`, got one alone. Add the other."
