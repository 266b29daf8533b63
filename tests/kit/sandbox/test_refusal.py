"""Without bubblewrap: grading refuses to start, unless it is asked to go on, and then every verdict says so."""

import json
import sys
from pathlib import Path

import click.testing
import pytest
from tiny_course import SOLVED, instructor_cells, make_course, solve, submit

from gradlab_staff.cli import main
from gradlab_staff.gradebook import book  # noqa: F401 (it puts nbgrader's programs on PATH, once for all tests)

pytestmark = [
    pytest.mark.slow,
    # nbgrader 0.9.6 on recent versions of what it uses; a TA can do nothing about them
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def grade(tmp_path, monkeypatch):
    """Grade a tiny class of one, on a machine without bubblewrap."""
    assignment = make_course(tmp_path)
    submit(assignment, "student_01", solve(instructor_cells(), SOLVED))
    programs = tmp_path / "programs"  # nbgrader runs alembic
    programs.mkdir()
    (programs / "alembic").symlink_to(Path(sys.executable).parent / "alembic")
    monkeypatch.setenv("PATH", str(programs))

    def run(*options):
        arguments = ["--course", str(tmp_path), "grade", "tiny", "--json", *options]
        result = click.testing.CliRunner().invoke(main, arguments)
        return result.exit_code, json.loads(result.stdout)["submissions"][0], tmp_path

    return run


def test_grading_refuses_to_start(grade):
    """No score is made, and the message says what to install."""
    code, entry, _ = grade()
    assert code == 1
    assert entry["score"] is None
    assert "apt-get install bubblewrap" in entry["error"]
    assert "--unsafe-no-sandbox" in entry["error"]


def test_an_unsafe_verdict_says_that_it_is(grade):
    """In its record, in the report's warnings, and on the feedback page."""
    code, entry, root = grade("--unsafe-no-sandbox")
    assert code == 0
    assert entry["score"] == 6
    assert entry["verdict"]["sandbox"] == "NO SANDBOX (--unsafe-no-sandbox): this verdict can be forged"
    assert entry["verdict"]["warnings"][0].startswith("graded with --unsafe-no-sandbox")
    page = (root / "feedback" / "student_01" / "tiny" / "tiny.html").read_text()
    assert "graded with --unsafe-no-sandbox" in page
