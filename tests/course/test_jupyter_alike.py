"""What runs in a student's Jupyter runs in grading: the instructor's code, as students rearrange and surround it."""

import copy
import json
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from gradlab_staff.course import Assignment, Course
from gradlab_staff.course.template import BLANK
from gradlab_staff.grading.batch import grade_all
from gradlab_staff.grading.run import GradeOptions

COURSE = Course.find(Path(__file__))
ASSIGNMENTS = [COURSE.assignment(name) for name in COURSE.assignments]

SLOW = ("dropout", "two_layer_net")
Cells = list[dict[str, Any]]
KINDS: dict[str, Callable[[Cells], dict[str, str] | None]] = {}


def kind(change: Callable[[Cells], dict[str, str] | None]) -> Callable[[Cells], dict[str, str] | None]:
    """Register a change to a solved notebook, which returns the files that lie beside it, if any."""
    KINDS[change.__name__] = change
    return change


def own(source: str) -> dict[str, Any]:
    """A code cell of the student's own."""
    return {"cell_type": "code", "metadata": {}, "source": source, "outputs": [], "execution_count": None}


def id_of(cell: dict[str, Any]) -> str:
    return str(cell["metadata"].get("nbgrader", {}).get("grade_id", ""))


def is_solution(cell: dict[str, Any]) -> bool:
    return id_of(cell).endswith("_solution")


def setup_of(cells: Cells) -> dict[str, Any]:
    return next(cell for cell in cells if id_of(cell) and cell["cell_type"] == "code")


def module_of(cells: Cells) -> str:
    """The given code and the solutions, as a module."""
    code = [cell for cell in cells if cell["cell_type"] == "code" and id_of(cell)]
    kept = [cell for cell in code if not cell["metadata"].get("gradlab", {}).get("demo")]
    return re.sub(r"^(check|%).*$", "", "\n\n\n".join(cell["source"] for cell in kept), flags=re.MULTILINE)


def solutions(cells: Cells) -> str:
    return "\n\n\n".join(cell["source"] for cell in cells if is_solution(cell))


def stubs(cells: Cells, assignment: str) -> None:
    """Put the released blanks back into the solution cells."""
    released = json.loads((COURSE.root / "release" / assignment / f"{assignment}.ipynb").read_text())
    texts = {id_of(cell): "".join(cell["source"]) for cell in released["cells"]}
    for cell in cells:
        if is_solution(cell):
            cell["source"] = texts[id_of(cell)]


def merge(cells: Cells, index: int) -> None:
    """Merge a cell with the one below it, as Jupyter does: the metadata of the first."""
    cells[index]["source"] += "\n\n" + cells.pop(index + 1)["source"]


@kind
def all_in_one_new_cell(cells):
    """The stubs are gone."""
    one = own(solutions(cells))
    place = cells.index(setup_of(cells)) + 1
    cells[:] = [cell for cell in [*cells[:place], one, *cells[place:]] if not is_solution(cell)]


@kind
def all_in_one_new_cell_above_the_stubs(cells):
    """The stubs stand below it, untouched."""
    cells.insert(cells.index(setup_of(cells)) + 1, own(solutions(cells)))
    cells[0]["stubs"] = True


@kind
def neighbours_merged(cells):
    """Each solution is merged with what stands below it: a check, a demonstration, a given cell."""
    for index in range(len(cells) - 2, -1, -1):
        if is_solution(cells[index]) and cells[index + 1]["cell_type"] == "code":
            merge(cells, index)


@kind
def given_cells_merged_with_solutions(cells):
    """Each given cell that stands above a solution is merged with it."""
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    for above, below in pairwise(code):
        if is_solution(below) and not is_solution(above):
            above["source"] += "\n\n" + below["source"]
            cells.remove(below)


@kind
def in_a_file_beside(cells):
    """The solutions are imported from a module of the student's."""
    module = module_of(cells)
    cells.insert(cells.index(setup_of(cells)) + 1, own("from mine.work import *"))
    cells[0]["stubs"] = True
    return {"mine/work.py": module, "mine/__init__.py": ""}


@kind
def in_a_file_that_a_cell_writes(cells):
    """So is one that a cell writes, in Colab's way."""
    module = module_of(cells)
    place = cells.index(setup_of(cells)) + 1
    cells[place:place] = [own(f"%%writefile work.py\n{module}"), own("from work import *")]
    cells[0]["stubs"] = True


