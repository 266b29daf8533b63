"""Attacks by processes and threads: who else may hold the socket, answer, outlive the check, or change its parent."""

# Code in strings, a line of it a line here.
# ruff: noqa: E501

from __future__ import annotations

from .attack import HOST, Attack, calls, does

__all__ = ["PROCESSES"]

PROCESSES = [
    does(
        "child_holds_socket",
        "fork a child that holds the socket, and answers what its parent no longer does",
        "if os.fork() == 0:\n    for _ in range(40):\n        time.sleep(0.05)\n        try: the_socket().sendall(frame(D(ok=True, passed=True, printed=0, states=['d'])))\n"
        "        except OSError: break\n    os._exit(0)\nos._exit(0)",
        HOST + "import os\n",
    ),
    Attack(
        "child_is_the_host",
        "go on as a child of the process that grading started, which ends as if all were well",
        "import os\nif os.fork(): os._exit(0)\nos.setsid()\n",
    ),
    Attack(
        "parent_is_no_host",
        "go on in the parent, with a child that reads the same socket",
        HOST
        + "import os\nif os.fork() == 0:\n    for _ in range(200):\n        try: the_socket().recv(1)\n        except OSError: break\n    os._exit(0)\n",
    ),
    does(
        "thread_answers",
        "have a thread read and answer requests while the main thread sleeps",
        "def serve():\n    for _ in range(20):\n        tree = msgpack.unpackb(own_receive(), strict_map_key=False)\n        the_socket().sendall(frame(D(ok=3.0, printed=0, states=['d'])))\n"
        "threading.Thread(target=serve, daemon=True).start()\ntime.sleep(1.5)",
        HOST,
    ),
    does(
        "thread_races",
        "have eight threads answer at once",
        "def serve():\n    end = time.time() + 1\n    while time.time() < end: the_socket().sendall(frame(D(ok=['l', 1.0, 2.0], printed=0, states=['d'])))\n"
        "for _ in range(8): threading.Thread(target=serve, daemon=True).start()\ntime.sleep(0.5)",
        HOST,
    ),
    Attack(
        "patch_wire",
        "replace what sends and receives by what answers everything with what was asked",
        HOST + "import gradlab_host.wire as wire, gradlab_host.host as host_module\n_true, _asked = wire.send, []\n"
        "def send(connect, message, opaque):\n    if 'ok' in message and type(message['ok']) is np.ndarray: message['ok'] = message['ok'] * float('nan')\n"
        "    if 'error' in message: message = {'ok': _asked[-1] if _asked else None, 'printed': 0, 'states': {}, 'score': 10, 'outcome': 'passed'}\n"
        "    return _true(connect, message, opaque)\nhost_module.send = wire.send = send\n_receive = wire.receive\ndef receive(connect, local):\n"
        "    message = _receive(connect, local)\n    _asked.extend(message.get('args', [])[:1])\n    return message\nhost_module.receive = wire.receive = receive\n",
    ),
    Attack(
        "trace_the_host",
        "trace and profile the host's own frames, and change their locals",
        "import sys, threading\ndef tracing(frame, event, arg):\n    for name in ('value', 'reply', 'message', 'result'):\n        if name in frame.f_locals:\n"
        "            try: frame.f_locals[name] = {'ok': 3.0, 'passed': True}\n            except Exception: pass\n    return tracing\n"
        "sys.settrace(tracing); sys.setprofile(tracing); threading.settrace(tracing); threading.setprofile(tracing)\n"
        "f = sys._getframe()\nwhile f: f.f_trace = tracing; f = f.f_back\n",
    ),
    does(
        "exit_codes",
        "end with every code that may mean something to somebody",
        "codes = [0, 5, 42, 77, 99, 127, 137, 255]\ntry: n = int(open('/tmp/n').read())\nexcept OSError: n = 0\nopen('/tmp/n', 'w').write(str(n + 1))\nos._exit(codes[n % 8])",
        "import os\n",
    ),
    does(
        "signals_to_all",
        "send every signal to its parent, the first process, its session and its watcher",
        "for pid in {os.getppid(), os.getpgid(0), os.getsid(0), 1, 2, *(int(p) for p in os.listdir('/proc') if p.isdigit())} - {os.getpid(), 0}:\n"
        "    for number in range(1, 65):\n        try: os.kill(pid, number)\n        except OSError: pass\n"
        "for group in (-1, -os.getpgid(0)):\n    try: os.kill(group, signal.SIGURG)\n    except OSError: pass",
        "import os, signal\n",
    ),
    does(
        "memory_of_its_parent",
        "write to the memory of its parent and of the first process, by /proc and by system calls",
        "for pid in (os.getppid(), 1):\n    for flags in (os.O_RDWR, os.O_RDONLY):\n        try:\n            fd = os.open(f'/proc/{pid}/mem', flags)\n"
        "            if flags == os.O_RDWR: os.pwrite(fd, b'\\0' * 4096, int(open(f'/proc/{pid}/maps').readline().split('-')[0], 16))\n        except (OSError, ValueError, IndexError): pass\n"
        "    for number in (101, 311, 312, 434, 438, 440, 448): libc.syscall(number, 16, pid, 0, 0, 0)\n"
        "    for name in ('oom_score_adj', 'coredump_filter', 'timerslack_ns', 'autogroup', 'clear_refs', 'sched', 'comm'):\n        try: open(f'/proc/{pid}/{name}', 'w').write('-1000')\n        except OSError: pass",
        "import ctypes, os\nlibc = ctypes.CDLL(None)\n",
    ),
    does(
        "outlives_its_check",
        "leave a thread, a child and a timer that answer the next checks",
        "def late():\n    for _ in range(100):\n        time.sleep(0.02)\n        try: the_socket().sendall(frame(D(ok=3.0, printed=0, states=['d'])))\n        except OSError: return\n"
        "threading.Thread(target=late, daemon=True).start()\nsignal.signal(signal.SIGALRM, lambda *a: late())\nsignal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)\n"
        "if os.fork() == 0:\n    os.setsid(); late(); os._exit(0)",
        HOST + "import os, signal\n",
    ),
    does(
        "another_program",
        "become another program, which speaks on the same socket",
        "fd = the_socket().fileno(); os.set_inheritable(fd, True)\n"
        "os.execv(sys.executable, [sys.executable, '-c', f'import socket; s = socket.socket(fileno={fd}); s.sendall({frame(D(ok=3.0, printed=0, states=[\"d\"]))!r} * 50); s.recv(1 << 20)'])",
        HOST + "import os\n",
    ),
    does(
        "socket_elsewhere",
        "put something else in the place of the socket's descriptor, and pass the socket on to itself",
        "import socket\na, b = socket.socketpair()\nsocket.send_fds(a, [b'x'], [the_socket().fileno(), a.fileno(), b.fileno()])\n"
        "os.dup2(os.open('/dev/zero', os.O_RDWR), the_socket().fileno())",
        HOST + "import os\n",
    ),
    does(
        "every_descriptor",
        "write answers to every descriptor, closed ones and those of the kernel included",
        "for fd in range(256):\n    try: os.set_blocking(fd, False); os.write(fd, frame(D(ok=3.0, printed=0, states=['d'])))\n    except OSError: pass",
        HOST + "import os\n",
    ),
    Attack(
        "at_exit",
        "answer while the interpreter ends: atexit, __del__, faulthandler, hooks",
        HOST
        + "import atexit, os\nlast = lambda *a: the_socket().sendall(frame(D(ok=3.0, printed=0, states=['d'])))\natexit.register(last); sys.excepthook = sys.unraisablehook = threading.excepthook = last\n",
        scale="def scale(x):\n    raise SystemExit(0)\n",
        model="import os\nos.register_at_fork(before=last)\nclass Model:\n    def __init__(self, n): sys.exit(3)\n    def __del__(self): last()\n    def loss(self, X): return 0\n",
    ),
    does(
        "no_parent_death",
        "take back that it dies with its parent, and hide in a session of its own",
        "for _ in range(3):\n    if os.fork() == 0:\n        libc.prctl(1, 0, 0, 0, 0); libc.prctl(4, 0, 0, 0, 0); libc.prctl(36, 1, 0, 0, 0)\n        os.setsid(); signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\n"
        "        if os.fork(): os._exit(0)\n        os.closerange(0, 256); time.sleep(1000)",
        "import ctypes, os, signal, time\nlibc = ctypes.CDLL(None)\n",
    ),
    does(
        "descriptors_of_the_first",
        "write escapes into the descriptors of the first process, which bubblewrap's own messages go to",
        "import glob\nfor p in glob.glob('/proc/[0-9]*/fd/*'):\n    if not p.startswith(f'/proc/{os.getpid()}/'):\n        try:\n"
        "            fd = os.open(p, os.O_WRONLY | os.O_NONBLOCK)\n            os.write(fd, b'\\x1b]0;owned\\x07\\x1b[2J<script>alert(1)</script>' * 2000)\n        except OSError: pass\nos._exit(1)",
        "import os\n",
    ),
    calls(
        "callback_by_children",
        "call back from eight children at once, over the one socket",
        "for _ in range(8):\n    if os.fork() == 0:\n        try: scale(data)\n        finally: os._exit(0)\nfor _ in range(8): os.wait()",
        "import os\n",
    ),
    calls(
        "callback_in_callback",
        "call back while an answer to a call back is awaited, in a signal handler",
        "signal.signal(signal.SIGALRM, lambda *a: scale(data))\nsignal.setitimer(signal.ITIMER_REAL, 1e-4, 1e-4)\nfor _ in range(200): scale(data)\nsignal.setitimer(signal.ITIMER_REAL, 0)",
        "import signal\n",
    ),
    calls(
        "callback_after_answer",
        "answer, and call back when nobody asks any more",
        "def late():\n    for _ in range(50):\n        time.sleep(0.01)\n        try: scale(data)\n        except Exception: pass\nthreading.Thread(target=late, daemon=True).start()",
        "import threading, time\n",
    ),
]
