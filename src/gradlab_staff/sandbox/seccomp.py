"""A seccomp filter that refuses system calls which no notebook needs, and answers for those that need not be done.

Refused is what exposes more of the kernel (namespaces, mounts, BPF, io_uring, tracing, keyrings), what allocates memory
that no limit counts without a cgroup (memfd, System V shared memory, message queues, extended attributes), sockets of
families that a network namespace does not isolate (VSOCK in a virtual machine), and what two sandboxes could talk
over: the inodes, the page cache and the counters of the kernel are the same for all of them. Locks and writing back
to the disk are answered with success and not done, so that SQLite works.

A second filter, which the host itself adds when it has closed ``/proc``, refuses what the host still needed for that.
"""

from __future__ import annotations

import errno
import os
import platform
import struct
from collections.abc import Iterator
from pathlib import Path

__all__ = ["last_filter", "seccomp_filter", "seccomp_pipe"]

# A system call a row, with its number on x86-64 and on 64-bit ARM; a dash where the machine has none.
_REFUSED = """
    unshare 272 97, setns 308 268, mount 165 40, umount2 166 39, pivot_root 155 41, ptrace 101 117,
    process_vm_readv 310 270, process_vm_writev 311 271, kcmp 312 272, bpf 321 280, perf_event_open 298 241,
    userfaultfd 323 282, keyctl 250 219, add_key 248 217, request_key 249 218, memfd_create 319 279, shmget 29 194,
    msgget 68 186, semget 64 190, mq_open 240 180, name_to_handle_at 303 264, open_by_handle_at 304 265,
    init_module 175 105, finit_module 313 273, kexec_load 246 104, open_tree 428 428, move_mount 429 429,
    fsopen 430 430, fsconfig 431 431, fsmount 432 432, fspick 433 433, pidfd_getfd 438 438, mount_setattr 442 442,
    open_tree_attr 467 467, memfd_secret 447 447, io_uring_setup 425 425, io_uring_enter 426 426,
    io_uring_register 427 427
"""
# What an attacker's helper could do to a shared file, kernel-wide counter or log, and the taker see: that it is
# watched, in the page cache (and to put it there or out of it), mapped by another, whether asynchronous I/O is used up
# (65,536 requests for the machine), how many processes run and how much memory is free, lines that crashes log.
_CHANNELS = """
    inotify_init 253 -, inotify_init1 294 26, fanotify_init 300 262, mincore 27 232, cachestat 451 451,
    fadvise64 221 223, readahead 187 213, move_pages 279 239, migrate_pages 256 238, mbind 237 235, io_setup 206 0,
    sysinfo 99 179, syslog 103 116
"""
# Attributes of files in memory belong to no size that we set: 3 GiB of them could be made on a machine of 24 GiB.
_ATTRIBUTES = "setxattr 188 5, lsetxattr 189 6, fsetxattr 190 7, setxattrat 463 463"
# Flags of the first two bypass the page cache, or tell what is in it; the C library then calls preadv. clone3 has its
# flags behind a pointer; it then calls clone. The last wait on 128 addresses at once, of shared files' pages too.
_MISSING = """
    preadv2 327 286, pwritev2 328 287, clone3 435 435, futex_waitv 449 449, futex_wake 454 454, futex_wait 455 455,
    futex_requeue 456 456
"""
# A lock on a shared file is seen by all, and each record lock is kernel memory that no limit counts. Everything that
# may be written to is in memory, so that there is nothing to bring to a disk: a loop of it stalls that of the staff.
# Whoever stays on one core starves, and signals to, who is on it too.
_UNHEARD = """
    flock 73 32, fsync 74 82, fdatasync 75 83, sync 162 81, syncfs 306 267, sync_file_range 277 84,
    sched_setaffinity 203 122
"""
# Rules of Landlock and filters of seccomp are kernel memory that no limit counts without a cgroup, and a process may
# add to them without end. The host needs both once, before it runs any cell.
_TAKEN = "landlock_create_ruleset 444 444, landlock_add_rule 445 445, landlock_restrict_self 446 446, seccomp 317 277"
_WITH_ARGUMENTS = "clone 56 220, socket 41 198, setsockopt 54 208, fcntl 72 25, msync 26 227, prctl 157 167"

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_NAMESPACES = 0x7E020080  # CLONE_NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
# UNIX and NETLINK: each network namespace has its own. INET leads nowhere but to itself, and a TCP connection holds
# 8 MiB of kernel memory that a control group of version 1 does not count, out of what all TCP of the machine may have.
_FAMILIES = (1, 16)
_BUFFERS = (7, 8)  # SO_SNDBUF and SO_RCVBUF: the machine may allow 8 MiB for each socket; the usual is 208 KiB
_LOCKS = (6, 7, 37, 38)  # F_SETLK, F_SETLKW, F_OFD_SETLK, F_OFD_SETLKW
# F_DUPFD, GETFD, SETFD, GETFL, SETFL, SETOWN, GETOWN, SETSIG, GETSIG, SETOWN_EX, GETOWN_EX, DUPFD_QUERY,
# DUPFD_CLOEXEC, GETPIPE_SZ. All others are of a lock, of a shared inode (leases, notices, F_SET_RW_HINT, which any
# reader may set before Linux 6.9 and any other see), or enlarge a pipe to 1 MiB that no limit counts.
_OF_DESCRIPTORS = (0, 1, 2, 3, 4, 8, 9, 10, 11, 15, 16, 1027, 1030, 1032)
_TO_DISK = 4  # MS_SYNC
_OF_OTHERS = (62, 67)  # PR_SCHED_CORE keeps others off the core beside it; PR_SET_MEMORY_MERGE shares their pages
_X32 = 0x40000000
_PR_SET_SECCOMP = 22

