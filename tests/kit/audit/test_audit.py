"""The audit of a tiny course: holes, rejected variants, double jeopardy and flips are found, and only they."""

import json
import subprocess
import sys

import click.testing
import pytest
from tiny_course import make_course

from gradlab_staff.audit.audit import AuditOptions, audit, forget
from gradlab_staff.audit.kept import open_kept
from gradlab_staff.audit.mutants import make_mutants
from gradlab_staff.audit.page import write_page
from gradlab_staff.audit.report import AuditReport, WrongTried
from gradlab_staff.cli import main
from gradlab_staff.errors import CourseError, GraderError

pytestmark = pytest.mark.slow

OPTIONS = AuditOptions(workers=1, seed=1)

GRADER = '''
from gradlab_staff.grading import expect_close


def test_{name}(submission, rng):
    """{name} gives the number."""
    {lines}
'''

VARIANT = '''
from gradlab_staff.audit import variant


@variant(exercise="double")
def by_sum() -> str:
    """x + x."""
    return "def double(x):\\n    return {body}\\n"
'''

MISCONCEPTIONS = """
from gradlab_staff.grading import misconception


@misconception(exercise="double", explanation="It is squared.", hint="Try 3.")
def squared() -> str:
    return "def double(x):\\n    return x * x\\n"
"""


def grader(assignment, name, *lines):
    (assignment.graders / f"test_{name}.py").write_text(GRADER.format(name=name, lines="\n    ".join(lines)))


@pytest.fixture
def tiny(tmp_path):
    return make_course(tmp_path)


def test_sound_graders_have_nothing_to_fix(tiny):
    """Every mutant loses points of its own exercise, the variant and the misconception come out right."""
    (tiny.graders / "variants.py").write_text(VARIANT.format(body="x + x"))
    (tiny.graders / "misconceptions.py").write_text(MISCONCEPTIONS)
    report = audit(tiny, AuditOptions(workers=1, seed=1, flips=3))
    assert report.faults == 0, report.to_dict()
    numbers = report.summary()
    assert numbers["mutants"] == numbers["killed"] == len(make_mutants(tiny))
    assert numbers["variants"] == 1
    assert numbers["runs"] == 9  # two exercises and one misconception
    assert numbers["causes"]["misconception"] == {"lost": 1, "named": 1, "right": 1}
    mutant = numbers["causes"]["mutant"]
    assert mutant["named"] == mutant["right"] > 0  # 3 * x at 3 is 9, too


def test_a_mutant_that_keeps_its_points_is_a_hole_until_it_is_justified(tiny):
    """2 ** 2, 2 + 2 and 2 * 2 are 4; an entry with a reason settles it."""
    grader(tiny, "double", 'expect_close(submission.double(2.0), 4.0, what="double(2)")')
    report = audit(tiny, OPTIONS)
    (hole,) = [hole for hole in report.holes if "return 2 + x" in hole.diff]
    assert hole.exercise == "double"
    entries = [{"reason": "It is a test.", "mutants": {one.id: "" for one in report.holes}}]
    (tiny.graders / "equivalent.json").write_text(json.dumps(entries))
    assert audit(tiny, OPTIONS).faults == 0


def test_entries_that_are_wrong_are_reported(tiny):
    """An entry of no mutant is stale; an equivalent mutant that loses points is a contradiction."""
    mutant = make_mutants(tiny)[0]
    entries = [{"reason": "It is a test.", "mutants": {mutant.id: "", "double-00000000": ""}}]
    (tiny.graders / "equivalent.json").write_text(json.dumps(entries))
    report = audit(tiny, OPTIONS)
    assert report.stale == ("double-00000000",)
    assert [line.split(":")[0] for line in report.contradictions] == [mutant.id]


def test_an_entry_without_a_reason_is_refused(tiny):
    """Nobody justifies a survivor with silence."""
    (tiny.graders / "equivalent.json").write_text('[{"reason": " ", "mutants": {"double-00000000": ""}}]')
    with pytest.raises(CourseError, match="reason"):
        audit(tiny, OPTIONS)


def test_a_rejected_variant_is_reported(tiny):
    """The check that a right solution fails is named."""
    (tiny.graders / "variants.py").write_text(VARIANT.format(body="x"))
    assert audit(tiny, OPTIONS).rejected == {"by_sum": ("double::test_three",)}


