"""Attacks by two: a helper in one sandbox says something, and a taker in another, at the same time, hears it.

What is said are 16 bits. A *published* word stands still until it is read; a *signalled* one is one level after the
other, in time slots that both read off the clock. What the taker heard stands in its exception.
"""

# Code in strings, a line of it a line here.
# ruff: noqa: E501

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from target import WRONG, notebook

__all__ = ["CHANNELS", "SLOT_S", "Channel"]

SLOT_S = 0.2
WINDOW_S = 3.0

_COMMON = f"""
import ctypes, errno, fcntl, glob, mmap, os, signal, socket, struct, time
SLOT, WINDOW, BITS = {SLOT_S}, {WINDOW_S}, 16
libc = ctypes.CDLL(None, use_errno=True)
FILES = list({{os.stat(p).st_ino: p for p in sorted(glob.glob('/usr/bin/[a-m]*')) if os.path.isfile(p) and os.access(p, os.R_OK)}}.values())[:16]
def bits_of(word):
    return [word >> k & 1 for k in range(BITS)]
def word_of(bits):
    return sum(bool(b) << k for k, b in enumerate(bits))
"""
# A published word: publish(word) holds it, look() gives the word that it sees, 0 for none.
_PUBLISHED = """
def say(word):
    stop = time.time() + WINDOW
    try:
        kept = publish(word)
        while time.time() < stop:
            again(word); time.sleep(0.005)
    finally:
        time.sleep(max(0, stop - time.time()))
def listen():
    word, stop = 0, time.time() + WINDOW
    while time.time() < stop:
        try: word = look() or word
        except (OSError, IndexError, ValueError): pass
        time.sleep(0.02)
    return word
def again(word):
    pass
"""
# A signalled word: level(stop) makes a difference until then, measure() gives a number.
_SIGNALLED = """
def say(word):
    stop = time.time() + 2.2 * BITS * SLOT
    while (now := time.time()) < stop:
        slot = int(now / SLOT)
        end = (slot + 1) * SLOT - 0.03
        if word >> slot % BITS & 1: level(end)
        time.sleep(max(0, (slot + 1) * SLOT - time.time()) + 0.001)
def listen():
    seen, stop = [[] for _ in range(BITS)], time.time() + 2.2 * BITS * SLOT
    while (now := time.time()) < stop:
        if 0.3 < now / SLOT % 1 < 0.8:
            seen[int(now / SLOT) % BITS].append(measure())
        time.sleep(0.004)
    levels = [np.median(s) if s else 0.0 for s in seen]
    if DIFFERENCES: levels = [np.ptp(s) if s else 0.0 for s in seen]
    middle = (max(levels) + min(levels)) / 2
    return word_of([v > middle for v in levels]) if max(levels) > min(levels) else 0
DIFFERENCES = False
"""


