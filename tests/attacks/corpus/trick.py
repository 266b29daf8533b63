"""Attacks on the course's own assignments: a notebook with a trick, judged against the same notebook without it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["Trick", "Work", "solutions", "trick"]

ROOT = Path(__file__).resolve().parents[3]
_BLANK = re.compile(r"^ *### (BEGIN|END) SOLUTION.*\n?", re.MULTILINE)


@dataclass(frozen=True)
class Work:
    """What is written into a released notebook: the instructor's solutions of some exercises, cells of one's own."""

    assignment: str
    solved: tuple[str, ...] = ()
    cells: tuple[tuple[str, str], ...] = ()
    """Pairs of an exercise and the source of its solution cell."""
    prelude: str = ""
    """A cell of one's own, after the imports."""

    def notebook(self) -> dict[str, Any]:
        """Return the release, with this work in it."""
        name = self.assignment
        content: dict[str, Any] = json.loads((ROOT / "release" / name / f"{name}.ipynb").read_text(encoding="utf-8"))
        written = {exercise: solutions(name)[exercise] for exercise in self.solved} | dict(self.cells)
        for cell in content["cells"]:
            exercise = cell["metadata"].get("nbgrader", {}).get("grade_id", "").removesuffix("_solution")
            if cell["metadata"].get("nbgrader", {}).get("solution") and exercise in written:
                cell["source"] = written.pop(exercise)
        assert not written, f"{name}: no exercise of the name {', '.join(written)}"
        if self.prelude:
            first = next(place for place, cell in enumerate(content["cells"]) if cell["cell_type"] == "code")
            own = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
            content["cells"].insert(first + 1, {**own, "id": "of-ones-own", "source": self.prelude})
        return content


@dataclass(frozen=True)
class Trick:
    """An attack on an assignment: what it tries, its work, and that of its twins, which do without the trick.

    It succeeds where any exercise earns more than that of its best twin, by more than the `tolerance`.
    """

    name: str
    tries: str
    work: Work
    twins: tuple[Work, ...]
    tolerance: float = 0.0
    """What is no gain yet, as a share of an exercise: one of its smallest checks may be passed by luck."""
    residual: bool = False
    """Whether it is known, and named in docs/security.md, that this earns something: printed, and no failure."""
    helper: Work | None = None
    """What an accomplice hands in, who is graded at the same time."""
    kind: str = ""

    @property
    def student(self) -> str:
        return f"mallory_{self.name}"

    @property
    def accomplice(self) -> str:
        return f"helper_{self.name}"


def trick(name: str, tries: str, assignment: str, cells: Mapping[str, str], *, solved: tuple[str, ...] = (),
          prelude: str = "", twins: tuple[Mapping[str, str], ...] = ({},), **more: Any) -> Trick:  # fmt: skip
    """Return an attack whose twins are the same notebook with other cells, without any (as released) by default."""
    work = Work(assignment, solved, tuple(cells.items()), prelude)
    return Trick(name, tries, work, tuple(Work(assignment, solved, tuple(twin.items())) for twin in twins), **more)


@cache
def solutions(assignment: str) -> dict[str, str]:
    """Return the instructor's solution cells, by exercise."""
    path = ROOT / "source" / assignment / f"{assignment}.ipynb"
    found = {}
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        nbgrader = cell["metadata"].get("nbgrader", {})
        if cell["cell_type"] == "code" and nbgrader.get("solution"):
            found[nbgrader["grade_id"].removesuffix("_solution")] = _BLANK.sub("", "".join(cell["source"]))
    return found
