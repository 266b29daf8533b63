"""What `gradlab record two_layer_net` records of the reference. `nb` has the names of the instructor notebook.

The published blocks (cs231n, assignment 1, "Two-layer net") are repeated draw for draw: the order of the calls counts.
"""

import numpy as np


def _toy(nb):
    np.random.seed(0)
    net = nb.TwoLayerNet(4, 10, 3, std=1e-1)
    np.random.seed(1)
    return net, 10 * np.random.randn(5, 4), np.array([0, 1, 2, 2, 1])


def published_scores(nb):
    """The scores of the toy net."""
    net, X, _ = _toy(nb)
    return {"scores": net.loss(X).tolist()}


def published_loss(nb):
    """The loss of the toy net."""
    net, X, y = _toy(nb)
    return {"reg": 0.05, "loss": net.loss(X, y, reg=0.05)[0]}


def published_gradients(nb):
    """The relative error of each gradient, against central differences."""
    net, X, y = _toy(nb)
    _, grads = net.loss(X, y, reg=0.05)
    errors = {}
    for name in sorted(grads):
        slopes = nb.eval_numerical_gradient(lambda _: net.loss(X, y, reg=0.05)[0], net.params[name])
        errors[name] = nb.rel_error(slopes, grads[name])
    return {"reg": 0.05, "errors": errors}


def published_training(nb):
    """The last loss of training on the toy data."""
    _, X, y = _toy(nb)
    np.random.seed(0)
    net = nb.TwoLayerNet(4, 10, 3, std=1e-1)
    stats = net.train(X, y, X, y, learning_rate=1e-1, reg=5e-6, num_iters=100, verbose=False)
    return {"iterations": len(stats["loss_history"]), "final_loss": stats["loss_history"][-1]}


def first_training(nb):
    """A short training of a net of 50 hidden units on 500 images of the stand-in data."""
    data = nb.get_CIFAR10_data(num_training=500, num_validation=200, num_test=1)
    X_train, X_val = (data[name].reshape(len(data[name]), -1) for name in ("X_train", "X_val"))
    np.random.seed(231)
    net = nb.TwoLayerNet(3072, 50, 10)
    stats = net.train(
        X_train, data["y_train"], X_val, data["y_val"], learning_rate=1e-3, reg=0.25, num_iters=50, batch_size=100
    )
    losses = np.array(stats["loss_history"])
    return {
        "iterations": len(losses),
        "first_loss": losses[0],
        "last_losses_mean": losses[-5:].mean(),
        "train_acc_history": [float(value) for value in stats["train_acc_history"]],
        "val_acc_history": [float(value) for value in stats["val_acc_history"]],
    }
