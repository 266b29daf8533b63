"""Grades a class of attackers among honest students with the real command, and looks for what they got out of it."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from corpus import Attack
from target import NAME, SOLVED, WRONG, Canaries, make_target, notebook

from gradlab_staff.course import Assignment
from gradlab_staff.sandbox.processes import is_running, usage_of

__all__ = ["Report", "run"]

HONEST = ("aaa_honest", "mmm_honest", "zzz_honest")
_KEEP_ORPHANS = 36  # PR_SET_CHILD_SUBREAPER: what is left behind becomes our child, and is seen


@dataclass
class Report:
    """What a run came to: what each attack gained or leaked, and what was broken around it."""

    attacks: int = 0
    seconds: float = 0.0
    gained: dict[str, float] = field(default_factory=dict)
    leaked: dict[str, list[str]] = field(default_factory=dict)
    active: dict[str, str] = field(default_factory=dict)
    ungraded: dict[str, str] = field(default_factory=dict)
    harmed: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    protections: str = ""

    @property
    def failures(self) -> list[str]:
        """A line for everything that should not be; none where every attack came to nothing."""
        return [
            *(f"{name} gained {points:g} points" for name, points in self.gained.items()),
            *(f"{name} got hold of secrets: {', '.join(places)}" for name, places in self.leaked.items()),
            *(f"{name} left in the pages: {what}" for name, what in self.active.items()),
            *(f"{name} was not graded: {error}" for name, error in self.ungraded.items()),
            *self.harmed,
            *self.leftovers,
        ]


def run(attacks: Sequence[Attack], root: Path, *, limit_s: float, workers: int = 2) -> Report:
    """The report on a class of these attackers and three honest students, in a course made in `root`."""
    canaries = Canaries()
    assignment = make_target(root / "course", canaries)
    (root / "home").mkdir()
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
    ctypes.CDLL(None).prctl(_KEEP_ORPHANS, 1, 0, 0, 0)
    command = [sys.executable, "-m", "gradlab", "--course", str(assignment.course.root), "grade", NAME]
    environment = {**os.environ, "CANARY": canaries["environment"], "XDG_CACHE_HOME": os.environ.get(
        "XDG_CACHE_HOME", str(Path.home() / ".cache")), "HOME": str(root / "home")}  # fmt: skip
    before = set(usage_of(os.getpid()).pids)
    started = time.monotonic()
    process = subprocess.Popen(
        [*command, "--json", "--timeout-s", "2", "--workers", str(workers)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    workers_seen: set[int] = set()
    watch = threading.Thread(target=_collect, args=(process, workers_seen))
    watch.start()
    try:
        out, err = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        report.harmed.append(f"the batch did not end within {limit_s:g} s")
    watch.join()
    report.seconds = time.monotonic() - started
    if b"\x1b]" in out + err or b"\x1b[2J" in out + err:
        report.active["a terminal"] = "an escape sequence"
    time.sleep(0.5)
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass  # the dead whose parents died first
    left = filter(is_running, set(usage_of(os.getpid()).pids) - before)
    report.leftovers += [f"a process left behind: {_command(pid)}" for pid in left]
    report.leftovers += [f"a control group left behind: {path}" for path in _groups(workers_seen)]
    try:
        return {entry["student"]: entry for entry in json.loads(out)["submissions"]}
    except (ValueError, KeyError, TypeError):
        report.harmed.append(f"gradlab grade gave no result: {err.decode(errors='replace')[-1500:]}")
        return {}


def _collect(process: subprocess.Popen[bytes], seen: set[int]) -> None:
    while process.poll() is None:
        seen.update(usage_of(process.pid).pids)
        time.sleep(0.5)


def _groups(pids: set[int]) -> Iterator[str]:
    """The control groups that these processes made, and that are still there."""
    for top, folders, _ in os.walk("/sys/fs/cgroup"):
        for name in folders:
            if name.startswith("gradlab-") and int(name.split("-")[1]) in pids:
                yield os.path.join(top, name)


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")[-100:]
    except OSError:
        return f"process {pid}, which has ended since"


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
