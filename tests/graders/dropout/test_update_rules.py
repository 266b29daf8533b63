"""sgd_momentum, rmsprop and adam: next weights, and a config that carries the state to the next call.

Accepted: epsilon inside or outside the square root, Adam's t counted from 0 or from 1, w changed in place.
"""

import numpy as np

from gradlab_staff.grading import (
    alignment,
    array,
    attempt,
    entries,
    expect,
    expect_close,
    expect_one_of,
    function,
    number,
    observe,
    unpack,
    weight,
)

MEMORY = ("test_steps_follow",)

# --- The rules, in each form that is right -------------------------------------------------------------


def momentum_steps(grads, learning_rate=1e-2, momentum=0.9, velocity=0.0):
    """The change of w at every step."""
    steps = []
    for dw in grads:
        velocity = momentum * velocity - learning_rate * dw
        steps.append(velocity)
    return steps


def outside(square, epsilon):
    return np.sqrt(square) + epsilon


def inside(square, epsilon):
    return np.sqrt(square + epsilon)


def rmsprop_steps(grads, root=outside, learning_rate=1e-2, decay_rate=0.99, epsilon=1e-8, cache=0.0):
    steps = []
    for dw in grads:
        cache = decay_rate * cache + (1 - decay_rate) * dw**2
        steps.append(-learning_rate * dw / root(cache, epsilon))
    return steps


def adam_steps(grads, form="outside", learning_rate=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8, m=0.0, v=0.0, t=0):
    """`form` says where epsilon goes: outside or inside the root of v̂, or (as Adam's paper ends) outside that of v."""
    steps = []
    for dw in grads:
        t += 1
        m = beta1 * m + (1 - beta1) * dw
        v = beta2 * v + (1 - beta2) * dw**2
        m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
        late = (np.sqrt(v) + epsilon) / np.sqrt(1 - beta2**t)
        below = {"outside": outside(v_hat, epsilon), "inside": inside(v_hat, epsilon), "late": late}[form]
        steps.append(-learning_rate * m_hat / below)
    return steps


def rmsprop_forms(grads, **config):
    return [np.stack(rmsprop_steps(grads, root, **config)) for root in (outside, inside)]


def adam_forms(grads, t=0, counts=(0,), **config):
    forms = ("outside", "inside", "late")
    return [np.stack(adam_steps(grads, form, t=t - count, **config)) for count in counts for form in forms]


# --- The submission's rules ----------------------------------------------------------------------------


def run(rule, w, grads, config=None):
    """The change of w at every step, and the last config; each call gets what the call before returned.

    Without a config the first call has two arguments.
    """
    steps, rule = [], function(rule, "the rule")
    for dw in grads:
        arguments = (w.copy(), dw.copy(), *([] if config is None else [config]))
        next_w, config = unpack(rule(*arguments), ("next_w", "config"), "the rule")
        next_w = array(next_w, w.shape, "next_w")
        entries(config, "config")
        steps.append(next_w - w)
        w = next_w
    return np.stack(steps), config


def copied(config):
    """A config of the submission's own, so that a rule which works in place changes nothing of the grader's."""
    return {name: np.copy(value) if isinstance(value, np.ndarray) else value for name, value in config.items()}


def far_from_zero(rng, shape):
    return rng.choice([-1.0, 1.0], shape) * rng.uniform(0.5, 3.0, shape)


def several(rng, shape=(4, 3), count=5):
    """A w, and gradients, every other one of them large."""
    return rng.standard_normal(shape), [far_from_zero(rng, shape) * (1, 9)[step % 2] for step in range(count)]


# --- Momentum ------------------------------------------------------------------------------------------


@weight(1.5, needs=MEMORY)
def test_momentum_from_defaults(submission, rng):
    """sgd_momentum without a config makes five right steps with the default rates."""
    w, grads = several(rng)
    steps, _ = run(submission.sgd_momentum, w, grads)
    expect_close(steps, np.stack(momentum_steps(grads)), "changes of w by sgd_momentum", rtol=1e-6)


