"""FullyConnectedNet: {affine, ReLU, dropout} for each hidden layer, then affine; softmax loss plus ½ reg Σ W².

The grader sets the parameters itself, biases too, and compares with its own forward and backward pass. Dropout
is judged under whatever mask the net drew: with one example, dW = outer(what came in, db), so the gradients
give away what every hidden layer handed on.
"""

import itertools

import numpy as np
import pytest

from gradlab_staff.grading import (
    alignment,
    array,
    central_differences,
    centred,
    entries,
    expect,
    expect_close,
    expect_share,
    function,
    instance,
    number,
    observe,
    read_mask,
    rel_error,
    stands_in,
    time_limit,
    unpack,
    weight,
)

pytestmark = stands_in("dropout_forward", "dropout_backward")

ANSWERS = ("test_scores_follow",)
BACKWARD = ("test_large_net",)


# --- The grader's own net ------------------------------------------------------------------------------


def random_params(rng, dims, spread=1.0):
    """Weights and biases that leave about half of the units active; no bias is zero."""
    params = {}
    for layer, (fan_in, fan_out) in enumerate(itertools.pairwise(dims), start=1):
        params[f"W{layer}"] = spread * rng.standard_normal((fan_in, fan_out)) / np.sqrt(fan_in)
        params[f"b{layer}"] = rng.choice([-1.0, 1.0], fan_out) * rng.uniform(0.5, 1.5, fan_out)
    return params


def forward(params, X, masks=None):
    """The input of every layer, with the scores at the end; `masks` scale the hidden layers' outputs."""
    depth = len(params) // 2
    inputs = [X.reshape(len(X), -1)]
    for layer in range(1, depth + 1):
        z = inputs[-1] @ params[f"W{layer}"] + params[f"b{layer}"]
        if layer < depth:
            z = np.maximum(z, 0) * (masks[layer - 1] if masks else 1.0)
        inputs.append(z)
    return inputs


def loss_and_grads(params, X, y, reg, masks=None):
    """Softmax loss plus ½ reg Σ W², and its gradients, under the given masks."""
    depth, inputs, rows = len(params) // 2, forward(params, X, masks), np.arange(len(X))
    shifted = inputs[-1] - inputs[-1].max(axis=1, keepdims=True)
    log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    loss = -log_probs[rows, y].mean()
    delta = np.exp(log_probs)
    delta[rows, y] -= 1
    delta /= len(X)
    grads = {}
    for layer in range(depth, 0, -1):
        W = params[f"W{layer}"]
        loss += 0.5 * reg * (W**2).sum()
        grads[f"W{layer}"] = inputs[layer - 1].T @ delta + reg * W
        grads[f"b{layer}"] = delta.sum(axis=0)
        if layer > 1:
            delta = delta @ W.T * (inputs[layer - 1] > 0) * (masks[layer - 2] if masks else 1.0)
    return loss, grads


# --- The submission's net ------------------------------------------------------------------------------


def build(submission, dims, **options):
    cls = function(submission.FullyConnectedNet, "FullyConnectedNet")
    net = cls(list(dims[1:-1]), input_dim=dims[0], num_classes=dims[-1], **options)
    return instance(net, "FullyConnectedNet(…)")


