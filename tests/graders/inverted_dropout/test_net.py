"""net: two hidden layers with ReLU, dropout after each of them while training, and the scores.

The reference's dropout stands in for the submission's. Which units were dropped is read from the scores: where all
weights are the identity, a score tells the fate of one unit of each hidden layer.
"""

import math

import numpy as np

from gradlab_staff.grading import (
    about,
    alignment,
    array,
    attempt,
    centred,
    entries,
    expect,
    expect_close,
    expect_share,
    function,
    instance,
    observe,
    stands_in,
    unpack,
    weight,
)

pytestmark = stands_in("dropout")

ANSWERS = ("test_scores_follow",)

FOLLOW = "Build new arrays with the notebook's np; autograd cannot follow assignments to entries."


def the_function(submission, name):
    """A function of the notebook; a later cell may have made anything of its name."""
    return function(getattr(submission, name), name)


def of_autograd(submission, *path):
    """Something of the module autograd, as the notebook imports it."""
    thing = instance(submission.autograd, "autograd")
    for name in path:
        thing = instance(getattr(thing, name), f"autograd's {name}")
    return thing


def arguments_after(submission, name, arguments, calls):
    """What the arguments of a function are after some calls of it.

    A partial application keeps them in the sandbox, where we can look at them again.
    """
    partial = of_autograd(submission, "numpy", "numpy_vjps", "partial")(the_function(submission, name), *arguments)
    partial = instance(partial, "a partial application")
    for args, options in calls:
        attempt(lambda args=args, options=options: partial(*args, **options))
    return unpack(partial.args, tuple(f"argument {i}" for i, _ in enumerate(arguments, 1)), "arguments")


def net(submission, X, params, **options):
    return the_function(submission, "net")(X, params, **options)


def make_params(rng, sizes):
    """Weights and biases of every sign, so that ReLU matters in each layer."""
    params = {}
    for i in (1, 2, 3):
        params[f"W{i}"] = rng.standard_normal((sizes[i - 1], sizes[i]))
        params[f"b{i}"] = rng.standard_normal(sizes[i])
    return params


def hidden(X, params):
    """What the hidden layers give, without dropout."""
    first = np.maximum(X @ params["W1"] + params["b1"], 0)
    return first, np.maximum(first @ params["W2"] + params["b2"], 0)


def plain_scores(X, params):
    return hidden(X, params)[1] @ params["W3"] + params["b3"]


def glass_params(rng, units):
    """Identity weights and positive biases: the fate of every unit shows in the scores."""
    params = {f"W{i}": np.eye(units) for i in (1, 2, 3)}
    return params | {f"b{i}": rng.uniform(0.5, 2.0, units) for i in (1, 2, 3)}


def read_units(scores, X, params, drop_probs):
    """Which units of the first and the second hidden layer stayed; the first's where the second's stayed (else False).

    A score minus b3 is 0 (second unit dropped), b2 / k2 (first dropped) or (h1 / k1 + b2) / k2, with k = 1 − drop_prob.
    """
    k1, k2 = (1 - drop_prob for drop_prob in drop_probs)
    got = array(scores, X.shape, "scores in training") - params["b3"]
    levels = {
        "second unit dropped": np.zeros(X.shape),
        "first unit dropped": np.tile(params["b2"] / k2, (len(X), 1)),
        "no unit dropped": ((X + params["b1"]) / k1 + params["b2"]) / k2,
    }
    fits = {name: np.abs(got - level) <= 1e-5 * (1 + np.abs(level)) for name, level in levels.items()}
    strange = ~np.any(list(fits.values()), axis=0)
    sd = math.sqrt(0.25 / X.size)
    observe(**{name: about(fit.mean(), sd) for name, fit in fits.items()}, strange=about(strange.mean(), sd))
    observe(mean=about(got.mean(), got.std() / math.sqrt(X.shape[1])))
    expect(
        not strange.any(),
        f"scores in training: {int(strange.sum())} of {strange.size} fit no combination of dropped and rescaled hidden "
        "units. Drop after each hidden layer, with that layer's probability, and nowhere else.",
    )
    return fits["no unit dropped"], ~fits["second unit dropped"]


