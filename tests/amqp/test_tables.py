"""Tests of `towerws.amqp.tables`, with pika's codec as the judge."""

import struct
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pika import data as pika_data
from twisted.trial.unittest import SynchronousTestCase

from tests.properties import CHARACTERS, PROPERTY
from towerws.amqp.errors import AMQPError, DecodeError, EncodeError
from towerws.amqp.tables import (
    MAX_DEPTH,
    decode_long_string,
    decode_short_string,
    decode_table,
    encode_long_string,
    encode_short_string,
    encode_table,
    encode_timestamp,
)

deterministic = PROPERTY

_scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text(CHARACTERS, max_size=9)
    | st.binary(max_size=9)
    | st.floats(allow_nan=False)
    | st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-9999, max_value=9999)
)
_keys = st.text(CHARACTERS, max_size=5)
_values: st.SearchStrategy[Any] = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_keys, inner, max_size=4),
    max_leaves=6,
)
tables = st.dictionaries(_keys, _values, max_size=4)

#: Every type that RabbitMQ writes: its letter and octets, and what they mean.
WIRE_VALUES: dict[bytes, Any] = {
    b"t\x01": True,
    b"t\x00": False,
    b"b\xff": -1,
    b"B\xff": 255,
    b"s\xff\xfe": -2,
    b"u\xff\xfe": 65534,
    b"I\xff\xff\xff\xff": -1,
    b"i\xff\xff\xff\xff": 2**32 - 1,
    b"l\xff\xff\xff\xff\xff\xff\xff\xff": -1,
    b"L\x80\x00\x00\x00\x00\x00\x00\x00": -(2**63),
    b"f\x3f\xc0\x00\x00": 1.5,
    b"d\x3f\xf8\x00\x00\x00\x00\x00\x00": 1.5,
    b"D\x02\x00\x00\x00\x7b": Decimal("1.23"),
    b"D\x02\xff\xff\xff\x85": Decimal("-1.23"),
    b"S\x00\x00\x00\x02\xc3\xa9": "é",
    b"S\x00\x00\x00\x01\xff": "\udcff",
    b"x\x00\x00\x00\x02\x00\xff": b"\x00\xff",
    b"A\x00\x00\x00\x03t\x01V": [True, None],
    b"T\x00\x00\x00\x00\x00\x00\x00\x0a": 10,
    b"F\x00\x00\x00\x04\x01aB\x05": {"a": 5},
    b"V": None,
}


def _packed(items: bytes) -> bytes:
    return struct.pack(">I", len(items)) + items


class DecodeTableTests(SynchronousTestCase):
    """Tables from the broker."""

    def test_every_type(self) -> None:
        """Trap 6: every type of value that RabbitMQ can send is understood, signs included (7)."""
        for wire, value in WIRE_VALUES.items():
            table, end = decode_table(_packed(b"\x01k" + wire))
            self.assertEqual(table, {"k": value}, wire)
            self.assertIs(type(table["k"]), type(value), wire)
            self.assertEqual(end, 4 + 2 + len(wire))

    def test_every_type_in_an_array(self) -> None:
        """Arrays hold the same types as tables."""
        wire = b"k"
        items = b"".join(WIRE_VALUES)
        table, _ = decode_table(_packed(b"\x01" + wire + b"A" + _packed(items)))
        self.assertEqual(table, {"k": list(WIRE_VALUES.values())})

    def test_table_within_other_data(self) -> None:
        """A table is read at its offset and leaves what follows alone."""
        table, end = decode_table(b"xx" + _packed(b"\x01kV") + b"rest", 2)
        self.assertEqual((table, end), ({"k": None}, 9))

    def test_unknown_type(self) -> None:
        """A letter that nobody uses is an error, not a guess."""
        self.assertRaises(DecodeError, decode_table, _packed(b"\x01kZ"))

    def test_truncated(self) -> None:
        """A table cut at any place is an error."""
        whole = _packed(b"".join(b"\x01k" + wire for wire in WIRE_VALUES))
        for size in range(len(whole)):
            self.assertRaises(DecodeError, decode_table, whole[:size])

    def test_item_runs_over_the_end(self) -> None:
        """A value longer than its table is an error even if the frame has more bytes."""
        items = b"\x01kS\x00\x00\x00\x09abc"
        self.assertRaises(DecodeError, decode_table, _packed(items) + b"more bytes behind")

    def test_depth_is_bounded(self) -> None:
        """A hostile publisher cannot exhaust the stack."""
        for kind, key in ((b"F", b"\x01k"), (b"A", b"")):
            items = b""
            for _ in range(2000):
                items = key + kind + _packed(items)
            with self.assertRaisesRegex(DecodeError, f"deeper than {MAX_DEPTH}"):
                decode_table(_packed(b"\x01k" + kind + _packed(items)))

    @deterministic
    @given(st.binary(max_size=100))
    def test_arbitrary_bytes(self, items: bytes) -> None:
        """Nothing but the documented error comes out of any bytes."""
        for data in (items, _packed(items), _packed(b"\x01kA" + _packed(items))):
            try:
                decode_table(data)
            except DecodeError:
                pass


