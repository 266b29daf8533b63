"""Mutants: small changes inside the blanks, each made once, and the same ones every time."""

import ast

import pytest

from gradlab_staff.audit.mutants import in_turns, mutants_of

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
        ('y = mode == "train"', {'y = mode == "test"', 'y = mode != "train"'}),
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
        ("return x", {"return None"}),
        ("y = (x + p) * 2", {"y = (x - p) * 2", "y = x + p", "y = (x + p) / 2", "y = (x) * 2"}),
        ('y = f"W{p - 1}"', {'y = f"W{p + 1}"', 'y = f"W{p}"'}),
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
    """An if is negated, always true, never true."""
    assert {"if not (x > p):", "if True:", "if False:"} <= changes("if x > p:", "    y = p")


def test_nothing_outside_the_blank_changes():
    """The lines around the blank are in every mutant."""
    source = cell("y = x / p")
    before, after = source.split("    y = x / p\n")
    for mutant in mutants_of("scaled", source):
        assert mutant.source.startswith(before)
        assert mutant.source.endswith(after)


def test_every_mutant_is_another_program():
    """No two mutants, and none and the solution, are the same but for spaces."""
    source = cell("y = (x + p) * (x - p) / 2", "y = y + 0", "y = x")
    trees = [ast.dump(ast.parse(mutant.source)) for mutant in mutants_of("scaled", source)]
    assert len({*trees, ast.dump(ast.parse(source))}) == len(trees) + 1


def test_ids_stay_when_the_cell_grows_elsewhere():
    """An id depends on the change and on what is near, not on the line's number; and they are all different."""
    short = [mutant.id for mutant in mutants_of("scaled", cell("y = x / p", "y = y + 1"))]
    long = [mutant.id for mutant in mutants_of("scaled", "import math\n\n\n" + cell("y = x / p", "y = y + 1"))]
    assert short == long
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
