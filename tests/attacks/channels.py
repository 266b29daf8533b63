"""``make channels``: what is left to talk over between two sandboxes of one machine, in bits a second (a minute).

Each channel that `docs/security.md` names as left is tried by a sender and a receiver in a sandbox each, with bits
drawn at random. Its capacity is that of a binary symmetric channel with the errors seen. The channels that are closed
have tests of their own: ``tests/kit/sandbox/test_channels.py``.
"""

# It reports by printing.
# ruff: noqa: T201

from __future__ import annotations

import contextlib
import math
import os
import random
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gradlab_staff.grading.submission import Submission, open_submission
from gradlab_staff.sandbox.setup import Setup

PAGES = 400  # that the page cache is tried with
WINDOW = 400  # bits of one estimate of errors
APART = 1 << 20  # further than the kernel reads ahead

SOURCE = r"""
import ctypes, mmap, os, time, numpy as np
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
SHARED = libc.mmap(None, ctypes.c_size_t(4096), 1, 2, os.open('/usr/bin/env', os.O_RDONLY), ctypes.c_size_t(0))
FUTEX = {'x86_64': 202, 'aarch64': 98}[os.uname().machine]
def until(start_s):
    while time.monotonic() < start_s: pass

# a futex's key is the page of the file: waiters in one sandbox are woken, and counted, by another
def wait_send(bits, start_s, limit_s):
    values = [ctypes.c_uint32.from_address(SHARED + 4 * n).value for n in range(16)]
    symbols = np.asarray(bits).reshape(-1, 4) @ [8, 4, 2, 1]
    end_s, timeout = start_s + limit_s, (ctypes.c_int64 * 2)(1, 0)
    for symbol in symbols.tolist():
        address = ctypes.c_void_p(SHARED + 4 * symbol)
        while libc.syscall(FUTEX, address, 0, values[symbol], timeout, None, 0):
            if time.monotonic() > end_s: return
def wait_receive(count, start_s, limit_s):
    addresses, symbols = [ctypes.c_void_p(SHARED + 4 * n) for n in range(16)], []
    until(start_s)
    while len(symbols) < count // 4 and time.monotonic() < start_s + limit_s:
        for symbol, address in enumerate(addresses):
            if libc.syscall(FUTEX, address, 1, 1, None, None, 0) == 1:
                symbols.append(symbol)
    took_s = time.monotonic() - start_s
    return [symbol >> place & 1 for symbol in symbols for place in (3, 2, 1, 0)], took_s

# a cache line of the same page: read by one, it is fast for the other
def line_load(program):
    global compiled
    with open('line.so', 'wb') as file: file.write(program.tobytes())
    compiled = ctypes.CDLL('./line.so')
    compiled.stamp.restype = ctypes.c_uint64
def line_stamp():
    return compiled.stamp()
def line_send(bits, start, slot):
    return line(compiled.send_bits, bits, start, slot)
def line_receive(count, start, slot):
    return line(compiled.receive_bits, np.zeros(count, np.uint8), start, slot)
def line(function, bits, start, slot):
    data = (ctypes.c_uint8 * len(bits))(*bits.tolist())
    times = ctypes.c_uint64(start), ctypes.c_uint64(slot)
    function(ctypes.c_void_p(SHARED + 2048), data, ctypes.c_long(len(bits)), *times)
    return list(data)

# a page of a file that nobody has read lately: read by one, it is in memory for the other
def page_send(bits, places):
    for bit, (path, offset) in zip(bits.tolist(), places):
        if bit:
            with open(path, 'rb', 0) as file: os.pread(file.fileno(), 1, offset)
def page_receive(places):
    times, started_s = [], time.monotonic()
    for path, offset in places:
        with open(path, 'rb', 0) as file:
            before = time.perf_counter_ns()
            os.pread(file.fileno(), 1, offset)
            times.append(time.perf_counter_ns() - before)
    return times, time.monotonic() - started_s

# the numbers that the kernel gives to pipes: those that another was given meanwhile are left out
def number_send(bits, start_s, slot_s):
    until(start_s)
    for n, bit in enumerate(bits.tolist()):
        end_s = start_s + (n + 1) * slot_s
        while time.monotonic() < end_s:
            if bit: take(64)
def number_receive(count, start_s, slot_s):
    got, last = [], 0
    for n in range(count):
        until(start_s + (n + 1) * slot_s)
        number = take(1100)
        got.append(number - last)
        last = number
    return got[1:]
def take(count):
    for _ in range(count // 2):
        ends = os.pipe(), os.pipe()
        number = os.fstat(ends[1][0]).st_ino
        for end in ends[0] + ends[1]: os.close(end)
    return number

# the machine's cores: how far one gets while the other works or does not
def load_send(bits, start_s, slot_s):
    for worker in range(6):
        if os.fork() == 0:
            until(start_s)
            for n, bit in enumerate(bits.tolist()):
                end_s = start_s + (n + 1) * slot_s
                if bit: until(end_s)
                else: time.sleep(max(0, end_s - time.monotonic()))
            os._exit(0)
    time.sleep(max(0, start_s + (len(bits) + 0.5) * slot_s - time.monotonic()))
def load_receive(count, start_s, slot_s):
    got = []
    until(start_s)
    for n in range(count):
        steps, end_s = 0, start_s + (n + 1) * slot_s
        while time.monotonic() < end_s: steps += 1
        got.append(steps)
    return got
"""

