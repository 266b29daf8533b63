"""The public checks of the dropout assignment. They ship with it: read them if a ✗ puzzles you.

Masks are judged by their statistics and never bit by bit, so any way to draw them is fine.
"""

import contextlib
import io

import numpy as np

from gradlab import eval_numerical_gradient, eval_numerical_gradient_array, rel_error, softmax_loss
from gradlab.check import attempt, close, holds, same_shape


def dropout_forward(nb):
    x = np.random.randn(500, 500) + 10
    before = x.copy()
    for p in (0.25, 0.4, 0.7):
        out, _ = nb.dropout_forward(x, {"mode": "train", "p": p})
        yield same_shape(f"p = {p}: shape of the output", out, x.shape)
        yield close(
            f"p = {p}: fraction of zeros",
            np.mean(out == 0),
            1 - p,
            tolerance=0.01,
            hint="p is the probability to keep an entry; draw once for every entry",
        )
        yield close(
            f"p = {p}: mean of the output",
            np.mean(out),
            10,
            tolerance=0.25,
            hint="by which factor must a kept entry grow, so that the mean stays?",
        )
    out, _ = nb.dropout_forward(x, {"mode": "test", "p": 0.25})
    yield close("test mode: the output is the input", out, before, tolerance=1e-12, hint="change nothing")
    yield holds("the input is left as it was", np.array_equal(x, before), hint="work on a new array")

    once, again = (nb.dropout_forward(x, {"mode": "train", "p": 0.5, "seed": 3})[0] for _ in range(2))
    yield holds("one seed, one mask", np.array_equal(once, again), hint="draw after the seed was set")
    other, another = (nb.dropout_forward(x, {"mode": "train", "p": 0.5})[0] for _ in range(2))
    yield holds("no seed: a new mask at each call", not np.array_equal(other, another), hint="draw in every call")


def dropout_backward(nb):
    x, dout = np.random.randn(10, 10) + 10, np.random.randn(10, 10)
    param = {"mode": "train", "p": 0.2, "seed": 123}
    _, cache = nb.dropout_forward(x, param)
    dx = nb.dropout_backward(dout, cache)
    yield same_shape("shape of dx", dx, x.shape)
    if np.shape(dx) == x.shape:
        numerical = eval_numerical_gradient_array(lambda x: nb.dropout_forward(x, param)[0], x, dout)
        error = rel_error(dx, numerical)
        yield holds(
            "train mode: dx against the numerical gradient",
            error < 1e-7,
            expected="a relative error below 1e-7",
            got=f"{error:.1e}",
            hint="dout goes through the numbers that x was multiplied by in the forward pass",
        )
    _, cache = nb.dropout_forward(x, {"mode": "test", "p": 0.2})
    dx = nb.dropout_backward(dout, cache)
    yield close("test mode: dx is dout", dx, dout, tolerance=1e-12, hint="test mode changes nothing")


def fully_connected_net(nb):
    yield from attempt("parameters", _net_parameters(nb))
    yield from attempt("scores", _net_scores(nb))
    for dropout in (1, 0.75, 0.5):
        yield from attempt(f"dropout = {dropout}", _net_gradients(nb, dropout))
    yield from attempt("regularisation", _net_regularisation(nb))


def _net_parameters(nb):
    net = nb.FullyConnectedNet([200, 30], input_dim=100, num_classes=10, weight_scale=5e-2, dtype=np.float64)
    names = ", ".join(sorted(net.params))
    yield holds("parameters", names == "W1, W2, W3, b1, b2, b3", expected="W1, W2, W3, b1, b2, b3", got=names)
    for name, shape in {"W1": (100, 200), "b1": (200,), "W3": (30, 10), "b3": (10,)}.items():
        yield same_shape(f"shape of {name}", net.params[name], shape, hint="W is (units in, units out)")
    for name in ("W1", "W2", "W3"):
        yield close(
            f"standard deviation of {name}",
            np.std(net.params[name]),
            0.05,
            tolerance=0.015,
            hint="normal numbers times weight_scale, for every layer",
        )


def _net_scores(nb):
    X = np.random.randn(4, 15)
    net = nb.FullyConnectedNet([20, 30], input_dim=15, dropout=0.5, weight_scale=0.3, dtype=np.float64)
    scores = net.loss(X)
    yield same_shape("shape of the scores", scores, (4, 10))
    yield holds("without labels: no dropout", np.array_equal(scores, net.loss(X)), hint="test mode if y is None")
    y = np.array([1, 5, 0, 9])
    losses = {float(net.loss(X, y)[0]) for _ in range(5)}
    yield holds(
        "with labels: new masks at each call",
        len(losses) > 1,
        hint="call dropout_forward with self.dropout_param after every ReLU",
    )


def _net_gradients(nb, dropout):
    X, y = np.random.randn(2, 15), np.random.randint(10, size=2)
    net = nb.FullyConnectedNet([20, 30], input_dim=15, dropout=dropout, weight_scale=5e-2, dtype=np.float64, seed=123)
    loss, grads = net.loss(X, y)
    yield close(f"dropout = {dropout}: first loss", loss, np.log(10), tolerance=0.05, hint="all classes alike: ln 10")
    yield _gradient_line(f"dropout = {dropout}: gradients", net, X, y, grads)


