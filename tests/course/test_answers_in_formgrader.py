"""Written answers and pasted pictures, as a TA sees them: formgrader and the feedback page in a real browser."""

import json
import os
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest
from browser import BIN, chromium, jupyter
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from gradlab_staff.course import Course

ROOT = Course.find(Path(__file__)).root
PARTS = ("source", "reference", "release", "tests/graders", "nbgrader_config.py", "pyproject.toml")
NAME = "inverted_dropout"
ANSWER = "Dropout is on while training alone."
# 8 by 4 pixels, red and blue
RED = "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAECAIAAAA8r+mnAAAAEklEQVR4nGM4wcCAFWEXJUsCAPugGQHteD8qAAAAAElFTkSuQmCC"
BLUE = "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAECAIAAAA8r+mnAAAAEElEQVR4nGNgYDiBA1FNAgDJoBkBUggLqwAAAABJRU5ErkJggg=="


def text(source, **more):
    return {"cell_type": "markdown", "metadata": {}, "source": source, **more}


def pasted(source, picture):
    return text(source, attachments={"image.png": {"image/png": picture}})


def new_cell(cells, at):
    """The answer stands below the question's cell, which is untouched."""
    cells.insert(at + 1, text(ANSWER))


def stripped(cells, at):
    """All metadata is gone, the question was answered in its cell."""
    cells[at]["source"] = ANSWER
    for cell in cells:
        cell["metadata"] = {}


def picture(cells, at):
    """The answer is a picture, with links beside it that lead elsewhere, or nowhere."""
    links = "![gone](attachment:gone.png) ![](/hub/logout) ![far](http://127.0.0.1:9/far.png)"
    cells[at] = {
        **cells[at],
        **pasted(f"![image.png](attachment:image.png) {links}", RED),
        "metadata": cells[at]["metadata"],
    }


def two_pictures(cells, at):
    """One is in the question's cell, another by the same name in a cell below."""
    cells[at] = {**cells[at], **pasted("![image.png](attachment:image.png)", RED), "metadata": cells[at]["metadata"]}
    cells.insert(at + 1, pasted(f"{ANSWER} ![image.png](attachment:image.png)", BLUE))


def at_the_end(cells, at):
    """The answer stands where it cannot be told what it answers."""
    cells.append(text(ANSWER))


HANDED_IN = {function.__name__: function for function in (new_cell, stripped, picture, two_pictures, at_the_end)}


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A graded course of one submission of each kind, the code of which is a stub."""
    root = tmp_path_factory.mktemp("course")
    for part in PARTS:
        source, target = ROOT / part, root / part
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    for student, change in HANDED_IN.items():
        notebook = json.loads((ROOT / "release" / NAME / f"{NAME}.ipynb").read_text())
        cells = notebook["cells"]
        ids = [cell["metadata"].get("nbgrader", {}).get("grade_id") for cell in cells]
        change(cells, ids.index("inline_question_1"))
        folder = root / "submitted" / student / NAME
        folder.mkdir(parents=True)
        (folder / f"{NAME}.ipynb").write_text(json.dumps(notebook))
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "OPENBLAS_NUM_THREADS": "1"}
    words = ["gradlab", "grade", NAME, "--timeout-s", "5"]
    run = subprocess.run(words, cwd=root, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-2000:]
    return root


def submissions(root):
    """The address of each submission in formgrader."""
    with sqlite3.connect(root / "gradebook.db") as db:
        rows = db.execute(
            "SELECT a.student_id, n.id, g.needs_manual_grade, g.auto_score FROM submitted_notebook n "
            "JOIN submitted_assignment a ON a.id = n.assignment_id JOIN grade g ON g.notebook_id = n.id "
            "JOIN base_cell c ON c.id = g.cell_id WHERE c.name = 'inline_question_1'"
        ).fetchall()
    db.close()
    assert {(flag, score) for _, _, flag, score in rows} == {(1, None)}  # a person is asked about each
    return {student: id for student, id, *_ in rows}


def loaded(page):
    """What the page has asked for, apart from itself and from what formgrader brings."""
    every = page.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    return [url for url in every if "logout" in url or ":9/" in url or "attachment:" in url]


def pictures(element):
    """The pictures that are shown in an element; each has been decoded by the browser."""
    found = element.find_elements(By.TAG_NAME, "img")
    assert all(image.get_property("naturalWidth") == 8 for image in found)
    return [image.get_attribute("src").rpartition(",")[2] for image in found]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # selenium leaves the socket to its driver to the collector
def test_a_person_sees_each_answer(course, tmp_path):
    """In the question's cell of formgrader, and on the feedback page; no page asks a server for a picture."""
    seen = {"picture": [RED], "two_pictures": [RED, BLUE]}
    found = submissions(course)
    assert found.keys() == HANDED_IN.keys()
    with jupyter(course) as address, chromium(tmp_path) as page:
        for student, id in found.items():
            page.get(f"{address}/formgrader/submissions/{id}/")
            WebDriverWait(page, 60).until(lambda page: page.find_elements(By.CLASS_NAME, "nbgrader_cell"))
            cell = page.find_elements(By.CLASS_NAME, "nbgrader_cell")[-1]
            assert "Student's answer" in cell.text
            assert ANSWER in cell.text or student == "picture"
            assert pictures(cell) == seen.get(student, [])
            assert loaded(page) == []
            if shots := os.environ.get("GRADLAB_SCREENSHOTS"):
                page.execute_script("arguments[0].scrollIntoView({block: 'center'})", cell)
                page.save_screenshot(f"{shots}/{student}.png")
            page.get((course / "feedback" / student / NAME / f"{NAME}.html").as_uri())
            assert ANSWER in page.find_element(By.TAG_NAME, "main").text or student == "picture"
            assert pictures(page.find_element(By.TAG_NAME, "main")) == seen.get(student, [])
            assert loaded(page) == []
