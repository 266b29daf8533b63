"""The plots of the course. Each function draws one figure, which makes one claim: its title.

Matplotlib is imported when the first figure is drawn, so that `import gradlab` stays fast.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "plot_curves",
    "plot_distributions",
    "plot_histories",
    "plot_images",
    "plot_losses",
    "plot_masks",
    "plot_paths",
]

Array = NDArray[Any]


class _Trained(Protocol):
    """A trained solver, with the histories that the plots read: `Solver` is one."""

    loss_history: Sequence[float]
    train_acc_history: Sequence[float]
    val_acc_history: Sequence[float]


def plot_histories(runs: Mapping[str, _Trained], part: str = "train", *, title: str) -> None:
    """Draw accuracy against epoch, one line per run, one dot per epoch.

    Parameters
    ----------
    runs : dict of label to a trained solver
        Its `train_acc_history` or `val_acc_history` is drawn; entry 0 is the accuracy after the first iteration.
    part : "train" or "val"
    title : str
        Claim of the figure.
    """
    ax = _axes(title, "epoch", f"{'training' if part == 'train' else 'validation'} accuracy (fraction)")
    for label, run in runs.items():
        ax.plot(getattr(run, f"{part}_acc_history"), "o-", label=label, markersize=4, linewidth=1)
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set_ylim(0, 1.05 if part == "train" else None)
    ax.legend()


def plot_losses(runs: Mapping[str, _Trained], *, title: str) -> None:
    """Draw the minibatch loss against iteration on a logarithmic scale, one line per run.

    Parameters
    ----------
    runs : dict of label to a trained solver
        Its `loss_history` is drawn.
    title : str
        Claim of the figure.
    """
    ax = _axes(title, "iteration", "minibatch loss (nats)")
    for label, run in runs.items():
        ax.plot(run.loss_history, label=label, linewidth=1)
    ax.set_yscale("log")
    ax.legend()


def plot_curves(
    curves: Mapping[str, ArrayLike], *, title: str, xlabel: str, ylabel: str, x: ArrayLike | None = None
) -> None:
    """Draw curves over a common axis, one line per label.

    Parameters
    ----------
    curves : dict of label to a sequence of numbers
    title : str
        Claim of the figure.
    xlabel, ylabel : str
        Quantities, with units.
    x : sequence of numbers, or None
        Positions of the points; None numbers them from 0.
    """
    ax = _axes(title, xlabel, ylabel)
    for label, values in curves.items():
        heights = np.asarray(values, dtype=float)
        ax.plot(range(len(heights)) if x is None else np.asarray(x, dtype=float), heights, label=label, linewidth=1)
    if x is None or np.all(np.mod(x, 1) == 0):  # integer positions are counts: no ticks at half epochs
        ax.xaxis.get_major_locator().set_params(integer=True)
    ax.legend()


def plot_images(images: ArrayLike, labels: Sequence[str] = (), *, title: str, columns: int = 8) -> None:
    """Draw a grid of images, each scaled to its own range of values.

    Parameters
    ----------
    images : array of shape (N, 3, H, W) or (N, H, W)
        Pixels in any units: the mean may have been subtracted.
    labels : sequence of str
        Captions of the first images; may be empty.
    title : str
        Claim of the figure.
    columns : int
        Number of images per row.
    """
    pictures = np.asarray(images, dtype=float)
    if pictures.ndim == 4:
        pictures = pictures.transpose(0, 2, 3, 1)
    rows = -(-len(pictures) // columns)
    figure, grid = _pyplot().subplots(
        rows, columns, figsize=(columns, 1.15 * rows + 0.4), squeeze=False, layout="constrained"
    )
    for ax in grid.flat:
        ax.axis("off")
    for i, (ax, picture) in enumerate(zip(grid.flat, pictures, strict=False)):
        low, high = picture.min(), picture.max()
        ax.imshow((picture - low) / max(high - low, 1e-12), cmap="gray")
        if i < len(labels):
            ax.set_title(labels[i], fontsize=8)
    figure.suptitle(title)


def plot_masks(masks: Mapping[str, ArrayLike], *, title: str) -> None:
    """Draw masks side by side, dark where an entry is kept and white where it is dropped.

    Parameters
    ----------
    masks : dict of label to an array of shape (N, D)
        Nonzero entries are kept ones.
    title : str
        Claim of the figure.
    """
    figure, grid = _pyplot().subplots(
        1, len(masks), figsize=(2.6 * len(masks), 3.2), squeeze=False, layout="constrained"
    )
    for ax, (label, mask) in zip(grid.flat, masks.items(), strict=True):
        ax.imshow(np.asarray(mask) != 0, cmap="Blues", vmin=0, vmax=1)
        ax.set(title=label, xlabel="unit", ylabel="example", xticks=[], yticks=[])
    figure.suptitle(title)


def plot_distributions(groups: Mapping[str, ArrayLike], *, title: str, xlabel: str) -> None:
    """Draw each group of numbers as a row of dots, with a bar at its mean.

    Parameters
    ----------
    groups : dict of label to an array of numbers
    title : str
        Claim of the figure.
    xlabel : str
        Quantity, with units.
    """
    ax = _axes(title, xlabel, "")
    for row, values in enumerate(groups.values()):
        numbers = np.ravel(np.asarray(values, dtype=float))
        ax.plot(numbers, np.full(numbers.size, row), "o", alpha=0.25, markersize=5)
        ax.plot([numbers.mean()] * 2, [row - 0.3, row + 0.3], color="black")
    ax.set_yticks(range(len(groups)), list(groups))
    ax.set_ylim(len(groups) - 0.5, -0.5)


def plot_paths(
    paths: Mapping[str, ArrayLike], f: Callable[[Array, Array], Array], *, title: str, reach: float = 1.2
) -> None:
    """Draw paths in the plane over the contours of a function, one dot per step.

    Parameters
    ----------
    paths : dict of label to an array of shape (steps, 2)
    f : function of two arrays of one shape, returning an array of that shape
        Value of the function at (x, y), not negative.
    title : str
        Claim of the figure.
    reach : float
        Both axes run from −reach to reach.
    """
    ax = _axes(title, "first weight", "second weight")
    x, y = np.meshgrid(np.linspace(-reach, reach, 100), np.linspace(-reach, reach, 100))
    ax.contour(x, y, np.sqrt(f(x, y)), levels=12, colors="lightgray", linewidths=0.8)
    for label, path in paths.items():
        steps = np.asarray(path, dtype=float)
        ax.plot(steps[:, 0], steps[:, 1], "o-", label=label, markersize=3, linewidth=1)
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach))
    ax.legend()


def _axes(title: str, xlabel: str, ylabel: str) -> Any:
    _, ax = _pyplot().subplots(figsize=(6, 3.4), layout="constrained")
    ax.set(title=title, xlabel=xlabel, ylabel=ylabel)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def _pyplot() -> Any:
    import matplotlib.pyplot as plt  # takes half a second, and grading draws nothing

    return plt
