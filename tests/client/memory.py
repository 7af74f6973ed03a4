"""The client's surroundings in memory: a reactor, and Autobahn's server to talk to."""

from collections import deque
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.test.iosim import FakeTransport, IOPump, connect
from twisted.trial.unittest import SynchronousTestCase
from txaio import tx

ACCEPT = b'{"accept": true, "user": null}'


def joined(*names: str) -> bytes:
    """The server's reply to a subscription to these groups, all of them new."""
    listed = ", ".join(f'"{name}"' for name in names)
    return (
        f'{{"groups_current": [{listed}], "groups_left": [], "groups_joined": [{listed}]}}'.encode()
    )


def end(running: Deferred[Any]) -> None:
    """Cancel what a test leaves running, lest it be torn down by the garbage collector."""
    running.addErrback(lambda _failure: None)
    running.cancel()


class ServerEnd(WebSocketServerProtocol):
    """The server's end of a connection; a test says what it sends.

    Attributes:
        request: The handshake's request, once there was one.
        frames: What the client sent, oldest first.
        closed: The close code that the client sent, once the connection is closed.
        pump: Carries the bytes.
    """

    pump: IOPump

    def __init__(self, subprotocol: str | None = None) -> None:
        super().__init__()
        self._subprotocol = subprotocol
        self.request: Any = None
        self.frames: deque[bytes] = deque()
        self.closed: int | None = None

    def onConnect(self, request: Any) -> str | None:
        """Note the request, and select the subprotocol."""
        self.request = request
        return self._subprotocol

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """Keep what the client sent."""
        self.frames.append(payload)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:  # noqa: N803
        """Note how the connection ended."""
        self.closed = code

    def send(self, *frames: bytes) -> None:
        """Send text frames in one write, and let them arrive."""
        for frame in frames:
            self.sendMessage(frame)
        self.pump.flush()

    def close(self, code: int, reason: str = "") -> None:
        """Close the websocket, and let the closing handshake happen."""
        # Autobahn's sendClose takes no code from 1001 to 2999.
        self.sendCloseFrame(code=code, reasonUtf8=reason.encode())
        self.pump.flush()

    def drop(self) -> None:
        """Close the TCP connection without a word."""
        self.transport.loseConnection()
        self.pump.flush()


class Network:
    """What clients connect through, by TCP or by a Unix socket.

    Attributes:
        reactor: The clients' reactor and clock.
    """

    def __init__(
        self, case: SynchronousTestCase, reactor: MemoryReactorClock | None = None
    ) -> None:
        """Connect nothing yet.

        Args:
            case: The test, during which Autobahn's timers, too, go by this reactor's clock.
            reactor: The clients' reactor, where it is to do more than connect.
        """
        self.reactor = reactor or MemoryReactorClock()
        case.patch(tx.config, "loop", self.reactor)
        self._factory = WebSocketServerFactory("ws://localhost/websocket/", reactor=self.reactor)
        self._factory.setProtocolOptions(failByDrop=False)

    @property
    def attempts(self) -> int:
        """How often a client tried to connect."""
        return len(self.reactor.unixClients) + len(self.reactor.tcpClients)

    def _client_factory(self) -> Any:
        if self.reactor.unixClients:
            return self.reactor.unixClients[-1][1]
        return self.reactor.tcpClients[-1][2]

    def accept(self, client: Any = None, *, subprotocol: str | None = None) -> ServerEnd:
        """Let the latest attempt succeed, and the websocket's handshake happen.

        Args:
            client: The client's protocol, where none has tried to connect.
            subprotocol: The one that the server selects, if any.

        Returns:
            The server's end.
        """
        server = ServerEnd(subprotocol)
        server.factory = self._factory
        client = client or self._client_factory().buildProtocol(None)
        server.pump = connect(
            server, FakeTransport(server, isServer=True), client, FakeTransport(client, False)
        )
        server.pump.flush()
        return server

    def accept_silently(self) -> FakeTransport:
        """Let the latest attempt succeed, and nothing else happen."""
        client = self._client_factory().buildProtocol(None)
        transport = FakeTransport(client, isServer=False)
        client.makeConnection(transport)
        return transport

    def answer(self, response: bytes) -> None:
        """Let the latest attempt succeed, and a server that knows no websocket answer."""
        transport = self.accept_silently()
        transport.protocol.dataReceived(response)
        if transport.disconnecting:
            transport.protocol.connectionLost(Failure(Refused()))

    def refuse(self) -> None:
        """Let the latest attempt fail."""
        self._client_factory().clientConnectionFailed(None, Failure(Refused()))
