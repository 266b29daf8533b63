"""A time limit for the trusted side's own work on a call by student code."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

__all__ = ["AlarmError", "alarm"]


class AlarmError(BaseException):
    """The time limit of a call back is exceeded. Not an `Exception`, because the interrupted code may catch those."""


@contextlib.contextmanager
def alarm(seconds: float) -> Iterator[None]:
    """Raise `AlarmError` in the block after so many seconds; without effect outside the main thread.

    It limits the trusted side's own work on a call by student code. Only the main thread receives signals. Call backs
    nest: the alarm of the outer one, which is due no earlier, continues when the inner one is done.

    Parameters
    ----------
    seconds : float
        The time limit; infinity for none.

    Raises
    ------
    AlarmError
        If the time limit is exceeded.
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
