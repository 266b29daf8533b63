"""Pictures of an assignment: files beside the notebook, pasted ones, and those that its text shows."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from gradlab_staff.course import Assignment, Cell
from gradlab_staff.course.attachments import content
from gradlab_staff.course.handouts import entries, is_handed_out, is_picture
from gradlab_staff.course.template import released_text
from gradlab_staff.intake.pictures import MIME_TYPES, begins_as_picture
from gradlab_staff.text import one_line

__all__ = ["bad_attachments", "bad_files", "lost_files", "lost_pictures"]

_ATTACHMENT = re.compile(r"""(?:[(<"']|\]:)\s*attachment:([^)>"'\n]+?)(?=[)>"'\n]|\s+["'(]|$)""", re.IGNORECASE)
_CODE = re.compile(r"^[ \t]*(```|~~~).*?^[ \t]*\1|(`+)(?!`).*?(?<!`)\2(?!`)", re.DOTALL | re.MULTILINE)
_SHOWN = re.compile(
    r"""!\[[^\]\n]*\]\(\s*(?:<([^>\n]+)>|([^\s)]+))|<img\b[^>]*?\ssrc\s*=\s*(?:"([^"]+)"|'([^']+)'|([^\s"'>]+))""", re.I
)
_REFERENCE = re.compile(r"^[ ]{0,3}\[([^\]\n]+)\]:\s*<?(\S+?)>?(?:\s|$)", re.MULTILINE)
_SHOWN_REFERENCE = re.compile(r"!\[([^\]\n]*)\](?:\[([^\]\n]*)\])?(?!\()")
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*:|//|#", re.IGNORECASE)
_SVG = "image/svg+xml"


# --- files


def bad_files(assignment: Assignment) -> Iterator[str]:
    """Yield the entries of the source folder that are no files of its own, or are named like pictures and are none."""
    folder = assignment.notebook.parent
    for path in entries(folder):
        name, mode = one_line(path.relative_to(folder)), path.lstat().st_mode
        if stat.S_ISLNK(mode):
            yield f"{name}: expected a file, got a link to {one_line(path.readlink())}. Put the file itself there."
        elif not stat.S_ISREG(mode):
            yield f"{name}: expected a file, got a pipe, socket or device. Move it away."
        elif path.parent == folder and path.suffix == ".ipynb" and path != assignment.notebook:
            yield f"{name}: expected one notebook, {assignment.notebook.name}, got this one too. Move it away."
        elif is_picture(path) and (fault := _fault(path.suffix.lower() == ".svg", path.read_bytes())):
            yield f"{name}: {fault} Save it as one, or move it away."


def _fault(is_svg: bool, image: bytes) -> str:
    """Return what is wrong with a picture; empty if nothing."""
    if is_svg:
        return "" if b"<svg" in image else "expected a picture in SVG, got something else."
    return "" if begins_as_picture(image) else "expected a PNG, JPEG or GIF, got something else."


# --- pasted


def bad_attachments(cell: Cell) -> Iterator[str]:
    """Yield the attachments of a cell that are no pictures: they would be handed out unread."""
    for name, forms in sorted(cell.attachments.items()):
        for kind, encoded in forms.items():
            fault = f"expected a picture (PNG, JPEG, GIF or SVG), got {one_line(kind, 60)}."
            if kind in (*MIME_TYPES, _SVG):
                image = content(encoded)
                fault = "expected base64, got other text." if image is None else _fault(kind == _SVG, image)
            if fault:
                yield f"attachment {one_line(name, 60)}: {fault} Paste the picture again, into a new cell."


def lost_pictures(cell: Cell) -> Iterator[str]:
    """Yield the pictures that prose shows and that are not pasted into its cell: formgrader fails on such a page."""
    shown = set(_ATTACHMENT.findall(unquote(cell.source))) if cell.cell_type == "markdown" else set()
    for name in sorted(shown - {unquote(name) for name in cell.attachments}):
        yield f"expected the picture {name} to be pasted into the cell, got a link to it alone. Paste it again."


# --- shown from a file


def lost_files(assignment: Assignment, cell: Cell) -> Iterator[str]:
    """Yield the pictures that a cell's released text shows by a path, and that the release does not have there."""
    if cell.cell_type != "markdown":
        return
    for address in dict.fromkeys(_shown(_CODE.sub("", released_text(assignment, cell)))):
        path = unquote(re.split("[?#]", address)[0])
        if not _ADDRESS.match(address) and not _is_there(assignment.notebook.parent, path):
            told = one_line(path, 80)
            yield f"expected the picture {told} in source/{assignment.name}/, got none. Put it there, or paste it."


def _shown(text: str) -> Iterator[str]:
    """Yield the addresses of the pictures that a text shows."""
    for found in _SHOWN.finditer(text):
        yield next(filter(None, found.groups()))
    named = {name.casefold(): address for name, address in _REFERENCE.findall(text)}
    for label, name in _SHOWN_REFERENCE.findall(text):
        if address := named.get((name or label).casefold()):
            yield address


def _is_there(folder: Path, name: str) -> bool:
    path = PurePosixPath(name)
    inside = not path.is_absolute() and ".." not in path.parts
    return inside and is_handed_out(path) and (folder / path).is_file()