# Slots begin at the same value of the processor's time stamp for both. It ticks at the same rate on all cores.
PROGRAM = r"""
#include <stdint.h>
#include <x86intrin.h>
uint64_t stamp(void) { return __rdtsc(); }
void send_bits(volatile char *line, uint8_t *bits, long count, uint64_t start, uint64_t slot) {
    for (long n = 0; n < count; n++) {
        uint64_t middle = start + n * slot + slot / 3, end = start + n * slot + 2 * slot / 3;
        while (__rdtsc() < middle) ;
        while (__rdtsc() < end) if (bits[n]) (void)*line;
    }
}
void receive_bits(volatile char *line, uint8_t *bits, long count, uint64_t start, uint64_t slot) {
    unsigned core;
    for (long n = 0; n < count; n++) {
        while (__rdtsc() < start + n * slot) ;
        _mm_clflush((void *)line); _mm_mfence();
        while (__rdtsc() < start + n * slot + 5 * slot / 6) ;
        uint64_t before = __rdtscp(&core); _mm_lfence();
        (void)*line; _mm_lfence();
        uint64_t took = __rdtscp(&core) - before;
        bits[n] = took > 255 ? 255 : took;
    }
}
"""


@dataclass(frozen=True)
class Cell:
    """What a session needs to know of a cell."""

    label: str = "cell 1"
    source: str = SOURCE
    id: str = ""
    kind: str = "own"
    only: tuple[int, ...] | None = None


@contextlib.contextmanager
def sandboxes() -> Iterator[tuple[Submission, Submission]]:
    """Yield a sender and a receiver, each in a sandbox of its own that runs."""
    two = open_submission([Cell()], Setup()), open_submission([Cell()], Setup())
    try:
        for one in two:
            one._session.start()
        with two[0]._session.limited(50), two[1]._session.limited(50):
            yield two
    finally:
        for one in two:
            one._session.stop()


def at_once(send: Any, receive: Any) -> Any:
    """Return what `receive` returns while `send` runs."""
    thread = threading.Thread(target=send)
    thread.start()
    try:
        return receive()
    finally:
        thread.join()


def drawn(count: int) -> Any:
    """Return so many random bits."""
    return np.array(random.Random(1).choices((0, 1), k=count), np.uint8)


