"""Limits by the CPU time that a submission uses, and the budget of a submission as a whole."""

import subprocess
import sys
import time

import pytest
from hosted import notebooks, wait_for_cpu_time

from gradlab_staff.sandbox import session
from gradlab_staff.sandbox.budget import Budget, Limit
from gradlab_staff.sandbox.failures import HostDiedError, HostTimedOutError
from gradlab_staff.sandbox.limits import Limits
from gradlab_staff.sandbox.session import HOUSEKEEPING_S

CODE = """
import os, signal, time, subprocess
def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end: pass
    return seconds
def sleep(seconds): time.sleep(seconds)
def children(seconds, ignored=False):
    if ignored: signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for _ in range(4):
        if not os.fork():
            burn(seconds); os._exit(0)
        if ignored: time.sleep(1.5 * seconds)
        else: os.wait()
    time.sleep(60)
def stuck(number):
    os.mkfifo('/tmp/fifo')
    for _ in range(number):
        if not os.fork():
            os.open('/tmp/fifo', os.O_RDONLY); os._exit(0)
def die(): os._exit(1)
def f(): return g()
"""


@pytest.fixture(params=[True, False], ids=["with a cgroup", "without"])
def notebook(request):
    """Makes a session of these limits, and ends it."""
    with notebooks() as make:
        yield lambda *sources, **limits: make(
            *(sources or (CODE,)), limits=Limits(**{"cgroup": request.param, **limits})
        )


def timed_out(nb, limit_s, ask):
    """How the request timed out, and after how many seconds."""
    nb._session.start()
    started_s = time.monotonic()
    with nb._session.limited(limit_s), pytest.raises(HostTimedOutError) as raised:
        ask()
    return raised.value.within, time.monotonic() - started_s


def test_what_burns_is_ended_by_its_cpu_time(notebook, monkeypatch):
    """On a machine without load, at once; on any other, when it has had what is its."""
    wait_for_cpu_time(monkeypatch)
    nb = notebook()
    burn = nb.burn
    within, _ = timed_out(nb, 0.7, lambda: burn(60))
    assert within == "0.7 s of CPU time"
    assert 0.7 < nb._session.cpu_s < 3


def test_what_sleeps_is_ended_by_wall_time(notebook):
    """It uses none of its CPU time, and holds the worker no longer than a multiple of it."""
    nb = notebook()
    sleep = nb.sleep
    within, took_s = timed_out(nb, 0.5, lambda: sleep(60))
    assert within == "3.5 s"
    assert 3.4 < took_s < 60


@pytest.mark.parametrize("ignored", [False, True], ids=["counted", "ignored"])
def test_children_that_are_dead_count(notebook, ignored, monkeypatch):
    """Also where their parent ignores them, and the kernel adds their time to nobody's: a control group counts them."""
    wait_for_cpu_time(monkeypatch)
    nb = notebook()
    if ignored and not nb._session.setup.limits.cgroup:
        pytest.skip("without a control group short children may go unseen, as docs/security.md says: wall time holds")
    children = nb.children
    within, _ = timed_out(nb, 0.8, lambda: children(0.5, ignored))
    assert within == "0.8 s of CPU time"


def test_time_that_another_took_is_not_the_submissions(notebook, monkeypatch):
    """Where two share what one has asked for, each has all of its CPU time."""
    wait_for_cpu_time(monkeypatch)
    nb = notebook()
    burn = nb.burn
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(3)]
    try:
        with nb._session.limited(0.8):
            assert burn(0.6) == 0.6
    finally:
        for other in others:
            other.kill()
            other.wait()


def test_the_trusted_side_counts_as_wall_time_and_in_the_budget(notebook, monkeypatch):
    """What a call back costs is no CPU time of the sandbox's; a submission as a whole pays for it."""
    wait_for_cpu_time(monkeypatch)
    nb = notebook()

    def g():
        end = time.process_time() + 0.6
        while time.process_time() < end:
            pass
        return 7

    with nb.standing_in({"g": g}), nb._session.limited(0.3):
        assert nb.f() == 7
    assert nb._session.budget.left_cpu_s < 300 - 0.6


def test_crash_after_crash_ends_with_the_budget(notebook):
    """However little each of them costs: then nothing is started any more, and a warning says so."""
    nb = notebook(CODE, "burn(0.3)", cpu_s=2)
    failures = []
    while not failures or type(failures[-1]) is HostDiedError:
        with pytest.raises((HostDiedError, HostTimedOutError)) as raised:
            nb.die()
        failures.append(raised.value)
    assert failures[-1].for_good
    assert 1 < len(failures) < 12
    assert nb._session.warnings == ["the submission used up its 2 s of CPU time; the remaining checks timed out."]
    generation = nb._session.generation
    with pytest.raises(HostTimedOutError):
        _ = nb.die
    assert nb._session.generation == generation


def test_ten_thousand_hanging_cells_end_with_the_budget():
    """So does a single one that would have minutes."""
    with notebooks() as make:
        nb = make(*["while True: pass"] * 10_000, limits=Limits(cpu_s=1))
        with pytest.raises(HostTimedOutError, match="used up its 1 s of CPU time"):
            _ = nb.x


