"""Attacks on what a submission learns of its verdicts: by number, order and times of the requests that it gets.

Each starts with a wrong variant, and goes on to a right one where it believes that the first has failed.
"""

# Code in strings, a line of it a line here.
# ruff: noqa: E501

from __future__ import annotations

from .attack import HOST
from .hedging import GRADIENTS
from .trick import Trick, trick

__all__ = ["SEQUENCE"]

# `_checks`: of each check of `gradients` that has begun the requests so far, as (op, when it came).
_RECORD = HOST + (
    "_checks = []\n_true = type(the_host())._answer\ndef _answer(self, request):\n"
    "    if request['op'] == 'seed': _checks.append([])\n"
    "    if _checks: _checks[-1].append((request['op'], request.get('name', request.get('seed')), time.perf_counter()))\n"
    "    return _true(self, request)\ntype(the_host())._answer = _answer\n"
    "def _calls(check):\n    return sum(op == 'call' for op, *_ in check)\n"
    "def _of_gradients():\n    return [c for c in _checks[:-1] if any(r[1] == 'TwoLayerNet' for r in c)][-3:]\n"
)
WRONG = GRADIENTS.replace("*((0, 2) if SECOND else (1, 0))", "0, 1")


def _sequence(name: str, tries: str, failed: str) -> Trick:
    """A trick that gives right gradients as soon as `failed`, an expression, has been true."""
    source = GRADIENTS.replace("*((0, 2) if SECOND else (1, 0))", "*((1, 2) if _failed() else (0, 1))")
    own = f"_believed = []\ndef _failed():\n    if not _believed and ({failed}): _believed.append(1)\n    return bool(_believed)\n"
    return trick(name, tries, "two_layer_net", {"gradients": source}, solved=("scores", "loss"), prelude=_RECORD + own,
                 twins=({"gradients": WRONG},))  # fmt: skip


SEQUENCE = [
    _sequence(
        "requests_few",
        "count the nets of the last check: right answers are asked for more",
        "any(_calls(c) <= 2 for c in _of_gradients())",
    ),
    _sequence(
        "requests_again",
        "look whether the host was seeded again with the seed of the check before",
        "any(a[0][1] == b[0][1] for a, b in zip(_checks, _checks[1:]))",
    ),
    _sequence(
        "requests_order",
        "look whether a check asked for anything but a class, its parameters and its loss, as a second try does",
        "len(_checks) > 1 and _checks[-1] and [r[0] for r in _checks[-1]].count('cover') != [r[0] for r in _checks[0]].count('cover')"
        " and _checks[-1][0][1] in [c[0][1] for c in _checks[:-1]]",
    ),
    _sequence(
        "requests_same_check",
        "recognise by the sizes asked that the check begins anew",
        "any([r[:1] for r in a][:4] == [r[:1] for r in b][:4] and a[0][1] == b[0][1] for a in _checks[:-1] for b in _checks[-1:])",
    ),
    _sequence(
        "requests_uncovered",
        "look whether names were uncovered before the next seed came, and how many requests lay between",
        "any([r[0] for r in c].count('uncover') and _calls(c) == 2 for c in _of_gradients())",
    ),
    _sequence(
        "requests_attributes",
        "look whether an attribute was asked for after the last call: only passing checks go on to look at params",
        "any(c and c[-1][0] != 'get' and _calls(c) < 3 and not any(r[0] == 'get' and r[1] == 'params' for r in c) for c in _of_gradients())",
    ),
    _sequence(
        "requests_by_thread",
        "have a thread count what comes over the socket, by its bytes in /proc",
        "len(_checks) > 2 and len(_of_gradients()) and min(len(c) for c in _of_gradients()) < 9",
    ),
    _sequence(
        "gap_long",
        "take a gap of more than 400 ms before the next request for a failure",
        "len(_checks) > 1 and any(b[2] - a[2] > 0.4 for c in _checks[-2:] for a, b in zip(c, c[1:]))",
    ),
]
