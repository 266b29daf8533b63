"""Notebooks that nobody would hand in, through intake: matched, planned, and written into ``autograded/``.

Each is one of an assignment's, released or solved, with random edits: cells dropped, doubled, moved, merged and split, ids
lost and swapped, and sources that are garbage or made to take long.
"""

# Its tables are as wide as they are.
# ruff: noqa: E501

from __future__ import annotations

import json
import random
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gradlab_staff.course import Assignment
from gradlab_staff.course.template import exercise_of
from gradlab_staff.gradebook.autograded import Released, ReleasedCell, autograded_notebook
from gradlab_staff.grading.verdict import Verdict
from gradlab_staff.intake.matching import Kind, Matched, match
from gradlab_staff.intake.notebook import open_notebook
from gradlab_staff.intake.plan import Plan, plan

__all__ = ["MAX_GROWN_MIB", "MAX_S", "Counts", "fuzz_plans", "holes_of_a_release"]

MAX_S = 30.0
"""CPU time that one notebook may take."""
MAX_GROWN_MIB = 1024
_TOKEN = "zqx{}xqz"


@dataclass
class Counts:
    """What came of the notebooks: how many there were, how many were read, the dearest, and the holes."""

    notebooks: int = 0
    readable: int = 0
    statements: int = 0
    tokens: int = 0
    slowest_s: float = 0.0
    holes: list[str] = field(default_factory=list)


def fuzz_plans(assignments: list[Assignment], seed: int, *, seconds: float, count: int = 1 << 60) -> Counts:
    """Read, match, plan and write random notebooks of each assignment, until the time is over or `count` are done."""
    counts, until = Counts(), time.monotonic() + seconds
    bases = [(assignment, cells) for assignment in assignments for cells in _bases(assignment)]
    released = {assignment.name: _released(assignment) for assignment in assignments}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "notebook.ipynb"
        while time.monotonic() < until and counts.notebooks < count:
            random_ = random.Random(f"{seed} {counts.notebooks}")
            assignment, cells = bases[counts.notebooks % len(bases)]
            path.write_text(json.dumps({"nbformat": 4, "metadata": {}, "cells": _edited(random_, cells)}))
            where = f"seed {seed}, notebook {counts.notebooks} of {assignment.name}"
            counts.notebooks += 1
            before_s, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            try:
                counts.holes += [f"{where}: {hole}" for hole in _one(assignment, path, released, counts)]
            except Exception as error:  # noqa: BLE001 (any is what this looks for)
                counts.holes.append(f"{where}: {type(error).__name__}: {error}"[:500])
            took_s = time.process_time() - before_s
            grown_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10
            counts.slowest_s = max(counts.slowest_s, took_s)
            if took_s > MAX_S or grown_mib > MAX_GROWN_MIB:
                counts.holes.append(f"{where}: took {took_s:.1f} s of CPU time, and {grown_mib} MiB")
    return counts


def _one(assignment: Assignment, path: Path, released: dict[str, Released], counts: Counts) -> Iterator[str]:
    opened = open_notebook(path)
    counts.readable += opened.readable
    matched = match(assignment, opened)
    planned = plan(assignment, matched)
    yield from _repeated(planned, counts)
    verdict = Verdict(assignment.name, "student_01", path.name, 1, ())
    written = autograded_notebook(released[assignment.name], matched, verdict)
    yield from _lost(matched, json.dumps(written), counts)


def _repeated(planned: Plan, counts: Counts) -> Iterator[str]:
    """Yield the statements of solution cells that are run more than twice."""
    run: Counter[tuple[str, int]] = Counter()
    for code in planned.code:
        if code.kind is Kind.SOLUTION:
            run.update((code.label, place) for place in (code.only if code.only is not None else (-1,)))
    counts.statements += len(run)
    yield from (
        f"{label}, statement {place}: planned {times} times" for (label, place), times in run.items() if times > 2
    )


