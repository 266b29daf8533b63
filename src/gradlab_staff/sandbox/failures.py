"""How a request to the host fails, in words that are safe to show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradlab_staff.text import clean

__all__ = ["HostDiedError", "HostTimedOutError", "SubmissionError", "submission_error"]

_MESSAGE_CHARS = 2000
_ENDLESS = "Does a loop never end?"


class SubmissionError(Exception):
    """The student's code raised: the exception's type and message, and the lines of the notebook it came through."""

    def __init__(self, kind: str, message: str, frames: Sequence[tuple[str, int, str]], *, stub: bool = False) -> None:
        super().__init__(kind, message)
        self.kind, self.message, self.frames, self.stub = kind, message, tuple(frames), stub

    def __str__(self) -> str:
        where = "".join(f"\n  {cell}, line {line}: {text}" for cell, line, text in self.frames[-3:])
        return f"{self.kind}: {self.message}" + where


class HostDiedError(Exception):
    """The host ended, or answered with bytes that are no answer; `limit_exceeded` where it used too much."""

    limit_exceeded = False


class HostTimedOutError(Exception):
    """No answer came `within` a time, said in words; `for_good` where nothing is left for the next request either."""

    def __init__(self, message: str = "", *, within: str = "", for_good: bool = False) -> None:
        super().__init__(message or f"Expected an answer within {within or 'its time'}, none came. {_ENDLESS}")
        self.within, self.for_good = within, for_good


def submission_error(error: Any) -> SubmissionError:
    """Return the student's exception, from a reply that may hold anything."""
    fields = error if type(error) is dict else {}
    kind, message, frames = fields.get("type"), fields.get("message"), fields.get("frames")
    safe = [
        (clean(frame[0], 200), frame[1], clean(frame[2], 200))
        for frame in (frames if type(frames) is list else [])[:10]
        if type(frame) is list and [type(part) for part in frame] == [str, int, str]
    ]
    return SubmissionError(
        clean(kind, 100) if type(kind) is str else "Exception",
        clean(message, _MESSAGE_CHARS) if type(message) is str else "",
        safe,
        stub=fields.get("not_implemented") is True,
    )
