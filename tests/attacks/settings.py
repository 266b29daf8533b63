"""Other settings that a machine may offer: root without control groups, another user with delegated ones and without.

Each is a command before the command that is run in it, in a mount namespace of its own: nothing of it stays.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from corpus.trick import ROOT

from gradlab_staff.sandbox.limits import _mounts, _own_path

__all__ = ["SETTINGS", "Setting"]

UID = 64123
"""Nobody's, and in the range that no system gives to its users."""
_CONTROLLERS = ("memory", "pids", "cpu")
_HIDE_CGROUPS = "while umount -R /sys/fs/cgroup 2>/dev/null; do :; done; "


@dataclass(frozen=True)
class Setting:
    """Who grades, and whether control groups can be made."""

    name: str
    as_root: bool
    cgroups: bool

    @property
    def missing(self) -> str:
        """What this machine lacks for it; empty where it can be had."""
        if os.getuid() != 0:
            return "only root can change the user, or hide the control groups"
        tools = [tool for tool in ("unshare", "setpriv") if shutil.which(tool) is None]
        if tools:
            return f"expected {' and '.join(tools)} of util-linux, got none"
        if self.cgroups and not self.as_root and not (_delegable() or _root_of_v2()):
            return "expected control groups of version 1, or of version 2 with controllers to delegate, got none"
        probe = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)
        return "" if probe.returncode == 0 else "no mount namespace may be made"

    def run(self, command: Sequence[str]) -> int:
        """Run a command in this setting, and return its exit code."""
        with tempfile.TemporaryDirectory() as scratch, self._groups() as groups:
            for folder in (scratch, f"{scratch}/home", f"{scratch}/tmp"):
                Path(folder).mkdir(exist_ok=True)
                if not self.as_root:
                    os.chown(folder, UID, UID)
            join = "".join(f'echo $$ > "{group}/cgroup.procs"; ' for group in groups)
            hide = "" if self.cgroups else _HIDE_CGROUPS
            show = "" if self.as_root else "".join(_shown())
            user = [] if self.as_root else ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups"]
            environment = {**os.environ, "TMPDIR": f"{scratch}/tmp", "PYTHONDONTWRITEBYTECODE": "1"}
            if not self.as_root:
                environment |= {"HOME": f"{scratch}/home", "XDG_CACHE_HOME": f"{scratch}/home/.cache"}
            script = f'set -e; {show}{join}set +e; {hide}exec "$@"'
            ran = subprocess.run(
                ["unshare", "--mount", "sh", "-c", script, "sh", *user, *command], env=environment, check=False, cwd="/"
            )
            return ran.returncode

    @contextlib.contextmanager
    def _groups(self) -> Iterator[list[Path]]:
        """Yield control groups to join, which belong to the other user; delete them in the end."""
        if self.as_root or not self.cgroups:
            yield []
            return
        name = f"attacks-{os.getpid()}"
        made = list(_delegated(name) if _delegable() else _delegated_v2(name))
        try:
            yield made if _delegable() else made[-1:]
        finally:
            for group in reversed(made):
                group.rmdir()


def _delegable() -> dict[str, Path]:
    """The folders of this process's control groups of version 1, by controller; empty where any is missing."""
    points = {option: point for kind, point, options in _mounts() if kind == "cgroup" for option in options.split(",")}
    if not all(controller in points for controller in _CONTROLLERS):
        return {}
    return {controller: points[controller] / _own_path(controller) for controller in _CONTROLLERS}


def _delegated(name: str) -> Iterator[Path]:
    for folder in dict.fromkeys(_delegable().values()):
        group = folder / name
        group.mkdir()
        for path in (group, group / "cgroup.procs", group / "tasks"):
            os.chown(path, UID, UID)
        yield group


def _root_of_v2() -> Path | None:
    """The nearest group of version 2, this process's own or above it, whose children may have a limit on memory."""
    for point in [point for kind, point, _ in _mounts() if kind == "cgroup2"]:
        own = point / _own_path("")
        for folder in [own, *(parent for parent in own.parents if parent.is_relative_to(point))]:
            with contextlib.suppress(OSError):
                if {"memory", "pids"} <= set((folder / "cgroup.subtree_control").read_text().split()):
                    return folder
    return None


def _delegated_v2(name: str) -> Iterator[Path]:
    """Yield a group that has been given away, and one in it to work in: a group with controllers holds no process.

    What is given away is what ``systemd-run --user`` with ``Delegate=yes`` gives: the folders and ``cgroup.procs``.
    """
    top = _root_of_v2()
    assert top is not None
    group = top / name
    group.mkdir()
    held = set((group / "cgroup.controllers").read_text().split()) & {"memory", "pids", "cpu"}
    (group / "cgroup.subtree_control").write_text(" ".join(f"+{controller}" for controller in sorted(held)))
    work = group / "work"
    work.mkdir()
    for folder in (group, work):
        for path in (folder, *(folder / f"cgroup.{file}" for file in ("procs", "threads", "subtree_control"))):
            os.chown(path, UID, UID)
    yield from (group, work)


def _shown() -> Iterator[str]:
    """Yield commands that make Python, its packages and the repository readable, where a private folder holds them."""
    for number, path in enumerate(dict.fromkeys(map(os.path.realpath, (sys.base_prefix, sys.prefix, ROOT)))):
        closed = [parent for parent in reversed(Path(path).parents) if not parent.stat().st_mode & stat.S_IXOTH]
        if closed:
            aside = f"/tmp/shown-{os.getpid()}-{number}"  # in /tmp as the namespace has it: a tmpfs of its own
            yield (
                f'mkdir -p "{aside}"; mount --bind "{path}" "{aside}"; mount -t tmpfs -o mode=755 none "{closed[0]}"; '
                f'mkdir -p "{path}"; mount --bind "{aside}" "{path}"; umount "{aside}"; rmdir "{aside}"; '
            )


SETTINGS = (
    Setting("root, without control groups", as_root=True, cgroups=False),
    Setting("another user, with control groups", as_root=False, cgroups=True),
    Setting("another user, without control groups", as_root=False, cgroups=False),
)
