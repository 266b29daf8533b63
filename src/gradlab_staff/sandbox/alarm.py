"""A bound on the trusted side's own work for a student's call."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

__all__ = ["AlarmError", "alarm"]


class AlarmError(BaseException):
    """The time for a call back is up. No `Exception`: the code that it interrupts may catch those."""


@contextlib.contextmanager
def alarm(seconds: float) -> Iterator[None]:
    """Bound the trusted side's own work for a student's call (in the main thread, where signals can).

    Call backs nest: the alarm of the outer one, which rings no earlier, goes on when the inner one is done.
    """
    if seconds == float("inf") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        raise AlarmError

    started_s = time.monotonic()
    previous = signal.signal(signal.SIGALRM, ring)
    outer_s, _ = signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))
    try:
        yield
    finally:
        left_s = max(outer_s - (time.monotonic() - started_s), 0.001) if outer_s else 0.0
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
        signal.setitimer(signal.ITIMER_REAL, left_s)
