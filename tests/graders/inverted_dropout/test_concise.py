"""concise: the net of exercise 2 from ready-made layers, and a trainer of it.

Nothing that the net says of itself counts. The grader sets parameters of its own and looks at the scores, or lets the
trainer train and looks at where the parameters go. Where all weights are the identity, a score tells the fate of one
unit of each hidden layer.
"""

import math

import numpy as np

from gradlab_staff.grading import (
    about,
    alignment,
    array,
    centred,
    entries,
    expect,
    expect_close,
    expect_share,
    function,
    instance,
    observe,
    unpack,
    weight,
)

ANSWERS = ("test_scores_follow",)

NAMES = ("W1", "b1", "W2", "b2", "W3", "b3")


def build(submission, **options):
    reply = function(submission.concise, "concise")(**options)
    net, trainer = unpack(reply, ("net", "trainer"), "concise")
    return instance(net, "the net"), instance(trainer, "the trainer")


def parameters(net, sizes):
    """The net's parameters, if they have the shapes of a net of these sizes."""
    params = entries(net.params, "the net's params", NAMES)
    expect(len(params) == 6, f"the net's params: expected six, got {len(params)}. How many layers are Dense?")
    shapes = {f"W{i}": (sizes[i - 1], sizes[i]) for i in (1, 2, 3)} | {f"b{i}": (sizes[i],) for i in (1, 2, 3)}
    return {name: array(params[name], shape, name) for name, shape in shapes.items()}


def make_params(rng, sizes):
    params = {f"W{i}": rng.standard_normal((sizes[i - 1], sizes[i])) for i in (1, 2, 3)}
    return params | {f"b{i}": rng.standard_normal(sizes[i]) for i in (1, 2, 3)}


def plain_scores(X, params):
    for i in (1, 2):
        X = np.maximum(X @ params[f"W{i}"] + params[f"b{i}"], 0)
    return X @ params["W3"] + params["b3"]


def glass_params(rng, units):
    """Identity weights and positive biases: the fate of every unit shows in the scores."""
    params = {f"W{i}": np.eye(units) for i in (1, 2, 3)}
    return params | {f"b{i}": rng.uniform(0.5, 2.0, units) for i in (1, 2, 3)}


@weight(0.2)
def test_scores_follow(submission, rng):
    """The scores follow from images and parameters, and there is more to them than Dense: ReLU or dropout, somewhere.

    Numbers that do not depend on both have 0.05 in common with the right ones, scores with a slip more than 0.3. Layers
    of Dense alone are affine: the scores of the mean of two images are the mean of theirs, in training as without.
    """
    net, _ = build(submission, sizes=(20, 30, 25, 10))
    net.params = params = make_params(rng, (20, 30, 25, 10))
    X = rng.standard_normal((100, 20))
    got = array(net(X), (100, 10), "scores")
    alike = alignment(centred(got), centred(plain_scores(X, params)))
    middle = (got[::2] + got[1::2]) / 2
    between = array(net((X[::2] + X[1::2]) / 2), (50, 10), "scores")
    in_training = array(net(X, training=True), (100, 10), "scores in training")
    more = not (np.allclose(between, middle, rtol=1e-3) and np.allclose(in_training, got, rtol=1e-3))
    observe(follows=bool(alike > 0.2), more=more)
    expect(alike > 0.2, "scores: expected those of these images and parameters, got what has little to do with them.")
    expect(more, "scores: expected ReLU and dropout between the layers of Dense, got those of Dense alone.")


@weight(2, needs=ANSWERS)
def test_parameters(submission, rng):
    """Unless told otherwise the net is 784 – 256 – 256 – 10; other sizes are taken as told; biases start at 0.

    The standard deviation of 2,560 or more normal weights is within a tenth of 0.01, seven standard errors: for six
    such arrays false alarms at most 5e-12.
    """
    small = (5, 4, 7, 3)
    parameters(build(submission, sizes=small)[0], small)
    told = (80, 70, 60, 50)
    judge_start(parameters(build(submission)[0], (784, 256, 256, 10)), "")
    judge_start(parameters(build(submission, sizes=told)[0], told), f", sizes = {told}")


