"""AMQP frames out of a stream of bytes. Pure: no transport, no clock.

A frame is a type octet, a channel, a length, the payload and an end octet. Reads from a socket cut
the stream anywhere; an incomplete frame is kept as the pieces that arrived and joined once, so a
large message costs linear time.
"""

import struct

from towerws.amqp.errors import EncodeError, ProtocolViolation

METHOD = 1
HEADER = 2
BODY = 3
HEARTBEAT = 8
_TYPES = frozenset((METHOD, HEADER, BODY, HEARTBEAT))

#: Octets of a frame that are not payload: seven before it, the end octet behind it.
OVERHEAD = 8

#: The end octet.
END = 0xCE

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
    return _ACK.pack(METHOD, channel_id, 13, 60, 80, delivery_tag, multiple, END)


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

    def join(self, data: bytes) -> bytes:
        """Take what the socket gave.

        Args:
            data: The next bytes of the stream.

        Returns:
            What there is to `cut` now, from its first byte on and until that gives ``None``: with
            what was kept before, or nothing while that is an incomplete frame still.
        """
        if not self._pieces:
            return data
        self._pieces.append(data)
        self._kept += len(data)
        if self._kept < self._wanted:
            return b""
        data = b"".join(self._pieces)
        self._pieces = []
        return data

    def cut(self, data: bytes, offset: int) -> tuple[int, int, bytes] | None:
        """Cut off a frame.

        Args:
            data: What `join` gave.
            offset: Where the frame begins: behind the one before, or at the end.

        Returns:
            Type, channel and payload; ``None`` if it is not complete: it is kept then.

        Raises:
            ProtocolViolation: The bytes are not an AMQP frame, or one that is too large. The reader
                is of no use afterwards.
        """
        size = len(data) - offset
        if size < _START.size:
            if size:
                self._check_type(data[offset:])
                self._keep(data[offset:], _START.size)
            return None
        kind, channel_id, length = _START.unpack_from(data, offset)
        if kind not in _TYPES or length + OVERHEAD > self.frame_max:
            self._check_type(data[offset:])
            raise ProtocolViolation(
                f"the broker sent a frame of {length + OVERHEAD} bytes;"
                f" {self.frame_max} were agreed"
            )
        if size < length + OVERHEAD:
            self._keep(data[offset:], length + OVERHEAD)
            return None
        end = offset + _START.size + length
        if data[end] != END:
            raise ProtocolViolation("a frame of the broker does not end where it should")
        return kind, channel_id, data[offset + _START.size : end]

    def _keep(self, start: bytes, wanted: int) -> None:
        self._pieces = [start]
        self._kept = len(start)
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
