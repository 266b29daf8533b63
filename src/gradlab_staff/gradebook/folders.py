"""Folders of results, written atomically file by file: after a crash each file is old or new, never incomplete.

Files are not synced to disk: the next run of ``gradlab grade`` writes again what a power cut loses.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from gradlab_staff.intake.files import read_file

__all__ = ["MAX_SMALL_BYTES", "SECRET", "STAMP", "exchange_files", "fill_folder", "laid_over"]

STAMP = "timestamp.txt"
SECRET = "submission_secret.txt"
"""By these two, nbgrader's exchange knows when a submission came, and to whom its feedback goes."""
MAX_SMALL_BYTES = 1000
"""Of each of the two."""


def exchange_files(handed_in: Mapping[str, Path], feedback: Path) -> dict[str, str | Path]:
    """Return the two files without which nbgrader's exchange releases no feedback, and ends at the first student.

    Where a submission was laid by hand, its time stays open, and the secret is one that nobody knows.
    """
    secret: str | Path | None = handed_in.get(SECRET)
    if secret is None:
        try:
            secret = read_file(feedback / SECRET, MAX_SMALL_BYTES).decode()
        except (OSError, ValueError):
            secret = secrets.token_hex(64)
    return {STAMP: handed_in.get(STAMP, ""), SECRET: secret}


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
