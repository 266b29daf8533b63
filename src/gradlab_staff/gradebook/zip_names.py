"""The names that Canvas and Moodle give the files of a download: whose each is, and what its student called it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

__all__ = ["Named", "Version", "name_of", "newest"]

# Canvas: smithjo_LATE_12345_678910_hw.ipynb, smithjo_12345_text.html; graded anonymously: anon_aB3cd_678910_hw.ipynb.
# It makes the name of a person lower case, of letters, digits and underscores.
_ANONYMOUS = re.compile(r"(?P<late>LATE_)?(?P<who>anon)_(?P<number>[A-Za-z0-9]{5})_(?P<order>\d+)_(?P<file>.+)", re.S)
_UPLOAD = re.compile(r"(?P<who>\w+?)(?P<late>_LATE)?_(?P<number>\d+)_(?P<order>\d+)_(?P<file>.+)", re.S)
_ENTRY = re.compile(r"(?P<who>\w+?)(?P<late>_LATE)?_(?P<number>\d+)_(?P<order>)(?P<file>(?:text|link)\.html)")

# Moodle: Jo Smith_12345_assignsubmission_file/sub/hw.ipynb (before 4: …file_/), or …file_hw.ipynb without folders.
# The name of a person holds no underscore, that of the plug-in is the same in all languages.
_MOODLE = re.compile(r"(?P<who>[^_]+)_(?P<number>\d+)_assignsubmission_(?P<kind>[a-z]+)(?:_(?P<file>.*))?", re.S)

_MAX_DIGITS = 18  # of the number of an upload; Python takes the square of their count to read them
_NUMBERED = re.compile(r"(?P<base>.+)-(?P<n>\d{1,2})", re.S)


@dataclass(frozen=True)
class Named:
    """A file of a download: the number of its student, their name there, and the file as the student called it.

    `order` grows with the time of the upload; 0 where the name does not say.
    """

    number: str
    who: str
    path: PurePosixPath
    order: int = 0
    is_late: bool = False


def name_of(path: PurePosixPath) -> Named | None:
    """Return what the name of a file of a download says; None where neither Canvas nor Moodle names files so.

    >>> name_of(PurePosixPath("smithjo_LATE_12345_678910_hw-1.ipynb"))
    Named(number='12345', who='smithjo', path=PurePosixPath('hw-1.ipynb'), order=678910, is_late=True)
    >>> name_of(PurePosixPath("Jo Smith_12345_assignsubmission_file_/sub/hw.ipynb")).path
    PurePosixPath('sub/hw.ipynb')
    """
    for depth, part in enumerate(path.parts):  # from the top: what is below is the student's to name
        if match := _MOODLE.fullmatch(part):
            found = PurePosixPath(match["file"] or "", *path.parts[depth + 1 :])
            return Named(match["number"], match["who"], found) if _stays_below(found) else None
    for pattern in (_ANONYMOUS, _UPLOAD, _ENTRY):
        if match := pattern.fullmatch(path.name):
            found, order = PurePosixPath(match["file"]), int((match["order"] or "0")[-_MAX_DIGITS:])
            named = Named(match["number"], match["who"], found, order, bool(match["late"]))
            return named if _stays_below(found) else None
    return None


def _stays_below(path: PurePosixPath) -> bool:
    """Return whether it is the name of a file, and leads nowhere else: ``x_1_assignsubmission_file_..`` would."""
    return bool(path.parts) and ".." not in path.parts


@dataclass(frozen=True)
class Version:
    """A file under the name by which it is collected, and the older versions that it stands for."""

    of: Named
    path: PurePosixPath
    older: tuple[Named, ...] = ()


def newest(files: Iterable[Named], notebook: str) -> list[Version]:
    """Return what is collected of a student's files: the newest of those that Canvas numbered, under the first's name.

    Canvas calls what is handed in again ``hw-1.ipynb``. Of notebooks and of Python files the newest counts, under the
    name that they are opened and imported by; where several are numbered and none is not, the student has numbered
    them, and each keeps its name. Other files may be called so by their student: they stay, and where
    there is none by the plain name, the newest has it as well.
    """
    groups: dict[PurePosixPath, list[Named]] = {}
    for file in files:
        groups.setdefault(_base(file), []).append(file)
    found: list[Version] = []
    for base, versions in groups.items():
        versions.sort(key=_age)
        last, names = versions[-1], [file.path for file in versions]
        numbered = len(versions) > 1 and base not in names  # by the student: Canvas numbers what has been there before
        if base.suffix.lower() in (".ipynb", ".py") and not numbered:
            lone = len(versions) == 1 and base.suffix.lower() == ".ipynb" and base.name != notebook
            found.append(Version(last, last.path if lone else base, tuple(versions[:-1])))
            continue
        found += [Version(file, file.path) for file in versions]
        found += [Version(last, base)] if base not in names and base.suffix.lower() not in (".ipynb", ".py") else []
    return found


def _base(file: Named) -> PurePosixPath:
    """Return the file's name without Canvas' number."""
    match = _NUMBERED.fullmatch(file.path.stem)
    return file.path.with_name(match["base"] + file.path.suffix) if match and file.order else file.path


def _age(file: Named) -> tuple[int, int]:
    match = _NUMBERED.fullmatch(file.path.stem)
    return file.order, int(match["n"]) if match else 0
