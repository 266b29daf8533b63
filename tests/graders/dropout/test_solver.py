"""The solver: minibatches, steps, decay by epoch, histories, best parameters.

The model that it trains is the grader's own: it sees every minibatch and every evaluation, with the parameters
of that moment. Minibatches may be drawn with or without replacement, or from a permutation of each epoch.
"""

import itertools
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradlab_staff.grading import (
    CheckFailed,
    array,
    attempt,
    chance_along,
    entries,
    expect,
    expect_close,
    follow,
    function,
    instance,
    number,
    observe,
    stands_in,
    weight,
)

pytestmark = stands_in("sgd_momentum", "adam")

STEPS = ("test_training_moves_the_model",)


# --- Models that remember what they are asked ----------------------------------------------------------


@dataclass
class Step:
    """One minibatch: which training examples, the parameters before the step, loss and gradients."""

    rows: list[int]
    params: dict[str, np.ndarray]
    loss: float
    grads: dict[str, np.ndarray]


@dataclass
class Evaluation:
    """One batch of predictions: which examples, how many right, after how many steps, with which parameters."""

    part: str
    rows: list[int]
    right: int
    steps: int
    params: dict[str, np.ndarray]


@dataclass
class Log:
    data: dict[str, np.ndarray]
    steps: list[Step] = field(default_factory=list)
    evaluations: list[Evaluation] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    introduced: bool = False

    def find(self, X) -> tuple[str, list[int]]:
        """Which part of the data the examples are from, and where they stand in it."""
        for part in ("train", "val"):
            places = {row.tobytes(): i for i, row in enumerate(self.data[f"X_{part}"])}
            rows = [places.get(np.asarray(row, dtype=np.float64).tobytes(), -1) for row in X]
            if rows and -1 not in rows:
                return part, rows
        return "other", [-1] * len(X)


class Softmax:
    """A softmax classifier whose `loss` keeps a log."""

    def __init__(self, data, rng):
        self.params = {"W": 0.1 * rng.standard_normal((data["X_train"].shape[1], 3)), "b": 0.1 * rng.standard_normal(3)}
        self.log = Log(data)

    def loss(self, X, y=None):
        params = {name: array(self.params[name], what=f"params[{name!r}]") for name in ("W", "b")}
        X = array(X, what="X")
        scores = X @ params["W"] + params["b"]
        part, rows = self.log.find(X)
        if y is None:
            right = int((scores.argmax(axis=1) == self.log.data[f"y_{part}"][rows]).sum()) if part != "other" else 0
            self.log.evaluations.append(Evaluation(part, rows, right, len(self.log.steps), params))
            return scores
        y = array(y, (len(X),), "y").astype(int)
        if part == "val" and np.array_equal(self.log.data["y_val"][rows], y):  # a look at the validation loss
            loss, grads = softmax_loss(scores, X, y)
            return loss, grads
        if part != "train" or not np.array_equal(self.log.data["y_train"][rows], y):
            self.log.strangers.append(part)
        loss, grads = softmax_loss(scores, X, y)
        self.log.steps.append(Step(rows, params, loss, grads))
        return loss, {name: grad.copy() for name, grad in grads.items()}


def softmax_loss(scores, X, y):
    log_probs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    delta = (np.exp(log_probs) - np.eye(3)[y]) / len(X)
    return float(-log_probs[np.arange(len(X)), y].mean()), {"W": X.T @ delta, "b": delta.sum(axis=0)}


