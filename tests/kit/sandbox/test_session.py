"""A session with a real host in a real sandbox: what student code can reach, and what its misbehaviour costs."""

import os
import time
from pathlib import Path

import numpy as np
import pytest
from hosted import Cell, notebooks, wait_for_cpu_time

from gradlab_staff.errors import SandboxError
from gradlab_staff.grading.submission import Submission
from gradlab_staff.sandbox import bubblewrap
from gradlab_staff.sandbox.failures import HostDiedError, HostTimedOutError, SubmissionError
from gradlab_staff.sandbox.limits import Limits
from gradlab_staff.sandbox.processes import is_running
from gradlab_staff.sandbox.remote import NOTHING, Remote


@pytest.fixture
def notebook():
    """Makes a session of cells, and ends it."""
    with notebooks() as make:
        yield make


def leftovers():
    """The processes of this machine that belong to a sandbox of this test run (as root, each has a user of its own)."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            uid = next(line for line in status.read_text().splitlines() if line.startswith("Uid:")).split()[1]
        except (OSError, StopIteration):
            continue
        ours = int(uid) >= bubblewrap.FIRST_UID and (int(uid) - bubblewrap.FIRST_UID) % bubblewrap.PIDS == os.getpid()
        if ours and is_running(int(status.parent.name)):
            found.append(status.parent.name)
    return found


def test_values_functions_and_objects_cross(notebook):
    """Plain data comes back as itself; functions, instances and what they hold stay inside and are called there."""
    nb = notebook(
        "import numpy as np\nx = {'a': np.arange(3.0)}\ndef double(x):\n    return 2 * x",
        "class Net:\n    def __init__(self, n):\n        self.params = {'W': np.ones(n)}\n"
        "    def total(self):\n        return self.params['W'].sum()",
    )
    assert np.array_equal(nb.x["a"], [0, 1, 2])
    assert np.array_equal(nb.double(np.ones(2)), [2, 2])
    net = nb.Net(4)
    assert isinstance(net, Remote)
    assert net.total() == 4
    net.params = {"W": np.full(2, 3.0)}
    assert net.total() == 6


def test_an_opaque_part_of_a_cache_goes_back_as_itself(notebook):
    """A tuple that holds a student's own object comes back to the sandbox with the very object."""
    nb = notebook(
        "class Cache: pass\ndef forward(x):\n    c = Cache(); c.x = x\n    return x, (c, 'mask')\n"
        "def backward(cache):\n    return cache[0].x"
    )
    _, cache = nb.forward(np.ones(3))
    assert cache[1] == "mask"
    assert np.array_equal(nb.backward(cache), np.ones(3))


def test_an_exception_names_the_cell_and_the_line(notebook):
    """What a student's code raises is data: type, message, and the notebook's own lines."""
    nb = notebook("def f():\n    return 1 / 0")
    with pytest.raises(SubmissionError, match=r"ZeroDivisionError: division by zero\n  cell 1, line 2: return 1 / 0"):
        nb.f()
    with pytest.raises(SubmissionError, match="NameError: name 'g' is not defined in the notebook"):
        _ = nb.g


def test_a_cell_that_raises_is_reported_and_the_rest_runs(notebook):
    """As in Jupyter with the cell after an error run all the same."""
    nb = notebook("raise ValueError('no')", "x = 1", "raise NotImplementedError('stub')")
    assert nb.x == 1
    assert nb._session.warnings == ["cell 1, line 1: ValueError: no. Skipped this statement."]


def test_a_cell_that_needs_a_later_one_gets_a_second_try(notebook):
    """Cells that were re-ordered still come to define their names."""
    nb = notebook("y = x + 1", "x = 1")
    assert nb.y == 2
    assert nb._session.warnings == []


def test_a_copy_further_down_counts_after_a_second_try_too(notebook):
    """The last definition counts, also where the first copy of the cell is run twice."""
    nb = notebook(Cell("cell 1", "def f(): return 1\nlate", "f"), Cell("cell 2", "def f(): return 2", "f"), "late = 0")
    assert nb.f() == 2


