"""A host that sends whatever it likes, to the stand-ins of a real session: over a socket, as a host in a sandbox would.

The host answers what the trusted side asks with calls back that are right, nearly right and nonsense. Nothing may come of
it but the session's stated errors, and the reference must be afterwards what it was before.
"""

# Its tables are as wide as they are.
# ruff: noqa: E501

from __future__ import annotations

import copy
import inspect
import itertools
import random
import resource
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradlab_staff.course import Assignment
from gradlab_staff.course.reference import reference_namespace
from gradlab_staff.grading.standins import StandIns
from gradlab_staff.grading.submission import Submission
from gradlab_staff.host.codec import encode
from gradlab_staff.host.wire import HungUpError, receive
from gradlab_staff.sandbox.budget import Budget
from gradlab_staff.sandbox.failures import HostDiedError, HostTimedOutError, SubmissionError
from gradlab_staff.sandbox.session import Session

__all__ = ["STAND_INS", "Counts", "fuzz_stand_ins"]

STAND_INS = {
    "two_layer_net": ("compute_scores", "compute_loss", "compute_gradients", "TwoLayerNet"),
    "dropout": ("dropout_forward", "dropout_backward", "sgd_momentum", "adam", "FullyConnectedNet"),
    "inverted_dropout": ("dropout",),
}
"""By assignment, what its graders have the reference stand in for."""
MAX_GROWN_MIB = 512
_STATED = (SubmissionError, HostDiedError, HostTimedOutError)
_LIMIT_S = 0.5


@dataclass
class Counts:
    """What came of the conversations: how many there were, the calls that the reference answered, and the holes."""

    conversations: int = 0
    messages: int = 0
    answered: int = 0
    ended: dict[str, int] = field(default_factory=dict)
    holes: list[str] = field(default_factory=list)


def fuzz_stand_ins(assignments: list[Assignment], seed: int, *, seconds: float, count: int = 1 << 60) -> Counts:
    """Hold conversations with hostile hosts, until the time is over or `count` have been held."""
    counts, until = Counts(), time.monotonic() + seconds
    references = [(assignment.name, reference_namespace(assignment)) for assignment in assignments]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    while time.monotonic() < until and counts.conversations < count:
        name, reference = references[counts.conversations % len(references)]
        where = f"seed {seed}, conversation {counts.conversations} on {name}"
        trusted = {one: getattr(reference, one) for one in STAND_INS[name]}
        was = _portrait(reference)
        try:
            end = _converse(random.Random(f"{seed} {counts.conversations}"), trusted, counts)
        except Exception as error:  # noqa: BLE001 (any is what this looks for)
            end = "hole"
            counts.holes.append(f"{where}: {type(error).__name__}: {error}"[:500])
        counts.ended[end] = counts.ended.get(end, 0) + 1
        counts.conversations += 1
        if (now := _portrait(reference)) != was:
            changed = [key for key in now.keys() | was.keys() if now.get(key) != was.get(key)]
            counts.holes.append(f"{where}: the reference was changed: {changed[:5]}")
    grown_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10
    if grown_mib > MAX_GROWN_MIB:
        counts.holes.append(f"seed {seed}: memory grew by {grown_mib} MiB")
    return counts


def _portrait(reference: Any) -> dict[str, Any]:
    """Return what there is of a reference's names: whatever changes, changes this."""
    found: dict[str, Any] = {}
    for name, value in vars(reference).items():
        found[name] = id(value)
        for part, inner in vars(value).items() if inspect.isclass(value) or inspect.isfunction(value) else ():
            found[f"{name}.{part}"] = id(inner) if callable(inner) else repr(inner)[:200]
        if inspect.isfunction(value):
            found[f"{name}()"] = (id(value.__code__), repr(value.__defaults__), repr(value.__kwdefaults__))
        if isinstance(value, np.ndarray):
            found[f"{name}[]"] = hash(value.tobytes())
    return found


