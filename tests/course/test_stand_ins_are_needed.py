"""A stand-in exists where a right solution calls it, and answers well above what any of them asks."""

from pathlib import Path

import pytest

from gradlab_staff.audit.variants import load_variants
from gradlab_staff.course import Course
from gradlab_staff.course.modules import load_module
from gradlab_staff.grading.checks import run_checks
from gradlab_staff.grading.run import open_run
from gradlab_staff.intake.matching import with_solutions

COURSE = Course.find(Path(__file__))
SPARE = 4
"""A budget is at least so many times what any right solution uses."""


def marks_of(assignment):
    """The names and the budget of each grader that has the reference stand in, by exercise."""
    for exercise in assignment.exercises:
        mark = getattr(load_module(exercise.grader), "pytestmark", None)
        if mark is not None and mark.name == "stands_in":
            yield exercise.name, mark.args, mark.kwargs["calls"]


def used_by(assignment, exercise, sources):
    """How often a solution asks each stand-in in a check, at most; once for a name that it hands on."""
    most = {}
    with open_run(assignment, with_solutions(assignment, sources)) as run:

        def look(*_):
            stand_ins = run.submission._stand_ins
            handed_on = [one for call in stand_ins.calls for one in (*call.args, *call.kwargs.values())]
            handed_on = {getattr(one, "__name__", "") for one in handed_on if callable(one)}
            for name in {*stand_ins.asked, *handed_on}:
                most[name] = max(most.get(name, 1), stand_ins.asked[name])
            return True

        run.go_on = look
        run_checks(run, "right", [f"test_{exercise}.py"])
    return most


@pytest.mark.thorough
@pytest.mark.parametrize("name", COURSE.assignments)
def test_right_solutions_call_each_of_them(name):
    """The instructor's or a variant's, and none is near the end of the budget."""
    assignment = COURSE.assignment(name)
    variants = load_variants(assignment)
    for exercise, names, calls in marks_of(assignment):
        unused = set(names)
        for sources in ({}, *(dict(one.sources) for one in variants if exercise in one.sources)):
            used = used_by(assignment, exercise, sources)
            unused -= set(used)
            near = {one: count for one, count in used.items() if one in names and SPARE * count > calls}
            assert near == {}, f"{exercise}: {sources}"
        assert unused == set(), f"{exercise}: no right solution calls them"
