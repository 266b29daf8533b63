"""The instructor's two-layer net reproduces the exact figures of the published one; so does the faulty solution.

Students are not held to these figures: they may draw minibatches in another way.
"""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
FACTS = {
    fact["id"]: fact["value"] for fact in json.loads((ROOT / "reference/published.json").read_text("utf-8"))["facts"]
}
REGULARISER = "2 * reg * params"


def names(change=("", "")):
    """The names that the notebook's own code makes, with one change to the text of the gradients' solution cell."""
    found = {}
    for cell in json.loads((ROOT / "source/two_layer_net/two_layer_net.ipynb").read_text("utf-8"))["cells"]:
        metadata, source = cell["metadata"], "".join(cell["source"])
        is_demo = metadata.get("gradlab", {}).get("demo", False)
        if cell["cell_type"] != "code" or is_demo or metadata["nbgrader"]["grade"]:
            continue
        if metadata["nbgrader"]["grade_id"] == "gradients_solution" and change[0]:
            assert source.count(change[0]) == 2, "the mistake no longer fits the instructor's text"
            source = source.replace(*change)
        exec(source, found)  # noqa: S102 - the instructor's own notebook
    return SimpleNamespace(**{name: value for name, value in found.items() if not name.startswith("__")})


@pytest.fixture(scope="module")
def nb():
    """The instructor's notebook."""
    return names()


@pytest.fixture(scope="module")
def faulty():
    """The same with the published mistake: the factor 2 is missing in the gradient of the regulariser."""
    return names((REGULARISER, REGULARISER.removeprefix("2 * ")))


def toy(nb):
    """The published toy net and its data."""
    np.random.seed(0)
    net = nb.TwoLayerNet(4, 10, 3, std=1e-1)
    np.random.seed(1)
    return net, 10 * np.random.randn(5, 4), np.array([0, 1, 2, 2, 1])


def gradient_errors(nb):
    """The relative error of each gradient, as the published notebook prints it."""
    net, X, y = toy(nb)
    _, grads = net.loss(X, y, reg=0.05)
    errors = {}
    for name in grads:
        slopes = nb.eval_numerical_gradient(lambda _: net.loss(X, y, reg=0.05)[0], net.params[name])
        errors[name] = nb.rel_error(slopes, grads[name])
    return errors


def final_loss(nb):
    """The last loss of the published training: net from seed 0, then train."""
    _, X, y = toy(nb)
    np.random.seed(0)
    net = nb.TwoLayerNet(4, 10, 3, std=1e-1)
    stats = net.train(X, y, X, y, learning_rate=1e-1, reg=5e-6, num_iters=100, verbose=False)
    assert len(stats["loss_history"]) == 100
    return stats["loss_history"][-1]


def test_scores(nb):
    """C1: all digits printed, and the summed difference to them."""
    net, X, _ = toy(nb)
    scores = net.loss(X)
    np.testing.assert_array_equal(scores.round(8), FACTS["C1.scores"])
    difference = np.abs(scores - FACTS["C1.scores"]).sum()
    assert f"{difference:.2e}" == f"{FACTS['C1.scores_difference']:.2e}"


def test_loss(nb):
    """C2: the loss differs by less than 1e-12."""
    net, X, y = toy(nb)
    loss, _ = net.loss(X, y, reg=0.05)
    assert abs(loss - FACTS["C2.loss"]) < 1e-12


def test_gradients(nb):
    """C3: every relative error is below 1e-8."""
    errors = gradient_errors(nb)
    assert sorted(errors) == ["W1", "W2", "b1", "b2"]
    assert max(errors.values()) < FACTS["C3.max_rel_error"]


def test_the_faulty_gradients_are_the_published_ones(faulty):
    """C3: without the factor 2, W2 prints 3.333333e-01 and W1 8.002490e-01; b1 and b2 are fine."""
    errors = gradient_errors(faulty)
    assert {name: f"{errors[name]:.6e}" for name in ("W2", "W1")} == FACTS["C3.faulty_rel_errors"]
    assert max(errors["b1"], errors["b2"]) < FACTS["C3.max_rel_error"]


def test_training(nb):
    """C4: 0.0171496079387, to all digits printed, and below 0.02."""
    loss = final_loss(nb)
    assert round(loss, 13) == FACTS["C4.final_loss"]
    assert loss < FACTS["C4.bound"]


def test_training_with_faulty_gradients_ends_almost_there(faulty):
    """C4: 0.0171490858377: a final loss alone cannot distinguish the two."""
    loss = final_loss(faulty)
    assert round(loss, 13) == FACTS["C4.faulty_final_loss"]
    assert loss < FACTS["C4.bound"]


def test_the_first_loss_on_pictures(nb):
    """C5: ln 10 and a little for the regulariser; the digits beyond 2.3029 are the weights' and the pictures' own."""
    np.random.seed(0)
    net = nb.TwoLayerNet(3072, 50, 10)
    X, y = 64 * np.random.randn(200, 3072), np.random.randint(10, size=200)
    loss, _ = net.loss(X, y, reg=0.25)
    assert abs(loss - FACTS["C5.first_training"]["loss at 0"]) < 1e-4
