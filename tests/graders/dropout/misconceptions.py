"""Named wrong solutions of the dropout assignment: each is wrong in one exercise, in a way that students are."""

from gradlab_staff.grading import misconception

# --- dropout_forward -----------------------------------------------------------------------------------

_FORWARD = """
def dropout_forward(x, dropout_param):
    mode, p = dropout_param["mode"], dropout_param["p"]
    if dropout_param.get("seed") is not None:
        np.random.seed(dropout_param["seed"])
    mask = None
    if mode == "train":
        {train}
    else:
        {test}
    return out.astype(x.dtype, copy=False), (dropout_param, mask)
"""


def _forward(*train: str, test: str = "out = x") -> str:
    return _FORWARD.format(train="\n        ".join(train), test=test)


@misconception(
    exercise="dropout_forward",
    explanation="Entries are dropped, but those that stay keep their size. So the next layer sees smaller sums in "
    "training than at test time, and the two modes disagree.",
    hint="What is the expected value of one entry of your output, and what should it be?",
)
def forgot_to_rescale() -> str:
    return _forward("mask = np.random.rand(*x.shape) < p", "out = x * mask")


@misconception(
    exercise="dropout_forward",
    explanation="p is used as the probability to drop an entry. In this course it is the probability to keep one, "
    "so with p = 0.25 three quarters should become zero, not one quarter.",
    hint="With p = 1, how many entries should your mask keep?",
)
def keep_and_drop_swapped() -> str:
    return _forward("mask = (np.random.rand(*x.shape) >= p) / (1 - p)", "out = x * mask")


@misconception(
    exercise="dropout_forward",
    explanation="p is used as the probability to drop an entry, while what stays is divided by p. The mask keeps "
    "the wrong share, and the scale fits the right one.",
    hint="Look at which side of p your random numbers must fall to be kept, and read again what p is.",
)
def wrong_side_of_p() -> str:
    return _forward("mask = (np.random.rand(*x.shape) > p) / p", "out = x * mask")


@misconception(
    exercise="dropout_forward",
    explanation="This is plain dropout: nothing is rescaled in training, and the output is multiplied by p at test "
    "time. Inverted dropout, which is asked for, does its scaling in training and leaves the test pass "
    "alone.",
    hint="Which of the two modes should be free of any arithmetic?",
)
def plain_dropout() -> str:
    return _forward("mask = np.random.rand(*x.shape) < p", "out = x * mask", test="out = x * p")


@misconception(
    exercise="dropout_forward",
    explanation="Entries are dropped at test time too. Dropout is noise for training only; predictions should use "
    "every unit.",
    hint="What should dropout_forward do with its input when mode is test?",
)
def dropout_at_test_time() -> str:
    draw = "mask = (np.random.rand(*x.shape) < p) / p"
    return _forward(draw, "out = x * mask", test=f"{draw}\n        out = x * mask")


@misconception(
    exercise="dropout_forward",
    explanation="The random numbers come from a normal distribution. It falls below p with another probability than "
    "p, so the share of kept entries is wrong for almost every p.",
    hint="Of which distribution is the share of draws below p just p?",
)
def normal_draw() -> str:
    return _forward("mask = (np.random.randn(*x.shape) < p) / p", "out = x * mask")


@misconception(
    exercise="dropout_forward",
    explanation="One mask is drawn for a row and used for all examples. Each entry of the batch needs a chance of "
    "its own, or all examples lose the same units.",
    hint="Compare the shape of your mask with the shape of x.",
)
def one_mask_for_all_examples() -> str:
    return _forward("mask = (np.random.rand(*x.shape[1:]) < p) / p * np.ones(x.shape)", "out = x * mask")


# --- dropout_backward ----------------------------------------------------------------------------------


@misconception(
    exercise="dropout_backward",
    explanation="The gradient passes through as if nothing had been dropped. An entry that was multiplied by 0 on "
    "the way forward has no influence on the loss, so its gradient is 0.",
    hint="Which part of the cache does your backward pass never use?",
)
def backward_forgets_mask() -> str:
    return """
def dropout_backward(dout, cache):
    dropout_param, mask = cache
    return dout
"""


