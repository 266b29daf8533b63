"""What a submission may cost, through the front door: real commands, real workers, real sandboxes."""

import json
import re
from dataclasses import replace

import click.testing
import pytest
from nbgrader_command import nbgrader
from tiny_course import HALVED, ROOT, SOLVED, instructor_cells, make_course, solve, submit

from gradlab_staff.cli import main
from gradlab_staff.errors import CourseError
from gradlab_staff.grading import batch
from gradlab_staff.grading.batch import grade_all
from gradlab_staff.grading.grade import grade
from gradlab_staff.grading.run import GradeOptions
from gradlab_staff.grading.verdict import Verdict
from gradlab_staff.sandbox.limits import Limits
from gradlab_staff.sandbox.settings import RANGES, limits_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:.*not in session"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

FAILS = """
import os, sys, time
from pathlib import Path
from gradlab_staff.grading import expect_close

grade = sys.modules["gradlab_staff.grading.grade"]
causes = grade._causes

def unforeseen(run):
    grade._causes = causes
    raise RuntimeError("unforeseen")

def test_three(submission):
    \"\"\"double 3 is 6.\"\"\"
    got = submission.double(3.0)
    with (Path(__file__).parents[3] / "tried").open("a") as file:
        file.write(f"{got:g} ")
    dies = Path(__file__).parents[3] / "dies"
    if dies.exists() and (times := dies.read_text().split()):
        dies.write_text(" ".join(times[1:]))
        time.sleep(float(times[0]))
        os._exit(3)
    if got == 13: 1 / 0
    if got == 14: os._exit(3)
    if got == 15: raise OSError("no space left on device")
    if got == 16: time.sleep(1000)
    if got == 17: grade._causes = unforeseen
    expect_close(got, 6.0, what="double(3)")
"""
"""A grader that some submissions bring down, with its worker or without.

Where there is a file `dies`, the machine does: the next worker after so many seconds as its first word says.
"""


@pytest.fixture
def tiny(tmp_path):
    """A tiny course."""
    return make_course(tmp_path)


def returning(value):
    """A submission whose `double` does so."""
    return solve(instructor_cells(), {**SOLVED, "double_solution": f"def double(x):\n    return {value}\n"})


def run(assignment, *words):
    """Run a command in the course."""
    return click.testing.CliRunner().invoke(main, ["--course", str(assignment.course.root), *words])


def graded(assignment, *words):
    """What `gradlab grade` says of each student: the entry, and the verdict in it."""
    ran = run(assignment, "grade", assignment.name, "--json", "--workers", "2", *words)
    entries = json.loads(ran.stdout)["submissions"]
    return {
        entry["student"]: {**entry, "verdict": entry["verdict"] and Verdict.from_dict(entry["verdict"])}
        for entry in entries
    }


def tried(assignment):
    """How often the grader came to each value."""
    words = (assignment.course.root / "tried").read_text().split()
    return {int(word): words.count(word) for word in sorted(set(words))}


def hand_in(assignment, **values):
    """Have students hand in a `double` that returns so much, to the grader that some bring down; their folders."""
    (assignment.graders / "test_double.py").write_text(FAILS)
    return {student: submit(assignment, student, returning(value)) for student, value in values.items()}


def results(assignment, folders, limits=None, **more):
    """What `grade_all` says of each student."""
    found = grade_all(assignment, folders, GradeOptions(limits=limits), workers=1, **more)
    return {graded.student: graded for graded in found}


AGAIN = "To try it again: gradlab grade tiny --student {} --force"


def test_what_failed_is_not_tried_again(tiny):
    """Neither a broken grader nor a worker that died."""
    hand_in(tiny, broken=13, dead=14, right=6)
    first = graded(tiny)
    assert tried(tiny) == {6: 1, 13: 1, 14: 2}
    assert "ZeroDivisionError" in first["broken"]["error"]
    assert "the worker process died, twice" in first["dead"]["error"]
    assert first["dead"]["error"].endswith(AGAIN.format("dead"))
    assert {student for student, entry in first.items() if entry["verdict"]} == {"right"}

    second = graded(tiny)
    assert tried(tiny) == {6: 1, 13: 1, 14: 2}
    for student in ("broken", "dead"):
        kept = first[student]["error"].removesuffix(AGAIN.format(student)).removesuffix(".")
        assert second[student]["error"].startswith(kept)
        assert second[student]["error"].endswith(
            f"Did not try it again: nothing has changed since that run. {AGAIN.format(student)}"
        )


