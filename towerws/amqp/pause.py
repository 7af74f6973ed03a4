"""Reading less often, and more at once, while events come in quick succession."""

from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime

#: Seconds. RabbitMQ writes to its socket for each 1.4 KB, four small events. To wake up for each
#: of these writes costs 50 us and more, ten times what an event costs (docs/performance.md).
PAUSE = 0.002

#: Deliveries of one read that promise more soon. Events that come one by one are never delayed.
SEVERAL = 4

#: Bytes of one read that make a pause pointless, half of what Twisted reads at once: it is to
#: gather what a turn of the reactor is worth, and must not bound the throughput.
ENOUGH = 32768

#: Messages that the broker must be allowed to send ahead of their acknowledgement for pauses to
#: cost no throughput: with fewer, the broker would wait for the end of each pause. These are
#: 50,000 events in a second of pauses, more than one process delivers.
MIN_PREFETCH = 100


class ReadPause:
    """Keeps a transport from reading for a moment, so that one read brings what would be several.

    The first events of a burst are delivered at once, those behind them up to `PAUSE` later.
    """

    def __init__(self, clock: IReactorTime) -> None:
        """Pause nothing yet.

        Args:
            clock: Ends pauses.
        """
        self._clock = clock
        self._prefetch = 0
        self._size = 0
        self._transport: Any = None
        self._end_call: IDelayedCall | None = None

    def allow(self, prefetch: int) -> None:
        """Pause from now on when it promises to be worth it, unless too little is sent ahead.

        Args:
            prefetch: Messages that the broker may send ahead of their acknowledgement.
        """
        self._prefetch = prefetch

    def received(self, size: int) -> None:
        """Take note of a read.

        Args:
            size: Its bytes.
        """
        # A transport with TLS gives what it has read in pieces, of which the first may pause it.
        self._size = size if self._end_call is None else self._size + size

    def consider(self, transport: Any, deliveries: int) -> None:
        """Pause if it promises to be worth it. To be called before they are delivered.

        Args:
            transport: What not to read from for a moment. The time it takes to deliver is part of
                that moment.
            deliveries: How many the last read completed.
        """
        if self._size >= ENOUGH:
            self.end()
        elif deliveries >= SEVERAL and self._prefetch >= MIN_PREFETCH and self._end_call is None:
            self._transport = transport
            transport.pauseProducing()
            self._end_call = self._clock.callLater(PAUSE, self._over)

    def end(self) -> None:
        """Read on, now. Idempotent."""
        if self._end_call is not None:
            self._end_call.cancel()
            self._over()

    def _over(self) -> None:
        self._end_call = None
        self._transport.resumeProducing()
