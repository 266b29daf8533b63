"""regularization_experiment trains one net for each keep probability, everything else equal, and returns the solvers.

The reference's FullyConnectedNet and Solver stand in, so the grader sees what is built and trains it itself. Accuracies are measured
again, by the grader's own forward pass, from the parameters that were trained.
"""

import inspect

import numpy as np

from gradlab.grading import array, entries, expect, expect_close, number, observe, stands_in, time_limit, weight

pytestmark = stands_in("dropout_forward", "dropout_backward", "adam", "FullyConnectedNet", "Solver")

PIXELS = (3, 32, 32)


def make_data(rng, train=200, val=60):
    """Small pictures of noise around ten class means: learnt in part within a few epochs."""
    means = rng.standard_normal((10, *PIXELS))
    y_train, y_val = rng.integers(10, size=train), rng.integers(10, size=val)
    return {
        "X_train": means[y_train] + 8 * rng.standard_normal((train, *PIXELS)),
        "y_train": y_train,
        "X_val": means[y_val] + 8 * rng.standard_normal((val, *PIXELS)),
        "y_val": y_val,
    }


def run(submission, rng, dropouts=(1, 0.3, 0.6), hidden_dim=20, num_epochs=2):
    data = make_data(rng)
    solvers = entries(
        submission.regularization_experiment(data, dropouts=dropouts, hidden_dim=hidden_dim, num_epochs=num_epochs),
        "regularization_experiment",
    )
    expect(set(solvers) == set(dropouts), f"the result's keys: expected {dropouts}, got {len(solvers)} keys that differ.")
    return data, solvers


def built(submission, reference, name):
    """The arguments of every call to a stand-in's constructor, defaults filled in; none where the student's own was used."""
    calls = [call for call in getattr(submission, "calls", []) if call.name == name and call.method == "__init__"]
    signature = inspect.signature(getattr(reference, name))
    found = []
    for call in calls:
        bound = signature.bind(*call.args, **call.kwargs)
        bound.apply_defaults()
        found.append(bound.arguments)
    return found


def setting(solver, arguments, name):
    """A setting of a solver: as its constructor was told, or as its attribute says."""
    return arguments[name] if arguments else getattr(solver, name)


@weight(1)
def test_result(submission, rng):
    """The result is a dictionary from each keep probability to its trained solver, whichever are asked for."""
    _, solvers = run(submission, rng, num_epochs=1)
    for p, solver in solvers.items():
        losses = array(solver.loss_history, what="loss_history")
        expect(losses.size > 0, f"the solver of dropout {p:g}: expected it to be trained, its loss_history is empty.")
    models = [solver.model for solver in solvers.values()]
    expect(len({id(model) for model in models}) == len(models), "the solvers: expected a net for each, got one net twice.")


@weight(2)
def test_nets(submission, reference, rng):
    """Each net has one hidden layer of hidden_dim units, and its own keep probability.

    Without dropout a loss repeats itself; with it, two losses of 40 units under two masks agree with a probability below 1e-9
    (0.58^(2·40) at most; and equal losses need equal masks).
    """
    data, solvers = run(submission, rng, hidden_dim=40, num_epochs=1)
    nets = built(submission, reference, "FullyConnectedNet")
    observe(dropouts=sorted(float(number(net["dropout"], "dropout")) for net in nets))
    for p, solver in solvers.items():
        params = entries(solver.model.params, "params", ("W1", "b1", "W2", "b2"))
        array(params["W1"], (3072, 40), "W1")
        array(params["W2"], (40, 10), "W2")
        X, y = data["X_train"][:20], data["y_train"][:20]
        first, second = (number(solver.model.loss(X, y)[0], "loss") for _ in range(2))
        expect((first == second) == (p == 1), f"the net of dropout {p:g}: expected {'no ' if p == 1 else ''}dropout in training.")
    if nets:
        told = sorted(float(net["dropout"]) for net in nets)
        expect(told == [0.3, 0.6, 1.0], f"dropout of the nets: expected 0.3, 0.6 and 1, got {told[:6]}.")
        for p, solver in solvers.items():
            mine = [call for call in submission.calls if call.result is solver.model]
            for call in mine:
                bound = inspect.signature(reference.FullyConnectedNet).bind(*call.args, **call.kwargs)
                got = bound.arguments.get("dropout", 1)
                expect(got == p, f"the net of dropout {p:g}: expected that keep probability, got {number(got):g}.")


