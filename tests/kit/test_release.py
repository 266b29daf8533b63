"""A release is refused if anything contradicts itself, leaks or does not run; else it is put in place."""

import base64
import json
import os
import shutil
import subprocess
import sys
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
    (tiny.notebook.parent / "solved.webp").write_text("return 2 * x")
    (tiny.notebook.parent / "net.png").write_bytes(base64.b64decode(PIXEL))
    found = leak(tiny, lambda cells: None)
    for name in ("solved.py", "solved.webp"):
        assert f"{name}: expected only public_checks.py and tiny.ipynb and images (.gif, .jpeg, .jpg, .png," in found
    assert "in the release, got this file. Move it away." in found
    assert "got 2 faults" in found
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


# --- blanks, ids, points, checks: found before nbgrader is imported


BLANKS = [
    ("def double(x):\n    ### BEGIN SOLUTION it\n    return 2 * x\n", "with its `### END SOLUTION`, got one alone", 2),
    ("def double(x):\n    return 2 * x\n    ### END SOLUTION", "expected `### BEGIN SOLUTION` before", 3),
    (
        "### BEGIN SOLUTION a\nx = 1\n### BEGIN SOLUTION b\ny = 1\n### END SOLUTION",
        "before the next blank in line 3",
        1,
    ),
    ("### BEGIN SOLUTION a\nx = 1\n### END SOLUTION\n### END SOLUTION", "expected `### BEGIN SOLUTION` before", 4),
    ("### begin solution a\nx = 1\n### END SOLUTION", "alone on its line, got `### begin solution a`", 1),
    ("### BEGIN SOLUTION a\nx = 1\n### End Solution", "alone on its line, got `### End Solution`", 3),
    ("# BEGIN SOLUTION a\nx = 1\n### END SOLUTION", "alone on its line, got `# BEGIN SOLUTION a`", 1),
    ("###BEGIN SOLUTION a\nx = 1\n### END SOLUTION", "alone on its line, got `###BEGIN SOLUTION a`", 1),
    ("### BEGIN_SOLUTION a\nx = 1\n### END SOLUTION", "alone on its line, got `### BEGIN_SOLUTION a`", 1),
    ("x = 0  ### BEGIN SOLUTION a\nx = 1\n### END SOLUTION", "alone on its line, got `x = 0  ### BEGIN", 1),
    ("### BEGIN SOLUTION\nx = 1\n### END SOLUTION", "expected a hint after `### BEGIN SOLUTION`", 1),
]


@pytest.mark.parametrize(("source", "fault", "line"), BLANKS)
def test_faults_of_blanks(tiny, source, fault, line):
    """A marker that is missing, nested, in another writing or without a hint: one message, with cell and line."""
    (found,) = faults(edit(tiny, lambda cells: by_id(cells, "double_solution").update(source=source)))
    assert found.startswith("tiny/double_solution: expected ")
    assert fault in found
    assert found.endswith(f"(line {line} of the cell)")


def test_a_question_needs_its_end_too(tiny):
    """The model answer would be released with the prose below."""
    (found,) = faults(edit(tiny, lambda cells: by_id(cells, "why").update(source="### BEGIN SOLUTION\nBecause.")))
    assert found.startswith("tiny/why: expected each `### BEGIN SOLUTION` with its `### END SOLUTION`")


def test_a_blank_stands_in_a_solution_cell(tiny):
    """nbgrader would refuse the one, and empty the other as a whole."""

    def change(cells):
        by_id(cells, "setup")["source"] = "### BEGIN SOLUTION a\nx = 1\n### END SOLUTION"
        by_id(cells, "halve_solution")["source"] = "def halve(x):\n    return x / 2"

    assert faults(edit(tiny, change)) == [
        "tiny/setup: expected a blank in a solution cell, got one in another. Set the cell's type.",
        "tiny/halve_solution: expected a blank (### BEGIN SOLUTION <hint>, ### END SOLUTION), got none. Add it.",
    ]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        *[
            ("ten", "'ten'"),
            ("4", "'4'"),
            (-1, "-1"),
            (0, "0"),
            (None, "None"),
            (True, "True"),
            ([4], "[4]"),
            ({}, "{}"),
        ],
        *[(float("nan"), "nan"), (float("inf"), "inf"), (-0.5, "-0.5"), (10**400, "1000")],
    ],
)
def test_points_that_are_none(tiny, value, told):
    """Text, negative, no number, no finite one: told as it stands there, and no traceback."""

    def change(cells):
        for id in ("double", "why"):
            by_id(cells, id)["metadata"]["nbgrader"]["points"] = value

    one, other = faults(edit(tiny, change))
    assert one.startswith(f"tiny/double: expected points above 0, got {told}")
    assert other.startswith(f"tiny/why: expected points above 0, got {told}")


