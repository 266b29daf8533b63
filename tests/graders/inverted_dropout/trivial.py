"""Answers without any work, in ways that no rule makes: the audit has each of them earn nothing."""

from gradlab_staff.audit import trivial


def _train(step: str) -> str:
    return f"""
def train_from_scratch(params, data, net, forward_backward, num_epochs=5, lr=0.5, batch_size=256):
    X, y = data["X_train"], data["y_train"]
    for _ in range(num_epochs * max(len(y) // batch_size, 1)):
        forward_backward(params, X[:batch_size], y[:batch_size])
        {step}
    history = {{
        "loss_history": list(np.linspace(1, 0, num_epochs)),
        "train_acc_history": list(np.linspace(0.5, 1, num_epochs)),
        "test_acc_history": list(np.linspace(0.5, 1, num_epochs)),
    }}
    return params, history
"""


@trivial(exercise="train_from_scratch")
def asks_and_does_not_step() -> str:
    """The first images each time, no step, invented histories."""
    return _train("pass")


@trivial(exercise="train_from_scratch")
def noise_in_the_place_of_steps() -> str:
    """The parameters move, and not by the gradient."""
    return _train("params = {name: v + 0.1 * np.random.standard_normal(v.shape) for name, v in params.items()}")


@trivial(exercise="net")
def the_pictures_summed() -> str:
    """Numbers that depend on the pictures, and not on the parameters."""
    return """
def net(X, params, training=False, drop_probs=(0.2, 0.5)):
    return np.sum(X, axis=1, keepdims=True) * np.ones((1, params["b3"].size))
"""


@trivial(exercise="concise")
def parameters_alone() -> str:
    """Parameters as they are at the start, in an object that is no net."""
    return """
class _Net:
    pass


def concise(sizes=(784, 256, 256, 10), **options):
    net = _Net()
    net.params = {f"W{i}": 0.01 * np.random.randn(sizes[i - 1], sizes[i]) for i in (1, 2, 3)}
    net.params |= {f"b{i}": np.zeros(sizes[i]) for i in (1, 2, 3)}
    return net, net
"""


@trivial(exercise="concise")
def three_dense_layers() -> str:
    """No ReLU and no dropout."""
    return """
def concise(sizes=(784, 256, 256, 10), drop_probs=(0.2, 0.5), lr=0.5, batch_size=256):
    net = Sequential(Dense(sizes[0], sizes[1]), Dense(sizes[1], sizes[2]), Dense(sizes[2], sizes[3]))
    return net, Trainer(net, lr=lr, batch_size=batch_size)
"""
