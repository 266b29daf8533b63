"""Right solutions of the two-layer net, as different as students write them: the audit has each get full marks."""

from gradlab_staff.audit import variant

# --- scores, predict -----------------------------------------------------------------------------------------


@variant(exercise="scores")
def scores_by_dot_and_where() -> str:
    """dot, add, where."""
    return """
def compute_scores(params, X):
    W1, b1 = params["W1"], params["b1"]
    W2, b2 = params["W2"], params["b2"]
    a = np.add(np.dot(X, W1), b1)
    a = np.where(a > 0, a, 0)
    return a.dot(W2) + b2
"""


@variant(exercise="scores")
def scores_in_place() -> str:
    """ReLU by setting the negative entries to zero; a helper function."""
    return """
def relu(z):
    z[z < 0] = 0
    return z


def compute_scores(params, X):
    return relu(X @ params["W1"] + params["b1"]) @ params["W2"] + params["b2"]
"""


@variant(exercise="scores")
def scores_by_einsum() -> str:
    """einsum, with type hints, and ReLU as a product with a boolean mask."""
    return """
def compute_scores(params: dict, X: np.ndarray) -> np.ndarray:
    z = np.einsum("nd,dh->nh", X, params["W1"]) + params["b1"][None, :]
    return np.einsum("nh,hc->nc", z * (z > 0), params["W2"]) + params["b2"]
"""


@variant(exercise="predict")
def predict_with_the_method() -> str:
    """argmax as a method, over the last axis."""
    return """
def predict_labels(params, X):
    y_pred = compute_scores(params, X).argmax(-1)
    return y_pred
"""


@variant(exercise="predict")
def predict_inlined() -> str:
    """The scores computed once more, and a loop."""
    return """
def predict_labels(params, X):
    h = np.maximum(0, X.dot(params["W1"]) + params["b1"])
    s = h.dot(params["W2"]) + params["b2"]
    y_pred = np.zeros(len(X), dtype=np.int64)
    for i in range(len(X)):
        y_pred[i] = np.argmax(s[i])
    return y_pred
"""


# --- loss ----------------------------------------------------------------------------------------------------

_LOSS = """
def compute_loss(params, X, y, reg):
    scores = compute_scores(params, X)
    N = X.shape[0]
    {lines}
    return loss
"""


def _loss(*lines: str) -> str:
    return _LOSS.replace("{lines}", "\n    ".join(lines))


@variant(exercise="loss")
def loss_by_probabilities() -> str:
    """Shifted exponentials, probabilities, logarithm."""
    return _loss(
        "e = np.exp(scores - np.max(scores, axis=1).reshape(-1, 1))",
        "probs = e / np.sum(e, axis=1)[:, np.newaxis]",
        "loss = np.sum(-np.log(probs[range(N), y])) / N",
        'loss += reg * np.sum(params["W1"] * params["W1"]) + reg * np.sum(params["W2"] * params["W2"])',
    )


@variant(exercise="loss")
def loss_by_log_sum_exp() -> str:
    """logaddexp less the right score; squared Frobenius norms."""
    return _loss(
        "loss = np.mean(np.logaddexp.reduce(scores, axis=1) - scores[np.arange(N), y])",
        'loss = loss + reg * sum(np.linalg.norm(params[name]) ** 2 for name in ("W1", "W2"))',
    )


@variant(exercise="loss")
def loss_by_loops() -> str:
    """Example by example."""
    return _loss(
        "loss = 0.0",
        "for i in range(N):",
        "    s = scores[i] - scores[i].max()",
        "    loss += -s[y[i]] + np.log(np.exp(s).sum())",
        "loss /= N",
        'loss += reg * float((params["W1"] ** 2).sum() + (params["W2"] ** 2).sum())',
    )


@variant(exercise="loss")
def loss_by_one_hot() -> str:
    """One-hot labels, vdot; scores shifted by one number for all."""
    return _loss(
        "onehot = np.zeros_like(scores)",
        "onehot[np.arange(N), y] = 1",
        "scores -= scores.max()",
        "logp = scores - np.log(np.exp(scores).sum(1, keepdims=True))",
        "loss = -(onehot * logp).sum() / N",
        'loss += reg * (np.vdot(params["W1"], params["W1"]) + np.vdot(params["W2"], params["W2"]))',
    )


# --- gradients -----------------------------------------------------------------------------------------------


@variant(exercise="gradients")
def gradients_as_published() -> str:
    """Probabilities, minus one at the labels; the ReLU's gradient set to zero by a mask."""
    return """
def compute_gradients(params, X, y, reg):
    W1, W2 = params["W1"], params["W2"]
    N = X.shape[0]
    h = np.maximum(0, X.dot(W1) + params["b1"])
    scores = compute_scores(params, X)
    e = np.exp(scores - scores.max(1, keepdims=True))
    probs = e / e.sum(1, keepdims=True)
    grads = {}
    ds = probs.copy()
    ds[range(N), y] -= 1
    ds /= N
    grads["W2"] = h.T.dot(ds)
    grads["b2"] = np.sum(ds, axis=0)
    dh = ds.dot(W2.T)
    dh[h <= 0] = 0
    grads["W1"] = np.dot(X.T, dh)
    grads["b1"] = np.sum(dh, axis=0)
    grads["W2"] += 2 * reg * W2
    grads["W1"] += 2 * reg * W1
    return grads
"""


