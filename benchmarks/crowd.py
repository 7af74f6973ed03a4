"""Ten thousand websocket clients in one process, as lean as can be: the server is what is measured.

Each client sends a browser's handshake, subscribes as AWX's job page does, and then keeps quiet: it
answers Pings and Closes, and remembers nothing.
"""

import json
import select
import socket
import struct
import time
import zlib
from collections.abc import Iterator

#: What Firefox sends; the cookie is as long as AWX's two.
REQUEST = (
    b"GET /websocket/ HTTP/1.1\r\n"
    b"Host: 127.0.0.1:%d\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    b"Accept: */*\r\n"
    b"Accept-Language: en-US,en;q=0.5\r\n"
    b"Accept-Encoding: gzip, deflate, br, zstd\r\n"
    b"Sec-WebSocket-Version: 13\r\n"
    b"Origin: http://127.0.0.1:%d\r\n"
    b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Connection: keep-alive, Upgrade\r\n"
    b"Cookie: csrftoken=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; "
    b"awx_sessionid=bbbbbbbbbbbbbbbbbbbbbbbbbb\r\n"
    b"Pragma: no-cache\r\n"
    b"Cache-Control: no-cache\r\n"
    b"Upgrade: websocket\r\n"
    b"\r\n"
)

_PATIENCE = 60.0
_COMPRESSED_TEXT, _CLOSE, _PING, _PONG = 0xC1, 0x88, 0x89, 0x8A


def masked(first: int, payload: bytes) -> bytes:
    """Write a client's frame of at most 125 bytes; the mask is all zeros."""
    return bytes((first, 0x80 | len(payload))) + b"\x00" * 4 + payload


def _deflate(payload: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return (compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


class Crowd:
    """Clients of one server.

    Attributes:
        sockets: Those that are connected, by file descriptor.
    """

    def __init__(self, port: int) -> None:
        """Prepare; nobody is connected.

        Args:
            port: Of the server on this machine.
        """
        self.sockets: dict[int, socket.socket] = {}
        self._port = port
        self._request = REQUEST % (port, port)
        self._epoll = select.epoll()
        self._joining: dict[int, int] = {}
        self._number = 0

    def join(self, count: int, at_once: int) -> None:
        """Connect clients, subscribe each to two groups, and wait for all the answers.

        Args:
            count: How many.
            at_once: How many may be on their way at the same time.
        """
        deadline = time.monotonic() + _PATIENCE
        left = count
        while left or self._joining:
            while left and len(self._joining) < at_once:
                self._connect()
                left -= 1
            self._turn(1.0)
            if time.monotonic() > deadline:
                raise TimeoutError(f"{left + len(self._joining)} of {count} clients did not get in")

    def stay(self, seconds: float) -> None:
        """Answer what comes, for some time or until nobody is left."""
        end = time.monotonic() + seconds
        while self.sockets and (left := end - time.monotonic()) > 0:
            self._turn(left)

    def say_goodbye(self) -> None:
        """Send the Close frame of each client; the server's answers are not waited for."""
        frame = masked(_CLOSE, struct.pack("!H", 1001))
        for each in self.sockets.values():
            each.send(frame)

    def hang_up(self) -> None:
        """Close all sockets."""
        for each in self.sockets.values():
            each.close()
        self.sockets.clear()

    def _connect(self) -> None:
        new = socket.create_connection(("127.0.0.1", self._port), timeout=_PATIENCE)
        new.setblocking(False)
        new.send(self._request)
        descriptor = new.fileno()
        self.sockets[descriptor] = new
        self._joining[descriptor] = self._number
        self._number += 1
        self._epoll.register(descriptor, select.EPOLLIN)

    def _turn(self, seconds: float) -> None:
        for descriptor, _ in self._epoll.poll(seconds, 256):
            try:
                data = self.sockets[descriptor].recv(1 << 16)
            except ConnectionResetError:
                data = b""
            if not data:
                assert descriptor not in self._joining, "the server refused a client"
                self.sockets.pop(descriptor).close()
            elif descriptor in self._joining:
                self._proceed(descriptor, data)
            else:
                self._answer(descriptor, data)

    def _proceed(self, descriptor: int, data: bytes) -> None:
        if b'"accept"' in data:
            number = self._joining[descriptor]
            groups = {"groups": {"jobs": ["status_changed"], "job_events": [number]}}
            message = _deflate(json.dumps(groups).encode())
            self.sockets[descriptor].send(masked(_COMPRESSED_TEXT, message))
        elif b"groups_current" in data:
            del self._joining[descriptor]
        else:
            assert data.startswith(b"HTTP/1.1 101 "), data

    def _answer(self, descriptor: int, data: bytes) -> None:
        for first, payload in _frames(data):
            if first == _PING:
                self.sockets[descriptor].send(masked(_PONG, payload))
            elif first == _CLOSE:
                self.sockets[descriptor].send(masked(_CLOSE, payload[:2]))


def _frames(data: bytes) -> Iterator[tuple[int, bytes]]:
    # Whole and short ones: whoever keeps quiet gets no others.
    while data:
        end = 2 + data[1]
        yield data[0], data[2:end]
        data = data[end:]
