"""A submission's notebook is found, read and planned, whatever it holds."""

import json
import os
import platform
import re
import resource
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gradlab_staff.course import Assignment, Cell, Course, magics
from gradlab_staff.course.template import exercise_of, stub
from gradlab_staff.host.cells import Cells
from gradlab_staff.intake import notebook
from gradlab_staff.intake.matching import Kind, match
from gradlab_staff.intake.notebook import Notebook, open_notebook
from gradlab_staff.intake.plan import Plan, plan

HERE = Path(__file__).parents[1] / "submissions"
OURS = ".".join(platform.python_version_tuple()[:2])
SOLUTIONS = {"double": "def double(x):\n    return x + x", "step": "step_size = 0.25"}


def plan_of(assignment: Assignment, cells: Iterable[Cell]) -> Plan:
    """The plan of a notebook of these cells."""
    return plan(assignment, match(assignment, Notebook(tuple(cells))))


@pytest.fixture(scope="module")
def tiny() -> Assignment:
    return Course(HERE / "course").assignment("tiny")


@pytest.fixture
def planned(tiny: Assignment):
    def planned(name: str) -> Plan:
        return plan_of(tiny, open_notebook(HERE / name).cells)

    return planned


def run(planned: Plan) -> dict[str, Any]:
    """The names after running a plan as a host does."""
    cells = Cells({})
    for code in planned.code:
        keeps = ("double",) if code.kind is Kind.OWN else ()
        cells.run(code.label, code.source, code.only, code.kind, keeps)
    cells.finish()
    return cells.namespace


def solutions(planned: Plan) -> dict[str, str]:
    """The code of the student's solution cells, by exercise."""
    return {exercise_of(code.id): code.source for code in planned.code if code.kind is Kind.SOLUTION}


def labels(planned: Plan) -> list[str]:
    return [code.label for code in planned.code]


# --- the plan


def test_solved(planned):
    """Given and solution cells run in order; demonstrations, grade cells and prose do not."""
    found = planned("solved.ipynb")
    assert labels(found) == ["cell 2 (setup)", "cell 3 (double_solution)", "cell 6 (half)", "cell 7 (step_solution)"]
    assert [code.kind for code in found.code] == [Kind.GIVEN, Kind.SOLUTION, Kind.GIVEN, Kind.SOLUTION]
    assert found.warnings == ()
    assert solutions(found) == SOLUTIONS
    assert found.unchanged == frozenset()


def test_untouched(planned):
    """An exercise whose cell is as released is unchanged."""
    found = planned("untouched.ipynb")
    assert found.unchanged == {"double", "step"}
    assert found.warnings == ()


def test_cells_deleted(planned):
    """Given cells are put back before the first that follows; the stub of a missing solution stands in."""
    found = planned("cells_deleted.ipynb")
    assert labels(found) == [
        "given cell (setup)",
        "given cell (double_solution)",
        "given cell (half)",
        "cell 1 (step_solution)",
    ]
    assert found.warnings == (
        "double_solution: expected a code cell, got none. The exercise counts as not attempted.",
        "setup, double, half, step: expected locked cells as released, got none. Used the assignment's own.",
    )
    with pytest.raises(NotImplementedError, match='tiny/double: say "two times x"'):
        run(found)["double"](1)


def test_all_cells_deleted(tiny):
    """Of an empty notebook there is one warning, and everything is a stub."""
    found = plan_of(tiny, ())
    (warning,) = found.warnings
    assert warning == "expected the assignment's cells, got none of them. All exercises count as not attempted."
    assert labels(found)[0] == "given cell (setup)"
    assert solutions(found) == {}


def test_last_given_cell_deleted(tiny):
    """A given cell that nothing follows is put after the last that goes before it."""
    cells = [cell for cell in open_notebook(HERE / "solved.ipynb").cells if cell.id in ("setup", "double_solution")]
    assert labels(plan_of(tiny, cells)) == [
        "cell 1 (setup)",
        "cell 2 (double_solution)",
        "given cell (half)",
        "given cell (step_solution)",
    ]


