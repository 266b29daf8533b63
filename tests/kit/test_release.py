"""A release is refused if anything contradicts itself, leaks or does not run; else it is put in place."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gradlab_staff.course import Assignment, Course
from gradlab_staff.course.template import stub
from gradlab_staff.errors import CourseError
from gradlab_staff.releasing import leaks as proof
from gradlab_staff.releasing import release as module
from gradlab_staff.releasing.release import faults, release, trial

pytestmark = pytest.mark.slow

CHECKS = """\
from gradlab.check import holds


def double(nb):
    nb.double(1)
    yield holds("all is well", True)


def halve(nb):
    yield from ()
"""
MISCONCEPTIONS = """\
from gradlab_staff.grading import misconception


@misconception(exercise="double", explanation="You return x itself.", hint="What is twice x?")
def forgot_to_double():
    return "def double(x):\\n    return x"
"""


SOLUTION = """\
def {name}(x):
    ### BEGIN SOLUTION {name} it
    return {body}
    ### END SOLUTION
"""


def code(source: str, id: str, **nbgrader: object) -> dict:
    """A code cell as Jupyter writes it."""
    plain = {"schema_version": 3, "grade": False, "solution": False, "locked": False, "task": False}
    metadata = {"nbgrader": {**plain, "grade_id": id, **nbgrader}}
    return {"cell_type": "code", "metadata": metadata, "source": source, "outputs": [], "execution_count": None}


def make_course(root: Path) -> Assignment:
    """A course of one assignment with two exercises and one question."""
    question = code("### BEGIN SOLUTION\nBecause.\n### END SOLUTION", "why", grade=True, solution=True, points=3)
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": "# Tiny"},
        code("from gradlab import check", "setup", locked=True),
        code(SOLUTION.format(name="double", body="2 * x"), "double_solution", solution=True),
        code('check("double")', "double", grade=True, locked=True, points=4),
        code(SOLUTION.format(name="halve", body="x / 2"), "halve_solution", solution=True),
        code('check("halve")', "halve", grade=True, locked=True, points=2),
        {"cell_type": "markdown", "metadata": question["metadata"], "source": question["source"]},
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = {"nbformat": 4, "nbformat_minor": 4, "metadata": {"kernelspec": kernel}, "cells": cells}
    (root / "source" / "tiny").mkdir(parents=True)
    (root / "source" / "tiny" / "tiny.ipynb").write_text(json.dumps(notebook))
    (root / "source" / "tiny" / "public_checks.py").write_text(CHECKS)
    graders = root / "tests" / "graders" / "tiny"
    graders.mkdir(parents=True)
    for name in ("double", "halve"):
        (graders / f"test_{name}.py").write_text("def test_three(submission): ...\n")
    (graders / "misconceptions.py").write_text(MISCONCEPTIONS)
    shutil.copy(Path(__file__).parents[2] / "nbgrader_config.py", root)
    return Course(root).assignment("tiny")


@pytest.fixture
def tiny(tmp_path, monkeypatch) -> Assignment:
    """The course, where blanks are emptied at once: nbgrader takes seconds."""
    monkeypatch.setattr("gradlab_staff.gradebook.make_release", make_at_once)
    monkeypatch.setattr("gradlab_staff.gradebook.save_cells", lambda assignment: None)
    return make_course(tmp_path)


def make_at_once(assignment: Assignment) -> None:
    shutil.copytree(assignment.notebook.parent, assignment.release)
    content = json.loads(assignment.notebook.read_text())
    for cell in content["cells"]:
        id = cell["metadata"].get("nbgrader", {}).get("grade_id", "")
        empty = stub(cell["source"], f"tiny/{id.removesuffix('_solution')}")
        cell["source"] = empty if cell["cell_type"] == "code" or not id else "Your answer"
    (assignment.release / "tiny.ipynb").write_text(json.dumps(content))


def edit(tiny: Assignment, change: Callable[[list[dict]], object], path: Path | None = None) -> Assignment:
    """Change the cells of a notebook, the instructor's unless another is named."""
    path = path or tiny.notebook
    content = json.loads(path.read_text())
    change(content["cells"])
    path.write_text(json.dumps(content))
    return Course(tiny.course.root).assignment("tiny")


def by_id(cells: list[dict], id: str) -> dict:
    return next(cell for cell in cells if cell["metadata"].get("nbgrader", {}).get("grade_id") == id)


# --- a good one


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    assignment = make_course(tmp_path_factory.mktemp("course"))
    assignment.release.mkdir(parents=True)
    (assignment.release / "stale.txt").write_text("of the last release")
    return assignment, release(assignment)


