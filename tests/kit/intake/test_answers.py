"""Which question it is that a student's words answer: wherever they stand, on all assignments, with and without ids."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gradlab_staff.course import Cell, Course
from gradlab_staff.course.template import released_text
from gradlab_staff.intake.matching import Matched, match
from gradlab_staff.intake.notebook import Notebook

COURSE = Course.find(Path(__file__))
SHORT = "It overfits."
ANSWER = "It is *on* while training alone."
Cells = list[Cell]


def released(name: str) -> Cells:
    assignment = COURSE.assignment(name)
    return [replace(cell, source=released_text(assignment, cell)) for cell in assignment.cells]


def first(cells: Cells) -> int:
    return next(index for index, cell in enumerate(cells) if cell.id == "inline_question_1")


def text(source: str, kind: str = "markdown") -> Cell:
    return Cell(kind, source)


def inserted(offset: int, *new: Cell) -> Callable[[Cells], Cells]:
    """Put cells beside the first question."""

    def change(cells: Cells) -> Cells:
        at = first(cells) + offset
        return [*cells[:at], *new, *cells[at:]]

    return change


def instead(*new: Cell, also_above: int = 0) -> Callable[[Cells], Cells]:
    """Put cells in the place of the first question, and of so many above it."""

    def change(cells: Cells) -> Cells:
        at = first(cells)
        return [*cells[: at - also_above], *new, *cells[at + 1 :]]

    return change


def with_id(source: str, kind: str = "markdown") -> Cell:
    """A cell that has kept the question's id."""
    return Cell(kind, source, {"nbgrader": {"grade_id": "inline_question_1"}})


def added_above(cells: Cells) -> Cells:
    """The answer is typed into the question's text."""
    at = first(cells) - 1
    return [replace(cell, source=f"{cell.source}\n\n{ANSWER}") if n == at else cell for n, cell in enumerate(cells)]


def two_words(cells: Cells) -> Cells:
    """The shortest answer, below the question's text in its cell."""
    at = first(cells) - 1
    return [replace(cell, source=f"{cell.source}\n\n{SHORT}") if n == at else cell for n, cell in enumerate(cells)]


def merged(cells: Cells) -> Cells:
    """Jupyter merges the question's text with its cell, and keeps the metadata of the upper one: none."""
    at = first(cells)
    return [cell for n, cell in enumerate(added_above(cells)) if n != at]


ANSWERED = {
    "in its cell": instead(with_id(ANSWER)),
    "below": inserted(1, text(ANSWER)),
    "below, raw": inserted(1, text(ANSWER, "raw")),
    "below, as comments": inserted(1, text(f"# {ANSWER}\n# More of it.", "code")),
    "below, as a string": inserted(1, text(f'"""{ANSWER}"""', "code")),
    "below, words in a code cell": inserted(1, text(ANSWER, "code")),
    "below, by a magic": inserted(1, text(f"%%markdown\n{ANSWER}", "code")),
    "below, printed": inserted(1, text(f"print({ANSWER!r})", "code")),
    "below, in a variable": inserted(1, text(f'answer = """{ANSWER}"""\nprint(answer)', "code")),
    "below, as a comment in a program": inserted(1, text(f"# {ANSWER}\nprint(1)", "code")),
    "below an experiment": inserted(1, text("x = 3\nprint(x)", "code"), text(ANSWER)),
    "below, under a heading of its own": inserted(1, text("## My answer"), text(ANSWER)),
    "above": inserted(0, text(ANSWER)),
    "cell made anew": instead(text(ANSWER)),
    "cell made anew, raw": instead(text(ANSWER, "raw")),
    "cell turned into code": instead(with_id(ANSWER, "code")),
    "cell turned into raw": instead(with_id(ANSWER, "raw")),
    "split": instead(with_id("First."), with_id(ANSWER)),
    "split, one part left": instead(with_id("*Your answer here.*"), with_id(ANSWER)),
    "copied": inserted(1, with_id(ANSWER)),
    "in the question's text": added_above,
    "merged with the question's text": merged,
    "question and its text deleted": instead(text(ANSWER), also_above=1),
    "with a foreign id": instead(Cell("markdown", ANSWER, {"nbgrader": {"grade_id": "renamed"}})),
}
NOTHING = {
    "untouched": lambda cells: cells,
    "emptied": instead(with_id("  \n")),
    "deleted": instead(),
    "an empty cell": inserted(1, text(" \n ")),
    "a rule": inserted(1, text("---")),
    "an experiment": inserted(1, text("x = 3\nprint(x)", "code")),
    "an indented experiment": inserted(1, text("  x = 3\n  await x", "code")),
    "a magic": inserted(1, text("%timeit f(x)\n!ls", "code")),
    "another language": inserted(1, text("%%bash\nls -l because of", "code")),
    "code commented out": inserted(1, text("# x = f(3)\n# print(x)", "code")),
    "code in a raw cell": inserted(1, text("x = f(3)", "raw")),
    "a word of the question corrected": lambda cells: [
        replace(cell, source=cell.source.replace("the", "teh", 1)) for cell in cells
    ],
    "a copy of given prose": lambda cells: [*cells, cells[1]],
    "half of given prose": lambda cells: [*cells, text(cells[1].source.split("\n")[0])],
    "prose far away, of an older release": lambda cells: [
        replace(cells[1], source=f"{cells[1].source}\n\nOnce there was one more sentence here."),
        *(cell for n, cell in enumerate(cells) if n != 1),
    ],
}
UNPLACED = {
    "at the end": lambda cells: [*cells, text(ANSWER)],
    "at the start": lambda cells: [text(ANSWER), *cells],
    "above the question's text": inserted(-1, text(ANSWER)),
    "beside an exercise": lambda cells: [*cells[:9], text(ANSWER), *cells[9:]],
    "an own cell alone": lambda cells: [text(ANSWER)],
}


