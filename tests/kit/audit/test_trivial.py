"""Trivial answers: right in form and without any work, and reported where a grader pays for them."""

import json
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console
from tiny_course import make_course

from gradlab_staff.audit.audit import AuditOptions, audit
from gradlab_staff.audit.hollow import Hollow, hollow, spoiled
from gradlab_staff.audit.page import print_audit, write_page
from gradlab_staff.audit.triviality import trivial_answers
from gradlab_staff.errors import CourseError

# --- what is made ----------------------------------------------------------------------------------------


def cell(source, defined, how):
    """The names of a cell, hollow."""
    names = {"np": np}
    exec(source, names)  # noqa: S102 (the test's own text)
    hollow(names, defined, how)
    return names


FORMS = """
def answer(x):
    x += 1
    return {"a": x * 0.5, "n": 7, "labels": np.array([2, 5]), "history": [0.2, 0.9]}, None, "text", {1, 3}
"""


@pytest.mark.parametrize(("how", "number"), [("zeros", 0), ("ones", 1)])
def test_the_form_stays_and_the_numbers_go(how, number):
    """Keys, shapes, dtypes and lengths are the solution's; arguments are left alone."""
    x = np.ones((2, 3))
    answer, nothing, text, chosen = cell(FORMS, ["answer"], how)["answer"](x)
    assert np.array_equal(answer["a"], np.full((2, 3), number))
    assert (answer["n"], answer["history"]) == (number, [number, number])
    assert answer["labels"].dtype.kind == "i"
    assert (nothing, text, chosen) == (None, "text", {number})
    assert (x == 1).all()


def test_random_answers_are_of_their_kind():
    """Labels are whole numbers in their range, shares stay shares, and another call gives others."""
    answer = cell(FORMS, ["answer"], "random")["answer"]
    first, again = answer(np.zeros(500))[0], answer(np.zeros(500))[0]
    assert set(first["labels"]) <= set(range(6))
    assert min(first["history"]) >= 0
    assert max(first["history"]) <= 1
    assert (first["a"] != again["a"]).any()


def test_none_is_none():
    """A function does nothing, a number is none."""
    names = cell(FORMS + "rate = 0.1\n", ["answer", "rate"], "none")
    assert names["answer"](1) is None
    assert names["rate"] is None


TRAINING = """
def fit(net, rate):
    losses = []
    for _ in range(3):
        loss, grads = net.loss()
        losses.append(loss)
        for name in net.params:
            net.params[name] = net.params[name] - rate * grads[name]
    return losses


class Solver:
    def __init__(self, net):
        self.net, self.losses = net, []

    def train(self):
        self.losses = fit(self.net, 0.1)

    def best(self):
        return max(self.losses)
"""


class Net:
    """A net of one weight, which counts how often it is asked."""

    def __init__(self):
        self.params, self.asked = {"w": np.ones(2)}, 0

    def loss(self):
        self.asked += 1
        return float(self.params["w"].sum()), {"w": np.ones(2)}


@pytest.mark.parametrize("how", ["zeros", "ones", "random", "untrained"])
def test_no_training_takes_place(how):
    """The net is asked, for the form of the answer, and stays as it is; so it does under a class."""
    net = Net()
    names = cell(TRAINING, ["fit"], how)
    assert len(names["fit"](net, 0.1)) == 3
    assert net.asked == 3
    solver = cell(TRAINING, ["Solver"], how)["Solver"](net)
    solver.train()
    assert len(solver.losses) == 3
    assert (net.params["w"] == 1).all()
    if how == "zeros":
        assert solver.losses == [0, 0, 0]
        assert solver.best() == 0


def test_untrained_is_nothing_where_nothing_trains():
    """Or a right solution would be called trivial."""
    assert cell(FORMS, ["answer"], "untrained")["answer"](np.ones(2)) is None


def test_an_object_that_is_returned_is_hollow():
    """What is read of it is trivial, what is called has no effect; what is set is kept."""
    net = Net()
    empty = spoiled((net,), "zeros")[0]
    assert isinstance(empty, Hollow)
    assert (empty.params["w"] == 0).all()
    assert empty.loss()[0] == 0
    assert net.asked == 0
    empty.params = {"w": np.full(2, 5.0)}
    assert (net.params["w"] == 5).all()


