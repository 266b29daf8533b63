"""Runs a notebook's cells as IPython does, but for one thing: a statement that fails costs that statement alone."""

from __future__ import annotations

import ast
import builtins
import inspect
import linecache
import sys
import types
import warnings
from collections.abc import Callable, Container, Sequence
from typing import Any

from .missing import FUTURE, MISSED, Missing, ModulesBeside, bind_missing
from .shell import Shell

__all__ = ["Cells", "Failure", "described", "new_namespace"]

MESSAGE_CHARS = 2000
TRACEBACK_FRAMES = 6
MAX_FAILURES = 20
_MISSING = object()

Failure = list[Any]
"""A statement that failed: its place in the cell, its line, and how it failed."""


class Cells:
    """The notebook's namespace, and what happens in it.

    `tell` is called with place and line of each statement before it is run: the other side learns from it where a cell
    hung. Exceptions of the `outer` types are not the student's.
    """

    def __init__(
        self,
        namespace: dict[str, Any],
        tell: Callable[[int, int], None] = lambda place, line: None,
        outer: tuple[type[BaseException], ...] = (),
    ) -> None:
        self.namespace = namespace
        self._tell = tell
        self._outer = outer
        self._flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        self._given: dict[str, Any] = {}
        self._shadowed: dict[str, Any] = {}
        self._loop: Any = None

    def look_beside(self) -> None:
        """Let imports find what lies beside the notebook, first of all, as Jupyter does; ours have been made."""
        sys.path.insert(0, "")
        sys.meta_path.insert(0, ModulesBeside())

    def run(
        self, label: str, source: str, only: Container[int] | None = None, kind: str = "", keeps: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Run the statements of a cell, or `only` some; return those that failed, and what was missing beside.

        A blank ends the cell. The names that a cell of `kind` "given" binds are the assignment's own. A "stub" takes no
        name from the student. Where a cell binds a name that it `keeps` to a value (``dropout = 0.5``, below the check
        of that exercise), the function or class of that name is the exercise's all the same.

        Raises
        ------
        SyntaxError
            Where the cell does not parse: then nothing of it is run.
        """
        linecache.cache[label] = (len(source), None, source.splitlines(keepends=True), label)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            tree = ast.parse(source, label)
        nodes = [(place, node) for place, node in enumerate(tree.body) if only is None or place in only]
        before = dict(self.namespace)
        MISSED.clear()
        failures = self._driven(self._run_nodes(label, nodes), "async" in source or "await" in source)
        self._mind_names(before, kind, keeps)
        return {"failed": failures, "missing": MISSED[:MAX_FAILURES]}

    def _mind_names(self, before: dict[str, Any], kind: str, keeps: Sequence[str]) -> None:
        """See to it that a cell takes no name that is not its own to take."""
        if kind == "given":
            changed = {name: value for name, value in self.namespace.items() if before.get(name, _MISSING) is not value}
            self._given |= changed
        elif kind == "stub":
            own = {name: value for name, value in before.items() if self._given.get(name, _MISSING) is not value}
            self.namespace.update(own)
        lost = {name: before[name] for name in keeps if _is_definition(before.get(name))}
        self._shadowed = {
            name: value
            for name, value in (self._shadowed | lost).items()
            if not _is_definition(self.namespace.get(name))  # whoever defines it again means the new one
        }

    def finish(self) -> None:
        """Close the event loop: all cells have run, and what they left running in it ends."""
        Missing.cells_run = True
        self.namespace.update(self._shadowed)
        self._shadowed.clear()
        if self._loop is not None:
            import asyncio

            for task in asyncio.all_tasks(self._loop):
                task.cancel()
            self._loop.close()
            self._loop = None

    async def _run_nodes(self, label: str, nodes: Sequence[tuple[int, ast.stmt]]) -> list[Failure]:
        failures: list[Failure] = []
        for place, node in nodes:
            self._tell(place, node.lineno)
            try:
                code = self._compiled(node, label)
                if code.co_flags & inspect.CO_COROUTINE:
                    await eval(code, self.namespace)  # noqa: S307 (this is what a host is for)
                else:
                    exec(code, self.namespace)  # noqa: S102 (this is what a host is for)
            except self._outer:
                raise
            except BaseException as error:  # noqa: BLE001 (SystemExit and the like are the student's failure, not ours)
                bind_missing(node, error, self.namespace)
                if len(failures) < MAX_FAILURES:
                    failures.append([place, node.lineno, described(error)])
                if isinstance(error, NotImplementedError):  # a blank: nothing below it was meant to run yet
                    break
        return failures

    def _compiled(self, node: ast.stmt, label: str) -> types.CodeType:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            code: types.CodeType = compile(ast.Module([node], []), label, "exec", self._flags, dont_inherit=True)
        self._flags |= code.co_flags & FUTURE  # as in IPython, it holds for the cells below, too
        return code

    def _driven(self, coroutine: Any, in_loop: bool) -> list[Failure]:
        """Return what a coroutine returns: in an event loop, as in a kernel, where the cell may need one."""
        if in_loop:
            import asyncio  # a cell in a hundred needs it, and it takes a tenth of a host's start

            self._loop = self._loop or asyncio.new_event_loop()
            return self._loop.run_until_complete(coroutine)  # type: ignore[no-any-return]
        try:
            coroutine.send(None)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]
        coroutine.close()
        raise RuntimeError("the cell waits, and nothing runs beside it")


def described(error: BaseException) -> dict[str, Any]:
    """Return an exception of the student's code as plain data: its type, its words, and its lines of the notebook."""
    import traceback

    frames = [
        [frame.filename[:200], frame.lineno or 0, (frame.line or "")[:200]]
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename.startswith("cell ")
    ]
    try:
        message = str(error)[:MESSAGE_CHARS]
    except BaseException:  # noqa: BLE001 (an exception whose __str__ raises is still one exception)
        message = ""
    return {
        "type": type(error).__name__[:100],
        "message": message,
        "frames": frames[-TRACEBACK_FRAMES:],
        "not_implemented": isinstance(error, NotImplementedError),
    }


def new_namespace() -> dict[str, Any]:
    """Return the names that a notebook has before its first cell, in the module that takes itself for the main one."""
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    namespace = vars(module)
    shell = Shell(namespace)
    shell.introduce()
    namespace.update(get_ipython=lambda: shell, display=lambda *args, **kwargs: None, In=[], Out={}, _="")
    # Python's own for people: they end a kernel and not a cell, or print much
    namespace.update(dict.fromkeys(("exit", "quit", "help", "copyright", "credits", "license"), _does_nothing))
    namespace["__builtins__"] = builtins
    return namespace


def _does_nothing(*args: Any) -> None: ...


def _is_definition(value: Any) -> bool:
    return isinstance(value, types.FunctionType | type)