def test_a_fault_of_ours_is_not_tried_again_and_the_machines_is(tiny):
    """Whatever is raised: ten minutes each would be lost in each run. A disk may be full now, and not tomorrow."""
    folders = hand_in(tiny, disk=15, fault=17)
    for times, told in ((1, "No score was written."), (2, f"since that run. {AGAIN.format('fault')}")):
        found = results(tiny, folders)
        assert tried(tiny) == {15: times, 17: 1}
        assert "no space left" in found["disk"].error
        assert "RuntimeError: unforeseen (a fault of gradlab; please report it)" in found["fault"].error
        assert found["fault"].error.endswith(told)


def test_nbgrader_tells_a_failure_again_too(tiny):
    """By the same words, and without trying it."""
    hand_in(tiny, broken=13)
    graded(tiny)
    told = nbgrader(tiny.course.root, "autograde", "tiny", "--student", "broken")
    assert told.code == 1
    assert AGAIN.format("broken") in told.log
    assert tried(tiny) == {13: 1}


def test_a_failure_is_tried_again_when_asked_or_handed_in_anew(tiny):
    """And a new verdict takes its place."""
    folders = hand_in(tiny, broken=13)
    results(tiny, folders)
    results(tiny, folders, force=True)
    assert tried(tiny) == {13: 2}
    submit(tiny, "broken", returning("6.0"))
    assert results(tiny, folders)["broken"].verdict.score == 6
    assert results(tiny, folders)["broken"].cached


def test_a_verdict_outlives_a_run_that_breaks_off(tiny):
    """What was found out about the same submission stays: `--force` made no worse."""
    folders = hand_in(tiny, right=6)
    (good,) = results(tiny, folders).values()
    (tiny.course.root / "dies").write_text("0 0")
    (forced,) = results(tiny, folders, force=True).values()
    assert forced.verdict is None
    assert "the worker process died, twice" in forced.error
    (now,) = results(tiny, folders).values()
    assert (now.verdict, now.cached, now.error) == (good.verdict, True, "")


def test_a_worker_that_took_too_long_is_not_tried_again(tiny, monkeypatch):
    """It has cost all that a submission may cost."""
    folders = hand_in(tiny, slow=16)
    monkeypatch.setattr(batch, "SPARE_S", 0.0)
    for said in ("expected a result within 6 s, none came", "Did not try it again"):
        assert said in results(tiny, folders, Limits(wall_s=6))["slow"].error


def test_a_worker_that_died_once_costs_no_points(tiny):
    """Whatever it had spent: the second try has all CPU time, and a verdict."""
    folders = hand_in(tiny, right=6)
    (tiny.course.root / "dies").write_text("3")
    (found,) = results(tiny, folders, Limits(cpu_s=3, wall_s=100)).values()
    assert tried(tiny) == {6: 2}
    assert (found.verdict.score, found.verdict.warnings) == (6, ())


def test_where_a_worker_died_and_time_ran_out_there_is_no_verdict(tiny):
    """The message says both, and what to run: the machine may have been to blame, and the next run may be unlike it."""
    folders = hand_in(tiny, right=6)
    (tiny.course.root / "dies").write_text("6")
    (first,) = results(tiny, folders, Limits(wall_s=6)).values()
    assert (first.verdict, tried(tiny)) == (None, {6: 1})
    assert re.search(
        r"^tiny submission=right: expected a verdict, but a worker process died after \d+ s, and the second try "
        r"used up what was left of the submission's 6 s\. No score was written\. .* To try it again: "
        r"gradlab grade tiny --student right --force$",
        first.error,
    )
    (second,) = results(tiny, folders, Limits(wall_s=6)).values()
    assert "Did not try it again" in second.error
    (forced,) = results(tiny, folders, Limits(wall_s=60), force=True).values()
    assert forced.verdict.score == 6


