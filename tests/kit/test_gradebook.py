"""Verdicts in a real nbgrader gradebook; releases made by nbgrader; nbgrader's own commands on the result."""

import csv
import json
import os
import re
import shutil
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from drawn import encoded, png
from tiny_course import (
    DOUBLED,
    SOLVED,
    WHY,
    code,
    instructor_cells,
    make_course,
    notebook,
    prose,
    released_cells,
    solve,
    submit,
    verdict,
    write,
)

from gradlab_staff.course import Assignment, Course
from gradlab_staff.errors import CourseError, GradebookError
from gradlab_staff.grading.batch import Graded, match_received
from gradlab_staff.intake.inbox import open_inbox
from gradlab_staff.intake.matching import Matched
from gradlab_staff.intake.received import receive

pytestmark = [
    pytest.mark.slow,
    # nbgrader 0.9.6 on recent versions of what it uses; a TA can do nothing about them
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Assignment:
    """The tiny course, released; to be copied."""
    from gradlab_staff.gradebook import make_release, save_cells

    assignment = make_course(tmp_path_factory.mktemp("template"))
    make_release(assignment)
    save_cells(assignment)
    return assignment


@pytest.fixture
def tiny(template: Assignment, tmp_path: Path) -> Assignment:
    """A released tiny course of the test's own."""
    root = tmp_path / "course"
    shutil.copytree(template.course.root, root)
    return Course(root).assignment("tiny")


def enter(assignment: Assignment, *verdicts: Any) -> None:
    """Enter verdicts on submissions that lie in submitted/."""
    from gradlab_staff.gradebook import Gradebook

    with Gradebook.open(assignment) as book, open_inbox(assignment.course) as inbox:
        for given in verdicts:
            folder = assignment.course.root / "submitted" / given.student / "tiny"
            received = receive(assignment, folder, inbox.place())
            book.record(given, match_received(assignment, received), received)


def handed_in(assignment: Assignment, student: str = "student_01") -> Matched:
    """What a submission's notebook holds, its cells matched."""
    with open_inbox(assignment.course) as inbox:
        folder = assignment.course.root / "submitted" / student / "tiny"
        return match_received(assignment, receive(assignment, folder, inbox.place()))


def hand_in(assignment: Assignment, student: str = "student_01", **answers: str) -> Path:
    """Hand in the release with these cells filled in."""
    return submit(assignment, student, solve(released_cells(assignment), answers))


def query(assignment: Assignment, sql: str) -> list[tuple[Any, ...]]:
    """Rows of the gradebook, read past nbgrader."""
    with sqlite3.connect(assignment.course.root / "gradebook.db") as db:
        rows = db.execute(sql).fetchall()
    db.close()
    return rows


def grades(assignment: Assignment, student: str = "student_01") -> dict[str, tuple[Any, ...]]:
    """By cell: automatic score, score by hand, extra credit, whether a person is to look at it."""
    rows = query(
        assignment,
        "SELECT c.name, g.auto_score, g.manual_score, g.extra_credit, g.needs_manual_grade FROM grade g "
        "JOIN base_cell c ON c.id = g.cell_id JOIN submitted_notebook n ON n.id = g.notebook_id "
        f"JOIN submitted_assignment a ON a.id = n.assignment_id WHERE a.student_id = '{student}'",
    )
    return {name: tuple(rest) for name, *rest in rows}


def comments(assignment: Assignment) -> dict[str, tuple[Any, ...]]:
    """By cell: the automatic comment, and the one given by hand."""
    rows = query(
        assignment,
        "SELECT b.name, c.auto_comment, c.manual_comment FROM comment c JOIN base_cell b ON b.id = c.cell_id",
    )
    return {name: tuple(rest) for name, *rest in rows}


def change(assignment: Assignment, sql: str) -> None:
    """Do as formgrader does: change the gradebook."""
    db = sqlite3.connect(assignment.course.root / "gradebook.db")
    db.execute(sql)
    db.commit()
    db.close()


def graded_cells(assignment: Assignment, student: str = "student_01") -> list[dict[str, Any]]:
    """The cells of the notebook in autograded/."""
    path = assignment.course.root / "autograded" / student / "tiny" / "tiny.ipynb"
    cells: list[dict[str, Any]] = json.loads(path.read_text())["cells"]
    return cells


def by_id(cells: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The cells that have an nbgrader id."""
    return {cell["metadata"]["nbgrader"]["grade_id"]: cell for cell in cells if cell["metadata"].get("nbgrader")}


def page(assignment: Assignment, student: str = "student_01") -> str:
    """The feedback page."""
    return (assignment.course.root / "feedback" / student / "tiny" / "tiny.html").read_text()


class TestRelease:
    """`make_release`, and nbgrader's own command."""

    def test_blanks_fail_loudly_and_name_their_hint(self, tiny: Assignment) -> None:
        """Every blank raises, and says which exercise is missing; what stands around it stays."""
        source = "".join(by_id(released_cells(tiny))["double_solution"]["source"])
        assert source == (
            'def double(x):\n    """double x."""\n    raise NotImplementedError("tiny/double: double it")\n'
        )

    def test_model_answers_stay_behind(self, tiny: Assignment) -> None:
        """A question is released with a stub in the place of its model answer."""
        assert "Because" not in (tiny.release / "tiny.ipynb").read_text()
        assert "*Your answer here.*" in "".join(by_id(released_cells(tiny))["inline_question_1"]["source"])

    @pytest.mark.parametrize(
        ("source", "fault"),
        [
            ("def f():\n    ### BEGIN SOLUTION\n    1\n    ### END SOLUTION", "tiny/double: expected a hint"),
            ("def f():\n    ### BEGIN SOLUTION f\n    1\n", "tiny/double: expected each `### BEGIN SOLUTION`"),
        ],
        ids=["no hint", "no end"],
    )
    def test_a_bad_blank_is_named_and_the_old_release_stays(self, tiny: Assignment, source: str, fault: str) -> None:
        """nbgrader's refusal comes as one clear error, and changes nothing in release/."""
        from gradlab_staff.gradebook import make_release

        before = (tiny.release / "tiny.ipynb").read_bytes()
        cells = instructor_cells()
        cells[2]["source"] = source
        write(tiny.notebook, notebook(cells))
        with pytest.raises(CourseError, match=fault):
            make_release(Course(tiny.course.root).assignment("tiny"))
        assert (tiny.release / "tiny.ipynb").read_bytes() == before

    def test_an_id_cannot_change_under_a_graded_class(self, tiny: Assignment) -> None:
        """nbgrader's own objection reaches the instructor."""
        from gradlab_staff.gradebook import save_cells

        hand_in(tiny)
        enter(tiny, verdict())
        cells = instructor_cells()
        cells[1]["metadata"]["nbgrader"]["grade_id"] = "renamed"
        write(tiny.notebook, notebook(cells))
        with pytest.raises(CourseError, match="Cannot add or remove cells"):
            save_cells(Course(tiny.course.root).assignment("tiny"))

    def test_settings_that_do_not_run_are_named(self, tiny: Assignment) -> None:
        """A broken nbgrader_config.py is the instructor's to fix."""
        from gradlab_staff.gradebook import make_release

        (tiny.course.root / "nbgrader_config.py").write_text("1/0")
        with pytest.raises(CourseError, match=r"nbgrader_config\.py: expected nbgrader's settings"):
            make_release(tiny)


class TestScores:
    """The rows of the gradebook are those that nbgrader would write."""

    def test_scores_are_automatic(self, tiny: Assignment) -> None:
        """Machine-graded cells get their scores, answered questions wait for a person."""
        hand_in(tiny, **SOLVED)
        enter(tiny, verdict(double=0.5))
        assert grades(tiny) == {
            "double": (2.0, None, None, 0),
            "halve": (2.0, None, None, 0),
            "inline_question_1": (None, None, None, 1),
        }
        assert comments(tiny) == dict.fromkeys(["double_solution", "halve_solution", "inline_question_1"], (None, None))

    def test_unanswered_questions_score_zero(self, tiny: Assignment) -> None:
        """What is as released gets nbgrader's own words."""
        hand_in(tiny)
        enter(tiny, verdict(double=0, halve=0))
        assert grades(tiny)["inline_question_1"] == (0.0, None, None, 0)
        assert set(comments(tiny).values()) == {("No response.", None)}

    def test_what_a_person_gave_survives_a_regrade(self, tiny: Assignment) -> None:
        """Scores, extra credit and comments by hand stay; a changed verdict asks for another look."""
        hand_in(tiny, **SOLVED)
        enter(tiny, verdict(double=0.5))
        change(tiny, "UPDATE grade SET manual_score = 3.5, extra_credit = 0.25, needs_manual_grade = 0")
        change(tiny, "UPDATE comment SET manual_comment = 'Well argued.'")
        enter(tiny, verdict(double=1))
        assert grades(tiny)["double"] == (4.0, 3.5, 0.25, 1)
        assert grades(tiny)["inline_question_1"] == (None, 3.5, 0.25, 1)
        assert set(comments(tiny).values()) == {(None, "Well argued.")}
        assert "Well argued." in page(tiny)
        assert "3.75 of 4 points, given by hand" in page(tiny)

    def test_an_unchanged_regrade_asks_for_no_second_look(self, tiny: Assignment) -> None:
        """What a person has resolved stays resolved until something changes."""
        hand_in(tiny, **SOLVED)
        enter(tiny, verdict())
        change(tiny, "UPDATE grade SET manual_score = 2, needs_manual_grade = 0")
        enter(tiny, verdict())
        assert {flag for *_, flag in grades(tiny).values()} == {0}

    @pytest.mark.parametrize(("stamp", "late"), [("2026-03-01 12:00:00 UTC", 4.0), ("2026-01-01 12:00:00 UTC", None)])
    def test_late_penalties_are_the_plugins(self, tiny: Assignment, stamp: str, late: float | None) -> None:
        """The course's late plugin decides; timestamp.txt says when it was."""
        with (tiny.course.root / "nbgrader_config.py").open("a") as config:
            config.write('\nc.LateSubmissionPlugin.penalty_method = "zero"\n')
        change(tiny, "UPDATE assignment SET duedate = '2026-02-01 00:00:00.000000'")
        folder = hand_in(tiny, **SOLVED)
        write(folder / "timestamp.txt", stamp)
        enter(tiny, verdict(double=0.5))
        assert query(tiny, "SELECT late_submission_penalty FROM submitted_notebook") == [(late,)]
        assert ("after a late penalty of 4" in page(tiny)) == (late is not None)

    def test_a_timestamp_that_says_nothing_is_none(self, tiny: Assignment) -> None:
        """A broken timestamp.txt stops nobody."""
        write(hand_in(tiny) / "timestamp.txt", "some day")
        enter(tiny, verdict())
        assert query(tiny, "SELECT timestamp FROM submitted_assignment") == [(None,)]

    def test_a_score_never_exceeds_its_points(self, tiny: Assignment) -> None:
        """nbgrader loses a submission whose score is rounded above the points."""
        from dataclasses import replace

        hand_in(tiny)
        full = verdict()
        odd = replace(full, exercises=(replace(full.exercises[0], points=0.375), full.exercises[1]))
        enter(tiny, odd)
        assert grades(tiny)["double"][0] == 0.375


class TestNotebook:
    """What formgrader opens."""

    def test_locked_cells_are_restored_and_answers_kept(self, tiny: Assignment) -> None:
        """The student's answers and outputs stay; the assignment's own cells read as released."""
        shown = {"output_type": "stream", "name": "stdout", "text": "mine\n"}
        cells = by_id(solve(released_cells(tiny), SOLVED)["cells"])
        cells["setup"]["source"] = "import os  # mine"
        cells["double_solution"]["outputs"] = [shown]
        submit(tiny, "student_01", notebook([*cells.values(), code("print('added')"), prose("my notes")]))
        enter(tiny, verdict())
        got = by_id(graded_cells(tiny))
        assert got["setup"]["source"] == "from gradlab import check"
        assert got["double_solution"]["source"] == DOUBLED
        assert got["double_solution"]["outputs"] == [shown]
        assert [cell["source"] for cell in graded_cells(tiny)][-2:] == ["print('added')", "my notes"]

    def test_grade_cells_show_the_verdict(self, tiny: Assignment) -> None:
        """A forged output is gone; the report and the score, as nbgrader reads it, stand in its place."""
        cells = by_id(solve(released_cells(tiny), SOLVED)["cells"])
        cells["double"]["outputs"] = [
            {"output_type": "execute_result", "execution_count": 1, "metadata": {}, "data": {"text/plain": "banana"}}
        ]
        submit(tiny, "student_01", notebook(list(cells.values())))
        enter(tiny, verdict(double=0.5))
        report, score = by_id(graded_cells(tiny))["double"]["outputs"]
        assert report["text"].startswith("tiny/double: 2 of 4 points\n✓ It works for 3.")
        assert "Likely cause: forgot to double." in report["text"]
        assert score["data"] == {"text/plain": "2.0"}

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda cells: [],
            lambda cells: [cell for cell in cells if cell["cell_type"] == "markdown"],
            lambda cells: [*cells, *cells],
            lambda cells: cells[::-1],
            lambda cells: [{**cell, "metadata": {}} for cell in cells],
            lambda cells: [*cells, code("x", "no_such_cell", grade=True, points=99)],
            lambda cells: [{**cell, "cell_type": "raw"} for cell in cells],
            lambda cells: [{**cell, "metadata": {"nbgrader": {"grade_id": 3}}} for cell in cells],
        ],
        ids=["no cells", "no code", "all twice", "reversed", "no metadata", "foreign id", "all raw", "odd metadata"],
    )
    def test_any_notebook_becomes_a_valid_one(
        self, tiny: Assignment, spoil: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]
    ) -> None:
        """Each id of the assignment stands in it once, with nbgrader's metadata, whatever was handed in."""
        import nbformat
        from nbgrader.nbgraderformat import MetadataValidator

        submit(tiny, "student_01", notebook(spoil(solve(released_cells(tiny), SOLVED)["cells"])))
        enter(tiny, verdict())
        node = nbformat.from_dict({**notebook(graded_cells(tiny))})
        nbformat.validate(node)
        MetadataValidator().validate_nb(node)
        expected = [cell["metadata"]["nbgrader"]["grade_id"] for cell in instructor_cells() if cell["metadata"]]
        got = [cell["metadata"]["nbgrader"] for cell in graded_cells(tiny) if "nbgrader" in cell["metadata"]]
        assert sorted(cell["grade_id"] for cell in got) == sorted(expected)

    def test_cells_without_metadata_are_recognised(self, tiny: Assignment) -> None:
        """A stripped solution cell is the student's answer still, for formgrader as for the graders."""
        cells = solve(released_cells(tiny), SOLVED)["cells"]
        submit(tiny, "student_01", notebook([{**cell, "metadata": {}} for cell in cells]))
        enter(tiny, verdict())
        assert by_id(graded_cells(tiny))["double_solution"]["source"] == DOUBLED
        assert comments(tiny)["double_solution"] == (None, None)

    def test_of_copies_the_changed_one_counts(self, tiny: Assignment) -> None:
        """A released copy below the solution does not hide it."""
        cells = released_cells(tiny)
        submit(tiny, "student_01", notebook([*solve(cells, SOLVED)["cells"], by_id(cells)["double_solution"]]))
        enter(tiny, verdict())
        assert by_id(graded_cells(tiny))["double_solution"]["source"] == DOUBLED

    def test_nothing_in_it_acts_in_a_browser(self, tiny: Assignment) -> None:
        """HTML, scripts and odd images of a student's are gone; formgrader puts what is left into its page."""
        evil = '<script>alert(1)</script> <img src=x onerror="alert(1)"> [x](JavaScript:alert(1))'
        cells = by_id(solve(released_cells(tiny), {**SOLVED, "inline_question_1": evil})["cells"])
        cells["double_solution"]["outputs"] = [
            {"output_type": "display_data", "metadata": {}, "data": {"text/html": evil, "image/svg+xml": evil}},
            {"output_type": "display_data", "metadata": {}, "data": {"image/png": '"><script>'}},
            {"output_type": "error", "ename": 3, "evalue": None, "traceback": ["\x1b[31mred\x1b[0m", 4]},
            {"output_type": "stream", "name": "stdout", "text": ["\x1b]8;;http://x\x07", "link\n"]},
            {"output_type": "stream", "text": "line\n" * 5000},
            "no output",
            {},
        ]
        raw = {"cell_type": "raw", "metadata": {"raw_mimetype": "text/html"}, "source": evil}
        submit(tiny, "student_01", notebook([*cells.values(), prose(evil), raw]))
        enter(tiny, verdict())
        text = (tiny.course.root / "autograded" / "student_01" / "tiny" / "tiny.ipynb").read_text()
        for dangerous in ("<script", "<img", "raw_mimetype", "JavaScript:", "u001b", 'text/html":'):
            assert dangerous not in text
        outputs = by_id(graded_cells(tiny))["double_solution"]["outputs"]
        streams = [output["text"] for output in outputs if "text" in output]
        assert streams[0] == "link\n"
        assert streams[1].count("\n") == 999
        assert streams[1].endswith("... Output truncated ...")

    def test_files_beside_the_notebook(self, tiny: Assignment) -> None:
        """What was handed in beside it is copied, the assignment's own files win, and links are skipped."""
        folder = hand_in(tiny)
        write(folder / "figures" / "net.txt", "mine")
        write(folder / "public_checks.py", "forged")
        (folder / "link.txt").symlink_to(tiny.notebook)
        enter(tiny, verdict())
        graded = tiny.course.root / "autograded" / "student_01" / "tiny"
        assert (graded / "figures" / "net.txt").read_text() == "mine"
        assert "forged" not in (graded / "public_checks.py").read_text()
        assert not (graded / "link.txt").exists()
        shutil.rmtree(folder / "figures")
        enter(tiny, verdict())
        assert sorted(path.name for path in graded.iterdir()) == ["public_checks.py", "tiny.ipynb"]


