"""What a host may use at most, and what this machine offers to hold it to that."""

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


@dataclass(frozen=True)
class Limits:
    """Bounds of one host: by rlimits of each process, by a cgroup (where to be had) and a watchdog of all together."""

    cpu_s: int = 900
    memory_mib: int = 3072
    processes: int = 64
    file_mib: int = 64
    open_files: int = 256
    scratch_mib: int = 128
    threads: int = 1
    """Threads of each process for linear algebra: on both sides of the seam, so that they compute alike."""
    cgroup: bool = True
    """Whether to use a control group where one is to be had."""

    @property
    def rlimits(self) -> dict[str, int]:
        """As ``setrlimit`` takes them."""
        return {
            "AS": self.memory_mib << 20,
            "CPU": self.cpu_s,
            "NPROC": self.processes,
            "FSIZE": self.file_mib << 20,
            "NOFILE": self.open_files,
            "CORE": 0,
            "MEMLOCK": 1 << 20,
            "MSGQUEUE": 0,
        }


@dataclass(frozen=True)
class Cgroup:
    """A control group of our own, for one host and whatever it starts."""

    folders: tuple[Path, ...]
    kind: str

    @property
    def joining(self) -> list[str]:
        """What to put before a command, so that it runs in the group from its first moment."""
        into = "".join(f'echo $$ > "${number}" && ' for number in range(1, len(self.folders) + 1))
        procs = [str(folder / "cgroup.procs") for folder in self.folders]
        return ["/bin/sh", "-c", f'{into}shift {len(procs)} && exec "$@"', "sh", *procs]

    def remove(self) -> None:
        """Delete the group; its processes are dead by now, or die within a moment."""
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
    """Each mounted cgroup hierarchy: its type, where it is mounted, its options."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/mounts").read_text().splitlines():
            _, point, kind, options, *_ = line.split()
            if kind in ("cgroup", "cgroup2"):
                yield kind, Path(point), options


def _own_path(hierarchy: str) -> str:
    """Where this process stands in a hierarchy (``""``: version 2)."""
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
    settings = {
        "memory": [("memory.limit_in_bytes", memory), ("memory.memsw.limit_in_bytes", memory)],
        "pids": [("pids.max", limits.processes)],
        "cpu": [("cpu.cfs_period_us", _PERIOD_US), ("cpu.cfs_quota_us", _PERIOD_US)],
    }
    for wanted in ((*_V1, "cpu"), _V1):
        if all(controller in points for controller in wanted):
            folders = {controller: points[controller] / _own_path(controller) / name for controller in wanted}
            group = _make({folders[controller]: settings[controller] for controller in wanted}, _kind("v1", wanted))
            if group:
                return group
    return None


def _v2(limits: Limits, name: str) -> Cgroup | None:
    """A group below our own, or below the nearest group above it that hands on its controllers."""
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
    words = {"memory": "memory", "pids": "processes", "cpu": "one core"}
    return f"cgroup {version} ({', '.join(words[controller] for controller in controllers)})"


def _enabled(parent: Path) -> set[str]:
    try:
        return set((parent / "cgroup.subtree_control").read_text().split())
    except OSError:
        return set()


def _make(settings: Mapping[Path, Sequence[tuple[str, int | str]]], kind: str) -> Cgroup | None:
    """The group, if it may be made and a process may join it."""
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
    """Whether we may move a process below `parent`: tried once."""
    if parent not in _MAY_JOIN:
        _MAY_JOIN[parent] = subprocess.run([*joining, "true"], capture_output=True, check=False).returncode == 0
    return _MAY_JOIN[parent]


@functools.cache
def _sweep() -> None:
    """Delete the groups that a killed run of ours left behind."""
    for _, point, _ in _mounts():
        for hierarchy in ("", *_V1, "cpu"):
            for folder in (point / _own_path(hierarchy)).glob("gradlab-[0-9]*-*"):
                if not is_running(int(folder.name.split("-")[1])):
                    with contextlib.suppress(OSError):
                        folder.rmdir()


def best_cgroup(limits: Limits) -> Cgroup | None:
    """A fresh control group with `limits`, or none where this user may not make one, or `limits` asks for none."""
    if not limits.cgroup:
        return None
    _sweep()
    name = f"gradlab-{os.getpid()}-{next(_NUMBERS)}"
    try:
        return _v1(limits, name) or _v2(limits, name)
    except OSError:
        return None
