"""The scores of the two-layer net: affine, ReLU, affine.

The grader sets the parameters itself, with biases that are not zero, and compares with its own forward pass.
"""

import numpy as np

from gradlab_staff.grading import (
    alignment,
    array,
    centred,
    entries,
    expect,
    expect_close,
    function,
    instance,
    observe,
    weight,
)

ANSWERS = ("test_scores_follow",)

SIZES = {"a small net": (4, 10, 3), "more classes than units": (6, 5, 9), "a square net": (7, 7, 7)}


def random_params(rng, sizes, spread=1.0):
    """Weights and biases that leave about half of the hidden units active; no bias is near zero."""
    D, H, C = sizes
    return {
        "W1": spread * rng.standard_normal((D, H)) / np.sqrt(D),
        "b1": rng.choice([-1.0, 1.0], H) * rng.uniform(0.3, 1.2, H),
        "W2": spread * rng.standard_normal((H, C)) / np.sqrt(H),
        "b2": rng.choice([-1.0, 1.0], C) * rng.uniform(0.3, 1.2, C),
    }


def forward(params, X):
    return np.maximum(X @ params["W1"] + params["b1"], 0) @ params["W2"] + params["b2"]


def net_with(submission, params):
    """A net of the submission, whose parameters the grader sets."""
    (D, H), C = params["W1"].shape, params["b2"].size
    net = instance(function(submission.TwoLayerNet, "TwoLayerNet")(D, H, C), "TwoLayerNet(…)")
    net.params = {name: value.copy() for name, value in params.items()}
    return net


def scores_of(net, X):
    return function(net.loss, "loss")(X)


@weight(0.2)
def test_scores_follow(submission, rng):
    """The scores follow from the examples and the parameters: they have something in common with the right ones.

    Over eight nets numbers at random have 0.007 ± 0.005 in common with them, and what depends on the examples alone
    0.02 ± 0.02; scores with a slip, such as the minimum for the maximum, 0.22 ± 0.02 and more.
    """
    got, right = [], []
    for _ in range(8):
        params, X = random_params(rng, (20, 30, 10)), rng.standard_normal((200, 20))
        right.append(centred(forward(params, X)))
        got.append(centred(array(scores_of(net_with(submission, params), X), (200, 10), "scores")))
    alike = alignment(got, right)
    observe(alike=bool(alike > 0.08))
    expect(
        alike > 0.08,
        "scores: expected those of these examples and parameters, got what has little to do with them.",
    )


@weight(3, needs=ANSWERS)
def test_scores(submission, rng):
    """The scores are those of affine, ReLU, affine, for nets of several sizes."""
    for name, sizes in SIZES.items():
        params, X = random_params(rng, sizes), rng.standard_normal((8, sizes[0]))
        got = scores_of(net_with(submission, params), X)
        hint = "Is ReLU after the first layer, and nowhere else?"
        expect_close(got, forward(params, X), f"scores of {name}", rtol=1e-7, hint=hint)


@weight(2, needs=ANSWERS)
def test_hidden_biases(submission, rng):
    """b1 is added before ReLU: it decides which units are active."""
    params = random_params(rng, (5, 9, 4))
    got = scores_of(net_with(submission, params), np.zeros((3, 5)))
    expect_close(got, forward(params, np.zeros((3, 5))), "scores of examples of zeros", rtol=1e-7)


@weight(2, needs=ANSWERS)
def test_scores_below_zero(submission, rng):
    """Scores may be negative: the second layer has no ReLU and no softmax."""
    params, X = random_params(rng, (5, 9, 4)), rng.standard_normal((6, 5))
    params["b2"] -= 20.0
    expect_close(scores_of(net_with(submission, params), X), forward(params, X), "scores below zero", rtol=1e-7)


@weight(1, needs=ANSWERS)
def test_all_units_inactive(submission, rng):
    """Where every hidden unit is inactive the scores are b2."""
    params, X = random_params(rng, (5, 9, 4)), rng.standard_normal((6, 5))
    params["b1"] -= 100.0
    got = scores_of(net_with(submission, params), X)
    expect_close(got, np.tile(params["b2"], (6, 1)), "scores with no active unit", rtol=1e-7)


@weight(1, needs=ANSWERS)
def test_large_inputs(submission, rng):
    """Inputs as large as pixels, up to 255, work."""
    params, X = random_params(rng, (30, 12, 10)), rng.integers(0, 256, (5, 30)).astype(np.float64)
    expect_close(scores_of(net_with(submission, params), X), forward(params, X), "scores of pixels", rtol=1e-7)


@weight(1, needs=ANSWERS)
def test_one_example(submission, rng):
    """A batch of one example gives one row, and each example's scores depend on it alone."""
    params, X = random_params(rng, (5, 9, 4)), rng.standard_normal((6, 5))
    net, expected = net_with(submission, params), forward(params, X)
    expect_close(scores_of(net, X[:1]), expected[:1], "scores of one example", rtol=1e-7)
    expect_close(scores_of(net, X[::-1].copy()), expected[::-1], "scores in reverse order", rtol=1e-7)


@weight(1, needs=ANSWERS)
def test_parameters_stay(submission, rng):
    """Computing scores leaves the parameters as they were."""
    params, X = random_params(rng, (5, 9, 4)), rng.standard_normal((6, 5))
    net = net_with(submission, params)
    array(scores_of(net, X), (6, 4), "scores")
    after = entries(net.params, "params", params)
    changed = [name for name, value in params.items() if not np.array_equal(array(after[name], what=name), value)]
    observe(changed=", ".join(changed))
    expect(not changed, f"params: expected the forward pass to change nothing, it changed {', '.join(changed)}.")
    more = ", ".join(str(name)[:30] for name in after if name not in params)
    expect(not more, f"params: expected the four parameters and nothing else, got {more} too.")