def test_cells_duplicated(planned):
    """Both copies run, and the last definition counts."""
    found = planned("cells_duplicated.ipynb")
    assert run(found)["double"](1) == 3
    assert found.warnings == (
        "double_solution: expected one cell, got cells 3, 4. Ran them all: the last definition counts.",
    )


def test_stub_duplicated(planned):
    """A copy of the stub after the solution does not undo it."""
    found = planned("stub_duplicated.ipynb")
    assert run(found)["double"](2) == 4
    assert found.unchanged == frozenset()


def test_setup_copied_and_rewritten(planned):
    """A copy of a locked cell that was written over is the student's own cell."""
    found = planned("setup_copied_and_rewritten.ipynb")
    assert labels(found)[:2] == ["cell 2 (setup)", "cell 3"]
    assert found.code[1].kind is Kind.OWN
    assert run(found)["helper"] == 3
    assert found.warnings == ()


def test_cells_reordered(planned):
    """The student's cells keep their order; given cells come before whatever follows them in the assignment."""
    found = planned("cells_reordered.ipynb")
    assert labels(found) == [
        "given cell (setup)",
        "given cell (half)",
        "cell 1 (step_solution)",
        "cell 3 (double_solution)",
    ]
    assert found.warnings == (
        "cell 3 (double_solution): expected it before step, got it after. Kept the submission's order.",
    )


def test_given_cells_edited(planned):
    """The released text is run; imports and definitions that the student added are kept, other changes are not."""
    found = planned("given_cells_edited.ipynb")
    assert labels(found)[:2] == ["cell 2 (setup)", "cell 2 (setup, edited)"]
    assert [code.kind for code in found.code][:2] == [Kind.GIVEN, Kind.OWN]
    names = run(found)
    assert {"cmath", "p", "mine"} <= set(names)
    assert names["math"].__name__ == "math"
    assert found.warnings == (
        "cell 2 (setup): expected a locked cell as released, got it edited. Used the released text, "
        "and ran what was added in lines 2, 3, 6.",
        "cell 4 (double): expected a locked cell as released, got it edited. Used the released text, "
        "and ran what was added in line 2.",
    )


@pytest.mark.parametrize("name", ["metadata_stripped.ipynb", "nbformat3.ipynb"])
def test_metadata_stripped(planned, name):
    """Cells are recognised by their text, and solutions by what they define."""
    found = planned(name)
    assert [label.split(" (")[1] for label in labels(found)] == [
        "setup)",
        "double_solution)",
        "half)",
        "step_solution)",
    ]
    assert solutions(found) == SOLUTIONS
    assert found.warnings == ()


def test_metadata_odd(planned):
    """Metadata of the wrong types is no metadata."""
    found = planned("metadata_odd.ipynb")
    assert solutions(found) == SOLUTIONS
    assert run(found)["double"](2) == 4


def test_own_cells(planned):
    """The student's own cells run in their places, but for those that only call check."""
    found = planned("own_cells.ipynb")
    assert labels(found) == [
        "cell 2 (setup)",
        "cell 3",
        "cell 4 (double_solution)",
        "cell 7 (half)",
        "cell 8 (step_solution)",
    ]
    assert run(found)["double"](2) == 4


def test_solution_is_markdown(planned):
    """A solution cell turned into prose is not attempted, and the warning says why."""
    found = planned("solution_is_markdown.ipynb")
    assert found.warnings == (
        "double_solution: expected a code cell, got a markdown cell. The exercise counts as not attempted.",
    )


