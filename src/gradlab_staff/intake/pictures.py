"""Pictures of a student's, measured before a browser opens them: PNG, JPEG and GIF, bounded in bytes and in pixels."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

__all__ = ["MAX_PICTURE_BYTES", "MIME_TYPES", "Album", "begins_as_picture", "decoded", "mime_type"]

MAX_PICTURE_BYTES = 8 << 20
"""Of one picture in a text: a photo of handwritten lines has some 4 MiB."""

_MAX_PIXELS = 25_000_000  # a picture of a few kilobytes can unpack to gigabytes in a browser
_MAX_SEGMENTS = 1000  # of a JPEG, before its size is known
_STARTS = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}
MIME_TYPES = tuple(dict.fromkeys(_STARTS.values()))
"""The types that are shown."""


@dataclass
class Album:
    """The pictures in the text of one notebook, as far as there is room for them."""

    left: int = 100
    left_bytes: int = 16 << 20
    left_pixels: int = 200_000_000
    left_links: int = 2000

    def looks_for(self, links: int) -> bool:
        """Return whether there are links to pictures, and not so many that the search takes long."""
        self.left_links -= links
        return links > 0 and self.left_links >= 0

    def add(self, image: bytes | None) -> dict[str, str]:
        """Return a picture as an attachment has it, base64 by type; nothing where it is none, or there is no room.

        Its type is what it is, not what its name says.
        """
        mime = mime_type(image) if image else ""
        if not image or not mime or self.left < 1:
            return {}
        pixels = _pixels(mime, image)
        if len(image) > self.left_bytes or pixels > self.left_pixels:
            return {}
        self.left -= 1
        self.left_bytes -= len(image)
        self.left_pixels -= pixels
        return {mime: base64.b64encode(image).decode()}


def decoded(encoded: str, limit: int = MAX_PICTURE_BYTES) -> bytes | None:
    """Return what is encoded in base64; None where that is nothing, or more than `limit` bytes."""
    if len(encoded) > 4 * limit // 3 + limit // 32 + 4096:  # with line ends
        return None
    try:
        found = base64.b64decode(encoded)
    except (binascii.Error, ValueError):
        return None
    return found if len(found) <= limit else None


def mime_type(image: bytes) -> str:
    """Return the type of a picture of a size that a browser can show, by its first bytes; empty for anything else."""
    mime = next((mime for start, mime in _STARTS.items() if image.startswith(start)), "")
    return mime if mime and 0 < _pixels(mime, image) <= _MAX_PIXELS else ""


def begins_as_picture(image: bytes) -> bool:
    """Return whether a file begins as a picture does, though it may be no whole one."""
    return image.startswith(tuple(_STARTS))


def _pixels(mime: str, image: bytes) -> int:
    """Return how many pixels a picture says that it has; 0 where it does not say."""
    if mime == "image/png":
        return int.from_bytes(image[16:20]) * int.from_bytes(image[20:24]) if image[12:16] == b"IHDR" else 0
    if mime == "image/gif":
        return int.from_bytes(image[6:8], "little") * int.from_bytes(image[8:10], "little")
    at = 2
    for _ in range(_MAX_SEGMENTS):
        if image[at : at + 1] != b"\xff" or at + 9 > len(image):
            break
        marker, length = image[at + 1], int.from_bytes(image[at + 2 : at + 4])
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # start of frame: height, width
            return int.from_bytes(image[at + 5 : at + 7]) * int.from_bytes(image[at + 7 : at + 9])
        at += 2 + length
    return 0
