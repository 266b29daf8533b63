"""Attacks on the wire: frames that the host would not send."""

# Code in strings, a line of it a line here.
# ruff: noqa: E501

from __future__ import annotations

from .attack import HOST, Attack, answers, does

__all__ = ["FORGING"]

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
    does(
        "forged_states",
        "send an array where the states of stand-ins belong",
        "the_host()._states = lambda: np.array([1.0, 2.0])",
        HOST,
    ),
    answers("half_a_pair", "answer with a text that cannot be written down", "'\\ud800'"),
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
    does(
        "forge_accounting",
        "answer with costs, counts and places that are no numbers, negative, or have 3,000 digits",
        "global turn\nturn += 1\nodd = [float('nan'), -1e9, 1e308, 'x', None, ['l', 1], ['i', '0x' + 'f' * 2900], True][turn % 8]\n"
        "for fields in (dict(at=odd), dict(at=['l', odd, odd]), dict(ok=1.0, printed=odd, cpu_s=odd, states=odd)): the_socket().sendall(frame(D(**fields)))",
        HOST + "turn = -1\n",
    ),
]
