"""A backend's end of HTTP, in memory: it answers when and what the test says."""

import json
from typing import Any

from twisted.internet.error import ConnectError, ConnectionDone
from twisted.internet.protocol import Protocol
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure


class MemoryConnection:
    """A connection to the backend, seen from the backend.

    Attributes:
        closing: Whether the client has closed it in order; the backend has not yet.
        aborted: Whether the client has cut it off.
    """

    def __init__(self, factory: Any) -> None:
        """Accept one.

        Args:
            factory: Makes the client's protocol.
        """
        self.closing = self.aborted = False
        self._transport = _Transport(self)
        self.protocol: Protocol = factory.buildProtocol(None)
        self.protocol.makeConnection(self._transport)

    def request(self) -> tuple[str, dict[str, str]]:
        """Take what the client has sent: one whole request.

        Returns:
            The target, such as ``/api/``, and values by name in lower case.
        """
        text = self._transport.value().decode("latin-1")
        self._transport.clear()
        head, blank, rest = text.partition("\r\n\r\n")
        assert (blank, rest) == ("\r\n\r\n", ""), f"not one whole request: {text!r}"
        first, *lines = head.split("\r\n")
        method, target, version = first.split(" ")
        assert (method, version) == ("GET", "HTTP/1.1")
        headers = dict(line.split(": ", 1) for line in lines)
        assert len(headers) == len(lines), "a header is there twice"
        return target, {name.lower(): value for name, value in headers.items()}

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.protocol.dataReceived(data)

    def answer(self, body: object = None, status: int = 200, *headers: str) -> None:
        """Send a whole answer.

        Args:
            body: The bytes, or what is sent as JSON.
            status: The HTTP status.
            *headers: More lines of the head.
        """
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = (f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(data)}", *headers, "", "")
        self.send("\r\n".join(lines).encode() + data)

    def close(self) -> None:
        """Close the connection from the backend's side, or let the client's close take effect."""
        self.protocol.connectionLost(Failure(ConnectionDone()))


class _Transport(StringTransport):
    """The client's end of a connection."""

    def __init__(self, connection: MemoryConnection) -> None:
        super().__init__()
        self._connection = connection

    def loseConnection(self) -> None:
        self._connection.closing = True

    def abortConnection(self) -> None:
        if not self._connection.aborted:
            self._connection.aborted = True
            self._connection.close()


class MemoryBackend:
    """The network to a backend, and its clock.

    Attributes:
        reactor: For ``attach``.
    """

    def __init__(self) -> None:
        self.reactor: Any = MemoryReactorClock()
        self._accepted = 0

    @property
    def knocking(self) -> int:
        """How many connections wait to be accepted."""
        return len(self.reactor.tcpClients) - self._accepted

    def accept(self) -> MemoryConnection:
        """Accept the oldest connection that waits."""
        factory = self._next()
        return MemoryConnection(factory)

    def refuse(self) -> None:
        """Refuse it."""
        self._next().clientConnectionFailed(None, Failure(ConnectError(string="nobody listens")))

    def _next(self) -> Any:
        factory = self.reactor.tcpClients[self._accepted][2]
        self._accepted += 1
        return factory
