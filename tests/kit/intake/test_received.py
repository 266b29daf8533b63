"""What was handed in is read once, into a private copy, in order: renamed, out of folders, out of a zip, bounded."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from gradlab_staff.course import Assignment, Course
from gradlab_staff.errors import GradlabError
from gradlab_staff.grading.batch import match_received
from gradlab_staff.intake import received as module
from gradlab_staff.intake.files import Folder
from gradlab_staff.intake.inbox import open_inbox
from gradlab_staff.intake.notebook import open_notebook
from gradlab_staff.intake.received import Received, receive, supporting_files

HERE = Path(__file__).parents[1] / "submissions"
SOLVED = (HERE / "solved.ipynb").read_bytes()


@pytest.fixture(scope="module")
def tiny() -> Assignment:
    return Course(HERE / "course").assignment("tiny")


@pytest.fixture
def handed_in(tmp_path):
    """The folder of a submission; fill it by calling it with names and fixtures or bytes."""
    folder = tmp_path / "submitted" / "student_01" / "tiny"
    folder.mkdir(parents=True)

    def fill(files=None, **more):
        for name, content in {**(files or {}), **more}.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes((HERE / content).read_bytes() if isinstance(content, str) else content)
        return folder

    return fill


@pytest.fixture
def copy(tiny, tmp_path):
    """The private copy of what lies in a folder."""

    def make(folder: Path) -> Received:
        return receive(tiny, folder, tmp_path / f"copy-{len(list(tmp_path.glob('copy-*')))}")

    return make


def zipped(path, files):
    """A zip with these files; those that are text become links."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            if isinstance(content, str):
                info.external_attr = 0o120777 << 16
            archive.writestr(info, content)
    return path.read_bytes()


# --- which notebook


def test_the_expected_name_needs_no_warning(handed_in, copy):
    """Checkpoints and hidden files are nobody's work."""
    files = {".ipynb_checkpoints/tiny-checkpoint.ipynb": "solved.ipynb", "._tiny.ipynb": "empty.ipynb"}
    got = copy(handed_in({"tiny.ipynb": "solved.ipynb", **files}))
    assert (got.notebook.read_bytes(), got.name, got.warnings) == (SOLVED, "tiny.ipynb", ())


def test_a_single_notebook_is_taken_whatever_its_name(handed_in, copy):
    """The warning can be printed, and the copy has the assignment's name."""
    got = copy(handed_in({"my\n\x1b[31m hw (1).IPYNB": "solved.ipynb"}))
    assert got.notebook.read_bytes() == SOLVED
    assert got.notebook.name == "tiny.ipynb"
    assert got.warnings == ("expected tiny.ipynb, got my [31m hw (1).IPYNB. Graded it.",)


def test_a_name_that_is_no_utf8_is_found(handed_in, copy):
    """And can be named."""
    Path(os.fsdecode(os.fsencode(handed_in()) + b"/\xff.ipynb")).write_bytes(SOLVED)
    got = copy(handed_in())
    assert open_notebook(got.notebook).readable
    assert got.warnings[0].isprintable()


def test_of_several_the_expected_name_wins(handed_in, copy):
    """The others are named, and that they hold work, too."""
    got = copy(
        handed_in({"tiny.ipynb": "cells_deleted.ipynb", "a.ipynb": "solved.ipynb", "b.ipynb": "untouched.ipynb"})
    )
    assert got.notebook.read_bytes() == (HERE / "cells_deleted.ipynb").read_bytes()
    assert got.warnings == (
        "expected one notebook, got 3. Not graded: a.ipynb, b.ipynb.",
        "a.ipynb: worked on as well. Look whether it is the one to be graded.",
    )


@pytest.mark.parametrize("original", ["untouched.ipynb", "invalid_json.ipynb", b""])
@pytest.mark.parametrize("place", ["tiny-Copy1.ipynb", "my work/tiny.ipynb", "tiny.ipynb.json", "hw.zip"])
def test_work_beside_an_untouched_original_is_graded(handed_in, copy, tmp_path, original, place):
    """Wherever it lies, and it is said; the same where the original cannot be read."""
    work = zipped(tmp_path / "hw.zip", {"tiny.ipynb": SOLVED}) if place.endswith("zip") else "solved.ipynb"
    got = copy(handed_in({"tiny.ipynb": original, place: work}))
    assert got.notebook.read_bytes() == SOLVED
    why = "it as released" if original == "untouched.ipynb" else "a file that cannot be read"
    found = f"{place}/tiny.ipynb" if place.endswith("zip") else place
    assert got.warnings == (
        f"expected the work in tiny.ipynb, got {why}. Graded {found}, which was worked on.",
        "expected one notebook, got 2. Not graded: tiny.ipynb.",
    )