class _Offline(Session):
    """A session that starts no other host where one has died."""

    def start(self) -> None:
        if self.sandbox is None:
            raise HostDiedError("it has ended before")


@dataclass
class _Wire:
    """What a session needs of a sandbox: the socket."""

    connection: socket.socket
    limit_exceeded: str = ""

    def stop(self) -> None:
        self.connection.close()


def _converse(random_: random.Random, trusted: dict[str, Any], counts: Counts) -> str:
    """Have a hostile host answer a check's requests; return how that ended."""
    ours, theirs = socket.socketpair()
    stand_ins = StandIns()
    session = _Offline((), stand_ins, budget=Budget(wall_s=_LIMIT_S))
    session.sandbox = _Wire(ours)  # type: ignore[assignment]  # all of it that is used
    session._attend(ours)
    host = _Host(random_, theirs, trusted)
    thread = threading.Thread(target=host.serve, daemon=True)
    thread.start()
    try:
        with Submission(session, stand_ins).standing_in(trusted):
            for _ in range(random_.randint(1, 4)):
                got = session.request("name", name="x")
                if random_.random() < 0.8:  # nothing is answered but while a call is under way
                    session.request("call", target=got, args=[], kwargs={})
            counts.answered += len(stand_ins.calls)
    except _STATED as error:
        counts.answered += len(stand_ins.calls)
        return type(error).__name__
    except TypeError as error:  # what came back as a value cannot be passed on: as in a check
        return f"{type(error).__name__}"
    finally:
        session.stop()
        theirs.close()
        thread.join(_LIMIT_S)
        counts.messages += host.sent
    return "answered"


X, y = np.ones((3, 4)), np.zeros(3, int)
PARAMS = {"W1": np.ones((4, 5)), "b1": np.zeros(5), "W2": np.ones((5, 3)), "b2": np.zeros(3)}
_CALLS: dict[str, tuple[str, list[Any]]] = {
    "compute_scores": ("__call__", [PARAMS, X]),
    "compute_loss": ("__call__", [PARAMS, X, y, 0.1]),
    "compute_gradients": ("__call__", [PARAMS, X, y, 0.1]),
    "TwoLayerNet": ("__init__", [4, 5, 3]),
    "dropout_forward": ("__call__", [X, {"mode": "train", "p": 0.5}]),
    "dropout_backward": ("__call__", [X, ({"mode": "train", "p": 0.5}, X)]),
    "sgd_momentum": ("__call__", [X, X]),
    "adam": ("__call__", [X, X]),
    "FullyConnectedNet": ("__init__", [[5], 4, 3]),
    "dropout": ("__call__", [X, 0.5]),
}
"""By what stands in: a right call."""


class _Token:
    """Something that stays in the sandbox, under a token that may be none."""

    def __init__(self, token: list[Any]) -> None:
        self.token = token