def test_points_that_are_missing(tiny):
    """The same."""
    (found,) = faults(edit(tiny, lambda cells: by_id(cells, "why")["metadata"]["nbgrader"].pop("points")))
    assert found == "tiny/why: expected points above 0, got none. Set the points of the cell."


@pytest.mark.parametrize(
    "id", ["drop out", "drop/out", "drop-out", "1st", "lambda", "_x", "dröp", "", "x" * 200, None, 7]
)
def test_ids_that_no_exercise_can_have(tiny, id):
    """A file, a function and a row of the gradebook bear it: one message, whatever else comes of it."""
    (found,) = faults(edit(tiny, lambda cells: by_id(cells, "halve")["metadata"]["nbgrader"].update(grade_id=id)))
    assert found.startswith("tiny cell 6: expected an id (the name of a Python function, as check(…), public_checks.py")


def test_an_id_with_a_hyphen_and_its_grader_are_one_fault(tiny):
    """Where the instructor named grader and cells alike, only the id is wrong."""
    (tiny.graders / "test_halve.py").rename(tiny.graders / "test_drop_out.py")

    def change(cells):
        by_id(cells, "halve")["metadata"]["nbgrader"]["grade_id"] = "drop out"
        by_id(cells, "halve_solution")["metadata"]["nbgrader"]["grade_id"] = "drop_out_solution"

    (found,) = faults(edit(tiny, change))
    assert "got 'drop out'. Set it in Create Assignment." in found


@pytest.mark.parametrize("id", ["set up", "a/b", "", None, 7, "ü", "x" * 101])
def test_ids_that_no_cell_can_have(tiny, id):
    """nbgrader's own rule, found early."""
    (found,) = faults(edit(tiny, lambda cells: by_id(cells, "setup")["metadata"]["nbgrader"].update(grade_id=id)))
    assert found.startswith("tiny cell 2: expected an id (letters, digits, _ and -, at most 100), got ")


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ('check("misspelt")', "tiny/double: expected check('double') in this cell, got check('misspelt')"),
        ('check("halve")', "tiny/double: expected check('double') in this cell, got check('halve')"),
        ("check(halve)", "tiny/double: expected check('double') in this cell, got check(halve)"),
        ("check()", "tiny/double: expected check('double') in this cell, got check()."),
        ('%%time\ncheck("tripled")', "tiny/double: expected check('double') in this cell, got check('tripled')"),
    ],
)
def test_checks_of_another_exercise(tiny, source, fault):
    """The check of a grade cell has the cell's id."""
    (found,) = faults(edit(tiny, lambda cells: by_id(cells, "double").update(source=source)))
    assert found.startswith(fault)


@pytest.mark.parametrize(
    ("source", "got"),
    [
        ('# check("double")', "no call of it"),
        ("assert double(1) == 2", "no call of it"),
        ('import gradlab\ngradlab.check("nope")', "gradlab.check('nope')"),
        ('from gradlab import check as c\nc("halve")', "c('halve')"),
        ('import gradlab as g\ng.check("halve")', "g.check('halve')"),
        ('check(exercise="nope")', "check(exercise='nope')"),
        ('check(f"double")', "check(f'double')"),
        ('for name in ["double", "nope"]:\n    check(name)', "check(name)"),
        ('check("double"', "no Python: '(' was never closed in line 1"),
    ],
)
@pytest.mark.parametrize("exercise", ["double", "halve"])
def test_checks_in_another_form(tiny, source, got, exercise):
    """Of every exercise, the first that is tried and those after it; what stands there is told as it stands there."""
    source, got = ((text if exercise == "double" else _swapped(text)) for text in (source, got))
    (found,) = faults(edit(tiny, lambda cells: by_id(cells, exercise).update(source=source)))
    assert found.startswith(f"tiny/{exercise}: expected check('{exercise}') in this cell, got {got}.")


def _swapped(text: str) -> str:
    return text.replace("double", "?").replace("halve", "double").replace("?", "halve")


@pytest.mark.parametrize(
    "source",
    [
        'import gradlab\ngradlab.check("double")',
        'from gradlab import check as c\nc("double")',
        "check(double)",
        'check(exercise="double")',
        '%%time\ncheck("double")',
    ],
)
def test_checks_in_a_form_that_is_right(tiny, source):
    """By the package, by another name, without quotes, by keyword, timed."""
    assert faults(edit(tiny, lambda cells: by_id(cells, "double").update(source=source))) == []


