"""dropout_forward keeps each entry with probability p, divides what it keeps by p, and does nothing at test time.

Every mask is read from the output, so any way to draw it is accepted. p is never near 0.5, where keeping and
dropping look alike.
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
    mask_in,
    observe,
    read_mask,
    read_ratio,
    unpack,
    weight,
)

DROPS = ("test_some_are_dropped",)


def forward(submission, x, mode="train", **param):
    reply = function(submission.dropout_forward, "dropout_forward")(x, {"mode": mode, **param})
    return unpack(reply, ("out", "cache"), "dropout_forward")


def far_from_zero(rng, shape):
    """Entries of both signs, none so small that a mask could not be read from them."""
    return rng.choice([-1.0, 1.0], shape) * rng.uniform(0.5, 3.0, shape)


def keep_probabilities(rng):
    return round(rng.uniform(0.15, 0.35), 3), round(rng.uniform(0.65, 0.85), 3)


@weight(0.3)
def test_some_are_dropped(submission, rng):
    """Somewhere entries are dropped, and those that are kept follow from the input.

    Or at least one mode gives what follows from the input, and the other something else, or nothing yet.
    """
    some, errors = False, []
    for p in keep_probabilities(rng):
        x, outs = far_from_zero(rng, (40, 30)), []
        for mode in ("train", "test"):
            out, error = attempt(out_of, submission, x, mode, p)
            outs.append(np.zeros(x.shape) if error else out)
            errors += [error] if error else []
        follows = [alignment(out[out != 0], x[out != 0]) > 0.5 for out in outs]
        drops = any(good and 0 < (out != 0).mean() < 1 for good, out in zip(follows, outs, strict=True))
        some = some or drops or bool(any(follows) and not np.allclose(*outs))
    observe(some=some)
    if not some and errors:
        raise errors[0]
    expect(some, "out: expected some entries to be 0 and the others to be the input's, scaled, got no such thing.")


def out_of(submission, x, mode, p):
    return array(forward(submission, x, mode, p=p)[0], x.shape, "out")


@weight(5, needs=DROPS)
def test_scale(submission, rng):
    """In training every entry is either 0 or the input's divided by p, whatever its sign."""
    for name, p in zip(("a low p", "a high p"), keep_probabilities(rng), strict=True):
        x = far_from_zero(rng, (40, 30))
        x[:, 4] = 0.0
        out, _ = forward(submission, x, p=p)
        read_mask(out, x, p, f"out with {name}")


@weight(4, needs=DROPS)
def test_share_of_kept_entries(submission, rng):
    """In training the share of entries that are kept is p.

    Two exact binomial tests on 250,000 entries at 1e-10 each: false alarms at most 2e-10.
    """
    for name, p in zip(("a low p", "a high p"), keep_probabilities(rng), strict=True):
        x = far_from_zero(rng, (500, 500))
        out, _ = forward(submission, x, p=p)
        kept = read_ratio(out, x) != 0
        hint = "p is the probability to keep." if abs(kept.mean() - p) > 0.1 else "Is every entry drawn for by itself?"
        expect_share(kept, p, f"share of kept entries with {name}", hint=hint)


@weight(1, needs=DROPS)
def test_entries_are_independent(submission, rng):
    """Each entry has its own chance: no two rows, and no two columns, share their fate.

    Of the share q that is kept over all, whatever it is, rows and columns keep like coins with q, and neighbours agree
    like coins with q² + (1 − q)²: with 160 rows and 240 columns, 798 exact binomial tests at 1e-13 each. That q is
    measured, to 0.08 standard deviations of a line's own share, multiplies these tails by 1.2 on average: false
    alarms at most 1e-10.
    """
    p = keep_probabilities(rng)[1]
    x = far_from_zero(rng, (160, 240))
    out, _ = forward(submission, x, p=p)
    kept = read_ratio(out, x) != 0
    share = float(kept.mean())
    expect(0 < share < 1, f"out: expected some entries to be kept and some dropped, {share:.0%} were kept.")
    for name, lines in (("rows", kept), ("columns", kept.T)):
        rarest = min(binomial_tail(int(line.sum()), line.size, share) for line in lines)
        agreeing = (lines[1:] == lines[:-1]).sum(axis=1)
        together = min(binomial_tail(int(k), lines.shape[1], share**2 + (1 - share) ** 2) for k in agreeing)
        observe(**{f"{name} alike": bool(min(rarest, together) <= 1e-13)})
        expect(
            min(rarest, together) > 1e-13,
            f"out: expected a mask entry for every entry of x, but whole {name} share theirs.",
        )


