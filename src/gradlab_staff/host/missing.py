"""Packages that grading has not: what would come of them stands for nothing until it is used.

An annotation, a default or a decorator with ``torch`` in it costs a solution nothing that does not compute with it.
"""

from __future__ import annotations
import __future__

import ast
import importlib.abc
import importlib.machinery
import os
import types
from collections.abc import Iterator, Sequence
from typing import Any

__all__ = ["FUTURE", "MISSED", "Missing", "ModulesBeside", "bind_missing", "run_file"]

FUTURE = sum(getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)
"""The flags with which code is compiled below a ``from __future__ import``."""
MISSED: list[str] = []
"""What modules beside the notebook have asked for and grading has not, a line each."""


class Missing:
    """What an import that failed would have bound. While cells run it is harmless; a call of it later raises."""

    cells_run = False
    """Whether all cells have run: then a call is one by a solution, which needs the package."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Missing:
        if name.startswith("__"):  # lest it passes for an array, an iterator or whatever else is asked for so
            raise AttributeError(name)
        return Missing(f"{self._name}.{name}")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if Missing.cells_run:
            raise ModuleNotFoundError(f"No module named {self._name.partition('.')[0]!r}, which {self._name} is of")
        decorates = len(args) == 1 and not kwargs and isinstance(args[0], types.FunctionType | type)
        return args[0] if decorates else self

    def __getitem__(self, key: Any) -> Missing:
        return self

    def __setitem__(self, key: Any, value: Any) -> None: ...

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __bool__(self) -> bool:
        return False

    def __enter__(self) -> Missing:
        return self

    def __exit__(self, *_: object) -> None: ...

    def __or__(self, other: Any) -> Missing:
        return self

    __ror__ = __or__

    def __instancecheck__(self, thing: Any) -> bool:
        return False

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        return (object,)  # a class derived from it is one of its own

    def __repr__(self) -> str:
        return f"<{self._name}, which grading has not>"


def bind_missing(node: ast.stmt, error: BaseException, namespace: dict[str, Any]) -> bool:
    """Bind what an import would have bound whose package is missing; return whether it is such an import."""
    if not (isinstance(node, ast.Import | ast.ImportFrom) and isinstance(error, ModuleNotFoundError)):
        return False
    above = f"{node.module or ''}." if isinstance(node, ast.ImportFrom) else ""
    for alias in node.names:
        whole = alias.asname or isinstance(node, ast.ImportFrom)
        name = alias.asname or (alias.name if whole else alias.name.partition(".")[0])
        if name != "*":
            namespace[name] = Missing(above + (alias.name if whole else name))
    return True


class ModulesBeside(importlib.abc.MetaPathFinder):
    """Finds the modules that lie in the working folder, beside the notebook, and runs them as `run_file` does."""

    def __init__(self) -> None:
        self._folder = os.getcwd()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return how to load a module that lies there, or in a package there; None for any other."""
        places = [self._folder] if path is None else [place for place in path if place.startswith(self._folder)]
        spec = importlib.machinery.PathFinder.find_spec(fullname, places, target) if places else None
        if spec is None or not (spec.origin or "").endswith(".py"):
            return None
        spec.loader = _Loader(fullname, str(spec.origin))
        return spec


class _Loader(importlib.machinery.SourceFileLoader):
    def exec_module(self, module: types.ModuleType) -> None:
        """Run the module."""
        run_file(self.path, vars(module))


def run_file(path: str, namespace: dict[str, Any]) -> None:
    """Run a Python file in a namespace, past its imports of what is missing: these are noted in `MISSED`."""
    with open(path, "rb") as file:
        source = file.read()
    tree, flags = ast.parse(source, path), 0
    for node in tree.body:
        try:
            code = compile(ast.Module([node], []), path, "exec", flags, dont_inherit=True)
            flags |= code.co_flags & FUTURE
            exec(code, namespace)  # noqa: S102 (what an import does)
        except ModuleNotFoundError as error:
            if not bind_missing(node, error, namespace):
                raise
            MISSED.append(f"{os.path.basename(path)}, line {node.lineno}: {error}")
