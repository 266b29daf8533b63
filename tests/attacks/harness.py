"""Grades a class of attackers among honest students with the real command, and looks for what they got out of it."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from corpus import Attack
from grading import Report, grade
from target import NAME, SOLVED, WRONG, Canaries, make_target, notebook

from gradlab_staff.course import Assignment

__all__ = ["Report", "run"]

HONEST = ("aaa_honest", "mmm_honest", "zzz_honest")


def run(attacks: Sequence[Attack], root: Path, *, limit_s: float, workers: int = 2) -> Report:
    """The report on a class of these attackers and three honest students, in a course made in `root`."""
    canaries = Canaries()
    assignment = make_target(root / "course", canaries)
    (root / "home").mkdir(parents=True)
    (root / "home" / "secret.txt").write_text(canaries["home"])
    _hand_in(assignment, attacks, canaries)
    before = dict(_files(assignment.course.root))
    report = Report(attacks=len(attacks))
    submissions = _grade(assignment, root, canaries, limit_s, workers, report)
    _judge(assignment, attacks, submissions, canaries, report)
    after = dict(_files(assignment.course.root))
    changed = sorted(str(path) for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    report.leftovers += [f"changed or left behind: {path}" for path in changed]
    return report


def _hand_in(assignment: Assignment, attacks: Iterable[Attack], canaries: Canaries) -> None:
    submitted = assignment.course.root / "submitted"
    students = {name: notebook(SOLVED, f"# {canaries['submission']}") for name in HONEST}
    students["mmm_wrong"] = notebook(WRONG)
    for student, content in students.items():
        folder = submitted / student / NAME
        folder.mkdir(parents=True)
        (folder / f"{NAME}.ipynb").write_text(json.dumps(content))
    for attack in attacks:
        folder = submitted / attack.student / NAME
        attack.hand_in(folder)


def _files(root: Path) -> Iterator[tuple[Path, str]]:
    """What staff and students own in the course, by path; not what grading writes."""
    own = [root / name for name in ("source", "tests", "reference", "submitted", "nbgrader_config.py")]
    for path in [*root.iterdir(), *(path for top in own if top.is_dir() for path in top.rglob("*"))]:
        written = path.name in ("__pycache__", "gradebook.db") or path.suffix == ".pyc"
        if not written and path.parent == root and path.name in (".gradlab", "autograded", "feedback"):
            continue
        if not written:
            plain = path.is_file() and not path.is_symlink() and path.stat().st_size < 1 << 30
            yield path.relative_to(root), hashlib.sha256(path.read_bytes()).hexdigest() if plain else "other"


# --- grading


def _grade(
    assignment: Assignment, root: Path, canaries: Canaries, limit_s: float, workers: int, report: Report
) -> dict[str, Any]:
    """What ``gradlab grade --json`` says of each student."""
    _plant_in_gradebook(assignment, canaries)
    cache = os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))
    environment = {"CANARY": canaries["environment"], "XDG_CACHE_HOME": cache, "HOME": str(root / "home")}
    options = ("--timeout-s", "2", "--workers", str(workers))
    graded = grade(assignment.course.root, NAME, report, limit_s=limit_s, options=options, environment=environment)
    if b"\x1b]" in graded.printed or b"\x1b[2J" in graded.printed:
        report.active["a terminal"] = "an escape sequence"
    return graded.submissions


def _plant_in_gradebook(assignment: Assignment, canaries: Canaries) -> None:
    """Enter the assignment in the gradebook, and a student with a secret."""
    code = (
        "import sys, pathlib; from gradlab_staff.course import Course; from gradlab_staff.gradebook import Gradebook\n"
        f"with Gradebook.open(Course(pathlib.Path(sys.argv[1])).assignment({NAME!r})): pass"
    )
    subprocess.run([sys.executable, "-c", code, str(assignment.course.root)], check=True, capture_output=True)
    with sqlite3.connect(assignment.course.root / "gradebook.db") as db:
        db.execute("INSERT INTO student (id, first_name) VALUES ('absent', ?)", (canaries["gradebook"],))


# --- judging


def _judge(
    assignment: Assignment, attacks: Sequence[Attack], submissions: dict[str, Any], canaries: Canaries, report: Report
) -> None:
    for name in HONEST:
        entry = submissions.get(name, {})
        if entry.get("score") != 30.0:
            report.harmed.append(f"{name}, an honest student, got {entry.get('score')} of 30: {entry.get('error')}")
        report.protections = (entry.get("verdict") or {}).get("sandbox", "")
    base = submissions.get("mmm_wrong", {}).get("score")
    if base != 0.0:
        report.harmed.append(f"the wrong notebook got {base}, not 0")
    for attack in attacks:
        entry = submissions.get(attack.student)
        if entry is None:
            report.ungraded[attack.name] = "it is not in the report"
            continue
        if entry["error"] and not entry["command"]:  # a link is named, with what to do, and given no score
            report.ungraded[attack.name] = entry["error"][:300]
        score = entry["score"] or 0.0
        if not attack.solved and score > 0:
            report.gained[attack.name] = score
        pages, outputs = _written(assignment, attack.student)
        if places := canaries.in_text(json.dumps(entry) + pages + json.dumps(outputs)):
            report.leaked[attack.name] = places
        if active := _active(pages, outputs):
            report.active[attack.name] = active
    marks = _marks(assignment)
    for name in HONEST:
        if marks.get(name) != 30.0:
            report.harmed.append(f"{name}, an honest student, has {marks.get(name)} of 30 in the gradebook")
    for attack in attacks:
        if not attack.solved and marks.get(attack.student, 0.0) > 0:
            report.gained[attack.name] = marks[attack.student]


# what may act in a browser, or in a terminal
_HTML = ("<script>alert", "<img src=x onerror", "<iframe src", "](javascript:")
_SHOWN = {"text/plain", "image/png", "image/jpeg"}


def _active(pages: str, outputs: list[dict[str, Any]]) -> str:
    """What of the pages and outputs may act; empty where nothing can."""
    mimes = {mime for output in outputs for mime in output.get("data", {})}
    marks = [mark for mark in _HTML if mark in pages]
    marks += ["an escape sequence"] if "\x1b" in pages or "\\u001b" in json.dumps(outputs) else []
    return ", ".join([*marks, *(mimes - _SHOWN)])


def _written(assignment: Assignment, student: str) -> tuple[str, list[dict[str, Any]]]:
    """What grading wrote for a student, but for the code: the feedback page with the markdown; the outputs."""
    root, pages, outputs = assignment.course.root, "", []
    for path in (root / "feedback" / student).rglob("*.html"):
        pages += path.read_text(encoding="utf-8", errors="replace")
    for path in (root / "autograded" / student).rglob("*.ipynb"):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            outputs += cell.get("outputs", [])
            pages += cell["source"] if cell["cell_type"] == "markdown" else ""
    return pages, outputs


def _marks(assignment: Assignment) -> dict[str, float]:
    """The scores in the gradebook, by student."""
    with sqlite3.connect(f"file:{assignment.course.root}/gradebook.db?mode=ro", uri=True) as db:
        rows = db.execute(
            "SELECT sa.student_id, SUM(g.auto_score) FROM grade g JOIN submitted_notebook sn ON g.notebook_id = sn.id "
            "JOIN submitted_assignment sa ON sn.assignment_id = sa.id GROUP BY sa.student_id"
        ).fetchall()
    return {student: float(score or 0.0) for student, score in rows}
