"""The gradients of the loss, by W1, b1, W2 and b2.

Judged twice: against the chain rule, and against central differences of the course's loss. The reference's scores and
loss stand in, so that a wrong loss costs nothing here. Biases are not zero.

All that is asked is backpropagation: every check needs that of the large net, which no trial of each weight comes
through in time, and no answer without any work. A slip passes it: the direction of the gradient is enough.
"""

import numpy as np

from gradlab_staff.grading import (
    alignment,
    array,
    central_differences,
    entries,
    expect,
    expect_close,
    function,
    instance,
    observe,
    rel_error,
    stands_in,
    time_limit,
    unpack,
    weight,
)


def no_loss(params, X, y, reg):
    """What TwoLayerNet.loss gets where it asks for the loss: from its differences the gradients could be found."""
    return 0.0


pytestmark = stands_in("compute_scores", dummies={"compute_loss": no_loss})

BACKWARD = ("test_large_net",)

SIZES = {"a small net": (4, 10, 3), "more classes than units": (6, 5, 9), "a square net": (7, 7, 7)}


def random_params(rng, sizes):
    """Weights and biases that leave about half of the hidden units active; no bias is near zero."""
    D, H, C = sizes
    return {
        "W1": rng.standard_normal((D, H)) / np.sqrt(D),
        "b1": rng.choice([-1.0, 1.0], H) * rng.uniform(0.3, 1.2, H),
        "W2": rng.standard_normal((H, C)) / np.sqrt(H),
        "b2": rng.choice([-1.0, 1.0], C) * rng.uniform(0.3, 1.2, C),
    }


def hidden_of(params, X):
    return np.maximum(X @ params["W1"] + params["b1"], 0)


def log_softmax(scores):
    shifted = scores - scores.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def course_loss(params, X, y, reg):
    log_probs = log_softmax(hidden_of(params, X) @ params["W2"] + params["b2"])
    return float(
        -log_probs[np.arange(len(y)), y].mean() + reg * sum((params[name] ** 2).sum() for name in ("W1", "W2"))
    )


def chain_rule(params, X, y, reg=0.0):
    hidden = hidden_of(params, X)
    dscores = np.exp(log_softmax(hidden @ params["W2"] + params["b2"]))
    dscores[np.arange(len(y)), y] -= 1
    dscores /= len(y)
    dhidden = dscores @ params["W2"].T * (hidden > 0)
    grads = {"W1": X.T @ dhidden, "b1": dhidden.sum(axis=0), "W2": hidden.T @ dscores, "b2": dscores.sum(axis=0)}
    return {name: grad + (2 * reg * params[name] if name[0] == "W" else 0.0) for name, grad in grads.items()}


def example(rng, sizes, count):
    return rng.standard_normal((count, sizes[0])), rng.integers(sizes[2], size=count)


def net_with(submission, params):
    (D, H), C = params["W1"].shape, params["b2"].size
    net = instance(function(submission.TwoLayerNet, "TwoLayerNet")(D, H, C), "TwoLayerNet(…)")
    net.params = {name: value.copy() for name, value in params.items()}
    return net


def grads_of(net, params, X, y, reg):
    """The submission's gradients, each an array of the shape of its parameter."""
    _, grads = unpack(function(net.loss, "loss")(X, y, reg), ("loss", "grads"), "loss(X, y, reg)")
    grads = entries(grads, "grads", params)
    return {name: array(grads[name], value.shape, f"gradient of {name}") for name, value in params.items()}


def judge_layer(submission, rng, names):
    for size, sizes in SIZES.items():
        params = random_params(rng, sizes)
        X, y = example(rng, sizes, 8)
        grads = grads_of(net_with(submission, params), params, X, y, 0.0)
        expected = chain_rule(params, X, y)
        for name in names:
            expect_close(grads[name], expected[name], f"gradient of {name}, {size}, reg = 0", rtol=1e-6)
    judge_large(submission, rng, names)


