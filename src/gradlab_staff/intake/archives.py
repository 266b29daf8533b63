"""Zip archives that were handed in: the one that holds a notebook is the submission."""

from __future__ import annotations

import contextlib
import re
import stat
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from gradlab_staff.intake.files import MAX_LOOKED_AT, HandedIn, copy_file, is_skipped, kind_of

__all__ = ["Zip", "files_in", "notebooks_in", "open_zip", "open_zips"]

MAX_ZIP_BYTES = 64 << 20
"""Of all zips of a submission together."""
_MAX_ZIPS = 20
_MAX_DIRECTORY_BYTES = 4 << 20  # of a zip: Python makes a hundred times as much of it
_DRIVE = re.compile(r"[A-Za-z]:(/.*)?", re.DOTALL)  # C:/x; a colon elsewhere is a character like others
_ECD_SIZE = 5  # where the end record, as zipfile reads it, says how large the directory is


@dataclass(frozen=True)
class Zip:
    """A zip that was handed in: its name, and the files in it, which can be read as long as it is open."""

    file: HandedIn
    inside: Sequence[HandedIn]


def open_zips(found: Sequence[HandedIn], into: Path, opened: contextlib.ExitStack) -> tuple[list[Zip], list[str]]:
    """Return the zips among the files, open as long as `opened` is, and a warning on each that cannot be read."""
    zips: list[Zip] = []
    warnings: list[str] = []
    room = MAX_ZIP_BYTES
    for file in [file for file in found if file.path.suffix.lower() == ".zip" and not file.fault][:_MAX_ZIPS]:
        inside = _opened(file, into.with_name(f"{into.name}.zip"), room, opened)
        room -= min(file.size, room)
        if isinstance(inside, str):
            warnings.append(f"{file.name}: expected a zip of a notebook, got a file that cannot be read: {inside}.")
        else:
            zips.append(Zip(file, inside))
    return zips, warnings


def notebooks_in(file: HandedIn, opened: contextlib.ExitStack) -> list[HandedIn]:
    """Return the notebooks in a zip, which is open as long as `opened` is; none where it cannot be read."""
    if file.size > MAX_ZIP_BYTES:
        return []
    try:
        archive = opened.enter_context(open_zip(opened.enter_context(file.open())))
        return [one for one in files_in(archive) if one.is_notebook and not one.fault]
    except Exception:  # noqa: BLE001 (whatever a student's archive makes its reader raise)
        return []


def _opened(file: HandedIn, copy: Path, room: int, archive: contextlib.ExitStack) -> list[HandedIn] | str:
    """Return what is in a zip, open as long as `archive` is, or why it cannot be read."""
    if why := copy_file(file, copy, room):
        return why
    try:
        stream = archive.enter_context(copy.open("rb"))
        return list(files_in(archive.enter_context(open_zip(stream))))
    except Exception as error:  # noqa: BLE001 (whatever a student's archive makes its reader raise)
        return str(error) if isinstance(error, ValueError) else "it is not a zip archive"
    finally:
        copy.unlink()  # what is open stays open


def open_zip(file: IO[bytes]) -> zipfile.ZipFile:
    """Open a zip archive whose list of members is of a size that can be read.

    Raises
    ------
    ValueError, zipfile.BadZipFile
        Where it is larger, or the file is no archive.
    """
    end = zipfile._EndRecData(file)  # type: ignore[attr-defined]  # the very record that ZipFile goes by
    if end is not None and end[_ECD_SIZE] > _MAX_DIRECTORY_BYTES:
        raise ValueError("it has too many members")
    return zipfile.ZipFile(file)


def files_in(archive: zipfile.ZipFile) -> Iterator[HandedIn]:
    """Yield the files of a zip archive, in the order of `Folder.files`; what would lie outside of it is not opened.

    Windows' programs may write backslashes for slashes. The sizes that it states are checked again when a file is
    read. The archive stays open as long as they are needed.
    """
    members = [member for member in archive.infolist()[:MAX_LOOKED_AT] if not member.is_dir()]
    for member in sorted(members, key=lambda member: (member.filename.count("/"), member.filename)):
        path = PurePosixPath(member.filename.replace("\\", "/"))
        hidden = is_skipped(path.parent) or path.name.startswith(".")
        hidden = hidden or any(part.lower().endswith(".ipynb") for part in path.parts[:-1])
        # "../x", "/x" and links would be written, or read, elsewhere
        outside = path.is_absolute() or ".." in path.parts or _DRIVE.fullmatch(str(path))
        if not path.parts or (hidden and not outside):
            continue
        kind = stat.S_IFMT(member.external_attr >> 16)
        fault = "a name that leads out of the zip" if outside else ""
        fault = fault or ("an encrypted file" if member.flag_bits & 1 else "")
        yield HandedIn(path, member.file_size, _opener(archive, member),
                       fault if kind in (0, stat.S_IFREG) else kind_of(kind))  # fmt: skip


def _opener(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Callable[[], IO[bytes]]:
    return lambda: archive.open(member)