_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data; the kernel takes the low half of ours as well
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW = 0x7FFF0000
_Instruction = tuple[int, int, int, int]
"""Operation, number to skip if true, number to skip if false, operand."""


def seccomp_filter(machine: str) -> bytes | None:
    """Return the filter as a BPF program; None for a machine without a table of system calls here."""
    if machine not in _ARCHITECTURES:
        return None
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in _program(machine))


def seccomp_pipe() -> int | None:
    """Return a file descriptor from which bubblewrap can read the filter; None if machine or kernel has none."""
    program = seccomp_filter(platform.machine())
    if program is None or not _in_kernel():
        return None
    reader, writer = os.pipe()
    os.write(writer, program)  # less than two thousand bytes: they fit into the pipe's buffer
    os.close(writer)
    return reader


def last_filter() -> bytes | None:
    """Return the program of the filter that the host adds last; None if machine or kernel has none.

    After it, a process takes on no rule of Landlock's and no filter any more.
    """
    machine = platform.machine()
    if machine not in _ARCHITECTURES or not _in_kernel():
        return None
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in _last_program(machine))


def _in_kernel() -> bool:
    return "Seccomp:" in Path("/proc/self/status").read_text()


def _numbers(table: str, machine: str) -> dict[str, int]:
    """Return the numbers of a table's system calls on a machine that is known here."""
    rows = (row.split() for row in table.split(","))
    column = 1 + list(_ARCHITECTURES).index(machine)
    return {row[0]: int(row[column]) for row in rows if row[column] != "-"}


def _begin(machine: str) -> Iterator[_Instruction]:
    """Yield the load of a call's number, where it is one of the machine's own."""
    yield _LOAD, 0, 0, _ARCH
    yield _EQUAL, 1, 0, _ARCHITECTURES[machine]
    yield _answer(errno.ENOSYS)
    yield _LOAD, 0, 0, _NUMBER
    yield _AT_LEAST, 0, 1, _X32
    yield _answer(errno.ENOSYS)


def _last_program(machine: str) -> Iterator[_Instruction]:
    yield from _begin(machine)
    for number in _numbers(_TAKEN, machine).values():
        yield _EQUAL, 0, 1, number
        yield _answer(errno.EPERM)
    prctl = _numbers(_WITH_ARGUMENTS, machine)["prctl"]
    yield from _where(prctl, 0, [(_EQUAL, _PR_SET_SECCOMP, _answer(errno.EPERM))])
    yield _ALLOWED


def _program(machine: str) -> Iterator[_Instruction]:
    yield from _begin(machine)
    answers = [(_REFUSED, errno.EPERM), (_CHANNELS, errno.EPERM), (_ATTRIBUTES, errno.EPERM), (_MISSING, errno.ENOSYS)]
    for table, error in [*answers, (_UNHEARD, 0)]:
        for number in _numbers(table, machine).values():
            yield _EQUAL, 0, 1, number
            yield _answer(error)
    numbers = _numbers(_WITH_ARGUMENTS, machine)
    yield from _where(numbers["clone"], 0, [(_ANY_BIT, _NAMESPACES, _answer(errno.EPERM))])
    yield from _where(numbers["msync"], 2, [(_ANY_BIT, _TO_DISK, _answer(0))])
    yield from _where(numbers["prctl"], 0, [(_EQUAL, option, _answer(errno.EINVAL)) for option in _OF_OTHERS])
    yield from _where(numbers["setsockopt"], 2, [(_EQUAL, option, _answer(0)) for option in _BUFFERS])
    allowed = [(_EQUAL, family, _ALLOWED) for family in _FAMILIES]
    yield from _where(numbers["socket"], 0, allowed, _answer(errno.EAFNOSUPPORT))
    allowed = [(_EQUAL, command, _ALLOWED) for command in _OF_DESCRIPTORS]
    unheard = [(_EQUAL, command, _answer(0)) for command in _LOCKS]
    yield from _where(numbers["fcntl"], 1, [*allowed, *unheard], _answer(errno.EPERM))
    yield _ALLOWED


def _where(
    number: int, place: int, cases: list[tuple[int, int, _Instruction]], otherwise: _Instruction | None = None
) -> Iterator[_Instruction]:
    """Yield the answer to a call by its argument at `place`: that of the first case that applies, or `otherwise`."""
    yield _EQUAL, 0, 2 + 2 * len(cases), number
    yield _LOAD, 0, 0, _ARGUMENTS + 8 * place
    for operation, operand, answer in cases:
        yield operation, 0, 1, operand
        yield answer
    yield otherwise or _ALLOWED


def _answer(number: int) -> _Instruction:
    """Return the instruction that lets a call fail with an error, or succeed undone where `number` is 0."""
    return _RETURN, 0, 0, 0x00050000 | number


_ALLOWED = (_RETURN, 0, 0, _ALLOW)
