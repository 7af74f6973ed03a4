"""Connections to a backend: kept open between requests, with limits on what comes back.

Once the answer to a request has begun, Twisted's HTTP client can do no more with its connection
than lose it in order. An endless header has no limit there, and a peer that never closes its side
of TLS would keep the socket open forever.
"""

from typing import Any

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IDelayedCall,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.web.client import URI, Agent, HTTPConnectionPool
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from towerws.network.client_tls import ClientTLS
from towerws.network.host_endpoint import HostEndpoint

#: Connections that are kept open while nothing is asked. A page of AWX that reconnects with its
#: colleagues makes a burst of questions; after it two or three are enough.
MAX_IDLE = 16

#: Seconds until an idle connection is closed: less than nginx and AWX's uwsgi keep theirs. One that
#: the backend closed just before is found out by the request on it, which is then repeated.
IDLE_TIMEOUT = 30

#: Seconds for the peer to close its side of a connection that is closed in order.
CLOSE_TIMEOUT = 2.0


class TooLarge(Exception):
    """An answer has more bytes than it may."""


class _Bounded(ProtocolWrapper):
    """Limits the bytes of each answer, and the wait for a connection's end."""

    factory: "_BoundedFactory"
    _received = 0
    _over: Failure | None = None
    _closing: IDelayedCall | None = None

    def writeSequence(self, data: Any) -> None:  # noqa: N802
        """Send a request, as Twisted does it; its answer is counted from 0."""
        self._received = 0
        super().writeSequence(data)

    def dataReceived(self, data: bytes) -> None:
        """Pass on what is not too much."""
        self._received += len(data)
        if self._received <= self.factory.max_bytes:
            super().dataReceived(data)
        elif self._over is None:
            self._over = Failure(TooLarge())
            self.abortConnection()

    def loseConnection(self) -> None:
        """Close in order, and by force if the peer does not take part."""
        super().loseConnection()
        if self._closing is None:
            self._closing = self.factory.reactor.callLater(CLOSE_TIMEOUT, self.abortConnection)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """Tell why it ended."""
        if self._closing is not None and self._closing.active():
            self._closing.cancel()
        super().connectionLost(self._over or reason)


class _BoundedFactory(WrappingFactory):
    """Makes the connections of one endpoint."""

    protocol = _Bounded
    noisy = False

    def __init__(self, wrapped: IProtocolFactory, reactor: Any, max_bytes: int) -> None:
        super().__init__(wrapped)
        self.reactor = reactor
        self.max_bytes = max_bytes


@implementer(IStreamClientEndpoint, IAgentEndpointFactory)
class _Endpoint:
    """The one server that there is to connect to."""

    def __init__(
        self,
        reactor: Any,
        endpoint: IStreamClientEndpoint,
        tls: ClientTLS | None,
        max_bytes: int,
    ) -> None:
        self._reactor = reactor
        self._endpoint = endpoint
        self._tls = tls
        self._max_bytes = max_bytes

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:  # noqa: N802
        return self

    def connect(self, protocolFactory: Any) -> Deferred[IProtocol]:  # noqa: N803
        # Two lines in the log for each connection would help nobody.
        protocolFactory.noisy = False
        bounded = _BoundedFactory(protocolFactory, self._reactor, self._max_bytes)
        if self._tls is None:
            connecting: Deferred[Any] = self._endpoint.connect(bounded)
        else:
            # What wrapClientTLS does, by the clock of this reactor.
            encrypted: Any = TLSMemoryBIOFactory(self._tls, True, bounded, self._reactor)
            connecting = self._endpoint.connect(encrypted)
            connecting.addCallback(_unwrap)
        return connecting.addCallback(_unwrap)


def _unwrap(wrapper: Any) -> Any:
    return wrapper.wrappedProtocol


class Pool:
    """An HTTP client for one server.

    Attributes:
        agent: Makes requests.
    """

    def __init__(
        self, reactor: Any, host: str, port: int, context: SSL.Context | None, max_bytes: int
    ) -> None:
        """Connect to nothing yet.

        Args:
            reactor: Resolves, connects and measures time.
            host: The server's name or address, in ASCII.
            port: Its TCP port.
            context: Says whom to trust, for HTTPS; None for HTTP.
            max_bytes: How long a whole answer may be, headers and all.
        """
        # Who asks has a deadline for the whole request; this one is not to come before it.
        endpoint = HostEndpoint(reactor, host, port, timeout=60)
        tls = None if context is None else ClientTLS(context, host)
        self._connections = HTTPConnectionPool(reactor)
        self._connections.maxPersistentPerHost = MAX_IDLE
        self._connections.cachedConnectionTimeout = IDLE_TIMEOUT
        self.agent = Agent.usingEndpointFactory(
            reactor, _Endpoint(reactor, endpoint, tls, max_bytes), self._connections
        )

    def close(self) -> Deferred[None]:
        """Close the idle connections.

        Returns:
            Fires when they are closed, after `CLOSE_TIMEOUT` at most.
        """
        closed: Deferred[None] = self._connections.closeCachedConnections()
        return closed
