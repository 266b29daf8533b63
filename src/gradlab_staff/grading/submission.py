"""The submission as graders see it: it looks like the notebook, and lives in the sandbox."""

from __future__ import annotations

import inspect
import itertools
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradlab_staff.grading.verdict import CheckResult
from gradlab_staff.host.codec import CodecError, encode
from gradlab_staff.sandbox.failures import HostDiedError, HostTimedOutError, SubmissionError, clean
from gradlab_staff.sandbox.session import Session

__all__ = ["Call", "Remote", "Submission"]

MAX_ENTRIES = 8_000_000
"""What a call back may bring, in array entries: NumPy's loops over them heed no clock until they are done."""
MAX_KEPT = 4 * MAX_ENTRIES


class Remote:
    """An object in the sandbox: call it, read its attributes, set them; what comes back is data or a `Remote`."""

    def __init__(self, session: Session, handle: int, kind: str) -> None:
        object.__setattr__(self, "_session", session)
        object.__setattr__(self, "_handle", handle)
        object.__setattr__(self, "_kind", kind)
        object.__setattr__(self, "_generation", session.generation)

    def __getattr__(self, name: str) -> Any:
        # numpy, copy and pickle probe for protocols; a student's object takes part in none of them here.
        if name.startswith("__"):
            raise AttributeError(name)
        return self._session.request("get", target=self, name=name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._session.request("set", target=self, name=name, value=value)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._session.request("call", target=self, args=list(args), kwargs=kwargs)

    def __repr__(self) -> str:
        return f"<{self._kind} in the submission>"


@dataclass(frozen=True)
class Call:
    """A call that the submission made to a stand-in: ``target`` is the trusted object, ``method`` what was called."""

    name: str
    method: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    target: Any
    result: Any


@dataclass
class _StandIn:
    """A trusted object that the sandbox may call, and what of its state crosses."""

    name: str
    trusted: Any
    methods: tuple[str, ...]
    read: tuple[str, ...] = ()
    """Attributes that the sandbox's copy overrides before a call."""
    write: tuple[str, ...] | None = None
    """Attributes that the sandbox's copy gets after a call; None: all that can cross."""
    known: dict[str, Any] = field(default_factory=dict)
    """What the sandbox's copy has: an array itself, a fingerprint of anything else."""


@dataclass
class Submission:
    """A session, under the names of the notebook."""

    _session: Session
    _stand_ins: dict[int, _StandIn] = field(default_factory=dict)
    _numbers: dict[int, int] = field(default_factory=dict)
    _count: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _hung: set[str] = field(default_factory=set)
    calls: list[Call] = field(default_factory=list)
    """The calls to stand-ins, since the check began."""
    judged: Mapping[str, Sequence[CheckResult]] = field(default_factory=dict)
    """By exercise, how the checks of this run have ended so far; they run in the notebook's order."""
    _kept: int = 0

    def __post_init__(self) -> None:
        self._session.opaque = self._opaque
        self._session.remote = self._remote
        self._session.call_back = self._call_back
        self._session.take_over = self._take_over

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._session.request("name", name=name)

    @property
    def printed(self) -> int:
        """How many characters the last call printed."""
        return self._session.printed

    def keep(self, value: Any) -> Remote:
        """`value`, kept in the sandbox until the check ends: what one call does to it, the next call finds."""
        handle = self._session.request("keep", value=value)
        if type(handle) is not int:
            raise HostDiedError("it sent no answer")
        return Remote(self._session, handle, "value")

    def borrow(self, name: str, *args: Any, limit_s: float = 3.0) -> Any:
        """What a function of another exercise gives; None where it fails or hangs: that is not judged here."""
        session = self._session
        if name in self._hung:
            return None
        outer = session.deadline
        session.deadline = min(outer, time.monotonic() + limit_s)
        try:
            return session.request("call", target=session.request("name", name=name), args=list(args), kwargs={})
        except (SubmissionError, HostDiedError, TypeError):
            return None
        except HostTimedOutError:
            self._hung.add(name)
            return None
        finally:
            session.deadline = outer

    # -- stand-ins ---

    def stand_in(self, trusted: Any, state: Iterable[str] = ("params",), methods: Iterable[str] = ("loss",)) -> Any:
        """`trusted`, ready to be passed: in the sandbox, an object with the attributes `state` whose `methods` call
        back. Before each call back, and after each call, the trusted object takes over the sandbox's `state`."""
        names = tuple(state)
        self._introduce(type(trusted).__name__, trusted, "object", _StandIn("", trusted, tuple(methods), names, names))
        return trusted

    @contextmanager
    def standing_in(self, trusted: Mapping[str, Any]) -> Iterator[None]:
        """While this lasts, the names are the reference's functions and classes, in the student's namespace too."""
        for name, thing in trusted.items():
            kind = "class" if inspect.isclass(thing) else "function"
            methods = _public_methods(thing) if kind == "class" else ("__call__",)
            self._introduce(name, thing, kind, _StandIn(name, thing, methods, read=("params",)))
        if trusted:
            self._session.request("cover", names=dict(trusted))
        generation = self._session.generation
        try:
            yield
        finally:
            if trusted and self._session.sandbox is not None and self._session.generation == generation:
                self._session.request("uncover")
            self._stand_ins.clear()
            self._numbers.clear()

    def _introduce(self, name: str, trusted: Any, kind: str, stand_in: _StandIn) -> None:
        stand_in.name = name
        number = self._adopt(stand_in)
        state = self._state(stand_in) if kind == "object" else {}
        self._session.request(
            "stand_in",
            number=number,
            name=name,
            kind=kind,
            methods=list(stand_in.methods),
            reads=list(stand_in.read),
            state=state,
        )

    def _adopt(self, stand_in: _StandIn) -> int:
        number = next(self._count)
        self._stand_ins[number] = stand_in
        self._numbers[id(stand_in.trusted)] = number
        return number

    def _state(self, stand_in: _StandIn) -> dict[str, Any]:
        """The attributes that the sandbox's copy should have and has not.

        What has not changed is not sent: a student's ``best = net.params`` must stay the alias that it is.
        """
        attributes = vars(stand_in.trusted)
        names = attributes if stand_in.write is None else stand_in.write
        state = {}
        for name in names:
            if name in attributes:
                mark = self._mark(attributes[name])
                if (
                    mark is not None
                    and stand_in.known.get(name) is not mark
                    and not _equal(stand_in.known.get(name), mark)
                ):
                    state[name] = attributes[name]
                    stand_in.known[name] = mark
        return state

    def _mark(self, value: Any) -> Any:
        """The array itself; of anything else a fingerprint, or None where it cannot cross."""
        if isinstance(value, np.ndarray):
            return value
        try:
            parts = encode(value, self._opaque)
        except CodecError:
            return None
        return hash(b"".join(parts))  # keyed, new in each process; several times as fast as those of hashlib

    def _call_back(self, message: dict[str, Any]) -> dict[str, Any]:
        number, method = message["callback"], message["method"]
        args, kwargs = tuple(message["args"]), dict(message["kwargs"])
        stand_in = self._stand_ins[number]
        made = method == "__init__" and inspect.isclass(stand_in.trusted)
        # of a class nothing but its instances: a method that is called on another object could change the class
        if not made and (inspect.isclass(stand_in.trusted) or method not in stand_in.methods):
            raise AttributeError(f"{stand_in.name} has no method {method[:50]}")
        size = _entries([args, kwargs, message["states"]])
        if size > MAX_ENTRIES:
            raise ValueError(f"expected arguments of at most {MAX_ENTRIES} entries, got {size}")
        self._take_over(message["states"])
        function = stand_in.trusted if made or method == "__call__" else getattr(stand_in.trusted, method)
        result = function(*args, **kwargs)
        self._keep(Call(stand_in.name, method, args, kwargs, stand_in.trusted, result), size)
        states = self._states()
        return {"ok": self._adopt_instance(stand_in, result) if made else result, "states": states}

    def _keep(self, call: Call, size: int) -> None:
        """Remember a call for the check to look at, unless there is more to remember than any honest one leaves."""
        self._kept = self._kept + size + 1_000 if self.calls else size
        if self._kept <= MAX_KEPT:
            self.calls.append(call)

    def _adopt_instance(self, stand_in: _StandIn, instance: Any) -> tuple[int, dict[str, Any]]:
        new = _StandIn(stand_in.name, instance, _public_methods(type(instance)), read=("params",))
        return self._adopt(new), self._state(new)

    def _take_over(self, states: Any) -> None:
        """Give the trusted objects what the submission may have changed: the parameters, and nothing else."""
        for number, state in states.items() if type(states) is dict else ():
            stand_in = self._stand_ins.get(number) if type(number) is int else None
            for name in stand_in.read if stand_in and type(state) is dict else ():
                if stand_in and name in state and hasattr(stand_in.trusted, name):
                    setattr(stand_in.trusted, name, state[name])
                    stand_in.known[name] = self._mark(state[name])

    def _states(self) -> dict[int, dict[str, Any]]:
        """What the stand-ins' attributes are after a call."""
        return {
            other: self._state(stand_in)
            for other, stand_in in self._stand_ins.items()
            if not inspect.isroutine(stand_in.trusted) and not inspect.isclass(stand_in.trusted)
        }

    # -- tokens ---

    def _opaque(self, value: Any) -> list[Any]:
        if isinstance(value, Remote):
            if value._generation != self._session.generation:
                raise HostDiedError("the object belonged to a host that has ended")
            return ["own", value._handle]
        if id(value) in self._numbers:
            return ["stand_in", self._numbers[id(value)]]
        raise CodecError(f"expected plain data, got {type(value).__name__}")

    def _remote(self, token: list[Any]) -> Any:
        if token[0] == "own" and type(token[1]) is int:
            kind = token[3] if type(token[3]) is str else "object"
            return Remote(self._session, token[1], clean(kind, 100))
        if token[0] == "stand_in" and type(token[1]) is int and token[1] in self._stand_ins:
            return self._stand_ins[token[1]].trusted
        raise CodecError("expected an object's number, got something else")


def _entries(value: Any) -> int:
    """How many array entries a value from the sandbox holds; refuses dtypes that NumPy multiplies at a snail's pace."""
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "biu" and value.dtype.itemsize not in (4, 8):
            raise TypeError(f"expected float32 or float64, got {value.dtype}")
        return value.size
    if isinstance(value, dict):
        return sum(map(_entries, value.values()))
    return sum(map(_entries, value)) if isinstance(value, list | tuple) else 0


def _equal(a: Any, b: Any) -> bool:
    return type(a) is type(b) is int and a == b


def _public_methods(cls: Any) -> tuple[str, ...]:
    return tuple(
        name
        for name, member in inspect.getmembers(cls, inspect.isfunction)
        if not name.startswith("_") or name == "__call__"
    )
