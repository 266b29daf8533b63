"""Starts a host under bubblewrap: no network, a read-only system, nothing of the course, an empty scratch, limits.

The sandbox sees ``/usr`` (and what a dynamic linker needs beside it), the Python that runs us, the packages on
grading's list, the students' own and the host's; nothing else of the machine. As root the host becomes a user of its
own that owns nothing, so that the limit on processes holds; as anyone else it lives in a user namespace.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import gradlab
from gradlab_staff import host
from gradlab_staff.errors import SandboxError
from gradlab_staff.host.landlock import landlock_version
from gradlab_staff.sandbox.limits import Cgroup, best_cgroup
from gradlab_staff.sandbox.seccomp import last_filter, seccomp_pipe
from gradlab_staff.sandbox.setup import Setup
from gradlab_staff.sandbox.site import HOST_SITE, SITE, empty_sites, host_mounts, site_mounts
from gradlab_staff.sandbox.watchdog import Watchdog

__all__ = ["Sandbox", "start_sandbox"]

STUDENT_PACKAGE = Path(gradlab.__path__[0]).resolve()
HOST_PACKAGE = Path(host.__path__[0]).resolve()
START_S = 30
FAREWELL_S = 0.2
FIRST_UID = 1_900_000_000
PIDS = 2**22  # Linux gives no process a greater number (PID_MAX_LIMIT)
USERS_OF_A_PROCESS = 50
_COUNTER = itertools.count()
_KERNELS = ("OPENBLAS_CORETYPE", "NPY_DISABLE_CPU_FEATURES")
"""Some machines need these set, for OpenBLAS or NumPy to compute rightly."""

# What runs first inside: it sees our package and the third-party ones, and not the folder it stands in. What the host
# alone needs is not there for a student's code, which could not import it in Jupyter either.
BOOTSTRAP = """
import sys
sys.path += {paths}
sys.dont_write_bytecode = True
if {landlock}:
    from {host}.landlock import close_proc
    close_proc()  # before NumPy starts threads, which would keep what we give up
if {last}:
    from {host}.seccomp import add_filter
    add_filter({last})  # after it, Landlock and seccomp take nothing on any more
from {host}.host import main
sys.path = [path for path in sys.path if path != {own!r}]
for name in [name for name in sys.modules if name.split(".")[0] == "msgpack"]:
    del sys.modules[name]
