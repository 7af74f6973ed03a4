"""A bound on the broker's silence while it owes us answers."""

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime


class ReplyDeadline:
    """Expires when answers are owed and none has come for some time.

    It is about progress, not about a single answer: a thousand requests in a row may take long, and
    AMQP forbids to give up only one of them.
    """

    def __init__(self, clock: IReactorTime, seconds: float, expire: Callable[[], None]) -> None:
        """Wait for nothing yet.

        Args:
            clock: Where the time comes from.
            seconds: How long the broker may be silent.
            expire: Called once when it was.
        """
        self._clock = clock
        self._seconds = seconds
        self._expire = expire
        self._call: IDelayedCall | None = None

    def expect(self) -> None:
        """Begin to wait, unless waiting already."""
        if self._call is None:
            self._call = self._clock.callLater(self._seconds, self._expire)

    def progress(self, *, outstanding: bool) -> None:
        """Note that an answer came.

        Args:
            outstanding: Whether more are owed.
        """
        if not outstanding:
            self.cancel()
        elif self._call is not None:
            self._call.reset(self._seconds)

    def cancel(self) -> None:
        """Stop waiting. Idempotent."""
        call, self._call = self._call, None
        if call is not None and call.active():
            call.cancel()
