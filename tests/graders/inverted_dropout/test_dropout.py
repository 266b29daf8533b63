"""dropout drops each entry with probability drop_prob and divides what stays by 1 − drop_prob.

Every mask is read from the output, so any way to draw it is accepted. No drop probability is near 0.5, where keeping
and dropping look alike, except in the published example.
"""

import numpy as np

from gradlab_staff.grading import (
    alignment,
    array,
    attempt,
    binomial_tail,
    expect,
    expect_close,
    expect_share,
    function,
    instance,
    observe,
    read_ratio,
    unpack,
    weight,
)

DROPS = ("test_some_are_dropped",)


def the_function(submission, name):
    """A function of the notebook; a later cell may have made anything of its name."""
    return function(getattr(submission, name), name)


def of_autograd(submission, *path):
    """Something of the module autograd, as the notebook imports it."""
    thing = instance(submission.autograd, "autograd")
    for name in path:
        thing = instance(getattr(thing, name), f"autograd's {name}")
    return thing


def arguments_after(submission, name, arguments, calls):
    """What the arguments of a function are after some calls of it.

    A partial application keeps them in the sandbox, where we can look at them again.
    """
    partial = of_autograd(submission, "numpy", "numpy_vjps", "partial")(the_function(submission, name), *arguments)
    partial = instance(partial, "a partial application")
    for args, options in calls:
        attempt(lambda args=args, options=options: partial(*args, **options))
    return unpack(partial.args, tuple(f"argument {i}" for i, _ in enumerate(arguments, 1)), "arguments")


def dropout(submission, x, drop_prob):
    return the_function(submission, "dropout")(x, drop_prob)


def far_from_zero(rng, shape):
    """Entries of both signs, none so small that a mask could not be read from them."""
    return rng.choice([-1.0, 1.0], shape) * rng.uniform(0.5, 3.0, shape)


def drop_probabilities(rng):
    return {"a low drop_prob": round(rng.uniform(0.15, 0.35), 3), "a high drop_prob": round(rng.uniform(0.65, 0.85), 3)}


def judge_scale(out, x, drop_prob, what, rtol=1e-6):
    """Fail unless each entry is 0 or the input's, divided by 1 − drop_prob."""
    ratio = read_ratio(out, x, what)
    stays = np.nan_to_num(ratio) != 0
    scale = float(np.median(ratio[stays])) if stays.any() else 0.0
    factor = 1 / (1 - drop_prob)
    observe(**{f"scale of {what}": scale / factor})
    wrong = int((np.abs(ratio[stays] / factor - 1) > rtol).sum())
    expect(
        not wrong,
        f"{what}: each entry should be 0 or the input's times {factor:.6g}, {wrong} of {stays.size} are not; "
        f"the median factor of those that stay is {scale:.6g}. By what do you divide what stays?",
    )


@weight(0.2)
def test_some_are_dropped(submission, rng):
    """With a drop probability between 0 and 1 the output follows from the input, and is another.

    Where one draw decides for all entries, all are dropped twenty times with a probability below 0.35^20 = 8e-10.
    """
    some = False
    for drop_prob in drop_probabilities(rng).values():
        for _ in range(20):
            x = far_from_zero(rng, (40, 30))
            out = array(dropout(submission, x, drop_prob), x.shape, "out")
            some = some or bool(alignment(out[out != 0], x[out != 0]) > 0.5 and not np.allclose(out, x))
    observe(some=some)
    expect(some, "out: expected some entries to be 0 and the others to be the input's, scaled, got no such thing.")


@weight(1, needs=DROPS)
def test_nothing_dropped(submission, rng):
    """With a drop probability of 0 the output is the input."""
    for drop_prob in (0, 0.0):
        x = far_from_zero(rng, (20, 30))
        expect_close(dropout(submission, x, drop_prob), x, "out with drop_prob = 0", hint="Nothing is to be dropped.")


@weight(1.5, needs=DROPS)
def test_everything_dropped(submission, rng):
    """With a drop probability of 1 the output is all zeros, of the input's shape, with nothing divided by zero."""
    for drop_prob in (1, 1.0):
        x = far_from_zero(rng, (20, 30))
        x[3, 4] = 0.0
        out = dropout(submission, x, drop_prob)
        hint = "The probability to stay is 0 here: nothing can be divided by it."
        expect_close(out, np.zeros((20, 30)), "out with drop_prob = 1", hint=hint)


@weight(3, needs=DROPS)
def test_scale(submission, rng):
    """Every entry is either 0 or the input's divided by 1 − drop_prob, whatever its sign."""
    for name, drop_prob in drop_probabilities(rng).items():
        x = far_from_zero(rng, (40, 30))
        x[:, 4] = 0.0
        judge_scale(dropout(submission, x, drop_prob), x, drop_prob, f"out with {name}")