class Drift:
    """A model whose one parameter moves by the same amount each step. It is at its best at the first of `peaks`, and
    better than around it at the others. It is never right for the last `never` of a part."""

    def __init__(self, data, peaks, never):
        self.params = {"w": np.zeros(2)}
        self.peaks = peaks
        self.never = never
        self.log = Log(data)

    def loss(self, X, y=None):
        w = array(self.params["w"], (2,), "params['w']")
        part, rows = self.log.find(array(X, what="X"))
        if y is not None:
            if part != "val":
                self.log.steps.append(Step(rows, {"w": w}, 1.0, {}))
            return 1.0, {"w": -np.ones(2)}
        # the further from a peak, the fewer examples are right: the first few of each part
        total = len(self.log.data[f"y_{part}"]) if part != "other" else 1
        good = (
            total
            - self.never
            - round(min(abs(float(w[0]) - peak) * 2 + 3 * place for place, peak in enumerate(self.peaks)))
        )
        labels = self.log.data[f"y_{part}"][rows] if part != "other" else np.zeros(len(rows), int)
        answer = np.where(np.array(rows) < good, labels, (labels + 1) % 3)
        right = int((answer == labels).sum())
        self.log.evaluations.append(Evaluation(part, rows, right, len(self.log.steps), {"w": w}))
        return np.eye(3)[answer]


def make_data(rng, train=67, val=31, features=4):
    """Inputs that cannot be told apart by their labels: accuracies stay away from 0 and 1."""
    return {
        "X_train": rng.standard_normal((train, features)),
        "y_train": rng.integers(3, size=train),
        "X_val": rng.standard_normal((val, features)),
        "y_val": rng.integers(3, size=val),
    }


@dataclass
class Run:
    """A solver that has trained, and what its model saw."""

    solver: Any
    log: Log
    data: dict[str, np.ndarray]


def train(submission, rng, model=None, data=None, **options) -> Run:
    data = make_data(rng) if data is None else data
    model = model or Softmax(data, rng)
    options = {"update_rule": "sgd", "batch_size": 16, "num_epochs": 3, "verbose": False, **options}
    config = {"optim_config": {"learning_rate": 0.1}, **options}
    solver = new_solver(submission, model, data, **config)
    function(solver.train, "train")()
    run = Run(solver, model.log, data)
    expect(run.log.steps, "train(): expected the model to be asked for loss and gradients, it never was.")
    return run


def new_solver(submission, model, data, **options):
    solver = function(submission.Solver, "Solver")(ready(submission, model), data, **options)
    return instance(solver, "Solver(…)")


def ready(submission, model):
    """The model, known to the submission; introduced once, so that a second solver finds what the first one left."""
    if not model.log.introduced and hasattr(submission, "stand_in"):
        submission.stand_in(model, state=("params",), methods=("loss",))
    model.log.introduced = True
    return model


def after(log, rule, config):
    """The parameters after each step, replayed with `rule`; each parameter has a config of its own."""
    expect(log.steps, "training: expected steps, none came.")
    if not log.steps:
        return []
    configs = {name: dict(config) for name in log.steps[0].params}
    params, trail = log.steps[0].params, []
    for step in log.steps:
        moved = {}
        for name, w in params.items():
            moved[name], configs[name] = rule(w.copy(), step.grads[name], configs[name])
        params = moved
        trail.append(params)
    return trail


def accuracy(params, X, y):
    return float(((X @ params["W"] + params["b"]).argmax(axis=1) == y).mean())


# --- Does it train at all? -----------------------------------------------------------------------------


@weight(0.3)
def test_training_moves_the_model(submission, rng):
    """Training moves some parameter along the gradients that the model gives, one way or the other.

    Or at least the update rule gets these gradients: then it is a slip that nothing moves.
    """
    steps = train(submission, rng).log.steps
    pairs = itertools.pairwise(steps)
    moves = [{name: value - later.params[name] for name, value in step.params.items()} for step, later in pairs]
    asked, error = attempt(lambda: train(submission, rng, update_rule="sgd_momentum").log.steps)
    reached = not error and rule_gets(submission, [step.grads for step in asked])
    along = follow(moves, [step.grads for step in steps]) or reached
    observe(along=along)
    expect(along, "train(): expected steps along the gradients of the model's loss, got none, or others.")