def test_a_check_by_a_name_that_is_no_exercise(tiny):
    """In a demonstration too it is told as it stands there."""
    (found,) = faults(edit(tiny, lambda cells: by_id(cells, "setup").update(source="name = 'nope'\ncheck(name)")))
    assert found == (
        "tiny/setup: expected the name of an exercise in quotes, got check(name). Write one of: double, halve."
    )


def test_checks_that_there_are_not(tiny):
    """A helper that is imported is no exercise, in a demonstration neither."""
    (tiny.notebook.parent / "public_checks.py").write_text(CHECKS.replace("def halve", "def halved"))
    found = faults(edit(tiny, lambda cells: by_id(cells, "setup").update(source='check("holds")')))
    assert [fault.split(",")[0] for fault in found] == [
        "tiny/setup: expected a function `holds` in public_checks.py for check('holds')",
        "tiny/halve: expected a function `halve` in public_checks.py for check('halve')",
    ]
    assert all("It has: double, halved." in fault for fault in found)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (None, "tiny: expected public_checks.py beside the notebook, got none"),
        ("def (", "public_checks.py: expected it to run, got SyntaxError: "),
        ("import no_such_module", "public_checks.py: expected it to run, got ModuleNotFoundError: "),
        ("raise SystemExit(0)", "public_checks.py: expected it to run, got SystemExit: 0"),
    ],
)
def test_public_checks_that_do_not_run(tiny, text, fault):
    """Missing, no Python, failing: one fault."""
    path = tiny.notebook.parent / "public_checks.py"
    path.write_text(text) if text else path.unlink()
    (found,) = faults(tiny)
    assert found.startswith(fault)


def test_all_faults_at_once_and_without_nbgrader(tiny):
    """The command tells all that is wrong before it imports nbgrader, which takes seconds."""

    def change(cells):
        by_id(cells, "double_solution")["source"] = "def double(x):\n    ### BEGIN SOLUTION it\n    return 2 * x"
        by_id(cells, "double")["source"] = 'check("doubled")'
        by_id(cells, "halve")["metadata"]["nbgrader"]["points"] = "ten"
        by_id(cells, "why")["metadata"]["nbgrader"]["grade_id"] = "why not"

    edit(tiny, change)
    code = "import sys\nfrom gradlab_staff.cli import main\ntry:\n    main(['release', 'tiny'])\n"
    code += "finally:\n    assert 'nbgrader' not in sys.modules"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tiny.course.root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "got 4 faults:\n- tiny cell 7: expected an id (letters" in done.stderr
    for part in ("got one alone", "got check('doubled')", "got 'ten'"):
        assert part in done.stderr
    assert done.stderr.endswith("Released nothing. Fix them, then run: gradlab release tiny\n")


# --- lines of a solution outside its blank


OUTSIDE = """\
def double(x):
    ### BEGIN SOLUTION double it
    total = x + x
    twice = total  # not x
    if twice is None:
        pass
    else:
        pass
    import numpy as np
    return np.asarray(twice, dtype=float)
    ### END SOLUTION
"""


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("def other(twice):\n    return np.asarray(twice, dtype=float)", 2),
        ("def other(twice):\n    return np.asarray( twice,dtype = float )  # the same", 2),
        ("x = 1\ntotal = x + x\ntwice = total", 2),
        ("x = 1\ntotal=x+x\n\n# and then\ntwice = total", 2),
    ],
    ids=["long", "other spaces", "two in a row", "with a comment between"],
)
@pytest.mark.parametrize("where", ["setup", "double_solution"])
def test_lines_outside_the_blank(tiny, source, line, where):
    """A long line, or two in a row, in a given cell or above the blank: named with cell and line."""

    def change(cells):
        by_id(cells, "double_solution")["source"] = OUTSIDE
        cell = by_id(cells, where)
        cell["source"] = source + "\n" + cell["source"]

    found = leak(tiny, change)
    number = 2 if where == "setup" else 3
    assert "tiny/double_solution: expected no line of a solution outside its blank, got `" in found
    assert f"in tiny.ipynb cell {number} ({where}) line {line}." in found


def test_lines_that_are_no_copy(tiny):
    """One short line, imports, `else: pass`, comments, and the same lines apart."""

    def change(cells):
        by_id(cells, "double_solution")["source"] = OUTSIDE
        given = "import numpy as np\nx = 1\nif x:\n    pass\nelse:\n    pass\ntotal = x + x\nx = 2\ntwice = total"
        by_id(cells, "setup")["source"] = f"from gradlab import check\n{given}"

    assert release(edit(tiny, change)).not_graded == ""


# --- names


