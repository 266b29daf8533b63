"""gradlab: an auto-graded assignment kit for a deep-learning course; this package is the part that students use."""

from gradlab.check import check
from gradlab.data import (
    CIFAR10_CLASSES,
    FASHION_MNIST_CLASSES,
    get_CIFAR10_data,
    get_FashionMNIST_data,
)
from gradlab.gradients import eval_numerical_gradient, eval_numerical_gradient_array, rel_error
from gradlab.layers import (
    affine_backward,
    affine_forward,
    affine_relu_backward,
    affine_relu_forward,
    relu_backward,
    relu_forward,
    softmax_loss,
)
from gradlab.plots import (
    plot_curves,
    plot_distributions,
    plot_histories,
    plot_images,
    plot_losses,
    plot_masks,
    plot_paths,
)

__all__ = [
    "CIFAR10_CLASSES",
    "FASHION_MNIST_CLASSES",
    "affine_backward",
    "affine_forward",
    "affine_relu_backward",
    "affine_relu_forward",
    "check",
    "eval_numerical_gradient",
    "eval_numerical_gradient_array",
    "get_CIFAR10_data",
    "get_FashionMNIST_data",
    "plot_curves",
    "plot_distributions",
    "plot_histories",
    "plot_images",
    "plot_losses",
    "plot_masks",
    "plot_paths",
    "rel_error",
    "relu_backward",
    "relu_forward",
    "softmax_loss",
]
