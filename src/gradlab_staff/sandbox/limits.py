"""The resource limits of a host, and the control group that enforces them if the machine allows one."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gradlab_staff.sandbox.processes import is_running

__all__ = ["Cgroup", "Limits", "best_cgroup"]

_NUMBERS = itertools.count()
_V1 = ("memory", "pids")
_PERIOD_US = 100_000
_SIGXCPU_S = 5
"""The kernel ends a process so much later than the session would, which says why."""


@dataclass(frozen=True)
class Limits:
    """Limits of one submission.

    Rlimits hold each process of its host; a cgroup (if available) and a watchdog all of them together. The times hold
    the submission as a whole (`Budget`), and each check and cell (`Session.limited`).
    """

    cpu_s: int = 300
    """CPU time of a submission in all: its own, and what grading it costs besides."""
    wall_s: int = 600
    """Wall time of a submission in all."""
    check_s: float = 20.0
    """CPU time of a check that sets no limit of its own; its wall time is bounded by a multiple."""
    cell_s: float = 60.0
    """The same, of a cell."""
    memory_mib: int = 3072
    processes: int = 64
    file_mib: int = 64
    open_files: int = 256
    scratch_mib: int = 192
    """Of ``/tmp``: 64 MiB of them for what was handed in beside the notebook."""
    threads: int = 1
    """Threads of each process for linear algebra: on both sides of the seam, so that they compute alike."""
    cgroup: bool = True
    """Whether to use a control group if one is available."""

    @property
    def rlimits(self) -> dict[str, int]:
        """Return the limits for ``setrlimit``, by the names of ``RLIMIT_*`` without the prefix."""
        return {
            "AS": self.memory_mib << 20,
            "CPU": self.cpu_s + _SIGXCPU_S,
            "NPROC": self.processes,
            "FSIZE": self.file_mib << 20,
            "NOFILE": self.open_files,
            "CORE": 0,
            "MEMLOCK": 1 << 20,
            "MSGQUEUE": 0,
            # Queued signals and timers are kernel memory; an account's other sandboxes, and its staff, draw on it too.
            "SIGPENDING": 256,
            # A real-time or a favoured process would keep everyone else off its core. They are the user's own to
            # choose where a container gave root no bound.
            "NICE": 0,
            "RTPRIO": 0,
        }


@dataclass(frozen=True)
class Cgroup:
    """A control group for one host and all processes that it starts."""

    folders: tuple[Path, ...]
    kind: str

    @property
    def cpu_s(self) -> float | None:
        """Return the CPU time of all processes that ever were in the group; None where the kernel does not count it."""
        for folder in self.folders:
            with contextlib.suppress(OSError):
                return int((folder / "cpuacct.usage").read_bytes()) / 1e9
            with contextlib.suppress(OSError):
                words = (folder / "cpu.stat").read_text().split()
                if words[:1] == ["usage_usec"]:  # version 1 has another file of this name
                    return int(words[1]) / 1e6
        return None

    @property
    def joining(self) -> list[str]:
        """Return the prefix of a command that makes it run in the group from its start."""
        into = "".join(f'echo $$ > "${number}" && ' for number in range(1, len(self.folders) + 1))
        procs = [str(folder / "cgroup.procs") for folder in self.folders]
        return ["/bin/sh", "-c", f'{into}shift {len(procs)} && exec "$@"', "sh", *procs]

    def remove(self) -> None:
        """Delete the group; its processes are dead, or about to die."""
        for folder in self.folders:
            for _ in range(50):
                try:
                    folder.rmdir()
                    break
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.02)


def _mounts() -> Iterator[tuple[str, Path, str]]:
    """Yield type, mount point and options of each mounted cgroup hierarchy."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/mounts").read_text().splitlines():
            _, point, kind, options, *_ = line.split()
            if kind in ("cgroup", "cgroup2"):
                yield kind, Path(point), options