class TestAnswers:
    """What is written in words goes to a person, who sees all of it in the question's cell."""

    def test_an_answer_in_a_cell_of_its_own_is_seen(self, tiny: Assignment) -> None:
        """It stands in the question's cell, below the question, and nowhere else; on the student's page too."""
        submit(tiny, "student_01", notebook([*solve(released_cells(tiny), {})["cells"], prose("Because <it> is.")]))
        enter(tiny, verdict())
        assert grades(tiny)["inline_question_1"] == (None, None, None, 1)
        assert comments(tiny)["inline_question_1"] == (None, None)
        assert by_id(graded_cells(tiny))["inline_question_1"]["source"] == (
            "**Why?**\n\n*Your answer here.*\n\nBecause <it> is.".replace("<it", "< it")
        )
        assert "".join(cell["source"] for cell in graded_cells(tiny)).count("Because") == 1
        assert "Because &lt; it&gt; is." in page(tiny)

    def test_words_that_cannot_be_placed_are_seen(self, tiny: Assignment) -> None:
        """They stay where they are, and are quoted in the cell of the question that was left open."""
        cells = solve(released_cells(tiny), {})["cells"]
        submit(tiny, "student_01", notebook([prose("My notes.\n\n- *Because.*"), *cells]))
        enter(tiny, verdict())
        assert grades(tiny)["inline_question_1"] == (None, None, None, 1)
        source = by_id(graded_cells(tiny))["inline_question_1"]["source"]
        assert source.startswith("**Why?**\n\n*Your answer here.*\n\n---")
        assert source.endswith("Cell 1:\n\n> My notes.\n> \n> - *Because.*")
        assert graded_cells(tiny)[0]["source"] == "My notes.\n\n- *Because.*"
        assert page(tiny).count("- *Because.*") == 2

    def test_a_comment_in_the_code_above_a_question_is_seen(self, tiny: Assignment) -> None:
        """It is quoted with the question, and stays in its cell; the question goes to a person."""
        cells = solve(released_cells(tiny), SOLVED)["cells"]
        named = by_id(cells)
        named["inline_question_1"]["source"] = by_id(released_cells(tiny))["inline_question_1"]["source"]
        last = [cell for cell in cells if cell["cell_type"] == "code"][-1]
        last["source"] = "".join(last["source"]) + "\n# Because <it> averages over the epoch."
        submit(tiny, "student_01", notebook(cells))
        enter(tiny, verdict())
        assert grades(tiny)["inline_question_1"] == (None, None, None, 1)
        source = by_id(graded_cells(tiny))["inline_question_1"]["source"]
        assert "Nothing was written here" in source
        assert "> Because < it> averages over the epoch." in source

    def test_a_picture_without_a_link_is_seen(self, tiny: Assignment) -> None:
        """It is attached to the question's cell, and its link is lost."""
        cells = solve(released_cells(tiny), {})["cells"]
        cells[-1]["attachments"] = {"my plot.png": {"image/png": encoded(png())}}
        submit(tiny, "student_01", notebook(cells))
        enter(tiny, verdict())
        assert grades(tiny)["inline_question_1"] == (None, None, None, 1)
        link = f'src="data:image/png;base64,{encoded(png())}"'
        assert (link in formgrader(tiny), link in page(tiny)) == (True, True)

    def test_an_answered_question_is_not_asked_about_twice(self, tiny: Assignment) -> None:
        """What stands elsewhere is the student's business then."""
        cells = solve(released_cells(tiny), SOLVED)["cells"]
        submit(tiny, "student_01", notebook([prose("My notes."), *cells]))
        enter(tiny, verdict())
        assert by_id(graded_cells(tiny))["inline_question_1"]["source"] == WHY
        assert "My notes." in page(tiny)

    def test_a_long_text_that_cannot_be_placed_is_begun(self, tiny: Assignment) -> None:
        """Whoever marks it sees as much of it as there is room for."""
        submit(tiny, "student_01", notebook([prose("why " * 5000), *solve(released_cells(tiny), {})["cells"]]))
        enter(tiny, verdict())
        assert by_id(graded_cells(tiny))["inline_question_1"]["source"].count("why ") > 4000

    def test_much_that_cannot_be_placed_is_bounded(self, tiny: Assignment) -> None:
        """The question's cell names how much more there is."""
        notes = [prose(f"Note {number}: {'x' * 3000}") for number in range(30)]
        submit(tiny, "student_01", notebook([*notes, *solve(released_cells(tiny), {})["cells"]]))
        enter(tiny, verdict())
        source = by_id(graded_cells(tiny))["inline_question_1"]["source"]
        assert len(source) < 20_000
        assert re.search(r"\d+ more of the cells below and above", source)

    def test_a_space_is_no_answer(self, tiny: Assignment) -> None:
        """A question's cell with a blank line more, or emptied, is still a zero by machine."""
        for answer in ("**Why?**\n\n\n*Your answer here.* \n", "  \n"):
            hand_in(tiny, inline_question_1=answer)
            enter(tiny, verdict())
            assert grades(tiny)["inline_question_1"] == (0.0, None, None, 0)
            assert comments(tiny)["inline_question_1"] == ("No response.", None)

    @pytest.mark.parametrize("picture", [png(), None], ids=["pasted", "refused"])
    def test_an_answer_that_is_a_picture_is_seen(self, tiny: Assignment, picture: bytes | None) -> None:
        """In formgrader, from the notebook; on the student's page; where it is refused, a person is told so."""
        cells = solve(released_cells(tiny), {"inline_question_1": "![image.png](attachment:image.png)"})["cells"]
        cells[-1]["attachments"] = {"image.png": {"image/png": encoded(picture or b"no picture")}}
        submit(tiny, "student_01", notebook(cells))
        enter(tiny, verdict())
        assert grades(tiny)["inline_question_1"] == (None, None, None, 1)
        link = f'src="data:image/png;base64,{encoded(png())}"'
        assert (link in formgrader(tiny), link in page(tiny)) == (bool(picture), bool(picture))
        assert picture or "picture not shown: image.png" in formgrader(tiny)

    def test_a_picture_in_own_prose_and_beside_the_notebook(self, tiny: Assignment) -> None:
        """Both are shown to the TA, and stand on the student's page."""
        red, blue = png((200, 0, 0)), png((0, 0, 200))
        note = {
            **prose("![image.png](attachment:image.png) ![plot](plot.png) ![x](/hub/logout)"),
            "attachments": {"image.png": {"image/png": encoded(red)}},
        }
        folder = submit(tiny, "student_01", notebook([note, *solve(released_cells(tiny), SOLVED)["cells"]]))
        (folder / "plot.png").write_bytes(blue)
        enter(tiny, verdict())
        links = re.findall(r'<img[^>]*? src="([^"]*)"', formgrader(tiny))
        assert links == [f"data:image/png;base64,{encoded(red)}", "plot.png"]
        assert (tiny.course.root / "autograded" / "student_01" / "tiny" / "plot.png").read_bytes() == blue
        assert all(f"data:image/png;base64,{encoded(picture)}" in page(tiny) for picture in (red, blue))

    def test_an_instructors_pictures_stay(self, template: Assignment, tmp_path: Path) -> None:
        """In prose, known by its text, and in a question; also where the student's notebook has lost them."""
        from gradlab_staff.gradebook import make_release

        shutil.copytree(template.course.root, tmp_path / "course")
        (tmp_path / "course" / "gradebook.db").unlink()
        tiny = Course(tmp_path / "course").assignment("tiny")
        cells = instructor_cells()
        for index, colour in ((0, (200, 0, 0)), (-1, (0, 0, 200))):
            cells[index]["attachments"] = {"fig.png": {"image/png": encoded(png(colour))}}
            cells[index]["source"] = f"<b>Look</b>: ![fig](attachment:fig.png)\n\n{cells[index]['source']}"
        write(tiny.notebook, notebook(cells))
        make_release(tiny)
        pictures = [f"data:image/png;base64,{encoded(png(colour))}" for colour in ((200, 0, 0), (0, 0, 200))]
        for lost in (False, True):
            given = released_cells(tiny)
            assert given[0]["attachments"] == cells[0]["attachments"]
            kept = [{**cell, "attachments": {}} for cell in given] if lost else given
            for answer in ("", "A new answer."):
                source = given[-1]["source"] if not answer else f"{''.join(given[-1]['source'])}\n\n{answer}"
                submit(tiny, "student_01", solve(kept, {"inline_question_1": source}))
                enter(tiny, verdict())
                assert re.findall(r'<img[^>]*? src="([^"]*)"', formgrader(tiny)) == pictures
                assert grades(tiny)["inline_question_1"][0] == (None if answer else 0.0)
                assert "<b>Look</b>" in graded_cells(tiny)[0]["source"]


