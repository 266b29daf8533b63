"""Predictions: of each example, the class with the highest score. Of tied classes any is right."""

import numpy as np

from gradlab.grading import array, expect, function, instance, observe, stands_in, weight

pytestmark = stands_in("compute_scores", "compute_loss", "compute_gradients")


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


def predictions(submission, params, X):
    (D, H), C = params["W1"].shape, params["b2"].size
    net = instance(function(submission.TwoLayerNet, "TwoLayerNet")(D, H, C), "TwoLayerNet(…)")
    net.params = {name: value.copy() for name, value in params.items()}
    return function(net.predict, "predict")(X)


def judge(submission, params, X, what):
    """Fail unless every label is one of those with the highest score."""
    scores = forward(params, X)
    came = predictions(submission, params, X)
    observe(**{what: came})
    labels = array(came, (len(X),), what)
    whole = (labels == np.rint(labels)) & (labels >= 0) & (labels < scores.shape[1])
    expect(whole.all(), f"{what}: expected labels from 0 to C − 1, got {int((~whole).sum())} others of {len(X)}.")
    reached = scores[np.arange(len(X)), labels.astype(int)]
    wrong = reached < scores.max(axis=1) - 1e-9
    message = f"{what}: {int(wrong.sum())} of {len(X)} are not the class with the highest score."
    expect(not wrong.any(), message + " Which axis holds the classes?" * bool(wrong.any()))


@weight(3)
def test_predictions(submission, rng):
    """Each example's label is the class with the highest score, one label for each example."""
    for sizes, count in (((5, 20, 4), 30), ((6, 20, 12), 7)):
        params, X = random_params(rng, sizes), rng.standard_normal((count, sizes[0]))
        judge(submission, params, X, f"labels of {count} examples, {sizes[2]} classes")


@weight(1)
def test_as_many_examples_as_classes(submission, rng):
    """It is the best class of each example, not the best example of each class."""
    params, X = random_params(rng, (5, 20, 9)), rng.standard_normal((9, 5))
    judge(submission, params, X, "labels of 9 examples, 9 classes")


@weight(1)
def test_scores_below_zero(submission, rng):
    """It is the highest score, also where all are negative, and not the largest in absolute value."""
    params, X = random_params(rng, (5, 20, 6)), rng.standard_normal((25, 5))
    params["b2"] -= 50.0
    judge(submission, params, X, "labels where all scores are negative")


@weight(0.5)
def test_ties_and_single_examples(submission, rng):
    """A single example gives one label; of classes with equal scores any will do."""
    params = random_params(rng, (5, 20, 6))
    judge(submission, params, rng.standard_normal((1, 5)), "label of one example")
    params["W2"][:] = 0.0
    params["b2"] = np.array([0.0, 1.0, -1.0, 1.0, 1.0, 0.5])
    judge(submission, params, rng.standard_normal((8, 5)), "labels where classes tie")