def _lost(matched: Matched, written: str, counts: Counts) -> Iterator[str]:
    """Yield what a student wrote in markdown of their own, or in answer to a question, and nobody will read."""
    for cell in matched.cells:
        text = cell.written if cell.kind is Kind.GIVEN else cell.cell.source
        if cell.cell.cell_type == "markdown" and "zqx" in text:
            tokens = {
                word for word in text.replace("`", " ").split() if word.startswith("zqx") and word.endswith("xqz")
            }
            counts.tokens += len(tokens)
            yield from (
                f"cell {cell.number} ({cell.id}, {cell.kind}): {token} is lost"
                for token in tokens
                if token not in written
            )


def holes_of_a_release(assignment: Assignment) -> list[str]:
    """Return what is wrong with the plan of a notebook that is handed in as it was released: all of it is unchanged."""
    planned = plan(assignment, match(assignment, open_notebook(assignment.release / f"{assignment.name}.ipynb")))
    solved = {exercise_of(cell.id) for cell in assignment.cells if cell.is_solution and cell.cell_type == "code"}
    return [f"{name}: released, and taken for changed" for name in sorted(solved - planned.unchanged)]


# --- notebooks


def _bases(assignment: Assignment) -> list[list[dict[str, Any]]]:
    """Return the cells as released, and as the instructor solved them."""
    paths = (assignment.release / f"{assignment.name}.ipynb", assignment.notebook)
    found = [json.loads(path.read_text(encoding="utf-8"))["cells"] for path in paths]
    plain = [{**cell, "source": "".join(cell["source"]), "outputs": []} for cells in found for cell in cells]
    return [plain[: len(found[0])], plain[len(found[0]) :]]


def _released(assignment: Assignment) -> Released:
    """Return the cells as the gradebook knows them."""
    cells = {}
    for cell in _bases(assignment)[0]:
        told = cell["metadata"].get("nbgrader", {})
        if id := told.get("grade_id"):
            flags = [told[flag] for flag in ("locked", "grade", "solution")]
            cells[id] = ReleasedCell(id, cell["cell_type"], cell["source"], "", *flags, told.get("points", 0.0))
    return Released(cells)


Cells = list[dict[str, Any]]
_HOSTILE: tuple[Callable[[random.Random], str], ...] = (
    lambda random_: "\n".join(f"{' ' * n}try: x\n{' ' * n}finally:" for n in range(random_.randint(1, 99))) + "\n" + " " * 99 + "x",
    lambda random_: random_.choice("([{") * random_.randint(1, 30_000),
    lambda random_: "x" + random_.choice((".y", "()", "[0]", "+1", "**1", "<1", " if x else x", " and x")) * random_.randint(1, 9000),
    lambda random_: random_.choice(("-", "not ", "~", "lambda: ", "await ", "*")) * random_.randint(1, 9000) + "x",
    lambda random_: 'f"' + random_.choice(("{x}", "{x:{y}}", "{", "{x!r:>{y}}", "{{")) * random_.randint(1, 9000) + '"',
    lambda random_: random_.choice(("@a\n", "%x\n", "!x\n", "x?\n", "\\\n", "# a\n", "x = !ls\n", "é = 1\n", "a;")) * random_.randint(1, 9000),
    lambda random_: "if 1:\n" + " x = [1, 2, 3]\n" * random_.randint(1, 999) + " %x\n" * random_.randint(1, 300),
    lambda random_: "import a" + ".a" * random_.randint(1, 15_000),
    lambda random_: "x" + " " * random_.randint(1, 30_000) + "$",
    lambda random_: "9" * random_.randint(1, 30_000),
    lambda random_: "\n".join(" " * n + "if x:" for n in range(95)) + "\n" + " " * 95 + "a;" * random_.randint(1, 9000),
    lambda random_: "match x:\n" + " case [1, *_] if x: pass\n" * random_.randint(1, 900),
    lambda random_: "![" * random_.randint(1, 9000) + "](" + "<img " * random_.randint(1, 3000),
    lambda random_: "".join(random_.choices("ab \n\t()[]{}'\"\\#%!?=:,.;@*-é漢\x00\x1b\u202e", k=random_.randint(1, 3000))),
)  # fmt: skip


