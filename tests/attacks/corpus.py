"""The attacks: each a notebook, with the harm that it tries. All bounded in time, memory, processes and disk."""

# Code in strings, a line of it a line here.
# ruff: noqa: E501

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from target import NAME, SOLVED, WRONG, code, notebook

__all__ = ["ATTACKS", "SAMPLE", "Attack"]


def _nothing(folder: Path) -> None:
    pass


@dataclass(frozen=True)
class Attack:
    """An attack: what it tries, and the code that does. What is not given is wrong code, which earns nothing."""

    name: str
    tries: str
    prelude: str = ""
    scale: str = WRONG["scale"]
    model: str = WRONG["model"]
    train: str = WRONG["train"]
    solved: bool = False
    """Whether the solutions are right: then the attack is after something else than points."""
    finish: Callable[[dict[str, Any]], Any] = lambda content: content
    """Changes the notebook, or gives the text of a file that is none."""
    place: Callable[[Path], None] = _nothing
    """Puts more into the folder of the submission."""
    folder: str = ""
    """The student's name, where that is part of the attack."""

    @property
    def student(self) -> str:
        return self.folder or f"mallory_{self.name}"

    def hand_in(self, folder: Path) -> None:
        """Write the submission."""
        solutions = SOLVED if self.solved else {"scale": self.scale, "model": self.model, "train": self.train}
        content = self.finish(notebook(solutions, self.prelude))
        folder.mkdir(parents=True)
        if content is not None:
            text = content if isinstance(content, str) else json.dumps(content)
            (folder / f"{NAME}.ipynb").write_text(text)
        self.place(folder)


# What attackers share: a search for secrets, and ways to the host's own objects.
SEARCH = r"""
import gc, glob, os, re, sys
WANTED = re.compile(b"can" + rb"ary-[a-z]+-[0-9a-f]{16}")
def search(paths):
    found, errors = set(), 0
    for path in list(paths)[:5000]:
        try:
            with open(path, "rb") as file:
                found |= set(WANTED.findall(file.read(1 << 20)))
        except OSError:
            errors += 1
    return f"{sorted(found)} {errors} closed"
def tell(what):
    raise ValueError(str(what)[:1500])
"""
HOST = r"""
import gc, struct, sys, threading, time
import msgpack
def the_host():
    return next(thing for thing in gc.get_objects() if type(thing).__name__ == "Host")
def the_socket():
    return the_host().connection
def frame(tree, buffers=b""):
    packed = msgpack.packb(tree)
    return struct.pack("<QQ", len(packed), len(buffers)) + packed + buffers
def D(**fields):
    return ["d", *(part for item in fields.items() for part in item)]
def own_receive():
    import socket
    n, m = struct.unpack("<QQ", the_socket().recv(16, socket.MSG_WAITALL))
    tree = the_socket().recv(n, socket.MSG_WAITALL) if n else b""
    if m: the_socket().recv(m, socket.MSG_WAITALL)
    return tree
"""
TELLS = "def scale(x):\n    tell({what})\n"


def reads(name: str, tries: str, what: str, prelude: str = "") -> Attack:
    """An attack that searches for secrets and tells what it found in its exceptions and return values."""
    told = f"(lambda: {what})()"
    return Attack(
        name,
        tries,
        SEARCH + prelude,
        scale=TELLS.format(what=told),
        model=f"class Model:\n    def __init__(self, n):\n        self.params = {{str({told}): np.ones(n)}}\n"
        f"    def loss(self, X):\n        return str({told})\n",
        train=f"def train(n, data, steps):\n    print({told})\n    return {told}, {told}\n",
    )


def answers(name: str, tries: str, value: str, prelude: str = "") -> Attack:
    """An attack that gives the same odd value for everything that it is asked."""
    return Attack(
        name,
        tries,
        prelude,
        scale=f"def scale(x):\n    return {value}\n",
        model=f"class Model:\n    def __init__(self, n):\n        self.params = {value}\n"
        f"    def loss(self, X):\n        return {value}\n",
        train=f"def train(n, data, steps):\n    return {value}, {value}\n",
    )


def does(name: str, tries: str, act: str, prelude: str = "", **more: Any) -> Attack:
    """An attack that acts when `scale` is called."""
    body = "".join(f"    {line}\n" for line in act.strip().split("\n"))
    return Attack(name, tries, prelude, scale=f"def scale(x):\n{body}    return 0 * x\n", **more)


