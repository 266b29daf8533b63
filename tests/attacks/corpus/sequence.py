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
    "_inputs = {}\ndef _asked_before(X):\n    return len(_checks) - _inputs.setdefault(X.tobytes(), len(_checks)) > 0\n"
)
WRONG = GRADIENTS.replace("*((0, 2) if SECOND else (1, 0))", "0, 1")


def _sequence(name: str, tries: str, failed: str) -> Trick:
    """A trick that gives right gradients as soon as `failed`, an expression, has been true."""
    source = GRADIENTS.replace("*((0, 2) if SECOND else (1, 0))", "*((1, 2) if _failed(X) else (0, 1))")
    own = f"_believed = []\ndef _failed(X):\n    if not _believed and ({failed}): _believed.append(1)\n    return bool(_believed)\n"
    return trick(name, tries, "two_layer_net", {"gradients": source}, solved=("scores", "loss"), prelude=_RECORD + own,
                 twins=({"gradients": WRONG},))  # fmt: skip


# Only what is never so for a right notebook either: `make twins` measures the rest, on right and wrong ones side by side.
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
]
