"""Attacks on memory, processes, time, disk: what a host may use, and what it leaves behind."""

# Code in strings, a line of it a line here.
# ruff: noqa: E501

from __future__ import annotations

from .attack import Attack, does

__all__ = ["FORK", "RESOURCES"]

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
