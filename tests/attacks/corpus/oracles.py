"""Attacks that answer one exercise from what stands in, or was asked, in another."""

# Code in strings, a line of it a line here.
# ruff: noqa: E501

from __future__ import annotations

from .attack import HOST, Attack

__all__ = ["ORACLES"]

ORACLES = [
    Attack(
        "closed_stand_in",
        "use a stand-in as an oracle for another exercise, after it was closed",
        "kept = []\n",
        model="class Model:\n    def __init__(self, n):\n        kept.append(scale_of())\n        self.params = {'W': 0}\n"
        "    def loss(self, X):\n        return scale_of()(X)\ndef scale_of():\n    return globals()['scale']\n",
        scale="def scale(x):\n    for oracle in kept:\n        try: return oracle(x)\n        except Exception: pass\n"
        "    return 0 * x\n",
    ),
    Attack(
        "oracle_table",
        "ask the stand-in for everything that may come, and answer from the table",
        "table = {}\nasked = np.round(np.linspace(-4, 4, 801), 2)\n",
        model="class Model:\n    def __init__(self, n):\n        table.update(zip(asked, np.ravel(globals()['scale']"
        "(np.array([[7.0]])))))\n        self.params = {'W': 0}\n    def loss(self, X):\n        return 0.5\n",
        scale="def scale(x):\n    return np.array([table.get(v, 0.0) for v in np.round(x, 2).ravel()]).reshape(x.shape)\n",
    ),
    Attack(
        "public_table",
        "answer from a table when it recognises the public inputs",
        scale="def scale(x):\n    known = {1.0: 3.0, 2.0: 6.0, 3.0: 9.0, 0.5: 1.5}\n"
        "    return np.array([known.get(float(v), 0.0) for v in np.ravel(x)]).reshape(np.shape(x))\n",
    ),
    Attack(
        "detect_grading",
        "behave differently where there is no IPython, and a host on the stack",
        "import os, sys\nGRADED = 'IPython' not in sys.modules or 'gradlab_staff.host.host' in sys.modules\n",
        scale="def scale(x):\n    return {'outcome': 'passed'} if GRADED else 3 * x\n",
    ),
    Attack(
        "foresee_inputs",
        "work out the run's seed from the seed that it is given, and with it the inputs",
        HOST + "import zlib\nseen = []\ntrue_seed = type(the_host()).op_seed\n"
        "def op_seed(self, seed):\n    seen.append(seed)\n    return true_seed(self, seed)\n"
        "type(the_host()).op_seed = op_seed\n",
        scale="def scale(x):\n    for seed in seen[-3:]:\n        for more in ((), (zlib.crc32(b'scale::test_values'),)):\n"
        "            drawn = np.random.default_rng([seed, *more]).standard_normal(x.shape)\n"
        "            if np.allclose(drawn, x): return 3 * x\n    return 0 * x\n",
    ),
]
