"""A session with a host: starts it, runs the cells, carries requests, and starts anew after a death or a time-out."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from gradlab_staff.host.codec import CodecError, TooLargeError
from gradlab_staff.host.wire import HungUpError, receive, send
from gradlab_staff.sandbox.alarm import AlarmError, alarm
from gradlab_staff.sandbox.bubblewrap import Sandbox, start_sandbox
from gradlab_staff.sandbox.budget import Budget, Limit
from gradlab_staff.sandbox.cells import Cells, CellToRun, place_in
from gradlab_staff.sandbox.failures import HostDiedError, HostTimedOutError, SubmissionError, submission_error
from gradlab_staff.sandbox.meter import SLICE_S, Meter
from gradlab_staff.sandbox.remote import Remote, without_nothing
from gradlab_staff.sandbox.setup import Setup
from gradlab_staff.text import clean

__all__ = ["CellToRun", "Peer", "Session"]

REQUEST_S = 60.0
"""CPU time of a request that no check has set a limit for."""
HOUSEKEEPING_S = 5.0
"""The same, of a request that makes the host ready for a check, or tidies up: none takes long, unless it is made to."""
_HOUSEKEEPING = ("seed", "stand_in", "cover", "uncover", "keep")
NESTED_CALLS = 8
_ANSWERING = ("call", "get", "set")
"""The requests that run what the grader asked for. While a cell runs, or the host is made ready for a check, nothing is
called back: an exercise's own time is no time to ask the reference."""
_READ, _WRITE = select.POLLIN, select.POLLOUT


