"""Values ⇄ bytes: a small msgpack tree, followed by the raw buffers of arrays.

Both sides use it, and neither trusts the other's bytes: nothing is ever unpickled or evaluated, and size, depth and
shape are checked before memory is allocated. A frame is ``<tree length, buffers length>`` (two unsigned 64-bit
integers, little endian), the tree, the buffers.

Only exact built-in and numpy types are plain (an OrderedDict or defaultdict is sent as a dict). Anything else is
*opaque*: the encoder asks `opaque` for a token, and the decoder passes the token to `remote`. So a function, an
instance or a subclass of ndarray stays on its own side.
"""

from __future__ import annotations

import math
import re
import struct
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from types import EllipsisType
from typing import Any

import msgpack
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "DECODED_BYTES",
    "HEADER",
    "MAX_BUFFERS",
    "MAX_DEPTH",
    "MAX_NODES",
    "MAX_TREE",
    "CodecError",
    "TooLargeError",
    "decode",
    "encode",
    "frame_lengths",
]

HEADER = struct.Struct("<QQ")
MAX_TREE = 4 * 2**20
MAX_BUFFERS = 256 * 2**20
MAX_DEPTH = 32
DECODED_BYTES = 512 * 2**20
"""Peak memory of decoding a tree of `MAX_TREE` bytes: `make fuzz` measures it."""
MAX_INT_DIGITS = 3000  # hex digits: Python refuses to print integers of more than 4300 decimal digits
MAX_NODES = 2**18
MAX_RANGE = 2**20
MAX_ODD_KEYS = 1024
_DTYPE = re.compile(r"[<>|=]?(?:b1|[iu][1248]|f(?:2|4|8|16)|c(?:8|16|32))\Z")

Opaque = Callable[[Any], list[Any]]
Remote = Callable[[list[Any]], Any]


class CodecError(ValueError):
    """A value that cannot be encoded, or bytes that cannot be decoded. The message names the limit or rule."""


class TooLargeError(CodecError):
    """A plain value that is too large or nested too deeply to be encoded."""


def _refuse(value: Any) -> Any:
    raise CodecError(f"expected plain data, got {type(value).__name__}")


def encode(value: Any, opaque: Opaque = _refuse) -> list[bytes | memoryview]:
    """Return the frame of a value.

    Parameters
    ----------
    value : plain data, or with `opaque` anything
        Arrays and scalars keep their dtype.
    opaque : function of an object, returning a list
        Returns the token that replaces an object that is not plain data; by default such objects are refused.

    Returns
    -------
    list of bytes and memoryviews
        Parts of the frame, to be sent one after the other.

    Raises
    ------
    CodecError
        If the value is not plain data; `TooLargeError` if it is nested deeper than `MAX_DEPTH` or exceeds the size of
        a frame.
    """
    buffers: list[memoryview] = []
    tree: bytes = msgpack.packb(_pack(value, opaque, buffers, 0), unicode_errors="surrogatepass")
    size = sum(buffer.nbytes for buffer in buffers)
    if len(tree) > MAX_TREE or size > MAX_BUFFERS:
        raise TooLargeError(
            f"expected at most {MAX_TREE >> 20} MiB of values and {MAX_BUFFERS >> 20} MiB of arrays, "
            f"got {len(tree) / 2**20:.1f} and {size / 2**20:.1f}"
        )
    return [HEADER.pack(len(tree), size), tree, *buffers]


def frame_lengths(header: bytes) -> tuple[int, int]:
    """Return the lengths, in bytes, of the tree and of the buffers that follow `header`.

    Raises
    ------
    CodecError
        If one of them exceeds the size of a frame.
    """
    tree, buffers = HEADER.unpack(header)
    if tree > MAX_TREE or buffers > MAX_BUFFERS:
        raise CodecError(f"expected a frame of at most {MAX_TREE} + {MAX_BUFFERS} bytes, got {tree} + {buffers}")
    return tree, buffers


