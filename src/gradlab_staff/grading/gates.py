"""Gates: which checks of a grader count only if others passed, and whether all of these exist.

What a trivial answer passes by luck (an empty reply changes nothing, zeros have the right shape) needs a check that it
cannot pass. A gate is for who has not done the exercise, never for a slip: that costs its own checks.
"""

from __future__ import annotations

from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter
from itertools import groupby

import pytest

__all__ = ["expect_gates", "needs_of"]


def needs_of(item: pytest.Item) -> tuple[str, ...]:
    """Return the names of the checks without which this one does not count."""
    mark = item.get_closest_marker("weight")
    return tuple(mark.kwargs.get("needs", ())) if mark else ()


def expect_gates(items: Iterable[pytest.Item]) -> None:
    """Stop where a check needs one that its module does not have, or that needs it in turn.

    Raises
    ------
    pytest.UsageError
        Where a name is unknown, or there is a circle: the kit's error, and no student's.
    """
    for path, group in groupby(items, key=lambda item: item.path):
        found: dict[str, tuple[str, ...]] = {}
        for item in (checks := list(group)):
            found.setdefault(_name(item), needs_of(item))
        known = _names_in(checks[0])
        for name, needs in found.items():
            if unknown := [need for need in needs if need not in known]:
                raise pytest.UsageError(
                    f"{path.name}: expected {name} to need checks of this module, got {', '.join(unknown)}. "
                    "Name them as they are defined, without brackets."
                )
        try:
            TopologicalSorter(found).prepare()
        except CycleError as error:
            circle = " → ".join(error.args[1][::-1])
            raise pytest.UsageError(
                f"{path.name}: expected checks that need each other in no circle, got {circle}. Take one need away."
            ) from error


def _name(item: pytest.Item) -> str:
    return str(getattr(item, "originalname", None) or item.name)


def _names_in(item: pytest.Item) -> set[str]:
    """Return the names of the checks that the item's module defines: `pytest -k` collects a part of them."""
    module = item.getparent(pytest.Module)
    return {name for name in vars(module.obj) if name.startswith("test")} if module else set()
