"""What a student's cells showed, bounded and made safe: it is opened in the browser of a TA, and of the student."""

from __future__ import annotations

import base64
import binascii
import html
import re
from typing import Any

from gradlab_staff.text import CONTROL, clean

__all__ = ["safe_outputs", "safe_prose", "stream"]

_MAX_OUTPUTS = 100
_MAX_IMAGE_BYTES = 1 << 20
_MAX_PIXELS = 25_000_000  # a picture of a few kilobytes can unpack to gigabytes in a browser
_IMAGES = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff"}

_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_GAP = r"[\s\\]*"  # what a browser or markdown drops from the middle of a link
_SCRIPT_LINK = re.compile(f"({_GAP.join('javascript')}|{_GAP.join('vbscript')})(?={_GAP}:)", re.IGNORECASE)

# with these MathJax writes attributes and links
_TEX_LINK = re.compile(r"\\(?=href|class|style|cssId|require|mmlToken)")


def safe_prose(source: str) -> str:
    """Return a student's markdown so that nothing in it is an HTML tag or a script link, and it reads as it did.

    formgrader puts raw HTML of a markdown cell into its page, where it could act with the rights of the TA.

    >>> safe_prose("a <b> c")
    'a < b> c'
    """
    text = plain = CONTROL.sub("", source)
    for _ in range(3):  # as often as anything between here and the page could
        plain = html.unescape(plain)
    if _SCRIPT_LINK.search(plain):  # its letters or its colon may be entities: then none is left
        text = CONTROL.sub("", plain).replace("&", "\N{FULLWIDTH AMPERSAND}")
    return _SCRIPT_LINK.sub(r"\1 ", _TEX_LINK.sub(r"\\ ", _TAG.sub("< ", text)))


def safe_outputs(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the outputs as text and images alone: what could act in a browser is not shown, but named."""
    kept = [_safe(output) for output in outputs[:_MAX_OUTPUTS]]
    if len(outputs) > _MAX_OUTPUTS:
        kept.append(stream(f"... {len(outputs) - _MAX_OUTPUTS} more outputs not shown ...\n"))
    return kept


def stream(text: str, name: str = "stdout") -> dict[str, Any]:
    """Return text as an output that a cell printed."""
    return {"output_type": "stream", "name": name, "text": text}


def _safe(output: dict[str, Any]) -> dict[str, Any]:
    kind = output.get("output_type")
    if kind == "stream":
        return stream(clean(_text(output.get("text"))), "stderr" if output.get("name") == "stderr" else "stdout")
    if kind == "error":
        traceback = output.get("traceback")
        lines = traceback if isinstance(traceback, list) else []
        return {
            "output_type": "error",
            "ename": clean(output.get("ename", ""), 200),
            "evalue": clean(output.get("evalue", ""), 2000),
            "traceback": clean("\n".join(line for line in lines if isinstance(line, str))).split("\n"),
        }
    return _safe_display(output.get("data"))


def _safe_display(data: object) -> dict[str, Any]:
    """Return a figure, table or value: its image where that is one and small, and its text."""
    data = data if isinstance(data, dict) else {}
    kept: dict[str, Any] = {}
    hidden = [str(mime)[:60] for mime in data if mime not in ("text/plain", *_IMAGES)]
    for mime in _IMAGES:
        if mime in data:
            image = _image(mime, _text(data[mime]))
            kept.update({mime: image} if image else {})
            hidden += [] if image else [mime]
    note = f"[{', '.join(hidden[:5])}: not shown]" if hidden and not any(mime in kept for mime in _IMAGES) else ""
    kept["text/plain"] = clean("\n".join(filter(None, [_text(data.get("text/plain")), note])))
    return {"output_type": "display_data", "metadata": {}, "data": kept}


def _image(mime: str, encoded: str) -> str:
    """Return the image, encoded anew; empty where it is too large, or not what it says."""
    if len(encoded) > 4 * _MAX_IMAGE_BYTES // 3 + 4096:
        return ""
    try:
        image = base64.b64decode(encoded)
    except (binascii.Error, ValueError):
        return ""
    fits = image.startswith(_IMAGES[mime]) and 0 < _pixels(mime, image) <= _MAX_PIXELS
    return base64.b64encode(image).decode() if fits else ""


def _pixels(mime: str, image: bytes) -> int:
    """Return how many pixels an image says that it has; 0 where it does not say."""
    if mime == "image/png":
        return int.from_bytes(image[16:20]) * int.from_bytes(image[20:24]) if image[12:16] == b"IHDR" else 0
    at = 2
    while image[at : at + 1] == b"\xff" and at + 9 <= len(image):
        marker, length = image[at + 1], int.from_bytes(image[at + 2 : at + 4])
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # start of frame: height, width
            return int.from_bytes(image[at + 5 : at + 7]) * int.from_bytes(image[at + 7 : at + 9])
        at += 2 + length
    return 0


def _text(raw: object) -> str:
    if isinstance(raw, list):
        return "".join(line for line in raw if isinstance(line, str))
    return raw if isinstance(raw, str) else ""