@weight(0.5, needs=DROPS)
def test_number_of_kept_entries_varies(submission, rng):
    """How many entries are kept is left to chance too: in all, and in each row.

    Ten calls keep equally many of 2,000 entries with a probability below 0.03^9 = 2e-14, and 40 rows equally many of
    50 with one below 0.2^39.
    """
    p = keep_probabilities(rng)[1]
    x = far_from_zero(rng, (40, 50))
    kept = [read_ratio(forward(submission, x, p=p)[0], x) != 0 for _ in range(10)]
    observe(in_all=len({int(mask.sum()) for mask in kept}) > 1, in_rows=len(set(kept[0].sum(axis=1))) > 1)
    for name, counts in (("each of ten calls", [m.sum() for m in kept]), ("each row", kept[0].sum(axis=1))):
        expect(
            len(set(counts)) > 1, f"out: expected each entry to be drawn for by itself, but {name} keeps {counts[0]}."
        )


@weight(1, needs=DROPS)
def test_any_shape(submission, rng):
    """Inputs of one, two, three and four dimensions work, with one mask entry for each entry.

    That all slices along an axis agree by chance has a probability below 1e-100.
    """
    p = keep_probabilities(rng)[0]
    for shape in ((2000,), (50, 40), (20, 10, 12), (10, 6, 7, 5)):
        what = f"out of an input of {len(shape)} dimensions"
        x = far_from_zero(rng, shape)
        kept = read_ratio(forward(submission, x, p=p)[0], x, what) != 0
        for axis in range(len(shape)):
            alike = bool((kept == kept.take([0], axis)).all())
            expect(not alike, f"{what}: expected one mask entry for each entry, but along axis {axis} all are alike.")


@weight(1, needs=DROPS)
def test_without_seed_masks_differ(submission, rng):
    """Without a seed, two calls draw two masks.

    Two masks of 2,000 independent entries agree with a probability below 1e-300.
    """
    p = keep_probabilities(rng)[1]
    x = far_from_zero(rng, (40, 50))
    first, second = (read_ratio(forward(submission, x, p=p)[0], x) != 0 for _ in range(2))
    observe(same=bool((first == second).all()))
    expect((first != second).any(), "out: expected another mask at each call without a seed, got the same one twice.")


@weight(1, needs=DROPS)
def test_seed_makes_masks_repeatable(submission, rng):
    """With one seed, two calls agree, whatever was drawn in between; with another seed the mask is another.

    Two masks of 2,000 independent entries agree with a probability below 1e-300.
    """
    p = keep_probabilities(rng)[1]
    x = far_from_zero(rng, (40, 50))
    seed, other = (int(s) for s in rng.choice(10**6, 2, replace=False))
    first = array(forward(submission, x, p=p, seed=seed)[0], x.shape, "out")
    forward(submission, x, p=p)
    again = array(forward(submission, x, p=p, seed=seed)[0], x.shape, "out")
    different = array(forward(submission, x, p=p, seed=other)[0], x.shape, "out")
    observe(repeats=bool((first == again).all()), differs=bool((first != different).any()))
    expect(
        (first == again).all(), "out: expected the same output from two calls with one seed, got two different ones."
    )
    expect((first != different).any(), "out: expected another mask from another seed, got the same one.")


@weight(1, needs=DROPS)
def test_one_dictionary_serves_many_calls(submission, rng):
    """A net hands in one and the same dropout_param for all its calls: what one call does to it must not harm the next.

    Two masks of 2,000 entries agree, or all entries are kept, with a probability below 1e-90.
    """
    p = keep_probabilities(rng)[1]
    x = far_from_zero(rng, (40, 50))
    given = submission.keep({"mode": "test", "p": p})
    dropout = function(submission.dropout_forward, "dropout_forward")
    outs = []
    for mode in ("test", "train", "train"):
        function(given.update, "dropout_param.update")({"mode": mode})
        outs.append(unpack(dropout(x, given), ("out", "cache"), "dropout_forward")[0])
    first, second = (
        read_mask(out, x, p, "out in training, after test mode with one dropout_param") for out in outs[1:]
    )
    expect(not first.all(), "out in training, after test mode with one dropout_param: expected some entries dropped.")
    expect((first != second).any(), "out: expected another mask at a second call with one dropout_param, got the same.")
    for seed in (0, int(rng.integers(1, 10**6))):
        given = submission.keep({"mode": "train", "p": p, "seed": seed})
        first, second = (
            array(unpack(dropout(x, given), ("out", "cache"), "dropout_forward")[0], x.shape, "out") for _ in range(2)
        )
        same = bool((first == second).all())
        expect(same, "out: expected the same output from two calls with one dropout_param that holds a seed.")