@pytest.mark.parametrize(
    ("limits", "source", "what"),
    [
        (Limits(cpu_s=3, wall_s=90), "def double(x):\n    while True: pass\n", "3 s of CPU time"),
        (Limits(cpu_s=3, wall_s=90), "while True: pass\ndef double(x):\n    return 6.0\n", "3 s of CPU time"),
        (Limits(wall_s=6), "import time\ndef double(x):\n    time.sleep(1000)\n", "6 s"),
    ],
    ids=["burns", "hangs", "sleeps"],
)
def test_what_is_left_when_it_is_used_up_timed_out(tiny, limits, source, what):
    """There is a verdict, and a warning says so."""
    path = submit(tiny, "student_01", solve(instructor_cells(), {**SOLVED, "double_solution": source})) / "tiny.ipynb"
    verdict = grade(tiny, path, "student_01", options=GradeOptions(limits=limits, timeout_s=60))
    assert verdict.warnings == (f"the submission used up its {what}; the remaining checks timed out.",)
    checks = [check for item in verdict.exercises for check in item.checks]
    assert {check.outcome for check in checks} == {"timed_out"}
    assert checks[-1].message == f"Not run to the end: the submission used up its {what}."


def test_the_table_says_what_was_used_up(tiny, monkeypatch):
    """So that a TA knows why the rest timed out."""
    monkeypatch.setitem(RANGES, "cpu_s", (2, 2))  # which takes five times as long
    (tiny.course.root / "gradlab.toml").write_text("[limits]\ncpu_s = 2\n[tiny.limits]\ncheck_s = 60\n")
    submit(
        tiny,
        "burns",
        solve(instructor_cells(), {**SOLVED, "double_solution": "def double(x):\n    while True: pass\n"}),
    )
    said = " ".join(run(tiny, "grade", "tiny").output.split())
    assert "the submission used up its 2 s of CPU time; the remaining checks timed out." in said


def test_a_limit_is_not_stretched_by_stuck_processes_nor_by_neighbours(tiny):
    """Thirty processes that hang in posix_spawn make a load of thirty; CPU time is what each has used."""
    burn = "    end = time.process_time() + {}\n    while time.process_time() < end: pass\n    return 6.0\n"
    stuck = (
        "import os, time\ndef double(x):\n    os.mkfifo('/tmp/fifo')\n"
        "    action = [(os.POSIX_SPAWN_OPEN, 0, '/tmp/fifo', os.O_RDONLY, 0)]\n"
        "    for _ in range(30):\n        if not os.fork():\n"
        "            os.posix_spawn('/bin/true', ['true'], {}, file_actions=action); os._exit(0)\n" + burn.format(1000)
    )
    for student, source in {"stuck": stuck, "edge": "import time\ndef double(x):\n" + burn.format(0.5)}.items():
        submit(tiny, student, solve(instructor_cells(), {**SOLVED, "double_solution": source}))
    found = graded(tiny, "--timeout-s", "2")  # and 8 s of wall time: sixteen times what the honest one needs
    assert found["edge"]["verdict"].score == 6
    double, halve = found["stuck"]["verdict"].exercises
    assert re.search("within (2 s of CPU time|8 s)", double.checks[0].message)
    assert halve.score == 2


