"""Right solutions of the dropout assignment, as different as students write them: the audit has each get full marks."""

from gradlab_staff.audit import variant

# --- dropout_forward: how the mask is drawn, when it is scaled, what the cache is -----------------------------

_FORWARD = """
def dropout_forward(x, dropout_param):
    p, mode = dropout_param["p"], dropout_param["mode"]
    if "seed" in dropout_param:
        np.random.seed(dropout_param["seed"])
    mask = None
    out = None
    if mode == "train":
        {train}
    elif mode == "test":
        {test}
    cache = {cache}
    return out, cache
"""


def _forward(*train: str, test: str = "out = x", cache: str = "(dropout_param, mask)") -> str:
    return _FORWARD.format(train="\n        ".join(train), test=test, cache=cache)


@variant(exercise="dropout_forward")
def random_sample_scaled_later() -> str:
    """random_sample gives a boolean mask, and the scale is applied to the output; the cache keeps both."""
    return _forward(
        "kept = np.random.random_sample(x.shape) < p", "out = x * kept / p", "mask = kept / p", test="out = x.copy()"
    )


@variant(exercise="dropout_forward")
def uniform_float32_mask() -> str:
    """uniform draws, a mask in single precision, scaled at once; the output has the input's dtype."""
    return _forward(
        "mask = (np.random.uniform(0, 1, size=x.shape) < p).astype(np.float32) / np.float32(p)",
        "out = (x * mask).astype(x.dtype)",
    )


@variant(exercise="dropout_forward")
def binomial_integers() -> str:
    """binomial draws integers, divided by p."""
    return _forward("mask = np.random.binomial(n=1, p=p, size=x.shape) / p", "out = mask * x")


@variant(exercise="dropout_forward")
def choice_of_zero_and_scale() -> str:
    """choice draws the scaled mask itself."""
    return _forward("mask = np.random.choice([0.0, 1.0 / p], size=x.shape, p=[1 - p, p])", "out = x * mask")


@variant(exercise="dropout_forward")
def dropped_entries_set_to_zero() -> str:
    """A copy of x, divided by p in place, in which the dropped entries are set to zero."""
    return _forward(
        "mask = np.random.rand(*x.shape) >= p",
        "out = np.array(x, dtype=float)",
        "out[mask] = 0",
        "out /= p",
        "mask = np.where(mask, 0.0, 1 / p)",
    )


@variant(exercise="dropout_forward")
def one_minus_uniform() -> str:
    """Compared from the other side: a draw above 1 − p is kept."""
    return _forward("mask = (np.random.random(x.shape) > 1 - p) * (1.0 / p)", "out = np.multiply(x, mask)")


@variant(exercise="dropout_forward")
def closed_comparison() -> str:
    """Draws compared by <=, which differs with a probability of 2^-53 an entry."""
    return _forward("mask = (np.random.rand(*x.shape) <= p) / p", "out = x * mask")


# these caches are the student's own, and so is the backward pass that reads them

_DICT_BACKWARD = """
def dropout_backward(dout, cache):
    if cache["mode"] == "test":
        return dout
    return np.where(cache["kept"], dout / cache["keep"], 0)
"""

_OBJECT_BACKWARD = """
def dropout_backward(dout: np.ndarray, cache: DropoutCache) -> np.ndarray:
    return dout * cache.mask
"""

_LIST_BACKWARD = """
def dropout_backward(dout, cache):
    [param, dropped] = cache
    if param["mode"] == "test":
        return dout.copy()
    dx = (dout / param["p"]).flatten()
    dx[dropped] = 0
    return dx.reshape(dout.shape)
"""

_SCALING_BACKWARD = """
def dropout_backward(dout, cache):
    mask, scale = cache
    return dout if mask is None else dout * mask / scale
"""


@variant()
def generator_in_a_dict() -> dict[str, str]:
    """A numpy Generator, seeded or not; where in place of a product; a dictionary for a cache."""
    forward = """
def dropout_forward(x, dropout_param):
    rng = np.random.default_rng(dropout_param.get("seed", None))
    keep = dropout_param["p"]
    if dropout_param["mode"] != "train":
        return x, dict(mode="test", kept=None, keep=keep)
    kept = rng.random(x.shape) < keep
    return np.where(kept, x / keep, 0), dict(mode="train", kept=kept, keep=keep)
"""
    return {"dropout_forward": forward, "dropout_backward": _DICT_BACKWARD}


