"""Stand-ins: the reference's functions, classes and objects, called from the sandbox in the place of the student's.

They are no oracles: a check has those alone that its exercise builds on, and they answer only while the grader's own
call is under way, so many times and no more.
"""

from __future__ import annotations

import inspect
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradlab_staff.grading.notes import raising
from gradlab_staff.host.codec import CodecError, encode
from gradlab_staff.sandbox.remote import Remote

__all__ = ["CALLS_OF_OBJECT", "Call", "Known", "StandIn", "StandIns", "public_methods"]

MAX_ENTRIES = 8_000_000
"""What a call back may bring, in array entries: NumPy's loops over them heed no clock until they are done."""
MAX_KEPT = 4 * MAX_ENTRIES
CALLS_OF_OBJECT = 20_000
"""What a check answers of an object that it passes: right solutions ask a net that they train some hundred times."""


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
class StandIn:
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
    calls: int = CALLS_OF_OBJECT
    """How many calls a check answers: to everything of this name together."""


@dataclass(frozen=True)
class Known:
    """The stand-ins that there are at one time: by number, and the numbers of their objects by id."""

    by_number: dict[int, StandIn]
    numbers: dict[int, int]


@dataclass
class StandIns:
    """The trusted objects that the sandbox knows, by number, and its calls to them: a session's `Peer`."""

    calls: list[Call] = field(default_factory=list)
    """The calls since the check began."""
    asked: Counter[str] = field(default_factory=Counter)
    """How often each stand-in was called since the check began, by its name."""
    _by_number: dict[int, StandIn] = field(default_factory=dict)
    _numbers: dict[int, int] = field(default_factory=dict)
    _count: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _kept: int = 0

    def adopt(self, stand_in: StandIn) -> int:
        """Return the number of a new stand-in: under it the sandbox knows the object from now on."""
        number = next(self._count)
        self._by_number[number] = stand_in
        self._numbers[id(stand_in.trusted)] = number
        return number

    def begin(self) -> None:
        """Begin a check: what was called before it is forgotten, and the budgets are full."""
        self.calls.clear()
        self.asked.clear()

    def known(self) -> Known:
        """Return which stand-ins there are, to go back to."""
        return Known(dict(self._by_number), dict(self._numbers))

    def forget_since(self, known: Known) -> None:
        """Forget the stand-ins that have come since: what the sandbox still holds of them calls nothing."""
        self._by_number, self._numbers = dict(known.by_number), dict(known.numbers)

    # -- what a session asks ---

    def token(self, value: Any) -> list[Any]:
        """Return the token under which the sandbox knows a trusted object.

        Raises
        ------
        CodecError
            Where it knows no such object.
        """
        if id(value) in self._numbers:
            return ["stand_in", self._numbers[id(value)]]
        raise CodecError(f"expected plain data, got {type(value).__name__}")

    def thing(self, token: list[Any]) -> Any:
        """Return the trusted object of a token.

        Raises
        ------
        CodecError
            Where there is none.
        """
        if token[0] == "stand_in" and type(token[1]) is int and token[1] in self._by_number:
            return self._by_number[token[1]].trusted
        raise CodecError("expected an object's number, got something else")

    def call_back(self, message: dict[str, Any]) -> dict[str, Any]:
        """Call a stand-in for the sandbox, and return what it gave and what has changed of the stand-ins' state.

        Raises
        ------
        AttributeError, TypeError, ValueError
            Where the method is not public, or the arguments hold too many entries or slow dtypes. Whatever else the
            call raises goes to the student's code, which asked.
        RuntimeError
            Where it has been called as often as a check answers: no solution needs more, who searches or integrates
            does.
        """
        number, method = message["callback"], message["method"]
        args, kwargs = tuple(message["args"]), dict(message["kwargs"])
        stand_in = self._by_number[number]
        made = method == "__init__" and inspect.isclass(stand_in.trusted)
        # of a class nothing but its instances: a method that is called on another object could change the class
        if not made and (inspect.isclass(stand_in.trusted) or method not in stand_in.methods):
            raise AttributeError(f"{stand_in.name} has no method {method[:50]}")
        self.asked[stand_in.name] += 1
        if self.asked[stand_in.name] > stand_in.calls:
            raise RuntimeError(f"{stand_in.name} was called more than {stand_in.calls} times in one check")
        size = _entries([args, kwargs, message["states"]])
        if size > MAX_ENTRIES:
            raise ValueError(f"expected arguments of at most {MAX_ENTRIES} entries, got {size}")
        self.synchronise(message["states"])
        function = stand_in.trusted if made or method == "__call__" else getattr(stand_in.trusted, method)
        with raising():  # what a grader's own object finds wrong with a call is told to the code that made it
            result = function(*args, **kwargs)
        self._keep(Call(stand_in.name, method, args, kwargs, stand_in.trusted, result), size)
        states = self._states()
        return {"ok": self._adopt_instance(stand_in, result) if made else result, "states": states}

    def _keep(self, call: Call, size: int) -> None:
        """Remember a call for the check to look at, unless there is more to remember than any honest one leaves."""
        self._kept = self._kept + size + 1_000 if self.calls else size
        if self._kept <= MAX_KEPT:
            self.calls.append(call)

    def _adopt_instance(self, stand_in: StandIn, instance: Any) -> tuple[int, dict[str, Any]]:
        methods = public_methods(type(instance))
        new = StandIn(stand_in.name, instance, methods, read=("params",), calls=stand_in.calls)
        return self.adopt(new), self.state(new)

    def synchronise(self, states: Any) -> None:
        """Give the trusted objects what the submission has changed: the parameters, and nothing else.

        What is as it was sent is not: while the trusted side's `train` calls a student's update rule, the sandbox's net
        is still that of before the training.
        """
        for number, state in states.items() if type(states) is dict else ():
            stand_in = self._by_number.get(number) if type(number) is int else None
            for name in stand_in.read if stand_in and type(state) is dict else ():
                if stand_in and name in state and hasattr(stand_in.trusted, name):
                    mark = self._mark(state[name])
                    if mark is None or not _equal(stand_in.known.get(name), mark):
                        setattr(stand_in.trusted, name, state[name])
                        stand_in.known[name] = mark

    # -- state ---

    def state(self, stand_in: StandIn) -> dict[str, Any]:
        """Return the attributes that the sandbox's copy should have and has not.

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
        """Return the array itself; of anything else a fingerprint, or None where it cannot cross."""
        if isinstance(value, np.ndarray):
            return value
        try:
            parts = encode(value, self._fingerprint)
        except CodecError:
            return None
        return hash(b"".join(parts))  # keyed, new in each process; several times as fast as those of hashlib

    def _fingerprint(self, value: Any) -> list[Any]:
        return ["own", value._handle] if isinstance(value, Remote) else self.token(value)

    def _states(self) -> dict[int, dict[str, Any]]:
        """Return what has changed of the stand-ins' attributes."""
        return {
            other: self.state(stand_in)
            for other, stand_in in self._by_number.items()
            if not inspect.isroutine(stand_in.trusted) and not inspect.isclass(stand_in.trusted)
        }


def _entries(value: Any) -> int:
    """Count the array entries of a value from the sandbox; refuse dtypes that NumPy multiplies very slowly."""
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "biu" and value.dtype.itemsize not in (4, 8):
            raise TypeError(f"expected float32 or float64, got {value.dtype}")
        return value.size
    if isinstance(value, dict):
        return sum(map(_entries, value.values()))
    return sum(map(_entries, value)) if isinstance(value, list | tuple) else 0


def _equal(a: Any, b: Any) -> bool:
    return type(a) is type(b) is int and a == b


def public_methods(cls: Any) -> tuple[str, ...]:
    """Return the names of a class's methods that the sandbox may call."""
    return tuple(
        name
        for name, member in inspect.getmembers(cls, inspect.isfunction)
        if not name.startswith("_") or name == "__call__"
    )
