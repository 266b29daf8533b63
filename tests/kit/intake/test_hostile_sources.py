"""Sources that are made to take long: what intake does with a cell takes time and memory about linear in its length."""

import ctypes
import gc
import re
import time
from pathlib import Path

import pytest

from gradlab_staff.course.magics import MAX_SOURCE_CHARS, parse, plain_python, read_cell, syntax_fault
from gradlab_staff.course.template import binds, functions, normal, statements
from gradlab_staff.intake.demonstrations import building_blocks
from gradlab_staff.intake.plan import _text
from gradlab_staff.intake.prose import safe_prose
from gradlab_staff.intake.words import fenced, is_code, is_prose, may_answer, says, words_in, words_of
from gradlab_staff.text import clean, one_line

CELL_S = 8.0
"""CPU time for all of it on one cell: on an idle machine the slowest takes 2.5, and took minutes before."""
GROWN_MIB = 200


def full(unit: str, room: int = MAX_SOURCE_CHARS - 100) -> str:
    return unit * (room // len(unit))


def nested(line: str, depth: int, last: str = "x") -> str:
    """Return blocks in each other; a line of two parts stands at one depth."""
    lines = [" " * at + part for at in range(depth) for part in line.split("|")]
    return "\n".join([*lines, " " * depth + last])


SOURCES = {
    "try and finally": nested("try: x|finally:", 98),
    "twenty, often": full(nested("try: x|finally:", 20) + "\n"),
    "brackets": "(" * 199 + ")" * 199,
    "open brackets": full("([{"),
    "invalid in brackets": "f(x=" * 99 + "a b" + ")" * 99,
    "attributes": "x" + full(".y"),
    "calls": "x" + full("()"),
    "names of a module": "import a" + full(".a"),
    "names of a module in lines": "import a" + full(" \\\n . a"),
    "unary": full("-") + "1",
    "powers": "1" + full("**1"),
    "comparisons": "1" + full("<1"),
    "conditionals": full("1 if x else ") + "1",
    "lambdas": full("lambda:") + "1",
    "decorators": full("@a\n") + "def f(): 0",
    "comprehensions": full("[x for x in y]\n"),
    "else": nested("if x: x|else:", 98),
    "wide at the bottom": nested("if x:", 95, full("a;", 26_000)),
    "match": "match x:\n" + full(" case [1, *_] if x: 0\n"),
    "one long f-string": 'f"' + full("{x:{y}}") + '"',
    "broken f-string": 'f"' + full("{"),
    "strings": full('"a" '),
    "quotes and escapes": "'" + full("\\'"),
    "open quotes": full("'\\"),
    "digits": "9" * (MAX_SOURCE_CHARS - 100),
    "digits in lines": full("9" * 4300 + "\n"),
    "a comment": "#" + full("a "),
    "blanks before what is wrong": "x" + full(" ") + "$",
    "blanks": full(" "),
    "backslashes": full("\\\n"),
    "identifiers that are normalised": full("ﷺ = 1\n"),
    "names and functions": "def f():\n " + "".join(f"a{n}=1;" for n in range(2000)) + "\n " + "lambda:0;" * 1900,
    "commands": full("%x\n"),
    "commands below code": full("x = [1, 2, 3]\n", 31_000) + "%x\n" * 300,
    "commands in turn with code": full("x = 1\n%x\n"),
    "commands in a block": "if 1:\n" + full(" x = [1, 2, 3]\n", 30_000) + " %x\n" * 150,
    "prose": full("Because the noise (in training) is averaged out. "),
    "pictures": full("!["),
    "tags": full("<a "),
    "escapes": full("\x1b["),
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_a_cell_takes_no_longer_than_its_length(source):
    """Whatever is written in it: parsed, searched for words, its names read; nothing is raised."""
    started_s, before = time.process_time(), most_kib()
    read_all(source)
    assert time.process_time() - started_s < CELL_S
    assert most_kib(forget=False) - before >> 10 < GROWN_MIB


def most_kib(*, forget: bool = True) -> int:
    """Return the most memory that this process has had since it last forgot that: an earlier test's is another's."""
    if forget:
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)  # what is free, and kept, would be used again unseen
        Path("/proc/self/clear_refs").write_text("5")
    return int(re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[0])


def test_the_memory_of_a_test_is_its_own():
    """After one with a large peak, the next is seen to have one too."""
    for _ in range(2):
        before = most_kib()
        assert len(bytes(1) * (2 * GROWN_MIB << 20))
        assert most_kib(forget=False) - before >> 10 > GROWN_MIB


def read_all(source: str) -> None:
    """Do all that intake does with a cell."""
    for read in (read_cell, plain_python, is_prose, is_code, may_answer, words_in, words_of, says, fenced, functions):
        read(source)
    for write in (normal, clean, one_line, safe_prose):
        write(source)
    nodes = statements(source)
    building_blocks([("", nodes), ("x", nodes)])
    for node in nodes:
        binds(node)
        _text(node)


def test_names_that_python_joins_by_the_square_are_refused():
    """As code that is nested too deeply; what anybody would import is none."""
    assert "nested too deeply" in str(syntax_fault("import a" + ".a" * 5000))
    assert parse("import " + ".".join(["matplotlib"] * 50) + "\nfrom ....a.b import c")


def test_commands_are_found_wherever_they_stand():
    """Between statements, in blocks, and below long ones; a string that looks like one is left alone."""
    source = 'x = """\n%a\n"""\nif x:\n    !ls\nelse:\n    %pwd\n%cd\ny = !ls\n'
    assert plain_python(source) == 'x = """\n%a\n"""\nif x:\n    pass\nelse:\n    pass\npass\ny = None\n'
    assert plain_python("x = 1\n%x\n" * 90) == "x = 1\npass\n" * 90
    assert plain_python("try:\n    %x\nexcept E:\n    !y\nz?") == "try:\n    pass\nexcept E:\n    pass\npass"
    assert plain_python("if x:\n" + " %x\n" * 150) == "if x:\n" + " pass\n" * 150


def test_comments_of_code_that_does_not_parse_are_read():
    """Where strings end, they begin; an apostrophe in one does not matter."""
    assert words_in("x = = '# none'\n# it isn't\n# so\n\ny = 1  # and this\n") == ["it isn't\nso", "and this"]


def test_nothing_is_compiled():
    """Twenty `try: … finally:` take Python's compiler seconds and a gigabyte; here they take no time."""
    started_s = time.process_time()
    assert read_cell(nested("try: x|finally:", 40)).source
    assert time.process_time() - started_s < 0.5
