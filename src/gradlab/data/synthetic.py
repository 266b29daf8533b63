"""Blocks of synthetic images, drawn from a seed by arithmetic that gives the same bits on every machine.

Everything is computed from uniform draws of PCG64 by +, -, *, / and comparisons, whose results IEEE 754 defines
exactly. No exp, sin, matrix product or long sum: their results differ between processors and libraries.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradlab.data.glyphs import SIZE
from gradlab.data.source import Images, Part

__all__ = ["BLOCK", "Stamp", "clouds", "part", "spread", "stamp"]

BLOCK = 100  # images drawn from one seed
CLASSES = 10

Draw = Callable[[np.random.Generator, NDArray[np.int64]], NDArray[np.uint8]]


def part(draw: Draw, count: int, key: int) -> Part:
    """Return a part of `count` images, which are drawn block by block when they are taken.

    Parameters
    ----------
    draw : function of a generator and int64 labels of shape (N,), returning uint8 images of shape (N, ...)
    count : int
        Number of images.
    key : int
        Seed; each part of each data set has its own.
    """

    def take(start: int, stop: int) -> Images:
        first = start // BLOCK
        last = max(start, stop - 1) // BLOCK  # an empty range still takes a block, to get arrays of the right shape
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
    """Draw float64 numbers from the symmetric triangular distribution with mean 0 and standard deviation `width`.

    The difference of two uniform draws has variance 1/6.
    """
    return (rng.random(shape) - rng.random(shape)) * (width * 6**0.5)


def clouds(
    rng: np.random.Generator, shape: tuple[int, ...], coarse: int, doublings: int, fade: float
) -> NDArray[np.float64]:
    """Draw fields of smooth noise.

    Parameters
    ----------
    rng : numpy generator
    shape : tuple of int
        Number of fields along each leading axis.
    coarse : int
        Cells per side of the coarsest noise.
    doublings : int
        How often the resolution is doubled; each time finer noise is added.
    fade : float
        Strength of each finer noise relative to the one before; the coarsest has standard deviation 1.

    Returns
    -------
    float64 array of shape (*shape, side, side), where side = coarse * 2**doublings
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
    """Double the resolution along an axis, by linear interpolation between the centres of the cells."""
    field = np.moveaxis(field, axis, -1)
    out = np.empty((*field.shape[:-1], 2 * field.shape[-1]))
    before = np.concatenate([field[..., :1], field[..., :-1]], axis=-1)
    after = np.concatenate([field[..., 1:], field[..., -1:]], axis=-1)
    out[..., 0::2] = 0.75 * field + 0.25 * before
    out[..., 1::2] = 0.75 * field + 0.25 * after
    return np.moveaxis(out, -1, axis)


@dataclass(frozen=True)
class Stamp:
    """The places of silhouettes, in pixels: float64 arrays of shape (images,)."""

    left: NDArray[np.float64]
    top: NDArray[np.float64]
    width: NDArray[np.float64]
    height: NDArray[np.float64]


def stamp(glyphs: NDArray[np.uint8], which: NDArray[np.int64], where: Stamp, size: int) -> NDArray[np.uint8]:
    """Draw silhouettes as masks: 1 inside, 0 outside.

    Parameters
    ----------
    glyphs : uint8 array of shape (silhouettes, SIZE, SIZE)
        Cells of each silhouette.
    which : int64 array of shape (images,)
        Index of each image's silhouette.
    where : Stamp
        Place of each image's silhouette.
    size : int
        Side of the images, in pixels.

    Returns
    -------
    uint8 array of shape (images, size, size)
    """
    column = _cells(size, where.left, where.width)
    row = _cells(size, where.top, where.height)
    framed = np.pad(glyphs, ((0, 0), (1, 1), (1, 1)))
    drawn: NDArray[np.uint8] = framed[which[:, None, None], row[:, :, None], column[:, None, :]]
    return drawn


def _cells(size: int, start: NDArray[np.float64], length: NDArray[np.float64]) -> NDArray[np.int64]:
    """Map each pixel to a cell of the framed silhouette; the cells of the frame, 0 and SIZE + 1, are empty."""
    pixel = np.arange(size) + 0.5
    cell = np.floor((pixel - start[:, None]) * SIZE / length[:, None]) + 1
    cells: NDArray[np.int64] = np.clip(cell, 0, SIZE + 1).astype(np.int64)
    return cells
