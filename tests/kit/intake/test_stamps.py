"""What timestamp.txt says is one instant, which nbgrader reads from our text of it; or a warning says what it said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradlab_staff.intake.stamps import read_stamp

EIGHT = "2026-02-01 08:00:00"


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-02-01 08:00:00.000000 UTC", EIGHT),
        ("2026-02-01 08:00:00.25 UTC", f"{EIGHT}.250000"),
        ("2026-02-01 08:00:00,25 UTC", f"{EIGHT}.250000"),
        ("2026-02-01 08:00:00", EIGHT),
        ("2026-02-01T08:00:00Z", EIGHT),
        ("20260201T080000Z", EIGHT),
        ("2026-2-1 8:00\r\n", EIGHT),
        ("2026/02/01 08:00:00 gmt", EIGHT),
        ("2026-02-01 08:00:00 +0900", "2026-01-31 23:00:00"),
        ("2026-02-01 08:00:00 +09:00", "2026-01-31 23:00:00"),
        ("2026-02-01T08:00:00+09", "2026-01-31 23:00:00"),
        ("2026-02-01 08:00:00.000000 -0330", "2026-02-01 11:30:00"),
        ("2026-02-01 08:00:00 −0330", "2026-02-01 11:30:00"),
        ("2026-02-01 08:00:00 UTC+9", "2026-01-31 23:00:00"),
        ("2026-02-01 08:00:00 CET", "2026-02-01 07:00:00"),
        ("2026-07-01 08:00:00 CEST", "2026-07-01 06:00:00"),
        ("2026-07-01 08:00:00 Europe/Berlin", "2026-07-01 06:00:00"),
        ("Sun Feb  1 08:00:00 UTC 2026", EIGHT),
        ("Sun Feb  1 08:00:00 AM CET 2026", "2026-02-01 07:00:00"),
        ("Sun, 01 Feb 2026 08:00:00 +0900", "2026-01-31 23:00:00"),
        ("Sun, 01 Feb 2026 08:00:00 +0900 (JST)", "2026-01-31 23:00:00"),
        ("Sun, 01 Feb 2026 08:00:00 GMT+3", "2026-02-01 05:00:00"),
        ("Feb 1, 2026 8:00 PM", "2026-02-01 20:00:00"),
        ("13/02/2026 08:00:00", "2026-02-13 08:00:00"),
        ("２０２６-０２-０１ ０８：００：００ UTC", EIGHT),
        ("٢٠٢٦-٠٢-٠١ ٠٨:٠٠:٠٠ UTC", EIGHT),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_an_instant_is_read_whatever_it_is_written_in(text, utc, encoding):
    """Without a warning: there is nothing to decide."""
    if encoding in ("utf-16-le", "utf-16-be") and not text.isascii():
        text = f"\ufeff{text}"
    stamp = read_stamp(text.encode(encoding))
    assert (stamp.text, stamp.warning) == (f"{utc if '.' in utc else f'{utc}.000000'} UTC", "")


@pytest.mark.parametrize(
    ("text", "utc", "why"),
    [
        ("2026-02-01", "2026-02-01 00:00:00", "expected a time of day, got a date alone."),
        (
            "2026-10-25 02:30:00 Europe/Berlin",
            "2026-10-25 00:30:00",
            "got one that is twice, or never, in Europe/Berlin.",
        ),
        (
            "2026-03-29 02:30:00 Europe/Berlin",
            "2026-03-29 01:30:00",
            "got one that is twice, or never, in Europe/Berlin.",
        ),
        ("2026-02-01 08:00:00 EST", "2026-02-01 13:00:00", "got EST, which several countries call their zone."),
        ("Sun Feb  1 08:00:00 PDT 2026", "2026-02-01 15:00:00", "got PDT, which several countries call their zone."),
    ],
)
def test_what_is_not_quite_clear_is_read_and_said(text, utc, why):
    """With what was made of it."""
    stamp = read_stamp(text.encode())
    assert stamp.text == f"{utc}.000000 UTC"
    assert why in stamp.warning
    assert stamp.warning.endswith(f"Read as {utc} UTC. Check it.")


@pytest.mark.parametrize(
    "text",
    [
        "26-02-01 08:00:00", "1/2/26 08:00", "01 Feb 26 08:00:00 GMT", "20-02-01 20:30",
        "some day", "may", "8:00", "Feb 2026", "1769932800", "20260201080000", "1e999", "01/02/2026 08:00",
        "2026-02-01 08:00:00 BST", "2026-02-01 08:00:00 IST", "2026-02-01 08:00:00 XYZ", "2026-02-01 08:00:00 +9999",
        "2026-02-01 08:00:00 Europe/Nowhere", "2026-02-01 08:00:00 ../../etc/passwd", "2026-02-01 08:00:00 JST+9",
        "2026-02-30 08:00", "2026-02-01 25:00", "20260-02-01 00:00:00", "9999-12-31 23:59:59 -0500", "0026-02-01 08:00",
        "1970-01-01 00:00:00 UTC", f"{EIGHT} UTC\n{EIGHT} UTC", f"2020:{'1234567890' * 4}st10:20:30.12345678999GMT+3st",
        "x" * 1000, "\x1b[31m2026",
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said(text):
    """What it said, without control characters, and what was done; a person decides."""
    stamp = read_stamp(text.encode())
    assert (stamp.time, stamp.text) == (None, "")
    assert stamp.warning.startswith("timestamp.txt: expected a time such as 2026-02-01 08:00:00 UTC, got “")
    assert stamp.warning.endswith("Counted as handed in without a time: decide by hand whether it is late.")
    assert stamp.warning.isprintable()


@pytest.mark.parametrize("content", [b"", b" \r\n", b"\xef\xbb\xbf", b"\xff\xfe"])
def test_an_empty_stamp_is_said(content):
    """nbgrader would go on in silence."""
    assert "got an empty file. Counted as handed in without a time" in read_stamp(content).warning


@given(st.one_of(st.binary(max_size=200), st.text(alphabet="0123456789-:/. TZ+UTCabAPM", max_size=40).map(str.encode)))
def test_nothing_is_an_error(content):
    """Whatever it holds: an instant that nbgrader would read, or a warning."""
    stamp = read_stamp(content)
    assert stamp.text or stamp.warning
    assert len(stamp.text) in (0, len("2026-02-01 08:00:00.000000 UTC"))
