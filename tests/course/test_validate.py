"""`nbgrader validate`, and the Validate button, which runs the same, tell a student the truth."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gradlab_staff.course import Course
from gradlab_staff.course.template import BLANK
from gradlab_staff.grading.diagnosis import load_misconceptions

pytestmark = pytest.mark.slow

COURSE = Course.find(Path(__file__))
QUICK = "inverted_dropout"
KINDS = ("released", "right", "wrong")


def validate(folder: Path, name: str) -> dict[str, str]:
    """What the command says of each grade cell that it refuses: by the cell's source, the error."""
    command = [sys.executable, "-m", "nbgrader", "validate", f"{name}.ipynb", "--Execute.timeout=600"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stderr
    assert "Success!" in done.stdout or "VALIDATION FAILED" in done.stdout
    parts = done.stdout.split("The following cell failed:\n")[1:]
    told = [re.split(r"The error was:\n", part.partition("\n=====")[0]) for part in parts]
    return {cell.strip(): error.strip("\n") for cell, error in told}


# --- a small notebook


def cell(source: str, id: str = "", **metadata: Any) -> dict[str, Any]:
    plain = {"schema_version": 3, "grade": False, "solution": False, "locked": False, "task": False}
    nbgrader = {"nbgrader": {**plain, "grade_id": id, "cell_type": "code", **metadata}} if id else {}
    return {"cell_type": "code", "metadata": nbgrader, "source": source, "outputs": [], "execution_count": None}


def lay(folder: Path, name: str, cells: list[dict[str, Any]]) -> None:
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    content = {"nbformat": 4, "nbformat_minor": 4, "metadata": {"kernelspec": kernel}, "cells": cells}
    (folder / f"{name}.ipynb").write_text(json.dumps(content), "utf-8")


NOISY = """
import logging, sys, warnings
import numpy as np
from tqdm import tqdm
from gradlab import check

logging.basicConfig()  # its handler keeps the stream that it finds here
kept = sys.stderr

def double(x):
    for _ in tqdm(range(3), file=kept):
        np.exp(np.float64(1000))
    for _ in tqdm(range(3)):
        pass
    warnings.warn("deprecated", DeprecationWarning)
    logging.warning("logged")
    print("to the stream that was kept", file=kept)
    print("to the stream of now", file=sys.stderr)
    return 2 * x
"""


def test_a_noisy_solution_that_is_right_passes(tmp_path):
    """Warnings, logs and progress bars go to stderr, which the command takes for a failure; a wrong one still fails."""
    (tmp_path / "public_checks.py").write_text(
        "import sys\n"
        "from gradlab.check import holds\n\n\n"
        "def double(nb):\n"
        '    yield holds("two doubled", nb.double(2) == 4)\n\n\n'
        "def treble(nb):\n"
        '    yield holds("two trebled", nb.double(2) == 6, hint="three times")\n',
        "utf-8",
    )
    grade = {"grade": True, "locked": True, "points": 1}
    cells = [cell(NOISY), cell('check("double")', "double", **grade), cell('check("treble")', "treble", **grade)]
    lay(tmp_path, "noisy", cells)
    failed = validate(tmp_path, "noisy")
    assert failed.keys() == {'check("treble")'}
    told = [line.strip() for line in failed['check("treble")'].split("\n") if line.strip()]
    assert told[:2] == ["✗ two trebled", "hint: three times"]


def test_the_time_that_a_cell_has_is_a_setting(tmp_path):
    """`c.Execute.timeout`, as README.md has it: a cell that takes longer is left, and its check fails."""
    (tmp_path / "public_checks.py").write_text(
        'from gradlab.check import holds\n\n\ndef x(nb):\n    yield holds("x is 1", nb.x == 1)\n', "utf-8"
    )
    (tmp_path / "nbgrader_config.py").write_text("get_config().Execute.timeout = 1\n", "utf-8")
    late = cell("import time\ntime.sleep(60)\nx = 1")
    lay(tmp_path, "late", [cell("from gradlab import check"), late, cell('check("x")', "x", grade=True, points=1)])
    command = [sys.executable, "-m", "nbgrader", "validate", "late.ipynb"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=50)
    assert "x: not attempted yet." in done.stdout
    assert "c.Execute.timeout = 600" in (COURSE.root / "README.md").read_text("utf-8")


# --- the assignments


def notebooks() -> list[Any]:
    quick = [pytest.param(QUICK, kind) for kind in KINDS]
    others = [name for name in COURSE.assignments if name != QUICK]
    return quick + [pytest.param(name, kind, marks=pytest.mark.thorough) for name in others for kind in KINDS]


@pytest.mark.parametrize(("name", "kind"), notebooks())
def test_an_assignment(tmp_path, name, kind):
    """Each check passes on the instructor's solution, none on the release, and not that of a wrong solution."""
    assignment = COURSE.assignment(name)
    wrong = next(iter(load_misconceptions(assignment).values()))
    solutions = {one.id: BLANK.sub(lambda blank: blank[3].rstrip(), one.source) for one in assignment.cells}
    answers = {
        "released": {},
        "right": solutions,
        "wrong": {**solutions, f"{wrong.exercise}_solution": wrong.source},
    }[kind]
    content = json.loads((assignment.release / f"{name}.ipynb").read_text("utf-8"))
    for one in content["cells"]:
        id = one["metadata"].get("nbgrader", {}).get("grade_id", "")
        if one["metadata"].get("nbgrader", {}).get("solution"):
            one["source"] = answers.get(id, one["source"])
        if name == QUICK and one["metadata"].get("gradlab", {}).get("demo"):
            one["source"] = "pass"  # what is left out takes its time, and no check needs it
            del one["metadata"]["nbgrader"]  # else its checksum were wrong
    (tmp_path / f"{name}.ipynb").write_text(json.dumps(content), "utf-8")
    (tmp_path / "public_checks.py").write_bytes((assignment.release / "public_checks.py").read_bytes())

    failed = {source: error for source, error in validate(tmp_path, name).items() if source.startswith("check(")}
    every = {f'check("{exercise.name}")' for exercise in assignment.exercises}
    asked = f'check("{wrong.exercise}")'
    if kind == "wrong":
        assert asked in failed
        assert "✗" in failed[asked]
    else:
        assert failed.keys() == (every if kind == "released" else set())
    assert all("Traceback" not in error for error in failed.values())
    assert all("not attempted yet" in error for error in failed.values() if kind == "released")
