"""Grades a class by the real command, and watches what that costs the machine and what it leaves behind."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gradlab_staff.pool import MEMORY_MIB
from gradlab_staff.sandbox.processes import is_running, usage_of

__all__ = ["Graded", "Report", "Watch", "grade"]

_KEEP_ORPHANS = 36  # PR_SET_CHILD_SUBREAPER: what is left behind becomes our child, and is seen
POLL_S = 0.25
MAX_CPU_S = 5 * 60.0
MAX_WALL_S = 10 * 60.0
"""What one submission may cost: docs/security.md."""
MAX_WORKER_MIB = MEMORY_MIB
"""Of memory on the trusted side: what docs/security.md counts with for each worker."""
MAX_KERNEL_MIB = 512
"""Of the kernel's own memory (page tables, stacks, buffers), which may not be charged to any process."""
MAX_LOCKS = 1000
"""Held on the whole machine: each is kernel memory that no limit counts, and can be seen by other sandboxes."""


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
    residual: dict[str, str] = field(default_factory=dict)
    """What is known, and named in docs/security.md: told, and no failure."""
    notes: list[str] = field(default_factory=list)
    """What was measured, and is worth a line."""
    protections: str = ""
    cpu_s: dict[str, float] = field(default_factory=dict)
    wall_s: dict[str, float] = field(default_factory=dict)
    worker_mib: dict[str, float] = field(default_factory=dict)
    """By student, the memory of the largest worker while the submission was worked on, by whichever worker."""
    kernel_mib: float = 0.0
    locks: int = 0

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
            *self._costs(),
        ]

    def _costs(self) -> Iterator[str]:
        for what, spent, limit in (("CPU", self.cpu_s, MAX_CPU_S), ("wall", self.wall_s, MAX_WALL_S)):
            for student, seconds in spent.items():
                if seconds > 1.1 * limit:
                    yield f"{student} cost {seconds:.0f} s of {what} time: expected at most {limit:g} s"
        large = {name: mib for name, mib in self.worker_mib.items() if mib > MAX_WORKER_MIB}
        if large:
            yield f"workers took {large} MiB: expected at most {MAX_WORKER_MIB}"
        if self.kernel_mib > MAX_KERNEL_MIB:
            yield f"the kernel's own memory grew by {self.kernel_mib:.0f} MiB: expected at most {MAX_KERNEL_MIB}"
        if self.locks > MAX_LOCKS:
            yield f"{self.locks} locks were held at once: expected at most {MAX_LOCKS}"

    def add(self, other: Report) -> None:
        """Add what another run came to."""
        for name in ("gained", "leaked", "active", "ungraded", "residual", "cpu_s", "wall_s", "worker_mib"):
            getattr(self, name).update(getattr(other, name))
        self.harmed += other.harmed
        self.leftovers += other.leftovers
        self.notes += other.notes
        self.attacks += other.attacks
        self.seconds += other.seconds
        self.protections = self.protections or other.protections
        self.kernel_mib = max(self.kernel_mib, other.kernel_mib)
        self.locks = max(self.locks, other.locks)


@dataclass
class Watch:
    """What a run of grading costs, sampled four times a second while it goes on."""

    process: subprocess.Popen[bytes]
    course: Path
    pids: set[int] = field(default_factory=set)
    seen: dict[Path, tuple[float, float]] = field(default_factory=dict)
    """Of each private copy when it was first and last seen: it is there as long as its submission is worked on."""
    digests: dict[Path, str] = field(default_factory=dict)
    worker_mib: dict[Path, float] = field(default_factory=dict)
    kernel_mib: float = 0.0
    locks: int = 0

    def run(self) -> None:
        """Look until the process has ended."""
        start = _kernel_mib()
        while self.process.poll() is None:
            found = usage_of(self.process.pid).pids
            self.pids.update(found)
            largest = max(map(_python_mib, found), default=0.0)
            self.kernel_mib = max(self.kernel_mib, _kernel_mib() - start)
            self.locks = max(self.locks, _locks())
            for place in self.course.glob(".gradlab/received/run-*/[0-9]*"):
                now = time.monotonic()
                self.seen[place] = (self.seen.get(place, (now, now))[0], now)
                self.digests[place] = self.digests.get(place) or _digest(place)
                self.worker_mib[place] = max(self.worker_mib.get(place, 0.0), largest)
            time.sleep(POLL_S)

    def account(self, assignment: str, report: Report) -> None:
        """Enter in the report what was seen of each submission."""
        folders = filter(Path.is_dir, self.course.glob(f"submitted/*/{assignment}"))
        students = {_digest(folder): folder.parent.name for folder in folders}
        for place, (first, last) in self.seen.items():
            if student := students.get(self.digests[place] or "-"):
                report.wall_s[student] = last - first + POLL_S
                report.worker_mib[student] = round(self.worker_mib[place])
        report.kernel_mib = max(report.kernel_mib, self.kernel_mib)
        report.locks = max(report.locks, self.locks)


