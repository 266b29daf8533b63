"""train_from_scratch: minibatches, steps of gradient descent, and three histories.

The net and its gradients are the grader's own and are handed in: it sees every minibatch, with the parameters of that
moment, and every prediction. Losses, scores and gradients are drawn at random, so that nothing but the training loop
can give the answers. Minibatches may be drawn with or without replacement, or from a permutation of each epoch.
"""

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from gradlab_staff.grading import (
    array,
    entries,
    expect,
    expect_close,
    expect_one_of,
    follow,
    function,
    observe,
    unpack,
    weight,
)

STEPS = ("test_training_moves_the_net",)

HISTORIES = ("loss_history", "train_acc_history", "test_acc_history")


def make_params(rng, sizes=(5, 6, 6, 3), sd=1.0):
    params = {}
    for i in (1, 2, 3):
        params[f"W{i}"] = sd * rng.standard_normal((sizes[i - 1], sizes[i]))
        params[f"b{i}"] = sd * rng.standard_normal(sizes[i])
    return params


def hidden(X, params):
    first = np.maximum(X @ params["W1"] + params["b1"], 0)
    return first, np.maximum(first @ params["W2"] + params["b2"], 0)


def predict(X, params):
    return hidden(X, params)[1] @ params["W3"] + params["b3"]


def copy_of(params):
    """The submission's parameters as the grader may use them."""
    return {name: array(value, what=f"params[{name!r}]") for name, value in entries(params, "params").items()}


@dataclass
class Step:
    """One minibatch: which training images, the parameters before the step, and what forward_backward returned."""

    rows: list[int]
    paired: bool
    params: dict[str, np.ndarray]
    loss: float
    right: int
    grads: dict[str, np.ndarray]


@dataclass
class Net:
    """`net` as it is handed in: answers, and remembers for whom it was asked, and whether for training."""

    rng: np.random.Generator
    asked: list[tuple[int, bool]] = field(default_factory=list)

    def __call__(self, X, params, training=False, drop_probs=None):
        X = array(X, what="X")
        self.asked.append((len(X), bool(training)))
        scores = predict(X, copy_of(params))
        return scores + 50 * self.rng.standard_normal(scores.shape) if training else scores


@dataclass
class ForwardBackward:
    """`forward_backward` as it is handed in: random losses, scores and gradients, and a log of the steps."""

    rng: np.random.Generator
    data: dict[str, np.ndarray]
    shapes: dict[str, tuple[int, ...]]
    steps: list[Step] = field(default_factory=list)

    @cached_property
    def places(self):
        """Where each training image stands."""
        return {row.tobytes(): i for i, row in enumerate(self.data["X_train"])}

    def __call__(self, params, X, y):
        # what fails here is told to the submission's code, which asked
        params, X = copy_of(params), array(X, what="X")
        shapes = {name: value.shape for name, value in params.items()}
        expect(shapes == self.shapes, "forward_backward: expected parameters of the names and shapes that were given.")
        expect(X.ndim == 2 and X.shape[1] == 5 and len(X), f"forward_backward: expected X (N, 5), got {X.shape}.")
        y = array(y, (len(X),), "y").astype(int)
        rows = [self.places.get(row.tobytes(), -1) for row in X]
        paired = -1 not in rows and np.array_equal(self.data["y_train"][rows], y)
        loss, scores, grads = self.answer(params, X, y)
        right = int((scores.argmax(axis=1) == y).sum())
        self.steps.append(Step(rows, paired, params, loss, right, grads))
        return loss, scores, {name: grad.copy() for name, grad in grads.items()}

    def answer(self, params, X, y):
        grads = {name: self.rng.standard_normal(value.shape) for name, value in params.items()}
        scores = self.rng.standard_normal((len(X), 3)) + 0.5 * np.eye(3)[y]
        return float(self.rng.uniform(0.5, 2.5)), scores, grads


class Steep(ForwardBackward):
    """Gradients forty times as large: nothing was said of a limit to them."""

    def answer(self, params, X, y):
        loss, scores, grads = super().answer(params, X, y)
        return loss, scores, {name: 40 * grad for name, grad in grads.items()}