class EncodeTableTests(SynchronousTestCase):
    """Tables for the broker."""

    @deterministic
    @given(tables)
    def test_round_trip(self, table: dict[str, Any]) -> None:
        """What is written is read back."""
        data = encode_table(table)
        self.assertEqual(decode_table(data), (table, len(data)))

    @deterministic
    @given(tables)
    def test_pika_reads_it(self, table: dict[str, Any]) -> None:
        """Another implementation reads the same (floats aside, which pika cuts to integers)."""

        def without_floats(value: Any) -> Any:
            if isinstance(value, dict):
                return {key: without_floats(each) for key, each in value.items()}
            if isinstance(value, list):
                return [without_floats(each) for each in value]
            return None if isinstance(value, float) else value

        table = without_floats(table)
        data = encode_table(table)
        self.assertEqual(pika_data.decode_table(data, 0), (table, len(data)))

    def test_types(self) -> None:
        """Trap 7: booleans, negative numbers and the rest keep their types."""
        for value, wire in (
            (True, b"t\x01"),
            (False, b"t\x00"),
            (-1, b"I\xff\xff\xff\xff"),
            (2**31, b"l\x00\x00\x00\x00\x80\x00\x00\x00"),
            (1.5, b"d\x3f\xf8\x00\x00\x00\x00\x00\x00"),
            ("é", b"S\x00\x00\x00\x02\xc3\xa9"),
            (b"\xff", b"x\x00\x00\x00\x01\xff"),
            (None, b"V"),
            ((True,), b"A\x00\x00\x00\x02t\x01"),
            (Decimal("-1.23"), b"D\x02\xff\xff\xff\x85"),
            (Decimal("1E+2"), b"D\x00\x00\x00\x00\x64"),
            (datetime(1970, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))), b"T" + bytes(8)),
            ("\udcff", b"S\x00\x00\x00\x01\xff"),
        ):
            self.assertEqual(encode_table({"k": value}), _packed(b"\x01k" + wire), value)

    def test_what_cannot_be_written(self) -> None:
        """Trap 8: a value that AMQP has no form for is an error here, before anything is sent."""
        endless: list[Any] = []
        endless.append(endless)
        for value in (
            object(),
            {1, 2},
            2**63,
            -(2**63) - 1,
            "\ud800",
            Decimal("NaN"),
            Decimal("Infinity"),
            Decimal(2**31),
            Decimal("1E+999999"),
            Decimal("1E-256"),
            Decimal("1.12345678901234567890"),
            datetime(2026, 1, 1),  # noqa: DTZ001 - the point of it
            datetime(1969, 1, 1, tzinfo=timezone.utc),  # noqa: UP017
            endless,
            {1: "key"},
            {"k" * 256: 1},
        ):
            self.assertRaises(EncodeError, encode_table, {"k": value})
        self.assertRaises(EncodeError, encode_table, [("k", 1)])

    def test_errors_are_of_one_family(self) -> None:
        """Callers may catch `AMQPError` or `ValueError`."""
        for kind in (EncodeError, DecodeError):
            self.assertTrue(issubclass(kind, AMQPError))
            self.assertTrue(issubclass(kind, ValueError))


class StringTests(SynchronousTestCase):
    """Short and long strings, and timestamps."""

    def test_length_is_of_bytes(self) -> None:
        """Trap 4: the length of a text is that of its bytes."""
        self.assertEqual(encode_short_string("é"), b"\x02\xc3\xa9")
        self.assertEqual(encode_long_string("é"), b"\x00\x00\x00\x02\xc3\xa9")

    def test_bytes_are_taken_as_they_are(self) -> None:
        """Bytes need no decoding to be sent."""
        self.assertEqual(encode_short_string(b"\xff"), b"\x01\xff")

    def test_longest(self) -> None:
        """A short string has at most 255 bytes."""
        self.assertEqual(len(encode_short_string("x" * 255)), 256)
        self.assertRaises(EncodeError, encode_short_string, "é" * 128)

    def test_not_text(self) -> None:
        """Other types are refused rather than converted."""
        for value in (None, 5, ["x"]):
            self.assertRaises(EncodeError, encode_short_string, value)

    def test_decoding_is_lenient(self) -> None:
        """Bytes that are not UTF-8 decode to something that encodes to the same bytes."""
        text, end = decode_short_string(b"\x03a\xffb", 0)
        self.assertEqual((text, end), ("a\udcffb", 4))
        self.assertEqual(encode_short_string(text), b"\x03a\xffb")
        self.assertEqual(decode_long_string(b"\x00\x00\x00\x01\xff", 0), ("\udcff", 5))

    def test_timestamp(self) -> None:
        """Seconds may be given as a number."""
        self.assertEqual(encode_timestamp(10), bytes(7) + b"\x0a")
        for value in (-1, 2**64, "now", None):
            self.assertRaises(EncodeError, encode_timestamp, value)
