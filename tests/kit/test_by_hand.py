"""``pytest tests/graders/… --submission PATH``: what a TA regrades with is as safe as what the class is graded with."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_course import SOLVED, instructor_cells, make_course, solve, submit

from gradlab_staff.course import Assignment
from gradlab_staff.pool import MEMORY_MIB

pytestmark = pytest.mark.slow

SPOILT = "\x1b]0;owned\x07\x1b[2J\x1b[8m\u202e"
ESCAPING = f"""
class Key(str):
    def __repr__(self):
        return {SPOILT!r}


def double(x):
    raise ValueError({SPOILT!r} + " in the message")
"""
QUOTING = '''import logging
import sys
import warnings

from gradlab_staff.grading import entries


def test_it(submission):
    """It is a dictionary."""
    got = entries(submission.halve(1), "halve")
    (name,) = got
    print("printed", name)
    print("printed", name, file=sys.stderr)
    logging.getLogger().warning("logged %s", name)
    warnings.warn(f"warned {name}", stacklevel=1)
    assert got == {}, name
'''


@pytest.fixture
def tiny(tmp_path: Path) -> Assignment:
    return make_course(tmp_path)


def by_hand(tiny: Assignment, notebook: Path | str, *options: str) -> subprocess.CompletedProcess[str]:
    """What pytest says of a notebook, in a process of its own, in the course's folder."""
    root = tiny.course.root
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(root)]
    words += ["--import-mode=importlib", str(tiny.graders), "--submission", str(notebook), *options]
    return subprocess.run(words, capture_output=True, text=True, check=False, cwd=root, timeout=120)


@pytest.mark.parametrize(
    "options",
    [("-rA",), ("--tb=long", "-vv"), ("--tb=native", "-l"), ("--tb=short", "-s"), ("--tb=line", "-s", "-rA"),
     ("--tb=no", "-o", "log_cli=true"), ("--tb=auto", "--full-trace", "-l")],
    ids=" ".join,
)  # fmt: skip
def test_nothing_of_a_submission_acts_on_the_terminal(tiny, options):
    """No escape is printed, whatever tracebacks, captured output, logs and warnings quote."""
    answers = {"double_solution": ESCAPING, "halve_solution": f"def halve(x):\n    return {{{SPOILT!r}: {SPOILT!r}}}"}
    folder = submit(tiny, "student_01", solve(instructor_cells(), answers))
    Path(tiny.graders, "test_halve.py").write_text(QUOTING)
    done = by_hand(tiny, folder / "tiny.ipynb", *options)
    assert "2 failed" in done.stdout, done.stdout + done.stderr
    for acting in ("\x1b", "\x07", "\u202e"):
        assert acting not in done.stdout + done.stderr


def test_colours_stay(tiny):
    """What pytest writes itself is as it was: only its colours pass."""
    folder = submit(tiny, "student_01", solve(instructor_cells(), {**SOLVED, "double_solution": ESCAPING}))
    done = by_hand(tiny, folder / "tiny.ipynb", "--color=yes", "-rA")
    assert "\x1b[32m" in done.stdout
    assert "\x1b[31m" in done.stdout
    for acting in ("\x1b]", "\x1b[2J", "\x1b[8m", "\x07", "\u202e"):
        assert acting not in done.stdout


def _linked(folder: Path) -> Path:
    (folder / "work.ipynb").symlink_to(folder / "tiny.ipynb")
    return folder / "work.ipynb"


def _in_linked_folder(folder: Path) -> Path:
    (folder.parent / "linked").symlink_to(folder)
    return folder.parent / "linked" / "tiny.ipynb"


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.ipynb")
    return folder / "pipe.ipynb"


@pytest.mark.parametrize(
    ("make", "got"),
    [
        (_linked, "a symbolic link"),
        (_in_linked_folder, "a folder that is a symbolic link"),
        (_pipe, "a pipe"),
        (lambda folder: folder, "a folder"),
        (lambda folder: folder / "none.ipynb", "No such file or directory"),
    ],
    ids=["link", "folder", "pipe", "a folder", "none"],
)
def test_a_link_is_refused(tiny, make, got):
    """A student's link would have a TA quote whatever it leads to: it is said what it is and what to do."""
    path = make(submit(tiny, "student_01", solve(instructor_cells(), SOLVED)))
    done = by_hand(tiny, path.relative_to(tiny.course.root))
    assert f"expected a notebook, got {got}. Opened nothing" in done.stderr
    assert "Name the .ipynb itself." in done.stderr
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "Traceback" not in done.stdout + done.stderr


