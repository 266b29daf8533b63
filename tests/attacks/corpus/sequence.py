"""Attacks on what a submission learns of its verdicts: by number, order and times of the requests that it gets.

Each starts with one variant, and goes on to another where it believes that the first has failed. Where the first is all
wrong, the second is right, and what tells must never be so; where the two are right in part, they must not earn more
together than the better of them does alone, whatever tells.
"""

# Code in strings, a line of it a line here.
# ruff: noqa: E501

from __future__ import annotations

from .attack import HOST
from .hedging import BOTH, GRADIENTS, NET
from .trick import Trick, trick

__all__ = ["SEQUENCE"]

# `_checks`: of each check of `gradients` that has begun the requests so far, as (op, when it came).
_RECORD = HOST + (
    "_checks = []\n_true = type(the_host())._answer\ndef _answer(self, request):\n"
    "    if request['op'] == 'seed': _checks.append([])\n"
    "    if _checks: _checks[-1].append((request['op'], request.get('name', request.get('seed')), time.perf_counter()))\n"
    "    return _true(self, request)\ntype(the_host())._answer = _answer\n"
    "_inputs = {}\ndef _asked_before(X):\n    return len(_checks) - _inputs.setdefault(X.tobytes(), len(_checks)) > 0\n"
)
WRONG = GRADIENTS.replace("*((0, 2) if SECOND else (1, 0))", "0, 1")


def _sequence(name: str, tries: str, failed: str) -> Trick:
    """A trick that gives right gradients as soon as `failed`, an expression, has been true."""
    source = GRADIENTS.replace("*((0, 2) if SECOND else (1, 0))", "*((1, 2) if _failed(X) else (0, 1))")
    own = f"_believed = []\ndef _failed(X):\n    if not _believed and ({failed}): _believed.append(1)\n    return bool(_believed)\n"
    return trick(name, tries, "two_layer_net", {"gradients": source}, solved=("scores", "loss"), prelude=_RECORD + own,
                 twins=({"gradients": WRONG},))  # fmt: skip


# `_told[0]`: whether, after an answer of one's own, the next request came late, or the check ended after few requests.
_GAP = (
    HOST
    + """
_true, _told, _waits, _last, _count, _mine = type(the_host())._answer, [False], [False], [0.0], [0], [False]
def _answer(self, request):
    if _waits[0] and time.perf_counter() - _last[0] > GAP: _told[0] = True
    if request["op"] == "seed":
        if _mine[0] and _count[0] < REQUESTS: _told[0] = True
        _count[0], _mine[0] = 0, False
    _count[0] += 1; _waits[0] = False
    answer = _true(self, request)
    _last[0] = time.perf_counter(); _waits[0] = _mine[0]
    return answer
type(the_host())._answer = _answer
def _failed():
    _mine[0] = True
    return _told[0]
"""
)
_ON = {
    "two_layer_net": ("gradients", GRADIENTS.replace("if SECOND", "if _failed()"), ("scores", "loss"), BOTH),
    "inverted_dropout": (
        "net",
        NET.replace("    H = X\n", "    H, second = X, _failed()\n").replace("SECOND", "second"),
        ("dropout",),
        tuple({"net": NET.replace("SECOND", str(second))} for second in (False, True)),
    ),
}
"""By assignment: the exercise, its source with two variants, what is solved before it, and the variants alone."""


def _by(name: str, tries: str, gap_s: float, requests: int, assignment: str) -> Trick:
    """A trick that gives its second variant after a gap of so long, or a check of fewer requests."""
    exercise, source, solved, twins = _ON[assignment]
    prelude = _GAP.replace("GAP", str(gap_s)).replace("REQUESTS", str(requests))
    return trick(name, tries, assignment, {exercise: source}, solved=solved, prelude=prelude, twins=twins)


# Of one that is all wrong: only what is never so for a right notebook either: `make twins` measures the rest, on right and wrong ones side by side.
SEQUENCE = [
    _sequence(
        "requests_again",
        "look whether the host was seeded again with the seed of the check before",
        "any(a[0][1] == b[0][1] for a, b in zip(_checks, _checks[1:]))",
    ),
    _sequence(
        "requests_same_check",
        "recognise by the seed, and by the names that are asked first, that a check of long ago begins anew",
        "any(a[0][1] == _checks[-1][0][1] and [r[0] for r in a][:3] == [r[0] for r in _checks[-1]][:3] for a in _checks[:-1])",
    ),
    _sequence(
        "requests_same_inputs",
        "recognise inputs that were asked about before, in another check",
        "_asked_before(X)",
    ),
    *(
        _by(
            f"gap_{milliseconds}_ms_{assignment}",
            f"give another variant once the next request comes {milliseconds} ms after an answer",
            milliseconds / 1000,
            0,
            assignment,
        )
        for assignment in _ON
        for milliseconds in (5, 10, 23)
    ),
    *(
        _by(
            f"few_requests_{assignment}",
            "give another variant once a check has ended after few requests",
            1e9,
            25,
            assignment,
        )
        for assignment in _ON
    ),
]
