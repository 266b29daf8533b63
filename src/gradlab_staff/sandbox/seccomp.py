"""A seccomp filter that refuses system calls which no notebook needs and which enlarge the attack surface.

Three kinds are refused. Those that expose more of the kernel: namespaces, mounts, BPF, io_uring, tracing, keyrings.
Those that allocate memory which no limit counts without a cgroup: memfd, System V shared memory, message queues. And
sockets of families that a network namespace does not isolate, such as VSOCK in a virtual machine.
"""

from __future__ import annotations

import errno
import os
import platform
import struct
from collections.abc import Iterator
from pathlib import Path

__all__ = ["seccomp_filter", "seccomp_pipe"]

# By machine: its audit architecture and system call numbers (the newer ones are the same on all machines).
_MACHINES = {
    "x86_64": (
        0xC000003E,
        {"clone": 56, "socket": 41},
        "unshare 272 setns 308 mount 165 umount2 166 pivot_root 155 ptrace 101 process_vm_readv 310 "
        "process_vm_writev 311 kcmp 312 bpf 321 perf_event_open 298 userfaultfd 323 keyctl 250 add_key 248 "
        "request_key 249 memfd_create 319 shmget 29 msgget 68 semget 64 mq_open 240 name_to_handle_at 303 "
        "open_by_handle_at 304 init_module 175 finit_module 313 kexec_load 246",
    ),
    "aarch64": (
        0xC00000B7,
        {"clone": 220, "socket": 198},
        "unshare 97 setns 268 mount 40 umount2 39 pivot_root 41 ptrace 117 process_vm_readv 270 "
        "process_vm_writev 271 kcmp 272 bpf 280 perf_event_open 241 userfaultfd 282 keyctl 219 add_key 217 "
        "request_key 218 memfd_create 279 shmget 194 msgget 186 semget 190 mq_open 180 name_to_handle_at 264 "
        "open_by_handle_at 265 init_module 105 finit_module 273 kexec_load 104",
    ),
}
_NEWER = (
    "io_uring_setup 425 io_uring_enter 426 io_uring_register 427 open_tree 428 move_mount 429 fsopen 430 "
    "fsconfig 431 fsmount 432 fspick 433 pidfd_getfd 438 mount_setattr 442 memfd_secret 447"
)
_CLONE3 = 435
_NAMESPACES = 0x7E020080  # CLONE_NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
_FAMILIES = (1, 2, 10, 16)  # UNIX, INET, INET6, NETLINK: each network namespace has its own
_X32 = 0x40000000

_NUMBER, _ARCH, _ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW = 0x7FFF0000


def seccomp_filter(machine: str) -> bytes | None:
    """Return the filter as a BPF program; None for a machine without a table of system calls here."""
    if machine not in _MACHINES:
        return None
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in _program(*_MACHINES[machine]))


def seccomp_pipe() -> int | None:
    """Return a file descriptor from which bubblewrap can read the filter; None if machine or kernel has none."""
    program = seccomp_filter(platform.machine())
    if program is None or "Seccomp:" not in Path("/proc/self/status").read_text():
        return None
    reader, writer = os.pipe()
    os.write(writer, program)  # a few hundred bytes: they fit into the pipe's buffer
    os.close(writer)
    return reader


def _program(arch: int, numbers: dict[str, int], refused: str) -> Iterator[tuple[int, int, int, int]]:
    """Yield the instructions: operation, number to skip if true, number to skip if false, operand."""
    yield _LOAD, 0, 0, _ARCH
    yield _EQUAL, 1, 0, arch
    yield _refuse(errno.ENOSYS)
    yield _LOAD, 0, 0, _NUMBER
    yield _AT_LEAST, 0, 1, _X32
    yield _refuse(errno.ENOSYS)
    for number in f"{refused} {_NEWER}".split()[1::2]:
        yield _EQUAL, 0, 1, int(number)
        yield _refuse(errno.EPERM)
    yield _EQUAL, 0, 1, _CLONE3
    yield _refuse(errno.ENOSYS)  # its flags are behind a pointer; the C library then calls clone
    yield _EQUAL, 0, 4, numbers["clone"]
    yield _LOAD, 0, 0, _ARGUMENT
    yield _ANY_BIT, 0, 1, _NAMESPACES
    yield _refuse(errno.EPERM)
    yield _RETURN, 0, 0, _ALLOW
    yield _EQUAL, 0, len(_FAMILIES) + 2, numbers["socket"]
    yield _LOAD, 0, 0, _ARGUMENT
    for left, family in zip(range(len(_FAMILIES), 0, -1), _FAMILIES, strict=True):
        yield _EQUAL, left, 0, family
    yield _refuse(errno.EAFNOSUPPORT)
    yield _RETURN, 0, 0, _ALLOW


def _refuse(number: int) -> tuple[int, int, int, int]:
    return _RETURN, 0, 0, 0x00050000 | number
