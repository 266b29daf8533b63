"""Numerical gradients and the relative error."""

import numpy as np
import pytest

from gradlab import eval_numerical_gradient, eval_numerical_gradient_array, rel_error


def test_gradient_of_a_number():
    """Of the sum of squares, twice the entries; and x is as it was."""
    x = np.array([[1.0, -2.0], [0.5, 3.0]])
    before = x.copy()
    np.testing.assert_allclose(eval_numerical_gradient(lambda x: (x**2).sum(), x), 2 * x, rtol=1e-8)
    np.testing.assert_array_equal(x, before)


def test_gradient_of_an_array_weighs_by_df():
    """Each output counts with its entry of df."""
    x, df = np.array([1.0, 2.0]), np.array([3.0, -1.0])
    np.testing.assert_allclose(eval_numerical_gradient_array(np.exp, x, df), df * np.exp(x), rtol=1e-8)


def test_a_function_that_hands_back_its_argument():
    """The identity has gradient df, though f(x + h) and f(x − h) are one array."""
    x, df = np.ones(3), np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(eval_numerical_gradient_array(lambda x: x, x, df), df, rtol=1e-8)


def test_x_is_put_back_when_f_raises():
    """A failing function does not leave a moved entry behind."""
    x = np.ones(2)
    with pytest.raises(ZeroDivisionError):
        eval_numerical_gradient(lambda x: 1 // 0, x)
    assert x.tolist() == [1, 1]


def test_rel_error_by_hand():
    """|1 − 3| / (1 + 3) is a half; below 1e-8 the difference counts against 1e-8."""
    assert rel_error([1.0, 2.0], [3.0, 2.0]) == 0.5
    assert rel_error(0.0, 1e-9) == pytest.approx(0.1)
    assert np.isnan(rel_error(np.nan, 1.0))


def test_rel_error_refuses_to_broadcast():
    """A gradient of the wrong shape is an error, not a comparison."""
    with pytest.raises(ValueError, match=r"one shape, got \(3,\) and \(1, 3\)"):
        rel_error(np.ones(3), np.ones((1, 3)))
