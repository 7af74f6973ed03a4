"""AMQP strings and field tables as RabbitMQ reads and writes them. Pure: bytes in, values out.

The types of a field table follow RabbitMQ (``rabbit_binary_parser.erl`` and
https://www.rabbitmq.com/docs/amqp-0-9-1-errata), which is also what pika writes; the letters of the
specification differ and nobody uses them. Text is UTF-8; bytes that are not are kept as lone
surrogates (``surrogateescape``): foreign text always decodes, and can be sent back as it was.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from towerws.amqp.errors import DecodeError, EncodeError

#: How deep tables and arrays may nest. Brokers write three levels (``x-death``); the bound keeps a
#: hostile header from exhausting the stack.
MAX_DEPTH = 32

_MAX_SHORT_STRING = 255
_MAX_SCALE = 255

_LENGTH = struct.Struct(">I")
_TIMESTAMP = struct.Struct(">Q")
_DECIMAL = struct.Struct(">Bi")
_INT32 = range(-(2**31), 2**31)
_INT32_DIGITS = 10


def encode_table(table: Mapping[str, object]) -> bytes:
    """Write a field table with its length.

    Args:
        table: Values by name: ``None``, ``bool``, ``int`` of 64 bits, ``float``, ``str``,
            ``bytes``, ``Decimal``, ``datetime`` with a time zone, mappings and sequences of these.

    Returns:
        The bytes. Integers become ``I`` (32 bits) where they fit, otherwise ``l``.

    Raises:
        EncodeError: A key or a value cannot be written, or the nesting is too deep.
    """
    return _encode_table(table, 1)


def decode_table(data: bytes, offset: int = 0) -> tuple[dict[str, Any], int]:
    """Read a field table.

    Args:
        data: Bytes that hold it.
        offset: Where its length begins.

    Returns:
        The table, and the offset behind it.

    Raises:
        DecodeError: The bytes are malformed.
    """
    try:
        return _decode_table(data, offset, 1)
    except (IndexError, struct.error):
        raise DecodeError("a field table ends early") from None


def encode_short_string(value: object) -> bytes:
    """Write a ``shortstr``.

    Args:
        value: Text or bytes of at most 255 bytes.

    Returns:
        The length octet and the bytes.

    Raises:
        EncodeError: It is too long or something else.
    """
    raw = _to_bytes(value)
    if len(raw) > _MAX_SHORT_STRING:
        raise EncodeError(f"a text of {len(raw)} bytes is too long: AMQP allows 255 here")
    return bytes((len(raw),)) + raw


def encode_long_string(value: object) -> bytes:
    """Write a ``longstr``.

    Args:
        value: Text or bytes.

    Returns:
        Four octets of length and the bytes.

    Raises:
        EncodeError: It is something else.
    """
    raw = _to_bytes(value)
    return _LENGTH.pack(len(raw)) + raw


def encode_timestamp(value: object) -> bytes:
    """Write a timestamp.

    Args:
        value: Seconds since 1970, or a ``datetime`` with a time zone.

    Returns:
        Eight octets.

    Raises:
        EncodeError: It is before 1970, or something else.
    """
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise EncodeError("a datetime without a time zone is ambiguous as an AMQP timestamp")
        value = int(value.timestamp())
    try:
        return _TIMESTAMP.pack(value)
    except struct.error:
        raise EncodeError(f"{value!r:.40} is not an AMQP timestamp") from None


def decode_short_string(data: bytes, offset: int) -> tuple[str, int]:
    """Read a ``shortstr``; see `decode_long_string`."""
    raw, end = _take(data, offset + 1, data[offset])
    return raw.decode("utf-8", "surrogateescape"), end


def decode_long_string(data: bytes, offset: int) -> tuple[str, int]:
    """Read a ``longstr``.

    Args:
        data: Bytes that hold it.
        offset: Where its length begins.

    Returns:
        The text, and the offset behind it.

    Raises:
        DecodeError: It is longer than the data.
        IndexError, struct.error: There is no length; for the caller to translate.
    """
    raw, end = _decode_long_bytes(data, offset)
    return raw.decode("utf-8", "surrogateescape"), end


def _to_bytes(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise EncodeError(f"AMQP wants text here, not {type(value).__name__}")
    try:
        return value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise EncodeError("a text has a lone surrogate, which UTF-8 cannot express") from None


def _encode_table(table: object, depth: int) -> bytes:
    if not isinstance(table, Mapping):
        raise EncodeError(f"AMQP wants a table here, not {type(table).__name__}")
    pieces: list[bytes] = []
    for key, value in table.items():
        pieces += (encode_short_string(key), _encode_value(value, depth))
    items = b"".join(pieces)
    return _LENGTH.pack(len(items)) + items


def _encode_array(values: Sequence[object], depth: int) -> bytes:
    items = b"".join([_encode_value(value, depth) for value in values])
    return _LENGTH.pack(len(items)) + items


def _encode_value(value: object, depth: int) -> bytes:
    if depth > MAX_DEPTH:
        raise EncodeError(f"a table nests deeper than {MAX_DEPTH} levels")
    for kind, encode in _VALUE_ENCODERS:
        if isinstance(value, kind):
            return encode(value, depth)
    raise EncodeError(f"AMQP tables cannot hold a value of type {type(value).__name__}")


def _encode_integer(value: int) -> bytes:
    if value in _INT32:
        return struct.pack(">ci", b"I", value)
    try:
        return struct.pack(">cq", b"l", value)
    except struct.error:
        raise EncodeError("AMQP integers have at most 64 bits") from None


def _encode_decimal(value: Decimal) -> bytes:
    _, digits, exponent = value.as_tuple()
    if isinstance(exponent, int) and -exponent <= _MAX_SCALE and exponent <= _INT32_DIGITS:
        scale = max(0, -exponent)
        unscaled = int(value.scaleb(scale)) if len(digits) <= _INT32_DIGITS else 2**31
        if unscaled in _INT32:
            return b"D" + _DECIMAL.pack(scale, unscaled)
    raise EncodeError("AMQP decimals have a scale up to 255 and 32 bits of digits")


#: In this order: bool is an int, and str and bytes are sequences.
_VALUE_ENCODERS: tuple[tuple[type, Callable[[Any, int], bytes]], ...] = (
    (str, lambda value, _: b"S" + encode_long_string(value)),
    (bool, lambda value, _: b"t\x01" if value else b"t\x00"),
    (int, lambda value, _: _encode_integer(value)),
    (type(None), lambda _value, _: b"V"),
    (float, lambda value, _: struct.pack(">cd", b"d", value)),
    (bytes, lambda value, _: b"x" + encode_long_string(value)),
    (Mapping, lambda value, depth: b"F" + _encode_table(value, depth + 1)),
    (datetime, lambda value, _: b"T" + encode_timestamp(value)),
    (Decimal, lambda value, _: _encode_decimal(value)),
    (Sequence, lambda value, depth: b"A" + _encode_array(value, depth + 1)),
)


def _take(data: bytes, offset: int, length: int) -> tuple[bytes, int]:
    end = offset + length
    if end > len(data):
        raise DecodeError("a string or table is longer than the frame that holds it")
    return data[offset:end], end


def _decode_long_bytes(data: bytes, offset: int) -> tuple[bytes, int]:
    return _take(data, offset + 4, _LENGTH.unpack_from(data, offset)[0])


def _fixed_decoder(form: str) -> Callable[[bytes, int], tuple[Any, int]]:
    layout = struct.Struct(form)

    def decode(data: bytes, offset: int) -> tuple[Any, int]:
        return layout.unpack_from(data, offset)[0], offset + layout.size

    return decode


def _decode_decimal(data: bytes, offset: int) -> tuple[Decimal, int]:
    scale, unscaled = _DECIMAL.unpack_from(data, offset)
    return Decimal(unscaled).scaleb(-scale), offset + _DECIMAL.size


def _decode_table(data: bytes, offset: int, depth: int) -> tuple[dict[str, Any], int]:
    items, end = _decode_long_bytes(data, offset)
    table = {}
    offset = 0
    while offset < len(items):
        key, offset = decode_short_string(items, offset)
        table[key], offset = _decode_value(items, offset, depth)
    return table, end


def _decode_array(data: bytes, offset: int, depth: int) -> tuple[list[Any], int]:
    items, end = _decode_long_bytes(data, offset)
    values = []
    offset = 0
    while offset < len(items):
        value, offset = _decode_value(items, offset, depth)
        values.append(value)
    return values, end


def _decode_value(data: bytes, offset: int, depth: int) -> tuple[Any, int]:
    if depth > MAX_DEPTH:
        raise DecodeError(f"a table nests deeper than {MAX_DEPTH} levels")
    kind = data[offset : offset + 1]
    nested = _NESTED_DECODERS.get(kind)
    if nested is not None:
        return nested(data, offset + 1, depth + 1)
    decode = _VALUE_DECODERS.get(kind)
    if decode is None:
        raise DecodeError(f"a table holds a value of the unknown type {kind!r}")
    return decode(data, offset + 1)


_NESTED_DECODERS: dict[bytes, Callable[[bytes, int, int], tuple[Any, int]]] = {
    b"F": _decode_table,
    b"A": _decode_array,
}

_VALUE_DECODERS: dict[bytes, Callable[[bytes, int], tuple[Any, int]]] = {
    b"S": decode_long_string,
    b"x": _decode_long_bytes,
    b"t": _fixed_decoder(">?"),
    b"b": _fixed_decoder(">b"),
    b"B": _fixed_decoder(">B"),
    b"s": _fixed_decoder(">h"),
    b"u": _fixed_decoder(">H"),
    b"I": _fixed_decoder(">i"),
    b"i": _fixed_decoder(">I"),
    b"l": _fixed_decoder(">q"),
    b"L": _fixed_decoder(">q"),
    b"f": _fixed_decoder(">f"),
    b"d": _fixed_decoder(">d"),
    b"D": _decode_decimal,
    b"T": _fixed_decoder(">Q"),
    b"V": lambda _data, offset: (None, offset),
}