@weight(1, needs=MEMORY)
def test_momentum_with_config(submission, rng):
    """sgd_momentum takes learning rate, momentum and velocity from the config."""
    w, grads = several(rng)
    config = {"learning_rate": 0.07, "momentum": 0.6, "velocity": far_from_zero(rng, w.shape)}
    steps, _ = run(submission.sgd_momentum, w, grads, copied(config))
    expect_close(steps, np.stack(momentum_steps(grads, **config)), "changes of w by sgd_momentum", rtol=1e-6)


@weight(0.5, needs=MEMORY)
def test_momentum_keeps_its_velocity(submission, rng):
    """sgd_momentum leaves the new velocity in the config."""
    w, grads = several(rng, count=2)
    _, config = run(submission.sgd_momentum, w, grads, {"learning_rate": 0.07, "momentum": 0.6})
    expected = momentum_steps(grads, 0.07, 0.6)[-1]
    expect_close(entries(config, "config", ["velocity"])["velocity"], expected, "velocity", rtol=1e-6)


# --- RMSProp -------------------------------------------------------------------------------------------


@weight(1.5, needs=MEMORY)
def test_rmsprop_from_defaults(submission, rng):
    """rmsprop without a config makes five right steps with the default rates."""
    w, grads = several(rng)
    steps, _ = run(submission.rmsprop, w, grads)
    expect_one_of(steps, rmsprop_forms(grads), "changes of w by rmsprop", rtol=1e-6)


@weight(1, needs=MEMORY)
def test_rmsprop_with_config(submission, rng):
    """rmsprop takes learning rate, decay rate and cache from the config."""
    w, grads = several(rng)
    config = {"learning_rate": 0.03, "decay_rate": 0.8, "cache": far_from_zero(rng, w.shape) ** 2}
    steps, _ = run(submission.rmsprop, w, grads, copied(config))
    expect_one_of(steps, rmsprop_forms(grads, **config), "changes of w by rmsprop", rtol=1e-6)


@weight(0.5, needs=MEMORY)
def test_rmsprop_epsilon(submission, rng):
    """rmsprop takes epsilon from the config, 1e-8 if there is none; a zero gradient makes no step."""
    w, grads = several(rng)
    config = {"learning_rate": 0.03, "decay_rate": 0.8, "epsilon": 0.4}
    steps, _ = run(submission.rmsprop, w, grads, copied(config))
    expect_one_of(steps, rmsprop_forms(grads, **config), "changes of w with epsilon = 0.4", rtol=1e-6)
    tiny = [1e-7 * grads[0], 0.0 * grads[0]]
    steps, _ = run(submission.rmsprop, 0.0 * w, tiny)
    expect_one_of(steps, rmsprop_forms(tiny), "changes of w for tiny gradients", rtol=1e-5, atol=1e-12)


@weight(0.5, needs=MEMORY)
def test_rmsprop_keeps_its_cache(submission, rng):
    """rmsprop leaves the new cache in the config."""
    w, grads = several(rng, count=2)
    _, config = run(submission.rmsprop, w, grads, {"learning_rate": 0.03, "decay_rate": 0.8})
    expected = 0.8 * 0.2 * grads[0] ** 2 + 0.2 * grads[1] ** 2
    expect_close(entries(config, "config", ["cache"])["cache"], expected, "cache", rtol=1e-6)


# --- Adam ----------------------------------------------------------------------------------------------


@weight(1, needs=MEMORY)
def test_adam_first_step(submission, rng):
    """adam's first step is corrected for starting from zero: every entry moves by almost the learning rate."""
    w, grads = several(rng, count=1)
    steps, _ = run(submission.adam, w, grads)
    expect_one_of(steps, adam_forms(grads), "change of w at adam's first step", rtol=1e-6)


@weight(1, needs=MEMORY)
def test_adam_from_defaults(submission, rng):
    """adam without a config makes six right steps with the default rates."""
    w, grads = several(rng, count=6)
    steps, _ = run(submission.adam, w, grads)
    expect_one_of(steps, adam_forms(grads), "changes of w by adam", rtol=1e-6)


