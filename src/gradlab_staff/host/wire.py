"""The wire: messages as frames of bytes over a socket. Both sides use it, and neither trusts what it reads."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from .codec import HEADER, decode, encode, frame_lengths

__all__ = ["Connect", "HungUpError", "receive", "send"]

Connect = Callable[[], socket.socket]
"""Gives the socket for the next piece of a message, with the time that is left for it."""


class HungUpError(Exception):
    """The other side closed the connection."""


def send(connect: Connect, message: Any, opaque: Callable[[Any], list[Any]]) -> None:
    """Write one message; `opaque` gives the token of an object that stays here.

    Raises
    ------
    CodecError
        Where the message cannot be sent: nothing of it was.
    """
    for part in encode(message, opaque):
        connect().sendall(part)


def receive(connect: Connect, local: Callable[[list[Any]], Any]) -> Any:
    """Read one message; `local` gives the object that a token names.

    Raises
    ------
    CodecError
        Where the bytes are no message.
    HungUpError
        Where the other side closed the connection.
    """
    tree, buffers = frame_lengths(bytes(_read(connect, HEADER.size)))
    return decode(bytes(_read(connect, tree)), _read(connect, buffers), local)


def _read(connect: Connect, count: int) -> bytearray:
    data = bytearray(count)
    view = memoryview(data)
    while view:
        got = connect().recv_into(view)
        if not got:
            raise HungUpError
        view = view[got:]
    return data
