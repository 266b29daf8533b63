"""The command line, through its front door: arguments in, exit code, stdout, stderr and a gradebook out."""

import contextlib
import csv
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click.testing
import pytest
from tiny_course import HALVED, SOLVED, instructor_cells, make_course, notebook, solve, submit, verdict

from gradlab_staff.cli import main
from gradlab_staff.course import Assignment
from gradlab_staff.errors import CourseError, GradebookError
from gradlab_staff.grading.batch import Graded
from gradlab_staff.intake.received import Received
from gradlab_staff.releasing.demo import DemoStudent
from gradlab_staff.releasing.release import ReleaseReport
from gradlab_staff.sandbox.processes import is_running, usage_of

pytestmark = [
    # nbgrader 0.9.6 on recent versions of what it uses; a TA can do nothing about them
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

Run = Callable[..., click.testing.Result]


@pytest.fixture
def tiny(tmp_path: Path) -> Assignment:
    """A tiny course, unreleased, with one submission."""
    assignment = make_course(tmp_path)
    submit(assignment, "student_01", solve(instructor_cells(), SOLVED))
    return assignment


@pytest.fixture
def run(tiny: Assignment) -> Run:
    """Run a command in the course."""

    def invoke(*arguments: str) -> click.testing.Result:
        return click.testing.CliRunner().invoke(main, ["--course", str(tiny.course.root), *arguments])

    return invoke


class FakeBook:
    """A gradebook that takes the verdicts that it is meant to take."""

    def __init__(self, refused: tuple[str, ...] = ()) -> None:
        self.refused = refused
        self.entered: list[str] = []

    def __enter__(self) -> "FakeBook":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def record(self, given: Any, work: Any, received: Any) -> None:
        if given.student in self.refused:
            raise GradebookError(f"{given.student}: no room")
        self.entered.append(given.student)


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeBook]:
    """Grade without a sandbox: these results come, and this book refuses these students."""

    def fake(*graded: Graded, refused: tuple[str, ...] = ()) -> FakeBook:
        book = FakeBook(refused)

        def grade_all(*_: object, on_start: Callable[[str], None], **__: object) -> Iterator[Graded]:
            for result in graded:
                on_start(result.student)
                yield replace(result, received=Received(Path("nowhere")))

        monkeypatch.setattr("gradlab_staff.grading.batch.grade_all", grade_all)
        monkeypatch.setattr("gradlab_staff.gradebook.Gradebook.open", lambda assignment: book)
        return book

    return fake


class TestHelp:
    """What a TA sees first."""

    def test_help_answers_at_once(self) -> None:
        """Nothing heavy is imported before it is needed; numpy is the price of the package itself."""
        heavy = "{'nbgrader', 'nbformat', 'pytest', 'sqlalchemy', 'rich', 'jinja2'}"
        code = f"import sys, gradlab_staff.cli; print(sorted({heavy} & sys.modules.keys()))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout == "[]\n"

    def test_the_list_of_commands_has_whole_sentences(self, run: Run) -> None:
        """Each command stands in it with the first sentence of its own help, from the capital to the full stop."""
        listed = " ".join(run("--help").stdout.split())
        for name, command in main.commands.items():
            sentence = " ".join((command.help or "").split("\n\n")[0].split())
            assert f" {name} {sentence} " in listed
            assert sentence.endswith(".")

    @pytest.mark.parametrize("command", ["new", "release", "grade", "record", "demo", "audit", "data"])
    def test_every_command_has_an_example(self, run: Run, command: str) -> None:
        """An example says more than the options do."""
        result = run(command, "--help")
        assert result.exit_code == 0
        assert f"Example: gradlab {command}" in result.stdout

    def test_where_a_required_package_is_missing_it_says_so(self, tmp_path: Path) -> None:
        """A broken install is reported as such."""
        (tmp_path / "click.py").write_text("raise ModuleNotFoundError('no click', name='click')")
        env = {**os.environ, "PYTHONPATH": str(tmp_path)}
        done = subprocess.run([sys.executable, "-m", "gradlab"], capture_output=True, text=True, env=env, check=False)
        assert done.returncode == 1
        said = "expected click, which gradlab-staff requires, got none. Reinstall gradlab-staff."
        assert done.stderr == f"gradlab: {said}\n"


