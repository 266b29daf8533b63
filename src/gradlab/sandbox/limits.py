"""What a host may use at most, and what this machine offers to hold it to that."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Cgroup", "Limits", "best_cgroup"]

_NUMBERS = itertools.count()
_V1 = ("memory", "pids")


@dataclass(frozen=True)
class Limits:
    """Bounds of one host, all its processes together where a cgroup is to be had, else of each process."""

    cpu_s: int = 900
    memory_mib: int = 3072
    processes: int = 64
    file_mib: int = 64
    open_files: int = 256
    scratch_mib: int = 128

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
        }


@dataclass(frozen=True)
class Cgroup:
    """A control group of our own, for one host and whatever it starts."""

    folders: tuple[Path, ...]
    kind: str

    def join(self) -> None:
        """Move the calling process in (between fork and exec)."""
        for folder in self.folders:
            (folder / "cgroup.procs").write_text("0")

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
    folders = tuple(points[controller] / _own_path(controller) / name for controller in _V1)
    settings = {
        "memory": ("memory.limit_in_bytes", limits.memory_mib << 20),
        "pids": ("pids.max", limits.processes),
    }
    return _make(folders, {folders[i]: [settings[controller]] for i, controller in enumerate(_V1)}, "cgroup v1")


def _v2(limits: Limits, name: str) -> Cgroup | None:
    for kind, point, _ in _mounts():
        folder = point / _own_path("") / name
        if kind == "cgroup2" and {"memory", "pids"} <= _enabled(folder.parent):
            settings: list[tuple[str, int]] = [
                ("memory.max", limits.memory_mib << 20),
                ("memory.swap.max", 0),
                ("pids.max", limits.processes),
            ]
            return _make((folder,), {folder: settings}, "cgroup v2")
    return None


def _enabled(parent: Path) -> set[str]:
    try:
        return set((parent / "cgroup.subtree_control").read_text().split())
    except OSError:
        return set()


def _make(folders: tuple[Path, ...], settings: dict[Path, list[tuple[str, int]]], kind: str) -> Cgroup | None:
    group = Cgroup(folders, kind)
    try:
        for folder in folders:
            folder.mkdir()
            for file, value in settings[folder]:
                with contextlib.suppress(FileNotFoundError):
                    (folder / file).write_text(str(value))
    except OSError:
        group.remove()
        return None
    return group


@functools.cache
def _sweep() -> None:
    """Delete the groups that a killed run of ours left behind."""
    for _, point, _ in _mounts():
        for hierarchy in ("", *_V1):
            for folder in (point / _own_path(hierarchy)).glob("gradlab-*-*"):
                if not Path(f"/proc/{folder.name.split('-')[1]}").exists():
                    with contextlib.suppress(OSError):
                        folder.rmdir()


def best_cgroup(limits: Limits) -> Cgroup | None:
    """A fresh control group with `limits`, or none where this user may not make one."""
    _sweep()
    name = f"gradlab-{os.getpid()}-{next(_NUMBERS)}"
    try:
        return _v1(limits, name) or _v2(limits, name)
    except OSError:
        return None