@variant(exercise="dropout_forward")
def old_random_state() -> str:
    """A RandomState of its own, and a mask of ones at test time."""
    return """
def dropout_forward(x, dropout_param):
    state = np.random.RandomState(dropout_param.get("seed"))
    p = dropout_param["p"] if dropout_param["mode"] == "train" else 1
    mask = (state.random_sample(x.size) < p).reshape(x.shape) / p
    return x * mask, (dropout_param, mask)
"""


@variant(exercise="dropout_forward")
def loop_over_entries() -> str:
    """A loop over the entries."""
    return _forward(
        "mask = np.zeros(x.shape)",
        "for where in np.ndindex(*x.shape):",
        "    if np.random.rand() < p:",
        "        mask[where] = 1 / p",
        "out = x * mask",
    )


@variant()
def object_for_a_cache() -> dict[str, str]:
    """The cache is an object with attributes; a helper function makes the mask; type hints."""
    forward = """
from dataclasses import dataclass


@dataclass
class DropoutCache:
    mask: np.ndarray


def make_mask(shape: tuple, p: float) -> np.ndarray:
    return (np.random.rand(*shape) < p).astype(float) / p


def dropout_forward(x: np.ndarray, dropout_param: dict) -> tuple:
    if dropout_param.get("seed") is not None:
        np.random.seed(dropout_param["seed"])
    training: bool = dropout_param["mode"] == "train"
    mask = make_mask(x.shape, dropout_param["p"]) if training else np.ones(x.shape)
    return x * mask, DropoutCache(mask)
"""
    return {"dropout_forward": forward, "dropout_backward": _OBJECT_BACKWARD}


@variant()
def list_for_a_cache() -> dict[str, str]:
    """The cache is a list; the positions of dropped entries are kept instead of a mask."""
    forward = _forward(
        "mask = np.nonzero(np.random.rand(x.size) >= p)[0]",
        "flat = x.ravel() / p",
        "flat[mask] = 0",
        "out = flat.reshape(x.shape)",
        cache="[dropout_param, mask]",
    )
    return {"dropout_forward": forward, "dropout_backward": _LIST_BACKWARD}


@variant()
def masked_scale_in_the_cache() -> dict[str, str]:
    """The output is scaled in the forward pass, and the cache keeps a boolean mask and p."""
    forward = _forward(
        "mask = np.random.rand(*x.shape) < p", "out = (x * mask) / p", cache="(mask, p if mode == 'train' else 1.0)"
    )
    return {"dropout_forward": forward, "dropout_backward": _SCALING_BACKWARD}


# --- dropout_backward ----------------------------------------------------------------------------------------


@variant(exercise="dropout_backward")
def backward_by_where() -> str:
    """where on the mask's zeros, and the scale once more from p."""
    return """
def dropout_backward(dout, cache):
    dropout_param, mask = cache
    if dropout_param["mode"] == "train":
        return np.where(mask != 0, dout / dropout_param["p"], 0.0)
    return dout
"""


@variant(exercise="dropout_backward")
def backward_in_place_on_a_copy() -> str:
    """A copy, multiplied in place; a copy at test time too."""
    return """
def dropout_backward(dout, cache):
    param, mask = cache
    dx = np.array(dout, dtype=np.float64)
    if param["mode"] == "train":
        dx *= mask
    return dx
"""


@variant(exercise="dropout_backward")
def backward_without_a_mode() -> str:
    """Whether there is a mask tells the mode."""
    return """
def dropout_backward(dout, cache):
    _, mask = cache
    return dout if mask is None else mask * dout
"""


@variant(exercise="dropout_backward")
def backward_by_loops() -> str:
    """A loop over the entries."""
    return """
def dropout_backward(dout, cache):
    dropout_param, mask = cache
    dx = dout.copy()
    if dropout_param["mode"] == "train":
        for where in np.ndindex(*dout.shape):
            dx[where] = dout[where] * mask[where]
    return dx
"""


@variant(exercise="dropout_backward")
def backward_by_indexing() -> str:
    """Zeros, filled where the mask is not zero."""
    return """
def dropout_backward(dout, cache):
    dropout_param, mask = cache
    if dropout_param["mode"] == "test":
        return dout
    dx = np.zeros(dout.shape)
    kept = mask > 0
    dx[kept] = dout[kept] * mask[kept]
    return dx
"""


# --- fully_connected_net -------------------------------------------------------------------------------------

