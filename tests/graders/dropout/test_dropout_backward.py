"""dropout_backward sends the gradient through the mask that the forward pass drew.

It is judged on the caches of the submission's own dropout_forward, whose layout nobody else knows, and relative
to what that forward pass did: dropout is linear entry by entry, so its derivative is out / x, whatever the
scale. Where the forward pass gives nothing to work with, or drops nothing, the cache comes from the reference. So a
wrong forward pass costs nothing here; and a right one that turns wrong for these checks gains nothing, for another
scale than the notebook's is taken only from those who lost the points for it. The submission is asked with both
caches, always: which of them is judged must not tell how the forward pass fared.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from gradlab_staff.grading import (
    alignment,
    array,
    attempt,
    expect,
    expect_close,
    expect_one_of,
    function,
    mask_in,
    observe,
    weight,
)

FOLLOWS = ("test_gradient_follows",)


@dataclass
class Pass:
    """A forward pass: its cache, and the factors by which a right backward pass may multiply the gradient.

    There are none where the pass cannot be worked with.
    """

    cache: Any
    factors: list[np.ndarray]


def far_from_zero(rng, shape):
    return rng.choice([-1.0, 1.0], shape) * rng.uniform(0.5, 3.0, shape)


def backward_of(submission):
    return function(submission.dropout_backward, "dropout_backward")


def own_pass(submission, x, mode, p) -> Pass:
    """What the submission's own forward pass did."""
    reply = submission.borrow("dropout_forward", x, {"mode": mode, "p": p})
    out, cache = reply if isinstance(reply, tuple) and len(reply) == 2 else (None, None)
    return Pass(cache, own_factors(submission, out, cache, x, mode, p))


def own_factors(submission, out, cache, x, mode, p):
    out, broken = attempt(array, out, x.shape, "out")
    if broken:
        return []
    ratio = out / x
    kept = ratio != 0
    drops = p == 1 or (kept.any() and not kept.all())
    if mode == "train" and (not drops or mask_in(cache, kept) is False):
        return []
    specified = kept / p if mode == "train" else np.ones(x.shape)
    return [ratio, specified] if is_marked_down(submission, mode) else [specified]


def is_marked_down(submission, mode):
    """Whether dropout_forward lost the points of its scale in this mode, or is not judged in this run.

    Those of an edge case alone are no excuse: they could be given away for those of the whole backward pass.
    """
    checks = submission.judged.get("dropout_forward")
    named = "test_scale" if mode == "train" else "test_test_mode"
    return not checks or any(check.name == named and check.outcome != "passed" for check in checks)


def reference_pass(reference, rng, x, mode, p) -> Pass:
    out, cache = reference.dropout_forward(x, {"mode": mode, "p": p, "seed": int(rng.integers(10**6))})
    return Pass(cache, [out / x])


def backward(submission, reference, rng, dout, x, mode, p):
    """dx and the factors that it may be made with, from a cache that the submission can read."""
    own, other = own_pass(submission, x, mode, p), reference_pass(reference, rng, x, mode, p)
    replies = [attempt(backward_of(submission), dout, one.cache) for one in (own, other)]
    one, reply = (own, replies[0]) if own.factors and not replies[0][1] else (other, replies[1])
    return given(reply), one.factors


def given(reply):
    """What an attempt gave; what it raised is raised now that all has been asked."""
    result, error = reply
    if error:
        raise error
    return result


def judge(dx, dout, factors, what, hint, rtol=1e-6):
    dx = array(dx, dout.shape, what)
    kept = factors[0] != 0
    scale = np.median(dx[kept] / (dout * factors[0])[kept]) if kept.any() else 0.0
    observe(**{f"{what}: scale where kept": scale, f"{what}: zero where dropped": bool((dx[~kept] == 0).all())})
    if not (dx[~kept] == 0).all():
        expect(
            False,
            f"{what}: expected 0 where the forward pass dropped the entry, {int((dx[~kept] != 0).sum())} are not 0.",
        )
    expect_one_of(dx, [dout * factor for factor in factors], what, rtol=rtol, hint=hint, evidence=False)


@weight(0.2)
def test_gradient_follows(submission, reference, rng):
    """dx follows from dout, in one mode or the other: it has something in common with it."""
    alike = []
    for mode in ("train", "test"):
        x, dout = far_from_zero(rng, (30, 20)), far_from_zero(rng, (30, 20))
        dx, _ = backward(submission, reference, rng, dout, x, mode, 0.7)
        alike.append(alignment(array(dx, dout.shape, "dx"), dout))
    observe(alike=max(alike) > 0.3)
    expect(max(alike) > 0.3, "dx: expected a gradient made of dout, got numbers that have little to do with it.")