def rule_gets(submission, grads):
    """Whether sgd_momentum, which stands in, was called with some of the gradients."""
    calls = [call for call in getattr(submission, "calls", []) if call.name == "sgd_momentum"]
    given = [value for call in calls for value in (*call.args, *call.kwargs.values()) if isinstance(value, np.ndarray)]
    every = [grad for one in grads for grad in one.values()]
    return any(value.shape == grad.shape and chance_along(value, grad) < 1e-10 for value in given for grad in every)


# --- Minibatches ---------------------------------------------------------------------------------------


@weight(1.5, needs=STEPS)
def test_number_of_iterations(submission, rng):
    """Each epoch makes as many iterations as whole minibatches fit in, and every loss is in loss_history."""
    for size, epochs in ((16, 3), (10, 2), (67, 4)):
        run = train(submission, rng, batch_size=size, num_epochs=epochs)
        expected = epochs * (67 // size)
        observe(iterations=len(run.log.steps) / expected)
        asked = f"67 examples, batches of {size}, {epochs} epochs"
        expect(len(run.log.steps) == expected, f"{asked}: expected {expected} iterations, got {len(run.log.steps)}.")
        losses = [step.loss for step in run.log.steps]
        expect_close(run.solver.loss_history, losses, "loss_history", rtol=1e-9, evidence=False)


@weight(1.5, needs=STEPS)
def test_minibatches(submission, rng):
    """Every minibatch holds batch_size training examples with their labels."""
    run = train(submission, rng, batch_size=16, num_epochs=3)
    sizes = {len(step.rows) for step in run.log.steps}
    observe(sizes=sorted(sizes), strangers=len(run.log.strangers))
    expect(sizes == {16}, f"minibatches: expected 16 examples in each, got {', '.join(map(str, sorted(sizes)[:5]))}.")
    expect(not run.log.strangers, "minibatches: expected training examples with their own labels, got others.")


@weight(1, needs=STEPS)
def test_minibatches_are_random(submission, rng):
    """Minibatches are drawn anew each time, and every training example is drawn sooner or later.

    Two minibatches of 16 of 67 are the same set with a probability of at most 1e-15 (without replacement; with
    it less), over the 7,140 pairs at most 1e-11. After 120 draws of 16 with replacement an example has never
    come with 67 · (66/67)^1920 = 2e-11.
    """
    log = train(submission, rng, batch_size=16, num_epochs=30).log
    batches = [frozenset(step.rows) for step in log.steps]
    seen = frozenset().union(*batches)
    observe(repeated=len(set(batches)) < len(batches), all_seen=len(seen) == 67)
    expect(
        len(set(batches)) == len(batches), "minibatches: expected each to be drawn at random, got the same one again."
    )
    expect(
        len(seen) == 67, f"minibatches: expected every training example to come up, {67 - len(seen)} of 67 never did."
    )


@weight(0.5, needs=STEPS)
def test_batches_larger_than_the_data(submission, rng):
    """An epoch has at least one iteration, even if a minibatch is larger than the training set.

    Who draws without replacement may get a ValueError from numpy here: that is no mistake.
    """
    data = make_data(rng, train=7)
    train(submission, rng, data=data, batch_size=5, num_epochs=1)  # a solver that never trains is not forgiven here
    run, error = attempt(lambda: train(submission, rng, data=data, batch_size=10, num_epochs=2))
    if isinstance(error, CheckFailed):
        raise error
    if error is not None:
        if "ValueError" in (type(error).__name__, getattr(error, "kind", "")):
            return
        raise error
    expect(
        len(run.log.steps) == 2,
        f"7 examples, batches of 10, 2 epochs: expected 2 iterations, got {len(run.log.steps)}.",
    )


# --- Steps ---------------------------------------------------------------------------------------------


@weight(1.5, needs=STEPS)
def test_steps(submission, reference, rng):
    """At each iteration every parameter moves as the update rule says, by the gradient of that minibatch."""
    run = train(submission, rng, optim_config={"learning_rate": 0.3}, num_epochs=3)
    judge_steps(run, reference.sgd, {"learning_rate": 0.3})


@weight(1.5, needs=STEPS)
def test_every_parameter_has_its_own_config(submission, reference, rng):
    """Rules with a memory keep one for each parameter, from step to step."""
    for name, rate in (("sgd_momentum", 0.1), ("adam", 0.05)):
        run = train(submission, rng, update_rule=name, optim_config={"learning_rate": rate}, num_epochs=2)
        judge_steps(run, getattr(reference, name), {"learning_rate": rate})


def judge_steps(run, rule, config):
    trail = after(run.log, rule, config)
    for step, expected in zip(run.log.steps[1:], trail, strict=False):
        for name, value in expected.items():
            what = f"{name} after one of the steps"
            expect_close(step.params[name], value, what, rtol=1e-6, evidence=False)


@weight(1.5, needs=STEPS)
def test_decay(submission, rng):
    """At the end of each epoch, and only then, the learning rate of every parameter is multiplied by lr_decay."""
    run = train(submission, rng, optim_config={"learning_rate": 0.4}, lr_decay=0.5, num_epochs=4)
    rates = {"W": [], "b": []}
    for step, later in zip(run.log.steps[:-1], run.log.steps[1:], strict=True):
        for name, rate in rates.items():
            change, slope = step.params[name] - later.params[name], step.grads[name]
            rate.append(float((change * slope).sum() / (slope**2).sum()))
    expected = [0.4 * 0.5 ** (t // 4) for t in range(len(run.log.steps) - 1)]
    for name, rate in rates.items():
        expect_close(rate, expected, f"learning rates of {name}, step by step", rtol=1e-6)


# --- Accuracies ----------------------------------------------------------------------------------------


def moments(per_epoch, epochs):
    """After how many steps accuracies are taken: the first, and the last of each epoch; one moment, one entry."""
    return sorted({1} | {per_epoch * epoch for epoch in range(1, epochs + 1)})


@weight(1, needs=STEPS)
def test_length_of_histories(submission, rng):
    """There is one accuracy of each kind after the first iteration and one at the end of each epoch."""
    for size, epochs in ((16, 3), (67, 4)):
        run = train(submission, rng, batch_size=size, num_epochs=epochs)
        expected = len(moments(67 // size, epochs))
        for name in ("train_acc_history", "val_acc_history"):
            came = array(getattr(run.solver, name), what=name)
            observe(**{f"{name}, batches of {size}": came.size})
            message = (
                f"{name}: expected {expected} entries for {epochs} epochs of {67 // size} iterations, got {came.size}."
            )
            expect(came.shape == (expected,), message)


def judge_history(submission, reference, rng, part):
    run = train(submission, rng, num_epochs=5, num_train_samples=None, optim_config={"learning_rate": 1.0})
    name = f"{part}_acc_history"
    history = getattr(run.solver, name)  # before it is seen how many steps there are
    trail = after(run.log, reference.sgd, {"learning_rate": 1.0})
    X, y = run.data[f"X_{part}"], run.data[f"y_{part}"]
    expect(len(trail) == 20, f"5 epochs of 4 iterations: expected 20 steps, got {len(trail)}.")
    expected = [accuracy(trail[t - 1], X, y) for t in moments(4, 5)]
    came = array(history, what=name)
    observe(first_right=came.size > 0 and bool(abs(came.flat[0] - expected[0]) < 1e-9))
    expect_close(
        came, expected, name, rtol=1e-9, hint="Each entry belongs to the parameters of its moment.", evidence=False
    )


@weight(1, needs=STEPS)
def test_training_accuracies(submission, reference, rng):
    """train_acc_history holds the accuracies on the training set at those moments."""
    judge_history(submission, reference, rng, "train")


@weight(1, needs=STEPS)
def test_validation_accuracies(submission, reference, rng):
    """val_acc_history holds the accuracies on the validation set at those moments."""
    judge_history(submission, reference, rng, "val")


@weight(1, needs=STEPS)
def test_samples_for_accuracies(submission, rng):
    """Accuracies are taken on num_train_samples and num_val_samples examples, drawn at random.

    Three draws of 20 of 67 examples are all one set with a probability below 1e-30.
    """
    wanted = {"train": 20, "val": 13}
    run = train(submission, rng, num_epochs=3, num_train_samples=wanted["train"], num_val_samples=wanted["val"])
    for part, count in wanted.items():
        history = array(getattr(run.solver, f"{part}_acc_history"), (4,), f"{part}_acc_history")
        seen = [e for e in run.log.evaluations if e.part == part]
        drawn = [first([e for e in seen if e.steps == t], count) for t in moments(4, 3)]
        counts = [sum(len(e.rows) for e in batch) for batch in drawn]
        observe(**{f"{part} examples": counts})
        expect(counts == [count] * 4, f"{part} accuracy: expected {count} examples each time, got {counts[:4]}.")
        shares = [sum(e.right for e in batch) / count for batch in drawn]
        expect_close(history, shares, f"{part}_acc_history", rtol=1e-9, evidence=False)
        sets = {frozenset(row for e in batch for row in e.rows) for batch in drawn}
        expect(len(sets) > 1, f"{part} accuracy: expected examples drawn at random, got the same ones each time.")


def first(evaluations, count):
    """The evaluations of a moment until they hold `count` examples: a look of the student's own may come after."""
    totals = np.cumsum([0, *(len(e.rows) for e in evaluations)])
    return [e for e, before in zip(evaluations, totals, strict=False) if before < count]


@weight(1)
def test_check_accuracy(submission, rng):
    """check_accuracy gives the share of right answers, predicts in batches, and takes a sample if asked."""
    data = make_data(rng)
    model = Softmax(data, rng)
    params = {name: value.copy() for name, value in model.params.items()}
    solver = new_solver(submission, model, data, verbose=False)
    check_accuracy = function(solver.check_accuracy, "check_accuracy")
    X, y = data["X_train"], data["y_train"]
    for size in (9, 11, 67):  # of 67 examples the last batch holds 4, 1 and all
        del model.log.evaluations[:]
        whole = check_accuracy(X, y, batch_size=size)
        expect_close(whole, accuracy(params, X, y), "check_accuracy", rtol=1e-9)
        sizes = [len(e.rows) for e in model.log.evaluations]
        observe(**{f"sizes of {size}": sizes})
        expect(sum(sizes) == 67, f"check_accuracy: expected each of 67 examples to be used once, got {sum(sizes)}.")
        largest = max(sizes, default=0)
        message = f"check_accuracy: expected at most {size} examples at once with batch_size={size}, got {largest}."
        expect(largest <= size, message)
        expect(0 not in sizes, "check_accuracy: a batch without any example was given to the model.")
    for count in (1000, 67):
        came = check_accuracy(X, y, num_samples=count)
        expect_close(came, accuracy(params, X, y), "check_accuracy, more samples than examples", rtol=1e-9)
    del model.log.evaluations[:]
    sampled = number(check_accuracy(X, y, num_samples=12), "check_accuracy")
    used, right = sum(len(e.rows) for e in model.log.evaluations), sum(e.right for e in model.log.evaluations)
    expect(used == 12, f"check_accuracy: expected num_samples=12 examples to be used, got {used}.")
    expect_close(sampled, right / 12, "check_accuracy of a sample", rtol=1e-9, evidence=False)


@weight(1, needs=STEPS)
def test_defaults(submission, rng):
    """Unless told otherwise: 10 epochs of batches of 100 by sgd, training accuracy on 1000 examples, 100 at once."""
    data = make_data(rng, train=1200)
    model = Softmax(data, rng)
    solver = new_solver(submission, model, data, verbose=False)
    function(solver.train, "train")()
    steps, first = model.log.steps, [e for e in model.log.evaluations if e.steps == 1]
    expect(len(steps) == 120, f"1200 examples, no more arguments: expected 120 iterations, got {len(steps)}.")
    expect(len(steps[0].rows) == 100, f"minibatches: expected 100 examples in each, got {len(steps[0].rows)}.")
    for part, count in (("train", 1000), ("val", 31)):
        used = sum(len(e.rows) for e in first if e.part == part)
        expect(used == count, f"{part} accuracy: expected {count} examples, got {used}.")
    largest = max(len(e.rows) for e in first)
    expect(largest <= 100, f"check_accuracy: expected at most 100 examples at once, got {largest}.")


@weight(0.5, needs=STEPS)
def test_update_rule_as_a_function(submission, reference, rng):
    """update_rule may be the rule itself instead of its name."""
    run = train(submission, rng, update_rule=submission.sgd, optim_config={"learning_rate": 0.3})
    judge_steps(run, reference.sgd, {"learning_rate": 0.3})


# --- Best parameters -----------------------------------------------------------------------------------


@dataclass
class Drifted:
    """A run of six epochs of four steps of a size that is drawn, at its best after the first of some epochs."""

    model: Drift
    run: Run
    best_w: float
    best_val_acc: float
    rate: float


def drift(submission, rng, *epochs):
    data, rate, never = make_data(rng), float(rng.uniform(0.4, 0.6)), int(rng.integers(1, 7))
    model = Drift(data, [4 * rate * epoch for epoch in epochs], never)
    run = train(submission, rng, model, data, num_epochs=6, optim_config={"learning_rate": rate})
    return Drifted(model, run, 4 * rate * epochs[0], 1 - never / len(data["y_val"]), rate)


@weight(1.5, needs=STEPS)
def test_best_parameters(submission, rng):
    """best_params is a copy of the parameters with the highest validation accuracy, whenever that was."""
    for epochs in ((3,), (5,), (6,), (0.25,), (2, 5)):
        drifted = drift(submission, rng, *epochs)
        solver = drifted.run.solver
        best = entries(solver.best_params, "best_params", ["w"])
        when = "the first iteration" if epochs[0] < 1 else f"{epochs[0]} of 6 epochs"
        again = f", nearly as good after {epochs[1]}" if len(epochs) > 1 else ""
        what = f"best_params['w'], best after {when}{again}"
        steps = array(best["w"], what="best_params['w']") / drifted.rate
        observe(**{f"steps of {what}": np.round(steps, 6)})
        expect_close(best["w"], np.full(2, drifted.best_w), what, rtol=1e-9, evidence=False)
        expect_close(solver.best_val_acc, drifted.best_val_acc, "best_val_acc", rtol=1e-9)


@weight(1, needs=STEPS)
def test_model_gets_the_best_parameters(submission, rng):
    """When training ends, the model has the best parameters, not the last ones."""
    drifted = drift(submission, rng, 3)
    model = drifted.model
    del model.log.steps[:]
    # a second solver asks the model for a loss: what it starts from is what the first one left
    train(submission, rng, model, drifted.run.data, num_epochs=1)
    left = model.log.steps[0].params["w"]
    observe(steps=np.round(left / drifted.rate, 6))
    what = "the model's 'w' after training"
    expect_close(left, np.full(2, drifted.best_w), what, rtol=1e-9, evidence=False)


@weight(0.5, needs=STEPS)
def test_silence(submission, rng):
    """With verbose=False nothing is printed."""
    train(submission, rng, print_every=1)
    printed = getattr(submission, "printed", 0)
    expect(printed == 0, f"verbose=False: expected nothing to be printed, got {printed} characters.")
