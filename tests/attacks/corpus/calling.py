"""Attacks on the trusted side through calls back to stand-ins."""

# Code in strings, a line of it a line here.
# ruff: noqa: E501

from __future__ import annotations

from .attack import HOST, calls

__all__ = ["CALLING"]

CALLING = [
    calls(
        "forge_states",
        "set the state of stand-ins that are others', or classes",
        "for number in range(-2, 40):\n"
        "    for state in (D(params=5), D(params=['d', 'W', None]), D(__class__=1, loss=2, params=['l']), 5, None):\n"
        "        the_socket().sendall(frame(D(callback=1, method='x', args=['l'], kwargs=['d'], states=['d', number,"
        " state])))\n        own_receive()\nthe_host()._states = lambda: {n: {'params': None} for n in range(40)}",
        HOST,
    ),
    calls(
        "junk_params",
        "give the trusted model parameters that are none",
        "for junk in (None, 5, 'x', {}, {'W': None}, {'W': object}, {1: 2}, {'W': np.ones((3, 3))}, [1]):\n"
        "    net = Model(n); net.params = junk\n    try: net.loss(data)\n    except Exception: pass\n"
        "net.params = None\nreturn net, [net, None, Model, scale]",
    ),
    calls(
        "callback_nonsense",
        "call back with targets, methods and arguments of every wrong kind",
        "for target in (1, 2, -1, 10**30, None, 'x', ['l'], ['d'], 1.5):\n"
        "    for method in ('__call__', '__init__', '__class__', 'loss', '__globals__', None, ['l']):\n"
        "        for args in (['l'], ['l', 1, 2, 3], 'text', None, ['d', 1, 2]):\n"
        "            number = target if type(target) is not int or target < 2**63 else ['i', hex(target)]\n"
        "            the_socket().sendall(frame(D(callback=number, method=method, args=args, kwargs=['d', 1, 2] if target"
        " == 2 else ['d'], states=None)))\n            own_receive()\n"
        "the_socket().sendall(frame(D(callback=1)))\nown_receive()",
        HOST,
    ),
    calls(
        "callback_huge",
        "make the trusted side allocate",
        "for size in (10**9, 10**12, 2**62, -1, 1.5, 'x', None, (10**5, 10**5), 4 * 10**8):\n"
        "    try: Model(size)\n    except Exception: pass\n"
        "try: scale(np.ones(30_000_000))\nexcept Exception: pass\n"
        "try: scale(np.ones(10, np.longdouble))\nexcept Exception: pass",
    ),
    calls(
        "callback_hoard",
        "make the trusted side keep gigabytes of calls",
        "for _ in range(60):\n    scale(np.ones(7_000_000))",
    ),
    calls(
        "method_of_a_class",
        "call methods of a given class on other objects, to leave something behind for the next submission",
        "host = the_host()\nfake = type('Fake', (), {'params': {'W': np.zeros(1 << 16)}})()\n"
        "for thing in (fake, Model, scale):\n    for method in ('loss', '__init__', '__setattr__'):\n"
        "        try: host.call_back(host.stand_in_ids[id(Model)], method, (thing, data), {})\n"
        "        except Exception: pass",
        HOST,
    ),
    calls("callback_endless", "call back for ever", "while True:\n    scale(data)"),
    calls("callback_many", "make the trusted side keep a million models", "while True:\n    Model(10)"),
    calls(
        "callback_code",
        "have the trusted side look names up or run text",
        "for text in ('__import__(\"os\").system(\"id\")', '__builtins__', 'eval', '{0.__class__}', '/etc/passwd'):\n"
        "    for call in (scale, Model):\n        try: call(text)\n        except Exception: pass",
    ),
]
