"""The websocket of one client: Autobahn's protocol, as thin a shell as it can be.

Once the opening handshake (`towerws.websocket.opening`) is done it passes messages to a
`towerws.core.session.Session`; everything else is Autobahn's or the core's. Autobahn's habits that
shaped this file are told where they bite; docs/architecture.md lists them.
"""

from collections.abc import Callable
from functools import partial

from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from towerws.core.outbox import Outbox
from towerws.core.patterns import Patterns
from towerws.core.session import Session
from towerws.core.wire import CloseCode
from towerws.websocket import handshake
from towerws.websocket.connection import ClientConnection
from towerws.websocket.identity import GuardedIdentity
from towerws.websocket.opening import OpeningProtocol
from towerws.websocket.profiles import variant_of

#: Seconds for a client to answer a Close frame before the connection is dropped.
CLOSE_TIMEOUT = 2


class ClientProtocol(OpeningProtocol):
    """The websocket of one client."""

    _log = Logger()

    __slots__ = (
        "_closing_soon", "_connection", "_identity", "_last_resort", "_timed_out",
    )  # fmt: skip

    def __init__(self) -> None:
        """Make a protocol for one connection."""
        super().__init__()
        self._connection: ClientConnection | None = None
        self._identity: GuardedIdentity | None = None
        self._closing_soon: IDelayedCall | None = None
        self._last_resort: IDelayedCall | None = None
        self._timed_out = False

    def dataReceived(self, data: bytes) -> None:
        """Take bytes of the client.

        Args:
            data: As they came.
        """
        super().dataReceived(data)
        if self.state == self.STATE_CLOSING and len(self.data) > handshake.MAX_BYTES:
            # Behind a message that cannot be inflated Autobahn reads nothing, and keeps it all.
            self.dropConnection(abort=True)

    def onOpen(self) -> None:
        """Begin the session."""
        factory = self.factory
        variant = variant_of(
            self.websocket_protocol_in_use, compresses=bool(self.websocket_extensions_in_use)
        )
        self.let_go()
        if self.user is not None:
            self._identity = GuardedIdentity(
                self.user, self._guard, factory.clock, factory.entrance.throttle
            )
            self.user = None
        outbox = Outbox(factory.settings.max_outbox)
        connection = ClientConnection(self, self.transport, variant, outbox, factory.slow_readers)
        connection.session = Session(
            connection,
            self._identity,
            factory.hub,
            factory.settings.limits,
            factory.session_counters,
            speak=partial(factory.profiles.speak, connection),
            clock=factory.timeouts,
        )
        self._connection = connection
        self.transport.registerProducer(connection, True)
        factory.opened(self)
        self._guard(connection.session.start)

    def hears(self, groups: Patterns) -> bool:
        """Tell whether the client is in one of some groups."""
        connection = self._connection
        return connection is not None and any(
            name in groups for name in self.factory.hub.groups_of(connection)
        )

    def revoke(self, groups: Patterns | None) -> None:
        """Take access away.

        Args:
            groups: To which groups; None to close the connection.
        """
        self._tell(lambda session: session.revoke(groups))
        if groups is not None:
            # What is known of the user is from before.
            self.recheck()

    def recheck(self) -> None:
        """Look again at what the client may hear."""
        self._tell(Session.recheck)

    def announce(self, after_ms: int) -> None:
        """Tell the client that it is about to be closed.

        Args:
            after_ms: Milliseconds after which it is to come back.
        """
        self._tell(lambda session: session.announce(after_ms))

    def finish(self, code: CloseCode, reason: str) -> None:
        """Close behind everything that the client has not taken yet; not bounded in time.

        Args:
            code: Of RFC 6455.
            reason: For people.
        """
        if self._connection is not None:
            self._connection.finish(code, reason)

    def soon(self, call: Callable[[], None]) -> None:
        """Make a call in a turn of the reactor to come, unless the connection is gone by then.

        Args:
            call: What to do, a short thing; the connection is closed if it fails.
        """
        self.factory.slices.soon(partial(self._tell, lambda _: call()))

    def onPing(self, payload: bytes) -> None:
        """Answer a Ping.

        Args:
            payload: What the Pong has to say.
        """
        if self._connection is not None:
            self._connection.pong(payload)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """Pass a message to the session.

        Args:
            payload: The message.
            isBinary: True for a binary one.
        """
        self._tell(lambda session: session.received(payload, is_binary=isBinary))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """End the session, or the handshake if there is none yet.

        Args:
            reason: Why, for Autobahn.
        """
        super().connectionLost(reason)
        if self._identity is not None:
            self._identity.forget()
        for call in (self._closing_soon, self._last_resort):
            if call is not None and call.active():
                call.cancel()
        self.factory.closed(self, self._cause())
        if self._connection is not None:
            self._connection.closing()
            self._connection.session = None
            self._connection = None
        # Without cycles a closed connection is gone at once. With them it would wait for the
        # garbage collector, which has to look at all the others for it.
        self._identity = self._closing_soon = self._last_resort = None

    def onAutoPingTimeout(self) -> None:
        """Drop a client that does not answer Pings."""
        self._timed_out = True
        super().onAutoPingTimeout()

    def dropConnection(self, abort: bool = False) -> None:
        """Drop the connection, in bounded time even if the client does not read what is buffered.

        Args:
            abort: Do not send what is buffered.
        """
        if self._connection is not None:
            self._connection.closing()
        # Autobahn aborts when the client's Close comes behind ours, or has a code that nobody may
        # send: our Close, if it is still in the buffer, would be lost.
        abort = abort and not self.wasClean
        dropping = self.state != self.STATE_CLOSED
        super().dropConnection(abort)
        if dropping and not abort:
            later = self.factory.clock.callLater
            self._last_resort = later(CLOSE_TIMEOUT, self._closeConnection, True)

    def sendCloseFrame(  # noqa: N802  # Autobahn's name
        self,
        code: int | None = None,
        reasonUtf8: bytes | None = None,  # noqa: N803
        isReply: bool = False,  # noqa: N803
    ) -> None:
        """Send a Close, whoever wants it: a session, Autobahn, or the client that sent one.

        Args:
            code: Of RFC 6455.
            reasonUtf8: For people.
            isReply: Whether it answers the client's.
        """
        if self._connection is not None:
            self._connection.closing()
        super().sendCloseFrame(code, reasonUtf8, isReply)

    def send_close(self, code: int, reason: str) -> None:
        """Begin the closing handshake; nothing if the connection is closing already.

        Args:
            code: Of RFC 6455. Autobahn's ``sendClose`` allows only 1000 and those of applications.
            reason: For people.
        """
        if self.state == self.STATE_OPEN:
            self.sendCloseFrame(code, reason.encode())

    def send_close_soon(self, code: int, reason: str) -> None:
        """Begin the closing handshake within `Settings.close_spread`, at a random time.

        Args:
            code: Of RFC 6455.
            reason: For people.
        """
        if self._closing_soon is None:
            factory = self.factory
            self._closing_soon = factory.clock.callLater(
                factory.random() * factory.settings.close_spread, self.send_close, code, reason
            )

    def _cause(self) -> str:
        if self.wasOpenHandshakeTimeout:
            return "handshake_timeout"
        if self._timed_out:
            return "ping_timeout"
        if self.closedByMe:
            return str(self.localCloseCode)
        if self._connection is None:
            return "handshake"
        return "client" if self.wasClean else "lost"

    def _tell(self, step: Callable[[Session], object]) -> None:
        if self._connection is not None and self._connection.session is not None:
            self._guard(partial(step, self._connection.session))

    def _guard(self, step: Callable[[], object]) -> None:
        # Autobahn swallows what onOpen raises, and the connection stays open and mute; what
        # onMessage raises would end it without a close code.
        try:
            step()
        except Exception:  # noqa: BLE001  # any fault of ours; the connection is closed for it
            self._log.failure("in a client's session")
            self.send_close(CloseCode.INTERNAL_ERROR, "a fault of the server")
