"""What holds a sandbox as a whole: with a control group and without one, as root and as anyone else."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hosted import notebooks

from gradlab_staff.host import landlock
from gradlab_staff.host.seccomp import add_filter
from gradlab_staff.sandbox import bubblewrap, seccomp, watchdog
from gradlab_staff.sandbox.failures import HostDiedError, HostTimedOutError, SubmissionError
from gradlab_staff.sandbox.limits import Limits, best_cgroup
from gradlab_staff.sandbox.processes import usage_of

SMALL = Limits(memory_mib=400, processes=16, scratch_mib=32)
UNGROUPED = Limits(memory_mib=400, processes=16, scratch_mib=32, cgroup=False)

HOGS = """
import ctypes, os, socket, time
def fork(count, work):
    for _ in range(count):
        if os.fork() == 0:
            work()
            os._exit(0)
def hog():
    hold = bytearray(b'x') * (100 << 20)
    time.sleep(20)
def spin():
    while True: pass
def memory():
    fork(6, hog)
    time.sleep(20)
def busy(count):
    fork(count, spin)
    time.sleep(20)
def files():
    for n in range(50_000): open(f'/tmp/{n}', 'w').close()
    time.sleep(20)
def system_call(number, *arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    return libc.syscall(number, *arguments), ctypes.get_errno()
def sockets():
    keep = []
    for _ in range(5):
        if os.fork() == 0:
            while len(keep) < 240: keep += socket.socketpair()
            time.sleep(20)
    time.sleep(20)
def timers():
    libc, timer, count = ctypes.CDLL(None), ctypes.c_void_p(), 0
    while count < 1000 and libc.timer_create(1, None, ctypes.byref(timer)) == 0: count += 1
    return count
def buffer():
    with socket.socketpair()[0] as end:
        before = end.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * before)
        return end.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) / before
def favoured():
    failed = 0
    for favour in (lambda: os.nice(-1), lambda: os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))):
        try: favour()
        except OSError: failed += 1
    return failed
def opens(family):
    socket.socket(family, socket.SOCK_STREAM).close()
def status():
    return open('/proc/self/status').read()
"""


@pytest.fixture
def notebook():
    """Makes a session of these limits, and ends it."""
    with notebooks() as make:
        yield lambda limits=None, source=HOGS, **setup: make(source, limits=limits or Limits(), **setup)


@pytest.mark.parametrize("limits", [SMALL, UNGROUPED], ids=["with a cgroup", "without"])
def test_memory_is_bounded_over_all_processes(notebook, limits):
    """Six children of 100 MiB are more than 400 MiB: with a control group or without, they do not live on."""
    nb = notebook(limits)
    nb._session.start()
    process = nb._session.sandbox.process.pid
    with nb._session.limited(1), pytest.raises((HostDiedError, HostTimedOutError)):
        nb.memory()
    assert usage_of(process).memory_bytes < 450 << 20


def test_the_watchdog_says_what_there_was_too_much_of(notebook):
    """The student reads why the process was ended."""
    with pytest.raises(HostDiedError, match="more than 400 MiB of memory"):
        notebook(UNGROUPED).memory()
    with pytest.raises(HostDiedError, match="more than 20000 files"):
        notebook(UNGROUPED).files()
    with pytest.raises(HostDiedError, match="more than 1024 files, pipes and sockets open"):
        notebook(UNGROUPED).sockets()


def test_kernel_memory_that_no_limit_counts_is_bounded(notebook):
    """Timers and queued signals by an rlimit; a socket's buffer stays as it is. No process is favoured over others."""
    nb = notebook(UNGROUPED)
    assert nb.timers() == 256
    assert nb.buffer() == 1
    assert nb.favoured() == 2


def test_more_than_one_core_is_not_kept_busy(notebook, monkeypatch):
    """Children that spin are ended, for other submissions run against the clock."""
    monkeypatch.setattr(watchdog, "SLACK_S", 1.5)
    monkeypatch.setattr(watchdog, "CORES", 0.02)
    with pytest.raises(HostDiedError, match="more than one core"):
        notebook(UNGROUPED).busy(4)


