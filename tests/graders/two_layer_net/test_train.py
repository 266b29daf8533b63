"""Training: random minibatches, steps of gradient descent, decay once an epoch, histories.

The net that is trained is the grader's own. It notes every minibatch with the parameters of that moment, and its
gradients and labels are made up: so each step, learning rate and accuracy can be told apart. Minibatches may be drawn
with or without replacement, or from a permutation of each epoch. An epoch's accuracies and its decay may come at its
first iteration (as published) or at its last. Where the data are fewer than batch_size, a minibatch may repeat examples
or hold fewer.
"""

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from gradlab_staff.grading import (
    array,
    entries,
    expect,
    expect_close,
    follow,
    function,
    number,
    observe,
    weight,
)

STEPS = ("test_training_moves_the_net",)

MANY = 1201  # validation examples: a prime, so that no smaller part of them has the same accuracy
BATCH = 499  # of 2,000 training examples: no number that is known beforehand is the accuracy on so many
PERIOD = 64  # after so many steps the same answers are wrong again
SHAPES = {"W1": (4, 6), "b1": (6,), "W2": (6, 3), "b2": (3,)}


STRANGERS = "minibatches: expected examples of the training set as they are, got others. Does your code change X?"


# --- A net that notes what it is asked -----------------------------------------------------------------


@dataclass
class Step:
    """One minibatch: which training examples, with which labels, and all that was asked and answered."""

    rows: list[int]
    labels: list[int]
    reg: float
    params: dict[str, np.ndarray]
    loss: float
    grads: dict[str, np.ndarray]


@dataclass
class Data:
    """Training and validation examples; the first feature of each is a number that no other has."""

    X: np.ndarray
    y: np.ndarray
    X_val: np.ndarray
    y_val: np.ndarray
    places: dict[float, tuple[str, int]] = field(default_factory=dict)

    def __post_init__(self):
        for part, X in (("train", self.X), ("val", self.X_val)):
            self.places.update({round(float(value), 6): (part, i) for i, value in enumerate(X[:, 0])})

    def find(self, X):
        """The part and the row of each example; ("other", -1) where it is none of ours."""
        X = array(X, what="X")
        if X.ndim != 2 or X.shape[1] != 4:
            return [("other", -1)]
        return [self.places.get(round(float(value), 6), ("other", -1)) for value in X[:, 0]]


def make_data(rng, train=40, val=31):
    X, X_val = rng.standard_normal((train, 4)), rng.standard_normal((val, 4))
    numbers = rng.permutation(train + val).astype(np.float64)
    X[:, 0], X_val[:, 0] = numbers[:train], numbers[train:]
    return Data(X, rng.integers(3, size=train), X_val, rng.integers(3, size=val))


class Net:
    """Looks like a TwoLayerNet of 4 inputs, 6 hidden units and 3 classes; its answers are made up by the grader."""

    def __init__(self, data, rng):
        self.params = {name: rng.standard_normal(shape) for name, shape in SHAPES.items()}
        self.data, self.rng = data, rng
        self.wrong = {
            part: rng.random((len(y), PERIOD)) < rng.uniform(0.25, 0.45)
            for part, y in (("train", data.y), ("val", data.y_val))
        }
        """Which answers are wrong, after each number of steps: drawn for each net, lest a constant be its accuracy."""
        self.small = False
        """Whether any minibatch may hold all examples; then what moves the parameters is a step, and a look is none."""
        self.steps: list[Step] = []

    def loss(self, X, y=None, reg=0.0):
        if y is None:
            return np.eye(3)[self.answers(X)]
        found = self.data.find(X)
        params = {name: array(self.params[name], shape, name) for name, shape in SHAPES.items()}
        labels = array(y, (len(found),), "y").tolist()
        last = self.steps[-1] if self.steps else None
        rows = [row if part == "train" else -1 for part, row in found]
        whole = len(rows) == len(self.data.X) and not self.small
        if whole or {part for part, _ in found} == {"val"}:
            return 1.0, {
                name: np.zeros(shape) for name, shape in SHAPES.items()
            }  # the loss of all the data, for a look
        asked = last and (self.small or last.rows == rows)
        if asked and all(np.array_equal(last.params[name], params[name]) for name in SHAPES):
            return last.loss, {
                name: grad.copy() for name, grad in last.grads.items()
            }  # the same minibatch, asked twice
        grads = {
            name: self.rng.uniform(0.5, 1.5, shape) * self.rng.choice([-1, 1], shape) for name, shape in SHAPES.items()
        }
        step = Step(rows, labels, number(reg, "reg"), params, float(self.rng.uniform(1, 2)), grads)
        self.steps.append(step)
        return step.loss, {name: grad.copy() for name, grad in grads.items()}

    def predict(self, X):
        return self.answers(X)

    @property
    def functions(self):
        """The same answers for a training that calls the notebook's functions, and not the net's methods."""

        def at(params):
            self.params = params
            return self

        return {
            "compute_scores": lambda params, X: at(params).loss(X),
            "compute_loss": lambda params, X, y, reg: at(params).loss(X, y, reg)[0],
            "compute_gradients": lambda params, X, y, reg: at(params).loss(X, y, reg)[1],
            "predict_labels": lambda params, X: at(params).predict(X),
        }

    def answers(self, X):
        """Labels, right for 55 to 75 of 100 examples, other ones after each step."""
        return np.array([self.answer(part, row, len(self.steps)) for part, row in self.data.find(X)])

    def answer(self, part, row, time):
        if part == "other":
            return 0
        label = int((self.data.y if part == "train" else self.data.y_val)[row])
        return (label + 1 + row % 2) % 3 if self.wrong[part][row, time % PERIOD] else label

    def accuracy(self, part, rows, time):
        """The share of right answers to these examples after so many steps."""
        return 1 - float(np.mean(self.wrong[part][rows, time % PERIOD]))


