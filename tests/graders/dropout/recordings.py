"""What `gradlab record dropout` records of the reference. `nb` has the names of the instructor notebook.

The published blocks (cs231n, assignment 2, "Dropout") are repeated draw for draw: the order of the calls counts.
"""

import numpy as np

SEED = 231


def published_forward(nb):
    """The effect of p on means and zeros."""
    np.random.seed(SEED)
    x = np.random.randn(500, 500) + 10
    blocks = {}
    for p in (0.25, 0.4, 0.7):
        out, _ = nb.dropout_forward(x, {"mode": "train", "p": p})
        out_test, _ = nb.dropout_forward(x, {"mode": "test", "p": p})
        blocks[p] = {
            "mean_train": out.mean(),
            "mean_test": out_test.mean(),
            "zeros_train": (out == 0).mean(),
            "zeros_test": (out_test == 0).mean(),
        }
    return {"seed": SEED, "mean_input": x.mean(), "p": blocks}


def published_backward(nb):
    """The relative error of dx against the numerical gradient."""
    np.random.seed(SEED)
    x = np.random.randn(10, 10) + 10
    dout = np.random.randn(*x.shape)
    dropout_param = {"mode": "train", "p": 0.2, "seed": 123}
    _, cache = nb.dropout_forward(x, dropout_param)
    dx = nb.dropout_backward(dout, cache)
    dx_num = nb.eval_numerical_gradient_array(lambda xx: nb.dropout_forward(xx, dropout_param)[0], x, dout)
    return {"seed": SEED, "dx_error": nb.rel_error(dx, dx_num)}


def published_net(nb):
    """Initial losses and gradient errors of three small nets."""
    np.random.seed(SEED)
    N, D, H1, H2, C = 2, 15, 20, 30, 10
    X = np.random.randn(N, D)
    y = np.random.randint(C, size=(N,))
    nets = {}
    for dropout in (1, 0.75, 0.5):
        net = nb.FullyConnectedNet(
            [H1, H2], input_dim=D, num_classes=C, weight_scale=5e-2, dtype=np.float64, dropout=dropout, seed=123
        )
        loss, grads = net.loss(X, y)
        errors = {}
        for name in sorted(grads):
            numerical = nb.eval_numerical_gradient(lambda _, net=net: net.loss(X, y)[0], net.params[name], h=1e-5)
            errors[name] = nb.rel_error(numerical, grads[name])
        nets[dropout] = {"loss": loss, "errors": errors}
    return {"seed": SEED, "dropout": nets}


def overfit_small_data(nb):
    """Training on 50 images with the instructor's learning rate and weight scale."""
    data = nb.get_CIFAR10_data(num_training=5000)
    fifty = {
        "X_train": data["X_train"][:50],
        "y_train": data["y_train"][:50],
        "X_val": data["X_val"],
        "y_val": data["y_val"],
    }
    np.random.seed(SEED)
    net = nb.FullyConnectedNet([100, 100], weight_scale=nb.overfit_weight_scale)
    solver = nb.Solver(
        net,
        fifty,
        update_rule="sgd",
        optim_config={"learning_rate": nb.overfit_learning_rate},
        num_epochs=20,
        batch_size=25,
        num_val_samples=100,
        verbose=False,
    )
    solver.train()
    return {"seed": SEED, **_summary(solver)}


def regularization_experiment(nb):
    """The two nets of the course on 500 images of the stand-in data."""
    data = nb.get_CIFAR10_data(num_training=5000)
    small = {
        "X_train": data["X_train"][:500],
        "y_train": data["y_train"][:500],
        "X_val": data["X_val"],
        "y_val": data["y_val"],
    }
    np.random.seed(SEED)
    solvers = nb.regularization_experiment(small)
    return {"seed": SEED, "dropout": {dropout: _summary(solver) for dropout, solver in solvers.items()}}


def _summary(solver):
    losses = np.array(solver.loss_history, dtype=np.float64)
    return {
        "iterations": len(losses),
        "first_loss": losses[0],
        "last_losses_mean": losses[-5:].mean(),
        "train_acc_history": solver.train_acc_history,
        "val_acc_history": solver.val_acc_history,
    }
