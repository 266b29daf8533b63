"""What the workers of test_pool.py do: a module that they can import."""

import os
import signal
import time
from pathlib import Path


def square(number):
    """The work of these tests, in a worker."""
    return number * number, os.getpid()


def die_at(number, unlucky, marks):
    """End the worker at one number: once, where `marks` is a folder to remember it in, or every time."""
    if number == unlucky and not (marks and Path(marks, str(number)).exists()):
        if marks:
            Path(marks, str(number)).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return square(number)


def sleep(seconds):
    time.sleep(seconds)


def fail(kind, mark):
    """Raise an error of this kind, and leave a mark."""
    with open(mark, "a") as file:
        file.write("x")
    raise {"OSError": OSError, "MemoryError": MemoryError, "TimeoutError": TimeoutError}.get(kind, RuntimeError)("no")
