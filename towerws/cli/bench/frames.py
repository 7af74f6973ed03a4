"""The client's half of websocket framing (RFC 6455, section 5), and no more than a load test needs.

Autobahn's client takes above 50 µs for each message, so 20,000 deliveries a second would be more
than a core. Frames of a server are not masked, and nearly all of them are one whole text in one
read: taking such a one costs half a microsecond here. No extension is offered, so none is used.
"""

import os
import struct

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
_CONTINUATION = 0x0
_KNOWN = frozenset({_CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG})

_FIN = 0x80
_RESERVED = 0x70
_MASKED = 0x80
_MAX_CONTROL = 125

_WHOLE_TEXT = _FIN | TEXT

#: A message as it came: its opcode (never a continuation) and its payload.
Message = tuple[int, bytes]


class FrameError(Exception):
    """What came is not what RFC 6455 has a server send: the text is half a sentence."""


class FrameReader:
    """Takes bytes of a server apart, however they are cut into reads."""

    __slots__ = ("_fragments", "_kept", "_limit", "_missing", "_opcode", "_size")

    def __init__(self, limit: int) -> None:
        """Read nothing yet.

        Args:
            limit: Longest message, in bytes.
        """
        self._limit = limit
        #: Reads that end within a frame, and how many bytes are needed before another look at them
        #: makes sense; 0 when nothing is kept.
        self._kept: list[bytes] = []
        self._missing = 0
        #: The message of which fragments have come: its opcode, and their length together.
        self._opcode = 0
        self._fragments: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[Message]:
        """Take in one read.

        Args:
            data: What came.

        Returns:
            The messages and control frames that are complete now, in their order.

        Raises:
            FrameError: The stream cannot be read any further.
        """
        if self._missing:
            self._kept.append(data)
            self._missing -= len(data)
            if self._missing > 0:
                return []
            data = b"".join(self._kept)
            self._kept.clear()
        found: list[Message] = []
        at, end = 0, len(data)
        while True:
            start = at + 2
            if start > end:
                break
            first, length = data[at], data[at + 1]
            if length > _MAX_CONTROL:
                start, length = self._long(data, at)
            stop = start + length
            if stop > end:
                start = stop
                break
            if first == _WHOLE_TEXT and not self._opcode:
                found.append((TEXT, data[start:stop]))
            else:
                self._take(first, data[start:stop], found)
            at = stop
        if at < end:
            self._kept.append(data[at:])
            self._missing = start - end
        else:
            self._missing = 0
        return found

    def _long(self, data: bytes, at: int) -> tuple[int, int]:
        """Read a length that does not fit the second byte.

        Returns:
            Where the payload begins and how long it is; 0 as long as the length has not all come.
        """
        length = data[at + 1]
        if length & _MASKED:
            raise FrameError("a frame of the server is masked")
        layout, start = ("!H", at + 4) if length == 126 else ("!Q", at + 10)
        if start > len(data):
            return start, 0
        (length,) = struct.unpack_from(layout, data, at + 2)
        if length > self._limit:
            raise FrameError(f"a frame of {length} bytes")
        return start, length

    def _take(self, first: int, payload: bytes, found: list[Message]) -> None:
        """Take a complete frame that is not a whole text message by itself."""
        opcode = first & 0x0F
        if first & _RESERVED or opcode not in _KNOWN:
            raise FrameError(f"a frame that begins with 0x{first:02x}")
        if opcode >= CLOSE:
            if not first & _FIN or len(payload) > _MAX_CONTROL:
                raise FrameError("a control frame in fragments or of more than 125 bytes")
            found.append((opcode, payload))
            return
        if (opcode == _CONTINUATION) != bool(self._opcode):
            raise FrameError("a continuation of nothing, or a message within another one")
        self._opcode = self._opcode or opcode
        self._fragments.append(payload)
        self._size += len(payload)
        if self._size > self._limit:
            raise FrameError(f"a message of more than {self._limit} bytes")
        if first & _FIN:
            found.append((self._opcode, b"".join(self._fragments)))
            self._opcode = self._size = 0
            self._fragments.clear()


def encode_frame(opcode: int, payload: bytes, key: bytes | None = None) -> bytes:
    """Write a frame of a client, masked as RFC 6455, section 5.3, demands.

    Args:
        opcode: `TEXT`, `CLOSE` or `PONG`.
        payload: Less than 64 KiB.
        key: The masking key, four bytes; random if not given.

    Returns:
        The whole frame.
    """
    key = os.urandom(4) if key is None else key
    size = len(payload)
    if size <= _MAX_CONTROL:
        head = struct.pack("!BB", _FIN | opcode, _MASKED | size)
    else:
        head = struct.pack("!BBH", _FIN | opcode, _MASKED | 126, size)
    stream = (key * (size // 4 + 1))[:size]
    masked = int.from_bytes(payload) ^ int.from_bytes(stream)
    return head + key + masked.to_bytes(size)
