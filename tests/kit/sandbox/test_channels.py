"""Two sandboxes side by side: what one does, the other does not see. What honest code needs goes on working."""

import os
import struct
import time
from pathlib import Path

import pytest
from hosted import notebooks

from gradlab_staff.course.packages import Packages
from gradlab_staff.host.landlock import landlock_version
from gradlab_staff.sandbox import seccomp

MACHINE = os.uname().machine
SHARED = "/usr/bin/env"
SOURCE = f"""
import ctypes, fcntl, os, socket, sqlite3, struct, subprocess
SHARED = open({SHARED!r}, 'rb')
def code(call, *arguments):
    try: call(*arguments)
    except OSError as error: return error.errno
    return 0
def lock():
    record = struct.pack('hhqqi', fcntl.F_RDLCK, 0, 0, 0, 0)
    fcntl.flock(SHARED, fcntl.LOCK_EX | fcntl.LOCK_NB)
    for n in range(1000): fcntl.lockf(SHARED, fcntl.LOCK_SH | fcntl.LOCK_NB, 1, 2 * n)
    return [code(fcntl.fcntl, SHARED, command, record) for command in (fcntl.F_SETLK, fcntl.F_OFD_SETLK)]
def commands(numbers):
    return [code(fcntl.fcntl, SHARED, number, 0) for number in numbers]
def system_call(number, *arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    ctypes.set_errno(0)
    return [libc.syscall(number, *arguments), ctypes.get_errno()]
def reads(path):
    try:
        with open(path, 'rb') as file: return len(file.read(100))
    except OSError as error: return -error.errno
def first(path):
    with open(path, 'rb') as file: return file.read(4096).hex()
def atime(path):
    return os.stat(path).st_atime_ns
def terminal():
    return code(os.openpty)
def database():
    one, other = sqlite3.connect('/tmp/a.db'), sqlite3.connect('/tmp/a.db')
    with one: one.execute('create table t(a)')
    with one: one.execute('insert into t values (1)')
    one.execute('insert into t values (2)')
    seen = [other.execute('select count(*) from t').fetchone()[0]]
    one.commit()
    return seen + [other.execute('select count(*) from t').fetchone()[0]]
"""
TABLE = seccomp.seccomp_filter(MACHINE) is not None
needs_a_filter = pytest.mark.skipif(not TABLE, reason="no table of system calls for this machine")
needs_landlock = pytest.mark.skipif(not landlock_version(), reason="this kernel has no Landlock")


@pytest.fixture(scope="module")
def two():
    """Two submissions at once, in a sandbox each."""
    with notebooks() as make:
        yield make(SOURCE), make(SOURCE)


@needs_a_filter
def test_no_lock_is_seen(two):
    """Both may lock the same file, for each is told that it did; asking who holds it is refused."""
    one, other = two
    assert one.lock() == other.lock() == [0, 0]
    held = [line.split()[5].split(":")[2] for line in Path("/proc/locks").read_text().splitlines() if "->" not in line]
    assert str(os.stat(SHARED).st_ino) not in held
    assert other.commands([5, 36]) == [1, 1]  # F_GETLK, F_OFD_GETLK


@needs_a_filter
def test_commands_that_reach_an_inode_are_refused(two):
    """Leases, notices, the size of pipes, hints for writing; what is the descriptor's own works."""
    assert set(two[0].commands([1024, 1025, 1026, 1031, 1035, 1036, 1037, 1038, 9999])) == {1}
    assert set(two[0].commands([0, 1, 3, 9, 1030])) == {0}


@needs_a_filter
def test_sqlite_works(two):
    """Two connections in a sandbox, one of them in the middle of a transaction."""
    assert two[0].database() == [1, 2]


@needs_a_filter
@pytest.mark.parametrize(
    ("table", "answer"),
    [("_CHANNELS", (-1, 1)), ("_ATTRIBUTES", (-1, 1)), ("_MISSING", (-1, 38)), ("_UNHEARD", (0, 0))],
)
def test_system_calls_are_answered_by_the_filter(two, table, answer):
    """With arguments that the kernel would refuse with another error, or that no descriptor has."""
    for name, number in seccomp._numbers(getattr(seccomp, table), MACHINE).items():
        assert (name, two[0].system_call(number, -1, 0, 0, 0, 0, 0)) == (name, list(answer))


@needs_landlock
def test_what_the_machine_counts_is_closed(two):
    """Counters of the kernel, and what of a process's own files tells of pages that others map."""
    names = (
        "loadavg vmstat uptime locks interrupts softirqs diskstats zoneinfo buddyinfo key-users sys/fs/file-nr "
        "sys/fs/inode-nr sys/fs/dentry-state sys/fs/aio-nr sys/kernel/pty/nr self/smaps self/smaps_rollup self/pagemap "
        "self/numa_maps self/net/sockstat self/net/unix self/schedstat pressure/cpu"
    )
    for name in names.split():
        if Path("/proc", name).exists():
            assert (name, two[0].reads(f"/proc/{name}")) == (name, -13)


def test_proc_tells_what_it_told_at_first(two):
    """Programs find cores and memory there, and not how busy or how free they are."""
    one, other = two
    for path in ("/proc/stat", "/proc/meminfo"):
        before = one.first(path)
        time.sleep(0.05)
        assert one.first(path) == other.first(path) == before


def test_reading_leaves_no_trace(two):
    """The time of access of a shared file is the same for the other afterwards."""
    one, other = two
    for path in (SHARED, "/dev/null", "/dev/zero", "/opt/gradlab/gradlab/__init__.py"):
        before = other.atime(path)
        one.reads(path)
        assert other.atime(path) == before


