"""Which of the files handed in is the notebook to grade; where there is a choice, the one that was worked on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path

from gradlab_staff.course import Assignment
from gradlab_staff.course.handouts import is_handed_out, is_picture
from gradlab_staff.intake.archives import Zip, open_zips
from gradlab_staff.intake.files import MAX_NOTEBOOK_BYTES, HandedIn, copy_file
from gradlab_staff.intake.matching import Kind, match
from gradlab_staff.intake.notebook import open_notebook
from gradlab_staff.intake.traces import MAX_TRACED_BYTES, Traces
from gradlab_staff.text import one_line

__all__ = ["Chosen", "choose"]

_MAX_LOOKED_INTO = 20
_MAX_PEEKED = 200
_PEEK_BYTES = 64
_MAX_NAMED = 20
_NOBODYS = ("timestamp.txt", "submission_secret.txt", ".DS_Store", "Thumbs.db", "desktop.ini")
_DATA = (".csv", ".npy", ".npz", ".png", ".jpg", ".jpeg", ".gif", ".svg", ".pt", ".pkl", ".h5")
_BLANKS_AND_MARKS = b" \t\r\n\0\xef\xbb\xbf\xff\xfe"


@dataclass(frozen=True)
class Chosen:
    """The notebook to grade, its copy (or None, and why), the files it came with, and what is not as expected.

    `changed` counts the solutions and answers in it that are not as released. Where there are none, `unread` are the
    files that may hold the work, and that nobody has looked into.
    """

    file: HandedIn | None
    copy: Path | None = None
    why: str = ""
    archive: str = ""
    found: Sequence[HandedIn] = ()
    warnings: list[str] = field(default_factory=list)
    changed: int = 0
    unread: tuple[str, ...] = ()
    foreign: tuple[HandedIn, ...] = ()


@dataclass(frozen=True)
class _Candidate:
    """A file that may be the submission's notebook, and what a look at its copy showed.

    One by another ending is `odd`: it is a notebook only where there are cells in it.
    """

    file: HandedIn
    tier: int
    archive: str = ""
    odd: bool = False
    why: str = ""
    foreign: str = ""
    changed: int = 0
    known: int = 0
    cells: int = 0

    @property
    def name(self) -> str:
        return f"{self.archive}{self.file.name}"

    @property
    def rank(self) -> tuple[bool, bool, int, int, int]:
        """Return what it is chosen by: worked on at all, then its place, then how much of the assignment it holds."""
        return self.changed > 0, not self.foreign, -self.tier, self.known, self.cells


def choose(
    assignment: Assignment,
    found: Sequence[HandedIn],
    into: Path,
    opened: contextlib.ExitStack,
    hidden: Callable[[], Iterable[HandedIn]] = tuple,
) -> Chosen:
    """Return the notebook to grade, copied into the folder `into` by the assignment's name.

    In this order: by the expected name, at the top, in a folder, by another ending (``x.ipynb.json``), in a zip. One
    with a changed solution or answer comes before all that are as released: Jupyter's ``-Copy1`` beside an untouched
    original. Where there is none so far, the next kind is looked into; where there is none at all, `hidden` gives the
    files in folders that are nobody's work, to be named.

    Raises
    ------
    OSError
        Where the copy cannot be written.
    """
    search = _Search(assignment, found, into)
    named = [_Candidate(file, search.tier(file)) for file in found if file.is_notebook and not file.fault]
    search.look(sorted(named, key=lambda candidate: candidate.tier))
    search.look(_by_other_endings(found, _says_so))
    if not search.changed:
        search.look(_by_other_endings(found, lambda file: not _says_so(file)))
    if not search.changed:
        search.look_into_zips(opened)
    return search.chosen(hidden)


@dataclass
class _Search:
    """One submission's files, and the best candidate so far, whose copy lies by the assignment's name."""

    assignment: Assignment
    found: Sequence[HandedIn]
    into: Path
    best: _Candidate | None = None
    looked: list[_Candidate] = field(default_factory=list)
    zips: list[Zip] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    room: int = MAX_NOTEBOOK_BYTES

    @cached_property
    def traces(self) -> Traces:
        return Traces.of(self.assignment.course)

    @property
    def place(self) -> Path:
        return self.into / f"{self.assignment.name}.ipynb"

    @property
    def changed(self) -> bool:
        return self.best is not None and self.best.changed > 0

    def tier(self, file: HandedIn) -> int:
        if file.path.parts == (self.place.name,):
            return 0
        return 1 if len(file.path.parts) == 1 else 2

    def look(self, candidates: Iterable[_Candidate]) -> None:
        """Look into the candidates; those that there is no time for count as they are, where their names say so."""
        candidates = list(candidates)
        for candidate in candidates[:_MAX_LOOKED_INTO]:
            copy = self.into.with_name(f"{self.into.name}.candidate")
            seen = self.seen(candidate, copy)
            if seen.cells or not seen.odd:
                self.looked.append(seen)
                self._keep_best(seen, copy)
            copy.unlink(missing_ok=True)
        self.looked += [candidate for candidate in candidates[_MAX_LOOKED_INTO:] if not candidate.odd]

    def look_into_zips(self, opened: contextlib.ExitStack) -> None:
        """Look into the notebooks in zips, as if they lay in a folder of the zip's name."""
        self.zips, self.warnings = open_zips(self.found, self.into, opened)
        before = len(self.looked)
        for one in self.zips:
            archive = f"{one.file.name}/"
            named = [_Candidate(file, 4, archive) for file in one.inside if file.is_notebook and not file.fault]
            self.look([*named, *(replace(odd, tier=4, archive=archive) for odd in _by_other_endings(one.inside))])
        holding = {candidate.archive for candidate in self.looked[before:]}
        for one in self.zips:
            if f"{one.file.name}/" not in holding:
                names = ", ".join(_about(file) for file in one.inside[:_MAX_NAMED]) or "nothing that can be read"
                got = one_line(names, 300)
                self.warnings.append(f"{one.file.name}: expected a zip of a notebook, got one of {got}. Took nothing.")

    def seen(self, candidate: _Candidate, copy: Path) -> _Candidate:
        """Return a candidate as a look at its copy, which is made, shows it."""
        if why := copy_file(candidate.file, copy, self.room):
            return replace(candidate, why=why)
        self.room -= copy.stat().st_size
        foreign = self.foreign(copy)
        opened = open_notebook(copy)
        cells = match(self.assignment, opened).cells
        changed = [cell for cell in cells if cell.kind is Kind.SOLUTION and not cell.released]
        worked = sum(bool(cell.cell.source.strip()) for cell in changed)
        known = len({cell.id for cell in cells} - {""})
        why = "" if opened.readable else " ".join(opened.warnings)
        why = why.removeprefix("expected a notebook, got a file that cannot be read: ").rstrip(".")
        return replace(
            candidate, why=why, foreign=foreign, changed=0 if foreign else worked, known=known, cells=len(cells)
        )

    def _keep_best(self, seen: _Candidate, copy: Path) -> None:
        if self.best is not None and seen.rank <= self.best.rank:
            return
        self.best = seen
        self.place.unlink(missing_ok=True)
        if not seen.why:
            self.place.parent.mkdir(parents=True, exist_ok=True)
            copy.replace(self.place)

    def chosen(self, hidden: Callable[[], Iterable[HandedIn]]) -> Chosen:
        """Return the best of them, and a word on each of the others."""
        best = self.best
        if best is None or best.foreign:
            return self._none(hidden)
        warnings = [*self.warnings, *self._passed_over(best)]
        inside = next((one.inside for one in self.zips if f"{one.file.name}/" == best.archive), None)
        found = self.found if inside is None else [*self._beside_zips(), *inside]
        if best.why:
            return Chosen(best.file, None, best.why, best.archive, found, warnings)
        unread = () if best.changed else tuple(self._unread(best, hidden))
        if unread:
            warnings.insert(
                0,
                f"expected the work in {best.name}, got its solutions as released, and files that were not read: "
                f"{one_line(', '.join(unread), 600)}. Graded it as it stands: look whether the work is in these.",
            )
        return Chosen(best.file, self.place, "", best.archive, found, warnings, best.changed, unread)

    def _beside_zips(self) -> list[HandedIn]:
        zips = [one.file for one in self.zips]
        return [file for file in self.found if file not in zips and not file.is_notebook]

    def foreign(self, copy: Path) -> str:
        """Return the other assignment that a notebook is of, if it is: work on this one is yet to come."""
        with copy.open("rb") as stream:
            return self.traces.foreign(stream.read(MAX_TRACED_BYTES), self.assignment.name)

    def _none(self, hidden: Callable[[], Iterable[HandedIn]]) -> Chosen:
        self.place.unlink(missing_ok=True)
        others = [f"{one.name}: expected a notebook of {self.assignment.name}, got one of {one.foreign}."
                  for one in self.looked if one.foreign]  # fmt: skip
        held = tuple(file.name for file in _worth_a_look(hidden()))
        foreign = tuple(one.file for one in self.looked if one.foreign)
        return Chosen(None, found=self.found, warnings=[*self.warnings, *others], unread=held, foreign=foreign)

    def _unread(self, best: _Candidate, hidden: Callable[[], Iterable[HandedIn]]) -> Iterator[str]:
        """Yield the files that nobody has looked into, those first that are most likely to hold the work."""
        known = [best.file, *(one.file for one in self.looked if one.cells and not one.why)]
        known += [one.file for one in self.zips]
        inside = [(one.file.name, file) for one in self.zips for file in one.inside]
        files = [("", file) for file in self.found] + inside
        left = [(zip_, file) for zip_, file in files if file not in known and self._may_be_work(file)]
        left.sort(key=lambda item: item[1].path.suffix.lower() in _DATA)
        yield from ("/".join(filter(None, [zip_, _about(file)])) for zip_, file in left)
        for file in islice(_worth_a_look(hidden()), _MAX_LOOKED_INTO):
            copy = self.into.with_name(f"{self.into.name}.candidate")
            seen = self.seen(_Candidate(file, 5), copy)
            copy.unlink(missing_ok=True)
            if seen.changed or seen.why:
                yield f"{file.name} ({'worked on' if seen.changed else 'cannot be read'})"

    def _may_be_work(self, file: HandedIn) -> bool:
        path = file.path
        handed_out = is_handed_out(path) and not is_picture(path)
        handed_out = handed_out or (is_picture(path) and (self.assignment.notebook.parent / path).is_file())
        system = path.name in _NOBODYS or path.name.startswith("._") or path.suffix.lower() == ".pyc"
        return not handed_out and not system

    def _passed_over(self, best: _Candidate) -> Iterator[str]:
        others = [other for other in self.looked if other is not best]
        first = next((other for other in others if other.tier == 0), None)
        if first is None:
            yield from self._named_otherwise(best)
        else:
            got = "a file that cannot be read" if first.why or not first.cells else "it as released"
            yield f"expected the work in {self.place.name}, got {got}. Graded {best.name}, which was worked on."
        if others:
            names = one_line(", ".join(other.name for other in others), 300)
            yield f"expected one notebook, got {len(self.looked)}. Not graded: {names}."
        if worked := [other.name for other in others if other.changed]:
            names = one_line(", ".join(worked), 300)
            yield f"{names}: worked on as well. Look whether it is the one to be graded."

    def _named_otherwise(self, candidate: _Candidate) -> list[str]:
        if candidate.tier == 0:
            return []
        did = "" if candidate.why else " Graded it."
        return [f"expected {self.place.name}, got {candidate.name}.{did}"]


