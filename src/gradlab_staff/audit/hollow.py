"""What makes an answer hollow: right in its form, and without any work in it. Runs in the sandbox, after a solution.

`trivial` appends this text to the instructor's solution cell. The solution tells what form an answer has (shapes, keys,
lengths), and nothing else of it is left. So nothing of `gradlab_staff` may be imported here.
"""

import copy
import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

HOW = ("none", "zeros", "ones", "random", "untrained")
"""None; arrays and numbers of the right shape; and the solution itself, where no gradient that it is given arrives."""


def hollow(names: dict[str, Any], defined: list[str], how: str) -> None:
    """Make what a cell has `defined` in a notebook's `names` hollow."""
    for name in defined:
        thing = names[name]
        if inspect.isclass(thing):
            _hollow_class(thing, how)
        elif callable(thing):
            names[name] = _hollow_function(thing, how)
        else:
            names[name] = None if how in ("none", "untrained") else spoiled(thing, how)


# --- answers


def spoiled(value: Any, how: str) -> Any:
    """Return a value of the same form, with trivial numbers; of an object one that answers so."""
    if isinstance(value, (list, tuple)):
        return type(value)(spoiled(item, how) for item in value)
    if isinstance(value, (set, frozenset)):
        return type(value)(spoiled(item, how) for item in value)
    if isinstance(value, dict):
        return {key: spoiled(item, how) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _array(value, how)
    if isinstance(value, (bool, int, float, np.generic)):
        return _array(np.asarray(value), how).item()
    if value is None or isinstance(value, (str, bytes)) or inspect.isclass(value):
        return value
    if inspect.isroutine(value):
        return _hollow_function(value, how)
    return Hollow(value, how)


def _array(value: Any, how: str) -> Any:
    if how != "random":
        return (np.zeros_like if how == "zeros" else np.ones_like)(value)
    low, high = (float(value.min()), float(value.max())) if value.size else (0.0, 0.0)
    if value.dtype.kind in "iub":
        return np.random.randint(0, max(int(high), 1) + 1, value.shape).astype(value.dtype)
    share = low >= 0 and high <= 1  # such as an accuracy
    drawn = np.random.uniform(size=value.shape) if share else np.random.standard_normal(value.shape)
    return np.asarray(drawn).astype(value.dtype)


class Hollow:
    """Looks like an object: what is read of it is trivial, what is called has no effect."""

    def __init__(self, inside: Any, how: str) -> None:
        vars(self).update(inside=inside, how=how)

    def __getattr__(self, name: str) -> Any:
        value = getattr(vars(self)["inside"], name)
        return self._method(name) if inspect.isroutine(value) else spoiled(value, self.how)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.inside, name, value)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._method("__call__")(*args, **kwargs)

    def _method(self, name: str) -> Callable[..., Any]:
        return lambda *args, **kwargs: spoiled(getattr(copy.deepcopy(self.inside), name)(*args, **kwargs), self.how)


# --- what is given: no gradient arrives, and nothing moves


def _asleep(value: Any, slept: list[Any]) -> Any:
    """Return an argument that the solution cannot change, and learns nothing from; what slept is added to a list."""
    if isinstance(value, dict):
        return {key: _asleep(item, slept) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_asleep(item, slept) for item in value)
    if value is None or isinstance(value, (str, bytes, int, float, np.generic, np.dtype)) or inspect.isclass(value):
        return value
    if isinstance(value, np.ndarray):
        return value.copy()
    slept.append(value)
    return _no_gradients(value) if inspect.isroutine(value) else Asleep(value)


class Asleep:
    """Looks like an object with params: they are what they are, and its gradients are zero."""

    def __init__(self, inside: Any) -> None:
        vars(self)["inside"] = inside

    def __getattr__(self, name: str) -> Any:
        value = getattr(vars(self)["inside"], name)
        return _no_gradients(value) if callable(value) else copy.deepcopy(value)

    def __setattr__(self, name: str, value: Any) -> None:
        """Ignore it."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return _no_gradients(vars(self)["inside"])(*args, **kwargs)


def _no_gradients(call: Callable[..., Any]) -> Callable[..., Any]:
    def called(*args: Any, **kwargs: Any) -> Any:
        answer = call(*args, **kwargs)
        parts = answer if isinstance(answer, tuple) else (answer,)
        parts = tuple(spoiled(part, "zeros") if isinstance(part, dict) else part for part in parts)
        return parts if isinstance(answer, tuple) else parts[0]

    return called


# --- what a cell defines


def _hollow_function(right: Callable[..., Any], how: str) -> Callable[..., Any]:
    @functools.wraps(right)
    def called(*args: Any, **kwargs: Any) -> Any:
        if how == "none":
            return None
        slept: list[Any] = []
        answer = right(*_asleep(args, slept), **_asleep(kwargs, slept))
        if how == "untrained":
            return answer if slept else None  # where there is nothing to train, the right answer is no trivial one
        return spoiled(answer, how)

    return called


def _hollow_class(cls: type, how: str) -> None:
    for name, right in list(vars(cls).items()):
        if inspect.isfunction(right):
            setattr(cls, name, _hollow_method(right, how))


def _hollow_method(right: Callable[..., Any], how: str) -> Callable[..., Any]:
    @functools.wraps(right)
    def called(self: Any, *args: Any, **kwargs: Any) -> Any:
        if how == "none":
            return None
        if vars(self).get("_busy"):  # the solution's own call
            return right(self, *args, **kwargs)
        slept: list[Any] = vars(self).setdefault("_slept", [])
        args, kwargs = _asleep(args, slept), _asleep(kwargs, slept)
        before = {key: copy.deepcopy(value) for key, value in vars(self).items() if _is_data(value)}
        self._busy = True
        try:
            answer = right(self, *args, **kwargs)
        finally:
            self._busy = False
        if how == "untrained":
            if not slept:
                vars(self).clear()
            return answer if slept and right.__name__ in ("__init__", "train", "fit") else None
        _spoil_state(self, before, _ids((args, kwargs)), how)
        return spoiled(answer, how)

    return called


def _spoil_state(self: Any, before: dict[str, Any], given: set[int], how: str) -> None:
    """Make hollow what a method has made or changed of its object: arrays, and lists and dicts of numbers."""
    for key, value in list(vars(self).items()):
        changed = isinstance(value, (np.ndarray, list, dict)) and repr(before.get(key)) != repr(value)
        if changed and key != "_slept" and _is_data(value) and not _ids(value) & given:
            setattr(self, key, spoiled(value, how))


def _is_data(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_data, value.values()))
    if isinstance(value, (list, tuple)):
        return all(map(_is_data, value))
    return value is None or isinstance(value, (str, bool, int, float, np.ndarray, np.generic))


def _ids(value: Any) -> set[int]:
    """Return the identities of the arrays in some data."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return set().union(*map(_ids, value))
    return {id(value)} if isinstance(value, np.ndarray) else set()
