"""Downloads from Canvas and Moodle by nbgrader zip_collect: whose each file is, what counts, what is refused."""

import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import pytest
from nbgrader_command import Ran, nbgrader
from tiny_course import SOLVED, make_course, released_cells, solve, write

from gradlab_staff.course import Assignment, Course
from gradlab_staff.errors import CourseError
from gradlab_staff.gradebook.collecting import copy_work, owned_by
from gradlab_staff.gradebook.students import read_students
from gradlab_staff.gradebook.zip_names import Named, name_of, newest
from gradlab_staff.intake.files import Folder, HandedIn
from gradlab_staff.intake.ids import fault_of_id

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # nbgrader 0.9.6 on recent versions of what it uses
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.mark.parametrize(
    ("path", "number", "file", "late"),
    [
        ("smithjo_12345_678910_tiny.ipynb", "12345", "tiny.ipynb", False),
        ("smithjo_LATE_12345_678910_tiny-1.ipynb", "12345", "tiny-1.ipynb", True),
        ("müllerß_12345_678910_Übung 1 (final).ipynb", "12345", "Übung 1 (final).ipynb", False),
        ("学生_12345_678910_作业.ipynb", "12345", "作业.ipynb", False),
        ("latesmith_12345_678910_tiny.ipynb", "12345", "tiny.ipynb", False),
        ("group3_12345_678910_tiny.ipynb", "12345", "tiny.ipynb", False),
        ("smithjo_12345_678910_2024_11_hw.ipynb", "12345", "2024_11_hw.ipynb", False),
        ("smithjo_12345_678910_a_1_2_tiny.ipynb", "12345", "a_1_2_tiny.ipynb", False),
        ("smithjo_12345_text.html", "12345", "text.html", False),
        ("anon_aB3cd_678910_tiny.ipynb", "aB3cd", "tiny.ipynb", False),
        ("LATE_anon_aB3cd_678910_1_2_tiny.ipynb", "aB3cd", "1_2_tiny.ipynb", True),
        ("submissions/smithjo_12345_678910_tiny.ipynb", "12345", "tiny.ipynb", False),
        ("Jo Smith_12345_assignsubmission_file_/tiny.ipynb", "12345", "tiny.ipynb", False),
        ("Jo Smith_12345_assignsubmission_file/src/helper.py", "12345", "src/helper.py", False),
        ("Jo Smith_12345_assignsubmission_file_tiny.ipynb", "12345", "tiny.ipynb", False),
        ("Teilnehmer-in_12345_assignsubmission_file_my_tiny.ipynb", "12345", "my_tiny.ipynb", False),
        ("Jo Smith_12345_assignsubmission_onlinetext_/onlinetext.html", "12345", "onlinetext.html", False),
        (
            "Jo Smith_12345_assignsubmission_file_/x_1_assignsubmission_file_/y",
            "12345",
            "x_1_assignsubmission_file_/y",
            False,
        ),
    ],
)
def test_a_name_says_whose_the_file_is(path, number, file, late):
    """Canvas' and Moodle's, whatever letters the students' names have."""
    named = name_of(PurePosixPath(path))
    assert (named.number, str(named.path), named.is_late) == (number, file, late)


@pytest.mark.parametrize(
    "path",
    [
        "tiny.ipynb",
        "smithjo_12345_tiny.ipynb",
        "smithjo_12345_678910_..",
        "smithjo_12345_678910_.",
        "Jo_1_assignsubmission_file_../tiny.ipynb",
        "Jo_1_assignsubmission_file_/../../tiny.ipynb",
        "Jo_1_assignsubmission_file_",
        "Default group_assignsubmission_file_/tiny.ipynb",
        "Jo_1_assignfeedback_file_/tiny.ipynb",
    ],
)
def test_a_name_that_is_neither_systems_says_nothing(path):
    """Nor does one that would lead out of the student's folder."""
    assert name_of(PurePosixPath(path)) is None


