"""What lies in submitted/ is graded or named, and the command that is named puts it right."""

import json
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from gradlab_staff.course import Assignment, Course
from gradlab_staff.intake.received import receive
from gradlab_staff.intake.submitted import look_through, quoted
from gradlab_staff.intake.traces import is_alike

ROOT = Path(__file__).resolve().parents[3]
NAMES = ("dropout", "inverted_dropout", "two_layer_net")


@pytest.fixture(params=NAMES)
def assignment(request, tmp_path) -> Assignment:
    """Each of the assignments, in a course of the test's own."""
    for name in NAMES:
        (tmp_path / "source" / name).mkdir(parents=True)
        shutil.copy(ROOT / "source" / name / f"{name}.ipynb", tmp_path / "source" / name)
    return Course(tmp_path).assignment(request.param)


def released(name: str) -> bytes:
    """A notebook of an assignment's."""
    return (ROOT / "release" / name / f"{name}.ipynb").read_bytes()


def lay(root: Path, place: str, content: bytes) -> None:
    """Hand something in; a zip holds it as work.ipynb."""
    path = root / "submitted" / place
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("hw/work.ipynb", content)
    else:
        path.write_bytes(content)


def look(assignment: Assignment):
    """What is seen, as students and as places with their students."""
    seen = look_through(assignment, assignment.course.root / "submitted")
    return sorted(seen.folders), [(item.student, item.path.removeprefix("submitted/")) for item in seen.misplaced]


def put_right(assignment: Assignment) -> None:
    """Run the commands that are named, in the course's folder, as a TA does."""
    for item in look_through(assignment, assignment.course.root / "submitted").misplaced:
        command = item.command.replace("STUDENT_ID", "x")
        subprocess.run(["bash", "-ec", command], cwd=assignment.course.root, check=True)


def spelled(name: str) -> dict[str, str]:
    """Spellings of a folder's name."""
    return {
        "capitals": name.title(),
        "hyphens": name.replace("_", "-") + ("-" if "_" not in name else ""),
        "blanks": name.replace("_", " ") + (" " if "_" not in name else ""),
        "trailing blank": f"{name} ",
        "leading blank": f" {name}",
        "copy": f"{name} (1)",
        "wide letters": "".join(chr(ord(char) + 0xFEE0) if char.isalpha() else char for char in name),
        "ending": f"{name}.ipynb",
    }


@pytest.mark.parametrize("kind", list(spelled("a")))
def test_another_spelling_of_the_folder_is_named(assignment, kind):
    """With the command that renames it."""
    name, folder = assignment.name, spelled(assignment.name)[kind]
    lay(assignment.course.root, f"x/{folder}/{name}.ipynb", released(name))
    assert look(assignment) == ([], [("x", f"x/{folder}")])
    (item,) = look_through(assignment, assignment.course.root / "submitted").misplaced
    assert item.command == f"mv {quoted(f'submitted/x/{folder}')} submitted/x/{name}"
    put_right(assignment)
    assert look(assignment) == (["x"], [])


@pytest.mark.parametrize(
    ("place", "named"),
    [
        ("x/{name}.ipynb", "x/{name}.ipynb"),
        ("x/work (1).ipynb", "x/work (1).ipynb"),
        ("x/{name}.ipynb.json", "x/{name}.ipynb.json"),
        ("x/hw3.zip", "x/hw3.zip"),
        ("x/hw/{name}/{name}.ipynb", "x/hw/{name}"),
        ("x/hw/deep/er/work.ipynb", "x/hw/deep/er"),
        ("x/homework 3/{name}.ipynb", "x/homework 3"),
        ("x/homework 3/hand-in.zip", "x/homework 3"),
        ("{name}/x/{name}.ipynb", "{name}/x"),
        ("{name}/x/anything.ipynb", "{name}/x"),
    ],
)
def test_elsewhere_it_is_named(assignment, place, named):
    """At the top, one level too deep, with the levels swapped: by what it holds, whatever its name is."""
    name = assignment.name
    lay(assignment.course.root, place.format(name=name), released(name))
    assert look(assignment) == ([], [("x", named.format(name=name))])
    put_right(assignment)
    assert look(assignment) == (["x"], [])


@pytest.mark.parametrize("place", ["x.ipynb", "{name}.ipynb", "class.zip", "{name}/x.ipynb"])
def test_a_file_of_nobodys_is_named(assignment, place):
    """Whose it is, a person has to say."""
    place = place.format(name=assignment.name)
    lay(assignment.course.root, place, released(assignment.name))
    assert look(assignment) == ([], [("", place)])
    put_right(assignment)
    assert look(assignment) == (["x"], [])


