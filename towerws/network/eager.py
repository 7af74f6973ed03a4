"""Transports that write at once when they can.

Twisted buffers each write, waits until the reactor finds the socket writable, writes, and tells the
kernel twice what it waits for. For an event to a client that keeps up, that is four system calls
and a turn of the reactor where one call does: docs/performance.md has what it costs.
"""

from typing import Any

from twisted.internet import tcp, unix
from twisted.internet.interfaces import IListeningPort
from twisted.protocols.policies import WrappingFactory
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure


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
        # among the instances only if all are there from the start: otherwise each connection has a
        # dict of its own, and each write takes longer to find what it asks for.
        self.producer = None
        self.streamingProducer = False
        self.dataBuffer = b""

    def _isSendBufferFull(self) -> bool:  # noqa: N802  # Twisted's name
        # As soon as anything stays, producers are to wait: Twisted would copy a large event to put
        # it behind the last bytes of a small one, for each reader that is a little behind.
        return bool(self.dataBuffer or self._tempDataLen)

    def startTLS(self, *_: object) -> None:  # noqa: N802  # Twisted's name
        """Refuse: what `write` sends would not be encrypted. TLS goes on top, see below.

        Raises:
            RuntimeError: Always.
        """
        raise RuntimeError("an eager transport does not change to TLS")

    def write(self, data: bytes) -> None:
        """Write, now as far as the kernel takes it, and the rest in order when it takes more.

        Args:
            data: What to write.
        """
        if self.dataBuffer or self._tempDataLen or not self.connected:
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


class EagerTLSProtocol(TLSMemoryBIOProtocol):
    """TLS on top of them, which encrypts and writes at once.

    Twisted's default, a subclass as well, collects what is written until the next turn.
    """

    def _tlsShutdownFinished(self, reason: Failure | None) -> None:  # noqa: N802  # Twisted's name
        if reason is not None:
            # Its traceback leads to a frame that has the failure, and us with all that OpenSSL
            # needs: 40 KiB for each client that leaves without saying so in TLS, as most do, until
            # the garbage collector comes by.
            reason.cleanFailure()
        super()._tlsShutdownFinished(reason)


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
    factory = port.factory if isinstance(port, tcp.Port) else None
    while isinstance(factory, WrappingFactory):
        # TLS may be behind a PROXY header.
        if isinstance(factory, TLSMemoryBIOFactory):
            factory.protocol = EagerTLSProtocol
        factory = factory.wrappedFactory
