"""Attacks by values: objects that are equal to everything, arrays that are none, words like a verdict."""

# Code in strings, a line of it a line here.
# ruff: noqa: E501

from __future__ import annotations

from .attack import Attack, answers

__all__ = ["LYING"]

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
