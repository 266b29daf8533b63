"""What a check finds wrong is noted, and the check goes on: what it asks must not depend on what comes back.

A submission sees the requests that a check makes. Were a check to end at its first failure, the next request would tell
the submission that one of its answers was wrong, and it could give another where the same is asked again.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

__all__ = ["CheckFailed", "Notes", "fail", "failed", "noting", "raising"]

_JUDGES = ("notes.py", "judge.py", "chance.py")
_FOLDER = str(Path(__file__).parent)


class CheckFailed(AssertionError):
    """The submission's answer is wrong; the message is written for the student."""


@dataclass
class Notes:
    """What a check has found wrong first, and where in the grader."""

    first: str | Callable[[], str] | None = None
    where: str = ""

    @property
    def failed(self) -> bool:
        """Return whether anything was wrong."""
        return self.first is not None

    @property
    def message(self) -> str:
        """Return what was wrong first, as the student reads it."""
        return _text(self.first) if self.first is not None else ""


_notes: ContextVar[Notes | None] = ContextVar("notes", default=None)


@contextlib.contextmanager
def noting() -> Iterator[Notes]:
    """Note the first failure in the block, in what is yielded, instead of raising it."""
    notes = Notes()
    token = _notes.set(notes)
    try:
        yield notes
    finally:
        _notes.reset(token)


@contextlib.contextmanager
def raising() -> Iterator[None]:
    """Raise failures in the block: whoever opens it catches them."""
    token = _notes.set(None)
    try:
        yield
    finally:
        _notes.reset(token)


def failed() -> bool:
    """Return whether the running check has noted a failure."""
    notes = _notes.get()
    return notes is not None and notes.failed


def fail(message: str | Callable[[], str]) -> None:
    """Fail the check with this message. It is noted, and the check goes on; in `attempt` it is raised.

    A message that takes its time to make is a function: it is made when the submission's last request is over.

    Raises
    ------
    CheckFailed
        Where failures are not noted.
    """
    notes = _notes.get()
    if notes is None:
        raise CheckFailed(_text(message))
    if not notes.failed:
        notes.first, notes.where = message, _place()


def _text(message: str | Callable[[], str]) -> str:
    return (message() if callable(message) else message) or "The answer is not what was asked for."


def _place() -> str:
    """Return file and line of the grader that called the function that failed."""
    frame = sys._getframe(1)
    while frame.f_back and Path(frame.f_code.co_filename).name in _JUDGES and _FOLDER in frame.f_code.co_filename:
        frame = frame.f_back
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
