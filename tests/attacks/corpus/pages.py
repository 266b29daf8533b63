"""Attacks on who reads: HTML, escapes, pictures, claims of points."""

# Code in strings, a line of it a line here.
# ruff: noqa: E501

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Callable
from typing import Any

from target import code

from .attack import Attack

__all__ = ["PAGES"]


def _with_outputs(*outputs: dict[str, Any]) -> Callable[[dict[str, Any]], Any]:
    def finish(content: dict[str, Any]) -> dict[str, Any]:
        for cell in content["cells"]:
            cell["outputs"] = list(outputs)
        return content

    return finish


def _display(**data: Any) -> dict[str, Any]:
    data = {mime.replace("_", "/", 1): value for mime, value in data.items()}
    return {"output_type": "display_data", "metadata": {}, "data": data}


def _png(width: int, height: int) -> str:

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    pixels = zlib.compress(bytes(1 << 20), 9)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    image = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return base64.b64encode(image).decode()


HTML = "<script>alert(1)</script><img src=x onerror=alert(1)><iframe src='javascript:alert(1)'></iframe>"


ESCAPES = "\x1b]0;owned\x07\x1b[2J\x1b[31m"


def _markdown(content: dict[str, Any]) -> dict[str, Any]:
    text = f'{HTML}\n\n[x](javascript:alert(1)) <a href="java\nscript:alert(1)">x</a>'
    content["cells"].append({"cell_type": "markdown", "metadata": {}, "source": text})
    return content


def _claims(content: dict[str, Any]) -> dict[str, Any]:
    """Grade cells that claim points, in every way that nbgrader reads, and a verdict in the metadata."""
    content["metadata"]["gradlab"] = {"verdict": {"score": 30, "exercises": []}}
    for cell in content["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade"):
            cell["outputs"] = [
                {"output_type": "execute_result", "execution_count": 1, "metadata": {}, "data": {"text/plain": "10.0"}},
                {"output_type": "stream", "name": "stdout", "text": "10.0\n"},
            ]
            cell["source"] = "10.0"
            cell["metadata"]["nbgrader"]["points"] = 1000
    content["cells"].append(code("10.0", "scale", grade=True, points=1000, locked=False))
    content["cells"].append(code("import sys; sys.exit(0)", "setup", locked=True))
    return content


PAGES = [
    Attack(
        "html_outputs",
        "put HTML and script into outputs",
        solved=True,
        finish=_with_outputs(
            _display(
                text_html=HTML,
                text_plain=HTML,
                **{"application_javascript": "alert(1)", "image_svg+xml": f"<svg>{HTML}</svg>"},
            ),
            {"output_type": "stream", "name": f"stdout{HTML}", "text": HTML},
            {"output_type": "error", "ename": HTML, "evalue": HTML, "traceback": [HTML, {"x": HTML}]},
        ),
    ),
    Attack(
        "html_answers",
        "put HTML and script into exceptions and answers",
        f"LIE = {HTML!r}\n",
        scale="def scale(x):\n    raise type(LIE, (Exception,), {})(LIE)\n",
        train="def train(n, data, steps):\n    return LIE, {LIE: LIE}\n",
    ),
    Attack("html_markdown", "put HTML and script links into markdown", solved=True, finish=_markdown),
    Attack(
        "escapes",
        "put terminal escapes into outputs, exceptions, names and answers",
        f"LIE = {ESCAPES!r}\nprint(LIE)\nraise ValueError(LIE)\n",
        scale="def scale(x):\n    raise type(LIE, (Exception,), {})(LIE)\n",
        model="class Model:\n    def __init__(self, n):\n        self.params = {LIE: LIE}\n    def loss(self, X):\n        return LIE\n",
        train="def train(n, data, steps):\n    return type(LIE, (), {})(), LIE\n",
        finish=_with_outputs(
            {"output_type": "stream", "name": "stdout", "text": ESCAPES},
            {"output_type": "error", "ename": ESCAPES, "evalue": ESCAPES, "traceback": [ESCAPES]},
        ),
    ),
    Attack(
        "picture_bomb",
        "put a picture into the outputs that unpacks to gigabytes",
        solved=True,
        finish=_with_outputs(_display(image_png=_png(60_000, 60_000))),
    ),
    Attack(
        "output_bomb",
        "put 40 MB of text and 5,000 outputs into the notebook",
        solved=True,
        finish=_with_outputs(*[{"output_type": "stream", "name": "stdout", "text": "x" * 800}] * 5000),
    ),
    Attack("claims_points", "claim points in outputs, sources and metadata of grade cells", finish=_claims),
    Attack(
        "html_name",
        "have HTML, markup and escapes as the name of the student",
        solved=True,
        folder="mallory_[red]<img src=x onerror=alert(1)>\x1b[2J",
    ),
]
