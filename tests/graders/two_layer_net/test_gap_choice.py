"""What narrows the gap between training and test accuracy: the choice. The explanation is marked by hand."""

import numpy as np

from gradlab_staff.grading import expect, observe, weight

RIGHT = {1, 3}


def chosen(submission):
    """The numbers that were chosen; a set, list or tuple of them, or one number alone, is fine."""
    came = submission.gap_answers
    answers = list(came) if isinstance(came, set | frozenset | list | tuple) else [came]
    numbers = [str(answer).strip() for answer in answers if isinstance(answer, int | float | str | np.number)]
    expect(
        numbers and len(numbers) == len(answers),
        "gap_answers: expected a set of numbers, such as {2}, got something else.",
    )
    known = {name: value for value in (1, 2, 3, 4) for name in (str(value), f"{value}.0")}
    expect(all(name in known for name in numbers), "gap_answers: expected numbers from 1 to 4, got others.")
    found = {known[name] for name in numbers}
    observe(answers=sorted(found))
    return found


@weight(1, needs=("test_all_right_ones_are_chosen",))
def test_nothing_wrong_is_chosen(submission):
    """Only statements that narrow the gap are chosen, at least one.

    It counts only with all of them: one statement that is picked blindly is right as often as not.
    """
    expect(chosen(submission) <= RIGHT, "gap_answers: expected right statements only, got a wrong one among them.")


@weight(2)
def test_all_right_ones_are_chosen(submission):
    """Every statement that narrows the gap is chosen, and no other."""
    found = chosen(submission)
    if found <= RIGHT:
        expect(found == RIGHT, "gap_answers: what was chosen is right, but not all that is right was chosen.")
    expect(found == RIGHT, "gap_answers: expected all right statements and no other. Think of each by itself.")