def _net_regularisation(nb):
    X, y = np.random.randn(2, 15), np.random.randint(10, size=2)
    net = nb.FullyConnectedNet([20, 30], input_dim=15, reg=3.14, weight_scale=5e-2, dtype=np.float64)
    loss, grads = net.loss(X, y)
    net.reg = 0.0
    plain, _ = net.loss(X, y)
    net.reg = 3.14
    expected = 0.5 * 3.14 * sum(np.sum(net.params[name] ** 2) for name in ("W1", "W2", "W3"))
    yield close(
        "reg = 3.14: what the loss gains",
        loss - plain,
        expected,
        tolerance=1e-6,
        hint="one half times reg times the sum of the squares of all weights, the last layer's too, no bias",
    )
    yield _gradient_line("reg = 3.14: gradients", net, X, y, grads)


def _gradient_line(title, net, X, y, grads):
    """The relative errors of the parameters. 1e-3 leaves room for a ReLU that h moves across its kink."""
    errors = {}
    for name, value in sorted(net.params.items()):
        numerical = eval_numerical_gradient(lambda _: net.loss(X, y)[0], value)
        errors[name] = rel_error(grads[name], numerical)
    return holds(
        title,
        max(errors.values()) < 1e-3,
        expected="relative errors below 1e-3",
        got=", ".join(f"{name}: {error:.0e}" for name, error in errors.items() if error >= 1e-3) or "all below",
        hint="the later layers come first in the backward pass: fix the last W that is wrong first",
    )


FIRST, SECOND = np.array([0.5, 1.0, -4.0]), np.array([1.0, -1.0, 2.0])
STEPS = {
    "sgd_momentum": ([0.9950, -2.0100, 0.5400], [0.9805, -2.0090, 0.5560]),
    "rmsprop": ([0.9000, -2.1000, 0.6000], [0.8105, -2.0291, 0.5551]),
    "adam": ([0.9990, -2.0010, 0.5010], [0.9980, -2.0009, 0.5013]),
}
RULE_HINTS = {
    "sgd_momentum": "is the velocity of the first step still in the config at the second?",
    "rmsprop": "is the cache of the first step still in the config at the second?",
    "adam": "t counts the steps: 1 at the first, 2 at the second; m, v and t stay in the config",
}


def update_rules(nb):
    for rule, steps in STEPS.items():
        yield from attempt(rule, _rule_lines(nb, rule, steps))


def _rule_lines(nb, name, steps):
    rule, config = getattr(nb, name), None
    w = np.array([1.0, -2.0, 0.5])
    for gradient, expected, when in zip((FIRST, SECOND), steps, ("one step", "two steps"), strict=True):
        w, config = rule(w.copy(), gradient.copy(), config)
        yield close(f"{name}: w after {when}", w, expected, tolerance=1e-4, hint=RULE_HINTS[name])
    small, large = (rule(np.ones(3), FIRST.copy(), {"learning_rate": rate})[0] - 1 for rate in (1e-4, 1e-3))
    yield close(
        f"{name}: ten times the learning rate, ten times the step",
        large / small,
        [10, 10, 10],
        tolerance=0.01,
        hint='take it from config["learning_rate"]',
    )


class SoftmaxClassifier:
    """A model for the solver's check: one affine layer; it notes the batches that it is given."""

    def __init__(self):
        self.params = {"W": np.zeros((4, 2)), "b": np.zeros(2)}
        self.batches = []

    def loss(self, X, y=None):
        scores = X @ self.params["W"] + self.params["b"]
        if y is None:
            return scores
        self.batches.append((np.array(X), np.array(y)))
        loss, dscores = softmax_loss(scores, y)
        return loss, {"W": X.T @ dscores, "b": dscores.sum(axis=0)}


def _two_clouds():
    """Two classes that overlap; the last feature is the number of the example, over 60."""
    X, y = np.random.randn(60, 4), np.arange(60) % 2
    X[:, 0] += 1.5 * y
    X[:, 3] = np.arange(60) / 60
    return {"X_train": X[:40], "y_train": y[:40], "X_val": X[40:], "y_val": y[40:]}


def _solver(nb, data, rates, **options):
    """A model and its solver; `rates` collects the learning rate of every update of W."""

    def descend(w, dw, config=None):
        if w.ndim == 2:
            rates.append(config["learning_rate"])
        return w - config["learning_rate"] * dw, config

    model = SoftmaxClassifier()
    settings = {"optim_config": {"learning_rate": 0.32}, "batch_size": 10, "num_epochs": 5, "verbose": False}
    return model, nb.Solver(model, data, update_rule=descend, **(settings | options))


def solver(nb):
    yield from attempt("_step", _step_lines(nb))
    yield from attempt("check_accuracy", _accuracy_lines(nb))
    yield from attempt("train", _train_lines(nb))