@misconception(
    exercise="dropout_backward",
    explanation="Kept entries were scaled on the way forward, but their gradient is not. The chain rule multiplies "
    "by the same factor in both directions.",
    hint="If out = c · x, what is the derivative of out by x?",
)
def backward_forgets_scale() -> str:
    return """
def dropout_backward(dout, cache):
    dropout_param, mask = cache
    if dropout_param["mode"] == "test":
        return dout
    return np.where(mask != 0, dout, 0)
"""


@misconception(
    exercise="dropout_backward",
    explanation="The mask in the cache is scaled already, and the gradient is divided by p once more. It comes out "
    "too large by 1/p.",
    hint="Print the values that occur in the mask of your cache.",
)
def backward_scales_twice() -> str:
    return """
def dropout_backward(dout, cache):
    dropout_param, mask = cache
    if dropout_param["mode"] == "test":
        return dout
    return dout * mask / dropout_param["p"]
"""


@misconception(
    exercise="dropout_backward",
    explanation="The backward pass draws a mask of its own. It belongs to other entries than those that the forward "
    "pass kept, so the gradient is that of another function.",
    hint="Should the backward pass need any random number?",
)
def backward_draws_anew() -> str:
    return """
def dropout_backward(dout, cache):
    dropout_param, mask = cache
    if dropout_param["mode"] == "test":
        return dout
    p = dropout_param["p"]
    return dout * (np.random.rand(*dout.shape) < p) / p
"""


# --- fully_connected_net -------------------------------------------------------------------------------

_NET = """
class FullyConnectedNet:
    def __init__(self, hidden_dims, input_dim=3 * 32 * 32, num_classes=10, dropout=1, reg=0.0,
                 weight_scale=1e-2, dtype=np.float32, seed=None):
        self.use_dropout = dropout != 1
        self.reg = reg
        self.num_layers = 1 + len(hidden_dims)
        self.dtype = dtype
        self.params = {{}}
        self.dropout_param = {{"mode": "train", "p": dropout}}
        if seed is not None:
            self.dropout_param["seed"] = seed
        sizes = [input_dim] + list(hidden_dims) + [num_classes]
        for i in range(self.num_layers):
            self.params["W" + str(i + 1)] = {init}
            self.params["b" + str(i + 1)] = np.zeros(sizes[i + 1])
        for name in self.params:
            self.params[name] = self.params[name].astype(dtype)

    def loss(self, X, y=None):
        X = X.astype(self.dtype)
        mode = "test" if y is None else "train"
        self.dropout_param["mode"] = mode
        L, caches, drops = self.num_layers, {{}}, {{}}
        h = X
        for i in range(1, L):
            h, caches[i] = affine_relu_forward(h, self.params["W%d" % i], self.params["b%d" % i])
            if self.use_dropout and {drop}:
                h, drops[i] = dropout_forward(h, self.dropout_param)
        scores, caches[L] = affine_forward(h, self.params["W%d" % L], self.params["b%d" % L])
        {after_scores}
        if mode == "test":
            return scores

        loss, dh = softmax_loss(scores, y)
        grads = {{}}
        {before_last}
        dh, grads["W%d" % L], grads["b%d" % L] = affine_backward(dh, caches[L])
        for i in reversed(range(1, L)):
            if i in drops and {drop_backward}:
                dh = dropout_backward(dh, drops[i])
            dh, grads["W%d" % i], grads["b%d" % i] = affine_relu_backward(dh, caches[i])
        for i in range(1, {regularised}):
            W = self.params["W%d" % i]
            loss += {penalty} * self.reg * np.sum(W * W)
            grads["W%d" % i] += {penalty_slope} * self.reg * W
            {more}
        return loss, grads
"""


