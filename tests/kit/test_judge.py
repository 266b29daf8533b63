"""What graders call: untrusted replies become numbers or a failed check, and evidence compares as it should."""

import json
import math

import numpy as np
import pytest

from gradlab_staff.grading import chance, judge
from gradlab_staff.grading.evidence import about, collect, observe, same_evidence
from gradlab_staff.grading.marks import misconception, misconceptions_of, time_limit, weight


class Liar:
    """An object that pretends to be whatever it is asked for."""

    def __array__(self, dtype=None, copy=None):
        return np.ones(3)

    def __float__(self):
        return 1.0

    def __eq__(self, other):
        return True

    __hash__ = None

    def __repr__(self):
        return "<script>alert(1)</script>"


ODD = [
    None,
    "banana",
    b"x",
    Liar(),
    {"a": 1},
    {1},
    np.array(["a"]),
    np.array([None]),
    np.ones(3) * 1j,
    [1, "a"],
    [[1, 2], [3]],
]


@pytest.mark.parametrize("value", ODD, ids=lambda value: type(value).__name__)
def test_array_refuses_what_holds_no_numbers(value):
    """Whatever is no array of real numbers fails the check, in words that never come from the value."""
    with pytest.raises(judge.CheckFailed, match="expected") as failure:
        judge.array(value, what="dx")
    assert "script" not in str(failure.value)


@pytest.mark.parametrize(
    "value", [[1, 2, 3], (1.0, 2, np.float32(3)), np.array([1, 2, 3], dtype=np.uint8), range(1, 4)]
)
def test_array_takes_numbers_in_lists(value):
    """Lists and tuples of numbers are arrays too, as doubles; other containers are not."""
    if isinstance(value, range):
        with pytest.raises(judge.CheckFailed):
            judge.array(value, (3,))
    else:
        got = judge.array(value, (3,))
        assert got.dtype == np.float64
        assert got.tolist() == [1, 2, 3]


def test_array_names_the_shape_that_came():
    """A wrong shape is said as it came."""
    with pytest.raises(judge.CheckFailed, match=r"dx: expected shape \(3, 4\), got shape \(4, 3\)"):
        judge.array(np.ones((4, 3)), (3, 4), "dx")


def test_array_reports_the_first_entry_that_is_not_finite():
    """NaN and infinity are reported with their place."""
    with pytest.raises(judge.CheckFailed, match=r"nan at \[1, 0\] \(1 of 4\)"):
        judge.array(np.array([[1, 2], [np.nan, 3]]))


def test_array_is_a_copy():
    """What a check works with is its own."""
    given = np.zeros(3)
    judge.array(given)[0] = 1
    assert given[0] == 0


@pytest.mark.parametrize(
    "value", [None, "3", True, [1.0], np.ones(2), np.array("a"), 1j, Liar(), float("nan"), 10**400]
)
def test_number_refuses(value):
    """What is no finite number fails the check."""
    with pytest.raises(judge.CheckFailed, match="expected a"):
        judge.number(value, "loss")


@pytest.mark.parametrize("value", [2, 2.0, np.float32(2), np.array(2.0), np.array([[2]])])
def test_number_takes(value):
    """Scalars and arrays of one entry are numbers."""
    assert judge.number(value) == 2.0


def test_expect_close_shows_the_first_entry_that_differs():
    """The message gives shape, count, relative error, place, expected and got."""
    with pytest.raises(judge.CheckFailed) as failure:
        judge.expect_close([[1.0, 2.0], [3.0, 5.0]], [[1.0, 2.0], [3.0, 4.0]], "dx", hint="Look.")
    message = "dx: shape (2, 2), 1 of 4 entries differ, largest relative error 1.11e-01; the first is at [1, 1]: "
    assert str(failure.value) == message + "expected 4, got 5. Look."


def test_expect_close_survives_huge_numbers():
    """Numbers that overflow in the comparison fail it, and nothing else."""
    with collect(), pytest.raises(judge.CheckFailed):
        judge.expect_close([-1.7e308], [1.7e308], "dx")


def test_expect_one_of_takes_any_right_answer():
    """Each accepted answer passes; any other is compared with the first."""
    judge.expect_one_of([1.0], [[0.0], [1.0]])
    with pytest.raises(judge.CheckFailed, match="expected 0, got 2"):
        judge.expect_one_of([2.0], [[0.0], [1.0]])


def exact_tail(k, n, p):
    """Twice the smaller tail, summed term by term."""
    terms = [math.comb(n, j) * p**j * (1 - p) ** (n - j) for j in range(n + 1)]
    return min(1.0, 2 * min(sum(terms[: k + 1]), sum(terms[k:])))


@pytest.mark.parametrize(("n", "p"), [(1, 0.5), (10, 0.3), (50, 0.7), (7, 0.5), (200, 0.01)])
def test_binomial_tail_is_the_exact_sum(n, p):
    """The tail is that of the sums, for every count."""
    for k in range(n + 1):
        assert chance.binomial_tail(k, n, p) == pytest.approx(exact_tail(k, n, p), rel=1e-9)


