"""The hidden graders are right: solution full, release zero, each misconception loses its own exercise and is named."""

import json
import os
from pathlib import Path

import pytest

from gradlab.cells import stub
from gradlab.course import Course
from gradlab.grading.diagnosis import load_misconceptions
from gradlab.grading.grade import GradeOptions, grade, new_seed
from gradlab.grading.verdict import Outcome

COURSE = Course.find(Path(__file__))
ON_ONE_SEED = GradeOptions(seed=new_seed())  # as a class: what misconceptions come to is found out once
ASSIGNMENTS = [COURSE.assignment(name) for name in COURSE.assignments]
MISCONCEPTIONS = [
    pytest.param(assignment, spec, id=f"{assignment.name}-{spec.name}")
    for assignment in ASSIGNMENTS
    for spec in load_misconceptions(assignment).values()
]


@pytest.fixture(autouse=True)
def a_shell_with_settings(monkeypatch):
    """Grading minds no option that the TA gives to pytest in general."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-x")
    yield
    assert os.environ["PYTEST_ADDOPTS"] == "-x"


def notebook_with(assignment, folder, sources=None, *, released=False):
    """A notebook made of the instructor's, with other solutions for some exercises, or with none at all."""
    content = json.loads(assignment.notebook.read_text(encoding="utf-8"))
    for cell in content["cells"]:
        id = cell["metadata"].get("nbgrader", {}).get("grade_id", "")
        exercise = id.removesuffix("_solution")
        if sources and id.endswith("_solution") and exercise in sources:
            cell["source"] = sources[exercise]
        elif released and cell["cell_type"] == "code":
            cell["source"] = stub("".join(cell["source"]), f"{assignment.name}/{exercise}")
    path = folder / f"{assignment.name}.ipynb"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize("assignment", ASSIGNMENTS, ids=lambda assignment: assignment.name)
def test_the_course_does_not_contradict_itself(assignment):
    """Ids, points, cells and graders fit together."""
    assert assignment.faults() == []


@pytest.mark.parametrize("assignment", ASSIGNMENTS, ids=lambda assignment: assignment.name)
def test_the_instructors_solution_scores_full(assignment):
    """Every check passes, and there is nothing to remark."""
    verdict = grade(assignment, assignment.notebook, "instructor")
    assert [check for e in verdict.exercises for check in e.checks if check.outcome is not Outcome.PASSED] == []
    assert verdict.score == verdict.max_score
    assert verdict.remarks == ()


@pytest.mark.parametrize("assignment", ASSIGNMENTS, ids=lambda assignment: assignment.name)
def test_the_untouched_release_scores_zero(assignment, tmp_path):
    """Every check of every exercise says that it was not attempted."""
    verdict = grade(assignment, notebook_with(assignment, tmp_path, released=True), "student_01")
    assert {check.outcome for e in verdict.exercises for check in e.checks} == {Outcome.NOT_ATTEMPTED}
    assert verdict.score == 0


@pytest.mark.parametrize(("assignment", "spec"), MISCONCEPTIONS)
def test_a_misconception_loses_its_own_exercise_and_is_named(assignment, spec, tmp_path):
    """The exercise that the misconception belongs to loses points, no other does, and the feedback names it."""
    verdict = grade(
        assignment, notebook_with(assignment, tmp_path, {spec.exercise: spec.source}), spec.name, options=ON_ONE_SEED
    )
    assert [e.name for e in verdict.exercises if e.score < e.points] == [spec.exercise]
    (exercise,) = [e for e in verdict.exercises if e.name == spec.exercise]
    assert exercise.misconception is not None, f"seed {verdict.seed}: {exercise.checks}"
    assert exercise.misconception.name == spec.name, f"seed {verdict.seed}"
