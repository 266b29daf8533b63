"""Gates stop answers without work, and nothing else: one slip costs what it spoils, and right work always passes."""

from pathlib import Path

import pytest

from gradlab_staff.audit.trials import Trial, try_out
from gradlab_staff.audit.variants import changed
from gradlab_staff.course import Course
from gradlab_staff.grading.verdict import ExerciseResult

COURSE = Course.find(Path(__file__))

STEP = "        for name in net.params:\n            net.params[name] -= learning_rate * grads[name]"
LAST = (
    "        for name in net.params:\n            step = learning_rate * grads[name]\n        net.params[name] -= step"
)
BIASES = "        for name in ('b1', 'b2'):\n            net.params[name] -= learning_rate * grads[name]"
MOMENTUM = """        for name in net.params:
            v[name] = 0.9 * v.get(name, 0) - learning_rate * grads[name]
            net.params[name] += v[name]"""
RARELY = """        if it % iterations_per_epoch == 0:
            for name in net.params:
                net.params[name] -= learning_rate * grads[name]"""
RULE = "            self.model.params[name], self.optim_configs[name] = self.update_rule(w, grads[name], config)"
LOOSE = RULE.replace("            self", "        self", 1)
STEPS = "params = {name: params[name] - step * grads[name] for name in params}"
MASK = "(np.random.rand(*x.shape) < p)"

SLIPS = {
    "last parameter only": ("two_layer_net", "train", [(STEP, LAST)], 0.5),
    "biases only": ("two_layer_net", "train", [(STEP, BIASES)], 0.5),
    "momentum": ("two_layer_net", "train", [(STEP, MOMENTUM), ("    for it in", "    v = {}\n    for it in")], 0.5),
    "a step an epoch": ("two_layer_net", "train", [(STEP, RARELY)], 0.5),
    "regulariser only": ("two_layer_net", "loss", [("return data_loss + reg", "return reg")], 0.5),
    "solver, last parameter only": ("dropout", "solver", [(RULE, LOOSE)], 0.5),
    "solver, step not kept": ("dropout", "solver", [("            self.model.params[name],", "            w,")], 0.45),
    "one draw for all": ("dropout", "dropout_forward", [(MASK, "(np.random.rand() < p)")], 0.5),
    "the mask returned": ("dropout", "dropout_forward", [("        out = x * mask", "        out = mask")], 0.5),
    "no comparison": ("dropout", "dropout_forward", [(MASK, "np.random.rand(*x.shape)")], 0.2),
    "training not done": ("dropout", "dropout_forward", [(MASK, "None")], 0.15),
    "drop, no comparison": ("inverted_dropout", "dropout", [(" < keep_prob", "")], 0.2),
    "weights only": (
        "inverted_dropout",
        "train_from_scratch",
        [(STEPS, STEPS.replace("step *", "(name == 'W1') * step *"))],
        0.5,
    ),
    "a seed that was bad": ("two_layer_net", "predict", [], 1.0),
    "large weights": (
        "dropout",
        "regularization_experiment",
        [("FullyConnectedNet([hidden_dim], ", "FullyConnectedNet([hidden_dim], weight_scale=5e-2, ")],
        0.75,
    ),
}
"""What is changed of the instructor's solution, and the least share of the exercise that is left."""

QUICK = ("regulariser only", "one draw for all", "drop, no comparison", "a seed that was bad")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.thorough]) for name in SLIPS]
)
def test_a_slip_costs_what_it_spoils(name):
    assignment, exercise, changes, least = SLIPS[name]
    source = changed(str(COURSE.root / "tests" / "graders" / assignment / "here"), exercise, *changes)
    trial = Trial(name, {exercise: source}, (exercise,), (212,))
    tried = try_out(COURSE.root, assignment, trial)
    assert not tried.error
    share = ExerciseResult(f"{assignment}/{exercise}", 1, tuple(tried.results[0][exercise])).share
    assert share >= least - 1e-9
