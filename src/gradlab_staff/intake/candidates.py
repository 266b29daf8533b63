"""Which of the files handed in is the notebook to grade; where there is a choice, the one that was worked on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from gradlab_staff.course import Assignment
from gradlab_staff.intake.archives import find_in_zips
from gradlab_staff.intake.files import MAX_NOTEBOOK_BYTES, HandedIn, copy_file
from gradlab_staff.intake.matching import Kind, match
from gradlab_staff.intake.notebook import open_notebook
from gradlab_staff.intake.traces import MAX_TRACED_BYTES, Traces
from gradlab_staff.text import one_line

__all__ = ["Chosen", "choose"]

_MAX_LOOKED_INTO = 20
_MAX_PEEKED = 200
_PEEK_BYTES = 64
_BLANKS_AND_MARKS = b" \t\r\n\0\xef\xbb\xbf\xff\xfe"


@dataclass(frozen=True)
class Chosen:
    """The notebook to grade, its copy (or None, and why), the files it came with, and what is not as expected."""

    file: HandedIn | None
    copy: Path | None = None
    why: str = ""
    archive: str = ""
    found: Sequence[HandedIn] = ()
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Candidate:
    """A file that may be the submission's notebook, and what a look at its copy showed."""

    file: HandedIn
    tier: int
    archive: str = ""
    why: str = ""
    foreign: str = ""
    changed: int = 0
    known: int = 0
    cells: int = 0

    @property
    def name(self) -> str:
        return f"{self.archive}{one_line(self.file.path)}"

    @property
    def rank(self) -> tuple[bool, bool, int, int, int]:
        """Return what it is chosen by: worked on at all, then its place, then how much of the assignment it holds."""
        return self.changed > 0, not self.foreign, -self.tier, self.known, self.cells


def choose(assignment: Assignment, found: Sequence[HandedIn], into: Path, opened: contextlib.ExitStack) -> Chosen:
    """Return the notebook to grade, copied into the folder `into` by the assignment's name.

    In this order: by the expected name, at the top, in a folder, by another ending (``x.ipynb.json``), in a zip. One
    with a changed solution or answer comes before all that are as released: Jupyter's ``-Copy1`` beside an untouched
    original. Files are looked into only where there is a choice.

    Raises
    ------
    OSError
        Where the copy cannot be written.
    """
    search = _Search(assignment, found, into)
    plain = [_Candidate(file, search.tier(file)) for file in found if file.is_notebook and not file.fault]
    plain.sort(key=lambda candidate: candidate.tier)
    scripts = search.scripts(plain)
    zips = any(file.path.suffix.lower() == ".zip" and not file.fault for file in found)
    odd = list(search.by_other_endings(named=bool(plain)))
    if len(plain) == 1 and not (odd or zips or scripts):
        return search.only(plain[0])
    looked = search.look([*plain, *odd])
    archive, inside, warnings = "", found, list[str]()
    if zips and not any(candidate.changed for candidate in looked):
        archive, inside, warnings = find_in_zips(found, into, opened)
        looked += search.look([_Candidate(file, 4, archive) for file in inside if file.is_notebook and not file.fault])
    if not looked:
        return Chosen(None, found=found, warnings=warnings)
    return search.chosen(looked, archive, inside, warnings, scripts)


