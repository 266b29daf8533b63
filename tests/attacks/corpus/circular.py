"""Attacks that have one exercise's stand-in answer another: a loss from gradients, gradients from a loss.

Each reaches the stand-in by another way: `ask(name)` is what it thinks to be that function of the reference's.
"""

# Code in strings, a line of it a line here.
# ruff: noqa: E501

from __future__ import annotations

from .attack import HOST
from .trick import Trick, trick

__all__ = ["CIRCULAR"]

LOSS = """
_xs, _ws = np.polynomial.legendre.leggauss(48)
def compute_loss(params, X, y, reg):
    p = {n: np.array(v, float) for n, v in params.items()}
    n = int(min(40, 1 + np.abs(ask("compute_scores")(p, X)).max() / 8))
    total = 0.0
    for k in range(n):  # along the way from zero parameters, where the loss is log C
        for x, w in zip(_xs, _ws):
            t = (k + (x + 1) / 2) / n
            g = ask("compute_gradients")({m: t * v for m, v in p.items()}, X, y, reg)
            total += w / 2 / n * sum((g[m] * p[m]).sum() for m in p)
    return float(np.log(p["b2"].size) + total)
"""
GRADIENTS = """
def _slopes(f, v, h):
    g = np.zeros_like(v)
    for i in np.ndindex(*v.shape):
        k = v[i]
        def at(d):
            v[i] = k + d; r = f(); v[i] = k; return r
        a, b = (at(h) - at(-h)) / (2 * h), (at(2 * h) - at(-2 * h)) / (4 * h)
        g[i] = (4 * a - b) / 3
    return g
def compute_gradients(params, X, y, reg):
    p = {n: np.array(v, float) for n, v in params.items()}
    h = {n: 3e-4 / (max(1.0, np.abs(X).max()) if n == "W1" else 1) for n in p}
    loss = ask("compute_loss")
    g = {n: _slopes(lambda: loss(p, X, y, 0.0), p[n], h[n]) for n in p}
    return {n: v + (2 * reg * p[n] if n[0] == "W" else 0) for n, v in g.items()}
"""
PLAIN = "def ask(name):\n    return globals()[name]\n"


def _circular(name: str, tries: str, ask: str = PLAIN, cells: tuple[str, ...] = ("loss", "gradients")) -> Trick:
    sources = {"loss": LOSS, "gradients": GRADIENTS}
    return trick(name, tries, "two_layer_net", {cell: sources[cell] for cell in cells}, prelude=ask)


