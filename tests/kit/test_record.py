"""Recordings are made from the reference and written as JSON."""

import json
import os
import shutil
from pathlib import Path

import pytest

from gradlab_staff.course import Assignment, Course
from gradlab_staff.errors import CourseError
from gradlab_staff.releasing.record import record

COURSE = Path(__file__).parent / "submissions" / "course"


@pytest.fixture
def tiny(tmp_path) -> Assignment:
    shutil.copytree(COURSE, tmp_path / "course")
    assignment = Course(tmp_path / "course").assignment("tiny")
    assignment.graders.mkdir(parents=True)
    return assignment


def write(tiny: Assignment, text: str) -> Assignment:
    (tiny.graders / "recordings.py").write_text(text)
    return tiny


def test_record(tiny):
    """Each public function is recorded under its name, as plain data, with the versions."""
    write(
        tiny,
        "import numpy as np\nfrom math import sqrt\n_seed = 3\n"
        "def values(nb):\n    print('aside')\n"
        "    return {'seed': _seed, 0.5: np.arange(3), 'b': np.float32(0.5), 'c': (nb.double(2), None, True)}\n"
        "def _private(nb):\n    return 1\n",
    )
    path = record(tiny)
    content = json.loads(path.read_text())
    assert path == tiny.recorded
    assert content["values"] == {"seed": 3, "0.5": [0, 1, 2], "b": 0.5, "c": [4, None, True]}
    assert set(content) == {"values", "made_with"}
    assert set(content["made_with"]) == {"gradlab", "numpy", "python"}


def test_same_bytes(tiny):
    """Recording again gives the same file."""
    write(tiny, "def b(nb):\n    return 0.1\ndef a(nb):\n    return {'z': 1, 'a': 2}\n")
    first = record(tiny).read_bytes()
    assert record(tiny).read_bytes() == first


def test_the_data_are_hidden(tiny, monkeypatch):
    """GRADLAB_DATA is hidden from recordings, and back afterwards."""
    monkeypatch.setenv("GRADLAB_DATA", "elsewhere")
    write(tiny, "import os\ndef data(nb):\n    return os.environ.get('GRADLAB_DATA')\n")
    assert json.loads(record(tiny).read_text())["data"] is None
    assert os.environ["GRADLAB_DATA"] == "elsewhere"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 / 0", "recordings.py: expected it to run, got ZeroDivisionError"),
        ("def a(nb):\n    return nb.nothing", "tiny/a: expected a recording, got AttributeError: the reference has no"),
        ("def a(nb):\n    return nb.double", "tiny/a: expected a recording, got TypeError"),
        ("def a(nb):\n    return float('nan')", "tiny/a: expected a recording, got TypeError: nan cannot be recorded"),
    ],
)
def test_failing_recording(tiny, text, message):
    """A recording that fails is named, and an old file stays."""
    tiny.recorded.parent.mkdir()
    tiny.recorded.write_text("old")
    with pytest.raises(CourseError, match=message):
        record(write(tiny, text))
    assert tiny.recorded.read_text() == "old"


def test_no_recordings(tiny):
    """A missing recordings.py is an error that names it."""
    with pytest.raises(CourseError, match=r"recordings\.py: expected a Python file, got none"):
        record(tiny)
