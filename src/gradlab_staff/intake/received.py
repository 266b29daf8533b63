"""The private copy of what was handed in: read once, and all that is judged, quoted and kept is that copy.

A student's folder may change while it is graded: a notebook that is swapped between its fingerprint and its grading
would be kept as the verdict on the other. So nothing but this module reads ``submitted/``.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from gradlab_staff.course import Assignment
from gradlab_staff.intake.archives import find_in_zips
from gradlab_staff.intake.bounds import MAX_ALL_BYTES as _MAX_ALL_BYTES
from gradlab_staff.intake.bounds import MAX_FILE_BYTES as _MAX_FILE_BYTES
from gradlab_staff.intake.bounds import MAX_FILES as _MAX_FILES
from gradlab_staff.intake.files import MAX_NOTEBOOK_BYTES, Folder, HandedIn, copy_file
from gradlab_staff.intake.notebook import open_notebook
from gradlab_staff.text import one_line

__all__ = ["Received", "receive", "supporting_files"]

_STAMP = "timestamp.txt"
_SECRET = ("submission_secret.txt",)  # nbgrader's exchange names feedback by it
_MAX_STAMP_BYTES = 1000
_MAX_CANDIDATES = 20
_MAX_NAME_BYTES = 1000  # of a path below the folder: the system allows 4096 for the whole
_MAX_PART = 255  # bytes of a file's or folder's name


@dataclass(frozen=True)
class Received:
    """A submission in order: the notebook under the assignment's name, and the files beside it by their paths.

    `notebook` is None where there is none to be read; `name` is what it was called when it was handed in.
    """

    folder: Path
    notebook: Path | None = None
    name: str = ""
    warnings: tuple[str, ...] = ()
    files: dict[str, Path] = field(default_factory=dict)
    digest: str = ""

    @property
    def beside(self) -> dict[str, Path]:
        """Return the files of the student's own: all but those that the exchange or a collector laid there."""
        return {path: copy for path, copy in self.files.items() if path not in (_STAMP, *_SECRET)}

    def discard(self) -> None:
        """Delete the copy: the verdict on it has been entered."""
        shutil.rmtree(self.folder, ignore_errors=True)


def receive(assignment: Assignment, handed_in: Path, into: Path) -> Received:
    """Copy a submission from the folder `handed_in` to a new folder `into`, in order: out of folders, out of a zip.

    The notebook by the expected name wins; else the one with most of the assignment's cells. Where there is none, a zip
    that holds one notebook is the submission. Links are not followed, and the files beside the notebook are bounded.

    Raises
    ------
    OSError
        Where the copy cannot be written.
    """
    with contextlib.ExitStack() as opened:
        try:
            folder = opened.enter_context(Folder.open(handed_in))
            found = sorted(folder.files(), key=lambda file: file.path.parts != _SECRET)  # crowded out by nothing
        except OSError:
            linked = handed_in.is_symlink() or handed_in.parent.is_symlink()
            got = "a symbolic link. Copy the folder itself" if linked else "none"
            return _in_order(into, warnings=[f"expected a folder with {assignment.name}.ipynb, got {got}."])
        warnings = _warnings_on_refused(found)
        stamp = next((file for file in found if file.path.parts == (_STAMP,)), None)
        archive = ""
        if not _notebooks(found):
            archive, found, more = find_in_zips(found, into, opened)
            warnings += more
        received = _sorted_out(assignment, found, archive, warnings, into)
        return _stamped(received, stamp)


def _sorted_out(
    assignment: Assignment, found: Sequence[HandedIn], archive: str, warnings: list[str], into: Path
) -> Received:
    """Copy the notebook that is to be graded, and the files beside it, and say what is not as expected."""
    expected = f"{assignment.name}.ipynb"
    notebooks = _notebooks(found)
    if not notebooks:
        return _in_order(into, warnings=[*warnings, f"expected {expected}, got no notebook in the folder."])
    chosen, copy, why = _chosen(assignment, notebooks, into)
    if chosen.path.parts != (expected,) or archive:
        warnings.append(f"expected {expected}, got {archive}{one_line(chosen.path)}. Graded it.")
    if others := [one_line(other.path) for other in notebooks if other is not chosen]:
        names = one_line(", ".join(others), 300)
        warnings.append(f"expected one notebook, got {len(notebooks)}. Not graded: {names}.")
    if why:
        warnings.append(f"expected a notebook, got a file that cannot be read: {why}.")
    files = _copy_files(found, chosen.path.parent, into)
    return _in_order(into, copy, chosen.path.name, warnings, files)


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
    whole = hashlib.sha256(repr((name, *warnings)).encode())
    for path, copy in (*([(name, notebook)] if notebook else []), *sorted(files.items())):
        whole.update(path.encode(errors="surrogatepass") + b"\0")
        with copy.open("rb") as stream:
            whole.update(hashlib.file_digest(stream, "sha256").digest())
    return Received(into, notebook, name, tuple(warnings), files, whole.hexdigest())


