"""A TCP transport that writes at once when it can.

Twisted buffers each write, waits until the reactor finds the socket writable, writes, and tells the
kernel twice what it waits for. For an event to a client that keeps up, that is four system calls
and a turn of the reactor where one call does: docs/performance.md has what it costs.
"""

from twisted.internet import tcp
from twisted.internet.interfaces import IListeningPort


class EagerServer(tcp.Server):
    """The server's end of a TCP connection, without a detour while nothing is buffered."""

    def write(self, data: bytes) -> None:
        """Write, now as far as the kernel takes it, and the rest in order when it takes more.

        Args:
            data: What to write.
        """
        if (
            self.connected
            and not (self.dataBuffer or self._tempDataLen)
            and not (self.disconnecting or self.disconnected or self._aborting or self.TLS)
        ):
            written = self.writeSomeData(data)
            # An error is met again, and dealt with, by the reactor's own attempt.
            if isinstance(written, int):
                data = data[written:]
        if data:
            super().write(data)


def write_eagerly(port: IListeningPort) -> None:
    """Let the connections of a port write at once.

    Args:
        port: A listening port, before it has accepted anything. Others than TCP stay as they are.
    """
    if isinstance(port, tcp.Port) and port.transport is tcp.Server:
        port.transport = EagerServer
