"""``make attacks``: the whole corpus against ``gradlab grade``; exits with 1 where any attack came to something."""

# It reports by printing.
# ruff: noqa: T201

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from colluding import run_channels
from corpus import ATTACKS, CHANNELS, TRICKS, Attack, Channel, Trick
from grading import Report
from harness import run
from pairs import run_tricks
from settings import SETTINGS

OF_EACH_KIND = 3
"""Up to so many attacks of each kind are made in every other setting."""
_LONG = ("costly",)
"""Kinds whose attacks take minutes each: one of them is made."""


@dataclass(frozen=True)
class Chosen:
    """The attacks to make, by what they are made on."""

    attacks: tuple[Attack, ...] = ATTACKS
    tricks: tuple[Trick, ...] = TRICKS
    channels: tuple[Channel, ...] = CHANNELS

    def of(self, names: Sequence[str]) -> Chosen:
        """Return those of these names or kinds."""
        return Chosen(*(tuple(a for a in group if {a.name, a.kind} & set(names)) for group in self._groups()))

    def some(self) -> Chosen:
        """Return some of each kind, evenly spread."""
        return Chosen(*(tuple(_some(group)) for group in self._groups()))

    def _groups(self) -> tuple[tuple[Any, ...], ...]:
        return self.attacks, self.tricks, self.channels

    def run(self) -> Report:
        """Make the attacks."""
        report = Report()
        with tempfile.TemporaryDirectory() as root:
            if self.tricks:
                report.add(run_tricks(self.tricks, Path(root) / "tricks", limit_s=3000))
            if self.attacks:
                report.add(run(self.attacks, Path(root) / "attacks", limit_s=3000))
            if self.channels:
                report.add(run_channels(self.channels, Path(root) / "channels"))
        return report


def _some(group: Iterable[Any]) -> Iterable[Any]:
    by_kind: dict[str, list[Any]] = {}
    for attack in group:
        by_kind.setdefault(attack.kind, []).append(attack)
    for kind, attacks in by_kind.items():
        yield from attacks[:: -(-len(attacks) // (1 if kind in _LONG else OF_EACH_KIND))]


def main() -> int:
    """Run all attacks, or those that are named, and print what they came to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="only attacks of these names or kinds, in this setting")
    parser.add_argument("--some", action="store_true", help="up to three of each kind, in this setting")
    options = parser.parse_args()
    chosen = Chosen().of(options.names) if options.names else Chosen()
    failed = _report((chosen.some() if options.some else chosen).run())
    if options.names or options.some:
        return int(failed)
    for setting in SETTINGS:
        print(f"\n=== {setting.name}", flush=True)
        if setting.missing:
            print(f"not offered here: {setting.missing}")
        else:
            failed |= setting.run([sys.executable, __file__, "--some"]) != 0
    return int(failed)


def _report(report: Report) -> bool:
    """Print a report; return whether anything failed."""
    for line in report.failures:
        print(f"✗ {line}")
    for name, what in report.residual.items():
        print(f"· {name}, which docs/security.md names as left: {what}")
    for line in [*report.notes, f"protections: {report.protections}"]:
        print(line)
    for what, unit, spent in (
        ("CPU time", "s", report.cpu_s),
        ("wall time", "s", report.wall_s),
        ("memory of a worker", "MiB", report.worker_mib),
    ):
        student = max(spent, key=lambda name, spent=spent: spent[name], default="")
        print(f"worst {what} of one submission: {spent.get(student, 0):.1f} {unit} ({student})")
    print(f"at most {report.kernel_mib:.0f} MiB more in the kernel, {report.locks} locks held")
    print(
        f"{report.attacks} attacks in {report.seconds:.0f} s: {len(report.gained)} gained, {len(report.leaked)} leaked,"
        f" {len(report.ungraded)} not graded, {len(report.harmed)} harmed others,"
        f" {len(report.leftovers)} left something behind.",
        flush=True,
    )
    return bool(report.failures)


if __name__ == "__main__":
    sys.exit(main())
