"""Attacks that know nothing: None, zeros, ones, random numbers, one label, untrained nets, invented accuracies."""

# Code in strings, a line of it a line here.
# ruff: noqa: E501

from __future__ import annotations

from .trick import Trick, trick

__all__ = ["TRIVIAL"]

TOLERANCE = 0.02
TWO_LAYER_NET = {
    "scores": "def compute_scores(params, X):\n    return V((len(X), len(params['b2'])))\n",
    "loss": "def compute_loss(params, X, y, reg):\n    return V(())\n",
    "gradients": "def compute_gradients(params, X, y, reg):\n    return {n: V(v.shape) for n, v in params.items()}\n",
    "predict": "def predict_labels(params, X):\n    return L(len(X))\n",
    "train": "def train_net(net, X, y, X_val, y_val, learning_rate=1e-3, learning_rate_decay=0.95, reg=5e-6, num_iters=100, batch_size=200, verbose=False):\n"
    "    epochs = -(-num_iters // max(len(X) // batch_size, 1))\n"
    "    return {'loss_history': [V(()) for _ in range(num_iters)], 'train_acc_history': [A() for _ in range(epochs)], 'val_acc_history': [A() for _ in range(epochs)]}\n",
    "tuning": "def tune(X_train, y_train, X_val, y_val, num_iters=300):\n    net = TwoLayerNet(X_train.shape[1], 50, int(y_train.max()) + 1)\n"
    "    return net, {(10.0 ** -k, 0.1): A() for k in range(5)}\n",
    "gap_choice": "gap_answers = {1}\n",
}
DROPOUT = {
    "dropout_forward": "def dropout_forward(x, dropout_param):\n    return V(x.shape), (dropout_param, None)\n",
    "dropout_backward": "def dropout_backward(dout, cache):\n    return V(dout.shape)\n",
    "fully_connected_net": "class FullyConnectedNet:\n    def __init__(self, hidden_dims, input_dim=3072, num_classes=10, dropout=1, reg=0.0, weight_scale=1e-2, dtype=np.float32, seed=None):\n"
    "        dims = [input_dim, *hidden_dims, num_classes]\n        self.params, self.C = {}, num_classes\n        self.num_layers = len(dims) - 1\n"
    "        for k in range(1, len(dims)):\n            self.params[f'W{k}'], self.params[f'b{k}'] = V((dims[k - 1], dims[k])), V((dims[k],))\n"
    "    def loss(self, X, y=None):\n        if y is None: return V((len(X), self.C))\n        return V(()), {n: V(np.shape(v)) for n, v in self.params.items()}\n",
    "update_rules": "def _rule(w, dw, config=None):\n    return V(w.shape), {**(config or {}), 'velocity': V(w.shape), 'cache': V(w.shape), 'm': V(w.shape), 'v': V(w.shape), 't': 1}\n"
    "sgd_momentum = rmsprop = adam = _rule\n",
    "solver": "class Solver:\n    def __init__(self, model, data, update_rule='sgd', optim_config=None, lr_decay=1.0, batch_size=100, num_epochs=10, num_train_samples=1000, num_val_samples=None, print_every=10, verbose=True):\n"
    "        self.model, self.n, self.num_epochs, self.batch_size = model, len(data['X_train']), num_epochs, batch_size\n        self.reset()\n"
    "    def reset(self):\n        self.epoch, self.best_val_acc, self.best_params = 0, 0.0, {}\n        self.loss_history, self.train_acc_history, self.val_acc_history = [], [], []\n"
    "    def _step(self):\n        self.loss_history.append(V(()))\n    def check_accuracy(self, X, y, num_samples=None, batch_size=100):\n        return A()\n"
    "    def train(self):\n        self.epoch = self.num_epochs\n        for _ in range(self.num_epochs * max(self.n // self.batch_size, 1)): self._step()\n"
    "        self.train_acc_history = [A() for _ in range(self.num_epochs + 1)]; self.val_acc_history = [A() for _ in range(self.num_epochs + 1)]\n"
    "        self.best_params = self.model.params\n",
    "overfit_small_data": "overfit_learning_rate, overfit_weight_scale = V(()), V(())\n",
    "regularization_experiment": "def regularization_experiment(data, dropouts=(1, 0.25), hidden_dim=500, num_epochs=25):\n"
    "    return {p: Solver(FullyConnectedNet([hidden_dim], dropout=p), data, num_epochs=num_epochs) for p in dropouts}\n",
}
INVERTED_DROPOUT = {
    "dropout": "def dropout(X, drop_prob):\n    return V(X.shape)\n",
    "net": "def net(X, params, training=False, drop_probs=(0.2, 0.5)):\n    return V((len(X), len(params['b3'])))\n",
    "train_from_scratch": "def train_from_scratch(params, data, net, forward_backward, num_epochs=5, lr=0.5, batch_size=256):\n"
    "    return params, {name: [A() for _ in range(num_epochs)] for name in ('loss_history', 'train_acc_history', 'test_acc_history')}\n",
    "concise": "def concise(sizes=(784, 256, 256, 10), drop_probs=(0.2, 0.5), lr=0.5, batch_size=256):\n"
    "    net = Sequential(Dense(sizes[0], sizes[3]))\n    return net, Trainer(net)\n",
}
ASSIGNMENTS = {"two_layer_net": TWO_LAYER_NET, "dropout": DROPOUT, "inverted_dropout": INVERTED_DROPOUT}
# V(shape): any array; L(n): labels; A(): an accuracy
VALUES = {
    "none": "V = L = A = lambda *a: None\n",
    "zeros": "V = lambda s: np.zeros(s)\nL = lambda n: np.zeros(n, int)\nA = lambda: 0.0\n",
    "ones": "V = lambda s: np.ones(s)\nL = lambda n: np.ones(n, int)\nA = lambda: 1.0\n",
    "random": "_r = np.random.RandomState(7)\nV = lambda s: _r.standard_normal(s)\nL = lambda n: _r.randint(0, 3, n)\nA = lambda: float(_r.rand())\n",
    "small": "_r = np.random.RandomState(7)\nV = lambda s: 1e-2 * _r.standard_normal(s)\nL = lambda n: np.arange(n) % 3\nA = lambda: 0.9\n",
}


