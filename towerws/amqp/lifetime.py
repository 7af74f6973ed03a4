"""The end of a connection: once, for one reason, within a bounded time."""

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from towerws.amqp.errors import AMQPError, ConnectionAborted

#: Seconds for what was written last to leave, and for TLS to end in order.
LINGER = 2.0


class Lifetime:
    """What is known about the end of a connection.

    Attributes:
        closing: Whether this side has begun the closing handshake.
        gone: Whether the transport is closed, or was never there.
        error: The reason of the end, from the moment it is decided.
    """

    def __init__(self, clock: IReactorTime) -> None:
        """Begin a life.

        Args:
            clock: Bounds the end.
        """
        self.closing = False
        self.gone = False
        self.error: AMQPError | None = None
        self._clock = clock
        self._waiters: list[Deferred[AMQPError]] = []
        self._last_resort: IDelayedCall | None = None

    def check(self, channel_id: int) -> None:
        """Refuse to send on a connection that is over.

        Args:
            channel_id: The channel; 0, the connection's own, is needed until the end.

        Raises:
            AMQPError: It is; the reason.
        """
        if self.error is not None:
            raise self.error
        if self.closing and channel_id:
            raise ConnectionAborted("this side is closing the connection")

    def when_lost(self) -> Deferred[AMQPError]:
        """Wait for the transport to be closed.

        Returns:
            Fires with the reason; at once if that has happened.
        """
        if self.gone and self.error is not None:
            return succeed(self.error)
        waiter: Deferred[AMQPError] = Deferred()
        self._waiters.append(waiter)
        return waiter

    def begin_closing(self, within: float, give_up: Any, reason: AMQPError) -> None:
        """Note that the closing handshake has begun.

        Args:
            within: Seconds it may take.
            give_up: Called with ``reason`` when it takes longer.
            reason: Why the connection is closed.
        """
        self.closing = True
        self._last_resort = self._clock.callLater(within, give_up, reason)

    def end(self, reason: AMQPError, transport: Any, *, flush: bool) -> None:
        """Decide the end and drop the transport, if that is still to be done.

        Args:
            reason: Why.
            transport: The transport, or ``None`` if there never was one.
            flush: Let what is written leave before, for a bounded time.
        """
        self.error = reason
        self._cancel_last_resort()
        if transport is None or self.gone:
            return
        if flush:
            self._last_resort = self._clock.callLater(LINGER, transport.abortConnection)
            transport.loseConnection()
        else:
            transport.abortConnection()

    def transport_closed(self, reason: AMQPError) -> None:
        """Tell those who wait, after the end was decided.

        Args:
            reason: What they are told.
        """
        self.gone = True
        self._cancel_last_resort()
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.callback(reason)

    def _cancel_last_resort(self) -> None:
        if self._last_resort is not None and self._last_resort.active():
            self._last_resort.cancel()
