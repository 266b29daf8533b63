"""The split of a data set into training, validation and test images."""

import operator
from dataclasses import dataclass
from typing import SupportsIndex

from gradlab.data.source import Images, Part, Parts
from gradlab.errors import DataError

__all__ = ["Sizes", "Split", "split"]


@dataclass(frozen=True)
class Sizes:
    """Numbers of images requested; None stands for all that are left."""

    training: int | None
    validation: int
    test: int | None


@dataclass(frozen=True)
class Split:
    """The three sets, each as (images, labels)."""

    train: Images
    val: Images
    test: Images


def split(parts: Parts, sizes: Sizes) -> Split:
    """Return the three sets: the first training images, those that follow for validation, the first test images.

    Raises
    ------
    DataError
        If a size is not an integer, is negative, or exceeds the number of images.
    """
    validation = _whole("num_validation", sizes.validation, least=0)
    if sizes.training is None:
        training = parts.train.count - validation
    else:
        training = _whole("num_training", sizes.training, least=1)
    if not 1 <= training <= parts.train.count - validation:
        raise _too_many(parts.train, training, validation)
    test = parts.test.count if sizes.test is None else _whole("num_test", sizes.test, least=0)
    if test > parts.test.count:
        raise DataError(
            f"num_test: expected at most {parts.test.count:,} (the size of the test set), got {test:,}. "
            f"Nothing was loaded. Pass num_test={parts.test.count}"
        )
    return Split(
        train=parts.train.take(0, training),
        val=parts.train.take(training, training + validation),
        test=parts.test.take(0, test),
    )


def _whole(name: str, number: SupportsIndex, least: int) -> int:
    try:
        whole = operator.index(number)
    except TypeError:
        whole = -1
    if whole < least:
        raise DataError(
            f"{name}: expected a whole number of at least {least}, got {number!r}. Nothing was loaded. Pass an int"
        )
    return whole


def _too_many(part: Part, training: int, validation: int) -> DataError:
    if validation >= part.count:
        remedy = f"Pass num_validation below {part.count}"
    else:
        remedy = f"Pass num_training={part.count - validation}, or None for all that are left"
    return DataError(
        f"num_training and num_validation: expected at most {part.count:,} together (the size of the "
        f"training set), got {max(training, 0):,} + {validation:,}. Nothing was loaded. {remedy}"
    )
