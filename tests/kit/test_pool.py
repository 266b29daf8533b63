"""The pool of workers: results as they come, deaths survived, nothing held that nobody needs."""

import os
import time
from pathlib import Path

import pytest
from pool_work import die_at, fail, sleep, square

from gradlab_staff.pool import Pool, WorkerError
from gradlab_staff.sandbox.processes import is_running, usage_of


def results(pool, function, items, *args, limit_s=60.0):
    """What a function gives for each item; of one that came to no result, the reason."""

    def one(worker, item):
        try:
            return item, worker.call(function, item, *args, limit_s=limit_s)
        except WorkerError as error:
            return item, str(error)

    return dict(pool.map(one, items))


def test_workers_are_kept_from_one_map_to_the_next():
    """What they have imported and remembered stays."""
    with Pool(1) as pool:
        first, second = (results(pool, square, range(3)) for _ in range(2))
    assert {number: found for number, (found, _) in first.items()} == {0: 0, 1: 1, 2: 4}
    assert len({pid for found in (first, second) for _, pid in found.values()}) == 1


def test_a_death_costs_one_item_at_most(tmp_path):
    """A worker that dies is replaced: what it had in hand is tried once more, and then given up alone."""
    with Pool(2) as pool:
        once = results(pool, die_at, range(6), 3, str(tmp_path))
        always = results(pool, die_at, range(6), 3, "")
    assert {number: found[0] for number, found in once.items()} == {n: n * n for n in range(6)}
    assert always.pop(3) == "expected a result, but the worker process died twice"
    assert {number: found[0] for number, found in always.items()} == {n: n * n for n in range(6) if n != 3}


def test_what_takes_too_long_is_given_up():
    """And the worker goes on with another process."""
    with Pool(1) as pool:
        found = results(pool, sleep, [60, 0], limit_s=3.0)
    assert found == {60: "expected a result within 3 s, none came", 0: None}


def test_memory_does_not_grow_with_the_number_of_items():
    """Items are taken as workers are free, and not all at once."""
    taken = []

    def items():
        for number in range(1000):
            taken.append(number)
            yield number

    with Pool(2) as pool:
        found = pool.map(lambda worker, item: item, items())
        assert next(found) in (0, 1)
        time.sleep(0.5)
        assert len(taken) <= 8
        assert len(list(found)) == 999


def test_nothing_is_left_where_the_caller_stops():
    """What is under way is ended, and not waited for."""
    started_s = time.monotonic()
    before = set(usage_of(os.getpid()).pids)
    with Pool(2) as pool:
        for _ in pool.map(lambda worker, item: item and worker.call(sleep, 100, limit_s=100), [0, 1, 2]):
            break
    assert time.monotonic() - started_s < 60
    time.sleep(0.2)
    left = {pid for pid in set(usage_of(os.getpid()).pids) - before if is_running(pid)}
    assert all(b"resource_tracker" in Path(f"/proc/{pid}/cmdline").read_bytes() for pid in left)


def test_an_error_of_the_function_is_raised_and_tried_once(tmp_path):
    """Whatever it is: an OSError of its own is no trouble of the worker's."""

    def one(worker, item):
        try:
            return worker.call(fail, item, str(tmp_path / item), limit_s=60)
        except Exception as error:  # noqa: BLE001 (whatever the function raised)
            return type(error).__name__

    kinds = ["OSError", "MemoryError", "TimeoutError", "RuntimeError"]
    with Pool(1) as pool:
        assert list(pool.map(one, kinds)) == kinds
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == dict.fromkeys(kinds, "x")


def test_an_error_of_ours_is_raised_where_the_results_are_asked_for():
    """It is no result."""
    with Pool(1) as pool, pytest.raises(ZeroDivisionError):
        list(pool.map(lambda worker, item: 1 / item, [1, 0]))