def judge_shares(first, second, drop_probs):
    """Two exact binomial tests at 1e-10."""
    hint = "The probabilities are those to drop; the first belongs to the first hidden layer."
    expect_share(~second, drop_probs[1], "share dropped of the second hidden layer", hint=hint)
    if second.any():
        expect_share(~first[second], drop_probs[0], "share dropped of the first hidden layer", hint=hint)


def judge_scores(submission, X, params, what, tolerance=1e-5, **options):
    """Fail unless the scores are those of the plain net; what varies from call to call is no evidence."""
    scores, again = (net(submission, X, params, **options) for _ in range(2))
    same = bool(np.array_equal(scores, again))
    observe(**{what: scores if same else "varies"})
    hint = "Affine, ReLU, affine, ReLU, affine; no dropout here."
    expected = plain_scores(X, params)
    expect_close(scores, expected, what, rtol=tolerance, atol=tolerance, hint=hint, evidence=False)


@weight(0.2)
def test_scores_follow(submission, rng):
    """The scores follow from the pictures and the parameters: they have something in common with the right ones.

    Over eight nets numbers at random have 0.007 ± 0.005 in common with them, and what depends on the pictures alone
    0.02 ± 0.02; scores with a slip, such as the minimum for the maximum, 0.22 ± 0.02 and more.
    """
    got, right = [], []
    for _ in range(8):
        X, params = rng.standard_normal((200, 20)), make_params(rng, (20, 30, 30, 10))
        right.append(centred(plain_scores(X, params)))
        got.append(centred(array(net(submission, X, params), (200, 10), "scores")))
    alike = alignment(got, right)
    observe(alike=bool(alike > 0.08))
    expect(
        alike > 0.08,
        "scores: expected those of these pictures and parameters, got what has little to do with them.",
    )


@weight(3, needs=ANSWERS)
def test_scores(submission, rng):
    """Without training, the scores are affine, ReLU, affine, ReLU, affine, for any sizes."""
    for name, sizes in (("a small net", (5, 4, 7, 3)), ("a larger net", (30, 20, 25, 10))):
        X, params = rng.standard_normal((6, sizes[0])), make_params(rng, sizes)
        judge_scores(submission, X, params, f"scores of {name}")
        options = {"training": False, "drop_probs": (0.4, 0.7)}
        judge_scores(submission, X, params, f"scores of {name}, training=False", **options)


@weight(1, needs=ANSWERS)
def test_single_precision(submission, rng):
    """Pictures and parameters in single precision (float32), a single picture too, give the same scores."""
    sizes = (20, 15, 12, 10)
    params = {name: value.astype(np.float32) for name, value in make_params(rng, sizes).items()}
    for count in (1, 7):
        X = rng.uniform(0, 1, (count, 20)).astype(np.float32)
        judge_scores(submission, X, params, f"scores of {count} in float32", tolerance=1e-4)


@weight(1, needs=ANSWERS)
def test_predictions_do_not_vary(submission, rng):
    """Without training, two calls give the same scores.

    If units were dropped, two calls would agree with a probability below 1e-30.
    """
    X, params = rng.standard_normal((20, 6)), make_params(rng, (6, 20, 20, 4))
    first, second = (array(net(submission, X, params), (20, 4), "scores") for _ in range(2))
    observe(same=bool((first == second).all()))
    expect((first == second).all(), "scores, not training: expected the same at each call. Predictions use every unit.")


@weight(3, needs=ANSWERS)
def test_dropout_while_training(submission, rng):
    """In training, units of each hidden layer are dropped with that layer's probability, the others rescaled.

    For each of two pairs of probabilities two exact binomial tests of about 6,000 units or more at 1e-10: false alarms
    at most 4e-10.
    """
    low, high = round(rng.uniform(0.15, 0.3), 3), round(rng.uniform(0.6, 0.75), 3)
    for drop_probs in ((low, high), (high, low)):
        X, params = rng.uniform(0.5, 2.0, (2000, 12)), glass_params(rng, 12)
        scores = net(submission, X, params, training=True, drop_probs=drop_probs)
        first, second = read_units(scores, X, params, drop_probs)
        judge_shares(first, second, drop_probs)