def _net(**changes: str) -> str:
    blanks = {
        "init": "weight_scale * np.random.randn(sizes[i], sizes[i + 1])",
        "drop": "True",
        "drop_backward": "True",
        "after_scores": "",
        "before_last": "",
        "regularised": "L + 1",
        "penalty": "0.5",
        "penalty_slope": "1.0",
        "more": "",
    }
    return _NET.format(**{**blanks, **changes})


@misconception(
    exercise="fully_connected_net",
    explanation="The net takes the dropout argument and never uses it. So no unit is ever switched off in training, "
    "and the net learns as it would without dropout.",
    hint="Search your loss for the place where dropout_forward is called.",
)
def dropout_never_wired_in() -> str:
    return _net(drop="False")


@misconception(
    exercise="fully_connected_net",
    explanation="The last layer's weights are left out of the regularisation. They are weights like the others, and "
    "belong into the loss and into the gradient.",
    hint="Over how many layers does your sum of squares run?",
)
def last_layer_not_regularised() -> str:
    return _net(regularised="L")


@misconception(
    exercise="fully_connected_net",
    explanation="Dropout is applied to the scores as well. A class whose score is dropped is judged by chance; "
    "dropout belongs after the hidden layers only.",
    hint="What follows the last affine layer, by the net's description?",
)
def dropout_on_scores() -> str:
    return _net(
        after_scores="if self.use_dropout:\n            scores, drops[L] = dropout_forward(scores, self.dropout_param)",
        before_last="if self.use_dropout:\n            dh = dropout_backward(dh, drops[L])",
    )


@misconception(
    exercise="fully_connected_net",
    explanation="The scores go through a ReLU, so no score can be negative. The last layer is affine only: a class "
    "may be unlikely.",
    hint="Look for negative numbers among your scores. Why are there none?",
)
def relu_on_scores() -> str:
    return _net(
        after_scores="scores, relu_cache = relu_forward(scores)", before_last="dh = relu_backward(dh, relu_cache)"
    )


@misconception(
    exercise="fully_connected_net",
    explanation="The biases are regularised like the weights. The penalty is meant for weights only: a bias does "
    "not make the net more sensitive to its inputs.",
    hint="Which parameters does the formula of the loss name?",
)
def regularises_biases() -> str:
    return _net(
        more='b = self.params["b%d" % i]\n            loss += 0.5 * self.reg * np.sum(b * b)\n'
        '            grads["b%d" % i] += self.reg * b'
    )


@misconception(
    exercise="fully_connected_net",
    explanation="The regulariser lacks its factor one half. So the penalty and its gradient are twice as large as "
    "described.",
    hint="Compare the factor before λ in the formula with the one in your code.",
)
def half_forgotten() -> str:
    return _net(penalty="1.0", penalty_slope="2.0")


@misconception(
    exercise="fully_connected_net",
    explanation="The penalty is in the loss, and its gradient does not fit it. The gradient in use belongs to a "
    "penalty of half that size.",
    hint="Differentiate your penalty by one weight, and compare with the line that adds to grads.",
)
def gradient_of_penalty_halved() -> str:
    return _net(penalty_slope="0.5")


@misconception(
    exercise="fully_connected_net",
    explanation="The forward pass drops units, and the backward pass does not know of it. So the gradient also "
    "reaches units that were switched off.",
    hint="Each layer of the forward pass needs its partner on the way back. Which one has none?",
)
def net_backward_skips_dropout() -> str:
    return _net(drop_backward="False")


@misconception(
    exercise="fully_connected_net",
    explanation="The last layer's weights are not scaled by weight_scale but drawn with a standard deviation of 1. "
    "The first scores are large, and the first loss is far from ln C.",
    hint="Print the standard deviation of each weight matrix of a new net.",
)
def last_layer_not_scaled() -> str:
    return _net(init="(weight_scale if i < self.num_layers - 1 else 1.0) * np.random.randn(sizes[i], sizes[i + 1])")


