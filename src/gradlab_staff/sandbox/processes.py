"""Processes as ``/proc`` shows them: whether one is running, and what it and its descendants use."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Usage", "is_running", "usage_of"]

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Usage:
    """The resources that a process and its descendants use."""

    pids: tuple[int, ...]
    memory_bytes: int
    cpu_s: float


def usage_of(root: int) -> Usage:
    """Return the usage of the process `root` and its descendants; ended ones are counted by their parents."""
    stats = dict(_stats())
    children: dict[int, list[int]] = {}
    for pid, (parent, *_) in stats.items():
        children.setdefault(parent, []).append(pid)
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        if pid in stats:
            found.append(pid)
            waiting += children.get(pid, ())
    memory = sum(stats[pid][1] for pid in found) * _PAGE
    return Usage(tuple(found), memory, sum(stats[pid][2] for pid in found) / _TICKS)


def is_running(pid: int) -> bool:
    """Return whether the process exists and is not dead; a zombie that init has yet to reap is dead."""
    try:
        return _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except (OSError, IndexError):
        return False


def _stats() -> Iterator[tuple[int, tuple[int, int, int]]]:
    """Yield the id of each process of the machine, with its parent, resident pages and ticks of CPU time."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                # the name in parentheses is chosen by the process and may hold anything
                fields = _read(f"/proc/{name}/stat").rpartition(b")")[2].split()
                yield int(name), (int(fields[1]), int(fields[21]), sum(map(int, fields[11:15])))


def _read(path: str) -> bytes:
    file = os.open(path, os.O_RDONLY)  # not open(): there may be thousands of these, five times a second
    try:
        return os.read(file, 4096)
    finally:
        os.close(file)
