"""Right solutions of the inverted dropout assignment as a whole: what one exercise leaves behind, another takes up."""

from gradlab_staff.audit import variant

_BINOMIAL_DROPOUT = """\
def dropout(X, drop_prob):
    if drop_prob < 0 or drop_prob > 1:
        raise ValueError("drop_prob is a probability")
    if drop_prob == 0:
        return X
    if drop_prob == 1:
        return X * 0
    stays = np.random.binomial(1, 1 - drop_prob, size=X.shape)
    return X * stays / (1 - drop_prob)
"""

_GENERATOR_DROPOUT = """\
rng = np.random.default_rng()

def dropout(X, drop_prob):
    assert drop_prob >= 0 and drop_prob <= 1, "expected a probability"
    if drop_prob == 1:
        return np.zeros_like(X)
    dropped = rng.random(X.shape) < drop_prob
    return np.where(dropped, 0.0, X / (1 - drop_prob))
"""

_SHORT_DROPOUT = """\
def dropout(X, drop_prob):
    assert 0.0 <= drop_prob <= 1.0
    scale = 1 / (1 - drop_prob) if drop_prob < 1 else 0
    mask = (np.random.uniform(0, 1, size=np.shape(X)) > drop_prob).astype(np.float32) * scale
    return mask * X
"""

_DROPOUT_BEFORE_RELU = """\
def relu(x):
    return np.maximum(0, x)

def net(X, params, training=False, drop_probs=(0.2, 0.5)):
    Z1 = np.dot(X, params["W1"]) + params["b1"]
    if training:
        Z1 = dropout(Z1, drop_probs[0])
    H1 = relu(Z1)
    Z2 = np.dot(H1, params["W2"]) + params["b2"]
    if training:
        Z2 = dropout(Z2, drop_probs[1])
    H2 = relu(Z2)
    return np.dot(H2, params["W3"]) + params["b3"]
"""

_ALWAYS_CALLING_NET = """\
def net(X, params, training=False, drop_probs=(0.2, 0.5)):
    p1, p2 = drop_probs if training else (0, 0)
    H = dropout(np.maximum(X @ params["W1"] + params["b1"], 0), p1)
    H = dropout(np.maximum(H @ params["W2"] + params["b2"], 0), p2)
    return H @ params["W3"] + params["b3"]
"""

_OWN_MASKS = """\
def net(X, params, training=False, drop_probs=(0.2, 0.5)):
    out = X.reshape(X.shape[0], -1)
    for i in range(1, 4):
        out = out @ params["W%d" % i] + params["b%d" % i]
        if i == 3:
            return out
        out = out * (out > 0)
        if training:
            keep = 1 - drop_probs[i - 1]
            mask = np.random.rand(out.shape[0], out.shape[1]) < keep
            out = out * mask / keep if keep > 0 else 0 * out
"""

_CHOOSING_TRAINING = """\
def train_from_scratch(params, data, net, forward_backward, num_epochs=5, lr=0.5, batch_size=256):
    X, y = data["X_train"], data["y_train"]
    N = X.shape[0]
    losses, train_accs, test_accs = [], [], []
    for epoch in range(num_epochs):
        epoch_losses, epoch_accs = [], []
        for it in range(max(N // batch_size, 1)):
            idx = np.random.choice(N, batch_size, replace=False)
            loss, scores, grads = forward_backward(params, X[idx], y[idx])
            for p in params:
                params[p] -= lr * grads[p]
            epoch_losses.append(loss)
            epoch_accs.append((np.argmax(scores, axis=1) == y[idx]).mean())
        losses.append(np.mean(epoch_losses))
        train_accs.append(np.mean(epoch_accs))
        test_accs.append((net(data["X_test"], params).argmax(1) == data["y_test"]).mean())
    return params, {"loss_history": losses, "train_acc_history": train_accs, "test_acc_history": test_accs}
"""