def read(name: str, change: Callable[[Cells], Cells], *, stripped: bool) -> Matched:
    cells = change(released(name))
    if stripped:
        cells = [replace(cell, metadata={}) for cell in cells]
    return match(COURSE.assignment(name), Notebook(tuple(cells)))


def answer(found: Matched, question: str = "inline_question_1") -> str:
    """All that is taken for the answer, in the order of the notebook."""
    own = [cell for cell in found.cells if cell.id == question and cell.main]
    parts = sorted([*own, *found.answer(question)], key=lambda cell: cell.number)
    return "\n".join(cell.written for cell in parts if cell.written)


assignments = pytest.mark.parametrize("name", ["inverted_dropout", "dropout", "two_layer_net"])
with_and_without = pytest.mark.parametrize("stripped", [False, True], ids=["ids", "no ids"])


@assignments
@with_and_without
@pytest.mark.parametrize("where", ANSWERED)
def test_an_answer_is_found_wherever_it_stands(name: str, where: str, stripped: bool) -> None:
    """It belongs to the first question, whole, and to no other; nothing is left unplaced."""
    found = read(name, ANSWERED[where], stripped=stripped)
    assert ANSWER in answer(found)
    assert not any(cell.written for cell in found.cells if cell.id != "inline_question_1" and not cell.answers)
    assert {cell.answers for cell in found.cells} <= {"", "inline_question_1"}
    assert found.unplaced == []


@assignments
@with_and_without
@pytest.mark.parametrize("what", NOTHING)
def test_what_says_nothing_is_no_answer(name: str, what: str, stripped: bool) -> None:
    """Nobody is asked to look at the assignment's own prose, at code, or at empty cells."""
    found = read(name, NOTHING[what], stripped=stripped)
    assert [cell.cell.source for cell in found.cells if cell.written] == []


@assignments
@with_and_without
@pytest.mark.parametrize("where", UNPLACED)
def test_words_that_belong_to_no_question_are_unplaced(name: str, where: str, stripped: bool) -> None:
    """A person is to see them, with each question that was left open."""
    found = read(name, UNPLACED[where], stripped=stripped)
    if where == "an own cell alone" and len(COURSE.assignment(name).questions) == 1:
        assert answer(found) == ANSWER  # there is but one question that it can answer
    else:
        assert [cell.written for cell in found.unplaced] == [ANSWER]


@with_and_without
def test_each_answer_goes_to_its_own_question(stripped: bool) -> None:
    """Three questions, answered below, in the cell, and not at all."""

    def change(cells: Cells) -> Cells:
        second = next(index for index, cell in enumerate(cells) if cell.id == "inline_question_2")
        cells[second] = replace(cells[second], source="Two.")
        return inserted(1, text("One."))(cells)

    found = read("dropout", change, stripped=stripped)
    assert [answer(found, f"inline_question_{number}") for number in (1, 2, 3)] == ["One.", "Two.", ""]
    assert len([cell for cell in found.cells if cell.id == "inline_question_3"]) == 1


def test_a_question_copied_to_the_place_of_another_answers_that_one() -> None:
    """Jupyter copies the metadata with a cell; where it stands says more than its id."""

    def change(cells: Cells) -> Cells:
        second = next(index for index, cell in enumerate(cells) if cell.id == "inline_question_2")
        return [*cells[:second], with_id("Two."), *cells[second + 1 :]]

    found = read("dropout", change, stripped=False)
    assert [answer(found, f"inline_question_{number}") for number in (1, 2, 3)] == ["", "Two.", ""]


def test_a_copy_that_stands_nowhere_answers_the_question_of_its_id() -> None:
    """A duplicate at the end of the notebook."""
    found = read("dropout", lambda cells: [*cells, with_id(ANSWER)], stripped=False)
    assert answer(found) == ANSWER


def test_two_questions_without_their_texts_are_not_guessed() -> None:
    """Two answers in the place of two questions: a person sees both, with each question."""

    def change(cells: Cells) -> Cells:
        at = first(cells)
        return [*cells[: at - 1], text("One."), text("Two."), *cells[at + 3 :]]

    found = read("dropout", change, stripped=True)
    assert [cell.written for cell in found.unplaced] == ["One.", "Two."]


def test_notes_below_own_code_stay_with_it() -> None:
    """They are repeated with the question, and do not leave the code that they may be about."""
    found = read("dropout", ANSWERED["below an experiment"], stripped=False)
    (note,) = found.answer("inline_question_1")
    assert not note.moves
    (moved,) = read("dropout", ANSWERED["below"], stripped=False).answer("inline_question_1")
    assert moved.moves


@pytest.mark.parametrize("cell", [text("word"), text("*Your answer here.*"), with_id(ANSWER), text("no code", "code")])
def test_many_cells_take_no_time(cell: Cell) -> None:
    """Ten thousand cells are placed in about a second."""
    found = read("dropout", lambda cells: [*cells, *[cell] * 9900], stripped=False)
    assert len(found.cells) > 9900


@assignments
@with_and_without
def test_two_words_below_the_questions_text_are_an_answer(name: str, stripped: bool) -> None:
    """A line that is the student's own counts, however short."""
    assert SHORT in answer(read(name, two_words, stripped=stripped))
