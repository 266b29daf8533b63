"""How much of a submission is taken, by intake and by what collects for it: one set of numbers."""

__all__ = ["MAX_ALL_BYTES", "MAX_FILES", "MAX_FILE_BYTES"]

MAX_FILES = 200
"""Files beside the notebook."""
MAX_FILE_BYTES = 16 << 20
"""Of one of them."""
MAX_ALL_BYTES = 64 << 20
"""Of all of them together."""
