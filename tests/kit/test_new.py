"""`gradlab new`: a fourth assignment that works at once, and touches no file that was there."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import click.testing
import pytest
from tiny_course import make_course

from gradlab_staff.audit.equivalent import load_equivalents
from gradlab_staff.audit.mutants import make_mutants
from gradlab_staff.cli import main
from gradlab_staff.course import Course
from gradlab_staff.releasing.leaks import leaks
from gradlab_staff.releasing.new import new

pytestmark = pytest.mark.slow

ROOT = Course.find(Path(__file__)).root
PARTS = ("source", "reference", "release", "tests/graders", "tests/course", "nbgrader_config.py", "pyproject.toml")
NAME = "linear_regression"
PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
LOOPED = """\
def mean_squared_error(y_hat, y):
    total = 0
    for difference in np.ravel(y_hat - y):
        total = total + difference * difference
    return total / np.size(y)
"""


def command(course, *words):
    """What a command says in the course; MPLBACKEND would keep the notebook from its pictures."""
    environment = {key: value for key, value in os.environ.items() if key != "MPLBACKEND"}
    return subprocess.run(words, cwd=course, env=environment, capture_output=True, text=True, check=False, timeout=600)


def gradlab(course, *words):
    return command(course, sys.executable, "-m", "gradlab", *words)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A copy of the course with a new assignment, what the command said, and what was there before."""
    course = tmp_path_factory.mktemp("course")
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        (course / part).parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / part, course / part)
    (course / "src").symlink_to(ROOT / "src")  # ruff sorts imports by what is ours
    before = contents(course)
    said = gradlab(course, "new", NAME)
    return course, said, before


def contents(course):
    """The course's own files, with what is in them."""
    folders = ("source", "reference", "release", "tests")
    paths = (path for folder in folders for path in (course / folder).rglob("*") if path.is_file())
    return {str(path.relative_to(course)): path.read_bytes() for path in paths if path.suffix != ".pyc"}


def test_it_says_what_it_made_and_what_comes_next(made):
    """Every file by its path; then the commands that test it, and the guide."""
    course, said, before = made
    assert said.returncode == 0, said.stderr
    named = {line for line in said.stdout.splitlines() if (course / line).exists()}
    added = contents(course).keys() - before.keys()
    assert added == {name for name in named if not name.endswith("/")} | {
        f"release/{NAME}/{NAME}.ipynb",
        f"release/{NAME}/public_checks.py",
    }
    assert f"pytest tests/graders/{NAME} && pytest tests/course -k {NAME}" in said.stdout
    assert "docs/new-assignment.md" in said.stdout


def test_it_changes_no_file(made):
    """What was in the course is as it was."""
    course, _, before = made
    now = contents(course)
    assert [name for name in before if now[name] != before[name]] == []


def test_the_skeleton_passes_its_own_tests(made):
    """Graders, course tests (solution full, release zero, misconception named, all up to date), nbval, ruff."""
    course, _, _ = made
    folders = (f"tests/graders/{NAME}", "tests/course", f"source/{NAME}")
    nbval = ("--nbval", "--nbval-sanitize-with", "tests/course/nbval.cfg")
    tested = command(course, *PYTEST, *nbval, *folders, "-k", NAME)
    assert tested.returncode == 0, tested.stdout[-3000:]
    assert f"{NAME}/mean_squared_error: 10 of 10" in tested.stdout
    linted = command(course, sys.executable, "-m", "ruff", "check", f"source/{NAME}", f"tests/graders/{NAME}")
    assert linted.returncode == 0, linted.stdout


