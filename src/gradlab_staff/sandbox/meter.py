"""The meter of a sandbox: the CPU time that its processes have used, dead ones included, read from outside."""

from __future__ import annotations

import time

from gradlab_staff.sandbox.limits import Cgroup
from gradlab_staff.sandbox.processes import usage_of

__all__ = ["SLICE_S", "Meter"]

SLICE_S = 0.25
"""How often the meter is read while a request is under way: a shorter one costs no reading."""
_SHARE = 0.05
"""Fraction of the time that may go into readings; with thousands of processes on the machine they are rarer."""


class Meter:
    """Reads the CPU time of the sandbox of process `root`, from its control group if it has one, or from ``/proc``.

    What the host says of its own CPU time is a student's word: it can be forged.
    """

    def __init__(self, root: int, cgroup: Cgroup | None) -> None:
        self.cpu_s = 0.0
        self._root, self._cgroup = root, cgroup
        self._lost_s = self._seen_s = self._due_s = 0.0

    def is_due(self, now_s: float) -> bool:
        """Return whether the last reading is too old, by the monotonic clock."""
        return now_s >= self._due_s

    def read(self) -> float:
        """Return the CPU seconds since the last reading."""
        started_s = time.monotonic()
        before_s = self.cpu_s
        counted_s = self._cgroup.cpu_s if self._cgroup else None
        self.cpu_s = max(before_s, self._summed_s() if counted_s is None else counted_s)
        now_s = time.monotonic()
        self._due_s = now_s + max(SLICE_S, (now_s - started_s) / _SHARE)
        return self.cpu_s - before_s

    def _summed_s(self) -> float:
        """Return the sum over the living processes, and what has been seen of those whose parent did not count them.

        Who ignores SIGCHLD has the time of ended children counted nowhere: the sum then falls, by what is lost. It
        also falls where a child ends between the readings of its parent and itself, but not twice in a row.
        """
        sum_s = usage_of(self._root).cpu_s
        for _ in range(2):
            if sum_s < self._seen_s:
                sum_s = max(sum_s, usage_of(self._root).cpu_s)
        self._lost_s += max(self._seen_s - sum_s, 0.0)
        self._seen_s = sum_s
        return self._lost_s + sum_s