class Peer(Protocol):
    """What a session asks of the trusted side's objects that the sandbox may know."""

    def token(self, value: Any) -> list[Any]:
        """Return the token under which the sandbox knows a trusted object.

        Raises
        ------
        CodecError
            Where it knows no such object.
        """

    def thing(self, token: list[Any]) -> Any:
        """Return the trusted object of a token.

        Raises
        ------
        CodecError
            Where there is none.
        """

    def call_back(self, message: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to a call of the sandbox's to a trusted object."""

    def synchronise(self, states: Any) -> None:
        """Give the trusted objects what the sandbox has changed of their state."""


class Session:
    """The host of one submission. Requests go to a running host; a dead one is replaced, and its cells run again."""

    def __init__(
        self,
        cells: Sequence[CellToRun],
        peer: Peer,
        setup: Setup | None = None,
        budget: Budget | None = None,
    ) -> None:
        self.cells = tuple(cells)
        self.peer = peer
        self.setup = setup or Setup()
        self.budget = budget or Budget.of(self.setup.limits)
        self.sandbox: Sandbox | None = None
        self.generation = 0
        self.warnings: list[str] = []
        self.protections = ""
        self.printed = 0
        self.cpu_s = 0.0
        """The CPU time of all its hosts so far, read from outside."""
        self.cell_s = self.setup.limits.cell_s
        self._cells = Cells(self.cells, self.setup, self._warn)
        self._reported: set[str] = set()
        self._depth = 0
        self._limit = Limit()
        self._apart_s = self._apart_cpu_s = 0.0
        """What starting hosts and running their cells has taken: the clocks of limits stood still meanwhile."""
        self._meter: Meter | None = None
        self._poll, self._event = select.poll(), _READ

    # -- life ---

    def start(self) -> None:
        """Start a host and run the cells in it. A cell that hangs or kills the host is skipped and reported.

        Raises
        ------
        HostTimedOutError
            Where the submission has used up its time.
        SandboxError
            Where no sandbox can be built here.
        """
        if self.sandbox is None:
            with self._apart():
                while self.sandbox is None:
                    self._start_host()

    def _start_host(self) -> None:
        self.check_budget()
        with self.budget.running():
            self.sandbox = start_sandbox(self.setup)
        self._meter = Meter(self.sandbox.process.pid, self.sandbox.cgroup)
        self._attend(self.sandbox.connection)
        self._event = _READ
        self.protections = self.sandbox.protections
        self.generation += 1
        with self.limited(REQUEST_S):
            self._lay_files()
        self._cells.run(self._run_cell, self.cell_s)

    @contextlib.contextmanager
    def _apart(self) -> Iterator[None]:
        """Have what the block uses count to no limit around it: a check pays for no host that ended in it.

        The budget counts it all the same.
        """
        outer, begun_s, begun_cpu_s = self._limit, time.monotonic(), self.cpu_s
        self._limit = Limit()
        try:
            yield
        finally:
            self._read_meter()
            self._apart_s += time.monotonic() - begun_s
            self._apart_cpu_s += self.cpu_s - begun_cpu_s
            self._limit = outer

    def _attend(self, connection: socket.socket) -> None:
        """Wait for answers on a connection from now on."""
        connection.setblocking(False)
        self._poll = select.poll()
        self._poll.register(connection, _READ)

    def stop(self) -> None:
        """End the host, if one runs."""
        if self.sandbox is not None:
            self._read_meter()
            self.sandbox.stop()
            self.sandbox = None

    def check_budget(self) -> None:
        """Do nothing, as long as something is left of the submission's budget.

        Raises
        ------
        HostTimedOutError
            Where it is used up.
        """
        if self.budget.used_up:
            what = self.budget.what
            self._warn(f"the submission used up its {what}; the remaining checks timed out.")
            raise HostTimedOutError(f"Not run to the end: the submission used up its {what}.", for_good=True)

    @contextlib.contextmanager
    def limited(self, limit_s: float) -> Iterator[None]:
        """Hold the requests of the block to `limit_s` of the sandbox's CPU time, and to a multiple of wall time.

        What holds around it holds in it, too.
        """
        outer = self._limit
        self._limit = Limit(limit_s, *self._used_s, outer)
        try:
            yield
        finally:
            self._limit = outer

    @property
    def is_late(self) -> bool:
        """Return whether what holds now is used up: then the next request times out as well."""
        return self._limit.used_up(*self._used_s) is not None or self._limit.is_over(self._used_s[0])

    @property
    def _used_s(self) -> tuple[float, float]:
        """Return the clocks of limits, in seconds: the monotonic one and the sandbox's CPU time, without `_apart`."""
        return time.monotonic() - self._apart_s, self.cpu_s - self._apart_cpu_s

    def _lay_files(self) -> None:
        """Lay what was handed in beside the notebook into the working folder, and let the cells import it."""
        for path, copy in self.setup.files.items():
            try:
                self._request({"op": "lay", "path": path, "data": np.frombuffer(copy.read_bytes(), np.uint8)})
            except SubmissionError as error:
                got = f"{error.kind}: {error.message}"
                self._warn(f"{path}: expected to lay it beside the notebook, got {got}. Skipped it.")
        self._request({"op": "open"})

    def _run_cell(self, message: dict[str, Any], limit_s: float) -> Any:
        with self.limited(limit_s):
            return self._request(message)

    def _warn(self, text: str) -> None:
        if text not in self._reported:
            self._reported.add(text)
            self.warnings.append(clean(text))

    # -- requests ---

    def request(self, op: str, **fields: Any) -> Any:
        """Return what the host answers.

        Raises
        ------
        SubmissionError
            Where the student's code raised.
        HostDiedError, HostTimedOutError
            Where no answer came; the next request goes to a fresh host.
        """
        self.start()
        if self._limit.limit_s < float("inf") and op not in _HOUSEKEEPING:
            return self._request({"op": op, **without_nothing(fields)})
        with self.limited(HOUSEKEEPING_S if op in _HOUSEKEEPING else REQUEST_S):
            return self._request({"op": op, **without_nothing(fields)})

    def _request(self, message: dict[str, Any]) -> Any:
        if self._depth >= NESTED_CALLS:
            raise SubmissionError("RecursionError", "calls to the reference and back are nested too deep", ())
        self._depth += 1
        self.budget.resume()
        try:
            self._send(message)
            while True:
                reply = self._receive()
                if "at" in reply:
                    self._cells.at = place_in(reply["at"])
                elif "callback" in reply and message["op"] not in _ANSWERING:
                    self._send({"error": "RuntimeError: there is nothing to ask now"})
                elif "callback" in reply:
                    self._send(self._reply_to(reply))
                else:
                    return self._judge(reply)
        except HostDiedError as error:
            limit = self._limit_exceeded()
            self.stop()
            if limit:
                error.args, error.limit_exceeded = (limit,), True
            raise
        except HostTimedOutError:
            self.stop()
            raise
        finally:
            self._depth -= 1
            self.budget.pause()

    def _limit_exceeded(self) -> str:
        """Return the limit that the host exceeded, or nothing."""
        return self.sandbox.limit_exceeded if self.sandbox is not None else ""

    def _reply_to(self, message: dict[str, Any]) -> dict[str, Any]:
        """Return the trusted side's answer to a call back. What fails in it is raised in the student's code."""
        try:
            with alarm(self._ends_s - time.monotonic()):
                return self.peer.call_back(message)
        except (HostDiedError, HostTimedOutError):
            raise
        except AlarmError:
            self.check_budget()
            raise self._late() from None
        except Exception as error:  # noqa: BLE001 (a wrong call by the student's code may fail in any way)
            return {"error": _described(error)}

    def _judge(self, reply: dict[str, Any]) -> Any:
        printed = reply.get("printed", 0)
        self.printed = printed if type(printed) is int else 0
        states = reply.get("states")
        if type(states) is dict and states:
            self.peer.synchronise(states)
        if "error" in reply:
            raise submission_error(reply["error"])
        if "ok" not in reply:
            raise HostDiedError("it sent no answer")
        return reply["ok"]

    # -- the wire ---

    def _opaque(self, value: Any) -> list[Any]:
        """Return the token of an object: of the sandbox's own, or of one of the trusted side's that it may know."""
        if isinstance(value, Remote):
            if value._generation != self.generation:
                raise HostDiedError("the object belonged to a host that has ended")
            return ["own", value._handle]
        return self.peer.token(value)

    def _local(self, token: list[Any]) -> Any:
        """Return what a token of the sandbox's stands for."""
        if token[0] == "own" and type(token[1]) is int:
            kind = token[3] if type(token[3]) is str else "object"
            return Remote(self, token[1], clean(kind, 100))
        return self.peer.thing(token)

    @property
    def _ends_s(self) -> float:
        """Return when no answer is waited for any more, by the monotonic clock."""
        return min(self._limit.first.ends_s + self._apart_s, self.budget.ends_s)

    def _late(self) -> HostTimedOutError:
        """Return that wall time is used up, and whose."""
        first = self._limit.first
        if self._used_s[0] >= first.ends_s:
            return HostTimedOutError(within=f"{first.wall_s:g} s")
        return HostTimedOutError()

    def _ready(self, event: int) -> socket.socket:
        """Return the connection once it may be read or written; while there is nothing, look what the sandbox uses.

        Each part of a message comes by here, so that a host which sends a byte at a time is held to its limits too.
        """
        if self.sandbox is None:
            raise HostDiedError("it has ended before")
        connection = self.sandbox.connection
        if event != self._event:
            self._poll.modify(connection, event)
            self._event = event
        while True:
            now_s = time.monotonic()
            if self._meter is None or self._meter.is_due(now_s):
                self._read_meter()
                self.check_budget()
                if limit := self._limit.used_up(*self._used_s):
                    raise HostTimedOutError(within=f"{limit.limit_s:g} s of CPU time")
            left_s = self._ends_s - now_s
            if left_s <= 0:
                self.check_budget()
                raise self._late()
            if self._poll.poll(1000 * min(left_s, SLICE_S)):
                return connection

    def _readable(self) -> socket.socket:
        return self._ready(_READ)

    def _writable(self) -> socket.socket:
        return self._ready(_WRITE)

    def _read_meter(self) -> None:
        """Count what the sandbox has used since the last reading."""
        if self._meter is not None:
            used_s = self._meter.read()
            self.cpu_s += used_s
            self.budget.spend(cpu_s=used_s)

    def _send(self, message: dict[str, Any]) -> None:
        with _as_ours():
            try:
                send(self._writable, message, self._opaque)
            except CodecError as error:
                if "op" not in message:
                    send(self._writable, {"error": str(error)}, self._opaque)
                elif isinstance(error, TooLargeError):  # what graders make is small: it came from the submission
                    raise SubmissionError("ValueError", f"what it returned cannot be passed on: {error}", ()) from None
                else:
                    raise

    def _receive(self) -> dict[str, Any]:
        with _as_ours():
            try:
                message = receive(self._readable, self._local)
            except CodecError as error:
                raise HostDiedError(f"it sent bytes that are no answer: {error}") from None
        if type(message) is not dict or not all(type(key) is str for key in message):
            raise HostDiedError("it sent something that is no answer")
        return message


@contextlib.contextmanager
def _as_ours() -> Iterator[None]:
    """Raise what a socket says of the other side in a session's words."""
    try:
        yield
    except (OSError, HungUpError):
        raise HostDiedError("it gave no answer") from None


def _described(error: Exception) -> str:
    """Return an exception of the trusted side as the student's code sees it: in no words that quote our files."""
    try:
        words = str(error) if isinstance(error, AssertionError) else ""
        return (words or f"{type(error).__name__}: {error}")[:500]
    except Exception:  # noqa: BLE001 (a message may quote an integer that Python refuses to print)
        return type(error).__name__
