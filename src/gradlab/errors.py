"""The errors that gradlab raises.

GradlabError
├── ChecksFailedError  a public check is ✗, and Jupyter's Validate button asks
├── CourseError        the files of an assignment: a missing `public_checks.py`, an exercise that it does not define
└── DataError          a data set: missing, corrupt, truncated, too small

A message reads *where: expected X, got Y. What we did. What to do next.*
"""

import textwrap

__all__ = ["ChecksFailedError", "CourseError", "DataError", "GradlabError"]

_COLUMNS = 80  # the Validate button's command cuts longer lines


class GradlabError(Exception):
    """Base class of all errors of gradlab. The message says what to do next."""


class ChecksFailedError(GradlabError):
    """A solution fails its public checks. Read the lines with ✗: each says what was expected, and gives a hint."""

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows in place of a traceback, which would lead into this package."""
        lines = str(self).split("\n")
        return [part for line in lines for part in textwrap.wrap(line, _COLUMNS, subsequent_indent="    ") or [""]]


class CourseError(GradlabError):
    """The files of a course contradict each other. Fix the file that the message names."""


class DataError(GradlabError, ValueError):
    """A data set cannot be used. The message names the file and says how to fix it."""