_INIT = """
class FullyConnectedNet(object):
    def __init__(self, hidden_dims, input_dim=3*32*32, num_classes=10, dropout=1, reg=0.0,
                 weight_scale=1e-2, dtype=np.float32, seed=None):
        self.use_dropout = dropout != 1
        self.reg = reg
        self.num_layers = 1 + len(hidden_dims)
        self.dtype = dtype
        self.params = {}
        {fill}
        self.dropout_param = {}
        if self.use_dropout:
            self.dropout_param = {"mode": "train", "p": dropout}
            if seed is not None:
                self.dropout_param["seed"] = seed
        for k, v in self.params.items():
            self.params[k] = v.astype(dtype)
"""

_FILL = """dims = [input_dim] + hidden_dims + [num_classes]
        for i in range(self.num_layers):
            self.params["W" + str(i + 1)] = np.random.normal(0, weight_scale, (dims[i], dims[i + 1]))
            self.params["b" + str(i + 1)] = np.zeros(dims[i + 1])"""

_CACHE_LISTS = """
    def loss(self, X, y=None):
        X = X.astype(self.dtype)
        mode = "test" if y is None else "train"
        if self.use_dropout:
            self.dropout_param["mode"] = mode
        layer_caches, dropout_caches = [], []
        a = X
        for i in range(self.num_layers - 1):
            a, cache = affine_relu_forward(a, self.params["W%d" % (i + 1)], self.params["b%d" % (i + 1)])
            layer_caches.append(cache)
            if self.use_dropout:
                a, cache = dropout_forward(a, self.dropout_param)
                dropout_caches.append(cache)
        n = str(self.num_layers)
        scores, cache = affine_forward(a, self.params["W" + n], self.params["b" + n])
        if mode == "test":
            return scores
        loss, grads = 0.0, {}
        loss, delta = softmax_loss(scores, y)
        loss += 0.5 * self.reg * np.sum(self.params["W" + n] ** 2)
        delta, grads["W" + n], grads["b" + n] = affine_backward(delta, cache)
        grads["W" + n] += self.reg * self.params["W" + n]
        while layer_caches:
            i = str(len(layer_caches))
            if self.use_dropout:
                delta = dropout_backward(delta, dropout_caches.pop())
            delta, grads["W" + i], grads["b" + i] = affine_relu_backward(delta, layer_caches.pop())
            loss += 0.5 * self.reg * (self.params["W" + i] * self.params["W" + i]).sum()
            grads["W" + i] = grads["W" + i] + self.reg * self.params["W" + i]
        return loss, grads
"""


def _net(loss: str = _CACHE_LISTS, fill: str = _FILL) -> str:
    return _INIT.replace("{fill}", fill) + loss


@variant(exercise="fully_connected_net")
def net_with_stacks() -> str:
    """Caches on stacks, popped on the way back; weights by normal, in float64 first."""
    return _net()


@variant(exercise="fully_connected_net")
def net_drawn_from_the_last_layer() -> str:
    """Parameters drawn from the last layer to the first, by standard_normal, the first and last apart."""
    return _net(
        fill="""widths = list(hidden_dims)
        sizes = [input_dim, *widths, num_classes]
        for i in range(len(sizes) - 1, 0, -1):
            self.params[f"b{i}"] = np.zeros((sizes[i],))
            self.params[f"W{i}"] = np.random.standard_normal((sizes[i - 1], sizes[i])) * weight_scale"""
    )


@variant(exercise="fully_connected_net")
def net_with_a_generator() -> str:
    """Parameters by a Generator in the dtype asked for."""
    return _net(
        fill="""rng = np.random.default_rng()
        fan_in = input_dim
        for i, fan_out in enumerate([*hidden_dims, num_classes], start=1):
            self.params["W%d" % i] = rng.normal(scale=weight_scale, size=(fan_in, fan_out)).astype(dtype)
            self.params["b%d" % i] = np.zeros(fan_out, dtype=dtype)
            fan_in = fan_out"""
    )


