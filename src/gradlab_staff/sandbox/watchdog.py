"""The watchdog: it sums the resources that all processes of a sandbox use and ends it when a limit is exceeded.

The kernel enforces limits per process (rlimits), or on all of them together where a control group can be made. The
watchdog works for all of them on any Linux: several times a second it sums the usage in ``/proc`` of the processes
below bubblewrap.
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
"""Fraction of time that the watchdog may spend reading ``/proc``; with thousands of processes it reads less often."""
CORES = 1.25
"""Cores that a sandbox may use in the long run: the checks of other sandboxes have time limits."""
SLACK_S = 20.0
GRACE_S = 5.0
MAX_FILES = 20_000
MAX_DESCRIPTORS = 1024
"""In all processes: a socket holds up to 300 KiB of kernel memory, which nothing counts where there is no cgroup."""


class Watchdog:
    """A thread that watches the processes below `root` and calls `end` when they exceed a limit.

    `limit_exceeded` then describes the limit for the student; it is empty until then.
    """

    def __init__(self, root: int, limits: Limits, end: Callable[[], None]) -> None:
        self.root, self.limits, self.end = root, limits, end
        self.limit_exceeded = ""
        self._started_s = time.monotonic()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="sandbox-watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop watching and wait for the thread to end."""
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
        """Return the limit that is exceeded, as a message for the student; empty if none is."""
        limits, elapsed_s = self.limits, time.monotonic() - self._started_s
        if usage.memory_bytes > limits.memory_mib << 20:
            return f"it used more than {limits.memory_mib} MiB of memory"
        # the session reads it too, and says that time is up; this is for what is used while nobody waits for an answer
        if usage.cpu_s > limits.cpu_s + GRACE_S:
            return f"it used more than {limits.cpu_s} s of CPU time"
        if usage.cpu_s > CORES * elapsed_s + SLACK_S:
            return "it kept more than one core busy"
        # bubblewrap's own two processes come in addition
        if len(usage.pids) > limits.processes + 3:
            return f"it started more than {limits.processes} processes"
        if usage.pids and _files(usage.pids) > MAX_FILES:
            return f"it created more than {MAX_FILES} files"
        if sum(map(_descriptors, usage.pids)) > MAX_DESCRIPTORS:
            return f"it had more than {MAX_DESCRIPTORS} files, pipes and sockets open"
        return ""


def _files(pids: tuple[int, ...]) -> int:
    """Return the number of files in the scratch folders, as one of the processes inside sees them."""
    for pid in sorted(pids, reverse=True):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{pid}/root") == "/" and os.path.samefile(f"/proc/{pid}/root/tmp", "/tmp"):
                continue  # bubblewrap's outer process, in our own file system
            statuses = [os.statvfs(f"/proc/{pid}/root/{folder}") for folder in ("tmp", "dev/shm")]
            return max(status.f_files - status.f_ffree for status in statuses)
    return 0


def _descriptors(pid: int) -> int:
    """Return the number of a process's open descriptors; 0 where it has ended."""
    folder = f"/proc/{pid}/fd"
    try:
        return os.stat(folder).st_size or len(os.listdir(folder))  # their number is the size since Linux 6.2
    except OSError:
        return 0
