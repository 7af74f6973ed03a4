"""Timeouts of ten thousand clients.

Autobahn's batched timer searches a list of all timeouts of the same second whenever one of them is
cancelled, and lets up to a thousand run out in one turn of the reactor. When ten thousand clients
leave that is a second of searching; when they were connected together, their Pings go out in turns
of 400 ms.
"""

from collections.abc import Callable
from math import ceil

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from towerws.websocket.turns import Slices

#: Seconds by which timeouts may be late, so that many of them share one timer.
GRAIN = 0.2


class Timeout:
    """A call that is to be made some time, unless it is cancelled."""

    __slots__ = ("_call", "_tick", "_timeouts")

    def __init__(self, call: Callable[[], object], tick: int, timeouts: "Timeouts") -> None:
        """Remember the call; see `Timeouts.call_later`."""
        self._call: Callable[[], object] | None = call
        self._tick = tick
        self._timeouts = timeouts

    def cancel(self) -> None:
        """Do not make the call; nothing if it was made or cancelled already."""
        if self._call is not None:
            self._call = None
            self._timeouts.forget(self, self._tick)

    def __call__(self) -> None:
        """Make the call, unless it was made or cancelled."""
        call, self._call = self._call, None
        if call is not None:
            call()


class Timeouts:
    """Timeouts of all clients, of which most are cancelled, and many run out together."""

    def __init__(self, clock: IReactorTime, slices: Slices) -> None:
        """Prepare; nothing waits yet.

        Args:
            clock: The reactor.
            slices: Make the calls.
        """
        self._clock = clock
        self._slices = slices
        # By the number of the grain of time in which they run out. The inner dicts are sets that
        # keep the order, in which each of ten thousand is found at once.
        self._waiting: dict[int, tuple[IDelayedCall, dict[Timeout, None]]] = {}

    def seconds(self) -> float:
        """Tell the time of the clock."""
        return self._clock.seconds()

    def call_later(self, delay: float, call: Callable[[], object]) -> Timeout:
        """Make a call some time; it has Autobahn's name.

        Args:
            delay: In so many seconds, or up to `GRAIN` later.
            call: What to call; what it raises is logged.

        Returns:
            To cancel it.
        """
        now = self._clock.seconds()
        tick = ceil((now + delay) / GRAIN)
        if tick not in self._waiting:
            timer = self._clock.callLater(max(0, tick * GRAIN - now), self._run_out, tick)
            self._waiting[tick] = timer, {}
        timeout = Timeout(call, tick, self)
        self._waiting[tick][1][timeout] = None
        return timeout

    def forget(self, timeout: Timeout, tick: int) -> None:
        """Let go of one that was cancelled; nothing if its time has come."""
        if tick in self._waiting:
            timer, timeouts = self._waiting[tick]
            timeouts.pop(timeout, None)
            if not timeouts:
                timer.cancel()
                del self._waiting[tick]

    def _run_out(self, tick: int) -> None:
        _, timeouts = self._waiting.pop(tick)
        self._slices.run(timeouts)
