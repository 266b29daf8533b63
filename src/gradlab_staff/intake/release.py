"""An assignment as released: which words are its own, and where its questions stand."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from functools import cached_property

from gradlab_staff.course import Assignment, Cell
from gradlab_staff.course.template import UNANSWERED, normal, released_text
from gradlab_staff.intake.words import words_in, words_of

__all__ = ["Release"]

_MIN_WORDS = 5  # of a text that is known by its words
_CODE_ABOVE = 6  # code cells above a question's text, in which its answer may stand as a comment
_HEADING = re.compile(r"\s*#{1,6}\s")


@dataclass(frozen=True)
class Release:
    """The assignment's cells as released; a place is a cell's number among them."""

    cells: tuple[Cell, ...]

    @classmethod
    def of(cls, assignment: Assignment) -> Release:
        return cls(tuple(replace(cell, source=released_text(assignment, cell)) for cell in assignment.cells))

    @cached_property
    def place_of(self) -> dict[str, int]:
        return {cell.id: place for place, cell in enumerate(self.cells) if cell.id}

    @cached_property
    def prose(self) -> dict[str, int]:
        """Return the places of the prose without an id, by its text."""
        texts = [(normal(cell.source), place) for place, cell in enumerate(self.cells)]
        return {text: place for text, place in reversed(texts) if self.is_prose(place) and not self.cells[place].id}

    @cached_property
    def questions(self) -> dict[str, int]:
        return {cell.id: place for place, cell in enumerate(self.cells) if cell.is_grade and cell.is_solution}

    @cached_property
    def lines(self) -> set[str]:
        return {line.strip() for cell in self.cells for line in cell.source.split("\n")}

    @cached_property
    def said(self) -> set[str]:
        """Return the strings and comments of all code."""
        return {text for cell in self.cells if cell.cell_type == "code" for text in words_in(cell.source)}

    @cached_property
    def words(self) -> dict[int, Counter[str]]:
        """Return the words of each text that is long enough to be known by them, by its place."""
        blank = words_of(UNANSWERED)
        texts = {place: words_of(cell.source) for place, cell in enumerate(self.cells) if cell.cell_type == "markdown"}
        own = {place: words - blank if self.cells[place].is_grade else words for place, words in texts.items()}
        return {place: words for place, words in own.items() if words.total() >= _MIN_WORDS}

    @cached_property
    def texts(self) -> dict[str, Counter[str]]:
        """Return the words of each question's text."""
        texts = {id: [self.words.get(place, Counter()) for place in zone] for id, zone in self.zones.items()}
        return {id: sum(words, Counter()) for id, words in texts.items()}

    @cached_property
    def code_above(self) -> dict[int, set[str]]:
        """Return the questions by the places of the code next above their texts, up to a solution cell."""
        found: dict[int, set[str]] = defaultdict(set)
        for id, zone in self.zones.items():
            code = [place for place in range(min(zone) - 1, -1, -1) if self.cells[place].cell_type == "code"]
            for place in code[:_CODE_ABOVE]:
                found[place].add(id)
                if self.cells[place].is_solution:
                    break
        return dict(found)

    @cached_property
    def zones(self) -> dict[str, set[int]]:
        """Return the places of each question: its cell, and the prose above it from the last heading on."""
        return {id: {place, *self._text_above(place)} for id, place in self.questions.items()}

    def is_prose(self, place: int) -> bool:
        return self.cells[place].cell_type == "markdown" and not self.cells[place].is_solution

    def _text_above(self, question: int) -> range:
        first = question
        while first > 0 and self.is_prose(first - 1):
            first -= 1
            if _HEADING.match(self.cells[first].source):
                return range(first, question)
        return range(max(first, question - 1), question)

    def between(self, before: int, after: int, missing: set[str]) -> set[str]:
        """Return the questions that words between two places may answer."""
        return {
            id
            for id, place in self.questions.items()
            if before in self.zones[id] or after == place or (id in missing and before < place < after)
        }

    def beside(self, before: int, after: int) -> set[str]:
        """Return the questions whose cell or text is one of two places."""
        return {id for id, zone in self.zones.items() if before in zone or after in zone}

    def is_whole(self, place: int, source: str) -> bool:
        """Return whether a cell still holds all of what is released there: then the rest was added to it."""
        return all(line.strip() in source for line in self.cells[place].source.split("\n"))

    def around(self, place: int) -> set[str]:
        """Return the questions that words added to prose of the assignment's may answer: it is above or below one."""
        own = {id for id, zone in self.zones.items() if place in zone}
        return own or {id for id, question in self.questions.items() if question == place - 1}