@pytest.mark.parametrize(
    ("name", "given", "leaks"),
    [
        ("doubling", "", False),  # an English word
        ("learning_rate", "learning_rate = 1", False),  # students' own code
        ("learning_rate", "config = {'learning_rate': 1}", False),
        ("learning_rate", "def step(learning_rate): ...", False),
        ("kept_x", "", True),
        ("kept_x", "# see kept_x", True),  # a comment is no code
        ("kept", "", False),
    ],
)
def test_names_of_misconceptions(tiny, name, given, leaks):
    """A name tells something if it is no word of the language, nor of the notebook's code."""
    (tiny.graders / "misconceptions.py").write_text(MISCONCEPTIONS.replace("forgot_to_double", name))

    def change(cells):
        cells[0]["source"] = f"# Tiny\nHere we learn doubling, with a {name.replace('_', ' ')} and a `{name}`."
        by_id(cells, "setup")["source"] = f"from gradlab import check\n{given}"

    changed = edit(tiny, change)
    if leaks:
        with pytest.raises(CourseError, match=f"{name}: expected no name of a hidden grader or misconception"):
            release(changed)
    else:
        release(changed)


def test_a_name_inside_a_longer_word_is_another_name(tiny):
    """`test_double` is no part of `latest_doubles`."""
    release(edit(tiny, lambda cells: cells[0].update(source="See latest_doubles.")))


# --- the instructor's own solution


def test_graders_that_fail_on_the_instructors_solution(tiny):
    """Exercise, check and reason, together with what else is wrong."""
    (tiny.graders / "test_double.py").write_text(
        'def test_three(submission):\n    """Three."""\n    assert submission.double(3) == 7, "Expected 7, got 6."\n'
    )
    (tiny.notebook.parent / "net.txt").write_text("")
    with pytest.raises(CourseError) as caught:
        release(tiny)
    told = str(caught.value)
    assert "- tiny/double: expected test_three to pass on your own solution, got failed: Expected 7, got 6." in told
    assert "- net.txt: expected only public_checks.py" in told
    assert "got 2 faults" in told
    assert not tiny.release.exists()


def test_a_solution_that_does_not_run(tiny):
    """The hidden graders see it; the cells up to the first stub do not."""
    (tiny.graders / "test_halve.py").write_text("def test_three(submission):\n    submission.halve(3)\n")

    def change(cells):
        by_id(cells, "halve_solution")["source"] = SOLUTION.format(name="halve", body="x / zero")

    found = leak(tiny, change)
    assert "tiny/halve: expected test_three to pass on your own solution, got failed: Your code raised" in found
    assert "got one fault:" in found
    assert "Fix it, then run: gradlab release tiny" in found


def test_a_grader_that_breaks(tiny):
    """The instructor reads why."""
    (tiny.graders / "test_halve.py").write_text("def test_three(submission, no_such_fixture): ...\n")
    assert "expected the hidden graders to come to a result, got " in leak(tiny, lambda cells: None)


def test_without_recordings_it_is_said_that_the_graders_did_not_run(tiny):
    """They may read what `gradlab record` writes: a release needs it not."""
    (tiny.graders / "recordings.py").write_text("")
    report = release(tiny)
    assert report.not_graded == (
        "expected reference/tiny.json, which they may read, got none. Run: gradlab record tiny"
    )