@dataclass
class Training:
    """What one training was told, saw and returned."""

    data: Data
    net: Net
    stats: dict

    @property
    def steps(self):
        return self.net.steps

    def rates(self, name):
        """The learning rate of each step of a parameter, by how far it moved along its gradient."""
        places = [*(step.params[name] for step in self.steps), self.net.params[name]]
        moves = [before - after for before, after in pairwise(places)]
        return [
            float((move * step.grads[name]).sum() / (step.grads[name] ** 2).sum())
            for move, step in zip(moves, self.steps, strict=True)
        ]


def train(submission, rng, data=None, **options) -> Training:
    """Train the grader's net with the submission's `train`."""
    data = make_data(rng) if data is None else data
    net = Net(data, rng)
    net.small = len(data.X) < options.get("batch_size", 10)
    options = {
        "learning_rate": 0.2,
        "learning_rate_decay": 1.0,
        "reg": 0.1,
        "num_iters": 12,
        "batch_size": 10,
        **options,
    }
    with submission.standing_in(net.functions):
        submission.stand_in(net, state=("params",), methods=("loss", "predict"))
        method = function(function(submission.TwoLayerNet, "TwoLayerNet").train, "train")
        stats = method(net, data.X, data.y, data.X_val, data.y_val, **options)
    expect(
        net.steps, "train: expected the net to be asked for the loss of minibatches, net.loss(X, y, reg), it never was."
    )
    net.params = {
        name: array(value, SHAPES[name], name)
        for name, value in entries(net.params, "net.params", SHAPES).items()
        if name in SHAPES
    }
    return Training(data, net, stats)


# --- Does it train at all? -----------------------------------------------------------------------------


@weight(0.3)
def test_training_moves_the_net(submission, rng):
    """Training moves some parameter along the gradients that the net gives, one way or the other."""
    run = train(submission, rng)
    places = [*(step.params for step in run.steps), run.net.params]
    moves = [{name: before[name] - after[name] for name in SHAPES} for before, after in pairwise(places)]
    along = follow(moves, [step.grads for step in run.steps])
    observe(along=along)
    expect(along, "train: expected steps along the gradients of net.loss, got none, or others.")


# --- Minibatches ---------------------------------------------------------------------------------------


@weight(1, needs=STEPS)
def test_number_of_iterations(submission, rng):
    """There are num_iters iterations, each with one minibatch."""
    for asked in (1, 7, 12):
        came = len(train(submission, rng, num_iters=asked).steps)
        observe(**{f"iterations of {asked}": came})
        expect(came == asked, f"num_iters = {asked}: expected as many minibatches, got {came}.")