@weight(3, needs=DROPS)
def test_test_mode(submission, rng):
    """At test time the output is the input: nothing dropped, nothing scaled."""
    x = far_from_zero(rng, (30, 20))
    for p in keep_probabilities(rng):
        out, _ = forward(submission, x, mode="test", p=p)
        ratio = read_ratio(out, x)
        scale = float(np.median(ratio[ratio != 0])) if ratio.any() else 0.0
        observe(scale=scale)
        expect(
            (ratio != 0).all(),
            f"out in test mode: expected no entry dropped, got {int((ratio == 0).sum())} of {ratio.size}.",
        )
        expect_close(out, x, "out in test mode", hint="At test time nothing is scaled either.", evidence=False)


@weight(0.5, needs=DROPS)
def test_test_mode_any_shape(submission, rng):
    """At test time inputs of one, three and four dimensions come back as they are, with a seed too."""
    for shape in ((7,), (3, 4, 5), (2, 3, 4, 5)):
        x = rng.standard_normal(shape)
        out, _ = forward(submission, x, mode="test", p=0.3, seed=int(rng.integers(1000)))
        expect_close(out, x, f"out of {len(shape)} dimensions in test mode", evidence=False)


@weight(0.5, needs=DROPS)
def test_keeping_everything(submission, rng):
    """With p = 1 the output is the input in training too."""
    x = far_from_zero(rng, (30, 20))
    expect_close(forward(submission, x, p=1)[0], x, "out with p = 1")


@weight(0.5, needs=DROPS)
def test_single_precision(submission, rng):
    """Inputs in single precision (float32) give the same kind of answer."""
    p = keep_probabilities(rng)[0]
    x = far_from_zero(rng, (40, 30)).astype(np.float32)
    read_mask(forward(submission, x, p=p)[0], x, p, "out in float32", rtol=1e-5)
    expect_close(forward(submission, x, mode="test", p=p)[0], x, "out in float32, test mode")


@weight(0.5, needs=DROPS)
def test_cache_holds_the_mask(submission, reference, rng):
    """The cache tells the backward pass which entries were kept.

    A cache may be laid out in any way. This check fails only where the cache can be seen to hold no mask, or
    where the submission's own dropout_backward goes right with the cache that the notebook describes and wrong with
    this one. Of 60 kept or dropped entries that are 0 in x, none is kept with a probability of 0.3^60 = 4e-32.
    """
    x = far_from_zero(rng, (20, 30))
    x[:2] = 0.0
    reply = function(submission.dropout_forward, "dropout_forward")(x, {"mode": "train", "p": 0.7})
    out, cache = unpack(reply, ("out", "cache"), "dropout_forward")
    if not (isinstance(reply, tuple | list) and len(reply) > 1):
        cache = None  # it can be handed on, and is: what is asked must not tell
    out = array(out, x.shape, "out")
    expected_out, expected_cache = reference.dropout_forward(x, {"mode": "train", "p": 0.7, "seed": 1})
    finds_it = goes_back(submission, out, x, cache)
    finds_ours = goes_back(submission, expected_out, x, expected_cache)
    x = far_from_zero(rng, x.shape)
    out, cache = forward(submission, x, p=0.7)
    if not finds_it:
        message = (
            "cache: your dropout_backward finds the mask in a cache (dropout_param, mask), and not in the one that "
            "your dropout_forward returned. Does that cache hold the mask that was drawn?"
        )
        expect(not finds_ours, message)
        holds = mask_in(cache, read_ratio(out, x) != 0)
        message = "cache: expected it to hold the mask that was drawn, found no array that matches it."
        expect(holds is not False, message)


def goes_back(submission, out, x, cache):
    """Whether the submission's dropout_backward gets from a cache which entries were kept, also where x is 0."""
    dx, error = attempt(array, submission.borrow("dropout_backward", np.ones(x.shape), cache), x.shape, "dx")
    there = x != 0
    return error is None and bool(((dx != 0) == (out != 0))[there].all()) and bool(dx[~there].any())
