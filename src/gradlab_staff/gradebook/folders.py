"""Folders of results, written atomically file by file: after a crash each file is old or new, never incomplete.

Files are not synced to disk: the next run of ``gradlab grade`` writes again what a power cut loses.
"""

from __future__ import annotations

import math
import os
import shutil
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

from gradlab_staff.intake.received import is_linked

__all__ = ["fill_folder", "laid_over", "supporting_files"]

_MAX_FILE_BYTES = 16 << 20
_MAX_ALL_BYTES = 64 << 20
_MAX_FILES = 200
_MAX_NAME_BYTES = 1000  # of a path within the folder: the system allows 4096 for the full path
_IGNORED = (".ipynb_checkpoints", "__pycache__", "feedback")  # as in nbgrader


def supporting_files(folder: Path) -> dict[str, Path]:
    """Return the files beside a notebook, by their path in `folder`, for formgrader to show next to it.

    Links are skipped, because they may point anywhere, as are huge files and files that cannot be read or named.
    """
    found: dict[str, Path] = {}
    room: float = _MAX_ALL_BYTES
    if is_linked(folder):
        return found
    for root, folders, files in os.walk(folder, followlinks=False):
        folders[:] = sorted(name for name in folders if name not in _IGNORED and not name.endswith(".ipynb"))
        for path in (Path(root, name) for name in sorted(files)):
            name = str(path.relative_to(folder))
            shown = path.suffix.lower() not in (".ipynb", ".pyc") and len(os.fsencode(name)) <= _MAX_NAME_BYTES
            if shown and len(found) < _MAX_FILES and (size := _size(path)) <= min(room, _MAX_FILE_BYTES):
                found[name] = path
                room -= size
    return found


def _size(path: Path) -> float:
    """Return the size in bytes of a readable regular file; infinity for anything else."""
    try:
        status = path.lstat()
    except OSError:  # longer than a path may be
        return math.inf
    return status.st_size if stat.S_ISREG(status.st_mode) and os.access(path, os.R_OK) else math.inf


def laid_over(under: Mapping[str, Path], over: Mapping[str, Path]) -> dict[str, Path]:
    """Return the files of both folders by path; if two cannot coexist (`a`, `a/b`), keep the one of `over`."""
    taken = {str(parent) for name in over for parent in Path(name).parents} | set(over)
    free = {
        name: path
        for name, path in under.items()
        if name not in taken and not any(str(parent) in over for parent in Path(name).parents)
    }
    return {**free, **over}


def fill_folder(folder: Path, files: Mapping[str, str | Path], *, mode: int) -> None:
    """Make `folder` hold exactly `files`.

    Parameters
    ----------
    folder
        Created if missing; other files in it are deleted.
    files
        Text, or the path of a file to copy, by path within the folder; written atomically and in this order.
    mode
        Permissions of the files.
    """
    kept = {folder / name for name in files}
    on_the_way = {parent for path in kept for parent in path.parents}
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink() and path not in on_the_way:
            path.rmdir()  # its contents were deleted before it
        elif not path.is_dir() and path not in kept:
            path.unlink()
    for name, content in files.items():
        _write(folder / name, content, mode)


def _write(path: Path, content: str | Path, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        with open(handle, "wb") as file:
            if isinstance(content, str):
                file.write(content.encode("utf-8", "replace"))
            else:
                with content.open("rb") as source:
                    shutil.copyfileobj(source, file)
        os.chmod(name, mode)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