@weight(1.5, needs=STEPS)
def test_few_examples(submission, rng):
    """Where the training set is smaller than batch_size, training goes on: an epoch is one iteration then."""
    run = train(submission, rng, make_data(rng, train=6), learning_rate_decay=0.97, num_iters=30)
    stats = entries(run.stats, "what train returns", ["loss_history", "val_acc_history"])
    losses, epochs = (array(stats[name], what=name).ravel() for name in ("loss_history", "val_acc_history"))
    sizes = {len(step.rows) for step in run.steps}
    observe(losses=losses.size, entries=epochs.size, sizes=sorted(sizes))
    expect(losses.size == 30, f"6 examples, num_iters = 30: expected 30 losses in loss_history, got {losses.size}.")
    told = "expected 30 entries in val_acc_history, for an epoch is one iteration here"
    expect(epochs.size in (30, 31), f"6 examples, num_iters = 30: {told}, got {epochs.size}.")
    message = "6 examples, batch_size = 10: expected 10 in each minibatch, or all 6 where each may come once, got {}."
    expect(sizes <= {6, 10}, message.format(", ".join(map(str, sorted(sizes)[:5]))))
    expect(all(-1 not in step.rows for step in run.steps), STRANGERS)
    paired = all([int(run.data.y[row]) for row in step.rows] == step.labels for step in run.steps)
    expect(paired, "minibatches: expected each example with its own label, got others. Are X and y indexed alike?")
    rates = run.rates("W1")[:30]
    expect_close(rates, 0.2 * 0.97 ** np.arange(30), "learning rates, epochs of 1 iteration", rtol=1e-6, evidence=False)


@weight(1.5, needs=STEPS)
def test_minibatches(submission, rng):
    """Every minibatch holds batch_size training examples, each with its own label."""
    for size in (10, 4):
        run = train(submission, rng, batch_size=size)
        sizes = sorted({len(step.rows) for step in run.steps})
        strangers = sum(-1 in step.rows for step in run.steps)
        paired = all(
            [int(run.data.y[row]) for row in step.rows] == step.labels for step in run.steps if -1 not in step.rows
        )
        observe(**{f"sizes of {size}": sizes, f"strangers of {size}": strangers, f"paired of {size}": paired})
        told = ", ".join(map(str, sizes[:5]))
        expect(sizes == [size], f"minibatches: expected {size} examples in each (batch_size), got {told}.")
        expect(strangers == 0, STRANGERS)
        expect(paired, "minibatches: expected each example with its own label, got others. Are X and y indexed alike?")


@weight(1.5, needs=STEPS)
def test_minibatches_are_random(submission, rng):
    """Each iteration draws its minibatch at random from all of the training set.

    With replacement, one of 40 examples is not among 1,500 draws with a probability below 40 · (39/40)^1500 = 1.3e-15.
    Two trainings draw the same first three batches of 10 with at most (10!·30!/40!)^3 = 2e-27.
    Of 150 batches, one is like one before it with at most 150 · 10!·30!/40! = 1.8e-7: ten are with less than 1e-50,
    also where each epoch is a permutation. What is drawn once and kept, or a block of neighbours, has 40 at most.
    """
    data = make_data(rng)
    run, other = train(submission, rng, data, num_iters=150), train(submission, rng, data, num_iters=3)
    expect(len(run.steps) == 150, f"num_iters = 150: expected as many minibatches, got {len(run.steps)}.")
    seen = {row for step in run.steps for row in step.rows}
    expect(-1 not in seen, STRANGERS)
    alike = all(sorted(a.rows) == sorted(b.rows) for a, b in zip(run.steps, other.steps, strict=False))
    different = len({tuple(sorted(step.rows)) for step in run.steps})
    observe(seen=len(seen), alike=alike)
    expect(
        not alike, "minibatches: expected other ones in a second training, got the same. Are the rows drawn at random?"
    )
    expect(
        len(seen) == 40, f"minibatches: expected every training example to come up, {40 - len(seen)} of 40 never did."
    )
    message = f"minibatches: expected new ones in each epoch, got only {different} different ones in 150 iterations."
    expect(different > 140, message + " Draw the rows anew, and each by itself.")


@weight(1, needs=STEPS)
def test_reg_is_passed_on(submission, rng):
    """The loss is asked for with the reg that was given."""
    for reg in (0.3, 0.0):
        regs = [step.reg for step in train(submission, rng, reg=reg, num_iters=3).steps]
        expect_close(regs, np.full(len(regs), reg), f"reg that net.loss gets, asked for {reg}", rtol=1e-9)


# --- Steps ---------------------------------------------------------------------------------------------


def judge_steps(submission, rng, names):
    """Without decay every step is learning_rate times the gradient, downhill, in each entry."""
    for rate in (0.2, 0.05):
        run = train(submission, rng, learning_rate=rate)
        places = [*(step.params for step in run.steps), run.net.params]
        for name in names:
            observe(**{f"rates of {name}, {rate}": run.rates(name)})
            for step, after in zip(run.steps, places[1:], strict=True):
                expected = step.params[name] - rate * step.grads[name]
                hint = f"Each step should subtract learning_rate times the gradient from {name}."
                expect_close(after[name], expected, f"{name} after a step", rtol=1e-6, hint=hint, evidence=False)


