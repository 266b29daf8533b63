"""The codec: plain data crosses unchanged, and no bytes do harm."""

import math
import struct

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gradlab_staff.host.codec import HEADER, MAX_BUFFERS, MAX_TREE, CodecError, decode, encode, frame_lengths

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.complex_numbers(), st.text(), st.binary(), st.just(...)
)
DTYPES = hnp.boolean_dtypes() | hnp.integer_dtypes() | hnp.floating_dtypes() | hnp.complex_number_dtypes()
ARRAYS = DTYPES.flatmap(lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, min_side=0)))
VALUES = st.recursive(
    SCALARS | ARRAYS | DTYPES.map(np.dtype),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


def round_trip(value):
    frame = b"".join(bytes(part) for part in encode(value))
    tree, buffers = frame_lengths(frame[: HEADER.size])
    body = frame[HEADER.size :]
    assert len(body) == tree + buffers
    return decode(body[:tree], body[tree:])


def same(a, b):
    """Whether two values are equal, types and NaNs included."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray | np.generic):
        return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, float):
        return a == b or (math.isnan(a) and math.isnan(b))
    return a == b or (a != a and b != b)


@given(VALUES)
def test_plain_data_crosses_unchanged(value):
    """What one side encodes the other decodes, type for type."""
    assert same(value, round_trip(value))


@pytest.mark.parametrize(
    "value",
    [
        {1, 2},
        frozenset({3}),
        slice(1, None, 2),
        range(3, 9, 2),
        2**90,
        -(2**90),
        np.float64,
        np.float32(3),
        {(1, 2): 3},
    ],
)
def test_the_rarer_types_cross_too(value):
    """Sets, slices, ranges, big integers, numpy's own scalars and dtypes."""
    assert same(value, round_trip(value))


def test_arrays_come_out_contiguous_writable_and_in_order():
    """A transposed array crosses by its values, not by its memory."""
    array = np.arange(6.0).reshape(2, 3).T
    out = round_trip(array)
    assert np.array_equal(out, array)
    assert out.flags.writeable
    assert out.flags.c_contiguous


class Liar(np.ndarray):
    """A subclass: stays where it is."""


@pytest.mark.parametrize(
    "value",
    [
        np.array([object()]),
        np.ma.array([1.0]),
        np.array(["text"]),
        np.zeros(3).view(Liar),
        lambda: 1,
        object(),
        type("List", (list,), {})(),
        np.datetime64("2020-01-01"),
        np.zeros(2, dtype=[("a", "f8")]),
    ],
)
def test_anything_else_is_refused(value):
    """Objects, subclasses and arrays of them are opaque, and an encoder with no use for them says so."""
    with pytest.raises(CodecError, match="expected plain data, got"):
        encode(value)


def test_an_opaque_value_crosses_as_a_token():
    """The encoder asks for a token, the decoder gives the object back."""
    thing = object()
    frame = b"".join(bytes(part) for part in encode((1, thing), lambda value: ["own", 7]))
    tree, _ = frame_lengths(frame[: HEADER.size])
    assert decode(frame[HEADER.size :][:tree], b"", lambda token: (thing, token)) == (1, (thing, ["own", 7]))


def test_deep_nesting_is_refused():
    """A list in a list in a list …: an error, not a crash."""
    value = []
    for _ in range(100):
        value = [value]
    with pytest.raises(CodecError, match="levels of nesting"):
        encode(value)
    bytes_ = msgpack.packb("x")
    for _ in range(5000):
        bytes_ = b"\x92\xa1l" + bytes_
    with pytest.raises(CodecError):
        decode(bytes_, b"")


def test_oversized_values_are_refused():
    """Neither side sends, or accepts the announcement of, more than a frame may hold."""
    with pytest.raises(CodecError, match="expected at most"):
        encode("x" * (MAX_TREE + 1))
    with pytest.raises(CodecError, match="expected at most"):
        encode(np.broadcast_to(np.float64(0), (MAX_BUFFERS // 8 + 1,)))
    for lengths in [(MAX_TREE + 1, 0), (0, MAX_BUFFERS + 1), (2**64 - 1, 2**64 - 1)]:
        with pytest.raises(CodecError, match="expected a frame"):
            frame_lengths(struct.pack("<QQ", *lengths))


@pytest.mark.parametrize(
    "packed",
    [
        ["a", "<f8", [2**39], 0],
        ["a", "<f8", [-1], 0],
        ["a", "<f8", [1], -8],
        ["a", "<f8", [1], 1],
        ["a", "|O8", [1], 0],
        ["a", "<M8[ns]", [1], 0],
        ["a", "<f8", [0, 2**39, 2**39, 2**39, 2**39], 0],
        ["a", "<f8", [1] * 40, 0],
        ["a", "<f8", "no", 0],
        ["a", "<f8"],
        ["n", "<f8", b"short"],
        ["i", "f" * 10_000],
        ["i", "zz"],
        ["d", "key without value"],
        ["s", ["l"]],
        ["r", 1, 2, 0],
        ["??"],
        [],
        [1],
        {"a": 1},
        ["h", "own", 1],
        ["l", [[]]],
    ],
)
def test_malformed_values_are_refused(packed):
    """Shapes that reach out of the frame, foreign dtypes, unknown tags: a `CodecError`, whatever it is."""
    with pytest.raises(CodecError):
        decode(msgpack.packb(packed), b"\0" * 8)


def test_arrays_may_not_share_bytes():
    """A frame in which many arrays lie in one buffer would grow a thousandfold."""
    with pytest.raises(CodecError, match="after the last one"):
        decode(msgpack.packb(["l", *[["a", "<f8", [1], 0]] * 2]), b"\0" * 16)
    first, second = round_trip([np.ones(1), np.zeros(1)])
    assert (first, second) == (1, 0)


def test_keys_that_could_all_have_one_hash_are_few():
    """A dict of 100,000 complex numbers with one hash takes minutes to make; words and integers are no danger."""
    keys = [["c", -1000003.0 * i, float(i)] for i in range(2000)]
    for tree in (["s", *keys], ["f", *keys], ["d", *(part for key in keys for part in (key, 1))]):
        with pytest.raises(CodecError, match="at most 1024 keys"):
            decode(msgpack.packb(tree), b"")
    assert len(round_trip(set(range(5000)))) == 5000


def test_long_ranges_and_integers_that_cannot_be_printed_are_refused():
    """What a message would choke on does not come in."""
    for packed in (["r", 0, 2**62, 1], ["r", 0, 10**7, 1], ["i", "0x" + "f" * 3600]):
        with pytest.raises(CodecError):
            decode(msgpack.packb(packed), b"")


@given(st.binary(max_size=200), st.binary(max_size=64))
def test_no_bytes_crash_the_decoder(tree, buffers):
    """Any bytes decode to a value or to a `CodecError`."""
    try:
        decode(tree, buffers)
    except CodecError as error:
        assert "expected" in str(error)  # noqa: PT017 (either way out is right)