def judge_start(params, when):
    for name, value in params.items():
        spread = float(value.std())
        fits = abs(spread - 0.01) < 1e-3 if name.startswith("W") else not value.any()
        observe(**{f"{name} starts as it should{when}": fits})
        expected = "a standard deviation of 0.01" if name.startswith("W") else "zeros"
        came = f"expected {expected}, got a standard deviation of {spread:.3g} about {float(value.mean()):.3g}"
        expect(fits, f"{name} at the start{when}: {came}. Leave Dense its own initial weights.")


@weight(3, needs=ANSWERS)
def test_scores(submission, rng):
    """Without training, the scores are affine, ReLU, affine, ReLU, affine."""
    for sizes in ((5, 4, 7, 3), (30, 20, 25, 10)):
        net, _ = build(submission, sizes=sizes, drop_probs=(0.4, 0.7))
        parameters(net, sizes)
        X, params = rng.standard_normal((6, sizes[0])), make_params(rng, sizes)
        net.params = params
        hint = "Both hidden layers have ReLU, the last layer has not."
        expect_close(net(X), plain_scores(X, params), f"scores of {sizes[-1]} classes", rtol=1e-5, atol=1e-6, hint=hint)


@weight(3, needs=ANSWERS)
def test_dropout_while_training(submission, rng):
    """In training, units of each hidden layer are dropped with that layer's probability, the others rescaled.

    For each of two pairs of probabilities two exact binomial tests of about 6,000 units or more at 1e-10: false alarms
    at most 4e-10.
    """
    low, high = round(rng.uniform(0.15, 0.3), 3), round(rng.uniform(0.6, 0.75), 3)
    for drop_probs in ((low, high), (high, low)):
        judge_training(build(submission, sizes=(12, 12, 12, 12), drop_probs=drop_probs)[0], drop_probs, rng)


@weight(1, needs=ANSWERS)
def test_default_probabilities(submission, rng):
    """Unless told otherwise, units are dropped with probability 0.2 after the first hidden layer, 0.5 after the second.

    Two exact binomial tests of at least 10,000 units at 1e-10: false alarms at most 2e-10.
    """
    judge_training(build(submission, sizes=(12, 12, 12, 12))[0], (0.2, 0.5), rng)


def judge_training(net, drop_probs, rng):
    """Judge a net of identity weights by its scores in training.

    With k = 1 − drop_prob, a score minus b3 is 0 (second unit dropped), b2 / k2 (first dropped) or (h1 / k1 + b2) / k2.
    """
    parameters(net, (12, 12, 12, 12))
    X, params = rng.uniform(0.5, 2.0, (2000, 12)), glass_params(rng, 12)
    net.params = params
    k1, k2 = (1 - drop_prob for drop_prob in drop_probs)
    got = array(net(X, training=True), X.shape, "scores in training") - params["b3"]
    levels = (np.zeros(X.shape), np.tile(params["b2"] / k2, (2000, 1)), ((X + params["b1"]) / k1 + params["b2"]) / k2)
    second_out, first_out, none_out = (np.abs(got - level) <= 1e-5 * (1 + np.abs(level)) for level in levels)
    strange, sd = ~(second_out | first_out | none_out), math.sqrt(0.25 / X.size)
    observe(strange=about(strange.mean(), sd), zero=about(second_out.mean(), sd))
    observe(mean=about(got.mean(), got.std() / math.sqrt(12)))
    expect(
        not strange.any(),
        f"scores in training: {int(strange.sum())} of {strange.size} fit no combination of dropped and rescaled hidden "
        "units. A Dropout follows each hidden layer, with that layer's probability to drop, and none stands elsewhere.",
    )
    hint = "The probabilities are those to drop; the first belongs to the first hidden layer."
    expect_share(second_out, drop_probs[1], "share dropped of the second hidden layer", hint=hint)
    if not second_out.all():
        expect_share(first_out[~second_out], drop_probs[0], "share dropped of the first hidden layer", hint=hint)