def calls(name: str, tries: str, act: str, prelude: str = "") -> Attack:
    """An attack on the trusted side through the stand-ins of `train`: `scale` and `Model`."""
    body = "".join(f"    {line}\n" for line in act.strip().split("\n"))
    return Attack(name, tries, prelude, train=f"def train(n, data, steps):\n{body}    return Model(n), []\n")


READING = [
    reads(
        "read_files",
        "walk the whole file system for graders, solutions, other submissions",
        "search(os.path.join(d, f) for top in ('/tmp', '/opt/gradlab', '/home', '/root', '/work', '/srv', '/mnt',"
        " '/var', '/etc', '/run', '/media', '/usr/src', '/usr/local/src') for d, _, fs in os.walk(top) for f in fs)",
    ),
    reads("read_environment", "read environment variables", "[search(glob.glob('/proc/*/environ')), dict(os.environ)]"),
    reads(
        "read_proc",
        "read other processes through /proc",
        "search(p for name in ('cmdline', 'maps', 'mem', 'fd/*', 'task/*/environ', 'cwd/*', 'root/*')"
        " for p in glob.glob(f'/proc/*/{name}'))",
    ),
    reads(
        "read_mounts",
        "open where mounted paths come from",
        "search([l.split()[3] for l in open('/proc/self/mountinfo')] + [l.split()[3] + '/../../tests/graders/target/'"
        " 'test_scale.py' for l in open('/proc/self/mountinfo')] + glob.glob('/proc/1/root/*/*')"
        " + glob.glob('/proc/1/cwd/*'))",
    ),
    reads(
        "read_gradebook",
        "find and open the gradebook",
        "search([*glob.glob('/**/gradebook.db'), *glob.glob('/tmp/**/*.db', recursive=True), 'gradebook.db',"
        " '../gradebook.db', '../../../gradebook.db'])",
    ),
    reads(
        "read_by_import",
        "import graders, misconceptions and the reference",
        "gain()",
        "def gain():\n    told = []\n    for line in ('import tests.graders.target.test_scale as m',"
        " 'import misconceptions as m', 'import test_scale as m',"
        " 'from gradlab_staff.course import Course; from pathlib import Path; from gradlab_staff.course.reference import"
        ' reference_namespace; m = reference_namespace(Course.find(Path.cwd()).assignment("target"))\'):\n'
        "        try:\n            space = {}; exec(line, space); told.append(vars(space['m']))\n"
        "        except BaseException as e: told.append(repr(e))\n    return told\n",
    ),
    reads(
        "read_other_submissions",
        "open other students' notebooks by relative paths",
        "search(glob.glob('../*/target/*') + glob.glob('../../*/*/*.ipynb') + glob.glob('/tmp/../submitted/*/*/*'))",
    ),
    reads(
        "read_memory",
        "trace the first process, read its memory, read kernel keyrings",
        "pry()",
        "import ctypes\ndef pry():\n    libc = ctypes.CDLL(None, use_errno=True); out = []\n"
        "    buffer = ctypes.create_string_buffer(4096)\n"
        "    for number in (101, 117, 310, 250, 249, 298, 321, 323):\n"
        "        for pid in (1, os.getppid()):\n"
        "            ctypes.set_errno(0); out.append((libc.syscall(number, 16, pid, 0, 0, 0), ctypes.get_errno()))\n"
        "    out.append((libc.syscall(250, 11, -3, buffer, 4096, 0), buffer.raw[:100]))\n"
        "    return out, search(['/proc/keys', '/proc/kcore', '/dev/mem', '/proc/1/mem'])\n",
    ),
    reads(
        "read_descriptors",
        "read what is behind inherited file descriptors",
        "search(p for p in glob.glob('/proc/*/fd/*') if not os.readlink(p).startswith('socket'))",
    ),
    reads(
        "read_home",
        "read the home folder of who grades",
        "search([*glob.glob(os.path.expanduser('~/*')),"
        " *glob.glob('/root/*'), *glob.glob('/home/*/*'), '/tmp/../home/secret.txt'])",
    ),
    reads(
        "read_heap",
        "search the host's own objects and frames for the graders",
        "rummage()",
        "def rummage():\n    out, frame = [], sys._getframe()\n    while frame:\n"
        "        out.append(str(frame.f_locals)[:300]); frame = frame.f_back\n"
        "    for thing in gc.get_objects():\n        if type(thing) in (str, dict, list) and b'grader' in"
        " str(thing)[:2000].encode(errors='replace'):\n            out.append(str(thing)[:100])\n"
        "    return [WANTED.findall(' '.join(out).encode(errors='replace')), out[-3:]]\n",
    ),
]

