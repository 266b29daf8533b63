"""Answers without any work, in ways that no rule makes: the audit has each of them earn nothing."""

from gradlab_staff.audit import changed, trivial


@trivial(exercise="update_rules")
def weights_that_stay() -> str:
    """No step, and the config as it came."""
    return """
def sgd_momentum(w, dw, config=None):
    return w, config or {"learning_rate": 1e-2, "momentum": 0.9, "velocity": np.zeros_like(w)}


def rmsprop(w, dw, config=None):
    return w, config or {"learning_rate": 1e-2, "decay_rate": 0.99, "epsilon": 1e-8, "cache": np.zeros_like(w)}


def adam(w, dw, config=None):
    start = {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "t": 0}
    return w, config or {**start, "m": np.zeros_like(w), "v": np.zeros_like(w)}
"""


@trivial(exercise="update_rules")
def by_the_sign() -> str:
    """Steps of one size, along the sign of the gradient."""
    return """
def sgd_momentum(w, dw, config=None):
    config = {} if config is None else config
    return w - config.setdefault("learning_rate", 1e-2) * dw, config


def rmsprop(w, dw, config=None):
    config = {} if config is None else config
    return w - config.setdefault("learning_rate", 1e-2) * np.sign(dw), config


def adam(w, dw, config=None):
    config = {} if config is None else config
    return w - config.setdefault("learning_rate", 1e-3) * np.sign(dw), config
"""


@trivial(exercise="overfit_small_data")
def usual_numbers() -> str:
    """Numbers that stand in many examples, as they are."""
    return """
overfit_learning_rate = 1e-3
overfit_weight_scale = 1e-2
"""


@trivial(exercise="fully_connected_net")
def parameters_alone() -> str:
    """Parameters that are right at the start, and no pass."""
    return """
class FullyConnectedNet:
    def __init__(self, hidden_dims, input_dim=3 * 32 * 32, num_classes=10, dropout=1, reg=0.0, weight_scale=1e-2,
                 dtype=np.float32, seed=None):
        dims, self.params = [input_dim, *hidden_dims, num_classes], {}
        for layer in range(1, len(dims)):
            W = weight_scale * np.random.randn(dims[layer - 1], dims[layer])
            self.params[f"W{layer}"], self.params[f"b{layer}"] = W.astype(dtype), np.zeros(dims[layer], dtype)

    def loss(self, X, y=None):
        raise ValueError("later")
"""


_STEPS = "self.model.params[name], self.optim_configs[name] = self.update_rule(w, grads[name], config)"
_MEASURED = "return float(np.mean(np.concatenate(predicted) == y))"


def _solver(step: str) -> str:
    return changed(__file__, "solver", (_STEPS, step), (_MEASURED, "return 0.5"))


@trivial(exercise="solver")
def never_steps() -> str:
    """Minibatches and losses of a model that stays as it is, invented accuracies."""
    return _solver("pass")


@trivial(exercise="solver")
def noise_in_the_place_of_steps() -> str:
    """The parameters move, and not by the gradient; invented accuracies."""
    return _solver("self.model.params[name] = w + 0.1 * np.random.standard_normal(np.shape(w))")


def _experiment(after: str) -> str:
    return f"""
def regularization_experiment(data, dropouts=(1, 0.25), hidden_dim=500, num_epochs=25):
    solvers = {{}}
    for dropout in dropouts:
        net = FullyConnectedNet([hidden_dim], dropout=dropout)
        settings = {{"update_rule": "adam", "optim_config": {{"learning_rate": 5e-4}}, "verbose": False}}
        solvers[dropout] = solver = Solver(net, data, num_epochs=num_epochs, batch_size=100, **settings)
        {after}
    return solvers
"""


@trivial(exercise="regularization_experiment")
def untrained_solvers() -> str:
    """Solvers as they were made."""
    return _experiment("pass")


@trivial(exercise="regularization_experiment")
def invented_histories() -> str:
    """Solvers as they were made, with histories of the right lengths; the last biases no zeros."""
    return _experiment(
        """steps = max(len(data["y_train"]) // 100, 1) * num_epochs
        solver.loss_history = list(np.linspace(2.3, 1.0, steps))
        solver.train_acc_history = list(np.linspace(0.1, 0.9, num_epochs + 1))
        solver.val_acc_history = list(np.linspace(0.1, 0.5, num_epochs + 1))
        solver.best_params = net.params
        net.params = {**net.params, "b2": net.params["b2"] + 5e-4}"""
    )
