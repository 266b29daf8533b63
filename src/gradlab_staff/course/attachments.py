"""Attachments: pictures pasted into a cell, which its text shows by their names."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import unquote

__all__ = ["content", "is_shown"]


def is_shown(name: str, source: str) -> bool:
    """Return whether a cell's text shows the attachment, whose name may be quoted as in an address.

    >>> is_shown("a b.png", "![the net](attachment:a%20b.png)")
    True
    """
    return f"attachment:{unquote(name)}" in unquote(source)


def content(encoded: object) -> bytes | None:
    """Return what is encoded in base64, in one text or a list of lines; None where it is not.

    >>> content("aGVs\\nbG8="), content("not base64!!")
    (b'hello', None)
    """
    text = encoded if isinstance(encoded, str) else "".join(map(str, encoded)) if isinstance(encoded, list) else "?"
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