@weight(1, needs=MEMORY)
def test_adam_with_config(submission, rng):
    """adam takes learning rate, betas, m, v and t from the config."""
    w, grads = several(rng)
    config = {"learning_rate": 0.05, "beta1": 0.7, "beta2": 0.95}
    config |= {"m": far_from_zero(rng, w.shape), "v": far_from_zero(rng, w.shape) ** 2, "t": 4}
    steps, _ = run(submission.adam, w, grads, copied(config))
    # with t = 4 the next step is the fifth; to who counts from 1 and adds 1 afterwards it is the fourth
    expect_one_of(steps, adam_forms(grads, counts=(0, 1), **config), "changes of w by adam", rtol=1e-6)


@weight(0.5, needs=MEMORY)
def test_adam_epsilon(submission, rng):
    """adam takes epsilon from the config, 1e-8 if there is none; a zero gradient makes no step."""
    w, grads = several(rng)
    steps, _ = run(submission.adam, w, grads, {"epsilon": 0.4})
    expect_one_of(steps, adam_forms(grads, epsilon=0.4), "changes of w with epsilon = 0.4", rtol=1e-6, atol=1e-12)
    tiny = [1e-7 * grads[0], 1e-8 * grads[1]]
    steps, _ = run(submission.adam, 0.0 * w, tiny)
    expect_one_of(steps, adam_forms(tiny), "changes of w for tiny gradients", rtol=1e-5, atol=1e-12)
    steps, _ = run(submission.adam, w, [0.0 * w])
    expect_close(steps, np.zeros_like(steps), "change of w for a zero gradient")


@weight(0.5, needs=MEMORY)
def test_adam_keeps_its_state(submission, rng):
    """adam leaves the new m, v and t in the config."""
    w, grads = several(rng, count=3)
    _, config = run(submission.adam, w, grads, {"beta1": 0.7, "beta2": 0.95})
    state = entries(config, "config", ["m", "v", "t"])
    m = sum(0.3 * 0.7**age * dw for age, dw in enumerate(grads[::-1]))
    v = sum(0.05 * 0.95**age * dw**2 for age, dw in enumerate(grads[::-1]))
    expect_close(state["m"], m, "m", rtol=1e-6)
    expect_close(state["v"], v, "v", rtol=1e-6)
    t = number(state["t"], "t")
    expect(t in (3, 4), f"t: expected 3 after three steps (or 4, counted from 1), got {t:g}.")


# --- All three -----------------------------------------------------------------------------------------


def in_turns(rule, rng, forms):
    """Two parameters of different shapes, updated in turns, each with its own config."""
    first, second = several(rng, (3,), 3), several(rng, (2, 2, 2), 3)
    histories, configs = [[], []], [None, None]
    weights = [first[0], second[0]]
    for grads in zip(first[1], second[1], strict=True):
        for i, dw in enumerate(grads):
            step, configs[i] = run(rule, weights[i], [dw], configs[i])
            weights[i] = weights[i] + step[0]
            histories[i].append(step[0])
    for history, (_, grads) in zip(histories, (first, second), strict=True):
        expect_one_of(np.stack(history), forms(grads), "changes of w, two parameters in turns", rtol=1e-6)


def halved(rule, rng, forms):
    """A learning rate that changes between two steps, as the solver's decay does."""
    w, grads = several(rng, count=2)
    first, config = run(rule, w, grads[:1], {"learning_rate": 0.02})
    config = entries(config, "config", ["learning_rate"])
    rate = number(config["learning_rate"], "learning_rate")
    second, _ = run(rule, w + first[0], grads[1:], {**config, "learning_rate": rate / 2})
    return np.stack([first[0], second[0]]), forms(grads)


@weight(0.5, needs=MEMORY)
def test_momentum_of_two_parameters(submission, rng):
    """sgd_momentum keeps all its memory in the config: two parameters of any shape do not disturb each other."""
    in_turns(submission.sgd_momentum, rng, lambda grads: [np.stack(momentum_steps(grads))])


