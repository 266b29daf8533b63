"""What a student's cells showed, bounded and made safe: it is opened in the browser of a TA, and of the student."""

from __future__ import annotations

import base64
from typing import Any

from gradlab_staff.intake.pictures import MIME_TYPES, decoded, mime_type
from gradlab_staff.text import clean

__all__ = ["safe_outputs", "stream"]

_MAX_OUTPUTS = 100
_MAX_IMAGE_BYTES = 1 << 20


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
    hidden = [str(mime)[:60] for mime in data if mime not in ("text/plain", *MIME_TYPES)]
    for mime in MIME_TYPES:
        if mime in data:
            image = _image(mime, _text(data[mime]))
            kept.update({mime: image} if image else {})
            hidden += [] if image else [mime]
    note = f"[{', '.join(hidden[:5])}: not shown]" if hidden and not any(mime in kept for mime in MIME_TYPES) else ""
    if "image/gif" in kept:  # nbconvert, and so formgrader, knows no other way to show one
        kept["text/markdown"] = f"![](data:image/gif;base64,{kept['image/gif']})"
    kept["text/plain"] = clean("\n".join(filter(None, [_text(data.get("text/plain")), note])))
    return {"output_type": "display_data", "metadata": {}, "data": kept}


def _image(mime: str, encoded: str) -> str:
    """Return the image, encoded anew; empty where it is too large, or not what it says."""
    image = decoded(encoded, _MAX_IMAGE_BYTES)
    return base64.b64encode(image).decode() if image and mime_type(image) == mime else ""


def _text(raw: object) -> str:
    if isinstance(raw, list):
        return "".join(line for line in raw if isinstance(line, str))
    return raw if isinstance(raw, str) else ""
