"""The search: train several settings, keep the net with the best validation accuracy.

`tune` is run on data of the grader's own, and the reference's TwoLayerNet stands in, so it trains as it should. No
claim is believed: the grader takes the parameters of best_net out and measures, on examples that tune has never seen.

The data lie in 48 dimensions, with the spectrum and the length of CIFAR-10's pictures, so the settings that are good
there are good here, at 1/64 of the cost. One setting alone, with 400 iterations, ten draws of the data, lowest to
highest: learning rate 1e-4, 0.15 to 0.23; 3e-4, 0.38 to 0.61; 5e-4, 0.73 to 0.84; 1e-3, 0.88 to 0.92; 2e-3, 0.92 to
0.94. Batches of 100 to 500, 10 to 200 hidden units and reg up to 2 give 0.75 to 0.93 at 1e-3. An instructor who changes
GOAL changes what is asked.

How the nets are trained is read from the calls that the stand-in gets. A search with a training of its own makes no
such calls: then only what it returns counts.
"""

import inspect
from collections import Counter
from dataclasses import dataclass

import numpy as np

from gradlab_staff.grading import (
    CheckFailed,
    alignment,
    array,
    attempt,
    centred,
    entries,
    expect,
    function,
    instance,
    number,
    observe,
    stands_in,
    time_limit,
    unpack,
    weight,
)

CALLS = 50_000  # a training of one's own asks for each minibatch's loss
pytestmark = stands_in("TwoLayerNet", calls=CALLS)

LEARNS = ("test_the_net_learns",)

GOAL, HALF_WAY = 0.7, 0.35
"""Full marks, and some. The instructor sets them for the data in use: these; 0.48 is asked on all of CIFAR-10."""

D, C = 48, 10
LENGTH = 3400.0  # of a picture of 3,072 pixels, less the mean picture
SIGNAL = 0.6  # how far an example is drawn to one of its class's three centres
SLACK = 0.04  # an accuracy taken from an epoch before the last is fine
ITERATIONS = 121
"""One more than 120: so the last accuracy in a history of epochs of 8, 20 or 40 iterations is the last net's own."""


class World:
    """Where examples come from: three clouds a class, in directions of falling size, as in pictures."""

    def __init__(self, rng):
        self.rng = rng
        sizes = np.arange(1, D + 1) ** -0.75
        self.sizes = LENGTH * sizes / np.linalg.norm(sizes)
        self.turn = np.linalg.qr(rng.standard_normal((D, D)))[0]
        self.centres = rng.standard_normal((C, 3, D))

    def draw(self, count):
        y = self.rng.permutation(count) % C
        near = self.centres[y, self.rng.integers(3, size=count)]
        z = SIGNAL * near + np.sqrt(1 - SIGNAL**2) * self.rng.standard_normal((count, D))
        return (z * self.sizes) @ self.turn, y


def search(submission, train, val, num_iters):
    """What tune returns, as (parameters of best_net, accuracies that results holds)."""
    reply = function(submission.tune, "tune")(*train, *val, num_iters=num_iters)
    best_net, results = unpack(reply, ("best_net", "results"), "tune")
    results = entries(results, "results")
    accuracies = [number(value, "an accuracy in results", finite=False) for value in results.values()]
    return parameters(best_net, "best_net"), accuracies


def parameters(net, what):
    params = entries(instance(net, what).params, f"params of {what}", ("W1", "b1", "W2", "b2"))
    W1 = array(params["W1"], what="W1", finite=False)
    expect(W1.ndim == 2 and W1.shape[0] == D, f"W1 of {what}: expected {D} rows, one a feature, got shape {W1.shape}.")
    H = W1.size // D
    shapes = {"W1": (D, H), "b1": (H,), "W2": (H, C), "b2": (C,)}
    return {name: array(params[name], shape, f"{name} of {what}", finite=False) for name, shape in shapes.items()}


def accuracy(params, examples):
    """The share of examples that a net with these parameters predicts rightly, by the grader's own forward pass."""
    X, y = examples
    with np.errstate(all="ignore"):
        scores = np.maximum(X @ params["W1"] + params["b1"], 0) @ params["W2"] + params["b2"]
    return float((scores.argmax(axis=1) == y).mean())


def calls_of(submission, method):
    return [call for call in getattr(submission, "calls", []) if call.name == "TwoLayerNet" and call.method == method]


def trained(submission):
    """The nets that were trained, where the reference's class stood in for the student's."""
    return list({id(call.target): call.target for call in calls_of(submission, "train")}.values())