class Learning(ForwardBackward):
    """The real loss and gradients of the plain net."""

    def answer(self, params, X, y):
        first, second = hidden(X, params)
        scores = second @ params["W3"] + params["b3"]
        log_probs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        dscores = (np.exp(log_probs) - np.eye(3)[y]) / len(y)
        dsecond = (dscores @ params["W3"].T) * (second > 0)
        dfirst = (dsecond @ params["W2"].T) * (first > 0)
        grads = {
            "W3": second.T @ dscores, "b3": dscores.sum(axis=0),
            "W2": first.T @ dsecond, "b2": dsecond.sum(axis=0),
            "W1": X.T @ dfirst, "b1": dfirst.sum(axis=0),
        }  # fmt: skip
        return float(-log_probs[np.arange(len(y)), y].mean()), scores, grads


@dataclass
class Run:
    """A training, and what the grader saw of it."""

    params: dict[str, np.ndarray]
    history: dict[str, Any]
    steps: list[Step]
    net: Net
    data: dict[str, np.ndarray]

    @property
    def trail(self) -> list[dict[str, np.ndarray]]:
        """The parameters after each step: those before the next one, and the returned ones."""
        return [*(step.params for step in self.steps[1:]), self.params][: len(self.steps)]


def make_data(rng, train=64, test=41):
    """Random images and labels: accuracies stay away from 0 and 1."""
    return {
        "X_train": rng.standard_normal((train, 5)),
        "y_train": rng.integers(3, size=train),
        "X_test": rng.standard_normal((test, 5)),
        "y_test": rng.integers(3, size=test),
    }


def train(submission, rng, data=None, kind=ForwardBackward, params=None, **options) -> Run:
    data = make_data(rng) if data is None else data
    params = make_params(rng) if params is None else params
    net, forward_backward = Net(rng), kind(rng, data, {name: value.shape for name, value in params.items()})
    stand_ins = [submission.stand_in(thing, state=(), methods=("__call__",)) for thing in (net, forward_backward)]
    training = function(submission.train_from_scratch, "train_from_scratch")
    reply = training(params, data, *stand_ins, **options)
    trained, history = unpack(reply, ("params", "history"), "train_from_scratch")
    trained = entries(trained, "params", params)
    history = entries(history, "history", HISTORIES)
    expect(forward_backward.steps, "train_from_scratch: expected forward_backward to be called, it never was.")
    trained = {name: array(trained[name], value.shape, f"params[{name!r}]") for name, value in params.items()}
    return Run(trained, history, forward_backward.steps, net, data)


SMALL = {"num_epochs": 3, "lr": 0.07, "batch_size": 16}


def per_epoch(run, epochs):
    """The steps, epoch by epoch."""
    count = len(run.steps) // epochs
    same = len(run.steps) == count * epochs and count > 0
    expect(same, f"steps: expected as many in each of {epochs} epochs, got {len(run.steps)} in all.")
    return [run.steps[i * count : (i + 1) * count] for i in range(epochs)]


@weight(0.3)
def test_training_moves_the_net(submission, rng):
    """Training moves some parameter along the gradients of forward_backward, one way or the other."""
    run = train(submission, rng, **SMALL)
    pairs = zip(run.steps, run.trail, strict=True)
    moves = [{name: value - after[name] for name, value in step.params.items()} for step, after in pairs]
    along = follow(moves, [step.grads for step in run.steps])
    observe(along=along)
    message = "train_from_scratch: expected steps along the gradients of forward_backward, got none, or others."
    expect(along, message)


