"""One submission's feedback: a verdict and the graded notebook make one HTML page that stands alone."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup, escape
from pygments import highlight  # type: ignore[import-untyped]  # pygments has no types
from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]
from pygments.lexers import PythonLexer  # type: ignore[import-untyped]

from gradlab_staff.grading.verdict import CheckResult, ExerciseResult, Outcome, Verdict
from gradlab_staff.intake.pictures import MIME_TYPES
from gradlab_staff.text import clean

__all__ = ["Mark", "Marks", "exercise_report", "feedback_page"]

_MAX_PAGE_CHARS = 4 << 20  # code, text and images of the student's, all together
_MAX_PICTURE_CHARS = 24 << 20  # of the pictures in answers and notes, besides
_MAX_CODE_CHARS = 64 << 10  # longer cells are cut
# some text takes pygments the square of its length: more of a cell (of a page, eight times as much) stays plain
_MAX_COLOURED_CHARS = 8 << 10
_SPACES = re.compile(r"[^\S\n]{200}|(?:[^\S\n]*\n){20}")  # some of that text


@dataclass(frozen=True)
class Mark:
    """What the gradebook holds on one cell: its score (None: still to be marked), who gave it, and a comment."""

    score: float | None
    points: float
    by_hand: bool = False
    comment: str = ""


@dataclass(frozen=True)
class Marks:
    """What the gradebook holds on a submission: marks by cell, comments on other cells, and the late penalty."""

    cells: Mapping[str, Mark] = field(default_factory=dict)
    comments: Mapping[str, str] = field(default_factory=dict)
    penalty: float = 0.0


def exercise_report(result: ExerciseResult) -> str:
    """Return the result of one exercise as plain text: a line a check, and what is known of the cause."""
    return "\n".join(_report_lines(result))


def _report_lines(result: ExerciseResult) -> Iterator[str]:
    yield f"{result.id}: {result.score:g} of {result.points:g} points"
    for check in (_check(check, result) for check in result.checks):
        said = "" if check["outcome"] in ("passed", "failed") else f" [{check['outcome']}]"
        yield f"{check['sign']} {check['title']} (weight {check['weight']:g}){said}"
        yield from (f"    {line}" for line in check["message"].splitlines())
    if cause := result.misconception:
        yield f"Likely cause: {_words(cause.name)}. {cause.explanation}"
        yield f"Hint: {cause.hint}"
    if result.stood_in:
        yield f"The reference stood in for {', '.join(result.stood_in)}."


def feedback_page(notebook: Mapping[str, Any], verdict: Verdict, marks: Marks | None = None) -> str:
    """Return the page of one submission, from its notebook in ``autograded/``: HTML without scripts or loaded files.

    What came from the student is escaped text, or an image; all of it together is bounded.
    """
    css = _stylesheet()
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    view = _View(notebook, verdict, marks or Marks()).as_dict()
    return str(_template().render(view, verdict=verdict, css=Markup(css), policy=policy))


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.loader = PackageLoader("gradlab_staff.pages", "")
    environment.filters["words"] = _words
    environment.filters["points"] = lambda score: f"{score:.2f}".rstrip("0").rstrip(".")
    return environment.get_template("feedback.html")


@cache
def _stylesheet() -> str:
    own = files("gradlab_staff.pages").joinpath("feedback.css").read_text(encoding="utf-8")
    return f"\n{own}\n{_formatter().get_style_defs('.code')}\n"


@cache
def _formatter() -> HtmlFormatter:
    return HtmlFormatter(nowrap=True, style="xcode")


class _View:
    """What the template shows. The student's cells are taken in the order of the page, until it is full."""

    def __init__(self, notebook: Mapping[str, Any], verdict: Verdict, marks: Marks) -> None:
        self.verdict = verdict
        self.marks = marks
        self.cells = list(notebook["cells"])
        self.by_id = {_id(cell): cell for cell in self.cells if _id(cell)}
        self.left_chars = _MAX_PAGE_CHARS
        self.left_picture_chars = _MAX_PICTURE_CHARS
        self.left_coloured_chars = 8 * _MAX_COLOURED_CHARS

    def as_dict(self) -> dict[str, Any]:
        """Return the variables of the template."""
        exercises = [self._exercise(result) for result in self.verdict.exercises]
        questions = [self._question(name) for name in self.marks.cells if name not in {e["name"] for e in exercises}]
        shown = {id for part in (*exercises, *questions) for id in (part["name"], f"{part['name']}_solution")}
        parts = [*exercises, *questions]
        return {
            "student": clean(self.verdict.student, 200),
            "exercises": exercises,
            "questions": questions,
            "others": [self._cell(cell) for cell in self.cells if _id(cell) not in shown and _is_own(cell)],
            "warnings": [clean(warning, 2000) for warning in self.verdict.warnings],
            "score": max(0.0, sum(part["score"] or 0.0 for part in parts) - self.marks.penalty),
            "points": sum(part["points"] for part in parts),
            "penalty": self.marks.penalty,
            "to_mark": sum(part["score"] is None for part in questions),
        }

    def _exercise(self, result: ExerciseResult) -> dict[str, Any]:
        mark = self.marks.cells.get(result.name, Mark(None, result.points))
        solution = f"{result.name}_solution"
        return {
            "name": result.name,
            "points": result.points,
            "score": min(result.score, result.points) if mark.score is None else mark.score,
            "by_hand": mark.by_hand,
            "checks": [_check(check, result) for check in result.checks],
            "passed": sum(check.outcome is Outcome.PASSED for check in result.checks),
            "counting": len(result.counting),
            "cause": result.misconception,
            "stood_in": result.stood_in,
            "cell": self._cell(self.by_id[solution]) if solution in self.by_id else None,
            "comment": clean(mark.comment or self.marks.comments.get(solution, "")),
        }

    def _question(self, name: str) -> dict[str, Any]:
        mark = self.marks.cells[name]
        cell = self.by_id.get(name)
        return {
            "name": name,
            "points": mark.points,
            "score": mark.score,
            "comment": clean(mark.comment),
            "cell": self._cell(cell) if cell else None,
        }

    def _cell(self, cell: Mapping[str, Any]) -> dict[str, Any]:
        source = clean(cell["source"], _MAX_CODE_CHARS)
        is_code = cell["cell_type"] == "code"
        return {
            "code": self._code(source) if is_code and self._fits(source) else None,
            "text": source if not is_code and self._fits(source) else None,
            "pictures": [self._picture(name, types) for name, types in cell.get("attachments", {}).items()],
            "outputs": [self._output(output) for output in cell.get("outputs", ())],
        }

    def _code(self, source: str) -> Markup:
        """Return the code in colours, where it is neither long nor odd."""
        self.left_coloured_chars -= len(source)
        if len(source) > _MAX_COLOURED_CHARS or self.left_coloured_chars < 0 or _SPACES.search(source):
            return escape(source)
        return Markup(highlight(source, PythonLexer(), _formatter()))

    def _picture(self, name: str, types: Mapping[str, str]) -> dict[str, str]:
        """Return a picture of an answer, and what it is called there."""
        mime, image = next(((mime, types[mime]) for mime in MIME_TYPES if mime in types), ("", ""))
        fits = bool(mime) and len(image) <= self.left_picture_chars
        self.left_picture_chars -= len(image) if fits else 0
        return {"image": f"data:{mime};base64,{''.join(image.split())}" if fits else "", "name": clean(name, 200)}

    def _output(self, output: Mapping[str, Any]) -> dict[str, str]:
        if output["output_type"] == "stream":
            return self._text(output["text"])
        if output["output_type"] == "error":
            return self._text("\n".join(output["traceback"]) or f"{output['ename']}: {output['evalue']}")
        for mime in MIME_TYPES:
            image = output["data"].get(mime, "")
            if image and self._fits(image):
                return {"image": f"data:{mime};base64,{''.join(image.split())}", "text": ""}
        return self._text(output["data"].get("text/plain", ""))

    def _text(self, text: str) -> dict[str, str]:
        return {"image": "", "text": clean(text) if self._fits(text) else "[not shown: the page would be too long]"}

    def _fits(self, content: str) -> bool:
        fits = len(content) <= self.left_chars
        self.left_chars -= len(content) if fits else 0
        return fits


