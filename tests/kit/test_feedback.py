"""The feedback page: everything a student should know, and nothing that acts."""

import base64
import html
import re
import time
import zlib
from html.parser import HTMLParser
from typing import Any

import pytest
from tiny_course import DOUBLED, code, notebook, prose, verdict

from gradlab_staff.grading.verdict import CheckResult, ExerciseResult, Outcome, Verdict
from gradlab_staff.pages.feedback import Mark, Marks, exercise_report, feedback_page

EVIL = '</code></pre></style><script>alert(1)</script><img src="http://x/y.png" onerror="alert(1)">'
PIXEL = base64.b64encode(
    b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + bytes([0, 0, 0, 1, 0, 0, 0, 1, 8, 2, 0, 0, 0]) + zlib.compress(bytes(4))
).decode()


def stream(text: str) -> dict[str, Any]:
    """A printed output."""
    return {"output_type": "stream", "name": "stdout", "text": text}


def image(mime: str, content: str) -> dict[str, Any]:
    """A displayed output."""
    return {"output_type": "display_data", "metadata": {}, "data": {mime: content, "text/plain": "<Figure>"}}


def graded(*outputs: dict[str, Any], source: str = DOUBLED, answer: str = "Because.") -> dict[str, Any]:
    """A notebook as it stands in autograded/."""
    return notebook(
        [
            code("from gradlab import check", "setup", locked=True),
            code(source, "double_solution", list(outputs), solution=True),
            code('check("double")', "double", grade=True, points=4),
            prose(answer, "inline_question_1", grade=True, solution=True, points=3),
            code("print('my own cell')"),
        ]
    )


class Outline(HTMLParser):
    """What a browser would make of the page: its tags, and what they load."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.ids: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self.ids += [value or "" for name, value in attrs if name == "id"]


def words(page: str) -> str:
    """The text of the page on one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page.split("</head>")[1])).split())


def test_every_check_is_shown_with_its_reason() -> None:
    """Outcome, title, weight and message of a check; the misconception with its hint; the stand-in."""
    said = words(feedback_page(graded(), verdict(double=0.5)))
    assert "4 of 6 points" in said
    assert "✓ passed: It works for 3. weight 0.5" in said
    assert "✗ failed: It works for -1. weight 0.5 out: expected -2, got <b>-1</b>." in said
    assert "What seems to have happened: forgot to double. You return x itself. Hint: What is twice x?" in said
    assert "In checks of this exercise the reference solution stood in for your double" in said
    assert "seed 231, sandbox: bubblewrap" in said


@pytest.mark.parametrize("outcome", [Outcome.CRASHED, Outcome.TIMED_OUT, Outcome.NOT_ATTEMPTED])
def test_an_outcome_other_than_failed_is_named(outcome: Outcome) -> None:
    """A crash, a time-out and an untouched stub are not the same to a student."""
    result = ExerciseResult("tiny/double", 4, (CheckResult("test_a", "It works.", 1, outcome, "why"),))
    given = Verdict("tiny", "student_01", "tiny.ipynb", 1, (result,))
    name = outcome.value.replace("_", " ")
    assert f"✗ {name}: It works. {name}, weight 1 why" in words(feedback_page(graded(), given))
    assert exercise_report(result).splitlines() == [
        "tiny/double: 0 of 4 points",
        f"✗ It works. (weight 1) [{name}]",
        "    why",
    ]


def gated() -> ExerciseResult:
    """Two checks that passed and count nothing: one needs a check that failed, the other needs the first."""
    checks = (
        CheckResult("test_large", "A large <net> works.", 1, Outcome.FAILED, "too slow"),
        CheckResult("test_a", "It works.", 2, Outcome.PASSED, needs=("test_large",)),
        CheckResult("test_b", "It works twice.", 2, Outcome.PASSED, needs=("test_a",)),
        CheckResult("test_c", "It stays.", 1, Outcome.PASSED),
    )
    return ExerciseResult("tiny/double", 6, checks)


def test_a_check_that_does_not_count_says_why() -> None:
    """The student reads that it passed, and which check it lacks; it looks neither passed nor failed."""
    said = words(feedback_page(graded(), Verdict("tiny", "student_01", "tiny.ipynb", 1, (gated(),))))
    told = "Passed, but does not count, because «A large <net> works.» failed."
    assert f"– passed, does not count: It works. weight 2 {told}" in said
    assert f"– passed, does not count: It works twice. weight 2 {told}" in said
    assert "✓ passed: It stays. weight 1" in said
    assert "1 / 6 3 of 4 passed, 1 of them counts" in said
    assert exercise_report(gated()).splitlines()[3:5] == ["– It works. (weight 2)", f"    {told}"]


def test_marks_and_comments_of_a_person_are_shown() -> None:
    """Scores by hand, comments, what is still to be marked, and the late penalty; all of it in the total."""
    marks = Marks(
        {"double": Mark(3.5, 4, True), "halve": Mark(2, 2), "inline_question_1": Mark(2, 3, True, "Say <more>.")},
        {"double_solution": "Nearly."},
        penalty=1.5,
    )
    said = words(feedback_page(graded(), verdict(), marks))
    assert "6 of 9 points, after a late penalty of 1.5" in said
    assert "3.5 of 4 points, given by hand" in said
    assert "Comment: Nearly." in said
    assert "inline question 1 2 of 3 points Comment: Say <more>. Because." in said


def test_what_is_still_to_be_marked_is_said() -> None:
    """An unmarked answer is not a zero."""
    marks = Marks({"double": Mark(4, 4), "halve": Mark(2, 2), "inline_question_1": Mark(None, 3)})
    said = words(feedback_page(graded(), verdict(), marks))
    assert "6 of 9 points so far: 1 answer is still to be marked by a person" in said
    assert "inline_question_1 – / 3 still to be marked" in said


