"""The public checks of the two-layer net. They ship with it: read them if a ✗ puzzles you.

Minibatches are judged by what they hold, never draw by draw, so any way to draw them is fine.
"""

import numpy as np

from gradlab import affine_forward, affine_relu_forward, eval_numerical_gradient, rel_error, softmax_loss
from gradlab.check import attempt, close, holds, same_shape

SCORES = [
    [-0.81233741, -1.27654624, -0.70335995],
    [-0.17129677, -1.18803311, -0.47310444],
    [-0.51590475, -1.01354314, -0.8504215],
    [-0.15419291, -0.48629638, -0.52901952],
    [-0.00618733, -0.12435261, -0.15226949],
]
LOSS = 1.30378789133  # with reg = 0.05


def _toy(nb):
    """The toy net, and its five examples with their labels."""
    np.random.seed(0)
    net = nb.TwoLayerNet(4, 10, 3, std=1e-1)
    np.random.seed(1)
    return net, 10 * np.random.randn(5, 4), np.array([0, 1, 2, 2, 1])


def _set_biases(net):
    """Give the net biases: that of a new one are zero, and hide mistakes."""
    net.params["b1"] = np.linspace(-0.5, 0.5, 10)
    net.params["b2"] = np.array([0.5, -1.0, 2.0])


def scores(nb):
    net, X, _ = _toy(nb)
    before = {name: value.copy() for name, value in net.params.items()}
    got = net.loss(X)
    yield same_shape("shape of the scores", got, (5, 3), hint="a row for each example, a column for each class")
    yield close("scores of the toy net", got, SCORES, tolerance=1e-7, hint="ReLU after the first layer, nowhere else")
    _set_biases(net)
    shifted = net.loss(np.zeros((2, 4)))
    hidden = np.maximum(net.params["b1"], 0) @ net.params["W2"] + net.params["b2"]
    yield close("an example of zeros shows the biases", shifted[0], hidden, tolerance=1e-9, hint="add b1 before ReLU")
    same = all(np.array_equal(before[name], net.params[name]) for name in ("W1", "W2"))
    yield holds("the parameters are left as they were", same, hint="work on new arrays")


def loss(nb):
    net, X, y = _toy(nb)
    got = np.squeeze(nb.compute_loss(net.params, X, y, 0.05))
    yield close("loss of the toy net, reg = 0.05", got, LOSS, tolerance=1e-10, hint="look which of the next lines fail")
    scores = nb.compute_scores(net.params, X)
    plain = np.squeeze(nb.compute_loss(net.params, X, y, 0.0))
    expected, _ = softmax_loss(scores, y)
    yield close("without the regulariser", plain, expected, tolerance=1e-9, hint="the mean over the examples")
    _set_biases(net)
    gained = np.squeeze(nb.compute_loss(net.params, X, y, 0.7) - nb.compute_loss(net.params, X, y, 0.0))
    squares = sum(np.sum(net.params[name] ** 2) for name in ("W1", "W2"))
    yield close(
        "reg = 0.7: what the loss gains",
        gained,
        0.7 * squares,
        tolerance=1e-9,
        hint="reg times the sum of the squares of both weight matrices: no one half, no biases",
    )


def gradients(nb):
    net, X, y = _toy(nb)
    for reg in (0.0, 0.05):
        yield from attempt(f"reg = {reg}", _gradient_lines(nb, net, X, y, reg))
    _set_biases(net)
    yield from attempt("with biases", _gradient_lines(nb, net, X, y, 0.05, ", with biases"))


def _gradient_lines(nb, net, X, y, reg, more=""):
    grads = nb.compute_gradients(net.params, X, y, reg)
    for name in ("W2", "b2", "W1", "b1"):
        title = f"reg = {reg}{more}: gradient of {name}"
        if np.shape(grads[name]) != net.params[name].shape:
            yield same_shape(title, grads[name], net.params[name].shape, hint="the shape of the parameter")
            continue
        slope = eval_numerical_gradient(lambda _: _course_loss(net.params, X, y, reg), net.params[name])
        error = rel_error(grads[name], slope)
        yield holds(
            title,
            error < 1e-6,
            expected="a relative error below 1e-6",
            got=f"{error:.1e}" if error >= 1e-6 else "less",
            hint="what is the derivative of reg * W**2?"
            if reg and name[0] == "W"
            else "the chain rule, layer by layer",
        )


def _course_loss(params, X, y, reg):
    """The loss that the gradients belong to, so that a mistake in yours does not show here."""
    rectified, _ = affine_relu_forward(X, params["W1"], params["b1"])
    data_loss, _ = softmax_loss(affine_forward(rectified, params["W2"], params["b2"])[0], y)
    return data_loss + reg * sum(np.sum(params[name] ** 2) for name in ("W1", "W2"))