def _digest(folder: Path) -> str:
    """What the notebook in a folder holds, as a digest; empty where there is none to be read."""
    with contextlib.suppress(OSError, StopIteration):
        path = next(path for path in sorted(folder.rglob("*.ipynb")) if path.is_file() and not path.is_symlink())
        return hashlib.sha256(path.read_bytes()).hexdigest()
    return ""


def _python_mib(pid: int) -> float:
    """The resident memory of a worker on the trusted side; 0 for what is in a sandbox."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        if b"multiprocessing" in Path(f"/proc/{pid}/cmdline").read_bytes():
            return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    return 0.0


def _kernel_mib() -> float:
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return sum(int(lines[name].split()[0]) for name in ("SUnreclaim", "PageTables", "KernelStack")) / 1024


def _locks() -> int:
    """How many locks are held on the machine; counted up to some thousands, lest counting takes as long as locking."""
    with contextlib.suppress(OSError), open("/proc/locks", "rb") as file:
        return file.read(1 << 18).count(b"\n")
    return 0


@dataclass
class Graded:
    """What ``gradlab grade --json`` said of each student, and all that it printed."""

    submissions: dict[str, Any]
    printed: bytes


def grade(course: Path, assignment: str, report: Report, *, limit_s: float, options: Sequence[str] = (),
          environment: dict[str, str] | None = None) -> Graded:  # fmt: skip
    """What comes of grading a course's submissions; what is broken around it goes into the report."""
    ctypes.CDLL(None).prctl(_KEEP_ORPHANS, 1, 0, 0, 0)
    command = [sys.executable, "-m", "gradlab", "--course", str(course), "grade", assignment, "--json", *options]
    before, started = set(usage_of(os.getpid()).pids), time.monotonic()
    process = subprocess.Popen(
        command,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    watch = Watch(process, course)
    watching = threading.Thread(target=watch.run)
    watching.start()
    try:
        out, err = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        report.harmed.append(f"{assignment}: the batch did not end within {limit_s:g} s")
    watching.join()
    report.seconds += time.monotonic() - started
    watch.account(assignment, report)
    report.leftovers += _left(before, watch.pids)
    try:
        found = {entry["student"]: entry for entry in json.loads(out)["submissions"]}
    except (ValueError, KeyError, TypeError):
        report.harmed.append(f"{assignment}: gradlab grade gave no result: {err.decode(errors='replace')[-1500:]}")
        found = {}
    report.cpu_s.update({name: _cpu_s(entry, report.wall_s.get(name, 0.0)) for name, entry in found.items()})
    return Graded(found, out + err)


def _cpu_s(entry: dict[str, Any], wall_s: float) -> float:
    """The CPU time of a submission: all that its verdict counts; where it has none, at most its wall time."""
    return float(entry["verdict"]["cpu_s"]) if entry.get("verdict") else wall_s


def _left(before: set[int], seen: set[int]) -> list[str]:
    """What a run left behind: processes, and control groups of its own."""
    time.sleep(0.5)
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass  # the dead whose parents died first
    left = filter(is_running, set(usage_of(os.getpid()).pids) - before)
    groups = [f"a control group left behind: {path}" for path in _groups(seen)]
    return [*(f"a process left behind: {_command(pid)}" for pid in left), *groups]


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
