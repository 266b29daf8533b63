"""Pictures that tests draw: small files of the right form."""

import base64
import struct
import zlib

__all__ = ["GIF", "JPEG", "encoded", "png"]


def png(colour: tuple[int, int, int] = (0, 0, 0), width: int = 40, height: int = 20) -> bytes:
    """A picture of one colour."""
    rows = (b"\0" + bytes(colour) * width) * height
    return png_that_says(width, height, zlib.compress(rows))


def png_that_says(width: int, height: int, pixels: bytes = b"") -> bytes:
    """A picture that says that it has so many pixels."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffc0000b080002000301011100ffd9")
GIF = base64.b64decode("R0lGODlhAQABAIAAAP8AAP///ywAAAAAAQABAAACAkQBADs=")


def encoded(picture: bytes) -> str:
    """As a notebook holds it."""
    return base64.b64encode(picture).decode()
