"""The loss: the mean softmax loss plus reg times the sum of all squared weights.

The reference's scores stand in, and its gradients too, so that only the loss counts here. Biases are not zero.
"""

import numpy as np

from gradlab_staff.grading import (
    alignment,
    array,
    entries,
    expect,
    expect_close,
    function,
    instance,
    number,
    observe,
    stands_in,
    unpack,
    weight,
)


def no_gradients(params, X, y, reg):
    """What TwoLayerNet.loss gets where it asks for the gradients: the loss could be found from them, by integration."""
    return {name: np.zeros(np.shape(value)) for name, value in params.items()}


pytestmark = stands_in("compute_scores", calls=2000, dummies={"compute_gradients": no_gradients})


ANSWERS = ("test_loss_follows",)

SIZES = {"a small net": (4, 10, 3), "a wide net": (6, 21, 8)}


def random_params(rng, sizes):
    """Weights and biases that leave about half of the hidden units active; no bias is near zero."""
    D, H, C = sizes
    return {
        "W1": rng.standard_normal((D, H)) / np.sqrt(D),
        "b1": rng.choice([-1.0, 1.0], H) * rng.uniform(0.3, 1.2, H),
        "W2": rng.standard_normal((H, C)) / np.sqrt(H),
        "b2": rng.choice([-1.0, 1.0], C) * rng.uniform(0.3, 1.2, C),
    }


def data_loss(params, X, y):
    """The mean of −log softmax(scores)[y]."""
    scores = np.maximum(X @ params["W1"] + params["b1"], 0) @ params["W2"] + params["b2"]
    shifted = scores - scores.max(axis=1, keepdims=True)
    log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return float(-log_probs[np.arange(len(y)), y].mean())


def squares(params, *names):
    return float(sum((params[name] ** 2).sum() for name in names))


def example(rng, sizes, count):
    return rng.standard_normal((count, sizes[0])), rng.integers(sizes[2], size=count)


def net_with(submission, params):
    (D, H), C = params["W1"].shape, params["b2"].size
    net = instance(function(submission.TwoLayerNet, "TwoLayerNet")(D, H, C), "TwoLayerNet(…)")
    net.params = {name: value.copy() for name, value in params.items()}
    return net


def loss_of(net, X, y, reg):
    loss, _ = unpack(function(net.loss, "loss")(X, y, reg), ("loss", "grads"), "loss(X, y, reg)")
    return number(loss, "loss")


def expect_same_params(net, params):
    after = entries(net.params, "params", params)
    changed = [name for name, value in params.items() if not np.array_equal(array(after[name], what=name), value)]
    expect(not changed, f"params: expected the loss to change nothing, it changed {', '.join(changed)}.")
    return after


def gain_of(submission, params, X, y, reg):
    """What the loss gains by reg. A call that changes the parameters is told so: the next would be of another net."""
    net = net_with(submission, params)
    with_reg = loss_of(net, X, y, reg)
    expect_same_params(net, params)
    return with_reg - loss_of(net, X, y, 0.0)


@weight(0.2)
def test_loss_follows(submission, rng):
    """The loss follows from examples, labels and weights: over many nets one of its two terms goes with the right one.

    Of 150 nets that are sure, on two examples each: numbers that have nothing to do with the loss have 0.1 in common
    with it, more than 0.4 once in two million times, and losses with a slip 0.6 or more. Who forgets one of the two
    terms passes by the other.
    """
    params, (X, y) = random_params(rng, (4, 10, 3)), example(rng, (4, 10, 3), 7)
    first, again = (loss_of(net_with(submission, params), X, y, 0.1) for _ in range(2))
    right, got = [], []
    for _ in range(150):
        params, (X, y) = random_params(rng, (4, 10, 3)), example(rng, (4, 10, 3), 2)
        params["W2"] = 3 * params["W2"]
        plain, whole = (loss_of(net_with(submission, params), X, y, reg) for reg in (0.0, 1.0))
        right.append((data_loss(params, X, y), squares(params, "W1", "W2")))
        got.append((plain, whole - plain))
    right, got = (np.array(some) - np.mean(some, axis=0) for some in (right, got))
    alike = max(alignment(got[:, term], right[:, term]) for term in (0, 1))
    observe(follows=bool(np.isclose(first, again) and alike > 0.4))
    expect(np.isclose(first, again), "loss: expected the same for the same examples and weights, got another.")
    expect(alike > 0.4, "loss: expected the one of these examples and weights, got what has little to do with them.")


