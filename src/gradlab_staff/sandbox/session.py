"""A session with a host: starts it, runs the cells, carries requests, and starts anew after a death or a time-out."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from gradlab_staff.host.codec import CodecError, TooLargeError
from gradlab_staff.host.wire import HungUpError, receive, send
from gradlab_staff.sandbox.alarm import AlarmError, alarm
from gradlab_staff.sandbox.bubblewrap import Sandbox, start_sandbox
from gradlab_staff.sandbox.failures import HostDiedError, HostTimedOutError, SubmissionError, clean, submission_error
from gradlab_staff.sandbox.limits import Limits

__all__ = ["CellToRun", "Session"]

CELL_S = 60.0
REQUEST_S = 60.0
"""How long a request may take that no check has set a time for."""
SESSION_S = 1200.0
"""How long a submission may keep us waiting in all: cells that are run again after each crash add up."""
BAD_CELLS = 3
NESTED_CALLS = 8


class CellToRun(Protocol):
    """What a session needs to know of a cell."""

    @property
    def id(self) -> str:
        """Of one of the assignment's cells; nothing for the student's own."""

    @property
    def label(self) -> str: ...
    @property
    def source(self) -> str: ...


class Session:
    """The host of one submission. Requests go to a running host; a dead one is replaced, and its cells run again."""

    def __init__(
        self,
        cells: Sequence[CellToRun],
        limits: Limits | None = None,
        *,
        unsafe: bool = False,
        hidden: tuple[Path, ...] = (),
    ) -> None:
        self.cells = tuple(cells)
        self.limits, self.unsafe, self.hidden = limits or Limits(), unsafe, hidden
        self.sandbox: Sandbox | None = None
        self.generation = 0
        self.remarks: list[str] = []
        self.in_force = ""
        self.printed = 0
        self.cpu_s = 0.0
        self.deadline = float("inf")
        self.cell_s = CELL_S
        self.left_s = SESSION_S
        self.call_back: Callable[[dict[str, Any]], Any] = _no_call_backs
        self.take_over: Callable[[Any], None] = _no_tokens
        self.opaque: Callable[[Any], list[Any]] = _no_tokens
        self.remote: Callable[[list[Any]], Any] = _no_tokens
        self._skipped: set[str] = set()
        self._reported: set[str] = set()
        self._depth = 0
        self._end_s = float("inf")

    # -- life ---

    def start(self) -> None:
        """Have a host that has run the cells. A cell that hangs or kills the host is left out, and said so."""
        while self.sandbox is None:
            if self.left_s <= 0:
                self._remark(f"the submission took more than {SESSION_S:g} s in all; what was left timed out.")
                raise HostTimedOutError(f"Not run: the submission's {SESSION_S:g} s were used up.")
            self.sandbox = start_sandbox(self.limits, unsafe=self.unsafe, hidden=self.hidden)
            self.in_force = self.sandbox.in_force
            self.generation += 1
            self._run_cells()

    def stop(self) -> None:
        """End the host, if one runs."""
        if self.sandbox is not None:
            self.sandbox.stop()
            self.sandbox = None

    def _run_cells(self) -> None:
        again = [cell for cell in self.cells if self._is_run(cell) and not self._run_cell(cell, first=True)]
        for cell in again:
            self._run_cell(cell, first=False)
            copies = self.cells[self.cells.index(cell) + 1 :] if cell.id else ()
            for copy in (copy for copy in copies if copy.id == cell.id and copy not in again and self._is_run(copy)):
                self._run_cell(copy, first=False)  # once more: its definitions come last and count

    def _is_run(self, cell: CellToRun) -> bool:
        return cell.label not in self._skipped

    def _run_cell(self, cell: CellToRun, *, first: bool) -> bool:
        """Whether the cell is done with; False asks for a second try, after the cells below it."""
        if self.sandbox is None:
            return True
        outer, self.deadline = self.deadline, time.monotonic() + self.cell_s
        try:
            self._request({"op": "run", "label": cell.label, "source": cell.source})
        except SubmissionError as error:
            if first and error.kind == "NameError":
                return False
            if not error.stub:
                self._remark(f"{cell.label} raised {error}")
        except HostTimedOutError:
            self._skip(cell, f"did not end within {self.cell_s:g} s")
        except HostDiedError as error:
            self._skip(
                cell, f"ended the process that ran it ({error})" if error.excess else "ended the process that ran it"
            )
        finally:
            self.deadline = outer
        return True

    def _skip(self, cell: CellToRun, what: str) -> None:
        self._skipped.add(cell.label)
        self._remark(f"{cell.label} {what}; it was left out.")
        if len(self._skipped) >= BAD_CELLS:
            later = [
                other.label
                for other in self.cells[self.cells.index(cell) + 1 :]
                if self._is_run(other) and not other.id
            ]
            if later:
                self._remark(
                    f"{', '.join(later)}: left out too, after {BAD_CELLS} cells that did not end as they should."
                )
            self._skipped.update(later)

    def _remark(self, text: str) -> None:
        if text not in self._reported:
            self._reported.add(text)
            self.remarks.append(clean(text))

    # -- requests ---

    def request(self, op: str, **fields: Any) -> Any:
        """What the host answers.

        Raises
        ------
        SubmissionError
            Where the student's code raised.
        HostDiedError, HostTimedOutError
            Where no answer came; the next request goes to a fresh host.
        """
        self.start()
        outer = self.deadline
        self.deadline = outer if outer < float("inf") else time.monotonic() + REQUEST_S
        try:
            return self._request({"op": op, **fields})
        finally:
            self.deadline = outer

    def _request(self, message: dict[str, Any]) -> Any:
        if self._depth >= NESTED_CALLS:
            raise SubmissionError("RecursionError", "calls to and fro are nested too deep", ())
        started_s = time.monotonic()
        if self._depth == 0:
            self._end_s = started_s + self.left_s
        self._depth += 1
        try:
            self._send(message)
            while "callback" in (reply := self._receive()):
                self._send(self._reply_to(reply))
            return self._judge(reply)
        except HostDiedError as error:
            excess = self._excess()
            self.stop()
            if excess:
                error.args, error.excess = (excess,), True
            raise
        except HostTimedOutError:
            self.stop()
            raise
        finally:
            self._depth -= 1
            if self._depth == 0:
                self.left_s -= time.monotonic() - started_s

    def _excess(self) -> str:
        """What the host was ended for."""
        return self.sandbox.excess if self.sandbox is not None else ""

    def _reply_to(self, message: dict[str, Any]) -> dict[str, Any]:
        """The trusted side's answer to a call back. What fails in it is told to the student's code, that asked."""
        try:
            with alarm(min(self.deadline, self._end_s) - time.monotonic()):
                return self.call_back(message)  # type: ignore[no-any-return]
        except (HostDiedError, HostTimedOutError):
            raise
        except AlarmError:
            raise HostTimedOutError from None
        except Exception as error:  # noqa: BLE001 (a wrong call by the student's code may fail in any way)
            return {"error": _told(error)}

    def _judge(self, reply: dict[str, Any]) -> Any:
        printed, cpu_s = reply.get("printed", 0), reply.get("cpu_s", 0.0)
        self.printed = printed if type(printed) is int else 0
        self.cpu_s += cpu_s if type(cpu_s) is float and 0 <= cpu_s < 1e6 else 0.0
        states = reply.get("states")
        if type(states) is dict and states:
            self.take_over(states)
        if "error" in reply:
            raise submission_error(reply["error"])
        if "ok" not in reply:
            raise HostDiedError("it sent no answer")
        return reply["ok"]

    # -- the wire ---

    def _connection(self) -> socket.socket:
        if self.sandbox is None:
            raise HostDiedError("it has ended before")
        left_s = min(self.deadline, self._end_s) - time.monotonic()
        if self._end_s <= time.monotonic():
            raise HostTimedOutError(f"The submission's {SESSION_S:g} s were used up. Does a loop never end?")
        if left_s <= 0:
            raise HostTimedOutError
        self.sandbox.connection.settimeout(min(left_s, 3600.0))
        return self.sandbox.connection

    def _send(self, message: dict[str, Any]) -> None:
        with _as_ours():
            try:
                send(self._connection, message, self.opaque)
            except CodecError as error:
                if "op" not in message:
                    send(self._connection, {"error": str(error)}, self.opaque)
                elif isinstance(error, TooLargeError):  # what graders make is small: it came from the submission
                    raise SubmissionError("ValueError", f"what it returned cannot be passed on: {error}", ()) from None
                else:
                    raise

    def _receive(self) -> dict[str, Any]:
        with _as_ours():
            try:
                message = receive(self._connection, self.remote)
            except CodecError as error:
                raise HostDiedError(f"it sent bytes that are no answer: {error}") from None
        if type(message) is not dict or not all(type(key) is str for key in message):
            raise HostDiedError("it sent something that is no answer")
        return message


@contextlib.contextmanager
def _as_ours() -> Iterator[None]:
    """What a socket says of the other side, in a session's words."""
    try:
        yield
    except TimeoutError:
        raise HostTimedOutError from None
    except (OSError, HungUpError):
        raise HostDiedError("it gave no answer") from None


def _told(error: Exception) -> str:
    """An exception of the trusted side, as the student's code hears of it: in no words that quote our files."""
    try:
        words = str(error) if isinstance(error, AssertionError) else ""
        return (words or f"{type(error).__name__}: {error}")[:500]
    except Exception:  # noqa: BLE001 (a message may quote an integer that Python refuses to print)
        return type(error).__name__


def _no_call_backs(message: dict[str, Any]) -> Any:
    raise RuntimeError("nothing may be called back now")


def _no_tokens(value: Any) -> Any:
    raise CodecError(f"expected plain data, got {type(value).__name__}")
