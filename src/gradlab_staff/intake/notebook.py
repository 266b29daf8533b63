"""An untrusted notebook, read whatever it holds: cells and what they showed, or a warning."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Any

from gradlab_staff.course import Cell
from gradlab_staff.course.magics import MAX_SOURCE_CHARS
from gradlab_staff.intake.files import MAX_NOTEBOOK_BYTES, read_file
from gradlab_staff.intake.outputs import safe_outputs
from gradlab_staff.intake.pictures import Album, decoded
from gradlab_staff.text import one_line

__all__ = ["Notebook", "open_notebook"]

_MAX_CELLS = 10_000
_MAX_CODE_CHARS = 256 << 10  # of one submission: each cell is compiled several times
_MAX_VALUES = 20_000_000  # of a notebook: what Python makes of "[],[],[]" is 24 times as large
_VERSION = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){1,2}")
_MAX_TYPES = 5  # in which one picture was pasted
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Notebook:
    """The cells of a submission's notebook, with outputs made safe; where it is not readable, a warning says why."""

    cells: tuple[Cell, ...] = ()
    warnings: tuple[str, ...] = ()
    readable: bool = True
    python: str = ""
    """The version of Python that it was written with, where it says."""


def open_notebook(path: Path) -> Notebook:
    """Return what an untrusted notebook file holds; where it cannot be read, a warning that says why.

    Never raises for what the file holds. Sources are text without lone surrogates; of the metadata, only nbgrader's id
    is kept; outputs are text and small images; attachments are pictures. nbformat 2 to 4; UTF-8, UTF-16 and UTF-32,
    with or without a byte-order mark.
    """
    try:
        content, warnings = _parsed(read_file(path, MAX_NOTEBOOK_BYTES))
        cells = list(_cells(content))
    except (RecursionError, MemoryError):
        return _unreadable("it is nested too deeply, or needs too much memory")
    except (OSError, ValueError) as error:
        return _unreadable(_reason(error))
    if crowded := _crowded(cells):
        limit = f"{_MAX_CODE_CHARS >> 10} KiB of code"
        warnings.append(
            f"cell {min(crowded) + 1}: expected at most {limit} in all, got more. Ran no code from there on."
        )
        cells = [
            replace(cell, cell_type="raw") if cell and index in crowded else cell for index, cell in enumerate(cells)
        ]
    if len(cells) > _MAX_CELLS:
        warnings.append(f"expected at most {_MAX_CELLS} cells, got {len(cells)}. Skipped the rest.")
    if odd := sum(cell is None for cell in cells[:_MAX_CELLS]):
        warnings.append(f"expected cells with a type and a source, got {odd} without. Skipped them.")
    kept = tuple(cell or Cell("raw", "") for cell in cells[:_MAX_CELLS])
    return Notebook(kept, tuple(warnings), python=_python_of(content))


def _python_of(content: Any) -> str:
    """Return the version of Python in a notebook's metadata."""
    for key in ("metadata", "language_info", "version"):
        content = content.get(key) if isinstance(content, dict) else None
    return content if isinstance(content, str) and _VERSION.fullmatch(content) else ""


def _crowded(cells: list[Cell | None]) -> set[int]:
    """Return the code cells there is no room for; one that is too long by itself is skipped later, and takes none."""
    sizes = {
        index: len(cell.source)
        for index, cell in enumerate(cells)
        if cell and cell.cell_type == "code" and len(cell.source) <= MAX_SOURCE_CHARS
    }
    totals = zip(sizes, accumulate(sizes.values()), strict=True)
    return {index for index, total in totals if total > _MAX_CODE_CHARS}


def _unreadable(reason: str) -> Notebook:
    return Notebook((), (f"expected a notebook, got a file that cannot be read: {one_line(reason)}.",), False)


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"invalid JSON at line {error.lineno}, {error.msg}"
    return (error.strerror or "input/output error") if isinstance(error, OSError) else str(error)


def _parsed(content: bytes) -> tuple[Any, list[str]]:
    if not content.strip():
        raise ValueError("it is empty")
    if sum(content.count(mark) for mark in (b"[", b"{", b",")) > _MAX_VALUES:
        raise ValueError(f"it holds more than {_MAX_VALUES} values")
    try:
        return json.loads(content), []
    except UnicodeDecodeError:
        text = content.decode("utf-8", "replace")
        return json.loads(text), ["expected UTF-8, got another encoding. Replaced what could not be read."]


def _cells(content: Any) -> Iterator[Cell | None]:
    """Return the cells of a parsed notebook, in order; None in the place of one that is not a cell."""
    if not isinstance(content, dict):
        raise ValueError(f"it holds a {type(content).__name__}, not a notebook")
    found: Any = content.get("cells")
    if found is None and isinstance(content.get("worksheets"), list):  # nbformat 2 and 3
        sheets = [sheet for sheet in content["worksheets"] if isinstance(sheet, dict)]
        found = [cell for sheet in sheets if isinstance(sheet.get("cells"), list) for cell in sheet["cells"]]
    if not isinstance(found, list):
        raise ValueError("it has no list of cells")
    album = Album()
    return (_cell(cell, album) for cell in found)


def _cell(raw: Any, album: Album) -> Cell | None:
    if not isinstance(raw, dict) or not isinstance(raw.get("cell_type"), str):
        return None
    source = _source(raw.get("source", raw.get("input")))
    metadata = raw.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    id = nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None
    kept = {"nbgrader": {"grade_id": id}} if isinstance(id, str) else {}
    if source is None:
        return None
    outputs = tuple(safe_outputs(_dicts(raw.get("outputs"))))
    return Cell(raw["cell_type"], source, kept, outputs, dict(_attachments(raw.get("attachments"), album)))


def _attachments(raw: Any, album: Album) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the pictures that were pasted into a cell, by name, as far as they are pictures and there is room."""
    for name, by_type in (raw if isinstance(raw, dict) else {}).items():
        for encoded in list(by_type.values())[:_MAX_TYPES] if isinstance(by_type, dict) else ():
            text = "".join(_texts(encoded)) if isinstance(encoded, list) else encoded
            if isinstance(text, str) and (picture := album.add(decoded(text))):
                yield name, picture
                break


def _dicts(outputs: object) -> list[dict[str, Any]]:
    return [output for output in outputs if isinstance(output, dict)] if isinstance(outputs, list) else []


def _source(raw: Any) -> str | None:
    if isinstance(raw, list):
        raw = "".join(_texts(raw))
    if not isinstance(raw, str):
        return None
    if _SURROGATE.search(raw):  # "\ud83d\ude00" as two escapes is one character; a lone half is none
        raw = raw.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    text: str = raw
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _texts(lines: Iterable[Any]) -> Iterator[str]:
    return (line for line in lines if isinstance(line, str))
