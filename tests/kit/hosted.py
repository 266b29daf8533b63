"""Notebooks in a real host: cells for a session, and a session that is ended with the test."""

import contextlib
from dataclasses import dataclass

from gradlab_staff.grading.submission import open_submission
from gradlab_staff.sandbox.budget import Limit
from gradlab_staff.sandbox.setup import Setup


@dataclass(frozen=True)
class Cell:
    """What a session needs to know of a cell."""

    label: str
    source: str
    id: str = ""
    kind: str = "own"
    only: tuple[int, ...] | None = None


def wait_for_cpu_time(monkeypatch):
    """Bound wall time loosely: on a machine that runs ten other things, it would come before CPU time."""
    monkeypatch.setattr(Limit, "wall_s", property(lambda limit: 100.0))


@contextlib.contextmanager
def notebooks():
    """What makes a submission of cells, or of their sources, under a setup, on a budget or a fresh one."""
    with contextlib.ExitStack() as opened:

        def make(*sources, budget=None, **setup):
            cells = [
                source if isinstance(source, Cell) else Cell(f"cell {number}", source)
                for number, source in enumerate(sources, 1)
            ]
            made = open_submission(cells, Setup(**setup), budget)
            opened.callback(made._session.stop)
            return made

        yield make