def judge_choice(submission, params, accuracies, val):
    """Fail unless no other setting of the search was better on the validation data."""
    expect(accuracies, "results: expected the accuracy of each setting, got none.")
    measured = accuracy(params, val)
    found = [attempt(lambda net=net: accuracy(parameters(net, "a net"), val))[0] for net in trained(submission)]
    rivals = [value for value in [*accuracies, *found] if value is not None and np.isfinite(value)]
    best = max(rivals, default=0.0)
    observe(measured=measured, best=best, settings=len(accuracies))
    message = (
        f"best_net: expected the best of the search, validation accuracy {best:.3f}, got a net with {measured:.3f}."
    )
    expect(measured >= best - SLACK, message + " Which net do you keep, and by which accuracy?")
    return measured


@weight(0.2)
def test_the_net_learns(submission, rng):
    """best_net has learnt something, however little: its scores have something in common with the labels.

    Over examples that it never saw, in five worlds together: 0 ± 0.014 for nets that were never trained, and
    0.16 ± 0.010 or more after 80 iterations at learning rates of 1e-4 to 4e-4, which are too small; of 10 hidden units
    0.146 ± 0.009.
    """
    seen = []
    for _ in range(5):
        world = World(rng)
        params, _ = search(submission, world.draw(1000), world.draw(500), 80)
        seen.append((world.draw(10_000), params))
    alike = alignment([unit_scores(params, X) for (X, _), params in seen], [np.eye(C)[y] - 1 / C for (_, y), _ in seen])
    observe(learns=bool(alike > 0.09))
    expect(alike > 0.09, "best_net: expected a trained net, got one whose scores have nothing to do with the labels.")


def unit_scores(params, X):
    """A net's scores, less the mean of each example and of each class, as a whole of length 1; or zeros."""
    with np.errstate(all="ignore"):
        scores = np.maximum(X @ params["W1"] + params["b1"], 0) @ params["W2"] + params["b2"]
        scores = centred(scores)
        scores /= np.linalg.norm(scores)
    return scores if np.isfinite(scores).all() else np.zeros(scores.shape)


@weight(1, needs=(*LEARNS, "test_settings_differ"))
def test_result(submission, rng):
    """tune returns the best net and the accuracies of at least four settings, for data of any number of features.

    It counts only where settings were tried: anybody can write four numbers down.
    """
    world = World(rng)
    _, accuracies = search(submission, world.draw(400), world.draw(100), 3)
    observe(settings=len(accuracies))
    expect(len(accuracies) >= 4, f"results: expected at least 4 settings, got {len(accuracies)}.")
    inside = all(0 <= value <= 1 for value in accuracies)
    expect(inside, "results: expected accuracies, from 0 to 1, got other numbers.")


# --- How the nets are trained --------------------------------------------------------------------------


@dataclass(frozen=True)
class Setting:
    """What a net was made and trained with; of several trainings on end, the means."""

    hidden_size: float
    std: float
    learning_rate: float
    reg: float
    batch_size: float
    learning_rate_decay: float
    num_iters: float
    total: float
    """All iterations together."""


NEAR = ("hidden_size", "std", "learning_rate", "reg", "batch_size")
"""Settings within a tenth in all of these are the same but for luck, unless they differ in what follows."""
ELSE = ("learning_rate_decay", "num_iters")


