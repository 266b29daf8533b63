"""What is handed out beside a notebook: its public checks and pictures. What else lies there is the instructor's."""

from __future__ import annotations

from pathlib import PurePath

from gradlab.check import CHECKS_FILE

__all__ = ["is_handed_out", "is_picture"]

_PICTURES = frozenset((".png", ".jpg", ".jpeg", ".svg", ".gif"))


def is_picture(path: PurePath) -> bool:
    """Return whether a file is named like a picture, whatever the case.

    >>> is_picture(PurePath("img/photo.JPG"))
    True
    """
    return path.suffix.lower() in _PICTURES


def is_handed_out(path: PurePath) -> bool:
    """Return whether a file of ``source/<assignment>/``, by its path in there, is part of the release.

    A backup of the notebook, a rubric or an old solution is not: students must not find it beside their code.

    >>> [is_handed_out(PurePath(name)) for name in ("public_checks.py", "a/net.png", "dropout.ipynb~", ".net.png")]
    [True, True, False, False]
    """
    hidden = any(part.startswith(".") for part in path.parts)
    return not hidden and (path == PurePath(CHECKS_FILE) or is_picture(path))