@weight(3, needs=ANSWERS)
def test_softmax_loss(submission, rng):
    """Without regularisation the loss is the softmax loss, the mean over the batch, for batches of 1, 5 and 12."""
    for name, sizes in SIZES.items():
        params = random_params(rng, sizes)
        for count in (1, 5, 12):
            X, y = example(rng, sizes, count)
            got = loss_of(net_with(submission, params), X, y, 0.0)
            expect_close(got, data_loss(params, X, y), f"loss of {name}, {count} examples, reg = 0", rtol=1e-7)


@weight(3, needs=ANSWERS)
def test_regulariser(submission, rng):
    """With regularisation the loss gains reg times the sum of all squared weights, no one half, no bias."""
    for name, sizes in SIZES.items():
        params = random_params(rng, sizes)
        X, y = example(rng, sizes, 7)
        gained = gain_of(submission, params, X, y, 0.8)
        asked = 0.8 * squares(params, "W1", "W2")
        observe(**{f"share of the regulariser of {name}": gained / asked})
        expect_close(gained, asked, f"what the loss of {name} gains by reg", rtol=1e-7, hint=hint_for(gained / asked))


def hint_for(share):
    """What the share of the regulariser tells."""
    if abs(share - 0.5) < 1e-6:
        return "That is one half of it: in this course there is no one half before the regulariser."
    if abs(share) < 1e-6:
        return "Does reg enter your loss at all?"
    return "Count the squares of W1 and W2 only, each once."


@weight(1.5, needs=ANSWERS)
def test_biases_are_free(submission, rng):
    """Large biases add nothing to the regulariser."""
    sizes = (4, 10, 3)
    params = random_params(rng, sizes)
    params["b1"], params["b2"] = params["b1"] * 3.0, params["b2"] * 3.0
    X, y = example(rng, sizes, 7)
    gained = gain_of(submission, params, X, y, 1.0)
    excess = gained - squares(params, "W1", "W2")
    observe(biases=bool(abs(excess - squares(params, "b1", "b2")) < 1e-6), excess=excess)
    message = "the regulariser: expected biases to add nothing, but what it adds grows with their squares."
    expect(abs(excess - squares(params, "b1", "b2")) > 1e-6, message)
    expect_close(gained, squares(params, "W1", "W2"), "the regulariser with large biases", rtol=1e-7)


@weight(1, needs=ANSWERS)
def test_both_layers_count(submission, rng):
    """The weights of each layer count: the large ones of one layer are felt, whichever it is."""
    for large in ("W1", "W2"):
        sizes = (4, 10, 3)
        params = random_params(rng, sizes)
        params[large] = 2.0 * params[large]
        X, y = example(rng, sizes, 7)
        gained = gain_of(submission, params, X, y, 0.3)
        expect_close(gained, 0.3 * squares(params, "W1", "W2"), f"the regulariser with a large {large}", rtol=1e-7)


@weight(1, needs=ANSWERS)
def test_regulariser_is_no_mean(submission, rng):
    """The regulariser does not depend on the number of examples."""
    sizes = (4, 10, 3)
    params = random_params(rng, sizes)
    for count in (1, 4, 20):
        X, y = example(rng, sizes, count)
        got = loss_of(net_with(submission, params), X, y, 0.4)
        expected = data_loss(params, X, y) + 0.4 * squares(params, "W1", "W2")
        expect_close(got, expected, f"loss of {count} examples, with reg", rtol=1e-7)


@weight(1, needs=ANSWERS)
def test_sure_and_wrong(submission, rng):
    """A net that is sure (scores some 30 apart) pays little where it is right, and much where it is wrong."""
    sizes = (4, 10, 3)
    params = random_params(rng, sizes)
    params["W1"], params["W2"] = 4 * params["W1"], 4 * params["W2"]
    X, _ = example(rng, sizes, 6)
    scores = np.maximum(X @ params["W1"] + params["b1"], 0) @ params["W2"] + params["b2"]
    for name, y in (("right", scores.argmax(axis=1)), ("wrong", scores.argmin(axis=1))):
        got = loss_of(net_with(submission, params), X, y, 0.0)
        expect_close(got, data_loss(params, X, y), f"loss where the net is sure and {name}", rtol=1e-6)


@weight(0.5, needs=ANSWERS)
def test_parameters_stay(submission, rng):
    """Computing the loss leaves the parameters as they were, and a second call gives the same."""
    sizes = (4, 10, 3)
    params = random_params(rng, sizes)
    X, y = example(rng, sizes, 7)
    net = net_with(submission, params)
    first, again = (loss_of(net, X, y, 0.4) for _ in range(2))
    after = expect_same_params(net, params)
    more = ", ".join(str(name)[:30] for name in after if name not in params)
    expect(not more, f"params: expected the four parameters and nothing else, got {more} too.")
    expect_close(again, first, "loss of a second call", rtol=1e-12)
