"""What one student hands in, however odd, is that student's own affair: all others of the class are graded."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from target import NAME, SOLVED, Canaries, code, make_target, notebook

HONEST = ("aaa_honest", "mmm_honest", "zzz_honest")


def path_that_no_system_can_name(folder):
    """Folders in folders, deeper than a path may be long."""
    start = os.getcwd()
    os.chdir(folder)
    try:
        for _ in range(25):
            os.mkdir("d" * 200)
            os.chdir("d" * 200)
        open("x", "w").close()
    finally:
        os.chdir(start)


def folder_in_the_place_of_a_file(folder):
    """A folder by the name of a file of the course's own."""
    (folder / "public_checks.py").mkdir()
    (folder / "public_checks.py" / "a.txt").write_text("x")


def date_of_too_many_digits(folder):
    """A time stamp that decimal arithmetic cannot hold."""
    (folder / "timestamp.txt").write_text(f"2020:{'1234567890' * 4}st10:20:30.12345678999GMT+3st")


def sparse_files(folder):
    """Files of 20 GiB together, on a disk that holds none of it."""
    for number in range(40):
        with open(folder / f"{number}.bin", "wb") as file:
            os.truncate(file.fileno(), 511 << 20)


def odd_cells(*sources):
    """The solved notebook with cells of the student's own."""
    content = notebook(SOLVED)
    content["cells"] += [code(source) for source in sources]
    return content


LOCKED = json.loads(
    json.dumps(notebook(SOLVED)).replace(
        '"import numpy as np"', json.dumps(f"import numpy as np\ndef mine(x=0x{'f' * 4000}):\n    return x")
    )
)
ODD = {
    "bbb_deep": (None, path_that_no_system_can_name),
    "bbb_folder": (None, folder_in_the_place_of_a_file),
    "bbb_folder_too": (None, folder_in_the_place_of_a_file),
    "bbb_date": (None, date_of_too_many_digits),
    "bbb_sparse": (None, sparse_files),
    "bbb_wide": (odd_cells("#" + "\N{GRINNING FACE}" * ((1 << 20) - 1)), None),
    "bbb_slow": (odd_cells(*["import a" + ".a" * 15_000, "match" + " " * 30_000 + "x"] * 2), None),
    "bbb_digits": (LOCKED, None),
    "\N{CJK UNIFIED IDEOGRAPH-4E00}" * 84: (None, None),  # 252 bytes: with four more no file can have the name
}
REFUSED = (b"bb\xff\xfe", b"b" * 250, b"bb\x1b]0;owned\x07" + b"b" * 150)


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """The run of a class of honest and odd students: what it printed, and its entries by student."""
    root = tmp_path_factory.mktemp("neighbours")
    course = make_target(root / "course", Canaries()).course
    submitted = os.fsencode(course.root / "submitted")
    for student in (*map(os.fsencode, (*HONEST, *ODD)), *REFUSED):
        content, finish = ODD.get(os.fsdecode(student), (None, None))
        folder = course.root / "submitted" / os.fsdecode(student) / NAME
        os.makedirs(os.path.join(submitted, student, NAME.encode()))
        (folder / f"{NAME}.ipynb").write_text(json.dumps(content or notebook(SOLVED)))
        if finish:
            finish(folder)
    command = [sys.executable, "-m", "gradlab", "--course", str(course.root), "grade", NAME, "--json"]
    run = subprocess.run(command, capture_output=True, timeout=300, check=False)
    yield run, {entry["student"]: entry for entry in json.loads(run.stdout)["submissions"]}
    shutil.rmtree(course.root / "submitted")  # which follows no path as a whole, as pytest's own cleaning does


def test_all_others_are_graded(graded):
    """The honest, and the odd ones too: what is odd about them is not in their solutions."""
    _, entries = graded
    assert {student: entries[student]["score"] for student in (*HONEST, *ODD)} == dict.fromkeys((*HONEST, *ODD), 30.0)
    assert not any(entries[student]["error"] for student in (*HONEST, *ODD))


def test_a_folder_that_is_no_id_is_refused(graded):
    """With what was expected and what to do, without its escapes; and the exit code says so."""
    run, entries = graded
    refused = [entry for student, entry in entries.items() if student not in (*HONEST, *ODD)]
    assert len(refused) == len(REFUSED)
    for entry in refused:
        assert entry["score"] is None
        assert "expected the id of a student, got a name that is none: it h" in entry["error"]
        assert entry["command"].startswith("mv ")
        assert "\x1b" not in entry["error"]
    assert run.returncode == 1
    assert b"\x1b]0;owned" not in run.stderr + run.stdout
