"""Gates: a check counts only if the checks that it needs passed."""

import os
import subprocess
import sys

import pytest
from tiny_course import make_course, submit

from gradlab_staff.errors import GraderError
from gradlab_staff.grading.grade import grade
from gradlab_staff.grading.verdict import CheckResult, ExerciseResult, Outcome, Verdict

PASSED, FAILED = Outcome.PASSED, Outcome.FAILED

GRADER = """
import pytest

from gradlab_staff.grading import expect_close, weight


@weight(1)
@pytest.mark.parametrize("x", [3.0, -1.0])
def test_large(submission, x):
    "Twice x."
    expect_close(submission.double(x), 2 * x)


@weight(2{needs})
def test_of_zero(submission):
    "Zero stays."
    expect_close(submission.double(0.0), 0.0)
"""


def check(name, outcome=PASSED, needs=(), weight=1.0):
    return CheckResult(name, name, weight, outcome, needs=needs)


@pytest.mark.parametrize(
    ("checks", "counting"),
    [
        ([check("a"), check("b", needs=("a",))], {"a", "b"}),
        ([check("a", FAILED), check("b", needs=("a",))], set()),
        ([check("a", FAILED), check("b", needs=("a",)), check("c", needs=("b",)), check("d")], {"d"}),
        ([check("b", needs=("a",)), check("d")], {"d"}),  # did not run
        ([check("a[1]"), check("a[2]", FAILED), check("b", needs=("a",))], {"a[1]"}),
        ([check("a[1]"), check("a[2]"), check("b", needs=("a",))], {"a[1]", "a[2]", "b"}),
        ([check("a"), check("c", FAILED), check("b", needs=("a", "c"))], {"a"}),
    ],
)
def test_what_counts(checks, counting):
    """All that a check needs has to be there, pass and count; of a parametrised check each case."""
    result = ExerciseResult("tiny/double", 8, tuple(checks))
    assert result.counting == counting
    assert result.score == round(8 * len(counting) / len(checks), 2)


def test_the_reason_is_the_check_that_failed():
    """Not one between, which passed."""
    checks = (check("a", FAILED), check("b", needs=("a",)), check("c", needs=("b", "gone")))
    assert ExerciseResult("tiny/double", 4, checks).lacking(checks[2]) == ("gone", "a")


def test_verdicts_in_json_are_read():
    """What is needed survives, and a verdict from before there were gates has none."""
    result = ExerciseResult("tiny/double", 4, (check("a", FAILED), check("b", needs=("a",))))
    data = Verdict("tiny", "student_01", "tiny.ipynb", 1, (result,)).to_dict()
    assert Verdict.from_dict(data).exercises[0] == result
    for one in data["exercises"][0]["checks"]:
        del one["needs"]
    assert Verdict.from_dict(data).score == 2


@pytest.fixture
def tiny(tmp_path):
    return make_course(tmp_path)


def test_a_gate_closes(tiny):
    """An answer of zeros passes the check of zero, and earns nothing by it."""
    (tiny.graders / "test_double.py").write_text(GRADER.format(needs=", needs=('test_large',)"))
    path = notebook_of(tiny, "return 0 * x")
    double, halve = grade(tiny, path, "student_01").exercises
    assert [one.outcome for one in double.checks] == [FAILED, FAILED, PASSED]
    assert double.checks[-1].needs == ("test_large",)
    assert (double.score, halve.score) == (0, 2)
    assert grade(tiny, tiny.notebook, "student_01").score == 6


def notebook_of(tiny, line):
    path = submit(tiny, "student_01", "") / "tiny.ipynb"
    path.write_text(tiny.notebook.read_text().replace("return 2 * x", line))
    return path


@pytest.mark.parametrize(
    ("needs", "told"),
    [
        (("test_lrage",), "test_double.py: expected test_of_zero to need checks of this module, got test_lrage"),
        (("test_large[3.0]",), r"got test_large\[3.0\]. Name them as they are defined, without brackets"),
        (("test_of_zero",), "need each other in no circle, got test_of_zero → test_of_zero"),
    ],
)
def test_a_gate_that_leads_nowhere_is_the_kits_error(tiny, needs, told):
    """A verdict by such a grader would cost every student points."""
    (tiny.graders / "test_double.py").write_text(GRADER.format(needs=f", needs={needs!r}"))
    with pytest.raises(GraderError, match=told):
        grade(tiny, tiny.notebook, "student_01")


def test_one_check_alone_is_collected(tiny):
    """What it needs is in the module, if not in the run: that is no error, and it does not count."""
    (tiny.graders / "test_double.py").write_text(GRADER.format(needs=", needs=('test_large',)"))
    command = [sys.executable, "-m", "pytest", str(tiny.graders), "-k", "zero", "--rootdir", str(tiny.course.root)]
    ran = subprocess.run(
        [*command, "-c", os.devnull],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,  # it starts a sandbox, and may not be alone on its machine
    )
    assert "1 passed, 3 deselected" in ran.stdout, ran.stdout + ran.stderr
    assert "tiny/double: 0 of 4" in ran.stdout
