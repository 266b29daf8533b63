"""Wrong solutions of the two-layer net that no rule of syntax makes: the audit has each lose points."""

from gradlab_staff.audit import mistake


def change(source: str, *changes: tuple[str, str]) -> str:
    """A right solution with pieces of it replaced, each of which must be there once."""
    for old, new in changes:
        if source.count(old) != 1:
            raise ValueError(f"expected {old!r} once in the solution, found it {source.count(old)} times")
        source = source.replace(old, new)
    return source


# --- scores, loss, predict -----------------------------------------------------------------------------------


@mistake(exercise="scores")
def scores_store_hidden_in_params() -> str:
    """The hidden numbers are stored among the parameters, where training finds no gradient for them."""
    return """
def compute_scores(params, X):
    params["hidden"] = np.maximum(X @ params["W1"] + params["b1"], 0)
    return params["hidden"] @ params["W2"] + params["b2"]
"""


_LOSS = """
def compute_loss(params, X, y, reg):
    scores = compute_scores(params, X)
    log_probs = scores - np.logaddexp.reduce(scores, axis=1)[:, None]
    loss = -log_probs[np.arange(len(y)), y].mean()
    for name in ("W1", "W2"):
        loss += reg * np.sum(params[name] ** 2)
    return loss
"""


@mistake(exercise="loss")
def loss_stores_scores_in_params() -> str:
    """The scores are stored among the parameters."""
    return change(_LOSS, ("    log_probs =", '    params["scores"] = scores\n    log_probs ='))


@mistake(exercise="loss")
def loss_squares_the_weights() -> str:
    """The weights are squared in place."""
    return change(_LOSS, ("np.sum(params[name] ** 2)", "np.square(params[name], out=params[name]).sum()"))


@mistake(exercise="predict")
def predict_stores_labels_in_params() -> str:
    """The labels are stored among the parameters."""
    return """
def predict_labels(params, X):
    params["labels"] = np.argmax(compute_scores(params, X), axis=1)
    return params["labels"]
"""


@mistake(exercise="predict")
def predict_by_softmax_without_shift() -> str:
    """Probabilities by exp of the scores as they are: it overflows, or all are 0, and the first class wins."""
    return """
def predict_labels(params, X):
    exp = np.exp(compute_scores(params, X))
    return np.argmax(exp / exp.sum(axis=1, keepdims=True), axis=1)
"""


@mistake(exercise="predict")
def predict_from_minus_999() -> str:
    """The search for the highest score starts from -999: where all are lower it finds none."""
    return """
def predict_labels(params, X):
    labels = np.zeros(len(X), dtype=int)
    for i, row in enumerate(compute_scores(params, X)):
        best = -999
        for c, score in enumerate(row):
            if score > best:
                best, labels[i] = score, c
    return labels
"""


@mistake(exercise="predict")
def predict_by_rounded_scores() -> str:
    """Scores are rounded to three digits: those of a new net, with weights of 1e-4, are all equal then."""
    return """
def predict_labels(params, X):
    return np.argmax(np.round(compute_scores(params, X), 3), axis=1)
"""


# --- gradients -----------------------------------------------------------------------------------------------

_GRADIENTS = """
def compute_gradients(params, X, y, reg):
    hidden = np.maximum(X @ params["W1"] + params["b1"], 0)
    scores = hidden @ params["W2"] + params["b2"]
    d = np.exp(scores - scores.max(axis=1, keepdims=True))
    d /= d.sum(axis=1, keepdims=True)
    d[np.arange(len(y)), y] -= 1
    d /= len(y)
    grads = {"W2": hidden.T @ d + 2 * reg * params["W2"], "b2": d.sum(axis=0)}
    d = (d @ params["W2"].T) * (hidden > 0)
    grads.update(W1=X.T @ d + 2 * reg * params["W1"], b1=d.sum(axis=0))
    return grads
"""


@mistake(exercise="gradients")
def gradients_by_inputs_too() -> str:
    """The dict holds a gradient by X, too: params has no such key."""
    return change(_GRADIENTS, ("    return grads", '    grads["X"] = d @ params["W1"].T\n    return grads'))


@mistake(exercise="gradients")
def gradients_store_hidden_in_params() -> str:
    """The hidden numbers are stored among the parameters."""
    return change(_GRADIENTS, ("    return grads", '    params["hidden"] = hidden\n    return grads'))


@mistake(exercise="gradients")
def gradients_clipped() -> str:
    """Gradients are cut off at 5."""
    return change(_GRADIENTS, ("return grads", "return {name: np.clip(grad, -5, 5) for name, grad in grads.items()}"))


# --- train ---------------------------------------------------------------------------------------------------

_TRAIN = """
def train_net(net, X, y, X_val, y_val, learning_rate=1e-3, learning_rate_decay=0.95, reg=5e-6, num_iters=100,
              batch_size=200, verbose=False):
    iterations_per_epoch = max(X.shape[0] // batch_size, 1)
    loss_history, train_acc_history, val_acc_history = [], [], []
    for it in range(num_iters):
        rows = np.random.choice(X.shape[0], batch_size)
        X_batch, y_batch = X[rows], y[rows]
        loss, grads = net.loss(X_batch, y_batch, reg)
        loss_history.append(loss)
        for name in net.params:
            net.params[name] -= learning_rate * grads[name]
        if it % iterations_per_epoch == 0:
            train_acc_history.append(np.mean(net.predict(X_batch) == y_batch))
            val_acc_history.append(np.mean(net.predict(X_val) == y_val))
            learning_rate *= learning_rate_decay
    return {"loss_history": loss_history, "train_acc_history": train_acc_history, "val_acc_history": val_acc_history}
"""
_ROWS = "rows = np.random.choice(X.shape[0], batch_size)"