def test_binomial_tail_of_certain_and_impossible_counts():
    """p of 0 and 1, and counts out of range, have the tails that they should."""
    assert [chance.binomial_tail(k, 5, 1.0) for k in (4, 5)] == [0.0, 1.0]
    assert [chance.binomial_tail(k, 5, 0.0) for k in (0, 1)] == [1.0, 0.0]
    assert chance.binomial_tail(-1, 5, 0.5) == chance.binomial_tail(6, 5, 0.5) == 0.0


def test_binomial_tail_of_many_draws_follows_the_normal_law():
    """For 250,000 draws the tail is near that of the normal distribution, far out too."""
    n, p = 250_000, 0.3
    sd = math.sqrt(n * p * (1 - p))
    for z in (0.5, 2.0, 6.0):
        expected = math.erfc(z / math.sqrt(2))
        assert chance.binomial_tail(round(n * p + z * sd), n, p) == pytest.approx(expected, rel=0.1)


def test_read_mask_finds_what_was_kept():
    """Entries are kept or dropped; zeros of the input cannot be read and count as dropped."""
    x = np.array([[1.0, -2.0], [3.0, 0.0]])
    assert chance.read_mask([[4.0, 0.0], [12.0, 0.0]], x, 0.25).tolist() == [[True, False], [True, False]]


def test_read_mask_refuses_another_scale():
    """A mask that was not divided by p fails, and the evidence says by what it was scaled."""
    with collect() as evidence, pytest.raises(judge.CheckFailed, match="4 times that of the input"):
        chance.read_mask(np.ones(5), np.ones(5), 0.25)
    assert evidence == {"scale of out": 0.25}


def test_mask_in_sees_into_plain_caches():
    """A mask is found wherever it lies, also its complement; opaque caches leave the question open."""
    kept = np.array([True, False, True])
    assert chance.mask_in(({"p": 0.5}, kept * 2.0), kept) is True
    assert chance.mask_in({"dropped": ~kept}, kept) is True
    assert chance.mask_in(({"p": 0.5}, None), kept) is False
    assert chance.mask_in(({"p": 0.5}, np.ones(3)), kept) is False
    assert chance.mask_in((Liar(),), kept) is None


def test_central_differences_take_the_entries_asked_for():
    """The slope is that of f, and NaN elsewhere."""
    slope = judge.central_differences(lambda x: float((x**2).sum()), [1.0, 2.0, 3.0], at=[(1,)])
    assert slope[1] == pytest.approx(4.0)
    assert np.isnan(slope[[0, 2]]).all()


def test_evidence_survives_json():
    """Whatever is observed is plain data for JSON, odd values and large arrays too."""
    with collect() as evidence:
        observe(
            a=1, b=np.float32(2), c=[1, 2], d=np.ones(100), e=Liar(), f=math.nan, g=about(0.3, 0.01), h="word", i=None
        )
        observe(j=[[1], [2, 3]], k=np.full(100, 1e308), m=True)
    again = json.loads(json.dumps(evidence, allow_nan=False))
    assert same_evidence(evidence, again)


def test_nothing_is_observed_outside_a_check():
    """Without a check, evidence goes nowhere and breaks nothing."""
    observe(a=1)


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ({"x": 1.0}, {"x": 1.0 + 1e-8}, True),
        ({"x": 1.0}, {"x": 1.0 + 1e-4}, False),
        ({"x": 1.0}, {"y": 1.0}, False),
        ({"x": [1.0, 0.0]}, {"x": [1.0, 1e-12]}, True),
        ({"x": [1.0, 2.0]}, {"x": [1.0]}, False),
        ({"x": "a"}, {"x": "b"}, False),
        ({"x": True}, {"x": 1.0}, False),
        ({"x": None}, {"x": None}, True),
        ({"x": math.nan}, {"x": math.nan}, True),
        ({"x": about(0.5, 0.01)}, {"x": about(0.55, 0.01)}, True),
        ({"x": about(0.5, 0.01)}, {"x": about(0.6, 0.01)}, False),
    ],
)
def test_same_evidence(a, b, same):
    """Numbers compare at 1e-6, estimates within six standard deviations, words exactly."""
    assert same_evidence(a, b) is same


def test_marks_carry_their_values():
    """A weight and a time limit are pytest marks, and must be positive."""
    assert weight(2).mark.args == (2,)
    assert time_limit(5).mark.args == (5,)
    assert weight(2, needs=("test_a",)).mark.kwargs == {"needs": ("test_a",)}
    with pytest.raises(ValueError, match="positive"):
        weight(0)
    with pytest.raises(ValueError, match="a tuple of names of checks, got 'test_a'"):
        weight(2, needs="test_a")


def test_misconceptions_are_found_in_their_module():
    """A misconception is registered under its function's name, with its source."""

    @misconception(exercise="dropout_forward", explanation="Two sentences. Like these.", hint="A hint.")
    def forgot() -> str:
        return "\nx = 1\n"

    module = type(judge)("misconceptions")
    module.forgot = forgot
    spec = misconceptions_of(module)["forgot"]
    assert (spec.exercise, spec.source) == ("dropout_forward", "x = 1\n")
