"""Transports that write at once when they can.

Twisted buffers each write, waits until the reactor finds the socket writable, writes, and tells the
kernel twice what it waits for. For an event to a client that keeps up, that is four system calls
and a turn of the reactor where one call does: docs/performance.md has what it costs.
"""

from typing import Any

from twisted.internet import tcp, unix
from twisted.internet.interfaces import IListeningPort
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol


class _EagerWrite(tcp.Server):
    """Writes without a detour while nothing is buffered."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Take over a connection.

        Args:
            *arguments: See `tcp.Server` and `unix.Server`.
            **named: The same.
        """
        super().__init__(*arguments, **named)
        # What Twisted sets later or looks up in the class. Python shares the names of attributes
        # among the instances only if all are there from the start, and finds those of the instance
        # sooner: 400 bytes for each connection, and 0.1 us for each write.
        self.producer = None
        self.streamingProducer = False
        self.dataBuffer = b""

    def write(self, data: bytes) -> None:
        """Write, now as far as the kernel takes it, and the rest in order when it takes more.

        Args:
            data: What to write.
        """
        if self.dataBuffer or self._tempDataLen or not self.connected or self.TLS:
            super().write(data)
            return
        try:
            # Not writeSomeData, whose slices and retries cost as much again as all else here.
            written = self.socket.send(data)
        except OSError:
            # The kernel is full; or an error, which the reactor's own attempt meets again.
            written = 0
        if written < len(data):
            # Twisted would copy what is left. This way an event of some megabytes is one object
            # in memory, however many readers have not taken all of it.
            self.dataBuffer = data
            self.offset = written
            self._maybePauseProducer()
            self.startWriting()


class EagerServer(_EagerWrite):
    """The server's end of a TCP connection."""


class EagerUNIXServer(_EagerWrite, unix.Server):
    """The server's end of a connection to a Unix socket."""


def write_eagerly(port: IListeningPort) -> None:
    """Let the connections of a port write at once.

    Args:
        port: A listening port, before it has accepted anything. Those that are neither TCP, TLS
            nor Unix sockets stay as they are.
    """
    if isinstance(port, unix.Port):
        port.transport = EagerUNIXServer
    elif isinstance(port, tcp.Port):
        port.transport = EagerServer
    if isinstance(port, tcp.Port) and isinstance(port.factory, TLSMemoryBIOFactory):
        # Its default collects what is written until the next turn of the reactor.
        port.factory.protocol = TLSMemoryBIOProtocol
