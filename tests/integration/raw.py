"""A websocket client of bare bytes, after RFC 6455: for what libraries are too polite to send."""

import base64
import hashlib
import os
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from tests.integration.clients import PATIENCE

#: RFC 6455, section 1.3.
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA

_FIN = 0x80


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of the server.

    Attributes:
        first: The first byte: FIN, the reserved bits, and the opcode.
        payload: The payload as it came.
    """

    first: int
    payload: bytes

    @property
    def close_code(self) -> int:
        """The code of a Close frame."""
        assert self.first == _FIN | CLOSE, self
        return int.from_bytes(self.payload[:2])


def encode_frame(payload: bytes, opcode: int = TEXT, *, fin: bool = True) -> bytes:
    """Make a frame of a client, masked as RFC 6455, section 5.3, demands.

    Args:
        payload: Less than 64 KiB.
        opcode: What it is.
        fin: Whether it is the last one of its message.

    Returns:
        The frame.
    """
    key = os.urandom(4)
    length = bytes([len(payload) | 0x80])
    if len(payload) > 125:
        length = b"\xfe" + struct.pack("!H", len(payload))
    masked = bytes(byte ^ key[n % 4] for n, byte in enumerate(payload))
    return bytes([opcode | (_FIN if fin else 0)]) + length + key + masked


def handshake(path: str = "/websocket/", headers: Sequence[str] = (), key: str = "") -> bytes:
    """Make the request that opens a websocket.

    Args:
        path: Where.
        headers: More headers.
        key: The value of ``Sec-WebSocket-Key``; a constant if empty.

    Returns:
        The request.
    """
    lines = [
        f"GET {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key or 'dGhlIHNhbXBsZSBub25jZQ=='}",
        "Sec-WebSocket-Version: 13",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


class RawClient:
    """A TCP connection to the websocket's port. All methods block for a bounded time.

    Attributes:
        sock: The socket.
    """

    def __init__(self, port: int, *, receive_buffer: int | None = None) -> None:
        """Connect; nothing is sent yet.

        Args:
            port: The TCP port on 127.0.0.1.
            receive_buffer: How much the kernel may buffer for us, in bytes; its default if None.
        """
        self.sock = socket.socket()
        if receive_buffer is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(("127.0.0.1", port))
        self._reader = self.sock.makefile("rb")

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.sock.sendall(data)

    def open(self, headers: Sequence[str] = ()) -> list[str]:
        """Shake hands, and take the frame that greets.

        Args:
            headers: More headers of the request.

        Returns:
            The header lines of the answer.
        """
        key = base64.b64encode(os.urandom(16))
        self.send(handshake(headers=headers, key=key.decode()))
        status, *lines = self.read_head()
        accept = base64.b64encode(hashlib.sha1(key + _GUID).digest()).decode()
        assert status == "HTTP/1.1 101 Switching Protocols", status
        assert f"Sec-WebSocket-Accept: {accept}" in lines, lines
        greeting = self.read_frame()
        assert greeting == Frame(0x81, b'{"accept": true, "user": null}'), greeting
        return lines

    def subscribe(self, group: str, element: str) -> None:
        """Subscribe to one group, and wait until that is in force.

        Args:
            group: Such as ``job_events``.
            element: Such as ``42``.
        """
        self.send(encode_frame(f'{{"groups": {{"{group}": ["{element}"]}}}}'.encode()))
        reply = self.read_frame()
        assert b'"groups_joined": ["' in reply.payload, reply

    def read_head(self) -> list[str]:
        """Read the answer to a request up to the empty line.

        Returns:
            The status line and the header lines.
        """
        lines: list[str] = []
        while line := self._reader.readline().rstrip(b"\r\n"):
            lines.append(line.decode())
        return lines

    def read_frame(self) -> Frame:
        """Read a frame.

        Raises:
            ConnectionResetError: The connection ended.
        """
        first, length = self._read(2)
        if length == 126:
            (length,) = struct.unpack("!H", self._read(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self._read(8))
        return Frame(first, self._read(length))

    def read_to_end(self) -> bytes:
        """Read until the server closes the connection."""
        return self._reader.read()

    def close(self) -> None:
        """Close the connection without a word. Idempotent."""
        self._reader.close()
        self.sock.close()

    def _read(self, count: int) -> bytes:
        data = self._reader.read(count)
        if len(data) < count:
            raise ConnectionResetError(f"the connection ended, {count - len(data)} bytes too early")
        return data
