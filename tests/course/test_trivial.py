"""Answers without any work earn nothing: None, zeros, ones, random numbers, nets that were not trained."""

from pathlib import Path

import pytest

from gradlab_staff.audit.report import TRIVIAL_SHARE
from gradlab_staff.audit.trials import Trial, try_out
from gradlab_staff.audit.triviality import trivial_answers
from gradlab_staff.course import Course
from gradlab_staff.grading.run import new_seed
from gradlab_staff.grading.verdict import ExerciseResult

COURSE = Course.find(Path(__file__))
ASSIGNMENTS = [COURSE.assignment(name) for name in COURSE.assignments]
SAMPLE = ("all-none", "all-zeros")  # of an assignment, in `make test`, beside the audit's own sample

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
    """Of each exercise that is answered so 2 % at the most; and no grader breaks."""
    trial = Trial(answer.name, answer.sources, tuple(answer.sources), (new_seed(),))
    tried = try_out(COURSE.root, assignment.name, trial)
    assert not tried.error
    results = [ExerciseResult(f"{assignment.name}/{name}", 1, tuple(c)) for name, c in tried.results[0].items()]
    assert {one.name for one in results} == set(answer.sources)
    paid = {one.name: sorted(one.counting) for one in results if one.share > TRIVIAL_SHARE}
    assert not paid, f"seed {trial.seeds[0]}: {paid}"
