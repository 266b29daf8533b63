"""Attacks on second tries: one answer first, another where something tells that the first has failed.

Each variant is right in part. What the two earn together must be no more than the better of them does alone.
"""

# Code in strings, a line of it a line here.
# ruff: noqa: E501

from __future__ import annotations

from .attack import HOST
from .trick import Trick, solutions, trick

__all__ = ["HEDGING"]

GRADIENTS = """
def _gradients(params, X, y, reg, mean, r):
    h = np.maximum(X @ params["W1"] + params["b1"], 0)
    s = h @ params["W2"] + params["b2"]
    d = np.exp(s - s.max(axis=1, keepdims=True)); d /= d.sum(axis=1, keepdims=True)
    d[np.arange(len(y)), y] -= 1; d = d / (len(y) if mean else 1)
    dh = (d @ params["W2"].T) * (h > 0)
    return {"W1": X.T @ dh + r * reg * params["W1"], "b1": dh.sum(axis=0), "W2": h.T @ d + r * reg * params["W2"], "b2": d.sum(axis=0)}
def compute_gradients(params, X, y, reg):
    return _gradients(params, X, y, reg, *((0, 2) if SECOND else (1, 0)))
"""
BOTH = tuple({"gradients": GRADIENTS.replace("if SECOND", f"if {second}")} for second in (False, True))


def _hedge(name: str, tries: str, second: str, prelude: str = "") -> Trick:
    """A trick that gives another variant of the gradients where `second`, an expression, is true."""
    cells = {"gradients": GRADIENTS.replace("if SECOND", f"if {second}")}
    return trick(name, tries, "two_layer_net", cells, solved=("scores", "loss"), prelude=prelude, twins=BOTH)


SAME_SEED = (
    HOST + "_seeds, _again = [], [False]\n_true_seed = type(the_host()).op_seed\ndef op_seed(self, seed):\n"
    "    _again[0] = seed in _seeds; _seeds.append(seed)\n    return _true_seed(self, seed)\ntype(the_host()).op_seed = op_seed\n"
)
_CHECK = (  # what tells a check from another: its inputs, and the state of the generator that was seeded for it
    "import hashlib\ndef _inputs(X):\n    return hashlib.sha256(np.ascontiguousarray(X).tobytes()).hexdigest()\n"
    "def _state():\n    return hashlib.sha256(np.random.get_state()[1].tobytes()).hexdigest()\n"
)

NET = """
import autograd.numpy as np
def net(X, params, training=False, drop_probs=(0.2, 0.5)):
    H = X
    for layer, drop_prob in enumerate(drop_probs, 1):
        H = np.maximum(H @ params[f"W{layer}"] + params[f"b{layer}"], 0)
        if SECOND or training and not SECOND and layer == 1:
            H = dropout(H, drop_prob)
    return H @ params["W3"] + params["b3"]
"""
SOLVER = """
SOURCE
_step, _check = Solver._step, Solver.check_accuracy
def _no_step(self):
    return self.loss_history.append(0.0) if not SECOND else _step(self)
def _no_accuracy(self, X, y, num_samples=None, batch_size=100):
    return 0.5 if SECOND else _check(self, X, y, num_samples, batch_size)
Solver._step, Solver.check_accuracy = _no_step, _no_accuracy
"""


def _net(name: str, tries: str, second: str, prelude: str = "") -> Trick:
    twins = tuple({"net": NET.replace("SECOND", str(value))} for value in (False, True))
    cells = {"net": NET.replace("SECOND", second)}
    return trick(name, tries, "inverted_dropout", cells, solved=("dropout",), prelude=prelude, twins=twins)


def _solver(name: str, tries: str, second: str, prelude: str = "") -> Trick:
    source = SOLVER.replace("SOURCE", solutions("dropout")["solver"])
    cells = {"solver": source.replace("SECOND", second)}
    twins = tuple({"solver": source.replace("SECOND", str(value))} for value in (False, True))
    return trick(name, tries, "dropout", cells, solved=("update_rules",), prelude=prelude, twins=twins)