def test_without_a_sandbox_it_is_said_that_the_graders_did_not_run(tmp_path, monkeypatch):
    """The release is made all the same, by the command, and it says so."""
    assignment = make_course(tmp_path)
    empty = tmp_path / "no-programs"
    empty.mkdir()
    alembic = shutil.which("alembic")  # nbgrader's, for the gradebook
    (empty / "alembic").symlink_to(alembic)
    done = subprocess.run(
        [sys.executable, "-m", "gradlab", "release", "tiny"],
        cwd=tmp_path,
        env={**os.environ, "PATH": str(empty)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "made, leaks nothing, runs up to the first stub." in done.stdout
    assert "The hidden graders pass" not in done.stdout
    assert "The hidden graders did not run on your own solution: " in done.stderr
    assert "bubblewrap" in done.stderr
    assert (assignment.release / "tiny.ipynb").is_file()


# --- what lies beside the notebook


PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
LITTER = (".DS_Store", "._tiny.ipynb", ".tiny.ipynb.swp", "tiny.ipynb~", "Thumbs.db", "desktop.ini", ".git/config")
LITTER += ("__pycache__/x.pyc", ".ipynb_checkpoints/tiny-checkpoint.ipynb", "#tiny.ipynb#", "img/.DS_Store", "a.swp")
PICTURES = ("net.png", "Figure 1.PNG", "img/photo.JPG", "img/deep/curve.JpEg", "a.GIF", "b.SVG")


@pytest.fixture(scope="module")
def illustrated(tmp_path_factory):
    """A release of a folder as it grows on a desk: pictures, pasted ones too, and litter."""
    assignment = make_course(tmp_path_factory.mktemp("course"))
    for name in (*LITTER, *PICTURES):
        path = assignment.notebook.parent / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"<svg/>" if path.suffix == ".SVG" else base64.b64decode(PIXEL))
    picture = {"image/png": PIXEL}

    def change(cells):
        cells[0]["source"] = "# Tiny\n![a](attachment:fig.png)\n![b](attachment:Screenshot%201.png)"
        cells[0]["attachments"] = {"fig.png": picture, "Screenshot 1.png": picture}
        why = by_id(cells, "why")
        why["source"] = (
            "Why? ![c](attachment:ask.png)\n### BEGIN SOLUTION\n![d](attachment:answer.png)\n### END SOLUTION"
        )
        why["attachments"] = {"ask.png": picture, "answer.png": picture}

    report = release(edit(assignment, change))
    return report, json.loads((report.folder / "tiny.ipynb").read_text())["cells"]


def test_pictures_are_released_and_litter_is_not(illustrated):
    """Whatever the case of a suffix, in folders too; what editors and systems leave stays behind, unasked."""
    report, _ = illustrated
    assert report.files == tuple(sorted((*PICTURES, "public_checks.py", "tiny.ipynb")))


def test_pasted_pictures_are_released(illustrated):
    """Those of prose and question, as they were."""
    _, cells = illustrated
    assert cells[0]["attachments"] == {name: {"image/png": PIXEL} for name in ("fig.png", "Screenshot 1.png")}
    assert list(by_id(cells, "why")["attachments"]) == ["ask.png"]


def test_a_pasted_picture_of_a_model_answer_is_a_leak(released, tmp_path):
    """The text is gone, the picture would be there: taken out by the release, and looked for after it."""
    picture = {"answer.png": {"image/png": PIXEL}}
    found = spoil(released, tmp_path, lambda cells: by_id(cells, "why").update(attachments=picture))
    assert found == [
        "tiny.ipynb cell 7: expected pasted pictures that its text shows, got answer.png. "
        "Paste it into a cell of prose, or make the cell anew without it."
    ]


@pytest.mark.parametrize(
    "text",
    [
        "![a](attachment:lost%20one.png)",
        "![a][1]\n\n[1]: attachment:lost%20one.png",
        "<img src='attachment:lost one.png'>",
    ],
)
def test_a_picture_that_was_not_pasted(tiny, text):
    """A link to it alone breaks formgrader's page; a name in a sentence is no link."""
    (found,) = faults(edit(tiny, lambda cells: cells[0].update(source=f"# Tiny\n{text}\nan attachment: one")))
    assert found == (
        "tiny cell 1: expected the picture lost one.png to be pasted into the cell, got a link to it alone. "
        "Paste it again."
    )


# --- markers of nbgrader that gradlab has other places for


HIDDEN = [
    ("### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS"),
    ("### BEGIN HIDDEN TEST", "### END HIDDEN TEST"),
    ("### begin hidden tests", "### end hidden tests"),
    ("### BEGIN HIDDEN TESTS", ""),
    ("### HIDDEN TESTS", ""),
    ("# hidden tests:", ""),
    ("###BEGIN_HIDDEN_TESTS", ""),
    ("#### Begin hiden tests", ""),
    ("x = 1  # BEGIN HIDDEN TESTS", ""),
    ("### HIDDEN TESTS BEGIN", "### HIDDEN TESTS END"),
    ("### START HIDDEN TESTS", ""),
]


@pytest.mark.parametrize(("begin", "end"), HIDDEN)
def test_hidden_tests_in_a_cell(tiny, begin, end):
    """In any writing they are refused, and it is said where they belong; nbgrader would release some as they are."""
    source = f'check("halve")\n{begin}\nassert halve(2) == 1\n{end}'
    (found,) = faults(edit(tiny, lambda cells: by_id(cells, "halve").update(source=source)))
    assert found == (
        f"tiny/halve: expected no hidden tests in a cell, got `{begin}` (line 2 of the cell). "
        "gradlab's are in tests/graders/tiny/test_halve.py. Move them there."
    )


@pytest.mark.parametrize(
    "line",
    [
        "=== BEGIN MARK SCHEME ===",
        "== Begin marking scheme ==",
        "### MARK SCHEME",
        "### END MARKSCHEME",
        "===MARK SCHEME===",
    ],
)
def test_mark_schemes_in_a_cell(tiny, line):
    """A rubric stands in the blank of its question, where it is taken out."""
    (found,) = faults(edit(tiny, lambda cells: cells[0].update(source=f"# Tiny\n{line}\n3 points")))
    assert found == (
        f"tiny cell 1: expected no mark scheme in a cell, got `{line}` (line 2 of the cell). "
        "Write it into the blank of its question, as the rubric."
    )


@pytest.mark.parametrize("line", ["### END SOLUTON", "### SOLUTION END", "### End of the solution", "### ENDSOLUTIONS"])
def test_ends_with_a_slip(tiny, line):
    """A typing error is told as one: not that the end is missing."""
    source = f"def double(x):\n    ### BEGIN SOLUTION it\n    return 2 * x\n    {line}"
    (found,) = faults(edit(tiny, lambda cells: by_id(cells, "double_solution").update(source=source)))
    assert "expected `### END SOLUTION` alone on its line, got `###" in found


def test_prose_that_is_no_marker(tiny):
    """Headings and comments with the same words."""
    prose = "## Hidden tests\n## Solution\n### Mark schemes\n# The end\n# Begin with the solution of exercise 1"
    code = (
        "# hidden tests judge this too\n# begin the evolution\nx = 1\ny = x == 1  # solution\n# start solution\nz = 0"
    )

    def change(cells):
        cells[0]["source"] = prose
        answer = "## SOLUTION\nBecause.\n### MARK SCHEME\n- 3: says so"
        by_id(cells, "why")["source"] = f"### BEGIN SOLUTION\n{answer}\n### END SOLUTION"
        by_id(cells, "setup")["source"] += f"\n{code}"

    assert faults(edit(tiny, change)) == []


def test_markers_in_the_public_checks(tiny):
    """Nothing takes them out of there."""
    path = tiny.notebook.parent / "public_checks.py"
    path.write_text(CHECKS + "\n\n### begin hidden tests\n")
    (found,) = faults(tiny)
    assert found.startswith("public_checks.py: expected no marker, got `### begin hidden tests` in line 13.")


# --- expressions of a solution outside its blank


COMPUTED = [
    "print(np.mean((y_hat - y) ** 2))",
    "loss = np.mean((y_hat-y)**2)",
    "f = lambda y_hat, y: np.mean((y_hat - y) ** 2)",
    "loss = np.mean(\n    ((y_hat - y)) ** 2,\n)",
    "# np.mean( (y_hat - y)**2 )",
    'hint = "np.mean((y_hat - y) ** 2)"',
]
MEAN = SOLUTION.format(name="double", body="np.mean((y_hat - y) ** 2)")


@pytest.mark.parametrize("text", COMPUTED)
def test_an_expression_of_a_blank_elsewhere(tiny, text):
    """Printed, assigned, in a lambda, over several lines, in a comment: named with cell and line."""

    def change(cells):
        by_id(cells, "double_solution")["source"] = MEAN
        cells.insert(5, code(f"def later():\n    y = 1\n{text}", "demo", locked=True))

    found = leak(tiny, change)
    assert "tiny/double_solution: expected nothing that a solution computes outside its blank, got" in found
    assert (
        "got `np.mean((y_hat - y) ** 2)` in tiny.ipynb cell 6 (demo) line 3. Reword it there, or take it out." in found
    )


def test_an_expression_of_a_blank_in_prose_and_in_the_public_checks(tiny):
    """In a code span; in the checks, where the blank has no other."""
    path = tiny.notebook.parent / "public_checks.py"
    path.write_text(CHECKS + "\n\ndef _loss(y_hat, y):\n    loss = np.mean((y_hat - y)**2)\n    return loss\n")

    def change(cells):
        by_id(cells, "double_solution")["source"] = MEAN
        cells[0]["source"] = "# Tiny\nIt is `np.mean((y_hat-y)**2)`."

    found = leak(tiny, change)
    assert "got `np.mean((y_hat - y) ** 2)` in tiny.ipynb cell 1 line 2." in found
    assert "got `np.mean((y_hat - y) ** 2)` in public_checks.py line 14." in found


def test_expressions_that_are_no_copy(tiny):
    """Other names, a call alone, a short one, a part of it."""

    def change(cells):
        source = "def double(x):\n    ### BEGIN SOLUTION it\n    y = forward_backward(x, y)\n"
        source += "    return np.mean((y_hat - y) ** 2)\n    ### END SOLUTION"
        by_id(cells, "double_solution")["source"] = source
        given = "def demo():\n    print(np.mean((a - b) ** 2), (y_hat - y) ** 2)\n    return forward_backward(x, y)"
        by_id(cells, "setup")["source"] += f"\n{given}"

    assignment = edit(tiny, change)
    make_at_once(assignment)
    assert proof.leaks(assignment, assignment.release) == []


# --- links, and pictures that are none


def test_links_and_pipes_in_the_folder(tiny, tmp_path):
    """None is followed, whatever its name; the message names it."""
    folder = tiny.notebook.parent
    (folder / "x.png").symlink_to("/etc/hostname")
    (folder / "img").symlink_to("/etc")
    (folder / "deep").mkdir()
    os.mkfifo(folder / "deep" / "pipe.png")
    assert faults(tiny) == [
        "deep/pipe.png: expected a file, got a pipe, socket or device. Move it away.",
        "img: expected a file, got a link to /etc. Put the file itself there.",
        "x.png: expected a file, got a link to /etc/hostname. Put the file itself there.",
    ]


def test_a_second_notebook_beside_the_first(tiny):
    """nbgrader would convert it, too."""
    (tiny.notebook.parent / "tiny-Copy1.ipynb").write_text("x")
    assert faults(tiny) == ["tiny-Copy1.ipynb: expected one notebook, tiny.ipynb, got this one too. Move it away."]


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("notes.png", "expected a PNG, JPEG or GIF, got something else."),
        ("img/notes.JPG", "expected a PNG, JPEG or GIF, got something else."),
        ("notes.gif", "expected a PNG, JPEG or GIF, got something else."),
        ("notes.svg", "expected a picture in SVG, got something else."),
    ],
)
def test_text_that_is_named_like_a_picture(tiny, name, fault):
    """It would be handed out unread."""
    path = tiny.notebook.parent / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("return 2 * x\n")
    assert faults(tiny) == [f"{name}: {fault} Save it as one, or move it away."]