def test_magics(planned):
    """IPython's lines become plain Python; a cell in another language is skipped; text in strings stays."""
    found = planned("magics.ipynb")
    assert found.warnings == (
        "cell 4: expected Python, got a cell for %%bash. Skipped the cell.",
        "cell 2, line 2 (!pip install numpy \\), cell 2, line 4 (files = !ls), cell 2, line 5 (here = %pwd): "
        "expected Python, got commands of IPython. Skipped the lines.",
    )
    names = run(found)
    assert names["files"] is None
    assert names["text"] == "\n%not a magic\n!nor this\n"
    assert (names["last"], names["timed"]) == (1, 1)
    assert found.code[1].source.count("\n") == 13


def test_python2(planned):
    """A cell that does not parse is skipped, with Python's own words; the rest runs."""
    found = planned("python2.ipynb")
    assert found.warnings == (
        f"cell 3 (double_solution), line 2: Python {OURS} cannot read this (\"Missing parentheses in call to 'print'. "
        f'Did you mean print(...)?"). Is it newer Python? Grading has Python {platform.python_version()}. '
        "Skipped the cell.",
    )
    assert labels(found) == ["cell 2 (setup)", "cell 6 (half)", "cell 7 (step_solution)"]


def test_uses_demonstration(planned):
    """A demonstration runs where a solution uses its names."""
    found = planned("uses_demonstration.ipynb")
    assert run(found)["step_size"] == 0.25
    assert found.warnings == (
        "demo_twice: a solution uses names from these demonstration cells, so they were run as well.",
    )


def test_forgotten_variable(tiny):
    """A variable that a function forgot to set does not call for the demonstration that has one of its name."""
    cells = open_notebook(HERE / "solved.ipynb").cells
    forgot = "def double(x):\n    return numbers"
    cells = [Cell("code", forgot, cell.metadata) if cell.id == "double_solution" else cell for cell in cells]
    assert "demo_twice" not in " ".join(labels(plan_of(tiny, cells)))


def test_control_characters(planned):
    """No control character of a submission gets into a warning."""
    (warning,) = planned("control_characters.ipynb").warnings
    assert warning.isprintable()
    assert 'cannot read this ("invalid non-printable character U+0007")' in warning


def test_too_much_code(tiny, tmp_path, monkeypatch):
    """Code beyond the limit is not run; what is written is kept, and one cell of data costs no other."""
    monkeypatch.setattr("gradlab_staff.intake.notebook._MAX_CODE_CHARS", 60)
    whole = json.loads((HERE / "solved.ipynb").read_text())["cells"]
    opened = open_notebook(HERE / "solved.ipynb")
    assert "got more. Ran no code from there on." in opened.warnings[0]
    assert sum(len(cell.source) for cell in opened.cells if cell.cell_type == "code") <= 60
    assert len(opened.cells) == len(whole)
    monkeypatch.setattr("gradlab_staff.intake.notebook._MAX_CODE_CHARS", 10_000)
    content = json.loads((HERE / "solved.ipynb").read_text())
    content["cells"].insert(0, {"cell_type": "code", "metadata": {}, "source": "log = '" + "x" * 300_000 + "'"})
    (tmp_path / "long.ipynb").write_text(json.dumps(content))
    found = plan_of(tiny, open_notebook(tmp_path / "long.ipynb").cells)
    assert run(found)["double"](3) == 6
    assert found.warnings == ("cell 1: expected at most 32768 characters, got 300008. Skipped the cell.",)


def test_two_exercises_in_one_cell(tiny):
    """A cell of the student's that solves both was an attempt at both, though the stubs are still there."""
    stubs = [
        replace(cell, source=stub(cell.source, f"tiny/{cell.id.removesuffix('_solution')}"))
        if cell.is_solution
        else cell
        for cell in tiny.cells
    ]
    own = Cell("code", "\n\n".join(SOLUTIONS.values()), {})
    assert plan_of(tiny, stubs).unchanged == {"double", "step"}
    assert plan_of(tiny, [*stubs, own]).unchanged == frozenset()