EVERYTHING_IS_EQUAL = """
class Lie:
    def __eq__(self, other): return True
    __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __eq__
    def __hash__(self): return 0
    def __float__(self): return 3.0
    def __int__(self): return 3
    def __len__(self): return 2
    def __bool__(self): return True
    def __call__(self, *a, **k): return self
    def __iter__(self): return iter([self, self])
    def __getitem__(self, key): return self
    def __array__(self, *a, **k): return np.ones(4)
    def __array_ufunc__(self, *a, **k): return True
    def __array_function__(self, *a, **k): return True
    def __getattr__(self, name): return self
    def __instancecheck__(self, other): return True
    __class__ = np.ndarray
    shape, dtype, size, ndim = (4,), np.dtype(float), 4, 1
"""
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

FORGING = [
    does(
        "forge_before",
        "write an answer of its own before the true one",
        "the_socket().sendall(frame(D(ok=['a', '<f8', [4, 3], 0], printed=0, states=['d']), b'\\1' * 96))",
        HOST,
    ),
    does(
        "forge_after",
        "write answers after the true one, in a thread",
        "def later():\n    for _ in range(50):\n        time.sleep(0.02)\n"
        "        the_socket().sendall(frame(D(ok=True, passed=True)))\nthreading.Thread(target=later, daemon=True).start()",
        HOST,
    ),
    does(
        "flood_replies",
        "flood the socket with answers",
        "end = time.time() + 1.5\nwhile time.time() < end:\n    the_socket().sendall(frame(D(ok=1.0)) * 1000)",
        HOST,
    ),
    does(
        "forge_lengths",
        "announce frames of up to 2^64 bytes",
        "the_socket().sendall(struct.pack('<QQ', 2**64 - 1, 2**64 - 1) + b'x' * 1000)",
        HOST,
    ),
    does(
        "forge_promise",
        "announce 256 MiB, and send them a byte at a time",
        "the_socket().sendall(struct.pack('<QQ', 4 << 20, 256 << 20))\nend = time.time() + 20\n"
        "while time.time() < end:\n    the_socket().sendall(b'x'); time.sleep(0.01)",
        HOST,
    ),
    does(
        "forge_types",
        "answer with frames that are no dict, or have keys that are no words",
        "global turn\nturn += 1\nthe_socket().sendall(frame([['l', 1], 7, ['d', 1, 2], ['d', 'ok'], ['t'], None][turn % 6]))",
        HOST + "turn = -1\n",
    ),
    does(
        "forge_handles",
        "hand out objects and stand-ins that do not exist",
        "global turn\nturn += 1\nthe_socket().sendall(frame(D(ok=[['h', 'own', 10**9, True, 'x' * 1000],"
        " ['h', 'stand_in', 3], ['h', 'stand_in', -1], ['h', 'own', 'x', 1, 2], ['h'], ['h', 'own', 1]][turn % 6])))",
        HOST + "turn = -1\n",
    ),
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
    does(
        "forged_states",
        "send an array where the states of stand-ins belong",
        "the_host()._states = lambda: np.array([1.0, 2.0])",
        HOST,
    ),
    answers("half_a_pair", "answer with a text that cannot be written down", "'\\ud800'"),
    calls("callback_endless", "call back for ever", "while True:\n    scale(data)"),
    calls("callback_many", "make the trusted side keep a million models", "while True:\n    Model(10)"),
    calls(
        "callback_code",
        "have the trusted side look names up or run text",
        "for text in ('__import__(\"os\").system(\"id\")', '__builtins__', 'eval', '{0.__class__}', '/etc/passwd'):\n"
        "    for call in (scale, Model):\n        try: call(text)\n        except Exception: pass",
    ),
    does(
        "shared_buffers",
        "make a frame in which 100,000 arrays share one large buffer",
        "shared = ['l', *[['a', '<f8', [4 << 20], 0]] * 100_000]\n"
        "the_socket().sendall(frame(D(ok=shared), bytes(32 << 20)))",
        HOST,
    ),
    does(
        "hash_collisions",
        "make a dict whose keys all have one hash",
        "keys = [['c', -1000003.0 * i, float(i)] for i in range(1, 150_000)]\n"
        "the_socket().sendall(frame(D(ok=['s', *keys])))",
        HOST,
    ),
    does(
        "deep_frame",
        "nest a frame 100,000 levels deep",
        "packed = b'\\x92\\xa1l' * 100_000 + b'\\xc0'\nthe_socket().sendall(struct.pack('<QQ', len(packed), 0) + packed)",
        HOST,
    ),
    does("silent", "neither read nor answer", "time.sleep(1000)", HOST),
    does("hang_up", "close or shut down the socket", "the_socket().shutdown(2); the_socket().close()", HOST),
    does(
        "send_descriptors",
        "send file descriptors along with its answers",
        "import socket, os\nfor _ in range(100):\n"
        "    socket.send_fds(the_socket(), [frame(D(ok=1.0))], [os.open('/dev/null', 0)])",
        HOST,
    ),
    Attack(
        "hang_on_housekeeping",
        "hang whenever it is told to seed, cover or uncover",
        HOST + "type(the_host()).op_seed = type(the_host()).op_cover = lambda self, *a, **k: time.sleep(4)\n",
    ),
]