def test_a_number_of_ten_thousand_digits_is_read():
    """Python refuses to make an int of so many."""
    assert name_of(PurePosixPath(f"smithjo_1_{'9' * 10_000}_tiny.ipynb")).order == 10**18 - 1


def versions(*names: str, lms: bool = True) -> dict[str, str]:
    """What is collected of files, uploaded in this order: by its name, what Canvas calls it."""
    files = [Named("1", "jo", PurePosixPath(name), order if lms else 0) for order, name in enumerate(names, 1)]
    return {str(version.path): str(version.of.path) for version in newest(files, "tiny.ipynb")}


@pytest.mark.parametrize(
    ("names", "collected"),
    [
        (["tiny.ipynb"], {"tiny.ipynb": "tiny.ipynb"}),
        (["tiny-1.ipynb"], {"tiny.ipynb": "tiny-1.ipynb"}),
        (["tiny.ipynb", "tiny-2.ipynb", "tiny-1.ipynb"], {"tiny.ipynb": "tiny-1.ipynb"}),  # as uploaded
        (["mine-1.ipynb", "mine-2.ipynb"], {"mine-1.ipynb": "mine-1.ipynb", "mine-2.ipynb": "mine-2.ipynb"}),
        (["tiny-2.ipynb", "tiny-3.ipynb"], {"tiny-2.ipynb": "tiny-2.ipynb", "tiny-3.ipynb": "tiny-3.ipynb"}),
        (["part-1.py", "part-2.py"], {"part-1.py": "part-1.py", "part-2.py": "part-2.py"}),
        (["lab-3.ipynb"], {"lab-3.ipynb": "lab-3.ipynb"}),
        (["helper.py", "helper-1.py", "tiny.ipynb"], {"helper.py": "helper-1.py", "tiny.ipynb": "tiny.ipynb"}),
        (["helper-1.py"], {"helper.py": "helper-1.py"}),
        (["data-1.csv"], {"data-1.csv": "data-1.csv", "data.csv": "data-1.csv"}),
        (["data.csv", "data-1.csv"], {"data.csv": "data.csv", "data-1.csv": "data-1.csv"}),
        (["2024-11.csv", "-1.py"], {"2024-11.csv": "2024-11.csv", "2024.csv": "2024-11.csv", "-1.py": "-1.py"}),
    ],
)
def test_of_what_canvas_numbered_the_newest_counts(names, collected):
    """Notebooks and modules under the plain name; data, which may be called so by its student, under both."""
    assert versions(*names) == collected


def test_moodle_numbers_nothing():
    """There, a number is the student's own."""
    assert versions("tiny.ipynb", "tiny-1.ipynb", lms=False) == {
        "tiny.ipynb": "tiny.ipynb",
        "tiny-1.ipynb": "tiny-1.ipynb",
    }


@pytest.mark.parametrize(
    "text", ["lms_id,id\n12,ann\n", "\ufeffID;Name;LMS_ID\r\n ann ;x;12\r\n;;\r\n", "lms_id\tid\n12\tann\n\n"]
)
def test_students_csv_as_spreadsheets_write_it(tmp_path, text):
    """Other delimiters, a byte order mark, more columns, empty lines."""
    (tmp_path / "students.csv").write_bytes(text.encode())
    assert read_students(tmp_path / "students.csv") == {"12": "ann"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "expected the columns lms_id and id, got none"),
        (b"number,id\n1,a\n", "got number, id: lms_id must"),
        (b"lms_id,id,id\n1,a,a\n", "id must stand there once"),
        (b"lms_id,id\n1,a\n1,b\n", "line 3: expected a number and an id, got 1 twice"),
        (b"lms_id,id\n,b\n", "line 2: expected a number and an id, got no lms_id"),
        (b"lms_id,id\n1,\n", "the id '': it is empty"),
        (b"lms_id,id\n1,a[b]\n", "it holds one of / * ? [ ]"),
        (b"lms_id,id\n1,../x\n", "it begins with a dot"),
        (b"lms_id,id\n1,\xff\n", "expected a table in UTF-8"),
        ("lms_id,id\n1,a\n".encode("utf-16"), "Save it as “CSV UTF-8”"),
        (b'lms_id,id\n"1,a\n2,b\n', "Is a quotation mark not closed?"),
        (b"\n\nlms_id,id\n1,a\n1,b\n", "line 5: expected a number and an id, got 1 twice"),
        (b"lms_id,id\n1," + b"a" * 200_000, "expected a table, got: field larger than field limit"),
    ],
)
def test_what_is_wrong_with_students_csv_is_said(tmp_path, text, message):
    """With the line, and what was expected there."""
    (tmp_path / "students.csv").write_bytes(text)
    with pytest.raises(CourseError) as error:
        read_students(tmp_path / "students.csv")
    assert message in str(error.value)


