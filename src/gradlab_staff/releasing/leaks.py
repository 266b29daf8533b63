"""The leaks of a release: solutions, model answers, hidden graders, misconceptions, outputs."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradlab.check import CHECKS_FILE
from gradlab_staff.course import Assignment, Cell, read_notebook
from gradlab_staff.course.attachments import content, is_shown
from gradlab_staff.course.handouts import PICTURES, is_picture
from gradlab_staff.course.template import BLANK, Template, normal
from gradlab_staff.grading.diagnosis import load_misconceptions
from gradlab_staff.releasing.copies import copies, names_in
from gradlab_staff.releasing.expressions import expressions, repeated
from gradlab_staff.text import one_line

__all__ = ["leaks"]

_PARAGRAPH_END = re.compile(r"\n\s*\n|\n\s*[-*] ")
_SENTENCE_END = re.compile(r"(?<=[.:;?!])\**\s+")
_DELIMITERS = ("BEGIN SOLUTION", "END SOLUTION", "BEGIN HIDDEN TEST", "END HIDDEN TEST", "BEGIN MARK SCHEME")
_TAG = re.compile(r"<(?!!--)[^>]*>")
_LINE_CHARS = 6  # a shorter line of code (`else:`) reveals nothing
_PHRASE_CHARS = 20  # text of this length or more is searched inside lines too
_GRADER_CHARS = 40  # a shorter line of a grader may occur in any test: `assert loss < 1`
_NAMED = 3  # lines quoted per leak
_REMEDY = "Reword it there, or take it out."


@dataclass(frozen=True)
class _Secret:
    """A text that students must not get: its lines, and the cell or file that it comes from.

    Up to `chance` of the lines may occur in a cell by coincidence, up to `chance_in_files` in a file; with `inside`,
    short lines are searched inside other lines too, and with `word` only as words of their own.
    """

    where: str
    what: str
    lines: tuple[str, ...]
    chance: int = 0
    chance_in_files: int = 0
    inside: bool = False
    word: bool = False


@dataclass(frozen=True)
class _Place:
    """A text that students get: a cell of the release, or a file."""

    name: str
    text: str
    is_file: bool = False

    def number_of_word(self, word: str) -> int:
        """Return the number, from 1, of the first line that has this word; 0 if there is none."""
        pattern = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)")
        return next((number for number, own in enumerate(self.text.split("\n"), 1) if pattern.search(own)), 0)

    def number(self, line: str, inside: bool) -> int:
        """Return the number, from 1, of the line that is `line`, or with `inside` contains it; 0 if there is none."""
        for number, own in enumerate(self.text.split("\n"), 1):
            if line == own.strip() or (inside and line in own):
                return number
        return 1 if inside and line in " ".join(self.text.split()) else 0


def leaks(assignment: Assignment, folder: Path) -> list[str]:
    """Return the leaks of the release in `folder`, one line each, which names the cell and the line; empty if none."""
    notebook = folder / f"{assignment.name}.ipynb"
    places = [*_cells(notebook), *_files(folder, notebook)]
    found = [
        *_unexpected_files(assignment, folder),
        *_outputs(notebook),
        *_lost_attachments(notebook),
        *_changed_stubs(assignment, notebook),
        *_copied(assignment, notebook),
        *(leak for secret in _secrets(assignment) for place in places for leak in _leaks(secret, place)),
    ]
    return list(dict.fromkeys([*found, *_computed(assignment, places, found)]))


def _leaks(secret: _Secret, place: _Place) -> list[str]:
    found = [(_number(secret, place, line), line) for line in secret.lines]
    found = [(number, line) for number, line in found if number]
    if len(found) <= (secret.chance_in_files if place.is_file else secret.chance):
        return []
    return [
        f"{secret.where}: expected no {secret.what} in the release, "
        f"got `{line}` in {place.name} line {number}. {_REMEDY}"
        for number, line in found[:_NAMED]
    ]


def _number(secret: _Secret, place: _Place, line: str) -> int:
    if secret.word:
        return place.number_of_word(line)
    return place.number(line, secret.inside or len(line) >= _PHRASE_CHARS)


# --- what is released


def _cells(notebook: Path) -> Iterator[_Place]:
    for number, cell in enumerate(read_notebook(notebook), 1):
        yield _Place(f"{notebook.name} cell {number}" + (f" ({cell.id})" if cell.id else ""), cell.source)


def _files(folder: Path, notebook: Path) -> Iterator[_Place]:
    """Yield the notebook's contents except the sources of its cells, and the other text files."""
    written = json.loads(notebook.read_text(encoding="utf-8"))
    rest = [{key: value for key, value in cell.items() if key != "source"} for cell in written["cells"]]
    pasted = [form for cell in rest for forms in cell.get("attachments", {}).values() for form in forms.items()]
    rest = [{**cell, "attachments": list(cell.get("attachments", {}))} for cell in rest]  # pictures: their names
    yield _Place(f"{notebook.name} metadata", json.dumps([written["metadata"], rest], ensure_ascii=False))
    for kind, encoded in pasted:
        if kind == "image/svg+xml":
            yield from _drawn(f"{notebook.name} pasted SVG", content(encoded) or b"")
    paths = [path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file() and path != notebook]
    yield _Place("file names", "\n".join(str(path.with_suffix("")) for path in paths))
    for path in paths:
        if path.suffix.lower() == ".svg":
            yield from _drawn(str(path), (folder / path).read_bytes())
        elif path.name == CHECKS_FILE:  # any other file is refused, or holds pixels
            yield _Place(str(path), (folder / path).read_text(encoding="utf-8", errors="replace"), is_file=True)


