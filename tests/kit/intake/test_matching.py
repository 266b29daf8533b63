"""Which cell is which: decided once, by id, by text, by what a cell defines; and of copies, which one counts."""

from dataclasses import replace
from pathlib import Path

import pytest

from gradlab_staff.course import Cell, Course
from gradlab_staff.course.template import UNANSWERED, released_text
from gradlab_staff.intake.matching import Kind, match, with_solutions
from gradlab_staff.intake.notebook import Notebook

COURSE = Course.find(Path(__file__))
ASSIGNMENT = COURSE.assignment("inverted_dropout")


def cells(change=lambda cell: cell):
    """The released cells, each changed."""
    return [change(Cell(cell.cell_type, released_text(ASSIGNMENT, cell), cell.metadata)) for cell in ASSIGNMENT.cells]


def matched(found):
    return match(ASSIGNMENT, Notebook(tuple(found))).cells


def ids(found):
    return [cell.id for cell in found]


EXPECTED = [cell.id for cell in ASSIGNMENT.cells]
STUB = next(cell for cell in cells() if cell.id == "dropout_solution")
ANSWER = next(cell for cell in ASSIGNMENT.cells if cell.id == "dropout_solution")


def test_the_release_is_itself():
    """Each cell is the one of its id, as released, and counts."""
    found = matched(cells())
    assert ids(found) == EXPECTED
    assert all(cell.released and cell.main and cell.fits for cell in found if cell.id)


def test_cells_without_metadata_are_known_by_their_text():
    """Questions, which are all released with one text, by their order."""
    found = matched(cells(lambda cell: replace(cell, metadata={})))
    assert ids(found) == EXPECTED
    assert UNANSWERED in "".join(cell.cell.source for cell in found if cell.id.startswith("inline_question"))


def test_questions_without_metadata_are_not_guessed():
    """Where one of them was answered, the blanks of the others could be anyone's."""
    stripped = cells(lambda cell: replace(cell, metadata={}))
    questions = [cell.id for cell in ASSIGNMENT.cells if cell.id.startswith("inline_question")]
    texts = {released_text(ASSIGNMENT, cell) for cell in ASSIGNMENT.cells if cell.id in questions}
    if len(texts) == len(questions):
        return  # each is known by its own words
    first = next(index for index, cell in enumerate(stripped) if cell.source in texts)
    stripped[first] = replace(stripped[first], source="An answer.")
    assert not {cell.id for cell in matched(stripped)} & set(questions)


def test_a_solution_without_metadata_is_known_by_what_it_defines():
    """It is not as released."""
    (found,) = matched([Cell("code", ANSWER.source)])
    assert (found.id, found.kind, found.released, found.main) == ("dropout_solution", Kind.SOLUTION, False, True)


@pytest.mark.parametrize(
    ("copies", "main"),
    [
        ([STUB, ANSWER], 2),
        ([ANSWER, STUB], 1),
        ([ANSWER, replace(ANSWER, source=ANSWER.source + "\n# more")], 2),
        ([STUB, replace(ANSWER, metadata={})], 2),  # solved in a cell of the student's own: that one counts
        ([ANSWER, replace(ANSWER, metadata={}, source="def dropout(X): return X")], 1),
        ([Cell("markdown", ANSWER.source, ANSWER.metadata), replace(ANSWER, metadata={})], 2),
    ],
)
def test_of_copies_one_counts(copies, main):
    """The changed one; by its id rather than by what it defines; of the right type; the last."""
    found = matched(copies)
    assert ids(found) == ["dropout_solution"] * 2
    assert [cell.number for cell in found if cell.main] == [main]


def test_a_copy_of_a_locked_cell_is_spare_or_the_students_own():
    """As released it is not run twice; written over it is code of the student's."""
    setup = next(cell for cell in cells() if cell.id == "setup")
    first, second, third = matched([setup, setup, replace(setup, source="x = 1")])
    assert (first.id, first.main, first.spare) == ("setup", True, False)
    assert (second.id, second.spare) == ("", True)
    assert (third.id, third.spare, third.kind) == ("", False, Kind.OWN)


def test_the_instructors_notebook_is_a_submission():
    """With other solutions for some exercises."""
    found = with_solutions(ASSIGNMENT, {"dropout": "def dropout(X, drop_prob): ..."})
    assert ids(found.cells) == EXPECTED
    assert [cell.cell.source for cell in found.cells if cell.id == "dropout_solution"] == [
        "def dropout(X, drop_prob): ..."
    ]