SVG = '<svg xmlns="http://www.w3.org/2000/svg"><text>\nreturn x if x &lt; 0 else 2 * x\n</text></svg>'
SECRET = SOLUTION.format(name="double", body="x if x < 0 else 2 * x")


def test_a_drawing_with_a_solution(tiny):
    """An SVG is text: it is read as the public checks are, beside the notebook and pasted."""
    (tiny.notebook.parent / "a.svg").write_text(SVG)

    def change(cells):
        by_id(cells, "double_solution")["source"] = SECRET
        cells[0]["source"] = "# Tiny\n![a](attachment:b.svg)"
        cells[0]["attachments"] = {"b.svg": {"image/svg+xml": base64.b64encode(SVG.encode()).decode()}}

    found = leak(tiny, change)
    assert "got `return x if x < 0 else 2 * x` in a.svg line 2." in found
    assert "got `return x if x < 0 else 2 * x` in tiny.ipynb pasted SVG line 2." in found


def test_a_drawing_with_one_short_line(tiny):
    """A drawing needs none of them, unlike a public check."""
    (tiny.notebook.parent / "a.svg").write_text("<svg>\n<text x='1'><tspan\ny='2'>return 2 * x</tspan></text></svg>")
    assert "got `return 2 * x` in a.svg line 3." in leak(tiny, lambda cells: None)


