"""``make attacks``: the whole corpus against ``gradlab grade``; exits with 1 where any attack came to something."""

# It reports by printing.
# ruff: noqa: T201, E501

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from corpus import ATTACKS
from harness import run


def main() -> int:
    """Run all attacks, or those that are named, and print what they came to."""
    attacks = [attack for attack in ATTACKS if not sys.argv[1:] or attack.name in sys.argv[1:]]
    with tempfile.TemporaryDirectory() as root:
        report = run(attacks, Path(root), limit_s=1200)
    for line in report.failures:
        print(f"✗ {line}")
    print(f"protections: {report.protections}")
    print(
        f"{report.attacks} attacks in {report.seconds:.0f} s: {len(report.gained)} gained, {len(report.leaked)} leaked, "
        f"{len(report.ungraded)} not graded, {len(report.harmed)} harmed others, {len(report.leftovers)} left something behind."
    )
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