def formgrader(assignment: Assignment) -> str:
    """The notebook as formgrader's exporter makes a page of it."""
    from nbconvert.exporters import HTMLExporter

    path = assignment.course.root / "autograded" / "student_01" / "tiny" / "tiny.ipynb"
    html: str = HTMLExporter().from_filename(str(path))[0]
    return html


class TestTrouble:
    """What may go wrong, and what is left then."""

    def test_a_fresh_clone_has_no_gradebook(self, tiny: Assignment) -> None:
        """It is made from the source, and release/ stays as it is."""
        (tiny.course.root / "gradebook.db").unlink()
        shutil.rmtree(tiny.release)
        hand_in_from = solve(instructor_cells(), {})
        submit(tiny, "student_01", hand_in_from)
        enter(tiny, verdict())
        assert grades(tiny)["double"] == (4.0, None, None, 0)
        assert not tiny.release.exists()

    def test_other_points_than_the_notebooks_stop_grading(self, tiny: Assignment) -> None:
        """The gradebook and the source must agree before anything is entered."""
        change(tiny, "UPDATE grade_cells SET max_score = 5 WHERE max_score = 4")
        with pytest.raises(GradebookError, match=r"got others for double\. .* gradlab release tiny"):
            enter(tiny)

    def test_a_locked_gradebook_is_waited_for(self, tiny: Assignment) -> None:
        """Another program's write delays ours, and no more."""
        hand_in(tiny)
        with locked(tiny) as release:
            threading.Timer(0.5, release).start()
            enter(tiny, verdict())
        assert grades(tiny)["double"][0] == 4.0

    def test_a_gradebook_that_stays_locked_is_an_error(self, tiny: Assignment, monkeypatch: pytest.MonkeyPatch) -> None:
        """The message says who may hold it; nothing of the submission is entered."""
        monkeypatch.setattr("gradlab_staff.gradebook.rows.LOCK_WAIT_S", 0.1)
        with (tiny.course.root / "nbgrader_config.py").open("a") as config:  # SQLite itself waits for 5 s
            config.write(f'\nc.CourseDirectory.db_url = "sqlite:///{tiny.course.root}/gradebook.db?timeout=0.1"\n')
        hand_in(tiny)
        with locked(tiny), pytest.raises(GradebookError, match="another program holds the gradebook"):
            enter(tiny, verdict())
        assert grades(tiny) == {}

    def test_a_file_that_is_no_gradebook_is_named(self, tiny: Assignment) -> None:
        """A corrupt gradebook is not touched."""
        (tiny.course.root / "gradebook.db").write_text("no database at all, but long enough to have a header " * 5)
        with pytest.raises(GradebookError, match="expected nbgrader's gradebook"):
            enter(tiny)

    def test_folders_that_cannot_be_written_leave_no_score(self, tiny: Assignment) -> None:
        """Rows and files go together."""
        hand_in(tiny)
        write(tiny.course.root / "autograded" / "student_01", "a file where a folder should be")
        with pytest.raises(GradebookError, match="expected to write autograded/"):
            enter(tiny, verdict())
        assert grades(tiny) == {}

    def test_a_mark_on_an_answer_that_was_not_entered_is_looked_at_again(self, tiny: Assignment) -> None:
        """Where the page cannot be written, the new notebook in autograded/ must not pass for one that was entered."""
        hand_in(tiny)
        enter(tiny, verdict())
        change(tiny, "UPDATE grade SET manual_score = 1, needs_manual_grade = 0")
        hand_in(tiny, inline_question_1="Another answer.")
        page = tiny.course.root / "feedback" / "student_01"
        shutil.move(page, page.with_name("away"))
        write(page, "a file where a folder should be")
        with pytest.raises(GradebookError, match="Entered nothing"):
            enter(tiny, verdict())
        page.unlink()
        enter(tiny, verdict())
        assert grades(tiny)["inline_question_1"][3] == 1

    def test_files_of_64_mib_are_copied(self, tiny: Assignment) -> None:
        """And no more, however many there are."""
        folder = hand_in(tiny)
        for number in range(6):
            write(folder / f"{number}.bin", "")
            os.truncate(folder / f"{number}.bin", 15 << 20)
        enter(tiny, verdict())
        graded = tiny.course.root / "autograded" / "student_01" / "tiny"
        assert len(list(graded.glob("*.bin"))) == 4