LYING = [
    answers(
        "lying_object",
        "give objects that are equal to everything, and claim to be arrays",
        "Lie()",
        EVERYTHING_IS_EQUAL,
    ),
    answers(
        "lying_array",
        "give an ndarray subclass that is equal to everything",
        "np.ones(4).view(L)",
        "class L(np.ndarray):\n    def __eq__(self, other): return np.ones(self.shape, bool)\n"
        "    def __array_ufunc__(self, *a, **k): return True\n    def tobytes(self, *a): return b''\n",
    ),
    answers("masked_array", "give a masked array", "np.ma.masked_all((4, 3))"),
    answers(
        "object_array",
        "give arrays of objects, words, dates and records",
        "(np.array([Lie(), None], object), np.array(['x']), np.array(['2020'], 'M8[Y]'), np.zeros(2, [('a', 'f8')]))",
        EVERYTHING_IS_EQUAL,
    ),
    answers("object_arrays", "give an array of objects alone", "np.array([None, 1j, 'x', print])"),
    answers("nan", "give NaN", "np.full((4, 3), np.nan)"),
    answers("infinity", "give infinity", "np.array([np.inf, -np.inf])"),
    answers("complex", "give complex numbers", "np.ones((4, 3)) * 1j"),
    answers(
        "huge_shape", "give an array of 10^13 entries that takes no memory", "np.broadcast_to(0.0, (10**6, 10**7))"
    ),
    answers("empty_huge_shape", "give an empty array with a huge side", "np.zeros((0, 2**39))"),
    answers("large_array", "give 250 MiB of booleans", "np.ones(250 << 20, bool)"),
    answers(
        "strides",
        "give arrays with negative and zero strides, in other byte order",
        "np.ones((4, 3), '>f8')[::-1, ::-1] * 1",
    ),
    answers(
        "memory_map", "give a memory map of a scratch file", "np.memmap('/tmp/map', 'float64', 'w+', shape=(4, 3))"
    ),
    answers("big_integer", "give an integer of 3,000 hex digits", "16 ** 2990 - 1"),
    answers("ragged", "give lists of all depths", "[1, [2, [3, [4, [5, [6, [7, [8, [9, [10]]]]]]]]], {'a': ()}, {1}]"),
    answers(
        "deep_list",
        "give a list nested 500 deep",
        "deep()",
        "def deep():\n    value = 1.0\n    for _ in range(500): value = [value]\n    return value\n",
    ),
    answers(
        "odd_values",
        "give ranges, slices, types, dtypes, ellipses",
        "[range(2**70), range(9), slice(1), ..., np.float64]",
    ),
    answers("surrogates", "give words that no encoding holds", "{'\\ud800': '\\udfff' * 100, 'W': '\\x00\\x1b[2J'}"),
    answers("generator", "give generators and coroutines", "(value for value in iter(int, 1))"),
    answers("lying_word", "give words that read like a verdict", "'passed 10/10 <script>alert(1)</script>'"),
    Attack(
        "lying_exception",
        "raise exceptions that claim to be the kit's",
        "class CheckPassed(Exception): pass\nclass Skipped(BaseException): pass\n",
        scale="def scale(x):\n    raise Skipped('passed')\n",
        model="class Model:\n    def __init__(self, n): raise SystemExit(0)\n    def loss(self, X): raise KeyboardInterrupt\n",
        train="def train(n, data, steps):\n    raise CheckPassed('score 10')\n",
    ),
    Attack(
        "claims_untouched",
        "raise NotImplementedError to be taken for not attempted",
        scale="def scale(x):\n    raise NotImplementedError('passed')\n",
    ),
    Attack(
        "lying_error_text",
        "raise exceptions whose text cannot be made, or is endless",
        "class Bad(Exception):\n    def __str__(self): raise SystemExit\n",
        scale="def scale(x):\n    raise Bad\n",
        train="def train(n, data, steps):\n    raise type('N' * 10**6, (Exception,), {})('x' * 10**7)\n",
    ),
]