def test_no_cause_is_named_where_no_time_is_left(tiny):
    """And a warning says so: what had no time is unlike the submission, and another might be like it."""
    (tiny.graders / "misconceptions.py").write_text(
        "from gradlab_staff.grading import misconception\n\n\n"
        '@misconception(exercise="double", explanation="It is halved.", hint="Twice.")\n'
        'def halved():\n    return "while True: pass\\ndef double(x):\\n    return x / 2\\n"\n'
    )
    path = submit(tiny, "wrong", returning("x / 2")) / "tiny.ipynb"
    options = GradeOptions(limits=Limits(cpu_s=3))
    verdict = grade(tiny, path, "wrong", options=options)
    assert verdict.exercises[0].misconception is None
    assert verdict.warnings[-1] == "likely causes were not looked for: the submission used up its 3 s of CPU time."
    assert 3 < verdict.cpu_s < 10  # of the candidate's sandbox, most of it


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[limits]\nmemory = 1024", "expected the limits cpu_s, wall_s, .*, got memory. Fix it"),
        ("[limits]\nmemory_mib = 64", r"\[limits\]: expected memory_mib = a whole number from 512 to 1048576, got 64"),
        ("[limits]\nmemory_mib = 1024.0", "a whole number .*, got 1024.0"),
        ("[limits]\nprocesses = true", "expected processes = a whole number .*, got True"),
        ("[tiny.limits]\ncheck_s = nan", r"\[tiny\.limits\]: expected check_s = a number from 1 to 3600, got nan"),
        ("[tiny.limits]\ncheck_s = inf", "got inf"),
        ("[limits]\ncheck_s = '20'", "got '20'"),
        ("[limits]\nwall_s = 100", "expected wall_s of at least cpu_s, got 100 and 300"),
        ("limits = 3", r"\[limits\]: expected a table, got 3"),
        ("[tiny]\nlimits = 3", r"\[tiny\.limits\]: expected a table, got 3"),
    ],
)
def test_limits_that_cannot_be_used(tiny, text, message):
    """Are refused before anything is graded, with the file, what was expected, and what to do."""
    (tiny.course.root / "gradlab.toml").write_text(text)
    with pytest.raises(CourseError, match=message) as raised:
        limits_of(tiny)
    assert "gradlab.toml" in str(raised.value)


def test_limits_are_set_for_a_course_and_for_an_assignment(tiny):
    """Each of them; the assignment's come before the course's, and these before the kit's."""
    (tiny.course.root / "gradlab.toml").write_text(
        "[limits]\nmemory_mib = 600\ncheck_s = 5\n[tiny.limits]\ncheck_s = 2.5"
    )
    assert limits_of(tiny) == replace(Limits(), memory_mib=600, check_s=2.5)
    for name, (least, most) in RANGES.items():
        assert least <= getattr(Limits, name) <= most
        for value in (least, most):
            (tiny.course.root / "gradlab.toml").write_text(
                f"[limits]\nwall_s = 86400\n{name} = {value}\n"
                if name != "wall_s"
                else f"[limits]\ncpu_s = 10\nwall_s = {value}\n"
            )
            assert getattr(limits_of(tiny), name) == value


def test_what_is_set_is_what_holds(tiny):
    """By both commands, and by pytest; a verdict is found out anew when a limit changes."""
    eats = "import numpy as np\ndef double(x):\n    return 2 * x + np.zeros(90_000_000)[0]\n"
    submit(tiny, "eats", solve(instructor_cells(), {"double_solution": eats, "halve_solution": HALVED}))
    assert graded(tiny)["eats"]["verdict"].score == 6
    (tiny.course.root / "gradlab.toml").write_text("[tiny.limits]\nmemory_mib = 512\n")
    limited = graded(tiny)["eats"]
    assert (limited["cached"], limited["verdict"].score) == (False, 2)
    (tiny.course.root / "gradlab.toml").write_text("[tiny.limits]\nmemory_mib = 511\n")
    refused = run(tiny, "grade", "tiny")
    assert refused.exit_code == 1
    assert "expected memory_mib = a whole number from 512" in refused.output


def test_the_least_of_each_limit_runs_an_honest_notebook(tiny):
    """With pictures: what is less is refused."""
    (tiny.course.root / "gradlab.toml").write_text(
        "[limits]\n" + "".join(f"{name} = {least}\n" for name, (least, _) in RANGES.items())
    )
    plots = (
        "import numpy as np\nimport matplotlib.pyplot as plt\nplt.plot(np.arange(9))\nplt.show()\n"
        + SOLVED["double_solution"]
    )
    folder = submit(tiny, "student_01", solve(instructor_cells(), {**SOLVED, "double_solution": plots}))
    verdict = grade(tiny, folder / "tiny.ipynb", "student_01")
    assert (verdict.score, verdict.warnings) == (6, ())


def test_the_docs_state_the_limits():
    """Each with its default and its range."""
    rows = re.findall(
        r"^\| `(\w+)` \| (\d+) \| .* \| (\d+) … (\d+) \|$", (ROOT / "docs" / "limits.md").read_text(), re.M
    )
    stated = {name: tuple(map(int, numbers)) for name, *numbers in rows}
    assert stated == {name: (getattr(Limits, name), *ends) for name, ends in RANGES.items()}