def _check(check: CheckResult, result: ExerciseResult) -> dict[str, Any]:
    passed = check.outcome is Outcome.PASSED
    counts = check.name in result.counting
    return {
        "passed": passed,
        "counts": counts,
        "sign": "✓" if counts else "–" if passed else "✗",
        "outcome": check.outcome.replace("_", " "),
        "title": clean(check.title, 500),
        "weight": check.weight,
        "message": clean(_message(check, result, counts=counts), 4000).strip(),
    }


def _message(check: CheckResult, result: ExerciseResult, *, counts: bool) -> str:
    if check.outcome is not Outcome.PASSED:
        return check.message
    needed = " and ".join(f"«{title}»" for title in result.lacking(check))
    return "" if counts else f"Passed, but does not count, because {needed} failed."


def _id(cell: Mapping[str, Any]) -> str:
    return str(cell["metadata"].get("nbgrader", {}).get("grade_id", ""))


def _is_own(cell: Mapping[str, Any]) -> bool:
    """Return whether a cell without an answer is worth showing: the student's own, or a given one with plots."""
    if cell["cell_type"] == "markdown":
        return bool(cell["metadata"].get("gradlab", {}).get("own"))
    return cell["cell_type"] == "code" and bool(cell.get("outputs") or not _id(cell))


def _words(name: str) -> str:
    return name.replace("_", " ")