@weight(2.5, needs=STEPS)
def test_steps(submission, rng):
    """After each minibatch every parameter moves by −lr times its gradient; what the last step gives is returned.

    So it is in each of ten epochs, and however large the gradient.
    """
    for name, lr, kind, num_epochs in (
        ("a small lr", rng.uniform(0.01, 0.05), ForwardBackward, 10),
        ("a large lr", rng.uniform(0.5, 1.5), ForwardBackward, 3),
        ("large gradients", rng.uniform(0.2, 0.4), Steep, 1),
    ):
        data = make_data(rng, 32)
        run = train(submission, rng, data, kind, num_epochs=num_epochs, lr=lr, batch_size=16)
        for parameter in sorted(run.params):
            rates = [
                float(((step.params[parameter] - after[parameter]) * step.grads[parameter]).sum())
                / float((step.grads[parameter] ** 2).sum())
                for step, after in zip(run.steps, run.trail, strict=True)
            ]
            observe(**{f"rate of {parameter}, {name}": np.array(rates) / lr})
        for step, after in zip(run.steps, run.trail, strict=True):
            for parameter, value in after.items():
                expected = step.params[parameter] - lr * step.grads[parameter]
                what, hint = f"{parameter} after one of the steps, {name}", "Each moves by −lr · grad."
                expect_close(value, expected, what, rtol=1e-5, atol=1e-6, evidence=False, hint=hint)


@weight(1, needs=STEPS)
def test_start(submission, rng):
    """Training starts from the parameters that are given."""
    params = make_params(rng)
    run = train(submission, rng, params=params, **SMALL)
    for name, value in params.items():
        expect_close(run.steps[0].params[name], value, f"{name} at the first minibatch", rtol=1e-6)


