"""Answers without any work earn nothing: None, zeros, ones, random numbers, nets that were not trained."""

from pathlib import Path

import pytest

from gradlab_staff.audit.report import TRIVIAL_SHARE
from gradlab_staff.audit.triviality import trivial_answers
from gradlab_staff.course import Course
from gradlab_staff.grading.grade import grade_notebook
from gradlab_staff.grading.verdict import Outcome
from gradlab_staff.intake.matching import with_solutions

COURSE = Course.find(Path(__file__))
ASSIGNMENTS = [COURSE.assignment(name) for name in COURSE.assignments]
SAMPLE = ("all-zeros", "all-random")  # of an assignment, in `make test`, beside the audit's own sample

ANSWERS = [
    pytest.param(
        assignment,
        one,
        id=f"{assignment.name}-{one.name}",
        marks=[] if one.name in SAMPLE else [pytest.mark.thorough],
    )
    for assignment in ASSIGNMENTS
    for one in trivial_answers(assignment)
]


@pytest.mark.parametrize(("assignment", "answer"), ANSWERS)
def test_no_work_earns_nothing(assignment, answer):
    """As a student's: the whole notebook is graded, and each exercise that is answered so earns 2 % at the most."""
    verdict = grade_notebook(assignment, with_solutions(assignment, answer.sources), "student_01")
    shares = {exercise.name: exercise.share for exercise in verdict.exercises if exercise.name in answer.sources}
    paid = {name: share for name, share in shares.items() if share > TRIVIAL_SHARE}
    assert shares
    assert not paid, f"seed {verdict.seed}: {paid}"


@pytest.mark.parametrize("assignment", ASSIGNMENTS, ids=lambda assignment: assignment.name)
def test_they_fail_and_break_nothing(assignment):
    """None in each exercise: every check is a failure of the student's, and no error of a grader's."""
    nothing = next(one for one in trivial_answers(assignment) if one.name == "all-none")
    verdict = grade_notebook(assignment, with_solutions(assignment, nothing.sources), "student_01")
    assert {check.outcome for exercise in verdict.exercises for check in exercise.checks} <= {
        Outcome.FAILED,
        Outcome.PASSED,
    }
