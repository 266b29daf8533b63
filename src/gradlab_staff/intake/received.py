"""The private copy of what was handed in: read once, and all that is judged, quoted and kept is that copy.

A student's folder may change while it is graded: a notebook that is swapped between its fingerprint and its grading
would be kept as the verdict on the other. So nothing but this module reads what is graded from ``submitted/``.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from pathlib import Path, PurePosixPath

from gradlab_staff.course import Assignment
from gradlab_staff.course.handouts import is_handed_out
from gradlab_staff.intake.bounds import MAX_ALL_BYTES as _MAX_ALL_BYTES
from gradlab_staff.intake.bounds import MAX_FILE_BYTES as _MAX_FILE_BYTES
from gradlab_staff.intake.bounds import MAX_FILES as _MAX_FILES
from gradlab_staff.intake.candidates import Chosen, choose
from gradlab_staff.intake.files import MAX_NOTEBOOK_BYTES, Folder, HandedIn, copy_file
from gradlab_staff.intake.stamps import Stamp, read_stamp, unreadable_stamp
from gradlab_staff.text import one_line

__all__ = ["Received", "receive", "receive_notebook", "supporting_files"]

_STAMP = "timestamp.txt"
_SECRET = ("submission_secret.txt",)  # nbgrader's exchange names feedback by it
_ODD_STAMPS = (_STAMP, f"{_STAMP}.txt", "timestamp", "time stamp.txt", "timestamps.txt")
_MAX_STAMP_BYTES = 1000
_MAX_NOTEBOOKS = 4
_MAX_NAME_BYTES = 1000  # of a path below the folder: the system allows 4096 for the whole
_MAX_PART = 255  # bytes of a file's or folder's name


@dataclass(frozen=True)
class Received:
    """A submission in order: the notebook under the assignment's name, and the files beside it by their paths.

    `name` is what the notebook was called when it was handed in. Where there was none that can be read, `notebook` is
    None and `has_work` is false: there is nothing to grade, and no score is due before a person has looked. `time` is
    when it was handed in, in UTC, if known; `undated`: there is a time stamp, and it does not say.
    """

    folder: Path
    notebook: Path | None = None
    name: str = ""
    warnings: tuple[str, ...] = ()
    files: dict[str, Path] = field(default_factory=dict)
    digest: str = ""
    notebooks: dict[str, Path] = field(default_factory=dict)
    """Other notebooks, which the one that is graded may run: no page shows them."""
    has_work: bool = True
    time: datetime | None = None
    undated: bool = False
    unread: tuple[str, ...] = ()
    """Where nothing in the notebook was worked on: the files that may hold the work, and were not looked into."""

    @property
    def beside(self) -> dict[str, Path]:
        """Return the files of the student's own: all but those that the exchange or a collector laid there."""
        own = {path: copy for path, copy in self.files.items() if path not in (_STAMP, *_SECRET)}
        return own | self.notebooks

    def discard(self) -> None:
        """Delete the copy: the verdict on it has been entered."""
        for folder in (self.folder, _aside(self.folder)):
            shutil.rmtree(folder, ignore_errors=True)


def receive(assignment: Assignment, handed_in: Path, into: Path) -> Received:
    """Copy a submission from the folder `handed_in` to a new folder `into`, in order: out of folders, out of a zip.

    Which notebook is taken: `gradlab_staff.intake.candidates`. Links are not followed, and the files beside the
    notebook are bounded.

    Raises
    ------
    OSError
        Where the copy cannot be written.
    """
    with contextlib.ExitStack() as opened:
        try:
            folder = opened.enter_context(Folder.open(handed_in))
            found = sorted(folder.files(), key=lambda file: file.path.parts != _SECRET)  # crowded out by nothing
        except OSError as error:
            why = _why_not_opened(handed_in, error)
            return _nothing(into, [f"expected a folder with {assignment.name}.ipynb, got {why}."])
        time = _stamp(found, into)
        chosen = choose(assignment, found, into, opened, lambda: folder.files(hidden=True))
        if not (time.text or time.warning):
            time = _nested_stamp(chosen)
        return _stamped(_sorted_out(assignment, chosen, [*_refused(found)], into), time)