CIRCULAR = [
    _circular("circular", "integrate the loss from the stand-in's gradients, and differentiate its loss"),
    _circular("circular_loss", "integrate the loss from the stand-in's gradients", cells=("loss",)),
    _circular("circular_gradients", "differentiate the stand-in's loss", cells=("gradients",)),
    _circular(
        "circular_keyword",
        "ask the stand-in with every argument by its name",
        "def ask(name):\n    def asked(*args):\n"
        "        return globals()[name](**dict(zip(('params', 'X', 'y', 'reg'), args)))\n    return asked\n",
    ),
    _circular(
        "circular_by_thread",
        "ask the stand-in in a thread",
        "import threading\ndef ask(name):\n    def asked(*args):\n        found = []\n"
        "        t = threading.Thread(target=lambda: found.append(globals()[name](*args)))\n"
        "        t.start(); t.join(); return found[0]\n    return asked\n",
    ),
    _circular(
        "circular_by_property",
        "ask the stand-in in a property, while the grader reads an attribute",
        "def ask(name):\n    def asked(*args):\n        class Late:\n"
        "            answer = property(lambda self: globals()[name](*args))\n        return Late().answer\n    return asked\n",
    ),
    _circular(
        "circular_by_del",
        "ask the stand-in while an object is released",
        "def ask(name):\n    def asked(*args):\n        found = []\n        class Last:\n"
        "            def __del__(self): found.append(globals()[name](*args))\n        Last(); return found[0]\n    return asked\n",
    ),
    _circular(
        "circular_by_signal",
        "ask the stand-in in a signal handler",
        "import os, signal, time\ndef ask(name):\n    def asked(*args):\n        found = []\n"
        "        signal.signal(signal.SIGUSR1, lambda *a: found.append(globals()[name](*args)))\n"
        "        os.kill(os.getpid(), signal.SIGUSR1)\n        while not found: time.sleep(1e-4)\n        return found[0]\n"
        "    return asked\n",
    ),
    _circular(
        "circular_by_trace",
        "ask the stand-in in a trace function",
        "import sys\ndef ask(name):\n    def asked(*args):\n        found = []\n        def tracing(*a):\n"
        "            sys.settrace(None); found.append(globals()[name](*args))\n        def nothing(): pass\n"
        "        sys.settrace(tracing); nothing(); sys.settrace(None); return found[0]\n    return asked\n",
    ),
    _circular(
        "circular_by_host",
        "take the stand-in out of the host's own table",
        HOST
        + "def ask(name):\n    return [t for t in the_host().stand_ins.values() if getattr(t, '__name__', '') == name][-1]\n",
    ),
    _circular(
        "circular_by_collector",
        "find the stand-in among all objects of the process",
        "import gc, types\n_seen = {}\ndef ask(name):\n    key = np.random.get_state()[1][:4].tobytes(), name\n"
        "    if key not in _seen:\n        _seen[key] = [t for t in gc.get_objects() if type(t) is types.FunctionType"
        " and t.__name__ == name and 'call_back' in t.__code__.co_names][-1]\n    return _seen[key]\n",
    ),
    _circular(
        "circular_by_copy",
        "make a function of one's own of the stand-in's code",
        "import types\ndef ask(name):\n    f = globals()[name]\n"
        "    return types.FunctionType(f.__code__, dict(f.__globals__), 'honest', None, f.__closure__)\n",
    ),
    _circular(
        "circular_by_host_method",
        "call back by the host's own method, under every number",
        HOST
        + "def ask(name):\n    def asked(*args):\n        for number in [n for n, t in the_host().stand_ins.items()"
        " if getattr(t, '__name__', '') == name][::-1]:\n            try: return the_host().call_back(number, '__call__', args, {})\n"
        "            except Exception: pass\n    return asked\n",
    ),
    _circular(
        "circular_by_frames",
        "call back by frames of one's own on the inherited descriptor",
        HOST + "import os\nfrom gradlab_host.codec import decode, encode\ndef ask(name):\n    number = [n for n, t in"
        " the_host().stand_ins.items() if getattr(t, '__name__', '') == name][-1]\n    def asked(*args):\n        fd = the_socket().fileno()\n"
        "        whole = b''.join(bytes(p) for p in encode({'callback': number, 'method': '__call__', 'args': list(args),"
        " 'kwargs': {}, 'states': {}}, None))\n        while whole: whole = whole[os.write(fd, whole):]\n"
        "        def read(count):\n            got = b''\n            while len(got) < count: got += os.read(fd, count - len(got))\n"
        "            return bytearray(got)\n        n, m = struct.unpack('<QQ', read(16))\n"
        "        return decode(bytes(read(n)), read(m), lambda token: None)['ok']\n    return asked\n",
    ),
    _circular(
        "circular_by_fork",
        "ask the stand-in in a forked child that holds the socket",
        "import os, pickle\ndef ask(name):\n    def asked(*args):\n        r, w = os.pipe()\n        child = os.fork()\n"
        "        if child == 0:\n            os.write(w, pickle.dumps(globals()[name](*args))); os._exit(0)\n"
        "        os.close(w)\n        with os.fdopen(r, 'rb') as pipe: whole = pipe.read()\n        os.waitpid(child, 0)\n"
        "        return pickle.loads(whole)\n    return asked\n",
    ),
    _circular(
        "circular_remembered",
        "keep every stand-in that is ever bound to a name, and ask those of other checks",
        HOST + "_kept = {}\n_true = type(the_host()).op_cover\ndef op_cover(self, names):\n"
        "    for name, thing in names.items(): _kept.setdefault(name, []).append(thing)\n    return _true(self, names)\n"
        "type(the_host()).op_cover = op_cover\ndef ask(name):\n    def asked(*args):\n        for thing in _kept[name][::-1][:3]:\n"
        "            try: return thing(*args)\n            except RuntimeError: pass\n    return asked\n",
    ),
    trick(
        "circular_ten_thousand",
        "integrate the losses of a check by 10,000 calls to the stand-in's gradients",
        "two_layer_net",
        {"loss": LOSS.replace("leggauss(48)", "leggauss(100)").replace("1 + np.abs", "12 + np.abs")},
        prelude=PLAIN,
    ),
    trick(
        "circular_huge",
        "ask the stand-in about a net of 7 million weights, and read the loss of the small one off it",
        "two_layer_net",
        {
            "loss": "def compute_loss(params, X, y, reg):\n    big = dict(params, W1=np.pad(params['W1'], ((0, 0), (0, 1_000_000))), "
            "b1=np.pad(params['b1'], (0, 1_000_000)), W2=np.pad(params['W2'], ((0, 1_000_000), (0, 0))))\n"
            "    g = compute_gradients(big, X, y, reg)\n    raise ValueError(g['b2'].sum())\n"
        },
        prelude=PLAIN,
    ),
    trick(
        "circular_one_example",
        "read the loss of each example off the stand-in's gradient of b2, which is softmax minus one",
        "two_layer_net",
        {
            "loss": "def compute_loss(params, X, y, reg):\n    p = [1 + compute_gradients(params, X[i:i + 1], y[i:i + 1], 0.0)"
            "['b2'][y[i]] for i in range(len(y))]\n    return float(-np.mean(np.log(p)) + reg * sum((params[w] ** 2).sum()"
            " for w in ('W1', 'W2')))\n"
        },
    ),
    trick(
        "circular_scores",
        "read scores off the stand-in's gradient of b2, up to a constant, and predict from them",
        "two_layer_net",
        {
            "scores": "def compute_scores(params, X):\n    y = np.zeros(1, int)\n"
            "    return np.array([np.log(compute_gradients(params, x[None], y, 0.0)['b2'] + (np.arange(params['b2'].size) == 0))"
            " for x in X])\n"
        },
    ),
    trick(
        "later_stand_in",
        "keep the net of `tuning`, a stand-in, its class and a subclass, and answer with their training",
        "two_layer_net",
        {
            "train": "_kept = []\ndef train_net(net, X, y, X_val, y_val, *settings, **more):\n    for cls in _kept:\n"
            "        try: return cls(X.shape[1], 50, 10).train(X, y, X_val, y_val, *settings, **more)\n        except Exception: pass\n",
            "tuning": "class Sub(TwoLayerNet):\n    pass\ndef tune(X_train, y_train, X_val, y_val, num_iters=300):\n"
            "    _kept.extend([TwoLayerNet, type('Sub', (TwoLayerNet,), {})])\n    raise ValueError('kept')\n",
        },
    ),
    trick(
        "given_class_of_the_host",
        "have the stand-in net of `train` give loss, gradients and labels where its params are another's",
        "two_layer_net",
        {
            "train": "_nets = []\ndef train_net(net, X, y, X_val, y_val, *settings, **more):\n    _nets.append(net)\n"
            "    raise ValueError('kept')\n",
            "tuning": "def tune(X_train, y_train, X_val, y_val, num_iters=300):\n    for net in _nets:\n        try:\n"
            "            net.params = {}\n            return net, {(k,): net.loss(X_val, y_val)[0] for k in range(4)}\n"
            "        except Exception: pass\n    raise ValueError('no net')\n",
        },
    ),
    trick(
        "kept_inputs",
        "keep the parameters, the examples and the loss that were asked in one exercise to answer another",
        "two_layer_net",
        {
            "gradients": "def compute_gradients(params, X, y, reg):\n    for p, A, b, r, loss in _asked:\n"
            "        if A.shape == X.shape and np.allclose(A, X): return {n: v * loss for n, v in p.items()}\n"
            "    return {n: 0 * v for n, v in params.items()}\n",
        },
        prelude="_asked = []\n",
        solved=("scores", "loss"),
        twins=(
            {
                "gradients": "def compute_gradients(params, X, y, reg):\n    return {n: 0 * v for n, v in params.items()}\n"
            },
        ),
    ),
    trick(
        "stand_ins_of_the_solver",
        "have the stand-in rules of `solver` answer `update_rules` by way of the host's table",
        "dropout",
        {
            "update_rules": "def _by(name):\n    def rule(w, dw, config=None):\n"
            "        return [t for t in the_host().stand_ins.values() if getattr(t, '__name__', '') == name][-1](w, dw, config)\n    return rule\n"
            "sgd_momentum, rmsprop, adam = map(_by, ('sgd_momentum', 'rmsprop', 'adam'))\n",
        },
        prelude=HOST,
        solved=("solver",),
    ),
    trick(
        "stand_in_net_as_backward",
        "have the stand-in net of `regularization_experiment` give what dropout drops",
        "dropout",
        {
            "dropout_forward": "def dropout_forward(x, dropout_param):\n    return FullyConnectedNet([x.shape[1]], input_dim=x.shape[1],"
            " num_classes=x.shape[1], dropout=dropout_param['p']).loss(x), None\n",
        },
        prelude=HOST,
    ),
    trick(
        "stand_in_dropout",
        "have the stand-in `dropout` of `net` answer the checks of `dropout`",
        "inverted_dropout",
        {
            "dropout": "def dropout(X, drop_prob):\n    return [t for t in the_host().stand_ins.values() if getattr(t, '__name__', '') == 'dropout'][-1]"
            "(X, drop_prob)\n",
        },
        prelude=HOST,
    ),
]
