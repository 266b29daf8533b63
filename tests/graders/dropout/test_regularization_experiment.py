"""regularization_experiment trains one net for each keep probability, everything else equal, and returns the solvers.

The reference's FullyConnectedNet and Solver stand in, so the grader sees what is built and trains it itself.
Accuracies are measured again, by the grader's own forward pass, from the parameters that were trained.
"""

import inspect

import numpy as np

from gradlab_staff.grading import (
    alignment,
    array,
    attempt,
    centred,
    entries,
    expect,
    expect_close,
    function,
    instance,
    number,
    observe,
    read_mask,
    stands_in,
    time_limit,
    unpack,
    weight,
)

pytestmark = stands_in("adam", "FullyConnectedNet", "Solver")

TRAINED = ("test_nets_are_trained",)

PIXELS = (3, 32, 32)


def make_data(rng, train=200, val=40, noise=8):
    """Small pictures of noise around ten class means: learnt in part within a few epochs."""
    means = rng.standard_normal((10, *PIXELS))
    y_train, y_val = rng.integers(10, size=train), rng.integers(10, size=val)
    return {
        "X_train": (means[y_train] + noise * rng.standard_normal((train, *PIXELS))).astype(np.float32),
        "y_train": y_train,
        "X_val": (means[y_val] + noise * rng.standard_normal((val, *PIXELS))).astype(np.float32),
        "y_val": y_val,
    }


def run(submission, rng, dropouts=(1, 0.3), hidden_dim=20, num_epochs=2, noise=8):
    data = make_data(rng, noise=noise)
    options = {"dropouts": dropouts, "hidden_dim": hidden_dim, "num_epochs": num_epochs}
    return data, experiment(submission, data, dropouts, **options)


def experiment(submission, data, expected, **options):
    """The solvers, by keep probability."""
    result = function(submission.regularization_experiment, "regularization_experiment")(data, **options)
    solvers = entries(result, "regularization_experiment")
    same = len(solvers) == len(expected) and set(solvers) == set(expected)
    keys = " and ".join(f"{p:g}" for p in expected)
    expect(same, f"the result's keys: expected {keys}, the dropouts that were asked for, got {len(solvers)} others.")
    # by the keys that were asked for: 1, True and 1 + 0j are one key
    solvers = {p: instance(solvers.get(p), f"the solver of dropout {p:g}") for p in expected}
    for solver in solvers.values():
        net_of(solver)
    return solvers


def net_of(solver):
    return instance(solver.model, "the solver's model")


def built(submission, reference, name):
    """The arguments of every call to a stand-in's constructor; none where the student's own was used."""
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


@weight(0.2)
def test_nets_are_trained(submission, rng):
    """Some net has learnt something of its training data, however little: its scores have to do with the labels.

    Of pictures with little noise, in ten epochs: 0.8 ± 0.02 with a weight_scale of 1e-3 or 1e-2, 0.7 ± 0.02 with 5e-2,
    and 0.03 ± 0.03 for nets that were never trained.
    """
    data, solvers = run(submission, rng, num_epochs=10, noise=2)
    labels = centred(np.eye(10)[data["y_train"]])
    alike = []
    for solver in solvers.values():
        params = parameters(solver, 20)
        hidden = np.maximum(data["X_train"].reshape(200, -1) @ params["W1"] + params["b1"], 0)
        scores = hidden @ params["W2"] + params["b2"]
        alike.append(alignment(centred(scores), labels))
    observe(trained=max(alike) > 0.3)
    expect(
        max(alike) > 0.3,
        "the solvers: expected trained nets, got scores that have nothing to do with the labels.",
    )


@weight(1, needs=TRAINED)
def test_result(submission, rng):
    """The result is a dictionary from each keep probability to its trained solver, whichever are asked for."""
    _, solvers = run(submission, rng, num_epochs=1)
    for p, solver in solvers.items():
        losses = array(solver.loss_history, what="loss_history")
        expect(losses.size > 0, f"the solver of dropout {p:g}: expected it to be trained, its loss_history is empty.")