def test_without_students_csv_numbers_are_ids(tmp_path):
    """Nobody has to write one."""
    assert read_students(tmp_path / "students.csv") == {}


@pytest.mark.parametrize(
    "student", ["", " ", "a ", " a", ".", "..", ".x", "a/b", "a[b", "b]", "a*", "a?", "a\nb", "x" * 201]
)
def test_ids_that_nbgrader_would_not_find_again_are_refused(student):
    """They are patterns to it, or paths, or it strips them."""
    assert fault_of_id(student)


@pytest.mark.parametrize("student", ["student_01", "12345", "jo.smith", "jo smith", "a+b", "jö@x.org", "(a)", "{a}"])
def test_other_ids_are_taken(student):
    """Whatever a hub or a university calls its students."""
    assert fault_of_id(student) == ""


class TestCopying:
    """What is collected of a folder."""

    @staticmethod
    def copy(folder: Path, into: Path, owner: int | None = None) -> list[str]:
        """Copy what lies in a folder; what was refused."""
        with Folder.open(folder) as opened:
            files = opened.files() if owner is None else (owned_by(file, owner) for file in opened.files())
            return copy_work(files, into)

    def test_nothing_crowds_out_what_counts(self, tmp_path):
        """Time stamp, secret and notebook are collected first, whatever else there is."""
        for number in range(230):
            write(tmp_path / "in" / "x" / "a" / f"{number:03}.txt", "x")
        for name in ("timestamp.txt", "submission_secret.txt", "tiny.ipynb"):
            write(tmp_path / "in" / "x" / name, "{}")
        refused = self.copy(tmp_path / "in" / "x", tmp_path / "out")
        assert {"timestamp.txt", "submission_secret.txt", "tiny.ipynb"} <= set(os.listdir(tmp_path / "out"))
        assert sum(path.is_file() for path in (tmp_path / "out").rglob("*")) == 202
        assert refused[-1] == "and 11 more"
        assert len(refused) == 21
        assert refused[0] == "a/199.txt: 200 files are collected at most"

    def test_sparse_files_take_up_no_disk(self, tmp_path):
        """Of a notebook, 512 MiB are taken: a hole in it stays a hole, and what follows it stays where it is."""
        write(tmp_path / "in" / "x" / "tiny.ipynb", "begin")
        with (tmp_path / "in" / "x" / "tiny.ipynb").open("r+b") as file:
            file.seek(100 << 20)
            file.write(b"end")
            file.truncate(200 << 20)
        assert self.copy(tmp_path / "in" / "x", tmp_path / "out") == []
        got = tmp_path / "out" / "tiny.ipynb"
        assert got.stat().st_size == 200 << 20
        assert got.stat().st_blocks * 512 < 8 << 20
        with got.open("rb") as file:
            assert file.read(6) == b"begin\0"
            file.seek(100 << 20)
            assert file.read(4) == b"end\0"

    def test_all_bytes_are_counted(self, tmp_path):
        """16 MiB of a file, 64 MiB of all: by the size that a file states, so that nothing is read in vain."""
        for name, mib in (("a.bin", 17), *((f"b{number}.bin", 15) for number in range(5))):
            with write(tmp_path / "in" / "x" / name, "").open("wb") as file:
                file.truncate(mib << 20)
        refused = self.copy(tmp_path / "in" / "x", tmp_path / "out")
        assert refused == [
            "a.bin: it has 17 MiB, and 16 MiB are read at most",
            "b4.bin: it has 15 MiB, and 4 MiB are read at most",
        ]

    def test_a_hard_link_to_anothers_file_is_refused(self, tmp_path):
        """Where the kernel lets students make one, it would have the staff read for them what only the staff may."""
        secret = write(tmp_path / "gradebook.db", "marks")
        (tmp_path / "in" / "x").mkdir(parents=True)
        os.link(secret, tmp_path / "in" / "x" / "data.txt")
        write(tmp_path / "in" / "x" / "own.txt", "mine")
        refused = self.copy(tmp_path / "in" / "x", tmp_path / "out", owner=os.getuid() + 1)
        assert refused == ["data.txt: it is a hard link to another's file"]
        assert os.listdir(tmp_path / "out") == ["own.txt"]
        assert self.copy(tmp_path / "in" / "x", tmp_path / "own", owner=os.getuid()) == []


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Assignment:
    """A released tiny course; to be copied."""
    from gradlab_staff.gradebook import make_release, save_cells

    assignment = make_course(tmp_path_factory.mktemp("template"))
    make_release(assignment)
    save_cells(assignment)
    return assignment


