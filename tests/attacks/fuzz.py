"""``make fuzz``: the trusted side's decoder, intake and stand-ins, under inputs that nobody would send.

Four kinds of frames: random bytes; valid trees of any shape, with odd leaves; encoded values with a few bytes changed; and
trees made to be as large as a frame may hold. Nothing may be raised but `CodecError`, and nothing may take more memory
than the stated bound. Nothing is run: neither side of the codec has anything that could.

Notebooks: `fuzz_plans`. Hosts that talk to stand-ins: `fuzz_standins`. The seed is printed: with it the same inputs come.
"""

# It reports by printing; its tables are as wide as they are.
# ruff: noqa: T201, E501

from __future__ import annotations

import argparse
import json
import math
import random
import resource
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
from fuzz_plans import fuzz_plans, holes_of_a_release
from fuzz_standins import fuzz_stand_ins

from gradlab_staff.course import Assignment, Course
from gradlab_staff.host.codec import DECODED_BYTES, HEADER, MAX_TREE, CodecError, decode, encode, frame_lengths
from gradlab_staff.intake.matching import match
from gradlab_staff.intake.notebook import open_notebook
from gradlab_staff.intake.plan import plan

__all__ = ["fuzz_decoder", "fuzz_notebooks", "heaviest_frames"]

LEAVES: tuple[Any, ...] = (
    None, True, 0, -1, 2**63 - 1, -(2**63), 2**64 - 1, 1.5, math.nan, math.inf, "", "x", "ok", "<f8", "|O8", ">c16", b"", b"\0" * 8,
    "\ud800", [], {}, 2**40, "0x" + "f" * 2990, "0x" + "f" * 4000, msgpack.Timestamp(1), msgpack.ExtType(4, b"x" * 9),
)  # fmt: skip
TAGS = ("a", "n", "i", "y", "Y", "e", "h", "l", "t", "d", "s", "f", "S", "r", "c", "?", "")
VALUES: tuple[Any, ...] = (
    {"ok": (np.ones((4, 3)), [1.5] * 9), "printed": 3, "states": {1: {"params": {"W1": np.ones((3, 2), np.float32)}}}},
    {"error": {"type": "ValueError", "message": "x", "frames": [["cell 1", 2, "y"]]}},
    {"callback": 3, "method": "loss", "args": [np.ones(3)], "kwargs": {"y": None}, "states": {}},
    [{1, 2}, frozenset("a"), slice(1, 2), range(3), 2**90, np.float64(1), np.dtype("f4"), np.int8, 1j, ..., b"x", (1,)],
)


def fuzz_decoder(count: int, seed: int) -> int:
    """Decode `count` frames; how many of them held a value. Anything raised but `CodecError` is a hole."""
    random_ = random.Random(seed)
    valid = [b"".join(map(bytes, encode(value))) for value in VALUES]
    held = 0
    for number in range(count):
        frame = _FRAMES[number % len(_FRAMES)](random_, valid)
        try:
            tree, buffers = frame_lengths(frame[: HEADER.size].ljust(HEADER.size, b"\0"))
            body = frame[HEADER.size :]
            decode(body[:tree], body[tree : tree + buffers], _token)
            held += 1
        except CodecError:
            pass
    return held


def _token(token: list[Any]) -> Any:
    """As a submission takes tokens: by number, or not at all."""
    if token[0] == "own" and type(token[1]) is int:
        return object()
    raise CodecError("expected an object's number, got something else")


def _noise(random_: random.Random, valid: list[bytes]) -> bytes:
    data = random_.randbytes(random_.randrange(200))
    return HEADER.pack(len(data), 0) + data


def _changed(random_: random.Random, valid: list[bytes]) -> bytes:
    frame = bytearray(random_.choice(valid))
    for _ in range(random_.randint(1, 6)):
        at = random_.randrange(len(frame))
        how = random_.random()
        if how < 0.6:
            frame[at] = random_.randrange(256)
        elif how < 0.8:
            del frame[at : at + random_.randint(1, 9)]
        else:
            frame[at:at] = random_.randbytes(random_.randint(1, 9))
        frame = frame or bytearray(1)
    return bytes(frame)