class _Host:
    """A host that answers requests as it likes."""

    def __init__(self, random_: random.Random, connection: socket.socket, trusted: dict[str, Any]) -> None:
        self.random, self.connection, self.sent = random_, connection, 0
        self.methods = ["__call__", "__init__"]
        for value in trusted.values():
            self.methods += [name for name, _ in inspect.getmembers(value, inspect.isfunction)]
        self.odd = [
            *self.methods,
            "__class__",
            "__dict__",
            "__setattr__",
            "__reduce__",
            "params",
            "",
            "x" * 999,
            None,
            3,
            [],
            "\ud800",
        ]
        self.known = list(trusted)

    def serve(self) -> None:
        """Answer until the other side has had enough."""
        try:
            while True:
                request = receive(lambda: self.connection, _Token)
                op = request.get("op") if type(request) is dict else None
                if op in ("stand_in", "cover", "uncover") and self.random.random() < 0.99:
                    self._send({"ok": None})
                elif op:
                    for _ in range(self.random.randint(0, 6)):
                        self._send(self._message())
                    self._send({"ok": self._value(2)} if self.random.random() < 0.8 else self._nonsense())
        except (HungUpError, OSError):
            pass
        except Exception as error:  # noqa: BLE001 (it may not be able to say what it would)
            self.connection.close()
            self.failure = error

    def _send(self, message: Any) -> None:
        frame = bytearray(b"".join(map(bytes, encode(message, lambda token: token.token))))
        if self.random.random() < 0.01:
            frame[self.random.randrange(len(frame))] = self.random.randrange(256)
        self.connection.sendall(frame)
        self.sent += 1

    def _message(self) -> Any:
        choose = self.random.random()
        if choose < 0.6:
            return self._right()
        if choose < 0.95:
            message = self._right()
            for _ in range(self.random.randint(1, 3)):
                self._spoil(message)
            return message
        return self.random.choice(({"at": self._value(1)}, {"at": [1, 2]}, self._nonsense()))

    def _nonsense(self) -> Any:
        part = {
            self.random.choice(("ok", "error", "states", "printed", "cpu_s", "at", "callback", "op")): self._value(2)
        }
        return self.random.choice(
            (part, part, self._value(2), {"error": {"type": "X", "message": self._value(1), "frames": self._value(1)}})
        )

    def _right(self) -> dict[str, Any]:
        """Return a call as an honest student's would be: to what stands in, or to an instance that was made of it."""
        made = len(self.known) + self.random.randint(1, 2)
        if self.random.random() < 0.3:
            number, method, args = made, "loss", [X, y]
        else:
            at = self.random.randrange(len(self.known))
            number, (method, args) = at + 1, _CALLS[self.known[at]]
        states = {made: {"params": PARAMS}} if self.random.random() < 0.5 else {}
        message = {"callback": number, "method": method, "args": args, "kwargs": {}, "states": states}
        return copy.deepcopy(message)

    def _spoil(self, message: dict[str, Any]) -> None:
        key = self.random.choice(("callback", "method", "args", "kwargs", "states", "states", "inner", "gone"))
        if key == "gone":
            message.pop(self.random.choice(sorted(message)))
        elif key == "method":
            message["method"] = self.random.choice(self.odd)
        elif key == "states":
            names = ("params", "__class__", "__dict__", "loss", "hidden_dims", "dtype")
            message["states"] = {
                self.random.choice((1, 2, 4, 5, 6, True, "1")): {
                    name: self._value(2) for name in self.random.sample(names, 2)
                }
            }
        elif key == "inner" and type(message.get("args")) is list and message["args"]:
            message["args"][self.random.randrange(len(message["args"]))] = self._value(2)
        elif key != "inner":
            message[key] = self._value(2)

    def _value(self, depth: int) -> Any:
        if depth == 0 or self.random.random() < 0.4:
            return copy.deepcopy(self.random.choice(_LEAVES))
        items = [self._value(depth - 1) for _ in range(self.random.randint(0, 3))]
        return self.random.choice(
            (items, tuple(items), dict(zip(itertools.count(), items, strict=False)), {"params": items, "x": 1})
        )


_LEAVES: tuple[Any, ...] = (
    None, True, 0, 1, -1, 2**70, 1.5, float("nan"), float("inf"), 1j, "", "x", "\ud800", b"", b"x" * 9, ..., slice(0, 2), range(10**9),
    np.ones(3), np.ones((3, 4)), np.ones((0, 4)), np.ones((3, 4), np.float16), np.ones(3, np.longdouble), np.ones(3, complex), np.zeros((2,) * 30, bool)[:0],
    np.full((3, 4), np.nan), np.ones((4, 3)).T, np.float64(1), np.dtype("f4"), np.int8, np.ones((1000, 1000), np.float32), np.arange(3),
    *(_Token(token) for token in (["stand_in", 1], ["stand_in", 2], ["stand_in", 9], ["stand_in", "1"], ["own", 1, True, "f"], ["own", 1], ["own"], ["x", 1], ["stand_in", True])),
)  # fmt: skip
