"""Attacks after secrets: files, processes, memory, the network."""

# Code in strings, a line of it a line here.
# ruff: noqa: E501

from __future__ import annotations

from .attack import reads

__all__ = ["NETWORK", "READING"]

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