@pytest.mark.parametrize(
    "source",
    ["-" * 200_000 + "1", "(" * 1000, "1+" * 200_000 + "1", "\0", "9" * 5000, "x" * (magics.MAX_SOURCE_CHARS + 1)],
    ids=["unary", "brackets", "sum", "null", "digits", "long"],
)
def test_hostile_source(tiny, source):
    """Code that would break the parser is skipped with a warning."""
    cells = open_notebook(HERE / "solved.ipynb").cells
    (index,) = (i for i, cell in enumerate(cells) if cell.id == "double_solution")
    hostile = [*cells[:index], Cell("code", source, cells[index].metadata), *cells[index + 1 :]]
    found = plan_of(tiny, hostile)
    assert re.search("cannot read this|expected at most 32768 characters", " ".join(found.warnings))
    assert labels(found) == ["cell 2 (setup)", "cell 6 (half)", "cell 7 (step_solution)"]


def test_too_many_magics(tiny):
    """A cell with hundreds of magics among its code is skipped."""
    cells = open_notebook(HERE / "solved.ipynb").cells
    assert "cannot read this" in plan_of(tiny, [*cells, Cell("code", "x = 1\n!ls\n" * 500, {})]).warnings[0]


def test_stub_quotes():
    """A hint with quotation marks gives a stub that compiles."""
    source = "### BEGIN SOLUTION set config[\"t\"] and 'v'\npass\n### END SOLUTION"
    with pytest.raises(NotImplementedError, match=r"a/f: set config\[\"t\"\] and 'v'"):
        exec(stub(source, "a/f"))  # noqa: S102 (our own text)


# --- reading


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("invalid_json.ipynb", "invalid JSON at line 3, Expecting property name enclosed in double quotes"),
        ("truncated.ipynb", "invalid JSON at line"),
        ("empty.ipynb", "it is empty"),
        ("not_a_notebook.ipynb", "it holds a list, not a notebook"),
        ("no_cells.ipynb", "it has no list of cells"),
        ("absent.ipynb", "No such file or directory"),
    ],
)
def test_unreadable(name, reason):
    """A file that is no notebook gives no cells, and a warning with the reason."""
    found = open_notebook(HERE / name)
    assert (found.cells, found.readable) == ((), False)
    assert found.warnings[0].startswith(f"expected a notebook, got a file that cannot be read: {reason}")


@pytest.mark.parametrize("name", ["utf8_bom.ipynb", "utf16.ipynb", "latin1.ipynb", "surrogates.ipynb"])
def test_encodings(planned, name):
    """The encoding of the file costs nothing."""
    assert run(planned(name))["double"](2) == 4
    expected = ("expected UTF-8, got another encoding. Replaced what could not be read.",) if "latin" in name else ()
    assert open_notebook(HERE / name).warnings == expected


def test_surrogates():
    """Two halves are one character, a lone half is replaced: every source can be sent on as UTF-8."""
    source = next(c.source for c in open_notebook(HERE / "surrogates.ipynb").cells if c.id == "step_solution")
    assert "😀" in source
    assert b"\xef\xbf\xbd" in source.encode()


def test_odd_cells():
    """What is not a cell is skipped, with a warning, and the cell numbers stay."""
    found = open_notebook(HERE / "odd_cells.ipynb")
    assert [cell.source for cell in found.cells if cell.cell_type == "code"] == ["a = 1\nb = 2", "c = 1\nd = 2"]
    assert found.cells[8].source == "a = 1\nb = 2"
    assert found.warnings == ("expected cells with a type and a source, got 8 without. Skipped them.",)


def test_too_many_cells(tmp_path, monkeypatch):
    """Cells beyond the limit are skipped."""
    monkeypatch.setattr(notebook, "_MAX_CELLS", 3)
    found = open_notebook(HERE / "solved.ipynb")
    assert len(found.cells) == 3
    assert found.warnings == ("expected at most 3 cells, got 8. Skipped the rest.",)