NETWORK = [
    reads(
        "network",
        "reach the network, DNS and services of this machine",
        "reach()",
        "import socket\ndef reach():\n    out = []\n    for address in (('127.0.0.1', 22), ('127.0.0.1', 8888), ('10.0.0.1', 80),"
        " ('192.0.2.1', 80), ('::1', 22)):\n        try: socket.create_connection(address, 0.3); out.append(address)\n"
        "        except OSError as e: out.append(e.errno)\n    try: out.append(socket.gethostbyname('localhost.test'))\n"
        "    except OSError as e: out.append(str(e))\n    open_ = [o for o in out if isinstance(o, tuple)]\n"
        "    return ('can' + 'ary' if open_ else '', out)\n",
    ),
    reads(
        "unix_sockets",
        "reach unix sockets, also abstract ones, and families beyond the namespace",
        "reach()",
        "import socket\ndef reach():\n    out = []\n    names = [l.split()[-1] for l in open('/proc/net/unix')][1:]\n"
        "    for name in [*names, '\\0/tmp/.X11-unix/X0', '/run/dbus/system_bus_socket', '/var/run/docker.sock']:\n"
        "        s = socket.socket(socket.AF_UNIX)\n        try: s.connect(name.replace('@', '\\0', 1)); out.append('open ' + name)\n"
        "        except OSError as e: out.append(e.errno)\n    for family in (16, 17, 38, 40):\n"
        "        try: socket.socket(family, socket.SOCK_STREAM); out.append(f'open {family}')\n"
        "        except OSError as e: out.append(e.errno)\n    return out\n",
    ),
]