@variant(exercise="gradients")
def gradients_by_one_hot() -> str:
    """One-hot labels, ones for the sums, averages at the end."""
    return """
def softmax(s):
    e = np.exp(s - s.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def compute_gradients(params, X, y, reg):
    n = len(X)
    z = X @ params["W1"] + params["b1"]
    h = z * (z > 0)
    delta = softmax(h @ params["W2"] + params["b2"]) - np.eye(params["b2"].size)[y]
    back = np.where(z > 0, delta @ params["W2"].T, 0.0)
    ones = np.ones(n)
    return dict(
        W2=h.T @ delta / n + reg * 2 * params["W2"],
        b2=ones @ delta / n,
        W1=X.T @ back / n + reg * 2 * params["W1"],
        b1=ones @ back / n,
    )
"""


@variant(exercise="gradients")
def gradients_by_loops() -> str:
    """Example by example, by outer products."""
    return """
def compute_gradients(params, X, y, reg):
    grads = {name: np.zeros(value.shape) for name, value in params.items()}
    for x, label in zip(X, y):
        h = np.maximum(x @ params["W1"] + params["b1"], 0)
        s = h @ params["W2"] + params["b2"]
        d = np.exp(s - np.logaddexp.reduce(s))
        d[label] -= 1
        grads["W2"] += np.outer(h, d) / len(X)
        grads["b2"] += d / len(X)
        dh = (params["W2"] @ d) * (h > 0)
        grads["W1"] += np.outer(x, dh) / len(X)
        grads["b1"] += dh / len(X)
    for name in ("W1", "W2"):
        grads[name] += 2 * reg * params[name]
    return grads
"""


# --- train ---------------------------------------------------------------------------------------------------

_TRAIN = """
def train_net(net, X, y, X_val, y_val, learning_rate=1e-3, learning_rate_decay=0.95, reg=5e-6, num_iters=100,
              batch_size=200, verbose=False):
    num_train = X.shape[0]
    iterations_per_epoch = max(num_train // batch_size, 1)
    loss_history, train_acc_history, val_acc_history = [], [], []
    for it in range(num_iters):
        {batch}
        loss, grads = net.loss(X_batch, y=y_batch, reg=reg)
        loss_history.append(loss)
        {step}
        if verbose and it % 100 == 0:
            print("iteration %d / %d: loss %f" % (it, num_iters, loss))
        if {moment}:
            train_acc_history.append((net.predict(X_batch) == y_batch).mean())
            val_acc_history.append((net.predict(X_val) == y_val).mean())
            learning_rate *= learning_rate_decay
    return {"loss_history": loss_history, "train_acc_history": train_acc_history, "val_acc_history": val_acc_history}
"""

_CHOICE = "rows = np.random.choice(num_train, batch_size, replace=True)\n        X_batch, y_batch = X[rows], y[rows]"
_STEPS = "\n        ".join(
    f'net.params["{name}"] += -learning_rate * grads["{name}"]' for name in ("W1", "b1", "W2", "b2")
)


def _train(batch: str = _CHOICE, step: str = _STEPS, moment: str = "it % iterations_per_epoch == 0") -> str:
    return _TRAIN.replace("{batch}", batch).replace("{step}", step).replace("{moment}", moment)


@variant(exercise="train")
def train_as_published() -> str:
    """choice with replacement; the four parameters one by one."""
    return _train()


@variant(exercise="train")
def train_by_randint_at_the_end() -> str:
    """randint; accuracies and decay at the last iteration of each epoch; new arrays for the parameters."""
    return _train(
        "rows = np.random.randint(num_train, size=batch_size)\n        X_batch, y_batch = X[rows, :], y[rows]",
        "net.params = {name: w - learning_rate * grads[name] for name, w in net.params.items()}",
        "(it + 1) % iterations_per_epoch == 0",
    )


@variant(exercise="train")
def train_by_permutation() -> str:
    """The head of a fresh permutation each time, drawn again where there are too few."""
    return _train(
        "rows = np.random.permutation(num_train)[:batch_size]\n"
        "        if len(rows) < batch_size:\n"
        "            rows = np.random.choice(num_train, batch_size)\n"
        "        X_batch, y_batch = X[rows], y[rows]",
        "for name, w in net.params.items():\n            w -= learning_rate * grads[name]",
    )


@variant(exercise="train")
def train_by_epochs() -> str:
    """A permutation for each epoch, without replacement; where there are too few, minibatches of all examples."""
    return _train(
        "if it % iterations_per_epoch == 0:\n"
        "            order = np.random.permutation(num_train)\n"
        "        start = it % iterations_per_epoch * batch_size\n"
        "        rows = order[start : start + batch_size]\n"
        "        X_batch, y_batch = X[rows], y[rows]"
    )


