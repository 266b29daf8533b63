"""The kit's errors, as one tree; the student's package has the upper part of it.

GradlabError
├── CourseError      the instructor's files: notebook, metadata, graders, reference
├── DataError        a data set: missing, corrupt, truncated, too small
├── GraderError      a hidden grader broke; the student is not charged for it
├── SandboxError     the sandbox cannot be built, or is not as strong as asked
└── GradebookError   the gradebook cannot be read or written

A message reads *where: expected X, got Y. What we did. What to run next.*
"""

from gradlab.errors import CourseError, DataError, GradlabError

__all__ = ["CourseError", "DataError", "GradebookError", "GraderError", "GradlabError", "SandboxError"]


class GraderError(GradlabError):
    """A hidden grader broke. No score was written; fix the grader and grade again.

    It is `transient` where the machine was to blame: no room, no sandbox. Then the next run may fare better.
    """

    transient = False


class SandboxError(GradlabError):
    """No sandbox of the strength asked for can be built here. The message says what is missing."""


class GradebookError(GradlabError):
    """The gradebook cannot be read or written. Nothing was changed; the message says what to do."""
