"""The websocket listener: how it behaves, and the factory of its connections."""

from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from random import random
from typing import Any, cast

from autobahn.twisted.websocket import WebSocketServerFactory
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from towerws.core.forwarding import Proxies
from towerws.core.hub import Hub
from towerws.core.limits import Excesses, Limits, SessionCounters
from towerws.core.metrics import Metrics
from towerws.core.outbox import DEFAULT_BUDGET
from towerws.core.patterns import Patterns
from towerws.core.replaying import ReplayCounters
from towerws.websocket import handshake
from towerws.websocket.compression import accept_compression
from towerws.websocket.crowd import Crowd
from towerws.websocket.entrance import Entrance
from towerws.websocket.lean import with_options
from towerws.websocket.profiles import Profiles
from towerws.websocket.protocol import CLOSE_TIMEOUT, ClientProtocol
from towerws.websocket.quiet import QuietLog
from towerws.websocket.timeouts import Timeouts
from towerws.websocket.turns import Slices, shorten_turns

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
        guard_rebinding: Whether pages have to be named in ``origins``, unless they come from an
            address or a name of this machine. To be set where everybody may connect, since there a
            page whose name somebody has pointed at this machine is as good as any.
        trusted_proxies: Who is believed to say where a client comes from.
        max_connections: Connections at a time, handshakes included; 0 for no limit.
        max_connections_per_address: The same from one address, or one /64 of IPv6; 0 for no limit.
        max_connections_per_user: The same of one user, from the authentication on.
        max_handshakes: Handshakes per second from one address in the long run; 0 for no limit.
        max_message: The largest message of a client, in bytes.
        max_outbox: What may wait for one client that reads slowly, in bytes.
        close_spread: Over how many seconds the connections are closed when all have to be, so
            that they do not come back all at once.
        drain: The same for the end of the server, when each is served until its turn comes. 0 for
            all at once.
        closes_on_gap: Whether clients that cannot be told that events may have been missed are
            closed then, so that they fetch anew.
        limits: How much one client may ask for.
    """

    paths: frozenset[str] = frozenset({"/websocket/", "/websocket"})
    origins: frozenset[str] = frozenset()
    guard_rebinding: bool = False
    trusted_proxies: Proxies = field(default_factory=lambda: Proxies(()))
    max_connections: int = 10_000
    max_connections_per_address: int = 1000
    max_connections_per_user: int = 100
    max_handshakes: int = 50
    max_message: int = 1 << 16
    max_outbox: int = DEFAULT_BUDGET
    close_spread: float = 5.0
    drain: float = 10.0
    closes_on_gap: bool = True
    limits: Limits = field(default_factory=Limits)


class ClientFactory(WebSocketServerFactory):
    """Makes a protocol for each client, and knows all that are connected.

    Attributes:
        settings: How the listener behaves.
        entrance: Finds out who connects, and who is connected.
        hub: Takes the subscriptions.
        clock: Measures how long things take.
        slices: Keep the reactor's turns short.
        timeouts: Those of all clients.
        profiles: How the server speaks to clients.
        random: Gives numbers from 0 to 1.
        session_counters: Count what clients send.
        slow_readers: Counts the connections that were cut for not reading.
        crowd: The clients whose handshake is done.
    """

    _log = Logger()

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
        self.settings = settings
        self.clock = clock
        self.random = random
        slices = Slices(clock)
        self.crowd = Crowd(clock, slices, random)
        excesses = Excesses(metrics, clock.seconds, self._report)
        self.entrance = Entrance(authenticator, settings, excesses, clock)
        self.session_counters = SessionCounters(metrics, excesses)
        self.slow_readers = metrics.counter(
            "towerws_slow_readers_total", "Connections that were cut for reading too slowly."
        )
        self._opened = metrics.counter("towerws_connections_total", "Handshakes that succeeded.")
        self._metrics = metrics
        metrics.gauge(
            "towerws_connections", "Connected clients.", lambda: len(self.crowd.connections)
        )
        self.setProtocolOptions(**_protocol_options(settings))
        self.protocol = with_options(ClientProtocol, self, log=QuietLog(clock.seconds))
        self.slices = slices
        # Autobahn has one of its own by the second name.
        self.timeouts = self._batched_timer = Timeouts(clock, slices)
        self.profiles = Profiles(
            hub,
            ReplayCounters(metrics),
            settings.limits.heartbeat,
            settings.closes_on_gap,
            self.timeouts,
        )

    def startFactory(self) -> None:  # noqa: N802  # Twisted's name
        """Prepare the process for many clients; Twisted calls it when it begins to listen."""
        shorten_turns(self.clock)

    def opened(self, protocol: ClientProtocol) -> None:
        """Take note of a client whose handshake is done."""
        self._opened.add()
        self.crowd.add(protocol)

    def closed(self, protocol: ClientProtocol, cause: str) -> None:
        """Take note of a connection that is gone, whose handshake was done or not.

        Args:
            protocol: The connection.
            cause: Who ended it, or the code of the Close that we sent.
        """
        self.crowd.discard(protocol)
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

    def revoke(self, user: str, groups: Patterns | None) -> int:
        """Take access away from all connections of a user, some in each turn of the reactor.

        Whoever is being authenticated meanwhile is asked about once more.

        Args:
            user: The user's id as text.
            groups: To which groups; None to close the connections.

        Returns:
            How many connections lose something.
        """
        # All that come in here are made here.
        connections = cast("tuple[ClientProtocol, ...]", self.entrance.revoke(user))
        # Counted first: the later ones may be told in a later turn.
        concerned = sum(groups is None or each.hears(groups) for each in connections)
        self.slices.run(partial(protocol.revoke, groups) for protocol in connections)
        return concerned

    def _report(self, limit: str, who: str, held_back: int) -> None:
        self._log.warn(
            "over the limit {limit}: {who} ({held_back} more since the last such line)",
            limit=limit,
            who=who,
            held_back=held_back,
        )


def _protocol_options(settings: Settings) -> dict[str, Any]:
    # Each of these is off or without limit unless told.
    return {
        "webStatus": False,
        "maxFramePayloadSize": settings.max_message,
        "maxMessagePayloadSize": settings.max_message,
        # See `Entrance.look_at`, which counts what it refuses.
        "maxConnections": 0,
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