def test_a_limit_on_cpu_time_counts_all_processes(notebook):
    """The seconds of children add up."""
    with pytest.raises(HostTimedOutError, match="used up its 1 s of CPU time"):
        notebook(Limits(cpu_s=1, cgroup=False)).busy(3)


def test_the_protections_are_recorded(notebook):
    """The record of a verdict names every bound, and the lack of one."""
    with_group, without = notebook(SMALL), notebook(UNGROUPED)
    for nb in (with_group, without):
        nb.status()
    assert "no cgroup, rlimits, watchdog" in without._session.protections
    group = best_cgroup(SMALL)
    if group is not None:
        group.remove()
        assert group.kind in with_group._session.protections
        assert "processes" in group.kind


def test_no_control_group_stays_behind(notebook):
    """Its folders go with the sandbox."""
    nb = notebook(SMALL)
    nb.status()
    group = nb._session.sandbox.cgroup
    nb._session.stop()
    if group is not None:
        assert not [folder for folder in group.folders if folder.exists()]


@pytest.mark.skipif(seccomp.seccomp_filter(os.uname().machine) is None, reason="no table of system calls")
def test_system_calls_that_widen_the_sandbox_are_refused(notebook):
    """No namespaces of its own, no memory that nobody counts, no keyrings, no sockets beyond the network namespace."""
    nb = notebook()
    assert "Seccomp:\t2" in nb.status()
    numbers = {"x86_64": (272, 319, 250, 425, 101), "aarch64": (97, 279, 219, 425, 117)}[os.uname().machine]
    for number in numbers:
        assert nb.system_call(number, 0x10000000, 0, 0, 0) == (-1, 1)
    for family in (socket.AF_INET, socket.AF_INET6, 17, 38, 40):
        with pytest.raises(SubmissionError, match="OSError"):
            nb.opens(int(family))
    nb.opens(int(socket.AF_UNIX))


@pytest.mark.skipif(seccomp.last_filter() is None, reason="no table of system calls, or no seccomp")
@pytest.mark.parametrize("closed", [True, False], ids=["as it is", "without Landlock"])
def test_no_rule_and_no_filter_can_be_added(notebook, monkeypatch, closed):
    """Each is kernel memory that only a cgroup counts: 60 rulesets of 20,000 rules were 78 MiB."""
    if not closed:
        monkeypatch.setattr(bubblewrap, "landlock_version", lambda: 0)
    nb = notebook()
    for number in seccomp._numbers(seccomp._TAKEN, os.uname().machine).values():
        assert (number, nb.system_call(number, 0, 0, 1)) == (number, (-1, 1))
    prctl = seccomp._numbers(seccomp._WITH_ARGUMENTS, os.uname().machine)["prctl"]
    for mode in (1, 2):
        assert nb.system_call(prctl, 22, mode, 0, 0, 0) == (-1, 1)
    assert nb.system_call(prctl, 3, 0, 0, 0, 0)[0] in (0, 1)  # PR_GET_DUMPABLE: other options work


def test_a_kernel_that_refuses_a_filter_is_an_error():
    """Nothing is graded with less than the record says."""
    with pytest.raises(OSError, match="seccomp: "):
        add_filter(b"")


def test_on_a_machine_without_a_table_no_filter_is_added(notebook, monkeypatch):
    """It grades all the same, and the record does not name seccomp."""
    monkeypatch.setattr(seccomp.platform, "machine", lambda: "riscv64")
    assert seccomp.last_filter() is None
    nb = notebook()
    assert "Seccomp:\t0" in nb.status() or "Seccomp:\t2" in Path("/proc/self/status").read_text()
    assert "seccomp" not in nb._session.protections


def test_no_privilege_is_left_and_none_is_to_be_had(notebook):
    """No capability, and no way to get one by running a program."""
    status = notebook().status()
    assert "CapEff:\t0000000000000000" in status
    assert "CapPrm:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status


