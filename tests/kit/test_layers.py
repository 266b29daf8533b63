"""The given layers: values by hand, gradients against central differences."""

import numpy as np
import pytest

from gradlab import (
    affine_backward,
    affine_forward,
    affine_relu_backward,
    affine_relu_forward,
    eval_numerical_gradient,
    eval_numerical_gradient_array,
    rel_error,
    relu_backward,
    relu_forward,
    softmax_loss,
)


@pytest.fixture
def rng():
    """Random numbers that are the same in each run."""
    return np.random.default_rng(0)


def test_affine_flattens_each_example(rng):
    """(N, d1, d2) goes in, (N, M) comes out: each example is one row."""
    x, w, b = rng.normal(size=(3, 2, 4)), rng.normal(size=(8, 5)), rng.normal(size=5)
    out, _ = affine_forward(x, w, b)
    np.testing.assert_allclose(out, np.stack([example.ravel() @ w + b for example in x]))


def test_affine_gradients_are_the_numerical_ones(rng):
    """dx, dw and db, in the shapes of x, w and b."""
    x, w, b = rng.normal(size=(3, 2, 4)), rng.normal(size=(8, 5)), rng.normal(size=5)
    dout = rng.normal(size=(3, 5))
    grads = affine_backward(dout, affine_forward(x, w, b)[1])
    for value, grad in zip((x, w, b), grads, strict=True):
        assert rel_error(grad, eval_numerical_gradient_array(lambda _: affine_forward(x, w, b)[0], value, dout)) < 1e-7


def test_relu_cuts_off_at_zero_and_so_does_its_gradient():
    """Nothing negative passes, in either direction; at zero the gradient is zero."""
    x = np.array([[-2.0, 0.0, 3.0]])
    out, cache = relu_forward(x)
    assert out.tolist() == [[0, 0, 3]]
    assert relu_backward(np.array([[5.0, 6.0, 7.0]]), cache).tolist() == [[0, 0, 7]]


def test_affine_relu_is_affine_then_relu(rng):
    """The sandwich layer gives what its two parts give, forward and backward."""
    x, w, b = rng.normal(size=(3, 4)), rng.normal(size=(4, 5)), rng.normal(size=5)
    dout = rng.normal(size=(3, 5))
    out, cache = affine_relu_forward(x, w, b)
    np.testing.assert_array_equal(out, relu_forward(affine_forward(x, w, b)[0])[0])
    for value, grad in zip((x, w, b), affine_relu_backward(dout, cache), strict=True):
        assert (
            rel_error(grad, eval_numerical_gradient_array(lambda _: affine_relu_forward(x, w, b)[0], value, dout))
            < 1e-7
        )


def test_softmax_loss_has_its_numerical_gradient(rng):
    """dx is the gradient of the mean cross-entropy."""
    x, y = rng.normal(size=(6, 4)), rng.integers(4, size=6)
    loss, dx = softmax_loss(x, y)
    assert loss == pytest.approx(-np.mean(np.log((np.exp(x) / np.exp(x).sum(1, keepdims=True))[range(6), y])))
    assert rel_error(dx, eval_numerical_gradient(lambda x: softmax_loss(x, y)[0], x)) < 1e-6


def test_softmax_loss_stands_large_scores():
    """Scores of a thousand neither overflow nor give NaN."""
    loss, dx = softmax_loss(np.array([[1000.0, -1000.0]]), np.array([0]))
    assert loss == 0
    assert np.isfinite(dx).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_layers_keep_the_dtype(dtype):
    """A float32 net stays float32."""
    x, w, b = np.ones((2, 3), dtype), np.ones((3, 4), dtype), np.ones(4, dtype)
    out, cache = affine_relu_forward(x, w, b)
    assert out.dtype == dtype
    assert {grad.dtype for grad in affine_relu_backward(out, cache)} == {np.dtype(dtype)}
    assert softmax_loss(out, np.array([0, 1]))[1].dtype == dtype