@dataclass
class _Search:
    """One submission's files, and the best candidate so far, whose copy lies by the assignment's name."""

    assignment: Assignment
    found: Sequence[HandedIn]
    into: Path
    best: _Candidate | None = None
    room: int = MAX_NOTEBOOK_BYTES

    @cached_property
    def traces(self) -> Traces:
        return Traces.of(self.assignment.course)

    @property
    def place(self) -> Path:
        return self.into / f"{self.assignment.name}.ipynb"

    def tier(self, file: HandedIn) -> int:
        if file.path.parts == (self.place.name,):
            return 0
        return 1 if len(file.path.parts) == 1 else 2

    def by_other_endings(self, *, named: bool) -> Iterator[_Candidate]:
        """Yield the files that may hold a notebook under another ending; `named`: only those that say so."""
        plain = [file for file in self.found if not file.fault and not file.path.name.startswith(".")]
        files = [file for file in plain if not file.is_notebook and file.path.suffix.lower() not in (".zip", ".pyc")]
        files.sort(key=lambda file: ".ipynb" not in file.path.name.lower())
        for file in files[:_MAX_PEEKED]:
            says_so = ".ipynb" in file.path.name.lower()
            if (says_so or not named) and 0 < file.size <= MAX_NOTEBOOK_BYTES and _is_json(file):
                yield _Candidate(file, 3)

    def scripts(self, notebooks: Sequence[_Candidate]) -> list[str]:
        """Return the Python files that are named like the notebook: exports of it."""
        stems = {self.assignment.name, *(notebook.file.path.stem for notebook in notebooks)}
        return [
            one_line(file.path) for file in self.found if file.path.suffix.lower() == ".py" and file.path.stem in stems
        ]

    def only(self, candidate: _Candidate) -> Chosen:
        """Return the only one there is: there is no need to look into it."""
        why = copy_file(candidate.file, self.place, MAX_NOTEBOOK_BYTES)
        foreign = "" if why else self.foreign(self.place)
        if foreign:
            return self._none([replace(candidate, foreign=foreign)], [])
        warnings = self._named_otherwise(candidate)
        return Chosen(candidate.file, None if why else self.place, why, "", self.found, warnings)

    def look(self, candidates: Sequence[_Candidate]) -> list[_Candidate]:
        """Return the candidates as a look into each showed them; of those by another ending, the notebooks.

        Those that there is no time to look into are returned as they are.
        """
        looked = [candidate for candidate in candidates[_MAX_LOOKED_INTO:] if candidate.tier != 3]
        for candidate in candidates[:_MAX_LOOKED_INTO]:
            seen = self._look(candidate)
            if seen.tier != 3 or seen.cells:
                looked.append(seen)
        return looked

    def _look(self, candidate: _Candidate) -> _Candidate:
        copy = self.into.with_name(f"{self.into.name}.candidate")
        if why := copy_file(candidate.file, copy, self.room):
            seen = replace(candidate, why=why)
        else:
            self.room -= copy.stat().st_size
            foreign = self.foreign(copy)
            cells = match(self.assignment, open_notebook(copy)).cells
            changed = [cell for cell in cells if cell.kind is Kind.SOLUTION and not cell.released]
            worked = sum(bool(cell.cell.source.strip()) for cell in changed)
            known = len({cell.id for cell in cells} - {""})
            seen = replace(candidate, foreign=foreign, changed=0 if foreign else worked, known=known, cells=len(cells))
        is_one = seen.tier != 3 or seen.cells > 0
        if is_one and (self.best is None or seen.rank > self.best.rank):
            self.best = seen
            self.place.unlink(missing_ok=True)
            if not why:
                self.place.parent.mkdir(parents=True, exist_ok=True)
                copy.replace(self.place)
        copy.unlink(missing_ok=True)
        return seen

    def chosen(self, looked: list[_Candidate], archive: str, inside: Sequence[HandedIn],
               warnings: list[str], scripts: list[str]) -> Chosen:  # fmt: skip
        """Return the best of them, and a word on each of the others."""
        best = self.best
        assert best is not None
        if best.foreign:
            return self._none(looked, warnings)
        warnings = [*warnings, *self._passed_over(best, looked)]
        if scripts and not best.changed and not best.why:
            names = one_line(", ".join(scripts), 300)
            warnings.append(f"expected the work in a notebook, got it as released beside {names}. Graded no script.")
        if best.archive:
            return Chosen(best.file, self._copy(best), best.why, archive, inside, warnings)
        return Chosen(best.file, self._copy(best), best.why, "", self.found, warnings)

    def foreign(self, copy: Path) -> str:
        """Return the other assignment that a notebook is of, if it is: work on this one is yet to come."""
        with copy.open("rb") as stream:
            return self.traces.foreign(stream.read(MAX_TRACED_BYTES), self.assignment.name)

    def _none(self, looked: Sequence[_Candidate], warnings: list[str]) -> Chosen:
        self.place.unlink(missing_ok=True)
        others = [f"{one.name}: expected a notebook of {self.assignment.name}, got one of {one.foreign}."
                  for one in looked if one.foreign]  # fmt: skip
        return Chosen(None, found=self.found, warnings=[*warnings, *others])

    def _copy(self, best: _Candidate) -> Path | None:
        return None if best.why else self.place

    def _passed_over(self, best: _Candidate, looked: Sequence[_Candidate]) -> Iterator[str]:
        others = [other for other in looked if other is not best]
        first = next((other for other in others if other.tier == 0), None)
        if first is None:
            yield from self._named_otherwise(best)
        else:
            got = "it as released" if first.cells else "a file that cannot be read"
            yield f"expected the work in {self.place.name}, got {got}. Graded {best.name}, which was worked on."
        if others:
            names = one_line(", ".join(other.name for other in others), 300)
            yield f"expected one notebook, got {len(looked)}. Not graded: {names}."
        if worked := [other.name for other in others if other.changed]:
            names = one_line(", ".join(worked), 300)
            yield f"{names}: worked on as well. Look whether it is the one to be graded."

    def _named_otherwise(self, candidate: _Candidate) -> list[str]:
        if candidate.tier == 0:
            return []
        return [f"expected {self.place.name}, got {candidate.name}. Graded it."]


def _is_json(file: HandedIn) -> bool:
    """Return whether a file begins as a JSON object does, in whatever Unicode encoding."""
    with contextlib.suppress(Exception), file.open() as stream:  # whatever opening a student's file raises
        return stream.read(_PEEK_BYTES).lstrip(_BLANKS_AND_MARKS).startswith(b"{")
    return False