def build_with(submission, params, **options):
    """A net whose parameters the grader sets."""
    dims = [params["W1"].shape[0], *(params[f"b{layer}"].size for layer in range(1, len(params) // 2 + 1))]
    net = build(submission, dims, **{"dtype": np.float64, **options})
    net.params = {name: value.copy() for name, value in params.items()}
    return net


def loss_of(net):
    return function(net.loss, "loss")


def train_loss(net, X, y, names=()):
    loss, grads = unpack(loss_of(net)(X, y), ("loss", "grads"), "loss(X, y)")
    return number(loss, "loss"), entries(grads, "grads", names)


def example(rng, dims, count):
    return rng.standard_normal((count, dims[0])), rng.integers(dims[-1], size=count)


DEPTHS = {
    "one layer": (6, 4),
    "two layers": (6, 9, 4),
    "four layers": (6, 9, 8, 7, 4),
    "eleven layers": (6, *[9] * 10, 4),
}


# --- Is there a net, and backpropagation? --------------------------------------------------------------


@weight(0.2)
def test_scores_follow(submission, rng):
    """The scores follow from the examples and the parameters: they have something in common with the right ones.

    Over eight nets numbers at random have 0.007 ± 0.005 in common with them, and what depends on the examples alone
    0.02 ± 0.02; scores with a slip, such as the minimum for the maximum, 0.22 ± 0.02 and more.
    """
    got, right = [], []
    for _ in range(8):
        params, X = random_params(rng, (20, 30, 10)), rng.standard_normal((200, 20))
        right.append(centred(forward(params, X)[-1]))
        got.append(centred(array(loss_of(build_with(submission, params))(X), (200, 10), "scores")))
    alike = alignment(got, right)
    observe(alike=bool(alike > 0.08))
    expect(
        alike > 0.08,
        "scores: expected those of these examples and parameters, got what has little to do with them.",
    )


# --- Parameters ----------------------------------------------------------------------------------------


@weight(1, needs=ANSWERS)
def test_parameter_names_and_shapes(submission, rng):
    """params holds W1, b1, … of the right shapes, for nets of one to eleven layers."""
    for name, dims in DEPTHS.items():
        expected = {}
        for layer, (fan_in, fan_out) in enumerate(itertools.pairwise(dims), start=1):
            expected |= {f"W{layer}": (fan_in, fan_out), f"b{layer}": (fan_out,)}
        params = entries(build(submission, dims, dtype=np.float64).params, "params", expected)
        observe(**{f"names, {name}": len(params)})
        expect(len(params) == len(expected), f"params: expected {', '.join(expected)} only, got {len(params)} entries.")
        for key, shape in expected.items():
            array(params[key], shape, key)


@weight(1, needs=ANSWERS)
def test_initial_parameters(submission, rng):
    """Every layer's weights are normal with mean 0 and standard deviation weight_scale; biases are 0.

    For n normal weights: |mean| > 7 sd has probability 3e-12; the sum of squares leaves [n − 2√(nt), n + 2√(nt)
    + 2t] with probability at most 2e^−t = 2e-11 (Laurent and Massart, t = 25.3); the share within one sd is an
    exact binomial test at 1e-11. Six layers are judged: false alarms at most 2e-10. Two nets agree with
    probability 0.
    """
    inner = 0.6826894921370859
    for scale in (0.03, 0.5):
        dims = (140, 110, 110, 90)
        nets = [build(submission, dims, weight_scale=scale, dtype=np.float64).params for _ in range(2)]
        params, others = (entries(one, "params", [f"{k}{i}" for k in "Wb" for i in (1, 2, 3)]) for one in nets)
        weights = {}
        for layer in (1, 2, 3):
            W = weights[layer] = array(params[f"W{layer}"], dims[layer - 1 : layer + 1], f"W{layer}")
            b = array(params[f"b{layer}"], (dims[layer],), f"b{layer}")
            expect((b == 0).all(), f"b{layer}: expected zeros, got {int((b != 0).sum())} other entries.")
            judge_normal(W / scale, f"W{layer}", scale)
            expect_share(np.abs(W) < scale, inner, f"share of W{layer} within one weight_scale", alpha=1e-11)
            other = array(others[f"W{layer}"], W.shape, f"W{layer}")
            expect((other != W).any(), f"W{layer}: expected new weights for each net, got the same ones twice.")
        expect((weights[2][:, :90] != weights[3]).any(), "W2, W3: expected each layer to draw its own weights.")


def judge_normal(z, name, scale, t=25.3):
    n, squares = z.size, float((z**2).sum())
    spread = np.sqrt(squares / n)
    observe(**{f"std of {name} by weight_scale": round(float(spread), 1)})
    low, high = n - 2 * np.sqrt(n * t), n + 2 * np.sqrt(n * t) + 2 * t
    message = f"{name}: expected a standard deviation near weight_scale = {scale}, got {spread * scale:.4g}."
    expect(low <= squares <= high, message)
    expect(abs(z.mean()) <= 7 / np.sqrt(n), f"{name}: expected a mean near 0, got {z.mean() * scale:.4g}.")


@weight(0.5, needs=ANSWERS)
def test_precision(submission, rng):
    """Parameters have the dtype that was asked for, single precision (float32) if none, and the loss works in both."""
    X, y = example(rng, (6, 4), 5)
    for dtype in (np.float32, np.float64):
        net = build(submission, (6, 9, 4), weight_scale=0.5, **({} if dtype is np.float32 else {"dtype": dtype}))
        params = entries(net.params, "params", ("W1", "b1", "W2", "b2"))
        for name, value in params.items():
            came = array(value, what=str(name)[:20], dtype=None).dtype
            expect(came == dtype, f"{name}: expected dtype {np.dtype(dtype)}, got {came}.")
        shapes = {"W1": (6, 9), "b1": (9,), "W2": (9, 4), "b2": (4,)}
        params = {name: array(params[name], shape, name) for name, shape in shapes.items()}
        loss, _ = train_loss(net, X, y)
        expect_close(loss, loss_and_grads(params, X, y, 0.0)[0], "loss", rtol=1e-4, evidence=False)


@weight(0.5, needs=ANSWERS)
def test_defaults(submission):
    """Unless told otherwise a net takes 3 × 32 × 32 numbers, knows ten classes, and has a weight scale of 0.01.

    The sum of squares of 15,360 normal weights leaves its bounds with a probability of at most 2e-11.
    """
    net = instance(function(submission.FullyConnectedNet, "FullyConnectedNet")([5]), "FullyConnectedNet([5])")
    params = entries(net.params, "params", ("W1", "b1", "W2", "b2"))
    for name, shape in {"W1": (3072, 5), "b1": (5,), "W2": (5, 10), "b2": (10,)}.items():
        array(params[name], shape, name)
    judge_normal(array(params["W1"]) / 0.01, "W1", 0.01)


# --- Without dropout -----------------------------------------------------------------------------------


@weight(1.5, needs=ANSWERS)
def test_scores(submission, rng):
    """Without labels the net returns its scores: the last layer's, with no ReLU; nets of one to eleven layers."""
    for name, dims in DEPTHS.items():
        params = random_params(rng, dims)
        X, _ = example(rng, dims, 7)
        scores = loss_of(build_with(submission, params, reg=0.3))(X)
        expect_close(scores, forward(params, X)[-1], f"scores, {name}", rtol=1e-7)


@weight(0.5, needs=ANSWERS)
def test_examples_of_many_dimensions(submission, rng):
    """Examples of shape (3, 2, 4) are taken as rows of 24 numbers, for scores, loss and gradients."""
    params = random_params(rng, (24, 5, 3))
    X, y = rng.standard_normal((6, 3, 2, 4)), rng.integers(3, size=6)
    net = build_with(submission, params)
    expect_close(loss_of(net)(X), forward(params, X)[-1], "scores", rtol=1e-7)
    loss, grads = train_loss(net, X, y, params)
    expected_loss, expected = loss_and_grads(params, X, y, 0.0)
    expect_close(loss, expected_loss, "loss", rtol=1e-7)
    expect_close(grads["W1"], expected["W1"], "gradient of W1", rtol=1e-6)


@weight(1.5, needs=ANSWERS)
def test_loss(submission, rng):
    """The loss is the softmax loss plus ½ reg times the sum of all squared weights: of every layer, and no bias."""
    for name, dims in DEPTHS.items():
        params = random_params(rng, dims)
        X, y = example(rng, dims, 7)
        for reg in (0.0, 0.7):
            loss, _ = train_loss(build_with(submission, params, reg=reg), X, y)
            what = f"loss, {name}, {'with' if reg else 'without'} regularisation"
            expect_close(loss, loss_and_grads(params, X, y, reg)[0], what, rtol=1e-7)


@weight(1, needs=ANSWERS + BACKWARD)
def test_gradients(submission, rng):
    """Without regularisation every gradient is right, for nets of one to eleven layers, and there is no other."""
    judge_gradients(submission, rng, reg=0.0)


@weight(1, needs=ANSWERS + BACKWARD)
def test_gradients_of_the_regulariser(submission, rng):
    """With regularisation the gradient of every weight matrix gains reg · W, and that of the biases nothing."""
    judge_gradients(submission, rng, reg=0.9)


def judge_gradients(submission, rng, reg):
    for depth, dims in DEPTHS.items():
        params = random_params(rng, dims)
        X, y = example(rng, dims, 7)
        _, grads = train_loss(build_with(submission, params, reg=reg), X, y, params)
        _, expected = loss_and_grads(params, X, y, reg)
        for name in params:
            expect_close(grads[name], expected[name], f"gradient of {name}, {depth}", rtol=1e-6)
        if not reg:
            observe(**{f"gradients, {depth}": len(grads)})
            asked = f"grads, {depth}: expected one entry for each of the {len(params)} parameters"
            expect(len(grads) == len(params), f"{asked}, got {len(grads)} entries.")


@weight(0.5, needs=ANSWERS)
def test_parameters_stay(submission, rng):
    """loss changes no parameter, and adds none."""
    dims = (6, 9, 8, 4)
    params = random_params(rng, dims)
    X, y = example(rng, dims, 7)
    net = build_with(submission, params, reg=0.8, dropout=0.6)
    for mode, labels in (("training", [y]), ("test", [])):
        loss_of(net)(X, *labels)
        after = entries(net.params, "params", params)
        observe(**{f"entries after {mode}": len(after)})
        expect(
            len(after) == len(params), f"params: expected {len(params)} entries after a {mode} pass, got {len(after)}."
        )
        for name, value in params.items():
            expect_close(after[name], value, f"{name} after a {mode} pass", rtol=1e-12, evidence=False)


@weight(1, needs=ANSWERS)
def test_no_dropout_at_one(submission, rng):
    """dropout = 1, the default, means no dropout: training gives the plain loss, each time."""
    dims = (6, 40, 4)
    params = random_params(rng, dims)
    X, y = example(rng, dims, 7)
    expected, _ = loss_and_grads(params, X, y, 0.0)
    for options in ({}, {"dropout": 1}):
        net = build_with(submission, params, **options)
        for _ in range(2):
            expect_close(train_loss(net, X, y)[0], expected, "loss", rtol=1e-7)


# --- With dropout --------------------------------------------------------------------------------------


def handed_on(params, grads):
    """What each hidden layer handed on for the one example of the batch, read from the gradients (reg = 0)."""
    outputs = []
    for layer in range(2, len(params) // 2 + 1):
        dW = array(grads[f"W{layer}"], params[f"W{layer}"].shape, f"gradient of W{layer}")
        db = array(grads[f"b{layer}"], params[f"b{layer}"].shape, f"gradient of b{layer}")
        expect((db != 0).any(), f"gradient of b{layer}: expected some entry other than 0, got none.")
        outputs.append((dW @ db / (db @ db))[None, :])
    return outputs


def read_masks(params, grads, X, p):
    """The mask of every hidden layer, scaled, read from the gradients for one example; fails unless 0 or 1/p."""
    masks, inputs = [], X
    for layer, out in enumerate(handed_on(params, grads), start=1):
        before = np.maximum(inputs @ params[f"W{layer}"] + params[f"b{layer}"], 0)
        # rounding in the readings: exact zeros of inactive units come back as 1e-17 or so
        out = np.where(np.abs(out) < 1e-12 * np.abs(out).max(), 0.0, out)
        kept = read_mask(np.where(before > 0, out, 0.0), before, p, f"what hidden layer {layer} hands on in training")
        expect(
            not kept[before > 0].all(),
            f"hidden layer {layer}: expected dropout after its ReLU, but every unit was kept.",
        )
        masks.append(kept / p)
        inputs = before * masks[-1]
    return masks


@weight(2, needs=ANSWERS)
def test_dropout_after_every_relu(submission, rng):
    """In training every hidden layer's output goes through dropout, and nothing else does; the loss follows.

    At least 60 active units a layer: that all are kept, or all dropped, has a probability below 0.6^60 = 5e-14
    a layer.
    """
    for p in (0.4, 0.6):
        params, X, y = one_example(rng, (6, 200, 200, 200, 4))
        net = build_with(submission, params, dropout=p)
        loss, grads = train_loss(net, X, y, params)
        masks = read_masks(params, grads, X, p)
        expected, _ = loss_and_grads(params, X, y, 0.0, masks)
        expect_close(loss, expected, "loss under the masks that the net drew", rtol=1e-6, evidence=False)


def one_example(rng, dims):
    """Parameters and one example with at least 60 active units in each layer, whatever dropout does above."""
    params = random_params(rng, dims, spread=0.05)
    for layer in range(1, len(dims) - 1):
        params[f"b{layer}"][: dims[layer] // 2] = np.abs(params[f"b{layer}"][: dims[layer] // 2])
    X, y = example(rng, dims, 1)
    return params, X, y


@weight(1.5, needs=ANSWERS + BACKWARD)
def test_gradients_under_dropout(submission, rng):
    """In training every gradient goes back through the masks that the forward pass drew."""
    for p in (0.4, 0.6):
        params, X, y = one_example(rng, (6, 200, 200, 200, 4))
        _, grads = train_loss(build_with(submission, params, dropout=p), X, y, params)
        masks = read_masks(params, grads, X, p)
        _, expected = loss_and_grads(params, X, y, 0.0, masks)
        for name in params:
            expect_close(grads[name], expected[name], f"gradient of {name}", rtol=1e-6, evidence=False)


@weight(1, needs=ANSWERS)
def test_dropout_is_the_probability_to_keep(submission, rng):
    """The share of units that are kept is the net's dropout.

    Two exact binomial tests on 8,000 units at 1e-10 each: false alarms at most 2e-10.
    """
    for p in (0.25, 0.75):
        params, X, y = one_example(rng, (5, 8000, 3))
        params["b1"] = np.abs(params["b1"])
        _, grads = train_loss(build_with(submission, params, dropout=p), X, y, params)
        kept = handed_on(params, grads)[0] > 1e-9
        active = X @ params["W1"] + params["b1"] > 1e-3
        expect_share(kept[active], p, f"share of units kept with dropout = {p}")


@weight(1, needs=ANSWERS)
def test_examples_have_masks_of_their_own(submission, rng):
    """Each example of a minibatch has its own mask.

    The last layer's weights are 0, so that each example's gradient is known and what was handed on can be
    solved for. With p = 0.6 two masks of 100 active units agree with a probability of 0.52^100 = 4e-29.
    """
    params = random_params(rng, (5, 100, 8), spread=0.02)
    params["b1"], params["W2"] = np.abs(params["b1"]), np.zeros((100, 8))
    X, y = rng.standard_normal((5, 5)), rng.permutation(8)[:5]
    _, grads = train_loss(build_with(submission, params, dropout=0.6), X, y, params)
    probs = np.exp(params["b2"]) / np.exp(params["b2"]).sum()
    dscores = (probs - np.eye(8)[y]) / len(X)
    dW = array(grads["W2"], (100, 8), "gradient of W2")
    hidden = (dW @ np.linalg.pinv(dscores)).T
    before = forward(params, X)[1]
    kept = read_mask(
        np.where(np.abs(hidden) < 1e-9, 0.0, hidden), before, 0.6, "what the hidden layer hands on", rtol=1e-5
    )
    alike = any((kept[i] == kept[j]).all() for i in range(5) for j in range(i))
    observe(alike=alike)
    expect(not alike, "hidden layer: expected a mask for each example, got the same one for two of them.")


@weight(1, needs=ANSWERS)
def test_no_dropout_at_test_time(submission, rng):
    """Scores are computed without dropout, also between two steps of training, and training goes on with it after.

    Two training losses under different masks of 40 units are equal with a probability below 1e-12.
    """
    dims = (6, 80, 60, 4)
    params = random_params(rng, dims)
    X, y = example(rng, dims, 7)
    net = build_with(submission, params, dropout=0.5)
    losses = []
    for _ in range(2):
        expect_close(loss_of(net)(X), forward(params, X)[-1], "scores", rtol=1e-7)
        losses.append(train_loss(net, X, y)[0])
    observe(same=losses[0] == losses[1])
    expect(
        losses[0] != losses[1], "loss: expected other masks at each call of an unseeded net, got the same loss twice."
    )


@weight(1, needs=ANSWERS)
def test_seed_repeats_the_masks(submission, rng):
    """A net with a seed draws the same masks each time: two calls give one loss.

    Losses under masks of two different seeds are equal with a probability below 1e-12.
    """
    dims = (6, 80, 60, 4)
    params = random_params(rng, dims)
    X, y = example(rng, dims, 7)
    losses = []
    for seed in (7, 11):
        net = build_with(submission, params, dropout=0.5, seed=seed)
        losses += [train_loss(net, X, y)[0] for _ in range(2)]
    observe(repeats=losses[0] == losses[1], differs=losses[0] != losses[2])
    expect(
        losses[0] == losses[1] and losses[2] == losses[3], "loss: expected the same loss from two calls with one seed."
    )
    expect(losses[0] != losses[2], "loss: expected another loss with another seed, got the same one.")


@weight(1.5, needs=ANSWERS + BACKWARD)
@pytest.mark.parametrize("dropout", [1, 0.7])
def test_gradients_numerically(submission, rng, dropout):
    """The gradients are those of the net's own loss, by central differences, with regularisation and a fixed seed.

    Biases keep every ReLU at a distance from its kink, so that no step of 1e-5 crosses it under any mask. And the
    slopes have something in common with those of the course's loss: over 20 examples of one class, which the net takes
    for the least likely one, masks average out. Three units of each layer are active, whatever they draw, and all
    scores are positive, so that a slip leaves more than half.
    """
    dims = (4, 6, 5, 3)
    params = random_params(rng, dims)
    for name in ("W1", "W2"):
        params[name] = rng.uniform(-0.03, 0.03, params[name].shape)
        params[f"b{name[1]}"][:3] = np.abs(params[f"b{name[1]}"][:3])
    params["b3"] += 5
    X = rng.uniform(0.3, 1, (20, 4))
    y = np.full(20, forward(params, X)[-1].mean(axis=0).argmin())
    net = build_with(submission, params, dropout=dropout, reg=0.1, seed=int(rng.integers(1, 10**6)))
    _, grads = train_loss(net, X, y, params)
    _, expected = loss_and_grads(params, X, y, 0.1)
    for name in ("W1", "W2", "W3"):
        alike = alignment(array(grads[name], params[name].shape, f"gradient of {name}"), expected[name])
        observe(**{f"{name} alike": bool(alike > 0.3)})
        told = "expected the slope of the course's loss, got what has little in common with it"
        expect(alike > 0.3, f"gradient of {name}: {told}.")
    for name, value in params.items():

        def loss_at(w, name=name):
            net.params = {**params, name: w}
            return train_loss(net, X, y)[0]

        where = [tuple(int(rng.integers(n)) for n in value.shape) for _ in range(4)]
        numerical = central_differences(loss_at, value, at=where)
        got = array(grads[name], value.shape, f"gradient of {name}")
        asked = ~np.isnan(numerical)
        error = rel_error(got[asked], numerical[asked])
        close = np.allclose(got[asked], numerical[asked], rtol=1e-4, atol=1e-7)
        expect(
            close, f"gradient of {name}: expected the slope of the net's own loss, got a relative error of {error:.2e}."
        )


# --- Backpropagation: last, since what is late here leaves the others less time -----------------------

LARGE = 2, 350_000, 4
"""Two million weights, and many hidden units: who differentiates by each weight, or by each hidden number of each
example, sums over 350,000 units as many times."""


def large_example(rng):
    """A net that is sure of a wrong class, for each of two examples at right angles; the four classes differ.

    So no part of the gradient makes up for another, and a slip leaves 0.7 of it or more. All scores are positive: a
    ReLU too many is a slip.
    """
    while True:
        params, X = random_params(rng, LARGE), np.sqrt(2) * np.linalg.qr(rng.standard_normal((2, 2)))[0]
        params["W2"], params["b2"] = 30 * params["W2"], params["b2"] + 100
        scores = forward(params, X)[-1]
        best = scores.argmax(axis=1)
        if best[0] != best[1] and np.diff(np.sort(scores))[:, -1].min() > 5:
            return params, X, rng.permutation(np.setdiff1d(range(4), best))


@weight(0.5)
@time_limit(20)
def test_large_net(submission, rng):
    """The gradients of a net of two million weights come in time, by backpropagation, and point roughly the right way.

    Of W1 and of W2 the direction is judged, up to its sign: 0.5 is far above what any other array has (0.01), and below
    what gradients with a slip have, 0.7 and more. Loops over all weights take 3 s of 20. Differences by each weight or
    bias take minutes; by a quarter of the active units alone, which is half the direction, they take 40 s.
    """
    params, X, y = large_example(rng)
    _, grads = train_loss(build_with(submission, params), X, y, ["W1", "W2"])
    expected, used = loss_and_grads(params, X, y, 0.0)[1], forward(params, X)[1].any(axis=0)
    for name, where in {"W1": np.s_[:, used], "W2": np.s_[used]}.items():
        grad = array(grads[name], params[name].shape, f"gradient of {name}, a large net")
        alike = alignment(grad[where], expected[name][where])
        observe(**{f"{name} alike": bool(alike > 0.5)})
        told = "expected the loss's, got an array that has little in common with it"
        expect(alike > 0.5, f"gradient of {name}, a large net: {told}.")
