"""AMQP frames out of a stream of bytes. Pure: no transport, no clock.

A frame is a type octet, a channel, a length, the payload and an end octet. Reads from a socket cut
the stream anywhere; an incomplete frame is kept as the pieces that arrived and joined once, so a
large message costs linear time.
"""

import struct
from collections.abc import Iterator

from towerws.amqp.errors import EncodeError, ProtocolViolation

METHOD = 1
HEADER = 2
BODY = 3
HEARTBEAT = 8
_TYPES = frozenset((METHOD, HEADER, BODY, HEARTBEAT))

#: Octets of a frame that are not payload: seven before it, the end octet behind it.
OVERHEAD = 8

#: RabbitMQ's default, and the largest frame that this client agrees to.
MAX_FRAME_SIZE = 131072

#: What both sides must be able to take, by the specification (section 2.3.5).
MIN_FRAME_SIZE = 4096

#: What a client begins with: AMQP 0-9-1. txamqp would announce version 0-9 here.
PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"

HEARTBEAT_FRAME = bytes((HEARTBEAT, 0, 0, 0, 0, 0, 0, 0xCE))

#: A whole basic.ack frame: type, channel, length, class, method, delivery tag, multiple, end.
_ACK = struct.Struct(">BHIHHQBB")
_START = struct.Struct(">BHI")
_END = 0xCE
_END_BYTES = b"\xce"
_TLS_ALERT = 0x15


def pack_frame(kind: int, channel_id: int, payload: bytes) -> bytes:
    """Build a frame.

    Args:
        kind: `METHOD`, `HEADER`, `BODY` or `HEARTBEAT`.
        channel_id: The channel.
        payload: What it carries.

    Returns:
        Its bytes.
    """
    return _START.pack(kind, channel_id, len(payload)) + payload + _END_BYTES


def pack_bounded_frame(kind: int, channel_id: int, payload: bytes, frame_max: int) -> bytes:
    """Build a frame that must not be cut into several, as methods and headers.

    Args:
        kind: `METHOD` or `HEADER`.
        channel_id: The channel.
        payload: What it carries.
        frame_max: The negotiated size of a whole frame in bytes.

    Returns:
        Its bytes.

    Raises:
        EncodeError: It is larger than ``frame_max``; the broker would close the connection.
    """
    if len(payload) + OVERHEAD > frame_max:
        raise EncodeError(
            f"arguments or headers of {len(payload)} bytes do not fit into a frame of {frame_max}"
        )
    return pack_frame(kind, channel_id, payload)


def pack_ack(channel_id: int, delivery_tag: int, multiple: bool) -> bytes:
    """Build a ``basic.ack``, the only method that is sent as often as events arrive.

    Args:
        channel_id: The channel.
        delivery_tag: The delivery.
        multiple: Whether all before it are meant as well.

    Returns:
        Its frame.
    """
    return _ACK.pack(METHOD, channel_id, 13, 60, 80, delivery_tag, multiple, _END)


class FrameReader:
    """Cuts a stream into frames.

    Attributes:
        frame_max: Largest whole frame accepted, in bytes. `MAX_FRAME_SIZE` until the size is
            negotiated; may be changed between two frames.
    """

    def __init__(self) -> None:
        self.frame_max = MAX_FRAME_SIZE
        self._pieces: list[bytes] = []
        self._kept = 0
        self._wanted = 0

    def feed(self, data: bytes) -> Iterator[tuple[int, int, bytes]]:
        """Take what the socket gave and cut off the frames that are complete.

        Args:
            data: The next bytes of the stream.

        Yields:
            Type, channel and payload of each frame. To be exhausted before the next call, unless
            the connection is over.

        Raises:
            ProtocolViolation: The bytes are not AMQP frames, or one is too large. The frames before
                it were handed out; the reader is of no use afterwards.
        """
        if self._pieces:
            self._pieces.append(data)
            self._kept += len(data)
            if self._kept < self._wanted:
                return
            data = b"".join(self._pieces)
            self._pieces = []
        size = len(data)
        offset = 0
        wanted = 1
        while offset < size:
            if size - offset < _START.size:
                self._check_type(data[offset:])
                wanted = _START.size
                break
            kind, channel_id, length = _START.unpack_from(data, offset)
            if kind not in _TYPES or length + OVERHEAD > self.frame_max:
                self._check_type(data[offset:])
                raise ProtocolViolation(
                    f"the broker sent a frame of {length + OVERHEAD} bytes;"
                    f" {self.frame_max} were agreed"
                )
            end = offset + 7 + length
            if end >= size:
                wanted = length + OVERHEAD
                break
            if data[end] != _END:
                raise ProtocolViolation("a frame of the broker does not end where it should")
            yield kind, channel_id, data[offset + 7 : end]
            offset = end + 1
        if offset < size:
            self._pieces = [data[offset:]]
            self._kept = size - offset
            self._wanted = wanted

    @staticmethod
    def _check_type(start: bytes) -> None:
        """Raise if what should be a frame cannot become one; say what it looks like."""
        if start[0] in _TYPES:
            return
        if start.startswith(b"AMQP"):
            raise ProtocolViolation("the broker does not speak AMQP 0-9-1")
        if start[0] == _TLS_ALERT:
            raise ProtocolViolation("the peer speaks TLS: the URL must begin with amqps://")
        raise ProtocolViolation(f"the peer does not speak AMQP: it sent {start[:16]!r}")