def decode(tree: bytes, buffers: bytes | bytearray | memoryview, remote: Remote = _refuse) -> Any:
    """Return the value of a frame.

    Parameters
    ----------
    tree, buffers : bytes
        The two parts of the frame after its header; not trusted.
    remote : function of a token, returning an object
        Resolves the token of an opaque object; by default tokens are refused.

    Returns
    -------
    plain data
        Arrays are copies: aligned and writable.

    Raises
    ------
    CodecError
        If the bytes are malformed or exceed a limit.
    """
    try:
        packed = msgpack.unpackb(
            tree, use_list=True, strict_map_key=False, unicode_errors="surrogatepass", max_ext_len=0, max_map_len=0
        )
        return _Decoder(memoryview(buffers), remote).unpack(packed, 0)
    except CodecError:
        raise
    except (ValueError, TypeError, IndexError, OverflowError, RecursionError, msgpack.UnpackException) as error:
        raise CodecError(f"expected a value, got malformed bytes ({type(error).__name__}: {str(error)[:80]})") from None


def _pack(value: Any, opaque: Opaque, buffers: list[memoryview], depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise TooLargeError(f"expected at most {MAX_DEPTH} levels of nesting, got more")
    kind = type(value)
    if value is None or kind in (bool, float, str, bytes):
        return value
    if kind is int:
        return value if -(2**63) <= value < 2**63 else ["i", _big_int(value)]
    if kind is np.ndarray and value.dtype.kind in "biufc" and not value.dtype.metadata:
        return _pack_array(value, buffers)
    if isinstance(value, np.generic) and kind.__module__ == "numpy" and value.dtype.kind in "biufc":
        return ["n", value.dtype.str, value.tobytes()]
    pack = _PACKERS.get(kind)
    if pack is not None:
        tag, parts = pack(value)
        return [tag, *(_pack(part, opaque, buffers, depth + 1) for part in parts)]
    if isinstance(value, np.dtype) and value.kind in "biufc":
        return ["y", value.str]
    if kind is type and value.__module__ == "numpy" and issubclass(value, np.generic):
        return _pack_scalar_type(value, opaque)
    return ["h", *opaque(value)]


def _pack_scalar_type(value: type[np.generic], opaque: Opaque) -> list[Any]:
    try:
        dtype = np.dtype(value)
    except TypeError:
        return ["h", *opaque(value)]
    return ["Y", dtype.str] if _DTYPE.match(dtype.str) else ["h", *opaque(value)]


def _pack_array(value: NDArray[Any], buffers: list[memoryview]) -> list[Any]:
    flat = np.ascontiguousarray(value).reshape(-1)
    offset = sum(buffer.nbytes for buffer in buffers)
    if flat.size:
        buffers.append(flat.view(np.uint8).data)
    return ["a", value.dtype.str, list(value.shape), offset]


def _big_int(value: int) -> str:
    text = hex(value)
    if len(text) > MAX_INT_DIGITS:
        raise TooLargeError(f"expected an integer of at most {MAX_INT_DIGITS} hex digits, got {len(text)}")
    return text


_PACKERS: dict[type, Callable[[Any], tuple[str, Any]]] = {
    list: lambda v: ("l", v),
    tuple: lambda v: ("t", v),
    dict: lambda v: ("d", [part for item in v.items() for part in item]),
    OrderedDict: lambda v: ("d", [part for item in v.items() for part in item]),
    defaultdict: lambda v: ("d", [part for item in v.items() for part in item]),
    set: lambda v: ("s", v),
    frozenset: lambda v: ("f", v),
    slice: lambda v: ("S", [v.start, v.stop, v.step]),
    range: lambda v: ("r", [v.start, v.stop, v.step]),
    complex: lambda v: ("c", [v.real, v.imag]),
    EllipsisType: lambda v: ("e", []),
}


class _Decoder:
    """The state of decoding a frame: how many more nodes are allowed, and where the next array must begin."""

    def __init__(self, buffers: memoryview, remote: Remote) -> None:
        self.buffers, self.remote = buffers, remote
        self.nodes = MAX_NODES
        self.offset = 0

    def unpack(self, packed: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise CodecError(f"expected at most {MAX_DEPTH} levels of nesting, got more")
        if packed is None or type(packed) in (bool, int, float, str, bytes):
            return packed
        if type(packed) is not list or not packed or type(packed[0]) is not str:
            raise CodecError("expected a tagged value, got something else")
        self.nodes -= 1
        if self.nodes < 0:
            raise CodecError(f"expected at most {MAX_NODES} containers and arrays, got more")
        tag, *parts = packed
        if tag == "a":
            return self.array(parts)
        if tag in _LEAVES:
            return _LEAVES[tag](parts)
        if tag == "h":
            return self.remote(parts)
        if tag not in _BRANCHES:
            raise CodecError(f"expected a known tag, got {tag[:8]!r}")
        return _BRANCHES[tag]([self.unpack(part, depth + 1) for part in parts])

    def array(self, parts: list[Any]) -> NDArray[Any]:
        text, shape, offset = parts
        dtype = _dtype(text)
        if type(shape) is not list or len(shape) > 32 or any(type(n) is not int or not 0 <= n < 2**40 for n in shape):
            raise CodecError("expected the shape of an array, got invalid lengths")
        size = math.prod(shape) * dtype.itemsize
        if type(offset) is not int or offset != self.offset or offset + size > len(self.buffers):
            raise CodecError("expected array data right after the last one and inside the frame, got another offset")
        self.offset += size
        # A copy is aligned and writable, and does not keep the frame alive.
        return np.frombuffer(self.buffers[offset : offset + size], dtype).reshape(shape).copy()


def _dtype(text: Any) -> np.dtype[Any]:
    if type(text) is not str or not _DTYPE.match(text):
        raise CodecError("expected a numeric dtype, got something else")
    return np.dtype(text)


def _unpack_scalar(parts: list[Any]) -> np.generic:
    text, raw = parts
    dtype = _dtype(text)
    if type(raw) is not bytes or len(raw) != dtype.itemsize:
        raise CodecError("expected the bytes of one number, got a different length")
    scalar: np.generic = np.frombuffer(raw, dtype)[0]
    return scalar


def _unpack_int(parts: list[Any]) -> int:
    (text,) = parts
    if type(text) is not str or len(text) > MAX_INT_DIGITS:
        raise CodecError(f"expected an integer of at most {MAX_INT_DIGITS} hex digits, got something else")
    return int(text, 16)


def _unpack_dict(parts: list[Any]) -> dict[Any, Any]:
    _refuse_collisions(parts[::2])
    return dict(zip(parts[::2], parts[1::2], strict=True))


def _unpack_set(parts: list[Any]) -> set[Any]:
    _refuse_collisions(parts)
    return set(parts)


def _unpack_frozenset(parts: list[Any]) -> frozenset[Any]:
    return frozenset(_unpack_set(parts))


def _refuse_collisions(keys: list[Any]) -> None:
    """Limit the keys whose hashes can be made to collide: a dict of 100,000 such keys takes minutes to build."""
    odd = sum(not (key is None or type(key) in (bool, str, bytes) or _is_short(key)) for key in keys)
    if odd > MAX_ODD_KEYS:
        raise CodecError(f"expected at most {MAX_ODD_KEYS} keys other than strings and integers, got {odd}")


def _is_short(key: Any) -> bool:
    return type(key) is int and -(2**63) <= key < 2**63


def _unpack_slice(parts: list[Any]) -> slice:
    start, stop, step = parts
    return slice(start, stop, step)


def _unpack_range(parts: list[Any]) -> range:
    start, stop, step = parts
    if not all(type(part) is int and abs(part) < 2**62 for part in parts) or len(range(start, stop, step)) > MAX_RANGE:
        raise CodecError(f"expected a range of at most {MAX_RANGE} integers, got something else")
    return range(start, stop, step)


def _unpack_complex(parts: list[Any]) -> complex:
    real, imag = parts
    return complex(real, imag)


_LEAVES: dict[str, Callable[[list[Any]], Any]] = {
    "n": _unpack_scalar,
    "i": _unpack_int,
    "y": lambda parts: _dtype(*parts),
    "Y": lambda parts: _dtype(*parts).type,
    "e": lambda parts: ...,
}
_BRANCHES: dict[str, Callable[[list[Any]], Any]] = {
    "l": list,
    "t": tuple,
    "d": _unpack_dict,
    "s": _unpack_set,
    "f": _unpack_frozenset,
    "S": _unpack_slice,
    "r": _unpack_range,
    "c": _unpack_complex,
}
