"""Where in a stream a delivery is from: the header that RabbitMQ adds to each. Pure.

A publisher can set a header of that name as well. RabbitMQ (3.10.8, tried) replaces the first of
that name, keeps any more behind it, and sorts by name without changing their order, so the first
one is always its own. The same bytes may also be in other properties, or in the values of other
headers.
"""

import struct

from towerws.amqp.deliveries import Delivery
from towerws.amqp.errors import DecodeError, ProtocolViolation

_KEY = b"\x0fx-stream-offset"
#: The header's name and type. It is looked for as bytes, for this is the path of every event: that
#: takes 0.3 us, the whole table 3 us and more.
_FIELD = _KEY + b"l"
_VALUE = struct.Struct(">q")

#: Class, weight, size of the body: what comes before the flags in a content header.
_FLAGS_AT = 12
_FLAGS = struct.Struct(">H")
_CONTENT_TYPE, _CONTENT_ENCODING, _HEADERS = 1 << 15, 1 << 14, 1 << 13

#: Bytes that a value in a table takes, by its type; those not here begin with their length.
_SIZES = dict(zip(b"tbBsuIilLfdDTV", (1, 1, 1, 2, 2, 4, 4, 8, 8, 4, 8, 5, 8, 0), strict=True))
_SIZED = frozenset(b"SxFA")
_LENGTH = struct.Struct(">I")


def read_offset(delivery: Delivery) -> int:
    """Read the offset of a message.

    Args:
        delivery: A delivery of a stream.

    Returns:
        The offset, from 0.

    Raises:
        DecodeError: It has none: whatever it came from is no stream.
    """
    header = delivery.content_header
    at = header.find(_FIELD)
    if at < 0 or header.find(_FIELD, at + 1) >= 0:
        at = _find_first(header)
    try:
        offset: int = _VALUE.unpack_from(header, at + len(_FIELD))[0]
    except struct.error:
        raise _no_offset() from None
    return offset


class Offsets:
    """Reads the offsets of one consumer, which rise.

    Attributes:
        last: The one that was read last; -1 before any.
    """

    def __init__(self) -> None:
        """Begin before the first."""
        self.last = -1

    def read(self, delivery: Delivery) -> int:
        """Read the next one; see `read_offset`.

        Args:
            delivery: One that came behind the last one.

        Returns:
            The offset.

        Raises:
            ProtocolViolation: It is not larger than the last one.
        """
        offset = read_offset(delivery)
        if offset <= self.last:
            raise ProtocolViolation(f"offset {offset} of the stream came behind {self.last}")
        self.last = offset
        return offset


def _find_first(header: bytes) -> int:
    """Find the first header of that name, by going from one to the next.

    What they hold is not decoded: nothing that a publisher wrote there can make this fail.

    Raises:
        DecodeError: There is none, or it is no number.
    """
    try:
        at, end = _table_at(header)
        while at < end:
            value_at = at + 1 + header[at]
            if header[at:value_at] == _KEY:
                if not header.startswith(_FIELD, at):
                    break
                return at
            at = value_at + 1 + _size(header, value_at)
    except (IndexError, KeyError, struct.error):
        raise _no_offset() from None
    raise _no_offset()


def _table_at(header: bytes) -> tuple[int, int]:
    """Tell where the headers begin and end."""
    flags = _FLAGS.unpack_from(header, _FLAGS_AT)[0]
    at = _FLAGS_AT + _FLAGS.size
    for flag in (_CONTENT_TYPE, _CONTENT_ENCODING):
        if flags & flag:
            at += 1 + header[at]
    if not flags & _HEADERS:
        raise _no_offset()
    begin = at + _LENGTH.size
    return begin, begin + int(_LENGTH.unpack_from(header, at)[0])


def _size(header: bytes, type_at: int) -> int:
    kind = header[type_at]
    if kind in _SIZED:
        return _LENGTH.size + int(_LENGTH.unpack_from(header, type_at + 1)[0])
    return _SIZES[kind]


def _no_offset() -> DecodeError:
    return DecodeError("a message came without the offset that messages of a stream have")