@pytest.mark.parametrize(("cell", "after"), [("burn(0.6)", "burn"), ("sleep(1)", "sleep")], ids=["CPU", "wall"])
def test_a_check_does_not_pay_for_cells_that_are_run_again(notebook, monkeypatch, cell, after):
    """Where the host ended in it, also in a block of its own: the budget does, and the check has its time."""
    monkeypatch.setattr(Limit, "wall_s", property(lambda limit: 1.5 if limit.limit_s < 1 and after == "sleep" else 100))
    nb = notebook(CODE, cell)
    _ = nb.die
    left_s = nb._session.budget.left_wall_s
    with nb._session.limited(0.8):
        with nb._session.limited(0.7), pytest.raises(HostDiedError):
            nb.die()
        assert nb.borrow("die") is None
        getattr(nb, after)(0.5)
        assert not nb._session.is_late
    assert nb._session.budget.left_wall_s < left_s - 2 * 0.5


def test_a_block_within_a_block_has_no_more_than_is_left(notebook, monkeypatch):
    """Whose limit it was, the failure says."""
    wait_for_cpu_time(monkeypatch)
    nb = notebook()
    burn, sleep = nb.burn, nb.sleep
    for inner_s, outer_s, said in ((9, 0.5, "0.5 s of CPU time"), (0.5, 9, "0.5 s of CPU time")):
        with nb._session.limited(outer_s), pytest.raises(HostTimedOutError) as raised, nb._session.limited(inner_s):
            burn(60)
        assert raised.value.within == said
        burn = nb.burn
    monkeypatch.setattr(Limit, "wall_s", property(lambda limit: limit.limit_s))
    sleep = nb.sleep
    with nb._session.limited(0.6), pytest.raises(HostTimedOutError) as raised, nb._session.limited(9):
        sleep(60)
    assert raised.value.within == "0.6 s"


def test_what_is_borrowed_is_hung_by_its_own_time_alone(notebook, monkeypatch):
    """Where the check's time is used up, or the submission's, it is no fault of that function's."""
    wait_for_cpu_time(monkeypatch)
    nb = notebook(cpu_s=10)
    assert nb.borrow("burn", 60, limit_s=0.3) is None
    assert nb._hung == {"burn"}
    nb._hung.clear()
    with pytest.raises(HostTimedOutError, match=r"within 0\.4 s"), nb._session.limited(0.4):
        nb.borrow("burn", 60)
    assert nb._hung == set()
    nb._session.budget.spend(cpu_s=9)
    with pytest.raises(HostTimedOutError, match="used up its 10 s"):
        nb.borrow("burn", 60, limit_s=30)
    assert nb._hung == set()


SPOIL = """
import gc, time
def spoil(op):
    host = next(one for one in gc.get_objects() if type(one).__name__ == "Host")
    setattr(host, "op_" + op, lambda *_, **__: time.sleep(60))
"""


@pytest.mark.parametrize("request_", ["seed", "stand_in", "cover", "uncover", "keep"])
def test_a_host_that_sleeps_when_it_is_made_ready_costs_seconds(notebook, monkeypatch, request_):
    """What should take no time has none of a request's minute, and in a check it counts to the check besides."""
    assert Limit(HOUSEKEEPING_S).wall_s < 20
    monkeypatch.setattr(session, "HOUSEKEEPING_S", 0.3)
    monkeypatch.setattr(Limit, "wall_s", property(lambda limit: 2 * limit.limit_s))
    nb = notebook(SPOIL)
    nb.spoil(request_)

    def check():
        nb._session.request("seed", seed=1)
        with nb.standing_in({"g": abs}), nb._session.limited(20):
            nb.keep(1)

    with pytest.raises(HostTimedOutError) as raised:
        check()
    assert raised.value.within == "0.6 s"


def test_sessions_share_a_budget():
    """What one of them has used the other has not."""
    budget = Budget(cpu_s=2, wall_s=100)
    with notebooks() as make:
        first, second = make(CODE, budget=budget), make(CODE, budget=budget)
        with pytest.raises(HostTimedOutError, match="used up its 2 s of CPU time"):
            first.burn(10)
        with pytest.raises(HostTimedOutError, match="used up its 2 s of CPU time"):
            second.burn(0)
    assert budget.used_up


def test_thinking_is_free():
    """The clock of a budget runs while something is under way, or in a block, and not between."""
    budget = Budget(cpu_s=10, wall_s=0.2)
    time.sleep(0.3)
    assert not budget.used_up
    with budget.running(), budget.running():
        time.sleep(0.1)
    time.sleep(0.3)
    assert 0 < budget.left_wall_s < 0.1
    with budget.running():
        time.sleep(0.15)
        assert budget.used_up
    assert (budget.used_up, budget.what) == (True, "0.2 s")


def test_a_call_back_without_end_uses_the_budget_up(notebook):
    """Then nothing is left for the next request either."""
    nb = notebook(CODE, wall_s=2)
    with nb.standing_in({"g": lambda: [None for _ in iter(int, 1)]}):
        f = nb.f
        with pytest.raises(HostTimedOutError, match="used up its 2 s") as raised:
            f()
    assert raised.value.for_good


def test_a_host_that_answers_a_byte_at_a_time_is_held_to_its_limits(notebook, monkeypatch):
    """What comes early enough each time is looked at all the same."""
    wait_for_cpu_time(monkeypatch)
    trickle = (
        "import gc, socket, time\ndef trickle():\n"
        "    mine = next(thing for thing in gc.get_objects() if isinstance(thing, socket.socket))\n"
        "    mine.sendall((50).to_bytes(8, 'little') + (1 << 20).to_bytes(8, 'little'))\n"
        "    while True:\n        end = time.process_time() + 0.05\n"
        "        while time.process_time() < end: pass\n        mine.sendall(b'x')\n"
    )
    nb = notebook(trickle)
    ask = nb.trickle
    within, took_s = timed_out(nb, 0.5, ask)
    assert within == "0.5 s of CPU time"
    assert took_s < 60