def predict(nb):
    net, X, _ = _toy(nb)
    got = nb.predict_labels(net.params, X)
    yield close(
        "labels of the toy data", got, np.argmax(SCORES, axis=1), tolerance=0, hint="the highest score of each row"
    )
    net.params["W2"] = np.zeros((10, 3))
    net.params["b2"] = np.array([-3.0, -1.0, -2.0])
    got = nb.predict_labels(net.params, X[:4])
    yield close("scores below zero", got, [1, 1, 1, 1], tolerance=0, hint="the highest, not the one nearest to zero")


class _Recorder:
    """A net for the check of training; it notes each minibatch, and how it is moved. It has no ReLU."""

    def __init__(self):
        self.params = {
            "W1": 0.3 * np.random.randn(4, 5),
            "b1": 0.3 * np.random.randn(5),
            "W2": 0.3 * np.random.randn(5, 2),
            "b2": np.array([0.4, -0.4]),
        }
        self.batches, self.before, self.grads, self.losses, self.regs = [], [], [], [], []

    def loss(self, X, y=None, reg=0.0):
        params = {name: np.array(value) for name, value in self.params.items()}
        inner, _ = affine_forward(X, params["W1"], params["b1"])
        marks, _ = affine_forward(inner, params["W2"], params["b2"])
        if y is None:
            return marks
        # Made up, and another for each minibatch: how a net is trained is looked at here, not what its gradient is.
        loss = float(np.abs(marks).mean() + np.mean(y) + reg)
        grads = {name: np.cos(value + place + X.sum()) for place, (name, value) in enumerate(params.items())}
        if len(X) in (TRAINING, VALIDATION) or self._asked_before(X, params):
            return loss, grads  # a look at all the data, or at the last minibatch once more
        self.batches.append((np.array(X), np.array(y)))
        self.before.append(params)
        self.grads.append({name: value.copy() for name, value in grads.items()})
        self.losses.append(loss)
        self.regs.append(reg)
        return loss, grads

    def _asked_before(self, X, params):
        if not self.batches or not np.array_equal(self.batches[-1][0], X):
            return False
        return all(np.array_equal(self.before[-1][name], value) for name, value in params.items())

    def predict(self, X):
        return np.argmax(self.loss(X), axis=1)

    def places(self):
        """The parameters before each step, and after the last."""
        return [*self.before, self.params]

    def rates(self, name):
        """The learning rate of each step of a parameter, read from how it moved."""
        values = [params[name] for params in self.places()]
        moves = [(a - b, grads[name]) for a, b, grads in zip(values, values[1:], self.grads, strict=False)]
        return [float((move * slope).sum() / (slope**2).sum()) for move, slope in moves]


TRAINING, VALIDATION = 40, 23


def train(nb):
    yield from attempt("train_net on a model of the check", _train_lines(nb))
    yield from attempt("train_net on the toy net", _toy_lines(nb))


def _train_lines(nb):
    """Forty training examples, batches of ten, three epochs; the last feature numbers the examples."""
    X, y = np.random.randn(TRAINING + VALIDATION, 4), np.arange(TRAINING + VALIDATION) % 2
    X[:, 0] += 1.5 * y
    X[:, 3] = np.arange(len(X)) / len(X)
    val = X[TRAINING:], y[TRAINING:]
    net = _Recorder()
    options = {"learning_rate": 0.32, "learning_rate_decay": 0.5, "reg": 0.125, "num_iters": 12, "batch_size": 10}
    stats = nb.train_net(net, X[:TRAINING], y[:TRAINING], *val, **options)
    losses = np.ravel(stats["loss_history"])
    yield close("losses in loss_history", len(losses), 12, tolerance=0, hint="append the loss of each minibatch")
    for name in ("train_acc_history", "val_acc_history"):
        length = len(stats[name])
        yield holds(f"entries of {name}", length in (3, 4), expected="3, one an epoch", got=str(length))
    if not net.batches:
        return  # it calls the notebook's functions, not the net's methods: fine, but nothing could be noted
    yield from _batch_lines(net, X, y)
    yield close("reg that net.loss gets", net.regs[0], 0.125, tolerance=1e-12, hint="pass reg on")
    for names in (("W1", "W2"), ("b1", "b2")):
        for name in names:
            yield from _rate_lines(net.rates(name), name)
    same = len(losses) == len(net.losses) and np.allclose(losses, net.losses)
    yield holds("loss_history", same, hint="the losses that net.loss returned, one an iteration")
    yield from _accuracy_lines(net, val, stats["val_acc_history"])