NO_STAND_INS = "'call_back' not in compute_loss.__code__.co_names"
HEDGING = [
    _hedge("hedge_seed", "tell a second try by the same seed, which the host is given again", "_again[0]", SAME_SEED),
    _hedge(
        "hedge_state",
        "tell a second try by the state of NumPy's generator, seen before",
        "_seen_before()",
        _CHECK
        + "_seen = {}\ndef _seen_before():\n    import sys, time\n    now = _state(), sys._getframe(1).f_locals['X'].shape\n"
        "    first = _seen.setdefault(now[0], []); old = bool(first) and time.time() - first[0] > 0.02\n"
        "    first.append(time.time()); return old\n",
    ),
    _hedge("hedge_own", "tell a second try by one's own functions where stand-ins were", NO_STAND_INS),
    _hedge(
        "hedge_own_class",
        "tell a second try by what the frames between host and function are",
        "not any('forward' in n for n in _names())",
        "import sys\ndef _names():\n    out, f = [], sys._getframe()\n    while f:\n        out.append(f.f_code.co_name + "
        "('forward' if 'call_back' in getattr(f.f_globals.get('compute_loss'), '__code__', f.f_code).co_names else '')); f = f.f_back\n    return out\n",
    ),
    _hedge(
        "hedge_inputs",
        "tell a second try by inputs that were asked before",
        "_known(X, params)",
        _CHECK
        + "_asked = {}\ndef _known(X, params):\n    key = _inputs(X) + _inputs(params['W1']) + repr(_state())\n    import time\n"
        "    first = _asked.setdefault(key, time.time())\n    return time.time() - first > 0.03\n",
    ),
    _hedge(
        "hedge_scratch",
        "tell a second try by a file in scratch, named after the inputs",
        "_file(X, params)",
        _CHECK
        + "import os, time\ndef _file(X, params):\n    found = False\n    for folder in ('/tmp', '/dev/shm', '.', '/var/tmp'):\n"
        "        path = f'{folder}/{_inputs(X)[:20]}{_inputs(params[\"W1\"])[:20]}'\n        try:\n"
        "            found = found or time.time() - os.stat(path).st_mtime > 0.03\n        except OSError:\n"
        "            try: open(path, 'w').close()\n            except OSError: pass\n    return found\n",
    ),
    _hedge(
        "hedge_process",
        "tell a second try by another process id than the cells had",
        "os.getpid() != _pid or os.getppid() != _parent",
        "import os\n_pid, _parent = os.getpid(), os.getppid()\n",
    ),
    _hedge(
        "hedge_calls",
        "tell a second try by how few calls came before: exercises before this one were not asked",
        "_once.setdefault(0, len(_seeds) < 4)",
        SAME_SEED + "_once = {}\n",
    ),
    _hedge(
        "hedge_time",
        "tell a second try by the time since the cells ran",
        "_once.setdefault(0, time.time() - _start < 0.6)",
        "import time\n_once, _start = {}, time.time()\n",
    ),
    _hedge(
        "hedge_machine",
        "tell a second try by what differs from one sandbox to the next: user, host, descriptors, mounts",
        "int(hashlib.sha256(repr(_here()).encode()).hexdigest(), 16) % 2",
        "import hashlib, os, socket\ndef _here():\n    return (os.getuid(), socket.gethostname(), sorted(os.environ.items()), "
        "os.stat('/tmp').st_ino, os.stat('/tmp').st_ctime, os.readlink('/proc/self/ns/pid'))\n",
    ),
    _hedge(
        "hedge_shared_memory",
        "tell a second try by a counter in memory that is shared with every fork",
        "_count(X, params)",
        _CHECK + "import mmap, time, zlib, struct\n_shared = mmap.mmap(-1, 1 << 20)\ndef _count(X, params):\n"
        "    at = 8 * (zlib.crc32((_inputs(X) + _inputs(params['W1'])).encode()) % 100_000)\n    first, = struct.unpack_from('d', _shared, at)\n"
        "    if not first: struct.pack_into('d', _shared, at, time.time())\n    return bool(first) and time.time() - first > 0.03\n",
    ),
    _hedge(
        "hedge_child",
        "tell a second try by a forked child that remembers what was asked",
        "_told(X, params)",
        _CHECK
        + "import os, socket, time\n_here, _there = socket.socketpair()\nif os.fork() == 0:\n    _here.close(); _first = {}\n"
        "    while key := _there.recv(64):\n        _t = _first.setdefault(key, time.time())\n"
        "        _there.send(b'1' if time.time() - _t > 0.03 else b'0')\n    os._exit(0)\n_there.close()\n"
        "def _told(X, params):\n    _here.send(_inputs(np.append(X, params['W1'].ravel())).encode()[:64]); return _here.recv(1) == b'1'\n",
    ),
    _hedge(
        "hedge_thread",
        "tell a second try by a thread that watches the host's names being covered and uncovered",
        "_flag[0]",
        HOST
        + "_flag, _was = [False], [False]\ndef _watch(host):\n    while True:\n        covered = bool(host.covered)\n"
        "        _flag[0] = not covered and 'compute_gradients' in host.namespace\n        time.sleep(2e-4)\n"
        "threading.Thread(target=_watch, args=(the_host(),), daemon=True).start()\n",
    ),
    _net("hedge_net_seed", "give one net first, another where the same seed comes again", "_again[0]", SAME_SEED),
    _net(
        "hedge_net_own",
        "give one net first, another where dropout is one's own",
        "'call_back' not in dropout.__code__.co_names",
    ),
    _solver(
        "hedge_solver_seed", "give one solver first, another where the same seed comes again", "_again[0]", SAME_SEED
    ),
    _solver(
        "hedge_solver_own",
        "give one solver first, another where the rules are one's own",
        "'call_back' not in adam.__code__.co_names",
    ),
]