def test_nested_too_deeply(tmp_path):
    """JSON that would break the parser is a warning."""
    path = tmp_path / "deep.ipynb"
    path.write_text("[" * 200_000)
    assert "nested too deeply" in open_notebook(path).warnings[0]


def test_too_large(tmp_path):
    """A file beyond the limit is not opened for reading; the warning states both sizes."""
    path = tmp_path / "large.ipynb"
    with path.open("wb") as file:
        file.truncate(notebook.MAX_NOTEBOOK_BYTES + (1 << 20))
    assert "it has 513 MiB, and 512 MiB are read at most" in open_notebook(path).warnings[0]


def test_200_mib(tmp_path, tiny):
    """A notebook with 200 MiB of output is planned as any other."""
    content = json.loads((HERE / "solved.ipynb").read_text())
    content["cells"][2]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "x" * (200 << 20)}]
    path = tmp_path / "tiny.ipynb"
    path.write_text(json.dumps(content))
    del content
    assert solutions(plan_of(tiny, open_notebook(path).cells)) == SOLUTIONS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 2 << 20  # KiB


def test_not_regular(tmp_path):
    """A pipe or a link is refused, and nothing waits for it."""
    os.mkfifo(tmp_path / "pipe.ipynb")
    (tmp_path / "link.ipynb").symlink_to(HERE / "solved.ipynb")
    assert "it is not a regular file" in open_notebook(tmp_path / "pipe.ipynb").warnings[0]
    assert not open_notebook(tmp_path / "link.ipynb").readable


NEWER = "x = 1\ntype Number = int"  # of Python 3.12; where grading knows it, what no Python knows
NEWER = NEWER if sys.version_info < (3, 12) else "x = 1\nif:"


@pytest.mark.parametrize(
    ("version", "told"),
    [
        ("3.99.1", f"It was written with Python 3.99.1, and grading has Python {platform.python_version()}"),
        (None, f"Is it newer Python? Grading has Python {platform.python_version()}."),
        ("not a version", "Is it newer Python?"),
        ("3.8.10", "). Skipped the cell."),
    ],
)
def test_newer_python_is_told_as_such(tiny, tmp_path, version, told):
    """With both versions, where the notebook states its own."""
    content = json.loads((HERE / "solved.ipynb").read_text())
    content["metadata"] = {"language_info": {"name": "python"} | ({"version": version} if version else {})}
    content["cells"].append({"cell_type": "code", "metadata": {}, "source": NEWER})
    (tmp_path / "newer.ipynb").write_text(json.dumps(content))
    (warning,) = plan(tiny, match(tiny, open_notebook(tmp_path / "newer.ipynb"))).warnings
    assert f"line 2: Python {OURS} cannot read this" in warning
    assert told in warning


def test_a_demonstration_that_a_cell_of_the_students_builds_on(tiny):
    """It is run where a solution reads what that cell makes of it; not for a look at it."""
    cells = list(open_notebook(HERE / "solved.ipynb").cells)
    place = next(index for index, cell in enumerate(cells) if cell.id == "step_solution")
    look = [*cells[:place], Cell("code", "print(numbers)", {}), *cells[place:]]
    assert "demo_twice" not in " ".join(labels(plan_of(tiny, look)))
    solution = Cell("code", "step_size = 1 / middle", cells[place].metadata)
    built = [*cells[:place], Cell("code", "middle = sum(numbers) + 1", {}), solution, *cells[place + 1 :]]
    assert run(plan_of(tiny, built))["step_size"] == 0.25


def with_cell(cells, id, source):
    """The cells, one of them with another source."""
    return [replace(cell, source=source) if cell.id == id else cell for cell in cells]