@variant(exercise="train")
def train_on_all_of_few() -> str:
    """Where there are too few examples, all of them, as they stand; looks at the loss of all data, too."""
    return _train(
        "rows = np.random.choice(num_train, batch_size, replace=False) if num_train > batch_size else slice(None)\n"
        "        X_batch, y_batch = X[rows], y[rows]",
        _STEPS + "\n        whole_loss, _ = net.loss(X, y, reg)",
        "(it + 1) % iterations_per_epoch == 0",
    )


# --- tuning, gap_choice --------------------------------------------------------------------------------------


@variant(exercise="tuning")
def tuning_by_product() -> str:
    """itertools.product over rates and sizes; the best found at the end."""
    return """
import itertools


def tune(X_train, y_train, X_val, y_val, num_iters=300):
    D, C = X_train.shape[1], int(np.max(y_train)) + 1
    nets, results = {}, {}
    for hidden, rate in itertools.product((30, 60), (1e-3, 2e-3)):
        net = TwoLayerNet(D, hidden, C)
        net.train(X_train, y_train, X_val, y_val, learning_rate=rate, reg=0.25, num_iters=num_iters, batch_size=100)
        nets[hidden, rate] = net
        results[(hidden, rate)] = float((net.predict(X_val) == y_val).mean())
    best = max(results, key=results.get)
    return nets[best], results
"""


@variant(exercise="tuning")
def tuning_at_random() -> str:
    """Five rates at random on a logarithmic scale."""
    return """
def accuracy(net, X, y):
    return np.mean(net.predict(X) == y)


def tune(X_train, y_train, X_val, y_val, num_iters=300):
    best_net, best, results = None, -1, {}
    for exponent in np.random.uniform(-3.3, -2.7, 5):
        rate, reg = 10**exponent, 0.2
        net = TwoLayerNet(X_train.shape[1], 50, y_train.max() + 1)
        net.train(X_train, y_train, X_val, y_val, learning_rate=rate, reg=reg, num_iters=num_iters, batch_size=100)
        results[(rate, reg)] = accuracy(net, X_val, y_val)
        if results[(rate, reg)] > best:
            best, best_net = results[(rate, reg)], net
    return best_net, results
"""


_SEARCH = """
def tune(X_train, y_train, X_val, y_val, num_iters=300):
    D, C = X_train.shape[1], int(np.max(y_train)) + 1
    best_net, best, results = None, -1, {}
    for rate, reg, decay in {settings}:
        net = TwoLayerNet(D, 50, C)
        {train}
        accuracy = {accuracy}
        results[rate, reg, decay] = accuracy
        if accuracy > best:
            best_net, best = net, accuracy
    return best_net, results
"""


def _search(**changes: str) -> str:
    pieces = {
        "settings": "((5e-4, 0.1, 0.95), (1e-3, 0.1, 0.95), (2e-3, 0.1, 0.95), (2e-3, 0.4, 0.95))",
        "train": "stats = net.train(X_train, y_train, X_val, y_val, rate, decay, reg, num_iters, 100)",
        "accuracy": "np.mean(net.predict(X_val) == y_val)",
        **changes,
    }
    source = _SEARCH
    for name, piece in pieces.items():
        source = source.replace(f"{{{name}}}", piece)
    return source


@variant(exercise="tuning")
def tuning_by_history() -> str:
    """The accuracy is the last one of the training's history; batches of 100."""
    return _search(accuracy='stats["val_acc_history"][-1]')


@variant(exercise="tuning")
def tuning_the_decay() -> str:
    """Settings that differ in the decay alone."""
    return _search(settings="[(2e-3, 0.1, decay) for decay in (0.95, 0.96, 0.97, 0.98)]")


@variant(exercise="tuning")
def tuning_in_five_parts() -> str:
    """Each net is trained in five parts, with a look at its accuracy after each."""
    step = "net.train(X_train, y_train, X_val, y_val, rate, decay, reg, num_iters // 5, 100)"
    look = "print(np.mean(net.predict(X_val) == y_val))"
    return _search(train=f"for _ in range(5):\n            {step}\n            {look}")


@variant(exercise="tuning")
def tuning_with_a_training_of_its_own() -> str:
    """The minibatches are drawn in the search itself: net.train is never called."""
    return _search(
        train="""lr = rate
        for it in range(num_iters):
            rows = np.random.choice(len(X_train), 100)
            grads = compute_gradients(net.params, X_train[rows], y_train[rows], reg)
            net.params = {name: value - lr * grads[name] for name, value in net.params.items()}
            lr *= decay ** (100 / len(X_train))"""
    )


@variant(exercise="gap_choice")
def gap_of_numpy_numbers() -> str:
    """Numbers of NumPy's, in a set."""
    return "gap_answers = set(np.array([1, 3]))"


@variant(exercise="gap_choice")
def gap_as_a_list() -> str:
    """A set made of a list."""
    return """
answers = [3, 1]
gap_answers = set(answers)
"""