def test_points_lost_in_two_exercises_are_reported(tiny):
    """Where a grader calls another exercise's function, its mutants are run by it."""
    lines = ("submission.double(1.5)", 'expect_close(submission.halve(submission.double(1.5)), 1.5, what="halve")')
    grader(tiny, "halve", *lines)
    report = audit(tiny, OPTIONS)
    assert report.coverage["double"] == ("halve",)
    assert report.coverage["halve"] == ()
    assert {one.exercise for one in report.doubly} == {"double"}


def test_a_check_by_chance_flips(tiny):
    """A check that passes now and then is not the same every time."""
    grader(tiny, "halve", 'expect_close(rng.integers(2), 0, what="a coin")')
    with pytest.raises(GraderError, match="halve::test_halve"):
        audit(tiny, AuditOptions(workers=1, seed=1, flips=20))
    found = []
    report = audit(tiny, AuditOptions(workers=1, seed=1, flips=20, exercise="halve"), on_finding=found.append)
    (steady,) = report.steady
    assert found[-1] == f"flips: right halve: {steady.flips} of 20 runs: halve::test_halve"
    assert 0 < steady.flips < 20
    assert steady.checks == ("halve::test_halve",)


def test_the_command_prints_and_fails(tiny, tmp_path):
    """A hole ends the command with exit code 1; JSON and the page hold what was found."""
    grader(tiny, "double", 'expect_close(submission.double(2.0), 4.0, what="double(2)")')
    page = tmp_path / "audit.html"
    command = ["--course", str(tmp_path), "audit", "tiny", "--quick", "--seed", "1", "--json", "--html", str(page)]
    result = click.testing.CliRunner().invoke(main, command)
    assert result.exit_code == 1
    found = json.loads(result.stdout)["tiny"]
    assert found["holes"] == len(found["survivors"]) > 0
    assert "return 2 + x" in page.read_text(encoding="utf-8")
    assert "tiny: hole: double-" in result.stderr  # reported at once, for who ends the audit before its end


def test_an_unknown_exercise_is_refused(tiny, tmp_path):
    """The message names those that exist."""
    result = click.testing.CliRunner().invoke(main, ["--course", str(tmp_path), "audit", "--exercise", "treble"])
    assert result.exit_code == 1
    assert "Known: double, halve" in result.output


