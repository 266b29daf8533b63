"""Text from a submission, made fit for terminals, pages and JSON."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_course import instructor_cells, make_course, solve, submit

from gradlab_staff.text import clean, one_line


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain\ttext\nof two lines", "plain\ttext\nof two lines"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]8;;http://x\x07link\x1b]8;;\x07", "link"),
        ("\x1b]0;title\x1b\\x", "x"),
        ("\x9b2Jgone", "gone"),
        ("a\u202eb\u2066c", "abc"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("\x00\x07\x7f\x85\ud800", ""),
    ],
)
def test_nothing_acts_on_a_terminal(text, cleaned):
    """Neither escapes nor control characters nor marks that turn the writing around are left."""
    assert clean(text) == cleaned


def test_text_is_cut():
    """At so many characters, and at a thousand lines."""
    assert clean("x" * 100, 10) == "x" * 10 + "\n... Output truncated ..."
    assert clean("line\n" * 5000).count("\n") == 999 + 0


def test_one_line_is_one_line():
    """Of printable characters."""
    assert one_line("a\n\x1b[31m b\u202e\tc") == "a [31m b c"
    assert one_line("x" * 500, 10) == "x" * 9 + "…"


SPOILT = "\x1b]0;owned\x07\x1b[2J\u202e"
ESCAPING = f"""
class Key(str):
    def __repr__(self):
        return {SPOILT!r}


def double(x):
    raise ValueError({SPOILT!r} + " in the message")
"""


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--tb=long", "-vv"), ("--tb=native", "-l")])
def test_nothing_of_a_submission_acts_on_the_terminal_of_a_regrade(tmp_path, options):
    """`pytest tests/graders/… --submission` prints no escape, whatever tracebacks quote."""
    tiny = make_course(tmp_path)
    answers = {"double_solution": ESCAPING, "halve_solution": f"def halve(x):\n    return {{{SPOILT!r}: {SPOILT!r}}}"}
    folder = submit(tiny, "student_01", solve(instructor_cells(), answers))
    path = Path(tiny.graders) / "test_halve.py"
    path.write_text(
        "from gradlab_staff.grading import entries\n\n\n"
        'def test_it(submission):\n    """It is a dictionary."""\n    got = entries(submission.halve(1), "halve")\n'
        "    (name,) = got\n    assert got == {}, name\n"
    )
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(tmp_path)]
    words = [
        *command,
        "--import-mode=importlib",
        str(tiny.graders),
        "--submission",
        str(folder / "tiny.ipynb"),
        *options,
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert "2 failed" in done.stdout, done.stdout + done.stderr
    for acting in ("\x1b", "\x07", "\u202e"):
        assert acting not in done.stdout + done.stderr
