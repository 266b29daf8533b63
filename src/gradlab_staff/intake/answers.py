"""What a student wrote in words, and which question it answers: it need not stand in the question's own cell."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote, unquote

from gradlab_staff.course import Assignment
from gradlab_staff.course.template import normal
from gradlab_staff.intake.matched import Kind, MatchedCell
from gradlab_staff.intake.release import Release
from gradlab_staff.intake.words import fenced, is_code, is_prose, may_answer, says, words_in, words_of

__all__ = ["with_answers"]

_MAX_RAW_CHARS = 256 << 10  # of raw cells: each is parsed
_MAX_COMPARED = 200  # cells of a submission that are compared with prose that is missing
_LIKE = 0.6  # of the words of a released text: then a cell is that text, edited
_ADDED_WORDS = 3  # fewer are a correction of the instructor's prose, and nobody's answer
_NEW = 0.5  # of the words of a line that was added whole: then one may be the answer
_PICTURE = re.compile(r"!\[|<img", re.IGNORECASE)
_LABEL = re.compile(
    r"^\W{0,9}(?:[^\W\d]{1,20}[ \t]{1,3}){0,2}[^\W\d]{0,20}[ \t]{0,3}(\d{1,2})[ \t*_]{0,3}[.):]", re.MULTILINE
)
_MAX_PICTURES = 20  # that are attached to one cell and have no link


def with_answers(assignment: Assignment, cells: Sequence[MatchedCell]) -> list[MatchedCell]:
    """Return the cells with what is written in them in words, and the question of which that is a part of the answer.

    Words are markdown, raw text, and code that is no program: comments and strings, or no Python at all. Below a
    question that is left open also whatever a program says, in a comment, a string or a name (``print("Because …")``).
    The assignment's own prose, known by its text, is nobody's answer; what was added to it is.

    They belong to a question if they stand between it and the next cell of the assignment's that is known: *it* is the
    question's cell, or its text (the prose above it, from the last heading on). Also if they stand right above its
    cell, where it has been deleted, or in prose of the assignment's beside it. Words that so belong to no question, or
    to two, are unplaced: every question that is left unanswered goes to a person then, who is shown them. So an answer
    is never a zero that nobody has seen; and what it costs is one look at each student who has left a question open and
    has written something elsewhere.

    For the same reason an open question is shown what is perhaps its answer, though it stands in another place: in the
    answer of the question beside it, or in the comments and strings of the code above it. Of the assignment's cells
    that stand elsewhere only what was added to the whole of them counts: of an older release, other lines are missing.
    """
    placing = _Placing(Release.of(assignment), list(cells))
    placing.find_prose()
    placing.part_copies()
    placing.find_edited()
    placing.find_blanks()
    placing.link_pictures()
    placing.place()
    placing.find_words_in_code()
    placing.doubt()
    return placing.cells


@dataclass
class _Placing:
    """The cells of one submission, while it is found out where they belong."""

    release: Release
    cells: list[MatchedCell]
    chars_left: int = _MAX_RAW_CHARS

    def __post_init__(self) -> None:
        self.places: list[int | None] = [self.release.place_of.get(cell.id) for cell in self.cells]
        self.missing = self.release.questions.keys() - {cell.id for cell in self.cells}
        self.copies: dict[int, str] = {}
        self.blanks = {id: normal(self.release.cells[place].source) for id, place in self.release.questions.items()}

    # --- the assignment's own cells

    def find_prose(self) -> None:
        """Find the assignment's own prose that is as released."""
        for index, cell in enumerate(self.cells):
            place = self.release.prose.get(normal(cell.cell.source)) if not cell.id else None
            if place is not None and cell.cell.cell_type == "markdown":
                self.places[index] = place
                self.cells[index] = replace(cell, cell=self.release.cells[place], kind=Kind.GIVEN, released=True)

    def part_copies(self) -> None:
        """Leave a question one cell: Jupyter copies the id when a cell is split or copied, wherever that goes.

        The one that stays is the first below the question's text, else the first.
        """
        found = defaultdict(list)
        for index, cell in enumerate(self.cells):
            if cell.id in self.release.questions:
                found[cell.id].append(index)
        for id, copies in found.items():
            below = (index for index in copies[:_MAX_COMPARED] if self._near(index)[0] in self.release.zones[id])
            own = next(below, copies[0])
            for index in copies:
                if index != own:
                    self.places[index], self.copies[index] = None, id
                    self.cells[index] = MatchedCell(self.cells[index].number, self.cells[index].cell)

    def find_edited(self) -> None:
        """Find the assignment's own prose that was edited, and what was added to it; and questions by their words."""
        edited = [index for index, cell in enumerate(self.cells) if _may_be_edited(cell) and index not in self.copies]
        for index in edited[:_MAX_COMPARED]:
            cell, place = self.cells[index], self.places[index]
            words = words_of(cell.cell.source)
            place = self._most_like(words) if place is None else place
            if place is None:
                continue
            question = self.release.cells[place].id
            if question in self.release.questions:
                self._is_question(index, question)
            else:
                known = self.release.around(place) or self.release.is_whole(place, cell.cell.source)
                new = words - words_of(self.release.cells[place].source)
                added = self._added(cell.cell.source, new) if known else ""
                self.places[index] = place
                self.cells[index] = replace(cell, kind=Kind.GIVEN, written=added)

    def _most_like(self, words: Counter[str]) -> int | None:
        """Return the place of the text that this is, edited; none where it is none, or that has been found."""
        found = set(self.places)
        shares = {
            place: (text & words).total() / text.total()
            for place, text in self.release.words.items()
            if place not in found
        }
        place = max(shares, key=lambda place: shares[place], default=None)
        return place if place is not None and shares[place] >= _LIKE else None

    def _added(self, source: str, words: Counter[str]) -> str:
        """Return the lines that are not the assignment's, where they say more than a correction does."""
        lines = [line for line in source.split("\n") if line.strip() not in self.release.lines or not line.strip()]
        text = "\n".join(lines).strip()
        whole = any((new := words_of(line) & words) and new.total() >= _NEW * words_of(line).total() for line in lines)
        return text if whole or (words_of(text) & words).total() >= _ADDED_WORDS or _PICTURE.search(text) else ""

    def find_blanks(self) -> None:
        """Find the cells of questions that have lost their ids: they are all released with one text."""
        texts = set(self.blanks.values())
        blank = [
            index
            for index, cell in enumerate(self.cells)
            if not cell.id and cell.cell.cell_type == "markdown" and normal(cell.cell.source) in texts
        ]
        for index in blank[:_MAX_COMPARED]:
            text = normal(self.cells[index].cell.source)
            questions = self.release.between(*self._near(index), self.missing) & self.missing
            alike = [id for id in questions if self.blanks[id] == text]
            if len(alike) == 1:
                self._is_question(index, alike[0], released=True)

    def _is_question(self, index: int, id: str, *, released: bool = False) -> None:
        """Enter a cell as the question's own."""
        cell = self.cells[index]
        fits = cell.cell.cell_type == "markdown"
        self.cells[index] = replace(cell, id=id, kind=Kind.SOLUTION, fits=fits, released=released)
        self.places[index] = self.release.place_of[id]
        self.missing.discard(id)

    # --- the student's words

    def link_pictures(self) -> None:
        """Show the pictures that a student attached and did not link, or whose link is lost."""
        for index, cell in enumerate(self.cells):
            if cell.cell.attachments and cell.cell.cell_type == "markdown" and cell.kind is not Kind.GIVEN:
                place = self.places[index]
                given = self.release.cells[place].attachments if place is not None else {}
                source = cell.cell.source
                names = [name for name in cell.cell.attachments if name not in given and name not in unquote(source)]
                links = "".join(f"\n\n![picture](attachment:{quote(name)})" for name in names[:_MAX_PICTURES])
                self.cells[index] = replace(cell, cell=replace(cell.cell, source=source + links))

    def place(self) -> None:
        """Say what is written where, and which question it answers."""
        missing = set(self.missing)
        above, below = self._all_near()
        below_code = False
        self.cells = [self._with_words(index) for index in range(len(self.cells))]
        answered = {cell.id for cell in self.cells if cell.written and cell.id in self.release.questions}
        for index, cell in enumerate(self.cells):
            own = self.places[index]
            below_code = own is None and (below_code or (cell.is_code and not cell.written))
            if cell.kind is Kind.OWN and not cell.written:
                open_questions = self.release.between(above[index], below[index], missing) - answered
                if open_questions and self._may_answer(cell):
                    answers = open_questions.pop() if len(open_questions) == 1 else ""
                    self.cells[index] = replace(cell, written=fenced(cell.cell.source), answers=answers, stays=True)
                continue
            if not cell.written or cell.kind is Kind.SOLUTION:
                continue
            if own is None:
                questions = self.release.between(above[index], below[index], missing)
            else:
                questions = self.release.around(own)
            question = next(iter(questions)) if len(questions) == 1 else "" if questions else self.copies.get(index, "")
            if cell.kind is Kind.OWN and question in self.missing:  # the first of its cells is the question's own
                self._is_question(index, question)
            else:
                self.cells[index] = replace(cell, answers=question, stays=below_code)

    def find_words_in_code(self) -> None:
        """Find what was said in the assignment's code cells: in the ones above a question, or added to a given one."""
        for index, cell in enumerate(self.cells):
            place = self.places[index]
            if place is None or cell.released or not cell.is_code or self.release.cells[place].cell_type != "code":
                continue
            questions = self.release.code_above.get(place, set())
            if questions or (cell.kind is Kind.GIVEN and self._was_annotated(place, cell.cell.source)):
                known = words_of(self.release.cells[place].source)
                new = (text for text in words_in(cell.cell.source) if text not in self.release.said)
                texts = [text for text in new if (words_of(text) - known).total() >= _ADDED_WORDS]
                written = fenced("\n".join(texts)) if texts else ""
                self.cells[index] = replace(cell, written=written, perhaps=frozenset(questions if texts else ()))

    def _was_annotated(self, place: int, source: str) -> bool:
        """Return whether nothing but words was added to a code cell: no code, with comments of its own."""
        added = "\n".join(line for line in source.split("\n") if line.strip() not in self.release.lines)
        return self.release.is_whole(place, source) and is_prose(added)

    def doubt(self) -> None:
        """Say which other questions an answer may answer: by place, by their text in it, or by number."""
        above, below = self._all_near()
        numbers = dict(enumerate(self.release.questions, 1))
        answers = [index for index, cell in enumerate(self.cells) if cell.written and self._answered(cell)]
        for count, index in enumerate(answers):
            cell, own = self.cells[index], self.places[index]
            questions = {numbers[int(n)] for n in _LABEL.findall(cell.written) if int(n) in numbers}
            if cell.kind is Kind.GIVEN and own is not None:
                questions |= self.release.beside(own - 1, own)
            elif cell.cell.id != cell.id or not cell.id:  # it is no cell of the question's, but stands in for it
                questions |= self.release.beside(above[index], below[index]) | {self.copies.get(index, "")}
            if count < _MAX_COMPARED and self.missing:
                words = words_of(cell.cell.source)
                questions |= {id for id in self.missing if _holds(words, self.release.texts[id])}
            self.cells[index] = replace(cell, perhaps=frozenset(questions - {"", self._answered(cell)}))

    def _answered(self, cell: MatchedCell) -> str:
        return cell.answers or (cell.id if cell.id in self.release.questions else "")

    def _with_words(self, index: int) -> MatchedCell:
        cell = self.cells[index]
        return cell if cell.kind is Kind.GIVEN else replace(cell, written=self._words_of(cell))

    def _words_of(self, cell: MatchedCell) -> str:
        source = cell.cell.source
        if normal(source) in {"", *self.blanks.values()} or cell.spare:
            return ""
        if cell.id:
            question = cell.id in self.release.questions
            return (fenced(source) if cell.cell.cell_type == "code" else source) if question else ""
        if not says(source) or self._is_given(source):
            return ""
        if cell.cell.cell_type == "code":
            return fenced(source) if is_prose(source) else ""
        return "" if cell.cell.cell_type == "raw" and self._is_code(source) else source

    def _is_code(self, source: str) -> bool:
        """Return whether raw text is code; what there is no time to parse is taken for words."""
        self.chars_left -= len(source)
        return self.chars_left > 0 and is_code(source)

    def _may_answer(self, cell: MatchedCell) -> bool:
        """Return whether code below an open question may be the answer; it was said before what markdown says."""
        source = cell.cell.source
        return cell.cell.cell_type != "markdown" and not self._is_given(source) and may_answer(source)

    def _is_given(self, source: str) -> bool:
        return all(line.strip() in self.release.lines for line in source.split("\n") if line.strip())

    def _near(self, index: int) -> tuple[int, int]:
        """Return the places of the known cells above and below."""
        above = next((place for place in reversed(self.places[:index]) if place is not None), -1)
        below = next((place for place in self.places[index + 1 :] if place is not None), len(self.release.cells))
        return above, below

    def _all_near(self) -> tuple[list[int], list[int]]:
        """Return what `_near` does for each cell."""
        above, below, place = [], [], -1
        for here in self.places:
            above.append(place)
            place = place if here is None else here
        place = len(self.release.cells)
        for here in reversed(self.places):
            below.append(place)
            place = place if here is None else here
        return above, below[::-1]


def _holds(words: Counter[str], text: Counter[str]) -> bool:
    return text.total() > 0 and (text & words).total() >= _LIKE * text.total()


def _may_be_edited(cell: MatchedCell) -> bool:
    text = cell.cell.cell_type == "markdown" and not cell.released
    return text and (not cell.id or (cell.kind is Kind.GIVEN and cell.fits))
