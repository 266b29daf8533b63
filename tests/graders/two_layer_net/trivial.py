"""Answers without any work, in ways that no rule makes: the audit has each of them earn nothing."""

from gradlab_staff.audit import trivial


@trivial(exercise="loss")
def of_equal_scores() -> str:
    """The loss of a net that has learnt nothing."""
    return """
def compute_loss(params, X, y, reg):
    return np.log(params["b2"].size)
"""


@trivial(exercise="loss")
def sums() -> str:
    """A number that depends on the examples and on the weights."""
    return """
def compute_loss(params, X, y, reg):
    return float(np.sum(X) + np.sum(params["W2"]))
"""


@trivial(exercise="predict")
def hashes() -> str:
    """Labels that depend on the examples, and not on the parameters."""
    return """
def predict_labels(params, X):
    return (np.abs(X).sum(axis=1) * 7).astype(int) % params["b2"].size
"""


@trivial(exercise="gradients")
def the_parameters_themselves() -> str:
    """Arrays of the right shapes that are at hand."""
    return """
def compute_gradients(params, X, y, reg):
    return {name: value.copy() for name, value in params.items()}
"""


_EMPTY = """
    return {"loss_history": [], "train_acc_history": [], "val_acc_history": []}"""


def _train(step: str, returned: str = _EMPTY) -> str:
    return f"""
def train_net(net, X, y, X_val, y_val, learning_rate=1e-3, learning_rate_decay=0.95, reg=5e-6, num_iters=100,
              batch_size=200, verbose=False):
    for _ in range(num_iters):
        net.loss(X[:batch_size], y[:batch_size], reg)
        {step}
{returned}
"""


@trivial(exercise="train")
def asks_and_does_not_step() -> str:
    """The first examples each time, no step, empty histories."""
    return _train("pass")


@trivial(exercise="train")
def noise_in_the_place_of_steps() -> str:
    """The parameters move, and not by the gradient."""
    return _train("net.params = {name: v + 0.1 * np.random.standard_normal(v.shape) for name, v in net.params.items()}")


@trivial(exercise="train")
def invented_histories() -> str:
    """As many numbers as there should be: a loss that falls, accuracies that grow."""
    return _train(
        "pass",
        """
    epochs = -(-num_iters // max(len(X) // batch_size, 1))
    return {
        "loss_history": list(np.linspace(1, 0, num_iters)),
        "train_acc_history": list(np.linspace(0.5, 1, epochs)),
        "val_acc_history": list(np.linspace(0.5, 1, epochs)),
    }""",
    )


def _tune(train: str, accuracy: str) -> str:
    return f"""
def tune(X_train, y_train, X_val, y_val, num_iters=300):
    results, nets = {{}}, []
    for rate in (1e-4, 1e-3, 1e-2, 1e-1, 1):
        net = TwoLayerNet(X_train.shape[1], 5, int(y_train.max()) + 1)
        {train}
        nets.append(net)
        results[(rate, 0.1)] = {accuracy}
    return nets[-1], results
"""


@trivial(exercise="tuning")
def untrained_net_and_invented_accuracies() -> str:
    """Accuracies of who guesses."""
    return _tune("pass", "0.1")


@trivial(exercise="tuning")
def untrained_nets_and_great_accuracies() -> str:
    """Accuracies of who has learnt."""
    return _tune("pass", "0.9 + rate / 100")


@trivial(exercise="tuning")
def untrained_nets() -> str:
    """True accuracies of nets that were never trained."""
    return _tune("pass", "np.mean(net.predict(X_val) == y_val)")


@trivial(exercise="tuning")
def trained_at_a_rate_of_zero() -> str:
    """True accuracies of nets whose training changes nothing."""
    return _tune(
        "net.train(X_train, y_train, X_val, y_val, 0.0, 1 - rate / 10, 0.1, num_iters, 100)",
        "np.mean(net.predict(X_val) == y_val)",
    )