@weight(2, needs=TRAINED)
def test_nets(submission, rng):
    """Each net has one hidden layer of hidden_dim units, and its own keep probability.

    A kept unit is scaled by 1/p, so one kept unit tells p. That of some 40 active units none, or every one, is
    kept has a probability below 0.7^40 = 6e-7 for one example; with ten examples, 1e-60.
    """
    data, solvers = run(submission, rng, hidden_dim=100, num_epochs=1)
    for p, solver in solvers.items():
        judge_reg(solver)
        params = parameters(solver, 100)
        pairs = [handed_on(solver, params, data["X_train"][i : i + 1], data["y_train"][i : i + 1]) for i in range(10)]
        before, out = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
        kept = read_mask(out, before, p, f"what the hidden layer of the net of dropout {p:g} hands on", rtol=1e-3)
        if p < 1:
            expect(not kept[before > 0].all(), f"the net of dropout {p:g}: expected dropout in training, none came.")


def parameters(solver, hidden_dim):
    """The parameters of a net with one hidden layer."""
    shapes = {"W1": (3072, hidden_dim), "b1": (hidden_dim,), "W2": (hidden_dim, 10), "b2": (10,)}
    params = entries(net_of(solver).params, "params", shapes)
    return {name: array(params[name], shape, name) for name, shape in shapes.items()}


def handed_on(solver, params, X, y):
    """What one example gives at the hidden layer, before dropout and (read from the gradients) after it."""
    _, grads = unpack(function(net_of(solver).loss, "loss")(X, y), ("loss", "grads"), "loss(X, y)")
    grads = entries(grads, "grads", ("W2", "b2"))
    before = np.maximum(X.reshape(1, -1) @ params["W1"] + params["b1"], 0)
    dW, db = array(grads["W2"], (100, 10), "gradient of W2"), array(grads["b2"], (10,), "gradient of b2")
    out = (dW @ db / (db @ db))[None, :]
    # near its kink a unit of a net in single precision cannot be read
    readable = before > 1e-2 * before.max()
    return np.where(readable, before, 0.0), np.where(readable, out, 0.0)


@weight(2, needs=TRAINED)
def test_training(submission, rng):
    """Every net is trained for num_epochs: 200 examples give 2 losses and 1 accuracy an epoch."""
    for epochs in (1, 3):
        _, solvers = run(submission, rng, num_epochs=epochs)
        for p, solver in solvers.items():
            losses = array(solver.loss_history, what="loss_history")
            observe(**{f"losses of {p:g}, {epochs} epochs": losses.size})
            asked = f"dropout {p:g}, {epochs} epochs of 200 examples"
            expect(losses.shape == (2 * epochs,), f"{asked}: expected {2 * epochs} losses, got {losses.size}.")
            for name in ("train_acc_history", "val_acc_history"):
                array(getattr(solver, name), (epochs + 1,), f"{name} of dropout {p:g}")
            biases = parameters(solver, 20)["b2"]
            expect(biases.any(), f"{asked}: expected training to move the net, its last biases are as at the start.")


@weight(2, needs=TRAINED)
def test_settings(submission, reference, rng):
    """Every solver uses adam with a learning rate of 5e-4 and batches of 100, and no decay."""
    _, solvers = run(submission, rng, num_epochs=1)
    told = built(submission, reference, "Solver")
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
        for name, usual in ADAM.items():
            came = number(config.get(name, usual), f"{name} {what}")
            expect(abs(came - usual) < 1e-12, f"{name} {what}: expected adam's own, {usual:g}, got {came:g}.")
    judge_first_step(submission, rng)


ADAM = {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}


