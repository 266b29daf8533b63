"""What every worker process does first: it ends with the process that started it, and uses one thread for numbers."""

from __future__ import annotations

import ctypes
import os
import signal

__all__ = ["be_a_worker"]

_PR_SET_PDEATHSIG = 1


def be_a_worker() -> None:
    """Make this process a worker: on Linux it ends with its parent, however that ends, and its sandbox with it."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
