"""Limits on time: of what is under way, and the budget of a submission, which all its grading takes from together."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from gradlab_staff.sandbox.limits import Limits

__all__ = ["Budget", "Limit"]


@dataclass(frozen=True)
class Limit:
    """A limit on what is under way: on the sandbox's CPU time, and on wall time, by the monotonic clock.

    CPU time is what a submission is answerable for, and no load of the machine changes it: where limits grew with the
    load average, thirty processes stuck in ``posix_spawn`` on a pipe stretched them thirtyfold, for neighbours too.
    Wall time is bounded as well, for who sleeps uses no CPU time: by twice the limit, which an honest submission needs
    where there are twice as many workers as cores, and up to 22 s more, in which a short request may wait for its turn.
    """

    limit_s: float = float("inf")
    begun_s: float = float("inf")
    begun_cpu_s: float = 0.0
    outer: Limit | None = None
    """What holds besides."""

    @property
    def wall_s(self) -> float:
        """Return the bound on wall time, in seconds."""
        return 2 * self.limit_s + min(self.limit_s, 20.0) + 2.0

    @cached_property
    def ends_s(self) -> float:
        """Return when it is reached, by the monotonic clock, whatever holds besides."""
        return self.begun_s + self.wall_s

    @cached_property
    def first(self) -> Limit:
        """Return the one that is reached first by the monotonic clock: this, or what holds besides."""
        return self if self.outer is None else min(self, self.outer.first, key=lambda limit: limit.ends_s)

    def is_over(self, now_s: float) -> bool:
        """Return whether no wall time is left."""
        return now_s >= self.first.ends_s

    def used_up(self, now_s: float, cpu_s: float) -> Limit | None:
        """Return the limit whose CPU time is used up: this, or what holds besides; None where neither is.

        Before so much wall time has passed, the excess is another's.
        """
        if cpu_s - self.begun_cpu_s > self.limit_s <= now_s - self.begun_s:
            return self
        return None if self.outer is None else self.outer.used_up(now_s, cpu_s)


@dataclass
class Budget:
    """What one submission may cost in all, shared by every session that is opened for it.

    Limits of single checks and cells add up: a hundred checks that each end the process have the cells run again a
    hundred times, and a hundred such submissions hold a class up for a day. So this counts everything: hosts that
    start, cells, checks, calls back and all other work of this process (which grades one submission at a time), and
    the runs of misconceptions that the diagnosis asks for.

    The clock runs while a session waits for its host, and in `running`: somebody who debugs a check by hand does not
    use the budget up by thinking.
    """

    cpu_s: float = Limits.cpu_s
    wall_s: float = Limits.wall_s
    _spent_cpu_s: float = field(default=0.0, init=False)
    _spent_wall_s: float = field(default=0.0, init=False)
    _nested: int = field(default=0, init=False)
    _since_s: float = field(default=0.0, init=False)
    _since_cpu_s: float = field(default=0.0, init=False)

    @classmethod
    def of(cls, limits: Limits) -> Budget:
        """Return a fresh budget of a submission with these limits."""
        return cls(limits.cpu_s, limits.wall_s)

    def spend(self, *, cpu_s: float = 0.0, wall_s: float = 0.0) -> None:
        """Count seconds that no clock of this process shows: of a sandbox's CPU time, or of a worker before this."""
        self._spent_cpu_s += cpu_s
        self._spent_wall_s += wall_s

    def resume(self) -> None:
        """Have the clock run; it is stopped by as many calls of `pause`."""
        if self._nested == 0:
            self._since_s, self._since_cpu_s = time.monotonic(), time.process_time()
        self._nested += 1

    def pause(self) -> None:
        """Stop the clock, where this is the outermost call."""
        self._nested -= 1
        if self._nested == 0:
            self._spent_wall_s += time.monotonic() - self._since_s
            self._spent_cpu_s += time.process_time() - self._since_cpu_s

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Have the clock run in the block, whoever else starts and stops it there."""
        self.resume()
        try:
            yield
        finally:
            self.pause()

    @property
    def ends_s(self) -> float:
        """Return when the wall time is used up if the clock runs on, by the monotonic clock."""
        return self.wall_s - self._spent_wall_s + (self._since_s if self._nested else time.monotonic())

    @property
    def left_wall_s(self) -> float:
        """Return the wall time that is left, in seconds."""
        return self.ends_s - time.monotonic()

    @property
    def left_cpu_s(self) -> float:
        """Return the CPU time that is left, in seconds."""
        running_s = time.process_time() - self._since_cpu_s if self._nested else 0.0
        return self.cpu_s - self._spent_cpu_s - running_s

    @property
    def used_up(self) -> bool:
        """Return whether nothing is left of one of them."""
        return self.left_wall_s <= 0 or self.left_cpu_s <= 0

    @property
    def what(self) -> str:
        """Return what was used up, in words: ``300 s of CPU time`` or ``600 s``."""
        return f"{self.cpu_s:g} s of CPU time" if self.left_cpu_s <= 0 else f"{self.wall_s:g} s"