FORK = "import os, signal, sys, threading, time\n"
RESOURCES = [
    does(
        "fork_bomb",
        "fork without end",
        "try:\n    while True:\n        if os.fork() == 0:\n            time.sleep(3)\nexcept OSError: pass",
        FORK,
    ),
    does(
        "busy_children",
        "keep every core busy with children",
        "for _ in range(40):\n    if os.fork() == 0:\n        end = time.time() + 20\n        while time.time() < end: pass\n"
        "        os._exit(0)",
        FORK,
    ),
    does(
        "threads",
        "start threads without end",
        "try:\n    while True: threading.Thread(target=time.sleep, args=(3,), daemon=True).start()\n"
        "except RuntimeError: pass",
        FORK,
    ),
    does("memory", "take all memory", "hold = []\nwhile True: hold.append(bytearray(256 << 20))"),
    does(
        "memory_of_children",
        "take memory in many processes",
        "for _ in range(12):\n    if os.fork() == 0:\n        hold = bytearray(os.urandom(1 << 20)) * 400\n        time.sleep(3)\n"
        "        os._exit(0)\ntime.sleep(1.5)",
        FORK,
    ),
    does(
        "hidden_memory",
        "take memory that belongs to no process: memfd, System V, tmpfs of its own",
        "import ctypes\nlibc = ctypes.CDLL(None)\nfor n in range(100):\n    try:\n        fd = os.memfd_create(str(n))\n"
        "        os.write(fd, bytes(32 << 20))\n    except OSError: pass\n    libc.shmget(n, 64 << 20, 0o1600)\n"
        "libc.unshare(0x10020000)\nlibc.mount(b'none', b'/tmp', b'tmpfs', 0, None)",
        FORK,
    ),
    does(
        "disk",
        "fill the disk",
        "n = 0\ntry:\n    while True:\n        open(f'/tmp/{n}', 'wb').write(bytes(16 << 20)); n += 1\n"
        "except OSError: pass\ntry:\n    while True:\n        open(f'/dev/shm/{n}', 'wb').write(bytes(16 << 20)); n += 1\n"
        "except OSError: pass",
    ),
    does("files", "make a hundred thousand files", "for n in range(100_000): open(f'/tmp/f{n}', 'w').close()"),
    does(
        "descriptors",
        "open file descriptors without end",
        "hold = []\ntry:\n    while True: hold.append(open('/dev/null'))\nexcept OSError: pass",
    ),
    does("endless_output", "print without end", "while True: print('x' * 1_000_000); os.write(1, b'y' * 65536)", FORK),
    does("endless_loop", "loop without end", "while True: pass"),
    does(
        "ignore_signals",
        "ignore every signal and sleep",
        "for number in range(1, 65):\n    try: signal.signal(number, signal.SIG_IGN)\n    except (OSError, ValueError): pass\n"
        "while True: time.sleep(1)",
        FORK,
    ),
    does(
        "left_behind",
        "leave daemons behind",
        "for _ in range(5):\n    if os.fork() == 0:\n        os.setsid()\n        if os.fork() == 0:\n"
        "            for n in (1, 2, 15): signal.signal(n, signal.SIG_IGN)\n            time.sleep(3600)\n        os._exit(0)",
        FORK,
    ),
    does(
        "kill_others",
        "kill its parent, the first process, its group, everything",
        "for target in (os.getppid(), 1, 0, -1, -os.getpgrp()):\n    for number in (9, 15, 19):\n"
        "        try:\n            if target: os.kill(target, number)\n        except OSError: pass\nos.killpg(0, 9)",
        FORK,
    ),
    does("stop_itself", "stop its own process", "os.kill(os.getpid(), signal.SIGSTOP)", FORK),
    does("crash", "crash the interpreter", "import ctypes\nctypes.string_at(0)"),
    does(
        "overflow_stack",
        "overflow the stack",
        "sys.setrecursionlimit(10**9)\ndef down(n): return down(n + 1)\ndown(0)",
        FORK,
    ),
    does("exit", "end the process as if all were well", "os._exit(0)", FORK),
    Attack("slow_cell", "hang in a cell", "x = 1\n", scale="while True:\n    pass\n"),
    Attack(
        "deaf_cells",
        "end the process in each cell",
        "import os\nos._exit(0)\n",
        scale="import os\nos._exit(0)\n",
        model="import os\nos._exit(0)\n",
        train="import os\nos._exit(0)\n",
    ),
    does(
        "priority",
        "raise its own limits and priority",
        "import resource\nfor limit in (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_NPROC, resource.RLIMIT_NOFILE):\n"
        "    try: resource.setrlimit(limit, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
        "    except (OSError, ValueError): pass\ntry: os.nice(-20)\nexcept OSError: pass\n"
        "try: os.setuid(0)\nexcept OSError: pass",
        FORK,
    ),
]


def _with_outputs(*outputs: dict[str, Any]) -> Callable[[dict[str, Any]], Any]:
    def finish(content: dict[str, Any]) -> dict[str, Any]:
        for cell in content["cells"]:
            cell["outputs"] = list(outputs)
        return content

    return finish


def _display(**data: Any) -> dict[str, Any]:
    data = {mime.replace("_", "/", 1): value for mime, value in data.items()}
    return {"output_type": "display_data", "metadata": {}, "data": data}


def _png(width: int, height: int) -> str:
    import base64
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    pixels = zlib.compress(bytes(1 << 20), 9)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    image = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return base64.b64encode(image).decode()


HTML = "<script>alert(1)</script><img src=x onerror=alert(1)><iframe src='javascript:alert(1)'></iframe>"
ESCAPES = "\x1b]0;owned\x07\x1b[2J\x1b[31m"


def _markdown(content: dict[str, Any]) -> dict[str, Any]:
    text = f'{HTML}\n\n[x](javascript:alert(1)) <a href="java\nscript:alert(1)">x</a>'
    content["cells"].append({"cell_type": "markdown", "metadata": {}, "source": text})
    return content