@pytest.fixture
def tiny(template: Assignment, tmp_path: Path) -> Assignment:
    """A course of the test's own."""
    shutil.copytree(template.course.root, tmp_path / "course")
    return Course(tmp_path / "course").assignment("tiny")


@pytest.fixture(scope="module")
def work(template: Assignment) -> str:
    """A solved notebook."""
    return json.dumps(solve(released_cells(template), SOLVED))


Content = str | bytes | zipfile.ZipInfo


def download(assignment: Assignment, files: Mapping[str, str | bytes], name: str = "submissions.zip") -> Path:
    """Lay a download into the folder that zip_collect reads."""
    path = assignment.course.root / "downloaded" / "tiny" / "archive" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in files.items():
            archive.writestr(member, content)
    return path


def zipped(files: Mapping[str, str], path: Path) -> bytes:
    """A zip with these files."""
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in files.items():
            archive.writestr(member, content)
    return path.read_bytes()


def collect(assignment: Assignment, *arguments: str) -> Ran:
    """Run nbgrader zip_collect."""
    return nbgrader(assignment.course.root, "zip_collect", "tiny", *arguments)


def submitted(assignment: Assignment) -> dict[str, list[str]]:
    """By student, the files that were collected."""
    folder = assignment.course.root / "submitted"
    return {
        student.name: sorted(
            path.relative_to(student / "tiny").as_posix() for path in student.rglob("*") if path.is_file()
        )
        for student in (sorted(folder.iterdir()) if folder.exists() else ())
    }


