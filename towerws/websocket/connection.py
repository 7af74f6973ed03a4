"""One connected client as the core sees it: an outbox in front of a transport.

Here and nowhere else bytes leave for a client. Autobahn's own ``sendMessage`` is not used: it
frames, compresses and logs for every connection what is the same for all of them.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from twisted.internet.interfaces import IPushProducer, ITransport
from twisted.logger import Logger
from zope.interface import implementer

from towerws.core.event import Variant, encode
from towerws.core.hub import Sink
from towerws.core.metrics import Counter
from towerws.core.outbox import Outbox
from towerws.core.wire import CloseCode

if TYPE_CHECKING:
    from towerws.core.session import Session

#: Bytes that are given to a transport at once when it has drained: frames up to this are joined to
#: a copy that is this reader's own and counts for no budget.
PIECE = 1 << 16

#: First byte of a Pong frame (RFC 6455, section 5.2).
_FIN_PONG = 0x8A


class Websocket(Protocol):
    """What a connection needs of the websocket protocol below it."""

    def send_close(self, code: int, reason: str) -> None:
        """Begin the closing handshake, which is bounded in time."""

    def send_close_soon(self, code: int, reason: str) -> None:
        """Begin the closing handshake within some seconds."""

    def soon(self, call: Callable[[], None]) -> None:
        """Make a call in a turn of the reactor to come, unless the connection is gone by then."""


@implementer(IPushProducer)
class ClientConnection:
    """Writes what the hub and the session send, as fast as the client takes it.

    Attributes:
        variant: The form of frame that the client negotiated.
        session: The client's session, once there is one.
        sink: Takes whole frames of the hub, to be sent behind everything before them. While the
            transport takes data it is the transport itself, so that a delivery costs the hub one
            call and no question; docs/performance.md has what that saves.
    """

    __slots__ = (
        "_close", "_holds", "_out", "_outbox", "_slow_readers", "_transport", "_websocket",
        "session", "sink", "variant",
    )  # fmt: skip

    _log = Logger()

    def __init__(
        self,
        websocket: Websocket,
        transport: ITransport,
        variant: Variant,
        outbox: Outbox,
        slow_readers: Counter,
    ) -> None:
        """Start with nothing to send.

        Args:
            websocket: The protocol below.
            transport: Takes whole frames.
            variant: The form of frame that the client negotiated.
            outbox: Empty, with the client's budget.
            slow_readers: Counts connections that were cut for not reading.
        """
        self.variant = variant
        self.session: Session | None = None
        self.sink: Sink = transport
        # Where frames go that are not of the hub: as the sink, but also while that is held.
        self._out: Sink = transport
        self._holds = False
        # The Close that goes out when the outbox is empty.
        self._close: tuple[CloseCode, str] | None = None
        self._outbox = outbox
        self._websocket = websocket
        self._transport = transport
        self._slow_readers = slow_readers

    def send(self, payload: bytes) -> None:
        """Send a text frame behind everything that was sent before.

        Args:
            payload: UTF-8.
        """
        self._out.write(encode(payload, self.variant))

    def send_frames(self, frames: bytes) -> None:
        """Send whole frames behind everything that was sent before.

        Args:
            frames: In the client's variant.
        """
        self._out.write(frames)

    def hold(self) -> None:
        """Drop what the hub gives from now on."""
        self._holds = True
        self._route(self._out)

    def release(self) -> None:
        """Take what the hub gives again."""
        self._holds = False
        self._route(self._out)

    @property
    def has_room(self) -> bool:
        """Whether all that was sent has left for the kernel; else the session hears when it has."""
        return self._out is self._transport

    def soon(self, call: Callable[[], None]) -> None:
        """Make a call in a turn of the reactor to come, unless the client is gone by then.

        Args:
            call: What to do.
        """
        self._websocket.soon(call)

    def pong(self, payload: bytes) -> None:
        """Answer a Ping, on the client's budget: it may send many of them and read no answer.

        Args:
            payload: The Ping's, at most 125 bytes.
        """
        self._out.write(bytes((_FIN_PONG, len(payload))) + payload)

    def gap(self, why: str) -> None:
        """Tell the session that events may have been missed.

        Args:
            why: One sentence, for people.
        """
        if self.session is not None:
            self.session.gap(why)

    def close(self, code: CloseCode, reason: str) -> None:
        """Close behind what the transport has taken; what waits in the outbox is not sent.

        Args:
            code: Why.
            reason: The same for people, at most 123 bytes.
        """
        self._websocket.send_close(code, reason)

    def finish(self, code: CloseCode, reason: str) -> None:
        """Close behind everything that waits; nothing more is taken meanwhile.

        Args:
            code: Why.
            reason: The same for people, at most 123 bytes.
        """
        if self._outbox.size:
            self._close = code, reason
            self.sink = _NOWHERE
            if self.session is not None:
                self.session.end()
        else:
            self.close(code, reason)

    def closing(self) -> None:
        """Take note that a Close goes out, or the connection is gone: nothing is sent any more."""
        self.sink = self._out = _NOWHERE
        self._close = None
        self._outbox.clear()
        if self.session is not None:
            self.session.end()

    def close_soon(self, code: CloseCode, reason: str) -> None:
        """Close within some seconds, each client at a time of its own.

        Args:
            code: Why.
            reason: The same for people, at most 123 bytes.
        """
        self._websocket.send_close_soon(code, reason)

    def write(self, frames: bytes) -> None:
        """Keep frames while the transport is paused; cut a reader that is too slow.

        Args:
            frames: Whole frames.
        """
        if not self._outbox.append(frames):
            self._slow_readers.add()
            self._log.info("closing a connection that reads too slowly")
            self.close(CloseCode.TRY_AGAIN_LATER, "reading too slowly")

    def pauseProducing(self) -> None:
        """Hold back: Twisted calls it at each write above its limit, not only at the first."""
        if self._out is self._transport:
            self._route(self)

    def resumeProducing(self) -> None:
        """Go on: the transport has drained."""
        if self._out is not self:
            return
        self._route(self._transport)
        # Not all at once: what the transport has not sent counts for no budget.
        while self._outbox.size and self.has_room:
            self._transport.write(self._outbox.take(PIECE))
        if not self.has_room:
            return
        if self._close is not None:
            self.close(*self._close)
        elif self.session is not None:
            self.session.drained()

    def stopProducing(self) -> None:
        """Nothing: `closing` follows."""

    @property
    def waiting(self) -> int:
        """How many bytes wait for the transport to take more."""
        return self._outbox.size

    def _route(self, out: Sink) -> None:
        self._out = out
        if self._close is None:
            self.sink = _NOWHERE if self._holds else out


class _Nowhere:
    """The sink of a connection that is closing, and of one that holds back what the hub gives."""

    def write(self, frames: bytes) -> None:
        """Drop frames: no data may follow a Close (RFC 6455, section 5.5.1).

        Args:
            frames: Whole frames.
        """


_NOWHERE = _Nowhere()
