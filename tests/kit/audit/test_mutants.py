"""Mutants: small changes inside the blanks, each made once, and the same ones every time."""

import ast

import pytest
from tiny_course import make_course

from gradlab_staff.audit.mutants import in_turns, make_mutants, mutants_of
from gradlab_staff.errors import CourseError

CELL = '''\
def scaled(x, p, mode="train"):
    """Scale × 2."""
    y = x

    ### BEGIN SOLUTION scale it
    {body}
    ### END SOLUTION

    return y
'''


def cell(*lines):
    return CELL.format(body="\n    ".join(lines))


def program(source):
    """Return the program, whatever it looks like; fail where there is none."""
    compile(source, "<mutant>", "exec", dont_inherit=True)
    tree = ast.parse(source)
    assert tree.body
    return ast.dump(tree)


def changes(*lines):
    """The lines that mutants have in place of these."""
    found = set()
    for mutant in mutants_of("scaled", cell(*lines)):
        added = [line[5:] for line in mutant.diff.splitlines()[2:] if line.startswith("+")]
        found.add("; ".join(line.strip() for line in added))
    return found


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("y = x / p", {"y = x * p", "y = x", "y = p / x"}),
        ("y = 0.5 * x", {"y = x", "y = 1.0 * x", "y = 0.25 * x", "y = 0.5 / x", "y = 0.5 + x"}),
        ("y = x[1:]", {"y = x[:]", "y = x[2:]", "y = x[0:]"}),
        ("y = x[: p]", {"y = x[:p + 1]", "y = x[:p - 1]"}),
        ('y = mode == "train"', {"y = mode == 'test'", "y = mode != 'train'"}),
        ("y = x < p and x < 1", {"y = x <= p and x < 1", "y = x < p or x < 1", "y = x < p", "y = x > p and x < 1"}),
        ("y = not x", {"y = x"}),
        ("y = -x", {"y = x"}),
        ("y = x.copy()", {"y = x"}),
        ("y = x.T", {"y = x"}),
        ("y = np.sum(x, axis=1)", {"y = np.sum(x)", "y = np.sum(x, axis=0)", "y = np.mean(x, axis=1)"}),
        ("y = f(x, p)", {"y = f(p, x)", "y = f(x)"}),
        (
            "y = np.zeros(x, dtype=np.float32)",
            {"y = np.zeros(x, dtype=np.float64)", "y = np.ones(x, dtype=np.float32)"},
        ),
        ("y += x", {"y = x", "y -= x", "pass"}),
        ("y = p if x else 0", {"y = p", "y = 0"}),
        ("y = (x, p)", {"y = (p, x)"}),
        ("y *= x", {"y = x", "y /= x", "pass"}),
        ("return x", {"return None"}),
        ("y = (x + p) * 2", {"y = (x - p) * 2", "y = x + p", "y = (x + p) / 2", "y = x * 2"}),
        ('y = f"W{p - 1}"', {"y = f'W{p + 1}'", "y = f'W{p}'"}),
    ],
)
def test_a_line_is_got_wrong_in_the_ways_that_students_do(line, expected):
    """The mutants of one line contain these."""
    assert expected <= changes(line), changes(line)


def test_statements_are_dropped_swapped_and_moved():
    """Lines go, change places, and enter or leave a block."""
    found = changes("y = f(x)", "for i in y:", "    x = g(i)", "    p = h(i)", "y = k(x)")
    assert {"", "p = h(i)", "y = f(x)", "y = k(x)"} <= found


def test_conditions_are_forced():
    """An if is negated, always true, never true; a loop is not made endless."""
    assert {"if not x > p:", "if True:", "if False:"} <= changes("if x > p:", "    y = p")
    loop = changes("while x > p:", "    p = g(p)")
    assert {"while not x > p:", "while False:"} <= loop
    assert "while True:" not in loop