@pytest.mark.slow
class TestZipCollect:
    """nbgrader zip_collect with the settings of this repository."""

    def test_a_download_from_canvas(self, tiny, work, tmp_path):
        """Late, again, renamed, with helpers, zipped, as text: each under its number, or what students.csv says."""
        write(tiny.course.root / "students.csv", "lms_id,id\n101,student_01\n102,student_02\n")
        download(
            tiny,
            {
                "onea_101_5001_tiny.ipynb": "{}",
                "onea_101_5003_tiny-1.ipynb": work,
                "onea_101_5002_helper.py": "x = 1",
                "twob_LATE_102_5004_meine Lösung.ipynb": work,
                "threec_103_5005_hw.zip": zipped({"tiny.ipynb": work}, tmp_path / "hw.zip"),
                "fourd_104_text.html": "<p>See my drive.",
                "README.txt": "no student's",
            },
        )
        ran = collect(tiny)
        assert ran.code == 0, ran.log
        assert submitted(tiny) == {
            "103": ["hw.zip"],
            "104": ["text.html"],
            "student_01": ["helper.py", "tiny.ipynb"],
            "student_02": ["meine Lösung.ipynb"],
        }
        assert (tiny.course.root / "submitted" / "student_01" / "tiny" / "tiny.ipynb").read_text() == work
        for said in (
            "student_01: handed in tiny.ipynb 2 times. Took tiny-1.ipynb, not tiny.ipynb.",
            "student_02: LATE, says Canvas",
            "103: is not in students.csv (threec). Collected under its number.",
            "submissions.zip/README.txt: expected a name that Canvas or Moodle gives, got another.",
        ):
            assert said in ran.log
        command = [sys.executable, "-m", "gradlab", "grade", "tiny", "--json"]
        graded = subprocess.run(command, cwd=tiny.course.root, capture_output=True, text=True, check=False).stdout
        for student in ("student_01", "student_02", "103"):
            assert f'"{student}"' in graded

    def test_a_download_from_moodle(self, tiny, work):
        """In folders of both forms, without folders, with text, from two downloads, with the student's own folders."""
        download(
            tiny,
            {
                "Ann One_101_assignsubmission_file_/tiny.ipynb": work,
                "Ann One_101_assignsubmission_file_/src/helper.py": "x = 1",
                "Ann One_101_assignsubmission_onlinetext_/onlinetext.html": "<p>Hello.",
                "Bo Two_102_assignsubmission_file/tiny.ipynb": work,
                "Cy Three_103_assignsubmission_file_my_tiny.ipynb": work,
            },
            "CS 101-Tiny-77.zip",
        )
        download(tiny, {"Ann One_101_assignsubmission_file_/tiny.ipynb": work + " "}, "CS 101-Tiny-78.zip")
        ran = collect(tiny)
        assert submitted(tiny) == {
            "101": ["onlinetext.html", "src/helper.py", "tiny.ipynb"],
            "102": ["tiny.ipynb"],
            "103": ["my_tiny.ipynb"],
        }
        newer = (
            "is in two downloads. Took the one of CS 101-Tiny-78.zip, and not of CS 101-Tiny-77.zip: it is newer, by"
        )
        assert f"{newer} the time of the file." in ran.log
        assert (tiny.course.root / "submitted" / "101" / "tiny" / "tiny.ipynb").read_text() == work + " "
        assert collect(tiny).code == 1  # nbgrader overwrites nothing unasked
        assert collect(tiny, "--force").code == 0

    @pytest.mark.parametrize(
        ("older", "newer", "why"),
        [
            ("CS-Tiny-77.zip", "CS-Tiny-77 (1).zip", "the number in its name"),
            ("CS-Tiny-77 (9).zip", "CS-Tiny-77(10).zip", "the number in its name"),
            ("CS-Tiny-9.zip", "CS-Tiny-10.zip", "the time of the file"),
            ("b.zip", "a.zip", "the time of the file"),
        ],
    )
    def test_of_two_downloads_the_newer_counts(self, tiny, work, older, newer, why):
        """By the number that a browser adds, else by the file's time; the dates in a zip are not asked."""
        name = "Ann One_101_assignsubmission_file_/tiny.ipynb"
        for minute, (download_name, content) in enumerate([(newer, f"{work} "), (older, work)]):
            path = download(tiny, {name: content}, download_name)
            time = 1_700_000_000 + 60 * (minute if "number" in why else -minute)
            os.utime(path, (time, time))
        ran = collect(tiny)
        assert (tiny.course.root / "submitted" / "101" / "tiny" / "tiny.ipynb").read_text() == f"{work} "
        assert f"Took the one of {newer}, and not of {older}: it is newer, by {why}." in ran.log

    def test_a_download_that_was_unpacked_by_hand(self, tiny, work, tmp_path):
        """Files lie loose; a zip by the name of a submission is that student's, unless it could be a download, too."""
        folder = download(tiny, {}).parent
        shutil.rmtree(folder)
        write(folder / "submissions" / "onea_101_5001_tiny.ipynb", work)
        (folder / "twob_102_5002_hw.zip").write_bytes(zipped({"tiny.ipynb": work}, tmp_path / "hw.zip"))
        download(tiny, {"threec_103_5003_tiny.ipynb": work}, "CS_101_2024_Tiny.zip")
        (folder / "broken.zip").write_text("no zip")
        (folder / "fourd_104_5004_broken.zip").write_text("no zip")
        ran = collect(tiny)
        assert submitted(tiny) == {"101": ["tiny.ipynb"], "102": ["hw.zip"], "104": ["broken.zip"]}
        assert (
            "CS_101_2024_Tiny.zip: expected a download or what one student handed in, got a zip that may be" in ran.log
        )
        assert "broken.zip: expected a zip of Canvas or Moodle, got: no zip archive" in ran.log

    def test_what_is_hostile_in_a_download(self, tiny, work):
        """Slips, links, bombs, time stamps of a student's own, names with another's number: none does harm."""
        link = zipfile.ZipInfo("evil_104_5006_link.html")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        path = download(
            tiny,
            {
                "onea_101_5001_tiny.ipynb": work,
                "../evil_104_5002_up.txt": "x",
                "/tmp/evil_104_5003_abs.txt": "x",
                "evil_104_5004_..": "x",
                "evil_104_5005_bomb.csv": b"0" * (65 << 20),
                "evil_104_5007_timestamp.txt": "2000-01-01",
                "evil_104_5008_submission_secret.txt": "known",
                "evil_104_5009_tiny.ipynb": work,
                "__MACOSX/._evil_104_5009_tiny.ipynb": "x",
                "evil_101_9009_5010_tiny.ipynb": work,
                "Ev_101_assignsubmission_file_../../up.txt": "x",
            },
        )
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(link, "/etc/passwd")
        ran = collect(tiny)
        assert ran.code == 0
        assert submitted(tiny) == {"104": ["tiny.ipynb"]}  # and 101 is sorted by hand
        for said in (
            "101: expected one student by this number, got evil, onea. Collected nothing of theirs.",
            "104: expected a file, got bomb.csv: it has 65 MiB, and 16 MiB are read at most.",
            "104: expected a file, got link.html: it is a symbolic link.",
            "104: expected a file, got up.txt: it is a name that leads out of the zip.",
            "104: expected a file, got abs.txt: it is a name that leads out of the zip.",
            "submissions.zip/evil_104_5004_..: expected a name",
            "104: timestamp.txt: is not a student's to hand in.",
            "104: submission_secret.txt: is not a student's to hand in.",
        ):
            assert said in ran.log
        assert "MACOSX" not in ran.log
        assert not [path for path in tiny.course.root.rglob("*") if path.name in ("up.txt", "abs.txt", "link.html")]

    def test_two_numbers_and_one_student(self, tiny, work):
        """Whoever is second keeps the number; an id that is another's number gives way."""
        write(tiny.course.root / "students.csv", "lms_id,id\n101,ann\n102,ann\n103,104\n")
        names = [f"x{number}_{number}_1_tiny.ipynb" for number in (101, 102, 103, 104)]
        download(tiny, dict.fromkeys(names, work))
        ran = collect(tiny)
        assert list(submitted(tiny)) == ["102", "104", "ann"]
        assert "102: is ann in students.csv, as 101 is. Collected under its number." in ran.log
        assert "104: expected the id of a student: it is another's." in ran.log

    def test_a_bad_students_csv_ends_it(self, tiny, work):
        """Before anything is collected."""
        write(tiny.course.root / "students.csv", "lms,id\n101,ann\n")
        download(tiny, {"onea_101_1_tiny.ipynb": work})
        ran = collect(tiny)
        assert ran.code == 1
        assert "students.csv: expected the columns lms_id and id, got lms, id" in ran.log
        assert submitted(tiny) == {}

    def test_an_instructors_own_regular_expression_counts(self, tiny, work, tmp_path):
        """Then the downloads are unpacked as nbgrader does it, zips in zips too, and as safely."""
        with (tiny.course.root / "nbgrader_config.py").open("a") as config:
            config.write('c.FileNameCollectorPlugin.named_regexp = r".*/hw-(?P<student_id>\\w+)-(?P<file_id>\\w+)"\n')
        path = download(
            tiny,
            {
                "hw-ann-tiny.ipynb": work,
                "bo.zip": zipped({"hw-bo-tiny.ipynb": work}, tmp_path / "bo.zip"),
                "../hw-evil-tiny.ipynb": work,
                "hw.tar.gz": "packed",
                "broken.zip": "no zip",
            },
        )
        (path.parent / "hw-eve-tiny.ipynb").symlink_to(tiny.notebook)
        ran = collect(tiny)
        assert submitted(tiny) == {"ann": ["tiny.ipynb"], "bo": ["tiny.ipynb"]}
        for said in (
            "hw-eve-tiny.ipynb: expected a file, got: a symbolic link",
            "only zips are unpacked",
            "no zip archive",
        ):
            assert said in ran.log

    def test_an_instructors_own_plugins_count(self, tiny, work):
        """nbgrader's extractor with our collector, and the other way round."""
        write(tiny.course.root / "downloaded" / "tiny" / "archive" / "ann_tiny.ipynb", work)
        regexp = r"--FileNameCollectorPlugin.named_regexp=.*/(?P<student_id>\w+)_(?P<file_id>\w+)"
        ran = collect(tiny, "--extractor=nbgrader.plugins.ExtractorPlugin", regexp)
        assert submitted(tiny) == {"ann": ["tiny.ipynb"]}, ran.log
        ran = collect(tiny, "--force", "--collector=nbgrader.plugins.FileNameCollectorPlugin", regexp)
        assert ran.code == 0
        assert "Copying to" in ran.log
        ran = collect(tiny, "--force", "--extractor=nbgrader.plugins.ExtractorPlugin")
        assert "Regular expression not provided" in ran.log

    def test_what_cannot_be_written_ends_it(self, tiny, work, monkeypatch):
        """With nbgrader's own way to fail: a full disk is nobody's submission."""
        import gradlab_staff.gradebook.downloads as module

        def full(files: list[HandedIn], into: Path) -> list[str]:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(module, "copy_work", full)
        download(tiny, {"onea_101_1_tiny.ipynb": work})
        ran = collect(tiny)
        assert ran.code == 1
        assert "No space left on device. Free some space." in ran.log