@variant(exercise="fully_connected_net")
def net_with_attributes() -> str:
    """Caches are attributes of the net, under names; separate affine and ReLU layers."""
    return _net("""
    def forward(self, X):
        self.steps = {}
        out = X
        for i in range(1, self.num_layers + 1):
            out, self.steps["affine%d" % i] = affine_forward(out, self.params["W%d" % i], self.params["b%d" % i])
            if i == self.num_layers:
                break
            out, self.steps["relu%d" % i] = relu_forward(out)
            if self.use_dropout:
                out, self.steps["dropout%d" % i] = dropout_forward(out, self.dropout_param)
        return out

    def backward(self, dout):
        grads = {}
        for i in range(self.num_layers, 0, -1):
            if i < self.num_layers:
                if self.use_dropout:
                    dout = dropout_backward(dout, self.steps["dropout%d" % i])
                dout = relu_backward(dout, self.steps["relu%d" % i])
            dout, dw, db = affine_backward(dout, self.steps["affine%d" % i])
            grads["W%d" % i] = dw + self.reg * self.params["W%d" % i]
            grads["b%d" % i] = db
        return grads

    def loss(self, X, y=None):
        if self.use_dropout:
            self.dropout_param["mode"] = "test" if y is None else "train"
        scores = self.forward(X.astype(self.dtype))
        if y is None:
            return scores
        data_loss, dscores = softmax_loss(scores, y)
        penalty = sum(np.sum(np.square(self.params["W%d" % i])) for i in range(1, self.num_layers + 1))
        return data_loss + 0.5 * self.reg * penalty, self.backward(dscores)
""")


_OWN_SOFTMAX = """
    def loss(self, X, y=None):
        X = X.reshape(X.shape[0], -1).astype(self.dtype)
        h, inputs, masks = X, [], []
        for i in range(1, self.num_layers + 1):
            inputs.append(h)
            h = h.dot(self.params[f"W{i}"]) + self.params[f"b{i}"]
            if i < self.num_layers:
                h = h * (h > 0)
                mask = None
                if self.use_dropout and y is not None:
                    if "seed" in self.dropout_param:
                        np.random.seed(self.dropout_param["seed"])
                    p = self.dropout_param["p"]
                    mask = (np.random.rand(*h.shape) < p) / p
                    h = h * mask
                masks.append(mask)
        if y is None:
            return h
        N = X.shape[0]
        {softmax}
        loss = loss + sum(self.reg / 2 * (self.params[f"W{i}"] ** 2).sum() for i in range(1, self.num_layers + 1))
        grads = {}
        for i in range(self.num_layers, 0, -1):
            grads[f"W{i}"] = inputs[i - 1].T.dot(d) + self.reg * self.params[f"W{i}"]
            grads[f"b{i}"] = d.sum(axis=0)
            d = d.dot(self.params[f"W{i}"].T)
            if i > 1:
                if masks[i - 2] is not None:
                    d = d * masks[i - 2]
                d = d * (inputs[i - 1] > 0)
        return loss, grads
"""


def _own_softmax(*lines: str) -> str:
    return _net(_OWN_SOFTMAX.replace("{softmax}", "\n        ".join(lines)))


@variant(exercise="fully_connected_net")
def net_all_inlined() -> str:
    """No given layer is used: dropout, ReLU and softmax are inlined; softmax by shifted exponentials."""
    return _own_softmax(
        "e = np.exp(h - h.max(axis=1, keepdims=True))",
        "probs = e / e.sum(axis=1, keepdims=True)",
        "loss = -np.log(probs[np.arange(N), y]).mean()",
        "d = probs.copy()",
        "d[np.arange(N), y] -= 1",
        "d /= N",
    )


@variant(exercise="fully_connected_net")
def net_softmax_by_log_sum_exp() -> str:
    """Softmax by log-sum-exp, and one-hot labels."""
    return _own_softmax(
        "top = np.max(h, axis=1)[:, None]",
        "log_z = np.log(np.sum(np.exp(h - top), axis=1)) + top[:, 0]",
        "onehot = np.eye(h.shape[1])[y]",
        "loss = np.mean(log_z - np.sum(h * onehot, axis=1))",
        "d = (np.exp(h - log_z[:, None]) - onehot) / N",
    )


@variant(exercise="fully_connected_net")
def net_softmax_by_loops() -> str:
    """Softmax example by example."""
    return _own_softmax(
        "loss, d = 0.0, np.zeros_like(h)",
        "for i in range(N):",
        "    s = h[i] - np.max(h[i])",
        "    q = np.exp(s) / np.sum(np.exp(s))",
        "    loss -= np.log(q[y[i]]) / N",
        "    d[i] = q / N",
        "    d[i, y[i]] -= 1.0 / N",
    )


@variant(exercise="fully_connected_net")
def net_softmax_unshifted() -> str:
    """Softmax by logaddexp, subtracted from the scores."""
    return _own_softmax(
        "logp = h - np.logaddexp.reduce(h, axis=1, keepdims=True)",
        "picked = (np.arange(N), y)",
        "loss = -logp[picked].sum() / N",
        "d = np.exp(logp)",
        "d[picked] = d[picked] - 1",
        "d = d / N",
    )


