"""`grade`, in this process: what misconceptions are remembered, and what ends a run."""

import os

import pytest
from tiny_course import make_course

from gradlab_staff.errors import GraderError
from gradlab_staff.grading.candidates import candidates_of
from gradlab_staff.grading.grade import grade
from gradlab_staff.grading.run import GradeOptions
from gradlab_staff.sandbox.budget import Budget

pytestmark = pytest.mark.slow

MISCONCEPTION = '''
from gradlab_staff.grading import misconception


@misconception(exercise="double", explanation="It is halved.", hint="Twice as much.")
def halved():
    return """
def double(x):
    return x / 2
"""
'''


@pytest.fixture
def tiny(tmp_path):
    return make_course(tmp_path)


def notebook(tiny, body):
    """The instructor notebook with another `double`."""
    path = tiny.course.root / "handed_in.ipynb"
    path.write_text(tiny.notebook.read_text().replace("return 2 * x", f"return {body}"))
    assert body in path.read_text()
    return path


def named(tiny, seed, body):
    """What the diagnosis names where `double` returns `body`."""
    verdict = grade(tiny, notebook(tiny, body), "student_01", options=GradeOptions(seed=seed))
    found = verdict.exercises[0].misconception
    return found.name if found else ""


def test_a_misconception_is_named_for_all_who_have_it(tiny):
    """Also for the second submission of a seed, and not for one that is wrong otherwise."""
    (tiny.graders / "misconceptions.py").write_text(MISCONCEPTION)
    assert [named(tiny, 7, body) for body in ("x * 0.5", "x", "x / 2")] == ["halved", "", "halved"]


def test_what_was_late_is_tried_again(tiny):
    """A misconception that a busy machine did not get to is not forgotten for the rest of the class."""
    (tiny.graders / "misconceptions.py").write_text(MISCONCEPTION)
    checks = grade(tiny, notebook(tiny, "x / 2"), "student_01").exercises[0].checks
    for nothing in (Budget(wall_s=0.01), Budget(wall_s=0)):
        (candidate,) = candidates_of(tiny, 8, GradeOptions(), nothing)
        assert candidate.results(checks, alike=True) == {}
    (candidate,) = candidates_of(tiny, 8, GradeOptions())
    assert [found.outcome for found in candidate.results(checks, alike=True).values()] == ["failed"]


def test_an_endless_loop_is_waited_for_three_times(tiny):
    """The other checks of its exercise are not run, and say so; the next exercise is graded as ever."""
    path = notebook(tiny, "sum(iter(int, 1))")  # zeros without an end
    checks = "\n\n".join(f'def test_{n}(submission):\n    """Three."""\n    submission.double(3.0)\n' for n in range(5))
    (tiny.graders / "test_double.py").write_text(checks)
    double, halve = grade(tiny, path, "student_01", options=GradeOptions(timeout_s=0.5)).exercises
    assert [check.outcome for check in double.checks] == ["timed_out"] * 5
    assert all("expected an answer within" in check.message.lower() for check in double.checks[:3])
    assert {check.message.split(".")[0] for check in double.checks[3:]} == {
        "Not run: 3 checks of this exercise timed out"
    }
    assert halve.score == halve.points


def test_ctrl_c_ends_the_run(tiny):
    """A run that was interrupted has no verdict."""
    (tiny.graders / "test_halve.py").write_text("def test_it(submission):\n    raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        grade(tiny, tiny.notebook, "student_01")


def test_a_broken_grader_is_no_verdict(tiny):
    """Nor does the environment change."""
    (tiny.graders / "test_halve.py").write_text("def test_it(submission):\n    raise OSError('disk')\n")
    before = dict(os.environ)
    with pytest.raises(GraderError, match=r"halve::test_it: OSError: disk.*No score was written"):
        grade(tiny, tiny.notebook, "student_01")
    assert {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"} == {
        name: value for name, value in before.items() if name != "PYTEST_CURRENT_TEST"
    }


def test_an_array_where_a_function_belongs_loses_the_points(tiny):
    """It is a fault of the submission, not of the grader that calls it."""
    (tiny.graders / "test_double.py").write_text(
        'def test_three(submission):\n    """Three."""\n    assert submission.double(3.0) == 6.0\n'
    )
    path = notebook(tiny, "2 * x\\n\\nimport numpy as np\\ndouble = np.ones(3)")
    double, _ = grade(tiny, path, "student_01").exercises
    assert [check.message for check in double.checks] == [
        "Expected a function or a class, got a value of type numpy.ndarray."
    ]


def test_a_misconception_that_breaks_a_grader_costs_no_verdict(tiny):
    """Only the cause."""
    (tiny.graders / "misconceptions.py").write_text(MISCONCEPTION)
    (tiny.graders / "test_double.py").write_text(
        'def test_three(submission):\n    """Three."""\n    got = submission.double(3.0)\n'
        "    assert got != 1.5 or 1 / 0\n    assert got == 6.0\n"
    )
    verdict = grade(tiny, notebook(tiny, "x"), "student_01")
    assert [check.outcome for check in verdict.exercises[0].checks] == ["failed"]
    assert verdict.warnings == (
        "likely causes were not looked for: one of the course's misconceptions breaks a grader.",
    )