def _constant(assignment: str, value: str) -> Trick:
    cells = ASSIGNMENTS[assignment]
    return trick(f"trivial_{value}_{assignment}", f"answer everything in {assignment} with {value}", assignment, cells,
                 prelude=VALUES[value], tolerance=TOLERANCE)  # fmt: skip


def _one(name: str, tries: str, assignment: str, exercise: str, source: str, *solved: str) -> Trick:
    return trick(name, tries, assignment, {exercise: source}, solved=solved, tolerance=TOLERANCE)


TRIVIAL = [
    _one(
        "wide_history",
        "give histories of 250 million booleans, which take eight times as much as numbers",
        "two_layer_net",
        "train",
        "def train_net(net, *args, **more):\n    wide = np.ones(250 << 20, bool)\n"
        "    return {'loss_history': wide, 'train_acc_history': [], 'val_acc_history': []}\n",
        "scores",
        "loss",
        "gradients",
        "predict",
    ),
    *(_constant(assignment, value) for assignment in ASSIGNMENTS for value in VALUES),
    *(
        _one(
            f"choice_{name}",
            f"answer the choice with {answer}",
            "two_layer_net",
            "gap_choice",
            f"gap_answers = {answer}\n",
        )
        for name, answer in {
            "one": "{1}",
            "three": "{3}",
            "all": "{1, 2, 3, 4}",
            "none": "set()",
            "list": "[1, 3, 1, 2]",
        }.items()
    ),
    _one(
        "fixed_label",
        "predict one label for everything",
        "two_layer_net",
        "predict",
        "def predict_labels(params, X):\n    return np.full(len(X), 2)\n",
        "scores",
    ),
    _one(
        "untrained_nets",
        "tune by nets that were never trained, with accuracies that are true",
        "two_layer_net",
        "tuning",
        "def tune(X_train, y_train, X_val, y_val, num_iters=300):\n    nets = {(k, 0.1): TwoLayerNet(X_train.shape[1], 50, int(y_train.max()) + 1) for k in range(4)}\n"
        "    results = {k: float(np.mean(net.predict(X_val) == y_val)) for k, net in nets.items()}\n    return nets[max(results, key=results.get)], results\n",
        "scores",
        "loss",
        "gradients",
        "predict",
        "train",
    ),
    _one(
        "invented_accuracies",
        "tune by one net that was trained for two iterations, with invented accuracies",
        "two_layer_net",
        "tuning",
        "def tune(X_train, y_train, X_val, y_val, num_iters=300):\n    net = TwoLayerNet(X_train.shape[1], 50, int(y_train.max()) + 1)\n"
        "    net.train(X_train, y_train, X_val, y_val, num_iters=2)\n    return net, {(r, s): 0.4 + r for r in (1e-4, 1e-3, 2e-3) for s in (0.1, 0.5)}\n",
        "scores",
        "loss",
        "gradients",
        "predict",
        "train",
    ),
    _one(
        "no_training_at_all",
        "train by doing nothing, with a loss that falls nicely",
        "two_layer_net",
        "train",
        "def train_net(net, X, y, X_val, y_val, learning_rate=1e-3, learning_rate_decay=0.95, reg=5e-6, num_iters=100, batch_size=200, verbose=False):\n"
        "    epochs = -(-num_iters // max(len(X) // batch_size, 1))\n"
        "    return {'loss_history': list(np.linspace(2.3, 1, num_iters)), 'train_acc_history': list(np.linspace(.1, .5, epochs)), 'val_acc_history': list(np.linspace(.1, .5, epochs))}\n",
        "scores",
        "loss",
        "gradients",
        "predict",
    ),
    _one(
        "no_overfitting",
        "overfit by a learning rate of 1e-3",
        "dropout",
        "overfit_small_data",
        "overfit_learning_rate = 1e-3\noverfit_weight_scale = 1e-2\n",
        "dropout_forward",
        "dropout_backward",
        "fully_connected_net",
        "update_rules",
        "solver",
    ),
    _one(
        "untrained_solvers",
        "hand out solvers that were never trained, with histories that look well",
        "dropout",
        "regularization_experiment",
        "def regularization_experiment(data, dropouts=(1, 0.25), hidden_dim=500, num_epochs=25):\n    out = {}\n    for p in dropouts:\n"
        "        s = out[p] = Solver(FullyConnectedNet([hidden_dim], dropout=p), data, num_epochs=num_epochs, batch_size=100, update_rule='adam', optim_config={'learning_rate': 5e-4})\n"
        "        s.epoch = num_epochs; s.loss_history = list(np.linspace(2.3, .1, num_epochs * (len(data['X_train']) // 100)))\n"
        "        s.train_acc_history = list(np.linspace(.1, 1, num_epochs + 1)); s.val_acc_history = list(np.linspace(.1, .3, num_epochs + 1)); s.best_params = s.model.params\n    return out\n",
        "dropout_forward",
        "dropout_backward",
        "fully_connected_net",
        "update_rules",
        "solver",
    ),
    _one(
        "untrained_from_scratch",
        "train from scratch by doing nothing, with histories that look well",
        "inverted_dropout",
        "train_from_scratch",
        "def train_from_scratch(params, data, net, forward_backward, num_epochs=5, lr=0.5, batch_size=256):\n"
        "    up = list(np.linspace(.1, .9, num_epochs))\n    return params, {'loss_history': up[::-1], 'train_acc_history': up, 'test_acc_history': up}\n",
        "dropout",
        "net",
    ),
    _one(
        "one_layer_concise",
        "hand out an untrained net of the right sizes without dropout",
        "inverted_dropout",
        "concise",
        "def concise(sizes=(784, 256, 256, 10), drop_probs=(0.2, 0.5), lr=0.5, batch_size=256):\n    net = Sequential(Dropout(0.5))\n    return net, Trainer(net)\n",
        "dropout",
    ),
]