@pytest.mark.slow
def test_ids_that_are_patterns_to_nbgrader_are_named_and_touch_nobody(tiny, work):
    """A folder laid by hand: no command takes ``g[b]`` for ``gb``, whom it would grade, or write feedback for."""
    root = tiny.course.root
    for student in ("g[b]", "gb", "x "):
        write(root / "submitted" / student / "tiny" / "tiny.ipynb", work)
    command = [sys.executable, "-m", "gradlab", "grade", "tiny"]
    graded = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert graded.returncode == 1
    assert "1 of 3 submissions graded" in graded.stdout
    assert "Run: mv 'submitted/g[b]' submitted/g_b" in graded.stdout
    assert "Run: mv 'submitted/x ' submitted/x" in graded.stdout
    assert nbgrader(root, "generate_feedback", "tiny", "--force").code == 0
    page = root / "feedback" / "gb" / "tiny" / "tiny.html"
    shutil.copytree(root / "autograded" / "gb", root / "autograded" / "g[b]")  # as an earlier version laid it
    before = [path.stat().st_mtime_ns for path in (page, root / "autograded" / "gb" / "tiny" / "tiny.ipynb")]
    ran = nbgrader(root, "autograde", "tiny", "--force", "--student", "g[b]")
    assert "it holds one of / * ? [ ]" in ran.log
    nbgrader(root, "generate_feedback", "tiny", "--force", "--student", "g[b]")
    assert before == [path.stat().st_mtime_ns for path in (page, root / "autograded" / "gb" / "tiny" / "tiny.ipynb")]
    with sqlite3.connect(root / "gradebook.db") as db:
        assert db.execute("SELECT student_id FROM submitted_assignment").fetchall() == [("gb",)]
    db.close()
