"""A class through nbgrader's exchange, by its own commands: release, fetch, submit, collect, grade, feedback."""

import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from nbgrader_command import Ran, nbgrader
from tiny_course import SOLVED, make_course, released_cells, solve, submit, write

from gradlab_staff.course import Assignment

pytestmark = [
    pytest.mark.slow,
    # nbgrader 0.9.6 on recent versions of what it uses; a TA can do nothing about them
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

SECRET_WORD = "expect_close"  # stands in the hidden graders, and in nothing that a student may see
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
DATE = "2026-01-01 00:00:00.000000 UTC"


@dataclass(frozen=True)
class World:
    """A course, the exchange, and the homes of its students."""

    assignment: Assignment
    exchange: Path
    homes: Path

    @property
    def root(self) -> Path:
        """The course's folder."""
        return self.assignment.course.root

    @property
    def inbound(self) -> Path:
        """Where what students send arrives."""
        return self.exchange / "gradlab" / "inbound"

    def staff(self, *arguments: str) -> Ran:
        """Run nbgrader as the staff do."""
        return nbgrader(self.root, *arguments)

    def student(self, student: str, *arguments: str) -> Ran:
        """Run nbgrader as a student does, who has nothing of gradlab's."""
        return nbgrader(self.home(student), *arguments, "--student", student)

    def home(self, student: str) -> Path:
        """A student's home, with the settings of the hub."""
        home = self.homes / student
        if not home.exists():
            settings = f'c.CourseDirectory.course_id = "gradlab"\nc.Exchange.root = "{self.exchange}"\n'
            write(home / "nbgrader_config.py", f'c = get_config()\n{settings}c.Exchange.cache = "{home}/cache"\n')
        return home

    def send(self, student: str, **files: str) -> Path:
        """Fetch the assignment, put files in it, and submit it; what arrived."""
        assert self.student(student, "fetch_assignment", "tiny").code == 0
        folder = self.home(student) / "tiny"
        for name, content in files.items():
            (folder / name.replace("__", ".")).write_text(content)
        return self.resend(student)

    def resend(self, student: str) -> Path:
        """Submit what lies in the student's folder; what arrived."""
        before = set(self.inbound.iterdir())
        assert self.student(student, "submit", "tiny").code == 0
        (arrived,) = set(self.inbound.iterdir()) - before
        return arrived

    def grade(self) -> str:
        """Run gradlab grade; what it says."""
        command = [sys.executable, "-m", "gradlab", "grade", "tiny"]
        return subprocess.run(command, cwd=self.root, capture_output=True, text=True, check=False).stdout

    def fetched(self, student: str) -> list[Path]:
        """The pages that a student got."""
        assert self.student(student, "fetch_feedback", "tiny").code == 0
        return sorted(self.home(student).glob("tiny/feedback/*/*.html"))


@pytest.fixture(scope="module")
def jupyter_home(tmp_path_factory):
    """No setting of whoever runs the tests counts."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HOME", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR"):
            patch.setenv(name, str(tmp_path_factory.mktemp(name.lower())))
        yield


@pytest.fixture(scope="module")
def released(tmp_path_factory, jupyter_home) -> World:
    """A course whose assignment is in the exchange; to be copied by nobody: each class has students of its own."""
    from gradlab_staff.gradebook import make_release, save_cells

    exchange = tmp_path_factory.mktemp("exchange")
    exchange.chmod(0o777)
    assignment = make_course(tmp_path_factory.mktemp("course"))
    with (assignment.course.root / "nbgrader_config.py").open("a") as config:
        config.write(f"c.Exchange.root = {str(exchange)!r}\nc.ExchangeCollect.check_owner = False\n")
    make_release(assignment)
    save_cells(assignment)
    world = World(assignment, exchange, tmp_path_factory.mktemp("homes"))
    ran = world.staff("release_assignment", "tiny")
    assert ran.code == 0, ran.log
    return world


@pytest.fixture(scope="module")
def world(released) -> World:
    """The class has handed in, the hostile one too, and all is collected, graded and released."""
    notebook = json.dumps(solve(released_cells(released.assignment), SOLVED))
    drawn = json.loads(notebook)
    drawn["cells"][2]["outputs"] = [{"output_type": "display_data", "metadata": {}, "data": {"image/png": PICTURE}}]
    released.send("student_01", tiny__ipynb=json.dumps(drawn), helper__py="x = 1")
    home = released.home("student_02")
    released.send("student_02", tiny__ipynb=notebook)
    (home / "tiny" / "tiny.ipynb").rename(home / "tiny" / "tiny (1).ipynb")
    released.resend("student_02")
    home = released.home("student_03")
    released.send("student_03", tiny__ipynb=notebook)
    with zipfile.ZipFile(home / "tiny" / "work.zip", "w") as archive:
        archive.write(home / "tiny" / "tiny.ipynb", "tiny.ipynb")
    (home / "tiny" / "tiny.ipynb").unlink()
    released.resend("student_03")
    _attack(released, released.send("student_04", tiny__ipynb=notebook))
    submit(released.assignment, "student_05", json.loads(notebook))  # by mail, laid here by hand
    return released


def _attack(world: World, arrived: Path) -> None:
    """Put into the exchange what a student may put there, and no honest one does."""
    grader = world.root / "tests" / "graders" / "tiny" / "test_double.py"
    (arrived / "leak.html").symlink_to(grader)
    (arrived / "gradebook.db").symlink_to(world.root / "gradebook.db")
    (arrived / "graders").symlink_to(grader.parent)
    os.mkfifo(arrived / "pipe.txt")
    with (arrived / "sparse.csv").open("wb") as file:
        file.truncate(1 << 40)
    for number in range(3):
        with (arrived / f"sparse{number}.ipynb").open("wb") as file:
            file.truncate(300 << 20)
    os.link(arrived / "public_checks.py", arrived / "own_hard_link.py")
    (world.inbound / f"student_06+tiny+{DATE}+abc").symlink_to(world.root / "source" / "tiny")
    for name in ("student_07+tiny+yesterday+abc", f"..+tiny+{DATE}+abc", f"a[b]+tiny+{DATE}+abc", "x+tiny"):
        (world.inbound / name).mkdir()
    (world.inbound / f"student_08+tiny+{DATE}+abc").write_text("no folder")


@pytest.fixture(scope="module")
def collected(world) -> Ran:
    """All is collected."""
    return world.staff("collect", "tiny")


def test_collect_takes_regular_files_within_bounds_and_names_the_rest(world, collected):
    """Links, a pipe, sparse files: none crosses, each is named, and nobody else's submission is held up."""
    assert collected.code == 0
    got = world.root / "submitted"
    assert sorted(path.name for path in got.iterdir()) == [f"student_{number:02}" for number in range(1, 6)]
    files = {path.name for path in (got / "student_04" / "tiny").rglob("*")}
    assert {"tiny.ipynb", "public_checks.py", "timestamp.txt", "submission_secret.txt", "own_hard_link.py"} <= files
    assert not files & {"leak.html", "gradebook.db", "graders", "pipe.txt", "sparse.csv", "sparse1.ipynb"}
    for refused in ("leak.html: it is a symbolic link", "pipe.txt: it is a pipe", "sparse.csv: it has 1048576"):
        assert f"student_04 tiny: expected a file, got {refused}" in collected.log
    assert sum(path.stat().st_blocks * 512 for path in (got / "student_04").rglob("*")) < 1 << 20
    for odd in ("student_06", "student_07", "student_08", "a[b] is no id of a student: it holds one of"):
        assert odd in collected.log
    assert not (world.root / "tiny").exists()  # where ..+tiny+… would lead
    assert (got / "student_01" / "tiny" / "helper.py").read_text() == "x = 1"
    assert os.stat(got / "student_01" / "tiny" / "helper.py").st_mode & 0o777 == 0o644
    assert not list((world.root / ".gradlab" / "received").glob("run-*/"))


@pytest.fixture(scope="module")
def graded(world, collected) -> str:
    """All is graded."""
    return world.grade()


def test_grading_leaves_what_the_exchange_asks_for_in_every_folder(world, graded):
    """Time stamp and secret lie beside every page, handed in through the exchange or not."""
    assert "5 of 5 submissions graded" in graded
    for number in range(1, 6):
        folder = world.root / "feedback" / f"student_{number:02}" / "tiny"
        assert sorted(path.name for path in folder.iterdir()) == ["submission_secret.txt", "timestamp.txt", "tiny.html"]
        handed_in = world.root / "submitted" / folder.parent.name / "tiny" / "submission_secret.txt"
        same = handed_in.exists() and handed_in.read_text() == (folder / handed_in.name).read_text()
        assert same == (number != 5)
    assert (folder / "timestamp.txt").read_text() == ""
    assert not {"leak.html", "gradebook.db", "pipe.txt"} & set(os.listdir(world.root / "autograded/student_04/tiny"))


def test_nbgrader_autograde_lets_nothing_of_a_students_cross(world, graded):
    """Also where the links were laid into submitted/ itself; what gradlab grade made is made again."""
    folder = world.root / "submitted" / "student_04" / "tiny"
    (folder / "leak.html").symlink_to(world.root / "tests" / "graders" / "tiny" / "test_double.py")
    (folder / "data").symlink_to(world.root)
    os.mkfifo(folder / "pipe.txt")
    with (folder / "sparse.csv").open("wb") as file:
        file.truncate(1 << 40)
    ran = world.staff("autograde", "tiny", "--force")
    assert ran.code == 0, ran.log
    names = {path.name for path in (world.root / "autograded" / "student_04" / "tiny").rglob("*")}
    assert {"tiny.ipynb", "own_hard_link.py", "submission_secret.txt"} <= names
    assert not {"leak.html", "data", "pipe.txt", "sparse.csv", "gradebook.db"} & names
    assert len(list(world.root.glob("autograded/*/tiny/tiny.ipynb"))) == 5


def test_each_student_fetches_the_page_and_nobody_else_gets_anything(world, graded):
    """Also a renamed notebook's; no other file is published; who cannot fetch is named."""
    ran = world.staff("release_feedback", "tiny")
    assert ran.code == 0
    published = list((world.exchange / "gradlab" / "feedback").iterdir())
    assert published
    assert not any(SECRET_WORD in page.read_text() for page in published)
    assert [path.name for path in world.fetched("student_01")] == ["tiny.html"]
    assert "data:image/png;base64," in world.fetched("student_01")[0].read_text()
    assert [path.name for path in world.fetched("student_02")] == ["tiny (1).html"]  # not for the earlier submission
    assert "student_02" in world.fetched("student_02")[0].read_text()
    assert world.fetched("student_03") == []
    assert "student_03 tiny: expected feedback that can be fetched, got no notebook at the top" in ran.log
    assert "student_05 tiny: expected feedback that can be fetched, got no submission_secret.txt" in ran.log
    assert "Hand over" in ran.log
    plain = "--ExchangeFactory.release_feedback=nbgrader.exchange.default.ExchangeReleaseFeedback"
    ran = world.staff("release_feedback", "tiny", plain)  # of a course with older settings
    assert ran.code == 0
    assert ran.log.count("Feedback released to") == 5


def test_pages_that_cannot_be_released_stop_nobody(world, graded):
    """A secret that is empty or no text, a page that is missing, a submission that was moved away."""
    root, moved = world.root, world.root / "submitted" / "student_02"
    for number, secret in ((6, b" "), (7, b"\xff"), (8, b"")):
        folder = root / "feedback" / f"student_{number:02}" / "tiny"
        folder.mkdir(parents=True)
        (folder / "tiny.html").write_text("<p>A page.")
        (folder / "submission_secret.txt").write_bytes(secret)
    (root / "feedback" / "student_08" / "tiny" / "tiny.html").unlink()
    moved.rename(root / "student_02")
    try:
        ran = world.staff("release_feedback", "tiny", "--CourseDirectory.student_id_exclude=student_01")
    finally:
        (root / "student_02").rename(moved)
        for number in (6, 7, 8):
            shutil.rmtree(root / "feedback" / f"student_{number:02}")
    assert ran.code == 0
    assert "student_06 tiny: expected feedback that can be fetched, got an empty submission_secret.txt" in ran.log
    assert "student_07 tiny: expected feedback that can be fetched, got 'utf-8' codec" in ran.log
    assert "student_08/tiny/tiny.html: expected a page, got none. Released none. Run: gradlab grade tiny" in ran.log
    assert "Released feedback: student_02 tiny" in ran.log
    assert "student_01" not in ran.log


def test_marks_by_hand_reach_the_student_through_generate_feedback(world, graded):
    """Formgrader's marks, then nbgrader's own three commands."""
    with sqlite3.connect(world.root / "gradebook.db") as db:
        db.execute("UPDATE comment SET manual_comment = 'Well argued.'")
    db.close()
    ran = world.staff("generate_feedback", "tiny", "--force")
    assert ran.code == 0, ran.log
    for folder in world.root.glob("feedback/*/tiny"):
        assert {"timestamp.txt", "submission_secret.txt"} <= {path.name for path in folder.iterdir()}
    assert world.staff("release_feedback", "tiny").code == 0
    for student in ("student_01", "student_02"):
        assert "Well argued." in world.fetched(student)[-1].read_text()
    published = (world.exchange / "gradlab" / "feedback").iterdir()
    assert not any(SECRET_WORD in page.read_text() for page in published)


def test_a_newer_submission_takes_the_place_of_the_collected_one_where_that_is_asked_for(world, graded):
    """And only there; what a student writes into the time stamp stops nobody."""
    kept = world.root / "submitted" / "student_01" / "tiny"
    (world.home("student_01") / "tiny" / "new.txt").write_text("new")
    arrived = world.resend("student_01")
    assert "use --update" in world.staff("collect", "tiny").log
    assert not (kept / "new.txt").exists()
    (kept / "timestamp.txt").write_text("1e999")
    (arrived / "timestamp.txt").write_text("the day before")
    if os.getuid() == 0:
        os.chown(arrived, 54321, -1)  # an account that was deleted
    ran = world.staff("collect", "tiny", "--update", "--ExchangeCollect.check_owner=True")
    assert ran.code == 0
    assert "claims to be submitted by student_01 but is owned by" in ran.log
    assert (kept / "new.txt").read_text() == "new"
    assert (kept / "timestamp.txt").read_text() == arrived.name.split("+")[2]
    assert "student_01: expected timestamp.txt to say" in ran.log
    assert len(list(world.root.glob("submitted/*/tiny"))) == 5
    with sqlite3.connect(world.root / "gradebook.db") as db:
        db.execute("UPDATE assignment SET duedate = '2026-01-01 00:00:00.000000'")
    db.close()
    name = "student_01+tiny+2025-12-31 23:00:00 UTC+abc"
    shutil.copytree(arrived, world.inbound / name)
    assert world.staff("collect", "tiny", "--before-duedate").code == 0
    assert (kept / "timestamp.txt").read_text() == name.split("+")[2]  # the last in time, though it is not the last


def test_what_cannot_be_written_is_named_and_ends_with_1(world, graded):
    """The others are collected all the same; the next run collects the rest."""
    odd, fine = (world.inbound / f"student_{number:02}+tiny+{DATE}+abc" for number in (10, 11))
    odd.mkdir()
    fine.mkdir()
    in_the_way = write(world.root / "submitted" / "student_10", "no folder")
    ran = world.staff("collect", "tiny")
    assert ran.code == 1
    assert "student_10: expected to copy the submission, got: " in ran.log
    assert "Not collected: student_10." in ran.log
    assert (world.root / "submitted" / "student_11" / "tiny" / "timestamp.txt").read_text() == DATE
    in_the_way.unlink()
    assert world.staff("collect", "tiny", "--CourseDirectory.groupshared=True").code == 0
    stamp = world.root / "submitted" / "student_10" / "tiny" / "timestamp.txt"
    assert [stat.S_IMODE(path.stat().st_mode) for path in (stamp.parent, stamp)] == [0o2775, 0o664]
    received = world.root / ".gradlab" / "received"
    shutil.rmtree(received)
    received.write_text("no folder")
    ran = world.staff("collect", "tiny", "--update")
    received.unlink()
    assert ran.code == 1
    assert "expected to write private copies of submissions" in ran.log