@weight(1, needs=ANSWERS)
def test_default_probabilities(submission, rng):
    """Unless told otherwise, units are dropped with probability 0.2 after the first hidden layer, 0.5 after the second.

    Two exact binomial tests of at least 10,000 units at 1e-10: false alarms at most 2e-10.
    """
    X, params = rng.uniform(0.5, 2.0, (2000, 12)), glass_params(rng, 12)
    first, second = read_units(net(submission, X, params, training=True), X, params, (0.2, 0.5))
    judge_shares(first, second, (0.2, 0.5))


@weight(1, needs=ANSWERS)
def test_each_unit_of_each_picture(submission, rng):
    """Every picture has its own mask at every layer, and every call new ones.

    Masks of 400 pictures with 12 units: that all agree by chance has a probability below 1e-100. The masks of the
    stand-in are not drawn in the notebook; that the net does not seed the notebook's random numbers anew is seen from
    four draws after each call: that two calls leave the same four by chance has a probability below 1e-60.
    """
    drop_probs = (0.3, 0.4)
    rand = function(of_autograd(submission, "numpy", "random").rand, "autograd's numpy.random.rand")
    for training in (True, False):
        left = []
        for _ in range(2):
            net(submission, np.ones((3, 12)), glass_params(rng, 12), training=training, drop_probs=drop_probs)
            left.append(array(rand(4), (4,), "random numbers"))
        seeded = bool((left[0] == left[1]).all())
        observe(**{f"seeded, training={training}": seeded})
        told = f"after each call with training={training}"
        expect(
            not seeded,
            f"random numbers {told}: expected new ones, got the same again. Do not set the seed in net: it makes "
            "one mask like the other.",
        )
    X, params = rng.uniform(0.5, 2.0, (400, 12)), glass_params(rng, 12)
    calls = []
    for _ in range(2):
        scores = net(submission, X, params, training=True, drop_probs=drop_probs)
        first, second = read_units(scores, X, params, drop_probs)
        calls.append((first, second))
        for name, stays in (("first", first | ~second), ("second", second)):
            shared = bool((stays == stays[:1]).all())
            observe(**{f"{name} layer, shared by pictures": shared})
            expect(not shared, f"{name} hidden layer: expected a mask for each picture, got one for all.")
    same = bool((calls[0][1] == calls[1][1]).all())
    expect(not same, "training: expected new masks at each call, got the same ones twice.")


@weight(2, needs=ANSWERS)
def test_extremes(submission, rng):
    """In training, a probability of 0 drops nothing, and one of 1 empties its own hidden layer and no other.

    The same holds for a minibatch of a single picture.
    """
    X, params = rng.standard_normal((6, 5)), make_params(rng, (5, 8, 7, 4))
    only_biases = plain_scores(0 * X, {**params, "W1": 0 * params["W1"], "b1": 0 * params["b1"]})
    cases = {
        (0.0, 0.0): (plain_scores(X, params), "Nothing is dropped here: data and scores are not either."),
        (1.0, 0.0): (only_biases, "Only the first hidden layer is empty here."),
        (0.0, 1.0): (np.tile(params["b3"], (6, 1)), "Only the second hidden layer is empty here."),
    }
    replies = {drop_probs: net(submission, X, params, training=True, drop_probs=drop_probs) for drop_probs in cases}
    observe(**{f"scores, {drop_probs}": scores for drop_probs, scores in replies.items()})
    for drop_probs, (expected, hint) in cases.items():
        what = f"scores in training, drop_probs = {drop_probs}"
        expect_close(replies[drop_probs], expected, what, rtol=1e-5, atol=1e-7, hint=hint, evidence=False)
    for drop_probs in ((1.0, 0.0), (0.0, 1.0)):
        scores = net(submission, X[:1], params, training=True, drop_probs=drop_probs)
        what = f"scores of a single picture in training, drop_probs = {drop_probs}"
        hint = "A single picture is no exception."
        expect_close(scores, cases[drop_probs][0][:1], what, rtol=1e-5, atol=1e-7, hint=hint)


