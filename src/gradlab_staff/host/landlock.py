"""Takes from this process, and from all that it will start, the files by which it could see what its neighbours do.

Much of ``/proc`` counts for the whole machine (memory, processes, interrupts, open files), and a process's own
``smaps``, ``pagemap`` and ``numa_maps`` tell whether another maps the same page of a library: two submissions could
talk over any of them. Mounts cannot cover what each new process has; Landlock can. It cannot be undone.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterator

__all__ = ["close_proc", "landlock_version"]

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # on all machines
_VERSION, _BENEATH, _READ_FILE = 1, 1, 4
# What does not change, or is a copy that does not (`sandbox.bubblewrap` mounts those).
_PROC = """
    cmdline cpuinfo filesystems meminfo stat version sys/kernel/cap_last_cap sys/kernel/ngroups_max
    sys/kernel/osrelease sys/kernel/pid_max sys/kernel/random/boot_id sys/kernel/random/uuid sys/kernel/threads-max
    sys/vm/overcommit_memory
"""
_OWN = "cmdline comm maps mountinfo mounts stat statm status"  # what profilers read of the process itself


def landlock_version() -> int:
    """Return the version of Landlock in this kernel; 0 where there is none."""
    return max(0, _call(_CREATE, None, 0, _VERSION))


def close_proc() -> None:
    """Refuse to read files in ``/proc`` but for those of our list, from now on and for good.

    Raises
    ------
    OSError
        Where the kernel refuses to.
    """
    ruleset = _checked(_call(_CREATE, struct.pack("Q", _READ_FILE), 8, 0))
    for path in _readable():
        try:
            file = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue  # not every kernel has each of them
        rule = struct.pack("=Qi", _READ_FILE, file)
        _checked(_call(_ADD, ruleset, _BENEATH, rule, 0))
        os.close(file)
    _checked(_call(_RESTRICT, ruleset, 0))
    os.close(ruleset)


def _readable() -> Iterator[str]:
    yield from (f"/{name}" for name in os.listdir("/") if name != "proc" and not os.path.islink(f"/{name}"))
    yield from (f"/proc/{name}" for name in _PROC.split())
    yield from (f"/proc/self/{name}" for name in _OWN.split())


def _call(*arguments: int | bytes | None) -> int:
    return int(ctypes.CDLL(None, use_errno=True).syscall(*arguments))


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), f"Landlock: {os.strerror(ctypes.get_errno())}")
    return result