def test_break_and_continue_are_swapped():
    """Each stands for the other."""
    assert "continue" in changes("for i in x:", "    f(i)", "    break")
    assert "break" in changes("for i in x:", "    f(i)", "    continue")


@pytest.mark.parametrize(
    "block",
    [
        "if x:\n    p = 1",
        "if x:\n    p = 1\nelse:\n    p = 2",
        "if x:\n    p = 1\nelif y:\n    p = 2",
        "if x:\n    p = 1\nelif y:\n    p = 2\nelif mode:\n    p = 3\nelse:\n    p = 4",
        "if x:\n    p = 1\nelse:\n    if y:\n        p = 2",
        "if x:\n    p = 1\nelif y:\n    p = 2\nelse:\n    if mode:\n        p = 3",
        "for i in x:\n    p = i\n    if i:\n        p = 0",
        "for i in x:\n    p = i\nelse:\n    p = 0",
        "while x:\n    x = g(x)",
        "with x as p:\n    p = 1",
        "try:\n    p = 1\nexcept KeyError:\n    p = 2\nexcept ValueError:\n    p = 3",
        "try:\n    p = 1\nexcept KeyError:\n    p = 2\nelse:\n    p = 3",
        "try:\n    p = 1\nfinally:\n    p = 2",
        "def g(p):\n    p = 1",
    ],
)
def test_a_line_moves_into_the_block_above_as_if_it_were_indented(block):
    """It joins the last suite that ends above it: that of the else, the last elif, the last except, the finally."""
    above = block.split("\n")
    expected = program(cell(*above, "    y = f(p)"))
    moved = [
        program(mutant.source)
        for mutant in mutants_of("scaled", cell(*above, "y = f(p)"))
        if mutant.operator == "moved into the block above"
    ]
    assert expected in moved


def test_a_line_moves_out_of_the_block_as_if_it_were_dedented():
    """The last one, to behind the block."""
    source = cell("for i in x:", "    y = f(i)", "    p = g(i)", "y = y / 2")
    expected = program(cell("for i in x:", "    y = f(i)", "p = g(i)", "y = y / 2"))
    (moved,) = (mutant for mutant in mutants_of("scaled", source) if mutant.operator == "moved out of the block")
    assert program(moved.source) == expected


def test_nothing_outside_the_blank_changes():
    """The lines around the blank, as unparse writes them, are in every mutant."""
    source = cell("y = x / p")
    before, after = ast.unparse(ast.parse(source)).split("    y = x / p\n")
    for mutant in mutants_of("scaled", source):
        assert mutant.source.startswith(before)
        assert mutant.source.endswith(after)


TWO_BLANKS = """\
def scaled(x, p):
    y = f"{x:.3f}" if p else x - 1
    if p > 0:
        y += 1
    ### BEGIN SOLUTION
    y = x / p
    for i in y:
        p = i - 1
    ### END SOLUTION
    y *= 3
    while y > 0:
        y, p = p, y
    ### BEGIN SOLUTION
    y = f(x, p)
    x = y + 1
    ### END SOLUTION
    return -y
"""


def test_no_given_statement_changes_and_none_takes_a_line_of_a_blank():
    """Of given lines above, between and below, every one is in every mutant, in order, with the same body."""

    def statements(source):
        return [ast.dump(statement) for statement in ast.parse(source).body[0].body]

    whole = statements(TWO_BLANKS)
    given = [*whole[:2], *whole[4:6], whole[-1]]
    found = list(mutants_of("scaled", TWO_BLANKS))
    assert len(found) >= 20
    for mutant in found:
        assert [one for one in statements(mutant.source) if one in given] == given, mutant.diff
        assert mutant.operator != "moved into the block above"  # the blocks above are given, or beyond given lines


def test_every_mutant_is_another_program():
    """No two mutants, and none and the solution, are the same but for spaces."""
    source = cell("y = (x + p) * (x - p) / 2", "y = y + 0", "y = x")
    trees = [ast.dump(ast.parse(mutant.source)) for mutant in mutants_of("scaled", source)]
    assert len({*trees, ast.dump(ast.parse(source))}) == len(trees) + 1