@weight(2)
def test_training(submission, rng):
    """Every net is trained for num_epochs epochs of two batches of 100: 2 losses and 1 accuracy an epoch, one more at the start."""
    for epochs in (1, 3):
        _, solvers = run(submission, rng, num_epochs=epochs)
        for p, solver in solvers.items():
            losses = array(solver.loss_history, what="loss_history")
            observe(**{f"losses of {p:g}, {epochs} epochs": losses.size})
            message = f"dropout {p:g}, {epochs} epochs of 200 examples: expected {2 * epochs} losses, got {losses.size}."
            expect(losses.shape == (2 * epochs,), message)
            for name in ("train_acc_history", "val_acc_history"):
                array(getattr(solver, name), (epochs + 1,), f"{name} of dropout {p:g}")


@weight(2)
def test_settings(submission, reference, rng):
    """Every solver uses adam with a learning rate of 5e-4 and batches of 100, and no decay."""
    _, solvers = run(submission, rng, num_epochs=1)
    told = {id(call): call for call in built(submission, reference, "Solver")}.values()
    for arguments, (p, solver) in zip(told or [None] * len(solvers), solvers.items(), strict=False):
        what = f"of the solver of dropout {p:g}"
        batch = number(setting(solver, arguments, "batch_size"), f"batch_size {what}")
        expect(batch == 100, f"batch_size {what}: expected 100, got {batch:g}.")
        decay = number(setting(solver, arguments, "lr_decay"), f"lr_decay {what}")
        expect(decay == 1, f"lr_decay {what}: expected 1, got {decay:g}.")
        config = entries(setting(solver, arguments, "optim_config"), f"optim_config {what}", ["learning_rate"])
        rate = number(config["learning_rate"], f"learning rate {what}")
        observe(batch=batch, decay=decay, rate=rate)
        expect(abs(rate - 5e-4) < 1e-9, f"learning rate {what}: expected 5e-4, got {rate:g}.")
        if arguments:
            rule = arguments["update_rule"]
            expect(rule == "adam" or callable(rule), f"update_rule {what}: expected 'adam', got another.")


@weight(2)
def test_accuracies(submission, rng):
    """The nets were trained on the data that was given: the grader measures the accuracy that the best parameters reach."""
    data, solvers = run(submission, rng, num_epochs=3)
    for p, solver in solvers.items():
        params = entries(solver.model.params, "params", ("W1", "b1", "W2", "b2"))
        W1, b1, W2, b2 = (array(params[name], what=name) for name in ("W1", "b1", "W2", "b2"))
        hidden = np.maximum(data["X_val"].reshape(60, -1) @ W1 + b1, 0)
        measured = float(((hidden @ W2 + b2).argmax(axis=1) == data["y_val"]).mean())
        history = array(solver.val_acc_history, what="val_acc_history")
        # one example in sixty may tip: the net computes in single precision
        expect_close(history.max(), measured, f"best validation accuracy of dropout {p:g}", atol=1.5 / 60, evidence=False)


@weight(1)
@time_limit(60)
def test_defaults(submission, rng):
    """Without more arguments: nets of 500 hidden units, with dropout 1 and 0.25, for 25 epochs."""
    data = {name: value[:6] for name, value in make_data(rng, 6, 6).items()}
    solvers = entries(submission.regularization_experiment(data), "regularization_experiment")
    expect(set(solvers) == {1, 0.25}, f"the result's keys: expected 1 and 0.25, got {len(solvers)} keys that differ.")
    for p, solver in solvers.items():
        array(solver.loss_history, (25,), f"loss_history of dropout {p:g}")
        array(solver.model.params["W1"], (3072, 500), "W1")
