"""Which assignment of a course a notebook belongs to: by the ids and checks that stand in it, else by its name.

It is searched as bytes and not parsed: so it need not be whole, nor be read in full.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from gradlab_staff.course import Course
from gradlab_staff.errors import CourseError

__all__ = ["MAX_TRACED_BYTES", "Traces", "is_alike"]

MAX_TRACED_BYTES = 16 << 20
"""How much of a notebook is searched."""
_ID = re.compile(rb'"grade_id"\s{0,9}:\s{0,9}"([^"\\]{1,200})"')
_CHECK = re.compile(rb"\bcheck\(\\?[\"']([A-Za-z_]\w{0,100})\\?[\"']\)")
_ENDING = re.compile(r"(\.(ipynb|json|txt|zip|py|html|pdf|download|bak|7z|rar|tar|gz|tgz|bz2|xz|docx|odt|md))+$")
_COPY = re.compile(r"[ _-]*(?:\(\d{1,9}\)|(?:copy|kopie) ?\d{0,9}|final|untitled)$")
_MAX_COPIES = 5  # of a copy of a copy


def is_alike(name: str, expected: str) -> bool:
    """Return whether a person would take a name for the expected one.

    >>> [is_alike(name, "inverted_dropout") for name in ("Inverted-Dropout ", "inverted_dropout (1).ipynb", "dropout")]
    [True, True, False]
    """
    return _plain(name) == _plain(expected)


def _plain(name: str) -> str:
    text = unicodedata.normalize("NFKC", name[:300]).casefold().strip()
    plain = _ENDING.sub("", text)
    for _ in range(_MAX_COPIES):
        plain = _COPY.sub("", plain)
    text = plain or text
    return "".join(char for char in text if char.isalnum())


@dataclass(frozen=True)
class Traces:
    """What only one assignment of a course holds: its cells' ids and its exercises' names, each with its assignment."""

    owners: Mapping[bytes, str]
    names: tuple[str, ...]

    @classmethod
    def of(cls, course: Course) -> Traces:
        """Return those of a course; an assignment that cannot be read leaves none."""
        found: dict[bytes, set[str]] = {}
        for name in course.assignments:
            try:
                ids = {cell.id for cell in course.assignment(name).cells if cell.id}
            except CourseError:
                continue
            for id in ids:
                found.setdefault(id.encode(), set()).add(name)
        return cls({id: min(names) for id, names in found.items() if len(names) == 1}, course.assignments)

    def owner(self, content: bytes, name: str) -> str:
        """Return the assignment that a notebook of this content and name belongs to; empty where nothing tells."""
        if counts := self._counts(content):
            return max(sorted(counts), key=counts.__getitem__)
        return next((assignment for assignment in self.names if is_alike(name, assignment)), "")

    def foreign(self, content: bytes, wanted: str) -> str:
        """Return the other assignment that a notebook is of, where nothing in it is of the wanted one; else nothing."""
        counts = self._counts(content)
        return "" if wanted in counts else max(sorted(counts), key=counts.__getitem__, default="")

    def _counts(self, content: bytes) -> Counter[str]:
        words = {found[1] for pattern in (_ID, _CHECK) for found in pattern.finditer(content)}
        return Counter(self.owners[word] for word in words if word in self.owners)
