"""Synthetic data in the place of CIFAR-10, for work without an internet connection.

These are not images of CIFAR-10, and results do not carry over to it.

Each image shows a silhouette of its class, somewhere in a two-coloured scene under clouds of noise. Some silhouettes
and about half of the colours are those of another class, so that no network can classify all images correctly.

Tuned so that fully-connected networks behave as on CIFAR-10. Measured here (in parentheses: published for CIFAR-10):

- 500 images, 3072-500-10, Adam 5e-4, batch 100, 25 epochs (mean ± sd over 5 seeds): first loss 8.3 ± 0.8 (7.9),
  training accuracy .996 ± .003 (.996), validation accuracy .324 ± .010 (.300);
- the same with keep probability 0.25: 15.9 ± 1.1 (17.3), .941 ± .017 (.918), .366 ± .011 (.314);
- 49,000 images, 3072-50-10, SGD 1e-4, batch 200, 1,000 iterations, reg 0.25: validation accuracy .28 (.29);
- the same, tuned, SGD 1e-3 and 3,000 iterations: .62 (over .48);
- 5,000 images, 3072-50-10, SGD 1e-3, batch 200, 1,500 iterations, reg 0.25: .53 (none published).

With many images it is easier than CIFAR-10.
"""

import numpy as np
from numpy.typing import NDArray

from gradlab.data.glyphs import THINGS
from gradlab.data.source import Parts
from gradlab.data.synthetic import CLASSES, Stamp, clouds, part, spread, stamp

__all__ = ["parts"]

SIZE = 32
TRAIN, TEST = 50_000, 10_000  # as many as CIFAR-10 has

# How similar the classes are: tuned against networks trained on the real images.
TRUE_THING = 0.9  # fraction of silhouettes drawn from the label's class; the others are of any class
TRUE_COLOUR = 0.48  # likewise for each colour
COLOUR_SPREAD, LIGHT_SPREAD, CLOUD_SPREAD, GRAIN_SPREAD = 33.0, 26.0, 30.0, 12.5  # in grey levels
ROOM = 0.55  # fraction of the free space over which silhouettes are placed

# RGB of the upper scene, the lower scene and the silhouette, by class.
COLOURS = np.array([
    [[150, 190, 230], [120, 150, 190], [210, 210, 215]],  # airplane
    [[140, 135, 130], [90, 90, 95], [190, 40, 40]],  # automobile
    [[150, 170, 130], [130, 140, 90], [110, 80, 60]],  # bird
    [[150, 120, 100], [140, 110, 90], [90, 80, 75]],  # cat
    [[100, 120, 70], [110, 130, 60], [150, 100, 60]],  # deer
    [[130, 140, 120], [160, 130, 100], [200, 170, 130]],  # dog
    [[80, 100, 60], [120, 90, 50], [70, 130, 50]],  # frog
    [[120, 160, 190], [90, 140, 70], [120, 70, 40]],  # horse
    [[170, 200, 230], [40, 80, 130], [100, 100, 110]],  # ship
    [[190, 200, 210], [100, 95, 90], [220, 160, 40]],  # truck
], dtype=np.float64)  # fmt: skip
FACING = np.concatenate([THINGS, THINGS[:, :, ::-1]])  # all silhouettes, followed by their mirror images


def parts() -> Parts:
    """Return 50,000 training and 10,000 test images, uint8, shape (N, 3, 32, 32), drawn when they are taken."""
    return Parts(part(_draw, TRAIN, key=10), part(_draw, TEST, key=11))


def _draw(rng: np.random.Generator, labels: NDArray[np.int64]) -> NDArray[np.uint8]:
    count = len(labels)
    upper, lower, thing = (_colour(rng, labels, which)[:, :, None, None] for which in range(3))
    horizon = 0.3 + 0.4 * rng.random((count, 1, 1, 1))
    height = (np.arange(SIZE)[:, None] + 0.5) / SIZE
    ground = np.clip((height - horizon) * 3 + 0.5, 0, 1)  # 0 in the upper scene, 1 in the lower, smooth between
    scene = upper * (1 - ground) + lower * ground
    pixels = np.where(_silhouettes(rng, labels)[:, None], thing, scene)
    pixels += clouds(rng, (count, 1), coarse=4, doublings=3, fade=0.75) * CLOUD_SPREAD
    pixels += spread(rng, (count, 1, 1, 1), LIGHT_SPREAD)
    pixels += spread(rng, pixels.shape, GRAIN_SPREAD)
    return np.clip(pixels, 0, 255).astype(np.uint8)


def _colour(rng: np.random.Generator, labels: NDArray[np.int64], which: int) -> NDArray[np.float64]:
    drawn: NDArray[np.float64] = COLOURS[_mostly(rng, labels, TRUE_COLOUR), which]
    return drawn + spread(rng, drawn.shape, COLOUR_SPREAD)


def _silhouettes(rng: np.random.Generator, labels: NDArray[np.int64]) -> NDArray[np.uint8]:
    count = len(labels)
    facing = np.where(rng.random(count) < 0.5, CLASSES, 0)
    width = 16 + 12 * rng.random(count)
    height = width * (0.75 + 0.35 * rng.random(count))
    left, top = ((SIZE - length) * (0.5 + ROOM * (rng.random(count) - 0.5)) for length in (width, height))
    which = _mostly(rng, labels, TRUE_THING) + facing
    return stamp(FACING, which, Stamp(left, top, width, height), SIZE)


def _mostly(rng: np.random.Generator, labels: NDArray[np.int64], share: float) -> NDArray[np.int64]:
    """Return the labels, each replaced with probability 1 - share by a random class."""
    other = np.floor(rng.random(len(labels)) * CLASSES).astype(np.int64)
    return np.where(rng.random(len(labels)) < share, labels, other)
