"""Both ends of a TLS connection in memory."""

from typing import Any

from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.test.iosim import connect, makeFakeClient, makeFakeServer
from twisted.trial.util import suppress

#: What Twisted 26.10 does within, and pyOpenSSL 26 no longer likes.
TLS_WARNINGS = [suppress(message=r"Passing pyOpenSSL \w+ objects is deprecated")]


class Peer(Protocol):
    """Says hello, and remembers what it heard and why it ended.

    Attributes:
        received: What it heard.
        ended: Why the connection ended; None while it lasts.
    """

    def __init__(self) -> None:
        self.received = b""
        self.ended: Failure | None = None

    def connectionMade(self) -> None:
        """Say hello."""
        assert self.transport is not None
        self.transport.write(b"hello")

    def dataReceived(self, data: bytes) -> None:
        """Take note."""
        self.received += data

    def connectionLost(self, reason: Failure | None = None) -> None:
        """Take note of why."""
        self.ended = reason


def shake_hands(creator: Any, server_options: Any) -> tuple[Peer, Peer, Any]:
    """Let a client and a server talk TLS until nothing moves; return both and the server's side."""
    client, server = Peer(), Peer()
    clock = Clock()
    wrapped_client = TLSMemoryBIOFactory(
        creator, True, Factory.forProtocol(lambda: client), clock=clock
    ).buildProtocol(None)
    wrapped_server = TLSMemoryBIOFactory(
        server_options, False, Factory.forProtocol(lambda: server), clock=clock
    ).buildProtocol(None)
    pump = connect(
        wrapped_server,
        makeFakeServer(wrapped_server),
        wrapped_client,
        makeFakeClient(wrapped_client),
    )
    for _ in range(3):
        pump.flush()
        clock.advance(0)
    pump.flush()
    return client, server, wrapped_server