def _grown(random_: random.Random, valid: list[bytes]) -> bytes:
    tree = msgpack.packb(_tree(random_, random_.randint(1, 6)), unicode_errors="surrogatepass")
    buffers = random_.randbytes(random_.choice((0, 8, 64)))
    return HEADER.pack(len(tree), len(buffers)) + tree + buffers


def _tree(random_: random.Random, depth: int) -> Any:
    if depth == 0 or random_.random() < 0.3:
        return random_.choice(LEAVES)
    tag = random_.choice(TAGS)
    if tag == "a" and random_.random() < 0.8:
        shape = [random_.choice((0, 1, 2, 3, 2**20, 2**39)) for _ in range(random_.randint(0, 4))]
        return [
            "a",
            random_.choice(("<f8", "|b1", ">i2", "<f16", "|O")),
            shape,
            random_.choice((0, 0, 0, 8, -8, 2**62)),
        ]
    return [tag, *(_tree(random_, depth - 1) for _ in range(random_.choice((0, 1, 1, 2, 2, 3, 4))))]


_FRAMES: tuple[Callable[[random.Random, list[bytes]], bytes], ...] = (_noise, _changed, _grown, _grown)


def heaviest_frames() -> Iterator[tuple[str, float, float]]:
    """Frames made to cost as much as they can: what each is made of, its peak in MiB, and its seconds."""
    units = {
        "empty lists": b"\x90", "nothing": b"\xc0", "maps": b"\x80", "short words": b"\xa2ab", "numbers": b"\xcb?\xf1#Eg\x89\xab\xcd",
        "sets": b"\x91\xa1s", "dicts": b"\x91\xa1d", "empty arrays": b"\x94\xa1a\xa3|b1\x91\x00\x00", "dtypes": b"\x92\xa1y\xa3|b1",
        "nested lists": b"\x91" * 400 + b"\xc0", "one hash": b"\x93\xa1c\xcb\xc1.\x84\xbd\x80\x00\x00\x00\xcb?\xf0\x00\x00\x00\x00\x00\x00",
    }  # fmt: skip
    for name, unit in units.items():
        many = (MAX_TREE - 16) // len(unit)
        tag = "s" if name in ("one hash", "numbers") else "l"
        tree = b"\xdd" + (many + 1).to_bytes(4, "big") + msgpack.packb(tag) + unit * many
        yield f"{name} in a {'set' if tag == 's' else 'list'}", *_cost(tree, b"")
    shared = msgpack.packb(["l", *[["a", "<f8", [2**20], 0]] * 100_000])
    yield "arrays that share a buffer", *_cost(shared, bytes(8 << 20))
    yield "one large array", *_cost(msgpack.packb(["a", "|b1", [64 << 20], 0]), bytes(64 << 20))


def _cost(tree: bytes, buffers: bytes) -> tuple[float, float]:
    tracemalloc.start()
    started = time.perf_counter()
    try:
        decode(tree, buffers)
    except CodecError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak / 2**20, time.perf_counter() - started


def fuzz_notebooks(assignment: Assignment, count: int, seed: int) -> int:
    """Read and plan `count` broken notebooks; how many were still readable. Anything raised is a hole."""
    random_ = random.Random(seed)
    whole = json.loads(assignment.notebook.read_text(encoding="utf-8"))
    for cell in whole["cells"]:
        cell["outputs"] = []
    readable = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "notebook.ipynb"
        for _ in range(count):
            path.write_bytes(_broken(random_, whole))
            opened = open_notebook(path)
            readable += opened.readable
            plan(assignment, match(assignment, opened))
    return readable


ODD = (None, 0, -1, 1e308, "", "\x00", "\ud800", [], {}, [None], {"a": [1]}, "def f(:\n", "%%bash\nls", "!ls\n%time x", "(" * 300,
       "x" + ".y" * 3000, "-" * 5000 + "1", "import os\n" * 300, "\t if 1:\n  x", "f'{'", "class A(" + "B(" * 150, "é\r\n\u2028",
       "def setup(): return a" + ".b" * 990 + "\nimport z", "lambda: " * 90 + "1", "1_000__0", "match x:\n case [" + "[" * 90)  # fmt: skip