@weight(1.5, needs=STEPS)
def test_number_of_steps(submission, rng):
    """An epoch has as many steps as whole minibatches fit into the training set, or one more for the rest."""
    for images, size, epochs in ((64, 16, 3), (60, 16, 2), (70, 35, 4)):
        run = train(submission, rng, make_data(rng, images), num_epochs=epochs, batch_size=size, lr=0.01)
        allowed = sorted({images // size * epochs, -(-images // size) * epochs})
        right, asked = len(run.steps) in allowed, " or ".join(map(str, allowed))
        observe(**{f"steps of {images} by {size}": "right" if right else len(run.steps)})
        told = f"{images} images, batches of {size}, {epochs} epochs"
        expect(right, f"{told}: expected {asked} steps, got {len(run.steps)}.")


@weight(1.5, needs=STEPS)
def test_minibatches(submission, rng):
    """Every minibatch holds batch_size training images with their own labels; only one for the rest may be smaller."""
    run = train(submission, rng, make_data(rng, 60), num_epochs=2, batch_size=16, lr=0.01)
    sizes = {len(step.rows) for step in run.steps}
    odd = sizes - {16, 60 % 16}
    observe(odd_sizes=sorted(odd), paired=all(step.paired for step in run.steps))
    came = ", ".join(map(str, sorted(sizes)[:5]))
    expect(16 in sizes and not odd, f"minibatches: expected 16 images in each, got {came}.")
    paired = all(step.paired for step in run.steps)
    expect(paired, "minibatches: expected training images with their own labels, got others.")


@weight(1, needs=STEPS)
def test_minibatches_are_random(submission, rng):
    """Minibatches are drawn anew in each epoch, and every training image is drawn sooner or later.

    Two minibatches of 24 of 48 are the same set with a probability below 3.2e-14, over the 1,770 pairs below 6e-11.
    After 60 draws of 24 with replacement an image has never come with a probability of 48 · (47/48)^1440 = 4e-12.
    """
    run = train(submission, rng, make_data(rng, 48), num_epochs=30, lr=0.01, batch_size=24)
    batches = [frozenset(step.rows) for step in run.steps]
    seen = frozenset().union(*batches)
    observe(repeated=len(set(batches)) < len(batches), unseen=48 - len(seen))
    expect(len(seen) == 48, f"minibatches: expected every training image to come up, {48 - len(seen)} of 48 never did.")
    expect(len(set(batches)) == len(batches), "minibatches: expected other ones in each epoch, got the same again.")


@weight(2, needs=STEPS)
def test_loss_history(submission, rng):
    """loss_history holds the mean loss of the minibatches of each epoch."""
    run = train(submission, rng, **{**SMALL, "num_epochs": 4})
    epochs = [[step.loss for step in steps] for steps in per_epoch(run, 4)]
    came = array(run.history["loss_history"], what="loss_history")
    observe(entries=came.size)
    for name, other in (
        ("last losses", [losses[-1] for losses in epochs]),
        ("sums", [sum(losses) for losses in epochs]),
    ):
        observe(**{f"loss_history holds {name}": came.shape == (4,) and bool(np.allclose(came, other))})
    expected = [np.mean(losses) for losses in epochs]
    expect_close(came, expected, "loss_history", rtol=1e-5, evidence=False, hint="The mean of the epoch's losses.")


@weight(1, needs=STEPS)
def test_rest_of_an_epoch(submission, rng):
    """If a smaller minibatch ends the epoch, it counts in the averages, by its images or as one minibatch."""
    run = train(submission, rng, make_data(rng, 60), num_epochs=2, batch_size=16, lr=0.01)
    steps = per_epoch(run, 2)
    loss, share = (lambda step: step.loss), (lambda step: step.right / len(step.rows))
    for name, take in (("loss_history", loss), ("train_acc_history", share)):
        by_images = [np.average([take(s) for s in epoch], weights=[len(s.rows) for s in epoch]) for epoch in steps]
        by_batches = [np.mean([take(s) for s in epoch]) for epoch in steps]
        got = array(run.history[name], (2,), name)
        expect_one_of(got, [by_images, by_batches], f"{name}, 60 images, batches of 16", rtol=1e-5)


@weight(2, needs=STEPS)
def test_train_acc_history(submission, rng):
    """train_acc_history holds the share of right answers in the minibatches of each epoch, by their scores."""
    run = train(submission, rng, **{**SMALL, "num_epochs": 4})
    epochs = per_epoch(run, 4)
    came = array(run.history["train_acc_history"], what="train_acc_history")
    X, y = run.data["X_train"], run.data["y_train"]
    ends = [run.trail[len(epochs[0]) * (i + 1) - 1] for i in range(4)]
    afterwards = [float((predict(X, params).argmax(axis=1) == y).mean()) for params in ends]
    last = [steps[-1].right / len(steps[-1].rows) for steps in epochs]
    for name, other in (("measured afterwards", afterwards), ("of the last minibatch", last)):
        observe(**{name: came.shape == (4,) and bool(np.allclose(came, other))})
    observe(entries=came.size, predictions=len(run.net.asked))
    expected = [sum(s.right for s in steps) / sum(len(s.rows) for s in steps) for steps in epochs]
    hint = "Count right answers by the scores that forward_backward returned."
    expect_close(came, expected, "train_acc_history", rtol=1e-5, evidence=False, hint=hint)


@weight(2.5, needs=STEPS)
def test_test_acc_history(submission, rng):
    """test_acc_history holds the accuracy on all test images at the end of each epoch, with dropout off.

    A training after which the accuracy is as before tells nothing, which is one in five: of ten, the first that tells
    something is judged. All are made, lest their number tells the submission something, too.
    """
    runs = [train(submission, rng, **{**SMALL, "num_epochs": 5, "lr": 0.4}) for _ in range(10)]
    run, count, accuracy = next(filter(tells, map(at_each_step, runs)), at_each_step(runs[-1]))
    came = array(run.history["test_acc_history"], what="test_acc_history")
    in_training = any(training for _, training in run.net.asked)
    early = came.shape == (5,) and bool(np.allclose(came, accuracy[: 5 * count : count]))
    observe(entries=came.size, in_training=in_training, before_the_epoch=early, asked=len(run.net.asked))
    expect(not in_training, "test_acc_history: expected net(X, params) without training, got it with training=True.")
    hint = "Predict with the parameters at the end of each epoch."
    expect_close(came, accuracy[count::count], "test_acc_history", rtol=1e-6, evidence=False, hint=hint)


def at_each_step(run):
    """A training, its steps an epoch, and the accuracy on the test images before and after each step."""
    X, y = run.data["X_test"], run.data["y_test"]
    trail = [run.steps[0].params, *run.trail]
    return run, len(per_epoch(run, 5)[0]), [float((predict(X, one).argmax(axis=1) == y).mean()) for one in trail]


def tells(training):
    """Whether the accuracies at the ends of the epochs differ enough to tell them apart."""
    _, count, accuracy = training
    return len(set(accuracy[::count])) > 3


@weight(1.5, needs=STEPS)
def test_whole_sets(submission, rng):
    """Large sets are used as a whole: minibatches come from all training images, the accuracy from all test images.

    The net answers a number of the 6,001 test images right, the first ones, and the others wrong. The number is drawn,
    and has no divisor in common with 6,001: no part of the images, however it is chosen, has the share of all. Of
    10,500 draws with replacement none falls on the last 500 of 10,500 images, or on a given thousand, with a
    probability of (20/21)^10500, below 1e-200.
    """
    count, tests, params = 10_500, 6_001, make_params(rng)
    data = make_data(rng, count, tests)
    right = int(rng.choice([n for n in range(2000, 4000) if math.gcd(n, tests) == 1]))
    wrong = np.arange(tests) >= right
    data["y_test"] = (predict(data["X_test"], params).argmax(axis=1) + wrong) % 3
    run = train(submission, rng, data, params=params, num_epochs=1, lr=1e-9, batch_size=1750)
    rows = np.array([row for step in run.steps for row in step.rows])
    unseen = sorted(set(range(0, count, 1000)) - set((rows // 1000 * 1000).tolist()))
    tested = sum(images for images, _ in run.net.asked)
    observe(unseen=len(unseen), tested=tested)
    told = f"expected some of each thousand, got none from {len(unseen)} of the thousands" if unseen else ""
    expect(not unseen, f"minibatches of {count} training images: {told}. All training images are to be drawn from.")
    accuracy = float((predict(data["X_test"], run.params).argmax(axis=1) == data["y_test"]).mean())
    came, hint = run.history["test_acc_history"], f"All {tests} test images count."
    expect_close(came, [accuracy], f"test_acc_history with {tests} test images", evidence=False, hint=hint)


@weight(1, needs=STEPS)
def test_defaults(submission, rng):
    """Unless told otherwise: 5 epochs, minibatches of 256, a learning rate of 0.5."""
    run = train(submission, rng, make_data(rng, 512))
    largest = max(len(step.rows) for step in run.steps)
    observe(steps=len(run.steps), largest=largest)
    expect(largest == 256, f"batch_size: expected 256 unless told otherwise, got {largest}.")
    expect(len(run.steps) == 10, f"512 images: expected 10 steps in 5 epochs, got {len(run.steps)}.")
    step, after = run.steps[0], run.trail[0]
    expect_close(after["W1"], step.params["W1"] - 0.5 * step.grads["W1"], "W1 after a step", rtol=1e-5, evidence=False)


@weight(2, needs=STEPS)
def test_it_learns(submission, rng):
    """The returned parameters answer images of three well separated classes, by the grader's own forward pass.

    The best of four trainings counts. The reference reached an accuracy of 1 in each of 1,000: one training misses 0.9
    with a probability below 0.003 (at 95 %), four in a row with one below 1e-10. All four are made, whatever comes of
    the first: whether there is another must not tell how it went.
    """
    best = 0.0
    for _ in range(4):
        run, measured = learn(submission, rng)
        history = array(run.history["test_acc_history"], (12,), "test_acc_history")
        expect_close(history[-1], measured, "last entry of test_acc_history", atol=1e-6, evidence=False)
        best = max(best, measured)
    observe(learned=best >= 0.9)
    expect(best >= 0.9, f"test accuracy of the returned parameters: expected above 0.9, measured {best:.3f}.")


def learn(submission, rng):
    """Train the plain net on three clouds of images; measure the accuracy of what comes back on new ones."""
    means = 4 * np.eye(3, 5)
    data = make_data(rng, 160, 90)
    for part in ("train", "test"):
        data[f"X_{part}"] = means[data[f"y_{part}"]] + 0.3 * rng.standard_normal(data[f"X_{part}"].shape)
    params = {
        name: value * (0.3 if name[0] == "W" else 0.0) for name, value in make_params(rng, (5, 40, 40, 3)).items()
    }
    run = train(submission, rng, data, Learning, params, num_epochs=12, lr=0.1, batch_size=16)
    return run, float((predict(data["X_test"], run.params).argmax(axis=1) == data["y_test"]).mean())