def capacity(sent: Any, got: Any, seconds: float) -> float:
    """Return bits a second: those sent, less what their errors cost.

    What was got, a time or a count, is split at the best threshold. Errors are counted by stretches of `WINDOW`: who
    is kept off a core for a while loses the bits of that while only.
    """
    sent, got = np.asarray(sent)[: len(got)], np.asarray(got)
    if not len(got):
        return 0.0
    thresholds = np.quantile(got, np.linspace(0.02, 0.98, 97))
    wrong = min(((got > threshold) != sent for threshold in thresholds), key=lambda one: -abs(one.mean() - 0.5))
    stretches = np.array_split(wrong, max(1, len(wrong) // WINDOW))
    return sum(len(one) * (1 - _entropy(float(one.mean()))) for one in stretches) / seconds


def _entropy(share: float) -> float:
    return -sum(part * math.log2(part) for part in (share, 1 - share) if part > 0)


def futex(sender: Submission, receiver: Submission) -> float:
    """Return the capacity of waiting on a shared file's page."""
    bits, start_s = drawn(80_000), time.monotonic() + 0.3
    got, took_s = at_once(
        lambda: sender.wait_send(bits, start_s, 5.0), lambda: receiver.wait_receive(len(bits), start_s, 5.0)
    )
    return capacity(bits, got, took_s)


def cache_line(sender: Submission, receiver: Submission) -> float | None:
    """Return the capacity of a cache line of a shared file; None where it cannot be compiled here."""
    if os.uname().machine != "x86_64" or shutil.which("cc") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder, "line.c"), Path(folder, "line.so")
        source.write_text(PROGRAM)
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", library, source], check=True)
        program = np.frombuffer(library.read_bytes(), np.uint8)
    for one in (sender, receiver):
        one.line_load(program)
    best, bits = 0.0, drawn(40_000)
    for slot in (2_000, 6_000, 20_000, 60_000):
        before, started_s = sender.line_stamp(), time.monotonic()
        time.sleep(0.2)
        now, passed_s = sender.line_stamp(), time.monotonic() - started_s
        hertz = (now - before) / passed_s
        start = now + int(hertz / 4)
        got = at_once(
            lambda t=start, s=slot: sender.line_send(bits, t, s),
            lambda t=start, s=slot: receiver.line_receive(len(bits), t, s),
        )
        best = max(best, capacity(bits, got, len(bits) * slot / hertz))
    return best


def page_cache(sender: Submission, receiver: Submission) -> float:
    """Return the capacity of the page cache: as long as there are pages that nobody has read."""
    hidden = ("dist-packages", "site-packages")  # nothing is there in a sandbox
    files = [path for path in Path("/usr/lib").rglob("*") if path.is_file() and not path.is_symlink()
             and not set(hidden) & set(path.parts) and path.stat().st_mode & 4]  # fmt: skip
    places = [(str(path), at) for path in files for at in range(0, path.stat().st_size - 4096, APART)]
    random.Random(2).shuffle(places)
    places = [place for place in places if place[1]][:PAGES]
    for path, _ in places:
        with open(path, "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    bits = drawn(len(places))
    started_s = time.monotonic()
    sender.page_send(bits, places)
    sent_s = time.monotonic() - started_s
    times, took_s = receiver.page_receive(places)
    return capacity(bits, times, sent_s + took_s)


def numbers(sender: Submission, receiver: Submission) -> float:
    """Return the capacity of the numbers that pipes have, by which a machine counts for all."""
    best = 0.0
    for slot_s in (0.01, 0.1):
        bits, start_s = drawn(int(4 / slot_s)), time.monotonic() + 0.5
        got = at_once(
            lambda b=bits, t=start_s, s=slot_s: sender.number_send(b, t, s),
            lambda b=bits, t=start_s, s=slot_s: receiver.number_receive(len(b), t, s),
        )
        best = max(best, capacity(bits[1:], got, len(bits) * slot_s))
    return best


def load(sender: Submission, receiver: Submission) -> float:
    """Return the capacity of the load on the cores."""
    best = 0.0
    for slot_s in (0.01, 0.04):
        bits, start_s = drawn(int(4 / slot_s)), time.monotonic() + 0.5
        got = at_once(
            lambda b=bits, t=start_s, s=slot_s: sender.load_send(b, t, s),
            lambda b=bits, t=start_s, s=slot_s: receiver.load_receive(len(b), t, s),
        )
        best = max(best, capacity(bits, got, len(bits) * slot_s))
    return best


CHANNELS = {
    "waiting on a page of a shared file (futex)": futex,
    "a cache line of a shared file": cache_line,
    "the page cache, by the time of a read": page_cache,
    "the numbers of pipes": numbers,
    "the load on the cores": load,
}


def main() -> None:
    """Print the capacity of each channel that is left."""
    for name, measure in CHANNELS.items():
        with sandboxes() as two:
            bits = measure(*two)
            print(f"{name}: {'not measured here' if bits is None else f'{bits:,.0f} bit/s'}", flush=True)
            protections = two[0]._session.protections
    print(f"protections: {protections}; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
