"""Right solutions of the dropout assignment as a whole: what one exercise leaves behind, another takes up."""

from gradlab_staff.audit import variant

_BINOMIAL_FORWARD = """\
def dropout_forward(x, dropout_param):
    p = dropout_param["p"]
    if "seed" in dropout_param:
        np.random.seed(dropout_param["seed"])
    if dropout_param["mode"] == "test":
        return x, {"kept": np.ones(x.shape, dtype=bool), "scale": 1.0}
    kept = np.random.binomial(1, p, size=x.shape).astype(bool)
    out = np.where(kept, x / p, 0.0)
    return out, {"kept": kept, "scale": 1.0 / p}
"""

_BINOMIAL_BACKWARD = """\
def dropout_backward(dout, cache):
    return np.where(cache["kept"], dout * cache["scale"], 0.0)
"""

_GENERATOR_FORWARD = """\
def dropout_forward(x, dropout_param):
    p = dropout_param["p"]
    rng = np.random.default_rng(dropout_param.get("seed"))
    out = x.copy()
    dropped = np.zeros(x.shape, dtype=bool)
    if dropout_param["mode"] == "train":
        dropped = rng.random(x.shape) >= p
        out[dropped] = 0
        out /= p
    return out, (dropped, p if dropout_param["mode"] == "train" else 1)
"""

_INDEXING_BACKWARD = """\
def dropout_backward(dout, cache):
    dropped, p = cache
    dx = dout / p
    dx[dropped] = 0
    return dx
"""

_KEYED_NET = """\
def hidden_forward(x, w, b, dropout_param):
    out, cache = affine_relu_forward(x, w, b)
    if dropout_param is None:
        return out, {"block": cache}
    out, dropped = dropout_forward(out, dropout_param)
    return out, {"block": cache, "dropout": dropped}


def hidden_backward(dout, cache):
    if "dropout" in cache:
        dout = dropout_backward(dout, cache["dropout"])
    return affine_relu_backward(dout, cache["block"])


class FullyConnectedNet:
    def __init__(self, hidden_dims, input_dim=3 * 32 * 32, num_classes=10, dropout=1, reg=0.0,
                 weight_scale=1e-2, dtype=np.float32, seed=None):
        self.reg, self.dtype = reg, dtype
        self.num_layers = len(hidden_dims) + 1
        self.dropout_param = None if dropout == 1 else {"mode": "train", "p": dropout}
        if self.dropout_param is not None and seed is not None:
            self.dropout_param["seed"] = seed
        sizes = [input_dim] + list(hidden_dims) + [num_classes]
        self.params = {}
        for i in reversed(range(self.num_layers)):
            shape = (sizes[i], sizes[i + 1])
            self.params["W" + str(i + 1)] = np.random.normal(0, weight_scale, shape).astype(dtype)
            self.params["b" + str(i + 1)] = np.zeros(sizes[i + 1], dtype)

    def layer(self, i):
        return self.params["W%d" % i], self.params["b%d" % i]

    def loss(self, X, y=None):
        out = X.astype(self.dtype)
        if self.dropout_param is not None:
            self.dropout_param["mode"] = "train" if y is not None else "test"
        caches = {}
        for i in range(1, self.num_layers):
            out, caches["hidden%d" % i] = hidden_forward(out, *self.layer(i), self.dropout_param)
        scores, caches["scores"] = affine_forward(out, *self.layer(self.num_layers))
        if y is None:
            return scores

        loss, dout = softmax_loss(scores, y)
        n, grads = self.num_layers, {}
        dout, grads["W%d" % n], grads["b%d" % n] = affine_backward(dout, caches["scores"])
        for i in reversed(range(1, n)):
            dout, grads["W%d" % i], grads["b%d" % i] = hidden_backward(dout, caches["hidden%d" % i])
        weights = [name for name in self.params if name.startswith("W")]
        loss = loss + self.reg / 2 * sum((self.params[name] ** 2).sum() for name in weights)
        for name in weights:
            grads[name] = grads[name] + self.reg * self.params[name]
        return loss, grads
"""

_PLAIN_RULES = """\
def sgd_momentum(w, dw, config=None):
    if config is None:
        config = {}
    rate, momentum = config.get("learning_rate", 1e-2), config.get("momentum", 0.9)
    v = momentum * config.get("velocity", 0) - rate * dw
    config.update(learning_rate=rate, momentum=momentum, velocity=v)
    return w + v, config


def rmsprop(w, dw, config=None):
    if config is None:
        config = {}
    for key, value in {"learning_rate": 1e-2, "decay_rate": 0.99, "epsilon": 1e-8}.items():
        config.setdefault(key, value)
    decay = config["decay_rate"]
    config["cache"] = decay * config.get("cache", np.zeros_like(w)) + (1 - decay) * np.square(dw)
    w = w - config["learning_rate"] / np.sqrt(config["cache"] + config["epsilon"]) * dw
    return w, config


def adam(w, dw, config=None):
    if config is None:
        config = {}
    defaults = {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "t": 0}
    for key, value in defaults.items():
        config.setdefault(key, value)
    b1, b2 = config["beta1"], config["beta2"]
    t = config["t"] = config["t"] + 1
    config["m"] = m = b1 * config.get("m", 0) + (1 - b1) * dw
    config["v"] = v = b2 * config.get("v", 0) + (1 - b2) * dw * dw
    rate = config["learning_rate"] * np.sqrt(1 - b2**t) / (1 - b1**t)
    return w - rate * m / (np.sqrt(v) + config["epsilon"] * np.sqrt(1 - b2**t)), config
"""

