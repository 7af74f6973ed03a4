"""The load client: thousands of websockets in one loop, the same for every server.

It does as little as can be for a message, so that the server is what is measured: a read, a look at
the header, a search for the time stamp. The kernel says when a message arrived (SO_TIMESTAMPNS), so
that a client that reads a thousand connections one after another does not count its own pace as the
server's.
"""

import select
import socket
import struct
import time
import zlib
from collections.abc import Sequence

from benchmarks import websocket
from benchmarks.deliveries import Ledger
from benchmarks.rivals import Step

_PATIENCE = 60.0
#: Connections that are opening at a time: fewer than any server's backlog.
_AT_ONCE = 50
_READ = 65536

#: Linux' number of it, which Python's socket module does not name.
_SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("qq")
_ANCILLARY = socket.CMSG_SPACE(_TIMESPEC.size)


class Subscribers:
    """Connections to one server.

    Attributes:
        groups: Each connection's file descriptor and group.
        reads: Reads of a socket since `listen`.
        lost: Why connections ended that should not have, by reason.
    """

    def __init__(self) -> None:
        """Begin without connections."""
        self.groups: list[tuple[int, int]] = []
        self.reads = 0
        self.ended: list[str] = []
        self._epoll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        self._rests: dict[int, bytes] = {}
        self._ledger: Ledger | None = None
        self._inflated: dict[bytes, bytes] = {}

    def connect(self, port: int, plans: Sequence[tuple[int, Sequence[Step]]]) -> float:
        """Open connections and take them through their steps.

        Args:
            port: Of the server on this machine.
            plans: The group and the steps of each.

        Returns:
            How long it took, in seconds.

        Raises:
            RuntimeError: One was refused, or it took longer than a minute.
        """
        began = time.monotonic()
        waiting = list(reversed(plans))
        joining: dict[int, Joining] = {}
        while waiting or joining:
            while waiting and len(joining) < _AT_ONCE:
                group, steps = waiting.pop()
                fd = self._open(port)
                self.groups.append((fd, group))
                joining[fd] = Joining(self._sockets[fd], steps)
            for fd, _ in self._epoll.poll(1.0):
                if fd not in joining:
                    self._read(fd)
                elif joining[fd].proceed():
                    self._rests[fd] = joining.pop(fd).received
            if time.monotonic() > began + _PATIENCE + len(plans) / 100:
                raise RuntimeError(f"{len(joining) + len(waiting)} clients could not subscribe")
        return time.monotonic() - began

    def listen(self, ledger: Ledger) -> None:
        """Account for deliveries from now on."""
        self._ledger = ledger
        self.reads = 0

    def receive(self, timeout: float) -> None:
        """Read what there is.

        Args:
            timeout: The longest wait for something, in seconds.
        """
        for fd, _ in self._epoll.poll(max(0.0, timeout), 64):
            self._read(fd)

    def close(self) -> None:
        """Close all connections, by a reset: the load client's ports are free again at once."""
        for connection in self._sockets.values():
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
        self._sockets.clear()
        self._epoll.close()

    def _open(self, port: int) -> int:
        connection = socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE)
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        fd = connection.fileno()
        self._sockets[fd] = connection
        self._epoll.register(fd, select.EPOLLIN)
        return fd

    def _read(self, fd: int) -> None:
        connection = self._sockets[fd]
        try:
            data, ancillary, _, _ = connection.recvmsg(_READ, _ANCILLARY)
        except BlockingIOError:
            return
        except ConnectionError as error:
            data, ancillary = b"", []
            self.ended.append(str(error))
        if not data:
            self._lose(fd, "the server closed the connection")
            return
        read = time.time_ns()
        seconds, nanoseconds = _TIMESPEC.unpack(ancillary[0][2])
        if fd in self._rests:
            data = self._rests.pop(fd) + data
        self.reads += 1
        self._frames(fd, data, seconds * 1_000_000_000 + nanoseconds, read)

    def _frames(self, fd: int, data: bytes, arrived: int, read: int) -> None:
        start, size, ledger = 0, len(data), self._ledger
        while start < size:
            begin, end = websocket.frame_end(data, start)
            if not 0 < end <= size:
                self._rests[fd] = data[start:]
                return
            first = data[start]
            if first & websocket.COMPRESSED:
                if ledger is not None:
                    plain = self._inflate(data[begin:end])
                    ledger.take(fd, plain, 0, arrived, read)
            elif first & 8:
                self._control(fd, first & 15, data[begin:end])
            elif ledger is not None:
                ledger.take(fd, data, begin, arrived, read)
            start = end

    def _control(self, fd: int, opcode: int, payload: bytes) -> None:
        if opcode == websocket.PING:
            self._sockets[fd].send(websocket.client_frame(payload, websocket.PONG))
        elif opcode == websocket.CLOSE:
            code = int.from_bytes(payload[:2], "big")
            self._lose(fd, f"Close {code} {payload[2:].decode(errors='replace')}")

    def _lose(self, fd: int, reason: str) -> None:
        self.ended.append(reason)
        self._epoll.unregister(fd)

    def _inflate(self, compressed: bytes) -> bytes:
        """Inflate a message; the server has sent the same bytes to others, or not."""
        plain = self._inflated.get(compressed)
        if plain is None:
            if len(self._inflated) > 100:
                self._inflated.clear()
            inflate = zlib.decompressobj(-zlib.MAX_WBITS)
            plain = inflate.decompress(compressed + b"\x00\x00\xff\xff")
            self._inflated[compressed] = plain
        return plain


class Joining:
    """A connection on its way through its steps.

    Attributes:
        received: What came after the last answer.
    """

    def __init__(self, connection: socket.socket, steps: Sequence[Step]) -> None:
        """Take the first step.

        Args:
            connection: Connected, and not blocking.
            steps: At least one.
        """
        self._connection = connection
        self._steps = iter(steps)
        self.received = b""
        self._next()

    def proceed(self) -> bool:
        """Read, and go on.

        Returns:
            Whether the last step is done.

        Raises:
            RuntimeError: The server refused it, or hung up.
        """
        more = self._connection.recv(_READ)
        if not more:
            raise RuntimeError(f"the server hung up, after {self.received[-200:]!r}")
        self.received += more
        while self._is_answered():
            if not self._next():
                return True
        return False

    def _next(self) -> bool:
        step = next(self._steps, None)
        if step is not None:
            self._until = step.until
            self._connection.sendall(step.send)
        return step is not None

    def _is_answered(self) -> bool:
        """Take from what was received, up to the answer."""
        if not self._until:
            head, separator, rest = self.received.partition(b"\r\n\r\n")
            if not separator:
                return False
            if not head.startswith(b"HTTP/1.1 101") or websocket.ACCEPT not in head:
                raise RuntimeError(f"the server refused the handshake: {head[:300]!r}")
            self.received = rest
            return True
        while True:
            begin, end = websocket.frame_end(self.received, 0)
            if not 0 < end <= len(self.received):
                return False
            payload, self.received = self.received[begin:end], self.received[end:]
            if self._until in payload:
                return True