main({fd}, {uid}, {limits})
"""


@dataclass(frozen=True)
class Sandbox:
    """A host that runs, and the socket to it."""

    process: subprocess.Popen[bytes]
    connection: socket.socket
    cgroup: Cgroup | None
    protections: str
    watchdog: Watchdog
    scratch: tempfile.TemporaryDirectory[str] | None = None
    """The working folder of a host without a sandbox."""

    @property
    def limit_exceeded(self) -> str:
        """Return the limit that the host exceeded, for the student; empty if it did not."""
        return self.watchdog.limit_exceeded

    def stop(self) -> None:
        """End the host and everything that it started."""
        self.connection.close()
        self.watchdog.stop()
        # A host that still listens ends by itself now, and its CPU time is counted to us. Any other is killed: the
        # sandbox's first process dies with bubblewrap, and every process of its PID namespace with that one.
        if not self.scratch:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(FAREWELL_S)
        _kill(self.process)
        self.process.wait()
        if self.process.stderr:
            self.process.stderr.close()
        if self.cgroup:
            self.cgroup.remove()
        if self.scratch:
            self.scratch.cleanup()


def start_sandbox(setup: Setup) -> Sandbox:
    """Start a host, ready for requests.

    Raises
    ------
    SandboxError
        Where bubblewrap is missing or may not build a sandbox here, unless the setup is unsafe.
    """
    with contextlib.ExitStack() as given, contextlib.ExitStack() as failed:
        sandbox = _start(setup, given, failed)
        failed.pop_all()
    _await_ready(sandbox)
    return sandbox


def _start(setup: Setup, given: contextlib.ExitStack, failed: contextlib.ExitStack) -> Sandbox:
    """Start a host. What it inherits is closed with `given`; `failed` undoes everything else."""
    limits, unsafe = setup.limits, setup.unsafe
    seccomp = None if unsafe else seccomp_pipe()
    copies = {} if unsafe else _copies()
    inherited = [*([] if seccomp is None else [seccomp]), *copies.values()]
    for file in inherited:
        given.callback(os.close, file)
    landlock = not unsafe and landlock_version() > 0
    around = [] if unsafe else _bubblewrap(setup, seccomp, copies)
    ours, theirs = socket.socketpair()
    failed.callback(ours.close)
    given.callback(theirs.close)
    uid = _next_uid() if os.getuid() == 0 and not unsafe else 0
    paths, name = ["/opt/gradlab", SITE, HOST_SITE], "gradlab_host"
    if unsafe:
        paths, name = [str(STUDENT_PACKAGE.parent), str(HOST_PACKAGE.parent.parent), *_site_packages()], host.__name__
    last = None if unsafe else last_filter()
    holds = {"uid": uid, "limits": limits.rlimits, "landlock": landlock, "last": last}
    code = BOOTSTRAP.format(paths=paths, host=name, own=HOST_SITE, fd=theirs.fileno(), **holds)
    scratch = tempfile.TemporaryDirectory(ignore_cleanup_errors=True) if unsafe else None
    if scratch:
        failed.callback(scratch.cleanup)
    cgroup = best_cgroup(limits)
    if cgroup:
        failed.callback(cgroup.remove)
    process = subprocess.Popen(
        [*(cgroup.joining if cgroup else ()), *around, _python(), "-I", "-S", "-c", code],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        pass_fds=[theirs.fileno(), *inherited],
        env=_environment(limits.threads),
        cwd=scratch.name if scratch else None,
        start_new_session=True,
    )
    failed.callback(_kill, process)
    watchdog = Watchdog(process.pid, limits, lambda: _kill(process))
    filters = [*(["seccomp"] if seccomp is not None else []), *(["Landlock"] if landlock else [])]
    return Sandbox(process, ours, cgroup, _protections(uid, cgroup, filters, unsafe), watchdog, scratch)


def _next_uid() -> int:
    """Return a user that no other process here gives to a sandbox: who shares one shares its limit of processes."""
    return FIRST_UID + next(_COUNTER) % USERS_OF_A_PROCESS * PIDS + os.getpid()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End bubblewrap, and with it all processes of the sandbox; without one, at least those of its group."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _await_ready(sandbox: Sandbox) -> None:
    sandbox.connection.settimeout(START_S)
    try:
        ready = sandbox.connection.recv(5, socket.MSG_WAITALL)
    except OSError:
        ready = b""
    if ready == b"ready":
        return
    _kill(sandbox.process)
    stderr = sandbox.process.stderr
    said = stderr.read(2000).decode(errors="replace").strip() if stderr else ""
    sandbox.stop()
    raise SandboxError(
        f"sandbox: expected bubblewrap to start Python within {START_S} s, it said: {said or 'nothing'}. "
        "Nothing was graded. "
        "In a container, allow user namespaces (docker run --security-opt seccomp=unconfined --cap-add SYS_ADMIN); "
        "on Ubuntu see kernel.apparmor_restrict_unprivileged_userns."
    )


def _bubblewrap(setup: Setup, seccomp: int | None, copies: Mapping[str, int]) -> list[str]:
    program = shutil.which("bwrap")
    if program is None:
        raise SandboxError(
            "sandbox: expected bubblewrap (the program bwrap), got none. Nothing was graded. "
            "Install it (apt-get install bubblewrap), or grade unprotected on a machine that you can lose: "
            "--unsafe-no-sandbox."
        )
    scratch = str(setup.limits.scratch_mib << 20)
    privileges = (
        ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
        if os.getuid() == 0
        else ["--unshare-user", "--disable-userns", "--cap-drop", "ALL"]
    )
    return [
        program,
        *("--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"),
        *("--die-with-parent", "--new-session", "--hostname", "sandbox"),
        *privileges,
        *(() if seccomp is None else ("--seccomp", str(seccomp))),
        *_system(),
        *empty_sites(),
        *_hide(setup.hidden),
        *(part for folder in ("gradlab", "site", "host") for part in _folders(f"/opt/{folder}")),
        *("--ro-bind", str(STUDENT_PACKAGE), "/opt/gradlab/gradlab"),
        *("--ro-bind", str(HOST_PACKAGE), "/opt/gradlab/gradlab_host"),
        *site_mounts(setup.packages),
        *host_mounts(),
        *("--proc", "/proc", "--dev", "/dev"),
        *(part for path, file in copies.items() for part in ("--perms", "0444", "--ro-bind-data", str(file), path)),
        # The machine has 4096 terminals for all: a sandbox could take them from the staff, and another see that.
        *("--tmpfs", "/dev/pts", "--remount-ro", "/dev/pts"),
        *("--perms", "1777", "--size", scratch, "--tmpfs", "/tmp"),
        *("--perms", "1777", "--size", scratch, "--tmpfs", "/dev/shm"),
        *(("--ro-bind", str(fonts), "/opt/matplotlib") if (fonts := _font_cache()) else ()),
        *("--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/tmp"),
        "--",
    ]


def _copies() -> dict[str, int]:
    """Return files with what ``/proc`` said when we first looked, by their paths.

    Programs read there how many cores and how much memory there are. What is free and busy would tell one sandbox what
    another does.
    """
    files = {}
    for path, content in _proc().items():
        files[path] = os.memfd_create(path)
        os.write(files[path], content)
        os.lseek(files[path], 0, os.SEEK_SET)
    return files


@functools.cache
def _proc() -> dict[str, bytes]:
    return {path: Path(path).read_bytes() for path in ("/proc/meminfo", "/proc/stat")}


def _python() -> str:
    """Return the path of the interpreter itself, not of the virtual environment's link to it."""
    return os.path.realpath(sys.executable)