def test_after_six_bad_cells_the_others_of_the_students_own_are_skipped(notebook):
    """And not the given ones, that the solutions need; after three, they get less time."""
    bad = "import os; os.kill(os.getpid(), 9)"
    nb = notebook(bad, bad, bad, "z = 3", *[bad] * 3, Cell("cell 8 (given)", "x = 1", "given"), "y = 2")
    assert (nb.x, nb.z) == (1, 3)
    with pytest.raises(SubmissionError, match="name 'y' is not defined"):
        nb.y  # noqa: B018
    assert nb._session.warnings[-1] == "cell 9: skipped too, after 6 cells that hung or ended the process."


def test_a_check_among_other_lines_ends_nothing(notebook):
    """There are no public checks here; what follows in the cell counts."""
    nb = notebook("from gradlab import check", "x = 1\ncheck('double')\ny = 2")
    assert nb.y == 2


def test_a_hanging_cell_is_skipped(notebook, monkeypatch):
    """The host is replaced, the other cells run again."""
    wait_for_cpu_time(monkeypatch)
    nb = notebook("x = 1", "while True: pass", "y = x + 1")
    nb._session.cell_s = 1
    assert nb.y == 2
    assert nb._session.warnings == [
        "cell 2, line 1: did not end within 1 s of CPU time. Skipped the cell from there on."
    ]


def test_a_cell_that_kills_the_host_is_skipped(notebook):
    """So is one that ends the process."""
    nb = notebook("x = 1", "import os; os.kill(os.getpid(), 9)", "y = x + 1")
    assert nb.y == 2
    assert nb._session.warnings == ["cell 2, line 1: ended the process that ran it. Skipped the cell from there on."]


def test_a_hung_call_times_out_and_the_next_one_gets_a_fresh_host(notebook):
    """One check's time-out is not the next one's trouble."""
    nb = notebook("def hang():\n    while True: pass\ndef fine():\n    return 1")
    nb._session.start()
    hang = nb.hang
    with nb._session.limited(0.2), pytest.raises(HostTimedOutError):
        hang()
    assert nb.fine() == 1
    with pytest.raises(HostDiedError, match="belonged to a host that has ended"):
        nb.fine(hang)


def test_nothing_of_the_course_is_visible(notebook):
    """From inside: no course, no home, no environment of ours, no network, no writing but to the scratch folder."""
    secret = Path(__file__).resolve()
    nb = notebook(
        "import os, socket\n"
        "def reads(path):\n    return open(path).read()\n"
        "def connects(host, port):\n    socket.create_connection((host, port), 1)\n"
        "def environment():\n    return dict(os.environ)\n"
        "def writes(path):\n    open(path, 'w').write('x')\n"
        "def walk():\n    return [os.path.join(d, f) for top in ('/opt', '/tmp', '/root', '/home')"
        " for d, _, files in os.walk(top) for f in files if 'grader' in f or f.endswith(('.db', '.ipynb'))"
        " or f == 'misconceptions.py']",
    )
    with pytest.raises(SubmissionError, match="FileNotFoundError"):
        nb.reads(str(secret))
    assert [path for path in nb.walk() if not path.startswith("/opt/site/")] == []
    for address in [("127.0.0.1", 22), ("1.1.1.1", 53)]:
        with pytest.raises(SubmissionError, match=r"ConnectionRefusedError|OSError"):
            nb.connects(*address)
    environment = nb.environment()
    assert environment["HOME"] == "/tmp"
    ours = {"HOME", "LANG", "LC_CTYPE", "MPLBACKEND", "MPLCONFIGDIR", "PATH", "PWD", "PYTHONHASHSEED"}
    assert {name for name in environment if not name.endswith("_NUM_THREADS")} <= ours
    for path in ["/x", "/dev/x", "/usr/x", "/opt/gradlab/gradlab/x", "/opt/gradlab/gradlab_host/x"]:
        with pytest.raises(SubmissionError, match=r"OSError|PermissionError"):
            nb.writes(path)
    nb.writes("/tmp/x")


def test_only_its_own_processes_are_visible(notebook):
    """The host sees itself and bubblewrap's first process, and runs as a user that owns nothing."""
    nb = notebook(
        "import os\ndef pids():\n    return [p for p in os.listdir('/proc') if p.isdigit()]\nuid = os.getuid()"
    )
    assert nb.pids() == ["1", "2"]
    if os.getuid() == 0:
        assert nb.uid >= bubblewrap.FIRST_UID


