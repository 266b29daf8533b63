"""Right solutions of the inverted-dropout assignment in other styles: the audit has each get full marks."""

from gradlab_staff.audit import variant

# --- dropout -------------------------------------------------------------------------------------------------

_DROPOUT = """
def dropout(X, drop_prob):
    assert 0 <= drop_prob <= 1
    if drop_prob == 1:
        return np.zeros_like(X)
    {lines}
"""


def _dropout(*lines: str) -> str:
    return _DROPOUT.replace("{lines}", "\n    ".join(lines))


@variant(exercise="dropout")
def dropout_by_uniform() -> str:
    """uniform, above drop_prob, as the book writes it."""
    return _dropout(
        "mask = (np.random.uniform(0, 1, X.shape) > drop_prob).astype(np.float32)",
        "return mask * X / (1.0 - drop_prob)",
    )


@variant(exercise="dropout")
def dropout_by_binomial() -> str:
    """binomial masks, scaled at once."""
    return _dropout("keep = 1 - drop_prob", "return X * (np.random.binomial(1, keep, size=X.shape) / keep)")


@variant(exercise="dropout")
def dropout_by_choice() -> str:
    """choice of zero and one."""
    return _dropout(
        "mask = np.random.choice([0, 1], size=X.shape, p=[drop_prob, 1 - drop_prob])",
        "return np.where(mask, X / (1 - drop_prob), 0.0)",
    )


@variant(exercise="dropout")
def dropout_nothing_at_zero() -> str:
    """A case of its own where nothing is dropped; random_sample; raise AssertionError."""
    return """
def dropout(X, drop_prob):
    if not (drop_prob >= 0 and drop_prob <= 1):
        raise AssertionError("drop_prob is a probability")
    if drop_prob == 0:
        return X
    if drop_prob == 1:
        return X * 0
    mask = np.random.random_sample(X.shape) >= drop_prob
    return X * mask / (1 - drop_prob)
"""


@variant(exercise="dropout")
def dropout_by_generator() -> str:
    """A Generator of numpy itself, and a helper function; type hints."""
    return """
import numpy


def make_mask(shape: tuple, keep: float):
    return numpy.random.default_rng().random(shape) < keep


def dropout(X, drop_prob: float):
    assert 0 <= drop_prob and drop_prob <= 1, drop_prob
    keep = 1 - drop_prob
    return make_mask(X.shape, keep) * X / max(keep, 1e-12)
"""


# --- net -----------------------------------------------------------------------------------------------------


@variant(exercise="net")
def net_layer_by_layer() -> str:
    """Each layer written out; reshaped pictures; ReLU by maximum."""
    return """
def relu(Z):
    return np.maximum(0, Z)


def net(X, params, training=False, drop_probs=(0.2, 0.5)):
    first, second = drop_probs
    X = X.reshape((X.shape[0], -1))
    H1 = relu(np.dot(X, params["W1"]) + params["b1"])
    if training:
        H1 = dropout(H1, first)
    H2 = relu(np.dot(H1, params["W2"]) + params["b2"])
    if training:
        H2 = dropout(H2, second)
    return np.dot(H2, params["W3"]) + params["b3"]
"""


@variant(exercise="net")
def net_by_zip() -> str:
    """A loop over the parameters; ReLU by where; the probability is 0 at test time."""
    return """
def net(X, params, training=False, drop_probs=(0.2, 0.5)):
    for i, p in zip("12", drop_probs):
        Z = X @ params["W" + i] + params["b" + i]
        X = np.where(Z > 0, Z, 0.0)
        X = dropout(X, p) if training else X
    scores = X @ params["W3"]
    return scores + params["b3"]
"""


@variant(exercise="net")
def net_with_a_block() -> str:
    """A block inside the function; ReLU as a product."""
    return """
def net(X, params, training=False, drop_probs=(0.2, 0.5)):
    def affine(A, layer):
        return A @ params[f"W{layer}"] + params[f"b{layer}"]

    hidden = X
    for layer in (1, 2):
        hidden = affine(hidden, layer)
        hidden = hidden * (hidden > 0)
        if training is True:
            hidden = dropout(hidden, drop_probs[layer - 1])
    return affine(hidden, 3)
"""


@variant(exercise="net")
def net_by_recursion() -> str:
    """A layer that calls the next one; ReLU as half the sum of z and its size."""
    return """
def net(X, params, training=False, drop_probs=(0.2, 0.5)):
    def layer(H, i):
        Z = np.einsum("nd,dh->nh", H, params["W%d" % i]) + params["b%d" % i]
        if i == 3:
            return Z
        H = (Z + np.abs(Z)) / 2
        return layer(dropout(H, drop_probs[i - 1]) if training else H, i + 1)

    return layer(X, 1)
"""