def _site_packages() -> list[str]:
    """Return the folders of the third-party packages, for a host without a sandbox."""
    paths = sysconfig.get_paths()
    return list(dict.fromkeys([paths["platlib"], paths["purelib"]]))


@functools.cache
def _system() -> tuple[str, ...]:
    """Return the mounts of the operating system and of Python's own installation."""
    mounts: list[str] = []
    for path in map(Path, ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32")):
        if path.is_symlink():
            mounts += ["--symlink", os.readlink(path), str(path)]
        elif path.is_dir():
            mounts += ["--ro-bind", str(path), str(path)]
    for path in map(Path, ("/etc/ld.so.cache", "/etc/alternatives")):
        mounts += ["--ro-bind-try", str(path), str(path)]
    prefix = os.path.realpath(sys.base_prefix)
    if not prefix.startswith("/usr/"):
        mounts += [*_folders(str(Path(prefix).parent)), "--ro-bind", prefix, prefix]
    return tuple(mounts)


def _hide(folders: tuple[Path, ...]) -> list[str]:
    """Return mounts of nothing over those `folders` that the sandbox would see: some keep code in ``/usr/src``."""
    prefix = Path(os.path.realpath(sys.base_prefix))
    usual = (Path("/usr/src"), Path("/usr/local/src"))
    inside = [path for path in map(Path.resolve, (*usual, *folders)) if _is_seen(path, prefix)]
    return [part for path in dict.fromkeys(inside) for part in ("--tmpfs", str(path), "--remount-ro", str(path))]


def _is_seen(path: Path, prefix: Path) -> bool:
    seen = any(path.is_relative_to(top) for top in (Path("/usr"), prefix))
    return seen and path.is_dir() and not prefix.is_relative_to(path)


def _folders(path: str) -> list[str]:
    """Make `path` and the folders above it, open to all: bubblewrap's own are closed to any other user."""
    steps = [*reversed(Path(path).parents), Path(path)][1:]
    return [part for step in steps for part in ("--perms", "0755", "--dir", str(step))]


@functools.cache
def _font_cache() -> Path | None:
    """Return a folder with matplotlib's list of fonts, so that no host has to make it anew (it takes seconds)."""
    folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "gradlab" / "matplotlib"
    if not any(folder.glob("fontlist-*.json")):
        subprocess.run(
            [sys.executable, "-c", "import matplotlib.font_manager"],
            env={**os.environ, "MPLCONFIGDIR": str(folder)},
            check=False,
            capture_output=True,
        )
    return folder if folder.is_dir() else None


def _environment(threads: int) -> dict[str, str]:
    """Return a host's environment: nothing of ours but what NumPy computes with, lest both sides compute otherwise."""
    return {
        **{name: os.environ[name] for name in _KERNELS if name in os.environ},
        "HOME": "/tmp",
        "LANG": "C.UTF-8",
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": "/opt/matplotlib",
        "OMP_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "PATH": "/usr/bin:/bin",
        "PYTHONHASHSEED": "0",
    }


def _protections(uid: int, cgroup: Cgroup | None, filters: Sequence[str], unsafe: bool) -> str:
    """Return what holds the host, as the verdict records it."""
    if unsafe:
        return "NO SANDBOX (--unsafe-no-sandbox): this verdict can be forged"
    holds = [
        "bubblewrap",
        "own user" if uid else "user namespace",
        *filters,
        cgroup.kind if cgroup else "no cgroup",
        "rlimits",
        "watchdog",
    ]
    return ", ".join(holds)