def test_processes_memory_and_disk_are_bounded(notebook):
    """A fork bomb, a memory hog and a disk hog get errors, and leave nothing behind."""
    others = leftovers()  # where graders run in this process too, each assignment has a host until the end
    nb = notebook(
        "import os, time\n"
        "def bomb():\n    n = 0\n    try:\n        while True:\n            if os.fork() == 0:\n"
        "                time.sleep(60); os._exit(0)\n            n += 1\n    except OSError:\n        return n\n"
        "def hog():\n    held = []\n    try:\n        while True: held.append(bytearray(64 << 20))\n"
        "    except MemoryError:\n        return len(held)\n"
        "def disk():\n    n = 0\n    try:\n        while True:\n"
        "            open(f'/tmp/{n}', 'wb').write(b'x' * (8 << 20)); n += 1\n"
        "    except OSError:\n        return n",
        limits=Limits(memory_mib=512, processes=20, scratch_mib=32),
    )
    assert nb.bomb() <= 20
    nb._session.stop()
    assert nb.hog() <= 512 // 64
    assert nb.disk() <= 32 // 8
    nb._session.stop()
    end_s = time.monotonic() + 20  # the kernel ends a killed sandbox in its own time
    while set(leftovers()) - set(others) and time.monotonic() < end_s:
        time.sleep(0.05)
    assert set(leftovers()) <= set(others)


def test_a_reply_that_is_no_answer_ends_the_host(notebook):
    """Forged bytes on the socket cost the forger the check, and nobody else anything."""
    nb = notebook(
        "import os, socket\n"
        "def forge(data):\n    for fd in range(3, 1024):\n"
        "        try: os.write(fd, data)\n        except OSError: pass\n",
    )
    forge = nb.forge
    with pytest.raises(HostDiedError, match="it sent"):
        forge(b"\xff" * 4096)


def test_a_lying_error_is_bounded_and_cleaned(notebook):
    """Terminal escapes and endless messages of a student's exception do not get through."""
    nb = notebook("def f():\n    raise ValueError('\\x1b[2J' + 'x' * 10_000_000)")
    with pytest.raises(SubmissionError) as caught:
        nb.f()
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 3000


def test_stand_ins_are_called_back_and_mirrored(notebook):
    """A class of the trusted side stands in for the student's: constructed and called there, its state seen here."""

    class Net:
        def __init__(self, n):
            self.params = {"W": np.ones(n)}

        def loss(self, X):
            return float(X @ self.params["W"])

    nb = notebook(
        "import numpy as np\nclass Net: pass\n"
        "def train():\n    net = Net(2)\n    before = net.loss(np.ones(2))\n    net.params['W'] = np.zeros(2)\n"
        "    return before, net.loss(np.ones(2)), net"
    )
    with nb.standing_in({"Net": Net}):
        before, after, net = nb.train()
        assert (before, after) == (2.0, 0.0)
        assert isinstance(net, Net)
        assert [call.method for call in nb.calls] == ["__init__", "loss", "loss"]
    with pytest.raises(SubmissionError, match="TypeError"):
        nb.train()


def test_a_new_run_on_a_host_forgets_the_stand_ins_of_the_last(notebook):
    """They are numbered anew; an id that stayed would make a stand-in of what the student puts at that place."""
    nb = notebook(
        "import gc\n"
        "def stale():\n    host = next(thing for thing in gc.get_objects() if type(thing).__name__ == 'Host')\n"
        "    return len(set(host.stand_in_ids) - set(map(id, host.stand_ins.values())))"
    )
    for _ in range(3):
        again = Submission(nb._session, nb._stand_ins)
        with again.standing_in({"first": abs, "second": round}):
            assert again.stale() == 0


def test_a_call_back_that_never_ends_times_out(notebook):
    """What a submission makes the trusted side do is bounded too."""

    def spin():
        while True:
            pass

    nb = notebook("def f():\n    return spin()")
    with nb.standing_in({"spin": spin}):
        f = nb.f
        with nb._session.limited(0.2), pytest.raises(HostTimedOutError):
            f()


def test_without_bubblewrap_nothing_is_run(notebook, monkeypatch):
    """Grading refuses to start, and says what to install; `--unsafe-no-sandbox` goes on and is recorded."""
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(SandboxError, match="apt-get install bubblewrap"):
        _ = notebook("x = 1").x
    nb = notebook("x = 1", unsafe=True)
    assert nb.x == 1
    assert nb._session.protections.startswith("NO SANDBOX")


