"""Grades tricks on the course's own assignments beside their twins, which are the same notebooks without the trick."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from corpus.trick import ROOT, Trick, Work
from grading import Report, grade

from gradlab_staff.grading.verdict import Verdict

__all__ = ["judge", "make_course", "run_tricks", "write"]

PARTS = ("source", "reference", "release", "nbgrader_config.py", "gradlab.toml", "tests/graders")


def run_tricks(tricks: Sequence[Trick], root: Path, *, limit_s: float, workers: int = 2) -> Report:
    """The report on these tricks: each assignment's in one class, on the same inputs as their twins."""
    report = Report(attacks=len(tricks))
    seed = secrets.randbits(53)
    for assignment in dict.fromkeys(trick.work.assignment for trick in tricks):
        own = [trick for trick in tricks if trick.work.assignment == assignment]
        course = root / assignment
        make_course(course)
        twins = _hand_in(own, course)
        options = ("--seed", str(seed), "--workers", str(workers))
        entries = grade(course, assignment, report, limit_s=limit_s, options=options).submissions
        for trick in own:
            if trick.helper:
                entries |= _grade_both(trick, trick.helper, course, report, ("--seed", str(seed)))
        for trick in own:
            judge(trick, entries, [twins[twin] for twin in trick.twins], report)
    return report


def make_course(course: Path) -> None:
    """Copy what grading needs of this course."""
    for part in PARTS:
        place = course / part
        place.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / part, place)


def _hand_in(tricks: Iterable[Trick], course: Path) -> dict[Work, str]:
    """Write the submissions; return the names of the twins, which many tricks may share."""
    twins: dict[Work, str] = {}
    for trick in tricks:
        if trick.helper is None:  # who has one is graded later, at the same time as that one
            write(trick.work, trick.student, course)
        for twin in trick.twins:
            if twin not in twins:
                twins[twin] = f"twin_{len(twins) + 1:03}"
                write(twin, twins[twin], course)
    return twins


def _grade_both(trick: Trick, helper: Work, course: Path, report: Report, options: tuple[str, ...]) -> dict[str, Any]:
    """What is said of a trick and its accomplice, graded by two workers at once."""
    write(trick.work, trick.student, course)
    write(helper, trick.accomplice, course)
    chosen = ("--student", trick.accomplice, "--student", trick.student, "--workers", "2")
    return grade(course, trick.work.assignment, report, limit_s=1200, options=(*options, *chosen)).submissions


def write(work: Work, student: str, course: Path) -> None:
    """Hand in a notebook."""
    folder = course / "submitted" / student / work.assignment
    folder.mkdir(parents=True)
    (folder / f"{work.assignment}.ipynb").write_text(json.dumps(work.notebook()), encoding="utf-8")


def judge(trick: Trick, entries: dict[str, Any], twins: Sequence[str], report: Report) -> None:
    """Compare a trick with the best of its twins, exercise by exercise."""
    entry = entries.get(trick.student, {"error": "it is not in the report"})
    missing = [f"{name}: {entries.get(name, {}).get('error')}" for name in twins if not _scores(entries.get(name))]
    if entry["error"] or missing:
        report.ungraded[trick.name] = (entry["error"] or "; ".join(missing))[:300]
        return
    report.protections = entry["verdict"]["sandbox"]
    without = [_scores(entries[name]) for name in twins]
    gained = 0.0
    for exercise, (score, points) in _scores(entry).items():
        best = max(scores[exercise][0] for scores in without)
        if score > best + trick.tolerance * points + 0.01:
            gained += score - best
    if gained and trick.residual:
        report.residual[trick.name] = f"{gained:g} points"
    elif gained:
        report.gained[trick.name] = gained


def _scores(entry: dict[str, Any] | None) -> dict[str, tuple[float, float]]:
    """The score and the points of each exercise, as the gates and weights have it."""
    if not entry or not entry["verdict"]:
        return {}
    verdict = Verdict.from_dict(entry["verdict"])
    return {exercise.id: (exercise.score, exercise.points) for exercise in verdict.exercises}
