"""``make kernels``: do verdicts and recordings come out alike whatever computes them?

The processor chooses the kernels of OpenBLAS and of NumPy, and they round otherwise; so do two threads. Under each
choice that this machine can make, the instructor's solutions, the right variants and the misconceptions are graded on
one seed, and the recorded and published figures are compared. Exits with 1 where anything differs.
"""

# It reports by printing.
# ruff: noqa: T201

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from gradlab_staff.audit.trials import TRIAL_S, Trial, Tried, try_out
from gradlab_staff.audit.variants import Variant, load_variants
from gradlab_staff.course import Assignment, Course
from gradlab_staff.grading.diagnosis import load_misconceptions
from gradlab_staff.grading.run import GradeOptions, new_seed
from gradlab_staff.grading.verdict import Outcome
from gradlab_staff.pool import Pool
from gradlab_staff.sandbox.limits import Limits

COURSE = Course.find(Path(__file__))
WANTED = 4
KERNELS = (
    # x86-64, from the oldest on; then 64-bit ARM
    *("Prescott", "Nehalem", "Sandybridge", "Haswell", "Zen", "SkylakeX", "Cooperlake", "SapphireRapids"),
    *("ARMV8", "CORTEXA53", "CORTEXA57", "NEOVERSEN1", "NEOVERSEV1", "NEOVERSEN2", "THUNDERX2T99"),
)
FIGURES = ("test_recorded*.py", "test_published*.py")
WHICH = "import numpy, threadpoolctl as t; print(next(i['architecture'] for i in t.threadpool_info()))"

Outcomes = dict[str, list[str]]
"""By what was graded (``dropout: wrong forgot_to_rescale``): the checks that failed."""


