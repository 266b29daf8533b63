"""Folders as students handed them in, which once went wrong, through both commands: `gradlab grade` and nbgrader's.

Each folder of `cases/intake` is a submission of `inverted_dropout` with the instructor's own code, in the state that a
public bug report describes.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CASES = HERE / "cases" / "intake"
NAME = "inverted_dropout"
QUESTION = "inline_question_1"
PROGRAMS = Path(sys.executable).parent
DUE = "2026-02-01 00:00:00 UTC"

pytestmark = [pytest.mark.slow]


@dataclass(frozen=True)
class Right:
    """What is right for a case: automatic points, warnings, whether a person is asked, and how late it is."""

    points: float = 60
    warnings: tuple[str, ...] = ()
    asks: bool = True
    late: bool = False


NEWER = () if sys.version_info >= (3, 12) else ("Python 3.11 cannot read this .* Is it newer Python",)
RIGHT = {
    "02-top-level-await": Right(),
    "04-writefile": Right(),
    "05-helper-py": Right(),
    "06-debug-cell-magic": Right(),
    "10-merge-two-solutions": Right(warnings=("net_solution: expected a code cell, got none. Graded what cell 9",)),
    "14-question-new-cell": Right(),
    "15-metadata-stripped-question": Right(),
    "19-question-attachment": Right(),
    "21-colab": Right(warnings=("No module named 'google'",)),
    "22-torch-import": Right(warnings=("No module named 'torch'. .* Grading has ",)),
    "25-tkagg": Right(),
    "27-own-cell-data": Right(),
    "28-py312-fstring": Right(points=60 if not NEWER else 40, warnings=NEWER),
    "34-name-1": Right(warnings=(r"expected inverted_dropout.ipynb, got inverted_dropout \(1\).ipynb",)),
    "35-copy1-beside-untouched": Right(warnings=("inverted_dropout-Copy1.ipynb",)),
    "36-ipynb-json": Right(warnings=("inverted_dropout.ipynb.json",)),
    "38-zip-inside": Right(warnings=("hw3_final.zip",)),
    "53-one-new-cell": Right(),
    "60-ts-bom": Right(late=True),
    "62-ts-offset": Right(),
}
FOLDERS = {
    "student_01": "student_01/Inverted_Dropout",
    "student_02": "student_02/inverted-dropout",
    "student_03": "student_03/inverted_dropout ",
    "student_04": "student_04",
}


def run(*command, folder, code=0):
    """Run a command in a course, and return what it printed."""
    path = f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"
    ran = subprocess.run(
        [str(PROGRAMS / command[0]), *command[1:]],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert ran.returncode == code, ran.stdout + ran.stderr
    return ran.stdout


def make_class(root: Path) -> Path:
    """A course with all cases handed in, due on the first of February."""
    for part in (f"source/{NAME}", f"tests/graders/{NAME}", f"release/{NAME}"):
        shutil.copytree(ROOT / part, root / part)
    (root / "reference").mkdir()
    for file in (f"reference/{NAME}.json", "nbgrader_config.py"):
        shutil.copy(ROOT / file, root / file)
    for case in RIGHT:
        shutil.copytree(CASES / case / "in", root / "submitted" / case / NAME)
    run("gradlab", "release", NAME, folder=root)
    run("nbgrader", "db", "assignment", "add", NAME, f"--duedate={DUE}", folder=root)
    return root


@dataclass(frozen=True)
class Entered:
    """What a gradebook holds of a submission."""

    points: float
    asks: bool
    late_s: float


def entered(root: Path) -> dict[str, Entered]:
    """What the gradebook holds, by student."""
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{root}/gradebook.db") as book:
        found = {}
        for submission in book.assignment_submissions(NAME):
            (notebook,) = submission.notebooks
            grades = {grade.name: grade for grade in notebook.grades}
            found[submission.student.id] = Entered(
                sum(grade.auto_score or 0 for name, grade in grades.items() if name != QUESTION),
                grades[QUESTION].needs_manual_grade,
                submission.total_seconds_late,
            )
    return found


@pytest.fixture(scope="module")
def by_gradlab(tmp_path_factory):
    """The course and the verdicts, graded by gradlab; four folders are laid wrongly."""
    root = make_class(tmp_path_factory.mktemp("gradlab"))
    for folder in FOLDERS.values():
        shutil.copytree(CASES / "06-debug-cell-magic" / "in", root / "submitted" / folder)
    return root, json.loads(run("gradlab", "grade", NAME, "--json", folder=root, code=1))


@pytest.fixture(scope="module")
def by_nbgrader(tmp_path_factory):
    """The course, graded by nbgrader's own command."""
    root = make_class(tmp_path_factory.mktemp("nbgrader"))
    run("nbgrader", "autograde", NAME, folder=root)
    return root


