"""The notebook that calls `check`: where it lies, what its cells print, and which line of it raised an error."""

import codecs
import contextlib
import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

__all__ = ["errors_as_output", "folders", "is_validated", "line_of", "show"]

_PLAIN = {"✓": "[ok]", "✗": "[x]", "±": "+-", "−": "-", "×": "x", "≈": "~", "…": "..."}
_PLAINLY = "gradlab.plainly"


def _working_folder() -> Path | None:
    try:
        return Path.cwd()
    except OSError:  # it was deleted
        return None


_STARTED = _working_folder()  # of the import: in the first cells, before any `os.chdir`


def folders(names: Mapping[str, Any]) -> Iterator[Path]:
    """Yield the folders in which the notebook may lie, the surest first: cells may change the working directory.

    Parameters
    ----------
    names : dict
        The notebook's names; VS Code tells its file there.
    """
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    for file in (names.get("__vsc_ipynb_file__"), os.environ.get("JPY_SESSION_NAME")):
        if isinstance(file, str) and os.path.isabs(file):
            yield Path(file).parent
    for folder in (getattr(shell, "starting_dir", None), _STARTED, _working_folder()):
        if folder is not None:
            yield Path(folder)


def is_validated() -> bool:
    """Return whether the notebook runs for the Validate button, which takes a cell for right unless it raises."""
    return os.environ.get("NBGRADER_EXECUTION") == "validate"


@contextlib.contextmanager
def errors_as_output() -> Iterator[None]:
    """Send what is written to stderr to stdout: the Validate button takes any text on stderr for a failure.

    A right solution may warn (`overflow encountered in exp`), log, or show a progress bar.
    """
    stream: Any = sys.stderr
    # Whoever kept Jupyter's stream, such as a handler of `logging`, writes to it all the same: it gets the other name.
    rename = getattr(stream, "name", "") == "stderr" and hasattr(stream, "pub_thread")
    with contextlib.redirect_stderr(sys.stdout):
        try:
            if rename:
                stream.flush()
                stream.name = "stdout"
            yield
        finally:
            if rename:
                stream.flush()
                stream.name = "stderr"


def show(text: str) -> None:
    """Print the text; what the output's encoding lacks, such as ✓ in Windows' cp1252, in plain characters."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(text.encode(encoding, _PLAINLY).decode(encoding))


def _plainly(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_PLAIN.get(char, "?") for char in error.object[error.start : error.end]), error.end


codecs.register_error(_PLAINLY, _plainly)


def line_of(tb: TracebackType | None, names: Mapping[str, Any] | None) -> traceback.FrameSummary | None:
    """Return the last line of the notebook in a traceback: its functions are those that have its names as globals.

    A file's name tells less: that of a cell is not on disk, but nor is that of a compiled module's line.
    """
    frames = [(frame, line) for frame, line in traceback.walk_tb(tb) if frame.f_globals is names]
    return traceback.StackSummary.extract(iter(frames[-1:]))[-1] if frames else None