@variant(exercise="fully_connected_net")
def net_by_subclass() -> str:
    """A base class builds, a subclass computes; the number of layers is a property; a recursive backward pass."""
    return (
        _net("").replace("class FullyConnectedNet(object):", "class Base:").replace("self.num_layers", "self.depth")
        + '''

class FullyConnectedNet(Base):
    """Recursion from layer to layer."""

    @property
    def num_layers(self) -> int:
        return self.depth

    def weights(self, i: int) -> tuple:
        return self.params[f"W{i}"], self.params[f"b{i}"]

    def below(self, h, i, y, grads):
        """The loss (or scores) of the layers from i, and the gradient of what enters them."""
        W, b = self.weights(i)
        if i == self.num_layers:
            scores, cache = affine_forward(h, W, b)
            if y is None:
                return scores, None
            loss, d = softmax_loss(scores, y)
            d, grads[f"W{i}"], grads[f"b{i}"] = affine_backward(d, cache)
        else:
            out, cache = affine_relu_forward(h, W, b)
            if self.use_dropout:
                out, dropped = dropout_forward(out, self.dropout_param)
            loss, d = self.below(out, i + 1, y, grads)
            if y is None:
                return loss, None
            if self.use_dropout:
                d = dropout_backward(d, dropped)
            d, grads[f"W{i}"], grads[f"b{i}"] = affine_relu_backward(d, cache)
        grads[f"W{i}"] += self.reg * W
        return loss + 0.5 * self.reg * np.vdot(W, W), d

    def loss(self, X, y=None):
        if self.use_dropout:
            self.dropout_param["mode"] = "train" if y is not None else "test"
        grads = {}
        loss, _ = self.below(X.astype(self.dtype), 1, y, grads)
        return loss if y is None else (loss, grads)
'''
    )


# --- update_rules --------------------------------------------------------------------------------------------

_MOMENTUM = """
def sgd_momentum(w, dw, config=None):
    if config is None:
        config = {}
    config.setdefault("learning_rate", 1e-2)
    config.setdefault("momentum", 0.9)
    v = config.get("velocity", np.zeros_like(w))
    v = config["momentum"] * v - config["learning_rate"] * dw
    config["velocity"] = v
    return w + v, config
"""

_RMSPROP = """
def rmsprop(w, dw, config=None):
    if config is None:
        config = {}
    config.setdefault("learning_rate", 1e-2)
    config.setdefault("decay_rate", 0.99)
    config.setdefault("epsilon", 1e-8)
    config.setdefault("cache", np.zeros_like(w))
    config["cache"] = config["decay_rate"] * config["cache"] + (1 - config["decay_rate"]) * dw**2
    return w - config["learning_rate"] * dw / (np.sqrt(config["cache"]) + config["epsilon"]), config
"""

_ADAM = """
def adam(w, dw, config=None):
    if config is None:
        config = {}
    for key, value in [("learning_rate", 1e-3), ("beta1", 0.9), ("beta2", 0.999), ("epsilon", 1e-8), ("t", 0)]:
        config.setdefault(key, value)
    config.setdefault("m", np.zeros_like(w))
    config.setdefault("v", np.zeros_like(w))
    b1, b2, t = config["beta1"], config["beta2"], config["t"] + 1
    config["t"] = t
    config["m"] = b1 * config["m"] + (1 - b1) * dw
    config["v"] = b2 * config["v"] + (1 - b2) * dw**2
    mt, vt = config["m"] / (1 - b1**t), config["v"] / (1 - b2**t)
    return w - config["learning_rate"] * mt / (np.sqrt(vt) + config["epsilon"]), config
"""


@variant(exercise="update_rules")
def rules_in_place() -> str:
    """w, velocity and cache are changed in place."""
    return (
        _MOMENTUM.replace("v = config[", "v *= config[")
        .replace(
            '["momentum"] * v - config["learning_rate"] * dw', '["momentum"]\n    v -= config["learning_rate"] * dw'
        )
        .replace("    return w + v, config", "    w += v\n    return w, config")
        + _RMSPROP.replace("    return w - ", "    w -= ").replace(
            '+ config["epsilon"]), config', '+ config["epsilon"])\n    return w, config'
        )
        + _ADAM
    )


@variant(exercise="update_rules")
def rmsprop_epsilon_inside() -> str:
    """RMSProp's epsilon inside the square root; powers of one half."""
    inside = '((config["cache"] + config["epsilon"]) ** 0.5)'
    return _MOMENTUM + _RMSPROP.replace('(np.sqrt(config["cache"]) + config["epsilon"])', inside) + _ADAM