@variant(exercise="net")
def net_with_where() -> str:
    """Masks of its own by np.where, before ReLU; ReLU by clip."""
    return """
def net(X, params, training=False, drop_probs=(0.2, 0.5)):
    for i, p in enumerate(drop_probs, start=1):
        X = np.matmul(X, params[f"W{i}"]) + params[f"b{i}"]
        if training:
            X = np.where(np.random.uniform(size=X.shape) < p, 0.0, X / max(1 - p, 1e-9))
        X = np.clip(X, 0, np.inf)
    return np.matmul(X, params["W3"]) + params["b3"]
"""


# --- train_from_scratch --------------------------------------------------------------------------------------

_TRAIN = """
def train_from_scratch(params, data, net, forward_backward, num_epochs=5, lr=0.5, batch_size=256):
    X_train, y_train = data["X_train"], data["y_train"]
    params = dict(params)
    history = {"loss_history": [], "train_acc_history": [], "test_acc_history": []}
    n = len(X_train)
    for epoch in range(num_epochs):
        total, right, seen, count = 0.0, 0, 0, 0
        {order}
        for i in range(n // batch_size):
            {rows}
            loss, scores, grads = forward_backward(params, X_train[rows], y_train[rows])
            {step}
            total, count = total + loss, count + 1
            right += np.sum(np.argmax(scores, axis=1) == y_train[rows])
            seen += len(rows)
        history["loss_history"].append(total / count)
        history["train_acc_history"].append(right / seen)
        test_scores = net(data["X_test"], params)
        history["test_acc_history"].append(np.mean(np.argmax(test_scores, axis=1) == data["y_test"]))
    return params, history
"""


def _train(rows: str, order: str = "", step: str = "") -> str:
    step = step or "for name in params:\n                params[name] = params[name] - lr * grads[name]"
    return _TRAIN.replace("{order}", order).replace("{rows}", rows).replace("{step}", step)


@variant(exercise="train_from_scratch")
def train_by_choice() -> str:
    """Minibatches by choice with replacement."""
    return _train("rows = np.random.choice(n, batch_size)")


@variant(exercise="train_from_scratch")
def train_without_replacement() -> str:
    """Minibatches by choice without replacement; a comprehension makes the step."""
    return _train(
        "rows = np.random.choice(n, size=batch_size, replace=False)",
        step="params = {name: value - lr * grads[name] for name, value in params.items()}",
    )


@variant(exercise="train_from_scratch")
def train_by_shuffle() -> str:
    """Positions shuffled each epoch; the rest is left out."""
    return _train(
        "rows = order[i * batch_size : (i + 1) * batch_size]", "order = np.arange(n)\n        np.random.shuffle(order)"
    )


# --- concise -------------------------------------------------------------------------------------------------


@variant(exercise="concise")
def concise_with_names() -> str:
    """Names for the parts, keyword arguments where there are any."""
    return """
def concise(sizes=(784, 256, 256, 10), drop_probs=(0.2, 0.5), lr=0.5, batch_size=256):
    pixels, first, second, classes = sizes
    p1, p2 = drop_probs
    layers = [Dense(pixels, first, activation="relu"), Dropout(p1)]
    layers += [Dense(first, second, activation="relu"), Dropout(p2)]
    layers += [Dense(second, classes)]
    model = Sequential(*layers)
    return (model, Trainer(model, lr=lr, batch_size=batch_size))
"""


@variant(exercise="concise")
def concise_by_a_loop() -> str:
    """A loop over the hidden layers."""
    return """
def concise(sizes=(784, 256, 256, 10), drop_probs=(0.2, 0.5), lr=0.5, batch_size=256):
    blocks = []
    for i, p in enumerate(drop_probs):
        blocks.append(Dense(sizes[i], sizes[i + 1], activation="relu"))
        blocks.append(Dropout(p))
    blocks.append(Dense(sizes[-2], sizes[-1]))
    net = Sequential(*blocks)
    trainer = Trainer(net, lr=lr, batch_size=batch_size)
    return net, trainer
"""


@variant(exercise="concise")
def concise_with_a_relu_of_its_own() -> str:
    """ReLU as a layer of its own, after dropout once; a Trainer that prints."""
    return """
class ReLU:
    params = {}

    def __call__(self, X, params, training):
        return np.maximum(X, 0)


class Loud(Trainer):
    def fit(self, data, num_epochs=5):
        for _ in range(num_epochs):
            super().fit(data, 1)
            print(self.loss_history[-1])


def concise(sizes=(784, 256, 256, 10), drop_probs=(0.2, 0.5), lr=0.5, batch_size=256):
    D, H1, H2, C = sizes
    p1, p2 = drop_probs
    net = Sequential(Dense(D, H1), ReLU(), Dropout(p1), Dense(H1, H2), Dropout(p2), ReLU(), Dense(H2, C))
    return [net, Loud(net, lr, batch_size)]
"""
