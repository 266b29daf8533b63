"""Predictions: of each example, the class with the highest score. Of tied classes any is right."""

import numpy as np

from gradlab_staff.grading import array, entries, expect, function, instance, observe, stands_in, weight

pytestmark = stands_in("compute_scores")

ANSWERS = ("test_labels_follow",)


def random_params(rng, sizes):
    """Weights and biases that leave about half of the hidden units active; no bias is near zero."""
    D, H, C = sizes
    return {
        "W1": rng.standard_normal((D, H)) / np.sqrt(D),
        "b1": rng.choice([-1.0, 1.0], H) * rng.uniform(0.3, 1.2, H),
        "W2": 2 * rng.standard_normal((H, C)) / np.sqrt(H),
        "b2": rng.choice([-1.0, 1.0], C) * rng.uniform(0.3, 1.2, C),
    }


def forward(params, X):
    return np.maximum(X @ params["W1"] + params["b1"], 0) @ params["W2"] + params["b2"]


def net_with(submission, params):
    (D, H), C = params["W1"].shape, params["b2"].size
    net = instance(function(submission.TwoLayerNet, "TwoLayerNet")(D, H, C), "TwoLayerNet(…)")
    net.params = {name: value.copy() for name, value in params.items()}
    return net


def judge(submission, params, X, what, hint="Which axis holds the classes?"):
    """Fail unless every label is one of those with the highest score."""
    scores = forward(params, X)
    came = function(net_with(submission, params).predict, "predict")(X)
    observe(**{what: came})
    labels = array(came, (len(X),), what)
    whole = (labels == np.rint(labels)) & (labels >= 0) & (labels < scores.shape[1])
    expect(whole.all(), f"{what}: expected labels from 0 to C − 1, and {int((~whole).sum())} of {len(X)} are not.")
    reached = scores[np.arange(len(X)), np.where(whole, labels, 0).astype(int)]
    wrong = reached < scores.max(axis=1) - 1e-9
    message = f"{what}: {int(wrong.sum())} of {len(X)} are not the class with the highest score."
    expect(not wrong.any(), f"{message} {hint}")


def often_at_an_end(lead):
    """Whether a class leads all others in half of the examples, or none."""
    return max((lead >= 0).all(axis=1).mean(), (lead <= 0).all(axis=1).mean()) > 0.5


@weight(0.1)
def test_labels_follow(submission, rng):
    """The labels follow from the examples and the parameters: for the same ones alike, and for others not.

    Of each of three nets several classes have the highest score, and several the lowest. The same examples get other
    labels of a net with other parameters: all 60 agree with a probability of 12^-60.
    """
    X = rng.standard_normal((60, 5))
    nets = [net_with(submission, several_winners(rng, X)) for _ in range(3)]
    labels = [[array(function(net.predict, "predict")(X), what="labels") for _ in range(2)] for net in nets]
    follows = (
        all(np.array_equal(first, again) for first, again in labels),
        any(len(np.unique(first)) > 1 for first, _ in labels),
        any(not np.array_equal(first, labels[0][0]) for first, _ in labels),
    )
    observe(follows=all(follows))
    expect(follows[0], "labels: expected the same for the same examples, got others.")
    expect(follows[1], "labels: expected several classes for 60 examples, got one for all.")
    expect(follows[2], "labels: expected others of a net with other parameters, got the same.")


def several_winners(rng, X):
    """Parameters by which all classes have the same mean score, and none is ahead, or behind, everywhere."""
    while True:
        params = random_params(rng, (5, 20, 12))
        params["b2"] -= forward(params, X).mean(axis=0)
        scores = forward(params, X)
        if all(len(np.unique(best)) > 2 for best in (scores.argmax(axis=1), scores.argmin(axis=1))):
            return params


@weight(3, needs=ANSWERS)
def test_predictions(submission, rng):
    """Each example's label is the class with the highest score, one label for each example."""
    for sizes, count in (((5, 20, 4), 30), ((6, 20, 12), 7)):
        params, X = random_params(rng, sizes), rng.standard_normal((count, sizes[0]))
        judge(submission, params, X, f"labels of {count} examples, {sizes[2]} classes")


@weight(1, needs=ANSWERS)
def test_as_many_examples_as_classes(submission, rng):
    """It is the best class of each example, not the best example of each class."""
    params, X = random_params(rng, (5, 20, 9)), rng.standard_normal((9, 5))
    judge(submission, params, X, "labels of 9 examples, 9 classes")


@weight(1, needs=ANSWERS)
def test_scores_below_zero(submission, rng):
    """It is the highest score, also where all are negative, and not the largest in absolute value."""
    params, X = random_params(rng, (5, 20, 6)), rng.standard_normal((25, 5))
    params["b2"] -= 50.0
    judge(submission, params, X, "labels where all scores are negative")


@weight(1, needs=ANSWERS)
def test_scores_of_any_size(submission, rng):
    """It is the highest score, whether all scores are very low, very high, or all but equal."""
    params, X = random_params(rng, (5, 20, 6)), rng.standard_normal((25, 5))
    while often_at_an_end(forward(params, X)[:, :1] - forward(params, X)):  # who finds no highest score says class 0
        params = random_params(rng, (5, 20, 6))
    hint = "What happens to the scores on the way to the label?"
    for what, level in (("very low", -2e5), ("very high", 2e5)):
        judge(submission, {**params, "b2": params["b2"] + level}, X, f"labels where scores are {what}", hint)
    near = {**params, "W2": 1e-6 * params["W2"], "b2": 1e-6 * params["b2"]}
    judge(submission, near, X, "labels where scores are all but equal", hint)


@weight(0.5, needs=ANSWERS)
def test_parameters_stay(submission, rng):
    """Predicting leaves the parameters as they were."""
    params, X = random_params(rng, (5, 20, 6)), rng.standard_normal((7, 5))
    net = net_with(submission, params)
    array(function(net.predict, "predict")(X), (7,), "labels")
    after = entries(net.params, "params", params)
    changed = [name for name, value in params.items() if not np.array_equal(array(after[name], what=name), value)]
    expect(not changed, f"params: expected predictions to change nothing, they changed {', '.join(changed)}.")
    more = ", ".join(str(name)[:30] for name in after if name not in params)
    expect(not more, f"params: expected the four parameters and nothing else, got {more} too.")


@weight(0.5, needs=ANSWERS)
def test_ties_and_single_examples(submission, rng):
    """A single example gives one label; of classes with equal scores any will do."""
    params = random_params(rng, (5, 20, 6))
    judge(submission, params, rng.standard_normal((1, 5)), "label of one example")
    params["W2"][:] = 0.0
    params["b2"] = np.array([0.0, 1.0, -1.0, 1.0, 1.0, 0.5])
    judge(submission, params, rng.standard_normal((8, 5)), "labels where classes tie")
