"""When a submission was handed in: what ``timestamp.txt`` says, as one instant, or why it cannot be known.

nbgrader takes `+0900` for 900 seconds and stumbles over a byte-order mark; dateutil fills what is missing from today's
date. So a stamp is read here, once, and written to the private copy as nbgrader writes its own: both read that.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any

from gradlab_staff.text import one_line

__all__ = ["Stamp", "read_stamp", "unreadable_stamp"]

_MAX_CHARS = 100
_YEARS = range(2000, 2100)  # others are slips: a clock that was not set, a digit too many
_MARKS = {  # of encodings; the longer first, as one begins with another
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    codecs.BOM_UTF8: "utf-8-sig",
}
_HYPHENS = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2212"), "-")
_ISO = re.compile(
    r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})"
    r"(?:[T ](\d{1,2}):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?: ?([+-]\d[\d:]*|(?![AP]M)[A-Z][\w/+:-]*))?)?",
    re.ASCII | re.IGNORECASE,
)
_YEAR = re.compile(r"(?<!\d)20\d\d(?:\d{4})?(?!\d)", re.ASCII)
_BASIC = re.compile(r"\d{8}T\d{6}(?:Z|[+-]\d{4})?", re.ASCII)
_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d\d?)(?::?([0-5]\d))?", re.ASCII)
_UTC = ("UTC", "UT", "GMT", "Z", "ZULU")
_ZONES_H = {"WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3, "JST": 9, "KST": 9}
_AMERICAN_H = {"EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7}
"""As RFC 5322, section 4.3, has them; Australia, China and the Philippines have zones by these names, too."""


@dataclass(frozen=True)
class Stamp:
    """The instant that a time stamp names, in UTC without a zone as nbgrader has it, or None; and what to warn of."""

    time: datetime | None = None
    warning: str = ""

    @property
    def text(self) -> str:
        """Return it as nbgrader writes time stamps; empty where there is none."""
        return f"{self.time.isoformat(' ', 'microseconds')} UTC" if self.time else ""


def read_stamp(content: bytes) -> Stamp:
    """Return the instant that a ``timestamp.txt`` names; never raises for what it holds.

    Without a zone it is UTC, as for nbgrader. A date alone, or a zone of several meanings, is read and warned of; a
    date that could be read in two ways is not read.

    >>> read_stamp(b"2026-02-01 08:00:00 +0900").text
    '2026-01-31 23:00:00.000000 UTC'
    """
    raw = _decoded(content)
    text = " ".join(_plain(raw).split())
    if not text:
        return unreadable_stamp("an empty file")
    notes: list[str] = []
    try:
        found = _iso(text, notes) if len(text) <= _MAX_CHARS else None
        found = found or (_other(text, notes) if len(text) <= _MAX_CHARS else None)
        time = found.astimezone(UTC).replace(tzinfo=None) if found else None
    except Exception:  # noqa: BLE001 (whatever untrusted text makes parsers and calendars raise)
        time = None
    if time is None or time.year not in _YEARS:
        return unreadable_stamp(f"“{one_line(raw, 60)}”")
    return Stamp(time, f"timestamp.txt: {notes[0]} Read as {time:%Y-%m-%d %H:%M:%S} UTC. Check it." if notes else "")


def unreadable_stamp(got: str) -> Stamp:
    """Return a stamp that names no instant, with a warning that says what was `got`."""
    return Stamp(
        warning=f"timestamp.txt: expected a time such as 2026-02-01 08:00:00 UTC, got {got}. Counted as handed in "
        "without a time: decide by hand whether it is late."
    )


def _decoded(content: bytes) -> str:
    encoding = next((name for mark, name in _MARKS.items() if content.startswith(mark)), "utf-8")
    if encoding == "utf-8" and b"\0" in content:  # UTF-16 without a mark: ASCII with a zero byte before or after
        encoding = "utf-16-be" if content.startswith(b"\0") else "utf-16-le"
    return content.decode(encoding, "replace")


def _plain(text: str) -> str:
    """Return the text in ASCII's digits, hyphens and blanks, where it has other scripts'."""
    compatible = unicodedata.normalize("NFKC", text).translate(_HYPHENS).replace("\ufeff", "")
    return "".join(str(unicodedata.decimal(char, char)) for char in compatible)


def _iso(text: str, notes: list[str]) -> datetime | None:
    """Return the time where the text begins with a year, as ISO 8601 has it; None where it is written otherwise."""
    if _BASIC.fullmatch(text):
        basic = datetime.fromisoformat(text)
        return basic if basic.tzinfo else basic.replace(tzinfo=UTC)
    if (found := _ISO.fullmatch(text)) is None:
        return None
    year, _, month, day, hour, minute, second, fraction, zone = found.groups()
    if hour is None:
        notes.append("expected a time of day, got a date alone.")
    date = int(year), int(month), int(day)
    micros = int((fraction or "0")[:6].ljust(6, "0"))
    where = _zone(zone, notes) if zone else UTC
    time = datetime(*date, int(hour or 0), int(minute or 0), int(second or 0), micros, where)
    if time.utcoffset() != time.replace(fold=1).utcoffset():  # the clocks were changed
        notes.append(f"expected a time that is once, got one that is twice, or never, in {zone}.")
    return time


def _other(text: str, notes: list[str]) -> datetime | None:
    """Return the time of a text such as `date` or an e-mail writes; None where it is not whole, or not clear.

    What is not said, dateutil takes from a default: two of them show it. 01/02/2026 is two days: so do both readings.
    26-02-01 is a day of 2026 for some and of 2001 for dateutil: a year has four digits.
    """
    from dateutil import parser

    text = re.sub(r"\b(?:UTC|GMT) ?(?=[+-]\d)", "", text)
    number = re.fullmatch(r"[\d.+-]*", text)  # dateutil makes a date of many, and reads JST+9 as nine hours behind
    if number or not _YEAR.search(text) or re.search(r":\d\d ?[A-Za-z]{3,5}[+-]\d", text):
        return None

    def zone(name: str | None, offset_s: int | None) -> tzinfo:
        if offset_s is not None:
            return timezone(timedelta(seconds=offset_s))
        return _zone(name, notes) if name else UTC

    defaults = datetime(2001, 3, 5), datetime(2004, 8, 21, 13)
    readings = {
        parser.parse(text, default=default, dayfirst=dayfirst, tzinfos=zone).astimezone(UTC)
        for default in defaults
        for dayfirst in (False, True)
    }
    found: Any = readings.pop()
    return None if readings else found


def _zone(name: str, notes: list[str]) -> tzinfo:
    """Return a zone by its offset, its abbreviation, or its name in the tz database.

    Raises
    ------
    ValueError, KeyError
        Where there is none, or the abbreviation has several meanings of which none is the usual one: BST, IST.
    """
    upper = name.upper()
    if upper in _UTC:
        return UTC
    if offset := _OFFSET.fullmatch(upper):
        ahead = timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0))
        return timezone(-ahead if offset[1] == "-" else ahead)
    if "/" in name:
        from zoneinfo import ZoneInfo

        return ZoneInfo(name)
    if upper in _AMERICAN_H:
        notes.append(f"expected UTC or an offset such as +0900, got {upper}, which several countries call their zone.")
    return timezone(timedelta(hours={**_ZONES_H, **_AMERICAN_H}[upper]))