def test_warnings_stand_first() -> None:
    """What was odd about the file is said before the points."""
    said = words(feedback_page(graded(), verdict(warnings=("expected tiny.ipynb, got <other>.ipynb.",))))
    assert said.index("got <other>.ipynb.") < said.index("Points by exercise")


def test_the_students_cells_are_shown_with_their_outputs() -> None:
    """Answers beside their checks, own cells at the end, text and figures that they drew."""
    page = feedback_page(graded(stream("printed\n"), image("image/png", PIXEL)), verdict())
    assert "return x + x" in words(page)
    assert "printed" in words(page)
    assert "'my own cell'" in words(page)
    assert f"data:image/png;base64,{PIXEL}" in page


def test_nothing_of_a_students_acts() -> None:
    """No scripts, no links out, no loaded files, whatever the notebook and the verdict hold."""
    result = ExerciseResult("tiny/double", 4, (CheckResult("test_a", EVIL, 1, Outcome.FAILED, EVIL),))
    given = Verdict("tiny", EVIL, EVIL, 1, (result,), warnings=(EVIL,), sandbox=EVIL)
    marks = Marks({"inline_question_1": Mark(1, 3, True, EVIL)}, {"double_solution": EVIL})
    outline = Outline(feedback_page(graded(stream(EVIL), source=EVIL, answer=EVIL), given, marks))
    assert {"script", "img", "iframe", "link", "object"}.isdisjoint(outline.tags)
    assert all(value.startswith("#") for name, value in outline.attributes if name in ("href", "src"))
    assert not any(name.startswith("on") for name, _ in outline.attributes)


def test_the_policy_allows_the_pages_own_style_alone() -> None:
    """Even what slipped through could load and run nothing."""
    page = feedback_page(graded(), verdict())
    policy = re.search(r'Policy" content="([^"]+)"', page)
    assert policy is not None
    assert html.unescape(policy[1]).startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy[1]


def test_terminal_escapes_are_gone() -> None:
    """Colours, links and reversed writing of a terminal do not reach the page."""
    page = feedback_page(graded(stream("\x1b[31mred\x1b[0m \x1b]8;;http://x\x07link\u202e!\x00")), verdict())
    assert "red link!" in words(page)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", page)


def test_the_page_can_be_read_aloud() -> None:
    """A language, one main heading, a caption, row and column headings, ids that are used once, described figures."""
    outline = Outline(feedback_page(graded(image("image/png", PIXEL)), verdict()))
    assert ("lang", "en") in outline.attributes
    assert outline.tags.count("h1") == 1
    assert {"main", "header", "footer", "caption"} <= set(outline.tags)
    assert {("scope", "row"), ("scope", "col")} <= set(outline.attributes)
    assert len(outline.ids) == len(set(outline.ids))
    assert outline.tags.count("img") == len([value for name, value in outline.attributes if name == "alt" and value])


def test_the_page_is_bounded_and_fast() -> None:
    """A notebook full of figures and text makes a page of a few megabytes, in a moment."""
    feedback_page(graded(), verdict())  # templates and styles are read once
    large = graded(*[image("image/png", PIXEL + "A" * 900_000)] * 20, *[stream("x" * 60_000)] * 50)
    start = time.perf_counter()
    page = feedback_page(large, verdict())
    assert len(page) < 6 << 20
    assert "the page would be too long" in page
    assert time.perf_counter() - start < 2


def pictured(*pictures: str, source: str = "![a](attachment:a.png)", id: str = "inline_question_1") -> dict[str, Any]:
    """A text with pictures, as it stands in autograded/."""
    cell = prose(source, id, grade=True, solution=True, points=3) if id else prose(source)
    cell["attachments"] = {f"{index}.png": {"image/png": picture} for index, picture in enumerate(pictures)}
    return cell


def test_pictures_stand_below_the_answer() -> None:
    """Each is named, as the text names it, and is part of the page."""
    marks = Marks({"inline_question_1": Mark(None, 3)})
    page = feedback_page(notebook([pictured(PIXEL, source="See ![a](attachment:0.png)")]), verdict(), marks)
    assert f'<img src="data:image/png;base64,{PIXEL}" alt="0.png">' in page
    assert "See ![a](attachment:0.png) 0.png" in words(page)


def test_own_notes_are_shown_and_the_assignments_are_not() -> None:
    """With their pictures, in the rest of the notebook."""
    own = {**pictured(PIXEL, source="my notes", id=""), "metadata": {"gradlab": {"own": True}}}
    said = feedback_page(notebook([own, pictured(PIXEL, source="given prose", id="")]), verdict())
    assert "my notes" in words(said)
    assert "given prose" not in words(said)
    assert said.count("<img") == 1


def test_pictures_are_bounded_and_of_three_types() -> None:
    """What the page has no room for, or a browser should not open, is named."""
    marks = Marks({"inline_question_1": Mark(None, 3)})
    cell = pictured(*["A" * (10 << 20)] * 3)
    cell["attachments"]["page.svg"] = {"image/svg+xml": PIXEL}
    page = feedback_page(notebook([cell]), verdict(), marks)
    assert page.count("<img") == 2
    assert "[2.png is not shown" in words(page)
    assert "[page.svg is not shown" in words(page)
    assert "svg+xml" not in page


def test_animated_figures_are_shown() -> None:
    """A GIF that a cell showed is a picture like any other."""
    assert "data:image/gif;base64,R0lG" in feedback_page(graded(image("image/gif", "R0lG")), verdict())
