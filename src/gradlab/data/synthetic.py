"""Blocks of synthetic pictures, drawn from a seed by arithmetic that is the same on every machine.

Everything comes from uniform draws of PCG64 and from +, -, *, / and comparisons, which IEEE 754 fixes to the last
bit. No exp, no sin, no matrix product, no long sum: these differ between processors and libraries.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradlab.data.glyphs import SIZE
from gradlab.data.source import Images, Part

__all__ = ["BLOCK", "Stamp", "clouds", "part", "spread", "stamp"]

BLOCK = 100  # pictures drawn from one seed
CLASSES = 10

Draw = Callable[[np.random.Generator, NDArray[np.int64]], NDArray[np.uint8]]


def part(draw: Draw, count: int, key: int) -> Part:
    """`count` pictures, drawn block by block when they are asked for; `key` seeds them."""

    def take(start: int, stop: int) -> Images:
        first = start // BLOCK
        last = max(start, stop - 1) // BLOCK  # for no pictures at all, a block to cut nothing from
        blocks = [_block(draw, key, number) for number in range(first, last + 1)]
        wanted = slice(start - first * BLOCK, stop - first * BLOCK)
        pictures, labels = zip(*blocks, strict=True)
        return np.concatenate(pictures)[wanted], np.concatenate(labels)[wanted]

    return Part(count, take)


def _block(draw: Draw, key: int, number: int) -> Images:
    rng = np.random.Generator(np.random.PCG64([key, number]))
    labels = np.floor(rng.random(BLOCK) * CLASSES).astype(np.int64)
    return draw(rng, labels), labels


def spread(rng: np.random.Generator, shape: tuple[int, ...], width: float) -> NDArray[np.float64]:
    """Draws around 0 with a tent-shaped density, of standard deviation `width` (uniform less uniform)."""
    return (rng.random(shape) - rng.random(shape)) * (width * 6**0.5)


def clouds(
    rng: np.random.Generator, shape: tuple[int, ...], coarse: int, doublings: int, fade: float
) -> NDArray[np.float64]:
    """Smooth noise: `shape` fields of `coarse` cells a side, doubled in resolution `doublings` times.

    Each doubling adds finer noise, `fade` times as strong as the last.
    """
    field = spread(rng, (*shape, coarse, coarse), 1.0)
    strength = 1.0
    for _ in range(doublings):
        strength *= fade
        for axis in (-2, -1):
            field = _doubled(field, axis)
        field += spread(rng, field.shape, strength)
    return field


def _doubled(field: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Twice the resolution along an axis, by straight lines between the cells' centres."""
    field = np.moveaxis(field, axis, -1)
    out = np.empty((*field.shape[:-1], 2 * field.shape[-1]))
    before = np.concatenate([field[..., :1], field[..., :-1]], axis=-1)
    after = np.concatenate([field[..., 1:], field[..., -1:]], axis=-1)
    out[..., 0::2] = 0.75 * field + 0.25 * before
    out[..., 1::2] = 0.75 * field + 0.25 * after
    return np.moveaxis(out, -1, axis)


@dataclass(frozen=True)
class Stamp:
    """Where to draw a silhouette, in pixels: arrays of one number a picture."""

    left: NDArray[np.float64]
    top: NDArray[np.float64]
    width: NDArray[np.float64]
    height: NDArray[np.float64]


def stamp(glyphs: NDArray[np.uint8], which: NDArray[np.int64], where: Stamp, size: int) -> NDArray[np.uint8]:
    """1 inside the silhouette, 0 outside, shape (pictures, size, size)."""
    column = _cells(size, where.left, where.width)
    row = _cells(size, where.top, where.height)
    framed = np.pad(glyphs, ((0, 0), (1, 1), (1, 1)))
    drawn: NDArray[np.uint8] = framed[which[:, None, None], row[:, :, None], column[:, None, :]]
    return drawn


def _cells(size: int, start: NDArray[np.float64], length: NDArray[np.float64]) -> NDArray[np.int64]:
    """Each pixel's cell of the framed silhouette; the frame's cells, 0 and SIZE + 1, are empty."""
    pixel = np.arange(size) + 0.5
    cell = np.floor((pixel - start[:, None]) * SIZE / length[:, None]) + 1
    cells: NDArray[np.int64] = np.clip(cell, 0, SIZE + 1).astype(np.int64)
    return cells
