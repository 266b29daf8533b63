"""Attacks that change what shares a process with them: NumPy, pytest, the host, its codec."""

# Code in strings, a line of it a line here.
# ruff: noqa: E501

from __future__ import annotations

from .attack import HOST, Attack

__all__ = ["PATCHING"]

PATCHING = [
    Attack(
        "patch_numpy",
        "make numpy's comparisons say yes",
        "import numpy.testing\n"
        "for name in ('allclose', 'array_equal', 'isfinite', 'isclose'):\n"
        "    setattr(np, name, lambda *a, **k: True)\n"
        "np.testing.assert_allclose = lambda *a, **k: None\nnp.array = np.asarray = lambda *a, **k: np.ones(4)\n",
    ),
    Attack(
        "patch_builtins",
        "make abs, len, isinstance, any and AssertionError useless",
        "import builtins\nbuiltins.AssertionError = type('Never', (Exception,), {})\n"
        "builtins.abs = lambda x: 0\nbuiltins.any = lambda x: False\nbuiltins.all = lambda x: True\n",
    ),
    Attack(
        "patch_pytest",
        "put a pytest, a conftest and a plug-in of its own into sys.modules",
        "import sys, types\nfor name in ('pytest', '_pytest.runner', 'conftest', 'gradlab_staff.grading',"
        " 'gradlab_staff.grading.plugin', 'gradlab_staff.grading.judge'):\n    module = types.ModuleType(name)\n"
        "    module.__getattr__ = lambda attribute: (lambda *a, **k: True)\n    sys.modules[name] = module\n"
        "sys.path.insert(0, '/tmp')\nopen('/tmp/conftest.py', 'w').write('raise SystemExit(0)')\n"
        "open('/tmp/sitecustomize.py', 'w').write('raise SystemExit(0)')\n",
    ),
    Attack(
        "patch_codec",
        "replace the codec by one that sends full marks",
        "import gradlab_host.codec as codec, gradlab_host.host as host\n"
        "def encode(value, opaque=None):\n    return TRUE({'ok': True, 'passed': True, 'score': 10, 'states': {}})\n"
        "TRUE = codec.encode\nhost.encode = codec.encode = encode\n",
    ),
    Attack(
        "patch_host",
        "change the host's methods and its callers' frames",
        HOST + "host = the_host()\nfor name in ('op_call', 'op_get', 'op_name', '_describe'):\n"
        "    setattr(type(host), name, lambda self, *a, **k: {'outcome': 'passed', 'score': 10})\n"
        "frame_ = sys._getframe()\nwhile frame_:\n    frame_.f_locals.update(limits={}, uid=0); frame_ = frame_.f_back\n",
    ),
    Attack(
        "patch_socket",
        "send something else than the host does",
        "import socket\nTRUE = socket.socket.sendall\n"
        "socket.socket.sendall = lambda self, data, *a: TRUE(self, bytes(data).replace(b'error', b'ok   '))\n",
    ),
    Attack(
        "patch_randomness",
        "make every random number 0, on both sides if it could",
        "np.random.standard_normal = np.random.rand = np.random.randn = lambda *a: np.zeros(a)\n"
        "np.random.default_rng = lambda *a: None\nnp.random.seed = lambda *a: None\n",
    ),
]
