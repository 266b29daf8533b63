"""A submission as it was received: its notebook found in a folder, and read, whatever it holds."""

from __future__ import annotations

import json
import os
import re
import stat
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Any

from gradlab_staff.course import Assignment, Cell
from gradlab_staff.course.magics import MAX_SOURCE_CHARS

__all__ = ["MAX_NOTEBOOK_BYTES", "Received", "find_notebook", "is_linked", "printable", "read_file", "read_submission"]

MAX_NOTEBOOK_BYTES = 512 << 20
"""The largest notebook that is read: twice what the largest real ones hold."""

_MAX_CELLS = 10_000
_MAX_CODE_CHARS = 256 << 10  # of one submission: each cell is compiled several times
_MAX_FILES = 1_000
_MAX_CANDIDATES = 20
_MAX_VALUES = 20_000_000  # of a notebook: what Python makes of "[],[],[]" is 24 times as large
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Received:
    """The cells of a submission's notebook: none where it is not readable, and then the remark says why."""

    cells: tuple[Cell, ...]
    remarks: tuple[str, ...] = ()
    readable: bool = True


def printable(text: object, limit: int = 120) -> str:
    """`text` on one line, without control characters or lone surrogates, cut to `limit` characters."""
    cut = str(text)[: 4 * limit]
    line = "".join(char if unicodedata.category(char)[0] != "C" else " " for char in cut)
    line = " ".join(line.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def find_notebook(folder: Path, assignment: Assignment) -> tuple[Path | None, list[str]]:
    """The submission's notebook in `folder`, or None; and remarks where it is not simply the expected file.

    The expected name wins; else the notebook with most of the assignment's cells. Links are not followed.
    """
    if is_linked(folder):
        return None, [f"expected a folder with {assignment.name}.ipynb, got a symbolic link. Copy the folder itself."]
    if not folder.is_dir():
        return None, [f"expected a folder with {assignment.name}.ipynb, got none."]
    found, remarks = _notebooks(folder)
    if not found:
        return None, [*remarks, f"expected {assignment.name}.ipynb, got no notebook in the folder."]
    expected = folder / f"{assignment.name}.ipynb"
    chosen = expected if expected in found else _best(found, assignment)
    if chosen != expected:
        where = printable(chosen.relative_to(folder))
        remarks.append(f"expected {expected.name}, got {where}. Graded it.")
    if others := [printable(path.relative_to(folder)) for path in found if path != chosen]:
        names = printable(", ".join(others), 300)
        remarks.append(f"expected one notebook, got {len(found)}. Not graded: {names}.")
    return chosen, remarks


def is_linked(folder: Path) -> bool:
    """Whether a submission's folder, or the student's around it, is a link: to another student's, or to the source."""
    return folder.is_symlink() or folder.parent.is_symlink()


def read_submission(path: Path) -> Received:
    """The cells of an untrusted notebook file; where it cannot be read, a remark that says why.

    Never raises for what the file holds. Sources are text without lone surrogates; of the metadata, only
    nbgrader's id is kept. nbformat 2 to 4; UTF-8, UTF-16 and UTF-32, with or without a byte-order mark.
    """
    try:
        content, remarks = _parsed(read_file(path))
        cells = list(_cells(content))
    except (RecursionError, MemoryError):
        return _unreadable("it is nested too deeply, or needs too much memory")
    except (OSError, ValueError) as error:
        return _unreadable(_reason(error))
    if crowded := _crowded(cells):
        limit = f"{_MAX_CODE_CHARS >> 10} KiB of code"
        remarks.append(
            f"cell {min(crowded) + 1}: expected at most {limit} in all, got more. Ran no code from there on."
        )
        cells = [
            replace(cell, cell_type="raw") if cell and index in crowded else cell for index, cell in enumerate(cells)
        ]
    if len(cells) > _MAX_CELLS:
        remarks.append(f"expected at most {_MAX_CELLS} cells, got {len(cells)}. Left out the rest.")
    if odd := sum(cell is None for cell in cells[:_MAX_CELLS]):
        remarks.append(f"expected cells with a type and a source, got {odd} without. Left them out.")
    return Received(tuple(cell or Cell("raw", "", {}) for cell in cells[:_MAX_CELLS]), tuple(remarks))


def _crowded(cells: list[Cell | None]) -> set[int]:
    """Which code cells there is no room for; one that is too long by itself is left out later, and takes no room."""
    sizes = {
        index: len(cell.source)
        for index, cell in enumerate(cells)
        if cell and cell.cell_type == "code" and len(cell.source) <= MAX_SOURCE_CHARS
    }
    totals = zip(sizes, accumulate(sizes.values()), strict=True)
    return {index for index, total in totals if total > _MAX_CODE_CHARS}


def _unreadable(reason: str) -> Received:
    return Received((), (f"expected a notebook, got a file that cannot be read: {printable(reason)}.",), False)


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"invalid JSON at line {error.lineno}, {error.msg}"
    return (error.strerror or "input/output error") if isinstance(error, OSError) else str(error)


def _notebooks(folder: Path) -> tuple[list[Path], list[str]]:
    """The notebooks at the top of `folder`, or where none are, below it; and remarks on refused ones."""
    found: list[Path] = []
    remarks: list[str] = []
    for path in _files(folder):
        if path.parent != folder and any(other.parent == folder for other in found):
            break
        try:
            mode = path.lstat().st_mode
        except OSError as error:  # a path that is longer than the system allows, or a folder that is closed
            remarks.append(f"{printable(path.name)}: expected a notebook, got {_reason(error)}. Did not open it.")
            continue
        if stat.S_ISREG(mode):
            found.append(path)
        else:
            kind = "a symbolic link" if stat.S_ISLNK(mode) else "something else"
            name = printable(path.relative_to(folder))
            remarks.append(f"{name}: expected a file, got {kind}. Did not open it.")
    return found, remarks


def _files(folder: Path) -> Iterator[Path]:
    """What is named like a notebook, top folder first; hidden files and checkpoints are nobody's work."""
    seen = 0
    for root, folders, files in os.walk(folder, followlinks=False):
        linked = [name for name in folders if name.lower().endswith(".ipynb")]
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in linked)
        for name in sorted([*files, *linked]):
            seen += 1
            if seen > _MAX_FILES:
                return
            if name.lower().endswith(".ipynb") and not name.startswith("."):
                yield Path(root, name)


