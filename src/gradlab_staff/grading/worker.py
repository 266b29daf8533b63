"""What every worker process does first: it ends with the process that started it."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal

__all__ = ["be_a_worker"]

_PR_SET_PDEATHSIG = 1


def be_a_worker() -> None:
    """Make this process a worker: on Linux it ends with its parent, however that ends, and its sandbox with it."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    parent = multiprocessing.parent_process()
    if parent is not None and os.getppid() != parent.pid:  # it ended before it was asked for
        os._exit(1)