def _about(file: HandedIn) -> str:
    return f"{file.name} ({file.fault})" if file.fault else file.name


def _worth_a_look(files: Iterable[HandedIn]) -> Iterator[HandedIn]:
    """Yield those that are named like notebooks, of files in hidden folders: ``.git`` holds thousands of others."""
    return (file for file in files if ".ipynb" in file.path.name.lower() and not file.path.name.startswith("._"))


def _says_so(file: HandedIn) -> bool:
    return ".ipynb" in file.path.name.lower()


def _by_other_endings(
    found: Sequence[HandedIn], which: Callable[[HandedIn], bool] = lambda file: True
) -> Iterator[_Candidate]:
    """Yield the files that may hold a notebook under another ending, those that say so first."""
    plain = [file for file in found if not file.fault and not file.path.name.startswith(".") and which(file)]
    files = [file for file in plain if not file.is_notebook and file.path.suffix.lower() not in (".zip", ".pyc")]
    files.sort(key=lambda file: not _says_so(file))
    for file in files[:_MAX_PEEKED]:
        if 0 < file.size <= MAX_NOTEBOOK_BYTES and _is_json(file):
            yield _Candidate(file, 3, odd=True)


def _is_json(file: HandedIn) -> bool:
    """Return whether a file begins as a JSON object does, in whatever Unicode encoding."""
    with contextlib.suppress(Exception), file.open() as stream:  # whatever opening a student's file raises
        return stream.read(_PEEK_BYTES).lstrip(_BLANKS_AND_MARKS).startswith(b"{")
    return False
