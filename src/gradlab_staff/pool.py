"""A pool of worker processes that survives the death of any of them: for a class, and for an audit.

Each worker is a process of its own, led by a thread. One that dies or hangs costs what it had in hand, which is tried
once more, and nothing else.
"""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import queue
import resource
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Generic, TypeVar

__all__ = ["Pool", "Worker", "WorkerDiedError", "WorkerError", "WorkerTimedOutError", "limit_memory"]

MEMORY_MIB = 4096
"""Bounds what a submission can make the trusted side spend through calls back."""
POLL_S = 0.2
_PR_SET_PDEATHSIG = 1

T = TypeVar("T")
R = TypeVar("R")


class WorkerError(Exception):
    """A worker process came to no result; the message says how it failed."""


class WorkerDiedError(WorkerError):
    """It died, each time it was tried."""


class WorkerTimedOutError(WorkerError):
    """It took too long, and was ended."""


class Worker:
    """One worker process, started when it is first needed and replaced when it dies or hangs."""

    def __init__(self) -> None:
        # The kernel ends a worker with the thread that started it, so that one thread leads it to the end.
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="worker")
        self._process: ProcessPoolExecutor | None = None
        self._dismissed = False
        self._changing = threading.Lock()  # the thread that leads the worker and the one that ends it both change it

    def call(self, function: Callable[..., R], *args: Any, limit_s: float, tries: int = 2) -> R:
        """Return what a function of a module gives in the worker process; it is tried again where the process dies.

        Raises
        ------
        WorkerError
            Where the process died each time (`WorkerDiedError`), took longer than `limit_s` (`WorkerTimedOutError`),
            or could not be started.
        """
        error = WorkerError("not tried")
        for _ in range(tries):
            try:
                asked = self._begin(function, *args)
            except (OSError, RuntimeError) as failure:  # no process or no memory to be had now
                error = WorkerError(f"expected a worker process, got: {failure}")
                self.end()
                continue
            try:
                return asked.result(limit_s)
            except (BrokenProcessPool, CancelledError):
                error = WorkerDiedError(f"expected a result, but the worker process died{' twice' * (tries == 2)}")
                self.end()
            except TimeoutError:
                if asked.done():  # the function's own
                    raise
                self.end()  # once is enough: it would hold up the others as long again
                raise WorkerTimedOutError(f"expected a result within {limit_s:.0f} s, none came") from None
        raise error

    def _begin(self, function: Callable[..., R], *args: Any) -> Future[R]:
        with self._changing:
            if self._dismissed:
                raise WorkerError("the pool is closed")
            if self._process is None:
                # A fresh interpreter: a fork would share the parent's locks and its open gradebook.
                self._process = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _be_a_worker)
            return self._process.submit(function, *args)

    def dismiss(self) -> None:
        """End the process, whatever it does, for good."""
        self.end(dismissed=True)

    def end(self, *, dismissed: bool = False) -> None:
        """End the process, whatever it does; the next call starts another, unless this is for good."""
        with self._changing:
            self._dismissed = self._dismissed or dismissed
            process, self._process = self._process, None
            if process is not None:
                for child in list((process._processes or {}).values()):
                    child.kill()
                process.shutdown(cancel_futures=True)


class Pool:
    """Worker processes, kept from one `map` to the next; to be used as a context, which ends them."""

    def __init__(self, workers: int) -> None:
        self._workers = [Worker() for _ in range(max(workers, 1))]

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all worker processes, whatever they do, for good."""
        for worker in self._workers:
            worker.dismiss()
        for worker in self._workers:
            worker.thread.shutdown()

    def map(self, do: Callable[[Worker, T], R], items: Iterable[T]) -> Iterator[R]:
        """Yield what `do` gives for each of `items`, as it comes; `do` runs in a thread and asks its worker.

        Items are taken as workers are free, and no more results are held than there are workers, so that memory does
        not grow with their number. An exception of `do` is raised here. It ends the pool, as does a caller who stops
        asking for results.
        """
        work = _Work(do, iter(items), len(self._workers))
        leading = [worker.thread.submit(work.lead, worker) for worker in self._workers]
        done = False
        try:
            yield from work.results(len(leading))
            done = True
        finally:
            work.over.set()
            if not done:  # what is under way is not waited for, nor tried again
                self.close()
            wait(leading)


class _Work(Generic[T, R]):
    """What is left to do, and what has been done, of one `map`."""

    def __init__(self, do: Callable[[Worker, T], R], items: Iterator[T], room: int) -> None:
        self.do, self.items = do, items
        self.over = threading.Event()
        self._taking = threading.Lock()
        self._done: queue.Queue[tuple[str, Any]] = queue.Queue(room)

    def lead(self, worker: Worker) -> None:
        """Give a worker one item after the other, until none is left or the map is over."""
        try:
            while not self.over.is_set():
                with self._taking:
                    item = next(self.items)
                self._put("result", self.do(worker, item))
        except StopIteration:
            self._put("end", None)
        except BaseException as error:  # noqa: BLE001 (it is raised again where the results are asked for)
            self._put("error", error)

    def _put(self, kind: str, value: Any) -> None:
        while not self.over.is_set():
            with contextlib.suppress(queue.Full):
                self._done.put((kind, value), timeout=POLL_S)
                return

    def results(self, leading: int) -> Iterator[R]:
        """Yield the results until all threads have come to the end."""
        while leading:
            kind, value = self._done.get()
            if kind == "error":
                raise value
            if kind == "end":
                leading -= 1
            else:
                yield value


def _be_a_worker() -> None:
    """Make this process a worker: on Linux it ends with its parent, however that ends, and its sandbox with it."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    parent = multiprocessing.parent_process()
    if parent is not None and os.getppid() != parent.pid:  # it ended before it was asked for
        os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    limit_memory()


def limit_memory() -> tuple[int, int]:
    """Limit this process's memory to `MEMORY_MIB`, and return the limits that it had; also where pytest is run by hand.

    What a submission sends is made Python objects here: without a limit it could have the machine run out of memory.
    """
    before = resource.getrlimit(resource.RLIMIT_AS)
    most = [limit for limit in before if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min([MEMORY_MIB << 20, *most]), before[1]))
    return before