def _stamped(received: Received, stamp: HandedIn | None) -> Received:
    """Return the copy with the time stamp, which the exchange or the collector laid at the top of the folder.

    It is copied whatever else there is no room for, and no other file may pass for it: a late penalty depends on it.
    """
    copy = received.folder / _STAMP
    if stamp is None or stamp.fault or copy_file(stamp, copy, _MAX_STAMP_BYTES):
        return received
    digest = hashlib.sha256(f"{received.digest} ".encode() + copy.read_bytes()).hexdigest()
    return replace(received, files={**received.files, _STAMP: copy}, digest=digest)


def _warnings_on_refused(found: Sequence[HandedIn]) -> list[str]:
    return [
        f"{one_line(file.path)}: expected a file, got {file.fault}. Did not open it."
        for file in found
        if file.is_notebook and file.fault
    ]


def _notebooks(found: Sequence[HandedIn]) -> list[HandedIn]:
    """Return the notebooks at the top, or where none are, those below."""
    every = [file for file in found if file.is_notebook and not file.fault]
    return [file for file in every if len(file.path.parts) == 1] or every


def _chosen(assignment: Assignment, notebooks: Sequence[HandedIn], into: Path) -> tuple[HandedIn, Path | None, str]:
    """Return the notebook to grade and its copy; None, and why, where it cannot be read.

    Of several, none by the expected name, that is the one with most of the assignment's cells; the first among equals.
    """
    place = into / f"{assignment.name}.ipynb"
    by_name = [file for file in notebooks if file.path.parts == (place.name,)]
    candidates = by_name or list(notebooks)
    if len(candidates) == 1:
        why = copy_file(candidates[0], place, MAX_NOTEBOOK_BYTES)
        return candidates[0], None if why else place, why
    room = MAX_NOTEBOOK_BYTES
    best: tuple[tuple[int, int], HandedIn] | None = None
    ids = {cell.id for cell in assignment.cells if cell.id}
    for file in candidates[:_MAX_CANDIDATES]:
        copy = into.with_name(f"{into.name}.candidate")
        if not copy_file(file, copy, room):
            room -= copy.stat().st_size
            cells = open_notebook(copy).cells
            score = len({cell.id for cell in cells} & ids), len(cells)
            if best is None or score > best[0]:
                best = score, file
                place.parent.mkdir(parents=True, exist_ok=True)
                copy.replace(place)
        copy.unlink(missing_ok=True)
    if best is None:
        return candidates[0], None, f"none of {len(candidates)} can be read"
    return best[1], place, ""


def _copy_files(found: Sequence[HandedIn], base: PurePosixPath, into: Path) -> dict[str, Path]:
    """Copy the files beside the notebook in `base`, as far as there is room; what lies elsewhere keeps its path."""
    copied: dict[str, Path] = {}
    room = _MAX_ALL_BYTES
    for file in found:
        path = file.path.relative_to(base) if file.path.is_relative_to(base) else file.path
        name = str(path)
        shown = _is_shown(path) and not file.fault and len(copied) < _MAX_FILES
        if not shown or _is_taken(path, copied):
            continue
        if not copy_file(file, into / path, min(room, _MAX_FILE_BYTES)):
            copied[name] = into / path
            room -= copied[name].stat().st_size
    return copied


def _is_shown(path: PurePosixPath) -> bool:
    """Return whether a file may lie by this path: it is a name, and not the notebook's or the time stamp's."""
    fits = len(os.fsencode(path)) <= _MAX_NAME_BYTES and all(len(os.fsencode(part)) <= _MAX_PART for part in path.parts)
    notebook = any(part.lower().endswith(".ipynb") for part in path.parts)
    return fits and not notebook and path.suffix.lower() != ".pyc" and path.parts[0] != _STAMP


def _is_taken(path: PurePosixPath, copied: dict[str, Path]) -> bool:
    """Return whether a file by this path, or in the place of one of its folders, has been copied."""
    return any(str(part) in copied for part in (path, *path.parents)) or any(
        PurePosixPath(name).is_relative_to(path) for name in copied
    )


def supporting_files(assignment: Assignment) -> dict[str, Path]:
    """Return the files beside the instructor's notebook, by their paths, within the bounds of `receive`."""
    folder = assignment.notebook.parent
    with Folder.open(folder.resolve()) as source:  # the staff's own may be a link
        files = [file for file in source.files() if not (file.is_notebook or file.fault or file.path.suffix == ".pyc")]
    return {str(file.path): folder / file.path for file in files[:_MAX_FILES] if file.size <= _MAX_FILE_BYTES}