def _drawn(name: str, image: bytes) -> Iterator[_Place]:
    """Yield the text of an SVG, as it is and without its tags."""
    text = image.decode("utf-8", "replace")
    yield _Place(name, html.unescape(text))
    yield _Place(name, html.unescape(_TAG.sub(lambda tag: "\n" * tag[0].count("\n") or " ", text)))


# --- what is secret


def _secrets(assignment: Assignment) -> Iterator[_Secret]:
    given = {line for cell in assignment.cells for line in _lines(BLANK.sub("", cell.source), 1)}
    for cell in assignment.cells:
        if cell.is_solution:
            yield from _of_blanks(f"{assignment.name}/{cell.id}", cell, given)
    graders = sorted(assignment.graders.glob("test_*.py"))
    for path in graders:
        lines = set(_lines(path.read_text(encoding="utf-8"), _GRADER_CHARS)) - given
        yield _Secret(path.name, "line of a hidden grader", tuple(sorted(lines)), 2, 2)
    for name in _telling_names(assignment):
        yield _Secret(name, "name of a hidden grader or misconception", (name,), word=True)
    yield _Secret("the blanks", "delimiter", _DELIMITERS, inside=True)


def _telling_names(assignment: Assignment) -> Iterator[str]:
    """Yield the names that tell something: not those that are English words, or that students' own code uses."""
    sources = [cell.source for cell in Template(assignment).cells.values()]
    checks = assignment.notebook.parent / CHECKS_FILE
    used = {name for source in (*sources, checks.read_text(encoding="utf-8")) for name in names_in(source)}
    names = [*(path.stem for path in sorted(assignment.graders.glob("test_*.py"))), *load_misconceptions(assignment)]
    yield from (name for name in names if "_" in name and name not in used)
    yield f"graders/{assignment.name}"


def _of_blanks(where: str, cell: Cell, given: set[str]) -> Iterator[_Secret]:
    for _, _, blank in BLANK.findall(cell.source):
        if cell.cell_type == "code":
            # A public check may need a line that a solution has too; two lines of one blank, or all of it, are a leak.
            lines = tuple(line for line in _lines(blank, _LINE_CHARS) if line not in given)
            yield _Secret(where, "line of a solution", lines, 0, min(1, len(lines) - 1))
        else:
            yield _Secret(where, "model answer or rubric", tuple(_sentences(blank)))


