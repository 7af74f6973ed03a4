"""The websocket listener: how it behaves, and the factory of its connections."""

from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from random import random
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from towerws import handshake
from towerws.compression import accept_compression
from towerws.core.hub import Hub
from towerws.core.metrics import Metrics
from towerws.core.outbox import DEFAULT_BUDGET
from towerws.core.session import Limits, SessionCounters
from towerws.core.wire import CloseCode
from towerws.lean import with_options
from towerws.quiet import QuietLog
from towerws.timeouts import Timeouts
from towerws.turns import Slices, shorten_turns
from towerws.websocket import CLOSE_TIMEOUT, ClientProtocol

#: Seconds without traffic after which a Ping goes out; nginx cuts after 60.
PING_INTERVAL = 20

#: Seconds for a client to answer a Ping before the connection is dropped.
PING_TIMEOUT = 30


@dataclass(frozen=True, slots=True)
class Settings:
    """How the listener behaves.

    Attributes:
        paths: Where the websocket is.
        origins: Origins of pages that may connect beside the server's own, as
            `towerws.core.origin.normalize` gives them.
        max_connections: Connections at a time, handshakes included; 0 for no limit.
        max_message: The largest message of a client, in bytes.
        max_outbox: What may wait for one client that reads slowly, in bytes.
        close_spread: Over how many seconds the connections are closed when all have to be, so
            that they do not come back all at once.
        limits: How much one client may ask for.
    """

    paths: frozenset[str] = frozenset({"/websocket/", "/websocket"})
    origins: frozenset[str] = frozenset()
    max_connections: int = 10_000
    max_message: int = 1 << 16
    max_outbox: int = DEFAULT_BUDGET
    close_spread: float = 5.0
    limits: Limits = field(default_factory=Limits)


class ClientFactory(WebSocketServerFactory):
    """Makes a protocol for each client, and knows all that are connected.

    Attributes:
        settings: How the listener behaves.
        authenticator: Finds out who connects.
        hub: Takes the subscriptions.
        clock: Measures the time an authentication takes.
        random: Gives numbers from 0 to 1.
        session_counters: Count what clients send.
        slow_readers: Counts the connections that were cut for not reading.
        connections: The clients whose handshake is done.
    """

    protocol = ClientProtocol  # type: ignore[assignment]  # Twisted wants a callable here
    noisy = False

    def __init__(
        self,
        hub: Hub,
        authenticator: handshake.Authenticator,
        settings: Settings,
        metrics: Metrics,
        clock: IReactorTime,
    ) -> None:
        """Set up a listener; nothing listens yet.

        Args:
            hub: Takes the subscriptions.
            authenticator: Finds out who connects.
            settings: How the listener behaves.
            metrics: Where things are counted.
            clock: The reactor. Autobahn's timer for dropped connections uses the global one.
        """
        # No "Server" header: who asks for it is looking for a version with a known hole.
        super().__init__(server="", reactor=clock)
        self.hub = hub
        self.authenticator = authenticator
        self.settings = settings
        self.clock = clock
        self.random = random
        self.connections: set[ClientProtocol] = set()
        self.session_counters = SessionCounters(metrics)
        self.slow_readers = metrics.counter(
            "towerws_slow_readers_total", "Connections that were cut for reading too slowly."
        )
        self._opened = metrics.counter("towerws_connections_total", "Handshakes that succeeded.")
        self._metrics = metrics
        metrics.gauge("towerws_connections", "Connected clients.", lambda: len(self.connections))
        self.setProtocolOptions(**_protocol_options(settings))
        self.protocol = with_options(ClientProtocol, self, log=QuietLog(clock.seconds))
        self._slices = Slices(clock)
        # Autobahn has one of its own by this name.
        self._batched_timer = Timeouts(clock, self._slices)

    def startFactory(self) -> None:  # noqa: N802  # Twisted's name
        """Prepare the process for many clients; Twisted calls it when it begins to listen."""
        shorten_turns(self.clock)

    def opened(self, protocol: ClientProtocol) -> None:
        """Take note of a client whose handshake is done."""
        self._opened.add()
        self.connections.add(protocol)

    def closed(self, protocol: ClientProtocol, cause: str) -> None:
        """Take note of a connection that is gone, whose handshake was done or not.

        Args:
            protocol: The connection.
            cause: Who ended it, or the code of the Close that we sent.
        """
        self.connections.discard(protocol)
        self._metrics.counter(
            "towerws_connections_closed_total",
            "Connections that ended, by the code of our Close or by what else ended them.",
            cause=cause,
        ).add()

    def refused(self, status: HTTPStatus) -> None:
        """Count a handshake that was refused.

        Args:
            status: The answer it got.
        """
        self._metrics.counter(
            "towerws_handshakes_refused_total",
            "Handshakes that were answered with an HTTP error, by its status.",
            status=str(status.value),
        ).add()

    def close_all(self, code: CloseCode, reason: str) -> Deferred[None]:
        """Close every connection that is there now, some in each turn of the reactor.

        Args:
            code: Why.
            reason: The same for people.

        Returns:
            Fires when each was told.
        """
        return self._slices.run(
            partial(protocol.send_close, code, reason) for protocol in tuple(self.connections)
        )


def _protocol_options(settings: Settings) -> dict[str, Any]:
    # Each of these is off or without limit unless told.
    return {
        "webStatus": False,
        "maxFramePayloadSize": settings.max_message,
        "maxMessagePayloadSize": settings.max_message,
        "maxConnections": settings.max_connections,
        "failByDrop": False,
        "echoCloseCodeReason": False,
        "versions": [13],
        "openHandshakeTimeout": handshake.SEND_TIMEOUT,
        "closeHandshakeTimeout": CLOSE_TIMEOUT,
        "autoPingInterval": PING_INTERVAL,
        "autoPingTimeout": PING_TIMEOUT,
        "perMessageCompressionAccept": accept_compression,
        # The origin is checked in onConnect, against the Host header.
        "allowedOrigins": ["*"],
        "allowNullOrigin": True,
    }