class locked:
    """The gradebook, held by another program."""

    def __init__(self, assignment: Assignment) -> None:
        self.db = sqlite3.connect(assignment.course.root / "gradebook.db", check_same_thread=False)

    def __enter__(self) -> Callable[[], None]:
        self.db.execute("BEGIN IMMEDIATE")
        return self.db.rollback

    def __exit__(self, *_: object) -> None:
        self.db.rollback()
        self.db.close()


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # nbgrader makes its rows in an order that 2.1 minds
class TestNbgraderCommands:
    """What gradlab wrote is an ordinary nbgrader course."""

    @pytest.fixture
    def nbgrader(self, tiny: Assignment, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
        """Run a command of nbgrader's in the course."""
        from nbgrader.apps import AutogradeApp, ExportApp, GenerateAssignmentApp, GenerateFeedbackApp

        apps = (AutogradeApp, ExportApp, GenerateAssignmentApp, GenerateFeedbackApp)
        by_name = {app.name.removeprefix("nbgrader-").replace("-", "_"): app for app in apps}
        monkeypatch.chdir(tiny.course.root)

        def run(command: str, *arguments: str) -> None:
            app = by_name[command]()
            app.initialize([*arguments, "--log-level=CRITICAL"])
            app.start()

        return run

    def test_export(self, tiny: Assignment, nbgrader: Callable[..., None]) -> None:
        """`nbgrader export` lists the scores."""
        write(hand_in(tiny, **SOLVED) / "timestamp.txt", "2026-01-01 10:00:00 UTC")
        enter(tiny, verdict(double=0.5))
        nbgrader("export")
        with (tiny.course.root / "grades.csv").open() as file:
            (row,) = csv.DictReader(file)
        assert (row["student_id"], row["score"], row["max_score"]) == ("student_01", "4.0", "9.0")
        assert row["timestamp"] == "2026-01-01 10:00:00"

    def test_generate_feedback(self, tiny: Assignment, nbgrader: Callable[..., None]) -> None:
        """`nbgrader generate_feedback` writes our page, with what a person said since."""
        hand_in(tiny, **SOLVED)
        enter(tiny, verdict(double=0.5))
        change(tiny, "UPDATE comment SET manual_comment = 'Say more.'")
        nbgrader("generate_feedback", "tiny", "--force")
        assert "Say more." in page(tiny)
        assert "forgot to double" in page(tiny)

    def test_generate_assignment(self, tiny: Assignment, nbgrader: Callable[..., None]) -> None:
        """`nbgrader generate_assignment` releases what gradlab releases."""
        ours = released_cells(tiny)
        nbgrader("generate_assignment", "tiny", "--force")
        assert released_cells(tiny) == ours

    def test_autograde(self, tiny: Assignment, nbgrader: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
        """`nbgrader autograde` takes the same verdicts to the same rows and the same notebook."""
        hand_in(tiny, **SOLVED)
        enter(tiny, verdict(double=0.5))
        ours, our_cells = grades(tiny), by_id(graded_cells(tiny))
        change(tiny, "UPDATE grade SET auto_score = NULL")
        result = Graded("student_01", verdict(double=0.5), notebook=handed_in(tiny))
        monkeypatch.setattr("gradlab_staff.grading.batch.grade_received", lambda *_: result)
        nbgrader("autograde", "tiny", "--force")
        assert grades(tiny) == ours
        assert joined(by_id(graded_cells(tiny))) == our_cells

    def test_autograde_asks_a_person_about_every_answer(
        self, tiny: Assignment, nbgrader: Callable[..., None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An answer below the question's cell, with a picture: nbgrader's own checksum says that it was answered."""
        answer = {
            **prose("See ![image.png](attachment:image.png)"),
            "attachments": {"image.png": {"image/png": encoded(png())}},
        }
        submit(tiny, "student_01", notebook([*solve(released_cells(tiny), {})["cells"], answer]))
        result = Graded("student_01", verdict(), notebook=handed_in(tiny))
        monkeypatch.setattr("gradlab_staff.grading.batch.grade_received", lambda *_: result)
        nbgrader("autograde", "tiny", "--create", "--force")
        assert grades(tiny)["inline_question_1"] == (None, None, None, 1)
        link = f'src="data:image/png;base64,{encoded(png())}"'
        assert link in formgrader(tiny)
        nbgrader("generate_feedback", "tiny", "--force")
        assert link in page(tiny)

    def test_autograde_writes_no_score_that_it_does_not_have(
        self, tiny: Assignment, nbgrader: Callable[..., None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A failure of the kit fails the submission and no other."""
        submit(tiny, "student_01", solve(released_cells(tiny), SOLVED))
        result = Graded("student_01", None, "the kit broke")
        monkeypatch.setattr("gradlab_staff.grading.batch.grade_received", lambda *_: result)
        with pytest.raises(SystemExit):
            nbgrader("autograde", "tiny", "--force")
        assert {auto for auto, *_ in grades(tiny).values()} == {None}
        assert not (tiny.course.root / "autograded" / "student_01" / "tiny").exists()


def joined(value: Any) -> Any:
    """The value without nbformat's freedom to write a text as a list of lines."""
    if isinstance(value, dict):
        return {key: joined(part) for key, part in value.items()}
    if isinstance(value, list):
        return "".join(value) if value and all(isinstance(line, str) for line in value) else list(map(joined, value))
    return value