def test_of_very_many_notebooks_twenty_are_looked_into(handed_in, copy):
    """All are counted."""
    got = copy(handed_in({f"{number:02}.ipynb": "untouched.ipynb" for number in range(30)}))
    assert got.name == "00.ipynb"
    assert got.warnings[2].startswith("expected one notebook, got 30. Not graded: ")
    assert got.unread == tuple(f"{number}.ipynb" for number in range(20, 30))


@pytest.mark.parametrize("place", ["tiny-Copy1.ipynb", "tiny.ipynb.json", "a/tiny.ipynb"])
def test_where_nobody_worked_the_original_counts(handed_in, copy, place):
    """An untouched copy is no better than an untouched original."""
    got = copy(handed_in({"tiny.ipynb": "untouched.ipynb", place: "untouched.ipynb"}))
    assert got.name == "tiny.ipynb"
    assert got.warnings == (f"expected one notebook, got 2. Not graded: {place}.",)


UNREAD = {
    "tiny.py": b"def double(x): ...",
    "my solution.py": b"def double(x): ...",
    "work.7z": b"7z",
    "hw/work.tar.gz": b"\x1f\x8b",
    "answer.docx": b"PK",
    "tiny.pdf": b"%PDF",
    "tiny.html": b"<p>",
    "notes.json": b'{"a": 1}',
    ".tiny.ipynb": SOLVED,
    "broken.zip": b"PK\x03\x04",
}


@pytest.mark.parametrize("place", UNREAD)
def test_a_file_beside_an_untouched_notebook_is_named(handed_in, copy, place):
    """The work may be in it; beside a notebook that was worked on it is a file like any other."""
    collected = {"timestamp.txt": b"2026-02-01 00:00:00 UTC", ".DS_Store": b"", "public_checks.py": b""}
    got = copy(handed_in({"tiny.ipynb": "untouched.ipynb", place: UNREAD[place], **collected}))
    assert got.has_work
    assert got.unread == (place,)
    assert got.warnings[0] == (
        "expected the work in tiny.ipynb, got its solutions as released, and files that were not read: "
        f"{place}. Graded it as it stands: look whether the work is in these."
    )
    again = copy(handed_in({"tiny.ipynb": "solved.ipynb"}))
    assert (again.unread, again.warnings) == ((), ())


@pytest.mark.parametrize("folder", [".ipynb_checkpoints", "hw/.hidden", "feedback", "__MACOSX"])
def test_work_in_a_folder_of_nobodys_is_named(handed_in, copy, folder):
    """Beside an untouched notebook only where it was worked on; alone, whatever it is."""
    place = f"{folder}/tiny-checkpoint.ipynb"
    beside = {place: "solved.ipynb", f"{folder}/objects/0": b"", f"{folder}/._tiny.ipynb": b""}
    got = copy(handed_in({"tiny.ipynb": "untouched.ipynb", **beside}))
    assert got.unread == (f"{place} (worked on)",)
    (handed_in() / "tiny.ipynb").unlink()
    alone = copy(handed_in())
    assert not alone.has_work
    assert alone.warnings == (f"expected tiny.ipynb, got no notebook in the folder, but {place}.",)
    assert copy(handed_in({"tiny.ipynb": "untouched.ipynb", place: "untouched.ipynb"})).warnings == ()


@pytest.mark.parametrize("place", ["line.txt", "notes.json", "hw/work"])
def test_a_notebook_by_any_ending_beside_an_untouched_one_is_graded(handed_in, copy, place):
    """It holds the work, and says so by what it holds."""
    got = copy(handed_in({"tiny.ipynb": "untouched.ipynb", place: "solved.ipynb"}))
    assert got.notebook.read_bytes() == SOLVED
    got_it = "expected the work in tiny.ipynb, got it as released."
    assert got.warnings[0] == f"{got_it} Graded {place}, which was worked on."