@variant(exercise="update_rules")
def adam_from_one() -> str:
    """Adam's t starts at 1 and is raised after use."""
    adam = _ADAM.replace('("t", 0)', '("t", 1)').replace('config["t"] + 1', 'config["t"]')
    return _MOMENTUM + _RMSPROP + adam.replace('    config["t"] = t\n', '    config["t"] = t + 1\n')


@variant(exercise="update_rules")
def adam_with_a_corrected_rate() -> str:
    """Adam's corrections are folded into the learning rate, as at the end of its paper's section 2."""
    return (
        _MOMENTUM
        + _RMSPROP
        + _ADAM.replace(
            'config["m"] / (1 - b1**t), config["v"] / (1 - b2**t)',
            'config["m"] * np.sqrt(1 - b2**t) / (1 - b1**t), config["v"]',
        )
    )


@variant(exercise="update_rules")
def rules_with_a_copied_config() -> str:
    """Each rule returns a new config and leaves the one that it got alone; defaults from a helper."""
    return '''
def with_defaults(config, **defaults):
    """A new dictionary."""
    return {**defaults, **(config or {})}


def sgd_momentum(w, dw, config=None):
    c = with_defaults(config, learning_rate=1e-2, momentum=0.9, velocity=np.zeros(w.shape))
    c["velocity"] = c["momentum"] * c["velocity"] - c["learning_rate"] * dw
    return w + c["velocity"], c


def rmsprop(w, dw, config=None):
    c = with_defaults(config, learning_rate=1e-2, decay_rate=0.99, epsilon=1e-8, cache=np.zeros(w.shape))
    c["cache"] += (1 - c["decay_rate"]) * (dw * dw - c["cache"])
    return w - c["learning_rate"] * dw / (np.sqrt(c["cache"]) + c["epsilon"]), c


def adam(w, dw, config=None):
    c = with_defaults(config, learning_rate=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8, t=0, m=0 * w, v=0 * w)
    t = c["t"] + 1
    m = c["beta1"] * c["m"] + (1.0 - c["beta1"]) * dw
    v = c["beta2"] * c["v"] + (1.0 - c["beta2"]) * np.square(dw)
    step = (m / (1.0 - np.power(c["beta1"], t))) / (np.sqrt(v / (1.0 - np.power(c["beta2"], t))) + c["epsilon"])
    return w - c["learning_rate"] * step, {**c, "t": t, "m": m, "v": v}
'''


# --- solver --------------------------------------------------------------------------------------------------

_SOLVER = """
class Solver(object):
    def __init__(self, model, data, **kwargs):
        self.model = model
        self.X_train, self.y_train = data["X_train"], data["y_train"]
        self.X_val, self.y_val = data["X_val"], data["y_val"]
        self.update_rule = kwargs.pop("update_rule", "sgd")
        self.optim_config = kwargs.pop("optim_config", None) or {}
        self.lr_decay = kwargs.pop("lr_decay", 1.0)
        self.batch_size = kwargs.pop("batch_size", 100)
        self.num_epochs = kwargs.pop("num_epochs", 10)
        self.num_train_samples = kwargs.pop("num_train_samples", 1000)
        self.num_val_samples = kwargs.pop("num_val_samples", None)
        self.print_every = kwargs.pop("print_every", 10)
        self.verbose = kwargs.pop("verbose", True)
        if isinstance(self.update_rule, str):
            rules = {"sgd": sgd, "sgd_momentum": sgd_momentum, "rmsprop": rmsprop, "adam": adam}
            self.update_rule = rules[self.update_rule]
        self._reset()

    def _reset(self):
        self.epoch = 0
        self.best_val_acc = 0
        self.best_params = {}
        self.loss_history = []
        self.train_acc_history = []
        self.val_acc_history = []
        self.optim_configs = {}
        for p in self.model.params:
            self.optim_configs[p] = {k: v for k, v in self.optim_config.items()}

    def _batch(self):
        {batch}

    def _step(self):
        X_batch, y_batch = self._batch()
        loss, grads = self.model.loss(X_batch, y_batch)
        self.loss_history.append(loss)
        for p, w in self.model.params.items():
            next_w, next_config = self.update_rule(w, grads[p], self.optim_configs[p])
            self.model.params[p] = next_w
            self.optim_configs[p] = next_config

    def check_accuracy(self, X, y, num_samples=None, batch_size=100):
        {accuracy}

    def train(self):
        num_train = self.X_train.shape[0]
        iterations_per_epoch = max(num_train // self.batch_size, 1)
        num_iterations = self.num_epochs * iterations_per_epoch
        for t in range(num_iterations):
            self._step()
            if self.verbose and t % self.print_every == 0:
                print("(Iteration %d / %d) loss: %f" % (t + 1, num_iterations, self.loss_history[-1]))
            epoch_end = (t + 1) % iterations_per_epoch == 0
            if epoch_end:
                self.epoch += 1
                for k in self.optim_configs:
                    self.optim_configs[k]["learning_rate"] *= self.lr_decay
            first_it = t == 0
            last_it = t == num_iterations - 1
            if first_it or last_it or epoch_end:
                train_acc = self.check_accuracy(self.X_train, self.y_train, num_samples=self.num_train_samples)
                val_acc = self.check_accuracy(self.X_val, self.y_val, num_samples=self.num_val_samples)
                self.train_acc_history.append(train_acc)
                self.val_acc_history.append(val_acc)
                if self.verbose:
                    now = (self.epoch, self.num_epochs, train_acc, val_acc)
                    print("(Epoch %d / %d) train acc: %f; val_acc: %f" % now)
                if val_acc > self.best_val_acc:
                    self.best_val_acc = val_acc
                    self.best_params = {}
                    for k, v in self.model.params.items():
                        self.best_params[k] = v.copy()
        self.model.params = self.best_params
"""