def receive_notebook(notebook: Path, submitted: Path, into: Path) -> Received:
    """Copy one notebook that somebody names to a new folder `into`; below `submitted` also what lies beside it.

    Elsewhere what lies beside it may be anyone's. Of the path, no part below `submitted` may be a link, nor the file
    itself: a student's link would have a TA quote whatever file it leads to.

    Raises
    ------
    ValueError
        Where it is no file that can be read; the message says what it is.
    OSError
        Where the copy cannot be written.
    """
    path = Path(os.path.abspath(notebook))
    root = next((parent for parent in path.parents if parent.resolve() == submitted.resolve()), path.parent)
    parts = path.parent.relative_to(root).parts
    with contextlib.ExitStack() as opened:
        try:
            folder = opened.enter_context(Folder.open(path.parent, untrusted=len(parts)))
            file = folder.file(path.name)
        except OSError as error:
            linked = any(parent.is_symlink() for parent in [root.joinpath(*parts[: n + 1]) for n in range(len(parts))])
            raise ValueError("a folder that is a symbolic link" if linked else error.strerror or "an error") from error
        why = file.fault or copy_file(file, into / "notebook.ipynb", MAX_NOTEBOOK_BYTES)
        if why:
            raise ValueError(why)
        others = [one for one in folder.files() if one.path.parts != (path.name,)] if parts else []
        files, left = _copy_files(others, PurePosixPath(), into / "beside")
        notebooks = _copy_notebooks(others, PurePosixPath(), _aside(into))
        return Received(into, into / "notebook.ipynb", path.name, _left_out(left), files, notebooks=notebooks)


def _why_not_opened(folder: Path, error: OSError) -> str:
    if folder.is_symlink() or folder.parent.is_symlink():
        return "a symbolic link. Copy the folder itself"
    return "none" if isinstance(error, FileNotFoundError) else (error.strerror or "an error")


def _sorted_out(assignment: Assignment, chosen: Chosen, refused: list[str], into: Path) -> Received:
    """Copy the files beside the notebook that is to be graded, and say what is not as expected."""
    warnings = [*refused, *chosen.warnings]
    if chosen.file is None:
        return _nothing(into, [*warnings, _instead(assignment, chosen)])
    if chosen.why:
        return _nothing(into, [*warnings, f"expected a notebook, got a file that cannot be read: {chosen.why}."])
    others = [file for file in chosen.found if file is not chosen.file]
    files, left = _copy_files(others, chosen.file.path.parent, into)
    warnings += _left_out(left)
    received = _in_order(into, chosen.copy, chosen.file.path.name, warnings, files)
    notebooks = _copy_notebooks(others, chosen.file.path.parent, _aside(into))
    return replace(received, notebooks=notebooks, digest=_digest(received.digest, notebooks), unread=chosen.unread)


def _left_out(files: Sequence[str]) -> tuple[str, ...]:
    named = one_line("; ".join(files), 600)
    return (f"not there when the notebook was run, though it was handed in: {named}.",) if files else ()


def _instead(assignment: Assignment, chosen: Chosen) -> str:
    """Return what there is in the place of a notebook; what has a warning of its own is not named again."""
    said = [file for file in chosen.found if (file.is_notebook and file.fault) or file in chosen.foreign]
    names = [file.name for file in chosen.found if file.path.parts != (_STAMP,) and file not in said]
    but = f", but {one_line(', '.join([*names, *chosen.unread]), 600)}" if [*names, *chosen.unread] else ""
    got = "no notebook of it that can be opened" if said else "no notebook in the folder"
    return f"expected {assignment.name}.ipynb, got {got}{but}."


def _aside(folder: Path) -> Path:
    """Return where other notebooks are copied: nbgrader would take them for the submission's."""
    return folder.with_name(f"{folder.name}.notebooks")


def _copy_notebooks(found: Sequence[HandedIn], base: PurePosixPath, into: Path) -> dict[str, Path]:
    """Copy the other notebooks beside the one in `base`: a ``%run`` may ask for them."""
    others = [file for file in found if file.is_notebook and not file.fault and file.path.is_relative_to(base)]
    places = {str(file.path.relative_to(base)): file for file in others[:_MAX_NOTEBOOKS]}
    return {path: into / path for path, file in places.items() if not copy_file(file, into / path, _MAX_FILE_BYTES)}


def _nothing(into: Path, warnings: Sequence[str]) -> Received:
    return replace(_in_order(into, warnings=warnings), has_work=False)


def _in_order(
    into: Path,
    notebook: Path | None = None,
    name: str = "",
    warnings: Sequence[str] = (),
    files: dict[str, Path] | None = None,
) -> Received:
    """Return the copy with its fingerprint: what it holds, and what there was to warn of."""
    into.mkdir(parents=True, exist_ok=True)
    files = files or {}
    digest = _digest(repr((name, *warnings)), {name: notebook} if notebook else {})
    return Received(into, notebook, name, tuple(warnings), files, _digest(digest, files))


def _digest(said: str, files: Mapping[str, Path]) -> str:
    """Return the fingerprint of some words, and of files with their paths."""
    whole = hashlib.sha256(said.encode(errors="surrogatepass"))
    for path, copy in sorted(files.items()):
        whole.update(path.encode(errors="surrogatepass") + b"\0")
        with copy.open("rb") as stream:
            whole.update(hashlib.file_digest(stream, "sha256").digest())
    return whole.hexdigest()