@pytest.mark.parametrize(
    "name", ["tiny.ipynb.json", "tiny.ipynb.txt", "tiny.json", "tiny", "hw/my work.ipynb.download"]
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_notebook_by_another_ending_is_one(handed_in, copy, name, encoding):
    """What it holds counts: browsers and mail programs add endings."""
    content = SOLVED.decode().encode(encoding)
    got = copy(handed_in({name: content, "data.json": b'{"cells": 3}', "list.json": b"[]", "notes.txt": b"{"}))
    assert got.notebook.read_bytes() == content
    assert open_notebook(got.notebook).readable
    assert got.warnings == (f"expected tiny.ipynb, got {name}. Graded it.",)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"tiny.py": b"# In[1]:"},
        {"tiny.ipynb.json": b'{"cells": ['},
        {"tiny.html": b"<p>"},
        {"a/b.tar.gz": b"\x1f\x8b"},
    ],
)
def test_a_folder_without_a_notebook_has_no_work(handed_in, copy, files):
    """What there is instead is named."""
    got = copy(handed_in(files))
    assert not got.has_work
    but = "".join(f", but {name}" for name in files)
    assert got.warnings == (f"expected tiny.ipynb, got no notebook in the folder{but}.",)


BROKEN = {
    "empty": b"",
    "zeros": bytes(1000),
    "half": SOLVED[: len(SOLVED) // 2],
    "page": b"<!DOCTYPE html><html>log in</html>",
    "pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
    "conflict": SOLVED.replace(b'"cells"', b'<<<<<<< HEAD\n"cells"', 1),
    "gzip": b"\x1f\x8b\x08" + bytes(20),
    "list": b"[]",
}


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize("place", ["tiny.ipynb", "hw/tiny (1).ipynb"])
def test_a_notebook_that_cannot_be_read_is_no_work(handed_in, copy, kind, place):
    """No score is due before a person has looked: the work may have been lost on its way."""
    for files in ({place: BROKEN[kind]}, {"zz.ipynb": BROKEN[kind]}):
        got = copy(handed_in(files))
        assert (got.has_work, got.notebook, got.files) == (False, None, {})
        assert got.warnings[-1].startswith("expected a notebook, got a file that cannot be read: ")
        assert "Graded" not in " ".join(got.warnings)
    got = copy(handed_in({"zz/tiny.ipynb": "untouched.ipynb"}))
    assert not got.has_work or place in got.unread
    got = copy(handed_in({"zz/tiny.ipynb": "solved.ipynb"}))
    assert got.notebook.read_bytes() == SOLVED


def test_of_others_the_one_with_most_of_the_cells_is_taken(handed_in, copy):
    """A broken one and a shorter one lose."""
    files = {"a.ipynb": "invalid_json.ipynb", "b.ipynb": "cells_deleted.ipynb", "c.ipynb": "solved.ipynb"}
    got = copy(handed_in(files))
    assert got.notebook.read_bytes() == SOLVED
    assert got.warnings == (
        "expected tiny.ipynb, got c.ipynb. Graded it.",
        "expected one notebook, got 3. Not graded: a.ipynb, b.ipynb.",
        "b.ipynb: worked on as well. Look whether it is the one to be graded.",
    )


def test_a_notebook_in_a_folder_is_found(handed_in, copy):
    """What lies beside it there lies beside the copy; the time stamp is the exchange's, at the top."""
    got = copy(
        handed_in(
            {
                "hw/tiny/tiny.ipynb": "solved.ipynb",
                "hw/tiny/mine.py": b"x = 1",
                "timestamp.txt": b"2026-02-01 08:00 UTC",
            }
        )
    )
    assert got.notebook.read_bytes() == SOLVED
    assert got.warnings == ("expected tiny.ipynb, got hw/tiny/tiny.ipynb. Graded it.",)
    assert {name: path.read_bytes() for name, path in got.files.items()} == {
        "mine.py": b"x = 1",
        "timestamp.txt": b"2026-02-01 08:00:00.000000 UTC",
    }


def test_nothing_crowds_out_the_time_stamp(handed_in, copy):
    """A late penalty depends on it: it is copied whatever else there is no room for, and nothing else passes for it."""
    many = {f"a{number:03}.dat": b"" for number in range(201)}
    got = copy(handed_in({**many, "timestamp.txt": b"2026-02-01 00:00:00 UTC", "tiny.ipynb": "solved.ipynb"}))
    assert got.files["timestamp.txt"].read_bytes() == b"2026-02-01 00:00:00.000000 UTC"


@pytest.mark.parametrize("place", ["tiny", "hw/deep"])
def test_a_time_stamp_beside_a_notebook_in_a_folder_is_said(handed_in, copy, place):
    """It may be the exchange's, and cost or save a penalty: a person decides. One at the top counts alone."""
    stamp = b"2026-02-01 08:00:00 UTC"
    got = copy(handed_in({f"{place}/tiny.ipynb": "solved.ipynb", f"{place}/timestamp.txt": stamp}))
    assert (got.time, got.undated) == (None, True)
    assert got.warnings[-1].startswith(f"{place}/timestamp.txt: expected timestamp.txt at the top")
    got = copy(handed_in({"timestamp.txt": stamp}))
    assert (got.undated, len(got.warnings)) == (False, 1)


def test_a_time_stamp_of_the_students_own_is_none(handed_in, copy):
    """One in a folder or in a zip was not laid there by who collected."""
    folder = handed_in()
    zipped(folder / "hw.zip", {"hw/tiny.ipynb": SOLVED, "hw/timestamp.txt": b"2020-01-01 00:00:00 UTC"})
    assert "timestamp.txt" not in copy(folder).files


@pytest.mark.parametrize(
    ("name", "content", "warning"),
    [
        ("timestamp.txt", b"some day", "got “some day”. Counted as handed in without a time"),
        ("timestamp.txt", b"2" * 1001, "got a file that cannot be read: it has more than 1000 bytes."),
        ("timestamp.txt", None, "got a file that cannot be read: a symbolic link."),
        ("timestamp.txt/a", b"", "got a folder. Counted as handed in without a time"),
        ("Timestamp.TXT", b"2026-02-01 08:00:00 UTC", "Timestamp.TXT: expected timestamp.txt, got another name."),
        (
            "timestamp.txt.txt",
            b"2026-02-01 08:00:00 UTC",
            "timestamp.txt.txt: expected timestamp.txt, got another name.",
        ),
    ],
)
def test_a_time_stamp_that_says_no_time_is_said(handed_in, copy, name, content, warning):
    """It is no error, and nothing is laid for nbgrader to stumble over."""
    folder = handed_in({"tiny.ipynb": "solved.ipynb"})
    if content is None:
        (folder / name).symlink_to(HERE / "solved.ipynb")
    else:
        handed_in({name: content})
    got = copy(folder)
    (said,) = got.warnings
    assert warning in said
    assert (got.time, got.undated) == (None, True)
    assert "timestamp.txt" not in got.files


@pytest.mark.parametrize("count", [3_000, 12_000])
def test_data_files_hide_no_notebook(handed_in, copy, count):
    """Thousands of them before its name: it is found, and the files beside it stay bounded."""
    folder = handed_in({f"a{number:05}.dat": b"" for number in range(count)} | {"tiny.ipynb": "solved.ipynb"})
    got = copy(folder)
    assert got.notebook.read_bytes() == SOLVED
    assert len(got.files) == 200


def test_nothing_handed_in_is_said(handed_in, copy, tmp_path):
    """An empty folder, no folder and a linked folder give no notebook and a warning."""
    assert copy(handed_in()).warnings == ("expected tiny.ipynb, got no notebook in the folder.",)
    assert copy(tmp_path / "absent").warnings == ("expected a folder with tiny.ipynb, got none.",)
    (tmp_path / "linked").symlink_to(HERE)
    got = copy(tmp_path / "linked")
    assert got.notebook is None
    assert got.warnings == ("expected a folder with tiny.ipynb, got a symbolic link. Copy the folder itself.",)


def test_links_and_pipes_are_named_and_not_opened(handed_in, copy):
    """Another notebook beside them is taken; nothing behind a link is copied, and nothing waits for a pipe."""
    folder = handed_in({"other.ipynb": "solved.ipynb"})
    (folder / "tiny.ipynb").symlink_to(HERE / "solved.ipynb")
    (folder / "linked").symlink_to(HERE)
    (folder / "secret.txt").symlink_to("/etc/passwd")
    (folder / "folder.ipynb").mkdir()
    os.mkfifo(folder / "pipe.ipynb")
    os.mkfifo(folder / "pipe.txt")
    got = copy(folder)
    assert got.name == "other.ipynb"
    assert got.files == {}
    assert set(got.warnings[:3]) == {
        "folder.ipynb: expected a file, got a folder. Did not open it.",
        "pipe.ipynb: expected a file, got a pipe. Did not open it.",
        "tiny.ipynb: expected a file, got a symbolic link. Did not open it.",
    }


def test_a_notebook_that_is_too_large_is_unreadable(handed_in, copy):
    """It is not copied; the warning states both sizes."""
    folder = handed_in({"tiny.ipynb": b""})
    os.truncate(folder / "tiny.ipynb", 513 << 20)
    got = copy(folder)
    assert got.notebook is None
    assert got.warnings == (
        "expected a notebook, got a file that cannot be read: it has 513 MiB, and 512 MiB are read at most.",
    )
    assert not got.has_work


# --- zips


def test_a_zip_of_one_notebook_is_the_submission(handed_in, copy):
    """With the files beside it; what a Mac adds to a zip is nobody's work."""
    folder = handed_in({"notes.txt": b"n"})
    files = {"hw3/work.ipynb": SOLVED, "hw3/mine.py": b"x = 1", "__MACOSX/hw3/._work.ipynb": b"", "top.txt": b"t"}
    zipped(folder / "hw3_final.ZIP", files)
    got = copy(folder)
    assert got.notebook.read_bytes() == SOLVED
    assert got.warnings == ("expected tiny.ipynb, got hw3_final.ZIP/hw3/work.ipynb. Graded it.",)
    assert sorted(got.files) == ["mine.py", "notes.txt", "top.txt"]


def test_a_notebook_beside_a_zip_wins(handed_in, copy):
    """The zip is a file beside it."""
    folder = handed_in({"tiny.ipynb": "solved.ipynb"})
    zipped(folder / "old.zip", {"tiny.ipynb": b"{}"})
    got = copy(folder)
    assert (got.notebook.read_bytes(), got.warnings) == (SOLVED, ())
    assert list(got.files) == ["old.zip"]


@pytest.mark.parametrize(
    "name", ["../../escaped.ipynb", "/tmp/escaped.ipynb", "a/../../escaped.ipynb", "..\\escaped.ipynb"]
)
def test_nothing_of_a_zip_lands_outside(handed_in, copy, tmp_path, name):
    """A name that leads out of the archive names no file."""
    folder = handed_in()
    zipped(folder / "evil.zip", {name: SOLVED, name.replace("ipynb", "txt"): b"x"})
    got = copy(folder)
    assert got.notebook is None
    assert got.warnings[0].startswith("evil.zip: expected a zip of a notebook, got one of ")
    assert got.warnings[0].count("escaped.ipynb (a name that leads out of the zip)") == 1
    assert not list(tmp_path.rglob("*escaped*"))


@pytest.mark.parametrize("name", ["hw\\\\tiny.ipynb", "c: my work/tiny.ipynb", "li:ne/tiny.ipynb", "./tiny.ipynb"])
def test_odd_names_in_a_zip_that_stay_in_it(handed_in, copy, name):
    """Windows' backslashes lead into folders; a colon is no drive."""
    folder = handed_in()
    zipped(folder / "hw.zip", {name: SOLVED, "C:\\\\a.txt": b""})
    got = copy(folder)
    assert got.notebook.read_bytes() == SOLVED


def test_links_in_a_zip_are_left_alone(handed_in, copy):
    """They hold a path, and nothing of what it names."""
    folder = handed_in()
    zipped(folder / "hw.zip", {"tiny.ipynb": SOLVED, "passwd.txt": "/etc/passwd"})
    got = copy(folder)
    assert got.notebook.read_bytes() == SOLVED
    assert got.files == {}


def test_a_zip_that_unpacks_to_more_than_it_states_is_cut_off(handed_in, copy, monkeypatch):
    """The bytes that come are counted, not those that are promised."""
    monkeypatch.setattr(module, "_MAX_FILE_BYTES", 1000)
    folder = handed_in()
    path = folder / "bomb.zip"
    zipped(path, {"tiny.ipynb": SOLVED, "bomb.txt": b"0" * 100_000})
    raw = path.read_bytes().replace((100_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    path.write_bytes(raw)
    got = copy(folder)
    assert got.notebook.read_bytes() == SOLVED
    assert got.files == {}


@pytest.mark.parametrize(
    "name", ["x" * 300, "y" * 2000 + "/z", "tiny.ipynb/x.txt", "a/b.ipynb/c.txt", ".", "a\0b", "n\udcff"]
)
def test_an_odd_name_in_a_zip_costs_that_file(handed_in, copy, name):
    """The notebook is graded, and the other files are there."""
    folder = handed_in()
    path = folder / "hw.zip"
    placed = "?" * len(name.encode(errors="surrogateescape"))
    zipped(path, {"work.ipynb": SOLVED, placed: b"x", "mine.py": b"x = 1"})
    path.write_bytes(path.read_bytes().replace(placed.encode(), name.encode(errors="surrogateescape")))
    got = copy(folder)
    assert got.notebook.read_bytes() == SOLVED
    assert set(got.files) >= {"mine.py"}
    assert not any(file.startswith("tiny.ipynb") for file in got.files)


def test_an_unreadable_notebook_leaves_its_place_free(handed_in, copy):
    """What lies in a folder of its name in a zip would be in the way of the notebook in autograded/."""
    folder = handed_in()
    path = folder / "hw.zip"
    zipped(path, {"tiny.ipynb": SOLVED, "tiny.ipynb/x.txt": b"x"})
    raw = bytearray(path.read_bytes())
    raw[60] ^= 0xFF
    path.write_bytes(raw)
    got = copy(folder)
    assert (got.notebook, got.files) == (None, {})
    assert "got a file that cannot be read" in got.warnings[-1]


def test_a_zip_of_very_many_members_is_not_opened(handed_in, copy):
    """Its list alone would take gigabytes."""
    folder = handed_in()
    zipped(folder / "hw.zip", {f"{number:060}": b"" for number in range(45_000)})
    assert copy(folder).warnings[0] == (
        "hw.zip: expected a zip of a notebook, got a file that cannot be read: it has too many members."
    )


@pytest.mark.parametrize(("files", "holds"), [({"a.txt": b""}, "a.txt"), ({}, "nothing that can be read")])
def test_a_zip_without_a_notebook_is_named(handed_in, copy, files, holds):
    """With what is in it."""
    folder = handed_in()
    zipped(folder / "hw.zip", files)
    got = copy(folder)
    assert got.notebook is None
    assert got.warnings[0] == f"hw.zip: expected a zip of a notebook, got one of {holds}. Took nothing."


def test_of_several_notebooks_in_zips_it_is_chosen_as_in_a_folder(handed_in, copy):
    """The one that was worked on; that another was, too, is said."""
    untouched = (HERE / "untouched.ipynb").read_bytes()
    folder = handed_in()
    zipped(folder / "hw.zip", {"tiny.ipynb": untouched, "tiny-Copy1.ipynb": SOLVED, "mine.py": b"x = 1"})
    got = copy(folder)
    assert (got.notebook.read_bytes(), list(got.files)) == (SOLVED, ["mine.py"])
    assert got.warnings == (
        "expected tiny.ipynb, got hw.zip/tiny-Copy1.ipynb. Graded it.",
        "expected one notebook, got 2. Not graded: hw.zip/tiny.ipynb.",
    )
    zipped(folder / "new.zip", {"my.ipynb": (HERE / "cells_deleted.ipynb").read_bytes()})
    got = copy(folder)
    assert got.notebook.read_bytes() == SOLVED
    assert got.warnings[-1] == "new.zip/my.ipynb: worked on as well. Look whether it is the one to be graded."


@pytest.mark.parametrize("name", ["work.ipynb.json", "work.json"])
def test_a_notebook_by_another_ending_in_a_zip_is_one(handed_in, copy, name):
    """As in a folder."""
    folder = handed_in()
    zipped(folder / "hw.zip", {name: SOLVED})
    assert copy(folder).notebook.read_bytes() == SOLVED


def test_a_file_that_is_no_zip_is_named(handed_in, copy):
    """As is one that nobody can open."""
    got = copy(handed_in({"hw.zip": b"PK\x03\x04 and no more"}))
    assert got.warnings[0] == (
        "hw.zip: expected a zip of a notebook, got a file that cannot be read: it is not a zip archive."
    )


# --- one copy


def test_what_is_swapped_after_it_was_received_changes_nothing(handed_in, copy, tiny):
    """Fingerprint, cells and files are those of the copy."""
    folder = handed_in({"tiny.ipynb": "untouched.ipynb", "mine.py": b"x = 1"})
    got = copy(folder)
    handed_in({"tiny.ipynb": "solved.ipynb", "mine.py": b"x = 2"})
    assert [cell.released for cell in match_received(tiny, got).cells if cell.id == "double_solution"] == [True]
    assert got.files["mine.py"].read_bytes() == b"x = 1"
    assert copy(folder).digest != got.digest


def test_the_fingerprint_is_that_of_what_counts(handed_in, copy):
    """The same again where nothing changed; another where a file beside, or a warning, did."""
    first = copy(handed_in({"tiny.ipynb": "solved.ipynb"})).digest
    assert copy(handed_in()).digest == first
    second = copy(handed_in({"mine.py": b"x = 1"})).digest
    third = copy(handed_in({"copy.ipynb": "solved.ipynb"})).digest
    assert len({first, second, third}) == 3


def test_files_beside_are_bounded(handed_in, copy):
    """At most 16 MiB each and 64 MiB in all; compiled Python and the notebooks that are not graded are skipped."""
    folder = handed_in({"tiny.ipynb": "solved.ipynb", "x.pyc": b"", "other.ipynb": b"{}"})
    for number, size in enumerate([17, *[15] * 6]):
        (folder / f"{number}.bin").touch()
        os.truncate(folder / f"{number}.bin", size << 20)
    assert sorted(copy(folder).files) == ["1.bin", "2.bin", "3.bin", "4.bin"]


@pytest.mark.parametrize(("swapped", "after"), [("a", "."), ("a/b", "a"), ("a", "a/b"), ("a/b", "a/b")])
def test_a_folder_that_is_swapped_for_a_link_leads_nowhere(handed_in, copy, tmp_path, monkeypatch, swapped, after):
    """Not between one level and the next, nor between the listing and the reading."""
    (tmp_path / "secret").mkdir()
    for name in ("1.py", "2.py"):
        (tmp_path / "secret" / name).write_text("secret")
    folder = handed_in({"tiny.ipynb": "solved.ipynb", "a/1.py": b"x = 1", "a/b/2.py": b"x = 2"})
    real = Folder._entries

    def swapping(self, path):
        yield from real(self, path)
        if str(path) == after:
            (folder / swapped).rename(tmp_path / "away")
            (folder / swapped).symlink_to(tmp_path / "secret")

    monkeypatch.setattr(Folder, "_entries", swapping)
    got = copy(folder)
    assert got.notebook.read_bytes() == SOLVED
    assert "secret" not in {path.read_text() for path in got.files.values()}
    assert f"{swapped}/1.py" not in got.files


# --- the inbox


def test_the_copies_go_with_the_run(tiny, handed_in, tmp_path):
    """And those of a run that was killed go with the next one; those of a run beside this one stay."""
    course = Course(tmp_path)
    received = tmp_path / ".gradlab" / "received"
    code = (
        "import os, pathlib, sys; from gradlab_staff.course import Course\n"
        "from gradlab_staff.intake.inbox import open_inbox\n"
        "with open_inbox(Course(pathlib.Path(sys.argv[1]))) as inbox:\n"
        "    (inbox.folder / 'secret').write_text('x'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    (left,) = received.glob("run-*/secret")
    with open_inbox(course) as first:
        assert not left.exists()
        with open_inbox(course):
            assert first.folder.is_dir()
            got = receive(tiny, handed_in({"tiny.ipynb": "solved.ipynb"}), first.place())
            assert got.notebook.is_relative_to(first.folder)
            got.discard()
            assert not got.folder.exists()
    assert list(received.glob("run-*")) == []


def test_the_lock_of_another_ta_locks_nobody_out(tmp_path):
    """Who may not write it locks it all the same."""
    with open_inbox(Course(tmp_path)) as inbox:
        locks = [inbox.folder.parent / "making.lock", inbox.folder.with_name(f"{inbox.folder.name}.lock")]
    locks[1].touch()
    locks[1].with_suffix("").mkdir()
    for lock in locks:
        lock.chmod(0o444)
    real = os.open

    def not_writable(path, flags, *args, **options):
        if Path(os.fsdecode(path)) in locks and flags & os.O_RDWR:
            raise PermissionError(13, "Permission denied")
        return real(path, flags, *args, **options)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "open", not_writable)
        with open_inbox(Course(tmp_path)) as inbox:
            assert inbox.folder.is_dir()
            assert not locks[1].with_suffix("").exists()


def test_a_course_that_cannot_be_written_is_named(tmp_path):
    """Before anything is graded."""
    (tmp_path / ".gradlab").write_text("a file where a folder should be")
    with (
        pytest.raises(GradlabError, match=r"received: expected to write private copies.*Graded nothing"),
        open_inbox(Course(tmp_path)),
    ):
        pass


def test_the_outputs_of_a_notebook_are_read_with_it(handed_in, copy, tiny):
    """Safe to show, and opened once: what is swapped after that is not quoted."""
    content = json.loads(SOLVED)
    content["cells"][2]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "\x1b[31mred\u202e"}]
    matched = match_received(tiny, copy(handed_in({"tiny.ipynb": json.dumps(content).encode()})))
    assert [output["text"] for cell in matched.cells for output in cell.cell.outputs] == ["red"]


def test_of_the_instructors_folder_only_what_is_released_lies_beside_code(tiny, tmp_path, copy, handed_in):
    """A backup of the notebook, a rubric or an old solution is for no student's eyes; nor is the notebook."""
    source = tmp_path / "course" / "source" / "tiny"
    source.mkdir(parents=True)
    private = ("tiny.ipynb", "tiny.ipynb~", ".tiny.ipynb.swp", "#tiny.ipynb#", "old.py", "rubric.docx", "backup.zip")
    for name in (*private, "public_checks.py", "net.png", "img/PHOTO.JPG", ".hidden/net.png", "img/.secret.png"):
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).write_bytes(b"x")
    assignment = Assignment(Course(tmp_path / "course"), "tiny")
    assert set(supporting_files(assignment)) == {"public_checks.py", "net.png", "img/PHOTO.JPG"}