@dataclass(frozen=True)
class Choice:
    """What computes: a kernel of OpenBLAS, so many threads, NumPy without some of the processor's features."""

    kernel: str
    threads: int
    without: str = ""

    def __str__(self) -> str:
        threads = "one thread" if self.threads == 1 else f"{self.threads} threads"
        return ", ".join([self.kernel, threads, *([f"NumPy without {self.without}"] if self.without else [])])

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of a process that computes so."""
        threads = {f"{library}_NUM_THREADS": str(self.threads) for library in ("OPENBLAS", "OMP", "MKL")}
        without = {"NPY_DISABLE_CPU_FEATURES": self.without} if self.without else {}
        return {**os.environ, **threads, **without, "OPENBLAS_CORETYPE": self.kernel, "MPLBACKEND": "Agg"}


@dataclass
class Found:
    """What came under one choice."""

    outcomes: Outcomes
    figures: bool
    seconds: float
    differing: list[str] = field(default_factory=list)


def choices() -> list[Choice]:
    """Return the choices of this machine: each kernel that OpenBLAS really takes, with one and with two threads."""
    taken: dict[str, str] = {}
    for kernel in KERNELS:
        got = _output([sys.executable, "-c", WHICH], Choice(kernel, 1).environment)
        taken.setdefault(got, kernel)
    kernels = [kernel for got, kernel in taken.items() if got]
    if len(kernels) < WANTED:
        print(f"expected at least {WANTED} kernels of OpenBLAS on this machine, got {', '.join(kernels) or 'none'}.")
    found = [Choice(kernel, threads) for kernel in kernels[-WANTED:] for threads in (1, 2)]
    features = _output(
        [sys.executable, "-c", "import numpy as n; print(*n.show_config('dicts')['SIMD Extensions']['found'])"]
    )
    return [*found, *([Choice(kernels[-1], 1, features)] if features and kernels else [])]


def _output(command: list[str], environment: dict[str, str] | None = None) -> str:
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout.strip()


# --- under one choice


def trials(assignment: Assignment, seed: int) -> Iterator[Trial]:
    """Yield what is graded: right solutions, as many in a notebook as fit, by all graders; wrong ones by theirs."""
    every = tuple(exercise.name for exercise in assignment.exercises)
    yield Trial(f"{assignment.name}: right, the instructor's", {}, every, (seed,))
    for variants in _packed(load_variants(assignment)):
        sources = {exercise: source for variant in variants for exercise, source in variant.sources.items()}
        yield Trial(
            f"{assignment.name}: right, {', '.join(variant.name for variant in variants)}", sources, every, (seed,)
        )
    for spec in load_misconceptions(assignment).values():
        name = f"{assignment.name}: wrong, {spec.name}"
        yield Trial(name, {spec.exercise: spec.source}, (spec.exercise,), (seed,), fallback=False)


def _packed(variants: list[Variant]) -> list[list[Variant]]:
    """Return the variants in as few notebooks as they fit in, one solution of an exercise in each."""
    notebooks: list[list[Variant]] = []
    for variant in sorted(variants, key=lambda variant: -len(variant.sources)):
        free = (book for book in notebooks if not any(variant.sources.keys() & other.sources.keys() for other in book))
        place = next(free, None)
        if place is None:
            notebooks.append([variant])
        else:
            place.append(variant)
    return notebooks


def grade_all(seed: int, threads: int) -> Outcomes:
    """Grade everything in this process's environment, with so many threads on both sides."""
    limits = Limits(threads=threads)
    outcomes: Outcomes = {}
    with Pool(2 // threads) as pool:  # no more threads than the cores of a small machine
        for assignment in map(COURSE.assignment, COURSE.assignments):
            where = assignment.course.root, assignment.name
            ran = pool.map(
                lambda worker, trial, where=where: worker.call(  # type: ignore[misc]
                    try_out, *where, trial, GradeOptions(fallback=trial.fallback, limits=limits), limit_s=TRIAL_S
                ),
                trials(assignment, seed),
            )
            outcomes |= {tried.trial.name: _failed(tried) for tried in ran}
    return outcomes


def _failed(tried: Tried) -> list[str]:
    if tried.error:
        return [f"error: {tried.error}"]
    (found,) = tried.results
    return [
        f"{exercise}::{result.name} {result.outcome}"
        for exercise, results in found.items()
        for result in results
        if result.outcome is not Outcome.PASSED
    ]


# --- all choices


def under(choice: Choice, seed: int) -> Found:
    """Grade everything, and compare the figures, in processes that compute so."""
    started_s = time.monotonic()
    with tempfile.NamedTemporaryFile() as file:
        command = [sys.executable, __file__, "--seed", str(seed), "--here", file.name, "--threads", str(choice.threads)]
        subprocess.run(command, env=choice.environment, check=True)
        outcomes = json.loads(Path(file.name).read_text(encoding="utf-8"))
    tests = [str(path) for names in FIGURES for path in sorted(Path(__file__).parent.glob(names))]
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", *tests]
    ran = subprocess.run(command, env=choice.environment, capture_output=True, text=True, check=False, cwd=COURSE.root)
    if ran.returncode:
        print(ran.stdout[-3000:])
    return Found(outcomes, ran.returncode == 0, time.monotonic() - started_s)


def main() -> int:
    """Grade under each choice, print the table, and return 1 where anything differs or is not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, help="draw the hidden inputs from this seed")
    parser.add_argument("--here", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, default=1, help=argparse.SUPPRESS)
    options = parser.parse_args()
    seed = new_seed() if options.seed is None else options.seed
    if options.here:
        options.here.write_text(json.dumps(grade_all(seed, options.threads)), encoding="utf-8")
        return 0
    found: dict[Choice, Found] = {}
    for choice in choices():
        found[choice] = now = under(choice, seed)
        first = next(iter(found.values()))
        now.differing = [name for name in first.outcomes if now.outcomes.get(name) != first.outcomes[name]]
        print(f"{choice}: {len(now.outcomes)} notebooks, {len(now.differing)} differ, {now.seconds:.0f} s", flush=True)
        for name in now.differing:
            print(f"  {name}: {first.outcomes[name]} there, {now.outcomes.get(name)} here", flush=True)
    wrong = _not_as_they_should_be(next(iter(found.values())).outcomes)
    for line in wrong:
        print(line)
    Console(width=120).print(_table(found, seed))
    enough = len({choice.kernel for choice in found}) >= WANTED
    good = enough and all(one.figures and not one.differing for one in found.values()) and not wrong
    return 0 if good else 1


def _not_as_they_should_be(outcomes: Outcomes) -> list[str]:
    """Return the right solutions that lose points, and the wrong ones that do not."""
    return [
        f"{name}: lost {', '.join(failed) or 'nothing'}"
        for name, failed in outcomes.items()
        if (": right," in name) == bool(failed)
    ]


def _table(found: dict[Choice, Found], seed: int) -> Table:
    table = Table(title=f"Verdicts by what computes, seed {seed}", title_justify="left")
    for column in (
        "kernel",
        "threads",
        "NumPy without",
        "right in full",
        "wrong lose",
        "verdicts that differ",
        "figures",
        "s",
    ):
        table.add_column(column, justify="left" if column in ("kernel", "NumPy without") else "right")
    for choice, one in found.items():
        right = {name: failed for name, failed in one.outcomes.items() if ": right," in name}
        wrong = {name: failed for name, failed in one.outcomes.items() if name not in right}
        full = f"{sum(not failed for failed in right.values())} of {len(right)}"
        lose = f"{sum(map(bool, wrong.values()))} of {len(wrong)}"
        figures = "agree" if one.figures else "differ"
        table.add_row(
            choice.kernel,
            str(choice.threads),
            choice.without,
            full,
            lose,
            str(len(one.differing)),
            figures,
            f"{one.seconds:.0f}",
        )
    return table


if __name__ == "__main__":
    sys.exit(main())