@weight(3, needs=DROPS)
def test_share_of_dropped_entries(submission, rng):
    """The share of entries that are dropped is drop_prob.

    Two exact binomial tests on 250,000 entries at 1e-10 each: false alarms at most 2e-10.
    """
    for name, drop_prob in drop_probabilities(rng).items():
        x = far_from_zero(rng, (500, 500))
        dropped = read_ratio(dropout(submission, x, drop_prob), x, "out") == 0
        near = abs(dropped.mean() - drop_prob) < 0.1
        observe(**{f"rows alike with {name}": bool((dropped == dropped[:1]).all())})
        hint = "Is every entry drawn for by itself?" if near else "drop_prob is the probability to drop."
        expect_share(dropped, drop_prob, f"share of zeros with {name}", hint=hint)


@weight(1, needs=DROPS)
def test_near_the_ends(submission, rng):
    """A drop probability near 0, or near 1, counts as it stands: few entries are dropped, or few stay.

    Two exact binomial tests on 10,000 entries at 1e-10 each: false alarms at most 2e-10. The scale is judged to 1e-5:
    who adds 1e-7 to a small divisor is right enough.
    """
    near_0, near_1 = round(rng.uniform(0.02, 0.04), 3), round(rng.uniform(0.96, 0.98), 3)
    outs = {}
    for name, drop_prob in (("a drop_prob near 0", near_0), ("a drop_prob near 1", near_1)):
        x = far_from_zero(rng, (100, 100))
        outs[name] = drop_prob, x, dropout(submission, x, drop_prob)
        dropped = read_ratio(outs[name][2], x, f"out with {name}") == 0
        observe(**{f"rows alike with {name}": bool(0 < dropped.mean() < 1 and (dropped == dropped[:1]).all())})
    for name, (drop_prob, x, out) in outs.items():
        hint = "Take drop_prob as it is: it need not be a round number, and only 0 and 1 are ends."
        expect_share(read_ratio(out, x, "out") == 0, drop_prob, f"share of zeros with {name}", hint=hint)
        judge_scale(out, x, drop_prob, f"out with {name}", rtol=1e-5)


@weight(1, needs=DROPS)
def test_entries_are_independent(submission, rng):
    """Each entry has its own chance: no two rows, and no two columns, share their fate.

    Of the share q that is dropped over all, whatever it is, rows and columns are dropped like coins with q, and
    neighbours agree like coins with q² + (1 − q)²: with 160 rows and 240 columns, 798 exact binomial tests at 1e-13
    each. That q is measured, to 0.08 standard deviations of a line's own share, multiplies these tails by 1.2 on
    average: false alarms at most 1e-10.
    """
    drop_prob = drop_probabilities(rng)["a low drop_prob"]
    x = far_from_zero(rng, (160, 240))
    dropped = read_ratio(dropout(submission, x, drop_prob), x, "out") == 0
    share = float(dropped.mean())
    expect(0 < share < 1, f"out: expected some entries to be dropped and some to stay, {share:.0%} were dropped.")
    for name, lines in (("rows", dropped), ("columns", dropped.T)):
        rarest = min(binomial_tail(int(line.sum()), line.size, share) for line in lines)
        agreeing = (lines[1:] == lines[:-1]).sum(axis=1)
        together = min(binomial_tail(int(k), lines.shape[1], share**2 + (1 - share) ** 2) for k in agreeing)
        observe(**{f"{name} alike": bool(min(rarest, together) <= 1e-13)})
        expect(
            min(rarest, together) > 1e-13,
            f"out: expected each entry of X to be drawn for by itself, but whole {name} share their fate.",
        )


@weight(1, needs=DROPS)
def test_any_shape(submission, rng):
    """Inputs of one, two, three and four dimensions work, and every entry is drawn for by itself.

    That all slices along an axis agree by chance has a probability below 1e-100.
    """
    drop_prob = drop_probabilities(rng)["a high drop_prob"]
    for shape in ((2000,), (50, 40), (20, 10, 12), (10, 6, 7, 5)):
        what = f"out of an input of {len(shape)} dimensions"
        x = far_from_zero(rng, shape)
        dropped = read_ratio(dropout(submission, x, drop_prob), x, what) == 0
        for axis in range(len(shape)):
            alike = bool((dropped == dropped.take([0], axis)).all())
            expect(not alike, f"{what}: expected a draw for each entry, but along axis {axis} all share their fate.")


