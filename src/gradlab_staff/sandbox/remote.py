"""An object in the sandbox, as the trusted side holds it."""

from __future__ import annotations

from typing import Any, Protocol

__all__ = ["NOTHING", "Remote", "without_nothing"]


class Requests(Protocol):
    """Carries requests to the host that has the object: a session."""

    generation: int

    def request(self, op: str, **fields: Any) -> Any: ...


class Remote:
    """An object in the sandbox: call it, read its attributes, set them; what comes back is data or a `Remote`."""

    def __init__(self, session: Requests, handle: int, kind: str) -> None:
        object.__setattr__(self, "_session", session)
        object.__setattr__(self, "_handle", handle)
        object.__setattr__(self, "_kind", kind)
        object.__setattr__(self, "_generation", session.generation)

    def __getattr__(self, name: str) -> Any:
        # numpy, copy and pickle probe for protocols; a student's object takes part in none of them here.
        if name.startswith("__"):
            raise AttributeError(name)
        return self._session.request("get", target=self, name=name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._session.request("set", target=self, name=name, value=value)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._session.request("call", target=self, args=list(args), kwargs=kwargs)

    def __repr__(self) -> str:
        return f"<{self._kind} in the submission>"


class _Nothing:
    """What is left of an answer that was nothing to go on with: it says of whatever it is asked that it is nothing."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __setattr__(self, name: str, value: object) -> None: ...

    def __call__(self, *args: object, **kwargs: object) -> Any:
        return self

    def __repr__(self) -> str:
        return "nothing"


NOTHING: Any = _Nothing()


def without_nothing(value: Any) -> Any:
    """Return a value with None in the place of each `NOTHING` in it.

    What was wrong before is passed on: the request is made all the same, lest its absence tells.
    """
    if value is NOTHING:
        return None
    if type(value) is dict:
        return {key: without_nothing(part) for key, part in value.items()}
    return type(value)(map(without_nothing, value)) if type(value) in (list, tuple) else value
