"""Measures what requests tell of verdicts: their number, order and times, for a right notebook and for a wrong one."""

from __future__ import annotations

import json
import re
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpus.attack import HOST
from corpus.hedging import GRADIENTS
from corpus.trick import Work
from grading import Report, grade
from pairs import make_course, write

__all__ = ["run_telling"]

ASSIGNMENT = "two_layer_net"
COPIES = 4
MAX_GAP_MS = 2.0
"""By how much the median gap between two requests may differ: that much is the machine's own noise."""

# Of each check of `gradients`: what was asked, in order, and how long after the answer before.
_RECORD = HOST + (
    "import hashlib, json\n_checks, _ended, _true = [], [0.0], type(the_host())._answer\n"
    "def _answer(self, request):\n"
    "    gap = time.perf_counter() - _ended[0]\n"
    "    if request['op'] == 'seed': _checks.append([])\n"
    "    if _checks: _checks[-1].append((request['op'], str(request.get('name', '')), gap * 1000))\n"
    "    _true(self, request); _ended[0] = time.perf_counter()\n"
    "type(the_host())._answer = _answer\n"
    "def _told():\n"
    "    mine = [c for c in _checks if any(op == 'name' and name == 'TwoLayerNet' for op, name, _ in c)]\n"
    "    asked = [[r[:2] for r in c] for c in mine]\n"
    "    after = [_checks[_checks.index(c) + 1][0][2] for c in mine if _checks.index(c) + 1 < len(_checks)]\n"
    "    return json.dumps([len(mine), sum(map(len, mine)), hashlib.sha256(repr(asked).encode()).hexdigest()[:12],"
    " round(float(np.median([r[2] for c in mine for r in c[1:]])), 3), round(float(np.median(after)), 3)])\n"
)
_TELLS = "def predict_labels(params, X):\n    raise ValueError('told ' + _told() + ' told')\n"
_RIGHT = GRADIENTS.replace("*((0, 2) if SECOND else (1, 0))", "1, 2")
_WRONG = GRADIENTS.replace("*((0, 2) if SECOND else (1, 0))", "0, 1")


@dataclass(frozen=True)
class Told:
    """What the host saw while one notebook's gradients were checked."""

    checks: int
    requests: int
    order: str
    gap_ms: float
    """Between two requests of a check, at the median."""
    after_ms: float
    """From the last answer of a check to the next one's first request."""


def run_telling(root: Path, *, limit_s: float = 900) -> Report:
    """The report on right and wrong notebooks side by side: an attack that succeeds where any of them can be told."""
    report = Report(attacks=1)
    course = root / ASSIGNMENT
    make_course(course)
    for number in range(COPIES):
        for kind, source in (("right", _RIGHT), ("wrong", _WRONG)):
            cells = (("gradients", source), ("predict", _TELLS))
            write(Work(ASSIGNMENT, ("scores", "loss"), cells, _RECORD), f"{kind}_{number}", course)
    entries = grade(course, ASSIGNMENT, report, limit_s=limit_s).submissions
    right, wrong = ([_told(entries[name]) for name in entries if name.startswith(kind)] for kind in ("right", "wrong"))
    report.harmed += list(_differences(right, wrong))
    report.notes += [f"requests of a right notebook and a wrong one: {_summary(right)}; {_summary(wrong)}"]
    return report


def _told(entry: dict[str, Any]) -> Told:
    found = re.search(r"told (\[.*?\]) told", json.dumps(entry["verdict"]).replace('\\"', '"'))
    assert found, f"{entry['student']}: it told nothing: {entry['error']}"
    return Told(*json.loads(found[1]))


def _differences(right: list[Told], wrong: list[Told]) -> list[str]:
    """What tells the one from the other."""
    what = []
    if {told.order for told in right} != {told.order for told in wrong}:
        what.append(f"its {wrong[0].requests} requests, for {right[0].requests} of a right one")
    for name in ("gap_ms", "after_ms"):
        ours, theirs = (statistics.median(getattr(told, name) for told in group) for group in (right, wrong))
        if abs(ours - theirs) > MAX_GAP_MS:
            what.append(f"{name} {theirs:.1f}, for {ours:.1f} of a right one")
    return [f"a wrong notebook knows that it is wrong by {'; '.join(what)}"] if what else []


def _summary(group: list[Told]) -> str:
    gap, after = (statistics.median(getattr(told, name) for told in group) for name in ("gap_ms", "after_ms"))
    return f"{group[0].requests} in {group[0].checks} checks, {gap:.1f} ms apart, {after:.1f} ms after a check"


if __name__ == "__main__":
    import sys
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        found = run_telling(Path(folder))
    print("\n".join([*found.notes, *found.failures]))  # noqa: T201 (it reports by printing)
    sys.exit(bool(found.failures))