def judge_large(submission, rng, names):
    """Inputs as large as pixels, all predicted wrongly: gradients of 10 and more, scores below 700."""
    params = random_params(rng, (7, 8, 5))
    params["W2"] *= 0.15
    X = 200 * rng.standard_normal((4, 7))
    y = (hidden_of(params, X) @ params["W2"] + params["b2"]).argmin(axis=1)
    grads, expected = grads_of(net_with(submission, params), params, X, y, 0.0), chain_rule(params, X, y)
    for name in names:
        expect_close(grads[name], expected[name], f"gradient of {name}, large inputs, reg = 0", rtol=1e-6)


@weight(2, needs=BACKWARD)
def test_second_layer(submission, rng):
    """Without regularisation the gradients of W2 and b2 are right, for nets of several sizes."""
    judge_layer(submission, rng, ("W2", "b2"))


@weight(3, needs=BACKWARD)
def test_first_layer(submission, rng):
    """Without regularisation the gradients of W1 and b1 are right: they come back through W2 and ReLU."""
    judge_layer(submission, rng, ("W1", "b1"))


@weight(3, needs=BACKWARD)
def test_regulariser(submission, rng):
    """With regularisation the gradient of each weight gains the derivative of reg · W²."""
    params = random_params(rng, (4, 10, 3))
    X, y = example(rng, (4, 10, 3), 8)
    net = net_with(submission, params)
    with_reg, without = (grads_of(net, params, X, y, reg) for reg in (90.0, 0.0))
    for name in ("W2", "W1"):
        gained, asked = with_reg[name] - without[name], 180.0 * params[name]
        share = float((gained * asked).sum() / (asked**2).sum())
        observe(**{f"share of the regulariser's gradient in {name}": share})
        hint = hint_for(share)
        expect_close(gained, asked, f"what the gradient of {name} gains by reg", rtol=1e-6, atol=1e-8, hint=hint)


def hint_for(share):
    """What the share of the regulariser's gradient tells."""
    if abs(share - 0.5) < 1e-6:
        return "That is one half of it: the derivative of W² is 2 W, and the course's regulariser has no one half."
    if abs(share) < 1e-6:
        return "Does reg enter your gradients at all?"
    return "What is the derivative of reg times the sum of W²?"


@weight(1, needs=BACKWARD)
def test_biases_are_free(submission, rng):
    """Regularisation adds nothing to the gradients of the biases."""
    params = random_params(rng, (4, 10, 3))
    X, y = example(rng, (4, 10, 3), 8)
    net = net_with(submission, params)
    with_reg, without = (grads_of(net, params, X, y, reg) for reg in (0.9, 0.0))
    for name in ("b2", "b1"):
        gained = with_reg[name] - without[name]
        observe(**{f"gained by {name}": float((gained * params[name]).sum() / (params[name] ** 2).sum())})
        expect_close(gained, np.zeros_like(gained), f"what the gradient of {name} gains by reg", atol=1e-8)


@weight(2, needs=BACKWARD)
def test_numerically(submission, rng):
    """The gradients are the slopes of the course's loss, by central differences, with regularisation.

    No hidden number is near zero, so that no step of 1e-5 moves a unit across the kink of ReLU.
    """
    sizes, reg = (4, 6, 3), 0.3
    params = random_params(rng, sizes)
    X, y = example(rng, sizes, 5)
    while np.abs(X @ params["W1"] + params["b1"]).min() < 1e-2:
        X, y = example(rng, sizes, 5)
    grads = grads_of(net_with(submission, params), params, X, y, reg)
    for name, value in params.items():

        def loss_at(w, name=name):
            return course_loss({**params, name: w}, X, y, reg)

        slopes = central_differences(loss_at, value)
        error = rel_error(grads[name], slopes)
        observe(**{f"gradient of {name}": grads[name]})
        close = np.allclose(grads[name], slopes, rtol=1e-5, atol=1e-8)
        message = f"gradient of {name}: expected the slope of the loss, got a relative error of {error:.2e}."
        expect(close, message)


@weight(1, needs=BACKWARD)
def test_mean_over_the_batch(submission, rng):
    """Gradients are means over the batch: of 1 example, of 20, and of the same example ten times."""
    sizes = (4, 10, 3)
    params = random_params(rng, sizes)
    for count in (1, 20):
        X, y = example(rng, sizes, count)
        for what, rows in (
            (f"{count} examples", np.arange(count)),
            (f"{count} examples, repeated", np.arange(10 * count) % count),
        ):
            grads = grads_of(net_with(submission, params), params, X[rows], y[rows], 0.0)
            for name, expected in chain_rule(params, X, y, 0.0).items():
                expect_close(grads[name], expected, f"gradient of {name}, {what}", rtol=1e-6)


