"""A TLS client in memory, of the standard library, and the server's side of Twisted behind it."""

import ssl
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.protocols.tls import TLSMemoryBIOFactory

from towerws.network.eager import EagerTLSProtocol
from towerws.network.tls import ServerTLS


class Served(Protocol):
    """What the server's side has heard."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.received = b""

    def dataReceived(self, data: bytes) -> None:
        """Take note."""
        self.received += data


class MemoryTLSClient:
    """A client that shakes hands at once.

    Attributes:
        served: What is behind the server's side.
        wire: Below the server's side.
        tls: The client's side.
        error: Why the handshake, or what came after it, went wrong.
    """

    def __init__(
        self,
        server: ServerTLS | IProtocolFactory,
        context: ssl.SSLContext,
        *,
        header: bytes = b"",
        session: ssl.SSLSession | None = None,
        tap: Callable[[bytes], object] = len,
    ) -> None:
        """Connect.

        Args:
            server: The TLS of a listener, or the factory of its port.
            context: The client's.
            header: What goes over the wire before TLS.
            session: The session to resume, if it may be.
            tap: Gets what the server sends over the wire.
        """
        self.served = Served()
        self._tap = tap
        factory: Any = server
        if isinstance(server, ServerTLS):
            factory = TLSMemoryBIOFactory(server, False, self.factory(), MemoryReactorClock())
            factory.protocol = EagerTLSProtocol
        self.wire = StringTransport()
        self.server = factory.buildProtocol(None)
        self.server.makeConnection(self.wire)
        if not isinstance(server, ServerTLS):
            self.served = _innermost(self.server)
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(
            self._in, self._out, server_hostname="localhost", session=session
        )
        self.error: ssl.SSLError | None = None
        if header:
            self.server.dataReceived(header)
        self.step(self.tls.do_handshake)
        # Of TLS 1.3 the client is done before the server has looked at its certificate.
        self.read()

    def factory(self) -> Factory:
        """Give a factory for one protocol."""
        return Factory.forProtocol(lambda: self.served)

    def step(self, operation: Any, *arguments: Any) -> Any:
        """Do something that may need the other side, until there is nothing to exchange."""
        for _ in range(10):
            result = None
            try:
                result = operation(*arguments)
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError as error:
                self.error = self.error or error
            if data := self._out.read():
                self.server.dataReceived(data)
            if data := self.wire.value():
                self.wire.clear()
                self._tap(data)
                self._in.write(data)
            elif result is not None or self.error is not None:
                return result
        return None

    def read(self) -> bytes:
        """Give what the server has sent."""
        received = self.step(self.tls.read, 1 << 16)
        return received if isinstance(received, bytes) else b""

    def write(self, data: bytes) -> None:
        """Send something."""
        self.step(self.tls.write, data)

    @property
    def certificate(self) -> bytes | None:
        """The server's certificate, as DER."""
        return self.tls.getpeercert(binary_form=True)


def _innermost(protocol: Any) -> Any:
    while hasattr(protocol, "wrappedProtocol"):
        protocol = protocol.wrappedProtocol
    return protocol