def test_what_there_is_no_room_for_is_named(handed_in, copy, monkeypatch):
    """With the reason: the student's code will not find it."""
    monkeypatch.setattr(module, "_MAX_FILE_BYTES", 3 << 20)
    folder = handed_in({"tiny.ipynb": "solved.ipynb", "big.npy": bytes(4 << 20), "small.txt": b"x", "x.pyc": b"x"})
    (folder / "link.txt").symlink_to("/etc/passwd")
    got = copy(folder)
    assert set(got.files) == {"small.txt"}
    (warning,) = got.warnings
    assert warning == (
        "not there when the notebook was run, though it was handed in: "
        "big.npy (it has 4 MiB, and 3 MiB are read at most); link.txt (a symbolic link)."
    )


def test_other_notebooks_are_there_to_be_run(handed_in, copy):
    """A few, for `%run`: the code finds them, no page shows them, and the verdict depends on them."""
    folder = handed_in({"tiny.ipynb": "solved.ipynb", "helpers.ipynb": b'{"cells": []}', "sub/more.ipynb": b"{}"})
    got = copy(folder)
    assert set(got.beside) == {"helpers.ipynb", "sub/more.ipynb"}
    assert got.files == {}
    assert [path.name for path in got.folder.iterdir()] == ["tiny.ipynb"]
    (folder / "helpers.ipynb").write_bytes(b'{"cells": [1]}')
    assert copy(folder).digest != got.digest
    got.discard()
    assert not got.beside["helpers.ipynb"].exists()