def _broken(random_: random.Random, whole: dict[str, Any]) -> bytes:
    content = json.loads(json.dumps(whole))
    for _ in range(random_.randint(1, 5)):
        _break(random_, content)
    text = json.dumps(content).encode("utf-8", "surrogatepass")
    if random_.random() < 0.2:
        at = random_.randrange(len(text))
        text = text[:at] + random_.randbytes(random_.randint(0, 4)) + text[at + random_.randint(0, 50) :]
    return text


def _break(random_: random.Random, content: dict[str, Any]) -> None:
    cell = random_.choice(content["cells"]) if isinstance(content.get("cells"), list) and content["cells"] else None
    if not isinstance(cell, dict) or random_.random() < 0.1:
        content[random_.choice(["cells", "metadata", "nbformat", "worksheets"])] = random_.choice(ODD)
        return
    where: Any = cell
    if random_.random() < 0.3 and isinstance(cell.get("metadata"), dict):
        where = cell["metadata"].get("nbgrader", cell["metadata"])
    if isinstance(where, dict) and where:
        key = random_.choice(sorted(where))
        odd = random_.choice(ODD)
        where[key] = (
            f"{where[key]}\n{odd}" if key == "source" and isinstance(odd, str) and random_.random() < 0.6 else odd
        )
    if random_.random() < 0.2:
        content["cells"].insert(random_.randrange(len(content["cells"])), random_.choice([*content["cells"], *ODD]))


def main(arguments: list[str] | None = None) -> int:
    """Fuzz within a few minutes, and print the counts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--seed", type=int, default=random.SystemRandom().randrange(2**32), help="to have the same again"
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="for each of the four parts (default: 60)")
    options = parser.parse_args(arguments)
    print(f"--seed {options.seed}", flush=True)
    course = Course.find(Path(__file__).parent)
    assignments = [course.assignment(name) for name in course.assignments]
    holes = [*_frames(options), *_broken_notebooks(options, course)]
    holes += [hole for assignment in assignments for hole in holes_of_a_release(assignment)]
    plans = fuzz_plans(assignments, options.seed, seconds=options.seconds)
    print(f"plans: {plans.notebooks} notebooks, {plans.readable} readable, {plans.statements} solution cells or statements "
          f"planned, {plans.tokens} answers found again; the slowest took {plans.slowest_s:.1f} s", flush=True)  # fmt: skip
    talks = fuzz_stand_ins(assignments, options.seed, seconds=options.seconds)
    print(f"stand-ins: {talks.conversations} conversations, {talks.messages} messages, {talks.answered} calls answered; "
          f"ended in {dict(sorted(talks.ended.items()))}")  # fmt: skip
    holes += plans.holes + talks.holes
    print("\n".join(holes) or "no holes")
    return 1 if holes else 0


def _frames(options: argparse.Namespace) -> Iterator[str]:
    bound = DECODED_BYTES / 2**20 + 128  # and the buffers twice
    costs = list(heaviest_frames())
    worst, slowest = max(costs, key=lambda cost: cost[1]), max(costs, key=lambda cost: cost[2])
    print(
        f"heaviest frame: {worst[0]}, {worst[1]:.0f} MiB of {bound:.0f}; slowest: {slowest[0]}, {slowest[2]:.1f} s traced"
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    count = held = 0
    until = time.monotonic() + options.seconds
    while time.monotonic() < until:
        held += fuzz_decoder(4000, options.seed + count)
        count += 4000
    grown_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"decoder: {count} inputs, {held} held a value; memory grew by {grown_mib:.0f} MiB", flush=True)
    if worst[1] > bound:
        yield f"{worst[0]}: {worst[1]:.0f} MiB"
    if grown_mib > 64:
        yield f"decoder: memory grew by {grown_mib:.0f} MiB"


def _broken_notebooks(options: argparse.Namespace, course: Course) -> Iterator[str]:
    count = readable = 0
    until = time.monotonic() + options.seconds
    while time.monotonic() < until:
        try:
            readable += fuzz_notebooks(course.assignment("dropout"), 20, options.seed + count)
        except Exception as error:  # noqa: BLE001 (any is what this looks for)
            yield f"notebooks, seed {options.seed + count}: {type(error).__name__}: {error}"
        count += 20
    print(f"notebooks: {count} inputs, {readable} readable", flush=True)


if __name__ == "__main__":
    sys.exit(main())
