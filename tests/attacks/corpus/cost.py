"""Attacks on what grading costs: time of staff, and resources of the kernel that no limit may count.

All end by themselves: within 20 s, 600 MiB and 60 processes.
"""

# Code in strings, a line of it a line here.
# ruff: noqa: E501

from __future__ import annotations

from .attack import Attack, calls, does
from .trick import Trick, trick
from .trivial import ASSIGNMENTS

__all__ = ["COST", "COSTLY"]

_LIBC = "import ctypes, fcntl, mmap, os, signal, socket, struct, subprocess, threading, time\nlibc = ctypes.CDLL(None, use_errno=True)\nEND = lambda s=8: time.time() + s\n"
_CHILDREN = "for _ in range({count}):\n    if os.fork() == 0:\n        try:\n{act}\n        finally: os._exit(0)\n"


def _costs(name: str, tries: str, act: str) -> Attack:
    return does(name, tries, act, _LIBC)


COST = [
    _costs(
        "stuck_spawns",
        "have 30 processes stuck in posix_spawn on a pipe that nobody opens: each raises the load by one",
        "try: os.mkfifo('/tmp/fifo')\nexcept OSError: pass\n"
        "for _ in range(30): threading.Thread(target=lambda: os.posix_spawn('/bin/true', ['true'], {}, file_actions=[(os.POSIX_SPAWN_OPEN, 0, '/tmp/fifo', os.O_RDONLY, 0)]), daemon=True).start()\ntime.sleep(9)",
    ),
    _costs(
        "record_locks",
        "set record locks, a hundred bytes of the kernel's each, for eight seconds",
        "fd, lock, end, n = os.open('/usr/bin/env', os.O_RDONLY), struct.Struct('hhqqi4x'), END(), 0\nwhile time.time() < end and n < 2_000_000:\n    for _ in range(1000): fcntl.fcntl(fd, fcntl.F_SETLK, lock.pack(fcntl.F_RDLCK, 0, 2 * n, 1, 0)); n += 1",
    ),
    _costs(
        "record_locks_of_children",
        "set record locks in twelve processes",
        _CHILDREN.format(
            count=12,
            act="            fd, lock, end, n = os.open('/usr/bin/env', os.O_RDONLY), struct.Struct('hhqqi4x'), END(), 0\n            while time.time() < end and n < 300_000: fcntl.fcntl(fd, fcntl.F_SETLK, lock.pack(fcntl.F_RDLCK, 0, 2 * n, 1, 0)); n += 1\n            time.sleep(max(0, end - time.time()))",
        )
        + "time.sleep(9)",
    ),
    _costs(
        "timers",
        "make POSIX timers until there are none",
        "t = ctypes.c_void_p()\nfor n in range(300_000):\n    if libc.timer_create(1, None, ctypes.byref(t)): break\ntime.sleep(2)",
    ),
    _costs(
        "queued_signals",
        "queue signals that are never taken, in 30 processes",
        _CHILDREN.format(
            count=30,
            act="            signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\n            for n in range(100_000):\n                if libc.sigqueue(os.getpid(), 34 + n % 30, ctypes.c_void_p(n)): break\n            time.sleep(3)",
        )
        + "time.sleep(3)",
    ),
    _costs(
        "pipe_buffers",
        "fill pipes whose buffers were made as large as they can be",
        "held = []\nfor _ in range(100):\n    try: r, w = os.pipe()\n    except OSError: break\n    for size in (1 << 24, 1 << 20, 1 << 18):\n        try: fcntl.fcntl(w, 1031, size); break\n        except OSError: pass\n"
        "    os.set_blocking(w, False); held.append((r, w))\n    try:\n        while True: os.write(w, bytes(65536))\n    except OSError: pass\ntime.sleep(2)",
    ),
    _costs(
        "socket_buffers",
        "fill the buffers of socket pairs, with descriptors in flight",
        "held = []\nfor _ in range(100):\n    try: a, b = socket.socketpair()\n    except OSError: break\n    held += [a, b]; a.setblocking(False); a.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)\n"
        "    try:\n        while True: socket.send_fds(a, [bytes(4096)], [0, 1, 2])\n    except OSError: pass\ntime.sleep(2)",
    ),
    _costs(
        "sync_loop",
        "write and sync for six seconds: every process of the machine waits for its disk",
        "end = END(6)\nwhile time.time() < end:\n    libc.sync()\n    with open('/tmp/s', 'wb') as f: f.write(bytes(1 << 20)); os.fsync(f.fileno())",
    ),
    _costs(
        "inodes",
        "make folders, links and names without content",
        "try:\n    for n in range(60_000): os.mkdir(f'/tmp/d{n}')\nexcept OSError: pass\ntry:\n    for n in range(60_000): os.symlink('x' * 3000, f'/dev/shm/l{n}')\nexcept OSError: pass",
    ),
    _costs(
        "attributes",
        "hang extended attributes and locks on files in scratch",
        "for n in range(2000):\n    p = f'/tmp/a{n}'; open(p, 'w').close()\n    for k in range(20):\n        try: os.setxattr(p, f'user.{k}', bytes(60_000))\n        except OSError: break",
    ),
    _costs(
        "page_tables",
        "touch a page in each 2 MiB of sparse mappings: the tables take more than the pages",
        "m, n = [], 0\ntry:\n    for _ in range(64):\n        table = mmap.mmap(-1, 1 << 30, flags=mmap.MAP_SHARED | 0x4000); m.append(table)\n        for k in range(0, 1 << 30, 2 << 20): table[k] = 1\nexcept (OSError, ValueError, MemoryError): pass\ntime.sleep(1)",
    ),
    _costs(
        "mappings",
        "make as many mappings as the kernel keeps",
        "libc.mmap.restype = ctypes.c_void_p\nfor n in range(70_000):\n    if libc.mmap(None, ctypes.c_size_t(4096), 1 + n % 2 * 2, 0x22, -1, ctypes.c_long(0)) in (None, 2**64 - 1): break\ntime.sleep(1)",
    ),
    _costs(
        "memory_up_and_down",
        "take and give back 500 MiB, faster than a watchdog looks",
        "end = END()\nwhile time.time() < end:\n    hold = bytearray(500 << 20); del hold",
    ),
    _costs(
        "memory_between_looks",
        "take memory in processes that each live for a tenth of a second",
        "end = END()\nwhile time.time() < end:\n    for _ in range(4):\n        if os.fork() == 0:\n            hold = bytearray(140 << 20); os._exit(0)\n    for _ in range(4): os.wait()",
    ),
    _costs(
        "fork_churn",
        "start and end processes as fast as can be",
        "end = END()\nwhile time.time() < end:\n    if os.fork() == 0: os._exit(0)\n    os.wait()",
    ),
    _costs(
        "polls",
        "make epoll, eventfd, timerfd, inotify and signal descriptors that watch each other",
        "fds = []\ntry:\n    for n in range(60):\n        import select\n        fds += [select.epoll(), os.eventfd(0), libc.inotify_init1(0), libc.timerfd_create(1, 0)]\n        for e in fds[::4]:\n            for fd in fds[1::4]:\n                try: e.register(fd)\n                except OSError: pass\nexcept (OSError, ValueError): pass\ntime.sleep(1)",
    ),
    _costs(
        "proc_readers",
        "read the slowest files of /proc in a loop",
        "end = END()\nwhile time.time() < end:\n    for p in ('/proc/self/smaps', '/proc/self/numa_maps', '/proc/slabinfo', '/proc/stat', '/proc/interrupts', '/proc/vmstat', '/proc/self/mountinfo', '/proc/timer_list'):\n        try: open(p).read()\n        except OSError: pass",
    ),
    _costs(
        "futexes_and_yields",
        "have 40 threads yield and wake each other",
        "c = threading.Condition()\ndef spin():\n    end = END(6)\n    while time.time() < end:\n        with c: c.notify_all()\n        os.sched_yield()\nt = [threading.Thread(target=spin, daemon=True) for _ in range(40)]\n[x.start() for x in t]; [x.join() for x in t]",
    ),
    _costs(
        "locked_memory",
        "lock memory, and ask for huge pages",
        "for n in range(600):\n    m = mmap.mmap(-1, 1 << 20); libc.mlock(ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(m))), ctypes.c_size_t(1 << 20))\n    if ctypes.get_errno(): break\nlibc.mlockall(7)",
    ),
    _costs(
        "priorities",
        "ask for real time, idle I/O and every processor",
        "for policy in (1, 2, 6):\n    try: os.sched_setscheduler(0, policy, os.sched_param(50))\n    except (OSError, ValueError): pass\nlibc.syscall(251, 1, 0, 1 << 13)\ntry: os.sched_setaffinity(0, range(os.cpu_count()))\nexcept OSError: pass\nend = END(4)\nwhile time.time() < end: pass",
    ),
    _costs(
        "unlinked_files",
        "hold open files of scratch that have no name any more",
        "fds = []\ntry:\n    for n in range(200):\n        fds.append(os.open('/tmp', os.O_TMPFILE | os.O_RDWR)); os.posix_fallocate(fds[-1], 0, 60 << 20)\nexcept OSError: pass\ntime.sleep(1)",
    ),
    Attack(
        "sleeping_cells",
        "sleep in every cell",
        "import time\ntime.sleep(20)\n",
        scale="time.sleep(20)\n",
        model="time.sleep(20)\n",
        train="time.sleep(20)\n",
    ),
    Attack(
        "crashing_checks",
        "end the process in every call, after most of its time",
        "import os, time\n",
        scale="def scale(x):\n    time.sleep(1.8); os._exit(1)\n",
        model="class Model:\n    def __init__(self, n):\n        time.sleep(1.8); os._exit(1)\n",
        train="def train(n, data, steps):\n    time.sleep(1.8); os._exit(1)\n",
    ),
    Attack(
        "slow_start",
        "take long to start again after each death",
        "import os, time\ntime.sleep(12)\n",
        scale="def scale(x):\n    os._exit(1)\n",
        model="class Model:\n    def __init__(self, n): os._exit(1)\n",
        train="def train(n, data, steps): os._exit(1)\n",
    ),
    calls(
        "slow_callbacks",
        "call back just before the time is over, with what takes the trusted side long",
        "import time\ntime.sleep(1.7)\nfor _ in range(50): scale(np.ones((2000, 2000)))",
    ),
]


def _everywhere(name: str, tries: str, assignment: str, act: str) -> Trick:
    """A trick that does `act` in every call of every exercise; what it returns is worth nothing."""
    value = f"def V(*a):\n    {act}\n    return None\nL = A = V\n"
    return trick(name, tries, assignment, ASSIGNMENTS[assignment], prelude=value, tolerance=0.02)


COSTLY = [
    _everywhere("sleeps_everywhere", "sleep 19 s in every call", "dropout", "import time; time.sleep(19)"),
    _everywhere(
        "burns_everywhere",
        "compute for 19 s in every call",
        "two_layer_net",
        "import time; t = time.time()\n    while time.time() < t + 19: pass",
    ),
    _everywhere(
        "dies_everywhere",
        "end the process 15 s into every call",
        "inverted_dropout",
        "import os, time; time.sleep(15); os._exit(1)",
    ),
]
