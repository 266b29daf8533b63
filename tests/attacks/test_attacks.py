"""A sample of the attacks: `make attacks` runs all of them."""

import re
from dataclasses import replace

import pytest
from colluding import run_channels
from corpus import ATTACKS, CHANNELS, SAMPLE, SAMPLE_CHANNELS, SAMPLE_TRICKS, TRICKS
from corpus.attack import HOST, does
from corpus.trick import ROOT, Work
from grading import MAX_CPU_S, MAX_LOCKS, Report, grade
from harness import run
from pairs import judge, run_tricks
from settings import SETTINGS
from target import NAME, Canaries, make_target

REACHED = does(
    "reached",
    "reach the host, and make a frame",
    "raise ValueError(f'reached {type(the_host()).__name__}, a frame of {len(frame(D(ok=1.0)))} bytes')",
    HOST,
)


def test_a_sample_of_attacks_comes_to_nothing(tmp_path):
    """A class of attackers among honest students: nobody gains, nothing leaks, the honest keep full marks."""
    report = run(SAMPLE, tmp_path, limit_s=240)
    assert report.failures == []
    assert "bubblewrap" in report.protections
    assert report.wall_s.keys() >= {attack.student for attack in SAMPLE if attack.name != "linked_student"}


@pytest.mark.slow
def test_a_sample_of_tricks_comes_to_nothing(tmp_path):
    """On an assignment of the course a trick earns nothing that the same notebook without it does not earn."""
    assert run_tricks(SAMPLE_TRICKS, tmp_path, limit_s=240).failures == []


@pytest.mark.slow
def test_a_taker_hears_nothing(tmp_path):
    """Of two that are graded at once, one says 16 bits by record locks: the other hears none of it."""
    assert run_channels(SAMPLE_CHANNELS, tmp_path).failures == []


def test_what_attacks_share_works(tmp_path):
    """An attack that does not even reach the host proves nothing: what they share finds it, and packs frames."""
    course = make_target(tmp_path, Canaries()).course.root
    REACHED.hand_in(course / "submitted" / REACHED.student / NAME)
    verdict = grade(course, NAME, Report(), limit_s=60).submissions[REACHED.student]["verdict"]
    assert verdict["warnings"] == []
    assert "reached Host, a frame of" in verdict["exercises"][0]["checks"][0]["message"]


def test_every_attack_has_a_name_of_its_own():
    """Each is one student of a class, has a kind, and says what it tries."""
    every = (*ATTACKS, *TRICKS, *CHANNELS)
    assert len({attack.name for attack in every}) == len(every) >= 180
    assert all(attack.tries and attack.kind for attack in every)


def test_the_readme_states_their_number():
    """By the command that makes them all."""
    (stated,) = re.findall(r"^make attacks +# (\d+) attacks:", (ROOT / "README.md").read_text(encoding="utf-8"), re.M)
    assert int(stated) == len(ATTACKS) + len(TRICKS) + len(CHANNELS)


def test_every_trick_is_code_in_a_released_notebook():
    """What a trick writes stands in the exercise that it names, and compiles; so does what its twins have there."""
    for trick in TRICKS:
        for work in (trick.work, *trick.twins):
            assert len(work.notebook()["cells"]) > 10
            for exercise, source in (*work.cells, ("prelude", work.prelude)):
                compile(source, f"{trick.name}: {exercise}", "exec")


def entry(*scores):
    """What a report says of a submission with so many points of 10 in each exercise."""
    checks = [
        [{"name": outcome, "title": "", "weight": weight, "outcome": outcome} for outcome, weight in pair]
        for pair in ((("passed", score), ("failed", 10 - score)) for score in scores)
    ]
    exercises = [
        {"id": f"a/{k}", "points": 10.0, "checks": c, "misconception": None, "stood_in": ()}
        for k, c in enumerate(checks)
    ]
    verdict = {"assignment": "a", "student": "", "notebook": "", "seed": 1, "sandbox": "", "exercises": exercises}
    return {"error": "", "verdict": verdict}


def test_a_trick_is_compared_with_the_best_of_its_twins():
    """It gains what any exercise earns beyond the best twin and the tolerance; less elsewhere makes up for nothing."""
    trick = replace(TRICKS[0], name="t", twins=(Work("a"), Work("b")))
    entries = {trick.student: entry(5.0, 7.0, 1.0), "one": entry(5.0, 2.0, 4.0), "two": entry(1.0, 6.0, 0.0)}
    report = Report()
    judge(trick, entries, ["one", "two"], report)
    assert report.gained == {"t": 1.0}
    judge(
        replace(trick, name="u", tolerance=0.1), entries | {"mallory_u": entry(5.5, 6.0, 0.0)}, ["one", "two"], report
    )
    assert report.gained == {"t": 1.0}
    judge(replace(trick, name="v"), entries, ["one", "two"], report)
    assert "not in the report" in report.ungraded["v"]


def test_residual_channels_are_told_and_do_not_fail():
    """What docs/security.md names as left is measured; anything else that is heard fails."""
    report = Report(residual={"load": "16 bits, 5 a second"}, locks=MAX_LOCKS)
    assert report.failures == []
    report.add(Report(leaked={"locks": ["what its helper said"]}, cpu_s={"a": 2 * MAX_CPU_S}, locks=MAX_LOCKS + 1))
    assert [line.split()[0] for line in report.failures] == ["locks", "a", str(MAX_LOCKS + 1)]


def test_settings_say_what_is_missing():
    """Where a setting cannot be had, the reason is named; each setting differs from the first one."""
    assert all(setting.missing == "" or len(setting.missing) > 20 for setting in SETTINGS)
    assert len({(setting.as_root, setting.cgroups) for setting in SETTINGS}) == 3
