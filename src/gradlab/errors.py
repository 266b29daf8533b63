"""The errors that gradlab raises.

GradlabError
├── CourseError      the files of an assignment: a missing `public_checks.py`, an exercise that it does not define
└── DataError        a data set: missing, corrupt, truncated, too small

A message reads *where: expected X, got Y. What we did. What to do next.*
"""

__all__ = ["CourseError", "DataError", "GradlabError"]


class GradlabError(Exception):
    """Base class of all errors of gradlab. The message says what to do next."""


class CourseError(GradlabError):
    """The files of a course contradict each other. Fix the file that the message names."""


class DataError(GradlabError, ValueError):
    """A data set cannot be used. The message names the file and says how to fix it."""
