"""The public check: a line a property, and no crash whatever a solution does."""

import io
import linecache
import os
import re
import subprocess
import sys
import textwrap
from types import SimpleNamespace

import numpy as np
import pytest

from gradlab.check import Line, attempt, check, close, exercises_in, failed, holds, passed, same_shape
from gradlab.errors import ChecksFailedError, CourseError

CHECKS = """
from functools import partial
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

def _hidden(nb):
    yield from ()

class Model:
    def __init__(self, nb):
        pass

only_first = partial(single, name="first")
EXERCISES = 4
"""


@pytest.fixture
def notebook(tmp_path, monkeypatch, capsys):
    """A notebook's folder with public checks: call it with a cell and an exercise, get what is printed."""
    (tmp_path / "public_checks.py").write_text(CHECKS, "utf-8")
    monkeypatch.chdir(tmp_path)

    def run(cell, exercise, call=""):
        source = textwrap.dedent(cell)
        linecache.cache["<cell 1>"] = (len(source), None, source.splitlines(True), "<cell 1>")
        names = {"check": check}
        exec(compile(source, "<cell 1>", "exec"), names)  # noqa: S102 - the test's own cell
        exec(call or f"assert check({exercise!r}) is None", names)  # noqa: S102 - the test's own cell
        said = capsys.readouterr()
        assert said.err == "", "the Validate button takes text on stderr for a failure"
        return said.out

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


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("check()", "check(): expected the name of an exercise in quotes"),
        ("check('close')", "check('close'): expected a function of this name"),
        ("check('Model')", "check('Model'): expected a function of this name"),
        ("check('single')", "check('single'): expected a function of this name"),
        ("check('_hidden')", "check('_hidden'): expected a function of this name"),
        ("check('EXERCISES')", "check('EXERCISES'): expected a function of this name"),
        ("check(helper)", "check(helper): expected the name of an exercise in quotes"),
        ("check([1] * 10_000)", "check(a list): expected the name of an exercise in quotes"),
        ("check('x' * 10_000)", "xxx…'): expected a function of this name"),
    ],
)
def test_what_is_no_exercise_is_told_which_there_are(notebook, call, message):
    """Nothing, an imported helper, a class, another function, a value: the message lists the exercises, shortly."""
    with pytest.raises(CourseError) as caught:
        notebook("def helper(): pass", "", call)
    told = str(caught.value)
    assert message in told
    assert "Nothing was checked. " in told
    assert "The exercises are: double, pair, draw, only_first. " in told
    assert len(told) < 400


@pytest.mark.parametrize("name", ["dubble", "Double", "demo/double", " double "])
def test_a_slip_is_told_what_was_meant(notebook, name):
    """The nearest exercise, ready to be copied."""
    with pytest.raises(CourseError, match=re.escape('Did you mean check("double")? The exercises are: double, ')):
        notebook("", name)


@pytest.mark.parametrize(
    "cell",
    [
        "def double(x): return 2 * x",
        "def twice(x): return 2 * x\ndouble = twice",
        "import numpy as np\ndouble = np.vectorize(lambda x: 2 * x)",
        "class double:\n    def __new__(cls, x): return 2 * x",
    ],
    ids=["function", "other name", "object", "class"],
)
def test_without_quotes_the_name_is_found(notebook, cell):
    """`check(double)` passes the function itself: it is the one that the notebook calls so."""
    assert notebook(cell, "", "check(double)").endswith("double: all 2 checks passed.\n")


def test_the_exercises_of_a_file_are_its_own_functions_of_one_argument(tmp_path):
    """Neither what it imports, nor its classes, constants and helpers."""
    path = tmp_path / "public_checks.py"
    path.write_text(CHECKS, "utf-8")
    assert list(exercises_in(path)) == ["double", "pair", "draw", "only_first"]


def test_one_check_that_fails_is_no_plural(notebook):
    """Not `0 of 1 checks passed`."""
    out = notebook("def first(): return 2", "only_first")
    assert out.endswith("only_first: the check did not pass. Fix the first ✗, run its cell, then this one.\n")


def test_an_error_in_a_compiled_module_is_shown_with_the_line_that_called_it(notebook):
    """Its own file is not on disk either: it is in NumPy's sources."""
    out = notebook("import numpy as np\ndef double(x):\n    return np.random.default_rng().normal(0, -1)", "double")
    assert "got ValueError: scale < 0" in out
    assert "it happened in double, line 3 of its cell: return np.random.default_rng().normal(0, -1)" in out


def test_an_exception_that_cannot_be_printed_is_shown_all_the_same(notebook):
    """Its class is the student's own."""
    out = notebook("class Odd(Exception):\n    __str__ = None\ndef double(x):\n    raise Odd", "double")
    assert "got Odd: its message cannot be shown" in out


def test_what_a_right_solution_writes_to_stderr_is_output(notebook):
    """A progress bar, a message: read in the notebook, and no failure to the Validate button."""
    cell = """
    import sys
    from tqdm import tqdm

    def double(x):
        print("by hand", file=sys.stderr)
        return sum(x for _ in tqdm(range(2)))
    """
    out = notebook(cell, "double")
    assert set(re.findall("by hand|100%", out)) == {"by hand", "100%"}
    assert out.endswith("double: all 2 checks passed.\n")


# --- where the notebook is