def test_threads_and_processes_of_honest_code_work(notebook):
    """The filter and the limits leave what a notebook may need: threads, a pool, a program."""
    nb = notebook(
        source="import multiprocessing, subprocess, threading\ndef square(x): return x * x\n"
        "def work():\n    out = []\n    thread = threading.Thread(target=out.append, args=(1,))\n    thread.start()\n"
        "    thread.join()\n    with multiprocessing.Pool(2) as pool: out += pool.map(square, [2, 3])\n"
        "    return out, subprocess.run(['echo', 'hi'], capture_output=True).stdout"
    )
    assert nb.work() == ([1, 4, 9], b"hi\n")


def test_a_course_in_a_folder_that_the_sandbox_sees_is_hidden(notebook, tmp_path, monkeypatch):
    """A course below Python's own prefix, or in /usr, is an empty folder inside."""
    assert bubblewrap._hide((tmp_path,)) == bubblewrap._hide(())
    folder = Path(os.path.realpath(sys.base_prefix)) / "lib"
    inside = bubblewrap._hide((folder,))
    assert [str(folder)] == inside[inside.index(str(folder)) :][:1]


def test_cells_that_are_slow_each_time_use_up_the_submission(notebook, monkeypatch):
    """What a submission keeps us waiting is bounded in all: then the rest times out, and there is a verdict."""
    nb = notebook(Limits(wall_s=2), source="import time, os\ntime.sleep(0.5)\ndef die(): os._exit(0)")
    for _ in range(4):
        with pytest.raises((HostDiedError, HostTimedOutError)):
            nb.die()
    with pytest.raises(HostTimedOutError, match="used up its 2 s"):
        nb.die()


@pytest.mark.skipif(os.getuid() != 0 or shutil.which("setpriv") is None, reason="needs root, to become another user")
def test_another_user_has_a_user_namespace(tmp_path):
    """Who is not root gets the same protection, in a user namespace, where the kernel allows one."""
    code = (
        "import sys; sys.path[:0] = sys.argv[1:]\n"
        "from gradlab_staff.sandbox.bubblewrap import start_sandbox; from gradlab_staff.sandbox.setup import Setup\n"
        "sandbox = start_sandbox(Setup()); print(sandbox.protections); sandbox.stop()"
    )
    package = str(bubblewrap.STUDENT_PACKAGE.parent)
    ran = subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-c", code, package],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    if "Permission denied" in ran.stderr or "user namespace" in ran.stderr:
        pytest.skip("another user may not run this Python, or make a user namespace")
    assert ran.stdout.startswith("bubblewrap, user namespace"), ran.stderr


def test_where_there_is_no_landlock_the_record_does_not_name_it(notebook, monkeypatch):
    """An older kernel grades all the same."""
    monkeypatch.setattr(bubblewrap, "landlock_version", lambda: 0)
    nb = notebook()
    assert "NoNewPrivs" in nb.status()
    assert "Landlock" not in nb._session.protections


@pytest.mark.skipif(not landlock.landlock_version(), reason="this kernel has no Landlock")
def test_landlock_skips_what_a_kernel_does_not_have():
    """A file of the list that is not there; all that is not on the list is closed, and children cannot open it."""
    code = (
        "import ctypes, subprocess, sys; sys.path[:0] = sys.argv[1:]\n"
        "from gradlab_staff.host import landlock\n"
        "ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)\n"
        "landlock._PROC += ' nowhere'; landlock.close_proc(); print(len(open('/proc/self/stat').read()) > 0)\n"
        "print(subprocess.run(['cat', '/proc/vmstat'], capture_output=True).returncode)"
    )
    package = str(bubblewrap.STUDENT_PACKAGE.parent)
    ran = subprocess.run([sys.executable, "-c", code, package], capture_output=True, text=True, check=False)
    assert ran.stdout == "True\n1\n", ran.stderr


def test_a_kernel_that_refuses_landlock_is_an_error():
    """Nothing is graded with less than the record says."""
    with pytest.raises(OSError, match="Landlock: "):
        landlock._checked(landlock._call(landlock._RESTRICT, -1, 0))
