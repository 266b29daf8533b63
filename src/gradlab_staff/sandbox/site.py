"""The Python packages that a sandbox sees: those on grading's list, and none of what else the staff have installed."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterator
from functools import lru_cache
from importlib.metadata import Distribution
from pathlib import Path, PurePosixPath

from gradlab_staff.course.packages import Packages
from gradlab_staff.errors import CourseError

__all__ = ["HOST_SITE", "SITE", "empty_sites", "host_mounts", "site_mounts"]

SITE = "/opt/site"
"""Where the packages of students' code are."""
HOST_SITE = "/opt/host"
"""Where the host finds what it needs besides; it imports that before any cell runs, and takes it off its path."""
_HOSTS_OWN = "msgpack"


@lru_cache(maxsize=32)
def site_mounts(packages: Packages) -> tuple[str, ...]:
    """Return the mounts of `packages`, with all that they require, and of nothing that lies beside them.

    Raises
    ------
    CourseError
        Where a package is not installed, or not with a list of its files.
    """
    entries = {entry: base for package in packages.installed.values() for base, entry in _entries(package)}
    shared = sorted({entry.parts[0] for entry in entries if len(entry.parts) > 1})
    return (
        *(part for folder in shared for part in ("--perms", "0755", "--dir", f"{SITE}/{folder}")),
        *(
            part
            for entry, base in sorted(entries.items())
            for part in ("--ro-bind-try", str(base / entry), f"{SITE}/{entry}")
        ),
    )


@lru_cache(maxsize=1)
def host_mounts() -> tuple[str, ...]:
    """Return the mount of what the host alone needs."""
    import msgpack

    return ("--ro-bind", str(Path(msgpack.__file__).parent), f"{HOST_SITE}/{_HOSTS_OWN}")


def _entries(package: Distribution) -> Iterator[tuple[Path, PurePosixPath]]:
    """Yield where a package is installed, with the files and folders that are its own.

    A folder of several packages (a namespace, without an ``__init__.py``) is entered: others may lie in it.

    Raises
    ------
    CourseError
        Where the system's package manager installed it, without a list of its files.
    """
    base = Path(str(package.locate_file("")))
    if package.read_text("RECORD") is None:
        raise CourseError(
            f"the package {package.name} at {base}: expected a list of its files (RECORD), got none. Graded nothing. "
            f"Install it with pip, in an environment of its own: pip install --force-reinstall {package.name}"
        )
    paths = {PurePosixPath(line.split(",")[0].strip('"')) for line in (package.read_text("RECORD") or "").splitlines()}
    tops = {path.parts[0] for path in paths if path.parts and path.parts[0] not in ("..", "__pycache__")}
    for top in tops:
        if _is_shared(base / top):
            yield from ((base, PurePosixPath(*path.parts[:2])) for path in paths if path.parts[:1] == (top,))
        else:
            yield base, PurePosixPath(top)


def _is_shared(path: Path) -> bool:
    return path.is_dir() and path.suffix not in (".dist-info", ".libs") and not (path / "__init__.py").exists()


def empty_sites() -> tuple[str, ...]:
    """Return mounts of nothing over the third-party packages of Python's own installation and the system's."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    prefix = os.path.realpath(sys.base_prefix)
    own = sysconfig.get_paths(vars={"base": prefix, "platbase": prefix, "installed_base": prefix})
    usual = (f"/usr/{local}lib/{name}/{kind}-packages" for local in ("", "local/") for name in (version, "python3")
             for kind in ("site", "dist"))  # fmt: skip
    folders = dict.fromkeys(os.path.realpath(path) for path in (own["purelib"], own["platlib"], *usual))
    return tuple(part for path in folders if os.path.isdir(path) for part in ("--tmpfs", path, "--remount-ro", path))
