"""The public checks of dropout: fair to every correct style, plain about stubs and frequent mistakes."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "source/dropout"
EXERCISES = [
    "dropout_forward",
    "dropout_backward",
    "fully_connected_net",
    "update_rules",
    "solver",
    "overfit_small_data",
    "regularization_experiment",
]


def _code_cells():
    for cell in json.loads((FOLDER / "dropout.ipynb").read_text("utf-8"))["cells"]:
        metadata = cell["metadata"]
        is_demo = metadata.get("gradlab", {}).get("demo", False)
        if cell["cell_type"] == "code" and not is_demo and not metadata["nbgrader"]["grade"]:
            yield metadata["nbgrader"]["grade_id"], "".join(cell["source"])


@pytest.fixture(scope="module")
def instructor():
    """The instructor's names, and data for the exercise that wants some."""
    names = {}
    for _, source in _code_cells():
        exec(source, names)  # noqa: S102 - the instructor's own notebook
    rng = np.random.default_rng(0)
    X, y = 64 * rng.normal(size=(100, 3, 32, 32)), rng.integers(10, size=100)
    names["data"] = {"X_train": X[:50], "y_train": y[:50], "X_val": X[50:], "y_val": y[50:]}
    return names


@pytest.fixture
def verdict(instructor, monkeypatch, capsys):
    """Check an exercise with a cell run after the instructor's, and return what is printed."""
    monkeypatch.chdir(FOLDER)

    def run(exercise, cell=""):
        names = dict(instructor)
        for name, source in _code_cells():  # anew, so that its functions see the cell's names
            if name != "setup":
                exec(source, names)  # noqa: S102 - the instructor's own notebook
        exec(cell, names)  # noqa: S102 - the test's own cell
        exec(f"check({exercise!r})", names)  # noqa: S102 - as the notebook does
        return capsys.readouterr().out

    return run


@pytest.mark.parametrize("exercise", EXERCISES)
def test_the_instructors_solution_passes(verdict, exercise):
    """Every line is a ✓."""
    assert re.search(rf"{exercise}: (all \d+ checks|the check) passed\.\n$", verdict(exercise))


@pytest.mark.parametrize("exercise", EXERCISES)
def test_a_stub_is_not_attempted(instructor, monkeypatch, capsys, exercise):
    """With every blank a NotImplementedError, as released, the check says so and nothing else."""
    monkeypatch.chdir(FOLDER)
    names = {"data": instructor["data"]}
    for _, source in _code_cells():
        stub = re.sub(
            r"( *)### BEGIN SOLUTION (.*?)\n.*?### END SOLUTION",
            r"\1raise NotImplementedError('\2')",
            source,
            flags=re.DOTALL,
        )
        try:
            exec(stub, names)  # noqa: S102 - the instructor's own notebook
        except NotImplementedError:
            continue
    exec(f"check({exercise!r})", names)  # noqa: S102 - as the notebook does
    out = capsys.readouterr().out
    assert out.endswith(f"{exercise}: not attempted yet.\n")
    assert "✓" not in out


FORWARD = """
def dropout_forward(x, dropout_param):
    p, mode, seed = dropout_param["p"], dropout_param["mode"], dropout_param.get("seed")
    if seed is not None:
        np.random.seed(seed)
    if mode == "test":
        return {test}, (dropout_param, None)
    {draw}
    return {out}, (dropout_param, {cache})
"""
CORRECT_FORWARD = {
    "binomial": ("mask = np.random.binomial(1, p, size=x.shape) / p", "x * mask", "mask"),
    "boolean mask, scaled apart": ("mask = np.random.random_sample(x.shape) <= p", "x * mask / p", "mask / p"),
    "a generator": ("mask = (np.random.default_rng(seed).random(x.shape) < p) / p", "x * mask", "mask"),
    "choice": ("mask = np.random.choice([0, 1 / p], p=[1 - p, p], size=x.shape)", "x * mask", "mask"),
    "float32 mask": ("mask = (np.random.uniform(size=x.shape) > 1 - p).astype(np.float32)", "mask * x / p", "mask / p"),
    "where": ("mask = np.where(np.random.rand(*x.shape) < p, 1 / p, 0)", "np.where(mask > 0, x / p, 0)", "mask"),
}


@pytest.mark.parametrize("style", CORRECT_FORWARD)
@pytest.mark.parametrize("test_mode", ["x", "x.copy()"])
def test_any_way_to_draw_is_fine(verdict, style, test_mode):
    """However the mask is drawn, kept and scaled: dropout, its gradient and the net pass."""
    draw, out, cache = CORRECT_FORWARD[style]
    cell = FORWARD.format(draw=draw, out=out, cache=cache, test=test_mode)
    for exercise in ("dropout_forward", "dropout_backward", "fully_connected_net"):
        assert "✗" not in verdict(exercise, cell)


WRONG_FORWARD = {
    "p is the probability to drop": ("mask = (np.random.rand(*x.shape) > p) / (1 - p)", "x * mask", "x"),
    "not rescaled": ("mask = np.random.rand(*x.shape) < p", "x * mask", "x"),
    "normal draw": ("mask = (np.random.randn(*x.shape) < p) / p", "x * mask", "x"),
    "scaled at test time": ("mask = (np.random.rand(*x.shape) < p) / p", "x * mask", "p * x"),
    "scaled in place": ("mask = (np.random.rand(*x.shape) < p) / p; x *= mask", "x", "x"),
    "one mask for all": ("np.random.seed(0); mask = (np.random.rand(*x.shape) < p) / p", "x * mask", "x"),
}