def test_the_page_escapes(tiny, tmp_path):
    """What stands in a diff is text."""
    grader(tiny, "double", 'expect_close(submission.double(2.0), 4.0, what="double(2)")')
    report = audit(tiny, OPTIONS)
    write_page([report], tmp_path / "page.html")
    assert "<script" not in (tmp_path / "page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(("right", "faults"), [(4, 0), (3, 1)])
def test_four_of_five_named_causes_must_be_right(right, faults):
    """One wrong name of five may be; one of four may not."""
    named = [
        WrongTried(f"double-{n}", "mutant", "double", True, cause="halved", cause_right=n < right)
        for n in range(right + 1)
    ]
    unnamed = WrongTried("double-9", "mutant", "double", True)
    assert AuditReport("tiny", 1, wrong=(*named, unnamed)).faults == faults


def test_a_misconception_that_is_not_named_is_reported():
    """Unless nobody looked for causes."""
    lost = WrongTried("halved", "misconception", "double", True)
    assert AuditReport("tiny", 1, wrong=(lost,)).to_dict()["unnamed_of"] == ["halved"]
    assert AuditReport("tiny", 1, wrong=(lost,), diagnosed=False).faults == 0


def test_two_variants_of_one_name_are_refused(tiny):
    """One would hide the other."""
    for name in ("variants.py", "variants_more.py"):
        (tiny.graders / name).write_text(VARIANT.format(body="x + x"))
    with pytest.raises(CourseError, match=r"variants_more\.py: by_sum: expected a unique name"):
        audit(tiny, OPTIONS)


def mistakes(assignment, returned, exercise="double"):
    lines = (
        "from gradlab_staff.audit import changed, mistake\n\n",
        f"@mistake(exercise={exercise!r})\ndef tripled() -> str:",
        f'    """Three times."""\n    return {returned}\n',
    )
    (assignment.graders / "mistakes.py").write_text("\n".join(lines))


def test_a_mistake_is_a_mutant_by_hand(tiny):
    """It must lose points; where it does not, it is a hole, shown as a diff."""
    mistakes(tiny, 'changed(__file__, "double", ("2 * x", "3 * x"))')
    (made,) = (mutant for mutant in make_mutants(tiny) if mutant.operator == "by hand: Three times.")
    assert "+    return 3 * x" in made.diff
    assert audit(tiny, OPTIONS).faults == 0
    grader(tiny, "double", 'expect_close(submission.double(0.0), 0.0, what="double(0)")')
    assert made.id in {hole.id for hole in audit(tiny, OPTIONS).holes}


@pytest.mark.parametrize(
    ("returned", "exercise", "said"),
    [
        (
            'changed(__file__, "double", ("4 * x", "3 * x"))',
            "double",
            r"'4 \* x' in the instructor's .* got it 0 times",
        ),
        ('changed(__file__, "treble", ("2 * x", "3 * x"))', "double", "with a solution cell, got 'treble'"),
        ('"def double(x): pass"', "treble", r"tripled: expected exercises of tiny, got treble\. Known: double, halve"),
    ],
)
def test_a_mistake_that_does_not_fit_the_notebook_is_refused(tiny, returned, exercise, said):
    """Before the long work begins."""
    mistakes(tiny, returned, exercise)
    with pytest.raises(CourseError, match=said):
        audit(tiny, OPTIONS)


KILLED = """
import os, sys
from pathlib import Path
from gradlab_staff.audit.audit import AuditOptions, audit, forget
from gradlab_staff.audit.kept import open_kept
from gradlab_staff.course import Course

done = []


def on_progress(stage, number, count):
    done.append(stage)
    if done.count("mutants") == 5:
        os.kill(os.getpid(), 9)


audit(Course(Path(sys.argv[1])).assignment("tiny"), AuditOptions(workers=1), on_progress)
"""


def test_an_audit_that_was_killed_goes_on_where_it_stopped(tiny, tmp_path):
    """The same seed; what was found is not found again; when all is reported, nothing is kept."""
    run = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], capture_output=True, text=True, check=False)
    assert run.returncode == -9, run.stderr
    (path,) = (tmp_path / ".gradlab" / "audit").iterdir()
    with path.open("a") as file:
        file.write('["half of a line')
    lines = path.read_text().splitlines()
    seed = json.loads(lines[0])["seed"]
    assert len(lines) >= 6
    found = []
    report = audit(tiny, AuditOptions(workers=1), on_finding=found.append)
    assert report.seed == seed
    assert found[0].endswith(f"results kept from an interrupted audit, seed {seed}. Anew: --restart")
    assert report.faults == 0
    assert report.summary()["mutants"] == len(make_mutants(tiny))
    kept = path.read_text().splitlines()
    assert kept[: len(lines) - 1] == lines[:-1]
    assert len({json.loads(line)[0] for line in kept[1:] if line.endswith("]")}) == len(kept) - 2
    forget(tiny)
    assert not path.exists()


def test_what_was_found_of_other_graders_is_not_kept(tiny):
    """Where a grader has changed, and where another seed or a fresh start is asked for."""
    first = open_kept(tiny, 1)
    first.put(["x"], 1)
    assert open_kept(tiny, 1).get(["x"]) == open_kept(tiny).get(["x"]) == 1
    assert open_kept(tiny, 1, restart=True).get(["x"]) is None
    open_kept(tiny, 1).put(["x"], 1)
    assert open_kept(tiny, 2).get(["x"]) is None
    open_kept(tiny, 2).put(["x"], 1)
    grader(tiny, "halve", 'expect_close(submission.halve(3.0), 1.5, what="halve")')
    assert open_kept(tiny).get(["x"]) is None


def test_a_worker_that_dies_costs_one_trial(tiny, monkeypatch):
    """It is reported as an error, and the audit goes on; the next one tries it again."""
    monkeypatch.setenv("GRADLAB_TEST_DIES", "1")
    grader(
        tiny,
        "double",
        "import os, signal",
        "got = submission.double(3.0)",
        "if os.environ.get('GRADLAB_TEST_DIES') and got == 9.0: os.kill(os.getpid(), signal.SIGKILL)",
        'expect_close(got, 6.0, what="double(3)")',
    )
    report = audit(tiny, AuditOptions(workers=1, seed=1))
    died = [line for line in report.errors if "died twice" in line]
    assert 0 < len(died) == len(report.errors)
    monkeypatch.delenv("GRADLAB_TEST_DIES")
    again = audit(tiny, AuditOptions(workers=1, seed=1))
    assert (again.errors, again.faults) == ((), 0)
