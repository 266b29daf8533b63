"""What a host is started with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gradlab_staff.course.packages import Packages
from gradlab_staff.sandbox.limits import Limits

__all__ = ["Setup"]


@dataclass(frozen=True)
class Setup:
    """The packages that a host's code may import, the files in its working folder by their paths, and its limits.

    The folders `hidden` are empty for it, should it see what is around them. The names `shown` are those that
    demonstrations define; `defined` are the functions and classes of exercises, which no cell of the student's own
    takes for a value. Where `unsafe`, there is no sandbox.
    """

    packages: Packages = field(default_factory=lambda: Packages(("numpy",)))
    files: Mapping[str, Path] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    hidden: tuple[Path, ...] = ()
    shown: frozenset[str] = frozenset()
    defined: frozenset[str] = frozenset()
    unsafe: bool = False
