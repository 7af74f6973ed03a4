"""Methods' arguments and messages' properties, as bytes and as values. Pure.

Strings and tables within them are `towerws.amqp.tables`' business.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from towerws.amqp.errors import DecodeError, EncodeError
from towerws.amqp.tables import (
    decode_long_string,
    decode_short_string,
    decode_table,
    encode_long_string,
    encode_short_string,
    encode_table,
    encode_timestamp,
)

_FLAGS = struct.Struct(">H")
_BITS_IN_OCTET = 8

_FIXED = {
    "octet": struct.Struct(">B"),
    "short": struct.Struct(">H"),
    "long": struct.Struct(">I"),
    "longlong": struct.Struct(">Q"),
}

#: The properties of a message in the order of their flags, from bit 15 down.
PROPERTIES = {
    "content_type": "shortstr",
    "content_encoding": "shortstr",
    "headers": "table",
    "delivery_mode": "octet",
    "priority": "octet",
    "correlation_id": "shortstr",
    "reply_to": "shortstr",
    "expiration": "shortstr",
    "message_id": "shortstr",
    "timestamp": "timestamp",
    "type": "shortstr",
    "user_id": "shortstr",
    "app_id": "shortstr",
    "cluster_id": "shortstr",
}
_FLAG_BITS = tuple((1 << 15 - index, name) for index, name in enumerate(PROPERTIES))
#: Flag bits that belong to no property: another word of flags would follow, or the unused bit.
_FOREIGN_FLAGS = 0b11


def encode_arguments(types: Sequence[str], values: Sequence[object]) -> bytes:
    """Write the arguments of a method.

    Args:
        types: AMQP's type of each, such as ``shortstr``; adjacent ``bit`` share octets.
        values: The values, as many.

    Returns:
        The bytes, without the method's number.

    Raises:
        EncodeError: A value does not fit its type.
    """
    pieces: list[bytes] = []
    bits: list[bool] = []
    for kind, value in zip(types, values, strict=True):
        if kind == "bit":
            bits.append(bool(value))
            continue
        pieces.append(_pack_bits(bits))
        bits = []
        pieces.append(_ENCODERS[kind](value))
    pieces.append(_pack_bits(bits))
    return b"".join(pieces)


def decode_arguments(types: Sequence[str], data: bytes, offset: int = 0) -> list[Any]:
    """Read the arguments of a method.

    Args:
        types: AMQP's type of each.
        data: Bytes that hold them and end with them.
        offset: Where they begin.

    Returns:
        The values; bits are ``bool``, strings ``str``, timestamps seconds since 1970 as ``int``.

    Raises:
        DecodeError: The bytes are too few or too many, or hold something else.
    """
    values: list[Any] = []
    bit = 0
    try:
        for kind in types:
            if kind == "bit":
                values.append(bool(data[offset] >> bit & 1))
                bit += 1
                if bit == _BITS_IN_OCTET:
                    offset, bit = offset + 1, 0
                continue
            offset += bit > 0
            bit = 0
            value, offset = _DECODERS[kind](data, offset)
            values.append(value)
    except (IndexError, struct.error):
        raise DecodeError("a method ends before its arguments do") from None
    if offset + (bit > 0) != len(data):
        raise DecodeError("a method is longer than its arguments")
    return values


def encode_properties(properties: Mapping[str, object]) -> bytes:
    """Write the properties of a message.

    Args:
        properties: Values by name, such as ``{"content_type": "text/plain", "headers": {...}}``;
            names as in `PROPERTIES`, those that are ``None`` are left out.

    Returns:
        The flags and the values.

    Raises:
        EncodeError: A name is unknown or a value does not fit.
    """
    unknown = properties.keys() - PROPERTIES.keys()
    if unknown:
        raise EncodeError(f"messages have no property {min(unknown)!r}")
    flags = 0
    pieces = []
    for bit, name in _FLAG_BITS:
        value = properties.get(name)
        if value is not None:
            flags |= bit
            pieces.append(_ENCODERS[PROPERTIES[name]](value))
    return _FLAGS.pack(flags) + b"".join(pieces)


def decode_properties(data: bytes, offset: int = 0) -> dict[str, Any]:
    """Read the properties of a message.

    Args:
        data: Bytes that hold flags and values and end with them.
        offset: Where the flags begin.

    Returns:
        Those that the message has, by name; ``headers`` is a ``dict``.

    Raises:
        DecodeError: The bytes are malformed.
    """
    properties = {}
    try:
        (flags,) = _FLAGS.unpack_from(data, offset)
        if flags & _FOREIGN_FLAGS:
            raise DecodeError("a message has properties that AMQP 0-9-1 does not")
        offset += _FLAGS.size
        for bit, name in _FLAG_BITS:
            if flags & bit:
                properties[name], offset = _DECODERS[PROPERTIES[name]](data, offset)
    except (IndexError, struct.error):
        raise DecodeError("a message's properties end early") from None
    if offset != len(data):
        raise DecodeError("a message's properties are longer than its flags say")
    return properties


def _pack_bits(bits: list[bool]) -> bytes:
    octets = bytearray((len(bits) + 7) // 8)
    for index, bit in enumerate(bits):
        octets[index // 8] |= bit << index % 8
    return bytes(octets)


def _fixed_encoder(name: str) -> Callable[[object], bytes]:
    layout = _FIXED[name]

    def encode(value: object) -> bytes:
        try:
            return layout.pack(value)
        except struct.error:
            raise EncodeError(f"{value!r:.40} is not an AMQP {name}") from None

    return encode


def _fixed_decoder(name: str) -> Callable[[bytes, int], tuple[Any, int]]:
    layout = _FIXED[name]

    def decode(data: bytes, offset: int) -> tuple[Any, int]:
        return layout.unpack_from(data, offset)[0], offset + layout.size

    return decode


_ENCODERS: dict[str, Callable[[Any], bytes]] = {
    **{name: _fixed_encoder(name) for name in _FIXED},
    "shortstr": encode_short_string,
    "longstr": encode_long_string,
    "timestamp": encode_timestamp,
    "table": encode_table,
}

_DECODERS: dict[str, Callable[[bytes, int], tuple[Any, int]]] = {
    **{name: _fixed_decoder(name) for name in _FIXED},
    "shortstr": decode_short_string,
    "longstr": decode_long_string,
    "timestamp": _fixed_decoder("longlong"),
    "table": decode_table,
}