@weight(1.5, needs=ANSWERS)
@stands_in()
def test_gradient(submission, reference, rng):
    """Autograd can take the gradients of the scores by every parameter.

    Taken without training, where no dropout is needed. If the submission's net calls its own dropout there all the
    same, and that is broken, nothing is judged here: it costs its own exercise.
    """
    sizes = (5, 8, 7, 4)
    X, params = rng.standard_normal((6, 5)), make_params(rng, sizes)
    with submission.standing_in({"dropout": reference.dropout}):
        array(net(submission, X, params), (6, 4), "scores")
    calls_it = calls_dropout(submission)
    dscores = rng.standard_normal((6, 4))
    through = of_autograd(submission, "make_vjp")(the_function(submission, "net"), 1)
    reply, error = attempt(through, X, params)
    read, unread = attempt(read_gradients, reply, dscores, "")
    excused = is_excused(submission, 0.0) and calls_it
    if (error or not right(reply, plain_scores(X, params))) and excused:
        return
    if error or unread:
        raise error or unread
    _, grads = read
    for name, expected in gradients(X, params, dscores).items():
        expect(name in grads, f"gradients: expected one by {name}, got none. {FOLLOW}")
        expect_close(grads[name], expected, f"gradient by {name}", rtol=1e-5, atol=1e-7, hint=FOLLOW)


def read_gradients(reply, dscores, when):
    """The scores and the gradients that autograd found on the way back through the net."""
    backward, scores = unpack(reply, ("gradients", "scores"), f"net under autograd{when}")
    grads = backward(dscores) if callable(backward) else None
    expect(isinstance(grads, dict), f"gradients{when}: expected autograd to follow net, it could not. {FOLLOW}")
    return scores, grads


@weight(1.5, needs=ANSWERS)
@stands_in()
def test_gradient_in_training(submission, reference, rng):
    """Autograd can take the gradients in training too, where units are dropped: forward_backward asks for them there.

    The submission's own dropout is at work, for autograd cannot follow a stand-in's. If it is broken, nothing is judged
    here: it costs its own exercise. It is no excuse for a net that autograd cannot follow where nothing is dropped.
    """
    X, params, dscores = rng.standard_normal((20, 5)), make_params(rng, (5, 8, 7, 4)), rng.standard_normal((20, 4))
    pair = (round(rng.uniform(0.15, 0.3), 3), round(rng.uniform(0.3, 0.45), 3))
    with submission.standing_in({"dropout": reference.dropout}):
        array(net(submission, X, params, training=True, drop_probs=pair), (20, 4), "scores in training")
        submission.calls.clear()
        net(submission, X, params)
    calls_it = calls_dropout(submission)
    asked = ((0.0, 0.0), pair)
    errors = [attempt(judge_gradients_in_training, submission, X, params, dscores, one)[1] for one in asked]
    excused = [is_excused(submission, *one) for one in asked]
    followed = attempt(judge_plain_gradients, submission, X, params, dscores)[1] is None
    first = next((place for place, error in enumerate(errors) if error), None)
    if first is not None and not (excused[first] and (followed or calls_it)):
        raise errors[first]


def calls_dropout(submission):
    """Whether the net called the dropout that stood in."""
    return any(call.name == "dropout" for call in submission.calls)


def judge_plain_gradients(submission, X, params, dscores):
    """Judge the gradients without training, by hand."""
    through = of_autograd(submission, "make_vjp")(the_function(submission, "net"), 1)
    _, grads = read_gradients(through(X, params), dscores, "")
    for name, expected in gradients(X, params, dscores).items():
        expect_close(grads[name], expected, f"gradient by {name}", rtol=1e-5, atol=1e-7, evidence=False)


