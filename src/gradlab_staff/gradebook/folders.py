"""Folders of results, written file by file, so that a crash leaves each file old or new, and never half.

Nothing is forced to the disk: what a power cut takes, the next run of ``gradlab grade`` writes again.
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
_MAX_NAME_BYTES = 1000  # of a path below the folder: the system allows 4096 for the whole
_IGNORED = (".ipynb_checkpoints", "__pycache__", "feedback")  # as nbgrader does


def supporting_files(folder: Path) -> dict[str, Path]:
    """The files beside a notebook, by their path in `folder`: what formgrader may show next to it.

    Links are left out, for they may point at anything; so are huge files, and what cannot be read or named.
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
    """The bytes of a regular file that may be read; without bound for anything else."""
    try:
        status = path.lstat()
    except OSError:  # longer than a path may be
        return math.inf
    return status.st_size if stat.S_ISREG(status.st_mode) and os.access(path, os.R_OK) else math.inf


def laid_over(under: Mapping[str, Path], over: Mapping[str, Path]) -> dict[str, Path]:
    """The files of both folders by path. Of two that cannot lie side by side (`a`, `a/b`) the one of `over` stays."""
    taken = {str(parent) for name in over for parent in Path(name).parents} | set(over)
    free = {
        name: path
        for name, path in under.items()
        if name not in taken and not any(str(parent) in over for parent in Path(name).parents)
    }
    return {**free, **over}


def fill_folder(folder: Path, files: Mapping[str, str | Path], *, mode: int) -> None:
    """Make `folder` hold exactly `files` (text, or the file to copy): each replaced as a whole, the last one last."""
    kept = {folder / name for name in files}
    on_the_way = {parent for path in kept for parent in path.parents}
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink() and path not in on_the_way:
            path.rmdir()  # what it held went before it
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
