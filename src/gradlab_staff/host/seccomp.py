"""Adds a filter of system calls to this process and to all that it will start. It cannot be taken off."""

from __future__ import annotations

import ctypes
import os
import struct

__all__ = ["add_filter"]

_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_INSTRUCTION_BYTES = 8


def add_filter(program: bytes) -> None:
    """Have the kernel ask a BPF program about each system call, from now on and for good.

    The process must have given up new privileges before, as bubblewrap's do.

    Raises
    ------
    OSError
        Where the kernel refuses to.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    instructions = ctypes.create_string_buffer(program, len(program))
    described = struct.pack("@HP", len(program) // _INSTRUCTION_BYTES, ctypes.addressof(instructions))
    if libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, described) != 0:
        raise OSError(ctypes.get_errno(), f"seccomp: {os.strerror(ctypes.get_errno())}")