def test_the_name_of_a_picture(tiny):
    """It is read by students as well."""
    (tiny.notebook.parent / "forgot_to_double.png").write_bytes(base64.b64decode(PIXEL))
    assert "got `forgot_to_double` in file names line" in leak(tiny, lambda cells: None)


@pytest.mark.parametrize(
    ("forms", "fault"),
    [
        ({"text/plain": "return 2 * x"}, "expected a picture (PNG, JPEG, GIF or SVG), got text/plain."),
        ({"image/png": "not base64!!"}, "expected base64, got other text."),
        ({"image/png": ["bm90IG", "Jhc2U2NA=="]}, "expected a PNG, JPEG or GIF, got something"),
        ({"image/svg+xml": "<svg/>"}, "expected base64, got other text."),
        ({"image/png": 7}, "expected base64, got other text."),
    ],
)
def test_attachments_that_are_no_pictures(tiny, forms, fault):
    """Of another type, of no encoding, of other bytes."""

    def change(cells):
        cells[0].update(source="# Tiny\n![a](attachment:a.txt)", attachments={"a.txt": forms})

    (found,) = faults(edit(tiny, change))
    assert found.startswith(f"tiny cell 1: attachment a.txt: {fault}")
    assert found.endswith("Paste the picture again, into a new cell.")


@pytest.mark.parametrize(
    "text",
    [
        "![](figs/not_there.png)",
        '![a net](<figs/not_there.png> "a title")',
        "![a][1]\n\n[1]: figs/not_there.png",
        "<img width=3 src='figs/not_there.png'>",
        "![](./figs/../figs/not_there.png)",
    ],
)
def test_pictures_that_are_not_in_the_folder(tiny, text):
    """The release would show a broken one."""
    (found,) = faults(edit(tiny, lambda cells: cells[0].update(source=f"# Tiny\n{text}")))
    assert found.startswith("tiny cell 1: expected the picture ")
    assert found.endswith("figs/not_there.png in source/tiny/, got none. Put it there, or paste it.")


