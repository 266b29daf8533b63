"""What `reference/` holds is what the instructor notebooks give today.

An assignment that trains has a test_recorded_<assignment>.py or test_published_<assignment>.py of its own, which says
how far its figures may move from machine to machine; for any other one, the numbers are compared here.
"""

import json
from pathlib import Path

import pytest

from gradlab_staff.course import Course
from gradlab_staff.course.modules import load_module
from gradlab_staff.releasing.record import recordings

HERE = Path(__file__).parent
COURSE = Course.find(HERE)
ASSIGNMENTS = [COURSE.assignment(name) for name in COURSE.assignments]


def has_its_own(assignment):
    return any((HERE / f"test_{what}_{assignment.name}.py").is_file() for what in ("recorded", "published"))


def recorded(assignment):
    """The recorded outputs, without the versions that made them."""
    assert assignment.recorded.is_file(), f"Run: gradlab record {assignment.name}"
    content = json.loads(assignment.recorded.read_text(encoding="utf-8"))
    assert set(content.pop("made_with")) == {"gradlab", "numpy", "python"}
    return content


def near(value):
    """`value`, with numbers that compare at 1e-9: another machine adds in another order."""
    if isinstance(value, dict):
        return {key: near(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [near(entry) for entry in value]
    return pytest.approx(value, rel=1e-9, abs=1e-12) if isinstance(value, float) else value


@pytest.mark.parametrize("assignment", ASSIGNMENTS, ids=lambda assignment: assignment.name)
def test_names(assignment):
    """Each function of recordings.py is recorded, and nothing else. If not: gradlab record <assignment>."""
    module = load_module(assignment.graders / "recordings.py")
    made = {name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__}
    assert set(recorded(assignment)) == {name for name in made if not name.startswith("_")}


@pytest.mark.parametrize(
    "assignment", [a for a in ASSIGNMENTS if not has_its_own(a)], ids=lambda assignment: assignment.name
)
def test_numbers(assignment):
    """The instructor notebook gives what is recorded. If not: gradlab record <assignment>."""
    assert recordings(assignment) == near(recorded(assignment))