@weight(3, needs=FOLLOWS)
def test_training(submission, reference, rng):
    """In training dx is dout times what the forward pass multiplied each entry by."""
    for name, p in (("a low p", 0.3), ("a high p", 0.8)):
        x, dout = far_from_zero(rng, (12, 15)), far_from_zero(rng, (12, 15))
        dx, factors = backward(submission, reference, rng, dout, x, "train", p)
        judge(
            dx,
            dout,
            factors,
            f"dx with {name}",
            "Kept entries were scaled on the way forward: scale their gradient too.",
        )


@weight(2, needs=FOLLOWS)
def test_test_mode(submission, reference, rng):
    """At test time dx is dout."""
    for p in (0.3, 0.8):
        x, dout = far_from_zero(rng, (12, 15)), far_from_zero(rng, (12, 15))
        dx, factors = backward(submission, reference, rng, dout, x, "test", p)
        judge(
            dx, dout, [factors[-1], factors[0]], "dx in test mode", "Nothing was dropped or scaled on the way forward."
        )


@weight(1, needs=FOLLOWS)
def test_any_shape(submission, reference, rng):
    """Gradients of one, three and four dimensions work in both modes."""
    for shape in ((60,), (3, 4, 5), (2, 3, 4, 5)):
        for mode in ("train", "test"):
            x, dout = far_from_zero(rng, shape), far_from_zero(rng, shape)
            dx, factors = backward(submission, reference, rng, dout, x, mode, 0.65)
            judge(
                dx,
                dout,
                factors[::-1] if mode == "test" else factors,
                f"dx of {len(shape)} dimensions, {mode} mode",
                "",
            )


@weight(1, needs=FOLLOWS)
def test_each_cache_has_its_own_mask(submission, reference, rng):
    """The mask comes from the cache: a later forward pass does not change an earlier one's gradient."""
    x, dout = far_from_zero(rng, (12, 15)), far_from_zero(rng, (12, 15))
    own = [own_pass(submission, x, "train", 0.4) for _ in range(2)]
    others = [reference_pass(reference, rng, x, "train", 0.4) for _ in range(2)]
    of_own, of_others = (
        [attempt(backward_of(submission), dout, one.cache) for one in passes] for passes in (own, others)
    )
    readable = all(one.factors and not error for one, (_, error) in zip(own, of_own, strict=True))
    passes, replies = (own, of_own) if readable else (others, of_others)
    for name, one, reply in zip(("first", "second"), passes, replies, strict=True):
        what, hint = f"dx of the {name} of two forward passes", "Draw no mask here: the cache holds it."
        judge(given(reply), dout, one.factors, what, hint)


@weight(1, needs=FOLLOWS)
def test_repeated_calls_agree(submission, reference, rng):
    """The same gradient and the same cache give the same dx each time, and twice the gradient gives twice dx.

    The cache stays where it is, so that what one call does to it the next one finds.
    """
    x, dout = far_from_zero(rng, (12, 15)), far_from_zero(rng, (12, 15))
    own, other = own_pass(submission, x, "train", 0.4), reference_pass(reference, rng, x, "train", 0.4)
    of_own, of_other = (three_calls(submission, dout, one.cache) for one in (own, other))
    replies = of_own if own.factors and not of_own[0][1] else of_other
    first, again, double = map(given, replies)
    first = array(first, dout.shape, "dx")
    expect_close(again, first, "dx of a second call", evidence=False)
    expect_close(double, 2 * first, "dx of twice the gradient", evidence=False)


def three_calls(submission, dout, cache):
    """What comes of the gradient, of the same once more, and of twice the gradient."""
    kept = submission.keep(cache)
    return [attempt(backward_of(submission), scale * dout, kept) for scale in (1, 1, 2)]


@weight(0.5, needs=FOLLOWS)
def test_keeping_everything(submission, reference, rng):
    """With p = 1 dx is dout in training too."""
    x, dout = far_from_zero(rng, (12, 15)), far_from_zero(rng, (12, 15))
    dx, factors = backward(submission, reference, rng, dout, x, "train", 1)
    judge(dx, dout, factors, "dx with p = 1", "")


@weight(0.5, needs=FOLLOWS)
def test_single_precision(submission, reference, rng):
    """A gradient in single precision (float32) works."""
    x, dout = far_from_zero(rng, (12, 15)), far_from_zero(rng, (12, 15)).astype(np.float32)
    dx, factors = backward(submission, reference, rng, dout, x, "train", 0.7)
    judge(dx, dout.astype(np.float64), factors, "dx in float32", "", rtol=1e-5)