def test_sections_of_a_class_are_seen(assignment):
    """Where several folders of a folder are students', each is named as the student."""
    name = assignment.name
    for student in ("x", "y"):
        lay(assignment.course.root, f"section a/{student}/{name}/{name}.ipynb", released(name))
    assert look(assignment) == ([], [("x", f"section a/x/{name}"), ("y", f"section a/y/{name}")])
    put_right(assignment)
    assert look(assignment)[0] == ["x", "y"]


def test_a_right_folder_is_graded_and_the_other_named(assignment):
    """What is named moves it out of the way, and loses nothing."""
    name = assignment.name
    lay(assignment.course.root, f"x/{name}/{name}.ipynb", released(name))
    lay(assignment.course.root, f"x/{name.title()}/{name}.ipynb", released(name))
    assert look(assignment) == (["x"], [("x", f"x/{name.title()}")])
    put_right(assignment)
    assert look(assignment) == (["x"], [])
    assert (assignment.course.root / "set_aside" / "x" / name.title() / f"{name}.ipynb").is_file()


def test_what_is_no_fault_of_this_assignment_is_not_named(assignment):
    """Other assignments' folders and notebooks, drawings, lists, hidden folders."""
    root, name = assignment.course.root, assignment.name
    other = next(one for one in NAMES if one != name)
    lay(root, f"x/{name}/{name}.ipynb", released(name))
    lay(root, f"x/{other}/{other}.ipynb", released(other))
    lay(root, f"x/{other.title()}/{other}.ipynb", released(other))
    lay(root, f"x/{other}.ipynb", released(other))
    lay(root, "x/scratch.ipynb", b'{"cells": []}')
    lay(root, "x/pictures/a.png", b"")
    lay(root, "x/ps1/ps1.ipynb", b'{"cells": []}')
    lay(root, f"{other}/y/{other}.ipynb", released(other))
    lay(root, "students.csv", b"")
    lay(root, f".hidden/{name}.ipynb", released(name))
    lay(root, f"x/.ipynb_checkpoints/{name}-checkpoint.ipynb", released(name))
    assert look(assignment) == (["x"], [])


def test_a_notebook_of_nobodys_is_named_where_nothing_was_handed_in(assignment):
    """It may be this one."""
    lay(assignment.course.root, "x/scratch.ipynb", b"broken")
    assert look(assignment) == ([], [("x", "x/scratch.ipynb")])


def test_empty_folders_are_named(assignment):
    """A student's folder with nothing in it; the command deletes it."""
    (assignment.course.root / "submitted" / "x").mkdir(parents=True)
    (assignment.course.root / "submitted" / "y" / assignment.name).mkdir(parents=True)
    assert look(assignment) == ([], [("x", "x"), ("y", f"y/{assignment.name}")])
    put_right(assignment)
    assert look(assignment) == ([], [("y", "y")])
    put_right(assignment)
    assert look(assignment) == ([], [])


@pytest.mark.parametrize("place", ["x", "x/{name}", "x/{name}.ipynb"])
def test_links_are_named_and_not_followed(assignment, tmp_path, place):
    """The command deletes the link: what it leads to might be the solution."""
    link = assignment.course.root / "submitted" / place.format(name=assignment.name)
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(tmp_path / "source" / assignment.name)
    assert look(assignment) == ([], [("x", place.format(name=assignment.name))])
    put_right(assignment)
    assert not link.is_symlink()
    assert (tmp_path / "source" / assignment.name / f"{assignment.name}.ipynb").is_file()


def test_odd_names_can_be_pasted(assignment):
    """Quotes, line ends, escapes, bytes that are no text: the command works, and prints no control character."""
    name = assignment.name
    students = ["it's", "a b; touch owned", "$(touch owned)", "new\nline", "esc\x1b[31m", "bidi\u202e", "é", "\udcff"]
    for student in students:
        lay(assignment.course.root, f"{student}/{name.title()}/{name}.ipynb", released(name))
    for item in look_through(assignment, assignment.course.root / "submitted").misplaced:
        assert (item.message + item.command).isprintable()
    put_right(assignment)  # ids that are none first get a plain one
    put_right(assignment)
    plain = ["new_line", "esc_31m", "bidi", "student"]
    assert look(assignment) == (sorted([*students[:3], "é", *plain]), [])
    assert not list(assignment.course.root.rglob("owned"))


@pytest.mark.parametrize("student", ["g[b]", "g*", "g?", " g", "g ", ".g", "g\n"])
def test_a_name_that_is_no_id_is_named(assignment, student):
    """nbgrader would take it for a pattern, and for another student; with the command that gives it a plain one."""
    name = assignment.name
    lay(assignment.course.root, f"{student}/{name}/{name}.ipynb", released(name))
    lay(assignment.course.root, f"g/{name}/{name}.ipynb", released(name))
    lay(assignment.course.root, f"gb/{name}/{name}.ipynb", released(name))
    assert look(assignment) == (["g", "gb"], [(student, student)])
    put_right(assignment)
    folders, misplaced = look(assignment)
    assert (len(folders), misplaced) == (3, [])


