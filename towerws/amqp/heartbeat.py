"""AMQP heartbeats: prove that we live, notice that the broker does not."""

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

#: Ticks of half an interval in silence after which the peer counts as dead: two whole intervals.
_SILENT_TICKS = 4


class Heartbeat:
    """One timer at half the interval; reads and writes only set a flag.

    A process that was suspended does not take its own absence for the broker's: the ticks it missed
    are skipped, and whatever arrived meanwhile is read before silence adds up.

    Attributes:
        interval: The negotiated interval in seconds; 0 while it is not running.
        received: Whether anything came in since the last tick; to be set by whoever reads.
        sent: Whether anything went out since the last tick; to be set by whoever writes.
    """

    def __init__(
        self, clock: IReactorTime, send: Callable[[], None], expire: Callable[[], None]
    ) -> None:
        """Do not run yet.

        Args:
            clock: Where the time comes from.
            send: Sends a heartbeat frame.
            expire: Called when the peer was silent for two intervals.
        """
        self.interval = 0
        self.received = False
        self.sent = False
        self._send = send
        self._expire = expire
        self._silent_ticks = 0
        self._loop = LoopingCall(self._tick)
        self._loop.clock = clock

    def start(self, interval: int) -> None:
        """Begin, unless the interval is 0.

        Args:
            interval: The negotiated interval in seconds.
        """
        self.interval = interval
        if interval:
            self._loop.start(interval / 2, now=False)

    def stop(self) -> None:
        """End. Idempotent."""
        if self._loop.running:
            self._loop.stop()

    def _tick(self) -> None:
        self._silent_ticks = 0 if self.received else self._silent_ticks + 1
        self.received = False
        if self._silent_ticks >= _SILENT_TICKS:
            self._expire()
            return
        if not self.sent:
            self._send()
        self.sent = False
