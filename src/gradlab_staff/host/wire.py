"""The wire: messages as frames of bytes over a socket. Both sides use it, and neither trusts what it reads."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from .codec import HEADER, decode, encode, frame_lengths

__all__ = ["Connect", "HungUpError", "receive", "send"]

Connect = Callable[[], socket.socket]
"""A function that returns the socket for the next part of a message, with its remaining time as timeout."""


class HungUpError(Exception):
    """The other side closed the connection."""


def send(connect: Connect, message: Any, opaque: Callable[[Any], list[Any]]) -> None:
    """Send one message; `opaque` returns the token of an object that stays on this side.

    Raises
    ------
    CodecError
        If the message cannot be encoded; nothing is sent.
    """
    for part in encode(message, opaque):
        left = memoryview(part)
        while left:
            left = left[connect().send(left) :]


def receive(connect: Connect, local: Callable[[list[Any]], Any]) -> Any:
    """Receive one message; `local` returns the object that a token refers to.

    Raises
    ------
    CodecError
        If the bytes are not a message.
    HungUpError
        If the other side closed the connection.
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