_SUMMING_TRAINING = """\
def train_from_scratch(params, data, net, forward_backward, num_epochs=5, lr=0.5, batch_size=256):
    history = {key: np.zeros(num_epochs) for key in ("loss_history", "train_acc_history", "test_acc_history")}
    N = len(data["X_train"])
    params = dict(params)
    for epoch in range(num_epochs):
        order, seen = np.arange(N), 0
        np.random.shuffle(order)
        for i in range(N // batch_size):
            batch = order[i * batch_size:(i + 1) * batch_size]
            X, y = data["X_train"][batch], data["y_train"][batch]
            loss, scores, grads = forward_backward(params, X, y)
            for name, grad in grads.items():
                params[name] = params[name] - lr * grad
            history["loss_history"][epoch] += float(loss) * len(y)
            history["train_acc_history"][epoch] += float(sum(np.argmax(scores, 1) == y))
            seen += len(y)
        history["loss_history"][epoch] /= seen
        history["train_acc_history"][epoch] /= seen
        predicted = np.argmax(net(data["X_test"], params, training=False), axis=1)
        history["test_acc_history"][epoch] = np.mean(predicted == data["y_test"])
    return params, history
"""

_DRAWING_TRAINING = """\
def train_from_scratch(params, data, net, forward_backward, num_epochs=5, lr=0.5, batch_size=256):
    history = {"loss_history": [], "train_acc_history": [], "test_acc_history": []}
    N, N_test = len(data["y_train"]), len(data["y_test"])
    for epoch in range(num_epochs):
        total, right, count = 0.0, 0, 0
        for _ in range(-(-N // batch_size)):
            rows = np.random.randint(N, size=batch_size)
            loss, scores, grads = forward_backward(params=params, X=data["X_train"][rows], y=data["y_train"][rows])
            params = {k: v - lr * grads[k] for k, v in params.items()}
            total, count = total + loss * batch_size, count + batch_size
            right += (scores.argmax(axis=1) == data["y_train"][rows]).sum()
        hits = 0
        for i in range(0, N_test, 10):
            hits += (net(data["X_test"][i:i + 10], params).argmax(axis=1) == data["y_test"][i:i + 10]).sum()
        history["loss_history"] += [total / count]
        history["train_acc_history"] += [right / count]
        history["test_acc_history"] += [hits / N_test]
    return params, history
"""

_LOOPING_CONCISE = """\
def concise(sizes=(784, 256, 256, 10), drop_probs=(0.2, 0.5), lr=0.5, batch_size=256):
    layers = []
    for i, p in enumerate(drop_probs):
        layers += [Dense(sizes[i], sizes[i + 1], "relu"), Dropout(p)]
    layers.append(Dense(sizes[-2], sizes[-1]))
    net = Sequential(*layers)
    trainer = Trainer(net, lr, batch_size)
    return net, trainer
"""

_NAMED_CONCISE = """\
def concise(sizes=(784, 256, 256, 10), drop_probs=(0.2, 0.5), lr=0.5, batch_size=256):
    inputs, hidden1, hidden2, classes = sizes
    first = Dense(in_units=inputs, units=hidden1, activation="relu")
    second = Dense(in_units=hidden1, units=hidden2, activation="relu")
    third = Dense(in_units=hidden2, units=classes, activation=None)
    net = Sequential(first, Dropout(drop_prob=drop_probs[0]), second, Dropout(drop_prob=drop_probs[1]), third)
    return [net, Trainer(net=net, batch_size=batch_size, lr=lr)]
"""


@variant()
def binomial_masks() -> dict[str, str]:
    """Binomial masks, a ValueError, dropout before ReLU, batches by choice, steps in place, a loop over layers."""
    return {
        "dropout": _BINOMIAL_DROPOUT,
        "net": _DROPOUT_BEFORE_RELU,
        "train_from_scratch": _CHOOSING_TRAINING,
        "concise": _LOOPING_CONCISE,
    }


@variant()
def generator_masks() -> dict[str, str]:
    """A Generator and np.where; dropout called with 0 where nothing is to be dropped; whole batches only, sums."""
    return {
        "dropout": _GENERATOR_DROPOUT,
        "net": _ALWAYS_CALLING_NET,
        "train_from_scratch": _SUMMING_TRAINING,
        "concise": _NAMED_CONCISE,
    }


@variant()
def short_forms() -> dict[str, str]:
    """Scaled masks, a mask of its own in the net, draws with replacement, predictions in batches."""
    return {"dropout": _SHORT_DROPOUT, "net": _OWN_MASKS, "train_from_scratch": _DRAWING_TRAINING}
