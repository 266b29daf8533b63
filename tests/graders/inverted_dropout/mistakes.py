"""Wrong solutions that an independent tester wrote, and others of their kind: each loses points of its own exercise."""

from gradlab_staff.audit import mistake

# --- dropout -------------------------------------------------------------------------------------------------


def _dropout(*lines: str, nothing_stays: str = "drop_prob == 1") -> str:
    body = "\n    ".join(lines)
    return f"""
def dropout(X, drop_prob):
    assert 0 <= drop_prob <= 1
    if {nothing_stays}:
        return np.zeros_like(X)
    {body}
    return X * mask / (1 - drop_prob)
"""


_MASK = "mask = np.random.rand(*X.shape) > drop_prob"


@mistake(exercise="dropout")
def exact_count() -> str:
    """Drops exactly that share of the entries, which are then not independent."""
    return _dropout(
        "mask = np.ones(X.size)",
        "mask[np.random.permutation(X.size)[: int(round(drop_prob * X.size))]] = 0",
        "mask = mask.reshape(X.shape)",
    )


@mistake(exercise="dropout")
def exact_count_of_each_row() -> str:
    """Drops exactly that share of each row."""
    return _dropout(
        "ranks = np.random.rand(*X.shape).argsort(axis=-1).argsort(axis=-1)",
        "mask = ranks >= round(drop_prob * X.shape[-1])",
    )


@mistake(exercise="dropout")
def exact_count_up_to_rounding() -> str:
    """Drops exactly that share of the entries, rounded up or down by chance."""
    return _dropout(
        "ranks = np.random.permutation(X.size).reshape(X.shape)",
        "mask = ranks >= np.floor(drop_prob * X.size + np.random.rand())",
    )


@mistake(exercise="dropout")
def rounded_drop_prob() -> str:
    """Rounds the probability to a tenth."""
    return _dropout("drop_prob = round(drop_prob, 1)", _MASK, nothing_stays="round(drop_prob, 1) == 1")


@mistake(exercise="dropout")
def all_dropped_from_nine_tenths() -> str:
    """Drops everything from a probability of 0.9 on."""
    return _dropout(_MASK, nothing_stays="drop_prob >= 0.9")


@mistake(exercise="dropout")
def none_dropped_below_a_tenth() -> str:
    """Drops nothing below a probability of 0.1."""
    return _dropout("if drop_prob < 0.1:", "    return X", _MASK)


# --- net -----------------------------------------------------------------------------------------------------


def _net(*while_training: str, first: str = "H = X", condition: str = "training") -> str:
    body = "\n            ".join(while_training or ("H = dropout(H, drop_prob)",))
    return f"""
def net(X, params, training=False, drop_probs=(0.2, 0.5)):
    {first}
    for layer, drop_prob in enumerate(drop_probs, 1):
        H = np.maximum(H @ params[f"W{{layer}}"] + params[f"b{{layer}}"], 0)
        if {condition}:
            {body}
    return H @ params["W3"] + params["b3"]
"""


@mistake(exercise="net")
def assigns_in_training() -> str:
    """Assigns zeros to entries in training, where autograd cannot follow."""
    return _net("H[np.random.rand(*H.shape) < drop_prob] = 0", "H = H / (1 - drop_prob) if drop_prob < 1 else 0 * H")


@mistake(exercise="net")
def cut_off_in_training() -> str:
    """Takes the numbers out of autograd's hands before they are dropped."""
    return _net('H = dropout(getattr(H, "_value", H), drop_prob)')


@mistake(exercise="net")
def first_layer_cut_off_in_training() -> str:
    """Takes the numbers of the first layer out of autograd's hands in training."""
    return _net('H = dropout(getattr(H, "_value", H) if layer == 1 else H, drop_prob)')


@mistake(exercise="net")
def straight_through() -> str:
    """The gradient passes units that were dropped as if they had stayed."""
    return _net('plain = getattr(H, "_value", H)', "H = H + (dropout(plain, drop_prob) - plain)")


@mistake(exercise="net")
def single_picture_not_dropped() -> str:
    """Drops nothing of a minibatch of one picture."""
    return _net(condition="training and len(X) > 1")


