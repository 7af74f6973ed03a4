"""Tests of `towerws.amqp.codec`."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pika import spec
from twisted.trial.unittest import SynchronousTestCase

from tests.amqp.test_tables import deterministic
from tests.properties import CHARACTERS
from towerws.amqp.codec import (
    PROPERTIES,
    decode_arguments,
    decode_properties,
    encode_arguments,
    encode_properties,
)
from towerws.amqp.errors import DecodeError, EncodeError

_short = st.text(CHARACTERS, max_size=20)
_tables = st.dictionaries(_short, st.integers(-(2**63), 2**63 - 1) | _short, max_size=2)
_PROPERTY_VALUES = {
    "shortstr": _short,
    "table": _tables,
    "octet": st.integers(0, 255),
    "timestamp": st.integers(0, 2**64 - 1),
}
_properties = st.fixed_dictionaries(
    {}, optional={name: _PROPERTY_VALUES[kind] for name, kind in PROPERTIES.items()}
)
_ARGUMENTS = {
    "bit": st.booleans(),
    "octet": st.integers(0, 2**8 - 1),
    "short": st.integers(0, 2**16 - 1),
    "long": st.integers(0, 2**32 - 1),
    "longlong": st.integers(0, 2**64 - 1),
    "shortstr": _short,
    "longstr": _short,
    "timestamp": st.integers(0, 2**64 - 1),
    "table": _tables,
}
_arguments = st.lists(
    st.sampled_from(sorted(_ARGUMENTS)).flatmap(
        lambda kind: st.tuples(st.just(kind), _ARGUMENTS[kind])
    ),
    max_size=12,
)


class ArgumentsTests(SynchronousTestCase):
    """The arguments of methods."""

    @deterministic
    @given(_arguments)
    def test_round_trip(self, arguments: list[tuple[str, Any]]) -> None:
        """What is written is read back, whatever bits share octets."""
        types = [kind for kind, _ in arguments]
        values = [value for _, value in arguments]
        self.assertEqual(decode_arguments(types, encode_arguments(types, values)), values)

    def test_bits_share_an_octet(self) -> None:
        """Adjacent bits are packed from the lowest; the ninth begins an octet."""
        self.assertEqual(encode_arguments(["bit"] * 3, [True, False, True]), b"\x05")
        self.assertEqual(encode_arguments(["bit"] * 9, [False] * 8 + [True]), b"\x00\x01")
        self.assertEqual(decode_arguments(["bit"] * 9, b"\x00\x01"), [False] * 8 + [True])
        self.assertEqual(encode_arguments(["bit", "octet", "bit"], [1, 7, 1]), b"\x01\x07\x01")

    def test_numbers_that_do_not_fit(self) -> None:
        """Trap 8: a number of a wrong size or type is an error before anything is sent."""
        for kind, value in (("octet", 256), ("short", -1), ("long", "5"), ("longlong", None)):
            self.assertRaises(EncodeError, encode_arguments, [kind], [value])

    def test_wrong_length(self) -> None:
        """Bytes that are too few or too many for the arguments are an error."""
        for types, data in (
            (["short"], b"\x00"),
            (["bit"], b""),
            (["shortstr"], b""),
            (["longstr"], b"\x00\x00\x00\x05abc"),
            (["octet"], b"\x00\x00"),
            (["bit"], b"\x00\x00"),
        ):
            self.assertRaises(DecodeError, decode_arguments, types, data)

    @deterministic
    @given(st.lists(st.sampled_from(sorted(_ARGUMENTS)), max_size=8), st.binary(max_size=60))
    def test_arbitrary_bytes(self, types: list[str], data: bytes) -> None:
        """Nothing but the documented error comes out of any bytes."""
        try:
            decode_arguments(types, data)
        except DecodeError:
            pass


class PropertiesTests(SynchronousTestCase):
    """The properties of messages."""

    @deterministic
    @given(_properties)
    def test_round_trip(self, properties: dict[str, Any]) -> None:
        """What is written is read back."""
        self.assertEqual(decode_properties(encode_properties(properties)), properties)

    def test_pika_reads_them(self) -> None:
        """Another implementation finds each property under its name."""
        properties: dict[str, Any] = {
            name: {"k": 1} if kind == "table" else "5" if kind == "shortstr" else 5
            for name, kind in PROPERTIES.items()
        }
        read = spec.BasicProperties()
        read.decode(encode_properties(properties))
        self.assertEqual({name: getattr(read, name) for name in PROPERTIES}, properties)

    def test_none_is_left_out(self) -> None:
        """A property of ``None`` is one that the message does not have."""
        self.assertEqual(encode_properties({"content_type": None}), b"\x00\x00")

    def test_unknown_name(self) -> None:
        """A misspelt property is refused rather than dropped."""
        with self.assertRaisesRegex(EncodeError, "no property 'contenttype'"):
            encode_properties({"contenttype": "text/plain"})

    def test_flags_of_the_future(self) -> None:
        """Flags that no property of 0-9-1 has are an error."""
        for flags in (b"\x00\x01", b"\x00\x02"):
            self.assertRaises(DecodeError, decode_properties, flags)

    def test_wrong_length(self) -> None:
        """Bytes that are too few or too many are an error."""
        for data in (b"", b"\x80\x00", b"\x80\x00\x05abc", b"\x00\x00\x00"):
            self.assertRaises(DecodeError, decode_properties, data)

    @deterministic
    @given(st.binary(max_size=60))
    def test_arbitrary_bytes(self, data: bytes) -> None:
        """Nothing but the documented error comes out of any bytes."""
        try:
            decode_properties(data)
        except DecodeError:
            pass