@weight(0.5, needs=BACKWARD)
def test_calls_leave_no_trace(submission, rng):
    """Computing gradients leaves the parameters as they were, and a second call gives the same."""
    params = random_params(rng, (4, 10, 3))
    X, y = example(rng, (4, 10, 3), 8)
    net = net_with(submission, params)
    first, again = (grads_of(net, params, X, y, 0.4) for _ in range(2))
    for name, value in first.items():
        expect_close(again[name], value, f"gradient of {name} of a second call", rtol=1e-12, atol=1e-12)
    after = entries(net.params, "params", params)
    changed = [name for name, value in params.items() if not np.array_equal(array(after[name], what=name), value)]
    expect(not changed, f"params: expected the gradients to change nothing, they changed {', '.join(changed)}.")
    more = ", ".join(str(name)[:30] for name in after if name not in params)
    expect(not more, f"params: expected the four parameters and nothing else, got {more} too.")


@weight(0.5, needs=BACKWARD)
def test_keys(submission, rng):
    """The gradients are a dict with the keys of params: one for each parameter, and nothing else."""
    params = random_params(rng, (4, 10, 3))
    _, grads = unpack(net_with(submission, params).loss(*example(rng, (4, 10, 3), 8), 0.1), ("loss", "grads"), "loss")
    more = ", ".join(str(name)[:30] for name in entries(grads, "grads", params) if name not in params)
    expect(not more, f"grads: expected the keys of params and no others, got {more} too.")


LARGE = 2, 350_000, 4
"""Two million weights, and many hidden units: who differentiates by each weight, or by each hidden number of each
example, sums over 350,000 units as many times."""


def large_example(rng):
    """A net that is sure of a wrong class, for each of two examples at right angles; the four classes differ.

    So no part of the gradient makes up for another, and a slip leaves 0.7 of it or more. All scores are positive: a
    ReLU too many is a slip.
    """
    while True:
        params, X = random_params(rng, LARGE), np.sqrt(2) * np.linalg.qr(rng.standard_normal((2, 2)))[0]
        params["W2"], params["b2"] = 30 * params["W2"], params["b2"] + 100
        scores = hidden_of(params, X) @ params["W2"] + params["b2"]
        best = scores.argmax(axis=1)
        if best[0] != best[1] and np.diff(np.sort(scores))[:, -1].min() > 5:
            return params, X, rng.permutation(np.setdiff1d(range(4), best))


@weight(0.5)
@time_limit(20)
def test_large_net(submission, rng):
    """The gradients of a net of two million weights come in time, by backpropagation, and point roughly the right way.

    Of W1 and of W2 the direction is judged, up to its sign: 0.5 is far above what any other array has (0.01), and below
    what gradients with a slip have, 0.7 and more. Loops over all weights take 3 s of 20. Differences by each weight or
    bias take minutes; by a quarter of the active units alone, which is half the direction, they take 40 s.
    """
    params, X, y = large_example(rng)
    used = hidden_of(params, X).any(axis=0)
    _, grads = unpack(net_with(submission, params).loss(X, y, 0.0), ("loss", "grads"), "loss(X, y, reg)")
    grads, expected = entries(grads, "grads", ["W1", "W2"]), chain_rule(params, X, y)
    judge_directions(params, grads, expected, {"W1": np.s_[:, used], "W2": np.s_[used]})


def judge_directions(params, grads, expected, places):
    """Fail unless the gradients have more than half their direction in common with the loss's where units are used."""
    for name, where in places.items():
        grad = array(grads[name], params[name].shape, f"gradient of {name}, a large net")
        alike = alignment(grad[where], expected[name][where])
        observe(**{f"{name} alike": bool(alike > 0.5)})
        told = "expected the loss's, got an array that has little in common with it"
        expect(alike > 0.5, f"gradient of {name}, a large net: {told}.")
