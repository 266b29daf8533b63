"""Import of the Python files that the course's staff writes beside the graders."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

from gradlab_staff.errors import CourseError

__all__ = ["load_module"]


def load_module(path: Path) -> ModuleType:
    """Run a Python file of the course's staff and return it as a module; each call runs it again.

    Raises
    ------
    CourseError
        If the file is missing or raises an error.
    """
    if not path.is_file():
        raise CourseError(
            f"{path}: expected a Python file, got none. Write it; docs/architecture.md describes its contents."
        )
    spec = importlib.util.spec_from_file_location(f"{path.parent.name}_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise CourseError(f"{path}: expected a Python file, got one that cannot be imported. Rename it to end in .py.")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise CourseError(f"{path}: expected it to run, got {type(error).__name__}: {error}. Fix the file.") from error
    return module