_PERMUTING_SOLVER = """\
class Solver:
    def __init__(self, model, data, **options):
        self.model = model
        self.X_train, self.y_train = data["X_train"], data["y_train"]
        self.X_val, self.y_val = data["X_val"], data["y_val"]
        rule = options.get("update_rule", "sgd")
        self.update_rule = globals()[rule] if isinstance(rule, str) else rule
        self.optim_config = options.get("optim_config") or {}
        self.lr_decay = options.get("lr_decay", 1.0)
        self.batch_size = options.get("batch_size", 100)
        self.num_epochs = options.get("num_epochs", 10)
        self.num_train_samples = options.get("num_train_samples", 1000)
        self.num_val_samples = options.get("num_val_samples", None)
        self.print_every = options.get("print_every", 10)
        self.verbose = options.get("verbose", True)
        self.reset()

    def reset(self):
        self.epoch = 0
        self.best_val_acc = -1
        self.best_params = dict((name, value.copy()) for name, value in self.model.params.items())
        self.loss_history, self.train_acc_history, self.val_acc_history = [], [], []
        self.optim_configs = dict((name, self.optim_config.copy()) for name in self.model.params)
        self.waiting = np.array([], dtype=int)

    def _step(self):
        n = len(self.X_train)
        while len(self.waiting) < self.batch_size:
            self.waiting = np.concatenate([self.waiting, np.random.permutation(n)])
        rows, self.waiting = self.waiting[: self.batch_size], self.waiting[self.batch_size :]
        loss, grads = self.model.loss(self.X_train[rows], self.y_train[rows])
        self.loss_history += [float(loss)]
        for name in list(self.model.params):
            w, config = self.update_rule(self.model.params[name], grads[name], self.optim_configs[name])
            self.model.params[name] = w
            self.optim_configs[name] = config

    def check_accuracy(self, X, y, num_samples=None, batch_size=100):
        if num_samples and num_samples < len(X):
            rows = np.random.permutation(len(X))[:num_samples]
            X, y = X[rows], y[rows]
        right = 0
        for i in range(0, len(X), batch_size):
            scores = self.model.loss(X[i : i + batch_size])
            right += int((scores.argmax(axis=1) == y[i : i + batch_size]).sum())
        return right / len(X)

    def _look(self):
        train = self.check_accuracy(self.X_train, self.y_train, self.num_train_samples)
        val = self.check_accuracy(self.X_val, self.y_val, self.num_val_samples)
        self.train_acc_history.append(train)
        self.val_acc_history.append(val)
        if self.verbose:
            print("epoch", self.epoch, "of", self.num_epochs, "train", train, "val", val)
        if val > self.best_val_acc:
            self.best_val_acc = val
            self.best_params = {name: np.array(value) for name, value in self.model.params.items()}

    def train(self):
        per_epoch = max(1, len(self.X_train) // self.batch_size)
        total = per_epoch * self.num_epochs
        for t in range(1, total + 1):
            self._step()
            if self.verbose and t % self.print_every == 1:
                print("iteration", t, "of", total, "loss", self.loss_history[-1])
            if t % per_epoch == 0:
                self.epoch += 1
                for name in self.optim_configs:
                    self.optim_configs[name]["learning_rate"] *= self.lr_decay
            if t == 1 or t % per_epoch == 0:
                self._look()
        self.model.params = self.best_params
"""

_SEARCHED_SCALES = """\
candidates = [10.0 ** exponent for exponent in (-2.5, -2)]
overfit_learning_rate, overfit_weight_scale = candidates[0], 0.025
"""

_SHORT_EXPERIMENT = """\
def trained(data, dropout, hidden_dim, num_epochs):
    print("keep", dropout)
    solver = Solver(FullyConnectedNet([hidden_dim], dropout=dropout), data, num_epochs=num_epochs, batch_size=100,
                    update_rule="adam", optim_config=dict(learning_rate=5e-4), print_every=100, verbose=True)
    solver.train()
    return solver


def regularization_experiment(data, dropouts=(1, 0.25), hidden_dim=500, num_epochs=25):
    return {dropout: trained(data, dropout, hidden_dim, num_epochs) for dropout in dropouts}
"""


@variant()
def binomial_masks() -> dict[str, str]:
    """Binomial masks, dict caches, layers built from the last, a permutation each epoch, comprehensions."""
    return {
        "dropout_forward": _BINOMIAL_FORWARD,
        "dropout_backward": _BINOMIAL_BACKWARD,
        "fully_connected_net": _KEYED_NET,
        "update_rules": _PLAIN_RULES,
        "solver": _PERMUTING_SOLVER,
        "overfit_small_data": _SEARCHED_SCALES,
        "regularization_experiment": _SHORT_EXPERIMENT,
    }


@variant()
def generator_masks() -> dict[str, str]:
    """Masks from a Generator, compared the other way and applied by indexing; a copy in test mode."""
    return {"dropout_forward": _GENERATOR_FORWARD, "dropout_backward": _INDEXING_BACKWARD}
