"""`gradlab grade` and `nbgrader autograde`: the same notebooks and times, and neither deletes the other's work."""

import json
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from tiny_course import SOLVED, instructor_cells, make_course, solve

pytestmark = pytest.mark.slow

WORK = json.dumps(solve(instructor_cells(), SOLVED)).encode()
UNTOUCHED = "the release"
LATE_FROM = "2026-02-01 00:00:00.000000"
TREE = dict[str, bytes | str]

FILES: dict[str, TREE] = {
    "plain": {"tiny.ipynb": WORK},
    "renamed": {"tiny (1).ipynb": WORK},
    "nested": {"hw/final/tiny.ipynb": WORK, "hw/final/mine.py": b"x = 1"},
    "copied": {"tiny.ipynb": UNTOUCHED, "tiny-Copy1.ipynb": WORK},
    "copied_elsewhere": {"tiny.ipynb": b"", "new/tiny.ipynb": WORK},
    "json": {"tiny.ipynb.json": WORK},
    "zipped": {"hw.zip": WORK},
}
"""Each is the same work, and full marks."""

STAMPS: dict[str, tuple[bytes, str | None]] = {
    "bom": (b"\xef\xbb\xbf2026-03-01 12:00:00 UTC", "2026-03-01 12:00:00.000000"),
    "utf16": ("2026-03-01 12:00:00 UTC".encode("utf-16"), "2026-03-01 12:00:00.000000"),
    "offset": (b"2026-02-01 08:00:00 +0900", "2026-01-31 23:00:00.000000"),
    "late_offset": (b"2026-01-31 23:00:00.5 -0500", "2026-02-01 04:00:00.500000"),
    "est": (b"2026-01-31 20:00:00 EST", "2026-02-01 01:00:00.000000"),
    "odd": (b"some day", None),
    "empty": (b"", None),
    "huge": (b"20260-03-01 12:00:00 UTC", None),
}
ELSEWHERE: dict[str, TREE] = {
    "script": {"tiny/tiny.py": b"# In[1]:"},
    "bare": {"tiny.ipynb": WORK},
    "capitals": {"Tiny/tiny.ipynb": WORK},
    "deeper": {"hw/tiny/tiny.ipynb": WORK},
}
"""Each is named, and gets no score."""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny course with a due date and a penalty of all points for who is late."""
    from gradlab_staff.gradebook import make_release, save_cells

    assignment = make_course(tmp_path_factory.mktemp("template"))
    make_release(assignment)
    save_cells(assignment)
    root = assignment.course.root
    with (root / "nbgrader_config.py").open("a") as config:
        config.write('\nc.LateSubmissionPlugin.penalty_method = "zero"\n')
    with sqlite3.connect(root / "gradebook.db") as db:
        db.execute("UPDATE assignment SET duedate = ?", [LATE_FROM])
    db.close()
    return root


@pytest.fixture
def root(template: Path, tmp_path: Path) -> Path:
    """The course, for one test."""
    return Path(shutil.copytree(template, tmp_path / "course"))


def lay(root: Path, folder: str, files: TREE) -> None:
    """Hand in these files."""
    for name, content in files.items():
        path = root / "submitted" / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content == UNTOUCHED:
            shutil.copy(root / "release" / "tiny" / "tiny.ipynb", path)
        elif path.suffix == ".zip":
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("hw/tiny.ipynb", content)
                archive.writestr("hw/mine.py", "x = 1")
        else:
            assert isinstance(content, bytes)
            path.write_bytes(content)


def gradlab(root: Path, *options: str) -> dict[str, Any]:
    """What `gradlab grade` says, by student; of two lines on a student the second."""
    command = [sys.executable, "-m", "gradlab", "--course", str(root), "grade", "tiny", "--json", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    entries = json.loads(done.stdout)["submissions"]
    assert done.returncode == int(any(entry["error"] for entry in entries)), done.stderr
    return {entry["student"]: entry for entry in entries}


def autograde(root: Path, *options: str) -> str:
    """The log of `nbgrader autograde`."""
    command = [sys.executable, "-m", "nbgrader", "autograde", "tiny", *options]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False).stderr


def formgraders_list(root: Path) -> set[tuple[str, bool, bool]]:
    """The students on formgrader's page of submissions: whether they are graded, and whether a time is shown."""
    code = (
        "import json\n"
        "from nbgrader.apps.baseapp import NbGrader\n"
        "from nbgrader.apps.api import NbGraderAPI\n"
        "app = NbGrader(); app.load_cwd_config = True; app.load_config_file()\n"
        "found = NbGraderAPI(parent=app).get_submissions('tiny')\n"
        "print(json.dumps([[one['student'], one['autograded'], bool(one['display_timestamp'])] for one in found]))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    return {(student, graded, shown) for student, graded, shown in json.loads(done.stdout)}


def rows(root: Path) -> list[tuple[Any, ...]]:
    """What the gradebook holds of each cell of each submission, and of its time and penalty."""
    with sqlite3.connect(root / "gradebook.db") as db:
        found = db.execute(
            "SELECT a.student_id, a.timestamp, n.late_submission_penalty, c.name, g.auto_score, g.needs_manual_grade "
            "FROM grade g JOIN base_cell c ON c.id = g.cell_id JOIN submitted_notebook n ON n.id = g.notebook_id "
            "JOIN submitted_assignment a ON a.id = n.assignment_id ORDER BY 1, 4"
        ).fetchall()
    db.close()
    return found


def graded(root: Path) -> dict[str, Any]:
    """What lies in autograded/, notebooks by their sources and outputs: nbgrader lays their JSON out otherwise."""
    found: dict[str, Any] = {}
    for path in sorted((root / "autograded").rglob("*")):
        if path.suffix == ".ipynb":
            cells = json.loads(path.read_text())["cells"]
            found[str(path.relative_to(root))] = ["".join(cell["source"]) for cell in cells]
        elif path.is_file():
            found[str(path.relative_to(root))] = path.read_bytes()
    return found


def test_files_by_any_name_and_in_any_order(root: Path) -> None:
    """Rows and folders are the same after either command, and stay so whatever is run after it."""
    for student, files in FILES.items():
        lay(root, f"{student}/tiny", files)
    other = Path(shutil.copytree(root, root.with_name("other")))
    said = gradlab(root)
    assert {student: entry["score"] for student, entry in said.items()} == dict.fromkeys(FILES, 6.0)
    assert {student for student, entry in said.items() if not entry["verdict"]["warnings"]} == {"plain"}
    ours = rows(root), graded(root)
    for options in ((), ("--force",)):
        autograde(root, *options)
        assert (rows(root), graded(root)) == ours
    log = autograde(other)
    assert (rows(other), graded(other)) == ours
    for student, entry in said.items():
        assert all(f"{student}: {warning}" in log for warning in entry["verdict"]["warnings"])
    gradlab(other)
    assert (rows(other), graded(other)) == ours


def test_a_time_is_one_instant(root: Path) -> None:
    """Both commands enter the same times and penalties; what cannot be read is said in each verdict, and is no time."""
    for student, (stamp, _) in STAMPS.items():
        lay(root, f"{student}/tiny", {"tiny.ipynb": WORK, "timestamp.txt": stamp})
    other = Path(shutil.copytree(root, root.with_name("other")))
    said = gradlab(root)
    late = {student: time is not None and time > LATE_FROM for student, (_, time) in STAMPS.items()}
    expected = {(student, time, 6.0 if late[student] else None) for student, (_, time) in STAMPS.items()}
    assert {row[:3] for row in rows(root)} == expected
    warned = {student for student, entry in said.items() if entry["verdict"]["warnings"]}
    assert warned == {"est", "odd", "empty", "huge"}
    assert "some day" in said["odd"]["verdict"]["warnings"][0]
    log = autograde(other)
    assert rows(other) == rows(root)
    assert graded(other) == graded(root)
    assert "error" not in log.lower()
    for student in warned:
        assert f"{student}: {said[student]['verdict']['warnings'][0]}" in log
    assert formgraders_list(root) == {(student, True, time is not None) for student, (_, time) in STAMPS.items()}


def test_an_earlier_time_does_not_stand_for_one_that_cannot_be_read(root: Path) -> None:
    """It was that of another submission: late then, unknown now."""
    lay(root, "x/tiny", {"tiny.ipynb": WORK, "timestamp.txt": b"2026-03-01 12:00:00 UTC"})
    gradlab(root)
    late = rows(root)
    assert {row[1:3] for row in late} == {("2026-03-01 12:00:00.000000", 6.0)}
    lay(root, "x/tiny", {"timestamp.txt": b"some day"})
    other = Path(shutil.copytree(root, root.with_name("other")))
    gradlab(root)
    assert {row[1:3] for row in rows(root)} == {(None, None)}
    autograde(other, "--force")
    assert rows(other) == rows(root)


def test_what_lies_elsewhere_is_named_by_both(root: Path) -> None:
    """In a line of its own, with what puts it right; it gets no score by either."""
    lay(root, "plain/tiny", FILES["plain"])
    for student, files in ELSEWHERE.items():
        lay(root, student, files)
    said = gradlab(root)
    assert said.keys() == {"plain", *ELSEWHERE}
    assert {said[student]["score"] for student in ELSEWHERE} == {None}
    assert said["capitals"]["command"] == "mv submitted/capitals/Tiny submitted/capitals/tiny"
    assert said["script"]["command"] == "gradlab grade tiny --student script"
    log = autograde(root, "--force")
    for student in ELSEWHERE:
        assert f"Not graded. Run: {said[student]['command']}" in log
        assert log.count(f"Not graded. Run: {said[student]['command']}") == 1
    assert {row[0] for row in rows(root)} == {"plain"}
    assert [path.name for path in (root / "autograded").iterdir()] == ["plain"]


def test_a_class_without_a_notebook_at_the_top_keeps_what_it_has(root: Path) -> None:
    """nbgrader finds nothing to do before `gradlab grade` and after it, and deletes nothing."""
    for student in ("nested", "zipped", "json"):
        lay(root, f"{student}/tiny", FILES[student])
    assert "No notebooks were matched" in autograde(root)
    assert {entry["score"] for entry in gradlab(root).values()} == {6.0}
    ours = rows(root), graded(root)
    assert "No notebooks were matched" in autograde(root, "--force")
    assert (rows(root), graded(root)) == ours
    assert len(list((root / "autograded").glob("*/tiny/tiny.ipynb"))) == 3


BROKEN = {
    "empty": b"",
    "half": WORK[:1000],
    "page": b"<html>",
    "pointer": b"version https://git-lfs.github.com/spec/v1",
}


def test_what_cannot_be_read_gets_no_score_and_costs_none(root: Path) -> None:
    """By either command: it is named; what was entered before, and the folder, stay."""
    lay(root, "plain/tiny", FILES["plain"])
    lay(root, "gone/tiny", FILES["plain"])
    for student in BROKEN:
        lay(root, f"{student}_now/tiny", FILES["plain"])
    gradlab(root)
    before = rows(root), graded(root)
    (root / "submitted" / "gone" / "tiny" / "tiny.ipynb").unlink()
    for student, content in BROKEN.items():
        lay(root, f"{student}_now/tiny", {"tiny.ipynb": content})
        lay(root, f"{student}/tiny", {"tiny.ipynb": content})
    log = autograde(root, "--force")
    assert (rows(root), graded(root)) == before
    said = gradlab(root, "--force")
    assert (rows(root), graded(root)) == before
    for student in [*BROKEN, *(f"{student}_now" for student in BROKEN)]:
        assert said[student]["score"] is None
        assert "got a file that cannot be read: " in said[student]["error"]
        assert said[student]["error"] in log
    assert "There was an error" not in log
    assert [path.name for path in (root / ".gradlab" / "received").iterdir()] == ["making.lock"]


def test_formgraders_button_is_the_same(root: Path) -> None:
    """It calls nbgrader's API with the course's settings, in a server that goes on."""
    for student in ("plain", "renamed", "copied"):
        lay(root, f"{student}/tiny", FILES[student])
    lay(root, "broken/tiny", FILES["plain"])
    alone = Path(shutil.copytree(root, root.with_name("alone")))
    gradlab(alone)
    shutil.copytree(alone / "autograded" / "broken", root / "autograded" / "broken")
    lay(root, "broken/tiny", {"tiny.ipynb": b'{"cells": ['})
    code = (
        "import json, os, sys\n"
        "from nbgrader.apps.baseapp import NbGrader\n"
        "from nbgrader.apps.api import NbGraderAPI\n"
        "app = NbGrader(); app.load_cwd_config = True; app.load_config_file()\n"
        "api = NbGraderAPI(parent=app)\n"
        "for student in sys.argv[1:]:\n"
        "    done = api.autograde('tiny', student)\n"
        "    kept = os.path.isdir(f'autograded/{student}/tiny')\n"
        "    print(student, done['success'], os.listdir('.gradlab/received'), kept)\n"
        "print(api.coursedir.submitted_directory)"
    )
    students = ["broken", "copied", "plain", "renamed"]
    done = subprocess.run([sys.executable, "-c", code, *students], cwd=root, capture_output=True, text=True, check=True)
    swept = "['making.lock'] True"
    assert done.stdout.splitlines() == [
        f"broken True {swept}",
        *(f"{student} True {swept}" for student in students[1:]),
        "submitted",
    ]
    assert [row for row in rows(root) if row[0] != "broken"] == [row for row in rows(alone) if row[0] != "broken"]
    assert graded(root) == graded(alone)