def test_submissions_are_graded(made):
    """A solution that loops gets all points, the release as it is none."""
    course, _, _ = made
    released = json.loads((course / f"release/{NAME}/{NAME}.ipynb").read_text("utf-8"))
    hand_in(course, "student_01", released)
    for cell in released["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == "mean_squared_error_solution":
            cell["source"] = LOOPED
    hand_in(course, "student_02", released)
    graded = gradlab(course, "grade", NAME, "--json")
    assert graded.returncode == 0, graded.stderr
    assert scores(json.loads(graded.stdout)) == {"student_01": 0, "student_02": 10}


def hand_in(course, student, notebook):
    folder = course / "submitted" / student / NAME
    folder.mkdir(parents=True)
    (folder / f"{NAME}.ipynb").write_text(json.dumps(notebook), "utf-8")


def scores(report):
    return {entry["student"]: entry["score"] for entry in report["submissions"]}


def test_the_audit_knows_the_change_that_changes_nothing(made):
    """The mutant that the skeleton records as no worse is one that the audit makes."""
    course, _, _ = made
    assignment = Course(course).assignment(NAME)
    assert load_equivalents(assignment).keys() <= {mutant.id for mutant in make_mutants(assignment)}
    assert load_equivalents(assignment)


def test_a_module_beside_the_notebook_is_refused(made, tmp_path):
    """The sandbox would not have it: given code goes into given cells, as the guide says."""
    course, _, _ = made
    released = shutil.copytree(course / "release" / NAME, tmp_path / NAME)
    (released / "helpers.py").write_text("def helper():\n    pass\n")
    (leak,) = leaks(Course(course).assignment(NAME), released)
    assert leak.startswith("helpers.py: expected only linear_regression.ipynb and public_checks.py and images")


def test_every_file_of_the_skeleton_is_in_the_guide(made):
    """The guide lists what the command wrote, and every command in it exists."""
    _, said, _ = made
    guide = (ROOT / "docs/new-assignment.md").read_text("utf-8")
    written = [line for line in said.stdout.splitlines() if line.startswith(("source/", "tests/"))]
    assert [path for path in written if path not in guide] == []
    assert set(re.findall(r"^gradlab (\w+)", guide, re.MULTILINE)) <= main.commands.keys()


def test_a_second_time_it_refuses(made):
    """Nothing is written over; the message says what is there."""
    course, _, _ = made
    before = contents(course)
    again = gradlab(course, "new", NAME)
    assert again.returncode == 1
    taken = f"source/{NAME}, tests/graders/{NAME}, reference/{NAME}.json, release/{NAME}"
    assert f"{NAME}: expected an unused name, got one with {taken}. Wrote nothing." in again.stderr
    assert contents(course) == before


@pytest.mark.parametrize("name", ["Linear", "linear-regression", "1st", "a/b", "..", "lambda", "étude", "a" * 41, ""])
def test_a_bad_name_is_wrong_usage(tmp_path, name):
    """Exit code 2, what a name is, and nothing written."""
    root = make_course(tmp_path).course.root
    before = contents(root)
    result = click.testing.CliRunner().invoke(main, ["--course", str(root), "new", name])
    assert result.exit_code == 2
    assert f"{name}: expected a name of at most 40 lowercase letters, digits and _" in result.stderr
    assert contents(root) == before


@pytest.mark.parametrize("left", ["source/sums", "tests/graders/sums", "release/sums", "reference/sums.json"])
def test_leftovers_of_the_name_are_refused(tmp_path, left):
    """Whatever is left of an old assignment stays, and nothing is put beside it."""
    root = make_course(tmp_path).course.root
    (root / left).mkdir(parents=True)
    before = contents(root)
    result = click.testing.CliRunner().invoke(main, ["--course", str(root), "new", "sums"])
    assert result.exit_code == 1
    assert f"sums: expected an unused name, got one with {left}. Wrote nothing." in result.stderr
    assert contents(root) == before


def test_the_longest_name_makes_no_line_too_long(tmp_path, monkeypatch):
    """The files keep the house style whatever the name."""
    monkeypatch.setattr("gradlab_staff.releasing.record.record", lambda assignment: assignment.recorded)
    released = SimpleNamespace
    monkeypatch.setattr("gradlab_staff.releasing.release.release", lambda a: released(folder=a.release))
    course = make_course(tmp_path).course
    written = new(course, "a" * 40).written
    lines = [line for path in written if path.endswith(".py") for line in (course.root / path).read_text().split("\n")]
    assert max(map(len, lines)) <= 120