@pytest.mark.parametrize("program", [None, "#!/nowhere"], ids=["missing", "not to be started"])
def test_a_sandbox_that_does_not_start_leaves_nothing_open(notebook, monkeypatch, tmp_path, program):
    """Hundreds of submissions may fail so, one after the other."""
    if program:
        (tmp_path / "bwrap").write_text(program)
        (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    nb = notebook("x = 1", limits=Limits(cgroup=False))
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with pytest.raises((SandboxError, OSError), match=r"bwrap"):
            _ = nb.x
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_was_wrong_before_is_none_wherever_it_is_passed(notebook):
    """By position, by keyword, in a list or a dict, to an attribute, to what is kept or borrowed."""
    nb = notebook("class Thing: pass\nthing = Thing()\ndef f(*args, **kwargs): return [args, kwargs]")
    assert nb.f(NOTHING, [1, (NOTHING, 2)], x=NOTHING, y={"z": [NOTHING]}) == [
        (None, [1, (None, 2)]), {"x": None, "y": {"z": [None]}}
    ]  # fmt: skip
    assert nb.borrow("f", NOTHING, [NOTHING]) == [(None, [None]), {}]
    nb.thing.x = {"a": NOTHING}
    assert nb.thing.x == {"a": None}
    assert nb.f(nb.keep([NOTHING])) == [([None],), {}]


LIAR = """
import gc, os
host = next(one for one in gc.get_objects() if type(one).__name__ == "Host")
def lie(place):
    host._send({"at": [place, 1]})
    os._exit(0)
"""


@pytest.mark.parametrize("place", [5, 32_000, 2**31 - 1, -1, True, "x"])
def test_a_host_that_lies_about_where_it_is_ends_its_own_cell(notebook, place):
    """A cell has an end at most as often as it has statements, and what it says costs us no memory."""
    nb = notebook(LIAR + f"lie({place!r})\nx = 1", "y = 2")
    assert nb.y == 2
    assert nb._session.generation <= 4
    assert "ended the process that ran it" in nb._session.warnings[0]


def test_a_second_try_that_hangs_costs_what_was_tried_again(notebook):
    """What has run at the first try stays."""
    nb = notebook("show(3)\ndef f(): return 1", "import time\ndef show(x): time.sleep(100)")
    nb._session.cell_s = 1
    assert nb.f() == 1
    assert nb._session.warnings == [
        "cell 1, line 1: did not end within 5 s when it was tried again, after the cells below. Did not repeat it.",
        "cell 1, line 1: NameError: name 'show' is not defined. Skipped this statement.",
    ]


def test_the_given_cell_stays_whole_where_what_was_added_to_it_hangs(notebook):
    """They are two, though people call them by one number."""
    given = Cell("cell 1 (setup)", "a = 1\nb = 2", "setup", "given")
    added = Cell("cell 1 (setup)", "a = 1\nwhile True: pass\nb = 2", "setup", only=(1,))
    nb = notebook(given, added, "c = a + b")
    nb._session.cell_s = 1
    assert nb.c == 3


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("return 5", "SyntaxError: 'return' outside function"),
        ("def f(a, a): pass", "SyntaxError: duplicate argument 'a' in function definition"),
        ("nonlocal a", "SyntaxError: nonlocal declaration not allowed at module level"),
        ("def f():\n    x = 1\n    global x", "SyntaxError: name 'x' is assigned to before global declaration"),
        ("break", "SyntaxError: 'break' outside loop"),
    ],
)
def test_what_only_the_compiler_refuses_is_told(notebook, statement, said):
    """The trusted side compiles nothing: the host does, and it costs the statement alone."""
    nb = notebook(f"a = 1\n{statement}\nb = 2", "c = 3")
    assert (nb.a, nb.b, nb.c) == (1, 2, 3)
    assert f"cell 1, line 2: {said}" in "\n".join(nb._session.warnings)


@pytest.mark.slow
def test_what_the_compiler_dies_of_costs_its_cell(notebook):
    """A kilobyte of nested ``try: … finally:`` asks the compiler for terabytes: the limits of the host end it."""
    blocks = [line for at in range(40) for line in (f"{' ' * at}try: a", f"{' ' * at}finally:")]
    nb = notebook("a = 1", "\n".join([*blocks, " " * 40 + "a"]), "b = 2")
    nb._session.cell_s = 20.0
    assert (nb.a, nb.b) == (1, 2)
    assert any(text.startswith("cell 2") for text in nb._session.warnings)