def worked(name: str) -> bytes:
    """A notebook of an assignment's with a solution."""
    return (ROOT / "source" / name / f"{name}.ipynb").read_bytes()


RIGHT = ["nothing", "empty", "untouched", "broken", "hidden"]


@pytest.mark.parametrize("right", RIGHT)
@pytest.mark.parametrize(
    "place", ["x/{title}/{name}.ipynb", "x/{name}.ipynb", "x/hw/{name}/{name}.ipynb", "{title}/x/a.ipynb"]
)
def test_the_only_work_is_moved_in(assignment, tmp_path, right, place):
    """Where the right folder is empty, or nobody worked on what is there; that is set aside, and its time stays."""
    root, name = assignment.course.root, assignment.name
    lay(root, place.format(name=name, title=name.title()), worked(name))
    if right == "empty":
        (root / "submitted" / "x" / name).mkdir(parents=True)
    elif right != "nothing":
        file = ".DS_Store" if right == "hidden" else f"{name}.ipynb"
        lay(root, f"x/{name}/{file}", released(name) if right == "untouched" else b"broken")
        lay(root, f"x/{name}/timestamp.txt", b"2026-02-01 00:00:00 UTC")
    before = len([path for path in root.rglob("*") if path.is_file()])
    (item,) = look_through(assignment, root / "submitted").misplaced
    if right in ("untouched", "broken"):
        assert ", which was worked on; what is there was not" in item.message
    put_right(assignment)
    assert look(assignment) == (["x"], [])
    after = len([path for path in root.rglob("*") if path.is_file()])
    got = receive(assignment, root / "submitted" / "x" / name, tmp_path / "copy")
    assert got.notebook.read_bytes() == worked(name)
    assert (got.time is not None) == (right in ("untouched", "broken", "hidden"))
    stamps = len(list((root / "set_aside").rglob("timestamp.txt")))
    assert after - stamps == before


@pytest.mark.parametrize(("file", "content"), [("{name}.7z", b"7z"), ("{name}.py", b"x"), ("{title}/a.zip", b"PK")])
def test_what_may_be_the_work_is_moved_beside_an_untouched_notebook(assignment, tmp_path, file, content):
    """There the row of the submission says that it was not read."""
    root, name = assignment.course.root, assignment.name
    lay(root, f"x/{name}/{name}.ipynb", released(name))
    path = root / "submitted" / "x" / file.format(name=name, title=name.title())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    put_right(assignment)
    assert look(assignment) == (["x"], [])
    assert len(receive(assignment, root / "submitted" / "x" / name, tmp_path / "copy").unread) == 1


def test_of_two_places_the_one_that_was_worked_on_is_moved_in(assignment, tmp_path):
    """The other is set aside."""
    root, name = assignment.course.root, assignment.name
    lay(root, f"x/a/deep/{name}/{name}.ipynb", released(name))
    lay(root, f"x/b/deep/{name}/{name}.ipynb", worked(name))
    put_right(assignment)
    got = receive(assignment, root / "submitted" / "x" / name, tmp_path / "copy")
    assert got.notebook.read_bytes() == worked(name)
    assert (root / "set_aside" / "x" / "a" / "deep" / name / f"{name}.ipynb").is_file()


@pytest.mark.parametrize(
    "files", [["work.7z"], ["a.pdf", "b.docx"], ["hw/work.tar.gz"], ["hw/solution.py"], [".DS_Store"],
              ["hw/Untitled.ipynb"], [".hidden/{name}.ipynb"]]
)  # fmt: skip
def test_a_folder_in_which_nothing_is_recognised_is_named(assignment, files):
    """With what is in it; not where the student has handed in another assignment."""
    root, other = assignment.course.root, next(one for one in NAMES if one != assignment.name)
    files = [file.format(name=assignment.name) for file in files]
    for file in files:
        lay(root, f"x/{file}", b"{}")
        lay(root, f"y/{file}", b"{}")
    lay(root, f"y/{other}/{other}.ipynb", released(other))
    (item,) = look_through(assignment, root / "submitted").misplaced
    shown = [file for file in files if file != ".DS_Store"] or files
    assert all(file in item.message for file in shown)
    assert (item.path, item.command) == ("submitted/x", "")