@weight(1, needs=TRAINED)
def test_nothing_else_differs(submission, rng):
    """The nets differ in their keep probability alone, and each step of training draws masks of its own.

    The spread of 307,200 initial weights is known to 0.5 %. Four masks of some 40 active units are all alike with a
    probability below 0.6^120 = 3e-27.
    """
    data, solvers = run(submission, rng, hidden_dim=100, num_epochs=1)
    spreads = {p: float(parameters(solver, 100)["W1"].std()) for p, solver in solvers.items()}
    low, high = min(spreads.values()), max(spreads.values())
    observe(spread=round(high / low, 1) if low else 0.0)
    told = ", ".join(f"{spread:.2g} (dropout {p:g})" for p, spread in spreads.items())
    expect(high < 1.2 * low, f"weight_scale of the nets: expected one for all, got weights of the spread {told}.")
    for p, solver in solvers.items():
        judge_reg(solver)
        if p < 1:
            loss = function(net_of(solver).loss, "loss")
            X, y = data["X_train"][:1], data["y_train"][:1]
            losses = {number(unpack(loss(X, y), ("loss", "grads"), "loss(X, y)")[0], "loss") for _ in range(4)}
            observe(seeded=len(losses) == 1)
            expect(
                len(losses) > 1, "the net with dropout: expected new masks at each step, got the same. Leave out seed."
            )


def judge_reg(solver):
    """Fail where a net is regularised by more than dropout, as far as it says so."""
    reg, unsaid = attempt(lambda: number(net_of(solver).reg, "reg"))
    observe(reg=reg)
    message = "reg of the nets: expected none, 0, so that dropout alone makes the difference"
    expect(unsaid or reg == 0, f"{message}, got {reg}.")


def judge_first_step(submission, rng):
    """The first step tells the rule: adam moves every entry by its learning rate, whatever the gradient."""
    data = make_data(rng, train=100)
    solvers = experiment(submission, data, (1, 0.3), dropouts=(1, 0.3), hidden_dim=20, num_epochs=1)
    for p, solver in solvers.items():
        moved = float(np.median(np.abs(parameters(solver, 20)["b2"])))
        observe(moved=moved > 0, as_adam=bool(abs(moved - 5e-4) < 5e-6))
        expect(
            abs(moved - 5e-4) < 5e-6,
            f"the solver of dropout {p:g}: after one step of adam from 0 each bias should be 5e-4 in size, "
            f"got {moved:.2g}. Which update rule does the solver use?",
        )


@weight(2, needs=TRAINED)
def test_accuracies(submission, rng):
    """The nets were trained on the data that was given: the accuracies hold when measured again.

    After 8 epochs a net without dropout gets 0.85 of the training data right, with a standard deviation of 0.065 (the
    worst of 60 got 0.53): below 0.3, which is 8 of these away, once in 1e15 if they are normal. Untrained nets get 0.1.
    """
    data, solvers = run(submission, rng, num_epochs=8)
    for p, solver in solvers.items():
        params = parameters(solver, 20)
        hidden = np.maximum(data["X_val"].reshape(40, -1) @ params["W1"] + params["b1"], 0)
        measured = float(((hidden @ params["W2"] + params["b2"]).argmax(axis=1) == data["y_val"]).mean())
        history = array(solver.val_acc_history, (9,), "val_acc_history")
        # one example in forty may tip: the net computes in single precision
        expect_close(
            history.max(), measured, f"best validation accuracy of dropout {p:g}", atol=1.5 / 40, evidence=False
        )
        hidden = np.maximum(data["X_train"].reshape(200, -1) @ params["W1"] + params["b1"], 0)
        learnt = float(((hidden @ params["W2"] + params["b2"]).argmax(axis=1) == data["y_train"]).mean())
        what = f"training accuracy of dropout {p:g} after 8 epochs, measured again"
        expect(p < 1 or learnt > 0.3, f"{what}: expected more than 0.3, got {learnt:.2f}.")


@weight(1, needs=TRAINED)
@time_limit(60)
def test_defaults(submission, reference, rng, monkeypatch):
    """Without more arguments: nets of 500 hidden units, with dropout 1 and 0.25, for 25 epochs."""
    # the numbers of these big nets are not looked at: a step of the stand-in only counts
    monkeypatch.setattr(reference.Solver, "_step", lambda solver: solver.loss_history.append(0.0))
    data = {name: value[:6] for name, value in make_data(rng, 6, 6).items()}
    solvers = experiment(submission, data, (1, 0.25))
    for p, solver in solvers.items():
        array(solver.loss_history, (25,), f"loss_history of dropout {p:g}")
        parameters(solver, 500)
