"""What is handed out beside a notebook: its public checks and pictures. What else lies there is the instructor's."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePath

from gradlab.check import CHECKS_FILE

__all__ = ["LITTER", "PICTURES", "entries", "is_handed_out", "is_picture"]

PICTURES = (".gif", ".jpeg", ".jpg", ".png", ".svg")
"""The suffixes of pictures."""

LITTER = (
    *(".*", "*~", "~$*", "#*#", "*.sw[op]", "[Tt]humbs.db", "[Dd]esktop.ini", "Icon\r"),
    *("__pycache__", "*.pyc", "__MACOSX"),
)
"""Files that editors and systems leave beside a notebook, among them all hidden ones."""


def is_picture(path: PurePath) -> bool:
    """Return whether a file is named like a picture, whatever the case.

    >>> is_picture(PurePath("img/photo.JPG"))
    True
    """
    return path.suffix.lower() in PICTURES


def is_handed_out(path: PurePath) -> bool:
    """Return whether a file of ``source/<assignment>/``, by its path in there, is part of the release.

    A backup of the notebook, a rubric or an old solution is not: students must not find it beside their code.

    >>> [is_handed_out(PurePath(name)) for name in ("public_checks.py", "a/net.png", "dropout.ipynb~", ".net.png")]
    [True, True, False, False]
    """
    hidden = any(part.startswith(".") for part in path.parts)
    return not hidden and (path == PurePath(CHECKS_FILE) or is_picture(path))


def entries(folder: Path) -> Iterator[Path]:
    """Yield what lies in a folder and in the folders in it, but for these and for litter; no link is followed."""
    for path in sorted(folder.iterdir()):
        if any(fnmatchcase(path.name, pattern) for pattern in LITTER):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from entries(path)
        else:
            yield path