def _train_on(rows: str) -> str:
    return change(_TRAIN, (_ROWS, rows))


@mistake(exercise="train")
def train_without_replacement() -> str:
    """Rows are drawn without replacement, which raises where N is smaller than batch_size."""
    return _train_on(_ROWS.replace("batch_size)", "batch_size, replace=False)"))


@mistake(exercise="train")
def train_shuffled_once() -> str:
    """The data are shuffled once: each epoch goes through the same minibatches."""
    return _train_on(
        """if it == 0:
            order = np.random.permutation(X.shape[0])
        rows = order[np.arange(it * batch_size, (it + 1) * batch_size) % X.shape[0]]"""
    )


@mistake(exercise="train")
def train_in_order() -> str:
    """The data are shuffled once, then taken in order from a place that moves on."""
    return _train_on(
        """if it == 0:
            order = np.random.permutation(X.shape[0])
            X, y = X[order], y[order]
        start = (it * batch_size) % max(X.shape[0] - batch_size + 1, 1)
        rows = slice(start, start + batch_size)"""
    )


@mistake(exercise="train")
def train_on_a_random_block() -> str:
    """Each minibatch is a block of neighbours from a random place."""
    return _train_on(
        """start = np.random.randint(max(X.shape[0] - batch_size, 0) + 1)
        rows = np.arange(start, start + batch_size) % X.shape[0]"""
    )


@mistake(exercise="train")
def train_stops_early() -> str:
    """Training ends where the validation accuracy falls, before num_iters iterations are done."""
    ending = "learning_rate *= learning_rate_decay"
    gain = "len(val_acc_history) > 20 and val_acc_history[-1] < val_acc_history[-10]"
    return change(_TRAIN, (ending, f"{ending}\n            if {gain}:\n                break"))


@mistake(exercise="train")
def train_validates_on_the_first_1000() -> str:
    """The validation accuracy is that of the first 1000 examples."""
    return change(_TRAIN, ("net.predict(X_val) == y_val", "net.predict(X_val[:1000]) == y_val[:1000]"))


@mistake(exercise="train")
def train_validates_on_four_batches() -> str:
    """The validation accuracy is that of as many examples as four minibatches have."""
    part = "net.predict(X_val[: 4 * batch_size]) == y_val[: 4 * batch_size]"
    return change(_TRAIN, ("net.predict(X_val) == y_val", part))


@mistake(exercise="train")
def train_centres_the_examples() -> str:
    """The training examples are centred, in place, and the validation examples are not."""
    return change(_TRAIN, ("    for it in", "    X -= X.mean(axis=0)\n    for it in"))


# --- tuning --------------------------------------------------------------------------------------------------

_TUNE = """
def tune(X_train, y_train, X_val, y_val, num_iters=300):
    best_net, best, results = None, -1.0, {}
    for lr, reg, trial in [(5e-4, 0.1, 0), (1e-3, 0.1, 0), (1e-3, 0.5, 0), (2e-3, 0.1, 0)]:
        net = TwoLayerNet(X_train.shape[1], 50, int(y_train.max()) + 1)
        net.train(X_train, y_train, X_val, y_val, learning_rate=lr, reg=reg, batch_size=100, num_iters=num_iters)
        accuracy = np.mean(net.predict(X_val) == y_val)
        results[lr, reg, trial] = accuracy
        if accuracy > best:
            best_net, best = net, accuracy
    return best_net, results
"""
_SETTINGS = "[(5e-4, 0.1, 0), (1e-3, 0.1, 0), (1e-3, 0.5, 0), (2e-3, 0.1, 0)]"


@mistake(exercise="tuning")
def tuning_with_iterations_of_its_own() -> str:
    """num_iters is not looked at: each net is trained for 400 iterations."""
    return change(_TUNE, ("num_iters=num_iters", "num_iters=400"))


@mistake(exercise="tuning")
def tuning_with_iterations_by_default() -> str:
    """num_iters is not passed on: each net is trained for the 100 iterations of the default."""
    return change(_TUNE, (", num_iters=num_iters", ""), (_SETTINGS, _SETTINGS.replace("5e-4", "3e-3")))


@mistake(exercise="tuning")
def tuning_of_one_setting() -> str:
    """The same setting is tried four times: the nets differ in luck only."""
    return change(_TUNE, (_SETTINGS, "[(1e-3, 0.1, trial) for trial in range(4)]"))


@mistake(exercise="tuning")
def tuning_of_nearly_one_setting() -> str:
    """The learning rates differ by one in a hundred, which is less than luck does."""
    return change(_TUNE, (_SETTINGS, "[(rate, 0.1, 0) for rate in (1e-3, 1.01e-3, 1.02e-3, 1.03e-3)]"))


@mistake(exercise="tuning")
def tuning_with_made_up_results() -> str:
    """One net is trained; the other entries of the results are made up."""
    made_up = (
        "    results.update({(1e-4, reg, 0): 0.9 * best for reg in (0.1, 0.2, 0.5)})\n    return best_net, results"
    )
    return change(_TUNE, (_SETTINGS, "[(1e-3, 0.1, 0)]"), ("    return best_net, results", made_up))
