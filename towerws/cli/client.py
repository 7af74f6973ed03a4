"""The websocket client of the commands: one connection that subscribes and hears.

Speaks profile "awx" (docs/protocol.md), so towerws and every AWX since 1.0 will do as servers.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Protocol

from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from autobahn.wamp.types import TransportDetails
from autobahn.websocket.types import ConnectingRequest
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from towerws.cli.target import Target
from towerws.core.groups import split_name

#: Largest event that is taken, in bytes; the server's own limit for events lies below.
MAX_EVENT_BYTES = 64 * 1024 * 1024

#: A Ping goes out after so many seconds, and a server silent for as long again is given up: a
#: connection whose other end is gone without a word (half-open) is noticed within both together.
PING_INTERVAL = 20

#: How long the server may take to answer the handshake, in seconds.
HANDSHAKE_TIMEOUT = 10

#: Longest answer to the handshake, in bytes: far more than the headers of any server or proxy.
MAX_HANDSHAKE_BYTES = 64 * 1024

#: Close codes that another attempt would only repeat (docs/protocol.md): policy, expired.
_FINAL_CLOSE_CODES = frozenset({1008, 4401})

#: HTTP answers of the 4xx kind that say "later" rather than "no".
_PASSING_REFUSALS = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
)

_REPLY_KEYS = {"groups_current", "groups_left", "groups_joined"}


class Refused(Exception):
    """The server will not have us, however often we ask: the text is one sentence."""


class Audience(Protocol):
    """Who is told what was heard."""

    def joined(self, groups: Sequence[str]) -> None:
        """The subscription is in force: events published from now on arrive.

        Args:
            groups: Names of the groups as the server lists them.
        """
        ...

    def event(self, payload: bytes, event: object) -> None:
        """An event arrived.

        Args:
            payload: The event, byte for byte; valid JSON.
            event: The same, decoded.
        """
        ...

    def notice(self, sentence: str) -> None:
        """Something else happened that a user should know.

        Args:
            sentence: One line; it may repeat text of the server, control characters included.
        """
        ...


@dataclass(frozen=True, slots=True)
class Subscription:
    """What is asked of the server.

    Attributes:
        groups: Full names, such as ``job_events-42``.
        headers: Further headers of the handshake, such as ``Cookie``.
        xrftoken: The CSRF token that AWX wants in the frame; it is also in a cookie.
    """

    groups: Sequence[str]
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    xrftoken: str | None = field(default=None, repr=False)

    def frame(self) -> bytes:
        """Write the subscribe frame."""
        groups: dict[str, list[str]] = {}
        for name in self.groups:
            group, element = split_name(name)
            groups.setdefault(group, []).append(element)
        wanted: dict[str, object] = {"groups": groups}
        if self.xrftoken is not None:
            wanted["xrftoken"] = self.xrftoken
        return json.dumps(wanted).encode()


def promised_groups(frame: object, *, first: bool) -> list[str] | None:
    """Read the answer to a subscription.

    Args:
        frame: Any frame of the server, decoded.
        first: Whether it is the first one of its connection.

    Returns:
        The groups whose events will arrive from now on; None if the frame is no such answer.

    Raises:
        Refused: There are none, or the server does not let us in.
    """
    if not isinstance(frame, dict):
        return None
    keys = frame.keys()
    if first and keys == {"close"}:
        raise Refused("the server does not know us: set TOWERWS_COOKIE or TOWERWS_BEARER")
    if keys != _REPLY_KEYS or not isinstance(groups := frame["groups_current"], list):
        return None
    if not groups:
        raise Refused("the server lets us into none of the groups")
    return [str(name) for name in groups]


@dataclass(frozen=True, slots=True)
class Lost:
    """How a connection ended.

    Attributes:
        reason: Half a sentence, such as ``connection refused``.
        lived: How long the websocket was open, in seconds; 0 if it never was.
    """

    reason: str
    lived: float = 0.0


class ListenProtocol(WebSocketClientProtocol):
    """One connection to the server.

    Attributes:
        lost: Fires when nothing more will be heard; fails with `Refused`, or with what the audience
            raised.
        gone: Fires when the connection is closed.
    """

    #: Autobahn's; it has none before the server's answer could be taken apart.
    http_status_line = ""

    def __init__(self, subscription: Subscription, audience: Audience, clock: IReactorTime) -> None:
        super().__init__()
        self.lost: Deferred[Lost] = Deferred()
        self.gone: Deferred[None] = Deferred()
        self._subscription = subscription
        self._audience = audience
        self._clock = clock
        self._opened: float | None = None
        self._greeted = False

    def onConnecting(self, _details: TransportDetails) -> ConnectingRequest:
        """Say how the handshake's request looks."""
        factory = self.factory
        return ConnectingRequest(
            host=factory.host,
            port=factory.port,
            resource=factory.resource,
            headers=dict(self._subscription.headers),
            useragent="towerws",
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
        self.sendMessage(self._subscription.frame())

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
                self.lost.callback(Lost(why, lived))
        self.gone.callback(None)

    def leave(self) -> Deferred[None]:
        """Close the connection, if it is still there.

        Returns:
            Fires when it is closed, at most some 2 s later: Autobahn bounds the closing handshake.
        """
        if self.state == self.STATE_OPEN:
            self.sendClose(self.CLOSE_STATUS_CODE_NORMAL)
        elif self.state == self.STATE_CONNECTING:
            self.dropConnection(abort=True)
        return self.gone

    def _take(self, payload: bytes) -> None:
        try:
            frame = json.loads(payload)
        except (ValueError, RecursionError):
            self._audience.notice(f"a frame of {len(payload)} bytes that is not JSON was dropped")
            return
        keys = frame.keys() if isinstance(frame, dict) else set()
        first, self._greeted = not self._greeted, True
        groups = promised_groups(frame, first=first)
        if groups is not None:
            self._audience.joined(groups)
        elif first and "accept" in keys:
            return
        elif keys == {"error"}:
            self._audience.notice(f"the server says: {frame['error']}")
        else:
            self._audience.event(payload, frame)


class ListenFactory(WebSocketClientFactory):
    """Makes the protocols of one listener's connections.

    Args:
        target: The server; the caller connects.
        make: Makes a protocol.
        reactor: For Autobahn, which asks for the global one otherwise.
    """

    noisy = False

    def __init__(self, target: Target, make: Callable[[], ListenProtocol], reactor: object) -> None:
        scheme = "wss" if target.tls else "ws"
        super().__init__(f"{scheme}://{target.authority}{target.resource}", reactor=reactor)
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