# --- what is reported ------------------------------------------------------------------------------------


@pytest.fixture
def tiny(tmp_path):
    return make_course(tmp_path)


OPTIONS = AuditOptions(workers=1, seed=1, exercise="double", quick=True, sample=7)

GRADER = """
from gradlab_staff.grading import expect_close, weight


@weight(3)
def test_three(submission):
    "double 3 is 6."
    expect_close(submission.double(3.0), 6.0)


@weight(1{needs})
def test_zero(submission):
    "double 0 is 0."
    expect_close(submission.double(0.0), 0.0)
"""


def test_each_exercise_has_its_trivial_answers(tiny):
    """By each rule, for itself and with all others."""
    made = [one.name for one in trivial_answers(tiny)]
    assert {"double-zeros", "halve-random", "all-none", "all-ones"} <= set(made)
    assert len(set(made)) == len(made)


def test_a_choice_is_tried_in_every_other_way(tiny):
    """All sets of numbers but the right one, up to one more than the largest that is right; and the empty one."""
    notebook = json.loads(tiny.notebook.read_text())
    for one in notebook["cells"]:
        if one["metadata"].get("nbgrader", {}).get("grade_id") == "halve_solution":
            one["source"] = "### BEGIN SOLUTION choose\nchosen = {1, 3}\n### END SOLUTION\n"
    tiny.notebook.write_text(json.dumps(notebook))
    choices = {one.name for one in trivial_answers(tiny) if "chosen" in one.name}
    assert len(choices) == 15
    assert "halve-chosen-13" not in choices
    assert {"halve-chosen-nothing", "halve-chosen-1", "halve-chosen-1234"} <= choices


@pytest.mark.slow
def test_a_grader_that_pays_is_reported_until_it_has_a_gate(tiny, tmp_path):
    """Zeros are right at zero: the report says how much they earned, and by which checks."""
    (tiny.graders / "test_double.py").write_text(GRADER.format(needs=""))
    report = audit(tiny, OPTIONS)
    assert {(one.id, one.share, one.checks) for one in report.paid} == {
        (name, 0.25, ("test_zero",)) for name in ("double-zeros", "all-zeros")
    }
    assert report.faults == 2
    console = Console(record=True, width=200)
    print_audit(report, console)
    told = "double-zeros: expected this trivial answer to earn nothing of double, it earned 25% by test_zero"
    assert told in console.export_text()
    write_page([report], tmp_path / "audit.html")
    assert "not <code>all-zeros</code>: 25 % of double by test_zero" in (tmp_path / "audit.html").read_text()
    assert report.to_dict()["trivial_paid_of"][0]["exercise"] == "double"

    (tiny.graders / "test_double.py").write_text(GRADER.format(needs=', needs=("test_three",)'))
    report = audit(tiny, OPTIONS)
    assert report.faults == 0
    assert report.summary()["trivial"] == 7


BY_HAND = """
from gradlab_staff.audit import trivial


@trivial(exercise="{exercise}")
def x_itself() -> str:
    "What came in."
    return "def double(x):\\n    return x\\n"
"""


@pytest.mark.slow
def test_what_no_rule_makes_is_written_by_hand(tiny):
    """It is tried as the others are."""
    (tiny.graders / "test_double.py").write_text(GRADER.format(needs=""))
    (tiny.graders / "trivial.py").write_text(BY_HAND.format(exercise="double"))
    report = audit(tiny, replace(OPTIONS, sample=8))
    assert "double-x_itself" in {one.id for one in report.paid}


def test_a_trivial_answer_to_an_unknown_exercise_is_refused(tiny):
    """As a variant of one is."""
    (tiny.graders / "trivial.py").write_text(BY_HAND.format(exercise="treble"))
    with pytest.raises(CourseError, match="x_itself: expected exercises of tiny, got treble"):
        trivial_answers(tiny)