# --- update_rules --------------------------------------------------------------------------------------

_RULES = """
def sgd_momentum(w, dw, config=None):
    if config is None:
        config = {{}}
    config.setdefault("learning_rate", 1e-2)
    config.setdefault("momentum", 0.9)
    v = config.get("velocity", np.zeros_like(w))
    v = {velocity}
    next_w = w + v
    config["velocity"] = v
    return next_w, config


def rmsprop(w, dw, config=None):
    if config is None:
        config = {{}}
    config.setdefault("learning_rate", 1e-2)
    config.setdefault("decay_rate", 0.99)
    config.setdefault("epsilon", 1e-8)
    config.setdefault("cache", np.zeros_like(w))
    cache = config["decay_rate"] * config["cache"] + (1 - config["decay_rate"]) * dw**2
    next_w = w - config["learning_rate"] * dw / (np.sqrt(cache) + config["epsilon"])
    {store_cache}
    return next_w, config


def adam(w, dw, config=None):
    if config is None:
        config = {{}}
    for name, value in dict(learning_rate=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8, t={first_t}).items():
        config.setdefault(name, value)
    config.setdefault("m", np.zeros_like(w))
    config.setdefault("v", np.zeros_like(w))
    b1, b2 = config["beta1"], config["beta2"]
    t = config["t"] + 1
    m = b1 * config["m"] + (1 - b1) * dw
    v = b2 * config["v"] + (1 - b2) * dw**2
    {correct}
    next_w = w - config["learning_rate"] * m_hat / (np.sqrt(v_hat) + config["epsilon"])
    config["m"], config["v"] = m, v
    {store_t}
    return next_w, config
"""


def _rules(**changes: str) -> str:
    blanks = {
        "velocity": 'config["momentum"] * v - config["learning_rate"] * dw',
        "store_cache": 'config["cache"] = cache',
        "first_t": "0",
        "correct": "m_hat, v_hat = m / (1 - b1**t), v / (1 - b2**t)",
        "store_t": 'config["t"] = t',
    }
    return _RULES.format(**{**blanks, **changes})


@misconception(
    exercise="update_rules",
    explanation="Adam's moments are used as they are. They start at zero, so the first steps are far too small or "
    "too large until the averages have warmed up; the correction by 1 − βᵗ mends that.",
    hint="After one step, how do m and dw differ in size?",
)
def no_bias_correction() -> str:
    return _rules(correct="m_hat, v_hat = m, v")


@misconception(
    exercise="update_rules",
    explanation="Adam's step count is raised but never stored in the config. Every call believes that it is the "
    "first one.",
    hint="What does the config that you return hold under t after three calls?",
)
def t_never_stored() -> str:
    return _rules(store_t="pass")


@misconception(
    exercise="update_rules",
    explanation="Adam's correction uses the count before it is raised. At the first step that is 0, and 1 − β⁰ is "
    "0: a division by zero.",
    hint="What is t when your first correction is computed?",
)
def t_before_increment() -> str:
    return _rules(correct='m_hat, v_hat = m / (1 - b1 ** config["t"]), v / (1 - b2 ** config["t"])')


@misconception(
    exercise="update_rules",
    explanation="RMSProp computes its running average and does not put it back into the config. So it has no "
    "memory, and every step is its first.",
    hint="What does the config that you return hold under cache after two calls?",
)
def rmsprop_state_not_written_back() -> str:
    return _rules(store_cache="pass")


@misconception(
    exercise="update_rules",
    explanation="The velocity gains the gradient instead of losing it. So the weights walk uphill, and the loss grows.",
    hint="In which direction does the first step go, compared with plain sgd?",
)
def momentum_sign_flipped() -> str:
    return _rules(velocity='config["momentum"] * v + config["learning_rate"] * dw')


@misconception(
    exercise="update_rules",
    explanation="The gradient is weighted by 1 − momentum, as in a running average. The rule of this course adds "
    "the whole step to the velocity.",
    hint="How far does the first step go, compared with plain sgd?",
)
def momentum_as_average() -> str:
    return _rules(velocity='config["momentum"] * v - (1 - config["momentum"]) * config["learning_rate"] * dw')


