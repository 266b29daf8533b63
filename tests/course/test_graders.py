"""The hidden graders are right: solution full, release zero, each misconception loses its own exercise and is named."""

import json
import os
from itertools import zip_longest
from pathlib import Path

import pytest

from gradlab_staff.course import Course
from gradlab_staff.course.template import stub
from gradlab_staff.grading.diagnosis import load_misconceptions
from gradlab_staff.grading.grade import grade
from gradlab_staff.grading.run import GradeOptions, new_seed
from gradlab_staff.grading.verdict import Outcome

COURSE = Course.find(Path(__file__))
ON_ONE_SEED = GradeOptions(seed=new_seed())  # as a class: what misconceptions come to is found out once
ASSIGNMENTS = [COURSE.assignment(name) for name in COURSE.assignments]


def in_rounds(assignment):
    """The misconceptions, two in a notebook where that can be: of exercises half a notebook apart.

    Neighbours run each other's code: the gradient of a dropout is judged on the student's own masks, and two swaps of
    keep and drop are right together. The first of the earlier exercise stands alone, so that the later one is seen to
    lose nothing by it.
    """
    specs = load_misconceptions(assignment).values()
    by_exercise = [[spec for spec in specs if spec.exercise == exercise.name] for exercise in assignment.exercises]
    apart = (len(by_exercise) + 1) // 2
    pairs = zip_longest(by_exercise[:apart], ([None, *later] for later in by_exercise[apart:]), fillvalue=())
    return [tuple(filter(None, several)) for pair in pairs for several in zip_longest(*pair)]


SAMPLE = 2  # rounds of an assignment that `make test` tries, beside the audit's own sample
ROUNDS = [
    pytest.param(
        assignment, specs, id=f"{assignment.name}-{number}", marks=[pytest.mark.thorough] if number > SAMPLE else []
    )
    for assignment in ASSIGNMENTS
    for number, specs in enumerate(in_rounds(assignment), 1)
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
    """Every check passes, and there is no warning."""
    verdict = grade(assignment, assignment.notebook, "instructor")
    assert [check for e in verdict.exercises for check in e.checks if check.outcome is not Outcome.PASSED] == []
    assert verdict.score == verdict.max_score
    assert verdict.warnings == ()


@pytest.mark.parametrize("assignment", ASSIGNMENTS, ids=lambda assignment: assignment.name)
def test_the_untouched_release_scores_zero(assignment, tmp_path):
    """Every check of every exercise says that it was not attempted."""
    verdict = grade(assignment, notebook_with(assignment, tmp_path, released=True), "student_01")
    assert {check.outcome for e in verdict.exercises for check in e.checks} == {Outcome.NOT_ATTEMPTED}
    assert verdict.score == 0


@pytest.mark.parametrize(("assignment", "specs"), ROUNDS)
def test_a_misconception_loses_its_own_exercise_and_is_named(assignment, specs, tmp_path):
    """The exercise that a misconception belongs to loses points, and the feedback names it; no other loses any.

    Where a notebook has two, each is named from the same numbers as it would be alone.
    """
    wrong = {spec.exercise: spec for spec in specs}
    sources = {name: spec.source for name, spec in wrong.items()}
    verdict = grade(assignment, notebook_with(assignment, tmp_path, sources), "student_01", options=ON_ONE_SEED)
    assert {e.name for e in verdict.exercises if e.score < e.points} == set(wrong), f"seed {verdict.seed}"
    for exercise in verdict.exercises:
        if exercise.name in wrong:
            assert exercise.misconception is not None, f"seed {verdict.seed}: {exercise.checks}"
            assert exercise.misconception.name == wrong[exercise.name].name, f"seed {verdict.seed}"
