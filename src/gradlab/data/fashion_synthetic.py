"""Synthetic pictures in the place of Fashion-MNIST, drawn for work without a network.

These are not its pictures; no figure carries over.

A grey silhouette of the class on black, with folds and shading. Some pictures show a look-alike: no net can get
all of them right. Tuned so that fully-connected nets behave as on Fashion-MNIST: 784-256-256-10, SGD 0.5, batch
256, 5 epochs, dropout 0.2 and 0.5, ends here at a test accuracy of .871 (.759 after the first epoch); published for
Fashion-MNIST: .864 (.785).
"""

import numpy as np
from numpy.typing import NDArray

from gradlab.data.glyphs import CLOTHES
from gradlab.data.source import Parts
from gradlab.data.synthetic import Stamp, clouds, part, spread, stamp

__all__ = ["parts"]

SIZE = 28
TRAIN, TEST = 60_000, 10_000  # as many as Fashion-MNIST has
TRUE_SHAPE = 0.88  # the share of silhouettes of the label's class, the others a look-alike's
ROOM = 1.0  # the share of the free room in which a silhouette may stand
FOLD_SPREAD, GRAIN_SPREAD = 30.0, 12.0  # in grey levels

# Whom each class is mistaken for: shirts for T-shirts, coats for pullovers, sneakers for sandals, ...
LOOK_ALIKE = np.array([6, 3, 4, 1, 2, 7, 0, 5, 2, 7])


def parts() -> Parts:
    """60,000 training and 10,000 test pictures, uint8 (N, 28, 28), drawn when they are taken."""
    return Parts(part(_draw, TRAIN, key=20), part(_draw, TEST, key=21))


def _draw(rng: np.random.Generator, labels: NDArray[np.int64]) -> NDArray[np.uint8]:
    count = len(labels)
    shape = np.where(rng.random(count) < TRUE_SHAPE, labels, LOOK_ALIKE[labels])
    width = 18 + 10 * rng.random(count)
    height = 18 + 10 * rng.random(count)
    left, top = ((SIZE - length) * (0.5 + ROOM * (rng.random(count) - 0.5)) for length in (width, height))
    inside = stamp(CLOTHES, shape, Stamp(left, top, width, height), SIZE)
    cloth = 60 + 190 * rng.random((count, 1, 1))
    cloth = cloth + clouds(rng, (count,), coarse=7, doublings=2, fade=0.6) * FOLD_SPREAD
    cloth += spread(rng, cloth.shape, GRAIN_SPREAD)
    return (np.clip(cloth, 1, 255) * inside).astype(np.uint8)
