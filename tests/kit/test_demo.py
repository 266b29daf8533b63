"""The demo class is what its stories say."""

import ast
import json
import shutil
from pathlib import Path

import pytest

from gradlab_staff.course import Assignment, Course
from gradlab_staff.errors import CourseError
from gradlab_staff.grading.diagnosis import load_misconceptions
from gradlab_staff.intake.matching import Kind, match
from gradlab_staff.intake.notebook import open_notebook
from gradlab_staff.intake.plan import plan
from gradlab_staff.releasing import demo
from gradlab_staff.releasing.demo import make_class

COURSE = Course.find(Path(__file__).parent)


@pytest.fixture(scope="module")
def dropout() -> Assignment:
    return COURSE.assignment("dropout")


@pytest.fixture(scope="module")
def members(dropout, tmp_path_factory):
    patched = pytest.MonkeyPatch()
    patched.setattr(demo, "_MEGABYTE", "x" * 99 + "\n")  # 100 MB only where it is run
    yield make_class(dropout, tmp_path_factory.mktemp("submitted"))
    patched.undo()


def planned(assignment, member):
    return plan(assignment, match(assignment, open_notebook(member.notebook)))


def solutions(plan):
    """The code of the solution cells, by exercise."""
    return {code.id.removesuffix("_solution"): code.source for code in plan.code if code.kind is Kind.SOLUTION}


def test_sixteen(members):
    """Sixteen students, each with the notebook where nbgrader looks for it."""
    assert [member.student for member in members] == [f"student_{number:02}" for number in range(1, 17)]
    for member in members:
        assert member.notebook.parts[-3:] == (member.student, "dropout", "dropout.ipynb")


def test_clean(dropout, members):
    """Every notebook is read and planned without a warning, and no delimiter is left."""
    for member in members:
        assert planned(dropout, member).warnings == ()
        assert "### BEGIN" not in member.notebook.read_text()


def test_solved(dropout, members):
    """The first two are solved in every exercise, and differ in every one."""
    first, second = (planned(dropout, member) for member in members[:2])
    names = {exercise.name for exercise in dropout.exercises}
    assert names == solutions(first).keys() == solutions(second).keys()
    assert not first.unchanged
    assert not second.unchanged
    for name in names:
        one, other = (ast.unparse(ast.parse(solutions(found)[name])) for found in (first, second))
        assert one != other, name


def test_untouched(dropout, members):
    """The third hands in the release as it is."""
    assert planned(dropout, members[2]).unchanged == {exercise.name for exercise in dropout.exercises}
    assert len(members[2].loses) == len(dropout.exercises)


def test_misconceptions(dropout, members):
    """Ten have one misconception each, in every exercise at least one, and the rest as the instructor has it."""
    specs = load_misconceptions(dropout)
    solved = solutions(planned(dropout, members[0]))
    ten = [member for member in members if member.story.startswith("misconception")]
    assert len({member.story for member in ten}) == 10
    assert {name for member in ten for name in member.loses} == {exercise.name for exercise in dropout.exercises}
    for member in ten:
        spec = specs[member.story.removeprefix("misconception ")]
        found = solutions(planned(dropout, member))
        assert member.loses == (spec.exercise,)
        assert found[spec.exercise] == spec.source.strip("\n")
        assert {name for name in found if found[name] != solved[name]} == {spec.exercise}


def test_troublemakers(dropout, members):
    """One loops, one kills its process, one prints; what they do stands in code that is run."""
    loop, kill, prints = members[13:]
    assert "while True:" in solutions(planned(dropout, loop))[loop.loses[0]]
    assert "os.kill(os.getpid(), 9)" in solutions(planned(dropout, kill))[kill.loses[0]]
    assert prints.loses == ()
    assert any('print("x" * 999_999)' in code.source for code in planned(dropout, prints).code)
    outputs = [cell.get("outputs") for cell in json.loads(prints.notebook.read_text())["cells"]]
    assert sum(len(output[0]["text"]) for output in outputs if output) == 100 * 100


def test_again(dropout, members):
    """The demo may be made again over itself."""
    folder = members[0].notebook.parents[2]
    assert make_class(dropout, folder)[0].notebook == members[0].notebook


@pytest.mark.parametrize("name", ["dropout.ipynb", "notes.txt"])
def test_foreign_submission(dropout, tmp_path, name):
    """A submission that the demo did not make is never overwritten: nothing is written at all."""
    foreign = tmp_path / "student_05" / "dropout" / name
    foreign.parent.mkdir(parents=True)
    foreign.write_text('{"metadata": {}, "cells": []}')
    with pytest.raises(CourseError, match="expected only submissions of the demo, got others of student_05"):
        make_class(dropout, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["student_05"]
    assert foreign.read_text() == '{"metadata": {}, "cells": []}'


def copied(dropout, tmp_path, *folders: str) -> Assignment:
    for folder in folders:
        shutil.copytree(COURSE.root / folder, tmp_path / folder)
    shutil.copy(COURSE.root / "nbgrader_config.py", tmp_path)
    return Course(tmp_path).assignment("dropout")


def test_not_released(dropout, tmp_path):
    """Without a release there is nothing to solve."""
    with pytest.raises(CourseError, match="expected a release, got none"):
        make_class(copied(dropout, tmp_path, "source/dropout"), tmp_path / "submitted")


def test_too_few_misconceptions(dropout, tmp_path):
    """A class needs ten."""
    course = copied(dropout, tmp_path, "source/dropout", "release/dropout", "tests/graders/dropout")
    (course.graders / "misconceptions.py").write_text("")
    with pytest.raises(CourseError, match="expected at least 10 misconceptions for a class, got 0"):
        make_class(course, tmp_path / "submitted")