@pytest.mark.parametrize("path", ["../two/net.png", "/net.png", "net.webp", ".net.png"])
def test_pictures_that_are_not_handed_out(tiny, path):
    """Outside the folder, hidden, of a kind that is not released."""
    for name in ("net.webp", ".net.png"):
        (tiny.notebook.parent / name).write_bytes(base64.b64decode(PIXEL))
    (found,) = faults(edit(tiny, lambda cells: cells[0].update(source=f"# Tiny\n![]({path})")))
    assert f"expected the picture {path} in source/tiny/, got none" in found


def test_pictures_that_are_there(tiny):
    """In a folder, of another server, as an example in code, and in a model answer, which is taken out."""
    (tiny.notebook.parent / "img").mkdir()
    (tiny.notebook.parent / "img" / "a b.png").write_bytes(base64.b64decode(PIXEL))
    text = "![](img/a%20b.png) ![](<img/a b.png>) ![](https://example.org/x.png) `![](y.png)`\n```\n![](z.png)\n```"

    def change(cells):
        cells[0]["source"] = f"# Tiny\n{text}"
        by_id(cells, "why")["source"] = "### BEGIN SOLUTION\n![](answer.png)\n### END SOLUTION"

    assert faults(edit(tiny, change)) == []


# --- notebooks that Jupyter or nbgrader refuse


@pytest.mark.parametrize(
    ("ids", "told"),
    [
        (["a b c!"], "'a b c!' in cell 1. Delete"),
        (["x" * 65], "… in cell 1. Delete"),
        ([7], "7 in cell 1. Delete"),
        ([""], "'' in cell 1. Delete"),
        (["same", "same", "other"], "'same' in cell 1, 'same' in cell 2. Delete"),
        (["same"] * 7, "'same' in cell 1, 'same' in cell 2, 'same' in cell 3 and 4 more. Delete"),
    ],
)
def test_ids_of_cells_that_jupyter_refuses(tiny, ids, told):
    """One message for all of them."""

    def change(cells):
        for cell, id in zip(cells, ids, strict=False):
            cell["id"] = id

    (found,) = faults(edit(tiny, change))
    assert found.startswith("tiny: expected an `id` of its own for each cell, of letters, digits, - and _, at most 64")
    assert told in found


def test_what_nbgrader_refuses_in_one_line(tmp_path):
    """Its last error, and where all of its log is; by the command, as it prints it."""
    assignment = make_course(tmp_path)
    edit(assignment, lambda cells: cells[0].update(cell_type="prose"))
    done = subprocess.run(
        [sys.executable, "-m", "gradlab", "release", "tiny"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    log = tmp_path / ".gradlab" / "release-tiny.log"
    assert "tiny: expected nbgrader to make the student version, got `" in done.stderr
    assert f"(all of its log: {log}). Nothing was changed in release/." in done.stderr
    assert len(done.stderr) < 1000
    assert "Traceback" in log.read_text()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b'{"cells": [', "no JSON: Expecting value in line 1, column 12."),
        (b"<<<<<<< HEAD\n{}", "no JSON: Expecting value in line 1, column 1."),
        (b"\xff\xfe", "another encoding than UTF-8."),
        (b'{"cells": 7}', "TypeError("),
        (b'{"worksheets": []}', "KeyError('cells')."),
    ],
)
def test_a_notebook_that_is_none(tiny, text, told):
    """Line and column; Jupyter could not open it either."""
    tiny.notebook.write_bytes(text)
    with pytest.raises(CourseError) as caught:
        faults(Course(tiny.course.root).assignment("tiny"))
    assert f"expected a notebook (JSON, nbformat 4), got {told}" in str(caught.value)
    assert "Restore it from git or a backup" in str(caught.value)


# --- graders that cannot be imported


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import no_such_module\n", "test_halve.py line 1: ModuleNotFoundError: No module named 'no_such_module'"),
        ("import sys\nsys.exit(0)\n", "test_halve.py line 2: SystemExit: 0"),
        (
            "from gradlab_staff.grading import weight\n@weight('two')\ndef test_x(submission): ...\n",
            "test_halve.py line 2: ",
        ),
        ("1 / 0\n", "test_halve.py line 1: ZeroDivisionError: division by zero"),
    ],
)
def test_graders_that_cannot_be_imported(tiny, text, told):
    """File, line and error, and a command that can be pasted."""
    (tiny.graders / "test_halve.py").write_text(text + "def test_three(submission): ...\n")
    found = leak(tiny, lambda cells: None)
    assert f"expected the hidden graders to come to a result, got {told}" in found
    assert f"--submission {tiny.notebook} --grading-seed" in found
