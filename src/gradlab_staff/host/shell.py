"""What a notebook takes for IPython: the answer of ``get_ipython()``, with the magics that change what a cell does."""

from __future__ import annotations

import json
import os
import shlex
import sys
import types
from pathlib import Path
from typing import Any

from .missing import run_file

__all__ = ["Shell"]

_PYLAB = """
import numpy, matplotlib
from matplotlib import pylab, mlab, pyplot
np = numpy; plt = pyplot
from matplotlib.pylab import *
from numpy import *
"""


class Anything:
    """An object whose attributes and calls do nothing."""

    def __getattr__(self, name: str) -> Anything:
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        return None


class Shell(Anything):
    """IPython, as far as a notebook needs it. All that it does not know does nothing."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self.user_ns = namespace
        self.config: dict[str, Any] = {}

    def introduce(self) -> None:
        """Make ``from IPython import get_ipython`` give this shell; IPython itself is imported when a cell asks."""
        module = types.ModuleType("IPython.core.getipython")
        vars(module)["get_ipython"] = lambda: self
        sys.modules[module.__name__] = module

    def run_line_magic(self, name: str, line: str, *_: Any) -> None:
        """Do what ``%name line`` does."""
        if name == "run":
            self._run(shlex.split(line))
        elif name in ("env", "set_env"):
            key, _sign, value = line.replace(" ", "=", 1).partition("=")
            if _sign:
                os.environ[key] = value
        elif name == "cd":
            os.chdir(line.strip("\"' ") or ".")
        elif name == "pylab":
            exec(_PYLAB, self.user_ns)  # noqa: S102 (what IPython does)

    def run_cell_magic(self, name: str, line: str, cell: str) -> None:
        """Do what a cell below ``%%name line`` does."""
        if name in ("writefile", "file"):
            words = shlex.split(line)
            path = Path(words[-1])
            path.parent.mkdir(parents=True, exist_ok=True)  # a command of the shell's may have made it, in Jupyter
            with path.open("a" if words[0] in ("-a", "--append") else "w", encoding="utf-8") as file:
                file.write(cell if cell.endswith("\n") else f"{cell}\n")

    def run_cell(self, source: str, *_: Any, **__: Any) -> None:
        """Run code in the notebook's names."""
        exec(compile(source, "cell", "exec", dont_inherit=True), self.user_ns)  # noqa: S102 (what IPython does)

    def magic(self, line: str) -> None:
        """Do what ``%line`` does."""
        name, _, rest = line.lstrip("%").partition(" ")
        self.run_line_magic(name, rest)

    def _run(self, words: list[str]) -> None:
        """Run a script in names of its own, which are the notebook's afterwards, or with ``-i`` in the notebook's.

        Another notebook is run in this one's names, too.
        """
        first = next(place for place, word in enumerate(words) if not word.startswith("-"))
        name = words[first] if Path(words[first]).exists() else f"{words[first]}.py"
        space = self.user_ns if "-i" in words[:first] else {"__name__": "__main__", "__file__": name}
        arguments, sys.argv = sys.argv, words[first:]
        try:
            if name.endswith(".ipynb"):
                for source in _sources(name):
                    exec(compile(source, name, "exec", dont_inherit=True), self.user_ns)  # noqa: S102 (what IPython does)
            else:
                run_file(name, space)
        finally:
            sys.argv = arguments
        if space is not self.user_ns:
            self.user_ns.update({name: value for name, value in space.items() if not name.startswith("__")})


def _sources(notebook: str) -> list[str]:
    """Return the code cells of a notebook, without the lines that are IPython's."""
    cells = json.loads(Path(notebook).read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]).split("\n") for cell in cells if cell["cell_type"] == "code"]
    return ["\n".join(line if line.lstrip()[:1] not in ("%", "!", "?") else "pass" for line in lines) for lines in code]
