"""Which question it is that a student's words answer: wherever they stand, on all assignments, with and without ids."""

import time
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
    "below, in a docstring": inserted(1, text(f'def answer():\n    """{ANSWER}"""', "code")),
    "below, in an f-string": inserted(1, text(f'print(f"{ANSWER} {{x:.2f}}")', "code")),
    "below, behind code": inserted(1, text(f"accuracy[0]  # {ANSWER}", "code")),
    "below, above a plot": inserted(1, text(f'"""{ANSWER}"""\nplot([1, 2])', "code")),
    "below, by the shell": inserted(1, text(f'!echo "{ANSWER}"', "code")),
    "below, into a file": inserted(1, text(f"%%writefile answer.txt\n{ANSWER}", "code")),
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
    "an experiment that shows a value": inserted(1, text("x = 3\nx", "code")),
    "a value looked up": inserted(1, text('history["train_acc"][0]', "code")),
    "a number formatted": inserted(1, text('print(f"{x:.2f}")', "code")),
    "own code with comments far away": lambda cells: [text("# Let us look at it first\nprint(1)", "code"), *cells],
    "a word of the question corrected": lambda cells: [
        replace(cell, source=cell.source.replace("the", "teh", 1)) for cell in cells
    ],
    "a copy of given prose": lambda cells: [*cells, cells[1]],
    "half of given prose": lambda cells: [*cells, text(cells[1].source.split("\n")[0])],
    "prose far away, of an older release": lambda cells: [
        replace(cells[1], source=f"{cells[1].source[40:]}\n\nOnce there was one more sentence here."),
        *(cell for n, cell in enumerate(cells) if n != 1),
    ],
}
UNPLACED = {
    "at the end": lambda cells: [*cells, text(ANSWER)],
    "at the start": lambda cells: [text(ANSWER), *cells],
    "above the question's text": inserted(-1, text(ANSWER)),
    "beside an exercise": lambda cells: [*cells[:9], text(ANSWER), *cells[9:]],
    "in the instructor's prose": lambda cells: [
        replace(cell, source=f"{cell.source}\n\n{ANSWER}") if n == 1 else cell for n, cell in enumerate(cells)
    ],
    "an own cell alone": lambda cells: [text(ANSWER)],
}
SHORT_ANSWERS = [
    *("noise and averaging", "Dropout, averaging", "Overfitting", "Answer: noise", "1, 3", "因为训练时有随机失活"),
    *(
        "# Noise (in training)",
        "x  # noise",
        'print("Overfitting")',
        'Image("answer.png")',
        'plt.imshow(plt.imread("a.png"))',
        "!echo noise",
    ),
    *("%%bash\necho noise", "# E[x] = p x", "E[x] = p x"),
]
TOOLS = {
    "markdown": [
        '<a href="https://colab.research.google.com/github/a" target="_parent"><img src="https://x/a.svg" alt=""/></a>',
        "[![Open In Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research/a)",
        "<a style='x' href='https://deepnote.com?a=b'>\n<img alt='Made in' src='data:image/svg+xml;base64,PD='></img>"
        "\nCreated in <span>Deepnote</span></a>",
        '<h1>Table of Contents<span class="tocSkip"></span></h1>\n<div class="toc"><ul><li>1. Dropout</li></ul></div>',
        *("<br>", "&nbsp;", "---", "."),
    ],
    "code": [
        *("#@title Setup", "# !pip install x\n# %matplotlib inline", "# data.shape", '#data["X_train"]', "# plt.plot("),
        *("# TODO", "# %%", "# for i in range(3):\n#     print(i)", "for i in range(3)\n    print(i", "type X = int"),
        *(
            "def f(x:\n    # the mean of all of it\n    return x",
            "type V = list[float]\ndef first[T](x: T) -> T:\n    return x",
        ),
    ],
    "raw": ["def dropout(X, p):\n    return X *"],
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


HOSTILE = [
    "\n" * 30_000 + "words without code",
    "%%bash\n" * 4000,
    "!" * 30_000,
    "<a " * 10_000,
    "a (" * 10_000,
    '"' * 30_000,
]


@pytest.mark.parametrize("source", HOSTILE)
@pytest.mark.parametrize(("kind", "count"), [("code", 8), ("raw", 50), ("markdown", 50)])
def test_what_takes_long_to_search_takes_no_time(source: str, kind: str, count: int) -> None:
    """Blank lines, unclosed tags and quotes: each is looked through once."""
    started = time.process_time()
    read("dropout", inserted(1, *[text(source, kind)] * count), stripped=False)
    assert time.process_time() - started < 10


@assignments
@with_and_without
def test_two_words_below_the_questions_text_are_an_answer(name: str, stripped: bool) -> None:
    """A line that is the student's own counts, however short."""
    assert SHORT in answer(read(name, two_words, stripped=stripped))


@assignments
@pytest.mark.parametrize("source", SHORT_ANSWERS)
def test_whatever_stands_below_an_open_question_is_asked_about(name: str, source: str) -> None:
    """Words that parse, short strings, pictures, files: where there is a doubt, a person looks."""
    found = read(name, inserted(1, text(source, "code")), stripped=False)
    assert source in answer(found)


@assignments
def test_code_below_an_answered_question_is_no_matter(name: str) -> None:
    """Only where nothing was written is a program looked into."""
    found = read(name, instead(with_id(ANSWER), text("print('loss', 3)", "code")), stripped=False)
    assert answer(found) == ANSWER


@assignments
@pytest.mark.parametrize(("kind", "source"), [(kind, source) for kind, sources in TOOLS.items() for source in sources])
def test_what_tools_and_broken_code_say_asks_nobody(name: str, kind: str, source: str) -> None:
    """Nor code that is switched off, at the start or at the end of the notebook."""
    for change in (lambda cells: [text(source, kind), *cells], lambda cells: [*cells, text(source, kind)]):
        assert [cell.written for cell in read(name, change, stripped=False).cells if cell.written] == []


def test_an_answer_below_a_badge_is_one() -> None:
    """In the same cell."""
    badge = TOOLS["markdown"][0]
    assert read("dropout", lambda cells: [text(f"{badge}\n\nNoise."), *cells], stripped=False).unplaced


@assignments
@pytest.mark.parametrize("words", [f"# {ANSWER}", f'"""{ANSWER}"""'], ids=["comment", "string"])
def test_words_in_the_code_above_a_question_are_shown_with_it(name: str, words: str) -> None:
    """Added to the last cells above its text; they stay there."""

    def change(cells: Cells) -> Cells:
        at = max(n for n, cell in enumerate(cells[: first(cells)]) if cell.cell_type == "code")
        return [replace(cell, source=f"{cell.source}\n{words}") if n == at else cell for n, cell in enumerate(cells)]

    found = read(name, change, stripped=False)
    assert [ANSWER in cell.written for cell in found.perhaps("inline_question_1")] == [True]


@assignments
def test_a_comment_added_to_given_code_is_unplaced(name: str) -> None:
    """Wherever it stands, if nothing but words was added; code of the student's may have its comments."""

    def change(words: str) -> Callable[[Cells], Cells]:
        return lambda cells: [
            replace(cell, source=f"{cell.source}\n{words}") if cell.id == "demo_data" else cell for cell in cells
        ]

    far = [read(name, change(words), stripped=False) for words in (f"# {ANSWER}", f"x = 3\n# {ANSWER}")]
    assert [len(found.unplaced) for found in far] == [1, 0]


def perhaps(change: Callable[[Cells], Cells]) -> list[bool]:
    """Whether each of three questions is answered, or shown something."""
    found = read("dropout", change, stripped=False)
    names = [f"inline_question_{number}" for number in (1, 2, 3)]
    return [bool(answer(found, name) or found.perhaps(name)) for name in names]


def with_second(change: Callable[[Cells, int], Cells]) -> Callable[[Cells], Cells]:
    return lambda cells: change(cells, next(n for n, cell in enumerate(cells) if cell.id == "inline_question_2"))


DOUBTFUL = {
    "between two questions": with_second(lambda cells, at: [*cells[: at - 1], text(ANSWER), *cells[at - 1 :]]),
    "between, second deleted": with_second(
        lambda cells, at: [*cells[: at - 1], text(ANSWER), cells[at - 1], *cells[at + 1 :]]
    ),
    "second merged into the first": with_second(
        lambda cells, at: [*cells[: at - 2], with_id(f"Noise.\n\n{cells[at - 1].source}\n\n{ANSWER}"), *cells[at + 1 :]]
    ),
    "both in the first": instead(with_id("1. Noise.\n\n2. Averages.")),
    "both in the first, by name": instead(with_id("**Question 1**: Noise.\n\n**Question 2**: Averages.")),
}


@pytest.mark.parametrize("how", DOUBTFUL)
def test_an_answer_that_may_be_that_of_two_questions_is_shown_with_both(how: str) -> None:
    """The third, of which it is not the answer, is none."""
    assert perhaps(DOUBTFUL[how]) == [True, True, False]


@pytest.mark.parametrize("where", ["its cell", "a new cell"])
@assignments
def test_a_picture_without_a_link_is_shown(name: str, where: str) -> None:
    """Attached, and the link deleted."""
    pictures = {"my plot.png": {"image/png": "aGk="}}
    cell = replace(with_id("*Your answer here.*") if where == "its cell" else text(""), attachments=pictures)
    found = read(name, instead(cell) if where == "its cell" else inserted(1, cell), stripped=False)
    assert "![picture](attachment:my%20plot.png)" in answer(found)
