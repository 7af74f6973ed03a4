"""`towerws.amqp.stream_offset`: offsets, whatever publishers write into their headers."""

import struct
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.feeds.streams import message
from tests.properties import CHARACTERS, PROPERTY
from towerws.amqp.codec import encode_properties
from towerws.amqp.deliveries import BASIC, Delivery
from towerws.amqp.errors import DecodeError, ProtocolViolation
from towerws.amqp.stream_offset import Offsets, read_offset

_NAME = "x-stream-offset"
_FIELD = b"\x0fx-stream-offsetl"
_FAR = 1 << 40

_NAMES = st.sampled_from(["a", "x-", "x-stream-offse", "x-stream-offsetl", "x-z", "\u00e4"])

#: Values of all kinds that a table can hold.
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(CHARACTERS, max_size=20)
    | st.binary(max_size=20)
    | st.just(_FIELD + struct.pack(">q", _FAR)),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(_NAMES, values, max_size=3),
    max_leaves=8,
)
_PROPERTIES = st.fixed_dictionaries(
    {},
    optional={
        name: st.sampled_from(["t", (_FIELD + b"\0" * 8).decode()])
        for name in ("content_type", "content_encoding", "correlation_id", "app_id", "type")
    },
)


def _delivery(properties: bytes) -> Delivery:
    header = struct.pack(">HHQ", BASIC, 0, 2) + properties
    return Delivery(1, 1, False, "jobs-1", 2, b"{}", header)


def _with_table(table: bytes) -> Delivery:
    return _delivery(struct.pack(">HI", 1 << 13, len(table)) + table)


class ReadTests(SynchronousTestCase):
    """The offset is the broker's."""

    def test_plain(self) -> None:
        """With no other header, and with some before and behind."""
        self.assertEqual(read_offset(message(0)), 0)
        self.assertEqual(read_offset(message(_FAR)), _FAR)
        self.assertEqual(read_offset(message(5, headers={"a": 1, "z": "\u00fc"}, type="t")), 5)

    @PROPERTY
    @given(st.dictionaries(_NAMES, _VALUES, max_size=4), _PROPERTIES, st.integers(0, 2**62))
    def test_any_properties(
        self, headers: dict[str, Any], properties: dict[str, Any], offset: int
    ) -> None:
        """Whatever a message has besides it, the same bytes included, plays no part."""
        before = {name: value for name, value in headers.items() if name < _NAME}
        table = {**before, _NAME: -(2**62), **headers}
        encoded = encode_properties({**properties, "headers": table})
        place = _FIELD + struct.pack(">q", -(2**62))
        encoded = encoded.replace(place, _FIELD + struct.pack(">q", offset))
        self.assertEqual(read_offset(_delivery(encoded)), offset)

    def test_names_that_repeat(self) -> None:
        """The first of that name is the broker's, whatever comes behind it."""
        own = _FIELD + struct.pack(">q", 7)
        far = _FIELD + struct.pack(">q", _FAR)
        for others in (far, far + far, b"\x0fx-stream-offsett\x01" + far):
            self.assertEqual(read_offset(_with_table(b"\x01at\x01" + own + others)), 7)
        self.assertRaises(
            DecodeError, read_offset, _with_table(b"\x0fx-stream-offsett\x01" + far * 2)
        )

    def test_not_of_a_stream(self) -> None:
        """A message of any other queue has none, and nothing else is taken for it."""
        for delivery in (
            _delivery(encode_properties({})),
            _delivery(encode_properties({"headers": {"a": 1}})),
            _delivery(encode_properties({"content_type": "text", "headers": {_NAME: 7}})),
            _delivery(encode_properties({"headers": {_NAME: "7", "a": "x" * 300}})),
            _delivery(encode_properties({"app_id": _FIELD.decode() * 2})),
            _with_table(_FIELD + b"\0"),
            _with_table(b"\x01a?" + _FIELD * 2),
            _delivery(b""),
        ):
            error = self.assertRaises(DecodeError, read_offset, delivery)
            self.assertIn("without the offset", str(error))


class OrderTests(SynchronousTestCase):
    """Offsets rise."""

    def test_rising(self) -> None:
        """There may be holes, but no way back."""
        offsets = Offsets()
        for offset in (0, 1, 5, 1000):
            self.assertEqual(offsets.read(message(offset)), offset)
            self.assertEqual(offsets.last, offset)
        for offset in (1000, 999):
            self.assertRaises(ProtocolViolation, offsets.read, message(offset))
        self.assertEqual(offsets.last, 1000)