def _stamp(found: Sequence[HandedIn], into: Path) -> Stamp:
    """Return the time stamp, which the exchange or the collector laid at the top of the folder.

    It is read whatever else there is no room for, and no other file may pass for it: a late penalty depends on it.
    """
    at_top = {file.path.name: file for file in found if len(file.path.parts) == 1}
    stamp = at_top.get(_STAMP)
    if stamp is None and any(file.path.parts[0] == _STAMP for file in found):
        return unreadable_stamp("a folder")
    if stamp is None:
        odd = next((name for name in at_top if name.casefold() in _ODD_STAMPS), "")
        said = f"{one_line(odd)}: expected {_STAMP}, got another name. Did not read it as the time of handing in."
        return Stamp(warning=said if odd else "")
    if stamp.size > _MAX_STAMP_BYTES:
        return unreadable_stamp(f"a file that cannot be read: it has more than {_MAX_STAMP_BYTES} bytes")
    copy = into.with_name(f"{into.name}.stamp")
    why = stamp.fault or copy_file(stamp, copy, _MAX_STAMP_BYTES)
    try:
        return unreadable_stamp(f"a file that cannot be read: {why}") if why else read_stamp(copy.read_bytes())
    finally:
        copy.unlink(missing_ok=True)


def _nested_stamp(chosen: Chosen) -> Stamp:
    """Return that there is a time stamp beside a notebook that lies in a folder: who laid it there is not known.

    It may be the exchange's, of a folder that was laid into another, or the student's own.
    """
    if chosen.file is None or chosen.archive or len(chosen.file.path.parts) == 1:
        return Stamp()
    beside = chosen.file.path.parent / _STAMP
    if not any(file.path == beside for file in chosen.found):
        return Stamp()
    return Stamp(
        warning=f"{one_line(beside)}: expected {_STAMP} at the top, as nbgrader lays it, got it in a folder. Counted "
        "as handed in without a time: decide by hand whether it is late."
    )


def _stamped(received: Received, stamp: Stamp) -> Received:
    """Return the copy with the time stamp, written as nbgrader does: so both read the same time from it."""
    warnings = (*received.warnings, *filter(None, [stamp.warning]))
    digest = hashlib.sha256(f"{received.digest} {stamp.text} {stamp.warning}".encode()).hexdigest()
    files, undated = dict(received.files), bool(stamp.warning) and stamp.time is None
    if stamp.text:
        files[_STAMP] = received.folder / _STAMP
        files[_STAMP].write_text(stamp.text, encoding="utf-8")
    return replace(received, files=files, digest=digest, warnings=warnings, time=stamp.time, undated=undated)


def _refused(found: Sequence[HandedIn]) -> list[str]:
    return [
        f"{file.name}: expected a file, got {file.fault}. Did not open it."
        for file in found
        if file.is_notebook and file.fault
    ]


def _copy_files(found: Sequence[HandedIn], base: PurePosixPath, into: Path) -> tuple[dict[str, Path], list[str]]:
    """Copy the files beside the notebook in `base`; return the copies, and for what there is no room, and why.

    What lies elsewhere keeps its path.
    """
    copied: dict[str, Path] = {}
    left: list[str] = []
    room = _MAX_ALL_BYTES
    for file in found:
        path = file.path.relative_to(base) if file.path.is_relative_to(base) else file.path
        full = f"{_MAX_FILES} files are taken at most" if len(copied) >= _MAX_FILES else ""
        if not _is_work(path) or (not full and _is_taken(path, copied)):
            continue
        if why := file.fault or full or _unfit(path) or copy_file(file, into / path, min(room, _MAX_FILE_BYTES)):
            left.append(f"{one_line(path, 100)} ({why})")
        else:
            copied[str(path)] = into / path
            room -= copied[str(path)].stat().st_size
    return copied, left


def _is_work(path: PurePosixPath) -> bool:
    """Return whether a file is the student's own work: not another notebook, what Python compiled, or a time stamp."""
    notebook = any(part.lower().endswith(".ipynb") for part in path.parts)
    return not notebook and path.suffix.lower() != ".pyc" and path.parts[0] != _STAMP


def _unfit(path: PurePosixPath) -> str:
    fits = len(os.fsencode(path)) <= _MAX_NAME_BYTES and all(len(os.fsencode(part)) <= _MAX_PART for part in path.parts)
    return "" if fits else "its name is too long"


def _is_taken(path: PurePosixPath, copied: dict[str, Path]) -> bool:
    """Return whether a file by this path, or in the place of one of its folders, has been copied."""
    return any(str(part) in copied for part in (path, *path.parents)) or any(
        PurePosixPath(name).is_relative_to(path) for name in copied
    )


def supporting_files(assignment: Assignment) -> dict[str, Path]:
    """Return what is handed out beside the notebook, by its paths, within the bounds of `receive`."""
    folder, found, room = assignment.notebook.parent, dict[str, Path](), _MAX_ALL_BYTES
    with Folder.open(folder.resolve()) as source:  # the staff's own may be a link
        for file in source.files():
            if is_handed_out(file.path) and not file.fault and file.size <= min(room, _MAX_FILE_BYTES):
                found[str(file.path)] = folder / file.path
                room -= file.size
    return dict(islice(found.items(), _MAX_FILES))
