"""The course's data sets: CIFAR-10 and Fashion-MNIST, or synthetic data that needs no download."""

from gradlab.data.cifar10 import CIFAR10_CLASSES, get_CIFAR10_data
from gradlab.data.fashion_mnist import FASHION_MNIST_CLASSES, get_FashionMNIST_data

__all__ = ["CIFAR10_CLASSES", "FASHION_MNIST_CLASSES", "get_CIFAR10_data", "get_FashionMNIST_data"]