def judge_gradients_in_training(submission, X, params, dscores, drop_probs):
    """Judge the gradients without reading the masks, by what holds for any mask and any factor.

    With a mask, each layer is still linear in its weights and biases together, and ReLU and dropout scale with their
    input. So, with <a, b> the sum of the products of all entries (Euler's theorem, a layer at a time):
    <dscores, scores> = <dW3, W3> + <db3, b3>, <dW3, W3> = <dW2, W2> + <db2, b2>, <dW2, W2> = <dW1, W1> + <db1, b1>.
    """
    when = " in training"
    through = of_autograd(submission, "make_vjp")(the_function(submission, "net"), 1)
    scores, grads = read_gradients(through(X, params, training=True, drop_probs=drop_probs), dscores, when)
    missing = ", ".join(sorted(set(params) - set(grads)))
    expect(not missing, f"gradients{when}: expected one by each parameter, got none by {missing}. {FOLLOW}")
    parts = {
        name: array(grads[name], value.shape, f"gradient by {name}{when}") * value for name, value in params.items()
    }
    above = array(scores, dscores.shape, f"scores{when}") * dscores
    for i in (3, 2, 1):
        here = parts[f"W{i}"].sum() + parts[f"b{i}"].sum()
        size = sum(float(np.abs(part).sum()) for part in (above, parts[f"W{i}"], parts[f"b{i}"]))
        fits = bool(abs(above.sum() - here) <= 1e-5 * size)
        observe(**{f"gradients of layer {i} fit, drop_probs {drop_probs}": fits})
        names = f"W{i} and b{i}"
        expect(
            fits,
            f"gradients{when}, by {names}: expected those of the scores that came with them, got others. In training "
            f"as otherwise everything between the parameters and the scores must be autograd's to see. {FOLLOW}",
        )
        above = parts[f"W{i}"]


def right(reply, expected):
    """Whether autograd's reply holds the scores that were expected."""
    scores, error = attempt(lambda: array(unpack(reply, ("gradients", "scores"), "net")[1], expected.shape))
    return error is None and np.allclose(scores, expected, rtol=1e-5)


def is_excused(submission, *drop_probs):
    """Whether the submission's own dropout is to blame: it does not work so, and lost the points of just that.

    It is asked either way: that it is must not tell how the exercise fared.
    """
    fine = [dropout_is_fine(submission, drop_prob) for drop_prob in drop_probs]
    checks = submission.judged.get("dropout")
    named = ("test_gradient", "test_nothing_dropped")
    paid = not checks or any(check.name in named and check.outcome != "passed" for check in checks)
    return paid and not all(fine)


def dropout_is_fine(submission, drop_prob):
    """Whether autograd can follow the submission's own dropout, and it does nothing at a drop probability of 0."""
    x = np.arange(1.0, 161.0).reshape(20, 8)

    def through():
        reply = of_autograd(submission, "make_vjp")(the_function(submission, "dropout"))(x, drop_prob)
        backward, out = unpack(reply, ("gradient", "out"), "dropout")
        slope = backward(x)
        out = array(out, x.shape)  # linear in x, entry by entry: the gradient at x itself is the output
        return (drop_prob > 0 or np.allclose(out, x)) and np.allclose(array(slope, x.shape), out)

    fine, error = attempt(through)
    return error is None and bool(fine)


def gradients(X, params, dscores):
    """The gradients of the plain net, by hand."""
    first, second = hidden(X, params)
    dsecond = (dscores @ params["W3"].T) * (second > 0)
    dfirst = (dsecond @ params["W2"].T) * (first > 0)
    return {
        "W3": second.T @ dscores, "b3": dscores.sum(axis=0),
        "W2": first.T @ dsecond, "b2": dsecond.sum(axis=0),
        "W1": X.T @ dfirst, "b1": dfirst.sum(axis=0),
    }  # fmt: skip


@weight(0.5, needs=ANSWERS)
def test_arguments_are_left_alone(submission, rng):
    """The pictures and the parameters are left as they were."""
    X, params = rng.standard_normal((6, 5)), make_params(rng, (5, 8, 7, 4))
    array(net(submission, X, params), (6, 4), "scores")
    calls = [((), {"training": training}) for training in (False, True)]
    X_after, params_after = arguments_after(submission, "net", (X, params), calls)
    params_after = entries(params_after, "params after the call", params)
    same = [np.array_equal(X_after, X), *(np.array_equal(params_after[name], params[name]) for name in params)]
    expect(all(same), "X and params after the call: expected them as they were, got others. Make new arrays.")
