"""The whole line: a class of sixteen, graded by gradlab and by plain nbgrader, and opened in formgrader."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from browser import BIN, chromium, jupyter
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from gradlab_staff.course import Course
from gradlab_staff.releasing.demo import make_class

ROOT = Course.find(Path(__file__)).root
PARTS = ("source", "reference", "release", "tests/graders", "nbgrader_config.py", "pyproject.toml")
ALSO_BY_NBGRADER = ("student_01", "student_02", "student_03", "student_05", "student_08", "student_15")
"""An nbgrader run takes seconds for each: the class's solutions, stubs, two misconceptions and the crash."""


def copy_of_the_course(folder):
    for part in PARTS:
        source, target = ROOT / part, folder / part
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    return Course(folder)


def command(course, *words, **options):
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run(words, cwd=course.root, env=environment, capture_output=True, text=True, **options)


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """A course with a graded class of sixteen, what was handed in, and the verdicts."""
    course = copy_of_the_course(tmp_path_factory.mktemp("course"))
    made = make_class(course.assignment("dropout"), course.root / "submitted")
    run = command(course, "gradlab", "grade", "dropout", "--json", "--timeout-s", "5")
    assert run.returncode == 0, run.stderr[-2000:]
    return course, made, json.loads(run.stdout)


def verdicts_of(printed):
    entries = printed["submissions"] if isinstance(printed, dict) else printed
    return {entry["student"]: entry for entry in entries}


def test_each_of_the_class_loses_what_it_got_wrong(graded):
    """Solved twice: full; untouched: zero; the others lose one exercise each, whatever they did to the grader."""
    _, made, printed = graded
    verdicts = verdicts_of(printed)
    assert len(made) == len(verdicts) == 16
    for student in made:
        verdict = verdicts[student.student]["verdict"]
        lost = [e["id"].split("/")[1] for e in verdict["exercises"] if not passed(e)]
        assert lost == list(student.loses), student.story


def passed(exercise):
    return all(check["outcome"] == "passed" for check in exercise["checks"])


def test_misconceptions_are_named(graded):
    """Ten of the class have one misconception each, and each verdict names it."""
    _, made, printed = graded
    verdicts = verdicts_of(printed)
    for student in made:
        if student.story.startswith("misconception "):
            named = [
                e["misconception"]["name"]
                for e in verdicts[student.student]["verdict"]["exercises"]
                if e["misconception"]
            ]
            assert named == [student.story.removeprefix("misconception ")]


def test_a_second_run_is_a_matter_of_seconds(graded):
    """Nothing has changed, so every verdict is reused; the seeds show it."""
    course, _, printed = graded
    again = json.loads(command(course, "gradlab", "grade", "dropout", "--json", "--timeout-s", "5").stdout)
    before, after = verdicts_of(printed), verdicts_of(again)
    assert {s: v["verdict"]["seed"] for s, v in before.items()} == {s: v["verdict"]["seed"] for s, v in after.items()}


def scores(course):
    """Every automatic score in the gradebook, by student and cell; read in a process of its own."""
    code = (
        "import json, warnings; warnings.simplefilter('ignore')\n"
        "from nbgrader.api import Gradebook\n"
        "with Gradebook('sqlite:///gradebook.db') as book:\n"
        "    found = book.assignment_submissions('dropout')\n"
        "    print(json.dumps({s.student.id + '/' + g.name: g.auto_score\n"
        "                      for s in found for n in s.notebooks for g in n.grades}))"
    )
    return json.loads(command(course, sys.executable, "-c", code, check=True).stdout)


def test_plain_nbgrader_comes_to_the_same_scores(graded, tmp_path):
    """`nbgrader autograde` runs the same graders in the same sandbox."""
    course, _, _ = graded
    other = copy_of_the_course(tmp_path)
    for student in ALSO_BY_NBGRADER:
        shutil.copytree(course.root / "submitted" / student, other.root / "submitted" / student)
    made = command(other, "nbgrader", "generate_assignment", "dropout", "--force", "--create")
    assert made.returncode == 0, made.stderr[-2000:]
    run = command(other, "nbgrader", "autograde", "dropout", "--create")
    assert run.returncode == 0, run.stderr[-2000:]
    ours = {key: score for key, score in scores(course).items() if key.startswith(ALSO_BY_NBGRADER)}
    assert scores(other) == ours


@pytest.fixture
def address(graded):
    """The address of a Jupyter in the course."""
    with jupyter(graded[0].root) as address:
        yield address


@pytest.fixture
def browser(tmp_path):
    """A headless Chromium."""
    with chromium(tmp_path) as page:
        yield page


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # selenium leaves the socket to its driver to the collector
def test_formgrader_lists_the_class(address, browser):
    """The submissions page shows all sixteen with their scores, and the manual grading page a question to mark."""
    browser.get(f"{address}/formgrader/manage_submissions/dropout")
    WebDriverWait(browser, 60).until(lambda page: len(page.find_elements(By.CSS_SELECTOR, "tbody tr")) >= 16)
    rows = {
        row.find_element(By.CSS_SELECTOR, ".student-id").text: row.text
        for row in browser.find_elements(By.CSS_SELECTOR, "tbody tr")
    }
    assert sorted(rows) == [f"student_{number:02}" for number in range(1, 17)]
    assert "85 / 100" in rows["student_01"]
    assert "0 / 100" in rows["student_03"]
    if os.environ.get("GRADLAB_SCREENSHOT"):
        browser.save_screenshot(os.environ["GRADLAB_SCREENSHOT"])
    browser.get(f"{address}/formgrader/gradebook/dropout/dropout")
    WebDriverWait(browser, 60).until(lambda page: len(page.find_elements(By.CSS_SELECTOR, "tbody tr")) >= 16)