def test_names_added_to_a_given_import_are_there(tiny):
    """An import that takes more from where the given one takes is run; one that binds a given name otherwise is not."""
    cells = list(open_notebook(HERE / "solved.ipynb").cells)
    more = plan_of(tiny, with_cell(cells, "setup", "import math, cmath"))
    assert {"math", "cmath"} <= run(more).keys()
    assert more.warnings == (
        "cell 2 (setup): expected a locked cell as released, got it edited. Used the released text, "
        "and ran what was added in line 1.",
    )
    assert run(plan_of(tiny, with_cell(cells, "setup", "import cmath as math")))["math"].__name__ == "math"


CHAIN = "a0 = numbers\n" + "\n".join(f"a{n} = a{n - 1}" for n in range(1, 3000))


@pytest.mark.parametrize(
    "cells",
    [
        [Cell("code", CHAIN[:32_000], {}), Cell("code", "step_size = a2000", {})],
        [Cell("code", "\n" * 30_000 + "words without code", {})] * 5,
        [Cell("raw", "x = [" + "1, " * 10_000 + "]", {})] * 200,
    ],
    ids=["a chain of names", "blank lines", "raw cells"],
)
def test_hostile_cells_take_no_time(tiny, cells):
    """Whatever is looked for in them is looked for once."""
    started = time.process_time()
    plan_of(tiny, [*open_notebook(HERE / "solved.ipynb").cells, *cells])
    assert time.process_time() - started < 20


@pytest.mark.parametrize(
    "source",
    [
        "double = 0.5",
        "for double in (1, 2):\n    pass",
        "double, other = 3, 4",
        "with open('/dev/null') as double: pass",
    ],
)
def test_a_value_below_the_check_takes_no_exercise_its_name(tiny, source):
    """The student saw the check pass; where the solution stands below, or a function takes its place, that counts."""
    cells = list(open_notebook(HERE / "solved.ipynb").cells)
    assert run(plan_of(tiny, [*cells, Cell("code", source, {})]))["double"](4) == 8
    assert plan_of(tiny, [*cells, Cell("code", source, {})]).warnings == ()
    later = [*cells, Cell("code", source, {}), Cell("code", "def double(x): return 'mine'", {})]
    assert run(plan_of(tiny, later))["double"](4) == "mine"
    above = [Cell("code", source, {}), *cells]
    assert run(plan_of(tiny, above))["double"](4) == 8


def test_a_comprehensions_variable_is_no_definition(tiny):
    """It is gone when the statement is."""
    cells = list(open_notebook(HERE / "untouched.ipynb").cells)
    found = plan_of(tiny, [*cells, Cell("code", "x = [double for double in (1, 2)] + [step_size := 2]", {})])
    assert "double" in found.unchanged
    assert not any("expected one cell" in warning for warning in found.warnings)


@pytest.mark.parametrize("added", ["SCALE = 2", "SCALE: int = 2", "SCALE, OTHER = 2, 3", "if True:\n    SCALE = 2"])
def test_a_constant_added_to_a_demonstration_is_there_for_a_solution(tiny, added):
    """What else was tried in the demonstration is not run."""
    cells = list(open_notebook(HERE / "solved.ipynb").cells)
    demo = next(cell.source for cell in cells if cell.id == "demo_twice")
    changed = with_cell(cells, "demo_twice", f"{added}\n{demo}\ntried = twice(numbers[0])")
    changed = with_cell(changed, "double_solution", "def double(x):\n    return SCALE * x")
    found = plan_of(tiny, changed)
    assert run(found)["double"](4) == 8
    assert not any("tried" in cell.source and cell.only is None for cell in found.code)
    assert "tried" not in run(found)


def test_an_answer_in_a_code_cell_is_not_told_to_be_newer_python(tiny):
    """It is no code, and a person reads it."""
    cells = [*open_notebook(HERE / "solved.ipynb").cells]
    words = Cell("code", "Because the mean stays as it is, and the sum does not.", {})
    assert plan_of(tiny, [*cells, words]).warnings == ()
    assert len(plan_of(tiny, [*cells, Cell("code", "def f(x:\n    return x +", {})]).warnings) == 1