def test_the_folder_is_found_after_chdir(tmp_path):
    """Cells may change the working directory: to a folder without checks, with those of another course, or gone."""
    (tmp_path / "public_checks.py").write_text(CHECKS, "utf-8")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "public_checks.py").write_text("", "utf-8")
    cells = """
    import os, tempfile
    from gradlab import check
    double = lambda x: 2 * x
    os.chdir("other")
    check("double")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
    check("double")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(cells)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("double: all 2 checks passed.") == 2


def told_by_vscode(monkeypatch, file):
    return {"__vsc_ipynb_file__": str(file)}


def told_by_jupyter(monkeypatch, file):
    monkeypatch.setenv("JPY_SESSION_NAME", str(file))
    return {}


def told_by_ipython(monkeypatch, file):
    shell = SimpleNamespace(starting_dir=str(file.parent))
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    return {}


@pytest.mark.parametrize("told", [told_by_vscode, told_by_jupyter, told_by_ipython])
def test_jupyter_tells_the_folder(tmp_path, monkeypatch, capsys, told):
    """Where the kernel was started elsewhere, and gradlab imported late."""
    (tmp_path / "course").mkdir()
    (tmp_path / "course" / "public_checks.py").write_text(CHECKS, "utf-8")
    monkeypatch.chdir(tmp_path)
    names = told(monkeypatch, tmp_path / "course" / "demo.ipynb")
    exec("check('double')", {"check": check, "double": lambda x: 2 * x, **names})  # noqa: S102 - the test's own cell
    assert "double: all 2 checks passed." in capsys.readouterr().out


# --- encodings


@pytest.mark.parametrize(
    ("encoding", "mark"), [("cp1252", "[x]"), ("ascii", "[x]"), ("latin-1", "[x]"), ("utf-8", "✗"), ("cp437", "[x]")]
)
def test_a_stream_without_check_marks_gets_plain_ones(notebook, monkeypatch, encoding, mark):
    """Windows' cp1252 has no ✓; and no encoding has half a character."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    notebook("def double(x):\n    raise ValueError('\\ud800')", "double")
    stream.flush()
    lines = stream.buffer.getvalue().decode(encoding).splitlines()
    assert lines[0] == f"{mark} double: your code raised an error before this check finished: got ValueError: ?"


def test_the_command_line_of_windows(tmp_path):
    """The whole of a run, in the encoding that Python takes there."""
    (tmp_path / "public_checks.py").write_text(CHECKS, "utf-8")
    done = subprocess.run(
        [sys.executable, "-c", "from gradlab import check\ndouble = lambda x: 2 * x\ncheck('double')"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "cp1252"},
        capture_output=True,
        check=False,
    )
    assert done.stderr == b""
    assert done.stdout.decode("cp1252").splitlines()[0] == "[ok] two doubled: 4"


# --- the Validate button


@pytest.fixture
def validated(notebook, monkeypatch):
    """The notebook, run as the Validate button runs it."""
    monkeypatch.setenv("NBGRADER_EXECUTION", "validate")
    return notebook


def test_validate_takes_a_right_solution(validated):
    """No exception, the same words."""
    assert validated("def double(x): return 2 * x", "double").endswith("double: all 2 checks passed.\n")


def test_validate_refuses_a_wrong_solution(validated):
    """The exception says all that a student needs: the cell's own output is not shown there."""
    with pytest.raises(ChecksFailedError) as caught:
        validated("def double(x): return x * x", "double")
    assert str(caught.value).splitlines() == [
        "✗ three doubled: expected 6, got 9",
        "    hint: twice",
        "double: 1 of 2 checks passed. Fix the first ✗, run its cell, then this one.",
    ]


@pytest.mark.parametrize("cell", ["def double(x): raise NotImplementedError('demo/double: multiply')", ""])
def test_validate_refuses_what_was_not_attempted(validated, cell):
    """A stub, or a cell that is gone."""
    with pytest.raises(ChecksFailedError, match=r"double: not attempted yet\.\Z"):
        validated(cell, "double")


def test_validate_shows_no_more_than_a_few_lines():
    """No traceback through the package, and no line that the command would cut."""
    shown = ChecksFailedError("✗ a: " + "word " * 60 + "\n\n    hint: b")._render_traceback_()
    assert max(map(len, shown)) <= 80
    assert shown[-1] == "    hint: b"


@pytest.mark.parametrize("value", ["autograde", "", "formgrader"])
def test_check_raises_nowhere_else(notebook, monkeypatch, value):
    """Grading and Jupyter go on."""
    monkeypatch.setenv("NBGRADER_EXECUTION", value)
    assert "✗ three doubled" in notebook("def double(x): return x * x", "double")


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


@pytest.mark.parametrize(
    ("got", "told"),
    [
        ("5.667", "got text, '5.667'"),
        (b"5.667", "got text, b'5.667'"),
        (np.str_("5.667"), "got text, "),
        (["5.667"], "got text, ['5.667']"),
        (np.array(["5.667"], dtype=object), "got text, array(['5.667'], dtype=object)"),
        ("5" * 100, "got text, '5555"),
    ],
)
def test_text_is_no_number(got, told):
    """NumPy would read it as one; the line says that it is text."""
    expected = np.full(np.shape(got), 5.667)
    line = close("loss", got, expected, tolerance=0.1)
    assert not line.ok
    assert f"expected numbers, {told}" in str(line)
    assert len(str(line)) < 120


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
