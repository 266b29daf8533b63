"""Grades two accomplices at once, by two workers: what the one says, the other must not hear."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from pathlib import Path

from corpus.channels import SLOT_S, Channel
from grading import Report, grade
from target import NAME, Canaries, make_target

__all__ = ["run_channels"]

CHECK_S = 15
"""How long a check may take: longer than saying all of it."""


def run_channels(channels: Sequence[Channel], root: Path, *, limit_s: float = 120) -> Report:
    """The report on these channels, each with a word of its own that nobody can guess."""
    report = Report(attacks=len(channels))
    course = make_target(root / "course", Canaries()).course.root
    for channel in channels:
        said = secrets.randbits(16) | 1  # no word is 0, and none has one value in all bits
        said = said & ~2
        for student, content in zip(channel.students, channel.notebooks(said), strict=True):
            folder = course / "submitted" / student / NAME
            folder.mkdir(parents=True)
            (folder / f"{NAME}.ipynb").write_text(json.dumps(content))
        chosen = [part for student in channel.students for part in ("--student", student)]
        options = (*chosen, "--workers", "2", "--timeout-s", str(CHECK_S))
        entries = grade(course, NAME, report, limit_s=limit_s, options=options).submissions
        taker = entries.get(channel.students[1], {"error": "it is not in the report"})
        if taker["error"]:
            report.ungraded[channel.name] = taker["error"][:300]
        elif channel.heard(said, json.dumps(taker)):
            where = report.residual if channel.residual else report.leaked
            where[channel.name] = f"16 bits, {1 / SLOT_S:g} a second" if channel.residual else ["what its helper said"]
    return report