@dataclass(frozen=True)
class Channel:
    """A way to say something to another sandbox: what it is, and the code of both sides."""

    name: str
    tries: str
    code: str
    residual: bool = False
    """Whether docs/security.md names it as left: then how much comes through is measured, and is no failure."""
    errors: int = 0
    """Bits of 16 that may be wrong."""
    kind: str = "channels"

    @property
    def students(self) -> tuple[str, str]:
        """The two, as grading takes them: both at once by two workers."""
        return f"mallory_{self.name}_helper", f"mallory_{self.name}_taker"

    def notebooks(self, word: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """The helper's notebook, which says the word, and the taker's."""
        once = "done = []\n"
        helper = f"def scale(x):\n    if not done:\n        done.append(1); say({word})\n    return 0 * x\n"
        taker = "def scale(x):\n    if not done: done.append(listen())\n    raise ValueError('heard:%04x' % done[0])\n"
        return (
            notebook({**WRONG, "scale": helper}, _COMMON + self.code + once),
            notebook({**WRONG, "scale": taker}, _COMMON + self.code + once),
        )

    def heard(self, said: int, text: str) -> bool:
        """Whether the taker's answer holds what was said, but for the `errors` that are allowed."""
        words = [int(word, 16) for word in re.findall(r"heard:([0-9a-f]{4})\b", text)]
        return any((word ^ said).bit_count() <= self.errors for word in words)


def _published(name: str, tries: str, code: str, **more: Any) -> Channel:
    return Channel(name, tries, _PUBLISHED + code, **more)


def _signalled(name: str, tries: str, code: str, **more: Any) -> Channel:
    return Channel(name, tries, _SIGNALLED + code, **{"errors": 1, **more})


_LOCK = "LOCK = struct.Struct('hhqqi4x')\n"
_RECORD_LOCKS = _LOCK + (
    "def publish(word):\n    fd = os.open('/usr/bin/env', os.O_RDONLY)\n    for k, bit in enumerate(bits_of(word)):\n"
    "        if bit: fcntl.fcntl(fd, SET, LOCK.pack(fcntl.F_RDLCK, 0, 1 << 40 | k, 1, 0))\n    return fd\n"
    "def look():\n    fd = os.open('/usr/bin/env', os.O_RDONLY)\n    try:\n        return word_of([LOCK.unpack(fcntl.fcntl(fd, GET, LOCK.pack(fcntl.F_WRLCK, 0, 1 << 40 | k, 1, 0)))[0]"
    " != fcntl.F_UNLCK for k in range(BITS)])\n    finally: os.close(fd)\n"
)
_PROC = "def measure():\n    return float(READ)\ndef level(end):\n"
CHANNELS = [
    _published(
        "locks",
        "set record locks on a system file, and ask for them",
        f"SET, GET = fcntl.F_SETLK, fcntl.F_GETLK\n{_RECORD_LOCKS}",
    ),
    _published(
        "locks_of_open_files",
        "set locks of an open file description, and ask for them",
        f"SET, GET = 37, 36\n{_RECORD_LOCKS}",
    ),
    _published(
        "flock",
        "lock whole files, and try to",
        "def publish(word):\n    fds = [os.open(p, os.O_RDONLY) for p in FILES[:BITS]]\n    for fd, bit in zip(fds, bits_of(word)):\n"
        "        if bit: fcntl.flock(fd, fcntl.LOCK_EX)\n    return fds\ndef look():\n    out = []\n    for p in FILES[:BITS]:\n"
        "        fd = os.open(p, os.O_RDONLY)\n        try: fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB); out.append(0)\n"
        "        except BlockingIOError: out.append(1)\n        finally: os.close(fd)\n    return word_of(out)\n",
    ),
    _published(
        "leases",
        "hold leases on files, which another's lease or opening finds",
        "def publish(word):\n    fds = [os.open(p, os.O_RDONLY) for p in FILES[:BITS]]\n    for fd, bit in zip(fds, bits_of(word)):\n"
        "        if bit: fcntl.fcntl(fd, 1024, fcntl.F_RDLCK)\n    return fds\ndef look():\n    out = []\n    for p in FILES[:BITS]:\n"
        "        fd = os.open(p, os.O_RDONLY)\n        try: fcntl.fcntl(fd, 1024, fcntl.F_WRLCK); out.append(0)\n"
        "        except BlockingIOError: out.append(1)\n        finally: os.close(fd)\n    return word_of(out)\n",
    ),
    _published(
        "inotify",
        "watch files being opened",
        "_w = []\ndef again(word):\n    for p, bit in zip(FILES, bits_of(word)):\n        if bit: os.close(os.open(p, os.O_RDONLY))\n"
        "def publish(word): pass\ndef look():\n    if not _w:\n        fd = libc.inotify_init1(os.O_NONBLOCK)\n        if fd < 0: raise OSError\n"
        "        _w.append((fd, [libc.inotify_add_watch(fd, p.encode(), 0x20) for p in FILES[:BITS]], set()))\n    fd, marks, seen = _w[0]\n"
        "    data = os.read(fd, 4096)\n    while data:\n        wd, _, _, n = struct.unpack_from('iIII', data); seen.add(wd); data = data[16 + n:]\n"
        "    return word_of([m in seen for m in marks])\n",
    ),
    _published(
        "dnotify",
        "be sent a signal where a folder's files are read",
        "DIRS = [d for t in ('/usr/share', '/usr/lib') for d in sorted(glob.glob(t + '/*/')) if any(os.path.isfile(d + n) for n in os.listdir(d))][:16]\n"
        "_seen, SIGNALS = [], range(40, 56)\n"
        "def again(word):\n    for d, bit in zip(DIRS, bits_of(word)):\n        if bit:\n            with open(next(d + n for n in os.listdir(d) if os.path.isfile(d + n)), 'rb') as f: f.read(1)\n"
        "def publish(word): pass\ndef look():\n    if not _seen:\n        signal.pthread_sigmask(signal.SIG_BLOCK, set(SIGNALS)); _seen.extend([0] * 16)\n        for s, d in zip(SIGNALS, DIRS):\n"
        "            fd = os.open(d, os.O_RDONLY)\n            if libc.fcntl(fd, 10, s) or libc.fcntl(fd, 1026, ctypes.c_ulong(0x80000001)): raise OSError\n"
        "    while (i := signal.sigtimedwait(set(SIGNALS), 0)) is not None: _seen[i.si_signo - 40] = 1\n"
        "    return word_of(_seen)\n",
    ),
    _published(
        "fanotify",
        "watch the whole system's files being opened",
        "_w = []\ndef again(word):\n    for p, bit in zip(FILES, bits_of(word)):\n        if bit: os.close(os.open(p, os.O_RDONLY))\n"
        "def publish(word): pass\ndef look():\n    if not _w:\n        fd = libc.syscall(300, 0x202, os.O_RDONLY)\n        if fd < 0: raise OSError\n"
        "        for p in FILES[:BITS]: libc.syscall(301, fd, 1, ctypes.c_ulong(0x20), -100, p.encode())\n        _w.append((fd, set()))\n    fd, seen = _w[0]\n"
        "    data = os.read(fd, 4096)\n    for k in range(0, len(data), 24): seen.add(os.readlink(f'/proc/self/fd/{struct.unpack_from(\"i\", data, k + 16)[0]}'))\n"
        "    return word_of([p in seen for p in FILES[:BITS]])\n",
    ),
    *(
        _published(
            f"page_cache_{name}",
            f"drop pages of system files from the page cache, and ask by {name} which are there",
            "BIG = [p for t in ('/usr/share', '/usr/lib') for d, _, fs in os.walk(t) for f in sorted(fs) for p in (d + '/' + f,)"
            " if not os.path.islink(p) and os.path.isfile(p) and 4096 <= os.path.getsize(p) < 65536][100:116]\n"
            "def again(word):\n    for p, bit in zip(BIG, bits_of(word)):\n        fd = os.open(p, os.O_RDONLY)\n"
            "        if bit: os.pread(fd, 4096, 0)\n        else: os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)\n        os.close(fd)\n"
            f"def publish(word): pass\ndef look():\n    out = []\n    for p in BIG:\n        fd = os.open(p, os.O_RDONLY)\n        try: out.append({ask})\n"
            "        finally: os.close(fd)\n    return word_of(out) if 0 < sum(out) < BITS else 0\n" + helper,
        )
        for name, ask, helper in (
            (
                "preadv2",
                "nowait(fd)",
                "def nowait(fd):\n    try: return bool(os.preadv(fd, [bytearray(1)], 0, os.RWF_NOWAIT))\n    except BlockingIOError: return 0\n",
            ),
            (
                "mincore",
                "mincore(fd)",
                "def mincore(fd):\n    libc.mmap.restype = ctypes.c_void_p\n    at = libc.mmap(None, ctypes.c_size_t(4096), 1, 1, fd, ctypes.c_long(0)); v = ctypes.create_string_buffer(1)\n"
                "    try:\n        if libc.mincore(ctypes.c_void_p(at), ctypes.c_size_t(4096), v): raise OSError\n        return v.raw[0] & 1\n    finally: libc.munmap(ctypes.c_void_p(at), ctypes.c_size_t(4096))\n",
            ),
            (
                "cachestat",
                "cachestat(fd)",
                "def cachestat(fd):\n    r, s = struct.pack('QQ', 0, 4096), ctypes.create_string_buffer(40)\n    if libc.syscall(451, fd, r, s, 0): raise OSError\n    return struct.unpack_from('Q', s)[0] > 0\n",
            ),
        )
    ),
    _published(
        "sockets_abstract",
        "bind and find abstract unix sockets",
        "def publish(word):\n    out = []\n    for k, bit in enumerate(bits_of(word)):\n        if bit: out.append(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)); out[-1].bind(f'\\0channel{k}')\n    return out\n"
        "def look():\n    out = []\n    for k in range(BITS):\n        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:\n            try: s.connect(f'\\0channel{k}'); out.append(1)\n            except OSError: out.append(0)\n    return word_of(out)\n",
    ),
    _published(
        "sockets_vsock",
        "bind and find ports of the machine's VSOCK, which no namespace holds",
        "def publish(word):\n    out = []\n    for k, bit in enumerate(bits_of(word)):\n        if bit: out.append(socket.socket(40, socket.SOCK_STREAM)); out[-1].bind((1, 52000 + k)); out[-1].listen()\n    return out\n"
        "def look():\n    out = []\n    for k in range(BITS):\n        with socket.socket(40, socket.SOCK_STREAM) as s:\n            try: s.connect((1, 52000 + k)); out.append(1)\n            except OSError: out.append(0)\n    return word_of(out)\n",
    ),
    _published(
        "system_v",
        "make and find System V shared memory, semaphores and message queues",
        "def publish(word):\n    for k, bit in enumerate(bits_of(word)):\n        if bit: libc.shmget(0x5700 + k, 4096, 0o1666); libc.semget(0x5700 + k, 1, 0o1666); libc.msgget(0x5700 + k, 0o1666)\n"
        "def look():\n    return word_of([any(f >= 0 for f in (libc.shmget(0x5700 + k, 4096, 0), libc.semget(0x5700 + k, 1, 0), libc.msgget(0x5700 + k, 0))) for k in range(BITS)])\n",
    ),
    _published(
        "keyrings",
        "leave a key in the user's keyring, and look for it",
        "def publish(word):\n    for ring in (-4, -5, -3): libc.syscall(248, b'user', b'channel', struct.pack('H', word), 2, ring)\n"
        "def look():\n    key = libc.syscall(249, b'user', b'channel', None, 0); got = ctypes.create_string_buffer(2)\n    return struct.unpack('H', got.raw)[0] if key > 0 and libc.syscall(250, 11, key, got, 2, 0) == 2 else 0\n",
    ),
    _published(
        "message_queues",
        "make and find POSIX message queues and shared memory by name",
        "def publish(word):\n    for k, bit in enumerate(bits_of(word)):\n        if bit: libc.syscall(240, b'channel%d' % k, 0o100 | 2, 0o666, None); open(f'/dev/shm/channel{k}', 'w').close()\n"
        "def look():\n    return word_of([libc.syscall(240, b'channel%d' % k, 0, 0, None) >= 0 or os.path.exists(f'/dev/shm/channel{k}') for k in range(BITS)])\n",
    ),
    _published(
        "times_of_files",
        "read files, and look when they were last read; set times, modes, attributes, links",
        "def publish(word):\n    for p, bit in zip(FILES, bits_of(word)):\n        for act in (lambda: os.utime(p, (bit, bit)), lambda: os.setxattr(p, 'user.bit', b'1'), lambda: os.link(p, p + '.bit'), lambda: os.chmod(p, 0o755)):\n"
        "            try: act()\n            except OSError: pass\n        if bit: open(p, 'rb').read(1)\n"
        "_first = [os.stat(p).st_atime_ns for p in FILES[:BITS]]\ndef look():\n    return word_of([os.stat(p).st_atime_ns != a for p, a in zip(FILES, _first)])\n",
    ),
    _signalled(
        "pseudo_terminals",
        "open pseudo-terminals, and count those of the machine",
        "def level(end):\n    fds = []\n    try:\n        for _ in range(40): fds += os.openpty()\n    except OSError: pass\n"
        "    time.sleep(max(0, end - time.time()))\n    for fd in fds: os.close(fd)\ndef measure(): return float(open('/proc/sys/kernel/pty/nr').read())\n",
    ),
    _signalled(
        "proc_file_nr",
        "open files, and read how many the machine has",
        _PROC.replace("READ", "open('/proc/sys/fs/file-nr').read().split()[0]")
        + "    fds = [os.pipe() for _ in range(100)]\n    time.sleep(max(0, end - time.time()))\n    for fd in fds: os.close(fd[0]); os.close(fd[1])\n",
    ),
    _signalled(
        "proc_stat_forks",
        "fork, and read how many processes the machine has started",
        _PROC.replace("READ", "next(l for l in open('/proc/stat') if l.startswith('processes')).split()[1]")
        + "    while time.time() < end:\n        if (p := os.fork()) == 0: os._exit(0)\n        os.waitpid(p, 0)\nDIFFERENCES = True\n",
    ),
    _signalled(
        "proc_stat_switches",
        "switch contexts, and read how many the machine has made",
        _PROC.replace("READ", "next(l for l in open('/proc/stat') if l.startswith('ctxt')).split()[1]")
        + "    a, b = socket.socketpair()\n    import threading\n    t = threading.Thread(target=lambda: [b.send(x) for x in iter(lambda: a and b.recv(1), b'')]); t.start()\n"
        "    while time.time() < end: a.send(b'x'); a.recv(1)\n    a.close(); t.join()\nDIFFERENCES = True\n",
    ),
    _signalled(
        "proc_meminfo",
        "take memory, and read how much the machine has left",
        _PROC.replace("READ", "-int(next(l for l in open('/proc/meminfo') if l.startswith('MemFree')).split()[1])")
        + "    m = mmap.mmap(-1, 256 << 20)\n    for k in range(0, 256 << 20, 4096): m[k] = 1\n    time.sleep(max(0, end - time.time())); m.close()\n",
    ),
    _signalled(
        "proc_sockets",
        "open sockets, and read the counts of /proc/net",
        _PROC.replace("READ", "sum(int(w) for l in open('/proc/net/sockstat') for w in l.split() if w.isdigit())")
        + "    s = [socket.socket() for _ in range(100)]\n    time.sleep(max(0, end - time.time()))\n    for x in s: x.close()\n",
    ),
    _signalled(
        "signals_of_the_user",
        "queue signals, which are counted by user, and read the count",
        _PROC.replace(
            "READ", "next(l for l in open('/proc/self/status') if l.startswith('SigQ')).split()[1].split('/')[0]"
        )
        + "    signal.pthread_sigmask(signal.SIG_BLOCK, {41})\n    for _ in range(200): libc.sigqueue(os.getpid(), 41, ctypes.c_void_p(1))\n    time.sleep(max(0, end - time.time()))\n"
        "    while signal.sigtimedwait({41}, 0): pass\n",
    ),
    _signalled(
        "inodes_of_the_machine",
        "make files, and read how many inodes and names the machine holds",
        _PROC.replace("READ", "open('/proc/sys/fs/inode-nr').read().split()[0]")
        + "    for k in range(3000): open(f'/tmp/i{k}', 'w').close()\n    time.sleep(max(0, end - time.time()))\n    for k in range(3000): os.unlink(f'/tmp/i{k}')\n",
    ),
    _signalled(
        "entropy_and_uuid",
        "use what /proc/sys tells of the kernel: random pool, last process",
        _PROC.replace("READ", "open('/proc/loadavg').read().split()[-1]")
        + "    while time.time() < end:\n        if (p := os.fork()) == 0: os._exit(0)\n        os.waitpid(p, 0)\nDIFFERENCES = True\n",
    ),
    _signalled(
        "load_of_the_machine",
        "keep a core busy, and measure how fast the other one is",
        "def level(end):\n    while time.time() < end: np.ones(100_000).sum()\ndef measure():\n    t = time.perf_counter()\n    for _ in range(60): np.ones(20_000).sum()\n"
        "    return time.perf_counter() - t\n",
        residual=True,
    ),
    _signalled(
        "load_in_proc",
        "keep a core busy, and read the machine's idle time in /proc/stat",
        _PROC.replace("READ", "open('/proc/stat').readline().split()[4]")
        + "    while time.time() < end: np.ones(100_000).sum()\nDIFFERENCES = True\n",
        residual=True,
    ),
    _signalled(
        "memory_of_sysinfo",
        "take memory, and ask sysinfo(2) how much is left",
        "def measure():\n    b = ctypes.create_string_buffer(256); libc.sysinfo(b)\n    return -float(struct.unpack_from('L', b, 40)[0])\ndef level(end):\n"
        "    m = mmap.mmap(-1, 256 << 20)\n    for k in range(0, 256 << 20, 4096): m[k] = 1\n    time.sleep(max(0, end - time.time())); m.close()\n",
        residual=True,
    ),
]