# --- solver --------------------------------------------------------------------------------------------

_SOLVER = """
class Solver:
    def __init__(self, model, data, update_rule="sgd", optim_config=None, lr_decay=1.0, batch_size=100,
                 num_epochs=10, num_train_samples=1000, num_val_samples=None, print_every=10, verbose=True):
        self.model = model
        self.X_train, self.y_train = data["X_train"], data["y_train"]
        self.X_val, self.y_val = data["X_val"], data["y_val"]
        rules = ("sgd", "sgd_momentum", "rmsprop", "adam")
        self.update_rule = globals()[update_rule] if update_rule in rules else update_rule
        self.lr_decay = lr_decay
        self.batch_size = batch_size
        self.num_epochs = num_epochs
        self.num_train_samples = num_train_samples
        self.num_val_samples = num_val_samples
        self.print_every = print_every
        self.verbose = verbose
        self.epoch, self.best_val_acc, self.best_params = 0, -1.0, {{}}
        self.loss_history, self.train_acc_history, self.val_acc_history = [], [], []
        shared = dict(optim_config or {{}})
        self.optim_configs = {{name: {config} for name in self.model.params}}

    def say(self, text):
        if self.verbose:
            print(text)

    def _step(self):
        rows = {rows}
        loss, grads = self.model.loss(self.X_train[rows], self.y_train[rows])
        self.loss_history.append(loss)
        for name in list(self.model.params):
            config = self.optim_configs[name]
            w, config = self.update_rule(self.model.params[name], grads[name], config)
            self.model.params[name] = w
            self.optim_configs[name] = config

    def check_accuracy(self, X, y, num_samples=None, batch_size=100):
        N = X.shape[0]
        if num_samples is not None and num_samples < N:
            rows = np.random.permutation(N)[:num_samples]
            X, y, N = X[rows], y[rows], num_samples
        right = 0
        for start in range(0, N, batch_size):
            scores = self.model.loss(X[start:start + batch_size])
            right += np.sum(np.argmax(scores, axis=1) == y[start:start + batch_size])
        return float(right / N)

    def decay(self):
        for config in self.optim_configs.values():
            config["learning_rate"] *= self.lr_decay

    def train(self):
        per_epoch = max(self.X_train.shape[0] // self.batch_size, 1)
        total = self.num_epochs * per_epoch
        for t in range(total):
            self._step()
            ends = (t + 1) % per_epoch == 0
            self.epoch += ends
            if {decay_when}:
                self.decay()
            if t == 0 or ends:
                train_acc = self.check_accuracy(self.X_train, self.y_train, self.num_train_samples)
                val_acc = self.check_accuracy({val}, self.num_val_samples)
                self.train_acc_history.append(train_acc)
                self.val_acc_history.append(val_acc)
                if val_acc > self.best_val_acc:
                    self.best_val_acc = val_acc
                    self.best_params = {keep}
        {finish}
"""


def _solver(**changes: str) -> str:
    blanks = {
        "config": "dict(shared)",
        "rows": "np.random.choice(len(self.X_train), self.batch_size)",
        "decay_when": "ends",
        "val": "self.X_val, self.y_val",
        "keep": "{name: np.copy(w) for name, w in self.model.params.items()}",
        "finish": "self.model.params = self.best_params",
    }
    return _SOLVER.format(**{**blanks, **changes})


@misconception(
    exercise="solver",
    explanation="The learning rates are multiplied by lr_decay after every iteration. They should shrink once an "
    "epoch; so they are almost zero before the second epoch is over.",
    hint="How often does your decay run in an epoch of ten iterations?",
)
def decay_every_iteration() -> str:
    return _solver(decay_when="True")