def settings_of(submission, reference, rng, num_iters):
    """The setting of each net that a small search trains; none where the search trains nets in a way of its own.

    Such a training asks for a loss in each iteration, for each of four settings. Fewer are a stray, and tell nothing.
    """
    world = World(rng)
    train, val = world.draw(200), world.draw(50)
    with submission.standing_in({"TwoLayerNet": reference.TwoLayerNet}, calls=CALLS):
        _, error = attempt(search, submission, train, val, num_iters)
        made = {id(call.result): call for call in calls_of(submission, "__init__")}
        nets = trained(submission)
        found = [
            attempt(setting_of, reference.TwoLayerNet, made.get(id(net)), calls)[0]
            for net in nets
            if (calls := [call for call in calls_of(submission, "train") if call.target is net])
        ]
        losses = [call for call in calls_of(submission, "loss") if len(call.args) + len(call.kwargs) > 1]
        by_itself = Counter(id(call.target) for call in losses if all(call.target is not net for net in nets))
        others = sum(count // num_iters for count in by_itself.values()) >= 4
        getattr(submission, "calls", []).clear()
    if isinstance(error, CheckFailed):
        expect(False, str(error))
    elif error is not None:
        search(submission, train, val, num_iters)  # with a net of the student's own: nobody pays for not fitting ours
    return [] if error is not None or others or None in found else found


def setting_of(net_class, made, calls):
    size = told(net_class.__init__, made) if made else {"hidden_size": 0, "std": 0}
    runs = [{**size, **told(net_class.train, call)} for call in calls]
    total = float(sum(run["num_iters"] for run in runs))
    means = {name: sum(float(run[name]) for run in runs) / len(runs) for name in NEAR + ELSE}
    return Setting(**means, total=total)


def told(method, call):
    """The arguments of a call by name, with those that the method's signature fills in."""
    bound = inspect.signature(method).bind(None, *call.args, **call.kwargs)
    bound.apply_defaults()
    return bound.arguments


@weight(1, needs=LEARNS)
@stands_in()
def test_num_iters_is_passed_on(submission, reference, rng):
    """Nets are trained for the number of iterations that tune is told."""
    for num_iters in (10, 20):
        settings = settings_of(submission, reference, rng, num_iters)
        counts = sorted({int(count) for setting in settings for count in (setting.num_iters, setting.total)})
        observe(**{f"iterations of {num_iters}": counts})
        came = ", ".join(map(str, counts[:5]))
        message = f"num_iters = {num_iters}: expected nets trained for so many iterations, got {came}."
        expect(not settings or num_iters in counts, message + " Pass num_iters on to net.train.")


@weight(1, needs=LEARNS)
@stands_in()
def test_settings_differ(submission, reference, rng):
    """At least four settings are tried, and they differ in more than luck.

    Of three searches all settings count together. Four learning rates at random, from a range of a factor of 4 and on a
    logarithmic scale, are within a tenth of each other in all three with at most 12 · (ln 1.1 / ln 4)^11 = 2e-12.
    """
    found = [settings_of(submission, reference, rng, 4) for _ in range(3)]
    settings = {setting for some in found for setting in some}
    observe(settings=min(len(settings), 4))
    if all(found):
        message = f"settings: expected nets trained with at least 4 different ones, got {len(settings)}."
        expect(len(settings) >= 4, message + " The same setting once more differs in luck only.")
        expect(differ(settings), "settings: expected them to differ in more than luck, got all within a tenth.")


def differ(settings):
    """Whether settings differ by more than a tenth somewhere, or in the decay or the iterations at all."""
    if len({(setting.learning_rate_decay, setting.num_iters, setting.total) for setting in settings}) > 1:
        return True
    ranges = [[getattr(setting, name) for setting in settings] for name in NEAR]
    return any(max(values) > 1.1 * min(values) for values in ranges)


# --- What comes out ------------------------------------------------------------------------------------


@weight(2, needs=LEARNS)
@time_limit(120)
def test_the_best_net_is_kept(submission, rng):
    """best_net is the one with the highest validation accuracy, and results holds these accuracies."""
    world = World(rng)
    train, val = world.draw(4000), world.draw(1000)
    params, accuracies = search(submission, train, val, ITERATIONS)
    measured = judge_choice(submission, params, accuracies, val)
    claimed = max(accuracies)
    told = f"expected validation accuracies, at most about {measured:.3f}, got {claimed:.3f}"
    expect(claimed <= measured + SLACK, f"results: {told}.")
    least = f"expected the validation accuracy of best_net among them, about {measured:.3f}, got {claimed:.3f} at most"
    expect(claimed >= measured - SLACK, f"results: {least}.")


@weight(2, needs=LEARNS)
@time_limit(120)
def test_validation_data_choose(submission, rng):
    """The validation data choose the net: they are not trained on, and training accuracy does not count.

    These validation examples have other labels than the training data would give them: who learns those well
    does badly here, by 0.08 ± 0.02, which in 6 worlds of 100 is within the slack. Of four worlds each has to pass.
    """
    for _ in range(4):
        getattr(submission, "calls", []).clear()  # the nets of the world before are no rivals in this one
        world = World(rng)
        train, (X_val, y_val) = world.draw(4000), world.draw(1000)
        val = X_val, (y_val + 1) % C
        params, accuracies = search(submission, train, val, ITERATIONS)
        measured = accuracy(params, val)
        message = "best_net: it knows labels that only the validation data hold. Train on the training data alone."
        expect(measured < 0.5, message)
        judge_choice(submission, params, accuracies, val)


def judge_goal(submission, rng, goal):
    world = World(rng)
    params, _ = search(submission, world.draw(8000), world.draw(1000), 400)
    reached = accuracy(params, world.draw(4000))
    observe(reached=reached)
    message = f"best_net: expected an accuracy of at least {goal} on examples that tune never saw, got {reached:.3f}."
    expect(reached >= goal, f"{message} Try other learning rates first: some factors of 2 to 10 up and down.")


@weight(1, needs=LEARNS)
@time_limit(120)
def test_half_way(submission, rng):
    """The search finds a net that learns something: it is right for 35 % of the examples."""
    judge_goal(submission, rng, HALF_WAY)


@weight(4, needs=LEARNS)
@time_limit(120)
def test_goal(submission, rng):
    """The search finds a net that reaches the goal: it is right for 70 % of the grader's examples."""
    judge_goal(submission, rng, GOAL)
