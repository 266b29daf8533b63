"""The host: runs a notebook's cells and answers calls. The only code that runs in a process with student code.

It is started inside the sandbox by `sandbox.bubblewrap` and communicates over one socket. A *request* is a dict with
an ``op`` (the ``op_`` methods of `Host`); the answer holds ``ok``, or ``error``, or ``callback``: a call to the trusted
side, whose reply (or a further request, while the trusted side works on it) comes next. Nothing here is trusted:
student code can change anything in this process, but all that leaves it is data that the grader judges.
"""

from __future__ import annotations

import contextlib
import io
import os
import resource
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

import gradlab

from .backends import draw_without_a_screen
from .cells import Cells, described, new_namespace
from .codec import CodecError
from .wire import HungUpError, receive, send

__all__ = ["main"]


_BEFORE_CALLS = ("lay", "open", "run")
"""The requests that make the notebook's namespace; with any other, all cells have run."""
_UNBOUND = object()


class Printed(io.TextIOBase):
    """The stream that receives printed output: counted and discarded."""

    def __init__(self) -> None:
        self.count = 0

    def write(self, text: str) -> int:
        self.count += len(text)
        return len(text)

    def writable(self) -> bool:
        return True


class StandIn:
    """An object whose methods call back to the trusted side; its attributes are ordinary ones."""

    reads: tuple[str, ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        cls = type(self)
        with cls._host.turn:  # type: ignore[attr-defined]
            made = cls._host.call_back(cls._id, "__init__", args, kwargs)  # type: ignore[attr-defined]
            cls._host.adopt(self, made)  # type: ignore[attr-defined]


def _forwarder(host: Host, method: str) -> Any:
    def forward(self: StandIn, *args: Any, **kwargs: Any) -> Any:
        return host.call_back(host.stand_in_ids[id(self)], method, args, kwargs)

    forward.__name__ = method
    return forward


class Host:
    """The server of the requests that arrive over `connection`."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.turn = threading.RLock()
        self.printed = Printed()
        self.namespace = new_namespace()
        self.cells = Cells(self.namespace, self._tell, outer=(HungUpError,))
        self.handles: dict[int, Any] = {}
        self.handle_ids: dict[int, int] = {}
        self.stand_ins: dict[int, Any] = {}
        self.stand_in_ids: dict[int, int] = {}
        self.covered: list[dict[str, Any]] = []

    # -- the wire ---

    def serve(self) -> None:
        """Answer requests until the other side hangs up."""
        while True:
            self._answer(self._receive())

    def _answer(self, request: dict[str, Any]) -> None:
        started_s = time.process_time()
        before = self.printed.count
        if request["op"] not in _BEFORE_CALLS:
            self.cells.finish()
        try:
            reply: dict[str, Any] = {"ok": getattr(self, f"op_{request.pop('op')}")(**request)}
        except HungUpError:
            raise
        except BaseException as error:  # noqa: BLE001 (SystemExit and the like are the student's failure, not ours)
            reply = {"error": described(error)}
        reply |= {"printed": self.printed.count - before, "cpu_s": time.process_time() - started_s}
        reply["states"] = self._states()
        try:
            self._send(reply)
        except CodecError as error:
            self._send({"error": {"type": "CodecError", "message": str(error), "frames": []}})

    def _send(self, message: dict[str, Any]) -> None:
        send(lambda: self.connection, message, self._opaque)

    def _tell(self, place: int, line: int) -> None:
        """Say which statement of a cell comes next; no answer is expected."""
        self._send({"at": [place, line]})

    def _receive(self) -> dict[str, Any]:
        message: dict[str, Any] = receive(lambda: self.connection, self._local)
        return message

    def _opaque(self, value: Any) -> list[Any]:
        """Return the token of an object that stays in this process."""
        if id(value) in self.stand_in_ids:
            return ["stand_in", self.stand_in_ids[id(value)]]
        handle = self.handle_ids.get(id(value))
        if handle is None:
            handle = len(self.handles) + 1
            self.handles[handle] = value
            self.handle_ids[id(value)] = handle
        return ["own", handle, callable(value), type(value).__name__[:100]]

    def _local(self, token: list[Any]) -> Any:
        """Return the object that a token from the trusted side refers to."""
        if token[0] == "own":
            return self.handles[token[1]]
        return self.stand_ins[token[1]]

    # -- calls back ---

    def call_back(self, target: int, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return the trusted side's answer to ``target.method(*args, **kwargs)``; students' threads take turns."""
        with self.turn:
            self._send(
                {"callback": target, "method": method, "args": list(args), "kwargs": kwargs, "states": self._states()}
            )
            while "op" in (message := self._receive()):
                self._answer(message)
        if "error" in message:
            raise RuntimeError(message["error"])
        for number, state in message.get("states", {}).items():
            vars(self.stand_ins[number]).update(state)
        return message["ok"]

    def _states(self) -> dict[int, dict[str, Any]]:
        """Return the attributes that the trusted side reads back from each stand-in object."""
        return {
            number: {name: value for name, value in vars(thing).items() if name in type(thing).reads}
            for number, thing in self.stand_ins.items()
            if isinstance(thing, StandIn)
        }

    def adopt(self, thing: StandIn, made: tuple[int, dict[str, Any]]) -> None:
        """Make `thing` the stand-in of the trusted object that was just created."""
        number, state = made
        self._keep(number, thing)
        vars(thing).update(state)

    # -- requests ---

    def op_lay(self, path: str, data: bytes) -> None:
        """Lay a file that was handed in beside the notebook into the working folder."""
        place = Path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)

    def op_open(self) -> None:
        """All files have been laid: let imports find them."""
        self.cells.look_beside()

    def op_run(self, label: str, source: str, only: list[int] | None, kind: str, keeps: list[str]) -> dict[str, Any]:
        """Run one cell, or `only` some of its statements, and return those that failed."""
        return self.cells.run(label, source, only, kind, keeps)

    def op_name(self, name: str) -> Any:
        """Return the value of a name in the notebook."""
        if name not in self.namespace:
            raise NameError(f"name '{name}' is not defined in the notebook")
        return self.namespace[name]

    def op_get(self, target: Any, name: str) -> Any:
        """Return an attribute."""
        return getattr(target, name)

    def op_set(self, target: Any, name: str, value: Any) -> None:
        """Set an attribute; if it is a dict behind a read-only property, update the dict in place."""
        try:
            setattr(target, name, value)
        except AttributeError:
            current = getattr(target, name)
            if not (isinstance(current, dict) and isinstance(value, dict)):
                raise
            current.update(value)

    def op_call(self, target: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
        """Call the target and return the result."""
        return target(*args, **kwargs)

    def op_keep(self, value: Any) -> int:
        """Keep a value in this process and return its number, so that several calls can get the same object."""
        return int(self._opaque(value)[1])

    def op_seed(self, seed: int) -> None:
        """Seed numpy's global generator, so that verdicts are reproducible; release the objects of the last check."""
        import numpy as np

        np.random.seed(seed)
        self.handles.clear()
        self.handle_ids.clear()
        for number in [number for number, thing in self.stand_ins.items() if isinstance(thing, StandIn)]:
            self.stand_in_ids.pop(id(self.stand_ins.pop(number)), None)

    def op_stand_in(
        self, number: int, name: str, kind: str, methods: list[str], reads: list[str], state: dict[str, Any]
    ) -> None:
        """Create the stand-in of a function, a class or an object of the trusted side."""
        if kind == "function":

            def function(*args: Any, **kwargs: Any) -> Any:
                return self.call_back(number, "__call__", args, kwargs)

            function.__name__ = function.__qualname__ = name
            self._keep(number, function)
            return
        members = {method: _forwarder(self, method) for method in methods}
        cls = type(name, (StandIn,), {**members, "_host": self, "_id": number, "reads": tuple(reads)})
        if kind == "class":
            self._keep(number, cls)
        else:
            self.adopt(object.__new__(cls), (number, state))

    def _keep(self, number: int, thing: Any) -> None:
        # A run on a host that another run has used counts from 1 again: the previous object with this number is gone,
        # and an object of the student's may get its id.
        self.stand_in_ids.pop(id(self.stand_ins.get(number)), None)
        self.stand_ins[number] = thing
        self.stand_in_ids[id(thing)] = number

    def op_cover(self, names: dict[str, Any]) -> None:
        """Bind names in the notebook to stand-ins until `uncover`; what was covered before stays below."""
        self.covered.append({name: self.namespace.get(name, _UNBOUND) for name in names})
        self.namespace.update(names)

    def op_uncover(self) -> None:
        """Restore the values of the names that were covered last."""
        for name, thing in self.covered.pop().items():
            if thing is _UNBOUND:
                self.namespace.pop(name, None)
            else:
                self.namespace[name] = thing


def _drop_privileges(uid: int) -> None:
    """Drop to user `uid`; do nothing unless started as root."""
    if uid and os.getuid() == 0:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)


