"""Websocket bytes by hand, for what a well-behaved client cannot send."""

import struct

REQUEST = (
    b"GET /websocket/ HTTP/1.1\r\n"
    b"Host: localhost:8051\r\n"
    b"Upgrade: websocket\r\n"
    b"Connection: keep-alive, Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Version: 13\r\n"
    b"\r\n"
)

#: A subscription to jobs-1 as a masked frame; the mask of zeros leaves the text readable.
SUBSCRIBE = b'{"groups": {"jobs": [1]}}'
SUBSCRIBE_FRAME = b"\x81" + bytes((0x80 | len(SUBSCRIBE),)) + b"\x00" * 4 + SUBSCRIBE


def frame(first: int, payload: bytes, length: int | None = None) -> bytes:
    """Write a masked frame by hand, with a length that need not be true."""
    length = len(payload) if length is None else length
    if length < 126:
        head = bytes((first, 0x80 | length))
    elif length < 65536:
        head = struct.pack("!BBH", first, 0x80 | 126, length)
    else:
        head = struct.pack("!BBQ", first, 0x80 | 127, length)
    return head + b"\x00" * 4 + payload
