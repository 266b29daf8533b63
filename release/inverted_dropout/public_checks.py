"""The public checks of the inverted dropout assignment. They ship with it: read them if a ✗ puzzles you.

Masks are judged by their statistics and never bit by bit, so any way to draw them is fine.
"""

import itertools

import autograd
import numpy as np

from gradlab import softmax_loss
from gradlab.check import attempt, close, holds, same_shape


def dropout(nb):
    yield from attempt("drop_prob = 0 and 1", _ends(nb))
    yield from attempt("between 0 and 1", _between(nb))
    yield from attempt("no probability", _refusals(nb))
    yield from attempt("gradient", _dropout_gradient(nb))


def _ends(nb):
    X = np.arange(16).reshape(2, 8)
    yield close("drop_prob = 0: the output is X", nb.dropout(X, 0), X, tolerance=1e-12, hint="drop nothing")
    yield close(
        "drop_prob = 1: only zeros",
        nb.dropout(X, 1),
        np.zeros((2, 8)),
        tolerance=0,
        hint="1 − drop_prob is 0 here: do not divide by it",
    )


def _between(nb):
    X = np.arange(1, 17).reshape(2, 8)
    ratio = np.asarray(nb.dropout(X, 0.5)) / X
    yield holds(
        "drop_prob = 0.5: each entry is 0 or doubled",
        np.all((ratio == 0) | (np.abs(ratio - 2) < 1e-6)),
        hint="divide what stays by the probability to stay",
    )
    X = np.random.randn(500, 500) + 10
    before = X.copy()
    for drop_prob in (0.2, 0.7):
        out = nb.dropout(X, drop_prob)
        yield same_shape(f"drop_prob = {drop_prob}: shape of the output", out, X.shape)
        yield close(
            f"drop_prob = {drop_prob}: share of zeros",
            np.mean(out == 0),
            drop_prob,
            tolerance=0.01,
            hint="drop_prob is the probability to drop an entry; draw once for every entry",
        )
        yield close(
            f"drop_prob = {drop_prob}: mean of the output",
            np.mean(out),
            10,
            tolerance=0.25,
            hint="by which factor must what stays grow, so that the mean does not change?",
        )
    yield holds("X is left as it was", np.array_equal(X, before), hint="work on a new array")
    once, again = (nb.dropout(X, 0.5) for _ in range(2))
    yield holds("a new mask at each call", not np.array_equal(once, again), hint="draw in every call, with no seed")


def _refusals(nb):
    for drop_prob in (-0.1, 1.1):
        yield holds(
            f"drop_prob = {drop_prob} is refused",
            _refuses(nb, drop_prob),
            hint="assert that it is a probability, before anything else",
        )


def _refuses(nb, drop_prob):
    try:
        nb.dropout(np.ones((2, 3)), drop_prob)
    except (AssertionError, ValueError):
        return True
    return False


def _dropout_gradient(nb):
    X = np.random.randn(20, 30) + 10
    backward, out = autograd.make_vjp(lambda X: nb.dropout(X, 0.3))(X)
    yield close(
        "autograd follows it: the gradient is the factor of each entry",
        backward(np.ones(X.shape)),
        out / X,
        tolerance=1e-6,
        hint="use the notebook's np, build new arrays, do not assign to entries",
    )


SIZES = (6, 8, 7, 4)  # pixels, two hidden layers, classes


def _params(spread=1.0):
    pairs = list(itertools.pairwise(SIZES))
    weights = {f"W{i}": spread * np.random.randn(D, M) for i, (D, M) in enumerate(pairs, 1)}
    return weights | {f"b{i}": spread * np.random.randn(M) for i, (_, M) in enumerate(pairs, 1)}


def _scores(X, params):
    """The scores of a net that knows no dropout."""
    for i in (1, 2):
        X = np.maximum(X @ params[f"W{i}"] + params[f"b{i}"], 0)
    return X @ params["W3"] + params["b3"]


