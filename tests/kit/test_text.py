"""Text from a submission, made fit for terminals, pages and JSON."""

import pytest

from gradlab_staff.text import clean, one_line


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain\ttext\nof two lines", "plain\ttext\nof two lines"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]8;;http://x\x07link\x1b]8;;\x07", "link"),
        ("\x1b]0;title\x1b\\x", "x"),
        ("\x9b2Jgone", "gone"),
        ("a\u202eb\u2066c", "abc"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("\x00\x07\x7f\x85\ud800", ""),
    ],
)
def test_nothing_acts_on_a_terminal(text, cleaned):
    """Neither escapes nor control characters nor marks that turn the writing around are left."""
    assert clean(text) == cleaned


def test_text_is_cut():
    """At so many characters, and at a thousand lines."""
    assert clean("x" * 100, 10) == "x" * 10 + "\n... Output truncated ..."
    assert clean("line\n" * 5000).count("\n") == 999 + 0


def test_one_line_is_one_line():
    """Of printable characters."""
    assert one_line("a\n\x1b[31m b\u202e\tc") == "a [31m b c"
    assert one_line("x" * 500, 10) == "x" * 9 + "…"