def _limit(limits: dict[str, int]) -> None:
    for name, value in limits.items():
        limit = getattr(resource, f"RLIMIT_{name}")
        _, hard = resource.getrlimit(limit)
        resource.setrlimit(limit, (value, value if hard == resource.RLIM_INFINITY else min(value, hard)))


def _tell_own_memory(limit_bytes: int) -> None:
    """Let `os.sysconf` answer with our limit, not with the machine's memory: its neighbours' part in it is a channel.

    The system call is refused, and the C library then answers with noise.
    """
    ask, pages = os.sysconf, limit_bytes // os.sysconf("SC_PAGE_SIZE")
    names = ("SC_PHYS_PAGES", "SC_AVPHYS_PAGES")
    of_memory = {*names, *(os.sysconf_names[name] for name in names)}
    os.sysconf = lambda name, /: pages if name in of_memory else ask(name)


def main(fd: int, uid: int, limits: dict[str, int]) -> None:
    """Serve requests until the other side hangs up, then exit the process.

    Parameters
    ----------
    fd
        The inherited socket.
    uid
        The user to run as if started by root; 0 to keep the user.
    limits
        Resource limits, by the names of ``RLIMIT_*`` without the prefix.
    """
    _drop_privileges(uid)
    _limit(limits)
    _tell_own_memory(limits.get("AS", 0))
    os.mkdir("notebook")
    os.chdir("notebook")
    connection = socket.socket(fileno=fd)
    connection.sendall(b"ready")
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    os.close(null)
    host = Host(connection)
    draw_without_a_screen()
    gradlab.check = lambda *args, **kwargs: None  # public checks are for students: nothing reads their output here
    sys.stdout = sys.stderr = host.printed
    with contextlib.suppress(HungUpError, BrokenPipeError, ConnectionResetError):
        host.serve()
    os._exit(0)