def net(nb):
    yield from attempt("not training", _net_without_dropout(nb))
    yield from attempt("training", _net_with_dropout(nb))
    yield from attempt("gradient", _net_gradient(nb))


def _net_without_dropout(nb):
    X, params = np.random.randn(5, 6), _params()
    scores = nb.net(X, params)
    yield same_shape("not training: shape of the scores", scores, (5, 4))
    yield close(
        "not training: the scores, by hand",
        scores,
        _scores(X, params),
        tolerance=1e-6,
        hint="affine, ReLU, affine, ReLU, affine; no dropout, no ReLU after the last",
    )


def _net_with_dropout(nb):
    X, params = np.random.randn(5, 6), _params()
    first, second = (nb.net(X, params, training=True) for _ in range(2))
    yield holds("training: new scores at each call", not np.array_equal(first, second), hint="call dropout")
    yield close(
        "training, drop_probs = (0, 0): the scores, by hand",
        nb.net(X, params, training=True, drop_probs=(0, 0)),
        _scores(X, params),
        tolerance=1e-6,
        hint="hand each drop probability on to dropout; the data and the scores themselves are never dropped",
    )
    yield close(
        "training, drop_probs = (0, 1): b3 alone",
        nb.net(X, params, training=True, drop_probs=(0, 1)),
        np.tile(params["b3"], (5, 1)),
        tolerance=1e-6,
        hint="the second probability belongs to the second hidden layer",
    )
    yield close(
        "training, drop_probs = (1, 0): the same for every picture",
        nb.net(X, params, training=True, drop_probs=(1, 0)),
        _scores(X, params | {"W1": 0 * params["W1"], "b1": 0 * params["b1"]}),
        tolerance=1e-6,
        hint="the first probability belongs to the first hidden layer",
    )


def _net_gradient(nb):
    X, params = np.random.randn(5, 6), _params()
    backward, _ = autograd.make_vjp(lambda params: nb.net(X, params))(params)
    grads = backward(np.ones((5, 4)))
    hidden = np.maximum(np.maximum(X @ params["W1"] + params["b1"], 0) @ params["W2"] + params["b2"], 0)
    yield close("autograd follows it: gradient by b3", grads["b3"], np.full(4, 5), tolerance=1e-6)
    expected = np.tile(hidden.sum(axis=0)[:, None], 4)
    hint = "use the notebook's np, build new arrays, do not assign to entries"
    yield close("autograd follows it: gradient by W3", grads["W3"], expected, tolerance=1e-6, hint=hint)


class Linear:
    """A model for the check of the training: one affine layer; it notes the minibatches that it is given."""

    def __init__(self):
        self.params = {"W1": 0.1 * np.random.randn(5, 3), "b1": np.zeros(3)}
        self.steps = []

    def net(self, X, params, training=False):
        scores = X @ params["W1"] + params["b1"]
        return -scores if training else scores  # so that it shows who asks in the wrong mode

    def forward_backward(self, params, X, y):
        scores = self.net(X, params) + 0.5 * np.random.randn(len(X), 3)
        loss, dscores = softmax_loss(scores, y)
        grads = {"W1": X.T @ dscores, "b1": dscores.sum(axis=0)}
        right = np.mean(scores.argmax(axis=1) == y)
        before = {name: np.array(value) for name, value in params.items()}
        self.steps.append({"X": np.array(X), "loss": loss, "right": right, "before": before, "grads": grads})
        return loss, scores, {name: grad.copy() for name, grad in grads.items()}