_BY_CHOICE = """num_train = self.X_train.shape[0]
        rows = np.random.choice(num_train, self.batch_size)
        return self.X_train[rows], self.y_train[rows]"""

_IN_BATCHES = """N = X.shape[0]
        if num_samples is not None and N > num_samples:
            mask = np.random.choice(N, num_samples)
            N = num_samples
            X = X[mask]
            y = y[mask]
        num_batches = N // batch_size
        if N % batch_size != 0:
            num_batches += 1
        y_pred = []
        for i in range(num_batches):
            start = i * batch_size
            end = (i + 1) * batch_size
            scores = self.model.loss(X[start:end])
            y_pred.append(np.argmax(scores, axis=1))
        y_pred = np.hstack(y_pred)
        return np.mean(y_pred == y)"""


def _solver(batch: str = _BY_CHOICE, accuracy: str = _IN_BATCHES) -> str:
    return _SOLVER.replace("{batch}", batch).replace("{accuracy}", accuracy)


@variant(exercise="solver")
def solver_as_published() -> str:
    """The published layout: keyword arguments popped, choice with replacement, hstack of predictions."""
    return _solver()


@variant(exercise="solver")
def solver_without_replacement() -> str:
    """Minibatches drawn without replacement, by choice; as many as there are, where there are fewer."""
    return _solver("""few = len(self.X_train) < self.batch_size
        rows = np.random.choice(len(self.X_train), self.batch_size, replace=few)
        return self.X_train[rows], self.y_train[rows]""")


@variant(exercise="solver")
def solver_by_randint() -> str:
    """Minibatches by randint; accuracy counted batch by batch, a sample without replacement."""
    return _solver(
        """rows = np.random.randint(0, len(self.y_train), size=self.batch_size)
        return np.take(self.X_train, rows, axis=0), self.y_train.take(rows)""",
        """if num_samples is not None and num_samples < len(X):
            rows = np.random.permutation(len(X))[:num_samples]
            X, y = X[rows], y[rows]
        correct, start = 0, 0
        while start < len(X):
            scores = self.model.loss(X[start:start + batch_size])
            correct += np.count_nonzero(scores.argmax(1) == y[start:start + batch_size])
            start += batch_size
        return correct / float(len(X))""",
    )


@variant(exercise="solver")
def solver_by_permutation() -> str:
    """A permutation each epoch, cut into minibatches; the rest is left out."""
    return _solver("""if not getattr(self, "order", None):
            order = np.random.permutation(self.X_train.shape[0])
            size = self.batch_size
            self.order = [order[i * size:(i + 1) * size] for i in range(max(1, len(order) // size))]
        rows = self.order.pop(0)
        return self.X_train[rows], self.y_train[rows]""")


