"""A submission sees what it is asked, and must not learn from it how it fares."""

from pathlib import Path

import pytest
from twins import told, traced, wrong_solutions

from gradlab_staff.course import Course
from gradlab_staff.grading.run import new_seed

COURSE = Course.find(Path(__file__))
SAMPLE = 1  # wrong solutions an exercise in `make test`; all of them in `make thorough`, as `make twins` tries them


@pytest.mark.parametrize(
    ("name", "count"),
    [
        pytest.param(name, count, id=f"{name}-{count}", marks=[pytest.mark.thorough] if count > SAMPLE else [])
        for name in COURSE.assignments
        for count in (SAMPLE, 5)
    ],
)
def test_wrong_solutions_are_asked_what_right_ones_are(name, count):
    """The same requests in the same order, whether what comes back is right or wrong."""
    assignment, seed, rights, seen = COURSE.assignment(name), new_seed(), {}, {}
    for wrong, exercise, sources in wrong_solutions(assignment):
        seen[exercise] = seen.get(exercise, 0) + 1
        if seen[exercise] <= count:
            if exercise not in rights:
                rights[exercise] = traced(assignment, exercise, {}, seed)
            assert told(rights[exercise], traced(assignment, exercise, sources, seed)) == [], f"{wrong}, seed {seed}"