@pytest.mark.parametrize("mistake", WRONG_FORWARD)
def test_frequent_mistakes_in_dropout_show(verdict, mistake):
    """Each gets a ✗ and a hint."""
    draw, out, test = WRONG_FORWARD[mistake]
    printed = verdict("dropout_forward", FORWARD.format(draw=draw, out=out, cache="mask", test=test))
    assert "✗" in printed
    assert "hint:" in printed


CORRECT_RULES = {
    "epsilon inside the root": """
def rmsprop(w, dw, config=None):
    config = {"learning_rate": 1e-2, "decay_rate": 0.99, "epsilon": 1e-8, "cache": 0 * w} | (config or {})
    config["cache"] = config["decay_rate"] * config["cache"] + (1 - config["decay_rate"]) * dw**2
    return w - config["learning_rate"] * dw / np.sqrt(config["cache"] + config["epsilon"]), config
""",
    "w changed in place": """
def sgd_momentum(w, dw, config=None):
    config = {"learning_rate": 1e-2, "momentum": 0.9, "velocity": 0 * w} | (config or {})
    config["velocity"] = config["momentum"] * config["velocity"] - config["learning_rate"] * dw
    w += config["velocity"]
    return w, config
""",
    "t starts at one and is used before it grows": """
def adam(w, dw, config=None):
    c = {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "m": 0 * w, "v": 0 * w, "t": 1}
    c |= config or {}
    c["m"] = c["beta1"] * c["m"] + (1 - c["beta1"]) * dw
    c["v"] = c["beta2"] * c["v"] + (1 - c["beta2"]) * dw**2
    step = c["m"] / (1 - c["beta1"] ** c["t"]) / (np.sqrt(c["v"] / (1 - c["beta2"] ** c["t"])) + c["epsilon"])
    c["t"] += 1
    return w - c["learning_rate"] * step, c
""",
}


@pytest.mark.parametrize("style", CORRECT_RULES)
def test_update_rules_in_other_styles_pass(verdict, style):
    """Where epsilon stands, whether w changes in place and from where t counts are a matter of style."""
    assert "✗" not in verdict("update_rules", CORRECT_RULES[style])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("config['t'] += 1", "pass"),
        ("config['t'] += 1", "config['t'] = 1"),
        ("/ (1 - beta1 ** config['t'])", ""),
        ("config['cache'] = rho * config['cache']", "config['cache'] = 0 * config['cache']"),
        ("config['velocity'] = config['momentum']", "config['velocity'] = 0.5"),
        ("config['learning_rate'] * m_hat", "1e-3 * m_hat"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning", "ignore:divide by zero:RuntimeWarning")
def test_frequent_mistakes_in_update_rules_show(verdict, old, new):
    """A forgotten correction, a state that is not kept, a constant for a setting: each gets a ✗."""
    assert "✗" in verdict("update_rules", _changed("update_rules_solution", old, new))


@pytest.mark.parametrize(
    ("exercise", "old", "new"),
    [
        ("fully_connected_net", "loss += 0.5 * self.reg", "loss += self.reg"),
        ("fully_connected_net", "grads[f'W{layer}'] += self.reg * W", "pass"),
        ("fully_connected_net", "for layer in range(1, last + 1):", "for layer in range(1, last):"),
        ("fully_connected_net", "dhidden = dropout_backward(dhidden, dropout_cache)", "pass"),
        ("fully_connected_net", "hidden, dropout_cache = dropout_forward(hidden, self.dropout_param)", "pass"),
        ("fully_connected_net", "= weight_scale * np.random.randn", "= np.random.randn"),
        ("solver", "batch = np.random.choice(self.X_train.shape[0], self.batch_size)", "batch = np.arange(7)"),
        ("solver", "self.loss_history.append(loss)", "pass"),
        ("solver", "config['learning_rate'] *= self.lr_decay", "pass"),
        ("solver", "t == 0 or epoch_ends", "epoch_ends"),
        ("solver", "self.model.params = self.best_params", "pass"),
        (
            "solver",
            "{name: w.copy() for name, w in self.model.params.items()}\n        self",
            "self.model.params\n        self",
        ),
        ("solver", "np.argmax(self.model.loss", "np.argmin(self.model.loss"),
        ("regularization_experiment", "dropout=dropout", ""),
        ("regularization_experiment", "num_epochs=num_epochs", "num_epochs=3"),
        ("regularization_experiment", "solvers[dropout].train()", "pass"),
        ("overfit_small_data", "3e-3", "3e-5"),
    ],
)
def test_frequent_mistakes_show(verdict, exercise, old, new):
    """Each gets a ✗ in the check of its own exercise."""
    assert "✗" in verdict(exercise, _changed(f"{exercise}_solution", old, new))


def _changed(cell, old, new):
    source = dict(_code_cells())[cell]
    old = old.replace("'", '"')
    assert old in source, "the mistake no longer fits the instructor's text"
    return source.replace(old, new)