def _edited(random_: random.Random, cells: Cells) -> Cells:
    cells = json.loads(json.dumps(cells))
    for _ in range(random_.randint(1, 12)):
        random_.choice(_EDITS)(random_, cells)
    return cells


def _at(random_: random.Random, cells: Cells) -> int:
    return random_.randrange(len(cells)) if cells else 0


def _drop(random_: random.Random, cells: Cells) -> None:
    at = _at(random_, cells)
    del cells[at : at + random_.choice((1, 1, 1, 2, 9))]


def _double(random_: random.Random, cells: Cells) -> None:
    for cell in cells[(at := _at(random_, cells)) : at + random_.choice((1, 1, 3))]:
        cells.insert(_at(random_, cells), json.loads(json.dumps(cell)))


def _move(random_: random.Random, cells: Cells) -> None:
    if cells:
        cell = cells.pop(_at(random_, cells))
        cells.insert(_at(random_, cells), cell)


def _merge(random_: random.Random, cells: Cells) -> None:
    at = _at(random_, cells)
    if len(cells) > at + 1:
        cells[at]["source"] += "\n" + cells.pop(at + 1)["source"]


def _split(random_: random.Random, cells: Cells) -> None:
    for cell in cells[(at := _at(random_, cells)) : at + 1]:
        lines = cell["source"].split("\n")
        cut = random_.randint(0, len(lines))
        copy = {**json.loads(json.dumps(cell)), "source": "\n".join(lines[cut:])}  # Jupyter copies the metadata, too
        cell["source"] = "\n".join(lines[:cut])
        cells.insert(at + 1, copy)


def _strip(random_: random.Random, cells: Cells) -> None:
    for cell in cells if random_.random() < 0.2 else cells[(at := _at(random_, cells)) : at + 2]:
        cell["metadata"] = {}


def _swap(random_: random.Random, cells: Cells) -> None:
    if cells:
        one, other = random_.choice(cells), random_.choice(cells)
        part = random_.choice(("metadata", "source", "cell_type"))
        one[part], other[part] = other[part], one[part]


def _write(random_: random.Random, cells: Cells) -> None:
    """Write words: in a cell of their own, or in any that is markdown."""
    token = _TOKEN.format(random_.randrange(10**6))
    texts = [cell for cell in cells if cell["cell_type"] == "markdown"]
    if texts and random_.random() < 0.5:
        cell = random_.choice(texts)
        cell["source"] = f"{cell['source']}\n\nBecause noise averages out, {token} says so."
    else:
        kind = random_.choice(("markdown", "markdown", "code", "raw"))
        told: dict[str, Any] = {"cell_type": kind, "metadata": {}, "outputs": []}
        cells.insert(_at(random_, cells), {**told, "source": f"Because noise averages out, {token} says so."})


def _spoil(random_: random.Random, cells: Cells) -> None:
    odd = random_.choice(_HOSTILE)(random_)
    if cells and random_.random() < 0.6:
        cell = random_.choice(cells)
        cell["source"] = random_.choice(("{1}", "{0}\n{1}", "{1}\n{0}")).format(cell["source"], odd)
    else:
        kind = random_.choice(("code", "code", "markdown", "raw", "heading"))
        cells.insert(_at(random_, cells), {"cell_type": kind, "metadata": {}, "outputs": [], "source": odd})


def _edit(random_: random.Random, cells: Cells) -> None:
    """Change, drop or repeat some lines of a cell."""
    for cell in cells[(at := _at(random_, cells)) : at + 1]:
        lines = cell["source"].split("\n")
        for _ in range(random_.randint(1, 4)):
            line = random_.randrange(len(lines))
            lines[line : line + random_.randint(0, 2)] = random_.choices(
                [*lines, "", "    pass", "x = 1"], k=random_.randint(0, 2)
            ) or [""]
        cell["source"] = "\n".join(lines)


_EDITS = (_drop, _double, _move, _merge, _split, _strip, _swap, _write, _write, _spoil, _spoil, _edit)