class TestWrongUsage:
    """Exit code 2, and what would be right."""

    @pytest.mark.parametrize("command", ["release", "grade", "record", "demo"])
    def test_an_unknown_assignment(self, run: Run, command: str) -> None:
        """The known ones are listed."""
        result = run(command, "large")
        assert result.exit_code == 2
        assert "large: expected an assignment of this course, got an unknown name. Known: tiny." in result.stderr

    def test_an_unknown_student(self, run: Run) -> None:
        """Those who handed in are listed."""
        result = run("grade", "tiny", "--student", "student_01", "--student", "student_99")
        assert result.exit_code == 2
        assert "student_99: expected submitted/<student>/tiny/, got none. Known: student_01." in result.stderr

    def test_a_folder_that_is_no_course(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        """It says what a course is."""
        empty = str(tmp_path_factory.mktemp("empty"))
        result = click.testing.CliRunner().invoke(main, ["--course", empty, "grade", "tiny"])
        assert result.exit_code == 2
        assert "expected a course" in result.stderr

    @pytest.mark.parametrize("option", ["--workers=0", "--timeout-s=0", "--seed=-1"])
    def test_numbers_out_of_range(self, run: Run, option: str) -> None:
        """Options are checked before anything starts."""
        assert run("grade", "tiny", option).exit_code == 2


class TestGrade:
    """What is printed, and what the exit code says."""

    def test_a_low_score_is_no_failure(self, run: Run, fakes: Callable[..., FakeBook]) -> None:
        """The table shows each student, score by exercise, total and state; then where to look next."""
        given = verdict(double=0.5, warnings=("expected tiny.ipynb, got x.ipynb.",))
        book = fakes(Graded("student_01", given, cached=True))
        result = run("grade", "tiny")
        assert result.exit_code == 0
        row = next(line for line in result.stdout.splitlines() if "student_01" in line)
        cells = [cell.strip() for cell in row.strip("│").split("│")]
        assert cells == ["student_01", "2", "2", "4", "unchanged, 1 warning"]
        assert "· student_01: expected tiny.ipynb, got x.ipynb." in result.stdout
        assert "1 of 1 submissions graded" in result.stdout
        assert "feedback/<student>/tiny/tiny.html" in result.stdout
        assert book.entered == ["student_01"]

    def test_a_failure_of_the_kit_is_one(self, run: Run, tiny: Assignment, fakes: Callable[..., FakeBook]) -> None:
        """It costs no points, stops nobody else, and is reported in full."""
        submit(tiny, "student_02", notebook([]))
        book = fakes(Graded("student_01", None, "the grader broke"), Graded("student_02", verdict("student_02")))
        result = run("grade", "tiny")
        assert result.exit_code == 1
        assert "✗ student_01: the grader broke" in result.stdout
        assert "1 not graded: no fault of the students' work" in result.stdout
        assert book.entered == ["student_02"]

    def test_one_folder_that_cannot_be_written_stops_nobody(
        self, run: Run, tiny: Assignment, fakes: Callable[..., FakeBook]
    ) -> None:
        """The others are entered."""
        submit(tiny, "student_02", notebook([]))
        graded = [Graded(name, verdict(name)) for name in ("student_01", "student_02")]
        book = fakes(*graded, refused=("student_01",))
        result = run("grade", "tiny")
        assert (result.exit_code, book.entered) == (1, ["student_02"])
        assert "✗ student_01: student_01: no room" in result.stdout

    def test_a_gradebook_that_takes_nothing_stops_the_run(self, run: Run, tiny: Assignment,
                                                          fakes: Callable[..., FakeBook]) -> None:  # fmt: skip
        """Twice running is no submission's fault; one clear message, no traceback."""
        names = ("student_01", "student_02", "student_03")
        for name in names:
            submit(tiny, name, notebook([]))
        book = fakes(*(Graded(name, verdict(name)) for name in names), refused=names[:2])
        result = run("grade", "tiny")
        assert result.exit_code == 1
        assert result.stderr.endswith("Error: student_02: no room\n")
        assert book.entered == []

    def test_a_notebook_as_released_beside_other_files_is_seen(
        self, run: Run, tiny: Assignment, fakes: Callable[..., FakeBook], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """In its row, in the summary and in the JSON: the work may be in these."""
        unread = Received(Path("nowhere"), unread=("work.7z",))
        book = fakes()
        graded = Graded("student_01", verdict(), received=unread)
        monkeypatch.setattr("gradlab_staff.grading.batch.grade_all", lambda *_, **__: iter([graded]))
        result = run("grade", "tiny")
        assert "graded as released; not read: work.7z" in result.stdout
        assert "1 graded as released, beside files that may hold the work. Look into these." in result.stdout
        assert (result.exit_code, book.entered) == (0, ["student_01"])
        (submission,) = json.loads(run("grade", "tiny", "--json").stdout)["submissions"]
        assert submission["unread"] == ["work.7z"]

    def test_json_holds_the_verdicts(self, run: Run, fakes: Callable[..., FakeBook]) -> None:
        """Machines get everything on stdout, and nothing else."""
        fakes(Graded("student_01", verdict(double=0.5)))
        content = json.loads(run("grade", "tiny", "--json").stdout)
        assert content["assignment"] == "tiny"
        (submission,) = content["submissions"]
        assert (submission["student"], submission["score"], submission["max_score"]) == ("student_01", 4.0, 6)
        assert submission["verdict"]["exercises"][0]["misconception"]["name"] == "forgot_to_double"

    def test_what_lies_elsewhere_has_a_line_of_its_own(
        self, run: Run, tiny: Assignment, fakes: Callable[..., FakeBook]
    ) -> None:
        """In the table, below it with the command that puts it right, and in the exit code; it gets no score."""
        submitted = tiny.course.root / "submitted"
        (submitted / "student_02" / "Tiny ").mkdir(parents=True)
        book = fakes(Graded("student_01", verdict()))
        result = run("grade", "tiny")
        assert result.exit_code == 1
        row = next(line for line in result.stdout.splitlines() if "│ student_02" in line)
        cells = [cell.strip() for cell in row.strip("│").split("│")]
        assert cells == ["student_02", "–", "–", "–", "not graded: 'submitted/student_02/Tiny '"]
        assert "Not graded. Run: mv 'submitted/student_02/Tiny ' submitted/student_02/tiny\n" in result.stdout
        assert "1 of 2 submissions graded" in result.stdout
        assert (
            "1 not graded, and given no score: elsewhere than expected, or no notebook that can be read."
            in result.stdout
        )
        assert book.entered == ["student_01"]

    def test_of_two_lines_on_a_student_the_score_comes_last(
        self, run: Run, tiny: Assignment, fakes: Callable[..., FakeBook]
    ) -> None:
        """Who makes a table of scores by student from the JSON keeps it."""
        (tiny.course.root / "submitted" / "student_01" / "Tiny").mkdir(parents=True)
        fakes(Graded("student_01", verdict()))
        result = run("grade", "tiny", "--json")
        named, scored = json.loads(result.stdout)["submissions"]
        assert (named["student"], named["score"], named["path"]) == ("student_01", None, "submitted/student_01/Tiny")
        assert named["command"] == (
            "mkdir -p set_aside/student_01 && mv --backup=numbered submitted/student_01/Tiny set_aside/student_01"
        )
        assert (scored["student"], scored["score"], scored["command"]) == ("student_01", 6.0, "")
        assert result.exit_code == 1

    def test_one_student_who_is_only_named(self, run: Run, tiny: Assignment) -> None:
        """Is known, is told of, and nobody else is; nothing is opened that grading would need."""
        submitted = tiny.course.root / "submitted"
        for name in ("student_02", "student_03"):
            (submitted / name / "TINY").mkdir(parents=True)
        (submitted / "student_02.ipynb").write_text(json.dumps(solve(instructor_cells(), {})))
        result = run("grade", "tiny", "--student", "student_02", "--json")
        assert result.exit_code == 1, result.output
        entries = json.loads(result.stdout)["submissions"]
        assert [(entry["student"], entry["path"]) for entry in entries] == [
            ("student_02", "submitted/student_02/TINY"),
            ("", "submitted/student_02.ipynb"),
        ]
        assert not (tiny.course.root / "gradebook.db").exists()

    def test_no_submissions_at_all(self, run: Run, tiny: Assignment) -> None:
        """It says where they belong."""
        (tiny.course.root / "submitted").rename(tiny.course.root / "elsewhere")
        result = run("grade", "tiny")
        assert result.exit_code == 1
        assert "submitted/*/tiny/: expected submissions, got none." in result.stderr


class TestOtherCommands:
    """Each calls its one function."""

    def test_release_prints_the_points(self, run: Run, tiny: Assignment, monkeypatch: pytest.MonkeyPatch) -> None:
        """What was released, and where to look at it."""
        report = ReleaseReport(tiny.release, ("tiny.ipynb",), {"tiny/double": 4.0, "tiny/halve": 2.0}, ())
        monkeypatch.setattr("gradlab_staff.releasing.release.release", lambda assignment: report)
        result = run("release", "tiny")
        assert result.exit_code == 0
        assert "     4 points  tiny/double\n     2 points  tiny/halve\nrelease/tiny/ (tiny.ipynb)" in result.stdout

    def test_demo_prints_the_stories_and_grades(
        self, run: Run, tiny: Assignment, monkeypatch: pytest.MonkeyPatch, fakes: Callable[..., FakeBook]
    ) -> None:
        """Release, class, table."""
        path = tiny.course.root / "submitted" / "student_01" / "tiny" / "tiny.ipynb"
        student = DemoStudent("student_01", "solved as the instructor does", (), path)
        monkeypatch.setattr("gradlab_staff.releasing.release.release", lambda assignment: None)
        monkeypatch.setattr("gradlab_staff.releasing.demo.make_class", lambda assignment, folder: [student])
        book = fakes(Graded("student_01", verdict()))
        result = run("demo", "tiny")
        assert result.exit_code == 0
        assert "student_01: solved as the instructor does" in result.stdout
        assert book.entered == ["student_01"]

    def test_record(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        """An error of the instructor's files is one message."""

        def fail(assignment: Assignment) -> None:
            raise CourseError(f"{assignment.name}: expected recordings.py, got none.")

        monkeypatch.setattr("gradlab_staff.releasing.record.record", fail)
        result = run("record", "tiny")
        assert (result.exit_code, result.stderr) == (1, "Error: tiny: expected recordings.py, got none.\n")


@pytest.mark.slow
class TestEndToEnd:
    """Real graders, a real sandbox, a real gradebook."""

    def test_a_class_is_graded_and_nbgrader_agrees(self, run: Run, tiny: Assignment) -> None:
        """A right, a half-right, an untouched and a broken submission; then nbgrader itself, from nothing."""
        root = tiny.course.root
        submit(tiny, "student_02", solve(instructor_cells(), {**SOLVED, "halve_solution": HALVED.replace("0.5", "5")}))
        submit(tiny, "student_03", notebook([]))
        submit(tiny, "student_04", '{"cells": [')
        result = run("grade", "tiny", "--json")
        assert result.exit_code == 1, result.output  # a person looks at what cannot be read
        scores = {entry["student"]: entry["score"] for entry in json.loads(result.stdout)["submissions"]}
        assert scores.pop("student_04") is None
        assert scores == {"student_01": 6.0, "student_02": 4.0, "student_03": 0.0}
        assert all((root / "feedback" / student / "tiny" / "tiny.html").is_file() for student in scores)
        assert nbgrader_scores(root) == scores

        again = json.loads(run("grade", "tiny", "--json").stdout)
        assert {entry["cached"] for entry in again["submissions"] if entry["verdict"]} == {True}

        with sqlite3.connect(root / "gradebook.db") as db:
            db.execute("UPDATE grade SET auto_score = NULL")
        db.close()
        (root / ".gradlab").rename(root / ".forgotten")
        nbgrader(root, "autograde", "tiny", "--force")
        assert nbgrader_scores(root) == scores

    def test_nbgrader_takes_the_same_notebooks(self, run: Run, tiny: Assignment) -> None:
        """Renamed, in a folder, in a zip, beside a link: `nbgrader autograde` grades what `gradlab grade` does."""
        root = tiny.course.root
        submitted = root / "submitted"
        solved = (submitted / "student_01" / "tiny" / "tiny.ipynb").read_bytes()
        places = {"renamed": "tiny (1).ipynb", "nested": "hw/final/tiny.ipynb", "linked": "a/b.ipynb"}
        for student, name in places.items():
            path = submitted / student / "tiny" / name
            path.parent.mkdir(parents=True)
            path.write_bytes(solved)
        secret = root / "secret.txt"
        secret.write_text("secret")
        (submitted / "linked" / "tiny" / "mine.txt").symlink_to(secret)
        os.mkfifo(submitted / "linked" / "tiny" / "pipe.txt")
        (submitted / "zipped" / "tiny").mkdir(parents=True)
        with zipfile.ZipFile(submitted / "zipped" / "tiny" / "hw.zip", "w") as archive:
            archive.writestr("hw/tiny.ipynb", solved)
            archive.writestr("hw/mine.py", "x = 1")
        result = run("grade", "tiny", "--json")
        assert result.exit_code == 0, result.output
        scores = {entry["student"]: entry["score"] for entry in json.loads(result.stdout)["submissions"]}
        assert scores == dict.fromkeys(["student_01", "renamed", "nested", "linked", "zipped"], 6.0)
        ours = copied(root)
        (root / ".gradlab" / "verdicts").rename(root / ".forgotten")
        with sqlite3.connect(root / "gradebook.db") as db:
            db.execute("UPDATE grade SET auto_score = NULL")
        db.close()
        nbgrader(root, "autograde", "tiny", "--force")
        assert nbgrader_scores(root) == scores
        assert copied(root) == ours
        assert list((root / ".gradlab" / "received").glob("run-*")) == []

    def test_an_interrupted_run_keeps_what_it_did(self, tiny: Assignment) -> None:
        """Ctrl-C ends it within seconds; what was entered stays, and the next run goes on from there."""
        root = tiny.course.root
        graded = root / "feedback" / "student_01" / "tiny" / "tiny.html"
        with endless_run(tiny) as process:
            wait_until(graded.is_file)
            wait_until(lambda: entered(root) == [4.0, 2.0])
            os.killpg(process.pid, signal.SIGINT)
            _, said = process.communicate(timeout=WAIT_S / 3)  # less than the endless check may take
        assert process.returncode == 1
        assert said.endswith("Error: interrupted. What was entered stays; run it again to go on from there.\n")
        assert entered(root) == [4.0, 2.0]
        assert (root / ".gradlab" / "verdicts" / "tiny" / "student_01.json").is_file()
        assert not (root / "feedback" / "student_02").exists()

    def test_nothing_outlives_a_run_that_was_killed(self, tiny: Assignment) -> None:
        """Neither a worker nor a sandbox is left where gradlab itself was killed."""
        with endless_run(tiny, "--student", "student_02") as process:
            wait_until(
                lambda: len(usage_of(process.pid).pids) > 4
            )  # itself, multiprocessing's tracker, worker, sandbox
            below = [pid for pid in usage_of(process.pid).pids if pid != process.pid]
            process.kill()
            process.wait()
            wait_until(lambda: not any(map(is_running, below)), timeout_s=WAIT_S / 3)


WAIT_S = 300.0
"""For what takes seconds, unless the machine is busy."""


@contextlib.contextmanager
def endless_run(tiny: Assignment, *options: str) -> Iterator[subprocess.Popen[str]]:
    """A run that grades student_02 last, whose code never ends; it is ended with the test."""
    endless = "def double(x):\n    while True:\n        pass\n"
    submit(tiny, "student_02", solve(instructor_cells(), {**SOLVED, "double_solution": endless}))
    gradlab = [sys.executable, "-m", "gradlab", "--course", str(tiny.course.root)]
    command = [*gradlab, "grade", "tiny", "--workers", "1", "--timeout-s", str(WAIT_S), *options]
    with subprocess.Popen(
        command,
        start_new_session=True,
        stderr=subprocess.PIPE,
        text=True,
        # tests that run in the background of a shell are started with Ctrl-C ignored, and would hand that on
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def copied(root: Path) -> dict[str, bytes]:
    """The files beside the notebooks in autograded/."""
    files = (path for path in (root / "autograded").rglob("*") if path.is_file() and path.suffix != ".ipynb")
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def entered(root: Path) -> list[float]:
    """The automatic scores in the gradebook, from the highest."""
    with sqlite3.connect(root / "gradebook.db") as db:
        rows = db.execute("SELECT auto_score FROM grade WHERE auto_score > 0 ORDER BY auto_score DESC").fetchall()
    db.close()
    return [score for (score,) in rows]


def wait_until(holds: Callable[[], bool], timeout_s: float = WAIT_S) -> None:
    """Wait for something another process does."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def nbgrader(root: Path, *arguments: str) -> None:
    """Run a command of nbgrader's as a TA does; a submission that it refuses fails alone."""
    command = [sys.executable, "-m", "nbgrader", *arguments, "--log-level=CRITICAL"]
    subprocess.run(command, cwd=root, check=False, capture_output=True)


def nbgrader_scores(root: Path) -> dict[str, float]:
    """The scores as `nbgrader export` writes them."""
    nbgrader(root, "export")
    with (root / "grades.csv").open() as file:
        return {row["student_id"]: float(row["score"]) for row in csv.DictReader(file)}
