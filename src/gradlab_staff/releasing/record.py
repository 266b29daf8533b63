"""The recorded outputs of the reference: ``reference/<assignment>.json``, written by ``gradlab record``."""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import platform
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from gradlab_staff.course import Assignment
from gradlab_staff.course.modules import load_module
from gradlab_staff.course.reference import Namespace, reference_namespace
from gradlab_staff.errors import CourseError

__all__ = ["record", "recordings"]


def record(assignment: Assignment) -> Path:
    """Write the recorded outputs of `assignment`, with the versions that made them, and return the file's path.

    Raises
    ------
    CourseError
        If ``recordings.py`` is missing, or one of its functions fails or returns a value that JSON cannot hold.
    """
    made_with = {"gradlab": version("gradlab"), "numpy": np.__version__, "python": platform.python_version()}
    content = {**recordings(assignment), "made_with": made_with}
    path = assignment.recorded
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".json.new")
    fresh.write_text(json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")
    fresh.replace(path)
    return path


def recordings(assignment: Assignment) -> dict[str, Any]:
    """Call each public function of ``recordings.py`` with the reference; return the results by name, as plain data.

    They always run on the synthetic data, whatever GRADLAB_DATA is, so that every machine can reproduce them.

    Raises
    ------
    CourseError
        As for `record`.
    """
    reference = reference_namespace(assignment)
    module = load_module(assignment.graders / "recordings.py")
    with _without_data(), contextlib.redirect_stdout(io.StringIO()):
        return {name: _recorded(f"{assignment.name}/{name}", make, reference) for name, make in _functions(module)}


def _functions(module: ModuleType) -> Iterator[tuple[str, Callable[[Namespace], Any]]]:
    for name, value in vars(module).items():
        if callable(value) and not name.startswith("_") and getattr(value, "__module__", "") == module.__name__:
            yield name, value


def _recorded(where: str, make: Callable[[Namespace], Any], reference: Namespace) -> Any:
    try:
        return _plain(make(reference))
    except CourseError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise CourseError(f"{where}: expected a recording, got {reason}. Fix its function in recordings.py.") from error


def _plain(value: Any) -> Any:
    """Return `value` as data that JSON can hold."""
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise TypeError(f"{value!r} cannot be recorded; return dicts, lists, arrays, strings and finite numbers")


@contextlib.contextmanager
def _without_data() -> Iterator[None]:
    kept = os.environ.pop("GRADLAB_DATA", None)
    try:
        yield
    finally:
        if kept is not None:
            os.environ["GRADLAB_DATA"] = kept
