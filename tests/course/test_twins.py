"""A submission sees what it is asked, and when, and must not learn from it how it fares."""

import functools
import statistics
import time
from pathlib import Path

import pytest
from twins import GARBLED, longer, told, traced, wrong_solutions

from gradlab_staff.course import Course
from gradlab_staff.grading import plugin
from gradlab_staff.grading.run import new_seed
from gradlab_staff.grading.verdict import Outcome

COURSE = Course.find(Path(__file__))
ALONE = 5  # wrong solutions an exercise that `make thorough` tries one by one; `make twins` tries all
DEAR = {"tuning"}  # exercises that only `make thorough` and `make twins` run: as long as all others of an assignment
SEED = new_seed()


def quick(name):
    """The exercises of an assignment that `make test` runs."""
    return tuple(one.name for one in COURSE.assignment(name).exercises if one.name not in DEAR)


@functools.cache
def right_twin(name, exercises=None):
    """What the instructor's own is asked, by the checks of some exercises or of all."""
    return traced(COURSE.assignment(name), {}, SEED, exercises)


def in_rounds(assignment):
    """Notebooks of wrong solutions, one for each exercise: most graders have the reference in their place."""
    by_exercise = {exercise.name: [] for exercise in assignment.exercises}
    for _, exercise, sources in wrong_solutions(assignment):
        if set(sources) == {exercise}:
            by_exercise[exercise].append(sources)
    for number in range(max(map(len, by_exercise.values()))):
        several = [some[number] for some in by_exercise.values() if number < len(some)]
        yield {name: source for one in several for name, source in one.items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", COURSE.assignments)
def test_wrong_solutions_are_asked_what_right_ones_are(name):
    """The same requests in the same order, whether what comes back is right or wrong, there and in later exercises."""
    sources = next(in_rounds(COURSE.assignment(name)))
    wrong = traced(COURSE.assignment(name), sources, SEED, quick(name))
    assert told(right_twin(name, quick(name)), wrong) == [], f"seed {SEED}"


@pytest.mark.slow
@pytest.mark.parametrize("name", COURSE.assignments)
@pytest.mark.parametrize(
    "how", [pytest.param(how, marks=[] if how == "not a number" else [pytest.mark.thorough]) for how in GARBLED]
)
def test_what_a_reply_holds_changes_no_request(name, how):
    """Where the grader reads other numbers than the host sent, it asks the same: nothing depends on them."""
    garbled = traced(COURSE.assignment(name), {}, SEED, quick(name), GARBLED[how])
    assert garbled.failed
    assert told(right_twin(name, quick(name)), garbled) == [], f"seed {SEED}"


@pytest.mark.slow
def test_a_wrong_forward_pass_does_not_show_in_the_exercises_after_it():
    """dropout_backward is asked on the masks of dropout_forward: as often, whatever these are worth."""
    source = """
def dropout_forward(x, dropout_param):
    mask = (np.random.rand(*x.shape) < dropout_param["p"]) / dropout_param["p"]
    return x * np.nan, (dropout_param, mask)
"""
    exercises = ["dropout_forward", "dropout_backward"]
    wrong = traced(COURSE.assignment("dropout"), {"dropout_forward": source}, SEED, exercises)
    assert told(right_twin("dropout", quick("dropout")), wrong) == [], f"seed {SEED}"


@pytest.mark.thorough
@pytest.mark.parametrize("name", COURSE.assignments)
def test_each_wrong_solution_alone_is_asked_what_right_ones_are(name):
    """In its own exercise, and the first of each in those after it, too."""
    assignment, seen = COURSE.assignment(name), {}
    order = [exercise.name for exercise in assignment.exercises]
    for wrong, exercise, sources in wrong_solutions(assignment):
        seen[exercise] = seen.get(exercise, 0) + 1
        if seen[exercise] <= ALONE:
            exercises = order[order.index(exercise) :] if seen[exercise] == 1 else [exercise]
            trace = traced(assignment, sources, SEED, exercises)
            assert told(right_twin(name), trace) == [], f"{wrong}, seed {SEED}"


@pytest.mark.slow
def test_what_takes_longer_where_a_check_failed_is_seen(monkeypatch):
    """The wait after a check is a series of its own: among the gaps within checks it would not show at the median."""
    perform = plugin.perform

    def slow(item, nextitem, run):
        performed = perform(item, nextitem, run)
        if performed.result.outcome is not Outcome.PASSED:
            time.sleep(0.025)
        return performed

    right = right_twin("two_layer_net", quick("two_layer_net"))
    source = next(one for _, exercise, one in wrong_solutions(COURSE.assignment("two_layer_net")) if "scores" in one)
    monkeypatch.setattr(plugin, "perform", slow)
    within, after = longer(right, traced(COURSE.assignment("two_layer_net"), source, SEED, ["scores"]))
    assert after
    assert statistics.median(after) > 0.015
    assert abs(statistics.median(within)) < 0.015
