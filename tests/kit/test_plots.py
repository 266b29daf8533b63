"""The pictures: what is drawn, and the title that claims it."""

import subprocess
import sys
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pytest

mpl.use("Agg")

import matplotlib.pyplot as plt

from gradlab import plot_curves, plot_distributions, plot_histories, plot_images, plot_losses, plot_masks, plot_paths

RUN = SimpleNamespace(loss_history=[2.0, 1.0, 0.5], train_acc_history=[0.1, 0.5, 0.9], val_acc_history=[0.1, 0.2, 0.3])


@pytest.fixture(autouse=True)
def _no_open_figures():
    plt.close("all")
    yield
    plt.close("all")


@pytest.mark.parametrize(
    ("part", "label", "values"),
    [
        ("train", "training accuracy (fraction)", RUN.train_acc_history),
        ("val", "validation accuracy (fraction)", RUN.val_acc_history),
    ],
)
def test_histories_draw_a_dot_an_epoch(part, label, values):
    """Each run is one line with a marker at each epoch; the legend names the runs."""
    plot_histories({"no dropout": RUN, "dropout": RUN}, part, title="a claim")
    ax = plt.gca()
    assert ax.get_title() == "a claim"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", label)
    assert [line.get_marker() for line in ax.lines] == ["o", "o"]
    assert list(ax.lines[0].get_ydata()) == values
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["no dropout", "dropout"]


def test_losses_are_drawn_by_iteration_on_a_log_scale():
    """One line a run."""
    plot_losses({"sgd": RUN}, title="a claim")
    ax = plt.gca()
    assert ax.get_yscale() == "log"
    assert list(ax.lines[0].get_ydata()) == RUN.loss_history


@pytest.mark.parametrize("shape", [(5, 3, 8, 8), (5, 8, 8)])
def test_images_fill_a_grid(shape):
    """Five pictures in rows of four: two rows, five drawn, labels above the first two."""
    plot_images(np.random.default_rng(0).normal(size=shape), ["cat", "dog"], title="a claim", columns=4)
    axes = plt.gcf().axes
    assert len(axes) == 8
    assert sum(bool(ax.images) for ax in axes) == 5
    assert [ax.get_title() for ax in axes[:3]] == ["cat", "dog", ""]
    assert plt.gcf().get_suptitle() == "a claim"


def test_one_flat_picture_is_fine():
    """A constant picture has no range of values to stretch."""
    plot_images(np.ones((1, 3, 4, 4)), title="a claim")
    assert np.asarray(plt.gcf().axes[0].images[0].get_array()).max() == 0


def test_masks_are_drawn_side_by_side():
    """A kept entry is 1, a dropped one 0, however the kept ones are scaled."""
    plot_masks({"p = 0.5": np.array([[0.0, 2.0]]), "p = 1": np.ones((1, 2))}, title="a claim")
    axes = plt.gcf().axes
    assert [ax.get_title() for ax in axes] == ["p = 0.5", "p = 1"]
    assert np.asarray(axes[0].images[0].get_array()).tolist() == [[0, 1]]


def test_curves_share_one_axis():
    """A line a label, over the given places or counted from 0."""
    plot_curves({"training": [1.0, 0.5], "validation": [1.0, 0.7]}, title="a claim", xlabel="epoch", ylabel="accuracy")
    assert [list(line.get_xdata()) for line in plt.gca().lines] == [[0, 1], [0, 1]]
    plot_curves({"loss": [4.0, 1.0]}, x=[-2, 2], title="a claim", xlabel="w", ylabel="loss (nats)")
    assert list(plt.gca().lines[0].get_xdata()) == [-2, 2]


def test_distributions_draw_dots_and_a_mean():
    """A row for each group, with a bar at its mean."""
    plot_distributions({"a": [1.0, 3.0], "b": [5.0]}, title="a claim", xlabel="loss (nats)")
    ax = plt.gca()
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["a", "b"]
    assert list(ax.lines[1].get_xdata()) == [2, 2]


def test_paths_are_drawn_over_contours():
    """One line a path."""
    plot_paths({"sgd": [[1.0, 1.0], [0.0, 0.5]]}, lambda x, y: x**2 + y**2, title="a claim")
    assert list(plt.gca().lines[0].get_ydata()) == [1, 0.5]


def test_importing_gradlab_does_not_import_matplotlib():
    """The sandbox imports gradlab for every submission: it must stay light."""
    heavy = "matplotlib", "pooch", "tqdm", "nbformat", "pytest"
    code = f"import sys, gradlab; sys.exit(', '.join(set({heavy}) & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stderr == "\n"