def _batch_lines(net, X, y):
    yield close("minibatches", len(net.batches), 12, tolerance=0, hint="num_iters of them, a new one each time")
    yield close("examples in a minibatch", len(net.batches[0][0]), 10, tolerance=0, hint="batch_size of them")
    rows = [np.rint(batch[:, 3] * len(X)).astype(int) for batch, _ in net.batches]
    paired = all(np.array_equal(labels, y[numbers]) for numbers, (_, labels) in zip(rows, net.batches, strict=True))
    yield holds("each example comes with its label", paired, hint="index X and y with the same rows")
    varied = len({tuple(numbers) for numbers in rows}) > 1 and max(map(max, rows)) >= 20
    yield holds("minibatches are drawn from all the data", varied, hint="draw new rows, from 0 to N - 1, each time")


def _rate_lines(rates, name):
    ends = [0.32] * 4 + [0.16] * 4 + [0.08] * 4
    starts = [0.32] + [0.16] * 4 + [0.08] * 4 + [0.04] * 3
    right = any(np.shape(rates) == np.shape(asked) and np.allclose(rates, asked) for asked in (ends, starts))
    told = ", ".join(f"{rate:.2g}" for rate in rates[::4])
    yield holds(
        f"learning rates of {name}, in the three epochs",
        right,
        expected="0.32, 0.16, 0.08",
        got="these" if right else told,
        hint="downhill; times learning_rate_decay, once in each epoch of 4 iterations",
    )


def _accuracy_lines(net, val, history):
    """The last accuracy belongs to some moment of the last epoch."""
    X, y = val
    right = []
    for params in net.places()[8:]:
        scores = (X @ params["W1"] + params["b1"]) @ params["W2"] + params["b2"]
        right.append(float(np.mean(np.argmax(scores, axis=1) == y)))
    shown = float(history[-1])
    fits = any(abs(shown - one) < 1e-9 for one in right)
    told = "that" if fits else f"{shown:.3g}"
    hint = "net.predict(X_val) against y_val"
    yield holds("last entry of val_acc_history", fits, expected="the last epoch's", got=told, hint=hint)


def _toy_lines(nb):
    """The toy data forty times over, so that batches of the default size can be drawn in any way."""
    _, X, y = _toy(nb)
    np.random.seed(0)
    net = nb.TwoLayerNet(4, 10, 3, std=1e-1)
    X, y = np.tile(X, (40, 1)), np.tile(y, 40)
    stats = nb.train_net(net, X, y, X, y, learning_rate=1e-1, reg=5e-6, num_iters=100)
    last = float(stats["loss_history"][-1])
    yield holds(
        "toy net: last loss",
        last < 0.02,
        expected="below 0.02",
        got="that" if last < 0.02 else f"loss {last:.3g}",
        hint="are loss and gradients right, and all four parameters moved?",
    )


def tuning(nb):
    yield from attempt("tune on a few small examples", _small_search(nb))
    yield from attempt("best_net on the data in use", _search_lines(nb))


def _small_search(nb):
    """The form of the answer, on data with 12 features and 10 classes."""
    X, y = 500 * np.random.randn(450, 12), np.arange(450) % 10
    net, results = nb.tune(X[:400], y[:400], X[400:], y[400:], num_iters=4)
    yield same_shape(
        "12 features: shape of W1's columns", net.params["W1"][:, 0], (12,), hint="sizes come from the data"
    )
    yield holds("settings tried", len(results) >= 4, expected="at least 4", got=str(len(results)), hint="search more")
    measured = float(np.mean(net.predict(X[400:]) == y[400:]))
    best = float(max(results.values()))
    same = abs(measured - best) < 0.03
    told = "it" if same else f"{measured:.3f} instead of {best:.3f}"
    yield holds(
        "accuracy of best_net", same, expected="the best of results", got=told, hint="keep the best, not the last"
    )


def _search_lines(nb):
    accuracy = float(np.mean(nb.best_net.predict(nb.X_val) == nb.y_val))
    yield holds(
        "best_net on the validation data",
        accuracy >= nb.goal,
        expected=f"at least {nb.goal:g}",
        got=f"accuracy {accuracy:.3f}",
        hint="plot the loss of your best run: does it still fall, or jump? Is training far above validation?",
    )


def gap_choice(nb):
    answers = nb.gap_answers
    kind = isinstance(answers, set | frozenset | list | tuple)
    yield holds("gap_answers is a set", kind, expected="such as {2}", got=f"a {type(answers).__name__}")
    inside = kind and len(answers) > 0 and all(answer in (1, 2, 3, 4) for answer in answers)
    yield holds("it holds numbers of the list", inside, expected="some of 1 to 4", hint="the numbers, not the words")
    alone = inside and not (4 in answers and len(set(answers)) > 1)
    yield holds("it does not contradict itself", alone, hint='"none of these" stands alone')
