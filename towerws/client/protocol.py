"""One connection to a server, on Autobahn: subscribes, hears, and tells how it ended."""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from autobahn.wamp.types import TransportDetails
from autobahn.websocket.types import ConnectingRequest
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from towerws.client.audience import Audience, Bookmark
from towerws.client.conversation import Conversation, Refused
from towerws.client.happenings import Accepted, Reconnect
from towerws.client.subscription import Subscription
from towerws.client.target import Target
from towerws.client.watch import Watch
from towerws.core.wire import CloseCode
from towerws.core.wire_v1 import SUBPROTOCOL

#: Largest event that is taken, in bytes; the server's own limit for events lies below.
MAX_EVENT_BYTES = 64 * 1024 * 1024

#: A Ping goes out after so many seconds, and a server silent for as long again is given up: a
#: connection whose other end is gone without a word (half-open) is noticed within both together.
PING_INTERVAL = 20

#: How long the server may take to answer the handshake, in seconds, and in profile "towerws.v1" to
#: its first frame.
HANDSHAKE_TIMEOUT = 10

#: Longest answer to the handshake, in bytes: far more than the headers of any server or proxy.
MAX_HANDSHAKE_BYTES = 64 * 1024

#: After how many heartbeats that were due and did not come a server is given up.
MISSED_HEARTBEATS = 2

#: Close codes that another attempt would only repeat (docs/protocol.md). Our only message is the
#: subscription: a server for which it is too large has too many groups asked of it.
_FINAL_CLOSE_CODES = frozenset(
    {
        CloseCode.POLICY,
        CloseCode.EXPIRED,
        WebSocketClientProtocol.CLOSE_STATUS_CODE_MESSAGE_TOO_BIG,
    }
)

#: HTTP answers of the 4xx kind that say "later" rather than "no".
_PASSING_REFUSALS = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
)


@dataclass(frozen=True, slots=True)
class Lost:
    """How a connection ended.

    Attributes:
        reason: Half a sentence, such as ``connection refused``.
        lived: How long the websocket was open, in seconds; 0 if it never was.
        after: When to come back, in seconds from now, if the server has said so.
    """

    reason: str
    lived: float = 0.0
    after: float | None = None