@misconception(
    exercise="solver",
    explanation="The validation accuracy is measured on the training data. Then it cannot tell whether the model "
    "learnt by heart, which is what it is for.",
    hint="Which examples do you hand to check_accuracy for val_acc_history?",
)
def validation_on_training_data() -> str:
    return _solver(val="self.X_train, self.y_train")


@misconception(
    exercise="solver",
    explanation="best_params is the model's own dictionary, not a copy. Every later step changes it too, so the "
    "last parameters are returned as the best.",
    hint="After keeping the best parameters, do one more step: have they changed?",
)
def best_params_not_copied() -> str:
    return _solver(keep="self.model.params")


@misconception(
    exercise="solver",
    explanation="The best parameters are kept, and never given back to the model. So it has the last ones after "
    "training, which may be worse.",
    hint="What does the model hold when train returns?",
)
def best_params_not_restored() -> str:
    return _solver(finish="pass")


@misconception(
    exercise="solver",
    explanation="Every iteration takes the same first examples of the training set. The rest of the data is never "
    "learnt from.",
    hint="Print the positions of the examples in two minibatches.",
)
def always_the_first_batch() -> str:
    return _solver(rows="np.arange(self.batch_size)")


@misconception(
    exercise="solver",
    explanation="All parameters share one config. Rules with a memory then mix up the weights and biases of all "
    "layers.",
    hint="How many config dictionaries exist, and how many parameters?",
)
def one_config_for_all() -> str:
    return _solver(config="shared")


# --- overfit_small_data --------------------------------------------------------------------------------


@misconception(
    exercise="overfit_small_data",
    explanation="The learning rate is too small. In 40 steps the weights hardly move, and the loss stays where it "
    "started.",
    hint="Plot the loss. If it falls in a straight line and slowly, what does that say about the steps?",
)
def learning_rate_too_small() -> str:
    return """
overfit_learning_rate = 1e-5
overfit_weight_scale = 1e-2
"""


@misconception(
    exercise="overfit_small_data",
    explanation="The learning rate is too large. The steps overshoot, the loss explodes, and the parameters stop "
    "being numbers.",
    hint="Print the first five losses. Do they fall?",
)
def learning_rate_too_large() -> str:
    return """
overfit_learning_rate = 10.0
overfit_weight_scale = 1e-2
"""


# --- regularization_experiment -------------------------------------------------------------------------

_EXPERIMENT = """
def regularization_experiment(data, dropouts=(1, 0.25), hidden_dim=500, num_epochs=25):
    results = {{}}
    for p in dropouts:
        model = FullyConnectedNet([hidden_dim], dropout={dropout})
        solver = Solver(model, data, update_rule="adam", optim_config={{"learning_rate": {rate}}},
                        num_epochs={epochs}, batch_size={batch}, print_every=100)
        {train}
        results[p] = solver
    return results
"""


def _experiment(**changes: str) -> str:
    blanks = {"dropout": "p", "rate": "5e-4", "epochs": "num_epochs", "batch": "100", "train": "solver.train()"}
    return _EXPERIMENT.format(**{**blanks, **changes})


@misconception(
    exercise="regularization_experiment",
    explanation="All nets are built with the same dropout, so the curves compare a net with itself. Any difference "
    "between them is chance.",
    hint="Which value does the net that is stored under 0.25 get as its dropout?",
)
def same_dropout_in_all_nets() -> str:
    return _experiment(dropout="dropouts[0]")


@misconception(
    exercise="regularization_experiment",
    explanation="The nets get 1 − p as their dropout. In this course the net's dropout is the probability to keep, "
    "as everywhere in this notebook.",
    hint="What should the net stored under 1 do: keep every unit, or none?",
)
def drop_instead_of_keep() -> str:
    return _experiment(dropout="1 - p if p != 1 else 1")


@misconception(
    exercise="regularization_experiment",
    explanation="The solvers are built and stored, but never trained. So their histories are empty.",
    hint="Which method of the solver does the work?",
)
def never_trained() -> str:
    return _experiment(train="pass")
