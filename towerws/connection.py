"""One connected client as the core sees it: an outbox in front of a transport.

Here and nowhere else bytes leave for a client. Autobahn's own ``sendMessage`` is not used: it
frames, compresses and logs for every connection what is the same for all of them.
"""

from typing import TYPE_CHECKING, Protocol

from twisted.internet.interfaces import IPushProducer, ITransport
from twisted.logger import Logger
from zope.interface import implementer

from towerws.core.event import Variant, encode
from towerws.core.metrics import Counter
from towerws.core.outbox import Outbox
from towerws.core.wire import CloseCode

if TYPE_CHECKING:
    from towerws.core.session import Session

#: First byte of a Pong frame (RFC 6455, section 5.2).
_FIN_PONG = 0x8A


class Websocket(Protocol):
    """What a connection needs of the websocket protocol below it."""

    def may_send(self) -> bool:
        """Tell whether data frames may be sent: the handshake is done and no Close was sent."""

    def send_close(self, code: int, reason: str) -> None:
        """Begin the closing handshake, which is bounded in time."""

    def send_close_soon(self, code: int, reason: str) -> None:
        """Begin the closing handshake within some seconds."""


@implementer(IPushProducer)
class ClientConnection:
    """Writes what the hub and the session send, as fast as the client takes it.

    Attributes:
        variant: The form of frame that the client negotiated.
        outbox: What waits while the transport has enough.
        session: The client's session, once there is one.
    """

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
        self.outbox = outbox
        self.session: Session | None = None
        self._websocket = websocket
        self._transport = transport
        self._slow_readers = slow_readers

    def send(self, payload: bytes) -> None:
        """Send a text frame behind everything that was sent before.

        Args:
            payload: UTF-8.
        """
        self.outbox.append(encode(payload, self.variant))
        self.flush()

    def pong(self, payload: bytes) -> None:
        """Answer a Ping, on the client's budget: it may send many of them and read no answer.

        Args:
            payload: The Ping's, at most 125 bytes.
        """
        self.outbox.append(bytes((_FIN_PONG, len(payload))) + payload)
        self.flush()

    def flush(self) -> None:
        """Write what is in the outbox, if the transport takes it; cut a reader that is too slow."""
        if self.outbox.overflowed:
            self._cut()
            return
        data = self.outbox.take()
        # After a Close frame no data may follow (RFC 6455, section 5.5.1).
        if data and self._websocket.may_send():
            self._transport.write(data)

    def gap(self) -> None:
        """Tell the session that events may have been missed."""
        if self.session is not None:
            self.session.gap()

    def close(self, code: CloseCode, reason: str) -> None:
        """Close behind what the transport has taken; what still waits in the outbox is not sent.

        Args:
            code: Why.
            reason: The same for people, at most 123 bytes.
        """
        self._websocket.send_close(code, reason)

    def close_soon(self, code: CloseCode, reason: str) -> None:
        """Close within some seconds, each client at a time of its own.

        Args:
            code: Why.
            reason: The same for people, at most 123 bytes.
        """
        self._websocket.send_close_soon(code, reason)

    def pauseProducing(self) -> None:
        """Hold back: Twisted calls it at each write above its limit, not only at the first."""
        self.outbox.pause()

    def resumeProducing(self) -> None:
        """Go on: the transport has drained."""
        self.outbox.resume()
        self.flush()

    def stopProducing(self) -> None:
        """Nothing: the session ends with the connection."""

    def _cut(self) -> None:
        if self._websocket.may_send():
            self._slow_readers.add()
            self._log.info("closing a connection that reads too slowly")
            if self.session is not None:
                self.session.end()
            self.close(CloseCode.TRY_AGAIN_LATER, "reading too slowly")
