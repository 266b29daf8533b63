"""The instructor's dropout notebook reproduces the exact figures of the published one.

Students are not held to these figures: they may draw their masks in another way.
"""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
FACTS = {fact["id"]: fact for fact in json.loads((ROOT / "reference/published.json").read_text("utf-8"))["facts"]}


@pytest.fixture(scope="module")
def nb():
    """The names that the notebook's own code makes: setup, given and solution cells."""
    names = {}
    for cell in json.loads((ROOT / "source/dropout/dropout.ipynb").read_text("utf-8"))["cells"]:
        metadata = cell["metadata"]
        is_demo = metadata.get("gradlab", {}).get("demo", False)
        if cell["cell_type"] == "code" and not is_demo and not metadata["nbgrader"]["grade"]:
            exec("".join(cell["source"]), names)  # noqa: S102 - the instructor's own notebook
    return SimpleNamespace(**{name: value for name, value in names.items() if not name.startswith("__")})


def agree(got, fact):
    """Compare to the last digit, but for the units in the last place that summation order may move."""
    np.testing.assert_array_max_ulp(np.asarray(got), np.asarray(fact["value"]), maxulp=fact.get("ulps", 0))


def test_dropout_keeps_the_mean_and_zeroes_the_published_fractions(nb):
    """A1: means and fractions of zeros for p = 0.25, 0.4 and 0.7, drawn in turn from seed 231."""
    np.random.seed(231)
    x = np.random.randn(500, 500) + 10
    outs = [nb.dropout_forward(x, {"mode": "train", "p": p})[0] for p in (0.25, 0.4, 0.7)]
    agree(x.mean(), FACTS["A1.input_mean"])
    agree([out.mean() for out in outs], FACTS["A1.output_means"])
    agree([(out == 0).mean() for out in outs], FACTS["A1.zero_fractions"])


def test_dropout_changes_nothing_in_test_mode(nb):
    """A1: in test mode the output is the input, and no entry is zero."""
    np.random.seed(231)
    x = np.random.randn(500, 500) + 10
    for p in (0.25, 0.4, 0.7):
        out, _ = nb.dropout_forward(x, {"mode": "test", "p": p})
        np.testing.assert_array_equal(out, x)
        agree((out == 0).mean(), FACTS["A1.test_zero_fraction"])


def test_the_gradient_of_dropout_has_the_published_relative_error(nb):
    """A2: 5.44560814873387e-11, to the last digit."""
    np.random.seed(231)
    x = np.random.randn(10, 10) + 10
    dout = np.random.randn(*x.shape)
    param = {"mode": "train", "p": 0.2, "seed": 123}
    _, cache = nb.dropout_forward(x, param)
    dx = nb.dropout_backward(dout, cache)
    numerical = nb.eval_numerical_gradient_array(lambda x: nb.dropout_forward(x, param)[0], x, dout)
    agree(nb.rel_error(dx, numerical), FACTS["A2.dx_rel_error"])


def test_the_nets_have_the_published_losses_and_gradient_errors(nb):
    """A3: first losses to the last digit, relative errors as printed, for dropout = 1, 0.75, 0.5 in turn."""
    np.random.seed(231)
    X, y = np.random.randn(2, 15), np.random.randint(10, size=(2,))
    for published in FACTS["A3.nets"]["value"]:
        net = nb.FullyConnectedNet(
            [20, 30],
            input_dim=15,
            num_classes=10,
            weight_scale=5e-2,
            dtype=np.float64,
            dropout=published["dropout"],
            seed=123,
        )
        loss, grads = net.loss(X, y)
        errors = {}
        for name in sorted(grads):
            numerical = nb.eval_numerical_gradient(lambda _: net.loss(X, y)[0], net.params[name])  # noqa: B023
            errors[name] = f"{nb.rel_error(grads[name], numerical):.2e}"
        assert loss == published["loss"]
        assert errors == published["rel_errors"]


def test_the_experiment_takes_the_published_number_of_iterations(nb, capsys):
    """A4: 125 iterations and 26 accuracies of each kind."""
    np.random.seed(231)
    X, y = 64 * np.random.randn(520, 3, 32, 32), np.random.randint(10, size=520)
    data = {"X_train": X[:500], "y_train": y[:500], "X_val": X[500:], "y_val": y[500:]}
    solvers = nb.regularization_experiment(data, hidden_dim=10)
    for solver in solvers.values():
        assert len(solver.loss_history) == FACTS["A4.iterations"]["value"]
        assert len(solver.train_acc_history) == len(solver.val_acc_history) == 26
    assert "(iteration 101 / 125) loss:" in capsys.readouterr().out
