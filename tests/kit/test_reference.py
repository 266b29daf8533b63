"""The reference is the instructor notebook's own code."""

import shutil
import traceback
from pathlib import Path

import numpy as np
import pytest

from gradlab_staff.course import Assignment, Course
from gradlab_staff.course.reference import reference_namespace, with_solution
from gradlab_staff.errors import CourseError

COURSE = Path(__file__).parent / "submissions" / "course"


@pytest.fixture
def tiny(tmp_path) -> Assignment:
    shutil.copytree(COURSE, tmp_path / "course")
    return Course(tmp_path / "course").assignment("tiny")


def edit(tiny: Assignment, old: str, new: str) -> Assignment:
    text = tiny.notebook.read_text()
    assert old in text
    tiny.notebook.write_text(text.replace(old, new))
    return Course(tiny.course.root).assignment("tiny")


def test_names(tiny):
    """Given and solution cells are run; demonstrations are not."""
    reference = reference_namespace(tiny)
    assert (reference.double(2), reference.half(2), reference.step_size) == (4, 1, 0.5)
    assert "twice" not in reference
    assert sorted(reference) == ["double", "half", "math", "step_size"]


def test_unknown_name(tiny):
    """A name that is not there is an AttributeError that lists those that are."""
    with pytest.raises(AttributeError, match="no 'triple'; it has: double, half, math, step_size"):
        _ = reference_namespace(tiny).triple


def test_functions_see_what_is_set(tiny):
    """The attributes are the functions' globals."""
    reference = with_solution(tiny, {"double": "def double(x):\n    return factor * x"})
    reference.factor = 2
    assert reference.double(3) == 6


def test_made_anew(tiny):
    """Each reference has functions of its own: what is done to them reaches no other."""
    reference_namespace(tiny).double.note = "from another submission"
    assert not hasattr(reference_namespace(tiny).double, "note")


def test_quiet(tiny, capsys):
    """What cells print is swallowed, and their draws leave NumPy's generator alone."""
    edited = edit(
        tiny, "import math", "import math, numpy\\nnumpy.random.seed(1)\\nprint('hello')\\n%matplotlib inline"
    )
    np.random.seed(5)
    expected = np.random.rand()
    np.random.seed(5)
    reference_namespace(edited)
    assert np.random.rand() == expected
    assert capsys.readouterr() == ("", "")


def test_with_solution(tiny):
    """Other exercises keep the instructor's solutions; the id of the exercise works as its name."""
    assert with_solution(tiny, {"tiny/double": "def double(x):\n    return 3 * x"}).double(1) == 3
    assert with_solution(tiny, {"step": "step_size = 2"}).double(1) == 2


def test_unknown_exercise(tiny):
    """An exercise that is not there is an error that lists those that are."""
    with pytest.raises(CourseError, match="why: expected an exercise with a solution cell, got none"):
        with_solution(tiny, {"why": ""})


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "x = 1\n1 / 0",
            "double_solution line 2: expected the cell to run, got ZeroDivisionError: division by zero",
        ),
        ("def f(:", "tiny/double_solution line 1: expected the cell to run, got SyntaxError: invalid syntax"),
    ],
)
def test_failing_cell(tiny, source, message):
    """A cell that fails is named, with the line."""
    with pytest.raises(CourseError, match=message):
        with_solution(tiny, {"double": source})


def test_traceback_quotes_the_cell(tiny):
    """A traceback through the reference shows its lines."""
    reference = with_solution(tiny, {"double": "def double(x):\n    return x / 0  # here"})
    with pytest.raises(ZeroDivisionError) as caught:
        reference.double(1)
    assert "return x / 0  # here" in "".join(traceback.format_exception(caught.value))