@weight(1, needs=DROPS)
def test_masks_differ(submission, rng):
    """Each call drops other entries, and not always as many: with a chance of its own for each, their number varies.

    Two masks of 2,000 independent entries agree with a probability below 1e-300. Their number is k with a probability
    of at most m = 0.0251 for any k (drop_prob at least 0.15, its standard deviation at least 15.9). That all of 8 are k
    or k + 1 for some k has one of at most the sum over k of (P(k) + P(k + 1))^8 <= 2^8 sum P(k)^8 <= 2^8 m^7 / sqrt(8)
    (a normal peak to the eighth is narrower by sqrt(8)): false alarms below 6e-10.
    """
    drop_prob = drop_probabilities(rng)["a low drop_prob"]
    x = far_from_zero(rng, (40, 50))
    first, *others = (read_ratio(dropout(submission, x, drop_prob), x, "out") == 0 for _ in range(8))
    observe(same=bool((first == others[0]).all()))
    expect(
        (first != others[0]).any(), "out: expected other entries to be dropped at each call, got the same ones twice."
    )
    counts = [int(mask.sum()) for mask in (first, *others)]
    varies = max(counts) - min(counts) > 1
    observe(number_varies=varies)
    told = f"the same number, {counts[0]}," if len(set(counts)) == 1 else f"{min(counts)} or {max(counts)}"
    expect(
        varies,
        f"out of 8 calls with one X and one drop_prob: expected the number of dropped entries to vary, got {told} each "
        "time. Each entry is dropped with its own chance, whatever becomes of the others: only the mean is set.",
    )


@weight(1.5, needs=DROPS)
def test_no_probability(submission, rng):
    """A drop_prob below 0 or above 1 is refused.

    The notebook asks for an AssertionError. A ValueError is as good: what counts is that no wrong number gets through.
    """
    far = rng.uniform(0.1, 2.0)
    x = far_from_zero(rng, (4, 5))
    errors = {}
    for name, drop_prob in (
        ("below 0", -far),
        ("just below 0", -0.001),
        ("above 1", 1 + far),
        ("just above 1", 1.001),
    ):
        _, errors[name] = attempt(dropout, submission, x, drop_prob)
    for name, error in errors.items():
        if error is not None and getattr(error, "kind", "") not in ("AssertionError", "ValueError"):
            raise error
        observe(**{f"refused {name}": error is not None})
    for name, error in errors.items():
        expect(error, f"a drop_prob {name}: expected an AssertionError, got an answer. Assert it first.")


@weight(1, needs=DROPS)
def test_whole_numbers(submission, rng):
    """The published example: for arange(16), integers, drop 0 gives X, drop 1 zeros, drop 0.5 zeros and doubled ones.

    With another drop probability, what stays is no whole number.
    """
    x = np.arange(16).reshape(2, 8)
    expect_close(dropout(submission, x, 0), x, "out of arange(16) with drop_prob = 0")
    expect_close(dropout(submission, x, 1), np.zeros((2, 8)), "out of arange(16) with drop_prob = 1")
    judge_scale(dropout(submission, x, 0.5), x, 0.5, "out of arange(16) with drop_prob = 0.5")
    x = rng.integers(1, 50, (20, 30))
    judge_scale(dropout(submission, x, 0.3), x, 0.3, "out of whole numbers")


@weight(0.5, needs=DROPS)
def test_single_precision(submission, rng):
    """Inputs in single precision (float32) work."""
    x = far_from_zero(rng, (40, 30)).astype(np.float32)
    judge_scale(dropout(submission, x, 0.3), x, 0.3, "out of float32", rtol=1e-5)
    expect_close(dropout(submission, x, 0), x, "out of float32 with drop_prob = 0")


@weight(0.5, needs=DROPS)
def test_input_is_left_alone(submission, rng):
    """X is left as it was."""
    array(dropout(submission, np.ones((2, 3)), 0.5), (2, 3), "out")
    for dtype in (np.float64, np.float32):
        x = far_from_zero(rng, (10, 12)).astype(dtype)
        calls = [((drop_prob,), {}) for drop_prob in (0.6, 0.0, 1.0)]
        (after,) = arguments_after(submission, "dropout", (x,), calls)
        after = array(after, x.shape, "X after the call")
        observe(changed=bool((after != x).any()))
        expect((after == x).all(), "X after the call: expected it as it was, got other entries. Make a new array.")


@weight(1.5, needs=DROPS)
def test_gradient(submission, rng):
    """Autograd can take the gradient: it is multiplied by the factor of each entry, 0 where that was dropped."""
    array(dropout(submission, np.ones((2, 3)), 0.5), (2, 3), "out")
    for name, drop_prob in drop_probabilities(rng).items():
        x, dout = far_from_zero(rng, (15, 12)), far_from_zero(rng, (15, 12))
        reply = of_autograd(submission, "make_vjp")(the_function(submission, "dropout"))(x, drop_prob)
        backward, out = unpack(reply, ("gradient", "out"), "dropout under autograd")
        ratio = read_ratio(out, x, "out under autograd")
        hint = "Build new arrays with the notebook's np; autograd cannot follow assignments to entries."
        what = f"gradient by X with {name}"
        expect(callable(backward), f"{what}: expected autograd to follow dropout, it could not. {hint}")
        expect_close(function(backward, what)(dout), dout * ratio, what, hint=hint, evidence=False)