def test_a_notebook_in_another_assignments_folder_is_named(assignment):
    """With the command that moves it to where it belongs; a copy of what was handed in is nobody's business."""
    root, name = assignment.course.root, assignment.name
    other = next(one for one in NAMES if one != name)
    for student in ("x", "y"):
        lay(root, f"{student}/{other}/{other}.ipynb", released(other))
        lay(root, f"{student}/{other}/work.ipynb", worked(name))
    lay(root, f"y/{name}/{name}.ipynb", worked(name))
    assert look(assignment) == (["y"], [("x", f"x/{other}/work.ipynb")])
    put_right(assignment)
    assert look(assignment) == (["x", "y"], [])


def test_a_file_in_the_place_of_the_folder_is_moved_into_it(assignment, tmp_path):
    """A notebook without an ending."""
    root, name = assignment.course.root, assignment.name
    lay(root, f"x/{name}", worked(name))
    assert look(assignment) == ([], [("x", f"x/{name}")])
    put_right(assignment)
    assert look(assignment) == (["x"], [])
    got = receive(assignment, root / "submitted" / "x" / name, tmp_path / "copy")
    assert got.notebook.read_bytes() == worked(name)


def test_pipes_and_broken_zips_hold_up_nobody(assignment):
    """Nothing waits for a pipe; what cannot be read is known by its name."""
    folder = assignment.course.root / "submitted" / "x"
    folder.mkdir(parents=True)
    os.mkfifo(folder / f"{assignment.name}.ipynb")
    os.mkfifo(folder / "hw.ipynb")
    (folder / f"{assignment.name}.zip").write_bytes(b"PK\x03\x04")
    named = look(assignment)[1]
    assert ("x", f"x/{assignment.name}.zip") in named
    assert ("x", f"x/{assignment.name}.ipynb") in named


@pytest.mark.parametrize(
    ("name", "expected", "alike"),
    [
        ("Inverted Dropout", "inverted_dropout", True),
        ("inverted_dropout-Copy1", "inverted_dropout", True),
        ("inverteddropout", "inverted_dropout", True),
        ("dropout", "inverted_dropout", False),
        ("hw1", "hw11", False),
        ("hw1", "hw_1", True),
        ("hw (1)", "hw1", False),
        ("", "a", False),
    ],
)
def test_likeness(name, expected, alike):
    """Case, hyphens, blanks and marks of copies make no other name; digits do."""
    assert is_alike(name, expected) == alike


@pytest.mark.parametrize("as_named", ["{name}.ipynb", "{other}.ipynb", "hw/work.ipynb"])
def test_a_notebook_of_another_assignment_is_no_work_on_this_one(assignment, tmp_path, as_named):
    """Whatever its name: it is named and gets no zero; beside one of this assignment it is passed over."""
    name = assignment.name
    for other in NAMES:
        if other == name:
            continue
        file = as_named.format(name=name, other=other)
        lay(assignment.course.root, f"{other}_only/{name}/{file}", answered(other))
        got = receive(assignment, tmp_path / "submitted" / f"{other}_only" / name, tmp_path / f"copy_{other}")
        assert (got.has_work, got.notebook) == (False, None)
        assert got.warnings[0] == f"{file}: expected a notebook of {name}, got one of {other}."
        lay(assignment.course.root, f"{other}_only/{name}/mine/work (1).ipynb", released(name))
        both = receive(assignment, tmp_path / "submitted" / f"{other}_only" / name, tmp_path / f"both_{other}")
        assert both.notebook.read_bytes() == released(name)


def answered(name: str) -> bytes:
    """A notebook of an assignment's, its question answered: all assignments have one by the same id."""
    content = json.loads(released(name))
    for cell in content["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == "inline_question_1":
            cell["source"] = "An answer."
    return json.dumps(content).encode()


def test_versions_of_a_students_are_not_students(assignment):
    """Two notebooks of this assignment in folders of one student's are that student's."""
    name = assignment.name
    other = next(one for one in NAMES if one != name)
    for version in ("v1", "v2"):
        lay(assignment.course.root, f"x/{version}/{name}.ipynb", released(name))
        lay(assignment.course.root, f"x/{version}/{other}.ipynb", released(other))
    assert {student for student, _ in look(assignment)[1]} == {"x"}


def test_what_is_set_aside_overwrites_nothing(assignment):
    """Neither another version, nor what was set aside before."""
    name = assignment.name
    lay(assignment.course.root, f"x/{name}/{name}.ipynb", released(name))
    for version in ("v1", "v2"):
        lay(assignment.course.root, f"x/{version}/deep/{name}/{name}.ipynb", released(name))
    put_right(assignment)
    lay(assignment.course.root, f"x/v1/deep/{name}/{name}.ipynb", released(name))
    put_right(assignment)
    aside = assignment.course.root / "set_aside"
    assert len(list(aside.rglob("*.ipynb"))) == 3