@variant(exercise="solver")
def solver_with_a_generator() -> str:
    """Minibatches by a Generator; array_split in the accuracy."""
    return _solver(
        """rng = np.random.default_rng()
        rows = rng.integers(len(self.X_train), size=self.batch_size)
        return self.X_train[rows], self.y_train[rows]""",
        """rows = np.arange(len(y))
        if num_samples is not None and num_samples < len(y):
            rows = np.random.choice(rows, num_samples, replace=False)
        parts = [rows[i:i + batch_size] for i in range(0, len(rows), batch_size)]
        right = [self.model.loss(X[part]).argmax(axis=1) == y[part] for part in parts]
        return float(np.concatenate(right).mean())""",
    )


@variant(exercise="solver")
def solver_with_nested_loops() -> str:
    """A loop over epochs and one over iterations, in place of a modulo."""
    head = _solver().split("    def train(self):")[0]
    return (
        head
        + """    def look(self):
        accuracies = (
            self.check_accuracy(self.X_train, self.y_train, self.num_train_samples),
            self.check_accuracy(self.X_val, self.y_val, self.num_val_samples),
        )
        self.train_acc_history.append(accuracies[0])
        self.val_acc_history.append(accuracies[1])
        if not self.best_params or accuracies[1] > self.best_val_acc:
            self.best_val_acc = accuracies[1]
            self.best_params = {k: np.array(v) for k, v in self.model.params.items()}

    def train(self):
        per_epoch = max(len(self.X_train) // self.batch_size, 1)
        for epoch in range(self.num_epochs):
            for i in range(per_epoch):
                self._step()
                if epoch == 0 and i == 0 and per_epoch > 1:
                    self.look()
            for config in self.optim_configs.values():
                config["learning_rate"] = config["learning_rate"] * self.lr_decay
            self.epoch = epoch + 1
            self.look()
            if self.verbose:
                print(f"epoch {self.epoch}: {self.val_acc_history[-1]}")
        for k in self.best_params:
            self.model.params[k] = self.best_params[k]
"""
    )


# --- overfit_small_data and regularization_experiment --------------------------------------------------------


@variant(exercise="overfit_small_data")
def numpy_numbers() -> str:
    """Numbers of numpy's types, from a search over powers of ten."""
    return """
scales = np.logspace(-2, -1, 3)
overfit_weight_scale = np.float32(0.025)
overfit_learning_rate = np.logspace(-3, -2, 5)[2]
"""


@variant(exercise="regularization_experiment")
def experiment_by_comprehensions() -> str:
    """Two comprehensions, and a loop that trains; the rule is passed as a function."""
    return """
def regularization_experiment(data, dropouts=(1, 0.25), hidden_dim=500, num_epochs=25):
    nets = [FullyConnectedNet(hidden_dims=[hidden_dim], dropout=p) for p in dropouts]
    solvers = [
        Solver(net, data, update_rule=adam, optim_config={"learning_rate": 0.0005}, num_epochs=num_epochs,
               batch_size=100, verbose=False)
        for net in nets
    ]
    for solver in solvers:
        solver.train()
    return dict(zip(dropouts, solvers))
"""


@variant(exercise="regularization_experiment")
def experiment_with_a_rule_of_its_own() -> str:
    """The rule is a function that counts its steps; the net is made where the solver is."""
    return """
def regularization_experiment(data, dropouts=(1, 0.25), hidden_dim=500, num_epochs=25):
    steps = []

    def counted(w, dw, config=None):
        steps.append(1)
        return adam(w, dw, config)

    solvers = {p: Solver(FullyConnectedNet([hidden_dim], dropout=p), data, update_rule=counted,
                         optim_config={"learning_rate": 5e-4}, num_epochs=num_epochs, batch_size=100)
               for p in dropouts}
    for solver in solvers.values():
        solver.train()
    return solvers
"""


@variant(exercise="regularization_experiment")
def experiment_with_all_arguments() -> str:
    """Every argument written out, the defaults too; float64 nets; progress printed."""
    return """
def regularization_experiment(data, dropouts=(1, 0.25), hidden_dim=500, num_epochs=25):
    settings = {"learning_rate": 5e-4}
    solvers = {}
    for dropout in dropouts:
        net = FullyConnectedNet([hidden_dim], input_dim=3 * 32 * 32, num_classes=10, dropout=dropout, reg=0.0,
                                weight_scale=1e-2, dtype=np.float64)
        solver = Solver(net, data, num_epochs=num_epochs, batch_size=100, update_rule="adam",
                        optim_config=dict(settings), lr_decay=1.0, verbose=True, print_every=100)
        solver.train()
        solvers[dropout] = solver
        print("kept", dropout, "best", max(solver.val_acc_history))
    return solvers
"""