@weight(2, needs=ANSWERS)
def test_extremes(submission, rng):
    """In training, a probability of 0 drops nothing, and one of 1 empties its own hidden layer and no other."""
    sizes = (5, 8, 7, 4)
    X, params = rng.standard_normal((6, 5)), make_params(rng, sizes)
    only_biases = plain_scores(0 * X, {**params, "W1": 0 * params["W1"], "b1": 0 * params["b1"]})
    cases = {
        (0.0, 0.0): (plain_scores(X, params), "Nothing is dropped here."),
        (1.0, 0.0): (only_biases, "Only the first hidden layer is empty here."),
        (0.0, 1.0): (np.tile(params["b3"], (6, 1)), "Only the second hidden layer is empty here."),
    }
    replies = {}
    for drop_probs in cases:
        net, _ = build(submission, sizes=sizes, drop_probs=drop_probs)
        parameters(net, sizes)
        net.params = params
        replies[drop_probs] = net(X, training=True)
        observe(**{f"scores, {drop_probs}": replies[drop_probs]})
    for drop_probs, (expected, hint) in cases.items():
        what = f"scores in training, drop_probs = {drop_probs}"
        expect_close(replies[drop_probs], expected, what, rtol=1e-5, atol=1e-6, hint=hint, evidence=False)


@weight(2, needs=ANSWERS)
def test_trainer(submission, rng):
    """The trainer trains this net, with the learning rate and the batch size that it was told.

    All images of the set are one and the same: every minibatch has the same gradient, so the order does not matter, and
    only the number and the size of the steps count.
    """
    small, large = rng.uniform(0.02, 0.05, 2), rng.uniform(0.6, 0.9)
    for count, batch_size, lr in ((12, 4, small[0]), (10, 10, large), (600, 600, small[1])):
        judge_trainer(submission, rng, count, 2 * count // batch_size, lr, {"lr": lr, "batch_size": batch_size})


@weight(1, needs=ANSWERS)
def test_trainer_defaults(submission, rng):
    """Unless told otherwise, the learning rate is 0.5 and a minibatch has 256 images."""
    judge_trainer(submission, rng, 512, 4, 0.5, {})


def judge_trainer(submission, rng, count, steps, lr, options):
    """Train two epochs on copies of one image, and compare with that many steps of gradient descent by hand."""
    sizes = (5, 6, 7, 3)
    net, trainer = build(submission, sizes=sizes, drop_probs=(0.0, 0.0), **options)
    parameters(net, sizes)
    start = {name: 0.5 * value for name, value in make_params(rng, sizes).items()}
    X, y = np.tile(rng.standard_normal(5), (count, 1)), np.full(count, int(rng.integers(3)))
    net.params = start
    fit = function(trainer.fit, "the trainer's fit")
    fit({"X_train": X, "y_train": y, "X_test": X[:2], "y_test": y[:2]}, num_epochs=2)
    expected = start
    for _ in range(steps):
        expected = descend(expected, X[:1], y[:1], lr)
    trained = parameters(net, sizes)
    way = {name: float(np.sum((trained[name] - start[name]) * (expected[name] - start[name]))) for name in NAMES}
    full = {name: float(np.sum((expected[name] - start[name]) ** 2)) for name in NAMES}
    observe(way=sum(way.values()) / sum(full.values()))
    for name in NAMES:
        what = f"{name} after two epochs of {count} images"
        hint = "Trainer gets the net that you return, lr and batch_size."
        expect_close(trained[name], expected[name], what, rtol=1e-5, atol=1e-7, hint=hint, evidence=False)


def descend(params, X, y, lr):
    """One step of gradient descent on the cross-entropy of the plain net."""
    first = np.maximum(X @ params["W1"] + params["b1"], 0)
    second = np.maximum(first @ params["W2"] + params["b2"], 0)
    scores = second @ params["W3"] + params["b3"]
    probabilities = np.exp(scores - scores.max(axis=1, keepdims=True))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    dscores = (probabilities - np.eye(scores.shape[1])[y]) / len(y)
    dsecond = (dscores @ params["W3"].T) * (second > 0)
    dfirst = (dsecond @ params["W2"].T) * (first > 0)
    grads = {
        "W3": second.T @ dscores, "b3": dscores.sum(axis=0),
        "W2": first.T @ dsecond, "b2": dsecond.sum(axis=0),
        "W1": X.T @ dfirst, "b1": dfirst.sum(axis=0),
    }  # fmt: skip
    return {name: value - lr * grads[name] for name, value in params.items()}
