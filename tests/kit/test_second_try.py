"""A second try is for code that does not fit the stand-ins: it knows nothing of the first, and guesses nothing."""

import pytest
from tiny_course import make_course

from gradlab_staff.grading.grade import grade
from gradlab_staff.grading.run import GradeOptions, Run

pytestmark = pytest.mark.slow

GRADER = '''
from gradlab_staff.grading import expect_close, stands_in

pytestmark = stands_in("double")


def test_three(submission, rng):
    """halve 3 is 1.5."""
    expect_close(submission.halve(3.0), 1.5, "halve(3)")


def test_any(submission, rng):
    """halve any number."""
    x = float(rng.uniform(1, 2))
    expect_close(submission.halve(x), x / 2, "halve(x)")
'''
OWN = "def {own}(x):\\n    return 2 * x\\n\\n\\n"


@pytest.fixture
def tiny(tmp_path):
    """The tiny course, whose second exercise builds on the first."""
    assignment = make_course(tmp_path)
    (assignment.graders / "test_halve.py").write_text(GRADER)
    return assignment


def verdict_on(tiny, double, halve, timeout_s=None):
    """The verdict on two functions' bodies."""
    path = tiny.course.root / "handed_in.ipynb"
    source = tiny.notebook.read_text()
    assert "return 2 * x" in source
    path.write_text(source.replace("return 2 * x", escaped(double)).replace("return x / 2", escaped(halve)))
    return grade(tiny, path, "student_01", options=GradeOptions(timeout_s=timeout_s))


def escaped(body):
    return "\n".join(body.strip().splitlines()).replace("\n", "\\n    ").replace('"', '\\"')


def outcomes(exercise):
    return [str(check.outcome) for check in exercise.checks]


STOOD_IN = "stood_in = double.__code__.co_filename.startswith('/opt')\n"


def test_code_that_does_not_fit_the_stand_in_is_tried_with_its_own(tiny):
    """Its `double` returns a pair, and `halve` takes the pair apart: beside the reference's it breaks off."""
    double, halve = verdict_on(tiny, "return 2 * x, x", "twice, same = double(x)\nreturn same / 2").exercises
    assert double.score == 0
    assert halve.score == halve.points
    assert all(check.with_own for check in halve.checks)
    assert halve.stood_in == ()


def test_a_wrong_answer_is_no_reason_for_a_second_try(tiny):
    """Whoever answers wrongly beside the stand-in and rightly without has guessed twice."""
    body = f"{STOOD_IN}return x / 3 if stood_in else x / 2"
    assert outcomes(verdict_on(tiny, "return 2 * x", body).exercises[1]) == ["failed", "failed"]


def test_a_second_try_finds_nothing_of_the_first(tiny):
    """No file, no memory, no process, and not the same numbers: the answer is wrong where any of these is there."""
    body = f"""
import glob, os, sys
seen = glob.glob('/tmp/mine*') + glob.glob('/dev/shm/mine*') + [p for p in os.listdir('/proc') if p.isdigit()][3:]
open('/tmp/mine' + str(x), 'w').close()
open('/dev/shm/mine' + str(x), 'w').close()
if not os.fork():
    import time
    time.sleep(60)
    os._exit(0)
{STOOD_IN}
if stood_in:
    raise ValueError('the first try breaks off')
return x / 2 if len(seen) < 7 and not any(str(x) in name for name in seen) else 0.0
"""
    (halve,) = verdict_on(tiny, "return 2 * x", body).exercises[1:]
    assert halve.score == halve.points, halve.checks


def test_the_exercise_counts_as_a_whole(tiny):
    """One check is right beside the stand-in, the other without: that is half of the points, and not all."""
    body = f"""
{STOOD_IN}
if (x == 3.0) == stood_in:
    return x / 2
raise ValueError('not now')
"""
    (halve,) = verdict_on(tiny, "return 2 * x", body).exercises[1:]
    assert halve.score == halve.points / 2
    assert len({check.with_own for check in halve.checks}) == 1


def test_what_was_not_attempted_or_late_is_not_tried_again(tiny, monkeypatch):
    """It would be as late, and cost as much, a second time."""
    tries = []
    second_try = Run.second_try
    monkeypatch.setattr(Run, "second_try", lambda run: tries.append(run) or second_try(run))
    for body, outcome in (
        ("raise NotImplementedError", "not_attempted"),
        ("while True: pass", "timed_out"),
        ("return double(x) + None", "failed"),
    ):
        checks = outcomes(verdict_on(tiny, "return 2 * x", body, timeout_s=0.5).exercises[1])
        assert checks == [outcome] * 2
    assert len(tries) == 1  # of the last
