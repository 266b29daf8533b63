"""The mutants of the assignments' solutions, and those that are recorded as no worse; nothing is graded here."""

import ast
from functools import cache
from pathlib import Path

import pytest

from gradlab_staff.audit.equivalent import load_equivalents
from gradlab_staff.audit.mutants import make_mutants
from gradlab_staff.course import Course

COURSE = Course.find(Path(__file__))

# how many mutants each equivalent.json justifies, 164 in all
RECORDED = {"two_layer_net": 62, "dropout": 87, "inverted_dropout": 15}


@cache
def mutants(name):
    return make_mutants(COURSE.assignment(name))


@pytest.mark.parametrize("name", COURSE.assignments)
def test_every_recorded_mutant_is_made_today(name):
    """A reason stands beside the id of a mutant that there is."""
    assert load_equivalents(COURSE.assignment(name)).keys() <= {mutant.id for mutant in mutants(name)}


@pytest.mark.parametrize("name", RECORDED)
def test_no_recorded_mutant_gets_lost(name):
    """Who adds or deletes an entry on purpose changes its assignment's number above."""
    assert len(load_equivalents(COURSE.assignment(name))) == RECORDED[name]


@pytest.mark.parametrize("name", COURSE.assignments)
def test_every_mutant_is_a_program_of_its_own(name):
    """It compiles and is not empty; no two have the same id, and no two that syntax made are the same program."""
    programs = set()
    for mutant in mutants(name):
        tree = ast.parse(mutant.source)
        assert tree.body, mutant.id
        compile(tree, mutant.id, "exec", dont_inherit=True)
        by_hand = mutant.id if mutant.operator.startswith("by hand") else ""
        programs.add((mutant.exercise, ast.dump(tree), by_hand))
    assert len(programs) == len({mutant.id for mutant in mutants(name)}) == len(mutants(name))


@pytest.mark.parametrize("name", COURSE.assignments)
def test_unparse_writes_each_solution_as_the_program_that_it_is(name):
    """Else more would be wrong with a mutant than its difference shows."""
    for cell in COURSE.assignment(name).cells:
        if cell.is_solution and cell.cell_type == "code":
            tree = ast.parse(cell.source)
            assert ast.dump(ast.parse(ast.unparse(tree))) == ast.dump(tree), cell.id