def _lines(text: str, least: int) -> Iterator[str]:
    """Return the lines of at least `least` characters, stripped."""
    return (line.strip() for line in text.split("\n") if len(line.strip()) >= least)


def _sentences(text: str) -> Iterator[str]:
    for paragraph in _PARAGRAPH_END.split(text):
        for sentence in _SENTENCE_END.split(" ".join(paragraph.split())):
            if len(sentence) >= _PHRASE_CHARS:
                yield sentence


# --- other faults


def _unexpected_files(assignment: Assignment, folder: Path) -> Iterator[str]:
    expected = {f"{assignment.name}.ipynb", CHECKS_FILE}
    names = " and ".join(sorted(expected))
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_dir() or path.name in expected or is_picture(path)):
            yield (
                f"{one_line(path.relative_to(folder))}: expected only {names} and images ({', '.join(PICTURES)}) "
                "in the release, got this file. Move it away."
            )


def _outputs(notebook: Path) -> Iterator[str]:
    cells: list[dict[str, Any]] = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    for number, cell in enumerate(cells, 1):
        if cell.get("outputs") or cell.get("execution_count") is not None:
            yield f"{notebook.name} cell {number}: expected a cell that was not run, got outputs or an execution count."


def _lost_attachments(notebook: Path) -> Iterator[str]:
    """Yield the pasted pictures that no text shows: that of a model answer stays behind when its text is taken out."""
    for number, cell in enumerate(json.loads(notebook.read_text(encoding="utf-8"))["cells"], 1):
        for name in cell.get("attachments", {}):
            if not is_shown(name, "".join(cell["source"])):
                yield (
                    f"{notebook.name} cell {number}: expected pasted pictures that its text shows, got {name}. "
                    "Paste it into a cell of prose, or make the cell anew without it."
                )


def _copied(assignment: Assignment, notebook: Path) -> Iterator[str]:
    """Yield the lines of solutions that the instructor wrote outside a blank as well."""
    places = list(_cells(notebook))
    for cell in assignment.cells:
        if cell.is_solution and cell.cell_type == "code":
            for _, _, blank in BLANK.findall(cell.source):
                for place in places:
                    for number, line in copies(blank, place.text)[:_NAMED]:
                        yield (
                            f"{assignment.name}/{cell.id}: expected no line of a solution outside its blank, "
                            f"got `{line}` in {place.name} line {number}. {_REMEDY}"
                        )


def _computed(assignment: Assignment, places: list[_Place], found: list[str]) -> Iterator[str]:
    """Yield the expressions of solutions that stand elsewhere too, where `found` does not name that line."""
    for cell in assignment.cells:
        texts = expressions(cell.source) if cell.is_solution and cell.cell_type == "code" else []
        for place in places:
            here = repeated(texts, place.text)
            if len(here) <= (min(1, len(texts) - 1) if place.is_file else 0):  # a public check may need one of several
                continue
            for line, text in here[:_NAMED]:
                where = f"in {place.name} line {line}."
                if not any(where in leak for leak in found):
                    yield (
                        f"{assignment.name}/{cell.id}: expected nothing that a solution computes outside its blank, "
                        f"got `{one_line(text)}` {where} {_REMEDY}"
                    )


def _changed_stubs(assignment: Assignment, notebook: Path) -> Iterator[str]:
    """Yield the cells whose released source differs from what grading expects."""
    template = Template(assignment)
    released = {cell.id: cell for cell in read_notebook(notebook) if cell.id and cell.cell_type == "code"}
    for id in template.cells:
        if id not in released or normal(released[id].source) != normal(template.cells[id].source):
            yield f"{assignment.name}/{id}: expected the released cell to hold its stub, got another or none."