@mistake(exercise="net")
def seeded_in_training() -> str:
    """Seeds the random numbers in each call in training: always the same masks."""
    return _net(first="H = X if not training else (np.random.seed(231), X)[1]")


@mistake(exercise="net")
def seeded_when_predicting() -> str:
    """Seeds the random numbers in each prediction: the same masks after each."""
    return _net(first="H = X if training else (np.random.seed(0), X)[1]")


# --- train_from_scratch --------------------------------------------------------------------------------------


def _train(order: str = 'len(data["y_train"])', tested: str = "", grad: str = "grads[name]", late: str = "pass") -> str:
    return f"""
def train_from_scratch(params, data, net, forward_backward, num_epochs=5, lr=0.5, batch_size=256):
    history = {{"loss_history": [], "train_acc_history": [], "test_acc_history": []}}
    for epoch in range(num_epochs):
        losses, hits = [], []
        order = np.random.permutation({order})
        {late}
        for start in range(0, len(order) - batch_size + 1, batch_size):
            rows = order[start : start + batch_size]
            X, y = data["X_train"][rows], data["y_train"][rows]
            loss, scores, grads = forward_backward(params, X, y)
            params = {{name: params[name] - lr * {grad} for name in params}}
            losses.append(loss)
            hits.extend(scores.argmax(axis=1) == y)
        answers = net(data["X_test"]{tested}, params).argmax(axis=1)
        history["loss_history"].append(np.mean(losses))
        history["train_acc_history"].append(np.mean(hits))
        history["test_acc_history"].append(np.mean(answers == data["y_test"]{tested}))
    return params, history
"""


@mistake(exercise="train_from_scratch")
def first_thousand_tested() -> str:
    """Tests the first 1,000 images only."""
    return _train(tested="[:1000]")


@mistake(exercise="train_from_scratch")
def every_tenth_tested() -> str:
    """Tests every tenth image only, of a large set."""
    return _train(tested='[:: 10 if len(data["y_test"]) > 1000 else 1]')


@mistake(exercise="train_from_scratch")
def first_ten_thousand_trained() -> str:
    """Trains with the first 10,000 images only."""
    return _train(order='min(10_000, len(data["y_train"]))')


@mistake(exercise="train_from_scratch")
def clipped_gradients() -> str:
    """Clips each entry of the gradients at 5."""
    return _train(grad="np.clip(grads[name], -5, 5)")


@mistake(exercise="train_from_scratch")
def shortened_gradients() -> str:
    """Shortens gradients whose norm is above 20."""
    return _train(grad="grads[name] * min(1, 20 / np.linalg.norm(grads[name]))")


@mistake(exercise="train_from_scratch")
def falling_rate() -> str:
    """Lets the learning rate fall from the sixth epoch on."""
    return _train(late="lr = lr * (0.9 if epoch >= 5 else 1)")


# --- concise -------------------------------------------------------------------------------------------------


def _concise(last: str = "Dense(sizes[2], sizes[3])", lr: str = "lr", batch_size: str = "batch_size") -> str:
    return f"""
def concise(sizes=(784, 256, 256, 10), drop_probs=(0.2, 0.5), lr=0.5, batch_size=256):
    net = Sequential(
        Dense(sizes[0], sizes[1], "relu"), Dropout(drop_probs[0]),
        Dense(sizes[1], sizes[2], "relu"), Dropout(drop_probs[1]),
        {last},
    )
    return net, Trainer(net, lr={lr}, batch_size={batch_size})
"""


@mistake(exercise="concise")
def rate_capped() -> str:
    """No learning rate is above 0.5."""
    return _concise(lr="min(lr, 0.5)")


@mistake(exercise="concise")
def batch_capped() -> str:
    """No minibatch is above 256."""
    return _concise(batch_size="min(batch_size, 256)")


@mistake(exercise="concise")
def other_start_for_other_classes() -> str:
    """The last weights start larger unless there are ten classes."""
    return _concise(last="Dense(sizes[2], sizes[3], sd=0.01 if sizes[3] == 10 else 0.1)")