def _own_path(hierarchy: str) -> str:
    """Return the path of this process's group in a hierarchy (``""``: version 2)."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if hierarchy in controllers.split(",") or controllers == hierarchy:
            return path.lstrip("/")
    return ""


def _v1(limits: Limits, name: str) -> Cgroup | None:
    points = {option: point for kind, point, options in _mounts() if kind == "cgroup" for option in options.split(",")}
    if not all(controller in points for controller in _V1):
        return None
    memory = limits.memory_mib << 20
    settings: dict[str, list[tuple[str, int]]] = {
        "memory": [("memory.limit_in_bytes", memory), ("memory.memsw.limit_in_bytes", memory)],
        "pids": [("pids.max", limits.processes)],
        "cpu": [("cpu.cfs_period_us", _PERIOD_US), ("cpu.cfs_quota_us", _PERIOD_US)],
        "cpuacct": [],
    }
    for wanted in ((*_V1, "cpu", "cpuacct"), (*_V1, "cpu"), (*_V1, "cpuacct"), _V1):
        if all(controller in points for controller in wanted):
            folders: dict[Path, list[tuple[str, int]]] = {}
            for controller in wanted:  # some share a hierarchy
                folder = points[controller] / _own_path(controller) / name
                folders[folder] = [*folders.get(folder, ()), *settings[controller]]
            group = _make(folders, _kind("v1", wanted))
            if group:
                return group
    return None


def _v2(limits: Limits, name: str) -> Cgroup | None:
    """Make a group below our own, or below the nearest ancestor that delegates its controllers."""
    for point in [point for kind, point, _ in _mounts() if kind == "cgroup2"]:
        own = point / _own_path("")
        for parent in [own, *(folder for folder in own.parents if folder.is_relative_to(point))]:
            enabled = _enabled(parent)
            if {"memory", "pids"} <= enabled:
                settings: list[tuple[str, int | str]] = [
                    ("memory.max", limits.memory_mib << 20),
                    ("memory.swap.max", 0),
                    ("pids.max", limits.processes),
                    ("cpu.max", f"{_PERIOD_US} {_PERIOD_US}"),
                ]
                group = _make({parent / name: settings}, _kind("v2", ("memory", "pids", *({"cpu"} & enabled))))
                if group:
                    return group
    return None


def _kind(version: str, controllers: tuple[str, ...]) -> str:
    words = {"memory": "memory", "pids": "processes", "cpu": "one core", "cpuacct": "CPU time"}
    return f"cgroup {version} ({', '.join(words[controller] for controller in controllers)})"


def _enabled(parent: Path) -> set[str]:
    try:
        return set((parent / "cgroup.subtree_control").read_text().split())
    except OSError:
        return set()


def _make(settings: Mapping[Path, Sequence[tuple[str, int | str]]], kind: str) -> Cgroup | None:
    """Make the group and return it; None if it cannot be made or a process cannot join it."""
    group = Cgroup(tuple(settings), kind)
    try:
        for folder, values in settings.items():
            folder.mkdir(exist_ok=True)  # controllers may share a hierarchy
            for file, value in values:
                with contextlib.suppress(FileNotFoundError):
                    (folder / file).write_text(str(value))
    except OSError:
        group.remove()
        return None
    if not _may_join(group.folders[0].parent, tuple(group.joining)):
        group.remove()
        return None
    return group


_MAY_JOIN: dict[Path, bool] = {}


def _may_join(parent: Path, joining: tuple[str, ...]) -> bool:
    """Return whether a process may join a group below `parent`; tried once per folder."""
    if parent not in _MAY_JOIN:
        _MAY_JOIN[parent] = subprocess.run([*joining, "true"], capture_output=True, check=False).returncode == 0
    return _MAY_JOIN[parent]


@functools.cache
def _sweep() -> None:
    """Delete the groups that killed runs of gradlab left behind."""
    for _, point, _ in _mounts():
        for hierarchy in ("", *_V1, "cpu", "cpuacct"):
            for folder in (point / _own_path(hierarchy)).glob("gradlab-[0-9]*-*"):
                if not is_running(int(folder.name.split("-")[1])):
                    with contextlib.suppress(OSError):
                        folder.rmdir()


def best_cgroup(limits: Limits) -> Cgroup | None:
    """Make a new control group with `limits`; None if this user may not make one or `limits` does not want one."""
    if not limits.cgroup:
        return None
    _sweep()
    name = f"gradlab-{os.getpid()}-{next(_NUMBERS)}"
    try:
        return _v1(limits, name) or _v2(limits, name)
    except OSError:
        return None