def test_there_are_no_terminals(two):
    """The machine has 4096 for all."""
    assert two[0].terminal() != 0


HONEST = """
import asyncio, concurrent.futures, multiprocessing, os, resource, subprocess, tempfile, numpy as np
import psutil, scipy.optimize, matplotlib.pyplot as plt
def machine():
    own = psutil.Process()
    return [os.cpu_count(), len(os.sched_getaffinity(0)), psutil.cpu_count(), own.memory_info().rss > 1e6,
            own.cpu_times().user > 0, psutil.virtual_memory().total > 1e8, psutil.cpu_percent() >= 0,
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > 0]
def memory():
    return os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') >> 20
def processes():
    with multiprocessing.Pool(2) as pool: out = pool.map(abs, [-1, -2])
    with concurrent.futures.ProcessPoolExecutor(2) as pool: out += pool.map(abs, [-3])
    with multiprocessing.Manager() as manager: out += list(manager.list([4]))
    async def five(): return 5
    return out + [asyncio.run(five())]
def files():
    np.save('a.npy', np.arange(3))
    mapped = np.load('a.npy', mmap_mode='r+')
    mapped[0] = 7
    mapped.flush()
    with open('a.npy', 'rb') as file: os.fsync(file.fileno())
    plt.plot([1, 2])
    plt.savefig('a.png')
    ran = subprocess.run('sort -n | head -1', shell=True, input=b'3\\n1\\n', capture_output=True)
    root = scipy.optimize.brentq(lambda x: x - 2, 0, 5)
    return [int(np.load('a.npy', mmap_mode='r')[0]), round(root), ran.stdout.decode(), ran.stderr.decode()]
"""


@pytest.mark.slow
def test_honest_code_works():
    """What asks for cores and memory, starts processes, maps and writes files, draws, or runs a program."""
    packages = Packages(("numpy", "scipy", "matplotlib", "psutil"))
    with notebooks() as make:
        nb = make(HONEST, packages=packages)
        cores = os.cpu_count()
        assert nb.machine() == [cores, len(os.sched_getaffinity(0)), cores, *[True] * 5]
        assert nb.memory() == nb._session.setup.limits.memory_mib
        assert nb.processes() == [1, 2, 3, 4, 5]
        assert nb.files() == [7, 2, "1\n", ""]


# --- the program itself, for machines that we are not on


def answer(machine, number, *arguments):
    """Return what the filter answers to a call: "allowed", or the error."""
    program = list(struct.iter_unpack("<HBBI", seccomp.seccomp_filter(machine)))
    data = struct.pack("<iIQ6Q", number, seccomp._ARCHITECTURES[machine], 0, *(*arguments, *[0] * 6)[:6])
    at, loaded = 0, 0
    while True:
        operation, if_true, if_false, operand = program[at]
        at += 1
        if operation == 0x06:
            return "allowed" if operand == 0x7FFF0000 else operand & 0xFFFF
        if operation == 0x20:
            loaded = struct.unpack_from("<I", data, operand)[0]
        else:
            holds = {0x15: loaded == operand, 0x35: loaded >= operand, 0x45: bool(loaded & operand)}[operation]
            at += if_true if holds else if_false


@pytest.mark.parametrize("machine", seccomp._ARCHITECTURES)
def test_the_filter_of_each_machine(machine):
    """By its number and its arguments, whose upper halves the kernel does not look at either."""
    numbers = seccomp._numbers(seccomp._WITH_ARGUMENTS, machine)
    for command, expected in {
        1: "allowed",
        1030: "allowed",
        1032: "allowed",
        6: 0,
        38: 0,
        5: 1,
        1031: 1,
        77: 1,
    }.items():
        assert answer(machine, numbers["fcntl"], 3, command) == expected
        assert answer(machine, numbers["fcntl"], 3, command | 1 << 32) == expected
    assert answer(machine, numbers["clone"], 0x10000000 | 17) == 1
    assert answer(machine, numbers["clone"], 0x003D0F00) == "allowed"
    assert [answer(machine, numbers["socket"], family) for family in (1, 16, 2, 40)] == ["allowed", "allowed", 97, 97]
    assert [answer(machine, numbers["setsockopt"], 3, 1, option) for option in (7, 8, 9)] == [0, 0, "allowed"]
    assert [answer(machine, numbers["msync"], 0, 0, flags) for flags in (4, 1)] == [0, "allowed"]
    assert [answer(machine, numbers["prctl"], option) for option in (62, 67, 15)] == [22, 22, "allowed"]
    assert answer(machine, 0x40000000) == 38
    assert answer(machine, {"x86_64": 0, "aarch64": 63}[machine]) == "allowed"  # read
    for table, error in {"_REFUSED": 1, "_CHANNELS": 1, "_ATTRIBUTES": 1, "_MISSING": 38, "_UNHEARD": 0}.items():
        assert {answer(machine, number) for number in seccomp._numbers(getattr(seccomp, table), machine).values()} == {
            error
        }


@pytest.mark.parametrize("machine", seccomp._ARCHITECTURES)
def test_no_number_stands_twice(machine):
    """A slip of the pen would refuse what is needed and allow what is not."""
    tables = ("_REFUSED", "_CHANNELS", "_ATTRIBUTES", "_MISSING", "_UNHEARD", "_WITH_ARGUMENTS")
    numbers = [n for table in tables for n in seccomp._numbers(getattr(seccomp, table), machine).values()]
    assert len(numbers) == len(set(numbers))