def _step_lines(nb):
    data = _two_clouds()
    model, solver = _solver(nb, data, [])
    if not hasattr(solver, "_step"):  # laid out in another way: train is checked below
        return
    before = model.params["W"].copy()
    solver._step()
    X, y = model.batches[-1]
    yield close("_step: examples in the batch", len(X), 10, tolerance=0, hint="batch_size")
    rows = np.rint(X[:, 3] * 60).astype(int)
    paired = np.array_equal(y, data["y_train"][rows])
    yield holds("_step: each example comes with its label", paired, hint="index X_train and y_train alike")
    moved = not np.array_equal(before, model.params["W"])
    yield holds("_step: the parameters move", moved, hint="put next_w into model.params")
    yield close("_step: losses in the history", len(solver.loss_history), 1, tolerance=0, hint="append it")


def _accuracy_lines(nb):
    model, solver = _solver(nb, _two_clouds(), [])
    X, y = np.zeros((250, 4)), (np.arange(250) % 5 == 0).astype(int)
    model.params["b"][0] = 1.0  # class 0 always wins: right for four in five
    yield close(
        "check_accuracy: 200 of 250 right",
        solver.check_accuracy(X, y),
        0.8,
        tolerance=1e-9,
        hint="the predicted class has the highest score; mind the last batch, which is smaller",
    )


def _train_lines(nb):
    data, rates = _two_clouds(), []
    model, solver = _solver(nb, data, rates, lr_decay=0.5)
    solver.train()
    losses = len(solver.loss_history)
    yield close("train: losses in 5 epochs", losses, 20, tolerance=0, hint="40 / 10 iterations an epoch")
    for name in ("train_acc_history", "val_acc_history"):
        yield close(
            f"train: entries of {name}",
            len(getattr(solver, name)),
            6,
            tolerance=0,
            hint="after the first iteration, and at the end of each epoch",
        )
    yield close(
        "train: learning rates of the five epochs",
        rates[::4],
        [0.32, 0.16, 0.08, 0.04, 0.02],
        tolerance=1e-9,
        hint="times lr_decay, once at the end of each epoch, for every parameter",
    )
    best = np.max(solver.val_acc_history)
    yield close("train: best_val_acc", solver.best_val_acc, best, tolerance=1e-9, hint="max of val_acc_history")
    predicted = np.argmax(model.loss(data["X_val"]), axis=1)
    yield close(
        "train: validation accuracy of the model at the end",
        np.mean(predicted == data["y_val"]),
        best,
        tolerance=1e-9,
        hint="keep a copy of the best parameters; make it the model's at the end",
    )


def overfit_small_data(nb):
    rate, scale, data = nb.overfit_learning_rate, nb.overfit_weight_scale, nb.data
    small = {
        "X_train": data["X_train"][:50],
        "y_train": data["y_train"][:50],
        "X_val": data["X_val"][:50],
        "y_val": data["y_val"][:50],
    }
    reached = []
    for seed in (0, 1, 2):
        np.random.seed(seed)
        net = nb.FullyConnectedNet([100, 100], weight_scale=scale)
        solver = nb.Solver(
            net,
            small,
            update_rule="sgd",
            optim_config={"learning_rate": rate},
            num_epochs=20,
            batch_size=25,
            verbose=False,
        )
        with np.errstate(all="ignore"):  # a rate that is too large overflows: the accuracy says it
            solver.train()
        reached.append(float(np.max(solver.train_acc_history)))
    yield holds(
        "best training accuracy, from three starts",
        reached.count(1.0) >= 2,
        expected="1 from two of them",
        got=", ".join(f"{accuracy:.2f}" for accuracy in reached),
        hint="if the loss hardly falls, raise the learning rate or the weight scale; if it jumps, lower one",
    )


def regularization_experiment(nb):
    X, y = np.random.randn(300, 3, 32, 32) * 60, np.random.randint(10, size=300)
    data = {"X_train": X[:200], "y_train": y[:200], "X_val": X[200:], "y_val": y[200:]}
    with contextlib.redirect_stdout(io.StringIO()):
        solvers = nb.regularization_experiment(data, dropouts=(1, 0.25), hidden_dim=100, num_epochs=2)
    keys = sorted(solvers)
    yield holds("a solver for each keep probability", keys == [0.25, 1], expected="[0.25, 1]", got=str(keys))
    for dropout, solver in solvers.items():
        losses, accuracies = len(solver.loss_history), len(solver.val_acc_history)
        yield close(f"dropout = {dropout}: losses", losses, 4, tolerance=0, hint="batch_size=100, and train()")
        yield close(f"dropout = {dropout}: accuracies", accuracies, 3, tolerance=0, hint="num_epochs, and train()")
    ratio = solvers[0.25].loss_history[0] / solvers[1].loss_history[0]
    yield holds(
        "dropout makes the first loss larger",
        ratio > 1.2,
        expected="about 1.7 times as large",
        got=f"{ratio:.1f} times",
        hint="hand each keep probability to its own FullyConnectedNet",
    )
