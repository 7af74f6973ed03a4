"""Ten thousand websocket clients in one process, as lean as can be: the server is what is measured.

Each client sends a browser's handshake, subscribes as AWX's job page does, and then keeps quiet: it
answers Pings and Closes, and remembers nothing.
"""

import json
import select
import socket
import time
import zlib

from benchmarks import websocket
from benchmarks.rivals import Step
from benchmarks.subscribers import Joining

#: What Firefox sends beside what every client has to; the cookie is as long as AWX's two.
_BROWSER = (
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Accept: */*",
    "Accept-Language: en-US,en;q=0.5",
    "Accept-Encoding: gzip, deflate, br, zstd",
    "Cookie: csrftoken=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; awx_sessionid=bbbbbbbbbbbbbbbbbbbbbbbbbb",
    "Pragma: no-cache",
    "Cache-Control: no-cache",
)

_PATIENCE = 60.0
_GOING_AWAY = (1001).to_bytes(2, "big")


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
        self._opening = websocket.opening(
            port,
            "/websocket/",
            extensions="permessage-deflate",
            headers=(f"Origin: http://127.0.0.1:{port}", *_BROWSER),
        )
        self._epoll = select.epoll()
        self._joining: dict[int, Joining] = {}
        #: What was read of a frame whose end is still to come.
        self._rests: dict[int, bytes] = {}
        self._number = 0

    def join(self, count: int, at_once: int) -> None:
        """Connect clients, subscribe each to two groups, and wait for all the answers.

        Args:
            count: How many.
            at_once: How many may be on their way at the same time.

        Raises:
            RuntimeError: One was refused.
            TimeoutError: It took longer than a minute.
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
        frame = websocket.client_frame(_GOING_AWAY, websocket.CLOSE)
        for each in self.sockets.values():
            each.send(frame)

    def hang_up(self) -> None:
        """Close all sockets."""
        for each in self.sockets.values():
            each.close()
        self.sockets.clear()
        self._rests.clear()

    def _connect(self) -> None:
        new = socket.create_connection(("127.0.0.1", self._port), timeout=_PATIENCE)
        new.setblocking(False)
        descriptor = new.fileno()
        self.sockets[descriptor] = new
        self._joining[descriptor] = Joining(new, self._steps())
        self._epoll.register(descriptor, select.EPOLLIN)

    def _steps(self) -> tuple[Step, ...]:
        """Say what the next client does; nothing is asked before the server has greeted."""
        groups = {"groups": {"jobs": ["status_changed"], "job_events": [self._number]}}
        self._number += 1
        message = _deflate(json.dumps(groups).encode())
        frame = websocket.client_frame(message, websocket.TEXT | websocket.COMPRESSED)
        return self._opening, Step(b"", b'"accept"'), Step(frame, b"groups_current")

    def _turn(self, seconds: float) -> None:
        for descriptor, _ in self._epoll.poll(seconds, 256):
            joining = self._joining.get(descriptor)
            if joining is None:
                self._read(descriptor)
            elif joining.proceed():
                del self._joining[descriptor]
                self._answer(descriptor, joining.received)

    def _read(self, descriptor: int) -> None:
        try:
            data = self.sockets[descriptor].recv(1 << 16)
        except ConnectionResetError:
            data = b""
        rest = self._rests.pop(descriptor, b"")
        if data:
            self._answer(descriptor, rest + data)
        else:
            self.sockets.pop(descriptor).close()

    def _answer(self, descriptor: int, data: bytes) -> None:
        start = 0
        while start < len(data):
            begin, end = websocket.frame_end(data, start)
            if not 0 < end <= len(data):
                self._rests[descriptor] = data[start:]
                return
            opcode, payload = data[start] & 0x0F, data[begin:end]
            if opcode == websocket.PING:
                self._send(descriptor, payload, websocket.PONG)
            elif opcode == websocket.CLOSE:
                self._send(descriptor, payload[:2], websocket.CLOSE)
            start = end

    def _send(self, descriptor: int, payload: bytes, opcode: int) -> None:
        self.sockets[descriptor].send(websocket.client_frame(payload, opcode))