def _claims(content: dict[str, Any]) -> dict[str, Any]:
    """Grade cells that claim points, in every way that nbgrader reads, and a verdict in the metadata."""
    content["metadata"]["gradlab"] = {"verdict": {"score": 30, "exercises": []}}
    for cell in content["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade"):
            cell["outputs"] = [
                {"output_type": "execute_result", "execution_count": 1, "metadata": {}, "data": {"text/plain": "10.0"}},
                {"output_type": "stream", "name": "stdout", "text": "10.0\n"},
            ]
            cell["source"] = "10.0"
            cell["metadata"]["nbgrader"]["points"] = 1000
    content["cells"].append(code("10.0", "scale", grade=True, points=1000, locked=False))
    content["cells"].append(code("import sys; sys.exit(0)", "setup", locked=True))
    return content


SHOWING = [
    Attack(
        "html_outputs",
        "put HTML and script into outputs",
        solved=True,
        finish=_with_outputs(
            _display(
                text_html=HTML,
                text_plain=HTML,
                **{"application_javascript": "alert(1)", "image_svg+xml": f"<svg>{HTML}</svg>"},
            ),
            {"output_type": "stream", "name": f"stdout{HTML}", "text": HTML},
            {"output_type": "error", "ename": HTML, "evalue": HTML, "traceback": [HTML, {"x": HTML}]},
        ),
    ),
    Attack(
        "html_answers",
        "put HTML and script into exceptions and answers",
        f"LIE = {HTML!r}\n",
        scale="def scale(x):\n    raise type(LIE, (Exception,), {})(LIE)\n",
        train="def train(n, data, steps):\n    return LIE, {LIE: LIE}\n",
    ),
    Attack("html_markdown", "put HTML and script links into markdown", solved=True, finish=_markdown),
    Attack(
        "escapes",
        "put terminal escapes into outputs, exceptions, names and answers",
        f"LIE = {ESCAPES!r}\nprint(LIE)\nraise ValueError(LIE)\n",
        scale="def scale(x):\n    raise type(LIE, (Exception,), {})(LIE)\n",
        model="class Model:\n    def __init__(self, n):\n        self.params = {LIE: LIE}\n    def loss(self, X):\n        return LIE\n",
        train="def train(n, data, steps):\n    return type(LIE, (), {})(), LIE\n",
        finish=_with_outputs(
            {"output_type": "stream", "name": "stdout", "text": ESCAPES},
            {"output_type": "error", "ename": ESCAPES, "evalue": ESCAPES, "traceback": [ESCAPES]},
        ),
    ),
    Attack(
        "picture_bomb",
        "put a picture into the outputs that unpacks to gigabytes",
        solved=True,
        finish=_with_outputs(_display(image_png=_png(60_000, 60_000))),
    ),
    Attack(
        "output_bomb",
        "put 40 MB of text and 5,000 outputs into the notebook",
        solved=True,
        finish=_with_outputs(*[{"output_type": "stream", "name": "stdout", "text": "x" * 800}] * 5000),
    ),
    Attack("claims_points", "claim points in outputs, sources and metadata of grade cells", finish=_claims),
    Attack(
        "html_name",
        "have HTML, markup and escapes as the name of the student",
        solved=True,
        folder="mallory_[red]<img src=x onerror=alert(1)>\x1b[2J",
    ),
]


def _links_to(target: str, *, student: bool = False, file: bool = False) -> Callable[[Path], None]:
    """Replace the submission by a link into the course."""

    def place(folder: Path) -> None:
        if file:
            (folder / f"{NAME}.ipynb").symlink_to(os.path.relpath(folder.parents[2] / target, folder))
            return
        folder.rmdir()
        if student:
            folder.parent.rmdir()
            folder.parent.symlink_to(os.path.relpath(folder.parents[2] / target, folder.parents[1]))
        else:
            folder.symlink_to(os.path.relpath(folder.parents[2] / target, folder.parent))

    return place


def _pipes(folder: Path) -> None:
    os.mkfifo(folder / "timestamp.txt")
    os.mkfifo(folder / "data.bin")


