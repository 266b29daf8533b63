"""The Python files that a course's staff writes beside the graders, as modules."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

from gradlab_staff.errors import CourseError

__all__ = ["load_module"]


def load_module(path: Path) -> ModuleType:
    """A Python file of the course's staff as a module, run anew.

    Raises
    ------
    CourseError
        Where the file is missing or fails.
    """
    if not path.is_file():
        raise CourseError(
            f"{path}: expected a Python file, got none. Write it; docs/architecture.md says what it holds."
        )
    spec = importlib.util.spec_from_file_location(f"{path.parent.name}_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise CourseError(f"{path}: expected a Python file, got one that cannot be imported. Rename it to end in .py.")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise CourseError(f"{path}: expected it to run, got {type(error).__name__}: {error}. Mend the file.") from error
    return module
