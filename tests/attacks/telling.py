"""Measures what requests tell of verdicts: their number, order and times, for a right notebook and for a wrong one."""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpus.attack import HOST
from corpus.hedging import GRADIENTS
from corpus.trick import Work
from grading import Report, grade
from pairs import make_course, write

__all__ = ["run_telling"]

COPIES = 3
MAX_GAP_MS = 5.0
"""By how much the median gap between two requests may differ: a machine that does other things makes half of that."""

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
    "    mine = [c for c in _checks if any(op == 'name' and name == ASKED for op, name, _ in c)]\n"
    "    asked = [[r[:2] for r in c] for c in mine]\n"
    "    after = [_checks[_checks.index(c) + 1][0][2] for c in mine if _checks.index(c) + 1 < len(_checks)]\n"
    "    return json.dumps([len(mine), sum(map(len, mine)), hashlib.sha256(repr(asked).encode()).hexdigest()[:12],"
    " round(float(np.median([r[2] for c in mine for r in c[1:]])), 3), round(float(np.median(after)), 3)])\n"
)
_TELLS = "raise ValueError('told ' + _told() + ' told')\n"
_DROPOUT = (
    "def dropout_forward(x, dropout_param):\n    mask = None\n    if dropout_param['mode'] == 'train':\n"
    "        mask = (np.random.rand(*x.shape) < dropout_param['p']) / SCALE\n        x = x * mask\n"
    "    return x, (dropout_param, mask)\n"
)
_NET = (
    "def net(X, params, training=False, drop_probs=(0.2, 0.5)):\n    for layer in (1, 2):\n"
    "        X = np.maximum(X @ params[f'W{layer}'] + params[f'b{layer}'], 0)\n"
    "        if training: X = dropout(X, drop_probs[layer - FIRST])\n    return X @ params['W3'] + params['b3']\n"
)


@dataclass(frozen=True)
class Case:
    """An exercise, right and wrong, and a later one, which tells what the host saw of the first one's checks."""

    assignment: str
    solved: tuple[str, ...]
    exercise: str
    asked: str
    """The name that its checks ask for."""
    right: str
    wrong: str
    telling: tuple[str, str]

    def work(self, source: str) -> Work:
        """Return what is handed in with this source."""
        cells = ((self.exercise, source), self.telling)
        return Work(self.assignment, self.solved, cells, _RECORD.replace("ASKED", repr(self.asked)))


CASES = (
    Case(
        "two_layer_net",
        ("scores", "loss"),
        "gradients",
        "TwoLayerNet",
        GRADIENTS.replace("*((0, 2) if SECOND else (1, 0))", "1, 2"),
        GRADIENTS.replace("*((0, 2) if SECOND else (1, 0))", "0, 1"),
        ("predict", f"def predict_labels(params, X):\n    {_TELLS}"),
    ),
    Case(
        "dropout",
        (),
        "dropout_forward",
        "dropout_forward",
        _DROPOUT.replace("SCALE", "dropout_param['p']"),
        _DROPOUT.replace("SCALE", "1"),
        ("dropout_backward", f"def dropout_backward(dout, cache):\n    {_TELLS}"),
    ),
    Case(
        "inverted_dropout",
        ("dropout",),
        "net",
        "net",
        _NET.replace("FIRST", "1"),
        _NET.replace("FIRST", "2"),
        ("train_from_scratch", f"def train_from_scratch(*args, **more):\n    {_TELLS}"),
    ),
)


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
    report = Report(attacks=len(CASES))
    for case in CASES:
        course = root / case.assignment
        make_course(course)
        for number in range(COPIES):
            write(case.work(case.right), f"right_{number}", course)
            write(case.work(case.wrong), f"wrong_{number}", course)
        entries = grade(course, case.assignment, report, limit_s=limit_s).submissions
        right, wrong = ([_told(entries.get(f"{kind}_{n}")) for n in range(COPIES)] for kind in ("right", "wrong"))
        if None in (*right, *wrong):
            report.ungraded[f"telling {case.assignment}"] = "a notebook did not tell what it saw"
            continue
        report.harmed += [f"{case.assignment}/{case.exercise}: {line}" for line in _differences(right, wrong)]
        report.notes.append(f"{case.assignment}/{case.exercise}, right: {_summary(right)}; wrong: {_summary(wrong)}")
    return report


def _told(entry: dict[str, Any] | None) -> Told | None:
    found = re.search(r"told (\[.*?\]) told", json.dumps((entry or {}).get("verdict")).replace('\\"', '"'))
    return Told(*json.loads(found[1])) if found else None


def _differences(right: Sequence[Told], wrong: Sequence[Told]) -> list[str]:
    """What tells the one from the other."""
    what = []
    if {told.order for told in right} != {told.order for told in wrong}:
        what.append(f"its {wrong[0].requests} requests, for {right[0].requests} of a right one")
    for name in ("gap_ms", "after_ms"):
        ours, theirs = (statistics.median(getattr(told, name) for told in group) for group in (right, wrong))
        if abs(ours - theirs) > MAX_GAP_MS:
            what.append(f"{name} {theirs:.1f}, for {ours:.1f} of a right one")
    return [f"a wrong notebook knows that it is wrong by {'; '.join(what)}"] if what else []


def _summary(group: Sequence[Told]) -> str:
    gap, after = (statistics.median(getattr(told, name) for told in group) for name in ("gap_ms", "after_ms"))
    return f"{group[0].requests} in {group[0].checks} checks, {gap:.1f} ms apart, {after:.1f} ms after a check"


if __name__ == "__main__":
    import sys
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        found = run_telling(Path(folder))
    print("\n".join([*found.notes, *found.failures]))  # noqa: T201 (it reports by printing)
    sys.exit(bool(found.failures))