def test_report(released):
    """The report says what was released and tried."""
    assignment, report = released
    assert report.folder == assignment.release
    assert report.files == ("public_checks.py", "tiny.ipynb")
    assert report.exercises == {"tiny/double": 4, "tiny/halve": 2, "tiny/why": 3}
    assert report.tried == ("cell 2 (setup)", "cell 3 (double_solution)", "cell 4 (double)")


def test_in_place(released):
    """The old release is gone, and nothing is left beside the new one."""
    assignment, _ = released
    assert {path.name for path in assignment.release.iterdir()} == {"public_checks.py", "tiny.ipynb"}
    assert [path.name for path in assignment.release.parent.iterdir()] == ["tiny"]


# --- faults


def test_faults_of_the_notebook(tiny):
    """Duplicate ids, points, cells without grader and graders without cell: all are listed, each with its cell."""
    (tiny.graders / "test_double.py").rename(tiny.graders / "test_treble.py")

    def change(cells):
        by_id(cells, "halve")["metadata"]["nbgrader"]["points"] = 0
        cells.append(by_id(cells, "setup"))

    with pytest.raises(CourseError) as caught:
        release(edit(tiny, change))
    message = str(caught.value)
    assert "got 4 faults" in message
    for part in (
        "tiny/setup: expected one cell with this id, got 2",
        "tiny/halve: expected points above 0, got 0",
        "tiny/double: expected a hidden grader, got none",
        "tiny/treble: expected a grade cell with this id",
    ):
        assert part in message
    assert message.endswith("Released nothing. Fix them, then run: gradlab release tiny")
    assert not tiny.release.exists()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("@weight(0)\ndef test_a(): ...", "expected a weight above 0, got 0 in test_double.py line 1"),
        ("@grading.weight(-1.5)\ndef test_a(): ...", "expected a weight above 0, got -1.5 in test_double.py line 1"),
        ("def helper(): ...", "expected checks in test_double.py, got no function test_"),
        ("def test_a(:", "expected Python in test_double.py, got invalid syntax in line 1"),
    ],
)
def test_faults_of_graders(tiny, text, fault):
    """A weight that is not positive, no checks, no Python: each is a fault of the exercise's cell."""
    (tiny.graders / "test_double.py").write_text(text)
    (found,) = faults(tiny)
    assert found.startswith(f"tiny/double: {fault}")


def test_computed_weight(tiny):
    """A weight that is no literal is left to the grader's own run."""
    (tiny.graders / "test_double.py").write_text("@weight(HALF)\ndef test_a(): ...")
    assert faults(tiny) == []


def test_faults_of_misconceptions(tiny):
    """A misconception of an exercise that is not there is a fault."""
    (tiny.graders / "misconceptions.py").write_text(MISCONCEPTIONS.replace('"double"', '"treble"'))
    (found,) = faults(tiny)
    assert "forgot_to_double: expected an exercise of tiny, got 'treble'" in found


# --- leaks


def leak(tiny: Assignment, change: Callable[[list[dict]], object]) -> str:
    """What a release with changed cells in the instructor notebook is refused for."""
    with pytest.raises(CourseError) as caught:
        release(edit(tiny, change))
    assert not tiny.release.exists()
    return str(caught.value)


def test_solution_in_prose(tiny):
    """A solution's line in prose is a leak; cell and line are named."""

    def change(cells):
        by_id(cells, "halve_solution")["source"] = "### BEGIN SOLUTION set\nrate = 2 ** -7 + 0.001\n### END SOLUTION"
        cells[0]["source"] = "# Tiny\nHint: `rate = 2 ** -7 + 0.001`"

    expected = (
        "tiny/halve_solution: expected no line of a solution in the release, got `rate = 2 ** -7 + 0.001` in tiny"
    )
    assert f"{expected}.ipynb cell 1 line 2" in leak(tiny, change)


def test_solution_in_public_checks(tiny):
    """All of a blank in the public checks is a leak."""
    (tiny.notebook.parent / "public_checks.py").write_text(CHECKS + "\n\ndef solved(x):\n    return 2 * x\n")
    assert "got `return 2 * x` in public_checks.py line 14" in leak(tiny, lambda cells: None)


def test_model_answer(tiny):
    """A sentence of a model answer that stands elsewhere is a leak, wherever its lines break."""

    def change(cells):
        answer = "Sure. Doubling adds a number\nto itself, once.\n- 2: says itself."
        by_id(cells, "why")["source"] = f"### BEGIN SOLUTION\n{answer}\n### END SOLUTION"
        cells[0]["source"] = "# Tiny\nNote: Doubling adds a\nnumber to itself, once. So there."

    found = leak(tiny, change)
    assert "tiny/why: expected no model answer or rubric in the release" in found
    assert "got `Doubling adds a number to itself, once.` in tiny.ipynb cell 1" in found