def _best(found: list[Path], assignment: Assignment) -> Path:
    """The notebook with most of the assignment's cells; the first by name among equals."""
    if len(found) == 1:
        return found[0]
    ids = {cell.id for cell in assignment.cells if cell.id}

    def score(path: Path) -> tuple[int, int]:
        cells = read_submission(path).cells
        return len({cell.id for cell in cells} & ids), len(cells)

    return max(found[:_MAX_CANDIDATES], key=score)


def read_file(path: Path, limit: int = MAX_NOTEBOOK_BYTES) -> bytes:
    """What an untrusted file holds: a regular one of at most `limit` bytes, and neither a link nor a pipe.

    Raises
    ------
    OSError, ValueError
        Where it is anything else.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is not a regular file")
        if status.st_size > limit:
            raise ValueError(f"it has {status.st_size >> 20} MiB, and {limit >> 20} MiB are read at most")
        return file.read(limit)


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
    """The cells of a parsed notebook, in order; None in the place of one that is not a cell."""
    if not isinstance(content, dict):
        raise ValueError(f"it holds a {type(content).__name__}, not a notebook")
    found: Any = content.get("cells")
    if found is None and isinstance(content.get("worksheets"), list):  # nbformat 2 and 3
        sheets = [sheet for sheet in content["worksheets"] if isinstance(sheet, dict)]
        found = [cell for sheet in sheets if isinstance(sheet.get("cells"), list) for cell in sheet["cells"]]
    if not isinstance(found, list):
        raise ValueError("it has no list of cells")
    return (_cell(cell) for cell in found)


def _cell(raw: Any) -> Cell | None:
    if not isinstance(raw, dict) or not isinstance(raw.get("cell_type"), str):
        return None
    source = _source(raw.get("source", raw.get("input")))
    metadata = raw.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    id = nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None
    kept = {"nbgrader": {"grade_id": id}} if isinstance(id, str) else {}
    return None if source is None else Cell(raw["cell_type"], source, kept)


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
