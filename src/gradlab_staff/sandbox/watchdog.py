"""The watchdog: adds up from outside what all processes of a sandbox use, and ends it where that is too much.

Limits of the kernel hold for each process (rlimits), or for all of them where we may make a control group. This one
holds for all of them on any Linux: a few times a second it adds up what ``/proc`` says of what runs below bubblewrap.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable

from gradlab_staff.sandbox.limits import Limits
from gradlab_staff.sandbox.processes import Usage, usage_of

__all__ = ["Watchdog"]

INTERVAL_S = 0.2
SHARE = 0.05
"""How much of its time the watchdog may spend on looking: among thousands of processes it looks less often."""
CORES = 1.25
"""How much of the machine a sandbox may take for itself for long: its neighbours' checks run against the clock."""
SLACK_S = 20.0
MAX_FILES = 20_000


class Watchdog:
    """Watches the processes below `root` in a thread of its own, and calls `end` when they use too much."""

    def __init__(self, root: int, limits: Limits, end: Callable[[], None]) -> None:
        self.root, self.limits, self.end = root, limits, end
        self.limit_exceeded = ""
        self._started_s = time.monotonic()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="sandbox-watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Watch no longer."""
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        pause_s = INTERVAL_S
        while not self._done.wait(pause_s):
            started_s = time.thread_time()
            self.limit_exceeded = self._limit_exceeded(usage_of(self.root))
            if self.limit_exceeded:
                self.end()
                return
            pause_s = max(INTERVAL_S, (time.thread_time() - started_s) / SHARE)

    def _limit_exceeded(self, usage: Usage) -> str:
        """What there is too much of, as the student reads it; empty where all is well."""
        limits, elapsed_s = self.limits, time.monotonic() - self._started_s
        if usage.memory_bytes > limits.memory_mib << 20:
            return f"it used more than {limits.memory_mib} MiB of memory"
        if usage.cpu_s > limits.cpu_s:
            return f"it used more than {limits.cpu_s} s of CPU time"
        if usage.cpu_s > CORES * elapsed_s + SLACK_S:
            return "it kept more than one core busy"
        # bubblewrap's own two processes come on top
        if len(usage.pids) > limits.processes + 3:
            return f"it started more than {limits.processes} processes"
        if usage.pids and _files(usage.pids) > MAX_FILES:
            return f"it made more than {MAX_FILES} files"
        return ""


def _files(pids: tuple[int, ...]) -> int:
    """How many files there are in the scratch folders, as one of the processes inside sees them."""
    for pid in sorted(pids, reverse=True):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{pid}/root") == "/" and os.path.samefile(f"/proc/{pid}/root/tmp", "/tmp"):
                continue  # bubblewrap's outer process, in our own file system
            statuses = [os.statvfs(f"/proc/{pid}/root/{folder}") for folder in ("tmp", "dev/shm")]
            return max(status.f_files - status.f_ffree for status in statuses)
    return 0