def test_unknown_file(tiny):
    """A file that does not belong in a release is a leak; a picture is not."""
    (tiny.notebook.parent / "solved.py").write_text("")
    (tiny.notebook.parent / "net.png").write_bytes(b"")
    found = leak(tiny, lambda cells: None)
    assert "solved.py: expected only public_checks.py and tiny.ipynb and images in the release, got this file." in found
    assert "net.png" not in found


@pytest.mark.parametrize("name", ["test_double", "forgot_to_double", "tests/graders/tiny"])
def test_names_of_graders(tiny, name):
    """The names of graders and misconceptions do not get out."""
    assert "expected no name of a hidden grader or misconception" in leak(
        tiny, lambda cells: cells[0].update(source=f"See {name}.")
    )


# What nbgrader takes out is checked on its result, spoilt afterwards.


def spoil(released, tmp_path, change: Callable[[list[dict]], object]) -> list[str]:
    assignment, _ = released
    folder = tmp_path / "tiny"
    folder.mkdir(parents=True)
    for path in assignment.release.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    edit(assignment, change, folder / "tiny.ipynb")
    return proof.leaks(assignment, folder)


def test_nothing_spoilt(released, tmp_path):
    """The release as it is gives nothing away."""
    assert spoil(released, tmp_path, lambda cells: None) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda cells: cells[1].update(outputs=[{}]), "tiny.ipynb cell 2: expected a cell that was not run"),
        (lambda cells: cells[1].update(execution_count=1), "tiny.ipynb cell 2: expected a cell that was not run"),
        (lambda cells: cells[2].update(source="pass"), "tiny/double_solution: expected the released cell"),
        (lambda cells: cells.pop(2), "tiny/double_solution: expected the released cell"),
        (lambda cells: cells[0].update(source="### BEGIN SOLUTION"), "expected no delimiter in the release"),
        (lambda cells: cells[0]["metadata"].update(tags=["test_halve"]), "in tiny.ipynb metadata line 1"),
    ],
    ids=["outputs", "count", "stub", "missing", "delimiter", "metadata"],
)
def test_spoilt(released, tmp_path, change, fault):
    """Outputs, counts, changed stubs, delimiters and metadata are each found."""
    assert fault in "\n".join(spoil(released, tmp_path, change))


def test_grader_copied(released, tmp_path):
    """Three lines of a grader are no chance; two are."""
    assignment, _ = released
    lines = [f'expect_close(submission.double({n}), {2 * n}, what="double of {n}")' for n in range(3)]
    grader = assignment.graders / "test_double.py"
    kept = grader.read_text()
    grader.write_text("\n".join(lines))
    try:
        two = spoil(released, tmp_path / "a", lambda cells: cells[0].update(source="\n".join(lines[:2])))
        three = spoil(released, tmp_path / "b", lambda cells: cells[0].update(source="\n".join(lines)))
    finally:
        grader.write_text(kept)
    assert two == []
    assert "test_double.py: expected no line of a hidden grader in the release" in three[0]


# --- does it run?


def test_cell_fails(tiny):
    """A cell before the first stub that fails is shown with its traceback, and nothing is released."""
    found = leak(tiny, lambda cells: by_id(cells, "setup").update(source="import no_such_module"))
    assert "No module named 'no_such_module'" in found
    assert "failed in cell 2 (setup)" in found


def test_check_is_silent(tiny):
    """A check that does not notice the stub is shown."""
    (tiny.notebook.parent / "public_checks.py").write_text(CHECKS.replace("nb.double(1)", "print('fine')"))
    assert "cell 4 (double) printed for the stub:" in leak(tiny, lambda cells: None)


def test_endless(released, monkeypatch):
    """A cell that does not end is stopped."""
    monkeypatch.setattr(module, "_TRIAL_S", 0.01)
    with pytest.raises(CourseError, match=r"the cells up to cell 4 \(double\) took more than 0.01 s"):
        trial(released[0])


def test_old_release_stays(tiny, monkeypatch):
    """A refused release leaves the last one in place, and the gradebook as it is."""
    tiny.release.mkdir(parents=True)
    (tiny.release / "tiny.ipynb").write_text("the last one")
    entered = []
    monkeypatch.setattr("gradlab_staff.gradebook.save_cells", entered.append)
    with pytest.raises(CourseError):
        release(edit(tiny, lambda cells: by_id(cells, "setup").update(source="1 / 0")))
    assert entered == []
    assert [path.name for path in tiny.release.parent.iterdir()] == ["tiny"]
    assert (tiny.release / "tiny.ipynb").read_text() == "the last one"
