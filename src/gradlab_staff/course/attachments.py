"""Attachments: pictures pasted into a cell, which its text shows by their names."""

from __future__ import annotations

from urllib.parse import unquote

__all__ = ["is_shown"]


def is_shown(name: str, source: str) -> bool:
    """Return whether a cell's text shows the attachment, whose name may be quoted as in an address.

    >>> is_shown("a b.png", "![the net](attachment:a%20b.png)")
    True
    """
    return f"attachment:{unquote(name)}" in unquote(source)
