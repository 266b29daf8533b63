"""Matplotlib's interactive backends: where there is no screen, they draw as Agg does."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Sequence

__all__ = ["draw_without_a_screen"]

_PACKAGE = "matplotlib.backends.backend_"
_INTERACTIVE = {"gtk3agg", "gtk4agg", "macosx", "nbagg", "qtagg", "qt5agg", "tkagg", "webagg", "wx", "wxagg"}


class _Backends(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Loads Agg by the name of a backend that needs a screen: whoever asks for one in Jupyter has one there."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return how to load such a backend; None for any other module."""
        if fullname.removeprefix(_PACKAGE) in _INTERACTIVE:
            return importlib.machinery.ModuleSpec(fullname, self)
        return None

    def exec_module(self, module: types.ModuleType) -> None:
        """Fill a backend with what Agg has."""
        from matplotlib.backends import backend_agg

        vars(module).update({name: value for name, value in vars(backend_agg).items() if not name.startswith("__")})


def draw_without_a_screen() -> None:
    """Let notebooks ask for interactive backends; Matplotlib itself is imported when a cell asks for it."""
    sys.meta_path.insert(0, _Backends())