def test_rewritings_inside_one_f_string_are_mutants_each():
    """Its texts, what it shows and how: each is changed for itself, and none of these programs is another one."""
    source = cell("y = x", 'p = f"{y + 1:.3f} of {x:.1f}"')
    found = list(mutants_of("scaled", source))
    inside = {line.strip("+ ") for mutant in found for line in mutant.diff.splitlines()[2:] if line.startswith("+")}
    assert inside >= {
        "p = f'{y - 1:.3f} of {x:.1f}'",
        "p = f'{y + 1:.1f} of {x:.1f}'",
        "p = f'{y + 1:.3f}.3f{x:.1f}'",
        "p = f'{y + 1:.3f} of {x: of }'",
    }
    assert len({program(mutant.source) for mutant in found}) == len(found)


@pytest.mark.parametrize(
    "source",
    [
        "### BEGIN SOLUTION\ngap = 1\n### END SOLUTION",
        '### BEGIN SOLUTION\nf"{gap:.3f}"\n### END SOLUTION',
        cell("return x"),
        cell('y = f"{x:.3f}{p:.1f}"'),
        cell("for i in x:", "    y = i", "    break"),  # no break outside of a loop
        cell(r"""y = f"{x['a']}" + '\\'"""),  # no backslash within the braces of an f-string, before Python 3.12
    ],
)
def test_an_empty_program_or_none_is_no_mutant(source):
    """Even where a blank holds one statement only, a statement has no place, or Python cannot write what is meant."""
    found = list(mutants_of("scaled", source))
    assert found
    for mutant in found:
        assert program(mutant.source), mutant.diff


@pytest.mark.parametrize(
    "returned",
    ["", "# nothing", "def double(x):", 'def double(x):\n    """double x."""\n    return 2 * x  # the same'],
)
def test_a_mistake_by_hand_is_another_program(tmp_path, returned):
    """What is empty, does not compile, or differs from the solution by a comment would prove nothing."""
    tiny = make_course(tmp_path)
    lines = (
        "from gradlab_staff.audit import mistake\n\n",
        '@mistake(exercise="double")\ndef none() -> str:',
        f'    """No mistake."""\n    return {returned!r}\n',
    )
    (tiny.graders / "mistakes.py").write_text("\n".join(lines))
    with pytest.raises(CourseError, match="mistake none: expected one cell of Python that differs"):
        make_mutants(tiny)


def test_ids_stay_when_the_cell_grows_elsewhere():
    """An id depends on the change and on what is near, not on the line's number or looks; they are all different."""
    short = [mutant.id for mutant in mutants_of("scaled", cell("y = x / p", "y = y + 1"))]
    long = [mutant.id for mutant in mutants_of("scaled", "import math\n\n\n" + cell("y = x / p", "y = y + 1"))]
    assert short == long
    plain = [mutant.id for mutant in mutants_of("scaled", cell("# as said", "y = (x / p)", "", "y = y+1  # one more"))]
    assert short == plain
    assert len(set(short)) == len(short)


def test_swapping_what_does_not_matter_is_no_mutant():
    """Two assignments of constants to different names are not swapped; dependent ones are."""
    assert not [mutant for mutant in mutants_of("scaled", cell("y = 1", "p = None")) if "swapped" in mutant.operator]
    assert [
        mutant for mutant in mutants_of("scaled", cell("y = x", "p = y")) if "statements swapped" in mutant.operator
    ]


def test_turns_go_round_the_exercises():
    """A sample takes one of each exercise before it takes a second."""
    mutants = [*mutants_of("a", cell("y = x / p")), *mutants_of("b", cell("y = x * p"))]
    assert [mutant.exercise for mutant in in_turns(mutants, 4)] == ["a", "b", "a", "b"]
    assert sorted(mutant.id for mutant in in_turns(mutants, None)) == sorted(mutant.id for mutant in mutants)