@kind
def statements_that_fail(cells):
    """A package that grading has not, a mount, an assertion, a file that is not there, an exit: above each solution."""
    failing = (
        "import torch\ndevice = torch.device('cpu')\nfrom google.colab import drive\n"
        "import matplotlib\nmatplotlib.use('TkAgg')\nimport matplotlib.pyplot as plt\nplt.plot([1, 2]); plt.show()\n"
        "open('not_there.csv')\nassert 1 == 2, 'half-way'\nimport sys; sys.exit(1)\nexit()\n"
    )
    for cell in cells:
        if is_solution(cell):
            cell["source"] = failing + cell["source"]


@kind
def as_ipython_reads_it(cells):
    """Awaits, futures, and IPython's magics, commands and helpers, around each solution."""
    setup_of(cells)["source"] += "\n%load_ext autoreload\n%autoreload 2\n!pip install torch\nsetup_of?"
    cells.insert(cells.index(setup_of(cells)) + 1, own("from __future__ import annotations\nimport asyncio"))
    magics = ["%%time", "%%debug", "%%wandb", "%%prun -l 5", "%%capture out"]
    for number, cell in enumerate(filter(is_solution, cells)):
        cell["source"] = (
            f"{magics[number % len(magics)]}\nfrom IPython import get_ipython\n"
            "get_ipython().run_line_magic('matplotlib', 'inline')\nawait asyncio.sleep(0)\n"
            "background = asyncio.create_task(asyncio.sleep(1000))\nimported: Unknown | None = None\n"
            f"{cell['source']}\n"
            "async def told():\n    return 3\n%matplotlib inline\nassert await told() == 3\nfiles = !ls\n"
        )
    cells += [own("%%bash\nrm -rf *"), own("%%html\n<b>hello</b>"), own("%%javascript\nalert(1)")]


@kind
def without_metadata_and_merged(cells):
    """All metadata is gone, and the first two solutions are one cell."""
    first, *second = [cell for cell in cells if is_solution(cell)][:2]
    for cell in second:
        first["source"] += "\n\n" + cell["source"]
        cells.remove(cell)
    for cell in cells:
        cell["metadata"] = {}


def solved(assignment: Assignment) -> Cells:
    """The cells of the instructor's notebook, without the markers of its blanks."""
    cells: Cells = json.loads(assignment.notebook.read_text())["cells"]
    for cell in cells:
        cell["source"] = BLANK.sub(lambda blank: blank[3].rstrip("\n"), "".join(cell["source"]))
        if cell["cell_type"] == "code":
            cell["outputs"] = []
    return cells


def hand_in(assignment: Assignment, folder: Path, change: Callable[[Cells], dict[str, str] | None]) -> Path:
    """A submission in a folder of its own."""
    cells = copy.deepcopy(solved(assignment))
    beside = change(cells) or {}
    if cells[0].pop("stubs", False):
        stubs(cells, assignment.name)
    place = folder / change.__name__ / assignment.name
    content = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells}
    for name, text in {f"{assignment.name}.ipynb": json.dumps(content), **beside}.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    return place


@pytest.mark.slow
@pytest.mark.parametrize(
    "assignment",
    [pytest.param(one, id=one.name, marks=[pytest.mark.thorough] if one.name in SLOW else []) for one in ASSIGNMENTS],
)
def test_right_code_keeps_its_points(assignment, tmp_path):
    """However it stands in the notebook, or beside it, and whatever fails around it."""
    submissions = {name: hand_in(assignment, tmp_path, change) for name, change in KINDS.items()}
    graded = {one.student: one for one in grade_all(assignment, submissions, GradeOptions(), force=True)}
    assert not [(one.student, one.error) for one in graded.values() if one.error]
    lost = {
        (student, exercise.name): [check.message for check in exercise.checks if check.message][:2]
        for student, one in graded.items()
        for exercise in one.verdict.exercises
        if exercise.score < exercise.points
    }
    assert lost == {}
    warnings = "\n".join(graded["statements_that_fail"].verdict.warnings)
    assert "ModuleNotFoundError: No module named 'torch'. Skipped this statement. Grading has " in warnings
    assert "expected Python, got a cell for %%bash. Skipped the cell." in "\n".join(
        graded["as_ipython_reads_it"].verdict.warnings
    )