def _beside(folder: Path) -> None:
    """Files that a careless grader would run, or follow."""
    for name in (
        "conftest.py",
        "test_scale.py",
        "sitecustomize.py",
        "numpy.py",
        "nbgrader_config.py",
        "pytest.ini",
        "gradlab.py",
    ):
        (folder / name).write_text("import os\nos._exit(0)\n")
    (folder / "..ipynb").write_text("{}")
    (folder / "a\nb.ipynb").write_text("{}")
    (folder / ("x" * 200 + ".ipynb")).write_text("{}")
    for target in ("../../../gradebook.db", "../../../tests/graders/target/test_scale.py", "/etc/passwd"):
        (folder / f"{Path(target).name}.txt").symlink_to(target)


def _sparse(folder: Path) -> None:
    """A file of a terabyte that takes no room."""
    with (folder / "data.bin").open("wb") as file:
        os.truncate(file.fileno(), 1 << 40)


def _nothing_to_read(content: dict[str, Any]) -> None:
    return None


SUBMITTING = [
    Attack(
        "linked_notebook",
        "hand in a link to the instructor's notebook",
        finish=_nothing_to_read,
        place=_links_to(f"source/{NAME}/{NAME}.ipynb", file=True),
    ),
    Attack(
        "linked_folder",
        "hand in a link to the instructor's folder",
        finish=_nothing_to_read,
        place=_links_to(f"source/{NAME}"),
    ),
    Attack(
        "linked_student",
        "be a link to another student",
        finish=_nothing_to_read,
        place=_links_to("submitted/aaa_honest", student=True),
    ),
    Attack(
        "linked_source", "be a link to the source", finish=_nothing_to_read, place=_links_to("source", student=True)
    ),
    Attack("pipes", "hand in pipes that nobody writes to", solved=True, place=_pipes),
    Attack("files_beside", "hand in files that a careless grader would import or follow", place=_beside),
    Attack("sparse_file", "hand in a file of a terabyte", solved=True, place=_sparse),
    Attack("nested_json", "nest the notebook 100,000 levels deep", finish=lambda content: '{"cells":' + "[" * 100_000),
    Attack(
        "nested_metadata",
        "nest the metadata as deep as the parser allows",
        finish=lambda content: json.dumps(content).replace(
            '"metadata": {"kernelspec"', '"metadata": {"x": ' + "[" * 900 + "]" * 900 + ', "kernelspec"'
        ),
    ),
    Attack(
        "nested_code",
        "nest code until the compiler gives up",
        scale="scale = " + "(" * 5000 + "1" + ")" * 5000,
        model="Model = " + "-" * 100_000 + "1",
        train="train = x" + ".y" * 50_000,
    ),
    Attack(
        "nested_setup",
        "nest a definition in a locked cell until it cannot be written down again",
        finish=lambda content: json.loads(
            json.dumps(content).replace('"import numpy as np"', '"def deep(): return a' + ".b" * 990 + '\\nimport os"')
        ),
    ),
    Attack(
        "many_values",
        "hold 15 million empty lists",
        finish=lambda content: '{"cells":[], "x":[' + "[]," * 15_000_000 + "[]]}",
    ),
    Attack(
        "nonsense",
        "hold words where numbers are due, and cells that are none",
        finish=lambda content: json.dumps(
            {
                "cells": [
                    None,
                    1,
                    {"cell_type": 5},
                    {"cell_type": "code", "source": {"a": 1}},
                    {"cell_type": "code", "source": ["x", None], "outputs": 7, "metadata": []},
                ],
                "metadata": "x",
                "nbformat": "4",
                "nbformat_minor": 1e999,
            }
        ).replace("Infinity", "1e999"),
    ),
    Attack("slow_magics", "have 100 magics at the end of a long cell", scale="x = 1\n" * 100_000 + "!ls\n" * 100),
]

ATTACKS = (*READING, *PATCHING, *FORGING, *LYING, *NETWORK, *RESOURCES, *SHOWING, *SUBMITTING)
_QUICK = (
    "read_files", "patch_codec", "patch_host", "forge_before", "forge_handles", "closed_stand_in", "junk_params",
    "callback_nonsense", "lying_object", "left_behind", "kill_others", "html_outputs", "escapes", "linked_student", "claims_points",
    "method_of_a_class", "forged_states",
)  # fmt: skip
SAMPLE = tuple(attack for attack in ATTACKS if attack.name in _QUICK)