def train_from_scratch(nb):
    model = Linear()
    y = np.arange(90) % 3
    X = np.random.randn(90, 5) + np.eye(3, 5)[y]
    data = {"X_train": X[:60], "y_train": y[:60], "X_test": X[60:], "y_test": y[60:]}
    start = {name: value.copy() for name, value in model.params.items()}
    params, history = nb.train_from_scratch(
        start, data, model.net, model.forward_backward, num_epochs=4, lr=0.2, batch_size=20
    )
    steps = model.steps
    yield close("steps in 4 epochs of 60 images", len(steps), 12, tolerance=0, hint="60 / 20 minibatches an epoch")
    sizes = {len(step["X"]) for step in steps}
    yield holds("images in each minibatch", sizes == {20}, expected="20", got=", ".join(map(str, sorted(sizes))))
    batches = {step["X"][np.lexsort(step["X"].T)].tobytes() for step in steps}
    hint = "draw the order anew in each epoch"
    yield close("different minibatches among them", len(batches), len(steps), tolerance=0, hint=hint)
    ends = [*(step["before"] for step in steps[1:]), params]
    for name in ("W1", "b1"):
        wrong = sum(
            not np.allclose(end[name], step["before"][name] - 0.2 * step["grads"][name])
            for step, end in zip(steps, ends, strict=True)
        )
        hint = "once, after each minibatch: minus lr times the gradient, which is a mean already; return the last"
        title = f"steps of {name} by −lr times its gradient"
        yield close(title, len(steps) - wrong, len(steps), tolerance=0, hint=hint)
    yield from _history_lines(history, steps, model.net(data["X_test"], params), data["y_test"])


def _history_lines(history, steps, scores, y):
    for name, key, hint in (
        ("loss_history", "loss", "the mean over the epoch's minibatches"),
        ("train_acc_history", "right", "by the scores that forward_backward returned, over the epoch's minibatches"),
    ):
        means = np.reshape([step[key] for step in steps], (4, -1)).mean(axis=1)
        yield close(name, history[name], means, tolerance=1e-6, hint=hint)
    got = history["test_acc_history"]
    yield close("entries of test_acc_history", len(got), 4, tolerance=0, hint="one at the end of each epoch")
    yield close(
        "last test accuracy",
        got[-1],
        np.mean(scores.argmax(axis=1) == y),
        tolerance=1e-9,
        hint="net(X, params) with the epoch's last parameters, dropout off",
    )


def concise(nb):
    net, _ = nb.concise()
    shapes = {name: np.shape(value) for name, value in net.params.items()}
    expected = {"W1": (784, 256), "b1": (256,), "W2": (256, 256), "b2": (256,), "W3": (256, 10), "b3": (10,)}
    yield holds("shapes of the parameters", shapes == expected, expected=str(expected), got=str(shapes))
    yield from attempt("a small net", _small_concise(nb))
    yield from attempt("the trainer", _concise_training(nb))


def _small_concise(nb):
    X, params = np.random.randn(5, 6), _params()

    def small(drop_probs):
        net, _ = nb.concise(sizes=SIZES, drop_probs=drop_probs)
        net.params = params
        return net

    plain, b3 = _scores(X, params), np.tile(params["b3"], (5, 1))
    hint = "Dense, Dropout, Dense, Dropout, Dense; ReLU in the first two Dense"
    yield close("not training: the scores, by hand", small((0.2, 0.5))(X), plain, tolerance=1e-6, hint=hint)
    scores = small((0, 0))(X, training=True)
    yield close("training, drop_probs = (0, 0): the scores, by hand", scores, plain, tolerance=1e-6, hint=hint)
    scores = small((0, 1))(X, training=True)
    yield close("training, drop_probs = (0, 1): b3 alone", scores, b3, tolerance=1e-6, hint=hint)


def _concise_training(nb):
    net, trainer = nb.concise(sizes=SIZES, drop_probs=(0, 0), lr=0.1, batch_size=10)
    y = np.arange(10) % 4
    X = np.random.randn(10, 6)
    _, dscores = softmax_loss(net(X), y)
    expected = net.params["b3"] - 0.1 * dscores.sum(axis=0)
    trainer.fit({"X_train": X, "y_train": y, "X_test": X, "y_test": y}, num_epochs=1)
    hint = "give Trainer the net that you return, and lr"
    yield close("b3 after a step with lr = 0.1", net.params["b3"], expected, tolerance=1e-6, hint=hint)