@pytest.mark.parametrize("case", RIGHT)
def test_a_case_by_gradlab_grade(by_gradlab, case):
    """The points, what is warned of, and who looks at it."""
    root, report = by_gradlab
    (found,) = (entry for entry in report["submissions"] if entry["student"] == case)
    right, said = RIGHT[case], "\n".join(found["verdict"]["warnings"])
    got = entered(root)[case]
    assert (got.points, got.asks, got.late_s > 0) == (right.points, right.asks, right.late), said
    for warning in right.warnings:
        assert re.search(warning, said)


@pytest.mark.parametrize("case", RIGHT)
def test_a_case_by_nbgrader_autograde(by_gradlab, by_nbgrader, case):
    """The gradebook holds the same."""
    assert entered(by_nbgrader)[case] == entered(by_gradlab[0])[case]


@pytest.mark.parametrize("student", FOLDERS)
def test_a_folder_laid_wrongly_is_named(by_gradlab, student):
    """With the command that puts it right; nobody gets a score for it."""
    root, report = by_gradlab
    named = [entry for entry in report["submissions"] if entry["student"] == student]
    assert named
    assert "mv " in json.dumps(named)
    assert student not in entered(root)


@pytest.mark.parametrize("case", ["14-question-new-cell", "15-metadata-stripped-question", "19-question-attachment"])
def test_a_written_answer_is_shown(by_gradlab, by_nbgrader, case):
    """To the person who marks it, in formgrader, and on the feedback page."""
    for root in (by_gradlab[0], by_nbgrader):
        cells = json.loads((root / "autograded" / case / NAME / f"{NAME}.ipynb").read_text())["cells"]
        (question,) = (cell for cell in cells if cell["metadata"].get("nbgrader", {}).get("grade_id") == QUESTION)
        assert "".join(question["source"]).strip() != "*Your answer here.*"
        if case == "19-question-attachment":
            assert question["attachments"]
    assert (
        "data:image/png" in (by_gradlab[0] / "feedback" / "19-question-attachment" / NAME / f"{NAME}.html").read_text()
    )


@pytest.mark.parametrize("case", ["a_attach", "b_dsstore", "c_PNG"])
def test_a_source_folder_is_released(tmp_path, case):
    """With pasted pictures, the system's own files, and pictures of any spelling in it."""
    (tmp_path / "source").mkdir()
    shutil.copy(ROOT / "nbgrader_config.py", tmp_path)
    run("gradlab", "new", "line", folder=tmp_path)
    shutil.rmtree(tmp_path / "source" / "line")
    shutil.copytree(HERE / "cases" / "release" / case / "source" / "line", tmp_path / "source" / "line")
    run("gradlab", "release", "line", folder=tmp_path)
    files = {str(path.relative_to(tmp_path / "release" / "line")) for path in (tmp_path / "release").rglob("*.*")}
    assert files - {"Figure 1.PNG", "img/photo.JPG"} == {"line.ipynb", "public_checks.py"}
    assert ("img/photo.JPG" in files) == (case == "c_PNG")
    assert ("attachments" in (tmp_path / "release" / "line" / "line.ipynb").read_text()) == (case == "a_attach")


def test_a_pasted_picture_is_no_attack(tmp_path):
    """It survives in what the marker opens, on another assignment too."""
    name = "two_layer_net"
    for part in (f"source/{name}", f"tests/graders/{name}", f"release/{name}"):
        shutil.copytree(ROOT / part, tmp_path / part)
    (tmp_path / "reference").mkdir()
    for file in (f"reference/{name}.json", "nbgrader_config.py"):
        shutil.copy(ROOT / file, tmp_path / file)
    place = tmp_path / "submitted" / "student_01" / name / f"{name}.ipynb"
    place.parent.mkdir(parents=True)
    shutil.copy(HERE / "cases" / "attacks" / "honest_attachment.ipynb", place)
    run("gradlab", "grade", name, folder=tmp_path)
    cells = json.loads((tmp_path / "autograded" / "student_01" / name / f"{name}.ipynb").read_text())["cells"]
    assert sum(len(cell.get("attachments", {})) for cell in cells) >= 1


def test_a_module_beside_is_there_by_hand_too(by_gradlab):
    """`pytest tests/graders/… --submission PATH` judges what lies in submitted/ with the files beside it."""
    root, _ = by_gradlab
    notebook = f"submitted/05-helper-py/{NAME}/{NAME}.ipynb"
    said = run("pytest", f"tests/graders/{NAME}", "--submission", notebook, "-p", "no:cacheprovider", folder=root)
    assert "15 of 15" in said
    assert "No module named" not in said