def test_no_link_beside_it_is_followed(tiny, tmp_path_factory):
    """What lies beside it is there, as for the class; what a link leads to is not, and it is said."""
    secret = tmp_path_factory.mktemp("home") / "secret.txt"
    secret.write_text("5")
    beside = "k = float(open('k.txt').read())\ntry:\n    k = float(open('secret.txt').read())\nexcept OSError: pass\n"
    answers = {**SOLVED, "halve_solution": f"{beside}def halve(x):\n    return x * k"}
    folder = submit(tiny, "student_01", solve(instructor_cells(), answers))
    (folder / "k.txt").write_text("0.5")
    (folder / "secret.txt").symlink_to(secret)
    done = by_hand(tiny, folder / "tiny.ipynb")
    assert "2 passed" in done.stdout, done.stdout
    assert "secret.txt (a symbolic link)" in done.stdout
    assert not list((tiny.course.root / ".gradlab" / "received").glob("run-*"))


def test_what_lies_elsewhere_is_judged_alone(tiny, tmp_path_factory):
    """Outside of submitted/ the path may lead through a link of the TA's; what lies beside it is anyone's."""
    folder = tmp_path_factory.mktemp("elsewhere")
    submit(tiny, "student_01", solve(instructor_cells(), SOLVED)).rename(folder / "tiny")
    (folder / "tiny" / "numpy.py").write_text("1 / 0")
    (folder / "mine").symlink_to(folder / "tiny")
    done = by_hand(tiny, folder / "mine" / "tiny.ipynb")
    assert "2 passed" in done.stdout, done.stdout


def test_the_memory_of_the_trusted_side_is_bounded(tiny):
    """As a worker's: what a submission sends is made objects here."""
    folder = submit(tiny, "student_01", solve(instructor_cells(), SOLVED))
    Path(tiny.graders, "test_halve.py").write_text(
        "import resource\n\n\ndef test_it(submission):\n"
        '    """The limit holds here."""\n'
        f"    assert resource.getrlimit(resource.RLIMIT_AS)[0] <= {MEMORY_MIB << 20}\n"
    )
    assert "2 passed" in by_hand(tiny, folder / "tiny.ipynb").stdout


SOME = """
from gradlab_staff.grading import expect_close


def test_three(submission):
    \"\"\"Three.\"\"\"
    expect_close(submission.double(3.0), 6.0, "double(3)")


def test_four(submission):
    \"\"\"Four.\"\"\"
    {four}
"""
RIGHT = 'expect_close(submission.double(4.0), 8.0, "double(4)")'


def instructors_own(tiny: Assignment, *options: str, four: str = RIGHT) -> subprocess.CompletedProcess[str]:
    """What pytest says of the graders on the instructor's own notebook, or another."""
    Path(tiny.graders, "test_double.py").write_text(SOME.format(four=four))
    root = tiny.course.root
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(root)]
    words += ["--import-mode=importlib", str(tiny.graders), *options]
    return subprocess.run(words, capture_output=True, text=True, check=False, cwd=root, timeout=120)


def test_the_instructors_own_is_judged_by_several_processes(tiny):
    """As `make test` judges it."""
    done = instructors_own(tiny, "-n", "2", "--dist", "loadfile")
    assert "3 passed" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0


@pytest.mark.parametrize("options", [(), ("--submission", "source/tiny/tiny.ipynb")], ids=["own", "submission"])
def test_a_grader_that_breaks_is_no_pass(tiny, options):
    """Its check has failed, with its traceback, there is no verdict, and the exit code says so."""
    done = instructors_own(tiny, *options, four="1 / 0")
    assert "ZeroDivisionError" in done.stdout, done.stdout
    assert "1 failed" in done.stdout
    assert "no verdict: a grader broke: double::test_four" in done.stdout
    assert done.returncode not in (0, 5)


def test_a_submission_is_judged_by_one_process(tiny):
    """Its checks are told together in the end, which pytest -n does not take."""
    done = instructors_own(tiny, "-n", "2", "--submission", "source/tiny/tiny.ipynb")
    assert "Leave out -n" in done.stdout + done.stderr
    assert done.returncode != 0


def test_the_first_failure_ends_it_if_asked(tiny):
    """``-x``, and ``--pdb`` gives the score that grading gives."""
    wrong = {**SOLVED, "double_solution": "def double(x):\n    return x"}
    path = submit(tiny, "student_01", solve(instructor_cells(), wrong)) / "tiny.ipynb"
    done = instructors_own(tiny, "-x", "--submission", str(path))
    assert "stopping after 1 failures" in done.stdout
    assert "1 failed" in done.stdout
    assert "passed" not in done.stdout