class ListenProtocol(WebSocketClientProtocol):
    """One connection to the server.

    Attributes:
        lost: Fires when nothing more will be heard; fails with `Refused`, or with what the audience
            raised.
        gone: Fires when the connection is closed.
    """

    #: Autobahn's; it has none before the server's answer could be taken apart.
    http_status_line = ""

    def __init__(
        self,
        subscription: Subscription,
        audience: Audience,
        bookmark: Bookmark,
        clock: IReactorTime,
    ) -> None:
        """Have no connection yet.

        Args:
            subscription: What to ask for.
            audience: Who is told.
            bookmark: How far they have been told; it is moved on.
            clock: Measures how long the connection lives, and silences.
        """
        super().__init__()
        self.lost: Deferred[Lost] = Deferred()
        self.gone: Deferred[None] = Deferred()
        self._subscription = subscription
        self._audience = audience
        self._bookmark = bookmark
        self._clock = clock
        self._watch = Watch(clock, self._fallen_silent)
        self._conversation: Conversation | None = None
        self._opened: float | None = None
        self._after: float | None = None

    def onConnecting(self, _details: TransportDetails) -> ConnectingRequest:
        """Say how the handshake's request looks."""
        factory = self.factory
        return ConnectingRequest(
            host=factory.host,
            port=factory.port,
            resource=factory.resource,
            headers=dict(self._subscription.headers),
            useragent="towerws",
            protocols=factory.protocols,
        )

    def dataReceived(self, data: bytes) -> None:
        """Take bytes in; for an answer that is no HTTP Autobahn knows no bound and no error."""
        try:
            super().dataReceived(data)
        except UnicodeDecodeError:
            self.failHandshake("the answer is not HTTP")
        if self.state == self.STATE_CONNECTING and len(self.data) > MAX_HANDSHAKE_BYTES:
            self.failHandshake(f"an HTTP head of more than {MAX_HANDSHAKE_BYTES} bytes")

    def onOpen(self) -> None:
        """Subscribe; AWX's own clients do not wait for the first frame either."""
        self._opened = self._clock.seconds()
        selected = self.websocket_protocol_in_use
        if selected == SUBPROTOCOL:
            self._watch.expect(HANDSHAKE_TIMEOUT)
        mark = self._bookmark
        self._conversation = Conversation(
            self._subscription, selected, since=mark.position, returning=mark.joined
        )
        self.sendMessage(self._conversation.subscribe())

    def onMessageFrameData(self, payload: bytes) -> None:
        """Note a sign of life: a large event on a slow line is none only when it is complete."""
        self._watch.heard()
        super().onMessageFrameData(payload)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """Take a frame in; Autobahn would turn an error into a dropped connection."""
        if self.lost.called:
            return
        try:
            self._take(payload)
        except Exception:  # noqa: BLE001
            self.lost.errback(Failure())

    def failHandshake(self, reason: str) -> None:  # noqa: N802
        """Learn what an HTTP server answered instead of 101."""
        words = self.http_status_line.split()
        status = int(words[1]) if len(words) > 1 and words[1].isdecimal() else 0
        final = status // 100 == 4 and status not in _PASSING_REFUSALS
        if final and not self.lost.called:
            answer = " ".join(words[1:])
            self.lost.errback(Refused(f"the server refuses the handshake: HTTP {answer}"))
        super().failHandshake(reason)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:  # noqa: N803
        """Report the end of the connection, which may come before it was ever open."""
        self._watch.stop()
        if wasClean:
            words = " ".join(str(part) for part in (code, reason) if part)
            why = f"the server closed the connection: {words or 'no reason given'}"
        else:
            # Autobahn names the place in OpenSSL, but newer versions of that have none.
            why = f"the connection is lost: {self.wasNotCleanReason}".removesuffix(" (in )")
        if not self.lost.called:
            if wasClean and code in _FINAL_CLOSE_CODES:
                self.lost.errback(Refused(why))
            else:
                lived = 0.0 if self._opened is None else self._clock.seconds() - self._opened
                self.lost.callback(Lost(why, lived, self._after))
        self.gone.callback(None)

    def leave(self) -> Deferred[None]:
        """Close the connection, if it is still there.

        Returns:
            Fires when it is closed, at most some 2 s later: Autobahn bounds the closing handshake.
        """
        self._watch.stop()
        if self.state == self.STATE_OPEN:
            self.sendClose(self.CLOSE_STATUS_CODE_NORMAL)
        elif self.state == self.STATE_CONNECTING:
            self.dropConnection(abort=True)
        return self.gone

    def _take(self, payload: bytes) -> None:
        assert self._conversation is not None
        happening = self._conversation.take(payload)
        if isinstance(happening, Accepted):
            interval = happening.heartbeat
            self._watch.expect(None if interval is None else MISSED_HEARTBEATS * interval)
        elif isinstance(happening, Reconnect):
            self._after = happening.after
        self._bookmark.tell(happening, self._audience)

    def _fallen_silent(self, longest: float) -> None:
        self.wasNotCleanReason = f"no sign of life for {longest:g} s"
        self.dropConnection(abort=True)


class ListenFactory(WebSocketClientFactory):
    """Makes the protocols of one listener's connections."""

    noisy = False

    def __init__(self, target: Target, make: Callable[[], ListenProtocol], reactor: object) -> None:
        """Make nothing yet.

        Args:
            target: The server; the caller connects.
            make: Makes a protocol.
            reactor: For Autobahn, which asks for the global one otherwise.
        """
        scheme = "wss" if target.tls else "ws"
        url = f"{scheme}://{target.authority}{target.resource}"
        super().__init__(url, protocols=[SUBPROTOCOL], reactor=reactor)
        # What goes into the Host header; Autobahn forgets the brackets of an IPv6 address.
        self.host = target.authority.rpartition(":")[0]
        self._make = make
        self.setProtocolOptions(
            maxFramePayloadSize=MAX_EVENT_BYTES,
            maxMessagePayloadSize=MAX_EVENT_BYTES,
            openHandshakeTimeout=HANDSHAKE_TIMEOUT,
            autoPingInterval=PING_INTERVAL,
            autoPingTimeout=PING_INTERVAL,
            # By dropping, for then Autobahn tells us why: an event too large, a frame that is none.
            failByDrop=True,
        )

    def buildProtocol(self, _address: object) -> ListenProtocol:
        """Make the protocol of a connection."""
        protocol = self._make()
        protocol.factory = self
        return protocol
