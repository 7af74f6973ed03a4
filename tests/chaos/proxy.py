"""A TCP proxy that misbehaves when it is told to: it cuts, stalls, slows down, refuses."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from typing import cast

#: What a connection over an Ethernet has. Loopback's segments are so large that the kernel would
#: take 2.5 MB for a reader that reads nothing, and no reader would ever be too slow.
_SEGMENT = 1460

#: Receive buffer on the side of the server, in bytes, for the same reason.
_RECEIVE_BUFFER = 65536

#: Bytes that wait in the proxy before it stops reading.
_HIGH_WATER = 16384

#: Seconds between the pieces that a slow link lets through.
_TICK = 0.1

_CONNECT_TIMEOUT = 5.0


class Half(asyncio.Protocol):
    """One end of a link: what it reads goes out at the other."""

    def __init__(self, link: "Link") -> None:
        """Begin without a transport.

        Args:
            link: The link that it is an end of.
        """
        self.link = link
        self.peer: Half | None = None
        self.transport: asyncio.Transport | None = None
        self._reasons: set[str] = set()
        self._pending = bytearray()
        self._rate: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport, and hold still until the other end is there."""
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=_HIGH_WATER)
        for reason in self._reasons:
            self.hold(reason)
        self.link.joined(self)

    def data_received(self, data: bytes) -> None:
        """Pass bytes on, now or piece by piece."""
        assert self.peer is not None
        if self._rate is None:
            self.peer.write(data)
        else:
            self._pending += data
            self.hold("slow")
            self._later()

    def eof_received(self) -> bool:
        """Close the other end behind what it still has to write."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """End the other end as this one ended."""
        self.transport = None
        self._stop_timer()
        self.link.lost(self, exc, bytes(self._pending))

    def pause_writing(self) -> None:
        """Let the other end read no more than this one can write."""
        if self.peer is not None:
            self.peer.hold("full")

    def resume_writing(self) -> None:
        """Let it read again."""
        if self.peer is not None:
            self.peer.release("full")

    def hold(self, reason: str) -> None:
        """Read no more until `release` for the same reason."""
        self._reasons.add(reason)
        if self.transport is not None and self.transport.is_reading():
            self.transport.pause_reading()

    def release(self, reason: str) -> None:
        """Read again, if there is no other reason against it."""
        self._reasons.discard(reason)
        if not self._reasons and self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()

    def slow_down(self, rate: float | None) -> None:
        """Pass on only so many bytes a second; None for as many as come."""
        self._rate = rate
        if rate is None:
            self._stop_timer()
            if self._pending and self.peer is not None:
                self.peer.write(bytes(self._pending))
                self._pending.clear()
            self.release("slow")

    def write(self, data: bytes) -> None:
        """Send bytes out at this end, unless it is gone."""
        if self.transport is not None:
            self.transport.write(data)

    def _later(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_TICK, self._piece)

    def _piece(self) -> None:
        self._timer = None
        assert self._rate is not None
        size = max(1, int(self._rate * _TICK))
        if "stalled" not in self._reasons and self.peer is not None:
            self.peer.write(bytes(self._pending[:size]))
            del self._pending[:size]
        if self._pending:
            self._later()
        else:
            self.release("slow")

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _reset_on_close(transport: asyncio.Transport) -> None:
    connection: socket.socket = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Link:
    """One connection through a proxy."""

    def __init__(self, proxy: "Proxy") -> None:
        """Begin without ends.

        Args:
            proxy: Whose it is.
        """
        self._proxy = proxy
        self.near, self.far = Half(self), Half(self)

    def joined(self, half: Half) -> None:
        """Take note that an end has its transport.

        Args:
            half: Which.
        """
        if half is self.near:
            self._proxy.accepted(self)

    def couple(self) -> None:
        """Let bytes pass, now that both ends are there."""
        self.near.peer, self.far.peer = self.far, self.near
        for half in (self.near, self.far):
            half.release("alone")

    def lost(self, half: Half, reason: Exception | None, pending: bytes) -> None:
        """End the other end as one ended.

        Args:
            half: The end that is gone.
            reason: Why, None for an end in order.
            pending: What it had not passed on yet.
        """
        other = self.far if half is self.near else self.near
        if other.transport is not None:
            if reason is None:
                other.write(pending)
                other.transport.close()
            else:
                other.transport.abort()
        self._proxy.links.discard(self)

    def stall(self, stalled: bool) -> None:
        """Let nothing pass, in silence, or let it pass again."""
        for half in (self.near, self.far):
            if stalled:
                half.hold("stalled")
            else:
                half.release("stalled")

    def slow_down(self, rate: float | None) -> None:
        """Bring only so many bytes a second to the client; None for as many as come."""
        self.far.slow_down(rate)

    def cut(self, *, reset: bool = False) -> None:
        """End both ends at once; what is on its way is lost.

        Args:
            reset: With an RST, as a machine does that knows nothing of the connection; else with a
                FIN, as the kernel does for a process that dies.
        """
        for half in (self.near, self.far):
            if half.transport is not None:
                if reset:
                    _reset_on_close(half.transport)
                half.transport.abort()


class Proxy:
    """A listener in front of one address.

    Attributes:
        links: The connections that are open.
        is_refusing: Whether those that come are turned away.
        accepted_count: Connections that came so far.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        """Choose what is behind it; nothing happens before `start`.

        Args:
            target: Host and port.
        """
        self._target = target
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._stalled = False
        self.links: set[Link] = set()
        self.is_refusing = False
        self.accepted_count = 0

    async def start(self, listening: socket.socket | None = None) -> int:
        """Listen.

        Args:
            listening: A socket that listens; one on loopback is made if it is None.

        Returns:
            The port.
        """
        loop = asyncio.get_running_loop()
        make: Callable[[], Half] = lambda: Link(self).near  # noqa: E731  # typed for asyncio
        if listening is None:
            self._server = await loop.create_server(make, "127.0.0.1", 0, backlog=1000)
        else:
            self._server = await loop.create_server(make, sock=listening)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        """Close the listener and all links."""
        if self._server is not None:
            self._server.close()
        for link in list(self.links):
            link.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def accepted(self, link: Link) -> None:
        """Connect a link, or turn it away."""
        self.accepted_count += 1
        assert link.near.transport is not None
        if self.is_refusing:
            _reset_on_close(link.near.transport)
            link.near.transport.abort()
            return
        self.links.add(link)
        link.near.hold("alone")
        if self._stalled:
            link.stall(stalled=True)
        task = asyncio.get_running_loop().create_task(self._connect(link))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def stall(self, stalled: bool) -> None:
        """Let nothing pass, on no link that there is or will be; or let everything pass again."""
        self._stalled = stalled
        for link in list(self.links):
            link.stall(stalled)

    async def _connect(self, link: Link) -> None:
        loop = asyncio.get_running_loop()
        connection = socket.socket()
        try:
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, _SEGMENT)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
            async with asyncio.timeout(_CONNECT_TIMEOUT):
                await loop.sock_connect(connection, self._target)
            await loop.create_connection(lambda: link.far, sock=connection)
        except (OSError, TimeoutError):
            connection.close()
            with contextlib.suppress(AttributeError):  # gone meanwhile
                link.near.transport.abort()
            self.links.discard(link)
            return
        if link.near.transport is None:
            link.cut()
        else:
            link.couple()