@weight(2, needs=STEPS)
def test_steps_of_the_weights(submission, rng):
    """At each iteration the weights W1 and W2 move downhill by learning_rate times their gradient."""
    judge_steps(submission, rng, ("W1", "W2"))


@weight(1.5, needs=STEPS)
def test_steps_of_the_biases(submission, rng):
    """At each iteration the biases b1 and b2 move downhill by learning_rate times their gradient."""
    judge_steps(submission, rng, ("b1", "b2"))


@weight(2, needs=STEPS)
def test_decay(submission, rng):
    """The learning rate is multiplied by learning_rate_decay once an epoch: of 4 iterations here, and of 2 and 10."""
    for size, decay, iterations in ((10, 0.5, 14), (20, 0.8, 9), (4, 0.9, 33)):
        run = train(submission, rng, batch_size=size, learning_rate_decay=decay, num_iters=iterations)
        epoch, rates = 40 // size, run.rates("W1")
        observe(**{f"rates, epochs of {epoch}": rates})
        at_the_end = [0.2 * decay ** (t // epoch) for t in range(iterations)]
        at_the_start = [0.2 * decay ** (-(-t // epoch)) for t in range(iterations)]
        expect(len(rates) == iterations, f"num_iters = {iterations}: expected as many steps, got {len(rates)}.")
        if len(rates) != iterations or not np.allclose(rates, at_the_start, rtol=1e-6):
            hint = f"An epoch has {epoch} iterations here."
            expect_close(rates, at_the_end, "learning rates, step by step", rtol=1e-6, hint=hint, evidence=False)


# --- Histories -----------------------------------------------------------------------------------------


@weight(1.5, needs=STEPS)
def test_loss_history(submission, rng):
    """loss_history holds the loss of each minibatch, in order."""
    run = train(submission, rng)
    stats = entries(run.stats, "what train returns", ["loss_history"])
    losses = [step.loss for step in run.steps]
    history = array(stats["loss_history"], what="loss_history").ravel()
    observe(length=history.size, right=bool(history.size == len(losses) and np.allclose(history, losses)))
    expect_close(history, losses, "loss_history", rtol=1e-9, evidence=False)


def history_of(run, name, epochs):
    """An accuracy history: one entry an epoch, or one more, for the start or the end."""
    stats = entries(run.stats, "what train returns", [name])
    history = array(stats[name], what=name).ravel()
    observe(**{f"entries of {name}": history.size})
    message = f"{name}: expected {epochs} entries, one an epoch, got {history.size}."
    expect(history.size in (epochs, epochs + 1), message)
    return history


def moments(entry, entries_, epochs, per_epoch):
    """The numbers of steps after which an entry of a history may have been taken."""
    first = entry * per_epoch if entries_ == epochs else max(entry - 1, 0) * per_epoch
    return range(first, min(entry + 1, epochs) * per_epoch + 1)


def judge_history(run, name, accepted, of):
    """Fail unless each entry is one of the accuracies that some moment of its epoch gives."""
    history = history_of(run, name, 3)
    for entry, value in enumerate(history):
        right = [accuracy for time in moments(entry, history.size, 3, 4) for accuracy in accepted(time)]
        fits = any(abs(value - accuracy) < 1e-9 for accuracy in right)
        observe(**{f"{name}, entry {entry} fits": fits})
        told = f"expected an accuracy such as {right[0]:.4f}, got {value:.4f}"
        expect(fits, f"{name}: {told} in epoch {entry + 1}. It should be the share of right predictions on {of}.")


@weight(1.5, needs=STEPS)
def test_val_acc_history(submission, rng):
    """val_acc_history holds, once an epoch, the share of validation examples that the net predicts rightly."""
    run = train(submission, rng, make_data(rng, val=MANY))

    def accepted(time):
        return [run.net.accuracy("val", np.arange(MANY), time)]

    judge_history(run, "val_acc_history", accepted, "all validation examples")


@weight(1.5, needs=STEPS)
def test_train_acc_history(submission, rng):
    """train_acc_history holds, once an epoch, the share of right predictions on the minibatch, or on all examples."""
    run = train(submission, rng, make_data(rng, train=2000), batch_size=BATCH)

    def accepted(time):
        batches = [step.rows for step in run.steps[max(time - 1, 0) : time + 1]]
        return [run.net.accuracy("train", rows, time) for rows in [*batches, np.arange(2000)]]

    judge_history(run, "train_acc_history", accepted, "the minibatch")
