"""The kit's errors, as one tree.

GradlabError
├── CourseError      the instructor's files: notebook, metadata, graders, reference
├── DataError        a data set: missing, corrupt, truncated, too small
├── GraderError      a hidden grader broke; the student is not charged for it
├── SandboxError     the sandbox cannot be built, or is not as strong as asked
└── GradebookError   the gradebook cannot be read or written

A message reads *where: expected X, got Y. What we did. What to run next.*
"""

__all__ = ["CourseError", "DataError", "GradebookError", "GraderError", "GradlabError", "SandboxError"]


class GradlabError(Exception):
    """The kit could not do what was asked; the message says what to do next."""


class CourseError(GradlabError):
    """The instructor's files contradict each other. Mend the file that the message names."""


class DataError(GradlabError, ValueError):
    """A data set cannot be used. The message names the file and the remedy."""


class GraderError(GradlabError):
    """A hidden grader broke. No score was written; mend the grader and grade again."""


class SandboxError(GradlabError):
    """No sandbox of the strength asked for can be built here. The message says what is missing."""


class GradebookError(GradlabError):
    """The gradebook cannot be read or written. Nothing was changed; the message says what to do."""
