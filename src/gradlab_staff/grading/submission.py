"""The submission as graders see it: it looks like the notebook, and lives in the sandbox."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from gradlab_staff.grading.marks import CALLS
from gradlab_staff.grading.standins import CALLS_OF_OBJECT, Call, StandIn, StandIns, public_methods
from gradlab_staff.grading.verdict import CheckResult
from gradlab_staff.sandbox.budget import Budget
from gradlab_staff.sandbox.failures import HostDiedError, HostTimedOutError, SubmissionError
from gradlab_staff.sandbox.remote import Remote
from gradlab_staff.sandbox.session import CellToRun, Session
from gradlab_staff.sandbox.setup import Setup

__all__ = ["Submission", "open_submission"]


@dataclass
class Submission:
    """A session, under the names of the notebook."""

    _session: Session
    _stand_ins: StandIns
    judged: Mapping[str, Sequence[CheckResult]] = field(default_factory=dict)
    """By exercise, how the checks of this run have ended so far; they run in the notebook's order."""
    _hung: set[str] = field(default_factory=set)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._session.request("name", name=name)

    @property
    def calls(self) -> list[Call]:
        """Return the calls to stand-ins, since the check began."""
        return self._stand_ins.calls

    @property
    def printed(self) -> int:
        """Return how many characters the last call printed."""
        return self._session.printed

    def keep(self, value: Any) -> Remote:
        """Keep `value` in the sandbox until the check ends: what one call does to it, the next call finds.

        Raises
        ------
        HostDiedError, HostTimedOutError
            Where the host gave no answer.
        """
        handle = self._session.request("keep", value=value)
        if type(handle) is not int:
            raise HostDiedError("it sent no answer")
        return Remote(self._session, handle, "value")

    def borrow(self, name: str, *args: Any, limit_s: float = 3.0) -> Any:
        """Return what a function of another exercise gives; None where it fails or hangs: that is not judged here.

        Raises
        ------
        HostTimedOutError
            Where the time of the check, or of the submission, is used up.
        """
        session = self._session
        if name in self._hung:
            return None
        try:
            with session.limited(limit_s):
                return session.request("call", target=session.request("name", name=name), args=list(args), kwargs={})
        except (SubmissionError, HostDiedError, TypeError):
            return None
        except HostTimedOutError as error:
            if error.for_good or session.is_late:  # no fault of this name's
                raise
            self._hung.add(name)
            return None

    def stand_in(
        self,
        trusted: Any,
        state: Iterable[str] = ("params",),
        methods: Iterable[str] = ("loss",),
        calls: int = CALLS_OF_OBJECT,
    ) -> Any:
        """Return `trusted`, ready to be passed: in the sandbox an object with the attributes `state`.

        Its `methods` call back. Before each call back, and after each call, the trusted object is given the sandbox's
        `state`. The objects of one class answer so many `calls` in a check.
        """
        names = tuple(state)
        stand_in = StandIn(type(trusted).__name__, trusted, tuple(methods), names, names, calls=calls)
        self._introduce(stand_in, "object")
        return trusted

    @contextmanager
    def standing_in(self, trusted: Mapping[str, Any], calls: int = CALLS) -> Iterator[None]:
        """Bind the names to the reference's functions and classes, in the student's namespace too, while this lasts.

        Each name answers so many `calls` in a check. What else is made to stand in meanwhile does so no longer than
        this; what did before, does again afterwards.
        """
        session, before, covered_in = self._session, self._stand_ins.known(), None
        try:
            for name, thing in trusted.items():
                kind = "class" if inspect.isclass(thing) else "function"
                methods = public_methods(thing) if kind == "class" else ("__call__",)
                self._introduce(StandIn(name, thing, methods, read=("params",), calls=calls), kind)
            if trusted:
                session.request("cover", names=dict(trusted))
                covered_in = session.generation
            yield
        finally:
            self._stand_ins.forget_since(before)  # first: a host may die of what comes next, and have kept them
            if session.sandbox is not None and session.generation == covered_in:
                session.request("uncover")

    def _introduce(self, stand_in: StandIn, kind: str) -> None:
        number = self._stand_ins.adopt(stand_in)
        state = self._stand_ins.state(stand_in) if kind == "object" else {}
        self._session.request(
            "stand_in",
            number=number,
            name=stand_in.name,
            kind=kind,
            methods=list(stand_in.methods),
            reads=list(stand_in.read),
            state=state,
        )


def open_submission(cells: Sequence[CellToRun], setup: Setup | None = None, budget: Budget | None = None) -> Submission:
    """Return a submission of these cells, with a session of its own; its host is started when it is first asked.

    The `budget` is what is left of another's on the same submission; a fresh one if there is none.
    """
    stand_ins = StandIns()
    return Submission(Session(cells, stand_ins, setup, budget), stand_ins)
