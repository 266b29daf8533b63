"""The public check: a line a property, and no crash whatever a solution does."""

import linecache
import textwrap

import numpy as np
import pytest

from gradlab.check import Line, attempt, check, close, failed, holds, passed, same_shape
from gradlab.errors import CourseError

CHECKS = """
import numpy as np
from gradlab.check import attempt, close, holds

def double(nb):
    yield close("two doubled", nb.double(2), 4, tolerance=0, hint="twice")
    yield close("three doubled", nb.double(3), 6, tolerance=0, hint="twice")

def pair(nb):
    for name in ("first", "second"):
        yield from attempt(name, single(nb, name))

def single(nb, name):
    yield holds(f"{name} gives 1", getattr(nb, name)() == 1)

def draw(nb):
    yield close("a draw", np.random.rand(), nb.expected, tolerance=1)
"""


@pytest.fixture
def notebook(tmp_path, monkeypatch, capsys):
    """A notebook's folder with public checks: call it with a cell and an exercise, get what is printed."""
    (tmp_path / "public_checks.py").write_text(CHECKS, "utf-8")
    monkeypatch.chdir(tmp_path)

    def run(cell, exercise):
        source = textwrap.dedent(cell)
        linecache.cache["<cell 1>"] = (len(source), None, source.splitlines(True), "<cell 1>")
        names = {"check": check}
        exec(compile(source, "<cell 1>", "exec"), names)  # noqa: S102 - the test's own cell
        exec(f"assert check({exercise!r}) is None", names)  # noqa: S102 - the test's own cell
        return capsys.readouterr().out

    return run


def test_a_right_solution(notebook):
    """A ✓ for each property and one line to sum up."""
    out = notebook("def double(x): return 2 * x", "double")
    assert out == "✓ two doubled: 4\n✓ three doubled: 6\ndouble: all 2 checks passed.\n"


def test_a_wrong_solution(notebook):
    """A ✗ says what was expected, what came, and gives a hint; the rest is still checked."""
    out = notebook("def double(x): return x * x", "double")
    assert out.splitlines()[:3] == ["✓ two doubled: 4", "✗ three doubled: expected 6, got 9", "    hint: twice"]
    assert "double: 1 of 2 checks passed." in out


def test_a_stub_is_not_attempted(notebook):
    """A stub's own words are the hint."""
    out = notebook("def double(x): raise NotImplementedError('demo/double: multiply')", "double")
    assert out == "✗ double: not attempted yet\n    hint: demo/double: multiply\ndouble: not attempted yet.\n"


def test_a_missing_name_is_said(notebook):
    """The cell was deleted, has not run, or is a stub without a function."""
    out = notebook("", "double")
    assert out.startswith("✗ double: not attempted yet, or its cell has not run: got no double in this notebook")


@pytest.mark.parametrize("error", ["ValueError('a\\nb')", "RecursionError()", "SystemExit(1)", "AssertionError()"])
def test_an_exception_is_shown_with_its_line(notebook, error):
    """Whatever is raised ends in a ✗ that names the student's own line."""
    out = notebook(f"def double(x):\n    raise {error}", "double")
    assert "✗ double: your code raised an error before this check finished: got " + error.split("(")[0] in out
    assert f"it happened in double, line 2 of its cell: raise {error}" in out


def test_an_answer_of_the_wrong_kind_is_shown(notebook):
    """None where a number should be is reported, not raised."""
    assert "✗ two doubled: expected numbers, got a str" in notebook("def double(x): return 'four'", "double")


def test_one_stub_does_not_hide_its_neighbour(notebook):
    """Each part of an exercise is tried on its own."""
    out = notebook("def first(): raise NotImplementedError('later')\ndef second(): return 1", "pair")
    assert "✗ first: not attempted yet" in out
    assert "✓ second gives 1" in out
    assert "pair: 1 of 2 checks passed." in out


def test_the_random_numbers_of_the_notebook_are_left_alone(notebook):
    """A check draws its own numbers, the same each time, and puts the generator back."""
    np.random.seed(7)
    expected = np.random.rand()
    np.random.seed(7)
    first, second = (notebook("expected = 0.5", "draw") for _ in range(2))
    assert first == second
    assert np.random.rand() == expected


def test_without_public_checks_the_folder_is_named_as_the_fault(tmp_path, monkeypatch):
    """The file is missing: the message says where it belongs."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CourseError, match=r"expected public_checks\.py beside the notebook"):
        check("double")


def test_an_unknown_exercise_is_an_error(notebook):
    """A mistyped id is reported, and nothing counts as checked."""
    with pytest.raises(CourseError, match=r"check\('treble'\): expected a function of this name"):
        notebook("", "treble")


@pytest.mark.parametrize(("got", "ok"), [(1.0, True), (1.05, True), (1.2, False), (np.nan, False), (None, False)])
def test_close_judges_numbers(got, ok):
    """Within the tolerance or not; NaN and None are not."""
    assert close("x", got, 1.0, tolerance=0.1).ok is ok


def test_close_shows_the_digits_that_differ():
    """Two numbers that look alike in four digits are shown in more."""
    assert str(close("x", 1.00000002, 1.0, tolerance=1e-9)) == "✗ x: expected 1, got 1.00000002"


def test_close_points_at_the_worst_entry():
    """A large array is not printed: the entry that is furthest off is."""
    got = np.zeros((3, 4))
    got[2, 1] = 7
    assert str(close("x", got, np.zeros((3, 4)), tolerance=0)) == "✗ x: expected 0 at (2, 1), got 7"


def test_close_compares_no_different_shapes():
    """Broadcasting would hide the mistake."""
    assert str(close("x", np.ones((3, 1)), np.ones(3), tolerance=0)) == "✗ x: expected shape (3,), got shape (3, 1)"
    assert close("empty", np.ones(0), np.ones(0), tolerance=0).ok


def test_lines_by_hand():
    """passed, failed, holds and same_shape are the other ways to make a line."""
    assert passed("a") == Line("a", True)
    assert failed("a", hint="h") == Line("a", False, hint="h")
    assert holds("a", np.True_).ok is True
    assert str(same_shape("a", None, (2,))) == "✗ a: expected (2,), got a NoneType"


def test_attempt_keeps_the_lines_before_an_exception():
    """What was yielded stays; the last line reports the exception."""

    def lines():
        yield passed("a")
        raise KeyError("b")

    assert [line.ok for line in attempt("x", lines())] == [True, False]