@weight(0.5, needs=MEMORY)
def test_rmsprop_of_two_parameters(submission, rng):
    """rmsprop keeps all its memory in the config: two parameters of any shape, and a learning rate that is halved."""
    in_turns(submission.rmsprop, rng, rmsprop_forms)
    got, forms = halved(submission.rmsprop, rng, lambda grads: rmsprop_forms(grads, learning_rate=0.02))
    expect_one_of(got, [form * [[[1.0]], [[0.5]]] for form in forms], "changes of w, learning rate halved", rtol=1e-6)


@weight(0.5, needs=MEMORY)
def test_adam_of_two_parameters(submission, rng):
    """adam keeps all its memory in the config: two parameters of any shape, and a learning rate that is halved."""
    in_turns(submission.adam, rng, adam_forms)
    got, forms = halved(submission.adam, rng, lambda grads: adam_forms(grads, learning_rate=0.02))
    expect_one_of(got, [form * [[[1.0]], [[0.5]]] for form in forms], "changes of w, learning rate halved", rtol=1e-6)


@weight(0.5, needs=MEMORY)
def test_single_precision(submission, rng):
    """All three rules work with weights in single precision (float32)."""
    w, grads = several(rng, count=2)
    w, grads = w.astype(np.float32), [dw.astype(np.float32) for dw in grads]
    wide = [dw.astype(np.float64) for dw in grads]
    expected = {
        "sgd_momentum": [np.stack(momentum_steps(wide))],
        "rmsprop": rmsprop_forms(wide),
        "adam": adam_forms(wide),
    }
    for name, forms in expected.items():
        # steps are small differences of numbers near 1, of which float32 keeps seven digits
        expect_one_of(
            run(getattr(submission, name), w, grads)[0], forms, f"changes of w by {name}", rtol=1e-3, atol=1e-6
        )


# --- Is there a rule? Last, lest a memory of it disturbs the others ------------------------------------


def follows(rule, w, grads, right):
    """Whether the steps follow from all gradients so far, as those of a rule do: more than a constant's or a sign's.

    The part that a step has in common with the sign of its own gradient, and with the gradient, is taken off.
    """
    came = asked_for(rule, w, grads)
    if came is None or not np.isfinite(came).all():
        return False
    return alignment(left_over(came, grads), left_over(right, grads)) > 0.3


def asked_for(rule, w, grads):
    """The steps of a rule, all of them asked for whatever comes; NaN from where no w came, None where it raises."""
    steps, config = [], None
    for dw in grads:
        reply, error = attempt(rule, w.copy(), dw.copy(), *([] if config is None else [config]))
        if error is not None:
            return None
        next_w, config = reply if isinstance(reply, tuple | list) and len(reply) == 2 else (None, None)
        came, wrong = attempt(array, next_w, w.shape, "next_w")
        came = np.full(w.shape, np.nan) if wrong else came
        steps.append(came - w)
        w = came
    return np.stack(steps)


def left_over(steps, grads):
    """What is left of steps less what their own gradients and signs explain."""
    own = np.stack([np.stack(grads).ravel(), np.sign(np.stack(grads)).ravel()], axis=1)
    return steps.ravel() - own @ np.linalg.lstsq(own, steps.ravel(), rcond=None)[0]


@weight(0.2)
def test_steps_follow(submission, rng):
    """The steps of one rule at least follow from the gradients before, and not from the last one alone.

    A rule that raises is none.
    """
    w, grads = several(rng, count=20)
    right = {"sgd_momentum": momentum_steps(grads), "rmsprop": rmsprop_steps(grads), "adam": adam_steps(grads)}
    found = [
        follows(function(getattr(submission, name), name), w, grads, np.stack(steps)) for name, steps in right.items()
    ]
    observe(follows=any(found))
    expect(any(found), "the rules: expected steps that follow from all gradients so far, got none such.")
