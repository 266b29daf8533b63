"""The blocks of the concise net: layers, their order and names, and what the trainer does to them."""

import subprocess
import sys

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad

from gradlab import softmax_loss
from gradlab.blocks import Dense, Dropout, Sequential, Trainer


@pytest.fixture(autouse=True)
def _seeded():
    np.random.seed(0)


def data(train=40, test=20, features=6, classes=3):
    """Clouds of points around a mean for each class."""
    rng = np.random.default_rng(1)
    means = 2 * rng.normal(size=(classes, features))
    y_train, y_test = rng.integers(classes, size=train), rng.integers(classes, size=test)
    return {
        "X_train": means[y_train] + 0.3 * rng.normal(size=(train, features)),
        "y_train": y_train,
        "X_test": means[y_test] + 0.3 * rng.normal(size=(test, features)),
        "y_test": y_test,
    }


def test_importing_gradlab_does_not_import_autograd():
    """Only the blocks need it."""
    code = "import sys, gradlab; sys.exit('autograd' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("activation", ["relu", None])
def test_dense(activation):
    """X @ W + b, cut at 0 by relu and by nothing else."""
    layer = Dense(4, 3, activation)
    layer.params["b"] += 0.01
    X = np.random.randn(50, 4)
    out = X @ layer.params["W"] + layer.params["b"]
    np.testing.assert_allclose(layer(X, layer.params, True), np.maximum(out, 0) if activation else out)


def test_dense_starts_small():
    """Weights are normal with σ = 0.01, or as asked; biases are 0; both are float32."""
    for sd in (0.01, 0.3):
        params = Dense(200, 300, sd=sd).params
        assert params["W"].std() == pytest.approx(sd, rel=0.02)
        assert not params["b"].any()
        assert {value.dtype for value in params.values()} == {np.dtype("float32")}


def test_dense_refuses_an_unknown_activation():
    """The message says which there are."""
    with pytest.raises(ValueError, match="expected the activation 'relu' or None, got 'tanh'"):
        Dense(2, 2, "tanh")


@pytest.mark.parametrize("drop_prob", [0.2, 0.75])
def test_dropout_while_training(drop_prob):
    """Entries are dropped at drop_prob; what stays is divided by 1 − drop_prob."""
    out = Dropout(drop_prob)(np.full((200, 500), 3.0), {}, True)
    assert np.mean(out == 0) == pytest.approx(drop_prob, abs=0.01)
    np.testing.assert_allclose(out[out != 0], 3 / (1 - drop_prob))


def test_dropout_at_its_ends_and_at_test_time():
    """0 changes nothing, 1 leaves nothing, and outside training any changes nothing."""
    X = np.ones((3, 4))
    assert Dropout(0)(X, {}, True) is X
    assert not Dropout(1)(X, {}, True).any()
    assert Dropout(0.5)(X, {}, False) is X


@pytest.mark.parametrize("drop_prob", [-0.1, 1.1, float("nan")])
def test_dropout_refuses_what_is_no_probability(drop_prob):
    """The message names the number."""
    with pytest.raises(ValueError, match=f"expected a probability from 0 to 1, got {drop_prob}"):
        Dropout(drop_prob)


def test_sequential_numbers_the_layers_that_learn():
    """Dropout layers have no number."""
    net = Sequential(Dropout(0.1), Dense(4, 5), Dropout(0.5), Dense(5, 2))
    assert {name: value.shape for name, value in net.params.items()} == {
        "W1": (4, 5),
        "b1": (5,),
        "W2": (5, 2),
        "b2": (2,),
    }


def test_sequential_computes_with_what_its_params_are():
    """Replaced params count at once; params that are handed in count for that call."""
    net = Sequential(Dense(2, 2), Dense(2, 2))
    X, eye = np.arange(6.0).reshape(3, 2), np.eye(2)
    net.params = {"W1": eye, "b1": np.zeros(2), "W2": eye, "b2": np.ones(2)}
    np.testing.assert_array_equal(net(X), X + 1)
    np.testing.assert_array_equal(net(X, params={**net.params, "b2": np.zeros(2)}), X)


def test_sequential_drops_only_while_training():
    """Without training = True two calls agree."""
    net = Sequential(Dense(30, 30, sd=1), Dropout(0.5), Dense(30, 2, sd=1))
    X = np.random.randn(5, 30)
    np.testing.assert_array_equal(net(X), net(X))
    assert not np.array_equal(net(X, training=True), net(X, training=True))


def test_autograd_follows_a_net():
    """The gradient by a weight is that of the affine layer."""
    net = Sequential(Dense(4, 3))
    X = np.random.randn(5, 4)
    grads = grad(lambda params: anp.sum(net(X, params=params)))(net.params)
    np.testing.assert_allclose(grads["W1"], np.tile(X.sum(axis=0)[:, None], 3), rtol=1e-6)


def test_a_step_is_gradient_descent_on_the_cross_entropy():
    """One epoch of one batch moves W by −lr times the mean gradient; the history has the loss before it."""
    net, clouds = Sequential(Dense(6, 3)), data()
    X, y = clouds["X_train"], clouds["y_train"]
    loss, dscores = softmax_loss(X @ net.params["W1"] + net.params["b1"], y)
    expected = net.params["W1"] - 0.3 * X.T @ dscores
    trainer = Trainer(net, lr=0.3, batch_size=40)
    trainer.fit(clouds, num_epochs=1)
    np.testing.assert_allclose(net.params["W1"], expected, atol=1e-6)
    assert trainer.loss_history == [pytest.approx(loss, rel=1e-5)]


def test_a_smaller_minibatch_makes_a_smaller_step():
    """The mean gradient of 40 images in a minibatch of 100 counts as 40 of 100."""
    clouds = data()
    moves = []
    for batch_size in (40, 100):
        np.random.seed(0)
        net = Sequential(Dense(6, 3))
        start = net.params["b1"]
        Trainer(net, lr=0.3, batch_size=batch_size).fit(clouds, num_epochs=1)
        moves.append(net.params["b1"] - start)
    np.testing.assert_allclose(moves[1], 0.4 * moves[0], rtol=1e-5)


def test_training_learns():
    """Clouds that are far apart are separated, and the histories have an entry an epoch."""
    net, clouds = Sequential(Dense(6, 8, "relu", sd=0.3), Dropout(0.2), Dense(8, 3, sd=0.3)), data()
    trainer = Trainer(net, lr=0.5, batch_size=16)
    trainer.fit(clouds, num_epochs=20)
    assert [len(h) for h in (trainer.loss_history, trainer.train_acc_history, trainer.test_acc_history)] == [20] * 3
    assert trainer.test_acc_history[-1] == np.mean(net(clouds["X_test"]).argmax(axis=1) == clouds["y_test"]) > 0.9
    assert trainer.loss_history[-1] < trainer.loss_history[0] / 2
